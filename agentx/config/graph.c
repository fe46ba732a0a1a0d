/*
 * What only the dependencies as a whole show: cycles, and standbys that are needed. A VM and its
 * standby are one here, known by the VM's position: who needs the one needs the other when that
 * stands in, and what either needs must be up for it.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define CYCLE_TEXT 900 /* octets of the members' names, at most */

/* Need number i of a VM, those of its standby after its own; NULL: there are no more. by: which of
 * both has it. */
static const struct config_need *
need_of(const struct config *config, uint32_t at, size_t i, const struct config_vm **by)
{
	*by = &config->vms[at];
	if (i >= (*by)->needs_count && (*by)->standby >= 0) {
		i -= (*by)->needs_count;
		*by = &config->vms[(*by)->standby];
	}
	return i < (*by)->needs_count ? &(*by)->needs[i] : NULL;
}

/* A need of a standby is an error of its own. */
static bool
is_edge(const struct config *config, const struct config_need *need)
{
	return !need->external && config->vms[need->provider].standby_of < 0;
}

/* ---- components: VMs that all need each other (Tarjan, SIAM J. Comput. 1, 1972) ---- */

struct walk {
	const struct config *config;
	uint32_t *numbers;    /* in the order of the walk, from 1; 0: not come to yet */
	uint32_t *lowest;     /* that it gets back to */
	uint32_t *components; /* 0: not known yet */
	uint32_t *stack;
	size_t depth;
	uint32_t count;
};

/* Depth first; the depth is that of the dependencies, 4,096 at most. */
static void
walk_from(struct walk *walk, uint32_t at)
{
	const struct config_need *need;
	const struct config_vm *by;
	uint32_t to;

	walk->numbers[at] = walk->lowest[at] = ++walk->count;
	walk->stack[walk->depth++] = at;
	for (size_t i = 0; (need = need_of(walk->config, at, i, &by)); i++) {
		if (!is_edge(walk->config, need))
			continue;
		to = need->provider;
		if (!walk->numbers[to])
			walk_from(walk, to);
		if (!walk->components[to] && walk->lowest[to] < walk->lowest[at])
			walk->lowest[at] = walk->lowest[to];
	}
	if (walk->lowest[at] < walk->numbers[at])
		return;
	do
		walk->components[to = walk->stack[--walk->depth]] = at + 1;
	while (to != at);
}

/* For each VM the component that it is in, from 1; to be freed. */
static uint32_t *
components_find(const struct config *config)
{
	size_t size = config->vms_count + 1;
	uint32_t *room = mem_array(3 * size, sizeof(*room));
	struct walk walk = {.config = config,
			    .numbers = room,
			    .lowest = room + size,
			    .stack = room + 2 * size,
			    .components = mem_array(size, sizeof(*room))};

	for (uint32_t i = 0; i < config->vms_count; i++)
		if (config->vms[i].standby_of < 0 && !walk.numbers[i])
			walk_from(&walk, i);
	free(room);
	return walk.components;
}

/* ---- the shortest way round ---- */

struct step {
	uint32_t from; /* VM whose need this is */
	const struct config_vm *by;
	const struct config_need *need; /* NULL: not come to yet */
};

/* Breadth first within the component of a VM, until it is met again. False: it is on no cycle. */
static bool
way_round(const struct config *config, const uint32_t *components, uint32_t first,
	  struct step *steps, uint32_t *queue)
{
	const struct config_need *need;
	const struct config_vm *by;
	size_t head = 0, tail = 0;

	queue[tail++] = first;
	while (head < tail && !steps[first].need) {
		uint32_t at = queue[head++];

		for (size_t i = 0; (need = need_of(config, at, i, &by)); i++) {
			uint32_t to = need->provider;

			if (!is_edge(config, need) || components[to] != components[first] ||
			    steps[to].need)
				continue;
			steps[to] = (struct step){at, by, need};
			queue[tail++] = to;
		}
	}
	return steps[first].need != NULL;
}

static void
append_step(const struct config *config, const struct step *step, char *text, size_t size)
{
	const struct config_vm *vm = &config->vms[step->from];
	size_t used = strlen(text);

	if (step->by == vm)
		snprintf(text + used, size - used, "%s needs ", vm->provider.name);
	else
		snprintf(text + used, size - used, "%s (by its standby %s) needs ",
			 vm->provider.name, step->by->provider.name);
}

/* The members in order; a long way is cut in the middle. way: where each member needs the next. */
static void
cycle_report(const struct config *config, const struct step *way, size_t length,
	     struct errors *errors)
{
	const char *first = config->vms[way[0].from].provider.name;
	char text[CYCLE_TEXT] = "";

	for (size_t i = 0; i < length; i++) {
		size_t used = strlen(text);

		if (i + 1 < length && used + 6 * VM_NAME_SIZE > sizeof(text)) {
			snprintf(text + used, sizeof(text) - used, "... (%zu more) needs ",
				 length - 1 - i);
			i = length - 1;
		}
		append_step(config, &way[i], text, sizeof(text));
	}
	errors_add(errors, way[0].need->line, "cycle: %s%s; remove one of these needs", text,
		   first);
}

static void
cycle_check(const struct config *config, const uint32_t *components, uint32_t first,
	    struct errors *errors)
{
	struct step *steps = mem_array(config->vms_count, sizeof(*steps));
	struct step *way = mem_array(config->vms_count, sizeof(*way));
	uint32_t *queue = mem_array(config->vms_count + 1, sizeof(*queue)), to = first;
	size_t at = config->vms_count;

	if (way_round(config, components, first, steps, queue)) {
		do {
			way[--at] = steps[to];
			to = steps[to].from;
		} while (to != first);
		cycle_report(config, way + at, config->vms_count - at, errors);
	}
	free(queue);
	free(way);
	free(steps);
}

/* One cycle of each component, from its first VM in the file. */
static void
check_cycles(const struct config *config, struct errors *errors)
{
	uint32_t *components = components_find(config);
	uint32_t *sizes = mem_array(config->vms_count + 1, sizeof(*sizes));

	for (size_t i = 0; i < config->vms_count; i++)
		sizes[components[i]]++;
	for (uint32_t i = 0; i < config->vms_count; i++) {
		uint32_t *size = &sizes[components[i]];
		bool alone = *size == 1 && config->vms[i].standby < 0;

		if (components[i] && *size > 0 && !alone)
			cycle_check(config, components, i, errors);
		*size = 0;
	}
	free(sizes);
	free(components);
}

/* ---- standbys ---- */

/* A standby runs when its primary does not: nobody can count on it. */
static void
check_needed_standby(const struct config *config, const struct config_vm *vm, struct errors *errors)
{
	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_need *need = &vm->needs[i];
		const struct config_vm *of = need->external ? NULL : &config->vms[need->provider];

		if (of && of->standby_of >= 0)
			errors_add(
			    errors, need->line,
			    "vm \"%s\" needs \"%s\", which is the standby of \"%s\" and runs "
			    "only in its place; need that one",
			    vm->provider.name, of->provider.name,
			    config->vms[of->standby_of].provider.name);
	}
}

void
check_graph(const struct config *config, struct errors *errors)
{
	check_cycles(config, errors);
	for (size_t i = 0; i < config->vms_count; i++)
		check_needed_standby(config, &config->vms[i], errors);
}
