/* What happens to lauxend's processes and its configuration, and what managers want. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/manager.h"
#include "tests/sim/ops_internal.h"

static void
birth_hypervisor(void *arg)
{
	hypervisor_start(arg);
}

static void
birth_engine(void *arg)
{
	daemon_start(arg);
}

static void
birth_agentx(void *arg)
{
	agentx_start(arg);
}

void
ops_agent_on(struct world *world)
{
	int64_t boots_ms = world->booted_ms - world_now(world);
	int64_t from_ms = boots_ms > 0 ? boots_ms : 0;

	/* The parent begins all three; which is first there is anybody's guess. */
	world_after(world, &world->hypervisor.birth, from_ms + world_lag(world, LAG_LINK, 10),
		    birth_hypervisor, world);
	world_after(world, &world->daemon.birth, from_ms + world_lag(world, LAG_LINK, 11),
		    birth_engine, world);
	world_after(world, &world->agentx.birth, from_ms + world_lag(world, LAG_LINK, 12),
		    birth_agentx, world);
}

static void
agent_again(void *arg)
{
	ops_agent_on(arg);
}

static void
agent_off(struct world *world)
{
	world_cancel(world, &world->daemon.birth);
	world_cancel(world, &world->hypervisor.birth);
	world_cancel(world, &world->agentx.birth);
	agentx_kill(world);
	hypervisor_kill(world);
	daemon_kill(world);
}

bool
op_agent(struct op_call *call)
{
	struct world *world = call->world;
	const char *word = call->words[1];

	if (strcmp(word, "on") == 0) {
		ops_agent_on(world);
		return true;
	}
	if (strcmp(word, "stop") == 0 && world->daemon.lives)
		sim_store_flush(world->store);
	agent_off(world);
	if (strcmp(word, "kill") == 0)
		world_after(world, &world->daemon.birth, world_lag(world, LAG_PARENT, 1),
			    agent_again, world);
	return strcmp(word, "kill") == 0 || strcmp(word, "stop") == 0;
}

bool
op_engine(struct op_call *call)
{
	struct world *world = call->world;

	if (!world->daemon.lives)
		return true;
	daemon_kill(world);
	world_after(world, &world->daemon.birth, world_lag(world, LAG_PARENT, 2), birth_engine,
		    world);
	return true;
}

bool
op_hypervisor(struct op_call *call)
{
	struct world *world = call->world;

	if (!world->hypervisor.lives)
		return true;
	hypervisor_kill(world);
	world_after(world, &world->hypervisor.birth, world_lag(world, LAG_PARENT, 3),
		    birth_hypervisor, world);
	return true;
}

bool
op_agentx(struct op_call *call)
{
	struct world *world = call->world;

	if (!world->agentx.lives)
		return true;
	agentx_kill(world);
	world_after(world, &world->agentx.birth, world_lag(world, LAG_PARENT, 4), birth_agentx,
		    world);
	return true;
}

bool
op_host(struct op_call *call)
{
	struct world *world = call->world;
	int64_t after_ms = call->count > 2 ? scenario_time(call->words[2]) : 10000;

	if (strcmp(call->words[1], "reboot") != 0 || after_ms < 1000)
		return false;
	agent_off(world);
	world_reboot(world);
	world_after(world, &world->daemon.birth, after_ms, agent_again, world);
	return true;
}

/* ---- managers ---- */

bool
op_request(struct op_call *call)
{
	int verb = name_value(verb_names, call->words[1]);
	const char *whom = call->words[2], *id = "";
	uint32_t number = 0;
	bool undo = false;

	for (int i = 3; i < call->count; i++) {
		if (strncmp(call->words[i], "id=", 3) == 0)
			id = call->words[i] + 3;
		else if (strncmp(call->words[i], "number=", 7) == 0)
			number = (uint32_t)strtoul(call->words[i] + 7, NULL, 10);
		else if (strcmp(call->words[i], "undo") == 0)
			undo = true;
		else
			return false;
	}
	if (*id == '\0' && (*whom == '*' || strncmp(whom, "group:", 6) == 0))
		return false; /* no object is of many */
	if (verb > VERB_NONE)
		manager_set(call->world, id, (uint32_t)verb, whom, number, undo);
	return verb > VERB_NONE;
}

bool
op_cancel(struct op_call *call)
{
	manager_set(call->world, call->words[1], VERB_NONE, "", 0,
		    call->count > 2 && strcmp(call->words[2], "undo") == 0);
	return true;
}

/* ---- the configuration ---- */

bool
op_file(struct op_call *call)
{
	struct world *world = call->world;

	world->file_broken = strcmp(call->words[1], "broken") == 0;
	if (!world->file_broken)
		world->file = scenario_text(world->scenario, call->words[1]);
	return world->file != NULL;
}

void
ops_rebuild(struct world *world)
{
	if (world->file_broken)
		daemon_reload_refused(world, "lauxen.conf:3: this makes no sense; remove it");
	else
		daemon_reload(world, world->file);
}

bool
op_reload(struct op_call *call)
{
	if (call->count > 1 && !op_file(call))
		return false;
	ops_rebuild(call->world);
	return true;
}
