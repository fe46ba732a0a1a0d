/*
 * Which domains have an xl monitor. `xl create` and `xl restore` without -e stay behind as a daemon
 * that acts on the domain's death. Neither xenstore nor libxl knows of it, and its arguments name a
 * file, not a domain. But its output goes to a log of its own, .../xl-NAME.log, and the last line
 * there that says "Waiting for domain NAME (domid N) to die [pid P]" with its own pid names the
 * domain, also after a reboot has changed the domid. The log is opened through the daemon's
 * descriptor, so that one that was rotated meanwhile is still the right one. Where that line is not
 * there, the log's name decides. An `xl create -F` by hand, on a terminal, is not recognised.
 */
#include "hypervisor/xen_driver.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

#define LOG_TAIL 4096

/* proc: /proc. All processes are asked, so with as few calls as it takes. */
static bool
is_xl(int proc, const char *pid)
{
	char path[32], name[4] = "";
	int fd;
	ssize_t r;

	snprintf(path, sizeof(path), "%.16s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	r = read(fd, name, sizeof(name));
	close(fd);
	return r == 3 && !memcmp(name, "xl\n", 3);
}

/* Anybody may call a program xl. The owner of files in /proc does not tell (proc(5), dumpable). */
static bool
is_roots(int proc, const char *pid)
{
	char path[32], line[128];
	unsigned uid = 1;
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), "%.16s/status", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	file = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file) && sscanf(line, "Uid: %u", &uid) != 1)
		;
	fclose(file);
	return uid == 0;
}

/* The end of the file that is open at path; "" where it is no plain file. */
static void
read_tail(const char *path, char text[LOG_TAIL + 1])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat stat;
	ssize_t r = 0;

	if (fd >= 0) {
		if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode))
			r = pread(fd, text, LOG_TAIL,
				  stat.st_size > LOG_TAIL ? stat.st_size - LOG_TAIL : 0);
		close(fd);
	}
	text[r > 0 ? r : 0] = '\0';
}

static bool
read_monitor(long pid, struct xen_monitor *monitor)
{
	char output[64], target[512], log[LOG_TAIL + 1];
	ssize_t r;

	snprintf(output, sizeof(output), "/proc/%ld/fd/1", pid);
	r = readlink(output, target, sizeof(target) - 1);
	if (r < 0)
		return false;
	target[r] = '\0';
	*monitor = (struct xen_monitor){0};
	if (!xen_parse_log_name(target, monitor->name))
		return false;
	read_tail(output, log);
	monitor->domid = xen_parse_waiting(log, pid);
	return true;
}

int
xen_monitors_read(struct xen_monitors *monitors)
{
	DIR *dir = opendir("/proc");
	struct xen_monitors found = {0};
	struct dirent *entry;

	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		struct xen_monitor one;
		long pid = isdigit((unsigned char)*entry->d_name) ? atol(entry->d_name) : 0;

		if (pid < 1 || !is_xl(dirfd(dir), entry->d_name) ||
		    !is_roots(dirfd(dir), entry->d_name) || !read_monitor(pid, &one))
			continue;
		found.list = mem_resize(found.list, found.count + 1, sizeof(*found.list));
		found.list[found.count++] = one;
	}
	closedir(dir);
	xen_monitors_dispose(monitors);
	*monitors = found;
	return 0;
}

bool
xen_monitors_have(const struct xen_monitors *monitors, uint32_t domid, const char *name)
{
	for (size_t i = 0; i < monitors->count; i++) {
		const struct xen_monitor *one = &monitors->list[i];

		if (one->domid ? one->domid == domid : !strcmp(one->name, name))
			return true;
	}
	return false;
}

void
xen_monitors_dispose(struct xen_monitors *monitors)
{
	free(monitors->list);
	*monitors = (struct xen_monitors){0};
}
