#!/bin/bash
# supervise: four guests that need each other. All are launched in order, a service dies inside one,
# a provider is paused by hand, all are shut down in order; then once more, with all of lauxend
# killed in the middle of each.
# limit: 1500
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
db=10.99.0.11 app=10.99.0.12 web=10.99.0.13 batch=10.99.0.14
dependents='app web batch'

hypervisor_conf='shutdown-timeout = "90s"'
supervision_conf='autostart = "no" interval = "3s" timeout = "2s" fall = 2 grace = "8s"
	boot-allowance = "60s" restart-backoff = "5s"'

each() { # FUNCTION VM...: it holds for all of them
	local vm does=$1
	shift
	for vm; do "$does" "$vm" || return; done
}
state_is() { is_label lxVmState "${index[$1]}" "$2"; }
runs() { state_is "$1" running; }
is_paused() { state_is "$1" paused; }
is_off() { state_is "$1" shutdown; }
monitor_is() { is_label lxVmMonitor "${index[$1]}" "$2"; }
watched() { monitor_is "$1" watching; }
# waits VM WORD: it waits, for a service of WORD
waits() {
	local for_what
	monitor_is "$1" waiting || return
	for_what=$(value lxPlanWaitsFor "${index[$1]}")
	[[ $for_what == *$2* ]] || { echo "$1 waits for '$for_what' and not $2"; return 1; }
}
domids() { for vm; do listed "$vm" 2; done | tr '\n' ' '; }
rising() { # what is on the line
	sort -n -c <(tr ' ' '\n' <<<"$1" | grep .) || { echo "$1"; return 1; }
}
# in_order SINCE STATE VM...: they are told to be in that state one after the other
in_order() {
	local since=$1 state=$2 times='' vm time
	shift 2
	for vm; do
		time=$(arrived "$since" lxVmStateChanged lxVmName "$vm" lxVmState "$(number "lxVmState.$state")") ||
			{ echo "$vm: $time"; return 1; }
		times+="$time "
	done
	rising "$times"
}
# Killed and started again, where WHEN says so.
in_the_middle() { # WHEN
	[ -n "$1" ] || return 0
	ok "all of lauxend is killed$1" agent_kill
	ok "lauxend starts again" agent_start
}

launch_all() { # WHEN
	since=$(traps)
	ok "launch of all$1: the row is accepted" request '*' launch
	ok "db is made, and app waits for it" within 60 waits app db
	in_the_middle "$1"
	ok "the launch succeeds" within 240 ended succeeded
	ok "all run, and their services are up" within 30 each watched db $dependents
	ok "their domains were made in the order of their needs" rising "$(domids db $dependents)"
	ok "app runs only after db's service answered" in_order "$since" running db $dependents
	ok "they answer" each answers_at "$db" "$app" "$web" "$batch"
}
answers_at() { port "$1" answers; }

# A guest's shell may be too slow to be heard under load, so it is told until it has done so.
service_dies() {
	local try
	for try in 1 2 3 4 5; do
		guest_says $db 'killall httpd' >/dev/null
		! within 6 port $db dead >/dev/null || return 0
	done
	echo "told $try times, db's port 80 still answers"
	return 1
}

kill_service() { # WHEN
	local was
	was=$(domids $dependents) id=$(listed db 2) since=$(traps)
	ok "db's service dies in the guest$1" service_dies
	ok "lxServiceFailed names it" within 60 notified "$since" lxServiceFailed lxServiceProvider db
	ok "those that need it are paused" within 30 each is_paused $dependents
	ok "lxDependencyFailed says so" notified "$since" lxDependencyFailed
	in_the_middle "$1"
	ok "db is restarted: another domain" within 150 domid_is_not db "$id"
	ok "lxVmRestarted says so" within 30 notified "$since" lxVmRestarted lxVmName db
	ok "its service is up" within 120 watched db
	ok "the others are resumed" within 60 each watched $dependents
	ok "lxServiceRestored says so" within 15 notified "$since" lxServiceRestored lxServiceProvider db
	ok "and they are the domains they were" same domains "$(domids $dependents)" "$was"
	ok "they answer" within 30 each answers_at "$db" "$app" "$web" "$batch"
}

pause_provider() { # WHEN
	local was
	was=$(domids db $dependents) since=$(traps)
	ok "db is paused by hand$1" dom0 xl pause db
	ok "those that need it are paused" within 30 each is_paused $dependents
	ok "lxVmBlocked tells of each" within 15 notified "$since" lxVmBlocked lxVmName batch
	in_the_middle "$1"
	ok "db stays as the administrator left it" within 20 is_paused db
	ok "db goes on by hand" dom0 xl unpause db
	ok "the others are resumed" within 60 each watched db $dependents
	ok "lxVmUnblocked tells of each" within 15 notified "$since" lxVmUnblocked lxVmName batch
	ok "nothing was restarted" same domains "$(domids db $dependents)" "$was"
	ok "they answer" within 30 each answers_at "$db" "$app" "$web" "$batch"
}

shutdown_all() { # WHEN
	since=$(traps)
	ok "shutdown of all$1: the row is accepted" request '*' shutdown
	ok "batch, which nobody needs, goes first" within 60 is_off batch
	in_the_middle "$1"
	ok "the shutdown succeeds" within 240 ended succeeded
	ok "all are off" each is_off db $dependents
	ok "each after those that need it" in_order "$since" shutdown batch web app db
	ok "no domain is left" same domains "$(domids db $dependents)" ""
}

for vm in db $dependents; do
	ok "$vm is described" guest -u new $vm "${!vm}" 112
done
http='services = {"80/tcp"}'
with_agent < <(
	vm db $db "$http"
	vm app $app "$http" 'needs = {"db"}'
	vm web $web "$http" 'needs = {"app"}'
	vm batch $batch "$http" 'needs = {"web", "db"}'
)
declare -A index
for vm in db $dependents; do index[$vm]=$(index_of $vm) || bail "no row of $vm"; done
ok "nothing is started by itself" within 20 each is_off db $dependents
launch_all ''
kill_service ''
pause_provider ''
shutdown_all ''
launch_all ', to be cut off'
kill_service ', to be cut off'
pause_provider ', to be cut off'
shutdown_all ', to be cut off'
topic_done
