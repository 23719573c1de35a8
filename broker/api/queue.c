/* SPDX-License-Identifier: MIT */
#include "api/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "api/call.h"
#include "util/alloc.h"
#include "util/log.h"

#define KEPT_MAX 256	/* pendings kept for the next request, 17 KB each */

struct pending {
	struct engine_request request;	/* first: the engine knows only this */
	struct call call;
	queue_finish_fn finish;
	struct queue *queue;
	struct pending *next;
};

struct queue {
	struct engine *engine;
	struct event *event;
	int fd;
	size_t count;		/* on their way; loop thread */
	struct pending *kept;	/* loop thread */
	size_t kept_count;
	pthread_mutex_t lock;	/* guards the next two */
	struct pending *first;
	struct pending **last;
};

static void queue_keep(struct queue *queue, struct pending *pending)
{
	queue->count--;
	if (queue->kept_count >= KEPT_MAX) {
		free(pending);
		return;
	}
	pending->next = queue->kept;
	queue->kept = pending;
	queue->kept_count++;
}

static void queue_take(struct queue *queue)
{
	struct pending *pending;
	struct pending *next;

	pthread_mutex_lock(&queue->lock);
	pending = queue->first;
	queue->first = NULL;
	queue->last = &queue->first;
	pthread_mutex_unlock(&queue->lock);
	for (; pending; pending = next) {
		next = pending->next;
		pending->finish(&pending->call, &pending->request);
		queue_keep(queue, pending);
	}
}

static void queue_ready(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	/* The counter is taken before the list, so that a ring in between is not lost. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		log_error(LOG_FIELDS({ "error", strerror(errno) }),
			  "the engine's answers cannot be waited for");
	queue_take(arg);
}

int queue_new(struct event_base *base, struct engine *engine, struct queue **ret, struct err *err)
{
	struct queue *queue = xcalloc(1, sizeof(*queue));

	queue->engine = engine;
	queue->last = &queue->first;
	pthread_mutex_init(&queue->lock, NULL);
	queue->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (queue->fd < 0) {
		err_set_errno(err, errno, "cannot make an eventfd");
		queue_free(queue);
		return -1;
	}
	queue->event = event_new(base, queue->fd, EV_READ | EV_PERSIST, queue_ready, queue);
	if (!queue->event || event_add(queue->event, NULL)) {
		queue_free(queue);
		return err_set(err, ERR_INTERNAL, "cannot register the engine's eventfd");
	}
	*ret = queue;
	return 0;
}

void queue_free(struct queue *queue)
{
	struct pending *pending;

	if (!queue)
		return;
	/* What is finished may ask for more, and is told at once that there is none. */
	do {
		queue_take(queue);
	} while (queue->first);
	if (queue->count)
		log_error(NULL, "%zu requests were still with the engine at the end",
			  queue->count);
	while ((pending = queue->kept)) {
		queue->kept = pending->next;
		free(pending);
	}
	if (queue->event)
		event_free(queue->event);
	if (queue->fd >= 0)
		close(queue->fd);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

struct engine_request *queue_request(struct queue *queue, const struct call *call,
				     enum request_kind kind, size_t max)
{
	struct pending *pending = queue->kept;
	struct engine_request *request;

	if (queue->count >= max)
		return NULL;
	if (pending) {
		queue->kept = pending->next;
		queue->kept_count--;
	} else {
		pending = xcalloc(1, sizeof(*pending));
	}
	queue->count++;
	/* All but the large answers, which the engine fills. */
	request = &pending->request;
	memset(request, 0, offsetof(struct engine_request, lease));
	request->lease.id[0] = '\0';
	request->attempt_count = 0;
	request->next = NULL;
	request->wait_until_ms = 0;
	request->kind = kind;
	request->caller = call->caller;
	pending->queue = queue;
	pending->call = *call;
	memset(&pending->call.input, 0, sizeof(pending->call.input));
	return request;
}

void queue_drop(struct queue *queue, struct engine_request *request)
{
	queue_keep(queue, (struct pending *)(void *)request);
}

/* Engine thread: hands over and nothing else. */
static void queue_done(struct engine_request *request)
{
	struct pending *pending = (struct pending *)(void *)request;
	struct queue *queue = pending->queue;
	uint64_t one = 1;
	int ring;

	pending->next = NULL;
	pthread_mutex_lock(&queue->lock);
	ring = !queue->first;
	*queue->last = pending;
	queue->last = &pending->next;
	/* Inside the lock, so that queue_free cannot close it meanwhile. */
	if (ring && write(queue->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error(LOG_FIELDS({ "error", strerror(errno) }), "cannot wake the loop");
	pthread_mutex_unlock(&queue->lock);
}

void queue_submit(struct queue *queue, struct engine_request *request, queue_finish_fn finish)
{
	struct pending *pending = (struct pending *)(void *)request;

	pending->finish = finish;
	request->done = queue_done;
	engine_submit(queue->engine, request);
}

size_t queue_count(const struct queue *queue)
{
	return queue->count;
}
