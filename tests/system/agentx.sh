#!/bin/bash
# The agentx process between a real snmpd and an engine that is played (fake_engine.c): reading, SET
# with every error, notifications, and what happens when snmpd, the engine or agentx itself goes away.
cd "$(dirname "$0")/../.." || exit 2
. tests/lib.sh

fake_start() {
	mkfifo "$LX_DIR/commands"
	"$LX_BUILD/tests/system/fake_engine" "$LX_DIR/lauxen.conf" <"$LX_DIR/commands" \
		>"$LX_DIR/said" 2>>"$LX_DIR/lauxend.log" &
	FAKE=$!
	LX_PIDS+=("$FAKE")
	exec 9>"$LX_DIR/commands"
}

# fake COMMAND...: gives a command and waits until it was carried out.
fake() {
	local before
	before=$(grep -c "^done $1" "$LX_DIR/said")
	echo "$*" >&9
	lx_wait 10 fake_did "$1" "$before"
}
fake_did() { [ "$(grep -c "^done $1" "$LX_DIR/said")" -gt "$2" ]; }
said() { grep -qE "$1" "$LX_DIR/said"; }
# What was said since the last `mark`.
mark() { MARK=$(wc -l <"$LX_DIR/said"); }
since() { tail -n +"$((MARK + 1))" "$LX_DIR/said"; }
since_is() { [ "$(since | grep -E '^(hold|release|drop)' | cut -d' ' -f1,3- | sed 's/ $//')" = "$1" ]; }

# The engine was told the end of every hold.
settled() { [ "$(grep -c '^hold' "$LX_DIR/said")" -le "$(grep -cE '^(release|drop)' "$LX_DIR/said")" ]; }

# set_fails TEXT REASON OBJECT VARBIND...: refused with this error on this object.
set_fails() {
	local text=$1 reason=$2 object=$3 output
	shift 3
	lx_wait 2 settled
	mark
	output=$(snmpset -v2c -c private -r0 -t5 -On "$LX_AGENT" "$@" 2>&1)
	if grep -q "^Reason: $reason" <<<"$output" && grep -qF "Failed object: .$object" <<<"$output" &&
		! grep -F "Failed object: .$object." <<<"$output" && ! since | grep -q release; then
		ok "$text"
	else
		not_ok "$text" "$output $(since)"
	fi
}
octets() { printf '%s' "$1" | od -An -v -tu1 | tr -s ' \n' '.' | sed 's/\.$//'; } # .97.98
# The events' numbers in the order in which snmptrapd got them.
traps() { grep -aoE 'event-[0-9]+' "$LX_TRAPS" | cut -d- -f2; }
traps_are() { [ "$(traps | tr '\n' ' ')" = "$(seq -s ' ' "$1" "$2") " ]; }
all_traps() { [ "$(traps | sort -n | uniq | tr '\n' ' ')" = "$(seq -s ' ' "$1" "$2") " ]; }
traps_over() { [ "$(traps | wc -l)" -gt "$1" ]; }
handed_last() { [ "$(grep -c "^handed $1$" "$LX_DIR/said")" -ge 1 ]; }
# snmpget succeeds also where snmpd alone answers that there is no such object.
answers() { [ "$(lx_get $LX_VM_NAME.1)" = '"vm1"' ]; }

lx_begin
LX_SIM=$LX_DIR/none
LX_AGENT_CONF='notify-rate = 200'
lx_config
cat >"$LX_DIR/refuse" <<'END'
#!/bin/sh
# A subtree whose every SET fails when it is carried out.
case $1 in
-s) echo wrong-value ;;
*) printf '%s\ninteger\n1\n' "$2" ;;
esac
END
chmod +x "$LX_DIR/refuse"
PASS=1.3.6.1.4.1.8072.9999.9999.2009
TCP=$(lx_port)
LX_SNMPD_CONF="pass .$PASS $LX_DIR/refuse
agentXSocket unix:$LX_DIR/agentx,tcp:127.0.0.1:$TCP"
lx_trapd

# ---- without snmpd ----
fake_start
fake vms 9
fake rows
check_wait 5 "without snmpd it says so" grep -q 'cannot be reached: No such file' "$LX_DIR/lauxend.log"
sleep 1
check_is "and says it once" "$(grep -c 'cannot be reached' "$LX_DIR/lauxend.log")" 1
lx_snmpd
check_wait 3 "it serves as soon as snmpd is there" answers

# ---- reading ----
R=$LX_ROOT
check_is "GET of a text" "$(lx_get $LX_VM_NAME.3)" '"vm3"'
check_is "GET of several types" "$(lx_get $LX_VM.5.3 $LX_VM.13.3 $LX_VM.15.3 $LX_VM.8.3 | tr '\n' ' ')" '4 3000000 512 1 '
check_is "GET of a missing value" "$(lx_get $LX_VM.18.2)" 'No Such Instance currently exists at this OID'
check_is "GET of a missing row" "$(lx_get $LX_VM.2.10)" 'No Such Instance currently exists at this OID'
check_is "GET of no column" "$(lx_get $LX_VM.99.1)" 'No Such Object available on this agent at this OID'
check_is "GET of an index" "$(lx_get $LX_VM.1.1)" 'No Such Object available on this agent at this OID'
check_is "GETNEXT skips a missing value" \
	"$(snmpgetnext -v2c -c public -On "$LX_AGENT" $LX_VM.18.1)" ".$LX_VM.18.3 = Gauge32: 300"
check_is "GETNEXT from before the first row" \
	"$(snmpgetnext -v2c -c public -On "$LX_AGENT" $LX_VM.2)" ".$LX_VM.2.1 = STRING: \"vm1\""
check_is "GETNEXT past the end of a subtree goes on in snmpd" \
	"$(snmpgetnext -v2c -c public -On "$LX_AGENT" 1.3.6.1.2.1.236.1.4.1.17.9 | cut -d. -f1-7)" .1.3.6.1.4.1
check_is "GETNEXT past all goes on behind" \
	"$(snmpgetnext -v2c -c public -On "$LX_AGENT" $R.9 | cut -d' ' -f1)" ".$PASS"
# lxAgent 20, lxHost 19, lxVmTable 28 columns less one value, control 3, policy 5
check_is "a walk finds every instance" "$(lx_walk $R | wc -l)" $((20 + 19 + 9 * 28 - 1 + 9 * 3 + 9 * 5))
# but for column 19, which is an age
check_is "GETBULK and GETNEXT agree" \
	"$(snmpwalk -v2c -c public -On -Cc "$LX_AGENT" $LX_VM | grep -vF $LX_VM.19. | sha1sum)" \
	"$(lx_walk $LX_VM | grep -vF $LX_VM.19. | sha1sum)"
check_is "a walk ascends" "$(lx_walk $R | wc -l)" "$(lx_walk $R | cut -d' ' -f1 | sort -u | wc -l)"
check_is "VM-MIB: scalars and vmTable" "$(lx_walk 1.3.6.1.2.1.236 | wc -l)" $((6 + 9 * 16))
check_is "VM-MIB: UUID in 16 octets" "$(lx_get 1.3.6.1.2.1.236.1.4.1.3.1 | tr -d '" ')" 22222222222222222222222222220001
check "sysORTable has both MIBs" sh -c "snmpwalk -v2c -c public $LX_AGENT 1.3.6.1.2.1.1.9.1.3 | grep -c -e LAUXEN-MIB -e VM-MIB | grep -qx 2"
check_is "SNMPv1 skips Counter64" "$(snmpgetnext -v1 -c public -On "$LX_AGENT" $LX_VM.12.9)" ".$LX_VM.14.1 = Gauge32: 1234"

# ---- SET by hand ----
C=$LX_CONTROL
mark
check "SET of a request" lx_set $C.1.1 i 5
check_wait 2 "is held, then released" since_is "hold id= verb=pause vm=1 number=0 text=
release"
check_is "GET after the SET sees it" "$(lx_get $C.1.1)" 5
check_is "and so does its row" "$(lx_walk $LX_REQUEST.3 | wc -l)" 1
mark
check "SET of memory" lx_set $C.2.2 u 256
check_wait 2 "is a request, too" since_is "hold id= verb=memory vm=2 number=256 text=
release"
mark
check "SET of several VMs at once" lx_set $C.1.3 i 3 $C.1.4 i 4 $C.2.5 u 300
check_wait 2 "is held whole, then released whole" since_is "hold id= verb=shutdown vm=3 number=0 text=
hold id= verb=reboot vm=4 number=0 text=
hold id= verb=memory vm=5 number=300 text=
release
release
release"
fake vm 1 8
mark
check "a repeat joins, though the VM is paused now" lx_set $C.1.1 i 5

N="none" # a request that is only read
set_fails "$N is refused" wrongValue $C.1.1 $C.1.1 i 1
set_fails "memory by lxVmRequest is refused" wrongValue $C.1.1 $C.1.1 i 10
set_fails "a verb that is none" wrongValue $C.1.1 $C.1.1 i 77
set_fails "a negative verb" wrongValue $C.1.1 $C.1.1 i -1
set_fails "a text for a verb" wrongType $C.1.1 $C.1.1 s pause
set_fails "an INTEGER for memory" wrongType $C.2.1 $C.2.1 i 256
set_fails "memory below the floor" wrongValue $C.2.6 $C.2.6 u 31
set_fails "memory over the VM's most" inconsistentValue $C.2.6 $C.2.6 u 1025
set_fails "an unknown VM" noCreation $C.1.99 $C.1.99 i 5
set_fails "an index too long" noCreation $C.1.1.1 $C.1.1.1 i 5
set_fails "impossible in this state" inconsistentValue $C.1.6 $C.1.6 i 6
set_fails "a read-only object" notWritable $LX_VM_NAME.1 $LX_VM_NAME.1 s x
set_fails "an object of VM-MIB" notWritable 1.3.6.1.2.1.236.1.4.1.2.1 1.3.6.1.2.1.236.1.4.1.2.1 s x
set_fails "no object" notWritable $C.9.1 $C.9.1 i 1
set_fails "a scalar" notWritable $R.1.2.1.0 $R.1.2.1.0 s x
set_fails "the second of three is blamed" wrongValue $C.1.7 $C.1.6 i 5 $C.1.7 i 1 $C.1.8 i 5
set_fails "the third of three is blamed" inconsistentValue $C.1.8 $C.1.6 i 5 $C.1.7 i 5 $C.1.8 i 2
set_fails "twice the same in one PDU" inconsistentValue $C.1.6 $C.1.6 i 5 $C.1.6 i 4
check_is "nothing of these was held" "$(since | grep -c hold)" 0
fake vm 7 11
check "start of a VM that is shut down" lx_set $C.1.7 i 2
fake vm 8 6
set_fails "unpause of a suspended VM" inconsistentValue $C.1.8 $C.1.8 i 6
check "start of a suspended VM, whose saved state may be gone" lx_set $C.1.8 i 2
check "restore of a suspended VM" lx_set $C.1.8 i 9
fake vm 9 1
check "any verb where the state is unknown" lx_set $C.1.9 i 6

# ---- SET by program ----
Q=$LX_REQUEST
A=$(octets job-1)
mark
check "createAndGo" lx_set $Q.2$A s vm6 $Q.3$A i 10 $Q.4$A u 400 $Q.11$A i 4
check_wait 2 "is held and released" since_is "hold id=job-1 verb=memory vm=6 number=400 text=vm6
release"
check_is "the row is there" "$(lx_get $Q.2$A $Q.3$A $Q.4$A $Q.5$A $Q.11$A | tr '\n' ' ')" '"vm6" 10 400 1 1 '
mark
check "the same once more: noError" lx_set $Q.2$A s vm6 $Q.3$A i 10 $Q.4$A u 400 $Q.11$A i 4
check_wait 2 "the engine says whether it stands" since_is "hold id=job-1 verb=memory vm=6 number=400 text=vm6
release"
set_fails "the same id, another verb" inconsistentValue $Q.3$A $Q.2$A s vm6 $Q.3$A i 5 $Q.4$A u 400 $Q.11$A i 4
set_fails "the same id, another VM" inconsistentValue $Q.2$A $Q.2$A s vm5 $Q.3$A i 10 $Q.4$A u 400 $Q.11$A i 4
set_fails "the same id, another number" inconsistentValue $Q.4$A $Q.11$A i 4 $Q.2$A s vm6 $Q.3$A i 10 $Q.4$A u 401
set_fails "the same id, columns missing" inconsistentValue $Q.11$A $Q.2$A s vm6 $Q.11$A i 4
B=$(octets job-2)
mark
check "the VM by its UUID" lx_set $Q.2$B s 22222222-2222-2222-2222-222222220006 $Q.3$B i 5 $Q.11$B i 4
check_wait 2 "is held with what was written" since_is \
	"hold id=job-2 verb=pause vm=6 number=0 text=22222222-2222-2222-2222-222222220006
release"
D=$(octets job-3)
set_fails "an unknown VM" inconsistentValue $Q.2$D $Q.2$D s nobody $Q.3$D i 5 $Q.11$D i 4
set_fails "no VM given" inconsistentValue $Q.11$D $Q.3$D i 5 $Q.11$D i 4
set_fails "no verb given" inconsistentValue $Q.11$D $Q.2$D s vm6 $Q.11$D i 4
set_fails "no status given" inconsistentName $Q.2$D $Q.2$D s vm6 $Q.3$D i 5
set_fails "createAndWait" wrongValue $Q.11$D $Q.2$D s vm6 $Q.3$D i 5 $Q.11$D i 5
set_fails "notInService" wrongValue $Q.11$D $Q.11$D i 2
set_fails "active of no row" inconsistentValue $Q.11$D $Q.11$D i 1
set_fails "a number that the verb does not take" inconsistentValue $Q.4$D $Q.2$D s vm6 $Q.3$D i 5 $Q.4$D u 7 $Q.11$D i 4
set_fails "memory without a number" inconsistentValue $Q.3$D $Q.2$D s vm6 $Q.3$D i 10 $Q.11$D i 4
set_fails "verb none" wrongValue $Q.3$D $Q.2$D s vm6 $Q.3$D i 1 $Q.11$D i 4
set_fails "impossible in this state" inconsistentValue $Q.3$D $Q.2$D s vm6 $Q.3$D i 2 $Q.11$D i 4
set_fails "a VM's name too long" wrongLength $Q.2$D $Q.2$D s "$(printf 'x%.0s' {1..64})" $Q.3$D i 5 $Q.11$D i 4
set_fails "an empty name" wrongLength $Q.2$D $Q.2$D s "" $Q.3$D i 5 $Q.11$D i 4
set_fails "a name with control characters" wrongValue $Q.2$D $Q.2$D x 0a0b $Q.3$D i 5 $Q.11$D i 4
LONG=$(octets "$(printf 'x%.0s' {1..33})")
set_fails "an id too long" noCreation $Q.2$LONG $Q.2$LONG s vm6 $Q.3$LONG i 5 $Q.11$LONG i 4
set_fails "an id with a zero" noCreation $Q.2.65.0 $Q.2.65.0 s vm6 $Q.3.65.0 i 5 $Q.11.65.0 i 4
LONG=$(octets "$(printf 'y%.0s' {1..32})")
check "an id of 32 octets" lx_set $Q.2$LONG s vm5 $Q.3$LONG i 4 $Q.11$LONG i 4
set_fails "the state of a request" notWritable $Q.5$A $Q.5$A i 3
E=$(octets job-run)
fake request job-run 5 5 0 2
set_fails "destroy of a running one" inconsistentValue $Q.11$E $Q.11$E i 6
mark
check "destroy of a queued one" lx_set $Q.11$B i 6
check_wait 2 "asks the engine" since_is "hold id=job-2 verb=none vm=0 number=0 text=
release"
check_is "and its row is gone" "$(lx_get $Q.3$B)" 'No Such Instance currently exists at this OID'
mark
check "destroy of none: noError" lx_set $Q.11$D i 6
check_is "and nothing is done" "$(since)" ""
mark
check "two tables and three VMs in one PDU" lx_set $C.1.4 i 3 $Q.2$D s vm3 $Q.3$D i 5 $Q.11$D i 4 $C.2.2 u 128
check_wait 2 "are one SET" since_is "hold id= verb=shutdown vm=4 number=0 text=
hold id=job-3 verb=pause vm=3 number=0 text=vm3
hold id= verb=memory vm=2 number=128 text=
release
release
release"
for i in 1 2 3 4 5 6 7 8 9; do fake request many$i 2 5 0 2; done
set_fails "too many for one VM" resourceUnavailable $C.1.2 $C.1.2 i 3

# ---- the engine refuses, or is late; others refuse ----
fake hold refuse destroy
set_fails "the engine refuses the second of two" commitFailed $C.1.5 $C.1.3 i 8 $C.1.5 i 7
check_wait 2 "all are dropped" since_is "hold id= verb=save vm=3 number=0 text=
hold id= verb=destroy vm=5 number=0 text=
drop
drop"
fake hold late
set_fails "the engine is late, which the manager hears before it gives up" commitFailed $C.1.3 $C.1.3 i 8
check_wait 2 "and is dropped" since_is "hold id= verb=save vm=3 number=0 text=
drop"
fake hold ok
set_fails "another subtree refuses first" notWritable 1.3.6.1.2.1.1.4.0 $C.1.3 i 8 1.3.6.1.2.1.1.4.0 s x
check_is "nothing is held" "$(since | grep -c hold)" 0
set_fails "another subtree refuses at the end" wrongValue $PASS.1.0 $C.1.3 i 8 $PASS.1.0 i 7
check_wait 2 "what was held is dropped" sh -c "! tail -n +$((MARK + 1)) $LX_DIR/said | grep -q hold || tail -n +$((MARK + 1)) $LX_DIR/said | grep -q drop"
check_is "and never released" "$(since | grep -c release)" 0
fake requests 1000
fake rows
set_fails "a full table" resourceUnavailable $C.1.3 $C.1.3 i 8

fake requests 0

# ---- notifications ----
fake events 300
check_wait 10 "300 events reach snmptrapd" all_traps 1 300
check "in order and none twice" traps_are 1 300
check_wait 2 "and are acknowledged" handed_last 300
check "the acknowledgements are in order" sh -c "grep ^handed $LX_DIR/said | cut -d' ' -f2 | sort -cnu"
check "with the objects of the MIB, of the event's moment" grep -qE "2008\.0\.1\|.*$(sed 's/\./\\./g; s/^1//' <<<$LX_VM).2.2 = \"vm2\"\|.*\.3\.2 = \"11111111-1111-1111-1111-111111111111\"\|.*\.5\.2 = 8\|.*1\.7\.1\.8\.1 = 4\|.*1\.7\.1\.2\.1 = .*\|.*1\.7\.1\.12\.1 = \"event-1\"" "$LX_TRAPS"

# ---- snmpd dies and comes back ----
lx_stop "$LX_SNMPD" KILL
fake events 50
rm -f "$LX_DIR/agentx"
lx_snmpd
check_wait 3 "snmpd killed and started: served again" answers
check_wait 5 "events of the meantime follow" all_traps 1 350
check "in order and none twice" traps_are 1 350
fake events 500
lx_wait 5 traps_over 350
lx_stop "$LX_SNMPD" KILL
rm -f "$LX_DIR/agentx"
lx_snmpd
check_wait 15 "killed while events flow: all arrive" all_traps 1 850
echo "# repeats: $(($(traps | wc -l) - 850))"
check "repeats are of those in flight only" test "$(traps | wc -l)" -le $((850 + 32))
check "SET works after it" lx_set $C.1.1 i 6

# ---- snmpd hangs ----
: >"$LX_TRAPS"
opened=$(grep -c 'serves snmpd' "$LX_DIR/lauxend.log")
kill -STOP "$LX_SNMPD"
fake events 100
sleep 5
kill -CONT "$LX_SNMPD"
check_wait 3 "snmpd stopped for 5 s: served again" answers
check_wait 5 "events of the meantime follow" all_traps 851 950
check "in order and none twice" traps_are 851 950
check_is "by the same session" "$(grep -c 'serves snmpd' "$LX_DIR/lauxend.log")" "$opened"

# ---- agentx dies ----
fake events 100
fake kill
check_wait 5 "agentx killed: served again by the next one" answers
check_wait 10 "its events arrive" all_traps 851 1050
check_is "with all rows" "$(lx_walk $LX_VM_NAME | wc -l)" 9

# ---- the engine is restarted ----
lost=0
(while :; do answers >/dev/null || echo lost; done) >"$LX_DIR/lost" 2>&1 &
POLLER=$!
LX_PIDS+=("$POLLER")
fake gone 9
for _ in 1 2 3 4 5; do fake engine; fake rows; done
lx_stop "$POLLER"
check_is "a new engine: no moment without rows" "$(wc -l <"$LX_DIR/lost")" "$lost"
check_wait 2 "rows that it does not have are gone" sh -c "[ \"\$(snmpget -v2c -c public -Oqv $LX_AGENT $LX_VM_NAME.9)\" = 'No Such Instance currently exists at this OID' ]"
lx_set $C.1.4 i 5 >/dev/null
fake hold late
lx_set $C.1.5 i 5 >/dev/null 2>&1
fake hold ok
mark
fake engine
told_again() { since | grep -q '^release' && since | grep -q '^drop'; }
check_wait 2 "it is told what became of the last holds" told_again
fake reload
check_wait 2 "a reload keeps the session" answers
sed -i "s|agentx-socket = .*|agentx-socket = \"tcp:127.0.0.1:$TCP\"|" "$LX_DIR/lauxen.conf"
fake reload
check_wait 3 "a reload with another socket moves it there" grep -q "serves snmpd at tcp:127.0.0.1:$TCP" "$LX_DIR/lauxend.log"
check_wait 3 "where it serves" answers
fake events 10
check_wait 5 "and notifies" all_traps 851 1060
fake dies
check_wait 2 "without an engine the rows stay" answers
set_fails "and a SET is refused" resourceUnavailable $C.1.5 $C.1.5 i 5
check "nothing from a sanitizer" sh -c "! grep -E 'AddressSanitizer|runtime error' $LX_DIR/lauxend.log"
lx_done
