#!/bin/bash
# The AgentX lines of conf/snmpd.conf: snmpd as root, started as it is and as Debian starts it, lets
# the one unprivileged user in and no other. The user is one that needs no entry in /etc/passwd, the
# subagent another snmpd. Needs root.
cd "$(dirname "$0")/../.." || exit 2
root=.1.3.6.1.4.1.8072.9999.9999.2008
uid=64001 other=64002

passed=0 failed=0 skipped=0
ok() { echo "ok - $1"; passed=$((passed + 1)); }
not_ok() { echo "not ok - $1"; failed=$((failed + 1)); }
finish() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" = 0 ]
	exit
}
skip() { echo "ok - # SKIP $1"; skipped=$((skipped + 1)); }
PATH=$PATH:/usr/sbin
if [ "$(id -u)" != 0 ]; then
	skip "only root can give the socket to another user"
	finish
fi
if ! command -v snmpd >/dev/null; then
	skip "snmpd is not installed"
	finish
fi

dir=$(mktemp -d) || exit 2
chmod 755 "$dir"
pids=
end() { # PID...
	kill "$@" 2>/dev/null
	wait "$@" 2>/dev/null
}
clean() {
	[ -z "$pids" ] || end $pids
	rm -rf "$dir"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
export MIBS= SNMPCONFPATH=$dir/none

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $until ] || return 1
		sleep 0.1
	done
}

# A UDP port of loopback that nobody has.
free_port() {
	local port
	while port=$((20000 + RANDOM % 20000)); do
		grep -qi ":$(printf %04X $port) " /proc/net/udp || { echo $port; return; }
	done
}

# master NAME ARGUMENTS...: a snmpd with the AgentX lines of conf/; sets port, socket and master.
master() {
	local name=$1 persistent=$dir/persistent-$1
	shift
	port=$(free_port) socket=$dir/$name/master
	mkdir "$persistent"
	chmod 777 "$persistent"
	sed -n -e "s,^agentXSocket .*,agentXSocket unix:$socket,p" -e '/^master agentx/p' \
		-e "s,^\(agentXPerms .*\) _lauxen _lauxen,\1 $uid $uid,p" conf/snmpd.conf >"$dir/$name.conf"
	printf '%s\n' "agentaddress udp:127.0.0.1:$port" "rocommunity public" >>"$dir/$name.conf"
	SNMP_PERSISTENT_DIR=$persistent snmpd -f -Lf "$dir/$name.log" -C -c "$dir/$name.conf" "$@" \
		2>/dev/null &
	master=$!
	pids="$pids $master"
	wait_for 10 grep -q 'NET-SNMP version' "$dir/$name.log"
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
	pids="$pids $subagent"
}

try() { # NAME SNMPD-ARGUMENTS...
	local name=$1
	if ! master "$@"; then
		not_ok "$name: snmpd starts"
		sed 's/^/# /' "$dir/$name.log"
		return
	fi
	subagent $uid 1.1.1.0
	local first=$subagent
	if wait_for 15 serves 1.1.1.0 of-$uid; then
		ok "$name: the user of agentXPerms comes in and serves its object"
	else
		not_ok "$name: the user of agentXPerms comes in and serves its object: $(tail -2 "$dir/sub-$uid/log")"
	fi
	subagent $other 1.1.2.0
	local second=$subagent
	if wait_for 15 grep -q 'Failed to connect to the agentx master' "$dir/sub-$other/log" &&
	    ! serves 1.1.2.0 of-$other; then
		ok "$name: another user is refused"
	else
		not_ok "$name: another user is refused: $(get 1.1.2.0; tail -2 "$dir/sub-$other/log")"
	fi
	end $first $second $master
}
try as-root
if getent passwd Debian-snmp >/dev/null; then
	try as-debian -u Debian-snmp -g Debian-snmp
else
	skip "as-debian: there is no user Debian-snmp"
fi

# The trap that lauxen.tmpfiles is for: a directory that an earlier snmpd made for itself alone.
mkdir -m 700 "$dir/older"
master older
subagent $uid 1.1.1.0
if wait_for 15 grep -q 'Failed to connect to the agentx master' "$dir/sub-$uid/log"; then
	ok "older: a directory of mode 0700 keeps the user out"
else
	not_ok "older: a directory of mode 0700 keeps the user out"
fi
mode=$(awk '$2 == "/var/agentx" { print $3 }' conf/lauxen.tmpfiles)
chmod "$mode" "$dir/older"
if wait_for 15 serves 1.1.1.0 of-$uid; then
	ok "older: with the mode of lauxen.tmpfiles it comes in, without a restart"
else
	not_ok "older: with the mode of lauxen.tmpfiles it comes in, without a restart: $(tail -2 "$dir/sub-$uid/log")"
fi
finish
