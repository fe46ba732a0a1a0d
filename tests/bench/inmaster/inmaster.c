/*
 * The peer that [walk] is measured against: 1,000 VMs' rows served inside snmpd (dlmod), by one
 * handler at the root over the same sorted rows and the same mib/table.c.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/agent/net-snmp-agent-includes.h>

#include "mib/table.h"
#include "snmp/variable.h"
#include "tests/system/rows.h"

#define VMS 1000

__attribute__((visibility("default"))) void init_inmaster(void);

static struct mib_rows rows;

static int
inmaster_handle(netsnmp_mib_handler *handler, netsnmp_handler_registration *registration,
		netsnmp_agent_request_info *info, netsnmp_request_info *requests)
{
	int64_t now_ms = clock_mono_ms();

	(void)handler, (void)registration;
	for (netsnmp_request_info *request = requests; request; request = request->next) {
		netsnmp_variable_list *variable = request->requestvb;
		struct mib_value value;
		struct mib_oid next;

		if (info->mode == MODE_GETNEXT &&
		    mib_next(&rows, false, variable->name, variable->name_length, now_ms, &next,
			     &value)) {
			snmp_set_var_objid(variable, next.arcs, next.count);
			variable_set(variable, &value);
		} else if (info->mode == MODE_GET &&
			   mib_get(&rows, variable->name, variable->name_length, now_ms, &value)) {
			variable_set(variable, &value);
		}
	}
	return SNMP_ERR_NOERROR;
}

void
init_inmaster(void)
{
	static oid root[] = {MIB_ROOT};

	mib_rows_init(&rows, false);
	for (uint32_t i = 1; i <= VMS; i++) {
		struct mib_vm vm;

		make_vm(i, VM_RUNNING, INT64_C(1790000000000), &vm);
		rowset_put(&rows.sets[KIND_VM], &vm);
	}
	netsnmp_register_handler(netsnmp_create_handler_registration(
	    "inmaster", inmaster_handle, root, OID_LENGTH(root), HANDLER_CAN_RONLY));
}
