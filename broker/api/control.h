/* SPDX-License-Identifier: MIT */
/* The sockets of GET /v1/control, for who changes what they follow. Loop thread. */
#pragma once

#include "api/request.h"

/* Something was added to a run: sends it to the sockets that follow the run. */
void control_run_changed(struct api *api, const char *run_id);
