/* SPDX-License-Identifier: MIT */
/*
 * Boxes: the machine behind each running server is a real sshd on a loopback address
 * of its own, in a root of its own that is made of memory. Of the event loop's thread.
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
 * `user`: whom everything in a box runs as; NULL: us, or `nobody` when we are root.
 * Makes one for trial. NULL and `err` when there can be none here; why is then on
 * the standard error. The base is the caller's, and outlives them.
 */
struct boxes *boxes_new(struct event_base *base, const char *user, struct err *err);
/* Ends all of them; they are gone when it returns. Takes NULL. */
void boxes_free(struct boxes *boxes);

/* Every server that is switched on has a box, and nothing else has one. Takes NULL. */
void boxes_sync(struct boxes *boxes, const struct cloud *cloud);
/* {"boxes":[{"id":1,"name":"a","address":"127.1.2.3","pid":4}]}; pid 0: it ended. */
void boxes_write(const struct boxes *boxes, struct buf *out);
