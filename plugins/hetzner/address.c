/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <string.h>

void address_note(struct hz *z, const struct server *server)
{
	if (!server->address_id[0])
		return;
	for (size_t i = 0; i < z->lease->resource_count; i++) {
		const struct lessor_resource *r = lessor_resource_at(z->lease, i);

		if (r->kind == LESSOR_KIND_ADDRESS && strcmp(r->id, server->address_id) == 0)
			return;
	}
	lessor_reuse(z->call, LESSOR_KIND_ADDRESS, server->address_id, server->host);
}
