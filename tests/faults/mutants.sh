#!/bin/sh
# SPDX-License-Identifier: MIT
# mutants.sh [--quick] [--build DIR] [--jobs N] [NUMBER...]
#
# Puts the seeded defects into the code, one after the other, and shows that the tests
# find each. A defect is a patch in defects/, applied to a copy of the tree, or a switch in
# the code. The tests are the fault harness, over a sample of its cases or, where
# mutants.list says so, real programs (real.py); and the unit tests. Only a test that ran
# and failed counts; a build that fails or a test that hangs does not. Prints for each what
# caught it, the harness or a test, and how many each caught. Exit: 0 all caught, 1 not.
#
#   --quick   those marked in mutants.list, each until its first failing test
#   NUMBER    only these
set -u

here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
build=${TMPDIR:-/tmp}/lessor-mutants
jobs=2
quick=
numbers=
# One case in so many, twice, and so many seconds for each.
sample=${MUTANTS_SAMPLE:-97}
seconds=${MUTANTS_SECONDS:-30}
limit=${MUTANTS_LIMIT:-120}
units="test-core test-promises test-sweep test-transition test-retention test-attention test-due
test-ledger test-resource test-absence test-generation test-limits
test-hetzner-error test-hetzner-parse test-hetzner-life test-hetzner-trouble test-hetzner-delete
test-hetzner-keep test-hetzner-account test-provider-call test-provider-evidence test-provider-absence
test-provider-permits test-provider-share test-provider-options test-provider-http test-schedule
test-store test-store-shape test-store-file"

while [ $# -gt 0 ]; do
	case $1 in
	--quick) quick=1 ;;
	--build) build=$2; shift ;;
	--jobs) jobs=$2; shift ;;
	-*) sed -n '3,/^set/s/^# \{0,1\}//p' "$0"; exit 2 ;;
	*) numbers="$numbers $1" ;;
	esac
	shift
done
mkdir -p "$build" || exit 1
build=$(cd "$build" && pwd)
shards="7 $((sample - 9))"
[ -n "$quick" ] && shards=7 seconds=15
log=$build/mutant.log
# Most of a unit test's time is waiting for a disk to sync.
[ -w /dev/shm ] && export TMPDIR=/dev/shm
known=$build/mutant.known
: >"$known"
pipe=$build/mutant.pipe
rm -f "$pipe"
mkfifo "$pipe" || exit 1

# The copy of the tree that patches are applied to is what is built; it is as the tree is
# while no patch is. Its files keep their times, so that only what a patch touches is built anew.
tree=$build/tree
applied=

tree_restore() {
	[ -z "$applied" ] || patch -d "$tree" -p1 -R -s <"$applied" || exit 1
	applied=
}

# make NUMBER [REAL]: builds the tests with that defect, and the programs; 0 is none.
make() {
	switch=$1
	tree_restore
	for patch in "$here/defects/$1"-*.patch; do
		[ -e "$patch" ] || continue
		patch -d "$tree" -p1 -s <"$patch" >"$log" 2>&1 || return 1
		applied=$patch
		switch=0
	done
	# shellcheck disable=SC2086 # a list of targets
	cmake -S "$tree" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 \
		-DLESSOR_DEFECT="$switch" >"$log" 2>&1 &&
		ninja -C "$build" -j "$jobs" lessor-faults hetzner ${2:+lessord hetzner-sim} \
			$units >"$log" 2>&1
}

# run COMMAND...: 0 passed, 1 failed, 2 hung. Its output is in $log.
run() {
	timeout -k 5 "$limit" "$@" >"$log" 2>&1
	case $? in
	0) return 0 ;;
	124 | 137) return 2 ;;
	*) return 1 ;;
	esac
}

# What failed first, in one line, that does not fail without a defect, too.
first() {
	grep -aE '^(FAILED |a healthy |\[  FAILED  \] [a-z])' "$log" | sed 's/^.*\] //' |
		grep -vxFf "$known" | head -n1
}

# faults SECONDS [CASES]: those of the harness's cases, then samples of all, each for so
# long at most, until one fails.
faults() {
	for which in ${2:+"--only=$2"} $shards; do
		case $which in
		--only=*) set -- "$1" --only "${which#--only=}" ;;
		*) set -- "$1" --shard "$which/$sample" ;;
		esac
		: >"$log"
		timeout -k 1 "$1" stdbuf -oL "$build/tests/lessor-faults" \
			"$build/providers/hetzner.so" "$2" "$3" >"$pipe" 2>&1 &
		child=$!
		# Line by line, so that it ends with the first failure.
		while IFS= read -r line; do
			printf '%s\n' "$line" >>"$log"
			case $line in
			'FAILED '* | 'a healthy '*) [ -n "$(first)" ] && kill "$child" 2>/dev/null ;;
			esac
		done <"$pipe"
		wait "$child"
		code=$?
		why=$(first)
		# 1 and no such line: what fails without a defect. 124: the time is over.
		case ${why:+line}$code in
		0 | 1 | 124 | 137) continue ;;
		line*) why="harness: $why" ;;
		*) why="harness: $(tail -n1 "$log")" ;;
		esac
		return 0
	done
	return 1
}

# real CASE: one life of the real lessord with the real simulator.
real() {
	LESSORD=$build/bin/lessord LESSOR_PROVIDERS=$build/providers \
		HETZNER_SIM=$build/bin/hetzner-sim \
		run python3 -B "$here/real.py" --only "$1"
	[ $? -eq 1 ] || return 1
	why="harness: real.py $(grep -am1 "^$1" "$log" | cut -c1-160)"
}

# unit [TEST...]: those first, and the others only if these find nothing.
unit() {
	# shellcheck disable=SC2086 # a list
	for test in "$@" $(printf '%s\n' $units | grep -vxF -e "$(printf '%s\n' . "$@")"); do
		run "$build/tests/$test"
		case $? in
		1)
			why=$(first)
			# What fails without a defect, too, finds none.
			[ -z "$why" ] && grep -qa '^\[  FAILED  \] ' "$log" && continue
			why="$test: ${why:-$(tail -n1 "$log")}"
			return 0
			;;
		2) hung="$hung $test" ;;
		esac
	done
	return 1
}

mkdir -p "$tree" || exit 1
rsync -a --delete --exclude .git --exclude '/build*' "$source/" "$tree/" || exit 1
begun=$(date +%s)
whole=real
[ -n "$quick" ] && whole=
if ! make 0 "$whole"; then
	tail -n 20 "$log"
	echo "mutants: the tree does not build"
	exit 1
fi
# What fails without a defect finds none.
hung=
for shard in $shards; do
	timeout -k 1 "$((seconds * 4))" stdbuf -oL "$build/tests/lessor-faults" \
		"$build/providers/hetzner.so" --shard "$shard/$sample" >"$log" 2>&1
	case $? in
	0 | 1 | 124) grep -aE '^FAILED ' "$log" | tee -a "$known" ;;
	*) hung="lessor-faults" ;;
	esac
done
while [ -z "$quick" ] && [ -z "$hung" ] && unit; do
	echo "without any defect: $why"
	grep -aE '^\[  FAILED  \] [a-z]' "$log" | sed 's/^.*\] //' >>"$known"
	grep -qa '^\[  FAILED  \] [a-z]' "$log" || hung=${why%%:*}
done
tab=$(printf '\t')
for lives in ${whole:+$(grep -v '^#' "$here/mutants.list" | cut -sf5 | sort -u | tr ' ' +)}; do
	real "$(echo "$lives" | tr + ' ')" && hung="$hung $why"
done
if [ -n "$hung" ]; then
	echo "mutants: without any defect: hung or died:$hung"
	exit 1
fi

total=0
caught=0
by_harness=0
by_unit=
missed=
while IFS=$tab read -r number text first_tests cases lives; do
	case $number in
	\#* | '') continue ;;
	*\**) number=${number%\*} ;;
	*) [ -n "$quick" ] && continue ;;
	esac
	case " $numbers " in
	"  " | *" $number "*) ;;
	*) continue ;;
	esac
	total=$((total + 1))
	if ! make "$number" "$lives"; then
		tree_restore
		grep -m1 -E 'error|FAILED' "$log"
		echo "$number $text: DOES NOT BUILD"
		missed="$missed $number"
		continue
	fi
	hung=
	by=
	if { [ -n "$lives" ] && real "$lives"; } || faults "$seconds" "${cases#-}"; then
		by=$why
		by_harness=$((by_harness + 1))
	fi
	if [ -z "$by" ] || [ -z "$quick" ]; then
		# shellcheck disable=SC2086 # a list
		unit $first_tests && by="${by:+$by; }$why"
	fi
	if [ -n "$by" ]; then
		caught=$((caught + 1))
		case $by in harness:*) ;; *) by_unit="$by_unit $number" ;; esac
		echo "$number $text: caught by $by"
	else
		missed="$missed $number"
		echo "$number $text: MISSED${hung:+, hung:$hung}"
	fi
done <"$here/mutants.list"

tree_restore
echo "mutants: $caught/$total caught in $(($(date +%s) - begun)) s${missed:+, missed:$missed}"
echo "mutants: $by_harness by the harness, $((caught - by_harness)) by a unit test only${by_unit:+:$by_unit}"
[ "$total" -gt 0 ] && [ "$caught" -eq "$total" ]
