#!/bin/sh
# SPDX-License-Identifier: MIT
# storm.sh [BUILD] [ROUNDS] [OPTION...]
#
# The long storm: ROUNDS (12) storms of ten minutes each against the programs of a build directory,
# each with another seed: by turns with all kinds of faults, without restores of an older database,
# and without either these or a standby. OPTIONs are those of storm/storm.py. What explains a
# violation is kept in BUILD/storm-SEED, the figures of all in BUILD/storm-FIRST-SEED.figures.
# ctest -L storm runs a slice. Exit: 0 nothing found, 1 a violation, 2 the harness failed.
set -u

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
build=${1:-$here/../../build-test/plain}
rounds=${2:-12}
[ $# -lt 1 ] || shift
[ $# -lt 1 ] || shift
build=$(CDPATH='' cd -- "$build" && pwd) || exit 2

LESSORD=$build/bin/lessord
LESSOR_PROVIDERS=$build/providers
HETZNER_SIM=$build/bin/hetzner-sim
LESSOR_MODULES=${LESSOR_MODULES:-$build/modules}
LESSOR_SKEW=${LESSOR_SKEW-$build/tests/test-skew.so}
export LESSORD LESSOR_PROVIDERS HETZNER_SIM LESSOR_MODULES LESSOR_SKEW

some=kill,stop,leave,clock,database_cut,cloud_cut,commit,rolling
result=0
first=$(date +%s)
figures=$build/storm-$first.figures
round=0
while [ "$round" -lt "$rounds" ]; do
	seed=$((first + round))
	case $((round % 3)) in
	0) kind="--faults $some,failover,restore" ;;
	1) kind="--faults $some,failover" ;;
	*) kind="--faults $some --alone" ;;
	esac
	echo "== seed $seed $kind"
	# shellcheck disable=SC2086 # options
	python3 -B "$here/storm/storm.py" --seconds 600 --settle 600 --seed "$seed" \
		--keep "$build/storm-$seed" --figures "$figures" $kind "$@"
	case $? in
	0) ;;
	77) exit 77 ;;
	1) result=1 ;;
	*) [ "$result" -ne 0 ] || result=2 ;;
	esac
	round=$((round + 1))
done
[ ! -s "$figures" ] || python3 -B "$here/storm/figures.py" "$figures"
exit "$result"
