#include "snmp/verb.h"

#define IN(state) (1u << (state))
#define ANY UINT32_MAX
#define ALIVE                                                                                      \
	(IN(VM_OTHER) | IN(VM_PREPARING) | IN(VM_RUNNING) | IN(VM_SUSPENDING) | IN(VM_RESUMING) |  \
	 IN(VM_PAUSED) | IN(VM_MIGRATING) | IN(VM_SHUTTING_DOWN) | IN(VM_CRASHED))
const struct verb_need verb_needs[VERB_LAST + 1] = {
    [VERB_START] = {.states = IN(VM_SHUTDOWN) | IN(VM_CRASHED) | IN(VM_SUSPENDED)},
    [VERB_SHUTDOWN] = {.states = IN(VM_RUNNING), .many = true},
    [VERB_REBOOT] = {.states = IN(VM_RUNNING)},
    [VERB_PAUSE] = {.states = IN(VM_RUNNING)},
    [VERB_UNPAUSE] = {.states = IN(VM_PAUSED)},
    [VERB_DESTROY] = {.states = ALIVE},
    [VERB_SAVE] = {.states = IN(VM_RUNNING)},
    [VERB_RESTORE] = {.states = IN(VM_SUSPENDED)},
    [VERB_MEMORY] = {.states = IN(VM_RUNNING) | IN(VM_PAUSED),
		     .number = true,
		     .min = MEMORY_FLOOR_MIB,
		     .max = UINT32_MAX},
    [VERB_LAUNCH] = {.states = ANY, .many = true, .ours = true},
    [VERB_REBUILD] = {.states = ANY, .many = true},
    [VERB_MAINTENANCE] = {.states = ANY, .number = true, .max = UINT32_MAX, .ours = true},
    [VERB_DESIRE] = {.states = ANY,
		     .number = true,
		     .min = DESIRED_RUNNING,
		     .max = DESIRED_SHUTDOWN,
		     .ours = true},
    [VERB_MEMORY_MIN] = {.states = ANY,
			 .number = true,
			 .min = MEMORY_FLOOR_MIB,
			 .max = UINT32_MAX,
			 .zero = true,
			 .ours = true},
    [VERB_MEMORY_MAX] = {.states = ANY,
			 .number = true,
			 .min = MEMORY_FLOOR_MIB,
			 .max = UINT32_MAX,
			 .zero = true,
			 .ours = true},
    [VERB_MEMORY_HIGH] = {.states = ANY, .number = true, .max = 100, .ours = true},
    [VERB_MEMORY_LOW] = {.states = ANY, .number = true, .max = 100, .ours = true},
};

bool
verb_number_fits(uint32_t verb, uint32_t number)
{
	const struct verb_need *need = &verb_needs[verb];

	if (!need->number)
		return number == 0;
	if (verb == VERB_DESIRE)
		return number == DESIRED_RUNNING || number == DESIRED_SHUTDOWN;
	return (number >= need->min && number <= need->max) || (need->zero && number == 0);
}

/* What has ended and still has its domain (on_poweroff "preserve") can be rid of that. */
bool
verb_makes_sense(const struct mib_vm *vm, uint32_t verb)
{
	if (verb_needs[verb].ours && !vm->configured)
		return false;
	if (vm->state == VM_UNKNOWN || verb_needs[verb].states & IN(vm->state))
		return true;
	return verb == VERB_DESTROY && vm->state == VM_SHUTDOWN && vm->domid > 0;
}
