# shellcheck shell=bash
# What the demo, the system tests and the measurements share: a folder of their own, a private snmpd
# and snmptrapd, a simulated host, lauxend on it; waiting for a condition, never for luck; and the end
# of all that was started, by pid. Source it from bash with the repository as working directory.
#
#   LX_BUILD   where the programs are (default build/out)
#   LX_DIR     the temporary folder, removed at the end
# shellcheck disable=SC2034 # what is set here is used by those who source it

LX_BUILD=${LX_BUILD:-build/out}
LX_PIDS=()
LX_PASSED=0 LX_FAILED=0 LX_SKIPPED=0
PATH=$PATH:/usr/sbin:/sbin
export MIBS="" # the tools load MIBs only where lx_named says so

lx_begin() {
	LX_DIR=$(mktemp -d "${TMPDIR:-/tmp}/lauxen.XXXXXX") || exit 2
	trap lx_end EXIT
	trap 'exit 130' HUP INT TERM
	# An address range of this run's own, so that two runs never meet: 127.A.B.x
	LX_NET=127.$((RANDOM % 200 + 20)).$((RANDOM % 250 + 1))
}

# Ends what was started, the youngest first; waits for each end.
lx_end() {
	local i
	for ((i = ${#LX_PIDS[@]} - 1; i >= 0; i--)); do
		lx_stop "${LX_PIDS[i]}"
	done
	LX_PIDS=()
	[ -z "${LX_DIR:-}" ] || [ -n "${LX_KEEP:-}" ] || rm -rf "$LX_DIR"
}

# lx_stop PID [SIGNAL]: ends a process and waits until it is gone; by force after 10 s.
lx_stop() {
	kill -CONT "$1" 2>/dev/null
	kill "-${2:-TERM}" "$1" 2>/dev/null || return 0
	lx_wait 10 lx_gone "$1" || { kill -KILL "$1" 2>/dev/null; lx_wait 5 lx_gone "$1"; }
	wait "$1" 2>/dev/null
	return 0
}

lx_gone() {
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

# lx_wait SECONDS COMMAND...: until the command succeeds; 1 where it did not in time.
lx_wait() {
	local deadline=$((SECONDS + $1 + 1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < deadline)) || return 1
		sleep 0.05
	done
}

# A UDP port of 127.0.0.1 that is free now.
lx_port() {
	local port
	while :; do
		port=$((RANDOM % 20000 + 20000))
		grep -qi ":$(printf %04X $port) " /proc/net/udp /proc/net/tcp || break
	done
	echo $port
}

# lx_snmpd: a private snmpd; community "public" reads, "private" writes; sends traps to LX_TRAP_PORT
# where one is set. LX_SNMPD_CONF: more lines of configuration.
lx_snmpd() {
	LX_SNMP_PORT=${LX_SNMP_PORT:-$(lx_port)}
	LX_AGENT=127.0.0.1:$LX_SNMP_PORT
	mkdir -p "$LX_DIR/snmp"
	cat >"$LX_DIR/snmpd.conf" <<-END
		rocommunity public 127.0.0.1
		rwcommunity private 127.0.0.1
		master agentx
		agentXSocket unix:$LX_DIR/agentx
		agentXTimeout 2
		agentXRetries 1
		sysContact demo
		${LX_TRAP_PORT:+trap2sink 127.0.0.1:$LX_TRAP_PORT public}
		${LX_SNMPD_CONF:-}
	END
	SNMP_PERSISTENT_DIR=$LX_DIR/snmp snmpd -f -LF w "$LX_DIR/snmpd.log" -C -c "$LX_DIR/snmpd.conf" \
		-I -smux "udp:$LX_AGENT" </dev/null >"$LX_DIR/snmpd.out" 2>&1 &
	LX_SNMPD=$!
	LX_PIDS+=("$LX_SNMPD")
	lx_wait 10 snmpget -v2c -c public -r0 -t1 "$LX_AGENT" 1.3.6.1.2.1.1.3.0 ||
		{ echo "snmpd does not answer; its log:"; cat "$LX_DIR/snmpd.log"; exit 2; }
}

# lx_trapd [FILE]: a private snmptrapd that writes one line a notification to FILE.
lx_trapd() {
	LX_TRAPS=${1:-$LX_DIR/traps}
	LX_TRAP_PORT=${LX_TRAP_PORT:-$(lx_port)}
	: >"$LX_TRAPS"
	cat >"$LX_DIR/snmptrapd.conf" <<-END
		disableAuthorization yes
		doNotLogTraps no
	END
	# -On: numbers; with names where LX_MIBS was set.
	SNMP_PERSISTENT_DIR=$LX_DIR/snmp snmptrapd -f -C -c "$LX_DIR/snmptrapd.conf" -LF i "$LX_TRAPS" \
		-F '%V|%v\n' -OQ ${LX_MIBS:+$LX_MIBS} "udp:127.0.0.1:$LX_TRAP_PORT" \
		</dev/null >"$LX_DIR/snmptrapd.out" 2>&1 &
	LX_TRAPD=$!
	LX_PIDS+=("$LX_TRAPD")
	lx_wait 10 grep -qi ":$(printf %04X "$LX_TRAP_PORT") " /proc/net/udp ||
		{ echo "snmptrapd does not listen"; cat "$LX_DIR/snmptrapd.out"; exit 2; }
}

# lx_simxen OPTION...: a simulated host; LX_SIM is its socket.
lx_simxen() {
	LX_SIM=$LX_DIR/simxen.sock
	"$LX_BUILD/simxen" -s "$LX_SIM" "$@" </dev/null >"$LX_DIR/simxen.log" 2>&1 &
	LX_SIMXEN=$!
	LX_PIDS+=("$LX_SIMXEN")
	lx_wait 10 "$LX_BUILD/simxen" ctl -s "$LX_SIM" list ||
		{ echo "simxen does not answer; its log:"; cat "$LX_DIR/simxen.log"; exit 2; }
}

lx_sim() {
	"$LX_BUILD/simxen" ctl -s "$LX_SIM" "$@"
}

# lx_config [VM SECTIONS]: a configuration for the simulated host; LX_AGENT_CONF, LX_HV_CONF: more
# lines of the two sections; LX_SUPERVISION: those of supervision. The simulated host has just booted,
# so autostart would start all VMs.
lx_config() {
	mkdir -p "$LX_DIR/state" "$LX_DIR/run" "$LX_DIR/save"
	cat >"$LX_DIR/lauxen.conf" <<-END
		agent {
			name = "demo"
			state-dir = "$LX_DIR/state"
			run-dir = "$LX_DIR/run"
			save-dir = "$LX_DIR/save"
			agentx-socket = "unix:$LX_DIR/agentx"
			${LX_AGENT_CONF:-}
		}
		hypervisor {
			driver = "sim"
			sim-socket = "$LX_SIM"
			storage = {"/"}
			${LX_HV_CONF:-}
		}
		supervision {
			${LX_SUPERVISION-autostart = "no"}
		}
		${1:-}
	END
}

# lx_lauxend OPTION...: the agent on LX_DIR/lauxen.conf, as the user who runs this.
lx_lauxend() {
	"$LX_BUILD/lauxend" -d -f "$LX_DIR/lauxen.conf" -u "$(id -un)" "$@" </dev/null \
		>>"$LX_DIR/lauxend.log" 2>&1 &
	LX_LAUXEND=$!
	LX_PIDS+=("$LX_LAUXEND")
	lx_wait "${LX_START_SECONDS:-15}" lx_agent_up ||
		{ echo "lauxend does not answer through snmpd; its log:"; tail -n 30 "$LX_DIR/lauxend.log"; exit 2; }
}

# scenario_begin [a|b] [PART]: simxen with its log, and lauxend, with the nine servers of that scenario of
# LauXen; they boot in 1/PART (40) of the time. Nothing is launched yet.
scenario_begin() {
	local scenario=${1:-a} part=${2:-40} file
	mkdir -p "$LX_DIR/scenario-$scenario"
	for file in conf/examples/scenario-"$scenario"/*.cfg; do
		sed -E "s/127\.14\.[12]/$LX_NET/" "$file" |
			awk -v part="$part" '/^simxen_boot_ms/ { $3 = int($3 / part) } { print }' \
				>"$LX_DIR/scenario-$scenario/${file##*/}"
	done
	sed -nE '/^vm /,/^}/p' conf/examples/scenario-"$scenario".conf |
		sed -E "s/127\.14\.[12]/$LX_NET/; s|\"scenario-|\"$LX_DIR/scenario-|" >"$LX_DIR/scenario.conf"
	lx_simxen --move-ports --shutdown-ms 200 -v
	LX_SUPERVISION=${LX_SUPERVISION-'autostart = no interval = "2s" timeout = "500ms" fall = 2 grace = "2s"'} \
		LX_HV_CONF=${LX_HV_CONF-'shutdown-timeout = "10s"'} lx_config "$(cat "$LX_DIR/scenario.conf")"
	lx_lauxend -v
}
now_ms() { local now=${EPOCHREALTIME/[.,]/}; echo "${now%???}"; }

LX_ROOT=1.3.6.1.4.1.8072.9999.9999.2008
# Arcs of tables and columns, as in mib/objects.h.
LX_VM=$LX_ROOT.1.4.1
LX_VM_NAME=$LX_VM.2 LX_VM_STATE=$LX_VM.5
LX_CONTROL=$LX_ROOT.2.1.1
LX_REQUEST=$LX_ROOT.2.2.1
LX_EVENT=$LX_ROOT.1.7.1
LX_SERVICE_STATE=$LX_ROOT.1.8.1.9

lx_get() { snmpget -v2c -c public -Oqv -r1 -t2 "$LX_AGENT" "$@"; }
lx_set() { snmpset -v2c -c private -Oqv -r0 -t5 "$LX_AGENT" "$@"; }
lx_walk() { snmpbulkwalk -v2c -c public -On -r1 -t5 "$LX_AGENT" "$@"; }

# The hypervisor answers and the agent says so.
lx_agent_up() { [ "$(lx_get $LX_ROOT.1.2.4.0 2>/dev/null)" = 2 ]; }

# lx_index NAME: lxVmIndex of a VM.
lx_index() {
	lx_walk $LX_VM_NAME | sed -n "s/^.*\.\([0-9]*\) = STRING: \"$1\"$/\1/p"
}

# lx_state_is NAME NUMBER: lxVmState of a VM.
lx_state_is() { [ "$(lx_get "$LX_VM_STATE.$(lx_index "$1")")" = "$2" ]; }

# lx_children ROLE: pid of a child of lauxend.
lx_child() { pgrep -P "$LX_LAUXEND" -f -- "--child $1"; }

# ---- TAP ----
ok() {
	LX_PASSED=$((LX_PASSED + 1))
	echo "ok - $1"
}
not_ok() {
	LX_FAILED=$((LX_FAILED + 1))
	echo "not ok - $1"
	[ $# -lt 2 ] || printf '%s\n' "$2" | sed 's/^/#   /'
}
skip() {
	LX_SKIPPED=$((LX_SKIPPED + 1))
	echo "ok - $1 # SKIP $2"
}
# check TEXT COMMAND...: ok where the command succeeds.
check() {
	local text=$1 output
	shift
	if output=$("$@" 2>&1); then ok "$text"; else not_ok "$text" "$output"; fi
}
# check_wait SECONDS TEXT COMMAND...: ok where it succeeds in time.
check_wait() {
	local seconds=$1 text=$2
	shift 2
	if lx_wait "$seconds" "$@"; then ok "$text"; else not_ok "$text" "not within $seconds s: $*: $("$@" 2>&1)"; fi
}
# check_is TEXT GOT WANTED
check_is() {
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "got '$2', not '$3'"; fi
}
# status_is TEXT STATUS COMMAND...
status_is() {
	local text=$1 wanted=$2 output rc
	shift 2
	output=$("$@" </dev/null 2>&1)
	rc=$?
	if [ "$rc" = "$wanted" ]; then ok "$text"; else not_ok "$text" "status $rc, not $wanted: $output"; fi
}
# The last line of a test, and its exit status.
lx_done() {
	if ((LX_FAILED > 0)) && [ -n "${LX_DIR:-}" ] && [ -f "$LX_DIR/lauxend.log" ]; then
		echo "# the last lines of lauxend's log:"
		tail -n "${LX_LOG_LINES:-25}" "$LX_DIR/lauxend.log" | sed 's/^/#   /'
	fi
	echo "$LX_PASSED passed, $LX_FAILED failed, $LX_SKIPPED skipped"
	((LX_FAILED == 0))
	exit
}
