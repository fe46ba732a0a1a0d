/*
 * What an agent said, back into rows: the other way of mib/table.h. The values come from the
 * network and are checked here: a wrong type, a length that cannot be, a date that is none are
 * refused, and texts are cleaned as text_set() does.
 *
 * A row that is decoded begins with mib_row_begin(): its key, and every other field absent. A field
 * stops being absent when a value for it is taken.
 */
#ifndef MIB_DECODE_H
#define MIB_DECODE_H

#include "mib/table.h"

/* A field of a kind of row. */
struct mib_field {
	enum mib_type type;
	uint16_t offset, size; /* octets */
};

#define MIB_FIELDS_MAX 64 /* the bits of absent */

/* All fields of a kind, by their bit in absent. */
struct mib_layout {
	size_t count; /* of bits */
	uint64_t key; /* the fields that the row is found by; they are never absent */
	struct mib_field fields[MIB_FIELDS_MAX];
};

const struct mib_layout *mib_layout(enum mib_kind kind);

/* An empty row of a kind with the key that the arcs of an index spell; false: they spell none. */
bool mib_row_begin(enum mib_kind kind, const unsigned long *arcs, size_t count, void *row);

/*
 * Takes the value of a column into row, at now_ms (clock_mono_ms(); ages and times up are counted
 * back from it). False: the value does not fit the column, and row is as before.
 */
bool mib_decode(const struct mib_column *column, const struct mib_value *value, int64_t now_ms,
		void *row);

/*
 * A row with only its present fields, and texts as long as they are: a quarter of its struct. For
 * who keeps the rows of many hosts. wanted: the bits of the fields that rows of this set may have;
 * others are left out. Packed rows are of this program's description only: mib_fingerprint() tells
 * whether two are the same.
 */
#define MIB_PACKED_MAX 2048 /* octets of the longest packed row */

/* Packs row; returns the octets used. */
size_t mib_pack(enum mib_kind kind, uint64_t wanted, const void *row, uint8_t to[MIB_PACKED_MAX]);

/* Octets of the packed row at from, or 0 where size octets hold none. */
size_t mib_packed_size(enum mib_kind kind, uint64_t wanted, const uint8_t *from, size_t size);

/* The row again; from must be whole (mib_packed_size()). shift_ms is added to every moment on the
 * monotonic clock, which is another one after a boot. */
void mib_unpack(enum mib_kind kind, uint64_t wanted, const uint8_t *from, int64_t shift_ms,
		void *row);

/* A number that changes with the description of any kind. */
uint64_t mib_fingerprint(void);

#endif
