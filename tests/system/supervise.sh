#!/bin/bash
# Supervision from outside, with the real snmpd and net-snmp's tools on a simulated host whose VMs
# really listen: launch in order, cascade, repair, stand-in, maintenance, purpose, reload, memory,
# ordered shutdown; and the agent killed in the middle of each.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

mib/get-base-mibs.sh build/mibs || exit 2
lx_begin
LX_MIBS="-M $PWD/build/mibs:$PWD/mib -m LAUXEN-MIB"

# vm_file NAME LAST-OCTET SERVICES [LINE...]: an xl file for simxen.
vm_file() {
	local name=$1 octet=$2 services=$3
	shift 3
	cat >"$LX_DIR/$name.cfg" <<-END
		name = "$name"
		memory = 256
		maxmem = 512
		on_poweroff = "destroy"
		on_reboot = "restart"
		on_crash = "restart"
		simxen_address = "$LX_NET.$octet"
		simxen_services = [ $services ]
		simxen_shutdown_ms = 200
	END
	printf '%s\n' "${@:-simxen_boot_ms = 400}" >>"$LX_DIR/$name.cfg"
}
# vm NAME LAST-OCTET LINE...: its section.
vm() {
	printf 'vm "%s" {\n\tfile = "%s/%s.cfg"\n\taddress = "%s.%s"\n' "$1" "$LX_DIR" "$1" "$LX_NET" "$2"
	shift 2
	[ $# = 0 ] || printf '\t%s\n' "$@"
	printf '}\n'
}
vm_file dns 1 '"udp:5353", "tcp:2022"' 'simxen_boot_ms = 2500'
vm_file nfs 2 '"tcp:2049"'
vm_file www 3 '"tcp:8080"'
vm_file batch 4 '"tcp:9000"'
vm_file alone 5 '"tcp:7000"'
vm_file spare 5 '"tcp:7000"'
vm_file late 6 '"tcp:6000"'
cat >"$LX_DIR/check_file" <<-END
	#!/bin/sh
	[ -e "\$1" ] && { echo "FILE OK - \$1 is there|size=0B"; exit 0; }
	echo "FILE CRITICAL - \$1 is missing"; exit 2
END
chmod +x "$LX_DIR/check_file"

sections() {
	cat <<-END
		external "flag" {
			service "file" { protocol = plugin command = "$LX_DIR/check_file $LX_DIR/flag" }
		}
	END
	vm dns 1 'service "dns" { port = 5353 protocol = udp payload = generic }' 'services = {"2022/tcp"}' \
		'group = "base"'
	vm nfs 2 'services = {"2049/tcp"}' 'needs = {"dns:dns"}' 'group = "base"'
	vm www 3 'services = {"8080/tcp"}' 'needs = {"dns:dns", "nfs:2049/tcp"}' 'group = "front"'
	vm batch 4 'services = {"9000/tcp"}' 'needs = {"www"}' 'group = "front"' \
		'memory-min = 256 memory-max = 512'
	vm alone 5 'services = {"7000/tcp"}' 'standby = "spare"' 'restart-limit = 1'
	vm spare 5
	echo "${extra:-}"
}
extra=
LX_SUPERVISION='autostart = no interval = "1s" timeout = "500ms" fall = 2 grace = "1s"
	boot-allowance = "20s" restart-limit = 2 restart-backoff = "100ms" memory-interval = "1s"'
LX_HV_CONF='interval = "300ms" silence = "2s" shutdown-timeout = "3s" shutdown-escalation = "destroy"'
touch "$LX_DIR/flag"
lx_simxen --seed 1 -v
lx_trapd "$LX_DIR/traps"
lx_snmpd
lx_config "$(sections)"
lx_lauxend -v

# ---- words of the MIB ----
oid() { snmptranslate $LX_MIBS -On "LAUXEN-MIB::$1" | sed 's/^\.//'; }
for object in lxVmState lxVmMonitor lxServiceProvider lxServiceName lxServiceState lxServiceText \
	lxDependencyState lxRequiredByVm lxPlanWave lxPlanWaitsFor lxVmMaintenance \
	lxRequestVm lxRequestVerb lxRequestNumber lxRequestStatus lxRequestState lxRequestError lxVmMemoryGoal; do
	declare "o_$object=$(oid "$object")" || exit 2
done
column() { local name=o_$1; echo "${!name}"; }
named() { snmpget -v2c -c public -r1 -t2 $LX_MIBS -OQvt "$LX_AGENT" "$@" 2>&1; } # labels
enum() { snmpget -v2c -c public -r1 -t2 $LX_MIBS -OQv "$LX_AGENT" "$(column "$1").$2"; }
service() { # PROVIDER SERVICE: its index
	lx_walk "$(column lxServiceProvider)" | sed -n "s/^.*\.\([0-9]*\) = STRING: \"$1\"$/\1/p" | while read -r i; do
		[ "$(lx_get "$(column lxServiceName).$i")" = "\"$2\"" ] && echo "$i"
	done
}
service_is() { [ "$(enum lxServiceState "$(service "$1" "$2")")" = "$3" ]; }
monitor_is() { [ "$(enum lxVmMonitor "$(lx_index "$1")")" = "$2" ]; }
state_is() { # STATE VM...
	local state=$1 vm
	shift
	for vm in "$@"; do [ "$(enum lxVmState "$(lx_index "$vm")")" = "$state" ] || return; done
}
asked=0
ask() { # VERB TARGET [NUMBER]: a row of lxRequestTable, under an id of its own
	local id="'s-$asked'"
	snmpset -v2c -c private -r0 -t5 $LX_MIBS "$LX_AGENT" "LAUXEN-MIB::lxRequestVm.$id" = "$2" \
		"LAUXEN-MIB::lxRequestVerb.$id" = "$1" ${3:+"LAUXEN-MIB::lxRequestNumber.$id" = "$3"} \
		"LAUXEN-MIB::lxRequestStatus.$id" = createAndGo
}
asks() { # TEXT VERB TARGET [NUMBER]
	asked=$((asked + 1))
	check "$1" ask "${@:2}"
}
ended() { [ "$(named "LAUXEN-MIB::lxRequestState.'s-$asked'")" = "$1" ]; }
error() { named "LAUXEN-MIB::lxRequestError.'s-$asked'"; }
trapped() { grep -qE "$1" "$LX_TRAPS"; }
since() { tail -n "+$((mark + 1))" "$LX_TRAPS" | grep -qE "$1"; }
waits() { # VM WORD: it waits, and lxPlanWaitsFor has the word
	monitor_is "$1" waiting && lx_get "$(column lxPlanWaitsFor).$(lx_index "$1")" | grep -q "$2"
}
mark() { mark=$(wc -l <"$LX_TRAPS"); }
# order VM...: the order in which simxen made their domains first
order() {
	sed -nE "s/.*domain [0-9]+ ($(IFS='|'; echo "$*")): born$/\\1/p" "$LX_DIR/simxen.log" |
		awk '!seen[$0]++' | tr '\n' ' '
}
kill_all() { # WHEN
	local pids
	mapfile -t pids < <(echo "$LX_LAUXEND"; pgrep -P "$LX_LAUXEND")
	check "all of the agent is killed$1" kill -KILL "${pids[@]}"
	wait "$LX_LAUXEND" 2>/dev/null
	lx_lauxend -v
}
has_domain() { [ -n "$(domid "$1")" ]; }
domid() { lx_sim list | awk -v n="$1" '$1 == n { print $2 }'; }

# ---- launch in order ----
asks "launch of all is accepted" launch '*'
check_wait 5 "www waits, and says for what" waits www dns
check_wait 30 "the launch succeeds" ended succeeded
check_is "VMs were started in the order of their needs" "$(order dns nfs www batch)" "dns nfs www batch "
check_is "the idle standby was not" "$(domid spare)" ""
check_wait 5 "planFinished is notified" trapped lxPlanFinished
check "all run" state_is running dns nfs www batch alone
for pair in "dns dns" "dns 2022/tcp" "nfs 2049/tcp" "www 8080/tcp" "flag file"; do
	# shellcheck disable=SC2086
	check_wait 5 "service $pair is up" service_is $pair up
done
check_is "waves: dns 1, batch 4" "$(lx_get "$(column lxPlanWave).$(lx_index dns)") $(lx_get "$(column lxPlanWave).$(lx_index batch)")" "1 4"
check "the plugin's word is kept" grep -q 'FILE OK' <(lx_get "$(column lxServiceText).$(service flag file)")
dns_service=$(service dns dns)
check_is "dns:dns is needed by two, walked in reverse" "$(lx_walk "$(column lxRequiredByVm).$dns_service" | grep -c STRING)" 2
check_is "a dependency's row" "$(enum lxDependencyState "$(lx_index www).$dns_service")" ok
asks "launch once more" launch '*'
check_wait 10 "finds nothing to do" ended succeeded

# ---- a service that is silent: cascade, repair, resumption ----
mark
dns_domid=$(domid dns)
check "dns answers no more" lx_sim service-hang dns udp:5353
check_wait 10 "its dependents, at any depth, are paused" state_is paused nfs www batch
check "dns itself is not" state_is running dns
check_wait 5 "serviceFailed is notified" since 'lxServiceFailed.*dns'
check_wait 5 "dependencyFailed names provider and dependents" since 'lxDependencyFailed.*dns.*nfs'
check_wait 5 "each paused VM is notified" since 'lxVmBlocked.*batch'
check_is "services of a paused VM are suspended" "$(enum lxServiceState "$(service www 8080/tcp)")" suspended
check_wait 20 "dns is restarted" since 'lxVmRestarted.*dns'
check_wait 20 "and serves" service_is dns dns up
check "as another domain" [ "$(domid dns)" != "$dns_domid" ]
check_wait 20 "all are resumed" state_is running nfs www batch
check_wait 5 "in pairs: restored" since 'lxServiceRestored.*dns'
check_wait 5 "the dependency, too" since 'lxDependencyRestored'
check_wait 5 "each VM, too" since 'lxVmUnblocked.*batch'

# ---- a provider that a person pauses ----
check "nfs is paused by hand" lx_sim pause nfs
check_wait 5 "its dependents follow" state_is paused www batch
check "dns does not" state_is running dns
check "nfs goes on" lx_sim unpause nfs
check_wait 10 "so do they" state_is running nfs www batch

# ---- maintenance ----
www=$(lx_index www)
check "www in maintenance for 600 s, by SET" lx_set "$(column lxVmMaintenance).$www" u 600
check_wait 5 "its monitor says so" monitor_is www maintenance
check_is "reading gives what was asked for" "$(lx_get "$(column lxVmMaintenance).$www")" 600
www_domid=$(domid www)
check "its service stops" lx_sim service-stop www 8080
check_wait 10 "that is reported" service_is www 8080/tcp down
check_wait 10 "its dependents are paused all the same" state_is paused batch
sleep_until=$((SECONDS + 4)); lx_wait 6 [ $SECONDS -ge $sleep_until ]
check_is "it is not restarted, though the grace is long over" "$(domid www)" "$www_domid"
check "its service is well again" lx_sim service-ok www 8080
check_wait 10 "batch goes on" state_is running batch
check "maintenance ends by SET" lx_set "$(column lxVmMaintenance).$www" u 0
check_wait 5 "it is watched again" monitor_is www watching
asks "two seconds of maintenance" maintenance www 2
check_wait 10 "end by themselves" monitor_is www watching

# ---- restarts have a limit; the standby ----
mark
check "alone's service fails for good" lx_sim service-stop --lasting alone 7000
check_wait 40 "the standby takes over" since 'lxStandbyTookOver.*alone'
check_wait 20 "spare runs, alone does not" state_is running spare
check_is "alone is off" "$(domid alone)" ""
check_wait 10 "its service is up again, by the standby" service_is alone 7000/tcp up
check "it was restarted once, as its limit says" [ "$(tail -n "+$((mark + 1))" "$LX_TRAPS" | grep -c 'lxVmRestarted.*alone')" = 1 ]
check_is "its monitor says that it is replaced" "$(enum lxVmMonitor "$(lx_index alone)")" replaced

# ---- on purpose ----
check "batch's guest powers itself off" lx_sim poweroff batch
check_wait 10 "batch is shut down" state_is shutdown batch
sleep_until=$((SECONDS + 3)); lx_wait 5 [ $SECONDS -ge $sleep_until ]
check "and is left alone" state_is shutdown batch
check_is "its monitor: off" "$(enum lxVmMonitor "$(lx_index batch)")" off
asks "launch of batch alone" launch batch
check_wait 20 "starts it" ended succeeded

# ---- a changed file ----
extra=$(vm late 6 'services = {"6000/tcp"}' 'needs = {"www"}')
lx_config "$(sections)"
asks "rebuild by request" rebuild '*'
check_wait 10 "succeeds" ended succeeded
check_wait 5 "late has a row, and is off" state_is shutdown late
asks "launch of all" launch '*'
check_wait 20 "succeeds" ended succeeded
check "late runs" state_is running late
www_domid=$(domid www)
extra='vm "late" {'
lx_config "$(sections)"
asks "rebuild of a bad file" rebuild '*'
check_wait 10 "fails" ended failed
check "and says where" grep -qE 'lauxen.conf:[0-9]+' <(error)
# As lauxen-guests.service does when the host goes down: the agent goes on with the good file.
by_hand() { "$LX_BUILD/lauxend" --request "$@" -f "$LX_DIR/lauxen.conf"; }
check "a request by hand gets there all the same" by_hand shutdown late -t 20
check "and is done" state_is shutdown late
check "as is the next" by_hand launch late -t 20
extra=$(vm late 6 'services = {"6000/tcp"}' 'needs = {"www"}')
lx_config "$(sections)"

# ---- the agent is killed ----
check "dns answers no more" lx_sim service-hang dns udp:5353
check_wait 10 "its dependents are paused" state_is paused nfs www batch late
kill_all ", in the middle of a cascade"
check_wait 30 "dns is repaired all the same" service_is dns dns up
check_wait 20 "and the VMs that an agent before paused are resumed" state_is running nfs www batch late
check "nobody else was touched" [ "$(domid www)" = "$www_domid" ]

asks "shutdown of the front group" shutdown group:front
check_wait 20 "succeeds" ended succeeded
check "batch and www are off, nfs is not" state_is shutdown batch www
check "nfs runs" state_is running nfs

asks "launch of all" launch '*'
check_wait 10 "www begins" has_domain www
kill_all ", in the middle of the launch"
check_wait 40 "the launch goes on to its end" ended succeeded
check "all run" state_is running dns nfs www batch late

# ---- ordered shutdown, the agent killed in the middle ----
: >"$LX_DIR/simxen.log"
asks "shutdown of all" shutdown '*'
check_wait 10 "batch ends first" state_is shutdown batch
kill_all ", in the middle of the shutdown"
check_wait 40 "it goes on to its end" ended succeeded
check "all are off" state_is shutdown dns nfs www batch late spare
lx_done
