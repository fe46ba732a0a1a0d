/*
 * Rest: once nothing fails any more and nobody wants anything, all that should run runs, within a
 * time that the configuration bounds. What does not run must have a reason that holds in the world.
 */
#include <string.h>

#include "tests/sim/check_internal.h"

#define RETRY_MS 30000 /* the engine tries again what failed after so long */
#define BOUND_LEAST_MS 120000
#define REST_SLACK_MS 60000 /* for passes, the store, processes that come back */

/* Its restarts one after the other, and what each takes. */
static int64_t
vm_bound_ms(const struct config *config, const struct config_vm *vm)
{
	const struct config_policy *policy = &vm->policy;
	int64_t notice_ms = 0, backoff_ms = policy->restart_backoff_ms, once_ms, all_ms = 0;

	for (size_t i = 0; i < vm->provider.services_count; i++) {
		const struct config_watch *watch = &vm->provider.services[i].watch;
		int64_t ms = (int64_t)(watch->fall + watch->rise) *
				 (watch->interval_ms + watch->timeout_ms + 1000) +
			     watch->grace_ms;

		notice_ms = ms > notice_ms ? ms : notice_ms;
	}
	once_ms = notice_ms + policy->boot_ms + policy->start_delay_ms + policy->shutdown_ms +
		  config->action_ms + RETRY_MS;
	for (uint32_t i = 0; i <= policy->restart_limit; i++, backoff_ms *= 2)
		all_ms += once_ms + backoff_ms;
	return all_ms + policy->start_timeout_ms;
}

/* One VM after the other, as if all stood in one chain. */
int64_t
check_bound_ms(const struct world *world)
{
	const struct config *config = world->daemon.config;
	int64_t ms = REST_SLACK_MS + BOUND_LEAST_MS;

	for (size_t i = 0; config && i < config->vms_count; i++)
		ms += vm_bound_ms(config, &config->vms[i]);
	return ms;
}

/* ---- one VM ---- */

static const struct mib_vm *
row_of(const struct world *world, const char *name)
{
	const struct rowset *set = &world->agentx.rows.sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++) {
		const struct mib_vm *row = rowset_at(set, i);

		if (row->configured && strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

static bool
all_answer(const struct world *world, const struct config_vm *vm)
{
	for (size_t i = 0; i < vm->provider.services_count; i++)
		if (world_probe(world, &vm->provider.services[i]) != PROBE_UP)
			return false;
	return true;
}

static bool
is_up(const struct world *world, const struct config_vm *vm, const struct vm_truth *truth)
{
	const struct domain *d = truth->domain;

	return d && d->phase == PHASE_LIVE && d->pauses == 0 && all_answer(world, vm);
}

bool
check_offers(const struct world *world, const struct config_need *need)
{
	const struct config_vm *vm = &world->daemon.config->vms[need->provider];
	const struct vm_truth *truth;
	const struct mib_vm *row;

	if (need->external)
		return true;
	row = row_of(world, vm->provider.name);
	if (vm->standby >= 0 && row && row->monitor == MONITOR_REPLACED)
		vm = &world->daemon.config->vms[vm->standby];
	truth = world_vm(world, vm->provider.name);
	return truth->domain && truth->domain->phase == PHASE_LIVE && truth->domain->pauses == 0;
}

/* A service that it needs does not answer, which is the fault of who offers it. */
static bool
lacks_something(const struct world *world, const struct config_vm *vm)
{
	const struct config *config = world->daemon.config;

	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_need *need = &vm->needs[i];
		const struct config_provider *provider =
		    need->external ? &config->externals[need->provider].provider
				   : &config->vms[need->provider].provider;

		if (world_probe(world, &provider->services[need->service]) != PROBE_UP ||
		    !check_offers(world, need))
			return true;
	}
	return false;
}

/* It, or one that it needs, crashes again and again. */
static bool
is_shaky(const struct world *world, const struct config_vm *vm)
{
	const struct config *config = world->daemon.config;
	const struct vm_truth *truth = world_vm(world, vm->provider.name);

	if (truth->def.crash_ms >= 0)
		return true;
	for (size_t i = 0; i < vm->needs_count; i++)
		if (!vm->needs[i].external && is_shaky(world, &config->vms[vm->needs[i].provider]))
			return true;
	return false;
}

/* It can come to no rest, or nobody can see that it should not be as it is. */
static bool
is_beyond_help(const struct config_vm *vm, const struct vm_truth *truth)
{
	const struct domain *d = truth->domain;

	if (vm->provider.services_count == 0)
		return !d || d->pauses == 0 || d->phase != PHASE_LIVE;
	return d && d->phase == PHASE_SHUTDOWN && d->reason == REASON_SUSPEND;
}

/* Who ends the standby on purpose wants neither; who wants the primary after it, not the standby.
 * Neither is started beside the other. */
static bool
is_excused_by_other(const struct world *world, const struct config_vm *vm,
		    const struct watched *watched)
{
	const struct config_vm *vms = world->daemon.config->vms;
	const struct watched *other;

	if (vm->standby >= 0) {
		other = watched_of(world, vms[vm->standby].provider.name);
		return other->vm->domain || other->person == PERSON_OFF ||
		       other->person == PERSON_UNCLEAR;
	}
	if (vm->standby_of < 0)
		return false;
	if (world_vm(world, vms[vm->standby_of].provider.name)->domain)
		return true;
	other = watched_of(world, vms[vm->standby_of].provider.name);
	return other->person != PERSON_NONE && other->person_ms > watched->person_ms;
}

static bool
is_excused(const struct world *world, const struct config_vm *vm, const struct watched *watched,
	   const struct mib_vm *row)
{
	const struct {
		enum monitor_state monitor;
		enum event_type event;
	} told[] = {{MONITOR_HUMAN, EVENT_NEEDS_HUMAN},
		    {MONITOR_REPLACED, EVENT_STANDBY_TOOK_OVER}};
	const char *name = vm->provider.name;

	/* Who paused it was known to an engine alone that could write nothing down. */
	if (world->check->lost_memory && row->state == VM_PAUSED && watched->blocked > 0)
		return true;
	if (watched->person == PERSON_OFF || watched->person == PERSON_PAUSED ||
	    watched->person == PERSON_UNCLEAR || row->monitor == MONITOR_MAINTENANCE)
		return true;
	if (watched->person != PERSON_RUN &&
	    (!vm->policy.autostart || vm->standby_of >= 0 || watched->came_late))
		return true;
	if (is_excused_by_other(world, vm, watched))
		return true;
	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (row->monitor == (int32_t)told[i].monitor &&
		    check_events(world, told[i].event, name) > 0)
			return true;
	return row->desired != DESIRED_RUNNING && check_events(world, EVENT_LEFT_ALONE, name) > 0;
}

/* Automatic memory never rests, as the figures do not. */
static bool
is_worked_on(const struct world *world, const char *name)
{
	const struct entry *entry;

	TAILQ_FOREACH (entry, &world->hypervisor.entries, next)
		if (entry->phase != ENTRY_OVER && entry->action.verb != VERB_MEMORY &&
		    strcmp(entry->action.name, name) == 0)
			return true;
	return false;
}

/* NULL: it is as it should be. */
static const char *
vm_unrest(const struct world *world, const struct config_vm *vm)
{
	const struct watched *watched = watched_of(world, vm->provider.name);
	const struct mib_vm *row = row_of(world, vm->provider.name);

	if (!row)
		return "it has no row";
	if (is_shaky(world, vm))
		return NULL;
	if (is_worked_on(world, vm->provider.name))
		return "an action is under way";
	if (is_up(world, vm, watched->vm) || is_beyond_help(vm, watched->vm) ||
	    is_excused(world, vm, watched, row) || lacks_something(world, vm))
		return NULL;
	return watched->vm->domain && watched->vm->domain->pauses > 0
		   ? "it is paused, and all that it needs is up"
		   : "it does not run, and should";
}

/* ---- requests ---- */

/* A launch goes on for as long as one of its VMs waits for something, or boots. */
static bool
may_run_on(const struct world *world, const struct asked *asked)
{
	const struct config *config = world->daemon.config;
	struct many many = {0};

	if (asked->verb != VERB_LAUNCH && asked->verb != VERB_DESIRE)
		return false;
	memcpy(many.whom, asked->vm, sizeof(many.whom));
	for (size_t i = 0; i < config->vms_count; i++) {
		const char *name = config->vms[i].provider.name;
		const struct mib_vm *row = row_of(world, name);

		if (many_has(world, &many, name) && row &&
		    (row->monitor == MONITOR_WAITING || row->monitor == MONITOR_BLOCKED ||
		     row->monitor == MONITOR_STARTING || row->monitor == MONITOR_FAILING))
			return true;
	}
	return false;
}

static const char *
request_unrest(const struct world *world, const struct asked **which)
{
	const struct check *check = world->check;

	for (size_t i = 0; i < check->asked_count; i++) {
		const struct asked *asked = &check->asked[i];

		*which = asked;
		if (asked->accepted && !asked->removed && asked->ends != 1 &&
		    !may_run_on(world, asked))
			return "was accepted and has not ended";
	}
	return NULL;
}

bool
check_rests(struct world *world, char *why, size_t size)
{
	const struct config *config = world->daemon.config;
	const struct asked *asked = NULL;
	const char *unrest;

	snprintf(why, size, "lauxend is not there");
	if (!config || !world->agentx.channel.attached || !world->hypervisor.lives)
		return false;
	for (size_t i = 0; i < config->vms_count; i++) {
		unrest = vm_unrest(world, &config->vms[i]);
		snprintf(why, size, "%s: %s", config->vms[i].provider.name, unrest ? unrest : "");
		if (unrest)
			return false;
	}
	unrest = request_unrest(world, &asked);
	if (unrest)
		snprintf(why, size, "%s, %s of %s, %s", asked->id,
			 name_of(verb_names, (int)asked->verb), asked->vm, unrest);
	return !unrest;
}

void
check_rest(struct world *world)
{
	char why[160];

	if (!check_rests(world, why, sizeof(why)))
		check_fail(world, "rest", "%s", why);
}
