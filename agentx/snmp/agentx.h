/*
 * AgentX (RFC 2741) as net-snmp speaks it. net-snmp's codec and its PDU types are exported by
 * libnetsnmpagent, yet their header is not installed; here is what we use of it.
 */
#ifndef SNMP_AGENTX_H
#define SNMP_AGENTX_H

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#define AGENTX_VERSION (192 | 1) /* what net-snmp calls AgentX version 1 */

enum agentx_pdu { /* RFC 2741, section 6.1 */
		  AGENTX_OPEN = 1,
		  AGENTX_CLOSE = 2,
		  AGENTX_REGISTER = 3,
		  AGENTX_GET = 5,
		  AGENTX_GETNEXT = 6,
		  AGENTX_GETBULK = 7,
		  AGENTX_TESTSET = 8,
		  AGENTX_COMMITSET = 9,
		  AGENTX_UNDOSET = 10,
		  AGENTX_CLEANUPSET = 11,
		  AGENTX_NOTIFY = 12,
		  AGENTX_PING = 13,
		  AGENTX_ADD_CAPS = 16,
		  AGENTX_RESPONSE = 18,
};

#define AGENTX_NETWORK_BYTE_ORDER 0x10 /* of the header's flags */
#define AGENTX_PRIORITY 127	       /* the default of section 6.2.3 */

int agentx_parse(netsnmp_session *session, netsnmp_pdu *pdu, u_char *data, size_t size);
int agentx_realloc_build(netsnmp_session *session, netsnmp_pdu *pdu, u_char **data, size_t *size,
			 size_t *used);
int agentx_check_packet(u_char *data, size_t size);

#endif
