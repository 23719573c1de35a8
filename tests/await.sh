# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Waits for another process by polling, where no event is available. Sourced; the only place
# in these scripts that sleeps.

# A deadline, in seconds, for operations that miss it only if they have failed.
# shellcheck disable=SC2034
patience=60

# await SECONDS COMMAND...: repeats the command until it succeeds; returns 1 after SECONDS.
await() {
	await_end=$(($(date +%s) + $1))
	shift
	until "$@"; do
		[ "$(date +%s)" -lt "$await_end" ] || return 1
		sleep 0.05
	done
}

# await_file FILE PID: waits until the program has written FILE; returns 1 if it exits first.
await_file() {
	await "$patience" await_file_or_end "$@" && [ -s "$1" ]
}
await_file_or_end() { [ -s "$1" ] || ! kill -0 "$2" 2>/dev/null; }
