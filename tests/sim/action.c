/*
 * The actions of the hypervisor process, as its action.h has them: what the engine asked for from
 * MSG_ACTION to MSG_FORGET, one a VM at a time; a helper for each, which outlives the process.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/verbs.h"
#include "tests/sim/check.h"
#include "tests/sim/steps.h"
#include "tests/sim/world.h"

#define RUNNING_MAX 16
#define LOOK_MS 100 /* between two looks at the states */

/* ---- entries ---- */

static const char *
verb_name(const struct entry *entry)
{
	return name_of(action_verb_names, (int)entry->action.verb);
}

static void
entry_free(struct entry *entry)
{
	world_cancel(entry->world, &entry->step);
	world_cancel(entry->world, &entry->deadline);
	TAILQ_REMOVE(&entry->world->hypervisor.entries, entry, next);
	free(entry);
}

static void
entry_over(struct entry *entry, uint32_t state)
{
	struct world *world = entry->world;

	entry->outcome.state = state;
	entry->phase = ENTRY_OVER;
	world_cancel(world, &entry->step);
	world_cancel(world, &entry->deadline);
	world_say(world, "outcome %s %s %s%s%s", verb_name(entry), entry->action.name,
		  name_of(request_state_names, (int)state), *entry->outcome.error ? ": " : "",
		  entry->outcome.error);
	check_outcome(world, &entry->action, &entry->outcome);
	hypervisor_tell(world, MSG_OUTCOME, &entry->outcome);
}

static void
entry_mended(void *arg)
{
	struct entry *entry = arg;
	struct world *world = entry->world;

	step_put_right(entry);
	entry->mends = false;
	if (entry->forgotten)
		entry_free(entry);
	action_serve(world);
}

/* Its helper is no more, and nobody knows what it came to. */
static void
entry_lost(struct entry *entry, const char *why)
{
	TEXT_FORMAT(entry->outcome.error, "what became of it is not known: %s", why);
	entry->outcome.domid = 0;
	entry_over(entry, REQUEST_UNDECIDED);
	entry->mends = true;
	world_after(entry->world, &entry->step, world_lag(entry->world, LAG_STEP, entry->action.id),
		    entry_mended, entry);
}

static void
entry_late(void *arg)
{
	struct entry *entry = arg;

	if (entry->world->hypervisor.lives)
		entry_lost(entry, "it took too long and was ended");
	else /* nobody is there to kill it */
		world_after(entry->world, &entry->deadline, LOOK_MS, entry_late, entry);
}

static void
entry_step(void *arg)
{
	struct entry *entry = arg;
	struct world *world = entry->world;
	int64_t ms = step_take(entry);

	if (ms == STEP_END) {
		entry_over(entry, entry->outcome.state == REQUEST_RUNNING ? REQUEST_SUCCEEDED
									  : entry->outcome.state);
		action_serve(world);
		return;
	}
	if (ms == STEP_NEXT) {
		entry->stage++;
		entry->until_ms = 0;
		ms = world_lag(world, LAG_STEP, entry->action.id);
		if (entry->fate.never && entry->stage == 2)
			return; /* until its deadline */
	}
	world_after(world, &entry->step, ms, entry_step, entry);
}

static void
entry_start(struct entry *entry)
{
	struct world *world = entry->world;

	entry->phase = ENTRY_RUNNING;
	entry->outcome.state = REQUEST_RUNNING;
	entry->fate = inject_decide(&world->inject, entry->action.verb, entry->action.name);
	world_detail(world, "helper  %s %s begins", verb_name(entry), entry->action.name);
	hypervisor_tell(world, MSG_STARTED, &entry->outcome);
	world_after(world, &entry->deadline, entry->action.deadline_ms, entry_late, entry);
	world_after(world, &entry->step,
		    entry->fate.delay_ms + world_lag(world, LAG_STEP, entry->action.id), entry_step,
		    entry);
	check_started(world, &entry->action);
}

static bool
same_vm(const struct action *a, const struct action *b)
{
	return strcmp(a->name, b->name) == 0 || uuid_equal(a->uuid, b->uuid);
}

static bool
must_wait(const struct entry *entry)
{
	const struct entry *other;

	TAILQ_FOREACH (other, &entry->world->hypervisor.entries, next) {
		if (other == entry)
			return false;
		if ((other->phase != ENTRY_OVER || other->mends) &&
		    same_vm(&other->action, &entry->action))
			return true;
	}
	return false;
}

void
action_serve(struct world *world)
{
	struct entry *entry;
	int running = 0;

	if (!world->hypervisor.lives)
		return;
	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		running += entry->phase == ENTRY_RUNNING;
	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		if (entry->phase == ENTRY_QUEUED && running < RUNNING_MAX && !must_wait(entry)) {
			entry_start(entry);
			running++;
		}
}

static struct entry *
entry_find(const struct world *world, uint64_t id, uint64_t journal)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		if (entry->action.id == id && entry->action.journal == journal)
			return entry;
	return NULL;
}

static void
entry_tell(const struct entry *entry)
{
	struct outcome outcome = entry->outcome;

	outcome.state = entry->phase == ENTRY_QUEUED ? REQUEST_QUEUED : outcome.state;
	hypervisor_tell(entry->world, entry->phase == ENTRY_OVER ? MSG_OUTCOME : MSG_STARTED,
			&outcome);
}

static struct entry *
entry_add(struct world *world, const struct action *action)
{
	struct entry *entry = mem_alloc(sizeof(*entry));

	entry->world = world;
	entry->action = *action;
	entry->vm = world_vm(world, action->name);
	entry->outcome = (struct outcome){.id = action->id,
					  .journal = action->journal,
					  .verb = action->verb,
					  .action_domid = action->domid};
	memcpy(entry->outcome.uuid, action->uuid, UUID_SIZE);
	TAILQ_INSERT_TAIL(&world->hypervisor.entries, entry, next);
	return entry;
}

void
action_take(struct world *world, const struct action *action)
{
	struct entry *entry = entry_find(world, action->id, action->journal);
	char error[TEXT_SIZE];

	if (entry) {
		entry_tell(entry);
		return;
	}
	entry = entry_add(world, action);
	if (action_check(world->hypervisor.config, action, error)) {
		action_serve(world);
		return;
	}
	TEXT_SET(entry->outcome.error, error);
	entry_over(entry, REQUEST_FAILED);
}

void
action_cancel(struct world *world, const struct action *action)
{
	struct entry *entry = entry_find(world, action->id, action->journal);

	if (!entry)
		entry = entry_add(world, action);
	if (entry->phase == ENTRY_QUEUED)
		entry_over(entry, REQUEST_CANCELLED);
	else
		entry_tell(entry);
	action_serve(world);
}

void
action_forget(struct world *world, const struct outcome *outcome)
{
	struct entry *entry = entry_find(world, outcome->id, outcome->journal);

	if (!entry || entry->phase != ENTRY_OVER)
		return;
	entry->forgotten = true;
	if (!entry->mends)
		entry_free(entry);
}

void
action_resend(struct world *world)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		entry_tell(entry);
}

void
action_die(struct world *world, struct vm_truth *vm)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		if (entry->phase == ENTRY_RUNNING && entry->vm == vm) {
			entry_lost(entry, "its helper was killed by signal 9");
			return;
		}
}

void
action_orphan(struct world *world)
{
	struct entry *entry, *next;

	for (entry = TAILQ_FIRST(&world->hypervisor.entries); entry; entry = next) {
		next = TAILQ_NEXT(entry, next);
		if (entry->phase == ENTRY_QUEUED)
			entry_free(entry);
	}
}

void
action_host_down(struct world *world)
{
	while (!TAILQ_EMPTY(&world->hypervisor.entries))
		entry_free(TAILQ_FIRST(&world->hypervisor.entries));
}
