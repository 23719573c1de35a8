/* SPDX-License-Identifier: MIT */
/*
 * /primary_ips.
 */
#include "sim/call.h"
#include "sim/out.h"

static void write_ip(struct call *call, const struct thing *thing)
{
	ip_write(call->cloud, (const struct ip *)thing, &call->out);
}

void ip_list(struct call *call)
{
	reply_list(call, CLOUD_IP, "primary_ips", write_ip);
}

static struct ip *need_ip(struct call *call)
{
	return (struct ip *)call_need(call, CLOUD_IP, "Primary IP");
}

static void reply_ip(struct call *call, const struct ip *ip)
{
	out_begin(&call->out, '{');
	out_key(&call->out, "primary_ip");
	write_ip(call, &ip->base);
	out_end(&call->out, '}');
}

void ip_get(struct call *call)
{
	const struct ip *ip = need_ip(call);

	if (ip)
		reply_ip(call, ip);
}

/* auto_delete and protection exclude each other. */
static void refuse_both(struct call *call)
{
	reply_text(call, "delete protection needs auto_delete to be false");
}

void ip_update(struct call *call)
{
	struct ip *ip = need_ip(call);
	const json_t *given = json_object_get(call->body, "auto_delete");

	if (!ip)
		return;
	if (given && !json_is_boolean(given)) {
		reply_field(call, "auto_delete", "must be a boolean");
		return;
	}
	if (json_is_true(given) && ip->base.protected_delete) {
		refuse_both(call);
		return;
	}
	if (thing_update(call, &ip->base))
		return;
	if (given)
		ip_set_auto_delete(call->cloud, ip, json_is_true(given), call_who(call),
			call->number);
	reply_ip(call, ip);
}

void ip_protect(struct call *call)
{
	struct ip *ip = need_ip(call);
	const json_t *delete = json_object_get(call->body, "delete");

	if (!ip)
		return;
	if (!json_is_boolean(delete)) {
		reply_field(call, "delete", "must be a boolean");
		return;
	}
	if (json_is_true(delete) && ip->auto_delete) {
		refuse_both(call);
		return;
	}
	reply_protect(call, &ip->base, json_is_true(delete), action_new(call->cloud, &ip->base,
		"change_protection", call->now_ms, action_end_ms(call, 0)));
}

void ip_delete(struct call *call)
{
	struct ip *ip = need_ip(call);

	if (!ip)
		return;
	if (ip->base.protected_delete) {
		reply_error(call, 423, "protected", "Primary IP deletion is protected", NULL);
		return;
	}
	if (ip->server) {
		reply_error(call, 422, "must_be_unassigned", "Primary IP must be unassigned", NULL);
		return;
	}
	call->effect = 1;
	call->response->status = 204;
	world_delete(call->cloud, call->now_ms, &ip->base, call_who(call), call->number);
}
