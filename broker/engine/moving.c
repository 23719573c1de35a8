/* SPDX-License-Identifier: MIT */
#include "engine/moving.h"

#include "util/text.h"

void moving_fill(struct engine_request *request)
{
	request->result = RESULT_UNAVAILABLE;
	request->retry_ms = MOVING_RETRY_MS;
	TEXT_SET(request->code, "account_moving");
	TEXT_SET(request->message, "the account is moving between two lessord; try again");
}

void moving_answer(struct engine_request *request)
{
	moving_fill(request);
	request->done(request);
}
