/* What a scenario says must be so: expect.c has the forms. */
#ifndef SIM_EXPECT_H
#define SIM_EXPECT_H

#include "tests/sim/world.h"

/* False: the words make no sense. What is not so is a failure of the run. */
bool expect(struct world *world, int line, char *const *words, int count);

#endif
