/* What agents say, back into rows: mib/decode.h, packed rows, and the walk through a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tests/system/rows.h"
#include "tools/vmctl/lib/internal.h"

#define NOW_MS INT64_C(5000000)

/* Something for each field, by its type. */
static void
field_fill(const struct mib_field *field, uint8_t seed, unsigned char *row)
{
	unsigned char *at = row + field->offset;
	int64_t moment_ms = NOW_MS - seed * 1000, date_ms = INT64_C(1700000000000) + seed * 100;

	switch (field->type) {
	case MIB_UPTIME:
	case MIB_AGE:
		memcpy(at, &moment_ms, sizeof(moment_ms));
		break;
	case MIB_DATE:
		memcpy(at, &date_ms, sizeof(date_ms));
		break;
	case MIB_TEXT:
		for (size_t i = 0; i + 1 < field->size && i < 9; i++)
			at[i] = (unsigned char)('a' + (seed + i) % 26);
		break;
	case MIB_TRUTH:
		at[0] = seed & 1;
		break;
	default:
		for (size_t i = 0; i < field->size; i++)
			at[i] = (unsigned char)(seed + i * 7);
	}
}

static void
row_fill(enum mib_kind kind, uint8_t seed, unsigned char *row)
{
	const struct mib_layout *layout = mib_layout(kind);

	memset(row, 0, VMCTL_ROW_MAX);
	for (size_t bit = 0; bit < layout->count; bit++)
		if (layout->fields[bit].size > 0)
			field_fill(&layout->fields[bit], (uint8_t)(seed + bit), row);
}

/* Every column of ours, there and back. */
static void
test_round_trip(void **state)
{
	(void)state;
	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];
		_Alignas(8) unsigned char row[VMCTL_ROW_MAX], back[VMCTL_ROW_MAX] = {0};

		if (table->standard)
			continue;
		row_fill(table->kind, (uint8_t)(11 * i), row);
		for (size_t j = 0; j < table->columns_count; j++) {
			const struct mib_column *column = &table->columns[j];
			struct mib_value value, again;

			if (column->number == 0)
				continue;
			memset(&value, 0, sizeof(value));
			memset(&again, 0, sizeof(again));
			assert_true(mib_value(column, row, NOW_MS, &value));
			memset(back, 0xff, sizeof(uint64_t));
			assert_true(mib_decode(column, &value, NOW_MS, back));
			assert_true(mib_value(column, back, NOW_MS, &again));
			assert_memory_equal(&value, &again, sizeof(value));
		}
	}
}

static const struct mib_column *
column_of(enum mib_kind kind, size_t bit)
{
	for (size_t i = 0; i < mib_tables_count; i++)
		for (size_t j = 0; j < mib_tables[i].columns_count; j++)
			if (mib_tables[i].kind == kind && !mib_tables[i].standard &&
			    mib_tables[i].columns[j].bit == bit)
				return &mib_tables[i].columns[j];
	fail();
	return NULL;
}

/* What does not fit is refused, and the row stays as it was. */
static void
test_refused(void **state)
{
	static const struct {
		enum mib_kind kind;
		size_t bit;
		struct mib_value value;
	} bad[] = {
	    {KIND_VM, mib_vm_BIT_memory_mib, {.tag = 0x02, .integer = 5}},
	    {KIND_VM, mib_vm_BIT_state, {.tag = 0x42, .number = 4}},
	    {KIND_VM, mib_vm_BIT_name, {.tag = 0x02, .integer = 4}},
	    {KIND_VM, mib_vm_BIT_cpu_us, {.tag = 0x41, .number = 4}},
	    {KIND_VM, mib_vm_BIT_configured, {.tag = 0x02, .integer = 3}},
	    {KIND_VM, mib_vm_BIT_uuid, {.tag = 0x04, .size = 5, .octets = "abcde"}},
	    {KIND_VM,
	     mib_vm_BIT_uuid,
	     {.tag = 0x04, .size = 36, .octets = "zzzzzzzz-0000-0000-0000-000000000000"}},
	    {KIND_VM, mib_vm_BIT_start_time, {.tag = 0x04, .size = 7, .octets = "1234567"}},
	    {KIND_VM,
	     mib_vm_BIT_start_time,
	     {.tag = 0x04, .size = 8, .octets = "\x07\xe9\x0d\x01\0\0\0\0"}},
	    {KIND_VM,
	     mib_vm_BIT_start_time,
	     {.tag = 0x04, .size = 11, .octets = "\x07\xe9\x0c\x01\0\0\0\0x\0\0"}},
	    {KIND_NET, mib_net_BIT_mac, {.tag = 0x04, .size = 5, .octets = "abcde"}},
	    {KIND_VM, mib_vm_BIT_name, {.tag = 0x05}},
	};
	unsigned char row[VMCTL_ROW_MAX], before[VMCTL_ROW_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(row, 0xff, sizeof(row));
		memcpy(before, row, sizeof(row));
		assert_false(
		    mib_decode(column_of(bad[i].kind, bad[i].bit), &bad[i].value, NOW_MS, row));
		assert_memory_equal(row, before, sizeof(row));
	}
}

static void
test_texts_are_cleaned(void **state)
{
	struct mib_value value = {.tag = 0x04, .size = 7, .octets = "a\0b\033c\xffz"};
	struct mib_vm vm = {.absent = ~UINT64_C(0)};

	(void)state;
	assert_true(mib_decode(column_of(KIND_VM, mib_vm_BIT_name), &value, NOW_MS, &vm));
	assert_string_equal(vm.name, "a?b?c?z");
	assert_false(vm.absent >> mib_vm_BIT_name & 1);
	value.size = MIB_OCTETS_MAX;
	memset(value.octets, 'x', MIB_OCTETS_MAX);
	assert_true(mib_decode(column_of(KIND_VM, mib_vm_BIT_name), &value, NOW_MS, &vm));
	assert_int_equal(strlen(vm.name), VM_NAME_SIZE - 1);
}

/* 2024-02-29 and zones; RFC 2579's own example, 1992-5-26 13:30:15.0 -4:0. */
static void
test_dates(void **state)
{
	static const struct {
		const char *octets;
		size_t size;
		int64_t wall_ms;
	} dates[] = {
	    {"\0\0\0\0\0\0\0\0", 8, 0},
	    {"\x07\xc8\x05\x1a\x0d\x1e\x0f\0-\x04\0", 11, INT64_C(706901415000)},
	    {"\x07\xe8\x02\x1d\x17\x3b\x3b\x09+\0\0", 11, INT64_C(1709251199900)},
	    {"\x07\xb2\x01\x01\0\0\0\x01+\0\0", 11, 100},
	};
	struct mib_vm vm;

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		struct mib_value value = {.tag = 0x04, .size = dates[i].size};

		memcpy(value.octets, dates[i].octets, dates[i].size);
		assert_true(
		    mib_decode(column_of(KIND_VM, mib_vm_BIT_start_time), &value, NOW_MS, &vm));
		assert_int_equal(vm.start_time, dates[i].wall_ms);
	}
}

static void
test_pack(void **state)
{
	(void)state;
	for (int kind = 1; kind < KIND_COUNT; kind++) {
		_Alignas(8) unsigned char row[VMCTL_ROW_MAX], back[VMCTL_ROW_MAX];
		uint8_t packed[MIB_PACKED_MAX];
		uint64_t none = ~mib_layout((enum mib_kind)kind)->key, absent;
		size_t size, row_size = mib_kinds[kind].row_size;

		row_fill((enum mib_kind)kind, (uint8_t)kind, row);
		size = mib_pack((enum mib_kind)kind, ~UINT64_C(0), row, packed);
		assert_int_equal(mib_packed_size((enum mib_kind)kind, ~UINT64_C(0), packed, size),
				 size);
		mib_unpack((enum mib_kind)kind, ~UINT64_C(0), packed, 0, back);
		/* All but the bits of fields that no kind has. */
		memcpy(back, row, sizeof(uint64_t));
		assert_memory_equal(row, back, row_size);
		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(
			    mib_packed_size((enum mib_kind)kind, ~UINT64_C(0), packed, cut), 0);
		/* Without its fields only the key is left. */
		size = mib_pack((enum mib_kind)kind, 0, row, packed);
		mib_unpack((enum mib_kind)kind, 0, packed, 0, back);
		memcpy(&absent, back, sizeof(absent));
		assert_true(absent == none);
		assert_true(size < 64);
	}
}

/* A field that is absent stays so, and the rest comes back. */
static void
test_pack_absent(void **state)
{
	const uint64_t wanted = VMCTL_FIELD(mib_vm, name) | VMCTL_FIELD(mib_vm, memory_mib) |
				VMCTL_FIELD(mib_vm, state);
	uint8_t packed[MIB_PACKED_MAX];
	struct mib_vm vm, back;
	size_t whole, part;

	(void)state;
	make_vm(7, VM_RUNNING, 1, &vm);
	whole = mib_pack(KIND_VM, wanted, &vm, packed);
	MIB_ABSENT(mib_vm, &vm, memory_mib, true);
	part = mib_pack(KIND_VM, wanted, &vm, packed);
	assert_int_equal(part, whole + 8 - 4);
	assert_int_equal(mib_packed_size(KIND_VM, wanted, packed, part), part);
	/* Of a set that has fewer fields it is no row. */
	assert_int_equal(mib_packed_size(KIND_VM, VMCTL_FIELD(mib_vm, name), packed, part), 0);
	mib_unpack(KIND_VM, wanted, packed, 0, &back);
	assert_true(back.absent >> mib_vm_BIT_memory_mib & 1);
	assert_false(back.absent >> mib_vm_BIT_state & 1);
	assert_string_equal(back.name, "vm7");
	assert_int_equal(back.state, VM_RUNNING);
}

static void
test_pack_shifts_moments(void **state)
{
	struct mib_vm vm = {.index = 3, .memory_used_time = 1000, .start_time = 1000}, back;
	uint8_t packed[MIB_PACKED_MAX];

	(void)state;
	mib_pack(KIND_VM, ~UINT64_C(0), &vm, packed);
	mib_unpack(KIND_VM, ~UINT64_C(0), packed, 500, &back);
	assert_int_equal(back.memory_used_time, 1500);
	assert_int_equal(back.start_time, 1000);
}

/* ---- walks ---- */

#define FIELDS                                                                                     \
	(VMCTL_FIELD(mib_vm, name) | VMCTL_FIELD(mib_vm, state) |                                  \
	 VMCTL_FIELD(mib_vm, memory_used_mib))

static const struct vmctl_want vm_want = {KIND_VM, FIELDS, NULL};

static void
add_value(netsnmp_pdu *pdu, uint32_t column, uint32_t index, u_char type, const void *value,
	  size_t size)
{
	static const oid table[] = {MIB_ROOT, 1, 4, 1};
	oid name[MAX_OID_LEN];
	size_t count = sizeof(table) / sizeof(table[0]);

	memcpy(name, table, sizeof(table));
	name[count++] = column;
	name[count++] = index;
	snmp_pdu_add_variable(pdu, name, count, type, value, size);
}

static void
add_vm(netsnmp_pdu *pdu, uint32_t index, long used_index)
{
	char name[16];
	long running = VM_RUNNING, used = 100 + used_index;

	snprintf(name, sizeof(name), "vm%u", index);
	add_value(pdu, 2, index, ASN_OCTET_STR, name, strlen(name));
	add_value(pdu, 5, index, ASN_INTEGER, &running, sizeof(running));
	if (used_index > 0)
		add_value(pdu, 18, (uint32_t)used_index, ASN_GAUGE, &used, sizeof(used));
	else
		add_value(pdu, 19, 1, ASN_GAUGE, &used, sizeof(used)); /* the next column */
}

static bool
take(struct walk *walk, netsnmp_pdu *pdu, const char **error)
{
	bool ok;

	if (pdu->errstat == SNMP_DEFAULT_ERRSTAT)
		pdu->errstat = SNMP_ERR_NOERROR;
	ok = walk_take(walk, pdu, NULL, error);
	snmp_free_pdu(pdu);
	return ok;
}

static void
get_vm(const struct rows *rows, size_t at, struct mib_vm *vm)
{
	assert_true(at < rows->count);
	mib_unpack(KIND_VM, rows->fields, rows->at[at], 0, vm);
}

/* A column with holes runs ahead of the others; rows are whole nevertheless, and in order. */
static void
test_walk_with_holes(void **state)
{
	struct rows rows = {0};
	struct walk *walk = walk_new(&vm_want, &rows);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	const char *error;
	struct mib_vm vm;

	(void)state;
	add_vm(pdu, 1, 2);
	add_vm(pdu, 2, 5);
	add_vm(pdu, 3, 0);
	assert_true(take(walk, pdu, &error));
	assert_int_equal(rows.count, 3);
	assert_false(walk_over(walk));
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	add_value(pdu, 2, 5, ASN_OCTET_STR, "vm5", 3);
	add_value(pdu, 5, 5, ASN_INTEGER, &(long){VM_PAUSED}, sizeof(long));
	add_value(pdu, 3, 1, ASN_OCTET_STR, "", 0); /* over */
	snmp_pdu_add_variable(pdu, (oid[]){1, 3, 7}, 3, SNMP_ENDOFMIBVIEW, NULL, 0);
	assert_true(take(walk, pdu, &error));
	assert_true(walk_over(walk));
	assert_int_equal(rows.count, 4);
	get_vm(&rows, 0, &vm);
	assert_string_equal(vm.name, "vm1");
	assert_true(vm.absent >> mib_vm_BIT_memory_used_mib & 1);
	get_vm(&rows, 1, &vm);
	assert_int_equal(vm.memory_used_mib, 102);
	get_vm(&rows, 3, &vm);
	assert_int_equal(vm.index, 5);
	assert_int_equal(vm.state, VM_PAUSED);
	assert_int_equal(vm.memory_used_mib, 105);
	walk_free(walk);
	rows_clear(&rows);
}

static void
expect_error(netsnmp_pdu *pdu, const char *wanted)
{
	struct rows rows = {0};
	struct walk *walk = walk_new(&vm_want, &rows);
	const char *error;

	assert_false(take(walk, pdu, &error));
	assert_non_null(strstr(error, wanted));
	walk_free(walk);
	rows_clear(&rows);
}

static void
test_walk_refuses(void **state)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);

	(void)state;
	add_vm(pdu, 2, 2);
	add_vm(pdu, 1, 3);
	expect_error(pdu, "do not ascend");
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	add_vm(pdu, 2, 2);
	add_vm(pdu, 2, 3);
	expect_error(pdu, "do not ascend");
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	add_value(pdu, 2, 1, ASN_OCTET_STR, "vm1", 3);
	expect_error(pdu, "lacks columns");
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	expect_error(pdu, "lacks columns");
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	add_vm(pdu, 1, 1);
	pdu->errstat = SNMP_ERR_GENERR;
	expect_error(pdu, "genError");
	pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	snmp_pdu_add_variable(pdu, (oid[]){MIB_ROOT, 1, 4, 1, 2, 1, 1}, mib_root_count + 6,
			      ASN_OCTET_STR, "x", 1);
	add_value(pdu, 5, 1, ASN_INTEGER, &(long){1}, sizeof(long));
	add_value(pdu, 18, 1, ASN_GAUGE, &(long){1}, sizeof(long));
	expect_error(pdu, "index");
}

/* A value of the wrong type is as if it were not there; the row stands. */
static void
test_walk_takes_odd_values(void **state)
{
	struct rows rows = {0};
	struct walk *walk = walk_new(&vm_want, &rows);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	const char *error;
	struct mib_vm vm;

	(void)state;
	add_value(pdu, 2, 1, ASN_INTEGER, &(long){7}, sizeof(long));
	add_value(pdu, 5, 1, ASN_INTEGER, &(long){77}, sizeof(long));
	add_value(pdu, 18, 1, ASN_OPAQUE, "abc", 3);
	assert_true(take(walk, pdu, &error));
	get_vm(&rows, 0, &vm);
	assert_true(vm.absent >> mib_vm_BIT_name & 1);
	assert_int_equal(vm.state, 77); /* of a newer agent */
	assert_true(vm.absent >> mib_vm_BIT_memory_used_mib & 1);
	walk_free(walk);
	rows_clear(&rows);
}

static void
test_walk_after(void **state)
{
	struct mib_event after = {.sequence = 41};
	const struct vmctl_want want = {KIND_EVENT, VMCTL_FIELD(mib_event, text), &after};
	struct rows rows = {0};
	struct walk *walk = walk_new(&want, &rows);
	netsnmp_pdu *pdu = walk_pdu(walk);

	(void)state;
	assert_int_equal(pdu->variables->name[pdu->variables->name_length - 1], 41);
	assert_null(pdu->variables->next_variable);
	snmp_free_pdu(pdu);
	walk_free(walk);
	rows_clear(&rows);
}

static void
test_walk_scalars(void **state)
{
	const struct vmctl_want want = {
	    KIND_HOST, VMCTL_FIELD(mib_host, name) | VMCTL_FIELD(mib_host, vms), NULL};
	struct rows rows = {0};
	struct walk *walk = walk_new(&want, &rows);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	struct mib_host host;
	const char *error;

	(void)state;
	snmp_pdu_add_variable(pdu, (oid[]){MIB_ROOT, 1, 2, 1, 0}, mib_root_count + 4, ASN_OCTET_STR,
			      "dom0", 4);
	snmp_pdu_add_variable(pdu, (oid[]){MIB_ROOT, 1, 2, 12, 0}, mib_root_count + 4,
			      SNMP_NOSUCHINSTANCE, NULL, 0);
	assert_true(take(walk, pdu, &error));
	assert_true(walk_over(walk));
	assert_int_equal(rows.count, 1);
	mib_unpack(KIND_HOST, rows.fields, rows.at[0], 0, &host);
	assert_string_equal(host.name, "dom0");
	assert_true(host.absent >> mib_host_BIT_vms & 1);
	walk_free(walk);
	rows_clear(&rows);
}

/* An agent that has nothing of ours: no row, and no error. */
static void
test_walk_scalars_none(void **state)
{
	const struct vmctl_want want = {KIND_HOST, VMCTL_FIELD(mib_host, name), NULL};
	struct rows rows = {0};
	struct walk *walk = walk_new(&want, &rows);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	const char *error;

	(void)state;
	snmp_pdu_add_variable(pdu, (oid[]){MIB_ROOT, 1, 2, 1, 0}, mib_root_count + 4,
			      SNMP_NOSUCHOBJECT, NULL, 0);
	assert_true(take(walk, pdu, &error));
	assert_int_equal(rows.count, 0);
	walk_free(walk);
	rows_clear(&rows);
}

/* 30 s for a walk that has no session, and 10 ms more for each row that came. */
static void
test_walk_late(void **state)
{
	int64_t before_ms = clock_mono_ms();
	struct rows rows = {0};
	struct walk *walk = walk_new(&vm_want, &rows);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	int64_t after_ms = clock_mono_ms();
	const char *error;

	(void)state;
	assert_false(walk_is_late(walk, before_ms + 30000));
	assert_true(walk_is_late(walk, after_ms + 30001));
	add_vm(pdu, 1, 1);
	add_vm(pdu, 2, 2);
	assert_true(take(walk, pdu, &error));
	assert_false(walk_is_late(walk, before_ms + 30020));
	assert_true(walk_is_late(walk, after_ms + 30021));
	walk_free(walk);
	rows_clear(&rows);
}

/* ---- requests ---- */

/* Errors of a SET in words; with an index, counted from 1, as snmpd has it. */
static void
test_refusals(void **state)
{
	static const struct {
		uint32_t number;
		bool cancels;
		long status, index;
		const char *text;
		bool unknown;
	} cases[] = {
	    {0, false, SNMP_ERR_INCONSISTENTVALUE, 1, "there is no VM www on it", false},
	    {0, false, SNMP_ERR_WRONGVALUE, 2, "does not know memory", false},
	    {0, false, SNMP_ERR_INCONSISTENTVALUE, 2, "memory is impossible in its state", false},
	    {9, false, SNMP_ERR_INCONSISTENTVALUE, 3, "memory with 9 is out of its range", false},
	    {9, false, SNMP_ERR_INCONSISTENTVALUE, 4, "the id one is there already", false},
	    {0, false, SNMP_ERR_INCONSISTENTVALUE, 3, "the id one is there already", false},
	    {0, true, SNMP_ERR_INCONSISTENTVALUE, 1, "cannot be taken back", false},
	    {0, false, SNMP_ERR_NOACCESS, 1, "does not let us", false},
	    {0, true, SNMP_ERR_NOACCESS, 1, "does not let us", false},
	    {0, false, SNMP_ERR_RESOURCEUNAVAILABLE, 2, "too many requests of www", false},
	    {0, false, SNMP_ERR_COMMITFAILED, 2, "could not store", false},
	    /* An agent that ended meanwhile may have accepted it, whatever variable is blamed. */
	    {0, false, SNMP_ERR_GENERR, 0, "ended meanwhile", true},
	    {0, false, SNMP_ERR_GENERR, 1, "ended meanwhile", true},
	    {0, true, SNMP_ERR_GENERR, 1, "ended meanwhile", true},
	    {9, false, SNMP_ERR_UNDOFAILED, 4, "ended meanwhile", true},
	    /* What nobody thought of is told as it is. */
	    {0, false, SNMP_ERR_WRONGLENGTH, 1, "variable 1 of the request (wrongLength", false},
	    {0, false, SNMP_ERR_INCONSISTENTVALUE, 77, "variable 77", false},
	    {0, false, SNMP_ERR_INCONSISTENTVALUE, -1, "variable -1", false},
	    {0, false, 99, 2, "variable 2", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct vmctl_request request = {
		    .id = "one", .vm = "www", .verb = VERB_MEMORY, .number = cases[i].number};
		const netsnmp_pdu pdu = {.errstat = cases[i].status, .errindex = cases[i].index};
		char error[VMCTL_ERROR_SIZE];

		assert_int_equal(request_explain(&request, cases[i].cancels, &pdu, error),
				 cases[i].unknown);
		if (!strstr(error, cases[i].text))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].text, error);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_texts_are_cleaned),
	    cmocka_unit_test(test_dates),
	    cmocka_unit_test(test_pack),
	    cmocka_unit_test(test_pack_absent),
	    cmocka_unit_test(test_pack_shifts_moments),
	    cmocka_unit_test(test_walk_with_holes),
	    cmocka_unit_test(test_walk_refuses),
	    cmocka_unit_test(test_walk_takes_odd_values),
	    cmocka_unit_test(test_walk_after),
	    cmocka_unit_test(test_walk_scalars),
	    cmocka_unit_test(test_walk_scalars_none),
	    cmocka_unit_test(test_walk_late),
	    cmocka_unit_test(test_refusals),
	};

	session_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
