/* Fields of rows as SNMP shows them: one function for each type of column. */
#include "mib/table.h"

#include <string.h>

#define TAG_INTEGER 0x02
#define TAG_OCTETS 0x04
#define TAG_OID 0x06
#define TAG_COUNTER 0x41
#define TAG_GAUGE 0x42
#define TAG_TICKS 0x43
#define TAG_COUNTER64 0x46

#define MS_PER_DAY INT64_C(86400000)

static void
value_integer(const struct mib_column *column, const void *field, int64_t now_ms,
	      struct mib_value *value)
{
	(void)column, (void)now_ms;
	value->tag = TAG_INTEGER;
	memcpy(&value->integer, field, sizeof(value->integer));
}

/* TruthValue: true is 1, false is 2. */
static void
value_truth(const struct mib_column *column, const void *field, int64_t now_ms,
	    struct mib_value *value)
{
	value_integer(column, field, now_ms, value);
	value->integer = value->integer ? 1 : 2;
}

static void
value_gauge(const struct mib_column *column, const void *field, int64_t now_ms,
	    struct mib_value *value)
{
	(void)column, (void)now_ms;
	value->tag = TAG_GAUGE;
	memcpy(&value->number, field, sizeof(value->number));
}

static void
value_counter(const struct mib_column *column, const void *field, int64_t now_ms,
	      struct mib_value *value)
{
	value_gauge(column, field, now_ms, value);
	value->tag = TAG_COUNTER;
}

static void
value_ticks(const struct mib_column *column, const void *field, int64_t now_ms,
	    struct mib_value *value)
{
	value_gauge(column, field, now_ms, value);
	value->tag = TAG_TICKS;
}

static void
value_counter64(const struct mib_column *column, const void *field, int64_t now_ms,
		struct mib_value *value)
{
	(void)column, (void)now_ms;
	value->tag = TAG_COUNTER64;
	memcpy(&value->counter64, field, sizeof(value->counter64));
}

/* Milliseconds since the moment that field keeps; never negative. */
static uint64_t
field_age_ms(const void *field, int64_t now_ms)
{
	int64_t moment_ms;

	memcpy(&moment_ms, field, sizeof(moment_ms));
	return now_ms > moment_ms ? (uint64_t)(now_ms - moment_ms) : 0;
}

/* TimeTicks wrap after 497 days, as sysUpTime does. */
static void
value_uptime(const struct mib_column *column, const void *field, int64_t now_ms,
	     struct mib_value *value)
{
	(void)column;
	value->tag = TAG_TICKS;
	value->number = (uint32_t)(field_age_ms(field, now_ms) / 10);
}

static void
value_age(const struct mib_column *column, const void *field, int64_t now_ms,
	  struct mib_value *value)
{
	uint64_t age_s = field_age_ms(field, now_ms) / 1000;

	(void)column;
	value->tag = TAG_GAUGE;
	value->number = age_s < UINT32_MAX ? (uint32_t)age_s : UINT32_MAX;
}

static void
value_text(const struct mib_column *column, const void *field, int64_t now_ms,
	   struct mib_value *value)
{
	(void)now_ms;
	value->tag = TAG_OCTETS;
	value->size = strnlen(field, column->size);
	memcpy(value->octets, field, value->size);
}

/* Written out and not by uuid_text(): a walk makes one for each VM. */
static void
value_uuid(const struct mib_column *column, const void *field, int64_t now_ms,
	   struct mib_value *value)
{
	static const uint8_t zero[UUID_SIZE];
	const uint8_t *uuid = field;
	char *to = value->octets;

	(void)column, (void)now_ms;
	value->tag = TAG_OCTETS;
	value->size = 0;
	if (memcmp(uuid, zero, UUID_SIZE) == 0)
		return;
	for (int i = 0; i < UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = "0123456789abcdef"[uuid[i] >> 4];
		*to++ = "0123456789abcdef"[uuid[i] & 15];
	}
	value->size = (size_t)(to - value->octets);
}

static void
value_uuid_raw(const struct mib_column *column, const void *field, int64_t now_ms,
	       struct mib_value *value)
{
	static const uint8_t zero[UUID_SIZE];

	(void)column, (void)now_ms;
	value->tag = TAG_OCTETS;
	value->size = memcmp(field, zero, UUID_SIZE) != 0 ? UUID_SIZE : 0;
	memcpy(value->octets, field, value->size);
}

static void
value_mac(const struct mib_column *column, const void *field, int64_t now_ms,
	  struct mib_value *value)
{
	(void)now_ms;
	value->tag = TAG_OCTETS;
	value->size = column->size;
	memcpy(value->octets, field, column->size);
}

/* Day, month and year of a day counted from 1970-01-01, by walking whole 400, 100, 4 and 1 years of
 * a calendar whose years begin in March, so that the leap day is a year's last. */
static void
date_split(int64_t days, unsigned *year, unsigned *month, unsigned *day)
{
	unsigned since = (unsigned)(days + 719468); /* from 0000-03-01 */
	unsigned era = since / 146097, in_era = since % 146097;
	unsigned century = in_era / 36524 < 3 ? in_era / 36524 : 3;
	unsigned in_century = in_era - century * 36524;
	unsigned in_four = in_century % 1461;
	unsigned years = in_four / 365 < 3 ? in_four / 365 : 3;
	unsigned in_year = in_four - years * 365;
	unsigned march_month = (in_year * 5 + 2) / 153; /* 153 days make five months */

	*day = in_year - (march_month * 153 + 2) / 5 + 1;
	*month = march_month < 10 ? march_month + 3 : march_month - 9;
	*year = era * 400 + century * 100 + in_century / 1461 * 4 + years + (*month <= 2);
}

/* DateAndTime (RFC 2579) in UTC; the eight zero octets where there is no date. */
static void
value_date(const struct mib_column *column, const void *field, int64_t now_ms,
	   struct mib_value *value)
{
	unsigned year, month, day, ms;
	int64_t wall_ms;

	(void)column, (void)now_ms;
	memcpy(&wall_ms, field, sizeof(wall_ms));
	value->tag = TAG_OCTETS;
	value->size = wall_ms > 0 ? 11 : 8;
	memset(value->octets, 0, value->size);
	if (wall_ms <= 0)
		return;
	date_split(wall_ms / MS_PER_DAY, &year, &month, &day);
	ms = (unsigned)(wall_ms % MS_PER_DAY);
	memcpy(value->octets,
	       (char[]){(char)(year >> 8), (char)year, (char)month, (char)day, (char)(ms / 3600000),
			(char)(ms / 60000 % 60), (char)(ms / 1000 % 60), (char)(ms / 100 % 10), '+',
			0, 0},
	       11);
}

static void
value_oid(const struct mib_column *column, const void *field, int64_t now_ms,
	  struct mib_value *value)
{
	(void)column, (void)field, (void)now_ms;
	value->tag = TAG_OID;
	value->size = mib_root_count;
	memcpy(value->oid, mib_root, mib_root_count * sizeof(unsigned long));
}

static void (*const values[])(const struct mib_column *column, const void *field, int64_t now_ms,
			      struct mib_value *value) = {
    [MIB_INTEGER] = value_integer, [MIB_ENUM] = value_integer,
    [MIB_TRUTH] = value_truth,	   [MIB_ROWSTATUS] = value_integer,
    [MIB_GAUGE] = value_gauge,	   [MIB_UNSIGNED] = value_gauge,
    [MIB_COUNTER] = value_counter, [MIB_COUNTER64] = value_counter64,
    [MIB_TICKS] = value_ticks,	   [MIB_UPTIME] = value_uptime,
    [MIB_AGE] = value_age,	   [MIB_TEXT] = value_text,
    [MIB_UUID] = value_uuid,	   [MIB_UUIDRAW] = value_uuid_raw,
    [MIB_MAC] = value_mac,	   [MIB_DATE] = value_date,
    [MIB_OID] = value_oid,
};

bool
mib_value(const struct mib_column *column, const void *row, int64_t now_ms, struct mib_value *value)
{
	uint64_t absent;

	memcpy(&absent, row, sizeof(absent));
	if (column->type != MIB_OID && absent >> column->bit & 1)
		return false;
	values[column->type](column, (const char *)row + column->offset, now_ms, value);
	return true;
}
