/* SPDX-License-Identifier: MIT */
/* The mutable part of an account; private to broker/provider. */
#pragma once

#include <pthread.h>
#include <stdint.h>

#include "provider/account.h"
#include "provider/text_cache.h"
#include "provider/options.h"
#include "provider/coalesce.h"
#include "provider/url.h"
#include "util/histogram.h"
#include "schedule/budget.h"

struct account_state {
	/* constant after account_new */
	char origin[URL_ORIGIN_MAX]; /* base URL of its requests, "" for a provider without HTTP */
	struct option_values options;
	/* these have locks of their own */
	struct coalesce *coalesce;
	struct text_cache *cache;
	struct histogram_set *calls;	/* by operation and outcome */
	pthread_mutex_t serial;		/* held by a step of a LESSOR_PER_INSTANCE provider */
	/* guarded by `lock` */
	pthread_mutex_t lock;
	struct budget budget;
	int is_verified; /* since verified_mono_ms, without a failed verification after it */
	int64_t verified_mono_ms;
	char sentinel[32];
	int token_number;	/* how often config.token was replaced; it is guarded, too */
	int has_date;		/* date_offset_ms is set */
	int64_t date_offset_ms; /* the last Date minus the monotonic clock at its arrival */
	struct ca *ca;		/* NULL: the HTTP client's */
	char tls_warning[256];	/* the last one, and when it was logged */
	int64_t tls_warned_mono_ms;
	struct account_figures figures;
};

/* Takes one request from the budget. Returns 0, or how many ms to wait. */
int64_t account_reserve_request(struct account *account, enum budget_class cls);
/*
 * Counts a request and its outcome. Returns how many ms to wait before the next one, 0: not
 * stated.
 */
int64_t account_count_response(struct account *account, const struct env_http_response *response);
/* Records how long it took, for which operation (step_op_name). */
void account_count_call(struct account *account, const char *operation,
			const struct env_http_response *response, int64_t ms);
void account_count_coalesced(struct account *account);
