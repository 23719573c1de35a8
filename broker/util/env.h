/* SPDX-License-Identifier: MIT */
/*
 * Everything that the core uses of the outside world. The daemon fills it from the operating
 * system (env_system); a test fills it with a virtual clock, a seeded generator and a simulated
 * cloud, and runs the same core.
 *
 * All functions may be called from any thread.
 */
#pragma once

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct ca;

struct env_http_request {
	const char *method;
	const char *url;		/* complete; the caller has checked its origin */
	const char *authorization;	/* header value, or NULL; never logged */
	const void *body;		/* NULL if none; sent as application/json */
	size_t body_len;
	int fresh;		 /* use a new connection */
	int64_t timeout_ms;	 /* in total, including the response body */
	int64_t send_by_mono_ms; /* sent before this moment of mono_ms, or not at all; 0: any */
	size_t max_response;		/* bytes; a larger response is ENV_HTTP_BROKEN */
	const atomic_int *cancel;	/* may be NULL; non-zero cancels the request */
	const struct ca *ca;		/* trusted for TLS; NULL: as the client is configured */
};

enum env_http_outcome {
	ENV_HTTP_NOT_SENT, /* nothing was sent */
	ENV_HTTP_ANSWERED, /* a complete response */
	ENV_HTTP_LOST,	   /* possibly sent, and no complete response */
	ENV_HTTP_BROKEN,   /* not a valid response */
};

struct env_http_response {
	enum env_http_outcome outcome;
	int status;
	char *body;			/* NUL-terminated; owned by the response, may be NULL */
	size_t body_len;
	char content_type[64];
	char request_id[64];		/* X-Correlation-Id or X-Request-Id */
	int64_t retry_after_ms;		/* -1: absent */
	int64_t rate_limit;		/* RateLimit-Limit; -1: absent */
	int64_t rate_remaining;
	int64_t rate_reset_s; /* seconds since 1970 */
	int64_t date_ms;      /* Date, since 1970; 0: absent, or the response is from a cache */
	int is_tls_failure;   /* NOT_SENT since the peer's certificate, or TLS itself, failed */
	char error[256];      /* unless ENV_HTTP_ANSWERED */
};

/* What an engine has found out about the wall clock. */
enum env_clock_word {
	ENV_CLOCK_SILENT,	/* nothing speaks against it, and nobody for it */
	ENV_CLOCK_AGREES,	/* another clock agrees with it */
	ENV_CLOCK_DOUBTED,	/* it was set, say */
	ENV_CLOCK_CONTRADICTED, /* and other clocks disagree with it */
	ENV_CLOCK_WORDS
};

/*
 * What all engines of the process say about the one clock that they have; any thread reads it. A
 * clock that agrees with it is enough for an engine that knows none, and is not for one that knows
 * a clock that disagrees.
 */
struct env_clock {
	atomic_int engines[ENV_CLOCK_WORDS]; /* that say so; how many are silent is not counted */
	/* By how much the clock seems to be ahead (negative: behind) of the true time, if suspect. */
	atomic_llong ahead_ms;
};

struct env {
	void *data;
	int64_t (*wall_ms)(void *data);	/* since 1970; may jump */
	int64_t (*mono_ms)(void *data); /* since an arbitrary start; never decreases */
	void (*random)(void *data, void *out, size_t len);
	/* Blocks. Always fills `response`; env_http_response_fini frees it. */
	void (*http)(void *data, const struct env_http_request *request,
		     struct env_http_response *response);
	/*
	 * The system's time, ms since 1970, if NTP keeps it synchronised, else 0. NULL: unknown.
	 * It equals wall_ms, unless something stands between the system's clock and this process.
	 */
	int64_t (*synchronised_ms)(void *data);
	struct env_clock *clock; /* written by the engines; NULL: the wall clock is always trusted */
	/* A point at which a test may kill the process. `name` is a literal. */
	void (*point)(void *data, const char *name);
};

/* The time `ms` from now on the real clock, for functions that wait for other threads. */
struct timespec env_after_ms(clockid_t clock, int64_t ms);

static inline int64_t env_wall_ms(const struct env *env)
{
	return env->wall_ms(env->data);
}
static inline int64_t env_mono_ms(const struct env *env)
{
	return env->mono_ms(env->data);
}
static inline int env_clock_is_suspect(const struct env_clock *clock)
{
	return atomic_load(&clock->engines[ENV_CLOCK_CONTRADICTED]) ||
	       (atomic_load(&clock->engines[ENV_CLOCK_DOUBTED]) &&
		!atomic_load(&clock->engines[ENV_CLOCK_AGREES]));
}
/*
 * An engine says `word`, after it has said `before`; at first and at last it is silent. `ahead_ms`
 * is heard if it doubts.
 */
void env_clock_say(struct env_clock *clock, enum env_clock_word before, enum env_clock_word word,
		   int64_t ahead_ms);
/* Is the wall clock in doubt? */
static inline int env_is_clock_suspect(const struct env *env)
{
	return env->clock && env_clock_is_suspect(env->clock);
}
/*
 * The most likely time: the wall clock, or, while it is in doubt, what it would show if it were
 * right. For what must not end by a wrong clock and has no engine to ask.
 */
static inline int64_t env_likely_ms(const struct env *env)
{
	return env_wall_ms(env) -
	       (env_is_clock_suspect(env) ? (int64_t)atomic_load(&env->clock->ahead_ms) : 0);
}
static inline void env_random(const struct env *env, void *out, size_t len)
{
	env->random(env->data, out, len);
}
static inline void env_point(const struct env *env, const char *name)
{
	if (env->point)
		env->point(env->data, name);
}

/* The system's clocks and random numbers; `http` and `point` are NULL. */
void env_system(struct env *env);
void env_http_response_fini(struct env_http_response *response);
