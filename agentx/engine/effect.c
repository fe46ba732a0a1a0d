#include "engine/effect.h"

#include <inttypes.h>
#include <string.h>

#include "base/uuid.h"
#include "store/schema.h"

#define FIELD(of, name, field, type)                                                               \
	{                                                                                          \
		name, COLUMN_##type, offsetof(struct effect, of field),                            \
		    sizeof(((struct effect *)NULL)->of field), -1                                  \
	}

static const struct column action_fields[] = {
    FIELD(action., "id", id, U64),	   FIELD(action., "journal", journal, U64),
    FIELD(action., "verb", verb, U32),	   FIELD(action., "domid", domid, U32),
    FIELD(action., "uuid", uuid, UUID),	   FIELD(action., "name", name, TEXT),
    FIELD(action., "number", number, U32), FIELD(action., "deadline_ms", deadline_ms, U32),
};
static const struct column outcome_fields[] = {
    FIELD(outcome., "id", id, U64),
    FIELD(outcome., "journal", journal, U64),
};
static const struct column held_fields[] = {
    FIELD(held., "token", token, U32),	       FIELD(held., "vm", vm, U32),
    FIELD(held., "request", id, TEXT),	       FIELD(held.answer., "ok", ok, U32),
    FIELD(held.answer., "error", error, TEXT),
};
static const struct column probe_fields[] = {
    FIELD(probe., "attempt", attempt, U64),
};
static const struct column uuid_fields[] = {
    FIELD(vm., "uuid", uuid, UUID),
};
static const struct column number_fields[] = {
    FIELD(request., "number", number, U64),
};
static const struct column index_fields[] = {
    FIELD(service., "service_index", index, U32),
};

/* table: whose columns they are, counted from the begin of its row in the effect. */
#define OWN(fields) NULL, fields, sizeof(fields) / sizeof(fields[0]), 0
#define ROW(table, member) &table_infos[table], NULL, 0, offsetof(struct effect, member)
static const struct {
	const char *name;
	const struct table_info *table;
	const struct column *fields;
	size_t fields_count;
	size_t at;
} forms[EFFECT_COUNT] = {
    [EFFECT_ACTION] = {"action", OWN(action_fields)},
    [EFFECT_FORGET] = {"forget", OWN(outcome_fields)},
    [EFFECT_CANCEL] = {"cancel", OWN(action_fields)},
    [EFFECT_EVENT] = {"event", ROW(TABLE_EVENT, event)},
    [EFFECT_PUT_VM] = {"put-vm", ROW(TABLE_VM, vm)},
    [EFFECT_DROP_VM] = {"drop-vm", OWN(uuid_fields)},
    [EFFECT_PUT_REQUEST] = {"put-request", ROW(TABLE_REQUEST, request)},
    [EFFECT_DROP_REQUEST] = {"drop-request", OWN(number_fields)},
    [EFFECT_HELD] = {"held", OWN(held_fields)},
    [EFFECT_PROBE] = {"probe", OWN(probe_fields)},
    [EFFECT_RELOAD] = {"reload", NULL, NULL, 0, 0},
    [EFFECT_PUT_SERVICE] = {"put-service", ROW(TABLE_SERVICE, service)},
    [EFFECT_DROP_SERVICE] = {"drop-service", OWN(index_fields)},
};

const char *
effect_name(enum effect_type type)
{
	return forms[type].name;
}

static const struct column *
effect_fields(const struct effect *effect, size_t *count, const char **row)
{
	*row = (const char *)effect + forms[effect->type].at;
	*count = forms[effect->type].table ? forms[effect->type].table->columns_count
					   : forms[effect->type].fields_count;
	return forms[effect->type].table ? forms[effect->type].table->columns
					 : forms[effect->type].fields;
}

/* FNV-1a, of words where there are any. */
uint64_t
digest_add(uint64_t digest, const void *data, size_t size)
{
	const unsigned char *octets = data;

	for (; size >= 8; size -= 8, octets += 8) {
		uint64_t word;

		memcpy(&word, octets, 8);
		digest = (digest ^ word ^ word >> 32) * UINT64_C(0x100000001b3);
	}
	for (; size > 0; size--, octets++)
		digest = (digest ^ *octets) * UINT64_C(0x100000001b3);
	return digest ^ digest >> 29;
}

uint64_t
effect_digest(uint64_t digest, const struct effect *effect)
{
	const struct table_info *table = forms[effect->type].table;
	size_t count;
	const char *row;
	const struct column *fields = effect_fields(effect, &count, &row);

	digest = digest_add(digest, &effect->type, sizeof(effect->type));
	if (table && table->absent)
		digest = digest_add(digest, row + table->absent, sizeof(uint64_t));
	for (size_t i = 0; i < count; i++)
		digest = digest_add(digest, row + fields[i].offset, fields[i].size);
	if (effect->type == EFFECT_PROBE)
		digest = digest_add(digest, effect->probe.service->name, SERVICE_NAME_SIZE);
	return digest;
}

static bool
is_zero(const char *field, size_t size)
{
	return *field == 0 && memcmp(field, field + 1, size - 1) == 0;
}

static void
print_number(enum column_type type, const void *field, FILE *to)
{
	uint64_t wide;
	uint32_t narrow;

	if (type == COLUMN_I32 || type == COLUMN_U32) {
		memcpy(&narrow, field, sizeof(narrow));
		fprintf(to, type == COLUMN_I32 ? "%" PRId32 : "%" PRIu32, narrow);
	} else {
		memcpy(&wide, field, sizeof(wide));
		fprintf(to, type == COLUMN_I64 ? "%" PRId64 : "%" PRIu64, wide);
	}
}

static void
print_field(const struct column *field, const char *at, FILE *to)
{
	char uuid[UUID_TEXT_SIZE];

	fprintf(to, " %s=", field->name);
	if (field->type == COLUMN_TEXT) {
		fprintf(to, "\"%s\"", at);
	} else if (field->type == COLUMN_UUID) {
		uuid_text((const uint8_t *)at, uuid);
		fputs(uuid, to);
	} else if (field->type == COLUMN_TIMES) {
		for (size_t i = 0; i < field->size && !is_zero(at + i, 8); i += 8) {
			fputs(i ? "," : "", to);
			print_number(COLUMN_I64, at + i, to);
		}
	} else {
		print_number(field->type, at, to);
	}
}

void
effect_print(const struct effect *effect, FILE *to)
{
	size_t count;
	const char *row;
	const struct column *fields = effect_fields(effect, &count, &row);

	fputs(forms[effect->type].name, to);
	for (size_t i = 0; i < count; i++)
		if (!is_zero(row + fields[i].offset, fields[i].size))
			print_field(&fields[i], row + fields[i].offset, to);
	if (effect->type == EFFECT_PROBE)
		fprintf(to, " service=\"%s\" address=\"%s\" port=%u", effect->probe.service->name,
			effect->probe.service->address, effect->probe.service->port);
}
