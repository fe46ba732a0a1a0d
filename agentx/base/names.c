#include "base/names.h"

#include <string.h>

#include "base/messages.h"

#define NAME_ENTRY(constant, number, text) {number, text},
#define NAME_TABLE(table, list) const struct name table[] = {list(NAME_ENTRY){0, NULL}};

NAME_TABLE(vm_state_names, VM_STATES)
NAME_TABLE(vm_sched_state_names, VM_SCHED_STATES)
NAME_TABLE(vm_health_names, VM_HEALTHS)
NAME_TABLE(vm_desired_names, VM_DESIRES)
NAME_TABLE(vm_owner_names, VM_OWNERS)
NAME_TABLE(verb_names, VERBS)
NAME_TABLE(request_state_names, REQUEST_STATES)
NAME_TABLE(event_type_names, EVENT_TYPES)
NAME_TABLE(shutdown_reason_names, SHUTDOWN_REASONS)
NAME_TABLE(on_action_names, ON_ACTIONS)
NAME_TABLE(service_kind_names, SERVICE_KINDS)
NAME_TABLE(probe_outcome_names, PROBE_OUTCOMES)
NAME_TABLE(probe_payload_names, PROBE_PAYLOADS)
NAME_TABLE(service_state_names, SERVICE_STATES)
NAME_TABLE(dependency_state_names, DEPENDENCY_STATES)
NAME_TABLE(dependency_policy_names, DEPENDENCY_POLICIES)
NAME_TABLE(start_policy_names, START_POLICIES)
NAME_TABLE(monitor_state_names, MONITOR_STATES)
NAME_TABLE(plan_goal_names, PLAN_GOALS)

const struct name role_names[] = {{ROLE_PARENT, "parent"},
				  {ROLE_HYPERVISOR, "hypervisor"},
				  {ROLE_ENGINE, "engine"},
				  {ROLE_AGENTX, "agentx"},
				  {0, NULL}};

const char *
name_of(const struct name *table, int value)
{
	for (; table->name; table++)
		if (table->value == value)
			return table->name;
	return "?";
}

int
name_value(const struct name *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table->value;
	return -1;
}
