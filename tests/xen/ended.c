/*
 * ended DOMID ADDRESS: waits in a Dom0 until that domain runs no more (it is gone, dying or shut
 * down), and at once sends a notification of its own there, which carries the domain's number: so
 * what another program notifies of the same end is timed by one clock, that of who receives both.
 */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <xenctrl.h>

enum { POLL_US = 500, LIMIT_S = 300 };

static const oid uptime_oid[] = {1, 3, 6, 1, 2, 1, 1, 3, 0};
static const oid trap_oid[] = {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0};
/* of the arc for experiments, below NET-SNMP-MIB */
static const oid ended_oid[] = {1, 3, 6, 1, 4, 1, 8072, 9999, 9999, 1};

/* Of a crash libxenctrl says crashed, and not shutdown. */
static bool
runs(xc_interface *xc, uint32_t domid)
{
	xc_dominfo_t info;

	return xc_domain_getinfo(xc, domid, 1, &info) == 1 && info.domid == domid && !info.dying &&
	       !info.shutdown && !info.crashed;
}

static netsnmp_session *
open_sink(char *address)
{
	netsnmp_session session;

	snmp_sess_init(&session);
	session.version = SNMP_VERSION_2c;
	session.peername = address;
	session.community = (u_char *)"look";
	session.community_len = 4;
	return snmp_add(&session, netsnmp_transport_open_client("snmptrap", address), NULL, NULL);
}

static netsnmp_pdu *
notification(long domid)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_TRAP2);
	u_long uptime = 0;

	snmp_pdu_add_variable(pdu, uptime_oid, OID_LENGTH(uptime_oid), ASN_TIMETICKS, &uptime,
			      sizeof(uptime));
	snmp_pdu_add_variable(pdu, trap_oid, OID_LENGTH(trap_oid), ASN_OBJECT_ID, ended_oid,
			      sizeof(ended_oid));
	snmp_pdu_add_variable(pdu, ended_oid, OID_LENGTH(ended_oid), ASN_INTEGER, &domid,
			      sizeof(domid));
	return pdu;
}

int
main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = POLL_US * 1000};
	xc_interface *xc = xc_interface_open(NULL, NULL, 0);
	netsnmp_session *sink;
	long domid, left = LIMIT_S * (1000000L / POLL_US);

	if (argc != 3 || !xc)
		return 2;
	domid = atol(argv[1]);
	snmp_disable_log();
	init_snmp("ended");
	sink = open_sink(argv[2]);
	if (!sink || !runs(xc, (uint32_t)domid))
		return 1;
	while (runs(xc, (uint32_t)domid) && --left > 0)
		nanosleep(&pause, NULL);
	if (left == 0 || !snmp_send(sink, notification(domid)))
		return 1;
	snmp_close(sink);
	xc_interface_close(xc);
	return 0;
}
