/* SPDX-License-Identifier: MIT */
#include "store/sqlite/internal.h"

const struct opener opener_sqlite = {
	.open = sqlite_open,
	.open_runs = sqlite_open_runs,
	.open_runs_reader = sqlite_open_runs_reader,
	.is_missing = sqlite_is_missing,
	.survey = sqlite_survey,
};
