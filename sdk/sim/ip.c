/* SPDX-License-Identifier: MIT */
#include "sim/out.h"
#include "sim/world.h"
#include "util/alloc.h"

/* The documentation ranges, then the benchmark range: no real machines have such addresses. */
static void address_of(uint32_t n, int v6, uint32_t machine_net, char *ret, size_t size)
{
	static const char *const nets[] = { "203.0.113", "198.51.100", "192.0.2" };

	if (v6)
		snprintf(ret, size, "2001:db8:%x:%x::/64", n >> 16, n & 0xffff);
	else if (machine_net)
		snprintf(ret, size, "%u.%u.%u.%u", (machine_net + n) >> 24,
			(machine_net + n) >> 16 & 0xff, (machine_net + n) >> 8 & 0xff,
			(machine_net + n) & 0xff);
	else if (n < 3 * 250)
		snprintf(ret, size, "%s.%u", nets[n / 250], n % 250 + 2);
	else
		snprintf(ret, size, "198.%u.%u.%u", 18 + ((n >> 16) & 1), (n >> 8) & 0xff,
			n & 0xff);
}

struct ip *ip_new(struct cloud *cloud, int project, int v6, const struct location *location,
	int64_t server, int auto_delete, const char *who, uint64_t request)
{
	struct ip *ip = xcalloc(1, sizeof(*ip));
	char name[40];

	snprintf(name, sizeof(name), "primary_ip-%lld", (long long)cloud->next_id[CLOUD_IP]);
	ip->v6 = v6;
	ip->server = server;
	ip->auto_delete = auto_delete;
	ip->location = location;
	ip->gone_ms = NEVER;
	address_of(cloud->addresses++, v6, cloud->config.machine_net, ip->address,
		sizeof(ip->address));
	world_add(cloud, &ip->base, CLOUD_IP, project, name, who, request);
	if (!v6)
		counts_price(cloud->counts, ip->base.record, "ipv4", location->name,
			IPV4_HOUR_PRICE, IPV4_MONTH_PRICE);
	return ip;
}

void ip_set_auto_delete(struct cloud *cloud, struct ip *ip, int on, const char *who,
	uint64_t request)
{
	if (ip->auto_delete == on)
		return;
	ip->auto_delete = on;
	world_tell(cloud, cloud->now_ms, "auto_delete", &ip->base, who, request,
		on ? "on" : "off");
}

void ip_write(const struct cloud *cloud, const struct ip *ip, struct buf *out)
{
	out_begin(out, '{');
	out_key_int(out, "id", ip->base.id);
	out_key_str(out, "name", ip->base.name);
	out_key(out, "labels");
	labels_write(&ip->base.labels, out);
	out_key_time(out, "created", ip->base.created_ms + cloud->config.skew_ms);
	out_key_bool(out, "blocked", 0);
	out_key_raw(out, "location", catalogue_location_json(&cloud->catalogue, ip->location));
	out_key_str(out, "ip", ip->address);
	out_key_begin(out, "dns_ptr", '[');
	out_end(out, ']');
	out_key(out, "assignee_id");
	if (ip->server)
		out_int(out, ip->server);
	else
		out_null(out);
	out_key_str(out, "assignee_type", "server");
	out_key_bool(out, "auto_delete", ip->auto_delete);
	out_key_begin(out, "protection", '{');
	out_key_bool(out, "delete", ip->base.protected_delete);
	out_end(out, '}');
	out_key_str(out, "type", ip->v6 ? "ipv6" : "ipv4");
	out_end(out, '}');
}
