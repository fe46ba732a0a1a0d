#include "control/control.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "config/config.h"

#define TIMEOUT_S 3600	/* until an outcome is not waited for any more */
#define ANSWER_MS 10000 /* until the agent must have accepted or refused */

enum { EXIT_USAGE = 2, EXIT_NO_ANSWER = 3 };
enum { OPTION_NO_WAIT = 256 };

static const char help[] =
    "usage: lauxend --request VERB VM [NUMBER] [-f FILE] [-t SECONDS] [--no-wait]\n"
    "Hands a request to the running agent, as a manager would by SNMP, and waits for its end.\n"
    "  VERB     start, shutdown, reboot, pause, unpause, destroy, save, restore, memory (MiB),\n"
    "           launch, rebuild, maintenance (seconds; 0 ends it), desire (2: running, 5: "
    "shutdown)\n"
    "  VM       name or UUID; for launch and shutdown also '*' (all) and 'group:NAME', which are\n"
    "           done in the order of the services that the VMs need; for rebuild '*'\n"
    "  -f FILE  the agent's configuration, of which only state-dir is looked at\n"
    "  -t SECONDS  wait so long at most (3600)\n"
    "  --no-wait   end when the request is accepted\n"
    "Exit status: 0 it is done, 1 it failed or was refused, 2 bad use, 3 no answer, or none in "
    "time.\n"
    "Examples:\n"
    "  lauxend --request launch '*'             all VMs, in order\n"
    "  lauxend --request shutdown group:front   those of a group, dependents first\n"
    "  lauxend --request maintenance www 3600   leave www alone for an hour\n"
    "  lauxend --request rebuild '*'            take a changed configuration\n";

struct arguments {
	const char *file;
	long timeout_s;
	bool wait, help;
	struct control_ask ask;
};

static const struct option long_options[] = {
    {"file", required_argument, NULL, 'f'}, {"timeout", required_argument, NULL, 't'},
    {"wait", no_argument, NULL, 'w'},	    {"no-wait", no_argument, NULL, OPTION_NO_WAIT},
    {"help", no_argument, NULL, 'h'},	    {0}};

static int
usage_error(const char *what, const char *which)
{
	fprintf(stderr, "lauxend: %s%s; see lauxend --request --help\n", what, which);
	return EXIT_USAGE;
}

static bool
number_read(const char *text, uint32_t *number)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	*number = (uint32_t)value;
	return errno == 0 && end != text && !*end && *text != '-' && value <= UINT32_MAX;
}

static int
read_operands(int count, char **operands, struct control_ask *ask)
{
	int verb = count > 0 ? name_value(verb_names, operands[0]) : -1;

	if (count < 2 || count > 3)
		return usage_error("a verb, a VM and at most a number are needed", "");
	if (verb <= VERB_NONE)
		return usage_error("there is no verb ", operands[0]);
	if (strlen(operands[1]) >= sizeof(ask->target) || !*operands[1])
		return usage_error("this is no VM's name: ", operands[1]);
	if (count == 3 && !number_read(operands[2], &ask->number))
		return usage_error("this is no number: ", operands[2]);
	ask->version = CONTROL_VERSION;
	ask->verb = (uint32_t)verb;
	TEXT_SET(ask->target, operands[1]);
	return 0;
}

static int
read_arguments(int argc, char **argv, struct arguments *arguments)
{
	uint32_t seconds;
	int option;

	while ((option = getopt_long(argc, argv, "f:t:wh", long_options, NULL)) != -1)
		switch (option) {
		case 'f':
			arguments->file = optarg;
			break;
		case 't':
			if (!number_read(optarg, &seconds) || seconds == 0)
				return usage_error("this is no number of seconds: ", optarg);
			arguments->timeout_s = seconds;
			break;
		case 'w':
			arguments->wait = true;
			break;
		case OPTION_NO_WAIT:
			arguments->wait = false;
			break;
		case 'h':
			arguments->help = true;
			return 0;
		default:
			return usage_error("an option is wrong", "");
		}
	return read_operands(argc - optind, argv + optind, &arguments->ask);
}

static void
print_error(void *arg, const char *error)
{
	bool *unreadable = arg;

	*unreadable = true;
	fprintf(stderr, "%s\n", error);
}

/* -1, after a word on stderr. The agent goes on with the last good configuration, whatever became
 * of the file; so must who asks it to shut the VMs down. */
static int
connect_agent(const char *file)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	bool unreadable = false;
	char *state_dir = config_state_dir(file, print_error, &unreadable);
	int fd = -1;

	if (unreadable)
		fprintf(stderr, "lauxend: looking for the agent at %s\n", state_dir);
	if (snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_NAME, state_dir) <
	    (int)sizeof(address.sun_path))
		fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	else
		errno = ENAMETOOLONG;
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		fprintf(stderr,
			"lauxend: no agent answers at %s (%s); is it running, and are you root?\n",
			address.sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(state_dir);
	return fd;
}

/* The next report, until until_ms. */
static bool
report_read(int fd, struct control_report *report, int64_t until_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int64_t left_ms = until_ms - clock_mono_ms();
	int r = poll(&poll_fd, 1, left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);

	if (r == 0)
		fprintf(stderr, "lauxend: no answer in time\n");
	else if (r < 0 || recv(fd, report, sizeof(*report), 0) != sizeof(*report) ||
		 report->version != CONTROL_VERSION)
		fprintf(stderr, "lauxend: the agent went away, or is of another version\n");
	else
		return true;
	return false;
}

static int
outcome(const struct arguments *arguments, const struct control_report *report)
{
	const char *verb = name_of(verb_names, (int)arguments->ask.verb);
	bool refused = report->state == REQUEST_HELD;

	fprintf(report->state == REQUEST_SUCCEEDED ? stdout : stderr, "%s %s: %s%s%s\n", verb,
		arguments->ask.target,
		refused ? "refused" : name_of(request_state_names, (int)report->state),
		*report->error ? ": " : "", report->error);
	return report->state == REQUEST_SUCCEEDED ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
follow(int fd, const struct arguments *arguments)
{
	int64_t until_ms = clock_mono_ms() + ANSWER_MS;
	struct control_report report = {0};
	bool accepted = false;

	for (;;) {
		if (!report_read(fd, &report, until_ms))
			break;
		report.id[sizeof(report.id) - 1] = report.error[sizeof(report.error) - 1] = 0;
		if (report.state == REQUEST_HELD || report.state > REQUEST_RUNNING)
			return outcome(arguments, &report);
		if (!accepted)
			printf("%s %s: accepted as %s%s%s\n",
			       name_of(verb_names, (int)arguments->ask.verb), arguments->ask.target,
			       report.id, *report.error ? "; " : "", report.error);
		fflush(stdout);
		accepted = true;
		if (!arguments->wait)
			return EXIT_SUCCESS;
		until_ms = clock_mono_ms() + arguments->timeout_s * 1000;
	}
	if (accepted)
		fprintf(stderr,
			"lauxend: it goes on as request %s; lxRequestTable shows its outcome\n",
			report.id);
	return EXIT_NO_ANSWER;
}

int
control_main(int argc, char **argv, const char *default_file)
{
	struct arguments arguments = {.file = default_file, .timeout_s = TIMEOUT_S, .wait = true};
	int rc = read_arguments(argc, argv, &arguments), fd;

	if (rc)
		return rc;
	if (arguments.help) {
		fputs(help, stdout);
		return EXIT_SUCCESS;
	}
	fd = connect_agent(arguments.file);
	if (fd < 0)
		return EXIT_NO_ANSWER;
	if (send(fd, &arguments.ask, sizeof(arguments.ask), MSG_NOSIGNAL) !=
	    sizeof(arguments.ask)) {
		fprintf(stderr, "lauxend: the agent does not listen: %s\n", strerror(errno));
		rc = EXIT_NO_ANSWER;
	} else {
		rc = follow(fd, &arguments);
	}
	close(fd);
	return rc;
}
