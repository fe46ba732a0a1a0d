/*
 * What the services of the simulated VMs say: a line of greeting on most TCP ports, an answer to
 * a request on TCP ports 80 and 8080, an answer to each datagram on UDP ports: DNS on 53, NTP on
 * 123, else a line. Pure: octets in, octets out.
 */
#ifndef SIMXEN_TALK_H
#define SIMXEN_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/simxen/vmdef.h"

#define TALK_MAX 1024 /* octets of an answer, at most */

/* True where the client of that TCP port speaks first. */
bool talk_waits(uint16_t port);

/* What the server says first ("simxen www 22\r\n"). Returns its length. */
size_t talk_greet(const struct vmdef *def, uint16_t port, char out[static TALK_MAX]);

/* The answer to what a client of talk_waits(port) said; 0: nothing yet. Then it hangs up. */
size_t talk_answer(const struct vmdef *def, const char *in, size_t length,
		   char out[static TALK_MAX]);

/* The answer to one datagram, never empty. */
size_t talk_datagram(const struct vmdef *def, uint16_t port, const uint8_t *in, size_t length,
		     uint8_t out[static TALK_MAX]);

#endif
