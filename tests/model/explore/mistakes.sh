#!/bin/sh
# SPDX-License-Identifier: MIT
# mistakes.sh WORK COMPILER OBJECT...
#
# Applies each mistake of mistakes.list to a copy of the rules, links the explorer with that
# copy in WORK, from the given objects and libraries, and checks that it detects the mistake.
# Exit: 0 all detected, 1 not.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../../.." && pwd)
work=$1
cc=$2
shift 2
tab=$(printf '\t')
failed=

# The patch of a mistake: only its part for the rules, since some also change a plugin.
patch_of() {
	case $1 in
	[0-9]*) set -- "$root"/tests/faults/defects/"$1"-*.patch ;;
	*) set -- "$here/mistakes/$1.patch" ;;
	esac
	awk '/^--- / { held = $0; next }
		/^\+\+\+ / { on = /^\+\+\+ b\/broker\/lease\//; if (on) print held }
		on' "$1"
}

# build NAME OBJECT...: links the explorer with this mistake. The first definition wins.
build() {
	dir=$work/$1
	shift
	rm -rf "$dir"
	mkdir -p "$dir/broker"
	cp -R "$root/broker/lease" "$dir/broker"
	patch_of "$(basename "$dir")" >"$dir/patch"
	patch -d "$dir" -p1 -s -f --fuzz=0 <"$dir/patch" || return 1
	sed -n 's/^+++ b\///p' "$dir/patch" | while read -r file; do
		"$cc" -O1 -std=gnu11 -D_GNU_SOURCE -w -I "$dir/broker" -I "$root/broker" \
			-I "$root/sdk/include" -c "$dir/$file" -o "$dir/$(basename "$file").o" || return 1
	done
	"$cc" -o "$dir/lease-explorer" "$dir"/*.o "$@" -lcrypto -lpthread
}

while IFS=$tab read -r name config word what; do
	case $name in '' | '#'*) continue ;; esac
	if build "$name" "$@" && "$work/$name/lease-explorer" --expect "$config" "$word" \
		>"$work/$name/log"; then
		echo "$name, $what: found as $(sed -n '1s/.* s  //p' "$work/$name/log")"
	else
		echo "$name, $what: NOT FOUND as $word"
		cat "$work/$name/log" 2>/dev/null || :
		failed="$failed $name"
	fi
done <"$here/mistakes.list"
[ -z "$failed" ] || { echo "FAILED:$failed"; exit 1; }
