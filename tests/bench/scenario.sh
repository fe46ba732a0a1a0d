# shellcheck shell=bash
# shellcheck disable=SC2034 # LX_SUPERVISION is for lx_config
# The scenarios A and B of the first LauXen, nine servers that need each other: launch, cascade, death, CPU. Sourced by bench.sh.
#
# The truth is simxen's log: a domain is born, its guest is up ("guest"), its state changes, it dies.
# The peer is the first LauXen, of which its author measured (tables 4.1 to 4.4, figure 4.13) on one core of 2 GHz.

SCENARIO_PART=${SCENARIO_PART:-1}    # for the launch: boot times are 1/SCENARIO_PART of the examples'
CASCADE_ROUNDS=${CASCADE_ROUNDS:-10} # pauses, hangs, deaths

# Seconds that the first LauXen took: to the launch of each VM; three times, to the last VM paused, and resumed.
declare -A TABLE_LAUNCH=([a]="0 75 22 29 34 31 24 68 79" [b]="0 20 21 50 47 48 50 87 105")
declare -A TABLE_PAUSE=([a]="4 4 4" [b]="13 22 12")
declare -A TABLE_RESUME=([a]="6 6 4" [b]="20 12 12")

# scenario_start a|b PART: with the example's own times of probing, and nothing else in the way.
scenario_start() {
	LX_SUPERVISION='autostart = no interval = "2s" timeout = "1s"'
	lx_snmpd
	scenario_begin "$1" "$2"
	before_others
}
scenario_request() {
	"$LX_BUILD/lauxend" --request "$@" -f "$LX_DIR/lauxen.conf" >>"$LX_DIR/requests" 2>&1 ||
		give_up "$*: $(tail -n 1 "$LX_DIR/requests")"
}

# ---- the two logs ----

# A time of a log, HH:MM:SS.mmm, on stdin: ms of the day.
day_ms() { awk -F'[:.]' '{ print (($1 * 60 + $2) * 60 + $3) * 1000 + $4 }'; }
now_day_ms() { date +%T.%3N | day_ms; }
# between FROM TO: ms of the day, also over midnight.
between() { echo $((($2 - $1 + 86400000) % 86400000)); }

# said FILE FROM PATTERN: the time of the first line after line FROM that matches; fails without.
said() {
	local line
	line=$(tail -n "+$(($2 + 1))" "$1" | grep -m 1 -E "$3") && day_ms <<<"${line%% *}"
}
# changes FROM WHAT: VMs with such a line in simxen's log after line FROM, "MS NAME", each its first time.
changes() {
	tail -n "+$(($1 + 1))" "$LX_DIR/simxen.log" |
		sed -nE "s/^(\S+) simxen: .* domain [0-9]+ (\S+): $2$/\1 \2/p" |
		awk '!seen[$2]++ { split($1, t, /[:.]/); print ((t[1] * 60 + t[2]) * 60 + t[3]) * 1000 + t[4], $2 }'
}
logs_mark() {
	SIM_FROM=$(wc -l <"$LX_DIR/simxen.log")
	AGENT_FROM=$(wc -l <"$LX_DIR/lauxend.log")
}
changed_all() { [ "$(changes "$SIM_FROM" state | grep -vc servidor1)" = 8 ]; }
# The time of the last dependent's change.
changed_last() { changes "$SIM_FROM" state | grep -v servidor1 | tail -n 1 | cut -d' ' -f1; }

# ---- launch ----

# What the configuration demands: "VM PROVIDER" each; and "VM BOOT_MS".
scenario_needs() {
	awk -F'"' '/^vm/ { vm = $2 } /needs/ { for (i = 2; i <= NF; i += 2) { sub(/:.*/, "", $i); print vm, $i } }' "$LX_DIR/scenario.conf"
}
scenario_boots() { sed -nE 's/^simxen_boot_ms = //p' "$LX_DIR"/scenario-?/*.cfg | awk '{ print "servidor" NR, $1 }'; }
# The longest sum of boot times along the needs, ms.
critical_path() {
	awk 'NR == FNR { boot[$1] = at[$1] = $2; next } { vm[FNR] = $1; provider[FNR] = $2; n = FNR }
		END {
			for (again = 1; again;) {
				again = 0
				for (i = 1; i <= n; i++)
					if (at[vm[i]] < at[provider[i]] + boot[vm[i]]) { at[vm[i]] = at[provider[i]] + boot[vm[i]]; again = 1 }
			}
			for (i in at) if (at[i] > longest) longest = at[i]
			print longest
		}' <(scenario_boots) <(scenario_needs)
}
# Needs that were not met: born before the provider's guest was up.
order_broken() {
	awk 'FILENAME != last { last = FILENAME; file++ }
		file == 1 { born[$2] = $1 } file == 2 { up[$2] = $1 }
		file == 3 && (!($1 in born) || !($2 in up) || born[$1] < up[$2]) { print $1 " before " $2 }' \
		"$LX_DIR/born" "$LX_DIR/up" <(scenario_needs)
}

scenario_launch() { # a|b
	local began ended broken
	scenario_start "$1" "$SCENARIO_PART"
	began=$(now_day_ms)
	scenario_request launch '*'
	ended=$(said "$LX_DIR/lauxend.log" 0 'launch succeeded') || give_up "the log says nothing of the launch's end"
	changes 0 born >"$LX_DIR/born"
	changes 0 guest >"$LX_DIR/up"
	broken=$(order_broken)
	[ "$(wc -l <"$LX_DIR/born")" = 9 ] && [ -z "$broken" ] || give_up "the order of launch is wrong: $broken"
	bench "scenario_$1" "$(between "$began" "$ended")" "$(critical_path)" ms
	scenario_details "$1" "$began"
}
scenario_details() { # a|b BEGAN
	detail "scenario_$1: from the request to the last service up, beside the sum of boot times on the longest way along the" \
		"needs; each VM was made after all that it needs were up; boot times are 1/$SCENARIO_PART of those of the examples"
	detail "scenario_$1: launched after, s:$(sort -k2 "$LX_DIR/born" | awk -v b="$2" '{ printf " %.1f", ($1 - b + 86400000) % 86400000 / 1000 }')"
	detail "scenario_$1: the first LauXen's table, s:  ${TABLE_LAUNCH[$1]}"
}
measure_scenario_a() { scenario_launch a; }
measure_scenario_b() { scenario_launch b; }

# ---- cascade ----

# scenario_settled: all run, and all serve.
all_served() { [ "$(lx_walk $LX_SERVICE_STATE | grep -c 'INTEGER: 2$')" = 9 ]; }
scenario_settled() { lx_wait 60 all_served || give_up "not all services are up again"; }

# cascade_round FILE PATTERN SIM...: what a person does to servidor1 in simxen; then, in FILE, "DETECTION CASCADE BOTH"
# in ms: from simxen's line of it to lauxend's that matches, and from there to the change of the last dependent.
cascade_round() {
	local file=$1 pattern=$2 did known last
	shift 2
	logs_mark
	lx_sim "$@" || give_up "simxen: $* failed"
	lx_wait 60 changed_all || give_up "$*: not all dependents followed: $(changes "$SIM_FROM" state)"
	did=$(said "$LX_DIR/simxen.log" "$SIM_FROM" ' servidor1: ') || give_up "$*: simxen says nothing of it"
	known=$(said "$LX_DIR/lauxend.log" "$AGENT_FROM" "$pattern") || give_up "$*: the log has no $pattern"
	last=$(changed_last)
	echo "$(between "$did" "$known") $(between "$known" "$last") $(between "$did" "$last")" >>"$LX_DIR/$file"
}
column_at() { cut -d' ' -f"$2" <"$LX_DIR/$1" | percentile "$3"; } # FILE COLUMN PERCENTILE
cascade_detail() { # NAME FILE TEXT
	detail "$1: $3: known after $(column_at "$2" 1 50) ms (longest $(column_at "$2" 1 100)), all eight" \
		"$(column_at "$2" 2 50) ms later (longest $(column_at "$2" 2 100)); medians of $(wc -l <"$LX_DIR/$2")"
}

scenario_cascade() { # a|b
	local round name=cascade_$1
	scenario_start "$1" 40
	scenario_request launch '*'
	for ((round = 0; round < CASCADE_ROUNDS; round++)); do
		cascade_round paused 'servidor1 is paused' pause servidor1
		cascade_round resumed 'servidor1 is running' unpause servidor1
		scenario_settled
	done
	for ((round = 0; round < (CASCADE_ROUNDS + 2) / 3; round++)); do
		cascade_round hung 'servidor1:22/tcp is down' service-hang servidor1 22
		cascade_round healed 'servidor1:22/tcp answers again' service-ok servidor1 22
		scenario_settled
	done
	bench "$name" "$(column_at paused 2 50)" "$(tr ' ' '\n' <<<"${TABLE_PAUSE[$1]}" | percentile 50)000" ms
	cascade_detail "$name" paused "servidor1 paused by hand"
	cascade_detail "$name" resumed "unpaused"
	cascade_detail "$name" hung "its service hangs (probed each 2 s, 1 s for an answer, 3 failures)"
	cascade_detail "$name" healed "it is well again"
	detail "$name: the first LauXen's table, from the pause to the last one, s: ${TABLE_PAUSE[$1]}; resumed: ${TABLE_RESUME[$1]}"
}
measure_cascade_a() { scenario_cascade a; }
measure_cascade_b() { scenario_cascade b; }

# ---- death ----

measure_death() {
	local round
	scenario_start a 40
	for ((round = 0; round < CASCADE_ROUNDS; round++)); do
		scenario_request launch '*'
		scenario_settled
		cascade_round destroyed 'servidor1 is (shuttingdown|shutdown)' destroy servidor1
	done
	bench death "$(column_at destroyed 3 50)" 200 ms
	detail "death: from the begin of servidor1's end, in scenario A, to the last of eight dependents paused; median of" \
		"$CASCADE_ROUNDS, longest $(column_at destroyed 3 100) ms"
	cascade_detail death destroyed "destroyed by hand"
}

# ---- CPU ----

measure_cpu_25min() {
	local seconds=${CPU_S:-60} share
	scenario_start a 40
	scenario_request launch '*'
	scenario_settled
	sleep 5
	share=$(cpu_share "$seconds") || exit
	bench cpu_25min "$(awk -v share="$share" 'BEGIN { printf "%.1f", share * 1500 }')" 18 s
	detail "cpu_25min: scaled up from $seconds s of scenario A running, nine services probed each 2 s and nine VMs sampled" \
		"each second; the first LauXen's is what its Dom0 used after the last boot"
}
