/*
 * Where notifications arrive: a line for each of LAUXEN-MIB's, "CAME_US TYPE SEQUENCE VM STATE",
 * with the number of the event's type, and - where it has no VM or state.
 *
 * usage: sink PORT
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/select.h>

#include "tests/bench/client.h"

#define RECEIVE_BUFFER (4 << 20) /* octets: a burst must not be lost here */

struct heard {
	unsigned long type, sequence;
	char vm[VM_NAME_SIZE];
	long state;
};

/* The arcs of v's name behind the root and these; NULL: another object. */
static const oid *
below(const oid *name, size_t count, const oid *arcs, size_t arcs_count)
{
	if (count <= mib_root_count + arcs_count ||
	    memcmp(name, mib_root, mib_root_count * sizeof(oid)) != 0 ||
	    memcmp(name + mib_root_count, arcs, arcs_count * sizeof(oid)) != 0)
		return NULL;
	return name + mib_root_count + arcs_count;
}

static void
hear(struct heard *heard, const netsnmp_variable_list *v)
{
	static const oid notifications[] = {0}, vm[] = {1, 4, 1}, event[] = {1, 7, 1};
	const oid *rest;

	if (v->type == ASN_OBJECT_ID) {
		rest = below(v->val.objid, v->val_len / sizeof(oid), notifications, 1);
		heard->type = rest ? rest[0] : 0;
	} else if ((rest = below(v->name, v->name_length, event, 3))) {
		heard->sequence = v->name[v->name_length - 1];
	} else if ((rest = below(v->name, v->name_length, vm, 3))) {
		if (rest[0] == 2 && v->type == ASN_OCTET_STR && v->val_len < sizeof(heard->vm))
			memcpy(heard->vm, v->val.string, v->val_len);
		if (rest[0] == 5 && v->type == ASN_INTEGER)
			heard->state = *v->val.integer;
	}
}

static int
received(int operation, netsnmp_session *session, int id, netsnmp_pdu *pdu, void *arg)
{
	struct heard heard = {.type = 0};
	int64_t now_us = client_now_us();
	char state[24] = "-";

	(void)session, (void)id, (void)arg;
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || pdu->command != SNMP_MSG_TRAP2)
		return 1;
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		hear(&heard, v);
	if (heard.type == 0)
		return 1;
	if (heard.state)
		snprintf(state, sizeof(state), "%ld", heard.state);
	printf("%" PRId64 " %lu %lu %s %s\n", now_us, heard.type, heard.sequence,
	       *heard.vm ? heard.vm : "-", state);
	return 1;
}

static void
listen_at(const char *port)
{
	netsnmp_transport *transport;
	netsnmp_session session;
	char address[64];

	netsnmp_ds_set_int(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_SERVERRECVBUF, RECEIVE_BUFFER);
	snprintf(address, sizeof(address), "udp:127.0.0.1:%s", port);
	transport = netsnmp_transport_open_server("snmptrap", address);
	snmp_sess_init(&session);
	session.peername = SNMP_DEFAULT_PEERNAME;
	session.version = SNMP_DEFAULT_VERSION;
	session.community_len = SNMP_DEFAULT_COMMUNITY_LEN;
	session.callback = received;
	session.isAuthoritative = SNMP_SESS_UNKNOWNAUTH;
	if (!transport || !snmp_add(&session, transport, NULL, NULL)) {
		fprintf(stderr, "cannot listen at %s\n", address);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s PORT\n", argv[0]);
		return 2;
	}
	client_init("sink");
	listen_at(argv[1]);
	for (;;) {
		int count = 0, block = 1;
		struct timeval wait;
		fd_set readable;

		FD_ZERO(&readable);
		snmp_select_info(&count, &readable, &wait, &block);
		if (select(count, &readable, NULL, NULL, block ? NULL : &wait) > 0)
			snmp_read(&readable);
	}
}
