/* SPDX-License-Identifier: MIT */
#include "store/sqlite/internal.h"

static int name_check(const char *name, struct err *err)
{
	(void)name;
	(void)err;
	return 0;
}

const struct opener opener_sqlite = {
	.name_check = name_check,
	.open = sqlite_open,
	.open_runs = sqlite_open_runs,
	.open_runs_reader = sqlite_open_runs_reader,
	.is_missing = sqlite_is_missing,
	.survey = sqlite_survey,
};
