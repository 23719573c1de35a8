/* SPDX-License-Identifier: MIT */
/*
 * What a client has seen its machine do: load, memory, disk (contract 2.7). What is
 * known is checked and written anew, so that what is kept is small, and what is given
 * back has the types that the client decodes. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/json_body.h"

extern const struct body_table body_telemetry;

/*
 * The sample as complete JSON in `out`, its time in *ret_ms (not after `now_ms`, which it
 * is if the client tells none). 1; 0: there is no figure in it; -1: `in` has failed, with
 * the code invalid_telemetry. `room` is TELEMETRY_ROOM.
 */
int telemetry_read(struct json_body *in, const json_t *object, int64_t now_ms, int64_t *ret_ms,
		   char *out, size_t room);
