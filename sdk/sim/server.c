/* SPDX-License-Identifier: MIT */
/*
 * The life of a server: initializing, off, starting, running; deleting, gone. LIFE faults are
 * applied here, at its creation and its end.
 */
#include <string.h>

#include "sim/out.h"
#include "sim/world.h"
#include "util/alloc.h"

const char *server_status(const struct server *server, int64_t now_ms)
{
	const char *status = "initializing";

	for (size_t i = 0; i < server->phase_count && server->phases[i].at_ms <= now_ms; i++)
		status = server->phases[i].status;
	return status;
}

/* Cancels all phases after `at_ms`. */
void server_set_phase(struct cloud *cloud, struct server *server, int64_t at_ms, const char *status)
{
	while (server->phase_count && server->phases[server->phase_count - 1].at_ms > at_ms)
		server->phase_count--;
	if (server->phase_count == PHASES_MAX) {
		memmove(&server->phases[0], &server->phases[1],
			(PHASES_MAX - 1) * sizeof(server->phases[0]));
		server->phase_count--;
		server->phases_told -= server->phases_told > 0;
	}
	server->phases[server->phase_count++] = (struct phase){ at_ms, status };
	if (server->phases_told > server->phase_count)
		server->phases_told = server->phase_count;
	world_wake(cloud, at_ms, &server->base);
}

static void add_addresses(struct cloud *cloud, struct server *s, const struct server_order *order,
	const struct plan *plan, const char *who, uint64_t request)
{
	int auto_delete = !plan_find(plan, FAULT_IP_KEPT);
	struct ip *ip;

	for (int v6 = 0; v6 < 2; v6++) {
		if (!(v6 ? order->ipv6 : order->ipv4))
			continue;
		ip = order->own_ip[v6];
		if (ip)
			ip->server = s->base.id;
		else
			ip = ip_new(cloud, s->base.project, v6, order->location, s->base.id,
				auto_delete, who, request);
		*(v6 ? &s->ip6 : &s->ip4) = ip->base.id;
	}
}

/* The lock may end before the start does. */
static int64_t lock_end_ms(const struct cloud *cloud, const struct plan *plan, int64_t made_ms,
			   int64_t started_ms)
{
	const json_t *lock = plan_find(plan, FAULT_CREATE_LOCK);

	if (json_object_get(lock, "ms"))
		return cloud->now_ms + args_int(lock, "ms", 0);
	return lock || cloud->config.lock_until_started ? started_ms : made_ms;
}

/* Without a start the server stays `off`. */
static void begin_life(struct cloud *cloud, struct server *s, const struct server_order *order,
	const struct plan *plan)
{
	const struct cloud_config *config = &cloud->config;
	const json_t *timing = plan_find(plan, FAULT_TIMING);
	const json_t *create_error = plan_find(plan, FAULT_CREATE_ERROR);
	const json_t *start_error = plan_find(plan, FAULT_START_ERROR);
	int64_t now = cloud->now_ms;
	int64_t made = now + args_int(timing, "create_ms", config->create_ms);
	int64_t starting = made + args_int(timing, "off_ms", config->off_ms);
	int64_t started = starting + args_int(timing, "boot_ms", config->boot_ms);
	struct action *a;

	s->locked_until_ms = lock_end_ms(cloud, plan, made, order->start ? started : made);
	a = server_act(cloud, s, "create_server", now, made);
	a->image = s->image->id;
	server_set_phase(cloud, s, now, "initializing");
	server_set_phase(cloud, s, made, "off");
	if (create_error) {
		action_fail(a, create_error);
		started = made;
		s->locked_until_ms = lock_end_ms(cloud, plan, made, made);
	} else if (order->start) {
		server_set_phase(cloud, s, starting, "starting");
		if (start_error)
			server_set_phase(cloud, s, started, "off");
		else
			server_set_phase(cloud, s, started
				+ args_int(timing, "lag_ms", config->lag_ms), "running");
	}
	if (!order->start)
		return;
	a = server_act(cloud, s, "start_server", now, started);
	if (create_error || start_error)
		action_fail(a, create_error ? create_error : start_error);
}

static void never_begin(struct cloud *cloud, struct server *s, const struct server_order *order,
	const json_t *stuck)
{
	server_set_phase(cloud, s, cloud->now_ms, "initializing");
	server_act(cloud, s, "create_server", cloud->now_ms, NEVER)->image = s->image->id;
	if (order->start)
		server_act(cloud, s, "start_server", cloud->now_ms, NEVER);
	s->locked_until_ms = args_true(stuck, "locked", 0) ? NEVER : cloud->now_ms;
}

/* Faults that hide the server, or parts of it, for some time. */
static void hide_server(struct cloud *cloud, struct server *s, const struct plan *plan)
{
	const json_t *late = plan_find(plan, FAULT_IPV4_LATE);

	thing_hide(&s->base, cloud->now_ms, plan);
	if (late) {
		s->ip4_from_ms = cloud->now_ms + args_int(late, "ms", 5000);
		s->ip4_left_out = args_true(late, "missing", 0);
	}
	for (size_t i = 0; i < s->action_count; i++) {
		struct action *a = action_find(cloud, s->base.project, s->actions[i]);

		if (!a)
			continue;
		a->odd = plan_find(plan, FAULT_PROGRESS_ODD) != NULL;
		if (plan_find(plan, FAULT_ENDLESS))
			a->finish_ms = NEVER;
	}
}

static void server_fini(struct thing *thing)
{
	struct server *server = (struct server *)thing;

	free(server->actions);
	free(server->user_data);
	free(server->keys);
}

struct server *server_new(struct cloud *cloud, int project, const char *name,
	const struct server_order *order, const struct plan *plan, const char *who,
	uint64_t request)
{
	struct server *s = xcalloc(1, sizeof(*s));
	const json_t *stuck = plan_find(plan, FAULT_STUCK);

	s->base.fini = server_fini;
	s->type = order->type;
	s->location = order->location;
	s->image = order->image;
	s->gone_ms = NEVER;
	if (!plan_find(plan, FAULT_LABELS_LOST))
		labels_read(order->labels, &s->base.labels, NULL);
	world_add(cloud, &s->base, CLOUD_SERVER, project, name, who, request);
	counts_price(cloud->counts, s->base.record, s->type->name, s->location->name,
		catalogue_hour_price(s->type, s->location),
		catalogue_month_price(s->type, s->location));
	add_addresses(cloud, s, order, plan, who, request);
	if (cloud->config.machine_net) {
		s->user_data = xstrdup(order->user_data ? order->user_data : "");
		s->keys = xstrdup(order->keys ? order->keys : "");
	}
	if (stuck)
		never_begin(cloud, s, order, stuck);
	else
		begin_life(cloud, s, order, plan);
	hide_server(cloud, s, plan);
	return s;
}

static void release_addresses(struct cloud *cloud, int64_t at_ms, const struct server *s)
{
	const struct shelf *shelf = &cloud->shelves[CLOUD_IP];

	for (size_t i = 0; i < shelf->count; i++) {
		struct ip *ip = (struct ip *)shelf->all[i];

		if (ip->server != s->base.id)
			continue;
		ip->server = 0;
		if (ip->auto_delete) {
			ip->gone_ms = at_ms + cloud->config.ip_delete_ms;
			world_wake(cloud, ip->gone_ms, &ip->base);
		}
	}
}

void server_destroy(struct cloud *cloud, int64_t at_ms, struct server *server, const char *who,
	uint64_t request)
{
	release_addresses(cloud, at_ms, server);
	world_delete(cloud, at_ms, &server->base, who, request);
}

static void server_pass_away(struct cloud *cloud, struct server *s, int64_t at_ms)
{
	struct thing *thing = &s->base;

	s->gone_ms = NEVER;
	if (s->reappear_ms) {
		/* It only seems to be gone. */
		thing->hidden_from_ms = at_ms;
		thing->hidden_until_ms = thing->unlisted_until_ms = at_ms + s->reappear_ms;
		s->reappear_ms = 0;
		s->locked_until_ms = 0;
		server_set_phase(cloud, s, thing->hidden_until_ms, "running");
		world_tell(cloud, at_ms, "vanished", thing, "cloud", 0, "");
	} else if (s->ghost_ms) {
		release_addresses(cloud, at_ms, s);
		thing->ghost = 1;
		world_tell(cloud, at_ms, "deleted", thing, "cloud", 0, "");
		counts_close(cloud->counts, thing->record, at_ms);
		s->ghost_until_ms = at_ms + s->ghost_ms;
		world_wake(cloud, s->ghost_until_ms, thing);
	} else {
		server_destroy(cloud, at_ms, s, "cloud", 0);
	}
}

void server_wake(struct cloud *cloud, struct server *s, int64_t at_ms)
{
	if (s->base.ghost) {
		if (s->ghost_until_ms <= at_ms)
			world_remove(cloud, &s->base);
		return;
	}
	while (s->phases_told < s->phase_count && s->phases[s->phases_told].at_ms <= at_ms) {
		world_tell(cloud, at_ms, "status", &s->base, "cloud", 0,
			s->phases[s->phases_told].status);
		s->phases_told++;
	}
	if (s->gone_ms <= at_ms)
		server_pass_away(cloud, s, at_ms);
}

int cloud_machine_find(const struct cloud *cloud, int project, int64_t id,
	struct cloud_machine *ret)
{
	const struct server *s = (const struct server *)world_find(cloud, CLOUD_SERVER, project,
		id);
	const struct ip *ip;

	if (!s || !s->user_data)
		return -1;
	ip = (const struct ip *)world_find(cloud, CLOUD_IP, project, s->ip4);
	*ret = (struct cloud_machine){
		.name = s->base.name, .address = ip ? ip->address : "",
		.user_data = s->user_data, .keys = s->keys,
	};
	return 0;
}

static void write_ipv4(struct cloud *cloud, const struct server *s, int64_t now_ms, struct buf *out)
{
	const struct ip *ip = (const struct ip *)world_find(cloud, CLOUD_IP, s->base.project,
		s->ip4);
	char name[120];

	if (!ip || now_ms < s->ip4_from_ms) {
		if (!ip || !s->ip4_left_out)
			out_key_null(out, "ipv4");
		return;
	}
	out_key_begin(out, "ipv4", '{');
	out_key_int(out, "id", ip->base.id);
	out_key_str(out, "ip", ip->address);
	out_key_bool(out, "blocked", 0);
	snprintf(name, sizeof(name), "static.%s.clients.your-server.de", ip->address);
	out_key_str(out, "dns_ptr", name);
	out_end(out, '}');
}

static void write_ipv6(struct cloud *cloud, const struct server *s, struct buf *out)
{
	const struct ip *ip = (const struct ip *)world_find(cloud, CLOUD_IP, s->base.project,
		s->ip6);

	out_key(out, "ipv6");
	if (!ip) {
		out_null(out);
		return;
	}
	out_begin(out, '{');
	out_key_int(out, "id", ip->base.id);
	out_key_str(out, "ip", ip->address);
	out_key_bool(out, "blocked", 0);
	out_key_raw(out, "dns_ptr", "[]");
	out_end(out, '}');
}

void server_write(struct cloud *cloud, const struct server *s, int64_t now_ms, struct buf *out)
{
	out_begin(out, '{');
	out_key_int(out, "id", s->base.id);
	out_key_str(out, "name", s->base.name);
	out_key_str(out, "status", server_status(s, now_ms));
	out_key_time(out, "created", s->base.created_ms + cloud->config.skew_ms);
	out_key_begin(out, "public_net", '{');
	write_ipv4(cloud, s, now_ms, out);
	write_ipv6(cloud, s, out);
	out_key_raw(out, "floating_ips", "[]");
	out_key_raw(out, "firewalls", "[]");
	out_end(out, '}');
	out_key_raw(out, "private_net", "[]");
	out_key_raw(out, "server_type", catalogue_type_json(&cloud->catalogue, s->type));
	out_key_raw(out, "image", catalogue_image_json(&cloud->catalogue, s->image));
	out_key_null(out, "iso");
	out_key_bool(out, "rescue_enabled", 0);
	out_key_bool(out, "locked", now_ms < s->locked_until_ms);
	out_key_null(out, "backup_window");
	out_key_int(out, "outgoing_traffic", 0);
	out_key_int(out, "ingoing_traffic", 0);
	out_key_int(out, "included_traffic", catalogue_traffic(s->location));
	out_key_begin(out, "protection", '{');
	out_key_bool(out, "delete", s->base.protected_delete);
	out_key_bool(out, "rebuild", s->protected_rebuild);
	out_end(out, '}');
	out_key(out, "labels");
	labels_write(&s->base.labels, out);
	out_key_raw(out, "volumes", "[]");
	out_key_raw(out, "load_balancers", "[]");
	out_key_raw(out, "location", catalogue_location_json(&cloud->catalogue, s->location));
	out_key_int(out, "primary_disk_size", s->type->disk_gb);
	out_key_null(out, "placement_group");
	out_end(out, '}');
}
