/* The requests that are known, and their ends. */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define KEEP_MS (24 * 3600 * INT64_C(1000)) /* a finished request stays so long */

bool
request_is_open(const struct request *request)
{
	return request->kept.row.state <= REQUEST_RUNNING;
}

struct request *
request_find(const struct engine *engine, uint64_t number)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.number == number)
			return request;
	return NULL;
}

struct request *
request_find_id(const struct engine *engine, const char *id)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (strcmp(request->kept.row.id, id) == 0)
			return request;
	return NULL;
}

void
request_put(struct engine *engine, struct request *request)
{
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
	rows_put_request(engine, request);
}

void
request_remove(struct engine *engine, struct request *request)
{
	engine_effect(engine, EFFECT_DROP_REQUEST)->request.number = request->kept.number;
	rowset_remove(&engine->rows.sets[KIND_REQUEST], &request->kept.row);
	TAILQ_REMOVE(&engine->requests, request, next);
	free(request);
}

void
request_restore(struct engine *engine, const struct store_content *content)
{
	for (size_t i = 0; i < content->requests_count; i++) {
		struct request *request = mem_alloc(sizeof(*request));

		request->kept = content->requests[i];
		request->vm = vm_find_uuid(engine, request->kept.uuid);
		if (!request->vm && request_is_open(request)) /* it has another UUID since */
			request->vm = vm_find_index(engine, request->kept.row.vm_index);
		request->settled = !request_is_open(request);
		TAILQ_INSERT_TAIL(&engine->requests, request, next);
		rows_put_request(engine, request);
		/* One that ran may still run, or be done: the hypervisor process knows by its id.
		 */
		if (request->kept.row.state == REQUEST_RUNNING)
			request->sent = true;
		if (request->sent && request->vm) {
			request->vm->action = request->kept.number;
			request->vm->verb = (uint32_t)request->kept.row.verb;
			request->vm->action_domid = request->kept.domid;
		}
	}
}

uint32_t
request_open_count(const struct engine *engine)
{
	const struct request *request;
	uint32_t count = 0;

	TAILQ_FOREACH (request, &engine->requests, next)
		count += request_is_open(request);
	return count;
}

struct mib_event *
request_event(struct engine *engine, enum event_type type, const struct request *request)
{
	struct mib_event *event = engine_event(engine, type, request->vm);

	TEXT_SET(event->request, request->kept.row.id);
	event->verb = request->kept.row.verb;
	event->outcome = request->kept.row.state;
	MIB_ABSENT(mib_event, event, request, false);
	MIB_ABSENT(mib_event, event, verb, false);
	MIB_ABSENT(mib_event, event, outcome, false);
	return event;
}

/* Its end goes into the journal. */
void
request_announce(struct engine *engine, const struct request *request)
{
	const struct mib_request *row = &request->kept.row;
	struct mib_event *event = request_event(engine, EVENT_REQUEST_FINISHED, request);

	event->time = row->ended; /* request_is_told() knows it by that */
	TEXT_FORMAT(event->text, "%.32s: %s %s%s%.60s", row->vm, name_of(verb_names, row->verb),
		    name_of(request_state_names, row->state), row->error[0] ? ": " : "",
		    row->error);
	log_info("VM %s: request %s: %s %s%s%s", row->vm, row->id, name_of(verb_names, row->verb),
		 name_of(request_state_names, row->state), row->error[0] ? ": " : "", row->error);
}

/* Its end is in the journal, or so old that it may have left it. */
static bool
request_is_told(const struct mib_request *row, const struct store_content *content)
{
	if (content->events_count == 0 || row->ended < content->events[0].time)
		return true;
	for (size_t i = content->events_count; i-- > 0;) {
		const struct mib_event *event = &content->events[i];

		if (event->time == row->ended && event->type == EVENT_REQUEST_FINISHED &&
		    strcmp(event->request, row->id) == 0)
			return true;
	}
	return false;
}

/* A request's end and its event are two writes: an engine that was killed between them left one. */
void
request_tell_ends(struct engine *engine, const struct store_content *content)
{
	const struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (!request_is_open(request) && !request_is_told(&request->kept.row, content))
			request_announce(engine, request);
}

void
request_finish(struct engine *engine, struct request *request, const struct outcome *outcome)
{
	struct mib_request *row = &request->kept.row;

	row->state = (int32_t)outcome->state;
	row->ended = engine->now.wall_ms;
	request->ended_ms = engine->now.mono_ms;
	if (row->started == 0)
		row->started = row->ended;
	TEXT_SET(row->error, outcome->error);
	request_put(engine, request);
	request_announce(engine, request);
}

void
request_stored(struct engine *engine, uint64_t number, int state, bool durable)
{
	struct request *request = request_find(engine, number);

	if (!request)
		return;
	if (state == REQUEST_HELD && request->kept.row.state == REQUEST_HELD) {
		request_hold_stored(engine, request, durable);
	} else if (state == request->kept.row.state && request->removal != 0) {
		request_removal_stored(engine, request, durable);
	} else if (state == request->kept.row.state && !request_is_open(request) && durable) {
		request->settled = true;
		request_forget(engine, number, engine->journal);
	}
}

void
request_housekeeping(struct engine *engine)
{
	static const struct outcome no_vm = {.state = REQUEST_FAILED,
					     .error = "not begun: the VM is no more"};
	struct request *request, *next;

	for (request = TAILQ_FIRST(&engine->requests); request; request = next) {
		next = TAILQ_NEXT(request, next);
		if (!request->vm && !request->sent && request->kept.row.state == REQUEST_QUEUED)
			request_finish(engine, request, &no_vm);
		/* By both clocks, as the wall clock may be set. */
		if (!request_is_open(request) &&
		    engine->now.wall_ms - request->kept.row.ended > KEEP_MS &&
		    (request->ended_ms == 0 || engine->now.mono_ms - request->ended_ms > KEEP_MS))
			request_remove(engine, request);
	}
}
