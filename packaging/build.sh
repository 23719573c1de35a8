#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the packages: the debs lessord, lessord-postgresql, lessor and lessor-dev with debug
# symbols and source, and the rpms. Packages a copy of the working tree, including uncommitted
# changes; any lintian message is an error.
set -eu

usage() {
	cat <<-EOF
	usage: sh packaging/build.sh [--out DIR] [--only deb|rpm] [--version V] [--no-lint]

	  --out DIR    output directory (default: build-packages in the source tree)
	  --only KIND  build only debs or only rpms
	  --version V  version of the debs, to test upgrades (default: from debian/changelog)
	  --no-lint    do not run lintian
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
out=$root/build-packages
only=
version=
lint=1

while [ $# -gt 0 ]; do
	case $1 in
	--out | --only | --version)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		case $1 in
		--out) out=$2 ;;
		--only) only=$2 ;;
		--version) version=$2 ;;
		esac
		shift
		;;
	--no-lint) lint= ;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
case $only in '' | deb | rpm) ;; *) usage >&2; exit 2 ;; esac

umask 022
# shellcheck source=packaging/packages.sh
. "$here/packages.sh"
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Tracked files that exist; without git (a release) everything except build directories.
copy_tree() {
	# shellcheck disable=SC2016
	existing='for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done'
	mkdir -p "$1"
	if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$root" ls-files -z
	else
		(cd "$root" && find . -mindepth 1 -type d -name 'build*' -prune -o ! -type d -print0)
	fi | (cd "$root" && xargs -0 sh -c "$existing" sh) |
		tar -C "$root" --null --files-from=- -cf - | tar -C "$1" -xf -
}

# Prints the errors, which may be anywhere in the log.
report_errors() {
	grep -nE '(error|warning): |undefined reference|FAILED|dh_[a-z]+: ' "$1" | tail -n 30 >&2
	tail -n 12 "$1" >&2
	exit 1
}

build_debs() {
	# shellcheck disable=SC2086
	packages_install $packages_build $packages_deb
	changelog=$(dpkg-parsechangelog -l "$here/debian/changelog" -S Version)
	upstream=$(sed -n 's/^project(lessor VERSION \([0-9.]*\) .*/\1/p' "$root/CMakeLists.txt")
	if [ "${changelog%%[!0-9.]*}" != "$upstream" ]; then
		echo "debian/changelog has version $changelog, but CMakeLists.txt has $upstream" >&2
		exit 1
	fi
	copy_tree "$work/lessor"
	cp -R "$here/debian" "$work/lessor/debian"
	if [ -n "$version" ]; then
		{
			printf 'lessor (%s) unstable; urgency=medium\n\n  * Test build.\n\n' "$version"
			sed -n '/^ -- /{p;q}' "$here/debian/changelog"
			echo
			cat "$here/debian/changelog"
		} >"$work/lessor/debian/changelog"
	fi
	(cd "$work/lessor" && dpkg-buildpackage -us -uc) >"$work/log" 2>&1 || report_errors "$work/log"
	rm -rf -- "$work/lessor"
	rm -f -- "$work/log"
	changes=$(cd "$work" && echo lessor_*.changes)
	mv -- "$work"/* "$out/"
	(cd "$out" && ls -l -- *.deb)
	[ -n "$lint" ] || return 0
	# No init script: the state directory, token, watchdog and sandbox come from systemd. A
	# lintian override would be unknown to later versions of lintian.
	tag="package-supports-alternative-init-but-no-init.d-script"
	set --
	! lintian-explain-tags "$tag" >/dev/null 2>&1 || set -- --suppress-tags "$tag"
	lintian --no-cfg --allow-root --display-info --pedantic "$@" \
		--fail-on error,warning,info,pedantic "$out/$changes"
	echo "lintian: no messages"
}

[ "$only" = rpm ] || build_debs
if [ "$only" != deb ] && [ -e "$here/build-rpm.sh" ]; then
	sh "$here/build-rpm.sh" --out "$out"
fi
