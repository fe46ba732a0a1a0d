#!/bin/bash
# What the VM's file says to its death (on_poweroff, on_reboot, on_crash) is done, on a simulated host.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

mib/get-base-mibs.sh build/mibs || exit 2
lx_begin
LX_MIBS="-M $PWD/build/mibs:$PWD/mib -m LAUXEN-MIB"

policies="destroy restart preserve rename-restart coredump-destroy coredump-restart"
sections=
for policy in $policies; do
	cat >"$LX_DIR/$policy.cfg" <<-END
		name = "$policy"
		memory = 64
		vcpus = 1
		on_poweroff = "$policy"
		on_reboot = "$policy"
		on_crash = "$policy"
		simxen_boot_ms = 100
		simxen_shutdown_ms = 50
	END
	sections+="vm \"$policy\" { file = \"$LX_DIR/$policy.cfg\" }"$'\n'
done
LX_HV_CONF='interval = "500ms" silence = "2s"'
lx_simxen --seed 1
lx_trapd "$LX_DIR/traps"
lx_snmpd
lx_config "$sections"
lx_lauxend -v

domid() { lx_get "$LX_VM.4.$1"; }
another() { [ "$(domid "$1")" -gt "$2" ]; }
owned() { [ "$(lx_get "$LX_VM.26.$1")" = 3 ] && [ "$(domid "$1")" -gt 0 ]; }
cores() { find "$LX_DIR/save" -name '*.core' | wc -l; }
# the domains of a VM, dead ones and those that were set aside too
domains() { lx_sim list | awk -v n="$1" '$1 == n || index($1, n "-") == 1 && $1 ~ /-[0-9]+$/' | wc -l; }
domains_are() { [ "$(domains "$1")" = "$2" ]; }
cores_are() { [ "$(cores)" = "$1" ]; }

# dies HOW VM STATE DOMAINS CORES [new]: what is left of it once it has died
dies() {
	local how=$1 vm=$2 state=$3 count=$4 more=$5 index id before
	index=$(lx_index "$vm") before=$(cores)
	if ! lx_state_is "$vm" 4; then
		lx_set "$LX_CONTROL.1.$index" i 2 >/dev/null
	fi
	check_wait 15 "$vm, $how: it runs" lx_state_is "$vm" 4
	check_wait 15 "$vm, $how: it is lauxend's" owned "$index"
	id=$(domid "$index")
	check "$vm: $how" lx_sim "$how" "$vm"
	[ -z "${6:-}" ] || check_wait 20 "$vm, $how: it has a new domain" another "$index" "$id"
	check_wait 20 "$vm, $how: its state" lx_state_is "$vm" "$state"
	check_wait 10 "$vm, $how: domains that are left" domains_are "$vm" "$count"
	check_wait 10 "$vm, $how: core dumps" cores_are $((before + more))
}

dies crash destroy 12 0 0
dies crash restart 4 1 0 new
dies crash preserve 12 1 0
dies crash rename-restart 4 2 0 new
dies crash coredump-destroy 12 0 1
dies crash coredump-restart 4 1 1 new
dies poweroff destroy 11 0 0
dies greboot restart 4 1 0 new
dies poweroff coredump-destroy 11 0 0
dies greboot coredump-restart 4 1 0 new

check_is "what was set aside has a row of its own: crashed, found on the host" \
	"$(for i in $(lx_walk $LX_VM_NAME | sed -n 's/^.*\.\([0-9]*\) = STRING: "rename-restart-.*/\1/p'); do
		lx_get "$LX_VM_STATE.$i" "$LX_VM.8.$i" | paste -sd' '
	done)" "12 2"
check_is "no VM was taken for another" "$(grep -c lxVmIdentityChanged "$LX_TRAPS")" 0
index=$(lx_index preserve)
check "what is preserved stands in the way of a start, which is accepted" lx_set "$LX_CONTROL.1.$index" i 2
check_wait 10 "and fails with the reason" grep -q 'preserve: start failed: its dead domain .* destroy it first' "$LX_TRAPS"
check "it can be destroyed" lx_set "$LX_CONTROL.1.$index" i 7
check_wait 10 "then no domain is left" domains_are preserve 0
check "and started" lx_set "$LX_CONTROL.1.$index" i 2
check_wait 15 "it runs" lx_state_is preserve 4
check_wait 15 "it is lauxend's" owned "$index"
check "it powers off, and is preserved" lx_sim poweroff preserve
check_wait 15 "its state is shutdown" lx_state_is preserve 11
check "it can be destroyed in this state too, as it has a domain" lx_set "$LX_CONTROL.1.$index" i 7
check_wait 10 "then no domain is left" domains_are preserve 0
check "without a domain it cannot" \
	bash -c "! snmpset -v2c -c private -r0 -t5 $LX_AGENT $LX_CONTROL.1.$(lx_index coredump-destroy) i 7"
lx_done
