#!/bin/bash
# lab-agent.sh NAME: boots a lab host, with lauxend and two guests that it started, and
# says how to look at it from here. On a host that is up it begins anew: no guests,
# lauxend as it is built now.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
host=${1:?NAME of the host}
XEN_WORK=$(mktemp -d)
trap 'rm -rf "$XEN_WORK"' EXIT
echo "$host" >"$XEN_WORK/host"
# shellcheck source=tests/xen/lib.sh
. ./lib.sh

# do_ SENTENCE COMMAND...
do_() { ok "$@" || exit 1; }
running() { is_label lxVmState "$(index_of "$1")" running; }
web=10.99.0.11 db=10.99.0.12

awk -f mib-names.awk "$mib" >"$work/names"
"$lab" status | grep -q "^$host:" || "$lab" up "$host" || exit 1
snmp_port=$("$lab" port "$host" 161)
do_ "the host has no guests" dom0 /lab/clean
do_ "snmpd runs in Dom0" dom0 /lab/snmpd start
do_ "web is described: PV, a disk of the kernel's" guest -d 64 web $web 192
do_ "db is described: PVH, two processors, a qcow2 of QEMU's" guest -t pvh -v 2 -d 64 -Q db $db 192
{ conf_head; vm web $web 'group = "front"'; vm db $db 'group = "back"'; } >"$work/lauxen.conf"
do_ "lauxend is in Dom0" put_lauxend
do_ "its configuration is good" put_conf
do_ "lauxend answers" agent_start
for vm in web db; do
	do_ "SET: $vm starts" within 60 ask "$(index_of $vm)" start
	do_ "$vm runs" within 120 running $vm
	do_ "its port 80 answers" within 120 port "${!vm}" answers
done
cat <<-T

	Host $host is up (logs: $("$lab" log "$host")). From here, in $top:
	  export MIBDIRS=$top/build/mibs:$top/mib MIBS=LAUXEN-MIB
	  snmptable -v2c -c look -Ci -Cw 150 127.0.0.1:$snmp_port lxVmTable
	  snmpwalk  -v2c -c look 127.0.0.1:$snmp_port lauxen
	  snmpset   -v2c -c steer 127.0.0.1:$snmp_port lxVmRequest.$(index_of web) i pause
	  make lab-shell NAME=$host        a shell in Dom0: xl list, xl console web (^])
	  make lab-down NAME=$host         the end
T
