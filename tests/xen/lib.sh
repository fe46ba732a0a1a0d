# shellcheck shell=bash
# lib.sh: what the topics of check-xen.sh are made of. A topic is a program that
# sources this first, checks one subject on a lab host that is up, and ends with
# topic_done; see README.md. Run by hand it hands itself to check-xen.sh.
#
#   ok, skip, bail, note        the lines that come out
#   within, same, between       waiting and comparing
#   dom0, listed, port, ...     Dom0 and its guests, as xl and nc see them
#   with_agent, agent_...       lauxend in Dom0
#   value, is, set_to, ask, ... SNMP, through the forwarded port
#   traps, notified, ...        notifications, as snmptrapd of this machine got them
#   act                         a verb by SET and all that follows from it
#
# What a run shares is in XEN_WORK: host, snmp_port, trap_port (a line each), names
# (the MIB's), traps.log (a line each: arrival as seconds since 1970, tab, varbinds),
# results, resent, crashes.
# shellcheck disable=SC2317,SC2034 # most functions are called through ok and within
set -uo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$top/tests/xen
if [ -z "${XEN_WORK:-}" ]; then # a topic by hand
	exec "$here/check-xen.sh" "$(basename "$0" .sh)"
fi
work=$XEN_WORK
lab=$here/lab
program=$(cd "$top" && realpath -m "${LX_BUILD:-build/out}")/lauxend
programs=$(dirname "$program")/tests
mib=$top/mib/LAUXEN-MIB.txt
export MIBS='' LC_ALL=C
tab=$'\t'
phase=start

## TAP. A check is a sentence and a command that is silent when all is well; what it
## says otherwise is shown.

# report ok|not|skip LINE: a line, which the runner counts
report() {
	echo "$1" >>"$work/results"
	echo "$2"
}

# ok SENTENCE COMMAND...
ok() {
	local what=$1 start=$SECONDS
	shift
	phase=$what
	if "$@" >"$work/out" 2>&1; then
		report ok "ok - $what ($((SECONDS - start)) s)"
	else
		report not "not ok - $what ($((SECONDS - start)) s)"
		head -n 20 "$work/out" | sed 's/^/#   /'
		return 1
	fi
}
skip() { report skip "ok - $1 # SKIP $2"; }
note() { echo "# $*"; }

# after a failed check, where nothing that follows in this topic would mean anything
bail() {
	note "gives up: $*"
	phase=over
	exit 1
}

# within SECONDS COMMAND...: until it succeeds; shows what it said last
within() {
	local end=$((SECONDS + $1)) out
	shift
	until out=$("$@" 2>&1); do
		if [ $SECONDS -ge $end ]; then
			echo "$out"
			return 1
		fi
		sleep 0.3
	done
}

# same WHAT GOT WANTED [SLACK]
same() {
	if [ "$2" = "$3" ]; then
		return
	fi
	if [ -n "${4:-}" ] && [[ $2 =~ ^[0-9]+$ && $3 =~ ^[0-9]+$ ]]; then
		if (($2 - $3 <= $4 && $3 - $2 <= $4)); then
			return
		fi
	fi
	echo "$1 is '$2' and not '$3'${4:+ (give or take $4)}"
	return 1
}

# between WHAT GOT LOW HIGH
between() {
	[[ $2 =~ ^[0-9]+$ && $3 =~ ^[0-9]+$ && $4 =~ ^[0-9]+$ ]] && (($2 >= $3 && $2 <= $4)) && return
	echo "$1 is '$2' and not between '$3' and '$4'"
	return 1
}

# not COMMAND...: it fails
not() { ! "$@"; }

## Dom0 and its guests

host=$(cat "$work/host" 2>/dev/null)

# dom0 COMMAND...: as ssh would run it; limit=SECONDS before it is its time limit (60)
dom0() { LAUXEN_LAB_LIMIT=${limit:-60} "$lab" ssh "$host" "$@"; }

# listed NAME COLUMN: of xl list: name id mem vcpus state time
listed() { dom0 xl list 2>/dev/null | awk -v n="$1" -v c="$2" '$1 == n { print $c }'; }
memory_listed() { same "memory of $1 in xl list" "$(listed "$1" 3)" "$2" 1; }
state_listed() {
	local s
	s=$(listed "$1" 5)
	# shellcheck disable=SC2053 # a pattern
	[[ $s == $2 ]] || { echo "xl list says '$s' of $1 and not '$2'"; return 1; }
}
gone() { same "domain of $1" "$(listed "$1" 2)" ""; }
# domid_is_not NAME DOMID: it is there as another domain
domid_is_not() {
	local id
	id=$(listed "$1" 2)
	[ -n "$id" ] && [ "$id" != "$2" ] && return
	echo "the domain of $1 is '$id', it was '$2'"
	return 1
}

# guest OPTION... NAME IP [MEM]: writes a guest's file, see /lab/guest; start_guest
# creates it with xl and waits until its port 80 answers
guest() { dom0 "/lab/guest $(printf '%q ' "$@")"; }
start_guest() { limit=180 dom0 "/lab/start $(printf '%q ' "$@")"; }

# port IP answers|silent|dead: what a connection to port 80 does
port() {
	local out
	if out=$(dom0 "nc -n -v -z -w 3 $1 80" 2>&1); then
		out=answers
	fi
	case $2/$out in
	answers/answers | silent/*'timed out'*) ;;
	dead/*'No route'* | dead/*'timed out'* | dead/*refused*) ;;
	*) echo "port 80 of $1 should be $2: $out"; return 1 ;;
	esac
}

# guest_does IP COMMANDS: in the guest's shell, on its port 23, until they end, and all that
# has the shell's input (so: "program </dev/null &"); what they
# print is ours (the echo of the commands, too)
guest_does() {
	dom0 "(sleep 0.5; echo '$2'; echo exit) | timeout 40 nc $1 23" | tr -d '\r'
}
# guest_says IP COMMANDS: the same, without waiting for more than that they were read: for
# what ends the guest, or stays in the background
guest_says() { dom0 "(sleep 0.5; echo '$2'; sleep 1) | timeout 20 nc -q 1 $1 23" | tr -d '\r' || :; }

# tell_to_end VM IP COMMAND: what ends the guest, said to its shell until it has; under
# load that may not hear it at first
tell_to_end() {
	local domid try
	domid=$(listed "$1" 2)
	for try in 1 2 3 4; do
		# nc waits for an answer, and none comes from the dead
		dom0 "(sleep 0.5; echo '$3'; sleep 2) | timeout 5 nc -q 1 $2 23 >/dev/null"
		! within 5 has_ended "$1" "$domid" >/dev/null || return 0
	done
	echo "told $try times, $1 lives"
	return 1
}
has_ended() { [ "$(listed "$1" 2)" != "$2" ] || state_listed "$1" '*s*'; }
panic() { ok "$1 panics" tell_to_end "$1" "$2" 'echo c >/proc/sysrq-trigger'; }

# What must outlive lauxend: xl's monitors, the QEMUs, the domains.
survivors() {
	dom0 "ps ax -o pid=,args= | grep -E '[x]l (create|restore)|[q]emu-system|[x]enstored'
		xl list | awk 'NR > 1 && \$2 > 0 { print \$1, \$2 }'" | sort
}

## lauxend

# with_agent: installs lauxend with conf_head and what is on stdin as its configuration,
# starts it and waits until it answers. Not in a pipe, so that a bail ends the topic:
# with_agent < <(vm web $web)
with_agent() {
	local since
	{ conf_head; cat; } >"$work/lauxen.conf"
	ok "lauxend is put into Dom0" put_lauxend || bail "lauxend is not there"
	ok "its configuration is good" put_conf || bail "it would not start"
	since=$(traps)
	ok "lauxend starts, and answers" agent_start ||
		bail "nothing to go on with: $(dom0 tail -n 20 /var/log/lauxend.log)"
	ok "lxAgentStarted was notified" within 20 notified "$since" lxAgentStarted
}

# conf_head: all but the VMs. What a topic has of its own stands in these. A real host needs a
# fraction of the silence: the emulated one may get no CPU for long. Nobody but the topic starts a VM.
silence=15s agent_conf='' hypervisor_conf='' supervision_conf='autostart = "no" restart-limit = 0'
conf_head() {
	cat <<-C
		agent {
			name = "$host" $agent_conf
		}
		hypervisor {
			silence = "$silence" $hypervisor_conf
		}
		supervision {
			$supervision_conf
		}
	C
}

# vm NAME IP [LINE...]: a section of the configuration
vm() {
	printf 'vm "%s" {\n\tfile = "/etc/xen/%s.cfg"\n\taddress = "%s"\n' "$1" "$1" "$2"
	shift 2
	[ $# = 0 ] || printf '\t%s\n' "$@"
	printf '}\n'
}

# put_lauxend: program and MIB, once a run; directories as a package would make them,
# with the project's own tmpfiles.d(5) lines
put_lauxend() {
	[ -x "$program" ] || { echo "there is no $program: make first"; return 1; }
	if [ "$(cat "$work/put" 2>/dev/null)" != "$host" ]; then
		mkdir -p "$work/new"
		cp "$program" "$work/new/lauxend"
		"$lab" put "$host" "$work/new/lauxend" /usr/sbin &&
			"$lab" put "$host" "$mib" /usr/share/snmp/mibs &&
			dom0 '! ldd /usr/sbin/lauxend | grep "not found"' || return
		echo "$host" >"$work/put"
	fi
	sed 's/#.*//' "$top/conf/lauxen.tmpfiles" | awk '$1 == "d" {
		print "install -d -m", $3, "-o", $4, "-g", $5, $2 }' | dom0 "sh -e"
}
# put_conf: $work/lauxen.conf becomes lauxend's, which says what is wrong with it
put_conf() { "$lab" put "$host" "$work/lauxen.conf" /etc/lauxen && dom0 lauxend -n >/dev/null; }

agent_start() {
	dom0 'setsid lauxend -d -v -f /etc/lauxen/lauxen.conf </dev/null >>/var/log/lauxend.log 2>&1 &' &&
		within 60 agent_answers
}
# once it has seen the hypervisor, not only answers
agent_answers() { is_label lxHostHypervisorState 0 answering; }
# all of it, at once; it has no chance to put anything right
agent_kill() { dom0 'killall -9 lauxend lauxend-action; for i in $(seq 40); do pgrep -x lauxend >/dev/null || exit 0; sleep 0.25; done; exit 1'; }
agent_stop() { dom0 'pkill -o -x lauxend || exit 0; for i in $(seq 60); do pgrep -x lauxend >/dev/null || exit 0; sleep 0.25; done; exit 1'; }

## SNMP

# number NAME: an OID, or the number of a label (lxVmState.running), by the text of the MIB
number() {
	awk -v n="$1" '$1 == n { print $2; found = 1 } END { exit !found }' "$work/names" ||
		{ echo "$1 is not in the MIB" >&2; return 1; }
}
# snmp TOOL WORDS...: any tool of net-snmp, with the host's address and rights
snmp() {
	local tool=$1
	shift
	timeout 60 "$tool" -v2c -c steer -t 5 -r 2 -On "127.0.0.1:$snmp_port" "$@"
}
# value NAME INDEX
value() { snmp snmpget -OvQe "$(number "$1").$2" | tr -d '"'; }
# is NAME INDEX VALUE [SLACK]
is() { same "$1.$2" "$(value "$1" "$2")" "$3" "${4:-}"; }
is_label() { is "$1" "$2" "$(number "$1.$3")"; }
# missing NAME INDEX: there is no such instance now
missing() {
	local out
	out=$(value "$1" "$2")
	[[ $out == *'No Such'* ]] || { echo "$1.$2 is there: '$out'"; return 1; }
}
# grows NAME INDEX FROM
grows() {
	local before=$3 now
	now=$(value "$1" "$2")
	[[ $now =~ ^[0-9]+$ ]] && ((now > before)) && return
	echo "$1.$2 was $before and is '$now'"
	return 1
}

# set_to NAME INDEX TYPE VALUE. commitFailed says that nothing was done as the store
# could not be asked in time, which starved emulation brings about: as a manager
# would, it asks again. How often is counted, and shown at the end of the run.
set_to() {
	local out try
	for try in 1 2 3; do
		if out=$(snmp snmpset "$(number "$1").$2" "$3" "$4" 2>&1); then
			return
		fi
		[[ $out == *commitFailed* ]] || break
		echo "$1.$2 $4" >>"$work/resent"
		sleep 1
	done
	echo "at try $try: $out"
	return 1
}
refused() { # ERROR NAME INDEX TYPE VALUE
	local error=$1 out
	shift
	out=$(set_to "$@") && { echo "set $1.$2 to $4 and nobody minded"; return 1; }
	[[ $out == *"$error"* ]] || { echo "$error was expected: $out"; return 1; }
}
# index_of VM: its index, by its name
index_of() {
	snmp snmpbulkwalk -Oq "$(number lxVmName)" | tr -d '"' |
		awk -v n="$1" '$2 == n { sub(/.*\./, "", $1); print $1; found = 1 } END { exit !found }'
}
# ask INDEX VERB
ask() { set_to lxVmRequest "$1" i "$(number "lxVmRequest.$2")"; }
# first_of NAME INDEX: the last number of the first instance below NAME.INDEX
first_of() { snmp snmpgetnext -Oq "$(number "$1").$2" | awk '{ sub(/.*\./, "", $1); print $1 }'; }

## Requests by rows of lxRequest, each under an id of its own

asked=0
# at OBJECT: of the last one
at() { echo "$(number "$1").$(printf %s "t-$asked" | od -An -v -tu1 | tr -s ' \n' '.' | sed 's/^\.//; s/\.$//')"; }
# request VM VERB [NUMBER]
request() {
	asked=$((asked + 1))
	request_again "$@"
}
# the same once more: an id that exists is the same request. Sent again as set_to does.
request_again() {
	local out try
	for try in 1 2 3 4 5; do
		if out=$(snmp snmpset "$(at lxRequestVm)" s "$1" "$(at lxRequestVerb)" \
			i "$(number "lxRequestVerb.$2")" ${3:+"$(at lxRequestNumber)" u "$3"} \
			"$(at lxRequestStatus)" i 4 2>&1); then
			return
		fi
		[[ $out == *commitFailed* ]] || break
		echo "$2 of $1" >>"$work/resent"
		sleep 1
	done
	echo "at try $try: $out"
	return 1
}
# ended succeeded|failed|unknown: what became of it
ended() {
	same "lxRequestState of $(at lxRequestState)" "$(snmp snmpget -OvQe "$(at lxRequestState)")" \
		"$(number "lxRequestState.$1")"
}
error_said() { snmp snmpget -OvQ "$(at lxRequestError)"; }

## Notifications

traps() { wc -l <"$work/traps.log"; }

# notified SINCE NAME [OBJECT VALUE]...: a notification came after line SINCE (of
# traps) with these values, of whatever instance. With "within N" before it: comes
# within N seconds.
notified() {
	local since=$1 name=$2 all out oid
	shift 2
	all=$(tail -n +$((since + 1)) "$work/traps.log")
	oid=$(number "$name") || return 1
	# 1.3.6.1.6.3.1.1.4.1.0 is snmpTrapOID.0
	out=$(grep -E "\.1\.3\.6\.1\.6\.3\.1\.1\.4\.1\.0 = \.${oid//./\\.}($tab|\$)" <<<"$all")
	while [ $# -gt 0 ]; do
		oid=$(number "$1") || return 1
		out=$(grep -E "\.${oid//./\\.}\.[0-9.]+ = \"?$2\"?($tab|\$)" <<<"$out")
		name+=" $1=$2"
		shift 2
	done
	[ -n "$out" ] || {
		echo "no notification $name among these:"
		cut -c1-700 <<<"$all"
		return 1
	}
	found=$out
}
# arrived SINCE NAME [OBJECT VALUE]...: when the first such came, in seconds since 1970
# with six decimals, by this machine's clock
arrived() {
	local found
	notified "$@" && head -n 1 <<<"$found" | cut -f1
}
state_notified() { # SINCE VM STATE
	notified "$1" lxVmStateChanged lxVmName "$2" lxVmState "$(number "lxVmState.$3")"
}
finished() { # SINCE VM VERB OUTCOME
	notified "$1" lxRequestFinished lxVmName "$2" lxRequestVerb "$(number "lxRequestVerb.$3")" \
		lxRequestState "$(number "lxRequestState.$4")"
}

# act VM VERB STATE [SECONDS]: a SET of lxVmRequest, and what follows from it: the
# state, the two notifications
act() {
	local vm=$1 verb=$2 state=$3 limit_s=${4:-30} since index
	index=$(index_of "$vm") || { ok "there is a row of $vm" false; return; }
	since=$(traps)
	ok "$verb $vm: the SET is accepted" ask "$index" "$verb" || return
	ok "$verb $vm: lxVmState becomes $state" within "$limit_s" is_label lxVmState "$index" "$state"
	ok "$verb $vm: lxRequestFinished says succeeded" within "$limit_s" finished "$since" "$vm" "$verb" succeeded
	ok "$verb $vm: lxVmStateChanged says $state" within 15 state_notified "$since" "$vm" "$state"
}

## A topic's begin and end

# What the kernel of Dom0 says of programs that crashed. Nothing is tried again: under
# emulation xl itself has been seen to crash, and that must show.
crashed='segfault|general protection|invalid opcode|Out of memory'
crash_lines() { dom0 "dmesg | grep -E '$crashed'"; }

# allow_crash PATTERN: of what this topic does on purpose, and is to be expected
allowed=
allow_crash() { allowed=${allowed:+$allowed|}$1; }
no_crash() {
	local new
	new=$(crash_lines | tail -n +$((crashes_before + 1)))
	if [ -n "$new" ]; then
		echo "$new" >>"$work/crashes"
	fi
	new=$(grep -vE "${allowed:-^\$}" <<<"$new")
	[ -z "$new" ] || { echo "$new"; return 1; }
}

topic_begin() {
	name=$(basename "$0" .sh)
	snmp_port=$(<"$work/snmp_port") trap_port=$(<"$work/trap_port")
	echo "# topic $name"
	trap topic_end EXIT
	trap 'exit 1' INT TERM
	exec 3>&1
	crashes_before=$(crash_lines | wc -l)
	dom0 "echo 'topic $name' | tee -a /var/log/lauxend.log >>/var/log/xen/topics.log"
}

# The last line of a topic: all of it has run.
topic_done() {
	phase=over
	exit 0
}

# Also where a topic ends early. Guests, lauxend and its store are gone afterwards.
topic_end() {
	trap - EXIT
	trap : INT TERM # timeout signals twice: this process and its group
	exec >&3        # a check that was cut off has its own
	if [ "$phase" != over ]; then
		report not "not ok - $name ended early, in: $phase"
	fi
	if declare -F topic_cleanup >/dev/null; then
		topic_cleanup
	fi
	ok "$name: nothing crashed in Dom0" no_crash
	if ! grep -q '^# ends the host' "$0"; then # where helpers may hang that outlive lauxend
		ok "$name: lauxend ends when it is told to" agent_stop
		ok "$name: guests and all they had are removed" dom0 /lab/clean
	fi
	note "topic $name took $SECONDS s"
	exit
}

if [[ $0 == *topics/*.sh ]]; then
	topic_begin
fi
