/* Which services there are: how they are found, which section of the configuration each has, and
 * what several of them have in common to be probed. */
#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* As vms.c has it for VMs: not given to another for so long. */
#define INDEX_REST_MS (24 * 3600 * INT64_C(1000))

static int
name_compare(const void *a, const void *b)
{
	const struct service_key *left = a, *right = b;
	int order = strcmp(left->provider, right->provider);

	return order ? order : strcmp(left->name, right->name);
}

static int
index_compare(const void *a, const void *b)
{
	const struct service_key *left = a, *right = b;

	return (left->index > right->index) - (left->index < right->index);
}

static int
attempt_compare(const void *a, const void *b)
{
	const struct attempt *left = a, *right = b;

	return (left->number > right->number) - (left->number < right->number);
}

#define ORDER(x, y) (((x) > (y)) - ((x) < (y)))
static int
target_compare(const void *a, const void *b)
{
	const struct target *left = ((const struct target_key *)a)->target;
	const struct target *right = ((const struct target_key *)b)->target;
	int order = ORDER(left->kind, right->kind);

	if (!order)
		order = ORDER(left->port, right->port);
	if (!order)
		order = ORDER(left->payload, right->payload);
	if (!order)
		order = strcmp(left->address, right->address);
	return order ? order : strcmp(left->command, right->command);
}

void
services_init(struct engine *engine)
{
	rowset_init(&engine->services_by_name, sizeof(struct service_key), name_compare, false);
	rowset_init(&engine->services_by_index, sizeof(struct service_key), index_compare, false);
	rowset_init(&engine->targets, sizeof(struct target_key), target_compare, false);
	rowset_init(&engine->attempts, sizeof(struct attempt), attempt_compare, false);
	engine->next_attempt = 1;
}

static struct service_key
service_key(struct service *service)
{
	struct service_key key = {.index = service->kept.index, .service = service};

	memcpy(key.provider, service->kept.provider, sizeof(key.provider));
	memcpy(key.name, service->kept.service, sizeof(key.name));
	return key;
}

static struct service *
service_add(struct engine *engine, const struct store_service *kept)
{
	struct service *service = mem_alloc(sizeof(*service));
	struct service_key key;

	service->kept = *kept;
	service->state = SERVICE_UNKNOWN;
	key = service_key(service);
	rowset_put(&engine->services_by_name, &key);
	rowset_put(&engine->services_by_index, &key);
	return service;
}

void
services_restore(struct engine *engine, const struct store_content *content)
{
	for (size_t i = 0; i < content->services_count; i++)
		service_add(engine, &content->services[i]);
}

static void
service_remove(struct engine *engine, struct service *service)
{
	struct service_key key = service_key(service);

	rowset_remove(&engine->services_by_name, &key);
	rowset_remove(&engine->services_by_index, &key);
	free(service);
}

static void
target_remove(struct engine *engine, struct target *target)
{
	struct target_key key = {target};
	struct attempt attempt = {target->attempt, NULL};

	timers_cancel(&engine->timers, &target->timer);
	rowset_remove(&engine->attempts, &attempt);
	rowset_remove(&engine->targets, &key);
	free(target->command);
	free(target);
}

void
services_dispose(struct engine *engine)
{
	while (engine->targets.count > 0)
		target_remove(engine,
			      ((struct target_key *)rowset_at(&engine->targets, 0))->target);
	while (engine->services_by_index.count > 0)
		service_remove(
		    engine,
		    ((struct service_key *)rowset_at(&engine->services_by_index, 0))->service);
	free(engine->graph.services);
	free(engine->graph.target_services);
	rowset_dispose(&engine->services_by_name);
	rowset_dispose(&engine->services_by_index);
	rowset_dispose(&engine->targets);
	rowset_dispose(&engine->attempts);
}

void
services_housekeeping(struct engine *engine)
{
	struct rowset *set = &engine->services_by_index;

	for (size_t i = set->count; i-- > 0;) {
		struct service *service = ((struct service_key *)rowset_at(set, i))->service;

		if (service->config || service->kept.gone_wall_ms == 0 ||
		    engine->now.wall_ms - service->kept.gone_wall_ms < INDEX_REST_MS)
			continue;
		engine_effect(engine, EFFECT_DROP_SERVICE)->service.index = service->kept.index;
		service_remove(engine, service);
	}
}

/* ---- services ---- */

struct service *
service_find(const struct engine *engine, const char *provider, const char *name)
{
	struct service_key key = {0}, *found;

	TEXT_SET(key.provider, provider);
	TEXT_SET(key.name, name);
	found = rowset_find(&engine->services_by_name, &key);
	return found ? found->service : NULL;
}

static struct service *
service_new(struct engine *engine, const char *provider, const char *name)
{
	const struct rowset *set = &engine->services_by_index;
	struct store_service kept = {0};
	size_t low = 0, high = set->count;

	while (low < high) { /* the smallest index that is free, as vms.c finds it */
		size_t middle = low + (high - low) / 2;

		if (((struct service_key *)rowset_at(set, middle))->index == middle + 1)
			low = middle + 1;
		else
			high = middle;
	}
	kept.index = (uint32_t)low + 1;
	TEXT_SET(kept.provider, provider);
	TEXT_SET(kept.service, name);
	return service_add(engine, &kept);
}

/* Whether what is known of it holds under the new section too. */
static bool
service_is_same(const struct target *target, const struct config_service *config)
{
	return target && target->kind == config->kind && target->port == config->port &&
	       target->payload == config->payload &&
	       strcmp(target->address, config->address) == 0 &&
	       strcmp(target->command, config->command ? config->command : "") == 0;
}

static void
service_forget(struct service *service)
{
	service->state = SERVICE_UNKNOWN;
	service->watched = service->was_up = service->answered = false;
	service->rises = service->failures = service->errors = 0;
	service->probed_ms = 0;
	service->latency_us = 0;
	memset(service->text, 0, sizeof(service->text));
}

static struct service *
service_configure(struct engine *engine, const struct config_provider *provider,
		  const struct config_service *config)
{
	struct service *service = service_find(engine, provider->name, config->name);
	bool fresh = !service;

	if (fresh)
		service = service_new(engine, provider->name, config->name);
	if (!service_is_same(service->target, config))
		service_forget(service);
	if (fresh || service->kept.gone_wall_ms != 0) {
		service->kept.gone_wall_ms = 0;
		engine_effect(engine, EFFECT_PUT_SERVICE)->service = service->kept;
	}
	if (service->since_wall_ms == 0)
		service->since_wall_ms = engine->now.wall_ms;
	service->config = config;
	service->provider = provider;
	return service;
}

/* The services of a provider, into the graph's list from its end on. */
static struct service **
services_configure(struct engine *engine, const struct config_provider *provider)
{
	struct graph *graph = &engine->graph;
	struct service **first = graph->services + graph->services_count;

	for (size_t i = 0; i < provider->services_count; i++)
		graph->services[graph->services_count++] =
		    service_configure(engine, provider, &provider->services[i]);
	return first;
}

static void
services_drop(struct engine *engine)
{
	const struct rowset *set = &engine->services_by_index;

	for (size_t i = 0; i < set->count; i++) {
		struct service *service = ((struct service_key *)rowset_at(set, i))->service;

		if (service->config || service->kept.gone_wall_ms != 0)
			continue;
		service_forget(service);
		service->row = NULL; /* which goes with the graph's others */
		service->target = NULL;
		service->vm = NULL;
		service->external = NULL;
		service->needed_by_count = 0;
		service->kept.gone_wall_ms = engine->now.wall_ms;
		engine_effect(engine, EFFECT_PUT_SERVICE)->service = service->kept;
	}
}

static void
services_load_sections(struct engine *engine, struct vm *const *vms)
{
	const struct config *config = engine->config;
	const struct rowset *set = &engine->services_by_index;
	size_t count = 0;

	for (size_t i = 0; i < config->vms_count; i++)
		count += config->vms[i].provider.services_count;
	for (size_t i = 0; i < config->externals_count; i++)
		count += config->externals[i].provider.services_count;
	free(engine->graph.services);
	engine->graph.services = mem_array(count + 1, sizeof(struct service *));
	engine->graph.services_count = 0;
	for (size_t i = 0; i < set->count; i++)
		((struct service_key *)rowset_at(set, i))->service->config = NULL;
	for (size_t i = 0; i < config->vms_count; i++) {
		vms[i]->services = services_configure(engine, &config->vms[i].provider);
		vms[i]->services_count = config->vms[i].provider.services_count;
		for (size_t j = 0; j < vms[i]->services_count; j++) {
			vms[i]->services[j]->vm = vms[i];
			vms[i]->services[j]->external = NULL;
		}
	}
	for (size_t i = 0; i < config->externals_count; i++) {
		struct service **services =
		    services_configure(engine, &config->externals[i].provider);

		for (size_t j = 0; j < config->externals[i].provider.services_count; j++) {
			services[j]->vm = NULL;
			services[j]->external = &config->externals[i];
		}
	}
	services_drop(engine);
}

/* ---- targets ---- */

static struct target *
target_of(struct engine *engine, const struct service *service)
{
	const struct config_service *config = service->config;
	struct target like = {.command = config->command ? config->command : (char[]){""},
			      .kind = config->kind,
			      .payload = config->payload,
			      .port = config->port};
	struct target_key key = {&like}, *found;

	TEXT_SET(like.address, config->address);
	found = rowset_find(&engine->targets, &key);
	if (found)
		return found->target;
	key.target = mem_alloc(sizeof(*key.target));
	*key.target = like;
	key.target->engine = engine;
	key.target->command = mem_string(like.command);
	key.target->hurry_ms = TIMERS_NEVER;
	rowset_put(&engine->targets, &key);
	return key.target;
}

static void
services_load_targets(struct engine *engine)
{
	struct graph *graph = &engine->graph;
	struct service **next = mem_array(graph->services_count + 1, sizeof(*next));

	free(graph->target_services);
	graph->target_services = next;
	for (size_t i = 0; i < engine->targets.count; i++)
		((struct target_key *)rowset_at(&engine->targets, i))->target->services_count = 0;
	for (size_t i = 0; i < graph->services_count; i++) {
		graph->services[i]->target = target_of(engine, graph->services[i]);
		graph->services[i]->target->services_count++;
	}
	for (size_t i = engine->targets.count; i-- > 0;) {
		struct target *target =
		    ((struct target_key *)rowset_at(&engine->targets, i))->target;

		target->services = next;
		next += target->services_count;
		if (target->services_count == 0)
			target_remove(engine, target);
		else
			target->services_count = 0;
	}
	for (size_t i = 0; i < graph->services_count; i++) {
		struct target *target = graph->services[i]->target;

		target->services[target->services_count++] = graph->services[i];
	}
}

void
services_load(struct engine *engine, struct vm *const *vms)
{
	services_load_sections(engine, vms);
	services_load_targets(engine);
}
