#include "mib/decode.h"

#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"

#define TAG_INTEGER 0x02
#define TAG_OCTETS 0x04
#define TAG_COUNTER 0x41
#define TAG_GAUGE 0x42
#define TAG_TICKS 0x43
#define TAG_COUNTER64 0x46

static struct mib_layout layouts[KIND_COUNT];

static void
layout_add(const struct mib_table *table)
{
	struct mib_layout *layout = &layouts[table->kind];

	for (size_t i = 0; i < table->columns_count; i++) {
		const struct mib_column *column = &table->columns[i];

		if (column->type == MIB_OID || column->bit >= MIB_FIELDS_MAX)
			continue;
		layout->fields[column->bit] =
		    (struct mib_field){column->type, column->offset, column->size};
		if (column->bit >= layout->count)
			layout->count = column->bit + 1u;
	}
}

/* The key is made of the first fields: as many as the kind of index has. */
static uint64_t
layout_key(enum mib_kind kind)
{
	static const uint64_t keys[] = {
	    [INDEX_NONE] = 0, [INDEX_NUMBER] = 1, [INDEX_NUMBERS] = 3, [INDEX_TEXT] = 1};

	return keys[mib_kinds[kind].index];
}

/* The tables of VM-MIB come first and show some fields in their own way; ours have the last word.
 */
const struct mib_layout *
mib_layout(enum mib_kind kind)
{
	if (layouts[KIND_VM].count == 0) {
		for (size_t i = 0; i < mib_tables_count; i++)
			layout_add(&mib_tables[i]);
		for (int k = 1; k < KIND_COUNT; k++)
			layouts[k].key = layout_key(k);
	}
	return &layouts[kind];
}

bool
mib_row_begin(enum mib_kind kind, const unsigned long *arcs, size_t count, void *row)
{
	uint64_t absent = ~mib_layout(kind)->key;

	if (!mib_key(kind, arcs, count, row))
		return false;
	memcpy(row, &absent, sizeof(absent));
	return true;
}

static bool
take_integer(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)now_ms, (void)size;
	if (value->tag != TAG_INTEGER)
		return false;
	memcpy(field, &value->integer, sizeof(value->integer));
	return true;
}

/* TruthValue: true is 1, false is 2. */
static bool
take_truth(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	int32_t truth = value->integer == 1;

	(void)now_ms, (void)size;
	if (value->tag != TAG_INTEGER || value->integer < 1 || value->integer > 2)
		return false;
	memcpy(field, &truth, sizeof(truth));
	return true;
}

static bool
take_number(uint8_t tag, const struct mib_value *value, void *field)
{
	if (value->tag != tag)
		return false;
	memcpy(field, &value->number, sizeof(value->number));
	return true;
}

static bool
take_gauge(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)now_ms, (void)size;
	return take_number(TAG_GAUGE, value, field);
}

static bool
take_counter(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)now_ms, (void)size;
	return take_number(TAG_COUNTER, value, field);
}

static bool
take_ticks(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)now_ms, (void)size;
	return take_number(TAG_TICKS, value, field);
}

static bool
take_counter64(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)now_ms, (void)size;
	if (value->tag != TAG_COUNTER64)
		return false;
	memcpy(field, &value->counter64, sizeof(value->counter64));
	return true;
}

static bool
take_uptime(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	int64_t moment_ms = now_ms - (int64_t)value->number * 10;

	(void)size;
	if (value->tag != TAG_TICKS)
		return false;
	memcpy(field, &moment_ms, sizeof(moment_ms));
	return true;
}

static bool
take_age(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	int64_t moment_ms = now_ms - (int64_t)value->number * 1000;

	(void)size;
	if (value->tag != TAG_GAUGE)
		return false;
	memcpy(field, &moment_ms, sizeof(moment_ms));
	return true;
}

static bool
take_text(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	char text[MIB_OCTETS_MAX + 1];

	(void)now_ms;
	if (value->tag != TAG_OCTETS || value->size > MIB_OCTETS_MAX)
		return false;
	for (size_t i = 0; i < value->size; i++)
		text[i] = value->octets[i] ? value->octets[i] : '?';
	text[value->size] = 0;
	text_set(field, size, text);
	return true;
}

/* As text of 36 characters, as 16 octets, or empty: of none. */
static bool
take_uuid(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	char text[UUID_TEXT_SIZE] = "";
	uint8_t uuid[UUID_SIZE] = {0};

	(void)now_ms, (void)size;
	if (value->tag != TAG_OCTETS)
		return false;
	if (value->size == UUID_SIZE) {
		memcpy(uuid, value->octets, UUID_SIZE);
	} else if (value->size != 0) {
		if (value->size != UUID_TEXT_SIZE - 1)
			return false;
		memcpy(text, value->octets, UUID_TEXT_SIZE - 1);
		if (!uuid_parse(text, uuid))
			return false;
	}
	memcpy(field, uuid, UUID_SIZE);
	return true;
}

static bool
take_mac(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)now_ms;
	if (value->tag != TAG_OCTETS || value->size != size)
		return false;
	memcpy(field, value->octets, size);
	return true;
}

/* Days since 1970-01-01: of a calendar whose years begin in March, so that the leap day is a
 * year's last. */
static int64_t
date_days(int64_t year, int64_t month, int64_t day)
{
	int64_t years = month > 2 ? year : year - 1;
	int64_t march_month = month > 2 ? month - 3 : month + 9;

	return years * 365 + years / 4 - years / 100 + years / 400 + (march_month * 153 + 2) / 5 +
	       day - 1 - 719468;
}

/* DateAndTime (RFC 2579): 8 octets are local time, which we take for UTC; all zero: no date. */
static bool
take_date(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	const uint8_t *octets = (const uint8_t *)value->octets;
	int64_t wall_ms, zone_min = 0;

	(void)now_ms, (void)size;
	if (value->tag != TAG_OCTETS || (value->size != 8 && value->size != 11))
		return false;
	if (memcmp(octets, "\0\0\0\0\0\0\0", 8) == 0) {
		memset(field, 0, sizeof(wall_ms));
		return true;
	}
	if (octets[2] < 1 || octets[2] > 12 || octets[3] < 1 || octets[3] > 31 || octets[4] > 23 ||
	    octets[5] > 59 || octets[6] > 60 || octets[7] > 9)
		return false;
	if (value->size == 11) {
		if ((octets[8] != '+' && octets[8] != '-') || octets[9] > 13 || octets[10] > 59)
			return false;
		zone_min = (octets[9] * 60 + octets[10]) * (octets[8] == '+' ? 1 : -1);
	}
	wall_ms = date_days(octets[0] << 8 | octets[1], octets[2], octets[3]) * 86400000 +
		  (octets[4] * 60 + octets[5] - zone_min) * INT64_C(60000) + octets[6] * 1000 +
		  octets[7] * 100;
	memcpy(field, &wall_ms, sizeof(wall_ms));
	return true;
}

static bool
take_nothing(const struct mib_value *value, int64_t now_ms, uint16_t size, void *field)
{
	(void)value, (void)now_ms, (void)size, (void)field;
	return false;
}

static bool (*const takes[])(const struct mib_value *value, int64_t now_ms, uint16_t size,
			     void *field) = {
    [MIB_INTEGER] = take_integer, [MIB_ENUM] = take_integer,
    [MIB_TRUTH] = take_truth,	  [MIB_ROWSTATUS] = take_integer,
    [MIB_GAUGE] = take_gauge,	  [MIB_UNSIGNED] = take_gauge,
    [MIB_COUNTER] = take_counter, [MIB_COUNTER64] = take_counter64,
    [MIB_TICKS] = take_ticks,	  [MIB_UPTIME] = take_uptime,
    [MIB_AGE] = take_age,	  [MIB_TEXT] = take_text,
    [MIB_UUID] = take_uuid,	  [MIB_UUIDRAW] = take_uuid,
    [MIB_MAC] = take_mac,	  [MIB_DATE] = take_date,
    [MIB_OID] = take_nothing,
};

bool
mib_decode(const struct mib_column *column, const struct mib_value *value, int64_t now_ms,
	   void *row)
{
	uint64_t absent;

	if (!takes[column->type](value, now_ms, column->size, (char *)row + column->offset))
		return false;
	memcpy(&absent, row, sizeof(absent));
	absent &= ~(UINT64_C(1) << column->bit);
	memcpy(row, &absent, sizeof(absent));
	return true;
}
