/*
 * Commands for simxen without the start of a process for each: reads lines of words, as for
 * `simxen ctl`, and prints "SENT_US WORDS" with the time right before it asked simxen; a rest
 * between two. Ends with 1 where simxen refuses one.
 *
 * usage: steer SOCKET GAP_MS <COMMANDS
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include "tests/bench/client.h"
#include "tools/simxen/control.h"

static int
control_connect(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s%s", path, CONTROL_SUFFIX);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror(to.sun_path);
		exit(2);
	}
	return fd;
}

/* Blanks become the NULs that end the words. Returns simxen's exit code. */
static int
command(const char *path, const char *line)
{
	char request[sizeof(uint32_t) + 512], answer[256];
	uint32_t length = (uint32_t)strlen(line) + 1;
	int fd = control_connect(path);
	ssize_t got;

	memcpy(request, &length, sizeof(length));
	memcpy(request + sizeof(length), line, length);
	for (char *p = request + sizeof(length); *p; p++)
		if (*p == ' ')
			*p = 0;
	got = send(fd, request, sizeof(length) + length, MSG_NOSIGNAL) < 0
		  ? -1
		  : recv(fd, answer, sizeof(answer) - 1, 0);
	close(fd);
	if (got > 0 && answer[0] == '0')
		return 0;
	fprintf(stderr, "%s: %.*s\n", line, got > 1 ? (int)got - 1 : 0, answer + 1);
	return 1;
}

int
main(int argc, char **argv)
{
	char line[500];

	if (argc != 3) {
		fprintf(stderr, "usage: %s SOCKET GAP_MS <COMMANDS\n", argv[0]);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		int64_t sent_us = client_now_us();

		line[strcspn(line, "\n")] = 0;
		if (command(argv[1], line) != 0)
			return 1;
		printf("%" PRId64 " %s\n", sent_us, line);
		poll(NULL, 0, atoi(argv[2]));
	}
	return 0;
}
