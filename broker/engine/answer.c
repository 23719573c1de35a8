/* SPDX-License-Identifier: MIT */
/* Answers to requests: the API's codes and messages. */
#include "engine/internal.h"

#include <stdarg.h>
#include <stdio.h>

#include "util/log.h"
#include "util/text.h"

void request_fail(struct engine_request *r, enum request_result result, const char *code,
		  const char *fmt, ...)
{
	va_list ap;

	r->result = result;
	TEXT_SET(r->code, code);
	va_start(ap, fmt);
	vsnprintf(r->message, sizeof(r->message), fmt, ap);
	va_end(ap);
}

void request_fail_store(struct engine_request *r, const struct err *err)
{
	log_error(LOG_FIELDS({ "error", err->text }), "database error while handling a request");
	request_fail(r, RESULT_UNAVAILABLE, "store_unavailable",
		     "the request could not be saved; try again");
}

void request_refuse(struct engine_request *r, enum lease_refusal refusal)
{
	static const struct {
		const char *code, *message;
	} words[LEASE_REFUSAL_COUNT] = {
		[LEASE_REFUSAL_ENDED] = { "lease_ended", "the lease has ended" },
		[LEASE_REFUSAL_EXPIRED] = { "lease_expired", "the lease has expired" },
		[LEASE_REFUSAL_CLEANUP_RUNS] = {
			"cleanup_in_progress",
			"cleanup is in progress and may already be deleting resources of the lease; "
			"nothing can be kept or decided until it has ended",
		},
		[LEASE_REFUSAL_MACHINE_GONE] = {
			"cleanup_in_progress", "the machine of the lease is already gone, so it cannot be "
			"kept",
		},
		[LEASE_REFUSAL_ALIVE] = { "lease_alive", "the lease has not ended; release it "
					  "first" },
		[LEASE_REFUSAL_NOTHING_TO_RETRY] = { "nothing_to_retry", "no cleanup of the lease waits for a "
						     "retry" },
		[LEASE_REFUSAL_NOTHING_TO_FORGET] = {
			"nothing_to_forget",
			"this ledger row holds no resource of the lease that may still exist",
		},
		[LEASE_REFUSAL_NO_SUCH_RESOURCE] = {
			"no_such_resource", "the ledger row that this resource belongs to must be "
					    "named: --resource ROW; lessor show lists the rows",
		},
		[LEASE_REFUSAL_CLAIMED] = {
			"resource_claimed", "this resource is already in a ledger",
		},
	};

	request_fail(r, RESULT_CONFLICT, words[refusal].code, "%s", words[refusal].message);
}

void request_fail_blocked(struct engine_request *r, const struct account *account)
{
	char why[sizeof(r->message)];

	account_describe_block(account, why, sizeof(why));
	if (r->caller.role != TOKEN_USER && why[0])
		request_fail(r, RESULT_UNAVAILABLE, "provider_blocked", "%s", why);
	else
		request_fail(r, RESULT_UNAVAILABLE, "provider_blocked",
			     "account %s cannot be used until an operator has acted; tell an operator, or "
			     "choose another account",
			     account->config.name);
}

/* How soon a client asks again whether a pause is over. */
#define PAUSE_RETRY_MS 60000

void request_fail_paused(struct engine_request *r, const struct limits_pause *pause)
{
	char what[64];

	if (pause->account[0])
		snprintf(what, sizeof(what), "account %s is paused", pause->account);
	else
		snprintf(what, sizeof(what), "this server is paused");
	request_fail(r, RESULT_UNAVAILABLE, "paused",
		     "%s by an operator%s%s: nothing new is created", what,
		     pause->reason[0] ? ", " : "", pause->reason);
	r->retry_ms = PAUSE_RETRY_MS;
}

void core_fill_answer(struct engine_request *request, const struct lease_aggregate *a)
{
	request->lease = a->lease;
	request->attempt_count = 0;
	for (size_t i = 0; i < a->ledger.attempt_count && i < ATTEMPTS_SHOWN; i++)
		request->attempts[request->attempt_count++] = a->ledger.attempts[i];
}
