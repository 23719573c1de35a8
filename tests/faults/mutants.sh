#!/bin/sh
# SPDX-License-Identifier: MIT
# mutants.sh [--quick] [--all] [--build DIR] [--jobs N] [NUMBER...]
#
# Applies the seeded defects (defects/*.patch) to a copy of the tree, one at a time, and
# checks that the tests detect each. mutants.list names these tests: unit tests, cases of
# the fault harness, a life with real programs (real.py). Without --all, only the first one
# runs. A test detects a defect if it passes without the defect and fails with it; a failed
# build or a test that hangs does not count. Exit: 0 all detected, 1 not.
#
#   --quick   only the defects marked in mutants.list
#   --all     every test that mutants.list names must detect its defect
#   NUMBER    only these defects
set -fu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=${TMPDIR:-/tmp}/lessor-mutants
jobs=2
quick=
all=
numbers=
limit=${MUTANTS_LIMIT:-120}

while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 ;;
	--all) all=1 ;;
	--build) build=$2; shift ;;
	--jobs) jobs=$2; shift ;;
	-*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
	*) numbers="$numbers $1" ;;
	esac
	shift
done
mkdir -p "$build/tree" || exit 1
build=$(cd "$build" && pwd)
tree=$build/tree
log=$build/mutant.log
plan=$build/mutant.plan
tab=$(printf '\t')
# Where tests that open a PostgreSQL database find its module.
export LESSOR_MODULES="$build/modules"
# Unit tests spend most of their time waiting for the disk to sync.
[ -w /dev/shm ] && export TMPDIR=/dev/shm

# The plan, one line per test: defect number, description, kind of test, name of the test.
awk -F '\t' -v quick="$quick" -v all="$all" -v numbers="$numbers " '
	function plan(kind, name) {
		if (name == "" || name == "-" || (done && !all))
			return
		print number "\t" $2 "\t" kind "\t" name
		done = 1
	}
	/^#/ || !NF { next }
	{
		number = $1
		marked = sub(/\*$/, "", number)
		done = 0
	}
	(quick && !marked) || (numbers != " " && !index(numbers, " " number " ")) { next }
	{
		count = split($3, tests, " ")
		for (i = 1; i <= count; i++)
			plan("unit", tests[i])
		plan("cases", $4)
		plan("real", $5)
	}
' "$here/mutants.list" >"$plan"
[ -s "$plan" ] || { echo "mutants: no such defect" >&2; exit 2; }

# Prints the first line of the log that gives the reason for the failure.
why() {
	line=$(grep -aE '^(\[  FAILED  \] [a-z]|FAILED |a healthy |.*:[0-9]+: .* failed: )' "$log" | head -n1 |
		sed -E 's/^(\[[^]]*\] |\/[^ ]*\/)//')
	printf '%s' "${line:-$(tail -n1 "$log")}" | cut -c1-200
}

# try KIND NAME: builds and runs the test; $verdict is "passed", "failed: WHY" or an error.
try() {
	case $1 in
	unit) targets=$2 ;;
	cases) targets="lessor-faults hetzner" ;;
	real) targets="lessord hetzner-sim hetzner" ;;
	esac
	# shellcheck disable=SC2086 # a list
	if ! ninja -C "$build" -j "$jobs" $targets >"$log" 2>&1; then
		verdict="DOES NOT BUILD: $(grep -m1 -aE 'error|FAILED' "$log")"
		return
	fi
	case $1 in
	unit) timeout -k 5 "$limit" "$build/tests/$2" >"$log" 2>&1 ;;
	cases)
		timeout -k 5 "$limit" "$build/tests/lessor-faults" "$build/providers/hetzner.so" \
			--only "$2" >"$log" 2>/dev/null
		;;
	real)
		LESSORD=$build/bin/lessord LESSOR_PROVIDERS=$build/providers \
			HETZNER_SIM=$build/bin/hetzner-sim \
			timeout -k 5 "$limit" python3 -B "$here/real.py" --only "$2" >"$log" 2>&1
		;;
	esac
	case $? in
	0) verdict=passed ;;
	124 | 137) verdict="HUNG for $limit s" ;;
	*) verdict="failed: $(why)" ;;
	esac
}

# Only files that a patch touches are rebuilt. Files are compared by content and get new
# times: if a file got its old time back, ninja would keep the defective object.
applied=
restore() {
	rsync -rlp --checksum --delete --exclude .git --exclude '/build*' "$root/" "$tree/" || exit 1
	applied=
}

# apply NUMBER
apply() {
	[ "$applied" != "$1" ] || return 0
	restore
	patch=$(find "$here/defects" -name "$(printf '%02d' "$1")-*.patch")
	patch -d "$tree" -p1 --fuzz=0 -s -f -i "$patch" >"$log" 2>&1 && applied=$1
}

restore
begun=$(date +%s)
if ! cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DLESSOR_WERROR=ON \
	>"$log" 2>&1; then
	tail -n 20 "$log"
	exit 1
fi

# A test that fails without a defect cannot detect one.
unsound=$build/mutant.unsound
: >"$unsound"
while IFS=$tab read -r kind name; do
	try "$kind" "$name" </dev/null
	[ "$verdict" = passed ] && continue
	echo "without a defect: $kind $name: $verdict"
	printf '%s\t%s\n' "$kind" "$name" >>"$unsound"
done <<EOT
$(cut -f3- "$plan" | sort -u)
EOT

total=0
caught=0
missed=
while IFS=$tab read -r number text kind name; do
	total=$((total + 1))
	if grep -qxF "$kind$tab$name" "$unsound"; then
		verdict="NO TEST: it also fails without the defect"
	elif apply "$number"; then
		try "$kind" "$name" </dev/null
		[ "$verdict" != passed ] || verdict=MISSED
	else
		verdict="DOES NOT APPLY"
	fi
	case $verdict in
	failed:*) verdict="detected: ${verdict#failed: }" caught=$((caught + 1)) ;;
	*) missed="$missed $number" ;;
	esac
	echo "$number $text: $kind $name: $verdict"
done <"$plan"

restore
echo "mutants: $caught/$total detected in $(($(date +%s) - begun)) s${missed:+, missed:$missed}"
[ "$total" -gt 0 ] && [ "$caught" -eq "$total" ]
