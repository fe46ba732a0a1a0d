#include "parent/check.h"

#include <errno.h>
#include <fcntl.h>
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
#include "parent/launch.h"

#define ERRORS_MAX 16384 /* octets of them that are looked at */
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void
check_init(struct check *check, const char *file)
{
	*check = (struct check){.file = file, .text = -1, .errors = -1};
}

void
check_dispose(struct check *check)
{
	if (check->text >= 0)
		close(check->text);
	if (check->errors >= 0)
		close(check->errors);
	check_init(check, check->file);
}

/* What is said goes to memory: no reader is needed, and the process never waits for one. */
bool
check_start(struct check *check, int running)
{
	char *argv[] = {
	    "lauxend", "-nv", "-f", (char *)check->file, running < 0 ? NULL : "--running", NULL};
	struct launch how = {
	    .argv = argv, .control = -1, .config = running, .icmp = -1, .icmp6 = -1};

	check_dispose(check);
	check->text = memfd_create("lauxend configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	check->errors = memfd_create("lauxend errors", MFD_CLOEXEC);
	if (check->text < 0 || check->errors < 0) {
		log_error("cannot check the configuration: memfd_create: %s", strerror(errno));
		return false;
	}
	how.output = check->text;
	how.errors = check->errors;
	check->pid = launch(&how);
	if (check->pid < 0)
		check->pid = 0;
	return check->pid > 0;
}

bool
check_ended(struct check *check, int status)
{
	check->pid = 0;
	if (check->late || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return false;
	if (fcntl(check->text, F_ADD_SEALS, SEALS) == 0)
		return true;
	log_error("cannot seal the configuration: %s", strerror(errno));
	return false;
}

int
check_take(struct check *check)
{
	int text = check->text;

	check->text = -1;
	return text;
}

static void
check_read(const struct check *check, char text[ERRORS_MAX])
{
	ssize_t length = check->errors < 0 ? 0 : pread(check->errors, text, ERRORS_MAX - 1, 0);

	text[length > 0 ? length : 0] = '\0';
}

void
check_error(const struct check *check, char *text, size_t size, int *more)
{
	char errors[ERRORS_MAX], *rest;

	*more = 0;
	if (check->late) {
		text_format(text, size, "%s: checking it took over %d s", check->file,
			    CHECK_MS / 1000);
		return;
	}
	check_read(check, errors);
	rest = errors + strcspn(errors, "\n");
	for (char *p = rest; (p = strchr(p, '\n')) && p[1]; p++)
		++*more;
	*rest = '\0';
	if (*errors)
		text_set(text, size, errors);
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
check_now(struct check *check)
{
	char errors[ERRORS_MAX], error[1024];
	int more;

	if (check_start(check, -1) && check_ended(check, check_wait(check)))
		return true;
	check_read(check, errors);
	check_error(check, error, sizeof(error), &more);
	if (more > 0)
		fputs(errors, stderr);
	else
		fprintf(stderr, "%s\n", error);
	log_error("%s: not started, because the configuration is not usable", check->file);
	return false;
}
