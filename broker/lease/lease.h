/* SPDX-License-Identifier: MIT */
/*
 * The lease record. A plain value with fixed room for every text, so that it is
 * copied by assignment between threads and between the store and the engine.
 * Times are wall clock milliseconds; 0 means "not yet" or "never".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LEASE_TYPES_MAX 12
#define LEASE_PORTS_MAX 8
/* No backoff is longer. */
#define LEASE_WAIT_MOST_MS (60 * 60 * 1000)

/* name, text as clients see it */
#define LEASE_STATES(X) \
	X(LEASE_PROVISIONING, "provisioning") \
	X(LEASE_ACTIVE, "active") \
	X(LEASE_RELEASED, "released") \
	X(LEASE_EXPIRED, "expired") \
	X(LEASE_FAILED, "failed")

/* What is owed for it beside its state. */
#define LEASE_CLEANUPS(X) \
	X(CLEANUP_NONE, "none")		/* alive: nothing is owed */ \
	X(CLEANUP_OWED, "owed")		/* something may exist and must go; retried until it has */ \
	X(CLEANUP_RETAINED, "retained")	/* something may exist and is kept at the client's wish */ \
	X(CLEANUP_ATTENTION, "attention") /* something may exist and a person must decide */ \
	X(CLEANUP_DONE, "done")		/* proven: nothing is left */

/* How safe it is what a no-delete release keeps. */
#define LEASE_RETENTIONS(X) \
	X(RETENTION_NONE, "")			/* nothing is retained */ \
	X(RETENTION_UNSURE, "unsure")		/* something of it is unknown, or the account is not verified */ \
	X(RETENTION_RECORDED, "recorded")	/* committed here: no delete is started */ \
	X(RETENTION_PROTECTED, "protected")	/* and marked and protected at the provider */

/* clang-format off: a table is one row a line. */
/* The classes of failure, in the order of LESSOR_CLASS_: its suffix, text as clients see it. */
#define LEASE_ERROR_CLASSES(X)    \
	X(NONE, "none")           \
	X(TRANSIENT, "transient") \
	X(CAPACITY, "capacity")   \
	X(QUOTA, "quota")         \
	X(RATE, "rate")           \
	X(AUTH, "auth")           \
	X(ACCOUNT, "account")     \
	X(INVALID, "invalid")     \
	X(CONFLICT, "conflict")   \
	X(OWNERSHIP, "ownership") \
	X(PROTECTED, "protected") \
	X(TIMEOUT, "timeout")     \
	X(FAILED, "failed")       \
	X(PROVIDER, "provider")   \
	X(BUG, "bug")             \
	X(UNKNOWN, "unknown") /* a number that is no class */

/* Why a lease ended: name, text as it is stored and as clients see it. */
#define LEASE_END_REASONS(X)                                                      \
	X(LEASE_END_NONE, "") /* it has not */                                    \
	X(LEASE_END_RELEASED, "released")                                         \
	X(LEASE_END_CANCELED, "canceled") /* by its client, while provisioning */ \
	X(LEASE_END_TTL, "ttl")                                                   \
	X(LEASE_END_IDLE, "idle")                                                 \
	X(LEASE_END_DEADLINE, "deadline") /* the machine was not ready in time */

enum lease_end_reason {
#define X(name, text) name,
	LEASE_END_REASONS(X)
#undef X
#define X(name, text) LEASE_END_CLASS_##name, /* the create failed with this class */
		LEASE_ERROR_CLASSES(X)
#undef X
			LEASE_END_REASON_COUNT,
	LEASE_END_OTHER /* a text that this version does not know: end_reason_other */
};
/* clang-format on */

enum lease_retention {
#define X(name, text) name,
	LEASE_RETENTIONS(X)
#undef X
	LEASE_RETENTION_COUNT
};

enum lease_state {
#define X(name, text) name,
	LEASE_STATES(X)
#undef X
	LEASE_STATE_COUNT
};

enum lease_cleanup {
#define X(name, text) name,
	LEASE_CLEANUPS(X)
#undef X
	LEASE_CLEANUP_COUNT
};

const char *lease_state_name(enum lease_state state);
const char *lease_cleanup_name(enum lease_cleanup cleanup);
const char *lease_retention_name(enum lease_retention retention);
/* -1 if there is no such state. */
int lease_state_parse(const char *text);
/* Text of a LESSOR_CLASS_, as clients see it ("capacity", "quota", ...). */
const char *error_class_name(uint32_t error_class);

struct lease {
	int64_t n;			/* row number in the store */
	char id[24];			/* cbx_ and 12 hex digits */
	char attempt_token[48];		/* createAttemptID, "" if the client gave none */
	char owner[128];
	char org[64];
	char account[32];
	char slug[48];

	/* what was asked for; never changes */
	char class_name[32];
	char profile[48];
	char requested_type[32];
	int type_explicit;
	char types[LEASE_TYPES_MAX][32];	/* candidates, best first */
	int type_count;
	char location[32];		/* "" = the account's first */
	char image[64];
	char architecture[8];		/* "x86" or "arm" */
	char os[24];
	char ssh_user[33];
	int ssh_port;
	int fallback_ports[LEASE_PORTS_MAX];
	int fallback_count;
	char work_root[128];
	char public_key[2048];
	char pond[48];
	int keep;
	int64_t ttl_ms;
	int64_t idle_ms;
	int64_t created_ms;
	int64_t provision_deadline_ms;	/* when waiting for the machine ends */

	/* where it stands */
	enum lease_state state;
	enum lease_cleanup cleanup;
	int64_t epoch;			/* raised by every change of goal */
	int retained;			/* a no-delete release was committed and not taken back */
	int64_t ready_ms;
	int64_t ended_ms;
	int64_t released_ms;		/* when a client first released it; may be after it ended otherwise */
	int64_t updated_ms;
	enum lease_end_reason end_reason;
	char end_reason_other[32];	/* LEASE_END_OTHER: the text as it is stored */
	char failure[256];		/* for the client: why it failed */

	/* the next thing to do */
	char cursor[1024];		/* the provider's */
	int64_t due_ms;			/* next step or deadline, 0: nothing is due */
	int tries;			/* failed steps in a row */
	int64_t cleanup_started_ms;	/* when what is owed began to be owed */
	char last_error[256];		/* of the last failed step, for people */
	char attention[256];		/* why a person is needed and what to do, "" if not */
	uint32_t attention_class;	/* LESSOR_CLASS_ of it; means nothing while it is "" */
	int64_t retain_until_ms;	/* till when its owner means to keep it; ends nothing by itself */
	char retain_reason[160];	/* the owner's */
	enum lease_retention retention;
	int is_billed;			/* something of it that costs money may exist */
	int breaches;			/* steps in a row in which the provider plugin broke its contract */

	/* what was made */
	char host[64];
	char host_key[96];		/* public half of the machine's SSH host key; "" if we do not know it */
	char server_id[32];
	char server_name[64];
	char server_type[32];
	char server_location[32];
	int64_t price_hour_micros;	/* 0: not known */
	char currency[4];

	/* kept in a narrow table of their own, joined in when read */
	int64_t touched_ms;		/* last heartbeat; created_ms before the first */
};

/* Why a create that failed with a LESSOR_CLASS_ ended its lease. */
enum lease_end_reason lease_end_of_class(uint32_t error_class);
/* Why it ended, "" if it has not. Borrowed from the table or from `l`. */
const char *lease_end_text(const struct lease *l);
/* The reverse, of what a store holds; an unknown text is kept as it is, up to its size. */
void lease_end_parse(struct lease *l, const char *text);

/*
 * The state a client is shown. A released lease that had expired or failed
 * before shows `released`, as the existing client expects of a stop; when and
 * why it ended stays as it was.
 */
enum lease_state lease_shown_state(const struct lease *l);
/* When it ends by itself: the earlier of TTL and idle; while provisioning only the TTL counts. */
int64_t lease_expires_ms(const struct lease *l);
/* provisioning or active */
int lease_is_live(const struct lease *l);
/* When it ends by itself: its deadline while provisioning, else lease_expires_ms; 0: it has ended. */
int64_t lease_deadline_ms(const struct lease *l);
/*
 * When it is to be looked at again. Derived: a due time that was stored is never believed
 * beyond the lease's deadline, nor beyond the longest backoff once it has ended.
 */
int64_t lease_due_ms(const struct lease *l, int64_t now_ms);
/* Has the time for its next step come? */
int lease_step_is_due(const struct lease *l, int64_t now_ms);
/* May something of it still cost money? What is free counts against no limit. */
int lease_counts(const struct lease *l);
