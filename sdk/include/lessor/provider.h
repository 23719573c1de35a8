/* SPDX-License-Identifier: MIT */
/*
 * lessor/provider.h - how a provider plugin and its host talk.
 *
 * This header is the manual. A provider is a shared object that knows HOW to
 * make and unmake machines at one kind of cloud; the host (lessord, or
 * lessor-plugin-check) decides WHEN and WHETHER. The file is C99 and C++11
 * clean and needs nothing but <stddef.h> and <stdint.h>.
 *
 * THE SHAPE OF A PROVIDER
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
 * provision and cleanup are ordinary blocking functions, one STEP long: read
 * the lease and its ledger, do the next thing, at most one effect, and return a
 * verdict. Whatever must outlive the step is in the ledger or in the cursor,
 * and the host has committed both before it calls again. So a crash between any
 * two steps, or inside one, needs no recovery code: the next step reads the
 * ledger and does the next thing. A provider holds no timer, no thread, no
 * sleep and no retry loop: it returns RETRY or PENDING, and the host waits.
 *
 * EFFECTS
 *
 * Before anything is made:    lessor_intend -> a committed ledger row, then the
 *                             create call, then exactly one of lessor_created,
 *                             lessor_not_created, lessor_unknown.
 * Before anything is unmade:  read it by its exact id, lessor_permit_delete with
 *                             what was read, then the delete call, then exactly
 *                             one of lessor_deleting, lessor_delete_unknown and
 *                             lessor_still_there; lessor_gone once it is absent.
 * The host sends only requests that match a declared ACTION of the provider
 * (struct lessor_action), and none with an effect without the row that it
 * belongs to and a live intent or permit of this step for that row.
 * If the process dies after the call and before its result was recorded, the
 * next step finds the row as UNKNOWN (a create) or DELETE_UNKNOWN (a delete). It
 * looks the thing up by its exact name and by its labels, over all pages, or
 * reads it by its id and, if it is there, asks for a permit again.
 *
 * EVIDENCE
 *
 * The host keeps a record of the requests of a step. What a plugin reports is
 * believed only where that record shows it: `created` needs a 2xx answer to the
 * create that holds the id at the declared place, `deleting` a 2xx answer to the
 * delete of this step, `gone` an exact read that answered 404 or 410 and, where no
 * delete of ours was accepted, complete listings by name and by labels without
 * it. The host then reads the account's sentinel itself: a token that opens
 * another project makes everything look absent. A report without its evidence
 * breaks the contract: it is logged, counted and not recorded. A provider with
 * I/O of its own declares LESSOR_OWN_IO; its word is taken, and a delete that
 * ends without a report counts as unknown.
 *
 * OUTCOMES: WHAT DO I RETURN WHEN I DO NOT KNOW
 *
 * An effect did not happen, happened, or is unknown. lessor_not_created is a
 * claim: "the provider definitely refused". A timeout, a 5xx, a cut answer or
 * one that makes no sense after the request was sent is lessor_unknown; the
 * host then allows no other create for that row until lessor_not_seen has
 * settled it. The same of a delete is lessor_delete_unknown: the row then says
 * that a delete may be under way until the thing is absent or deleted anew.
 *
 * THREADS
 *
 * open and close of an instance overlap with no other call of that instance.
 * The other operations are called from worker threads, never two at once for
 * one lease, and for one instance as many at once as `concurrency` allows. A
 * call object belongs to one operation: it may be used only by the thread the
 * operation was called on and only until the operation returns.
 *
 * MEMORY
 *
 * Every pointer the host gives is the host's and valid until the operation
 * returns. Every pointer given to the host is copied before the function
 * returns. Nobody frees what the other allocated. lessor_alloc gives scratch
 * memory that the host frees after the operation.
 *
 * TIME is int64_t milliseconds since 1970-01-01 UTC (`_ms`), durations are
 * milliseconds unless the name says otherwise.
 *
 * TEXT is UTF-8, terminated by NUL. Ids are text, as the provider writes them
 * (a 64-bit number in decimal).
 *
 * COMPATIBILITY
 *
 * Until version 1.0 the ABI may change with each minor version, and a host
 * accepts exactly its own. From 1.0 on `abi` says "same language" and `size` "how
 * much of it you know": a host copies min(its size, your size) of your table
 * into a zeroed one, so an older plugin lacks the later operations and a newer
 * one has more than this host uses. Structures then only grow, at the end, with
 * no padding there. Fields of structures
 * that the host fills are valid if they lie within the structure's own `size`;
 * LESSOR_HAS tests that.
 */
#ifndef LESSOR_PROVIDER_H
#define LESSOR_PROVIDER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Major in the high half, minor in the low half. Any other version is refused while major is 0. */
#define LESSOR_ABI_MAJOR 0
#define LESSOR_ABI_MINOR 3
#define LESSOR_ABI ((uint32_t)((LESSOR_ABI_MAJOR << 16) | LESSOR_ABI_MINOR))

/* Does the structure the host filled (it begins with `size`) reach that far? */
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
#define LESSOR_PENDING 2	/* progress; call me again after the stated wait (lessor_pending) */
#define LESSOR_RETRY 3		/* failed; the same step may work later (lessor_retry) */
#define LESSOR_REFUSED 4	/* will not work as asked; a person or the client must act (lessor_refuse) */
#define LESSOR_GONE 5		/* cleanup: nothing of this lease is left; inspect: it does not exist */
/*
 * Anything else, and DONE from provision without LESSOR_OUT_HOST, breaks the
 * contract: the host logs it with the provider's name and treats it as RETRY.
 */

/* ---- Classes: why, for the host to act on and for the client to read ----- */

#define LESSOR_CLASS_NONE 0
#define LESSOR_CLASS_TRANSIENT 1	/* 5xx, reset, conflict: may pass */
#define LESSOR_CLASS_CAPACITY 2		/* sold out, no placement */
#define LESSOR_CLASS_QUOTA 3		/* the account's limit */
#define LESSOR_CLASS_RATE 4		/* too many calls */
#define LESSOR_CLASS_AUTH 5		/* the credential is refused; blocks the account */
#define LESSOR_CLASS_ACCOUNT 6		/* not the account we know; blocks the account */
#define LESSOR_CLASS_INVALID 7		/* the request can never work: type, image, key, ... */
#define LESSOR_CLASS_CONFLICT 8		/* something not ours stands in the way */
#define LESSOR_CLASS_OWNERSHIP 9	/* what is there is not exactly what the ledger names */
#define LESSOR_CLASS_PROTECTED 10	/* a person protected it against deletion */
#define LESSOR_CLASS_TIMEOUT 11		/* it did not become ready in time */
#define LESSOR_CLASS_FAILED 12		/* the provider says that making it failed */
#define LESSOR_CLASS_PROVIDER 13	/* an answer that breaks the provider's own contract */
#define LESSOR_CLASS_BUG 14		/* the plugin or the host is wrong */

/* ---- Kinds of resource, and their states in the ledger ------------------- */

#define LESSOR_KIND_SERVER 1	/* what a lease is for; deleted before any key */
#define LESSOR_KIND_KEY 2	/* a login key object */
#define LESSOR_KIND_ADDRESS 3
#define LESSOR_KIND_VOLUME 4
#define LESSOR_KIND_SENTINEL 5	/* the account's own mark: an object that proves which account this is */
#define LESSOR_KIND_OTHER 6

#define LESSOR_STATE_INTENDED 1	/* about to be made; after a restart: unknown whether it was */
#define LESSOR_STATE_UNKNOWN 2	/* the create's answer was lost */
#define LESSOR_STATE_PRESENT 3	/* exists, id known */
#define LESSOR_STATE_DELETING 4	/* delete accepted, absence not yet proven */
#define LESSOR_STATE_GONE 5	/* proven absent */
#define LESSOR_STATE_RETAINED 6	/* kept by a no-delete release: never deleted */
#define LESSOR_STATE_DISOWNED 7	/* an operator told us to forget it */
/* A permit was granted: a delete may be under way. Within a step only. */
#define LESSOR_STATE_DELETE_AUTHORIZED 8
#define LESSOR_STATE_DELETE_UNKNOWN 9	/* a delete was, or may have been, sent: outcome unknown */
#define LESSOR_STATE_NEVER_EXISTED 10	/* its create had no effect */
#define LESSOR_STATE_HANDED_OVER 11	/* another lease uses it and owns it from now on */
/* Its protection may be being lifted. Within a step only. */
#define LESSOR_STATE_UNPROTECT_AUTHORIZED 12
#define LESSOR_STATE_UNPROTECT_UNKNOWN 13	/* ... was, or may have been, lifted */

/* ---- The ledger as a step sees it ---------------------------------------- */

struct lessor_resource {
	int64_t row;		/* the ledger row; names the resource in every call below */
	int64_t created_ms;	/* when the row was intended */
	int64_t changed_ms;	/* when its state last changed */
	int64_t protected_ms;	/* RETAINED: when it was proven to be marked and protected, 0: not yet */
	const char *name;	/* unique in the account, made by the host */
	const char *id;		/* the provider's id, "" while unknown */
	const char *action;	/* what to wait for (see lessor_created, lessor_deleting), "" if nothing */
	const char *lease;	/* the lease whose labels it bears: another one may have handed it over */
	uint32_t kind;		/* LESSOR_KIND_ */
	uint32_t state;		/* LESSOR_STATE_ */
	uint32_t attempt;	/* the attempt it belongs to; 0 for what all attempts share */
	uint32_t ours;		/* 1 made by this lease: may be deleted. 0 reused: never */
};

/* One try of one server type in one location; numbered from 1. */
struct lessor_attempt {
	const char *type;
	const char *location;
	const char *reason;	/* why it was refused, "" while open */
	int64_t started_ms;
	uint32_t number;
	uint32_t refused;	/* LESSOR_CLASS_ of the refusal, 0 while open */
};

/*
 * A lease, copied for one step. Arrays are read through their element size
 * (lessor_resource_at, lessor_attempt_at), which may be larger than this
 * header's.
 */
struct lessor_lease {
	uint32_t size;			/* of this structure, set by the host */
	uint32_t flags;			/* none yet */
	const char *id;			/* the lease's id; for account work (probe) "" */
	const char *slug;		/* a short name for people: [a-z0-9-]{1,41} */
	const char *image;		/* the image asked for, as the provider names it */
	const char *architecture;	/* "x86" or "arm" */
	const char *public_key;		/* the client's key, one OpenSSH line, checked */
	const char *account_key;	/* a public key whose private half nobody has; for the sentinel */
	const char *user_data;		/* what the machine is born with */
	size_t user_data_len;
	const char *cursor;		/* what the last PENDING step left, "" at first; <= 1000 bytes */
	const char *sentinel_id;	/* the account's sentinel at the provider, "" while there is none */
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
	int64_t deadline_ms;		/* when provisioning must be over */
};

/* Nothing more is to be done about a resource in this state. */
static inline int lessor_state_is_over(uint32_t state)
{
	return state == LESSOR_STATE_GONE || state == LESSOR_STATE_DISOWNED ||
	       state == LESSOR_STATE_NEVER_EXISTED || state == LESSOR_STATE_HANDED_OVER;
}

/* Whether it was made is not known. */
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
	int64_t created_ms;		/* by the provider's clock; 0 if not told */
	/* Of a server that is listed, for people; NULL if not told. */
	const char *status;		/* the provider's own word */
	const char *type;
	const char *address;
	uint32_t protection;		/* LESSOR_PROTECTION_, the provider's own against deletion */
	uint32_t reserved;
};

#define LESSOR_PROTECTION_UNKNOWN 0
#define LESSOR_PROTECTION_OFF 1
#define LESSOR_PROTECTION_ON 2

/* Keys of the labels that the host puts on everything; look-ups select by them. */
#define LESSOR_LABEL_INSTANCE "lessor-instance"	/* lessor_broker_id */
#define LESSOR_LABEL_LEASE "lessor-lease"	/* the lease's id */
#define LESSOR_LABEL_ATTEMPT "lessor-attempt"	/* decimal */
#define LESSOR_LABEL_KIND "lessor-kind"		/* "server", "key", ... */
#define LESSOR_LABEL_OWNER "lessor-owner"	/* for people: reduced to the label grammar */
#define LESSOR_LABEL_SIG "lessor-sig"		/* the host's signature over all of these but the owner */
/* And those that the host has put there later (lessor_permit_change): */
#define LESSOR_LABEL_RETAIN "lessor-retain"	/* kept by a no-delete release: the lease's epoch then, decimal */
#define LESSOR_LABEL_GEN "lessor-gen"		/* sentinel: counts the broker's starts and no-delete releases */
#define LESSOR_LABEL_HOLDER "lessor-holder"	/* sentinel: which process wrote lessor-gen */

/* What lessor_intend hands out: what to make, under which name, with which labels. */
struct lessor_intent {
	uint32_t size;			/* sizeof(struct lessor_intent), set by the plugin */
	uint32_t attempt;
	int64_t row;
	const char *name;		/* [a-z0-9-]{1,63}, starts and ends alphanumeric */
	const struct lessor_label *labels; /* all must be put on the resource; keys and values are
					 * [A-Za-z0-9._-]{1,63}, alphanumeric at both ends */
	size_t label_count;
};

/* What lessor_permit_change hands out. */
struct lessor_change {
	uint32_t size;			/* sizeof(struct lessor_change), set by the plugin */
	uint32_t what;			/* LESSOR_CHANGE_ */
	int64_t row;
	/*
	 * LABELS and UNPROTECT: all labels that the resource must bear after the change, those of
	 * others included, as they were read in this step. None: leave the labels as they are.
	 */
	const struct lessor_label *labels;
	size_t label_count;
};

#define LESSOR_CHANGE_LABELS 1		/* replace its labels */
#define LESSOR_CHANGE_PROTECT 2		/* switch the provider's delete protection on */
#define LESSOR_CHANGE_UNPROTECT 3	/* replace its labels, then switch the protection off */

/* ---- Actions: what a provider may ask its cloud, declared as data --------- */

#define LESSOR_READS 1u		/* reads one object */
#define LESSOR_LISTS 2u		/* reads a page of a list of objects */
#define LESSOR_MAKES 3u		/* makes what an intent of this step names */
#define LESSOR_CHANGES 4u	/* changes an object of the ledger: its labels, say */
#define LESSOR_PROTECTS 5u	/* switches an object's protection against deletion on or off */
#define LESSOR_DESTROYS 6u	/* destroys an object of the ledger */

#define LESSOR_KIND_BIT(kind) (1u << (kind))

/*
 * One kind of request. The host sends a request only if its method and the path
 * in front of its query match one of the provider's actions, and judges the
 * answer by what stands here. "At" members are JSON pointers (RFC 6901) without
 * escapes; those about an object are relative to that object. "": the whole of it.
 * NULL: there is no such thing.
 *
 * A request with an effect needs a row of this lease's ledger whose kind is in
 * `kinds` and, if the path has an {id}, whose id is that segment, byte for byte:
 *
 *   MAKES     an intent of this step for that row, and no earlier request for it
 *   CHANGES   an object that this lease made while it is being provisioned, or
 *             lessor_permit_change in this step
 *   PROTECTS  lessor_permit_change (PROTECT or UNPROTECT) in this step; once
 *   DESTROYS  lessor_permit_delete in this step; once
 *
 * No method is harmless by itself: a GET declared as DESTROYS needs its permit,
 * and a DELETE cannot be declared as anything less than CHANGES. Where several
 * actions match a request, the one with the greatest effect counts.
 */
struct lessor_action {
	const char *name;	/* for people: [a-z_]{1,32} */
	const char *method;	/* "GET", "POST", "PUT" or "DELETE" */
	const char *path;	/* template, "/servers/{id}": {id} is the object's id, any other
				 * {word} matches one segment, whatever it is */
	const char *object_at;	/* READS, MAKES: the object in a 2xx answer; LISTS: the array */
	const char *id_at;	/* in the object: its id, text or an integer */
	const char *name_at;
	const char *labels_at;	/* an object of texts */
	const char *protected_at; /* a boolean: true while deletion is refused */
	/* READS of what a delete left running (lessor_deleting's action stands for {id}) */
	const char *status_at;	/* from the root of the answer: a text */
	const char *failed;	/* its value when nothing was and will be deleted */
	/*
	 * LISTS: query keys, each at most once in a request. A list without a filter for names or
	 * labels declares NULL. The listing by name is asked for without the filter for labels and
	 * the one by labels without a name; pages differ in nothing but their number.
	 */
	const char *by_name;	/* value: the exact name */
	const char *by_labels;	/* value: a selector that holds both the instance and the lease */
	const char *page;	/* value: the page's number, from 1 */
	const char *next_at;	/* from the root: absent, null, false, 0 or "" on the last page */
	uint32_t kinds;		/* LESSOR_KIND_BIT of what it is about */
	uint32_t effect;	/* LESSOR_READS, ... */
};

/* ---- HTTP, by the host ---------------------------------------------------- */

/*
 * The host adds the credential, keeps to the account's configured origin and the
 * declared actions, sends whatever has an effect on a fresh connection, follows no
 * redirect, caps the answer, charges the account's call budget, and logs without
 * secrets.
 */
struct lessor_http_request {
	uint32_t size;			/* sizeof(struct lessor_http_request) */
	uint32_t flags;			/* none yet */
	const char *method;		/* "GET", "POST", "PUT" or "DELETE" */
	const char *path;		/* begins with '/', below the configured origin and base path;
					 * already percent-encoded; may carry a query */
	const void *body;		/* JSON, or NULL */
	size_t body_len;
	int64_t row;			/* ledger row the effect belongs to; required if there is one */
	int64_t share_ms;		/* reads: an equal answer up to this old will do, also one another
					 * step asked for; 0 = ask anew. Shared answers prove no absence and
					 * open no permit */
};

#define LESSOR_DID_NOT_HAPPEN 1	/* the request was not sent, whatever the reason */
#define LESSOR_HAPPENED 2	/* a complete answer was read: judge by status and body */
#define LESSOR_UNKNOWN 3	/* sent, or maybe sent, and no complete answer */
#define LESSOR_CONTRADICTORY 4	/* an answer that cannot be one (redirect, too large, not HTTP) */

struct lessor_http_response {
	uint32_t size;			/* sizeof(struct lessor_http_response), set by the plugin */
	uint32_t outcome;
	int32_t status;			/* HTTP status; 0 unless outcome is HAPPENED */
	uint32_t error_class;		/* LESSOR_CLASS_ when there is no answer: RATE if the host's own
					 * budget said no, BUG if the request broke a rule above */
	const char *body;		/* terminated by NUL as well; "" if none */
	size_t body_len;
	const char *content_type;	/* "" if none */
	const char *request_id;		/* the provider's correlation id, for error texts; "" if none */
	const char *error;		/* one sentence when there is no answer; "" otherwise */
	int64_t wait_ms;		/* when to come back, by Retry-After, RateLimit-* or the budget; 0 if
					 * nothing was said */
	int64_t age_ms;			/* of a shared answer */
};

/* ---- Outputs: facts for the client, copied by the host ------------------- */

#define LESSOR_OUT_HOST 1		/* address to connect to; required for DONE from provision */
#define LESSOR_OUT_SERVER_ID 2		/* that of a row of the lease that is PRESENT */
#define LESSOR_OUT_SERVER_NAME 3	/* and its name; with LESSOR_OWN_IO the machine's own will do */
#define LESSOR_OUT_SERVER_TYPE 4
#define LESSOR_OUT_LOCATION 5
#define LESSOR_OUT_STATUS 6		/* inspect: the provider's own word for its state */

/* ---- The host's table ------------------------------------------------------ */

struct lessor_call;

#define LESSOR_LOG_ERROR 3
#define LESSOR_LOG_WARNING 4
#define LESSOR_LOG_INFO 6
#define LESSOR_LOG_DEBUG 7

/*
 * Functions returning int: 0 is yes, -1 is no. "No" is logged by the host, and
 * the plugin must honour it: the usual answer is to return
 * lessor_retry(call, LESSOR_CLASS_TRANSIENT, 0, "...") or, where said below,
 * lessor_refuse. Use the lessor_ wrappers at the end of this file.
 */
struct lessor_host {
	uint32_t size;
	uint32_t abi;

	/* One line; the host adds provider, account and lease. */
	void (*log)(struct lessor_call *call, int level, const char *fmt, ...) LESSOR_PRINTF(3, 4);
	/* Wall clock, ms. Never compare it with the provider's clock. */
	int64_t (*now)(struct lessor_call *call);
	/* When this step should be over, ms wall clock. */
	int64_t (*deadline)(struct lessor_call *call);
	/* The broker's own id: the value of LESSOR_LABEL_INSTANCE on everything it made. */
	const char *(*broker_id)(struct lessor_call *call);
	/* 1 when the step should return as soon as it can (shutdown, client cancelled). */
	int (*cancelled)(struct lessor_call *call);
	/* Zeroed scratch memory, freed by the host after the operation; NULL if size is absurd. */
	void *(*alloc)(struct lessor_call *call, size_t size);
	/* Option values, checked against the plugin's table. Undeclared keys give NULL / 0. */
	const char *(*option_text)(struct lessor_call *call, const char *key);
	int64_t (*option_int)(struct lessor_call *call, const char *key);

	/* Verdict helpers: record and return the verdict. `wait_ms` 0 = let the host choose. */
	int (*pending)(struct lessor_call *call, int64_t wait_ms, const char *cursor);
	int (*fail)(struct lessor_call *call, int verdict, uint32_t error_class, int64_t wait_ms,
		    const char *fmt, ...) LESSOR_PRINTF(5, 6);
	/* LESSOR_OUT_ value; the last one of a key wins. Kept only with DONE. */
	void (*output)(struct lessor_call *call, int key, const char *value);

	/* Returns 0 when an answer is described by `response`, whatever its outcome. */
	int (*http)(struct lessor_call *call, const struct lessor_http_request *request,
		    struct lessor_http_response *response);

	/*
	 * Opens attempt `attempt` (>= 1, one more than the last) of a type in a
	 * location; -1 if the lease no longer wants to be provisioned.
	 */
	int (*attempt)(struct lessor_call *call, uint32_t attempt, const char *type,
		       const char *location);
	/* Closes an attempt with its reason; the client is shown both. */
	int (*attempt_refused)(struct lessor_call *call, uint32_t attempt, uint32_t error_class,
			       const char *reason);
	/* Commits an intent. -1: stale, retained, cancelled or the account is blocked; make nothing. */
	int (*intend)(struct lessor_call *call, uint32_t kind, uint32_t attempt,
		      struct lessor_intent *intent);
	/* The create succeeded. `action` is what to wait for, or "". */
	int (*created)(struct lessor_call *call, int64_t row, const char *id, const char *action);
	/* The create definitely did not happen. */
	int (*not_created)(struct lessor_call *call, int64_t row, const char *reason);
	/* Sent, and nobody knows. */
	int (*unknown)(struct lessor_call *call, int64_t row, const char *reason);
	/*
	 * A complete look-up (exact name, and labels, all pages) after an INTENDED
	 * or UNKNOWN found nothing. 0: settled, the row is NEVER_EXISTED. -1: not yet;
	 * look again later (return RETRY with wait 0). Settled are two such look-ups at
	 * least 10 s apart, each later than `settle` after the request could last be out.
	 */
	int (*not_seen)(struct lessor_call *call, int64_t row);
	/*
	 * A look-up found something of ours. The host checks name, labels and
	 * signature, fills in the id of the row that stands for it, or makes a row
	 * if there is none. It must stand in an answer of this step. -1: it is not
	 * ours; leave it alone.
	 */
	int (*adopt)(struct lessor_call *call, const struct lessor_observed *seen);
	/*
	 * Something usable that this lease did not make itself, as a key that was
	 * there or an address that the provider gave its server; recorded, never deleted.
	 */
	int (*reuse)(struct lessor_call *call, uint32_t kind, const char *id, const char *name);
	/*
	 * Asks for permission to delete exactly one resource. The last request of this
	 * step must be the exact, unshared read of it; the host judges that answer, not
	 * `seen`. 0: the row is DELETE_AUTHORIZED, and one destroying request may follow
	 * in this step. -1: refused. The host has recorded why and decided what becomes
	 * of the lease; the plugin returns lessor_refuse(call, LESSOR_CLASS_OWNERSHIP, "...").
	 */
	int (*permit_delete)(struct lessor_call *call, int64_t row,
			     const struct lessor_observed *seen);
	/* The delete was accepted; `action` is what to wait for, or "". */
	int (*deleting)(struct lessor_call *call, int64_t row, const char *action);
	/* The delete was sent, or may have been, and its outcome is unknown. */
	int (*delete_unknown)(struct lessor_call *call, int64_t row, const char *reason);
	/*
	 * It is there: it was read just now, or the provider says that it refused or
	 * gave up the delete. The host keeps a delete that may be under way as unknown.
	 */
	int (*still_there)(struct lessor_call *call, int64_t row, const char *reason);
	/*
	 * Absent: after an accepted delete one exact read that answers 404 or 410;
	 * otherwise that and complete listings by name and by labels without it, all in
	 * this step. 0: the row is GONE. -1: not now; return RETRY. Absence without an
	 * accepted delete of ours is believed only after two such observations, a minute
	 * apart. Where a delete takes effect at once, deleting comes before gone all the
	 * same.
	 */
	int (*gone)(struct lessor_call *call, int64_t row, const char *evidence);

	/* A small text cache per account, for catalogues and sold-out marks. NULL if absent or stale. */
	const char *(*cache_get)(struct lessor_call *call, const char *key);
	void (*cache_put)(struct lessor_call *call, const char *key, const char *value,
			  int64_t keep_ms);

	/* Collectors for list and catalog; what they get is copied. -1: stop, enough. */
	int (*listed)(struct lessor_call *call, const struct lessor_observed *seen);
	int (*offer)(struct lessor_call *call, const char *type, const char *location,
		     int64_t price_hour_micros, const char *currency, uint32_t available);

	/*
	 * Asks for permission to change one resource, which the last request of this step
	 * has read exactly and unshared. 0: send it, as `change` says, and then read the
	 * resource exactly once more: what that answer shows is what the host records, at
	 * the latest at the end of the step. 1: it is as it must be; send nothing. -1:
	 * refused; the host has recorded why. The plugin returns as for permit_delete.
	 */
	int (*permit_change)(struct lessor_call *call, int64_t row, uint32_t what,
			     const struct lessor_observed *seen, struct lessor_change *change);
};

/* The part of a call that a plugin may see; the rest is the host's. */
struct lessor_call {
	const struct lessor_host *host;
};

/* ---- Waiting leases: what observe looks for -------------------------------- */

/*
 * One of the leases that an observe is about, with a call object of its own, on which
 * the plugin reports as it would in provision. Read arrays of it through
 * lessor_waiting_at: the host's elements may be larger than this header's.
 */
struct lessor_waiting {
	uint32_t size;			/* of this structure, set by the host */
	int32_t verdict;		/* set by the plugin: what provision would return (DONE, PENDING,
					 * RETRY, REFUSED); 0, as it was: this look says nothing of it */
	struct lessor_call *call;	/* the lease's; no request may be made on it */
	const struct lessor_lease *lease;	/* without user_data: nothing is made here */
};

/* ---- Options: declared as data -------------------------------------------- */

#define LESSOR_OPTION_TEXT 1
#define LESSOR_OPTION_INT 2
#define LESSOR_OPTION_BOOL 3		/* option_int gives 0 or 1 */
#define LESSOR_OPTION_DURATION 4	/* "90s", "5m", "2h"; option_int gives ms */
#define LESSOR_OPTION_CHOICE 5		/* one of `choices`, "a|b|c" */
#define LESSOR_OPTION_URL 6		/* an origin with a base path; see `origin` below */

struct lessor_option {
	const char *key;	/* [a-z_]{1,32} */
	const char *preset;	/* value when the file has none; NULL: required */
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
 * A server is always made with the lease's user_data, and is what that says: so the host
 * may put into it what the machine is known by, and tell clients.
 */
#define LESSOR_CAN_USER_DATA 1u
/*
 * The provider reaches its machines by I/O of its own and not by the host's HTTP. The host
 * has no record to judge its reports by and takes its word. Ignored beside http_auth.
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
	 * How the host's HTTP authenticates: "bearer" (the only one so far), or
	 * NULL for a provider that makes no HTTP request. And the default origin;
	 * the option "endpoint", if declared, overrides it.
	 */
	const char *http_auth;
	const char *http_origin;
	/* Every request that it may make; needed with http_auth. */
	const struct lessor_action *actions;
	size_t action_count;
	size_t action_size;		/* sizeof(struct lessor_action) */
	/*
	 * How late the provider may show what it made, ms: nothing that was perhaps made is
	 * called absent earlier. 0: 5 minutes. An account's key `settle` overrides it.
	 */
	int64_t visible_within_ms;

	/*
	 * Makes an instance from checked options (lessor_option_text). No network.
	 * *instance may stay NULL if nothing is needed. Returns LESSOR_DONE, or
	 * lessor_refuse(...) with a sentence for the operator. Main thread.
	 */
	int (*open)(struct lessor_call *call, void **instance);
	/* Drops what open made; nothing of that instance runs any more. */
	void (*close)(void *instance);

	/* Brings a lease nearer to ready. DONE (with outputs), PENDING, RETRY or REFUSED. */
	int (*provision)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/* Brings a lease nearer to nothing: servers, their absence, then keys. GONE, PENDING, RETRY, REFUSED. */
	int (*cleanup)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * Looks, and changes nothing at the provider: settles INTENDED and UNKNOWN
	 * rows by a look-up (adopt, not_seen; RETRY until settled), then reports on
	 * the lease's server: DONE with outputs, GONE, RETRY or REFUSED. The host
	 * calls it where nothing may be deleted.
	 */
	int (*inspect)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * Enumerates everything of `kind` that carries this broker's labels, all
	 * pages, through lessor_listed. DONE only if the inventory is complete; DONE
	 * at once for a kind that is never made here. Of ADDRESS, which the
	 * provider makes by itself and without labels: those that nothing uses, and
	 * the host knows which of them came with a server of ours (lessor_reuse).
	 */
	int (*list)(void *instance, struct lessor_call *call, uint32_t kind);

	/* -- optional from here on -- */

	/*
	 * Proves that the account is the one we know, by the sentinel in
	 * lease->resources (made if there is none): DONE, RETRY, or REFUSED with
	 * class AUTH or ACCOUNT. Asks lessor_permit_change (LABELS) for the sentinel
	 * after each read of it: the host counts there. NULL: assumed well.
	 */
	int (*probe)(void *instance, struct lessor_call *call, const struct lessor_lease *account);
	/* Reports types, locations and prices through lessor_offer. */
	int (*catalog)(void *instance, struct lessor_call *call);
	/*
	 * The operator changed something: read the files that the options name again.
	 * The options are what they were at open. DONE, or REFUSED with a sentence for
	 * the operator if anything in them is wrong: then all stays as it was; RETRY if
	 * they could not be read now. It runs like any other operation, on a worker and
	 * beside the others as far as `concurrency` allows: what it exchanges they read.
	 * Nothing is made or unmade here. NULL: there is nothing to read.
	 */
	int (*reload)(void *instance, struct lessor_call *call);
	/*
	 * Protects what a no-delete release keeps: for each RETAINED row of ours reads it,
	 * has it labelled (lessor_permit_change, LABELS) and, where the provider has it,
	 * protected against deletion (PROTECT), with a read after each change; reports
	 * lessor_gone for what is absent. Nothing is deleted here. DONE when nothing is
	 * left to change, PENDING, RETRY or REFUSED. Lifting the protection is cleanup's
	 * (UNPROTECT). NULL: the broker's own record is all that keeps them.
	 */
	int (*retain)(void *instance, struct lessor_call *call, const struct lessor_lease *lease);
	/*
	 * One look for many leases of an account that wait for their servers: what provision
	 * would find out for each of them, from listings that are parsed once. The ledger of
	 * each lease holds a server of its own that is PRESENT, of an attempt that is open,
	 * and nothing whose outcome is unknown.
	 *
	 * Requests are made on `call` and only read. What they show of a lease's server is
	 * reported on waiting[i].call, as in provision: outputs, a verdict by lessor_pending,
	 * lessor_retry or lessor_refuse, lessor_reuse of an address that came with it,
	 * lessor_attempt_refused. Any other report and any effect is a breach, on all of the
	 * calls. DONE for a lease needs an answer to `call` that shows its server.
	 *
	 * For a lease whose verdict is left 0 the host calls provision. Leave 0 what the
	 * listings do not show: provision reads it by its id.
	 *
	 * Returns the verdict on the look as a whole: DONE; RETRY with class and wait, and the
	 * leases left 0 wait as if a step of their own had failed so; REFUSED: with class AUTH
	 * or ACCOUNT the account is blocked and they wait, with any other provision is called.
	 * Runs on one thread, and never beside another operation of one of these leases.
	 * NULL: each lease is looked for by provision.
	 */
	int (*observe)(void *instance, struct lessor_call *call, struct lessor_waiting *waiting,
		       size_t count);
};

/* The one exported symbol. Pure: calling it twice, or in a tool, does nothing. */
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

static inline const struct lessor_resource *lessor_resource_at(const struct lessor_lease *lease,
							       size_t i)
{
	return (const struct lessor_resource *)(const void *)
		((const char *)lease->resources + i * lease->resource_size);
}

static inline struct lessor_waiting *lessor_waiting_at(struct lessor_waiting *waiting, size_t i)
{
	/* Each element tells the size of all of them. */
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
