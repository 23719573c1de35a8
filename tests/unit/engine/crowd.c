/* SPDX-License-Identifier: MIT */
#include "unit/engine/crowd.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "driver/driver.h"
#include "driver/wire.h"
#include "unit/test.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define CALL_MS 2
#define MINUTE 60000

static struct driver d;
static struct lessor_provider table;
static struct cloud *cloud;
static struct asked asked[CROWD_LEASES_MAX];
static int64_t running_ms[CROWD_LEASES_MAX];
static struct crowd_counts counts;
static clock_t begun, in_cloud;

/* Of a lease, not of the account? */
static int is_for_lease(const struct step *step)
{
	return step &&
	       (step->op == STEP_PROVISION || step->op == STEP_OBSERVE || step->op == STEP_CLEANUP);
}

/* ---- the world ----------------------------------------------------------------------- */

static void http(void *data, const struct env_http_request *request,
		 struct env_http_response *answer)
{
	struct cloud_request ask = wire_request(request);
	clock_t before = clock();
	struct cloud_response reply;

	(void)data;
	counts.calls += is_for_lease(d.running);
	counts.listings += strncmp(ask.target, "/v1/servers?label_selector", 26) == 0;
	d.now_ms += CALL_MS;
	wire_init(answer);
	cloud_response_init(&reply);
	cloud_handle(cloud, d.now_ms, &ask, &reply);
	wire_answered(&reply, answer);
	cloud_response_fini(&reply);
	in_cloud += clock() - before;
}

static void note_running(void *arg, const struct cloud_event *event)
{
	int lease;

	(void)arg;
	if (event->kind == CLOUD_SERVER && strcmp(event->text, "running") == 0 &&
	    sscanf(event->lease, "cbx_%d", &lease) == 1 && lease > 0 && lease <= CROWD_LEASES_MAX)
		running_ms[lease - 1] = event->at_ms;
}

static void count_observation(void *arg, struct step *step)
{
	(void)arg;
	if (step->op != STEP_OBSERVE)
		return;
	counts.observations++;
	counts.answers += step->answers;
}

static void cloud_set(const char *name, int64_t value)
{
	struct err err = { 0 };
	char text[100];

	snprintf(text, sizeof(text), "{\"config\":{\"%s\":%lld}}", name, (long long)value);
	if (cloud_load(cloud, d.now_ms, text, strlen(text), &err))
		fail_msg("%s", err.text);
}

void crowd_set_boot(int64_t boot_ms)
{
	cloud_set("boot_ms", boot_ms);
}

static void cloud_begin(const struct crowd_config *crowd)
{
	static const char few[] =
		"{\"config\":{\"max_servers\":10000,\"max_primary_ips\":10000,\"max_keys\":10000,"
		"\"rate_per_hour\":1000000},"
		"\"catalogue\":{\"withdrawn\":[{\"type\":\"*\"}],\"available\":[{\"type\":\"cx23\"}]}}";
	struct cloud_config config;
	struct err err = { 0 };

	cloud_config_init(&config);
	config.requests_kept = config.history_kept = 16;
	config.observe = note_running;
	if (crowd->boot_ms) {
		config.create_ms = config.off_ms = config.lag_ms = 0;
		config.boot_ms = crowd->boot_ms;
	}
	cloud = cloud_new(&config);
	if (cloud_load(cloud, d.now_ms, few, strlen(few), &err))
		fail_msg("%s", err.text);
}

void crowd_begin(const struct crowd_config *config)
{
	static const struct driver_hooks hooks = { .ran = count_observation };
	const char *options[] = { "keys", config->keys, NULL };
	struct account_config account = { .name = "hetzner",
					  .max_steps = 8,
					  .location_count = 1,
					  .locations = { "fsn1" },
					  .image = "ubuntu-24.04",
					  .rate_per_hour = 1000000 };

	log_setup(2, LOG_HUMAN, LOG_LEVEL_ERROR);
	driver_init(&d, &hooks, NULL);
	driver_folder(&d, "crowd");
	d.env.http = http;
	d.config.boot_ms = 15 * MINUTE;
	d.config.probe_ms = 30 * MINUTE;
	memset(running_ms, 0, sizeof(running_ms));
	cloud_begin(config);
	table = *driver_plugin(HETZNER_SO);
	if (config->cannot_observe)
		table.observe = NULL;
	account.token = xstrdup("t");
	driver_account(&d, &table, &account, options);
	driver_open(&d);
	driver_pass(&d, 1000);
	crowd_reset_counts();
}

void crowd_end(void)
{
	driver_close(&d);
	driver_account_free(&d);
	cloud_free(cloud);
	driver_folder_remove(&d);
}

/* ---- clients --------------------------------------------------------------------------- */

static void lease_id(int lease, char ret[24])
{
	assert_in_range(lease, 0, CROWD_LEASES_MAX - 1);
	snprintf(ret, 24, "cbx_%012d", lease + 1);
}

void crowd_create(int lease)
{
	struct asked *a = &asked[lease];
	struct lease *l = &a->request.create;
	char id[24];

	lease_id(lease, id);
	*a = (struct asked){ .request.kind = REQUEST_CREATE };
	driver_wish(l, id, "hetzner", "cx23");
	snprintf(l->slug, sizeof(l->slug), "box-%d", lease + 1);
	strcpy(l->architecture, "x86");
	l->ttl_ms = l->idle_ms = 8 * 60 * MINUTE;
	driver_ask(&d, a);
	assert_int_equal(a->request.result, RESULT_CREATED);
}

void crowd_release(int lease)
{
	struct asked *a = &asked[lease];

	*a = (struct asked){ .request = { .kind = REQUEST_RELEASE, .delete_machine = 1 } };
	lease_id(lease, a->request.ref);
	driver_ask(&d, a);
	assert_int_equal(a->request.result, RESULT_OK);
}

void crowd_pass(int64_t ms)
{
	driver_pass(&d, ms);
}

struct lease crowd_lease(int lease)
{
	struct lease l;
	char id[24];

	lease_id(lease, id);
	assert_int_equal(driver_lease(&d, id, &l), 0);
	return l;
}

int crowd_is_running(void)
{
	return d.running != NULL;
}

int64_t crowd_late_ms(int lease)
{
	struct lease l = crowd_lease(lease);

	assert_true(l.ready_ms > 0 && running_ms[lease] > 0);
	return l.ready_ms - running_ms[lease];
}

void crowd_live(int lease)
{
	crowd_create(lease);
	for (int i = 0; i < 30 && crowd_lease(lease).state == LEASE_PROVISIONING; i++)
		driver_pass(&d, MINUTE);
	assert_int_equal(crowd_lease(lease).state, LEASE_ACTIVE);
	crowd_release(lease);
	driver_pass(&d, 2 * MINUTE);
	assert_int_equal(crowd_lease(lease).cleanup, CLEANUP_DONE);
}

/* ---- counts -------------------------------------------------------------------------------- */

void crowd_reset_counts(void)
{
	counts = (struct crowd_counts){ 0 };
	in_cloud = 0;
	begun = clock();
}

struct crowd_counts crowd_counts(void)
{
	counts.cpu_ms = (double)(clock() - begun - in_cloud) * 1000 / CLOCKS_PER_SEC;
	return counts;
}
