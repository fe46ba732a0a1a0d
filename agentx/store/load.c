/* The start: what the database holds, or what to do without it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/writer.h"

#define RESERVE 1000000 /* numbers; none are given out faster between two attempts to heal */

uint64_t
journal_random(void)
{
	uint64_t journal = 0;

	while (journal == 0) {
		if (getrandom(&journal, sizeof(journal), 0) != sizeof(journal))
			fatal("the kernel gives no random octets");
		journal &= INT64_MAX;
	}
	return journal;
}

struct counters
counters_reserve(const struct counters *counters)
{
	return (struct counters){.next_sequence = counters->next_sequence + RESERVE,
				 .handed = counters->handed,
				 .next_request = counters->next_request + RESERVE};
}

static void
content_free(struct store_content *content)
{
	free(content->vms);
	free(content->requests);
	free(content->events);
	free(content->services);
	*content = (struct store_content){0};
}

static enum database_rc
load_try(struct store *store, enum database_mode mode, struct store_content *content)
{
	struct database *database = &store->database;
	enum database_rc rc = database_open(database, mode, store->mirror.journal);

	if (rc != DATABASE_OK)
		return rc;
	rc = database_read(database, content);
	if (rc == DATABASE_OK)
		return rc;
	content_free(content);
	database_close(database, rc == DATABASE_BROKEN);
	return rc;
}

/* A store that cannot be written now can often be read; error stays that of the usual way. */
static bool
load_only_read(struct store *store, struct store_content *content)
{
	char error[ERROR_SIZE];
	bool ok = false;

	memcpy(error, store->database.error, sizeof(error));
	for (int mode = MODE_USUAL + 1; mode < MODE_COUNT && !ok; mode++)
		ok = load_try(store, mode, content) == DATABASE_OK;
	database_close(&store->database, true);
	memcpy(store->database.error, error, sizeof(error));
	return ok;
}

/* Marks the store as in use, which shows whether it can be written. */
static enum database_rc
load_take(struct store *store)
{
	enum database_rc rc = database_begin(&store->database);

	store->database.clean = true; /* so that something is written even after an unclean end */
	if (rc == DATABASE_OK)
		rc = database_commit(&store->database, &store->mirror.counters, false);
	if (rc != DATABASE_OK)
		database_close(&store->database, rc == DATABASE_BROKEN);
	return rc;
}

/* What was read becomes what must be there. */
static void
load_mirror(struct store *store, const struct store_content *content)
{
	struct mirror *mirror = &store->mirror;
	struct counters reserved;

	for (size_t i = 0; i < content->vms_count; i++)
		mirror_put(mirror, TABLE_VM, &content->vms[i]);
	for (size_t i = 0; i < content->requests_count; i++)
		mirror_put(mirror, TABLE_REQUEST, &content->requests[i]);
	for (size_t i = 0; i < content->services_count; i++)
		mirror_put(mirror, TABLE_SERVICE, &content->services[i]);
	mirror->counters = store->database.counters;
	mirror->journal = store->database.journal;
	store->established = true;
	if (store->database.fresh || !files_marked(&store->database.files, &reserved))
		return;
	log_warn("store: the last lauxend ended with events that it could not write: numbers go on"
		 " from %" PRIu32,
		 reserved.next_sequence);
	if (reserved.next_sequence > mirror->counters.next_sequence)
		mirror->counters.next_sequence = reserved.next_sequence;
	if (reserved.next_request > mirror->counters.next_request)
		mirror->counters.next_request = reserved.next_request;
}

static void
load_degrade(struct store *store)
{
	struct counters reserved = counters_reserve(&store->mirror.counters);

	store->in_memory = true;
	store->retry_ms = clock_mono_ms() + RETRY_MS;
	snprintf(store->error, ERROR_SIZE, "%s", store->database.error);
	if (store->established)
		files_mark(&store->database.files, &reserved);
}

void
store_load(struct store *store, struct store_content *content)
{
	struct database *database = &store->database;
	enum database_rc rc;
	bool rescued = false, read;

	*content = (struct store_content){0};
	store->mirror.journal = journal_random();
	rc = load_try(store, MODE_USUAL, content);
	if (rc == DATABASE_BROKEN) {
		rc = database_put_aside(database);
		rescued = rc == DATABASE_OK;
		if (rescued)
			rc = load_try(store, MODE_USUAL, content);
	}
	read = rc == DATABASE_OK || (rc == DATABASE_UNAVAILABLE && load_only_read(store, content));
	content->fresh = !read || database->fresh;
	content->rescued = rescued;
	if (read)
		load_mirror(store, content);
	if (rc == DATABASE_OK)
		rc = load_take(store);
	if (rc != DATABASE_OK)
		load_degrade(store);
	else
		files_mark(&database->files, NULL);
	content->journal = store->mirror.journal;
	content->next_sequence = store->mirror.counters.next_sequence;
	content->handed = store->mirror.counters.handed;
	content->next_request = store->mirror.counters.next_request;
}
