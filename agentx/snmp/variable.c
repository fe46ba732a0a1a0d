#include "snmp/variable.h"

_Static_assert(sizeof(oid) == sizeof(unsigned long), "net-snmp's arcs are ours");

void
variable_set(netsnmp_variable_list *variable, const struct mib_value *value)
{
	struct counter64 counter;

	switch (value->tag) {
	case ASN_OCTET_STR:
		snmp_set_var_typed_value(variable, ASN_OCTET_STR, value->octets, value->size);
		break;
	case ASN_OBJECT_ID:
		snmp_set_var_typed_value(variable, ASN_OBJECT_ID, value->oid,
					 value->size * sizeof(oid));
		break;
	case ASN_COUNTER64:
		counter.high = value->counter64 >> 32;
		counter.low = value->counter64 & UINT32_MAX;
		snmp_set_var_typed_value(variable, ASN_COUNTER64, &counter, sizeof(counter));
		break;
	default:
		snmp_set_var_typed_value(variable, value->tag, &value->number,
					 sizeof(value->number));
	}
}
