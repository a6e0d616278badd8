# SPDX-License-Identifier: BSD-3-Clause
# Sourced: install_packages GROUP... installs what tests/packages names for the groups, if anything is missing.
# shellcheck shell=sh
install_packages() {
	file=$root/tests/packages
	want=
	for group in "$@"; do
		want="$want $(sed -n "s/^$group: //p" "$file")"
	done
	missing=
	for package in $want; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
	done
	[ -z "$missing" ] && return 0
	[ "$(id -u)" = 0 ] || {
		echo "missing packages:$missing; run as root to install them" >&2
		return 1
	}
	echo "installing:$missing"
	{ apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing; } >"$root/build/packages.log" 2>&1 || {
		tail -n 20 "$root/build/packages.log" >&2
		return 1
	}
}
