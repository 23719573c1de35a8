/* SPDX-License-Identifier: MIT */
/*
 * Work for the account: its mark, its inventory, its catalogue.
 */
#pragma once

#include "hetzner.h"

int account_probe(struct hz *z);
int account_list(struct lessor_call *call, uint32_t kind);
int account_catalog(struct lessor_call *call);
