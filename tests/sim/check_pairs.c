/* Events that come in pairs: what began ends before it begins again, whatever restarts between. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/check_internal.h"

struct pair {
	enum event_type first;
	char of[VM_NAME_SIZE + SERVICE_NAME_SIZE];
	bool open, unsure;
};

static const struct {
	enum event_type first, second;
} kinds[] = {
    {EVENT_HYPERVISOR_LOST, EVENT_HYPERVISOR_RESTORED},
    {EVENT_FIGURES_LOST, EVENT_FIGURES_RESTORED},
    {EVENT_SERVICE_FAILED, EVENT_SERVICE_RESTORED},
    {EVENT_DEPENDENCY_FAILED, EVENT_DEPENDENCY_RESTORED},
    {EVENT_VM_BLOCKED, EVENT_VM_UNBLOCKED},
    {EVENT_NEEDS_HUMAN, EVENT_NEEDS_HUMAN_OVER},
    {EVENT_STANDBY_TOOK_OVER, EVENT_STANDBY_RELEASED},
};

static struct pair *
pair_of(struct check *check, enum event_type first, const struct mib_event *event)
{
	char of[VM_NAME_SIZE + SERVICE_NAME_SIZE];

	if (*event->service)
		TEXT_FORMAT(of, "%.60s:%s", event->provider, event->service);
	else
		TEXT_SET(of, event->vm_name);
	for (size_t i = 0; i < check->pairs_count; i++)
		if (check->pairs[i].first == first && strcmp(check->pairs[i].of, of) == 0)
			return &check->pairs[i];
	check->pairs = mem_resize(check->pairs, check->pairs_count + 1, sizeof(*check->pairs));
	check->pairs[check->pairs_count] = (struct pair){.first = first};
	TEXT_SET(check->pairs[check->pairs_count].of, of);
	return &check->pairs[check->pairs_count++];
}

void
pairs_durable(struct world *world, const struct mib_event *event)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool begins = event->type == (int32_t)kinds[i].first;
		struct pair *pair;

		if (!begins && event->type != (int32_t)kinds[i].second)
			continue;
		pair = pair_of(world->check, kinds[i].first, event);
		if (begins == pair->open && !pair->unsure)
			check_fail(world, "pairs", "%s %s follows another, or nothing",
				   name_of(event_type_names, event->type), pair->of);
		pair->open = begins;
		pair->unsure = false;
	}
}

/* The configuration changed: what went took its pairs along. */
void
pairs_forget(struct world *world)
{
	struct check *check = world->check;

	for (size_t i = 0; i < check->pairs_count; i++)
		check->pairs[i].unsure |= *check->pairs[i].of != '\0';
}
