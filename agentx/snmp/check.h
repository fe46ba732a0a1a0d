/*
 * What a SET may ask: every variable of one PDU is checked against the rows, and nothing is
 * changed. The requests that the SET makes come out as wishes.
 */
#ifndef SNMP_CHECK_H
#define SNMP_CHECK_H

#include "mib/table.h"
#include "snmp/agentx.h"

/* A request to the engine. */
struct wish {
	struct hold hold;
	long at; /* the variable to blame where it is refused, from 1 */
	uint32_t token;
};

struct wishes {
	struct wish *list;
	size_t count;
};

/*
 * SNMP_ERR_NOERROR, with wishes made (to free by wishes_clear()); or the error of RFC 3416, section
 * 4.2.5, with *at the variable that is to blame, from 1, and no wishes.
 */
int check_set(const struct mib_rows *rows, const netsnmp_variable_list *variables, int64_t wall_ms,
	      struct wishes *wishes, long *at);
void wishes_clear(struct wishes *wishes);

/* Appends all of from that to does not have (snmpd sends a TestSet again), which is then empty. */
void wishes_move(struct wishes *to, struct wishes *from);

#endif
