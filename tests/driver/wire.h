/* SPDX-License-Identifier: MIT */
/*
 * Connects a plugin's HTTP to the simulated cloud in the same process: converts an env's
 * request to the cloud's, and the cloud's response to what env_http returns. Faults on the
 * wire are the user's to add.
 */
#pragma once

#include "sim/cloud.h"
#include "util/env.h"

/* Points into `request`. The target is NULL if the URL has no /v1/. */
struct cloud_request wire_request(const struct env_http_request *request);
/* Initialises a response of which nothing is known yet. */
void wire_init(struct env_http_response *answer);
/* The complete response arrived. The caller frees the body. */
void wire_answered(const struct cloud_response *reply, struct env_http_response *answer);
/* The value of a numeric header. -1: it is missing. */
int64_t wire_header(const struct cloud_response *reply, const char *name);
