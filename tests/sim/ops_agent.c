/* What happens to lauxend's processes and its configuration, and what managers want. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "tests/sim/check.h"
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
	/* The parent begins all three; which is first there is anybody's guess. */
	world_after(world, &world->hypervisor.birth, world_lag(world, LAG_LINK, 10),
		    birth_hypervisor, world);
	world_after(world, &world->daemon.birth, world_lag(world, LAG_LINK, 11), birth_engine,
		    world);
	world_after(world, &world->agentx.birth, world_lag(world, LAG_LINK, 12), birth_agentx,
		    world);
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

static uint32_t
index_of(const struct world *world, const char *name)
{
	const struct rowset *set = &world->agentx.rows.sets[KIND_VM];

	for (size_t i = 0; world->agentx.lives && i < set->count; i++) {
		const struct mib_vm *row = rowset_at(set, i);

		if (strcmp(row->name, name) == 0)
			return row->index;
	}
	return 0;
}

bool
op_request(struct op_call *call)
{
	struct world *world = call->world;
	int verb = name_value(verb_names, call->words[1]);
	struct hold hold = {.verb = (uint32_t)verb};
	bool undo = false;

	if (verb <= VERB_NONE)
		return false;
	TEXT_SET(hold.vm_text, call->words[2]);
	for (int i = 3; i < call->count; i++) {
		if (strncmp(call->words[i], "id=", 3) == 0)
			TEXT_SET(hold.id, call->words[i] + 3);
		else if (strncmp(call->words[i], "number=", 7) == 0)
			hold.number = (uint32_t)strtoul(call->words[i] + 7, NULL, 10);
		else if (strcmp(call->words[i], "undo") == 0)
			undo = true;
		else
			return false;
	}
	if (hold.vm_text[0] != '*' && strncmp(hold.vm_text, "group:", 6) != 0) {
		hold.vm = index_of(world, hold.vm_text);
		if (hold.vm == 0) {
			world_say(world, "        no such VM is known");
			return true;
		}
	}
	agentx_set(world, &hold, undo);
	return true;
}

bool
op_cancel(struct op_call *call)
{
	struct hold hold = {.verb = VERB_NONE};

	TEXT_SET(hold.id, call->words[1]);
	agentx_set(call->world, &hold, call->count > 2 && strcmp(call->words[2], "undo") == 0);
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
