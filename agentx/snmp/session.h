/*
 * The AgentX session with snmpd: opens it, registers our two subtrees, keeps it alive, opens it
 * again whenever it was lost. Nothing in here waits: every request to snmpd is answered by a
 * callback, so that a hung snmpd stalls nobody.
 *
 * It uses net-snmp's sessions and AgentX codec and answers the PDUs itself: the subagent part of
 * libnetsnmpagent waits for each answer of the master, copies every PDU three times through a pipe
 * of its own, and does not say when a registration failed.
 */
#ifndef SNMP_SESSION_H
#define SNMP_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "snmp/agentx.h"

struct session;
struct event_base;

struct session_handlers {
	/* Makes the answer of a request of the master's in pdu: variables, errstat, errindex. */
	void (*answer)(void *arg, netsnmp_pdu *pdu);
	/* Registered: requests may come, notifications may go. */
	void (*opened)(void *arg);
	/* Lost, after opened. No notification that was not answered will be. */
	void (*closed)(void *arg);
	/* snmpd answered the notification that was sent with token. */
	void (*notified)(void *arg, uint32_t token);
};

/* A session with the master at socket ("unix:PATH", "tcp:HOST:PORT"; copied). */
struct session *session_new(struct event_base *base, const char *socket,
			    const struct session_handlers *handlers, void *arg);
void session_free(struct session *session);

/* Another socket from now on; nothing where it is the same. */
void session_move(struct session *session, const char *socket);

bool session_is_open(const struct session *session);

/* Sends a notification, whose variables it takes over; false where the session is not open. */
bool session_notify(struct session *session, netsnmp_variable_list *variables, uint32_t token);

#endif
