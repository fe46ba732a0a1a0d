#include "engine/internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define AWAIT_MS 5000			    /* for a domain that an action made to be listed */
#define JOIN_MS 10000			    /* an equal request joins one so young */
#define KEEP_MS (24 * 3600 * INT64_C(1000)) /* a finished request stays so long */
#define INTERNAL (UINT64_C(1) << 63)	    /* ids of actions that no manager asked for */

static bool
request_is_open(const struct request *request)
{
	return request->kept.row.state <= REQUEST_RUNNING;
}

static struct request *
request_find(const struct engine *engine, uint64_t number)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.number == number)
			return request;
	return NULL;
}

static struct request *
request_find_id(const struct engine *engine, const char *id)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (strcmp(request->kept.row.id, id) == 0)
			return request;
	return NULL;
}

static struct request *
request_find_token(const struct engine *engine, uint32_t token)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->kept.row.state == REQUEST_HELD && request->kept.token == token)
			return request;
	return NULL;
}

static void
request_put(struct engine *engine, struct request *request)
{
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
	rows_put_request(engine, request);
}

static void
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

/* ---- a hold: the manager's SET, on its way to be accepted ---- */

static void
request_answer(struct engine *engine, uint32_t token, const struct request *request,
	       const char *error)
{
	struct effect *effect = engine_effect(engine, EFFECT_HELD);

	effect->held.token = token;
	effect->held.answer.ok = error == NULL;
	TEXT_SET(effect->held.answer.error, error ? error : "");
	if (!request)
		return;
	effect->held.vm = request->kept.row.vm_index;
	TEXT_SET(effect->held.id, request->kept.row.id);
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
		if (request->kept.row.vm_index == hold->vm)
			last = request;
	if (!last || (uint32_t)last->kept.row.verb != hold->verb ||
	    last->kept.row.number != hold->number)
		return NULL;
	if (request_is_open(last))
		return last;
	return request_is_young(engine, last) && !request_is_undone(last) ? last : NULL;
}

static const char *
request_refusal(const struct engine *engine, const struct hold *hold, const struct vm *vm)
{
	uint32_t count = 0, open = 0;
	const struct request *request;

	if (hold->verb <= VERB_NONE || hold->verb > VERB_MEMORY)
		return "no such verb";
	if (!vm || !vm_has_row(vm))
		return "no such VM";
	TAILQ_FOREACH (request, &engine->requests, next) {
		count++;
		open += request->vm == vm && request_is_open(request);
	}
	if (count >= REQUESTS_MAX)
		return "the table of requests is full; remove finished ones";
	if (open >= REQUESTS_PER_VM)
		return "too many requests wait for this VM";
	return NULL;
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
request_new(struct engine *engine, const struct hold *hold, uint32_t token, struct vm *vm)
{
	struct request *request = mem_alloc(sizeof(*request));
	struct mib_request *row = &request->kept.row;

	request->vm = vm;
	request->accepted_ms = engine->now.mono_ms;
	request->kept.number = engine->next_request++;
	request->kept.token = token;
	memcpy(request->kept.uuid, vm->kept.uuid, UUID_SIZE);
	if (hold->id[0])
		TEXT_SET(row->id, hold->id);
	else
		request_make_id(engine, request->kept.number, row->id);
	TEXT_SET(row->vm, hold->vm_text[0] ? hold->vm_text : vm->kept.name);
	row->verb = (int32_t)hold->verb;
	row->number = hold->number;
	row->state = REQUEST_HELD;
	row->vm_index = vm->kept.index;
	row->accepted = engine->now.wall_ms;
	row->status = ROW_ACTIVE;
	TAILQ_INSERT_TAIL(&engine->requests, request, next);
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
}

/* The row id is to go: a finished request is removed; a queued one is cancelled once that is on
 * disk, and removed when the SET is through. */
static void
request_hold_removal(struct engine *engine, const struct hold *hold, uint32_t token)
{
	struct request *request = request_find_id(engine, hold->id);

	if (request && request->kept.row.state == REQUEST_RUNNING) {
		request_answer(engine, token, NULL, "the request runs");
	} else if (request && request->sent && request_is_open(request)) {
		request_answer(engine, token, NULL, "the request is about to run");
	} else if (request && request->kept.row.state == REQUEST_QUEUED) {
		request->removal = token;
		request->kept.row.state = REQUEST_CANCELLED;
		request->kept.row.ended = engine->now.wall_ms;
		request_put(engine, request);
	} else {
		if (request)
			request_remove(engine, request);
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

/* It was not to be cancelled after all. */
static void
request_requeue(struct engine *engine, struct request *request)
{
	request->removal = 0;
	request->kept.row.state = REQUEST_QUEUED;
	request->kept.row.ended = 0;
	request_put(engine, request);
	if (request->vm)
		vm_touch(engine, request->vm);
}

void
request_hold(struct engine *engine, const struct message *message)
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
		bool same = (uint32_t)joined->kept.row.verb == hold.verb &&
			    joined->kept.row.number == hold.number &&
			    (!hold.id[0] || strcmp(joined->kept.row.vm, hold.vm_text) == 0);

		request_answer(engine, message->detail, joined,
			       same ? NULL : "another request has this id");
		return;
	}
	refusal = request_refusal(engine, &hold, vm);
	if (refusal)
		request_answer(engine, message->detail, NULL, refusal);
	else
		request_new(engine, &hold, message->detail, vm);
}

/* What is desired of a VM once verb was accepted; 0: as before. */
static enum vm_desired
request_desire(uint32_t verb)
{
	static const enum vm_desired desires[VERB_MEMORY + 1] = {
	    [VERB_START] = DESIRED_RUNNING,	[VERB_REBOOT] = DESIRED_RUNNING,
	    [VERB_UNPAUSE] = DESIRED_RUNNING,	[VERB_RESTORE] = DESIRED_RUNNING,
	    [VERB_PAUSE] = DESIRED_PAUSED,	[VERB_SAVE] = DESIRED_SUSPENDED,
	    [VERB_SHUTDOWN] = DESIRED_SHUTDOWN, [VERB_DESTROY] = DESIRED_SHUTDOWN,
	};

	return desires[verb];
}

static struct mib_event *
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
static void
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

/* The SET that cancels it is through. */
static void
request_cancel(struct engine *engine, struct request *request)
{
	request_announce(engine, request);
	request_remove(engine, request);
}

static void
request_accept(struct engine *engine, struct request *request)
{
	struct vm *vm = request->vm;
	uint32_t verb = (uint32_t)request->kept.row.verb;

	request->kept.row.state = REQUEST_QUEUED;
	request_put(engine, request);
	TEXT_FORMAT(request_event(engine, EVENT_REQUEST_ACCEPTED, request)->text,
		    "%.50s: %s accepted as %s", request->kept.row.vm,
		    name_of(verb_names, (int)verb), request->kept.row.id);
	log_info("VM %s: request %s: %s accepted", request->kept.row.vm, request->kept.row.id,
		 name_of(verb_names, (int)verb));
	if (!vm)
		return;
	if (request_desire(verb) != 0)
		vm->kept.desired = request_desire(verb);
	vm->unsaved = true;
	vm_touch(engine, vm);
}

void
request_release(struct engine *engine, const struct message *message)
{
	struct request *request = request_find_token(engine, message->detail);
	struct request *cancelled = request_find_removal(engine, message->detail);

	if (request)
		request_accept(engine, request);
	else if (cancelled)
		request_cancel(engine, cancelled);
}

/* The verb of the last one accepted for the VM that is still known. */
static uint32_t
request_last_verb(const struct engine *engine, const struct vm *vm)
{
	const struct request *request;
	uint32_t verb = VERB_NONE;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->vm == vm && request->kept.row.state != REQUEST_HELD &&
		    request->kept.row.verb != VERB_MEMORY)
			verb = (uint32_t)request->kept.row.verb;
	return verb;
}

/* Its VM's row shows again what it showed before; one that an engine before us showed left no word
 * of that. */
static void
request_unshow(struct engine *engine, const struct request *request)
{
	struct vm *vm = request->vm;

	if (!vm || (!request->shown && request->accepted_ms != 0))
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

void
request_drop(struct engine *engine, const struct message *message)
{
	struct request *request = request_find_token(engine, message->detail);
	struct request *cancelled = request_find_removal(engine, message->detail);

	if (request) {
		request_unshow(engine, request);
		request_remove(engine, request);
	} else if (cancelled) {
		request_requeue(engine, cancelled);
	}
}

/* Held by an agentx process, or an engine, that is no more: the manager may have been told yes. */
void
request_release_held(struct engine *engine, bool all)
{
	struct request *request, *next;

	for (request = TAILQ_FIRST(&engine->requests); request; request = next) {
		next = TAILQ_NEXT(request, next);
		if (request->kept.row.state == REQUEST_HELD && (all || request->accepted_ms == 0))
			request_accept(engine, request);
		else if (request->removal != 0 && all)
			request_cancel(engine, request);
	}
}

/* ---- on to the hypervisor process, and back ---- */

static void
request_send(struct engine *engine, const struct request *request)
{
	struct action *action = &engine_effect(engine, EFFECT_ACTION)->action;
	uint32_t verb = (uint32_t)request->kept.row.verb;

	action->id = request->kept.number;
	action->journal = engine->journal;
	action->verb = verb;
	action->domid = request->kept.domid;
	memcpy(action->uuid, request->kept.uuid, UUID_SIZE);
	TEXT_SET(action->name, request->vm ? request->vm->kept.name : request->kept.row.vm);
	action->number = request->kept.row.number;
	action->deadline_ms = engine->config->action_ms;
	if (verb == VERB_SHUTDOWN || verb == VERB_REBOOT)
		action->deadline_ms += engine->config->shutdown_ms;
}

/* The next one of a VM that has none under way. Waits while the hypervisor does not answer. */
void
request_dispatch(struct engine *engine, struct vm *vm)
{
	struct request *request;

	if (vm->action || vm_is_foreseen(engine, vm) || !engine->states_ok ||
	    !engine->hypervisor_there)
		return;
	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->vm == vm && request->kept.row.state == REQUEST_QUEUED)
			break;
	if (!request)
		return;
	request->sent = true;
	vm->owed = false; /* what is asked for now goes before */
	request->kept.domid = vm->domain ? vm->domain->domid : 0;
	memcpy(request->kept.uuid, vm->kept.uuid, UUID_SIZE); /* it may be another by now */
	vm->action = request->kept.number;
	vm->verb = (uint32_t)request->kept.row.verb;
	vm->action_domid = request->kept.domid;
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
	request_send(engine, request);
}

void
request_internal(struct engine *engine, struct vm *vm, uint32_t verb, uint32_t number)
{
	struct action *action = &engine_effect(engine, EFFECT_ACTION)->action;

	/* Unlike any of an engine before us on this boot: record files outlive the engine. */
	action->id =
	    INTERNAL | (uint64_t)engine->now.mono_ms << 16 | (engine->internal_actions++ & 0xffff);
	action->journal = engine->journal;
	action->verb = verb;
	action->domid = vm->domain ? vm->domain->domid : 0;
	memcpy(action->uuid, vm->kept.uuid, UUID_SIZE);
	TEXT_SET(action->name, vm->kept.name);
	action->number = number;
	action->deadline_ms = engine->config->action_ms;
	vm->action = action->id;
	vm->verb = verb;
	vm->action_domid = action->domid;
	log_info("VM %s: %s after its domain %u ended", vm->kept.name,
		 verb == ACTION_REPLACE ? "started again" : "cleared away", action->domid);
}

void
request_resend(struct engine *engine)
{
	struct request *request;
	struct vm *vm;

	/* An action of our own may never have been begun; what still has to be done is found anew.
	 */
	TAILQ_FOREACH (vm, &engine->vms, next)
		if (vm->action & INTERNAL) {
			vm->action = 0;
			vm->verb = VERB_NONE;
			vm->action_domid = 0;
			vm->reaped = false;
			vm_touch(engine, vm);
		}

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->sent && request_is_open(request))
			request_send(engine, request);
}

void
request_started(struct engine *engine, const struct message *message)
{
	const struct outcome *outcome = (const struct outcome *)message->body;
	struct request *request = request_find(engine, outcome->id);

	if (!request || outcome->journal != engine->journal ||
	    request->kept.row.state != REQUEST_QUEUED)
		return;
	request->kept.row.state = REQUEST_RUNNING;
	request->kept.row.started = engine->now.wall_ms;
	request_put(engine, request);
	if (request->vm)
		vm_touch(engine, request->vm);
}

static void
request_forget(struct engine *engine, uint64_t id, uint64_t journal)
{
	struct outcome *outcome = &engine_effect(engine, EFFECT_FORGET)->outcome;

	outcome->id = id;
	outcome->journal = journal;
}

/* An outcome can come before the list that shows it. */
static void
request_foresee(struct engine *engine, struct vm *vm, const struct outcome *outcome)
{
	static const uint32_t ends[] = {VERB_SHUTDOWN, VERB_REBOOT, VERB_DESTROY,
					VERB_SAVE,     ACTION_REAP, ACTION_REPLACE};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] == vm->verb) {
			vm->ended_domid = vm->action_domid;
			vm->ended_verb = vm->verb;
		}
	if (outcome->domid == 0)
		return;
	if (!vm->domain || vm->domain->domid != outcome->domid)
		vm->await_until_ms = engine->now.mono_ms + AWAIT_MS;
	vm->kept.owner = OWNER_LAUXEND;
	vm->unsaved = true;
}

static void
request_free_vm(struct engine *engine, struct vm *vm, const struct outcome *outcome)
{
	if (outcome->state == REQUEST_SUCCEEDED) {
		request_foresee(engine, vm, outcome);
		vm->done_verb = vm->verb;
		vm->done_ms = engine->now.mono_ms;
	}
	vm->failed_verb = outcome->state == REQUEST_SUCCEEDED ? 0 : vm->verb;
	vm->failed_state = outcome->state;
	vm->action = 0;
	vm->verb = VERB_NONE;
	vm->action_domid = 0;
	vm_touch(engine, vm);
}

/* Of an action that no manager asked for. */
static void
request_internal_outcome(struct engine *engine, const struct outcome *outcome)
{
	struct vm *vm;

	request_forget(engine, outcome->id, outcome->journal);
	TAILQ_FOREACH (vm, &engine->vms, next)
		if (vm->action == outcome->id)
			break;
	if (!vm)
		return;
	if (outcome->state != REQUEST_SUCCEEDED) {
		log_error("VM %s: dealing with its dead domain %s: %s", vm->kept.name,
			  name_of(request_state_names, (int)outcome->state), outcome->error);
		death_failed(engine, vm, outcome->state == REQUEST_UNDECIDED);
	} else {
		vm->owed = false;
		if (*outcome->error)
			log_warn("VM %s: its dead domain was dealt with, but: %s", vm->kept.name,
				 outcome->error);
	}
	request_free_vm(engine, vm, outcome);
}

static void
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
request_outcome(struct engine *engine, const struct message *message)
{
	struct outcome outcome = *(const struct outcome *)message->body;
	struct request *request = request_find(engine, outcome.id);

	outcome.error[TEXT_SIZE - 1] = 0;
	if (outcome.id & INTERNAL) {
		request_internal_outcome(engine, &outcome);
		return;
	}
	/* Of another store. Perhaps this one is there for as long as that cannot be read: what it
	 * still has to learn is left alone, as it would else be done again. */
	if (outcome.journal != engine->journal)
		return;
	if (!request) {
		request_forget(engine, outcome.id, outcome.journal);
		return;
	}
	if (!request_is_open(request)) {
		if (request->settled)
			request_forget(engine, outcome.id, outcome.journal);
		return;
	}
	request_finish(engine, request, &outcome);
	if (request->vm && request->vm->action == outcome.id)
		request_free_vm(engine, request->vm, &outcome);
}

/* From here on the manager sees its request, and the VM's row shows it as the last one. */
static void
request_show(struct engine *engine, struct request *request)
{
	struct vm *vm = request->vm;

	rows_put_request(engine, request);
	if (!vm)
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

void
request_stored(struct engine *engine, uint64_t number, int state, bool durable)
{
	struct request *request = request_find(engine, number);

	if (!request)
		return;
	if (state == REQUEST_HELD && request->kept.row.state == REQUEST_HELD) {
		if (durable)
			request_show(engine, request);
		request_answer(engine, request->kept.token, request,
			       durable ? NULL : "the store cannot be written");
		if (!durable)
			request_remove(engine, request);
	} else if (state == request->kept.row.state && request->removal != 0) {
		request_answer(engine, request->removal, NULL,
			       durable ? NULL : "the store cannot be written");
		if (!durable)
			request_requeue(engine, request);
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
