#!/bin/bash
# SPDX-License-Identifier: MIT
# The lifecycle of the packages in a separate root, from installation to purge. Run by run.sh, with
# or without a booted systemd. Never run it on a machine that you need.
#
#	inside.sh OLD NEW	two folders with the debs, the second with a later version
set -euo pipefail

[ -e /lessor-test-root ] || { echo "inside.sh: this root was not created by run.sh" >&2; exit 2; }
# shellcheck source=tests/await.sh
. /lessor-test-root/await.sh
old=$1
new=$2
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
unset LESSOR_URL LESSOR_TOKEN LESSOR_TOKEN_FILE
booted=
[ ! -d /run/systemd/system ] || booted=1
work=/lessor-test-root/work
mkdir -p "$work"
cd "$work"
token=simulated-token-that-is-long-enough-to-be-one-0123456789ab
sim_pid=
daemon_pid=
sysusers=
checks=0

step() { printf '== %s\n' "$1"; }
ok() {
	checks=$((checks + 1))
	printf '   %s\n' "$1"
}
fail() {
	echo "FAILED: $1" >&2
	if [ -n "$booted" ]; then
		systemctl --no-pager -l status lessord >&2 || true
		journalctl --no-pager -u lessord -u lessord.socket -u lessord-backup -n 60 >&2 || true
	else
		tail -n 30 "$work/log" >&2 || true
	fi
	exit 1
}
cleanup() {
	[ "$1" -eq 0 ] || echo "FAILED: exit code $1 at line $2" >&2
	[ -z "$sim_pid" ] || kill "$sim_pid" 2>/dev/null || true
	[ -z "$daemon_pid" ] || kill -9 "$daemon_pid" 2>/dev/null || true
}
trap 'cleanup $? $LINENO' EXIT

# WHAT COMMAND...: the command succeeds; its output is shown only if it fails.
must() {
	local what=$1
	shift
	"$@" >"$work/out" 2>&1 || { cat "$work/out" >&2; fail "$what: $*"; }
	ok "$what"
}
# WHAT CODE COMMAND...: the command fails with this exit code.
fails() {
	local what=$1 expected=$2 code=0
	shift 2
	"$@" >"$work/out" 2>&1 || code=$?
	[ "$code" -eq "$expected" ] || { cat "$work/out" >&2; fail "$what: $code, not $expected: $*"; }
	ok "$what"
}
equal() { [ "$2" = "$3" ] || fail "$1: '$2', not '$3'"; ok "$1"; }
# WHAT COMMAND...: repeats the command until it succeeds.
comes() {
	local what=$1
	shift
	await "$patience" "$@" >/dev/null 2>&1 || fail "$what, in $patience s: $*"
	ok "$what"
}
# The number of servers in the simulated cloud, from its own API.
servers() {
	exec 9<>"/dev/tcp/127.0.0.1/$(cat "$work/sim.port")"
	printf 'GET /_sim/state HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&9
	tr '{' '\n' <&9 | grep -c '"server_type"' || true
	exec 9>&-
}
installed() { dpkg-query -W -f '${db:Status-Status} ${Version}' "$1"; }
property() { systemctl show -P "$1" lessord; }
running() { lessor list >/dev/null 2>&1; }

# ---- starting and stopping, with systemd and without ----------------------------------------

start() {
	if [ -n "$booted" ]; then
		must "the daemon starts" systemctl start lessord
		daemon_pid=$(property MainPID)
		LESSOR_URL=http://127.0.0.1:8480
	else
		rm -f /run/lessord/port
		setpriv --reuid lessor --regid lessor --clear-groups \
			env CREDENTIALS_DIRECTORY=/run/lessord/credentials \
			/usr/sbin/lessord --port-file /run/lessord/port >>"$work/log" 2>&1 &
		daemon_pid=$!
		comes "the daemon starts" test -s /run/lessord/port
		LESSOR_URL=http://127.0.0.1:$(cat /run/lessord/port)
	fi
	export LESSOR_URL
	comes "it responds" running
}
stop() {
	if [ -n "$booted" ]; then
		systemctl stop lessord
		equal "the daemon stops cleanly" "$(property Result) $(property ExecMainStatus)" "success 0"
	else
		kill "$daemon_pid"
		wait "$daemon_pid"
		ok "the daemon stops cleanly"
	fi
	daemon_pid=
}

# ---- installation ---------------------------------------------------------------------------

step "installation"
# As in a container: without systemd, systemd-standalone-sysusers creates the user.
[ -n "$booted" ] || sysusers=systemd-standalone-sysusers
must "apt installs the three packages and their dependencies" apt-get install -y --no-install-recommends \
	"$old"/lessord_*.deb "$old"/lessor_*.deb "$old"/lessor-dev_*.deb ${sysusers:+"$sysusers"}
must "dpkg --verify finds nothing" dpkg --verify lessord lessor lessor-dev
equal "dpkg --audit finds nothing" "$(dpkg --audit)" ""
for package in lessord lessor lessor-dev; do
	[[ $(installed $package) == "installed "* ]] || fail "$package: $(installed $package)"
done
equal "the user exists" "$(getent passwd lessor | cut -d : -f 1,6,7)" "lessor:/var/lib/lessor:/usr/sbin/nologin"
equal "only the user can access the state" "$(stat -c '%U:%G %a' /var/lib/lessor)" "lessor:lessor 700"
equal "the configuration is a conffile" "$(dpkg-query -W -f '${Conffiles}' lessord | awk '{print $1}')" \
	/etc/lessord/lessord.conf
for program in lessord lessor lessor-plugin-check hetzner-sim; do
	must "$program finds its libraries" "$program" --help
done
for page in man8/lessord.8 man5/lessord.conf.5 man1/lessor.1 man3/lessor-provider.3 man1/hetzner-sim.1 \
	man1/lessor-plugin-check.1; do
	[ -s "/usr/share/man/$page.gz" ] || fail "no $page"
done
ok "the manual pages are installed"
for file in bash-completion/completions/lessor zsh/vendor-completions/_lessor \
	fish/vendor_completions.d/lessor.fish; do
	[ -s "/usr/share/$file" ] || fail "no $file"
done
ok "the shell completions are installed"
must "lessor-plugin-check accepts the provider" lessor-plugin-check /usr/lib/*/lessor/providers/hetzner.so
test -s /etc/ssl/certs/ca-certificates.crt
ok "the CA certificates are installed"
if [ -n "$booted" ]; then
	equal "nothing is enabled" "$(systemctl is-enabled lessord.service lessord.socket lessord-backup.timer |
		sort -u)" disabled
	equal "nothing is running" "$(systemctl is-active lessord.service lessord.socket lessord-backup.service \
		lessord-backup.timer | sort -u)" inactive
fi

step "the store on PostgreSQL"
cat >postgresql.conf <<EOF
[store]
url = postgresql://lessor@127.0.0.1:1/lessor
[account hetzner]
provider = hetzner
locations = fsn1
EOF
fails "without its package it cannot be used" 4 lessord check --config "$work/postgresql.conf"
grep -q "install the package lessord-postgresql" "$work/out" || fail "and the package is not named"
must "apt installs it" apt-get install -y --no-install-recommends "$old"/lessord-postgresql_*.deb
must "dpkg --verify finds nothing" dpkg --verify lessord-postgresql
fails "the module is loaded, and there is no server" 4 lessord check --config "$work/postgresql.conf"
grep -q "no connection to the database" "$work/out" || fail "it says something else"
must "apt removes it" apt-get purge -y lessord-postgresql
[ -z "$(find /usr/lib -path '*/lessor/modules*')" ] || fail "the module is left"

# ---- configuration --------------------------------------------------------------------------

step "configuration"
# The installed file is complete except for the token.
must "the installed configuration is valid" lessord --check-config
if [ -n "$booted" ]; then
	fails "without a provider's token it does not start" 1 systemctl start lessord
	equal "and is not restarted" "$(property NRestarts) $(property ExecMainStatus)" "0 2"
	systemctl reset-failed lessord
else
	fails "without a provider's token it does not start" 2 lessord
fi
hetzner-sim --listen 127.0.0.1:0 --port-file sim.port --token "$token" --speed 100 >sim.log 2>&1 &
sim_pid=$!
comes "the simulated cloud starts" test -s sim.port
(umask 077; echo "$token" >/etc/lessord/hetzner-token)
cat >>/etc/lessord/lessord.conf <<EOF
endpoint = http://127.0.0.1:$(cat sim.port)/v1
poll = 50ms
EOF
sed -i 's/^\[server\]$/&\nsettle = 1s/' /etc/lessord/lessord.conf
if [ -n "$booted" ]; then
	# As in README.Debian.
	install -D -m 0644 /usr/share/doc/lessor/credential.conf \
		/etc/systemd/system/lessord.service.d/credential.conf
	systemctl daemon-reload
else
	sed -i 's/^\[server\]$/&\nlisten = 127.0.0.1:0/' /etc/lessord/lessord.conf
	install -d -m 0755 -o lessor -g lessor /run/lessord
	install -d -m 0700 -o lessor -g lessor /run/lessord/credentials
	install -m 0400 -o lessor -g lessor /etc/lessord/hetzner-token /run/lessord/credentials/
fi
must "the edited configuration is valid" lessord --check-config
if [ -n "$booted" ]; then
	fails "without a client's token it does not start" 1 systemctl start lessord
	equal "and is not restarted" "$(property NRestarts) $(property ExecMainStatus)" "0 6"
	systemctl reset-failed lessord
fi
(umask 077; lessord token add --owner root@example.com --role admin >client-token 2>/dev/null)
export LESSOR_TOKEN_FILE=$work/client-token
equal "the daemon's user owns the database" "$(stat -c '%U %a' /var/lib/lessor/lessor.db)" "lessor 600"

# ---- running --------------------------------------------------------------------------------

memory() {
	awk '/^(VmRSS|RssAnon)/ {printf " %s %.1f MiB", $1, $2 / 1024}' "/proc/$daemon_pid/status"
}

step "a lease"
start
echo "   idle:$(memory)"
# A public key without a known private key: any 32 random bytes are valid.
printf 'ssh-ed25519 %s test\n' "$({ printf '\000\000\000\013ssh-ed25519\000\000\000\040'
	head -c 32 /dev/urandom; } | base64 -w 0)" >key.pub
must "a lease is created" lessor create --class standard --slug first --ttl 1h --ssh-key key.pub
equal "the cloud has its machine" "$(servers)" 1
lease=$(lessor show --json first | grep -o 'cbx_[0-9a-f]*' | head -n 1)
status=$(cat "/proc/$daemon_pid/status")
echo "   with one lease:$(memory)"

if [ -n "$booted" ]; then
	step "under systemd"
	equal "it reports its status" "$(property StatusText)" serving
	equal "it runs as its user, without capabilities, with a seccomp filter" \
		"$(echo "$status" | awk '/^(Uid|CapEff|CapBnd|NoNewPrivs|Seccomp):/ {print $1 $2}' | xargs)" \
		"Uid:$(id -u lessor) CapEff:0000000000000000 CapBnd:0000000000000000 NoNewPrivs:1 Seccomp:2"
	if tr '\0' '\n' <"/proc/$daemon_pid/environ" | grep -q "$token"; then
		fail "the token is in the environment"
	fi
	ok "the token is not in the environment"
	if journalctl -u lessord | grep -q "$token"; then
		fail "the token is in the journal"
	fi
	ok "the token is not in the journal"
	must "its exposure is at most 1.5" systemd-analyze security --no-pager --threshold=15 lessord
	systemd-analyze security --no-pager lessord | sed -n 's/.*Overall/   overall/p'
	must "the configuration is reloaded" systemctl reload lessord
	cp -p /etc/lessord/lessord.conf kept.conf
	echo "nonsense = yes" >>/etc/lessord/lessord.conf
	fails "reloading an invalid file fails" 1 systemctl reload lessord
	equal "and the daemon keeps running" "$(property ActiveState) $(property MainPID)" "active $daemon_pid"
	cp -p kept.conf /etc/lessord/lessord.conf

	kill -9 "$daemon_pid"
	restarted() { [ "$(property MainPID)" -ne 0 ] && [ "$(property MainPID)" -ne "$daemon_pid" ]; }
	comes "it is restarted when killed" restarted
	comes "and responds" running
	daemon_pid=$(property MainPID)
	must "and still has the lease" lessor heartbeat "$lease"

	mkdir -p /run/systemd/system/lessord.service.d
	printf '[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\nRestartSec=100ms\n' \
		>/run/systemd/system/lessord.service.d/quick.conf
	systemctl daemon-reload
	systemctl restart lessord
	daemon_pid=$(property MainPID)
	kill -STOP "$daemon_pid"
	comes "it is restarted when it hangs" restarted
	comes "and responds" running
	rm -r /run/systemd/system/lessord.service.d
	systemctl daemon-reload
	systemctl restart lessord
	equal "the cloud still has one machine" "$(servers)" 1

	step "backup"
	must "the unit backs up" systemctl start lessord-backup.service
	equal "a pair, for the daemon's user alone" \
		"$(cd /var/backups/lessor && stat -c '%U %a %n' -- * | sed 's/-[A-Z][a-z][a-z]/-Day/' | xargs)" \
		"lessor 600 lessor-Day-runs.db lessor 600 lessor-Day.db"
	must "root replaces it" lessord backup "$(ls /var/backups/lessor/lessor-???.db)"
	must "and the unit again" systemctl start lessord-backup.service
	must "the timer can be enabled" systemctl enable --now lessord-backup.timer
	must "and disabled" systemctl disable --now lessord-backup.timer
	rm /var/backups/lessor/*

	step "socket activation"
	systemctl stop lessord
	must "the sockets open" systemctl enable --now lessord.socket
	equal "owner and mode of the socket" "$(stat -c '%G %a' /run/lessord/api.sock)" "lessor 660"
	must "a client starts the service" env LESSOR_URL=unix:/run/lessord/api.sock lessor list
	must "and on the other socket" lessor list
	useradd -r -G lessor friend
	useradd -r stranger
	chmod 755 "$work" /lessor-test-root
	as() { setpriv --reuid "$1" --regid "$1" --init-groups env LESSOR_TOKEN="$(cat client-token)" \
		LESSOR_URL=unix:/run/lessord/api.sock HOME=/nonexistent lessor list; }
	unset LESSOR_TOKEN_FILE
	must "a member of the group can use it" as friend
	fails "others cannot" 7 as stranger
	export LESSOR_TOKEN_FILE=$work/client-token
	systemctl stop lessord
	must "a client waits through a restart" lessor heartbeat "$lease"
	daemon_pid=$(property MainPID)
	systemctl enable lessord 2>/dev/null
fi

# ---- upgrade --------------------------------------------------------------------------------

step "upgrade with the lease alive"
before=$(installed lessord)
must "apt upgrades" apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold \
	"$new"/lessord_*.deb "$new"/lessor_*.deb "$new"/lessor-dev_*.deb
after=$(installed lessord)
[ "$before" != "$after" ] || fail "the version is still $before"
echo "   $before -> $after"
grep -q "^poll = 50ms" /etc/lessord/lessord.conf
if grep -q "^# Of the next version" /etc/lessord/lessord.conf; then
	fail "the operator's configuration was replaced"
fi
ok "the configuration is kept"
grep -q "^# Of the next version" /etc/lessord/lessord.conf.dpkg-dist
ok "and the new one is saved next to it"
if [ -n "$booted" ]; then
	[ "$(property MainPID)" != "$daemon_pid" ] || fail "the old lessord still runs"
	ok "the service is restarted"
	daemon_pid=$(property MainPID)
	equal "the sockets stay open" "$(systemctl is-active lessord.socket)" active
else
	stop
	start
fi
if readlink "/proc/$daemon_pid/exe" | grep -q deleted; then
	fail "the running program is not the installed one"
fi
comes "it responds" running
must "the lease still exists" lessor show "$lease"
must "a heartbeat succeeds" lessor heartbeat "$lease"
equal "the cloud still has one machine" "$(servers)" 1
must "dpkg --verify finds nothing" dpkg --verify --verify-format rpm lessor lessor-dev

# ---- removal --------------------------------------------------------------------------------

step "removal with the lease alive"
[ -n "$booted" ] || stop
fails "lessord names the lease" 7 lessord --owed
equal "and counts one lease" "$(grep -o '^cbx_[0-9a-f]*\|[1-9][0-9]* lease' "$work/out" | xargs)" \
	"$lease 1 lease"
must "apt removes" apt-get remove -y lessord lessor lessor-dev
equal "and warns of the remaining lease" "$(grep -o 'WARNING: .*\.' "$work/out")" \
	"WARNING: 1 lease with resources left at a provider."
grep -q "moves them to /var/backups/lessord-TIME" "$work/out" || fail "the removal does not say what a purge does"
ok "and says what a purge does"
[ ! -e /usr/sbin/lessord ] || fail "the program still exists"
if [ -n "$booted" ]; then
	equal "nothing is running" "$(grep -lx lessord /proc/[0-9]*/comm 2>/dev/null)" ""
	[ ! -e /run/lessord/api.sock ] || fail "the socket still exists"
	equal "no unit failed" "$(systemctl list-units --failed --no-legend 'lessord*')" ""
fi
test -s /var/lib/lessor/lessor.db
test -s /var/lib/lessor/lessor-runs.db
test -s /etc/lessord/lessord.conf
ok "state and configuration are kept"
equal "the cloud still has the machine" "$(servers)" 1

step "installed again"
must "apt installs" apt-get install -y --no-install-recommends "$new"/lessord_*.deb \
	"$new"/lessor_*.deb "$new"/lessor-dev_*.deb
if [ -n "$booted" ]; then
	equal "service and socket are running again" "$(systemctl is-active lessord.service lessord.socket | xargs)" \
		"active active"
	daemon_pid=$(property MainPID)
else
	start
fi
must "the lease still exists" lessor heartbeat "$lease"

step "purge with the lease alive"
[ -n "$booted" ] || stop
cp -p /etc/lessord/lessord.conf kept.conf
must "apt purges" apt-get purge -y lessord
equal "and warns" "$(grep -c 'WARNING: 1 lease with resources left at a provider\.' "$work/out")" 2
[ ! -e /var/lib/lessor ] || fail "the state still exists"
kept=$(grep -o '/var/backups/lessord-[0-9]\{8\}T[0-9]*Z' "$work/out" | head -n 1)
equal "the pair is kept, for root alone" \
	"$(cd "$kept" && stat -c '%U %a %n' . lessor.db lessor-runs.db | xargs)" \
	"root 700 . root 600 lessor.db root 600 lessor-runs.db"
equal "the cloud still has the machine" "$(servers)" 1
# As in lessord(8), RESTORE.
must "apt installs" apt-get install -y --no-install-recommends "$new"/lessord_*.deb
cp -p kept.conf /etc/lessord/lessord.conf
must "the pair is restored" install -m 0600 -o lessor -g lessor \
	"$kept"/lessor.db "$kept"/lessor-runs.db /var/lib/lessor
[ -z "$booted" ] || systemctl enable --now lessord.socket 2>/dev/null
start
is_fenced() { lessor providers | grep -q fenced; }
comes "the account is fenced" is_fenced
must "an operator takes over" lessor account take-over hetzner --looked
must "the lease still exists" lessor heartbeat "$lease"
must "it is released" lessor release "$lease"
equal "the cloud is empty" "$(servers)" 0
rm -r "$kept"
[ -n "$booted" ] || stop

step "purge of a state that changed after the removal"
must "apt removes" apt-get remove -y lessord
equal "and warns of nothing" "$(grep WARNING "$work/out")" ""
echo changed >>/var/lib/lessor/lessor.db
must "apt purges" apt-get purge -y lessord
equal "and says what it does not know" "$(grep -o 'WARNING: it is not known' "$work/out")" \
	"WARNING: it is not known"
kept=$(grep -o '/var/backups/lessord-[0-9]\{8\}T[0-9]*Z' "$work/out" | head -n 1)
test -s "$kept/lessor.db"
ok "the state is kept"
must "apt installs" apt-get install -y --no-install-recommends "$new"/lessord_*.deb
cp -p kept.conf /etc/lessord/lessord.conf
head -c -8 "$kept/lessor.db" >/var/lib/lessor/lessor.db
chown lessor: /var/lib/lessor/lessor.db
chmod 600 /var/lib/lessor/lessor.db
rm -r "$kept"

step "purge after a removal, with nothing owed"
must "apt removes" apt-get remove -y lessord
must "apt purges" apt-get purge -y lessord
[ ! -e /var/lib/lessor ] || fail "the state still exists"
ok "the state is removed"
must "apt installs" apt-get install -y --no-install-recommends "$new"/lessord_*.deb
cp -p kept.conf /etc/lessord/lessord.conf
(umask 077; lessord token add --owner root@example.com >/dev/null 2>&1)

step "purge"
must "lessord --owed reports nothing" lessord --owed
must "apt purges" apt-get purge -y lessord lessor lessor-dev
equal "and warns of nothing" "$(grep WARNING "$work/out")" ""
[ ! -e /var/lib/lessor ] || fail "the state still exists"
ok "the state is removed"
equal "only the operator's own file is left of the configuration" "$(ls /etc/lessord)" hetzner-token
left=$(find /etc /usr /var/lib /lib/systemd -name '*lessor*' ! -path '/etc/systemd/system/lessord.service.d*' \
	! -path '/var/lib/apt/*' ! -path /etc/lessord ! -name lessor-test.service)
equal "nothing else is left" "$left" ""
equal "and no backup" "$(ls -d /var/backups/less* 2>/dev/null || true)" ""
equal "dpkg no longer knows the packages" "$(dpkg-query -W -f '${Package} ' 'lessor*' 2>/dev/null || true)" ""

# The last: it leaves the server.
# shellcheck source=tests/packages/postgresql.sh
. /lessor-test-root/postgresql.sh

echo "$checks checks"
touch /lessor-test-root/passed
