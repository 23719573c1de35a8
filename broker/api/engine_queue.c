/* SPDX-License-Identifier: MIT */
#include "api/engine_queue.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "api/notice.h"
#include "api/request.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/text.h"

#define KEPT_MAX 256 /* kept for reuse, 17 KB each */

struct engine_pending {
	struct engine_request engine_request; /* first: the engine sees only this */
	struct completion completion;
	struct api_request request;
	struct notice_request asked;
	engine_queue_finish_fn finish;
	struct engine_queue *queue;
	SLIST_ENTRY(engine_pending) entry;
};

/* Loop thread, except for `completions`. */
struct engine_queue {
	struct fleet *fleet;
	struct completions *completions;
	size_t count;		     /* open */
	uint64_t early[EARLY_COUNT]; /* requests answered before their wait was over */
	SLIST_HEAD(, engine_pending) kept;
	size_t kept_count;
};

static void engine_queue_keep(struct engine_queue *queue, struct engine_pending *pending)
{
	queue->count--;
	if (queue->kept_count >= KEPT_MAX) {
		free(pending);
		return;
	}
	SLIST_INSERT_HEAD(&queue->kept, pending, entry);
	queue->kept_count++;
}

static void pending_finish(struct completion *completion)
{
	struct engine_pending *pending =
		(struct engine_pending *)(void *)((char *)completion -
						  offsetof(struct engine_pending, completion));

	pending->queue->early[pending->engine_request.early]++;
	/* The connection is needed for another client. */
	if (pending->engine_request.early == EARLY_ROOM)
		http_reply_close(pending->request.ex);
	pending->finish(&pending->request, &pending->engine_request);
	engine_queue_keep(pending->queue, pending);
}

struct engine_queue *engine_queue_new(struct completions *completions, struct fleet *fleet)
{
	struct engine_queue *queue = xcalloc(1, sizeof(*queue));

	queue->completions = completions;
	queue->fleet = fleet;
	return queue;
}

void engine_queue_free(struct engine_queue *queue)
{
	struct engine_pending *pending;

	if (!queue)
		return;
	if (queue->count)
		log_error(NULL, "%zu requests were still open in the engine at shutdown",
			  queue->count);
	while ((pending = SLIST_FIRST(&queue->kept))) {
		SLIST_REMOVE_HEAD(&queue->kept, entry);
		free(pending);
	}
	free(queue);
}

struct engine_request *engine_queue_request(struct engine_queue *queue,
					    const struct api_request *request,
					    enum request_kind kind, size_t max)
{
	struct engine_pending *pending = SLIST_FIRST(&queue->kept);
	struct engine_request *engine_request;

	if (queue->count >= max)
		return NULL;
	if (pending) {
		SLIST_REMOVE_HEAD(&queue->kept, entry);
		queue->kept_count--;
	} else {
		pending = xcalloc(1, sizeof(*pending));
	}
	queue->count++;
	/* All except the large results, which the engine fills in. */
	engine_request = &pending->engine_request;
	memset(engine_request, 0, offsetof(struct engine_request, lease));
	engine_request->lease.id[0] = '\0';
	engine_request->attempt_count = 0;
	engine_request->wait_until_ms = 0;
	engine_request->kind = kind;
	engine_request->caller = request->caller;
	memcpy(engine_request->account, request->account, sizeof(engine_request->account));
	engine_request->epoch = request->epoch;
	TEXT_SET(engine_request->meant, request->lease);
	TEXT_SET(engine_request->request_id, request->request_id);
	pending->completion.finish = pending_finish;
	pending->queue = queue;
	pending->request = *request;
	memset(&pending->request.body, 0, sizeof(pending->request.body));
	memset(&pending->asked, 0, sizeof(pending->asked));
	return engine_request;
}

struct notice_request *engine_queue_asked(struct engine_request *engine_request)
{
	return &((struct engine_pending *)(void *)engine_request)->asked;
}

void engine_queue_drop(struct engine_queue *queue, struct engine_request *engine_request)
{
	engine_queue_keep(queue, (struct engine_pending *)(void *)engine_request);
}

/* Engine thread. */
static void engine_queue_done(struct engine_request *engine_request)
{
	struct engine_pending *pending = (struct engine_pending *)(void *)engine_request;

	completions_put(pending->queue->completions, &pending->completion);
}

void engine_queue_submit(struct engine_queue *queue, struct engine_request *engine_request,
			 engine_queue_finish_fn finish)
{
	struct engine_pending *pending = (struct engine_pending *)(void *)engine_request;

	pending->finish = finish;
	engine_request->done = engine_queue_done;
	fleet_submit(queue->fleet, engine_request);
}

uint64_t engine_queue_early(const struct engine_queue *queue, enum request_early why)
{
	return queue->early[why];
}

size_t engine_queue_count(const struct engine_queue *queue)
{
	return queue->count;
}
