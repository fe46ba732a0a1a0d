#!/bin/bash
# adopt: guests that ran before lauxend, started by hand, with another UUID, renamed; what is
# no VM is left out.
# limit: 420
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 hand=10.99.0.12 bare=10.99.0.13 odd=10.99.0.14
uuid=6b6f2a5e-3f57-4a0e-9d0c-5c1d7e2a9b11

uuid_of() { dom0 "xl list -v $1" | awk 'NR == 2 { print $7 }' | head -n 1; }
names() { snmp snmpbulkwalk -Oqv "$(number lxVmName)" | tr -d '"' | sort | paste -sd' '; }

ok "web runs, of its file, without a monitor" dom0 "/lab/guest -u $uuid -c restart web $web 128 && xl create -q -e /etc/xen/web.cfg"
ok "hand runs with its monitor, in no configuration" start_guest -u new hand $hand 128
ok "bare runs without one, in no configuration" dom0 "/lab/guest -u new bare $bare 128 && xl create -q -e /etc/xen/bare.cfg"
ok "odd is described" guest -u 11111111-2222-4333-8444-555555555555 odd $odd 128
ok "and runs with another UUID than its file says" dom0 \
	"xl create -q -e /etc/xen/odd.cfg 'uuid=\"99999999-2222-4333-8444-555555555555\"'"
ok "web answers" within 120 port $web answers
before=$(survivors)
since=$(traps)
with_agent < <(vm web $web; vm odd $odd)
w=$(index_of web) o=$(index_of odd)
ok "there are rows of all four, and of nothing else" within 30 same rows "$(names)" "bare hand odd web"
h=$(index_of hand) b=$(index_of bare)
for vm in web hand bare odd; do
	ok "$vm is running" within 20 is_label lxVmState "$(index_of $vm)" running
	ok "$vm has its domid" is lxVmDomid "$(index_of $vm)" "$(listed $vm 2)"
	ok "$vm has its domain's UUID" is lxVmUuid "$(index_of $vm)" "$(uuid_of $vm)"
	ok "nothing was notified as its start" not notified "$since" lxVmStateChanged lxVmName $vm
done
ok "that odd has another UUID was notified" notified "$since" lxVmIdentityChanged lxVmName odd
ok "once, and of nobody else" same notifications "$(tail -n +$((since + 1)) "$work/traps.log" |
	grep -cF ".$(number lxVmIdentityChanged)")" 1
ok "web is lauxend's: no monitor stands in its way" within 30 is_label lxVmOwner "$w" lauxend
ok "odd likewise" within 30 is_label lxVmOwner "$o" lauxend
ok "hand has a monitor" within 30 is_label lxVmOwner "$h" other
ok "bare is nobody's" within 30 is_label lxVmOwner "$b" none
ok "web and odd are configured" is lxVmConfigured "$w" 1
ok "hand is found" is lxVmConfigured "$h" 2
ok "nothing was touched" same processes "$(survivors)" "$before"

# what a SET does with them
act odd pause paused
act odd unpause running
act hand pause paused
act hand unpause running
act bare pause paused
act bare unpause running

# a death of each
since=$(traps) id=$(listed web 2)
panic web $web
ok "web is started again by lauxend, as its file says" within 60 domid_is_not web "$id"
ok "as notified" within 20 notified "$since" lxVmRecovered lxVmName web
ok "bare answers" within 60 port $bare answers
ok "bare powers off" tell_to_end bare $bare 'poweroff -f'
ok "that is told" within 30 state_notified "$since" bare shuttingdown
ok "its dead domain is left to whoever made it" state_listed bare '---s*'
ok "destroy by SET" ask "$b" destroy
ok "then it has no row" within 30 not index_of bare

# renamed
ok "hand is renamed" dom0 xl rename hand other
ok "its row has the new name" within 30 is lxVmName "$h" other
ok "it is the same, and runs" is_label lxVmState "$h" running
ok "odd is renamed: its configured name stays" dom0 xl rename odd strange
sleep 3
ok "the row of odd" is lxVmName "$o" odd
ok "it runs" is_label lxVmState "$o" running
dom0 xl rename strange odd

# lauxend again: the same rows
ok "all of lauxend is killed" agent_kill
since=$(traps)
ok "lauxend starts again" agent_start
ok "the same rows, with the same indexes" within 30 same indexes \
	"$(index_of web) $(index_of odd) $(index_of other)" "$w $o $h"
ok "odd's UUID is known by now" not notified "$since" lxVmIdentityChanged

# A device model's domain says whom it is for. No HVM guest runs here, so one that plays it.
ok "a domain that says it is a stub domain" dom0 \
	"/lab/guest -u new stub 10.99.0.15 96 && xl create -q -e -p /etc/xen/stub.cfg &&
	xenstore-write /local/domain/\$(xl domid stub)/target \$(xl domid other) && xl unpause stub"
sleep 4
ok "has no row: nor has Domain-0" same rows "$(names)" "odd other web"
topic_done
