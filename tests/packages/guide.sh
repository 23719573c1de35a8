#!/bin/bash
# SPDX-License-Identifier: MIT
# Runs the commands of the installed guide to writing a provider, unchanged, in a root that
# contains nothing of this project but the packages. Run by run.sh.
set -eu

# shellcheck source=tests/await.sh
. /lessor-test-root/await.sh
guide=/usr/share/doc/lessor/writing-a-provider.md
fail() { printf 'FAILED: %s\n' "$1" >&2; exit 1; }
trap '[ $? -eq 0 ] || echo "FAILED: the guide, at: $BASH_COMMAND" >&2; kill $(jobs -p) 2>/dev/null || :' EXIT

# The guide uses sudo; here everything runs as root.
sudo() { "$@"; }

[ -f "$guide" ] || fail "lessor-dev has no guide"
cp -r "$(dirname "$guide")" /root/guide
cd /root/guide
awk '/^## /{ on = /^## Build and try it$/ } on && /^    /{ print substr($0, 5) }' "$guide" >/root/all
grep -q 'cmake --install' /root/all || fail "the guide no longer builds anything"
grep -q '^lessor create' /root/all || fail "the guide no longer creates a lease"
# A person types more slowly than the daemon starts, so the rest waits until it listens.
sed '/^lessord --config.*&$/q' /root/all >/root/first
sed '1,/^lessord --config.*&$/d' /root/all >/root/rest
set -x
# shellcheck disable=SC1091
. /root/first
{ set +x; } 2>/dev/null
listens() { (exec 3<>/dev/tcp/127.0.0.1/8480) 2>/dev/null; }
await "$patience" listens || fail "lessord does not listen"
set -x
# shellcheck disable=SC1091
. /root/rest
{ set +x; } 2>/dev/null
nothing_left() { [ -z "$(ls -A /tmp/try/machines)" ]; }
await "$patience" nothing_left || fail "the released machine still exists"
lessor-plugin-check "$(pkg-config --variable=providerdir lessor)/folder.so"
lessor list --all 2>/dev/null | grep -q box || lessor show box >/dev/null || fail "the lease is not listed"
touch /lessor-test-root/passed
