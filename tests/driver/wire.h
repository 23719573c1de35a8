/* SPDX-License-Identifier: MIT */
/*
 * Between a plugin's HTTP and the simulated cloud in the same process: an env's request as
 * the cloud takes it, and the cloud's response as env_http returns it. What the wire does to
 * either is for the user to decide.
 */
#pragma once

#include "sim/cloud.h"
#include "util/env.h"

/* Points into `request`. Where an URL has no /v1/ the target is NULL. */
struct cloud_request wire_request(const struct env_http_request *request);
/* Nothing is known of an answer yet. */
void wire_init(struct env_http_response *answer);
/* The whole of it arrived. The body is the receiver's to free. */
void wire_answered(const struct cloud_response *reply, struct env_http_response *answer);
/* A header that is a number. -1: there is none. */
int64_t wire_header(const struct cloud_response *reply, const char *name);
