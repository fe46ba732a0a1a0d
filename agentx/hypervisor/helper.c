#include "hypervisor/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/hv.h"
#include "hypervisor/records.h"
#include "hypervisor/sequence.h"
#include "hypervisor/verbs.h"

#define LOCK_WAIT_MS 10000 /* for a VM that another has, at most */
#define VERDICT_MARGIN_MS                                                                          \
	500 /* before the deadline, so that the helper has the last word itself                    \
	     */

/* How the program was called. */
struct call {
	const char *config_file;
	int verbose;
	char **words; /* VERB VM [NUMBER] */
	int words_count;
};

static int
usage(FILE *to)
{
	fprintf(to,
		"Usage: lauxend --action VERB VM [NUMBER] [-f FILE] [-v]\n"
		"Does one thing to one VM, as the agent would. VM is a name or a UUID.\nVERB:\n");
	for (const struct name *verb = action_verb_names; verb->name; verb++)
		fprintf(to, "  %s%s\n", verb->name,
			verb->value == VERB_MEMORY ? " (NUMBER: MiB)" : "");
	return to == stdout ? 0 : 2;
}

static bool
call_parse(struct call *call, int argc, char **argv)
{
	int c;

	optind = 1;
	while ((c = getopt(argc, argv, "f:v")) != -1) {
		if (c == 'f')
			call->config_file = optarg;
		else if (c == 'v')
			call->verbose++;
		else
			return false;
	}
	call->words = argv + optind;
	call->words_count = argc - optind;
	return true;
}

static void
report_config(void *arg, const char *error)
{
	(void)arg;
	log_error("%s", error);
}

static void
say_on_stdout(const char *text)
{
	printf("%s\n", text);
	fflush(stdout);
}

static void
say_to_log(const char *text)
{
	log_debug("%s", text);
}

static void
refuse(struct outcome *outcome, const char *error)
{
	outcome->state = REQUEST_FAILED;
	TEXT_SET(outcome->error, error);
}

/* With the VM's lock held. */
static void
carry_out(struct sequence *sequence, const struct action *action, bool mend,
	  struct outcome *outcome)
{
	char error[TEXT_SIZE] = "";

	sequence->driver = hv_driver(sequence->config);
	sequence->hv = sequence->driver->open(sequence->config, error);
	if (!sequence->hv) {
		refuse(outcome, error);
		return;
	}
	outcome->state = REQUEST_SUCCEEDED;
	if (!mend)
		sequence_run(sequence, action, outcome);
	else if (sequence->driver->mend)
		sequence->driver->mend(sequence->hv, action, action_vm(sequence->config, action),
				       outcome);
	sequence->driver->close(sequence->hv);
}

static void
with_lock(struct sequence *sequence, const struct action *action, bool mend,
	  struct outcome *outcome)
{
	char error[TEXT_SIZE];
	int64_t wait_ms = sequence->deadline_ms - clock_mono_ms();
	int lock = vm_lock(sequence->config->run_dir, action->name, action->uuid,
			   wait_ms < LOCK_WAIT_MS ? wait_ms : LOCK_WAIT_MS, error);

	if (lock < 0) {
		refuse(outcome, error);
		return;
	}
	carry_out(sequence, action, mend, outcome);
	close(lock);
}

static void
perform(const struct config *config, const struct action *action, bool mend,
	void (*say)(const char *text), struct outcome *outcome)
{
	struct sequence sequence = {.config = config,
				    .deadline_ms =
					clock_mono_ms() + action->deadline_ms - VERDICT_MARGIN_MS,
				    .say = say};
	char error[TEXT_SIZE];

	if (!action_check(config, action, error))
		refuse(outcome, error);
	else
		with_lock(&sequence, action, mend, outcome);
}

/* For the hypervisor process. The record's lock stays until the process ends. */
static void
by_record(const struct config *config, const char *path, bool mend)
{
	struct record record;
	struct outcome outcome = {0};
	int fd = record_take(path, mend, &record);
	bool ok;

	if (fd < 0) {
		log_debug("%s is another's already, or done", path);
		return;
	}
	outcome.id = record.action.id;
	outcome.journal = record.action.journal;
	perform(config, &record.action, mend, say_to_log, &outcome);
	if (!mend) {
		ok = record_done(fd, &outcome);
	} else {
		log_info("VM %s: putting right what was left half done: %s %s", record.action.name,
			 name_of(request_state_names, (int)outcome.state), outcome.error);
		ok = outcome.state == REQUEST_FAILED || record_mended(fd);
	}
	if (!ok)
		log_error("%s cannot be written: %s", path, strerror(errno));
}

/* In the forked child. Standard error stays where it is the log. */
static void __attribute__((noreturn))
helper_main(const struct options *options, const struct config *config, const char *record,
	    bool mend)
{
	int null = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    (!options->foreground && dup2(null, 2) < 0))
		_exit(126);
	process_fork_begin(options, "lauxend-action", "action", -1);
	by_record(config, record, mend);
	_exit(0);
}

pid_t
helper_spawn(const struct options *options, const struct config *config, const char *record,
	     bool mend)
{
	pid_t pid = process_fork();

	if (pid == 0)
		helper_main(options, config, record, mend);
	if (pid < 0)
		log_error("a helper for an action cannot be started: %s", strerror(errno));
	else
		setpgid(pid, pid);
	return pid;
}

static bool
parse_number(const char *text, uint32_t *number)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	*number = (uint32_t)value;
	return *text >= '0' && *text <= '9' && *end == '\0' && value <= UINT32_MAX;
}

/* VERB VM [NUMBER] into action; false: bad usage. */
static bool
action_from_words(const struct call *call, struct action *action)
{
	int verb = call->words_count >= 2 ? name_value(action_verb_names, call->words[0]) : -1;

	if (verb < 0 || call->words_count != (verb == VERB_MEMORY ? 3 : 2))
		return false;
	if (verb == VERB_MEMORY && !parse_number(call->words[2], &action->number))
		return false;
	action->verb = (uint32_t)verb;
	if (!uuid_parse(call->words[1], action->uuid))
		TEXT_SET(action->name, call->words[1]);
	return true;
}

/* Both ways to lock the VM, and what the deadline is, come from the configuration. */
static void
action_complete(const struct config *config, struct action *action)
{
	const struct config_vm *vm = action_vm(config, action);

	if (vm && !*action->name)
		TEXT_SET(action->name, vm->provider.name);
	if (vm && uuid_is_zero(action->uuid))
		memcpy(action->uuid, vm->uuid, UUID_SIZE);
	action->deadline_ms = action_deadline_ms(config, action);
}

static int
by_hand(const struct call *call)
{
	struct action action = {0};
	struct outcome outcome = {0};
	struct config *config;

	log_open("lauxend", true, call->verbose);
	if (call->words_count == 1 && strcmp(call->words[0], "help") == 0)
		return usage(stdout);
	if (!action_from_words(call, &action))
		return usage(stderr);
	config = config_load(call->config_file, report_config, NULL);
	if (!config)
		return 1;
	action_complete(config, &action);
	perform(config, &action, false, say_on_stdout, &outcome);
	config_free(config);
	if (outcome.state == REQUEST_SUCCEEDED)
		printf("done\n");
	else
		fprintf(stderr, "VM %s: %s %s: %s\n", call->words[1], call->words[0],
			name_of(request_state_names, (int)outcome.state), outcome.error);
	return outcome.state == REQUEST_SUCCEEDED ? 0 : 1;
}

int
action_main(int argc, char **argv, const char *config_file)
{
	struct call call = {.config_file = config_file};

	if (!call_parse(&call, argc, argv))
		return usage(stderr);
	signal(SIGPIPE, SIG_IGN);
	return by_hand(&call);
}
