/*
 * The decoder of answers against answers that nobody should send: whole ones whose octets are
 * changed, and then read by net-snmp as a packet is; and ones that are made of odd values. Nothing
 * may go wrong, and what comes out must be rows. FUZZ_ROUNDS and FUZZ_SEED: more of it, or again.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/mem.h"
#include "tests/system/rows.h"
#include "tools/vmctl/lib/internal.h"

#define ROUNDS 30000
#define PACKET_MAX 20000

static uint64_t rounds, random_state;

static uint32_t
pick(uint32_t below)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return below ? (uint32_t)(random_state >> 33) % below : 0;
}

static void
add_value(netsnmp_pdu *pdu, const struct mib_table *table, const struct mib_column *column,
	  const void *row)
{
	struct mib_value value;
	struct mib_oid name;
	struct counter64 big;
	long number;

	if (!mib_value(column, row, clock_mono_ms(), &value))
		return;
	mib_instance(table, column->number, row, &name);
	number = value.tag == 0x02 ? value.integer : (long)value.number;
	if (value.tag == 0x04) {
		snmp_pdu_add_variable(pdu, name.arcs, name.count, value.tag, value.octets,
				      value.size);
	} else if (value.tag == 0x46) {
		big = (struct counter64){(u_long)(value.counter64 >> 32),
					 (u_long)(value.counter64 & UINT32_MAX)};
		snmp_pdu_add_variable(pdu, name.arcs, name.count, value.tag, &big, sizeof(big));
	} else {
		snmp_pdu_add_variable(pdu, name.arcs, name.count, value.tag, &number,
				      sizeof(number));
	}
}

/* Three rows of a table, as its agent would send them. */
static netsnmp_pdu *
good_answer(const struct mib_table *table)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);

	pdu->errstat = SNMP_ERR_NOERROR;
	pdu->errindex = 0;
	for (uint32_t i = 1; i <= 3; i++) {
		_Alignas(8) unsigned char row[VMCTL_ROW_MAX] = {0};

		if (table->kind == KIND_VM)
			make_vm(i, VM_RUNNING, INT64_C(1700000000000),
				(struct mib_vm *)(void *)row);
		else if (mib_kinds[table->kind].index == INDEX_TEXT)
			snprintf((char *)row + sizeof(uint64_t), 8, "id%u", i);
		else
			memcpy(row + sizeof(uint64_t), (uint32_t[]){i, i}, 8);
		for (size_t j = 0; j < table->columns_count; j++)
			if (table->columns[j].number > 0 && table->columns[j].access != MIB_NA)
				add_value(pdu, table, &table->columns[j], row);
		if (mib_kinds[table->kind].index == INDEX_NONE)
			break;
	}
	return pdu;
}

static const struct mib_table *
some_table(void)
{
	for (;;) {
		const struct mib_table *table = &mib_tables[pick((uint32_t)mib_tables_count)];

		if (!table->standard)
			return table;
	}
}

/* What was taken must be rows that can be read back, ascending. */
static void
check_rows(enum mib_kind kind, const struct rows *rows)
{
	_Alignas(8) unsigned char row[VMCTL_ROW_MAX], before[VMCTL_ROW_MAX];

	for (size_t i = 0; i < rows->count; i++) {
		mib_unpack(kind, rows->fields, rows->at[i], 0, row);
		if (i > 0)
			assert_true(mib_compare(kind)(before, row) < 0);
		memcpy(before, row, mib_kinds[kind].row_size);
	}
}

/* Several answers to one walk, until it has had enough. */
static void
walk_answers(enum mib_kind kind, netsnmp_pdu **pdus, size_t count)
{
	const struct vmctl_want want = {kind, 0, NULL};
	struct rows rows = {0};
	struct walk *walk = walk_new(&want, &rows);
	const char *error;

	for (size_t i = 0; i < count && !walk_over(walk); i++) {
		netsnmp_pdu *asked;

		if (!walk_take(walk, pdus[i], NULL, &error)) {
			assert_non_null(error);
			break;
		}
		asked = walk_pdu(walk);
		snmp_free_pdu(asked);
	}
	check_rows(kind, &rows);
	walk_free(walk);
	rows_clear(&rows);
}

static void
mutate(u_char *packet, size_t size)
{
	for (uint32_t i = pick(8) + 1; i > 0; i--) {
		size_t at = pick((uint32_t)size);

		switch (pick(4)) {
		case 0:
			packet[at] ^= (u_char)(1 << pick(8));
			break;
		case 1:
			packet[at] = (u_char)pick(256);
			break;
		case 2:
			packet[at] =
			    (u_char[]){0, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff, 0x30}[pick(8)];
			break;
		default: {
			size_t from = pick((uint32_t)size), most = at > from ? at : from;
			size_t left = size - most < 20 ? size - most : 20;

			memmove(packet + at, packet + from, pick((uint32_t)left + 1));
		}
		}
	}
}

/* The same octets read where they are; rows as they come out. */
static bool
walk_octets(enum mib_kind kind, const uint8_t *data, size_t size, struct rows *rows)
{
	const struct vmctl_want want = {kind, 0, NULL};
	struct walk *walk = walk_new(&want, rows);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_RESPONSE);
	struct ber_head head;
	const char *error = "it is no answer";
	bool ok = ber_answer(data, size, &head);

	if (ok) {
		assert_true(head.binds.at >= data && head.binds.end <= data + size);
		pdu->errstat = head.status;
		ok = walk_take(walk, pdu, &head.binds, &error);
	}
	assert_true(ok || error);
	check_rows(kind, rows);
	snmp_free_pdu(pdu);
	walk_free(walk);
	return ok;
}

/* A message of SNMPv2c around a PDU. */
static uint8_t *
message_make(const u_char *pdu, size_t size, size_t *whole)
{
	static const uint8_t head[] = {0x30, 0x82, 0,	0,   0x02, 1,	1,  0x04,
				       6,    'p',  'u', 'b', 'l',  'i', 'c'};
	uint8_t *message = mem_resize(NULL, sizeof(head) + size, 1);

	memcpy(message, head, sizeof(head));
	memcpy(message + sizeof(head), pdu, size);
	*whole = sizeof(head) + size;
	message[2] = (uint8_t)((*whole - 4) >> 8);
	message[3] = (uint8_t)(*whole - 4);
	return message;
}

static void
test_changed_messages(void **state)
{
	uint64_t taken = 0;

	(void)state;
	for (uint64_t round = 0; round < rounds; round++) {
		const struct mib_table *table = some_table();
		netsnmp_pdu *pdu = good_answer(table);
		static u_char packet[PACKET_MAX];
		size_t size = sizeof(packet);
		u_char *end = snmp_pdu_build(pdu, packet, &size);
		struct rows rows = {0};
		uint8_t *message;

		assert_non_null(end);
		message = message_make(packet, (size_t)(end - packet), &size);
		if (round % 16 != 0)
			mutate(message, size);
		taken += walk_octets(table->kind, message, size, &rows);
		rows_clear(&rows);
		free(message);
		snmp_free_pdu(pdu);
	}
	print_message("# %" PRIu64 " of %" PRIu64 " were still answers\n", taken, rounds);
	assert_true(taken > rounds / 32);
}

/* Both ways of reading a good answer come to the same rows. */
static void
test_same_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];
		const struct vmctl_want want = {table->kind, 0, NULL};
		netsnmp_pdu *pdu = table->standard ? NULL : good_answer(table);
		struct rows listed = {0}, read = {0};
		struct walk *walk;
		static u_char packet[PACKET_MAX];
		size_t size = sizeof(packet);
		const char *error;
		uint8_t *message;

		if (!pdu)
			continue;
		message = message_make(
		    packet, (size_t)(snmp_pdu_build(pdu, packet, &size) - packet), &size);
		walk = walk_new(&want, &listed);
		walk_take(walk, pdu, NULL, &error);
		walk_octets(table->kind, message, size, &read);
		assert_int_equal(listed.count, read.count);
		assert_int_equal(listed.size, read.size);
		walk_free(walk);
		rows_clear(&listed);
		rows_clear(&read);
		free(message);
		snmp_free_pdu(pdu);
	}
}

/* Octets of a PDU changed, and read by net-snmp. */
static void
test_changed_octets(void **state)
{
	uint64_t parsed = 0;

	(void)state;
	for (uint64_t round = 0; round < rounds; round++) {
		const struct mib_table *table = some_table();
		netsnmp_pdu *pdu = good_answer(table), *back = snmp_pdu_create(SNMP_MSG_RESPONSE);
		static u_char packet[PACKET_MAX];
		size_t size = sizeof(packet);
		u_char *end = snmp_pdu_build(pdu, packet, &size);

		assert_non_null(end);
		size = (size_t)(end - packet);
		if (round % 16 != 0)
			mutate(packet, size);
		/* A copy of the right size, so that a sanitizer sees each octet too many. */
		u_char *exact = mem_resize(NULL, size, 1);
		memcpy(exact, packet, size);
		if (snmp_pdu_parse(back, exact, &size) == 0) {
			parsed++;
			walk_answers(table->kind, &back, 1);
		}
		free(exact);
		snmp_free_pdu(back);
		snmp_free_pdu(pdu);
	}
	print_message("# %" PRIu64 " of %" PRIu64 " were still PDUs\n", parsed, rounds);
	assert_true(parsed > rounds / 32);
}

/* A value that may be anything, of a name that is nearly right. */
static void
add_odd(netsnmp_pdu *pdu, const struct mib_table *table)
{
	static const u_char types[] = {ASN_INTEGER,	  ASN_OCTET_STR,       ASN_COUNTER,
				       ASN_GAUGE,	  ASN_TIMETICKS,       ASN_IPADDRESS,
				       ASN_COUNTER64,	  ASN_OBJECT_ID,       ASN_NULL,
				       SNMP_ENDOFMIBVIEW, SNMP_NOSUCHINSTANCE, ASN_OPAQUE};
	u_char type = types[pick(sizeof(types))];
	oid name[MAX_OID_LEN];
	size_t count = table->arcs_count, size = pick(300);
	static u_char octets[400];
	struct counter64 big = {pick(UINT32_MAX), pick(UINT32_MAX)};
	long number = (long)(int32_t)pick(UINT32_MAX);

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (u_char)pick(256);
	memcpy(name, table->arcs, count * sizeof(oid));
	name[count++] = pick(8) == 0 ? pick(200) : pick(30) + 1;
	for (uint32_t i = pick(20) == 0 ? pick(60) : pick(3); i > 0; i--)
		name[count++] = pick(5) == 0 ? pick(UINT32_MAX) : pick(6);
	if (type == ASN_OCTET_STR || type == ASN_OPAQUE)
		snmp_pdu_add_variable(pdu, name, count, type, octets, size);
	else if (type == ASN_COUNTER64)
		snmp_pdu_add_variable(pdu, name, count, type, &big, sizeof(big));
	else if (type == ASN_OBJECT_ID)
		snmp_pdu_add_variable(pdu, name, count, type, name, count * sizeof(oid));
	else if (type == ASN_IPADDRESS)
		snmp_pdu_add_variable(pdu, name, count, type, octets, 4);
	else if (type == ASN_NULL || type >= SNMP_NOSUCHOBJECT)
		snmp_pdu_add_variable(pdu, name, count, type, NULL, 0);
	else
		snmp_pdu_add_variable(pdu, name, count, type, &number, sizeof(number));
}

static void
test_odd_values(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < rounds / 4; round++) {
		const struct mib_table *table = some_table();
		netsnmp_pdu *pdus[4];
		size_t count = pick(4) + 1;

		for (size_t i = 0; i < count; i++) {
			pdus[i] =
			    pick(3) == 0 ? good_answer(table) : snmp_pdu_create(SNMP_MSG_RESPONSE);
			pdus[i]->errstat = pick(20) == 0 ? (long)pick(30) : SNMP_ERR_NOERROR;
			for (uint32_t j = pick(60); j > 0; j--)
				add_odd(pdus[i], table);
		}
		walk_answers(table->kind, pdus, count);
		for (size_t i = 0; i < count; i++)
			snmp_free_pdu(pdus[i]);
	}
}

/* Packed rows of a file that anything happened to. */
static void
test_packed(void **state)
{
	(void)state;
	for (uint64_t round = 0; round < rounds; round++) {
		enum mib_kind kind = (enum mib_kind)(pick(KIND_COUNT - 1) + 1);
		_Alignas(8) unsigned char row[VMCTL_ROW_MAX] = {0};
		uint8_t packed[MIB_PACKED_MAX];
		size_t size = mib_pack(kind, ~UINT64_C(0), row, packed), found;
		uint8_t *exact;

		mutate(packed, size);
		size = pick((uint32_t)size) + 1;
		exact = mem_resize(NULL, size, 1);
		memcpy(exact, packed, size);
		found = mib_packed_size(kind, ~UINT64_C(0), exact, size);
		assert_true(found <= size);
		if (found > 0)
			mib_unpack(kind, ~UINT64_C(0), exact, 0, row);
		free(exact);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_changed_octets), cmocka_unit_test(test_changed_messages),
	    cmocka_unit_test(test_same_rows),	   cmocka_unit_test(test_odd_values),
	    cmocka_unit_test(test_packed),
	};
	const char *seed = getenv("FUZZ_SEED"), *wanted = getenv("FUZZ_ROUNDS");

	random_state = seed ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
	rounds = wanted ? strtoull(wanted, NULL, 10) : ROUNDS;
	printf("# FUZZ_SEED=%" PRIu64 "\n", random_state);
	session_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
