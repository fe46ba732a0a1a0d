# shellcheck shell=bash
# [fleet_100] [fleet_1000] [fleet_dead_v2c] [fleet_dead_v3] [fleet_loop] [fleet_xargs] [fleet_v3_cpu] [start]
# [rss_1000]: vmctl list of many hosts, which one process stands for (fleet.c): 100 VMs each, 10
# columns, an answer takes 10 ms. Source it after measure.sh.

FLEET_COLUMNS=2,5,7,9,11,14,15,16,18,21
FLEET_KEYS=name,state,health,group,vcpus,cpuUsed,memory,memoryMax,memoryUsed,lastChange
FLEET_DELAY_MS=10
FLEET_ROUNDS=${FLEET_ROUNDS:-7}

# fleet_start HOSTS [OPTION...]: that many hosts, on addresses and a port of this run's own.
fleet_start() {
	FLEET_HOSTS=$1
	shift
	FLEET_NET=127.$((RANDOM % 100 + 120))
	FLEET_PORT=$(lx_port)
	"$BENCH/fleet" -n "$FLEET_HOSTS" -m 100 -d $FLEET_DELAY_MS -c $FLEET_COLUMNS "$@" "$FLEET_NET" "$FLEET_PORT" \
		</dev/null >"$LX_DIR/fleet" 2>&1 &
	LX_PIDS+=($!)
	lx_wait 20 grep -q ready "$LX_DIR/fleet" || give_up "the hosts do not listen: $(cat "$LX_DIR/fleet")"
}
fleet_address() { echo "$FLEET_NET.$(($1 / 256)).$(($1 % 256)):$FLEET_PORT"; }

# fleet_conf FILE PROFILE COUNT: a vmctl.conf of the first hosts.
fleet_conf() {
	local i
	{
		echo "cache-dir = \"$LX_DIR/cache\""
		echo 'profile "v2c" { version = "2c" community = "public" }'
		echo 'profile "v3" { user = "fleet" auth-password = "fleetpassword" }'
		printf 'group "all" { profile = "%s" hosts = {' "$2"
		for ((i = 1; i <= $3; i++)); do printf '%s"h%d=%s"' "$( ((i > 1)) && echo ,)" "$i" "$(fleet_address "$i")"; done
		echo '} }'
	} >"$LX_DIR/$1"
	chmod 600 "$LX_DIR/$1"
}

# fleet_list FILE [COMMAND...]: one list, run by the command; its time in us, of its CPU in ms, its lines.
fleet_list() {
	local TIMEFORMAT='%R %U %S' file=$1 real user system
	shift
	rm -f "$LX_DIR/out"
	{ time "$@" "$LX_BUILD/vmctl" -f "$LX_DIR/$file" list -o $FLEET_KEYS >"$LX_DIR/out" 2>"$LX_DIR/err"; } 2>"$LX_DIR/time"
	read -r real user system <"$LX_DIR/time"
	FLEET_US=$(awk -v r="$real" 'BEGIN { printf "%d", r * 1e6 }')
	FLEET_CPU_MS=$(awk -v u="$user" -v s="$system" 'BEGIN { print (u + s) * 1000 }')
	FLEET_LINES=$(($(wc -l <"$LX_DIR/out") - 1))
}
# fleet_check HOSTS: the last list was whole.
fleet_check() { [ "$FLEET_LINES" = $(($1 * 100)) ] || give_up "$FLEET_LINES VMs, not $(($1 * 100)): $(head -n 3 "$LX_DIR/err")"; }

# In turn: one host and many, so that both see the same machine.
fleet_many() { # NAME HOSTS
	local round
	fleet_start "$2"
	fleet_conf one v2c 1
	fleet_conf many v2c "$2"
	for ((round = 0; round <= FLEET_ROUNDS; round++)); do
		fleet_list one && fleet_check 1
		((round == 0)) || echo "$FLEET_US" >>"$LX_DIR/one.us"
		fleet_list many && fleet_check "$2"
		((round == 0)) || echo "$FLEET_US" >>"$LX_DIR/many.us"
	done
	bench "$1" "$(percentile 50 <"$LX_DIR/many.us" | to_ms)" "$(percentile 50 <"$LX_DIR/one.us" | to_ms)" ms
}
measure_fleet_100() { fleet_many fleet_100 100; }
measure_fleet_1000() {
	fleet_many fleet_1000 1000
	fleet_list many /usr/bin/env time -f %M -o "$LX_DIR/rss" && fleet_check 1000
	bench rss_1000 "$(tail -n 1 "$LX_DIR/rss" | awk '{ printf "%.1f", $1 * 1024 / 1e6 }')" 25 MB
}
measure_rss_1000() { measure_fleet_1000; }

# Each tenth of 100 hosts says nothing: what that costs is three tries of a second.
fleet_dead() { # NAME PROFILE
	local round
	fleet_start 100 -s 10
	fleet_conf many "$2" 100
	for round in 1 2 3; do
		fleet_list many && fleet_check 90
		echo "$FLEET_US" >>"$LX_DIR/many.us"
	done
	bench "$1" "$(percentile 50 <"$LX_DIR/many.us" | to_ms)" 3000 ms
}
measure_fleet_dead_v2c() { fleet_dead fleet_dead_v2c v2c; }
measure_fleet_dead_v3() { fleet_dead fleet_dead_v3 v3; }

# What one would write without vmctl: snmpbulkwalk host after host, and 100 of them at a time.
fleet_walk() { printf '%s\n' "$(fleet_address "$1")"; }
measure_fleet_loop() {
	local i begin table=$LX_ROOT.1.4.1 ours
	fleet_start 100
	fleet_conf many v2c 100
	for ((i = 1; i <= 100; i++)); do fleet_walk "$i"; done >"$LX_DIR/addresses"
	for ((i = 0; i <= FLEET_ROUNDS; i++)); do
		fleet_list many && fleet_check 100
		((i == 0)) || echo "$FLEET_US" >>"$LX_DIR/ours.us"
		begin=$(now_us)
		xargs -P 100 -I ADDRESS snmpbulkwalk -v2c -c public -Cr100 -On ADDRESS $table <"$LX_DIR/addresses" >"$LX_DIR/walked"
		((i == 0)) || echo $(($(now_us) - begin)) >>"$LX_DIR/xargs.us"
	done
	[ "$(grep -c . "$LX_DIR/walked")" -ge 100000 ] || give_up "snmpbulkwalk found $(grep -c . "$LX_DIR/walked") values"
	begin=$(now_us)
	while read -r address; do
		snmpbulkwalk -v2c -c public -Cr100 -On "$address" $table </dev/null
	done <"$LX_DIR/addresses" >"$LX_DIR/walked"
	begin=$(($(now_us) - begin))
	ours=$(percentile 50 <"$LX_DIR/ours.us" | to_ms)
	bench fleet_loop "$ours" "$(to_ms <<<"$begin")" ms
	bench fleet_xargs "$ours" "$(percentile 50 <"$LX_DIR/xargs.us" | to_ms)" ms
}
measure_fleet_xargs() { measure_fleet_loop; }

measure_fleet_v3_cpu() {
	local round
	fleet_start 100
	fleet_conf two v2c 100
	fleet_conf three v3 100
	for ((round = 0; round <= 2 * FLEET_ROUNDS; round++)); do
		fleet_list two && fleet_check 100
		((round == 0)) || echo "$FLEET_CPU_MS" >>"$LX_DIR/two.ms"
		fleet_list three && fleet_check 100
		((round == 0)) || echo "$FLEET_CPU_MS" >>"$LX_DIR/three.ms"
	done
	bench fleet_v3_cpu "$(awk '{ s += $1 } END { printf "%.1f", s / NR }' "$LX_DIR/three.ms")" \
		"$(awk '{ s += $1 } END { printf "%.1f", s / NR }' "$LX_DIR/two.ms")" ms
}

# To the first octet: of --version, and of a list of one host that answers at once; the peer is
# snmpget --version.
fleet_first() {
	local begin
	begin=$(now_us)
	"$@" 2>&1 | head -c 1 >/dev/null
	echo $(($(now_us) - begin))
}
measure_start() {
	local round
	FLEET_DELAY_MS=0
	fleet_start 1
	fleet_conf one v2c 1
	for ((round = 0; round < 20; round++)); do
		fleet_first "$LX_BUILD/vmctl" --version >>"$LX_DIR/version.us"
		fleet_first "$LX_BUILD/vmctl" -f "$LX_DIR/one" list >>"$LX_DIR/list.us"
		fleet_first snmpget --version >>"$LX_DIR/peer.us"
	done
	bench start "$(percentile 50 <"$LX_DIR/version.us" | to_ms)" "$(percentile 50 <"$LX_DIR/peer.us" | to_ms)" ms
	detail "vmctl list of one host with 100 VMs, to the first octet: $(percentile 50 <"$LX_DIR/list.us" | to_ms) ms"
}
