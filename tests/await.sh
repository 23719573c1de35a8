# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Waiting for what another process does and offers no event for. Sourced; the only place in
# these scripts that sleeps.

# A deadline, in seconds, for what is only ever late when it has failed.
# shellcheck disable=SC2034
patience=60

# await SECONDS COMMAND...: runs it until it succeeds; 1 if it has not by then.
await() {
	await_end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$await_end" ] || return 1
		sleep 0.05
	done
}

# await_file FILE PID: until the program has written its file; 1 if it ended before.
await_file() {
	await "$patience" await_file_or_end "$@" && [ -s "$1" ]
}
await_file_or_end() { [ -s "$1" ] || ! kill -0 "$2" 2>/dev/null; }
