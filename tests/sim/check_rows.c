/* Rows: once the engine was told how the world is, they say so. */
#include <string.h>

#include "base/uuid.h"
#include "tests/sim/check_internal.h"

#define AWAIT_MS 6000 /* for a domain that an action made to be listed */

static const struct mib_vm *
row_of(const struct world *world, const char *name)
{
	const struct rowset *set = &world->agentx.rows.sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++) {
		const struct mib_vm *row = rowset_at(set, i);

		if (strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

bool
check_has_action(const struct world *world, const char *name)
{
	const struct entry *entry;

	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		if (strcmp(entry->action.name, name) == 0)
			return true;
	return false;
}

static bool
fits(const struct domain *d, enum vm_state state)
{
	if (!d)
		return state == VM_SHUTDOWN || state == VM_CRASHED || state == VM_SUSPENDED;
	switch (d->phase) {
	case PHASE_BUILDING:
		return state == VM_PREPARING || state == VM_RESUMING;
	case PHASE_LIVE:
		return d->pauses > 0 ? state == VM_PAUSED : state == VM_RUNNING;
	case PHASE_SHUTDOWN:
		return d->reason == REASON_CRASH ? state == VM_CRASHED
		       : d->reason == REASON_SUSPEND
			   ? state == VM_SUSPENDING
			   : state == VM_SHUTTING_DOWN || state == VM_SHUTDOWN;
	case PHASE_DYING:
		break;
	}
	return true;
}

/* A VM whose last change both passes have seen, and on which nothing is at work. */
static void
compare(struct world *world, const struct vm_truth *vm)
{
	const struct check *check = world->check;
	const struct mib_vm *row;
	int64_t seen_ms =
	    check->states_ms < check->figures_ms ? check->states_ms : check->figures_ms;

	if (vm->changed_ms >= seen_ms ||
	    world_now(world) - watched_of(world, vm->def.name)->outcome_ms < AWAIT_MS ||
	    check_has_action(world, vm->def.name))
		return;
	row = row_of(world, vm->def.name);
	if (!row && vm->domain)
		check_fail(world, "rows", "%s is there and has no row", vm->def.name);
	if (!row)
		return;
	if (!fits(vm->domain, row->state))
		check_fail(world, "rows", "%s is said to be %s", vm->def.name,
			   name_of(vm_state_names, row->state));
	if (vm->domain && row->domid != (int32_t)vm->domain->domid)
		check_fail(world, "rows", "%s is domain %u, not %d", vm->def.name,
			   vm->domain->domid, row->domid);
}

void
rows_sampled(struct world *world)
{
	struct check *check = world->check;

	if (!check->states_told)
		return;
	check->states_told = false;
	if (!world->agentx.channel.attached || !check->figures_ok)
		return;
	for (size_t i = 0; i < check->watched_count; i++)
		compare(world, check->watched[i].vm);
}

/* What an action made is waited for. */
static void
note_outcome(struct world *world, const struct outcome *outcome)
{
	struct check *check = world->check;
	uint8_t uuid[UUID_SIZE];

	for (size_t i = 0; i < check->watched_count; i++) {
		const struct vm_truth *vm = check->watched[i].vm;

		if (!vm->domain ||
		    (uuid_parse(vm->domain->def.uuid, uuid) && uuid_equal(uuid, outcome->uuid)))
			check->watched[i].outcome_ms = world_now(world);
	}
}

void
rows_told(struct world *world, const struct message *message)
{
	const struct fact_sample *sample = (const struct fact_sample *)message->body;
	struct check *check = world->check;
	int64_t begun_ms;

	if (message->type == MSG_OUTCOME)
		note_outcome(world, (const struct outcome *)message->body);
	if (message->type != MSG_SAMPLE)
		return;
	begun_ms = world->booted_ms + sample->mono_ms - sample->duration_us / 1000;
	if (sample->kind == SAMPLE_FIGURES) {
		check->figures_ok = sample->ok;
		check->figures_ms = begun_ms;
	} else if (sample->ok && !sample->urgent) {
		if (begun_ms - check->states_ms > (int64_t)world->daemon.config->interval_ms +
						      (int64_t)world->daemon.config->silence_ms)
			check->heard_ms = world_now(world);
		check->states_ms = begun_ms;
		check->states_told = true; /* the engine has still to hear of it */
	}
}
