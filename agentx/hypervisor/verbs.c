#include "hypervisor/verbs.h"

#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/hv.h"

static const struct {
	uint32_t verb;
	bool needs_file, waits_for_guest;
} verbs[] = {
    {VERB_START, true, false},	 {VERB_SHUTDOWN, false, true},	{VERB_REBOOT, false, true},
    {VERB_PAUSE, false, false},	 {VERB_UNPAUSE, false, false},	{VERB_DESTROY, false, false},
    {VERB_SAVE, false, false},	 {VERB_RESTORE, true, false},	{VERB_MEMORY, false, false},
    {ACTION_REAP, false, false}, {ACTION_REPLACE, true, false}, {ACTION_RESTART, true, true},
};

#define VERBS_COUNT (sizeof(verbs) / sizeof(verbs[0]))

const struct name action_verb_names[] = {
    {VERB_START, "start"},
    {VERB_SHUTDOWN, "shutdown"},
    {VERB_REBOOT, "reboot"},
    {VERB_PAUSE, "pause"},
    {VERB_UNPAUSE, "unpause"},
    {VERB_DESTROY, "destroy"},
    {VERB_SAVE, "save"},
    {VERB_RESTORE, "restore"},
    {VERB_MEMORY, "memory"},
    {ACTION_REAP, "reap"},
    {ACTION_REPLACE, "replace"},
    {ACTION_RESTART, "restart"},
    {0, NULL},
};

static size_t
verb_place(uint32_t verb)
{
	size_t i = 0;

	while (i < VERBS_COUNT && verbs[i].verb != verb)
		i++;
	return i;
}

const struct config_vm *
action_vm(const struct config *config, const struct action *action)
{
	const struct config_vm *vm = *action->name ? config_find_vm(config, action->name) : NULL;

	if (vm && strcmp(vm->provider.name, action->name) == 0)
		return vm;
	return uuid_is_zero(action->uuid) ? NULL : config_find_uuid(config, action->uuid);
}

static bool
name_is_clean(const char name[VM_NAME_SIZE])
{
	char clean[VM_NAME_SIZE];

	if (!memchr(name, 0, VM_NAME_SIZE))
		return false;
	TEXT_SET(clean, name);
	return strcmp(clean, name) == 0;
}

/* The VM of the configuration whose UUID the action has while it names another; or NULL. */
static const struct config_vm *
other_vm(const struct config *config, const struct action *action)
{
	const struct config_vm *vm =
	    uuid_is_zero(action->uuid) ? NULL : config_find_uuid(config, action->uuid);

	return vm && vm != action_vm(config, action) ? vm : NULL;
}

bool
action_check(const struct config *config, const struct action *action, char *error)
{
	size_t i = verb_place(action->verb);

	*error = '\0';
	if (i == VERBS_COUNT)
		text_format(error, TEXT_SIZE, "%u is no verb", action->verb);
	else if (!name_is_clean(action->name))
		text_set(error, TEXT_SIZE, "the VM's name is no name");
	else if (!*action->name && uuid_is_zero(action->uuid))
		text_set(error, TEXT_SIZE, "it names no VM");
	else if (verbs[i].needs_file && !action_vm(config, action))
		text_format(error, TEXT_SIZE,
			    "%s is not in the configuration: only such a VM can be %s",
			    *action->name ? action->name : "it", "started");
	else if (verbs[i].needs_file && other_vm(config, action))
		text_format(error, TEXT_SIZE, "its UUID is that of %s",
			    other_vm(config, action)->provider.name);
	else if (action->verb == VERB_MEMORY &&
		 (action->number < HV_MEMORY_FLOOR_MIB || action->number > HV_MEMORY_CEILING_MIB))
		text_format(error, TEXT_SIZE, "memory must be %d to %d MiB", HV_MEMORY_FLOOR_MIB,
			    HV_MEMORY_CEILING_MIB);
	return !*error;
}

uint32_t
action_deadline_ms(const struct config *config, const struct action *action)
{
	size_t i = verb_place(action->verb);
	bool waits = i < VERBS_COUNT && verbs[i].waits_for_guest;

	return config->action_ms +
	       (waits ? config_policy(config, action_vm(config, action))->shutdown_ms : 0);
}
