#include "tests/sim/steps.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/verbs.h"

#define LOOK_MS 100	 /* between two looks at the states */
#define SETTLE_MS 10000	 /* for the states to show what was done */
#define MONITOR_MS 10000 /* for a monitor to act on a death */

typedef int64_t step(struct entry *entry);

static struct domain *
domain_of(const struct entry *entry)
{
	return entry->domid ? model_by_domid(entry->world->model, entry->domid) : NULL;
}

static bool
is_dead(const struct domain *d)
{
	return d->phase == PHASE_SHUTDOWN || d->phase == PHASE_DYING;
}

/* ---- steps ---- */

static int64_t fails(struct entry *entry, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static int64_t
fails(struct entry *entry, const char *format, ...)
{
	char text[TEXT_SIZE * 2];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	entry->outcome.state = REQUEST_FAILED;
	TEXT_SET(entry->outcome.error, text);
	return STEP_END;
}

/* Once: until when the rest of this step is waited for. */
static bool
in_time(struct entry *entry, int64_t ms)
{
	if (entry->until_ms == 0)
		entry->until_ms = world_now(entry->world) + ms;
	return world_now(entry->world) < entry->until_ms;
}

static bool
bears(const struct domain *d, const uint8_t uuid[UUID_SIZE])
{
	uint8_t own[UUID_SIZE];

	return uuid_parse(d->def.uuid, own) && uuid_equal(own, uuid);
}

/* The domain that is meant: by its domid, else by UUID, else by name. */
static struct domain *
locate(const struct entry *entry)
{
	const struct action *action = &entry->action;
	struct model *m = entry->world->model;
	struct domain *d = NULL;

	if (action->domid != 0) {
		d = model_by_domid(m, action->domid);
		return d && bears(d, action->uuid) ? d : NULL;
	}
	for (size_t i = 1; i < m->domain_count; i++)
		if (bears(m->domains[i], action->uuid))
			d = m->domains[i];
	return d ? d : model_find(m, action->name);
}

static int64_t
find(struct entry *entry)
{
	const struct domain *d = locate(entry);

	if (!d)
		return fails(entry, "domain %u of this VM is no more", entry->action.domid);
	entry->domid = d->domid;
	entry->monitored = d->monitor;
	return STEP_NEXT;
}

static int64_t
find_alive(struct entry *entry)
{
	int64_t next = find(entry);

	if (next == STEP_NEXT && is_dead(domain_of(entry)))
		return fails(entry, "domain %u is shut down already", entry->domid);
	return next;
}

/* For those that have succeeded where there is none. */
static int64_t
find_any(struct entry *entry)
{
	const struct domain *d = locate(entry);

	entry->domid = d ? d->domid : 0;
	entry->monitored = d && d->monitor;
	return STEP_NEXT;
}

static int64_t
pause_it(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || is_dead(d))
		return fails(entry, "domain %u is shut down already", entry->domid);
	if (d->pauses == 0)
		model_pause(d);
	return STEP_NEXT;
}

static int64_t
unpause_it(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || is_dead(d))
		return fails(entry, "domain %u is shut down already", entry->domid);
	while (d->pauses > 0 && d->phase != PHASE_BUILDING)
		model_unpause(d);
	return d->pauses > 0 ? fails(entry, "domain %u is still paused", d->domid) : STEP_NEXT;
}

static int64_t
destroy(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (d && d->phase != PHASE_DYING && !model_destroy(d))
		return fails(entry, "%s", entry->world->model->error);
	return STEP_NEXT;
}

static int64_t
gone(struct entry *entry)
{
	if (!domain_of(entry))
		return STEP_NEXT;
	return in_time(entry, SETTLE_MS) ? LOOK_MS
					 : fails(entry, "domain %u does not go", entry->domid);
}

/* The guest is asked; a restart goes on without it. */
static int64_t
ask(struct entry *entry)
{
	bool reboots = entry->action.verb == VERB_REBOOT;
	struct domain *d = domain_of(entry);

	if (!d || is_dead(d))
		return STEP_NEXT;
	if (d->pauses > 0 && entry->action.verb != ACTION_RESTART)
		return fails(entry, "it is paused and cannot hear: unpause it first");
	model_request(d, reboots ? REASON_REBOOT : REASON_POWEROFF);
	return STEP_NEXT;
}

static int64_t
ended(struct entry *entry)
{
	const struct config *config = entry->world->hypervisor.config;
	const struct config_vm *vm = config ? action_vm(config, &entry->action) : NULL;
	struct domain *d = domain_of(entry);
	bool destroys = vm ? vm->policy.shutdown_destroys : false;

	if (!d || is_dead(d))
		return STEP_NEXT;
	/* The limit is the helper's, which read the configuration when it began. */
	if (in_time(entry, vm ? vm->policy.shutdown_ms : 60000))
		return LOOK_MS;
	model_cancel_request(d);
	if (!destroys && entry->action.verb != ACTION_RESTART)
		return fails(entry, "the guest did not end in time, and is left running");
	entry->destroyed = true;
	model_destroy(d);
	return STEP_NEXT;
}

/* The dead domain goes: by its monitor, which gets its time, else by us. */
static int64_t
clear(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || d->phase == PHASE_DYING)
		return STEP_NEXT;
	if (entry->monitored && d->monitor && in_time(entry, MONITOR_MS))
		return LOOK_MS;
	return destroy(entry);
}

static int64_t
bury(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d)
		return STEP_NEXT;
	if (!is_dead(d))
		return fails(entry, "domain %u lives", d->domid);
	if (d->phase == PHASE_SHUTDOWN && d->reason == REASON_SUSPEND)
		return fails(entry, "domain %u is suspended", d->domid);
	if (entry->action.verb == ACTION_REPLACE && entry->action.number == ON_RENAME_RESTART &&
	    d->phase == PHASE_SHUTDOWN) {
		model_set_aside(d);
		entry->domid = 0;
		return STEP_NEXT;
	}
	return destroy(entry);
}

/* After a reboot of a VM with a monitor, which starts it again. */
static int64_t
reborn(struct entry *entry)
{
	const struct domain *d = entry->vm ? entry->vm->domain : NULL;

	if (!entry->monitored || entry->destroyed)
		return STEP_NEXT;
	if (d && d->domid != entry->action.domid && d->phase == PHASE_LIVE) {
		entry->outcome.domid = d->domid;
		entry->outcome.state = REQUEST_SUCCEEDED;
		return STEP_END;
	}
	return in_time(entry, MONITOR_MS)
		   ? LOOK_MS
		   : fails(entry, "it ended, but its own monitor did not start it again");
}

static int64_t
none_lives(struct entry *entry)
{
	struct action by_name = entry->action;
	const struct domain *d;

	entry->action.domid = 0;
	d = locate(entry);
	entry->action = by_name;
	if (d && is_dead(d))
		return fails(entry, "its dead domain %u still stands: destroy it first", d->domid);
	if (d)
		return fails(entry, "it lives already, as domain %u", d->domid);
	return STEP_NEXT;
}

static int64_t
build(struct entry *entry)
{
	bool restores = entry->action.verb == VERB_RESTORE;
	struct vmdef def;
	struct domain *d;

	if (!entry->vm)
		return fails(entry, "there is no such file");
	if (restores && !entry->vm->saved)
		return fails(entry, "there is no saved state");
	def = entry->vm->def;
	if (!uuid_is_zero(entry->action.uuid))
		uuid_text(entry->action.uuid, def.uuid);
	d = model_build(entry->world->model, &def, false, restores);
	if (!d)
		return fails(entry, "%s", entry->world->model->error);
	entry->domid = d->domid;
	return STEP_NEXT;
}

static int64_t
let_go(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || d->phase != PHASE_BUILDING)
		return fails(entry, "the domain was destroyed while it was being built");
	model_start(d);
	if (entry->action.verb == VERB_RESTORE)
		entry->vm->saved = false;
	return STEP_NEXT;
}

static int64_t
awake(struct entry *entry)
{
	const struct domain *d = domain_of(entry);

	if (!d || is_dead(d))
		return fails(entry, "it was made as domain %u, and ended at once", entry->domid);
	if (d->pauses > 0)
		return in_time(entry, SETTLE_MS)
			   ? LOOK_MS
			   : fails(entry, "it was made as domain %u, and stayed paused",
				   entry->domid);
	entry->outcome.domid = d->domid;
	return STEP_NEXT;
}

static int64_t
set_memory(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || !model_set_memory(d, entry->action.number))
		return fails(entry, "%s", d ? entry->world->model->error : "the domain is gone");
	return STEP_NEXT;
}

static int64_t
suspend(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || is_dead(d))
		return fails(entry, "domain %u is shut down already", entry->domid);
	if (!model_can_suspend(d))
		return in_time(entry, 60000) ? LOOK_MS : fails(entry, "the guest does not suspend");
	model_suspend(d);
	return STEP_NEXT;
}

static int64_t
saved(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (!d || d->phase != PHASE_SHUTDOWN)
		return fails(entry, "the domain is gone");
	if (entry->vm)
		entry->vm->saved = true;
	return destroy(entry);
}

void
step_put_right(struct entry *entry)
{
	struct domain *d = domain_of(entry);

	if (d && d->phase == PHASE_BUILDING)
		model_destroy(d);
	else if (d && d->phase == PHASE_SHUTDOWN && d->reason == REASON_SUSPEND &&
		 entry->action.verb == VERB_SAVE)
		model_resume(d);
}

#define STEPS_MAX 12
static const struct {
	uint32_t verb;
	step *steps[STEPS_MAX];
} programs[] = {
    {VERB_START, {none_lives, build, let_go, awake}},
    {VERB_RESTORE, {none_lives, build, let_go, awake}},
    {VERB_SHUTDOWN, {find, ask, ended, clear, gone}},
    {VERB_REBOOT, {find_alive, ask, ended, reborn, clear, gone, none_lives, build, let_go, awake}},
    {VERB_PAUSE, {find_alive, pause_it}},
    {VERB_UNPAUSE, {find_alive, unpause_it}},
    {VERB_DESTROY, {find, destroy, gone}},
    {VERB_SAVE, {find_alive, suspend, saved, gone}},
    {VERB_MEMORY, {find_alive, set_memory}},
    {ACTION_REAP, {find_any, bury, gone}},
    {ACTION_REPLACE, {find_any, bury, gone, none_lives, build, let_go, awake}},
    {ACTION_RESTART, {find_any, ask, ended, clear, gone, none_lives, build, let_go, awake}},
};

int64_t
step_take(struct entry *entry)
{
	step *next = NULL;

	if (entry->fate.fails)
		return fails(entry, "%s", entry->fate.text);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		if (programs[i].verb == entry->action.verb)
			next = programs[i].steps[entry->stage];
	return next ? next(entry) : STEP_END;
}
