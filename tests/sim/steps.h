/* What each verb is made of, as agentx/hypervisor/sequence.h has it, step by step. */
#ifndef SIM_STEPS_H
#define SIM_STEPS_H

#include "tests/sim/world.h"

enum { STEP_NEXT = 0, STEP_END = -1 };

/* The next step of an action: STEP_NEXT, STEP_END (its outcome's state says how, where it is not
 * running still), or after how many ms the same step is to be taken again. */
int64_t step_take(struct entry *entry);

/* After an outcome that is not known: a half-built domain goes, a suspended one runs on. */
void step_put_right(struct entry *entry);

#endif
