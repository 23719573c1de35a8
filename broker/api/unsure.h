/* SPDX-License-Identifier: MIT */
#pragma once

struct api;
struct lease;

/* Is the lease's account not configured, blocked, fenced, or not verified since the start? */
int lease_is_unsure(const struct api *api, const struct lease *l);
