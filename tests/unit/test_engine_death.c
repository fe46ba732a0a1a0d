/* Domains that end: what their files say to that, and what is told of it. */
#include "engine_facts.h"

static void
test_crash_restarts(void **state)
{
	struct world *world = *state;
	const struct effect *effect;

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_non_null(event_of(world, EVENT_VM_CRASHED));
	effect = the(world, EFFECT_ACTION);
	assert_int_equal(effect->action.verb, ACTION_REPLACE);
	assert_int_equal(effect->action.domid, 3);
	tell_gone(world, 3);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, effect->action.id, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "www")->crashes, 1);
	assert_int_equal(row_of(world, "www")->restarts, 1);
	assert_int_equal(row_of(world, "www")->index, 1);
	assert_non_null(event_of(world, EVENT_VM_RECOVERED));
}

static void
test_what_counts_as_a_restart(void **state)
{
	static const uint32_t reasons[] = {REASON_REBOOT, REASON_SOFT_RESET, REASON_CRASH,
					   REASON_WATCHDOG};

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		void *own;
		struct world *world;

		setup(&own);
		world = own;
		tell_usual(world);
		later(world, 61000);
		forget_effects(world);
		tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, reasons[i]);
		tell_gone(world, 3);
		tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
		assert_int_equal(row_of(world, "www")->restarts, 1);
		teardown(&own);
	}
}

/* on_crash of www's domain domid, as figures tell it. */
static void
tell_on_crash(struct world *world, uint32_t domid, uint32_t on_crash)
{
	struct fact_figures fact = {.domid = domid, .on_crash = on_crash};

	TEXT_SET(fact.name, "www");
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
}

static void
test_on_crash_goes_with_the_action(void **state)
{
	static const struct {
		enum on_action policy;
		uint32_t verb; /* 0: nothing is done */
	} wanted[] = {
	    {ON_DESTROY, ACTION_REAP},
	    {ON_RESTART, ACTION_REPLACE},
	    {ON_RENAME_RESTART, ACTION_REPLACE},
	    {ON_COREDUMP_DESTROY, ACTION_REAP},
	    {ON_COREDUMP_RESTART, ACTION_REPLACE},
	    {ON_PRESERVE, 0},
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		void *own;
		struct world *world;
		const struct effect *effect;

		setup(&own);
		world = own;
		tell_usual(world);
		tell_on_crash(world, 3, wanted[i].policy);
		later(world, 61000);
		forget_effects(world);
		tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
		effect = the(world, EFFECT_ACTION);
		assert_int_equal(effect ? effect->action.verb : 0, wanted[i].verb);
		assert_int_equal(effect ? effect->action.number : wanted[i].policy,
				 wanted[i].policy);
		assert_int_equal(row_of(world, "www")->state, VM_CRASHED);
		teardown(&own);
	}
	(void)state;
}

/* rename-restart: the dead domain gets another name and UUID and stays; the VM is the new one. */
static void
test_a_domain_set_aside_is_not_the_vm(void **state)
{
	struct world *world = *state;
	static const uint8_t uuid_aside[UUID_SIZE] = {77};
	uint64_t id;

	tell_usual(world);
	tell_on_crash(world, 3, ON_RENAME_RESTART);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	id = the(world, EFFECT_ACTION)->action.id;
	forget_effects(world);
	tell_domain(world, 3, uuid_aside, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_figures(world, 3, "www", uuid_www); /* of a pass that began before */
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_null(event_of(world, EVENT_VM_IDENTITY_CHANGED));
	assert_int_equal(row_of(world, "www")->domid, -1);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	tell_figures(world, 3, "www-20261122T101112Z", uuid_aside);
	outcome(world, MSG_OUTCOME, id, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->index, 1);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "www")->domid, 4);
	assert_int_equal(row_of(world, "www")->crashes, 1);
	assert_int_equal(row_of(world, "www")->restarts, 1);
	assert_non_null(event_of(world, EVENT_VM_RECOVERED));
	/* what was set aside has a row of its own, and did not crash just now */
	assert_int_equal(row_of(world, "www-20261122T101112Z")->state, VM_CRASHED);
	assert_int_equal(row_of(world, "www-20261122T101112Z")->crashes, 0);
	assert_null(event_of(world, EVENT_VM_CRASHED));
	assert_null(the(world, EFFECT_ACTION));
}

/* Its helper was killed, and the old domain is gone: the start is still owed. */
static void
test_a_replacement_cut_off_is_made_up_for(void **state)
{
	struct world *world = *state;
	uint64_t id;

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_REBOOT);
	id = the(world, EFFECT_ACTION)->action.id;
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, id, REQUEST_UNDECIDED, "its helper was killed by signal 9");
	forget_effects(world);
	later(world, 29999);
	assert_null(the(world, EFFECT_ACTION));
	later(world, 1);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REPLACE);
	assert_int_equal(the(world, EFFECT_ACTION)->action.domid, 0);
	id = the(world, EFFECT_ACTION)->action.id;
	forget_effects(world);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, id, REQUEST_SUCCEEDED, "");
	later(world, 120000);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

static void
test_a_replacement_that_failed_is_not_owed(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_REBOOT);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_FAILED, "no");
	forget_effects(world);
	later(world, 120000);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

static void
test_quick_deaths_wait_longer(void **state)
{
	struct world *world = *state;
	uint64_t id;

	tell_usual(world);
	later(world, 2000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	id = the(world, EFFECT_ACTION)->action.id; /* the first at once */
	tell_gone(world, 3);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	outcome(world, MSG_OUTCOME, id, REQUEST_SUCCEEDED, "");
	forget_effects(world);
	tell_domain(world, 4, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(engine_deadline(world->engine), world->now.mono_ms + 5000);
	later(world, 4999);
	assert_null(the(world, EFFECT_ACTION));
	later(world, 1);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REPLACE);
	assert_int_equal(row_of(world, "www")->crashes, 2);
}

static void
test_poweroff_is_respected(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_POWEROFF);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REAP);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
	tell_domain(world, 3, uuid_www, DOMAIN_DYING, 0);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
	assert_string_equal(row_of(world, "www")->change_reason, "the guest powered off");
}

static void
test_a_monitored_domain_is_left_alone(void **state)
{
	struct world *world = *state;
	struct fact_figures fact = {.domid = 3, .monitored = 1, .on_crash = ON_RESTART};

	tell_usual(world);
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	TEXT_SET(fact.name, "www");
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
	assert_int_equal(row_of(world, "www")->owner, OWNER_OTHER);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_a_dead_domain_that_stays_is_not_the_vm(void **state)
{
	struct world *world = *state;
	size_t events = 0;

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_DYING, 0); /* and never goes: some page is in use */
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	forget_effects(world);
	for (int i = 0; i < 3; i++) {
		later(world, 1000);
		tell_domain(world, 3, uuid_www, DOMAIN_DYING, 0);
		tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
		tell_sample(world, SAMPLE_STATES, true);
	}
	for (size_t i = 0; i < world->effects_count; i++)
		events += world->effects[i].type == EFFECT_EVENT;
	assert_int_equal(events, 0);
	assert_int_equal(row_of(world, "www")->domid, 4);
	tell_gone(world, 3);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

static void
test_a_burial_that_another_did_is_forgotten(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 1000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_gone(world, 3);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_SUCCEEDED, "");
	tell_domain(world, 4, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH); /* waits 5 s ... */
	tell_gone(world, 4); /* ... and a person is faster */
	tell_domain(world, 5, uuid_www, DOMAIN_RUNNING, 0);
	later(world, 10000);
	assert_true(engine_deadline(world->engine) > world->now.mono_ms);
}

static void
test_a_burial_waits_for_the_hypervisor(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 1000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_FAILED, "no");
	tell_sample(world, SAMPLE_STATES, false);
	later(world, 60000);
	assert_true(engine_deadline(world->engine) > world->now.mono_ms);
	forget_effects(world);
	tell_sample(world, SAMPLE_STATES, true);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, ACTION_REPLACE);
}

static void
test_a_crashed_vm_that_does_not_start_crashed_once(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	later(world, 61000);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_gone(world, 3); /* cleared away; the start of the new one fails */
	outcome(world, MSG_OUTCOME, the(world, EFFECT_ACTION)->action.id, REQUEST_FAILED, "no");
	assert_int_equal(row_of(world, "www")->state, VM_CRASHED);
	forget_effects(world);
	hold(world, 1, "", VERB_START, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "www")->state, VM_CRASHED);
	assert_null(event_of(world, EVENT_VM_CRASHED));
	assert_int_equal(row_of(world, "www")->crashes, 1);
}

static void
test_an_end_that_did_not_get_into_the_journal_is_told(void **state)
{
	struct world *world = *state;
	struct mib_event events[2] = {{.sequence = 1, .time = world->now.wall_ms - 60000}};
	const struct mib_event *event;
	int64_t ended;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	ended = request_row(world, "noc-1")->ended;
	engine_free(world->engine); /* the engine is killed between two writes */
	world->now.wall_ms += 5000;
	world->content.requests = world->kept_requests;
	world->content.requests_count = world->kept_requests_count;
	world->content.events = events;
	world->content.events_count = 1;
	world->content.next_sequence = 2;
	forget_effects(world);
	world->engine = engine_new(&world->content, world->now);
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	event = event_of(world, EVENT_REQUEST_FINISHED);
	assert_non_null(event);
	assert_string_equal(event->request, "noc-1");
	assert_int_equal(event->time, ended);
	events[1] = *event; /* this time it did */
	world->content.events_count = 2;
	world->content.next_sequence = 3;
	engine_free(world->engine);
	forget_effects(world);
	world->engine = engine_new(&world->content, world->now);
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_null(event_of(world, EVENT_REQUEST_FINISHED));
}

/* xl's own rename-restart: the dead domain keeps its UUID in the hypervisor's list. */
static void
test_what_xl_preserves_is_past(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_SUSPEND);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_figures(world, 4, "www", uuid_www);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	assert_int_equal(row_of(world, "www")->domid, 4);
	tell_gone(world, 4);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_figures(world, 3, "www-20261122T1011Z", uuid_www);
	assert_int_equal(row_of(world, "www")->domid, -1);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_crash_restarts),
	    TEST(test_what_counts_as_a_restart),
	    TEST(test_on_crash_goes_with_the_action),
	    TEST(test_a_domain_set_aside_is_not_the_vm),
	    TEST(test_a_replacement_cut_off_is_made_up_for),
	    TEST(test_a_replacement_that_failed_is_not_owed),
	    TEST(test_quick_deaths_wait_longer),
	    TEST(test_poweroff_is_respected),
	    TEST(test_what_xl_preserves_is_past),
	    TEST(test_a_monitored_domain_is_left_alone),
	    TEST(test_a_dead_domain_that_stays_is_not_the_vm),
	    TEST(test_a_burial_that_another_did_is_forgotten),
	    TEST(test_a_burial_waits_for_the_hypervisor),
	    TEST(test_a_crashed_vm_that_does_not_start_crashed_once),
	    TEST(test_an_end_that_did_not_get_into_the_journal_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
