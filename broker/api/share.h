/* SPDX-License-Identifier: MIT */
/* Sharing a lease: contract 2.15. Loop thread. */
#pragma once

#include "api/call.h"

/* "share" of the lease, for those who may change it; nothing if it never was shared. */
void share_render(struct call *call, struct jsonw *w, const struct lease *l);
