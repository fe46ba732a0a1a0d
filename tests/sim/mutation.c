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

static bool
end_untold(struct world *world, struct effect *effect)
{
	(void)world;
	if (effect->type == EFFECT_EVENT && effect->event.type == EVENT_REQUEST_FINISHED)
		effect->event.type = EVENT_LEFT_ALONE;
	return true;
}

static bool
is_own(const struct effect *effect, uint32_t verb)
{
	return effect->type == EFFECT_ACTION && effect->action.id >> 63 &&
	       effect->action.verb == verb;
}

#define OTHER_VERB(name, from, to)                                                                 \
	static bool name(struct world *world, struct effect *effect)                               \
	{                                                                                          \
		(void)world;                                                                       \
		if (is_own(effect, from))                                                          \
			effect->action.verb = to;                                                  \
		return true;                                                                       \
	}
OTHER_VERB(restart_dead, ACTION_REAP, ACTION_RESTART)
OTHER_VERB(destroy_dead, ACTION_REAP, VERB_DESTROY)
OTHER_VERB(restart_for_memory, VERB_MEMORY, ACTION_RESTART)

static bool
lose_start(struct world *world, struct effect *effect)
{
	return world->steps < 50 || !is_own(effect, VERB_START);
}

/* It is sent to the first VM instead. */
static bool
shut_first(struct world *world, struct effect *effect)
{
	if (is_own(effect, VERB_SHUTDOWN) && world->daemon.config->vms_count > 0)
		TEXT_SET(effect->action.name, world->daemon.config->vms[0].provider.name);
	return true;
}

/* Its standby is started in its place, and it goes on. */
static bool
start_standby(struct world *world, struct effect *effect)
{
	const struct config *config = world->daemon.config;

	if (!is_own(effect, ACTION_RESTART))
		return true;
	for (size_t i = 0; i < config->vms_count; i++)
		if (config->vms[i].standby >= 0 &&
		    strcmp(config->vms[i].provider.name, effect->action.name) == 0) {
			effect->action.verb = VERB_START;
			TEXT_SET(effect->action.name,
				 config->vms[config->vms[i].standby].provider.name);
			break;
		}
	return true;
}

static bool
same_id(struct world *world, struct effect *effect)
{
	(void)world;
	if (effect->type == EFFECT_ACTION && effect->action.id >> 63)
		effect->action.id = UINT64_C(1) << 63 | effect->action.uuid[UUID_SIZE - 1];
	return true;
}

static bool
fail_again(struct world *world, struct effect *effect)
{
	(void)world;
	if (effect->type == EFFECT_EVENT && effect->event.type == EVENT_SERVICE_RESTORED)
		effect->event.type = EVENT_SERVICE_FAILED;
	return true;
}

static bool
store_another(struct world *world, struct effect *effect)
{
	(void)world;
	if (effect->type == EFFECT_PUT_REQUEST)
		TEXT_SET(effect->request.row.id, "another");
	return true;
}

static void
all_up(struct world *world, struct probe_report *report)
{
	(void)world;
	report->outcome = PROBE_UP;
}

static void
all_down(struct world *world, struct probe_report *report)
{
	if (world->steps > 300)
		report->outcome = PROBE_DOWN;
}

const struct mutation mutations[] = {
    {"", "none", NULL, NULL},
    {"sequence", "an event has another number", skip_number, NULL},
    {"final-once", "the end of another request is told again", end_again, NULL},
    {"pairs", "a service is said to have failed where it is restored", fail_again, NULL},
    {"durable", "another request is stored", store_another, NULL},
    {"once", "actions have the ids of earlier ones", same_id, NULL},
    {"one-action", "shutdowns go to the first VM", shut_first, NULL},
    {"dependents-first", "shutdowns go to the first VM", shut_first, NULL},
    {"needs-first", "all services are said to be up", NULL, all_up},
    {"alone", "a standby is started while its primary runs", start_standby, NULL},
    {"unknown", "all services are said to be down", NULL, all_down},
    {"left-alone", "the dead are restarted, not cleared away", restart_dead, NULL},
    {"maintenance", "the dead are destroyed, not cleared away", destroy_dead, NULL},
    {"restart-limit", "a VM is restarted for its memory", restart_for_memory, NULL},
    {"boots-first", "a VM is restarted for its memory", restart_for_memory, NULL},
    {"rows", "starts are lost", lose_start, NULL},
    {"rest", "the end of a request is told as something else", end_untold, NULL},
    {NULL, NULL, NULL, NULL},
};
