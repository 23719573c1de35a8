# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What is needed to build and to test, by Debian's names. Sourced by quickstart.sh and by
# tests/run.sh; defines functions and variables, does nothing.

# shellcheck disable=SC2034
packages_build="gcc libc6-dev cmake ninja-build pkg-config libevent-dev libcurl4-openssl-dev
	libjansson-dev libsqlite3-dev libssl-dev zlib1g-dev libinih-dev libsmartcols-dev libcmocka-dev curl"
# shellcheck disable=SC2034
packages_test="g++ clang clang-format clang-tidy libclang-rt-14-dev python3 python3-yaml python3-h11 hcloud-cli shellcheck
	openssl make binutils patch systemd mandoc zsh fish"

# What the simulated cloud's machines are made of (hetzner-sim --boxes), and its client.
# shellcheck disable=SC2034
packages_boxes="openssh-server openssh-client rsync git curl jq tmux util-linux procps"

# shellcheck disable=SC2034
packages_rpm="rpm debugedit elfutils cpio file"
# shellcheck disable=SC2034
packages_deb="debhelper dpkg-dev git lintian"
# shellcheck disable=SC2034
packages_roots="debootstrap iproute2 systemd-container util-linux"

# Those of the arguments that are not installed.
packages_missing() {
	for package in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

# Runs a command while nothing may start a service. Whoever has a policy already knows best.
packages_without_services() (
	policy=/usr/sbin/policy-rc.d
	if ! [ -e "$policy" ]; then
		trap '$sudo rm -f "$policy"' EXIT
		trap 'exit 130' INT TERM HUP
		printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null || exit 1
		$sudo chmod 755 "$policy" || exit 1
	fi
	"$@"
)

packages_apt() {
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@" \
		>/dev/null
}

# Installs what is missing, as root or through sudo; nothing and no network when all is there.
packages_install() {
	if ! command -v dpkg-query >/dev/null; then
		echo "This is not Debian: please see to these yourself: $*" >&2
		return 0
	fi
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "Not installed, and there is no sudo to do it with: $missing" >&2
			return 1
		}
		sudo=sudo
	fi
	echo "Installing: $missing"
	$sudo apt-get update -qq || echo "apt-get update failed; trying with the lists that are here" >&2
	case " $missing" in
	*" openssh-server "*)
		# For its program alone: it is neither started now nor when the system starts.
		packages_without_services packages_apt openssh-server || return 1
		! command -v systemctl >/dev/null ||
			$sudo systemctl --quiet disable ssh.service ssh.socket 2>/dev/null || true
		;;
	esac
	# shellcheck disable=SC2086
	packages_apt $missing
}
