/* SPDX-License-Identifier: MIT */
/*
 * What is said before the process dies of something that was not planned: of a crash, which
 * operation of which provider the thread was in; of an exit() in a plugin, the same, and never
 * with status 0, so that the service manager starts lessord again.
 */
#pragma once

/* From now on. Main thread, once. */
void crash_report_begin(void);
/* lessord ends by itself now. */
void crash_report_end(void);
