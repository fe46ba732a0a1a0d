/* Actions: on to the hypervisor process, one a VM at a time, and their outcomes back. */
#include "engine/internal.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"

#define AWAIT_MS 5000		     /* for a domain that an action made to be listed */
#define INTERNAL (UINT64_C(1) << 63) /* ids of actions that no manager asked for */

bool
request_is_internal(uint64_t id)
{
	return id & INTERNAL;
}

/* Verbs that make a VM's domain end. */
static bool
ends_domain(uint32_t verb)
{
	static const uint32_t ends[] = {VERB_SHUTDOWN, VERB_REBOOT,    VERB_DESTROY,  VERB_SAVE,
					ACTION_REAP,   ACTION_REPLACE, ACTION_RESTART};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] == verb)
			return true;
	return false;
}

/* The same, but for those that deal with one that has ended; false: it is none. */
static bool
note_end(struct engine *engine, struct vm *vm)
{
	if (!ends_domain(vm->verb) || vm->verb == ACTION_REAP || vm->verb == ACTION_REPLACE)
		return false;
	vm->acted.verb = vm->verb;
	vm->acted.by_us = request_is_internal(vm->action);
	vm->acted.state = 0;
	vm->acted.domid = vm->action_domid;
	vm->acted.ms = engine->now.mono_ms;
	return true;
}

/* What its helper may take. */
static uint32_t
deadline_ms(const struct engine *engine, const struct vm *vm, uint32_t verb)
{
	const struct config_policy *policy = config_policy(engine->config, vm ? vm->config : NULL);
	bool waits = verb == VERB_SHUTDOWN || verb == VERB_REBOOT || verb == ACTION_RESTART;

	return engine->config->action_ms + (waits ? policy->shutdown_ms : 0);
}

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
	action->deadline_ms = deadline_ms(engine, request->vm, verb);
}

/* An engine before us accepted it. */
static bool
is_of_before(const struct request *request)
{
	return request->accepted_ms == 0;
}

/* The next one of a VM that has none under way. Waits while the hypervisor does not answer. */
void
request_dispatch(struct engine *engine, struct vm *vm)
{
	struct request *request;

	if (vm->action || vm_is_foreseen(engine, vm) || !engine->states_ok ||
	    !engine->hypervisor_there)
		return;
	TAILQ_FOREACH (request, &vm->requests, of_vm)
		if (request->kept.row.state == REQUEST_QUEUED)
			break;
	if (!request || policy_holds_back(vm, (uint32_t)request->kept.row.verb))
		return;
	if (is_of_before(request) && !engine->boot_known)
		return; /* it may have been begun, and its record have gone with the host */
	request->sent = true;
	vm->owed = false; /* what is asked for now goes before */
	request->kept.domid = vm->domain ? vm->domain->domid : 0;
	memcpy(request->kept.uuid, vm->kept.uuid, UUID_SIZE); /* it may be another by now */
	vm->action = request->kept.number;
	vm->verb = (uint32_t)request->kept.row.verb;
	vm->action_domid = request->kept.domid;
	note_end(engine, vm);
	engine_effect(engine, EFFECT_PUT_REQUEST)->request = request->kept;
	request_send(engine, request);
}

static const char *
action_name(uint32_t verb)
{
	return verb == ACTION_REAP	? "clear away its dead domain"
	       : verb == ACTION_REPLACE ? "start again after its death"
	       : verb == ACTION_RESTART ? "restart"
					: name_of(verb_names, (int)verb);
}

static void
request_send_own(struct engine *engine, const struct vm *vm)
{
	engine_effect(engine, EFFECT_ACTION)->action = vm->own;
}

void
request_internal(struct engine *engine, struct vm *vm, uint32_t verb, uint32_t number)
{
	struct action *action = &vm->own;

	memset(action, 0, sizeof(*action));
	/* Unlike any of an engine before us on this boot: record files outlive the engine. */
	action->id =
	    INTERNAL | (uint64_t)engine->now.mono_ms << 16 | (engine->internal_actions++ & 0xffff);
	action->journal = engine->journal;
	action->verb = verb;
	action->domid = vm->domain ? vm->domain->domid : 0;
	memcpy(action->uuid, vm->kept.uuid, UUID_SIZE);
	TEXT_SET(action->name, vm->kept.name);
	action->number = number;
	action->deadline_ms = deadline_ms(engine, vm, verb);
	vm->action = action->id;
	vm->verb = verb;
	vm->action_domid = action->domid;
	note_end(engine, vm);
	request_send_own(engine, vm);
	if (verb != VERB_PAUSE && verb != VERB_UNPAUSE) /* of those many can be at once */
		log_info("VM %s: %s (domain %u)", vm->kept.name, action_name(verb), action->domid);
}

/* Of our own it tells first what it knows; what it does not was never begun (request_resend_own()).
 */
void
request_resend(struct engine *engine)
{
	struct request *request;

	for (size_t i = 0; i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];

		if (request_is_internal(vm->action))
			vm->own_unsure = engine->own_unsure = true;
	}
	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->sent && request_is_open(request) &&
		    (engine->boot_known || !request->sent_before))
			request_send(engine, request);
}

/* An engine before us began it, and nobody knows it any more: what has still to be done is found
 * anew. */
static void
forget_own(struct engine *engine, struct vm *vm)
{
	vm->action = 0;
	vm->verb = VERB_NONE;
	vm->action_domid = 0;
	vm->reaped = false;
	vm_touch(engine, vm);
}

/* The first look of a new hypervisor process is complete: all that it knew was told. What was never
 * begun is sent again, under the same id. */
void
request_resend_own(struct engine *engine)
{
	for (size_t i = 0; engine->own_unsure && i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];

		if (vm->own_unsure && vm->action == vm->own.id)
			request_send_own(engine, vm);
		else if (vm->own_unsure && request_is_internal(vm->action))
			forget_own(engine, vm);
		vm->own_unsure = false;
	}
	engine->own_unsure = false;
}

/* Whether they are of this boot of the host is known now. */
void
request_resend_old(struct engine *engine)
{
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->sent && request_is_open(request) && request->sent_before)
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
		note_end(engine, vm);
		vm_touch(engine, vm);
	}
	if (vm && vm->action == outcome->id) {
		vm->own_unsure = false;
		return vm;
	}
	TAILQ_FOREACH (vm, &engine->vms, next) /* it has another UUID since */
		if (vm->action == outcome->id)
			return vm;
	return NULL;
}

/* An engine before us sent it, and did not live to know that it was begun. */
static void
request_adopt(struct engine *engine, struct request *request, const struct outcome *outcome)
{
	struct vm *vm = request->vm;

	if (request->sent || !vm || vm->action)
		return;
	request->sent = true;
	request->kept.domid = outcome->action_domid;
	vm->action = request->kept.number;
	vm->verb = (uint32_t)request->kept.row.verb;
	vm->action_domid = outcome->action_domid;
	note_end(engine, vm);
}

void
request_started(struct engine *engine, const struct message *message)
{
	const struct outcome *outcome = (const struct outcome *)message->body;
	struct request *request = request_find(engine, outcome->id);

	if (outcome->id & INTERNAL)
		request_internal_vm(engine, outcome);
	if (!request || outcome->journal != engine->journal)
		return;
	request_was_released(engine, request);
	if (request->kept.row.state != REQUEST_QUEUED)
		return;
	request_adopt(engine, request, outcome);
	if (outcome->state != REQUEST_RUNNING)
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
	if (ends_domain(vm->verb)) {
		vm->ended.domid = vm->action_domid;
		vm->ended.verb = vm->verb;
	}
	if (outcome->domid == 0)
		return;
	if (!vm->domain || vm->domain->domid != outcome->domid)
		vm->await_until_ms = engine->now.mono_ms + AWAIT_MS;
	vm->kept.owner = OWNER_LAUXEND;
	vm->unsaved = true;
}

static bool
domain_lives(const struct vm *vm)
{
	return vm->domain && !(vm->domain->state.flags & (DOMAIN_SHUTDOWN | DOMAIN_DYING));
}

static void
request_free_vm(struct engine *engine, struct vm *vm, const struct outcome *outcome)
{
	bool ours = request_is_internal(vm->action);

	if (note_end(engine, vm) && domain_lives(vm))
		vm->acted.state = outcome->state;
	vm->made.domid = outcome->domid;
	vm->made.by_us = ours;
	if (outcome->state == REQUEST_SUCCEEDED) {
		request_foresee(engine, vm, outcome);
		vm->done.verb = vm->verb;
		vm->done.by_us = ours;
		vm->done.ms = engine->now.mono_ms;
		vm->done.domid = vm->action_domid;
		vm->done.read_us = vm->domain ? vm->domain->state.read_mono_us : 0;
	}
	vm->failed.verb = outcome->state == REQUEST_SUCCEEDED ? 0 : vm->verb;
	vm->failed.state = outcome->state;
	vm->failed.by_us = ours;
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
	if (outcome->state != REQUEST_SUCCEEDED)
		log_error("VM %s: %s: %s%s%s", vm->kept.name, action_name(vm->verb),
			  name_of(request_state_names, (int)outcome->state),
			  *outcome->error ? ": " : "", outcome->error);
	else if (*outcome->error)
		log_warn("VM %s: %s is done, but: %s", vm->kept.name, action_name(vm->verb),
			 outcome->error);
	if (vm->verb == ACTION_REAP || vm->verb == ACTION_REPLACE)
		death_outcome(engine, vm, (enum request_state)outcome->state);
	else
		policy_outcome(engine, vm, vm->verb, outcome);
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
	request_was_released(engine, request);
	if (!request_is_open(request)) {
		if (request->settled)
			request_forget(engine, outcome.id, outcome.journal);
		return;
	}
	request_finish(engine, request, &outcome);
	if (request->vm && request->vm->action == outcome.id)
		request_free_vm(engine, request->vm, &outcome);
	if (request->vm && outcome.state == REQUEST_SUCCEEDED)
		notice_done(engine, request->vm, (uint32_t)request->kept.row.verb);
}

/* The host was booted: their records are gone, and under the same ids they were begun anew. What
 * the hypervisor process has told of since is of this boot. */
void
request_end_old(struct engine *engine, const char *why)
{
	struct outcome outcome = {.state = REQUEST_UNDECIDED};
	struct request *request;

	TEXT_SET(outcome.error, why);
	TAILQ_FOREACH (request, &engine->requests, next) {
		if (!is_of_before(request) || !request_is_open(request) ||
		    request_is_ours(request) || (request->sent && !request->sent_before))
			continue;
		request_finish(engine, request, &outcome);
		if (request->vm && request->vm->action == request->kept.number) {
			request_free_vm(engine, request->vm, &outcome);
			request->vm->acted.domid = 0; /* that is another's by now */
		}
	}
}
