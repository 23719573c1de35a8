#!/bin/sh
# SPDX-License-Identifier: MIT
# Lints the sources (lint/run.sh), then builds and tests everything three times: plain with
# warnings as errors, with the address and undefined-behaviour sanitizers, and the threaded
# tests with the thread sanitizer. Installs missing packages if permitted. If none are missing, only
# tests with packages from the Python package index (venv.sh) need the network, once. Exits 0 only if
# every test of every build passed. Prints skipped tests.
# If the crabbox CLI ($CRABBOX, or on PATH) or Go to build it is installed, also tests that CLI end
# to end, and prints a notice if that test did not run.
set -u

usage() {
	cat <<-EOF
	usage: sh tests/run.sh [--build DIR] [--only plain|asan|tsan]

	  --build DIR  build directory, created if missing (default: build-test in the source tree)
	  --only NAME  run only this one of the three builds
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
base=$root/build-test
only=

while [ $# -gt 0 ]; do
	case $1 in
	--build)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		base=$2
		shift
		;;
	--only)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		only=$2
		shift
		;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
case $only in '' | plain | asan | tsan) ;; *) usage >&2; exit 2 ;; esac

# lessord refuses plugins that other users may write to.
umask 022
# shellcheck source=packaging/packages.sh
. "$root/packaging/packages.sh"
# shellcheck disable=SC2086
packages_install $packages_build $packages_test $packages_boxes $packages_storm || exit 1

jobs=-j2
failed=
# Tests that run threads, or programs with threads: run under the thread sanitizer.
threaded='^(test-api|test-engine(-core|-fleet|-life|-losses|-turns)?$|test-daemon|test-provider|test-http|test-store|test-hetzner'
threaded="$threaded|test-static-race|test-util-env|test-util-log"
threaded="$threaded|api-contract$|api-crabbox_[a-z]*$|api-daemons|api-doctor$|api-events$|api-tokens$|api-two-daemons|api-hostile|cli-life|kill-calls)"
# Rows on PostgreSQL, read and written by one thread: test-store-postgres and -shard have more.
single='^test-store-(move|((events|ledger|lists|runs|share|start)-)?postgresql)$'

# NAME CTEST-REGEX CTEST-REGEX-NOT CMAKE-OPTIONS...
one() {
	name=$1 regex=$2 but=$3
	shift 3
	[ -z "$only" ] || [ "$only" = "$name" ] || return 0
	dir=$base/$name
	echo
	echo "== $name: building in $dir"
	started=$(date +%s)
	generator=
	[ -e "$dir/CMakeCache.txt" ] || generator=-GNinja
	# shellcheck disable=SC2086
	if ! cmake -S "$root" -B "$dir" $generator -DBUILD_TESTING=ON "$@" >"$base/$name.log" 2>&1 ||
		! cmake --build "$dir" $jobs >>"$base/$name.log" 2>&1; then
		# ninja prints errors in the middle of its other output.
		grep -nE 'error|warning|FAILED|undefined reference' -A 6 "$base/$name.log" | head -n 120
		tail -n 15 "$base/$name.log"
		echo "== $name: DOES NOT BUILD"
		failed="$failed $name"
		return 0
	fi
	built=$(date +%s)
	echo "== $name: built in $((built - started)) s, testing"
	ctest --test-dir "$dir" $jobs --output-on-failure --no-tests=error \
		${regex:+-R "$regex"} ${but:+-E "$but"} ||
		failed="$failed $name"
	echo "== $name: tested in $(($(date +%s) - built)) s"
}

mkdir -p "$base" || exit 1
# Packages from the Python package index are installed once, not for each build (venv.sh).
LESSOR_VENVS=$(CDPATH='' cd -- "$base" && pwd)/venvs
export LESSOR_VENVS
if [ -z "$only" ]; then
	echo
	echo "== lint"
	started=$(date +%s)
	sh "$here/lint/run.sh" --build "$base/lint" || failed="$failed lint"
	echo "== lint: $(($(date +%s) - started)) s"
fi
one plain '' '' -DLESSOR_WERROR=ON -DLESSOR_CRASH_POINTS=ON
ASAN_OPTIONS=detect_leaks=1:abort_on_error=0:allocator_may_return_null=1
UBSAN_OPTIONS=print_stacktrace=1
TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
export ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS
# The fault harness's thousands of simulated lives would be too slow under sanitizers. Of the API's
# tests on PostgreSQL some suffice: the others (7 of 9 minutes, none of them found anything)
# go through the same code, and test-store-*-postgresql has all its statements.
# The page's tests are about the browser; what serves it is in api-page.
slow='^(faults-[0-9]|storm-|page-|bench-history'
slow="$slow|api-(create|crabbox.*|doctor|limits|lists|money|pool|queue|retention|tokens)-postgresql$)"
one asan '' "$slow" -DLESSOR_WERROR=ON -DLESSOR_SANITIZE=address,undefined -DCMAKE_BUILD_TYPE=Debug
one tsan "$threaded" "$single" -DLESSOR_WERROR=ON -DLESSOR_SANITIZE=thread

if [ -z "$only" ] && { [ -n "${CRABBOX:-}" ] || command -v crabbox || command -v go || [ -x /usr/local/go/bin/go ]; } \
	>/dev/null; then
	echo
	echo "== crabbox: the unmodified CLI against the plain build"
	sh "$here/e2e/crabbox.sh" "$base/plain"
	case $? in
	0) ;;
	77) echo "== crabbox: DID NOT RUN, which is not a pass; the tests above covered its recorded exchanges." ;;
	*) failed="$failed crabbox" ;;
	esac
fi

echo
if [ -n "$failed" ]; then
	echo "FAILED:$failed"
	exit 1
fi
echo "All builds and tests passed."
