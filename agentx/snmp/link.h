/*
 * The way to snmpd: a unix or TCP socket as a transport of net-snmp. net-snmp's own ones wait in
 * connect() for as long as the master's queue is full, which it is once snmpd hangs.
 */
#ifndef SNMP_LINK_H
#define SNMP_LINK_H

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

/* Connects to "unix:PATH" or "tcp:ADDRESS:PORT"; NULL: nobody takes it now, errno says why. */
netsnmp_transport *link_connect(const char *socket);

#endif
