#!/bin/bash
# vmctl over four Dom0s whose VMs need each other: the graph of all hosts, launch and shutdown in its order,
# a circle over hosts, a VM on two hosts.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/fleet.sh
. tests/fleet.sh
fleet_enter "$@" || { skip "vmctl's order over four Dom0s" "no network namespace can be made here"; lx_done; }

lx_begin
fleet_net && fleet_shop || { not_ok "four Dom0s"; lx_done; }

names() { vmctl list "$1" -o name --no-header 2>/dev/null | tr '\n' ' '; }
all_running() { [ "$(names state:running)" = "db dns proxy shop storage www " ]; }
# The order in which VMs of the output ended: "dns on dom0-c: launched".
order() { sed -nE "s/^([a-z]+) on dom0-[a-d]: $1.*/\1/p" "$LX_DIR/said" | tr '\n' ' '; }
shown() { sed -nE 's/^([0-9]\. [a-z]+) on.*/\1/p' "$LX_DIR/said" | tr '\n' ' '; }

# ---- the graph ----
check_is "the tree goes over the hosts" "$(vmctl deps proxy | sed -E 's/  [a-z, ]*$//')" "proxy@dom0-a
    80/tcp of www@dom0-a
        8080/tcp of shop@dom0-d
            53/udp of dns@dom0-c
            5432/tcp of db@dom0-b
                2049/tcp of storage@dom0-c
                    53/udp of dns@dom0-c"
check_is "and the other way round" "$(vmctl deps storage --required-by | sed -E 's/  [a-z, ]*$//')" "storage@dom0-c
    db@dom0-b
        shop@dom0-d
            www@dom0-a
                proxy@dom0-a"
check_is "Graphviz takes it" "$(vmctl deps --dot | grep -c -- '->')" 6
vmctl deps --svg >"$LX_DIR/deps.svg"
check "the drawing is XML" python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' "$LX_DIR/deps.svg"
check_is "with every VM" "$(grep -oE '>(proxy|www|db|dns|storage|shop)(@[a-z0-9-]+)?<' "$LX_DIR/deps.svg" | sort -u | wc -l)" 6

# ---- launch ----
check "a launch that is only shown" said 0 vmctl launch proxy --dry-run
check_is "has what is needed, in its order" "$(shown)" \
	"1. dns 2. storage 3. db 4. shop 5. www 6. proxy "
check_is "and nothing was started" "$(names state:running)" ""
check "a launch of one starts what it needs" said 0 vmctl launch db
check_is "on the other host first" "$(order launched)" "dns storage db "
check "a launch of all" said 0 vmctl launch --all
check_is "goes from provider to dependent" "$(sed -E 's/(dns|storage|db) //g' <<<"$(order launched)")" "shop www proxy "
check "all run" all_running
check "once more is no failure" said 0 vmctl launch --all

# ---- shutdown ----
check "a shutdown of what is needed" said 0 vmctl shutdown www@dom0-a --dry-run
check "names who needs it" says 'proxy@dom0-a runs, and needs 80/tcp of www@dom0-a'
check "a shutdown of two" said 0 vmctl shutdown www proxy
check_is "dependents first" "$(order 'shut down')" "proxy www "
# What is off already is no reason to wait for it, nor to leave the rest out.
check "a shutdown with some that are off" said 0 vmctl shutdown --all --dry-run
check_is "shows the others" "$(shown)" "1. shop 2. db 3. storage 4. dns "
check_is "and does nothing yet" "$(names state:running)" "db dns shop storage "
check "then it is done" said 0 vmctl shutdown --all
check_is "in their order" "$(order 'shut down')" "shop db storage dns "
check_is "nothing runs" "$(names state:running)" ""

# A provider that does not start blocks those behind it, and they say so.
fleet_cut dom0-c
check "a launch without the provider's host fails" said 2 vmctl launch db --wait 10
check "and says which host" says 'dom0-c'
fleet_mend dom0-c

# ---- Ctrl-C between the hosts ----
"$LX_BUILD/vmctl" -f "$FLEET_CONF" launch --all >"$LX_DIR/left" 2>&1 </dev/null &
waiter=$!
lx_wait 10 grep -q 'dns on dom0-c: launched' "$LX_DIR/left"
kill -INT $waiter
wait $waiter
check_is "Ctrl-C ends the waiting" $? 130
check "it says that the rest was not asked for" grep -q 'later were not asked for' "$LX_DIR/left"
check "the same command once more does the rest" said 0 vmctl launch --all
check_wait 10 "all run again" all_running

# ---- checks ----
check "check of all: OK" said 0 vmctl check --all
vmctl pause db </dev/null >/dev/null
blocked() { [ "$(vmctl state proxy -o state --no-header)" = paused ]; }
check_wait 15 "what needs a paused VM, hosts away, is paused" blocked
check "check of the front: WARNING" said 1 vmctl check group:front
check "says of what" says 'shop on dom0-d is paused, health attention: it needs db:5432/tcp'
check "check of the service: CRITICAL" said 2 vmctl check service:db
vmctl unpause db </dev/null >/dev/null
check_wait 15 "and let go on" all_running

# add DOM0 SECTIONS: to its configuration, which it then reads anew.
add() {
	echo "$2" >>"$LX_DIR/$1/lauxen.conf"
	kill -HUP "${FLEET_LAUXEND[$1]}"
}

# ---- a provider that runs on another host than where it is looked for ----
FLEET_DIR=$LX_DIR/dom0-b
add dom0-b "$(fleet_vm www 127.2.0.8 front)"
www_twice() { vmctl locate www 2>&1 | grep -q 'www is on dom0-a (running) and on dom0-b (shutdown)'; }
check_wait 10 "a provider is on two hosts" www_twice
check "it moves over" said 0 vmctl shutdown proxy www@dom0-a
check "to the other one" said 0 vmctl start www@dom0-b
check "a launch does not start it a second time" said 2 vmctl launch proxy
check "but says where it is" says '^www on dom0-a: failed: it is on dom0-b as well'
check "and what that blocks" says '^proxy on dom0-a: blocked: www on dom0-a comes before it'
check_is "nothing was started" "$(names state:running,host:dom0-a)" ""
check "it is off there again" said 0 vmctl shutdown www@dom0-b
check "then it is launched where it is looked for" said 0 vmctl launch proxy
check_is "before what needs it" "$(order launched)" "www proxy "
sed -i '/^vm "www"/d' "$LX_DIR/dom0-b/lauxen.conf"
add dom0-b ''
www_once() { [ "$(vmctl locate www -o host --no-header 2>/dev/null)" = dom0-a ]; }
check_wait 10 "and on one host again" www_once

# ---- a circle, and a VM twice ----
sed -i -E 's/(vm "storage".*needs = \{)/\1"www:80\/tcp", /' "$LX_DIR/dom0-c/lauxen.conf"
add dom0-c 'external "www" { address = "127.1.0.2" services = {"80/tcp"} host = "dom0-a" }'
circle() { vmctl deps 2>&1 | grep -q 'in a circle'; }
check_wait 10 "a circle over hosts is found" circle
said 0 vmctl deps
check "and named, in order" says 'circle: www@dom0-a -> shop@dom0-d -> db@dom0-b -> storage@dom0-c -> www@dom0-a;'
check "a launch in a circle is refused" said 2 vmctl launch --all
check "which names it" says 'storage@dom0-c -> www@dom0-a'
check "what only leads to it can be shut down" said 0 vmctl shutdown proxy
check "and what is not in it be launched" said 0 vmctl launch dns

FLEET_DIR=$LX_DIR/dom0-b
add dom0-b "$(fleet_vm proxy 127.2.0.9 front)"
twice() { vmctl locate proxy 2>&1 | grep -q 'proxy is on dom0-a (shutdown) and on dom0-b (shutdown)'; }
check_wait 10 "a VM on two hosts is reported" twice
check "it is not guessed" said 2 vmctl start proxy
check "but asked for" says 'write proxy@HOST'
check "nor are both started" said 2 vmctl start 'prox*'
check_is "none was" "$(names state:running,proxy)" ""
check "one of them can be" said 0 vmctl start proxy@dom0-b
check "check of it: WARNING" said 1 vmctl check proxy
check "says where it is" says 'proxy is on dom0-a and on dom0-b'
check "both at a time" said 0 vmctl start proxy@dom0-a
check "check of it: CRITICAL" said 2 vmctl check proxy
check "one of them is off" said 0 vmctl shutdown proxy@dom0-b
check "what is asked of both under one id" said 1 vmctl reboot proxy@dom0-a proxy@dom0-b --id both
check "ends on each for itself" says '^proxy on dom0-a: rebooted'
check "as it did there" says '^proxy on dom0-b: failed: reboot is impossible in its state'
lx_done
