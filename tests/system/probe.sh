#!/bin/bash
# The prober against real servers: dnsmasq (DNS, TFTP, DHCP) and snmpd, on a host at the other end of a
# cable, both in network namespaces of this test's own. What else payload.h lists was tried by hand.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

if [ "${1:-}" != inside ]; then
	enter=(-n)
	[ "$(id -u)" = 0 ] || enter=(-r -n)
	for tool in dnsmasq snmpd ip; do
		command -v $tool >/dev/null || { skip "real servers" "$tool is not installed"; lx_done; }
	done
	unshare "${enter[@]}" true 2>/dev/null || { skip "real servers" "no network namespace can be made"; lx_done; }
	exec unshare "${enter[@]}" "$0" inside
fi

lx_begin
prober=$LX_BUILD/tests/bench/prober
client=10.99.0.1 host=10.99.0.2
unshare -n sleep 600 &
holder=$!
LX_PIDS+=("$holder")
own() { [ "$(readlink "/proc/$holder/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
lx_wait 5 own
there() { nsenter -t "$holder" -n "$@"; }
# start NAME COMMAND...: on the host; PID is its process.
start() {
	local log=$LX_DIR/$1.log
	shift
	nsenter -t "$holder" -n "$@" </dev/null >"$log" 2>&1 &
	PID=$!
	LX_PIDS+=("$PID")
}
ip link set lo up
ip link add cable0 type veth peer name cable1 netns "$holder"
ip addr add $client/24 dev cable0
ip link set cable0 up
there ip link set lo up
there ip addr add $host/24 dev cable1
there ip link set cable1 up

mkdir "$LX_DIR/tftp" "$LX_DIR/snmp"
echo "rouser nobody" >"$LX_DIR/snmpd.conf"
SNMP_PERSISTENT_DIR=$LX_DIR/snmp start snmpd snmpd -f -LE 3 -C -c "$LX_DIR/snmpd.conf" -I -smux "udp:$host:161"
start dnsmasq dnsmasq -d -C /dev/null -u root --pid-file= --no-resolv --no-hosts --enable-tftp \
	"--tftp-root=$LX_DIR/tftp" --dhcp-range=10.99.0.50,10.99.0.60 "--dhcp-leasefile=$LX_DIR/leases"
dnsmasq=$PID

# is OUTCOME TARGET [COMMAND...]: of one attempt, by a prober that COMMAND starts.
is() {
	local outcome=$1 target=$2 result
	shift 2
	result=$("$@" "$prober" -t 1000 "$target")
	echo "$result"
	[[ $result == "$target "*": $outcome, "* ]]
}
check_wait 10 "dns: dnsmasq answers, though it has no server to ask" is up udp/$host/53
check "tftp: it says that there is no such file" is up udp/$host/69
check "dhcp: it answers to port 68" is up udp/$host/67
check "dhcp: it answers who may not have that port" is up udp/$host/67 setpriv --bounding-set -net_bind_service
check_is "dhcp: it has given no address away" "$(cat "$LX_DIR/leases")" ""
check_wait 10 "snmp: snmpd answers who has no user and no community" is up udp/$host/161
check "tcp: dnsmasq" is up tcp/$host/53
check "icmp: the host" is up icmp/$host

kill -STOP "$dnsmasq"
check "dns: a dnsmasq that hangs is silent" is silent udp/$host/53
kill -CONT "$dnsmasq"
lx_stop "$dnsmasq"
for target in udp/$host/53 udp/$host/67 udp/$host/69 tcp/$host/53; do
	check "$target: down when dnsmasq has ended" is down $target
done
there ip neigh replace $client lladdr 02:00:00:00:00:01 dev cable1 nud permanent
check "snmp: silent when its answers get lost" is silent udp/$host/161
check "icmp: silent when its answers get lost" is silent icmp/$host
check "tcp: silent when its answers get lost" is silent tcp/$host/53
lx_done
