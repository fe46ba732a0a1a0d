#!/bin/bash
# Random runs of the engine in the simulated world, of seeds that are always the same (new ones are
# `make soak`), and that a broken rule would be found. Prints TAP. A seed that fails is made small and
# written to build/soak, and says how it is run again.
#
#   SIM_STEPS=N   steps (2000000);  SIM_SEED=N   the first seed (1)
cd "$(dirname "$0")/../.." || exit 2
SIM=${LX_BUILD:-build/out}/tests/sim/sim
failed=0
mkdir -p build/soak
"$SIM" random -s "${SIM_SEED:-1}" -n "${SIM_STEPS:-2000000}" -w build/soak || failed=1
"$SIM" prove || failed=1
exit $failed
