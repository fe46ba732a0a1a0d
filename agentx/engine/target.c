/*
 * When a service is tried. What several declare, or need, alike is one target and tried once for
 * all. Each has its own moments in the interval, so that not all are tried together; while
 * something about one is changing it is tried more often.
 */
#include "engine/internal.h"

#include "base/mem.h"

#define FAST_PART 10 /* of the interval, while something is changing */
#define FAST_MS 200  /* but not under that */

static bool
service_is_changing(const struct service *service)
{
	return service->waiters > 0 || service->state == SERVICE_UNKNOWN ||
	       service->state == SERVICE_STARTING ||
	       (service->state == SERVICE_UP ? service->failures > 0 : service->rises > 0);
}

static uint32_t
service_interval_ms(const struct service *service)
{
	uint32_t interval_ms = service->config->watch.interval_ms;

	if (interval_ms < FAST_MS)
		return FAST_MS;
	if (!service_is_changing(service))
		return interval_ms;
	return interval_ms / FAST_PART < FAST_MS ? FAST_MS : interval_ms / FAST_PART;
}

/* The service that is to be tried next of those that have this in common; NULL: none is watched. */
static const struct service *
target_leader(const struct target *target)
{
	const struct service *leader = NULL;

	for (size_t i = 0; i < target->services_count; i++) {
		const struct service *service = target->services[i];

		if (service->watched &&
		    (!leader || service_interval_ms(service) < service_interval_ms(leader)))
			leader = service;
	}
	return leader;
}

/* A part of span_ms that differs from one target to the next as evenly as may be, and is the same
 * each time: multiples of the golden ratio. */
static int64_t
target_share_ms(const struct target *target, uint32_t span_ms)
{
	uint32_t share = target->services[0]->kept.index * 2654435769u;

	return (int64_t)((uint64_t)span_ms * share >> 32);
}

/* The first moment after asked_ms that is this target's own in the interval. */
static int64_t
target_turn_ms(const struct target *target, uint32_t interval_ms)
{
	int64_t share_ms = target_share_ms(target, interval_ms);

	if (target->asked_ms < share_ms)
		return share_ms;
	return (target->asked_ms - share_ms) / interval_ms * interval_ms + interval_ms + share_ms;
}

static void target_due(void *arg);

static void
target_set_timer(struct engine *engine, struct target *target, int64_t due_ms)
{
	if (due_ms == TIMERS_NEVER)
		timers_cancel(&engine->timers, &target->timer);
	else
		timers_set(&engine->timers, &target->timer, due_ms, target_due, target);
}

/* An attempt that is under way is waited for. */
void
target_schedule(struct engine *engine, struct target *target)
{
	const struct service *leader = target_leader(target);
	uint32_t interval_ms;
	int64_t due_ms;

	if (!leader) {
		target_set_timer(engine, target, TIMERS_NEVER);
		return;
	}
	if (target->attempt != 0) {
		target_set_timer(engine, target, target->late_ms);
		return;
	}
	interval_ms = service_interval_ms(leader);
	due_ms = interval_ms < leader->config->watch.interval_ms
		     ? target->asked_ms + interval_ms
		     : target_turn_ms(target, interval_ms);
	if (target->hurry_ms < due_ms)
		due_ms = target->hurry_ms;
	target_set_timer(engine, target,
			 due_ms < engine->now.mono_ms ? engine->now.mono_ms : due_ms);
}

static void
target_ask(struct engine *engine, struct target *target)
{
	const struct service *leader = target_leader(target);
	struct attempt attempt = {engine->next_attempt++, target};
	struct effect *effect;

	if (!leader)
		return;
	target->attempt = attempt.number;
	target->asked_ms = engine->now.mono_ms;
	target->late_ms =
	    engine->now.mono_ms + leader->config->watch.timeout_ms + PROBE_PATIENCE_MS;
	target->hurry_ms = TIMERS_NEVER;
	rowset_put(&engine->attempts, &attempt);
	effect = engine_effect(engine, EFFECT_PROBE);
	effect->probe.attempt = attempt.number;
	effect->probe.service = leader->config;
}

static void
target_take(struct engine *engine, struct target *target, const struct probe_report *report)
{
	struct attempt attempt = {target->attempt, NULL};

	rowset_remove(&engine->attempts, &attempt);
	target->attempt = 0;
	for (size_t i = 0; i < target->services_count; i++)
		if (target->services[i]->watched &&
		    target->services[i]->first_attempt <= report->attempt)
			service_take(engine, target->services[i], report);
	target_schedule(engine, target);
}

void
target_report(struct engine *engine, const struct probe_report *report)
{
	struct attempt key = {report->attempt, NULL}, *attempt;

	attempt = rowset_find(&engine->attempts, &key);
	if (attempt)
		target_take(engine, attempt->target, report);
}

/* The timer: it is to be tried, or what came of that is not waited for any more. */
static void
target_due(void *arg)
{
	struct target *target = arg;
	struct engine *engine = target->engine;
	struct probe_report late = {
	    .attempt = target->attempt, .outcome = PROBE_ERROR, .text = "the attempt did not end"};

	if (target->attempt != 0) {
		target_take(engine, target, &late);
		return;
	}
	target_ask(engine, target);
	target_schedule(engine, target);
}

/* Tried not later than at_ms, whatever its interval. */
static void
target_hurry(struct engine *engine, struct target *target, int64_t at_ms)
{
	if (at_ms < target->hurry_ms)
		target->hurry_ms = at_ms;
	target_schedule(engine, target);
}

void
target_try(struct engine *engine, struct target *target)
{
	target_hurry(engine, target, engine->now.mono_ms);
}

/* Those that begin together are spread a little. */
void
target_begin(struct engine *engine, struct target *target)
{
	uint32_t interval_ms = service_interval_ms(target_leader(target));

	if (target->timer.place == 0) /* it was not tried at all */
		target->asked_ms = engine->now.mono_ms;
	target_hurry(engine, target, engine->now.mono_ms + target_share_ms(target, interval_ms));
}
