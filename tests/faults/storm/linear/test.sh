#!/bin/sh
# SPDX-License-Identifier: MIT
# The checker's own tests. 77, after a line DID NOT RUN, without Go or the module it needs.
set -u

PATH=$PATH:/usr/local/go/bin
cd "$(dirname -- "$0")" || exit 2
command -v go >/dev/null || { echo "DID NOT RUN: there is no Go"; exit 77; }
GOFLAGS=-mod=readonly
export GOFLAGS
go mod download 2>&1 || { echo "DID NOT RUN: the module cannot be downloaded"; exit 77; }
go vet . && go test -count=1 .
