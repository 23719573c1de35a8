/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "sim/cloud.h"
#include "util/alloc.h"

void cloud_response_init(struct cloud_response *response)
{
	*response = (struct cloud_response){ .status = 200 };
	response->wire.head_cut = response->wire.body_cut = response->wire.declared = -1;
}

void cloud_response_fini(struct cloud_response *response)
{
	for (size_t i = 0; i < response->header_count; i++) {
		free(response->headers[i].name);
		free(response->headers[i].value);
	}
	free(response->headers);
	free(response->body);
	cloud_response_init(response);
}

void cloud_response_add_header(struct cloud_response *response, const char *name, const char *value)
{
	size_t n = response->header_count;

	if (!(n & (n - 1)))
		response->headers = xrealloc(response->headers,
					     (n ? n * 2 : 1) * sizeof(*response->headers));
	response->headers[response->header_count++] = (struct cloud_header){ xstrdup(name),
									     xstrdup(value) };
}

const char *cloud_response_header(const struct cloud_response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++) {
		if (!strcasecmp(response->headers[i].name, name))
			return response->headers[i].value;
	}
	return NULL;
}
