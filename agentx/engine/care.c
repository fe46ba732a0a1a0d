/* What supervision keeps about a VM, each change with the event that tells of it. */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- what is asked of it ---- */

bool
vm_is_off(const struct vm *vm)
{
	return vm->known && !vm->domain && vm->presence == PRESENCE_OFF;
}

/* It has ended, and its file has its domain preserved: that must go before it can start again. */
bool
vm_is_preserved(const struct vm *vm)
{
	return vm->domain && vm->presence == PRESENCE_OFF && vm->reaped && !vm->action;
}

bool
vm_has_all(const struct vm *vm)
{
	return vm->needs_ok == vm->needs_count;
}

bool
vm_is_replaced(const struct vm *vm)
{
	return vm->standby && vm->kept.replaced == REPLACED;
}

bool
vm_stands_in(const struct vm *vm)
{
	return vm->primary && vm->primary->kept.replaced == REPLACED;
}

bool
vm_in_maintenance(const struct vm *vm)
{
	return vm->kept.maintenance_wall_ms != 0;
}

/* The n-th service that answers only while vm runs: its own, then its primary's where it stands in;
 * NULL: no more. */
struct service *
vm_carries(const struct vm *vm, size_t n)
{
	size_t own = vm_is_replaced(vm) ? 0 : vm->services_count;

	if (n < own)
		return vm->services[n];
	n -= own;
	return vm_stands_in(vm) && n < vm->primary->services_count ? vm->primary->services[n]
								   : NULL;
}

bool
vm_is_watched(const struct vm *vm)
{
	return vm->config && vm_carries(vm, 0);
}

bool
vm_is_well(const struct vm *vm)
{
	const struct service *service;

	if (vm->presence != PRESENCE_RUNS || vm->kept.replaced != REPLACED_NOT)
		return false;
	for (size_t i = 0; (service = vm_carries(vm, i)); i++)
		if (service->state != SERVICE_UP)
			return false;
	return true;
}

/* What it needs and has not, in words. */
/* A VM that will not give it by itself what it needs and has not; NULL: there is none. */
const struct vm *
care_lacks(const struct vm *vm)
{
	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct vm *carrier = service_carrier(vm->needs[i].service);

		if (vm->needs[i].state != DEPENDENCY_OK && carrier && carrier->policy.hopeless)
			return carrier;
	}
	return NULL;
}

/* Nothing that supervision may do will make all answer that it carries; only a person can. */
static bool
is_hopeless(const struct vm *vm)
{
	if (!vm->config || !vm->known || vm_is_well(vm))
		return false;
	if (vm->kept.needs_human || vm_is_preserved(vm))
		return true;
	if (vm_in_maintenance(vm) && vm->presence != PRESENCE_RUNS)
		return !plan_names(vm);
	if (vm->presence == PRESENCE_RUNS)
		return vm->kept.goal == PLAN_OFF || care_lacks(vm);
	if (vm->kept.goal != PLAN_RUN || policy_bar_is_up(vm))
		return true;
	return (vm->state == VM_PAUSED && !vm->kept.blocked && !vm->action) || care_lacks(vm);
}

/* Appends as much as leaves room for " and 12345 more"; false: nothing. */
static bool
text_append(char *text, size_t *length, size_t size, const char *piece)
{
	size_t more = strlen(piece);

	if (*length + more + sizeof(" and 12345 more") > size)
		return false;
	memcpy(text + *length, piece, more + 1);
	*length += more;
	return true;
}

void
care_list_needs(const struct vm *vm, char *text, size_t size)
{
	size_t length = 0, left = vm->needs_count - vm->needs_ok;

	*text = '\0';
	for (size_t i = 0; i < vm->needs_count && left > 0; i++) {
		const struct store_service *service = &vm->needs[i].service->kept;
		size_t before = length;

		if (vm->needs[i].state == DEPENDENCY_OK)
			continue;
		if (!text_append(text, &length, size, before ? ", " : "") ||
		    !text_append(text, &length, size, service->provider) ||
		    !text_append(text, &length, size, ":") ||
		    !text_append(text, &length, size, service->service)) {
			text[length = before] = '\0';
			break;
		}
		left--;
	}
	if (left > 0)
		snprintf(text + length, size - length, "%s%zu more", length ? " and " : "", left);
}

static bool
carries_failure(const struct vm *vm)
{
	const struct service *service;

	for (size_t i = 0; (service = vm_carries(vm, i)); i++)
		if (service->state == SERVICE_DOWN)
			return true;
	return false;
}

static enum monitor_state
care_monitor(const struct engine *engine, const struct vm *vm)
{
	if (!vm->config || vm->presence == PRESENCE_UNKNOWN)
		return MONITOR_NONE;
	if (vm->kept.needs_human)
		return MONITOR_HUMAN;
	if (vm_in_maintenance(vm))
		return MONITOR_MAINTENANCE;
	if (vm->stopping)
		return MONITOR_STOPPING;
	if (vm->kept.replaced != REPLACED_NOT)
		return MONITOR_REPLACED;
	if (vm->kept.blocked)
		return MONITOR_BLOCKED;
	if (vm_is_brought_up(vm))
		return MONITOR_STARTING;
	if (vm->policy.launching)
		return MONITOR_WAITING;
	if (vm->presence == PRESENCE_OFF || vm->kept.goal == PLAN_OFF)
		return MONITOR_OFF;
	if (vm->presence == PRESENCE_SUSPENDED)
		return MONITOR_NONE; /* a person paused it */
	if (carries_failure(vm))
		return MONITOR_FAILING;
	return vm_boots(engine, vm) && !vm_is_well(vm) ? MONITOR_STARTING : MONITOR_WATCHING;
}

/* What is to be known of it by others, once it is settled. */
void
care_settle(struct engine *engine, struct vm *vm)
{
	bool was = vm->policy.hopeless, was_well = vm->policy.well, was_away = vm->policy.away;

	vm->policy.monitor = care_monitor(engine, vm);
	vm->policy.hopeless = is_hopeless(vm);
	vm->policy.well = vm_is_well(vm);
	vm->policy.away = vm_is_off(vm) && !vm_is_brought_up(vm) && !vm_is_foreseen(engine, vm);
	if (vm->policy.away != was_away)
		vm_touch_pair(engine, vm);
	if ((vm->policy.well != was_well || vm->policy.hopeless != was) && vm->primary)
		vm_touch(engine, vm->primary);
	for (size_t i = 0; vm->policy.hopeless != was && i < vm->dependents_count; i++)
		vm_touch(engine, vm->dependents[i]);
}

/* ---- what is kept ---- */

static void tell(struct engine *engine, enum event_type type, const struct vm *vm,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

static void
tell(struct engine *engine, enum event_type type, const struct vm *vm, const char *format, ...)
{
	struct mib_event *event = engine_event(engine, type, vm);
	char text[2 * TEXT_SIZE];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	TEXT_FORMAT(event->text, "%.50s: %s", vm->kept.name, text);
	if (type != EVENT_VM_BLOCKED && type != EVENT_VM_UNBLOCKED) /* its state will tell */
		log_info("VM %s: %s: %s", vm->kept.name, name_of(event_type_names, (int)type),
			 text);
}

/* From what an engine before us kept, on its clock, to ours; at most so far ahead as it can be, as
 * the wall clock may have been set back since, or not be right yet. */
static int64_t
mono_of(const struct engine *engine, int64_t wall_ms, int64_t ahead_ms)
{
	int64_t left_ms = wall_ms - engine->now.wall_ms;

	return engine->now.mono_ms + (left_ms < ahead_ms ? left_ms : ahead_ms);
}

void
care_restore(struct engine *engine, struct vm *vm)
{
	if (vm->kept.goal == 0)
		vm->kept.goal = PLAN_NONE;
	for (size_t i = 0; i < RESTARTS_KEPT && vm->kept.restarts_wall_ms[i] != 0; i++)
		vm->policy.restarts_ms[i] = mono_of(engine, vm->kept.restarts_wall_ms[i], 0);
	vm->policy.maintenance_ms = vm->kept.maintenance_wall_ms == INT64_MAX
					? INT64_MAX
					: mono_of(engine, vm->kept.maintenance_wall_ms,
						  vm->kept.maintenance_s * INT64_C(1000));
	vm->policy.memory_rest_ms = mono_of(engine, vm->kept.memory_rest_wall_ms, MEMORY_REST_MS);
}

void
care_set_goal(struct engine *engine, struct vm *vm, enum plan_goal goal)
{
	if (vm->kept.goal == goal)
		return;
	vm->kept.goal = goal;
	vm->unsaved = true;
	vm_touch(engine, vm);
}

void
care_set_desired(struct vm *vm, enum vm_desired desired)
{
	vm->unsaved |= vm->kept.desired != desired;
	vm->kept.desired = desired;
}

void
care_leave_alone(struct engine *engine, struct vm *vm, enum vm_desired desired, const char *why)
{
	care_set_desired(vm, desired);
	tell(engine, EVENT_LEFT_ALONE, vm, "%s; that is respected", why);
	vm_touch(engine, vm);
}

/* ---- restarts ---- */

static uint32_t
restart_limit(const struct vm *vm)
{
	uint32_t limit = vm->config ? vm->config->policy.restart_limit : 0;

	return limit < RESTARTS_KEPT ? limit : RESTARTS_KEPT;
}

uint32_t
care_restarts(const struct engine *engine, const struct vm *vm)
{
	uint32_t count = 0;

	while (count < RESTARTS_KEPT && vm->kept.restarts_wall_ms[count] != 0 &&
	       engine->now.mono_ms - vm->policy.restarts_ms[count] <
		   vm->config->policy.restart_window_ms)
		count++;
	return count;
}

bool
care_may_restart(const struct engine *engine, const struct vm *vm)
{
	return care_restarts(engine, vm) < restart_limit(vm);
}

void
care_count_restart(struct engine *engine, struct vm *vm)
{
	size_t rest = (RESTARTS_KEPT - 1) * sizeof(int64_t);

	memmove(vm->kept.restarts_wall_ms + 1, vm->kept.restarts_wall_ms, rest);
	memmove(vm->policy.restarts_ms + 1, vm->policy.restarts_ms, rest);
	vm->kept.restarts_wall_ms[0] = engine->now.wall_ms;
	vm->policy.restarts_ms[0] = engine->now.mono_ms;
	vm->policy.restarts_row++;
	vm->policy.due_ms = 0;
	vm->unsaved = true;
}

void
care_tell_restart(struct engine *engine, struct vm *vm, const char *why)
{
	care_count_restart(engine, vm);
	tell(engine, EVENT_VM_RESTARTED, vm, "restart %" PRIu32 " of %" PRIu32 ": %.60s",
	     care_restarts(engine, vm), restart_limit(vm), why);
}

/* ---- a service that it needs is not there ---- */

void
care_block(struct engine *engine, struct vm *vm, enum dependency_policy how, const char *why)
{
	vm->kept.blocked = how;
	vm->policy.since_wall_ms = engine->now.wall_ms;
	vm->unsaved = true;
	tell(engine, EVENT_VM_BLOCKED, vm, "%s: %.70s",
	     how == DEPENDENCY_PAUSE ? "paused" : "shut down", why);
}

void
care_unblock(struct engine *engine, struct vm *vm, const char *why)
{
	if (vm->kept.blocked == 0)
		return;
	vm->kept.blocked = 0;
	vm->acted.domid = 0; /* should it end now, it is not for that */
	vm->unsaved = true;
	tell(engine, EVENT_VM_UNBLOCKED, vm, "%s", why);
}

/* ---- a person is needed ---- */

void
care_need_human(struct engine *engine, struct vm *vm, const char *why)
{
	if (vm->kept.needs_human)
		return;
	vm->kept.needs_human = true;
	TEXT_SET(vm->kept.human_reason, why);
	vm->unsaved = true;
	tell(engine, EVENT_NEEDS_HUMAN, vm, "needs a human: %.70s", why);
	vm_touch(engine, vm);
}

void
care_human_over(struct engine *engine, struct vm *vm, const char *why)
{
	if (!vm->kept.needs_human)
		return;
	vm->kept.needs_human = false;
	memset(vm->kept.human_reason, 0, sizeof(vm->kept.human_reason));
	vm->policy.restarts_row = 0;
	vm->unsaved = true;
	tell(engine, EVENT_NEEDS_HUMAN_OVER, vm, "%s", why);
	vm_touch(engine, vm);
}

/* ---- maintenance ---- */

void
care_maintain(struct engine *engine, struct vm *vm, uint32_t seconds)
{
	bool was = vm->kept.maintenance_wall_ms != 0, endless = seconds == UINT32_MAX;

	if (seconds == 0) {
		care_end_maintenance(engine, vm, "ended by request");
		return;
	}
	vm->kept.maintenance_s = seconds;
	vm->kept.maintenance_wall_ms =
	    endless ? INT64_MAX : engine->now.wall_ms + seconds * INT64_C(1000);
	vm->policy.maintenance_ms =
	    endless ? INT64_MAX : engine->now.mono_ms + seconds * INT64_C(1000);
	vm->unsaved = true;
	vm_touch(engine, vm);
	if (was)
		return;
	if (endless)
		tell(engine, EVENT_MAINTENANCE_BEGAN, vm, "maintenance begins");
	else
		tell(engine, EVENT_MAINTENANCE_BEGAN, vm, "maintenance begins, for %" PRIu32 " s",
		     seconds);
}

void
care_end_maintenance(struct engine *engine, struct vm *vm, const char *why)
{
	if (vm->kept.maintenance_wall_ms == 0)
		return;
	vm->kept.maintenance_wall_ms = 0;
	vm->kept.maintenance_s = 0;
	vm->unsaved = true;
	tell(engine, EVENT_MAINTENANCE_ENDED, vm, "maintenance is over: %s", why);
	vm_touch(engine, vm);
}

/* ---- the standby ---- */

/* Whose services they are is another VM now. */
static void
set_replaced(struct engine *engine, struct vm *vm, enum store_replaced replaced)
{
	vm->kept.replaced = replaced;
	vm->unsaved = true;
	vm_touch(engine, vm);
	if (!vm->standby)
		return;
	vm_touch(engine, vm->standby);
	service_carry_all(engine, vm, SERVICE_STARTING);
}

void
care_replace(struct engine *engine, struct vm *vm, const char *why)
{
	set_replaced(engine, vm, REPLACED);
	care_set_goal(engine, vm->standby, PLAN_RUN);
	care_set_desired(vm->standby, DESIRED_RUNNING);
	vm->standby->policy.fresh = true;
	tell(engine, EVENT_STANDBY_TOOK_OVER, vm, "%.40s stands in for it: %.60s",
	     vm->standby->kept.name, why);
}

void
care_recall(struct engine *engine, struct vm *vm)
{
	if (vm->kept.replaced != REPLACED)
		return;
	set_replaced(engine, vm, REPLACED_ENDS);
	care_set_goal(engine, vm->standby, PLAN_OFF);
	care_set_desired(vm->standby, DESIRED_SHUTDOWN);
}

void
care_release(struct engine *engine, struct vm *vm, const char *why)
{
	if (vm->kept.replaced == REPLACED_NOT)
		return;
	set_replaced(engine, vm, REPLACED_NOT);
	tell(engine, EVENT_STANDBY_RELEASED, vm, "no standby stands in for it any more: %s", why);
}
