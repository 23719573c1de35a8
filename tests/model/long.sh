#!/bin/sh
# SPDX-License-Identifier: MIT
# The long run of the models: the configurations and the seeded mistakes that CTest leaves
# out. Not part of CI: takes half an hour with two jobs, and up to 4 GB of memory per job.
#
#	tests/model/long.sh BUILD_DIR [JOBS]
#
# The trail of a failing run is in BUILD_DIR/model-NAME.log.
set -eu

build=${1:?usage: long.sh BUILD_DIR [JOBS]}
jobs=${2:-2}
model=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/model.py
explorer=$build/tests/lease-explorer
failed=0

# Each line of the list is one run: "config NAME" and "mistake NAME" for the model, "explore NAME"
# for the code.
# shellcheck disable=SC2016 # the inner shell's arguments
{
	/usr/bin/python3 -B "$model" --list | awk '$3 == "long" { print $1, $2 }'
	"$explorer" --list | awk '$2 == "long" { print "explore", $1 }'
} |
	xargs -P "$jobs" -L 1 sh -c '
		log=$1/model-$5.log
		case $4 in
		explore) "$3" --config "$5" ;;
		*) /usr/bin/python3 -B "$2" "--$4" "$5" ;;
		esac >"$log" 2>&1
		result=$?
		grep -E "^(config|mistake) " "$log" || tail -n 5 "$log"
		exit "$result"' long.sh "$build" "$model" "$explorer" || failed=1
[ "$failed" -eq 0 ] || { echo "FAILED: see the logs in $build"; exit 1; }
