/* SPDX-License-Identifier: MIT */
#include "api/run_queue.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/call.h"
#include "util/alloc.h"
#include "util/log.h"

struct pending_run {
	struct run_request request;	/* first: the room knows only this */
	struct completion completion;
	struct call call;
	run_queue_finish_fn finish;
	struct run_queue *queue;
};

struct run_queue {
	struct runs *runs;
	struct completions *completions;
	size_t count;		/* on their way */
};

struct run_queue *run_queue_new(struct completions *completions, struct runs *runs)
{
	struct run_queue *queue = xcalloc(1, sizeof(*queue));

	queue->completions = completions;
	queue->runs = runs;
	return queue;
}

void run_queue_free(struct run_queue *queue)
{
	if (queue && queue->count)
		log_error(NULL, "%zu requests were still with run history at the end", queue->count);
	free(queue);
}

void run_queue_drop(struct run_queue *queue, struct run_request *request)
{
	queue->count--;
	free(request);
}

static void run_finish(struct completion *completion)
{
	struct pending_run *pending = (struct pending_run *)(void *)
		((char *)completion - offsetof(struct pending_run, completion));

	pending->finish(&pending->call, &pending->request);
	run_queue_drop(pending->queue, &pending->request);
}

struct run_request *run_queue_request(struct run_queue *queue, const struct call *call,
				      enum run_op op, size_t max)
{
	struct pending_run *pending;

	if (queue->count >= max)
		return NULL;
	pending = xcalloc(1, sizeof(*pending));
	queue->count++;
	pending->completion.finish = run_finish;
	pending->queue = queue;
	pending->call = *call;
	memset(&pending->call.input, 0, sizeof(pending->call.input));
	pending->request.op = op;
	pending->request.caller = call->caller;
	return &pending->request;
}

/* The room's thread. */
static void run_done(struct run_request *request)
{
	struct pending_run *pending = (struct pending_run *)(void *)request;

	completions_put(pending->queue->completions, &pending->completion);
}

void run_queue_submit(struct run_queue *queue, struct run_request *request,
		      run_queue_finish_fn finish)
{
	struct pending_run *pending = (struct pending_run *)(void *)request;

	pending->finish = finish;
	request->done = run_done;
	runs_submit(queue->runs, request);
}

size_t run_queue_count(const struct run_queue *queue)
{
	return queue->count;
}
