/*
 * What supervision may do of its own, held against the world itself: when it starts, pauses,
 * resumes, restarts and shuts down, and when it must not.
 */
#include <string.h>

#include "base/mem.h"
#include "tests/sim/check_internal.h"

#define OF_ITS_OWN(action) ((action)->id >> 63)

const struct config_vm *
check_vm(const struct world *world, const char *vm)
{
	const struct config_vm *found =
	    world->daemon.config ? config_find_vm(world->daemon.config, vm) : NULL;

	return found && strcmp(found->provider.name, vm) == 0 ? found : NULL;
}

static const struct config_service *
service_of(const struct world *world, const struct config_need *need)
{
	const struct config *config = world->daemon.config;

	return need->external ? &config->externals[need->provider].provider.services[need->service]
			      : &config->vms[need->provider].provider.services[need->service];
}

/* The service of the standby that counts in its place, or NULL. */
static const struct config_service *
stand_in_of(const struct world *world, const struct config_need *need)
{
	const struct config *config = world->daemon.config;
	const struct config_provider *standby;

	if (need->external || config->vms[need->provider].standby < 0)
		return NULL;
	standby = &config->vms[config->vms[need->provider].standby].provider;
	for (size_t i = 0; i < standby->services_count; i++)
		if (strcmp(standby->services[i].name, service_of(world, need)->name) == 0)
			return &standby->services[i];
	return NULL;
}

/* How long it may take until the engine knows that a service is down. */
static int64_t
notice_ms(const struct world *world, const struct config_service *service)
{
	const struct config_watch *watch = &service->watch;

	(void)world;
	return (int64_t)(watch->fall + 1) * (watch->interval_ms + watch->timeout_ms + 1000) +
	       SLACK_MS;
}

static bool
served_lately(const struct world *world, const struct config_need *need)
{
	const struct config_service *service = service_of(world, need);
	const struct config_service *stand_in = stand_in_of(world, need);
	int64_t ms = notice_ms(world, service);

	return world_served_lately(world, service, ms) ||
	       (stand_in && world_served_lately(world, stand_in, ms));
}

static bool
served_long(const struct world *world, const struct config_need *need)
{
	const struct config_service *service = service_of(world, need);

	return world_served_long(world, service, notice_ms(world, service));
}

/* ---- what it says of services itself ---- */

static const struct mib_vm *
vm_row(const struct world *world, const char *name)
{
	const struct rowset *set = &engine_rows(world->daemon.engine)->sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++) {
		const struct mib_vm *row = rowset_at(set, i);

		if (row->configured && strcmp(row->name, name) == 0)
			return row;
	}
	return NULL;
}

/* How many of its dependencies are in a state. */
static unsigned
dependencies(const struct world *world, const char *name, enum dependency_state state)
{
	const struct rowset *set = &engine_rows(world->daemon.engine)->sets[KIND_DEPENDENCY];
	const struct mib_vm *vm = vm_row(world, name);
	unsigned count = 0;

	for (size_t i = 0; vm && i < set->count; i++) {
		const struct mib_dependency *row = rowset_at(set, i);

		count += row->vm == vm->index && row->state == (int32_t)state;
	}
	return count;
}

/* ---- rules ---- */

/* Nothing is started before all that it needs is up, unless it waited for as long as it may. */
static void
needs_first(struct world *world, const struct action *action, const struct config_vm *vm)
{
	if (action->verb != VERB_START ||
	    (vm->policy.on_start_timeout == START_ANYWAY && vm->policy.start_timeout_ms > 0))
		return;
	for (size_t i = 0; i < vm->needs_count; i++)
		if (!served_lately(world, &vm->needs[i]))
			check_fail(world, "needs-first",
				   "%s is started, and %s that it needs is down", action->name,
				   service_of(world, &vm->needs[i])->name);
	if (dependencies(world, action->name, DEPENDENCY_FAILED) +
		dependencies(world, action->name, DEPENDENCY_UNKNOWN) >
	    0)
		check_fail(world, "needs-first", "%s is started, and not all its rows say ok",
			   action->name);
}

static bool
any_acted_on(const struct world *world, const struct config_vm *vm)
{
	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_need *need = &vm->needs[i];
		const struct watched *provider;

		if (need->external)
			continue;
		provider =
		    watched_of(world, world->daemon.config->vms[need->provider].provider.name);
		if (provider && provider->acted_on)
			return true;
	}
	return false;
}

/* Nobody is paused, or shut down, for an unknown: something that it needs must have failed. */
static void
not_for_unknown(struct world *world, const struct action *action, const struct config_vm *vm)
{
	/* One that could not be paused at first is tried again until all is up. */
	if (action->verb != VERB_PAUSE || watched_of(world, action->name)->blocked > 1)
		return;
	if (dependencies(world, action->name, DEPENDENCY_FAILED) == 0)
		check_fail(world, "unknown", "%s is paused, and none of its rows says failed",
			   action->name);
	/* While the hypervisor is silent nobody is probed that was off. */
	if (world_now(world) - world->check->heard_ms < SLACK_MS)
		return;
	/* Where a standby is, whose answer counts is the engine's to know. */
	for (size_t i = 0; i < vm->needs_count; i++)
		if (stand_in_of(world, &vm->needs[i]) || !served_long(world, &vm->needs[i]) ||
		    !check_offers(world, &vm->needs[i]))
			return;
	if (!any_acted_on(world, vm))
		check_fail(world, "unknown", "%s is paused, and all that it needs is up",
			   action->name);
}

/* The engine knows what a person did to it, or asked for: after the death of one before it that
 * takes a while. */
static bool
is_told(const struct world *world, const struct watched *watched)
{
	const struct check *check = world->check;

	if (check->died_ms > watched->person_ms && world_now(world) - check->died_ms < SLACK_MS)
		return false;
	return check->states_ms > watched->person_ms && check->states_ms > watched->vm->changed_ms;
}

/* What a person did on purpose stays, once the engine was told. Whether it was that, or an action
 * of the engine's own which ended a guest that was ending, nobody can tell. */
static void
left_alone(struct world *world, const struct action *action, const struct watched *watched)
{
	static const uint32_t of_off[] = {VERB_START, ACTION_RESTART, VERB_RESTORE};
	static const uint32_t of_paused[] = {VERB_START, ACTION_RESTART, VERB_UNPAUSE,
					     VERB_SHUTDOWN, VERB_DESTROY};
	const uint32_t *verbs = watched->person == PERSON_OFF ? of_off : of_paused;
	size_t count = watched->person == PERSON_OFF ? sizeof(of_off) / sizeof(of_off[0])
						     : sizeof(of_paused) / sizeof(of_paused[0]);

	if (check_events(world, EVENT_STANDBY_TOOK_OVER, action->name) >
	    check_events(world, EVENT_STANDBY_RELEASED, action->name))
		return; /* it is to make room */
	if (watched->person == PERSON_PAUSED && watched->born_ms > watched->person_ms)
		return; /* the domain that was paused is gone: a restart had begun */
	/* A standby is its primary's. One that is to end on purpose, and has not, cannot be told
	 * from one that fails. */
	if ((watched->person != PERSON_OFF && watched->person != PERSON_PAUSED) ||
	    check_vm(world, action->name)->standby_of >= 0 ||
	    (watched->person == PERSON_OFF && check_lives(watched->vm)))
		return;
	for (size_t i = 0; is_told(world, watched) && i < count; i++)
		if (verbs[i] == action->verb)
			check_fail(world, "left-alone", "%s: %s, and a person has it %s",
				   action->name, name_of(verb_names, (int)action->verb),
				   watched->person == PERSON_OFF ? "off" : "paused");
}

/* A manager wants something of this VM alone that takes the engine's own actions. */
static bool
is_asked_for(const struct world *world, const char *vm)
{
	const struct check *check = world->check;

	for (size_t i = 0; i < check->asked_count; i++) {
		const struct asked *asked = &check->asked[i];

		if (asked->accepted && asked->ends == 0 && strcmp(asked->vm, vm) == 0 &&
		    (asked->verb == VERB_LAUNCH || asked->verb == VERB_DESIRE))
			return true;
	}
	return false;
}

/* Its death is dealt with as its file says, in maintenance too. */
static void
maintained(struct world *world, const struct action *action, const struct watched *watched)
{
	if (watched->maintenance_ms == 0 || action->verb == ACTION_REAP ||
	    action->verb == ACTION_REPLACE || is_asked_for(world, action->name))
		return;
	check_fail(world, "maintenance", "%s is in maintenance, and %s goes out", action->name,
		   name_of(verb_names, (int)action->verb));
}

static bool
is_restart(const struct action *action, const struct watched *watched)
{
	if (action->verb == ACTION_RESTART)
		return true;
	return action->verb == ACTION_REPLACE && watched->vm->domain &&
	       watched->vm->domain->phase == PHASE_SHUTDOWN &&
	       watched->vm->domain->reason == REASON_CRASH;
}

static void
restart_limit(struct world *world, const struct action *action, struct watched *watched,
	      const struct config_vm *vm)
{
	int64_t from_ms = world_now(world) - vm->policy.restart_window_ms;
	size_t kept = 0;

	/* They are kept by the wall clock, and on the disk. */
	if (!is_restart(action, watched) || vm->provider.services_count == 0 ||
	    world->wall_skew_ms != 0 || world->check->lost_memory)
		return;
	if (action->id == watched->restart_id)
		return; /* it is sent again */
	watched->restart_id = action->id;
	for (size_t i = 0; i < watched->restarts_count; i++)
		if (watched->restarts_ms[i] > from_ms)
			watched->restarts_ms[kept++] = watched->restarts_ms[i];
	watched->restarts_count = kept;
	if (kept >= vm->policy.restart_limit)
		check_fail(world, "restart-limit", "%s is restarted the %zu. time; %u are allowed",
			   action->name, kept + 1, vm->policy.restart_limit);
	if (kept < RESTARTS_MAX)
		watched->restarts_ms[watched->restarts_count++] = world_now(world);
}

/* Nothing is restarted while it boots, nor while what it needs is away. */
static void
boots_first(struct world *world, const struct action *action, const struct watched *watched,
	    const struct config_vm *vm)
{
	const struct domain *d = watched->vm->domain;

	/* Where the wall clock was set nobody knows when it began. */
	if (action->verb != ACTION_RESTART || world->wall_skew_ms != 0)
		return;
	if (d && d->phase == PHASE_LIVE && d->up_ms < 0 &&
	    domain_active_ms(d) + SLACK_MS < vm->policy.boot_ms && d->guest == GUEST_BOOTING)
		check_fail(world, "boots-first", "%s is restarted while it boots", action->name);
	for (size_t i = 0; i < vm->needs_count; i++)
		if (!served_lately(world, &vm->needs[i]))
			check_fail(world, "boots-first",
				   "%s is restarted, and what it needs is down", action->name);
}

bool
many_has(const struct world *world, const struct many *many, const char *vm)
{
	const struct config_vm *config = check_vm(world, vm);

	if (!config)
		return false;
	if (strcmp(many->whom, "*") == 0)
		return true;
	if (strncmp(many->whom, "group:", 6) == 0)
		return strcmp(config->group, many->whom + 6) == 0;
	return strcmp(many->whom, vm) == 0;
}

static bool
needs(const struct world *world, const struct config_vm *vm, const struct config_vm *provider)
{
	const struct config *config = world->daemon.config;

	for (size_t i = 0; i < vm->needs_count; i++)
		if (!vm->needs[i].external && &config->vms[vm->needs[i].provider] == provider)
			return true;
	return false;
}

/* Another request is about the provider, and not about who depends on it. */
static bool
is_shut_alone(const struct world *world, const char *provider, const char *dependent)
{
	const struct check *check = world->check;

	for (size_t i = 0; i < check->many_count; i++)
		if (check->many[i].verb == VERB_SHUTDOWN &&
		    many_has(world, &check->many[i], provider) &&
		    !many_has(world, &check->many[i], dependent))
			return true;
	for (size_t i = 0; i < check->asked_count; i++)
		if (check->asked[i].accepted && check->asked[i].ends == 0 &&
		    strcmp(check->asked[i].vm, provider) == 0)
			return true;
	return false;
}

/* A provider only when all that depend on it, among those to be shut down, are off. */
static void
dependents_first(struct world *world, const struct action *action, const struct config_vm *vm)
{
	const struct check *check = world->check;

	if ((action->verb != VERB_SHUTDOWN && action->verb != VERB_DESTROY) ||
	    vm->policy.on_dependency == DEPENDENCY_SHUTDOWN)
		return;
	for (size_t i = 0; i < check->many_count; i++) {
		const struct many *many = &check->many[i];

		if (many->verb != VERB_SHUTDOWN || !many_has(world, many, action->name))
			continue;
		for (size_t j = 0; j < check->watched_count; j++) {
			const struct watched *other = &check->watched[j];
			const struct config_vm *dependent = check_vm(world, other->vm->def.name);

			if (dependent && many_has(world, many, other->vm->def.name) &&
			    needs(world, dependent, vm) && check_lives(other->vm) &&
			    other->born_ms < check->states_ms &&
			    other->came_ms <= many->accepted_ms &&
			    !is_shut_alone(world, action->name, other->vm->def.name) &&
			    other->off_ms < many->accepted_ms)
				check_fail(world, "dependents-first",
					   "%s is shut down, and %s, which needs it, is not off",
					   action->name, other->vm->def.name);
		}
	}
}

/* Of a VM and its standby one is started only while the other is off, for all that the engine was
 * told: they may have the same disks. */
static void
alone(struct world *world, const struct action *action, const struct config_vm *vm)
{
	int32_t place = vm->standby >= 0 ? vm->standby : vm->standby_of;
	const struct watched *other;

	if ((action->verb != VERB_START && action->verb != VERB_RESTORE) || place < 0)
		return;
	other = watched_of(world, world->daemon.config->vms[place].provider.name);
	if (other && check_lives(other->vm) && other->born_ms + SLACK_MS < world->check->states_ms)
		check_fail(world, "alone", "%s is started, and %s is not off", action->name,
			   other->vm->def.name);
}

void
supervision_action(struct world *world, const struct action *action)
{
	static const uint32_t ends[] = {VERB_PAUSE, VERB_SHUTDOWN, VERB_DESTROY,
					VERB_SAVE,  VERB_REBOOT,   ACTION_RESTART};
	const struct config_vm *vm = check_vm(world, action->name);
	struct watched *watched = watched_of(world, action->name);

	if (!watched)
		return;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		watched->acted_on |= ends[i] == action->verb;
	if (action->verb == VERB_SHUTDOWN || action->verb == ACTION_RESTART)
		watched->stop_ms = world_now(world);
	if (!OF_ITS_OWN(action) || !vm)
		return;
	needs_first(world, action, vm);
	alone(world, action, vm);
	not_for_unknown(world, action, vm);
	if (action->verb == VERB_PAUSE) {
		watched->blocked++;
		if (watched->person == PERSON_PAUSED)
			watched->person = PERSON_UNCLEAR; /* it paused what was paused */
	}
	left_alone(world, action, watched);
	if ((action->verb == ACTION_RESTART || action->verb == VERB_SHUTDOWN ||
	     action->verb == VERB_DESTROY) &&
	    watched->person == PERSON_OFF && (check_lives(watched->vm) || !is_told(world, watched)))
		watched->person = PERSON_UNCLEAR;
	maintained(world, action, watched);
	restart_limit(world, action, watched, vm);
	boots_first(world, action, watched, vm);
	dependents_first(world, action, vm);
}
