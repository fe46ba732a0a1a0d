#include "base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <syslog.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/log.h"

static struct {
	struct event_base *base;
	struct channel *control;
	const struct process_handlers *handlers;
	void *arg;
} process;

static void
process_reload(int fd)
{
	if (fd < 0)
		log_error("a new configuration did not arrive; the old one stays");
	else if (process.handlers->reload(process.arg, fd) &&
		 dup3(fd, PROCESS_CONFIG_FD, O_CLOEXEC) < 0)
		log_error("the new configuration cannot be kept: %s", strerror(errno));
}

static void
process_received(void *arg, const struct message *message, int fd)
{
	const struct process_handlers *handlers = process.handlers;
	const char *text = (const char *)message->body;

	(void)arg;
	switch (message->type) {
	case MSG_PEER:
		if (fd >= 0)
			handlers->peer(process.arg, message->detail, fd);
		return;
	case MSG_RELOAD:
		process_reload(fd);
		break;
	case MSG_RELOAD_REFUSED:
		if (handlers->reload_refused && memchr(text, 0, message->size))
			handlers->reload_refused(process.arg, text);
		break;
	case MSG_RESTARTS:
		if (handlers->restarts && message->size == sizeof(struct restarts))
			handlers->restarts(process.arg, (const struct restarts *)message->body);
		break;
	default:
		log_warn("message %d from the parent is unknown", message->type);
	}
	if (fd >= 0)
		close(fd);
}

static void
process_end(void *arg)
{
	(void)arg;
	event_base_loopexit(process.base, NULL);
}

static void
process_signal(evutil_socket_t signal, short what, void *arg)
{
	(void)signal, (void)what;
	process_end(arg);
}

struct event_base *
process_init(enum role role, const struct options *options, const struct process_handlers *handlers,
	     void *arg)
{
	static const struct channel_handlers control = {.received = process_received,
							.closed = process_end};
	static const int ends[] = {SIGTERM, SIGINT};

	log_open(name_of(role_names, role), options->foreground, options->verbose);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* the parent's; it tells us by a message */
	process.handlers = handlers;
	process.arg = arg;
	process.base = event_base_new();
	if (!process.base)
		fatal("libevent gives no loop");
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct event *event = evsignal_new(process.base, ends[i], process_signal, NULL);

		if (!event || event_add(event, NULL) < 0)
			fatal("libevent refuses signal %d", ends[i]);
	}
	process.control = channel_new(process.base, "control", &control, NULL);
	channel_attach(process.control, PROCESS_CONTROL_FD);
	fcntl(PROCESS_CONFIG_FD, F_SETFD, FD_CLOEXEC);
	return process.base;
}

int
process_take_socket(int fd, int protocol)
{
	socklen_t size = sizeof(int);
	int of;

	if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &of, &size) < 0 || of != protocol)
		return -1;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? -1 : fd;
}

pid_t
process_fork(void)
{
	sigset_t all, before;
	pid_t pid;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid != 0)
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return pid;
}

void
process_fork_begin(const struct options *options, const char *title, const char *role, int keep)
{
	static const int back[] = {SIGTERM, SIGINT, SIGCHLD, SIGHUP};
	sigset_t none;

	prctl(PR_SET_NAME, title);
	for (size_t i = 0; i < sizeof(back) / sizeof(back[0]); i++)
		signal(back[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	closelog(); /* before its descriptor becomes another's */
	if (keep > 3)
		close_range(3, (unsigned)keep - 1, 0);
	close_range(keep < 3 ? 3 : (unsigned)keep + 1, ~0u, 0);
	log_open(role, options->foreground, options->verbose);
}

void
process_ask_reload(void)
{
	channel_send(process.control, MSG_RELOAD_WANTED, 0, NULL, 0);
}

int
process_run(void)
{
	event_base_dispatch(process.base);
	if (process.handlers->stop)
		process.handlers->stop(process.arg);
	log_debug("ends");
	return 0;
}
