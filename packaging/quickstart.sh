#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs one lease from start to end on this machine: builds lessor, starts it with a simulated
# Hetzner Cloud, leases a machine, sends a heartbeat, releases the lease, and cleans up.
# Writes only to the build directory and a temporary directory.
set -eu

usage() {
	cat <<-EOF
	usage: sh packaging/quickstart.sh [--ssh] [--keep-running] [--build DIR]

	  --ssh           make the simulated machine a real sshd on a loopback address, log in,
	                  copy a checkout to it and run a command (needs user namespaces)
	  --keep-running  leave the broker and the simulated cloud running, and print how to
	                  use and stop them
	  --build DIR     build directory (default: build-quickstart-UID in the source tree)
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
build=$root/build-quickstart-$(id -u)
keep=
ssh=

while [ $# -gt 0 ]; do
	case $1 in
	--keep-running) keep=1 ;;
	--ssh) ssh=1 ;;
	--build)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		build=$2
		shift
		;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

# shellcheck source=packaging/demonstration.sh
. "$here/demonstration.sh"

# Prints a command as a person would type it, and runs it.
run() {
	printf '%s$' "$bold"
	for word; do
		case $word in
		*[!A-Za-z0-9_./:=@%+,-]* | '') printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '%s\n' "$plain"
	"$@"
}

# shellcheck disable=SC2154
install_and_build "$packages_build ${ssh:+$packages_boxes}" "lessord lessor hetzner hetzner-sim"
bin=$build/bin
"$bin/lessord" --version
work_make

step "3. Starting a simulated Hetzner Cloud, ten times as fast as the real one"
# One server type is sold out, to show the fallback to the next one.
cat >"$work/scenario.json" <<EOF
{"catalogue": {"sold_out": [{"type": "ccx33", "location": "*"}]}}
EOF
"$bin/hetzner-sim" --listen 127.0.0.1:0 --port-file "$work/sim.port" --speed 10 \
	--scenario "$work/scenario.json" ${ssh:+--boxes} >"$work/sim.log" 2>&1 &
sim_pid=$!
pids=$sim_pid
started "$work/sim.port" "$sim_pid" hetzner-sim
cloud=http://127.0.0.1:$(cat "$work/sim.port")
echo "It listens on $cloud. The server type ccx33 is sold out."
[ -z "$ssh" ] || echo "Its machines live in memory, run as an unprivileged user, and disappear with their servers."

step "4. Starting the broker"
# The simulator accepts any token. A real token goes into a file like this one.
(umask 077; echo "simulated-token-of-the-quickstart" >"$work/hetzner-token")
cat >"$work/lessord.conf" <<EOF
[server]
listen = 127.0.0.1:0
store = $work/lessor.db
providers = $build/providers
settle = 2s

[account hetzner]
provider = hetzner
locations = fsn1, nbg1
token_file = $work/hetzner-token
endpoint = $cloud/v1
poll = 500ms
EOF
sed 's/^/    /' "$work/lessord.conf"
(
	umask 077
	"$bin/lessord" token add --owner "$(id -un)" --config "$work/lessord.conf" >"$work/token"
)
"$bin/lessord" --config "$work/lessord.conf" --port-file "$work/lessord.port" \
	>"$work/lessord.log" 2>&1 &
broker_pid=$!
pids="$broker_pid $pids"
started "$work/lessord.port" "$broker_pid" lessord
LESSOR_URL=http://127.0.0.1:$(cat "$work/lessord.port")
LESSOR_TOKEN_FILE=$work/token
# Nothing of this is noted in the user's home.
XDG_STATE_HOME=$work/state
export LESSOR_URL LESSOR_TOKEN_FILE XDG_STATE_HOME
PATH=$bin:$PATH
echo "It listens on $LESSOR_URL."

if [ -n "$ssh" ]; then
	ssh-keygen -q -t ed25519 -N '' -C quickstart -f "$work/key"
else
	# A public key without a private key: any 32 bytes will do.
	printf 'ssh-ed25519 %s quickstart\n' "$({ printf '\000\000\000\013ssh-ed25519\000\000\000\040'
		head -c 32 /dev/urandom; } | base64 -w 0)" >"$work/key.pub"
fi

step "5. Creating a lease"
run lessor create --class standard --slug quickstart --ttl 1h --wait --ssh-key "$work/key.pub"
run lessor show quickstart
run lessor heartbeat quickstart
run lessor list

# Names of all resources in the simulated cloud.
there() {
	curl -fsS "$cloud/_sim/state" | tr '{' '\n' | sed -n 's/.*"name":"\([^"]*\)".*/    \1/p'
}
echo
echo "Resources in the simulated cloud:"
there

# Prints a member of the lease that is a string.
text_of() {
	lessor show --json quickstart | tr ',{' '\n' |
		sed -n "s/^ *\"$1\": *\"\([^\"]*\)\".*/\1/p" | head -n 1
}
# An ended lease cannot be found by its slug, so keep the id.
lease=$(text_of id)

visit() {
	mkdir "$work/project"
	cat >"$work/project/work.sh" <<-'EOF'
	for n in 1 2 3; do echo "working: $n"; done
	git log --oneline
	exit 3
	EOF
	git init -q "$work/project"
	git -C "$work/project" add -A
	git -C "$work/project" -c user.name=quickstart -c user.email=quickstart@example.com \
		commit -q -m "some work"
	echo "lessor run waits until the machine has booted, and accepts no other machine's host key:"
	# shellcheck disable=SC2016 # for the machine's shell
	run lessor run quickstart -- 'echo "ready: $(id -un) on $(hostname)"'
	echo
	echo "scp, rsync, editors and others find it by lessor ssh-config:"
	run lessor ssh-config quickstart
	lessor ssh-config quickstart >"$work/ssh_config"
	run rsync -a --delete -e "ssh -F $work/ssh_config" "$work/project/" quickstart:project/
	echo
	code=0
	run lessor ssh quickstart -- 'cd project && sh work.sh' || code=$?
	echo "The command exited with $code; 3 was expected."
	[ "$code" -eq 3 ]
}

if [ -n "$ssh" ]; then
	step "6. Using the machine"
	visit
	step "7. Releasing the lease"
else
	step "6. Releasing the lease"
fi
run lessor release quickstart
if [ -n "$ssh" ]; then
	! run lessor ssh "$lease" || { echo "The machine is still there." >&2; exit 1; }
fi
run lessor events "$lease"
if [ -n "$ssh" ]; then
	step "8. Running one command in a machine of its own"
	echo "lessor run creates a lease, runs the command, and releases the lease:"
	echo "some input" | run lessor run --class standard --ssh-key "$work/key.pub" -- tr a-z A-Z
fi

servers=$(curl -fsS "$cloud/_sim/state" | sed -n 's/.*"servers":\[\([^]]*\)\].*/\1/p')
if [ -n "$servers" ]; then
	echo "A server was left behind: $servers" >&2
	exit 1
fi
echo
echo "Resources in the simulated cloud:"
left=$(there)
echo "${left:-    nothing}"
case $left in
*account-mark*) echo "(the sentinel key identifies this account to lessor)" ;;
esac

step "With the real Hetzner Cloud"
cat <<EOF
1. Create a separate project and, in it, an API token with read and write permission.
2. Put the token, and nothing else, into a file with mode 0600. Write a lessord.conf like
   the one above, with token_file = FILE and without endpoint. packaging/lessord.conf
   lists every key.
3. Run lessord --check-config --config FILE, then lessord token add --owner YOU
   --config FILE, then lessord --config FILE. Save the token that it printed with
   lessor login --url http://127.0.0.1:8480, and use lessor as shown above. From here
   on, machines cost money.
EOF

if [ -n "$keep" ]; then
	step "Still running"
	cat <<-EOF
	export LESSOR_URL=$LESSOR_URL
	export LESSOR_TOKEN_FILE=$LESSOR_TOKEN_FILE
	export XDG_STATE_HOME=$XDG_STATE_HOME
	export PATH=$bin:\$PATH
	EOF
	[ -z "$ssh" ] || cat <<-EOF

	Create a lease and log in:
	lessor create --class standard --slug mine --ssh-key $work/key.pub
	lessor ssh mine
	EOF
	cat <<-EOF

	To stop everything:
	kill $broker_pid $sim_pid; rm -rf $work
	EOF
	trap - EXIT
	exit 0
fi
printf '\nDone. The broker and the simulated cloud were stopped and their files removed.\n'
