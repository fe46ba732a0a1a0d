/* Requests: durable before they are acknowledged, carried out once, ended once, lost never. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/schema.h"
#include "tests/sim/check_internal.h"

static struct asked *
asked_of(struct check *check, const char *id)
{
	for (size_t i = 0; i < check->asked_count; i++)
		if (strcmp(check->asked[i].id, id) == 0)
			return &check->asked[i];
	check->asked = mem_resize(check->asked, check->asked_count + 1, sizeof(*check->asked));
	check->asked[check->asked_count] = (struct asked){.state = -1};
	TEXT_SET(check->asked[check->asked_count].id, id);
	return &check->asked[check->asked_count++];
}

/* Its id stands in the answer of the engine alone. */
static void
note_held(struct check *check, const struct effect *effect)
{
	size_t at = check->held_next++ % (sizeof(check->held) / sizeof(check->held[0]));

	check->held[at].token = effect->held.token;
	TEXT_SET(check->held[at].id, effect->held.id);
}

void
requests_effect(struct world *world, const struct effect *effect)
{
	if (effect->type == EFFECT_HELD)
		note_held(world->check, effect);
}

void
check_accepted(struct world *world, const struct hold *hold, const char *whom, uint32_t token)
{
	struct check *check = world->check;
	const char *id = "";
	struct asked *asked;

	for (size_t i = 0; i < sizeof(check->held) / sizeof(check->held[0]); i++)
		if (check->held[i].token == token)
			id = check->held[i].id;
	if (hold->verb == VERB_NONE) {
		asked_of(check, hold->id)->removed = true;
		return;
	}
	asked = asked_of(check, id);
	if (asked->state < 0)
		check_fail(world, "durable", "%s was acknowledged before it was on disk", id);
	if (asked->removed) /* and the id is another's now */
		asked->ends = 0;
	asked->removed = false;
	if (asked->ends > 0 && *hold->id)
		return; /* the same, and it is over */
	asked->accepted = true;
	asked->verb = hold->verb;
	asked->number_asked = hold->number;
	asked->accepted_ms = world_now(world);
	TEXT_SET(asked->vm, whom);
	supervision_accepted(world, asked, hold->number);
}

static void
end_told(struct world *world, const struct mib_event *event)
{
	struct asked *asked = asked_of(world->check, event->request);

	if (++asked->ends > 1)
		check_fail(world, "final-once", "the end of %s is in the journal %u times",
			   event->request, asked->ends);
}

static void
row_written(struct world *world, const struct store_request *request)
{
	struct asked *asked = asked_of(world->check, request->row.id);
	bool was_final = asked->state >= REQUEST_SUCCEEDED && asked->number == request->number;

	if (was_final && asked->state != request->row.state && !asked->removed)
		check_fail(world, "final-once", "%s was %s, and is %s", request->row.id,
			   name_of(request_state_names, asked->state),
			   name_of(request_state_names, request->row.state));
	asked->state = request->row.state;
	asked->number = request->number;
}

void
requests_durable(struct world *world, int table, const void *row)
{
	const struct mib_event *event = row;

	if (table == TABLE_REQUEST)
		row_written(world, row);
	else if (table == TABLE_EVENT && event->type == EVENT_REQUEST_FINISHED)
		end_told(world, event);
}

/* The engine's own ids are of one boot of the host, as their records are. */
void
check_forget_own(struct check *check)
{
	size_t kept = 0;

	for (size_t i = 0; i < check->begun_count; i++)
		if (check->begun[i] >> 63 == 0)
			check->begun[kept++] = check->begun[i];
	check->begun_count = kept;
}

/* What a manager asked for is carried out by one helper, ever. */
void
check_started(struct world *world, const struct action *action)
{
	struct check *check = world->check;

	for (size_t i = 0; i < check->begun_count; i++)
		if (check->begun[i] == action->id)
			check_fail(world, "once", "%s: an action was begun twice", action->name);
	check->begun = mem_resize(check->begun, check->begun_count + 1, sizeof(*check->begun));
	check->begun[check->begun_count++] = action->id;
}
