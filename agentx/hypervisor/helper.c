#include "hypervisor/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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

/* In the forked child. Standard error stays where it is the log. */
static void
helper_exec(const struct options *options, const char *record, bool mend)
{
	const char *args[12] = {"lauxend", "--action", "--record", record};
	static const int back[] = {SIGTERM, SIGINT, SIGCHLD, SIGPIPE, SIGHUP};
	int count = 4, null = open("/dev/null", O_RDWR);
	sigset_t none;

	if (mend)
		args[count++] = "--mend";
	if (options->foreground)
		args[count++] = "-d";
	if (options->verbose)
		args[count++] = "-v";
	for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
		signal(back[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setpgid(0, 0);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
	    (!options->foreground && dup2(null, 2) < 0))
		_exit(126);
	close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	fcntl(PROCESS_CONFIG_FD, F_SETFD, 0);
	execv("/proc/self/exe", (char **)args);
	_exit(127);
}

pid_t
helper_spawn(const struct options *options, const char *record, bool mend)
{
	pid_t pid = fork();

	if (pid == 0)
		helper_exec(options, record, mend);
	if (pid < 0)
		log_error("a helper for an action cannot be started: %s", strerror(errno));
	else
		setpgid(pid, pid);
	return pid;
}

/* How the program was called. */
struct call {
	const char *config_file, *record;
	bool mend, foreground;
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
	static const struct option options[] = {{"record", required_argument, NULL, 'r'},
						{"mend", no_argument, NULL, 'm'},
						{NULL, 0, NULL, 0}};
	int c;

	optind = 1;
	while ((c = getopt_long(argc, argv, "f:dv", options, NULL)) != -1) {
		if (c == 'f')
			call->config_file = optarg;
		else if (c == 'd')
			call->foreground = true;
		else if (c == 'v')
			call->verbose++;
		else if (c == 'r')
			call->record = optarg;
		else if (c == 'm')
			call->mend = true;
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
perform(const struct call *call, const struct config *config, const struct action *action,
	struct outcome *outcome)
{
	struct sequence sequence = {.config = config,
				    .deadline_ms =
					clock_mono_ms() + action->deadline_ms - VERDICT_MARGIN_MS,
				    .say = call->record ? say_to_log : say_on_stdout};
	char error[TEXT_SIZE];

	if (!config)
		refuse(outcome, "the configuration has errors: see the log");
	else if (!action_check(config, action, error))
		refuse(outcome, error);
	else
		with_lock(&sequence, action, call->mend, outcome);
}

/* For the hypervisor process. The record's lock stays until the process ends. */
static int
by_record(const struct call *call)
{
	struct record record;
	struct outcome outcome = {0};
	struct config *config;
	bool ok;
	int fd;

	log_open("action", call->foreground, call->verbose);
	fd = record_take(call->record, call->mend, &record);
	if (fd < 0) {
		log_debug("%s is another's already, or done", call->record);
		return 1;
	}
	outcome.id = record.action.id;
	outcome.journal = record.action.journal;
	config = config_load_checked(PROCESS_CONFIG_FD, report_config, NULL);
	fcntl(PROCESS_CONFIG_FD, F_SETFD, FD_CLOEXEC);
	perform(call, config, &record.action, &outcome);
	config_free(config);
	if (!call->mend) {
		ok = record_done(fd, &outcome);
	} else {
		log_info("VM %s: putting right what was left half done: %s %s", record.action.name,
			 name_of(request_state_names, (int)outcome.state), outcome.error);
		ok = outcome.state == REQUEST_FAILED || record_mended(fd);
	}
	if (!ok)
		log_error("%s cannot be written: %s", call->record, strerror(errno));
	return outcome.state == REQUEST_SUCCEEDED ? 0 : 1;
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
	action->deadline_ms = action_deadline_ms(config, action->verb);
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
	if (config)
		action_complete(config, &action);
	perform(call, config, &action, &outcome);
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
	return call.record ? by_record(&call) : by_hand(&call);
}
