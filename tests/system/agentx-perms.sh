#!/bin/bash
# The AgentX lines of conf/snmpd.conf: snmpd as root, started as it is and as Debian starts it, lets
# the one unprivileged user in and no other. That user is one that needs no entry in /etc/passwd, and
# the subagent another snmpd; then lauxend itself comes in, as nobody. Needs root.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
root=.1.3.6.1.4.1.8072.9999.9999.2008
uid=64001 other=64002

if [ "$(id -u)" != 0 ]; then
	skip "the AgentX lines of conf/snmpd.conf" "only root can give the socket to another user"
	lx_done
fi
lx_begin
dir=$LX_DIR
chmod 755 "$dir"
export SNMPCONFPATH=$dir/none

# master NAME ARGUMENTS...: a snmpd with the AgentX lines of conf/; sets port, socket and master.
master() {
	local name=$1 persistent=$dir/persistent-$1
	shift
	port=$(lx_port) socket=$dir/$name/master
	mkdir "$persistent"
	chmod 777 "$persistent"
	sed -n -e "s,^agentXSocket .*,agentXSocket unix:$socket,p" -e '/^master agentx/p' \
		-e "s,^\(agentXPerms .*\) _lauxen _lauxen,\1 $uid $uid,p" conf/snmpd.conf >"$dir/$name.conf"
	printf '%s\n' "agentaddress udp:127.0.0.1:$port" "rocommunity public" >>"$dir/$name.conf"
	SNMP_PERSISTENT_DIR=$persistent snmpd -f -Lf "$dir/$name.log" -C -c "$dir/$name.conf" "$@" \
		2>/dev/null &
	master=$!
	LX_PIDS+=("$master")
	check_wait 10 "$name: snmpd starts" grep -q 'NET-SNMP version' "$dir/$name.log"
}

get() { snmpget -v2c -c public -r 0 -t 1 -On "127.0.0.1:$port" "$root.$1" 2>&1; }
serves() { get "$1" | grep -q "STRING: \"$2\""; }

# subagent UID OBJECT: that user's AgentX client, serving the object; sets subagent.
subagent() {
	mkdir -p "$dir/sub-$1"
	chown "$1" "$dir/sub-$1"
	: >"$dir/sub-$1/log"
	printf '%s\n' "agentXSocket unix:$socket" "agentXPingInterval 1" \
		"override $root.$2 octet_str \"of-$1\"" >"$dir/sub-$1/conf"
	SNMP_PERSISTENT_DIR=$dir/sub-$1 setpriv --reuid="$1" --regid="$1" --clear-groups \
		snmpd -X -f -Le -C -c "$dir/sub-$1/conf" 2>"$dir/sub-$1/log" &
	subagent=$!
	LX_PIDS+=("$subagent")
}

refused() { grep -q 'Failed to connect to the agentx master' "$dir/sub-$1/log"; }

try() { # NAME SNMPD-ARGUMENTS...
	local name=$1 first
	master "$@"
	subagent $uid 1.1.1.0
	first=$subagent
	check_wait 15 "$name: the user of agentXPerms comes in and serves its object" serves 1.1.1.0 of-$uid
	subagent $other 1.1.2.0
	check_wait 15 "$name: another user is refused" refused $other
	check_is "$name: it serves nothing" "$(get 1.1.2.0 | grep "of-$other")" ""
	for pid in "$subagent" "$first" "$master"; do lx_stop "$pid"; done
}
try as-root
if getent passwd Debian-snmp >/dev/null; then
	try as-debian -u Debian-snmp -g Debian-snmp
else
	skip "as-debian" "there is no user Debian-snmp"
fi

# The trap that lauxen.tmpfiles is for: a directory that an earlier snmpd made for itself alone.
mkdir -m 700 "$dir/older"
master older
subagent $uid 1.1.1.0
check_wait 15 "older: a directory of mode 0700 keeps the user out" refused $uid
chmod "$(awk '$2 == "/var/agentx" { print $3 }' conf/lauxen.tmpfiles)" "$dir/older"
check_wait 15 "older: with the mode of lauxen.tmpfiles it comes in, without a restart" \
	serves 1.1.1.0 of-$uid

# lauxend, started by root as the unit does it.
uid=$(id -u nobody)
master lauxend
lx_simxen -n 1 --services none
LX_AGENT=127.0.0.1:$port
lx_config
sed -i "s,agentx-socket = .*,agentx-socket = \"unix:$socket\"," "$dir/lauxen.conf"
chown nobody "$dir/state"
chmod 644 "$dir/lauxen.conf"
"$LX_BUILD/lauxend" -d -f "$dir/lauxen.conf" -u nobody </dev/null >"$dir/lauxend.log" 2>&1 &
LX_LAUXEND=$!
LX_PIDS+=("$LX_LAUXEND")
check_wait 15 "lauxend: its objects are served" lx_agent_up
check_is "lauxend: the process that talks to snmpd is nobody's" \
	"$(ps -o user= -p "$(lx_child agentx)")" nobody
lx_done
