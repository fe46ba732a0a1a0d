/*
 * The answers to SX_LIST and SX_SAMPLE: the model at this moment in the structs of protocol.h, in
 * messages of at most SX_MESSAGE_MAX octets, appended to a buffer.
 */
#ifndef SIMXEN_SNAPSHOT_H
#define SIMXEN_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "tools/simxen/model.h"

struct evbuffer;

struct snapshot_options {
	bool figures; /* vCPUs and devices too */
	bool names;   /* without: no name and no meminfo, as without xenstore */
	bool empty;   /* no domain at all, not even Domain-0 */
};

/* Answers request id: SX_HOST ... SX_END. */
void snapshot_write(const struct model *m, uint32_t id, const struct snapshot_options *options,
		    struct evbuffer *to);

/* Flags of d (enum sx_flags). */
uint32_t snapshot_flags(const struct domain *d);

/* CPU time of all vCPUs. */
uint64_t snapshot_cpu_ns(const struct domain *d);

/* Appends one message. */
void snapshot_message(struct evbuffer *to, uint16_t type, uint32_t id, const void *body,
		      uint32_t length);

#endif
