/* SPDX-License-Identifier: MIT */
/*
 * File descriptors: how many the process may have, and how many connections that leaves room
 * for. Main thread.
 */
#pragma once

#include <stdint.h>

struct config;

/* Raises the limit of open files to the hard limit. */
void descriptors_raise(void);
/*
 * How many connections may be open, with what is open now and what workers, providers and the
 * stores may open beside: max_connections, or fewer if the limit is too low. Logs that.
 */
uint32_t descriptors_connections(const struct config *config);
