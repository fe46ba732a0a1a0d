/* Packed rows: whether all wanted fields are there, else a bit for each that is; then these fields;
 * a text as its length in one octet and its octets. */
#include "mib/decode.h"

#include <string.h>

static bool
is_moment(const struct mib_field *field)
{
	return field->type == MIB_UPTIME || field->type == MIB_AGE;
}

static uint64_t
fields_all(const struct mib_layout *layout)
{
	return layout->count < MIB_FIELDS_MAX ? (UINT64_C(1) << layout->count) - 1 : ~UINT64_C(0);
}

/* What a row of the set has where nothing of it is absent. */
static uint64_t
fields_wanted(const struct mib_layout *layout, uint64_t wanted)
{
	return (wanted & fields_all(layout)) | layout->key;
}

enum { PACKED_WHOLE, PACKED_PART };

size_t
mib_pack(enum mib_kind kind, uint64_t wanted, const void *row, uint8_t to[MIB_PACKED_MAX])
{
	const struct mib_layout *layout = mib_layout(kind);
	uint64_t all = fields_wanted(layout, wanted), present;
	size_t used = 1;

	memcpy(&present, row, sizeof(present));
	present = (~present & all) | layout->key;
	to[0] = present == all ? PACKED_WHOLE : PACKED_PART;
	if (present != all) {
		memcpy(to + used, &present, sizeof(present));
		used += sizeof(present);
	}
	for (uint64_t left = present; left; left &= left - 1) {
		const struct mib_field *field = &layout->fields[__builtin_ctzll(left)];
		const char *from = (const char *)row + field->offset;
		size_t size = field->size;

		if (field->type == MIB_TEXT) {
			size = strnlen(from, size < UINT8_MAX ? size : UINT8_MAX);
			to[used++] = (uint8_t)size;
		}
		memcpy(to + used, from, size);
		used += size;
	}
	return used;
}

/* Where the fields begin, and which there are. */
static size_t
packed_begin(const struct mib_layout *layout, uint64_t wanted, const uint8_t *from,
	     uint64_t *present)
{
	*present = fields_wanted(layout, wanted);
	if (from[0] == PACKED_WHOLE)
		return 1;
	memcpy(present, from + 1, sizeof(*present));
	return 1 + sizeof(*present);
}

size_t
mib_packed_size(enum mib_kind kind, uint64_t wanted, const uint8_t *from, size_t size)
{
	const struct mib_layout *layout = mib_layout(kind);
	uint64_t present;
	size_t used;

	if (size == 0 || from[0] > PACKED_PART ||
	    (from[0] == PACKED_PART && size < 1 + sizeof(present)))
		return 0;
	used = packed_begin(layout, wanted, from, &present);
	if (present & ~fields_wanted(layout, wanted) || (present & layout->key) != layout->key)
		return 0;
	for (; present; present &= present - 1) {
		const struct mib_field *field = &layout->fields[__builtin_ctzll(present)];
		size_t length = field->size;

		if (field->type == MIB_TEXT) {
			if (used >= size || from[used] >= field->size)
				return 0;
			length = from[used++];
		}
		if (length > size - used)
			return 0;
		used += length;
	}
	return used;
}

void
mib_unpack(enum mib_kind kind, uint64_t wanted, const uint8_t *from, int64_t shift_ms, void *row)
{
	const struct mib_layout *layout = mib_layout(kind);
	uint64_t present, absent;

	memset(row, 0, mib_kinds[kind].row_size);
	from += packed_begin(layout, wanted, from, &present);
	absent = ~present;
	memcpy(row, &absent, sizeof(absent));
	for (; present; present &= present - 1) {
		const struct mib_field *field = &layout->fields[__builtin_ctzll(present)];
		size_t size = field->type == MIB_TEXT ? *from++ : field->size;
		char *to = (char *)row + field->offset;

		memcpy(to, from, size);
		from += size;
		if (shift_ms != 0 && is_moment(field)) {
			int64_t moment_ms;

			memcpy(&moment_ms, to, sizeof(moment_ms));
			moment_ms += shift_ms;
			memcpy(to, &moment_ms, sizeof(moment_ms));
		}
	}
}

/* FNV-1a. */
static uint64_t
mix(uint64_t hash, const void *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ ((const uint8_t *)data)[i]) * UINT64_C(0x100000001b3);
	return hash;
}

uint64_t
mib_fingerprint(void)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < mib_tables_count; i++)
		for (size_t j = 0; j < mib_tables[i].columns_count; j++) {
			const struct mib_column *column = &mib_tables[i].columns[j];
			const uint32_t form[] = {(uint32_t)mib_tables[i].kind,
						 column->number,
						 (uint32_t)column->type,
						 column->offset,
						 column->size,
						 column->bit};

			hash = mix(hash, form, sizeof(form));
			hash = mix(hash, column->name, strlen(column->name));
		}
	return hash;
}
