/* What only the dependencies as a whole show: cycles, and standbys that cannot be. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define CYCLE_TEXT 900 /* octets of the members' names, at most */

enum colour { WHITE, GREY, BLACK }; /* not seen, on the way that is walked, done */

struct walk {
	const struct config *config;
	struct errors *errors;
	uint8_t *colours;
	uint32_t *way; /* VMs from the root of the walk to the one that is looked at */
	size_t length;
};

/* The members from where the way is met again; a long one is cut in the middle. */
static void
cycle_report(struct walk *walk, const struct config_need *need)
{
	const struct config_vm *vms = walk->config->vms;
	const char *first = vms[need->provider].provider.name;
	char text[CYCLE_TEXT];
	size_t from = 0;

	while (walk->way[from] != need->provider)
		from++;
	TEXT_SET(text, first);
	for (size_t i = from + 1; i <= walk->length; i++) {
		const char *name = i < walk->length ? vms[walk->way[i]].provider.name : first;
		size_t used = strlen(text);

		if (i < walk->length && used + 4 * VM_NAME_SIZE > sizeof(text)) {
			snprintf(text + used, sizeof(text) - used, " needs ... (%zu more)",
				 walk->length - i);
			i = walk->length - 1;
			continue;
		}
		snprintf(text + used, sizeof(text) - used, " needs %s", name);
	}
	errors_add(walk->errors, need->line, "cycle: %s; remove one of these needs", text);
}

/* Depth first; the depth is that of the dependencies, 4,096 at most. */
static void
walk_from(struct walk *walk, uint32_t at)
{
	const struct config_vm *vm = &walk->config->vms[at];

	walk->colours[at] = GREY;
	walk->way[walk->length++] = at;
	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_need *need = &vm->needs[i];
		bool again = i > 0 && !vm->needs[i - 1].external &&
			     vm->needs[i - 1].provider == need->provider;

		if (need->external || again)
			continue;
		if (walk->colours[need->provider] == GREY)
			cycle_report(walk, need);
		else if (walk->colours[need->provider] == WHITE)
			walk_from(walk, need->provider);
	}
	walk->length--;
	walk->colours[at] = BLACK;
}

/* Marks all that at needs, at any depth. */
static void
mark_needed(const struct config *config, uint32_t at, uint8_t *marks)
{
	const struct config_vm *vm = &config->vms[at];

	for (size_t i = 0; i < vm->needs_count; i++) {
		const struct config_need *need = &vm->needs[i];

		if (need->external || marks[need->provider])
			continue;
		marks[need->provider] = 1;
		mark_needed(config, need->provider, marks);
	}
}

/* A standby runs when its primary does not: nobody can count on it, nor it on its primary. */
static void
check_standby(const struct config *config, uint32_t at, uint8_t *marks, struct errors *errors)
{
	const struct config_vm *vm = &config->vms[at];
	uint32_t standby = (uint32_t)vm->standby;

	memset(marks, 0, config->vms_count);
	mark_needed(config, standby, marks);
	if (marks[at])
		errors_add(
		    errors, vm->provider.line,
		    "the standby of vm \"%s\", \"%s\", needs it; name another one, or remove "
		    "that need",
		    vm->provider.name, config->vms[standby].provider.name);
}

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
	struct walk walk = {.config = config, .errors = errors};

	walk.colours = mem_array(config->vms_count + 1, sizeof(*walk.colours));
	walk.way = mem_array(config->vms_count + 1, sizeof(*walk.way));
	for (uint32_t i = 0; i < config->vms_count; i++)
		if (walk.colours[i] == WHITE)
			walk_from(&walk, i);
	for (uint32_t i = 0; i < config->vms_count; i++) {
		if (config->vms[i].standby >= 0)
			check_standby(config, i, walk.colours, errors);
		check_needed_standby(config, &config->vms[i], errors);
	}
	free(walk.colours);
	free(walk.way);
}
