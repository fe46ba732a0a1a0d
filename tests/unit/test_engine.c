/* The engine on a virtual clock: messages in, rows and effects out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/engine.h"

#define EFFECTS_MAX 64

struct world {
	struct instant now;
	struct config config;
	struct config_vm vms[3];
	struct store_content content;
	struct engine *engine;
	struct effect effects[EFFECTS_MAX];
	size_t effects_count;
	/* What a store would hold. */
	struct store_vm kept_vms[8];
	size_t kept_vms_count;
	struct store_request kept_requests[16];
	size_t kept_requests_count;
	bool slow; /* the disk does not answer: nothing is stored */
};

static const uint8_t uuid_www[UUID_SIZE] = {1}, uuid_db[UUID_SIZE] = {2}, uuid_new[UUID_SIZE] = {9};

static void
keep_vm(struct world *world, const struct store_vm *vm)
{
	size_t i;

	for (i = 0; i < world->kept_vms_count; i++)
		if (memcmp(world->kept_vms[i].uuid, vm->uuid, UUID_SIZE) == 0)
			break;
	if (i == world->kept_vms_count)
		world->kept_vms_count++;
	world->kept_vms[i] = *vm;
}

static void
drop_vm(struct world *world, const uint8_t *uuid)
{
	for (size_t i = 0; i < world->kept_vms_count; i++)
		if (memcmp(world->kept_vms[i].uuid, uuid, UUID_SIZE) == 0)
			world->kept_vms[i--] = world->kept_vms[--world->kept_vms_count];
}

static void
keep_request(struct world *world, const struct store_request *request)
{
	size_t i;

	for (i = 0; i < world->kept_requests_count; i++)
		if (world->kept_requests[i].number == request->number)
			break;
	if (i == world->kept_requests_count)
		world->kept_requests_count++;
	world->kept_requests[i] = *request;
}

/* Takes all effects; writes are settled at once, as by a fast store. */
static void
collect(struct world *world)
{
	struct effect effect;

	while (engine_next_effect(world->engine, &effect)) {
		if (effect.type == EFFECT_PUT_VM) {
			keep_vm(world, &effect.vm);
		} else if (effect.type == EFFECT_DROP_VM) {
			drop_vm(world, effect.vm.uuid);
		} else if (effect.type == EFFECT_PUT_REQUEST && world->slow) {
			continue;
		} else if (effect.type == EFFECT_PUT_REQUEST) {
			keep_request(world, &effect.request);
			engine_stored(world->engine, world->now, effect.request.number,
				      effect.request.row.state, true);
		} else {
			assert_true(world->effects_count < EFFECTS_MAX);
			world->effects[world->effects_count++] = effect;
		}
	}
}

/* The one effect of a type among those collected, or NULL; more than one is a failure. */
static const struct effect *
the(struct world *world, enum effect_type type)
{
	const struct effect *found = NULL;

	for (size_t i = 0; i < world->effects_count; i++)
		if (world->effects[i].type == type) {
			assert_null(found);
			found = &world->effects[i];
		}
	return found;
}

static const struct mib_event *
event_of(struct world *world, enum event_type type)
{
	for (size_t i = 0; i < world->effects_count; i++)
		if (world->effects[i].type == EFFECT_EVENT &&
		    world->effects[i].event.type == (int32_t)type)
			return &world->effects[i].event;
	return NULL;
}

static void
forget_effects(struct world *world)
{
	world->effects_count = 0;
}

static void
tell(struct world *world, int type, uint32_t detail, const void *body, size_t size)
{
	struct message message = {.type = (uint16_t)type, .size = (uint16_t)size, .detail = detail};

	if (size > 0)
		memcpy(message.body, body, size);
	engine_message(world->engine, world->now, &message);
	collect(world);
}

static void
tell_domain(struct world *world, uint32_t domid, const uint8_t *uuid, uint32_t flags,
	    uint32_t reason)
{
	struct fact_domain fact = {.domid = domid,
				   .flags = flags,
				   .reason = reason,
				   .read_mono_us = world->now.mono_ms * 1000,
				   .cpu_ns = domid == 0 ? 0 : 1000,
				   .memory_kib = 262144,
				   .vcpus = 1,
				   .vcpus_max = 2};

	if (uuid)
		memcpy(fact.uuid, uuid, UUID_SIZE);
	tell(world, MSG_DOMAIN, 0, &fact, sizeof(fact));
}

static void
tell_gone(struct world *world, uint32_t domid)
{
	struct fact_domain fact = {.domid = domid};

	tell(world, MSG_DOMAIN, FACT_GONE, &fact, sizeof(fact));
}

static void
tell_figures(struct world *world, uint32_t domid, const char *name, const uint8_t *uuid)
{
	struct fact_figures fact = {.domid = domid,
				    .on_poweroff = ON_DESTROY,
				    .on_reboot = ON_RESTART,
				    .on_crash = ON_RESTART,
				    .memory_max_kib = 524288,
				    .memory_target_kib = 262144,
				    .inside_total_kib = 262144,
				    .inside_free_kib = 131072};

	memcpy(fact.uuid, uuid, UUID_SIZE);
	TEXT_SET(fact.name, name);
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
}

static void
tell_sample(struct world *world, uint32_t kind, bool ok)
{
	struct fact_sample sample = {.kind = kind, .ok = ok, .mono_ms = world->now.mono_ms};

	TEXT_SET(sample.error, ok ? "" : "no answer");
	tell(world, MSG_SAMPLE, 0, &sample, sizeof(sample));
}

/* www runs as domain 3; db is off; Domain-0 is there. */
static void
tell_usual(struct world *world)
{
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	tell_figures(world, 3, "www", uuid_www);
	tell_sample(world, SAMPLE_FIGURES, true);
}

static const struct mib_vm *
row_of(struct world *world, const char *name)
{
	const struct rowset *set = &engine_rows(world->engine)->sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++)
		if (strcmp(((struct mib_vm *)rowset_at(set, i))->name, name) == 0)
			return rowset_at(set, i);
	return NULL;
}

static const struct mib_request *
request_row(struct world *world, const char *id)
{
	struct mib_request key = {0};

	TEXT_SET(key.id, id);
	return rowset_find(&engine_rows(world->engine)->sets[KIND_REQUEST], &key);
}

static void
begin(struct world *world)
{
	world->engine = engine_new(&world->content, world->now);
	engine_load(world->engine, &world->config, world->now);
	/* As process.c attaches them: whoever was there before is gone. */
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, false);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, true);
	engine_peer(world->engine, world->now, ROLE_AGENTX, false);
	engine_peer(world->engine, world->now, ROLE_AGENTX, true);
	collect(world);
	forget_effects(world);
}

/* The engine dies and another begins with what was stored. */
static void
begin_again(struct world *world)
{
	engine_free(world->engine);
	world->content.vms = world->kept_vms;
	world->content.vms_count = world->kept_vms_count;
	world->content.requests = world->kept_requests;
	world->content.requests_count = world->kept_requests_count;
	world->content.next_request = 100;
	forget_effects(world);
	begin(world);
}

static int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	world->now = (struct instant){1000000, 1700000000000};
	world->content =
	    (struct store_content){.journal = 7, .next_sequence = 1, .next_request = 1};
	world->config = (struct config){.action_ms = 60000,
					.shutdown_ms = 30000,
					.interval_ms = 1000,
					.silence_ms = 3000,
					.vms = world->vms,
					.vms_count = 2};
	TEXT_SET(world->vms[0].provider.name, "www");
	memcpy(world->vms[0].uuid, uuid_www, UUID_SIZE);
	TEXT_SET(world->vms[0].group, "front");
	TEXT_SET(world->vms[1].provider.name, "db");
	memcpy(world->vms[1].uuid, uuid_db, UUID_SIZE);
	begin(world);
	*state = world;
	return 0;
}

static int
teardown(void **state)
{
	struct world *world = *state;

	engine_free(world->engine);
	free(world);
	return 0;
}

static void
later(struct world *world, int64_t ms)
{
	world->now.mono_ms += ms;
	world->now.wall_ms += ms;
	engine_tick(world->engine, world->now);
	collect(world);
}

static void
hold(struct world *world, uint32_t token, const char *id, uint32_t verb, const char *vm)
{
	struct hold hold = {.verb = verb, .vm = row_of(world, vm)->index};

	TEXT_SET(hold.id, id);
	if (id[0])
		TEXT_SET(hold.vm_text, vm);
	forget_effects(world);
	tell(world, MSG_HOLD, token, &hold, sizeof(hold));
}

static void
outcome(struct world *world, int type, uint64_t id, uint32_t state, const char *error)
{
	struct outcome outcome = {.id = id, .journal = 7, .state = state};

	TEXT_SET(outcome.error, error);
	tell(world, type, 0, &outcome, sizeof(outcome));
}

/* ---- */

static void
test_unknown_until_seen(void **state)
{
	struct world *world = *state;

	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_false(engine_is_whole(world->engine));
	tell_usual(world);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "www")->domid, 3);
	assert_int_equal(row_of(world, "www")->memory_used_mib, 128);
	assert_string_equal(row_of(world, "www")->group, "front");
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
	assert_true(engine_is_whole(world->engine));
	assert_null(the(world, EFFECT_EVENT)); /* a first sight is no change */
}

static void
test_pause_by_request(void **state)
{
	struct world *world = *state;
	const struct effect *effect;

	tell_usual(world);
	hold(world, 77, "", VERB_PAUSE, "www");
	effect = the(world, EFFECT_HELD);
	assert_non_null(effect);
	assert_int_equal(effect->held.token, 77);
	assert_int_equal(effect->held.answer.ok, 1);
	assert_null(the(world, EFFECT_ACTION)); /* not before the release */
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_QUEUED);
	assert_int_equal(row_of(world, "www")->request, VERB_PAUSE);

	tell(world, MSG_RELEASE, 77, NULL, 0);
	effect = the(world, EFFECT_ACTION);
	assert_non_null(effect);
	assert_int_equal(effect->action.verb, VERB_PAUSE);
	assert_int_equal(effect->action.domid, 3);
	assert_int_equal(effect->action.id, 1);
	assert_non_null(event_of(world, EVENT_REQUEST_ACCEPTED));

	forget_effects(world);
	outcome(world, MSG_STARTED, 1, REQUEST_RUNNING, "");
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_RUNNING);
	tell_domain(world, 3, uuid_www, DOMAIN_PAUSED, 0);
	assert_int_equal(row_of(world, "www")->state, VM_PAUSED);
	assert_int_equal(event_of(world, EVENT_VM_STATE_CHANGED)->previous, VM_RUNNING);
	assert_string_equal(row_of(world, "www")->change_reason, "request pause");
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_SUCCEEDED);
	assert_int_equal(event_of(world, EVENT_REQUEST_FINISHED)->outcome, REQUEST_SUCCEEDED);
	assert_non_null(the(world, EFFECT_FORGET)); /* its outcome is stored */
	assert_int_equal(row_of(world, "www")->health, HEALTH_OK);
}

static void
test_equal_request_joins(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "", VERB_PAUSE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	assert_null(request_row(world, "auto-2"));
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 10001);
	hold(world, 3, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

/* Started, and dead again at once: a second start is no repetition of the first. */
static void
test_what_did_not_hold_is_not_joined(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 5, uuid_db, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 1000);
	hold(world, 2, "", VERB_START, "db");
	assert_null(request_row(world, "auto-2"));
	tell_gone(world, 5);
	later(world, 1000);
	hold(world, 3, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
	outcome(world, MSG_OUTCOME, 2, REQUEST_FAILED, "no memory");
	hold(world, 4, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 4, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 3);
}

static void
test_one_id_is_one_request(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 60000);
	hold(world, 2, "noc-1", VERB_PAUSE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	hold(world, 3, "noc-1", VERB_DESTROY, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	hold(world, 4, "noc-1", VERB_NONE, "www"); /* removed */
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	assert_null(request_row(world, "noc-1"));
}

/* The store of that journal may only be out of reach: there the request is not known to be done. */
static void
test_another_journals_outcome_is_kept(void **state)
{
	struct world *world = *state;
	struct outcome outcome = {.id = 77, .journal = 8, .state = REQUEST_SUCCEEDED};

	tell_usual(world);
	forget_effects(world);
	tell(world, MSG_OUTCOME, 0, &outcome, sizeof(outcome));
	assert_null(the(world, EFFECT_FORGET));
	outcome.journal = world->content.journal;
	tell(world, MSG_OUTCOME, 0, &outcome, sizeof(outcome));
	assert_non_null(the(world, EFFECT_FORGET));
}

static void
test_undone_leaves_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_DESTROY, "www");
	tell(world, MSG_DROP, 1, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	assert_non_null(the(world, EFFECT_DROP_REQUEST));
	assert_null(request_row(world, "auto-1"));
	assert_int_equal(row_of(world, "www")->request, VERB_NONE);
	assert_null(the(world, EFFECT_EVENT));
}

static void
test_refusals(void **state)
{
	struct world *world = *state;
	struct hold none = {.verb = VERB_PAUSE, .vm = 99};

	tell_usual(world);
	tell(world, MSG_HOLD, 1, &none, sizeof(none));
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	for (uint32_t i = 0; i < REQUESTS_PER_VM; i++) {
		char id[8];

		text_format(id, sizeof(id), "r%u", i);
		hold(world, 10 + i, id, VERB_PAUSE, "www");
		assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	}
	hold(world, 50, "more", VERB_PAUSE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	hold(world, 51, "other", VERB_START, "db"); /* its queue is its own */
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
}

static void
test_held_by_a_dead_agentx_is_done(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	engine_peer(world->engine, world->now, ROLE_AGENTX, false);
	collect(world);
	assert_non_null(the(world, EFFECT_ACTION));
}

/* The manager was not told yes, and the number would be given again by an engine after us. */
static void
test_held_by_a_dead_agentx_and_not_on_disk_is_dropped(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->slow = true;
	hold(world, 1, "", VERB_PAUSE, "www");
	engine_peer(world->engine, world->now, ROLE_AGENTX, false);
	collect(world);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(the(world, EFFECT_DROP_REQUEST)->request.number, 1);
	engine_stored(world->engine, world->now, 1, REQUEST_HELD, true);
	collect(world);
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_what_was_asked_for_waits_for_the_hypervisor_process(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, false);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, true);
	collect(world);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, VERB_PAUSE);
}

static void
test_crash_restarts(void **state)
{
	struct world *world = *state;
	const struct effect *effect;

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_non_null(event_of(world, EVENT_VM_CRASHED));
	effect = the(world, EFFECT_ACTION);
	assert_int_equal(effect->action.verb, ACTION_REPLACE);
	assert_int_equal(effect->action.domid, 3);
	tell_gone(world, 3);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, effect->action.id, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "www")->crashes, 1);
	assert_int_equal(row_of(world, "www")->restarts, 1);
	assert_int_equal(row_of(world, "www")->index, 1);
	assert_non_null(event_of(world, EVENT_VM_RECOVERED));
}

/* on_crash of www's domain domid, as figures tell it. */
static void
tell_on_crash(struct world *world, uint32_t domid, uint32_t on_crash)
{
	struct fact_figures fact = {.domid = domid, .on_crash = on_crash};

	TEXT_SET(fact.name, "www");
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
}

static void
test_on_crash_goes_with_the_action(void **state)
{
	static const struct {
		enum on_action policy;
		uint32_t verb; /* 0: nothing is done */
	} wanted[] = {
	    {ON_DESTROY, ACTION_REAP},
	    {ON_RESTART, ACTION_REPLACE},
	    {ON_RENAME_RESTART, ACTION_REPLACE},
	    {ON_COREDUMP_DESTROY, ACTION_REAP},
	    {ON_COREDUMP_RESTART, ACTION_REPLACE},
	    {ON_PRESERVE, 0},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *own;
		struct world *world;
		const struct effect *effect;

		setup(&own);
		world = own;
		tell_usual(world);
		tell_on_crash(world, 3, wanted[i].policy);
		later(world, 61000);
		forget_effects(world);
		tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
		effect = the(world, EFFECT_ACTION);
		assert_int_equal(effect ? effect->action.verb : 0, wanted[i].verb);
		assert_int_equal(effect ? effect->action.number : wanted[i].policy,
				 wanted[i].policy);
		assert_int_equal(row_of(world, "www")->state, VM_CRASHED);
		teardown(&own);
	}
	(void)state;
}

/* rename-restart: the dead domain gets another name and UUID and stays; the VM is the new one. */
static void
test_a_domain_set_aside_is_not_the_vm(void **state)
{
	struct world *world = *state;
	static const uint8_t uuid_aside[UUID_SIZE] = {77};
	uint64_t id;

	tell_usual(world);
	tell_on_crash(world, 3, ON_RENAME_RESTART);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	id = the(world, EFFECT_ACTION)->action.id;
	forget_effects(world);
	tell_domain(world, 3, uuid_aside, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_figures(world, 3, "www", uuid_www); /* of a pass that began before */
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_null(event_of(world, EVENT_VM_IDENTITY_CHANGED));
	assert_int_equal(row_of(world, "www")->domid, -1);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	tell_figures(world, 3, "www-20261122T101112Z", uuid_aside);
	outcome(world, MSG_OUTCOME, id, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->index, 1);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "www")->domid, 4);
	assert_int_equal(row_of(world, "www")->crashes, 1);
	assert_int_equal(row_of(world, "www")->restarts, 1);
	assert_non_null(event_of(world, EVENT_VM_RECOVERED));
	/* what was set aside has a row of its own, and did not crash just now */
	assert_int_equal(row_of(world, "www-20261122T101112Z")->state, VM_CRASHED);
	assert_int_equal(row_of(world, "www-20261122T101112Z")->crashes, 0);
	assert_null(event_of(world, EVENT_VM_CRASHED));
	assert_null(the(world, EFFECT_ACTION));
}

/* Its helper was killed, and the old domain is gone: the start is still owed. */
static void
test_a_replacement_cut_off_is_made_up_for(void **state)
{
	struct world *world = *state;
	uint64_t id;

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_REBOOT);
	id = the(world, EFFECT_ACTION)->action.id;
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, id, REQUEST_UNDECIDED, "its helper was killed by signal 9");
	forget_effects(world);
	later(world, 29999);
	assert_null(the(world, EFFECT_ACTION));
	later(world, 1);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REPLACE);
	assert_int_equal(the(world, EFFECT_ACTION)->action.domid, 0);
	id = the(world, EFFECT_ACTION)->action.id;
	forget_effects(world);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, id, REQUEST_SUCCEEDED, "");
	later(world, 120000);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

static void
test_a_replacement_that_failed_is_not_owed(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_REBOOT);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_FAILED, "no");
	forget_effects(world);
	later(world, 120000);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

static void
test_quick_deaths_wait_longer(void **state)
{
	struct world *world = *state;
	uint64_t id;

	tell_usual(world);
	later(world, 2000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	id = the(world, EFFECT_ACTION)->action.id; /* the first at once */
	tell_gone(world, 3);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	outcome(world, MSG_OUTCOME, id, REQUEST_SUCCEEDED, "");
	forget_effects(world);
	tell_domain(world, 4, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(engine_deadline(world->engine), world->now.mono_ms + 5000);
	later(world, 4999);
	assert_null(the(world, EFFECT_ACTION));
	later(world, 1);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REPLACE);
	assert_int_equal(row_of(world, "www")->crashes, 2);
}

static void
test_poweroff_is_respected(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_POWEROFF);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REAP);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
	tell_domain(world, 3, uuid_www, DOMAIN_DYING, 0);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
	assert_string_equal(row_of(world, "www")->change_reason, "the guest powered off");
}

static void
test_saved_and_restored(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	tell_gone(world, 3); /* too quick to be seen suspended */
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, 2, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

/* The outcome of an action comes before the list that shows what it did. */
static void
test_outcomes_before_their_facts(void **state)
{
	struct world *world = *state;
	struct outcome started = {.id = 2, .journal = 7, .state = REQUEST_SUCCEEDED, .domid = 5};

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	tell_domain(world, 3, uuid_www, DOMAIN_RUNNING, 0); /* a look that began before */
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	tell_gone(world, 3);
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);

	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	tell(world, MSG_OUTCOME, 0, &started, sizeof(started));
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	hold(world, 3, "", VERB_SHUTDOWN, "www"); /* waits for the domain that it is for */
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	tell_domain(world, 5, uuid_www, DOMAIN_RUNNING, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.domid, 5);
	outcome(world, MSG_OUTCOME, 3, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SHUTTING_DOWN);
	tell_gone(world, 5);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

/* A domain that was started and is gone before it was ever listed is not waited for without end. */
static void
test_a_domain_that_never_shows(void **state)
{
	struct world *world = *state;
	struct outcome started = {.id = 1, .journal = 7, .state = REQUEST_SUCCEEDED, .domid = 5};

	tell_usual(world);
	hold(world, 1, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell(world, MSG_OUTCOME, 0, &started, sizeof(started));
	assert_int_equal(row_of(world, "db")->state, VM_PREPARING);
	assert_true(engine_deadline(world->engine) <= world->now.mono_ms + 5000);
	later(world, 5000);
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
}

/* Its outcome comes before the half-built domain is cleared away. */
static void
test_a_restore_that_is_mended_leaves_it_suspended(void **state)
{
	struct world *world = *state;
	struct fact_domain half = {.domid = 4, .flags = DOMAIN_PAUSED};

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	memcpy(half.uuid, uuid_www, UUID_SIZE);
	tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
	outcome(world, MSG_OUTCOME, 2, REQUEST_UNDECIDED, "killed");
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	half.flags |= DOMAIN_DYING;
	tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
	tell_gone(world, 4);
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
}

/* The hypervisor's toolstack pauses a domain before it destroys it. */
static void
test_what_is_destroyed_is_not_paused(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_DESTROY, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_PAUSED, 0);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTTING_DOWN);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

static void
test_a_monitored_domain_is_left_alone(void **state)
{
	struct world *world = *state;
	struct fact_figures fact = {.domid = 3, .monitored = 1, .on_crash = ON_RESTART};

	tell_usual(world);
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	TEXT_SET(fact.name, "www");
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
	assert_int_equal(row_of(world, "www")->owner, OWNER_OTHER);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_a_lost_hypervisor_is_no_dead_vm(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_sample(world, SAMPLE_STATES, false);
	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	assert_int_equal(row_of(world, "db")->state, VM_UNKNOWN);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_LOST));
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED));
	tell_sample(world, SAMPLE_STATES, false);
	forget_effects(world);
	hold(world, 1, "", VERB_PAUSE, "www"); /* accepted, and waits */
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	tell_gone(world, 3);
	tell_sample(world, SAMPLE_STATES, true);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_RESTORED));
	assert_int_equal(event_of(world, EVENT_VM_STATE_CHANGED)->state, VM_SHUTDOWN);
	assert_non_null(the(world, EFFECT_ACTION));
}

static void
test_late_figures_leave_states_true(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_sample(world, SAMPLE_FIGURES, false);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_true(row_of(world, "www")->absent >> mib_vm_BIT_memory_used_mib & 1);
	assert_false(row_of(world, "www")->absent >> mib_vm_BIT_memory_mib & 1);
	assert_non_null(event_of(world, EVENT_FIGURES_LOST));
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_false(row_of(world, "www")->absent >> mib_vm_BIT_memory_used_mib & 1);
	assert_non_null(event_of(world, EVENT_FIGURES_RESTORED));
}

static void
test_another_uuid_is_the_same_vm(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 5, uuid_new, DOMAIN_RUNNING, 0);
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN); /* no name yet */
	tell_figures(world, 5, "db", uuid_new);
	assert_int_equal(row_of(world, "db")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_memory_equal(row_of(world, "db")->uuid, uuid_new, UUID_SIZE);
	assert_non_null(event_of(world, EVENT_VM_IDENTITY_CHANGED));
	assert_int_equal(engine_rows(world->engine)->sets[KIND_VM].count, 2);
}

/* Its file says one UUID, its domain has another, which is told once. */
static void
test_another_uuid_outlives_the_engine(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 5, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 5, "db", uuid_new);
	begin_again(world);
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 5, uuid_new, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	tell_figures(world, 5, "db", uuid_new);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_int_equal(row_of(world, "db")->domid, 5);
	assert_null(event_of(world, EVENT_VM_IDENTITY_CHANGED));
	begin_again(world); /* without that domain it is as its file says */
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	assert_memory_equal(row_of(world, "db")->uuid, uuid_db, UUID_SIZE);
	assert_int_equal(row_of(world, "db")->index, 2);
}

/* What a domain is for can be written after it was seen first. */
static void
test_a_stub_domain_has_no_row(void **state)
{
	struct fact_figures fact = {.domid = 6};
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 6, uuid_new, DOMAIN_PAUSED, 0);
	tell_figures(world, 6, "guest-dm", uuid_new);
	assert_non_null(row_of(world, "guest-dm"));
	TEXT_SET(fact.name, "guest-dm");
	memcpy(fact.uuid, uuid_new, UUID_SIZE);
	fact.stubdom_for = 3;
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
	assert_null(row_of(world, "guest-dm"));
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	assert_null(row_of(world, "guest-dm"));
}

/* At the start: the domain that it may be has no name yet. */
static void
test_who_may_be_nameless_is_not_taken_for_down(void **state)
{
	struct world *world = *state;

	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_new, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	tell_figures(world, 3, "www", uuid_new);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED));
}

static void
test_found_vms_come_and_go(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 6, "guest", uuid_new);
	assert_int_equal(row_of(world, "guest")->index, 3);
	assert_int_equal(row_of(world, "guest")->configured, 0);
	assert_int_equal(event_of(world, EVENT_VM_STATE_CHANGED)->state, VM_RUNNING);
	tell_gone(world, 6);
	assert_null(row_of(world, "guest"));
	later(world, 23 * 3600 * 1000);
	tell_domain(world, 7, (const uint8_t[UUID_SIZE]){8}, DOMAIN_RUNNING, 0);
	tell_figures(world, 7, "next", (const uint8_t[UUID_SIZE]){8});
	assert_int_equal(row_of(world, "next")->index, 4); /* 3 rests for a day */
}

/* Two workers look at the same moment: the figures may know a domain before the states do. */
static void
test_figures_before_states(void **state)
{
	struct world *world = *state;

	tell_figures(world, 7, "stray", uuid_new);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_null(row_of(world, "stray"));
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 7, uuid_new, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	assert_non_null(row_of(world, "stray"));
	assert_int_equal(row_of(world, "stray")->state, VM_RUNNING);
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED)); /* it ran when we first looked */
}

static void
test_devices(void **state)
{
	struct world *world = *state;
	struct fact_net net = {.domid = 3, .in_octets = 500};
	struct mib_net key = {.vm = 1, .index = 1};
	const struct mib_net *row;

	tell_usual(world);
	tell(world, MSG_NET, 0, &net, sizeof(net));
	row = rowset_find(&engine_rows(world->engine)->sets[KIND_NET], &key);
	assert_int_equal(row->in_octets, 500);
	later(world, 5000);
	net.in_octets = 20; /* the counters began anew */
	tell(world, MSG_NET, 0, &net, sizeof(net));
	row = rowset_find(&engine_rows(world->engine)->sets[KIND_NET], &key);
	assert_int_equal(row->discontinuity, world->now.wall_ms);
	tell_gone(world, 3);
	assert_null(rowset_find(&engine_rows(world->engine)->sets[KIND_NET], &key));
}

/* A QEMU that does not answer for a while has not begun to count anew. */
static void
test_disk_not_counted_for_a_while(void **state)
{
	struct world *world = *state;
	struct fact_disk disk = {.domid = 3, .device = 51712, .counted = 1, .reads = 500};
	struct mib_disk key = {.vm = 1, .index = 51712};
	const struct rowset *disks = &engine_rows(world->engine)->sets[KIND_DISK];
	const struct mib_disk *row;
	int64_t since_ms;

	tell_usual(world);
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	row = rowset_find(disks, &key);
	assert_false(row->absent >> mib_disk_BIT_reads & 1);
	assert_true(row->absent >> mib_disk_BIT_errors & 1);
	since_ms = row->discontinuity;
	later(world, 5000);
	disk.counted = 0;
	disk.reads = 0;
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	row = rowset_find(disks, &key);
	assert_true(row->absent >> mib_disk_BIT_reads & 1);
	assert_int_equal(row->discontinuity, since_ms);
	disk.counted = 1;
	disk.reads = 501;
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	assert_int_equal(((const struct mib_disk *)rowset_find(disks, &key))->discontinuity,
			 since_ms);
	later(world, 5000);
	disk.reads = 7; /* it was another QEMU */
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	assert_int_equal(((const struct mib_disk *)rowset_find(disks, &key))->discontinuity,
			 world->now.wall_ms);
}

static void
test_cpu_share(void **state)
{
	struct world *world = *state;
	struct fact_domain fact = {.domid = 3,
				   .flags = DOMAIN_RUNNING,
				   .cpu_ns = 1000,
				   .memory_kib = 262144,
				   .vcpus = 2,
				   .vcpus_max = 2};

	tell_usual(world);
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	later(world, 1000);
	fact.read_mono_us = world->now.mono_ms * 1000;
	fact.cpu_ns = 1000 + 1500000000; /* one and a half CPUs */
	tell(world, MSG_DOMAIN, 0, &fact, sizeof(fact));
	assert_int_equal(row_of(world, "www")->cpu_used, 15000);
}

static void
test_restart_of_the_engine(void **state)
{
	struct world *world = *state;
	struct fact_host host = {.memory_kib = 1};

	tell(world, MSG_HOST, 0, &host, sizeof(host));
	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_STARTED, 1, REQUEST_RUNNING, "");
	hold(world, 2, "", VERB_START, "db"); /* held, and the engine dies */
	begin_again(world);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_RUNNING);
	tell_usual(world);
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED));
	assert_null(the(world, EFFECT_ACTION)); /* the hypervisor process was asked already */
	later(world, 2000);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_SUCCEEDED);
	assert_null(the(world, EFFECT_ACTION)); /* the host may have been booted since */
	tell(world, MSG_HOST, 0, &host, sizeof(host));
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, VERB_START);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

/* What the engine before it began is not begun again. */
static void
test_an_action_of_its_own_outlives_the_engine(void **state)
{
	struct world *world = *state;
	struct outcome told = {.journal = 7, .state = REQUEST_QUEUED};

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	told.id = the(world, EFFECT_ACTION)->action.id;
	told.verb = ACTION_REPLACE;
	told.action_domid = 3;
	memcpy(told.uuid, uuid_www, UUID_SIZE);
	begin_again(world);
	tell(world, MSG_STARTED, 0, &told, sizeof(told));
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_figures(world, 3, "www", uuid_www);
	tell_sample(world, SAMPLE_STATES, true);
	assert_null(the(world, EFFECT_ACTION));
	tell_gone(world, 3);
	told.state = REQUEST_SUCCEEDED;
	told.domid = 4;
	tell(world, MSG_OUTCOME, 0, &told, sizeof(told));
	assert_int_equal(the(world, EFFECT_FORGET)->outcome.id, told.id);
	assert_int_equal(row_of(world, "www")->state, VM_PREPARING);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_a_dropped_hold_stays_dropped_over_a_restart(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 5, "", VERB_DESTROY, "www");
	begin_again(world); /* before agentx heard; it answered commitFailed, and says so again */
	tell(world, MSG_DROP, 5, NULL, 0);
	tell_usual(world);
	later(world, 5000);
	assert_null(the(world, EFFECT_ACTION));
	assert_null(request_row(world, "auto-1"));
	assert_int_equal(row_of(world, "www")->request, VERB_NONE);
}

static void
test_undone_values_are_those_before(void **state)
{
	struct world *world = *state;
	struct hold hold_memory = {.verb = VERB_MEMORY, .vm = 1, .number = 300};
	struct hold hold_pause = {.verb = VERB_PAUSE, .vm = 1};
	struct message message = {.type = MSG_HOLD, .size = sizeof(struct hold), .detail = 9};

	tell_usual(world);
	hold(world, 1, "", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell(world, MSG_HOLD, 2, &hold_pause, sizeof(hold_pause)); /* both in one SET */
	tell(world, MSG_HOLD, 3, &hold_memory, sizeof(hold_memory));
	assert_int_equal(row_of(world, "www")->request, VERB_PAUSE);
	assert_int_equal(row_of(world, "www")->memory_target_mib, 300);
	tell(world, MSG_DROP, 2, NULL, 0);
	tell(world, MSG_DROP, 3, NULL, 0);
	assert_int_equal(row_of(world, "www")->request, VERB_SHUTDOWN);
	assert_int_equal(row_of(world, "www")->memory_target_mib, 256);
	/* Taken back before the disk answered. */
	memcpy(message.body, &hold_pause, sizeof(hold_pause));
	engine_message(world->engine, world->now, &message);
	tell(world, MSG_DROP, 9, NULL, 0);
	assert_int_equal(row_of(world, "www")->request, VERB_SHUTDOWN);
	assert_int_equal(row_of(world, "www")->memory_target_mib, 256);
}

/* www is being paused, and a shutdown waits for that. */
static void
tell_queued(struct world *world)
{
	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "noc-2", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
}

static void
test_a_queued_request_is_cancelled(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	hold(world, 3, "noc-2", VERB_NONE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_null(request_row(world, "noc-2"));
	assert_int_equal(event_of(world, EVENT_REQUEST_FINISHED)->outcome, REQUEST_CANCELLED);
	forget_effects(world);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_a_cancelling_that_is_undone_cancels_nothing(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	hold(world, 3, "noc-2", VERB_NONE, "www");
	tell(world, MSG_DROP, 3, NULL, 0);
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_QUEUED);
	assert_null(event_of(world, EVENT_REQUEST_FINISHED));
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

static void
test_a_cancelling_is_answered_once_it_is_stored(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	world->slow = true;
	hold(world, 3, "noc-2", VERB_NONE, "www");
	assert_null(the(world, EFFECT_HELD));
	world->slow = false;
	engine_stored(world->engine, world->now, 2, REQUEST_CANCELLED, true);
	collect(world);
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	assert_int_equal(the(world, EFFECT_HELD)->held.token, 3);
}

static void
test_no_cancelling_without_a_store(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	world->slow = true;
	hold(world, 3, "noc-2", VERB_NONE, "www");
	engine_stored(world->engine, world->now, 2, REQUEST_CANCELLED, false);
	collect(world);
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_QUEUED);
}

static void
test_a_cancelling_outlives_the_engine(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	hold(world, 3, "noc-2", VERB_NONE, "www");
	begin_again(world);
	tell_usual(world);
	later(world, 5000);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_CANCELLED);
	for (size_t i = 0; i < world->effects_count; i++)
		assert_false(world->effects[i].type == EFFECT_ACTION &&
			     world->effects[i].action.id == 2);
}

static void
test_restart_of_the_hypervisor_process(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 5, uuid_db, DOMAIN_RUNNING, 0);
	forget_effects(world);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, false);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, true);
	collect(world);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 1); /* the same, not another */
	assert_int_equal(row_of(world, "db")->state, VM_RUNNING);
	tell_usual(world); /* domain 5 went meanwhile */
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
}

static void
test_reload(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->config.vms_count = 1;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_null(row_of(world, "db"));
	world->config.vms_count = 2;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

/* It was removed from the file, started with another UUID, and comes back. */
static void
test_a_section_takes_the_vm_that_lives(void **state)
{
	struct world *world = *state;

	memset(world->vms[1].uuid, 0, UUID_SIZE);
	engine_load(world->engine, &world->config, world->now);
	tell_usual(world);
	tell_gone(world, 5);
	world->config.vms_count = 1;
	engine_load(world->engine, &world->config, world->now);
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 6, "db", uuid_new);
	world->config.vms_count = 2;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(row_of(world, "db")->domid, 6);
	assert_int_equal(row_of(world, "db")->configured, 1);
}

/* A recording that is played must make the same. */
static void
test_uuids_that_are_allotted_are_no_matter_of_chance(void **state)
{
	struct world *world = *state;
	uint8_t first[UUID_SIZE];

	for (int i = 0; i < 2; i++) {
		engine_free(world->engine);
		world->engine = engine_new(&world->content, world->now);
		memset(world->vms[0].uuid, 0, UUID_SIZE);
		memset(world->vms[1].uuid, 0, UUID_SIZE);
		engine_load(world->engine, &world->config, world->now);
		collect(world);
		assert_memory_not_equal(row_of(world, "www")->uuid, row_of(world, "db")->uuid,
					UUID_SIZE);
		if (i == 0)
			memcpy(first, row_of(world, "www")->uuid, UUID_SIZE);
	}
	assert_memory_equal(row_of(world, "www")->uuid, first, UUID_SIZE);
}

static void
test_a_dead_domain_that_stays_is_not_the_vm(void **state)
{
	struct world *world = *state;
	size_t events = 0;

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_DYING, 0); /* and never goes: some page is in use */
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	forget_effects(world);
	for (int i = 0; i < 3; i++) {
		later(world, 1000);
		tell_domain(world, 3, uuid_www, DOMAIN_DYING, 0);
		tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
		tell_sample(world, SAMPLE_STATES, true);
	}
	for (size_t i = 0; i < world->effects_count; i++)
		events += world->effects[i].type == EFFECT_EVENT;
	assert_int_equal(events, 0);
	assert_int_equal(row_of(world, "www")->domid, 4);
	tell_gone(world, 3);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

static void
test_a_burial_that_another_did_is_forgotten(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 1000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_gone(world, 3);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_SUCCEEDED, "");
	tell_domain(world, 4, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH); /* waits 5 s ... */
	tell_gone(world, 4); /* ... and a person is faster */
	tell_domain(world, 5, uuid_www, DOMAIN_RUNNING, 0);
	later(world, 10000);
	assert_true(engine_deadline(world->engine) > world->now.mono_ms);
}

static void
test_a_burial_waits_for_the_hypervisor(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 1000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_FAILED, "no");
	tell_sample(world, SAMPLE_STATES, false);
	later(world, 60000);
	assert_true(engine_deadline(world->engine) > world->now.mono_ms);
	forget_effects(world);
	tell_sample(world, SAMPLE_STATES, true);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REPLACE);
}

static void
test_another_uuid_in_the_file_is_kept(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	memcpy(world->vms[1].uuid, uuid_new, UUID_SIZE);
	world->kept_vms_count = 0;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(world->kept_vms_count, 1);
	assert_memory_equal(world->kept_vms[0].uuid, uuid_new, UUID_SIZE);
	assert_int_equal(world->kept_vms[0].index, 2);
}

static void
test_a_new_vm_takes_the_name_of_a_renamed_one(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->config.vms_count = 3;
	memset(world->vms[0].uuid, 0, UUID_SIZE); /* the new www, whose file says no UUID */
	TEXT_SET(world->vms[2].provider.name, "old");
	memcpy(world->vms[2].uuid, uuid_www, UUID_SIZE);
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(row_of(world, "old")->index, 1);
	assert_int_equal(row_of(world, "old")->domid, 3);
	assert_int_equal(row_of(world, "www")->index, 3);
	assert_int_equal(engine_rows(world->engine)->sets[KIND_VM].count, 3);
}

static void
test_a_clock_set_back_joins_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 60000);
	world->now.wall_ms -= 3600 * 1000;
	hold(world, 2, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

static void
test_a_clock_set_forward_removes_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 6, "guest", uuid_new);
	tell_gone(world, 6);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	world->now.wall_ms += INT64_C(3600) * 1000 * 24 * 365;
	later(world, 61000);
	assert_non_null(request_row(world, "noc-1"));
	tell_domain(world, 7, (const uint8_t[UUID_SIZE]){8}, DOMAIN_RUNNING, 0);
	tell_figures(world, 7, "next", (const uint8_t[UUID_SIZE]){8});
	assert_int_equal(row_of(world, "next")->index, 4);
	later(world, INT64_C(3600) * 1000 * 24);
	assert_null(request_row(world, "noc-1"));
}

static void
test_a_request_follows_its_vm_to_another_uuid(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	tell_gone(world, 3);
	tell_domain(world, 8, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 8, "www", uuid_new);
	forget_effects(world);
	outcome(world, MSG_OUTCOME, 1, REQUEST_FAILED, "it is no more");
	assert_memory_equal(the(world, EFFECT_ACTION)->action.uuid, uuid_new, UUID_SIZE);
	assert_int_equal(the(world, EFFECT_ACTION)->action.domid, 8);
}

static void
test_a_request_whose_vm_is_no_more_ends(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "noc-2", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	world->kept_vms_count = 0; /* another lauxend's store */
	world->config.vms_count = 0;
	begin_again(world);
	later(world, 61000);
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_FAILED);
}

static void
test_an_id_that_the_agent_makes_is_free(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "auto-2", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(request_row(world, "auto-2")->verb, VERB_PAUSE);
	assert_int_equal(engine_rows(world->engine)->sets[KIND_REQUEST].count, 2);
}

static void
test_pairs_outlive_the_engine(void **state)
{
	struct world *world = *state;
	struct mib_event events[2] = {
	    {.sequence = 1, .type = EVENT_HYPERVISOR_LOST},
	    {.sequence = 2, .type = EVENT_FIGURES_LOST},
	};

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	world->content.events = events;
	world->content.events_count = 2;
	world->content.next_sequence = 3;
	begin_again(world);
	assert_false(engine_is_whole(world->engine)); /* it has not looked yet */
	tell_sample(world, SAMPLE_STATES, false);
	tell_sample(world, SAMPLE_FIGURES, false);
	assert_null(event_of(world, EVENT_HYPERVISOR_LOST)); /* told already */
	assert_null(event_of(world, EVENT_FIGURES_LOST));
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_RESTORED));
	assert_non_null(event_of(world, EVENT_FIGURES_RESTORED));
	assert_non_null(event_of(world, EVENT_VM_RECOVERED));
}

static void
test_the_same_domid_after_a_boot_of_the_host(void **state)
{
	struct world *world = *state;
	struct fact_figures fact = {.domid = 3, .on_crash = ON_RESTART};

	tell_usual(world);
	begin_again(world);
	world->now.wall_ms += 3600 * 1000;
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	fact.start_wall_ms = world->now.wall_ms - 60000;
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	TEXT_SET(fact.name, "www");
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
	assert_int_equal(row_of(world, "www")->start_time, fact.start_wall_ms);
	assert_int_equal(row_of(world, "www")->discontinuity, fact.start_wall_ms);
}

static void
test_a_hypervisor_process_that_says_nothing_is_no_answer(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	for (int i = 0; i < 5; i++) {
		later(world, 1000);
		tell_sample(world, SAMPLE_STATES, true);
	}
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	forget_effects(world);
	for (int i = 0; i < 20; i++)
		later(world, 1000);
	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_LOST));
	tell_sample(world, SAMPLE_STATES, true);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_RESTORED));
}

static void
test_a_restore_that_fails_leaves_it_suspended(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_SUSPEND);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	outcome(world, MSG_OUTCOME, 2, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
	assert_string_equal(row_of(world, "www")->change_reason, "request restore failed");
	later(world, 20000);
	hold(world, 3, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 3, NULL, 0);
	begin_again(world); /* while it is tried */
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	outcome(world, MSG_OUTCOME, 3, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
}

static void
test_a_start_that_fails_says_so(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_int_equal(row_of(world, "db")->state, VM_PREPARING);
	outcome(world, MSG_OUTCOME, 1, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
	assert_string_equal(row_of(world, "db")->change_reason, "request start failed");
}

static void
test_a_crashed_vm_that_does_not_start_crashed_once(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 61000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_gone(world, 3); /* cleared away; the start of the new one fails */
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_FAILED, "no");
	assert_int_equal(row_of(world, "www")->state, VM_CRASHED);
	forget_effects(world);
	hold(world, 1, "", VERB_START, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "www")->state, VM_CRASHED);
	assert_null(event_of(world, EVENT_VM_CRASHED));
	assert_int_equal(row_of(world, "www")->crashes, 1);
}

static void
test_an_end_that_did_not_get_into_the_journal_is_told(void **state)
{
	struct world *world = *state;
	struct mib_event events[2] = {{.sequence = 1, .time = world->now.wall_ms - 60000}};
	const struct mib_event *event;
	int64_t ended;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	ended = request_row(world, "noc-1")->ended;
	engine_free(world->engine); /* the engine is killed between two writes */
	world->now.wall_ms += 5000;
	world->content.requests = world->kept_requests;
	world->content.requests_count = world->kept_requests_count;
	world->content.events = events;
	world->content.events_count = 1;
	world->content.next_sequence = 2;
	forget_effects(world);
	world->engine = engine_new(&world->content, world->now);
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	event = event_of(world, EVENT_REQUEST_FINISHED);
	assert_non_null(event);
	assert_string_equal(event->request, "noc-1");
	assert_int_equal(event->time, ended);
	events[1] = *event; /* this time it did */
	world->content.events_count = 2;
	world->content.next_sequence = 3;
	engine_free(world->engine);
	forget_effects(world);
	world->engine = engine_new(&world->content, world->now);
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_null(event_of(world, EVENT_REQUEST_FINISHED));
}

static void
test_malformed_messages_change_nothing(void **state)
{
	struct world *world = *state;
	uint8_t rubbish[100] = {0xff};

	tell_usual(world);
	for (int type = 0; type < 80; type++)
		tell(world, type, 0xffffffff, rubbish, sizeof(rubbish));
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

/* xl's own rename-restart: the dead domain keeps its UUID in the hypervisor's list. */
static void
test_what_xl_preserves_is_past(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_SUSPEND);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_int_equal(row_of(world, "www")->domid, 4);
	tell_gone(world, 4);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_figures(world, 3, "www-20261122T1011Z", uuid_www);
	assert_int_equal(row_of(world, "www")->domid, -1);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

/* The saved state is still there. */
static void
test_a_restore_that_failed_leaves_it_suspended(void **state)
{
	struct world *world = *state;
	struct fact_domain half = {.flags = DOMAIN_PAUSED};

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	memcpy(half.uuid, uuid_www, UUID_SIZE);
	for (uint32_t i = 0; i < 2; i++) {
		hold(world, 2 + i, "", VERB_RESTORE, "www");
		tell(world, MSG_RELEASE, 2 + i, NULL, 0);
		half.domid = 4 + i;
		tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
		tell_gone(world, 4 + i);
		assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
		outcome(world, MSG_OUTCOME, 2 + i, i ? REQUEST_FAILED : REQUEST_UNDECIDED, "no");
		assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_unknown_until_seen),
	    TEST(test_pause_by_request),
	    TEST(test_equal_request_joins),
	    TEST(test_what_did_not_hold_is_not_joined),
	    TEST(test_one_id_is_one_request),
	    TEST(test_another_journals_outcome_is_kept),
	    TEST(test_undone_leaves_nothing),
	    TEST(test_refusals),
	    TEST(test_held_by_a_dead_agentx_is_done),
	    TEST(test_held_by_a_dead_agentx_and_not_on_disk_is_dropped),
	    TEST(test_what_was_asked_for_waits_for_the_hypervisor_process),
	    TEST(test_crash_restarts),
	    TEST(test_on_crash_goes_with_the_action),
	    TEST(test_a_domain_set_aside_is_not_the_vm),
	    TEST(test_a_replacement_cut_off_is_made_up_for),
	    TEST(test_a_replacement_that_failed_is_not_owed),
	    TEST(test_quick_deaths_wait_longer),
	    TEST(test_poweroff_is_respected),
	    TEST(test_saved_and_restored),
	    TEST(test_a_restore_that_failed_leaves_it_suspended),
	    TEST(test_what_xl_preserves_is_past),
	    TEST(test_a_section_takes_the_vm_that_lives),
	    TEST(test_uuids_that_are_allotted_are_no_matter_of_chance),
	    TEST(test_outcomes_before_their_facts),
	    TEST(test_a_domain_that_never_shows),
	    TEST(test_a_restore_that_is_mended_leaves_it_suspended),
	    TEST(test_what_is_destroyed_is_not_paused),
	    TEST(test_a_monitored_domain_is_left_alone),
	    TEST(test_a_lost_hypervisor_is_no_dead_vm),
	    TEST(test_late_figures_leave_states_true),
	    TEST(test_another_uuid_is_the_same_vm),
	    TEST(test_another_uuid_outlives_the_engine),
	    TEST(test_a_stub_domain_has_no_row),
	    TEST(test_who_may_be_nameless_is_not_taken_for_down),
	    TEST(test_found_vms_come_and_go),
	    TEST(test_figures_before_states),
	    TEST(test_devices),
	    TEST(test_disk_not_counted_for_a_while),
	    TEST(test_cpu_share),
	    TEST(test_restart_of_the_engine),
	    TEST(test_an_action_of_its_own_outlives_the_engine),
	    TEST(test_a_dropped_hold_stays_dropped_over_a_restart),
	    TEST(test_undone_values_are_those_before),
	    TEST(test_a_queued_request_is_cancelled),
	    TEST(test_a_cancelling_that_is_undone_cancels_nothing),
	    TEST(test_a_cancelling_is_answered_once_it_is_stored),
	    TEST(test_no_cancelling_without_a_store),
	    TEST(test_a_cancelling_outlives_the_engine),
	    TEST(test_restart_of_the_hypervisor_process),
	    TEST(test_reload),
	    TEST(test_a_dead_domain_that_stays_is_not_the_vm),
	    TEST(test_a_burial_that_another_did_is_forgotten),
	    TEST(test_a_burial_waits_for_the_hypervisor),
	    TEST(test_another_uuid_in_the_file_is_kept),
	    TEST(test_a_new_vm_takes_the_name_of_a_renamed_one),
	    TEST(test_a_clock_set_back_joins_nothing),
	    TEST(test_a_clock_set_forward_removes_nothing),
	    TEST(test_a_request_follows_its_vm_to_another_uuid),
	    TEST(test_a_request_whose_vm_is_no_more_ends),
	    TEST(test_an_id_that_the_agent_makes_is_free),
	    TEST(test_pairs_outlive_the_engine),
	    TEST(test_the_same_domid_after_a_boot_of_the_host),
	    TEST(test_a_hypervisor_process_that_says_nothing_is_no_answer),
	    TEST(test_a_restore_that_fails_leaves_it_suspended),
	    TEST(test_a_start_that_fails_says_so),
	    TEST(test_a_crashed_vm_that_does_not_start_crashed_once),
	    TEST(test_an_end_that_did_not_get_into_the_journal_is_told),
	    TEST(test_malformed_messages_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
