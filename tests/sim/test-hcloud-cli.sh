#!/bin/sh
# SPDX-License-Identifier: MIT
# The real hcloud client against the simulator. test-hcloud-cli.sh HETZNER_SIM; 77: no client.
set -eu

command -v hcloud >/dev/null || { echo "no hcloud"; exit 77; }
command -v ssh-keygen >/dev/null || { echo "no ssh-keygen"; exit 77; }

dir=$(mktemp -d)
mkfifo "$dir/out"
"$1" --speed 100 --seed 1 >"$dir/out" &
sim=$!
trap 'kill $sim 2>/dev/null; wait $sim 2>/dev/null || :; rm -rf "$dir"' EXIT
read -r line <"$dir/out"
base=${line#listening on }

# The environment alone determines the endpoint: never the real cloud.
export HCLOUD_ENDPOINT="$base" HCLOUD_TOKEN=not-a-token HCLOUD_CONFIG=/nonexistent
case $HCLOUD_ENDPOINT in
http://127.0.0.1:*) ;;
*) echo "no address: $line"; exit 1 ;;
esac

fail() {
	echo "FAILED: $*"
	exit 1
}

# has TEXT COMMAND...: the output contains it
has() {
	want=$1
	shift
	"$@" >"$dir/log" 2>&1 || { cat "$dir/log"; fail "$*"; }
	grep -q -- "$want" "$dir/log" || { cat "$dir/log"; fail "$*: no '$want'"; }
}

ssh-keygen -q -t ed25519 -N '' -C test -f "$dir/key"
md5=$(ssh-keygen -E md5 -lf "$dir/key.pub" | sed 's/.*MD5:\([^ ]*\).*/\1/')

has created hcloud ssh-key create --name k --public-key-from-file "$dir/key.pub" --label a=b
has "$md5" hcloud ssh-key list
has k hcloud ssh-key describe k
has k hcloud ssh-key list --selector a=b
hcloud ssh-key create --name k --public-key-from-file "$dir/key.pub" >"$dir/log" 2>&1 &&
	fail "a duplicate name was accepted"
grep -q uniqueness_error "$dir/log" || fail "no uniqueness_error"

has "IPv4: 203.0.113" hcloud server create --name s1 --type cx23 --image ubuntu-24.04 \
	--ssh-key k --location nbg1 --label lessor-lease=one
has running hcloud server list
has "Status:.*running" hcloud server describe s1
has s1 hcloud server list --selector lessor-lease=one
has created hcloud server create --name s2 --type cpx22 --image ubuntu-24.04 --ssh-key k \
	--start-after-create=false
has off hcloud server list --selector '!lessor-lease'
has 203.0.113 hcloud server ip s1
has stopped hcloud server poweroff s1
hcloud server create --name s3 --type cx22 --image ubuntu-24.04 --ssh-key k >"$dir/log" 2>&1 &&
	fail "a withdrawn type was accepted"

has cx23 hcloud server-type list
has dedicated hcloud server-type list
has "CX23" hcloud server-type describe cx23
has fsn1 hcloud location list
has debian-13 hcloud image list
for what in volume network firewall placement-group load-balancer floating-ip certificate iso \
	primary-ip load-balancer-type; do
	has ID hcloud $what list
done
# Newer clients list everything in one command.
if hcloud all list --help >"$dir/log" 2>&1 && grep -q "all list" "$dir/log"; then
	has s1 hcloud all list
fi
hcloud datacenter list >"$dir/log" 2>&1 && fail "the removed datacenter API responded"
grep -q deprecated_api_endpoint "$dir/log" || fail "no 410"

has added hcloud server add-label s1 keep=me
has s1 hcloud server list --selector keep=me,lessor-lease=one
has enabled hcloud server enable-protection s1 delete rebuild
hcloud server delete s1 >"$dir/log" 2>&1 && fail "a protected server was deleted"
grep -q protected "$dir/log" || fail "not protected"
has disabled hcloud server disable-protection s1 delete rebuild
ip=$(hcloud server describe s2 -o format='{{.PublicNet.IPv4.ID}}')
has updated hcloud primary-ip update "$ip" --auto-delete=false --name kept
has enabled hcloud primary-ip enable-protection kept

has deleted hcloud server delete s1
has deleted hcloud server delete s2
hcloud primary-ip delete kept >"$dir/log" 2>&1 && fail "a protected address was deleted"
grep -q protected "$dir/log" || fail "not protected"
has disabled hcloud primary-ip disable-protection kept
has deleted hcloud primary-ip delete kept
has deleted hcloud ssh-key delete k
hcloud server describe 4711 >"$dir/log" 2>&1 && fail "an unknown server was described"
grep -q "not found" "$dir/log" || fail "no 404"

# Nothing remains, not even an address.
/usr/bin/python3 - "$base" <<'EOF' || fail "something was left behind"
import json, sys, urllib.request
root = sys.argv[1].rsplit("/", 1)[0] + "/_sim/"
urllib.request.urlopen(root + "wait?servers=0&ssh_keys=0&primary_ips=0&timeout_ms=20000")
calls = json.load(urllib.request.urlopen(root + "calls"))
assert calls["leases"]["one"]["s.create"] == 1, calls
EOF
echo "hcloud: all commands passed"
