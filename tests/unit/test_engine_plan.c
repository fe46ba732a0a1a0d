/* Requests over many VMs: launch and ordered shutdown; the verbs that end in the engine. */
#include "engine_three.h"

static void
use_idle_three(void)
{
	w->config.policy.autostart = false;
	use_three();
	begin();
	run(2000);
	expect_log("");
}

/* ---- ordered shutdown ---- */

static void
test_dependents_first(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	assert_request("noc-1", REQUEST_RUNNING, "");
	assert_int_equal(request_row("noc-1")->vm_index, 0);
	expect_log("shutdown www\n");
	assert_monitor("dns", MONITOR_STOPPING);
	assert_string_equal(plan_row("dns")->waits_for, "nfs, www");
	run(ACTION_MS - 10);
	expect_log("");
	run(20);
	expect_log("shutdown nfs\n");
	run(10000);
	expect_log("shutdown dns\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_int_equal(count_events(EVENT_PLAN_FINISHED, NULL), 1);
	assert_int_equal(count_events(EVENT_REQUEST_FINISHED, NULL), 1);
	assert_string_equal(last_event(EVENT_PLAN_FINISHED)->request, "noc-1");
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, NULL), 0);
	assert_int_equal(count_events(EVENT_VM_BLOCKED, NULL), 0);
	assert_int_equal(vm_row("dns")->desired, DESIRED_SHUTDOWN);
	run(60 * MIN_MS);
	expect_log(""); /* they stay off */
	restart_engine();
	run(60 * MIN_MS);
	expect_log("");
	assert_monitor("www", MONITOR_OFF);
}

static void
test_in_parallel(void **state)
{
	(void)state;
	add_vm("dns");
	add_vm("a");
	add_vm("b");
	add_service("dns", "53/udp");
	add_need("a", "dns", "53/udp");
	add_need("b", "dns", "53/udp");
	begin();
	run(10000);
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	expect_log("shutdown a\nshutdown b\n");
	run(10000);
	expect_log("shutdown dns\n");
}

static void
test_what_we_paused_is_resumed_first(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(10000);
	expect_log("unpause www\nshutdown www\nunpause nfs\nshutdown nfs\nshutdown dns\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, NULL), 2);
}

/* A person's later wish counts. */
static void
test_what_a_person_paused_is_to_be_off_too(void **state)
{
	(void)state;
	use_running_three();
	xl_pause("www", true);
	run(2000);
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(10000);
	expect_log("unpause www\nshutdown www\nshutdown nfs\nshutdown dns\n");
}

static void
test_a_guest_that_does_not_end_blocks_what_it_needs(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("nfs")].refuses = 1;
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(10 * MIN_MS);
	expect_log("shutdown www\nshutdown nfs\n");
	assert_request("noc-1", REQUEST_FAILED,
		       "nfs: it cannot be done; dns: nfs, which needs it, is not off");
	assert_vm("dns", VM_RUNNING);
	assert_vm("nfs", VM_RUNNING);
	assert_int_equal(count_events(EVENT_PLAN_FINISHED, NULL), 1);
	assert_monitor("dns", MONITOR_WATCHING); /* it was not begun: it goes on */
	assert_monitor("nfs", MONITOR_OFF);	 /* it was; it is to be off */
	assert_int_equal(vm_row("nfs")->desired, DESIRED_SHUTDOWN);
	w->fakes[place_of("nfs")].refuses = 0;
	guest_ends("nfs", REASON_POWEROFF); /* at last */
	run(10 * MIN_MS);
	expect_log("reap nfs\n");
	assert_vm("nfs", VM_SHUTDOWN);
}

static void
test_maintenance_blocks_a_shutdown_of_many(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_MAINTENANCE, "nfs", 3600);
	ask("noc-2", VERB_SHUTDOWN, "*", 0);
	run(10 * MIN_MS);
	expect_log("shutdown www\n");
	assert_request("noc-2", REQUEST_FAILED,
		       "nfs: it is in maintenance; dns: nfs, which needs it, is not off");
	assert_vm("nfs", VM_RUNNING);
	ask("noc-3", VERB_DESIRE, "nfs", DESIRED_SHUTDOWN); /* by its name it is done */
	run(10000);
	expect_log("shutdown nfs\n");
	assert_request("noc-3", REQUEST_SUCCEEDED, "");
}

static void
test_a_group(void **state)
{
	(void)state;
	use_three();
	TEXT_SET(w->vms[place_of("www")].group, "front");
	TEXT_SET(w->vms[place_of("dns")].group, "front");
	begin();
	run(20000);
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "group:front", 0);
	run(20000);
	expect_log("shutdown www\nshutdown dns\npause nfs\n"); /* nfs is no target: it waits */
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	ask("noc-2", VERB_SHUTDOWN, "group:rear", 0);
	assert_string_equal(w->refused, "no VM is in that group");
	ask("noc-3", VERB_LAUNCH, "group:front", 0);
	run(20000);
	expect_log("start dns\nunpause nfs\nstart www\n");
	assert_request("noc-3", REQUEST_SUCCEEDED, "");
}

/* One that is no target stands between two that are: the order holds all the same. */
static void
test_the_order_holds_over_one_that_is_no_target(void **state)
{
	(void)state;
	use_three();
	w->vms[place_of("www")].needs[0] = w->vms[place_of("www")].needs[1]; /* nfs alone */
	w->vms[place_of("www")].needs_count = 1;
	TEXT_SET(w->vms[place_of("www")].group, "front");
	TEXT_SET(w->vms[place_of("dns")].group, "front");
	begin();
	run(20000);
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "group:front", 0);
	expect_log("shutdown www\n");
	run(20000);
	expect_log("shutdown dns\npause nfs\n");
}

static void
test_an_engine_that_dies_in_a_shutdown(void **state)
{
	(void)state;
	use_running_three();
	w->stuck = true;
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(5000);
	expect_log("shutdown www\n");
	restart_engine();
	run(5000);
	expect_log("");
	assert_request("noc-1", REQUEST_RUNNING, "");
	w->stuck = false;
	run(10000);
	expect_log("shutdown nfs\nshutdown dns\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

static void
test_a_silent_hypervisor_holds_a_shutdown_up(void **state)
{
	(void)state;
	use_running_three();
	w->silent = true;
	run(2000);
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(5 * MIN_MS);
	expect_log("");
	w->silent = false;
	run(10000);
	expect_log("shutdown www\nshutdown nfs\nshutdown dns\n");
}

static void
test_a_shutdown_is_cancelled(void **state)
{
	(void)state;
	use_running_three();
	w->stuck = true;
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	ask("noc-1", VERB_NONE, "www", 0); /* the row is destroyed */
	assert_string_equal(w->refused, "");
	assert_null(request_row("noc-1"));
	w->stuck = false;
	run(5 * MIN_MS);
	expect_log("shutdown www\n"); /* what was begun went on */
	assert_vm("www", VM_SHUTDOWN);
	assert_monitor("dns", MONITOR_WATCHING);
	assert_int_equal(vm_row("dns")->desired, DESIRED_RUNNING);
	assert_int_equal(vm_row("www")->desired, DESIRED_SHUTDOWN);
}

static void
test_a_cancelling_that_is_undone(void **state)
{
	struct hold hold = {.verb = VERB_NONE, .id = "noc-1"};

	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	tell(MSG_HOLD, 999, &hold, sizeof(hold));
	run(500);
	tell(MSG_DROP, 999, NULL, 0);
	run(10000);
	expect_log("shutdown www\nshutdown nfs\nshutdown dns\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

static void
test_another_request_comes_between(void **state)
{
	(void)state;
	use_running_three();
	w->stuck = true;
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	ask("noc-2", VERB_DESIRE, "dns", DESIRED_RUNNING);
	w->stuck = false;
	run(5 * MIN_MS);
	expect_log("shutdown www\nshutdown nfs\n");
	assert_request("noc-1", REQUEST_FAILED, "dns: another request came between");
	assert_request("noc-2", REQUEST_SUCCEEDED, "");
	assert_vm("dns", VM_RUNNING);
}

static void
test_a_guest_that_reboots_when_all_are_to_end(void **state)
{
	(void)state;
	use_running_three();
	w->stuck = true;
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	guest_ends("nfs", REASON_REBOOT); /* while it waits for its turn */
	w->stuck = false;
	run(5 * MIN_MS);
	assert_vm("nfs", VM_SHUTDOWN);
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

static void
run_until_done(const char *what)
{
	while (!strstr(w->log, what))
		run(10);
}

/* What was under way when all were to end, and fails, is no shutdown that failed. */
static void
test_a_start_that_fails_when_all_are_to_end(void **state)
{
	(void)state;
	use_three();
	w->fakes[place_of("nfs")].fails = VERB_START;
	begin();
	run_until_done("start nfs");
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(10000);
	expect_log("shutdown dns\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

static void
test_a_pause_that_fails_when_all_are_to_end(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("nfs")].fails = VERB_PAUSE;
	fail_service("dns", "53/udp");
	run_until_done("pause nfs");
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(20000);
	expect_log("unpause www\nshutdown www\nshutdown nfs\nshutdown dns\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

/* ---- launch ---- */

static void
test_launch_all(void **state)
{
	(void)state;
	use_idle_three();
	ask("noc-1", VERB_LAUNCH, "*", 0);
	expect_log("start dns\n");
	run(20000);
	expect_log("start nfs\nstart www\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_int_equal(vm_row("www")->desired, DESIRED_RUNNING);
	ask("noc-2", VERB_LAUNCH, "*", 0);
	assert_request("noc-2", REQUEST_SUCCEEDED, ""); /* all runs */
}

static void
test_launch_one_with_what_it_needs(void **state)
{
	(void)state;
	use_idle_three();
	ask("noc-1", VERB_LAUNCH, "nfs", 0);
	run(20000);
	expect_log("start dns\nstart nfs\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_monitor("www", MONITOR_OFF);
	ask("noc-2", VERB_DESIRE, "www", DESIRED_RUNNING);
	run(20000);
	expect_log("start www\n");
	ask("noc-3", VERB_DESIRE, "dns", DESIRED_SHUTDOWN);
	run(20000);
	expect_log("shutdown dns\npause nfs\npause www\n");
	assert_request("noc-3", REQUEST_SUCCEEDED, "");
}

/* Until all of them answer. */
static void
test_launch_lasts(void **state)
{
	(void)state;
	use_idle_three();
	fail_service("www", "80/tcp");
	ask("noc-1", VERB_LAUNCH, "*", 0);
	run(60000);
	assert_request("noc-1", REQUEST_RUNNING, "");
	restart_engine();
	run(60000);
	assert_request("noc-1", REQUEST_RUNNING, "");
	cure_service("www", "80/tcp");
	run(5000);
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	expect_log("start dns\nstart nfs\nstart www\n");
}

static void
test_launch_names_those_that_fail(void **state)
{
	(void)state;
	use_idle_three();
	w->fakes[place_of("nfs")].fails = VERB_START;
	w->vms[place_of("www")].policy.start_timeout_ms = 60000;
	w->vms[place_of("www")].policy.on_start_timeout = START_GIVE_UP;
	reload();
	ask("noc-1", VERB_LAUNCH, "*", 0);
	run(10 * MIN_MS);
	expect_log("start dns\nstart nfs\nstart nfs\nstart nfs\n");
	assert_request(
	    "noc-1", REQUEST_FAILED,
	    "nfs: it cannot be done, and 3 restarts did not help; www: it waits for nfs");
	assert_vm("dns", VM_RUNNING);
}

static void
test_launch_of_one_that_crashes(void **state)
{
	(void)state;
	w->config.policy.autostart = false;
	add_vm("a");
	w->fakes[0].on_crash = ON_DESTROY;
	add_service("a", "22/tcp");
	w->config.policy.restart_limit = 0;
	add_vm("b");
	w->fakes[1].on_crash = ON_DESTROY;
	begin();
	fail_service("a", "22/tcp");
	ask("noc-1", VERB_LAUNCH, "*", 0);
	run(1500);
	assert_request("noc-1", REQUEST_RUNNING, "");
	w->vms[0].policy.restart_limit = 0;
	guest_ends("a", REASON_CRASH);
	run(10000);
	expect_log("start a\nstart b\nreap a\n");
	assert_request("noc-1", REQUEST_FAILED, "a: it crashed, and it may not be restarted");
}

static void
test_launch_is_cancelled(void **state)
{
	(void)state;
	use_idle_three();
	fail_service("dns", "53/udp");
	ask("noc-1", VERB_LAUNCH, "*", 0);
	run(5000);
	ask("noc-1", VERB_NONE, "www", 0);
	cure_service("dns", "53/udp");
	run(60000);
	expect_log("start dns\n");
	assert_monitor("www", MONITOR_OFF);
	assert_monitor("dns", MONITOR_WATCHING);
}

static void
test_launch_leaves_what_a_person_paused(void **state)
{
	(void)state;
	use_running_three();
	xl_pause("www", true);
	run(2000);
	ask("noc-1", VERB_LAUNCH, "*", 0);
	run(10000);
	expect_log("");
	assert_request("noc-1", REQUEST_FAILED, "www: it is paused");
}

static void
test_launch_in_maintenance(void **state)
{
	(void)state;
	use_idle_three();
	ask("noc-1", VERB_MAINTENANCE, "dns", 3600);
	ask("noc-2", VERB_LAUNCH, "*", 0);
	run(10000);
	expect_log("");
	assert_request("noc-2", REQUEST_FAILED,
		       "dns: it is in maintenance; nfs: it waits for dns; www: it waits for dns");
	assert_monitor("www", MONITOR_OFF);
	ask("noc-3", VERB_LAUNCH, "dns", 0); /* by its name it is done */
	run(20000);
	expect_log("start dns\n"); /* what failed is not done later */
	assert_request("noc-3", REQUEST_SUCCEEDED, "");
}

/* ---- verbs that end in the engine ---- */

static void
test_rebuild(void **state)
{
	(void)state;
	use_idle_three();
	ask("noc-1", VERB_REBUILD, "*", 0);
	assert_request("noc-1", REQUEST_RUNNING, "");
	assert_int_equal(w->reloads, 1);
	engine_reloaded(w->engine, w->now, "lauxen.conf:3: no such key");
	take_effects();
	assert_request("noc-1", REQUEST_FAILED, "lauxen.conf:3: no such key");
	ask("noc-2", VERB_REBUILD, "*", 0);
	restart_engine();
	assert_int_equal(w->reloads, 3); /* again, as nobody knows */
	reload();
	engine_reloaded(w->engine, w->now, NULL);
	take_effects();
	assert_request("noc-2", REQUEST_SUCCEEDED, "");
	engine_reloaded(w->engine, w->now, NULL); /* by a signal: nobody waits for it */
}

static void
test_refusals(void **state)
{
	static const struct {
		uint32_t verb;
		const char *target;
		uint32_t number;
		const char *why;
	} cases[] = {
	    {VERB_START, "*", 0, "only launch and shutdown are of many"},
	    {VERB_REBUILD, "www", 0, "rebuild is of all: *"},
	    {VERB_REBUILD, "group:x", 0, "rebuild is of all: *"},
	    {VERB_LAUNCH, "group:x", 0, "no VM is in that group"},
	    {VERB_DESIRE, "www", DESIRED_PAUSED, "only running and shutdown can be desired"},
	    {VERB_MEMORY_HIGH, "www", 101, "a percentage over the low mark is wanted"},
	    {VERB_MEMORY_HIGH, "www", 60, "a percentage over the low mark is wanted"},
	    {VERB_MEMORY_LOW, "www", 90, "a percentage under the high mark is wanted"},
	    {VERB_MEMORY_MIN, "www", 2048, "over the most that it may have"},
	    {VERB_MEMORY_MAX, "www", 100, "under the least that it must have"},
	    {VERB_LAST + 1, "www", 0, "no such verb"},
	};

	(void)state;
	use_three();
	w->vms[0].memory_min_mib = 128;
	w->vms[0].memory_max_mib = 1024;
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ask("noc-1", cases[i].verb, cases[i].target, cases[i].number);
		assert_string_equal(w->refused, cases[i].why);
		assert_null(request_row("noc-1"));
	}
}

static void
test_ids_are_of_one_request(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	ask("noc-1", VERB_SHUTDOWN, "*", 0); /* a manager's retry */
	run(10000);
	expect_log("shutdown www\nshutdown nfs\nshutdown dns\n");
	ask("noc-1", VERB_LAUNCH, "*", 0);
	assert_string_equal(w->refused, "another request has this id");
	assert_int_equal(count_events(EVENT_PLAN_FINISHED, NULL), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_dependents_first),
	    TEST(test_in_parallel),
	    TEST(test_what_we_paused_is_resumed_first),
	    TEST(test_what_a_person_paused_is_to_be_off_too),
	    TEST(test_a_guest_that_does_not_end_blocks_what_it_needs),
	    TEST(test_maintenance_blocks_a_shutdown_of_many),
	    TEST(test_a_group),
	    TEST(test_the_order_holds_over_one_that_is_no_target),
	    TEST(test_an_engine_that_dies_in_a_shutdown),
	    TEST(test_a_silent_hypervisor_holds_a_shutdown_up),
	    TEST(test_a_shutdown_is_cancelled),
	    TEST(test_a_cancelling_that_is_undone),
	    TEST(test_another_request_comes_between),
	    TEST(test_a_guest_that_reboots_when_all_are_to_end),
	    TEST(test_a_start_that_fails_when_all_are_to_end),
	    TEST(test_a_pause_that_fails_when_all_are_to_end),
	    TEST(test_launch_all),
	    TEST(test_launch_one_with_what_it_needs),
	    TEST(test_launch_lasts),
	    TEST(test_launch_names_those_that_fail),
	    TEST(test_launch_of_one_that_crashes),
	    TEST(test_launch_is_cancelled),
	    TEST(test_launch_leaves_what_a_person_paused),
	    TEST(test_launch_in_maintenance),
	    TEST(test_rebuild),
	    TEST(test_refusals),
	    TEST(test_ids_are_of_one_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
