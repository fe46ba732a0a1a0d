/* Which VMs there are: how they are found, who is which section of the configuration, and the order
 * in which they are settled. */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"

/* The index of an unconfigured VM that went is not given to another for so long. */
#define INDEX_REST_MS (24 * 3600 * INT64_C(1000))

static int
index_compare(const void *a, const void *b)
{
	const struct vm_key *left = a, *right = b;

	return (left->index > right->index) - (left->index < right->index);
}

static int
uuid_compare(const void *a, const void *b)
{
	const struct vm_key *left = a, *right = b;

	return memcmp(left->uuid, right->uuid, UUID_SIZE);
}

static int
name_compare(const void *a, const void *b)
{
	const struct vm_key *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : index_compare(a, b);
}

void
vms_init(struct engine *engine)
{
	TAILQ_INIT(&engine->vms);
	rowset_init(&engine->vms_by_index, sizeof(struct vm_key), index_compare, false);
	rowset_init(&engine->vms_by_uuid, sizeof(struct vm_key), uuid_compare, false);
	rowset_init(&engine->vms_by_name, sizeof(struct vm_key), name_compare, false);
}

static struct vm_key
vm_key(struct vm *vm)
{
	struct vm_key key = {.index = vm->kept.index, .vm = vm};

	memcpy(key.uuid, vm->kept.uuid, UUID_SIZE);
	memcpy(key.name, vm->kept.name, VM_NAME_SIZE);
	return key;
}

static void
vm_add(struct engine *engine, struct vm *vm)
{
	struct vm_key key = vm_key(vm);

	vm->engine = engine;
	vm->policy.wake_ms = INT64_MAX;
	vm->policy.monitor = MONITOR_NONE;
	vm->state = VM_UNKNOWN;
	TAILQ_INIT(&vm->requests);
	TAILQ_INIT(&vm->members);
	care_restore(engine, vm);
	TAILQ_INSERT_TAIL(&engine->vms, vm, next);
	rowset_put(&engine->vms_by_index, &key);
	rowset_put(&engine->vms_by_uuid, &key);
	rowset_put(&engine->vms_by_name, &key);
	if (engine->order_count == engine->order_room) {
		engine->order_room = engine->order_room ? engine->order_room * 2 : 64;
		engine->order = mem_resize(engine->order, engine->order_room, sizeof(struct vm *));
	}
	vm->rank = engine->order_count;
	engine->order[engine->order_count++] = vm;
}

static void
vm_remove(struct engine *engine, struct vm *vm)
{
	struct vm_key key = vm_key(vm);
	struct request *request;

	TAILQ_FOREACH (request, &engine->requests, next)
		if (request->vm == vm)
			request_orphan(request);
	plan_forget_vm(engine, vm);
	timers_cancel(&engine->timers, &vm->timer);
	TAILQ_REMOVE(&engine->vms, vm, next);
	rowset_remove(&engine->vms_by_index, &key);
	rowset_remove(&engine->vms_by_uuid, &key);
	rowset_remove(&engine->vms_by_name, &key);
	engine->touched_count -= vm->touched;
	for (size_t i = vm->rank + 1; i < engine->order_count; i++) {
		engine->order[i - 1] = engine->order[i];
		engine->order[i - 1]->rank = i - 1;
	}
	engine->order_count--;
	if (engine->touched_from > vm->rank)
		engine->touched_from--;
	free(vm);
}

void
vms_dispose(struct engine *engine)
{
	while (engine->order_count > 0)
		vm_remove(engine, engine->order[engine->order_count - 1]);
	free(engine->order);
	rowset_dispose(&engine->vms_by_index);
	rowset_dispose(&engine->vms_by_uuid);
	rowset_dispose(&engine->vms_by_name);
}

struct vm *
vm_find_index(const struct engine *engine, uint32_t index)
{
	const struct vm_key key = {.index = index}, *found;

	found = rowset_find(&engine->vms_by_index, &key);
	return found ? found->vm : NULL;
}

struct vm *
vm_find_uuid(const struct engine *engine, const uint8_t uuid[UUID_SIZE])
{
	struct vm_key key = {0}, *found;

	memcpy(key.uuid, uuid, UUID_SIZE);
	found = rowset_find(&engine->vms_by_uuid, &key);
	return found ? found->vm : NULL;
}

/* One that lives goes before, then one that has the section, or had it until now. */
static int
vm_claim_of_name(const struct vm *vm)
{
	return (vm->domain ? 2 : 0) + (vm->kept.configured ? 1 : 0);
}

/* One of that name that fits, the best; of all, NULL. */
static struct vm *
vm_of_name(const struct engine *engine, const char *name, bool configured)
{
	struct vm_key key = {0};
	const struct vm_key *found;
	struct vm *vm = NULL;

	TEXT_SET(key.name, name);
	for (size_t i = rowset_seek(&engine->vms_by_name, &key);
	     (found = rowset_at(&engine->vms_by_name, i)) && strcmp(found->name, key.name) == 0;
	     i++)
		if ((found->vm->config != NULL) == configured &&
		    (!vm || vm_claim_of_name(found->vm) > vm_claim_of_name(vm)))
			vm = found->vm;
	return vm;
}

/* One of the configuration goes before a found one. */
struct vm *
vm_find_name(const struct engine *engine, const char *name)
{
	struct vm *vm = vm_of_name(engine, name, true);

	return vm ? vm : vm_of_name(engine, name, false);
}

void
vm_set_uuid(struct engine *engine, struct vm *vm, const uint8_t uuid[UUID_SIZE])
{
	struct vm_key key = vm_key(vm);

	memcpy(engine_effect(engine, EFFECT_DROP_VM)->vm.uuid, vm->kept.uuid, UUID_SIZE);
	rowset_remove(&engine->vms_by_uuid, &key);
	memcpy(vm->kept.uuid, uuid, UUID_SIZE);
	key = vm_key(vm);
	rowset_put(&engine->vms_by_uuid, &key);
	vm->unsaved = true;
}

void
vm_set_name(struct engine *engine, struct vm *vm, const char *name)
{
	struct vm_key key = vm_key(vm);

	if (strcmp(vm->kept.name, name) == 0)
		return;
	rowset_remove(&engine->vms_by_name, &key);
	TEXT_SET(vm->kept.name, name);
	key = vm_key(vm);
	rowset_put(&engine->vms_by_name, &key);
	vm->unsaved = true;
}

/* The smallest index that is not in use: dense, as VM-MIB's bitmaps want it. */
static uint32_t
vm_free_index(const struct engine *engine)
{
	const struct rowset *set = &engine->vms_by_index;
	size_t low = 0, high = set->count;

	while (low < high) { /* all before low are dense: the index is the place, from 1 */
		size_t middle = low + (high - low) / 2;

		if (((const struct vm_key *)rowset_at(set, middle))->index == middle + 1)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint32_t)low + 1;
}

struct vm *
vm_new(struct engine *engine, const uint8_t uuid[UUID_SIZE], const char *name)
{
	struct vm *vm = mem_alloc(sizeof(*vm));

	memcpy(vm->kept.uuid, uuid, UUID_SIZE);
	TEXT_SET(vm->kept.name, name);
	vm->kept.index = vm_free_index(engine);
	vm->kept.desired = DESIRED_NONE;
	vm->kept.state = VM_UNKNOWN;
	vm->kept.owner = OWNER_UNKNOWN;
	vm->kept.last_verb = VERB_NONE;
	vm->died = REASON_UNKNOWN;
	vm->unsaved = true;
	vm_add(engine, vm);
	engine->table_change_ms = engine->now.mono_ms;
	vm_touch(engine, vm);
	return vm;
}

void
vm_restore(struct engine *engine, const struct store_vm *kept)
{
	struct vm *vm = mem_alloc(sizeof(*vm));

	vm->kept = *kept;
	if (!uuid_is_zero(kept->boot_id))
		memcpy(engine->boot_id, kept->boot_id, UUID_SIZE);
	engine->unseen |= kept->unseen != 0;
	vm->died = REASON_UNKNOWN;
	vm->crashed = vm->kept.state == VM_CRASHED;
	vm_add(engine, vm);
}

void
vm_touch(struct engine *engine, struct vm *vm)
{
	if (vm->touched)
		return;
	vm->touched = true;
	engine->touched_count++;
	if (vm->rank < engine->touched_from)
		engine->touched_from = vm->rank;
}

void
vm_touch_pair(struct engine *engine, struct vm *vm)
{
	vm_touch(engine, vm);
	if (vm->standby)
		vm_touch(engine, vm->standby);
	if (vm->primary)
		vm_touch(engine, vm->primary);
}

void
vm_touch_all(struct engine *engine)
{
	for (size_t i = 0; i < engine->order_count; i++)
		vm_touch(engine, engine->order[i]);
}

/* In the engine's order; settling one may touch others, before and behind it. */
void
vm_settle_touched(struct engine *engine)
{
	engine->nameless = engine->figures.mono_ms == 0 && domain_is_nameless(engine);
	while (engine->touched_count > 0) {
		struct vm *vm = engine->order[engine->touched_from++];

		if (!vm->touched)
			continue;
		vm->touched = false;
		engine->touched_count--;
		engine->settling = vm;
		vm_settle(engine, vm);
	}
	engine->settling = NULL;
	engine->touched_from = engine->order_count;
}

/* The VM of each section, in the array that the caller frees. First those that keep theirs, or get
 * one, by the UUID that the file says: before any takes one by a name, as that may be another's
 * now.
 */
static struct vm **
vm_claim(struct engine *engine)
{
	struct vm **claimed = mem_array(engine->config->vms_count + 1, sizeof(struct vm *));

	for (size_t i = 0; i < engine->order_count; i++)
		engine->order[i]->config = NULL;
	for (size_t i = 0; i < engine->config->vms_count; i++) {
		const struct config_vm *config = &engine->config->vms[i];
		struct vm *vm =
		    uuid_is_zero(config->uuid) ? NULL : vm_find_uuid(engine, config->uuid);

		if (!vm || vm->config)
			continue;
		vm->config = config;
		claimed[i] = vm;
	}
	return claimed;
}

/* From the journal's id, which is random, and the moment: chance has no place in here, or the same
 * messages would not make the same effects. */
static void
vm_allot_uuid(const struct engine *engine, uint8_t uuid[UUID_SIZE])
{
	uint64_t moment = (uint64_t)engine->now.wall_ms << 20 ^ (uint64_t)engine->now.mono_ms;

	do
		uuid_derive(uuid, engine->journal, moment++);
	while (vm_find_uuid(engine, uuid));
}

/* One without a domain is known from now on by the UUID that its file says. Whether it has a
 * domain, and under which UUID, is known after a look only. */
static void
vm_take_uuid(struct engine *engine, struct vm *vm, const struct config_vm *config)
{
	if (vm->domain || uuid_is_zero(config->uuid) || uuid_equal(vm->kept.uuid, config->uuid))
		return;
	vm_set_uuid(engine, vm, config->uuid);
	vm_touch(engine, vm);
}

/* The VM of a section that has none by its UUID: by the name it had. */
static struct vm *
vm_of_config(struct engine *engine, const struct config_vm *config)
{
	struct vm *vm = vm_of_name(engine, config->provider.name, false);
	uint8_t uuid[UUID_SIZE];

	if (!vm) {
		memcpy(uuid, config->uuid, UUID_SIZE);
		if (uuid_is_zero(uuid))
			vm_allot_uuid(engine, uuid);
		vm = vm_new(engine, uuid, config->provider.name);
	} else if (engine->looked) {
		vm_take_uuid(engine, vm, config);
	}
	vm->config = config;
	return vm;
}

void
vm_take_uuids(struct engine *engine)
{
	for (size_t i = 0; i < engine->order_count; i++)
		if (engine->order[i]->config)
			vm_take_uuid(engine, engine->order[i], engine->order[i]->config);
}

static void
vm_configure(struct engine *engine, struct vm *vm)
{
	if (!vm->kept.configured) {
		vm->unsaved = true;
		boot_find(engine, vm);
	}
	vm->kept.configured = true;
	vm->kept.gone_wall_ms = 0;
	if (uuid_is_zero(vm->kept.boot_id))
		memcpy(vm->kept.boot_id, engine->boot_id, UUID_SIZE);
	vm_set_name(engine, vm, vm->config->provider.name);
	TAILQ_REMOVE(&engine->vms, vm, next);
	TAILQ_INSERT_TAIL(&engine->vms, vm, next);
}

void
vm_load(struct engine *engine)
{
	struct vm **claimed = vm_claim(engine);

	for (size_t i = 0; i < engine->config->vms_count; i++)
		if (!claimed[i])
			claimed[i] = vm_of_config(engine, &engine->config->vms[i]);
	for (size_t i = 0; i < engine->config->vms_count; i++)
		vm_configure(engine, claimed[i]);
	for (size_t i = 0; i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];

		if (!vm->config && vm->kept.configured) {
			vm->kept.configured = false;
			vm->unsaved = true;
		}
	}
	graph_load(engine, claimed);
	free(claimed);
	vm_touch_all(engine);
}

static bool
vm_is_past(const struct engine *engine, const struct vm *vm)
{
	return !vm_has_row(vm) && vm->kept.gone_wall_ms != 0 && !vm->action &&
	       engine->now.wall_ms - vm->kept.gone_wall_ms >= INDEX_REST_MS &&
	       (vm->gone_ms == 0 || engine->now.mono_ms - vm->gone_ms >= INDEX_REST_MS);
}

void
vm_housekeeping(struct engine *engine)
{
	for (size_t i = engine->order_count; i-- > 0;) {
		struct vm *vm = engine->order[i];

		if (!vm_is_past(engine, vm))
			continue;
		memcpy(engine_effect(engine, EFFECT_DROP_VM)->vm.uuid, vm->kept.uuid, UUID_SIZE);
		vm_remove(engine, vm);
	}
}
