#!/bin/bash
# check-xen.sh [-l] [-k] [-u HOST] [--all | TOPIC...]: lauxend on a real Xen, from
# outside, as a NOC sees it: SNMP over a forwarded port, notifications into an snmptrapd
# of this machine. What xl and the guests say in Dom0 is held against it.
#   TOPIC    programs of topics/, in this order, on one host; without: those chosen to
#            tell in minutes whether lauxend is sound
#   --all    every topic but measure, which `make bench-xen` runs
#   -l       the lab only, without lauxend
#   -k       keeps the host up at the end, to look into it
#   -u HOST  on a host that is up (lab up HOST), which stays up
#
# Lines as TAP, the last one "N passed, N failed, N skipped". Exit code 0 only if none
# failed. The chosen topics end within 20 minutes, others within the sum of their limits.
#
# LX_BUILD     where lauxend is (build/out)
# shellcheck disable=SC2317 # most functions are called through ok
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 2
chosen=(lab life hand kill)
BOOT_S=400 CHOSEN_S=1140 # limits: boot and image; all that is chosen
END_S=120                # what a topic gets to put things right, once told to end

keep=0 use='' topics=()
while [ $# -gt 0 ]; do
	case $1 in
	-l) topics=(lab) ;;
	-k) keep=1 ;;
	-u) use=${2:?} && shift ;;
	--all) mapfile -t topics < <(cd topics && printf '%s\n' *.sh | sed 's/\.sh$//' | grep -vx measure) ;;
	-*) sed -n '2,/^set/s/^# \{0,1\}//p' check-xen.sh >&2 && exit 2 ;;
	*) topics+=("$1") ;;
	esac
	shift
done

# limit_of TOPIC: in seconds, from its line "# limit: N"
limit_of() { sed -n 's/^# limit: *\([0-9][0-9]*\).*/\1/p' "topics/$1.sh"; }

whole=$BOOT_S
for topic in ${topics[@]+"${topics[@]}"}; do
	[ -x "topics/$topic.sh" ] || { echo "there is no topic $topic; there are: $(cd topics && echo *.sh)" >&2; exit 2; }
	whole=$((whole + $(limit_of "$topic") + END_S))
done
if [ ${#topics[@]} = 0 ]; then
	topics=("${chosen[@]}") whole=$CHOSEN_S
fi

# The whole under one limit; on it, and on a signal, the trap below ends the host.
if [ -z "${XEN_WORK:-}" ]; then
	XEN_WORK=$(mktemp -d)
	export XEN_WORK
	set -- "${topics[@]}"
	[ $keep = 0 ] || set -- -k "$@"
	[ -z "$use" ] || set -- -u "$use" "$@"
	exec timeout -k $((END_S + 60)) "$whole" ./check-xen.sh "$@"
fi
# shellcheck source=tests/xen/lib.sh
. ./lib.sh

host=${use:-check$$}
trapd='' logs='' running='' begin=$SECONDS
for f in results resent crashes; do : >"$work/$f"; done

count() { grep -cx "$1" "$work/results"; }

finish() {
	local failed
	trap - EXIT
	trap : INT TERM # timeout signals twice: this process and its group
	exec >&3        # a check that was cut off has its own
	if [ -n "$running" ]; then
		kill "$running" 2>/dev/null
		wait "$running"
	fi
	if [ "$phase" != over ]; then
		report not "not ok - ended early, in: $phase"
	fi
	[ -z "$trapd" ] || kill "$trapd" 2>/dev/null
	if [ -n "$logs" ]; then
		cp "$work"/*.log "$work"/*.conf "$work"/resent "$work"/crashes "$logs" 2>/dev/null
	fi
	if [ $keep = 1 ]; then
		note "host $host is still up: lab ssh $host; lab down $host"
	elif [ -z "$use" ]; then
		timeout 120 "$lab" down "$host" 2>&1 | sed 's/^/# /'
	fi
	sed 's/^/# crashed: /' "$work/crashes"
	note "SETs answered commitFailed and sent again: $(wc -l <"$work/resent"); programs that crashed in Dom0: $(wc -l <"$work/crashes")"
	note "$((SECONDS - begin)) s in all"
	failed=$(count not)
	echo "$(count ok) passed, $failed failed, $(count skip) skipped"
	rm -rf "$work"
	exit $((failed > 0))
}
exec 3>&1
trap finish EXIT
trap exit INT TERM

## The host, and this machine's part

start_trapd() {
	echo 'disableAuthorization yes' >"$work/snmptrapd.conf"
	# port 0: the kernel chooses; one notification a line, numbers only
	snmptrapd -f -C -c "$work/snmptrapd.conf" -n -OnQe -Lo -F '%v\n' udp:127.0.0.1:0 \
		> >(stamp >"$work/traps.log") 2>"$work/snmptrapd.log" &
	trapd=$!
	within 10 trapd_port && trapd_port >"$work/trap_port"
}
# each line with its time of arrival before it
stamp() {
	local line
	trap '' INT TERM
	while IFS= read -r line; do
		printf '%s\t%s\n' "$EPOCHREALTIME" "$line"
	done
}
trapd_port() {
	ss -Hlunp | awk -v p="pid=$trapd," 'index($0, p) { sub(/.*:/, "", $4); print $4; n = 1 } END { exit !n }'
}

boot() {
	if [ -z "$use" ]; then
		ok "a host boots" timeout 300 "$lab" up "$host" || bail "no host"
	else
		ok "host $host is up, and without guests" dom0 /lab/clean || bail "no host"
	fi
	logs=$("$lab" log "$host")
	note "logs: $logs"
	snmp_port=$("$lab" port "$host" 161)
	echo "$host" >"$work/host"
	echo "$snmp_port" >"$work/snmp_port"
	ok "snmpd starts in Dom0" dom0 "/lab/snmpd start $(<"$work/trap_port")"
	ok "snmpd answers through the forwarded port" snmp snmpget -OvQe 1.3.6.1.2.1.1.5.0
	ok "its coldStart arrives here" within 10 grep -q '= \.1\.3\.6\.1\.6\.3\.1\.1\.5\.1' "$work/traps.log"
}

# in the background, as bash runs a trap only between two commands
run_topic() {
	local rc before
	before=$(wc -l <"$work/results")
	phase="topic $1"
	timeout -k $END_S "$(limit_of "$1")" "topics/$1.sh" </dev/null &
	running=$!
	wait "$running"
	rc=$?
	running=''
	case $rc in
	124) note "topic $1 was over its limit of $(limit_of "$1") s" ;;
	137) report not "not ok - topic $1 could not be ended" ;;
	esac
	[ "$(wc -l <"$work/results")" -gt "$before" ] || report not "not ok - topic $1 checked nothing"
}

# A topic that breaks its host costs the next one a boot, and is a failure, unless it says of itself
# that it does: "# ends the host".
fresh_host() {
	if grep -q '^# ends the host' "topics/$1.sh"; then
		note "a new host, as topic $1 ends it"
	elif limit=30 dom0 '[ "$(timeout 10 xl list | wc -l)" = 2 ] && xenstore-read domid' >/dev/null 2>&1; then
		return
	else
		report not "not ok - the host is usable after topic $1"
	fi
	[ -z "$use" ] || bail "host $use is broken"
	timeout 120 "$lab" down "$host" 2>&1 | sed 's/^/# /'
	host=${host%x}x
	boot
}

[ -r "$mib" ] && awk -f mib-names.awk "$mib" >"$work/names"
ok "the image is there or can be built" timeout 900 "$lab" build || bail "no image"
ok "snmptrapd listens here" start_trapd || bail "no snmptrapd"
boot
last=''
for topic in "${topics[@]}"; do
	[ -z "$last" ] || fresh_host "$last"
	run_topic "$topic"
	last=$topic
done
phase=over
