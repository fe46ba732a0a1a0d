/* The records of actions: who may take one, and what is read of it at every moment of its life. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "hypervisor/records.h"

static char dir[64], path[PATH_MAX];
static struct action action = {.id = 5, .journal = 0xabc, .verb = VERB_PAUSE, .deadline_ms = 1000};
static struct record record;
static pid_t holder;

static int
setup(void **state)
{
	char error[TEXT_SIZE];

	(void)state;
	strcpy(dir, "/tmp/lauxen-records-XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_true(records_prepare(dir, error));
	record_path(path, dir, action.journal, action.id);
	assert_true(record_write(path, &action, error));
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

/* Runs body in a child that says "ready" by a pipe and then waits to be killed. */
static pid_t
in_child(int (*body)(void))
{
	int ready[2];
	char octet = 0;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		octet = (char)body();
		if (write(ready[1], &octet, 1) == 1)
			pause();
		_exit(0);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &octet, 1), 1);
	close(ready[0]);
	assert_int_equal(octet, 1);
	return pid;
}

static void
end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static int
take(void)
{
	return record_take(path, false, &record) >= 0;
}

static int
take_and_end(void)
{
	struct outcome outcome = {.id = 5, .journal = 0xabc, .state = REQUEST_SUCCEEDED};
	int fd = record_take(path, false, &record);

	return fd >= 0 && record_done(fd, &outcome);
}

static int
take_to_mend(void)
{
	int fd = record_take(path, true, &record);

	return fd >= 0 && record_mended(fd);
}

static enum record_state
state_now(void)
{
	return record_look(path, &record, &holder);
}

static void
life(void **state)
{
	pid_t pid;

	(void)state;
	assert_int_equal(state_now(), RECORD_WAITS);
	pid = in_child(take_and_end);
	assert_int_equal(state_now(), RECORD_RUNS); /* as long as the helper lives */
	assert_int_equal(holder, pid);
	assert_int_equal(record_take(path, false, &record), -1);
	assert_false(record_settle(path, &record.outcome));
	end_child(pid);
	assert_int_equal(state_now(), RECORD_DONE);
	assert_int_equal(record.outcome.state, REQUEST_SUCCEEDED);
	assert_int_equal(record_take(path, false, &record), -1);
	assert_int_equal(record_take(path, true, &record), -1);
	assert_false(record_settle(path, &record.outcome));
}

static void
death(void **state)
{
	struct outcome unknown = {.id = 5, .journal = 0xabc, .state = REQUEST_UNDECIDED};
	pid_t pid = in_child(take);

	(void)state;
	assert_int_equal(state_now(), RECORD_RUNS);
	assert_in_range(record.deadline_mono_ms, clock_mono_ms() - 4000, clock_mono_ms() + 1000);
	end_child(pid);
	assert_int_equal(state_now(), RECORD_DIED);
	assert_int_equal(record_take(path, false, &record), -1); /* never again */
	assert_int_equal(record_take(path, true, &record), -1);
	assert_true(record_settle(path, &unknown));
	assert_int_equal(state_now(), RECORD_DONE);
	assert_int_equal(record.mended, 0);
	pid = in_child(take_to_mend);
	assert_int_equal(state_now(), RECORD_RUNS);
	end_child(pid);
	assert_int_equal(state_now(), RECORD_DONE);
	assert_int_equal(record.mended, 1);
	assert_int_equal(record_take(path, true, &record), -1);
}

static void
cancelled(void **state)
{
	struct outcome cancel = {.id = 5, .journal = 0xabc, .state = REQUEST_CANCELLED};

	(void)state;
	assert_true(record_settle(path, &cancel));
	assert_int_equal(record_take(path, false, &record), -1);
	assert_int_equal(state_now(), RECORD_DONE);
	assert_int_equal(record.outcome.state, REQUEST_CANCELLED);
}

/* Of many helpers for one record exactly one gets it. */
static void
one_of_many(void **state)
{
	int begin[2], won = 0, status;
	pid_t pids[20];
	char octet;

	(void)state;
	assert_int_equal(pipe(begin), 0);
	for (int i = 0; i < 20; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			close(begin[1]);
			if (read(begin[0], &octet, 1) == 0)
				_exit(take() ? 1 : 0);
			_exit(2);
		}
	}
	close(begin[0]);
	close(begin[1]);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		won += WEXITSTATUS(status);
	}
	assert_int_equal(won, 1);
}

static int scanned;

static void
count(void *arg, const char *at, const struct record *found)
{
	(void)arg;
	assert_string_equal(at, path);
	assert_int_equal(found->action.verb, VERB_PAUSE);
	scanned++;
}

static void
write_file(const char *name, size_t size)
{
	char file[PATH_MAX], octets[2000] = {0};
	int fd;

	snprintf(file, sizeof(file), "%s/actions/%s", dir, name);
	fd = open(file, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, octets, size), size);
	close(fd);
}

/* Halves, strangers and a record under another's name are removed, the configuration stays. */
static void
scan(void **state)
{
	char command[PATH_MAX * 4], error[TEXT_SIZE];

	(void)state;
	write_file("1-1", 0);
	write_file("1-2", 20);
	write_file("1-3", 2000);
	write_file("1-4.new", 100);
	write_file("config", 10);
	snprintf(command, sizeof(command), "cp %s %s.new; cp %s %s/actions/7-7", path, path, path,
		 dir);
	assert_int_equal(system(command), 0);
	scanned = 0;
	records_scan(dir, count, NULL);
	assert_int_equal(scanned, 1);
	snprintf(command, sizeof(command), "test \"$(ls %s/actions | wc -l)\" = 2", dir);
	assert_int_equal(system(command), 0);
	assert_true(records_prepare(dir, error));
	assert_false(records_prepare("/proc/nowhere", error));
	assert_non_null(strstr(error, "cannot be made"));
	assert_false(record_write("/proc/nowhere/x", &action, error));
	assert_non_null(strstr(error, "nothing was done"));
}

static const uint8_t uuid[UUID_SIZE] = {1, 2, 3}, other[UUID_SIZE] = {1, 2, 4}, none[UUID_SIZE];

static int
lock_both(void)
{
	char error[TEXT_SIZE];

	return vm_lock(dir, "web", uuid, 0, error) >= 0;
}

static void
locks(void **state)
{
	char error[TEXT_SIZE];
	pid_t pid = in_child(lock_both);
	int64_t begin_ms = clock_mono_ms();

	(void)state;
	assert_int_equal(vm_lock(dir, "web", none, 200, error), -1);
	assert_in_range(clock_mono_ms() - begin_ms, 200, 2000);
	assert_non_null(strstr(error, "another action"));
	assert_int_equal(vm_lock(dir, "", uuid, 0, error), -1);
	assert_int_equal(vm_lock(dir, "db", uuid, 0, error), -1);
	assert_true(vm_lock(dir, "db", other, 0, error) >= 0);
	end_child(pid);
	assert_true(vm_lock(dir, "web", uuid, 0, error) >= 0);
}

/* Whoever may change the folder could have root carry out what they write into it. */
static void
folder_of_others(void **state)
{
	char error[TEXT_SIZE], actions[128], elsewhere[128];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(actions, sizeof(actions), "%s/actions", dir);
	snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", dir);
	assert_int_equal(chown(dir, 65534, 65534), 0);
	assert_false(records_prepare(dir, error));
	assert_non_null(strstr(error, dir));
	assert_int_equal(chown(dir, 0, 0), 0);
	assert_true(records_prepare(dir, error));
	assert_int_equal(chmod(dir, 0777), 0);
	assert_false(records_prepare(dir, error));
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chown(actions, 65534, 65534), 0);
	assert_false(records_prepare(dir, error));
	assert_int_equal(chown(actions, 0, 0), 0);
	assert_int_equal(rename(actions, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, actions), 0);
	assert_false(records_prepare(dir, error));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(life), TEST(death), TEST(cancelled),	     TEST(one_of_many),
	    TEST(scan), TEST(locks), TEST(folder_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
