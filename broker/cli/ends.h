/* SPDX-License-Identifier: MIT */
/* When a live lease ends, and by what. */
#pragma once

#include <jansson.h>
#include <stdio.h>

/*
 * One line: "ends in 1h 29m (2026-08-21T11:30:00Z)", with the idle timeout if that is what ends
 * it. Nothing for a lease that has ended.
 */
void ends_print(FILE *to, const json_t *lease);
