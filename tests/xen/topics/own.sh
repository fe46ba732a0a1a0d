#!/bin/bash
# own: lauxend's own processes die, with requests in flight: each of those comes to its end
# once, guests do not notice, what was half done is put right.
# limit: 1800
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 hand=10.99.0.12
save=/var/lib/lauxen-save uuid=6b6f2a5e-3f57-4a0e-9d0c-5c1d7e2a9b11
KILLS=${XEN_KILLS:-20}

# As a manager would, a request is sent again until it is accepted: that is the same one.
sure() { # VM VERB
	asked=$((asked + 1))
	within 90 request_again "$@"
}
outcome() { snmp snmpget -OvQe "$(at lxRequestState)"; }
is_over() {
	local state
	state=$(outcome)
	[[ $state =~ ^[0-9]+$ ]] && ((state > $(number lxRequestState.running))) && return
	echo "lxRequestState is '$state'"
	return 1
}
remains() {
	dom0 "xl list | awk 'NR > 1 && \$2 > 0 { print \"domain\", \$1 }'
		losetup -a | grep -v hand; ls /sys/class/net | grep '^vif'
		ls -A $save /run/lauxen/actions | grep -v '^/\|^\$\|^config\$\|lock'"
}

saved() { same files "$(dom0 ls -A $save)" "$1"; }
remains_are() { same remains "$(remains)" "$1"; }

## Each process

# kill_child ROLE TENTHS: once it is there, and so much later
kill_child() {
	dom0 "for i in \$(seq 200); do p=\$(pgrep -x -a lauxend | awk '/--child $1/ { print \$1 }')
		[ -z \"\$p\" ] || break; sleep 0.1; done; sleep 0.$2; kill -9 \$p"
}
one_kill() { # ROLE NUMBER VERB
	sure web "$3" >/dev/null || { echo "request $2, $3, was not accepted"; return 1; }
	kill_child "$1" $(($2 * 7 % 10)) || { echo "kill $2 found nobody"; return 1; }
	within 60 is_over || { echo "request $2, $3, never ended"; return 1; }
	[ "$(outcome)" != "$(number lxRequestState.succeeded)" ] || return 0
	unknown=$((unknown + 1))
	echo "request $2, $3: $(outcome): $(error_said)"
	# the next one counts on the state
	sure web "$3" >/dev/null && within 60 is_over
}
# killing ROLE: with a pause and an unpause under way each time. lauxend's parent waits up
# to 10 s before it starts one again that dies and dies.
killing() {
	local i unknown=0
	for ((i = 1; i <= KILLS; i++)); do
		one_kill "$1" $i "$([ $((i % 2)) = 1 ] && echo pause || echo unpause)" || return
	done
	echo "requests that did not succeed: $unknown of $KILLS"
	((unknown <= KILLS / 4))
}
same_guests() { same domains "$(survivors)" "$before"; }

check_children() {
	local role
	for role in hypervisor engine agentx; do
		ok "$role: killed $KILLS times with requests in flight: each came to its end" killing $role
		tail -n 3 "$work/out" | sed 's/^/# /'
		ok "$role: lauxend answers" within 60 agent_answers
		ok "$role: guests did not notice" same_guests
		ok "$role: web runs" within 20 is_label lxVmState "$w" running
		ok "$role: and answers" within 20 port $web answers
	done
	ok "the restarts were notified" notified 0 lxProcessRestarted
}

check_parent() {
	local i
	for i in 1 2 3; do
		sure web pause >/dev/null
		ok "the parent is killed: its children end by themselves" dom0 \
			'kill -9 $(pgrep -o -x lauxend); for i in $(seq 60); do pgrep -x lauxend >/dev/null || exit 0; sleep 0.25; done; exit 1'
		ok "lauxend starts again" agent_start
		ok "the request came to its end" within 60 is_over
		ok "web is paused" within 20 is_label lxVmState "$w" paused
		sure web unpause >/dev/null
		ok "an unpause is done" within 30 ended succeeded
	done
	ok "guests did not notice" same_guests
}

# As systemd stops the unit: KillMode=process, the main process alone is told.
check_stop() {
	ok "shutdown of web by SET" sure web shutdown
	ok "is done" within 60 ended succeeded
	ok "start of web by SET" sure web start
	ok "its helper is at work" within 20 dom0 "pgrep -f '[x]l create -q -e'"
	ok "lauxend is told to end, meanwhile" agent_children_end
	ok "QEMU and monitor of the other guest live" dom0 "pgrep -f '[q]emu-system' && pgrep -f '[x]l create.*hand'"
	ok "the start goes on, and web answers" within 120 port $web answers
	ok "lauxend starts again" agent_start
	ok "the request's outcome is known: succeeded" within 60 ended succeeded
	ok "web is running" within 20 is_label lxVmState "$w" running
	before=$(survivors)
	ok "everything of lauxend's is killed" agent_kill
	ok "guests did not notice" same_guests
	ok "lauxend starts again" agent_start
	ok "web is lauxend's" within 30 is_label lxVmOwner "$w" lauxend
}
agent_children_end() {
	dom0 'kill $(pgrep -o -x lauxend); for i in $(seq 60); do pgrep -x lauxend >/dev/null || exit 0; sleep 0.25; done; ps ax; exit 1'
}

# cut VERB CONDITION: a request whose helper is killed once CONDITION holds in Dom0
cut() {
	sure web "$1" >/dev/null || return
	dom0 "for i in \$(seq 2000); do ! { $2; } 2>/dev/null || exec pkill -9 -x lauxend-action; sleep 0.01; done; exit 1"
}
check_helpers() {
	ok "destroy of web" sure web destroy
	ok "is done" within 60 ended succeeded
	ok "only hand is left" within 20 dom0 "! xl list web"
	left=$(remains)

	ok "start: its helper is killed while the domain is built" cut start '[ "$(xl list | wc -l)" -gt 3 ]'
	ok "the outcome is unknown" within 60 ended unknown
	ok "the half-built domain, its interface and disk are gone" within 60 remains_are "$left"
	ok "lxVmState is shutdown" within 20 is_label lxVmState "$w" shutdown
	ok "it can be started" sure web start
	ok "and runs" within 90 ended succeeded
	ok "it answers" within 120 port $web answers

	ok "save: its helper is killed while the state is written" cut save "[ -s $save/$uuid.save.part ]"
	ok "the outcome is unknown" within 60 ended unknown
	ok "no part of the state is left" within 60 saved ""
	ok "the guest runs on" within 60 port $web answers
	ok "lxVmState is running" within 20 is_label lxVmState "$w" running

	ok "save of web" sure web save
	ok "is done" within 90 ended succeeded
	ok "restore: its helper is killed while the domain is built" cut restore '[ "$(xl list | wc -l)" -gt 3 ]'
	ok "the outcome is unknown" within 60 ended unknown
	ok "the half-built domain is gone" within 60 gone web
	ok "the state is kept" within 20 saved "$uuid.save"
	ok "lxVmState is suspended, so that it can be tried again" within 20 is_label lxVmState "$w" suspended
	ok "restore again" sure web restore
	ok "succeeds" within 90 ended succeeded
	ok "it answers" within 60 port $web answers
}

ok "xl creates a guest with a QEMU and a monitor" start_guest -d 16 -q -u new hand $hand 128
ok "another is described" guest -d 16 -u $uuid web $web 128
with_agent < <(vm web $web)
w=$(index_of web)
act web start running 120
ok "it answers" within 120 port $web answers
before=$(survivors)
check_helpers
before=$(survivors)
check_children
check_parent
check_stop
topic_done
