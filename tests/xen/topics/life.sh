#!/bin/bash
# life: a VM that lauxend starts, and every verb on it once: state, notifications, what
# xl and its port say. Then a guest that panics.
# limit: 480
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 uuid=6b6f2a5e-3f57-4a0e-9d0c-5c1d7e2a9b11

privileges() {
	dom0 ps -C lauxend -o user=,args= | awk '
		{ role = /--child/ ? $0 : "parent"; sub(/.*--child /, "", role); sub(/ .*/, "", role) }
		{ seen[role]++; if ($1 != (role ~ /^(parent|hypervisor)$/ ? "root" : "_lauxen")) wrong = 1 }
		{ print }
		END { exit wrong || !(seen["parent"] && seen["hypervisor"] && seen["engine"] && seen["agentx"]) }'
}
memory_agrees() { is lxVmMemory "$w" "$(listed web 4)" 2 2>/dev/null || is lxVmMemory "$w" "$(listed web 3)" 2; }
busy() {
	local used
	used=$(value lxVmCpuUsed "$w")
	between "lxVmCpuUsed, hundredths of a percent," "$used" 2000 11000
}
harmless() {
	ask "$w" "$1" >/dev/null 2>&1
	sleep 3
	is_label lxVmState "$w" running && port $web answers
}

begin() {
	ok "a guest is described" guest -u $uuid web $web 256
	with_agent < <(vm web $web)
	ok "parent and hypervisor run as root, the rest as _lauxen" within 20 privileges
	ok "lxVmTable has the VM" within 20 index_of web || bail "no row"
	w=$(index_of web)
	ok "lxHostName is as configured" is lxHostName 0 "$host"
	ok "the VM that nobody started is shut down" within 20 is_label lxVmState "$w" shutdown
}

check_figures() {
	local net cpu octets
	act web start running 120
	ok "the domain is in xl list" state_listed web '??????'
	ok "its port 80 answers" within 120 port $web answers
	ok "lxVmMemory is that of xl list" within 15 memory_agrees
	ok "lxVmOwner is lauxend" within 10 is_label lxVmOwner "$w" lauxend
	ok "lxVmUuid is the file's" is lxVmUuid "$w" $uuid
	ok "lxVmDomid is that of xl list" is lxVmDomid "$w" "$(listed web 2)"
	ok "vmOperState of VM-MIB is the same, in the same row" \
		same vmOperState "$(snmp snmpget -OvQe "1.3.6.1.2.1.236.1.4.1.6.$w")" "$(number lxVmState.running)"
	ok "lxHostMemoryTotal is that of xl info" \
		same memory "$(value lxHostMemoryTotal 0)" "$(dom0 xl info total_memory)" 2
	net=$w.$(first_of lxNetName "$w")
	cpu=$(value lxVmCpuTime "$w") octets=$(value lxNetOutOctets "$net")
	guest_says $web 'setsid yes >/dev/null & dd if=/dev/zero bs=1000 count=20' >/dev/null
	ok "lxVmCpuTime of a busy guest grows" within 20 grows lxVmCpuTime "$w" "$cpu"
	ok "lxVmCpuUsed says that it is busy" within 20 busy
	ok "lxNetOutOctets grows" within 20 grows lxNetOutOctets "$net" "$octets"
	guest_says $web 'killall yes' >/dev/null
}

check_pause() {
	act web pause paused
	ok "xl list says paused" state_listed web '--p---'
	ok "a connection to port 80 times out" port $web silent
	act web unpause running
	ok "port 80 answers again" within 10 port $web answers
	ok "unpause of a running VM is refused or harmless" harmless unpause
}

check_memory() {
	local since
	since=$(traps)
	ok "memory: the SET of lxVmMemoryTarget is accepted" set_to lxVmMemoryTarget "$w" u 192
	ok "memory: xl list says 192" within 30 memory_listed web 192
	ok "memory: lxVmMemory says 192" within 30 is lxVmMemory "$w" 192 2
	ok "memory: lxRequestFinished says succeeded" within 30 finished "$since" web memory succeeded
	ok "memory: back to 256" set_to lxVmMemoryTarget "$w" u 256
	ok "memory: xl list says 256" within 30 memory_listed web 256
	ok "memory: 0 is refused" refused wrongValue lxVmMemoryTarget "$w" u 0
	ok "memory: more than the most is refused" refused inconsistentValue lxVmMemoryTarget "$w" u 4096
	ok "an unknown verb is refused" refused wrongValue lxVmRequest "$w" i 99
	ok "port 80 still answers" port $web answers
}

check_life() {
	local id
	id=$(listed web 2)
	act web reboot running 120
	ok "reboot: the domain is another one" within 60 domid_is_not web "$id"
	ok "reboot: port 80 answers" within 120 port $web answers

	act web save suspended 120
	ok "save: the domain is gone" within 10 gone web
	act web restore running 120
	ok "restore: port 80 answers" within 120 port $web answers

	act web shutdown shutdown 120
	ok "shutdown: the domain is gone" within 10 gone web
	ok "shutdown: port 80 is dead" port $web dead
	act web start running 120
	ok "start: port 80 answers" within 120 port $web answers
	act web destroy shutdown 30
	ok "destroy: the domain is gone" within 10 gone web
}

check_panic() {
	local since
	act web start running 120
	ok "start: port 80 answers" within 120 port $web answers
	since=$(traps)
	guest_says $web 'echo c >/proc/sysrq-trigger' >/dev/null
	ok "a guest's panic is notified" within 30 notified "$since" lxVmCrashed lxVmName web
	ok "lxVmState becomes crashed" within 20 is_label lxVmState "$w" crashed
	since=$(traps)
	ok "it can be started again" ask "$w" start
	ok "lxVmState becomes running" within 120 is_label lxVmState "$w" running
	ok "its port 80 answers" within 120 port $web answers
	ok "lxVmRecovered says running" within 15 notified "$since" \
		lxVmRecovered lxVmName web lxVmState "$(number lxVmState.running)"
}

begin
check_figures
check_pause
check_memory
check_life
check_panic
topic_done
