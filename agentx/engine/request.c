/* The requests that are known, and their ends. */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define KEEP_MS (24 * 3600 * INT64_C(1000)) /* a finished request stays so long */

static int
number_compare(const void *a, const void *b)
{
	const struct request_key *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

static int
id_compare(const void *a, const void *b)
{
	const struct request_key *left = a, *right = b;

	return strcmp(left->id, right->id);
}

void
request_init(struct engine *engine)
{
	TAILQ_INIT(&engine->requests);
	rowset_init(&engine->requests_by_number, sizeof(struct request_key), number_compare, false);
	rowset_init(&engine->requests_by_id, sizeof(struct request_key), id_compare, false);
}

static struct request_key
request_key(struct request *request)
{
	struct request_key key = {.number = request->kept.number, .request = request};

	memcpy(key.id, request->kept.row.id, REQUEST_ID_SIZE);
	return key;
}

/* It ends in the engine: no helper carries it out. */
bool
request_is_ours(const struct request *request)
{
	return plan_takes(request) || request->kept.row.verb >= VERB_REBUILD;
}

bool
request_is_open(const struct request *request)
{
	return request->kept.row.state <= REQUEST_RUNNING;
}

struct request *
request_find(const struct engine *engine, uint64_t number)
{
	const struct request_key key = {.number = number}, *found;

	found = rowset_find(&engine->requests_by_number, &key);
	return found ? found->request : NULL;
}

struct request *
request_find_id(const struct engine *engine, const char *id)
{
	struct request_key key = {0}, *found;

	TEXT_SET(key.id, id);
	found = rowset_find(&engine->requests_by_id, &key);
	return found ? found->request : NULL;
}

/* One that is back among the open ones goes to its place: they are begun in their order. */
void
request_list(struct request *request)
{
	bool lists = request->vm && request_is_open(request);
	struct request *other;

	if (lists == request->listed)
		return;
	request->listed = lists;
	if (!lists) {
		TAILQ_REMOVE(&request->vm->requests, request, of_vm);
		return;
	}
	TAILQ_FOREACH (other, &request->vm->requests, of_vm)
		if (other->kept.number > request->kept.number)
			break;
	if (other)
		TAILQ_INSERT_BEFORE(other, request, of_vm);
	else
		TAILQ_INSERT_TAIL(&request->vm->requests, request, of_vm);
}

void
request_orphan(struct request *request)
{
	if (request->listed)
		TAILQ_REMOVE(&request->vm->requests, request, of_vm);
	request->listed = false;
	request->vm = NULL;
}

void
request_add(struct engine *engine, struct request *request)
{
	struct request_key key = request_key(request);

	TAILQ_INSERT_TAIL(&engine->requests, request, next);
	engine->requests_count++;
	rowset_put(&engine->requests_by_number, &key);
	rowset_put(&engine->requests_by_id, &key);
	request_list(request);
}

void
request_put(struct engine *engine, struct request *request)
{
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
	rows_put_request(engine, request);
	request_list(request);
}

static void
request_free(struct engine *engine, struct request *request)
{
	struct request_key key = request_key(request);

	if (request->listed)
		TAILQ_REMOVE(&request->vm->requests, request, of_vm);
	TAILQ_REMOVE(&engine->requests, request, next);
	engine->requests_count--;
	rowset_remove(&engine->requests_by_number, &key);
	rowset_remove(&engine->requests_by_id, &key);
	holders_dispose(request);
	free(request);
}

void
request_remove(struct engine *engine, struct request *request)
{
	engine_effect(engine, EFFECT_DROP_REQUEST)->request.number = request->kept.number;
	rowset_remove(&engine->rows.sets[KIND_REQUEST], &request->kept.row);
	request_free(engine, request);
}

void
request_dispose(struct engine *engine)
{
	while (!TAILQ_EMPTY(&engine->requests))
		request_free(engine, TAILQ_FIRST(&engine->requests));
	rowset_dispose(&engine->requests_by_number);
	rowset_dispose(&engine->requests_by_id);
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
		request->on_disk = true;
		holders_restore(request);
		request_add(engine, request);
		rows_put_request(engine, request);
		/* One that ran may still run, or be done: the hypervisor process knows by its id.
		 */
		if (request->kept.row.state == REQUEST_RUNNING && !request_is_ours(request))
			request->sent = request->sent_before = true;
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

/* What it asks for is begun; some are done thereby. */
void
request_begin(struct engine *engine, struct request *request)
{
	static const struct outcome done = {.state = REQUEST_SUCCEEDED};

	if (plan_takes(request)) {
		plan_begin(engine, request);
	} else if (request->kept.row.verb == VERB_REBUILD) {
		request->kept.row.state = REQUEST_RUNNING;
		request->kept.row.started = engine->now.wall_ms;
		request_put(engine, request);
		engine_effect(engine, EFFECT_RELOAD);
	} else if (request_is_ours(request)) {
		request_finish(engine, request, &done);
	}
}

void
request_resume(struct engine *engine)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.row.state != REQUEST_RUNNING)
			continue;
		else if (plan_takes(request))
			plan_restore(engine, request);
		else if (request->kept.row.verb == VERB_REBUILD)
			engine_effect(engine, EFFECT_RELOAD);
}

void
request_reloaded(struct engine *engine, const char *error)
{
	struct outcome outcome = {.state = error ? REQUEST_FAILED : REQUEST_SUCCEEDED};
	struct request *request;

	TEXT_SET(outcome.error, error ? error : "");
	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.row.verb == VERB_REBUILD &&
		    request->kept.row.state == REQUEST_RUNNING)
			request_finish(engine, request, &outcome);
}

/* The store is well again, and has what could not be written. */
void
request_settle_all(struct engine *engine)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next) {
		request->on_disk |= request->kept.row.state != REQUEST_HELD;
		if (request_is_open(request) || request->settled)
			continue;
		request->settled = true;
		request_forget(engine, request->kept.number, engine->journal);
	}
}

void
request_stored(struct engine *engine, uint64_t number, int state, bool durable)
{
	struct request *request = request_find(engine, number);

	if (!request)
		return;
	request->on_disk |= durable;
	if (state == REQUEST_HELD && request->kept.row.state == REQUEST_HELD) {
		request_hold_stored(engine, request, durable);
	} else if (state == request->kept.row.state && request->cancels) {
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
