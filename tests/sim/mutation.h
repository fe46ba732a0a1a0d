/*
 * Lies of the world: with each the engine, or what it is told, breaks one rule, and the rule must
 * be found broken. A check that cannot fail checks nothing.
 */
#ifndef SIM_MUTATION_H
#define SIM_MUTATION_H

#include "tests/sim/world.h"

struct mutation {
	const char *rule; /* that must be found broken */
	const char *lie;
	/* Any may be NULL. False: the effect is not carried out. */
	bool (*effect)(struct world *world, struct effect *effect);
	void (*probed)(struct world *world, struct probe_report *report);
};

extern const struct mutation mutations[]; /* the first is none; ends with rule NULL */

#endif
