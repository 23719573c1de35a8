/* SPDX-License-Identifier: MIT */
/*
 * A load client for lessord that is fast enough not to be the bottleneck.
 *
 *   lives -p PORT [-n CLIENTS] [-t SECONDS [-w SECONDS]] [-m MOST] [-d SECONDS] WHAT [ARGUMENT]
 *
 *   lives          creates until ready and releases until gone
 *   creates        creates until ready
 *   beats FILE     heartbeats of the leases whose ids are in FILE, one per line, in turn
 *   runs BYTES     runs that are begun and finished, with a log of BYTES bytes
 *   get PATH       reads
 *
 * N clients work for -t seconds, or until -m operations have begun; every operation that has
 * begun is finished. Rates and percentiles cover the operations that end before -t and after
 * the first one to end after -w: all clients are busy in that window. Without -t they cover all
 * operations. After -d seconds (120) the program fails.
 *
 * The token comes from the environment (TOKEN). The output is one name and number per line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

/* Poll interval of a client whose lease is not yet ready or gone. */
#define POLL_US 50000
#define ID_ROOM 32

#define SSH_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bench"
#define WISH                                                                            \
	"{\"provider\":\"%s\",\"class\":\"standard\",\"sshPublicKey\":\"" SSH_KEY "\"," \
	"\"ttlSeconds\":86400,\"idleTimeoutSeconds\":86400}"

enum what { LIVES, CREATES, BEATS, RUNS, GET };
enum phase { CREATING, BOOTING, RELEASING, CLEANING, ASKING, ENDING };

struct client {
	enum phase phase;
	char id[ID_ROOM];
	int64_t begun_us; /* start of its life */
	int64_t phase_us; /* start of the measured phase: until ready, until gone */
	int64_t again_us; /* when to poll again; 0: a request is pending */
};

struct samples {
	const char *name;
	uint32_t *us;
	size_t count, size;
};

static struct load *load;
static struct client *clients;
static int client_count = 1;
static enum what what;
static const char *argument, *authorization, *account = "hetzner";
static char wish[512];
static char *run_log;
static char (*ids)[ID_ROOM];
static size_t id_count, id_next;

static double seconds, warm_seconds, patience = 120;
static long most, begun, done, polls;
static int busy, paused;
static int64_t start_us, ended_us;
static int64_t first_us, last_us; /* bounds of the window, once it is open */
static int is_open;
static long counted;
static struct samples whole = { .name = "all" }, creates = { .name = "create" },
		      releases = { .name = "release" };

/* ---- samples --------------------------------------------------------------------- */

static int counts(int64_t now_us)
{
	return !last_us || (is_open && now_us < last_us);
}

/* All clients begin at once, so the window opens only when the first operation ends. */
static void open_window(int64_t now_us)
{
	if (!last_us || is_open || now_us < first_us)
		return;
	is_open = 1;
	first_us = now_us;
}

static void sample_add(struct samples *s, int64_t us)
{
	if (s->count == s->size) {
		s->size = s->size ? 2 * s->size : 4096;
		s->us = realloc(s->us, s->size * sizeof(*s->us));
		if (!s->us)
			load_die("out of memory");
	}
	s->us[s->count++] = (uint32_t)us;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void samples_print(struct samples *s)
{
	if (!s->count)
		return;
	qsort(s->us, s->count, sizeof(*s->us), compare);
	printf("%s_p50_ms %.3f\n%s_p95_ms %.3f\n%s_p99_ms %.3f\n%s_max_ms %.3f\n",
	       s->name, s->us[s->count / 2] / 1e3, s->name, s->us[s->count * 95 / 100] / 1e3,
	       s->name, s->us[s->count * 99 / 100] / 1e3, s->name, s->us[s->count - 1] / 1e3);
}

/* ---- requests -------------------------------------------------------------------- */

static void request(int client, const char *method, const char *path, const char *more,
		    const char *body, size_t len)
{
	char head[1024];
	int used = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s%s", method,
			    path, authorization, more);

	if (body)
		used += snprintf(head + used, sizeof(head) - (size_t)used,
				 "Content-Type: application/json\r\nContent-Length: %zu\r\n", len);
	used += snprintf(head + used, sizeof(head) - (size_t)used, "\r\n");
	if ((size_t)used >= sizeof(head))
		load_die("the path is too long");
	load_send(load, client, head, body, len);
}

static void request_text(int client, const char *method, const char *path, const char *more,
			 const char *body)
{
	request(client, method, path, more, body, strlen(body));
}

static void request_lease(int client, const char *method, const char *tail, const char *body)
{
	char path[96];

	snprintf(path, sizeof(path), "/v1/leases/%s%s", clients[client].id, tail);
	request(client, method, path, "", body, body ? strlen(body) : 0);
}

/* The string value of the first "key": in the body; the lease's own fields come first. */
static int text_of(const struct load_answer *answer, const char *key, char *ret, size_t room)
{
	char mark[40];
	const char *at, *end;

	snprintf(mark, sizeof(mark), "\"%s\":\"", key);
	at = strstr(answer->body, mark);
	end = at ? strchr(at + strlen(mark), '"') : NULL;
	if (!end)
		return -1;
	at += strlen(mark);
	snprintf(ret, room, "%.*s", (int)(end - at), at);
	return 0;
}

/* ---- what a client does ---------------------------------------------------------- */

static int may_begin(int64_t now_us)
{
	return (!most || begun < most) && (!last_us || now_us < last_us);
}

static void begin(int client, int64_t now_us)
{
	struct client *c = &clients[client];

	if (!may_begin(now_us)) {
		busy--;
		return;
	}
	begun++;
	c->begun_us = c->phase_us = now_us;
	switch (what) {
	case LIVES:
	case CREATES:
		c->phase = CREATING;
		request_text(client, "POST", "/v1/leases", "Prefer: wait=90\r\n", wish);
		break;
	case BEATS:
		c->phase = ASKING;
		snprintf(c->id, sizeof(c->id), "%s", ids[id_next++ % id_count]);
		request_lease(client, "POST", "/heartbeat", "{}");
		break;
	case RUNS:
		c->phase = CREATING;
		request_text(client, "POST", "/v1/runs", "",
			     "{\"provider\":\"hetzner\",\"command\":[\"make\",\"test\"]}");
		break;
	case GET:
		c->phase = ASKING;
		request(client, "GET", argument, "", NULL, 0);
		break;
	}
}

static void finish(int client, int64_t took_us)
{
	int64_t now_us = load_now_us();

	done++;
	ended_us = now_us;
	if (counts(now_us)) {
		counted++;
		sample_add(&whole, took_us);
	}
	open_window(now_us);
	begin(client, now_us);
}

/* Ends a phase; records its duration if it ends within the window. */
static void phase_end(struct client *c, struct samples *s)
{
	int64_t now_us = load_now_us();

	if (counts(now_us))
		sample_add(s, now_us - c->phase_us);
	c->phase_us = now_us;
}

static void ask_later(struct client *c, enum phase phase)
{
	c->phase = phase;
	c->again_us = load_now_us() + POLL_US;
	paused++;
}

/* Handles the lease in the response to a create or a poll. */
static void is_it_ready(int client, const struct load_answer *answer)
{
	struct client *c = &clients[client];
	char state[24];

	if (text_of(answer, "id", c->id, sizeof(c->id)) ||
	    text_of(answer, "state", state, sizeof(state)))
		load_die("response without a lease: %.300s", answer->body);
	if (!strcmp(state, "provisioning")) {
		ask_later(c, BOOTING);
		return;
	}
	if (strcmp(state, "active"))
		load_die("a lease is %s: %.600s", state, answer->body);
	phase_end(c, &creates);
	if (what == CREATES) {
		finish(client, load_now_us() - c->begun_us);
		return;
	}
	c->phase = RELEASING;
	request_lease(client, "POST", "/release", "{\"delete\":true}");
}

static void is_it_gone(int client, const struct load_answer *answer)
{
	struct client *c = &clients[client];
	char status[24];

	if (text_of(answer, "cleanupStatus", status, sizeof(status)))
		load_die("a release without a status: %.600s", answer->body);
	if (!strcmp(status, "pending")) {
		ask_later(c, CLEANING);
		return;
	}
	if (strcmp(status, "complete"))
		load_die("a cleanup is %s: %.600s", status, answer->body);
	phase_end(c, &releases);
	finish(client, load_now_us() - c->begun_us);
}

static void run_begun(int client, const struct load_answer *answer)
{
	struct client *c = &clients[client];
	char path[96];

	if (text_of(answer, "id", c->id, sizeof(c->id)))
		load_die("response without a run: %.300s", answer->body);
	snprintf(path, sizeof(path), "/v1/runs/%s/finish", c->id);
	c->phase = ENDING;
	request_text(client, "POST", path, "", run_log);
}

static void on_answer(void *arg, int client, const struct load_answer *answer)
{
	(void)arg;
	if (answer->status / 100 != 2)
		load_die("%d: %.600s", answer->status, answer->body);
	switch (clients[client].phase) {
	case CREATING:
		if (what == RUNS)
			run_begun(client, answer);
		else
			is_it_ready(client, answer);
		break;
	case BOOTING:
		is_it_ready(client, answer);
		break;
	case RELEASING:
	case CLEANING:
		is_it_gone(client, answer);
		break;
	case ASKING:
	case ENDING:
		finish(client, answer->took_us);
		break;
	}
}

/* ---- all clients ----------------------------------------------------------------- */

/* Polls for the clients whose pause is over. Returns the time until the next one, -1: none. */
static int ask_again(void)
{
	int64_t now_us = load_now_us();
	int64_t next_us = 0;

	if (!paused)
		return -1;
	for (int i = 0; i < client_count; i++) {
		struct client *c = &clients[i];

		if (c->again_us && c->again_us <= now_us) {
			c->again_us = 0;
			paused--;
			polls++;
			request_lease(i, "GET", "", NULL);
		} else if (c->again_us && (!next_us || c->again_us < next_us)) {
			next_us = c->again_us;
		}
	}
	return next_us ? (int)((next_us - now_us) / 1000) + 1 : -1;
}

static void go(void)
{
	int64_t give_up_us;

	start_us = load_now_us();
	give_up_us = start_us + (int64_t)(patience * 1e6);
	first_us = start_us + (int64_t)(warm_seconds * 1e6);
	last_us = seconds > 0 ? start_us + (int64_t)(seconds * 1e6) : 0;
	busy = client_count;
	for (int i = 0; i < client_count; i++)
		begin(i, start_us);
	while (busy) {
		int wait_ms = ask_again();

		load_run(load, wait_ms >= 0 && wait_ms < 1000 ? wait_ms : 1000);
		if (load_now_us() > give_up_us)
			load_die("%d clients still waiting after %.0f s", busy, patience);
	}
}

static void report(void)
{
	double elapsed = (double)(ended_us - start_us) / 1e6;
	double window = last_us ? (double)(last_us - first_us) / 1e6 : elapsed;
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("done %ld\nseconds %.3f\ncounted %ld\nper_s %.2f\npolls %ld\n", done, elapsed,
	       counted, (double)counted / window, polls);
	printf("client_cpu_s %.3f\n",
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
	       (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
	samples_print(&whole);
	samples_print(&creates);
	samples_print(&releases);
}

/* ---- setup ----------------------------------------------------------------------- */

static void read_ids(void)
{
	FILE *file = fopen(argument, "r");
	char line[ID_ROOM];

	if (!file)
		load_die("cannot read %s", argument);
	while (fscanf(file, "%31s", line) == 1) {
		ids = realloc(ids, (id_count + 1) * sizeof(*ids));
		if (!ids)
			load_die("out of memory");
		memcpy(ids[id_count++], line, sizeof(line));
	}
	fclose(file);
	if (!id_count)
		load_die("no ids in %s", argument);
}

/* Like the output of a build: lines that are similar but not equal. */
static void make_log(void)
{
	size_t want = strtoul(argument, NULL, 10), size = want + 256, len;
	uint32_t seed = 1;

	run_log = malloc(size);
	if (!run_log)
		load_die("out of memory");
	len = (size_t)snprintf(run_log, size, "{\"exitCode\":0,\"log\":\"");
	for (unsigned line = 1; len < want; line++) {
		seed = seed * 1664525u + 1013904223u;
		len += (size_t)snprintf(run_log + len, size - len,
					"[%u] cc -O2 -c src/part-%08x.c -o %08x.o\\n", line, seed,
					seed ^ 0x5bd1e995u);
	}
	snprintf(run_log + len, size - len, "\"}");
}

static int read_what(const char *name)
{
	static const char *const names[] = { "lives", "creates", "beats", "runs", "get" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(name, names[i])) {
			what = (enum what)i;
			return 0;
		}
	}
	return -1;
}

static void read_token(void)
{
	static char line[256];
	const char *token = getenv("TOKEN");

	if (token)
		snprintf(line, sizeof(line), "Authorization: Bearer %s\r\n", token);
	authorization = line;
}

static int usage(void)
{
	fputs("usage: lives -p PORT [-a ACCOUNT] [-n CLIENTS] [-t SECONDS [-w SECONDS]] [-m MOST]\n"
	      "       [-d SECONDS] lives | creates | beats FILE | runs BYTES | get PATH\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	int port = 0, c;

	while ((c = getopt(argc, argv, "a:p:n:t:w:m:d:")) != -1) {
		switch (c) {
		case 'a':
			account = optarg;
			break;
		case 'p': port = (int)strtol(optarg, NULL, 10); break;
		case 'n': client_count = (int)strtol(optarg, NULL, 10); break;
		case 't': seconds = strtod(optarg, NULL); break;
		case 'w': warm_seconds = strtod(optarg, NULL); break;
		case 'm': most = strtol(optarg, NULL, 10); break;
		case 'd': patience = strtod(optarg, NULL); break;
		default: return usage();
		}
	}
	if (!port || client_count < 1 || optind == argc || read_what(argv[optind]) ||
	    (seconds <= 0 && most <= 0) || (what >= BEATS) != (optind + 2 == argc))
		return usage();
	argument = argv[argc - 1];
	read_token();
	snprintf(wish, sizeof(wish), WISH, account);
	if (what == BEATS)
		read_ids();
	if (what == RUNS)
		make_log();
	clients = calloc((size_t)client_count, sizeof(*clients));
	if (!clients)
		load_die("out of memory");
	load = load_new(port, client_count, on_answer, NULL);
	go();
	report();
	load_free(load);
	return 0;
}
