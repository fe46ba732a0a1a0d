/*
 * The journal on its way: an event is stored, then shown and handed to the agentx process, in order
 * and at most a window of them at once, until snmpd acknowledged it. What was not acknowledged goes
 * again to the next agentx process.
 */
#ifndef ENGINE_JOURNAL_H
#define ENGINE_JOURNAL_H

#include "base/channel.h"
#include "base/rowset.h"
#include "store/store.h"

struct journal;

/* rows: the set of KIND_EVENT, filled here; size: events kept. All are the caller's. */
struct journal *journal_new(struct rowset *rows, struct channel *agentx, uint32_t size,
			    const struct store_content *content);
void journal_free(struct journal *journal);

/* Once, before the first append. */
void journal_open(struct journal *journal, struct store *store);

void journal_append(struct journal *journal, const struct mib_event *event);

/* snmpd acknowledged all up to sequence. */
void journal_handed(struct journal *journal, uint32_t sequence);

/* A new agentx process: hands over again what was not acknowledged. */
void journal_restart(struct journal *journal);

/* Fills journal_first, journal_last, handed, waiting, lost. */
void journal_fill_agent(const struct journal *journal, struct mib_agent *row);

/* Events that fell out of the journal before snmpd had them, since this last said so; 0 until snmpd
 * has all that is left: told earlier, each such event would push out another. */
uint32_t journal_take_lost(struct journal *journal);

#endif
