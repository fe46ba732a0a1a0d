# shellcheck shell=bash
# The pure engine over 1,000 VMs that need 10,000 services of each other. Sourced by bench.sh.
#
# CPU time of single calls, with the effects that they have; the longest of each kind counts.

engine_run() {
	"$BENCH/engine" 1000 10000 >"$LX_DIR/engine" 2>"$LX_DIR/engine.log" || give_up "$(tail -n 3 "$LX_DIR/engine.log")"
}
# engine_worst KIND...: the longest of these kinds, ms.
engine_worst() { engine_kinds "$@" | sed -E 's/.* ms=(\S+) .*/\1/' | percentile 100; }
engine_kinds() { grep -E "^($(tr ' ' '|' <<<"$*")) " "$LX_DIR/engine"; }

# engine_measure NAME LIMIT KIND...
engine_measure() {
	local name=$1 limit=$2 line
	shift 2
	engine_run
	bench "$name" "$(engine_worst "$@")" "$limit" ms
	while read -r line; do detail "$name: $line"; done < <(engine_kinds "$@")
}

# A first configuration; and one that is read again while all run.
measure_engine_load() { engine_measure engine_load 100 load_first load_again; }
# What is told of one VM or service, a look's end, and a hypervisor that falls silent and speaks again.
measure_engine_event() { engine_measure engine_event 1 domain figures sample probe paused silence; }
# The one service fails that nine in ten need, through others: all these VMs are paused in one step.
# And all VMs are to be shut down.
measure_engine_all() { engine_measure engine_all 10 collapse shutdown_all; }
