/* The store: what goes in comes out, in order, whatever happens to the disk. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <sqlite3.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "store/store.h"

#define WAIT_MS 20000 /* for whatever must come; a retry comes after 5 s */
#define DONES_MAX 20000

struct fixture {
	struct event_base *base;
	char dir[64], path[96];
	struct store *store;
	struct store_content content;
	bool ok; /* health, as told last */
	int told;
	char error[512];
	uint64_t tags[DONES_MAX];
	bool durable[DONES_MAX];
	int dones;
};

static void
told_health(void *arg, bool ok, const char *error)
{
	struct fixture *f = arg;

	f->ok = ok;
	f->told++;
	snprintf(f->error, sizeof(f->error), "%s", error);
}

static const struct store_handlers handlers = {.health = told_health};

static void
told_done(void *arg, uint64_t tag, bool durable)
{
	struct fixture *f = arg;

	assert_true(f->dones < DONES_MAX);
	f->tags[f->dones] = tag;
	f->durable[f->dones++] = durable;
}

static int
setup(void **state)
{
	struct fixture *f = mem_alloc(sizeof(*f));

	f->base = event_base_new();
	strcpy(f->dir, "/tmp/test_store.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
	*state = f;
	return 0;
}

static void
forget_content(struct fixture *f)
{
	free(f->content.vms);
	free(f->content.requests);
	free(f->content.events);
	free(f->content.services);
	f->content = (struct store_content){0};
}

static void
open_store(struct fixture *f, uint32_t journal_size)
{
	forget_content(f);
	f->told = f->dones = 0;
	f->store = store_open(f->base, f->dir, journal_size, &handlers, f, &f->content);
	assert_int_equal(f->told, 1);
}

static void
close_store(struct fixture *f)
{
	store_close(f->store, clock_mono_ms() + WAIT_MS);
	f->store = NULL;
}

static void
remove_all(const char *dir)
{
	char pattern[128];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*", dir);
	if (glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			unlink(found.gl_pathv[i]);
		globfree(&found);
	}
	unlink(dir);
	rmdir(dir);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	if (f->store)
		close_store(f);
	forget_content(f);
	event_base_free(f->base);
	remove_all(f->dir);
	free(f);
	return 0;
}

/* Runs the loop until *value is want. */
static void
wait_int(struct fixture *f, const int *value, int want)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	struct timeval turn = {.tv_usec = 20000};

	while (*value < want) {
		if (clock_mono_ms() > until_ms)
			fail_msg("%d instead of %d; store: %s", *value, want, f->error);
		event_base_loopexit(f->base, &turn);
		event_base_dispatch(f->base);
	}
}

static void
wait_health(struct fixture *f, bool ok)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	struct timeval turn = {.tv_usec = 20000};

	while (f->ok != ok) {
		if (clock_mono_ms() > until_ms)
			fail_msg("health is still %d: %s", f->ok, f->error);
		event_base_loopexit(f->base, &turn);
		event_base_dispatch(f->base);
	}
}

static struct mib_event
an_event(uint32_t sequence)
{
	struct mib_event event = {.sequence = sequence,
				  .time = INT64_C(1700000000123) + sequence,
				  .type = EVENT_VM_STATE_CHANGED,
				  .vm_index = 7,
				  .state = VM_RUNNING,
				  .previous = VM_PAUSED,
				  .verb = VERB_REBOOT,
				  .outcome = REQUEST_FAILED};

	TEXT_SET(event.vm_name, "web");
	TEXT_FORMAT(event.text,
		    "event %u of Gr\xc3\xbc\xc3\x9f"
		    "e, 'quoted'; \"too\"",
		    sequence);
	memset(event.vm_uuid, 0xa5, UUID_SIZE);
	return event;
}

static void
append(struct fixture *f, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		struct mib_event event = an_event(i);

		store_append_event(f->store, &event, told_done, f, i);
	}
}

static struct store_vm
a_vm(uint8_t number)
{
	struct store_vm vm = {.index = number,
			      .desired = DESIRED_RUNNING,
			      .state = VM_CRASHED,
			      .domid = 12,
			      .owner = OWNER_LAUXEND,
			      .restarts = UINT32_MAX,
			      .crashes = 3,
			      .configured = 1,
			      .gone_wall_ms = -1,
			      .start_wall_ms = INT64_MAX,
			      .change_wall_ms = INT64_MIN,
			      .discontinuity_wall_ms = 5,
			      .memory_target_mib = 512,
			      .last_verb = VERB_MEMORY,
			      .goal = PLAN_RUN,
			      .blocked = DEPENDENCY_PAUSE,
			      .replaced = REPLACED,
			      .needs_human = 1,
			      .human_reason = "3 restarts did not help",
			      .restarts_wall_ms = {INT64_MAX, 7, INT64_MIN},
			      .maintenance_wall_ms = INT64_MAX,
			      .memory_low = 60,
			      .boot_id = {7}};

	memset(vm.uuid, number, UUID_SIZE);
	TEXT_FORMAT(vm.name, "vm%u", number);
	TEXT_SET(vm.change_reason, "the guest crashed");
	return vm;
}

static struct store_request
a_request(uint64_t number)
{
	struct store_request request = {.number = number, .domid = 4, .token = 99};

	TEXT_FORMAT(request.row.id, "manager-%u", (unsigned)number);
	TEXT_SET(request.row.vm, "db");
	request.row.verb = VERB_SHUTDOWN;
	request.row.number = 77;
	request.row.state = REQUEST_HELD;
	TEXT_SET(request.row.error, "no such thing");
	request.row.vm_index = 3;
	request.row.accepted = 1;
	request.row.started = 2;
	request.row.ended = 3;
	request.row.status = ROW_ACTIVE;
	memset(request.uuid, 0x5a, UUID_SIZE);
	return request;
}

static void
assert_events(const struct fixture *f, uint32_t first, uint32_t count)
{
	assert_int_equal(f->content.events_count, count);
	for (uint32_t i = 0; i < count; i++) {
		struct mib_event event = an_event(first + i);

		assert_memory_equal(&f->content.events[i], &event, sizeof(event));
	}
}

static void
run_sql(const char *path, const char *sql)
{
	char *error = NULL;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s: %s", sql, error);
	sqlite3_close(db);
}

static size_t
count_files(const struct fixture *f, const char *pattern)
{
	char path[160];
	glob_t found;
	size_t count;

	snprintf(path, sizeof(path), "%s/%s", f->dir, pattern);
	count = glob(path, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
	globfree(&found);
	return count;
}

static void
test_fresh(void **state)
{
	struct fixture *f = *state;
	uint64_t journal;

	open_store(f, 100);
	assert_true(f->ok && f->content.fresh && !f->content.rescued);
	assert_true(f->content.journal > 0 && f->content.journal <= INT64_MAX);
	assert_int_equal(f->content.next_sequence, 1);
	assert_int_equal(f->content.next_request, 1);
	assert_int_equal(f->content.handed, 0);
	journal = f->content.journal;
	assert_true(store_journal(f->store) == journal);
	close_store(f);
	open_store(f, 100);
	assert_true(f->ok && !f->content.fresh && f->content.journal == journal);
}

static void
test_round_trip(void **state)
{
	struct fixture *f = *state;
	struct store_vm vms[2] = {a_vm(1), a_vm(2)};
	struct store_request requests[2] = {a_request(1), a_request(INT64_MAX - 1)};
	struct mib_event event = an_event(1), absent = {.sequence = 2, .time = 5};
	struct store_service services[3] = {{1, 0, "dns", "53/udp", 0},
					    {2, 0, "dns", "53/tcp", 0},
					    {UINT32_MAX, 0, "ntp", "123/udp", 1700000000000}};

	MIB_ABSENT(mib_event, &absent, state, true);
	MIB_ABSENT(mib_event, &absent, request, true);
	MIB_ABSENT(mib_request, &requests[1].row, number, true);
	requests[1].row.number = 0;
	open_store(f, 100);
	for (int i = 1; i >= 0; i--) {
		store_put_vm(f->store, &vms[i]);
		store_put_request(f->store, &requests[i], NULL, NULL, 0);
	}
	for (int i = 0; i < 3; i++)
		store_put_service(f->store, &services[i]);
	store_drop_service(f->store, 2);
	store_append_event(f->store, &event, NULL, NULL, 0);
	store_append_event(f->store, &absent, told_done, f, 1);
	wait_int(f, &f->dones, 1);
	close_store(f);

	open_store(f, 100);
	assert_int_equal(f->content.vms_count, 2);
	assert_memory_equal(f->content.vms, vms, sizeof(vms));
	assert_int_equal(f->content.requests_count, 2);
	assert_memory_equal(f->content.requests, requests, sizeof(requests));
	assert_int_equal(f->content.services_count, 2);
	assert_memory_equal(&f->content.services[0], &services[0], sizeof(services[0]));
	assert_memory_equal(&f->content.services[1], &services[2], sizeof(services[0]));
	assert_int_equal(f->content.events_count, 2);
	assert_memory_equal(&f->content.events[0], &event, sizeof(event));
	assert_memory_equal(&f->content.events[1], &absent, sizeof(absent));
	assert_int_equal(f->content.next_sequence, 3);
	assert_true(f->content.next_request == (uint64_t)INT64_MAX);
}

static void
test_replace_and_drop(void **state)
{
	struct fixture *f = *state;
	struct store_vm one = a_vm(1), two = a_vm(2);
	struct store_request first = a_request(1), second = a_request(2);

	open_store(f, 100);
	store_put_vm(f->store, &one);
	store_put_vm(f->store, &two);
	two.state = VM_PAUSED;
	store_put_vm(f->store, &two);
	store_drop_vm(f->store, one.uuid);
	store_put_request(f->store, &first, NULL, NULL, 0);
	store_put_request(f->store, &second, NULL, NULL, 0);
	first.row.state = REQUEST_SUCCEEDED;
	store_put_request(f->store, &first, NULL, NULL, 0);
	store_drop_request(f->store, 2);
	store_drop_request(f->store, 12345);
	close_store(f);

	open_store(f, 100);
	assert_int_equal(f->content.vms_count, 1);
	assert_memory_equal(f->content.vms, &two, sizeof(two));
	assert_int_equal(f->content.requests_count, 1);
	assert_memory_equal(f->content.requests, &first, sizeof(first));
	assert_true(f->content.next_request == 3); /* a dropped number is used */
}

static void
test_done_in_order(void **state)
{
	struct fixture *f = *state;

	open_store(f, 10000);
	for (uint32_t i = 1; i <= 2000; i++) {
		struct mib_event event = an_event(i);
		struct store_request request = a_request(i);

		store_append_event(f->store, &event, told_done, f, 2 * i);
		store_put_request(f->store, &request, told_done, f, 2 * i + 1);
	}
	wait_int(f, &f->dones, 4000);
	for (int i = 0; i < 4000; i++)
		assert_true(f->tags[i] == (uint64_t)i + 2 && f->durable[i]);
	close_store(f);
	open_store(f, 10000);
	assert_events(f, 1, 2000);
}

/* A mark is told after all before it, and when what it stands with is on disk. */
static void
test_mark(void **state)
{
	struct fixture *f = *state;
	struct store_request request = a_request(1);
	struct store_vm vm = a_vm(1);

	open_store(f, 100);
	store_put_request(f->store, &request, told_done, f, 7);
	store_begin(f->store);
	store_mark(f->store, told_done, f);
	store_put_vm(f->store, &vm);
	store_end(f->store);
	wait_int(f, &f->dones, 2);
	assert_true(f->tags[0] == 7 && f->tags[1] == 0 && f->durable[1]);
	close_store(f);
	open_store(f, 100);
	assert_int_equal(f->content.vms_count, 1);
	assert_int_equal(f->content.requests_count, 1);
}

static void
test_bounded_journal(void **state)
{
	struct fixture *f = *state;

	open_store(f, 100);
	append(f, 1, 1000);
	wait_int(f, &f->dones, 1000);
	append(f, 1001, 7);
	close_store(f);
	open_store(f, 100);
	assert_events(f, 908, 100);
	assert_int_equal(f->content.next_sequence, 1008);
	close_store(f);
	open_store(f,
		   10); /* a smaller one: as many at the start, the rest goes with the next event */
	assert_events(f, 998, 10);
	append(f, 1008, 1);
	close_store(f);
	open_store(f, 1000);
	assert_events(f, 999, 10);
}

static void
test_handed(void **state)
{
	struct fixture *f = *state;

	open_store(f, 100);
	append(f, 1, 5);
	store_put_handed(f->store, 2);
	store_put_handed(f->store, 4);
	close_store(f);
	open_store(f, 100);
	assert_int_equal(f->content.handed, 4);
	assert_int_equal(f->content.next_sequence, 6);
}

/* Appended and closed at once: the writer gets all of it down, and says so. */
static void
test_close_flushes(void **state)
{
	struct fixture *f = *state;

	open_store(f, 10000);
	append(f, 1, 5000);
	close_store(f);
	assert_int_equal(f->dones, 5000);
	for (int i = 0; i < 5000; i++)
		assert_true(f->durable[i] && f->tags[i] == (uint64_t)i + 1);
	open_store(f, 10000);
	assert_events(f, 1, 5000);
}

/* A deadline that has passed: told as not durable, but its numbers are used. A writer that was left
 * behind by it may still be at its last transaction, and has the lock until then. */
static void
test_close_late(void **state)
{
	struct fixture *f = *state;
	int64_t until_ms = clock_mono_ms() + WAIT_MS;
	int lost = 0;

	open_store(f, 10000);
	append(f, 1, 5000);
	store_close(f->store, clock_mono_ms() - 1);
	f->store = NULL;
	assert_int_equal(f->dones, 5000);
	for (int i = 0; i < 5000; i++)
		lost += !f->durable[i];
	open_store(f, 10000);
	while (!f->ok && clock_mono_ms() < until_ms) {
		close_store(f);
		usleep(20000);
		open_store(f, 10000);
	}
	assert_true(f->content.events_count >= (size_t)(5000 - lost));
	assert_int_equal(f->content.next_sequence, 5001);
}

static void
overwrite(const char *path, off_t at, const char *text, off_t length)
{
	int fd = open(path, O_RDWR);

	assert_true(fd >= 0);
	if (text)
		assert_int_equal(pwrite(fd, text, strlen(text), at), strlen(text));
	if (length >= 0)
		assert_int_equal(ftruncate(fd, length), 0);
	close(fd);
}

/* A store with content, as a process that ended well or was killed left it. */
static void
make_store(struct fixture *f, bool clean)
{
	struct store_vm vm = a_vm(1);

	open_store(f, 10000);
	store_put_vm(f->store, &vm);
	append(f, f->content.next_sequence, 500);
	close_store(f);
	if (!clean)
		run_sql(f->path, "UPDATE meta SET value = 0 WHERE name = 'clean'");
}

static void
test_broken(void **state)
{
	static const struct {
		bool clean;
		off_t at;
		const char *text;
		off_t length; /* -1: not cut */
	} cases[] = {
	    {true, 0, "this is no database at all, but a letter", -1},
	    {true, 0, NULL, 8192},
	    {true, 0, NULL, 50},
	    {false, 4096 * 8, "garbage in the middle of it, where the rows are", -1},
	    {false, 100, "a first page with a good header and a bad tree", -1},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t journal;

		make_store(f, cases[i].clean);
		journal = store_journal(f->store ? f->store : (open_store(f, 100), f->store));
		close_store(f);
		if (!cases[i].clean)
			run_sql(f->path, "UPDATE meta SET value = 0 WHERE name = 'clean'");
		overwrite(f->path, cases[i].at, cases[i].text, cases[i].length);
		open_store(f, 100);
		if (!f->content.rescued || !f->content.fresh)
			fail_msg("case %zu was not rescued", i);
		assert_true(f->ok && f->content.journal != journal);
		assert_int_equal(f->content.vms_count + f->content.events_count, 0);
		assert_int_equal(f->content.next_sequence, 1);
		assert_int_equal(count_files(f, "store.db.broken-????????T??????*[Z2-9]"), i + 1);
		append(f, 1, 1);
		wait_int(f, &f->dones, 1);
		assert_true(f->durable[0]);
		close_store(f);
	}
}

/* A database of somebody else is put aside whole. */
static void
test_foreign(void **state)
{
	struct fixture *f = *state;
	glob_t found;
	char pattern[128];

	run_sql(f->path, "CREATE TABLE precious (a); INSERT INTO precious VALUES (1)");
	open_store(f, 100);
	assert_true(f->ok && f->content.rescued);
	snprintf(pattern, sizeof(pattern), "%s.broken-*Z", f->path);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	run_sql(found.gl_pathv[0], "UPDATE precious SET a = 2");
	globfree(&found);
}

static void
test_newer(void **state)
{
	struct fixture *f = *state;
	uint64_t journal;

	open_store(f, 100);
	append(f, 1, 3);
	journal = f->content.journal;
	close_store(f);
	run_sql(f->path, "PRAGMA user_version = 99");
	open_store(f, 100);
	assert_false(f->ok);
	assert_non_null(strstr(f->error, "later lauxend (schema 99"));
	append(f, 1, 1);
	wait_int(f, &f->dones, 1);
	assert_false(f->durable[0]);
	close_store(f);
	assert_int_equal(count_files(f, "store.db.broken*"), 0);
	run_sql(f->path, "PRAGMA user_version = 1");
	open_store(f, 100);
	assert_true(f->ok && f->content.journal == journal);
	assert_events(f, 1, 3);
}

/* A database of an earlier lauxend lacks a column: it is added, and reads as zero or absent. */
static void
test_older(void **state)
{
	struct fixture *f = *state;
	struct store_vm vm = a_vm(1);
	struct mib_event event = an_event(1);

	open_store(f, 100);
	store_put_vm(f->store, &vm);
	append(f, 1, 1);
	close_store(f);
	run_sql(f->path, "ALTER TABLE vm DROP COLUMN last_verb;"
			 "ALTER TABLE vm DROP COLUMN restarts_wall_ms;"
			 "ALTER TABLE vm DROP COLUMN human_reason;"
			 "DROP TABLE service;"
			 "ALTER TABLE event DROP COLUMN lxEventOutcome");
	open_store(f, 100);
	assert_true(f->ok && !f->content.fresh);
	vm.last_verb = 0;
	memset(vm.restarts_wall_ms, 0, sizeof(vm.restarts_wall_ms));
	memset(vm.human_reason, 0, sizeof(vm.human_reason));
	assert_int_equal(f->content.services_count, 0);
	event.outcome = 0;
	MIB_ABSENT(mib_event, &event, outcome, true);
	assert_memory_equal(f->content.vms, &vm, sizeof(vm));
	assert_memory_equal(f->content.events, &event, sizeof(event));
	vm.last_verb = VERB_START;
	store_put_vm(f->store, &vm);
	close_store(f);
	open_store(f, 100);
	assert_memory_equal(f->content.vms, &vm, sizeof(vm));
}

/* A row that a person spoilt is left out, the others stay. */
static void
test_senseless_row(void **state)
{
	struct fixture *f = *state;
	struct store_vm one = a_vm(1), two = a_vm(2);

	open_store(f, 100);
	store_put_vm(f->store, &one);
	store_put_vm(f->store, &two);
	close_store(f);
	run_sql(f->path, "UPDATE vm SET uuid = 'not one' WHERE vm_index = 1");
	open_store(f, 100);
	assert_true(f->ok);
	assert_int_equal(f->content.vms_count, 1);
	assert_memory_equal(f->content.vms, &two, sizeof(two));
	close_store(f);
	run_sql(f->path, "UPDATE vm SET restarts_wall_ms = '1 2 three' WHERE vm_index = 2");
	open_store(f, 100);
	assert_int_equal(f->content.vms_count, 0);
}

/* No directory, then one: what memory had is on disk. */
static void
test_no_directory(void **state)
{
	struct fixture *f = *state;
	struct store_vm vm = a_vm(1);
	uint64_t journal;

	assert_int_equal(rmdir(f->dir), 0);
	close(open(f->dir, O_CREAT | O_WRONLY, 0600)); /* a file where the directory should be */
	open_store(f, 100);
	assert_false(f->ok);
	assert_non_null(strstr(f->error, "Not a directory"));
	assert_true(f->content.fresh);
	journal = f->content.journal;
	store_put_vm(f->store, &vm);
	append(f, 1, 300);
	wait_int(f, &f->dones, 300);
	for (int i = 0; i < 300; i++)
		assert_false(f->durable[i]);
	assert_int_equal(unlink(f->dir), 0);
	assert_int_equal(mkdir(f->dir, 0700), 0);
	wait_health(f, true);
	assert_true(store_journal(f->store) == journal);
	append(f, 301, 1);
	wait_int(f, &f->dones, 301);
	assert_true(f->durable[300]);
	close_store(f);
	open_store(f, 100);
	assert_true(f->content.journal == journal);
	assert_events(f, 202, 100);
	assert_int_equal(f->content.vms_count, 1);
}

static void
limit_files(rlim_t octets)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = octets == RLIM_INFINITY ? limit.rlim_max : octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
test_disk_full(void **state)
{
	struct fixture *f = *state;
	struct store_vm one = a_vm(1), two = a_vm(2);
	uint64_t journal;
	int at;

	signal(SIGXFSZ, SIG_IGN);
	open_store(f, 10000);
	journal = f->content.journal;
	store_put_vm(f->store, &one);
	append(f, 1, 10);
	wait_int(f, &f->dones, 10);
	limit_files(96 * 1024); /* of one file: the log cannot grow further */
	append(f, 11, 3000);
	store_drop_vm(f->store, one.uuid);
	store_put_vm(f->store, &two);
	wait_int(f, &f->dones, 3010);
	wait_health(f, false);
	assert_false(f->durable[3009]);
	for (at = 10; at < 3010; at++)
		assert_true(f->tags[at] == (uint64_t)at + 1);
	limit_files(RLIM_INFINITY);
	wait_health(f, true);
	append(f, 3011, 1);
	wait_int(f, &f->dones, 3011);
	assert_true(f->durable[3010]);
	close_store(f);
	open_store(f, 10000);
	assert_true(f->ok && f->content.journal == journal);
	assert_int_equal(f->content.next_sequence, 3012);
	assert_events(f, 1, 3011);
	assert_int_equal(f->content.vms_count, 1);
	assert_memory_equal(f->content.vms, &two, sizeof(two));
}

/* Killed while in memory: the numbers that were given out then are not given out again. */
static void
test_numbers_after_memory(void **state)
{
	struct fixture *f = *state;
	uint64_t journal;
	int status = 0;
	pid_t pid;

	signal(SIGXFSZ, SIG_IGN);
	open_store(f, 1000);
	journal = f->content.journal;
	append(f, 1, 10);
	close_store(f);
	for (int turn = 0; turn < 2; turn++) { /* twice: what was reserved counts too */
		uint32_t before = turn == 0 ? 11 : 1000000;

		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			limit_files(64);
			event_reinit(f->base);
			open_store(f, 1000);
			append(f, f->content.next_sequence, 50);
			wait_int(f, &f->dones, 50);
			_exit(!f->ok && !f->durable[49] && f->content.next_sequence >= before ? 0
											      : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
	open_store(f, 1000);
	assert_true(f->ok && f->content.journal == journal);
	assert_true(f->content.next_sequence >= 2000000);
	assert_events(f, 1, 10);
	close_store(f);
	open_store(f, 1000);
	assert_true(f->content.next_sequence < 4000000); /* the mark is gone */
}

static void
test_second_refused(void **state)
{
	struct fixture *f = *state, *g;
	void *other;

	setup(&other);
	g = other;
	remove_all(g->dir);
	strcpy(g->dir, f->dir);
	open_store(f, 100);
	append(f, 1, 5);
	wait_int(f, &f->dones, 5);
	open_store(g, 100);
	assert_false(g->ok);
	assert_non_null(strstr(g->error, "used by another lauxend"));
	append(g, 1, 1);
	wait_int(g, &g->dones, 1);
	assert_false(g->durable[0]);
	append(f, 6, 1);
	wait_int(f, &f->dones, 6);
	assert_true(f->durable[5]);
	close_store(f);
	/* The way is free, but g has never read what stands there: it leaves it alone. */
	wait_int(g, &g->told, 2);
	assert_false(g->ok);
	assert_non_null(strstr(g->error, "restart lauxend"));
	close_store(g);
	open_store(f, 100);
	assert_true(f->ok);
	assert_events(f, 1, 6);
	close_store(f);
	teardown(&other);
	mkdir(f->dir, 0700);
}

/* Breaks while in use: put aside, and memory's content goes into a new one. */
static void
test_breaks_in_use(void **state)
{
	struct fixture *f = *state;
	struct store_vm vm = a_vm(1);
	uint64_t journal;

	open_store(f, 100);
	journal = f->content.journal;
	store_put_vm(f->store, &vm);
	append(f, 1, 5);
	wait_int(f, &f->dones, 5);
	run_sql(f->path, "PRAGMA writable_schema = ON;"
			 "UPDATE sqlite_schema SET rootpage = 99999 WHERE name = 'event';"
			 "PRAGMA schema_version = 1234");
	append(f, 6, 2);
	wait_int(f, &f->dones, 7);
	wait_int(f, &f->told, 3);
	assert_true(f->ok);
	assert_true(store_journal(f->store) != journal);
	assert_int_equal(count_files(f, "store.db.broken-*Z"), 1);
	journal = store_journal(f->store);
	append(f, 8, 1);
	wait_int(f, &f->dones, 8);
	assert_true(f->durable[7]);
	close_store(f);
	open_store(f, 100);
	assert_true(f->content.journal == journal);
	assert_events(f, 6, 3);
	assert_int_equal(f->content.next_sequence, 9);
	assert_int_equal(f->content.vms_count, 1);
}

/* Somebody clears the directory while it is in use. */
static void
test_removed_in_use(void **state)
{
	struct fixture *f = *state;
	struct store_vm vm = a_vm(1);
	uint64_t journal;

	open_store(f, 100);
	journal = f->content.journal;
	store_put_vm(f->store, &vm);
	append(f, 1, 5);
	wait_int(f, &f->dones, 5);
	remove_all(f->dir);
	mkdir(f->dir, 0700);
	append(f, 6, 1);
	wait_int(f, &f->dones, 6);
	assert_false(f->durable[5]);
	assert_non_null(strstr(f->error, "removed"));
	wait_health(f, true);
	assert_true(store_journal(f->store) != journal);
	close_store(f);
	open_store(f, 100);
	assert_events(f, 6, 1);
	assert_int_equal(f->content.vms_count, 1);
}

static void *
close_soon(void *arg)
{
	int *lock = arg;

	usleep(300000);
	close(*lock);
	return NULL;
}

/* The engine of a parent that was killed is still writing what waits: no reason to go without. */
static void
test_second_waits_for_the_first(void **state)
{
	struct fixture *f = *state;
	char path[4200];
	pthread_t closer;
	int lock;

	open_store(f, 100);
	append(f, 1, 5);
	wait_int(f, &f->dones, 5);
	close_store(f);
	snprintf(path, sizeof(path), "%s/store.lock", f->dir);
	lock = open(path, O_RDWR | O_CLOEXEC);
	assert_true(lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) == 0);
	assert_int_equal(pthread_create(&closer, NULL, close_soon, &lock), 0);
	open_store(f, 100);
	pthread_join(closer, NULL);
	assert_true(f->ok);
	assert_events(f, 1, 5);
}

/* A writer that stands still: the queue is bounded, no call waits, and all of it gets there. */
static void
test_queue_full(void **state)
{
	struct fixture *f = *state;
	int64_t began_ms;
	sqlite3 *db;

	open_store(f, 20000);
	assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	began_ms = clock_mono_ms();
	append(f, 1, 12000);
	assert_true(clock_mono_ms() - began_ms < 1000);
	wait_health(f, false);
	assert_non_null(strstr(f->error, "slower"));
	assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	wait_int(f, &f->dones, 12000);
	wait_health(f, true);
	close_store(f);
	open_store(f, 20000);
	assert_events(f, 1, 12000);
}

/* ---- a disk that does not answer ---- */

/* SQLite's usual layer, whose syncs of the log return while there are passes; else they wait for
 * one. */
static struct {
	atomic_int passes;
	atomic_bool waits;
	sqlite3_vfs vfs;
	const sqlite3_io_methods *real;
	sqlite3_io_methods methods;
} hanging;

static int
hanging_sync(sqlite3_file *file, int flags)
{
	while (atomic_load(&hanging.passes) == 0) {
		atomic_store(&hanging.waits, true);
		usleep(5000);
	}
	atomic_store(&hanging.waits, false);
	atomic_fetch_sub(&hanging.passes, 1);
	return hanging.real->xSync(file, flags);
}

static int
hanging_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out)
{
	sqlite3_vfs *real = sqlite3_vfs_find("unix");
	int r = real->xOpen(real, name, file, flags, out);

	(void)vfs;
	if (r != SQLITE_OK || !(flags & SQLITE_OPEN_WAL))
		return r;
	hanging.real = file->pMethods;
	hanging.methods = *file->pMethods;
	hanging.methods.xSync = hanging_sync;
	file->pMethods = &hanging.methods;
	return r;
}

static int
setup_hanging(void **state)
{
	hanging.vfs = *sqlite3_vfs_find("unix");
	hanging.vfs.zName = "hanging";
	hanging.vfs.xOpen = hanging_open;
	atomic_store(&hanging.passes, INT32_MAX);
	sqlite3_vfs_register(&hanging.vfs, 1);
	return setup(state);
}

static int
teardown_hanging(void **state)
{
	int rc;

	atomic_store(&hanging.passes, INT32_MAX);
	rc = teardown(state);
	sqlite3_vfs_unregister(&hanging.vfs);
	return rc;
}

/* The disk takes so many syncs more; returns once the writer waits for the one after. */
static void
hang_after(int passes)
{
	int64_t until_ms = clock_mono_ms() + WAIT_MS;

	atomic_store(&hanging.waits, false);
	atomic_store(&hanging.passes, passes);
	while (!atomic_load(&hanging.waits)) {
		assert_true(clock_mono_ms() < until_ms);
		usleep(1000);
	}
}

static void
assert_in_order(const struct fixture *f, int count)
{
	assert_int_equal(f->dones, count);
	for (int i = 0; i < count; i++)
		assert_true(f->tags[i] == (uint64_t)i + 1);
}

/* Nothing fails, yet what is in the writer's hands is told after some seconds, once, and the rest
 * at once; when the disk is back, all of it gets there. */
static void
test_disk_hangs(void **state)
{
	struct fixture *f = *state;
	int64_t began_ms;

	open_store(f, 100);
	append(f, 1, 5);
	wait_int(f, &f->dones, 5);
	atomic_store(&hanging.passes, 0);
	began_ms = clock_mono_ms();
	append(f, 6, 1);
	hang_after(0);
	append(f, 7, 2);
	wait_int(f, &f->dones, 8);
	assert_false(f->ok);
	assert_non_null(strstr(f->error, "does not answer"));
	assert_true(clock_mono_ms() - began_ms < 10000);
	append(f, 9, 1);
	wait_int(f, &f->dones, 9);
	for (int i = 5; i < 9; i++)
		assert_false(f->durable[i]);
	atomic_store(&hanging.passes, INT32_MAX);
	wait_health(f, true);
	append(f, 10, 1);
	wait_int(f, &f->dones, 10);
	assert_true(f->durable[9]);
	assert_in_order(f, 10);
	assert_int_equal(f->told, 3);
	close_store(f);
	open_store(f, 100);
	assert_events(f, 1, 10);
}

/* It lets the writer go on, and hangs again while memory's content is written. */
static void
test_disk_hangs_again_in_healing(void **state)
{
	struct fixture *f = *state;

	open_store(f, 100);
	atomic_store(&hanging.passes, 0);
	append(f, 1, 1);
	wait_int(f, &f->dones, 1);
	assert_false(f->ok);
	append(f, 2, 1);
	hang_after(1);
	append(f, 3, 1);
	wait_int(f, &f->dones, 3);
	assert_false(f->ok || f->durable[2]);
	atomic_store(&hanging.passes, INT32_MAX);
	wait_health(f, true);
	append(f, 4, 1);
	wait_int(f, &f->dones, 4);
	assert_true(f->durable[3]);
	assert_in_order(f, 4);
	close_store(f);
	open_store(f, 100);
	assert_events(f, 1, 4);
}

/* Closed while it hangs: what was told is not told again. */
static void
test_disk_hangs_to_the_end(void **state)
{
	struct fixture *f = *state;
	int64_t until_ms = clock_mono_ms() + WAIT_MS;

	open_store(f, 100);
	atomic_store(&hanging.passes, 0);
	append(f, 1, 1);
	wait_int(f, &f->dones, 1);
	store_close(f->store, clock_mono_ms());
	f->store = NULL;
	assert_in_order(f, 1);
	atomic_store(&hanging.passes, INT32_MAX);
	open_store(f, 100); /* the writer that was left behind has the lock until it has ended */
	while (!f->ok && clock_mono_ms() < until_ms) {
		close_store(f);
		usleep(20000);
		open_store(f, 100);
	}
	assert_true(f->ok);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_HANGING(name) cmocka_unit_test_setup_teardown(name, setup_hanging, teardown_hanging)
	static const struct CMUnitTest tests[] = {
	    TEST(test_fresh),
	    TEST(test_round_trip),
	    TEST(test_replace_and_drop),
	    TEST(test_done_in_order),
	    TEST(test_mark),
	    TEST(test_bounded_journal),
	    TEST(test_handed),
	    TEST(test_close_flushes),
	    TEST(test_close_late),
	    TEST(test_broken),
	    TEST(test_foreign),
	    TEST(test_newer),
	    TEST(test_older),
	    TEST(test_senseless_row),
	    TEST(test_no_directory),
	    TEST(test_disk_full),
	    TEST(test_numbers_after_memory),
	    TEST(test_second_refused),
	    TEST(test_second_waits_for_the_first),
	    TEST(test_breaks_in_use),
	    TEST(test_removed_in_use),
	    TEST(test_queue_full),
	    TEST_HANGING(test_disk_hangs),
	    TEST_HANGING(test_disk_hangs_again_in_healing),
	    TEST_HANGING(test_disk_hangs_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
