/* SPDX-License-Identifier: MIT */
#include "api/run_queue.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "api/request.h"
#include "util/alloc.h"
#include "util/log.h"

struct run_pending {
	struct run_request run_request; /* first: run history sees only this */
	struct completion completion;
	struct api_request request;
	run_queue_finish_fn finish;
	struct run_queue *queue;
};

struct run_queue {
	struct runs *runs;
	struct completions *completions;
	size_t count; /* open */
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
		log_error(NULL, "%zu requests were still open in run history at shutdown",
			  queue->count);
	free(queue);
}

void run_queue_drop(struct run_queue *queue, struct run_request *run_request)
{
	queue->count--;
	free(run_request);
}

static void run_finish(struct completion *completion)
{
	struct run_pending *pending =
		(struct run_pending *)(void *)((char *)completion -
					       offsetof(struct run_pending, completion));

	pending->finish(&pending->request, &pending->run_request);
	run_queue_drop(pending->queue, &pending->run_request);
}

struct run_request *run_queue_request(struct run_queue *queue, const struct api_request *request,
				      enum run_op op, size_t max)
{
	struct run_pending *pending;

	if (queue->count >= max)
		return NULL;
	pending = xcalloc(1, sizeof(*pending));
	queue->count++;
	pending->completion.finish = run_finish;
	pending->queue = queue;
	pending->request = *request;
	memset(&pending->request.body, 0, sizeof(pending->request.body));
	pending->run_request.op = op;
	pending->run_request.caller = request->caller;
	return &pending->run_request;
}

/* Thread of run history. */
static void run_done(struct run_request *run_request)
{
	struct run_pending *pending = (struct run_pending *)(void *)run_request;

	completions_put(pending->queue->completions, &pending->completion);
}

void run_queue_submit(struct run_queue *queue, struct run_request *run_request,
		      run_queue_finish_fn finish)
{
	struct run_pending *pending = (struct run_pending *)(void *)run_request;

	pending->finish = finish;
	run_request->done = run_done;
	runs_submit(queue->runs, run_request);
}

size_t run_queue_count(const struct run_queue *queue)
{
	return queue->count;
}
