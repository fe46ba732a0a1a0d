#include "hypervisor/xen_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"

#define WORDS_MAX 16
#define OUTPUT_SIZE 16384
#define EXIT_NOT_RUN 127

static char *const environment[] = {"PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
				    "LC_ALL=C", "HOME=/root", NULL};

/* In the child. Its output goes to a file in memory, which no daemon that xl leaves can keep us
 * waiting for, as it could with a pipe. */
static void __attribute__((noreturn)) child(const char *const *words, int output, pid_t helper)
{
	char *argv[WORDS_MAX + 2] = {(char *)"xl"};
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	for (int i = 0; i < WORDS_MAX && words[i]; i++)
		argv[i + 1] = (char *)words[i];
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	/* xl must not outlive the helper, whose end makes the action's outcome unknown */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != helper || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)
		_exit(EXIT_NOT_RUN);
	/* what Xen's libraries opened is not all close-on-exec */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	environ = (char **)environment;
	execvp("xl", argv);
	dprintf(2, "xl cannot be run: %s. Is xen-utils installed?\n", strerror(errno));
	_exit(EXIT_NOT_RUN);
}

static void
read_complaint(int output, int status, char *error)
{
	char text[OUTPUT_SIZE];
	ssize_t r = pread(output, text, sizeof(text) - 1, 0);

	text[r > 0 ? r : 0] = '\0';
	for (char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		log_debug("xl: %.*s", (int)strcspn(p, "\n"), p);
	xen_parse_complaint(text, error);
	if (!*error)
		text_format(error, TEXT_SIZE, "xl failed with status %d and said nothing", status);
}

/* Whether pid ended in time. A pidfd is readable then. */
static bool
ends_in(pid_t pid, uint32_t limit_ms)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0), r;
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return false;
	do
		r = poll(&wait, 1, (int)limit_ms);
	while (r < 0 && errno == EINTR);
	close(fd);
	return r > 0;
}

static int
wait_status(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
xen_xl(const char *const *words, uint32_t limit_ms, char *error)
{
	int output = memfd_create("xl", MFD_CLOEXEC);
	pid_t helper = getpid(), pid = output < 0 ? -1 : fork();
	bool late;
	int status;

	*error = '\0';
	if (pid == 0)
		child(words, output, helper);
	if (pid < 0) {
		text_format(error, TEXT_SIZE, "xl cannot be run: %s", strerror(errno));
		if (output >= 0)
			close(output);
		return -1;
	}
	late = limit_ms && !ends_in(pid, limit_ms);
	if (late)
		kill(pid, SIGKILL);
	status = wait_status(pid);
	if (status && late)
		text_format(error, TEXT_SIZE, "xl %s took more than %g s", words[0],
			    limit_ms / 1000.0);
	else if (status)
		read_complaint(output, status, error);
	close(output);
	return status == EXIT_NOT_RUN ? -1 : status;
}
