/*
 * Events to snmpd, as notifications of LAUXEN-MIB: in order, paced, and each counted as handed over
 * only when snmpd acknowledged it. What was not acknowledged when snmpd went away is sent again
 * when it is back, in the same order.
 */
#ifndef SNMP_NOTIFY_H
#define SNMP_NOTIFY_H

#include "mib/objects.h"
#include "snmp/session.h"

struct notify;

struct notify_handlers {
	/* snmpd has the event with this sequence number; also said of one that came once more. */
	void (*handed)(void *arg, uint32_t sequence);
};

/* rate: notifications a second, at most. */
struct notify *notify_new(struct event_base *base, uint32_t rate,
			  const struct notify_handlers *handlers, void *arg);
void notify_free(struct notify *notify);
void notify_pace(struct notify *notify, uint32_t rate);

/* The session to send by, once it is there. */
void notify_attach(struct notify *notify, struct session *session);

/* Queues an event. One that waits already, or was handed over lately, is not sent again. */
void notify_event(struct notify *notify, const struct mib_event *event);

/* The session's news: it opened; it is lost; snmpd acknowledged. */
void notify_opened(struct notify *notify);
void notify_closed(struct notify *notify);
void notify_acknowledged(struct notify *notify, uint32_t token);

/* The variables of an event's notification; NULL: events of this type make none. */
netsnmp_variable_list *notify_variables(const struct mib_event *event);

#endif
