/* SPDX-License-Identifier: MIT */
#include "api/not_offered.h"

#include <stddef.h>
#include <string.h>

#include "util/alloc.h"

#define POOLS "Ready pools are not offered by this broker."
#define IMAGES "Machine images and checkpoints are not offered by this broker."
#define RUNNERS "Runners are not offered by this broker."
#define ADAPTERS "Runtime adapters are not offered by this broker."
#define DEVICES "Pairing with devices is not offered by this broker."
#define DESKTOP "Desktops (VNC) are not offered by this broker."
#define HOSTS "Dedicated hosts are not offered by this broker."
#define IDENTITY "Provider identities are not offered by this broker."

/*
 * 404, unless the client would then do something else than show the message: on 404 it asks for
 * the hosts and the identity again under their older paths, and reports only that both are
 * missing. A create must not be a 5xx: the client would repeat it for 90 seconds.
 */
static const struct not_offered rows[] = {
	{ 0, "/v1/auth", 404,
	  "Sign-in through a browser is not offered here; use: crabbox login --url URL --token-stdin" },
	{ 0, "/v1/ready-pools", 404, POOLS },
	{ 0, "/v1/images", 404, IMAGES },
	{ 0, "/v1/checkpoints", 404, IMAGES },
	{ 0, "/v1/artifacts", 404,
	  "Artifact uploads are not offered by this broker; use: crabbox artifacts publish "
	  "--storage local, s3 or r2" },
	{ 1u << HTTP_POST, "/v1/leases/capability-aware", 404,
	  "Leases by image requirements are not offered by this broker." },
	{ 1u << HTTP_POST, "/v1/leases/from-checkpoint", 404, IMAGES },
	{ 0, "/v1/leases/*/registration", 404,
	  "Registration of other machines is not offered by this broker." },
	{ 0, "/v1/leases/*/tailscale", 404, "Tailscale is not offered by this broker." },
	{ 0, "/v1/leases/*/webvnc", 404, DESKTOP },
	{ 0, "/v1/native-vnc", 404, DESKTOP },
	{ 0, "/v1/leases/*/egress", 404, "Egress bridges are not offered by this broker." },
	{ 0, "/v1/leases/*/code", 404, "Code editors are not offered by this broker." },
	{ 1u << HTTP_POST, "/v1/runs/*/admission-failure", 404,
	  "The history of a run that was not admitted is not offered by this broker." },
	{ 0, "/v1/adapters", 404, ADAPTERS },
	{ 0, "/v1/workspaces", 404, ADAPTERS },
	{ 0, "/v1/runners", 404, RUNNERS },
	{ 0, "/v1/marketplace", 404, "A marketplace is not offered by this broker." },
	{ 0, "/v1/pairing", 404, DEVICES },
	{ 0, "/v1/devices", 404, DEVICES },
	{ 0, "/v1/admin/lease-audit", 404,
	  "Lease audits are not offered by this broker; use: lessor sweep" },
	{ 0, "/v1/admin/hosts", 501, HOSTS },
	{ 0, "/v1/admin/mac-hosts", 501, HOSTS },
	{ 0, "/v1/admin/providers/identity", 501, IDENTITY },
	{ 0, "/v1/admin/aws-identity", 501, IDENTITY },
	{ 1u << HTTP_GET | 1u << HTTP_HEAD, "/portal", 404,
	  "Of the portal, this broker offers the pages of runs; its own page is at /" },
};

static int path_begins_with(const char *path, const char *pattern)
{
	while (*pattern) {
		if (*pattern == '*') {
			size_t segment = strcspn(path, "/");

			if (!segment)
				return 0;
			path += segment;
			pattern++;
		} else if (*path++ != *pattern++) {
			return 0;
		}
	}
	return *path == '\0' || *path == '/';
}

const struct not_offered *not_offered_find(enum http_method method, const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct not_offered *row = &rows[i];

		if ((!row->methods || row->methods & (1u << method)) &&
		    path_begins_with(path, row->path))
			return row;
	}
	return NULL;
}
