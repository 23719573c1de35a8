/* SPDX-License-Identifier: MIT */
/*
 * The API: routes, authentication, JSON in and out, ownership. It receives complete
 * requests (http/exchange.h) and knows nothing of sockets.
 *
 * Everything here runs on the loop thread. Reads are answered there, from the reading
 * connections of the store; each is bounded and uses an index. A change becomes a struct
 * engine_request or, for run history, a struct run_request. Their results return from the
 * other threads through one list and an eventfd (completion.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "api/daemons.h"
#include "engine/fleet.h"
#include "lease/lease.h"
#include "provider/account.h"
#include "runs/runs.h"
#include "store/store.h"
#include "util/env.h"
#include "util/err.h"

struct api;
struct event_base;
struct http_body_rule;
struct http_counters;
struct http_exchange;
struct relay_config;

/* Header lines for http_config.answer_fields: no caching, no sniffing. CORS is never allowed. */
#define API_ANSWER_FIELDS \
	"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" \
	"Cross-Origin-Resource-Policy: same-origin\r\n"

#define API_CLASSES_MAX 32
#define API_IMAGES_MAX 512
#define API_TYPES_MAX 512
#define API_USD_RATES_MAX 16
#define API_ORGS_MAX 64
#define API_ORG_ACCOUNTS_MAX 16

/* A class: server types in the order in which they are tried. */
struct api_class {
	char name[32];
	char types[LEASE_TYPES_MAX][32];
	int type_count;
};

/* An image that clients may choose besides the account's own. */
struct api_image {
	char account[32];	/* "" = in every account */
	char name[64];
};

/* A type that users may request in an account although no class has it; "any": each. */
struct api_type {
	char account[32];
	char name[32];
};

/* An organisation whose leases are created only in these accounts; the first is its default. */
struct api_org {
	char name[64];
	char accounts[API_ORG_ACCOUNTS_MAX][32];
	int account_count;
};

/* What one unit of a currency is in US dollars, in millionths. */
struct api_usd_rate {
	char currency[4];
	int64_t micros;
};

/* A plain value. The comments give the defaults that api_config_init sets. */
/* What a listener is for (http_listener_set_purpose). */
enum api_purpose { API_FOR_ALL, API_FOR_METRICS };

struct api_config {
	char service[32];		/* "lessor": what /v1/health says */
	char version[32];		/* "": for metrics and the OpenAPI reader */
	struct api_class classes[API_CLASSES_MAX];	/* the contract's six */
	int class_count;
	char default_class[32];		/* "small"; for a create that names none */
	char default_account[32];	/* for a create that names none; "" = the first account */
	struct api_image images[API_IMAGES_MAX];
	int image_count;		/* 0 */
	struct api_type types[API_TYPES_MAX];
	int type_count; /* 0 */
	struct api_org orgs[API_ORGS_MAX];
	int org_count;			/* 0 */
	int64_t ttl_ms;			/* 5400 s; when the client gives none */
	int64_t ttl_max_ms;		/* 86400 s; more is reduced to it */
	int64_t idle_ms;		/* 1800 s */
	int64_t idle_max_ms;		/* 86400 s */
	int64_t create_wait_ms; /* 20 s for the machine, then the answer is "provisioning" */
	int64_t release_wait_ms;	/* 20 s for the end of the cleanup */
	int64_t wait_max_ms;		/* 600 s; the most that "Prefer: wait=N" gets */
	struct api_usd_rate usd_rates[API_USD_RATES_MAX]; /* for the members of usage in USD */
	int usd_rate_count;				  /* 0 */
	int refusals_per_minute;	/* 10; answers 401 per address, then 429 */
	int pending_max;		/* 2048; requests that may wait for the engine, then 503 */
	int held_max;			/* 512; of /v1/control and /v1/events, then 503 */
	int held_owner_max;		/* 32 */
	struct engine_limits limits;	/* all 0; shown by /v1/usage, enforced by the engine */
	int64_t sweep_grace_ms;		/* 1 h; the engine's, to show what would be deleted */
	int sweep_deletes;		/* 0 */
	size_t run_log_max;		/* 8 MiB; how much of a run's log is kept */
};

void api_config_init(struct api_config *config);

/* What the api uses. All borrowed; all must outlive it. */
struct api_parts {
	struct event_base *base;
	const struct env *env;
	struct fleet *fleet;
	struct account **accounts;
	size_t account_count;
	struct store *reader; /* from store_open_reader; used on this thread only */
	struct runs *runs;
	struct store *runs_reader; /* the same for the runs' file; NULL: there is none */
	/* How requests reach the other daemons on this database; NULL: there are none. */
	const struct relay_config *relay;
	struct daemons_source daemons; /* for /v1/daemons and the metrics; zeroed: shows none */
	const char *store; /* for changes of tokens (api/token_desk.h); NULL: they are refused */
	const char *store_path; /* of the database's file, for the metrics; NULL: none */
	const char *backups;	/* the directory of its backups; NULL: none */
};

/*
 * Loads the tokens and registers the eventfd on the base. The config is copied. Without any
 * token only /v1/health is served; that is not an error.
 */
int api_new(const struct api_parts *parts, const struct api_config *config, struct api **ret,
	    struct err *err);

/* http_callbacks.on_request and on_head, with the api as `user`. */
void api_handle(struct http_exchange *ex, void *user);
void api_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user);

/* http_callbacks.on_crowded, with the api as `user`: answers early what waits for a machine. */
void api_crowded(unsigned count, void *user);

/* For /v1/metrics: the server's http_server_counters(), borrowed; NULL removes them. */
void api_set_counters(struct api *api, const struct http_counters *counters);

/* Reloads the tokens, and replaces the config unless it is NULL. Open requests go on as before. */
int api_reload(struct api *api, const struct api_config *config, struct err *err);

/* How many requests wait for the engine. */
size_t api_pending(const struct api *api);

/*
 * Call it before http_server_drain: ends the streams of events, which have no end of their own.
 */
void api_drain(struct api *api);

/*
 * Call it after fleet_stop and runs_stop, which finish every request, and before the base and
 * the HTTP server are freed. Sends the answers that are still due. NULL is allowed.
 */
void api_free(struct api *api);
