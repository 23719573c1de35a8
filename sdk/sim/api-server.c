/* SPDX-License-Identifier: MIT */
/*
 * /servers.
 */
#include <string.h>

#include "sim/call.h"
#include "sim/out.h"
#include "util/alloc.h"

#define ORDER_KEYS_MAX (1 << 20)	/* bytes */

static void write_one(struct call *call, const struct thing *thing)
{
	server_write(call->cloud, (const struct server *)thing, call->now_ms, &call->out);
}

static void reply_server(struct call *call, const struct server *s)
{
	out_begin(&call->out, '{');
	out_key(&call->out, "server");
	server_write(call->cloud, s, call->now_ms, &call->out);
	out_end(&call->out, '}');
}

void server_list(struct call *call)
{
	reply_list(call, CLOUD_SERVER, "servers", write_one);
}

static struct server *need_server(struct call *call)
{
	return (struct server *)call_need(call, CLOUD_SERVER, "server");
}

void server_get(struct call *call)
{
	struct server *s = need_server(call);

	if (s)
		reply_server(call, s);
}

void server_create(struct call *call)
{
	struct buf *out = &call->out;
	struct server_order order;
	struct server *s;
	struct buf keys auto_buf;
	char password[16];

	buf_init(&keys, ORDER_KEYS_MAX);
	if (order_read(call, &order, &keys))
		return;
	call->effect = 1;
	call->response->status = 201;
	s = server_new(call->cloud, call->project, json_string_value(json_object_get(call->body,
		"name")), &order, &call->plan, call_who(call), call->number);
	out_begin(out, '{');
	out_key(out, "server");
	server_write(call->cloud, s, call->now_ms, out);
	out_key(out, "action");
	write_made(call, action_find(call->cloud, call->project, s->actions[0]));
	out_key_begin(out, "next_actions", '[');
	for (size_t i = 1; i < s->action_count; i++)
		write_made(call, action_find(call->cloud, call->project, s->actions[i]));
	out_end(out, ']');
	out_key(out, "root_password");
	if (keys.len) {
		out_null(out);
	} else {
		snprintf(password, sizeof(password), "Sim%09llu",
			(unsigned long long)(world_random(call->cloud) % 1000000000));
		out_str(out, password);
		world_tell(call->cloud, call->now_ms, "password_mailed", &s->base, "cloud",
			call->number, "");
	}
	out_end(out, '}');
}

void server_update(struct call *call)
{
	struct server *s = need_server(call);

	if (s && !thing_update(call, &s->base))
		reply_server(call, s);
}

static int is_locked(struct call *call, const struct server *s)
{
	if (call->now_ms >= s->locked_until_ms)
		return 0;
	reply_error(call, 423, "locked",
		"cannot perform operation because server is locked", NULL);
	return 1;
}

void server_delete(struct call *call)
{
	struct server *s = need_server(call);
	const json_t *lag = plan_find(&call->plan, FAULT_DELETE_LAG);
	const json_t *error = plan_find(&call->plan, FAULT_DELETE_ERROR);
	const json_t *ghost = plan_find(&call->plan, FAULT_GHOST);
	const json_t *reappear = plan_find(&call->plan, FAULT_REAPPEAR);
	int64_t lasts_ms = call->cloud->config.delete_ms;
	struct action *a;

	if (!s)
		return;
	if (s->base.protected_delete) {
		reply_error(call, 423, "protected", "server deletion is protected", NULL);
		return;
	}
	if (is_locked(call, s))
		return;
	call->effect = 1;
	a = server_act(call->cloud, s, "delete_server", call->now_ms,
		action_end_ms(call, lasts_ms));
	a->odd = call_has(call, FAULT_PROGRESS_ODD);
	if (error)
		action_fail(a, error);
	world_tell(call->cloud, call->now_ms, "delete_requested", &s->base, call_who(call),
		call->number, "");
	s->locked_until_ms = call->now_ms + lasts_ms;
	if (!error && !call_has(call, FAULT_DELETE_IGNORED)) {
		const char *status = args_str(lag, "status", "deleting");

		s->gone_ms = call->now_ms + lasts_ms + args_int(lag, "ms", 0);
		s->locked_until_ms = s->gone_ms;
		s->ghost_ms = ghost ? args_int(ghost, "ms", 5000) : 0;
		s->reappear_ms = reappear ? args_int(reappear, "gap_ms", 5000) : 0;
		server_set_phase(call->cloud, s, call->now_ms,
			!strcmp(status, "running") ? "running" : "deleting");
		world_wake(call->cloud, s->gone_ms, &s->base);
	}
	reply_action(call, 200, a);
}

static const struct power {
	const char *verb, *command;
	const char *now, *then;		/* statuses; NULL: as before */
} powers[] = {
	{ "poweron", "start_server", "starting", "running" },
	{ "poweroff", "stop_server", "stopping", "off" },
	{ "shutdown", "shutdown_server", NULL, "off" },
	{ "reboot", "reboot_server", NULL, NULL },
	{ "reset", "reset_server", NULL, NULL },
};

void server_power(struct call *call)
{
	struct server *s = need_server(call);
	const char *verb = strrchr(call->query.path, '/') + 1;
	const json_t *error = plan_find(&call->plan, FAULT_START_ERROR);
	const struct power *power = powers;
	int64_t end_ms;
	struct action *a;

	if (!s || is_locked(call, s))
		return;
	while (strcmp(power->verb, verb))
		power++;
	call->effect = 1;
	end_ms = action_end_ms(call, call->cloud->config.power_ms);
	a = server_act(call->cloud, s, power->command, call->now_ms, end_ms);
	s->locked_until_ms = end_ms;
	if (error) {
		action_fail(a, error);
	} else {
		if (power->now)
			server_set_phase(call->cloud, s, call->now_ms, power->now);
		if (power->then && end_ms != NEVER)
			server_set_phase(call->cloud, s, end_ms, power->then);
	}
	world_tell(call->cloud, call->now_ms, power->verb, &s->base, call_who(call),
		call->number, "");
	reply_action(call, 201, a);
}

void server_protect(struct call *call)
{
	struct server *s = need_server(call);
	const json_t *delete = json_object_get(call->body, "delete");
	const json_t *rebuild = json_object_get(call->body, "rebuild");

	if (!s)
		return;
	if (!json_is_boolean(delete) || !json_is_boolean(rebuild)
	    || json_is_true(delete) != json_is_true(rebuild)) {
		reply_text(call, "delete and rebuild must be equal");
		return;
	}
	if (is_locked(call, s))
		return;
	reply_protect(call, &s->base, json_is_true(delete), server_act(call->cloud, s,
		"change_protection", call->now_ms, action_end_ms(call, 0)));
}
