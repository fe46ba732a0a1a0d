/* The engine's process as a whole: its end, and that of who asks by hand, while the disk has not
 * answered yet. */
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/process.h"
#include "control/control.h"

#define END_MS 8000

#define DISK_FULL UINT32_MAX

static unsigned *disk_us; /* that a sync takes; shared with the engine */

/* A slow disk, for SQLite, or a full one: in the place of the C library's. */
__attribute__((visibility("default"))) int
fdatasync(int fd)
{
	if (*disk_us == DISK_FULL) {
		errno = ENOSPC;
		return -1;
	}
	usleep(*disk_us);
	return (int)syscall(SYS_fdatasync, fd);
}

static char dir[64];

static int
setup(void **state)
{
	char path[128];
	FILE *to;

	(void)state;
	*disk_us = 30000;
	strcpy(dir, "/tmp/lauxen-engine-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf", dir);
	to = fopen(path, "w");
	assert_non_null(to);
	fprintf(
	    to,
	    "agent {\n name = test\n state-dir = \"%s\"\n}\nvm www {\n file = \"%s/www.cfg\"\n}\n",
	    dir, dir);
	fclose(to);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void
become_engine(int control)
{
	struct options options = {.foreground = true};
	char path[128];
	int config;

	snprintf(path, sizeof(path), "%s/conf", dir);
	config = fcntl(open(path, O_RDONLY), F_DUPFD, PROCESS_CONFIG_FD + 1);
	control = fcntl(control, F_DUPFD, PROCESS_CONFIG_FD + 1);
	dup2(control, PROCESS_CONTROL_FD);
	dup2(config, PROCESS_CONFIG_FD);
	close_range(PROCESS_CONFIG_FD + 1, ~0u, 0);
	exit(engine_main(&options));
}

static void
say(int to, int type, uint32_t detail, const void *body, size_t size, int fd)
{
	struct message message = {.type = (uint16_t)type, .size = (uint16_t)size, .detail = detail};
	struct iovec part = {&message, MESSAGE_HEAD + size};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (size > 0)
		memcpy(message.body, body, size);
	if (fd >= 0) {
		header.msg_control = control.room;
		header.msg_controllen = sizeof(control.room);
		CMSG_FIRSTHDR(&header)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&header)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&header)->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), &fd, sizeof(int));
	}
	assert_true(sendmsg(to, &header, 0) > 0);
}

/* Until the engine tells agentx type. */
static void
hear(int from, int type)
{
	struct message message;

	do
		assert_true(recv(from, &message, sizeof(message), 0) > 0);
	while (message.type != type);
}

/* The status of pid's end; killed where it does not end. */
static int
end_of(pid_t pid)
{
	int64_t until_ms = clock_mono_ms() + END_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (clock_mono_ms() > until_ms) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		usleep(10000);
	}
	return status;
}

static void
test_ends_while_a_hold_is_being_written(void **state)
{
	struct hold hold = {.verb = VERB_START, .vm = 1};
	int control[2], agentx[2], status;
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, agentx), 0);
	pid = fork();
	if (pid == 0)
		become_engine(control[1]);
	close(control[1]);
	say(control[0], MSG_HELLO, MESSAGES_VERSION, NULL, 0, -1);
	say(control[0], MSG_PEER, ROLE_AGENTX, NULL, 0, agentx[1]);
	close(agentx[1]);
	say(agentx[0], MSG_HELLO, MESSAGES_VERSION, NULL, 0, -1);
	say(agentx[0], MSG_HOLD, 1, &hold, sizeof(hold), -1);
	hear(agentx[0], MSG_HELD);
	for (uint32_t token = 2; token < 6; token++) {
		TEXT_FORMAT(hold.id, "r%u", token);
		TEXT_SET(hold.vm_text, "www");
		say(agentx[0], MSG_HOLD, token, &hold, sizeof(hold), -1);
		say(agentx[0], MSG_RELEASE, token - 1, NULL, 0, -1);
	}
	usleep(5000);	   /* they are read, and not on disk */
	close(control[0]); /* the parent is killed */
	status = end_of(pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	close(agentx[0]);
}

/* ---- by hand ---- */

static pid_t
begin(int *parent)
{
	int control[2];
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, control), 0);
	pid = fork();
	if (pid == 0)
		become_engine(control[1]);
	close(control[1]);
	say(control[0], MSG_HELLO, MESSAGES_VERSION, NULL, 0, -1);
	*parent = control[0];
	return pid;
}

static void
end(pid_t pid, int parent)
{
	int status;

	close(parent);
	status = end_of(pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* As lauxend --request has it. */
static int
ask(uint32_t verb, const char *target)
{
	struct control_ask ask = {.version = CONTROL_VERSION, .verb = verb};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int64_t until_ms = clock_mono_ms() + END_MS;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/" CONTROL_NAME, dir);
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		assert_true(clock_mono_ms() < until_ms);
		usleep(5000);
	}
	TEXT_SET(ask.target, target);
	assert_int_equal(send(fd, &ask, sizeof(ask), 0), sizeof(ask));
	return fd;
}

/* The next report to who asked. */
static struct control_report
report_to(int fd)
{
	struct control_report report;

	assert_int_equal(recv(fd, &report, sizeof(report), 0), sizeof(report));
	return report;
}

static int
stored_requests(void)
{
	sqlite3_stmt *statement;
	char path[128];
	sqlite3 *db;
	int count;

	snprintf(path, sizeof(path), "%s/store.db", dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(
	    sqlite3_prepare_v2(db, "SELECT count(*) FROM request", -1, &statement, NULL),
	    SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	count = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return count;
}

/* Nothing stays that a later start would carry out, or that an equal SET would join. */
static void
test_who_asks_by_hand_goes_away(void **state)
{
	int parent, first, second;
	pid_t pid = begin(&parent);

	(void)state;
	first = ask(VERB_START, "www");
	assert_int_equal(report_to(first).state, REQUEST_QUEUED);
	*disk_us = 300000;
	second = ask(VERB_SHUTDOWN, "www");
	usleep(100000); /* it is read, and not on disk */
	close(second);
	usleep(1000000);
	end(pid, parent);
	assert_int_equal(stored_requests(), 1);
	close(first);
}

static void
test_the_engine_ends_before_it_answers_by_hand(void **state)
{
	int parent, first, second;
	struct control_report report;
	pid_t pid = begin(&parent);

	(void)state;
	first = ask(VERB_START, "www");
	assert_int_equal(report_to(first).state, REQUEST_QUEUED);
	*disk_us = 300000;
	second = ask(VERB_SHUTDOWN, "www");
	usleep(100000);
	end(pid, parent);
	assert_int_equal(recv(second, &report, sizeof(report), 0), 0);
	assert_int_equal(stored_requests(), 1);
	close(first);
	close(second);
}

/* As when a host with a full disk goes down. */
static void
test_by_hand_on_a_full_disk(void **state)
{
	struct control_report report;
	int parent, first, second;
	pid_t pid = begin(&parent);

	(void)state;
	first = ask(VERB_START, "www");
	report = report_to(first);
	assert_int_equal(report.state, REQUEST_QUEUED);
	assert_string_equal(report.error, "");
	*disk_us = DISK_FULL;
	second = ask(VERB_SHUTDOWN, "*");
	report = report_to(second);
	assert_int_equal(report.state, REQUEST_RUNNING);
	assert_non_null(strstr(report.error, "cannot be written"));
	end(pid, parent);
	close(first);
	close(second);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_ends_while_a_hold_is_being_written, setup,
					    teardown),
	    cmocka_unit_test_setup_teardown(test_who_asks_by_hand_goes_away, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_by_hand_on_a_full_disk, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_the_engine_ends_before_it_answers_by_hand, setup,
					    teardown),
	};

	disk_us =
	    mmap(NULL, sizeof(*disk_us), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(disk_us != MAP_FAILED);

	return cmocka_run_group_tests(tests, NULL, NULL);
}
