/* SPDX-License-Identifier: MIT */
/*
 * The metrics: one table with the name, type, scope, labels and meaning of each, and the Prometheus
 * text format, version 0.0.4. What is not in the table cannot be written. Alerts, dashboard and
 * manual are compared with the table by tests/docs.
 *
 * Names follow Prometheus' rules: base units (seconds, bytes), the unit at the end, then _total for
 * a counter. A time is a _timestamp_seconds.
 *
 * Scope. With several daemons on one database, a metric is either of this daemon (DAEMON), and
 * their sum is that of all; or of the database (SHARED), and each daemon reports the same, so that
 * the maximum counts, never the sum. The help of the latter says so.
 *
 * Loop thread, but the functions keep no state.
 */
#pragma once

#include <stdint.h>

#include "util/buf.h"
#include "util/histogram.h"

/* clang-format off */
/* name without "lessor_", type, scope, labels separated by commas, help */
#define METRICS(X) \
	X(build_info, gauge, DAEMON, "version", "The running version.") \
	X(api_pending, gauge, DAEMON, "", "Requests that wait for the engine.") \
	X(api_answers_total, counter, DAEMON, "method,route,status", \
	  "Answers by route and class of status.") \
	X(api_refusals_total, counter, DAEMON, "status", \
	  "Requests answered with an error of the client's, by status.") \
	X(api_early_answers_total, counter, DAEMON, "reason", \
	  "Requests answered before their wait was over.") \
	X(auth_tokens, gauge, SHARED, "", "API tokens loaded.") \
	X(auth_accepted_total, counter, DAEMON, "", "Requests with a valid token.") \
	X(auth_refused_total, counter, DAEMON, "", "Requests without a valid token.") \
	X(auth_limited_total, counter, DAEMON, "", "Refused requests that were answered 429.") \
	X(runs_pending, gauge, DAEMON, "", "Requests that wait for run history.") \
	X(runs_available, gauge, DAEMON, "", \
	  "1 if run history is available; if 0, the log has the reason.") \
	X(store_state, gauge, DAEMON, "", \
	  "0: the database can be written; 1: its disk is full: creates are refused, all else " \
	  "uses the reserve; 2: another process has locked it; 3: disk and reserve are full; " \
	  "4: it does not answer.") \
	X(store_read_errors_total, counter, DAEMON, "", \
	  "Requests answered 503 because the database could not be read.") \
	X(store_size_bytes, gauge, DAEMON, "", \
	  "Size of the database file and its log. None with PostgreSQL.") \
	X(store_free_bytes, gauge, DAEMON, "", \
	  "Free space on the file system of the database. None with PostgreSQL.") \
	X(store_backup_timestamp_seconds, gauge, DAEMON, "", \
	  "When the newest backup was made; 0: there is none. None with PostgreSQL.") \
	X(clock_suspect, gauge, DAEMON, "", \
	  "1 if the wall clock is in doubt: nothing ends by time.") \
	X(engine_round_duration_seconds, histogram, DAEMON, "", \
	  "How long the rounds of the engine took, commits included.") \
	X(engine_commit_duration_seconds, histogram, DAEMON, "", \
	  "How long the commits of the engine took.") \
	X(leases_counted, gauge, SHARED, "", "Leases that count against the limits.") \
	X(leases_price_per_hour, gauge, SHARED, "", \
	  "Sum of their hourly prices, in the account's currency.") \
	X(leases_queued, gauge, SHARED, "", "Leases that wait for capacity.") \
	X(leases_queued_oldest_seconds, gauge, SHARED, "", \
	  "How long the oldest of them has waited.") \
	X(leases, gauge, SHARED, "account,state", \
	  "Open leases: live ones, and ended ones of which something is or may be left.") \
	X(leases_owed, gauge, SHARED, "account", \
	  "Ended leases that are to be cleaned up, those in attention included.") \
	X(leases_owed_oldest_seconds, gauge, SHARED, "account", \
	  "How long ago the cleanup of the first of them became due.") \
	X(leases_owed_price_per_hour, gauge, SHARED, "account", \
	  "Sum of their hourly prices, in the account's currency.") \
	X(leases_retained, gauge, SHARED, "account", "Leases that keep their machine.") \
	X(leases_retained_oldest_seconds, gauge, SHARED, "account", \
	  "How long ago the first of them ended.") \
	X(leases_retained_price_per_hour, gauge, SHARED, "account", \
	  "Sum of their hourly prices, in the account's currency.") \
	X(leases_attention, gauge, SHARED, "account,class", \
	  "Leases that need operator action, by the class of the reason.") \
	X(month_reserved, gauge, SHARED, "account", \
	  "Money of this month (UTC) that is reserved for leases.") \
	X(month_settled, gauge, SHARED, "account", \
	  "Money of this month that has been billed, of what is gone.") \
	X(month_limit, gauge, DAEMON, "account", \
	  "The limit of the two; without an account, of all. None if there is no limit.") \
	X(leases_without_account, gauge, SHARED, "", \
	  "Leases that may cost money in accounts that are not configured.") \
	X(lease_ready_duration_seconds, histogram, DAEMON, "account,type", \
	  "From a create, or the end of its wait in the queue, to the machine's readiness.") \
	X(lease_gone_duration_seconds, histogram, DAEMON, "account,type", \
	  "From the end of a lease that is cleaned up to the proof that nothing of it is left.") \
	X(account_calls_total, counter, DAEMON, "account", "Provider calls.") \
	X(account_calls_failed_total, counter, DAEMON, "account", "Provider calls that failed.") \
	X(account_calls_shared_total, counter, DAEMON, "account", \
	  "Reads that shared the response of another.") \
	X(account_call_duration_seconds, histogram, DAEMON, "account,operation,outcome", \
	  "Provider calls by operation and outcome.") \
	X(account_budget_waits_total, counter, DAEMON, "account", \
	  "Calls that waited for the budget.") \
	X(account_budget_remaining, gauge, DAEMON, "account", \
	  "Calls left according to the provider; none while it has not said.") \
	X(account_steps_overdue, gauge, DAEMON, "account", \
	  "Steps that have not returned though their deadline has passed.") \
	X(account_blocked, gauge, SHARED, "account", "1 if the account cannot be used.") \
	X(account_fenced, gauge, SHARED, "account", \
	  "1 if the database may be older than the account: needs operator action.") \
	X(account_paused, gauge, DAEMON, "account", \
	  "1 if the configuration pauses the account, or the daemon: creates are refused.") \
	X(account_verified_timestamp_seconds, gauge, DAEMON, "account", \
	  "When the account was last verified; 0 on a daemon that does not own it.") \
	X(account_generation, gauge, SHARED, "account", \
	  "The generation of the database that the account's sentinel was given last.") \
	X(account_owned, gauge, DAEMON, "account", "1 if this daemon owns the account.") \
	X(account_epoch, gauge, SHARED, "account", "How often the account was claimed.") \
	X(account_takeovers_total, counter, DAEMON, "account", \
	  "How often the account passed to another owner, as this daemon saw it.") \
	X(account_frozen, gauge, SHARED, "account", \
	  "1 while the account is compared with a database that may have lost something.") \
	X(sweep_orphans, gauge, SHARED, "account", \
	  "Orphans: our resources that are in no ledger.") \
	X(sweep_done_timestamp_seconds, gauge, SHARED, "account", \
	  "When a sweep of the account last completed.") \
	X(forwarded_requests_total, counter, DAEMON, "what", \
	  "Requests that another daemon answered; were sent to one again; were answered " \
	  "503, as nobody owned the account; came from another daemon; only seemed to.") \
	X(forwarded_pending, gauge, DAEMON, "", \
	  "Requests that are with another daemon, or wait for an owner of their account.") \
	X(http_connections_open, gauge, DAEMON, "", "Open connections.") \
	X(http_connections_total, counter, DAEMON, "", "Connections accepted.") \
	X(http_tls_total, counter, DAEMON, "", "TLS handshakes completed.") \
	X(http_tls_failed_total, counter, DAEMON, "", "TLS handshakes failed.") \
	X(http_requests_open, gauge, DAEMON, "", "Requests without an answer so far.") \
	X(http_requests_total, counter, DAEMON, "", "Requests handed to a handler.") \
	X(http_gone_total, counter, DAEMON, "", "Clients that disconnected before the answer.") \
	X(http_closed_idle_total, counter, DAEMON, "", "Connections closed for idleness.") \
	X(http_closed_silent_total, counter, DAEMON, "", "Connections closed for silence.") \
	X(http_closed_slow_total, counter, DAEMON, "", "Connections closed for slow reading.") \
	X(http_refused_share_total, counter, DAEMON, "", \
	  "Requests refused because their owner had more than its share of the places.") \
	X(http_accept_full_total, counter, DAEMON, "", \
	  "Times accepting paused because every connection was busy.") \
	X(http_accept_failed_total, counter, DAEMON, "", \
	  "Times accepting failed, for example for lack of descriptors.") \
	X(http_received_bytes_total, counter, DAEMON, "", "Bytes read.") \
	X(http_sent_bytes_total, counter, DAEMON, "", "Bytes written.") \
	X(http_places, gauge, DAEMON, "client", \
	  "Open connections by what is known of the client.") \
	X(http_evicted_total, counter, DAEMON, "client,reason", \
	  "Connections closed to make room for others.") \
	X(http_answers_total, counter, DAEMON, "status", "Answers by class of status.") \
	X(http_refusals_total, counter, DAEMON, "code,n", "Requests refused by the HTTP room.")

/* Of the process, with the names that every exporter uses: without "lessor_". */
#define PROCESS_METRICS(X) \
	X(process_cpu_seconds_total, counter, DAEMON, "", "User and system time.") \
	X(process_resident_memory_bytes, gauge, DAEMON, "", "Resident memory.") \
	X(process_virtual_memory_bytes, gauge, DAEMON, "", "Virtual memory.") \
	X(process_open_fds, gauge, DAEMON, "", "Open file descriptors.") \
	X(process_max_fds, gauge, DAEMON, "", "The most that may be open.") \
	X(process_start_time_seconds, gauge, DAEMON, "", "When the process was started.")

enum metric {
#define X(name, type, scope, labels, help) METRIC_##name,
	METRICS(X)
	PROCESS_METRICS(X)
#undef X
	METRIC_COUNT
};
/* clang-format on */

/* The two lines before the values; before a metric's first value. */
void metric_head(struct buf *out, enum metric metric);
/* One value; after it a text for each label of the table, in its order. Texts are escaped. */
void metric_put(struct buf *out, enum metric metric, int64_t value, ...);
/* The same for values that are no integers: thousandths. */
void metric_put_milli(struct buf *out, enum metric metric, int64_t thousandths, ...);
/* Head and value of a metric without labels. */
void metric_add(struct buf *out, enum metric metric, int64_t value);
void metric_add_milli(struct buf *out, enum metric metric, int64_t thousandths);
/* All series of a histogram whose labels are the table's; nothing if it is NULL. */
void metric_put_histograms(struct buf *out, enum metric metric, struct histogram_set *set);
