#!/bin/bash
# lab-agent.sh NAME [HOSTS]: boots a lab host (two: NAME and NAMEb, whose guests share a network),
# each with lauxend and two guests that it launched, web, which needs db; and says how to look at
# it from here. On a host that is up it begins anew: no guests, lauxend as it is built now.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
first=${1:?NAME of the host} hosts=${2:-1}
case $hosts in 1 | 2) ;; *) echo "lab-agent.sh: one host or two, not $hosts" >&2 && exit 2 ;; esac
XEN_WORK=$(mktemp -d)
trap 'rm -rf "$XEN_WORK"' EXIT
echo "$first" >"$XEN_WORK/host"
# shellcheck source=tests/xen/lib.sh
. ./lib.sh
vmctl=$(dirname "$program")/vmctl

# do_ SENTENCE COMMAND...
do_() { ok "$@" || exit 1; }
supervision_conf=''

# up HOST WEB DB SUBNET: the guests have these names
up() {
	host=$1
	local web=$2 db=$3 web_ip=$4.11 db_ip=$4.12
	"$lab" status | grep -q "^$host:" || "$lab" up "$host" || exit 1
	snmp_port=$("$lab" port "$host" 161)
	do_ "$host has no guests" dom0 /lab/clean
	do_ "snmpd runs in Dom0" dom0 /lab/snmpd start
	do_ "$web is described: PV, a disk of the kernel's" guest -d 64 "$web" "$web_ip" 192
	do_ "$db is described: PVH, two processors, a qcow2 of QEMU's" guest -t pvh -v 2 -d 64 -Q "$db" "$db_ip" 192
	{
		conf_head
		vm "$web" "$web_ip" 'group = "front"' 'services = {"80/tcp"}' "needs = {\"$db\"}"
		vm "$db" "$db_ip" 'group = "back"' 'services = {"80/tcp"}'
	} >"$work/lauxen.conf"
	do_ "lauxend is in Dom0" put_lauxend
	do_ "its configuration is good" put_conf
	do_ "lauxend answers" agent_start
	do_ "a launch of all" request '*' launch
	do_ "is done: $db, then $web, which needs it" within 240 ended succeeded
	addresses+=("$host=127.0.0.1:$snmp_port")
}

awk -f mib-names.awk "$mib" >"$work/names"
addresses=()
up "$first" web db 10.99.0
[ "$hosts" = 1 ] || LAUXEN_LAB_JOIN=$first up "${first}b" web2 db2 10.99.1
conf=$("$lab" log "$first")/vmctl.conf
{
	echo 'profile "lab" { version = "2c" community = "steer" }'
	printf 'group "lab" { profile = "lab" hosts = {%s} }\n' "$(printf ',"%s"' "${addresses[@]}" | cut -c2-)"
} >"$conf"
chmod 600 "$conf"
cat <<-T

	Up: ${addresses[*]} (logs: $("$lab" log "$first")). From here, in $top:
	  $vmctl --file $conf list
	  $vmctl --file $conf pause web
	  export MIBDIRS=$top/build/mibs:$top/mib MIBS=LAUXEN-MIB
	  snmptable -v2c -c look -Ci -Cw 150 ${addresses[0]#*=} lxVmTable
	  snmpwalk  -v2c -c look ${addresses[0]#*=} lauxen
	  make lab-shell NAME=$first       a shell in Dom0: xl list, xl console web (^])
	  make lab-down NAME=$first        the end
T
