/* SPDX-License-Identifier: MIT */
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>

static struct toy *the_toy;
static __thread toy_script the_script;
static __thread toy_look the_look;

/* ---- the provider ---- */

static int toy_open(struct lessor_call *call, void **instance)
{
	(void)call;
	*instance = the_toy;
	return LESSOR_DONE;
}

static void toy_close(void *instance)
{
	(void)instance;
}

static int toy_op(void *instance, struct lessor_call *call, const struct lessor_lease *lease)
{
	toy_script script;

	(void)instance;
	/* the script travels in the lease's image, since a worker may run it */
	if (sscanf(lease->image, "%p", (void **)(void *)&script) != 1)
		abort();
	return script(call, lease);
}

static int toy_list(void *instance, struct lessor_call *call, uint32_t kind)
{
	(void)instance;
	(void)kind;
	return the_script(call, NULL);
}

static int toy_catalog(void *instance, struct lessor_call *call)
{
	(void)instance;
	return the_script(call, NULL);
}

static int toy_op_observe(void *instance, struct lessor_call *call, struct lessor_waiting *waiting,
			  size_t count)
{
	(void)instance;
	return the_look(call, waiting, count);
}

static const struct lessor_option options[] = {
	{ .key = "endpoint", .preset = "", .help = "Where.", .type = LESSOR_OPTION_URL },
};

#define SERVERS LESSOR_KIND_BIT(LESSOR_KIND_SERVER)
#define KEYS LESSOR_KIND_BIT(LESSOR_KIND_KEY)
#define MARKS LESSOR_KIND_BIT(LESSOR_KIND_SENTINEL)
#define OBJECT(member) \
	.object_at = "/" member, .id_at = "/id", .name_at = "/name", .labels_at = "/labels", \
	.protected_at = "/protection/delete"
#define ONE(n, method_, path_, effect_, kinds_, member) \
	{ .name = n, .method = method_, .path = path_, .effect = effect_, .kinds = kinds_, \
	  OBJECT(member) }
#define MANY(n, path_, kinds_, member) \
	{ .name = n, .method = "GET", .path = path_, .effect = LESSOR_LISTS, .kinds = kinds_, \
	  OBJECT(member), .by_name = "name", .by_labels = "label_selector", .page = "page", \
	  .next_at = "/meta/pagination/next_page" }
#define EFFECT(n, method_, path_, effect_, kinds_) \
	{ .name = n, .method = method_, .path = path_, .effect = effect_, .kinds = kinds_ }

static const struct lessor_action actions[] = {
	ONE("read_server", "GET", "/servers/{id}", LESSOR_READS, SERVERS, "server"),
	MANY("list_servers", "/servers", SERVERS, "servers"),
	ONE("create_server", "POST", "/servers", LESSOR_MAKES, SERVERS, "server"),
	EFFECT("label_server", "PUT", "/servers/{id}", LESSOR_CHANGES, SERVERS),
	EFFECT("poweron_server", "POST", "/servers/{id}/actions/poweron", LESSOR_CHANGES, SERVERS),
	EFFECT("protect_server", "POST", "/servers/{id}/actions/protect", LESSOR_PROTECTS, SERVERS),
	EFFECT("delete_server", "DELETE", "/servers/{id}", LESSOR_DESTROYS, SERVERS),
	/* two more actions, since no method is harmless by itself */
	EFFECT("destroy_server", "POST", "/servers/{id}/destroy", LESSOR_DESTROYS, SERVERS),
	EFFECT("terminate_server", "GET", "/servers/{id}/terminate", LESSOR_DESTROYS, SERVERS),
	ONE("read_key", "GET", "/keys/{id}", LESSOR_READS, KEYS, "key"),
	MANY("list_keys", "/keys", KEYS, "keys"),
	ONE("create_key", "POST", "/keys", LESSOR_MAKES, KEYS, "key"),
	EFFECT("delete_key", "DELETE", "/keys/{id}", LESSOR_DESTROYS, KEYS),
	ONE("read_mark", "GET", "/marks/{id}", LESSOR_READS, MARKS, "mark"),
	MANY("list_marks", "/marks", MARKS, "marks"),
	ONE("create_mark", "POST", "/marks", LESSOR_MAKES, MARKS, "mark"),
	EFFECT("label_mark", "PUT", "/marks/{id}", LESSOR_CHANGES, MARKS),
	{ .name = "read_action",
	  .method = "GET",
	  .path = "/actions/{id}",
	  .effect = LESSOR_READS,
	  .status_at = "/action/status",
	  .failed = "error" },
};

#define TABLE \
	.size = sizeof(struct lessor_provider), .abi = LESSOR_ABI, .name = "toy", .version = "1", \
	.summary = "A toy", .options = options, .option_count = 1, \
	.option_size = sizeof(options[0]), .concurrency = LESSOR_PARALLEL, .open = toy_open, \
	.close = toy_close, .provision = toy_op, .cleanup = toy_op, .inspect = toy_op, \
	.list = toy_list, .probe = toy_op, .catalog = toy_catalog, .retain = toy_op, \
	.observe = toy_op_observe

const struct lessor_provider toy_table = {
	TABLE,
	.http_auth = "bearer",
	.http_origin = "https://api.toy.example/v1",
	.actions = actions,
	.action_count = ARRAY_LEN(actions),
	.action_size = sizeof(actions[0]),
};

const struct lessor_provider toy_own_io_table = {
	TABLE,
	.capabilities = LESSOR_OWN_IO,
};

static struct lessor_action copies[ARRAY_LEN(actions)];

struct lessor_provider toy_table_copy(void)
{
	struct lessor_provider table = toy_table;

	memcpy(copies, actions, sizeof(actions));
	table.actions = copies;
	return table;
}

struct lessor_action *toy_action(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(copies); i++) {
		if (strcmp(copies[i].name, name) == 0)
			return &copies[i];
	}
	abort();
}

struct lessor_provider toy_table_without(const char *name)
{
	struct lessor_provider table = toy_table_copy();

	*toy_action(name) = copies[--table.action_count];
	return table;
}

/* ---- the world ---- */

static int64_t toy_wall(void *data)
{
	struct toy *toy = data;

	return __atomic_load_n(&toy->wall_ms, __ATOMIC_SEQ_CST);
}

static int64_t toy_mono(void *data)
{
	struct toy *toy = data;

	return __atomic_load_n(&toy->mono_ms, __ATOMIC_SEQ_CST);
}

static void toy_random(void *data, void *out, size_t len)
{
	(void)data;
	memset(out, 7, len);
}

static void sent_add(struct toy *toy, const struct env_http_request *request)
{
	struct toy_sent *sent = &toy->sent[toy->sent_count++];

	if (toy->sent_count > TOY_SENT_MAX)
		abort();
	snprintf(sent->method, sizeof(sent->method), "%s", request->method);
	snprintf(sent->url, sizeof(sent->url), "%s", request->url);
	snprintf(sent->authorization, sizeof(sent->authorization), "%s",
		 request->authorization ? request->authorization : "");
	snprintf(sent->body, sizeof(sent->body), "%.*s", (int)request->body_len,
		 request->body ? (const char *)request->body : "");
	sent->fresh = request->fresh;
	sent->timeout_ms = request->timeout_ms;
	sent->send_by_mono_ms = request->send_by_mono_ms;
}

/* Claims of this thread's step that it has not waited for. */
static _Thread_local int undurable;

static int toy_claim(void *arg, struct step *step, struct lease_claim *claim)
{
	undurable++;
	return toy_commit(arg, step, claim);
}

static int toy_barrier(void *arg, struct step *step)
{
	const struct toy *toy = arg;

	(void)step;
	if (toy->is_moved)
		return -1;
	undurable = 0;
	return 0;
}

static void toy_http(void *data, const struct env_http_request *request,
		     struct env_http_response *answer)
{
	struct toy *toy = data;

	if (undurable) {
		fprintf(stderr, "%s:%d: %s %s failed: it went out before what was claimed is durable\n",
			__FILE__, __LINE__, request->method, request->url);
		abort();
	}
	memset(answer, 0, sizeof(*answer));
	answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = -1;
	answer->rate_reset_s = -1;
	pthread_mutex_lock(&toy->lock);
	sent_add(toy, request);
	toy_cloud_answer(toy, request, answer);
	pthread_mutex_unlock(&toy->lock);
	if (toy->network)
		toy->network(toy, request, answer);
	if (answer->outcome != ENV_HTTP_ANSWERED) {
		free(answer->body);
		answer->body = NULL;
		answer->body_len = 0;
		answer->status = 0;
	}
}

int64_t toy_row(struct toy *toy, uint32_t kind, uint32_t state, const char *id)
{
	struct resource *row = &toy->rows[toy->row_count++];

	assert_true(toy->row_count <= TOY_ROWS_MAX);
	*row = (struct resource){ .n = toy->row_count, .lease = 1, .kind = kind, .state = state,
				  .ours = 1, .attempt = 1 };
	snprintf(row->name, sizeof(row->name), "toy-%d", toy->row_count);
	snprintf(row->id, sizeof(row->id), "%s", id);
	return row->n;
}

void toy_start_as(struct toy *toy, const struct lessor_provider *table, int64_t rate_per_hour)
{
	struct account_config config = { .location_count = 2, .max_steps = 4,
					 .rate_per_hour = rate_per_hour };
	struct err err = { 0 };

	memset(toy, 0, sizeof(*toy));
	the_toy = toy;
	toy->table = table;
	toy->wall_ms = 1800000000000;
	toy->mono_ms = 1000000;
	toy->next_id = 4711;
	toy->page_size = 50;
	toy->deny = -1;
	pthread_mutex_init(&toy->lock, NULL);
	toy->env = (struct env){ .data = toy, .wall_ms = toy_wall, .mono_ms = toy_mono,
				 .random = toy_random, .http = toy_http };
	strcpy(config.name, "acc");
	strcpy(config.provider, "toy");
	strcpy(config.locations[0], "here");
	strcpy(config.locations[1], "there");
	config.token = xstrdup("s3cret-token-of-the-toy");
	if (account_new(&toy->env, toy->table, &config, &toy->account, &err))
		fail_msg("%s", err.text);
	assert_null(config.token);
}

void toy_start(struct toy *toy, int64_t rate_per_hour)
{
	toy_start_as(toy, &toy_table, rate_per_hour);
}

void toy_stop(struct toy *toy)
{
	toy_cloud_fini(toy);
	account_free(toy->account);
	pthread_mutex_destroy(&toy->lock);
}

/* ---- steps ---- */

struct step *toy_step(struct toy *toy, enum step_op op, toy_script script)
{
	struct step *step = step_new(op, toy->account);

	undurable = 0;
	step->claim = toy_claim;
	step->barrier = toy_barrier;
	step->claim_arg = toy;
	step->deadline_ms = toy_wall(toy) + 60000;
	step->reads_sentinel = toy->is_shared;
	if (!toy->is_account) {
		step->lease.n = 1;
		strcpy(step->lease.id, TOY_LEASE);
		strcpy(step->lease.slug, "blue-fox");
	}
	strcpy(step->instance, TOY_INSTANCE);
	strcpy(step->lease.types[0], "small");
	step->lease.type_count = 1;
	step->lease.epoch = step->epoch = 3;
	snprintf(step->lease.image, sizeof(step->lease.image), "%p", *(void **)(void *)&script);
	step->ledger.resources = xcalloc((size_t)toy->row_count + 1, sizeof(struct resource));
	memcpy(step->ledger.resources, toy->rows, (size_t)toy->row_count * sizeof(struct resource));
	step->ledger.resource_count = (size_t)toy->row_count;
	return step;
}

struct step *toy_run(struct toy *toy, enum step_op op, toy_script script)
{
	struct step *step = toy_step(toy, op, script);

	the_script = script;
	step_run(step);
	return step;
}

struct step *toy_observe_step(struct toy *toy, toy_look look)
{
	struct step *step = toy_step(toy, STEP_OBSERVE, NULL);

	ledger_fini(&step->ledger);
	step->lease = (struct lease){ 0 };
	step->waiting_count = (size_t)toy->row_count;
	step->waiting = xcalloc(step->waiting_count, sizeof(*step->waiting));
	for (int i = 0; i < toy->row_count; i++) {
		struct step *part = toy_step(toy, STEP_PROVISION, NULL);

		part->lease.n = i + 1;
		snprintf(part->lease.id, sizeof(part->lease.id), "cbx_%012d", i + 1);
		part->ledger.resource_count = 1;
		part->ledger.resources[0] = toy->rows[i];
		part->look = step;
		part->claim = NULL; /* the observing step has it */
		step->waiting[i] = part;
	}
	the_look = look;
	return step;
}

struct step *toy_observe(struct toy *toy, toy_look look)
{
	struct step *step = toy_observe_step(toy, look);

	step_run(step);
	return step;
}

void toy_violates(struct toy *toy, enum step_op op, toy_script script, const char *text)
{
	struct step *step = toy_run(toy, op, script);

	assert_int_equal(step->violation, 1);
	if (!strstr(step->reason, text))
		fail_msg("'%s' does not say '%s'", step->reason, text);
	step_free(step);
}

void toy_verdict(struct toy *toy, enum step_op op, toy_script script, int verdict)
{
	struct step *step = toy_run(toy, op, script);

	if (step->violation)
		fail_msg("violation: %s", step->reason);
	assert_int_equal(step->verdict, verdict);
	step_free(step);
}

int toy_get(struct lessor_call *call, const char *path, int64_t share_ms,
	    struct lessor_http_response *ret)
{
	struct lessor_http_request request = { .size = sizeof(request), .method = "GET",
					       .path = path, .share_ms = share_ms };

	*ret = (struct lessor_http_response){ .size = sizeof(*ret) };
	return lessor_http(call, &request, ret);
}

int toy_send(struct lessor_call *call, const char *method, const char *path, int64_t row,
	     const char *body, struct lessor_http_response *ret)
{
	struct lessor_http_request request = { .size = sizeof(request), .method = method,
					       .path = path, .row = row, .body = body,
					       .body_len = body ? strlen(body) : 0 };

	*ret = (struct lessor_http_response){ .size = sizeof(*ret) };
	return lessor_http(call, &request, ret);
}

void toy_see(const char *id, struct lessor_observed *ret)
{
	*ret = (struct lessor_observed){ .size = sizeof(*ret), .kind = LESSOR_KIND_SERVER, .id = id,
					 .name = "toy" };
}
