#include "tests/sim/mutation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/sim/check_internal.h"
#include "tests/sim/random.h"

/* An event's number is left out. */
static bool
skip_number(struct world *world, struct effect *effect)
{
	if (effect->type == EFFECT_EVENT && world->steps > 300)
		effect->event.sequence++;
	return true;
}

/* The end of one that has ended before is told again in its place. */
static bool
end_again(struct world *world, struct effect *effect)
{
	const struct check *check = world->check;

	if (effect->type == EFFECT_EVENT && effect->event.type == EVENT_REQUEST_FINISHED &&
	    check->asked_count > 0 && check->asked[0].ends > 0)
		TEXT_SET(effect->event.request, check->asked[0].id);
	return true;
}

const struct mutation mutations[] = {
    {"", "none", NULL, NULL},
    {"sequence", "an event has another number", skip_number, NULL},
    {"final-once", "the end of another request is told again", end_again, NULL},
    {NULL, NULL, NULL, NULL},
};
