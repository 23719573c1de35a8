#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs the unmodified crabbox CLI against lessord and the simulated cloud with its boxes, from
# login to results: every user command, on this machine, without a cloud account.
#
# crabbox.sh BUILD-DIR
# The CLI is $CRABBOX, or the one on PATH, or built with Go ($CRABBOX_VERSION). VERBOSE=1 prints what
# the commands print. Exit: 0 passed; 1 failed; 77 did not run, which is not a pass, and the last
# line gives the reason.
set -u

version=${CRABBOX_VERSION:-v0.46.0}
if [ $# -ne 1 ] || ! [ -x "$1/bin/lessord" ]; then
	echo "usage: crabbox.sh BUILD-DIR" >&2
	exit 2
fi
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# shellcheck source=tests/await.sh
. "$here/../await.sh"
build=$(CDPATH='' cd -- "$1" && pwd)
lessord=$build/bin/lessord
umask 022

work=$(mktemp -d)
pids=
cleanup() {
	code=$?
	trap - EXIT
	for pid in $pids; do
		kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	done
	if [ "$code" -eq 1 ]; then
		for log in "$work/out" "$work/lessord.log" "$work/sim.log"; do
			[ ! -s "$log" ] || { echo "--- last lines of $log:"; tail -n 40 "$log"; }
		done
	fi
	chmod -R u+w "$work" 2>/dev/null
	rm -rf -- "$work"
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

did_not_run() {
	echo "crabbox.sh: DID NOT RUN: $*"
	exit 77
}
fail() {
	echo "FAILED: $*"
	exit 1
}
now_ms() { date +%s%3N; }

# ---- the CLI -------------------------------------------------------------------------

crabbox=${CRABBOX:-$(command -v crabbox || :)}
if [ -z "$crabbox" ]; then
	PATH=$PATH:/usr/local/go/bin
	command -v go >/dev/null || did_not_run "neither crabbox nor go is on PATH"
	echo "building crabbox $version with $(go version)"
	GOBIN=$work/go GOPATH=$work/gopath GOCACHE=$work/gocache GOFLAGS='' timeout 900 \
		go install "github.com/openclaw/crabbox/cmd/crabbox@$version" >"$work/go.log" 2>&1 ||
		did_not_run "Go cannot build crabbox $version here: $(tail -n 1 "$work/go.log")"
	crabbox=$work/go/crabbox
fi
command -v "$crabbox" >/dev/null || fail "CRABBOX=$crabbox cannot be run"
for tool in ssh ssh-keygen git rsync jq curl; do
	command -v "$tool" >/dev/null || did_not_run "$tool is not installed"
done

# ---- a cloud with machines, and a broker -----------------------------------------------

"$build/bin/hetzner-sim" --listen 127.0.0.1:0 --port-file "$work/sim.port" --speed 20 --boxes \
	>"$work/sim.log" 2>&1 &
pids=$!
await_file "$work/sim.port" "$pids" ||
	did_not_run "hetzner-sim cannot create boxes on this machine: $(tail -n 1 "$work/sim.log")"
cloud=http://127.0.0.1:$(cat "$work/sim.port")

(umask 077; echo simulated-token-of-the-end-to-end-test >"$work/hetzner-token")
cat >"$work/lessord.conf" <<EOF
[server]
listen = 127.0.0.1:0
store = $work/lessor.db
providers = $build/providers
settle = 2s

[limits]
max_active_per_owner = 3

[account hetzner]
provider = hetzner
locations = nbg1
image = ubuntu-24.04
token_file = $work/hetzner-token
endpoint = $cloud/v1
poll = 100ms
EOF
token() {
	(umask 077; "$lessord" token add --owner "$1" --org acme --role "$2" \
		--config "$work/lessord.conf" 2>>"$work/lessord.log") || fail "cannot create a token for $1"
}
alice=$(token alice@example.com user)
bob=$(token bob@example.com user)
root=$(token root@example.com admin)
"$lessord" --config "$work/lessord.conf" --port-file "$work/lessord.port" \
	>>"$work/lessord.log" 2>&1 &
pids="$pids $!"
await_file "$work/lessord.port" "$!" || fail "lessord does not start"
url=http://127.0.0.1:$(cat "$work/lessord.port")

# ---- running the CLI ---------------------------------------------------------------------

# Runs with its own home and checkout, and inherits nothing from this environment but PATH.
mkdir -p "$work/home" "$work/project"
as() {
	who=$1
	shift
	(cd "$work/project" && env -i PATH="$PATH" HOME="$work/home" TERM=dumb LANG=C.UTF-8 \
		CRABBOX_PROVIDER=hetzner CRABBOX_COORDINATOR="$url" \
		CRABBOX_COORDINATOR_TOKEN="$who" CRABBOX_OWNER=somebody@else.example \
		${admin:+CRABBOX_COORDINATOR_ADMIN_TOKEN="$admin"} "$crabbox" "$@")
}
admin=

show() {
	[ -z "${VERBOSE:-}" ] || sed 's/^/    /' "$work/out"
}

# does PATTERN COMMAND...: the command succeeds, and stdout or stderr matches ('': anything)
does() {
	want=$1
	shift
	echo "\$ crabbox $*"
	as "$alice" "$@" >"$work/out" 2>&1 </dev/null || fail "crabbox $* exited with $?"
	show
	[ -z "$want" ] || grep -Eq -- "$want" "$work/out" ||
		fail "crabbox $*: the output does not match '$want'"
}
# refuses PATTERN COMMAND...: the command fails, and its output matches
refuses() {
	want=$1
	shift
	echo "\$ crabbox $*   (must fail)"
	! as "$alice" "$@" >"$work/out" 2>&1 </dev/null || fail "crabbox $* succeeded"
	show
	grep -Eq -- "$want" "$work/out" || fail "crabbox $*: the output does not match '$want'"
}
never() { ! grep -Eiq -- "$1" "$work/out" || fail "the output must not match '$1'"; }
servers() { curl -fsS "$cloud/_sim/state" | jq '.servers | length'; }
calls() { curl -fsS "$cloud/_sim/calls" | jq '.total.all // 0'; }

git -C "$work/project" init -q
cat >"$work/project/work.sh" <<'EOF'
for n in 1 2 3; do echo "working: $n"; done
printf '\001\002\033[31mred\033[0m\n'
echo "to stderr" >&2
exit "${1:-0}"
EOF
cat >"$work/project/junit.xml" <<'EOF'
<testsuite name="s" tests="2" failures="1" errors="0" skipped="0" time="0.5">
<testcase name="good" classname="c"/>
<testcase name="bad" classname="c"><failure message="it broke" type="T">why</failure></testcase>
</testsuite>
EOF
git -C "$work/project" add -A
git -C "$work/project" -c user.name=e2e -c user.email=alice@example.com commit -q -m work

# ---- tier 1 ----------------------------------------------------------------------------------

version=$("$crabbox" --version 2>/dev/null | head -n 1)
echo "== $version against lessord $("$lessord" --version | head -n 1)"

refuses 'not offered here; use: crabbox login --url URL --token-stdin' \
	login --url "$url" --no-browser
echo "\$ crabbox login --url $url --token-stdin"
printf '%s\n' "$alice" | as "$alice" login --url "$url" --token-stdin --provider hetzner \
	>"$work/out" 2>&1 || fail "login"
show
does 'alice@example\.com' whoami
does '' doctor
never 'failed +(coord|broker)'
echo "\$ crabbox login --token-stdin   (a wrong token; must fail)"
! echo lsr_0123456789abcdef_wrong | as "$alice" login --url "$url" --token-stdin --provider hetzner \
	>"$work/out" 2>&1 || fail "login with a wrong token succeeded"
show
grep -Eq '401|unauthorized' "$work/out" || fail "login does not report that the token is wrong"

begin=$(now_ms)
does 'leased cbx_[0-9a-f]{12}' warmup --slug e2e-box --class standard
ready_ms=$(($(now_ms) - begin))
lease=$(grep -Eo 'cbx_[0-9a-f]{12}' "$work/out" | head -n 1)
address=$(grep -Eo 'ip=[0-9.]+' "$work/out" | head -n 1 | cut -d = -f 2)
[ -n "$address" ] || fail "warmup does not print the address"
does 'e2e-box' list
does "\"$lease\"" list --json
does 'active' status --id e2e-box --wait
does "$lease" inspect --id "$lease" --json
jq -e --arg id "$lease" '.. | objects | select(.id? == $id or .leaseId? == $id or
	.leaseID? == $id)' "$work/out" >/dev/null || fail "inspect --json does not show the lease"
does "^'?ssh'? " ssh --id e2e-box
# The printed command works.
echo 'exit 7' | sh -c "$(grep -E "^'?ssh'? " "$work/out" | tail -n 1)" >"$work/ssh.out" 2>&1
[ $? -eq 7 ] || { cat "$work/ssh.out"; fail "the printed ssh command does not return the remote exit code"; }
echo 'exit 5' | as "$alice" connect e2e-box >"$work/out" 2>&1
[ $? -eq 5 ] || fail "connect does not return the remote exit code"
echo copied >"$work/project/there.txt"
does '' cp --id e2e-box ./there.txt SANDBOX:/tmp/there.txt
does '' cp --id e2e-box SANDBOX:/tmp/there.txt ./back.txt
cmp "$work/project/there.txt" "$work/project/back.txt" || fail "cp changed the file"
does '45m|2700' heartbeat --id e2e-box --idle-timeout 45m

# ---- a run in the machine, and its history --------------------------------------------------

does 'working: 3' run --id e2e-box --junit junit.xml -- sh work.sh
never 'history|warning: run'
run=$(grep -Eo 'run_[0-9a-f]{12}' "$work/out" | head -n 1)
[ -n "$run" ] || fail "the run was not recorded"
echo "\$ crabbox run --id e2e-box -- sh work.sh 9   (must exit with 9)"
as "$alice" run --id e2e-box -- sh work.sh 9 >"$work/out" 2>&1 </dev/null
code=$?
show
[ "$code" -eq 9 ] || fail "run does not return the command's exit code"
failed=$(grep -Eo 'run_[0-9a-f]{12}' "$work/out" | head -n 1)
does "$run" history
does "$run" history --lease "$lease"
does 'working: 2' logs "$run"
does '"state":"succeeded"' logs "$run" --json
does 'command\.started' events "$run"
does 'working' events "$run" --type stdout
does 'tests=2.*failures=1' results "$run"
does '' attach "$run"
does "$failed" history
does 'load|mem' status --id e2e-box

# ---- other users -------------------------------------------------------------------------------

refuses 'not.found|404' status --id cbx_000000000000
does 'bob@example\.com' share --id e2e-box --user bob@example.com
as "$bob" list >"$work/out" 2>&1 || fail "bob's list"
grep -q e2e-box "$work/out" || fail "bob does not see the lease that is shared with him"
does '' unshare --id e2e-box --user bob@example.com
as "$bob" list >"$work/out" 2>&1 || fail "bob's list"
never e2e-box
does 'alice@example\.com|leases' usage
does 'e2e-box' list --all	# without an admin token: her own
admin=$root
does 'e2e-box' list --all
never 'orphan='
grep -q "$address" "$work/out" || fail "list --all does not show the address"
does "$lease" admin leases --state active
admin=

# ---- the end of a lease --------------------------------------------------------------------------

before=$(servers)
begin=$(now_ms)
does "released lease=$lease" stop e2e-box
stop_ms=$(($(now_ms) - begin))
never 'pending|warning'
[ "$(servers)" -eq $((before - 1)) ] || fail "the server is still there"
does "released" stop "$lease"
# Again by slug: at once, not after the client's five attempts.
begin=$(now_ms)
does "released" stop e2e-box
again_ms=$(($(now_ms) - begin))
[ "$again_ms" -lt 10000 ] || fail "a second stop by slug took $again_ms ms"
does 'state=released' status --id "$lease"
# The client goes on after this warning, with an empty address: the reason must be readable.
does 'lease_ended' ssh --id "$lease"
does "$failed" history

# A complete run: leases a machine, runs the command and releases the lease.
count=$(calls)
does 'working: 3' run --class standard -- sh work.sh
never 'pending|warning'
run_calls=$(($(calls) - count))
[ "$(servers)" -eq $((before - 1)) ] || fail "a run left its server behind"

# The response is "provisioning" if it may not wait; repeating a fixed id creates one machine.
does 'cbx_0000000000e2' warmup --lease-id cbx_0000000000e2 --slug fixed --class standard
does 'cbx_0000000000e2' warmup --lease-id cbx_0000000000e2 --slug fixed --class standard
admin=$root
does 'released' admin release cbx_0000000000e2
does 'deleted' admin delete cbx_0000000000e2 --force
admin=
[ "$(servers)" -eq $((before - 1)) ] || fail "admin delete left the server"

# ---- what this broker does not offer ---------------------------------------------------------------

refuses 'Ready pools are not offered' pool ready
refuses 'Ready pools are not offered' pool ensure ci --min-ready 1
refuses 'Ready pools are not offered' pool borrow ci
mkdir "$work/project/bundle"
echo report >"$work/project/bundle/report.txt"
refuses 'Artifact uploads are not offered' artifacts publish --dir bundle --storage broker \
	--no-comment
rm -r "$work/project/bundle"
refuses 'marketplace is not offered' marketplace status
admin=$root
refuses 'hosts are not offered' admin hosts list
refuses 'audits are not offered' admin lease-audit
admin=

# ---- what goes wrong ---------------------------------------------------------------------------------

# Interrupted while the machine is being created: nothing is left behind.
curl -fsS -X POST -H 'Content-Type: application/json' "$cloud/_sim/faults" \
	-d '{"match":{"op":"s.create"},"count":1,"fault":{"kind":"slow","ms":4000}}' >/dev/null
echo "\$ crabbox warmup   (interrupted)"
(cd "$work/project" && exec env -i PATH="$PATH" HOME="$work/home" TERM=dumb \
	CRABBOX_PROVIDER=hetzner CRABBOX_COORDINATOR="$url" CRABBOX_COORDINATOR_TOKEN="$alice" \
	"$crabbox" warmup --class standard >"$work/out" 2>&1 </dev/null) &
interrupted=$!
# leases QUERY JQ: waits until the list of alice's leases satisfies the jq expression
leases() {
	await "$patience" leases_are "$@" || fail "the list of leases with $1 never satisfied: $2"
}
leases_are() {
	curl -fsS -H "Authorization: Bearer $alice" "$url/v1/leases?$1" |
		jq -e ".leases | $2" >/dev/null
}
leases state=provisioning 'length > 0'
kill -INT "$interrupted"
wait "$interrupted" && fail "an interrupted warmup succeeded"
show
leases cleanup=owed 'length == 0'
[ "$(servers)" -eq $((before - 1)) ] || fail "an interrupted create left something behind"

# A create beyond a limit is refused with that limit's error code.
for n in 1 2 3; do
	curl -fsS -X POST -H "Authorization: Bearer $alice" -H 'Prefer: respond-async' \
		-H 'Content-Type: application/json' "$url/v1/leases" -d "{\"provider\":\"hetzner\",
		\"class\":\"standard\",\"sshPublicKey\":\"$(ssh-keygen -q -t ed25519 -N '' -C x \
		-f "$work/key$n" && cut -d ' ' -f 1,2 "$work/key$n.pub")\"}" >/dev/null ||
		fail "cannot create a lease over HTTP"
done
refuses 'cost_limit_exceeded' warmup --class standard

echo
echo "$version: all commands passed."
echo "warmup to ready: $ready_ms ms; stop: $stop_ms ms; provider calls of one run: $run_calls"
