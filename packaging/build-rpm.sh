#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds the rpms lessord, lessord-postgresql, lessor and lessor-devel, their debug symbols and the
# source rpm.
#
# On Fedora and EL this only runs rpmbuild. On Debian packaging/rpm/macros.debian replaces
# Fedora's macros, and the build dependencies have Debian's names, not the spec's. Such rpms are
# for inspection only: they require Debian's library versions (libcurl.so.4(CURL_OPENSSL_4)),
# which Fedora does not have.
set -eu

usage() {
	cat <<-EOF
	usage: sh packaging/build-rpm.sh [--out DIR] [--release N]

	  --out DIR    output directory (default: build-packages in the source tree)
	  --release N  release number of the packages (default: 1)
	EOF
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(dirname -- "$here")
out=$root/build-packages
release=1

while [ $# -gt 0 ]; do
	case $1 in
	--out | --release)
		[ $# -gt 1 ] || { usage >&2; exit 2; }
		case $1 in
		--out) out=$2 ;;
		*) release=$2 ;;
		esac
		shift
		;;
	--help) usage; exit 0 ;;
	*) usage >&2; exit 2 ;;
	esac
	shift
done
case $release in '' | *[!0-9]*) usage >&2; exit 2 ;; esac

umask 022
debian=
! command -v dpkg-query >/dev/null || debian=1
if [ -n "$debian" ]; then
	# shellcheck source=packaging/packages.sh
	. "$here/packages.sh"
	# shellcheck disable=SC2086
	packages_install $packages_build $packages_rpm
fi

version=$(sed -n 's/^project(lessor VERSION \([0-9.]*\) .*/\1/p' "$root/CMakeLists.txt")
spec=$(sed -n 's/^Version: *//p' "$here/lessor.spec")
if [ "$version" != "$spec" ]; then
	echo "lessor.spec has version $spec, but CMakeLists.txt has $version" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p "$work/SOURCES" "$out"

# The working tree, including uncommitted changes: tracked files that exist, or without git (a
# release) everything except build directories.
names() {
	if git -C "$root" rev-parse --git-dir >/dev/null 2>&1; then
		git -C "$root" ls-files -z
	else
		(cd "$root" && find . -mindepth 1 -type d -name 'build*' -prune -o ! -type d -print0)
	fi
}
# shellcheck disable=SC2016
names | (cd "$root" && xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' sh) \
	>"$work/names"
made=$(git -C "$root" log -1 --format=%ct 2>/dev/null) || made=$(stat -c %Y "$root/CMakeLists.txt")
tar -C "$root" --no-recursion --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$made" \
	--transform "s,^\./,,;s,^,lessor-$version/," --null --files-from="$work/names" -czf \
	"$work/SOURCES/lessor-$version.tar.gz"

# For reproducible packages: the time of the source, not of the build.
SOURCE_DATE_EPOCH=$made
export SOURCE_DATE_EPOCH
set -- --define "_topdir $work" --define "lessor_release $release" \
	--define "use_source_date_epoch_as_buildtime 1" \
	--define "clamp_mtime_to_source_date_epoch 1"
# Debian has neither Fedora's macros nor its package names.
[ -z "$debian" ] || set -- "$@" --nodeps --load "$here/rpm/macros.debian"
if ! rpmbuild -ba "$@" "$here/lessor.spec" >"$work/log" 2>&1; then
	# The errors may be anywhere in the log.
	grep -E '(error|warning): |undefined reference' "$work/log" | tail -n 30 | cut -c 1-300 >&2
	tail -n 12 "$work/log" | cut -c 1-300 >&2
	exit 1
fi
find "$work/RPMS" "$work/SRPMS" -name '*.rpm' -exec mv -- '{}' "$out/" \;
(cd "$out" && ls -l -- *.rpm)
