#include "tests/sim/ops_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "tests/sim/check.h"
#include "tests/sim/expect.h"

#define REST_MS 60000
#define REST_LOOK_MS 5000

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

struct vm_truth *
op_vm(const struct op_call *call, int word)
{
	return word < call->count ? world_vm(call->world, call->words[word]) : NULL;
}

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

/* Until all has been at rest for a while; or it is not in time. */
static void
rested(void *arg)
{
	struct world *world = arg;
	int64_t now_ms = world_now(world);
	char why[160];

	if (!check_rests(world, why, sizeof(why)))
		world->rested_ms = now_ms;
	if (now_ms - world->rested_ms >= REST_MS || now_ms >= world->rest_until_ms) {
		check_rest(world);
		world->ended = true;
		return;
	}
	world_after(world, &world->rest, REST_LOOK_MS, rested, world);
}

static bool
op_rest(struct op_call *call)
{
	struct world *world = call->world;

	world->rested_ms = world_now(world);
	world->rest_until_ms = world_now(world) + check_bound_ms(world);
	rested(world);
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
    {"store", 2, op_store, "well | fails | slow TIME | loses what is cut off"},
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
