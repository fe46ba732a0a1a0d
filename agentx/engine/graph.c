/* Who needs whom, as the configuration has it, and the order that follows. */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct service *
need_service(const struct engine *engine, struct vm *const *vms, const struct config_need *need)
{
	const struct config_provider *provider;

	if (!need->external)
		return vms[need->provider]->services[need->service];
	provider = &engine->config->externals[need->provider].provider;
	return service_find(engine, provider->name, provider->services[need->service].name);
}

/* What the VM knew of its need of the same service. */
static void
need_recall(struct need *need, const struct need *old, size_t old_count)
{
	for (size_t i = 0; i < old_count; i++)
		if (old[i].service == need->service) {
			need->state = old[i].state;
			need->since_wall_ms = old[i].since_wall_ms;
		}
}

static void
graph_load_needs(struct engine *engine, struct vm *const *vms)
{
	struct need *old_needs = engine->graph.needs, *next;
	size_t count = 0;

	for (size_t i = 0; i < engine->config->vms_count; i++)
		count += engine->config->vms[i].needs_count;
	engine->graph.needs = next = mem_array(count + 1, sizeof(*next));
	engine->graph.needs_count = count;
	for (size_t i = 0; i < engine->config->vms_count; i++) {
		const struct config_vm *config = &engine->config->vms[i];
		const struct need *old = vms[i]->needs;

		for (size_t j = 0; j < config->needs_count; j++) {
			next[j] =
			    (struct need){.vm = vms[i],
					  .service = need_service(engine, vms, &config->needs[j]),
					  .state = DEPENDENCY_UNKNOWN,
					  .since_wall_ms = engine->now.wall_ms};
			need_recall(&next[j], old, vms[i]->needs_count);
		}
		vms[i]->needs = next;
		vms[i]->needs_count = config->needs_count;
		next += config->needs_count;
	}
	free(old_needs);
}

/* Once the order is known, so that each list is in it. */
static void
graph_load_needed_by(struct engine *engine)
{
	struct graph *graph = &engine->graph;
	struct need **next = mem_array(graph->needs_count + 1, sizeof(*next));

	free(graph->needed_by);
	graph->needed_by = next;
	for (size_t i = 0; i < graph->services_count; i++)
		graph->services[i]->needed_by_count = 0;
	for (size_t i = 0; i < graph->needs_count; i++)
		graph->needs[i].service->needed_by_count++;
	for (size_t i = 0; i < graph->services_count; i++) {
		graph->services[i]->needed_by = next;
		next += graph->services[i]->needed_by_count;
		graph->services[i]->needed_by_count = 0;
	}
	for (size_t i = 0; i < engine->order_count; i++)
		for (size_t j = 0; j < engine->order[i]->needs_count; j++) {
			struct need *need = &engine->order[i]->needs[j];

			need->service->needed_by[need->service->needed_by_count++] = need;
		}
}

static void
graph_add_provider(struct vm *vm, struct vm *provider)
{
	if (!provider || provider->mark == vm->kept.index)
		return;
	provider->mark = vm->kept.index;
	vm->providers[vm->providers_count++] = provider;
	provider->dependents_count++;
}

/* Who needs a VM's services needs its standby's too, when that stands in. */
static void
graph_load_providers(struct engine *engine, struct vm *const *vms)
{
	struct graph *graph = &engine->graph;
	struct vm **next = mem_array(2 * graph->needs_count + 1, sizeof(*next));

	free(graph->providers);
	graph->providers = next;
	for (size_t i = 0; i < engine->config->vms_count; i++) {
		struct vm *vm = vms[i];

		vm->providers = next;
		vm->providers_count = 0;
		for (size_t j = 0; j < vm->needs_count; j++) {
			struct vm *provider = vm->needs[j].service->vm;

			graph_add_provider(vm, provider);
			if (provider)
				graph_add_provider(vm, provider->standby);
		}
		next += vm->providers_count;
	}
}

static void
graph_load_dependents(struct engine *engine)
{
	struct graph *graph = &engine->graph;
	struct vm **next = graph->dependents;

	for (size_t i = 0; i < engine->order_count; i++) {
		engine->order[i]->dependents = next;
		next += engine->order[i]->dependents_count;
		engine->order[i]->dependents_count = 0;
	}
	for (size_t i = 0; i < engine->order_count; i++)
		for (size_t j = 0; j < engine->order[i]->providers_count; j++) {
			struct vm *provider = engine->order[i]->providers[j];

			provider->dependents[provider->dependents_count++] = engine->order[i];
		}
}

/*
 * A wave's VMs need those of earlier waves only, and one of the wave before: its number is the
 * length of the longest path. The configuration has no cycle; were there one, its VMs would stay in
 * the last wave.
 */
static void
graph_load_waves(struct engine *engine, struct vm *const *vms)
{
	size_t count = engine->config->vms_count, taken = 0, ready = 0;
	struct vm **queue = mem_array(count + 1, sizeof(*queue));

	for (size_t i = 0; i < count; i++) {
		vms[i]->wave = vms[i]->providers_count > 0 ? (uint32_t)count : 1;
		vms[i]->mark = vms[i]->providers_count;
		if (vms[i]->mark == 0)
			queue[ready++] = vms[i];
	}
	while (taken < ready) {
		struct vm *vm = queue[taken++];

		for (size_t i = 0; i < vm->dependents_count; i++) {
			struct vm *dependent = vm->dependents[i];

			/* Its last provider has the highest wave, as waves leave the queue in
			 * order. */
			if (--dependent->mark == 0) {
				dependent->wave = vm->wave + 1;
				queue[ready++] = dependent;
			}
		}
	}
	free(queue);
}

/* By wave, then by the file; then those that are in no section. */
static void
graph_load_order(struct engine *engine, struct vm *const *vms)
{
	size_t count = engine->config->vms_count, place = 0;
	size_t *begins = mem_array(count + 2, sizeof(*begins));
	struct vm *vm;

	for (size_t i = 0; i < count; i++)
		begins[vms[i]->wave + 1]++;
	for (size_t i = 1; i < count + 2; i++)
		begins[i] += begins[i - 1];
	for (size_t i = 0; i < count; i++) {
		place = begins[vms[i]->wave]++;
		engine->order[place] = vms[i];
		vms[i]->rank = place;
	}
	free(begins);
	place = count;
	TAILQ_FOREACH (vm, &engine->vms, next)
		if (!vm->config) {
			engine->order[place] = vm;
			vm->rank = place++;
		}
	engine->touched_from = 0;
}

/* A VM that left the configuration has nothing of it any more. */
static void
graph_clear(struct engine *engine)
{
	for (size_t i = 0; i < engine->order_count; i++) {
		struct vm *vm = engine->order[i];

		vm->standby = vm->primary = NULL;
		vm->providers_count = vm->dependents_count = vm->mark = 0;
		if (vm->config)
			continue;
		vm->plan_row = NULL; /* which goes with the others */
		vm->services_count = vm->needs_count = 0;
		vm->wave = 0;
	}
}

static void
graph_note_deserted(struct engine *engine, struct vm *const *vms)
{
	for (size_t i = 0; i < engine->config->vms_count; i++) {
		int32_t standby = engine->config->vms[i].standby;

		vms[i]->deserted |= vms[i]->kept.replaced != REPLACED_NOT && vms[i]->standby &&
				    (standby < 0 || vms[i]->standby != vms[standby]);
	}
}

static void
graph_load_standbys(struct engine *engine, struct vm *const *vms)
{
	for (size_t i = 0; i < engine->config->vms_count; i++) {
		int32_t standby = engine->config->vms[i].standby;

		if (standby < 0)
			continue;
		vms[i]->standby = vms[standby];
		vms[standby]->primary = vms[i];
	}
}

/* Services of a standby that have the name of one of its primary's. */
static void
graph_load_stand_ins(struct engine *engine)
{
	struct graph *graph = &engine->graph;

	for (size_t i = 0; i < graph->services_count; i++)
		graph->services[i]->stand_in = graph->services[i]->stood_in = NULL;
	for (size_t i = 0; i < graph->services_count; i++) {
		struct service *service = graph->services[i];
		struct service *stand_in =
		    service->vm && service->vm->standby
			? service_find(engine, service->vm->standby->kept.name,
				       service->kept.service)
			: NULL;

		if (!stand_in || !stand_in->config)
			continue;
		service->stand_in = stand_in;
		stand_in->stood_in = service;
	}
}

void
graph_load(struct engine *engine, struct vm *const *vms)
{
	graph_note_deserted(engine, vms);
	graph_clear(engine);
	graph_load_standbys(engine, vms);
	services_load(engine, vms);
	graph_load_stand_ins(engine);
	graph_load_needs(engine, vms);
	graph_load_providers(engine, vms);
	free(engine->graph.dependents);
	engine->graph.dependents =
	    mem_array(2 * engine->graph.needs_count + 1, sizeof(struct vm *));
	graph_load_dependents(engine);
	graph_load_waves(engine, vms);
	graph_load_order(engine, vms);
	graph_load_dependents(engine); /* again, now in the order */
	graph_load_needed_by(engine);
}

void
graph_dispose(struct engine *engine)
{
	free(engine->graph.needs);
	free(engine->graph.needed_by);
	free(engine->graph.providers);
	free(engine->graph.dependents);
}
