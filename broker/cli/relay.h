/* SPDX-License-Identifier: MIT */
/* Carries bytes between standard input, standard output and a socket: a ProxyCommand of ssh. */
#pragma once

/*
 * Until both directions have ended or one is broken. `fd` is non-blocking and is closed. Returns
 * 0, or 1 if the connection broke.
 */
int relay_run(int fd);
