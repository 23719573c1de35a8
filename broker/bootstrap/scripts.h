/* SPDX-License-Identifier: MIT */
/* Scripts that run on the machine. Inside the room only. */
#pragma once

#define SCRIPT_READY_PATH "/usr/local/bin/crabbox-ready"
#define SCRIPT_SETUP_PATH "/usr/local/sbin/lessor-setup"
#define WORK_ROOT_PATH "/etc/lessor-work-root"

extern const char script_ready[];	/* no arguments; run by the user, over SSH */
extern const char script_setup[];	/* USER WORK_ROOT; run by root, once */
