#include <string.h>

#include "tools/vmctl/lib/internal.h"

#define TAG_INTEGER 0x02
#define TAG_OCTETS 0x04
#define TAG_OID 0x06
#define TAG_SEQUENCE 0x30
#define TAG_COUNTER 0x41
#define TAG_GAUGE 0x42
#define TAG_TICKS 0x43
#define TAG_COUNTER64 0x46
#define TAG_RESPONSE 0xa2
#define VERSION_2C 1

/* The contents of the next thing of any tag; false: it is not whole. */
static bool
ber_next(struct ber *from, uint8_t *tag, struct ber *inside)
{
	size_t size, octets;

	if (from->end - from->at < 2)
		return false;
	*tag = from->at[0];
	size = from->at[1];
	from->at += 2;
	if (size & 0x80) {
		octets = size & 0x7f;
		if (octets == 0 || octets > 4 || octets > (size_t)(from->end - from->at))
			return false;
		for (size = 0; octets > 0; octets--)
			size = size << 8 | *from->at++;
	}
	if (size > (size_t)(from->end - from->at))
		return false;
	*inside = (struct ber){from->at, from->at + size};
	from->at += size;
	return true;
}

static bool
ber_take(struct ber *from, uint8_t tag, struct ber *inside)
{
	uint8_t found;

	return ber_next(from, &found, inside) && found == tag;
}

/* Two's complement, as all numbers are; false: it has more than the octets of 64 bits and a sign.
 */
static bool
ber_number(const struct ber *inside, uint64_t *number)
{
	size_t size = (size_t)(inside->end - inside->at);

	if (size == 0 || size > 9 || (size == 9 && inside->at[0] != 0))
		return false;
	*number = inside->at[0] & 0x80 ? ~UINT64_C(0) : 0;
	for (const uint8_t *at = inside->at; at < inside->end; at++)
		*number = *number << 8 | *at;
	return true;
}

static bool
ber_integer(struct ber *from, long *integer)
{
	struct ber inside;
	uint64_t number;

	if (!ber_take(from, TAG_INTEGER, &inside) || !ber_number(&inside, &number) ||
	    (int64_t)number < INT32_MIN || (int64_t)number > INT32_MAX)
		return false;
	*integer = (long)(int64_t)number;
	return true;
}

bool
ber_answer(const uint8_t *data, size_t size, struct ber_head *head)
{
	struct ber all = {data, data + size}, message, community, pdu;
	long version;

	if (!ber_take(&all, TAG_SEQUENCE, &message) || !ber_integer(&message, &version) ||
	    version != VERSION_2C || !ber_take(&message, TAG_OCTETS, &community))
		return false;
	head->pdu = message;
	return ber_take(&message, TAG_RESPONSE, &pdu) && ber_integer(&pdu, &head->id) &&
	       ber_integer(&pdu, &head->status) && ber_integer(&pdu, &head->index) &&
	       ber_take(&pdu, TAG_SEQUENCE, &head->binds) && head->status >= 0 && head->index >= 0;
}

/* Arcs have 32 bits. */
static bool
ber_oid(const struct ber *inside, struct bind *bind)
{
	uint64_t arc = 0;

	bind->count = 0;
	if (inside->at == inside->end || inside->end[-1] & 0x80)
		return false;
	for (const uint8_t *at = inside->at; at < inside->end; at++) {
		arc = arc << 7 | (*at & 0x7f);
		if (arc > UINT32_MAX || bind->count + 1 >= MIB_OID_MAX)
			return false;
		if (*at & 0x80)
			continue;
		if (bind->count == 0) { /* the first two arcs are one number */
			bind->name[bind->count++] = arc < 80 ? (unsigned long)arc / 40 : 2;
			arc -= bind->name[0] * 40;
		}
		bind->name[bind->count++] = (unsigned long)arc;
		arc = 0;
	}
	return true;
}

/* False: it is of no type of ours, or too large for its type. */
static bool
ber_value(uint8_t tag, const struct ber *inside, struct mib_value *value)
{
	size_t size = (size_t)(inside->end - inside->at);
	uint64_t number;

	value->tag = tag;
	if (tag == TAG_OCTETS) {
		if (size > MIB_OCTETS_MAX)
			return false;
		value->size = size;
		memcpy(value->octets, inside->at, size);
		return true;
	}
	if (!ber_number(inside, &number))
		return false;
	switch (tag) {
	case TAG_INTEGER:
		value->integer = (int32_t)number;
		return (int64_t)number == value->integer;
	case TAG_COUNTER:
	case TAG_GAUGE:
	case TAG_TICKS:
		value->number = (uint32_t)number;
		return number <= UINT32_MAX;
	case TAG_COUNTER64:
		value->counter64 = number;
		return true;
	default:
		return false;
	}
}

bool
ber_bind(struct ber *binds, struct bind *bind)
{
	struct ber one, name, value;

	if (!ber_take(binds, TAG_SEQUENCE, &one) || !ber_take(&one, TAG_OID, &name) ||
	    !ber_oid(&name, bind) || !ber_next(&one, &bind->tag, &value))
		return false;
	bind->fits = ber_value(bind->tag, &value, &bind->value);
	return true;
}
