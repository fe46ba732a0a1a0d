#include "snmp/read.h"

#include "base/clock.h"
#include "base/log.h"
#include "snmp/variable.h"

static void
read_exact(const struct mib_rows *rows, netsnmp_variable_list *variable, int64_t now_ms)
{
	const struct mib_column *column;
	struct mib_value value;
	size_t index_at;

	if (mib_get(rows, variable->name, variable->name_length, now_ms, &value))
		variable_set(variable, &value);
	else if (mib_locate(variable->name, variable->name_length, &column, &index_at))
		snmp_set_var_typed_value(variable, SNMP_NOSUCHINSTANCE, NULL, 0);
	else
		snmp_set_var_typed_value(variable, SNMP_NOSUCHOBJECT, NULL, 0);
}

/* Whether the range of a GETNEXT ends before name: an empty or null end is none. */
static bool
range_ends(const netsnmp_variable_list *variable, const struct mib_oid *name)
{
	size_t count = variable->val_len / sizeof(oid);

	if (count == 0 || (count <= 2 && variable->val.objid[0] == 0))
		return false;
	return snmp_oid_compare(name->arcs, name->count, variable->val.objid, count) >= 0;
}

/* What comes up to VM-MIB's end is asked of it, what comes after is LAUXEN-MIB's. */
static bool
range_standard(const netsnmp_variable_list *variable)
{
	return snmp_oid_ncompare(variable->name, variable->name_length, mib_vm_mib,
				 mib_vm_mib_count, mib_vm_mib_count) <= 0;
}

static void
read_next(const struct mib_rows *rows, netsnmp_variable_list *variable, int64_t now_ms)
{
	struct mib_value value;
	struct mib_oid next;

	if (variable->type == ASN_PRIV_INCL_RANGE &&
	    mib_get(rows, variable->name, variable->name_length, now_ms, &value)) {
		variable_set(variable, &value);
	} else if (mib_next(rows, range_standard(variable), variable->name, variable->name_length,
			    now_ms, &next, &value) &&
		   !range_ends(variable, &next)) {
		snmp_set_var_objid(variable, next.arcs, next.count);
		variable_set(variable, &value);
	} else {
		snmp_set_var_typed_value(variable, SNMP_ENDOFMIBVIEW, NULL, 0);
	}
}

/* net-snmp's master throws away a PDU of more than 65,536 octets without a word, waits for it in
 * vain and then ends the session. */
#define ANSWER_OCTETS 60000

/* As AgentX has it: RFC 2741, sections 5.1 to 5.4. */
static size_t
variable_octets(const netsnmp_variable_list *variable)
{
	size_t octets = 4 + 4 + 4 * variable->name_length;

	switch (variable->type) {
	case SNMP_NOSUCHOBJECT:
	case SNMP_NOSUCHINSTANCE:
	case SNMP_ENDOFMIBVIEW:
		return octets;
	case ASN_COUNTER64:
		return octets + 8;
	case ASN_INTEGER:
	case ASN_UNSIGNED:
	case ASN_COUNTER:
	case ASN_TIMETICKS:
		return octets + 4;
	case ASN_OBJECT_ID:
		return octets + 4 + variable->val_len / sizeof(oid) * 4;
	default:
		return octets + 4 + (variable->val_len + 3) / 4 * 4;
	}
}

#define BULK_RANGES 128 /* of one PDU that are repeated; snmpd sends no more */

/* One more variable of the answer: what follows from in range. */
static netsnmp_variable_list *
bulk_add(const struct mib_rows *rows, netsnmp_variable_list **last,
	 const netsnmp_variable_list *range, const netsnmp_variable_list *from, int64_t now_ms)
{
	u_char type = from == range ? range->type : ASN_PRIV_EXCL_RANGE;
	netsnmp_variable_list *variable = snmp_varlist_add_variable(
	    last, from->name, from->name_length, type, range->val.objid, range->val_len);

	if (!variable)
		fatal("out of memory");
	if (from->type == SNMP_ENDOFMIBVIEW)
		snmp_set_var_typed_value(variable, SNMP_ENDOFMIBVIEW, NULL, 0);
	else
		read_next(rows, variable, now_ms);
	return variable;
}

/* RFC 2741, section 7.2.3.3. net-snmp's master asks by GETNEXT only; others do not. */
static void
read_bulk(const struct mib_rows *rows, netsnmp_pdu *pdu, int64_t now_ms)
{
	netsnmp_variable_list *answer = NULL, **last = &answer;
	const netsnmp_variable_list *ranges[BULK_RANGES], *from[BULK_RANGES];
	const netsnmp_variable_list *range = pdu->variables;
	size_t repeated = 0, octets = 0;

	for (long i = 0; range && i < pdu->non_repeaters; i++, range = range->next_variable)
		last = &bulk_add(rows, last, range, range, now_ms)->next_variable;
	for (; range && repeated < BULK_RANGES; range = range->next_variable)
		ranges[repeated] = from[repeated] = range, repeated++;
	/* As many repetitions as have room, one at least. */
	for (long i = 0; i < pdu->max_repetitions && octets < ANSWER_OCTETS / 2 && repeated > 0;
	     i++)
		for (size_t j = 0; j < repeated; j++) {
			netsnmp_variable_list *next =
			    bulk_add(rows, last, ranges[j], from[j], now_ms);

			octets += variable_octets(next);
			from[j] = next;
			last = &next->next_variable;
		}
	snmp_free_varbind(pdu->variables);
	pdu->variables = answer;
}

static bool
is_too_big(const netsnmp_pdu *pdu)
{
	size_t octets = 0;

	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		octets += variable_octets(v);
	return octets > ANSWER_OCTETS;
}

void
read_answer(const struct mib_rows *rows, netsnmp_pdu *pdu)
{
	int64_t now_ms = clock_mono_ms();

	if (pdu->command == AGENTX_GETBULK)
		read_bulk(rows, pdu, now_ms);
	else
		for (netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
			(pdu->command == AGENTX_GET ? read_exact : read_next)(rows, v, now_ms);
	pdu->errstat = pdu->errindex = 0; /* GETBULK's numbers were kept in them */
	if (!is_too_big(pdu))
		return;
	snmp_free_varbind(pdu->variables);
	pdu->variables = NULL;
	pdu->errstat = SNMP_ERR_TOOBIG;
	pdu->errindex = 1; /* without one net-snmp's master makes genErr of it */
}
