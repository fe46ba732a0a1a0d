/* Values of the MIB into net-snmp's variables. */
#ifndef SNMP_VARIABLE_H
#define SNMP_VARIABLE_H

#include "mib/table.h"
#include "snmp/agentx.h"

/* Gives variable the type and value of value; its name stays. */
void variable_set(netsnmp_variable_list *variable, const struct mib_value *value);

#endif
