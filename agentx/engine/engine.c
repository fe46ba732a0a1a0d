#include "engine/internal.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define HOUSEKEEPING_MS (60 * 1000)
#define UNHEARD_STEP_MS 1000 /* of silence between two ticks, at most */
#define HELD_WAIT_MS 2000    /* for agentx to say what became of the holds of an engine that died */

static int
domain_compare(const void *a, const void *b)
{
	const struct domain *left = a, *right = b;

	return (left->domid > right->domid) - (left->domid < right->domid);
}

static int
figures_compare(const void *a, const void *b)
{
	const struct fact_figures *left = a, *right = b;

	return (left->domid > right->domid) - (left->domid < right->domid);
}

static int
net_compare(const void *a, const void *b)
{
	const struct fact_net *left = a, *right = b;

	if (left->domid != right->domid)
		return left->domid < right->domid ? -1 : 1;
	return (left->device > right->device) - (left->device < right->device);
}

static int
disk_compare(const void *a, const void *b)
{
	const struct fact_disk *left = a, *right = b;

	if (left->domid != right->domid)
		return left->domid < right->domid ? -1 : 1;
	return (left->device > right->device) - (left->device < right->device);
}

/* What an engine before us told as lost and not as restored: the pair is ours to end. */
static void
engine_recall(struct engine *engine, const struct store_content *content)
{
	for (size_t i = 0; i < content->events_count; i++) {
		int32_t type = content->events[i].type;

		if (type == EVENT_HYPERVISOR_LOST || type == EVENT_HYPERVISOR_RESTORED)
			engine->lost = type == EVENT_HYPERVISOR_LOST;
		else if (type == EVENT_FIGURES_LOST || type == EVENT_FIGURES_RESTORED)
			engine->figures_lost = type == EVENT_FIGURES_LOST;
		else if (type >= EVENT_SERVICE_FAILED && type <= EVENT_DEPENDENCY_RESTORED)
			service_recall(engine, &content->events[i]);
	}
}

struct engine *
engine_new(const struct store_content *content, struct instant now)
{
	struct engine *engine = mem_alloc(sizeof(*engine));

	engine->now = now;
	engine->journal = content->journal;
	engine->next_sequence = content->next_sequence;
	engine->next_request = content->next_request;
	engine->held_until_ms = INT64_MAX;
	engine->tick_ms = now.mono_ms;
	engine->housekeeping_ms = now.mono_ms + HOUSEKEEPING_MS;
	engine->table_change_ms = now.mono_ms;
	vms_init(engine);
	services_init(engine);
	request_init(engine);
	TAILQ_INIT(&engine->plans);
	STAILQ_INIT(&engine->effects);
	rowset_init(&engine->domains, sizeof(struct domain), domain_compare, false);
	rowset_init(&engine->early, sizeof(struct fact_figures), figures_compare, false);
	rowset_init(&engine->nets, sizeof(struct fact_net), net_compare, false);
	rowset_init(&engine->disks, sizeof(struct fact_disk), disk_compare, false);
	mib_rows_init(&engine->rows, true);
	for (size_t i = 0; i < content->vms_count; i++)
		vm_restore(engine, &content->vms[i]);
	services_restore(engine, content);
	engine_recall(engine, content);
	request_restore(engine, content);
	request_tell_ends(engine, content);
	return engine;
}

void
engine_free(struct engine *engine)
{
	struct effect effect;

	while (engine_next_effect(engine, &effect))
		;
	plan_dispose(engine);
	request_dispose(engine);
	graph_dispose(engine);
	services_dispose(engine);
	vms_dispose(engine);
	timers_dispose(&engine->timers);
	rowset_dispose(&engine->domains);
	rowset_dispose(&engine->early);
	rowset_dispose(&engine->nets);
	rowset_dispose(&engine->disks);
	mib_rows_dispose(&engine->rows);
	free(engine);
}

struct effect *
engine_effect(struct engine *engine, enum effect_type type)
{
	struct queued_effect *queued = mem_alloc(sizeof(*queued));

	queued->effect.type = type;
	STAILQ_INSERT_TAIL(&engine->effects, queued, next);
	return &queued->effect;
}

void
engine_observe(struct engine *engine, void (*observe)(void *arg, const struct engine_call *call),
	       void *arg)
{
	engine->observe = observe;
	engine->observe_arg = arg;
}

/* What every call begins with. */
static void
engine_enter(struct engine *engine, const struct engine_call *call)
{
	engine->now = call->now;
	if (engine->observe)
		engine->observe(engine->observe_arg, call);
}
#define ENTER(engine, ...) engine_enter(engine, &(struct engine_call){__VA_ARGS__})

bool
engine_next_effect(struct engine *engine, struct effect *effect)
{
	struct queued_effect *queued = STAILQ_FIRST(&engine->effects);

	if (!queued)
		return false;
	STAILQ_REMOVE_HEAD(&engine->effects, next);
	*effect = queued->effect;
	free(queued);
	if (engine->observe)
		engine->observe(engine->observe_arg, &(struct engine_call){.type = CALL_EFFECT,
									   .now = engine->now,
									   .effect = effect});
	return true;
}

struct mib_event *
engine_event(struct engine *engine, enum event_type type, const struct vm *vm)
{
	struct mib_event *event = &engine_effect(engine, EFFECT_EVENT)->event;

	event->sequence = engine->next_sequence++;
	event->time = engine->now.wall_ms;
	event->type = type;
	MIB_ABSENT(mib_event, event, state, true);
	MIB_ABSENT(mib_event, event, previous, true);
	MIB_ABSENT(mib_event, event, request, true);
	MIB_ABSENT(mib_event, event, verb, true);
	MIB_ABSENT(mib_event, event, outcome, true);
	MIB_ABSENT(mib_event, event, service_index, true);
	MIB_ABSENT(mib_event, event, provider, true);
	MIB_ABSENT(mib_event, event, service, true);
	MIB_ABSENT(mib_event, event, service_state, true);
	MIB_ABSENT(mib_event, event, vm_index, !vm);
	MIB_ABSENT(mib_event, event, vm_name, !vm);
	MIB_ABSENT(mib_event, event, vm_uuid, !vm);
	if (vm) {
		event->vm_index = vm->kept.index;
		TEXT_SET(event->vm_name, vm->kept.name);
		memcpy(event->vm_uuid, vm->kept.uuid, UUID_SIZE);
	}
	return event;
}

/* What every call ends with: rows and effects follow from what changed. */
static void
engine_settle(struct engine *engine)
{
	do {
		vm_settle_touched(engine);
		plan_finish_settled(engine);
	} while (engine->touched_count > 0);
	if (engine->host_changed)
		rows_put_host(engine);
	engine->host_changed = false;
}

void
engine_note(struct engine *engine, struct instant now, enum event_type type, const char *format,
	    ...)
{
	struct mib_event *event;
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	ENTER(engine, .type = CALL_NOTE, .now = now, .note = {type, text});
	event = engine_event(engine, type, NULL);
	TEXT_SET(event->text, text);
	if (type == EVENT_STORE_RESTORED)
		request_settle_all(engine);
}

void
engine_load(struct engine *engine, const struct config *config, struct instant now)
{
	bool first = !engine->config;

	ENTER(engine, .type = CALL_LOAD, .now = now);
	engine->config = config;
	engine->host_changed = true;
	vm_load(engine);
	rows_load(engine);
	service_load(engine);
	plan_load(engine);
	if (first)
		request_resume(engine);
	engine_settle(engine);
}

static const struct {
	uint16_t type; /* enum message_type, ENGINE_HOLD_BY_HAND */
	size_t size;
	void (*handle)(struct engine *engine, const struct message *message);
} engine_messages[] = {
    {MSG_HOST, sizeof(struct fact_host), rows_host},
    {MSG_POOL, sizeof(struct fact_pool), rows_pool},
    {MSG_DOMAIN, sizeof(struct fact_domain), domain_state},
    {MSG_FIGURES, sizeof(struct fact_figures), domain_figures},
    {MSG_NET, sizeof(struct fact_net), rows_net},
    {MSG_DISK, sizeof(struct fact_disk), rows_disk},
    {MSG_SAMPLE, sizeof(struct fact_sample), domain_sample},
    {MSG_STARTED, sizeof(struct outcome), request_started},
    {MSG_OUTCOME, sizeof(struct outcome), request_outcome},
    {MSG_HOLD, sizeof(struct hold), request_hold},
    {ENGINE_HOLD_BY_HAND, sizeof(struct hold), request_hold_by_hand},
    {MSG_RELEASE, 0, request_release},
    {MSG_DROP, 0, request_drop},
};

void
engine_message(struct engine *engine, struct instant now, const struct message *message)
{
	ENTER(engine, .type = CALL_MESSAGE, .now = now, .message = message);
	for (size_t i = 0; i < sizeof(engine_messages) / sizeof(engine_messages[0]); i++) {
		if (engine_messages[i].type != message->type)
			continue;
		if (engine_messages[i].size != message->size) {
			log_warn("message %d of %d octets is malformed, ignored", message->type,
				 message->size);
			return;
		}
		engine_messages[i].handle(engine, message);
		engine_settle(engine);
		return;
	}
	log_warn("message %d is unknown, ignored", message->type);
}

void
engine_peer(struct engine *engine, struct instant now, enum role role, bool there)
{
	ENTER(engine, .type = CALL_PEER, .now = now, .peer = {role, there});
	if (role == ROLE_HYPERVISOR) {
		engine->hypervisor_there = there;
		if (there) {
			domain_sweep(engine);
			request_resend(engine);
			vm_touch_all(engine); /* what was asked for meanwhile waits */
		}
	} else if (role == ROLE_AGENTX) {
		/* Whatever was held by the agentx process that died was acknowledged, or may have
		 * been: carried out at once. What an engine before us held waits for what agentx
		 * says. */
		if (!there && engine->agentx_there)
			request_release_held(engine, true);
		else if (there && !engine->agentx_there)
			engine->held_until_ms = now.mono_ms + HELD_WAIT_MS;
		engine->agentx_there = there;
	}
	engine_settle(engine);
}

void
engine_stored(struct engine *engine, struct instant now, uint64_t number, int state, bool durable)
{
	ENTER(engine, .type = CALL_STORED, .now = now, .stored = {number, state, durable});
	request_stored(engine, number, state, durable);
	engine_settle(engine);
}

void
engine_probed(struct engine *engine, struct instant now, const struct probe_report *report)
{
	ENTER(engine, .type = CALL_PROBED, .now = now, .report = report);
	target_report(engine, report);
	engine_settle(engine);
}

void
engine_reloaded(struct engine *engine, struct instant now, const char *error)
{
	ENTER(engine, .type = CALL_RELOADED, .now = now, .text = error);
	request_reloaded(engine, error);
	engine_settle(engine);
}

/* A hypervisor process that is stopped or does not come up is no answer of the hypervisor either.
 * Only time in which we were awake ourselves counts. */
static void
engine_listen(struct engine *engine)
{
	int64_t step_ms = engine->now.mono_ms - engine->tick_ms;

	engine->tick_ms = engine->now.mono_ms;
	engine->unheard_ms += step_ms < UNHEARD_STEP_MS ? step_ms : UNHEARD_STEP_MS;
	if (!engine->lost && engine->unheard_ms > (int64_t)engine->config->interval_ms +
						      2 * (int64_t)engine->config->silence_ms)
		domain_unheard(engine);
}

void
engine_tick(struct engine *engine, struct instant now)
{
	struct timer *timer;

	ENTER(engine, .type = CALL_TICK, .now = now);
	engine_listen(engine);
	while ((timer = timers_take(&engine->timers, now.mono_ms)))
		timer->fire(timer->arg);
	if (engine->held_until_ms <= now.mono_ms) {
		engine->held_until_ms = INT64_MAX;
		request_release_held(engine, false);
	}
	if (engine->housekeeping_ms <= now.mono_ms) {
		engine->housekeeping_ms = now.mono_ms + HOUSEKEEPING_MS;
		request_housekeeping(engine);
		vm_housekeeping(engine);
		services_housekeeping(engine);
	}
	engine_settle(engine);
}

int64_t
engine_deadline(const struct engine *engine)
{
	int64_t deadline_ms = timers_deadline(&engine->timers);

	if (engine->housekeeping_ms < deadline_ms)
		deadline_ms = engine->housekeeping_ms;
	return engine->held_until_ms < deadline_ms ? engine->held_until_ms : deadline_ms;
}

struct mib_rows *
engine_rows(struct engine *engine)
{
	return &engine->rows;
}

bool
engine_is_whole(const struct engine *engine)
{
	return engine->states_told && engine->figures_told;
}

void
engine_fill_agent(const struct engine *engine, struct mib_agent *row)
{
	row->sample_time = engine->states.mono_ms;
	row->sample_ms = engine->states.duration_us / 1000;
	row->figures_time = engine->figures.mono_ms;
	row->figures_ms = engine->figures.duration_us / 1000;
	MIB_ABSENT(mib_agent, row, sample_time, engine->states.mono_ms == 0);
	MIB_ABSENT(mib_agent, row, sample_ms, engine->states.mono_ms == 0);
	MIB_ABSENT(mib_agent, row, figures_time, engine->figures.mono_ms == 0);
	MIB_ABSENT(mib_agent, row, figures_ms, engine->figures.mono_ms == 0);
	row->requests_open = request_open_count(engine);
}
