/* SPDX-License-Identifier: MIT */
/*
 * A month of bills: hundreds of leases over five weeks of virtual time, with rollbacks, lost
 * responses, machines that are retained, deletes that fail for hours, outages and restarts. What
 * usage tells then agrees with the bill of the simulated provider, in total and per server. Then the
 * leases that may go are pruned, and usage tells the same of every month, to the byte.
 *
 *   test-api-bills [SEED [LIVES]]: the seed is printed
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "api/usage_csv.h"
#include "api/usage_reader.h"
#include "api/usage_sum.h"
#include "driver/driver.h"
#include "driver/wire.h"
#include "lease/cost.h"
#include "unit/test.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define LIVES_MAX 20000
#define SPAN_MS (33 * DAY)
#define CALL_MS 2

static uint32_t seed;
static int lives = 600;

static struct driver d;
static struct cloud *cloud;
static const char *const plugin_options[] = { "keys", "account", NULL };
static struct {
	struct asked create, end;
	int64_t create_ms, end_ms, delete_ms;
	int is_kept;
} all[LIVES_MAX];
static int64_t began_ms;
static int restarts, kept, lost;
static int64_t outage_until_ms;

static uint64_t drawn;

/* 0 to `most`, by SplitMix64, apart from what the core draws. */
static int64_t draw(int64_t most)
{
	uint64_t z = drawn += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return (int64_t)((z ^ z >> 31) % (uint64_t)(most + 1));
}

/* ---- the provider ------------------------------------------------------------------------ */

static void http(void *data, const struct env_http_request *request,
		 struct env_http_response *answer)
{
	struct cloud_request ask = wire_request(request);
	struct cloud_response reply;

	(void)data;
	d.now_ms += CALL_MS;
	wire_init(answer);
	if (d.now_ms < outage_until_ms) {
		answer->outcome = ENV_HTTP_NOT_SENT;
		TEXT_SET(answer->error, "an outage");
		return;
	}
	cloud_response_init(&reply);
	cloud_handle(cloud, d.now_ms, &ask, &reply);
	wire_answered(&reply, answer);
	cloud_response_fini(&reply);
	/* The provider has made it, and nobody is told. */
	if (strcmp(ask.method, "POST") == 0 && strcmp(ask.target, "/v1/servers") == 0 &&
	    draw(99) < 4) {
		free(answer->body);
		*answer = (struct env_http_response){ .outcome = ENV_HTTP_LOST };
		wire_init(answer);
		TEXT_SET(answer->error, "connection reset");
		lost++;
	}
}

static void admin(const char *method, const char *target, const char *body, json_t **ret)
{
	struct cloud_request ask = { .method = method,
				     .target = target,
				     .body = body,
				     .body_len = body ? strlen(body) : 0 };
	struct cloud_response reply;

	cloud_response_init(&reply);
	cloud_handle(cloud, d.now_ms, &ask, &reply);
	if (reply.status / 100 != 2)
		fail_msg("%s: %s", target, reply.body);
	if (ret)
		*ret = json_loads(reply.body, 0, NULL);
	cloud_response_fini(&reply);
}

/* What goes wrong all the time, with one request in twenty. */
static void faults_add(void)
{
	static const char *const rules[] = {
		"{\"match\":{\"op\":\"s.create\"},\"fault\":{\"kind\":\"start_error\"}}",
		"{\"match\":{\"op\":\"s.create\"},\"fault\":{\"kind\":\"create_error\"}}",
		"{\"match\":{\"op\":\"s.create\"},\"fault\":{\"kind\":\"stuck\"}}",
		"{\"match\":{\"op\":\"s.delete\"},\"fault\":{\"kind\":\"delete_error\"}}",
		"{\"match\":{\"op\":\"s.delete\"},"
		"\"fault\":{\"kind\":\"delete_lag\",\"ms\":5400000}}",
	};

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		auto_free char *rule = xasprintf("%.*s,\"count\":\"always\",\"probability\":0.05}",
						 (int)strlen(rules[i]) - 1, rules[i]);

		admin("POST", "/_sim/faults", rule, NULL);
	}
}

static void world_begin(void)
{
	static const char much[] =
		"{\"config\":{\"max_servers\":10000,\"max_dedicated_cores\":100000,"
		"\"max_primary_ips\":10000,\"max_keys\":10000,\"rate_per_hour\":1000000}}";
	struct account_config account = { .name = "hetzner",
					  .max_steps = 8,
					  .location_count = 2,
					  .locations = { "fsn1", "nbg1" },
					  .image = "ubuntu-24.04",
					  .protect_retained = 1,
					  .rate_per_hour = 1000000 };
	struct cloud_config config;
	struct err err = { 0 };

	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	driver_init(&d, NULL, NULL);
	d.seed = seed;
	drawn = seed;
	d.now_ms += draw(365) * DAY + draw(DAY);
	began_ms = d.now_ms;
	driver_folder(&d, "bills");
	d.env.http = http;
	d.config.boot_ms = 15 * MINUTE;
	d.config.probe_ms = 30 * MINUTE;
	d.config.sweep_ms = 12 * HOUR;
	d.config.sweep_grace_ms = HOUR;
	cloud_config_init(&config);
	config.requests_kept = config.history_kept = 16;
	config.seed = seed;
	cloud = cloud_new(&config);
	MUST(cloud_load(cloud, d.now_ms, much, strlen(much), &err) == 0);
	account.token = xstrdup("t");
	driver_account(&d, driver_plugin(HETZNER_SO), &account, plugin_options);
	driver_open(&d);
	driver_pass(&d, MINUTE);
	faults_add();
}

static void world_end(void)
{
	driver_close(&d);
	driver_account_free(&d);
	cloud_free(cloud);
	driver_folder_remove(&d);
}

/* ---- clients ------------------------------------------------------------------------------ */

static void id_of(int life, char ret[24])
{
	snprintf(ret, 24, "cbx_%012d", life + 1);
}

static void life_create(int life)
{
	static const char *const types[] = { "cx23",  "cx23,cx33", "cx33,cpx22", "ccx13",
					     "ccx63", "cax11",	   "cpx22,ccx23" };
	struct asked *a = &all[life].create;
	struct lease *l = &a->request.create;
	const char *type = types[draw(6)];
	char id[24];

	id_of(life, id);
	*a = (struct asked){ .request.kind = REQUEST_CREATE };
	driver_wish(l, id, "hetzner", type);
	snprintf(l->slug, sizeof(l->slug), "box-%d", life + 1);
	strcpy(l->architecture, strcmp(type, "cax11") ? "x86" : "arm");
	l->ttl_ms = l->idle_ms = 10 * MINUTE + draw(draw(2) ? 3 * HOUR : DAY);
	driver_ask(&d, a);
}

static void life_release(int life, int delete_machine)
{
	struct asked *a = &all[life].end;

	*a = (struct asked){ .request = { .kind = REQUEST_RELEASE,
					  .delete_machine = delete_machine } };
	id_of(life, a->request.ref);
	driver_ask(&d, a);
}

static void restart(void)
{
	driver_close(&d);
	d.now_ms += draw(20 * MINUTE);
	driver_open(&d);
	restarts++;
}

static void plan_lives(void)
{
	for (int i = 0; i < lives; i++) {
		all[i].create_ms = began_ms + draw(SPAN_MS);
		/* Some end by their TTL, some while they are created. */
		all[i].end_ms = all[i].create_ms + draw(draw(3) ? 4 * HOUR : 2 * MINUTE);
		all[i].is_kept = draw(9) == 0;
		all[i].delete_ms = all[i].is_kept ? all[i].end_ms + draw(20 * DAY) : 0;
	}
}

static void month_run(void)
{
	int64_t end_ms = began_ms + SPAN_MS + DAY;

	plan_lives();
	while (d.now_ms < end_ms) {
		int64_t before = d.now_ms, running = d.now_ms;

		driver_pass(&d, 1 + draw(10 * MINUTE));
		if (draw(400) == 0)
			outage_until_ms = d.now_ms + draw(3 * HOUR);
		if (draw(200) == 0)
			restart();
		running = d.now_ms;
		for (int i = 0; i < lives; i++) {
			if (all[i].create_ms > before && all[i].create_ms <= running)
				life_create(i);
			if (all[i].end_ms > before && all[i].end_ms <= running) {
				life_release(i, !all[i].is_kept);
				kept += all[i].is_kept;
			}
			if (all[i].delete_ms && all[i].delete_ms > before &&
			    all[i].delete_ms <= running)
				life_release(i, 1);
		}
	}
}

static void operator_retries(int life)
{
	struct asked *a = &all[life].end;
	struct lease l;

	*a = (struct asked){ .request = { .kind = REQUEST_RESOLVE, .resolve = RESOLVE_RETRY } };
	id_of(life, a->request.ref);
	if (driver_lease(&d, a->request.ref, &l) == 0 && l.attention[0])
		driver_ask(&d, a);
}

/* ---- the two bills ------------------------------------------------------------------------- */

struct line {
	char id[32];
	int64_t billed_ms;
};

static struct line *lines;
static size_t line_count;

static int64_t micros_of(const char *text)
{
	const char *dot = strchr(text, '.');

	return strtoll(text, NULL, 10) * 1000000 + strtoll(dot + 1, NULL, 10);
}

static const struct line *line_find(const char *id)
{
	for (size_t i = 0; i < line_count; i++) {
		if (!strcmp(lines[i].id, id))
			return &lines[i];
	}
	return NULL;
}

static void note_cost(void *arg, const struct store_cost_row *row)
{
	struct cost_sum sum = cost_total(&row->cost, d.now_ms);
	struct resource r;
	char id[32];

	usage_sums_add_cost(arg, row);
	assert_int_equal(store_resource_by_n(core_store(d.core), row->cost.resource, &r, NULL), 0);
	assert_string_equal(row->cost.terms.currency, "EUR");
	TEXT_SET(id, r.id);
	/* Of what concerns two months. */
	if (line_find(id))
		return;
	lines = xgrow(lines, line_count, sizeof(*lines));
	lines[line_count] = (struct line){ .billed_ms = sum.billed_ms };
	TEXT_SET(lines[line_count++].id, id);
}

/* What GET /v1/usage says of the month. */
static int64_t usage_micros(struct usage_sums *sums)
{
	static struct api_config config;
	auto_buf struct buf out = { 0 };
	struct jsonw w;
	json_t *doc, *costs;
	int64_t micros;

	buf_init(&out, 1 << 20);
	jsonw_init(&w, &out);
	jsonw_object(&w, NULL);
	usage_sums_render(sums, &w, &config);
	jsonw_end_object(&w);
	doc = json_loads(buf_str(&out), 0, NULL);
	costs = json_object_get(doc, "costs");
	assert_in_range(json_array_size(costs), 0, 1);
	micros = (int64_t)(json_number_value(json_object_get(json_array_get(costs, 0), "amount")) *
				   1e6 +
			   0.5);
	json_decref(doc);
	return micros;
}

static void note_lease(void *arg, const struct store_usage_row *row)
{
	usage_sums_add_lease(arg, row);
}

static void note_past(void *arg, const struct store_past_usage *row)
{
	usage_sums_add_past(arg, row);
}

/* Of all months. */
static int64_t usage_read(void)
{
	struct store_scope scope = { .all = 1 };
	struct usage_reader reader = { .store = core_store(d.core),
				       .scope = &scope,
				       .now_ms = d.now_ms,
				       .on_cost = note_cost,
				       .on_lease = note_lease,
				       .on_past = note_past };
	int64_t sum = 0;

	for (int64_t month = cost_month_ms(began_ms); month <= d.now_ms;
	     month = cost_next_month_ms(month)) {
		int rc;

		reader.month_ms = month;
		reader.arg = usage_sums_new(month, d.now_ms);
		assert_int_equal(usage_reader_begin(&reader, NULL), 0);
		while ((rc = usage_reader_next(&reader, NULL)) == 0)
			;
		assert_int_equal(rc, 1);
		sum += usage_micros(reader.arg);
		usage_sums_free(reader.arg);
	}
	return sum;
}

/* ---- and the same after the leases were pruned ---------------------------------------------- */

struct report {
	struct usage_sums *sums;
	struct buf *csv;
	int64_t month_ms;
};

static void report_cost(void *arg, const struct store_cost_row *row)
{
	struct report *r = arg;

	usage_sums_add_cost(r->sums, row);
	usage_csv_line(r->csv, &row->cost, r->month_ms, d.now_ms);
}

static void report_lease(void *arg, const struct store_usage_row *row)
{
	usage_sums_add_lease(((struct report *)arg)->sums, row);
}

static void report_past(void *arg, const struct store_past_usage *row)
{
	usage_sums_add_past(((struct report *)arg)->sums, row);
}

/* Both forms of the report of each month, one after the other. */
static void reports_render(struct buf *out)
{
	static struct api_config config;
	struct store_scope scope = { .all = 1 };

	for (int64_t month = cost_month_ms(began_ms); month <= d.now_ms;
	     month = cost_next_month_ms(month)) {
		struct report r = { .sums = usage_sums_new(month, d.now_ms),
				    .csv = out,
				    .month_ms = month };
		struct usage_reader reader = { .store = core_store(d.core),
					       .scope = &scope,
					       .month_ms = month,
					       .now_ms = d.now_ms,
					       .on_cost = report_cost,
					       .on_lease = report_lease,
					       .on_past = report_past,
					       .arg = &r };
		struct jsonw w;
		int rc;

		assert_int_equal(usage_reader_begin(&reader, NULL), 0);
		while ((rc = usage_reader_next(&reader, NULL)) == 0)
			;
		assert_int_equal(rc, 1);
		jsonw_init(&w, out);
		jsonw_object(&w, NULL);
		usage_sums_render(r.sums, &w, &config);
		jsonw_end_object(&w);
		usage_sums_free(r.sums);
	}
	assert_false(out->overflow);
}

/* All that may go, whatever its age: how many. */
static int prune_all(void)
{
	struct store *store = core_store(d.core);
	struct store_history_lease found[STORE_HISTORY_MOST];
	struct store_history_age age = { d.now_ms + 1, d.now_ms };
	struct store_history_place place = { 0 };
	int count, total = 0;

	assert_int_equal(core_begin_locked(d.core, NULL), 0);
	while ((count = store_history_next(store, "hetzner", &age, &place, found,
					   STORE_HISTORY_MOST, NULL)) > 0) {
		for (int i = 0; i < count; i++) {
			place = found[i].place;
			if (!found[i].may_go)
				continue;
			assert_int_equal(store_history_drop(store, "hetzner", place.n, NULL), 0);
			total++;
		}
	}
	assert_int_equal(count, 0);
	assert_int_equal(core_flush(d.core, NULL), 0);
	return total;
}

static void check_pruned(void)
{
	auto_buf struct buf before = { 0 };
	auto_buf struct buf after = { 0 };
	struct err err = { .text = "" };
	int count;

	buf_init(&before, 64 << 20);
	buf_init(&after, 64 << 20);
	reports_render(&before);
	count = prune_all();
	reports_render(&after);
	printf("%d leases pruned, %zu bytes of usage are the same\n", count, before.len);
	assert_true(count > lives / 2);
	assert_int_equal(before.len, after.len);
	assert_memory_equal(buf_str(&before), buf_str(&after), before.len);
	if (store_check(core_store(d.core), &err))
		fail_msg("%s", err.text);
}

static void u12_a_month_of_bills_agrees_with_the_provider(void **state)
{
	json_t *bill, *line;
	int64_t told, billed, hours = 0;
	int servers = 0, apart = 0;
	size_t i;

	(void)state;
	world_begin();
	month_run();
	admin("DELETE", "/_sim/faults", NULL, NULL);
	outage_until_ms = 0;
	driver_pass(&d, 2 * HOUR);
	for (int life = 0; life < lives; life++)
		operator_retries(life);
	driver_pass(&d, 2 * HOUR);
	admin("GET", "/_sim/bill", NULL, &bill);
	told = usage_read();
	billed = micros_of(json_string_value(json_object_get(bill, "gross")));
	json_array_foreach(json_object_get(bill, "lines"), i, line) {
		int64_t billed_hours = json_integer_value(json_object_get(line, "hours"));
		const struct line *mine;
		char id[32];

		if (strcmp(json_string_value(json_object_get(line, "kind")), "server") != 0)
			continue;
		snprintf(id, sizeof(id), "%lld",
			 (long long)json_integer_value(json_object_get(line, "id")));
		mine = line_find(id);
		if (!mine)
			fail_msg("server %s is billed, and usage does not know it", id);
		servers++;
		hours += billed_hours;
		/* The absence is proven later than the end of the bill. */
		apart += mine->billed_ms != billed_hours * HOUR;
		assert_true(mine->billed_ms / HOUR >= billed_hours);
	}
	json_decref(bill);
	printf("%d leases, %d servers, %" PRId64
	       " hours; %d retained, %d lost creates, %d restarts\n"
	       "bill %.6f EUR, usage %.6f EUR: %+.3f %%; %d servers differ by hours\n",
	       lives, servers, hours, kept, lost, restarts, (double)billed / 1e6,
	       (double)told / 1e6, ((double)told / (double)billed - 1) * 100, apart);
	assert_int_equal(servers, line_count);
	assert_true(llabs(told - billed) <= billed / 100);
	free(lines);
	check_pruned();
	world_end();
}

int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(u12_a_month_of_bills_agrees_with_the_provider),
	};

	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : (uint32_t)time(NULL);
	if (argc > 2)
		lives = atoi(argv[2]) < LIVES_MAX ? atoi(argv[2]) : LIVES_MAX;
	printf("seed %u\n", seed);
	fflush(stdout);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
