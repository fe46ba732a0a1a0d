/*
 * A connection to simxen that blocks: what hv_sim.c asks, and what comes back (protocol.h of
 * simxen). It brings no time limits: whoever calls a driver has one.
 */
#ifndef HYPERVISOR_SIM_CLIENT_H
#define HYPERVISOR_SIM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/simxen/protocol.h"

struct sim_client {
	int fd;
	uint32_t id; /* of the last request */
	struct sx_header header;
	_Alignas(8) uint8_t body[SX_MESSAGE_MAX]; /* of the message that came last */
};

/* Connects and agrees upon the version. NULL with error (TEXT_SIZE octets). */
struct sim_client *sim_client_open(const char *path, char *error);
void sim_client_close(struct sim_client *client);

/* Sends a request. False with error. */
bool sim_client_send(struct sim_client *client, uint16_t type, const void *body, uint32_t length,
		     char *error);

/* Waits for the next message: header and body. False with error: simxen refused or is gone. */
bool sim_client_next(struct sim_client *client, char *error);

/* How many structs of that size the message holds. */
size_t sim_client_count(const struct sim_client *client, size_t size);

/* Whether more has come already. */
bool sim_client_ready(const struct sim_client *client);

/* Copies a text that may lack its end. */
#define SIM_TEXT(to, from) sim_text(to, sizeof(to), from, sizeof(from))
void sim_text(char *to, size_t size, const char *from, size_t room);

#endif
