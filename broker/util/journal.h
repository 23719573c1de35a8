/* SPDX-License-Identifier: MIT */
/*
 * Is a descriptor the stream of systemd's journal (sd-daemon(3))? Then a line begins with its
 * level, "<3>", which the journal takes off; and it has no time, since the journal adds one.
 * Any thread; async-signal-safe, as long as nobody changes the environment.
 */
#pragma once

/* JOURNAL_STREAM names the device and the inode of the journal's stream; is `fd` that one? */
int journal_is(int fd);
/* What a line of standard error begins with that is an error, if log.h does not write it. */
const char *journal_error(void);
/* Writes such a line, which has no newline yet. For what ends the process. */
void journal_line(const char *text);
