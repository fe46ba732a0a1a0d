/*
 * Requests back to back, one varbind each, and how long each took: lines "SENT_US TOOK_US".
 *
 * usage: load get ADDRESS SECONDS VMS SEED   GETs of lxVmState of random VMs
 *        load set ADDRESS FIRST LAST GAP_MS  pause requests, one for each of these VMs
 * Ends with 1 where an answer did not come within 5 s, or was not what was asked for.
 */
#include <stdio.h>

#include <poll.h>

#include "tests/bench/client.h"

#define ANSWER_MS 5000

static bool
exchange(netsnmp_session *session, netsnmp_pdu *pdu)
{
	int64_t sent_us = client_now_us(), took_us;
	netsnmp_pdu *answer = client_ask(session, pdu);
	long error;

	took_us = client_now_us() - sent_us;
	if (!answer) {
		fprintf(stderr, "no answer within %d ms\n", ANSWER_MS);
		return false;
	}
	error = answer->errstat;
	if (error == SNMP_ERR_NOERROR && answer->variables->type >= SNMP_NOSUCHOBJECT)
		error = SNMP_ERR_NOSUCHNAME;
	snmp_free_pdu(answer);
	if (error != SNMP_ERR_NOERROR) {
		fprintf(stderr, "the answer is %s\n", snmp_errstring((int)error));
		return false;
	}
	printf("%lld %lld\n", (long long)sent_us, (long long)took_us);
	return true;
}

static int
load_get(char *address, int64_t seconds, long vms, unsigned seed)
{
	netsnmp_session *session = client_open(address, "public", ANSWER_MS);
	int64_t end_us = client_now_us() + seconds * 1000000;

	srandom(seed);
	while (client_now_us() < end_us) {
		struct client_oid name =
		    CLIENT_OID(1, 4, 1, 5, (oid)(random() % vms) + 1); /* lxVmState */
		netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

		snmp_add_null_var(pdu, name.arcs, name.count);
		if (!exchange(session, pdu))
			return 1;
	}
	return 0;
}

static int
load_set(char *address, oid first, oid last, int gap_ms)
{
	netsnmp_session *session = client_open(address, "private", ANSWER_MS);
	long verb = VERB_PAUSE;

	for (oid vm = first; vm <= last; vm++) {
		struct client_oid name = CLIENT_OID(2, 1, 1, 1, vm); /* lxVmRequest */
		netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_SET);

		snmp_pdu_add_variable(pdu, name.arcs, name.count, ASN_INTEGER, &verb, sizeof(verb));
		if (!exchange(session, pdu))
			return 1;
		poll(NULL, 0, gap_ms);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	client_init("load");
	setvbuf(stdout, NULL, _IOFBF, 1 << 16);
	if (argc == 6 && strcmp(argv[1], "get") == 0)
		return load_get(argv[2], atoi(argv[3]), atol(argv[4]), (unsigned)atol(argv[5]));
	if (argc == 6 && strcmp(argv[1], "set") == 0)
		return load_set(argv[2], (oid)atol(argv[3]), (oid)atol(argv[4]), atoi(argv[5]));
	fprintf(stderr,
		"usage: %s get ADDRESS SECONDS VMS SEED\n"
		"       %s set ADDRESS FIRST LAST GAP_MS\n",
		argv[0], argv[0]);
	return 2;
}
