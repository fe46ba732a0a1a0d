#!/bin/bash
# lab: guests as the other topics need them, without lauxend.
# limit: 240
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
hand=10.99.0.12

ok "xl creates a guest, and its port 80 answers" start_guest -d 16 -q -u new hand $hand 192
ok "xl pause silences it" dom0 "xl pause hand"
ok "a connection times out" port $hand silent
dom0 "xl unpause hand"
ok "after xl unpause it answers" within 10 port $hand answers
topic_done
