/* The rules of supervision, one by one: launch, the host's boot, repair, maintenance. */
#include "engine_three.h"

/* ---- 1. Launch ---- */

static void
test_launch_in_order(void **state)
{
	(void)state;
	use_three();
	service_of("nfs", "2049/tcp")->outcome = PROBE_DOWN;
	begin();
	expect_log("start dns\n");
	assert_monitor("dns", MONITOR_STARTING);
	assert_monitor("www", MONITOR_WAITING);
	assert_int_equal(plan_row("dns")->wave, 1);
	assert_int_equal(plan_row("nfs")->wave, 2);
	assert_int_equal(plan_row("www")->wave, 3);
	assert_int_equal(plan_row("www")->goal, PLAN_RUN);
	assert_string_equal(plan_row("www")->waits_for, "dns:53/udp, nfs:2049/tcp");
	run(5000);
	expect_log("start nfs\n");
	assert_string_equal(plan_row("www")->waits_for, "nfs:2049/tcp");
	run(60000);
	expect_log(""); /* it runs, but it is its service that counts */
	cure_service("nfs", "2049/tcp");
	run(5000);
	expect_log("start www\n");
	run(5000);
	assert_monitor("www", MONITOR_WATCHING);
	assert_string_equal(plan_row("www")->waits_for, "");
	assert_string_equal(vm_row("www")->change_reason, "launched by supervision");
	assert_int_equal(vm_row("www")->desired, DESIRED_RUNNING);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, NULL), 0);
}

static void
test_independent_ones_side_by_side(void **state)
{
	(void)state;
	add_vm("a");
	add_vm("b");
	add_vm("c");
	begin();
	expect_log("start a\nstart b\nstart c\n");
}

static void
test_not_without_autostart(void **state)
{
	(void)state;
	use_three();
	w->vms[place_of("dns")].policy.autostart = false;
	begin();
	run(60000);
	expect_log("");
	assert_monitor("dns", MONITOR_OFF);
	assert_monitor("nfs", MONITOR_WAITING);
}

static void
test_start_delay(void **state)
{
	(void)state;
	use_three();
	w->vms[place_of("nfs")].policy.start_delay_ms = 30000;
	w->vms[place_of("dns")].policy.restart_limit = 0;
	begin();
	run(5000);
	expect_log("start dns\n");
	run(20000);
	expect_log("");
	fail_service("dns", "53/udp"); /* the delay begins anew when it is back */
	run(30000);
	expect_log("");
	cure_service("dns", "53/udp");
	run(29000);
	expect_log("");
	run(15000);
	expect_log("start nfs\nstart www\n");
}

static void
test_start_timeouts(void **state)
{
	static const struct {
		enum start_policy policy;
		const char *log;
		enum monitor_state monitor;
	} cases[] = {
	    {START_WAIT, "", MONITOR_WAITING},
	    {START_ANYWAY, "start www\n", MONITOR_WATCHING},
	    {START_GIVE_UP, "", MONITOR_HUMAN},
	};

	for (size_t i = 0; i < 3; i++) {
		add_external("ntp", "123/udp");
		add_vm("www");
		add_need("www", "ntp", "123/udp");
		w->vms[0].policy.on_dependency = DEPENDENCY_SHUTDOWN;
		w->vms[0].policy.start_timeout_ms = 60000;
		w->vms[0].policy.on_start_timeout = cases[i].policy;
		fail_service("ntp", "123/udp");
		begin();
		run(59000);
		expect_log("");
		assert_monitor("www", MONITOR_WAITING);
		run(60000);
		expect_log(cases[i].log);
		assert_monitor("www", cases[i].monitor); /* and it is not paused for it */
		assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"),
				 cases[i].policy == START_GIVE_UP);
		teardown(state);
		setup(state);
	}
}

static void
test_giving_up_ends_with_a_request(void **state)
{
	(void)state;
	add_external("ntp", "123/udp");
	add_vm("www");
	add_need("www", "ntp", "123/udp");
	w->vms[0].policy.start_timeout_ms = 60000;
	w->vms[0].policy.on_start_timeout = START_GIVE_UP;
	fail_service("ntp", "123/udp");
	begin();
	run(61000);
	assert_string_equal(plan_row("www")->reason, "gave up waiting for ntp:123/udp");
	cure_service("ntp", "123/udp");
	run(60000);
	expect_log(""); /* a human was called, and is waited for */
	ask("noc-1", VERB_LAUNCH, "www", 0);
	run(1000);
	expect_log("start www\n");
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN_OVER, "www"), 1);
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
}

/* In the middle of a launch. */
static void
test_launch_goes_on_in_another_engine(void **state)
{
	(void)state;
	use_three();
	fail_service("dns", "53/udp");
	begin();
	expect_log("start dns\n");
	restart_engine();
	run(30000);
	expect_log("");
	assert_monitor("nfs", MONITOR_WAITING);
	cure_service("dns", "53/udp");
	run(5000);
	restart_engine();
	run(5000);
	expect_log("start nfs\nstart www\n");
}

static void
test_a_start_that_fails_is_tried_again(void **state)
{
	(void)state;
	add_vm("www");
	add_service("www", "80/tcp");
	w->fakes[0].fails = VERB_START;
	begin();
	run(9000);
	expect_log("start www\n");
	assert_string_equal(plan_row("www")->reason, "it cannot be done");
	assert_string_equal(vm_row("www")->change_reason, "start failed: it cannot be done");
	run(2000);
	expect_log("start www\n"); /* after its backoff */
	run(5 * MIN_MS);
	expect_log("start www\n");
	assert_monitor("www", MONITOR_HUMAN);
	assert_string_equal(last_event(EVENT_NEEDS_HUMAN)->text,
			    "www: needs a human: it cannot be done, and 3 restarts did not help");
	w->fakes[0].fails = 0;
	ask("noc-1", VERB_LAUNCH, "www", 0);
	run(5000);
	expect_log("start www\n");
	assert_monitor("www", MONITOR_WATCHING);
}

static void
test_a_launch_waits_for_the_hypervisor(void **state)
{
	(void)state;
	use_three();
	w->silent = true;
	begin();
	run(60000);
	expect_log("");
	w->silent = false;
	run(1000);
	expect_log("start dns\n");
	w->silent = true;
	run(20000);
	expect_log("");
	w->silent = false;
	run(20000);
	expect_log("start nfs\nstart www\n");
}

static void
test_a_saved_vm_is_restored(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SAVE, "www", 0);
	run(60000);
	expect_log("save www\n");
	assert_vm("www", VM_SUSPENDED);
	assert_monitor("www", MONITOR_OFF);
	ask("noc-2", VERB_LAUNCH, "www", 0);
	run(20000);
	expect_log("restore www\n");
	assert_request("noc-2", REQUEST_SUCCEEDED, "");
}

/* ---- the host's boot ---- */

static void
boot_host(void)
{
	for (size_t i = 0; i < w->config.vms_count; i++)
		vm_vanish(i);
	tell_urgent();
	w->next_domid = 0;
	w->boots++;
}

static void
test_a_boot_of_the_host(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "www", 0); /* as for the host's own end */
	run(5000);
	w->vms[place_of("nfs")].policy.autostart = false;
	reload();
	expect_log("shutdown www\n");
	engine_free(w->engine);
	w->probes_count = 0;
	w->now.wall_ms += 2 * MIN_MS;
	w->now.mono_ms = 20000;
	w->look_ms = 20010;
	w->boots++;
	for (size_t i = 0; i < w->config.vms_count; i++)
		w->fakes[i].domid = 0;
	start_engine();
	run(20000);
	expect_log("start dns\n");
	assert_monitor("www", MONITOR_WAITING); /* that request was before the boot */
	assert_monitor("nfs", MONITOR_OFF);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
}

/* The agent is new on a host that runs for long: nobody asked for its VMs. */
static void
test_a_boot_long_ago_launches_nothing(void **state)
{
	(void)state;
	use_three();
	w->booted_ms = 11 * MIN_MS;
	begin();
	run(20000);
	expect_log("");
	assert_monitor("dns", MONITOR_OFF);
	restart_engine();
	run(20000);
	expect_log("");
}

static void
test_a_boot_while_we_look(void **state)
{
	(void)state;
	use_running_three();
	boot_host();
	run(20000);
	expect_log("start dns\nstart nfs\nstart www\n");
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
}

static void
test_what_a_person_said_since_the_boot_holds(void **state)
{
	(void)state;
	use_three();
	w->silent = true;
	begin();
	ask("noc-1", VERB_DESIRE, "dns", DESIRED_SHUTDOWN);
	w->silent = false;
	run(10000);
	expect_log("");
	assert_monitor("dns", MONITOR_OFF);
}

static void
test_a_clock_that_is_set_is_no_boot(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "www", 0);
	run(5000);
	w->now.wall_ms += 3600 * 1000;
	run(10000);
	restart_engine();
	run(60000);
	expect_log("shutdown www\n");
}

/* What went without a word is kept for the next engine to judge. */
static void
test_what_went_unseen_outlives_the_engine(void **state)
{
	(void)state;
	use_running_three();
	xl_destroy("www");
	restart_engine(); /* before the next look at the host */
	run(60000);
	expect_log("");
	assert_int_equal(vm_row("www")->desired, DESIRED_SHUTDOWN);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "www"), 1);
}

/* A request that ran when the host went down: what became of it nobody knows. */
static void
test_a_request_over_a_boot_of_the_host(void **state)
{
	(void)state;
	use_running_three();
	w->stuck = true;
	ask("noc-1", VERB_REBOOT, "www", 0);
	run(1000);
	expect_log("reboot www\n");
	for (size_t i = 0; i < w->config.vms_count; i++)
		w->fakes[i].domid = 0;
	w->boots++;
	w->actions_count = 0;
	w->stuck = false;
	restart_engine();
	run(30000);
	expect_log("start dns\nstart nfs\nstart www\n");
	assert_request("noc-1", REQUEST_UNDECIDED, "the host went down meanwhile");
}

/* The engine was not there, but the host was: nobody knows why they are gone. */
static void
test_what_went_unseen_is_left_alone(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("www")].domid = 0;
	restart_engine();
	run(60000);
	expect_log("");
	assert_int_equal(vm_row("www")->desired, DESIRED_SHUTDOWN);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "www"), 1);
	assert_monitor("www", MONITOR_OFF);
}

/* ---- 2. Repair ---- */

static void
test_a_service_that_stays_down_has_its_vm_restarted(void **state)
{
	(void)state;
	use_running_three();
	fail_service("www", "80/tcp");
	while (service_row("www", "80/tcp")->state != SERVICE_DOWN)
		run(100);
	assert_monitor("www", MONITOR_FAILING);
	assert_int_equal(vm_row("www")->health, HEALTH_FAILED);
	run(19000);
	expect_log(""); /* its grace */
	run(2000);
	expect_log("restart www\n");
	assert_int_equal(count_events(EVENT_VM_RESTARTED, "www"), 1);
	assert_string_equal(last_event(EVENT_VM_RESTARTED)->text,
			    "www: restart 1 of 3: 80/tcp is down: no answer");
	run(170000);
	expect_log(""); /* it boots */
	cure_service("www", "80/tcp");
	run(5000);
	assert_monitor("www", MONITOR_WATCHING);
	assert_int_equal(count_events(EVENT_SERVICE_RESTORED, "www"), 1);
	assert_int_equal(vm_row("www")->health, HEALTH_OK);
}

static void
test_a_service_that_comes_back_in_its_grace_is_let_be(void **state)
{
	(void)state;
	use_running_three();
	fail_service("www", "80/tcp");
	while (service_row("www", "80/tcp")->state != SERVICE_DOWN)
		run(100);
	run(19500);
	cure_service("www", "80/tcp"); /* the attempt after the grace finds it */
	run(20000);
	expect_log("");
}

static void
test_restarts_are_limited(void **state)
{
	int64_t began_ms;

	(void)state;
	use_running_three();
	fail_service("www", "80/tcp");
	began_ms = w->now.mono_ms;
	run(16 * MIN_MS);
	expect_log("restart www\nrestart www\nrestart www\n");
	assert_monitor("www", MONITOR_HUMAN);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"), 1);
	assert_string_equal(plan_row("www")->reason,
			    "80/tcp is down: no answer, and 3 restarts did not help");
	assert_true(w->now.mono_ms - began_ms < 3600000);
	run(3 * 3600000);
	expect_log(""); /* the window is over, but a human was called */
	cure_service("www", "80/tcp");
	run(20000);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN_OVER, "www"), 1);
	assert_monitor("www", MONITOR_WATCHING);
	fail_service("www", "80/tcp");
	run(2 * MIN_MS);
	expect_log("restart www\n");
}

/* The limit is of any window, and outlives the engine. */
static void
test_restarts_are_counted_over_a_restart_of_the_engine(void **state)
{
	(void)state;
	use_running_three();
	fail_service("www", "80/tcp");
	run(6 * MIN_MS);
	expect_log("restart www\nrestart www\n");
	restart_engine();
	run(60 * MIN_MS);
	expect_log("restart www\n");
	assert_monitor("www", MONITOR_HUMAN);
	restart_engine();
	run(60 * MIN_MS);
	expect_log("");
	assert_monitor("www", MONITOR_HUMAN);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"), 1);
}

static void
test_restarts_in_a_row_wait_longer(void **state)
{
	int64_t due_ms;

	(void)state;
	w->config.policy.boot_ms = 0;
	w->config.policy.restart_limit = 10;
	w->config.policy.restart_backoff_ms = 60000;
	w->config.watch.grace_ms = 0;
	use_running_three();
	fail_service("www", "80/tcp");
	run(14000);
	expect_log("restart www\n"); /* the first at once */
	due_ms = 0;
	for (int i = 0; i < 3; i++) {
		int64_t began_ms = w->now.mono_ms;

		while (w->log[0] == '\0')
			run(1000);
		assert_in_range(w->now.mono_ms - began_ms, (60000 << i) - 5000,
				(60000 << i) + 25000);
		assert_true(w->now.mono_ms - began_ms > due_ms);
		due_ms = w->now.mono_ms - began_ms;
		w->log[0] = '\0';
	}
}

/* ---- 7. The start plan outranks the watchdog ---- */

static void
test_no_restart_while_it_boots_or_lacks_something(void **state)
{
	(void)state;
	w->config.policy.on_dependency = DEPENDENCY_ALERT;
	use_running_three();
	fail_service("www", "80/tcp");
	fail_service("dns", "53/udp");
	w->vms[place_of("dns")].policy.restart_limit = 0;
	run(5 * MIN_MS);
	expect_log("");
	assert_monitor("www", MONITOR_FAILING);
	cure_service("dns", "53/udp");
	run(15000);
	expect_log("restart www\n");
	run(170000);
	expect_log("");
}

static void
test_a_crash_is_started_again(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("www")].on_crash = ON_DESTROY;
	run(2000);
	for (int i = 0; i < 3; i++) {
		guest_ends("www", REASON_CRASH);
		run(30000 << i);
		expect_log("reap www\nstart www\n");
		assert_vm("www", VM_RUNNING);
	}
	assert_int_equal(count_events(EVENT_VM_RESTARTED, "www"), 3);
	guest_ends("www", REASON_CRASH);
	run(5 * MIN_MS);
	expect_log("reap www\n");
	assert_monitor("www", MONITOR_HUMAN);
	assert_vm("www", VM_CRASHED);
}

/* What the file has done itself counts too. */
static void
test_crashes_that_the_file_restarts_are_limited(void **state)
{
	(void)state;
	use_running_three();
	for (int i = 0; i < 3; i++) {
		guest_ends("www", REASON_CRASH);
		run(2 * MIN_MS);
		expect_log("replace www\n");
	}
	guest_ends("www", REASON_CRASH);
	run(5 * MIN_MS);
	expect_log("reap www\n");
	assert_monitor("www", MONITOR_HUMAN);
	assert_int_equal(count_events(EVENT_VM_RESTARTED, "www"), 3);
	ask("noc-1", VERB_START, "www", 0);
	run(10000);
	expect_log("start www\n");
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN_OVER, "www"), 1);
}

static void
test_an_unwatched_vm_that_crashed_is_its_files(void **state)
{
	(void)state;
	add_vm("a");
	begin();
	run(2 * MIN_MS);
	expect_log("start a\n");
	for (int i = 0; i < 5; i++) {
		guest_ends("a", REASON_CRASH);
		run(2 * MIN_MS);
		expect_log("replace a\n");
	}
	w->fakes[0].on_crash = ON_DESTROY;
	run(2000);
	guest_ends("a", REASON_CRASH);
	run(10 * MIN_MS);
	expect_log("reap a\n");
	assert_monitor("a", MONITOR_OFF);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, NULL), 0);
}

static void
test_a_preserved_crash_needs_a_human(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("www")].on_crash = ON_PRESERVE;
	run(2000);
	guest_ends("www", REASON_CRASH);
	run(MIN_MS);
	expect_log("");
	assert_monitor("www", MONITOR_HUMAN);
}

/* The restart itself fails, or nobody knows what became of it. */
static void
test_a_restart_that_fails(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("www")].fails = ACTION_RESTART;
	fail_service("www", "80/tcp");
	run(60 * MIN_MS);
	expect_log("restart www\nrestart www\nrestart www\n");
	assert_monitor("www", MONITOR_HUMAN);
}

/* The engine dies while it restarts a VM: nobody ended that on purpose. */
static void
test_an_engine_that_dies_in_a_restart(void **state)
{
	(void)state;
	use_running_three();
	fail_service("www", "80/tcp");
	w->stuck = true;
	run(MIN_MS);
	expect_log("restart www\n");
	vm_gone(place_of("www")); /* the guest has ended; its start is to follow */
	restart_engine();
	run(10000);
	expect_log("");
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
	w->stuck = false;
	cure_service("www", "80/tcp");
	w->fakes[place_of("www")].domid = 99; /* gone in the middle: the action fails */
	w->fakes[place_of("www")].fails = ACTION_RESTART;
	w->fakes[place_of("www")].domid = 0;
	run(20000);
	expect_log("start www\n");
	assert_vm("www", VM_RUNNING);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, NULL), 0);
}

/* ---- 6. Maintenance ---- */

static void
test_maintenance(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_MAINTENANCE, "dns", 600);
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_monitor("dns", MONITOR_MAINTENANCE);
	assert_int_equal(vm_row("dns")->maintenance_s, 600);
	assert_int_equal(vm_row("dns")->maintenance_end, w->now.wall_ms + 600000);
	assert_int_equal(count_events(EVENT_MAINTENANCE_BEGAN, "dns"), 1);
	fail_service("dns", "53/udp");
	run(5 * MIN_MS);
	expect_log("pause nfs\npause www\n"); /* those that need it are treated as ever */
	assert_service("dns", "53/udp", SERVICE_DOWN);
	restart_engine();
	run(4 * MIN_MS);
	expect_log("");
	run(2 * MIN_MS);
	expect_log("restart dns\n");
	assert_int_equal(count_events(EVENT_MAINTENANCE_ENDED, "dns"), 1);
	assert_int_equal(vm_row("dns")->maintenance_s, 0);
}

static void
test_maintenance_without_end(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_MAINTENANCE, "www", UINT32_MAX);
	run(48 * 3600000);
	assert_monitor("www", MONITOR_MAINTENANCE);
	fail_service("www", "80/tcp");
	xl_destroy("dns");
	run(60 * MIN_MS);
	expect_log("pause nfs\n");
	assert_vm("www", VM_RUNNING);
	restart_engine();
	run(60 * MIN_MS);
	assert_monitor("www", MONITOR_MAINTENANCE);
	ask("noc-2", VERB_MEMORY, "www", 300); /* what a person asks for is done */
	run(1000);
	expect_log("memory 300 www\n");
	ask("noc-3", VERB_MAINTENANCE, "www", 0);
	run(5000);
	expect_log("pause www\n");
	assert_int_equal(count_events(EVENT_MAINTENANCE_BEGAN, "www"), 1);
	assert_int_equal(count_events(EVENT_MAINTENANCE_ENDED, "www"), 1);
}

/* It is tried a few times, and then somebody is called, who sees the VM off all the while. */
static void
test_a_dead_domain_that_cannot_be_cleared_away(void **state)
{
	(void)state;
	use_running_three();
	w->fakes[place_of("www")].fails = ACTION_REAP;
	guest_ends("www", REASON_POWEROFF);
	run(10 * MIN_MS);
	expect_log("reap www\nreap www\nreap www\n");
	assert_monitor("www", MONITOR_HUMAN);
	assert_vm("www", VM_SHUTDOWN);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"), 1);
	assert_int_equal(count_events(EVENT_VM_STATE_CHANGED, "www"), 2);
	xl_destroy("www");
	run(MIN_MS);
	assert_monitor("www", MONITOR_OFF);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN_OVER, "www"), 1);
	ask("noc-1", VERB_LAUNCH, "www", 0);
	run(20000);
	expect_log("start www\n");
}

static void
test_a_boot_that_is_not_known_is_none(void **state)
{
	(void)state;
	use_running_three();
	ask("noc-1", VERB_SHUTDOWN, "www", 0);
	run(10000);
	restart_engine();
	w->boots = 0; /* its id could not be read */
	run(MIN_MS);
	expect_log("shutdown www\n");
	w->boots = 1;
	run(MIN_MS);
	expect_log("");
	assert_monitor("www", MONITOR_OFF);
}

#define YEAR_MS (365 * 24 * 60 * MIN_MS)

/* The engine begins before the wall clock is right: what is kept is of the future, for a year. */
static void
test_a_clock_that_was_set_back(void **state)
{
	(void)state;
	use_running_three();
	fail_service("www", "80/tcp");
	while (!strstr(w->log, "restart www"))
		run(100);
	cure_service("www", "80/tcp");
	run(MIN_MS);
	ask("noc-1", VERB_MAINTENANCE, "dns", 600);
	w->vms[place_of("www")].policy.restart_limit = 1;
	w->now.wall_ms -= YEAR_MS;
	restart_engine();
	w->log[0] = '\0';
	run(9 * MIN_MS);
	assert_monitor("dns", MONITOR_MAINTENANCE);
	run(2 * MIN_MS);
	assert_monitor("dns", MONITOR_WATCHING);
	run(60 * MIN_MS);
	fail_service("www", "80/tcp");
	run(MIN_MS);
	expect_log("restart www\n");
}

/* A guest's kexec ends its domain, and nothing else would start it again. */
static void
test_a_soft_reset_is_a_reboot(void **state)
{
	(void)state;
	use_running_three();
	guest_ends("www", REASON_SOFT_RESET);
	run(MIN_MS);
	expect_log("replace www\n");
	assert_monitor("www", MONITOR_WATCHING);
	assert_int_equal(count_events(EVENT_VM_CRASHED, "www"), 0);
	assert_int_equal(count_events(EVENT_LEFT_ALONE, "www"), 0);
	assert_int_equal(count_events(EVENT_NEEDS_HUMAN, "www"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_clock_that_was_set_back),
	    TEST(test_a_boot_that_is_not_known_is_none),
	    TEST(test_a_soft_reset_is_a_reboot),
	    TEST(test_a_dead_domain_that_cannot_be_cleared_away),
	    TEST(test_launch_in_order),
	    TEST(test_independent_ones_side_by_side),
	    TEST(test_not_without_autostart),
	    TEST(test_start_delay),
	    TEST(test_start_timeouts),
	    TEST(test_giving_up_ends_with_a_request),
	    TEST(test_launch_goes_on_in_another_engine),
	    TEST(test_a_start_that_fails_is_tried_again),
	    TEST(test_a_launch_waits_for_the_hypervisor),
	    TEST(test_a_saved_vm_is_restored),
	    TEST(test_a_boot_of_the_host),
	    TEST(test_a_boot_long_ago_launches_nothing),
	    TEST(test_a_boot_while_we_look),
	    TEST(test_what_a_person_said_since_the_boot_holds),
	    TEST(test_a_clock_that_is_set_is_no_boot),
	    TEST(test_what_went_unseen_is_left_alone),
	    TEST(test_what_went_unseen_outlives_the_engine),
	    TEST(test_a_request_over_a_boot_of_the_host),
	    TEST(test_a_service_that_stays_down_has_its_vm_restarted),
	    TEST(test_a_service_that_comes_back_in_its_grace_is_let_be),
	    TEST(test_restarts_are_limited),
	    TEST(test_restarts_are_counted_over_a_restart_of_the_engine),
	    TEST(test_restarts_in_a_row_wait_longer),
	    TEST(test_no_restart_while_it_boots_or_lacks_something),
	    TEST(test_a_crash_is_started_again),
	    TEST(test_crashes_that_the_file_restarts_are_limited),
	    TEST(test_an_unwatched_vm_that_crashed_is_its_files),
	    TEST(test_a_preserved_crash_needs_a_human),
	    TEST(test_a_restart_that_fails),
	    TEST(test_an_engine_that_dies_in_a_restart),
	    TEST(test_maintenance),
	    TEST(test_maintenance_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
