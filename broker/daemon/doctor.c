/* SPDX-License-Identifier: MIT */
#include "daemon/doctor.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/accounts.h"
#include "daemon/doctor_account.h"
#include "daemon/doctor_local.h"
#include "provider/http_client.h"
#include "util/alloc.h"
#include "util/log.h"
#include "util/output.h"

#define CALL_MS 15000 /* for the reads of an account */
#define TOTAL_MS 25000

/* In the order in which they are printed; stable, as scripts read them. */
static const char *const order[] = {
	"configuration", "secrets", "plugins", "permissions", "disk",	    "store", "backup",
	"tls",		 "reach",   "clock",   "credentials", "generation", NULL
};

struct doctor {
	const struct command_line *line;
	struct config *config;
	struct doctor_findings findings;
	struct env base;
	struct http_client *client;
	struct accounts accounts;
	struct doctor_account checks[CONFIG_ACCOUNTS_MAX];
	pthread_mutex_t jobs_lock; /* of is_done of each job */
	pthread_cond_t job_done;
};

/* One thread; `name` and `subject` are those of the finding if it does not end. */
struct doctor_job {
	struct doctor *doctor;
	const char *name, *subject;
	void (*run)(struct doctor_job *job);
	struct doctor_account *account;
	pthread_t thread;
	int is_started, is_done;
};

static void job_store(struct doctor_job *job)
{
	doctor_store(job->doctor->config, &job->doctor->findings);
}

static void job_permissions(struct doctor_job *job)
{
	doctor_permissions(job->doctor->config, &job->doctor->findings);
}

static const char *backups_of(const struct doctor *d)
{
	return d->line->backups ? d->line->backups : d->config->backups;
}

static void job_disk(struct doctor_job *job)
{
	doctor_disk(job->doctor->config, backups_of(job->doctor), &job->doctor->findings);
}

static void job_backup(struct doctor_job *job)
{
	doctor_backup(job->doctor->config, backups_of(job->doctor), &job->doctor->findings);
}

static void job_tls(struct doctor_job *job)
{
	doctor_tls(job->doctor->config, &job->doctor->findings);
}

static void job_account(struct doctor_job *job)
{
	doctor_account_run(job->account);
}

static const struct {
	const char *name;
	void (*run)(struct doctor_job *job);
} local_jobs[] = {
	{ "permissions", job_permissions }, { "disk", job_disk }, { "store", job_store },
	{ "backup", job_backup },	    { "tls", job_tls },
};

#define JOBS_MAX (ARRAY_LEN(local_jobs) + CONFIG_ACCOUNTS_MAX)

/* ---- whose checks they are ----------------------------------------------------------------- */

/* What does not need the secrets. */
static int paths_load(struct doctor *d, struct config **ret, struct err *err)
{
	return config_load(d->line->config, CONFIG_FOR_STORE, ret, err) < 0 &&
			       config_load(d->line->config, CONFIG_WITHOUT_TOKENS, ret, err) < 0 ?
		       -1 :
		       0;
}

/*
 * Root can read what lessord cannot, and plugins are never run as root if lessord runs as somebody else.
 * -1: this process is still root, and must look no further.
 */
static int user_become(struct doctor *d)
{
	struct config *config = NULL;
	struct command_store store = { 0 };
	struct err err = { 0 };
	int rc;

	if (geteuid() != 0 || paths_load(d, &config, &err) < 0)
		return 0;
	store.name = config->store_name;
	store.files = config->store_files;
	store.is_postgres = config_is_postgres(config);
	rc = command_store_become(&store, &err);
	config_free(config);
	if (rc == 0)
		return 0;
	doctor_found(&d->findings, "permissions", NULL, DOCTOR_FAIL,
		     "correct the directory of the database, or run this as the user of lessord; "
		     "nothing else was examined",
		     "%s", err.text);
	return -1;
}

/* ---- configuration ------------------------------------------------------------------------- */

/* Without the secrets, if they are what is wrong. 0: with all of them; 1: without tokens; -1. */
static int configuration_read(struct doctor *d)
{
	struct doctor_findings *f = &d->findings;
	struct err err = { 0 }, other = { 0 };

	if (config_load(d->line->config, CONFIG_WHOLE, &d->config, &err) == 0) {
		doctor_found(f, "configuration", NULL, DOCTOR_OK, NULL, "%s is valid",
			     d->line->config);
		doctor_found(f, "secrets", NULL, DOCTOR_OK, NULL,
			     "token and CA files can be read, and by no other user");
		return 0;
	}
	if (paths_load(d, &d->config, &other) < 0) {
		doctor_found(f, "configuration", NULL, DOCTOR_FAIL,
			     "correct it; lessord --check-config checks it again", "%s",
			     other.text);
		return -1;
	}
	doctor_found(f, "configuration", NULL, DOCTOR_OK, NULL, "%s is valid", d->line->config);
	if (err.kind == ERR_NOT_FOUND && !getenv("CREDENTIALS_DIRECTORY"))
		doctor_found(f, "secrets", NULL, DOCTOR_SKIP,
			     "only systemd provides them: systemd-run --pipe --uid=lessor -p "
			     "LoadCredential=NAME:FILE lessord doctor",
			     "%s", err.text);
	else
		doctor_found(f, "secrets", NULL, DOCTOR_FAIL,
			     "make it a file of lessord's user with mode 0600; replace a secret that "
			     "others may have read",
			     "%s", err.text);
	return 1;
}

static void account_skip(struct doctor *d, const char *name, const char *why)
{
	static const char *const names[] = { "reach", "clock", "credentials", "generation" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		doctor_found(&d->findings, names[i], name, DOCTOR_SKIP, NULL, "%s", why);
}

static void accounts_prepare(struct doctor *d)
{
	struct http_client_config client = { .user_agent = "lessord/" LESSOR_VERSION };
	size_t failed = 0;
	struct err err = { 0 };

	for (int i = 0; i < d->config->account_count; i++) {
		struct doctor_account *da = &d->checks[d->accounts.count];
		const char *name = d->config->accounts[i].account.name;

		doctor_account_init(da, &d->base);
		if (accounts_open_one(&d->accounts, d->config, i, &da->env, &err) == 0) {
			da->account = d->accounts.list[d->accounts.count - 1];
			continue;
		}
		failed++;
		doctor_found(&d->findings, "plugins", name, DOCTOR_FAIL,
			     "install the package of the plugin, or correct the account's section",
			     "%s", err.text);
		account_skip(d, name, "the plugin cannot be used");
	}
	if (!failed)
		doctor_found(&d->findings, "plugins", NULL, DOCTOR_OK, NULL,
			     "%zu plugin%s loaded, %zu account%s opened",
			     d->accounts.provider_count, d->accounts.provider_count == 1 ? "" : "s",
			     d->accounts.count, d->accounts.count == 1 ? "" : "s");
	if (accounts_client_ca(&d->accounts, &client.ca, &err) < 0)
		doctor_found(&d->findings, "secrets", NULL, DOCTOR_FAIL,
			     "correct the variable of the environment", "%s", err.text);
	if (http_client_new(&client, &d->base, &d->client, &err) < 0)
		abort();
	ca_unref(client.ca);
	for (size_t i = 0; i < d->accounts.count; i++)
		doctor_account_init(&d->checks[i], &d->base);
}

/* ---- threads ------------------------------------------------------------------------------- */

static void jobs_init(struct doctor *d)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&d->jobs_lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->job_done, &attr);
	pthread_condattr_destroy(&attr);
}

static void *job_main(void *arg)
{
	struct doctor_job *job = arg;
	struct doctor *d = job->doctor;

	job->run(job);
	pthread_mutex_lock(&d->jobs_lock);
	job->is_done = 1;
	pthread_cond_signal(&d->job_done);
	pthread_mutex_unlock(&d->jobs_lock);
	return NULL;
}

static size_t jobs_fill(struct doctor *d, struct doctor_job *jobs)
{
	int64_t end = env_mono_ms(&d->base) + CALL_MS;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(local_jobs); i++)
		jobs[count++] = (struct doctor_job){
			.doctor = d,
			.name = local_jobs[i].name,
			.run = local_jobs[i].run,
		};
	for (size_t i = 0; i < d->accounts.count; i++) {
		struct doctor_account *da = &d->checks[i];

		da->findings = &d->findings;
		da->store = d->config->store_target;
		da->end_mono_ms = end;
		jobs[count++] = (struct doctor_job){
			.doctor = d,
			.name = "reach",
			.subject = da->account->config.name,
			.run = job_account,
			.account = da,
		};
	}
	return count;
}

/* 0 if it has not ended by then. Not pthread_clockjoin_np, which the thread sanitizer does not know. */
static int job_wait(struct doctor *d, struct doctor_job *job, const struct timespec *end)
{
	int rc = 0, is_done;

	if (!job->is_started)
		return 0;
	pthread_mutex_lock(&d->jobs_lock);
	while (!job->is_done && rc == 0)
		rc = pthread_cond_timedwait(&d->job_done, &d->jobs_lock, end);
	is_done = job->is_done;
	pthread_mutex_unlock(&d->jobs_lock);
	if (is_done)
		pthread_join(job->thread, NULL);
	return is_done;
}

/* How many have not ended in time: these are threads that nothing can end. */
static int jobs_run(struct doctor *d, struct doctor_job *jobs, size_t count)
{
	struct timespec end = env_after_ms(CLOCK_MONOTONIC, TOTAL_MS);
	int late = 0;

	for (size_t i = 0; i < count; i++)
		jobs[i].is_started = pthread_create(&jobs[i].thread, NULL, job_main, &jobs[i]) == 0;
	for (size_t i = 0; i < count; i++) {
		if (job_wait(d, &jobs[i], &end))
			continue;
		late++;
		doctor_found(&d->findings, jobs[i].name, jobs[i].subject, DOCTOR_FAIL,
			     "find out what hangs: the file system, the server, or the plugin",
			     "not finished after %d s", TOTAL_MS / 1000);
	}
	doctor_findings_close(&d->findings);
	return late;
}

static int doctor_finish(struct doctor *d)
{
	int is_broken = doctor_findings_worst(&d->findings) == DOCTOR_FAIL;

	doctor_findings_sort(&d->findings, order);
	if (d->line->is_json)
		doctor_findings_json(&d->findings, stdout);
	else
		doctor_findings_print(&d->findings, stdout);
	return is_broken ? EXIT_RUNTIME : EXIT_OK;
}

static void doctor_free(struct doctor *d)
{
	accounts_close(&d->accounts);
	if (d->client)
		http_client_free(d->client);
	config_free(d->config);
	free(d);
}

int doctor_command(const struct command_line *line)
{
	struct doctor *d = xcalloc(1, sizeof(*d));
	struct doctor_job jobs[JOBS_MAX];
	int read, late = 0, code;
	size_t count;

	umask(077);
	/* What is wrong is printed here, not logged. */
	log_setup(-1, LOG_HUMAN, LOG_LEVEL_ERROR);
	d->line = line;
	pthread_mutex_init(&d->findings.lock, NULL);
	jobs_init(d);
	env_system(&d->base);
	read = user_become(d) < 0 ? -1 : configuration_read(d);
	if (read >= 0) {
		if (read == 0)
			accounts_prepare(d);
		else
			for (int i = 0; i < d->config->account_count; i++)
				account_skip(d, d->config->accounts[i].account.name,
					     "the secrets cannot be read");
		count = jobs_fill(d, jobs);
		late = jobs_run(d, jobs, count);
	}
	code = doctor_finish(d);
	if (late) {
		output_finish();
		_exit(code);
	}
	doctor_free(d);
	return code;
}
