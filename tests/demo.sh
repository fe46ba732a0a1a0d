#!/bin/bash
# `make demo`: LauXen's main job on a simulated Xen host with nine VMs, beside a snmpd of its own; at its
# end four such hosts as one (tests/demo-fleet.sh).
# Leaves nothing running and nothing behind. KEEP=1 leaves it up and says how to talk to it.
cd "$(dirname "$0")/.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
step() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
show() { printf '%s$ %s%s\n' "$bold" "$1" "$plain"; }

lx_begin
mibs="$PWD/build/mibs:$PWD/mib"
named=(-M "$mibs" -m LAUXEN-MIB:SNMPv2-MIB)
LX_MIBS="-M $mibs -m LAUXEN-MIB:SNMPv2-MIB"

# snmp TOOL ARGUMENT...: prints the command as a person would type it, then runs it.
snmp() {
	local tool=$1
	shift
	show "$tool -v2c -c $community $*"
	"$tool" -v2c -c "$community" "${named[@]}" "$@"
}
community=public
fail() {
	echo "demo: $1" >&2
	[ ! -f "$LX_DIR/lauxend.log" ] || tail -n 20 "$LX_DIR/lauxend.log" >&2
	exit 1
}
state() { snmpget -v2c -c public "${named[@]}" -Oqv "$LX_AGENT" "LAUXEN-MIB::lxVmState.$1"; }
state_is() { [ "$(state "$1")" = "$2" ]; }
trapped() { grep -q "$1" "$LX_TRAPS"; }
sequence() { wc -l <"$LX_TRAPS"; }
# New lines of snmptrapd since the last call.
seen=0
traps() {
	tail -n "+$((seen + 1))" "$LX_TRAPS" | grep -v 'NET-SNMP version' | tr '|' '\n' |
		sed -E 's/, (LAUXEN|SNMPv2)-MIB::/\n    \1-MIB::/g'
	seen=$(sequence)
}

step "a simulated Xen host with nine VMs, a snmpd and a snmptrapd of its own, and lauxend"
mkdir -p "$LX_DIR/conf/xl"
for file in conf/examples/xl/*.cfg; do
	# The addresses of this run, so that two demos do not meet; and they boot at once.
	sed -E "s/127\.[0-9]+\.([0-9]+\.)/${LX_NET%.*}.\1/; s/^simxen_boot_ms.*/simxen_boot_ms = 500/" "$file" \
		>"$LX_DIR/conf/xl/${file##*/}"
done
lx_simxen --boot-ms 500
lx_trapd "$LX_DIR/traps"
lx_snmpd
# Steps 1 to 6 are of VMs alone: without what supervision would do about their services.
lx_config "$(sed -nE "/^vm /,/^}/p" conf/examples/nine.conf |
	sed -E "/^\t(services?|needs|on-dependency-failure) /d; s/127\.[0-9]+\.([0-9]+\.)/${LX_NET%.*}.\1/; s|\"xl/|\"$LX_DIR/conf/xl/|")"
for file in "$LX_DIR"/conf/xl/*.cfg; do
	lx_sim create "$file" >/dev/null || fail "simxen refuses $file"
done
lx_lauxend ${VERBOSE:+-v}
all_running() { [ "$(lx_get $LX_ROOT.1.2.13.0)" = 9 ]; }
lx_wait 20 all_running || fail "the nine VMs are not all running"
measured() { ! lx_walk "$LX_VM.14" | grep -q 'No Such' && [ "$(lx_walk "$LX_VM.14" | wc -l)" = 9 ]; }
lx_wait 10 measured || fail "the CPU of the nine VMs is not measured"
echo "up: $(pgrep -P "$LX_LAUXEND" | wc -l) processes under lauxend (pid $LX_LAUXEND), snmpd on $LX_AGENT"

step "1. What a manager sees: the host, and the table of its VMs"
snmp snmpwalk -OQs "$LX_AGENT" LAUXEN-MIB::lxHost
columns="lxVmName lxVmState lxVmHealth lxVmCpuUsed lxVmMemory lxVmMemoryUsed lxVmGroup"
show "snmptable -v2c -c public -OU $LX_AGENT LAUXEN-MIB::lxVmTable     # some of its columns"
snmptable -v2c -c public "${named[@]}" -OU -Cf '|' -CB "$LX_AGENT" LAUXEN-MIB::lxVmTable 2>/dev/null |
	awk -F'|' -v want="$columns" '
		NR == 3 { n = split(want, w, " "); for (i = 1; i <= NF; i++) at[$i] = i }
		NR >= 3 { for (i = 1; i <= n; i++) printf "%-16s", $at[w[i]]; print "" }' | sed 's/ *$//'
traps >/dev/null

vm=$(lx_index www)
step "2. A pause by SET: www (lxVmIndex $vm), and its state after it"
community=private
snmp snmpset "$LX_AGENT" "LAUXEN-MIB::lxVmRequest.$vm" = pause || fail "the SET was refused"
lx_wait 10 state_is "$vm" paused || fail "www is not paused"
community=public
snmp snmpget "$LX_AGENT" "LAUXEN-MIB::lxVmState.$vm" "LAUXEN-MIB::lxVmLastChangeReason.$vm"

step "3. More memory for db by SET: 64 MiB more than it has"
db=$(lx_index db)
now=$(lx_get "$LX_VM.15.$db")
wanted=$((now + 64))
community=private
snmp snmpset "$LX_AGENT" "LAUXEN-MIB::lxVmMemoryTarget.$db" = $wanted || fail "the SET was refused"
memory_is() { [ "$(lx_get "$LX_VM.15.$db")" = $wanted ]; }
lx_wait 15 memory_is || fail "db did not get its memory"
community=public
snmp snmpget "$LX_AGENT" "LAUXEN-MIB::lxVmMemory.$db"

step "4. mail crashes (a fault made in the simulated host); what its file says of on_crash is done"
lx_wait 10 trapped "lxRequestFinished" || fail "no notification of the requests"
show "simxen ctl crash mail"
lx_sim crash mail || fail "simxen does not crash mail"
lx_wait 15 trapped "lxVmCrashed" || fail "no notification of the crash"
mail=$(lx_index mail)
lx_wait 20 state_is "$mail" running || fail "mail did not come back"
snmp snmpget "$LX_AGENT" "LAUXEN-MIB::lxVmState.$mail" "LAUXEN-MIB::lxVmCrashes.$mail" "LAUXEN-MIB::lxVmRestarts.$mail"

step "5. What snmptrapd printed meanwhile"
recovered() { [ "$(grep -c 'mail: ' "$LX_TRAPS")" -ge 2 ]; }
lx_wait 10 recovered
traps

step "6. The requests and what became of them, from the agent's memory"
show "snmptable -v2c -c public $LX_AGENT LAUXEN-MIB::lxRequestTable     # some of its columns"
snmptable -v2c -c public "${named[@]}" -OU -Ci -Cf '|' -CB "$LX_AGENT" LAUXEN-MIB::lxRequestTable 2>/dev/null |
	awk -F'|' -v want="index lxRequestVm lxRequestVerb lxRequestNumber lxRequestState lxRequestEnded" '
		NR == 3 { n = split(want, w, " "); for (i = 1; i <= NF; i++) at[$i] = i }
		NR >= 3 { for (i = 1; i <= n; i++) printf "%-18s", $at[w[i]]; print "" }' | sed 's/ *$//'

if [ -n "${KEEP:-}" ]; then
	LX_KEEP=1
	trap - EXIT
	cat <<-END

		${bold}It stays up.${plain} Talk to it:
		    export MIBDIRS=$mibs MIBS=LAUXEN-MIB:SNMPv2-MIB
		    snmpwalk -v2c -c public $LX_AGENT LAUXEN-MIB::lxVmTable
		    snmpset -v2c -c private $LX_AGENT LAUXEN-MIB::lxVmRequest.$vm = unpause
		    $LX_BUILD/simxen ctl -s $LX_SIM --help
		    tail -f $LX_TRAPS $LX_DIR/lauxend.log
		End it:
		    kill ${LX_PIDS[*]}; sleep 2; rm -r $LX_DIR
	END
	exit 0
fi

step "7. Supervision: the nine servers of LauXen's scenario A, which need each other"
lx_stop "$LX_LAUXEND"
lx_stop "$LX_SIMXEN"
scenario_begin # tests/lib.sh
grep -E '^vm|needs' "$LX_DIR/scenario.conf" | sed -E 's/^vm ("[^"]*").*/vm \1/' | paste -sd' ' | sed 's/vm "/\nvm "/g' | sed 1d
show "lauxend --request launch '*'"
began=$(now_ms)
"$LX_BUILD/lauxend" --request launch '*' -f "$LX_DIR/lauxen.conf" || fail "the launch failed"
echo "all nine serve after $((($(now_ms) - began) / 100))00 ms; each started when what it needs was up (boot times are 1/40 of LauXen's):"
sed -nE 's/^[0-9:.]+ simxen: ([0-9]+) ms: domain [0-9]+ (servidor[0-9]): born$/\1 \2/p' "$LX_DIR/simxen.log" |
	awk 'NR == 1 { first = $1 } { printf "    %5d ms  %s\n", $1 - first, $2 }'
community=public
snmp snmpwalk -OQs "$LX_AGENT" LAUXEN-MIB::lxPlanWave

step "8. The service of servidor1, which all need, hangs: those that need it are paused, it is restarted"
traps >/dev/null
show "simxen ctl service-hang servidor1 22"
lx_sim service-hang servidor1 22 || fail "simxen does not hang it"
lx_wait 20 trapped "lxVmBlocked.*servidor9" || fail "servidor9 was not paused"
snmp snmpwalk -OQs "$LX_AGENT" LAUXEN-MIB::lxVmMonitor
lx_wait 40 trapped "lxVmUnblocked.*servidor9" || fail "servidor9 was not resumed"
lx_wait 10 all_running || fail "not all run again"
tail -n "+$((seen + 1))" "$LX_TRAPS" | sed -nE "s/.*LAUXEN-MIB::(lx(Service|Dependency|VmBlocked|VmUnblocked|VmRestarted)[A-Za-z]*)[|,].*lxEventText[.0-9]* = ([^|]*).*/    \1: \3/p"
seen=$(sequence)

step "9. Ordered shutdown: dependents first, a provider once they are off"
show "lauxend --request shutdown '*'"
: >"$LX_DIR/simxen.log"
"$LX_BUILD/lauxend" --request shutdown '*' -f "$LX_DIR/lauxen.conf" || fail "the shutdown failed"
sed -nE 's/^[0-9:.]+ simxen: ([0-9]+) ms: domain [0-9]+ (servidor[0-9]): gone$/\1 \2/p' "$LX_DIR/simxen.log" |
	awk 'NR == 1 { first = $1 } { printf "    %5d ms  %s is off\n", $1 - first, $2 }'

lx_end
tests/demo-fleet.sh || exit
step "done: all is stopped and removed ($LX_DIR is gone)"
