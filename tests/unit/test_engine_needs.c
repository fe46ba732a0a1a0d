/* What a VM needs fails and comes back; and what is done on purpose. */
#include "engine_three.h"

/* ---- 3. Dependencies ---- */

static void
test_pause_and_resume_cascade(void **state)
{
	int64_t paused_ms;

	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	while (w->log[0] == '\0')
		run(1);
	paused_ms = w->now.mono_ms;
	expect_log("pause nfs\npause www\n"); /* in one step */
	assert_int_equal(paused_ms, w->now.mono_ms);
	assert_monitor("www", MONITOR_BLOCKED);
	assert_service("nfs", "2049/tcp", SERVICE_SUSPENDED);
	assert_service("www", "80/tcp", SERVICE_SUSPENDED);
	assert_int_equal(count_events(EVENT_VM_BLOCKED, "nfs"), 1);
	assert_int_equal(count_events(EVENT_VM_BLOCKED, "www"), 1);
	assert_int_equal(count_events(EVENT_DEPENDENCY_FAILED, "dns"), 1);
	assert_string_equal(last_event(EVENT_VM_BLOCKED)->text,
			    "www: paused: it needs dns:53/udp, nfs:2049/tcp");
	run(1000);
	assert_vm("www", VM_PAUSED);
	assert_string_equal(vm_row("www")->change_reason, "it needs dns:53/udp, nfs:2049/tcp");
	run(30 * MIN_MS);
	expect_log("");
	assert_int_equal(service_row("www", "80/tcp")->failures, 0); /* nothing was counted */
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, "www"), 0);
	cure_service("dns", "53/udp");
	run(11000);
	expect_log("unpause nfs\nunpause www\n"); /* in the order */
	run(5000);
	assert_monitor("www", MONITOR_WATCHING);
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, "nfs"), 1);
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, "www"), 1);
	assert_int_equal(count_events(EVENT_DEPENDENCY_RESTORED, "dns"), 1);
	assert_int_equal(count_events(EVENT_DEPENDENCY_FAILED, "nfs"),
			 count_events(EVENT_DEPENDENCY_RESTORED, "nfs"));
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
}

/* By the hypervisor's word it is quicker. */
static void
test_a_provider_that_goes_pauses_at_once(void **state)
{
	(void)state;
	use_running_three();
	guest_ends("dns", REASON_POWEROFF);
	expect_log("reap dns\npause nfs\npause www\n");
	run(10 * MIN_MS);
	expect_log(""); /* on purpose: nobody starts it */
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "dns"), 1);
	ask("noc-1", VERB_START, "dns", 0);
	run(10000);
	expect_log("start dns\nunpause nfs\nunpause www\n");
}

static void
test_a_provider_that_flaps(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	for (int i = 0; i < 5; i++) {
		fail_service("dns", "53/udp");
		run(30000);
		cure_service("dns", "53/udp");
		run(30000);
		expect_log("pause nfs\npause www\nunpause nfs\nunpause www\n");
	}
	assert_int_equal(count_events(EVENT_VM_BLOCKED, NULL), 10);
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, NULL), 10);
}

/* It comes back while the pauses are only on their way. */
static void
test_a_provider_that_is_back_before_the_pause_is_done(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	w->stuck = true;
	fail_service("dns", "53/udp");
	run(20000);
	cure_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	w->stuck = false;
	run(10000);
	expect_log("unpause nfs\nunpause www\n");
	assert_vm("www", VM_RUNNING);
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, "www"), 1);
}

static void
test_an_engine_that_dies_while_vms_are_paused(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	restart_engine();
	run(60000);
	expect_log("");
	assert_monitor("www", MONITOR_BLOCKED);
	cure_service("dns", "53/udp");
	run(20000);
	expect_log("unpause nfs\nunpause www\n");
}

/* What came of the pause is told to the next engine only. */
static void
test_an_engine_that_dies_before_the_pause_is_done(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	w->stuck = true;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	restart_engine();
	run(2000);
	w->stuck = false;
	run(20000);
	expect_log("");
	assert_vm("www", VM_PAUSED);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
	cure_service("dns", "53/udp");
	run(20000);
	expect_log("unpause nfs\nunpause www\n");
}

static void
test_what_a_person_paused_stays_paused(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	xl_pause("www", true);
	run(2000);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "www"), 1);
	assert_int_equal(vm_row("www")->desired, DESIRED_PAUSED);
	assert_int_equal(vm_row("www")->health, HEALTH_OK);
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\n");
	cure_service("dns", "53/udp");
	run(20000);
	expect_log("unpause nfs\n");
	assert_vm("www", VM_PAUSED);
}

static void
test_what_a_person_unpauses_is_left_alone(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	ask("noc-1", VERB_UNPAUSE, "nfs", 0);
	run(60000);
	expect_log("unpause nfs\n");
	xl_pause("www", false);
	run(60000);
	expect_log("");
	assert_vm("www", VM_RUNNING);
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, NULL), 2);
	restart_engine();
	run(60000);
	expect_log("");
	cure_service("dns", "53/udp");
	run(20000);
	fail_service("dns", "53/udp"); /* they had all once: now it is as ever */
	run(20000);
	expect_log("pause nfs\npause www\n");
}

static void
test_what_a_person_starts_without_is_left_alone(void **state)
{
	(void)state;
	use_three();
	w->vms[place_of("dns")].policy.autostart = false;
	begin();
	xl_create("www");
	run(60000);
	expect_log("");
	assert_vm("www", VM_RUNNING);
	ask("noc-1", VERB_START, "nfs", 0);
	run(60000);
	expect_log("start nfs\n");
	assert_monitor("nfs", MONITOR_WATCHING);
}

static void
test_an_excuse_is_for_one_run(void **state)
{
	(void)state;
	use_three();
	w->vms[place_of("dns")].policy.autostart = false;
	begin();
	ask("noc-1", VERB_START, "nfs", 0);
	run(60000);
	expect_log("start nfs\n");
	guest_ends("nfs", REASON_REBOOT); /* the same run, to a person */
	run(60000);
	expect_log("replace nfs\n");
	assert_vm("nfs", VM_RUNNING);
	guest_ends("nfs", REASON_CRASH);
	run(10 * MIN_MS);
	expect_log("reap nfs\n"); /* it waits for what it needs */
	assert_monitor("nfs", MONITOR_WAITING);
}

static void
test_a_person_pauses_what_is_blocked(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	ask("noc-1", VERB_PAUSE, "www", 0);
	cure_service("dns", "53/udp");
	run(20000);
	expect_log("pause www\nunpause nfs\n");
	assert_vm("www", VM_PAUSED);
	assert_int_equal(vm_row("www")->desired, DESIRED_PAUSED);
}

/* dns stays down once it is; then nfs runs on, and www is shut down. */
static void
use_other_policies(void)
{
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	w->vms[place_of("nfs")].policy.on_dependency = DEPENDENCY_ALERT;
	w->vms[place_of("www")].policy.on_dependency = DEPENDENCY_SHUTDOWN;
	reload();
}

static void
test_other_policies(void **state)
{
	(void)state;
	use_other_policies();
	fail_service("dns", "53/udp");
	run(MIN_MS);
	expect_log("shutdown www\n");
	assert_vm("nfs", VM_RUNNING);
	assert_vm("www", VM_SHUTDOWN);
	assert_monitor("www", MONITOR_BLOCKED);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
	restart_engine();
	run(MIN_MS);
	expect_log("");
	cure_service("dns", "53/udp");
	run(20000);
	expect_log("start www\n");
	run(5000);
	assert_monitor("www", MONITOR_WATCHING);
	assert_int_equal(count_events(EVENT_VM_BLOCKED, "www"), 1);
	assert_int_equal(count_events(EVENT_VM_UNBLOCKED, "www"), 1);
	assert_int_equal(count_events(EVENT_DEPENDENCY_FAILED, "dns"), 1);
}

/* Its guest does not hear the shutdown, and a person pauses it before that is tried again. */
static void
test_a_person_pauses_what_is_to_shut_down(void **state)
{
	(void)state;
	use_other_policies();
	w->fakes[place_of("www")].refuses = 1;
	fail_service("dns", "53/udp");
	while (!strstr(w->log, "shutdown www"))
		run(10);
	xl_pause("www", true);
	run(MIN_MS);
	expect_log("shutdown www\n");
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "www"), 1);
	assert_int_equal(vm_row("www")->desired, DESIRED_PAUSED);
	cure_service("dns", "53/udp");
	run(MIN_MS);
	expect_log("");
	assert_vm("www", VM_PAUSED);
	assert_monitor("www", MONITOR_NONE);
	xl_pause("www", false);
	run(MIN_MS);
	assert_monitor("www", MONITOR_WATCHING);
}

/* Its allowance stops meanwhile. */
static void
test_a_vm_that_boots_is_paused_too(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("www", "80/tcp");
	run(MIN_MS);
	expect_log("restart www\n");
	fail_service("dns", "53/udp");
	run(MIN_MS);
	expect_log("pause nfs\npause www\n");
	run(30 * MIN_MS);
	cure_service("dns", "53/udp");
	run(MIN_MS);
	expect_log("unpause nfs\nunpause www\n"); /* and no restart */
	run(30000);
	assert_monitor("www", MONITOR_STARTING);
	cure_service("www", "80/tcp");
	run(5000);
	assert_monitor("www", MONITOR_WATCHING);
}

static void
test_a_pause_that_fails_is_tried_again(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	w->fakes[place_of("nfs")].fails = VERB_PAUSE;
	fail_service("dns", "53/udp");
	run(16000);
	assert_vm("nfs", VM_RUNNING);
	w->fakes[place_of("nfs")].fails = 0;
	run(60000);
	assert_vm("nfs", VM_PAUSED);
	assert_int_equal(count_events(EVENT_VM_BLOCKED, "nfs"), 1);
	w->fakes[place_of("nfs")].fails = VERB_UNPAUSE;
	cure_service("dns", "53/udp");
	run(60000);
	assert_vm("nfs", VM_PAUSED);
	w->fakes[place_of("nfs")].fails = 0;
	run(61000);
	assert_vm("nfs", VM_RUNNING);
	assert_vm("www", VM_RUNNING);
}

static void
test_nothing_is_done_while_the_hypervisor_is_silent(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	w->silent = true;
	run(5000);
	fail_service("dns", "53/udp");
	fail_service("www", "80/tcp");
	run(10 * MIN_MS);
	expect_log("");
	cure_service("dns", "53/udp");
	cure_service("www", "80/tcp");
	run(MIN_MS);
	w->silent = false;
	run(MIN_MS);
	expect_log("");
	w->silent = true;
	fail_service("dns", "53/udp");
	run(MIN_MS);
	w->silent = false;
	run(2000);
	expect_log("pause nfs\npause www\n");
}

static void
test_a_reload_in_between(void **state)
{
	(void)state;
	use_running_three();
	w->vms[place_of("dns")].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("pause nfs\npause www\n");
	w->vms[place_of("www")].needs_count = 0; /* it needs nothing any more */
	reload();
	run(2000);
	expect_log("unpause www\n");
	w->vms[place_of("nfs")].policy.on_dependency = DEPENDENCY_ALERT;
	reload();
	run(2000);
	expect_log("unpause nfs\n");
	w->vms[place_of("nfs")].policy.on_dependency = DEPENDENCY_PAUSE;
	reload();
	run(2000);
	expect_log("pause nfs\n");
}

/* Who leaves the configuration is not left paused behind. */
static void
test_a_blocked_vm_leaves_the_configuration(void **state)
{
	(void)state;
	add_vm("dns");
	add_vm("www");
	add_service("dns", "53/udp");
	add_need("www", "dns", "53/udp");
	begin();
	run(20000);
	w->vms[0].policy.restart_limit = 0;
	fail_service("dns", "53/udp");
	run(20000);
	expect_log("start dns\nstart www\npause www\n");
	w->config.vms_count = 1;
	engine_load(w->engine, &w->config, w->now);
	w->config.vms_count = 2; /* of the world; the engine has seen 1 */
	take_effects();
	expect_log("unpause www\n");
	w->config.vms_count = 1;
	assert_monitor("www", MONITOR_NONE);
	w->config.vms_count = 2;
	run(2000);
}

/* ---- 4. On purpose ---- */

static void
test_what_is_done_on_purpose_is_respected(void **state)
{
	(void)state;
	use_running_three();
	guest_ends("www", REASON_POWEROFF);
	run(10 * MIN_MS);
	expect_log("reap www\n");
	assert_int_equal(vm_row("www")->desired, DESIRED_SHUTDOWN);
	assert_string_equal(last_event(EVENT_LEFT_ALONE)->text,
			    "www: the guest powered off; that is respected");
	assert_int_equal(vm_row("www")->health, HEALTH_OK);
	xl_destroy("nfs");
	run(10 * MIN_MS);
	expect_log("");
	assert_int_equal(vm_row("nfs")->desired, DESIRED_SHUTDOWN);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 2);
	xl_create("www"); /* and who arrives is looked after */
	run(2 * MIN_MS);
	assert_vm("www", VM_RUNNING);
	assert_int_equal(vm_row("www")->desired, DESIRED_RUNNING);
	assert_monitor("www", MONITOR_WATCHING);
}

/* Destroyed before it was ever listed: it is not started again and again. */
static void
test_what_came_and_went_is_left_alone(void **state)
{
	(void)state;
	w->config.policy.autostart = false;
	add_vm("a");
	begin();
	w->vanishes = true;
	ask("noc-1", VERB_LAUNCH, "a", 0);
	run(60000);
	expect_log("start a\n");
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "a"), 1);
	assert_request("noc-1", REQUEST_FAILED, "a: it was ended meanwhile");
}

static void
test_saved_or_moved_away_on_the_host(void **state)
{
	(void)state;
	use_running_three();
	guest_ends("www", REASON_SUSPEND);
	run(2000);
	vm_gone(place_of("www"));
	run(10 * MIN_MS);
	expect_log("");
	assert_vm("www", VM_SUSPENDED);
	assert_int_equal(vm_row("www")->desired, DESIRED_SUSPENDED);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "www"), 1);
}

static void
test_a_reboot_is_no_failure(void **state)
{
	(void)state;
	use_running_three();
	for (int i = 0; i < 6; i++) {
		guest_ends("www", REASON_REBOOT);
		run(10 * MIN_MS);
		expect_log("replace www\n");
		assert_monitor("www", MONITOR_WATCHING);
	}
	assert_int_equal(count_events(EVENT_VM_RESTARTED, NULL), 0);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
	ask("noc-1", VERB_REBOOT, "dns", 0);
	run(10000);
	expect_log("reboot dns\npause nfs\npause www\nunpause nfs\nunpause www\n");
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
}

/* A shutdown of one, by request: its dependents wait for it. */
static void
test_a_person_shuts_one_down(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "dns", 0);
	run(10 * MIN_MS);
	expect_log("shutdown dns\npause nfs\npause www\n");
	assert_monitor("dns", MONITOR_OFF);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
	ask("noc-2", VERB_LAUNCH, "dns", 0);
	run(20000);
	expect_log("start dns\nunpause nfs\nunpause www\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_an_excuse_is_for_one_run),
	    TEST(test_pause_and_resume_cascade),
	    TEST(test_a_provider_that_goes_pauses_at_once),
	    TEST(test_a_provider_that_flaps),
	    TEST(test_a_provider_that_is_back_before_the_pause_is_done),
	    TEST(test_an_engine_that_dies_while_vms_are_paused),
	    TEST(test_an_engine_that_dies_before_the_pause_is_done),
	    TEST(test_what_a_person_paused_stays_paused),
	    TEST(test_what_a_person_unpauses_is_left_alone),
	    TEST(test_what_a_person_starts_without_is_left_alone),
	    TEST(test_a_person_pauses_what_is_blocked),
	    TEST(test_other_policies),
	    TEST(test_a_person_pauses_what_is_to_shut_down),
	    TEST(test_a_vm_that_boots_is_paused_too),
	    TEST(test_a_pause_that_fails_is_tried_again),
	    TEST(test_nothing_is_done_while_the_hypervisor_is_silent),
	    TEST(test_a_reload_in_between),
	    TEST(test_a_blocked_vm_leaves_the_configuration),
	    TEST(test_what_is_done_on_purpose_is_respected),
	    TEST(test_what_came_and_went_is_left_alone),
	    TEST(test_saved_or_moved_away_on_the_host),
	    TEST(test_a_reboot_is_no_failure),
	    TEST(test_a_person_shuts_one_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
