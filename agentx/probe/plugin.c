/*
 * How a plugin is run: by fork and execve, as the user of this process, without a shell. A process
 * group of its own, / as its directory, no descriptor but /dev/null to read from and one pipe as
 * output and error output, PATH, HOME and LC_ALL as all its environment, signals as at a login.
 * When it has ended, is over its deadline or says too much, its whole group is killed; who left the
 * group (setsid(2)) has left it. It dies with this process too.
 *
 * Each is waited for by its pid, so that other children of this process are not disturbed.
 */
#include "probe/plugin.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "probe/internal.h"

#define KEPT 512 /* octets of output that are looked at */
#define OUTPUT_MAX 65536
#define READ_SIZE 4096
#define CHILDREN_MAX 32 /* with those that were killed: a kernel may hold them for long */
#define FREE_WAIT_MS 100

struct child {
	LIST_ENTRY(child) entry;
	struct children *children;
	struct probe *probe; /* NULL: it was killed, and only its end is waited for */
	pid_t pid;	     /* and its process group */
	int pidfd, output;
	struct event ended, readable;
	size_t size; /* of its output so far */
	char kept[KEPT];
};

struct children {
	struct event_base *base;
	LIST_HEAD(, child) list;
	unsigned count;
};

static void
output_close(struct child *child)
{
	if (child->output < 0)
		return;
	event_del(&child->readable);
	close(child->output);
	child->output = -1;
}

/* It has no attempt any more. */
static void
child_kill(struct child *child)
{
	child->probe->child = NULL;
	child->probe = NULL;
	output_close(child);
	kill(-child->pid, SIGKILL);
}

/* Its end was seen: what it left of its group is killed before its number may be another's. False:
 * somebody else took its status. */
static bool
child_reap(struct child *child, siginfo_t *info)
{
	bool rc;

	kill(-child->pid, SIGKILL);
	*info = (siginfo_t){0};
	rc = waitid(P_PID, (id_t)child->pid, info, WEXITED | WNOHANG) == 0 && info->si_pid != 0;
	output_close(child);
	event_del(&child->ended);
	close(child->pidfd);
	LIST_REMOVE(child, entry);
	child->children->count--;
	return rc;
}

/* False: it says too much. */
static bool
output_read(struct child *child)
{
	char octets[READ_SIZE];
	ssize_t length;

	while (child->output >= 0 && (length = read(child->output, octets, sizeof(octets))) != -1) {
		size_t room = child->size < KEPT ? KEPT - child->size : 0;

		if (length == 0)
			output_close(child);
		memcpy(child->kept + KEPT - room, octets,
		       (size_t)length < room ? (size_t)length : room);
		child->size += (size_t)length;
		if (child->size > OUTPUT_MAX)
			return false;
	}
	return true;
}

static void
output_ready(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;

	(void)fd, (void)what;
	if (!output_read(child))
		probe_finish(child->probe, PROBE_ERROR, -1,
			     "the plugin was killed: more than 64 KiB of output");
}

static void
child_ended(evutil_socket_t fd, short what, void *arg)
{
	struct child *child = arg;
	struct probe *probe = child->probe;
	char text[TEXT_SIZE];
	siginfo_t info;
	bool known;

	(void)fd, (void)what;
	output_read(child);
	known = child_reap(child, &info);
	plugin_first_line(child->kept, child->size < KEPT ? child->size : KEPT, text, sizeof(text));
	free(child);
	if (!probe)
		return;
	probe->child = NULL;
	if (!known) {
		probe_finish(probe, PROBE_ERROR, -1, "the plugin's exit status was lost");
		return;
	}
	if (info.si_code != CLD_EXITED)
		TEXT_FORMAT(text, "the plugin was killed by signal %d", info.si_status);
	else if (!*text && info.si_status != 0)
		TEXT_FORMAT(text, "exit status %d without a word", info.si_status);
	probe_finish(probe,
		     info.si_code == CLD_EXITED ? plugin_outcome(info.si_status) : PROBE_ERROR,
		     info.si_code == CLD_EXITED ? info.si_status : -1, text);
}

/* Between fork and execve only what is safe in a signal's handler, as threads may hold locks. */
static void __attribute__((noreturn)) child_become(char **words, int output)
{
	static char *const environment[] = {
	    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/",
	    "LC_ALL=C", NULL};
	const char *error;
	sigset_t none;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0U, 0);
	umask(022);
	if (chdir("/") == 0)
		execve(words[0], words, environment);
	error = strerrordesc_np(errno);
	if (write(STDOUT_FILENO, words[0], strlen(words[0])) < 0 ||
	    write(STDOUT_FILENO, ": ", 2) < 0 || write(STDOUT_FILENO, error, strlen(error)) < 0)
		_exit(126);
	_exit(127);
}

static pid_t
child_fork(char **words, int output)
{
	pid_t pid = process_fork();

	if (pid == 0)
		child_become(words, output);
	if (pid > 0)
		setpgid(pid, pid); /* whichever of the two comes first */
	return pid;
}

/* Forks and fills in pid, pidfd and output; false: an error, in errno. */
static bool
child_start(struct child *child, char **words)
{
	int ends[2], error;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return false;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	child->pid = child_fork(words, ends[1]);
	error = errno;
	close(ends[1]);
	child->pidfd = child->pid < 0 ? -1 : pidfd_open(child->pid, 0);
	if (child->pidfd >= 0) {
		child->output = ends[0];
		return true;
	}
	close(ends[0]);
	if (child->pid > 0) {
		error = errno;
		kill(-child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
	}
	errno = error;
	return false;
}

static void
plugin_due(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;
	char text[TEXT_SIZE];

	(void)fd, (void)what;
	if (probe_left_us(probe, false) > 0) {
		probe_wait(probe, probe_left_us(probe, false));
		return;
	}
	TEXT_FORMAT(text, "the plugin was killed after %u ms", probe->timeout_ms);
	probe_finish(probe, PROBE_SILENT, -1, text);
}

/* Lets the loop watch a child that runs. */
static void
child_watch(struct child *child, struct probe *probe)
{
	struct children *children = probe->prober->children;

	child->children = children;
	child->probe = probe;
	probe->child = child;
	LIST_INSERT_HEAD(&children->list, child, entry);
	children->count++;
	event_assign(&child->ended, children->base, child->pidfd, EV_READ, child_ended, child);
	event_assign(&child->readable, children->base, child->output, EV_READ | EV_PERSIST,
		     output_ready, child);
	event_assign(&probe->event, children->base, -1, 0, plugin_due, probe);
	if (event_add(&child->ended, NULL) < 0 || event_add(&child->readable, NULL) < 0)
		fatal("libevent refuses a plugin's events");
	probe_wait(probe, probe_left_us(probe, false));
}

static void
plugin_begin(struct probe *probe)
{
	char *words[PLUGIN_WORDS_MAX + 1];
	const char *wrong = plugin_words(probe->command, words);
	struct child *child;

	if (!wrong && probe->prober->children->count >= CHILDREN_MAX)
		wrong = "too many plugins that were killed have not ended";
	if (wrong) {
		probe_finish(probe, PROBE_ERROR, -1, wrong);
		return;
	}
	child = mem_alloc(sizeof(*child));
	if (child_start(child, words)) {
		child_watch(child, probe);
		return;
	}
	free(child);
	probe_failed(probe, "the plugin cannot be started", errno);
}

static void
plugin_stop(struct probe *probe)
{
	if (probe->child)
		child_kill(probe->child);
}

const struct probe_kind probe_plugin = {
    .pool = POOL_PLUGINS, .begin = plugin_begin, .stop = plugin_stop};

struct children *
children_new(struct event_base *base)
{
	struct children *children = mem_alloc(sizeof(*children));

	children->base = base;
	LIST_INIT(&children->list);
	return children;
}

/* Their attempts have been cancelled, so all of them were killed. */
void
children_free(struct children *children)
{
	int64_t until_ms = clock_mono_ms() + FREE_WAIT_MS;
	struct child *child;
	siginfo_t info;

	while ((child = LIST_FIRST(&children->list))) {
		struct pollfd end = {.fd = child->pidfd, .events = POLLIN};
		int64_t left_ms = until_ms - clock_mono_ms();

		poll(&end, 1, left_ms > 0 ? (int)left_ms : 0);
		child_reap(child, &info);
		free(child);
	}
	free(children);
}
