/* A world for tests of the engine: messages in, rows and effects out, on a virtual clock; and what
 * a store would hold of it. */
#ifndef TESTS_UNIT_ENGINE_FACTS_H
#define TESTS_UNIT_ENGINE_FACTS_H

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

static inline void
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

static inline void
drop_vm(struct world *world, const uint8_t *uuid)
{
	for (size_t i = 0; i < world->kept_vms_count; i++)
		if (memcmp(world->kept_vms[i].uuid, uuid, UUID_SIZE) == 0)
			world->kept_vms[i--] = world->kept_vms[--world->kept_vms_count];
}

static inline void
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
static inline void
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
static inline const struct effect *
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

static inline const struct mib_event *
event_of(struct world *world, enum event_type type)
{
	for (size_t i = 0; i < world->effects_count; i++)
		if (world->effects[i].type == EFFECT_EVENT &&
		    world->effects[i].event.type == (int32_t)type)
			return &world->effects[i].event;
	return NULL;
}

static inline void
forget_effects(struct world *world)
{
	world->effects_count = 0;
}

static inline void
tell(struct world *world, int type, uint32_t detail, const void *body, size_t size)
{
	struct message message = {.type = (uint16_t)type, .size = (uint16_t)size, .detail = detail};

	if (size > 0)
		memcpy(message.body, body, size);
	engine_message(world->engine, world->now, &message);
	collect(world);
}

static inline void
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

static inline void
tell_gone(struct world *world, uint32_t domid)
{
	struct fact_domain fact = {.domid = domid};

	tell(world, MSG_DOMAIN, FACT_GONE, &fact, sizeof(fact));
}

static inline void
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

static inline void
tell_sample(struct world *world, uint32_t kind, bool ok)
{
	struct fact_sample sample = {.kind = kind, .ok = ok, .mono_ms = world->now.mono_ms};

	TEXT_SET(sample.error, ok ? "" : "no answer");
	tell(world, MSG_SAMPLE, 0, &sample, sizeof(sample));
}

/* www runs as domain 3; db is off; Domain-0 is there. */
static inline void
tell_usual(struct world *world)
{
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	tell_figures(world, 3, "www", uuid_www);
	tell_sample(world, SAMPLE_FIGURES, true);
}

static inline const struct mib_vm *
row_of(struct world *world, const char *name)
{
	const struct rowset *set = &engine_rows(world->engine)->sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++)
		if (strcmp(((struct mib_vm *)rowset_at(set, i))->name, name) == 0)
			return rowset_at(set, i);
	return NULL;
}

static inline const struct mib_request *
request_row(struct world *world, const char *id)
{
	struct mib_request key = {0};

	TEXT_SET(key.id, id);
	return rowset_find(&engine_rows(world->engine)->sets[KIND_REQUEST], &key);
}

static inline void
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
static inline void
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

static inline int
setup(void **state)
{
	struct world *world = mem_alloc(sizeof(*world));

	world->now = (struct instant){1000000, 1700000000000};
	world->content =
	    (struct store_content){.journal = 7, .next_sequence = 1, .next_request = 1};
	world->config = (struct config){.action_ms = 60000,
					.policy = {.shutdown_ms = 30000},
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

static inline int
teardown(void **state)
{
	struct world *world = *state;

	engine_free(world->engine);
	free(world);
	return 0;
}

static inline void
later(struct world *world, int64_t ms)
{
	world->now.mono_ms += ms;
	world->now.wall_ms += ms;
	engine_tick(world->engine, world->now);
	collect(world);
}

static inline void
hold(struct world *world, uint32_t token, const char *id, uint32_t verb, const char *vm)
{
	struct hold hold = {.verb = verb, .vm = row_of(world, vm)->index};

	TEXT_SET(hold.id, id);
	if (id[0])
		TEXT_SET(hold.vm_text, vm);
	forget_effects(world);
	tell(world, MSG_HOLD, token, &hold, sizeof(hold));
}

/* As lauxend --request has it. */
static inline void
hold_by_hand(struct world *world, uint32_t token, uint32_t verb, const char *vm)
{
	struct hold hold = {.verb = verb, .vm = row_of(world, vm)->index};

	TEXT_FORMAT(hold.id, "hand-%08x", (unsigned)token);
	TEXT_SET(hold.vm_text, vm);
	forget_effects(world);
	tell(world, ENGINE_HOLD_BY_HAND, token, &hold, sizeof(hold));
}

/* The disk has answered what it was slow with. */
static inline void
stored(struct world *world, uint64_t number, int state, bool durable)
{
	forget_effects(world);
	engine_stored(world->engine, world->now, number, state, durable);
	collect(world);
}

static inline void
outcome(struct world *world, int type, uint64_t id, uint32_t state, const char *error)
{
	struct outcome outcome = {.id = id, .journal = 7, .state = state};

	TEXT_SET(outcome.error, error);
	tell(world, type, 0, &outcome, sizeof(outcome));
}

#endif
