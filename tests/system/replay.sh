#!/bin/bash
# Events that are made while snmpd is dead come when it is back; those made while snmpd and the agent
# are killed at random come too. The long versions are tests/bench/bench.sh replay replay_random.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/bench/measure.sh
. tests/bench/measure.sh
# shellcheck source=tests/bench/replay.sh
. tests/bench/replay.sh

lx_begin
replay_run 150
check_is "all events made while snmpd was dead were received" "$REPLAY_HEARD" 150
check_is "none twice" "$REPLAY_REPEATS $REPLAY_TWICE" "0 0"
check_is "in order" "$REPLAY_DISORDER" 0
lx_end

LX_PIDS=()
unset LX_SNMP_PORT
lx_begin
seed_set "${SEED:-}"
echo "# SEED=$SEED"
random_run 250 40
echo "# $RANDOM_KILLS kills:$RANDOM_KILLED; $RANDOM_REPEATS notifications repeated"
check "something was killed" test "$RANDOM_KILLS" -gt 3
check_is "all changes were received though snmpd and agent were killed at random" "$RANDOM_HEARD" 500
check_is "no change made two events" "$RANDOM_TWICE" 0
check_is "the journal has what the sink has" "$RANDOM_DIFFERS" 0
lx_done
