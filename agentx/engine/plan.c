/*
 * Requests over many VMs, or over one and what it needs: launch and ordered shutdown. A plan gives
 * its VMs a goal; the rules (policy.c) bring them there, each when its turn comes. It lasts until
 * each of them is there, or cannot get there. It is kept as its request alone, whose error says who
 * has failed so far: an engine that is restarted makes it anew from that, and the facts say what is
 * left to be done.
 */
#include "engine/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define GROUP "group:"

struct member {
	TAILQ_ENTRY(member) of_vm;
	struct plan *plan;
	struct vm *vm;
	bool named;	       /* by the request, and not only because another needs it */
	enum plan_goal before; /* what was wanted of it before the request */
	enum vm_desired desired;
	bool settled;
};

struct plan {
	TAILQ_ENTRY(plan) next;
	struct request *request;
	enum plan_goal goal;
	struct member *members; /* in the engine's order */
	size_t members_count, open;
	char failures[TEXT_SIZE]; /* VMs and why, as far as there is room */
	bool failed, unsaved;	  /* the request does not say so yet */
};

/* ---- which VMs ---- */

static bool
is_over_many(const struct request *request)
{
	return request->kept.row.vm_index == 0;
}

static bool
target_names(const char *target, const struct vm *vm)
{
	if (!vm->config || (vm->primary && vm->presence == PRESENCE_OFF))
		return false; /* an idle standby waits for its turn, or its name */
	return strcmp(target, "*") == 0 || (strncmp(target, GROUP, strlen(GROUP)) == 0 &&
					    strcmp(target + strlen(GROUP), vm->config->group) == 0);
}

const char *
plan_refusal(const struct engine *engine, const struct hold *hold)
{
	if (hold->verb == VERB_REBUILD)
		return strcmp(hold->vm_text, "*") == 0 ? NULL : "rebuild is of all: *";
	if (hold->verb != VERB_LAUNCH && hold->verb != VERB_SHUTDOWN)
		return "only launch and shutdown are of many";
	for (size_t i = 0; i < engine->order_count; i++)
		if (target_names(hold->vm_text, engine->order[i]))
			return NULL;
	return strcmp(hold->vm_text, "*") == 0 ? "there is no VM" : "no VM is in that group";
}

bool
plan_takes(const struct request *request)
{
	uint32_t verb = (uint32_t)request->kept.row.verb;

	return verb == VERB_LAUNCH || verb == VERB_DESIRE ||
	       (verb == VERB_SHUTDOWN && is_over_many(request));
}

static enum plan_goal
goal_of(const struct request *request)
{
	const struct mib_request *row = &request->kept.row;

	if (row->verb == VERB_LAUNCH)
		return PLAN_RUN;
	return row->verb == VERB_DESIRE && row->number == DESIRED_RUNNING ? PLAN_RUN : PLAN_OFF;
}

/* Marks those that the request names, and for a launch all that those need, through others too, and
 * that is not well or is to be off: from the last wave to the first, so that each is reached after
 * all who need it. */
static size_t
mark_members(struct engine *engine, const struct request *request, enum plan_goal goal)
{
	size_t count = 0;

	for (size_t i = 0; i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];

		vm->mark = is_over_many(request) ? target_names(request->kept.row.vm, vm)
						 : vm == request->vm;
	}
	for (size_t i = engine->order_count; i-- > 0;) {
		struct vm *vm = engine->order[i];

		count += vm->mark != 0;
		if (!vm->mark || goal != PLAN_RUN)
			continue;
		for (size_t j = 0; j < vm->needs_count; j++) {
			struct vm *provider = vm->needs[j].service->vm;

			if (provider && !provider->mark &&
			    provider->kept.replaced == REPLACED_NOT &&
			    (!vm_is_well(provider) || provider->kept.goal == PLAN_OFF))
				provider->mark = 2;
		}
	}
	return count;
}

/* ---- the order of a shutdown ---- */

/* To be waited for by those that it needs. */
static bool
is_busy(const struct vm *vm)
{
	return vm->stopping || vm->busy_dependents > 0;
}

static void
busy_changed(struct engine *engine, struct vm *vm, bool busy)
{
	for (size_t i = 0; i < vm->providers_count; i++) {
		struct vm *provider = vm->providers[i];
		bool before = is_busy(provider);

		provider->busy_dependents += busy ? 1 : -1u;
		if (is_busy(provider) != before)
			busy_changed(engine, provider, busy);
		if (provider->stopping && provider->busy_dependents == 0)
			vm_touch(engine, provider);
	}
}

static void
set_stopping(struct engine *engine, struct vm *vm, bool stopping)
{
	bool before = is_busy(vm);

	if (vm->stopping == stopping)
		return;
	vm->stopping = stopping;
	vm->policy.stop_failed = false;
	vm->policy.since_wall_ms = engine->now.wall_ms;
	vm_touch(engine, vm);
	if (is_busy(vm) != before)
		busy_changed(engine, vm, stopping);
}

/* The graph is another: counted anew, from the last wave on. */
void
plan_load(struct engine *engine)
{
	for (size_t i = 0; i < engine->order_count; i++)
		engine->order[i]->busy_dependents = 0;
	for (size_t i = engine->order_count; i-- > 0;) {
		const struct vm *vm = engine->order[i];

		for (size_t j = 0; is_busy(vm) && j < vm->providers_count; j++)
			vm->providers[j]->busy_dependents++;
	}
}

/* ---- begin and end ---- */

static bool
has_open(const struct vm *vm, enum plan_goal goal)
{
	const struct member *member;

	TAILQ_FOREACH (member, &vm->members, of_vm)
		if (!member->settled && member->plan->goal == goal)
			return true;
	return false;
}

bool
plan_names(const struct vm *vm)
{
	const struct member *member;

	TAILQ_FOREACH (member, &vm->members, of_vm)
		if (!member->settled && member->named && !is_over_many(member->plan->request))
			return true;
	return false;
}

static void
member_settle(struct engine *engine, struct member *member)
{
	member->settled = true;
	member->plan->open--;
	set_stopping(engine, member->vm, has_open(member->vm, PLAN_OFF));
}

/* What was not begun is not to be any more: all is wanted of it again that was before. */
static void
member_give_up(struct engine *engine, struct member *member)
{
	struct vm *vm = member->vm;
	enum plan_goal goal = member->plan->goal;
	bool begun = vm->action || vm_is_foreseen(engine, vm) || vm->policy.stop_failed;

	member_settle(engine, member);
	if (begun || has_open(vm, goal) || vm->kept.goal != goal)
		return;
	care_set_goal(engine, vm, member->before);
	care_set_desired(vm, member->desired);
}

static struct member *
member_in(const struct plan *plan, const struct vm *vm)
{
	struct member *member;

	TAILQ_FOREACH (member, &vm->members, of_vm)
		if (member->plan == plan && !member->settled)
			return member;
	return NULL;
}

/* Says who failed, each VM once: an engine before us may have found it out already. */
static void
plan_blame(struct plan *plan, const struct vm *vm, const char *why)
{
	size_t length = strlen(plan->failures);
	char name[TEXT_SIZE];
	const char *found = plan->failures;

	plan->failed = plan->unsaved = true;
	TEXT_FORMAT(name, "%.40s: ", vm->kept.name);
	while ((found = strstr(found, name))) {
		if (found == plan->failures || found[-1] == ' ')
			return;
		found++;
	}
	text_format(plan->failures + length, sizeof(plan->failures) - length, "%s%s%.60s",
		    length ? "; " : "", name, why);
}

/* It will not get there; and neither will those that it needs, if they were to be off after it. */
static void
member_fail(struct engine *engine, struct member *member, const char *why)
{
	struct plan *plan = member->plan;
	struct vm *vm = member->vm;
	char blocked[TEXT_SIZE];

	plan_blame(plan, vm, why);
	log_warn("request %s: VM %s: %s", plan->request->kept.row.id, vm->kept.name, why);
	TEXT_SET(vm->policy.error, why);
	TEXT_FORMAT(blocked, "%s, which needs it, is not off", vm->kept.name);
	for (size_t i = 0; plan->goal == PLAN_OFF && i < vm->providers_count; i++) {
		struct member *provider = member_in(plan, vm->providers[i]);

		if (provider)
			member_fail(engine, provider, blocked);
	}
	member_give_up(engine, member);
}

static void
plan_free(struct engine *engine, struct plan *plan)
{
	for (size_t i = 0; i < plan->members_count; i++)
		if (plan->members[i].vm)
			TAILQ_REMOVE(&plan->members[i].vm->members, &plan->members[i], of_vm);
	TAILQ_REMOVE(&engine->plans, plan, next);
	plan->request->plan = NULL;
	free(plan->members);
	free(plan);
}

static void
plan_finish(struct engine *engine, struct plan *plan)
{
	struct request *request = plan->request;
	struct outcome outcome = {.state = plan->failed ? REQUEST_FAILED : REQUEST_SUCCEEDED};
	struct mib_event *event;

	TEXT_SET(outcome.error, plan->failures);
	request_finish(engine, request, &outcome);
	event = request_event(engine, EVENT_PLAN_FINISHED, request);
	TEXT_FORMAT(event->text, "%.32s: %s %s%s%.60s", request->kept.row.vm,
		    plan->goal == PLAN_RUN ? "launch" : "shutdown",
		    plan->failed ? "failed" : "is done", plan->failed ? ": " : "", plan->failures);
	plan_free(engine, plan);
}

/* Its row says, and the store keeps, who has failed while others are still on their way. */
static void
plan_save(struct engine *engine, struct plan *plan)
{
	plan->unsaved = false;
	TEXT_SET(plan->request->kept.row.error, plan->failures);
	request_put(engine, plan->request);
}

/* A plan that has nothing to wait for any more ends once its VMs are settled. */
void
plan_finish_settled(struct engine *engine)
{
	struct plan *plan, *next;

	for (plan = TAILQ_FIRST(&engine->plans); plan; plan = next) {
		next = TAILQ_NEXT(plan, next);
		if (plan->open == 0 && plan->request->removal == 0)
			plan_finish(engine, plan);
		else if (plan->unsaved)
			plan_save(engine, plan);
	}
}

/* A person asks for something else of the VM; goal: of plans that it goes well with. */
void
plan_interrupt(struct engine *engine, struct vm *vm, enum plan_goal goal)
{
	struct member *member;

	TAILQ_FOREACH (member, &vm->members, of_vm)
		if (!member->settled && member->plan->goal != goal)
			member_fail(engine, member, "another request came between");
}

/* The newest request has its way with a VM. */
static void
member_begin(struct engine *engine, struct member *member)
{
	struct vm *vm = member->vm;
	enum plan_goal goal = member->plan->goal;

	plan_interrupt(engine, vm, goal);
	vm->policy.spoken = true;
	care_set_goal(engine, vm, goal);
	care_set_desired(vm, goal == PLAN_RUN ? DESIRED_RUNNING : DESIRED_SHUTDOWN);
	vm->unsaved = true;
	if (goal != PLAN_RUN)
		return;
	care_human_over(engine, vm, "it is to be launched");
	vm->kept.unseen = false; /* whatever ended it was before this */
	vm->policy.retry_ms = 0;
	vm->policy.fresh = true;
	if (member->named && !is_over_many(member->plan->request))
		care_recall(engine, vm);
}

static void
plan_make(struct engine *engine, struct request *request)
{
	enum plan_goal goal = goal_of(request);
	size_t count = mark_members(engine, request, goal);
	struct plan *plan = mem_alloc(sizeof(*plan));

	plan->request = request;
	plan->goal = goal;
	plan->members = mem_array(count + 1, sizeof(*plan->members));
	for (size_t i = 0; i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];
		struct member *member = &plan->members[plan->members_count];

		if (!vm->mark)
			continue;
		*member = (struct member){.plan = plan,
					  .vm = vm,
					  .named = vm->mark == 1,
					  .before = vm->kept.goal,
					  .desired = (enum vm_desired)vm->kept.desired};
		TAILQ_INSERT_TAIL(&vm->members, member, of_vm);
		plan->members_count++;
		vm_touch(engine, vm);
	}
	plan->open = plan->members_count;
	request->plan = plan;
	TAILQ_INSERT_TAIL(&engine->plans, plan, next);
}

void
plan_begin(struct engine *engine, struct request *request)
{
	struct plan *plan;

	plan_make(engine, request);
	plan = request->plan;
	request->kept.row.state = REQUEST_RUNNING;
	request->kept.row.started = engine->now.wall_ms;
	request_put(engine, request);
	for (size_t i = 0; i < plan->members_count; i++)
		member_begin(engine, &plan->members[i]);
	for (size_t i = 0; i < plan->members_count && plan->goal == PLAN_OFF; i++)
		set_stopping(engine, plan->members[i].vm, !plan->members[i].settled);
}

/* An engine before us began it, and gave its VMs their goals; who has another by now has failed, or
 * was there and is wanted otherwise since. */
void
plan_restore(struct engine *engine, struct request *request)
{
	struct plan *plan;

	plan_make(engine, request);
	plan = request->plan;
	TEXT_SET(plan->failures, request->kept.row.error);
	plan->failed = *plan->failures != '\0';
	for (size_t i = 0; i < plan->members_count; i++) {
		struct member *member = &plan->members[i];

		member->vm->policy.fresh |= plan->goal == PLAN_RUN;
		if (member->vm->kept.goal != plan->goal)
			member_settle(engine, member);
		else if (plan->goal == PLAN_OFF)
			set_stopping(engine, member->vm, true);
	}
}

/* Cancelled: what was begun goes on. */
void
plan_drop(struct engine *engine, struct request *request)
{
	struct plan *plan = request->plan;

	for (size_t i = 0; i < plan->members_count; i++)
		if (!plan->members[i].settled)
			member_give_up(engine, &plan->members[i]);
	plan_free(engine, plan);
}

void
plan_dispose(struct engine *engine)
{
	while (!TAILQ_EMPTY(&engine->plans))
		plan_free(engine, TAILQ_FIRST(&engine->plans));
}

/* ---- on the way ---- */

static bool
is_there(const struct engine *engine, const struct vm *vm, enum plan_goal goal)
{
	if (!engine->states_ok)
		return false;
	if (goal == PLAN_OFF)
		return vm->state == VM_SHUTDOWN || vm->state == VM_SUSPENDED ||
		       vm->state == VM_CRASHED;
	if (vm->kept.replaced == REPLACED)
		return vm_is_well(vm->standby);
	return vm_is_well(vm) || (vm->presence == PRESENCE_RUNS && vm_in_maintenance(vm));
}

/* Why a launch will not bring it up; NULL: it may. */
static const char *
launch_is_hopeless(const struct vm *vm, char *text)
{
	const struct vm *lacked = care_lacks(vm);
	const struct vm *bar = policy_bar_is_up(vm);
	const char *why;
	char inner[TEXT_SIZE];

	if (vm_is_replaced(vm)) {
		why = launch_is_hopeless(vm->standby, inner);
		if (why)
			text_format(text, TEXT_SIZE, "its standby %.30s: %.60s",
				    vm->standby->kept.name, why);
		return why ? text : NULL;
	}
	if (vm->kept.needs_human)
		return vm->kept.human_reason;
	if (vm->kept.goal != PLAN_RUN)
		return vm->kept.state == VM_CRASHED ? "it crashed" : "it was ended meanwhile";
	if (bar) {
		text_format(text, TEXT_SIZE,
			    vm->primary ? "%.40s, whose standby it is, is not off"
					: "its standby %.40s is not off",
			    bar->kept.name);
		return text;
	}
	if (vm->state == VM_PAUSED && !vm->kept.blocked && !vm->action)
		return "it is paused";
	if (vm_is_preserved(vm))
		return "its dead domain is preserved: destroy that first";
	if (!lacked)
		return NULL;
	text_format(text, TEXT_SIZE, "it waits for %s", lacked->kept.name);
	return text;
}

/* Why it will not get there; NULL: it may. */
static const char *
hopeless(const struct member *member, char *text)
{
	const struct vm *vm = member->vm;

	if (!vm->config)
		return "no section of the configuration has it any more";
	if (vm_in_maintenance(vm) && (!member->named || is_over_many(member->plan->request)))
		return "it is in maintenance";
	if (member->plan->goal == PLAN_RUN)
		return launch_is_hopeless(vm, text);
	if (vm->kept.goal != PLAN_OFF)
		return "it was started meanwhile";
	return vm->policy.stop_failed ? vm->policy.error : NULL;
}

void
plan_settle(struct engine *engine, struct vm *vm)
{
	struct member *member;

	TAILQ_FOREACH (member, &vm->members, of_vm) {
		char text[TEXT_SIZE];
		const char *why;

		if (member->settled)
			continue;
		if (is_there(engine, vm, member->plan->goal))
			member_settle(engine, member);
		else if (vm->known && (why = hopeless(member, text)))
			member_fail(engine, member, why);
	}
}

/* The VM is no more. */
void
plan_forget_vm(struct engine *engine, struct vm *vm)
{
	struct member *member;

	while ((member = TAILQ_FIRST(&vm->members))) {
		if (!member->settled)
			member_fail(engine, member, "it is no more");
		TAILQ_REMOVE(&vm->members, member, of_vm);
		member->vm = NULL;
	}
}

/* Those that are to be off before vm, in words. */
void
plan_list_busy(const struct vm *vm, char *text, size_t size)
{
	size_t length = 0;

	*text = '\0';
	for (size_t i = 0; i < vm->dependents_count; i++) {
		const char *name = vm->dependents[i]->kept.name;

		if (!is_busy(vm->dependents[i]) || length + strlen(name) + 4 >= size)
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "",
					   name);
	}
}
