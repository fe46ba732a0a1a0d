#include "hypervisor/entry.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hypervisor/helper.h"
#include "hypervisor/records.h"
#include "hypervisor/verbs.h"

#define ADOPTED_LOOK_MS 200 /* at a helper that is no child of this process */
#define STUCK_MS 5000	    /* from the kill to when it is said that it does not help */

static void entry_timer(evutil_socket_t fd, short what, void *arg);

struct entry *
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

void
entry_free(struct entry *entry)
{
	TAILQ_REMOVE(&entry->actions->entries, entry, next);
	entry->actions->count--;
	event_free(entry->timer);
	free(entry->path);
	free(entry);
}

static void
entry_say(const struct entry *entry, enum message_type type, const struct outcome *outcome)
{
	const struct actions_handlers *handlers = &entry->actions->handlers;
	struct outcome told = *outcome;

	told.id = entry->action.id;
	told.journal = entry->action.journal;
	told.verb = entry->action.verb;
	told.action_domid = entry->action.domid;
	memcpy(told.uuid, entry->action.uuid, UUID_SIZE);
	handlers->tell(handlers->arg, type, &told);
}

void
entry_tell(const struct entry *entry)
{
	struct outcome open = {.state =
				   entry->phase == PHASE_QUEUED ? REQUEST_QUEUED : REQUEST_RUNNING};

	if (entry->phase == PHASE_RUNNING || entry->phase == PHASE_QUEUED)
		entry_say(entry, MSG_STARTED, &open);
	else
		entry_say(entry, MSG_OUTCOME, &entry->outcome);
}

void
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
void
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

void
entry_over_text(struct entry *entry, enum request_state state, const char *error)
{
	struct outcome outcome = {.state = state};

	TEXT_SET(outcome.error, error);
	entry_over(entry, &outcome);
}

/* Nothing is to be done any more. */
void
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

	entry->pid = helper_spawn(actions->options, actions->config, entry->path, mend);
	entry->adopted = entry->late = entry->stuck = false;
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

/* Where a helper takes the record at this very moment, that counts. */
void
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

void
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

/* It hangs in the kernel. The engine need not wait for it; the VM must. */
static void
entry_tell_stuck(struct entry *entry)
{
	struct outcome outcome = {.state = REQUEST_UNDECIDED};

	TEXT_FORMAT(outcome.error,
		    "what became of it is not known: its helper (process %d) cannot be killed",
		    (int)entry->pid);
	log_error("VM %s: %s: %s; until it ends nothing else is done to this VM",
		  entry->action.name, entry_verb(entry), outcome.error);
	entry->stuck = true;
	if (entry->phase == PHASE_RUNNING)
		entry_say(entry, MSG_OUTCOME, &outcome);
}

static void
entry_check_deadline(struct entry *entry)
{
	int64_t over_ms = clock_mono_ms() - entry->deadline_ms;

	if (over_ms >= 0 && !entry->late)
		entry_kill(entry);
	if (over_ms >= STUCK_MS && !entry->stuck)
		entry_tell_stuck(entry);
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
	entry_check_deadline(entry);
	entry_timer_set(entry, ADOPTED_LOOK_MS);
}

static void
entry_timer(evutil_socket_t fd, short what, void *arg)
{
	struct entry *entry = arg;

	(void)fd, (void)what;
	if (entry->adopted) {
		entry_look_at_adopted(entry);
	} else if (entry->pid > 0) {
		if (entry->late)
			entry_tell_stuck(entry);
		else
			entry_kill(entry);
		if (!entry->stuck)
			entry_timer_set(entry, STUCK_MS);
	}
}

void
entry_start(struct entry *entry)
{
	struct outcome outcome = {
	    .id = entry->action.id, .journal = entry->action.journal, .state = REQUEST_FAILED};

	if (!records_prepare(entry->actions->run_dir, outcome.error) ||
	    (!entry->recorded && !record_write(entry->path, &entry->action, outcome.error))) {
		entry_over(entry, &outcome);
		return;
	}
	entry->recorded = true;
	entry_set_phase(entry, PHASE_RUNNING);
	if (!entry_spawn(entry, false)) {
		TEXT_SET(outcome.error, "it was not begun: no helper can be started");
		entry_settle_as(entry, &outcome);
		return;
	}
	log_info("VM %s: %s begins", entry->action.name, entry_verb(entry));
	entry_tell(entry);
}

/* What the dead helper left in its group is ended before its number can be another's. */
void
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
