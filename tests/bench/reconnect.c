/*
 * How long until the agent is back: from the moment snmpd's AgentX socket accepts to the first
 * answered GET of an object of lxAgent. Prints milliseconds.
 *
 * usage: reconnect AGENTX_SOCKET ADDRESS
 */
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <poll.h>
#include <unistd.h>

#include "tests/bench/client.h"

#define STEP_MS 2
#define ANSWER_MS 50
#define GIVE_UP_MS 30000

static bool
accepts(const char *path)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool rc;

	snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	rc = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0;
	close(fd);
	return rc;
}

int
main(int argc, char **argv)
{
	struct client_oid uptime = CLIENT_OID(1, 1, 2, 0);
	netsnmp_session *session;
	int64_t begin_us, since_us;

	if (argc != 3) {
		fprintf(stderr, "usage: %s AGENTX_SOCKET ADDRESS\n", argv[0]);
		return 2;
	}
	client_init("reconnect");
	session = client_open(argv[2], "public", ANSWER_MS);
	begin_us = client_now_us();
	while (!accepts(argv[1])) {
		if (client_now_us() - begin_us > GIVE_UP_MS * 1000)
			return 1;
		poll(NULL, 0, STEP_MS);
	}
	since_us = client_now_us();
	while (client_get_integer(session, &uptime) < 0) {
		if (client_now_us() - since_us > GIVE_UP_MS * 1000)
			return 1;
		poll(NULL, 0, STEP_MS);
	}
	printf("%.1f\n", (double)(client_now_us() - since_us) / 1000);
	return 0;
}
