#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh [--build DIR]
#
# Builds with gcov, runs the fast tests (units, API, CLI, corpora: no simulated lives, no crash
# points) and prints the share of each room's lines and branches that they execute. BUG_ON and
# abort() lines, such as those after a failed allocation, are excluded: no test can reach them.
# Not a test; the full report is in DIR/coverage.html.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
build=$root/build-test/coverage
while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$2; shift ;;
	*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
	esac
	shift
done
# shellcheck source=packaging/packages.sh
. "$root/packaging/packages.sh"
# shellcheck disable=SC2086
packages_install $packages_build $packages_test gcovr

cmake -S "$root" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
	-DCMAKE_C_FLAGS="--coverage -O0 -fprofile-update=atomic" >"$build.log" 2>&1 ||
	{ tail -n 20 "$build.log"; exit 1; }
ninja --quiet -C "$build"
find "$build" -name '*.gcda' -delete
# Notes of files that are no longer part of the build contradict those of their successors.
ninja --quiet -C "$build" -t cleandead
find "$build" -name '*.gcno' | while read -r notes; do
	[ -e "${notes%.gcno}.o" ] || rm -f "$notes"
done
ctest --test-dir "$build" -j2 -E '^(faults|kill|model|explore|bench|lint|packages|docs|sdk-install)' ||
	echo "coverage: some tests failed; the figures cover only what ran"

report() {
	gcovr --root "$root" "$build" --exclude-throw-branches --exclude-unreachable-branches \
		--exclude-lines-by-pattern '.*(BUG_ON|abort\(\)).*' \
		--exclude-branches-by-pattern '.*(BUG_ON|abort\(\)).*' \
		--gcov-ignore-parse-errors "$@"
}
report --filter "$root/(broker|plugins|sdk)/" --html-details "$build/coverage.html" --json "$build/coverage.json" \
	>/dev/null
printf '%-28s %7s %9s\n' room lines branches
for room in "$root"/broker/*/ "$root"/plugins/*/ "$root"/sdk/check/ "$root"/sdk/loader/ "$root"/sdk/sim/ total; do
	case $room in
	total) filter="$root/(broker|plugins|sdk)/" ;;
	*) filter=$room ;;
	esac
	summary=$(report --add-tracefile "$build/coverage.json" --filter "$filter" --print-summary 2>/dev/null |
		sed -n 's/^\(lines\|branches\): \([0-9.]*%\).*/\2/p' | tr '\n' ' ')
	# shellcheck disable=SC2086 # two numbers
	set -- $summary
	[ $# -eq 2 ] || continue
	printf '%-28s %7s %9s\n' "${room#"$root"/}" "$1" "$2"
done
