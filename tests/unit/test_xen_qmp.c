/* What a QEMU says of the disks that it serves, or what it says or does instead. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "hypervisor/xen_driver.h"

/* As QEMU 7.2 says it: a PV guest's qcow2; a raw one; a CD of an HVM guest, which is no PV disk. */
#define PARENT                                                                                     \
	"\"parent\": {\"stats\": {\"rd_operations\": 9, \"wr_operations\": 9, \"rd_bytes\": 9, "   \
	"\"wr_bytes\": 9, \"failed_rd_operations\": 0, \"failed_wr_operations\": 0, "              \
	"\"failed_flush_operations\": 0}, \"node-name\": \"#block061\", "                          \
	"\"driver-specific\": {\"discard-bytes-ok\": 0, \"driver\": \"file\"}}, "
#define STATS(reads, writes, read_octets, written_octets, failed)                                  \
	"\"stats\": {\"unmap_operations\": 0, \"flush_total_time_ns\": 0, \"wr_highest_offset\": " \
	"4096, \"failed_wr_operations\": " #failed ", \"failed_rd_operations\": 1, "               \
	"\"wr_bytes\": " #written_octets ", \"timed_stats\": [], "                                 \
	"\"failed_flush_operations\": 0, \"account_invalid\": true, \"wr_operations\": " #writes   \
	", \"rd_bytes\": " #read_octets ", \"rd_operations\": " #reads                             \
	", \"account_failed\": true, \"idle_time_ns\": 54094870876}"
#define DISK(node, stats)                                                                          \
	"{\"device\": \"\", " PARENT stats ", \"node-name\": \"" node                              \
	"\", \"qdev\": \"/machine/unattached/device[2]\"}"
#define ANSWER(disks) "{\"return\": [" disks "], \"id\": \"lauxen\"}"

static const char golden[] = ANSWER(DISK("xvda-qcow2", STATS(1, 2, 4096, 1048576, 3)) ", " DISK(
    "xvdb-raw", STATS(5, 6, 9007199254740993, 8, 0)) ", "
						     "{\"device\": \"ide1-cd0\", " STATS(
							 1, 1, 1, 1,
							 1) ", \"node-name\": \"#block150\"}");

static bool
parse(const char *line, struct xen_qmp *answer)
{
	*answer = (struct xen_qmp){0};
	return xen_qmp_parse(line, strlen(line), answer);
}

static void
test_golden(void **state)
{
	struct xen_qmp answer;
	const struct xen_qmp_disk *disk;

	(void)state;
	assert_true(parse(golden, &answer));
	assert_int_equal(answer.count, 2);
	disk = xen_qmp_disk(&answer, "xvda");
	assert_non_null(disk);
	assert_int_equal(disk->reads, 1);
	assert_int_equal(disk->writes, 2);
	assert_int_equal(disk->read_octets, 4096);
	assert_int_equal(disk->written_octets, 1048576);
	assert_int_equal(disk->errors, 4);
	disk = xen_qmp_disk(&answer, "xvdb");
	assert_non_null(disk);
	assert_int_equal(disk->read_octets, UINT64_C(9007199254740993));
	assert_null(xen_qmp_disk(&answer, "xvd"));
	assert_null(xen_qmp_disk(&answer, ""));
	free(answer.list);
}

/* Nothing of these is taken for a disk; ours: it was the answer all the same. */
static void
test_rubbish(void **state)
{
	static const struct {
		const char *line;
		bool ours;
	} cases[] = {
	    {"", false},
	    {"\r", false},
	    {"{", false},
	    {"[]", false},
	    {"null", false},
	    {"\xff\xfe\x00", false},
	    {"{\"QMP\": {\"version\": {}, \"capabilities\": [\"oob\"]}}", false},
	    {"{\"return\": {}}", false},
	    {"{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1}}", false},
	    {"{\"return\": [], \"id\": 5}", false},
	    {"{\"return\": [], \"id\": \"other\"}", false},
	    {"{\"return\": [], \"id\": \"lauxen\"} x", false},
	    {"{\"error\": {\"class\": \"CommandNotFound\"}, \"id\": \"lauxen\"}", true},
	    {"{\"return\": 5, \"id\": \"lauxen\"}", true},
	    {ANSWER("5, null, [], {}, \"x\""), true},
	    {ANSWER("{\"node-name\": \"xvda-raw\"}"), true},
	    {ANSWER("{\"node-name\": \"xvda-raw\", \"stats\": []}"), true},
	    {ANSWER(DISK("xvda", STATS(1, 1, 1, 1, 1))), true},
	    {ANSWER(DISK("-raw", STATS(1, 1, 1, 1, 1))), true},
	    {ANSWER(DISK("anameofmanyoctets-raw", STATS(1, 1, 1, 1, 1))), true},
	    {ANSWER(DISK("xvda-raw", STATS(-1, 1, 1, 1, 1))), true},
	    {ANSWER(DISK("xvda-raw", STATS(1.5, 1, 1, 1, 1))), true},
	    {ANSWER(DISK("xvda-raw", STATS("1", 1, 1, 1, 1))), true},
	    {ANSWER(DISK("xvda-raw", STATS(1, 1, 1, true, 1))), true},
	    {ANSWER(DISK("xvda-raw", STATS(9223372036854775808, 1, 1, 1, 1))), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct xen_qmp answer;

		if (parse(cases[i].line, &answer) != cases[i].ours || answer.count)
			fail_msg("%s", cases[i].line);
	}
}

static void
test_the_first_of_a_name_counts(void **state)
{
	struct xen_qmp answer;

	(void)state;
	assert_true(parse(ANSWER(DISK("xvda-raw", STATS(1, 1, 1, 1, 1)) ", " DISK(
			      "xvda-raw", STATS(2, 2, 2, 2, 2))),
			  &answer));
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.list->reads, 1);
	free(answer.list);
}

/* No deeper and no longer than the stack and memory bear. */
static void
test_depth(void **state)
{
	size_t length = 200000;
	char *text = mem_alloc(length + 1);
	struct xen_qmp answer;

	(void)state;
	memset(text, '[', length);
	assert_false(parse(text, &answer));
	free(text);
}

/* QEMUs, each a process that serves one connection and says what its line tells. */

static char dir[] = "/tmp/lauxen-qmp-XXXXXX";

static int
listen_as(uint32_t domid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	TEXT_FORMAT(address.sun_path, "%s/qmp-libxenstat-%u", dir, domid);
	unlink(address.sun_path);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 0), 0);
	return fd;
}

static void
say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void
say_all(int fd)
{
	char asked[256];

	say(fd, "{\"QMP\": {\"capabilities\": [\"oob\"]}}\r\n");
	if (recv(fd, asked, sizeof(asked), 0) <= 0)
		_exit(1);
	say(fd, "{\"return\": {}}\r\n");
	usleep(20000); /* the answer comes in parts */
	say(fd, "{\"return\": [" DISK("xvda-raw", STATS(11, 2, 3, 4, 5)));
	usleep(20000);
	say(fd, "], \"id\": \"lauxen\"}\r\n");
}

static void
say_nothing(int fd)
{
	(void)fd;
	pause();
}

static void
say_without_end(int fd)
{
	for (;;)
		say(fd, "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[");
}

static void
say_lines_without_end(int fd)
{
	for (;;)
		say(fd, "{\"return\": {}}\r\n");
}

static void
say_half(int fd)
{
	say(fd, "{\"return\": [" DISK("xvda-raw", STATS(11, 2, 3, 4, 5)));
}

static pid_t
qemu(uint32_t domid, void (*serve)(int fd))
{
	int fd = listen_as(domid), peer;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(20);
		peer = accept(fd, NULL, NULL);
		serve(peer);
		_exit(0);
	}
	close(fd);
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* The one that answers is heard whatever the others do, and all of it ends in time. */
static void
test_talks(void **state)
{
	enum { GOOD, SILENT, FLOOD, LINES, HALF, GONE, QEMUS };
	struct xen_qmp *answers = mem_array(QEMUS, sizeof(*answers));
	pid_t pids[GONE] = {[GOOD] = qemu(GOOD, say_all),
			    [SILENT] = qemu(SILENT, say_nothing),
			    [FLOOD] = qemu(FLOOD, say_without_end),
			    [LINES] = qemu(LINES, say_lines_without_end),
			    [HALF] = qemu(HALF, say_half)};
	int64_t begin_ms;

	(void)state;
	for (uint32_t i = 0; i < QEMUS; i++)
		answers[i].domid = i;
	begin_ms = clock_mono_ms();
	xen_qmp_ask(dir, answers, QEMUS);
	assert_true(clock_mono_ms() - begin_ms < XEN_QMP_MS + 500);
	assert_int_equal(answers[GOOD].count, 1);
	assert_int_equal(answers[GOOD].list->reads, 11);
	for (int i = SILENT; i < QEMUS; i++)
		assert_int_equal(answers[i].count, 0);
	xen_qmp_dispose(answers, QEMUS);
	for (int i = 0; i < GONE; i++)
		end(pids[i]);
}

/* One that does not accept: at first there is room to wait in, then connect() says so at once. */
static void
test_stopped(void **state)
{
	int fd = listen_as(9);

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct xen_qmp *answer = mem_array(1, sizeof(*answer));
		int64_t begin_ms = clock_mono_ms();

		answer->domid = 9;
		xen_qmp_ask(dir, answer, 1);
		assert_int_equal(answer->count, 0);
		assert_true(clock_mono_ms() - begin_ms < XEN_QMP_MS + 500);
		xen_qmp_dispose(answer, 1);
	}
	close(fd);
}

static void
test_nobody(void **state)
{
	(void)state;
	xen_qmp_ask(dir, NULL, 0);
}

static int
make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int
remove_dir(void **state)
{
	char path[64];

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		TEXT_FORMAT(path, "%s/qmp-libxenstat-%u", dir, i);
		unlink(path);
	}
	return rmdir(dir);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_golden), cmocka_unit_test(test_rubbish),
	    cmocka_unit_test(test_depth),  cmocka_unit_test(test_the_first_of_a_name_counts),
	    cmocka_unit_test(test_talks),  cmocka_unit_test(test_stopped),
	    cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests_name("xen_qmp", tests, make_dir, remove_dir);
}
