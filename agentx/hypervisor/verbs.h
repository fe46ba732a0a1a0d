/* The verbs of actions: what each needs, and whether an action is one that may be tried. */
#ifndef HYPERVISOR_VERBS_H
#define HYPERVISOR_VERBS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/messages.h"
#include "config/config.h"

#define ACTION_DEADLINE_MAX_MS (24 * 3600 * 1000u)

/* Verbs with enum action_extra, as a person types them. */
extern const struct name action_verb_names[];

/* The configuration's entry of the VM that action means: by name, else by UUID; or NULL. */
const struct config_vm *action_vm(const struct config *config, const struct action *action);

/* Whether the action is one that may be tried: verb, VM, number. False with error. */
bool action_check(const struct config *config, const struct action *action, char *error);

/* What the action may take, where nobody says. */
uint32_t action_deadline_ms(const struct config *config, const struct action *action);

#endif
