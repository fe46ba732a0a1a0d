#!/bin/bash
# simxen as a process: its sockets, what clients of its VMs meet, its commands and injections.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

CLIENT=tests/sim/simxen_client.pl
VERB_PAUSE=5
lx_begin

# vm NAME HOST [LINE...]: a VM's file at LX_NET.HOST.
vm() {
	local name=$1 host=$2
	shift 2
	{
		printf '%s\n' "name = \"$name\"" "memory = 128" "maxmem = 256" "vcpus = 2" \
			"disk = [ 'phy:/dev/vg0/$name,xvda,w' ]" "vif = [ 'bridge=xenbr0' ]" \
			"simxen_address = \"$LX_NET.$host\"" \
			'simxen_services = [ "tcp:2080", "udp:2053", "tcp:80", "udp:53" ]' \
			'simxen_boot_ms = 300' 'simxen_shutdown_ms = 200' "$@"
	} >"$LX_DIR/$name.cfg"
}

# What a TCP client meets within 1 s: the first line, "refused", or "silence".
tcp() {
	local said
	said=$(timeout 1 bash -c "exec 3<>/dev/tcp/$1/$2 && head -n 1 <&3" 2>/dev/null)
	case $? in
	0) printf '%s\n' "${said%$'\r'}" ;;
	124) echo silence ;;
	*) echo refused ;;
	esac
}
http() {
	timeout 2 bash -c "exec 3<>/dev/tcp/$1/$2 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && tr -d '\r' <&3" 2>/dev/null
}
# The same for UDP, with the octets of TEXT (as of printf) sent first; the answer in hex.
udp() {
	local said
	said=$(timeout 1 bash -c "exec 3<>/dev/udp/$1/$2 && printf '$3' >&3 && dd bs=2048 count=1 <&3 2>/dev/null" 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
	echo "${said:-silence}"
}
hex() { printf '%s' "$1" | od -An -v -tx1 | tr -d ' \n'; }

# is STATE VM: what the VM does.
is() { [ "$(lx_sim state "$2")" = "$1" ]; }
field() { lx_sim show "$1" | sed -n "s/^$2: //p"; }
# The error of a command that has to fail.
error_of() {
	local text
	text=$(lx_sim "$@" 2>&1) && { echo "it succeeded: $text"; return; }
	printf '%s\n' "${text//"$LX_DIR/"/}"
}
port_is_moved() { [ "$(lx_sim show www | sed -n 's/^service: tcp:80 at .*:\([0-9]*\) .*/\1/p')" != 80 ]; }

vm www 1
vm db 2
vm loop 3 "on_reboot = 'restart'" "on_crash = 'preserve'"
vm frail 4 'simxen_crash_ms = 100'
lx_simxen --seed 5
WWW=$LX_NET.1

# ---- life ----
check_is "Domain-0 is listed from the start" "$("$CLIENT" "$LX_SIM" list)" "0 1 255 Domain-0"
check "create from an xl file, with overrides" \
	lx_sim create "$LX_DIR/www.cfg" 'uuid="6f3c2d10-1111-4222-8333-000000000001"' 'memory=130'
check_is "a VM that boots refuses" "$(tcp "$WWW" 2080)" refused
check_wait 10 "it comes up" is up www
check_is "the override of memory holds" "$(field www memory)" 130
check_is "the override of the UUID holds" "$(field www uuid)" 6f3c2d10-1111-4222-8333-000000000001
check_is "domids begin at 1" "$(field www domid)" 1
check_is "TCP: the banner" "$(tcp "$WWW" 2080)" "simxen www 2080"
check_is "UDP: each datagram is answered" "$(udp "$WWW" 2053 x)" "$(hex $'simxen www 2053\r\n')"
if port_is_moved; then WEB=20080 DNS=20053; else WEB=80 DNS=53; fi
check_is "HTTP: status 200" "$(http "$WWW" $WEB | head -n 1)" "HTTP/1.0 200 OK"
check_is "HTTP: the page names the VM" "$(http "$WWW" $WEB | tail -n 1)" "simxen www"
QUERY='\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01'
check_is "DNS: the same id, QR, the VM's address" "$(udp "$WWW" $DNS "$QUERY")" \
	"1234818000010001000000000161000001""0001c00c00010001""0000003c0004$(printf '%02x' ${WWW//./ })"
check_is "DNS: a query without a question is a format error" "$(udp "$WWW" $DNS '\x12\x34')" 123480810000000000000000

# ---- pause ----
exec 5<>"/dev/tcp/$WWW/2080" && read -r -t 2 -u 5 _
check "pause" lx_sim pause www
check_is "paused: a new TCP connection times out" "$(tcp "$WWW" 2080)" silence
check_is "paused: and again" "$(tcp "$WWW" 2080)" silence
check_is "paused: HTTP too" "$(http "$WWW" $WEB)" ""
check_is "paused: UDP is silent" "$(udp "$WWW" 2053 x)" silence
check "pauses nest" lx_sim pause www
check "one unpause" lx_sim unpause www
check_is "still paused" "$(tcp "$WWW" 2080)" silence
timeout 10 bash -c "exec 3<>/dev/tcp/$WWW/2080 && head -n 1 <&3" >"$LX_DIR/waits" 2>&1 &
WAITS=$!
check "the second unpause" lx_sim unpause www
check_is "it serves again at once" "$(tcp "$WWW" 2080)" "simxen www 2080"
check_is "UDP too" "$(udp "$WWW" 2053 y)" "$(hex $'simxen www 2053\r\n')"
wait $WAITS
check_is "a client that waited gets in" "$(tr -d '\r' <"$LX_DIR/waits")" "simxen www 2080"
check "a connection from before lives" bash -c "printf x >&5" 5>&5
exec 5>&-
check_is "unpausing a VM that runs is an error" "$(error_of unpause www)" "www: the domain is not paused"

# ---- services ----
lx_sim service-hang www tcp:2080
check_is "a hanging service is silent" "$(tcp "$WWW" 2080)" silence
check_is "the others are not" "$(http "$WWW" $WEB | tail -n 1)" "simxen www"
lx_sim service-stop www 2080
check_is "a stopped service is refused" "$(tcp "$WWW" 2080)" refused
lx_sim service-ok www 2080
check_is "and well again" "$(tcp "$WWW" 2080)" "simxen www 2080"
check_is "a service that is not there" "$(error_of service-stop www 99)" "www: has no service 99"

# ---- the end of a VM ----
lx_sim create "$LX_DIR/db.cfg"
check_wait 10 "a second VM" is up db
lx_sim crash db
check_is "a crashed VM stays, with its reason" "$("$CLIENT" "$LX_SIM" list | tail -n 1)" "2 8 3 db"
check_is "its services are refused" "$(tcp "$LX_NET.2" 2080)" refused
check_is "its name is in use" "$(error_of create "$LX_DIR/db.cfg")" "db: the name is in use by domain 2"
check "until it is destroyed" lx_sim destroy db
check "then the VM can be created again" lx_sim create "$LX_DIR/db.cfg"
check_wait 10 "as domain 3" is up db
check "shutdown asks the guest" lx_sim shutdown db
check_wait 10 "which powers off" is poweroff db
lx_sim destroy db
check_is "gone" "$(lx_sim state db)" gone
lx_sim create "$LX_DIR/frail.cfg"
check_wait 10 "simxen_crash_ms: it crashes after its boot" is crash frail
lx_sim destroy frail
lx_sim create --monitor "$LX_DIR/loop.cfg"
check_wait 10 "a VM with a person's monitor" is up loop
BEFORE=$(field loop domid)
lx_sim greboot loop
reborn() { is up loop && [ "$(field loop domid)" != "$BEFORE" ]; }
check_wait 10 "its own reboot makes it a new domain" reborn
lx_sim panic loop
check_is "a panic is silent" "$(tcp "$LX_NET.3" 2080)" silence
check_wait 10 "and ends as a crash, preserved" is crash loop
lx_sim destroy loop

# ---- errors ----
check_is "too much memory" "$(error_of mem www 257)" "www: 257 MiB is over the maximum of 256 MiB (maxmem)"
check_is "Domain-0 is not to be saved" "$(error_of save Domain-0 "$LX_DIR/x")" \
	"the domain does not run, or is Domain-0"
check_is "nor destroyed" "$(error_of destroy 0)" "Domain-0: not for the domain that runs the toolstack"
check_is "no such VM" "$(error_of pause nobody)" "nobody: no such domain"
check_is "no such file" "$(error_of create "$LX_DIR/none.cfg")" "none.cfg: cannot read: No such file or directory"
vm broken 9 'vcpus = many'
check_is "a bad file: where" "$(error_of create "$LX_DIR/broken.cfg")" \
	'broken.cfg:11: vcpus: a number from 1 to 64 is needed, not "many"'
lx_sim host-memory-full on
check_is "no memory" "$(error_of create "$LX_DIR/db.cfg")" \
	"db: not enough memory: 128 MiB needed, the host has 0 MiB free"
lx_sim heal
lx_sim pause nobody 2>/dev/null
check_is "exit status of a failure" $? 1
lx_sim nonsense 2>/dev/null
check_is "exit status of a usage error" $? 2
"$LX_BUILD/simxen" ctl -s "$LX_DIR/none" list 2>/dev/null
check_is "exit status where no simxen runs" $? 1
check "--help lists the commands" bash -c "'$LX_BUILD/simxen' ctl --help | grep -q service-hang"
check "the list and the sources agree on the protocol's size of a domain" \
	[ "$("$CLIENT" "$LX_SIM" sample 1 | cut -d' ' -f1)" = 2 ]

# ---- save and restore ----
lx_sim disk-full on
check_is "a full disk" "$(error_of save www "$LX_DIR/www.save")" "www.save: cannot write: No space left on device"
check_is "and the VM runs on" "$(tcp "$WWW" 2080)" "simxen www 2080"
lx_sim disk-full off
check "save" lx_sim save www "$LX_DIR/www.save"
check_is "saved: the domain is gone" "$(lx_sim state www)" gone
check_is "restore wants a save file" "$(error_of restore "$LX_DIR/www.cfg")" "www.cfg: is no complete save file"
check "restore" lx_sim restore "$LX_DIR/www.save"
check_wait 5 "restored: up at once, without a boot" is up www
check_is "with its UUID" "$(field www uuid)" 6f3c2d10-1111-4222-8333-000000000001
check_is "with its services" "$(tcp "$WWW" 2080)" "simxen www 2080"

# ---- injections ----
lx_sim fail create "no bridge" -v db -n 1
check_is "an injected failure" "$(error_of create "$LX_DIR/db.cfg")" "no bridge"
check "only once" lx_sim create "$LX_DIR/db.cfg"
lx_sim never destroy -v db
timeout 1 "$LX_BUILD/simxen" ctl -s "$LX_SIM" destroy db
check_is "an action that never ends" $? 124
check "it is not done" is up db
check "--direct goes past it" lx_sim destroy --direct db
lx_sim never create
timeout 1 "$LX_BUILD/simxen" ctl -s "$LX_SIM" create "$LX_DIR/db.cfg"
check_is "a create that was killed leaves a half-built domain" "$(lx_sim state db)" building
lx_sim heal
lx_sim destroy db
lx_sim slow pause 300
BEGAN=${EPOCHREALTIME/./}
lx_sim pause www
check "a slow action" [ $((${EPOCHREALTIME/./} - BEGAN)) -ge 300000 ]
lx_sim heal
lx_sim unpause www
lx_sim meminfo www -- "-1 rubbish"
check_is "a guest writes what it likes" "$(field www meminfo_total)" "-1 rubbish"
lx_sim load www 100
check_is "an injected load is taken" "$(lx_sim state www)" up

# ---- the hypervisor's socket ----
"$CLIENT" "$LX_SIM" watch >"$LX_DIR/news" &
LX_PIDS+=($!)
lx_wait 5 grep -q listens "$LX_DIR/news"
DOMID=$(field www domid)
lx_sim pause www
check_wait 2 "subscribers hear of a pause" grep -qx "$DOMID 2" "$LX_DIR/news"
lx_sim crash www
check_wait 2 "and of an end" grep -qx "$DOMID 3" "$LX_DIR/news"
lx_sim destroy www
check_wait 2 "and when the domain is gone" grep -qx "$DOMID 4" "$LX_DIR/news"
lx_sim create "$LX_DIR/www.cfg"
check_wait 2 "and of a birth" grep -q " 1$" "$LX_DIR/news"
check_wait 10 "the new one comes up" is up www
DOMID=$(field www domid)
check_is "another version is refused" "$("$CLIENT" "$LX_SIM" version 9)" 24
check "garbage is hung up on" timeout 5 "$CLIENT" "$LX_SIM" garbage
for _ in 1 2 3 4 5; do
	"$CLIENT" "$LX_SIM" deaf >>"$LX_DIR/deaf" &
	LX_PIDS+=($!)
done
lx_wait 5 [ "$(grep -c listens "$LX_DIR/deaf")" = 5 ]
flood() {
	local i
	for ((i = 0; i < 60; i++)); do
		"$CLIENT" "$LX_SIM" act $VERB_PAUSE "$DOMID" >/dev/null || return
	done
}
check "clients that never read hold nobody up" flood
lx_sim silent on
timeout 1 "$CLIENT" "$LX_SIM" list
check_is "silent: no answer to a client" $? 124
timeout 1 "$CLIENT" "$LX_SIM" list
check_is "silent: none to the next, either" $? 124
check_is "silent: the control socket answers" "$(lx_sim state www)" paused
lx_sim silent off
check "no longer silent" timeout 5 "$CLIENT" "$LX_SIM" list
lx_sim xenstore-hang on
check_is "without xenstore: no names" "$(timeout 5 "$CLIENT" "$LX_SIM" list | tail -n 1)" "$DOMID 4 255 "
timeout 1 "$CLIENT" "$LX_SIM" sample
check_is "without xenstore: no figures" $? 124
check_is "without xenstore: a pause works" "$(timeout 5 "$CLIENT" "$LX_SIM" act $VERB_PAUSE "$DOMID")" "0 $DOMID "
lx_sim heal
lx_sim empty-list on
check_is "a list without Domain-0" "$("$CLIENT" "$LX_SIM" list)" ""
lx_sim heal

# ---- the process ----
timeout 10 "$LX_BUILD/simxen" -s "$LX_SIM" 2>"$LX_DIR/second"
check_is "a second simxen on the same socket is refused" $? 1
echo precious >"$LX_DIR/file"
echo precious >"$LX_DIR/half.ctl"
for socket in file half; do
	timeout 10 "$LX_BUILD/simxen" -s "$LX_DIR/$socket" >"$LX_DIR/refused.log" 2>&1
	check_is "a file of something else is no socket ($socket)" $? 1
done
check_is "and stays" "$(cat "$LX_DIR/file" "$LX_DIR/half.ctl" 2>&1)" $'precious\nprecious'
check "which is said" grep -q 'half.ctl: it is there, and no socket' "$LX_DIR/refused.log"
lx_stop "$LX_SIMXEN" KILL
lx_simxen -f "$LX_DIR/www.cfg"
check_wait 10 "a new one takes the socket of one that was killed; -f creates VMs" is up www
check "quit" lx_sim quit
lx_wait 5 lx_gone "$LX_SIMXEN"
check_is "nothing is left" "$(ls "$LX_SIM"* 2>/dev/null)" ""
check_is "no report of a sanitizer" "$(grep -E 'runtime error|Sanitizer' "$LX_DIR/simxen.log")" ""

# ---- many ----
lx_simxen -n 1000 --services "${LX_NET%.*}"
read -r count octets ms < <("$CLIENT" "$LX_SIM" sample 20)
check_is "1,000 VMs: all are in a sample" "$count" 1001
echo "# a sample of 1,000 VMs: $octets octets in $ms ms"
check_is "1,000 VMs: the last one serves" "$(http "${LX_NET%.*}.4.1" $WEB | tail -n 1)" "simxen vm1000"
echo "# memory: $(sed -n 's/^VmRSS:[ \t]*//p' "/proc/$LX_SIMXEN/status")"
lx_stop "$LX_SIMXEN"
check_is "definitions of many VMs" \
	"$("$LX_BUILD/simxen" --write-files "$LX_DIR/many" -n 200 --services "${LX_NET%.*}" | wc -l)" 200
lx_simxen
check "one of them" lx_sim create "$LX_DIR/many/vm0200.cfg"

# ---- the same run twice ----
lx_history() { "$LX_BUILD/simxen" --history 60 --seed "$1" -f "$LX_DIR/www.cfg" -n 3 --script "$LX_DIR/script"; }
printf '%s\n' '1000 crash vm0001' '2000 pause vm0002' '30000 destroy vm0001' >"$LX_DIR/script"
lx_history 1 >"$LX_DIR/one"
lx_history 1 >"$LX_DIR/again"
lx_history 2 >"$LX_DIR/two"
check "a history has something in it" [ "$(wc -l <"$LX_DIR/one")" -gt 1000 ]
check "the same seed: the same history, octet by octet" cmp "$LX_DIR/one" "$LX_DIR/again"
check_is "another seed: another one" "$(cmp -s "$LX_DIR/one" "$LX_DIR/two"; echo $?)" 1
lx_stop "$LX_SIMXEN"

# ---- without root ----
if [ "$(id -u)" != 0 ]; then
	skip "without root: all of it" "the whole test ran so"
elif ! cp "$LX_BUILD/simxen" "$LX_DIR/simxen" 2>/dev/null || ! command -v setpriv >/dev/null; then
	skip "without root" "no setpriv"
else
	chmod 755 "$LX_DIR" "$LX_DIR/simxen"
	mkdir -m 777 "$LX_DIR/nobody"
	LX_SIM=$LX_DIR/nobody/s
	setpriv --reuid 65534 --regid 65534 --clear-groups "$LX_DIR/simxen" -s "$LX_SIM" \
		-f "$LX_DIR/www.cfg" </dev/null >"$LX_DIR/nobody.log" 2>&1 &
	LX_PIDS+=($!)
	check_wait 10 "without root: a VM comes up" is up www
	if port_is_moved; then
		check_is "without root: low ports are moved up" "$(http "$WWW" 20080 | tail -n 1)" "simxen www"
	else
		skip "without root: low ports are moved up" "everybody may bind them here"
	fi
	lx_sim pause www
	check_is "without root: a paused VM is silent" "$(tcp "$WWW" 2080)" silence
	lx_sim unpause www
	check_is "without root: and serves again" "$(tcp "$WWW" 2080)" "simxen www 2080"
fi
lx_done
