/* SPDX-License-Identifier: MIT */
#include "api/completion.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "util/alloc.h"
#include "util/log.h"

struct completions {
	struct event *event;
	int fd;
	pthread_mutex_t lock; /* guards the list */
	STAILQ_HEAD(completion_list, completion) list;
};

static void completions_finish(struct completions *completions)
{
	struct completion_list taken = STAILQ_HEAD_INITIALIZER(taken);
	struct completion *completion;

	pthread_mutex_lock(&completions->lock);
	STAILQ_CONCAT(&taken, &completions->list);
	pthread_mutex_unlock(&completions->lock);
	while ((completion = STAILQ_FIRST(&taken))) {
		STAILQ_REMOVE_HEAD(&taken, entry);
		completion->finish(completion);
	}
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	uint64_t count;

	(void)what;
	/* The counter is read before the list, so that a signal in between is not lost. */
	if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN && errno != EINTR)
		log_error(LOG_FIELDS({ "error", strerror(errno) }),
			  "cannot read the eventfd of finished requests");
	completions_finish(arg);
}

int completions_new(struct event_base *base, struct completions **ret, struct err *err)
{
	struct completions *completions = xcalloc(1, sizeof(*completions));

	STAILQ_INIT(&completions->list);
	pthread_mutex_init(&completions->lock, NULL);
	completions->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (completions->fd < 0) {
		err_set_errno(err, errno, "cannot create an eventfd");
		completions_free(completions);
		return -1;
	}
	completions->event = event_new(base, completions->fd, EV_READ | EV_PERSIST, on_ready,
				       completions);
	if (!completions->event || event_add(completions->event, NULL)) {
		completions_free(completions);
		return err_set(err, ERR_INTERNAL, "cannot register an eventfd");
	}
	*ret = completions;
	return 0;
}

void completions_put(struct completions *completions, struct completion *completion)
{
	uint64_t one = 1;
	int ring;

	pthread_mutex_lock(&completions->lock);
	ring = STAILQ_EMPTY(&completions->list);
	STAILQ_INSERT_TAIL(&completions->list, completion, entry);
	/* Inside the lock, so that completions_free does not close the eventfd meanwhile. */
	if (ring && write(completions->fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_error(LOG_FIELDS({ "error", strerror(errno) }), "cannot wake the loop");
	pthread_mutex_unlock(&completions->lock);
}

void completions_drain(struct completions *completions)
{
	do {
		completions_finish(completions);
	} while (!STAILQ_EMPTY(&completions->list));
}

void completions_free(struct completions *completions)
{
	if (!completions)
		return;
	if (completions->event)
		event_free(completions->event);
	if (completions->fd >= 0)
		close(completions->fd);
	pthread_mutex_destroy(&completions->lock);
	free(completions);
}
