/* SPDX-License-Identifier: MIT */
/*
 * The internals of the cloud, used only by its own files: objects, wakeups, tokens, history.
 */
#pragma once

#include <jansson.h>
#include <stdint.h>
#include <sys/queue.h>

#include "sim/catalogue.h"
#include "sim/cloud.h"
#include "sim/count.h"
#include "sim/fault.h"
#include "sim/label.h"

#define NEVER INT64_MAX

/* The common part of servers, keys and primary IPs; their first member. */
struct thing {
	enum cloud_kind kind;
	int project;
	int64_t id;
	char *name;
	struct labels labels;
	char *lease; /* "" if none */
	char *who;
	int64_t created_ms;
	int protected_delete;
	int64_t hidden_from_ms, hidden_until_ms; /* reads by id return 404 in between */
	int64_t unlisted_until_ms;		 /* not in lists before */
	int ghost;				 /* deleted, but lists still show it */
	size_t record;				 /* the index of its record in the counts */
	void (*fini)(struct thing *thing);	 /* frees what its kind adds; NULL: nothing */
};

struct key {
	struct thing base;
	char *public_key;
	char fingerprint[48];
};

struct ip {
	struct thing base;
	int v6;
	char address[64];
	int64_t server; /* 0: unassigned */
	int auto_delete;
	const struct location *location;
	int64_t gone_ms;
};

enum { PHASES_MAX = 12 };
struct phase {
	int64_t at_ms;
	const char *status;
};

struct server {
	struct thing base;
	const struct server_type *type;
	const struct location *location;
	const struct image *image;
	int64_t ip4, ip6;    /* the ids of its primary IPs; 0: none */
	int64_t ip4_from_ms; /* hidden before */
	int ip4_left_out;    /* until then absent instead of null */
	int protected_rebuild;
	struct phase phases[PHASES_MAX]; /* by time; the status is the last one begun */
	size_t phase_count, phases_told;
	int64_t locked_until_ms;
	int64_t gone_ms;	       /* when it will be deleted; NEVER: no delete under way */
	int64_t ghost_ms, reappear_ms; /* faults of the delete; 0: none */
	int64_t ghost_until_ms;
	int64_t *actions; /* ids, oldest first */
	size_t action_count;
	char *user_data, *keys; /* only with machines, otherwise NULL */
};

enum error_shape { ERROR_GIVEN, ERROR_NULL, ERROR_MISSING };

struct action {
	int64_t id;
	int project;
	const char *command;  /* static */
	enum cloud_kind kind; /* of its object */
	int64_t thing;
	int64_t image; /* a second resource; 0: none */
	int64_t started_ms, finish_ms;
	int failed;
	enum error_shape shape;
	char *code, *message;
	int unknown; /* not found by reads */
	int odd;     /* progress is nonsensical */
};

struct token {
	char *value;
	char name[16]; /* t1, t2, ...: shown instead of the value */
	int project, readonly, revoked;
};

struct shelf {
	struct thing **all; /* sorted by id */
	size_t count, room;
};

struct wakeup {
	int64_t at_ms, id;
	enum cloud_kind kind;
};

struct bucket {
	int64_t level; /* in units of 1 / 3,600,000 token */
	int64_t at_ms;
};

enum { PROJECTS_MAX = 8 };

struct held;

struct cloud {
	struct cloud_config config;
	char *lease_label;
	uint64_t random;
	int64_t now_ms;
	struct shelf shelves[CLOUD_KIND_COUNT];
	struct action *actions; /* sorted by id */
	size_t action_count, action_room;
	struct wakeup *wakeups; /* a heap, earliest first */
	size_t wakeup_count, wakeup_room;
	int64_t next_id[CLOUD_KIND_COUNT], next_action_id;
	uint32_t addresses; /* number of addresses assigned */
	struct catalogue catalogue;
	struct token **tokens;
	size_t token_count;
	int token_any; /* unknown tokens open project 0 */
	struct bucket buckets[PROJECTS_MAX];
	struct rules *rules;
	struct counts *counts;
	SLIST_HEAD(, held) held; /* requests not executed yet */
	uint64_t tickets, requests;
};

/* world.c */
void world_clear(
	struct cloud *cloud); /* removes objects, rules, counts and held requests, not tokens */
struct token *world_token(struct cloud *cloud, const char *value); /* NULL: not accepted */

/* thing.c: objects of any kind. */
uint64_t world_random(struct cloud *cloud);
/* Of any project, ghosts included. */
struct thing *world_find_any(const struct cloud *cloud, enum cloud_kind kind, int64_t id);
struct thing *world_find(const struct cloud *cloud, enum cloud_kind kind, int project, int64_t id);
struct thing *world_find_name(const struct cloud *cloud, enum cloud_kind kind, int project,
			      const char *name);
size_t world_count(const struct cloud *cloud, enum cloud_kind kind, int project);
/* Adds a new, zeroed object: sets id, time and lease, and takes ownership. */
void world_add(struct cloud *cloud, struct thing *thing, enum cloud_kind kind, int project,
	       const char *name, const char *who, uint64_t request);
void thing_free(struct thing *thing);
void world_remove(struct cloud *cloud, struct thing *thing); /* removes and frees it */
/* Hides it for the time given by the `hidden` faults of the plan. */
void thing_hide(struct thing *thing, int64_t now_ms, const struct plan *plan);
int thing_is_shown(const struct thing *thing, int64_t now_ms);	/* to reads by id */
int thing_is_listed(const struct thing *thing, int64_t now_ms); /* ghosts are listed for a while */
void world_wake(struct cloud *cloud, int64_t at_ms, const struct thing *thing);
void world_tell(struct cloud *cloud, int64_t at_ms, const char *what, const struct thing *thing,
		const char *who, uint64_t request, const char *text);
/* Change an object, and record an event if anything changed. */
void thing_rename(struct cloud *cloud, struct thing *thing, const char *to, const char *who,
		  uint64_t request);
void thing_relabel(struct cloud *cloud, struct thing *thing, struct labels *labels, const char *who,
		   uint64_t request); /* takes ownership of the labels */
void thing_protect(struct cloud *cloud, struct thing *thing, int on, const char *who,
		   uint64_t request);
/* Deletes it: records the event, ends its bill, frees it. */
void world_delete(struct cloud *cloud, int64_t at_ms, struct thing *thing, const char *who,
		  uint64_t request);

/* server.c: the life of a server. */
struct server_order {
	const struct server_type *type;
	const struct location *location;
	const struct image *image;
	const json_t *labels; /* valid */
	int ipv4, ipv6, start;
	struct ip *own_ip[2];  /* existing primary IPs, v4 and v6, or NULL */
	const char *user_data; /* or NULL */
	const char *keys;      /* as in struct cloud_machine, or NULL */
};
struct server *server_new(struct cloud *cloud, int project, const char *name,
			  const struct server_order *order, const struct plan *plan,
			  const char *who, uint64_t request);
const char *server_status(const struct server *server, int64_t now_ms);
void server_set_phase(struct cloud *cloud, struct server *server, int64_t at_ms, const char *status);
void server_wake(struct cloud *cloud, struct server *server, int64_t at_ms);
/* Deletes it immediately, without an action. */
void server_destroy(struct cloud *cloud, int64_t at_ms, struct server *server, const char *who,
		    uint64_t request);
void server_write(struct cloud *cloud, const struct server *server, int64_t now_ms, struct buf *out);
struct action *server_act(struct cloud *cloud, struct server *server, const char *command,
			  int64_t started_ms, int64_t finish_ms);

/* action.c. Pointers to actions are valid until the next one is created. */
struct action *action_new(struct cloud *cloud, const struct thing *thing, const char *command,
			  int64_t started_ms, int64_t finish_ms);
struct action *action_find(const struct cloud *cloud, int project, int64_t id);
void action_fail(struct action *action, const json_t *args); /* code, message, error */
void action_write(const struct cloud *cloud, const struct action *action, int64_t now_ms,
		  struct buf *out);

/* key.c */
struct key *key_new(struct cloud *cloud, int project, const char *name, const char *public_key,
		    const json_t *labels, const char *who, uint64_t request);
/* The MD5 of the key's blob as aa:bb:...; -1: not an OpenSSH public key. */
int key_fingerprint(const char *public_key, char ret[48]);
struct key *key_find_fingerprint(const struct cloud *cloud, int project, const char *fingerprint);
void key_write(const struct cloud *cloud, const struct key *key, struct buf *out);

/* ip.c */
/* Whether it is deleted together with its server. */
void ip_set_auto_delete(struct cloud *cloud, struct ip *ip, int on, const char *who,
			uint64_t request);
struct ip *ip_new(struct cloud *cloud, int project, int v6, const struct location *location,
		  int64_t server, int auto_delete, const char *who, uint64_t request);
void ip_write(const struct cloud *cloud, const struct ip *ip, struct buf *out);

/* human.c: {"verb":"delete","kind":"server","name":"a"} */
int human_act(struct cloud *cloud, int64_t now_ms, const json_t *order, struct err *err);
/* admin.c: all endpoints under /_sim/ that need no driver. */
void admin_handle(struct cloud *cloud, int64_t now_ms, const struct cloud_request *request,
		  struct cloud_response *response);
/* config.c: {"boot_ms":1000}; {"token":"..." or "name":"t1","readonly":,"revoked":,"project":} */
int config_change(struct cloud *cloud, const json_t *json, struct err *err);
int config_change_token(struct cloud *cloud, const json_t *json, struct err *err);
