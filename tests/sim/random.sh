#!/bin/bash
# Random runs of the engine in the simulated world: of seeds that are always the same, and of those of
# the day; and that a broken rule would be found. Prints TAP. A seed that fails is made small and
# written to build/soak, and says how it is run again.
#
#   SIM_STEPS=N   steps of each (1000000);  SIM_SEED=N   instead of the day's
cd "$(dirname "$0")/../.." || exit 2
SIM=${LX_BUILD:-build/out}/tests/sim/sim
steps=${SIM_STEPS:-1000000}
seed=${SIM_SEED:-$(($(date +%Y%m%d) * 1000))}
failed=0
mkdir -p build/soak
"$SIM" random -s 1 -n "$steps" -w build/soak || failed=1
echo "# the seed of the day: $seed"
"$SIM" random -s "$seed" -n "$steps" -w build/soak || failed=1
"$SIM" prove || failed=1
exit $failed
