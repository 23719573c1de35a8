/* SPDX-License-Identifier: MIT */
#include "actions.h"

#define SERVERS LESSOR_KIND_BIT(LESSOR_KIND_SERVER)
#define KEYS LESSOR_KIND_BIT(LESSOR_KIND_KEY)
/* The account's sentinel is also an SSH key; it is never deleted. */
#define ALL_KEYS (KEYS | LESSOR_KIND_BIT(LESSOR_KIND_SENTINEL))
#define ADDRESSES LESSOR_KIND_BIT(LESSOR_KIND_ADDRESS)

#define OBJECT(member) \
	.object_at = "/" member, .id_at = "/id", .name_at = "/name", .labels_at = "/labels"
#define LISTING(member) \
	OBJECT(member), .by_name = "name", .by_labels = "label_selector", .page = "page", \
	.next_at = "/meta/pagination/next_page"

/* clang-format off */
const struct lessor_action hetzner_actions[HETZNER_ACTIONS] = {
	{ .name = "read_server", .method = "GET", .path = "/servers/{id}", .effect = LESSOR_READS,
	  .kinds = SERVERS, OBJECT("server"), .protected_at = "/protection/delete" },
	{ .name = "list_servers", .method = "GET", .path = "/servers", .effect = LESSOR_LISTS,
	  .kinds = SERVERS, LISTING("servers"), .protected_at = "/protection/delete" },
	{ .name = "create_server", .method = "POST", .path = "/servers", .effect = LESSOR_MAKES,
	  .kinds = SERVERS, OBJECT("server") },
	{ .name = "label_server", .method = "PUT", .path = "/servers/{id}", .effect = LESSOR_CHANGES,
	  .kinds = SERVERS },
	{ .name = "protect_server", .method = "POST",
	  .path = "/servers/{id}/actions/change_protection", .effect = LESSOR_PROTECTS,
	  .kinds = SERVERS },
	{ .name = "delete_server", .method = "DELETE", .path = "/servers/{id}",
	  .effect = LESSOR_DESTROYS, .kinds = SERVERS },
	{ .name = "list_server_actions", .method = "GET", .path = "/servers/{id}/actions",
	  .effect = LESSOR_LISTS },
	{ .name = "read_key", .method = "GET", .path = "/ssh_keys/{id}", .effect = LESSOR_READS,
	  .kinds = ALL_KEYS, OBJECT("ssh_key") },
	{ .name = "list_keys", .method = "GET", .path = "/ssh_keys", .effect = LESSOR_LISTS,
	  .kinds = ALL_KEYS, LISTING("ssh_keys") },
	{ .name = "create_key", .method = "POST", .path = "/ssh_keys", .effect = LESSOR_MAKES,
	  .kinds = ALL_KEYS, OBJECT("ssh_key") },
	{ .name = "label_key", .method = "PUT", .path = "/ssh_keys/{id}", .effect = LESSOR_CHANGES,
	  .kinds = ALL_KEYS },
	{ .name = "delete_key", .method = "DELETE", .path = "/ssh_keys/{id}",
	  .effect = LESSOR_DESTROYS, .kinds = KEYS },
	{ .name = "read_action", .method = "GET", .path = "/actions/{id}", .effect = LESSOR_READS,
	  .status_at = "/action/status", .failed = "error" },
	{ .name = "list_actions", .method = "GET", .path = "/actions", .effect = LESSOR_LISTS },
	{ .name = "list_addresses", .method = "GET", .path = "/primary_ips", .effect = LESSOR_LISTS,
	  .kinds = ADDRESSES, LISTING("primary_ips") },
	{ .name = "list_types", .method = "GET", .path = "/server_types", .effect = LESSOR_LISTS },
	{ .name = "list_images", .method = "GET", .path = "/images", .effect = LESSOR_LISTS },
	{ .name = "read_image", .method = "GET", .path = "/images/{id}", .effect = LESSOR_READS },
	{ .name = "list_locations", .method = "GET", .path = "/locations", .effect = LESSOR_LISTS },
	{ .name = "read_prices", .method = "GET", .path = "/pricing", .effect = LESSOR_READS },
};
/* clang-format on */
