# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154
# The lifecycle of lessord with a PostgreSQL database, set up as lessord(8) says. Sourced by
# inside.sh, with its functions and variables, in a root without the packages.

step "a PostgreSQL server"
must "apt installs it" apt-get install -y --no-install-recommends postgresql
cluster() { pg_lsclusters -h | grep -q " online "; }
cluster || pg_ctlcluster "$(ls /etc/postgresql)" main start
comes "it runs" cluster
administrator() {
	setpriv --reuid postgres --regid postgres --init-groups psql -qX -v ON_ERROR_STOP=1 -d postgres "$@"
}
(cd / && must "role and database" administrator \
	-c "CREATE ROLE lessor LOGIN PASSWORD 'a-password-of-the-test'" \
	-c "CREATE DATABASE lessor OWNER lessor ENCODING 'UTF8' TEMPLATE template0")

step "installation with a shared database"
must "apt installs" apt-get install -y --no-install-recommends "$old"/lessord_*.deb "$old"/lessor_*.deb \
	"$old"/lessord-postgresql_*.deb
cp -p kept.conf /etc/lessord/lessord.conf
install -m 0600 -o lessor -g lessor /dev/null /etc/lessord/db-password
echo a-password-of-the-test >/etc/lessord/db-password
sed -i 's,^\[store\]$,&\nurl = postgresql://lessor@127.0.0.1/lessor\npassword_file = /etc/lessord/db-password,' \
	/etc/lessord/lessord.conf
must "root can check the configuration" lessord --check-config
must "and the database" lessord check
(umask 077; lessord token add --owner root@example.com --role admin >client-token 2>/dev/null)
start
is_listed() { lessor daemons | grep -q "alive, this one"; }
comes "lessor daemons shows it" is_listed
# The cloud was the other database's.
comes "the account is fenced" is_fenced
must "an operator takes over" lessor account take-over hetzner --looked
must "a lease is created" lessor create --class standard --slug second --ttl 1h --wait --ssh-key key.pub
equal "the cloud has its machine" "$(servers)" 1
equal "nothing is in a file" "$(find /var/lib/lessor -name '*.db')" ""

step "upgrade with the lease alive"
must "apt upgrades both" apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold \
	"$new"/lessord_*.deb "$new"/lessord-postgresql_*.deb "$new"/lessor_*.deb
equal "to the same version" "$(installed lessord)" "$(installed lessord-postgresql)"
if [ -n "$booted" ]; then
	[ "$(property MainPID)" != "$daemon_pid" ] || fail "the old lessord still runs"
	daemon_pid=$(property MainPID)
	equal "the service is restarted" "$(property ActiveState) $(property NRestarts)" "active 0"
else
	stop
	start
fi
if grep -q "lessord-postgresql.so (deleted)" "/proc/$daemon_pid/maps"; then
	fail "the loaded module is not the installed one"
fi
comes "it responds" running
must "a heartbeat succeeds" lessor heartbeat second
equal "the cloud still has one machine" "$(servers)" 1

step "removal of the module with the lease alive"
must "apt removes it" apt-get remove -y lessord-postgresql
equal "and warns" "$(grep -o 'WARNING: .*\.' "$work/out")" \
	"WARNING: 1 lease with resources left at a provider."
must "the daemon that has it goes on" lessor heartbeat second
stop
fails "without it the database cannot be used" 4 lessord check
[ -z "$booted" ] || fails "without it lessord does not start" 1 systemctl start lessord
must "apt installs it again" apt-get install -y --no-install-recommends "$new"/lessord-postgresql_*.deb
# systemd has not given up.
[ -z "$booted" ] || comes "lessord starts by itself" running
start
must "the lease still exists" lessor heartbeat second

step "removal of all with the lease alive"
[ -n "$booted" ] || stop
must "apt removes" apt-get remove -y lessord lessord-postgresql
equal "and warns" "$(grep -o 'WARNING: .*\.' "$work/out" | sort -u)" \
	"WARNING: 1 lease with resources left at a provider."
must "apt purges" apt-get purge -y lessord lessord-postgresql
[ ! -e /var/lib/lessor ] || fail "the state directory still exists"
must "apt installs" apt-get install -y --no-install-recommends "$new"/lessord_*.deb \
	"$new"/lessord-postgresql_*.deb
[ -e /etc/lessord/db-password ] || fail "the operator's password is gone"
cp -p kept.conf /etc/lessord/lessord.conf
sed -i 's,^\[store\]$,&\nurl = postgresql://lessor@127.0.0.1/lessor\npassword_file = /etc/lessord/db-password,' \
	/etc/lessord/lessord.conf
start
must "the lease is in the database" lessor heartbeat second
must "it is released" lessor release second
equal "the cloud is empty" "$(servers)" 0
stop
must "apt purges" apt-get purge -y lessord lessord-postgresql lessor
equal "and warns of nothing" "$(grep WARNING "$work/out")" ""
[ -z "$(find /usr/lib -path '*/lessor/*')" ] || fail "something is left in /usr/lib"
ok "nothing is left of the programs"
