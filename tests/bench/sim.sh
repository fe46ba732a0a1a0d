# shellcheck shell=bash
# The simulated world of the engine: how many steps (calls of the engine) it does in a second of one
# CPU, with all that the host, the store, agentx and the rules do in them. Sourced by bench.sh.

measure_sim_steps() {
	"$LX_BUILD/tests/sim/sim" random -s 1 -n 5000000 >"$LX_DIR/sim" 2>&1 || give_up "$(tail -n 3 "$LX_DIR/sim")"
	bench sim_steps "$(sed -nE 's/^# ([0-9]+) steps a second.*/\1/p' "$LX_DIR/sim")" 100000 steps/s
	detail "$(grep '^ok' "$LX_DIR/sim")"
}
