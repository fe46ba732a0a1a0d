#!/bin/bash
# kill -9 of each process of lauxend, 5 times each, while requests are in flight: nothing that was
# accepted is lost or done twice, no other VM is touched. The long version is tests/bench/bench.sh kill9.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/bench/measure.sh
. tests/bench/measure.sh
# shellcheck source=tests/bench/kill9.sh
. tests/bench/kill9.sh

lx_begin
seed_set "${SEED:-}"
echo "# SEED=$SEED"
kill9_run "${KILLS:-5}"
echo "# kills with requests in flight:$KILL9_COUNTED; $KILL9_ENDED requests ended, $KILL9_UNDECIDED unknown, $KILL9_FAILED failed"
judged() { # TEXT COUNT
	if [ "$2" = 0 ]; then ok "$1"; else not_ok "$1" "$KILL9_WORDS"; fi
}
judged "no VM was touched that nobody asked for" "$KILL9_TOUCHED"
judged "no accepted request was lost" "$KILL9_LOST"
judged "none was done twice" "$KILL9_TWICE"
check_is "no process outlived its parent" "$KILL9_LEFT" 0
check "requests were carried out all the time" test "$KILL9_ENDED" -gt 100
lx_done
