/*
 * What the workers found, as the hypervisor process keeps it for the engine: a rowset for each type
 * of fact, compared row by row with what was known, and the samples that end a pass. Pure: no
 * clock, no I/O.
 *
 * A regular pass replaces the rows that differ at all. Of an urgent one (of the states, after the
 * watch saw something) only those domains are passed on that are new, gone or whose UUID, state
 * flags or reason differ: their times and figures wait for the next regular pass. Rows are removed
 * only by a pass that came to its end and was ok.
 */
#ifndef HYPERVISOR_FACTS_H
#define HYPERVISOR_FACTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/channel.h"
#include "base/messages.h"
#include "base/rowset.h"

#define FACTS_TYPES 6
#define FACTS_SAMPLES 2

struct facts_sample {
	struct fact_sample sample;
	bool known; /* there was one */
	bool waits; /* to be passed on, after the rows of its pass */
};

struct facts {
	struct rowset sets[FACTS_TYPES];
	struct facts_sample samples[FACTS_SAMPLES]; /* the newest of each kind */
	bool urgent;				    /* the states pass that runs */
	bool domain0;				    /* it delivered Domain-0 */
};

void facts_init(struct facts *facts);
void facts_dispose(struct facts *facts);

/* A pass begins. One of each kind at a time. */
void facts_begin(struct facts *facts, enum sample_kind kind, bool urgent);

/* One or more rows of a type, in one block of size octets; false: not whole rows of kind's types.
 */
bool facts_put(struct facts *facts, enum sample_kind kind, int type, const void *rows, size_t size);

/* The pass ended. Turns a states sample without Domain-0 into a failed one; returns sample's ok. */
bool facts_end(struct facts *facts, struct fact_sample *sample);

/* Fills message with the next row or sample for the engine; false: nothing waits. */
bool facts_pull(struct facts *facts, struct message *message);

/* A new engine, which has nothing. */
void facts_resend(struct facts *facts);

#endif
