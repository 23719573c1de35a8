/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the cloud, and the functions that build its response.
 */
#pragma once

#include "sim/query.h"
#include "sim/world.h"

struct call;
typedef void call_fn(struct call *call);

struct call {
	struct cloud *cloud;
	int64_t now_ms;
	const struct cloud_request *request;
	struct cloud_response *response;
	uint64_t number; /* of the request */
	enum op op;
	call_fn *handler;
	struct query query;
	int64_t id, sub_id;	   /* the numbers in the path; -1: none */
	json_t *body;		   /* NULL: not JSON */
	const struct token *token; /* NULL: no valid token */
	int project;
	/* The subject of the request, as far as known from it and from the objects; "" or NULL. */
	char name[256], lease[72];
	const struct server_type *type;
	const struct location *location;
	struct plan plan;
	struct buf out; /* becomes the body */
	int effect;	/* it changed something */
	int gateway;	/* the response is a gateway's, without the API's headers */
	int rate_said;	/* the RateLimit headers are written */
};

/* route.c: parses the request, finds op and handler, and determines its subject. */
void call_parse(struct call *call);
void call_clear(struct call *call);
void call_study(struct call *call);

const char *call_who(const struct call *call);		     /* the name of its token */
int call_has(const struct call *call, enum fault_kind kind); /* whether it is in the plan */
/* The object with the path's id, if visible; otherwise replies 404 and returns NULL. */
struct thing *call_need(struct call *call, enum cloud_kind kind, const char *what);

/* Replies; each replaces the one before. `details` is JSON; NULL: an empty object. */
void reply_error(struct call *call, int status, const char *code, const char *message,
		 const char *details);
void reply_field(struct call *call, const char *field, const char *message);
void reply_text(struct call *call, const char *message); /* 422 invalid_input without fields */
void reply_not_found(struct call *call, const char *what);
void reply_no_method(struct call *call);
void reply_no_path(struct call *call);

/* One page of a list. */
struct page {
	int64_t page, per_page;
	size_t total, from, until; /* shows from <= i < until */
};
int page_begin(struct call *call, size_t total, struct page *ret); /* -1: replied 422 */
void page_end(struct call *call, const struct page *page);	   /* writes the member "meta" */
/* Replies with the objects of a kind, filtered by name, selector, status, fingerprint, ip. */
typedef void call_write_fn(struct call *call, const struct thing *thing);
void reply_list(struct call *call, enum cloud_kind kind, const char *member, call_write_fn *write);

/* Handlers, by file. api-server.c */
void server_list(struct call *call);
void server_get(struct call *call);
void server_create(struct call *call);
void server_update(struct call *call);
void server_delete(struct call *call);
void server_power(struct call *call);
void server_protect(struct call *call);
/* api-key.c */
void key_list(struct call *call);
void key_get(struct call *call);
void key_create(struct call *call);
void key_update(struct call *call);
void key_delete(struct call *call);
/* api-thing.c: why a name (NULL: missing) is invalid, or NULL. */
const char *name_complaint(enum cloud_kind kind, const char *name);
void reply_name_taken(struct call *call, enum cloud_kind kind);
/* Applies name and labels of a PUT. Changes all; or nothing, and returns -1 with a reply. */
int thing_update(struct call *call, struct thing *thing);
/* Applies a change_protection that was checked, and replies with its `action`. */
void reply_protect(struct call *call, struct thing *thing, int on, struct action *action);
/*
 * api-order.c: parses a POST /servers. -1: replied. Strings are borrowed from the body,
 * except the public keys in `keys`, one per line, which the caller initialises.
 */
int order_read(struct call *call, struct server_order *ret, struct buf *keys);
/* api-action.c */
void action_get(struct call *call);
void action_list(struct call *call);
void action_list_server(struct call *call);
int64_t action_end_ms(const struct call *call, int64_t lasts_ms); /* of an action created now */
/* Writes an action created by the request; a fault may make it unfindable afterwards. */
void write_made(struct call *call, struct action *action);
void reply_action(struct call *call, int status, struct action *action);
/* api-ip.c */
void ip_list(struct call *call);
void ip_get(struct call *call);
void ip_update(struct call *call);
void ip_protect(struct call *call);
void ip_delete(struct call *call);
/* api-catalogue.c */
void type_list(struct call *call);
void type_get(struct call *call);
void location_list(struct call *call);
void location_get(struct call *call);
void image_list(struct call *call);
void image_get(struct call *call);
void pricing_get(struct call *call);
void datacenter_refuse(struct call *call);
void empty_list(struct call *call);

/* answer.c, transport.c: faults. */
void answer_fault(struct call *call, const struct plan_item *item); /* an ANSWER fault */
void answer_wire(struct call *call); /* WIRE faults, for a finished response */
/* lie.c: BODY faults, applied to the text of the response. */
void lie_about(struct call *call);
