#!/bin/bash
# xenstored: it is killed, and what it knew is gone: no guest can be made or ended in order any more
# until the host is booted. States stay true, SNMP answers, what can be done is done, what cannot
# fails with a reason; and lauxend starts there, too.
# limit: 1200
# ends the host
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 db=10.99.0.12 other=10.99.0.13

silence=8s hypervisor_conf='action-timeout = "60s" shutdown-timeout = "10s"'

# Its helper hangs in what xenstored would have answered, and is killed: what became of it is unknown.
gave_up() { ended failed >/dev/null || ended unknown; }
failed() { # VERB VM: by a row, which says why
	ok "$1 of $2 is accepted" request "$2" "$1"
	ok "and comes to its end in time, not done" within 180 gave_up
	note "$1 of $2: $(error_said)"
	ok "with a reason" [ "$(error_said | wc -c)" -gt 8 ]
}
# panic() asks xl list, which does not answer
panics() {
	local try
	for try in 1 2 3 4; do
		guest_says $web 'echo c >/proc/sysrq-trigger' >/dev/null
		! within 10 notified "$since" lxVmCrashed lxVmName web >/dev/null || return 0
	done
	echo "told $try times, it is not notified"
	return 1
}
states() { # WEB DB OTHER
	is_label lxVmState "$w" "$1" && is_label lxVmState "$d" "$2" && is_label lxVmState "$o" "$3"
}

ok "web is described" guest -u new web $web 128
ok "db too" guest -u new db $db 128
ok "and another" guest -u new other $other 96
with_agent < <(vm web $web; vm db $db; vm other $other)
w=$(index_of web) d=$(index_of db) o=$(index_of other)
act web start running 120
act db start running 120
ok "web answers" within 120 port $web answers
ok "db answers" within 120 port $db answers

since=$(traps)
ok "xenstored is killed" dom0 'pkill -9 -x xenstored || pkill -9 -x oxenstored'
ok "lxFiguresLost is notified" within 60 notified "$since" lxFiguresLost
ok "the hypervisor is not taken for lost" not notified "$since" lxHypervisorLost
ok "states are true" states running running shutdown
ok "what figures are not known are not there" within 30 missing lxVmMemoryMax "$w"
ok "the guests answer" port $web answers
act web pause paused
act web unpause running
failed start other
ok "states are true" states running running shutdown
failed shutdown db
ok "db is still there" within 20 states running running shutdown

ok "a panic is seen, and notified" panics
ok "lxVmState becomes crashed" within 20 is_label lxVmState "$w" crashed

ok "all of lauxend is killed" agent_kill
since=$(traps)
ok "lauxend starts again" agent_start
ok "db is running" within 30 is_label lxVmState "$d" running
ok "db answers" port $db answers
ok "lxAgentStarted was notified" within 30 notified "$since" lxAgentStarted
topic_done
