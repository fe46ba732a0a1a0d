/* A standby that takes its primary's place, and gives it back. */
#include "engine_three.h"

/* www2 has www's address, and stands in for it. */
static void
use_standby(bool own_service)
{
	add_vm("www");
	add_vm("www2");
	add_vm("shop");
	add_service("www", "80/tcp");
	if (own_service)
		add_service("www2", "80/tcp");
	add_service("shop", "443/tcp");
	add_need("shop", "www", "80/tcp");
	set_standby("www", "www2");
	TEXT_SET(w->vms[1].provider.address, w->vms[0].provider.address);
	if (own_service)
		TEXT_SET(w->vm_services[1][0].address, w->vms[0].provider.address);
	begin();
	run(20000);
	run(5 * MIN_MS);
	expect_log("start www\nstart shop\n"); /* and not the standby */
	forget_events();
}

/* ---- the standby ---- */

static void
stand_in(bool own_service)
{
	use_standby(own_service);
	fail_service("www", "80/tcp");
	while (vm_row("www")->monitor != MONITOR_REPLACED)
		run(10);
	assert_int_equal(count_events(EVENT_STANDBY_TOOK_OVER, "www"), 1);
	w->log[0] = '\0';
}

static void
test_a_standby_takes_over(void **state)
{
	(void)state;
	use_standby(false);
	fail_service("www", "80/tcp");
	run(13 * MIN_MS);
	expect_log("pause shop\nrestart www\nrestart www\nrestart www\nshutdown www\nstart www2\n");
	assert_monitor("www", MONITOR_REPLACED);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"), 0);
	assert_vm("shop", VM_PAUSED);
	cure_service("www", "80/tcp"); /* the standby answers at its address */
	run(20000);
	expect_log("unpause shop\n");
	assert_service("www", "80/tcp", SERVICE_UP);
	assert_monitor("www2", MONITOR_WATCHING);
	restart_engine();
	run(60 * MIN_MS);
	expect_log("");
	assert_monitor("www", MONITOR_REPLACED);
	assert_service("www", "80/tcp", SERVICE_UP);
}

static void
test_a_standby_with_a_service_of_the_same_name(void **state)
{
	(void)state;
	use_standby(true);
	fail_service("www", "80/tcp");
	run(15 * MIN_MS);
	expect_log("pause shop\nrestart www\nrestart www\nrestart www\nshutdown www\nstart www2\n"
		   "unpause shop\n");
	assert_service("www", "80/tcp", SERVICE_UP);
	assert_service("www2", "80/tcp", SERVICE_UP);
	fail_service("www2", "80/tcp");
	fail_service("www", "80/tcp");
	run(MIN_MS);
	expect_log("pause shop\nrestart www2\n");
	assert_service("www", "80/tcp", SERVICE_STARTING);
}

/* The primary does not end: it is destroyed; the two never run together. */
static void
test_a_primary_that_does_not_end(void **state)
{
	(void)state;
	use_standby(false);
	w->fakes[0].refuses = 1;
	fail_service("www", "80/tcp");
	run(13 * MIN_MS);
	expect_log("pause shop\nrestart www\nrestart www\nrestart www\nshutdown www\ndestroy www\n"
		   "start www2\n");
}

static void
test_an_engine_that_dies_in_a_take_over(void **state)
{
	(void)state;
	use_standby(false);
	fail_service("www", "80/tcp");
	while (vm_row("www")->monitor != MONITOR_REPLACED)
		run(10);
	w->stuck = true;
	run(1000);
	restart_engine();
	run(5000);
	w->stuck = false;
	run(10000);
	expect_log("pause shop\nrestart www\nrestart www\nrestart www\nshutdown www\nstart www2\n");
}

static void
test_the_primary_comes_back(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(20000);
	w->log[0] = '\0';
	ask("noc-1", VERB_LAUNCH, "www", 0);
	run(20000);
	expect_log("shutdown www2\npause shop\nstart www\nunpause shop\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_monitor("www", MONITOR_WATCHING);
	assert_monitor("www2", MONITOR_OFF);
	assert_int_equal(count_events(EVENT_STANDBY_RELEASED, "www"), 1);
}

/* The same by a plain start: it waits until the standby is off. */
static void
test_a_start_of_the_primary_waits(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(20000);
	w->log[0] = '\0';
	ask("noc-1", VERB_START, "www", 0);
	run(20000);
	expect_log("shutdown www2\npause shop\nstart www\nunpause shop\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

static void
test_a_standby_that_fails_too(void **state)
{
	(void)state;
	stand_in(false);
	run(30 * MIN_MS);
	expect_log("start www2\nrestart www2\nrestart www2\nrestart www2\n");
	assert_monitor("www2", MONITOR_HUMAN);
	cure_service("www", "80/tcp");
	run(MIN_MS);
	assert_monitor("www2", MONITOR_WATCHING);
}

static void
test_a_standby_that_crashes(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(5 * MIN_MS);
	w->log[0] = '\0';
	guest_ends("www2", REASON_CRASH);
	run(MIN_MS);
	expect_log("replace www2\npause shop\nunpause shop\n");
	assert_monitor("www", MONITOR_REPLACED);
}

static void
test_a_standby_that_is_ended_on_purpose(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(5 * MIN_MS);
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "www2", 0);
	run(10 * MIN_MS);
	expect_log("shutdown www2\npause shop\n");
	assert_monitor("www", MONITOR_OFF);
	assert_int_equal(count_events(EVENT_STANDBY_RELEASED, "www"), 1);
}

static void
test_shutdown_of_all_with_a_standby_in_place(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(MIN_MS);
	w->log[0] = '\0';
	ask("noc-1", VERB_SHUTDOWN, "*", 0);
	run(MIN_MS);
	expect_log("shutdown shop\nshutdown www2\n");
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	ask("noc-2", VERB_LAUNCH, "*", 0);
	run(MIN_MS);
	expect_log("start www\nstart shop\n");
	assert_monitor("www2", MONITOR_OFF);
}

static void
test_what_a_replacement_owes_is_void_once_the_standby_runs(void **state)
{
	(void)state;
	add_vm("www");
	add_vm("www2");
	set_standby("www", "www2");
	begin();
	run(2 * MIN_MS);
	expect_log("start www\n");
	w->cut = true;
	guest_ends("www", REASON_REBOOT);
	xl_create("www2");
	tell_domain(place_of("www2"));
	run(2 * ACTION_MS);
	w->cut = false;
	run(2 * MIN_MS);
	expect_log("replace www\n");
	assert_vm("www", VM_SHUTDOWN);
	assert_vm("www2", VM_RUNNING);
}

static void
test_a_boot_of_the_host_tries_the_primary_again(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(MIN_MS);
	w->log[0] = '\0';
	for (size_t i = 0; i < w->config.vms_count; i++)
		vm_vanish(i);
	tell_urgent();
	w->boots++;
	run(MIN_MS);
	expect_log("start www\nstart shop\n");
	assert_monitor("www2", MONITOR_OFF);
}

static void
test_the_configuration_loses_its_standby(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(120 * MIN_MS); /* it may be restarted again */
	w->log[0] = '\0';
	w->vms[0].standby = w->vms[1].standby_of = -1;
	reload();
	run(10 * MIN_MS);
	expect_log("pause shop\n");
	assert_monitor("www", MONITOR_HUMAN); /* and not started beside it */
	assert_monitor("www2", MONITOR_WATCHING);
	assert_int_equal(count_events(EVENT_STANDBY_RELEASED, "www"), 1);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"), 1);
	ask("noc-1", VERB_SHUTDOWN, "www2", 0);
	run(10000);
	ask("noc-2", VERB_LAUNCH, "www", 0);
	run(20000);
	expect_log("shutdown www2\nstart www\nunpause shop\n");
	assert_monitor("www", MONITOR_WATCHING);
}

/* The standby's own counts from then on, as the primary's would be probed where nobody answers. */
static void
test_the_standby_gets_a_service_of_its_own(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(120 * MIN_MS);
	assert_service("www", "80/tcp", SERVICE_UP);
	w->log[0] = '\0';
	add_service("www2", "80/tcp");
	reload();
	run(MIN_MS);
	assert_service("www", "80/tcp", SERVICE_UP);
	expect_log("");
	fail_service("www2", "80/tcp");
	run(MIN_MS);
	expect_log("pause shop\nrestart www2\n");
	cure_service("www2", "80/tcp");
	run(MIN_MS);
	expect_log("unpause shop\n");
	assert_service("www", "80/tcp", SERVICE_UP);
}

static void
test_the_configuration_has_another_standby(void **state)
{
	(void)state;
	stand_in(false);
	cure_service("www", "80/tcp");
	run(120 * MIN_MS);
	add_vm("www3");
	w->vms[1].standby_of = -1;
	set_standby("www", "www3");
	w->log[0] = '\0';
	reload();
	run(10 * MIN_MS);
	expect_log("pause shop\n");
	assert_monitor("www", MONITOR_HUMAN);
	assert_monitor("www2", MONITOR_WATCHING);
	assert_int_equal(count_events(EVENT_STANDBY_RELEASED, "www"), 1);
}

/* ---- a person starts the standby ---- */

static void
test_a_primary_is_not_started_beside_its_standby(void **state)
{
	(void)state;
	use_standby(false);
	w->fakes[0].on_crash = ON_DESTROY;
	w->vms[0].policy.start_delay_ms = MIN_MS;
	reload();
	run(2000);
	guest_ends("www", REASON_CRASH);
	run(5000);
	expect_log("reap www\npause shop\n");
	xl_create("www2");
	run(10 * MIN_MS);
	expect_log("");
	xl_destroy("www2");
	run(2 * MIN_MS);
	expect_log("start www\nunpause shop\n");
}

static void
test_a_launch_of_the_primary_beside_its_standby(void **state)
{
	(void)state;
	use_standby(false);
	ask("noc-1", VERB_SHUTDOWN, "www", 0);
	run(10000);
	xl_create("www2");
	run(10000);
	w->log[0] = '\0';
	ask("noc-2", VERB_LAUNCH, "www", 0);
	run(10000);
	expect_log("");
	assert_request("noc-2", REQUEST_FAILED, "www: its standby www2 is not off");
}

/* Both are off, and both are to run: the one that begins is alone. */
static void
test_a_launch_of_both(void **state)
{
	(void)state;
	use_standby(false);
	ask("noc-1", VERB_SHUTDOWN, "www", 0);
	run(10000);
	w->log[0] = '\0';
	ask("noc-2", VERB_LAUNCH, "www", 0);
	ask("noc-3", VERB_LAUNCH, "www2", 0);
	run(20000);
	expect_log("start www\nunpause shop\n");
	assert_request("noc-2", REQUEST_SUCCEEDED, "");
	assert_request("noc-3", REQUEST_FAILED, "www2: www, whose standby it is, is not off");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_standby_takes_over),
	    TEST(test_a_standby_with_a_service_of_the_same_name),
	    TEST(test_a_primary_that_does_not_end),
	    TEST(test_an_engine_that_dies_in_a_take_over),
	    TEST(test_the_primary_comes_back),
	    TEST(test_a_start_of_the_primary_waits),
	    TEST(test_a_standby_that_fails_too),
	    TEST(test_a_standby_that_crashes),
	    TEST(test_a_standby_that_is_ended_on_purpose),
	    TEST(test_shutdown_of_all_with_a_standby_in_place),
	    TEST(test_what_a_replacement_owes_is_void_once_the_standby_runs),
	    TEST(test_a_boot_of_the_host_tries_the_primary_again),
	    TEST(test_the_configuration_loses_its_standby),
	    TEST(test_the_standby_gets_a_service_of_its_own),
	    TEST(test_the_configuration_has_another_standby),
	    TEST(test_a_primary_is_not_started_beside_its_standby),
	    TEST(test_a_launch_of_the_primary_beside_its_standby),
	    TEST(test_a_launch_of_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
