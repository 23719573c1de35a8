/* SPDX-License-Identifier: MIT */
/*
 * The lease record. A plain value with a fixed-size buffer for every text, so that it can be
 * copied by assignment between threads and between the store and the engine.
 * Times are wall clock milliseconds; 0 means "not yet" or "never".
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LEASE_TYPES_MAX 12
#define LEASE_PORTS_MAX 8
#define LEASE_REQUEST_ROOM 40 /* how a request is named */
/* The longest backoff. */
#define LEASE_WAIT_MOST_MS (60 * 60 * 1000)
/* A TTL bounds what a machine costs: absences do not prolong it by more than this. */
#define LEASE_CREDIT_MOST_MS (60 * 60 * 1000)

/* name, text as clients see it */
#define LEASE_STATES(X) \
	X(LEASE_PROVISIONING, "provisioning") \
	X(LEASE_ACTIVE, "active") \
	X(LEASE_RELEASED, "released") \
	X(LEASE_EXPIRED, "expired") \
	X(LEASE_FAILED, "failed")

/* clang-format off */
/* Pending cleanup, independent of the state. */
#define LEASE_CLEANUPS(X) \
	X(CLEANUP_NONE, "none")		/* live: nothing to clean up */ \
	X(CLEANUP_OWED, "owed")		/* resources may exist; deletes are retried until none is left */ \
	X(CLEANUP_RETAINED, "retained")	/* resources may exist and are kept at the client's request */ \
	X(CLEANUP_ATTENTION, "attention") /* resources may exist and operator action is needed */ \
	X(CLEANUP_DONE, "done")		/* nothing is left, proven */

/* How safe the resources kept by a no-delete release are. */
#define LEASE_RETENTIONS(X) \
	X(RETENTION_NONE, "")			/* nothing is retained */ \
	X(RETENTION_UNSURE, "unsure")		/* a resource is unknown, or the account is not verified */ \
	X(RETENTION_RECORDED, "recorded")	/* committed: no delete is started */ \
	X(RETENTION_PROTECTED, "protected")	/* also labelled and protected at the provider */

/* The classes of failure, in the order of LESSOR_CLASS_: its suffix, text as clients see it. */
#define LEASE_ERROR_CLASSES(X) \
	X(NONE, "none") \
	X(TRANSIENT, "transient") \
	X(CAPACITY, "capacity") \
	X(QUOTA, "quota") \
	X(RATE, "rate") \
	X(AUTH, "auth") \
	X(ACCOUNT, "account") \
	X(INVALID, "invalid") \
	X(CONFLICT, "conflict") \
	X(OWNERSHIP, "ownership") \
	X(PROTECTED, "protected") \
	X(TIMEOUT, "timeout") \
	X(FAILED, "failed") \
	X(PROVIDER, "provider") \
	X(BUG, "bug") \
	X(UNKNOWN, "unknown")			/* a number that is no class */

/* Why a lease ended: name, text as it is stored and as clients see it. */
#define LEASE_END_REASONS(X) \
	X(LEASE_END_NONE, "")			/* it has not */ \
	X(LEASE_END_RELEASED, "released") \
	X(LEASE_END_CANCELED, "canceled")	/* by its client, while provisioning */ \
	X(LEASE_END_TTL, "ttl") \
	X(LEASE_END_IDLE, "idle") \
	X(LEASE_END_QUEUE, "queue_timeout")	/* no capacity became free in time */ \
	X(LEASE_END_DEADLINE, "deadline")	/* the machine was not ready in time */

enum lease_end_reason {
#define X(name, text) name,
	LEASE_END_REASONS(X)
#undef X
#define X(name, text) LEASE_END_CLASS_##name,	/* the create failed with this class */
	LEASE_ERROR_CLASSES(X)
#undef X
	LEASE_END_REASON_COUNT,
	LEASE_END_OTHER		/* a text that this version does not know: end_reason_other */
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
	char attempt_token[48];		/* createAttemptID, "" if the client sent none */
	char owner[128];
	char org[64];
	char account[32];
	char slug[48];

	/* the request; never changes */
	char class_name[32];
	char profile[48];
	char requested_type[32];
	int type_explicit;
	char types[LEASE_TYPES_MAX][32];	/* candidates, best first */
	int type_count;
	char location[32];	/* "": any of the account's */
	int location_preferred; /* the account's other locations may be tried after it */
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
	int64_t created_ms;
	int64_t provision_deadline_ms; /* the machine must be ready by then */
	int64_t queue_ms;	       /* how long it may wait for capacity; 0: not at all */

	/* its time, as requested; heartbeats and extensions change it */
	int64_t ttl_ms;	 /* from its creation on; never becomes less */
	int64_t idle_ms; /* from its last heartbeat on; 0: no idle timeout */
	/*
	 * Credit for time in which it was unattended and its client perhaps reached nobody: added to its
	 * TTL, at most LEASE_CREDIT_MOST_MS; and, since its last heartbeat, to its idle timeout.
	 */
	int64_t credit_ms, idle_credit_ms;

	/* state */
	enum lease_state state;
	enum lease_cleanup cleanup;
	int64_t epoch;	     /* raised by each change of goal */
	int retained;	     /* a no-delete release was committed and is in force */
	int64_t admitted_ms; /* of a lease with queue_ms: when it began to count; 0: it waits */
	int64_t ready_ms;
	int64_t ended_ms;
	int64_t released_ms; /* first release by a client; may be later than ended_ms */
	int64_t updated_ms;
	enum lease_end_reason end_reason;
	char end_reason_other[32]; /* LEASE_END_OTHER: the text as it is stored */
	char failure[256];	   /* why it failed, for the client */

	/* the next thing to do */
	char cursor[1024];		/* the provider's */
	int64_t due_ms;			/* next step or deadline, 0: none */
	int tries;			/* failed steps in a row */
	int64_t cleanup_started_ms;	/* when the cleanup became due */
	char last_error[256];		/* of the last failed step */
	char attention[256];		/* why operator action is needed and which, "" if none */
	uint32_t attention_class;	/* its LESSOR_CLASS_; undefined while attention is "" */
	int64_t retain_until_ms; /* until when its owner wants to keep it; then attention, never
					 * a delete */
	char retain_reason[160]; /* given by the owner */
	enum lease_retention retention;
	int is_billed; /* a resource that costs money may exist */
	int breaches;  /* consecutive steps in which the plugin violated its contract */
	/* the request that made its last change; "": it had no name */
	char last_request[LEASE_REQUEST_ROOM];

	/* the machine */
	char host[64];
	char host_key[96]; /* public half of the machine's SSH host key; "" if unknown */
	char server_id[32];
	char server_name[64];
	char server_type[32];
	char server_location[32];
	int64_t price_hour_micros; /* 0: unknown */
	char currency[4];

	/* stored in a narrow table of its own and joined on reading */
	int64_t touched_ms;		/* last heartbeat; created_ms before the first */
};

/* Why a create that failed with a LESSOR_CLASS_ ended its lease. */
enum lease_end_reason lease_end_of_class(uint32_t error_class);
/* Why it ended, "" if it has not. Borrowed from the table or from `l`. */
const char *lease_end_text(const struct lease *l);
/* The reverse, of what a store holds; an unknown text is kept as it is, up to its size. */
void lease_end_parse(struct lease *l, const char *text);

/*
 * The state shown to clients. A lease that expired or failed and was released later shows
 * `released`, as the existing client expects of a stop; when and why it ended stays
 * unchanged.
 */
enum lease_state lease_shown_state(const struct lease *l);
/*
 * Does it wait in the queue for capacity? Then nothing is done for it, it counts against no
 * limit, and its TTL and boot deadline have not begun.
 */
static inline int lease_is_queued(const struct lease *l)
{
	return l->state == LEASE_PROVISIONING && l->queue_ms > 0 && !l->admitted_ms;
}
/* When its TTL began: the admission of a lease that was in the queue, else its creation. */
static inline int64_t lease_begun_ms(const struct lease *l)
{
	return l->admitted_ms ? l->admitted_ms : l->created_ms;
}
/* The end of its TTL. */
int64_t lease_ttl_end_ms(const struct lease *l);
/*
 * The end of its time: the earlier of TTL and idle timeout; while provisioning only the TTL
 * counts. In the queue: the end of the wait, or the idle timeout if that is earlier.
 */
int64_t lease_expires_ms(const struct lease *l);
/* The same as seen at `now_ms`: at most its limits away, if its times lie in the future. */
int64_t lease_expires_at(const struct lease *l, int64_t now_ms);
/* Provisioning or active. */
int lease_is_live(const struct lease *l);
/*
 * When it ends by itself: lease_expires_ms, or its provisioning deadline if that is earlier;
 * 0: it has ended.
 */
int64_t lease_deadline_ms(const struct lease *l);
/* Is it provisioning although the machine should have been ready by now? */
int lease_is_late(const struct lease *l, int64_t now_ms);
/*
 * When it is due next. Derived: a stored due time never counts beyond the lease's deadline,
 * nor beyond the longest backoff once the lease has ended; and a lease whose times lie in the
 * future (lease/times.h) is due at once, to have them corrected.
 */
int64_t lease_due_ms(const struct lease *l, int64_t now_ms);
/* Is its next step due? */
int lease_step_is_due(const struct lease *l, int64_t now_ms);
/* May it still cost money? Only then does it count against the limits; in the queue it does not. */
int lease_counts(const struct lease *l);
