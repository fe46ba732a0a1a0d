#!/bin/bash
# The measurements: `make bench`, or one by one. Each prints a line
#   BENCH name ours=... peer=... ratio=... unit=...
# and what is behind it in the lines below. peer: another way to do it, or ours when idle, measured in
# the same run; or the limit. Ends with 0 where all goals are met and all that was asked for could be
# measured. The figures are of this machine at this moment: run them while it has nothing else to do.
#
# usage: tests/bench/bench.sh [NAME...]     without: all but those of the emulated Xen, xen_*
#   SEED=N           of what is random (printed)
#   CPU_S=N          seconds of cpu_25min
#   SCENARIO_PART=N  boot times of scenario_a and scenario_b are 1/N
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
for part in measure latency replay kill9 resources probe engine sim fleet scenario xen; do
	# shellcheck disable=SC1090
	. "tests/bench/$part.sh"
done

# The goals: a name, and what must be true of its figures; "-" where the figure is for comparison.
goals() {
	cat <<-'END_OF_GOALS'
		walk          ours >= 0.30 * peer
		walk_cpu      -
		get_sampling  ours <= 2 * peer || ours <= peer + 2
		get_silent    ours <= 2 * peer || ours <= peer + 2
		set_busy      ours <= 100
		set_silent    ours <= 100
		event         ours <= 50
		reconnect     ours <= 1500
		replay        ours == peer
		replay_random ours == peer
		kill9         ours == 0
		pss_9         -
		pss_1000      -
		cpu_9         ours < 0.5
		probe_1       ours <= peer / 20
		probe_1000    ours <= peer / 2
		probe_udp     ours <= peer / 5
		probe_silent  ours <= 1100 && ours <= peer
		engine_load   ours <= peer
		engine_event  ours <= peer
		engine_all    ours <= peer
		sim_steps     ours >= peer
		fleet_100     ours <= 1.15 * peer
		fleet_1000    ours <= 4.5 * peer
		fleet_dead_v2c ours <= 1.1 * peer
		fleet_dead_v3 ours <= 1.1 * peer
		fleet_loop    ours <= peer / 5
		fleet_xargs   ours <= peer / 10
		fleet_v3_cpu  ours <= 2 * peer
		scenario_a    ours <= 1.05 * peer
		scenario_b    ours <= 1.05 * peer
		cascade_a     ours <= 200
		cascade_b     ours <= 200
		death         ours <= 200
		cpu_25min     ours <= peer
		pss_services  -
		start         -
		rss_1000      ours <= peer
		xen_event_poweroff ours <= peer
		xen_event_panic ours <= peer
		xen_event_destroy ours <= peer
		xen_sample    -
		xen_cpu       ours <= peer
		xen_figures   ours == peer
	END_OF_GOALS
}
names() { goals | awk '{ print $1 }'; }

# walk.sh measures two things at once.
measure_walk() { tests/bench/walk.sh; }
measure_walk_cpu() { measure_walk; }

# run NAME: in a subshell, as each has a folder and processes of its own.
run() {
	(
		lx_begin
		"measure_$1"
	)
}

# judge FILE NAME: the last line of that name against its goal; says what is wrong.
judge() {
	local line goal
	line=$(grep "^BENCH $2 " "$1" | tail -n 1)
	goal=$(goals | sed -nE "s/^$2 +//p")
	[ -n "$line" ] || { echo "$2: could not be measured"; return 1; }
	[ "$goal" = - ] || sed -E 's/.* ours=(\S+) peer=(\S+) .*/\1 \2/' <<<"$line" |
		awk "{ ours = \$1 + 0; peer = \$2 + 0; exit !($goal) }" || { echo "$2: the goal ($goal) is missed"; return 1; }
}

mapfile -t wanted < <(if [ $# -gt 0 ]; then printf '%s\n' "$@"; else names | grep -v '^xen_'; fi)
for name in "${wanted[@]}"; do
	names | grep -qx "$name" || { echo "there is no measurement $name; there are: $(names | tr '\n' ' ')" >&2; exit 2; }
done
results=$(mktemp) || exit 2
trap 'rm -f "$results"' EXIT
trap 'exit 130' HUP INT TERM
for name in "${wanted[@]}"; do
	grep -q "^BENCH $name " "$results" || run "$name" | tee -a "$results"
done
missed=0
for name in "${wanted[@]}"; do judge "$results" "$name" || missed=$((missed + 1)); done
if ((missed > 0)); then echo "$missed of ${#wanted[@]} goals missed or not measured"; else echo "all ${#wanted[@]} goals met"; fi
((missed == 0))
