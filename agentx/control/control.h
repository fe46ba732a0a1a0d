/*
 * Requests by hand in the Dom0, without SNMP: `lauxend --request`. The engine's process listens at
 * "control" in the state directory, for root and for its own user; a request that comes there is
 * one like a manager's: stored before it is accepted, carried out once, a row of lxRequestTable.
 * But where the store cannot be written it is accepted all the same: a host with a full disk has to
 * be able to shut its VMs down. Messages of fixed size over SOCK_SEQPACKET, one of each kind a
 * connection, but for the reports:
 *
 *   client -> engine   struct control_ask
 *   engine -> client   struct control_report, each time the request's state changed, until it ended
 *
 * A client that goes away before the first report takes its request back.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/messages.h"

#define CONTROL_NAME "control" /* in the state directory */
#define CONTROL_VERSION ((uint32_t)(1u << 24 ^ sizeof(struct control_ask) << 12))

struct control_ask {
	uint32_t version;
	uint32_t verb, number;
	char target[VM_NAME_SIZE]; /* name or UUID, "*", "group:NAME" */
};

struct control_report {
	uint32_t version;
	uint32_t state; /* enum request_state; REQUEST_HELD: it was refused */
	char id[REQUEST_ID_SIZE];
	/* Why it was refused, or failed; of one that is accepted, that it is in memory alone. */
	char error[TEXT_SIZE];
};

/* `lauxend --request VERB TARGET [NUMBER] ...`; argv[0] is "--request". Returns the exit status. */
int control_main(int argc, char **argv, const char *default_file);

#endif
