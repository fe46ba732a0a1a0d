#include "tools/simxen/command.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void
action_done(void *arg, const struct op_result *result)
{
	struct command_run *run = arg;

	run->op = NULL;
	if (result->failed)
		fprintf(run->out, "%s\n", result->text);
	fclose(run->out);
	run->done(run->arg, result->failed ? COMMAND_FAILED : COMMAND_OK, run->text);
	free(run->text);
	free(run);
}

static int
start_action(struct command_run *run, struct op_request request)
{
	request.direct = run->args.direct;
	request.monitor = run->args.monitor;
	request.paused = run->args.paused;
	run->op = ops_start(&run->host->ops, &request, action_done, run);
	return COMMAND_LATER;
}

struct domain *
command_domain(struct command_run *run, int i)
{
	struct domain *d = model_find(run->host->model, run->args.word[i]);

	if (!d)
		fprintf(run->out, "%s: no such domain\n", run->args.word[i]);
	return d;
}

bool
command_number(struct command_run *run, int i, int64_t least, int64_t most, int64_t *number)
{
	const char *text = run->args.word[i];
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 10);
	if (errno == 0 && end != text && !*end && *number >= least && *number <= most)
		return true;
	fprintf(run->out, "%s: a number from %" PRId64 " to %" PRId64 " is needed\n", text, least,
		most);
	return false;
}

static int
act_on(struct command_run *run, enum verb verb, const char *path, uint64_t mib)
{
	struct domain *d = command_domain(run, 0);

	if (!d)
		return COMMAND_FAILED;
	return start_action(
	    run, (struct op_request){.verb = verb, .domid = d->domid, .path = path, .mib = mib});
}

static int
run_shutdown(struct command_run *run)
{
	return act_on(run, VERB_SHUTDOWN, NULL, 0);
}

static int
run_reboot(struct command_run *run)
{
	return act_on(run, VERB_REBOOT, NULL, 0);
}

static int
run_pause(struct command_run *run)
{
	return act_on(run, VERB_PAUSE, NULL, 0);
}

static int
run_unpause(struct command_run *run)
{
	return act_on(run, VERB_UNPAUSE, NULL, 0);
}

static int
run_destroy(struct command_run *run)
{
	return act_on(run, VERB_DESTROY, NULL, 0);
}

static int
run_save(struct command_run *run)
{
	return act_on(run, VERB_SAVE, run->args.word[1], 0);
}

static int
run_memory(struct command_run *run)
{
	int64_t mib;

	if (!command_number(run, 1, 1, VMDEF_MEMORY, &mib))
		return COMMAND_USAGE;
	return act_on(run, VERB_MEMORY, NULL, (uint64_t)mib);
}

static int
run_create(struct command_run *run)
{
	char overrides[4096] = "";
	size_t used = 0;

	for (int i = 1; i < run->args.count; i++) {
		int r =
		    snprintf(overrides + used, sizeof(overrides) - used, "%s\n", run->args.word[i]);

		used += (size_t)r;
		if (used >= sizeof(overrides)) {
			fprintf(run->out, "the overrides are too long\n");
			return COMMAND_USAGE;
		}
	}
	return start_action(run, (struct op_request){.verb = VERB_START,
						     .path = run->args.word[0],
						     .overrides = overrides});
}

static int
run_restore(struct command_run *run)
{
	return start_action(run,
			    (struct op_request){.verb = VERB_RESTORE, .path = run->args.word[0]});
}

static int
run_quit(struct command_run *run)
{
	run->host->quit = true; /* once the answer is out */
	return COMMAND_OK;
}

static const struct command commands_act[] = {
    {"create", "FILE [KEY=VALUE ...]", "create a VM from its xl file, as `xl create -e`", 1,
     COMMAND_WORDS, run_create, 1},
    {"shutdown", "VM", "ask the guest to power off", 1, 1, run_shutdown, 0},
    {"reboot", "VM", "ask the guest to reboot", 1, 1, run_reboot, 0},
    {"pause", "VM", "pause; pauses nest", 1, 1, run_pause, 0},
    {"unpause", "VM", "take one pause back", 1, 1, run_unpause, 0},
    {"destroy", "VM", "end the domain at once, or clear it away", 1, 1, run_destroy, 0},
    {"mem", "VM MIB", "set the balloon's target", 2, 2, run_memory, 0},
    {"save", "VM FILE", "save to a file, and end the domain", 2, 2, run_save, 2},
    {"restore", "FILE", "create again what was saved", 1, 1, run_restore, 1},
    {"quit", "", "end simxen and all its VMs", 0, 0, run_quit, 0},
    {NULL, NULL, NULL, 0, 0, NULL, 0},
};

static const struct command *const tables[] = {commands_show, commands_act, commands_fault};

const struct command *
command_find(const char *name)
{
	if (strcmp(name, "start") == 0)
		name = "create";
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct command *c = tables[i]; c->name; c++)
			if (strcmp(c->name, name) == 0)
				return c;
	return NULL;
}

void
command_help(FILE *to)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		for (const struct command *c = tables[i]; c->name; c++)
			fprintf(to, "  %-16s %-34s %s\n", c->name, c->usage, c->help);
}

/* A switch of an action or a fault, at offset of struct arguments. */
static const struct {
	const char *word;
	size_t offset;
} switches[] = {
    {"--monitor", offsetof(struct arguments, monitor)},
    {"--paused", offsetof(struct arguments, paused)},
    {"--direct", offsetof(struct arguments, direct)},
    {"--lasting", offsetof(struct arguments, lasting)},
};

static bool
take_switch(struct arguments *args, const char *word)
{
	for (size_t i = 0; i < sizeof(switches) / sizeof(*switches); i++)
		if (strcmp(switches[i].word, word) == 0) {
			*(bool *)((char *)args + switches[i].offset) = true;
			return true;
		}
	return false;
}

/* The value of -n: a number from 1. */
static bool
take_times(struct arguments *args, const char *text)
{
	char *end;
	unsigned long times = strtoul(text, &end, 10);

	args->times = (unsigned)times;
	return end != text && !*end && times > 0 && times <= INT_MAX;
}

/* Takes the option at words[0], value perhaps at words[1] (NULL: no more). Returns how many words
 * it has, 0 where it is none of ours. */
static int
take_option(struct arguments *args, char *const *words, const char *value)
{
	if (take_switch(args, words[0]))
		return 1;
	if (strcmp(words[0], "-v") == 0 && value) {
		args->vm = value;
		return 2;
	}
	return strcmp(words[0], "-n") == 0 && value && take_times(args, value) ? 2 : 0;
}

/* Sorts the words after the command's name; false with a text where they do not fit. */
static bool
sort_words(struct arguments *args, int count, char *const *words, FILE *out)
{
	bool options = true; /* until "--" */
	int taken;

	args->vm = "";
	for (int i = 1; i < count; i += taken) {
		taken = 1;
		if (options && strcmp(words[i], "--") == 0) {
			options = false;
		} else if (options && words[i][0] == '-' && words[i][1]) {
			taken = take_option(args, &words[i], i + 1 < count ? words[i + 1] : NULL);
			if (taken == 0) {
				fprintf(out, "%s: no such option, or no such value\n", words[i]);
				return false;
			}
		} else if (args->count == COMMAND_WORDS) {
			fprintf(out, "too many words\n");
			return false;
		} else {
			args->word[args->count++] = words[i];
		}
	}
	return true;
}

static int
dispatch(struct command_run *run, int count, char *const *words)
{
	const struct command *command = count > 0 ? command_find(words[0]) : NULL;

	if (!command) {
		fprintf(run->out, "%s: no such command; `simxen ctl --help` lists them\n",
			count > 0 ? words[0] : "");
		return COMMAND_USAGE;
	}
	if (!sort_words(&run->args, count, words, run->out))
		return COMMAND_USAGE;
	if (run->args.count < command->least || run->args.count > command->most) {
		fprintf(run->out, "usage: simxen ctl %s %s\n", command->name, command->usage);
		return COMMAND_USAGE;
	}
	return command->run(run);
}

struct command_run *
command_start(struct host *host, int count, char *const *words,
	      void (*done)(void *arg, int status, const char *text), void *arg)
{
	struct command_run *run = mem_alloc(sizeof(*run));
	int status;

	*run = (struct command_run){.host = host, .done = done, .arg = arg};
	run->out = open_memstream(&run->text, &run->length);
	if (!run->out) {
		free(run);
		done(arg, COMMAND_FAILED, "out of memory\n");
		return NULL;
	}
	status = dispatch(run, count, words);
	if (status == COMMAND_LATER)
		return run;
	fclose(run->out);
	done(arg, status, run->text);
	free(run->text);
	free(run);
	return NULL;
}

void
command_abandon(struct command_run *run)
{
	if (run->op)
		ops_abandon(run->op);
	fclose(run->out);
	free(run->text);
	free(run);
}
