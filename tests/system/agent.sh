#!/bin/bash
# The whole way through, with the real snmpd and net-snmp's tools on a simulated host: read, steer,
# hear; a silent hypervisor; a snmpd that goes and comes; a configuration that is read again.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

mib/get-base-mibs.sh build/mibs || exit 2
lx_begin
LX_MIBS="-M $PWD/build/mibs:$PWD/mib -m LAUXEN-MIB"

vm_file() { # NAME ON_CRASH
	cat >"$LX_DIR/$1.cfg" <<-END
		name = "$1"
		memory = 256
		maxmem = 512
		vcpus = 2
		vif = [ "bridge=xenbr0,mac=00:16:3e:00:00:01" ]
		disk = [ "/dev/vg0/$1,raw,xvda,rw" ]
		on_poweroff = "destroy"
		on_reboot = "restart"
		on_crash = "$2"
		simxen_boot_ms = 300
		simxen_shutdown_ms = 200
	END
}
sections=
for name in www db mail; do
	vm_file $name restart
	sections+="vm \"$name\" { file = \"$LX_DIR/$name.cfg\" group = \"test\" }"$'\n'
done
LX_HV_CONF='interval = "500ms" silence = "1s" shutdown-timeout = "5s"'
lx_simxen --seed 1
lx_trapd "$LX_DIR/traps"
lx_snmpd
lx_config "$sections"
lx_lauxend -v

trapped() { grep -qE "$1" "$LX_TRAPS"; }
traps() { grep -cE "$1" "$LX_TRAPS"; }
request_of() { lx_walk $LX_REQUEST.5 | tail -n 1; }
# The outcome of the last request that begins with VERB of VM is as wanted.
finished() { trapped "lxEventText.*$1: $2 $3"; }
www=$(lx_index www) db=$(lx_index db) mail=$(lx_index mail)

# ---- read ----
check_is "VMs of the configuration have rows though none runs, with their indexes" "$www $db $mail" "1 2 3"
check_wait 10 "agentStarted was heard" trapped lxAgentStarted
check_is "a VM without a domain is shut down" "$(lx_get $LX_VM_STATE.1)" 11
check_is "its memory is known to be 0; CPU time, without a domain, is not there" \
	"$(lx_get $LX_VM.15.1) $(lx_get $LX_VM.13.1)" "0 No Such Instance currently exists at this OID"
check_is "the hypervisor's software" "$(lx_get $LX_ROOT.1.2.2.0)" '"simxen"'
check_is "vmHvSoftware of VM-MIB says the same" "$(lx_get 1.3.6.1.2.1.236.1.1.1.0)" '"simxen"'
check_is "vmNumber" "$(lx_get 1.3.6.1.2.1.236.1.2.0)" 3
check_is "vmName under the same index" "$(lx_get 1.3.6.1.2.1.236.1.4.1.2.2)" '"db"'

# ---- steer ----
check "start by SET" lx_set $LX_CONTROL.1.$www i 2
check_is "reading it gives the last request" "$(lx_get $LX_CONTROL.1.$www)" 2
check_wait 10 "www runs" lx_state_is www 4
check_wait 10 "its outcome is heard" finished www start succeeded
check "pause by SET" lx_set $LX_CONTROL.1.$www i 5
check_wait 10 "www is paused" lx_state_is www 8
check_is "VM-MIB's vmOperState too, vmAdminState paused" \
	"$(lx_get 1.3.6.1.2.1.236.1.4.1.6.$www) $(lx_get 1.3.6.1.2.1.236.1.4.1.5.$www)" "8 3"
check "unpause by SET" lx_set $LX_CONTROL.1.$www i 6
check_wait 10 "www runs again" lx_state_is www 4
check_wait 10 "the unpause is finished" finished www unpause succeeded
check "memory by SET" lx_set $LX_CONTROL.2.$www u 300
memory_is() { [ "$(lx_get $LX_VM.15.$www)" = "$1" ]; }
check_wait 10 "www has its memory" memory_is 300
check_is "and the target reads as set" "$(lx_get $LX_CONTROL.2.$www)" 300

# A row of lxRequest with the manager's own id: "noc-7" = 110.111.99.45.55
id=110.111.99.45.55
check "start of db by a row of lxRequest" lx_set $LX_REQUEST.2.$id s db $LX_REQUEST.3.$id i 2 $LX_REQUEST.11.$id i 4
check_wait 10 "db runs" lx_state_is db 4
row_is() { [ "$(lx_get $LX_REQUEST.5.$id)" = "$1" ]; }
check_wait 10 "the row shows its end" row_is 3
restarts=$(lx_get $LX_VM.4.$db)
check "the same row again is no second request" lx_set $LX_REQUEST.2.$id s db $LX_REQUEST.3.$id i 2 $LX_REQUEST.11.$id i 4
check_is "nothing was done again" "$(lx_get $LX_VM.4.$db)" "$restarts"
check "the finished row is removed" lx_set $LX_REQUEST.11.$id i 6
check_is "it is gone" "$(lx_get $LX_REQUEST.5.$id)" "No Such Instance currently exists at this OID"

check "reboot by SET" lx_set $LX_CONTROL.1.$db i 4
new_domid() { [ "$(lx_get $LX_VM.4.$db)" -gt "$restarts" ]; }
check_wait 15 "db has a new domain" new_domid
check_wait 10 "and runs" lx_state_is db 4
check_wait 10 "the reboot is finished" finished db reboot succeeded
check "save by SET" lx_set $LX_CONTROL.1.$db i 8
check_wait 15 "db is suspended" lx_state_is db 6
check_wait 10 "the save is finished" finished db save succeeded
check "restore by SET" lx_set $LX_CONTROL.1.$db i 9
check_wait 15 "db runs again" lx_state_is db 4
check_wait 10 "the restore is finished" finished db restore succeeded
check "shutdown by SET" lx_set $LX_CONTROL.1.$db i 3
check_wait 15 "db is shut down" lx_state_is db 11
check_wait 10 "the shutdown is finished" finished db shutdown succeeded

# ---- refused, with nothing changed ----
# refused ERROR VARBIND TEXT SET-ARGUMENT...
refused() {
	local error=$1 at=$2 text=$3 before after output
	shift 3
	before=$(lx_walk $LX_ROOT.2 | md5sum)
	output=$(lx_set "$@" 2>&1)
	after=$(lx_walk $LX_ROOT.2 | md5sum)
	if [[ $output == *"$error"* && $output == *"Failed object: "*".$at"* && $before == "$after" ]]; then
		ok "$text: $error"
	else
		not_ok "$text" "wanted $error at $at; got: $output; changed: $([ "$before" = "$after" ] || echo yes)"
	fi
}
refused "inconsistentValue" "2.1.1.1.$www" "start of a VM that runs" $LX_CONTROL.1.$www i 2
refused "inconsistentValue" "2.1.1.1.$db" "pause of a VM that is off" $LX_CONTROL.1.$db i 5
refused "wrongValue" "2.1.1.1.$www" "a verb that is none" $LX_CONTROL.1.$www i 77
refused "wrongType" "2.1.1.1.$www" "a verb of a wrong type" $LX_CONTROL.1.$www s start
refused "noCreation" "2.1.1.1.99" "a VM that is not there" $LX_CONTROL.1.99 i 2
refused "Value" "2.1.1.2.$www" "memory over the maximum" $LX_CONTROL.2.$www u 100000
refused "Value" "2.1.1.2.$www" "memory under the floor" $LX_CONTROL.2.$www u 8
refused "notWritable" "1.4.1.5.$www" "a status object" $LX_VM_STATE.$www i 4
refused "wrongValue" "2.2.1.11.$id" "createAndWait" $LX_REQUEST.2.$id s www $LX_REQUEST.3.$id i 5 $LX_REQUEST.11.$id i 5
refused "inconsistentValue" "2.1.1.1.$db" "two VMs in one SET, one impossible" $LX_CONTROL.1.$www i 5 $LX_CONTROL.1.$db i 5
check_is "and www still runs" "$(lx_get $LX_VM_STATE.$www)" 4

# ---- heard ----
check "a crash in the simulated host" lx_sim crash www
check_wait 10 "is heard as lxVmCrashed, with its name" trapped 'lxVmCrashed.*"?www'
check_wait 10 "on_crash is done: heard as lxVmRecovered" trapped 'lxVmRecovered.*"?www'
check_wait 10 "www runs" lx_state_is www 4
check_is "its crash and restart are counted" "$(lx_get $LX_VM.24.$www) $(lx_get $LX_VM.23.$www)" "1 1"
check "the guest powers itself off" lx_sim poweroff www
check_wait 10 "that is respected: www is shut down" lx_state_is www 11

# ---- a guest that ignores its shutdown ----
check "start mail" lx_set $LX_CONTROL.1.$mail i 2
check_wait 10 "mail runs" lx_state_is mail 4
check_wait 10 "mail's start is finished" finished mail start succeeded
lx_sim hang mail
check "shutdown of a hung guest is accepted" lx_set $LX_CONTROL.1.$mail i 3
check_wait 20 "it fails in time, as configured" finished mail shutdown failed
check_is "and the guest was not harmed" "$(lx_get $LX_VM_STATE.$mail)" 4

# ---- the hypervisor goes silent ----
lx_sim silent on
check_wait 10 "a silent hypervisor is heard" trapped lxHypervisorLost
check_is "no VM is taken for dead: unknown" "$(lx_get $LX_VM_STATE.$mail) $(lx_get $LX_VM_STATE.$www)" "1 1"
check "a request is accepted meanwhile" lx_set $LX_CONTROL.1.$mail i 7
lx_sim silent off
check_wait 10 "it is back, and heard" trapped lxHypervisorRestored
check_wait 15 "the request is carried out" lx_state_is mail 11
lx_sim empty-list on
check_wait 10 "a list without Domain-0 is a failure" lx_state_is mail 1
lx_sim empty-list off
check_wait 10 "and it is back" lx_agent_up
lx_sim xenstore-hang on
check "start of db while xenstore hangs" lx_set $LX_CONTROL.1.$db i 2
check_wait 10 "figures are lost" trapped lxFiguresLost
check_is "states stay true" "$(lx_get $LX_VM_STATE.$mail)" 11
lx_sim xenstore-hang off
check_wait 10 "figures are back" trapped lxFiguresRestored

# ---- snmpd goes and comes ----
heard=$(traps lxVmStateChanged)
lx_stop "$LX_SNMPD" KILL 2>/dev/null
vm_file found destroy
lx_sim create "$LX_DIR/found.cfg"
lx_snmpd
check_wait 10 "lauxend is back after snmpd was killed and started" lx_agent_up
more() { [ "$(traps lxVmStateChanged)" -gt "$heard" ]; }
check_wait 10 "what happened meanwhile is heard" more
check_wait 10 "a VM of no configuration has a row" lx_state_is found 4
check_is "and says so" "$(lx_get $LX_VM.8.4)" 2

# ---- a changed configuration ----
echo 'rubbish' >>"$LX_DIR/lauxen.conf"
kill -HUP "$LX_LAUXEND"
check_wait 15 "a bad file is refused, and heard" trapped lxConfigRefused
check_is "the old one stays" "$(lx_get $LX_VM_NAME.$mail)" '"mail"'
lx_config "$sections
vm \"found\" { file = \"$LX_DIR/found.cfg\" }"
kill -HUP "$LX_LAUXEND"
check_wait 15 "a good one is taken" trapped lxConfigLoaded
configured() { [ "$(lx_get $LX_VM.8.4)" = 1 ]; }
check_wait 10 "the found VM is now a configured one, at the same index" configured

# ---- the journal ----
waiting_none() { [ "$(lx_get $LX_ROOT.1.1.16.0)" = 0 ]; }
check_wait 10 "all events were handed over" waiting_none
last=$(lx_get $LX_ROOT.1.1.14.0)
check "the journal has them all" test "$(lx_walk $LX_EVENT.2 | wc -l)" -ge "$last"

# ---- the end ----
kill -TERM "$LX_LAUXEND"
check_wait 10 "SIGTERM ends lauxend" lx_gone "$LX_LAUXEND"
check "and no VM was touched" test "$(lx_sim state db)" != gone
lx_lauxend
check_is "after a new start the indexes are the same" "$(lx_index www) $(lx_index db) $(lx_index mail) $(lx_index found)" "1 2 3 4"
check "and sequence numbers go on" test "$(lx_get $LX_ROOT.1.1.14.0)" -gt "$last"
lx_done
