/* SPDX-License-Identifier: MIT */
/* Requests that another daemon serves: two daemons over loopback (pair.h). */
#include "pair.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/relay_target.h"
#include "api/request.h"
#include "util/text.h"

#define LEASE "/v1/leases/" PAIR_LEASE
#define SLUG "my-box"
#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5yBg7v5l4r0p8C0kq1J3m8ZkqX5b5w5y5e5r5t5y5u x"
#define CREATE                                                             \
	"{\"leaseID\":\"" PAIR_LEASE                                       \
	"\",\"createAttemptID\":\"cat_0123456789abcdef0123456789abcdef\"," \
	"\"slug\":\"" SLUG "\",\"serverType\":\"small\",\"sshPublicKey\":\"" KEY "\"}"
#define CREATE_AGAIN "{\"slug\":\"" SLUG "\",\"serverType\":\"small\",\"sshPublicKey\":\"" KEY "\"}"
#define BEAT                                                        \
	"{\"type\":\"heartbeat\",\"leaseID\":\"" PAIR_LEASE "\","   \
	"\"idleTimeoutSeconds\":1200,\"expectedProvider\":\"one\"," \
	"\"telemetry\":{\"load1\":0.5}}"
#define A (&pair.a)
#define B (&pair.b)

static const struct relay_counters *counters(const struct daemon_node *node)
{
	return relay_counters(node->api->relay);
}

/* The lines of this kind in the timeline. */
static int events(const char *kind)
{
	struct told told;
	json_t *event;
	size_t i;
	int count = 0;

	pair_ask(B, &told, "GET", LEASE "/events?limit=500", NULL);
	assert_int_equal(told.status, 200);
	json_array_foreach(json_object_get(told.json, "events"), i, event)
		count += !strcmp(json_string_value(json_object_get(event, "type")), kind);
	told_clear(&told);
	return count;
}

static void create(const struct daemon_node *node)
{
	struct told told;

	pair_begin(node, &told, "POST", "/v1/leases", "Prefer: respond-async", CREATE);
	PAIR_WAIT(told.is_there);
	if (told.status != 201)
		fail_msg("%d %s", told.status, told.body);
	assert_string_equal(told_text(&told, "lease", "id"), PAIR_LEASE);
	assert_string_equal(told_text(&told, "lease", "owner"), "alice");
	told_clear(&told);
}

static void a_change_goes_to_the_owner_and_a_read_does_not(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	create(A);
	assert_int_equal(B->requests, 1);
	assert_int_equal(counters(A)->forwarded, 1);
	assert_int_equal(counters(B)->received, 1);
	pair_ask(A, &told, "GET", LEASE, NULL);
	assert_int_equal(told.status, 200);
	assert_string_equal(told.etag, "\"1\"");
	told_clear(&told);
	assert_int_equal(B->requests, 1);
	pair_ask(A, &told, "POST", LEASE "/heartbeat", "{\"idleTimeoutSeconds\":900}");
	assert_int_equal(told.status, 200);
	assert_string_equal(told.etag, "\"1\"");
	told_clear(&told);
	/* What the owner refuses its client is told in the same words. */
	pair_ask(A, &told, "POST", "/v1/leases/my-box/heartbeat", "{\"expectedProvider\":\"two\"}");
	assert_int_equal(told.status, 409);
	assert_string_equal(told_text(&told, "error", NULL), "provider_identity_mismatch");
	told_clear(&told);
	/* A body is optional here. */
	pair_ask(A, &told, "POST", LEASE "/release", NULL);
	assert_int_equal(told.status, 200);
	assert_string_equal(told_text(&told, "lease", "state"), "released");
	assert_string_equal(told.etag, "\"2\"");
	told_clear(&told);
	assert_int_equal(B->requests, 4);
	assert_int_equal(counters(A)->forwarded, 4);
	assert_int_equal(counters(A)->repeated, 0);
	assert_int_equal(counters(B)->forwarded, 0);
}

/* If the owner and the database's newest changes are lost together, who has passed its answer on knows. */
static void an_answer_says_which_commit_it_is_of(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	B->newest = 41;
	create(A);
	assert_int_equal(A->heard, 41);
	B->newest = 0;
	pair_ask(A, &told, "POST", LEASE "/release", "{\"delete\":false}");
	assert_int_equal(told.status, 200);
	told_clear(&told);
	assert_int_equal(A->heard, 41);
	/* Not to clients. */
	A->newest = B->newest = 42;
	pair_ask(B, &told, "POST", LEASE "/release", "{\"delete\":false}");
	assert_int_equal(told.status, 200);
	told_clear(&told);
	assert_int_equal(B->heard, 0);
	assert_int_equal(A->heard, 41);
}

static void what_is_nobodys_is_answered_here(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	pair_ask(A, &told, "POST", "/v1/leases/cbx_ffffffffffff/heartbeat", "{}");
	assert_int_equal(told.status, 404);
	told_clear(&told);
	assert_int_equal(B->requests, 0);
	assert_non_null(strstr(pair_control(BEAT, "heartbeat"), "not_found"));
	/* Also while nobody owns anything. */
	pair_owner_is_nobody();
	pair_ask(A, &told, "POST", LEASE "/release", "{}");
	assert_int_equal(told.status, 404);
	told_clear(&told);
	assert_int_equal(counters(A)->repeated, 0);
}

/* What it refuses has to be written, and only an owner writes. */
static void a_cancellation_that_comes_first_goes_to_an_owner(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	pair_ask(A, &told, "POST", LEASE "/cancel-create",
		 "{\"createAttemptID\":\"cat_0123456789abcdef0123456789abcdef\"}");
	assert_int_equal(told.status, 200);
	told_clear(&told);
	assert_int_equal(counters(A)->forwarded, 1);
	pair_ask(A, &told, "POST", "/v1/leases", CREATE);
	assert_int_equal(told.status, 409);
	assert_string_equal(told_text(&told, "error", NULL), "create_canceled");
	told_clear(&told);
}

/* Each believes that the other one is the owner. */
static void a_request_is_forwarded_once(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_a();
	pair_owner_is_b();
	B->route = (struct relay_route){ .place = RELAY_OTHER };
	memcpy(B->route.daemon, A->relay.self, sizeof(B->route.daemon));
	memcpy(B->route.address, A->address, sizeof(A->address));
	pair_ask(A, &told, "POST", "/v1/leases", CREATE);
	assert_int_equal(told.status, 503);
	assert_string_equal(told_text(&told, "error", NULL), "account_moving");
	assert_string_equal(told.retry_after, "1");
	told_clear(&told);
	assert_true(B->requests > 1);
	assert_int_equal(A->requests, 1);
	assert_int_equal(counters(B)->forwarded, 0);
	assert_int_equal(counters(A)->moving, 1);
}

/* A control socket stays where it is; only its heartbeats go to the owner. */
static void a_heartbeat_of_a_socket_goes_to_the_owner(void **state)
{
	struct told told;
	const char *text;

	(void)state;
	pair_owner_is_b();
	create(A);
	text = pair_control(BEAT, "heartbeat");
	assert_non_null(strstr(text, "\"ok\":true"));
	assert_non_null(strstr(text, "\"expiresAt\":\"20"));
	assert_int_equal(counters(B)->received, 2);
	pair_ask(A, &told, "GET", LEASE, NULL);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(told.json, "lease"),
							    "idleTimeoutSeconds")),
			 1200);
	told_clear(&told);
	/* What the owner refuses; nobody's; and our own. */
	pair_ask(A, &told, "POST", LEASE "/release", "{\"delete\":true}");
	told_clear(&told);
	text = pair_control(BEAT, "heartbeat");
	assert_non_null(strstr(text, "\"ok\":false"));
	assert_non_null(strstr(text, "lease_ended"));
	pair_owner_is_nobody();
	assert_non_null(strstr(pair_control(BEAT, "heartbeat"), "account_moving"));
	pair_owner_is_a();
	assert_non_null(strstr(pair_control(BEAT, "heartbeat"), "lease_ended"));
	assert_int_equal(counters(B)->received, 4);
	assert_int_equal(counters(B)->refused, 0);
}

/* ---- while an account moves ------------------------------------------------------------------ */

static void requests_wait_and_go_in_order_to_the_next_owner(void **state)
{
	struct told told[8];
	char body[64];

	(void)state;
	pair_owner_is_b();
	create(A);
	pair_owner_is_nobody();
	for (int i = 0; i < 8; i++) {
		snprintf(body, sizeof(body), "{\"ttlSeconds\":%d}", 7200 + i);
		pair_begin(A, &told[i], "POST", LEASE "/extend", "", body);
		PAIR_WAIT(A->requests == 2 + (uint64_t)i);
	}
	for (int i = 0; i < 8; i++)
		assert_int_equal(told[i].is_there, 0);
	/* It becomes the owner itself. */
	pair_owner_is_a();
	for (int i = 0; i < 8; i++) {
		PAIR_WAIT(told[i].is_there);
		assert_int_equal(told[i].status, 200);
		told_clear(&told[i]);
	}
	assert_int_equal(B->requests, 1);
	/* Each raised the TTL: none came before an earlier one. */
	assert_int_equal(events("lease.extended"), 8);
}

static void a_new_request_does_not_overtake_those_that_wait(void **state)
{
	struct told first, second;

	(void)state;
	pair_owner_is_b();
	create(A);
	pair_owner_is_nobody();
	pair_begin(A, &first, "POST", LEASE "/release", "", "{\"delete\":true}");
	PAIR_WAIT(A->requests == 2);
	/* It is there before the clock of those that wait ticks. */
	pair_owner_is_a();
	pair_begin(A, &second, "POST", LEASE "/extend", "", "{\"ttlSeconds\":7200}");
	PAIR_WAIT(first.is_there && second.is_there);
	assert_int_equal(first.status, 200);
	assert_int_equal(second.status, 409);
	assert_string_equal(told_text(&second, "error", NULL), "lease_ended");
	told_clear(&first);
	told_clear(&second);
}

static void nobody_takes_the_account(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_nobody();
	pair_ask(A, &told, "POST", "/v1/leases", CREATE);
	assert_int_equal(told.status, 503);
	assert_string_equal(told_text(&told, "error", NULL), "account_moving");
	assert_string_equal(told.retry_after, "1");
	told_clear(&told);
	assert_int_equal(counters(A)->moving, 1);
}

/* A lease that another daemon owns, whose delete waits here while nobody is known to own it. */
static void delete_waits(struct told *late, const char *path)
{
	pair_owner_is_b();
	create(A);
	A->route.place = RELAY_UNKNOWN;
	pair_begin(A, late, "POST", path, "", "{\"delete\":true}");
	PAIR_WAIT(A->requests == 2);
}

/* The owner is known again, and what the delete was decided about has changed. */
static void delete_is_refused(struct told *late)
{
	pair_owner_is_b();
	PAIR_WAIT(late->is_there);
	assert_int_equal(late->status, 409);
	assert_string_equal(told_text(late, "error", NULL), "lease_changed");
	told_clear(late);
}

/* T4: the delete waits at one daemon, and the other one has told somebody that the machine stays. */
static void a_delete_that_waited_does_not_end_a_retention(void **state)
{
	struct told late, keep;

	(void)state;
	delete_waits(&late, LEASE "/release");
	pair_ask(B, &keep, "POST", LEASE "/release", "{\"delete\":false}");
	assert_int_equal(keep.status, 200);
	told_clear(&keep);
	delete_is_refused(&late);
	assert_int_equal(events("lease.released"), 1);
	assert_int_equal(events("lease.delete"), 0);
}

/* It names its lease by a slug, which a new lease has by now, in the same epoch. */
static void a_delete_that_waited_is_of_the_lease_that_it_meant(void **state)
{
	struct told late, told;

	(void)state;
	delete_waits(&late, "/v1/leases/" SLUG "/release");
	pair_ask(B, &told, "POST", LEASE "/release", "{\"delete\":true}");
	assert_int_equal(told.status, 200);
	told_clear(&told);
	pair_begin(B, &told, "POST", "/v1/leases", "Prefer: respond-async", CREATE_AGAIN);
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 201);
	assert_string_equal(told_text(&told, "lease", "slug"), SLUG);
	told_clear(&told);
	delete_is_refused(&late);
}

/* The owner has carried it out, and its answer is lost. */
static void a_lost_answer_is_fetched_without_a_second_change(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	create(A);
	pair.proxy.loses = 1;
	pair_begin(A, &told, "POST", LEASE "/release", "", "{\"delete\":false,\"reason\":\"mine\"}");
	PAIR_WAIT(pair.proxy.lost == 2);
	assert_int_equal(told.is_there, 0);
	pair.proxy.loses = 0;
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 200);
	assert_string_equal(told_text(&told, "lease", "state"), "released");
	told_clear(&told);
	assert_true(counters(A)->repeated >= 1);
	assert_int_equal(events("lease.released"), 1);
}

static void a_create_with_a_lost_answer_is_one_lease(void **state)
{
	struct told told, list;

	(void)state;
	pair_owner_is_b();
	pair.proxy.loses = 1;
	pair_begin(A, &told, "POST", "/v1/leases", "Prefer: respond-async",
		   "{\"serverType\":\"small\",\"sshPublicKey\":\"" KEY "\"}");
	PAIR_WAIT(pair.proxy.lost == 2);
	pair.proxy.loses = 0;
	PAIR_WAIT(told.is_there);
	assert_true(told.status == 200 || told.status == 201);
	told_clear(&told);
	pair_ask(A, &list, "GET", "/v1/leases", NULL);
	assert_int_equal(json_array_size(json_object_get(list.json, "leases")), 1);
	told_clear(&list);
}

/* The owner is stopped with the request in its hands; another one takes the account over. */
static void a_request_leaves_an_owner_that_was_overtaken(void **state)
{
	struct told told, other;

	(void)state;
	pair_owner_is_b();
	pair_begin(A, &told, "POST", "/v1/leases", "Prefer: wait=600", CREATE);
	do {
		pair_ask(A, &other, "GET", LEASE, NULL);
		assert_true(other.status == 404 || other.status == 200);
		other.is_there = other.status == 200;
		json_decref(other.json);
	} while (!other.is_there);
	assert_int_equal(B->requests, 1);
	assert_int_equal(told.is_there, 0);
	pair_owner_is_a();
	pair_ask(A, &other, "POST", LEASE "/release", "{\"delete\":true}");
	assert_int_equal(other.status, 200);
	told_clear(&other);
	/* A has taken the create over, and the release ended the lease that it waited for. */
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 409);
	assert_string_equal(told_text(&told, "error", NULL), "lease_state_changed");
	told_clear(&told);
	assert_int_equal(counters(A)->forwarded, 0);
	assert_int_equal(counters(A)->repeated, 1);
	assert_int_equal(B->requests, 1);
}

/* ---- an owner that hangs ----------------------------------------------------------------------- */

/* The kernel takes its connections, and nobody answers. */
static int silent_listener(char *address, size_t size)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 64), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(address, size, "http://127.0.0.1:%d", ntohs(at.sin_port));
	return fd;
}

static void expect_moving(struct told *told)
{
	PAIR_WAIT(told->is_there);
	assert_int_equal(told->status, 503);
	assert_string_equal(told_text(told, "error", NULL), "account_moving");
	told_clear(told);
}

static void a_request_to_an_owner_that_hangs_has_an_end(void **state)
{
	struct told told, slow;
	int fd;

	(void)state;
	pair_owner_is_b();
	create(A);
	fd = silent_listener(A->route.address, sizeof(A->route.address));
	pair_begin(A, &slow, "POST", LEASE "/release", "", "{\"delete\":true}");
	pair_begin(A, &told, "POST", LEASE "/heartbeat", "", "{}");
	expect_moving(&told);
	assert_non_null(strstr(pair_control(BEAT, "heartbeat"), "account_moving"));
	/* It still owns the account, and a cleanup may take its time. */
	assert_int_equal(slow.is_there, 0);
	assert_int_equal(relay_count(A->api->relay), 1);
	pair_owner_is_nobody();
	expect_moving(&slow);
	assert_int_equal(relay_count(A->api->relay), 0);
	assert_int_equal(B->requests, 1);
	close(fd);
}

/* Another daemon has taken the account; the answer would not come. */
static void owner_changes(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	pair_owner_is_a();
}

static void a_heartbeat_of_a_socket_leaves_an_owner_that_was_overtaken(void **state)
{
	struct timeval later = { .tv_usec = 100000 };
	int fd;

	(void)state;
	pair_owner_is_b();
	create(A);
	fd = silent_listener(A->route.address, sizeof(A->route.address));
	assert_int_equal(event_base_once(pair.base, -1, EV_TIMEOUT, owner_changes, NULL, &later), 0);
	assert_non_null(strstr(pair_control(BEAT, "heartbeat"), "account_moving"));
	close(fd);
}

static void a_peer_that_hangs_leaves_connections_to_the_others(void **state)
{
	struct peer_client *all = pair.client;
	struct told hung[4], told;
	struct err err = { 0 };
	struct daemon_node silent = { .requests = 0 };
	int fd = silent_listener(silent.address, sizeof(silent.address));

	(void)state;
	assert_int_equal(peer_client_new(pair.base, "", 4, 2, &pair.client, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(hung); i++)
		pair_begin(&silent, &hung[i], "GET", "/v1/health", "", NULL);
	pair_ask(A, &told, "GET", "/v1/health", NULL);
	assert_int_equal(told.status, 200);
	told_clear(&told);
	for (size_t i = 0; i < ARRAY_LEN(hung); i++)
		assert_int_equal(hung[i].is_there, 0);
	peer_client_free(pair.client);
	pair.client = all;
	close(fd);
}

/* However many creates wait for machines. */
static void releases_and_heartbeats_have_connections_of_their_own(void **state)
{
	static const struct {
		const char *path;
		enum relay_lane lane;
	} cases[] = {
		{ "/v1/leases", LANE_CREATE },
		{ LEASE "/release", LANE_END },
		{ "/v1/admin/leases/" PAIR_LEASE "/delete", LANE_END },
		{ LEASE "/heartbeat", LANE_QUICK },
		{ LEASE "/extend", LANE_QUICK },
		{ "/v1/admin/accounts/one/take-over", LANE_QUICK },
	};
	char param[ROUTE_PARAM_SIZE];
	unsigned methods;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(relay_target_lane(
					 route_find(HTTP_POST, cases[i].path, &methods, param)),
				 cases[i].lane);
}

/* The owner has carried it out, and its answer is lost: what an operator saw may be past. */
static void decision_is_sent_once(const char *path, const char *body)
{
	struct told told;

	pair_owner_is_b();
	pair.is_admin = 1;
	pair.proxy.loses = 1;
	pair_ask(A, &told, "POST", path, body);
	assert_int_equal(told.status, 503);
	assert_string_equal(told.retry_after, "");
	assert_non_null(strstr(told_text(&told, "message", NULL), "look at the account"));
	told_clear(&told);
	assert_int_equal(B->requests, 1);
	/* It was not sent yet: it waits as any other. */
	pair.proxy.loses = 0;
	pair_owner_is_nobody();
	pair_begin(A, &told, "POST", path, "", body);
	PAIR_WAIT(relay_count(A->api->relay) == 1);
	pair_owner_is_b();
	PAIR_WAIT(told.is_there);
	assert_int_not_equal(told.status, 503);
	told_clear(&told);
	assert_int_equal(B->requests, 2);
}

static void an_operators_decision_is_sent_once(void **state)
{
	(void)state;
	decision_is_sent_once("/v1/admin/accounts/one/take-over", "{\"looked\":true}");
}

static void what_an_operator_says_of_a_sweep_is_sent_once(void **state)
{
	(void)state;
	decision_is_sent_once("/v1/admin/sweep", "{\"action\":\"looked\",\"provider\":\"one\"}");
}

/* ---- who is believed ------------------------------------------------------------------------- */

/* What A sent to B, in a connection of its own. */
static void record_a_request(char *sent, size_t size, size_t *ret_len)
{
	struct told told;

	pair_owner_is_b();
	create(A);
	pair.proxy.loses = 1;
	pair_begin(A, &told, "POST", LEASE "/extend", "", "{\"ttlSeconds\":7200}");
	PAIR_WAIT(pair.proxy.lost == 1);
	*ret_len = pair.proxy.sent_len;
	assert_true(*ret_len > 0 && *ret_len < size);
	memcpy(sent, pair.proxy.sent, *ret_len);
	sent[*ret_len] = '\0';
	pair.proxy.loses = 0;
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 200);
	told_clear(&told);
}

/* Changes one byte after `text`, and changes it back after the request. */
static int with_another(char *sent, size_t len, const char *text)
{
	char *at = strstr(sent, text);
	int status;

	assert_non_null(at);
	at += strlen(text);
	*at ^= 1;
	status = pair_raw(sent, len);
	*at ^= 1;
	return status;
}

static void a_copy_of_a_request_is_of_no_use(void **state)
{
	uint64_t received;
	char sent[16384];
	size_t len;

	(void)state;
	record_a_request(sent, sizeof(sent), &len);
	/* The client's token does not travel. */
	assert_null(strstr(sent, "lsr_"));
	assert_null(strstr(sent, "uthorization"));
	received = counters(B)->received;
	assert_int_equal(pair_raw(sent, len), 401);
	assert_int_equal(pair_raw(sent, len), 401);
	assert_int_equal(counters(B)->received, received);
}

static void a_changed_request_is_refused(void **state)
{
	char sent[16384];
	size_t len;

	(void)state;
	record_a_request(sent, sizeof(sent), &len);
	assert_int_equal(with_another(sent, len, "lessor-caller: "), 401);
	assert_int_equal(with_another(sent, len, "lessor-caller: user; acme; "), 401);
	assert_int_equal(with_another(sent, len, "lessor-forwarded: "), 401);
	assert_int_equal(with_another(sent, len, "lessor-signature: "), 401);
	assert_int_equal(with_another(sent, len, "ttlSeconds\":720"), 401);
	assert_int_equal(with_another(sent, len, "POST /v1/leases/cbx_"), 401);
	assert_int_equal(with_another(sent, len, "bbbbbbbbbb; "), 401);
}

/* B was started again, and has another id: what was sent to its predecessor is not for it. */
static void a_request_is_for_one_daemon(void **state)
{
	struct told told;

	(void)state;
	pair_owner_is_b();
	create(A);
	A->route.daemon[0] = 'c';
	pair_begin(A, &told, "POST", LEASE "/extend", "", "{\"ttlSeconds\":7200}");
	PAIR_WAIT(counters(B)->refused >= 2);
	assert_int_equal(told.is_there, 0);
	pair_owner_is_b();
	PAIR_WAIT(told.is_there);
	assert_int_equal(told.status, 200);
	told_clear(&told);
}

static int setup_waiting(void **state, int64_t ms)
{
	int rc;

	pair_wait_ms = ms;
	rc = pair_setup(state);
	pair_wait_ms = RELAY_WAIT_MS;
	return rc;
}

static int setup_hasty(void **state)
{
	return setup_waiting(state, 600);
}

/* Longer than PAIR_WAIT. */
static int setup_patient(void **state)
{
	return setup_waiting(state, 60000);
}

#define HASTY_TEST(f) cmocka_unit_test_setup_teardown(f, setup_hasty, pair_teardown)
#define PATIENT_TEST(f) cmocka_unit_test_setup_teardown(f, setup_patient, pair_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(a_change_goes_to_the_owner_and_a_read_does_not),
		PAIR_TEST(what_is_nobodys_is_answered_here),
		PAIR_TEST(a_cancellation_that_comes_first_goes_to_an_owner),
		PAIR_TEST(a_heartbeat_of_a_socket_goes_to_the_owner),
		PAIR_TEST(an_answer_says_which_commit_it_is_of),
		PAIR_TEST(a_request_is_forwarded_once),
		PAIR_TEST(requests_wait_and_go_in_order_to_the_next_owner),
		PAIR_TEST(a_new_request_does_not_overtake_those_that_wait),
		PAIR_TEST(nobody_takes_the_account),
		PAIR_TEST(a_delete_that_waited_does_not_end_a_retention),
		PAIR_TEST(a_delete_that_waited_is_of_the_lease_that_it_meant),
		PAIR_TEST(a_lost_answer_is_fetched_without_a_second_change),
		PAIR_TEST(a_create_with_a_lost_answer_is_one_lease),
		PAIR_TEST(a_request_leaves_an_owner_that_was_overtaken),
		HASTY_TEST(a_request_to_an_owner_that_hangs_has_an_end),
		PATIENT_TEST(a_heartbeat_of_a_socket_leaves_an_owner_that_was_overtaken),
		PAIR_TEST(a_peer_that_hangs_leaves_connections_to_the_others),
		PAIR_TEST(releases_and_heartbeats_have_connections_of_their_own),
		PAIR_TEST(an_operators_decision_is_sent_once),
		PAIR_TEST(what_an_operator_says_of_a_sweep_is_sent_once),
		PAIR_TEST(a_copy_of_a_request_is_of_no_use),
		PAIR_TEST(a_changed_request_is_refused),
		PAIR_TEST(a_request_is_for_one_daemon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
