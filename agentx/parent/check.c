#include "parent/check.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define OUTPUT_MAX 16384 /* octets of it that are looked at */

void
check_init(struct check *check, const char *file, const struct identity *identity)
{
	*check = (struct check){.file = file, .identity = identity, .output = -1};
}

void
check_dispose(struct check *check)
{
	if (check->output >= 0)
		close(check->output);
	check_init(check, check->file, check->identity);
}

/* What is said goes to memory: no reader is needed, and the process never waits for one. */
static bool
check_launch(struct check *check)
{
	char *argv[] = {"lauxend", "-n", "-f", (char *)check->file, NULL};
	struct launch how = {.argv = argv, .control = -1};

	if (check->output >= 0)
		close(check->output);
	check->output = memfd_create("lauxend -n", MFD_CLOEXEC);
	if (check->output < 0) {
		log_error("cannot check the configuration: memfd_create: %s", strerror(errno));
		return false;
	}
	how.output = check->output;
	how.identity = check->second ? check->identity : NULL;
	check->pid = launch(&how);
	if (check->pid < 0)
		check->pid = 0;
	return check->pid > 0;
}

bool
check_start(struct check *check)
{
	check_dispose(check);
	return check_launch(check);
}

enum check_result
check_ended(struct check *check, int status)
{
	check->pid = 0;
	if (check->late || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return CHECK_BAD;
	if (check->second || !check->identity->switches)
		return CHECK_GOOD;
	check->second = true;
	return check_launch(check) ? CHECK_GOES_ON : CHECK_BAD;
}

static void
check_read(const struct check *check, char text[OUTPUT_MAX])
{
	ssize_t length = check->output < 0 ? 0 : pread(check->output, text, OUTPUT_MAX - 1, 0);

	text[length > 0 ? length : 0] = '\0';
}

void
check_error(const struct check *check, char *text, size_t size, int *more)
{
	char output[OUTPUT_MAX], *rest;

	*more = 0;
	if (check->late) {
		text_format(text, size, "%s: checking it took over %d s", check->file,
			    CHECK_MS / 1000);
		return;
	}
	check_read(check, output);
	rest = output + strcspn(output, "\n");
	for (char *p = rest; (p = strchr(p, '\n')) && p[1]; p++)
		++*more;
	*rest = '\0';
	if (*output)
		text_set(text, size, output);
	else
		text_format(text, size, "%s: the check of it failed without a word", check->file);
}

void
check_give_up(struct check *check)
{
	if (check->pid > 0)
		kill(check->pid, SIGKILL);
	check->late = true;
}

/* Waits for the end of the process, but not for ever. */
static int
check_wait(struct check *check)
{
	struct pollfd wait = {.fd = pidfd_open(check->pid, 0), .events = POLLIN};
	int64_t deadline_ms = clock_mono_ms() + CHECK_MS;
	int status = 0, r;

	do
		r = poll(&wait, 1, (int)(deadline_ms - clock_mono_ms()));
	while (r < 0 && errno == EINTR && clock_mono_ms() < deadline_ms);
	if (r <= 0)
		check_give_up(check);
	if (wait.fd >= 0)
		close(wait.fd);
	while (waitpid(check->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

bool
check_now(const char *file, const struct identity *identity)
{
	enum check_result result = CHECK_BAD;
	char output[OUTPUT_MAX];
	struct check check;

	check_init(&check, file, identity);
	if (check_start(&check))
		do
			result = check_ended(&check, check_wait(&check));
		while (result == CHECK_GOES_ON);
	if (result == CHECK_BAD) {
		check_read(&check, output);
		fputs(output, stderr);
		log_error("%s: not started, because the configuration is not usable", file);
	}
	check_dispose(&check);
	return result == CHECK_GOOD;
}
