# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154
# What quickstart.sh and two-daemons.sh share: building, messages, waiting for programs, and an end
# that leaves nothing running. They set `here` (this directory), `root` (the source tree) and
# `build` (the build directory) and source this.

# It is named in configurations, which take no other paths.
case $build in /*) ;; *) build=$PWD/$build ;; esac
# lessord refuses to load providers that other users can write.
umask 022
# shellcheck source=packaging/packages.sh
. "$here/packages.sh"
# shellcheck source=tests/await.sh
. "$root/tests/await.sh"

if [ -t 1 ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
	bold='' plain=''
fi
step() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }

work= # a private directory, which is removed at the end
pids= # of the programs that run, the latest first

# Only what the script started, by process id.
stop() {
	[ -z "$1" ] || ! kill "$1" 2>/dev/null || wait "$1" 2>/dev/null || true
}
# What else is to be ended; a script that needs it defines it anew.
finish() { :; }
cleanup() {
	code=$?
	trap - EXIT
	if [ "$code" -ne 0 ] && [ -n "$work" ]; then
		for log in "$work"/*.log; do
			[ ! -s "$log" ] || { echo "--- last lines of $log:"; tail -n 15 "$log"; } >&2
		done
	fi
	for pid in $pids; do
		stop "$pid"
	done
	finish
	[ -z "$work" ] || rm -rf -- "$work"
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Waits for the file that a program writes when it is ready: FILE PID NAME
started() {
	await_file "$1" "$2" || { echo "$3 did not start" >&2; exit 1; }
}

# Steps 1 and 2: PACKAGES TARGETS, two lists.
install_and_build() {
	step "1. Installing build dependencies"
	# shellcheck disable=SC2086
	packages_install $1
	echo "All build dependencies are installed."

	step "2. Building in $build"
	generator=
	[ -e "$build/CMakeCache.txt" ] || ! command -v ninja >/dev/null || generator=-GNinja
	# shellcheck disable=SC2086
	cmake -S "$root" -B "$build" $generator -DBUILD_TESTING=ON >"$build.log" 2>&1 ||
		{ tail -n 20 "$build.log" >&2; exit 1; }
	# shellcheck disable=SC2086
	cmake --build "$build" --parallel "$(nproc)" --target $2 >"$build.log" 2>&1 ||
		{ tail -n 30 "$build.log" >&2; exit 1; }
	rm -f -- "$build.log"
}

work_make() {
	work=$(mktemp -d)
	chmod 700 "$work"
}
