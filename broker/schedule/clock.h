/* SPDX-License-Identifier: MIT */
/*
 * Can the wall clock be trusted? Yes, as long as it advances with the monotonic clock. When
 * it jumps by more than 15 minutes against it, it was set, rightly or wrongly: it is suspect.
 * So is a clock that a start finds far from the newest time which was stored while the clock
 * was trusted, because that jump happened while lessord was not running.
 *
 * Witnesses settle it: the providers' own clocks, and NTP. One that agrees is enough, since two
 * clocks do not agree by accident; then the clock is trusted at once. If there are only
 * witnesses that disagree, it stays suspect until one agrees. Without any witness it is
 * trusted again once it has agreed with the monotonic clock for ten minutes: time enough for
 * NTP to set it, and a lease that never ends is a machine that bills for ever.
 *
 * A clock that continues the stored times is trusted though a provider disagrees: what ends by
 * time is a difference to stored times, so only a break in the clock is dangerous, and the
 * provider's own clock may be the wrong one. Pure.
 */
#pragma once

#include <stdint.h>

#define CLOCK_JUMP_MS (15 * 60 * 1000)
#define CLOCK_AGREE_MS (10 * 60 * 1000)
/* A start may be this much later than the newest stored time, unless a witness disagrees. */
#define CLOCK_AWAY_MS (6 * 60 * 60 * 1000)

/* Zeroed before the first observation. */
struct clock_watch {
	int64_t offset_ms; /* wall clock minus monotonic clock, at the last observation */
	int64_t suspect_until_mono_ms;
	int64_t began_mono_ms; /* the first observation */
	int64_t since_ms;      /* wall clock: when this process began, or after the last jump */
	int is_known;
	int is_doubted; /* suspect at the last judgement */
	/*
	 * Known to continue the stored times: it was near them at the start, a witness agreed, or
	 * none came forward in ten minutes. Only then is it worth storing.
	 */
	int is_continuous;
	int is_contradicted; /* the last judgement heard only witnesses that disagree */
};

enum clock_witness { CLOCK_SILENT, CLOCK_AGREES, CLOCK_DISAGREES };
enum clock_verdict { CLOCK_UNCHANGED, CLOCK_DOUBTED, CLOCK_TRUSTED };

/*
 * The first observation of a process. `stored_ms` is the newest time that was stored while the
 * clock was trusted; 0: there is none, and so nothing that a wrong clock could end. Returns how
 * far the clock is from it if that makes it suspect, else 0.
 */
int64_t clock_start(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms, int64_t stored_ms);
/*
 * After clock_start: what `before`, of the same monotonic clock, knew counts on, so that a doubt goes
 * on, and a jump since then is one. A start that is in doubt by itself stays as it is. Returns the
 * jump. Zeroed `before`: nothing was known.
 */
int64_t clock_resume(struct clock_watch *watch, const struct clock_watch *before, int64_t wall_ms,
		     int64_t mono_ms);
/*
 * By how much it has jumped since the last observation, ms; 0: no jump. Slow drift is
 * followed.
 */
int64_t clock_observe(struct clock_watch *watch, int64_t wall_ms, int64_t mono_ms);
int clock_is_suspect(const struct clock_watch *watch, int64_t mono_ms);
/* What the witnesses say together. CLOCK_DOUBTED, CLOCK_TRUSTED: it is so from now on. */
enum clock_verdict clock_judge(struct clock_watch *watch, enum clock_witness witness,
			       int64_t mono_ms);
/* Does a clock that shows `at_ms` while another shows `other_ms` agree with it? */
int clock_is_near(int64_t at_ms, int64_t other_ms);
