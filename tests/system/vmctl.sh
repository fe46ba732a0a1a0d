#!/bin/bash
# vmctl over four Dom0s with real snmpds, SNMPv3: what it shows and does; a host that is cut off, slow,
# flapping, of a wrong password, of an older agent, with another SNMP engine; clocks that jump.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/fleet.sh
. tests/fleet.sh
fleet_enter "$@" || { skip "vmctl over four Dom0s" "no network namespace can be made here"; lx_done; }

lx_begin
fleet_net || { not_ok "a network of our own"; lx_done; }

FLEET_XL=(
	[db]="simxen_shutdown_ms = 3000"
	[www]='vif = [ "mac=00:16:3e:77:00:01,bridge=xenbr0" ]
disk = [ "file:/srv/www.img,xvda,w", "file:/srv/www-data.img,xvdb,r" ]'
)
fleet_dom0 alpha 1 www dns && fleet_dom0 beta 2 db mail && fleet_dom0 gamma 3 build backup && fleet_dom0 delta 4 proxy ||
	{ not_ok "four Dom0s"; lx_done; }
fleet_conf

state() { vmctl state "$1" -o state --no-header 2>/dev/null; }
state_is() { [ "$(state "$1")" = "$2" ]; }
# ends_before TEXT S ARGUMENT...: within S seconds, which one more timeout of those in the arguments
# would be over.
ends_before() {
	timeout "$2" "$LX_BUILD/vmctl" -f "$FLEET_CONF" "${@:3}" >/dev/null 2>&1
	check_is "$1" "$(($? == 124))" 0
}

# ---- what there is ----
check_wait 10 "all VMs of all hosts" fleet_running 7
check_is "the hosts" "$(vmctl hosts -o host,status,vms --no-header | tr -s ' ' | tr '\n' ';')" \
	"alpha answers 2;beta answers 2;delta answers 1;gamma answers 2;"
check_is "a VM is found without its host" "$(vmctl locate mail -o host --no-header)" beta
check_is "a host's VMs" "$(vmctl locate host:gamma -o name --no-header | tr '\n' ' ')" "backup build "
check_is "a glob" "$(vmctl list 'b*' --csv -o name,group)" "name,group
backup,g-gamma
build,g-gamma"
check_is "show has every column" \
	"$(vmctl show www --csv -o all --no-header | tr ',' '\n' | wc -l)" \
	"$(vmctl show www --csv -o all | head -n 1 | tr ',' '\n' | wc -l)"
check_is "show has its network interfaces and disks in JSON" \
	"$(vmctl show www --json -o name | python3 -c 'import json, sys
for vm in json.load(sys.stdin)["vms"]: print(vm["name"], [net["bridge"] for net in vm["nets"]], [disk["name"] for disk in vm["disks"]])')" \
	"www ['xenbr0'] ['xvda', 'xvdb']"
check_is "a VM's network interfaces" "$(vmctl nets www --csv --no-header -o vmName,host,mac,bridge)" \
	www,alpha,00:16:3e:77:00:01,xenbr0
check "with their figures" grep -qE '^[0-9]+,[0-9]+,[0-9]+$' <<<"$(vmctl nets www --csv --no-header -o inOctets,outOctets,inErrors)"
check_is "its disks" "$(vmctl disks group:g-alpha --csv --no-header -o vmName,name | tr '\n' ' ')" "www,xvda www,xvdb "
check "what hosts have free" grep -qE '^beta,/,[0-9]+,[0-9]+$' <<<"$(vmctl storage beta --csv --no-header -o host,path,size,free)"
check_is "the plan of some" "$(vmctl plan group:g-beta -o name --no-header | tr '\n' ' ')" "db mail "
status_is "a plan of a VM that is nowhere" 2 vmctl plan nix
status_is "a service that is nowhere" 2 vmctl services nix
status_is "a request that is nowhere" 2 vmctl requests nix
status_is "a VM that is nowhere" 2 vmctl show nix
status_is "an unknown command" 3 vmctl frob
status_is "an unknown option" 3 vmctl list --frob
status_is "an option of another command" 3 vmctl list --dot
status_is "a table of what is none" 3 vmctl deps --csv
status_is "an unknown column" 3 vmctl list -o name,frob
check "the JSON of each command fits its schema" tests/system/vmctl_schema.py "$LX_BUILD/vmctl" "$FLEET_CONF"
commands=$(vmctl completion commands)
for command in $commands; do
	vmctl "$command" --help | grep -q '^Examples:' || not_ok "examples in the help of $command"
	vmctl "$command" --help | grep -qE '^  -f, --file FILE +[a-z]' || not_ok "options in the help of $command"
done
check_is "each command has help and examples" "$(wc -w <<<"$commands")" 30
check "completion is a script" bash -n <(vmctl completion bash)
check "completion knows VMs" sh -c "'$LX_BUILD/vmctl' -f '$FLEET_CONF' completion names | grep -qx www"

# ---- what is done ----
status_is "pause of VMs on several hosts" 0 vmctl pause www db build
check_is "they are paused" "$(vmctl list state:paused -o name --no-header | tr '\n' ' ')" "build db www "
status_is "once more is no failure" 0 vmctl pause www
status_is "unpause by their state" 0 vmctl unpause state:paused
check_is "they run" "$(vmctl list state:paused --no-header)" ""
status_is "memory, each its own" 0 vmctl memory www=300 db=320M
memory() { vmctl list "$1" --csv --no-header -o memory; }
given() { [ "$(memory www) $(memory db)" = "300 320" ]; }
check_wait 10 "it was given" given
status_is "memory over the most: some" 1 vmctl memory www=310 db=100G
status_is "memory of nothing that is up: none" 2 vmctl memory db=100G
status_is "no size is a usage error" 3 vmctl memory www
status_is "memory of a VM that is nowhere" 2 vmctl memory nix=300
status_is "dry run" 0 vmctl shutdown --all --dry-run
check_is "it did nothing" "$(vmctl list state:running --no-header | wc -l)" 7
status_is "one name among many is wrong: nothing is done" 2 vmctl pause www nix
check_is "and nothing was" "$(state www)" running
first=$(vmctl pause proxy --id test-1 --json </dev/null | sed -n 's/.*"outcome": "\([a-z]*\)".*/\1/p')
vmctl unpause proxy </dev/null >/dev/null 2>&1
accepted() { vmctl requests --csv -o id --no-header | grep -c '^test-1$'; }
check_is "a request under an id of one's own" "$first $(accepted)" "done 1"
vmctl pause proxy --id test-1 </dev/null >/dev/null 2>&1
check_is "the same id once more is the same request" "$(accepted) $(state proxy)" "1 running"
status_is "another one under that id is refused" 2 vmctl reboot proxy --id test-1
id=$(vmctl shutdown backup --no-wait | sed 's/.*accepted: //')
check "without waiting it tells the id" grep -q '^vmctl-' <<<"$id"
check_wait 10 "and it is done" state_is backup shutdown
check_is "and readable" "$(vmctl requests "$id" --csv --no-header -o vm,verb,state)" backup,shutdown,succeeded
status_is "what is over is not taken back" 2 vmctl cancel "$id"
check "which JSON says as well" grep -q '"outcome": "failed"' <<<"$(vmctl cancel "$id" --json 2>/dev/null)"
status_is "start" 0 vmctl start backup
status_is "save" 0 vmctl save mail
check_is "saved" "$(state mail)" suspended
status_is "restore" 0 vmctl restore mail
check_is "restored" "$(state mail)" running
status_is "reboot" 0 vmctl reboot dns
status_is "destroy" 0 vmctl destroy dns
check_is "destroyed" "$(state dns)" shutdown
status_is "start again" 0 vmctl start dns

# Ctrl-C stops waiting, not the work.
"$LX_BUILD/vmctl" -f "$FLEET_CONF" shutdown db >"$LX_DIR/left" 2>&1 </dev/null &
waiter=$!
asked() { vmctl requests db --csv --no-header -o verb,state | grep -qE '^shutdown,(queued|running|succeeded)'; }
lx_wait 5 asked
kill -INT $waiter
wait $waiter
rc=$?
check_is "Ctrl-C ends the waiting" $rc 130
check "it says how to follow" grep -q 'vmctl requests vmctl-' "$LX_DIR/left"
check_wait 60 "the work went on" state_is db shutdown
vmctl start db </dev/null >/dev/null 2>&1

# ---- events ----
vmctl events --state-file "$LX_DIR/places" --csv -o host,sequence,type >"$LX_DIR/events1"
check "events of all hosts" test "$(cut -d, -f1 "$LX_DIR/events1" | sort -u | wc -l)" = 5
vmctl pause build </dev/null >/dev/null
lx_stop "${FLEET_LAUXEND[gamma]}"
fleet_lauxend gamma
vmctl unpause build </dev/null >/dev/null
vmctl events --state-file "$LX_DIR/places" --csv --no-header -o host,sequence >"$LX_DIR/events2"
cat "$LX_DIR/events1" "$LX_DIR/events2" | sed -n 's/^gamma,\([0-9]*\).*/\1/p' >"$LX_DIR/numbers"
check_is "none is missed or said twice over a restart of the agent" \
	"$(sort -n "$LX_DIR/numbers" | tr '\n' ' ')" "$(seq -s ' ' "$(sort -n "$LX_DIR/numbers" | head -n 1)" "$(sort -n "$LX_DIR/numbers" | tail -n 1)") "
"$LX_BUILD/vmctl" -f "$FLEET_CONF" events --follow --json -o host,vmName,type >"$LX_DIR/follow" 2>"$LX_DIR/follow.err" </dev/null &
follower=$!
LX_PIDS+=("$follower")
told_of_www() { grep -c '"alpha", "vmName": "www", "type": "vmStateChanged"' "$LX_DIR/follow"; }
told_again() { [ "$(told_of_www)" -gt "$told" ]; }
lx_wait 10 test -s "$LX_DIR/follow" # the last events of all hosts, together
told=$(told_of_www)
vmctl pause www </dev/null >/dev/null
check_wait 10 "--follow goes on, a line of JSON for each" told_again

# Another engine id, and a restart of snmpd (its boots), seen by a session that is open.
lx_stop "${FLEET_SNMPD[alpha]}"
fleet_snmpd alpha
lx_wait 10 fleet_up alpha
vmctl unpause www </dev/null >/dev/null
finished() { tail -n 4 "$LX_DIR/follow" | grep -q 'www.*requestFinished'; }
check_wait 15 "an snmpd that was started anew is followed" finished
lx_stop "${FLEET_SNMPD[alpha]}"
rm -rf "$LX_DIR/alpha/snmp"
fleet_snmpd alpha
lx_wait 10 fleet_up alpha
before=$(wc -l <"$LX_DIR/follow")
vmctl pause www </dev/null >/dev/null
more() { [ "$(wc -l <"$LX_DIR/follow")" -gt "$before" ]; }
check_wait 20 "and one with another engine" more
vmctl unpause www </dev/null >/dev/null

# The journal is lost with the store.
lx_stop "${FLEET_LAUXEND[delta]}"
rm -rf "$LX_DIR/delta/state"
fleet_lauxend delta
check_wait 15 "a journal that is another one is said" grep -q 'delta: its journal is another one' "$LX_DIR/follow.err"
lx_stop $follower

# ---- top, on a terminal ----
top_keys() { tmux -S "$LX_DIR/tmux" send-keys -t 0 "$@"; }
# The screen without the line of sums, which moves.
screen() { tmux -S "$LX_DIR/tmux" capture-pane -p -t 0 | sed '3d' | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'; }
shows() { screen | grep -qE "$1"; }
tmux -S "$LX_DIR/tmux" -f /dev/null new-session -d -x 80 -y 24 \
	"exec $LX_BUILD/vmctl -f $FLEET_CONF top -o name,host,state,group --interval 0.3"
lx_wait 10 shows '^www'
check_is "top: the screen" "$(screen)" "vmctl top   7 VMs on 4 hosts   sorted by name

n name  c cpu  m memory  u used  s state  h host   r reverse  / filter  q quit
NAME    HOST   STATE    GROUP
backup  gamma  running  g-gamma
build   gamma  running  g-gamma
db      beta   running  g-beta
dns     alpha  running  g-alpha
mail    beta   running  g-beta
proxy   delta  running  g-delta
www     alpha  running  g-alpha"
top_keys h
shows_first() { [ "$(screen | sed -n 5p | cut -d' ' -f1)" = "$1" ]; }
check_wait 5 "top: sorted by host" shows_first dns
top_keys r
check_wait 5 "top: and reversed" shows_first build
top_keys r n / b e t a Enter
check_wait 5 "top: filtered" shows '^vmctl top   2 VMs on 4 hosts.*filter: beta$'
top_keys / Escape
vmctl pause dns </dev/null >/dev/null
check_wait 5 "top: it follows" shows '^dns +alpha +paused'
fleet_cut beta
check_wait 10 "top: a host that does not answer is marked" shows '^1 silent: beta \(last heard'
check "top: its VMs stay" shows '^mail +beta +running'
fleet_mend beta
shows_none() { ! shows "$1"; }
check_wait 10 "top: until it does" shows_none silent
tmux -S "$LX_DIR/tmux" resize-window -t 0 -x 40 -y 10
check_wait 5 "top: on a smaller screen" shows '^backup'
top_keys q
top_gone() { ! tmux -S "$LX_DIR/tmux" has-session 2>/dev/null; }
check_wait 5 "top: q ends it" top_gone
tmux -S "$LX_DIR/tmux" kill-server 2>/dev/null
vmctl unpause dns </dev/null >/dev/null
status_is "top needs a terminal" 3 vmctl top

# ---- hosts that do not answer ----
vmctl list >/dev/null
vmctl pause build </dev/null >/dev/null
touch "$LX_DIR/marker"
# Rows on disk are renewed when they are of some age.
kept() { vmctl list "$@" >/dev/null && [ "$LX_DIR/cache/gamma.vm" -nt "$LX_DIR/marker" ]; }
lx_wait 10 kept build -o name,state
fleet_cut gamma
check_is "a state that was seen last is the one that is known, if other fields were older" \
	"$(vmctl state build -o state --no-header 2>/dev/null)" paused
fleet_mend gamma
vmctl unpause build </dev/null >/dev/null
touch "$LX_DIR/marker"
lx_wait 10 kept
fleet_cut gamma
ends_before "a host that is cut off costs its timeout once" 10 list --timeout 6s --retries 0
output=$(vmctl list build -o name,state,stale,age --csv --no-header 2>"$LX_DIR/err")
check "its last rows are shown, as stale, with their age" grep -qE '^build,running,true,[0-9]+$' <<<"$output"
check "and it is said" grep -q 'gamma: no answer to 3 tries of 300 ms.*last known' "$LX_DIR/err"
status_is "some hosts answer" 1 vmctl list
status_is "an action on such a host fails, others are done" 1 vmctl pause www build
check_is "the other was" "$(state www)" paused
vmctl unpause www </dev/null >/dev/null
status_is "a name that is nowhere may be there" 2 vmctl pause nix
check "which is said" sh -c "'$LX_BUILD/vmctl' -f '$FLEET_CONF' pause nix 2>&1 | grep -q 'may be on another'"
status_is "check of its VM: unknown" 3 vmctl check build
status_is "check of the host: critical" 2 vmctl check hosts:gamma
# The clock since boot is another one after a boot; ages are by the wall clock then.
if unshare -T --boottime 500000 true 2>/dev/null; then
	age=$(unshare -T --boottime 500000 "$LX_BUILD/vmctl" -f "$FLEET_CONF" list build -o age --csv --no-header 2>/dev/null)
	check "ages survive a boot" test "${age:-9999}" -lt 120
else
	skip "ages survive a boot" "no time namespace can be made here"
fi
fleet_mend gamma
status_is "it is back at once" 0 vmctl list
( for _ in 1 2 3 4 5 6; do fleet_cut gamma; sleep 0.15; fleet_mend gamma; sleep 0.15; done ) &
flapper=$!
status_is "a host that flaps is reached by another try" 0 vmctl list --timeout 200ms --retries 10
wait $flapper

cat >>"$FLEET_CONF" <<END
profile "wrong" { user = "noc" auth-password = "nocpasswordx" }
profile "nobody" { user = "nobody" auth-password = "nobodypassword" }
profile "reader" { user = "noc" auth-protocol = SHA auth-password = "nocpassword" }
profile "wrongcommunity" { version = "2c" community = "nix" }
host "wrong" { address = "$FLEET_NET.1" profile = "wrong" }
host "nobody" { address = "$FLEET_NET.2" profile = "nobody" }
host "reader" { address = "$FLEET_NET.3" profile = "reader" }
host "quiet" { address = "$FLEET_NET.4" profile = "wrongcommunity" }
host "noname" { address = "noname.invalid" profile = "reader" }
END
error() { vmctl hosts "$1" -o error --csv --no-header 2>/dev/null; }
check "a wrong password is said" grep -q 'password, or its protocol, is wrong' <<<"$(error wrong)"
check "an unknown user is said" grep -q 'it knows no such user' <<<"$(error nobody)"
check "a wrong community may be the reason of silence" grep -q 'community' <<<"$(error quiet)"
check "a name without an address" grep -q 'no address for noname.invalid' <<<"$(error noname)"
ends_before "they cost no timeout" 20 hosts wrong nobody --timeout 30s
check "who may only read is told so" sh -c \
	"'$LX_BUILD/vmctl' -f '$FLEET_CONF' -H reader pause build 2>&1 | grep -q 'does not let us ask'"
fleet_conf

# An agent of an older version, that knows some columns only; and one that is slow.
fleet_host old 20 && fleet_host slow 21 || not_ok "two more hosts"
nsenter -t "${FLEET_NS[old]}" -n -- "$LX_BUILD/tests/bench/fleet" -n 1 -m 3 -d 0 -c 2,5 -v 0.0.1 -1 "$FLEET_NET.20" 10.77 161 >"$LX_DIR/old.out" 2>&1 &
LX_PIDS+=($!)
nsenter -t "${FLEET_NS[slow]}" -n -- "$LX_BUILD/tests/bench/fleet" -n 1 -m 3 -d 250 -c 2,5 -1 "$FLEET_NET.21" 10.77 161 >"$LX_DIR/slow.out" 2>&1 &
LX_PIDS+=($!)
lx_wait 10 grep -q ready "$LX_DIR/old.out"
lx_wait 10 grep -q ready "$LX_DIR/slow.out"
cat >"$LX_DIR/more.conf" <<END
timeout = "400ms" cache-dir = "$LX_DIR/cache"
profile "f" { user = "fleet" auth-password = "fleetpassword" }
host "old" { address = "$FLEET_NET.20" profile = "f" }
host "slow" { address = "$FLEET_NET.21" profile = "f" }
END
chmod 600 "$LX_DIR/more.conf"
check_is "what an older agent does not know is unknown" \
	"$("$LX_BUILD/vmctl" -f "$LX_DIR/more.conf" list host:old -o name,state,memory --no-header 2>&1 | head -n 1 | tr -s ' ')" \
	"h0001-vm001 running ?"
check_is "its version is shown" "$("$LX_BUILD/vmctl" -f "$LX_DIR/more.conf" hosts old -o agent.version --no-header)" 0.0.1
check_is "a host that is slow is waited for" \
	"$("$LX_BUILD/vmctl" -f "$LX_DIR/more.conf" list host:slow -o state --no-header | sort -u)" running

# ---- the search for hosts ----
vmctl discover "$FLEET_NET.0/28" >"$LX_DIR/found" 2>&1
check_is "discover finds the hosts of a range, and knows them" "$(grep -c 'is known as' "$LX_DIR/found")" 4
grep -v '^host' "$FLEET_CONF" | sed 's/"v3"/"default"/' >"$LX_DIR/none.conf"
chmod 600 "$LX_DIR/none.conf"
"$LX_BUILD/vmctl" -f "$LX_DIR/none.conf" discover --broadcast "$FLEET_NET.255" >"$LX_DIR/found" 2>&1
check_is "discover by broadcast gives lines for vmctl.conf" \
	"$(sed -n 's/^host "\([a-z]*\)".*/\1/p' "$LX_DIR/found" | sort | tr '\n' ' ')" "alpha beta delta gamma "
{ cat "$LX_DIR/none.conf" "$LX_DIR/found"; } >"$LX_DIR/both.conf"
chmod 600 "$LX_DIR/both.conf"
check_is "which it then takes" "$("$LX_BUILD/vmctl" -f "$LX_DIR/both.conf" list state:running --no-header | wc -l)" 7

# A name server of our own, for whom resolv.conf names it.
if command -v dnsmasq >/dev/null && unshare -m true 2>/dev/null; then
	dnsmasq -k -C /dev/null --no-resolv --no-hosts --listen-address=127.0.0.1 --bind-interfaces --pid-file= --user="$(id -un)" \
		--srv-host=_snmp._udp.fleet.test,a.fleet.test,161 --host-record=a.fleet.test,"$FLEET_NET.1" \
		--srv-host=_snmp._udp.fleet.test,b.fleet.test,161 --host-record=b.fleet.test,"$FLEET_NET.2" </dev/null >"$LX_DIR/dnsmasq.log" 2>&1 &
	LX_PIDS+=($!)
	lx_wait 10 grep -q ' 0100007F:0035 ' /proc/net/udp
	echo 'nameserver 127.0.0.1' >"$LX_DIR/resolv.conf"
	with_dns() { unshare -m sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$LX_DIR/resolv.conf" "$@"; }
	with_dns "$LX_BUILD/vmctl" -f "$LX_DIR/none.conf" discover --srv fleet.test >"$LX_DIR/found" 2>&1
	check_is "discover by the DNS gives them by their names there" \
		"$(sed -nE 's/^(host "[a-z]*" \{ address = "[a-z.]*").*/\1/p' "$LX_DIR/found" | sort | tr '\n' ';')" \
		'host "alpha" { address = "a.fleet.test";host "beta" { address = "b.fleet.test";'
	status_is "and says where there are none" 2 with_dns "$LX_BUILD/vmctl" -f "$LX_DIR/none.conf" discover --srv nix.test
else
	skip "discover by the DNS" "there is no dnsmasq, or no mount namespace can be made"
fi

# ---- checks as a monitoring plugin ----
status_is "check: OK" 0 vmctl check www
check "one line with figures" grep -qE '^VM OK - www on alpha is running.* \| cpu=[0-9.]+%;;;0 memory=' <<<"$(vmctl check www)"
fleet_sim beta crash mail >/dev/null
status_is "check of a group" 0 vmctl check group:g-alpha
check "check of everything counts" grep -qE '\| all=[0-9]+ ok=[0-9]+ ' <<<"$(vmctl check --all)"
status_is "a limit that is passed" 1 vmctl check www --warning memory=1
status_is "a critical one" 2 vmctl check www --warning memory=1 --critical memory=2
status_is "a VM that is gone: critical" 2 vmctl check nix
status_is "no words: unknown" 3 vmctl check
lx_done
