#!/bin/bash
# What a manager sees by name: the agent's tables through net-snmp's tools with the modules loaded.
#   VM_MIB_DIR  a folder with VM-MIB and what it imports; else net-snmp's usual folders are searched,
#               and where they have none, its part is skipped
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
mibs=$PWD/build/mibs
if ! mib/get-base-mibs.sh "$mibs" >/dev/null 2>&1; then
	skip "LAUXEN-MIB by name" "the base modules cannot be had: no network?"
	lx_done
fi
lx_begin
lx_snmpd
lx_simxen --boot-ms 500
cat >"$LX_DIR/www.cfg" <<-END
	name = "www"
	uuid = "6f1c7d0e-58a4-4f1b-9c3f-2d5e8b7a9f10"
	memory = 256
	maxmem = 512
	vcpus = 2
END
lx_config "vm \"www\" { file = \"$LX_DIR/www.cfg\" }"
lx_lauxend

named() { # TOOL ARGUMENTS...
	"$1" -v2c -c private -M "$mibs:$PWD/mib" -m LAUXEN-MIB -r1 -t5 "${@:2}" 2>&1
}
walk=$(named snmpwalk "$LX_AGENT" LAUXEN-MIB::lauxenMIB)
check_is "every object has its name" "$(grep -v '^LAUXEN-MIB::lx' <<<"$walk" | head -3)" ""
check_is "every value has the type of its SYNTAX" "$(grep -iE 'wrong type|wrong size' <<<"$walk" | head -3)" ""
echo "$walk" >"$LX_DIR/walk"
check "the VM's row is there" grep -q '^LAUXEN-MIB::lxVmName.1 = STRING: www$' "$LX_DIR/walk"
check "its UUID is text of 36 characters" \
	grep -q '^LAUXEN-MIB::lxVmUuid.1 = STRING: 6f1c7d0e-58a4-4f1b-9c3f-2d5e8b7a9f10$' "$LX_DIR/walk"
check "start by name" named snmpset "$LX_AGENT" LAUXEN-MIB::lxVmRequest.1 i start
running() { named snmpget -Oqv "$LX_AGENT" LAUXEN-MIB::lxVmState.1 | grep -qx running; }
check_wait 30 "it runs" running
hinted() { named snmpget -Oqv "$LX_AGENT" LAUXEN-MIB::lxVmCpuUsed.1 | grep -qE '^[0-9]*\.[0-9][0-9] percent'; }
check_wait 30 "CPU use is shown with two decimals and its unit" hinted
check_is "a table by name has a column for each object" \
	"$(named snmptable -CH -Cf '|' "$LX_AGENT" LAUXEN-MIB::lxVmTable | head -1 | tr -cd '|' | wc -c)" 27
check_is "memory(10) by lxVmRequest is refused" \
	"$(named snmpset "$LX_AGENT" LAUXEN-MIB::lxVmRequest.1 i memory | grep -c wrongValue)" 1

for dir in "${VM_MIB_DIR:-}" /usr/local/share/snmp/mibs /usr/share/snmp/mibs /usr/share/snmp/mibs/ietf \
	/var/lib/mibs/ietf "$HOME/.snmp/mibs"; do
	[ -n "$dir" ] && grep -qs '^VM-MIB DEFINITIONS' "$dir"/* && break
	dir=
done
if [ -z "$dir" ]; then
	skip "VM-MIB by name" "VM-MIB is not on this machine (INSTALL says where it comes from)"
	lx_done
fi
walk=$(snmpwalk -v2c -c public -M "$mibs:$dir:${dir%/ietf}/iana" -m VM-MIB "$LX_AGENT" VM-MIB::vmMIB 2>&1)
check_is "every object of VM-MIB has its name" "$(grep -v '^VM-MIB::vm' <<<"$walk" | head -3)" ""
check_is "every value of VM-MIB has the type of its SYNTAX" "$(grep -iE 'wrong type|wrong size' <<<"$walk" | head -3)" ""
echo "$walk" >"$LX_DIR/walk"
check "vmUUID is the 16 octets" \
	grep -qi '^VM-MIB::vmUUID.1 = STRING: 6f1c7d0e-58a4-4f1b-9c3f-2d5e8b7a9f10' "$LX_DIR/walk"
check "vmOperState has the name of RFC 7666" \
	grep -q '^VM-MIB::vmOperState.1 = INTEGER: running(4)$' "$LX_DIR/walk"
lx_done
