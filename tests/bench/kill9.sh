# shellcheck shell=bash
# shellcheck disable=SC2034 # LX_AGENT_CONF and LX_HV_CONF are for lx_config
# kill -9 of lauxend's processes under load: what is accepted is done once, and nothing else is done.
# Sourced by bench.sh and by tests/system/kill9.sh.
#
# The truth is simxen's own log of births and changes; the manager (manager.c) knows what it asked
# for, what was accepted and what the agent said of the end.

KILL9_ROLES=(hypervisor engine agentx parent all)
KILL9_STEERED=24 KILL9_OTHERS=24 # VMs with requests; VMs that nobody asks anything for

kill9_host() {
	local i vms=$((KILL9_STEERED + KILL9_OTHERS))
	"$LX_BUILD/simxen" --write-files "$LX_DIR" -n $vms >/dev/null
	VM_SECTIONS=
	for ((i = 1; i <= vms; i++)); do
		VM_SECTIONS+="vm \"$(printf vm%04d $i)\" { file = \"$(printf '%s/vm%04d.cfg' "$LX_DIR" $i)\" }"$'\n'
	done
	LX_AGENT_CONF="journal-size = 100000"
	start_host $vms --boot-ms 200 --shutdown-ms 100 -v
	lx_sim slow all 150 # so that a kill finds some at work
	lx_sim list >"$LX_DIR/list.before"
	KILL9_LOG_FROM=$(wc -l <"$LX_DIR/simxen.log")
	KILL9_BEGAN_MS=$(($(now_us) / 1000 - $(lx_sim host | sed -n 's/^uptime_ms: //p'))) # simxen's clock
}

kill9_manager_start() {
	"$BENCH/manager" "$LX_AGENT" 1 $KILL9_STEERED </dev/null >"$LX_DIR/requests" 2>"$LX_DIR/manager.err" &
	KILL9_MANAGER=$!
	LX_PIDS+=("$KILL9_MANAGER")
}

# Processes of earlier lives: their parent was killed, and they have not ended. Helpers may.
kill9_left() {
	local pid
	for pid in $(pgrep -f -- "--child .*$LX_DIR/lauxen.conf"); do
		[[ " $(lauxend_pids | tr '\n' ' ') " == *" $pid "* ]] || echo "$pid"
	done
}
kill9_none_left() { [ -z "$(kill9_left)" ]; }

role_is_there() { [ -n "$(role_pids "$1")" ]; }

# kill9_run KILLS: of each role, in turn, until so many found requests in flight.
kill9_run() {
	local kills=$1 role more=1
	local -A counted
	kill9_host
	kill9_manager_start
	: >"$LX_DIR/kills"
	while ((more)); do
		for role in "${KILL9_ROLES[@]}"; do
			pick 1500
			sleep_ms $((PICKED + 300))
			lx_wait 30 role_is_there "$role" && kill_role "$role" || give_up "the $role process did not come back"
			echo "$KILLED_US $role" >>"$LX_DIR/kills"
		done
		# A kill counts when the requests that it met have been followed to their end.
		kill9_count
		more=0
		for role in "${KILL9_ROLES[@]}"; do
			counted[$role]=$(awk -v role="$role" '$2 == role && $3 > 0' "$LX_DIR/counted" | wc -l)
			((counted[$role] >= kills)) || more=1
		done
	done
	lx_wait 60 lx_agent_up || give_up "the agent did not come back"
	kill -TERM "$KILL9_MANAGER"
	lx_wait 120 lx_gone "$KILL9_MANAGER" || give_up "the manager waits for ever: $(tail -n 3 "$LX_DIR/requests")"
	lx_wait 15 kill9_none_left
	KILL9_LEFT=$(kill9_left | wc -l)
	[ ! -s "$LX_DIR/manager.err" ] || give_up "the manager: $(cat "$LX_DIR/manager.err")"
	kill9_count
	KILL9_COUNTED=
	for role in "${KILL9_ROLES[@]}"; do
		KILL9_COUNTED+=" $role $(awk -v role="$role" '$2 == role && $3 > 0' "$LX_DIR/counted" | wc -l)"
	done
	kill9_judge
}

# Each kill with the number of requests in flight: accepted before, and seen unfinished after it, or
# ended at least 0.1 s after it (the row says it to 0.1 s).
kill9_count() {
	awk 'NR == FNR { if ($1 == "END") { n++; accepted[n] = $6; open[n] = $7 > $8 + 0 ? $7 : $8 - 100000 } next }
		{
			count = 0
			for (i = 1; i <= n; i++) count += accepted[i] < $1 && open[i] > $1
			print $1, $2, count
		}' "$LX_DIR/requests" "$LX_DIR/kills" >"$LX_DIR/counted"
}

# KILL9_TOUCHED, KILL9_LOST, KILL9_TWICE, KILL9_LEFT (processes); KILL9_ENDED (requests), KILL9_UNDECIDED, KILL9_FAILED,
# KILL9_IDLE (asked for what was so already, as the state was read while the agent was away);
# KILL9_WORDS: what is wrong, a line each.
#
# Each succeeded reboot and start is one birth in simxen's log, no more and no less. Of the VMs that
# are paused and unpaused each "state" in the log is one of these; when a request's end is read the
# VM must be as it says, and it changed as often as the requests that succeeded changed it.
kill9_judge() {
	tail -n "+$((KILL9_LOG_FROM + 1))" "$LX_DIR/simxen.log" |
		sed -nE 's/^.* ([0-9]+) ms: domain [0-9]+ (vm[0-9]+): ([a-z]+)$/\1 \2 \3/p' |
		awk -v began="$KILL9_BEGAN_MS" '{ printf "%.0f %s %s\n", ($1 + began) * 1000, $2, $3 }' >"$LX_DIR/truth"
	awk -v steered=$KILL9_STEERED '
		function say(what, vm, text) { print what ": " vm ": " text }
		function judge(vm, what, done, wanted) {
			if (done < wanted) { say("lost", vm, wanted " requests that make " what " succeeded, simxen made " done); lost += wanted - done }
			if (done > wanted + maybe[vm]) { say("twice", vm, wanted " requests that make " what " succeeded, simxen made " done); twice += done - wanted - maybe[vm] }
		}
		NR == FNR {
			all[$2]++
			if ($3 == "born") born[$2]++
			if ($3 == "state") when[$2, ++changes[$2]] = $1
			next
		}
		$1 == "LOST" { say("lost", $3, "request " $2 " (" $4 ") has no row any more, or did not end"); lost++; maybe[$3]++ }
		$1 == "UNSURE" { unsure++ }
		$1 == "END" {
			ended++
			vm = $3
			if ($5 == "unknown") { undecided++; maybe[vm]++ }
			else if ($5 != "succeeded") { failed++; maybe[vm]++ }
			else if ($4 == "reboot" || $4 == "start") births[vm]++
			else if ($4 == "pause" || $4 == "unpause") {
				paused = $4 == "pause"
				while (at[vm] < changes[vm] && when[vm, at[vm] + 1] <= $9) at[vm]++
				if (at[vm] % 2 != paused && !maybe[vm]) { say("lost", vm, "request " $2 " (" $4 ") succeeded, but it is not so"); lost++ }
				if (paused == was[vm] + 0) idle++
				else wanted[vm]++
				was[vm] = paused
			}
		}
		END {
			for (i = 1; i <= steered; i++) {
				vm = sprintf("vm%04d", i)
				judge(vm, "a birth", born[vm] + 0, births[vm] + 0)
				if (i % 3 == 1) judge(vm, "a pause or its end", changes[vm] + 0, wanted[vm] + 0)
			}
			for (vm in all)
				if (substr(vm, 3) + 0 > steered) { say("touched", vm, "nobody asked for it"); touched++ }
			print "sum", touched + 0, lost + 0, twice + 0, ended + 0, undecided + 0, failed + 0, unsure + 0, idle + 0
		}' "$LX_DIR/truth" "$LX_DIR/requests" >"$LX_DIR/judged"
	read -r _ KILL9_TOUCHED KILL9_LOST KILL9_TWICE KILL9_ENDED KILL9_UNDECIDED KILL9_FAILED KILL9_UNSURE KILL9_IDLE < <(grep '^sum ' "$LX_DIR/judged")
	KILL9_WORDS=$(grep -v '^sum ' "$LX_DIR/judged")
}

measure_kill9() {
	local kills=${1:-50}
	seed_set "$SEED"
	kill9_run "$kills"
	bench kill9 $((KILL9_TOUCHED + KILL9_LOST + KILL9_TWICE + KILL9_LEFT)) 0 faults
	detail "kill9: VMs touched $KILL9_TOUCHED, requests lost $KILL9_LOST, done twice $KILL9_TWICE, processes left behind" \
		"$KILL9_LEFT; seed $SEED;" \
		"kills that found requests in flight (a median of $(awk '$3 > 0 { print $3 }' "$LX_DIR/counted" | percentile 50)):$KILL9_COUNTED"
	detail "kill9: $KILL9_ENDED requests ended, of them $KILL9_UNDECIDED unknown, $KILL9_FAILED failed, $KILL9_IDLE asked for" \
		"what was so already; $KILL9_UNSURE were not accepted, without a clear word"
	[ -z "$KILL9_WORDS" ] || echo "$KILL9_WORDS" | sed 's/^/  kill9: /'
	awk '$1 == "END" && $5 != "succeeded" { $1 = $6 = $7 = $8 = $9 = ""; print }' "$LX_DIR/requests" | cut -c1-150 | head -n 20 | sed 's/^/  kill9: /'
}
