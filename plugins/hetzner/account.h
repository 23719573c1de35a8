/* SPDX-License-Identifier: MIT */
/*
 * Operations on the account: its sentinel, its inventory, its catalogue.
 */
#pragma once

#include "hetzner.h"

int account_probe(struct hz *z);
int account_list(struct lessor_call *call, uint32_t kind);
int account_catalog(struct lessor_call *call);
