/* SPDX-License-Identifier: MIT */
/*
 * A provider's answer, held by whoever reads it: the steps that asked, and the
 * account's share cache. Constant once made; the count is atomic.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "util/env.h"

struct answer {
	atomic_int refs;
	struct env_http_answer http;
	int64_t asked_mono_ms;	/* when the request was started: the answer is at least that new */
};

struct answer *answer_new(int64_t asked_mono_ms);	/* one reference, the caller's */
struct answer *answer_ref(struct answer *answer);
void answer_unref(struct answer *answer);		/* takes NULL */
