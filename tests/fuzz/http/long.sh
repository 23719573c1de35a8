#!/bin/sh
# SPDX-License-Identifier: MIT
# The long run, not part of CI: a million mutations against h11 and Node's llhttp, then
# the libFuzzer target for an hour. Needs clang, python3-h11 and node.
#
#	tests/fuzz/http/long.sh BUILD_DIR [mutations [seconds [seed]]]
#
# BUILD_DIR is created if it does not exist. New inputs go to BUILD_DIR/http-corpus, inputs that
# cause a difference or a crash to BUILD_DIR/http-found.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: long.sh BUILD_DIR [mutations [seconds [seed]]]}
mutations=${2:-1000000}
seconds=${3:-3600}
seed=${4:-1}
node=$(command -v node || command -v nodejs || true)

CC=clang cmake -S "$here/../../.." -B "$build" -DLESSOR_FUZZ=ON -DLESSOR_SANITIZE=address,undefined
cmake --build "$build" --target http-parse-dump --target fuzz-http-parser -j 2
mkdir -p "$build/http-corpus" "$build/http-found"

/usr/bin/python3 "$here/differential.py" --dump "$build/tests/http-parse-dump" \
	${node:+--node "$node"} --mutations "$mutations" --seed "$seed" \
	--keep "$build/http-found" "$here/corpus"
"$build/tests/fuzz-http-parser" -max_total_time="$seconds" -max_len=70000 -timeout=10 \
	-dict="$here/http.dict" -artifact_prefix="$build/http-found/" \
	"$build/http-corpus" "$here/corpus"
