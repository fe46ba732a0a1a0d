/*
 * What the measurements' clients share: the clock, a session to an agent that reads no
 * configuration, a request with its answer.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "mib/objects.h"

/* The wall clock, in microseconds, as lauxend's log and all clients here have it. */
static inline int64_t
client_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static inline void
client_init(const char *name)
{
	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_disable_stderrlog();
	init_snmp(name);
	setvbuf(stdout, NULL, _IOLBF, 0);
}

/* Requests are never repeated by the library: who measures wants to know. */
static inline netsnmp_session *
client_open(char *address, char *community, long timeout_ms)
{
	netsnmp_session template, *session;

	snmp_sess_init(&template);
	template.version = SNMP_VERSION_2c;
	template.peername = address;
	template.community = (u_char *)community;
	template.community_len = strlen(community);
	template.timeout = timeout_ms * 1000;
	template.retries = 0;
	session = snmp_open(&template);
	if (!session) {
		fprintf(stderr, "%s cannot be reached\n", address);
		exit(2);
	}
	return session;
}

/* An OID below LAUXEN-MIB's root. */
struct client_oid {
	size_t count;
	oid arcs[MAX_OID_LEN];
};

static inline struct client_oid
client_oid(const oid *arcs, size_t count)
{
	struct client_oid name = {.count = mib_root_count + count};

	memcpy(name.arcs, mib_root, mib_root_count * sizeof(oid));
	memcpy(name.arcs + mib_root_count, arcs, count * sizeof(oid));
	return name;
}
#define CLIENT_OID(...)                                                                            \
	client_oid((const oid[]){__VA_ARGS__}, sizeof((const oid[]){__VA_ARGS__}) / sizeof(oid))

/* Sends pdu, which is gone then; the answer is to be freed. NULL: none came in time. */
static inline netsnmp_pdu *
client_ask(netsnmp_session *session, netsnmp_pdu *pdu)
{
	netsnmp_pdu *answer = NULL;

	if (snmp_synch_response(session, pdu, &answer) == STAT_SUCCESS)
		return answer;
	snmp_free_pdu(answer);
	return NULL;
}

/* GET of one integer; -1: no answer, or no such instance. */
static inline long
client_get_integer(netsnmp_session *session, const struct client_oid *name)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET), *answer;
	long value = -1;

	snmp_add_null_var(pdu, name->arcs, name->count);
	answer = client_ask(session, pdu);
	if (answer && answer->errstat == SNMP_ERR_NOERROR && answer->variables &&
	    answer->variables->type < ASN_CONTEXT && answer->variables->val.integer)
		value = *answer->variables->val.integer;
	snmp_free_pdu(answer);
	return value;
}

#endif
