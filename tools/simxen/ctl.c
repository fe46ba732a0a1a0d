#include "tools/simxen/ctl.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/simxen/command.h"
#include "tools/simxen/control.h"

#define CTL_LOST 1
#define CTL_WAITED 3
#define WAIT_SECONDS 30 /* of `wait`, by default */
#define WAIT_STEP_MS 20

static const char *socket_path = "/run/simxen.sock";

static void
usage(FILE *to)
{
	fprintf(to,
		"usage: simxen ctl [-s SOCKET] COMMAND [WORD ...]\n"
		"  -s SOCKET   as given to simxen -s (%s)\n"
		"VM is a name, a UUID or a domid. Commands:\n",
		socket_path);
	command_help(to);
	fprintf(to, "  %-16s %-34s %s\n", "wait", "VM STATE [SECONDS]",
		"until state says so, or 3 is returned");
	fprintf(
	    to,
	    "create and restore: --monitor (as a person's xl), --paused. Actions: --direct (no\n"
	    "injected faults). See simxen(8).\n");
}

static int
connect_control(void)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = snprintf(to.sun_path, sizeof(to.sun_path), "%s%s", socket_path, CONTROL_SUFFIX);

	if (r < (int)sizeof(to.sun_path) && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	fprintf(stderr, "simxen: cannot reach simxen at %s: %s; does it run?\n", to.sun_path,
		r < (int)sizeof(to.sun_path) ? strerror(errno) : "the path is too long");
	close(fd);
	return -1;
}

/* Sends the words; false where they do not fit or simxen has gone. */
static bool
send_words(int fd, int count, char *const *words)
{
	char request[sizeof(uint32_t) + CONTROL_REQUEST_MAX];
	uint32_t used = 0;

	for (int i = 0; i < count; i++) {
		size_t length = strlen(words[i]) + 1;

		if (used + length > CONTROL_REQUEST_MAX)
			return false;
		memcpy(request + sizeof(used) + used, words[i], length);
		used += (uint32_t)length;
	}
	memcpy(request, &used, sizeof(used));
	return send(fd, request, sizeof(used) + used, MSG_NOSIGNAL) ==
	       (ssize_t)(sizeof(used) + used);
}

/* Runs one command in simxen. What it says goes to *text, to be freed. Returns its exit code. */
static int
ask(int count, char *const *words, char **text)
{
	size_t length = 0;
	int fd = connect_control(), status;
	char buffer[4096];
	ssize_t got = -1;
	FILE *out = open_memstream(text, &length);

	if (!out)
		abort();
	if (fd >= 0 && send_words(fd, count, words))
		while ((got = read(fd, buffer, sizeof(buffer))) > 0)
			fwrite(buffer, 1, (size_t)got, out);
	fclose(out);
	if (fd >= 0)
		close(fd);
	if (length == 0) {
		if (fd >= 0)
			fprintf(stderr, "simxen: it ended without an answer\n");
		return CTL_LOST;
	}
	status = **text - '0';
	memmove(*text, *text + 1, length);
	return status;
}

static int
run_wait(int count, char *const *words)
{
	int64_t deadline_ms;
	char *end = NULL, *text, state[64] = "";
	long seconds = count > 3 ? strtol(words[3], &end, 10) : WAIT_SECONDS;

	if (count < 3 || count > 4 || (end && *end) || seconds < 0) {
		fprintf(stderr, "usage: simxen ctl wait VM STATE [SECONDS]\n");
		return COMMAND_USAGE;
	}
	deadline_ms = clock_mono_ms() + seconds * 1000;
	do {
		int status = ask(2, (char *const[]){"state", words[1]}, &text);

		snprintf(state, sizeof(state), "%.*s", (int)strcspn(text, "\n"), text);
		free(text);
		if (status != COMMAND_OK)
			return status;
		if (strcmp(state, words[2]) == 0)
			return COMMAND_OK;
		poll(NULL, 0, WAIT_STEP_MS);
	} while (clock_mono_ms() < deadline_ms);
	fprintf(stderr, "simxen: %s is %s, not %s, after %ld s\n", words[1], state, words[2],
		seconds);
	return CTL_WAITED;
}

/* simxen has a directory of its own: files are named from the root. */
static void
make_path_absolute(const struct command *command, int count, char **words)
{
	char *cwd, *path;
	int word = 0, i;

	for (i = 1; i < count; i++)
		if (words[i][0] != '-' && ++word == command->path)
			break;
	if (i == count || words[i][0] == '/')
		return;
	cwd = getcwd(NULL, 0);
	if (cwd && asprintf(&path, "%s/%s", cwd, words[i]) > 0)
		words[i] = path; /* until the process ends */
	free(cwd);
}

int
ctl_main(int argc, char **argv)
{
	static const struct option options[] = {
	    {"socket", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}, {0}};
	const struct command *command;
	char *text;
	int c, status;

	while ((c = getopt_long(argc, argv, "+s:h", options, NULL)) != -1) {
		if (c == 's')
			socket_path = optarg;
		else {
			usage(c == 'h' ? stdout : stderr);
			return c == 'h' ? COMMAND_OK : COMMAND_USAGE;
		}
	}
	argc -= optind;
	argv += optind;
	if (argc < 1) {
		usage(stderr);
		return COMMAND_USAGE;
	}
	if (strcmp(argv[0], "wait") == 0)
		return run_wait(argc, argv);
	command = command_find(argv[0]);
	if (command && argc > 1 && strcmp(argv[1], "--help") == 0) {
		printf("usage: simxen ctl %s %s\n%s\n", command->name, command->usage,
		       command->help);
		return COMMAND_OK;
	}
	if (command && command->path)
		make_path_absolute(command, argc, argv);
	status = ask(argc, argv, &text);
	fputs(text, status == COMMAND_OK ? stdout : stderr);
	free(text);
	return status;
}
