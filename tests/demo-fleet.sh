#!/bin/bash
# The last part of `make demo`: four Dom0s, each in a network namespace of its own with simxen, snmpd and
# lauxend, shown and steered as one by vmctl. Leaves nothing running and nothing behind.
cd "$(dirname "$0")/.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/fleet.sh
. tests/fleet.sh

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
skipped() { step "10. Four Dom0s as one: left out, as $1"; exit 0; }
fail() { echo "demo: $1" >&2; exit 1; }
# show ARGUMENT...: what a person types, and what vmctl says.
show() {
	printf '%s$ vmctl %s%s\n' "$bold" "$*" "$plain"
	vmctl "$@" </dev/null
}

command -v ip >/dev/null || skipped "there is no ip(8); apt-get install iproute2"
fleet_enter "$@" || skipped "no network namespace can be made here (it takes root, or user namespaces)"
[ -w /proc/sys/net/ipv4/conf/all/route_localnet ] ||
	skipped "/proc/sys/net is read-only here, and VMs of one Dom0 could not reach those of another"

lx_begin
step "10. Four Dom0s as one: vmctl, by SNMPv3 with SHA-256 and AES"
fleet_net && fleet_shop || fail "the four Dom0s do not come up"
show hosts -o host,address,status,hypervisorState=HYPERVISOR,vms,memoryFree,agent.version=AGENT
show list -o name,host,state,health,group
echo "What needs what, over all hosts:"
show deps

step "11. A launch over the hosts: each VM when what it needs answers, wherever that is"
show launch proxy --dry-run
show launch proxy || fail "the launch failed"
show list -o name,host,state,health,memory,lastChange=CHANGED,group

step "12. db is paused: what needs it, on other hosts, is paused as well; and goes on with it"
show pause db
front_is() { [ "$(vmctl state proxy -o state --no-header 2>/dev/null)" = "$1" ]; }
lx_wait 15 front_is paused || fail "proxy was not paused"
show check group:front
show unpause db
fine() { vmctl check --all; }
lx_wait 15 fine || fail "not all is well again"
show check --all
echo "What happened meanwhile on dom0-a, from its journal:"
show events -H dom0-a proxy --last 2 --no-header -o type,vmName,state,text

step "13. A Dom0 is cut off: it delays nobody, and its VMs are shown as last known"
fleet_cut dom0-c
show list state:running -o name,host,state,health,age
fleet_mend dom0-c
all_answer() { vmctl hosts; }
lx_wait 10 all_answer || fail "dom0-c is not back"

step "14. And all of it off, dependents first"
show shutdown --all --yes || fail "the shutdown failed"
