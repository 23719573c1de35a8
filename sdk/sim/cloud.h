/* SPDX-License-Identifier: MIT */
/*
 * A simulated Hetzner Cloud: ground truth and request handler in one object.
 *
 * The cloud is a pure function of what it is told. It has no socket, no clock,
 * no thread and no randomness but its seed: the same configuration and the same
 * sequence of (now, request) give the same bytes. Whoever drives it brings the
 * time, `now_ms`, unix time in milliseconds, which must never go backwards.
 * What happens by itself (a server boots, a delete completes) is computed from
 * the times when the next call comes.
 *
 * An answer is a status, headers and a body, and also what the wire should do to
 * them: cut them, delay them, drip them, lose them. `hetzner-sim` does that
 * to real sockets (shell.c); a harness in the same process does it to its own
 * idea of a connection.
 *
 * One cloud belongs to one thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct cloud;

/* Everything the cloud tells is copied out or borrowed until the next call. */
enum cloud_kind { CLOUD_SERVER, CLOUD_KEY, CLOUD_IP, CLOUD_KIND_COUNT };
const char *cloud_kind_name(enum cloud_kind kind);	/* "server", "ssh_key", "primary_ip" */

/* One line of the truth. Strings are borrowed, valid during the call that shows it. */
struct cloud_event {
	uint64_t seq;		/* from 1, without gaps */
	int64_t at_ms;
	/*
	 * "created", "delete_requested", "deleted", "status", "renamed", "relabelled",
	 * "protected", "unprotected" (against deletion), "auto_delete", ... Writing
	 * the name, labels or protection that are there already is no event.
	 */
	const char *what;
	enum cloud_kind kind;
	int64_t id;
	const char *name;
	const char *lease;	/* value of the lease label at creation; "" if none */
	const char *who;	/* "t1" (a token), "human", "cloud" */
	uint64_t request;	/* number of the request that did it; 0 if none did */
	const char *text;	/* the new status, name, "on" or "off"; "" if there is nothing to say */
};

typedef void cloud_event_fn(void *arg, const struct cloud_event *event);

struct cloud_config {
	uint64_t seed;
	/* The time line of a server, in milliseconds of the cloud's clock. */
	int64_t create_ms;	/* create_server runs */
	int64_t off_ms;		/* then the server is `off` */
	int64_t boot_ms;	/* then start_server runs */
	int64_t lag_ms;		/* and `running` shows this much after its success */
	int64_t delete_ms;	/* delete_server runs */
	int64_t ip_delete_ms;	/* an auto_delete primary IP outlives its server by this */
	int64_t power_ms;	/* poweroff, reboot, ... run */
	/* Quotas of a project; an order above one is a 403. */
	int64_t max_servers, max_dedicated_cores, max_primary_ips, max_keys;
	int rate_on;		/* refuse with 429 when the bucket is empty */
	int64_t rate_per_hour;	/* size of the bucket, and what comes back in an hour */
	/*
	 * What a read-only token gets when it writes. 0: 403 forbidden; 1: 401
	 * token_readonly, as the API answered until autumn 2026.
	 */
	int readonly_401;
	int64_t skew_ms;	/* added to every time the API shows */
	const char *lease_label; /* key of the label that names a lease */
	int64_t signal_pid;	/* target of `signal` faults that name none; 0: none */
	size_t requests_kept;	/* most recent requests remembered for /_sim/requests */
	size_t history_kept;	/* most recent events remembered; counts are for ever */
	/*
	 * Machines stand behind the servers (cloud_machine). Their addresses count
	 * upwards from this one, in host byte order; 0: there are no machines, and
	 * addresses come from the ranges of documentation.
	 */
	uint32_t machine_net;
	/* NULL, or told of every event; may call cloud_object_*() below and nothing else here. */
	cloud_event_fn *observe;
	void *observe_arg;
};
/* The defaults: about what Hetzner does on a good day. */
void cloud_config_init(struct cloud_config *config);
/* Sets one number by its name ("boot_ms"), as the admin interface and the scenario do. */
int cloud_config_set(struct cloud_config *config, const char *name, int64_t value, struct err *err);

struct cloud *cloud_new(const struct cloud_config *config);	/* copies */
void cloud_free(struct cloud *cloud);	/* takes NULL */

/*
 * Adds a token. While none was added every token opens project 0. Project 0 is
 * the one a test works in; others are separate, and empty at first.
 */
void cloud_add_token(struct cloud *cloud, const char *token, int project, int readonly);

/* A scenario: {"config":{},"tokens":[],"catalogue":{},"objects":[],"faults":[]}. README.md. */
int cloud_load(struct cloud *cloud, int64_t now_ms, const char *json, size_t len, struct err *err);

struct cloud_request {
	const char *method;
	const char *target;		/* "/v1/servers?name=a", or "/_sim/..." */
	const char *authorization;	/* the header's value, or NULL */
	const char *body;
	size_t body_len;
	int reused;			/* not the first request on its connection */
	int remote;			/* the peer is not this machine: no /_sim/ for it */
};

struct cloud_header {
	char *name, *value;
};

enum cloud_end {
	CLOUD_END_KEEP,		/* the connection lives on */
	CLOUD_END_CLOSE,	/* it is closed after what was sent */
	CLOUD_END_RESET,	/* it is reset after what was sent */
	CLOUD_END_HANG,		/* nothing more is sent, and it stays open */
};

/* What the wire does to an answer. Zero and -1 as cloud_response_init sets them: nothing. */
struct cloud_wire {
	/*
	 * Not executed yet. The driver waits (in its own time, not the
	 * cloud's) and then calls cloud_resume, even if the client has left.
	 */
	uint64_t ticket;
	int64_t hold_ms;	/* with a ticket: the wait; -1: until somebody releases it */
	int64_t delay_ms;	/* wait before the first byte */
	int64_t head_cut;	/* >= 0: only so many bytes of the head, then `end` */
	int64_t body_cut;	/* >= 0: only so many bytes of the body, then `end` */
	enum cloud_end end;	/* CLOSE without a cut: after a whole answer, unannounced */
	int64_t declared;	/* >= 0: value of Content-Length, whatever the body's length */
	int chunked;		/* Transfer-Encoding: chunked instead of Content-Length */
	int interim;		/* so many "HTTP/1.1 103" before the answer; -1: without end */
	size_t drip_bytes;	/* > 0: so many bytes each drip_ms */
	int64_t drip_ms;
	int stray;		/* the whole answer is sent twice */
	/* A process to be killed, before anything else happens with this answer. */
	int64_t signal_pid;	/* 0: none */
	int signal_number;
	int signal_late;	/* only after the answer was handed to the kernel */
};

struct cloud_response {
	int status;
	struct cloud_header *headers;
	size_t header_count;
	char *body;		/* owned; NUL after body_len, which it does not count */
	size_t body_len;
	struct cloud_wire wire;
};
void cloud_response_init(struct cloud_response *response);
void cloud_response_fini(struct cloud_response *response);
void cloud_response_add_header(struct cloud_response *response, const char *name,
	const char *value);
const char *cloud_response_header(const struct cloud_response *response, const char *name);

/* Answers one request. `ret_response` is initialised by the caller. */
void cloud_handle(struct cloud *cloud, int64_t now_ms, const struct cloud_request *request,
	struct cloud_response *ret_response);
/* Executes the request behind a ticket. 0, or -1 when there is no such ticket. */
int cloud_resume(struct cloud *cloud, int64_t now_ms, uint64_t ticket,
	struct cloud_response *ret_response);
/* Lets everything happen that is due. cloud_handle does it too. */
void cloud_advance(struct cloud *cloud, int64_t now_ms);
/* When the next thing happens by itself; INT64_MAX: never. */
int64_t cloud_next_ms(const struct cloud *cloud);

/* Whether all conditions of "/_sim/wait?..." hold; -1 and `err` when they make no sense. */
int cloud_wait_met(struct cloud *cloud, int64_t now_ms, const char *target, struct err *err);

/* Ground truth for a checker in the same process. */
struct cloud_object {
	enum cloud_kind kind;
	int project;
	int64_t id;
	const char *name;
	const char *lease;
	const char *who;	/* who made it */
	int64_t created_ms;
	const char *status;	/* of a server; "" otherwise */
	int64_t server;		/* of a primary IP; 0 when it belongs to none */
	int is_protected;	/* against deletion */
	/* What a fault hides at this moment: from reads of its id, from lists. */
	int is_hidden, is_unlisted;
};
/*
 * The object as it is now, in whatever project, also while faults hide it from
 * clients. -1: it never was, or is deleted. Strings are borrowed until the next
 * call that is not const.
 */
int cloud_object_find(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
	struct cloud_object *ret);
/* The value of one of its labels; NULL: it has no such label, or does not exist. Borrowed. */
const char *cloud_object_label(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
	const char *key);
typedef void cloud_object_fn(void *arg, const struct cloud_object *object);
void cloud_visit_objects(const struct cloud *cloud, cloud_object_fn *fn, void *arg);
void cloud_visit_events(struct cloud *cloud, uint64_t after_seq, cloud_event_fn *fn, void *arg);
/* What the machine behind a server is made of. "" for what there is none of. */
struct cloud_machine {
	const char *name;
	const char *address;	/* IPv4 */
	const char *user_data;
	const char *keys;	/* of the order: public keys, a line each */
};
/* Borrowed until the next call. -1: there is no such server, or config.machine_net is 0. */
int cloud_machine_find(const struct cloud *cloud, int project, int64_t id,
	struct cloud_machine *ret);
/* Requests seen for an operation ("s.create"; NULL: all), of one lease or of all (NULL). */
uint64_t cloud_calls(const struct cloud *cloud, const char *op, const char *lease);
