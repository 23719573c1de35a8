#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests the packages in clean roots of Debian 12 and 13: installs, configures, runs, upgrades (with
# a live lease), removes and purges them, once with systemd booted (systemd-nspawn) and once without
# it. In another root it follows the guide to writing a provider. Then it tests the rpms.
#
# Not part of ctest: it takes minutes and needs root and Debian's archive, for the roots and the
# dependencies. It uses no other network, and writes only to temporary directories.
# Exit: 0 passed, 1 failed, 77 nothing was tested.
set -eu

usage() {
	cat <<-EOF
	usage: sh tests/packages/run.sh [--only deb|guide|rpm] [--debs DIR] [--suites NAMES] [--cache DIR]
	                                [--mirror URL] [--keep]

	  --only KIND     test only the debs or only the rpms; "guide": only the guide, with the debs
	  --debs DIR      test the debs that build.sh wrote there; build only the upgrade
	  --suites NAMES  Debian releases ("bookworm trixie")
	  --cache DIR     keep the empty roots there for the next run
	  --mirror URL    Debian's archive, as for debootstrap
	  --keep          keep the roots
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$(dirname -- "$here")")
only=
debs=
suites="bookworm trixie"
cache=
mirror=
keep=

while [ $# -gt 0 ]; do
	case $1 in
	--only | --debs | --suites | --cache | --mirror)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		case $1 in
		--only) only=$2 ;;
		--debs) debs=$(CDPATH='' cd -- "$2" && pwd) ;;
		--suites) suites=$2 ;;
		--cache) cache=$2 ;;
		--mirror) mirror=$2 ;;
		esac
		shift
		;;
	--keep) keep=1 ;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
case $only in '' | deb | guide | rpm) ;; *) usage >&2; exit 2 ;; esac

if [ "$(id -u)" -ne 0 ]; then
	echo "SKIPPED, nothing was tested: installing into a separate root needs root privileges" >&2
	exit 77
fi

umask 022
# shellcheck source=packaging/packages.sh
. "$root/packaging/packages.sh"
work=$(mktemp -d)
chmod 755 "$work"
[ -n "$cache" ] || cache=$work/cache
mkdir -p "$cache"
cache=$(CDPATH='' cd -- "$cache" && pwd)
tail_pid=

cleanup() {
	code=$?
	trap - EXIT
	[ -z "$tail_pid" ] || kill "$tail_pid" 2>/dev/null || true
	if [ -n "$keep" ]; then
		echo "kept: $work"
	else
		rm -rf --one-file-system -- "$work"
	fi
	exit "$code"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf '\n#### %s\n' "$1"; }
# Prints the command's output only if it fails.
quiet() {
	"$@" >"$work/log" 2>&1 || { tail -n 30 "$work/log" >&2; exit 1; }
}

base() {
	[ ! -e "$cache/$1/lessor-test-root" ] || return 0
	say "an empty root: $1"
	rm -rf --one-file-system -- "${cache:?}/$1"
	# shellcheck disable=SC2086
	quiet debootstrap --variant=minbase "$1" "$cache/$1" $mirror
	mkdir "$cache/$1/lessor-test-root"
}

# SUITE PLACE KIND [PACKAGE]: copies the root and adds the debs. Downloads their dependencies to apt's
# cache now, so that nothing is downloaded later.
prepare() {
	cp -a --reflink=auto -- "$cache/$1" "$2"
	cp -R -- "$old" "$2/lessor-test-root/old"
	cp -R -- "$new" "$2/lessor-test-root/new"
	cp -- "$here/inside.sh" "$here/postgresql.sh" "$root/tests/await.sh" "$2/lessor-test-root/"
	cp -L -- /etc/resolv.conf "$2/etc/resolv.conf"
	quiet chroot "$2" apt-get update -q
	[ "$3" != systemd ] || quiet chroot "$2" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends systemd dbus
	[ "$3" = systemd ] || set -- "$1" "$2" systemd-standalone-sysusers "${4:-}"
	quiet chroot "$2" sh -c "apt-get install -q -y --no-install-recommends --download-only \
		/lessor-test-root/old/*.deb $3 ${4:-}"
}

result() {
	[ -e "$1/lessor-test-root/passed" ] || { echo "FAILED: $2" >&2; exit 1; }
	[ -n "$keep" ] || rm -rf --one-file-system -- "$1"
}

# A separate network namespace has only loopback; a separate process tree ends as a whole.
plain() {
	say "$1, no init: as in a container"
	prepare "$1" "$work/$1-plain" plain postgresql
	# shellcheck disable=SC2016
	unshare --net --pid --mount --fork --kill-child sh -c '
		ip link set lo up && mount -t proc proc "$1/proc" &&
		exec chroot "$1" bash /lessor-test-root/inside.sh /lessor-test-root/old /lessor-test-root/new
		' sh "$work/$1-plain" || true
	result "$work/$1-plain" "$1 without systemd"
}

# A new author's situation: only the packages, a compiler and the guide.
author() {
	say "$1, the commands of the guide to writing a provider"
	place=$work/$1-author
	prepare "$1" "$place" plain
	cp -- "$here/guide.sh" "$place/lessor-test-root/"
	quiet chroot "$place" sh -c 'DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
		--no-install-recommends build-essential cmake openssh-client pkg-config /lessor-test-root/new/*.deb'
	# shellcheck disable=SC2016
	unshare --net --pid --mount --fork --kill-child sh -c '
		ip link set lo up && mount -t proc proc "$1/proc" &&
		exec chroot "$1" bash /lessor-test-root/guide.sh' sh "$place" || true
	result "$place" "the guide on $1"
}

booted() {
	say "$1, systemd booted"
	place=$work/$1-booted
	prepare "$1" "$place" systemd postgresql
	cat >"$place/etc/systemd/system/lessor-test.service" <<-EOF
	[Unit]
	SuccessAction=exit
	FailureAction=exit
	[Service]
	Type=oneshot
	ExecStart=/bin/bash /lessor-test-root/inside.sh /lessor-test-root/old /lessor-test-root/new
	StandardOutput=append:/lessor-test-root/log
	StandardError=append:/lessor-test-root/log
	TimeoutStartSec=5min
	[Install]
	WantedBy=multi-user.target
	EOF
	ln -s ../lessor-test.service "$place/etc/systemd/system/multi-user.target.wants/lessor-test.service"
	: >"$place/lessor-test-root/log"
	tail -n +1 -f "$place/lessor-test-root/log" &
	tail_pid=$!
	# Current systemd no longer supports cgroups v1.
	SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout 400 systemd-nspawn --quiet --register=no --keep-unit \
		--private-network --resolv-conf=off --timezone=off --link-journal=no -D "$place" -b \
		</dev/null >"$work/boot.log" 2>&1 || true
	kill "$tail_pid"
	wait "$tail_pid" 2>/dev/null || true
	[ -s "$place/lessor-test-root/log" ] || tail -n 20 "$work/boot.log" >&2
	result "$place" "$1 with systemd"
}

if [ "$only" != rpm ]; then
	# shellcheck disable=SC2086
	packages_install $packages_deb $packages_roots
	old=$work/old
	new=$work/new
	say "the packages"
	if [ -n "$debs" ]; then
		mkdir "$old"
		cp -- "$debs"/*.deb "$old"
	else
		quiet sh "$root/packaging/build.sh" --only deb --out "$old"
	fi
	version=$(dpkg-deb -f "$old"/lessord_*.deb Version)
	quiet sh "$root/packaging/build.sh" --only deb --no-lint --version "$version+next" --out "$new"
	rm -f -- "$old"/*-dbgsym_*.deb "$new"/*-dbgsym_*.deb
	# The new version changes the configuration file that the operator has edited.
	dpkg-deb -R "$new"/lessord_*.deb "$work/next"
	echo "# Of the next version." >>"$work/next/etc/lessord/lessord.conf"
	quiet dpkg-deb --root-owner-group -b "$work/next" "$new"/lessord_*.deb
	ls -l "$old"/*.deb "$new"/*.deb
	for suite in $suites; do
		base "$suite"
		[ "$only" = guide ] || plain "$suite"
		[ "$only" = guide ] || booted "$suite"
		author "$suite"
	done
fi
if [ "$only" != deb ] && [ "$only" != guide ] && [ -e "$here/rpm.sh" ]; then
	say "the rpms"
	sh "$here/rpm.sh"
fi
printf '\nEverything passed.\n'
