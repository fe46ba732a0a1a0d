/* The prober: an attempt is answered by what the world is at that moment, or late, or never. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/say.h"
#include "tests/sim/world.h"

struct probing {
	TAILQ_ENTRY(probing) next;
	struct world *world;
	uint64_t attempt;
	struct config_service service; /* a copy: the command is ours */
	int64_t sent_ms;
	enum probe_fault fault;
	struct timer timer;
};

static void
probing_free(struct probing *probing)
{
	world_cancel(probing->world, &probing->timer);
	TAILQ_REMOVE(&probing->world->prober.list, probing, next);
	free(probing->service.command);
	free(probing);
}

static void
answer(void *arg)
{
	struct probing *probing = arg;
	struct world *world = probing->world;
	struct probe_report report = {.attempt = probing->attempt, .outcome = PROBE_ERROR};

	if (probing->fault == PROBING_FAILS)
		TEXT_SET(report.text, "no descriptor is free");
	else
		report.outcome = world_probe(world, &probing->service);
	if (report.outcome == PROBE_UP)
		report.latency_us = (uint32_t)(world_now(world) - probing->sent_ms) * 1000;
	check_probed(world, &probing->service, &report);
	say_probe(world, &probing->service, &report);
	probing_free(probing);
	world->steps++;
	engine_probed(world->daemon.engine, world_instant(world), &report);
	daemon_carry_out(world);
}

static int64_t
answer_ms(const struct probing *probing)
{
	const struct world *world = probing->world;
	int64_t timeout_ms = probing->service.watch.timeout_ms;
	int64_t ms = world_lag(world, LAG_PROBE, probing->attempt);

	if (probing->fault == PROBING_SLOW)
		ms += timeout_ms / 2;
	/* What is silent is known to be when the time is over. */
	if (probing->fault != PROBING_FAILS &&
	    world_probe(world, &probing->service) == PROBE_SILENT)
		ms = timeout_ms;
	return ms < timeout_ms ? ms : timeout_ms;
}

void
prober_try(struct world *world, uint64_t attempt, const struct config_service *service)
{
	struct prober *prober = &world->prober;
	struct probing *probing = mem_alloc(sizeof(*probing));

	*probing = (struct probing){
	    .world = world, .attempt = attempt, .service = *service, .sent_ms = world_now(world)};
	if (service->command)
		probing->service.command = mem_string(service->command);
	if (world_now(world) < prober->fault_until_ms)
		probing->fault = prober->fault;
	prober->count++;
	TAILQ_INSERT_TAIL(&prober->list, probing, next);
	if (probing->fault == PROBING_LOSES)
		probing_free(probing);
	else
		world_after(world, &probing->timer, answer_ms(probing), answer, probing);
}

void
prober_stop(struct world *world)
{
	while (!TAILQ_EMPTY(&world->prober.list))
		probing_free(TAILQ_FIRST(&world->prober.list));
}
