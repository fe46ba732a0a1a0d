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
}

kill9_manager_start() {
	"$BENCH/manager" "$LX_AGENT" 1 $KILL9_STEERED </dev/null >"$LX_DIR/requests" 2>"$LX_DIR/manager.err" &
	KILL9_MANAGER=$!
	LX_PIDS+=("$KILL9_MANAGER")
}

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
			lx_wait 30 kill_role "$role" || give_up "the $role process did not come back"
			echo "$KILLED_US $role" >>"$LX_DIR/kills"
		done
		# A kill counts when its requests have been followed to their end.
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

# KILL9_TOUCHED, KILL9_LOST, KILL9_TWICE; KILL9_ENDED (requests), KILL9_UNDECIDED, KILL9_FAILED;
# KILL9_WORDS: what is wrong, a line each.
kill9_judge() {
	tail -n "+$((KILL9_LOG_FROM + 1))" "$LX_DIR/simxen.log" | sed -nE 's/^.* ms: domain [0-9]+ (vm[0-9]+): ([a-z]+)$/\1 \2/p' >"$LX_DIR/truth"
	awk -v steered=$KILL9_STEERED '
		# What simxen did: births; pauses and unpauses are "state" of VMs of the second kind.
		NR == FNR { if ($2 == "born") born[$1]++; if ($2 == "state") state[$1]++; all[$1]++; next }
		$1 == "LOST" { print "lost: request " $2 " (" $4 " of " $3 ") has no row any more, or did not end"; lost++; maybe[$3]++ }
		$1 == "UNSURE" { unsure[$3]++; unsures++ }
		$1 == "END" {
			ended++
			if ($5 == "unknown") { undecided++; maybe[$3]++ }
			else if ($5 == "failed" || $5 == "cancelled") { failed++; maybe[$3]++ }
			else if ($4 == "reboot" || $4 == "start") births[$3]++
			else if ($4 == "pause" || $4 == "unpause") states[$3]++
			else other[$3]++
		}
		function judge(vm, what, done, wanted) {
			if (done < wanted) { print "lost: " vm ": " wanted " requests that make " what " succeeded, simxen made " done; lost += wanted - done }
			if (done > wanted + maybe[vm] + unsure[vm]) {
				print "twice: " vm ": " wanted " requests that make " what " succeeded, simxen made " done
				twice += done - wanted - maybe[vm] - unsure[vm]
			}
		}
		END {
			for (i = 1; i <= steered; i++) {
				vm = sprintf("vm%04d", i)
				judge(vm, "a birth", born[vm] + 0, births[vm] + 0)
				if (i % 3 == 1) judge(vm, "a pause or its end", state[vm] + 0, states[vm] + 0)
			}
			for (vm in all)
				if (substr(vm, 3) + 0 > steered) { print "touched: " vm ", which nobody asked for"; touched++ }
			print "sum", touched + 0, lost + 0, twice + 0, ended + 0, undecided + 0, failed + 0, unsures + 0
		}' "$LX_DIR/truth" "$LX_DIR/requests" >"$LX_DIR/judged"
	read -r _ KILL9_TOUCHED KILL9_LOST KILL9_TWICE KILL9_ENDED KILL9_UNDECIDED KILL9_FAILED KILL9_UNSURE < <(grep '^sum ' "$LX_DIR/judged")
	KILL9_WORDS=$(grep -v '^sum ' "$LX_DIR/judged")
}

measure_kill9() {
	local kills=${1:-50}
	seed_set "$SEED"
	kill9_run "$kills"
	bench kill9 $((KILL9_TOUCHED + KILL9_LOST + KILL9_TWICE)) 0 "VMs and requests"
	detail "kill9: VMs touched $KILL9_TOUCHED, requests lost $KILL9_LOST, done twice $KILL9_TWICE; seed $SEED;" \
		"kills that found requests in flight (a median of $(awk '$3 > 0 { print $3 }' "$LX_DIR/counted" | percentile 50)):$KILL9_COUNTED"
	detail "kill9: $KILL9_ENDED requests ended, of them $KILL9_UNDECIDED unknown, $KILL9_FAILED failed; $KILL9_UNSURE were never" \
		"said to be accepted"
	[ -z "$KILL9_WORDS" ] || echo "$KILL9_WORDS" | sed 's/^/  kill9: /'
	awk '$1 == "END" && $5 != "succeeded" { $1 = $6 = $7 = $8 = ""; print }' "$LX_DIR/requests" | cut -c1-150 | head -n 20 | sed 's/^/  kill9: /'
}
