/* SPDX-License-Identifier: MIT */
#include "toy.h"

#include <stdio.h>
#include <stdlib.h>

static struct toy *the_toy;
static __thread toy_script the_script;

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

static const struct lessor_option options[] = {
	{ .key = "endpoint", .preset = "", .help = "Where.", .type = LESSOR_OPTION_URL },
};

const struct lessor_provider toy_table = {
	.size = sizeof(toy_table),
	.abi = LESSOR_ABI,
	.name = "toy",
	.version = "1",
	.summary = "A toy",
	.options = options,
	.option_count = 1,
	.option_size = sizeof(options[0]),
	.concurrency = LESSOR_PARALLEL,
	.http_auth = "bearer",
	.http_origin = "https://api.toy.example/v1",
	.open = toy_open,
	.close = toy_close,
	.provision = toy_op,
	.cleanup = toy_op,
	.inspect = toy_op,
	.list = toy_list,
	.probe = toy_op,
	.catalog = toy_catalog,
};

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

static void toy_http(void *data, const struct env_http_request *request,
		     struct env_http_answer *answer)
{
	struct toy *toy = data;

	memset(answer, 0, sizeof(*answer));
	answer->retry_after_ms = answer->rate_limit = answer->rate_remaining = -1;
	answer->rate_reset_s = -1;
	pthread_mutex_lock(&toy->lock);
	if (toy->sent_count == TOY_SENT_MAX)
		abort();
	struct toy_sent *sent = &toy->sent[toy->sent_count++];
	snprintf(sent->method, sizeof(sent->method), "%s", request->method);
	snprintf(sent->url, sizeof(sent->url), "%s", request->url);
	snprintf(sent->authorization, sizeof(sent->authorization), "%s",
		 request->authorization ? request->authorization : "");
	snprintf(sent->body, sizeof(sent->body), "%.*s", (int)request->body_len,
		 request->body ? (const char *)request->body : "");
	sent->fresh = request->fresh;
	sent->timeout_ms = request->timeout_ms;
	pthread_mutex_unlock(&toy->lock);
	answer->outcome = ENV_HTTP_ANSWERED;
	answer->status = 200;
	if (toy->network)
		toy->network(toy, request, answer);
	if (answer->outcome == ENV_HTTP_ANSWERED && !answer->body) {
		answer->body = xstrdup("{}");
		answer->body_len = 2;
	}
}

static struct resource *row_find(struct toy *toy, int64_t n)
{
	return n >= 1 && n <= toy->row_count ? &toy->rows[n - 1] : NULL;
}

static void commit_intend(struct toy *toy, struct step_commit *what)
{
	int64_t n = toy_row(toy, what->resource_kind, LESSOR_STATE_INTENDED, "");

	what->row = n;
	snprintf(what->name, sizeof(what->name), "toy-%d", (int)n);
	snprintf(what->labels.text[0], sizeof(what->labels.text[0]), "cbx-%d", (int)n);
	what->labels.items[0] = (struct lessor_label){ LESSOR_LABEL_LEASE, what->labels.text[0] };
	what->labels.count = 1;
}

static int toy_commit(void *arg, struct step *step, struct step_commit *what)
{
	struct toy *toy = arg;
	struct resource *row;
	static const uint32_t states[] = {
		[COMMIT_CREATED] = LESSOR_STATE_PRESENT,
		[COMMIT_NOT_CREATED] = LESSOR_STATE_GONE,
		[COMMIT_UNKNOWN] = LESSOR_STATE_UNKNOWN,
		[COMMIT_DELETING] = LESSOR_STATE_DELETING,
		[COMMIT_STILL_THERE] = LESSOR_STATE_PRESENT,
		[COMMIT_GONE] = LESSOR_STATE_GONE,
	};

	(void)step;
	pthread_mutex_lock(&toy->lock);
	toy->commits[what->kind]++;
	what->result = 0;
	if ((int)what->kind == toy->deny) {
		err_set(&what->err, ERR_REFUSED, "the test says no");
		what->result = -1;
	} else {
		if (what->kind == COMMIT_INTEND)
			commit_intend(toy, what);
		row = row_find(toy, what->row);
		if (row && what->kind < (int)ARRAY_LEN(states) && states[what->kind])
			row->state = states[what->kind];
		if (row && what->kind == COMMIT_CREATED)
			snprintf(row->id, sizeof(row->id), "%s", what->id);
		if (row)
			what->resource = *row;
	}
	pthread_mutex_unlock(&toy->lock);
	return what->result;
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

void toy_start(struct toy *toy, int64_t rate_per_hour)
{
	struct account_config config = { .location_count = 2, .max_steps = 4,
					 .rate_per_hour = rate_per_hour };
	struct err err = { 0 };

	memset(toy, 0, sizeof(*toy));
	the_toy = toy;
	toy->wall_ms = 1800000000000;
	toy->mono_ms = 1000000;
	toy->deny = -1;
	pthread_mutex_init(&toy->lock, NULL);
	toy->env = (struct env){ .data = toy, .wall_ms = toy_wall, .mono_ms = toy_mono,
				 .random = toy_random, .http = toy_http };
	strcpy(config.name, "acc");
	strcpy(config.provider, "toy");
	strcpy(config.locations[0], "here");
	strcpy(config.locations[1], "there");
	config.token = xstrdup("s3cret-token-of-the-toy");
	if (account_new(&toy->env, &toy_table, &config, &toy->account, &err))
		fail_msg("%s", err.text);
	assert_null(config.token);
}

void toy_stop(struct toy *toy)
{
	account_free(toy->account);
	pthread_mutex_destroy(&toy->lock);
}

struct step *toy_step(struct toy *toy, enum step_op op, toy_script script)
{
	struct step *step = step_new(op, toy->account);

	step->commit = toy_commit;
	step->commit_arg = toy;
	step->deadline_ms = toy_wall(toy) + 60000;
	step->lease.n = 1;
	strcpy(step->lease.id, "cbx_0123456789ab");
	strcpy(step->lease.slug, "blue-fox");
	strcpy(step->instance, "inst");
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

int toy_get(struct lessor_call *call, const char *path, int64_t share_ms,
	    struct lessor_http_response *ret)
{
	struct lessor_http_request request = { .size = sizeof(request), .method = "GET",
					       .path = path, .share_ms = share_ms };

	*ret = (struct lessor_http_response){ .size = sizeof(*ret) };
	return lessor_http(call, &request, ret);
}

int toy_send(struct lessor_call *call, const char *method, const char *path, int64_t row,
	     struct lessor_http_response *ret)
{
	struct lessor_http_request request = { .size = sizeof(request), .method = method,
					       .path = path, .row = row };

	if (strcmp(method, "DELETE") != 0) {
		request.body = "{\"a\":1}";
		request.body_len = 7;
	}
	*ret = (struct lessor_http_response){ .size = sizeof(*ret) };
	return lessor_http(call, &request, ret);
}

void toy_see(const char *id, struct lessor_observed *ret)
{
	*ret = (struct lessor_observed){ .size = sizeof(*ret), .kind = LESSOR_KIND_SERVER, .id = id,
					 .name = "toy" };
}
