#!/bin/sh
# SPDX-License-Identifier: MIT
# The long run of the fault harness: every injection point of every kind, all pairs of the
# kinds that represent their class, a fault followed by a crash at every point, and random
# seeds until the time is up. Takes hours and is not part of CI.
#
#	tests/faults/long.sh BUILD_DIR [hours-of-seeds [first-seed]]
#
# A failing case is one line in BUILD_DIR/faults-*.log; README.md explains how to rerun it.
set -eu

build=${1:?usage: long.sh BUILD_DIR [hours-of-seeds [first-seed]]}
hours=${2:-1}
seed=${3:-$(date +%s)}
faults=$build/tests/lessor-faults
plugin=$(cd "$build" && pwd)/providers/hetzner.so
failed=0

# run NAME OPTIONS...: runs the harness in two parallel shards.
run() {
	name=$1
	shift
	"$faults" "$plugin" --shard 0/2 "$@" >"$build/faults-$name-0.log" 2>&1 &
	other=$!
	"$faults" "$plugin" --shard 1/2 "$@" >"$build/faults-$name-1.log" 2>&1 || failed=1
	wait "$other" || failed=1
	tail -qn 1 "$build/faults-$name-0.log" "$build/faults-$name-1.log"
}

run all --thin 0
run pairs --no-singles --pairs 1
end=$(($(date +%s) + hours * 3600))
while [ "$(date +%s)" -lt "$end" ]; do
	run "seeds-$seed" --no-singles --seeds "$seed-$((seed + 20000))"
	seed=$((seed + 20000))
done
[ "$failed" -eq 0 ] || { grep -h ^FAILED "$build"/faults-*.log | sort -u | head -n 50; exit 1; }
