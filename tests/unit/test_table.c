/* mib/table.h against rows made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "mib/table.h"

#define NOW_MS INT64_C(5000000)

static struct mib_rows rows;

static int
setup(void **state)
{
	(void)state;
	mib_rows_init(&rows, false);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mib_rows_dispose(&rows);
	return 0;
}

static void
add_vm(uint32_t index, const char *name)
{
	struct mib_vm vm = {.index = index,
			    .state = VM_RUNNING,
			    .configured = 7,
			    .cpu_us = 1ull << 40,
			    .memory_used_time = NOW_MS - 3999,
			    .start = NOW_MS - 1239,
			    .memory_mib = 512};

	vm.uuid[0] = 0xab;
	vm.uuid[15] = (uint8_t)index;
	TEXT_SET(vm.name, name);
	rowset_put(&rows.sets[KIND_VM], &vm);
}

static void
add_request(const char *id)
{
	struct mib_request request = {.verb = VERB_PAUSE, .status = ROW_ACTIVE};

	TEXT_SET(request.id, id);
	rowset_put(&rows.sets[KIND_REQUEST], &request);
}

static void
add_net(uint32_t vm, uint32_t index)
{
	struct mib_net net = {.vm = vm, .index = index, .mac = {0, 0x16, 0x3e, 1, 2, 3}};

	rowset_put(&rows.sets[KIND_NET], &net);
}

#define OID(...)                                                                                   \
	(unsigned long[]){__VA_ARGS__},                                                            \
	    sizeof((unsigned long[]){__VA_ARGS__}) / sizeof(unsigned long)
#define VM MIB_ROOT, 1, 4, 1
#define VM_TABLE MIB_VM_MIB, 1, 4, 1
#define REQUEST MIB_ROOT, 2, 2, 1
#define NET MIB_ROOT, 1, 5, 1

static struct mib_value value;

static bool
get(const unsigned long *oid, size_t count)
{
	memset(&value, 0xa5, sizeof(value));
	return mib_get(&rows, oid, count, NOW_MS, &value);
}

static void
assert_octets(const char *octets, size_t size)
{
	assert_int_equal(value.tag, 0x04);
	assert_int_equal(value.size, size);
	assert_memory_equal(value.octets, octets, size);
}

static void
assert_next(bool standard, const unsigned long *oid, size_t count, const unsigned long *expected,
	    size_t expected_count)
{
	struct mib_oid next;

	assert_true(mib_next(&rows, standard, oid, count, NOW_MS, &next, &value));
	assert_int_equal(next.count, expected_count);
	assert_memory_equal(next.arcs, expected, expected_count * sizeof(unsigned long));
}

static void
assert_end(bool standard, const unsigned long *oid, size_t count)
{
	struct mib_oid next;

	assert_false(mib_next(&rows, standard, oid, count, NOW_MS, &next, &value));
}

static void
gets_each_type(void **state)
{
	(void)state;
	add_vm(3, "web");
	assert_true(get(OID(VM, 2, 3)));
	assert_octets("web", 3);
	assert_true(get(OID(VM, 3, 3)));
	assert_octets("ab000000-0000-0000-0000-000000000003", 36);
	assert_true(get(OID(VM_TABLE, 3, 3)));
	assert_octets("\xab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\3", 16);
	assert_true(get(OID(VM, 5, 3)));
	assert_int_equal(value.tag, 0x02);
	assert_int_equal(value.integer, VM_RUNNING);
	assert_true(get(OID(VM, 8, 3)));
	assert_int_equal(value.integer, 1);
	assert_true(get(OID(VM, 13, 3)));
	assert_int_equal(value.tag, 0x46);
	assert_true(value.counter64 == 1ull << 40);
	assert_true(get(OID(VM, 15, 3)));
	assert_int_equal(value.tag, 0x42);
	assert_int_equal(value.number, 512);
	assert_true(get(OID(VM, 19, 3)));
	assert_int_equal(value.tag, 0x42);
	assert_int_equal(value.number, 3);
	assert_true(get(OID(VM, 23, 3)));
	assert_int_equal(value.tag, 0x41);
	assert_true(get(OID(VM_TABLE, 16, 3)));
	assert_int_equal(value.tag, 0x43);
	assert_int_equal(value.number, 123);
	assert_true(get(OID(VM_TABLE, 2, 3)));
	assert_octets("web", 3);
	add_net(3, 0);
	assert_true(get(OID(NET, 3, 3, 0)));
	assert_octets("\0\x16\x3e\1\2\3", 6);
}

static void
shows_a_moment_to_come_as_now(void **state)
{
	struct mib_vm vm = {.index = 1, .memory_used_time = NOW_MS + 5000, .start = NOW_MS + 1};

	(void)state;
	rowset_put(&rows.sets[KIND_VM], &vm);
	assert_true(get(OID(VM, 19, 1)));
	assert_int_equal(value.number, 0);
	assert_true(get(OID(VM_TABLE, 16, 1)));
	assert_int_equal(value.number, 0);
}

static void
wraps_an_uptime_and_not_an_age(void **state)
{
	struct mib_vm vm = {.index = 1,
			    .memory_used_time = -INT64_C(10000000000000),
			    .start = NOW_MS - (INT64_C(1) << 32) * 10 - 70};

	(void)state;
	rowset_put(&rows.sets[KIND_VM], &vm);
	assert_true(get(OID(VM, 19, 1)));
	assert_int_equal(value.number, UINT32_MAX);
	assert_true(get(OID(VM_TABLE, 16, 1)));
	assert_int_equal(value.number, 7);
}

static void
splits_dates_as_the_library_does(void **state)
{
	(void)state;
	for (int64_t s = 1; s < INT64_C(13000000000); s += INT64_C(86400) * 13 + 3601) {
		struct mib_vm vm = {.index = 1, .change_time = s * 1000 + 730};
		time_t seconds = (time_t)s;
		struct tm tm;
		char expected[11];

		rowset_put(&rows.sets[KIND_VM], &vm);
		assert_true(get(OID(VM, 21, 1)));
		gmtime_r(&seconds, &tm);
		memcpy(expected,
		       (char[]){(char)((tm.tm_year + 1900) >> 8), (char)(tm.tm_year + 1900),
				(char)(tm.tm_mon + 1), (char)tm.tm_mday, (char)tm.tm_hour,
				(char)tm.tm_min, (char)tm.tm_sec, 7, '+', 0, 0},
		       11);
		assert_octets(expected, 11);
	}
}

static void
shows_leap_days_and_no_date(void **state)
{
	struct mib_vm vm = {.index = 1, .change_time = INT64_C(951825599900)};

	(void)state;
	rowset_put(&rows.sets[KIND_VM], &vm);
	assert_true(get(OID(VM, 21, 1))); /* 2000-02-29 11:59:59.9 */
	assert_octets("\x07\xd0\x02\x1d\x0b\x3b\x3b\x09+\0\0", 11);
	assert_true(get(OID(VM, 20, 1)));
	assert_octets("\0\0\0\0\0\0\0\0", 8);
	assert_true(get(OID(VM, 3, 1)));
	assert_octets("", 0);
	assert_true(get(OID(VM_TABLE, 3, 1)));
	assert_octets("", 0);
}

static void
has_no_value_where_absent(void **state)
{
	struct mib_vm vm = {.index = 2};

	(void)state;
	add_vm(1, "a");
	add_vm(3, "c");
	MIB_ABSENT(mib_vm, &vm, memory_used_mib, true);
	rowset_put(&rows.sets[KIND_VM], &vm);
	assert_true(get(OID(VM, 18, 1)));
	assert_false(get(OID(VM, 18, 2)));
	assert_next(false, OID(VM, 18, 1), OID(VM, 18, 3));
	MIB_ABSENT(mib_vm, &vm, memory_used_mib, false);
	rowset_put(&rows.sets[KIND_VM], &vm);
	assert_next(false, OID(VM, 18, 1), OID(VM, 18, 2));
}

static void
refuses_what_is_no_instance(void **state)
{
	(void)state;
	add_vm(3, "web");
	assert_false(get(OID(VM, 2)));
	assert_false(get(OID(VM, 2, 4)));
	assert_false(get(OID(VM, 2, 3, 0)));
	assert_false(get(OID(VM, 1, 3)));  /* the index is not-accessible */
	assert_false(get(OID(VM, 99, 3))); /* no such column */
	assert_false(get(OID(VM, 2, 0x100000003)));
	assert_false(get(OID(MIB_ROOT)));
	assert_false(get(OID(MIB_ROOT, 1, 2, 1, 0))); /* no host yet */
	assert_false(get(OID(1, 3, 6)));
	assert_false(get(OID(0)));
	assert_false(get(OID(MIB_VM_MIB, 1, 1)));
}

static void
walks_column_by_column(void **state)
{
	(void)state;
	add_vm(7, "b");
	add_vm(3, "a");
	assert_next(false, OID(VM, 2), OID(VM, 2, 3));
	assert_next(false, OID(VM, 2, 0), OID(VM, 2, 3));
	assert_next(false, OID(VM, 2, 3), OID(VM, 2, 7));
	assert_next(false, OID(VM, 2, 3, 1), OID(VM, 2, 7));
	assert_next(false, OID(VM, 2, 7), OID(VM, 3, 3));
	assert_next(false, OID(VM, 2, 7, 1), OID(VM, 3, 3));
	assert_next(false, OID(VM, 2, 1000), OID(VM, 3, 3));
	assert_next(false, OID(VM, 1, 3), OID(VM, 2, 3));
	assert_next(false, OID(VM), OID(VM, 2, 3));
	assert_next(false, OID(MIB_ROOT), OID(VM, 2, 3));
	assert_next(false, OID(1, 3), OID(VM, 2, 3));
	assert_next(false, OID(VM, 29, 7), OID(MIB_ROOT, 2, 1, 1, 1, 3));
	assert_next(false, OID(MIB_ROOT, 2, 1, 1, 3, 7), OID(MIB_ROOT, 3, 1, 1, 1, 3));
	assert_end(false, OID(MIB_ROOT, 3, 1, 1, 5, 7));
	assert_end(false, OID(2, 1));
	assert_next(true, OID(VM_TABLE, 17, 3), OID(VM_TABLE, 17, 7));
	assert_end(true, OID(VM_TABLE, 17, 7));
	assert_end(true, OID(MIB_ROOT));
}

/* The scalars of VM-MIB stand on both sides of a group that is deeper than they are. */
static void
walks_scalars(void **state)
{
	struct mib_host host = {.vms = 9, .table_change = 5, .software = "simxen", .version = "1"};

	(void)state;
	rowset_put(&rows.sets[KIND_HOST], &host);
	add_vm(3, "a");
	assert_next(true, OID(MIB_VM_MIB), OID(MIB_VM_MIB, 1, 1, 1, 0));
	assert_next(true, OID(MIB_VM_MIB, 1, 1, 1), OID(MIB_VM_MIB, 1, 1, 1, 0));
	assert_next(true, OID(MIB_VM_MIB, 1, 1, 2, 0), OID(MIB_VM_MIB, 1, 1, 3, 0));
	assert_int_equal(value.tag, 0x06);
	assert_int_equal(value.size, mib_root_count);
	assert_next(true, OID(MIB_VM_MIB, 1, 1, 4, 0), OID(MIB_VM_MIB, 1, 2, 0));
	assert_int_equal(value.integer, 9);
	assert_next(true, OID(MIB_VM_MIB, 1, 2, 0), OID(MIB_VM_MIB, 1, 3, 0));
	assert_next(true, OID(MIB_VM_MIB, 1, 3, 0), OID(VM_TABLE, 2, 3));
	assert_true(get(OID(MIB_VM_MIB, 1, 3, 0)));
	assert_int_equal(value.tag, 0x43);
	assert_false(get(OID(MIB_VM_MIB, 1, 3, 1)));
	assert_false(get(OID(MIB_VM_MIB, 1, 4, 0)));
	assert_next(false, OID(MIB_ROOT, 1, 2, 1, 0), OID(MIB_ROOT, 1, 2, 2, 0));
}

static void
orders_two_numbers(void **state)
{
	(void)state;
	add_net(3, 1);
	add_net(1, 5);
	add_net(3, 0);
	assert_next(false, OID(NET, 2), OID(NET, 2, 1, 5));
	assert_next(false, OID(NET, 2, 1), OID(NET, 2, 1, 5));
	assert_next(false, OID(NET, 2, 1, 5), OID(NET, 2, 3, 0));
	assert_next(false, OID(NET, 2, 3), OID(NET, 2, 3, 0));
	assert_next(false, OID(NET, 2, 3, 0), OID(NET, 2, 3, 1));
	assert_next(false, OID(NET, 2, 3, 1), OID(NET, 3, 1, 5));
	assert_true(get(OID(NET, 2, 3, 1)));
	assert_false(get(OID(NET, 2, 3)));
}

static void
orders_implied_text(void **state)
{
	(void)state;
	add_request("b");
	add_request("a");
	add_request("ab");
	add_request("\xc3\xa4");
	assert_next(false, OID(REQUEST, 3), OID(REQUEST, 3, 'a'));
	assert_next(false, OID(REQUEST, 3, 'a'), OID(REQUEST, 3, 'a', 'b'));
	assert_next(false, OID(REQUEST, 3, 'a', 'a'), OID(REQUEST, 3, 'a', 'b'));
	assert_next(false, OID(REQUEST, 3, 'a', 'b'), OID(REQUEST, 3, 'b'));
	assert_next(false, OID(REQUEST, 3, 'b'), OID(REQUEST, 3, 0xc3, 0xa4));
	assert_true(get(OID(REQUEST, 11, 'a', 'b')));
	assert_int_equal(value.integer, ROW_ACTIVE);
	assert_false(get(OID(REQUEST, 11, 'a', 'b', 'c')));
}

static void
makes_keys_of_arcs(void **state)
{
	struct mib_request request;
	struct mib_net net;
	struct mib_host host;
	unsigned long arcs[33];

	(void)state;
	for (int i = 0; i < 33; i++)
		arcs[i] = 'x';
	assert_true(mib_key(KIND_REQUEST, arcs, 32, &request));
	assert_int_equal(strlen(request.id), 32);
	assert_false(mib_key(KIND_REQUEST, arcs, 33, &request));
	assert_false(mib_key(KIND_REQUEST, arcs, 0, &request));
	assert_false(mib_key(KIND_REQUEST, OID('a', 0), &request));
	assert_false(mib_key(KIND_REQUEST, OID('a', 256), &request));
	assert_true(mib_key(KIND_NET, OID(3, 4294967295), &net));
	assert_int_equal(net.vm, 3);
	assert_int_equal(net.index, UINT32_MAX);
	assert_false(mib_key(KIND_NET, OID(3), &net));
	assert_false(mib_key(KIND_NET, OID(3, 1, 1), &net));
	assert_false(mib_key(KIND_NET, OID(4294967296, 1), &net));
	assert_true(mib_key(KIND_HOST, OID(0), &host));
	assert_false(mib_key(KIND_HOST, OID(1), &host));
}

/* Whatever is walked is also what a GET finds, and only ascends. */
static void
walks_all_in_order(void **state)
{
	static const char *ids[] = {"a", "Z", "aa", "host-1/17", "~"};
	struct mib_oid at = {.count = 3, .arcs = {1, 3, 6}}, next;
	struct mib_host host = {0};
	struct mib_agent agent = {0};
	size_t seen = 0;

	(void)state;
	rowset_put(&rows.sets[KIND_HOST], &host);
	rowset_put(&rows.sets[KIND_AGENT], &agent);
	for (uint32_t i = 1; i <= 50; i++)
		add_vm(i * 3, "vm");
	for (size_t i = 0; i < 5; i++)
		add_request(ids[i]);
	while (mib_next(&rows, false, at.arcs, at.count, NOW_MS, &next, &value)) {
		struct mib_value got;
		size_t i = 0;

		while (i < at.count && i < next.count && at.arcs[i] == next.arcs[i])
			i++;
		assert_true(i < next.count && (i == at.count || at.arcs[i] < next.arcs[i]));
		assert_true(mib_get(&rows, next.arcs, next.count, NOW_MS, &got));
		assert_int_equal(got.tag, value.tag);
		at = next;
		seen++;
	}
	assert_int_equal(seen, 20 + 19 + 50 * 28 + 50 * 3 + 50 * 5 + 5 * 10);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(gets_each_type),
	    TEST(shows_a_moment_to_come_as_now),
	    TEST(wraps_an_uptime_and_not_an_age),
	    TEST(splits_dates_as_the_library_does),
	    TEST(shows_leap_days_and_no_date),
	    TEST(has_no_value_where_absent),
	    TEST(refuses_what_is_no_instance),
	    TEST(walks_column_by_column),
	    TEST(walks_scalars),
	    TEST(orders_two_numbers),
	    TEST(orders_implied_text),
	    TEST(makes_keys_of_arcs),
	    TEST(walks_all_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
