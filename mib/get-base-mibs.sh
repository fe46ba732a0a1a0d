#!/bin/sh
# Puts the base modules that LAUXEN-MIB imports (and INET-ADDRESS-MIB, for VM-MIB) into a folder:
# those that Debian ships with Erlang's SNMP, taken out of the package as they are. Nothing is
# installed.
#
# usage: mib/get-base-mibs.sh DIR
modules="SNMPv2-SMI SNMPv2-TC SNMPv2-CONF SNMPv2-MIB SNMP-FRAMEWORK-MIB INET-ADDRESS-MIB"

[ $# = 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
mkdir -p "$1" || exit 1
to=$(cd "$1" && pwd) || exit 1

missing=no
for module in $modules; do
	[ -s "$to/$module.mib" ] || missing=yes
done
[ $missing = no ] && exit 0

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
chmod 755 "$work" # apt's own user writes here, where root asks
[ "$(id -u)" != 0 ] || chown _apt "$work" 2>/dev/null

cd "$work" || exit 1
if ! apt-get -qq download erlang-snmp >log 2>&1; then
	cat log >&2
	echo "$0: cannot get the package erlang-snmp; is there a network, has 'apt-get update' run?" >&2
	exit 1
fi
dpkg -x erlang-snmp_*.deb tree || exit 1
for module in $modules; do
	from=$(find tree -name "$module.mib" -type f)
	if [ -z "$from" ]; then
		echo "$0: this erlang-snmp has no $module" >&2
		exit 1
	fi
	cp "$from" "$to/$module.mib" || exit 1
done
