# shellcheck shell=bash
# shellcheck disable=SC2034 # LX_AGENT_CONF and LX_HV_CONF are for lx_config
# Events while snmpd or the agent are away: does each come, in order, and how often? Sourced by
# bench.sh and by tests/system/replay.sh. The changes are VMs that the simulated host pauses by itself.

PAUSED=8 RUNNING=4 # lxVmState

# heard_changes STATE FROM TO: lxVmStateChanged of vmFROM..vmTO to a state, as "SEQUENCE VM", as they came.
heard_changes() {
	awk -v state="$1" -v from="$2" -v to="$3" \
		'$2 == 1 && $5 == state { n = substr($4, 3) + 0; if (n >= from && n <= to) print $3, $4 }' "$SUNK"
}
heard_all() { [ "$(heard_changes "$1" "$2" "$3" | awk '{ print $2 }' | sort -u | wc -l)" = $(($3 - $2 + 1)) ]; }

# replay_run EVENTS: made while snmpd is dead. REPLAY_HEARD, REPLAY_REPEATS, REPLAY_DISORDER: how many
# of their notifications came, came again, came before an older one.
replay_run() {
	local events=$1 waited
	start_sink
	start_host "$events"
	lx_wait 20 waiting_none && lx_wait 20 quiet "$SUNK"
	kill_hard "$LX_SNMPD"
	seq -f 'pause vm%04.0f' 1 "$events" | "$BENCH/steer" "$LX_SIM" 5 >/dev/null || give_up "simxen pauses no VM"
	all_seen() { [ "$(grep -c 'engine: VM .* is paused, was ' "$LX_DIR/lauxend.log")" = "$events" ]; }
	lx_wait 20 all_seen || give_up "the agent has not seen that all $events VMs are paused"
	[ -z "$(heard_changes $PAUSED 1 "$events")" ] || give_up "an event was heard while snmpd was dead"
	lx_snmpd
	waited=$SECONDS
	lx_wait $((30 + events / 10)) heard_all $PAUSED 1 "$events"
	REPLAY_SECONDS=$((SECONDS - waited))
	lx_wait 10 quiet "$SUNK"
	heard_changes $PAUSED 1 "$events" >"$LX_DIR/heard"
	REPLAY_HEARD=$(awk '{ print $2 }' "$LX_DIR/heard" | sort -u | wc -l)
	REPLAY_REPEATS=$(($(wc -l <"$LX_DIR/heard") - $(sort -u "$LX_DIR/heard" | wc -l)))
	REPLAY_TWICE=$(($(sort -u "$LX_DIR/heard" | wc -l) - REPLAY_HEARD))
	REPLAY_DISORDER=$(awk '$1 < last { n++ } { last = $1 } END { print n + 0 }' "$LX_DIR/heard")
}

# What the journal has and the sink has not, or the other way: events that make notifications only.
journal_differs() {
	lx_walk $LX_EVENT.3 | sed -nE 's/^.*\.([0-9]+) = INTEGER: ([0-9]+)$/\1 \2/p' | awk '$2 < 100 { print $1 }' | sort -n >"$LX_DIR/journal"
	awk '{ print $3 }' "$SUNK" | sort -nu >"$LX_DIR/sequences"
	comm -3 <(sort "$LX_DIR/journal") <(sort "$LX_DIR/sequences") | wc -l
}

# random_run VMS GAP_MS SECONDS: each VM is paused, then each unpaused, one each GAP_MS, while snmpd, a
# process of lauxend or all of it are killed at random. RANDOM_HEARD of 2 * VMS changes, RANDOM_REPEATS
# (a notification that came again, with the same sequence number), RANDOM_TWICE (a change that made
# two events), RANDOM_KILLS, RANDOM_DIFFERS (journal and sink).
random_run() {
	local vms=$1 gap=$2 targets=(snmpd hypervisor engine agentx all) stream
	start_sink
	LX_AGENT_CONF="journal-size = 100000"
	start_host "$vms"
	lx_wait 20 waiting_none && lx_wait 20 quiet "$SUNK"
	{
		seq -f 'pause vm%04.0f' 1 "$vms"
		seq -f 'unpause vm%04.0f' 1 "$vms"
	} | "$BENCH/steer" "$LX_SIM" "$gap" >"$LX_DIR/steered" 2>"$LX_DIR/steer.err" &
	stream=$!
	LX_PIDS+=("$stream")
	RANDOM_KILLS=0 RANDOM_KILLED=
	while ! lx_gone "$stream"; do
		pick 3000
		sleep_ms $((PICKED + 200))
		pick ${#targets[@]}
		kill_role "${targets[PICKED]}" || continue # it is on its way back
		RANDOM_KILLS=$((RANDOM_KILLS + 1))
		RANDOM_KILLED+=" ${targets[PICKED]}"
	done
	[ "$(wc -l <"$LX_DIR/steered")" = $((2 * vms)) ] || give_up "simxen: $(cat "$LX_DIR/steer.err")"
	lx_wait 60 lx_agent_up || give_up "the agent did not come back"
	lx_wait $((30 + vms / 10)) heard_all $RUNNING 1 "$vms"
	lx_wait 60 waiting_none
	lx_wait 10 quiet "$SUNK"
	random_count "$vms"
}
random_count() {
	local state heard unique
	RANDOM_HEARD=0 RANDOM_REPEATS=0 RANDOM_TWICE=0
	for state in $PAUSED $RUNNING; do
		heard_changes $state 1 "$1" >"$LX_DIR/heard"
		heard=$(awk '{ print $2 }' "$LX_DIR/heard" | sort -u | wc -l)
		unique=$(sort -u "$LX_DIR/heard" | wc -l)
		RANDOM_HEARD=$((RANDOM_HEARD + heard))
		RANDOM_TWICE=$((RANDOM_TWICE + unique - heard))
	done
	RANDOM_REPEATS=$(awk '{ print $3 }' "$SUNK" | sort | uniq -d | wc -l)
	RANDOM_DIFFERS=$(journal_differs)
}

measure_replay() {
	replay_run "${1:-500}"
	# What came again or out of order does not count as received.
	bench replay $((REPLAY_HEARD - REPLAY_REPEATS - REPLAY_TWICE - REPLAY_DISORDER)) "${1:-500}" events
	detail "replay: $REPLAY_HEARD received in $REPLAY_SECONDS s, $REPLAY_REPEATS repeated, $REPLAY_TWICE made twice," \
		"$REPLAY_DISORDER out of order"
}

measure_replay_random() {
	seed_set "$SEED"
	random_run "${1:-1000}" 20
	bench replay_random $((RANDOM_HEARD - RANDOM_DIFFERS)) $((2 * ${1:-1000})) events
	detail "replay_random: $RANDOM_HEARD changes received, $RANDOM_REPEATS notifications repeated, $RANDOM_TWICE changes" \
		"heard as two events, journal and sink differ in $RANDOM_DIFFERS; seed $SEED, $RANDOM_KILLS kills:$RANDOM_KILLED"
}
