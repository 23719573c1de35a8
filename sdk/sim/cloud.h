/* SPDX-License-Identifier: MIT */
/*
 * A simulated Hetzner Cloud: ground truth and request handler in one object.
 *
 * The cloud is a pure function of its input. It has no sockets, clock or threads, and no
 * randomness other than its seed: the same configuration and the same sequence of
 * (now, request) produce the same bytes. The caller passes the time as `now_ms`, Unix time
 * in milliseconds, which must never go backwards. Changes over time (a server boots, a
 * delete completes) are computed at the next call.
 *
 * A response consists of status, headers and body, and of directives for the transport:
 * cut it, delay it, drip it, lose it. `hetzner-sim` applies these to real sockets (shell.c);
 * a test harness in the same process applies them to its own model of a connection.
 *
 * One cloud belongs to one thread at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "util/err.h"

struct cloud;

/* Results are copies, or borrowed until the next call. */
enum cloud_kind { CLOUD_SERVER, CLOUD_KEY, CLOUD_IP, CLOUD_KIND_COUNT };
const char *cloud_kind_name(enum cloud_kind kind); /* "server", "ssh_key", "primary_ip" */

/* One event. Strings are borrowed and valid during the callback. */
struct cloud_event {
	uint64_t seq; /* from 1, without gaps */
	int64_t at_ms;
	/*
	 * "created", "delete_requested", "deleted", "status", "renamed", "relabelled",
	 * "protected", "unprotected" (against deletion), "auto_delete", ... Writing an
	 * unchanged name, unchanged labels or protection is not an event.
	 */
	const char *what;
	enum cloud_kind kind;
	int64_t id;
	const char *name;
	const char *lease; /* the value of the lease label at creation; "" if none */
	const char *who;   /* "t1" (a token), "human", "cloud" */
	uint64_t request;  /* the number of the request that caused it; 0 if none */
	const char *text;  /* the new status, name, "on" or "off"; otherwise "" */
};

typedef void cloud_event_fn(void *arg, const struct cloud_event *event);

struct cloud_config {
	uint64_t seed;
	/* Durations in the life of a server, in milliseconds of the cloud's clock. */
	int64_t create_ms;    /* create_server is running */
	int64_t off_ms;	      /* then the server is `off` */
	int64_t boot_ms;      /* then start_server is running */
	int64_t lag_ms;	      /* delay until the status becomes `running` */
	int64_t delete_ms;    /* delete_server is running */
	int64_t ip_delete_ms; /* how long an auto_delete primary IP outlives its server */
	int64_t power_ms;     /* poweroff, reboot, ... are running */
	/* Quotas of a project; requests beyond them get 403. */
	int64_t max_servers, max_dedicated_cores, max_primary_ips, max_keys;
	int rate_on;	       /* refuse with 429 if the bucket is empty */
	int64_t rate_per_hour; /* size of the bucket, and its refill per hour */
	/*
	 * The response to a write with a read-only token. 0: 403 forbidden; 1: 401
	 * token_readonly, like the API until autumn 2026.
	 */
	int readonly_401;
	/* The response to an unknown image names the field, as it once did. */
	int image_field;
	/* The lock after a create lasts until start_server ends, not only create_server. */
	int lock_until_started;
	int64_t skew_ms;	 /* added to every time in responses */
	const char *lease_label; /* the key of the label that identifies a lease */
	int64_t signal_pid;	 /* default target of `signal` faults; 0: none */
	size_t requests_kept;	 /* number of recent requests kept for /_sim/requests */
	size_t history_kept;	 /* number of recent events kept; counters are never reset */
	/*
	 * The first address of the machines behind the servers (cloud_machine), in host
	 * byte order. 0: there are no machines, and addresses are from the ranges for
	 * documentation.
	 */
	uint32_t machine_net;
	/* Called for every event, or NULL; may only call the cloud_object_ functions. */
	cloud_event_fn *observe;
	void *observe_arg;
};
/* Sets the defaults, which are typical of Hetzner. */
void cloud_config_init(struct cloud_config *config);
/* Sets one number by name ("boot_ms"), as in /_sim/config and scenarios. */
int cloud_config_set(struct cloud_config *config, const char *name, int64_t value, struct err *err);

struct cloud *cloud_new(const struct cloud_config *config); /* copies */
void cloud_free(struct cloud *cloud);			    /* takes NULL */

/*
 * Adds a token. If none was added, every token opens project 0. Tests use project 0; the
 * others are separate, and empty at first.
 */
void cloud_add_token(struct cloud *cloud, const char *token, int project, int readonly);

/* A scenario: {"config":{},"tokens":[],"catalogue":{},"objects":[],"faults":[]}. README.md. */
int cloud_load(struct cloud *cloud, int64_t now_ms, const char *json, size_t len, struct err *err);

struct cloud_request {
	const char *method;
	const char *target;	   /* "/v1/servers?name=a", or "/_sim/..." */
	const char *authorization; /* the value of the header, or NULL */
	/* Scheme, host and port for links, "http://127.0.0.1:8080"; NULL: Hetzner's. */
	const char *origin;
	const char *body;
	size_t body_len;
	int reused; /* not the first request on its connection */
	int remote; /* the peer is on another machine: refuse /_sim/ */
};

struct cloud_header {
	char *name, *value;
};

enum cloud_end {
	CLOUD_END_KEEP,	 /* the connection stays open */
	CLOUD_END_CLOSE, /* closed after the data */
	CLOUD_END_RESET, /* reset after the data */
	CLOUD_END_HANG,	 /* stays open, but nothing more is sent */
};

/* Directives for the transport. As set by cloud_response_init: none. */
struct cloud_wire {
	/*
	 * Not executed yet. The driver waits (in real time, not the cloud's) and then
	 * calls cloud_resume, even if the client has disconnected.
	 */
	uint64_t ticket;
	int64_t hold_ms;    /* with a ticket: how long to wait; -1: until released */
	int64_t delay_ms;   /* delay before the first byte */
	int64_t head_cut;   /* >= 0: send only this many bytes of the head, then `end` */
	int64_t body_cut;   /* >= 0: send only this many bytes of the body, then `end` */
	enum cloud_end end; /* CLOSE without a cut: after the whole response, unannounced */
	int64_t declared;   /* >= 0: the value of Content-Length, whatever the body */
	int chunked;	    /* Transfer-Encoding: chunked instead of Content-Length */
	int interim;	    /* number of "HTTP/1.1 103" before the response; -1: endless */
	size_t drip_bytes;  /* > 0: send this many bytes every drip_ms */
	int64_t drip_ms;
	int stray; /* send the whole response twice */
	/* A process to signal before anything else is done with this response. */
	int64_t signal_pid; /* 0: none */
	int signal_number;
	int signal_late; /* instead after the response was passed to the kernel */
};

struct cloud_response {
	int status;
	struct cloud_header *headers;
	size_t header_count;
	char *body; /* owned; terminated by a NUL not counted in body_len */
	size_t body_len;
	struct cloud_wire wire;
};
void cloud_response_init(struct cloud_response *response);
void cloud_response_fini(struct cloud_response *response);
void cloud_response_add_header(struct cloud_response *response, const char *name, const char *value);
const char *cloud_response_header(const struct cloud_response *response, const char *name);

/* Handles one request. The caller initialises `ret_response`. */
void cloud_handle(struct cloud *cloud, int64_t now_ms, const struct cloud_request *request,
		  struct cloud_response *ret_response);
/* Executes the request of a ticket. -1: no such ticket. */
int cloud_resume(struct cloud *cloud, int64_t now_ms, uint64_t ticket,
		 struct cloud_response *ret_response);
/* Advances the cloud to `now_ms`. cloud_handle also does this. */
void cloud_advance(struct cloud *cloud, int64_t now_ms);
/* The time of the next change; INT64_MAX: none. */
int64_t cloud_next_ms(const struct cloud *cloud);

/* Whether all conditions of "/_sim/wait?..." hold; -1 with `err` if they are invalid. */
int cloud_wait_met(struct cloud *cloud, int64_t now_ms, const char *target, struct err *err);

/* The real state, for a checker in the same process. */
struct cloud_object {
	enum cloud_kind kind;
	int project;
	int64_t id;
	const char *name;
	const char *lease;
	const char *who; /* its creator */
	int64_t created_ms;
	const char *status; /* of a server; "" otherwise */
	int64_t server;	    /* of a primary IP; 0: unassigned */
	int is_protected;   /* against deletion */
	/* Currently hidden by a fault: from reads by id, from lists. */
	int is_hidden, is_unlisted;
};
/*
 * The current object, in any project, also while faults hide it from clients. -1: it never
 * existed or is deleted. Strings are borrowed until the next call that is not const.
 */
int cloud_object_find(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
		      struct cloud_object *ret);
/* The value of one of its labels; NULL: no such label or object. Borrowed. */
const char *cloud_object_label(const struct cloud *cloud, enum cloud_kind kind, int64_t id,
			       const char *key);
typedef void cloud_object_fn(void *arg, const struct cloud_object *object);
void cloud_visit_objects(const struct cloud *cloud, cloud_object_fn *fn, void *arg);
void cloud_visit_events(struct cloud *cloud, uint64_t after_seq, cloud_event_fn *fn, void *arg);
/* The parameters of the machine behind a server; "" if absent. */
struct cloud_machine {
	const char *name;
	const char *address; /* IPv4 */
	const char *user_data;
	const char *keys; /* public keys from the create request, one per line */
};
/* Borrowed until the next call. -1: no such server, or config.machine_net is 0. */
int cloud_machine_find(const struct cloud *cloud, int project, int64_t id,
		       struct cloud_machine *ret);
/* The number of requests for an operation ("s.create"; NULL: all), of a lease (NULL: all). */
uint64_t cloud_calls(const struct cloud *cloud, const char *op, const char *lease);
