#!/bin/sh
# SPDX-License-Identifier: MIT
# mutants.sh [--quick] [--all] [--build DIR] [--jobs N] [NUMBER...]
#
# Applies the seeded defects (defects/*.patch) to a copy of the tree, one at a time, and
# shows that the tests find each. mutants.list names what finds it: unit tests, cases of
# the fault harness, a life with real programs (real.py). Without --all the first of these
# is run. A test counts if it passes without the defect, and runs and fails with it; a
# build that fails or a test that hangs does not. Exit: 0 all caught, 1 not.
#
#   --quick   only those marked in mutants.list
#   --all     everything that mutants.list names must find its defect
#   NUMBER    only these
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
# Most of a unit test's time is waiting for a disk to sync.
[ -w /dev/shm ] && export TMPDIR=/dev/shm

# What is to be shown, a line each: number, what is wrong, kind of test, its name.
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

# try KIND NAME: 0 passed, 1 failed, 2 hung, 3 did not build. Its output is in $log.
try() {
	case $1 in
	unit) set -- "$@" "$2" ;;
	cases) set -- "$@" lessor-faults hetzner ;;
	real) set -- "$@" lessord hetzner-sim hetzner ;;
	esac
	kind=$1 name=$2
	shift 2
	ninja -C "$build" -j "$jobs" "$@" >"$log" 2>&1 || return 3
	case $kind in
	unit) timeout -k 5 "$limit" "$build/tests/$name" >"$log" 2>&1 ;;
	cases)
		timeout -k 5 "$limit" "$build/tests/lessor-faults" "$build/providers/hetzner.so" \
			--only "$name" >"$log" 2>/dev/null
		;;
	real)
		LESSORD=$build/bin/lessord LESSOR_PROVIDERS=$build/providers \
			HETZNER_SIM=$build/bin/hetzner-sim \
			timeout -k 5 "$limit" python3 -B "$here/real.py" --only "$name" >"$log" 2>&1
		;;
	esac
	case $? in
	0) return 0 ;;
	124 | 137) return 2 ;;
	*) return 1 ;;
	esac
}

# The first line of the log that says why.
why() {
	line=$(grep -aE '^(\[  FAILED  \] [a-z]|FAILED |a healthy |.*:[0-9]+: .* failed: )' "$log" | head -n1 |
		sed -E 's/^(\[[^]]*\] |\/[^ ]*\/)//')
	printf '%s' "${line:-$(tail -n1 "$log")}" | cut -c1-200
}

# The copy is built, so that only what a patch touches is built anew. By contents, and with
# new times: of a file that gets its old time back ninja would keep the defective object.
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

sound=1
while IFS=$tab read -r kind name; do
	try "$kind" "$name" </dev/null && continue
	echo "without any defect: $kind $name: $(why)"
	sound=
done <<EOT
$(cut -f3- "$plan" | sort -u)
EOT
[ -n "$sound" ] || exit 1

total=0
caught=0
missed=
while IFS=$tab read -r number text kind name; do
	total=$((total + 1))
	result=3
	if apply "$number"; then
		try "$kind" "$name" </dev/null
		result=$?
	fi
	case $result in
	0) result=MISSED ;;
	1) result="caught: $(why)" caught=$((caught + 1)) ;;
	2) result=HUNG ;;
	*) result="DOES NOT BUILD: $(grep -m1 -aE 'error|FAILED' "$log")" ;;
	esac
	case $result in caught*) ;; *) missed="$missed $number" ;; esac
	echo "$number $text: $kind $name: $result"
done <"$plan"

restore
echo "mutants: $caught/$total caught in $(($(date +%s) - begun)) s${missed:+, missed:$missed}"
[ "$total" -gt 0 ] && [ "$caught" -eq "$total" ]
