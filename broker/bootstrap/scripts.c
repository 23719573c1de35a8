/* SPDX-License-Identifier: MIT */
/*
 * Constant text: no value of a lease is inserted. The tests check both with sh -n and
 * shellcheck.
 */
#include "bootstrap/scripts.h"

/* The client runs this until it exits 0. It creates no files. */
const char script_ready[] =
	"#!/bin/sh\n"
	"# Exits 0 when this machine can be worked on by the user who runs this.\n"
	"set -eu\n"
	"git --version >/dev/null\n"
	"rsync --version >/dev/null\n"
	"curl --version >/dev/null\n"
	"jq --version >/dev/null\n"
	"flock --version >/dev/null\n"
	"test -e /var/lib/crabbox/bootstrapped\n"
	"IFS= read -r root <" WORK_ROOT_PATH "\n"
	"test -d \"$root\"\n"
	"test -w \"$root\"\n";

/*
 * ssh.socket: newer Ubuntu releases start sshd by socket activation and take its ports from
 * the configuration on a reload of systemd; restarting the socket where it is unused would
 * start it beside the service.
 */
const char script_setup[] =
	"#!/bin/sh\n"
	"# Makes this machine ready for USER, who works below WORK_ROOT. Run once, by root.\n"
	"set -eu\n"
	"umask 022\n"
	"user=$1\n"
	"root=$2\n"
	"\n"
	"have_tools() {\n"
	"\tfor tool in git rsync curl jq tmux flock ps sshd; do\n"
	"\t\tcommand -v \"$tool\" >/dev/null 2>&1 || return 1\n"
	"\tdone\n"
	"}\n"
	"\n"
	"get_tools() {\n"
	"\tapt-get -q -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 update &&\n"
	"\t\tDEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \\\n"
	"\t\t\t-o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 install \\\n"
	"\t\t\topenssh-server ca-certificates curl git rsync jq tmux util-linux procps\n"
	"}\n"
	"\n"
	"restart_ssh() {\n"
	"\tsystemctl daemon-reload\n"
	"\tif systemctl is-active --quiet ssh.socket; then\n"
	"\t\tsystemctl restart ssh.socket\n"
	"\tfi\n"
	"\tsystemctl restart ssh.service\n"
	"}\n"
	"\n"
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"export PATH\n"
	"restart_ssh || echo 'lessor-setup: sshd did not restart yet' >&2\n"
	"\n"
	"if ! { [ -e /var/lib/crabbox/image-ready ] && have_tools; }; then\n"
	"\ttry=1\n"
	"\tuntil get_tools; do\n"
	"\t\tif [ \"$try\" -ge 6 ]; then\n"
	"\t\t\techo 'lessor-setup: the packages cannot be installed' >&2\n"
	"\t\t\texit 1\n"
	"\t\tfi\n"
	"\t\tsleep $((try * 5))\n"
	"\t\ttry=$((try + 1))\n"
	"\tdone\n"
	"fi\n"
	"have_tools\n"
	"restart_ssh\n"
	"\n"
	"group=$(id -gn -- \"$user\")\n"
	"install -d -o \"$user\" -g \"$group\" -- \"$root\" \\\n"
	"\t/var/cache/crabbox /var/cache/crabbox/pnpm /var/cache/crabbox/npm\n"
	"install -d -- /var/lib/crabbox\n"
	": >/var/lib/crabbox/bootstrapped\n";
