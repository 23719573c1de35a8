/* SPDX-License-Identifier: MIT */
/*
 * Boxes: the machine behind each running server is a real sshd on its own loopback address,
 * in its own root file system in memory. Used by the event loop's thread.
 *
 * A box has its own user, mount, process, IPC and host name namespace, and the
 * network of this machine. Everything in it runs as one unprivileged user: us, or,
 * when we are root, somebody else. It ends with its server, and with this program
 * however that ends; nothing of it was ever on a disk.
 */
#pragma once

#include "sim/cloud.h"
#include "util/buf.h"
#include "util/err.h"

struct event_base;
struct boxes;

/*
 * `user`: the user that boxes run as; NULL: the current user, or `nobody` if that is root.
 * Tests whether boxes work; if not, returns NULL with `err`, and the reason is printed to
 * standard error. The caller owns the base, which must outlive the boxes.
 */
struct boxes *boxes_new(struct event_base *base, const char *user, struct err *err);
/* Ends all boxes before it returns. Takes NULL. */
void boxes_free(struct boxes *boxes);

/* Starts and stops boxes so that exactly the servers that are on have one. Takes NULL. */
void boxes_sync(struct boxes *boxes, const struct cloud *cloud);
/* {"boxes":[{"id":1,"name":"a","address":"127.1.2.3","pid":4}]}; pid 0: ended. */
void boxes_write(const struct boxes *boxes, struct buf *out);
