# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# Debian packages needed to build and test. Sourced by the scripts here and in tests/; only
# defines functions and variables.

# shellcheck disable=SC2034
packages_build="gcc libc6-dev cmake ninja-build pkg-config libevent-dev libcurl4-openssl-dev
	libjansson-dev libsqlite3-dev libssl-dev zlib1g-dev libinih-dev libsmartcols-dev libpq-dev libcmocka-dev curl"
# shellcheck disable=SC2034
packages_test="g++ clang clang-format clang-tidy libclang-rt-14-dev python3 python3-venv python3-yaml python3-h11 hcloud-cli shellcheck
	openssl postgresql e2fsprogs make binutils patch systemd mandoc zsh fish prometheus chromium"
# Several lessord on one database: the language of one of the tests' checkers.
# shellcheck disable=SC2034
packages_storm="golang-go"

# For the simulated cloud's machines (hetzner-sim --boxes) and their client.
# shellcheck disable=SC2034
packages_boxes="openssh-server openssh-client rsync git curl jq tmux util-linux procps"

# shellcheck disable=SC2034
packages_rpm="rpm debugedit elfutils cpio file"
# shellcheck disable=SC2034
packages_deb="debhelper dpkg-dev git lintian"
# shellcheck disable=SC2034
packages_roots="debootstrap iproute2 systemd-container util-linux"

# Prints those of its arguments that are not installed.
packages_missing() {
	for package in "$@"; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

# Runs a command with service starts disabled. An existing policy-rc.d is left alone.
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

# Installs missing packages, as root or with sudo. Does not use the network if none is missing.
packages_install() {
	if ! command -v dpkg-query >/dev/null; then
		echo "This is not Debian. Install the equivalents of these packages: $*" >&2
		return 0
	fi
	missing=$(packages_missing "$@")
	[ -n "$missing" ] || return 0
	sudo=
	if [ "$(id -u)" -ne 0 ]; then
		command -v sudo >/dev/null || {
			echo "Missing packages, and sudo is not available to install them: $missing" >&2
			return 1
		}
		sudo=sudo
	fi
	echo "Installing: $missing"
	$sudo apt-get update -qq || echo "apt-get update failed; using the existing package lists" >&2
	case " $missing" in
	*" openssh-server "*)
		# Only the program is needed: do not start the service now or at boot.
		packages_without_services packages_apt openssh-server || return 1
		! command -v systemctl >/dev/null ||
			$sudo systemctl --quiet disable ssh.service ssh.socket 2>/dev/null || true
		;;
	esac
	# The tests start clusters of their own, and need only a tool of the other.
	for service in postgresql prometheus; do
		case " $missing" in
		*" $service "*)
			packages_without_services packages_apt "$service" || return 1
			! command -v systemctl >/dev/null ||
				$sudo systemctl --quiet disable "$service.service" 2>/dev/null || true
			;;
		esac
	done
	# shellcheck disable=SC2086
	packages_apt $missing
}
