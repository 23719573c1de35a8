/* SPDX-License-Identifier: MIT */
/*
 * lessor/provider.h - the interface between a provider plugin and its host.
 *
 * This header is the manual. A provider is a shared object that knows HOW to
 * create and delete machines at one kind of cloud; the host (lessord, or
 * lessor-plugin-check) decides WHEN and WHETHER. The file is valid C99 and
 * C++11 and needs only <stddef.h> and <stdint.h>.
 *
 * A MINIMAL PROVIDER
 *
 *   static const struct lessor_provider my_provider = {
 *           .size = sizeof(struct lessor_provider),
 *           .abi = LESSOR_ABI,
 *           .name = "my", .version = "1.0", .summary = "Machines from my cloud",
 *           .open = my_open, .close = my_close, .provision = my_provision,
 *           .cleanup = my_cleanup, .inspect = my_inspect, .list = my_list,
 *   };
 *   LESSOR_PROVIDER(my_provider)
 *
 * STEPS
 *
 * provision and cleanup are ordinary blocking functions, one STEP long: they
 * read the lease and its ledger, take the next action, with at most one effect,
 * and return a verdict. All state that must outlive the step is in the ledger or
 * in the cursor, and the host commits both before it calls again. A crash between
 * two steps, or within one, therefore needs no recovery code: the next step reads
 * the ledger and continues. A provider has no timers, threads, sleeps or retry
 * loops: it returns RETRY or PENDING, and the host waits.
 *
 * EFFECTS
 *
 * To create:  lessor_intend commits a ledger row; then send the create request;
 *             then call exactly one of lessor_created, lessor_not_created and
 *             lessor_unknown.
 * To delete:  read the resource by its exact id; call lessor_permit_delete with
 *             what was read; then send the delete request; then call exactly one
 *             of lessor_deleting, lessor_delete_unknown and lessor_still_there;
 *             call lessor_gone once the resource is absent.
 * The host sends only requests that match a declared ACTION of the provider
 * (struct lessor_action). A request with an effect must name its ledger row, and
 * this step must hold a live intent or permit for that row.
 * If the process dies after the request was sent and before its result was
 * recorded, the next step finds the row in UNKNOWN (after a create) or
 * DELETE_UNKNOWN (after a delete). For a create, it looks the resource up by exact
 * name and by labels, over all pages. For a delete, it reads the resource by its
 * id and, if it still exists, asks for a permit again.
 *
 * EVIDENCE
 *
 * The host records the requests of a step. It accepts a report only if that
 * record supports it: `created` needs a 2xx response to the create with the id at
 * the declared place; `deleting` needs a 2xx response to the delete of this step;
 * `gone` needs an exact read answered with 404 or 410 and, unless a delete of ours
 * was accepted, complete listings by name and by labels that do not contain the
 * resource. The host then reads the account's sentinel itself, because with a token
 * of another project everything looks absent. A report without evidence is a breach
 * of contract: it is logged, counted and not recorded. A provider with its own I/O
 * declares LESSOR_OWN_IO; the host then trusts its reports, and a delete that ends
 * without a report counts as unknown.
 *
 * OUTCOMES: WHAT TO RETURN WHEN THE OUTCOME IS UNKNOWN
 *
 * An effect did not happen, happened, or has an unknown outcome.
 * lessor_not_created asserts that the provider definitely refused. After a timeout,
 * a 5xx, or a truncated or nonsensical response to a request that was sent, call
 * lessor_unknown; the host then allows no other create for that row until
 * lessor_not_seen has settled it. For a delete, call lessor_delete_unknown: a delete
 * then counts as possibly under way until the resource is absent or deleted again.
 *
 * THREADS
 *
 * open and close never overlap with another call for the same instance. The other
 * operations run on worker threads: never two at once for one lease, and for one
 * instance as many at once as `concurrency` allows. A call object belongs to one
 * operation: use it only on the thread that the operation was called on, and only
 * until the operation returns.
 *
 * MEMORY
 *
 * Memory behind pointers from the host belongs to the host and is valid until the
 * operation returns. The host copies everything that is passed to its functions
 * before they return. Neither side frees what the other allocated. lessor_alloc
 * returns scratch memory, which the host frees after the operation.
 *
 * TIME is int64_t milliseconds since 1970-01-01 UTC (`_ms`). Durations are in
 * milliseconds unless the name says otherwise.
 *
 * TEXT is UTF-8, terminated by NUL. Ids are text, as the provider writes them
 * (a 64-bit number in decimal).
 *
 * COMPATIBILITY
 *
 * Until version 1.0 the ABI may change with each minor version, and a host
 * accepts only its own version. From 1.0 on, `abi` identifies a compatible
 * interface and `size` how much of it a plugin implements: a host copies
 * min(its size, your size) of your table into a zeroed one, so an older plugin
 * lacks the later operations, and the host ignores the additional ones of a newer
 * plugin. From then on structures only grow, at the end, without padding there.
 * A field of a structure that the host fills in is valid if it lies within the
 * structure's own `size`; LESSOR_HAS tests that.
 */
#ifndef LESSOR_PROVIDER_H
#define LESSOR_PROVIDER_H

/* clang-format off: comments are in columns */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Major in the high half, minor in the low half. While major is 0, hosts accept only their own. */
#define LESSOR_ABI_MAJOR 0
#define LESSOR_ABI_MINOR 5
#define LESSOR_ABI ((uint32_t)((LESSOR_ABI_MAJOR << 16) | LESSOR_ABI_MINOR))

/* Does a structure filled in by the host (it begins with `size`) contain this field? */
#define LESSOR_HAS(ptr, field) \
	((size_t)(ptr)->size >= (size_t)((const char *)(&(ptr)->field + 1) - (const char *)(ptr)))

#if defined(__GNUC__)
#define LESSOR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define LESSOR_EXPORT __attribute__((visibility("default")))
#else
#define LESSOR_PRINTF(fmt, args)
#define LESSOR_EXPORT
#endif

/* ---- Verdicts: what a step returns -------------------------------------- */

#define LESSOR_DONE 1		/* the operation's goal is reached */
#define LESSOR_PENDING 2	/* in progress; call again after the stated wait (lessor_pending) */
#define LESSOR_RETRY 3		/* failed; the same step may work later (lessor_retry) */
#define LESSOR_REFUSED 4	/* cannot work as requested; somebody must act (lessor_refuse) */
#define LESSOR_GONE 5		/* cleanup: nothing of the lease is left; inspect: no server */
/*
 * Any other value, and DONE from provision without LESSOR_OUT_HOST, is a breach of
 * contract: the host logs it with the provider's name and treats it as RETRY.
 */

/* ---- Classes: the reason, for the host to act on and the client to read --- */

#define LESSOR_CLASS_NONE 0
#define LESSOR_CLASS_TRANSIENT 1	/* temporary: 5xx, reset, conflict */
#define LESSOR_CLASS_CAPACITY 2		/* sold out, no placement */
#define LESSOR_CLASS_QUOTA 3		/* a limit of the account was reached */
#define LESSOR_CLASS_RATE 4		/* too many requests */
#define LESSOR_CLASS_AUTH 5		/* the credential was rejected; blocks the account */
#define LESSOR_CLASS_ACCOUNT 6		/* a different account than before; blocks the account */
#define LESSOR_CLASS_INVALID 7		/* the request can never work: type, image, key, ... */
#define LESSOR_CLASS_CONFLICT 8		/* an object that is not ours is in the way */
#define LESSOR_CLASS_OWNERSHIP 9	/* the object found is not exactly the one in the ledger */
#define LESSOR_CLASS_PROTECTED 10	/* protected against deletion, not by us */
#define LESSOR_CLASS_TIMEOUT 11		/* not ready in time */
#define LESSOR_CLASS_FAILED 12		/* the provider reports that the create failed */
#define LESSOR_CLASS_PROVIDER 13	/* the response violates the provider's own contract */
#define LESSOR_CLASS_BUG 14		/* a defect of the plugin or the host */

/* ---- Kinds of resource, and their states in the ledger ------------------- */

#define LESSOR_KIND_SERVER 1	/* the machine of a lease; deleted before any key */
#define LESSOR_KIND_KEY 2	/* a login key object */
#define LESSOR_KIND_ADDRESS 3
#define LESSOR_KIND_VOLUME 4
#define LESSOR_KIND_SENTINEL 5 /* an object that proves which account this is */
#define LESSOR_KIND_OTHER 6

#define LESSOR_STATE_INTENDED 1 /* about to be created; after a restart: outcome unknown */
#define LESSOR_STATE_UNKNOWN 2	/* the create's response was lost */
#define LESSOR_STATE_PRESENT 3	/* exists, id known */
#define LESSOR_STATE_DELETING 4	/* delete accepted, absence not yet proven */
#define LESSOR_STATE_GONE 5	/* proven absent */
#define LESSOR_STATE_RETAINED 6	/* kept by a no-delete release: never deleted */
#define LESSOR_STATE_DISOWNED 7 /* an operator gave it up: no longer managed */
/* A permit was granted: a delete may be under way. Seen only within a step. */
#define LESSOR_STATE_DELETE_AUTHORIZED 8
#define LESSOR_STATE_DELETE_UNKNOWN 9	/* a delete was or may have been sent: outcome unknown */
#define LESSOR_STATE_NEVER_EXISTED 10	/* its create had no effect */
#define LESSOR_STATE_HANDED_OVER 11	/* another lease uses and owns it now */
/* Removal of its protection may be under way. Seen only within a step. */
#define LESSOR_STATE_UNPROTECT_AUTHORIZED 12
#define LESSOR_STATE_UNPROTECT_UNKNOWN 13 /* the protection was or may have been removed */

/* ---- The ledger as a step sees it ---------------------------------------- */

struct lessor_resource {
	int64_t row;		/* the ledger row; identifies the resource in every call below */
	int64_t created_ms;	/* when the row was intended */
	int64_t changed_ms;	/* when its state last changed */
	int64_t protected_ms;	/* RETAINED: when label and protection were verified; 0: not yet */
	const char *name;	/* chosen by the host, unique in the account */
	const char *id;		/* the provider's id, "" while unknown */
	const char *action;	/* what to wait for (lessor_created, lessor_deleting), or "" */
	const char *lease;	/* the lease in its labels: another lease may have handed it over */
	uint32_t kind;		/* LESSOR_KIND_ */
	uint32_t state;		/* LESSOR_STATE_ */
	uint32_t attempt;	/* the attempt it belongs to; 0: shared by all attempts */
	uint32_t ours;		/* 1: created by this lease, may be deleted; 0: reused, never */
};

/* One attempt with one server type in one location; numbered from 1. */
struct lessor_attempt {
	const char *type;
	const char *location;
	const char *reason;	/* why it was refused, "" while open */
	int64_t started_ms;
	uint32_t number;
	uint32_t refused;	/* LESSOR_CLASS_ of the refusal, 0 while open */
};

/*
 * A lease, copied for one step. Access the arrays with lessor_resource_at and
 * lessor_attempt_at: elements may be larger than in this header.
 */
struct lessor_lease {
	uint32_t size;			/* of this structure, set by the host */
	uint32_t flags;			/* none yet */
	const char *id;			/* the lease's id; for account work (probe) "" */
	const char *slug;		/* a short human-readable name: [a-z0-9-]{1,41} */
	const char *image;		/* the requested image, as the provider names it */
	const char *architecture;	/* "x86" or "arm" */
	const char *public_key;		/* the client's key, one OpenSSH line, checked */
	const char *account_key;	/* for the sentinel: a public key without a private key */
	const char *user_data;		/* what the machine boots with */
	size_t user_data_len;
	const char *cursor;		/* from the last PENDING step, "" at first; <= 1000 bytes */
	const char *sentinel_id;	/* the provider's id of the sentinel, "" if there is none */
	const char *const *types;	/* server types to try, best first */
	size_t type_count;
	const char *const *locations;	/* locations to try, best first */
	size_t location_count;
	const struct lessor_resource *resources;	/* this lease's ledger, oldest first */
	size_t resource_count;
	size_t resource_size;
	const struct lessor_attempt *attempts;		/* oldest first */
	size_t attempt_count;
	size_t attempt_size;
	int64_t created_ms;
	int64_t deadline_ms; /* when provisioning must be finished */
};

/* Final: nothing remains to be done for a resource in this state. */
static inline int lessor_state_is_over(uint32_t state)
{
	return state == LESSOR_STATE_GONE || state == LESSOR_STATE_DISOWNED ||
	       state == LESSOR_STATE_NEVER_EXISTED || state == LESSOR_STATE_HANDED_OVER;
}

/* It is not known whether it was created. */
static inline int lessor_state_is_unsettled(uint32_t state)
{
	return state == LESSOR_STATE_INTENDED || state == LESSOR_STATE_UNKNOWN;
}

/* ---- What was read at the provider, before an adoption or a delete ------- */

struct lessor_label {
	const char *key;
	const char *value;
};

struct lessor_observed {
	uint32_t size;			/* sizeof(struct lessor_observed) */
	uint32_t kind;
	const char *id;
	const char *name;
	const struct lessor_label *labels;
	size_t label_count;
	int64_t created_ms; /* by the provider's clock; 0 if unknown */
	/* For a listed server, informational; NULL if unknown. */
	const char *status; /* as the provider calls it */
	const char *type;
	const char *address;
	uint32_t protection; /* LESSOR_PROTECTION_: the provider's delete protection */
	uint32_t reserved;
};

#define LESSOR_PROTECTION_UNKNOWN 0
#define LESSOR_PROTECTION_OFF 1
#define LESSOR_PROTECTION_ON 2

/* Keys of the labels that the host puts on every resource; look-ups select by them. */
#define LESSOR_LABEL_INSTANCE "lessor-instance"	/* lessor_broker_id */
#define LESSOR_LABEL_LEASE "lessor-lease"	/* the lease's id */
#define LESSOR_LABEL_ATTEMPT "lessor-attempt"	/* decimal */
#define LESSOR_LABEL_KIND "lessor-kind"		/* "server", "key", ... */
#define LESSOR_LABEL_OWNER "lessor-owner"	/* informational: reduced to the label grammar */
#define LESSOR_LABEL_SIG "lessor-sig"		/* the host's signature over all except the owner */
/* Labels that the host adds later (lessor_permit_change): */
#define LESSOR_LABEL_RETAIN "lessor-retain" /* by a no-delete release: the lease's epoch, decimal */
#define LESSOR_LABEL_GEN "lessor-gen"	    /* sentinel: counts starts and no-delete releases */
#define LESSOR_LABEL_HOLDER "lessor-holder" /* sentinel: the process that wrote lessor-gen */

/* Filled in by lessor_intend: the name and labels of the resource to create. */
struct lessor_intent {
	uint32_t size;			/* sizeof(struct lessor_intent), set by the plugin */
	uint32_t attempt;
	int64_t row;
	const char *name;		/* [a-z0-9-]{1,63}, starts and ends alphanumeric */
	const struct lessor_label *labels; /* the resource must have all of them; keys and values are
					 * [A-Za-z0-9._-]{1,63}, alphanumeric at both ends */
	size_t label_count;
};

/* Filled in by lessor_permit_change. */
struct lessor_change {
	uint32_t size;			/* sizeof(struct lessor_change), set by the plugin */
	uint32_t what;			/* LESSOR_CHANGE_ */
	int64_t row;
	/*
	 * LABELS and UNPROTECT: all labels that the resource must have after the change, including
	 * foreign ones as read in this step. If there are none, leave the labels unchanged.
	 */
	const struct lessor_label *labels;
	size_t label_count;
};

#define LESSOR_CHANGE_LABELS 1		/* replace its labels */
#define LESSOR_CHANGE_PROTECT 2		/* enable the provider's delete protection */
#define LESSOR_CHANGE_UNPROTECT 3	/* replace its labels, then disable the protection */

/* ---- What a machine costs, from catalog ------------------------------------ */

/*
 * One type in one location, and how the provider bills it. The price is that of everything that
 * is billed because the machine exists, such as its address, as the account pays it: with its
 * taxes. Money is in millionths of the currency's unit, and exact.
 *
 * The host bills a machine from its creation until its absence is proven, in whole units: each
 * unit that has begun, and at least `minimum_ms`. The units that begin in one calendar month
 * (UTC) never cost more than `price_month_micros`.
 */
struct lessor_offer {
	uint32_t size;	    /* sizeof(struct lessor_offer) */
	uint32_t available; /* 1: can be ordered at the moment, as far as the provider says */
	const char *type;
	const char *location;
	const char *currency; /* ISO 4217, of the account */
	int64_t price_hour_micros;
	int64_t price_month_micros; /* 0: a month has no limit */
	int64_t unit_ms;	    /* 3600000: started hours; at most 31 days; 0: a second */
	int64_t minimum_ms;	    /* at most a day; 0: one unit */
};

/* ---- Actions: the requests that a provider may send, declared as data ------ */

#define LESSOR_READS 1u		/* reads one object */
#define LESSOR_LISTS 2u		/* reads a page of a list of objects */
#define LESSOR_MAKES 3u		/* creates what an intent of this step names */
#define LESSOR_CHANGES 4u	/* changes an object of the ledger, such as its labels */
#define LESSOR_PROTECTS 5u	/* enables or disables an object's delete protection */
#define LESSOR_DESTROYS 6u	/* deletes an object of the ledger */

#define LESSOR_KIND_BIT(kind) (1u << (kind))

/*
 * One kind of request. The host sends a request only if its method and its path
 * without the query match one of the provider's actions, and evaluates the response
 * as declared here. Members ending in `_at` are JSON pointers (RFC 6901) without
 * escapes; those of an object are relative to that object. "" means the whole value;
 * NULL means that the response has no such value.
 *
 * A request with an effect needs a row of this lease's ledger whose kind is in
 * `kinds` and, if the path has an {id}, whose id equals that segment byte for byte.
 * In addition it needs:
 *
 *   MAKES     an intent of this step for that row, and no earlier request for it
 *   CHANGES   lessor_permit_change in this step; during provision an object that
 *             this lease created needs none
 *   PROTECTS  lessor_permit_change (PROTECT or UNPROTECT) in this step; once
 *   DESTROYS  lessor_permit_delete in this step; once
 *
 * No method is harmless in itself: a GET declared as DESTROYS needs a permit, and a
 * DELETE must be declared as CHANGES, PROTECTS or DESTROYS. If several actions match
 * a request, the one with the greatest effect counts.
 */
struct lessor_action {
	const char *name;	/* for the log: [a-z_]{1,32} */
	const char *method;	/* "GET", "POST", "PUT" or "DELETE" */
	const char *path;	/* template, "/servers/{id}": {id} is the object's id, any other
				 * {word} matches exactly one segment */
	const char *object_at;	/* READS, MAKES: the object in a 2xx response; LISTS: the array */
	const char *id_at;	/* in the object: its id, a string or an integer */
	const char *name_at;
	const char *labels_at;	  /* an object of strings */
	const char *protected_at; /* a boolean: true while deletion is refused */
	/* READS of a running delete: {id} is the `action` of lessor_deleting */
	const char *status_at; /* from the root of the response: a string */
	const char *failed;    /* its value if the delete failed: nothing was or will be deleted */
	/*
	 * LISTS: query keys, each at most once in a request. NULL: the list has no such filter.
	 * Filter a listing by name or by labels, never by both; the requests for its pages must
	 * differ only in the page number.
	 */
	const char *by_name;	/* value: the exact name */
	const char *by_labels;	/* value: a selector with both the instance and the lease */
	const char *page;	/* value: the page's number, from 1 */
	const char *next_at;	/* from the root: absent, null, false, 0 or "" on the last page */
	uint32_t kinds;		/* LESSOR_KIND_BIT of the kinds of resource it applies to */
	uint32_t effect;	/* LESSOR_READS, ... */
};

/* ---- HTTP, by the host ---------------------------------------------------- */

/* The longest body of a response; all responses of one step: 64 MiB. */
#define LESSOR_RESPONSE_MAX 1048576 /* 1 MiB */
#define LESSOR_LIST_MAX 16777216    /* 16 MiB: of an action that LISTS */

/*
 * The host adds the credential, enforces the account's configured origin and the
 * declared actions, sends requests with an effect on a new connection, follows no
 * redirects, limits the size of the response, charges the account's request budget,
 * and logs without secrets.
 */
struct lessor_http_request {
	uint32_t size;			/* sizeof(struct lessor_http_request) */
	uint32_t flags;			/* none yet */
	const char *method;		/* "GET", "POST", "PUT" or "DELETE" */
	const char *path;		/* begins with '/', below the configured origin and base path;
					 * already percent-encoded; may carry a query */
	const void *body;		/* JSON, or NULL */
	size_t body_len;
	int64_t row;	     /* ledger row of the effect; required if there is one */
	int64_t share_ms;    /* reads: accept the response to an identical request, even of
					 * another step, up to this old; 0: always send. A shared
					 * response proves no absence and gives no permit */
	size_t max_response; /* bytes of the response's body to accept, at most
					 * LESSOR_LIST_MAX; 0: LESSOR_RESPONSE_MAX, or LESSOR_LIST_MAX
					 * for an action that LISTS. A longer one is CONTRADICTORY */
};

#define LESSOR_DID_NOT_HAPPEN 1 /* the request was not sent, for whatever reason */
#define LESSOR_HAPPENED 2	/* a complete response was read: evaluate status and body */
#define LESSOR_UNKNOWN 3	/* was or may have been sent, and there is no complete response */
#define LESSOR_CONTRADICTORY 4	/* not an acceptable response: a redirect, too large, not HTTP */

struct lessor_http_response {
	uint32_t size;			/* sizeof(struct lessor_http_response), set by the plugin */
	uint32_t outcome;
	int32_t status;			/* HTTP status; 0 unless outcome is HAPPENED */
	uint32_t error_class; /* LESSOR_CLASS_ if there is no response: RATE if the request
					 * budget is used up, BUG if a rule above was broken */
	const char *body;		/* terminated by NUL as well; "" if none */
	size_t body_len;
	const char *content_type;	/* "" if none */
	const char *request_id;		/* the provider's correlation id, for the log; "" if none */
	const char *error;		/* one sentence if there is no response; "" otherwise */
	int64_t wait_ms;		/* how long to wait, from Retry-After, RateLimit-* or the
					 * budget; 0 if unknown */
	int64_t age_ms;			/* age of a shared response */
};

/* ---- Outputs: facts for the client, copied by the host ------------------- */

#define LESSOR_OUT_HOST 1		/* address to connect to; required for DONE from provision */
#define LESSOR_OUT_SERVER_ID 2		/* the id of a row of the lease that is PRESENT */
#define LESSOR_OUT_SERVER_NAME 3	/* its name; with LESSOR_OWN_IO the machine's own */
#define LESSOR_OUT_SERVER_TYPE 4
#define LESSOR_OUT_LOCATION 5
#define LESSOR_OUT_STATUS 6 /* inspect: its state as the provider calls it */
/*
 * catalog: what an operator should know of a working account, such as a configured image that
 * retires; one or two sentences, shown with the account's state until the next catalog.
 */
#define LESSOR_OUT_NOTE 7

/* ---- The host's table ------------------------------------------------------ */

struct lessor_call;

#define LESSOR_LOG_ERROR 3
#define LESSOR_LOG_WARNING 4
#define LESSOR_LOG_INFO 6
#define LESSOR_LOG_DEBUG 7

/*
 * Functions that return int return 0 for yes and -1 for no. The host logs a "no",
 * and the plugin must comply: usually it returns
 * lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "...") or, where stated below,
 * lessor_refuse. Use the lessor_ wrappers at the end of this file.
 */
struct lessor_host {
	uint32_t size;
	uint32_t abi;

	/* One line; the host adds provider, account and lease. */
	void (*log)(struct lessor_call *call, int level, const char *fmt, ...) LESSOR_PRINTF(3, 4);
	/* Wall clock, ms. Do not compare it with the provider's clock. */
	int64_t (*now)(struct lessor_call *call);
	/* When this step should be finished, ms wall clock. */
	int64_t (*deadline)(struct lessor_call *call);
	/* The broker's id: the value of LESSOR_LABEL_INSTANCE on everything it created. */
	const char *(*broker_id)(struct lessor_call *call);
	/* 1: the step should return as soon as possible (shutdown, client cancelled). */
	int (*cancelled)(struct lessor_call *call);
	/* Zeroed scratch memory, freed by the host after the operation; NULL if size is too large. */
	void *(*alloc)(struct lessor_call *call, size_t size);
	/* Option values, checked against the plugin's table. NULL / 0 for undeclared keys. */
	const char *(*option_text)(struct lessor_call *call, const char *key);
	int64_t (*option_int)(struct lessor_call *call, const char *key);

	/* Verdict helpers: record and return the verdict. `wait_ms` 0: the host chooses. */
	int (*pending)(struct lessor_call *call, int64_t wait_ms, const char *cursor);
	int (*fail)(struct lessor_call *call, int verdict, uint32_t error_class, int64_t wait_ms,
		    const char *fmt, ...) LESSOR_PRINTF(5, 6);
	/* Sets a LESSOR_OUT_ value; the last one for a key wins. Used only with DONE. */
	void (*output)(struct lessor_call *call, int key, const char *value);

	/* Returns 0 if `response` was filled in, whatever its outcome. */
	int (*http)(struct lessor_call *call, const struct lessor_http_request *request,
		    struct lessor_http_response *response);

	/*
	 * Opens attempt `attempt` (>= 1, one more than the last) with a type in a
	 * location; -1 if the lease is no longer to be provisioned.
	 */
	int (*attempt)(struct lessor_call *call, uint32_t attempt, const char *type,
		       const char *location);
	/* Closes an attempt; the client sees class and reason. */
	int (*attempt_refused)(struct lessor_call *call, uint32_t attempt, uint32_t error_class,
			       const char *reason);
	/* Commits an intent. -1: stale, retained, cancelled or account blocked; create nothing. */
	int (*intend)(struct lessor_call *call, uint32_t kind, uint32_t attempt,
		      struct lessor_intent *intent);
	/* The create succeeded. `action`: the provider's id of what to wait for, or "". */
	int (*created)(struct lessor_call *call, int64_t row, const char *id, const char *action);
	/* The create definitely did not happen. */
	int (*not_created)(struct lessor_call *call, int64_t row, const char *reason);
	/* The create was sent; its outcome is unknown. */
	int (*unknown)(struct lessor_call *call, int64_t row, const char *reason);
	/*
	 * A complete look-up (by exact name and by labels, all pages) for an INTENDED or
	 * UNKNOWN row found nothing. 0: settled, the row is NEVER_EXISTED. -1: not settled
	 * yet; return RETRY with wait 0 and look again later. Settling takes two such
	 * look-ups at least 10 s apart, each at least `settle` after the last moment at
	 * which the request could have been under way.
	 */
	int (*not_seen)(struct lessor_call *call, int64_t row);
	/*
	 * A look-up found a resource of ours. The host checks name, labels and
	 * signature, and fills in the id of its row, or adds a row if there is none. A
	 * response of this step must contain the resource. -1: it is not provably ours;
	 * leave it alone.
	 */
	int (*adopt)(struct lessor_call *call, const struct lessor_observed *seen);
	/*
	 * Records a resource that this lease uses but did not create, such as an existing
	 * key or the address that the provider assigned to its server. Never deleted.
	 */
	int (*reuse)(struct lessor_call *call, uint32_t kind, const char *id, const char *name);
	/*
	 * Asks for permission to delete exactly one resource. The last request of this step
	 * must be an exact, unshared read of it; the host evaluates that response, not
	 * `seen`. 0: the row is DELETE_AUTHORIZED, and one delete request may follow in this
	 * step. -1: refused; the host has recorded why and decides what happens to the
	 * lease. Return lessor_refuse(call, LESSOR_CLASS_OWNERSHIP, "...").
	 */
	int (*permit_delete)(struct lessor_call *call, int64_t row,
			     const struct lessor_observed *seen);
	/* The delete was accepted. `action`: the provider's id of what to wait for, or "". */
	int (*deleting)(struct lessor_call *call, int64_t row, const char *action);
	/* The delete was or may have been sent; its outcome is unknown. */
	int (*delete_unknown)(struct lessor_call *call, int64_t row, const char *reason);
	/*
	 * The resource exists: it was just read, or the provider reports that it refused or
	 * abandoned the delete. A delete that may still be under way stays unknown.
	 */
	int (*still_there)(struct lessor_call *call, int64_t row, const char *reason);
	/*
	 * The resource is absent. Evidence, all in this step: after an accepted delete, one
	 * exact read answered with 404 or 410; otherwise that read and complete listings by
	 * name and by labels that do not contain it. 0: the row is GONE. -1: not accepted yet;
	 * return RETRY. Absence without an accepted delete of ours is accepted only after two
	 * such observations at least a minute apart. Call `deleting` before `gone` even if a
	 * delete takes effect immediately.
	 */
	int (*gone)(struct lessor_call *call, int64_t row, const char *evidence);

	/* A small text cache per account, e.g. for catalogues. NULL if absent or expired. */
	const char *(*cache_get)(struct lessor_call *call, const char *key);
	void (*cache_put)(struct lessor_call *call, const char *key, const char *value,
			  int64_t keep_ms);

	/* Collectors for list and catalog; arguments are copied. -1: full, stop. */
	int (*listed)(struct lessor_call *call, const struct lessor_observed *seen);
	/* For a provider that bills by the second: offer_billed without the rest. */
	int (*offer)(struct lessor_call *call, const char *type, const char *location,
		     int64_t price_hour_micros, const char *currency, uint32_t available);

	/*
	 * Asks for permission to change one resource. The last request of this step must be
	 * an exact, unshared read of it. 0: send the change that `change` describes, then read
	 * the resource exactly once more; the host records what that response shows, at the
	 * latest at the end of the step. 1: nothing to change; send nothing. -1: refused; the
	 * host has recorded why. Return as for permit_delete.
	 */
	int (*permit_change)(struct lessor_call *call, int64_t row, uint32_t what,
			     const struct lessor_observed *seen, struct lessor_change *change);
	/* Collector for catalog: one type in one location, and how it is billed. -1: full, stop. */
	int (*offer_billed)(struct lessor_call *call, const struct lessor_offer *offer);
};

/* The part of a call that is visible to plugins; the rest is private to the host. */
struct lessor_call {
	const struct lessor_host *host;
};

/* ---- Waiting leases: the input of observe ---------------------------------- */

/*
 * One of the leases passed to observe, with its own call object, on which the plugin
 * reports as it would in provision. Access arrays with lessor_waiting_at: elements may
 * be larger than in this header.
 */
struct lessor_waiting {
	uint32_t size;			/* of this structure, set by the host */
	int32_t verdict;		/* set by the plugin: what provision would return (DONE,
					 * PENDING, RETRY, REFUSED); left at 0: no verdict */
	struct lessor_call *call;	/* the lease's own; must not be used for requests */
	const struct lessor_lease *lease; /* without user_data: observe creates nothing */
};

/* ---- Options: declared as data -------------------------------------------- */

#define LESSOR_OPTION_TEXT 1
#define LESSOR_OPTION_INT 2
#define LESSOR_OPTION_BOOL 3		/* option_int returns 0 or 1 */
#define LESSOR_OPTION_DURATION 4	/* "90s", "5m", "2h"; option_int returns ms */
#define LESSOR_OPTION_CHOICE 5		/* one of `choices`, "a|b|c" */
#define LESSOR_OPTION_URL 6		/* an origin with a base path; see `origin` below */

struct lessor_option {
	const char *key;	/* [a-z_]{1,32} */
	const char *preset;	/* default; NULL: required */
	const char *choices;	/* LESSOR_OPTION_CHOICE only */
	const char *help;	/* one sentence */
	int64_t min;		/* INT and DURATION (ms): allowed range, if max > min */
	int64_t max;
	uint32_t type;		/* LESSOR_OPTION_ */
	uint32_t flags;		/* none yet */
};

/* ---- The provider's table --------------------------------------------------- */

#define LESSOR_SERIAL 1		/* one call at a time for the whole plugin */
#define LESSOR_PER_INSTANCE 2	/* one call at a time per account */
#define LESSOR_PARALLEL 3	/* any number */

/*
 * Servers are always created with the lease's user_data and honour it, so the host can put
 * an SSH host key into it and tell clients which key to expect.
 */
#define LESSOR_CAN_USER_DATA 1u
/*
 * The provider reaches its machines by its own I/O instead of the host's HTTP. The host has
 * no record to check its reports against and trusts them. Ignored if http_auth is set.
 */
#define LESSOR_OWN_IO 2u

struct lessor_provider {
	uint32_t size;			/* sizeof(struct lessor_provider) */
	uint32_t abi;			/* LESSOR_ABI */
	const char *name;		/* [a-z][a-z0-9_-]{0,31} */
	const char *version;
	const char *summary;		/* one line */
	const struct lessor_option *options;
	size_t option_count;
	size_t option_size;		/* sizeof(struct lessor_option) */
	uint32_t concurrency;
	uint32_t capabilities;		/* LESSOR_CAN_ flags */
	/*
	 * How the host's HTTP client authenticates: "bearer" (the only method so far), or
	 * NULL for a provider that sends no HTTP requests. http_origin is the default
	 * origin; the option "endpoint", if declared, overrides it.
	 */
	const char *http_auth;
	const char *http_origin;
	/* Every request that the provider may send; required with http_auth. */
	const struct lessor_action *actions;
	size_t action_count;
	size_t action_size;		/* sizeof(struct lessor_action) */
	/*
	 * How late, in ms, a new resource may become visible at the provider. A resource whose
	 * create has an unknown outcome is never declared absent earlier than that. 0: 5
	 * minutes. An account's key `settle` overrides it.
	 */
	int64_t visible_within_ms;

	/*
	 * Creates an instance from checked options (lessor_option_text). Must not use the
	 * network. *instance may stay NULL. Returns LESSOR_DONE, or lessor_refuse(...) with a
	 * sentence for the operator. Main thread.
	 */
	int (*open)(struct lessor_call *call, void **instance);
	/* Frees what open created; no operation of that instance is running. */
	void (*close)(void *instance);

	/* Takes a lease one step towards ready. DONE (with outputs), PENDING, RETRY or REFUSED. */
	int (*provision)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * Takes a lease one step towards removal: deletes its servers, waits until they are
	 * proven absent, then deletes its keys. GONE, PENDING, RETRY or REFUSED.
	 */
	int (*cleanup)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * Read-only at the provider: settles INTENDED and UNKNOWN rows by a look-up (adopt,
	 * not_seen; RETRY until settled), then reports on the lease's server: DONE with
	 * outputs, GONE, RETRY or REFUSED. The host calls it where nothing may be deleted.
	 */
	int (*inspect)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * Calls lessor_listed for everything of `kind` that has this broker's labels, over
	 * all pages. DONE only if the list is complete; DONE immediately for a kind that the
	 * provider never creates. For ADDRESS, which the cloud may create by itself and
	 * without labels, list those that are unassigned; the host knows which of them came
	 * with a server of ours (lessor_reuse). For SENTINEL, list those of every broker,
	 * unless the account is meant to be shared: where another broker's is found, nothing
	 * is done before an operator agrees.
	 */
	int (*list)(void *instance, struct lessor_call *call, uint32_t kind);

	/* -- optional from here on -- */

	/*
	 * Proves that the credential still opens the same account, by the sentinel in
	 * lease->resources (created if there is none): DONE, RETRY, or REFUSED with class AUTH
	 * or ACCOUNT. Calls lessor_permit_change (LABELS) after each read of the sentinel: the
	 * host keeps a counter in its labels. NULL: the account is assumed to be the right one.
	 */
	int (*probe)(void *instance, struct lessor_call *call, const struct lessor_lease *account);
	/* Reports types, locations and prices through lessor_offer_billed or lessor_offer. */
	int (*catalog)(void *instance, struct lessor_call *call);
	/*
	 * Reloads the files that the options name, when the operator asks for it. The options
	 * are the same as at open. DONE; REFUSED with a sentence for the operator if a file is
	 * invalid, in which case nothing changes; RETRY if a file cannot be read at the moment.
	 * Runs on a worker thread like any other operation, beside others as far as
	 * `concurrency` allows: protect the data that it replaces. Creates and deletes nothing.
	 * NULL: there is nothing to reload.
	 */
	int (*reload)(void *instance, struct lessor_call *call);
	/*
	 * Protects what a no-delete release keeps. For each RETAINED row of ours: reads the
	 * resource, labels it (lessor_permit_change, LABELS) and, if the provider supports it,
	 * protects it against deletion (PROTECT), reading it again after each change; calls
	 * lessor_gone if it is absent. Deletes nothing. DONE when nothing is left to change,
	 * PENDING, RETRY or REFUSED. cleanup removes the protection (UNPROTECT). NULL: only
	 * the broker's database protects them.
	 */
	int (*retain)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * Checks many leases of an account that wait for their servers at once: determines what
	 * provision would determine for each of them, from listings that are parsed once. The
	 * ledger of each lease contains a server of its own that is PRESENT, of an open attempt,
	 * and no resource whose outcome is unknown.
	 *
	 * Send requests on `call`, and only reads. Report on waiting[i].call what they show of
	 * that lease's server, as in provision: outputs, a verdict by lessor_pending, lessor_retry
	 * or lessor_refuse, lessor_reuse of an address that came with it, lessor_attempt_refused.
	 * Any other report and any effect is a breach of contract for all of the calls. DONE for
	 * a lease needs a response to `call` that shows its server.
	 *
	 * The host calls provision for each lease whose verdict is left at 0. Leave it at 0 if
	 * the listings do not show the server: provision reads it by its id.
	 *
	 * Returns a verdict for the operation as a whole: DONE; RETRY with class and wait: leases
	 * left at 0 wait as if their own step had failed in this way; REFUSED: with class AUTH or
	 * ACCOUNT the account is blocked and they wait, with any other class the host calls
	 * provision. Runs on one thread, never concurrently with another operation of one of
	 * these leases. NULL: the host calls provision for each lease.
	 */
	int (*observe)(void *instance, struct lessor_call *call, struct lessor_waiting *waiting,
		       size_t count);
};

/* The only exported symbol. It must have no side effects: tools call it too. */
typedef const struct lessor_provider *(*lessor_provider_entry)(void);
#define LESSOR_PROVIDER_ENTRY "lessor_provider_entry_v1"
#define LESSOR_PROVIDER(table) \
	LESSOR_EXPORT const struct lessor_provider *lessor_provider_entry_v1(void); \
	LESSOR_EXPORT const struct lessor_provider *lessor_provider_entry_v1(void) \
	{ \
		return &(table); \
	}

/* ---- Wrappers ---------------------------------------------------------------- */

#define lessor_log(call, level, ...) ((call)->host->log((call), (level), __VA_ARGS__))
/* return lessor_retry(call, LESSOR_CLASS_TRANSIENT, wait_ms, "create: HTTP %d", status); */
#define lessor_retry(call, error_class, wait_ms, ...) \
	(((call)->host->fail)((call), LESSOR_RETRY, (error_class), (wait_ms), __VA_ARGS__))
#define lessor_refuse(call, error_class, ...) \
	(((call)->host->fail)((call), LESSOR_REFUSED, (error_class), 0, __VA_ARGS__))
#define lessor_pending(call, wait_ms, cursor) ((call)->host->pending((call), (wait_ms), (cursor)))
#define lessor_now(call) ((call)->host->now(call))
#define lessor_deadline(call) ((call)->host->deadline(call))
#define lessor_broker_id(call) ((call)->host->broker_id(call))
#define lessor_cancelled(call) ((call)->host->cancelled(call))
#define lessor_alloc(call, bytes) ((call)->host->alloc((call), (bytes)))
#define lessor_option_text(call, key) ((call)->host->option_text((call), (key)))
#define lessor_option_int(call, key) ((call)->host->option_int((call), (key)))
#define lessor_output(call, key, value) ((call)->host->output((call), (key), (value)))
#define lessor_http(call, request, response) ((call)->host->http((call), (request), (response)))
#define lessor_attempt_open(call, number, type, location) \
	((call)->host->attempt((call), (number), (type), (location)))
#define lessor_attempt_refused(call, number, error_class, reason) \
	((call)->host->attempt_refused((call), (number), (error_class), (reason)))
#define lessor_intend(call, kind, number, intent) \
	((call)->host->intend((call), (kind), (number), (intent)))
#define lessor_created(call, row, id, action) ((call)->host->created((call), (row), (id), (action)))
#define lessor_not_created(call, row, reason) ((call)->host->not_created((call), (row), (reason)))
#define lessor_unknown(call, row, reason) ((call)->host->unknown((call), (row), (reason)))
#define lessor_not_seen(call, row) ((call)->host->not_seen((call), (row)))
#define lessor_adopt(call, seen) ((call)->host->adopt((call), (seen)))
#define lessor_reuse(call, kind, id, name) ((call)->host->reuse((call), (kind), (id), (name)))
#define lessor_permit_delete(call, row, seen) ((call)->host->permit_delete((call), (row), (seen)))
#define lessor_deleting(call, row, action) ((call)->host->deleting((call), (row), (action)))
#define lessor_delete_unknown(call, row, reason) \
	((call)->host->delete_unknown((call), (row), (reason)))
#define lessor_still_there(call, row, reason) ((call)->host->still_there((call), (row), (reason)))
#define lessor_gone(call, row, evidence) ((call)->host->gone((call), (row), (evidence)))
#define lessor_cache_get(call, key) ((call)->host->cache_get((call), (key)))
#define lessor_cache_put(call, key, value, keep_ms) \
	((call)->host->cache_put((call), (key), (value), (keep_ms)))
#define lessor_permit_change(call, row, what, seen, change) \
	((call)->host->permit_change((call), (row), (what), (seen), (change)))
#define lessor_listed(call, seen) ((call)->host->listed((call), (seen)))
#define lessor_offer(call, type, location, micros, currency, available) \
	((call)->host->offer((call), (type), (location), (micros), (currency), (available)))
#define lessor_offer_billed(call, billed) ((call)->host->offer_billed((call), (billed)))

static inline const struct lessor_resource *lessor_resource_at(const struct lessor_lease *lease,
							       size_t i)
{
	return (const struct lessor_resource *)(const void *)
		((const char *)lease->resources + i * lease->resource_size);
}

static inline struct lessor_waiting *lessor_waiting_at(struct lessor_waiting *waiting, size_t i)
{
	/* The size of the first element is the size of all of them. */
	return (struct lessor_waiting *)(void *)((char *)waiting + i * waiting->size);
}

static inline const struct lessor_attempt *lessor_attempt_at(const struct lessor_lease *lease,
							     size_t i)
{
	return (const struct lessor_attempt *)(const void *)
		((const char *)lease->attempts + i * lease->attempt_size);
}

#ifdef __cplusplus
}
#endif

#endif
