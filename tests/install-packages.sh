#!/bin/sh
# Installs the packages of the named lists (tests/packages/NAME, or a path) that are missing; as root,
# or by sudo. A service that a package would start (snmpd, snmptrapd) is kept from starting, now and
# at the next boot: the demo and the tests run their own.
#
# usage: tests/install-packages.sh LIST...
set -u
cd "$(dirname "$0")/.." || exit 1

wanted=
for list in "$@"; do
	[ -f "$list" ] || list=tests/packages/$list
	[ -f "$list" ] || { echo "$0: there is no list $list" >&2; exit 2; }
	wanted="$wanted $(sed 's/#.*//' "$list" | tr '\n' ' ')"
done

missing=
for package in $wanted; do
	# npm and nodejs may have come without Debian's packages.
	case $package in nodejs) command -v node >/dev/null && continue ;; npm) command -v npm >/dev/null && continue ;; esac
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
		missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "$0: to install$missing be root, or have sudo" >&2; exit 1; }
	as_root=sudo
fi

echo "installing:$missing"
keep_down() { # a policy that lets no package start its service, for as long as this runs
	[ ! -e /usr/sbin/policy-rc.d ] || $as_root mv /usr/sbin/policy-rc.d /usr/sbin/policy-rc.d.lauxen
	printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
	$as_root chmod 755 /usr/sbin/policy-rc.d
}
let_up() {
	$as_root rm -f /usr/sbin/policy-rc.d
	[ ! -e /usr/sbin/policy-rc.d.lauxen ] || $as_root mv /usr/sbin/policy-rc.d.lauxen /usr/sbin/policy-rc.d
}
keep_down
trap 'let_up' EXIT
trap 'exit 1' HUP INT TERM

log=$(mktemp)
install_all() {
	# shellcheck disable=SC2086 # a list of words
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
		install -y --no-install-recommends $missing >"$log" 2>&1
}
if ! install_all; then
	$as_root apt-get -qq update >"$log" 2>&1
	if ! install_all; then
		tail -n 20 "$log" >&2
		echo "$0: apt-get could not install$missing" >&2
		rm -f "$log"
		exit 1
	fi
fi
rm -f "$log"
if [ -d /run/systemd/system ]; then
	for service in snmpd snmptrapd; do
		case "$missing " in
		*" $service "*) $as_root systemctl -q disable "$service.service" "$service.socket" 2>/dev/null ;;
		esac
	done
fi
exit 0
