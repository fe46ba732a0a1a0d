/*
 * Rows served by OID: finds the column and row of an OID, the next one, and the value as SNMP shows
 * it. No net-snmp; agentx gives its OIDs and takes the values, vmctl does the same the other way.
 */
#ifndef MIB_TABLE_H
#define MIB_TABLE_H

#include "base/rowset.h"
#include "mib/objects.h"

#define MIB_OID_MAX 64 /* arcs of the longest instance, with room */
#define MIB_OCTETS_MAX 256

/* A value and its SNMP type (the ASN.1 tag of RFC 2578: 0x02 INTEGER, 0x04 OCTET STRING, 0x06
 * OBJECT IDENTIFIER, 0x41 Counter32, 0x42 Gauge32, 0x43 TimeTicks, 0x46 Counter64). */
struct mib_value {
	uint8_t tag;
	size_t size; /* octets in octets, arcs in oid */
	union {
		int32_t integer;
		uint32_t number; /* Gauge32, Counter32, TimeTicks */
		uint64_t counter64;
		char octets[MIB_OCTETS_MAX];
		unsigned long oid[MIB_ARCS_MAX];
	};
};

struct mib_oid {
	size_t count;
	unsigned long arcs[MIB_OID_MAX];
};

/* All rows of a process, by kind. */
struct mib_rows {
	struct rowset sets[KIND_COUNT];
};

void mib_rows_init(struct mib_rows *rows, bool tracks);
void mib_rows_dispose(struct mib_rows *rows);

/* Order of two rows of a kind. */
int (*mib_compare(enum mib_kind kind))(const void *a, const void *b);

/* The table and column that oid stands in, and where its index begins; NULL: none of ours. */
const struct mib_table *mib_locate(const unsigned long *oid, size_t count,
				   const struct mib_column **column, size_t *index_at);

/* Column of table by its number; NULL where there is none. */
const struct mib_column *mib_column(const struct mib_table *table, uint32_t number);

/*
 * A row's key from the index arcs of an OID: fills the key fields of row (mib_kinds[kind].row_size
 * octets, zeroed here). False where the arcs are no whole valid index.
 */
bool mib_key(enum mib_kind kind, const unsigned long *arcs, size_t count, void *row);

/* The OID of an instance. */
void mib_instance(const struct mib_table *table, uint32_t column, const void *row,
		  struct mib_oid *oid);

/* The value of a column of a row at now_ms (clock_mono_ms()); false: it has none now. */
bool mib_value(const struct mib_column *column, const void *row, int64_t now_ms,
	       struct mib_value *value);

/* The row and value at oid exactly, or false. */
bool mib_get(const struct mib_rows *rows, const unsigned long *oid, size_t count, int64_t now_ms,
	     struct mib_value *value);

/*
 * The first instance after oid in the MIB that oid begins or, with standard/ours, in that module:
 * sets *next and *value. False: nothing follows in the module.
 */
bool mib_next(const struct mib_rows *rows, bool standard, const unsigned long *oid, size_t count,
	      int64_t now_ms, struct mib_oid *next, struct mib_value *value);

#endif
