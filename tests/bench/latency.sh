# shellcheck shell=bash
# shellcheck disable=SC2034 # LX_AGENT_CONF and LX_HV_CONF are for lx_config
# How long an answer, a notification, the way back to snmpd take. Sourced by bench.sh.

# set_interval TEXT: between two samples, by a reload; then nothing of the old one is on its way.
set_interval() {
	local loaded
	loaded=$(grep -c 'hypervisor: configuration read again' "$LX_DIR/lauxend.log")
	sed -i -E "s/^([[:space:]]*)interval = .*/\1interval = \"$1\"/" "$LX_DIR/lauxen.conf"
	kill -HUP "$LX_LAUXEND"
	reloaded() { [ "$(grep -c 'hypervisor: configuration read again' "$LX_DIR/lauxend.log")" -gt "$loaded" ]; }
	lx_wait 10 reloaded || give_up "lauxend does not read its configuration again"
	sleep 2
}

# The windows in which samples were taken and passed on, by lauxend's debug lines: "BEGIN_US END_US";
# 2 ms more, for the rows that are on their way from engine to agentx.
sample_windows() {
	sed -nE 's/^.* passed on by ([0-9]+) \(.*\), ([0-9]+) ms after its begin$/\1 \2/p' "$LX_DIR/lauxend.log" |
		awk '{ printf "%.0f %.0f\n", ($1 - $2) * 1000, ($1 + 2) * 1000 }'
}
# cut in|out WINDOWS RECORDS: microseconds of the requests that were open at some moment of a window,
# or at none.
cut_windows() {
	awk -v want="$1" '
		NR == FNR { from[NR] = $1; to[NR] = $2; n = NR; next }
		{
			while (at < n && to[at + 1] < $1) at++ # windows and requests both rise; windows overlap a little
			hit = 0
			for (i = at > 8 ? at - 8 : 1; i <= n && from[i] <= $1 + $2; i++)
				if (to[i] >= $1) { hit = 1; break }
			if (hit == (want == "in")) print $2
		}' "$2" "$3"
}
get_load() { "$BENCH/load" get "$LX_AGENT" "$1" 1000 "$SEED" >>"$2" 2>"$LX_DIR/load.err" || give_up "a GET: $(cat "$LX_DIR/load.err")"; }

# compare_gets NAME IDLE OURS: 99th percentiles, in ms, of files with microseconds.
compare_gets() {
	bench "$1" "$(percentile 99 <"$3" | to_ms)" "$(percentile 99 <"$2" | to_ms)" ms
	detail "$1: the 99th percentile of $(wc -l <"$3") GETs, longest $(percentile 100 <"$3" | to_ms) ms, median" \
		"$(percentile 50 <"$3" | to_ms) ms; idle $(wc -l <"$2") GETs, longest $(percentile 100 <"$2" | to_ms) ms, median" \
		"$(percentile 50 <"$2" | to_ms) ms; seed $SEED"
}

measure_get_sampling() {
	local round
	LX_HV_CONF='interval = "1h"'
	seed_set "$SEED"
	start_host 1000
	for round in 1 2 3; do
		set_interval 1h
		get_load 5 "$LX_DIR/idle"
		set_interval 1s
		get_load 15 "$LX_DIR/sampling"
	done
	sample_windows | sort -n >"$LX_DIR/windows"
	cut_windows out "$LX_DIR/windows" "$LX_DIR/idle" >"$LX_DIR/idle.us"
	cut_windows in "$LX_DIR/windows" "$LX_DIR/sampling" >"$LX_DIR/sampling.us"
	[ -s "$LX_DIR/sampling.us" ] && [ -s "$LX_DIR/idle.us" ] || give_up "no GET met a sample"
	compare_gets get_sampling "$LX_DIR/idle.us" "$LX_DIR/sampling.us"
	detail "get_sampling: $round rounds; $(wc -l <"$LX_DIR/windows") passes, of" \
		"$(awk '{ print $2 - $1 - 2000 }' "$LX_DIR/windows" | percentile 50 | to_ms) ms (median)"
}

hypervisor_is() { [ "$(lx_get $LX_ROOT.1.2.4.0)" = "$1" ]; }

# From the moment it falls silent, over its discovery, which changes all rows.
measure_get_silent() {
	local round
	LX_HV_CONF='interval = "1h"'
	seed_set "$SEED"
	start_host 1000
	for round in 1 2 3; do
		set_interval 1h
		get_load 5 "$LX_DIR/idle"
		set_interval 1s
		lx_sim silent on
		get_load 8 "$LX_DIR/silent"
		hypervisor_is 3 || give_up "the agent has not seen in 8 s that the hypervisor is silent"
		lx_sim silent off
		lx_wait 20 hypervisor_is 2 || give_up "the hypervisor is not back"
	done
	sample_windows | sort -n >"$LX_DIR/windows"
	cut_windows out "$LX_DIR/windows" "$LX_DIR/idle" >"$LX_DIR/idle.us"
	awk '{ print $2 }' "$LX_DIR/silent" >"$LX_DIR/silent.us"
	compare_gets get_silent "$LX_DIR/idle.us" "$LX_DIR/silent.us"
	detail "get_silent: $round rounds"
}

# set_load NAME FIRST LAST GAP_MS
set_load() {
	"$BENCH/load" set "$LX_AGENT" "$2" "$3" "$4" >"$LX_DIR/sets" 2>"$LX_DIR/load.err" || give_up "a SET: $(cat "$LX_DIR/load.err")"
	awk '{ print $2 }' "$LX_DIR/sets" >"$LX_DIR/sets.us"
	bench "$1" "$(percentile 99 <"$LX_DIR/sets.us" | to_ms)" 100 ms
	detail "$1: the 99th percentile of $(wc -l <"$LX_DIR/sets.us") SETs, longest $(percentile 100 <"$LX_DIR/sets.us" | to_ms) ms," \
		"median $(percentile 50 <"$LX_DIR/sets.us" | to_ms) ms"
}

# How many requests are in a state.
requests_in() { lx_walk $LX_REQUEST.5 | grep -c "INTEGER: $1\$"; }
requests_running() { [ "$(requests_in 2)" -ge 10 ]; }

measure_set_busy() {
	start_host 1000
	lx_sim slow all 10000
	"$BENCH/load" set "$LX_AGENT" 1 20 0 >/dev/null || give_up "the first SETs are refused"
	lx_wait 10 requests_running || give_up "the actions do not run"
	set_load set_busy 21 620 25
	detail "set_busy: $(requests_in 2) actions of 10 s ran at its end, $(requests_in 1) waited"
}

measure_set_silent() {
	start_host 1000
	lx_sim silent on
	lx_wait 15 hypervisor_is 3 || give_up "the agent does not see that the hypervisor is silent"
	set_load set_silent 1 600 25
	hypervisor_is 3 || give_up "the hypervisor was not silent all the time"
	lx_sim silent off
}

# The time is taken right before the client connects to simxen's control socket.
measure_event() {
	local crashes=${1:-150}
	start_sink
	start_host 1000
	lx_wait 20 waiting_none && lx_wait 20 quiet "$SUNK"
	seq -f 'crash vm%04.0f' 1 "$crashes" | "$BENCH/steer" "$LX_SIM" 200 >"$LX_DIR/crashed" || give_up "simxen crashes no VM"
	lx_wait 10 waiting_none
	awk 'NR == FNR { if ($2 == 2 && !($4 in came)) came[$4] = $1; next }
		$3 in came { print came[$3] - $1 }' "$SUNK" "$LX_DIR/crashed" >"$LX_DIR/event.us"
	[ "$(wc -l <"$LX_DIR/event.us")" = "$crashes" ] || give_up "of $crashes crashes $(wc -l <"$LX_DIR/event.us") were heard"
	bench event "$(percentile 50 <"$LX_DIR/event.us" | to_ms)" 50 ms
	detail "event: the median of $crashes crashes among 1,000 VMs; 99th percentile $(percentile 99 <"$LX_DIR/event.us" | to_ms) ms," \
		"longest $(percentile 100 <"$LX_DIR/event.us" | to_ms) ms"
}

measure_reconnect() {
	local rounds=${1:-20} round pid
	start_host 1000
	for ((round = 0; round < rounds; round++)); do
		kill_hard "$LX_SNMPD"
		sleep_ms $((RANDOM % 1500)) # whenever it may come in the agent's own rhythm
		"$BENCH/reconnect" "$LX_DIR/agentx" "$LX_AGENT" >>"$LX_DIR/reconnected" 2>&1 &
		pid=$!
		lx_snmpd
		wait "$pid" || give_up "the agent did not come back"
	done
	bench reconnect "$(percentile 100 <"$LX_DIR/reconnected")" 1500 ms
	detail "reconnect: the longest of $rounds; median $(percentile 50 <"$LX_DIR/reconnected") ms"
}
