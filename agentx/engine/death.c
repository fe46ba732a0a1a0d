/*
 * A dead domain of a VM that lauxend owns keeps its reason until this has read it, and done what
 * the VM's file says: on_poweroff, on_reboot, on_crash (xl.cfg(5)). A monitor of its own, or a
 * running action (a shutdown reaps the domain itself), goes before.
 */
#include "engine/internal.h"

#include "base/log.h"

#define QUICK_DEATH_MS (60 * 1000) /* who lived for less waits before the next start */
#define REPLACE_DELAY_MS 5000	   /* times the quick deaths in a row */
#define REPLACE_DELAY_MAX_MS (5 * 60 * 1000)
#define RETRY_MS (30 * 1000) /* after a burial that failed */
#define BURIALS_MAX 3	     /* that failed of one domain: it is beyond us */

/* A guest that resets itself softly (kexec) wants to go on too; as the domain cannot be taken over
 * without a monitor of xl's own, it begins anew. */
bool
death_is_reboot(uint32_t reason)
{
	return reason == REASON_REBOOT || reason == REASON_SOFT_RESET;
}

bool
death_is_crash(uint32_t reason)
{
	return reason == REASON_CRASH || reason == REASON_WATCHDOG;
}

static enum on_action
death_policy(const struct domain *domain)
{
	switch (domain->state.reason) {
	case REASON_POWEROFF:
		return domain->figures.on_poweroff;
	case REASON_REBOOT:
	case REASON_SOFT_RESET:
		return domain->figures.on_reboot;
	case REASON_CRASH:
	case REASON_WATCHDOG:
		return domain->figures.on_crash;
	default:
		return ON_PRESERVE; /* suspended: a save or a migration is under way */
	}
}

static bool
death_is_ours(const struct engine *engine, const struct vm *vm)
{
	return engine->states_ok && vm->domain && (vm->domain->state.flags & DOMAIN_SHUTDOWN) &&
	       !vm->reaped && !vm->action && !vm_is_foreseen(engine, vm) &&
	       vm_owner(engine, vm) == OWNER_LAUXEND && vm->domain->named;
}

/* A reboot is wanted; only deaths that nobody asked for are held back. */
static int64_t
death_delay_ms(const struct engine *engine, struct vm *vm)
{
	int64_t delay_ms;

	if (death_is_reboot(vm->domain->state.reason) ||
	    engine->now.mono_ms - vm->born_ms >= QUICK_DEATH_MS) {
		vm->quick_deaths = 0;
		return 0;
	}
	delay_ms = (int64_t)vm->quick_deaths++ * REPLACE_DELAY_MS;
	return delay_ms < REPLACE_DELAY_MAX_MS ? delay_ms : REPLACE_DELAY_MAX_MS;
}

/* True: now. A VM that dies again and again soon after its start waits ever longer. */
static bool
death_is_due(const struct engine *engine, struct vm *vm, bool starts_again)
{
	if (vm->bury_at_ms == 0) {
		int64_t delay_ms = starts_again ? death_delay_ms(engine, vm) : 0;

		if (starts_again && death_is_crash(vm->domain->state.reason) &&
		    policy_replace_wait_ms(vm) > delay_ms)
			delay_ms = policy_replace_wait_ms(vm);
		vm->bury_at_ms = engine->now.mono_ms + delay_ms;
		if (delay_ms > 0)
			log_warn(
			    "VM %s died %u times in a row soon after its start; next start in %d s",
			    vm->kept.name, vm->quick_deaths, (int)(delay_ms / 1000));
	}
	return vm->bury_at_ms <= engine->now.mono_ms;
}

/* Supervision has a say in whether one that crashed is started at once, and one that is to be off
 * is not started again. */
static bool
death_may_replace(struct engine *engine, struct vm *vm)
{
	return !vm->stopping && !vm_is_replaced(vm) &&
	       (!death_is_crash(vm->domain->state.reason) || policy_may_replace(engine, vm));
}

static void
death_bury(struct engine *engine, struct vm *vm, uint32_t verb, enum on_action policy)
{
	if (verb == ACTION_REPLACE && !death_may_replace(engine, vm))
		verb = ACTION_REAP;
	if (!death_is_due(engine, vm, verb == ACTION_REPLACE))
		return;
	if (verb == ACTION_REPLACE && death_is_crash(vm->domain->state.reason) && vm_is_watched(vm))
		care_tell_restart(engine, vm, "it crashed");
	vm->bury_at_ms = 0;
	vm->reaped = true;
	vm->died = vm->buried = vm->domain->state.reason;
	request_internal(engine, vm, verb, policy);
}

/* The dead domain is gone, and what was to start the VM again was cut off. Who took the VM's place
 * meanwhile has it. */
static void
death_make_up(struct engine *engine, struct vm *vm)
{
	if (vm->domain || !vm->config || vm_is_replaced(vm) || policy_bar_is_up(vm))
		vm->owed = false;
	else if (engine->states_ok && !vm->action && vm->bury_at_ms <= engine->now.mono_ms) {
		vm->bury_at_ms = 0;
		request_internal(engine, vm, ACTION_REPLACE, ON_RESTART);
	}
}

void
death_settle(struct engine *engine, struct vm *vm)
{
	enum on_action policy;

	if (vm->burials >= BURIALS_MAX && !vm->domain)
		care_human_over(engine, vm, "its dead domain is gone");
	if (!vm->domain)
		vm->burials = vm->unburied_domid = 0;
	if (vm->owed)
		death_make_up(engine, vm);
	if (!death_is_ours(engine, vm))
		return;
	policy = death_policy(vm->domain);
	switch (policy) {
	case ON_RESTART:
	case ON_RENAME_RESTART:
	case ON_COREDUMP_RESTART:
	case ON_SOFT_RESET:
		death_bury(engine, vm, ACTION_REPLACE, policy);
		break;
	case ON_DESTROY:
	case ON_COREDUMP_DESTROY:
		death_bury(engine, vm, ACTION_REAP, policy);
		break;
	case ON_PRESERVE:
		vm->reaped = vm->domain->state.reason != REASON_SUSPEND;
		break;
	case ON_UNKNOWN:
		break;
	}
}

/* What was cut off is made up for; what was refused is not. Where supervision watches the VM it
 * finds by itself that it is down. */
void
death_outcome(struct engine *engine, struct vm *vm, enum request_state state)
{
	vm->owed = false;
	if (state == REQUEST_SUCCEEDED)
		return;
	vm->reaped = false;
	vm->owed = state == REQUEST_UNDECIDED && vm->verb == ACTION_REPLACE && !vm_is_watched(vm);
	vm->bury_at_ms = engine->now.mono_ms + RETRY_MS;
	if (!vm->domain || vm->domain->domid != vm->action_domid)
		return;
	vm->burials = vm->unburied_domid == vm->action_domid ? vm->burials + 1 : 1;
	vm->unburied_domid = vm->action_domid;
	vm->reaped = vm->burials >= BURIALS_MAX;
	if (vm->reaped)
		care_need_human(engine, vm, "its dead domain cannot be cleared away");
}

int64_t
death_deadline(const struct engine *engine, const struct vm *vm)
{
	bool waits =
	    vm->owed ? !vm->domain && !vm->action && engine->states_ok : death_is_ours(engine, vm);

	return vm->bury_at_ms > 0 && waits ? vm->bury_at_ms : INT64_MAX;
}
