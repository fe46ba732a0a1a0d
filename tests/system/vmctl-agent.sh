#!/bin/bash
# vmctl and hosts whose snmpd answers while lauxend does not, or that do not answer at all: nothing is taken
# for gone that is not known to be, and the exit status says that it was not all.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/fleet.sh
. tests/fleet.sh
fleet_enter "$@" || { skip "vmctl without some agents" "no network namespace can be made here"; lx_done; }

lx_begin
fleet_net || { not_ok "a network of our own"; lx_done; }

for vm in www dns build; do FLEET_XL[$vm]="simxen_shutdown_ms = 3000"; done
fleet_dom0 alpha 1 www dns && fleet_dom0 gamma 3 www build || { not_ok "two Dom0s"; lx_done; }
fleet_conf
sed -i 's|timeout = "300ms"|timeout = "1s"|' "$FLEET_CONF" # what counts here is not how soon
agent_stop() { lx_stop "${FLEET_LAUXEND[$1]}"; }

# ---- snmpd answers, lauxend does not ----
check_wait 10 "all run" fleet_running 4
check "one of two is off" said 0 vmctl shutdown www@alpha
check "all is known" said 0 vmctl list -o name,state,stale
agent_stop gamma
check "a host without its agent is missing" said 1 vmctl list build -o name,state,stale --csv --no-header
check "its rows are the last known" says '^build,running,true$'
check "and it is said why" says 'gamma: its snmpd answers, and lauxend does not'
check "as in JSON" said 1 vmctl list --json
check "where it is silent" python3 -c 'import json, sys
sys.exit([host["host"] for host in json.load(open(sys.argv[1]))["silent"]] != ["gamma"])' \
	<(sed '/^vmctl:/d' "$LX_DIR/said")
check "hosts shows it as failed" grep -qE '^gamma,failed$' <<<"$(vmctl hosts -o host,status --csv --no-header 2>/dev/null)"
check "a check of its VM: unknown" said 3 vmctl check build
check "a check of it: critical" said 2 vmctl check hosts:gamma
check "for its agent" says 'lauxend does not'
check "what may run there is not started elsewhere" said 2 vmctl start www
check "but asked for" says 'www@HOST'
check "a shutdown of all is not all" said 1 vmctl shutdown --all --yes
check "it names what was left out" says '^build on gamma: failed'
check "its events are missing" said 1 vmctl events
check "a rebuild of it fails" said 2 vmctl rebuild gamma
"$LX_BUILD/vmctl" -f "$FLEET_CONF" discover "$FLEET_NET.0/29" >"$LX_DIR/found" 2>&1
check "the search for hosts knows it for one without an agent" \
	grep -q "$FLEET_NET.3 answers SNMP: its snmpd answers, and lauxend does not" "$LX_DIR/found"
fleet_lauxend gamma
check "with its agent all is there again" said 0 vmctl list

# ---- the agent is started anew while its VM shuts down ----
"$LX_BUILD/vmctl" -f "$FLEET_CONF" shutdown build >"$LX_DIR/waited" 2>&1 </dev/null &
waiter=$!
asked() { vmctl requests build --csv --no-header -o verb,state | grep -q '^shutdown,running'; }
lx_wait 20 asked
agent_stop gamma
fleet_lauxend gamma
wait $waiter
check_is "who waits for a request waits on for the agent" "$? $(tail -n 1 "$LX_DIR/waited")" "0 build on gamma: shut down"

# ---- ids ----
# ids TEXT WORD...: those of the requests that this would make.
ids() { vmctl "$@" --dry-run --json 2>/dev/null | sed -n 's/.*"id": "\([^"]*\)".*/\1/p' | tr '\n' ' '; }
# Which VMs are meant may be another thing when a host is back; what their ids are may not.
check_is "one VM by its name has the id as it is" "$(ids pause dns --id x)" "x "
check_is "on whatever host" "$(ids pause www@gamma --id x)" "x "
of_dns=$(ids pause dns build --id x | sed -n "s/^x-[0-9a-f]* \(x-[0-9a-f]*\) $/\1/p")
check "several have ids of their own" test -n "$of_dns"
check_is "which one alone has as well, where it is not named alone" "$(ids pause 'dn*' --id x)" "$of_dns "
check_is "or others may be added" "$(ids launch dns --id x)" "$of_dns "
check_is "memory goes by the name, not by the size" "$(ids memory build=300 --id x)" "x "

# ---- the way to a host goes while it is asked ----
check_wait 60 "dns runs" said 0 vmctl launch dns
check "what may have been accepted is looked for" \
	said 0 timeout 60 tests/system/vmctl_cut.py "$LX_BUILD/vmctl" "$FLEET_CONF" "${FLEET_SNMPD[alpha]}" destroy dns@alpha
check "it had been sent before" says 'nothing can be sent to it'
check "and how it ended is told" says 'dns on alpha: .*destroyed'

# ---- hosts that do not answer, and of which nothing is known ----
sed -i 's|cache-dir = "[^"]*"|cache-dir = ""|' "$FLEET_CONF"
check_wait 60 "launched again" said 0 vmctl launch dns build
fleet_cut gamma
check "a plain name that is found is all" said 0 vmctl pause dns
check "of a group, the missing host may have more" said 1 vmctl unpause 'd*'
check "unless it is on none of them" said 0 vmctl pause host:alpha,state:running
check "nor is it on this one" said 0 vmctl unpause host:alpha,state:paused
check "of all as well, also where it is only shown" said 1 vmctl shutdown --all --dry-run
check "of memory as well" said 1 vmctl memory 'd*=300'
check "memory of one by its name" said 0 vmctl memory dns=310
fleet_cut alpha
check "a shutdown of all without any host is nothing" said 2 vmctl shutdown --all --yes
check "which is said" says 'nothing was done'
check "nor is what is only shown" said 2 vmctl shutdown --all --dry-run
fleet_mend alpha
fleet_mend gamma
check "they are back" said 0 vmctl list

# ---- Ctrl-C, with a limit as well ----
"$LX_BUILD/vmctl" -f "$FLEET_CONF" shutdown build --wait 60 >"$LX_DIR/left" 2>&1 </dev/null &
waiter=$!
lx_wait 20 asked
kill -INT $waiter
wait $waiter
check_is "Ctrl-C ends the waiting" $? 130
check "when the time is over, it is not" said 2 vmctl shutdown dns --wait 1
lx_done
