/* SPDX-License-Identifier: MIT */
/* The public header alone, in the oldest dialect it promises; the compiler is the test. */
#include <lessor/provider.h>

static int header_open(struct lessor_call *call, void **instance)
{
	*instance = NULL;
	if (!lessor_option_text(call, "key"))
		return lessor_refuse(call, LESSOR_CLASS_INVALID, "no %s", "key");
	return LESSOR_DONE;
}

static int header_step(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	size_t i;

	(void)instance;
	for (i = 0; i < lease->resource_count; i++)
		lessor_log(call, LESSOR_LOG_INFO, "%s", lessor_resource_at(lease, i)->name);
	for (i = 0; i < lease->attempt_count; i++)
		lessor_log(call, LESSOR_LOG_INFO, "%s", lessor_attempt_at(lease, i)->type);
	if (!LESSOR_HAS(lease, deadline_ms))
		return lessor_retry(call, LESSOR_CLASS_BUG, 0, "a host of %d", 1);
	return lessor_pending(call, 1000, "1");
}

static const struct lessor_provider header_provider = {
	sizeof(struct lessor_provider), LESSOR_ABI, "header", "1", "The header alone",
	NULL, 0, sizeof(struct lessor_option), LESSOR_SERIAL, 0, NULL, NULL,
	header_open, NULL, header_step, header_step, header_step, NULL, NULL, NULL, NULL
};
LESSOR_PROVIDER(header_provider)
