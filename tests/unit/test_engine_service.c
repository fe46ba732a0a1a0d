/* What the engine knows of services, and when it has them probed. */
#include "engine_world.h"

/* No VM is launched by itself: what runs was started by a person. */
static int
setup_idle(void **state)
{
	setup(state);
	w->config.policy.autostart = false;
	w->config.policy.restart_limit = 0;
	return 0;
}

static void
use_dns(void)
{
	use_three();
	begin();
	xl_create("dns");
	run(3000);
	assert_service("dns", "53/udp", SERVICE_UP);
	forget_events();
}

static void
test_by_the_hypervisors_word(void **state)
{
	(void)state;
	use_three();
	begin();
	assert_service("dns", "53/udp", SERVICE_OFF);
	xl_create("dns");
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(2000);
	assert_service("dns", "53/udp", SERVICE_STARTING);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(2000);
	assert_service("dns", "53/udp", SERVICE_UP);
	assert_int_equal(service_row("dns", "53/udp")->latency_us, 150);
	assert_int_equal(service_row("dns", "53/udp")->needed_by, 2);
	xl_pause("dns", true);
	run(1000);
	assert_service("dns", "53/udp", SERVICE_SUSPENDED);
	xl_pause("dns", false);
	run(1000);
	assert_service("dns", "53/udp", SERVICE_STARTING);
	run(1000);
	assert_service("dns", "53/udp", SERVICE_UP);
	xl_destroy("dns");
	assert_service("dns", "53/udp", SERVICE_OFF);
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, NULL), 0);
}

static void
test_what_runs_already_is_unknown(void **state)
{
	(void)state;
	use_three();
	xl_create("dns");
	w->fakes[place_of("dns")].start_wall_ms = w->now.wall_ms - 3600000;
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	w->deaf = true;
	begin();
	run(1500);
	assert_service("dns", "53/udp", SERVICE_UNKNOWN);
	assert_int_equal(service_of("dns", "53/udp")->probes, 1); /* at once */
	w->deaf = false;
	run(7000);
	assert_service("dns", "53/udp", SERVICE_DOWN); /* its boot is long over */
}

static void
test_falls_and_rises(void **state)
{
	int64_t began_ms;

	(void)state;
	w->config.watch.rise = 2;
	use_dns();
	run(30000);
	began_ms = w->now.mono_ms;
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	while (service_row("dns", "53/udp")->failures < 2)
		run(1);
	service_of("dns", "53/udp")->outcome = PROBE_UP; /* not in a row */
	run(2000);
	assert_int_equal(service_row("dns", "53/udp")->failures, 0);
	assert_service("dns", "53/udp", SERVICE_UP);
	service_of("dns", "53/udp")->outcome = PROBE_SILENT;
	run(14000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
	assert_true(w->now.mono_ms - began_ms < 30000); /* a failure has others follow soon */
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, "dns"), 1);
	assert_string_equal(last_event(EVENT_SERVICE_FAILED)->text,
			    "dns:53/udp is down: no answer");
	assert_int_equal(last_event(EVENT_SERVICE_FAILED)->service_index,
			 service_row("dns", "53/udp")->index);
	run(60000);
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, "dns"), 1);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	while (service_of("dns", "53/udp")->last_ms + 1 != w->now.mono_ms)
		run(1);
	assert_service("dns", "53/udp", SERVICE_DOWN); /* it rose once */
	run(1100);
	assert_service("dns", "53/udp", SERVICE_UP);
	assert_int_equal(count_events(EVENT_SERVICE_RESTORED, "dns"), 1);
}

static void
test_intervals(void **state)
{
	const struct fake_service *dns;

	(void)state;
	use_dns();
	dns = service_of("dns", "53/udp");
	run(20000);
	{
		uint32_t before = dns->probes;

		run(100000);
		assert_int_equal(dns->probes - before, 10);
	}
	w->fakes[place_of("dns")].dead = false;
	xl_destroy("dns");
	{
		uint32_t before = dns->probes;

		run(30000);
		assert_int_equal(dns->probes, before); /* nobody would answer */
	}
}

static void
test_a_boot_takes_its_time(void **state)
{
	(void)state;
	use_three();
	begin();
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	xl_create("dns");
	run(178000);
	assert_service("dns", "53/udp", SERVICE_STARTING);
	run(5000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
}

/* Nothing of the allowance is lost while it is paused. */
static void
test_a_boot_that_is_paused(void **state)
{
	(void)state;
	use_three();
	begin();
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	xl_create("dns");
	run(60000);
	xl_pause("dns", true);
	run(600000);
	assert_service("dns", "53/udp", SERVICE_SUSPENDED);
	xl_pause("dns", false);
	run(115000);
	assert_service("dns", "53/udp", SERVICE_STARTING);
	run(10000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
}

static void
test_an_engine_that_begins_during_a_boot(void **state)
{
	(void)state;
	use_three();
	begin();
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	xl_create("dns");
	run(60000);
	restart_engine();
	run(110000);
	assert_service("dns", "53/udp", SERVICE_UNKNOWN);
	run(20000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
}

/* What was asked before the VM was paused, or was another domain, says nothing of it now. */
static void
test_stale_answers(void **state)
{
	struct probe_report report = {.outcome = PROBE_UP};

	(void)state;
	use_three();
	begin();
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	w->deaf = true;
	xl_create("dns");
	run(1500);
	report.attempt = w->last_attempt;
	assert_int_equal(service_of("dns", "53/udp")->probes, 1);
	xl_destroy("dns");
	xl_create("dns");
	run(1000);
	assert_service("dns", "53/udp", SERVICE_STARTING);
	engine_probed(w->engine, w->now, &report);
	take_effects();
	assert_service("dns", "53/udp", SERVICE_STARTING);
	report.attempt = 12345;
	engine_probed(w->engine, w->now, &report);
	report.attempt = 0;
	engine_probed(w->engine, w->now, &report);
	take_effects();
	assert_service("dns", "53/udp", SERVICE_STARTING);
	w->deaf = false;
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(5000);
	assert_service("dns", "53/udp", SERVICE_UP);
	report.attempt = w->last_attempt; /* answered already */
	report.outcome = PROBE_DOWN;
	engine_probed(w->engine, w->now, &report);
	assert_int_equal(service_row("dns", "53/udp")->failures, 0);
}

/* A prober that says nothing is no service that is down. */
static void
test_attempts_without_answers(void **state)
{
	uint32_t before;

	(void)state;
	use_dns();
	w->deaf = true;
	before = service_of("dns", "53/udp")->probes;
	run(20000);
	assert_service("dns", "53/udp", SERVICE_UP);
	run(100000);
	assert_service("dns", "53/udp", SERVICE_UNKNOWN);
	assert_string_equal(service_row("dns", "53/udp")->text, "the attempt did not end");
	assert_true(service_of("dns", "53/udp")->probes - before <= 120000 / 3000);
	w->deaf = false;
	run(5000);
	assert_service("dns", "53/udp", SERVICE_UP);
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, NULL), 0);
}

static void
test_trouble_of_our_own(void **state)
{
	(void)state;
	use_dns();
	service_of("dns", "53/udp")->outcome = PROBE_ERROR;
	run(60000);
	assert_service("dns", "53/udp", SERVICE_UNKNOWN);
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, NULL), 0);
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(10000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
	service_of("dns", "53/udp")->outcome = PROBE_ERROR;
	run(60000);
	assert_service("dns", "53/udp", SERVICE_UNKNOWN);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(10000);
	assert_service("dns", "53/udp", SERVICE_UP);
	assert_int_equal(count_events(EVENT_SERVICE_RESTORED, NULL), 1); /* the pair is closed */
}

static void
test_silence_that_is_an_answer(void **state)
{
	(void)state;
	use_three();
	w->vm_services[place_of("dns")][0].silence_is_up = true;
	service_of("dns", "53/udp")->outcome = PROBE_SILENT;
	begin();
	xl_create("dns");
	run(5000);
	assert_service("dns", "53/udp", SERVICE_UP);
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(30000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
}

/* Whoever declares it, and however many need it: one attempt serves all. */
static void
test_the_same_is_probed_once(void **state)
{
	struct config_external *alias;
	uint32_t before;

	(void)state;
	use_three();
	alias = add_external("alias", "53/udp");
	TEXT_SET(alias->provider.services[0].address, "10.0.0.2"); /* dns's */
	alias->provider.services[0].watch.interval_ms = 5000;	   /* the shorter one counts */
	begin();
	assert_service("alias", "53/udp", SERVICE_UNKNOWN);
	xl_create("dns");
	run(20000);
	assert_service("dns", "53/udp", SERVICE_UP);
	assert_service("alias", "53/udp", SERVICE_UP);
	before = service_of("dns", "53/udp")->probes + service_of("alias", "53/udp")->probes;
	run(50000);
	assert_int_equal(service_of("dns", "53/udp")->probes +
			     service_of("alias", "53/udp")->probes - before,
			 10);
	xl_destroy("dns");
	run(30000);
	assert_service("dns", "53/udp", SERVICE_OFF);
	assert_service("alias", "53/udp", SERVICE_DOWN);
}

static void
test_externals(void **state)
{
	(void)state;
	add_external("ntp", "123/udp");
	add_vm("www");
	add_need("www", "ntp", "123/udp");
	begin();
	run(2000);
	assert_service("ntp", "123/udp", SERVICE_UP);
	assert_int_equal(service_row("ntp", "123/udp")->vm, 0);
	service_of("ntp", "123/udp")->outcome = PROBE_DOWN;
	w->silent = true; /* of the hypervisor's silence it knows nothing */
	run(30000);
	assert_service("ntp", "123/udp", SERVICE_DOWN);
}

static void
test_a_silent_hypervisor_changes_no_service(void **state)
{
	(void)state;
	use_dns();
	w->silent = true;
	run(60000);
	assert_vm("dns", VM_UNKNOWN);
	assert_service("dns", "53/udp", SERVICE_UP);
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(30000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
}

static void
test_a_reload(void **state)
{
	uint32_t dns, www, before;

	(void)state;
	use_dns();
	dns = service_row("dns", "53/udp")->index;
	www = service_row("www", "80/tcp")->index;
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	while (service_row("dns", "53/udp")->failures < 2)
		run(1);
	before = service_of("dns", "53/udp")->probes;
	w->vm_services[place_of("www")][0].port = 8080;
	reload();
	assert_int_equal(service_of("dns", "53/udp")->probes, before); /* goes on undisturbed */
	assert_int_equal(service_row("dns", "53/udp")->failures, 2);
	assert_service("dns", "53/udp", SERVICE_UP);
	assert_int_equal(service_row("dns", "53/udp")->index, dns);
	assert_int_equal(service_row("www", "80/tcp")->index, www);
	assert_int_equal(service_row("www", "80/tcp")->port, 8080);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(2000);
	w->vm_services[place_of("dns")][0].port = 5353; /* not what it was */
	reload();
	assert_service("dns", "53/udp", SERVICE_UNKNOWN);
	run(2000);
	assert_service("dns", "53/udp", SERVICE_UP);
}

static size_t
rows_of(enum mib_kind kind)
{
	return engine_rows(w->engine)->sets[kind].count;
}

static void
test_what_leaves_the_configuration(void **state)
{
	uint32_t www;

	(void)state;
	use_dns();
	www = service_row("www", "80/tcp")->index;
	assert_int_equal(rows_of(KIND_SERVICE), 3);
	assert_int_equal(rows_of(KIND_DEPENDENCY), 3);
	w->vms[place_of("www")].provider.services_count = 0;
	w->vms[place_of("www")].needs_count = 1;
	reload();
	assert_int_equal(rows_of(KIND_SERVICE), 2);
	assert_int_equal(rows_of(KIND_DEPENDENCY), 2);
	add_service("nfs", "111/tcp");
	reload();
	assert_int_not_equal(service_row("nfs", "111/tcp")->index, www); /* it rests */
	run(1000);
	restart_engine();
	w->vms[place_of("www")].provider.services_count = 1;
	reload();
	run(1000);
	assert_int_equal(service_row("www", "80/tcp")->index, www);
	w->vms[place_of("www")].provider.services_count = 0;
	reload();
	w->now.wall_ms += 25 * 3600 * INT64_C(1000);
	run(61000);
	add_service("nfs", "112/tcp");
	reload();
	assert_int_equal(service_row("nfs", "112/tcp")->index, www);
}

static void
test_pairs_outlive_the_engine(void **state)
{
	(void)state;
	use_dns();
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(30000);
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, "dns"), 1);
	restart_engine();
	w->fakes[place_of("dns")].start_wall_ms -= 3600000;
	run(60000);
	assert_service("dns", "53/udp", SERVICE_DOWN);
	assert_int_equal(count_events(EVENT_SERVICE_FAILED, "dns"), 1);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(12000);
	assert_int_equal(count_events(EVENT_SERVICE_RESTORED, "dns"), 1);
}

/* Those who run without it are told of, and only they. */
static void
test_dependency_events(void **state)
{
	(void)state;
	w->config.policy.on_dependency = DEPENDENCY_ALERT;
	use_dns();
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(30000);
	assert_int_equal(count_events(EVENT_DEPENDENCY_FAILED, NULL), 0);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(12000);
	assert_int_equal(count_events(EVENT_DEPENDENCY_RESTORED, NULL), 0);
	xl_create("nfs");
	xl_create("www");
	run(5000);
	service_of("dns", "53/udp")->outcome = PROBE_DOWN;
	run(30000);
	assert_int_equal(count_events(EVENT_DEPENDENCY_FAILED, "dns"), 1);
	assert_string_equal(last_event(EVENT_DEPENDENCY_FAILED)->text,
			    "dns:53/udp is down; needed by nfs, www");
	xl_destroy("dns");
	run(5000);
	xl_create("dns");
	assert_int_equal(count_events(EVENT_DEPENDENCY_RESTORED, NULL), 0);
	service_of("dns", "53/udp")->outcome = PROBE_UP;
	run(5000);
	assert_int_equal(count_events(EVENT_DEPENDENCY_FAILED, NULL), 1);
	assert_int_equal(count_events(EVENT_DEPENDENCY_RESTORED, "dns"), 1);
	expect_log("");
}

/* Services that began together do not stay together. */
static void
test_attempts_are_spread(void **state)
{
	int64_t moments[VMS_MAX], first_ms;
	size_t close = 0;

	(void)state;
	for (int i = 0; i < VMS_MAX; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%d", i);
		add_vm(name);
		add_service(name, "22/tcp");
		xl_create(name);
	}
	begin();
	run(60000);
	first_ms = w->now.mono_ms - 10000;
	for (int i = 0; i < VMS_MAX; i++) {
		moments[i] = w->answers[i][0].last_ms;
		assert_true(moments[i] > first_ms);
		for (int j = 0; j < i; j++)
			close += llabs(moments[i] - moments[j]) < 10000 / VMS_MAX / 3;
	}
	assert_int_equal(close, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_idle, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_by_the_hypervisors_word),
	    TEST(test_what_runs_already_is_unknown),
	    TEST(test_falls_and_rises),
	    TEST(test_intervals),
	    TEST(test_a_boot_takes_its_time),
	    TEST(test_a_boot_that_is_paused),
	    TEST(test_an_engine_that_begins_during_a_boot),
	    TEST(test_stale_answers),
	    TEST(test_attempts_without_answers),
	    TEST(test_trouble_of_our_own),
	    TEST(test_silence_that_is_an_answer),
	    TEST(test_the_same_is_probed_once),
	    TEST(test_externals),
	    TEST(test_a_silent_hypervisor_changes_no_service),
	    TEST(test_a_reload),
	    TEST(test_what_leaves_the_configuration),
	    TEST(test_pairs_outlive_the_engine),
	    TEST(test_dependency_events),
	    TEST(test_attempts_are_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
