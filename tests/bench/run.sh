#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints figures of speed and size, and a table that compares them with the goals. Not a test:
# nothing here passes or fails. Usage: sh tests/bench/run.sh [BUILD-DIR [PART...]], as in run.py.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${1:-$top/build/bench}
[ $# -eq 0 ] || shift
need=
for tool in wrk cmake ninja; do
	command -v "$tool" >/dev/null || need="$need $tool"
done
if [ -n "$need" ]; then
	# The packages have the names of the programs, except for ninja.
	packages=$(echo "$need" | sed 's/ninja/ninja-build/')
	# shellcheck disable=SC2086
	apt-get install -y $packages
fi
cmake -S "$top" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLESSOR_WERROR=OFF >/dev/null
ninja --quiet -C "$build"
exec /usr/bin/python3 -B "$top/tests/bench/run.py" "$build" "$@"
