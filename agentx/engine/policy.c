/*
 * The rules of supervision: what is done to a VM, and when. Each is one block. It decides by the
 * facts of this moment, and so holds after a restart, a reload or an answer that never came as
 * well; the little that must be known of the past is kept with the VM (struct store_vm). A VM is
 * settled whenever something about it changed, providers before those who need them, so that what
 * follows from a decision is decided in the same step.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define RETRY_MS 5000 /* after an action of ours that failed; doubles, up to the next */
#define RETRY_MAX_MS 60000
#define UNSURE_MAX 3   /* outcomes in a row that nobody knows: of no weight */
#define AGAIN_MS 60000 /* so soon after its shutdown it is no wish of anybody */
#define BACKOFF_MAX_MS (24 * 3600 * INT64_C(1000))

/* Whether a moment has come; if not, the VM is settled again then. */
static bool
is_time(const struct engine *engine, struct vm *vm, int64_t at_ms)
{
	if (engine->now.mono_ms >= at_ms)
		return true;
	if (at_ms < vm->policy.wake_ms)
		vm->policy.wake_ms = at_ms;
	return false;
}

/* Has it done; why is what the VM's row says of the state that it makes. */
static void
act(struct engine *engine, struct vm *vm, uint32_t verb, const char *why)
{
	TEXT_SET(vm->policy.why, why);
	request_internal(engine, vm, verb, 0);
}

/*
 * ---- 1. Launch ----
 *
 * A VM that is to run and has no domain is started once every service that it needs is up, and its
 * own delay after that is over: not earlier, as it would come up without, and not by a fixed delay,
 * as nobody knows how long others take. Where that takes too long its policy says what then. One
 * whose state is saved is restored, as a start would let its disks run away from that state.
 */

static bool
launch_is_wanted(const struct vm *vm)
{
	return vm->config && vm->kept.goal == PLAN_RUN && vm_is_off(vm) && !vm->kept.needs_human &&
	       !vm->kept.unseen && !vm_is_replaced(vm) && vm->kept.replaced != REPLACED_ENDS;
}

/* Those that it waits for are tried often. */
static void
launch_follow(struct engine *engine, struct vm *vm)
{
	bool wanted = launch_is_wanted(vm);

	if (vm->policy.launching == wanted)
		return;
	vm->policy.launching = wanted;
	vm->policy.launching_ms = engine->now.mono_ms;
	vm->policy.since_wall_ms = engine->now.wall_ms;
	vm->policy.ready_ms = 0;
	for (size_t i = 0; i < vm->needs_count; i++)
		service_wait(engine, vm->needs[i].service, wanted);
}

/* It has waited for too long: true where it is to start all the same. */
static bool
launch_is_overdue(struct engine *engine, struct vm *vm)
{
	const struct config_policy *policy = &vm->config->policy;
	char needs[80], why[TEXT_SIZE];

	if (policy->start_timeout_ms == 0 || policy->on_start_timeout == START_WAIT ||
	    !is_time(engine, vm, vm->policy.launching_ms + policy->start_timeout_ms))
		return false;
	if (policy->on_start_timeout == START_ANYWAY)
		return true;
	care_list_needs(vm, needs, sizeof(needs));
	TEXT_FORMAT(why, "gave up waiting for %s", needs);
	care_need_human(engine, vm, why);
	return false;
}

static bool
launch_is_ready(struct engine *engine, struct vm *vm)
{
	if (!vm_has_all(vm) && !launch_is_overdue(engine, vm)) {
		vm->policy.ready_ms = 0;
		return false;
	}
	if (vm->policy.ready_ms == 0)
		vm->policy.ready_ms = engine->now.mono_ms;
	return is_time(engine, vm, vm->policy.ready_ms + vm->config->policy.start_delay_ms);
}

static bool restart_may_be_now(struct engine *engine, struct vm *vm, const char *why);

static bool
rule_launch(struct engine *engine, struct vm *vm)
{
	bool crashed = vm->kept.state == VM_CRASHED && !vm->policy.fresh;
	bool again = crashed || (vm->policy.restarts_row > 0 && !vm->policy.fresh);

	if (!vm->policy.launching)
		return vm_is_off(vm);
	if (!engine->boot_known || !launch_is_ready(engine, vm))
		return true;
	if (again && !restart_may_be_now(engine, vm, crashed ? "it crashed" : vm->policy.error))
		return true;
	if (crashed)
		care_tell_restart(engine, vm, "it crashed");
	if (!vm_has_all(vm) && !vm->kept.excused)
		vm->kept.excused = vm->unsaved = true; /* else it were paused at once */
	vm->policy.counted = crashed;
	act(engine, vm, vm->kept.state == VM_SUSPENDED ? VERB_RESTORE : VERB_START,
	    "launched by supervision");
	return true;
}

/*
 * ---- 2. Repair ----
 *
 * A VM one of whose services is down for its grace, and was tried once more since, is restarted; so
 * is one that crashed. Restarts are limited in a window, and the second in a row waits, the third
 * twice as long: what is not cured by a restart is not cured by ten either. Then its standby takes
 * its place, and where there is none a human is needed, which is said once.
 */

static int64_t
backoff_ms(const struct vm *vm)
{
	int64_t wait_ms = vm->config->policy.restart_backoff_ms;

	for (uint32_t i = 1; i < vm->policy.restarts_row && wait_ms < BACKOFF_MAX_MS; i++)
		wait_ms *= 2;
	return vm->policy.restarts_row == 0 ? 0 : wait_ms;
}

/* Supervision by itself can do no more for it. */
static void
repair_exhausted(struct engine *engine, struct vm *vm, const char *why)
{
	struct vm *standby = vm->standby;
	uint32_t restarts = care_restarts(engine, vm);
	char text[TEXT_SIZE];

	if (restarts > 0)
		TEXT_FORMAT(text, "%.60s, and %" PRIu32 " restart%s did not help", why, restarts,
			    restarts == 1 ? "" : "s");
	else
		TEXT_FORMAT(text, "%.60s, and it may not be restarted", why);
	if (standby && !standby->kept.needs_human && !vm_in_maintenance(standby))
		care_replace(engine, vm, text);
	else
		care_need_human(engine, vm, text);
}

static bool
restart_may_be_now(struct engine *engine, struct vm *vm, const char *why)
{
	if (!care_may_restart(engine, vm)) {
		repair_exhausted(engine, vm, why);
		return false;
	}
	if (vm->policy.due_ms == 0)
		vm->policy.due_ms = engine->now.mono_ms;
	return is_time(engine, vm, vm->policy.due_ms + backoff_ms(vm));
}

/* One that is down for its grace, by an attempt that began after that. */
static struct service *
repair_wanted_by(struct engine *engine, struct vm *vm)
{
	struct service *service;

	for (size_t i = 0; (service = vm_carries(vm, i)); i++) {
		int64_t ripe_ms = service->down_ms + service->config->watch.grace_ms;

		if (service->state != SERVICE_DOWN || !service->watched ||
		    !is_time(engine, vm, ripe_ms))
			continue;
		if (service->failed_ms >= ripe_ms)
			return service;
		if (service->target->asked_ms < ripe_ms)
			target_try(engine, service->target);
	}
	return NULL;
}

/*
 * ---- 7. The start plan outranks the watchdog ----
 *
 * Nothing is restarted for not answering while it boots, nor while it lacks a service that it needs
 * itself: it could not answer, and a restart would make it begin anew.
 */
static bool
repair_makes_sense(const struct engine *engine, struct vm *vm)
{
	if (!vm_has_all(vm))
		return false;
	return !vm_boots(engine, vm) || is_time(engine, vm, vm->boot_since_ms + vm->boot_left_ms);
}

/* Of a VM that is to run a dead domain stands, as its file has it preserved. One that we ended
 * ourselves, in a restart that was cut off, has nothing to tell to anybody. */
static bool
rule_preserved(struct engine *engine, struct vm *vm)
{
	if (vm->acted.by_us && !vm->kept.needs_human && vm->acted.domid == vm->domain->domid &&
	    vm->kept.state == VM_SHUTDOWN)
		request_internal(engine, vm, ACTION_REAP, ON_DESTROY);
	else
		care_need_human(engine, vm, "its dead domain is preserved, as its file says");
	return true;
}

static bool
rule_repair(struct engine *engine, struct vm *vm)
{
	const struct service *service;
	char why[TEXT_SIZE];

	if (vm_is_preserved(vm) && vm->kept.goal == PLAN_RUN)
		return rule_preserved(engine, vm);
	if (vm->presence != PRESENCE_RUNS || vm->kept.goal != PLAN_RUN || vm->kept.needs_human)
		return false;
	service = repair_wanted_by(engine, vm);
	if (!service || !repair_makes_sense(engine, vm)) {
		vm->policy.due_ms = 0;
		return false;
	}
	TEXT_FORMAT(why, "%.32s is down: %.40s", service->kept.service, service->text);
	TEXT_SET(vm->policy.error, why);
	if (!restart_may_be_now(engine, vm, why))
		return true;
	care_tell_restart(engine, vm, why);
	act(engine, vm, ACTION_RESTART, why);
	return true;
}

/* It was shut down by us, and came again: a monitor of its own does what its file says. */
static bool
comes_again(const struct engine *engine, const struct vm *vm)
{
	return vm->acted.by_us && vm->acted.verb == VERB_SHUTDOWN && vm->acted.domid != 0 &&
	       vm->acted.domid != vm->kept.domid && engine->now.mono_ms - vm->acted.ms < AGAIN_MS;
}

/* What is to end is asked first; force: and then it goes in any case. */
static void
stop(struct engine *engine, struct vm *vm, bool force, const char *why)
{
	if (vm->domain && force && comes_again(engine, vm))
		act(engine, vm, VERB_DESTROY, why);
	else if (vm->kept.state == VM_PAUSED && vm->domain)
		act(engine, vm, VERB_UNPAUSE, why); /* else it could not hear */
	else if (vm->presence == PRESENCE_RUNS && !vm->policy.stop_failed)
		act(engine, vm, VERB_SHUTDOWN, why);
	else if (vm->domain && force)
		act(engine, vm, VERB_DESTROY, why);
}

const struct vm *
policy_bar(const struct vm *vm)
{
	const struct vm *primary = vm->primary ? vm->primary : vm;
	const struct vm *other = vm->primary ? vm->primary : vm->standby;

	if (!other || primary->kept.replaced != REPLACED_NOT || !vm_is_off(vm) ||
	    (vm_is_off(other) && other->policy.away))
		return NULL;
	return other;
}

const struct vm *
policy_bar_is_up(const struct vm *vm)
{
	const struct vm *bar = policy_bar(vm);

	return bar && bar->known && !vm_is_off(bar) ? bar : NULL;
}

/*
 * The standby runs only once its primary is off by the hypervisor's word, and the other way round,
 * whoever started it: both may have the same address, and the same disks.
 */
static bool
rule_standby(struct engine *engine, struct vm *vm)
{
	if (vm_is_replaced(vm) && !vm_is_off(vm)) {
		stop(engine, vm, true, "its standby takes its place");
		return true;
	}
	if (vm_is_replaced(vm))
		return true;
	if (vm->kept.replaced == REPLACED_ENDS)
		return true;
	if (!vm->primary || vm->primary->kept.replaced == REPLACED_NOT)
		return policy_bar(vm);
	if (vm->primary->kept.replaced == REPLACED_ENDS && !vm_is_off(vm))
		stop(engine, vm, true, "its primary takes its place again");
	return vm->primary->kept.replaced == REPLACED_ENDS || !vm_is_off(vm->primary);
}

/*
 * ---- 3. A service that it needs has failed ----
 *
 * A VM that runs is paused rather than left to fail, and so, in the same step, is all that needs
 * its services; it is resumed once all that it needs is up, and thereby in the order of
 * dependencies. Only what we did ourselves is undone: what a person paused stays so, and what a
 * person runs without is left alone until it has had all once.
 */

static bool
rule_dependency_begin(struct engine *engine, struct vm *vm, uint32_t how)
{
	char needs[72], why[TEXT_SIZE];

	if (vm->needs_failed == 0 || vm->kept.excused || vm->presence != PRESENCE_RUNS ||
	    how == DEPENDENCY_ALERT)
		return false;
	care_list_needs(vm, needs, sizeof(needs));
	TEXT_FORMAT(why, "it needs %s", needs);
	care_block(engine, vm, how, why);
	if (how == DEPENDENCY_PAUSE)
		act(engine, vm, VERB_PAUSE, why);
	else
		stop(engine, vm, false, why);
	return true;
}

static bool
rule_dependency_paused(struct engine *engine, struct vm *vm, bool ends)
{
	if (vm->kept.state == VM_PAUSED && ends)
		act(engine, vm, VERB_UNPAUSE, "all that it needs is there again");
	else if (vm->kept.state == VM_RUNNING && ends)
		care_unblock(engine, vm, "all that it needs is there again");
	else if (vm->kept.state == VM_RUNNING && vm->needs_failed > 0)
		act(engine, vm, VERB_PAUSE, "what it needs is not there");
	else if (vm->presence == PRESENCE_OFF)
		care_unblock(engine, vm, "it is off");
	return vm->kept.blocked != 0;
}

/* Once it is off it is launched by the first rule, as ever when all that it needs is there. Who
 * pauses it before that means to keep it. */
static bool
rule_dependency_off(struct engine *engine, struct vm *vm, bool ends)
{
	if (vm->presence == PRESENCE_RUNS && ends)
		care_unblock(engine, vm, "all that it needs is there again");
	else if (vm->presence == PRESENCE_RUNS)
		stop(engine, vm, false, "what it needs is not there");
	else if (vm->kept.state == VM_PAUSED) {
		care_unblock(engine, vm, "a person paused it");
		if (vm->kept.desired != DESIRED_PAUSED)
			care_leave_alone(engine, vm, DESIRED_PAUSED,
					 "paused while it was to shut down");
	}
	return vm->kept.blocked != 0 && vm->presence != PRESENCE_OFF;
}

static bool
rule_dependency(struct engine *engine, struct vm *vm)
{
	uint32_t how = vm->config ? vm->config->policy.on_dependency : DEPENDENCY_ALERT;
	bool ends = vm_has_all(vm) || how != vm->kept.blocked || vm->kept.excused;

	if (vm->kept.blocked == DEPENDENCY_PAUSE)
		return rule_dependency_paused(engine, vm, ends);
	if (vm->kept.blocked == DEPENDENCY_SHUTDOWN)
		return rule_dependency_off(engine, vm, ends);
	return rule_dependency_begin(engine, vm, how);
}

/* ---- 4. What is done on purpose is respected ---- in notice.c: it is no wish, but what others
 * did. */

/*
 * ---- 5. Ordered shutdown ----
 *
 * Who needs a VM is off, by the hypervisor's word, before it is shut down itself; those that nobody
 * waits for end side by side. One that we paused is resumed first, as a paused guest cannot hear.
 * One that does not end blocks those that it needs: plan.c then says so.
 */
static bool
rule_shutdown(struct engine *engine, struct vm *vm)
{
	if (!vm->stopping)
		return false;
	if (vm->busy_dependents > 0 || vm->policy.stop_failed)
		return true;
	care_unblock(engine, vm, "it is to be shut down");
	stop(engine, vm, false, "ordered shutdown");
	return true;
}

/*
 * ---- 6. Maintenance ----
 *
 * While a person works on a VM no rule acts on it. It is still probed and reported, and those who
 * need it are treated as ever. What the person asks for by its name is done.
 */
static bool
rule_maintenance(struct engine *engine, struct vm *vm)
{
	(void)engine;
	return vm_in_maintenance(vm) && !plan_names(vm);
}

/* ---- 8. Automatic memory ---- in memory.c. */

/* ---- all together ---- */

/* Who stands in for it, and may have its disks, is none of supervision's business any more: it is
 * not started beside that one. */
static void
standby_lost(struct engine *engine, struct vm *vm)
{
	vm->deserted = false;
	care_release(engine, vm, "the configuration has no standby for it any more");
	if (vm->config && vm->kept.goal == PLAN_RUN && !vm_is_well(vm))
		care_need_human(engine, vm,
				"who stands in for it is its standby no more: end that one first");
}

/* What has passed by itself. */
static void
tidy(struct engine *engine, struct vm *vm)
{
	if (vm_in_maintenance(vm) && vm->policy.maintenance_ms != INT64_MAX &&
	    is_time(engine, vm, vm->policy.maintenance_ms))
		care_end_maintenance(engine, vm, "its time is over");
	if (vm->kept.excused && vm_has_all(vm)) {
		vm->kept.excused = false;
		vm->unsaved = true;
	}
	if (vm->presence == PRESENCE_RUNS && vm->kept.goal == PLAN_NONE && vm->config)
		care_set_goal(engine, vm, PLAN_RUN); /* it came, or was there before us */
	if (vm->kept.replaced != REPLACED_NOT && (!vm->standby || vm->deserted))
		standby_lost(engine, vm);
	if (vm->kept.replaced == REPLACED_ENDS && vm_is_off(vm->standby)) {
		care_release(engine, vm, "it is to run itself");
		care_set_goal(engine, vm, PLAN_RUN);
	}
	if (vm_is_replaced(vm) && vm_is_off(vm->standby) && vm->standby->kept.goal != PLAN_RUN)
		care_release(engine, vm, "its standby is to be off");
	if (vm->kept.blocked && vm_is_off(vm) && vm->kept.goal != PLAN_RUN)
		care_unblock(engine, vm, "it is off");
	if (!vm_is_well(vm))
		return;
	vm->policy.restarts_row = 0;
	care_human_over(engine, vm, "all is well again");
}

/* A person's request goes before; and what is on its way to somewhere is waited for. */
static bool
may_act(struct engine *engine, struct vm *vm)
{
	const struct request *request = TAILQ_FIRST(&vm->requests);

	if (!engine->states_ok || !engine->hypervisor_there || vm->action ||
	    vm_is_foreseen(engine, vm) || !is_time(engine, vm, vm->policy.retry_ms))
		return false;
	for (; request; request = TAILQ_NEXT(request, of_vm))
		if (request->kept.row.state == REQUEST_QUEUED)
			return false;
	if (engine->partial) {
		engine->deferred = vm->policy.deferred = true;
		return false;
	}
	switch (vm->state) {
	case VM_RUNNING:
	case VM_PAUSED:
	case VM_SHUTDOWN:
	case VM_SUSPENDED:
	case VM_CRASHED:
		return vm->config || vm->kept.blocked;
	default:
		return false;
	}
}

/* The first that has a say about the VM is the only one: what a person does, then what a person
 * wants, then what it lacks, then whether it runs, and how well at last. */
static bool (*const rules[])(struct engine *engine, struct vm *vm) = {
    rule_maintenance, rule_shutdown, rule_standby, rule_dependency,
    rule_launch,      rule_repair,   rule_memory,
};

void
policy_settle(struct engine *engine, struct vm *vm)
{
	vm->policy.wake_ms = INT64_MAX;
	tidy(engine, vm);
	launch_follow(engine, vm);
	if (may_act(engine, vm))
		for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
			if (rules[i](engine, vm))
				break;
	launch_follow(engine, vm);
}

/* A primary is not started while its standby is there in its place. */
bool
policy_holds_back(const struct vm *vm, uint32_t verb)
{
	return (verb == VERB_START || verb == VERB_RESTORE) && vm->standby &&
	       vm->kept.replaced == REPLACED_ENDS && !vm_is_off(vm->standby);
}

/* One that stop() gives: of others that fail while it is to end nothing follows for that. */
static bool
is_stop(uint32_t verb)
{
	return verb == VERB_SHUTDOWN || verb == VERB_UNPAUSE || verb == VERB_DESTROY;
}

/* What became of an action of ours. One that failed is tried again, by the rule that wants it. */
void
policy_outcome(struct engine *engine, struct vm *vm, uint32_t verb, const struct outcome *outcome)
{
	bool is_start = verb == VERB_START || verb == VERB_RESTORE || verb == ACTION_RESTART;
	bool unsure = outcome->state == REQUEST_UNDECIDED && vm->policy.fails < UNSURE_MAX;
	bool paused = verb == VERB_PAUSE && (outcome->state == REQUEST_SUCCEEDED ||
					     (unsure && vm->kept.state == VM_PAUSED));
	int64_t wait_ms = RETRY_MS;

	if (verb == VERB_MEMORY) { /* of no weight for all else */
		if (outcome->state != REQUEST_SUCCEEDED)
			vm->policy.memory_next_ms = engine->now.mono_ms + RETRY_MAX_MS;
		return;
	}
	if (paused && vm->kept.blocked == 0 && vm->own.id != vm->action)
		care_block(engine, vm, DEPENDENCY_PAUSE, "by an engine before this one");
	if (outcome->state == REQUEST_SUCCEEDED) {
		vm->policy.fails = 0;
		vm->policy.retry_ms = 0;
		if (verb == VERB_UNPAUSE && vm->kept.blocked == DEPENDENCY_PAUSE)
			care_unblock(engine, vm, "all that it needs is there again");
		return;
	}
	for (uint32_t i = 0; i < vm->policy.fails && wait_ms < RETRY_MAX_MS; i++)
		wait_ms *= 2;
	vm->policy.fails++;
	if (!is_start) /* those have a wait of their own */
		vm->policy.retry_ms =
		    engine->now.mono_ms + (wait_ms < RETRY_MAX_MS ? wait_ms : RETRY_MAX_MS);
	TEXT_SET(vm->policy.error, outcome->error);
	vm->policy.stop_failed |=
	    !unsure && (verb == VERB_SHUTDOWN || (vm->stopping && is_stop(verb)));
	if (is_start && verb != ACTION_RESTART && !vm->policy.counted)
		care_count_restart(engine, vm);
	vm->policy.fresh &= !is_start;
}

/* A dead domain of a watched VM: whether it may be started again at once, as its file says. It
 * counts as a restart; else it is cleared away, and the rules above decide. In maintenance the file
 * has the last word on all but the limit. */
bool
policy_may_replace(struct engine *engine, struct vm *vm)
{
	if (!vm_is_watched(vm))
		return true;
	if (!care_may_restart(engine, vm))
		return false;
	return vm_in_maintenance(vm) || (vm->kept.goal == PLAN_RUN && !vm->kept.needs_human &&
					 vm_has_all(vm) && !vm->kept.replaced);
}

int64_t
policy_replace_wait_ms(const struct vm *vm)
{
	return vm_is_watched(vm) ? backoff_ms(vm) : 0;
}
