/* SPDX-License-Identifier: MIT */
/*
 * One request on its way through the cloud, and the words handlers answer with.
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
	uint64_t number;		/* of the request */
	enum op op;
	call_fn *handler;
	struct query query;
	int64_t id, sub_id;		/* numbers in the path; -1: none */
	json_t *body;			/* NULL: no JSON */
	const struct token *token;	/* NULL: none that is valid */
	int project;
	/* What the request is about, as far as it says or the objects tell; "" and NULL. */
	char name[256], lease[72];
	const struct server_type *type;
	const struct location *location;
	struct plan plan;
	struct buf out;			/* becomes the body */
	int effect;			/* something was changed */
	int gateway;			/* a gateway answers, without the API's headers */
	int rate_said;			/* a fault has written the RateLimit headers */
};

/* route.c: takes the request apart; finds op and handler; and what it is about. */
void call_parse(struct call *call);
void call_clear(struct call *call);
void call_study(struct call *call);

const char *call_who(const struct call *call);	/* name of its token */
int call_has(const struct call *call, enum fault_kind kind);	/* whether it is planned */
/* The object with the path's id, if it is shown now; otherwise answers 404 and returns NULL. */
struct thing *call_need(struct call *call, enum cloud_kind kind, const char *what);

/* Answers. `details` is JSON; NULL: null. The last one said counts. */
void reply_error(struct call *call, int status, const char *code, const char *message,
	const char *details);
void reply_field(struct call *call, const char *field, const char *message);
void reply_text(struct call *call, const char *message);	/* 422 invalid_input, no fields */
void reply_not_found(struct call *call, const char *what);
void reply_no_method(struct call *call);
void reply_no_path(struct call *call);

/* A page of a list. */
struct page {
	int64_t page, per_page;
	size_t total, from, until;	/* show from <= i < until */
};
int page_begin(struct call *call, size_t total, struct page *ret);	/* -1: answered 422 */
void page_end(struct call *call, const struct page *page);	/* writes the member "meta" */
/* The list of a kind of objects, filtered by name, selector, status, fingerprint, ip. */
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
/* api-thing.c: what is wrong with a name (NULL: it is missing); NULL: nothing. */
const char *name_complaint(enum cloud_kind kind, const char *name);
void reply_name_taken(struct call *call, enum cloud_kind kind);
/* The name and the labels of a PUT. Changes all or, with -1 when it answered, nothing. */
int thing_update(struct call *call, struct thing *thing);
/* The end of a change_protection, once it is checked; `action` is what it made. */
void reply_protect(struct call *call, struct thing *thing, int on, struct action *action);
/*
 * api-order.c: what a POST /servers asks for. -1: answered. Texts are borrowed from
 * the body, but for those in `keys`, initialised by the caller: one for each key.
 */
int order_read(struct call *call, struct server_order *ret, struct buf *keys);
/* api-action.c */
void action_get(struct call *call);
void action_list(struct call *call);
void action_list_server(struct call *call);
int64_t action_end_ms(const struct call *call, int64_t lasts_ms);	/* of one made now */
/* Writes an action the request made; a fault may make it one that is never found again. */
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

/* answer.c: what faults make of a call. */
void answer_fault(struct call *call, const struct plan_item *item);	/* an ANSWER fault */
void answer_wire(struct call *call);		/* WIRE faults, on a finished answer */
/* lie.c: BODY faults, on the text of an answer. */
void lie_about(struct call *call);
