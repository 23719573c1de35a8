/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "sim/out.h"
#include "sim/world.h"
#include "util/alloc.h"

struct action *action_find(const struct cloud *cloud, int project, int64_t id)
{
	size_t low = 0, high = cloud->action_count;

	while (low < high) {
		size_t mid = (low + high) / 2;
		struct action *a = &cloud->actions[mid];

		if (a->id == id)
			return a->project == project && !a->unknown ? a : NULL;
		if (a->id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

struct action *action_new(struct cloud *cloud, const struct thing *thing, const char *command,
	int64_t started_ms, int64_t finish_ms)
{
	struct action *action;

	if (cloud->action_count == cloud->action_room) {
		cloud->action_room = cloud->action_room ? cloud->action_room * 2 : 64;
		cloud->actions = xrealloc(cloud->actions,
			cloud->action_room * sizeof(*cloud->actions));
	}
	action = &cloud->actions[cloud->action_count++];
	*action = (struct action){
		.id = cloud->next_action_id,
		.project = thing->project,
		.command = command,
		.kind = thing->kind,
		.thing = thing->id,
		.started_ms = started_ms,
		.finish_ms = finish_ms,
	};
	cloud->next_action_id += 1 + (int64_t)(world_random(cloud) % 1000);
	return action;
}

struct action *server_act(struct cloud *cloud, struct server *server, const char *command,
	int64_t started_ms, int64_t finish_ms)
{
	struct action *action = action_new(cloud, &server->base, command, started_ms, finish_ms);
	size_t n = server->action_count;

	if (!(n & (n - 1)))
		server->actions = xrealloc(server->actions, (n ? n * 2 : 1) * sizeof(int64_t));
	server->actions[server->action_count++] = action->id;
	return action;
}

void action_fail(struct action *action, const json_t *args)
{
	const json_t *error = json_object_get(args, "error");

	action->failed = 1;
	action->shape = json_is_null(error) ? ERROR_NULL
		: !strcmp(args_str(args, "error", ""), "missing") ? ERROR_MISSING : ERROR_GIVEN;
	action->code = xstrdup(args_str(args, "code", "action_failed"));
	action->message = xstrdup(args_str(args, "message", "Action failed"));
}

/* Nonsensical progress: up to 100, back to 10, and still running. */
static int64_t odd_progress(int64_t done)
{
	return done < 30 ? done * 3 : done < 60 ? 100 : 10;
}

static int64_t action_progress(const struct action *a, int64_t now_ms)
{
	int64_t span = a->finish_ms == NEVER ? 60000 : a->finish_ms - a->started_ms;
	int64_t done = now_ms - a->started_ms;

	if (now_ms >= a->finish_ms)
		return 100;
	done = span > 0 && done > 0 ? done * 100 / span : 0;
	if (done > 99)
		done = 99;
	return a->odd ? odd_progress(done) : done;
}

static void write_error(const struct action *a, struct buf *out)
{
	if (a->shape == ERROR_MISSING)
		return;
	out_key(out, "error");
	if (a->shape == ERROR_NULL) {
		out_null(out);
		return;
	}
	out_begin(out, '{');
	out_key_str(out, "code", a->code);
	out_key_str(out, "message", a->message);
	out_end(out, '}');
}

static void write_resource(struct buf *out, int64_t id, const char *type)
{
	out_begin(out, '{');
	out_key_int(out, "id", id);
	out_key_str(out, "type", type);
	out_end(out, '}');
}

void action_write(const struct cloud *cloud, const struct action *a, int64_t now_ms,
	struct buf *out)
{
	int done = now_ms >= a->finish_ms;

	out_begin(out, '{');
	out_key_int(out, "id", a->id);
	out_key_str(out, "command", a->command);
	out_key_str(out, "status", !done ? "running" : a->failed ? "error" : "success");
	out_key_int(out, "progress", action_progress(a, now_ms));
	out_key_time(out, "started", a->started_ms + cloud->config.skew_ms);
	out_key(out, "finished");
	if (done)
		out_time(out, a->finish_ms + cloud->config.skew_ms);
	else
		out_null(out);
	out_key_begin(out, "resources", '[');
	write_resource(out, a->thing, cloud_kind_name(a->kind));
	if (a->image)
		write_resource(out, a->image, "image");
	out_end(out, ']');
	if (done && a->failed)
		write_error(a, out);
	else
		out_key_null(out, "error");
	out_end(out, '}');
}
