/* Which VMs there are and how they are, by what the hypervisor process tells. */
#include "engine_facts.h"

static void
test_unknown_until_seen(void **state)
{
	struct world *world = *state;

	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_false(engine_is_whole(world->engine));
	tell_usual(world);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "www")->domid, 3);
	assert_int_equal(row_of(world, "www")->memory_used_mib, 128);
	assert_string_equal(row_of(world, "www")->group, "front");
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
	assert_true(engine_is_whole(world->engine));
	assert_null(the(world, EFFECT_EVENT)); /* a first sight is no change */
}

static void
test_a_lost_hypervisor_is_no_dead_vm(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_sample(world, SAMPLE_STATES, false);
	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	assert_int_equal(row_of(world, "db")->state, VM_UNKNOWN);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_LOST));
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED));
	tell_sample(world, SAMPLE_STATES, false);
	forget_effects(world);
	hold(world, 1, "", VERB_PAUSE, "www"); /* accepted, and waits */
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	tell_gone(world, 3);
	tell_sample(world, SAMPLE_STATES, true);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_RESTORED));
	assert_int_equal(event_of(world, EVENT_VM_STATE_CHANGED)->state, VM_SHUTDOWN);
	assert_non_null(the(world, EFFECT_ACTION));
}

static void
test_late_figures_leave_states_true(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_sample(world, SAMPLE_FIGURES, false);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_true(row_of(world, "www")->absent >> mib_vm_BIT_memory_used_mib & 1);
	assert_false(row_of(world, "www")->absent >> mib_vm_BIT_memory_mib & 1);
	assert_non_null(event_of(world, EVENT_FIGURES_LOST));
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_false(row_of(world, "www")->absent >> mib_vm_BIT_memory_used_mib & 1);
	assert_non_null(event_of(world, EVENT_FIGURES_RESTORED));
}

/* What a domain is for can be written after it was seen first. */
static void
test_a_stub_domain_has_no_row(void **state)
{
	struct fact_figures fact = {.domid = 6};
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 6, uuid_new, DOMAIN_PAUSED, 0);
	tell_figures(world, 6, "guest-dm", uuid_new);
	assert_non_null(row_of(world, "guest-dm"));
	TEXT_SET(fact.name, "guest-dm");
	memcpy(fact.uuid, uuid_new, UUID_SIZE);
	fact.stubdom_for = 3;
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
	assert_null(row_of(world, "guest-dm"));
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	assert_null(row_of(world, "guest-dm"));
}

/* At the start: the domain that it may be has no name yet. */
static void
test_who_may_be_nameless_is_not_taken_for_down(void **state)
{
	struct world *world = *state;

	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_new, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	tell_figures(world, 3, "www", uuid_new);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED));
}

static void
test_found_vms_come_and_go(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 6, "guest", uuid_new);
	assert_int_equal(row_of(world, "guest")->index, 3);
	assert_int_equal(row_of(world, "guest")->configured, 0);
	assert_int_equal(event_of(world, EVENT_VM_STATE_CHANGED)->state, VM_RUNNING);
	tell_gone(world, 6);
	assert_null(row_of(world, "guest"));
	later(world, 23 * 3600 * 1000);
	tell_domain(world, 7, (const uint8_t[UUID_SIZE]){8}, DOMAIN_RUNNING, 0);
	tell_figures(world, 7, "next", (const uint8_t[UUID_SIZE]){8});
	assert_int_equal(row_of(world, "next")->index, 4); /* 3 rests for a day */
}

/* Two workers look at the same moment: the figures may know a domain before the states do. */
static void
test_figures_before_states(void **state)
{
	struct world *world = *state;

	tell_figures(world, 7, "stray", uuid_new);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_null(row_of(world, "stray"));
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 7, uuid_new, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	assert_non_null(row_of(world, "stray"));
	assert_int_equal(row_of(world, "stray")->state, VM_RUNNING);
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED)); /* it ran when we first looked */
}

static void
test_devices(void **state)
{
	struct world *world = *state;
	struct fact_net net = {.domid = 3, .in_octets = 500};
	struct mib_net key = {.vm = 1, .index = 1};
	const struct mib_net *row;

	tell_usual(world);
	tell(world, MSG_NET, 0, &net, sizeof(net));
	row = rowset_find(&engine_rows(world->engine)->sets[KIND_NET], &key);
	assert_int_equal(row->in_octets, 500);
	later(world, 5000);
	net.in_octets = 20; /* the counters began anew */
	tell(world, MSG_NET, 0, &net, sizeof(net));
	row = rowset_find(&engine_rows(world->engine)->sets[KIND_NET], &key);
	assert_int_equal(row->discontinuity, world->now.wall_ms);
	tell_gone(world, 3);
	assert_null(rowset_find(&engine_rows(world->engine)->sets[KIND_NET], &key));
}

/* A QEMU that does not answer for a while has not begun to count anew. */
static void
test_disk_not_counted_for_a_while(void **state)
{
	struct world *world = *state;
	struct fact_disk disk = {.domid = 3, .device = 51712, .counted = 1, .reads = 500};
	struct mib_disk key = {.vm = 1, .index = 51712};
	const struct rowset *disks = &engine_rows(world->engine)->sets[KIND_DISK];
	const struct mib_disk *row;
	int64_t since_ms;

	tell_usual(world);
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	row = rowset_find(disks, &key);
	assert_false(row->absent >> mib_disk_BIT_reads & 1);
	assert_true(row->absent >> mib_disk_BIT_errors & 1);
	since_ms = row->discontinuity;
	later(world, 5000);
	disk.counted = 0;
	disk.reads = 0;
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	row = rowset_find(disks, &key);
	assert_true(row->absent >> mib_disk_BIT_reads & 1);
	assert_int_equal(row->discontinuity, since_ms);
	disk.counted = 1;
	disk.reads = 501;
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	assert_int_equal(((const struct mib_disk *)rowset_find(disks, &key))->discontinuity,
			 since_ms);
	later(world, 5000);
	disk.reads = 7; /* it was another QEMU */
	tell(world, MSG_DISK, 0, &disk, sizeof(disk));
	assert_int_equal(((const struct mib_disk *)rowset_find(disks, &key))->discontinuity,
			 world->now.wall_ms);
}

static void
test_cpu_share(void **state)
{
	struct world *world = *state;
	struct fact_domain fact = {.domid = 3,
				   .flags = DOMAIN_RUNNING,
				   .cpu_ns = 1000,
				   .memory_kib = 262144,
				   .vcpus = 2,
				   .vcpus_max = 2};

	tell_usual(world);
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	later(world, 1000);
	fact.read_mono_us = world->now.mono_ms * 1000;
	fact.cpu_ns = 1000 + 1500000000; /* one and a half CPUs */
	tell(world, MSG_DOMAIN, 0, &fact, sizeof(fact));
	assert_int_equal(row_of(world, "www")->cpu_used, 15000);
}

static void
test_restart_of_the_engine(void **state)
{
	struct world *world = *state;
	struct fact_host host = {.memory_kib = 1};

	tell(world, MSG_HOST, 0, &host, sizeof(host));
	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_STARTED, 1, REQUEST_RUNNING, "");
	hold(world, 2, "", VERB_START, "db"); /* held, and the engine dies */
	begin_again(world);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_RUNNING);
	tell_usual(world);
	assert_null(event_of(world, EVENT_VM_STATE_CHANGED));
	assert_null(the(world, EFFECT_ACTION)); /* the hypervisor process was asked already */
	later(world, 2000);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_SUCCEEDED);
	assert_null(the(world, EFFECT_ACTION)); /* the host may have been booted since */
	tell(world, MSG_HOST, 0, &host, sizeof(host));
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, VERB_START);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

static void
test_restart_of_the_hypervisor_process(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 5, uuid_db, DOMAIN_RUNNING, 0);
	forget_effects(world);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, false);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, true);
	collect(world);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 1); /* the same, not another */
	assert_int_equal(row_of(world, "db")->state, VM_RUNNING);
	tell_usual(world); /* domain 5 went meanwhile */
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
}

static void
test_reload(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->config.vms_count = 1;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_null(row_of(world, "db"));
	world->config.vms_count = 2;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

/* It was removed from the file, started with another UUID, and comes back. */
static void
test_a_section_takes_the_vm_that_lives(void **state)
{
	struct world *world = *state;

	memset(world->vms[1].uuid, 0, UUID_SIZE);
	engine_load(world->engine, &world->config, world->now);
	tell_usual(world);
	tell_gone(world, 5);
	world->config.vms_count = 1;
	engine_load(world->engine, &world->config, world->now);
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 6, "db", uuid_new);
	world->config.vms_count = 2;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(row_of(world, "db")->domid, 6);
	assert_int_equal(row_of(world, "db")->configured, 1);
}

/* A recording that is played must make the same. */
static void
test_uuids_that_are_allotted_are_no_matter_of_chance(void **state)
{
	struct world *world = *state;
	uint8_t first[UUID_SIZE];

	for (int i = 0; i < 2; i++) {
		engine_free(world->engine);
		world->engine = engine_new(&world->content, world->now);
		memset(world->vms[0].uuid, 0, UUID_SIZE);
		memset(world->vms[1].uuid, 0, UUID_SIZE);
		engine_load(world->engine, &world->config, world->now);
		collect(world);
		assert_memory_not_equal(row_of(world, "www")->uuid, row_of(world, "db")->uuid,
					UUID_SIZE);
		if (i == 0)
			memcpy(first, row_of(world, "www")->uuid, UUID_SIZE);
	}
	assert_memory_equal(row_of(world, "www")->uuid, first, UUID_SIZE);
}

static void
test_a_new_vm_takes_the_name_of_a_renamed_one(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->config.vms_count = 3;
	memset(world->vms[0].uuid, 0, UUID_SIZE); /* the new www, whose file says no UUID */
	TEXT_SET(world->vms[2].provider.name, "old");
	memcpy(world->vms[2].uuid, uuid_www, UUID_SIZE);
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(row_of(world, "old")->index, 1);
	assert_int_equal(row_of(world, "old")->domid, 3);
	assert_int_equal(row_of(world, "www")->index, 3);
	assert_int_equal(engine_rows(world->engine)->sets[KIND_VM].count, 3);
}

static void
test_pairs_outlive_the_engine(void **state)
{
	struct world *world = *state;
	struct mib_event events[2] = {
	    {.sequence = 1, .type = EVENT_HYPERVISOR_LOST},
	    {.sequence = 2, .type = EVENT_FIGURES_LOST},
	};

	tell_usual(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	world->content.events = events;
	world->content.events_count = 2;
	world->content.next_sequence = 3;
	begin_again(world);
	assert_false(engine_is_whole(world->engine)); /* it has not looked yet */
	tell_sample(world, SAMPLE_STATES, false);
	tell_sample(world, SAMPLE_FIGURES, false);
	assert_null(event_of(world, EVENT_HYPERVISOR_LOST)); /* told already */
	assert_null(event_of(world, EVENT_FIGURES_LOST));
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_RESTORED));
	assert_non_null(event_of(world, EVENT_FIGURES_RESTORED));
	assert_non_null(event_of(world, EVENT_VM_RECOVERED));
}

static void
test_a_hypervisor_process_that_says_nothing_is_no_answer(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	for (int i = 0; i < 5; i++) {
		later(world, 1000);
		tell_sample(world, SAMPLE_STATES, true);
	}
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	forget_effects(world);
	for (int i = 0; i < 20; i++)
		later(world, 1000);
	assert_int_equal(row_of(world, "www")->state, VM_UNKNOWN);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_LOST));
	tell_sample(world, SAMPLE_STATES, true);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_non_null(event_of(world, EVENT_HYPERVISOR_RESTORED));
}

static void
test_malformed_messages_change_nothing(void **state)
{
	struct world *world = *state;
	uint8_t rubbish[100] = {0xff};

	tell_usual(world);
	for (int type = 0; type < 80; type++)
		tell(world, type, 0xffffffff, rubbish, sizeof(rubbish));
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_unknown_until_seen),
	    TEST(test_a_section_takes_the_vm_that_lives),
	    TEST(test_uuids_that_are_allotted_are_no_matter_of_chance),
	    TEST(test_a_lost_hypervisor_is_no_dead_vm),
	    TEST(test_late_figures_leave_states_true),
	    TEST(test_a_stub_domain_has_no_row),
	    TEST(test_who_may_be_nameless_is_not_taken_for_down),
	    TEST(test_found_vms_come_and_go),
	    TEST(test_figures_before_states),
	    TEST(test_devices),
	    TEST(test_disk_not_counted_for_a_while),
	    TEST(test_cpu_share),
	    TEST(test_restart_of_the_engine),
	    TEST(test_restart_of_the_hypervisor_process),
	    TEST(test_reload),
	    TEST(test_a_new_vm_takes_the_name_of_a_renamed_one),
	    TEST(test_pairs_outlive_the_engine),
	    TEST(test_a_hypervisor_process_that_says_nothing_is_no_answer),
	    TEST(test_malformed_messages_change_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
