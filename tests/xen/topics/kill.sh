#!/bin/bash
# kill: all of lauxend is killed at once; guests, their QEMUs and monitors must not notice.
# limit: 300
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
hand=10.99.0.12 web=10.99.0.11

ok "xl creates a guest with a QEMU" start_guest -d 16 -q -u new hand $hand 192
ok "another is described" guest -u new web $web 192
with_agent < <(vm web $web)
act web start running 120
ok "its port 80 answers" within 120 port $web answers
h=$(index_of hand) w=$(index_of web)

before=$(survivors)
ok "there is a monitor and a QEMU to lose" grep -q qemu-system <<<"$before"
ok "kill -9 of all of lauxend" agent_kill
ok "xl, QEMU, xenstored and the domains are untouched" same processes "$(survivors)" "$before"
ok "the guest by hand still answers" port $hand answers
ok "the guest that lauxend started still answers" port $web answers
since=$(traps)
ok "lauxend starts again" agent_start
ok "lxAgentStarted was notified" within 30 notified "$since" lxAgentStarted
ok "the guest by hand has the row it had" within 30 is lxVmName "$h" hand
ok "so has the other" within 30 is lxVmName "$w" web
ok "it is running" within 20 is_label lxVmState "$w" running
act web pause paused
act web unpause running
ok "none of them was touched" same processes "$(survivors)" "$before"
topic_done
