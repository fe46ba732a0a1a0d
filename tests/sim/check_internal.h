/* What the files of the rules share. */
#ifndef SIM_CHECK_INTERNAL_H
#define SIM_CHECK_INTERNAL_H

#include "tests/sim/check.h"

/* A request that a manager was told to be accepted, or that ended. */
struct asked {
	char id[REQUEST_ID_SIZE];
	uint32_t verb;
	char vm[VM_NAME_SIZE];
	int64_t accepted_ms;
	bool accepted;
	unsigned ends; /* requestFinished events on disk */
	int state;     /* of the row on disk, the last */
	uint64_t number;
	bool removed; /* by a manager */
};

/* Of one VM of the world. */
struct watched {
	struct vm_truth *vm;
	uint64_t action; /* that the engine sent, and that has not ended for it */
};

struct counted {
	uint32_t verb;
	char vm[VM_NAME_SIZE];
	unsigned count;
};

struct check {
	bool failed;
	char rule[24], text[256];

	/* requests */
	struct asked *asked;
	size_t asked_count;
	struct {
		uint32_t token;
		char id[REQUEST_ID_SIZE];
	} held[16];
	size_t held_next;
	uint64_t *begun; /* ids of actions whose helper began */
	size_t begun_count;

	/* events */
	uint32_t next_sequence; /* of the effects */
	uint32_t on_disk;	/* the last sequence number that is on disk */
	bool may_jump;		/* numbers were reserved */
	uint8_t *notified;	/* by sequence number: 1 an event, 2 one that is notified */
	size_t notified_size;
	uint32_t handed; /* the last that snmpd acknowledged */
	bool may_repeat; /* agentx or the engine began anew */

	/* rows */
	struct watched *watched;
	size_t watched_count;
	int64_t states_ms, figures_ms; /* when the passes began that the engine heard of last */
	bool states_told, figures_ok;

	struct counted *counted;
	size_t counted_count;
};

void requests_effect(struct world *world, const struct effect *effect);
void requests_durable(struct world *world, int table, const void *row);
void requests_rest(struct world *world);

void events_effect(struct world *world, const struct effect *effect);
void events_durable(struct world *world, const struct mib_event *event);
void events_born(struct world *world, const struct store_content *content);

void rows_sampled(struct world *world);
void rows_told(struct world *world, const struct message *message);

struct watched *watched_of(const struct world *world, const char *name);

#endif
