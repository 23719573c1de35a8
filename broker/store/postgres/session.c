/* SPDX-License-Identifier: MIT */
/* The end of a session. */
#include "store/postgres/internal.h"

void pg_session_end(struct pg_connection *c)
{
	PQfinish(c->conn);
	c->conn = NULL;
	c->queue_len = 0;
}
