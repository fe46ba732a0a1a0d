/* Automatic memory. */
#include "engine_three.h"

/* ---- 8. Automatic memory ---- */

static struct fake_vm *
use_memory(void)
{
	struct config_vm *vm = add_vm("www");

	vm->memory_min_mib = 128;
	vm->memory_max_mib = 512;
	begin();
	run(70000);
	expect_log("start www\n");
	return &w->fakes[0];
}

static void
test_memory_grows_and_shrinks(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	www->used_percent = 95; /* of 256 */
	run(2000);
	expect_log("memory 320 www\n");
	assert_int_equal(count_events(EVENT_MEMORY_ADJUSTED, "www"), 1);
	assert_string_equal(last_event(EVENT_MEMORY_ADJUSTED)->text,
			    "www: memory 256 to 320 MiB: 95 % used inside");
	run(26000);
	expect_log(""); /* once in its interval */
	run(5 * 60000);
	expect_log("memory 384 www\nmemory 448 www\nmemory 512 www\n"); /* its most */
	www->used_percent = 30;						/* of 512: 154 */
	run(10 * 60000);
	expect_log("memory 448 www\nmemory 384 www\nmemory 320 www\nmemory 256 www\n"
		   "memory 192 www\nmemory 128 www\n"); /* as the world keeps the percentage */
}

static void
test_memory_is_left_what_is_used(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	www->used_percent = 59; /* 151 of 256: under the high mark with 168 at least */
	run(2000);
	expect_log("memory 192 www\n");
	www->used_percent = 79;
	run(60000);
	expect_log("");
}

static void
test_memory_wants_fresh_figures(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	www->used_percent = 95;
	www->inside_mono_ms = w->now.mono_ms - 61000;
	run(10 * 60000);
	expect_log("");
}

/* Unknown is not none: it would be set to one step, or to the least. */
static void
test_memory_of_unknown_target_stays(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	www->no_target = true;
	www->used_percent = 95;
	run(10 * 60000);
	expect_log("");
	www->no_target = false;
	run(2000);
	expect_log("memory 320 www\n");
}

static void
test_memory_of_the_host_is_shared(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		char name[8];

		snprintf(name, sizeof(name), "vm%d", i);
		add_vm(name)->memory_max_mib = 1024;
		w->fakes[i].used_percent = 95;
	}
	w->free_mib = 256 + 2 * 64;
	begin();
	run(2000);
	expect_log("start vm0\nstart vm1\nstart vm2\nstart vm3\nmemory 320 vm0\nmemory 320 vm1\n");
	run(8000);
	expect_log("");
	w->free_mib = 256; /* now it shows */
	run(10 * 60000);
	expect_log("");
}

static void
test_memory_that_a_person_sets_stays(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	ask("noc-1", VERB_MEMORY, "www", 300);
	www->used_percent = 95;
	run(59 * 60000);
	expect_log("memory 300 www\n");
	restart_engine();
	run(30000);
	expect_log("");
	run(90000);
	expect_log("memory 364 www\nmemory 428 www\n");
}

static void
test_memory_marks_are_set(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	ask("noc-1", VERB_MEMORY_MAX, "www", 300);
	assert_request("noc-1", REQUEST_SUCCEEDED, "");
	assert_int_equal(vm_row("www")->policy_memory_max_mib, 300);
	ask("noc-2", VERB_MEMORY_HIGH, "www", 80);
	www->used_percent = 85;
	run(5 * 60000);
	expect_log("memory 300 www\n");
	restart_engine();
	run(2000);
	assert_int_equal(vm_row("www")->policy_memory_high, 80);
	ask("noc-3", VERB_MEMORY_MAX, "www", 0); /* as configured */
	run(2 * 60000);
	expect_log("memory 364 www\nmemory 428 www\nmemory 492 www\nmemory 512 www\n");
}

static void
test_no_memory_in_maintenance(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	ask("noc-1", VERB_MAINTENANCE, "www", 600);
	www->used_percent = 95;
	run(9 * 60000);
	expect_log("");
}

/* A wall clock that was set back does not make it longer. */
static void
test_memory_that_a_person_sets_stays_for_an_hour(void **state)
{
	struct fake_vm *www = use_memory();

	(void)state;
	ask("noc-1", VERB_MEMORY, "www", 300);
	www->used_percent = 95;
	w->now.wall_ms -= INT64_C(86400000);
	restart_engine();
	run(59 * 60000);
	expect_log("memory 300 www\n");
	run(90000);
	expect_log("memory 364 www\n");
}

/* Nothing else waits for it. */
static void
test_a_change_of_memory_that_fails(void **state)
{
	struct config_vm *vm;

	(void)state;
	use_three();
	vm = &w->vms[place_of("www")];
	vm->memory_min_mib = 128;
	vm->memory_max_mib = 512;
	begin();
	run(5 * MIN_MS);
	w->log[0] = '\0';
	w->fakes[place_of("www")].fails = VERB_MEMORY;
	w->fakes[place_of("www")].used_percent = 95;
	run(5 * MIN_MS);
	expect_log("memory 320 www\nmemory 320 www\nmemory 320 www\nmemory 320 www\n"
		   "memory 320 www\n");
	while (!strstr(w->log, "memory"))
		run(10);
	run(ACTION_MS + 10);
	xl_destroy("nfs");
	run(100);
	expect_log("memory 320 www\npause www\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_memory_grows_and_shrinks),
	    TEST(test_memory_is_left_what_is_used),
	    TEST(test_memory_wants_fresh_figures),
	    TEST(test_memory_of_the_host_is_shared),
	    TEST(test_memory_that_a_person_sets_stays),
	    TEST(test_memory_marks_are_set),
	    TEST(test_memory_that_a_person_sets_stays_for_an_hour),
	    TEST(test_a_change_of_memory_that_fails),
	    TEST(test_no_memory_in_maintenance),
	    TEST(test_memory_of_unknown_target_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
