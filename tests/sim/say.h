/* The log of what goes into the engine and comes out of it: a line each for people, and all of it
 * into the world's hash. */
#ifndef SIM_SAY_H
#define SIM_SAY_H

#include "tests/sim/world.h"

void say_message(struct world *world, const struct message *message);
void say_effect(struct world *world, const struct effect *effect);
void say_probe(struct world *world, const struct config_service *service,
	       const struct probe_report *report);
void say_set(struct world *world, const char *id, uint32_t verb, const char *whom,
	     const char *answer);
/* A row of agentx changed from old (NULL: new) to row (NULL: gone). */
void say_row(struct world *world, int kind, const void *old, const void *row);

const char *say_verb(uint32_t verb); /* of people and of the engine's own */

#endif
