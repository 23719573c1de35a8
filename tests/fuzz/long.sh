#!/bin/sh
# SPDX-License-Identifier: MIT
# The long run of every fuzz target except the HTTP parser's, which has its own
# (http/long.sh). Not part of CI. Needs clang.
#
#	tests/fuzz/long.sh BUILD_DIR [seconds-per-target [target...]]
#
# BUILD_DIR is created if it does not exist. New inputs go to BUILD_DIR/TARGET-corpus, failing
# inputs to BUILD_DIR/found. Commit a failing input with its fix to the target's corpus folder,
# under a name that describes the failure.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: long.sh BUILD_DIR [seconds-per-target [target...]]}
seconds=${2:-3600}
if [ $# -lt 2 ]; then shift; else shift 2; fi
targets=${*:-answers bodies database engine}

CC=clang cmake -S "$here/../.." -B "$build" -DLESSOR_FUZZ=ON -DLESSOR_SANITIZE=address,undefined
mkdir -p "$build/found"
failed=
for target in $targets; do
	cmake --build "$build" --target "fuzz-$target" -j 2
	mkdir -p "$build/$target-corpus"
	"$build/tests/fuzz-$target" -max_total_time="$seconds" -max_len=4096 -timeout=60 \
		-rss_limit_mb=4096 -artifact_prefix="$build/found/$target-" \
		"$build/$target-corpus" "$here/$target/corpus" || failed="$failed $target"
done
[ -z "$failed" ] || { echo "FAILED:$failed"; exit 1; }
