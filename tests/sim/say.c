#include "tests/sim/say.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/effect.h"
#include "hypervisor/verbs.h"

/* The columns whose change is a line. */
enum shown_as { AS_NAME, AS_TEXT, AS_NUMBER };
#define SHOWN(kind, row, field, as, names)                                                         \
	{                                                                                          \
		kind, #field, offsetof(struct row, field), as, names                               \
	}
static const struct shown {
	int kind;
	const char *label;
	size_t offset;
	enum shown_as as;
	const struct name *names;
} shown[] = {
    SHOWN(KIND_VM, mib_vm, state, AS_NAME, vm_state_names),
    SHOWN(KIND_VM, mib_vm, desired, AS_NAME, vm_desired_names),
    SHOWN(KIND_VM, mib_vm, monitor, AS_NAME, monitor_state_names),
    SHOWN(KIND_SERVICE, mib_service, state, AS_NAME, service_state_names),
    SHOWN(KIND_PLAN, mib_plan, goal, AS_NAME, plan_goal_names),
    SHOWN(KIND_PLAN, mib_plan, waits_for, AS_TEXT, NULL),
    SHOWN(KIND_PLAN, mib_plan, reason, AS_TEXT, NULL),
    SHOWN(KIND_REQUEST, mib_request, state, AS_NAME, request_state_names),
    SHOWN(KIND_REQUEST, mib_request, error, AS_TEXT, NULL),
};
#define SHOWN_COUNT (sizeof(shown) / sizeof(shown[0]))

const char *
say_verb(uint32_t verb)
{
	const char *name = name_of(action_verb_names, (int)verb);

	return *name == '?' ? name_of(verb_names, (int)verb) : name;
}

void
say_message(struct world *world, const struct message *message)
{
	world->hash = digest_add(world->hash, message, MESSAGE_HEAD + message->size);
	if (world->detail)
		world_detail(world, "told    %u %u", message->type, message->detail);
}

static void
say_detail(struct world *world, const struct effect *effect)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	effect_print(effect, to);
	fclose(to);
	world_detail(world, "effect  %s", text);
	free(text);
}

void
say_effect(struct world *world, const struct effect *effect)
{
	world->hash = effect_digest(world->hash, effect);
	if (world->detail)
		say_detail(world, effect);
	if (!world->log)
		return;
	if (effect->type == EFFECT_ACTION)
		world_say(world, "action  %s %s%s", say_verb(effect->action.verb),
			  effect->action.name, effect->action.id >> 63 ? "" : ", as was asked for");
	else if (effect->type == EFFECT_EVENT)
		world_say(world, "event   %s: %s", name_of(event_type_names, effect->event.type),
			  effect->event.text);
}

void
say_probe(struct world *world, const struct config_service *service,
	  const struct probe_report *report)
{
	world->hash = digest_add(world->hash, report, sizeof(*report));
	world_detail(world, "probe   %s at %s: %s", service->name, service->address,
		     name_of(probe_outcome_names, (int)report->outcome));
}

void
say_set(struct world *world, const char *id, uint32_t verb, const char *whom, const char *answer)
{
	world_say(world, "set     %s%s%s %s: %s", *id ? id : "by hand",
		  verb == VERB_NONE ? " destroy" : " ", verb == VERB_NONE ? "" : say_verb(verb),
		  whom, answer);
}

/* ---- rows ---- */

static const char *
vm_name(const struct world *world, uint32_t index)
{
	struct mib_vm key = {.index = index};
	const struct mib_vm *row = rowset_find(&world->agentx.rows.sets[KIND_VM], &key);

	return row ? row->name : "?";
}

static void
name_row(const struct world *world, int kind, const void *row, char *name, size_t size)
{
	const struct mib_service *service = row;

	if (kind == KIND_VM)
		snprintf(name, size, "vm      %s", ((const struct mib_vm *)row)->name);
	else if (kind == KIND_SERVICE)
		snprintf(name, size, "service %s:%s", service->provider, service->name);
	else if (kind == KIND_PLAN)
		snprintf(name, size, "plan    %s",
			 vm_name(world, ((const struct mib_plan *)row)->vm));
	else
		snprintf(name, size, "request %s", ((const struct mib_request *)row)->id);
}

static void
show_field(const struct shown *field, const void *row, char *to, size_t size)
{
	const char *at = (const char *)row + field->offset;
	int32_t number;

	if (field->as == AS_TEXT) {
		snprintf(to, size, "%s", at);
		return;
	}
	memcpy(&number, at, sizeof(number));
	if (field->as == AS_NAME)
		snprintf(to, size, "%s", name_of(field->names, number));
	else
		snprintf(to, size, "%" PRId32, number);
}

void
say_row(struct world *world, int kind, const void *old, const void *row)
{
	char name[160], line[512] = "", was[160], is[160];

	if (!world->log || !row)
		return;
	for (size_t i = 0; i < SHOWN_COUNT; i++) {
		size_t used = strlen(line);

		if (shown[i].kind != kind)
			continue;
		*was = '\0';
		if (old)
			show_field(&shown[i], old, was, sizeof(was));
		show_field(&shown[i], row, is, sizeof(is));
		if (strcmp(was, is) != 0)
			snprintf(line + used, sizeof(line) - used, " %s=%s", shown[i].label, is);
	}
	if (*line == '\0')
		return;
	name_row(world, kind, row, name, sizeof(name));
	world_say(world, "%s%s", name, line);
}
