# SPDX-License-Identifier: BSD-3-Clause
# Sourced: install_packages TREE GROUP... installs what TREE/tests/packages names for the groups, if anything is missing.
# shellcheck shell=sh
install_packages() {
	tree=$1
	shift
	want=$(for group in "$@"; do sed -n "s/^$group: //p" "$tree/tests/packages"; done)
	set --
	for package in $want; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || set -- "$@" "$package"
	done
	[ $# = 0 ] && return 0
	[ "$(id -u)" = 0 ] || {
		echo "missing packages: $*; run as root to install them" >&2
		return 1
	}
	echo "installing: $*"
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } >"$tree/build/packages.log" 2>&1 || {
		tail -n 20 "$tree/build/packages.log" >&2
		return 1
	}
}
