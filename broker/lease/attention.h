/* SPDX-License-Identifier: MIT */
/*
 * What an operator does about a lease in attention: one place maps the class of the failure to
 * it, for the attention text and for clients. Pure.
 */
#pragma once

#include <stddef.h>

#include "lease/lease.h"

/* Long enough for lease_attention_action. */
#define ATTENTION_ACTION_SIZE 64

/*
 * The command to enter next, such as "lessor resolve cbx_0123456789ab retry"; "" if the lease is
 * not in attention. The attention text says what comes before it and which others there are.
 */
void lease_attention_action(const struct lease *l, char out[ATTENTION_ACTION_SIZE]);
