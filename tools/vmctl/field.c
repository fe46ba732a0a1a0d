#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/uuid.h"
#include "tools/vmctl/vmctl.h"

/* ---- keys ---- */

void
column_key(const struct mib_table *table, const struct mib_column *column, char key[40])
{
	size_t cut = 0, length = strlen(table->name);

	if (strncmp(column->name, table->name, length) == 0)
		cut = length; /* scalars: the group's name is all of it */
	for (size_t i = 0; cut != length && column->name[i] && table->name[i]; i++) {
		if (isupper((unsigned char)column->name[i]) &&
		    isupper((unsigned char)table->name[i]))
			cut = i;
		if (column->name[i] != table->name[i])
			break;
	}
	snprintf(key, 40, "%s", column->name + cut);
	key[0] = (char)tolower((unsigned char)key[0]);
}

/* The tables of LAUXEN-MIB that show a kind; *at goes on from there. */
static const struct mib_table *
next_table(enum mib_kind kind, size_t *at)
{
	while (*at < mib_tables_count) {
		const struct mib_table *table = &mib_tables[(*at)++];

		if (table->kind == kind && !table->standard)
			return table;
	}
	return NULL;
}

const struct mib_column *
column_find(enum mib_kind kind, const char *key)
{
	const struct mib_table *table;
	size_t at = 0;

	while ((table = next_table(kind, &at)))
		for (size_t i = 0; i < table->columns_count; i++) {
			char name[40];

			column_key(table, &table->columns[i], name);
			if (table->columns[i].number > 0 && strcmp(name, key) == 0)
				return &table->columns[i];
		}
	return NULL;
}

/* "memoryUsed" is "MEMORY USED". */
static void
title_of(const char *key, char *title, size_t size)
{
	size_t used = 0;

	for (; *key && used + 2 < size; key++) {
		if (isupper((unsigned char)*key) && used > 0)
			title[used++] = ' ';
		title[used++] = (char)toupper((unsigned char)*key);
	}
	title[used] = 0;
}

/* ---- times ---- */

void
duration_text(int64_t ms, char *text, size_t size)
{
	static const struct {
		int64_t until_s, unit_s;
		char letter[2];
	} steps[] = {
	    {100, 1, "s"}, {6000, 60, "m"}, {48 * 3600, 3600, "h"}, {INT64_MAX, 86400, "d"}};
	int64_t s = ms > 0 ? ms / 1000 : 0;
	char whole[32];
	size_t step = 0;

	while (step < 3 && s >= steps[step].until_s)
		step++;
	memcpy(number_text(s / steps[step].unit_s, whole), steps[step].letter, 2);
	memcpy(text, whole, strlen(whole) < size ? strlen(whole) + 1 : size);
	text[size - 1] = 0;
}

static void
date_iso(int64_t wall_ms, char *text, size_t size)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	gmtime_r(&s, &tm);
	snprintf(text, size, "%04d-%02d-%02dT%02d:%02d:%02d.%dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms % 1000 / 100));
}

void
date_text(const struct context *context, int64_t wall_ms, char *text, size_t size)
{
	time_t s = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (!context->options.absolute) {
		duration_text(vmctl_wall_ms() - wall_ms, text, size);
		return;
	}
	localtime_r(&s, &tm);
	strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm);
}

/* ---- values ---- */

void
value_text(struct value *value, const char *text)
{
	size_t length = strnlen(text, sizeof(value->text) - 1);

	value->type = VALUE_TEXT;
	memcpy(value->text, text, length);
	value->text[length] = 0;
}

void
value_number(struct value *value, int64_t number)
{
	value->type = VALUE_NUMBER;
	value->number = number;
}

/* Of many rows these are most of the work, so not by snprintf(). Returns the end. */
char *
number_text(int64_t number, char *text)
{
	char digits[24];
	size_t count = 0;
	uint64_t left = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		digits[count++] = (char)('0' + left % 10);
	while (left /= 10);
	if (number < 0)
		*text++ = '-';
	while (count > 0)
		*text++ = digits[--count];
	*text = 0;
	return text;
}

/* How people read a number: what the MIB's UNITS say, which no table of ours has. By object. */
static void
human_percent(struct value *value)
{
	char *end = number_text(value->number / 100, value->human);

	*end++ = '.';
	memcpy(number_text(value->number / 10 % 10, end), "%", 2);
}

static void
human_mib(struct value *value)
{
	memcpy(number_text(value->number, value->human), "M", 2);
}

static void
human_octets(struct value *value)
{
	static const char units[] = "BKMGTPE";
	double octets = (double)value->number;
	int unit = 0;

	for (; octets >= 10000 && units[unit + 1]; unit++)
		octets /= 1024;
	snprintf(value->human, sizeof(value->human), "%.0f%c", octets, units[unit]);
}

static void
human_us(struct value *value)
{
	snprintf(value->human, sizeof(value->human), "%" PRId64 ".%" PRId64 "ms",
		 value->number / 1000, value->number / 100 % 10);
}

static void
human_plain_percent(struct value *value)
{
	snprintf(value->human, sizeof(value->human), "%" PRId64 "%%", value->number);
}

static void
human_seconds(struct value *value)
{
	if (value->number == UINT32_MAX)
		snprintf(value->human, sizeof(value->human), "no end");
	else if (value->number > 0)
		duration_text(value->number * 1000, value->human, sizeof(value->human));
}

static const struct {
	const char *pattern; /* of the object's name */
	void (*human)(struct value *value);
} units[] = {
    {"*CpuUsed", human_percent},
    {"lxVmMemoryHigh", human_plain_percent},
    {"lxVmMemoryLow", human_plain_percent},
    {"lxVmMemory*", human_mib},
    {"lxHostMemory*", human_mib},
    {"lxStorage[SFU]*", human_mib},
    {"lx*Octets", human_octets},
    {"lx*Latency", human_us},
    {"lxVmMaintenance*", human_seconds},
};

/* Good, busy or bad, by what a state is called: the same words in all enumerations. */
static enum tint
tint_of(const char *name)
{
	static const struct {
		enum tint tint;
		const char *names;
	} tints[] = {
	    {TINT_GOOD, " running ok up answers answering succeeded watching "},
	    {TINT_BUSY, " paused attention starting queued preparing suspending resuming "
			"migrating shuttingdown waiting stopping blocked suspended maintenance "
			"degraded asking "},
	    {TINT_BAD, " crashed failed down silent refused needsHuman failing "},
	    {TINT_DIM, " shutdown off unknown none other cancelled "},
	};
	char padded[64];

	snprintf(padded, sizeof(padded), " %s ", name);
	for (size_t i = 0; i < sizeof(tints) / sizeof(tints[0]); i++)
		if (strstr(tints[i].names, padded))
			return tints[i].tint;
	return TINT_NONE;
}

static void
value_enum(const struct context *context, const struct mib_column *column, int32_t number,
	   struct value *value)
{
	const char *name = name_of(column->names, number);

	if (strcmp(name, "?") == 0) { /* of a newer agent */
		value->type = VALUE_TEXT;
		snprintf(value->text, sizeof(value->text), "%" PRId32, number);
		return;
	}
	value_text(value, name);
	if (context->options.color)
		value->tint = tint_of(name);
}

static void
value_moment(const struct mib_column *column, int64_t moment_ms, struct value *value)
{
	int64_t age_ms = vmctl_mono_ms() - moment_ms;

	(void)column;
	value_number(value, age_ms > 0 ? age_ms / 1000 : 0);
	duration_text(age_ms, value->human, sizeof(value->human));
}

static void
value_date(const struct context *context, int64_t wall_ms, struct value *value)
{
	if (wall_ms <= 0) {
		value->type = VALUE_TEXT;
		snprintf(value->human, sizeof(value->human), "-");
		return;
	}
	value->type = VALUE_TEXT;
	if (context->options.format == OUTPUT_TEXT)
		date_text(context, wall_ms, value->human, sizeof(value->human));
	else
		date_iso(wall_ms, value->text, sizeof(value->text));
}

static void
value_column(const struct context *context, const struct mib_column *column, const void *row,
	     struct value *value)
{
	const char *field = (const char *)row + column->offset;
	uint64_t absent;
	union {
		int32_t i;
		uint32_t u;
		int64_t l;
		uint64_t c;
	} of = {0};

	memcpy(&absent, row, sizeof(absent));
	if (absent >> column->bit & 1)
		return;
	if (column->size <= sizeof(of))
		memcpy(&of, field, column->size);
	switch (column->type) {
	case MIB_ENUM:
		value_enum(context, column, of.i, value);
		break;
	case MIB_TRUTH:
		value->type = VALUE_TRUTH;
		value->number = of.i != 0;
		break;
	case MIB_INTEGER:
	case MIB_ROWSTATUS:
		value_number(value, of.i);
		break;
	case MIB_GAUGE:
	case MIB_UNSIGNED:
	case MIB_COUNTER:
	case MIB_TICKS:
		value_number(value, of.u);
		break;
	case MIB_COUNTER64:
		value_number(value, (int64_t)of.c);
		break;
	case MIB_UPTIME:
	case MIB_AGE:
		value_moment(column, of.l, value);
		break;
	case MIB_DATE:
		value_date(context, of.l, value);
		break;
	case MIB_TEXT:
		value_text(value, field);
		break;
	case MIB_UUID:
	case MIB_UUIDRAW:
		value->type = VALUE_TEXT;
		if (!uuid_is_zero((const uint8_t *)field))
			uuid_text((const uint8_t *)field, value->text);
		break;
	case MIB_MAC:
		value->type = VALUE_TEXT;
		snprintf(value->text, sizeof(value->text), "%02x:%02x:%02x:%02x:%02x:%02x",
			 (uint8_t)field[0], (uint8_t)field[1], (uint8_t)field[2], (uint8_t)field[3],
			 (uint8_t)field[4], (uint8_t)field[5]);
		break;
	case MIB_OID:
		break;
	}
}

void
field_value(const struct context *context, const struct field *field, const struct item *item,
	    struct value *value)
{
	value->type = VALUE_UNKNOWN;
	value->tint = TINT_NONE;
	value->text[0] = value->human[0] = 0;
	value->number = 0;
	if (field->own)
		field->own(context, item, value);
	else if (item->rows[field->kind])
		value_column(context, field->column, item->rows[field->kind], value);
	if (field->human && value->type == VALUE_NUMBER && !value->human[0])
		field->human(value);
	if (item->stale && value->tint != TINT_NONE)
		value->tint = TINT_DIM;
}

/* ---- fields that all commands have ---- */

static void
value_host(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value_text(value, vmctl_host_name(item->host));
}

static enum mib_kind
item_kind(const struct item *item)
{
	for (int kind = 1; kind < KIND_COUNT; kind++)
		if (item->rows[kind])
			return (enum mib_kind)kind;
	return KIND_VM;
}

/* Of rows that are true now: nothing. */
static void
value_age(const struct context *context, const struct item *item, struct value *value)
{
	int64_t age_ms = vmctl_rows_age_ms(item->host, item_kind(item));

	(void)context;
	if (age_ms < 0)
		return;
	value_number(value, age_ms / 1000);
	if (item->stale)
		duration_text(age_ms, value->human, sizeof(value->human));
	else
		snprintf(value->human, sizeof(value->human), "-");
	value->tint = item->stale ? TINT_BAD : TINT_NONE;
}

static void
value_stale(const struct context *context, const struct item *item, struct value *value)
{
	(void)context;
	value->type = VALUE_TRUTH;
	value->number = item->stale;
}

const struct own_field own_host = {"host", "HOST", false, value_host},
		       own_age = {"age", "AGE", true, value_age},
		       own_stale = {"stale", "STALE", false, value_stale};

/* ---- choosing ---- */

static bool
type_is_number(enum mib_type type)
{
	return type == MIB_INTEGER || type == MIB_GAUGE || type == MIB_UNSIGNED ||
	       type == MIB_COUNTER || type == MIB_COUNTER64 || type == MIB_UPTIME ||
	       type == MIB_AGE || type == MIB_TICKS;
}

static struct field *
fields_new(struct fields *fields)
{
	fields->list = mem_resize(fields->list, fields->count + 1, sizeof(*fields->list));
	memset(&fields->list[fields->count], 0, sizeof(*fields->list));
	return &fields->list[fields->count++];
}

static void
fields_add_column(struct fields *fields, enum mib_kind kind, const struct mib_column *column,
		  const char *key, const char *title)
{
	struct field *field = fields_new(fields);

	snprintf(field->key, sizeof(field->key), "%s", key);
	if (title)
		snprintf(field->title, sizeof(field->title), "%s", title);
	else
		title_of(key, field->title, sizeof(field->title));
	field->kind = kind;
	field->column = column;
	field->right = type_is_number(column->type);
	for (size_t i = 0; !field->human && i < sizeof(units) / sizeof(units[0]); i++)
		if (fnmatch(units[i].pattern, column->name, 0) == 0)
			field->human = units[i].human;
}

static bool
fields_have(const struct fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->count; i++)
		if (strcmp(fields->list[i].key, key) == 0)
			return true;
	return false;
}

/* A key that is another kind's before has its kind's name in front: "agent.version". */
static void
fields_add_kind(struct fields *fields, enum mib_kind kind)
{
	const struct mib_table *table;
	size_t at = 0;

	while ((table = next_table(kind, &at)))
		for (size_t i = 0; i < table->columns_count; i++) {
			const struct mib_column *column = &table->columns[i];
			char key[40], whole[80];

			if (column->number == 0 || column->type == MIB_ROWSTATUS)
				continue;
			column_key(table, column, key);
			snprintf(whole, sizeof(whole), "%s", key);
			if (fields_have(fields, whole))
				snprintf(whole, sizeof(whole), "%s.%s", mib_kinds[kind].name, key);
			if (!fields_have(fields, whole))
				fields_add_column(fields, kind, column, whole, NULL);
		}
}

static const struct own_field *
own_find(const struct own_field *own, const char *key)
{
	static const struct own_field *const common[] = {&own_host, &own_age, &own_stale};

	for (; own && own->key; own++)
		if (strcmp(own->key, key) == 0)
			return own;
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++)
		if (strcmp(common[i]->key, key) == 0)
			return common[i];
	return NULL;
}

static void
fields_add_own(struct fields *fields, const struct own_field *own)
{
	struct field *field = fields_new(fields);

	snprintf(field->key, sizeof(field->key), "%s", own->key);
	snprintf(field->title, sizeof(field->title), "%s", own->title);
	field->own = own->value;
	field->right = own->right;
}

static void
fields_add_all(struct fields *fields, const enum mib_kind *kinds, const struct own_field *own)
{
	fields_add_own(fields, &own_host);
	for (const struct own_field *one = own; one && one->key; one++)
		fields_add_own(fields, one);
	for (; *kinds; kinds++)
		fields_add_kind(fields, *kinds);
	fields_add_own(fields, &own_stale);
	fields_add_own(fields, &own_age);
}

/* key: "memoryUsed", "agent.version", or with a title of the command's: "cpuUsed=CPU". */
static bool
fields_add(struct fields *fields, char *key, const enum mib_kind *kinds,
	   const struct own_field *own)
{
	char *title = strchr(key, '=');
	const struct own_field *found;
	const char *name = strchr(key, '.');

	if (title)
		*title++ = 0;
	found = own_find(own, key);
	if (found) {
		fields_add_own(fields, found);
		return true;
	}
	for (; *kinds; kinds++) {
		const char *kind_name = mib_kinds[*kinds].name;
		bool named = name && strlen(kind_name) == (size_t)(name - key) &&
			     strncmp(kind_name, key, (size_t)(name - key)) == 0;
		const struct mib_column *column = NULL;

		if (named)
			column = column_find(*kinds, name + 1);
		else if (!name)
			column = column_find(*kinds, key);
		if (!column)
			continue;
		fields_add_column(fields, *kinds, column, key, title);
		return true;
	}
	return false;
}

static void
fields_say_known(const struct context *context, const char *key, const enum mib_kind *kinds,
		 const struct own_field *own)
{
	struct fields known = {0};

	fields_add_all(&known, kinds, own);
	fprintf(stderr, "vmctl %s: there is no column %s; there are:", context->command, key);
	for (size_t i = 0; i < known.count; i++)
		fprintf(stderr, "%s %s", i ? "," : "", known.list[i].key);
	fprintf(stderr, "\n");
	fields_free(&known);
}

bool
fields_choose(const struct context *context, const char *keys, const enum mib_kind *kinds,
	      const struct own_field *own, struct fields *fields)
{
	char *list = mem_string(keys), *save = NULL;
	bool ok = true;

	*fields = (struct fields){0};
	if (strcmp(keys, "all") == 0)
		fields_add_all(fields, kinds, own);
	else
		for (char *key = strtok_r(list, ",", &save); key && ok;
		     key = strtok_r(NULL, ",", &save)) {
			ok = fields_add(fields, key, kinds, own);
			if (!ok)
				fields_say_known(context, key, kinds, own);
		}
	free(list);
	if (!ok)
		fields_free(fields);
	return ok;
}

void
fields_free(struct fields *fields)
{
	free(fields->list);
	*fields = (struct fields){0};
}

uint64_t
fields_bits(const struct fields *fields, enum mib_kind kind)
{
	uint64_t bits = 0;

	for (size_t i = 0; i < fields->count; i++)
		if (fields->list[i].column && fields->list[i].kind == kind)
			bits |= UINT64_C(1) << fields->list[i].column->bit;
	return bits;
}
