#include "store/mirror.h"

#include "store/store.h"

void
mirror_init(struct mirror *mirror, size_t events_max)
{
	*mirror = (struct mirror){.events_max = events_max,
				  .counters = {.next_sequence = 1, .next_request = 1}};
	for (int i = 0; i < TABLE_COUNT; i++)
		rowset_init(&mirror->sets[i], table_infos[i].row_size, table_infos[i].compare,
			    false);
}

void
mirror_dispose(struct mirror *mirror)
{
	for (int i = 0; i < TABLE_COUNT; i++)
		rowset_dispose(&mirror->sets[i]);
}

void
mirror_copy(struct mirror *to, const struct mirror *from)
{
	mirror_init(to, from->events_max);
	to->counters = from->counters;
	to->journal = from->journal;
	for (int table = 0; table < TABLE_COUNT; table++)
		for (size_t i = 0; i < from->sets[table].count; i++)
			rowset_put(&to->sets[table], rowset_at(&from->sets[table], i));
}

void
mirror_put(struct mirror *mirror, enum table table, const void *row)
{
	struct rowset *events = &mirror->sets[TABLE_EVENT];

	rowset_put(&mirror->sets[table], row);
	counters_note(&mirror->counters, table, row);
	while (events->count > mirror->events_max)
		rowset_remove(events, rowset_at(events, 0));
}

void
mirror_drop(struct mirror *mirror, enum table table, const void *key)
{
	rowset_remove(&mirror->sets[table], key);
}

void
mirror_forget_events(struct mirror *mirror, uint32_t sequence)
{
	struct rowset *events = &mirror->sets[TABLE_EVENT];
	const struct mib_event *oldest;

	while ((oldest = rowset_at(events, 0)) && oldest->sequence <= sequence)
		rowset_remove(events, oldest);
}

void
counters_note(struct counters *counters, enum table table, const void *row)
{
	if (table == TABLE_EVENT) {
		uint32_t sequence = ((const struct mib_event *)row)->sequence;

		if (sequence >= counters->next_sequence)
			counters->next_sequence = sequence + 1;
	} else if (table == TABLE_REQUEST) {
		uint64_t number = ((const struct store_request *)row)->number;

		if (number >= counters->next_request)
			counters->next_request = number + 1;
	}
}
