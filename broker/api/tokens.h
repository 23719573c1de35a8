/* SPDX-License-Identifier: MIT */
/* Uses of tokens on their way to the store; the routes are in handlers.h. Loop thread. */
#pragma once

struct api;

/* After a token was accepted: its use is written soon, with others. */
void tokens_used(struct api *api);
/* Writes what was noted, and frees the timer. For api_free, before token_desk_stop. */
void tokens_stop(struct api *api);
