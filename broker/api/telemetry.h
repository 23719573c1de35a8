/* SPDX-License-Identifier: MIT */
/*
 * Telemetry: load, memory and disk of a machine, measured by the client (contract 2.7). Known
 * members are checked and written anew, so that a stored sample is small and has the types
 * that the client decodes. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/json_body.h"

extern const struct body_table body_telemetry;

/*
 * Writes the sample as complete JSON to `out`, and its time to *ret_ms: `now_ms` if the client
 * gave none or a later one. 1; 0: it has no figure; -1: in->error is set, with the code
 * invalid_telemetry. `size` is TELEMETRY_ROOM.
 */
int telemetry_read(struct json_body *in, json_t *object, int64_t now_ms, int64_t *ret_ms, char *out,
		   size_t size);
