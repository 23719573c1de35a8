/* SPDX-License-Identifier: MIT */
/*
 * The operations of the API and their short names, as used in rules, counts and tests.
 */
#pragma once

#define OPS(X) \
	X(OP_KEY_FIND, "k.find")		/* GET /ssh_keys?name= or ?fingerprint= */ \
	X(OP_KEY_LIST, "k.list") \
	X(OP_KEY_GET, "k.get") \
	X(OP_KEY_CREATE, "k.create") \
	X(OP_KEY_UPDATE, "k.update") \
	X(OP_KEY_DELETE, "k.delete") \
	X(OP_SERVER_FIND, "s.find")		/* GET /servers?name= */ \
	X(OP_SERVER_LIST, "s.list") \
	X(OP_SERVER_GET, "s.get") \
	X(OP_SERVER_CREATE, "s.create") \
	X(OP_SERVER_UPDATE, "s.update") \
	X(OP_SERVER_DELETE, "s.delete") \
	X(OP_SERVER_ACT, "s.act")		/* POST /servers/{id}/actions/... */ \
	X(OP_SERVER_ACTIONS, "s.actions")	/* GET /servers/{id}/actions */ \
	X(OP_ACTION_GET, "a.get") \
	X(OP_ACTION_LIST, "a.list")		/* GET /actions?id= */ \
	X(OP_IP_LIST, "ip.list") \
	X(OP_IP_GET, "ip.get") \
	X(OP_IP_UPDATE, "ip.update") \
	X(OP_IP_DELETE, "ip.delete") \
	X(OP_IP_ACT, "ip.act")			/* POST /primary_ips/{id}/actions/... */ \
	X(OP_TYPE_LIST, "t.types") \
	X(OP_TYPE_GET, "t.get") \
	X(OP_LOCATION_LIST, "l.list") \
	X(OP_LOCATION_GET, "l.get") \
	X(OP_IMAGE_FIND, "i.find")		/* GET /images, with or without a name */ \
	X(OP_IMAGE_GET, "i.get") \
	X(OP_PRICING, "pricing") \
	X(OP_OTHER, "other")

enum op {
#define X(op, name) op,
	OPS(X)
#undef X
	OP_COUNT
};

const char *op_name(enum op op);
enum op op_find(const char *name);	/* OP_COUNT: no such operation */
