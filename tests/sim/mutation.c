#include "tests/sim/mutation.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/sim/random.h"

/* An event's number is left out. */
static bool
skip_number(struct world *world, struct effect *effect)
{
	if (effect->type == EFFECT_EVENT && world->steps > 300)
		effect->event.sequence++;
	return true;
}

static bool
drop_event(struct world *world, struct effect *effect)
{
	(void)world;
	return effect->type != EFFECT_EVENT || effect->event.type != EVENT_REQUEST_FINISHED;
}

const struct mutation mutations[] = {
    {"", "none", NULL, NULL},
    {"sequence", "an event has another number", skip_number, NULL},
    {"final-once", "the end of a request is not told", drop_event, NULL},
    {NULL, NULL, NULL, NULL},
};
