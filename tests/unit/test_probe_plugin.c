/* Plugins: what their end means, what they are given, and that nothing is left of them. */
#include "probe_run.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LONG_MS 15000

static char folder[] = "/tmp/lauxen-plugin-XXXXXX";

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

static struct probe_target
plugin(const char *command, uint32_t timeout_ms)
{
	return (struct probe_target){
	    .kind = SERVICE_PLUGIN, .command = command, .timeout_ms = timeout_ms};
}

static void
expect_end(const char *command, enum probe_outcome outcome, int status, const char *text)
{
	struct probe_target to = plugin(command, LONG_MS);

	expect(&to, outcome, text);
	assert_int_equal(run.results[run.count - 1].status, status);
}

/* No child of this process is left, dead or alive. */
static void
no_child_is_left(void)
{
	int64_t limit_ms = clock_mono_ms() + RUN_LIMIT_MS;

	while (waitid(P_ALL, 0, &(siginfo_t){0}, WEXITED | WNOHANG | WNOWAIT) == 0) {
		if (clock_mono_ms() > limit_ms)
			fail_msg("a child is left");
		event_base_loop(run.base, EVLOOP_ONCE);
	}
	assert_int_equal(errno, ECHILD);
}

static void
test_exit_status(void **state)
{
	(void)state;
	expect_end("/bin/sh -c 'echo \"OK - all well | a=1\"; exit 0'", PROBE_UP, 0,
		   "OK - all well");
	expect_end("/bin/sh -c 'echo \"WARNING | a=1\"; exit 1'", PROBE_UP, 1, "WARNING");
	expect_end("/bin/sh -c 'echo CRITICAL; echo more; exit 2'", PROBE_DOWN, 2, "CRITICAL");
	expect_end("/bin/sh -c 'echo UNKNOWN >&2; exit 3'", PROBE_ERROR, 3, "UNKNOWN");
	expect_end("/bin/sh -c 'exit 255'", PROBE_ERROR, 255, "exit status 255 without a word");
	expect_end("/bin/true", PROBE_UP, 0, "");
	expect_end("/bin/sh -c 'echo well; kill -SEGV $$'", PROBE_ERROR, -1,
		   "the plugin was killed by signal 11");
}

static void
test_cannot_run(void **state)
{
	char path[64], text[128];

	(void)state;
	expect_end("check_http", PROBE_ERROR, -1,
		   "the command does not begin with an absolute path");
	expect_end("", PROBE_ERROR, -1, "the command does not begin with an absolute path");
	expect_end("/nowhere/check_http -H x", PROBE_ERROR, 127,
		   "/nowhere/check_http: No such file or directory");
	snprintf(path, sizeof(path), "%s/plain", folder);
	close(open(path, O_CREAT | O_WRONLY, 0644));
	snprintf(text, sizeof(text), "%s: Permission denied", path);
	expect_end(path, PROBE_ERROR, 127, text);
	chmod(path, 0755); /* an empty file, without an interpreter */
	snprintf(text, sizeof(text), "%s: Exec format error", path);
	expect_end(path, PROBE_ERROR, 127, text);
}

/* Printable, one line, at most what the result holds; a flood is no answer. */
static void
test_output(void **state)
{
	char long_line[TEXT_SIZE];

	(void)state;
	expect_end("/usr/bin/printf '\\377\\376ab\\001\\000c\\033[31m\\n'", PROBE_UP, 0,
		   "??ab??c?[31m");
	expect_end("/usr/bin/printf 'gr\\303\\274n\\n'", PROBE_UP, 0, "gr\303\274n");
	expect_end("/usr/bin/printf '\\n\\n%200s\\n' x", PROBE_UP, 0, "x");
	memset(long_line, '?', sizeof(long_line) - 1);
	long_line[sizeof(long_line) - 1] = '\0';
	expect_end("/bin/sh -c 'head -c 60000 /dev/zero; exit 2'", PROBE_DOWN, 2, long_line);
	expect_end("/usr/bin/yes", PROBE_ERROR, -1,
		   "the plugin was killed: more than 64 KiB of output");
	no_child_is_left();
}

/* What the test has, and a plugin must not get. */
static void
test_surroundings(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */
	sigset_t blocked, before;

	(void)state;
	setenv("LX_SECRET", "hush", 1);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	umask(077);
	expect_end("/usr/bin/env -u PATH -u HOME -u LC_ALL", PROBE_UP, 0, "");
	expect_end("/bin/sh -c 'echo \"$PATH $HOME $LC_ALL\"'", PROBE_UP, 0,
		   "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin / C");
	expect_end("/bin/sh -c 'echo $(pwd) $(umask)'", PROBE_UP, 0, "/ 0022");
	expect_end("/bin/sh -c 'cd /proc/$$/fd; echo *'", PROBE_UP, 0,
		   "0 1 2 3"); /* 3: the folder itself */
	expect_end("/bin/sh -c 'read line || echo nothing to read'", PROBE_UP, 0,
		   "nothing to read");
	/* But the two signals that are the C library's own: posix_spawn(3), as of make, ignores
	 * them. */
	expect_end("/bin/grep -cE ^SigIgn:.0000000[01][08]0000000$ /proc/self/status", PROBE_UP, 0,
		   "1");
	expect_end("/bin/grep SigBlk /proc/self/status", PROBE_UP, 0, "SigBlk: 0000000000000000");
	umask(022);
	sigprocmask(SIG_SETMASK, &before, NULL);
	signal(SIGPIPE, SIG_DFL);
	unsetenv("LX_SECRET");
	close(fd);
}

/* Reads pids from the test's folder as a plugin left them there; waits for them. */
static void
read_pids(const char *name, pid_t *pids, size_t count)
{
	int64_t limit_ms = clock_mono_ms() + RUN_LIMIT_MS;
	char path[64];
	size_t got = 0;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	while (got < count) {
		FILE *file = fopen(path, "re");

		event_base_loop(run.base, EVLOOP_ONCE);
		if (clock_mono_ms() > limit_ms)
			fail_msg("no pids in %s", path);
		for (got = 0; file && got < count && fscanf(file, "%d\n", &pids[got]) == 1; got++)
			;
		if (file)
			fclose(file);
	}
}

/* Gone, or dead and for init to reap. */
static bool
is_gone(pid_t pid)
{
	char path[64], line[256] = "", *state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return true;
	state = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return !state || state[2] == 'Z' || state[2] == 'X';
}

static void
wait_gone(const pid_t *pids, size_t count)
{
	int64_t limit_ms = clock_mono_ms() + RUN_LIMIT_MS;

	for (size_t i = 0; i < count; i++)
		while (!is_gone(pids[i])) {
			if (clock_mono_ms() > limit_ms)
				fail_msg("process %d lives on", pids[i]);
			event_base_loop(run.base, EVLOOP_ONCE);
		}
}

/* A script that writes its own pid and that of a child, and then does more. */
static const char *
family(const char *name, const char *more)
{
	static char command[256];

	snprintf(command, sizeof(command),
		 "/bin/sh -c 'sleep 1000 & echo $$ $! | tr \" \" \"\\n\" >%s/%s; %s'", folder, name,
		 more);
	return command;
}

static void
test_hangs_with_a_child(void **state)
{
	struct probe_target to = plugin(family("hangs", "wait"), 700);
	pid_t pids[2];

	(void)state;
	run_start(&to, 0);
	read_pids("hangs", pids, 2);
	assert_int_equal(run.count, 0);
	run_until(1);
	assert_int_equal(run.results[0].outcome, PROBE_SILENT);
	assert_string_equal(run.results[0].text, "the plugin was killed after 700 ms");
	assert_in_range(run.results[0].latency_us, 700000, 2000000);
	wait_gone(pids, 2);
	no_child_is_left();
}

/* SIGTERM does not end it, and closed output does not hide it. */
static void
test_hangs_stubbornly(void **state)
{
	struct probe_target to = plugin(
	    "/bin/sh -c 'trap \"\" TERM INT HUP; exec >&- 2>&-; while :; do sleep 1; done'", 300);

	(void)state;
	expect(&to, PROBE_SILENT, "the plugin was killed after 300 ms");
	no_child_is_left();
}

/* Its end counts, not that of what it left behind with its output open. */
static void
test_leaves_a_child(void **state)
{
	pid_t pids[2];

	(void)state;
	expect_end(family("leaves", "echo CRITICAL; exit 2"), PROBE_DOWN, 2, "CRITICAL");
	read_pids("leaves", pids, 2);
	wait_gone(pids, 2);
	no_child_is_left();
}

static void
test_cancel(void **state)
{
	struct probe_target to = plugin(family("cancel", "wait"), LONG_MS);
	pid_t pids[2];

	(void)state;
	run_start(&to, 0);
	read_pids("cancel", pids, 2);
	prober_cancel(run.prober, 0);
	wait_gone(pids, 2);
	no_child_is_left();
	assert_int_equal(run.count, 0);
}

static void
test_free_kills(void **state)
{
	struct probe_target to = plugin(family("free", "wait"), LONG_MS);
	pid_t pids[2];

	(void)state;
	run_start(&to, 0);
	read_pids("free", pids, 2);
	prober_free(run.prober);
	run.prober = prober_new(run.base, -1, -1, run_done, &run);
	wait_gone(pids, 2);
	no_child_is_left();
}

/* Somebody else's child, that ended before and while plugins did, keeps its status. */
static void
test_others_children(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0)
		_exit(7);
	for (int i = 0; i < 5; i++)
		expect_end("/bin/true", PROBE_UP, 0, "");
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	no_child_is_left();
}

static unsigned most_children;

static void
count_children(void)
{
	char path[64], list[1024] = "";
	unsigned count = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	file = fopen(path, "re");
	if (!file)
		return;
	if (fgets(list, sizeof(list), file))
		for (char *at = list; (at = strchr(at, ' ')); at++)
			count++;
	fclose(file);
	most_children = count > most_children ? count : most_children;
}

/* 16 at a time. What waits has not begun, so its own deadline does not run. */
static void
test_a_crowd_waits(void **state)
{
	struct probe_target slow = plugin("/bin/sleep 2", LONG_MS),
			    quick = plugin("/bin/true", 1900);

	(void)state;
	for (uint64_t tag = 0; tag < 16; tag++)
		run_start(&slow, tag);
	for (uint64_t tag = 16; tag < 24; tag++)
		run_start(&quick, tag);
	while (run.count < 24) {
		run_until(run.count + 1);
		count_children();
	}
	for (uint64_t tag = 0; tag < 24; tag++)
		assert_int_equal(run.results[tag].outcome, PROBE_UP);
	assert_in_range(most_children, 2, 16);
	no_child_is_left();
}

/* What waits for longer than anybody waits for it is not run any more: those that come after it
 * have their turn. */
static void
test_a_crowd_that_hangs(void **state)
{
	struct probe_target hung = plugin("/bin/sleep 5", 500), last = plugin("/bin/true", LONG_MS);
	size_t stale = 0;

	(void)state;
	for (uint64_t tag = 0; tag < 200; tag++)
		run_start(&hung, tag);
	run_for(1400);
	run_start(&last, 200);
	run_until(201);
	for (uint64_t tag = 0; tag < 200; tag++)
		if (run.results[tag].outcome == PROBE_SILENT)
			assert_string_equal(run.results[tag].text,
					    "the plugin was killed after 500 ms");
		else if (strcmp(run.results[tag].text, "too many attempts are under way") == 0)
			stale++;
	assert_in_range(stale, 100, 184);
	assert_int_equal(run.results[200].outcome, PROBE_UP);
	no_child_is_left();
}

static void
test_descriptors(void **state)
{
	struct probe_target to = plugin("/bin/true", LONG_MS);
	int before = dup(0), after;

	(void)state;
	close(before);
	for (uint64_t tag = 0; tag < 50; tag++)
		run_start(&to, tag);
	run_until(50);
	no_child_is_left();
	after = dup(0);
	close(after);
	assert_int_equal(after, before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(test_exit_status),
	    TEST(test_cannot_run),
	    TEST(test_output),
	    TEST(test_surroundings),
	    TEST(test_hangs_with_a_child),
	    TEST(test_hangs_stubbornly),
	    TEST(test_leaves_a_child),
	    TEST(test_cancel),
	    TEST(test_free_kills),
	    TEST(test_others_children),
	    TEST(test_a_crowd_waits),
	    TEST(test_a_crowd_that_hangs),
	    TEST(test_descriptors),
	};

	return cmocka_run_group_tests_name("probe_plugin", tests, make_folder, remove_folder);
}
