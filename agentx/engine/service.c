/*
 * What is known of each service: by the hypervisor's word about the VM that carries it, and by what
 * attempts to reach it came to.
 */
#include "engine/internal.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

/* ---- who carries it ---- */

/* Of a VM that is replaced the standby counts, and its service of the same name where it has one.
 */
struct vm *
service_carrier(const struct service *service)
{
	struct vm *vm = service->vm;

	return vm && vm->standby && vm->kept.replaced == REPLACED ? vm->standby : vm;
}

static bool
service_is_stood_in(const struct service *service)
{
	return service->stand_in && service->vm->kept.replaced == REPLACED;
}

/* ---- its state, and who needs it ---- */

static enum dependency_state
service_suffices(const struct service *service)
{
	switch (service->state) {
	case SERVICE_UP:
		return DEPENDENCY_OK;
	case SERVICE_DOWN:
	case SERVICE_SUSPENDED:
	case SERVICE_OFF:
		return DEPENDENCY_FAILED;
	case SERVICE_STARTING: /* for the first time: nobody had it yet */
		return service->was_up ? DEPENDENCY_FAILED : DEPENDENCY_UNKNOWN;
	default:
		return DEPENDENCY_UNKNOWN;
	}
}

/* Its VMs, in text, as far as there is room: "www, db and 3 more". */
static void
service_list_dependents(const struct service *service, char *text, size_t size)
{
	size_t running = 0, named = 0, length = 0;

	*text = '\0';
	for (size_t i = 0; i < service->needed_by_count; i++) {
		const struct vm *vm = service->needed_by[i]->vm;

		if (vm->presence != PRESENCE_RUNS)
			continue;
		running++;
		if (length + strlen(vm->kept.name) + 16 >= size)
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s%s", named ? ", " : "",
					   vm->kept.name);
		named++;
	}
	if (named < running)
		snprintf(text + length, size - length, " and %zu more", running - named);
}

static struct mib_event *
service_event(struct engine *engine, enum event_type type, const struct service *service)
{
	struct mib_event *event = engine_event(engine, type, NULL);

	event->service_index = service->kept.index;
	TEXT_SET(event->provider, service->kept.provider);
	TEXT_SET(event->service, service->kept.service);
	MIB_ABSENT(mib_event, event, service_index, false);
	MIB_ABSENT(mib_event, event, provider, false);
	MIB_ABSENT(mib_event, event, service, false);
	event->service_state = service->state;
	MIB_ABSENT(mib_event, event, service_state, false);
	return event;
}

/* Each event of trouble has its other half. */
static void
service_tell(struct engine *engine, struct service *service)
{
	const char *name = service->kept.service, *provider = service->kept.provider;

	if (service->state == SERVICE_DOWN && !service->failed_told) {
		service->failed_told = true;
		TEXT_FORMAT(service_event(engine, EVENT_SERVICE_FAILED, service)->text,
			    "%.50s:%s is down: %.40s", provider, name, service->text);
		log_warn("service %s:%s is down: %s", provider, name, service->text);
	} else if (service->state == SERVICE_UP && service->failed_told) {
		service->failed_told = false;
		TEXT_FORMAT(service_event(engine, EVENT_SERVICE_RESTORED, service)->text,
			    "%.50s:%s answers again", provider, name);
		log_info("service %s:%s answers again", provider, name);
	}
}

/* Who runs without it, or with it again. Those that do not run have lost nothing. */
static void
service_tell_dependents(struct engine *engine, struct service *service)
{
	const char *name = service->kept.service, *provider = service->kept.provider;
	enum dependency_state state = service_suffices(service);
	char vms[TEXT_SIZE];

	if (state == DEPENDENCY_OK && service->dependency_told) {
		service->dependency_told = false;
		TEXT_FORMAT(service_event(engine, EVENT_DEPENDENCY_RESTORED, service)->text,
			    "%.50s:%s is there again for those that need it", provider, name);
	} else if (state == DEPENDENCY_FAILED && !service->dependency_told) {
		service_list_dependents(service, vms, 60);
		if (vms[0] == '\0')
			return;
		service->dependency_told = true;
		TEXT_FORMAT(service_event(engine, EVENT_DEPENDENCY_FAILED, service)->text,
			    "%.40s:%.16s is %s; needed by %s", provider, name,
			    name_of(service_state_names, service->state), vms);
	}
}

void
service_recall(struct engine *engine, const struct mib_event *event)
{
	struct service *service = service_find(engine, event->provider, event->service);

	if (!service)
		return;
	if (event->type == EVENT_SERVICE_FAILED || event->type == EVENT_SERVICE_RESTORED)
		service->failed_told = event->type == EVENT_SERVICE_FAILED;
	else
		service->dependency_told = event->type == EVENT_DEPENDENCY_FAILED;
}

static void
need_settle(struct engine *engine, struct need *need)
{
	enum dependency_state state = service_suffices(need->service);

	if (need->state == state)
		return;
	need->vm->needs_ok += (state == DEPENDENCY_OK) - (need->state == DEPENDENCY_OK);
	need->vm->needs_failed += (state == DEPENDENCY_FAILED) - (need->state == DEPENDENCY_FAILED);
	need->state = state;
	need->since_wall_ms = engine->now.wall_ms;
	vm_touch(engine, need->vm);
	rows_touch_need(engine, need);
}

static void
service_set_state(struct engine *engine, struct service *service, enum service_state state)
{
	enum dependency_state before = service_suffices(service);
	struct vm *carrier = service_carrier(service);

	if (service->state == state)
		return;
	service->state = state;
	service->since_wall_ms = engine->now.wall_ms;
	service->changes++;
	service->was_up |= state == SERVICE_UP;
	if (state == SERVICE_DOWN)
		service->down_ms = engine->now.mono_ms;
	service_tell(engine, service);
	if (service_suffices(service) != before) {
		service_tell_dependents(engine, service);
		for (size_t i = 0; i < service->needed_by_count; i++)
			need_settle(engine, service->needed_by[i]);
	}
	if (carrier && carrier != engine->settling)
		vm_touch(engine, carrier);
	if (service->stood_in && service_is_stood_in(service->stood_in))
		service_set_state(engine, service->stood_in, state);
	rows_put_service(engine, service);
}

/* ---- what came of it ---- */

static bool
service_boots(const struct engine *engine, const struct service *service)
{
	const struct vm *carrier = service_carrier(service);

	return carrier && vm_boots(engine, carrier);
}

static bool
all_answered(const struct vm *vm, const struct vm *carrier)
{
	for (size_t i = 0; i < vm->services_count; i++)
		if (service_carrier(vm->services[i]) == carrier && vm->services[i]->watched &&
		    !vm->services[i]->answered)
			return false;
	return true;
}

/* Its allowance ends before its time once all that it carries has answered. */
static void
boot_end(struct vm *carrier)
{
	if (carrier && carrier->boot_left_ms > 0 && all_answered(carrier, carrier) &&
	    (!carrier->primary || all_answered(carrier->primary, carrier)))
		carrier->boot_left_ms = 0;
}

static void
service_rose(struct engine *engine, struct service *service, uint32_t latency_us)
{
	service->rises++;
	service->failures = service->errors = 0;
	service->latency_us = latency_us;
	if (service->rises < service->config->watch.rise)
		return;
	service->answered = true;
	boot_end(service_carrier(service));
	service_set_state(engine, service, SERVICE_UP);
}

/* While its VM boots it is not expected to answer, until it did once. */
static void
service_fell(struct engine *engine, struct service *service)
{
	service->failures++;
	service->rises = service->errors = 0;
	service->failed_ms = service->target->asked_ms;
	if (service->state == SERVICE_DOWN && service_carrier(service))
		vm_touch(engine, service_carrier(service)); /* its repair may wait for this */
	if (service->failures >= service->config->watch.fall &&
	    (service->answered || !service_boots(engine, service)))
		service_set_state(engine, service, SERVICE_DOWN);
}

/* Trouble of our own says nothing of the service; too much of it, and nothing is known. */
static void
service_erred(struct engine *engine, struct service *service)
{
	service->errors++;
	if (service->errors >= service->config->watch.fall && service->state != SERVICE_STARTING)
		service_set_state(engine, service, SERVICE_UNKNOWN);
}

void
service_take(struct engine *engine, struct service *service, const struct probe_report *report)
{
	bool silent = report->outcome == PROBE_SILENT;

	TEXT_SET(service->text, report->text);
	service->probed_ms = engine->now.mono_ms;
	if (report->outcome == PROBE_UP || (silent && service->config->silence_is_up))
		service_rose(engine, service, report->latency_us);
	else if (silent || report->outcome == PROBE_DOWN)
		service_fell(engine, service);
	else
		service_erred(engine, service);
	rows_put_service(engine, service);
}

/* ---- when its VM comes and goes ---- */

/* From here on it is tried; what came of earlier attempts is past. */
static void
service_watch(struct engine *engine, struct service *service, enum service_state state)
{
	service->watched = true;
	service->rises = service->failures = service->errors = 0;
	service->first_attempt = engine->next_attempt;
	service_set_state(engine, service, state);
	target_begin(engine, service->target);
}

static void
service_unwatch(struct engine *engine, struct service *service, enum service_state state)
{
	service->watched = false;
	service_set_state(engine, service, state);
	target_schedule(engine, service->target);
}

/* By what its carrier is; state: what it is where that runs. */
static void
service_carry(struct engine *engine, struct service *service, enum service_state state)
{
	static const enum service_state still[] = {[PRESENCE_UNKNOWN] = SERVICE_UNKNOWN,
						   [PRESENCE_OFF] = SERVICE_OFF,
						   [PRESENCE_SUSPENDED] = SERVICE_SUSPENDED};
	const struct vm *carrier = service_carrier(service);

	if (service_is_stood_in(service))
		service_unwatch(engine, service, service->stand_in->state);
	else if (!carrier || carrier->presence == PRESENCE_RUNS)
		service_watch(engine, service, state);
	else
		service_unwatch(engine, service, still[carrier->presence]);
}

void
service_wait(struct engine *engine, struct service *service, bool waits)
{
	service->waiters += waits ? 1 : -1u;
	target_schedule(engine, service->target);
}

void
service_carry_all(struct engine *engine, struct vm *vm, enum service_state state)
{
	for (size_t i = 0; i < vm->services_count; i++)
		service_carry(engine, vm->services[i], state);
}

bool
vm_boots(const struct engine *engine, const struct vm *vm)
{
	return vm->presence == PRESENCE_RUNS &&
	       engine->now.mono_ms < vm->boot_since_ms + vm->boot_left_ms;
}

/* What is left of a VM's boot allowance when it is found, of which only the start is known. */
static int64_t
boot_left_ms(const struct engine *engine, const struct vm *vm)
{
	int64_t age_ms = engine->now.wall_ms - vm->kept.start_wall_ms;
	int64_t allowance_ms = vm->config ? vm->config->policy.boot_ms : 0;
	int64_t since_ms = engine->now.mono_ms - vm->boot_since_ms;

	/* As of boot_since_ms. */
	age_ms -= since_ms;
	return age_ms < 0 ? allowance_ms : age_ms < allowance_ms ? allowance_ms - age_ms : 0;
}

/* The allowance runs while the VM does. */
static void
boot_follow(struct engine *engine, struct vm *vm, enum presence presence, bool anew)
{
	if (vm->presence == PRESENCE_RUNS && vm->boot_left_ms > 0) {
		vm->boot_left_ms -= engine->now.mono_ms - vm->boot_since_ms;
		if (vm->boot_left_ms < 0)
			vm->boot_left_ms = 0;
	}
	vm->boot_since_ms = engine->now.mono_ms;
	vm->boot_found = vm->presence == PRESENCE_UNKNOWN && presence == PRESENCE_RUNS;
	if (vm->boot_found)
		vm->boot_left_ms = boot_left_ms(engine, vm);
	else if (vm->presence == PRESENCE_UNKNOWN || vm->presence == PRESENCE_OFF || anew)
		vm->boot_left_ms = vm->config ? vm->config->policy.boot_ms : 0;
}

static enum presence
vm_presence(const struct vm *vm)
{
	if (!vm->known)
		return PRESENCE_UNKNOWN;
	switch (vm->kept.state) {
	case VM_RUNNING: /* what is being paused answers nobody for long */
		return vm->verb == VERB_PAUSE ? PRESENCE_SUSPENDED : PRESENCE_RUNS;
	case VM_PAUSED:
	case VM_SUSPENDING:
		return PRESENCE_SUSPENDED;
	default:
		return PRESENCE_OFF;
	}
}

/* It was started: what it carries has yet to answer. */
static void
service_begin_all(struct vm *vm)
{
	for (size_t i = 0; i < vm->services_count; i++)
		vm->services[i]->answered = false;
	for (size_t i = 0; vm->primary && i < vm->primary->services_count; i++)
		if (service_carrier(vm->primary->services[i]) == vm)
			vm->primary->services[i]->answered = false;
}

void
boot_find(struct engine *engine, struct vm *vm)
{
	if (vm->presence != PRESENCE_RUNS)
		return;
	vm->boot_found = true;
	vm->boot_since_ms = engine->now.mono_ms;
	vm->boot_left_ms = boot_left_ms(engine, vm);
}

void
boot_recall(struct engine *engine, struct vm *vm)
{
	if (vm->boot_found && vm->boot_left_ms > 0)
		vm->boot_left_ms = boot_left_ms(engine, vm);
}

void
service_follow(struct engine *engine, struct vm *vm)
{
	enum presence before = vm->presence, presence = vm_presence(vm);
	bool anew = before == PRESENCE_RUNS && vm->presence_domid != vm->kept.domid;
	enum service_state state = before == PRESENCE_UNKNOWN ? SERVICE_UNKNOWN : SERVICE_STARTING;

	if (presence == before && !(anew && presence == PRESENCE_RUNS))
		return;
	boot_follow(engine, vm, presence, anew);
	vm->presence = presence;
	vm->presence_domid = vm->kept.domid;
	if (before != PRESENCE_SUSPENDED && presence == PRESENCE_RUNS)
		service_begin_all(vm);
	if (!vm->standby || vm->kept.replaced != REPLACED)
		service_carry_all(engine, vm, state);
	if (vm->primary && vm->primary->kept.replaced == REPLACED)
		service_carry_all(engine, vm->primary, state);
}

/* It is not probed now, or is not to be, as another carries it since the last configuration. */
static bool
service_is_to_be_carried(const struct service *service)
{
	const struct vm *carrier = service_carrier(service);

	return !service->watched || service_is_stood_in(service) ||
	       (carrier && carrier->presence != PRESENCE_RUNS);
}

void
service_load(struct engine *engine)
{
	struct graph *graph = &engine->graph;

	for (size_t i = 0; i < engine->order_count; i++)
		engine->order[i]->needs_ok = engine->order[i]->needs_failed = 0;
	for (size_t i = 0; i < graph->services_count; i++)
		graph->services[i]->waiters = 0;
	for (size_t i = 0; i < graph->needs_count; i++) {
		struct need *need = &graph->needs[i];

		need->service->waiters += need->vm->policy.launching;
		need->vm->needs_ok += need->state == DEPENDENCY_OK;
		need->vm->needs_failed += need->state == DEPENDENCY_FAILED;
	}
	for (size_t i = 0; i < graph->services_count; i++) {
		struct service *service = graph->services[i];

		if (service_is_to_be_carried(service))
			service_carry(engine, service, SERVICE_UNKNOWN);
		target_schedule(engine, service->target);
	}
	for (size_t i = 0; i < graph->needs_count; i++)
		need_settle(engine, &graph->needs[i]);
}
