/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, parsed once into a struct that does not change. The only room that
 * knows the file format (libinih) and the only one that reads provider tokens from disk.
 *
 * Strict: an unknown section or key, a value out of range, a duplicate key (except lists,
 * which grow) and a line too long for the parser are errors that name the file, the line and
 * what is allowed. No network, plugins or threads here; a provider's own options are passed
 * through and checked by account_new.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"
#include "lease/lease.h"
#include "provider/account.h"
#include "util/buf.h"
#include "util/err.h"
#include "util/log.h"

#define CONFIG_LISTENERS_MAX 8
#define CONFIG_HOSTS_MAX 16
#define CONFIG_USD_RATES_MAX 16
#define CONFIG_CLASSES_MAX 32
#define CONFIG_ACCOUNTS_MAX 16
#define CONFIG_IMAGES_MAX 32
#define CONFIG_TYPES_MAX 32
#define CONFIG_OPTIONS_MAX 32
#define CONFIG_ORGS_MAX 64

enum config_family { CONFIG_TCP, CONFIG_UNIX };

struct config_listen {
	enum config_family family;
	char address[64];	/* numeric; TCP only */
	uint16_t port;		/* 0: any free port */
	char path[108];		/* Unix only */
	int is_loopback;	/* TCP only */
	int line;
};

/* What one unit of a currency is in US dollars, in millionths. */
struct config_usd_rate {
	char currency[4];
	int64_t micros;
};

struct config_class {
	char name[32];
	char types[LEASE_TYPES_MAX][32];	/* candidates, best first */
	int type_count;
	int line; /* of the section; 0 for a built-in class */
};

struct config_account {
	/*
	 * For account_new, which takes ownership: pass it a config_account_dup. `token` is
	 * NULL for a provider that needs none, and `ca` without a ca_file.
	 */
	struct account_config account;
	char images[CONFIG_IMAGES_MAX][64]; /* clients may request these; includes account.image */
	int image_count;
	/* users may request these although no class has them; "any": each */
	char types[CONFIG_TYPES_MAX][32];
	int type_count;
	char token_file[256]; /* "": none, or a systemd credential */
	char credential[64];
	char ca_file[256]; /* "": the environment's or the system's CAs */
	int is_paused;	   /* nothing new is created in it */
	char pause_reason[PAUSE_REASON_SIZE];
	int line;
};

/* [org NAME]: where an organisation's leases are created. */
struct config_org {
	char name[64];
	char accounts[CONFIG_ACCOUNTS_MAX][32]; /* the first is for a create that names none */
	int account_count;
	int line;
};

/* [store]: a PostgreSQL database, which several daemons may share, in place of a file. */
struct config_postgres {
	char url[256];	  /* without a password; "" with `service` */
	char service[64]; /* in libpq's pg_service.conf */
	char password_file[256];
	char credential[64];
	int require_sync;
	char state_dir[240];
};

struct config_limits {
	struct engine_limits engine;
	int64_t default_ttl_ms;
	int64_t max_ttl_ms;
	int64_t default_idle_ms;
	int64_t max_idle_ms;
	char default_class[32]; /* of a create that names none */
};

struct config {
	char path[256];

	/* [server] */
	struct config_listen listen[CONFIG_LISTENERS_MAX];
	int listen_count;	/* > 0 */
	struct config_listen listen_metrics; /* for the metrics alone */
	int has_listen_metrics;
	char socket_group[33];	/* of Unix sockets; "": that of the process */
	char store[256];	/* the path of the database; "" with PostgreSQL */
	char advertise[112];	/* HOST:PORT, where other daemons reach this one; "": as listened */
	char peer_ca_file[256]; /* of other daemons' certificates; "": the system's */
	char providers[256];	/* directory of the plugins */
	char backups[256];	/* directory of the backups, to know their age */
	int log_format;		/* enum log_format */
	int log_level;		/* enum log_level */
	char tls_certificate[256];	/* both or neither */
	char tls_key[256];
	int behind_proxy;
	char hosts[CONFIG_HOSTS_MAX][256];
	int host_count;
	struct config_usd_rate usd_rates[CONFIG_USD_RATES_MAX];
	int usd_rate_count;
	int64_t create_wait_ms;
	int64_t release_wait_ms;
	int64_t settle_ms; /* default of accounts; 0: as declared by their providers */
	int64_t boot_ms;
	int64_t probe_ms;
	int64_t drain_ms; /* how long requests and steps may take at shutdown */
	int64_t worker_threads;
	int64_t max_connections;
	int64_t max_waiting; /* requests that wait for a machine */
	int64_t max_waiting_owner;
	int is_paused; /* nothing new is created in any account */
	char pause_reason[PAUSE_REASON_SIZE];

	/* [store] */
	struct config_postgres postgres;
	/* What follows from both. */
	char *store_target;    /* for store_open; secret: a URL has the password in it */
	char store_name[256];  /* the same without the password, for messages */
	char store_files[256]; /* what the paths of the daemon's own files begin with */

	/* [history] */
	int64_t history_keep_ms; /* 0: for ever */

	/* [sweep] */
	int64_t sweep_ms;	/* 0: never */
	int64_t sweep_grace_ms;
	int sweep_deletes;

	/* [runs] */
	int64_t run_keep_ms; /* 0: forever */
	int64_t run_stale_ms;
	int64_t run_mib_max; /* all runs together; 0: unlimited */
	int64_t run_log_mib; /* the log of one run */

	/* [limits], [limits owner NAME] and its like, and what is paused */
	struct config_limits limits;

	/* [class NAME]; the built-in six if the file has none */
	struct config_class classes[CONFIG_CLASSES_MAX];
	int class_count;

	/* [account NAME], in file order */
	struct config_account accounts[CONFIG_ACCOUNTS_MAX];
	int account_count;

	/* [org NAME]; of any other organisation, all accounts */
	struct config_org orgs[CONFIG_ORGS_MAX];
	int org_count;
};

enum config_how {
	CONFIG_WHOLE,
	/* all but systemd's credentials, which exist only for the service */
	CONFIG_WITHOUT_CREDENTIALS,
	/* the database's password, but no token and CA files; for tools that need no provider */
	CONFIG_FOR_STORE,
	CONFIG_WITHOUT_TOKENS, /* opens none of them */
};

/*
 * Reads and checks the file and the token and CA files that it names. On -1 the text of the error
 * begins with "FILE:LINE: ", or "FILE: " if no single line is wrong. ERR_NOT_FOUND: a systemd
 * credential is not available.
 */
int config_load(const char *path, enum config_how how, struct config **ret, struct err *err);
void config_free(struct config *config); /* may be NULL; wipes tokens */

/* A deep copy for account_new; config_account_fini frees it if account_new failed. */
void config_account_dup(const struct config_account *from, struct account_config *ret);
void config_account_fini(struct account_config *account);
/* Wipes the tokens, after the accounts have copies. */
void config_forget_tokens(struct config *config);

int config_is_postgres(const struct config *config);

/* Writes the effective configuration, including defaults, as an equivalent file; no tokens. */
void config_dump(const struct config *config, FILE *out);

/*
 * The account of `now` that differs from `old` at most in its token and CAs. NULL: there is none.
 */
const struct config_account *config_account_same(const struct config *now,
						 const struct config_account *old);

#define CONFIG_ITEM_SIZE 300 /* one item of a value, as text */
#define CONFIG_CHANGES_MAX 4096

/* Differences by section and key: "[server] listen, store; [account hetzner] image". */
struct config_changes {
	struct buf applied; /* what a reload applies, with the new value; empty: nothing */
	struct buf restart; /* what needs a restart */
};

/* `old` is what is in effect. Tokens are not compared. The caller calls config_changes_fini. */
void config_compare(const struct config *old, const struct config *now, struct config_changes *ret);
void config_changes_fini(struct config_changes *changes);
/* After a reload: copies what it applied, except for tokens and CAs. */
void config_take(struct config *in_effect, const struct config *now);
