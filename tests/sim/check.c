#include "tests/sim/check_internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "store/schema.h"
#include "tests/sim/mutation.h"

struct check *
check_new(struct world *world)
{
	struct check *check = mem_alloc(sizeof(*check));

	check->next_sequence = 1;
	check->watched = mem_array(world->vms_count + 1, sizeof(*check->watched));
	check->watched_count = world->vms_count;
	for (size_t i = 0; i < world->vms_count; i++)
		check->watched[i].vm = &world->vms[i];
	return check;
}

void
check_free(struct check *check)
{
	free(check->asked);
	free(check->begun);
	free(check->notified);
	free(check->watched);
	free(check->counted);
	free(check->events);
	free(check->many);
	free(check->pairs);
	free(check);
}

void
check_fail(struct world *world, const char *rule, const char *format, ...)
{
	struct check *check = world->check;
	va_list args;

	if (check->failed)
		return;
	check->failed = true;
	TEXT_SET(check->rule, rule);
	va_start(args, format);
	vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
	world_say(world, "BROKEN  %s: %s", rule, check->text);
}

bool
check_failed(const struct check *check)
{
	return check->failed;
}

const char *
check_rule(const struct check *check)
{
	return check->rule;
}

const char *
check_text(const struct check *check)
{
	return check->text;
}

struct watched *
watched_of(const struct world *world, const char *name)
{
	struct check *check = world->check;

	for (size_t i = 0; i < check->watched_count; i++)
		if (strcmp(check->watched[i].vm->def.name, name) == 0)
			return &check->watched[i];
	return NULL;
}

static void
count_action(struct check *check, const struct action *action)
{
	for (size_t i = 0; i < check->counted_count; i++)
		if (check->counted[i].verb == action->verb &&
		    strcmp(check->counted[i].vm, action->name) == 0) {
			check->counted[i].count++;
			return;
		}
	check->counted =
	    mem_resize(check->counted, check->counted_count + 1, sizeof(*check->counted));
	check->counted[check->counted_count] = (struct counted){.verb = action->verb, .count = 1};
	TEXT_SET(check->counted[check->counted_count++].vm, action->name);
}

unsigned
check_actions(const struct world *world, uint32_t verb, const char *vm)
{
	const struct check *check = world->check;
	unsigned count = 0;

	for (size_t i = 0; i < check->counted_count; i++)
		if ((verb == VERB_NONE || check->counted[i].verb == verb) &&
		    strcmp(check->counted[i].vm, vm) == 0)
			count += check->counted[i].count;
	return count;
}

static void
count_event(struct check *check, const struct mib_event *event)
{
	check->events = mem_resize(check->events, check->events_count + 1, sizeof(*check->events));
	check->events[check->events_count].type = (enum event_type)event->type;
	TEXT_SET(check->events[check->events_count++].vm, event->vm_name);
}

unsigned
check_events(const struct world *world, enum event_type type, const char *vm)
{
	const struct check *check = world->check;
	unsigned count = 0;

	for (size_t i = 0; i < check->events_count; i++)
		count += check->events[i].type == type &&
			 (*vm == '\0' || strcmp(check->events[i].vm, vm) == 0);
	return count;
}

/* Only one at a time: none is sent while another of the VM waits for its helper or has one. */
static void
one_action(struct world *world, const struct action *action)
{
	const struct entry *entry;

	if (world->check->lost_memory)
		return; /* a VM may have another UUID by now */
	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		if (entry->action.id != action->id && entry->phase != ENTRY_OVER &&
		    strcmp(entry->action.name, action->name) == 0)
			check_fail(world, "one-action", "%s: an action is sent while %016llx runs",
				   action->name, (unsigned long long)entry->action.id);
}

bool
check_effect(struct world *world, struct effect *effect)
{
	const struct mutation *mutation = &mutations[world->mutation];

	if (mutation->effect && !mutation->effect(world, effect))
		return false;
	if (effect->type == EFFECT_ACTION) {
		one_action(world, &effect->action);
		count_action(world->check, &effect->action);
		supervision_action(world, &effect->action);
	} else if (effect->type == EFFECT_EVENT) {
		count_event(world->check, &effect->event);
		supervision_event(world, &effect->event);
		if (effect->event.type == EVENT_REQUEST_FINISHED)
			supervision_ended(world, &effect->event);
	}
	requests_effect(world, effect);
	events_effect(world, effect);
	return true;
}

static bool
knows_boot(const struct world *world, const struct store_vm *vm)
{
	uint8_t id[UUID_SIZE];

	uuid_derive(id, 1, (uint64_t)world->booted_ms);
	return uuid_equal(id, vm->boot_id);
}

void
check_durable(struct world *world, int table, const void *row)
{
	struct check *check = world->check;

	requests_durable(world, table, row);
	if (table == TABLE_VM)
		check->boot_on_disk |= knows_boot(world, row);
	if (table == TABLE_EVENT) {
		events_durable(world, row);
		pairs_durable(world, row);
	}
}

void
check_told(struct world *world, const struct message *message)
{
	rows_told(world, message);
}

void
check_born(struct world *world, const struct store_content *content)
{
	world->check->boots = false;
	events_born(world, content);
}

void
check_loaded(struct world *world)
{
	if (world->check->config != world->text) {
		pairs_forget(world);
		supervision_loaded(world);
	}
	world->check->config = world->text;
}

void
check_died(struct world *world)
{
	world->check->states_told = world->check->figures_ok = false;
	world->check->lost_memory |= sim_store_in_memory(world->store);
	supervision_died(world);
}

void
check_step(struct world *world)
{
	rows_sampled(world);
}

void
check_probed(struct world *world, const struct config_service *service, struct probe_report *report)
{
	const struct mutation *mutation = &mutations[world->mutation];

	(void)service;
	if (mutation->probed)
		mutation->probed(world, report);
}

void
check_outcome(struct world *world, const struct action *action, const struct outcome *outcome)
{
	(void)world, (void)action, (void)outcome;
}

void
check_row(struct world *world, int kind, const void *old, const void *row)
{
	(void)world, (void)kind, (void)old, (void)row;
}

void
check_healed(struct world *world)
{
	world->check->healed = true;
}

/* A request was accepted, and the host went down before it had begun: it is carried out after the
 * boot. */
static bool
waits_for_boot(const struct check *check, const struct watched *watched)
{
	for (size_t i = 0; i < check->asked_count; i++) {
		const struct asked *asked = &check->asked[i];

		if (asked->accepted && asked->ends == 0 && asked->state != REQUEST_RUNNING &&
		    watched->person_ms == asked->accepted_ms)
			return true;
	}
	return false;
}

/* What persons wanted before is over; what is configured counts. */
void
check_booted(struct world *world)
{
	struct check *check = world->check;

	check_forget_own(check);
	check->boots = true;
	check->boot_on_disk = false;
	for (size_t i = 0; i < check->watched_count; i++) {
		check->watched[i].person =
		    waits_for_boot(check, &check->watched[i]) ? PERSON_UNCLEAR : PERSON_NONE;
		check->watched[i].person_ms = 0;
		check->watched[i].acted_on = check->watched[i].came_late = false;
		check->watched[i].off_ms = world_now(world);
	}
}
