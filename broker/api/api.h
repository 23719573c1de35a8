/* SPDX-License-Identifier: MIT */
/*
 * The API: routes, authentication, JSON in and out, ownership. It is handed
 * complete requests (http/exchange.h) and knows nothing of sockets.
 *
 * Everything here runs on the loop thread. Reads are answered there, from the
 * reading connections of the store, each bounded and on an index. What changes
 * something becomes a struct engine_request or, of run history, a struct
 * run_request; their answers come back from the other threads through one list
 * and an eventfd (completion.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
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

/* Field lines for http_config.answer_fields: no cache, no sniffing. There is no CORS, ever. */
#define API_ANSWER_FIELDS \
	"Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n" \
	"Cross-Origin-Resource-Policy: same-origin\r\n"

#define API_CLASSES_MAX 32
#define API_IMAGES_MAX 512

/* A class: the server types to try, best first. */
struct api_class {
	char name[32];
	char types[LEASE_TYPES_MAX][32];
	int type_count;
};

/* An image that clients may ask for beside the account's own. */
struct api_image {
	char account[32];	/* "" = in every account */
	char name[64];
};

/* A plain value; api_config_init fills in what is shown here. */
struct api_config {
	char service[32];		/* "lessor": what /v1/health says */
	char version[32];		/* "": for metrics and the OpenAPI reader */
	struct api_class classes[API_CLASSES_MAX];	/* the contract's six */
	int class_count;
	char default_class[32];		/* "beast" */
	char default_account[32];	/* for a create that names none; "" = the first account */
	struct api_image images[API_IMAGES_MAX];
	int image_count;		/* 0 */
	int64_t ttl_ms;			/* 5400 s, when the client names none */
	int64_t ttl_max_ms;		/* 86400 s; more is cut */
	int64_t idle_ms;		/* 1800 s */
	int64_t idle_max_ms;		/* 86400 s */
	int64_t create_wait_ms;		/* 20 s for the machine, then "provisioning" is said */
	int64_t release_wait_ms;	/* 20 s for the end of the cleanup */
	int64_t wait_max_ms;		/* 600 s: what "Prefer: wait=N" is cut to */
	int64_t usd_micros;		/* 1080000: US dollars a unit of the accounts' currency */
	int refusals_per_minute;	/* 10: answers 401 to one address, then 429 */
	int pending_max;		/* 2048: requests the engine may have of us, then 503 */
	struct engine_limits limits;	/* all 0; only shown, by /v1/usage */
	int64_t sweep_grace_ms;		/* 1 h; as the engine has it, to say what would be deleted */
	int sweep_deletes;		/* 0 */
	size_t run_log_max;		/* 8 MiB: what of a run's output is kept */
};

void api_config_init(struct api_config *config);

/* What it works with; all borrowed, all live longer than the api. */
struct api_parts {
	struct event_base *base;
	const struct env *env;
	struct engine *engine;
	struct account **accounts;
	size_t account_count;
	struct store *reader;		/* store_open_reader, for this thread only */
	struct runs *runs;
	struct store *runs_reader;	/* so, too, of the runs' file, using `reader`; NULL: there is none */
};

/*
 * Loads the tokens and registers the eventfd on the base. The config is copied.
 * Not having a single token is no error: then only /v1/health is served.
 */
int api_new(const struct api_parts *parts, const struct api_config *config, struct api **ret,
	    struct err *err);

/* http_callbacks.on_request and on_head, with the api as `user`. */
void api_handle(struct http_exchange *ex, void *user);
void api_head(const struct http_exchange *ex, struct http_body_rule *rule, void *user);

/* For /v1/metrics: http_server_counters() of the server, once there is one; NULL takes it back. */
void api_set_counters(struct api *api, const struct http_counters *counters);

/* Tokens anew, and the config if one is given. Requests that run are not touched. */
int api_reload(struct api *api, const struct api_config *config, struct err *err);

/* How many requests the engine has of us. */
size_t api_pending(const struct api *api);

/*
 * After engine_stop and runs_stop, which have answered everything, and before the base and the
 * HTTP server are freed. Answers that are still on their way are given. NULL is fine.
 */
void api_free(struct api *api);
