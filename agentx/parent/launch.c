#include "parent/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"

bool
identity_find(struct identity *identity, const char *user)
{
	const struct passwd *entry;

	*identity = (struct identity){0};
	if (geteuid() != 0)
		return true;
	entry = getpwnam(user);
	if (!entry) {
		log_error("there is no user %s for engine and agentx to run as; create it (useradd "
			  "--system %s) or name another with -u",
			  user, user);
		return false;
	}
	if (entry->pw_uid == 0) {
		log_warn("engine and agentx run as root, as -u says: good for tests only");
		return true;
	}
	*identity = (struct identity){.switches = true, .uid = entry->pw_uid, .gid = entry->pw_gid};
	TEXT_SET(identity->user, entry->pw_name);
	return true;
}

/* That all three ids are these and there is no way back. */
static bool
identity_holds(const struct identity *identity)
{
	uid_t uid[3];
	gid_t gid[3];

	if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
		return false;
	for (int i = 0; i < 3; i++)
		if (uid[i] != identity->uid || gid[i] != identity->gid)
			return false;
	return setresuid((uid_t)-1, 0, (uid_t)-1) < 0;
}

static bool
identity_take(const struct identity *identity)
{
	if (initgroups(identity->user, identity->gid) < 0 ||
	    setresgid(identity->gid, identity->gid, identity->gid) < 0 ||
	    setresuid(identity->uid, identity->uid, identity->uid) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		log_error("cannot become user %s: %s", identity->user, strerror(errno));
		return false;
	}
	if (!identity_holds(identity)) {
		log_error("did not become user %s, though the kernel says so", identity->user);
		return false;
	}
	return true;
}

/* Each gets its number; all are first moved to where they are in nobody's way. */
static bool
place_descriptors(const struct launch *how)
{
	int from[] = {[STDIN_FILENO] = open("/dev/null", O_RDWR | O_CLOEXEC),
		      [STDOUT_FILENO] = how->output,
		      [STDERR_FILENO] = how->errors,
		      [PROCESS_CONTROL_FD] = how->control,
		      [PROCESS_CONFIG_FD] = how->config,
		      [PROCESS_ICMP_FD] = how->icmp,
		      [PROCESS_ICMP6_FD] = how->icmp6};
	const int count = sizeof(from) / sizeof(from[0]);

	if (from[STDIN_FILENO] < 0)
		return false;
	for (int to = 0; to < count; to++)
		if (from[to] >= 0 && (from[to] = fcntl(from[to], F_DUPFD_CLOEXEC, count)) < 0)
			return false;
	close_range(STDERR_FILENO + 1, (unsigned)count - 1, 0);
	for (int to = 0; to < count; to++)
		if (from[to] >= 0 && dup2(from[to], to) < 0)
			return false;
	return close_range((unsigned)count, ~0u, 0) == 0;
}

/* In the new process. exec resets the handlers of signals, but keeps what is ignored or blocked. */
static void
become(const struct launch *how)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	setpgid(0, 0);
	umask(027);
	if (how->identity && how->identity->switches && !identity_take(how->identity))
		return;
	if (!place_descriptors(how)) {
		log_error("cannot arrange a child's descriptors: %s", strerror(errno));
		return;
	}
	execv("/proc/self/exe", how->argv);
	log_error("cannot start itself by /proc/self/exe: %s", strerror(errno));
}

pid_t
launch(const struct launch *how)
{
	pid_t pid = fork();

	if (pid == 0) {
		become(how);
		_exit(127);
	}
	if (pid < 0)
		log_error("cannot fork: %s", strerror(errno));
	return pid;
}

void
launch_prepare(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= STDERR_FILENO);
	close_range(STDERR_FILENO + 1, ~0u, 0);
}
