#include "hypervisor/sequence.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/search.h"
#include "hypervisor/verbs.h"

#define SETTLE_MS 10000	  /* for the states to show what the hypervisor said it did */
#define MONITOR_MS 10000  /* for a monitor to act on a death */
#define ASKER_LOOK_MS 200 /* between two looks at what the asker says */
#define UNPAUSES_MAX 16	  /* pauses nest */

/* One action on its way. The action is that of the engine with domid and UUID as looked up. */
struct run {
	const struct sequence *sequence;
	const struct config_vm *vm; /* NULL: not configured */
	struct action action;
	struct fact_domain domain; /* as last seen */
	bool must_end;		   /* it is destroyed where it does not end by itself */
	bool destroyed;		   /* the guest did not end by itself */
	char undumped[TEXT_SIZE];  /* why there is no core dump of it; else "" */
	struct outcome *outcome;
};

static bool failed(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(const struct run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Always false, to be returned. */
static bool
failed(struct run *run, const char *format, ...)
{
	char text[TEXT_SIZE * 2];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run->outcome->state = REQUEST_FAILED;
	TEXT_SET(run->outcome->error, text);
	return false;
}

static void
say(const struct run *run, const char *format, ...)
{
	char text[TEXT_SIZE * 2];
	va_list args;

	if (!run->sequence->say)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run->sequence->say(text);
}

static enum presence
look(const struct run *run, struct search *search, char *error)
{
	return search_look(run->sequence->driver, run->sequence->hv, search, error);
}

/* False when until_ms or the action's deadline passed. */
static bool
wait_for(struct run *run, struct search *search, condition *met, int64_t until_ms)
{
	const struct sequence *sequence = run->sequence;

	if (until_ms > sequence->deadline_ms)
		until_ms = sequence->deadline_ms;
	if (!search_wait(sequence->driver, sequence->hv, search, met, until_ms))
		return false;
	run->domain = search->found;
	return true;
}

static struct search
this_domain(const struct run *run)
{
	return (struct search){.domid = run->action.domid, .uuid = run->action.uuid};
}

static bool
wait_domain(struct run *run, condition *met, int64_t ms)
{
	struct search search = this_domain(run);

	return wait_for(run, &search, met, clock_mono_ms() + ms);
}

static const char *
step_name(uint32_t verb)
{
	return verb == STEP_DUMP	? "core dump"
	       : verb == STEP_SET_ASIDE ? "set aside"
					: name_of(verb_names, (int)verb);
}

/* One step of the driver. */
static bool
step(struct run *run, uint32_t verb)
{
	const struct sequence *sequence = run->sequence;
	struct action action = run->action;
	struct outcome *outcome = run->outcome;

	action.verb = verb;
	outcome->state = REQUEST_UNDECIDED;
	memset(outcome->error, 0, sizeof(outcome->error));
	say(run, "VM %s: %s", action.name, step_name(verb));
	sequence->driver->act(sequence->hv, &action, run->vm, outcome);
	if (outcome->state != REQUEST_SUCCEEDED && outcome->state != REQUEST_FAILED)
		outcome->state = REQUEST_UNDECIDED;
	if (outcome->state != REQUEST_SUCCEEDED && !*outcome->error)
		TEXT_SET(outcome->error, "the hypervisor did not say why");
	return outcome->state == REQUEST_SUCCEEDED;
}

/* A step that is done when the states say so, whatever the call said. */
static bool
step_until(struct run *run, uint32_t verb, condition *met)
{
	bool ok = step(run, verb);

	if (wait_domain(run, met, ok ? SETTLE_MS : 0)) {
		run->outcome->state = REQUEST_SUCCEEDED;
		memset(run->outcome->error, 0, sizeof(run->outcome->error));
		return true;
	}
	if (ok)
		return failed(run, "the hypervisor accepted it, but domain %u does not show it",
			      run->action.domid);
	return false;
}

/* By hand: the domain of a VM that is given by UUID or name. */
static bool
find_domain(struct run *run, struct search *search, char *error)
{
	const struct sequence *sequence = run->sequence;
	enum presence presence = GONE;
	int rc;

	if (!uuid_is_zero(run->action.uuid))
		presence = look(run, search, error);
	if (presence != GONE || !*run->action.name)
		return presence == PRESENT;
	rc = sequence->driver->find(sequence->hv, run->action.name, &search->domid, error);
	if (rc >= 0)
		*error = '\0';
	if (rc <= 0 || search->domid == 0)
		return false;
	search->uuid = NULL;
	return look(run, search, error) == PRESENT;
}

/* The domain that the action means, or false with *error set ("" where there simply is none). */
static bool
locate(struct run *run, char *error)
{
	struct search search = this_domain(run);
	bool ok;

	*error = '\0';
	if (run->action.domid != 0)
		ok = look(run, &search, error) == PRESENT;
	else
		ok = find_domain(run, &search, error);
	if (!ok)
		return false;
	run->domain = search.found;
	run->action.domid = search.found.domid;
	memcpy(run->action.uuid, search.found.uuid, UUID_SIZE);
	return true;
}

static bool
locate_or_fail(struct run *run)
{
	char error[TEXT_SIZE];

	if (locate(run, error))
		return true;
	if (*error)
		return failed(run, "%s", error);
	if (run->action.domid != 0)
		return failed(run, "domain %u of this VM is no more", run->action.domid);
	return failed(run, "the VM is not there: no domain bears this name or UUID");
}

static bool
locate_alive(struct run *run)
{
	if (!locate_or_fail(run))
		return false;
	if (domain_is_dead(&run->domain))
		return failed(run, "domain %u is shut down already", run->action.domid);
	return true;
}

static bool
run_pause(struct run *run)
{
	if (!locate_alive(run))
		return false;
	if (run->domain.flags & DOMAIN_PAUSED) {
		say(run, "VM %s is paused already", run->action.name);
		return true;
	}
	return step_until(run, VERB_PAUSE, when_paused);
}

static bool
run_unpause(struct run *run)
{
	if (!locate_alive(run))
		return false;
	for (int i = 0; i < UNPAUSES_MAX && run->domain.flags & DOMAIN_PAUSED; i++) {
		if (!step(run, VERB_UNPAUSE) || !locate_alive(run))
			return false;
	}
	if (run->domain.flags & DOMAIN_PAUSED)
		return failed(run, "domain %u is still paused after %d unpauses", run->action.domid,
			      UNPAUSES_MAX);
	return true;
}

/* A shutdown, a reboot and a save need the guest's help. */
static bool
can_hear(struct run *run)
{
	if (run->domain.flags & DOMAIN_PAUSED)
		return failed(run, "it is paused and cannot hear: unpause it first");
	return true;
}

static bool
run_destroy(struct run *run)
{
	return locate_or_fail(run) && step_until(run, VERB_DESTROY, when_gone);
}

/* The driver's word counts, not that the domain is gone, which says nothing of its state. That is
 * whole however long something holds the memory of a domain that is dying. */
static bool
run_save(struct run *run)
{
	if (!locate_alive(run) || !can_hear(run) || !step(run, VERB_SAVE))
		return false;
	if (!wait_domain(run, when_gone, SETTLE_MS))
		TEXT_FORMAT(run->outcome->error,
			    "it is saved, but something holds the memory of its domain %u",
			    run->action.domid);
	return true;
}

static bool
run_memory(struct run *run)
{
	return locate_alive(run) && step(run, VERB_MEMORY);
}

/* No domain may have the VM's UUID or name. */
static bool
none_lives(struct run *run)
{
	const struct sequence *sequence = run->sequence;
	struct search search = {.uuid = run->action.uuid};
	char error[TEXT_SIZE] = "";
	enum presence presence = GONE;

	if (!uuid_is_zero(run->action.uuid))
		presence = look(run, &search, error);
	if (presence == GONE) {
		int rc =
		    sequence->driver->find(sequence->hv, run->action.name, &search.domid, error);

		search.uuid = NULL;
		presence = rc < 0 ? UNREADABLE : rc == 0 ? GONE : look(run, &search, error);
	}
	if (presence == UNREADABLE)
		return failed(run, "not begun: %s", error);
	if (presence == PRESENT && domain_is_dead(&search.found))
		return failed(run, "its dead domain %u still stands: destroy it first",
			      search.found.domid);
	if (presence == PRESENT)
		return failed(run, "it lives already, as domain %u", search.found.domid);
	return true;
}

/* The start succeeded whatever becomes of the memory; the text tells. */
static void
set_memory(struct run *run)
{
	char error[TEXT_SIZE];

	if (run->vm->memory_mib == 0)
		return;
	run->action.number = run->vm->memory_mib;
	if (step(run, VERB_MEMORY))
		return;
	TEXT_SET(error, run->outcome->error);
	run->outcome->state = REQUEST_SUCCEEDED;
	TEXT_FORMAT(run->outcome->error, "it runs, but its memory is not set to %u MiB: %s",
		    run->vm->memory_mib, error);
}

/* Start or restore. The UUID of the configuration goes before the engine's. */
static bool
create(struct run *run, enum verb verb)
{
	if (!uuid_is_zero(run->vm->uuid))
		memcpy(run->action.uuid, run->vm->uuid, UUID_SIZE);
	TEXT_SET(run->action.name, run->vm->provider.name);
	run->action.domid = 0;
	if (!none_lives(run) || !step(run, verb))
		return false;
	run->action.domid = run->outcome->domid;
	if (run->action.domid == 0)
		return failed(run, "the hypervisor does not say which domain it made");
	memset(run->action.uuid, 0, UUID_SIZE);
	if (!wait_domain(run, when_awake, SETTLE_MS))
		return failed(run, "it was made as domain %u, and ended or stayed paused at once",
			      run->action.domid);
	memcpy(run->action.uuid, run->domain.uuid, UUID_SIZE);
	say(run, "VM %s: runs as domain %u", run->action.name, run->action.domid);
	return true;
}

static bool
run_start(struct run *run)
{
	if (!create(run, VERB_START))
		return false;
	set_memory(run);
	return true;
}

static bool
run_restore(struct run *run)
{
	return create(run, VERB_RESTORE);
}

static uint32_t
shutdown_ms(const struct run *run)
{
	return config_policy(run->sequence->config, run->vm)->shutdown_ms;
}

/* A guest that does not end in its time is destroyed. */
static bool
destroys(const struct run *run)
{
	return run->must_end || config_policy(run->sequence->config, run->vm)->shutdown_destroys;
}

/* The asking itself, in a process of its own: libxl waits up to a minute for the guest's answer,
 * and what counts here is the time that the configuration gives. Returns the end to read the
 * outcome from, or -1. */
static int
asker_start(const struct run *run, enum verb verb, pid_t *pid)
{
	const struct sequence *sequence = run->sequence;
	struct outcome outcome = {.state = REQUEST_UNDECIDED};
	struct action action = run->action;
	int ends[2];
	struct hv *hv;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	*pid = fork();
	if (*pid != 0) {
		close(ends[1]);
		if (*pid < 0)
			close(ends[0]);
		return *pid < 0 ? -1 : ends[0];
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	action.verb = verb;
	hv = sequence->driver->open(sequence->config, outcome.error);
	if (hv)
		sequence->driver->act(hv, &action, run->vm, &outcome);
	_exit(write(ends[1], &outcome, sizeof(outcome)) == sizeof(outcome) ? 0 : 1);
}

/* The domain died in time; else false. A request that is refused ends the wait, unless the domain
 * is to be destroyed anyway: then it has its time like any other. */
static bool
asker_wait(struct run *run, int fd)
{
	int64_t until_ms = clock_mono_ms() + shutdown_ms(run);
	struct outcome told = {.state = REQUEST_UNDECIDED};

	while (clock_mono_ms() < until_ms) {
		if (wait_domain(run, when_dead, ASKER_LOOK_MS))
			return true;
		if (told.state == REQUEST_UNDECIDED &&
		    read(fd, &told, sizeof(told)) == sizeof(told) && told.state == REQUEST_FAILED &&
		    !destroys(run))
			return failed(run, "%s", told.error);
	}
	return failed(run, "the guest did not end within %g s, and is left running",
		      shutdown_ms(run) / 1000.0);
}

static bool
ask_guest(struct run *run, enum verb verb)
{
	pid_t asker;
	bool died;
	int fd;

	if (!can_hear(run))
		return false;
	say(run, "VM %s: %s: waiting up to %g s for the guest", run->action.name,
	    name_of(verb_names, verb), shutdown_ms(run) / 1000.0);
	fd = asker_start(run, verb, &asker);
	if (fd < 0)
		return failed(run, "cannot ask the guest: %s", strerror(errno));
	died = asker_wait(run, fd);
	kill(asker, SIGKILL);
	waitpid(asker, NULL, 0);
	close(fd);
	if (died) {
		run->outcome->state = REQUEST_SUCCEEDED;
		return true;
	}
	if (destroys(run) && (verb == VERB_SHUTDOWN || run->vm)) {
		say(run, "VM %s: the guest does not end", run->action.name);
		run->destroyed = true;
		return step_until(run, VERB_DESTROY, when_gone);
	}
	return false;
}

/* The dead domain goes: by its monitor, which gets its time, else by us. */
static bool
clear_dead(struct run *run, int monitored)
{
	if (monitored != 0 && wait_domain(run, when_gone, MONITOR_MS))
		return true;
	return wait_domain(run, when_gone, 0) || step_until(run, VERB_DESTROY, when_gone);
}

static int
monitored(const struct run *run)
{
	return run->sequence->driver->monitored(run->sequence->hv, run->action.domid);
}

static bool
run_shutdown(struct run *run)
{
	int has_monitor;

	if (!locate_or_fail(run))
		return false;
	has_monitor = monitored(run);
	if (!domain_is_dead(&run->domain) && !ask_guest(run, VERB_SHUTDOWN))
		return false;
	return clear_dead(run, has_monitor);
}

/* The monitor makes the new domain, with the same UUID. */
static bool
reborn(struct run *run, int64_t until_ms)
{
	struct search search = {.not_domid = run->action.domid, .uuid = run->action.uuid};

	if (!wait_for(run, &search, when_awake, until_ms))
		return false;
	run->outcome->domid = run->domain.domid;
	return true;
}

static bool
start_again(struct run *run, int has_monitor)
{
	if (run->destroyed || has_monitor == 0)
		return clear_dead(run, has_monitor) && run_start(run);
	if (has_monitor == 1 || !run->vm)
		return reborn(run, run->sequence->deadline_ms) ||
		       failed(run, "it ended, but its own monitor did not start it again");
	/* Who knows: a monitor would have begun by then. */
	return reborn(run, clock_mono_ms() + MONITOR_MS) || (clear_dead(run, 0) && run_start(run));
}

static bool
run_reboot(struct run *run)
{
	int has_monitor;

	if (!locate_alive(run))
		return false;
	has_monitor = monitored(run);
	if (has_monitor == 0 && !run->vm)
		return failed(run,
			      "it is not in the configuration and has no monitor: nobody could "
			      "start it again");
	return ask_guest(run, VERB_REBOOT) && start_again(run, has_monitor);
}

static bool
wants_dump(const struct run *run)
{
	uint32_t policy = run->action.number;

	return run->domain.flags & DOMAIN_SHUTDOWN &&
	       (policy == ON_COREDUMP_DESTROY || policy == ON_COREDUMP_RESTART);
}

/* The rest goes on without one, and has half of the time left. */
static void
dump_core(struct run *run)
{
	int64_t left_ms = run->sequence->deadline_ms - clock_mono_ms();

	run->action.deadline_ms = left_ms > 2 ? (uint32_t)(left_ms / 2) : 1;
	if (!step(run, STEP_DUMP))
		TEXT_SET(run->undumped, run->outcome->error);
}

/* Of the dead domain itself: false where it must stay as it is. */
static bool
may_bury(struct run *run)
{
	if (!(run->domain.flags & (DOMAIN_SHUTDOWN | DOMAIN_DYING)))
		return failed(run, "domain %u lives", run->action.domid);
	if (run->domain.flags & DOMAIN_SHUTDOWN && run->domain.reason == REASON_SUSPEND)
		return failed(run, "domain %u is suspended: it is being saved or is migrating",
			      run->action.domid);
	return true;
}

static bool
bury(struct run *run)
{
	if (!may_bury(run))
		return false;
	if (wants_dump(run))
		dump_core(run);
	return step_until(run, VERB_DESTROY, when_gone);
}

/* The domain is found by its UUID no more. */
static bool
set_aside(struct run *run)
{
	return may_bury(run) && step_until(run, STEP_SET_ASIDE, when_gone);
}

/* None is left is a success. A monitor may have come that who asks has not heard of. */
static bool
clear_away(struct run *run, bool (*how)(struct run *run))
{
	char error[TEXT_SIZE];

	if (!locate(run, error))
		return !*error || failed(run, "%s", error);
	if (monitored(run) == 1)
		return failed(run, "domain %u has a monitor of its own, which acts on its death",
			      run->action.domid);
	return how(run);
}

static bool
tell_undumped(struct run *run)
{
	if (*run->undumped)
		TEXT_FORMAT(run->outcome->error, "no core dump: %s", run->undumped);
	return true;
}

static bool
run_reap(struct run *run)
{
	return clear_away(run, bury) && tell_undumped(run);
}

static bool
run_replace(struct run *run)
{
	bool aside = run->action.number == ON_RENAME_RESTART;

	return clear_away(run, aside ? set_aside : bury) && run_start(run) && tell_undumped(run);
}

/* Its guest is asked, for the sake of its disks; and then it goes, whatever it says. */
static bool
run_restart(struct run *run)
{
	char error[TEXT_SIZE];
	int has_monitor;

	if (!locate(run, error))
		return *error ? failed(run, "%s", error) : run_start(run);
	has_monitor = monitored(run);
	if (domain_is_dead(&run->domain) && !may_bury(run))
		return false;
	run->must_end = true;
	if (!domain_is_dead(&run->domain) && !ask_guest(run, VERB_SHUTDOWN) &&
	    !step_until(run, VERB_DESTROY, when_gone))
		return false;
	return clear_dead(run, has_monitor) && run_start(run);
}

static const struct {
	uint32_t verb;
	bool (*run)(struct run *run);
} sequences[] = {
    {VERB_START, run_start}, {VERB_SHUTDOWN, run_shutdown}, {VERB_REBOOT, run_reboot},
    {VERB_PAUSE, run_pause}, {VERB_UNPAUSE, run_unpause},   {VERB_DESTROY, run_destroy},
    {VERB_SAVE, run_save},   {VERB_RESTORE, run_restore},   {VERB_MEMORY, run_memory},
    {ACTION_REAP, run_reap}, {ACTION_REPLACE, run_replace}, {ACTION_RESTART, run_restart},
};

#define SEQUENCES (sizeof(sequences) / sizeof(sequences[0]))

void
sequence_run(const struct sequence *sequence, const struct action *action, struct outcome *outcome)
{
	struct run run = {.sequence = sequence,
			  .action = *action,
			  .outcome = outcome,
			  .vm = action_vm(sequence->config, action)};
	size_t i = 0;

	while (i < SEQUENCES && sequences[i].verb != action->verb)
		i++;
	outcome->state = REQUEST_FAILED;
	if (i < SEQUENCES && sequences[i].run(&run))
		outcome->state = REQUEST_SUCCEEDED;
}
