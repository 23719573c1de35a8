/* SPDX-License-Identifier: MIT */
#include "readiness.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "api.h"
#include "delete.h"
#include "lookup.h"
#include "parse.h"
#include "poll_estimate.h"
#include "server.h"

#define FOLLOW_MS (20 * 1000) /* read the actions this often even if all looks normal */
#define OFF_MS (30 * 1000)    /* `off` for this long after a successful start: it will not boot */
#define LOST_MS (10 * 1000)   /* between the two reads that establish that a server is lost */
#define OTHER_MS (4 * 1000)   /* after this time it is looked up by name if its id shows another */
#define ROLLBACK_WAIT_MS 1000
#define LIST_PAGE_SIZE 50
#define LIST_PAGES_MAX 4 /* newest first; older servers are read by their ids */

static void progress_read(const char *cursor, struct progress *ret)
{
	*ret = (struct progress){ 0 };
	if (sscanf(cursor, "boot %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64, &ret->unready_ms,
		   &ret->followed_ms, &ret->off_ms, &ret->lost_ms) != 4)
		*ret = (struct progress){ 0 };
}

static int64_t wait_elapsed(const struct readiness *w)
{
	return w->now - w->attempt->started_ms;
}

/* Since the create was answered. An adopted server has no actions; it is at most this old. */
static int64_t server_age(const struct readiness *w, int64_t now)
{
	return now - (w->row->action[0] ? w->row->changed_ms : w->row->created_ms);
}

static void readiness_subject(struct lessor_call *call, const struct lessor_attempt *attempt,
			      struct poll_subject *ret)
{
	int64_t poll_ms = lessor_option_int(call, OPT_POLL);

	*ret = (struct poll_subject){
		.grain_ms = poll_ms / 2,
		.guess_ms = poll_ms / 2,
		.longest_ms = 5 * poll_ms,
	};
	snprintf(ret->what, sizeof(ret->what), "boot/%.40s/%.40s", attempt->type, attempt->location);
}

int64_t readiness_wait(struct lessor_call *call, const struct lessor_attempt *attempt,
		       int64_t age_ms)
{
	int64_t left_ms = attempt->started_ms + lessor_option_int(call, OPT_BOOT_TIMEOUT) + 1 -
			  lessor_now(call);
	struct poll_subject subject;
	int64_t wait_ms;

	readiness_subject(call, attempt, &subject);
	wait_ms = poll_estimate_wait(call, &subject, age_ms);
	return left_ms > 0 && wait_ms > left_ms ? left_ms : wait_ms;
}

int readiness_pending(struct readiness *w)
{
	char cursor[128];

	snprintf(cursor, sizeof(cursor), "boot %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64,
		 w->progress.unready_ms, w->progress.followed_ms, w->progress.off_ms,
		 w->progress.lost_ms);
	return lessor_pending(w->z->call,
			      readiness_wait(w->z->call, w->attempt, server_age(w, w->now)),
			      cursor);
}

/* The server is rolled back, then the next candidate is tried. */
static int attempt_give_up(struct readiness *w, uint32_t error_class, const char *reason)
{
	lessor_log(w->z->call, LESSOR_LOG_INFO, "giving up server %s (%s): %s", w->row->id,
		   w->row->name, reason);
	if (lessor_attempt_refused(w->z->call, w->attempt->number, error_class, reason))
		return lessor_retry(w->z->call, LESSOR_CLASS_TRANSIENT, 0,
				    "an attempt could not be closed");
	/* The rollback begins with a read of the server, which was just read. */
	return lessor_pending(w->z->call, ROLLBACK_WAIT_MS, "");
}

static int is_too_late(const struct readiness *w)
{
	return wait_elapsed(w) > lessor_option_int(w->z->call, OPT_BOOT_TIMEOUT);
}

static int too_late(struct readiness *w)
{
	char reason[64];

	snprintf(reason, sizeof(reason), "not ready after %" PRId64 " s",
		 lessor_option_int(w->z->call, OPT_BOOT_TIMEOUT) / 1000);
	return attempt_give_up(w, LESSOR_CLASS_TIMEOUT, reason);
}

/*
 * A failed read says nothing about the server, which may already be running: it is not given up
 * unseen, even after its time. The host ends a wait that lasts too long.
 */
int readiness_read_failed(struct readiness *w, const struct reply *reply)
{
	return api_retry(w->z->call, reply, "waiting for the server");
}

/* ---- reading ------------------------------------------------------------------------ */

static int is_ours(const struct readiness *w, const struct server *s)
{
	const char *instance = thing_label(&s->thing, LESSOR_LABEL_INSTANCE);
	const char *lease = thing_label(&s->thing, LESSOR_LABEL_LEASE);

	return strcmp(s->thing.id, w->row->id) == 0 && strcmp(s->thing.name, w->row->name) == 0 &&
	       instance && strcmp(instance, lessor_broker_id(w->z->call)) == 0 && lease &&
	       strcmp(lease, w->z->lease->id) == 0;
}

int readiness_is_other(const struct readiness *w, const struct server *s)
{
	return !is_ours(w, s) && !is_too_late(w) && w->progress.lost_ms &&
	       w->now - w->progress.lost_ms >= OTHER_MS;
}

static int is_ready(const struct readiness *w, const struct server *s)
{
	return strcmp(s->status, "running") == 0 && server_host(w->z->call, s)[0];
}

/* Of an adopted server it is not known when it was created. */
static void learn_boot(struct readiness *w)
{
	struct poll_sample sample = {
		.after_ms = w->progress.unready_ms,
		.by_ms = server_age(w, lessor_now(w->z->call)),
	};
	struct poll_subject subject;

	if (!w->row->action[0])
		return;
	readiness_subject(w->z->call, w->attempt, &subject);
	poll_estimate_learn(w->z->call, &subject, sample);
}

static int report_ready(struct readiness *w, const struct server *s)
{
	struct lessor_call *call = w->z->call;

	learn_boot(w);
	lessor_output(call, LESSOR_OUT_HOST, server_host(call, s));
	lessor_output(call, LESSOR_OUT_SERVER_ID, s->thing.id);
	lessor_output(call, LESSOR_OUT_SERVER_NAME, s->thing.name);
	lessor_output(call, LESSOR_OUT_SERVER_TYPE, s->type[0] ? s->type : w->attempt->type);
	lessor_output(call, LESSOR_OUT_LOCATION,
		      s->location[0] ? s->location : w->attempt->location);
	return LESSOR_DONE;
}

enum look_result {
	LOOK_SEEN,   /* *ret_server is the server */
	LOOK_ABSENT, /* not on the pages read */
	LOOK_FAILED, /* see the reply */
};

static enum look_result look_on_page(struct readiness *w, const struct reply *reply, int64_t number,
				     struct server *ret_server, int *ret_last)
{
	int64_t own = strtoll(w->row->id, NULL, 10);
	struct list_page page;
	json_t *item;
	size_t i;

	*ret_last = 1;
	if (parse_page(reply->root, "servers", number, &page))
		return LOOK_ABSENT;
	*ret_last = !page.next;
	json_array_foreach(page.items, i, item) {
		char id[ID_ROOM];

		if (parse_id(json_object_get(item, "id"), id))
			continue;
		if (strcmp(id, w->row->id) == 0)
			return parse_server(item, ret_server) ? LOOK_ABSENT : LOOK_SEEN;
		if (strtoll(id, NULL, 10) < own)
			*ret_last = 1;
	}
	return LOOK_ABSENT;
}

int64_t readiness_listing_age(const struct readiness *w)
{
	int64_t age_ms = w->now - w->row->changed_ms;

	/*
	 * A listing from before the create says nothing about the server, and one from before
	 * the time at which the server is expected says that it is not ready.
	 */
	return age_ms < 0 ? 0 : age_ms > w->poll_ms / 8 ? w->poll_ms / 8 : age_ms;
}

void readiness_listing_path(struct lessor_call *call, int size, int number, char *ret, size_t room)
{
	char selector[160], encoded[300];

	snprintf(selector, sizeof(selector), LESSOR_LABEL_INSTANCE "==%.100s",
		 lessor_broker_id(call));
	api_encode(selector, encoded, sizeof(encoded));
	snprintf(ret, room, "/servers?label_selector=%s&sort=id%%3Adesc&per_page=%d&page=%d",
		 encoded, size, number);
}

/*
 * One listing, newest first, serves all waiting leases. It can only show that a server
 * exists, never that it does not. The reply must outlive *ret_server.
 */
static enum look_result look_in_listing(struct readiness *w, struct reply *reply,
					struct server *ret_server)
{
	char path[420];

	for (int number = 1; number <= LIST_PAGES_MAX; number++) {
		enum look_result look;
		int last;

		readiness_listing_path(w->z->call, LIST_PAGE_SIZE, number, path, sizeof(path));
		reply_clear(reply);
		api_get(w->z->call, path, readiness_listing_age(w), reply);
		if (reply->rule)
			return LOOK_FAILED;
		look = look_on_page(w, reply, number, ret_server, &last);
		if (look == LOOK_SEEN)
			return look;
		if (last)
			break;
	}
	return LOOK_ABSENT;
}

/* An exact read found nothing. A new server may not be readable yet; two reads must agree. */
static int is_lost(struct readiness *w)
{
	if (!delete_absence_counts(w->z, w->row))
		return readiness_pending(w);
	if (!w->progress.lost_ms) {
		/* Was its create answered with the id of something else? */
		int verdict, corrected = lookup_correct(w->z, w->row, &verdict);

		if (corrected)
			return corrected < 0 ? verdict : lessor_pending(w->z->call, AT_ONCE, "");
		w->progress.lost_ms = w->now;
	}
	if (w->now - w->progress.lost_ms < LOST_MS)
		return readiness_pending(w);
	/* Its absence is established like any other before the next type is tried. */
	return attempt_give_up(w, LESSOR_CLASS_FAILED,
			       "the server disappeared while it was "
			       "being created");
}

/* ---- the actions -------------------------------------------------------------------- */

/* "1,2" as "/actions?id=1&id=2"; for an adopted server, its own list of actions. */
static void actions_path(const struct lessor_resource *row, char *ret, size_t room)
{
	const char *second = strchr(row->action, ',');
	int len = second ? (int)(second - row->action) : (int)strlen(row->action);

	if (!row->action[0])
		snprintf(ret, room, "/servers/%s/actions?sort=id&per_page=50", row->id);
	else if (second)
		snprintf(ret, room, "/actions?id=%.*s&id=%s", len, row->action, second + 1);
	else
		snprintf(ret, room, "/actions?id=%s", row->action);
}

/* Is `id` in the list "1,2"? An empty list contains every id. */
static int is_named(const char *actions, const char *id)
{
	size_t len = strlen(id);

	for (const char *at = actions; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (strncmp(at, id, len) == 0 && (at[len] == ',' || at[len] == '\0'))
			return 1;
	}
	return !actions[0];
}

/* 1: all succeeded; 0: some are running or unknown; -1: one failed. */
static int actions_state(const struct readiness *w, const json_t *list)
{
	size_t i, done = 0;
	json_t *item;

	json_array_foreach(list, i, item) {
		struct action action;

		if (parse_action(item, &action))
			return 0;
		/* The action of another server in the same request. */
		if (!is_named(w->row->action, action.id))
			continue;
		if (!action_is_of(&action, w->row->id))
			return 0;
		if (strcmp(action.command, "create_server") != 0 &&
		    strcmp(action.command, "start_server") != 0)
			continue;
		if (action.status == ACTION_ERROR)
			return -1;
		if (action.status == ACTION_RUNNING)
			return 0;
		done++;
	}
	return done > 0;
}

/* Before the usual time, a server that looks normal is taken to be so. */
static int is_late(const struct readiness *w)
{
	struct poll_subject subject;
	struct poll_estimate estimate;

	readiness_subject(w->z->call, w->attempt, &subject);
	poll_estimate_load(w->z->call, &subject, &estimate);
	return server_age(w, w->now) >= poll_estimate_expected(&estimate);
}

/* Is there a reason to read its actions? */
static int is_to_be_followed(struct readiness *w, const struct server *s)
{
	int is_off = strcmp(s->status, "off") == 0;
	int64_t since = w->progress.followed_ms ? w->progress.followed_ms : w->row->changed_ms;

	w->is_off = is_off;
	if (!is_off) {
		w->progress.off_ms = 0;
		return w->now - since >= FOLLOW_MS && is_late(w);
	}
	if (w->progress.followed_ms && w->now - w->progress.followed_ms < 2 * w->poll_ms)
		return 0;
	/* `off` is normal between create and start; once both are done, allow it OFF_MS. */
	return !w->progress.off_ms || w->now - w->progress.off_ms >= OFF_MS;
}

int readiness_check_actions(struct readiness *w, const json_t *actions)
{
	int state = actions_state(w, actions);

	w->progress.followed_ms = w->now;
	if (state < 0)
		return attempt_give_up(w, LESSOR_CLASS_FAILED,
				       "the provider failed to create or start the server");
	if (!w->is_off || !state)
		w->progress.off_ms = 0;
	else if (!w->progress.off_ms)
		w->progress.off_ms = w->now;
	else if (w->now - w->progress.off_ms >= OFF_MS)
		return attempt_give_up(w, LESSOR_CLASS_FAILED,
				       "the server was created but does not start");
	return readiness_pending(w);
}

/* ---- one step ------------------------------------------------------------------------ */

int readiness_check(struct readiness *w, const struct server *s)
{
	if (!is_ours(w, s)) {
		w->progress.lost_ms = w->now;
		/* Neither handed out nor touched: the host decides what happens to it. */
		lessor_log(w->z->call, LESSOR_LOG_WARNING,
			   "server %s does not match the ledger (name '%.63s'); waiting",
			   w->row->id, s->thing.name);
		return is_too_late(w) ? too_late(w) : readiness_pending(w);
	}
	w->progress.lost_ms = 0;
	address_note(w->z, s);
	if (is_ready(w, s))
		return report_ready(w, s);
	if (strcmp(s->status, "deleting") == 0)
		return attempt_give_up(w, LESSOR_CLASS_FAILED,
				       "somebody is deleting the server while it is being "
				       "created");
	if (is_too_late(w))
		return too_late(w);
	w->progress.unready_ms = server_age(w, w->now);
	return is_to_be_followed(w, s) ? 0 : readiness_pending(w);
}

/* Checks the server, and its actions if they are needed. */
static int check_alone(struct readiness *w, const struct server *s)
{
	int verdict, corrected = 0;
	char path[160];
	auto_reply reply = { 0 };

	if (!is_ours(w, s))
		corrected = lookup_correct(w->z, w->row, &verdict);
	if (corrected)
		return corrected < 0 ? verdict : lessor_pending(w->z->call, AT_ONCE, "");
	verdict = readiness_check(w, s);
	if (verdict)
		return verdict;
	actions_path(w->row, path, sizeof(path));
	api_get(w->z->call, path, 0, &reply);
	return readiness_check_actions(w,
				       reply.rule ? NULL : json_object_get(reply.root, "actions"));
}

static int read_server(struct readiness *w)
{
	char path[64];
	auto_reply reply = { 0 };
	struct server server;

	snprintf(path, sizeof(path), "/servers/%s", w->row->id);
	api_get(w->z->call, path, 0, &reply);
	if (reply.rule && reply.rule->on_get == GET_GONE)
		return is_lost(w);
	if (reply.rule)
		return readiness_read_failed(w, &reply);
	if (parse_server(json_object_get(reply.root, "server"), &server))
		return api_nonsense(w->z->call, "waiting for the server");
	return check_alone(w, &server);
}

void readiness_begin(struct readiness *w, struct hz *z, const struct lessor_attempt *attempt,
		     const struct lessor_resource *row)
{
	*w = (struct readiness){
		.z = z,
		.attempt = attempt,
		.row = row,
		.now = lessor_now(z->call),
		.poll_ms = lessor_option_int(z->call, OPT_POLL),
	};
	progress_read(z->lease->cursor, &w->progress);
}

int readiness_step(struct hz *z, const struct lessor_attempt *attempt,
		   const struct lessor_resource *row)
{
	auto_reply reply = { 0 };
	struct server server;
	struct readiness w;

	readiness_begin(&w, z, attempt, row);
	switch (look_in_listing(&w, &reply, &server)) {
	case LOOK_SEEN:
		return check_alone(&w, &server);
	case LOOK_FAILED:
		return readiness_read_failed(&w, &reply);
	case LOOK_ABSENT:
		break;
	}
	return read_server(&w);
}
