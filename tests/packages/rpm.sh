#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds and lists the rpms, installs them into empty roots, runs them, upgrades them with a live
# lease and erases them.
#
# Not part of ctest: it builds everything twice, which takes minutes. It needs root (rpm --root is
# a chroot), rpm and the build dependencies; it runs rpmlint if available. Traffic is on loopback
# only, and nothing is written outside one temporary directory.
# Exit: 0 passed, 1 failed, 77 not tested.
set -eu

usage() {
	cat <<-EOF
	usage: sh tests/packages/rpm.sh [--rpms DIR] [--keep]

	  --rpms DIR  test the packages that build-rpm.sh wrote there; build only the upgrade
	  --keep      keep the temporary directory
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$(dirname -- "$here")")
# shellcheck source=tests/await.sh
. "$root/tests/await.sh"
rpms=
keep=

while [ $# -gt 0 ]; do
	case $1 in
	--rpms)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		rpms=$(CDPATH='' cd -- "$2" && pwd)
		shift
		;;
	--keep) keep=1 ;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done

if [ "$(id -u)" -ne 0 ] || ! unshare --mount true; then
	echo "SKIPPED, nothing was tested: installing into a root and mounting need root privileges" >&2
	exit 77
fi

umask 022
export LC_ALL=C
debian=
if command -v dpkg-query >/dev/null; then
	debian=1
	# shellcheck source=packaging/packages.sh
	. "$root/packaging/packages.sh"
	# shellcheck disable=SC2086
	packages_install $packages_build $packages_rpm rpmlint binutils
fi

work=$(mktemp -d)
chmod 755 "$work"
arch=$(uname -m)
libdir=/usr/lib64
sim_pid=
broker_pid=

# ---- helpers --------------------------------------------------------------------------------

checks=0
step() { printf '== %s\n' "$1"; }
ok() {
	checks=$((checks + 1))
	printf '   %s\n' "$1"
}
fail() {
	echo "FAILED: $1" >&2
	exit 1
}
# WHAT EXPECTED FOUND: the two files are equal.
same() {
	diff -u --label expected --label found "$2" "$3" >&2 || fail "$1"
	ok "$1"
}
# WHAT TEST-EXPRESSION...
must() {
	what=$1
	shift
	"$@" || fail "$what: $*"
	ok "$what"
}

# Ends only processes that this script started, by process id.
stop() {
	[ -z "$1" ] || ! kill "$1" 2>/dev/null || wait "$1" 2>/dev/null || true
}
cleanup() {
	code=$?
	trap - EXIT
	if [ "$code" -ne 0 ]; then
		for log in "$work"/*.log; do
			[ ! -s "$log" ] || { echo "--- last lines of $log:"; tail -n 15 "$log"; } >&2
		done
	fi
	stop "$broker_pid"
	stop "$sim_pid"
	if [ -n "$keep" ]; then
		echo "Left: $work"
	else
		rm -rf -- "$work"
	fi
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# rpm in a root: ROOT ARGUMENTS...
rpm_in() {
	where=$1
	shift
	rpm --root "$where" --dbpath /var/lib/rpm "$@" 2>"$work/rpm.log" || {
		cat "$work/rpm.log" >&2
		return 1
	}
}

packages='lessor lessor-devel lessord lessord-postgresql'
# The files of the packages of a release: RELEASE
files_of() {
	for package in $packages; do
		ls "$work/$1/$package"-[0-9]*."$arch".rpm
	done
}

# ---- built ------------------------------------------------------------------------------------

step "Built"
if [ -z "$rpms" ]; then
	sh "$root/packaging/build-rpm.sh" --out "$work/1" >"$work/build.log" 2>&1 ||
		fail "build-rpm.sh"
else
	mkdir "$work/1"
	cp -- "$rpms"/*.rpm "$work/1"
fi
# The upgrade is built from the source rpm alone, without git, with a changed configuration.
mkdir "$work/source"
(cd "$work/source" && rpm2cpio "$work"/1/*.src.rpm | cpio -i --quiet && tar -xzf lessor-*.tar.gz)
again=$(echo "$work"/source/lessor-*/)
cmp -s "$work/source/lessor.spec" "$again/packaging/lessor.spec" || fail "the source rpm's spec"
echo "# A line that the next release has more." >>"$again/packaging/lessord.conf"
sh "$again/packaging/build-rpm.sh" --out "$work/2" --release 2 >"$work/build.log" 2>&1 ||
	fail "build-rpm.sh from the source rpm"
ok "built from the tree, and again from the source rpm"
for release in 1 2; do
	(cd "$work/$release" && ls) | sed "s/-[0-9][0-9.]*-$release\.[a-z0-9_.]*rpm\$//" | sort
	echo
done >"$work/found"
for release in 1 2; do
	cat <<-EOF
	lessor
	lessor
	lessor-debuginfo
	lessor-debugsource
	lessor-devel
	lessor-devel-debuginfo
	lessord
	lessord-debuginfo
	lessord-postgresql
	lessord-postgresql-debuginfo

	EOF
done >"$work/expected"
same "the packages are the four, their symbols and the source" "$work/expected" "$work/found"
(cd "$work/1" && for file in *.rpm; do
	printf '   %9d bytes  %9d installed  %s\n' "$(stat -c %s "$file")" \
		"$(rpm -qp --qf '%{SIZE}' "$file" 2>/dev/null)" "$file"
done)

# ---- listed -----------------------------------------------------------------------------------

step "Listed"
version=$(rpm -qp --qf '%{VERSION}' "$work"/1/lessord-[0-9]*.rpm)
for file in $(files_of 1); do
	rpm -qp --qf "[%{=NAME} %{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILEFLAGS:fflags}- \
%{FILENAMES}\n]" "$file"
done | grep -v ' /usr/lib/\.build-id' | sort >"$work/found"
grep -v '^#' "$here/rpm-files.txt" | sort >"$work/expected"
same "files, modes, owners and kinds are those of rpm-files.txt" "$work/expected" "$work/found"

sed -n 's,^\([a-z-]*\) .* /usr/s\{0\,1\}bin/\([a-z-]*\)$,\1 \2,p' "$work/found" |
	while read -r name program; do
		grep -q "^$name .* /usr/share/man/man[18]/$program\.[18]\.gz\$" "$work/found" ||
			echo "$name: $program has no manual page"
	done >"$work/without"
must "each program comes with its manual page" [ ! -s "$work/without" ]

# The library dependencies come from linking, with this machine's versions (without libc and its
# loader); the spec lists the others.
for file in $(files_of 1); do
	name=$(rpm -qp --qf '%{NAME}' "$file")
	rpm -qp --requires "$file" | grep -vE '^((rpmlib|rtld)\(|lib[cm]\.so|ld-linux)' | sed 's/\.so.*/.so/; s/^/'"$name"' /'
done | sort -u >"$work/found"
sort -u >"$work/expected" <<EOF
lessor ca-certificates
lessor libcrypto.so
lessor libcurl.so
lessor libinih.so
lessor libjansson.so
lessor libsmartcols.so
lessor-devel /usr/bin/pkg-config
lessor-devel cmake-filesystem(x86-64)
lessor-devel libcrypto.so
lessor-devel libevent_core-2.1.so
lessor-devel libevent_openssl-2.1.so
lessor-devel libjansson.so
lessor-devel libssl.so
lessord /bin/sh
lessord ca-certificates
lessord config(lessord) = $version-1
lessord libcrypto.so
lessord libcurl.so
lessord libevent-2.1.so
lessord libevent_openssl-2.1.so
lessord libinih.so
lessord libjansson.so
lessord libsqlite3.so
lessord libssl.so
lessord libz.so
lessord shadow-utils
lessord systemd
lessord-postgresql lessord(x86-64) = $version-1
lessord-postgresql libcrypto.so
lessord-postgresql libpq.so
EOF
same "the requirements" "$work/expected" "$work/found"
for file in $(files_of 1); do
	rpm -qp --provides "$file"
done | sort >"$work/found"
sort >"$work/expected" <<EOF
config(lessord) = $version-1
lessor = $version-1
lessor(x86-64) = $version-1
lessor-devel = $version-1
lessor-devel(x86-64) = $version-1
lessord = $version-1
lessord(x86-64) = $version-1
lessord-postgresql = $version-1
lessord-postgresql(x86-64) = $version-1
pkgconfig(lessor) = $version
EOF
same "the provides: no provider is offered as a library" "$work/expected" "$work/found"

if command -v rpmlint >/dev/null; then
	rpmlint -c "$root/packaging/rpm/rpmlint.toml" "$work"/1/*.rpm "$root/packaging/lessor.spec" \
		>"$work/rpmlint.log" 2>&1 || fail "rpmlint"
	grep -q ' 0 errors, 0 warnings' "$work/rpmlint.log" || fail "rpmlint reports errors or warnings"
	ok "rpmlint:$(tail -n 1 "$work/rpmlint.log")"
else
	echo "   rpmlint is not installed: NOT CHECKED"
fi

step "Scripts"
for file in $(files_of 1); do
	for tag in PREIN POSTIN PREUN POSTUN PRETRANS POSTTRANS TRIGGERSCRIPTS; do
		rpm -qp --qf "[%{$tag}\n]" "$file" >"$work/script"
		[ -s "$work/script" ] || continue
		name=$(rpm -qp --qf '%{NAME}' "$file").$tag
		echo "$name"
		sh -n "$work/script" >&2 || fail "$name"
		[ "$(rpm -qp --qf "%{${tag}PROG}" "$file")" = /bin/sh ] || fail "$name is not for /bin/sh"
	done
done >"$work/found"
cat >"$work/expected" <<EOF
lessord.PREIN
lessord.POSTIN
lessord.PREUN
lessord.POSTUN
EOF
same "only lessord has scripts, and a shell can read them" "$work/expected" "$work/found"

step "Symbols"
mkdir "$work/all"
for file in "$work"/1/*."$arch".rpm; do
	(cd "$work/all" && rpm2cpio "$file" | cpio -id --quiet)
done
find "$work/all/usr/bin" "$work/all/usr/sbin" "$work/all$libdir/lessor" -type f >"$work/elf"
must "there are programs and a provider" [ "$(wc -l <"$work/elf")" -ge 5 ]
while read -r elf; do
	readelf -SW "$elf" >"$work/sections"
	! grep -qE '\.(symtab|debug_info)' "$work/sections" || fail "$elf is not stripped"
	id=$(readelf -n "$elf" | sed -n 's/^ *Build ID: \(..\)/\1\//p')
	readelf -SW "$work/all/usr/lib/debug/.build-id/$id.debug" >"$work/sections"
	grep -q '\.debug_info' "$work/sections" || fail "$elf has no symbols"
done <"$work/elf"
ok "stripped, with separate symbols for each"
must "the debug packages contain the source" cmp -s "$again/broker/main.c" \
	"$work/all/usr/src/debug/lessor-$version-1.$arch/broker/main.c"

# ---- a lease ------------------------------------------------------------------------------------

# The root in use; the command that enters it (chroot, or empty: its programs run outside it, with
# this machine's libraries); and the prefix of its paths in that case.
top=
enter=
prefix=
user=lessor

# The simulated cloud of the root; it always runs outside the root.
sim_start() {
	rm -f -- "$work/sim.port"
	"$top/usr/bin/hetzner-sim" --listen 127.0.0.1:0 --port-file "$work/sim.port" --speed 20 \
		>"$work/sim.log" 2>&1 &
	sim_pid=$!
	await_file "$work/sim.port" "$sim_pid" || fail "hetzner-sim did not start"
	cloud=http://127.0.0.1:$(cat "$work/sim.port")
}
# The id of the first server, or nothing.
server() { curl -fsS "$cloud/_sim/state" | sed -n 's/.*"servers":\[{"id":\([0-9]*\).*/\1/p'; }

# Edits the installed configuration as an administrator would.
configure() {
	conf=$top/etc/lessord/lessord.conf
	sed -i -e "s,^#listen = .*,listen = 127.0.0.1:0," -e "s,^#settle = .*,settle = 2s," \
		-e "s,^#store = ,store = $prefix," -e "s,^#providers = ,providers = $prefix," \
		-e "s,^credential = .*,token_file = $prefix/etc/lessord/hetzner-token," "$conf"
	printf 'endpoint = %s/v1\npoll = 100ms\n' "$cloud" >>"$conf"
	(umask 077 && echo "simulated-token-of-the-package-test" >"$top/etc/lessord/hetzner-token")
	[ -z "$enter" ] || chroot "$top" /bin/chown "$user" /etc/lessord/hetzner-token
}
# Runs the daemon as its own user, if that exists, and with a /proc that is unmounted when it
# exits. With exec='exec' it replaces the subshell.
daemon() {
	if [ -n "$enter" ]; then
		# shellcheck disable=SC2016
		set -- unshare --mount sh -c 'mount --bind /proc "$0/proc" && exec chroot "$@"' "$top" \
			--userspec="$user:$user" "$top" /usr/sbin/lessord "$@"
	else
		set -- "$top/usr/sbin/lessord" "$@" --config "$top/etc/lessord/lessord.conf"
	fi
	${exec:-} "$@"
}
check_config() { daemon --check-config >>"$work/lessord.log" 2>&1; }
daemon_start() {
	state=$top/var/lib/lessor
	rm -f -- "$state/port"
	exec='exec'
	daemon --port-file "$prefix/var/lib/lessor/port" >>"$work/lessord.log" 2>&1 &
	broker_pid=$!
	exec=
	await_file "$state/port" "$broker_pid" || fail "lessord did not start"
	LESSOR_URL=http://127.0.0.1:$(cat "$state/port")
	export LESSOR_URL
}
daemon_stop() {
	kill "$broker_pid"
	wait "$broker_pid" || fail "lessord exited with $?"
	broker_pid=
}
cli() {
	# shellcheck disable=SC2086
	HOME=/ LESSOR_TOKEN_FILE=$prefix/token timeout 60 $enter "$prefix/usr/bin/lessor" "$@"
}
token_add() {
	(umask 077 && daemon token add --owner somebody@example.com >"$top/token" \
		2>>"$work/lessord.log") || fail "lessord token add"
}
lease_begin() {
	printf 'ssh-ed25519 %s test\n' "$({ printf '\000\000\000\013ssh-ed25519\000\000\000\040'
		head -c 32 /dev/urandom; } | base64 -w 0)" >"$top/key.pub"
	cli create --class small --slug box --ttl 1h --wait --ssh-key "$prefix/key.pub" \
		>>"$work/cli.log" 2>&1 || fail "lessor create"
	machine=$(server)
	must "the lease's machine is in the cloud" [ -n "$machine" ]
}
lease_end() {
	must "it is still the same machine" [ "$(server)" = "$machine" ]
	cli heartbeat box >>"$work/cli.log" 2>&1 || fail "lessor heartbeat"
	cli release box >>"$work/cli.log" 2>&1 || fail "lessor release"
	must "released, and the cloud is empty" [ -z "$(server)" ]
}

# ---- an empty root ------------------------------------------------------------------------------

step "In a root that is empty, without scripts"
top=$work/empty
prefix=$top
mkdir "$top"
rpm_in "$top" --initdb
# shellcheck disable=SC2046
rpm_in "$top" -i --nodeps --noscripts $(files_of 1)
# There is no user lessor here, so root owns its files; everything else is as packaged.
# shellcheck disable=SC2086
rpm_in "$top" -V --nodeps --noscripts --nouser --nogroup $packages || fail "rpm -V"
ok "installed and verified"
"$top/usr/sbin/lessord" --version >"$work/found"
must "lessord has this version" grep -qF "$version" "$work/found"
"$top/usr/bin/lessor-plugin-check" "$top$libdir/lessor/providers/hetzner.so" >"$work/found" ||
	fail "lessor-plugin-check"
must "lessor-plugin-check accepts the provider" grep -qx name=hetzner "$work/found"
cp -p -- "$top/etc/lessord/lessord.conf" "$work/as-installed.conf"
sim_start
configure
must "lessord --check-config" check_config
token_add
daemon_start
lease_begin
lease_end
daemon_stop
stop "$sim_pid"
sim_pid=
# The file is unchanged, so the new one replaces it.
cp -p -- "$work/as-installed.conf" "$top/etc/lessord/lessord.conf"
# shellcheck disable=SC2046
rpm_in "$top" -U --nodeps --noscripts $(files_of 2)
must "an upgrade replaces an unchanged configuration" \
	grep -q "next release has more" "$top/etc/lessord/lessord.conf"
must "and leaves no .rpmnew" [ ! -e "$top/etc/lessord/lessord.conf.rpmnew" ]

# ---- a root with a shell ------------------------------------------------------------------------

# Copies a program of this machine and its libraries into the root.
borrow() {
	for program in "$@"; do
		path=$(command -v "$program") || fail "$program is missing"
		mkdir -p "$top${path%/*}"
		cp -L -- "$path" "$top$path"
		borrow_libraries "$path"
	done
}
borrow_libraries() {
	ldd "$1" | sed -n 's/^[^/]*\(\/[^ ]*\) (0x.*/\1/p' | while read -r library; do
		[ ! -e "$top$library" ] || continue
		mkdir -p "$top${library%/*}"
		cp -L -- "$library" "$top$library"
	done
}

step "In a root with a shell and this machine's libraries, with scripts"
top=$work/shell
prefix=
enter="chroot $top"
mkdir -p "$top/usr/bin" "$top/usr/sbin" "$top/usr/lib" "$top/usr/lib64" "$top/etc" "$top/dev" \
	"$top/proc" "$top/tmp" "$top/var/log"
chmod 1777 "$top/tmp"
for folder in bin sbin lib lib64; do
	ln -s "usr/$folder" "$top/$folder"
done
borrow sh chown getent groupadd useradd
mknod -m 666 "$top/dev/null" c 1 3 2>/dev/null || : >"$top/dev/null"
echo "root:x:0:0:root:/root:/bin/sh" >"$top/etc/passwd"
echo "root:x:0:" >"$top/etc/group"
: >"$top/etc/shadow"
: >"$top/etc/gshadow"
# A systemctl that only records its calls.
cat >"$top/usr/bin/systemctl" <<EOF
#!/bin/sh
echo "\$*" >>/var/log/systemctl
EOF
chmod 755 "$top/usr/bin/systemctl"
# CALL: systemctl was called exactly so since the last check.
asked() {
	must "systemctl was called: $1" [ "$(cat "$top/var/log/systemctl" 2>/dev/null)" = "$1" ]
	rm -f -- "$top/var/log/systemctl"
}
rpm_in "$top" --initdb
left() {
	(cd "$top" && find . -path ./var/lib/rpm -prune -o \( ! -type d -o -iname 'lessor*' \) -print | sort)
}
left >"$work/before"
# shellcheck disable=SC2046
rpm_in "$top" -i --nodeps $(files_of 1)
for program in "$top"/usr/bin/lessor* "$top"/usr/sbin/lessord "$top$libdir"/lessor/providers/*; do
	borrow_libraries "$program"
done
# shellcheck disable=SC2086
rpm_in "$top" -V --nodeps $packages || fail "rpm -V"
ok "installed and verified, owners too"
[ -z "$debian" ] || asked "--no-reload preset lessord.service lessord.socket lessord-backup.timer"
# The user equals the one that sysusers.d would create.
mkdir -p "$work/sysusers/etc" "$work/sysusers/usr/lib/sysusers.d"
cp -- "$top/usr/lib/sysusers.d/lessor.conf" "$work/sysusers/usr/lib/sysusers.d/"
account() { sed -n "s/^$user:x:[0-9]*:[0-9]*:/$user:/p" "$1/etc/passwd"; }
must "the user $user exists" [ -n "$(account "$top")" ]
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers --root="$work/sysusers" >"$work/sysusers.log" 2>&1
	must "equal to the one that sysusers.d would create" \
		[ "$(account "$top")" = "$(account "$work/sysusers")" ]
fi
must "lessord --check-config with the installed file" \
	check_config

sim_start
configure
token_add
daemon_start
lease_begin
cp -p -- "$top/etc/lessord/lessord.conf" "$work/edited.conf"
# shellcheck disable=SC2046
rpm_in "$top" -U --nodeps $(files_of 2)
must "an upgrade keeps the edited configuration" \
	cmp "$work/edited.conf" "$top/etc/lessord/lessord.conf"
must "and saves the new one as .rpmnew" \
	grep -q "next release has more" "$top/etc/lessord/lessord.conf.rpmnew"
[ -z "$debian" ] || asked "try-restart lessord.service"
# The restart that systemd would do now.
daemon_stop
daemon_start
cli show box >>"$work/cli.log" 2>&1 || fail "lessor show"
ok "the lease survives the upgrade"
# An erase would warn now, and an upgrade would not.
rpm -qp --qf '%{PREUN}' "$work"/2/lessord-[0-9]*.rpm >"$top/preun"
chroot "$top" /bin/sh /preun 0 >"$work/found" 2>&1 || fail "%preun"
must "an erase would warn of the lease" \
	grep -qx "WARNING: 1 lease with resources left at a provider." "$work/found"
[ -z "$debian" ] || asked "--no-reload disable --now lessord.service lessord.socket lessord-backup.timer"
chroot "$top" /bin/sh /preun 1 >"$work/found" 2>&1 || fail "%preun of an upgrade"
must "an upgrade does not" [ ! -s "$work/found" ]
rm -f -- "$top/preun" "$top/var/log/systemctl"
lease_end
daemon_stop
stop "$sim_pid"
sim_pid=

# shellcheck disable=SC2086
rpm_in "$top" -e --nodeps $packages >"$work/found" || fail "rpm -e"
cat "$work/rpm.log" >>"$work/found"
must "an erase with nothing left warns of nothing" [ -z "$(grep WARNING "$work/found")" ]
[ -z "$debian" ] || asked "--no-reload disable --now lessord.service lessord.socket lessord-backup.timer"
must "an erase keeps the store" [ -s "$top/var/lib/lessor/lessor.db" ]
must "and the run history" [ -s "$top/var/lib/lessor/lessor-runs.db" ]
must "and the configuration, as .rpmsave" \
	cmp "$work/edited.conf" "$top/etc/lessord/lessord.conf.rpmsave"
must "and the user" [ -n "$(account "$top")" ]
left >"$work/after"
# Except for what this test put there: libraries, accounts, the client's files.
comm -13 "$work/before" "$work/after" | grep -vE '^\./usr/lib(64)?/.*\.so[.0-9]*$' |
	grep -vE '^\./(etc/(\.pwd\.lock|[a-z]*-)|key\.pub|token)$' >"$work/found"
cat >"$work/expected" <<EOF
./etc/lessord
./etc/lessord/hetzner-token
./etc/lessord/lessord.conf.rpmnew
./etc/lessord/lessord.conf.rpmsave
./var/lib/lessor
./var/lib/lessor/lessor-runs.db
./var/lib/lessor/lessor-runs.db.lock
./var/lib/lessor/lessor.db
./var/lib/lessor/lessor.db.lock
./var/lib/lessor/port
EOF
same "and nothing else" "$work/expected" "$work/found"

# ---- what was not tested ------------------------------------------------------------------------

echo
echo "$checks checks passed."
cat <<EOF
NOT TESTED, because this is not Fedora:
 - that dnf finds the requirements: everything was installed with --nodeps. The names of the build
   dependencies were only compared with Fedora's by eye, not resolved
EOF
[ -z "$debian" ] || cat <<EOF
 - rpms for use on Fedora: these require libraries with Debian's versions and names. Build there
 - Fedora's own macros, flags and scripts: packaging/rpm/macros.debian replaced them, and its
   scripts call systemctl where Fedora's call systemd-update-helper
EOF
cat <<EOF
 - SELinux: no policy was loaded, and none is shipped
 - the unit with a running systemd: the daemon was started by hand, as the unit's user
EOF
