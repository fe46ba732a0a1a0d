/*
 * What is known of each VM while the world goes on: what a person or a manager wants of it, who
 * ended it, what nobody can tell. The rules (check_supervision.c) hold the engine against it.
 */
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "tests/sim/check_internal.h"

#define LATE_MS 300000
#define UNSURE_MS 10000 /* after the end of an action that is not known */

bool
check_lives(const struct vm_truth *vm)
{
	return vm->domain &&
	       (vm->domain->phase == PHASE_LIVE || vm->domain->phase == PHASE_BUILDING);
}

static void
wants(struct world *world, struct watched *watched, uint32_t verb)
{
	static const enum person persons[] = {
	    [VERB_START] = PERSON_RUN,	  [VERB_SHUTDOWN] = PERSON_OFF, [VERB_REBOOT] = PERSON_RUN,
	    [VERB_PAUSE] = PERSON_PAUSED, [VERB_UNPAUSE] = PERSON_RUN,	[VERB_DESTROY] = PERSON_OFF,
	    [VERB_SAVE] = PERSON_OFF,	  [VERB_RESTORE] = PERSON_RUN,	[VERB_LAUNCH] = PERSON_RUN,
	};

	watched->restarts_count = 0;
	if (verb == VERB_LAUNCH && watched->person == PERSON_PAUSED)
		return; /* it is no unpause */
	if (verb >= sizeof(persons) / sizeof(persons[0]) || persons[verb] == PERSON_NONE)
		return;
	watched->person = persons[verb];
	watched->person_ms = world_now(world);
}

/* A manager has asked for something that is not done. */
static bool
waits_for_more(const struct world *world, const char *vm)
{
	const struct check *check = world->check;

	for (size_t i = 0; i < check->asked_count; i++) {
		struct many many = {0};

		TEXT_SET(many.whom, check->asked[i].vm);
		if (check->asked[i].accepted && check->asked[i].ends == 0 &&
		    many_has(world, &many, vm))
			return true;
	}
	return false;
}

/* No engine that lives has ever heard of its domain. */
static bool
is_unheard_of(const struct world *world, const struct watched *watched)
{
	return watched->born_ms > world->check->states_ms &&
	       watched->born_ms < world->check->died_ms;
}

/* It ends already, and not as is wanted now. */
static bool
ends_otherwise(const struct vm_truth *vm, enum verb verb)
{
	return vm->domain && vm->domain->guest == GUEST_STOPPING && verb == VERB_SHUTDOWN &&
	       vm->domain->guest_reason != REASON_POWEROFF;
}

static bool
cannot_be_told(const struct world *world, const struct vm_truth *vm, enum verb verb)
{
	const struct watched *watched = watched_of(world, vm->def.name);

	/* While something else is done to it, or waits, nobody can tell who did what; nor what was
	 * done before lauxend knew of the host's boot. */
	if (!world->check->boot_on_disk || check_has_action(world, vm->def.name) ||
	    waits_for_more(world, vm->def.name) || world->check->boots)
		return true;
	if (world_now(world) - watched_of(world, vm->def.name)->outcome_ms < UNSURE_MS)
		return true;
	/* It may be the late end of a shutdown that failed. */
	if (verb == VERB_SHUTDOWN && world_now(world) - watched->stop_ms < LATE_MS &&
	    watched->born_ms < watched->stop_ms)
		return true;
	if (ends_otherwise(vm, verb) || is_unheard_of(world, watched_of(world, vm->def.name)))
		return true;
	/* It came and went between two looks, or ran on and was paused again. */
	if ((verb == VERB_DESTROY && watched->born_ms > world->check->states_ms) ||
	    (verb == VERB_PAUSE && watched->resumed_ms > world->check->states_ms))
		return true;
	return verb == VERB_SHUTDOWN && vm->def.on_poweroff != ON_DESTROY &&
	       vm->def.on_poweroff != ON_PRESERVE; /* its file has it start again */
}

void
check_person(struct world *world, struct vm_truth *vm, enum verb verb)
{
	struct watched *watched = watched_of(world, vm->def.name);
	const struct domain *d = vm->domain;

	if (cannot_be_told(world, vm, verb)) {
		watched->person = PERSON_UNCLEAR;
		return;
	}
	/* A second pause of one that we paused cannot be told from ours, one of the dead changes
	 * nothing; a reboot says nothing of what it was before. */
	if (verb == VERB_REBOOT)
		return;
	if (d && verb == VERB_PAUSE && d->pauses > 1 && watched->blocked == 0)
		watched->person = PERSON_UNCLEAR; /* it was being made */
	if (d && verb == VERB_PAUSE && (d->pauses > 1 || d->phase != PHASE_LIVE))
		return;
	if (d && verb == VERB_UNPAUSE && (d->pauses > 0 || d->phase != PHASE_LIVE))
		return;
	wants(world, watched, verb);
}

/* What a launch needs is launched too, where it is off; sure: whether vm itself is launched, and
 * not well already. */
static void
wants_providers(struct world *world, const struct config_vm *vm, bool sure)
{
	const struct config *config = world->daemon.config;

	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_vm *provider =
		    vm->needs[i].external ? NULL : &config->vms[vm->needs[i].provider];
		struct watched *watched =
		    provider ? watched_of(world, provider->provider.name) : NULL;

		if (!watched)
			continue;
		if (watched->person == PERSON_OFF && sure)
			wants(world, watched, VERB_LAUNCH);
		else if (watched->person == PERSON_OFF)
			watched->person = PERSON_UNCLEAR;
		wants_providers(world, provider, sure && !check_lives(watched->vm));
	}
}

static void
maintain(struct world *world, struct watched *watched, uint32_t seconds)
{
	watched->maintenance_ms = seconds ? world_now(world) : 0;
	watched->maintenance_s = seconds;
}

/* By itself: its time must be over, by one clock or the other. */
static void
maintenance_ended(struct world *world, struct watched *watched)
{
	int64_t over_ms = watched->maintenance_ms + (int64_t)watched->maintenance_s * 1000;

	if (watched->maintenance_ms != 0 && world->wall_skew_ms == 0 &&
	    (watched->maintenance_s == UINT32_MAX || world_now(world) < over_ms))
		check_fail(world, "maintenance", "%s: it ended too early", watched->vm->def.name);
	watched->maintenance_ms = 0;
}

/* Lives, and the engine may know that it is this one: by the UUID in its file, or by its name. */
static bool
is_seen_alive(const struct world *world, const struct watched *watched)
{
	const struct config_vm *config = check_vm(world, watched->vm->def.name);

	return check_lives(watched->vm) && ((config && !uuid_is_zero(config->uuid)) ||
					    watched->born_ms < world->check->figures_ms);
}

static void
add_many(struct world *world, const struct asked *asked)
{
	struct check *check = world->check;
	struct many *many;

	check->many = mem_resize(check->many, check->many_count + 1, sizeof(*check->many));
	many = &check->many[check->many_count++];
	*many = (struct many){.verb = asked->verb, .accepted_ms = asked->accepted_ms};
	TEXT_SET(many->id, asked->id);
	TEXT_SET(many->whom, asked->vm);
	/* Who comes after that is another's wish. */
	for (size_t i = 0; i < check->watched_count; i++)
		if (!is_seen_alive(world, &check->watched[i]))
			check->watched[i].off_ms = asked->accepted_ms;
}

/* A standby that is idle is none of many. */
static bool
is_meant(const struct world *world, const struct many *many, const struct watched *watched)
{
	const char *vm = watched->vm->def.name;
	const struct config_vm *config = check_vm(world, vm);

	if (strcmp(many->whom, vm) == 0)
		return true;
	return many_has(world, many, vm) && !(many->verb == VERB_LAUNCH && config->standby_of >= 0);
}

/* A manager was told yes: from now on it counts. */
void
supervision_accepted(struct world *world, const struct asked *asked, uint32_t number)
{
	struct check *check = world->check;
	uint32_t verb = asked->verb;
	struct many many = {.verb = verb};

	TEXT_SET(many.whom, asked->vm);
	if (verb == VERB_DESIRE)
		verb = number == DESIRED_RUNNING ? VERB_LAUNCH : VERB_SHUTDOWN;
	if (asked->vm[0] == '*' || strncmp(asked->vm, "group:", 6) == 0)
		add_many(world, asked);
	for (size_t i = 0; i < check->watched_count; i++) {
		struct watched *watched = &check->watched[i];

		if (!is_meant(world, &many, watched))
			continue;
		wants(world, watched, verb);
		if (verb == VERB_LAUNCH && check_vm(world, watched->vm->def.name))
			wants_providers(world, check_vm(world, watched->vm->def.name), true);
		if (verb == VERB_MAINTENANCE && number == 0)
			watched->maintenance_ms = 0;
	}
}

/* Whether what a request that failed, or never was, has not made of a VM is still wanted, nobody
 * can tell; of those that it needs neither. */
static void
spare(struct world *world, const struct asked *asked)
{
	struct check *check = world->check;
	struct many many = {.verb = asked->verb};
	bool launches = asked->verb == VERB_LAUNCH || asked->verb == VERB_DESIRE;

	TEXT_SET(many.whom, asked->vm);
	for (size_t i = 0; i < check->watched_count; i++) {
		struct watched *watched = &check->watched[i];

		/* Who is off already is to stay so; one in maintenance is left out. */
		if ((launches || many_has(world, &many, watched->vm->def.name)) &&
		    watched->person_ms == asked->accepted_ms &&
		    (watched->person != PERSON_OFF || check_lives(watched->vm) ||
		     watched->maintenance_ms != 0))
			watched->person = PERSON_UNCLEAR;
	}
}

void
supervision_ended(struct world *world, const struct mib_event *event)
{
	struct check *check = world->check;
	const struct asked *asked = NULL;

	for (size_t i = 0; i < check->many_count; i++)
		if (strcmp(check->many[i].id, event->request) == 0)
			check->many[i--] = check->many[--check->many_count];
	for (size_t i = 0; i < check->asked_count; i++)
		if (strcmp(check->asked[i].id, event->request) == 0)
			asked = &check->asked[i];
	if (asked && event->outcome != REQUEST_SUCCEEDED)
		spare(world, asked);
	if (asked && asked->verb == VERB_MAINTENANCE && event->outcome == REQUEST_SUCCEEDED &&
	    watched_of(world, asked->vm))
		maintain(world, watched_of(world, asked->vm), asked->number_asked);
}

/* It is carried out, and nobody was told yes: whether it is wanted still nobody can tell. */
static void
carried_out(struct world *world, const struct mib_event *event)
{
	struct check *check = world->check;

	for (size_t i = 0; i < check->asked_count; i++)
		if (check->asked[i].accepted && strcmp(check->asked[i].id, event->request) == 0)
			return;
	for (size_t i = 0; i < check->watched_count; i++)
		if (*event->vm_name == '\0' || event->verb == VERB_LAUNCH ||
		    event->verb == VERB_DESIRE ||
		    strcmp(check->watched[i].vm->def.name, event->vm_name) == 0)
			check->watched[i].person = PERSON_UNCLEAR;
}

/* Who ended the standby on purpose wants the primary neither. */
static void
standby_released(struct world *world, struct watched *watched)
{
	const struct config_vm *vm = check_vm(world, watched->vm->def.name);
	const struct watched *standby;

	if (!vm || vm->standby < 0)
		return;
	standby = watched_of(world, world->daemon.config->vms[vm->standby].provider.name);
	if (standby->person == PERSON_OFF || standby->person == PERSON_UNCLEAR)
		watched->person = PERSON_UNCLEAR;
}

void
supervision_event(struct world *world, const struct mib_event *event)
{
	struct watched *watched = watched_of(world, event->vm_name);

	if (event->type == EVENT_REQUEST_ACCEPTED)
		carried_out(world, event);
	if (watched && event->type == EVENT_VM_BLOCKED)
		watched->blocked = 1;
	else if (watched && event->type == EVENT_VM_UNBLOCKED)
		watched->blocked = 0;
	else if (watched && event->type == EVENT_STANDBY_RELEASED)
		standby_released(world, watched);
	else if (watched && event->type == EVENT_MAINTENANCE_ENDED)
		maintenance_ended(world, watched);
}

void
check_domain(struct world *world, const struct domain *d, enum model_change change)
{
	struct watched *watched = watched_of(world, d->def.name);

	if (!watched)
		return;
	if (change == CHANGE_SHUTDOWN && d->reason == REASON_CRASH && watched->person == PERSON_OFF)
		watched->person = PERSON_UNCLEAR; /* it was to end, and did not by itself */
	/* Who started it by hand told nobody, and nobody has seen it. */
	if (change == CHANGE_GONE && watched->born_ms > world->check->states_ms &&
	    watched->person == PERSON_RUN)
		watched->person = PERSON_UNCLEAR;
	if (change == CHANGE_GONE || change == CHANGE_SHUTDOWN)
		watched->off_ms = world_now(world);
	if (change == CHANGE_GONE || change == CHANGE_BORN ||
	    (change == CHANGE_STATE && d->pauses == 0))
		watched->acted_on = false;
	if (change == CHANGE_BORN)
		watched->born_ms = world_now(world);
	if (change == CHANGE_STATE && d->pauses == 0)
		watched->resumed_ms = world_now(world);
	if (d->pauses > 0)
		watched->paused_ms = world_now(world);
}

/* What it sent a moment ago may not be on disk, and is not counted then. */
void
supervision_died(struct world *world)
{
	struct check *check = world->check;

	check->died_ms = world_now(world);
	for (size_t i = 0; i < check->watched_count; i++) {
		struct watched *watched = &check->watched[i];

		if (is_unheard_of(world, watched))
			watched->person = PERSON_UNCLEAR;
		/* What was asked for since the host's boot is the boot's again. */
		if (!check->boot_on_disk && watched->person != PERSON_NONE)
			watched->person = PERSON_UNCLEAR;
		if (watched->restarts_count > 0 &&
		    world_now(world) - watched->restarts_ms[watched->restarts_count - 1] < SLACK_MS)
			watched->restarts_count--;
	}
}

/* A VM that was in no section is looked at as if for the first time. */
void
supervision_loaded(struct world *world)
{
	struct check *check = world->check;

	for (size_t i = 0; i < check->watched_count; i++) {
		struct watched *watched = &check->watched[i];
		const struct config_vm *vm = check_vm(world, watched->vm->def.name);
		bool starts = vm && vm->policy.autostart && vm->standby_of < 0;

		/* Who comes later is launched by the next boot, or by who wants it. */
		if (vm && !watched->configured) {
			watched->person = PERSON_NONE;
			watched->came_ms = world_now(world);
		}
		if (starts && !watched->autostart && check->loads > 0)
			watched->came_late = true;
		watched->configured = vm != NULL;
		watched->autostart = starts;
		watched->restarts_count = 0;
	}
	check->loads++;
}
