/* SPDX-License-Identifier: MIT */
#include "daemon/doctor_local.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "daemon/crash_report.h"
#include "daemon/tls.h"
#include "store/backup.h"
#include "store/store.h"
#include "store/survey.h"
#include "util/alloc.h"

/* As lessord check: besides one for each account. */
#define CONNECTIONS 6
#define MIB (INT64_C(1) << 20)
#define DISK_FAIL (64 * MIB)
#define DISK_WARN (512 * MIB)
#define BACKUP_WARN_S (INT64_C(48) * 3600)
/* More takes longer than a person waits; lessord check reads all of it. */
#define CHECK_MAX (256 * MIB)

static void on_finding(void *arg, const struct store_finding *found)
{
	static const enum doctor_grade grades[] = {
		[STORE_GOOD] = DOCTOR_OK,
		[STORE_NOTE] = DOCTOR_OK,
		[STORE_WRONG] = DOCTOR_FAIL,
	};

	doctor_found(arg, "store", NULL, grades[found->grade],
		     found->grade == STORE_WRONG ?
			     "correct it; lessord check and BACKUP AND RESTORE in lessord(8) say more" :
			     NULL,
		     "%s: %s", found->topic, found->text);
}

static void no_store(const struct config *config, struct doctor_findings *findings)
{
	doctor_found(findings, "store", NULL, DOCTOR_FAIL,
		     "check [store] or `store` in the configuration, or create the first token: "
		     "lessord token add --owner NAME",
		     "there is no database at %s", config->store_name);
}

static int is_large(const struct config *config)
{
	struct stat st;

	return !config_is_postgres(config) && stat(config->store, &st) == 0 &&
	       st.st_size > CHECK_MAX;
}

/* Its header, schema and identity. */
static void large_store(const struct config *config, struct doctor_findings *findings)
{
	struct store *store;
	struct err err = { 0 };
	int rc = store_open_view(config->store_target, &store, &err);

	if (rc > 0) {
		no_store(config, findings);
	} else if (rc < 0) {
		doctor_found(findings, "store", NULL, DOCTOR_FAIL,
			     "restore a backup, or correct what is named; see FILES in lessord(8)",
			     "%s", err.text);
	} else {
		doctor_found(findings, "store", NULL, DOCTOR_OK, NULL,
			     "the schema is that of this version; for its size, only lessord check "
			     "reads all of it");
		store_close(store);
	}
}

void doctor_store(const struct config *config, struct doctor_findings *findings)
{
	const struct store_needs needs = {
		.require_sync = config->postgres.require_sync,
		.connections = config->account_count + CONNECTIONS,
	};
	struct err err = { 0 };
	int rc;

	if (!config_is_postgres(config) && store_is_missing(config->store_name)) {
		no_store(config, findings);
		return;
	}
	if (is_large(config)) {
		large_store(config, findings);
		return;
	}
	rc = store_survey(config->store_target, &needs, on_finding, findings, &err);
	if (rc > 0)
		no_store(config, findings);
	else if (rc < 0)
		doctor_found(findings, "store", NULL, DOCTOR_FAIL,
			     config_is_postgres(config) ?
				     "check that the server runs, its address, and the role's access" :
				     "restore a backup, or correct what is named; see lessord(8)",
			     "%s", err.text);
}

/* The directory that contains `path`; the caller frees. */
static char *folder_of(const char *path)
{
	char *dir = xstrdup(path);
	char *slash = strrchr(dir, '/');

	if (slash)
		slash[slash == dir] = '\0';
	return dir;
}

static int folder_check(const char *dir, const char *what, struct doctor_findings *findings)
{
	struct stat st;

	if (stat(dir, &st) < 0) {
		doctor_found(findings, "permissions", NULL, DOCTOR_FAIL,
			     "create it, owned by the user of lessord, mode 0700", "%s %s: %s",
			     what, dir, strerror(errno));
		return -1;
	}
	if (!S_ISDIR(st.st_mode) || access(dir, R_OK | W_OK | X_OK) < 0) {
		doctor_found(findings, "permissions", NULL, DOCTOR_FAIL,
			     "make it a directory of the user of lessord, mode 0700",
			     "%s %s cannot be written by user %u", what, dir, (unsigned)geteuid());
		return -1;
	}
	if (st.st_mode & 0002) {
		doctor_found(findings, "permissions", NULL, DOCTOR_FAIL, "chmod o-w that directory",
			     "%s %s can be written by every user", what, dir);
		return -1;
	}
	return 0;
}

static int store_file_check(const char *path, struct doctor_findings *findings)
{
	char advice[320];
	struct stat st;

	if (stat(path, &st) < 0 || !(st.st_mode & 0077))
		return 0;
	snprintf(advice, sizeof(advice), "chmod 600 %.250s", path);
	doctor_found(findings, "permissions", NULL, DOCTOR_FAIL, advice,
		     "the database %s has mode %04o: it contains the signing key", path,
		     (unsigned)st.st_mode & 07777);
	return -1;
}

void doctor_permissions(const struct config *config, struct doctor_findings *findings)
{
	auto_free char *dir = folder_of(config->store_files);
	int failed = folder_check(dir, "the state directory", findings) < 0;

	if (!config_is_postgres(config))
		failed |= store_file_check(config->store, findings) < 0;
	for (int i = 0; i < config->listen_count; i++) {
		if (config->listen[i].family == CONFIG_UNIX) {
			auto_free char *own = folder_of(config->listen[i].path);

			failed |= access(own, F_OK) == 0 &&
				  folder_check(own, "the directory of the socket", findings) < 0;
		}
	}
	if (access(config->providers, R_OK | X_OK) < 0) {
		failed = 1;
		doctor_found(findings, "permissions", NULL, DOCTOR_FAIL,
			     "install the plugins, or correct `providers` in [server]",
			     "the directory of the plugins %s: %s", config->providers,
			     strerror(errno));
	}
	if (!failed)
		doctor_found(findings, "permissions", NULL, DOCTOR_OK, NULL,
			     "directories, database and plugins are as they must be for user %u",
			     (unsigned)geteuid());
}

static void one_disk(const char *dir, const char *what, struct doctor_findings *findings)
{
	struct statvfs fs;
	int64_t available;
	enum doctor_grade grade;

	if (statvfs(dir, &fs) < 0)
		return;
	available = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	grade = available < DISK_FAIL ? DOCTOR_FAIL :
		available < DISK_WARN ? DOCTOR_WARN :
					DOCTOR_OK;
	doctor_found(findings, "disk", NULL, grade,
		     grade == DOCTOR_OK ?
			     NULL :
			     "free space on it, or enlarge it; a full disk ends creates",
		     "%" PRId64 " MiB free for %s, %s", available / MIB, what, dir);
}

void doctor_disk(const struct config *config, const char *backups, struct doctor_findings *findings)
{
	auto_free char *dir = folder_of(config->store_files);

	one_disk(dir, "the database", findings);
	if (access(backups, F_OK) == 0)
		one_disk(backups, "the backups", findings);
}

void doctor_backup(const struct config *config, const char *backups,
		   struct doctor_findings *findings)
{
	static const char *const enable =
		"systemctl enable --now lessord-backup.timer, or name your directory with `backups` in [server]";
	int64_t newest, age_s;

	if (config_is_postgres(config)) {
		doctor_found(findings, "backup", NULL, DOCTOR_SKIP, NULL,
			     "PostgreSQL's own tools back it up");
		return;
	}
	newest = store_backup_newest(backups);
	if (newest <= 0) {
		doctor_found(findings, "backup", NULL, DOCTOR_WARN, enable, "no backup in %s%s%s",
			     backups, newest < 0 ? ": " : "", newest < 0 ? strerror(errno) : "");
		return;
	}
	age_s = (int64_t)time(NULL) - newest;
	doctor_found(findings, "backup", NULL, age_s > BACKUP_WARN_S ? DOCTOR_WARN : DOCTOR_OK,
		     age_s > BACKUP_WARN_S ? "see: journalctl -u lessord-backup" : NULL,
		     "the newest in %s is %" PRId64 " hours old", backups, age_s / 3600);
}

void doctor_tls(const struct config *config, struct doctor_findings *findings)
{
	struct ssl_ctx_st *tls = NULL;
	struct err err = { 0 };
	char expiry[100];

	if (!config->tls_certificate[0]) {
		doctor_found(findings, "tls", NULL, DOCTOR_SKIP, NULL,
			     "no certificate is configured");
	} else if (tls_load(config->tls_certificate, config->tls_key, &tls, &err) < 0) {
		doctor_found(findings, "tls", NULL, DOCTOR_FAIL,
			     "correct tls_certificate and tls_key; lessord does not start with these",
			     "%s", err.text);
	} else if (tls_expiry(tls, expiry, sizeof(expiry))) {
		int is_soon = strstr(expiry, "expires on") != NULL;

		doctor_found(findings, "tls", NULL, is_soon ? DOCTOR_WARN : DOCTOR_FAIL,
			     "renew the certificate, then: systemctl reload lessord", "%s: %s",
			     config->tls_certificate, expiry);
	} else {
		doctor_found(findings, "tls", NULL, DOCTOR_OK, NULL,
			     "the certificate is valid for more than 14 days");
	}
	tls_free(tls);
}
