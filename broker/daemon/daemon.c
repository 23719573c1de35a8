/* SPDX-License-Identifier: MIT */
#include "daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/crash_points.h"
#include "daemon/crash_report.h"
#include "daemon/descriptors.h"
#include "daemon/notify.h"
#include "daemon/place.h"
#include "daemon/registry.h"
#include "daemon/shared.h"
#include "daemon/tls.h"
#include "daemon/tokens.h"
#include "provider/running.h"
#include "util/alloc.h"
#include "util/log.h"

/* After the steps have ended or been cancelled: for responses to reach their clients. */
#define DRAIN_GRACE_MS 3000
/* For cancelled steps to end, before the service manager kills the process. */
#define FORCE_GRACE_MS 10000
/* For cancelled operations of providers to return, before the process ends without them. */
#define STUCK_GRACE_MS 3000
/* The Go client keeps idle connections for 90 s; closing earlier could meet its next POST. */
#define IDLE_MS 100000

/* ---- process and callbacks ----------------------------------------------------------- */

/* No core files and no debuggers: the process holds provider tokens. */
static void process_harden(void)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);
	/* The leak checker of a test build traces its own process. */
#ifndef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Blocks the handled signals, in later threads too; the loop reads them from a descriptor. */
static int signals_open(struct err *err)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set_errno(err, errno, "cannot receive signals");
	return fd;
}

/* Engine thread. Nothing has been acknowledged since the failure, and nothing may be. */
static void on_broken(void *arg, const char *why)
{
	(void)arg;
	log_error(NULL, "database error: %s; exiting so that no unsaved change is acknowledged",
		  why);
	notify_send("STATUS=database error; see: journalctl -u lessord");
	_exit(EXIT_RUNTIME);
}

static void runs_unusable(const struct err *err)
{
	log_error(LOG_FIELDS({ "error", err->text }),
		  "run history is unavailable until the next"
		  " start: its routes respond with 503; leases are served");
}

/* Runs thread. What has been acknowledged is on disk; leases are unaffected. */
static void on_runs_broken(void *arg, const char *why)
{
	struct err err = { 0 };

	(void)arg;
	err_set(&err, ERR_IO, "%s", why);
	runs_unusable(&err);
	notify_send("STATUS=serving without run history; see: journalctl -u lessord");
}

static void on_http_log(enum http_log_level level, const char *text, void *user)
{
	(void)user;
	log_write(level == HTTP_LOG_WARNING ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, NULL, "%s", text);
}

/* Once for each name: http/server.h. */
static void on_foreign_host(const char *host, void *user)
{
	(void)user;
	log_warning(LOG_FIELDS({ "host", host }),
		    "refused a request for a host name that is not allowed (421); if clients use"
		    " this name, add it to allowed_hosts in [server]");
}

/* ---- shutdown ---------------------------------------------------------------------------- */

static void end_if_done(struct daemon *d)
{
	if (d->engine_stopped && d->server_empty)
		event_base_loopexit(d->base, NULL);
}

static void on_server_empty(void *user)
{
	struct daemon *d = user;

	d->server_empty = 1;
	end_if_done(d);
}

static void on_stopped(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval grace = { .tv_sec = DRAIN_GRACE_MS / 1000 };
	struct daemon *d = arg;
	uint64_t n;

	(void)what;
	if (read(fd, &n, sizeof(n)) != (ssize_t)sizeof(n))
		return;
	d->engine_stopped = 1;
	event_add(d->on_late, &grace);
	end_if_done(d);
}

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_warning(NULL, "closing connections that are still open");
	event_base_loopexit(d->base, NULL);
}

struct stuck {
	const struct env *env;
	int count;
};

static void stuck_log(void *arg, const struct running_step *running)
{
	struct stuck *stuck = arg;

	stuck->count++;
	log_error(NULL, "still in %s, for %" PRId64 " s; exiting without it", running->text,
		  (env_mono_ms(stuck->env) - running->began_ms) / 1000);
}

/* An operation that ignores its cancellation. Every state is safe to end in. */
static void on_stuck(evutil_socket_t fd, short what, void *arg)
{
	struct stuck stuck = { .env = &((const struct daemon *)arg)->env };

	(void)fd;
	(void)what;
	running_each(stuck_log, &stuck);
	if (stuck.count)
		_exit(EXIT_RUNTIME);
}

/* fleet_stop waits for steps, while the loop must continue to send responses. */
static void *stopper_main(void *arg)
{
	struct daemon *d = arg;
	uint64_t one = 1;
	ssize_t written;

	fleet_stop(d->fleet, d->config->drain_ms);
	/* Last: run history is accepted as long as any request is. */
	runs_stop(d->runs);
	written = write(d->stopped_fd, &one, sizeof(one));
	(void)written;
	return NULL;
}

static void daemon_stop(struct daemon *d, const char *signal_name)
{
	int64_t most_ms = d->config->drain_ms + DRAIN_GRACE_MS + FORCE_GRACE_MS;
	int64_t stuck_ms = d->config->drain_ms + STUCK_GRACE_MS;
	struct timeval stuck = { .tv_sec = stuck_ms / 1000, .tv_usec = stuck_ms % 1000 * 1000 };
	char state[160];

	if (d->stopping) {
		log_warning(NULL, "second stop signal; exiting immediately");
		_exit(EXIT_RUNTIME);
	}
	d->stopping = 1;
	log_notice(LOG_FIELDS({ "signal", signal_name }), "stopping");
	snprintf(state, sizeof(state),
		 "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64 "000\n"
		 "STATUS=stopping: finishing requests and steps",
		 most_ms);
	notify_send(state);
	event_add(d->on_stuck, &stuck);
	api_drain(d->api);
	http_server_drain(d->server, on_server_empty, d);
	if (pthread_create(&d->stopper, NULL, stopper_main, d) != 0) {
		log_error(NULL, "cannot create a thread to stop the engine; exiting immediately");
		_exit(EXIT_RUNTIME);
	}
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct signalfd_siginfo info;

	(void)what;
	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP)
			daemon_stop(d, info.ssi_signo == SIGINT ? "SIGINT" : "SIGTERM");
		else if (!d->stopping)
			daemon_reload(d);
	}
}

/* ---- the watchdog ------------------------------------------------------------------------ */

/*
 * That this runs proves that the loop does; the engine's progress is checked. Workers are not
 * checked: they wait for providers, with deadlines. After the engine has ended, on_late limits
 * the rest.
 */
static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (d->engine_stopped || fleet_is_moving(d->fleet, d->watchdog_ms))
		notify_alive();
	else
		log_error(NULL, "the engine is stuck; not sending WATCHDOG=1 to the service"
				" manager");
}

static int watchdog_start(struct daemon *d, struct err *err)
{
	struct timeval every;

	d->watchdog_ms = notify_watchdog_ms() / 3;
	if (d->watchdog_ms == 0)
		return 0;
	every.tv_sec = d->watchdog_ms / 1000;
	every.tv_usec = d->watchdog_ms % 1000 * 1000;
	d->on_watchdog = event_new(d->base, -1, EV_PERSIST, on_watchdog, d);
	if (!d->on_watchdog || event_add(d->on_watchdog, &every) < 0)
		return err_set(err, ERR_IO, "cannot create a timer");
	return 0;
}

/* ---- start ---------------------------------------------------------------------------- */

/* NULL: continue without run history. */
static struct store *runs_store_open(struct daemon *d, struct store *leases)
{
	char path[STORE_RUNS_PATH_SIZE];
	struct store *runs = NULL;
	struct err err = { 0 };
	int is_lost;

	if (store_open_runs(leases, &d->env, &runs, &is_lost, &err) < 0) {
		runs_unusable(&err);
		return NULL;
	}
	if (is_lost) {
		store_runs_path(d->config->store_name, path);
		log_warning(LOG_FIELDS({ "file", path }),
			    "the run history file was missing, and a new"
			    " one was created: the history of earlier runs is lost");
	}
	return runs;
}

static int store_exit(const struct err *err)
{
	if (err->kind == ERR_INVALID)
		return EXIT_USAGE;
	/* What passes by itself: another process's transaction, a full disk. */
	if (err->kind == ERR_BUSY)
		return err->native == EWOULDBLOCK ? EXIT_SECOND : EXIT_RUNTIME;
	return store_err_is_full(err) ? EXIT_RUNTIME : EXIT_STORE;
}

static int store_start(struct daemon *d, struct store **ret, struct err *err)
{
	int64_t now = env_wall_ms(&d->env), stored;
	int usable, is_trusted;

	if (store_open(d->config->store_target, &d->env, ret, err) < 0)
		return store_exit(err);
	if (store_reserve_keep(*ret, err) < 0)
		return EXIT_STORE;
	/* The clock may be wrong: what was valid when it was last trusted may still be. */
	if (store_clock_get(*ret, &stored, &is_trusted, err) < 0)
		return EXIT_STORE;
	usable = tokens_usable(*ret, stored && stored < now ? stored : now, err);
	if (usable < 0)
		return EXIT_STORE;
	if (!usable) {
		err_set(err, ERR_REFUSED,
			"there is no usable client token; create one with:"
			" lessord token add --owner NAME --config %s",
			d->config->path);
		return EXIT_NO_TOKEN;
	}
	return EXIT_OK;
}

/*
 * An unusable run history file does not stop the daemon, because leases matter more
 * (runs/runs.h): the reason is logged, and the routes respond with 503.
 */
static int runs_thread_start(struct daemon *d, struct store *store, struct err *err)
{
	const struct config *c = d->config;
	struct runs_config rc = {
		.env = &d->env,
		.store = store,
		.keep_ms = c->run_keep_ms,
		.stale_ms = c->run_stale_ms,
		.bytes_max = c->run_mib_max << 20,
		.on_broken = on_runs_broken,
	};
	struct err own = { 0 };

	if (store_open_reader(c->store_target, &rc.leases, err) < 0) {
		store_close(store);
		return -1;
	}
	if (store && store_open_runs_reader(c->store_target, &d->runs_reader, &own) < 0) {
		runs_unusable(&own);
		store_close(store);
		rc.store = NULL;
	}
	if (d->runs_reader)
		store_runs_use(d->runs_reader, d->reader);
	return runs_new(&rc, &d->runs, err);
}

/* Takes ownership of `store`, also on failure. */
static int engine_thread_start(struct daemon *d, struct store *store, struct err *err)
{
	const struct config *c = d->config;
	auto_free struct engine_crash *crashes = NULL;
	struct engine_config ec = {
		.env = &d->env,
		.store = store,
		.accounts = d->accounts.list,
		.account_count = d->accounts.count,
		.limits = c->limits.engine,
		.worker_threads = (int)c->worker_threads,
		.max_waiting = c->max_waiting,
		.max_waiting_owner = c->max_waiting_owner,
		.settle_ms = c->settle_ms,
		.boot_ms = c->boot_ms,
		.probe_ms = c->probe_ms,
		.sweep_ms = c->sweep_ms,
		.sweep_grace_ms = c->sweep_grace_ms,
		.sweep_deletes = c->sweep_deletes,
		.on_broken = on_broken,
	};

	/* A shared database has a mark of its own: who claims an account notices an older one. */
	if (!config_is_postgres(c) &&
	    place_describe(c->store, ec.place, sizeof(ec.place), err) < 0) {
		store_close(store);
		return -1;
	}
	ec.crash_count = crash_report_read(&crashes);
	ec.crashes = crashes;
	ec.on_crashes_counted = crash_report_counted;
	return shared_fleet_start(d, &ec, err);
}

static int base_start(struct daemon *d, struct err *err)
{
	struct event_config *ec = event_config_new();

	event_config_set_flag(ec, EVENT_BASE_FLAG_NOLOCK);
	d->base = event_base_new_with_config(ec);
	event_config_free(ec);
	d->stopped_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (!d->base || d->stopped_fd < 0)
		return err_set(err, ERR_IO, "cannot create an event loop");
	d->on_signal = event_new(d->base, d->signal_fd, EV_READ | EV_PERSIST, on_signal, d);
	d->on_stopped = event_new(d->base, d->stopped_fd, EV_READ | EV_PERSIST, on_stopped, d);
	d->on_late = event_new(d->base, -1, 0, on_late, d);
	d->on_stuck = event_new(d->base, -1, 0, on_stuck, d);
	if (event_add(d->on_signal, NULL) < 0 || event_add(d->on_stopped, NULL) < 0)
		return err_set(err, ERR_IO, "cannot wait for signals");
	return 0;
}

static int server_start(struct daemon *d, struct err *err)
{
	static const struct http_callbacks callbacks = {
		.on_request = api_handle,
		.on_head = api_head,
		.on_log = on_http_log,
		.on_foreign_host = on_foreign_host,
		.on_crowded = api_crowded,
	};
	const char *hosts[CONFIG_HOSTS_MAX + 1];
	char advertised[128];
	struct http_config hc;

	http_config_init(&hc);
	hc.idle_ms = IDLE_MS;
	hc.max_connections = d->max_connections;
	for (int i = 0; i < d->config->host_count; i++)
		hosts[i] = d->config->hosts[i];
	hc.hosts = hosts;
	hc.host_count = (size_t)d->config->host_count;
	shared_host(d, advertised, sizeof(advertised));
	if (advertised[0])
		hosts[hc.host_count++] = advertised;
	hc.answer_fields = API_ANSWER_FIELDS;
	d->server = http_server_new(d->base, &hc, &callbacks, d->api, err);
	if (!d->server)
		return -1;
	api_set_counters(d->api, http_server_counters(d->server));
	return daemon_listen(d, err) < 0 ? -1 : shared_announce(d, err);
}

/* The unit does not restart after EXIT_USAGE, so that is only for what no restart mends. */
static int passes_by_itself(const struct err *err)
{
	switch (err->native) {
	case EADDRNOTAVAIL: /* an interface that is not up yet */
	case EADDRINUSE:    /* a process that is about to end */
	case ENOENT:	    /* a file system that is not mounted yet */
	case EIO:
	case ESTALE:
	case ETIMEDOUT:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return 1;
	default:
		return 0;
	}
}

static int daemon_start(struct daemon *d, struct err *err)
{
	struct http_client_config client = { .user_agent = "lessord/" LESSOR_VERSION };
	struct store *store = NULL, *runs = NULL;
	int code;

	d->signal_fd = signals_open(err);
	if (d->signal_fd < 0)
		return EXIT_RUNTIME;
	env_system(&d->env);
	d->env.clock = &d->clock;
	crash_points_setup(&d->env);
	code = store_start(d, &store, err);
	if (code == EXIT_OK && accounts_open(&d->accounts, d->config, &d->env, err) < 0)
		code = EXIT_PROVIDER;
	if (code == EXIT_OK && accounts_client_ca(&d->accounts, &client.ca, err) < 0)
		code = EXIT_USAGE;
	if (code == EXIT_OK && http_client_new(&client, &d->env, &d->client, err) < 0)
		code = EXIT_RUNTIME;
	ca_unref(client.ca);
	accounts_warn_ca(d->config);
	config_forget_tokens(d->config);
	if (code == EXIT_OK && store_open_reader(d->config->store_target, &d->reader, err) < 0)
		code = store_exit(err);
	if (code != EXIT_OK) {
		store_close(store);
		return code;
	}
	if (shared_begin(d, err) < 0) {
		store_close(store);
		return EXIT_RUNTIME;
	}
	runs = runs_store_open(d, store);
	if (engine_thread_start(d, store, err) < 0) {
		store_close(runs);
		return EXIT_RUNTIME;
	}
	if (runs_thread_start(d, runs, err) < 0)
		return EXIT_RUNTIME;
	if (base_start(d, err) < 0 || shared_api_start(d, err) < 0 || watchdog_start(d, err) < 0 ||
	    daemon_status_start(d, err) < 0)
		return EXIT_RUNTIME;
	if (server_start(d, err) < 0)
		return passes_by_itself(err) ? EXIT_RUNTIME : EXIT_USAGE;
	return EXIT_OK;
}

/* Also after a start that failed. */
static void daemon_finish(struct daemon *d)
{
	if (d->stopping)
		pthread_join(d->stopper, NULL);
	if (d->fleet)
		fleet_stop(d->fleet, 0);
	if (d->runs)
		runs_stop(d->runs);
	if (d->api)
		api_set_counters(d->api, NULL);
	api_free(d->api);
	http_server_free(d->server);
	/* The writing connections are closed last: they checkpoint the write-ahead logs. */
	store_close(d->runs_reader);
	store_close(d->reader);
	runs_free(d->runs);
	fleet_free(d->fleet);
	registry_free(d->registry);
	accounts_close(&d->accounts);
	if (d->client)
		http_client_free(d->client);
	tls_free(d->tls);
	if (d->on_signal)
		event_free(d->on_signal);
	if (d->on_stopped)
		event_free(d->on_stopped);
	if (d->on_late)
		event_free(d->on_late);
	if (d->on_stuck)
		event_free(d->on_stuck);
	if (d->on_watchdog)
		event_free(d->on_watchdog);
	if (d->on_status)
		event_free(d->on_status);
	if (d->base)
		event_base_free(d->base);
	if (d->signal_fd >= 0)
		close(d->signal_fd);
	if (d->stopped_fd >= 0)
		close(d->stopped_fd);
	config_free(d->config);
	free(d);
}

int daemon_run(const struct command_line *line)
{
	struct daemon *d = xcalloc(1, sizeof(*d));
	struct err err = { 0 };
	int code;

	d->command_line = line;
	d->signal_fd = d->stopped_fd = -1;
	process_harden();
	descriptors_raise();
	if (config_load(line->config, CONFIG_WHOLE, &d->config, &err) < 0) {
		free(d);
		return command_line_fail(&err, passes_by_itself(&err) ? EXIT_RUNTIME : EXIT_USAGE);
	}
	log_setup(2, d->config->log_format, d->config->log_level);
	crash_report_begin(d->config->store_files);
	/* That of a file is the file's own, and its store says what is wrong with it. */
	if (config_is_postgres(d->config) && crash_report_check(d->config->store_files, &err))
		log_warning(NULL, "[store] state_dir: %s", err.text);
	code = daemon_start(d, &err);
	if (code == EXIT_OK) {
		log_notice(LOG_FIELDS({ "version", LESSOR_VERSION },
				      { "store", d->config->store_name }),
			   "ready");
		daemon_status_send(d, "READY=1\n");
		event_base_dispatch(d->base);
		log_notice(NULL, "stopped");
	} else {
		log_error(NULL, "%s", err.text);
	}
	daemon_finish(d);
	crash_report_end();
	return code;
}
