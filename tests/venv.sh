#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs a Python test with packages from the Python package index, pinned by version and hash, in
# a virtual environment of its own: venv.sh REQUIREMENTS DIR SCRIPT [ARGUMENT...]. DIR keeps the
# environment for the next time. 77, after a line DID NOT RUN, if it cannot be made: no
# python3-venv, no index, no network.
set -eu

requirements=$1 dir=$2
shift 2
stamp=$dir/$(cksum <"$requirements" | tr -d ' ').made

if ! [ -e "$stamp" ]; then
	rm -rf "$dir"
	mkdir -p "$dir"
	if ! /usr/bin/python3 -m venv "$dir/env" >"$dir/log" 2>&1 ||
		! "$dir/env/bin/python" -m pip install --disable-pip-version-check --no-deps \
			--only-binary :all: --require-hashes -r "$requirements" >>"$dir/log" 2>&1; then
		tail -n 3 "$dir/log"
		echo "DID NOT RUN: the packages of ${requirements##*/} cannot be installed"
		exit 77
	fi
	touch "$stamp"
fi
exec "$dir/env/bin/python" -B "$@"
