#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [--build DIR]
#
# Static checks of the sources, in a minute: every rule of lint.py, the format (.clang-format) of
# all lines written since .clang-format was added, and clang-tidy (.clang-tidy) on every C file
# of the product. Exit: 0 no findings, 1 findings.
#
#   --build DIR  build directory for clang-tidy (default: build-test/lint in the source tree)
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../.." && pwd)
build=$root/build-test/lint
while [ $# -gt 0 ]; do
	case $1 in
	--build) build=$2; shift ;;
	*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
	esac
	shift
done
cd "$root"
mkdir -p "$build"
failed=

# Runs the rules in parallel: each prints its findings and a line with their count.
rules=$(sed -n 's/^[[:space:]]*foreach(rule \(.*\))$/\1/p' "$here/CMakeLists.txt")
[ -n "$rules" ] || { echo "lint: no rules found"; exit 1; }
# shellcheck disable=SC2086,SC2016 # a list; the inner shell's arguments
printf '%s\n' $rules | xargs -P 2 -I RULE sh -c '
	python3 -B "$1/lint.py" RULE "$2"
	result=$?
	[ "$result" -eq 0 ] || [ "$result" -eq 77 ]' lint "$here" "$root" || failed="$failed rules"

# Older lines are formatted when they are next changed.
since=$(git log --diff-filter=A --format=%H -- .clang-format | tail -n 1)
if [ -z "$since" ]; then
	echo "format: the history does not reach back to .clang-format; NOT CHECKED"
elif ! command -v clang-format-diff >/dev/null; then
	echo "format: clang-format is not installed; NOT CHECKED"
	failed="$failed format"
else
	# A file that has moved is not a new one.
	wrong=$(git diff -U0 -M "$since" -- 'broker/*.[ch]' 'plugins/*.[ch]' 'sdk/*.[ch]' 'tests/*.[ch]' |
		clang-format-diff -p1)
	if [ -z "$wrong" ]; then
		echo "format: as .clang-format says"
	else
		printf '%s\n' "$wrong"
		echo "format: to mend it: git diff -U0 -M $since -- '*.c' '*.h' | clang-format-diff -p1 -i"
		failed="$failed format"
	fi
fi

if ! command -v clang-tidy >/dev/null; then
	echo "clang-tidy is not installed; NOT CHECKED"
	failed="$failed clang-tidy"
else
	cmake -S "$root" -B "$build" -G Ninja -DBUILD_TESTING=OFF -DCMAKE_C_COMPILER=clang >"$build/cmake.log" 2>&1 ||
		{ cat "$build/cmake.log"; exit 1; }
	# What that build compiles; an example for authors has no command of its own.
	git ls-files -- 'broker/*.c' 'plugins/*.c' 'sdk/*.c' | while read -r file; do
		if grep -q "\"file\": \".*/$file\"" "$build/compile_commands.json"; then
			printf '%s\n' "$file"
		fi
	done >"$build/files"
	if xargs -P 2 -n 8 clang-tidy -p "$build" --quiet <"$build/files" 2>/dev/null; then
		echo "clang-tidy: $(wc -l <"$build/files") files, nothing found"
	else
		failed="$failed clang-tidy"
	fi
fi

[ -z "$failed" ] || { echo "FAILED:$failed"; exit 1; }
