#!/bin/bash
# deaths: how a guest ended, told apart, and what its file says to that, done.
# limit: 1200
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 hand=10.99.0.12 uuid=6b6f2a5e-3f57-4a0e-9d0c-5c1d7e2a9b11
save=/var/lib/lauxen-save

poweroff() { ok "$1 powers off" tell_to_end "$1" "$2" 'poweroff -f'; }
reboot() { ok "$1 reboots" tell_to_end "$1" "$2" 'reboot -f'; }

# domains_of VM: how many there are, those that were set aside too
domains_of() { dom0 xl list | awk -v n="$1" '$1 == n || $1 ~ "^" n "-[0-9]+T[0-9]+Z$"' | wc -l; }
domains_are() { same "number of domains of $1" "$(domains_of "$1")" "$2"; }
reason_is() { is lxVmLastChangeReason "$1" "$2"; }
owned() { is_label lxVmOwner "$1" lauxend; }

# lives POLICY...: web runs, started by lauxend, with these lines in its file
lives() {
	local lines=() p
	for p; do lines+=(-x "$p"); done
	if [ -z "$(listed web 2)" ]; then
		guest -u $uuid "${lines[@]}" web $web 128 >/dev/null
		ok "$*: it is started" within 60 ask "$w" start
	fi
	ok "$*: it runs, and answers" within 120 port $web answers
	ok "$*: it is lauxend's" within 30 owned "$w"
	since=$(traps) id=$(listed web 2)
}

off() {
	ok "web is destroyed by SET" within 60 ask "$w" destroy
	is_left shutdown 0
}

# what became of web: STATE DOMAINS [SECONDS]; its memory takes its time to be written
is_left() {
	ok "lxVmState becomes $1" within 40 is_label lxVmState "$w" "$1"
	ok "domains that are left: $2" within "${3:-30}" domains_are web "$2"
}
crashed() { ok "its crash is notified" within 30 notified "$since" lxVmCrashed lxVmName web; }
came_back() { # [SECONDS]
	ok "it is started again, as another domain" within "${1:-60}" domid_is_not web "$id"
	ok "and its recovery notified" within 30 notified "$since" lxVmRecovered lxVmName web
}
core_size() { dom0 "stat -c %s $save/$uuid.core 2>/dev/null || echo 0"; }

check_crashes() {
	lives 'on_crash = "destroy"'
	panic web $web
	crashed
	is_left crashed 0

	lives 'on_crash = "restart"'
	panic web $web
	crashed
	came_back
	is_left running 1

	off
	lives 'on_crash = "preserve"'
	panic web $web
	crashed
	is_left crashed 1
	ok "what stands in the way of a start is told" within 60 ask "$w" start
	ok "as its outcome" within 30 notified "$since" lxRequestFinished lxVmName web \
		lxRequestState "$(number lxRequestState.failed)" lxRequestVerb "$(number lxRequestVerb.start)"
	ok "it can be destroyed" within 60 ask "$w" destroy
	ok "then it is gone" within 30 domains_are web 0

	lives 'on_crash = "coredump-destroy"'
	panic web $web
	crashed
	is_left crashed 0 180
	ok "its core is kept: at least its memory" between octets "$(core_size)" $((120 << 20)) $((200 << 20))
	ok "for root alone" same mode "$(dom0 stat -c %a:%U $save/$uuid.core)" 600:root
	ok "and nothing else" same files "$(dom0 ls $save)" "$uuid.core"
	dom0 rm $save/$uuid.core

	lives 'on_crash = "coredump-restart"'
	panic web $web
	crashed
	came_back 180
	is_left running 1
	ok "its core is kept" between octets "$(core_size)" $((120 << 20)) $((200 << 20))
	dom0 rm $save/$uuid.core

	off
	lives 'on_crash = "rename-restart"'
	panic web $web
	crashed
	came_back
	is_left running 2
	aside=$(dom0 xl list | awk '$1 ~ /^web-/ { print $1 }')
	ok "what was set aside has a row of its own" within 20 index_of "$aside"
	a=$(index_of "$aside")
	ok "it is crashed" within 20 is_label lxVmState "$a" crashed
	ok "it was not notified as a crash of its own" not notified "$since" lxVmCrashed lxVmName "$aside"
	ok "nobody was taken for another" not notified "$since" lxVmIdentityChanged
	ok "it can be destroyed" within 60 ask "$a" destroy
	ok "then it is gone" within 30 domains_are web 1
	ok "the VM runs on, and answers" within 120 port $web answers
}

check_ends() {
	lives 'on_poweroff = "destroy"'
	poweroff web $web
	is_left shutdown 0
	ok "the reason: the guest powered off" within 10 reason_is "$w" "the guest powered off"
	ok "as notified" within 15 state_notified "$since" web shutdown

	lives 'on_poweroff = "restart"' 'on_reboot = "destroy"'
	poweroff web $web
	ok "a poweroff that is to restart it does" within 60 domid_is_not web "$id"
	ok "it answers" within 120 port $web answers
	ok "it is lauxend's" within 30 owned "$w"
	reboot web $web
	is_left shutdown 0
	ok "the reason: the guest rebooted" within 10 reason_is "$w" "the guest rebooted"

	lives 'on_reboot = "restart"' 'on_poweroff = "preserve"'
	reboot web $web
	ok "a guest's reboot starts it again" within 60 domid_is_not web "$id"
	ok "it answers" within 120 port $web answers
	ok "it is lauxend's" within 30 owned "$w"
	poweroff web $web
	is_left shutdown 1
	ok "its dead domain can be destroyed, though it is shut down" within 60 ask "$w" destroy
	ok "then it is gone" within 30 domains_are web 0
}

check_host() {
	lives 'on_crash = "destroy"'
	ok "xl rename, as in a migration" dom0 xl rename web web--migratedaway
	ok "the row keeps its name" is lxVmName "$w" web
	ok "the VM runs on, the same domain" is lxVmDomid "$w" "$id"
	sleep 3
	ok "it still does, and nobody was taken for another" not notified "$since" lxVmIdentityChanged
	ok "one row has this UUID" same rows "$(snmp snmpbulkwalk -Oqv "$(number lxVmName)" | grep -c web)" 1
	dom0 xl rename web--migratedaway web

	ok "xl save by hand" dom0 "xl save web /tmp/web.save"
	ok "lxVmState becomes suspended" within 30 is_label lxVmState "$w" suspended
	ok "nothing was started in its place" gone web
	ok "xl restore by hand" dom0 "xl restore -e /tmp/web.save; rm /tmp/web.save"
	ok "lxVmState becomes running" within 30 is_label lxVmState "$w" running

	since=$(traps)
	ok "xl destroy by hand" dom0 xl destroy web
	is_left shutdown 0
	ok "the reason: destroyed on the host" within 10 reason_is "$w" "destroyed on the host"

	lives 'on_poweroff = "destroy"'
	ok "xl shutdown by hand" dom0 xl shutdown web
	is_left shutdown 0
	ok "the reason: the guest powered off" within 10 reason_is "$w" "the guest powered off"
}

# A guest with a monitor of its own: that acts, and lauxend tells.
check_monitored() {
	local domid
	ok "xl creates a guest with its monitor" start_guest -u new -c restart hand $hand 128
	h=$(index_of hand)
	ok "it is not lauxend's" within 30 is_label lxVmOwner "$h" other
	since=$(traps) domid=$(listed hand 2)
	panic hand $hand
	ok "its crash is notified" within 30 notified "$since" lxVmCrashed lxVmName hand
	ok "its monitor starts it again" within 60 domid_is_not hand "$domid"
	ok "once" same domains "$(domains_of hand)" 1
	ok "lxVmState becomes running" within 30 is_label lxVmState "$h" running
	ok "its recovery is notified" within 15 notified "$since" lxVmRecovered lxVmName hand
	ok "it answers" within 120 port $hand answers
	domid=$(listed hand 2)
	ok "xl reboot by hand" dom0 xl reboot hand
	ok "its monitor starts it again" within 90 domid_is_not hand "$domid"
	ok "lxVmState is running" within 30 is_label lxVmState "$h" running
	ok "it answers" within 120 port $hand answers
	ok "it is not lauxend's" within 30 is_label lxVmOwner "$h" other
	domid=$(listed hand 2)
	ok "reboot by SET" within 60 ask "$h" reboot
	ok "its monitor starts it again" within 90 domid_is_not hand "$domid"
	ok "lxRequestFinished says succeeded" within 60 finished "$since" hand reboot succeeded
	ok "it answers" within 120 port $hand answers
	ok "xl destroy by hand" dom0 xl destroy hand
	ok "its domain is gone" within 20 gone hand
	ok "a VM without domain and configuration has no row" within 20 not index_of hand
}

ok "a guest is described" guest -u $uuid web $web 128
with_agent < <(vm web $web)
w=$(index_of web)
check_crashes
check_ends
check_host
check_monitored
topic_done
