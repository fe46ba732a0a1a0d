#!/bin/bash
# [walk] [walk_cpu]: 1,000 VMs walked with all columns of lxVmTable in each PDU, from the agentx process
# behind snmpd, and from the same table served inside another snmpd, in turn.
#
# Where it may, it gives all of them real-time priority, so that other work on the machine, which costs
# the one with more switches between processes more, is not measured.
#
# usage: tests/bench/walk.sh [ROUNDS]
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

lx_begin
LX_SIM=$LX_DIR/none
lx_config
LX_SNMPD_CONF="dlmod inmaster $PWD/$LX_BUILD/tests/bench/inmaster.so"
[ "${LX_BUILD#/}" = "$LX_BUILD" ] || LX_SNMPD_CONF="dlmod inmaster $LX_BUILD/tests/bench/inmaster.so"
lx_snmpd
peer=$LX_AGENT
rm -f "$LX_DIR/agentx"
LX_SNMP_PORT=''
LX_SNMPD_CONF=''
lx_snmpd
mkfifo "$LX_DIR/commands"
"$LX_BUILD/tests/system/fake_engine" "$LX_DIR/lauxen.conf" <"$LX_DIR/commands" >"$LX_DIR/said" \
	2>"$LX_DIR/lauxend.log" &
fake=$!
LX_PIDS+=("$fake")
exec 9>"$LX_DIR/commands"
printf 'vms 1000\nrows\n' >&9
lx_wait 10 grep -q '^done rows' "$LX_DIR/said" && lx_wait 10 lx_get $LX_VM_NAME.1000 ||
	{ echo "the table is not served; the log:"; cat "$LX_DIR/lauxend.log"; exit 2; }
agent=$(pgrep -P "$fake")
first=()
if chrt -f 1 true 2>/dev/null; then
	for pid in "${LX_PIDS[@]}" "$agent"; do
		chrt -f -p 1 "$pid"
	done
	first=(chrt -f 1)
else
	echo "# without real-time priority: other work on this machine counts"
fi
"${first[@]}" "$LX_BUILD/tests/bench/walk" "$LX_AGENT" "$peer" "$agent" "$LX_SNMPD" "${1:-20}"
