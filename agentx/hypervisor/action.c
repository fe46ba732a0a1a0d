#include "hypervisor/action.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/entry.h"
#include "hypervisor/helper.h"
#include "hypervisor/records.h"
#include "hypervisor/verbs.h"

static struct entry *
entry_find(struct actions *actions, uint64_t journal, uint64_t id)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &actions->entries, next)
		if (entry->action.id == id && entry->action.journal == journal)
			return entry;
	return NULL;
}

static bool
same_vm(const struct action *a, const struct action *b)
{
	if (*a->name && strcmp(a->name, b->name) == 0)
		return true;
	return !uuid_is_zero(a->uuid) && uuid_equal(a->uuid, b->uuid);
}

/* Whether one that came before it, and is not over, is of the same VM. */
static bool
entry_must_wait(const struct entry *entry)
{
	const struct entry *other;

	TAILQ_FOREACH (other, &entry->actions->entries, next) {
		if (other == entry)
			return false;
		if (other->phase != PHASE_OVER && same_vm(&other->action, &entry->action))
			return true;
	}
	return false;
}

void
actions_serve(struct actions *actions)
{
	struct entry *entry, *next;

	for (entry = TAILQ_FIRST(&actions->entries); entry; entry = next) {
		next = TAILQ_NEXT(entry, next);
		if (actions->running >= ACTIONS_RUNNING)
			return;
		if (entry->phase == PHASE_QUEUED && !entry_must_wait(entry))
			entry_start(entry);
	}
}

static void
action_default_deadline(const struct config *config, struct action *action)
{
	if (action->deadline_ms == 0)
		action->deadline_ms = action_deadline_ms(config, action);
	if (action->deadline_ms > ACTION_DEADLINE_MAX_MS)
		action->deadline_ms = ACTION_DEADLINE_MAX_MS;
}

/* Its name may be anything. Kept for the engine to hear again, unless there are too many. */
static void
entry_refuse(struct entry *entry, enum request_state state, const char *error)
{
	memset(entry->action.name, 0, sizeof(entry->action.name));
	entry_over_text(entry, state, error);
	if (entry->actions->count > ACTIONS_MAX)
		entry_free(entry);
}

void
actions_take(struct actions *actions, const struct action *action)
{
	struct entry *entry = entry_find(actions, action->journal, action->id);
	char error[TEXT_SIZE];

	if (entry) {
		entry_tell(entry);
		return;
	}
	entry = entry_add(actions, action);
	action_default_deadline(actions->config, &entry->action);
	if (!action_check(actions->config, action, error))
		entry_refuse(entry, REQUEST_FAILED, error);
	else if (actions->count > ACTIONS_MAX)
		entry_refuse(entry, REQUEST_FAILED, "too many actions wait already");
	else
		actions_serve(actions);
}

/* Where a helper may take its record at this moment, whoever is first wins. */
void
actions_cancel(struct actions *actions, const struct action *action)
{
	struct entry *entry = entry_find(actions, action->journal, action->id);
	struct outcome outcome = {
	    .id = action->id, .journal = action->journal, .state = REQUEST_CANCELLED};

	if (!entry) {
		entry_refuse(entry_add(actions, action), REQUEST_CANCELLED, "");
		return;
	}
	if (entry->phase != PHASE_QUEUED)
		entry_tell(entry);
	else if (!entry->recorded || record_settle(entry->path, &outcome))
		entry_over(entry, &outcome);
	actions_serve(actions);
}

void
actions_forget(struct actions *actions, const struct outcome *outcome)
{
	struct entry *entry = entry_find(actions, outcome->journal, outcome->id);

	if (!entry || entry->phase == PHASE_QUEUED || entry->phase == PHASE_RUNNING)
		return;
	entry->forgotten = true;
	if (entry->phase == PHASE_OVER)
		entry_end(entry);
}

void
actions_resend(struct actions *actions)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &actions->entries, next)
		entry_tell(entry);
}

void
actions_reap(struct actions *actions)
{
	struct entry *entry, *next;

	for (entry = TAILQ_FIRST(&actions->entries); entry; entry = next) {
		next = TAILQ_NEXT(entry, next);
		entry_reap(entry);
	}
	actions_serve(actions);
}

/* A folder has no order; the engine's numbers have. */
static void
entry_sort_in(struct entry *entry)
{
	struct actions *actions = entry->actions;
	struct entry *other;

	TAILQ_REMOVE(&actions->entries, entry, next);
	TAILQ_FOREACH (other, &actions->entries, next)
		if (other->action.id > entry->action.id)
			break;
	if (other)
		TAILQ_INSERT_BEFORE(other, entry, next);
	else
		TAILQ_INSERT_TAIL(&actions->entries, entry, next);
}

/* A record of an earlier process. One that waits is started again by the same record, so that a
 * helper that is only just coming up and this one's cannot both take it. */
static void
take_over(void *arg, const char *path, const struct record *record)
{
	struct actions *actions = arg;
	bool open =
	    !record->done || (record->outcome.state == REQUEST_UNDECIDED && !record->mended);
	struct entry *entry;

	if (!open && record->written_wall_ms + RECORD_KEEP_MS < clock_wall_ms()) {
		unlink(path);
		return;
	}
	entry = entry_add(actions, &record->action);
	entry_sort_in(entry);
	entry->recorded = true;
	if (record->started)
		entry_set_phase(entry, PHASE_RUNNING);
}

struct actions *
actions_new(struct event_base *base, const struct options *options, const struct config *config,
	    const struct actions_handlers *handlers)
{
	struct actions *actions = mem_alloc(sizeof(*actions));
	char error[TEXT_SIZE];
	struct entry *entry, *next;

	*actions = (struct actions){.base = base,
				    .options = options,
				    .handlers = *handlers,
				    .run_dir = mem_string(config->run_dir)};
	TAILQ_INIT(&actions->entries);
	actions_configure(actions, config);
	if (records_prepare(actions->run_dir, error))
		records_scan(actions->run_dir, take_over, actions);
	else
		log_error("%s", error);
	for (entry = TAILQ_FIRST(&actions->entries); entry; entry = next) {
		next = TAILQ_NEXT(entry, next);
		if (entry->phase == PHASE_RUNNING)
			entry_judge(entry, -1);
	}
	actions_serve(actions);
	return actions;
}

void
actions_configure(struct actions *actions, const struct config *config)
{
	actions->config = config;
}

void
actions_free(struct actions *actions)
{
	while (!TAILQ_EMPTY(&actions->entries))
		entry_free(TAILQ_FIRST(&actions->entries));
	free(actions->run_dir);
	free(actions);
}
