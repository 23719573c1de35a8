#!/bin/sh
# SPDX-License-Identifier: MIT
# storm.sh [BUILD] [ROUNDS] [OPTION...]
#
# The long storm: ROUNDS (12) storms of ten minutes each against the programs of a build directory,
# each with another seed, every other one with a database that has no standby. OPTIONs are those of
# storm/storm.py. What explains a violation is kept in BUILD/storm-SEED. ctest -R storm runs a
# slice. Exit: 0 nothing found, 1 a violation.
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
export LESSORD LESSOR_PROVIDERS HETZNER_SIM LESSOR_MODULES

result=0
first=$(date +%s)
round=0
while [ "$round" -lt "$rounds" ]; do
	seed=$((first + round))
	alone=
	[ $((round % 2)) -eq 0 ] || alone=--alone
	echo "== seed $seed $alone"
	python3 -B "$here/storm/storm.py" --seconds 600 --settle 600 --seed "$seed" \
		--keep "$build/storm-$seed" $alone "$@"
	case $? in
	0) ;;
	77) exit 77 ;;
	*) result=1 ;;
	esac
	round=$((round + 1))
done
exit "$result"
