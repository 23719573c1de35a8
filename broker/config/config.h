/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, read once into a value that nobody changes. The only
 * room that knows the file's format (libinih) and the only one that reads a
 * provider's token from disk.
 *
 * Strict: an unknown section or key, a value out of range, a key said twice (but
 * for lists, which grow) or a line too long for the parser is an error that names
 * file, line and what is allowed. Nothing here has the network, a plugin or a
 * thread; a provider's own options are carried along and checked by account_new.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"
#include "lease/lease.h"
#include "provider/account.h"
#include "util/err.h"
#include "util/log.h"

#define CONFIG_LISTENERS_MAX 8
#define CONFIG_HOSTS_MAX 16
#define CONFIG_CLASSES_MAX 32
#define CONFIG_ACCOUNTS_MAX 16
#define CONFIG_IMAGES_MAX 32
#define CONFIG_OPTIONS_MAX 32

enum config_family { CONFIG_TCP, CONFIG_UNIX };

struct config_listen {
	enum config_family family;
	char address[64];	/* numeric; TCP only */
	uint16_t port;		/* 0: any free one */
	char path[108];		/* Unix only */
	int is_loopback;	/* TCP only */
	int line;
};

struct config_class {
	char name[32];
	char types[LEASE_TYPES_MAX][32];	/* candidates, best first */
	int type_count;
	int line;		/* of the section; 0 for a built-in one */
};

struct config_account {
	/*
	 * As account_new wants it (config_account_dup, since that one takes memory
	 * over). `token` is NULL for a provider that needs none.
	 */
	struct account_config account;
	char images[CONFIG_IMAGES_MAX][64];	/* what a client may ask for; at least account.image */
	int image_count;
	char token_file[256];	/* "" if there is none, or it is a systemd credential */
	char credential[64];
	int line;
};

struct config_limits {
	struct engine_limits engine;
	int64_t default_ttl_ms;
	int64_t max_ttl_ms;
	int64_t default_idle_ms;
	int64_t max_idle_ms;
};

struct config {
	char path[256];

	/* [server] */
	struct config_listen listen[CONFIG_LISTENERS_MAX];
	int listen_count;	/* > 0 */
	char socket_group[33];	/* of Unix sockets; "" = ours */
	char store[256];
	char providers[256];	/* where plugins are */
	int log_format;		/* enum log_format */
	int log_level;		/* enum log_level */
	char tls_certificate[256];	/* both or neither */
	char tls_key[256];
	int behind_proxy;
	char hosts[CONFIG_HOSTS_MAX][256];
	int host_count;
	int64_t create_wait_ms;
	int64_t release_wait_ms;
	int64_t settle_ms;	/* of accounts that do not say; 0: as their providers say */
	int64_t boot_ms;
	int64_t probe_ms;
	int64_t drain_ms;	/* how long running requests and steps may take at the end */
	int64_t worker_threads;

	/* [sweep] */
	int64_t sweep_ms;	/* 0: never */
	int64_t sweep_grace_ms;
	int sweep_deletes;

	/* [runs] */
	int64_t run_keep_ms;		/* 0: for ever */
	int64_t run_stale_ms;
	int64_t run_mib_max;		/* all of them; 0: anything */
	int64_t run_log_mib;		/* one's log */

	/* [limits] */
	struct config_limits limits;

	/* [class NAME]; the contract's six if the file has none */
	struct config_class classes[CONFIG_CLASSES_MAX];
	int class_count;

	/* [account NAME], in file order */
	struct config_account accounts[CONFIG_ACCOUNTS_MAX];
	int account_count;
};

enum config_how {
	CONFIG_WHOLE,
	CONFIG_WITHOUT_TOKENS,	/* for tools that need no provider; token files stay closed */
};

/*
 * Reads and checks the file and the token files it names. On -1 the error's text
 * begins with FILE:LINE: wherever a line is to blame.
 */
int config_load(const char *path, enum config_how how, struct config **ret, struct err *err);
void config_free(struct config *config);	/* NULL is fine; tokens are wiped */

/* A deep copy for account_new; config_account_fini frees one that it did not take. */
void config_account_dup(const struct config_account *from, struct account_config *ret);
void config_account_fini(struct account_config *account);
/* Wipes the tokens, once the accounts have theirs. */
void config_forget_tokens(struct config *config);

/* All of it, presets too, as a file that says the same. No token is in it. */
void config_dump(const struct config *config, FILE *out);

/* Does one of the two say something that only a start can change? NULL if not, else what. */
const char *config_needs_restart(const struct config *old, const struct config *now);
