/* SPDX-License-Identifier: MIT */
#include "provider/answer.h"

#include "util/alloc.h"

struct answer *answer_new(int64_t asked_mono_ms)
{
	struct answer *answer = xcalloc(1, sizeof(*answer));

	atomic_init(&answer->refs, 1);
	answer->asked_mono_ms = asked_mono_ms;
	return answer;
}

struct answer *answer_ref(struct answer *answer)
{
	atomic_fetch_add_explicit(&answer->refs, 1, memory_order_relaxed);
	return answer;
}

void answer_unref(struct answer *answer)
{
	if (!answer || atomic_fetch_sub_explicit(&answer->refs, 1, memory_order_acq_rel) != 1)
		return;
	env_http_answer_fini(&answer->http);
	free(answer);
}
