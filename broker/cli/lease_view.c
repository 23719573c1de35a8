/* SPDX-License-Identifier: MIT */
#include "cli/lease_view.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/text.h"
#include "cli/when.h"
#include "util/alloc.h"
#include "util/buf.h"

#define VIEW_TEXT_MAX 65536
#define INDENT 13 /* of the values of view_print */

const char *view_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t view_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

double view_real(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

json_t *view_lease(const json_t *doc)
{
	json_t *lease = json_object_get(doc, "lease");

	return *view_text(lease, "id") ? lease : NULL;
}

int view_is_live(const json_t *lease)
{
	const char *state = view_text(lease, "state");

	return !strcmp(state, "provisioning") || !strcmp(state, "active");
}

int view_is_ready(const json_t *lease)
{
	return !strcmp(view_text(lease, "state"), "active") && *view_text(lease, "host");
}

enum view_left view_what_is_left(const json_t *lease)
{
	const json_t *cleanup = json_object_get(lease, "cleanup");
	const json_t *deletes = json_object_get(lease, "releaseDeletesServer");
	const char *state = view_text(cleanup, "state");

	if (!strcmp(state, "none") || !strcmp(state, "done"))
		return LEFT_NOTHING;
	if (!strcmp(state, "retained"))
		return LEFT_KEPT;
	if (!strcmp(state, "attention"))
		return LEFT_ATTENTION;
	/* Owed, or a state that a newer lessord has added. */
	if (*state)
		return *view_text(lease, "attention") ? LEFT_ATTENTION : LEFT_PENDING;
	if (json_is_false(deletes))
		return LEFT_KEPT;
	if (*view_text(lease, "cleanupStartedAt") || *view_text(lease, "cleanupError") ||
	    *view_text(lease, "cleanupRetryAt"))
		return LEFT_PENDING;
	return LEFT_NOTHING;
}

char *view_name(const json_t *lease)
{
	const char *slug = view_text(lease, "slug");

	if (*slug)
		return xasprintf("%s (%s)", view_text(lease, "id"), slug);
	return xstrdup(view_text(lease, "id"));
}

char *view_residue(const json_t *lease)
{
	const json_t *list = json_object_get(json_object_get(lease, "cleanup"), "residue");
	struct buf out;
	json_t *one;
	size_t i;

	buf_init(&out, VIEW_TEXT_MAX);
	json_array_foreach(list, i, one) {
		const char *id = view_text(one, "id");
		const char *name = view_text(one, "name");

		buf_addf(&out, "%s%s", i ? ", " : "", view_text(one, "kind"));
		buf_addf(&out, " %s", *id ? id : "of unknown id");
		if (*name)
			buf_addf(&out, " (%s)", name);
	}
	return buf_take(&out);
}

char *view_attention_reason(const json_t *lease)
{
	const char *text = view_text(lease, "attention");
	const char *at, *end = NULL;

	/* lessord writes what to do behind the last semicolon, and the command as a member, too. */
	for (at = strstr(text, "; "); at; at = strstr(at + 1, "; "))
		end = at;
	if (!*view_text(lease, "attentionAction") || !end)
		return xstrdup(text);
	return xstrndup(text, (size_t)(end - text));
}

char *view_price(const json_t *lease)
{
	double price = view_real(lease, "hourlyPrice");
	double usd = view_real(lease, "estimatedHourlyUSD");

	if (price > 0)
		return xasprintf("%.4g %s/h", price, view_text(lease, "currency"));
	return usd > 0 ? xasprintf("%.4g USD/h", usd) : xstrdup("");
}

/* Events of runs have the contract's names; those of leases have kind and text. */
const char *view_event_type(const json_t *event)
{
	const char *type = view_text(event, "type");

	return *type ? type : view_text(event, "kind");
}

const char *view_event_text(const json_t *event)
{
	const char *text = view_text(event, "message");

	return *text ? text : view_text(event, "text");
}

int view_is_safe(const char *text)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._:-";

	return *text && *text != '-' && text[strspn(text, safe)] == '\0';
}

static const char *port_of(const json_t *lease)
{
	const char *port = view_text(lease, "sshPort");

	return *port ? port : "22";
}

static int target_is_safe(const json_t *lease)
{
	const char *port = port_of(lease);

	return view_is_safe(view_text(lease, "host")) &&
	       view_is_safe(view_text(lease, "sshUser")) && strlen(port) <= 5 &&
	       port[strspn(port, "0123456789")] == '\0';
}

/* `-i FILE ` if the private key is next to the public one; ssh may not try it otherwise. */
static char *identity_flag(const char *key_path)
{
	size_t len = key_path ? strlen(key_path) : 0;

	if (len > 4 && !strcmp(key_path + len - 4, ".pub")) {
		auto_free char *private_path = xstrndup(key_path, len - 4);
		auto_free char *word = text_shell(private_path);

		if (access(private_path, F_OK) == 0)
			return xasprintf("-i %s ", word);
	}
	return xstrdup("");
}

int view_print_ready(FILE *to, const json_t *lease, const char *key_path)
{
	const char *host = view_text(lease, "host");
	const char *user = view_text(lease, "sshUser");
	const char *port = port_of(lease);
	auto_free char *identity = identity_flag(key_path);

	if (!target_is_safe(lease)) {
		text_error("the response contains an invalid address: host '%s', port '%s', "
			   "user '%s'",
			   host, port, user);
		return -1;
	}
	text_print(to, "ready: %s %s %s", host, port, user);
	text_print(to, "ssh %s-p %s %s@%s", identity, port, user, host);
	return 0;
}

char *view_attempt(const json_t *attempt)
{
	const char *region = view_text(attempt, "region");
	const char *category = view_text(attempt, "category");
	const char *message = view_text(attempt, "message");

	return xasprintf("%s%s%s: %s%s%s", view_text(attempt, "serverType"), *region ? " in " : "",
			 region, *category ? category : *message ? "" : "tried",
			 *category && *message ? ": " : "", message);
}

void view_print_attempts(FILE *to, const json_t *lease)
{
	const json_t *attempts = json_object_get(lease, "provisioningAttempts");
	json_t *one;
	size_t i;

	json_array_foreach(attempts, i, one) {
		auto_free char *text = view_attempt(one);

		text_fold(to, 4, "  attempt %zu: %s", i + 1, text);
	}
}

static void field_print(FILE *to, const char *name, const char *value)
{
	if (*value)
		text_fold(to, INDENT, "%-12s %s", name, value);
}

static void time_print(FILE *to, const char *name, const char *value, int64_t now_ms)
{
	char distance[WHEN_TEXT_SIZE];

	when_write_distance(value, now_ms, distance);
	if (*value && *distance)
		text_fold(to, INDENT, "%-12s %s (%s)", name, value, distance);
	else
		field_print(to, name, value);
}

static void machine_print(FILE *to, const json_t *lease)
{
	const char *asked = view_text(lease, "requestedServerType");
	const char *type = view_text(lease, "serverType");
	const char *server = view_text(lease, "cloudID");
	auto_free char *price = view_price(lease);

	field_print(to, "class", view_text(lease, "class"));
	if (*asked && strcmp(asked, type))
		text_fold(to, INDENT, "%-12s %s (requested: %s)", "type", type, asked);
	else
		field_print(to, "type", type);
	field_print(to, "location", view_text(lease, "region"));
	field_print(to, "image", view_text(lease, "imageName"));
	if (*server)
		text_fold(to, INDENT, "%-12s %s %s", "server", server,
			  view_text(lease, "serverName"));
	field_print(to, "price", price);
	if (*view_text(lease, "host") && target_is_safe(lease)) {
		field_print(to, "host", view_text(lease, "host"));
		text_print(to, "%-12s ssh -p %s %s@%s", "login", port_of(lease),
			   view_text(lease, "sshUser"), view_text(lease, "host"));
		field_print(to, "host key", view_text(lease, "sshHostKey"));
	} else {
		field_print(to, "last host", view_text(lease, "lastHost"));
	}
}

/* Why it ended, in words and as the API has it. */
static void end_print(FILE *to, const json_t *lease)
{
	static const struct {
		const char *reason, *words;
	} ends[] = {
		{ "released", "somebody released it" },
		{ "canceled", "its create was cancelled" },
		{ "ttl", "its lifetime was over" },
		{ "idle", "no heartbeat for the idle timeout" },
		{ "deadline", "its machine was not ready in time" },
	};
	const char *reason = view_text(lease, "endReason");

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		if (!strcmp(ends[i].reason, reason)) {
			text_print(to, "%-12s %s: %s", "end reason", reason, ends[i].words);
			return;
		}
	}
	field_print(to, "end reason", reason);
}

/* The rows, for `lessor resolve --resource`. */
static void rows_print(FILE *to, const json_t *cleanup)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_object_get(cleanup, "residue"), i, one) {
		if (view_int(one, "row"))
			text_fold(to, 4, "  row %lld: %s %s, %s", (long long)view_int(one, "row"),
				  view_text(one, "kind"), view_text(one, "name"),
				  view_text(one, "state"));
	}
}

static void cleanup_print(FILE *to, const json_t *lease, int64_t now_ms)
{
	const json_t *cleanup = json_object_get(lease, "cleanup");
	const char *state = view_text(cleanup, "state");
	auto_free char *residue = view_residue(lease);

	if (*state && strcmp(state, "none")) {
		field_print(to, "cleanup", state);
		if (view_int(cleanup, "tries"))
			text_print(to, "%-12s %lld", "tries", (long long)view_int(cleanup, "tries"));
		time_print(to, "next try", view_text(cleanup, "nextTryAt"), now_ms);
		field_print(to, "last error", view_text(cleanup, "lastError"));
		field_print(to, "left", residue);
		rows_print(to, cleanup);
		field_print(to, "retention", view_text(lease, "retention"));
		time_print(to, "kept until", view_text(lease, "retainUntil"), now_ms);
		field_print(to, "kept because", view_text(lease, "retainReason"));
		if (view_real(lease, "runningCost") > 0)
			text_print(to, "%-12s %.2f %s", "cost so far",
				   view_real(lease, "runningCost"), view_text(lease, "currency"));
	} else if (!*state) {
		time_print(to, "cleanup since", view_text(lease, "cleanupStartedAt"), now_ms);
		time_print(to, "next try", view_text(lease, "cleanupRetryAt"), now_ms);
		field_print(to, "last error", view_text(lease, "cleanupError"));
	}
	field_print(to, "attention", view_text(lease, "attention"));
	field_print(to, "next", view_text(lease, "attentionAction"));
}

static void queue_print(FILE *to, const json_t *queue, int64_t now_ms)
{
	if (!queue)
		return;
	text_print(to, "%-12s place %lld of %lld for capacity (limit: %s)", "queue",
		   (long long)view_int(queue, "place"), (long long)view_int(queue, "of"),
		   view_text(queue, "scope"));
	time_print(to, "waits until", view_text(queue, "until"), now_ms);
}

void view_print(FILE *to, const json_t *lease)
{
	const json_t *attempts = json_object_get(lease, "provisioningAttempts");
	int64_t now_ms = when_wall_ms();

	field_print(to, "lease", view_text(lease, "id"));
	field_print(to, "slug", view_text(lease, "slug"));
	field_print(to, "state", view_text(lease, "state"));
	queue_print(to, json_object_get(lease, "queue"), now_ms);
	field_print(to, "failure", view_text(lease, "failureError"));
	if (*view_text(lease, "owner"))
		text_fold(to, INDENT, "%-12s %s %s", "owner", view_text(lease, "owner"),
			  view_text(lease, "org"));
	field_print(to, "account", view_text(lease, "provider"));
	machine_print(to, lease);
	field_print(to, "keep", json_is_true(json_object_get(lease, "keep")) ? "yes" : "");
	time_print(to, "created", view_text(lease, "createdAt"), now_ms);
	time_print(to, "heartbeat", view_text(lease, "lastTouchedAt"), now_ms);
	if (view_is_live(lease))
		time_print(to, "ends", view_text(lease, "expiresAt"), now_ms);
	else
		time_print(to, "ended", view_text(lease, "endedAt"), now_ms);
	end_print(to, lease);
	cleanup_print(to, lease, now_ms);
	if (json_array_size(attempts)) {
		text_print(to, "attempts");
		view_print_attempts(to, lease);
	}
	if (!view_is_live(lease))
		text_print(to, "%-12s lessor events %s", "timeline", view_text(lease, "id"));
}
