/*
 * The control socket, SOCKET.ctl beside the hypervisor's: commands of `simxen ctl`. It works
 * whatever is injected into the hypervisor's.
 *
 * A client sends a uint32_t with the number of octets that follow and then the words of one
 * command, each ended by a NUL. It gets one digit, the exit code, and text until the connection
 * ends.
 */
#ifndef SIMXEN_CONTROL_H
#define SIMXEN_CONTROL_H

#include "tools/simxen/host.h"

#define CONTROL_SUFFIX ".ctl"
#define CONTROL_REQUEST_MAX 16384 /* octets of the words */

struct control;

/* Listens at path; NULL, with the reason logged. */
struct control *control_new(struct host *host, const char *path);
void control_free(struct control *control);

#endif
