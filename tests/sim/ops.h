/*
 * What can happen in a scenario, a word each (ops.c has the table; `sim help` prints it).
 */
#ifndef SIM_OPS_H
#define SIM_OPS_H

#include "tests/sim/world.h"

/* Sets all of the scenario's lines to happen at their times; none may be unknown. */
void ops_arm(struct world *world);
void ops_dispose(struct world *world);

/* lauxend's processes begin. */
void ops_agent_on(struct world *world);

/* KEY=VALUE of a guest line; false: makes no sense. */
bool ops_guest_key(struct vm_truth *vm, const char *text);

/* The engine has an action carried out: what waits for one happens next. */
void ops_action(struct world *world, const struct action *action);

/* The engine wants the configuration read again. */
void ops_rebuild(struct world *world);

/* A verb of people or of the engine's own; "all" is VERB_NONE; -1: none. */
int ops_verb(const char *name);

void ops_help(FILE *to);

#endif
