#include "parent/parent.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "parent/check.h"
#include "parent/launch.h"
#include "parent/notify.h"

#define BACKOFF_FIRST_MS 250
#define BACKOFF_MOST_MS 10000
#define STEADY_MS 30000	    /* who lived so long is started again at once */
#define STOP_STEP_MS 3000   /* until the next child is told to end too */
#define STOP_MS 10000	    /* until those that are left are killed */
#define STOP_KILLED_MS 2000 /* until the kernel has ended a killed one */

struct child {
	enum role role;
	pid_t pid; /* 0: does not run */
	int64_t started_ms;
	unsigned failures; /* deaths in a row, each soon after its start */
	struct channel *control;
	struct event *again; /* timer of its next start */
};

static struct {
	const struct options *options;
	struct identity identity;
	struct event_base *base;
	struct child children[ROLE_COUNT];
	struct restarts restarts;
	struct check check;
	int config;	 /* the current one: its text, checked and sealed */
	int icmp, icmp6; /* raw sockets for the engine's probes; -1: there are none */
	struct event *check_timer, *stop_timer;
	bool check_again; /* SIGHUP came while one ran */
	bool stopping;
	size_t stopped; /* steps of stop_order that were taken */
	int64_t stop_ms;
} parent;

/* Who talks to whom. */
static const enum role pairs[][2] = {{ROLE_HYPERVISOR, ROLE_ENGINE}, {ROLE_ENGINE, ROLE_AGENTX}};

/* Managers are let go first, the engine's store is complete when the hypervisor goes. */
static const enum role stop_order[] = {ROLE_AGENTX, ROLE_ENGINE, ROLE_HYPERVISOR};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct child *
child_of(enum role role)
{
	return &parent.children[role];
}

static void
set_timer(struct event *timer, int64_t ms)
{
	struct timeval after = {ms / 1000, (ms % 1000) * 1000};

	event_add(timer, &after);
}

/* A new pair of sockets between two children; whatever they had before is gone. */
static void
join(struct child *a, struct child *b)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("no socketpair for %s and %s: %s", name_of(role_names, (int)a->role),
			  name_of(role_names, (int)b->role), strerror(errno));
		return;
	}
	channel_send_fd(a->control, MSG_PEER, b->role, pair[0]);
	channel_send_fd(b->control, MSG_PEER, a->role, pair[1]);
	close(pair[0]);
	close(pair[1]);
}

static void
join_peers(const struct child *child)
{
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct child *a = child_of(pairs[i][0]), *b = child_of(pairs[i][1]);

		if ((a == child || b == child) && a->pid && b->pid)
			join(a, b);
	}
}

/* Starts child with one end of a new control channel and the current configuration. */
static bool
child_start(struct child *child)
{
	const struct options *options = parent.options;
	char *argv[8] = {"lauxend", "--child", (char *)name_of(role_names, (int)child->role)};
	bool probes = child->role == ROLE_ENGINE;
	struct launch how = {.argv = argv,
			     .output = -1,
			     .errors = -1,
			     .config = parent.config,
			     .icmp = probes ? parent.icmp : -1,
			     .icmp6 = probes ? parent.icmp6 : -1};
	int pair[2], argc = 3;

	if (options->foreground)
		argv[argc++] = "-d";
	if (options->verbose)
		argv[argc++] = "-v";
	if (options->record && child->role == ROLE_ENGINE) {
		argv[argc++] = "--record";
		argv[argc++] = (char *)options->record;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("no control channel for %s: %s", argv[2], strerror(errno));
		return false;
	}
	how.control = pair[1];
	how.identity = child->role == ROLE_HYPERVISOR ? NULL : &parent.identity;
	child->pid = launch(&how);
	close(pair[1]);
	if (child->pid < 0) {
		child->pid = 0;
		close(pair[0]);
		return false;
	}
	child->started_ms = clock_mono_ms();
	channel_attach(child->control, pair[0]);
	join_peers(child);
	return true;
}

static void
tell_restarts(void)
{
	channel_send(child_of(ROLE_ENGINE)->control, MSG_RESTARTS, 0, &parent.restarts,
		     sizeof(parent.restarts));
}

static int64_t
backoff_ms(unsigned failures)
{
	int64_t ms = failures > 6 ? BACKOFF_MOST_MS : BACKOFF_FIRST_MS << failures >> 1;

	return failures == 0 ? 0 : ms < BACKOFF_MOST_MS ? ms : BACKOFF_MOST_MS;
}

static void
child_start_again(struct child *child)
{
	if (!child_start(child)) {
		child->failures++;
		set_timer(child->again, backoff_ms(child->failures));
		return;
	}
	parent.restarts.count[child->role]++;
	parent.restarts.last = child->role;
	tell_restarts();
}

static void
child_due(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;

	(void)fd, (void)what;
	if (parent.stopping)
		return;
	child_start_again(child);
	if (child->pid)
		log_info("child %s: started again as pid %d", name_of(role_names, (int)child->role),
			 (int)child->pid);
}

static void
describe_end(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		text_format(text, size, "killed by signal %d", WTERMSIG(status));
	else
		text_format(text, size, "ended with status %d", WEXITSTATUS(status));
}

/* Starts child again: at once, or after a while where it died soon after its last start. */
static void
child_revive(struct child *child, pid_t was)
{
	const char *name = name_of(role_names, (int)child->role);
	const char *verb = strncmp(parent.restarts.reason, "killed", 6) == 0 ? "was " : "";
	int64_t after_ms;

	if (clock_mono_ms() - child->started_ms >= STEADY_MS)
		child->failures = 0;
	after_ms = backoff_ms(child->failures++);
	if (after_ms == 0) {
		child_start_again(child);
		if (child->pid)
			log_warn("child %s (pid %d) %s%s; started again as pid %d", name, (int)was,
				 verb, parent.restarts.reason, (int)child->pid);
		return;
	}
	log_warn("child %s (pid %d) %s%s; starts again in %" PRId64 ".%02" PRId64 " s", name,
		 (int)was, verb, parent.restarts.reason, after_ms / 1000, after_ms % 1000 / 10);
	set_timer(child->again, after_ms);
}

static void stop_step(void);

static void
child_ended(struct child *child, int status)
{
	pid_t was = child->pid;
	char reason[TEXT_SIZE];

	child->pid = 0;
	describe_end(status, reason, sizeof(reason));
	if (parent.stopping) {
		log_debug("child %s (pid %d): %s", name_of(role_names, (int)child->role), (int)was,
			  reason);
		stop_step();
		return;
	}
	TEXT_SET(parent.restarts.reason, reason);
	child_revive(child, was);
}

static void
reload_children(void)
{
	close(parent.config);
	parent.config = check_take(&parent.check);
	log_info("configuration %s loaded again", parent.check.file);
	for (size_t role = ROLE_HYPERVISOR; role < ROLE_COUNT; role++)
		channel_send_fd(child_of(role)->control, MSG_RELOAD, 0, parent.config);
}

static void
refuse_reload(void)
{
	char error[MESSAGE_BODY_MAX], others[48] = "";
	int more;

	check_error(&parent.check, error, sizeof(error), &more);
	if (more > 0)
		snprintf(others, sizeof(others), " (and %d more, see lauxend -n)", more);
	log_warn("configuration refused, the old one stays: %s%s", error, others);
	channel_send(child_of(ROLE_ENGINE)->control, MSG_RELOAD_REFUSED, 0, error,
		     strlen(error) + 1);
}

static void
check_begin(void)
{
	parent.check_again = false;
	if (check_start(&parent.check, parent.config))
		set_timer(parent.check_timer, CHECK_MS);
	else
		refuse_reload();
}

static void
check_settle(int status)
{
	bool good = check_ended(&parent.check, status);

	event_del(parent.check_timer);
	if (parent.stopping)
		return;
	if (parent.check_again)
		check_begin();
	else if (good)
		reload_children();
	else
		refuse_reload();
}

static void
check_overdue(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	check_give_up(&parent.check);
}

static void
on_hangup(evutil_socket_t signal, short what, void *arg)
{
	(void)signal, (void)what, (void)arg;
	if (parent.stopping)
		return;
	if (parent.check.pid)
		parent.check_again = true;
	else
		check_begin();
}

/* Each by its own id: what helpers leave behind is not ours to wait for. */
static void
on_child(evutil_socket_t signal, short what, void *arg)
{
	int status;

	(void)signal, (void)what, (void)arg;
	for (size_t role = ROLE_HYPERVISOR; role < ROLE_COUNT; role++) {
		struct child *child = child_of(role);

		if (child->pid && waitpid(child->pid, &status, WNOHANG) == child->pid)
			child_ended(child, status);
	}
	if (parent.check.pid && waitpid(parent.check.pid, &status, WNOHANG) == parent.check.pid)
		check_settle(status);
}

static bool
any_child(void)
{
	for (size_t role = ROLE_HYPERVISOR; role < ROLE_COUNT; role++)
		if (parent.children[role].pid)
			return true;
	return false;
}

/* Tells the next child that still runs to end; the rest follows when it has, or after a while. */
static void
stop_step(void)
{
	if (!any_child()) {
		event_base_loopexit(parent.base, NULL);
		return;
	}
	while (parent.stopped < COUNT(stop_order)) {
		const struct child *child = child_of(stop_order[parent.stopped++]);

		if (child->pid) {
			kill(child->pid, SIGTERM);
			set_timer(parent.stop_timer, STOP_STEP_MS);
			return;
		}
	}
}

/* All were told, and the time is up: SIGKILL, whose effect is not waited for without end either. */
static void
stop_by_force(void)
{
	for (size_t role = ROLE_HYPERVISOR; role < ROLE_COUNT; role++) {
		const struct child *child = child_of(role);

		if (!child->pid)
			continue;
		log_warn("child %s (pid %d) does not end; killed", name_of(role_names, (int)role),
			 (int)child->pid);
		kill(child->pid, SIGKILL);
	}
	set_timer(parent.stop_timer, STOP_KILLED_MS);
}

static void
stop_overdue(evutil_socket_t fd, short what, void *arg)
{
	int64_t since_ms = clock_mono_ms() - parent.stop_ms;

	(void)fd, (void)what, (void)arg;
	if (parent.stopped < COUNT(stop_order))
		stop_step();
	else if (since_ms < STOP_MS - 10)
		set_timer(parent.stop_timer, STOP_MS - since_ms);
	else if (since_ms < STOP_MS + STOP_KILLED_MS / 2)
		stop_by_force();
	else
		event_base_loopexit(parent.base, NULL);
}

static void
on_end(evutil_socket_t signal, short what, void *arg)
{
	(void)signal, (void)what, (void)arg;
	if (parent.stopping)
		return;
	log_info("ends");
	notify_send("STOPPING=1");
	parent.stopping = true;
	parent.stop_ms = clock_mono_ms();
	check_give_up(&parent.check);
	stop_step();
}

static void
watch_signals(void)
{
	static const struct {
		int signal;
		event_callback_fn handle;
	} signals[] = {
	    {SIGCHLD, on_child}, {SIGHUP, on_hangup}, {SIGTERM, on_end}, {SIGINT, on_end}};

	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < COUNT(signals); i++) {
		struct event *event =
		    evsignal_new(parent.base, signals[i].signal, signals[i].handle, NULL);

		if (!event || event_add(event, NULL) < 0)
			fatal("libevent refuses signal %d", signals[i].signal);
	}
}

/* Children say nothing to the parent, but that the engine may ask for what SIGHUP does. */
static void
control_received(void *arg, const struct message *message, int fd)
{
	const struct child *child = arg;

	if (child->role == ROLE_ENGINE && message->type == MSG_RELOAD_WANTED)
		on_hangup(SIGHUP, 0, NULL);
	else
		log_warn("message %d from a child is ignored", message->type);
	if (fd >= 0)
		close(fd);
}

static struct event *
new_timer(event_callback_fn handle, void *arg)
{
	struct event *timer = evtimer_new(parent.base, handle, arg);

	if (!timer)
		fatal("libevent refuses a timer");
	return timer;
}

static void
make_children(void)
{
	static const struct channel_handlers control = {.received = control_received};

	for (size_t role = ROLE_HYPERVISOR; role < ROLE_COUNT; role++) {
		struct child *child = child_of(role);

		child->role = role;
		child->control =
		    channel_new(parent.base, name_of(role_names, (int)role), &control, child);
		child->again = new_timer(child_due, child);
	}
	for (size_t role = ROLE_HYPERVISOR; role < ROLE_COUNT; role++)
		if (!child_start(child_of(role)))
			set_timer(child_of(role)->again, backoff_ms(++child_of(role)->failures));
	tell_restarts(); /* none: by this the engine knows that the agent started */
}

static void
hold_reloads(bool hold)
{
	sigset_t reload;

	sigemptyset(&reload);
	sigaddset(&reload, SIGHUP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &reload, NULL);
}

int
parent_main(const struct options *options, const char *file, const char *user)
{
	hold_reloads(true); /* it would end us, until somebody listens */
	parent.options = options;
	log_open("parent", true, options->verbose);
	launch_prepare();
	check_init(&parent.check, file);
	if (!identity_find(&parent.identity, user) || !check_now(&parent.check))
		return 1;
	parent.config = check_take(&parent.check);
	/* The engine's user could not open them; where this is none who may, it tries itself. */
	parent.icmp = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
	parent.icmp6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMPV6);
	if (!options->foreground && daemon(0, 0) < 0)
		fatal("cannot go to the background: %s", strerror(errno));
	log_open("parent", options->foreground, options->verbose);
	notify_open();
	parent.base = event_base_new();
	if (!parent.base)
		fatal("libevent gives no loop");
	parent.check_timer = new_timer(check_overdue, NULL);
	parent.stop_timer = new_timer(stop_overdue, NULL);
	watch_signals();
	hold_reloads(false);
	make_children();
	log_info("lauxend " VERSION " runs: hypervisor %d, engine %d, agentx %d",
		 (int)child_of(ROLE_HYPERVISOR)->pid, (int)child_of(ROLE_ENGINE)->pid,
		 (int)child_of(ROLE_AGENTX)->pid);
	notify_send("READY=1\nMAINPID=%d\nSTATUS=running", (int)getpid());
	event_base_dispatch(parent.base);
	return 0;
}
