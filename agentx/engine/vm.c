/* A VM: the state that it is in and why, and what follows from it. */
#include "engine/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define CAUSE_MS 5000  /* an action that ended so lately may be what made a state */
#define KNOWN_MS 30000 /* no look is older; the wall clock may be set */

bool
vm_has_row(const struct vm *vm)
{
	return vm->config || vm->domain;
}

bool
vm_is_foreseen(const struct engine *engine, const struct vm *vm)
{
	return vm->domain ? vm->domain->domid == vm->ended.domid
			  : vm->await_until_ms > engine->now.mono_ms;
}

/* mono_ms when it is to be looked at again though nothing came; INT64_MAX: never. */
static int64_t
vm_deadline(const struct engine *engine, const struct vm *vm)
{
	int64_t death_ms = death_deadline(engine, vm), due_ms = vm->policy.wake_ms;

	if (death_ms < due_ms)
		due_ms = death_ms;
	return vm->await_until_ms != 0 && vm->await_until_ms < due_ms ? vm->await_until_ms : due_ms;
}

/* A monitor of its own acts on a VM's death; else lauxend does, for the VMs that it was given. */
enum vm_owner
vm_owner(const struct engine *engine, const struct vm *vm)
{
	if (!vm->domain)
		return OWNER_NONE;
	if (!vm->domain->named || !engine->figures_ok)
		return vm->kept.owner;
	if (vm->domain->figures.monitored)
		return OWNER_OTHER;
	return vm->config ? OWNER_LAUXEND : OWNER_NONE;
}

/* What a running action makes of a state, by RFC 7666's transient states. */
static enum vm_state
vm_state_under(uint32_t verb, enum vm_state state)
{
	static const struct {
		uint32_t verb;
		enum vm_state from, to;
	} transients[] = {
	    {VERB_START, VM_SHUTDOWN, VM_PREPARING},
	    {VERB_START, VM_CRASHED, VM_PREPARING},
	    {VERB_START, VM_SUSPENDED, VM_PREPARING},
	    {VERB_START, VM_PAUSED, VM_PREPARING},
	    {VERB_RESTORE, VM_SUSPENDED, VM_RESUMING},
	    {VERB_RESTORE, VM_SHUTDOWN, VM_RESUMING},
	    {VERB_RESTORE, VM_PAUSED, VM_RESUMING},
	    {VERB_RESTORE, VM_PREPARING, VM_RESUMING},
	    {VERB_SHUTDOWN, VM_RUNNING, VM_SHUTTING_DOWN},
	    {VERB_REBOOT, VM_RUNNING, VM_SHUTTING_DOWN},
	    {VERB_REBOOT, VM_SHUTDOWN, VM_PREPARING},
	    {ACTION_RESTART, VM_RUNNING, VM_SHUTTING_DOWN},
	    {ACTION_RESTART, VM_PAUSED, VM_SHUTTING_DOWN},
	    {ACTION_RESTART, VM_SHUTDOWN, VM_PREPARING},
	    {ACTION_RESTART, VM_CRASHED, VM_PREPARING},
	    {VERB_DESTROY, VM_RUNNING, VM_SHUTTING_DOWN},
	    {VERB_DESTROY, VM_PAUSED, VM_SHUTTING_DOWN}, /* it pauses the domain first */
	    {VERB_SAVE, VM_RUNNING, VM_SUSPENDING},
	    {VERB_SAVE, VM_PAUSED, VM_SUSPENDING},
	    {VERB_SAVE, VM_SHUTDOWN, VM_SUSPENDING},
	    {ACTION_REPLACE, VM_SHUTDOWN, VM_PREPARING},
	    {ACTION_REPLACE, VM_CRASHED, VM_PREPARING},
	};

	for (size_t i = 0; i < sizeof(transients) / sizeof(transients[0]); i++)
		if (transients[i].verb == verb && transients[i].from == state)
			return transients[i].to;
	return state;
}

/* A VM without a domain: off, unless its state is saved or it went by a crash. A restore or a start
 * that made no domain leaves it as it was. */
static enum vm_state
vm_state_absent(const struct vm *vm)
{
	if (vm->kept.state == VM_SUSPENDED || vm->kept.state == VM_CRASHED)
		return vm->kept.state;
	if (vm->kept.state == VM_RESUMING) /* a restore that has not come to its end */
		return VM_SUSPENDED;
	if (death_is_crash(vm->died) || (vm->kept.state == VM_PREPARING && vm->crashed))
		return VM_CRASHED;
	if (vm->ended.verb == VERB_SAVE ||
	    (vm->kept.state == VM_SUSPENDING && vm->died == REASON_SUSPEND))
		return VM_SUSPENDED;
	return VM_SHUTDOWN;
}

static enum vm_state
vm_state_dead(const struct vm *vm)
{
	switch (vm->domain->state.reason) {
	case REASON_CRASH:
	case REASON_WATCHDOG:
		return VM_CRASHED;
	case REASON_SUSPEND:
		return VM_SUSPENDING; /* saved or migrated, until it is gone or runs on */
	default:
		return vm->reaped || vm->unburied_domid == vm->domain->domid ? VM_SHUTDOWN
									     : VM_SHUTTING_DOWN;
	}
}

/* An engine before us knew it by an outcome that came after the look that is told again now. */
static bool
was_known_later(const struct engine *engine, const struct vm *vm)
{
	const struct fact_domain *state = &vm->domain->state;
	int64_t age_ms = engine->now.mono_ms - state->read_mono_us / 1000;
	int64_t known_ms = engine->now.wall_ms - vm->kept.change_wall_ms;

	return vm->done.ms == 0 && vm->kept.domid == state->domid && known_ms >= 0 &&
	       known_ms < age_ms && age_ms < KNOWN_MS;
}

/* The outcome of a pause or its end comes before the look that shows it: one that began before, or
 * is the last before, says nothing of it. */
static bool
vm_is_paused(const struct engine *engine, const struct vm *vm)
{
	const struct fact_domain *state = &vm->domain->state;
	bool is_old = vm->done.domid == state->domid && (state->read_mono_us == vm->done.read_us ||
							 state->read_mono_us / 1000 < vm->done.ms);

	if (is_old && (vm->done.verb == VERB_PAUSE || vm->done.verb == VERB_UNPAUSE))
		return vm->done.verb == VERB_PAUSE;
	if ((vm->kept.state == VM_PAUSED || vm->kept.state == VM_RUNNING) &&
	    was_known_later(engine, vm))
		return vm->kept.state == VM_PAUSED;
	return state->flags & DOMAIN_PAUSED;
}

static enum vm_state
vm_state(const struct engine *engine, const struct vm *vm)
{
	const struct fact_domain *state;
	uint32_t verb = vm->verb;

	if (!engine->states_ok)
		return VM_UNKNOWN;
	if (!vm->domain && vm_is_foreseen(engine, vm))
		return vm->kept.state == VM_RESUMING ? VM_RESUMING : VM_PREPARING;
	if (!vm->domain && engine->nameless)
		return VM_UNKNOWN; /* that may be this VM, under another UUID */
	if (!vm->domain)
		return vm_state_under(verb, vm_state_absent(vm));
	state = &vm->domain->state;
	if (vm_is_foreseen(engine, vm) && !(state->flags & DOMAIN_SHUTDOWN))
		return vm->ended.verb == VERB_SAVE    ? VM_SUSPENDING
		       : vm->kept.state == VM_CRASHED ? VM_CRASHED
						      : VM_SHUTTING_DOWN;
	if (vm->action_domid != 0 && vm->action_domid != state->domid)
		verb = VERB_NONE; /* what ended the old domain says nothing of the new one */
	if (state->flags & DOMAIN_SHUTDOWN)
		return vm_state_dead(vm);
	/*
	 * Until it runs; or, where it never does, is suspended again: what was saved is there
	 * still, also where a restore was cut off before its domain was seen.
	 */
	if (state->cpu_ns == 0 &&
	    (vm->kept.state == VM_RESUMING || vm->kept.state == VM_SUSPENDED) &&
	    state->flags & (DOMAIN_DYING | DOMAIN_PAUSED))
		return VM_RESUMING;
	if (state->cpu_ns == 0 && vm->kept.state == VM_PREPARING && state->flags & DOMAIN_DYING)
		return VM_PREPARING;	 /* it never ran, and will not */
	if (state->flags & DOMAIN_DYING) /* what was told of its end holds */
		return vm->kept.state == VM_CRASHED || vm->kept.state == VM_SHUTDOWN
			   ? vm->kept.state
			   : VM_SHUTTING_DOWN;
	if (vm_is_paused(engine, vm))
		/* One that never ran is still being built. */
		return vm_state_under(verb, state->cpu_ns == 0 ? VM_PREPARING : VM_PAUSED);
	return vm_state_under(verb, VM_RUNNING);
}

enum vm_state
vm_state_after(uint32_t verb)
{
	static const enum vm_state makes[VERB_MEMORY + 1] = {
	    [VERB_START] = VM_RUNNING,	[VERB_SHUTDOWN] = VM_SHUTDOWN, [VERB_REBOOT] = VM_RUNNING,
	    [VERB_PAUSE] = VM_PAUSED,	[VERB_UNPAUSE] = VM_RUNNING,   [VERB_DESTROY] = VM_SHUTDOWN,
	    [VERB_SAVE] = VM_SUSPENDED, [VERB_RESTORE] = VM_RUNNING,
	};

	return verb <= VERB_MEMORY ? makes[verb] : 0;
}

/* The action that made the state: the one that runs, or one that ended so shortly before the
 * hypervisor's list told of it. */
uint32_t
vm_cause(const struct engine *engine, const struct vm *vm, enum vm_state state)
{
	if (vm->action)
		return vm->verb;
	if (vm_state_after(vm->done.verb) != state || engine->now.mono_ms - vm->done.ms > CAUSE_MS)
		return VERB_NONE;
	return vm->done.verb;
}

bool
vm_cause_is_ours(const struct vm *vm)
{
	return vm->action ? request_is_internal(vm->action) : vm->done.by_us;
}

bool
vm_is_brought_up(const struct vm *vm)
{
	return vm->verb == VERB_START || vm->verb == VERB_RESTORE || vm->verb == VERB_REBOOT ||
	       vm->verb == ACTION_RESTART || vm->verb == ACTION_REPLACE;
}

/* An action that was to bring it up has ended, and it has no domain. */
static bool
vm_came_to_nothing(const struct vm *vm)
{
	return !vm->domain && !vm->action && vm->failed.verb != 0 &&
	       (vm->kept.state == VM_PREPARING || vm->kept.state == VM_RESUMING);
}

/* Why it is in its new state, as far as that is known. */
static void
vm_reason(const struct engine *engine, const struct vm *vm, enum vm_state state, char *text,
	  size_t size)
{
	uint32_t cause = vm_cause(engine, vm, state);
	uint32_t reason = vm->domain && (vm->domain->state.flags & DOMAIN_SHUTDOWN)
			      ? vm->domain->state.reason
			      : vm->died;

	if (vm_came_to_nothing(vm) && vm->failed.verb == ACTION_REPLACE)
		text_format(text, size, "could not be started again after %s",
			    name_of(shutdown_reason_names, (int)vm->buried));
	else if (vm_came_to_nothing(vm) && vm->failed.by_us)
		text_format(text, size, "%s %s: %s", name_of(verb_names, (int)vm->failed.verb),
			    name_of(request_state_names, (int)vm->failed.state), vm->policy.error);
	else if (vm_came_to_nothing(vm))
		text_format(text, size, "request %s %s", name_of(verb_names, (int)vm->failed.verb),
			    name_of(request_state_names, (int)vm->failed.state));
	else if (state == VM_CRASHED)
		text_set(text, size, "the guest crashed");
	else if (cause == ACTION_REPLACE)
		text_format(text, size, "started again after %s",
			    name_of(shutdown_reason_names, (int)vm->buried));
	else if (cause != VERB_NONE && cause != ACTION_REAP && vm_cause_is_ours(vm))
		text_set(text, size,
			 *vm->policy.why ? vm->policy.why : "by an engine before this one");
	else if (cause != VERB_NONE && cause != ACTION_REAP)
		text_format(text, size, "request %s", name_of(verb_names, (int)cause));
	else if (state == VM_SHUTTING_DOWN || state == VM_SHUTDOWN)
		text_set(text, size,
			 reason == REASON_POWEROFF ? "the guest powered off"
			 : death_is_reboot(reason) ? "the guest rebooted"
						   : "destroyed on the host");
	else if (state == VM_PAUSED)
		text_set(text, size,
			 vm->kept.state == VM_SUSPENDING ? "it stays paused"
							 : "paused on the host");
	else if (state == VM_RUNNING)
		text_set(text, size,
			 vm->kept.state == VM_PAUSED ? "unpaused on the host"
			 : vm->kept.state == VM_SUSPENDING || vm->kept.state == VM_SHUTTING_DOWN
			     ? "it runs on"
			     : "started");
	else if (state == VM_SUSPENDING || state == VM_SUSPENDED)
		text_set(text, size, "saved or moved away on the host");
	else if (state == VM_PREPARING)
		text_set(text, size, "being made on the host");
	else
		text_set(text, size, "");
}

static void
vm_state_event(struct engine *engine, const struct vm *vm, enum vm_state state)
{
	bool anew = vm->domain || !vm->crashed; /* else it was not brought up again */
	enum event_type type = state == VM_CRASHED && anew	    ? EVENT_VM_CRASHED
			       : vm->crashed && state == VM_RUNNING ? EVENT_VM_RECOVERED
								    : EVENT_VM_STATE_CHANGED;
	struct mib_event *event = engine_event(engine, type, vm);

	event->state = (int32_t)state;
	event->previous = (int32_t)vm->kept.state;
	MIB_ABSENT(mib_event, event, state, false);
	MIB_ABSENT(mib_event, event, previous, false);
	TEXT_FORMAT(event->text, "%.50s: %s, was %s: %.40s", vm->kept.name,
		    name_of(vm_state_names, (int)state),
		    name_of(vm_state_names, (int)vm->kept.state), vm->kept.change_reason);
	log_info("VM %s is %s, was %s: %s", vm->kept.name, name_of(vm_state_names, (int)state),
		 name_of(vm_state_names, (int)vm->kept.state), vm->kept.change_reason);
}

/* A state that is not known changes nothing: what counts is how it differs once it is known. */
static void
vm_settle_state(struct engine *engine, struct vm *vm, enum vm_state state)
{
	enum vm_state from;

	vm->state = state;
	vm->known |= state != VM_UNKNOWN;
	if (state == VM_UNKNOWN || state == vm->kept.state)
		return;
	vm_reason(engine, vm, state, vm->kept.change_reason, sizeof(vm->kept.change_reason));
	if (vm->kept.state != VM_UNKNOWN) {
		if (state == VM_CRASHED && vm->domain)
			vm->kept.crashes++;
		vm->kept.change_wall_ms = engine->now.wall_ms;
		vm_state_event(engine, vm, state);
	} else {
		TEXT_SET(vm->kept.change_reason, "found so");
	}
	if (state == VM_CRASHED || state == VM_RUNNING)
		vm->crashed = state == VM_CRASHED;
	from = vm->kept.state;
	vm->kept.state = state;
	vm->unsaved = true;
	if (from != VM_UNKNOWN)
		notice_state(engine, vm, from, state);
}

static void
vm_due(void *arg)
{
	struct vm *vm = arg;

	vm_touch(vm->engine, vm);
}

static void
vm_set_timer(struct engine *engine, struct vm *vm)
{
	int64_t due_ms = vm_deadline(engine, vm);

	if (due_ms == TIMERS_NEVER)
		timers_cancel(&engine->timers, &vm->timer);
	else
		timers_set(&engine->timers, &vm->timer, due_ms, vm_due, vm);
}

void
vm_settle(struct engine *engine, struct vm *vm)
{
	if (vm->await_until_ms <= engine->now.mono_ms)
		vm->await_until_ms = 0;
	vm_settle_state(engine, vm, vm_state(engine, vm));
	service_follow(engine, vm);
	death_settle(engine, vm);
	request_dispatch(engine, vm);
	policy_settle(engine, vm);
	vm_settle_state(engine, vm, vm_state(engine, vm)); /* as an action that began makes it */
	service_follow(engine, vm);
	care_settle(engine, vm);
	plan_settle(engine, vm);
	if (!vm_has_row(vm) && vm->kept.gone_wall_ms == 0 && engine->looked) {
		vm->kept.gone_wall_ms = engine->now.wall_ms;
		vm->gone_ms = engine->now.mono_ms;
		vm->unsaved = true;
		engine->table_change_ms = engine->now.mono_ms;
	}
	if (vm_has_row(vm))
		rows_put_vm(engine, vm, vm->state);
	else
		rows_drop_vm(engine, vm);
	if (vm->unsaved)
		engine_effect(engine, EFFECT_PUT_VM)->vm = vm->kept;
	vm->unsaved = false;
	vm_set_timer(engine, vm);
}
