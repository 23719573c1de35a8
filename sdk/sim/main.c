/* SPDX-License-Identifier: MIT */
/*
 * hetzner-sim: options, startup, shutdown. README.md is the manual.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "sim/cloud.h"
#include "sim/fault.h"
#include "sim/shell.h"
#include "sim/tls.h"
#include "util/alloc.h"

#define SCENARIO_MAX (16 << 20)

enum {
	OPT_LISTEN = 256,
	OPT_ADMIN,
	OPT_PORT_FILE,
	OPT_TOKEN,
	OPT_READONLY,
	OPT_SCENARIO,
	OPT_SPEED,
	OPT_CLOCK,
	OPT_EPOCH,
	OPT_RATE,
	OPT_QUOTA,
	OPT_SEED,
	OPT_LABEL,
	OPT_FAULTS,
	OPT_MS,
	OPT_TLS_CERT,
	OPT_TLS_KEY,
	OPT_BOXES,
	OPT_BOX_USER,
	OPT_BOX_NET,
};

/* Exit codes besides 0: 1 cannot listen, 2 invalid options, and: */
#define EXIT_NO_BOXES 4

static const struct option options[] = {
	{ "listen", required_argument, NULL, OPT_LISTEN },
	{ "admin-listen", required_argument, NULL, OPT_ADMIN },
	{ "tls-cert", required_argument, NULL, OPT_TLS_CERT },
	{ "tls-key", required_argument, NULL, OPT_TLS_KEY },
	{ "port-file", required_argument, NULL, OPT_PORT_FILE },
	{ "token", required_argument, NULL, OPT_TOKEN },
	{ "readonly-token", required_argument, NULL, OPT_READONLY },
	{ "scenario", required_argument, NULL, OPT_SCENARIO },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "clock", required_argument, NULL, OPT_CLOCK },
	{ "epoch", required_argument, NULL, OPT_EPOCH },
	{ "rate-limit", required_argument, NULL, OPT_RATE },
	{ "quota", required_argument, NULL, OPT_QUOTA },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "lease-label", required_argument, NULL, OPT_LABEL },
	{ "create-ms", required_argument, NULL, OPT_MS },
	{ "off-ms", required_argument, NULL, OPT_MS },
	{ "boot-ms", required_argument, NULL, OPT_MS },
	{ "lag-ms", required_argument, NULL, OPT_MS },
	{ "delete-ms", required_argument, NULL, OPT_MS },
	{ "ip-delete-ms", required_argument, NULL, OPT_MS },
	{ "power-ms", required_argument, NULL, OPT_MS },
	{ "boxes", no_argument, NULL, OPT_BOXES },
	{ "box-user", required_argument, NULL, OPT_BOX_USER },
	{ "box-net", required_argument, NULL, OPT_BOX_NET },
	{ "list-faults", no_argument, NULL, OPT_FAULTS },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
	"usage: hetzner-sim [options]\n"
	"A simulated Hetzner Cloud API on a local port; administration under /_sim/.\n\n"
	"  --listen ADDRESS:PORT     address to listen on (127.0.0.1:0; port 0: any)\n"
	"  --admin-listen ADDR:PORT  a second port, stays open when /_sim/listener closes the first\n"
	"  --tls-cert, --tls-key FILE  serve https on the first port: certificate chain and key, PEM\n"
	"  --port-file FILE          write the port number to FILE once it is open\n"
	"  --token TOKEN             a token to accept (repeatable; default: any token)\n"
	"  --readonly-token TOKEN    a read-only token\n"
	"  --scenario FILE           JSON: config, tokens, catalogue, objects, faults\n"
	"  --clock real|virtual      virtual: time advances only with POST /_sim/advance\n"
	"  --speed N                 simulated seconds per real second (1)\n"
	"  --epoch SECONDS           initial Unix time of the clock (now)\n"
	"  --create-ms, --off-ms, --boot-ms, --lag-ms, --delete-ms, --ip-delete-ms, --power-ms N\n"
	"                            durations in the life of a server, in simulated milliseconds\n"
	"  --rate-limit on|off|N     N requests per hour (on: 3600)\n"
	"  --quota NAME=N            servers, dedicated_cores, primary_ips, keys\n"
	"  --seed N                  seed for ids and probabilities (0)\n"
	"  --lease-label KEY         the label that identifies a lease (lessor-lease)\n"
	"  --boxes                   run an sshd on its own loopback address for each running server\n"
	"  --box-user NAME           user that boxes run as, if started as root (nobody)\n"
	"  --box-net 127.A.B.0       their first address (random in 127.64.0.0/10)\n"
	"  --list-faults             print the kinds of faults\n";

struct settings {
	struct cloud_config cloud;
	struct shell_config shell;
	const char *port_file, *scenario, *tls_cert, *tls_key;
	const char *tokens[64];
	int readonly[64];
	size_t token_count;
};

static int usage_error(const char *what, const char *value)
{
	fprintf(stderr, "hetzner-sim: %s '%s'; see --help\n", what, value);
	return 2;
}

static int read_number(const char *text, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(text, &end, 10);
	return !*text || *end || errno ? -1 : 0;
}

static int set_number(struct settings *s, const char *name, const char *text)
{
	int64_t value;
	struct err err;

	if (read_number(text, &value))
		return usage_error("not a number", text);
	if (cloud_config_set(&s->cloud, name, value, &err)) {
		fprintf(stderr, "hetzner-sim: %s\n", err.text);
		return 2;
	}
	return 0;
}

/* --create-ms sets create_ms. */
static int set_ms(struct settings *s, const char *option, const char *text)
{
	auto_free char *name = xstrdup(option);

	for (char *p = name; *p; p++)
		*p = *p == '-' ? '_' : *p;
	return set_number(s, name, text);
}

static int set_quota(struct settings *s, const char *text)
{
	const char *eq = strchr(text, '=');
	auto_free char *name = NULL;

	if (!eq)
		return usage_error("not NAME=N", text);
	name = xasprintf("max_%.*s", (int)(eq - text), text);
	return set_number(s, name, eq + 1);
}

static int set_rate(struct settings *s, const char *text)
{
	s->cloud.rate_on = strcmp(text, "off") != 0;
	if (!strcmp(text, "on") || !strcmp(text, "off"))
		return 0;
	return set_number(s, "rate_per_hour", text);
}

static int add_token(struct settings *s, const char *text, int readonly)
{
	if (s->token_count == ARRAY_LEN(s->tokens))
		return usage_error("too many tokens at", "--token");
	s->tokens[s->token_count] = text;
	s->readonly[s->token_count++] = readonly;
	return 0;
}

static int set_clock(struct settings *s, const char *text)
{
	s->shell.virtual_clock = !strcmp(text, "virtual");
	return s->shell.virtual_clock || !strcmp(text, "real") ? 0 :
								 usage_error("no such clock", text);
}

static int set_shell(struct settings *s, int option, const char *text)
{
	int64_t value;

	if (read_number(text, &value) || value < 0 || (option == OPT_SPEED && !value))
		return usage_error("not a number", text);
	if (option == OPT_SPEED)
		s->shell.speed = value;
	else if (option == OPT_EPOCH)
		s->shell.epoch_ms = value * 1000;
	else
		s->cloud.seed = (uint64_t)value;
	return 0;
}

/* Two simulators on one machine must not use the same addresses. */
static uint32_t random_net(void)
{
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		random = (uint16_t)getpid();
	return 127U << 24 | (64U << 16 | (uint32_t)(random & 0x3fff) << 8) | 1;
}

static int set_net(struct settings *s, const char *text)
{
	struct in_addr in;

	if (inet_pton(AF_INET, text, &in) != 1 || ntohl(in.s_addr) >> 24 != 127 ||
	    ntohl(in.s_addr) >> 16 == 0x7f00)
		return usage_error("not from 127.1.0.0 to 127.255.255.255:", text);
	s->cloud.machine_net = ntohl(in.s_addr);
	return 0;
}

static void list_faults(void)
{
	static const char *const sorts[] = { "answer", "wire", "life", "body" };

	for (int i = 0; i < FAULT_KIND_COUNT; i++)
		printf("%-18s %-7s %s\n", fault_name((enum fault_kind)i),
			sorts[fault_sort((enum fault_kind)i)], fault_help((enum fault_kind)i));
}

/* 0: continue; 1: done, exit 0; 2: invalid. */
static int set_option(struct settings *s, int option, int index)
{
	switch (option) {
	case OPT_LISTEN:
		s->shell.listen = optarg;
		return 0;
	case OPT_ADMIN:
		s->shell.admin_listen = optarg;
		return 0;
	case OPT_TLS_CERT:
		s->tls_cert = optarg;
		return 0;
	case OPT_TLS_KEY:
		s->tls_key = optarg;
		return 0;
	case OPT_PORT_FILE:
		s->port_file = optarg;
		return 0;
	case OPT_SCENARIO:
		s->scenario = optarg;
		return 0;
	case OPT_LABEL:
		s->cloud.lease_label = optarg;
		return 0;
	case OPT_TOKEN:
	case OPT_READONLY:
		return add_token(s, optarg, option == OPT_READONLY);
	case OPT_CLOCK:
		return set_clock(s, optarg);
	case OPT_SPEED:
	case OPT_EPOCH:
	case OPT_SEED:
		return set_shell(s, option, optarg);
	case OPT_RATE:
		return set_rate(s, optarg);
	case OPT_QUOTA:
		return set_quota(s, optarg);
	case OPT_BOXES:
		s->shell.boxes = 1;
		return 0;
	case OPT_BOX_USER:
		s->shell.box_user = optarg;
		return 0;
	case OPT_BOX_NET:
		return set_net(s, optarg);
	case OPT_MS:
		return set_ms(s, options[index].name, optarg);
	case OPT_FAULTS:
		list_faults();
		return 1;
	case 'h':
		fputs(help, stdout);
		return 1;
	case 'V':
		puts("hetzner-sim " SIM_VERSION);
		return 1;
	default:
		return 2;
	}
}

static int load_scenario(struct cloud *cloud, const char *path, int64_t now_ms)
{
	FILE *f = fopen(path, "rb");
	auto_free char *text = xcalloc(1, SCENARIO_MAX);
	struct err err;
	size_t len;

	if (!f)
		return usage_error("cannot open", path);
	len = fread(text, 1, SCENARIO_MAX, f);
	fclose(f);
	if (!cloud_load(cloud, now_ms, text, len, &err))
		return 0;
	fprintf(stderr, "hetzner-sim: %s: %s\n", path, err.text);
	return 2;
}

/* Written to a temporary file and renamed, so that a reader never sees half of it. */
static int write_port(const char *path, int port)
{
	auto_free char *aside = xasprintf("%s.new", path);
	FILE *f = fopen(aside, "w");

	if (!f)
		return usage_error("cannot write", path);
	fprintf(f, "%d\n", port);
	if (fclose(f) || rename(aside, path))
		return usage_error("cannot write", path);
	return 0;
}

static int serve_cloud(struct settings *s, struct cloud *cloud)
{
	struct err err;
	struct shell *shell = shell_new(cloud, &s->shell, &err);
	int rc = 0;

	if (!shell) {
		int no_boxes = err.kind == SHELL_NO_BOXES;

		fprintf(stderr, "hetzner-sim: %s%s\n",
			no_boxes ? "boxes are not supported here: " : "", err.text);
		return no_boxes ? EXIT_NO_BOXES : 1;
	}
	if (s->scenario)
		rc = load_scenario(cloud, s->scenario, shell_now_ms(shell));
	if (!rc && s->port_file)
		rc = write_port(s->port_file, shell_port(shell));
	if (!rc) {
		printf("listening on %s://127.0.0.1:%d/v1\n", s->shell.tls ? "https" : "http",
		       shell_port(shell));
		if (s->shell.admin_listen)
			printf("admin on http://127.0.0.1:%d/_sim\n", shell_admin_port(shell));
		fflush(stdout);
		shell_run(shell);
	}
	shell_free(shell);
	return rc;
}

/* 0 or 2. */
static int open_tls(struct settings *s)
{
	struct err err;

	if (!s->tls_cert && !s->tls_key)
		return 0;
	if (!s->tls_cert || !s->tls_key)
		return usage_error("there is no", s->tls_cert ? "--tls-key" : "--tls-cert");
	s->shell.tls = tls_open(s->tls_cert, s->tls_key, &err);
	if (s->shell.tls)
		return 0;
	fprintf(stderr, "hetzner-sim: %s\n", err.text);
	return 2;
}

int main(int argc, char **argv)
{
	struct settings s = { .shell = { .listen = "127.0.0.1:0", .speed = 1 } };
	struct cloud *cloud;
	int option, index = 0, rc = 0;

	cloud_config_init(&s.cloud);
	while (!rc && (option = getopt_long(argc, argv, "hV", options, &index)) != -1)
		rc = set_option(&s, option, index);
	if (rc)
		return rc == 1 ? 0 : rc;
	if (optind < argc)
		return usage_error("unexpected", argv[optind]);
	if (open_tls(&s))
		return 2;
	if (!s.shell.boxes)
		s.cloud.machine_net = 0;
	else if (!s.cloud.machine_net)
		s.cloud.machine_net = random_net();
	cloud = cloud_new(&s.cloud);
	for (size_t i = 0; i < s.token_count; i++)
		cloud_add_token(cloud, s.tokens[i], 0, s.readonly[i]);
	rc = serve_cloud(&s, cloud);
	cloud_free(cloud);
	tls_close(s.shell.tls);
	return rc;
}
