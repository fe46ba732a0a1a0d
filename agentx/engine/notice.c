/* What others do to VMs: the host, guests, and persons, by hand or by request. */
#include "engine/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

#define OURS_MS 300000 /* an end that an action asked for so lately is of its making */
#define UNSURE_MS 10000
#define BOOT_LATELY_MS (10 * 60 * 1000)

/*
 * ---- 4. What is done on purpose is respected ----
 *
 * A guest that powered itself off, or that somebody shut down, destroyed, paused, saved or moved
 * away on the host, is left so, as is one that rebooted where its file says that this ends it; a
 * crash is not on purpose, and a reboot is no failure. Of a VM that went and left no word (it was
 * destroyed, or the agent was away) it is held to be on purpose too, as a wrong start does more
 * harm than none; but for the end of the whole host, which is told from it by the next look at the
 * figures.
 */

/* A standby is to stand in no more, and so is its primary. */
static void
standby_ends(struct engine *engine, struct vm *vm)
{
	if (!vm_stands_in(vm))
		return;
	care_set_goal(engine, vm->primary, PLAN_NONE);
	care_release(engine, vm->primary, "the standby was ended on purpose");
}

static bool
lived(enum vm_state state)
{
	return state == VM_RUNNING || state == VM_PAUSED || state == VM_SUSPENDING ||
	       state == VM_MIGRATING || state == VM_SHUTTING_DOWN;
}

/* An action brought it up, and it was gone again before it was ever listed. */
static bool
came_and_went(const struct vm *vm, enum vm_state from)
{
	bool unlisted = from == VM_PREPARING || from == VM_RESUMING ||
			(lived(from) && vm->made.domid != vm->kept.domid);

	return unlisted && !vm->domain && !vm->action && vm->failed.verb == 0 &&
	       vm->made.domid != 0;
}

/* Why it ended, by the hypervisor's word. */
static uint32_t
end_reason(const struct vm *vm)
{
	return vm->domain ? vm->domain->state.reason : vm->died;
}

/* After an action that failed, and left its domain alive, the guest may still end as it was asked
 * to. After one whose end is not known it may have been done. All else is of others. */
static bool
is_late(const struct engine *engine, const struct vm *vm)
{
	bool unsure = vm->acted.state == REQUEST_UNDECIDED;

	if (end_reason(vm) == REASON_POWEROFF)
		return unsure || vm->acted.verb == VERB_SHUTDOWN;
	return unsure && engine->now.mono_ms - vm->acted.ms < UNSURE_MS;
}

/* An action, a person's or ours, ended the domain or was to; a save alone suspends it. */
static bool
is_of_an_action(const struct engine *engine, const struct vm *vm)
{
	if ((vm->acted.verb == VERB_SAVE) != (end_reason(vm) == REASON_SUSPEND))
		return false;
	if ((vm->acted.state == REQUEST_FAILED || vm->acted.state == REQUEST_UNDECIDED) &&
	    !is_late(engine, vm))
		return false;
	return vm->acted.domid != 0 && vm->acted.domid == vm->kept.domid &&
	       (vm->action || engine->now.mono_ms - vm->acted.ms < OURS_MS);
}

/* It comes again by itself: a reboot, of its own or asked for. */
static bool
ends_to_begin(const struct engine *engine, const struct vm *vm)
{
	return death_is_reboot(end_reason(vm)) ||
	       (is_of_an_action(engine, vm) && vm->acted.verb == VERB_REBOOT);
}

static void respect_off(struct engine *engine, struct vm *vm, enum vm_desired desired,
			const char *why);

/* What is desired of a VM from the moment that a request is accepted, and what else follows. */
struct wish {
	enum vm_desired desired; /* 0: as before */
	enum plan_goal goal;	 /* of requests over many that it goes well with */
	void (*accept)(struct engine *engine, struct vm *vm, uint32_t number);
};
static const struct wish wishes[VERB_LAST + 1];

/* unlisted: the domain was gone before it was ever listed. */
static void
notice_off(struct engine *engine, struct vm *vm, enum vm_state state, bool unlisted)
{
	uint32_t reason = unlisted ? REASON_UNKNOWN : end_reason(vm);
	bool reboots = death_is_reboot(reason);
	bool filed = reboots && vm->verb == ACTION_REAP; /* on_reboot says so */
	bool told = filed || reason == REASON_POWEROFF || reason == REASON_SUSPEND;
	bool ours = !unlisted && is_of_an_action(engine, vm);

	if (ours || (reboots && !filed) || vm->kept.goal != PLAN_RUN)
		return;
	if (vm->verb == ACTION_REPLACE)
		return; /* its file has it started again */
	if (told)
		respect_off(engine, vm,
			    state == VM_SUSPENDED ? DESIRED_SUSPENDED : DESIRED_SHUTDOWN,
			    vm->kept.change_reason);
	else
		vm->kept.unseen = engine->unseen = true; /* notice_host() tells */
	vm->unsaved = true;
}

/* A person has asked that it be off, which is not begun yet. */
static bool
is_asked_to_end(const struct vm *vm)
{
	const struct request *request;

	TAILQ_FOREACH (request, &vm->requests, of_vm)
		if (request->kept.row.state == REQUEST_QUEUED &&
		    wishes[request->kept.row.verb].goal == PLAN_OFF)
			return true;
	return false;
}

/* Its domain is new to it. One that a person started although something is missing is excused. */
static void
notice_start(struct engine *engine, struct vm *vm)
{
	bool comes = vm_is_brought_up(vm), was_made = vm->made.domid == vm->kept.domid;
	bool ours = comes ? request_is_internal(vm->action) : was_made && vm->made.by_us;
	bool made =
	    comes || was_made || vm->presence == PRESENCE_UNKNOWN; /* under way before we came */

	vm->kept.unseen = false;
	vm->policy.stop_failed = false;
	vm->policy.fresh = false;
	if (ours || (made && vm->stopping) || is_asked_to_end(vm))
		return;
	care_set_goal(engine, vm, PLAN_RUN);
	care_set_desired(vm, DESIRED_RUNNING);
	vm->kept.excused = !vm_has_all(vm);
	vm->unsaved = true;
}

/* It was started, and crashed before it was seen to run. */
static void
notice_crash(struct engine *engine, struct vm *vm)
{
	notice_start(engine, vm);
	vm->kept.excused = false;
}

/* It may have come and gone before it was ever listed. */
void
notice_done(struct engine *engine, struct vm *vm, uint32_t verb)
{
	if (vm->config && vm_state_after(verb) == VM_RUNNING && !vm->stopping &&
	    !is_asked_to_end(vm))
		care_set_goal(engine, vm, PLAN_RUN);
}

static void
notice_pause(struct engine *engine, struct vm *vm)
{
	if (vm->kept.blocked == DEPENDENCY_PAUSE || vm->verb != VERB_NONE ||
	    vm_cause(engine, vm, VM_PAUSED) == VERB_PAUSE)
		return;
	care_leave_alone(engine, vm, DESIRED_PAUSED, vm->kept.change_reason);
}

static void
notice_unpause(struct engine *engine, struct vm *vm)
{
	uint32_t cause = vm_cause(engine, vm, VM_RUNNING);

	/* A pause of ours that is under way was sent by an engine that knew better. */
	if ((cause == VERB_UNPAUSE || cause == VERB_PAUSE) && vm_cause_is_ours(vm))
		return;
	if (!vm->stopping)
		care_set_goal(engine, vm, PLAN_RUN);
	if (vm->kept.blocked == DEPENDENCY_PAUSE) {
		care_unblock(engine, vm, "a person unpaused it");
		vm->kept.excused = !vm_has_all(vm);
	}
	if (cause != VERB_UNPAUSE)
		care_leave_alone(engine, vm, DESIRED_RUNNING, vm->kept.change_reason);
}

void
notice_state(struct engine *engine, struct vm *vm, enum vm_state from, enum vm_state to)
{
	bool unlisted = came_and_went(vm, from), ran = lived(from) || unlisted;
	bool gone = to == VM_SHUTDOWN && vm->verb != ACTION_REPLACE;
	bool anew = vm->presence_domid != 0 && vm->presence_domid != vm->kept.domid;

	if (!vm->config)
		return;
	if (gone || (ran && !lived(to) && !ends_to_begin(engine, vm)))
		vm->kept.excused = false; /* that was for as long as it ran */
	if (to == VM_RUNNING && from == VM_PAUSED)
		notice_unpause(engine, vm);
	else if (to == VM_RUNNING && (anew || !lived(from)))
		notice_start(engine, vm);
	else if (to == VM_PAUSED && from == VM_RUNNING)
		notice_pause(engine, vm);
	else if ((to == VM_SHUTDOWN || to == VM_SUSPENDED) && ran)
		notice_off(engine, vm, to, unlisted);
	else if (to == VM_CRASHED && vm_is_watched(vm) && vm->domain && !lived(from))
		notice_crash(engine, vm);
	else if (to == VM_CRASHED && !vm_is_watched(vm))
		care_set_goal(engine, vm, PLAN_NONE); /* its file says what becomes of it */
}

static void
respect_off(struct engine *engine, struct vm *vm, enum vm_desired desired, const char *why)
{
	vm->kept.unseen = false;
	vm->kept.excused = false;
	care_unblock(engine, vm, "it is off");
	care_set_goal(engine, vm, PLAN_NONE);
	care_leave_alone(engine, vm, desired, why);
	standby_ends(engine, vm);
}

/* ---- the host's boot ---- */

/* With the host all that ran went down; what is to start by itself does, whatever it was before,
 * unless a person has spoken since: of which nothing is known where no boot was ever seen before. A
 * standby waits for its turn. */
static void
boot_vm(struct engine *engine, struct vm *vm)
{
	bool unknown = uuid_is_zero(engine->boot_id) && vm->kept.desired > DESIRED_RUNNING;
	bool starts =
	    vm->config->policy.autostart && !vm->primary && !vm->policy.spoken && !unknown;

	if (vm->domain)
		return;
	vm->kept.unseen = false;
	vm->policy.fresh = true;
	vm->kept.excused = false;
	care_unblock(engine, vm, "the host was booted");
	care_human_over(engine, vm, "the host was booted");
	care_release(engine, vm, "the host was booted");
	if (starts)
		care_set_desired(vm, DESIRED_RUNNING);
	if (!vm->policy.spoken)
		care_set_goal(engine, vm, starts ? PLAN_RUN : PLAN_NONE);
}

/* Where no boot was ever seen, or the store is lost, one that is not lately was not ours to see to.
 */
static void
host_booted(struct engine *engine)
{
	bool launches = !uuid_is_zero(engine->boot_id) ||
			engine->now.mono_ms - engine->host.boot_mono_ms < BOOT_LATELY_MS;

	if (launches)
		log_info("the host was booted: VMs that are to start by themselves are launched");
	for (size_t i = 0; i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];

		if (!vm->domain) {
			vm->kept.domid = 0; /* they begin anew */
			domain_find_other(engine, vm);
		}
		if (vm->config && launches)
			boot_vm(engine, vm);
		memcpy(vm->kept.boot_id, engine->host.boot_id, UUID_SIZE);
		vm->unsaved = true;
		vm_touch(engine, vm);
	}
	if (!uuid_is_zero(engine->boot_id))
		request_end_old(engine, "the host went down meanwhile");
	memcpy(engine->boot_id, engine->host.boot_id, UUID_SIZE);
}

/* Those that went without a word did not go with the host. */
static void
host_settle_unseen(struct engine *engine)
{
	engine->unseen = false;
	for (size_t i = 0; i < engine->order_count; i++)
		if (engine->order[i]->kept.unseen)
			respect_off(engine, engine->order[i], DESIRED_SHUTDOWN,
				    "it is gone, and left no word why");
}

/* Which boot of the host this is. */
void
notice_host(struct engine *engine)
{
	bool first = !engine->boot_known;

	if (engine->host.memory_kib == 0 || !engine->states_ok)
		return;
	if (uuid_is_zero(engine->host.boot_id) && !uuid_is_zero(engine->boot_id))
		return; /* it is not known, and no other for that */
	engine->boot_known = true;
	if (!uuid_equal(engine->boot_id, engine->host.boot_id))
		host_booted(engine);
	if (first) {
		request_resend_old(engine);
		vm_touch_all(engine);
	}
	if (engine->unseen)
		host_settle_unseen(engine);
}

/* ---- what a person asks for ---- */

static void
accept_recall(struct engine *engine, struct vm *vm, uint32_t number)
{
	(void)number;
	care_human_over(engine, vm, "a person has it in hand");
	care_recall(engine, vm);
}

static void
accept_off(struct engine *engine, struct vm *vm, uint32_t number)
{
	(void)number;
	care_set_goal(engine, vm, PLAN_OFF);
	standby_ends(engine, vm);
}

static void
accept_pause(struct engine *engine, struct vm *vm, uint32_t number)
{
	(void)number;
	care_unblock(engine, vm, "a person wants it paused");
}

static void
accept_maintenance(struct engine *engine, struct vm *vm, uint32_t number)
{
	care_human_over(engine, vm, "a person has it in hand");
	care_maintain(engine, vm, number);
}

static void
accept_memory(struct engine *engine, struct vm *vm, uint32_t number)
{
	(void)number;
	vm->kept.memory_rest_wall_ms = engine->now.wall_ms + MEMORY_REST_MS;
	vm->policy.memory_rest_ms = engine->now.mono_ms + MEMORY_REST_MS;
}

#define ACCEPT_MARK(name, field)                                                                   \
	static void accept_##name(struct engine *engine, struct vm *vm, uint32_t number)           \
	{                                                                                          \
		(void)engine;                                                                      \
		vm->kept.field = number;                                                           \
	}
ACCEPT_MARK(memory_min, memory_min_mib)
ACCEPT_MARK(memory_max, memory_max_mib)
ACCEPT_MARK(memory_high, memory_high)
ACCEPT_MARK(memory_low, memory_low)

static const struct wish wishes[VERB_LAST + 1] = {
    [VERB_START] = {DESIRED_RUNNING, PLAN_RUN, accept_recall},
    [VERB_REBOOT] = {DESIRED_RUNNING, PLAN_RUN, accept_recall},
    [VERB_RESTORE] = {DESIRED_RUNNING, PLAN_RUN, accept_recall},
    [VERB_UNPAUSE] = {DESIRED_RUNNING, PLAN_RUN, NULL},
    [VERB_PAUSE] = {DESIRED_PAUSED, PLAN_NONE, accept_pause},
    [VERB_SAVE] = {DESIRED_SUSPENDED, PLAN_OFF, accept_off},
    [VERB_SHUTDOWN] = {DESIRED_SHUTDOWN, PLAN_OFF, accept_off},
    [VERB_DESTROY] = {DESIRED_SHUTDOWN, PLAN_OFF, accept_off},
    [VERB_MEMORY] = {0, 0, accept_memory},
    [VERB_MAINTENANCE] = {0, 0, accept_maintenance},
    [VERB_MEMORY_MIN] = {0, 0, accept_memory_min},
    [VERB_MEMORY_MAX] = {0, 0, accept_memory_max},
    [VERB_MEMORY_HIGH] = {0, 0, accept_memory_high},
    [VERB_MEMORY_LOW] = {0, 0, accept_memory_low},
};

void
notice_request(struct engine *engine, struct vm *vm, const struct mib_request *request)
{
	vm->policy.spoken = true;
	vm->policy.retry_ms = 0;
	if (request->verb < 0 || request->verb > VERB_LAST)
		return;
	if (wishes[request->verb].goal != 0)
		plan_interrupt(engine, vm, wishes[request->verb].goal);
	if (wishes[request->verb].desired != 0)
		care_set_desired(vm, wishes[request->verb].desired);
	if (wishes[request->verb].accept)
		wishes[request->verb].accept(engine, vm, request->number);
	vm->unsaved = true;
	vm_touch(engine, vm);
}
