/* Actions: on to the hypervisor process, one a VM at a time, and their outcomes back. */
#include "engine/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define AWAIT_MS 5000		     /* for a domain that an action made to be listed */
#define INTERNAL (UINT64_C(1) << 63) /* ids of actions that no manager asked for */

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

/* The VM that an action of our own is at work on. One that an engine before us began is told by the
 * hypervisor process, ahead of all facts. */
static struct vm *
request_internal_vm(struct engine *engine, const struct outcome *outcome)
{
	struct vm *vm = vm_find_uuid(engine, outcome->uuid);

	if (vm && !vm->action && outcome->verb != 0) {
		vm->action = outcome->id;
		vm->verb = outcome->verb;
		vm->action_domid = outcome->action_domid;
		vm_touch(engine, vm);
	}
	if (vm && vm->action == outcome->id)
		return vm;
	TAILQ_FOREACH (vm, &engine->vms, next) /* it has another UUID since */
		if (vm->action == outcome->id)
			return vm;
	return NULL;
}

void
request_started(struct engine *engine, const struct message *message)
{
	const struct outcome *outcome = (const struct outcome *)message->body;
	struct request *request = request_find(engine, outcome->id);

	if (outcome->id & INTERNAL)
		request_internal_vm(engine, outcome);
	if (!request || outcome->journal != engine->journal || outcome->state != REQUEST_RUNNING ||
	    request->kept.row.state != REQUEST_QUEUED)
		return;
	request->kept.row.state = REQUEST_RUNNING;
	request->kept.row.started = engine->now.wall_ms;
	request_put(engine, request);
	if (request->vm)
		vm_touch(engine, request->vm);
}

void
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
	struct vm *vm = request_internal_vm(engine, outcome);

	request_forget(engine, outcome->id, outcome->journal);
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
