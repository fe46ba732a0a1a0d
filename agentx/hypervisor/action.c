#include "hypervisor/action.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/helper.h"
#include "hypervisor/records.h"
#include "hypervisor/verbs.h"

#define ADOPTED_LOOK_MS 200 /* at a helper that is no child of this process */

enum phase {
	PHASE_QUEUED,
	PHASE_RUNNING,
	PHASE_MENDING, /* the outcome (unknown) is told; a helper puts things right */
	PHASE_OVER,
};

struct entry {
	TAILQ_ENTRY(entry) next;
	struct actions *actions;
	struct action action;
	struct outcome outcome;
	enum phase phase;
	char *path;	/* of the record */
	bool recorded;	/* the record is written */
	bool forgotten; /* to be removed when it is over */
	pid_t pid;	/* helper; 0: none */
	bool adopted;	/* the helper is an earlier process's child */
	bool late;	/* its deadline passed, it was killed */
	int64_t deadline_ms;
	struct event *timer; /* own helper: its deadline; adopted: the next look */
};

struct actions {
	struct event_base *base;
	const struct options *options;
	const struct config *config;
	struct actions_handlers handlers;
	char *run_dir;		     /* of the first configuration: records do not move */
	TAILQ_HEAD(, entry) entries; /* in the order they came */
	size_t count, running;
};

static void entry_timer(evutil_socket_t fd, short what, void *arg);
static void actions_serve(struct actions *actions);

static struct entry *
entry_find(struct actions *actions, uint64_t journal, uint64_t id)
{
	struct entry *entry;

	TAILQ_FOREACH (entry, &actions->entries, next)
		if (entry->action.id == id && entry->action.journal == journal)
			return entry;
	return NULL;
}

static struct entry *
entry_add(struct actions *actions, const struct action *action)
{
	struct entry *entry = mem_alloc(sizeof(*entry));
	char path[PATH_MAX];

	record_path(path, actions->run_dir, action->journal, action->id);
	*entry = (struct entry){.actions = actions, .action = *action, .path = mem_string(path)};
	entry->timer = event_new(actions->base, -1, 0, entry_timer, entry);
	if (!entry->timer)
		fatal("libevent refuses a timer");
	TAILQ_INSERT_TAIL(&actions->entries, entry, next);
	actions->count++;
	return entry;
}

static void
entry_free(struct entry *entry)
{
	TAILQ_REMOVE(&entry->actions->entries, entry, next);
	entry->actions->count--;
	event_free(entry->timer);
	free(entry->path);
	free(entry);
}

static void
entry_tell(struct entry *entry)
{
	const struct actions_handlers *handlers = &entry->actions->handlers;
	struct outcome running = {
	    .id = entry->action.id, .journal = entry->action.journal, .state = REQUEST_RUNNING};

	if (entry->phase == PHASE_RUNNING)
		handlers->tell(handlers->arg, MSG_STARTED, &running);
	else if (entry->phase != PHASE_QUEUED)
		handlers->tell(handlers->arg, MSG_OUTCOME, &entry->outcome);
}

static void
entry_set_phase(struct entry *entry, enum phase phase)
{
	bool ran = entry->phase == PHASE_RUNNING || entry->phase == PHASE_MENDING;
	bool runs = phase == PHASE_RUNNING || phase == PHASE_MENDING;

	entry->phase = phase;
	entry->actions->running += (size_t)runs - (size_t)ran;
}

static void
entry_timer_set(struct entry *entry, int64_t ms)
{
	struct timeval after = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(entry->timer, &after);
}

static const char *
entry_verb(const struct entry *entry)
{
	return name_of(action_verb_names, (int)entry->action.verb);
}

/* The outcome is known, and told. */
static void
entry_over(struct entry *entry, const struct outcome *outcome)
{
	entry->outcome = *outcome;
	entry->outcome.id = entry->action.id;
	entry->outcome.journal = entry->action.journal;
	entry_set_phase(entry, PHASE_OVER);
	log_info("VM %s: %s %s%s%s", entry->action.name, entry_verb(entry),
		 name_of(request_state_names, (int)outcome->state), *outcome->error ? ": " : "",
		 outcome->error);
	entry_tell(entry);
}

static void
entry_over_text(struct entry *entry, enum request_state state, const char *error)
{
	struct outcome outcome = {.state = state};

	TEXT_SET(outcome.error, error);
	entry_over(entry, &outcome);
}

/* Nothing is to be done any more. */
static void
entry_end(struct entry *entry)
{
	entry_set_phase(entry, PHASE_OVER);
	if (!entry->forgotten)
		return;
	unlink(entry->path);
	entry_free(entry);
}

static bool
entry_spawn(struct entry *entry, bool mend)
{
	struct actions *actions = entry->actions;
	uint32_t ms = mend ? actions->config->action_ms : entry->action.deadline_ms;

	entry->pid = helper_spawn(actions->options, actions->run_dir, entry->path, mend);
	entry->adopted = entry->late = false;
	entry->deadline_ms = clock_mono_ms() + ms;
	if (entry->pid > 0)
		entry_timer_set(entry, ms);
	return entry->pid > 0;
}

/* A helper that this process did not start has the record. */
static void
entry_adopt(struct entry *entry, const struct record *record, pid_t pid)
{
	entry->pid = pid;
	entry->adopted = true;
	if (!record->done && record->deadline_mono_ms > 0)
		entry->deadline_ms = record->deadline_mono_ms;
	else if (entry->deadline_ms == 0)
		entry->deadline_ms = clock_mono_ms() + entry->action.deadline_ms;
	entry_timer_set(entry, ADOPTED_LOOK_MS);
}

static void
entry_mend(struct entry *entry)
{
	entry_set_phase(entry, PHASE_MENDING);
	if (entry_spawn(entry, true))
		return;
	log_error("VM %s: what the %s left half done cannot be put right: no helper can be started",
		  entry->action.name, entry_verb(entry));
	record_give_up_mending(entry->path);
	entry_end(entry);
}

/* A helper of this entry is gone, or there never was one: what does the record say? status is that
 * of our own helper, -1 for none. */
static void entry_judge(struct entry *entry, int status);

/* Where a helper takes the record at this very moment, that counts. */
static void
entry_settle_as(struct entry *entry, const struct outcome *outcome)
{
	struct record record;
	enum record_state state = RECORD_DONE;
	pid_t pid;

	if (!record_settle(entry->path, outcome))
		state = record_look(entry->path, &record, &pid);
	if (state == RECORD_DONE || state == RECORD_RUNS)
		entry_judge(entry, -1);
	else
		entry_over(entry, outcome);
}

static void
entry_settle(struct entry *entry, enum request_state state, const char *what, int status)
{
	struct outcome outcome = {
	    .id = entry->action.id, .journal = entry->action.journal, .state = state};

	if (entry->late)
		TEXT_FORMAT(outcome.error, "%s: it took more than %g s and was ended", what,
			    entry->action.deadline_ms / 1000.0);
	else if (status >= 0 && WIFSIGNALED(status))
		TEXT_FORMAT(outcome.error, "%s: its helper was killed by signal %d", what,
			    WTERMSIG(status));
	else if (status >= 0)
		TEXT_FORMAT(outcome.error, "%s: its helper ended with status %d", what,
			    WEXITSTATUS(status));
	else
		TEXT_FORMAT(outcome.error, "%s: its helper ended without a word", what);
	entry_settle_as(entry, &outcome);
}

static void
entry_done(struct entry *entry, const struct record *record)
{
	bool half = record->outcome.state == REQUEST_UNDECIDED && !record->mended;

	if (entry->phase != PHASE_MENDING) {
		entry_over(entry, &record->outcome);
		if (half)
			entry_mend(entry);
		return;
	}
	if (half && record_give_up_mending(entry->path))
		log_error("VM %s: what the %s left half done could not be put right; look at it",
			  entry->action.name, entry_verb(entry));
	entry_end(entry);
}

static void
entry_judge(struct entry *entry, int status)
{
	struct record record;
	pid_t pid;

	entry->pid = 0;
	event_del(entry->timer);
	switch (record_look(entry->path, &record, &pid)) {
	case RECORD_RUNS:
		entry_adopt(entry, &record, pid);
		break;
	case RECORD_DONE:
		entry_done(entry, &record);
		break;
	case RECORD_DIED:
		entry_settle(entry, REQUEST_UNDECIDED, "what became of it is not known", status);
		break;
	case RECORD_WAITS:
		entry_settle(entry, REQUEST_FAILED, "it was not begun", status);
		break;
	case RECORD_NONE:
		if (entry->phase == PHASE_MENDING)
			entry_end(entry);
		else
			entry_over_text(entry, REQUEST_UNDECIDED,
					"what became of it is not known: its record is gone");
		break;
	}
}

/* The helper with all that it waits for. QEMU and monitors have left the group. */
static void
entry_kill(struct entry *entry)
{
	log_warn("VM %s: %s takes more than %g s; its helper (process %d) is killed",
		 entry->action.name, entry_verb(entry), entry->action.deadline_ms / 1000.0,
		 (int)entry->pid);
	entry->late = true;
	kill(-entry->pid, SIGKILL);
	kill(entry->pid, SIGKILL);
}

/* That the lock is still held by that process means that it is still the helper. */
static void
entry_look_at_adopted(struct entry *entry)
{
	struct actions *actions = entry->actions;
	struct record record;
	pid_t pid;

	if (record_look(entry->path, &record, &pid) != RECORD_RUNS) {
		entry_judge(entry, -1); /* may free it */
		actions_serve(actions);
		return;
	}
	entry->pid = pid;
	if (clock_mono_ms() >= entry->deadline_ms && !entry->late)
		entry_kill(entry);
	entry_timer_set(entry, ADOPTED_LOOK_MS);
}

static void
entry_timer(evutil_socket_t fd, short what, void *arg)
{
	struct entry *entry = arg;

	(void)fd, (void)what;
	if (entry->adopted)
		entry_look_at_adopted(entry);
	else if (entry->pid > 0)
		entry_kill(entry);
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

static void
entry_start(struct entry *entry)
{
	char error[TEXT_SIZE];

	if (!entry->recorded && !record_write(entry->path, &entry->action, error)) {
		entry_over_text(entry, REQUEST_FAILED, error);
		return;
	}
	entry->recorded = true;
	entry_set_phase(entry, PHASE_RUNNING);
	if (!entry_spawn(entry, false)) {
		entry_settle(entry, REQUEST_FAILED, "no helper can be started", -1);
		return;
	}
	log_info("VM %s: %s begins", entry->action.name, entry_verb(entry));
	entry_tell(entry);
}

static void
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
		action->deadline_ms = action_deadline_ms(config, action->verb);
	if (action->deadline_ms > ACTION_DEADLINE_MAX_MS)
		action->deadline_ms = ACTION_DEADLINE_MAX_MS;
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
	if (!action_check(actions->config, action, error)) {
		memset(entry->action.name, 0, sizeof(entry->action.name));
		entry_over_text(entry, REQUEST_FAILED, error);
	} else if (actions->count > ACTIONS_MAX) {
		entry_over_text(entry, REQUEST_FAILED, "too many actions wait already");
		entry_free(entry);
	} else {
		actions_serve(actions);
	}
}

/* Where a helper may take its record at this moment, whoever is first wins. */
void
actions_cancel(struct actions *actions, const struct action *action)
{
	struct entry *entry = entry_find(actions, action->journal, action->id);
	struct outcome outcome = {
	    .id = action->id, .journal = action->journal, .state = REQUEST_CANCELLED};

	if (!entry) {
		entry = entry_add(actions, action);
		memset(entry->action.name, 0, sizeof(entry->action.name));
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

/* What the dead helper left in its group is ended before its number can be another's. */
static void
entry_reap(struct entry *entry)
{
	siginfo_t info = {0};
	struct record record;
	pid_t pid;
	int status;

	if (entry->pid <= 0 || entry->adopted ||
	    waitid(P_PID, (id_t)entry->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid != entry->pid)
		return;
	if (record_look(entry->path, &record, &pid) == RECORD_DIED || entry->late)
		kill(-entry->pid, SIGKILL);
	if (waitpid(entry->pid, &status, WNOHANG) == entry->pid)
		entry_judge(entry, status);
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
	if (!records_prepare(actions->run_dir, error))
		log_error("%s", error);
	actions_configure(actions, config);
	records_scan(actions->run_dir, take_over, actions);
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
	helper_write_config(actions->run_dir, config);
}

void
actions_free(struct actions *actions)
{
	while (!TAILQ_EMPTY(&actions->entries))
		entry_free(TAILQ_FIRST(&actions->entries));
	free(actions->run_dir);
	free(actions);
}
