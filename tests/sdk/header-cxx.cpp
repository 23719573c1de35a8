/* SPDX-License-Identifier: MIT */
/* The public header alone, in C++; the compiler is the test. */
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

static int header_retain(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	struct lessor_observed seen;
	struct lessor_change change;

	(void)instance;
	seen.size = sizeof(seen);
	seen.protection = LESSOR_PROTECTION_OFF;
	change.size = sizeof(change);
	if (lessor_state_is_over(lessor_resource_at(lease, 0)->state) ||
	    lessor_permit_change(call, 1, LESSOR_CHANGE_LABELS, &seen, &change) < 0)
		return lessor_refuse(call, LESSOR_CLASS_OWNERSHIP, "row %d", 1);
	if (lessor_permit_delete(call, 1, &seen) || lessor_delete_unknown(call, 1, "lost"))
		return lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "later");
	return LESSOR_DONE;
}

static int header_catalog(void *instance, struct lessor_call *call)
{
	struct lessor_offer offer;

	(void)instance;
	offer.size = sizeof(offer);
	offer.unit_ms = 3600000;
	if (lessor_offer_billed(call, &offer))
		return LESSOR_DONE;
	return lessor_offer(call, "small", "here", 5000, "EUR", 1) ? LESSOR_DONE : LESSOR_GONE;
}

static int header_observe(void *instance, struct lessor_call *call, struct lessor_waiting *waiting,
			  size_t count)
{
	size_t i;

	(void)instance;
	for (i = 0; i < count; i++) {
		struct lessor_waiting *w = lessor_waiting_at(waiting, i);

		if (LESSOR_HAS(w, lease) && w->lease->resource_count)
			w->verdict = lessor_pending(w->call, 1000, "1");
	}
	return count ? LESSOR_DONE : lessor_retry(call, LESSOR_CLASS_BUG, 0, "nobody waits");
}

static const struct lessor_action header_actions[] = {
	{ "delete", "DELETE", "/things/{id}", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	  NULL, LESSOR_KIND_BIT(LESSOR_KIND_SERVER), LESSOR_DESTROYS }
};

static const struct lessor_provider header_provider = {
	sizeof(struct lessor_provider), LESSOR_ABI, "header", "1", "The header alone",
	NULL, 0, sizeof(struct lessor_option), LESSOR_SERIAL, LESSOR_CAN_USER_DATA, "bearer",
	"https://cloud.test", header_actions, 1, sizeof(struct lessor_action), 60000,
	header_open, NULL, header_step, header_step, header_step, NULL, NULL, header_catalog, NULL,
	header_retain,
	header_observe
};
LESSOR_PROVIDER(header_provider)
