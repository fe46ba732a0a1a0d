#!/bin/bash
# measure: [xen_event_poweroff] [xen_event_panic] [xen_event_destroy] [xen_sample] [xen_cpu] of
# `make bench-xen`, on a host with four guests. No part of --all: it checks nothing but that
# there is something to measure.
# limit: 2400
#   ROUNDS   ends of a guest of each kind (9); CPU_S   seconds of CPU time (600)
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
rounds=${ROUNDS:-9} cpu_s=${CPU_S:-600}
# shellcheck disable=SC2034 # by their names
one=10.99.0.11 two=10.99.0.12 three=10.99.0.13 four=10.99.0.14
agent=127.0.0.1:$snmp_port

percentile() { sort -n | awk -v p="$1" '{ v[NR] = $1 } END { if (NR) { i = int((p * NR + 99) / 100); print v[i < 1 ? 1 : i] } }'; }
bench() { # NAME OURS PEER UNIT
	echo "BENCH $1 ours=$2 peer=$3 ratio=$(awk -v a="$2" -v b="$3" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "none" }') unit=$4"
}

## A guest's end

# The notification of ended.c has this OID, and the domain's number.
ended_oid=.1.3.6.1.4.1.8072.9999.9999.1
end_seen() { tail -n +$(($1 + 1)) "$work/traps.log" | grep -F "$ended_oid = $2" | head -n 1 | cut -f1 | grep .; }
watch_end() { dom0 "setsid /run/ended $1 10.0.2.2:$trap_port </dev/null >/dev/null 2>&1 & sleep 1; pgrep -x ended"; }

end_poweroff() { dom0 "(sleep 0.5; echo 'poweroff -f'; sleep 2) | timeout 5 nc -q 1 $one 23 >/dev/null; :"; }
end_panic() { dom0 "(sleep 0.5; echo 'echo c >/proc/sysrq-trigger'; sleep 2) | timeout 5 nc -q 1 $one 23 >/dev/null; :"; }
end_destroy() { dom0 xl destroy one; }

# The first notification that tells of the end: what is destroyed takes a while to be gone.
told_poweroff() { "$1" "$2" lxVmStateChanged lxVmName one lxVmState "$(number lxVmState.shuttingdown)"; }
told_destroy() { told_poweroff "$@"; }
told_panic() { "$1" "$2" lxVmCrashed lxVmName one; }

# Milliseconds from the domain's end to the notification of it, both as snmptrapd here got them.
one_end() { # KIND STATE
	local since domid begin end
	within 60 ask "$w" start >/dev/null && within 120 is_label lxVmState "$w" running >/dev/null &&
		within 120 port $one answers >/dev/null || return
	domid=$(listed one 2) since=$(traps)
	watch_end "$domid" >/dev/null || return
	"end_$1" >/dev/null
	within 30 end_seen "$since" "$domid" >/dev/null || return
	begin=$(end_seen "$since" "$domid")
	within 30 "told_$1" notified "$since" >/dev/null || return
	end=$("told_$1" arrived "$since") || return
	within 30 is_label lxVmState "$w" "$2" >/dev/null || return
	awk -v a="$begin" -v b="$end" 'BEGIN { d = (b - a) * 1000; printf "%.1f\n", d < 0 ? 0 : d }'
}
measure_end() { # KIND STATE
	local round
	for ((round = 0; round < rounds; round++)); do one_end "$1" "$2"; done >"$work/$1"
	[ "$(wc -l <"$work/$1")" -ge $((rounds - 2)) ] || { echo "$(wc -l <"$work/$1") of $rounds were measured"; return 1; }
}
show_end() {
	bench "xen_event_$1" "$(percentile 50 <"$work/$1")" 300 ms
	note "xen_event_$1: $(wc -l <"$work/$1") ends, longest $(percentile 100 <"$work/$1") ms: $(tr '\n' ' ' <"$work/$1")"
}

## A sample

sample_durations() {
	local i
	for ((i = 0; i < 40; i++)); do
		value lxAgentSampleDuration 0 >>"$work/states"
		value lxAgentFiguresDuration 0 >>"$work/figures"
		sleep 1
	done
}
# so that the tool of `make bench` may read
open_to_public() { dom0 'echo "rocommunity public" >>/run/snmpd.conf && kill -HUP "$(</run/snmpd.pid)"' && within 20 agent_answers; }
gets() { "$programs/bench/load" get "$agent" 20 4 1 >"$work/gets"; }
xl_list() { dom0 'for i in $(seq 10); do a=${EPOCHREALTIME/./}; xl list >/dev/null; echo $(((${EPOCHREALTIME/./} - a) / 1000)); done' >"$work/xl"; }

## CPU

# Jiffies of 10 ms that lauxend, with its workers, and xentop have used so far.
jiffies() {
	dom0 "for p in \$(pgrep '^$1'); do sed 's/.*) //' /proc/\$p/stat; done" | awk '{ n += $12 + $13 } END { print n + 0 }'
}
measure_cpu() {
	dom0 "setsid xentop -b -d 1 </dev/null >/dev/null 2>&1 & sleep 5; pgrep -x xentop" >/dev/null || return
	local ours peer
	ours=$(jiffies lauxend) peer=$(jiffies xentop)
	sleep "$cpu_s"
	echo "$(($(jiffies lauxend) - ours)) $(($(jiffies xentop) - peer))" >"$work/cpu"
	dom0 pkill -x xentop
}

for vm in one two three four; do
	ok "$vm is described" guest -u new $vm "${!vm}" 112
done
ok "ended is put into Dom0" "$lab" put "$host" "$programs/xen/ended" /run
with_agent < <(for vm in one two three four; do vm $vm "${!vm}"; done)
for vm in two three four; do act $vm start running 120; done
w=$(index_of one)
for kind in poweroff:shutdown panic:crashed destroy:shutdown; do
	ok "ends by ${kind%:*} are timed" measure_end "${kind%:*}" "${kind#*:}" && show_end "${kind%:*}"
done

act one start running 120
ok "one answers" within 120 port $one answers
ok "GETs of the tool that measures are answered" open_to_public
ok "samples are timed" sample_durations
ok "xl list is timed" xl_list
ok "GETs are timed" gets
bench xen_sample "$(percentile 50 <"$work/states")" "$(percentile 50 <"$work/xl")" ms
note "xen_sample: the states of four guests and Dom0, median of 40, longest $(percentile 100 <"$work/states") ms; the figures $(percentile 50 <"$work/figures") ms; peer: xl list"
cut -d' ' -f2 "$work/gets" >"$work/took"
note "xen_sample: $(wc -l <"$work/took") GETs meanwhile: median $(percentile 50 <"$work/took") us, 99th percentile $(percentile 99 <"$work/took") us"

if ok "CPU of lauxend and of xentop -b -d 1 over $cpu_s s" measure_cpu; then
	read -r ours peer <"$work/cpu"
	bench xen_cpu "$(awk -v j="$ours" 'BEGIN { printf "%.2f", j / 100 }')" "$(awk -v j="$peer" 'BEGIN { printf "%.2f", j / 100 }')" s
	note "xen_cpu: $(awk -v j="$ours" -v s="$cpu_s" 'BEGIN { printf "%.2f", j / s }') % of a CPU, four guests, a sample each second"
fi
topic_done
