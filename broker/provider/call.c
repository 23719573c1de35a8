/* SPDX-License-Identifier: MIT */
#include "provider/call.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/evidence.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/utf8.h"

#define SCRATCH_ONE_MAX (16u << 20)
#define SCRATCH_ALL_MAX (64u << 20)
#define CURSOR_MAX 1000
#define WAIT_MOST_MS (24 * 3600 * 1000)
#define LISTED_MAX 100000
#define OFFERS_MAX 20000

struct call_chunk {
	struct call_chunk *next;
	max_align_t data[];
};

void *call_alloc(struct call *call, size_t size)
{
	struct call_chunk *chunk = xcalloc(1, sizeof(*chunk) + size);

	chunk->next = call->chunks;
	call->chunks = chunk;
	call->scratch += size;
	return chunk->data;
}

char *call_dup(struct call *call, const char *text)
{
	size_t len = strlen(text);
	char *copy = call_alloc(call, len + 1);

	memcpy(copy, text, len);
	return copy;
}

void *call_grow(void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	return xrealloc(array, (count ? count * 2 : 1) * size);
}

int call_copy_in(void *ret, size_t ret_size, const void *from, uint32_t size, size_t least)
{
	memset(ret, 0, ret_size);
	if (size < least)
		return -1;
	memcpy(ret, from, size < ret_size ? size : ret_size);
	return 0;
}

static const struct log_field *fields_of(const struct call *call, struct log_field room[5])
{
	room[0] = (struct log_field){ "provider", call->account->table->name };
	room[1] = (struct log_field){ "account", call->account->config.name };
	room[2] = (struct log_field){ "step", step_op_name(call->step->op) };
	room[3] = (struct log_field){ call->step->lease.id[0] ? "lease" : NULL,
				      call->step->lease.id };
	room[4] = (struct log_field){ NULL, NULL };
	return room;
}

int call_violation(struct call *call, const char *fmt, ...)
{
	struct log_field room[5];
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_warning(fields_of(call, room), "the provider plugin broke its contract: %s; not done",
		    text);
	if (!call->violation[0])
		snprintf(call->violation, sizeof(call->violation), "%s", text);
	return -1;
}

/* ---- the host's table: small things ---- */

static void host_log(struct lessor_call *base, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void host_log(struct lessor_call *base, int level, const char *fmt, ...)
{
	struct call *call = call_of(base);
	struct log_field room[5];
	enum log_level as = LOG_LEVEL_INFO;
	char text[512];
	va_list args;

	if (level == LESSOR_LOG_ERROR)
		as = LOG_LEVEL_ERROR;
	else if (level == LESSOR_LOG_WARNING)
		as = LOG_LEVEL_WARNING;
	else if (level == LESSOR_LOG_DEBUG)
		as = LOG_LEVEL_DEBUG;
	if (!log_enabled(as))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_write(as, fields_of(call, room), "%s", text);
}

static int64_t host_now(struct lessor_call *base)
{
	return env_wall_ms(call_of(base)->account->env);
}

static int64_t host_deadline(struct lessor_call *base)
{
	return call_of(base)->step->deadline_ms;
}

static const char *host_broker_id(struct lessor_call *base)
{
	return call_of(base)->step->instance;
}

static int host_cancelled(struct lessor_call *base)
{
	return atomic_load(&call_of(base)->step->cancel) != 0;
}

static void *host_alloc(struct lessor_call *base, size_t size)
{
	struct call *call = call_of(base);

	if (size > SCRATCH_ONE_MAX || call->scratch + size > SCRATCH_ALL_MAX)
		return NULL;
	return call_alloc(call, size);
}

static const char *host_option_text(struct lessor_call *base, const char *key)
{
	return account_option_text(call_of(base)->account, key);
}

static int64_t host_option_int(struct lessor_call *base, const char *key)
{
	return account_option_int(call_of(base)->account, key);
}

static int64_t wait_clamp(int64_t wait_ms)
{
	return wait_ms < 0 ? 0 : wait_ms > WAIT_MOST_MS ? WAIT_MOST_MS : wait_ms;
}

/* ---- verdicts and outputs ---- */

static int host_pending(struct lessor_call *base, int64_t wait_ms, const char *cursor)
{
	struct call *call = call_of(base);

	if (!cursor)
		cursor = "";
	if (strlen(cursor) > CURSOR_MAX || !utf8_valid(cursor, strlen(cursor))) {
		call_violation(call, "a cursor must be at most %d bytes of UTF-8", CURSOR_MAX);
		return -1;	/* no verdict: step_run makes it a RETRY */
	}
	call->said = LESSOR_PENDING;
	call->said_class = LESSOR_CLASS_NONE;
	call->said_wait_ms = wait_clamp(wait_ms);
	call->said_reason[0] = '\0';
	snprintf(call->said_cursor, sizeof(call->said_cursor), "%s", cursor);
	return LESSOR_PENDING;
}

static int host_fail(struct lessor_call *base, int verdict, uint32_t error_class, int64_t wait_ms,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int host_fail(struct lessor_call *base, int verdict, uint32_t error_class, int64_t wait_ms,
		     const char *fmt, ...)
{
	struct call *call = call_of(base);
	va_list args;

	if (verdict != LESSOR_RETRY && verdict != LESSOR_REFUSED)
		return call_violation(call,
				      "fail with verdict %d, which is neither RETRY nor REFUSED",
				      verdict);
	if (error_class > LESSOR_CLASS_BUG) {
		call_violation(call, "class %u is none of provider.h", error_class);
		error_class = LESSOR_CLASS_BUG;
	}
	call->said = verdict;
	call->said_class = error_class;
	call->said_wait_ms = wait_clamp(wait_ms);
	va_start(args, fmt);
	vsnprintf(call->said_reason, sizeof(call->said_reason), fmt, args);
	va_end(args);
	for (char *p = call->said_reason; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
	}
	return verdict;
}

static int output_is_sane(int key, const char *value)
{
	if (key == LESSOR_OUT_HOST)
		return value[0] != '\0' && value[0] != '-' &&
		       strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			      ".:-") == strlen(value);
	for (const char *p = value; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return 0;
	}
	return utf8_valid(value, strlen(value));
}

static void host_output(struct lessor_call *base, int key, const char *value)
{
	struct call *call = call_of(base);
	struct step *step = call->step;
	const struct { char *at; size_t room; } outputs[] = {
		[LESSOR_OUT_HOST] = { step->host, sizeof(step->host) },
		[LESSOR_OUT_SERVER_ID] = { step->server_id, sizeof(step->server_id) },
		[LESSOR_OUT_SERVER_NAME] = { step->server_name, sizeof(step->server_name) },
		[LESSOR_OUT_SERVER_TYPE] = { step->server_type, sizeof(step->server_type) },
		[LESSOR_OUT_LOCATION] = { step->location, sizeof(step->location) },
		[LESSOR_OUT_STATUS] = { step->status, sizeof(step->status) },
	};

	if (key < LESSOR_OUT_HOST || key > LESSOR_OUT_STATUS || !value) {
		call_violation(call, "output %d is none of provider.h, or has no value", key);
		return;
	}
	if (strlen(value) >= outputs[key].room || !output_is_sane(key, value)) {
		call_violation(call, "the value of output %d is too long or not plain text", key);
		return;
	}
	memcpy(outputs[key].at, value, strlen(value) + 1);
}

/* ---- the account's text cache ---- */

static const char *host_cache_get(struct lessor_call *base, const char *key)
{
	struct call *call = call_of(base);
	char *value = key ? memo_dup(call->account->state->memo, key,
				     env_mono_ms(call->account->env)) : NULL;
	const char *copy = value ? call_dup(call, value) : NULL;

	free(value);
	return copy;
}

static void host_cache_put(struct lessor_call *base, const char *key, const char *value,
			   int64_t keep_ms)
{
	struct call *call = call_of(base);

	if (!key || keep_ms < 0) {
		call_violation(call, "cache_put without a key or for less than no time");
		return;
	}
	if (memo_put(call->account->state->memo, key, value,
		     env_mono_ms(call->account->env) + wait_clamp(keep_ms)))
		call_violation(call, "cache_put of a key or value that is too long");
}

/* ---- collectors ---- */

static int host_listed(struct lessor_call *base, const struct lessor_observed *from)
{
	struct call *call = call_of(base);
	struct step *step = call->step;
	struct lessor_observed seen;

	if (step->op != STEP_LIST)
		return call_violation(call, "listed outside of list");
	if (!from || call_copy_in(&seen, sizeof(seen), from, from->size, CALL_OBSERVED_LEAST) ||
	    !seen.id ||
	    !seen.id[0] || (seen.label_count && !seen.labels))
		return call_violation(call, "listed something without size or id");
	if (step->listed_count >= LISTED_MAX)
		return -1;
	step_add_listed(step, &seen);
	return 0;
}

static int host_offer(struct lessor_call *base, const char *type, const char *location,
		      int64_t price_hour_micros, const char *currency, uint32_t available)
{
	struct call *call = call_of(base);
	struct step *step = call->step;
	struct step_price price = { .hour_micros = price_hour_micros, .available = available != 0 };

	if (step->op != STEP_CATALOG)
		return call_violation(call, "offer outside of catalog");
	if (!type || !type[0] || strlen(type) >= sizeof(price.type) || !location ||
	    strlen(location) >= sizeof(price.location) || !currency ||
	    strlen(currency) >= sizeof(price.currency) || price_hour_micros < 0)
		return call_violation(call,
				      "an offer with a type, location, currency or price that "
				      "cannot be");
	if (step->price_count >= OFFERS_MAX)
		return -1;
	memcpy(price.type, type, strlen(type));
	memcpy(price.location, location, strlen(location));
	memcpy(price.currency, currency, strlen(currency));
	step->prices = call_grow(step->prices, step->price_count, sizeof(*step->prices));
	step->prices[step->price_count++] = price;
	return 0;
}

/* ---- life of a call ---- */

static struct lessor_host host_table;
static pthread_once_t host_once = PTHREAD_ONCE_INIT;

static void host_table_make(void)
{
	host_table = (struct lessor_host){
		.size = sizeof(struct lessor_host),
		.abi = LESSOR_ABI,
		.log = host_log,
		.now = host_now,
		.deadline = host_deadline,
		.broker_id = host_broker_id,
		.cancelled = host_cancelled,
		.alloc = host_alloc,
		.option_text = host_option_text,
		.option_int = host_option_int,
		.pending = host_pending,
		.fail = host_fail,
		.output = host_output,
		.cache_get = host_cache_get,
		.cache_put = host_cache_put,
		.listed = host_listed,
		.offer = host_offer,
	};
	call_ledger_fill(&host_table);
	call_delete_fill(&host_table);
	call_http_fill(&host_table);
}

void call_init(struct call *call, struct step *step)
{
	pthread_once(&host_once, host_table_make);
	memset(call, 0, sizeof(*call));
	call->base.host = &host_table;
	call->step = step;
	call->account = step->account;
	call->effect_mono_ms = INT64_MIN;
}

int call_is_own_io(const struct call *call)
{
	const struct lessor_provider *table = call->account->table;

	/* What goes through the host's HTTP is on record, and is judged by that. */
	return (table->capabilities & LESSOR_OWN_IO) && !table->http_auth;
}

void call_fini(struct call *call)
{
	evidence_fini(call);
	for (size_t i = 0; i < call->answer_count; i++)
		answer_unref(call->answers[i]);
	free(call->answers);
	while (call->chunks) {
		struct call_chunk *chunk = call->chunks;
		call->chunks = chunk->next;
		free(chunk);
	}
}

static void lease_fill_ledger(struct call *call, struct lessor_lease *lease)
{
	const struct ledger *ledger = &call->step->ledger;
	struct lessor_resource *resources = call_alloc(call, (ledger->resource_count + 1) *
						       sizeof(*resources));
	struct lessor_attempt *attempts = call_alloc(call, (ledger->attempt_count + 1) *
						     sizeof(*attempts));

	/* a snapshot: the step's own ledger moves on with each commit */
	for (size_t i = 0; i < ledger->resource_count; i++) {
		const struct resource *from = &ledger->resources[i];
		resources[i] = (struct lessor_resource){
			.row = from->n,
			.created_ms = from->created_ms,
			.changed_ms = from->changed_ms,
			.protected_ms = from->marked_ms,
			.name = call_dup(call, from->name),
			.id = call_dup(call, from->id),
			.action = call_dup(call, from->action),
			.lease = call_dup(call, from->signed_lease[0] ? from->signed_lease :
						call->step->lease.id),
			.kind = from->kind,
			.state = from->state,
			.attempt = from->attempt,
			.ours = from->ours != 0,
		};
	}
	for (size_t i = 0; i < ledger->attempt_count; i++) {
		const struct attempt *from = &ledger->attempts[i];
		attempts[i] = (struct lessor_attempt){
			.type = call_dup(call, from->type),
			.location = call_dup(call, from->location),
			.reason = call_dup(call, from->reason),
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

const struct lessor_lease *call_lease(struct call *call)
{
	struct step *step = call->step;
	const struct account_config *config = &call->account->config;
	const struct lease *from = &step->lease;
	struct lessor_lease *lease = call_alloc(call, sizeof(*lease));
	const char **types = call_alloc(call, (LEASE_TYPES_MAX + 1) * sizeof(*types));
	const char **locations = call_alloc(call, (ACCOUNT_LOCATIONS_MAX + 1) * sizeof(*locations));
	char *sentinel = call_alloc(call, 32);

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
	account_sentinel(call->account, sentinel);
	for (int i = 0; i < from->type_count && i < LEASE_TYPES_MAX; i++)
		types[lease->type_count++] = from->types[i];
	if (from->location[0]) {
		locations[lease->location_count++] = from->location;
	} else {
		for (int i = 0; i < config->location_count; i++)
			locations[lease->location_count++] = config->locations[i];
	}
	lease_fill_ledger(call, lease);
	return lease;
}

int call_open(struct account *account, struct err *err)
{
	struct step *step = step_new(STEP_PROBE, account);
	const char *name = account->table->name;
	struct call call;
	int rc = 0;

	call_init(&call, step);
	call.opening = 1;
	int verdict = account->table->open(&call.base, &account->instance);
	if (verdict == LESSOR_REFUSED && call.said == LESSOR_REFUSED) {
		rc = err_set(err, ERR_REFUSED, "%s", call.said_reason);
	} else if (verdict != LESSOR_DONE) {
		rc = err_set(err, ERR_INTERNAL, "provider '%s' answered open with verdict %d", name,
			     verdict);
	} else if (call.violation[0]) {
		rc = err_set(err, ERR_INTERNAL, "provider '%s' broke its contract in open: %.160s",
			     name, call.violation);
		account->table->close(account->instance);
	}
	call_fini(&call);
	step_free(step);
	return rc;
}
