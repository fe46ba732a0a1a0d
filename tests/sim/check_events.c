/* Events: numbered without a gap, each once on disk, handed to snmpd in order and none left out. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/check_internal.h"

#define RESERVE 1000000

enum { EVENT_NONE, EVENT_QUIET, EVENT_NOTIFIED };

static void
note_kind(struct check *check, const struct mib_event *event)
{
	while (event->sequence % RESERVE >= check->notified_size) {
		size_t size = check->notified_size ? 2 * check->notified_size : 1024;

		check->notified = mem_resize(check->notified, size, 1);
		memset(check->notified + check->notified_size, 0, size - check->notified_size);
		check->notified_size = size;
	}
	check->notified[event->sequence % RESERVE] =
	    event->type < EVENT_JOURNAL_ONLY ? EVENT_NOTIFIED : EVENT_QUIET;
}

void
events_effect(struct world *world, const struct effect *effect)
{
	struct check *check = world->check;

	if (effect->type != EFFECT_EVENT)
		return;
	if (effect->event.sequence != check->next_sequence)
		check_fail(world, "sequence", "event %u follows %u", effect->event.sequence,
			   check->next_sequence - 1);
	check->next_sequence = effect->event.sequence + 1;
	note_kind(check, &effect->event);
}

void
events_durable(struct world *world, const struct mib_event *event)
{
	struct check *check = world->check;

	if (event->sequence != check->on_disk + 1 && !check->may_jump)
		check_fail(world, "sequence", "event %u follows %u on the disk", event->sequence,
			   check->on_disk);
	check->may_jump = false;
	check->on_disk = event->sequence;
}

void
events_born(struct world *world, const struct store_content *content)
{
	struct check *check = world->check;

	check->may_jump = content->next_sequence > check->on_disk + 1;
	if (content->next_sequence <= check->on_disk ||
	    (check->may_jump && content->next_sequence < RESERVE))
		check_fail(world, "sequence", "an engine begins with event %u after %u",
			   content->next_sequence, check->on_disk);
	check->next_sequence = content->next_sequence;
	check->may_repeat = true;
}

/* What it acknowledged and could not tell any more comes again. */
void
check_agentx(struct world *world)
{
	world->check->may_repeat = true;
}

/* Those between the last one and this one that were to be handed over, too, and have not fallen
 * out of the journal. */
static bool
left_out(const struct world *world, uint32_t from, uint32_t to)
{
	const struct check *check = world->check;
	uint32_t size = world->daemon.config->journal_size;

	if (to - from >= RESERVE)
		return false;
	if (check->next_sequence > size && from < check->next_sequence - size)
		from = check->next_sequence - size;
	for (uint32_t i = from + 1; i < to; i++)
		if (i % RESERVE < check->notified_size &&
		    check->notified[i % RESERVE] == EVENT_NOTIFIED)
			return true;
	return false;
}

void
check_handed(struct world *world, const struct mib_event *event)
{
	struct check *check = world->check;

	if (event->sequence <= check->handed && !check->may_repeat)
		check_fail(world, "journal", "event %u is handed over after %u", event->sequence,
			   check->handed);
	else if (event->sequence > check->handed && world->daemon.lives &&
		 left_out(world, check->handed, event->sequence))
		check_fail(world, "journal", "event %u is handed over after %u, one is left out",
			   event->sequence, check->handed);
	check->may_repeat = false;
	check->handed = event->sequence;
}
