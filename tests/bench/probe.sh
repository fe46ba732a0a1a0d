# shellcheck shell=bash
# The prober beside nmap, in a network namespace of its own. Sourced by bench.sh.
#
# Ours is the time of the attempts in a prober that runs, as in lauxend; nmap's that of its process, which
# is what one pays who starts it. What ours takes with its start is among the details.

PROBE_HOST=10.99.0.1   # has the ports that answer
PROBE_SILENT=10.99.0.2 # takes packets and says nothing

# probe_net: PROBE_NET is a process in the namespace. The second host is the other end of a cable, which
# has no such address and forwards nothing.
probe_net() {
	local new=(-n) mac
	PROBE_ENTER=(-n)
	[ "$(id -u)" = 0 ] || new=(-r -n) PROBE_ENTER=(-U --preserve-credentials -n)
	unshare "${new[@]}" sleep 1000 &
	PROBE_NET=$!
	LX_PIDS+=("$PROBE_NET")
	lx_wait 5 probe_net_is_own || give_up "no network namespace can be made"
	probe_in ip link set lo up
	probe_in ip link add cable0 type veth peer name cable1
	probe_in ip addr add $PROBE_HOST/24 dev cable0
	probe_in ip link set cable0 up
	probe_in ip link set cable1 up
	mac=$(probe_in ip -o link show cable1 | sed -nE 's/.*link.ether (\S+).*/\1/p')
	probe_in ip neigh add $PROBE_SILENT lladdr "$mac" dev cable0 nud permanent ||
		give_up "the silent host cannot be made"
}
probe_net_is_own() { [ "$(readlink "/proc/$PROBE_NET/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
probe_in() { nsenter -t "$PROBE_NET" "${PROBE_ENTER[@]}" "$@"; }
# probe_ports tcp|udp FIRST COUNT
probe_ports() {
	nsenter -t "$PROBE_NET" "${PROBE_ENTER[@]}" "$BENCH/ports" "$1" $PROBE_HOST "$2" "$3" </dev/null \
		>"$LX_DIR/ports" 2>"$LX_DIR/ports.log" & # not by probe_in, whose shell would be the one to end
	LX_PIDS+=($!)
	lx_wait 10 grep -q ready "$LX_DIR/ports" || give_up "the ports cannot be opened: $(cat "$LX_DIR/ports.log")"
}

# value NAME: the median of NAME=VALUE in the lines of stdin.
probe_value() { sed -nE "s/(.* |^)$1=([0-9.]+).*/\2/p" | percentile 50; }

# probe_compare NAME ROUNDS STATE "PROBER ARGUMENTS" "NMAP ARGUMENTS": in turn; all attempts must come to STATE.
probe_compare() {
	local name=$1 rounds=$2 state=$3 ours nmap what i
	read -ra ours <<<"$4"
	read -ra nmap <<<"$5"
	command -v nmap >/dev/null || give_up "nmap is missing"
	for ((i = 0; i < rounds; i++)); do
		probe_in "$BENCH/prober" -q "${ours[@]}" >>"$LX_DIR/prober"
		probe_in "$BENCH/cost" "$BENCH/prober" -q "${ours[@]}" >>"$LX_DIR/ours"
		probe_in "$BENCH/cost" nmap -n -Pn --disable-arp-ping "${nmap[@]}" >>"$LX_DIR/nmap"
	done
	if sed -E "s/.*attempts=([0-9]+) .*$state=([0-9]+) .*/\1 \2/" "$LX_DIR/prober" | awk '$1 != $2 { bad = 1 } END { exit !bad }'; then
		give_up "not all attempts were $state: $(head -n 1 "$LX_DIR/prober")"
	fi
	bench "$name" "$(probe_value ms <"$LX_DIR/prober")" "$(probe_value ms <"$LX_DIR/nmap")" ms
	for what in ours nmap; do
		detail "$name: $what as a process: $(probe_value ms <"$LX_DIR/$what") ms, CPU $(probe_value cpu_ms <"$LX_DIR/$what") ms, $(probe_value rss_kib <"$LX_DIR/$what") KiB at most"
	done
	detail "$name: medians of $rounds rounds; nmap -n -Pn $5"
}

measure_probe_1() {
	probe_net
	probe_ports tcp 20001 1
	probe_compare probe_1 20 up tcp/$PROBE_HOST/20001 "-p 20001 $PROBE_HOST"
}
measure_probe_1000() {
	probe_net
	probe_ports tcp 20001 1000
	probe_compare probe_1000 10 up tcp/$PROBE_HOST/20001-21000 "-p 20001-21000 $PROBE_HOST"
}
measure_probe_udp() {
	probe_net
	probe_ports udp 20001 100
	probe_compare probe_udp 10 up udp/$PROBE_HOST/20001-20100 "-sU -p 20001-20100 $PROBE_HOST"
}
# One packet a port for nmap too; what it does by itself is to repeat each. Told how many ports there are,
# it may have them all in flight.
measure_probe_silent() {
	local once="--max-retries 0 --initial-rtt-timeout 1s --min-rtt-timeout 1s --max-rtt-timeout 1s -p 20001-20050 $PROBE_SILENT"
	local forced
	probe_net
	probe_compare probe_silent 3 silent "-t 1000 tcp/$PROBE_SILENT/20001-20050" "$once"
	# shellcheck disable=SC2086 # words
	forced=$(probe_in "$BENCH/cost" nmap -n -Pn --disable-arp-ping --min-parallelism 50 $once)
	detail "probe_silent: nmap with --min-parallelism 50 added: $forced"
}
