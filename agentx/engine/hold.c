/* A hold: a manager's SET on its way to become a request, or to remove one. */
#include "engine/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define JOIN_MS 10000 /* an equal request joins one so young */

static struct request *
request_find_token(const struct engine *engine, uint32_t token)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.row.state == REQUEST_HELD && holder_find(request, token))
			return request;
	return NULL;
}

#define NOT_WRITTEN "the store cannot be written"

/* The answer may be changed until the next effect is made. */
static struct hold_answer *
request_answer(struct engine *engine, uint32_t token, const struct request *request,
	       const char *error)
{
	struct effect *effect = engine_effect(engine, EFFECT_HELD);

	effect->held.token = token;
	effect->held.answer.ok = error == NULL;
	TEXT_SET(effect->held.answer.error, error ? error : "");
	if (request) {
		effect->held.vm = request->kept.row.vm_index;
		TEXT_SET(effect->held.id, request->kept.row.id);
	}
	return &effect->held.answer;
}

/* Accepted lately. The wall clock, which may be set, is asked only of what an engine before us
 * took.
 */
static bool
request_is_young(const struct engine *engine, const struct request *request)
{
	int64_t age_ms = request->accepted_ms != 0
			     ? engine->now.mono_ms - request->accepted_ms
			     : engine->now.wall_ms - request->kept.row.accepted;

	return age_ms >= 0 && age_ms < JOIN_MS;
}

/* What the request did has not held: another one is no repetition of it. */
static bool
request_is_undone(const struct request *request)
{
	const struct mib_request *row = &request->kept.row;
	const struct vm *vm = request->vm;
	enum vm_state after = vm_state_after((uint32_t)row->verb);

	return row->state != REQUEST_SUCCEEDED ||
	       (vm && after && vm->kept.state != after && vm->kept.change_wall_ms > row->ended);
}

/* The last one accepted for the VM, where it is equal and unfinished, or young and still holds. */
static struct request *
request_to_join(const struct engine *engine, const struct hold *hold)
{
	struct request *request, *last = NULL;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.row.vm_index == hold->vm &&
		    (hold->vm != 0 || strcmp(request->kept.row.vm, hold->vm_text) == 0))
			last = request;
	if (!last || (uint32_t)last->kept.row.verb != hold->verb ||
	    last->kept.row.number != hold->number)
		return NULL;
	if (request_is_open(last))
		return last;
	return request_is_young(engine, last) && !request_is_undone(last) ? last : NULL;
}

/* What must be true of the numbers that a request carries. */
static const char *
number_refusal(const struct hold *hold, const struct vm *vm)
{
	struct memory_marks marks = memory_marks(vm);
	uint32_t number = hold->number;

	switch (hold->verb) {
	case VERB_DESIRE:
		return number == DESIRED_RUNNING || number == DESIRED_SHUTDOWN
			   ? NULL
			   : "only running and shutdown can be desired";
	case VERB_MEMORY_MIN:
		return number <= marks.max_mib ? NULL : "over the most that it may have";
	case VERB_MEMORY_MAX:
		return number == 0 || number >= marks.min_mib ? NULL
							      : "under the least that it must have";
	case VERB_MEMORY_HIGH:
		return number == 0 || (number <= 100 && number > marks.low)
			   ? NULL
			   : "a percentage over the low mark is wanted";
	case VERB_MEMORY_LOW:
		return number < marks.high ? NULL : "a percentage under the high mark is wanted";
	default:
		return NULL;
	}
}

static const char *
vm_refusal(const struct engine *engine, const struct hold *hold, const struct vm *vm)
{
	const struct request *request;
	uint32_t open = 0;

	if (hold->vm == 0)
		return plan_refusal(engine, hold);
	if (!vm || !vm_has_row(vm))
		return "no such VM";
	if (hold->verb == VERB_REBUILD)
		return "rebuild is of all: *";
	if (hold->verb > VERB_MEMORY && !vm->config)
		return "no section of the configuration has this VM";
	TAILQ_FOREACH (request, &vm->requests, of_vm)
		open++;
	if (open >= REQUESTS_PER_VM)
		return "too many requests wait for this VM";
	return number_refusal(hold, vm);
}

static const char *
request_refusal(const struct engine *engine, const struct hold *hold, const struct vm *vm)
{
	if (hold->verb <= VERB_NONE || hold->verb > VERB_LAST)
		return "no such verb";
	if (engine->requests_count >= REQUESTS_MAX)
		return "the table of requests is full; remove finished ones";
	return vm_refusal(engine, hold, vm);
}

/* A manager may have used one that looks like ours. */
static void
request_make_id(const struct engine *engine, uint64_t number, char id[REQUEST_ID_SIZE])
{
	text_format(id, REQUEST_ID_SIZE, "auto-%" PRIu64, number);
	for (unsigned i = 2; request_find_id(engine, id); i++)
		text_format(id, REQUEST_ID_SIZE, "auto-%" PRIu64 ".%u", number, i);
}

static void
request_new(struct engine *engine, const struct hold *hold, uint32_t token, bool by_hand,
	    struct vm *vm)
{
	struct request *request = mem_alloc(sizeof(*request));
	struct mib_request *row = &request->kept.row;

	request->vm = vm;
	request->accepted_ms = engine->now.mono_ms;
	request->kept.number = engine->next_request++;
	request->kept.token = token;
	holders_init(request);
	holder_add(request, token, by_hand);
	if (vm)
		memcpy(request->kept.uuid, vm->kept.uuid, UUID_SIZE);
	if (hold->id[0])
		TEXT_SET(row->id, hold->id);
	else
		request_make_id(engine, request->kept.number, row->id);
	TEXT_SET(row->vm, hold->vm_text[0] || !vm ? hold->vm_text : vm->kept.name);
	row->verb = (int32_t)hold->verb;
	row->number = hold->number;
	row->state = REQUEST_HELD;
	row->vm_index = vm ? vm->kept.index : 0;
	row->accepted = engine->now.wall_ms;
	row->status = ROW_ACTIVE;
	request_add(engine, request);
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
}

/* The row id is to go, once the SET is through: a finished request is removed; a queued one is
 * cancelled, which is answered once it is on disk. */
static void
request_hold_removal(struct engine *engine, const struct hold *hold, uint32_t token)
{
	struct request *request = request_find_id(engine, hold->id);

	if (!request) {
		request_answer(engine, token, NULL, NULL);
	} else if (request->kept.row.state == REQUEST_HELD) {
		request_answer(engine, token, NULL, "whether it is to be done is not said yet");
	} else if (request->kept.row.state == REQUEST_RUNNING && !request->plan) {
		request_answer(engine, token, NULL, "the request runs");
	} else if (request->sent && request_is_open(request)) {
		request_answer(engine, token, NULL, "the request is about to run");
	} else if (request_is_open(request)) {
		request->removal = token;
		request->cancels = true;
		request->kept.row.state = REQUEST_CANCELLED;
		request->kept.row.ended = engine->now.wall_ms;
		request_put(engine, request);
	} else {
		request->removal = token;
		request_answer(engine, token, NULL, NULL);
	}
}

static struct request *
request_find_removal(const struct engine *engine, uint32_t token)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->removal == token && token != 0)
			return request;
	return NULL;
}

/* It was not to be cancelled, or removed, after all. */
static void
request_requeue(struct engine *engine, struct request *request)
{
	request->removal = 0;
	if (!request->cancels)
		return;
	request->cancels = false;
	request->kept.row.state = request->plan ? REQUEST_RUNNING : REQUEST_QUEUED;
	request->kept.row.ended = 0;
	request_put(engine, request);
	if (request->vm)
		vm_touch(engine, request->vm);
}

/* What is held is on nobody's word yet: who joins it becomes one of those who wait for the disk,
 * and who can have it done. */
static void
request_join(struct engine *engine, struct request *request, const struct hold *hold,
	     uint32_t token, bool by_hand)
{
	const struct mib_request *row = &request->kept.row;
	bool same = (uint32_t)row->verb == hold->verb && row->number == hold->number &&
		    (!hold->id[0] || strcmp(row->vm, hold->vm_text) == 0);
	bool held = row->state == REQUEST_HELD;

	if (same && held)
		holder_add(request, token, by_hand);
	if (!same)
		request_answer(engine, token, request, "another request has this id");
	else if (!held && !request->on_disk && !by_hand)
		request_answer(engine, token, request, NOT_WRITTEN);
	else if (!held || request->on_disk)
		request_answer(engine, token, request, NULL);
}

static void
request_take_hold(struct engine *engine, const struct message *message, bool by_hand)
{
	struct hold hold = *(const struct hold *)message->body;
	struct vm *vm = vm_find_index(engine, hold.vm);
	struct request *joined;
	const char *refusal;

	hold.id[sizeof(hold.id) - 1] = 0;
	hold.vm_text[sizeof(hold.vm_text) - 1] = 0;
	if (hold.verb == VERB_NONE && hold.id[0]) {
		request_hold_removal(engine, &hold, message->detail);
		return;
	}
	joined = hold.id[0] ? request_find_id(engine, hold.id) : request_to_join(engine, &hold);
	if (joined) {
		request_join(engine, joined, &hold, message->detail, by_hand);
		return;
	}
	refusal = request_refusal(engine, &hold, vm);
	if (refusal)
		request_answer(engine, message->detail, NULL, refusal);
	else
		request_new(engine, &hold, message->detail, by_hand, vm);
}

void
request_hold(struct engine *engine, const struct message *message)
{
	request_take_hold(engine, message, false);
}

void
request_hold_by_hand(struct engine *engine, const struct message *message)
{
	request_take_hold(engine, message, true);
}

/* The SET that cancels or removes it is through. */
static void
request_cancel(struct engine *engine, struct request *request)
{
	if (request->cancels && request->plan)
		plan_drop(engine, request);
	if (request->cancels)
		request_announce(engine, request);
	request_remove(engine, request);
}

static void
request_accept(struct engine *engine, struct request *request)
{
	struct vm *vm = request->vm;
	uint32_t verb = (uint32_t)request->kept.row.verb;

	request->kept.row.state = REQUEST_QUEUED;
	holders_dispose(request);
	request_put(engine, request);
	TEXT_FORMAT(request_event(engine, EVENT_REQUEST_ACCEPTED, request)->text,
		    "%.50s: %s accepted as %s", request->kept.row.vm,
		    name_of(verb_names, (int)verb), request->kept.row.id);
	log_info("VM %s: request %s: %s accepted", request->kept.row.vm, request->kept.row.id,
		 name_of(verb_names, (int)verb));
	if (vm)
		notice_request(engine, vm, &request->kept.row);
	request_begin(engine, request);
}

/* It is carried out, so that it was released, and that was not stored. */
void
request_was_released(struct engine *engine, struct request *request)
{
	if (request->kept.row.state == REQUEST_HELD)
		request_accept(engine, request);
}

/* What an engine before us held was asked for before. */
static void
request_release_older(struct engine *engine, const struct request *than)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&engine->requests); request && request != than; request = next) {
		next = TAILQ_NEXT(request, next);
		if (request->kept.row.state == REQUEST_HELD && request->accepted_ms == 0)
			request_accept(engine, request);
	}
}

void
request_release(struct engine *engine, const struct message *message)
{
	struct request *request = request_find_token(engine, message->detail);
	struct request *cancelled = request_find_removal(engine, message->detail);

	if (request) {
		request_release_older(engine, request);
		request_accept(engine, request);
	} else if (cancelled) {
		request_cancel(engine, cancelled);
	}
}

/* The verb of the last one accepted for the VM that is still known. */
static uint32_t
request_last_verb(const struct engine *engine, const struct vm *vm)
{
	const struct request *request;
	uint32_t verb = VERB_NONE;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->vm == vm && request->kept.row.state != REQUEST_HELD &&
		    request->kept.row.verb != VERB_MEMORY && request->kept.row.verb <= VERB_LAUNCH)
			verb = (uint32_t)request->kept.row.verb;
	return verb;
}

/* Its VM's row shows again what it showed before; one that an engine before us showed left no word
 * of that. */
static void
request_unshow(struct engine *engine, const struct request *request)
{
	struct vm *vm = request->vm;

	if (!vm || request->kept.row.verb > VERB_LAUNCH ||
	    (!request->shown && request->accepted_ms != 0))
		return;
	if (request->kept.row.verb == VERB_MEMORY)
		vm->kept.memory_target_mib = request->previous;
	else if (request->shown)
		vm->kept.last_verb = request->previous;
	else
		vm->kept.last_verb = request_last_verb(engine, vm);
	vm->unsaved = true;
	vm_touch(engine, vm);
}

/* Where nobody holds it any more it never was. */
static void
request_let_go(struct engine *engine, struct request *request)
{
	if (!TAILQ_EMPTY(&request->holders))
		return;
	request_unshow(engine, request);
	request_remove(engine, request);
}

void
request_drop(struct engine *engine, const struct message *message)
{
	struct request *request = request_find_token(engine, message->detail);
	struct request *cancelled = request_find_removal(engine, message->detail);

	if (request) {
		holder_remove(request, holder_find(request, message->detail));
		request_let_go(engine, request);
	} else if (cancelled) {
		request_requeue(engine, cancelled);
	}
}

/* Where it is not on disk yet its manager was not told yes, and an engine that is killed now would
 * know nothing of it. */
static void
request_release_agentx(struct engine *engine, struct request *request)
{
	if (request->on_disk) {
		request_accept(engine, request);
		return;
	}
	holders_remove(request, false);
	request_let_go(engine, request);
}

/* Held by an agentx process (all), or an engine, that is no more: the manager may have been told
 * yes. */
void
request_release_held(struct engine *engine, bool all)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&engine->requests); request; request = next) {
		bool held = request->kept.row.state == REQUEST_HELD;

		next = TAILQ_NEXT(request, next);
		if (held && all && holders_have(request, false))
			request_release_agentx(engine, request);
		else if (held && request->accepted_ms == 0)
			request_accept(engine, request);
		else if (request->removal != 0 && all)
			request_cancel(engine, request);
	}
}

/* From here on the manager sees its request, and the VM's row shows it as the last one. */
static void
request_show(struct engine *engine, struct request *request)
{
	struct vm *vm = request->vm;

	rows_put_request(engine, request);
	if (!vm || request->kept.row.verb > VERB_LAUNCH)
		return;
	request->shown = true;
	if (request->kept.row.verb == VERB_MEMORY) {
		request->previous = vm->kept.memory_target_mib;
		vm->kept.memory_target_mib = request->kept.row.number;
	} else {
		request->previous = vm->kept.last_verb;
		vm->kept.last_verb = (uint32_t)request->kept.row.verb;
	}
	vm->unsaved = true;
	vm_touch(engine, vm);
}

/* No manager is told yes. Who asks by hand is there, and waits for the end, as is a host that goes
 * down: for those it lives in memory. */
static void
request_hold_in_memory(struct engine *engine, struct request *request)
{
	const struct holder *holder;

	TAILQ_FOREACH (holder, &request->holders, next)
		if (!holder->by_hand)
			request_answer(engine, holder->token, request, NOT_WRITTEN);
	holders_remove(request, false);
	if (TAILQ_EMPTY(&request->holders)) {
		request_remove(engine, request);
		return;
	}
	log_warn("VM %s: request %s by hand is taken, though " NOT_WRITTEN, request->kept.row.vm,
		 request->kept.row.id);
	request_show(engine, request);
	TAILQ_FOREACH (holder, &request->holders, next)
		TEXT_SET(request_answer(engine, holder->token, request, NULL)->error,
			 NOT_WRITTEN ": it does not outlive the agent");
}

/* It is on disk, or it is not. */
void
request_hold_stored(struct engine *engine, struct request *request, bool durable)
{
	const struct holder *holder;

	request->on_disk = durable;
	if (!durable) {
		request_hold_in_memory(engine, request);
		return;
	}
	request_show(engine, request);
	TAILQ_FOREACH (holder, &request->holders, next)
		request_answer(engine, holder->token, request, NULL);
}

/* The same of what cancels it. */
void
request_removal_stored(struct engine *engine, struct request *request, bool durable)
{
	request_answer(engine, request->removal, NULL, durable ? NULL : NOT_WRITTEN);
	if (!durable)
		request_requeue(engine, request);
}
