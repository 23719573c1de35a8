#!/bin/sh
# SPDX-License-Identifier: MIT
# Does each patch still apply to the tree, and is each in the list? Exit: 0 so, 1 not.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
wrong=0
count=0
for patch in "$here"/*.patch; do
	number=$(basename "$patch" | cut -d- -f1)
	count=$((count + 1))
	if ! patch -d "$root" -p1 --dry-run -s -f <"$patch" >/dev/null 2>&1; then
		echo "$(basename "$patch") does not apply"
		wrong=1
	fi
	if ! grep -qE "^$number\*?	" "$here/../mutants.list"; then
		echo "$(basename "$patch") is not in mutants.list"
		wrong=1
	fi
done
echo "$count seeded defects that are patches"
[ "$count" -gt 0 ] && [ "$wrong" -eq 0 ]
