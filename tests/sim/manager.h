/* Managers: a SET as a person or a program makes it, by the real check of the agentx process. */
#ifndef SIM_MANAGER_H
#define SIM_MANAGER_H

#include "tests/sim/world.h"

/*
 * A request: by hand where id is "" and it is one VM's that has an object for the verb, else a row
 * of lxRequestTable. VERB_NONE: the row id is destroyed. Refused as agentx refuses it, or held.
 */
void manager_set(struct world *world, const char *id, uint32_t verb, const char *whom,
		 uint32_t number, bool undo);

#endif
