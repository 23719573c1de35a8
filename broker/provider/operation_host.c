/* SPDX-License-Identifier: MIT */
#include "provider/operation.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "provider/account_state.h"
#include "provider/evidence.h"
#include "util/alloc.h"
#include "util/utf8.h"

#define SCRATCH_ONE_MAX (16u << 20)
#define SCRATCH_ALL_MAX (64u << 20)
#define CURSOR_MAX 1000
#define WAIT_MOST_MS (24 * 3600 * 1000)
#define LISTED_MAX 100000
#define OFFERS_MAX 20000
#define SECOND_MS 1000
#define MINIMUM_MS_MAX (24 * 3600 * INT64_C(1000))
#define UNIT_MS_MAX (31 * MINIMUM_MS_MAX)

/* ---- the host's table: log, time, memory, options ---- */

static void host_log(struct lessor_call *base, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static void host_log(struct lessor_call *base, int level, const char *fmt, ...)
{
	struct operation *op = operation_of(base);
	struct log_field fields[5];
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
	log_write(as, operation_log_fields(op, fields), "%s", text);
}

static int64_t host_now(struct lessor_call *base)
{
	return step_now(operation_of(base)->step);
}

static int64_t host_deadline(struct lessor_call *base)
{
	return operation_of(base)->step->deadline_ms;
}

static const char *host_broker_id(struct lessor_call *base)
{
	return operation_of(base)->step->instance;
}

static int host_cancelled(struct lessor_call *base)
{
	return atomic_load(&operation_of(base)->step->cancel) != 0;
}

static void *host_alloc(struct lessor_call *base, size_t size)
{
	struct operation *op = operation_of(base);

	if (size > SCRATCH_ONE_MAX || op->scratch + size > SCRATCH_ALL_MAX)
		return NULL;
	return operation_alloc(op, size);
}

static const char *host_option_text(struct lessor_call *base, const char *key)
{
	return account_option_text(operation_of(base)->account, key);
}

static int64_t host_option_int(struct lessor_call *base, const char *key)
{
	return account_option_int(operation_of(base)->account, key);
}

static int64_t wait_clamp(int64_t wait_ms)
{
	return wait_ms < 0 ? 0 : wait_ms > WAIT_MOST_MS ? WAIT_MOST_MS : wait_ms;
}

/* ---- verdicts and outputs ---- */

static int host_pending(struct lessor_call *base, int64_t wait_ms, const char *cursor)
{
	struct operation *op = operation_of(base);

	if (!cursor)
		cursor = "";
	if (strlen(cursor) > CURSOR_MAX || !utf8_valid(cursor, strlen(cursor))) {
		operation_violation(op, "a cursor must be at most %d bytes of UTF-8", CURSOR_MAX);
		return -1; /* no verdict is recorded: step_run turns that into RETRY */
	}
	op->verdict = LESSOR_PENDING;
	op->verdict_class = LESSOR_CLASS_NONE;
	op->verdict_wait_ms = wait_clamp(wait_ms);
	op->verdict_reason[0] = '\0';
	snprintf(op->verdict_cursor, sizeof(op->verdict_cursor), "%s", cursor);
	return LESSOR_PENDING;
}

static int host_fail(struct lessor_call *base, int verdict, uint32_t error_class, int64_t wait_ms,
		     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
static int host_fail(struct lessor_call *base, int verdict, uint32_t error_class, int64_t wait_ms,
		     const char *fmt, ...)
{
	struct operation *op = operation_of(base);
	va_list args;

	if (verdict != LESSOR_RETRY && verdict != LESSOR_REFUSED)
		return operation_violation(op, "fail with verdict %d, which is neither RETRY nor "
					   "REFUSED", verdict);
	if (error_class > LESSOR_CLASS_BUG) {
		operation_violation(op, "error class %u is not defined in provider.h", error_class);
		error_class = LESSOR_CLASS_BUG;
	}
	op->verdict = verdict;
	op->verdict_class = error_class;
	op->verdict_wait_ms = wait_clamp(wait_ms);
	va_start(args, fmt);
	vsnprintf(op->verdict_reason, sizeof(op->verdict_reason), fmt, args);
	va_end(args);
	for (char *p = op->verdict_reason; *p; p++) {
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
	struct operation *op = operation_of(base);
	struct step *step = op->step;
	const struct {
		char *at;
		size_t size;
	} outputs[] = {
		[LESSOR_OUT_HOST] = { step->host, sizeof(step->host) },
		[LESSOR_OUT_SERVER_ID] = { step->server_id, sizeof(step->server_id) },
		[LESSOR_OUT_SERVER_NAME] = { step->server_name, sizeof(step->server_name) },
		[LESSOR_OUT_SERVER_TYPE] = { step->server_type, sizeof(step->server_type) },
		[LESSOR_OUT_LOCATION] = { step->location, sizeof(step->location) },
		[LESSOR_OUT_STATUS] = { step->status, sizeof(step->status) },
		[LESSOR_OUT_NOTE] = { step->note, sizeof(step->note) },
	};

	if (key < LESSOR_OUT_HOST || key > LESSOR_OUT_NOTE || !value) {
		operation_violation(op, "output %d is not defined in provider.h, or has no value",
				    key);
		return;
	}
	if (strlen(value) >= outputs[key].size || !output_is_sane(key, value)) {
		operation_violation(op, "the value of output %d is too long or not plain text",
				    key);
		return;
	}
	memcpy(outputs[key].at, value, strlen(value) + 1);
}

/* ---- the account's text cache ---- */

static const char *host_cache_get(struct lessor_call *base, const char *key)
{
	struct operation *op = operation_of(base);
	char *value = key ? text_cache_get(op->account->state->cache, key,
					   env_mono_ms(op->account->env)) : NULL;
	const char *copy = value ? operation_dup(op, value) : NULL;

	free(value);
	return copy;
}

static void host_cache_put(struct lessor_call *base, const char *key, const char *value,
			   int64_t keep_ms)
{
	struct operation *op = operation_of(base);

	if (!key || keep_ms < 0) {
		operation_violation(op, "cache_put without a key, or with a negative duration");
		return;
	}
	if (text_cache_put(op->account->state->cache, key, value,
			   env_mono_ms(op->account->env) + wait_clamp(keep_ms)))
		operation_violation(op, "cache_put with a key or value that is too long");
}

/* ---- collectors ---- */

static int host_listed(struct lessor_call *base, const struct lessor_observed *from)
{
	struct operation *op = operation_of(base);
	struct step *step = op->step;
	struct lessor_observed seen;

	if (step->op != STEP_LIST)
		return operation_violation(op, "listed outside of list");
	if (!from || plugin_copy_in(&seen, sizeof(seen), from, from->size, PLUGIN_OBSERVED_MIN) ||
	    !seen.id || !seen.id[0] || (seen.label_count && !seen.labels))
		return operation_violation(op, "listed an object without size or id");
	if (step->listed_count >= LISTED_MAX)
		return -1;
	step_add_listed(step, &seen);
	return 0;
}

static int offer_add(struct lessor_call *base, const struct lessor_offer *offer)
{
	struct operation *op = operation_of(base);
	struct step *step = op->step;
	struct step_price price = { .hour_micros = offer->price_hour_micros,
				    .month_micros = offer->price_month_micros,
				    .unit_ms = offer->unit_ms ? offer->unit_ms : SECOND_MS,
				    .minimum_ms = offer->minimum_ms,
				    .available = offer->available != 0 };

	if (step->op != STEP_CATALOG)
		return operation_violation(op, "offer outside of catalog");
	if (!offer->type || !offer->type[0] || strlen(offer->type) >= sizeof(price.type) ||
	    !offer->location || strlen(offer->location) >= sizeof(price.location) ||
	    !offer->currency || strlen(offer->currency) >= sizeof(price.currency) ||
	    offer->price_hour_micros < 0 || offer->price_month_micros < 0)
		return operation_violation(op,
					   "an offer with an invalid type, location, currency or "
					   "price");
	if (offer->unit_ms < 0 || offer->unit_ms > UNIT_MS_MAX || offer->minimum_ms < 0 ||
	    offer->minimum_ms > MINIMUM_MS_MAX)
		return operation_violation(op, "an offer with an invalid unit or minimum");
	if (step->price_count >= OFFERS_MAX)
		return -1;
	memcpy(price.type, offer->type, strlen(offer->type));
	memcpy(price.location, offer->location, strlen(offer->location));
	memcpy(price.currency, offer->currency, strlen(offer->currency));
	step->prices = xgrow(step->prices, step->price_count, sizeof(*step->prices));
	step->prices[step->price_count++] = price;
	return 0;
}

static int host_offer(struct lessor_call *base, const char *type, const char *location,
		      int64_t price_hour_micros, const char *currency, uint32_t available)
{
	struct lessor_offer offer = { .type = type,
				      .location = location,
				      .currency = currency,
				      .price_hour_micros = price_hour_micros,
				      .available = available };

	return offer_add(base, &offer);
}

static int host_offer_billed(struct lessor_call *base, const struct lessor_offer *from)
{
	struct lessor_offer offer;

	if (!from || plugin_copy_in(&offer, sizeof(offer), from, from->size, PLUGIN_OFFER_MIN))
		return operation_violation(operation_of(base), "an offer without its size");
	return offer_add(base, &offer);
}

/* ---- beginning and end ---- */

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
		.offer_billed = host_offer_billed,
	};
	operation_ledger_fill(&host_table);
	operation_delete_fill(&host_table);
	operation_http_fill(&host_table);
}

void operation_init(struct operation *op, struct step *step)
{
	pthread_once(&host_once, host_table_make);
	memset(op, 0, sizeof(*op));
	op->base.host = &host_table;
	op->step = step;
	op->account = step->account;
	op->effect_mono_ms = INT64_MIN;
}

void operation_fini(struct operation *op)
{
	evidence_fini(op);
	operation_record_fini(op);
}
