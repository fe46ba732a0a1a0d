#include "tests/sim/ops.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "tests/sim/check.h"
#include "tests/sim/expect.h"

struct op_call {
	struct world *world;
	const struct scenario_line *line;
	char *const *words; /* the first is the op's own */
	int count;
};

struct op_table {
	const char *word;
	int least; /* words, its own among them */
	bool (*run)(struct op_call *call);
	const char *help;
};

struct armed {
	struct world *world;
	struct scenario_line *line;
	struct timer timer;
};

/* When an action goes out, the rest of the line happens. */
struct trigger {
	struct trigger *next;
	struct world *world;
	struct scenario_line *line;
	uint32_t verb;
	char vm[VM_NAME_SIZE];
	struct timer timer;
};

static bool run_words(struct world *world, const struct scenario_line *line, char *const *words,
		      int count);

static struct vm_truth *
vm_of(struct op_call *call, int word)
{
	return word < call->count ? world_vm(call->world, call->words[word]) : NULL;
}

/* ---- the agent ---- */

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

static bool
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

static bool
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

static bool
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

static bool
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

static bool
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

/* ---- guests ---- */

static bool
op_crash(struct op_call *call)
{
	struct vm_truth *vm = vm_of(call, 1);

	if (vm && vm->domain && !model_crash(vm->domain))
		world_say(call->world, "        not so: %s", call->world->model->error);
	return vm != NULL;
}

static bool
op_hang(struct op_call *call)
{
	struct vm_truth *vm = vm_of(call, 1);
	int64_t after_ms = call->count > 2 ? scenario_time(call->words[2]) : -1;

	if (vm && vm->domain && !model_panic(vm->domain, after_ms))
		world_say(call->world, "        not so: %s", call->world->model->error);
	return vm != NULL;
}

static bool
guest_ends(struct op_call *call, enum shutdown_reason reason)
{
	struct vm_truth *vm = vm_of(call, 1);

	if (!vm)
		return false;
	if (vm->domain && model_guest_end(vm->domain, reason))
		check_person(call->world, vm,
			     reason == REASON_POWEROFF ? VERB_SHUTDOWN : VERB_REBOOT);
	return true;
}

static bool
op_poweroff(struct op_call *call)
{
	return guest_ends(call, REASON_POWEROFF);
}

static bool
op_reboot(struct op_call *call)
{
	return guest_ends(call, REASON_REBOOT);
}

static bool
op_service(struct op_call *call)
{
	static const struct name faults[] = {
	    {FAULT_NONE, "ok"}, {FAULT_STOP, "stop"}, {FAULT_HANG, "hang"}, {0, NULL}};
	struct truth *truth = world_truth(call->world, call->words[1], call->words[2]);
	int fault = name_value(faults, call->words[3]);
	bool lasting = call->count > 4 && strcmp(call->words[4], "lasting") == 0;

	if (!truth || fault < 0)
		return false;
	world_fault(call->world, truth, (enum service_fault)fault, lasting);
	return true;
}

static bool
op_used(struct op_call *call)
{
	struct vm_truth *vm = vm_of(call, 1);

	if (!vm)
		return false;
	vm->def.used_mib = atoi(call->words[2]);
	if (vm->domain)
		vm->domain->def.used_mib = vm->def.used_mib;
	return true;
}

static bool
op_xl(struct op_call *call)
{
	return person_xl(call->world, call->words[1], call->count > 2 ? call->words[2] : "");
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

static bool
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

static bool
op_cancel(struct op_call *call)
{
	struct hold hold = {.verb = VERB_NONE};

	TEXT_SET(hold.id, call->words[1]);
	agentx_set(call->world, &hold, call->count > 2 && strcmp(call->words[2], "undo") == 0);
	return true;
}

/* ---- faults ---- */

static bool
is_on(const struct op_call *call, int word)
{
	return word < call->count && strcmp(call->words[word], "on") == 0;
}

static bool
op_silence(struct op_call *call)
{
	bool figures = strcmp(call->words[1], "figures") == 0;

	hypervisor_silence(call->world, figures, is_on(call, 2));
	return figures || strcmp(call->words[1], "states") == 0;
}

static bool
op_watch(struct op_call *call)
{
	call->world->hypervisor.watch_dead = !is_on(call, 1);
	return true;
}

static bool
op_repeat(struct op_call *call)
{
	call->world->hypervisor.repeats = strtoull(call->words[1], NULL, 10);
	return true;
}

static bool
op_snmpd(struct op_call *call)
{
	agentx_deaf(call->world, strcmp(call->words[1], "deaf") == 0);
	return true;
}

static bool
op_probing(struct op_call *call)
{
	static const struct name faults[] = {{PROBING_WELL, "well"},
					     {PROBING_LOSES, "lost"},
					     {PROBING_FAILS, "error"},
					     {PROBING_SLOW, "slow"},
					     {0, NULL}};
	struct prober *prober = &call->world->prober;
	int fault = name_value(faults, call->words[1]);

	if (fault < 0)
		return false;
	prober->fault = (enum probe_fault)fault;
	prober->fault_until_ms =
	    call->count > 2 ? world_now(call->world) + scenario_time(call->words[2]) : INT64_MAX;
	return true;
}

static bool
op_store(struct op_call *call)
{
	bool fails = strcmp(call->words[1], "fails") == 0;
	bool slow = strcmp(call->words[1], "slow") == 0;

	sim_store_fail(call->world->store, fails,
		       slow && call->count > 2 ? scenario_time(call->words[2]) : 0);
	return fails || slow || strcmp(call->words[1], "well") == 0;
}

/* inject fail|slow|never VERB VM [times=N] [after=TIME] [TEXT...] */
static bool
op_inject(struct op_call *call)
{
	static const struct name kinds[] = {
	    {INJECT_FAIL, "fail"}, {INJECT_SLOW, "slow"}, {INJECT_NEVER, "never"}, {0, NULL}};
	struct injection injection = {.kind = (enum inject_kind)name_value(kinds, call->words[1]),
				      .verb = (enum verb)ops_verb(call->words[2]),
				      .left = 1};

	if ((int)injection.kind < 0 || (int)injection.verb < 0)
		return false;
	TEXT_SET(injection.vm, strcmp(call->words[3], "all") == 0 ? "" : call->words[3]);
	TEXT_SET(injection.text, "it is not to be");
	for (int i = 4; i < call->count; i++) {
		if (strncmp(call->words[i], "times=", 6) == 0)
			injection.left = (unsigned)atoi(call->words[i] + 6);
		else if (strncmp(call->words[i], "after=", 6) == 0)
			injection.delay_ms = scenario_time(call->words[i] + 6);
		else
			return false;
	}
	inject_add(&call->world->inject, &injection);
	return true;
}

static bool
op_helper(struct op_call *call)
{
	struct vm_truth *vm = vm_of(call, 2);

	if (vm)
		action_die(call->world, vm);
	return vm && strcmp(call->words[1], "kill") == 0;
}

static bool
op_heal(struct op_call *call)
{
	struct world *world = call->world;

	inject_clear(&world->inject);
	sim_store_fail(world->store, false, 0);
	hypervisor_silence(world, false, false);
	hypervisor_silence(world, true, false);
	world->hypervisor.watch_dead = false;
	world->prober.fault_until_ms = 0;
	agentx_deaf(world, false);
	world->model->memory_full = false;
	for (size_t i = 0; i < world->truths_count; i++)
		world_fault(world, &world->truths[i], FAULT_NONE, true);
	check_healed(world);
	return true;
}

static bool
op_wall(struct op_call *call)
{
	bool back = call->words[1][0] == '-';
	int64_t ms = scenario_time(call->words[1] + 1);

	call->world->wall_skew_ms += back ? -ms : ms;
	return ms > 0;
}

static bool
op_memory(struct op_call *call)
{
	call->world->model->memory_full = strcmp(call->words[1], "full") == 0;
	return true;
}

/* ---- the configuration ---- */

static bool
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

static bool
op_reload(struct op_call *call)
{
	if (call->count > 1 && !op_file(call))
		return false;
	ops_rebuild(call->world);
	return true;
}

/* ---- the rest ---- */

int
ops_verb(const char *name)
{
	static const struct name more[] = {{ACTION_REAP, "reap"},
					   {ACTION_REPLACE, "replace"},
					   {ACTION_RESTART, "restart"},
					   {VERB_NONE, "all"},
					   {0, NULL}};
	int verb = name_value(verb_names, name);

	return verb >= 0 ? verb : name_value(more, name);
}

static void
trigger_fire(void *arg)
{
	struct trigger *trigger = arg;

	run_words(trigger->world, trigger->line, trigger->line->words + 5,
		  trigger->line->count - 5);
}

void
ops_action(struct world *world, const struct action *action)
{
	for (struct trigger *trigger = world->triggers; trigger; trigger = trigger->next)
		if (trigger->verb == action->verb && strcmp(trigger->vm, action->name) == 0) {
			trigger->verb = 0; /* once */
			world_after(world, &trigger->timer, 0, trigger_fire, trigger);
		}
}

/* when action VERB VM do OP... */
static bool
op_when(struct op_call *call)
{
	struct trigger *trigger = mem_alloc(sizeof(*trigger));
	int verb = ops_verb(call->words[2]);

	trigger->world = call->world;
	trigger->line = (struct scenario_line *)call->line;
	trigger->verb = (uint32_t)verb;
	TEXT_SET(trigger->vm, call->words[3]);
	trigger->next = call->world->triggers;
	call->world->triggers = trigger;
	return verb > 0 && strcmp(call->words[4], "do") == 0 && call->words == call->line->words;
}

static bool
op_expect(struct op_call *call)
{
	return expect(call->world, call->line->line, call->words + 1, call->count - 1);
}

static void
rested(void *arg)
{
	struct world *world = arg;

	check_rest(world);
	world->ended = true;
}

static bool
op_rest(struct op_call *call)
{
	world_after(call->world, &call->world->rest, check_bound_ms(call->world), rested,
		    call->world);
	return true;
}

static bool
op_end(struct op_call *call)
{
	call->world->ended = true;
	return true;
}

static const struct op_table ops[] = {
    {"agent", 2, op_agent, "on | kill (it comes back) | stop (it writes what waits)"},
    {"engine", 2, op_engine, "kill: the engine's process alone, started again"},
    {"hypervisor", 2, op_hypervisor, "kill"},
    {"agentx", 2, op_agentx, "kill"},
    {"host", 2, op_host, "reboot [TIME]: lauxend is started so long after"},
    {"crash", 2, op_crash, "VM"},
    {"hang", 2, op_hang, "VM [TIME]: the guest does nothing any more; it crashes so long after"},
    {"poweroff", 2, op_poweroff, "VM: from within"},
    {"reboot", 2, op_reboot, "VM: from within"},
    {"service", 4, op_service, "PROVIDER SERVICE ok|stop|hang [lasting]"},
    {"used", 3, op_used, "VM MIB: memory used inside; -1: of its own"},
    {"xl", 3, op_xl,
     "create|pause|unpause|shutdown|reboot|destroy|save|restore|leave|arrive VM: a person"},
    {"request", 3, op_request, "VERB VM|*|group:NAME [id=ID] [number=N] [undo]: a manager"},
    {"cancel", 2, op_cancel, "ID [undo]: a manager destroys the row"},
    {"silence", 3, op_silence, "states|figures on|off"},
    {"watch", 2, op_watch, "on|off: urgent looks"},
    {"repeat", 2, op_repeat, "N: every so many words on actions are said twice; 0: none"},
    {"snmpd", 2, op_snmpd, "deaf|hears"},
    {"probing", 2, op_probing, "well|lost|error|slow [TIME]"},
    {"store", 2, op_store, "well | fails | slow TIME"},
    {"inject", 4, op_inject, "fail|slow|never VERB|all VM|all [times=N] [after=TIME]"},
    {"helper", 3, op_helper, "kill VM"},
    {"heal", 1, op_heal, "all that was injected is taken back, services are well"},
    {"wall", 2, op_wall, "+TIME|-TIME: the wall clock is set"},
    {"memory", 2, op_memory, "full|free: of the host"},
    {"file", 2, op_file, "NAME|broken: the configuration's file is changed"},
    {"reload", 1, op_reload, "[NAME]"},
    {"when", 6, op_when, "action VERB VM do OP...: once it goes out"},
    {"expect", 2, op_expect, "see expect.c"},
    {"rest", 1, op_rest, "the end, once all must have come to rest, which is looked at"},
    {"end", 1, op_end, ""},
};

void
ops_help(FILE *to)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		fprintf(to, "  %s %s\n", ops[i].word, ops[i].help);
}

static bool
run_words(struct world *world, const struct scenario_line *line, char *const *words, int count)
{
	struct op_call call = {.world = world, .line = line, .words = words, .count = count};

	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strcmp(ops[i].word, words[0]) == 0 && count >= ops[i].least) {
			if (strcmp(words[0], "expect") != 0)
				world_say(world, "> %s", line->text);
			return ops[i].run(&call);
		}
	return false;
}

static void
op_fire(void *arg)
{
	struct armed *armed = arg;

	if (!run_words(armed->world, armed->line, armed->line->words, armed->line->count))
		fatal("%s: line %d makes no sense: %s", armed->world->scenario->name,
		      armed->line->line, armed->line->text);
}

void
ops_arm(struct world *world)
{
	const struct scenario *scenario = world->scenario;

	world->ops = mem_array(scenario->ops_count + 1, sizeof(*world->ops));
	for (size_t i = 0; i < scenario->ops_count; i++) {
		world->ops[i] = (struct armed){.world = world, .line = &scenario->ops[i]};
		timers_set(&world->model->timers, &world->ops[i].timer, scenario->ops[i].at_ms,
			   op_fire, &world->ops[i]);
	}
}

void
ops_dispose(struct world *world)
{
	struct trigger *trigger;

	for (size_t i = 0; i < world->scenario->ops_count; i++)
		world_cancel(world, &world->ops[i].timer);
	free(world->ops);
	while ((trigger = world->triggers)) {
		world->triggers = trigger->next;
		world_cancel(world, &trigger->timer);
		free(trigger);
	}
}

/* ---- guests' own keys ---- */

bool
ops_guest_key(struct vm_truth *vm, const char *text)
{
	struct vmdef *def = &vm->def;
	const struct {
		const char *key;
		int64_t *time;
		uint32_t *number;
		enum on_action *action;
	} keys[] = {
	    {"boot=", &def->boot_ms, NULL, NULL},
	    {"shutdown=", &def->shutdown_ms, NULL, NULL},
	    {"crash=", &def->crash_ms, NULL, NULL},
	    {"memory=", NULL, &def->memory_mib, NULL},
	    {"maxmem=", NULL, &def->maxmem_mib, NULL},
	    {"vifs=", NULL, &def->vif_count, NULL},
	    {"on_poweroff=", NULL, NULL, &def->on_poweroff},
	    {"on_reboot=", NULL, NULL, &def->on_reboot},
	    {"on_crash=", NULL, NULL, &def->on_crash},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		const char *value = text + strlen(keys[i].key);

		if (strncmp(text, keys[i].key, strlen(keys[i].key)) != 0)
			continue;
		if (keys[i].time)
			*keys[i].time = scenario_time(value);
		else if (keys[i].number)
			*keys[i].number = (uint32_t)atoi(value);
		else
			*keys[i].action = (enum on_action)name_value(on_action_names, value);
		return true;
	}
	if (strncmp(text, "used=", 5) == 0)
		def->used_mib = atoi(text + 5);
	else if (strncmp(text, "uuid=", 5) == 0)
		TEXT_SET(def->uuid, text + 5);
	else if (strcmp(text, "tools=1") == 0)
		def->tools = true;
	else if (strcmp(text, "saved=1") == 0)
		vm->saved = true;
	else
		return false;
	return true;
}
