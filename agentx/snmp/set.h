/*
 * SET. The master asks in steps (RFC 2741, section 7.2.4): TestSet checks everything and changes
 * nothing; CommitSet hands the requests to the engine, which keeps them, and waits for its word,
 * 200 ms at most; CleanupSet then has them carried out; UndoSet takes them back.
 */
#ifndef SNMP_SET_H
#define SNMP_SET_H

#include "base/channel.h"
#include "mib/table.h"
#include "snmp/agentx.h"

struct set;

struct set *set_new(const struct mib_rows *rows, struct channel *engine);
void set_free(struct set *set);

/* One step of a SET; fills in errstat and errindex of pdu. */
void set_answer(struct set *set, netsnmp_pdu *pdu);

/* The engine's word on a hold. */
void set_held(struct set *set, uint32_t token, const struct hold_answer *answer);

/* A new engine: says again what became of the last holds, as the old one may have died of not
 * hearing it. */
void set_tell_again(struct set *set);

/* The master is gone in the middle: what is held and may have been acknowledged is carried out. */
void set_abandon(struct set *set);

#endif
