/* SPDX-License-Identifier: MIT */
/* For handlers that change what the sockets of GET /v1/control follow. Loop thread. */
#pragma once

#include "api/request.h"

/* Call it after a run has changed: sends the new events to the sockets that follow it. */
void control_run_changed(struct api *api, const char *run_id);
