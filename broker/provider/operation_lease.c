/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <string.h>

#include "provider/account.h"

static void lease_fill_ledger(struct operation *op, struct lessor_lease *lease)
{
	const struct ledger *ledger = &op->step->ledger;
	struct lessor_resource *resources = operation_alloc(op, (ledger->resource_count + 1) *
							    sizeof(*resources));
	struct lessor_attempt *attempts = operation_alloc(op, (ledger->attempt_count + 1) *
							  sizeof(*attempts));

	/* a snapshot: the step's own copy changes with each claim */
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *from = &ledger->resources[i];
		resources[i] = (struct lessor_resource){
			.row = from->n,
			.created_ms = from->created_ms,
			.changed_ms = from->changed_ms,
			.protected_ms = from->marked_ms,
			.name = operation_dup(op, from->name),
			.id = operation_dup(op, from->id),
			.action = operation_dup(op, from->action),
			.lease = operation_dup(op, from->signed_lease[0] ? from->signed_lease :
						op->step->lease.id),
			.kind = from->kind,
			.state = from->state,
			.attempt = from->attempt,
			.ours = from->ours != 0,
		};
	}
	for (size_t i = 0; i < ledger->attempt_count; i++) {
		const struct attempt *from = &ledger->attempts[i];
		attempts[i] = (struct lessor_attempt){
			.type = operation_dup(op, from->type),
			.location = operation_dup(op, from->location),
			.reason = operation_dup(op, from->reason),
			.started_ms = from->started_ms,
			.number = from->number,
			.refused = from->refused,
		};
	}
	lease->resources = resources;
	lease->resource_count = ledger->resource_count;
	lease->resource_size = sizeof(*resources);
	lease->attempts = attempts;
	lease->attempt_count = ledger->attempt_count;
	lease->attempt_size = sizeof(*attempts);
}

/* The requested location alone; or the account's, the preferred one first. */
static void lease_fill_locations(const struct account_config *config, const struct lease *from,
				 const char **locations, struct lessor_lease *lease)
{
	if (from->location[0] && !from->location_preferred) {
		locations[lease->location_count++] = from->location;
		return;
	}
	for (int i = 0; i < config->location_count; i++) {
		if (!strcmp(config->locations[i], from->location))
			locations[lease->location_count++] = config->locations[i];
	}
	for (int i = 0; i < config->location_count; i++) {
		if (strcmp(config->locations[i], from->location) != 0)
			locations[lease->location_count++] = config->locations[i];
	}
}

const struct lessor_lease *operation_lease(struct operation *op)
{
	struct step *step = op->step;
	const struct account_config *config = &op->account->config;
	const struct lease *from = &step->lease;
	struct lessor_lease *lease = operation_alloc(op, sizeof(*lease));
	const char **types = operation_alloc(op, (LEASE_TYPES_MAX + 1) * sizeof(*types));
	const char **locations = operation_alloc(op, (ACCOUNT_LOCATIONS_MAX + 1) *
						 sizeof(*locations));
	char *sentinel = operation_alloc(op, 32);

	*lease = (struct lessor_lease){
		.size = sizeof(*lease),
		.id = from->id,
		.slug = from->slug,
		.image = from->image[0] ? from->image : config->image,
		.architecture = from->architecture[0] ? from->architecture : "x86",
		.public_key = from->public_key,
		.account_key = step->account_key,
		.user_data = step->user_data ? step->user_data : "",
		.user_data_len = step->user_data ? step->user_data_len : 0,
		.cursor = from->cursor,
		.sentinel_id = sentinel,
		.types = types,
		.locations = locations,
		.created_ms = from->created_ms,
		.deadline_ms = from->provision_deadline_ms,
	};
	account_sentinel(op->account, sentinel);
	for (int i = 0; i < from->type_count && i < LEASE_TYPES_MAX; i++)
		types[lease->type_count++] = from->types[i];
	lease_fill_locations(config, from, locations, lease);
	lease_fill_ledger(op, lease);
	return lease;
}
