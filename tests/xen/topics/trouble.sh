#!/bin/bash
# trouble: of the toolstack and of Dom0. States stay true or unknown, SNMP answers, the other
# VMs are watched on, all is back by itself; an event each way.
# limit: 900
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 hand=10.99.0.12 slow=10.99.0.13

silence=8s hypervisor_conf='action-timeout = "60s"'

lost() { ok "$1: lxFiguresLost is notified" within 60 notified "$since" lxFiguresLost; }
restored() {
	ok "$1: lxFiguresRestored is notified" within 60 notified "$since" lxFiguresRestored
	ok "$1: the hypervisor was never taken for lost" not notified "$since" lxHypervisorLost
}
answers() { # at once, though the figures hang
	local begun=${EPOCHREALTIME/./}
	value lxHostName 0 >/dev/null || return
	between "microseconds for a GET" $((${EPOCHREALTIME/./} - begun)) 0 2000000
}
all_run() {
	local vm
	for vm in web hand; do
		is_label lxVmState "$(index_of $vm)" running || return
	done
}
undo='pkill -CONT xenstored; pkill -CONT xen-qemu; rm -f /var/lib/lauxen/filler /dev/shm/filler /etc/xen/scripts/vif-hang'
topic_cleanup() { dom0 "$undo; pkill -f '[v]if-hang'; :"; }

check_xenstored() {
	since=$(traps)
	ok "xenstored is stopped" dom0 'pkill -STOP xenstored'
	lost xenstored
	ok "SNMP answers" answers
	ok "states are true" all_run
	ok "what figures are not known are not there" within 20 missing lxVmMemoryMax "$w"
	ok "a pause by SET is done all the same" ask "$w" pause
	ok "lxVmState becomes paused" within 30 is_label lxVmState "$w" paused
	ok "unpause by SET" ask "$w" unpause
	ok "lxVmState becomes running" within 30 is_label lxVmState "$w" running
	ok "web panics" guest_says $web 'echo c >/proc/sysrq-trigger'
	ok "a panic is seen, and notified" within 30 notified "$since" lxVmCrashed lxVmName web
	ok "xenstored goes on" dom0 'pkill -CONT xenstored'
	restored xenstored
	ok "the dead domain is removed, as its file says" within 90 gone web
	ok "web is crashed" is_label lxVmState "$w" crashed
	ok "it can be started" ask "$w" start
	ok "it runs" within 60 is_label lxVmState "$w" running
	ok "it answers" within 120 port $web answers
}

check_qemu() {
	since=$(traps)
	ok "the QEMU of hand's disk is stopped" dom0 'pkill -STOP xen-qemu'
	before=$(value lxVmCpuTime "$w")
	sleep 10
	ok "SNMP answers" answers
	ok "states are true" all_run
	ok "figures go on" within 20 grows lxVmCpuTime "$w" "$before"
	ok "nothing was lost" not notified "$since" lxFiguresLost
	ok "a pause by SET" ask "$w" pause
	ok "is done" within 30 is_label lxVmState "$w" paused
	ok "an unpause" ask "$w" unpause
	ok "is done" within 30 is_label lxVmState "$w" running
	ok "QEMU goes on" dom0 'pkill -CONT xen-qemu'
	ok "hand answers" within 30 port $hand answers
}

# The script that connects a guest's interface never ends.
check_hotplug() {
	since=$(traps)
	ok "a hotplug script that hangs" dom0 \
		'{ echo "#!/bin/sh"; echo "[ \$1 != online ] || exec sleep 600"; } >/etc/xen/scripts/vif-hang; chmod +x /etc/xen/scripts/vif-hang'
	ok "a guest with it" guest -u new -s vif-hang slow $slow 96
	s=$(index_of slow)
	ok "its start is accepted" ask "$s" start
	ok "lxVmState becomes preparing" within 20 is_label lxVmState "$s" preparing
	ok "another VM is steered meanwhile" ask "$w" pause
	ok "and is paused" within 20 is_label lxVmState "$w" paused
	ask "$w" unpause
	ok "the start ends in time, and says so" within 110 notified "$since" lxRequestFinished lxVmName slow
	ok "lxVmState becomes shutdown" within 60 is_label lxVmState "$s" shutdown
	ok "no domain is left of it" within 30 gone slow
	ok "no interface, no script" within 30 dom0 "[ -z \"\$(ls /sys/class/net | grep -v 'vif[0-9]*\\.0-emu' | grep -c '^vif' | grep -v '^2$')\" ] && ! pgrep -f '[s]leep 600'"
	ok "web runs" within 20 is_label lxVmState "$w" running
}

check_memory() {
	since=$(traps)
	allow_crash 'Out of memory'
	ok "something in Dom0 eats memory until it is killed" dom0 'timeout 60 tail /dev/zero; [ $? != 124 ]'
	ok "SNMP answers" within 30 answers
	ok "the hypervisor answers" within 30 agent_answers
	ok "states are true" within 30 all_run
	ok "memory but for 24 MiB is taken for a while" dom0 \
		'free=$(awk "/MemAvailable/ { print int(\$2 / 1024) }" /proc/meminfo); mount -t tmpfs -o size=1g none /mnt; dd if=/dev/zero of=/mnt/filler bs=1M count=$((free - 24)) 2>/dev/null'
	ok "SNMP answers" within 20 answers
	ok "a pause by SET" ask "$w" pause
	ok "lxVmState becomes paused" within 60 is_label lxVmState "$w" paused
	ok "the memory is free again" dom0 'umount /mnt'
	ok "unpause by SET" ask "$w" unpause
	ok "lxVmState becomes running" within 60 is_label lxVmState "$w" running
	ok "all of lauxend is there" within 30 dom0 '[ "$(pgrep -c -x lauxend)" -ge 4 ]'
	ok "guests answer" port $web answers
}

check_disk() {
	since=$(traps)
	ok "the disk of lauxend's store is full" dom0 \
		'fallocate -l $(($(stat -f -c "%a * %S" /var/lib/lauxen))) /var/lib/lauxen/filler; dd if=/dev/zero of=/var/lib/lauxen/filler2 bs=1k 2>/dev/null; [ -s /var/lib/lauxen/filler ]'
	ok "xl pause by hand, of which an event is to be stored" dom0 xl pause web
	ok "lxVmState becomes paused" within 20 is_label lxVmState "$w" paused
	ok "and is notified, though it cannot be stored" within 20 state_notified "$since" web paused
	ok "lxStoreDegraded is notified" within 60 notified "$since" lxStoreDegraded
	ok "a SET is refused, as it could not be kept" not snmp snmpset "$(number lxVmRequest).$w" i "$(number lxVmRequest.unpause)"
	ok "nothing was done" is_label lxVmState "$w" paused
	ok "there is room again" dom0 'rm /var/lib/lauxen/filler /var/lib/lauxen/filler2'
	ok "lxStoreRestored is notified" within 90 notified "$since" lxStoreRestored
	ok "a SET is accepted" ask "$w" unpause
	ok "and done" within 30 is_label lxVmState "$w" running
}

ok "xl creates a guest with a QEMU for its disk" start_guest -d 16 -q -u new hand $hand 128
ok "another is described" guest -d 16 -u new web $web 128
ok "a third one" guest -u new slow $slow 96
with_agent < <(vm web $web; vm slow $slow)
w=$(index_of web)
act web start running 120
ok "it answers" within 120 port $web answers
check_xenstored
check_qemu
check_hotplug
check_memory
check_disk
topic_done
