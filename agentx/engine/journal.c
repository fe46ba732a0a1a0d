#include "engine/journal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"

#define WINDOW 32 /* notifications in the agentx process that are not acknowledged */

struct pending {
	STAILQ_ENTRY(pending) next;
	struct mib_event event;
};

struct journal {
	struct rowset *rows;
	struct channel *agentx;
	struct store *store;
	uint32_t size;
	uint32_t handed;	 /* all up to here are acknowledged, or make no notification */
	uint32_t sent;		 /* all up to here are with agentx */
	uint32_t window[WINDOW]; /* those that agentx has, oldest first; some may have left rows */
	uint32_t in_window;
	uint32_t handed_count, lost_count, lost_new;
	STAILQ_HEAD(, pending) unstored;
};

struct journal *
journal_new(struct rowset *rows, struct channel *agentx, uint32_t size,
	    const struct store_content *content)
{
	struct journal *journal = mem_alloc(sizeof(*journal));

	journal->rows = rows;
	journal->agentx = agentx;
	journal->size = size;
	journal->handed = journal->sent = content->handed;
	STAILQ_INIT(&journal->unstored);
	for (size_t i = 0; i < content->events_count; i++)
		rowset_put(rows, &content->events[i]);
	return journal;
}

void
journal_free(struct journal *journal)
{
	struct pending *pending;

	while ((pending = STAILQ_FIRST(&journal->unstored))) {
		STAILQ_REMOVE_HEAD(&journal->unstored, next);
		free(pending);
	}
	free(journal);
}

void
journal_open(struct journal *journal, struct store *store)
{
	journal->store = store;
}

/* The first event after sequence, or NULL. */
static const struct mib_event *
journal_after(const struct journal *journal, uint32_t sequence)
{
	struct mib_event key = {.sequence = sequence + 1};

	return rowset_at(journal->rows, rowset_seek(journal->rows, &key));
}

static void
journal_hand_over(struct journal *journal)
{
	const struct mib_event *event;

	while (channel_attached(journal->agentx) && journal->in_window < WINDOW &&
	       (event = journal_after(journal, journal->sent))) {
		journal->sent = event->sequence;
		if (event->type < EVENT_JOURNAL_ONLY) {
			channel_send(journal->agentx, MSG_NOTIFY, 0, event, sizeof(*event));
			journal->window[journal->in_window++] = event->sequence;
		} else if (journal->in_window == 0) {
			journal->handed = event->sequence;
		}
	}
}

static void
journal_lose(struct journal *journal)
{
	journal->lost_count++;
	journal->lost_new++;
}

/* What agentx has is not lost as long as agentx lives. */
static void
journal_trim(struct journal *journal)
{
	while (journal->rows->count > journal->size) {
		const struct mib_event *event = rowset_at(journal->rows, 0);

		if (event->sequence > journal->sent && event->type < EVENT_JOURNAL_ONLY)
			journal_lose(journal);
		rowset_remove(journal->rows, event);
	}
}

static void
journal_show(struct journal *journal, struct pending *pending)
{
	STAILQ_REMOVE_HEAD(&journal->unstored, next);
	rowset_put(journal->rows, &pending->event);
	channel_offer(journal->agentx);
	free(pending);
	journal_trim(journal);
	journal_hand_over(journal);
}

/* Stored, or the store is degraded and memory is all there is: shown and handed over either way.
 * What is older goes along: a store that turns to memory settles what waits ahead of what the
 * writer has in hand. */
static void
journal_stored(void *arg, uint64_t tag, bool durable)
{
	struct journal *journal = arg;
	struct pending *pending;

	(void)durable;
	while ((pending = STAILQ_FIRST(&journal->unstored)) && pending->event.sequence <= tag)
		journal_show(journal, pending);
}

void
journal_append(struct journal *journal, const struct mib_event *event)
{
	struct pending *pending = mem_alloc(sizeof(*pending));

	pending->event = *event;
	STAILQ_INSERT_TAIL(&journal->unstored, pending, next);
	store_append_event(journal->store, event, journal_stored, journal, event->sequence);
}

void
journal_handed(struct journal *journal, uint32_t sequence)
{
	uint32_t count = 0;

	if (sequence <= journal->handed || sequence > journal->sent)
		return;
	while (count < journal->in_window && journal->window[count] <= sequence)
		count++;
	journal->in_window -= count;
	memmove(journal->window, journal->window + count,
		journal->in_window * sizeof(journal->window[0]));
	journal->handed_count += count;
	journal->handed = sequence;
	store_put_handed(journal->store, sequence);
	journal_hand_over(journal);
}

void
journal_restart(struct journal *journal)
{
	for (uint32_t i = 0; i < journal->in_window; i++) {
		const struct mib_event key = {.sequence = journal->window[i]};

		if (!rowset_find(journal->rows, &key))
			journal_lose(journal);
	}
	journal->sent = journal->handed;
	journal->in_window = 0;
	journal_hand_over(journal);
}

void
journal_fill_agent(const struct journal *journal, struct mib_agent *row)
{
	const struct mib_event *first = rowset_at(journal->rows, 0);
	const struct mib_event *last =
	    journal->rows->count ? rowset_at(journal->rows, journal->rows->count - 1) : NULL;

	row->journal_first = first ? first->sequence : 0;
	row->journal_last = last ? last->sequence : 0;
	row->handed = journal->handed_count;
	row->lost = journal->lost_count;
	row->waiting = 0;
	for (const struct mib_event *event = journal_after(journal, journal->handed); event;
	     event = journal_after(journal, event->sequence))
		row->waiting += event->type < EVENT_JOURNAL_ONLY;
}

uint32_t
journal_take_lost(struct journal *journal)
{
	uint32_t lost = journal->lost_new;

	if (journal->in_window > 0 || journal_after(journal, journal->sent))
		return 0;
	journal->lost_new = 0;
	return lost;
}
