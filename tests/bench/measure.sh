# shellcheck shell=bash
# What the measurements share, and the short system tests of the same things: percentiles, kills,
# the sink of notifications. Source it after tests/lib.sh.
# shellcheck disable=SC2034 # what is set here is used by those who source it

BENCH=$LX_BUILD/tests/bench

# bench NAME OURS PEER UNIT: one line of result; the peer "none" has no ratio.
bench() {
	local ratio=none
	[ "$3" = none ] || ratio=$(awk -v a="$2" -v b="$3" 'BEGIN { if (b > 0) printf "%.2f", a / b; else print "none" }')
	echo "BENCH $1 ours=$2 peer=$3 ratio=$ratio unit=$4"
}
detail() { echo "  $*"; }
# A measurement that cannot be taken.
give_up() {
	echo "$*" >&2
	[ ! -f "$LX_DIR/lauxend.log" ] || tail -n 15 "$LX_DIR/lauxend.log" | sed 's/^/  lauxend: /' >&2
	exit 2
}

# percentile P: of the numbers on stdin, one a line; the median is P 50, the longest P 100.
percentile() {
	sort -n | awk -v p="$1" '{ v[NR] = $1 } END { if (NR) { i = int((p * NR + 99) / 100); print v[i < 1 ? 1 : i] } }'
}
# Microseconds on stdin to milliseconds.
to_ms() { awk '{ printf "%.2f\n", $1 / 1000 }'; }

now_us() {
	local now=${EPOCHREALTIME/,/.}
	echo $((${now%.*} * 1000000 + 10#${now#*.}))
}

# A number from 0 to $1 - 1 that the seed fixes; pick N -> PICKED (no subshell, as that would lose
# the generator's state).
seed_set() {
	SEED=${1:-$((RANDOM * 32768 + RANDOM))}
	PICK_STATE=$SEED
}
pick() {
	PICK_STATE=$(((PICK_STATE * 1103515245 + 12345) & 0x7fffffff))
	PICKED=$(((PICK_STATE >> 8) % $1))
}
sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

# The sink of notifications: LX_TRAP_PORT is where, SUNK its lines "CAME_US TYPE SEQUENCE VM STATE".
start_sink() {
	LX_TRAP_PORT=$(lx_port)
	SUNK=$LX_DIR/sunk
	"$BENCH/sink" "$LX_TRAP_PORT" </dev/null >"$SUNK" 2>"$LX_DIR/sink.log" &
	LX_PIDS+=($!)
	lx_wait 10 grep -qi ":$(printf %04X "$LX_TRAP_PORT") " /proc/net/udp || give_up "the sink does not listen: $(cat "$LX_DIR/sink.log")"
}

# The parent, its children, and the hypervisor process's workers.
lauxend_pids() {
	local pid todo=("$LX_LAUXEND")
	while [ ${#todo[@]} -gt 0 ]; do
		pid=${todo[0]}
		mapfile -t todo < <(printf '%s\n' "${todo[@]:1}" $(pgrep -P "$pid") | grep .)
		echo "$pid"
	done
}

# All that runs goes before other work on the machine, which would be measured otherwise; where it may.
before_others() {
	local pid
	for pid in "${LX_PIDS[@]}" $(lauxend_pids); do
		chrt -a -f -p 1 "$pid" 2>/dev/null || { detail "without real-time priority: other work on this machine counts"; return; }
	done
}

agent_processes() { pgrep -P "$LX_LAUXEND"; }
vms_are() { [ "$(lx_get $LX_ROOT.1.2.13.0)" = "$1" ]; }
vms_paused() { [ "$(lx_get $LX_ROOT.1.2.14.0)" = "$1" ]; }
waiting_none() { [ "$(lx_get $LX_ROOT.1.1.16.0)" = 0 ]; }
same_size() { [ "$(wc -c <"$1")" = "$2" ]; }
# No line came to a file for a second.
quiet() {
	local before
	before=$(wc -c <"$1")
	sleep 1
	same_size "$1" "$before"
}

# start_host VMS [SIMXEN OPTION...]: a simulated host, snmpd and lauxend on it, all VMs seen.
start_host() {
	local vms=$1
	shift
	lx_simxen -n "$vms" --services none "$@"
	lx_snmpd
	lx_config "${VM_SECTIONS:-}"
	LX_START_SECONDS=60 lx_lauxend -v
	lx_wait 60 vms_are "$vms" || give_up "not all of the $vms VMs are seen"
}

# Of what there is to kill: a child of lauxend, the parent, snmpd, or lauxend with all its processes.
role_pids() {
	case $1 in
	snmpd) echo "$LX_SNMPD" ;;
	parent) echo "$LX_LAUXEND" ;;
	all) echo "$LX_LAUXEND" && agent_processes ;;
	*) lx_child "$1" ;;
	esac
}
# kill_role ROLE: kill -9; KILLED_US is when. False where it is on its way back from the last time.
# What does not come back by itself is started again.
kill_role() {
	local pids
	mapfile -t pids < <(role_pids "$1")
	[ ${#pids[@]} -gt 0 ] || return 1
	KILLED_US=$(now_us)
	kill_hard "${pids[@]}" || return 1
	case $1 in
	snmpd) lx_snmpd ;;
	parent | all) LX_START_SECONDS=60 lx_lauxend -v ;;
	esac
}
# kill_hard PID...: kill -9; those that this shell has started are then none to end any more. False
# where none of them was there.
kill_hard() {
	local pid left=() rc
	{
		kill -KILL "$@"
		rc=$?
		wait "$@" # whose they are not, they say: no matter
	} 2>/dev/null
	for pid in "${LX_PIDS[@]}"; do [[ " $* " == *" $pid "* ]] || left+=("$pid"); done
	LX_PIDS=("${left[@]}")
	return $rc
}
