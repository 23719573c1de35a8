#!/bin/sh
# SPDX-License-Identifier: MIT
# Shows two lessord that share one PostgreSQL database: builds lessor, starts a database that is
# thrown away afterwards, two simulated clouds and two daemons, leases machines through both, kills
# the daemon that owns an account with kill -9 while it works, and shows that the other one goes on
# and that nothing was lost. Writes only to the build directory and temporary directories.
set -eu

usage() {
	cat <<-EOF
	usage: sh packaging/two-daemons.sh [--build DIR] [--built] [--seconds N]

	  --build DIR  build directory (default: build-two-daemons-UID in the source tree)
	  --built      the build directory is up to date: install and build nothing
	  --seconds N  how long clients work before the kill and after it (default: 8)
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
build=$root/build-two-daemons-$(id -u)
built=
seconds=8

while [ $# -gt 0 ]; do
	case $1 in
	--build | --seconds)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		case $1 in
		--build) build=$2 ;;
		*) seconds=$2 ;;
		esac
		shift
		;;
	--built) built=1 ;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

# shellcheck source=packaging/demonstration.sh
. "$here/demonstration.sh"

database_pid=
# A daemon has ended with that status, and not in another way: NAME PID STATUS
ended() {
	status=0
	wait "$2" || status=$?
	rest=
	for pid in $pids; do
		[ "$pid" = "$2" ] || rest="$rest $pid"
	done
	pids=$rest
	[ "$status" -eq "$3" ] || { echo "lessord $1 ended with status $status, not $3" >&2; exit 1; }
}
# The database ends, and is removed, when nobody holds its standard input.
finish() {
	exec 9>&-
	[ -z "$database_pid" ] || wait "$database_pid" 2>/dev/null || true
}

# shellcheck disable=SC2154
[ -n "$built" ] || install_and_build "$packages_build postgresql python3" \
	"lessord lessor hetzner hetzner-sim lessord-postgresql"
PATH=$build/bin:$PATH
LESSOR_MODULES=$build/modules
export PATH LESSOR_MODULES
lessord --version
work_make

step "3. Starting a temporary PostgreSQL server"
mkfifo "$work/database.in"
python3 -B "$root/tests/api/postgres.py" <"$work/database.in" >"$work/database" 2>"$work/database.log" &
database_pid=$!
exec 9>"$work/database.in"
started "$work/database" "$database_pid" PostgreSQL
if grep '^SKIP' "$work/database"; then
	exit 77
fi
url=$(sed -n 's/^ready //p' "$work/database")
echo "The database is $url"

step "4. Starting two simulated Hetzner Clouds, twenty times as fast as the real one"
accounts=
for account in one two; do
	hetzner-sim --listen 127.0.0.1:0 --port-file "$work/$account.port" --speed 20 \
		>"$work/$account.log" 2>&1 &
	pids="$! $pids"
	started "$work/$account.port" "$!" hetzner-sim
	accounts="$accounts
[account $account]
provider = hetzner
locations = fsn1, nbg1
token_file = $work/provider-token
endpoint = http://127.0.0.1:$(cat "$work/$account.port")/v1
poll = 200ms
"
done
# The simulator accepts any token. A real token goes into a file like this one.
(umask 077; echo "simulated-token-of-the-demonstration" >"$work/provider-token")

step "5. Starting two daemons on the same database"
configure() {
	mkdir -m 700 "$work/$1"
	cat >"$work/$1.conf" <<-EOF
	[server]
	listen = 127.0.0.1:0
	providers = $build/providers
	settle = 2s
	release_wait = 1s

	[store]
	url = $url
	state_dir = $work/$1
	EOF
	printf '%s' "$accounts" >>"$work/$1.conf"
}
configure a
configure b
sed 's/^/    /' "$work/a.conf"
echo
lessord check --config "$work/a.conf" | sed 's/^/    /'
(
	umask 077
	lessord token add --owner "$(id -un)" --role admin --config "$work/a.conf" >"$work/token" 2>/dev/null
)
run_daemon() {
	rm -f -- "$work/$1.port"
	lessord --config "$work/$1.conf" --port-file "$work/$1.port" >>"$work/$1.log" 2>&1 &
	daemon_pid=$!
	pids="$daemon_pid $pids"
	started "$work/$1.port" "$daemon_pid" lessord
	daemon_url=http://127.0.0.1:$(cat "$work/$1.port")
}
run_daemon a
a_pid=$daemon_pid a_url=$daemon_url
run_daemon b
b_pid=$daemon_pid b_url=$daemon_url
LESSOR_URL=$b_url
LESSOR_TOKEN_FILE=$work/token
# Nothing of this is noted in the user's home.
XDG_STATE_HOME=$work/state
export LESSOR_URL LESSOR_TOKEN_FILE XDG_STATE_HOME
# Prints the address of the daemon that owns an account: ACCOUNT
owner_of() {
	lessor daemons --json | python3 -c '
import json, sys
for row in json.load(sys.stdin)["accounts"]:
    if row["account"] == sys.argv[1] and row["daemon"]:
        print(row["address"])' "$1" 2>/dev/null
}
# Do the daemons know one at this address that is alive? URL
alive() {
	lessor daemons --json | python3 -c '
import json, sys
sys.exit(not any(row["address"] == sys.argv[1] and row["alive"]
                 for row in json.load(sys.stdin)["daemons"]))' "$1" 2>/dev/null
}
owned() { [ -n "$(owner_of one)" ] && [ -n "$(owner_of two)" ]; }
await "$patience" owned || { echo "some account has no owner" >&2; exit 1; }
lessor daemons

step "6. Leasing machines through both daemons, and killing the owner of account one meanwhile"
python3 -B "$here/two-daemons.py" --daemon "$a_url=$a_pid" --daemon "$b_url=$b_pid" \
	--account one --account two --kill --seconds "$seconds" --token-file "$work/token" \
	--cloud "http://127.0.0.1:$(cat "$work/one.port")" \
	--cloud "http://127.0.0.1:$(cat "$work/two.port")"
victim=b
LESSOR_URL=$a_url
kill -0 "$a_pid" 2>/dev/null || victim=a LESSOR_URL=$b_url
lessor daemons

step "7. Starting the killed daemon again"
case $victim in
a) ended a "$a_pid" 137 ;;
b) ended b "$b_pid" 137 ;;
esac
run_daemon $victim
case $victim in
a) a_pid=$daemon_pid ;;
b) b_pid=$daemon_pid ;;
esac
await "$patience" alive "$daemon_url" || { echo "lessord $victim is not known" >&2; exit 1; }
await "$patience" owned || { echo "some account has no owner" >&2; exit 1; }
lessor daemons

step "8. Stopping both daemons"
kill "$a_pid" "$b_pid"
ended a "$a_pid" 0
ended b "$b_pid" 0
echo "Both ended with status 0."

printf '\nDone. The daemons, the clouds and the database were stopped and their files removed.\n'
