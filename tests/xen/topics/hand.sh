#!/bin/bash
# hand: a guest that a person started with xl, of which lauxend's file says nothing.
# limit: 240
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
hand=10.99.0.12

ok "xl creates a guest, and its port 80 answers" start_guest -d 16 -q -u new hand $hand 192 || bail "no guest"
with_agent </dev/null
ok "lxVmTable has it" within 20 index_of hand || bail "no row"
h=$(index_of hand)
ok "it is running" within 20 is_label lxVmState "$h" running
ok "lxVmOwner is other" within 10 is_label lxVmOwner "$h" other
ok "lxVmMemory is that of xl list" within 15 is lxVmMemory "$h" 192 2

since=$(traps)
ok "xl pause by hand" dom0 xl pause hand
ok "lxVmState becomes paused" within 20 is_label lxVmState "$h" paused
ok "lxVmStateChanged says so" within 15 state_notified "$since" hand paused
since=$(traps)
ok "xl unpause by hand" dom0 xl unpause hand
ok "lxVmState becomes running" within 20 is_label lxVmState "$h" running
ok "lxVmStateChanged says that, too" within 15 state_notified "$since" hand running
topic_done
