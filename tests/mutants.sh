#!/bin/sh
# SPDX-License-Identifier: MIT
# mutants.sh [--build DIR] [--since REVISION] [--seed N] [--count N] [--minutes N]
#            [--again LOG] [FILE|FOLDER...]
#
# Draws N random mutants (negated conditions, swapped comparisons and logic, deleted
# statements, changed returns and constants) of the given C files, or of those that differ
# from a revision, tests each in a copy of the tree, and prints those that the unit tests of
# the room, and of the rooms that use it, do not detect. The same seed draws the same mutants
# from the same sources; --again tests only those that survived according to LOG.
#
#   sh tests/mutants.sh broker/lease            # forty mutants of a room
#   sh tests/mutants.sh --since main --count 20 # of a change
#
# Exit: 0 all detected, 1 not, 2 error.
set -fu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=${TMPDIR:-/tmp}/lessor-random-mutants
since=
options=
files=

usage() {
	sed -n '3,/^set/s/^# \{0,1\}//p' "$0" | sed '/^set/d'
	exit 2
}

while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$2; shift ;;
	--since) since=$2; shift ;;
	--seed | --count | --minutes | --again) options="$options $1 $2"; shift ;;
	-*) usage ;;
	*) files="$files $(cd "$root" && find "$1" -name '*.c')" ;;
	esac
	shift
done
[ -z "$since" ] || files="$files $(git -C "$root" diff --name-only --diff-filter=d "$since" -- \
	'broker/*.c' 'plugins/*.c' 'sdk/sim/*.c')"
[ -n "$(echo "$files" | tr -d ' \n')" ] || usage

mkdir -p "$build/tree" || exit 2
rsync -rlp --checksum --delete --exclude .git --exclude '/build*' "$root/" "$build/tree/" || exit 2
launcher=
command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
# Without debug information, which differs between mutants that compile to the same code.
cmake -S "$build/tree" -B "$build/build" -G Ninja -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS=-O1 \
	-DLESSOR_CRASH_POINTS=ON $launcher >"$build/log" 2>&1 || { tail -n 20 "$build/log"; exit 2; }
# Unit tests spend most of their time waiting for the disk to sync.
[ -w /dev/shm ] && export TMPDIR=/dev/shm
# shellcheck disable=SC2086 # lists
exec python3 -B "$here/mutants.py" $options "$build/tree" "$build/build" $files
