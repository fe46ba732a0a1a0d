/* GET, GETNEXT and GETBULK, answered from the rows. */
#ifndef SNMP_READ_H
#define SNMP_READ_H

#include "mib/table.h"
#include "snmp/agentx.h"

/* Puts names and values in place of the ranges that pdu asks for. */
void read_answer(const struct mib_rows *rows, netsnmp_pdu *pdu);

#endif
