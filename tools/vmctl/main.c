#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tools/vmctl/vmctl.h"

/* Rows on disk are renewed when they are older than that: of a large fleet that is much to write.
 */
#define CACHE_AGE_MS 600 /* for each host ... */
#define CACHE_AGE_MOST_MS 60000

static void
print_error(void *arg, const char *error)
{
	(void)arg;
	fprintf(stderr, "vmctl: %s\n", error);
	error_keep(error);
}

/* A socket for each host. */
static void
raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int64_t
cache_age_ms(const struct vmctl *vmctl)
{
	int64_t age_ms = (int64_t)vmctl_hosts_count(vmctl) * CACHE_AGE_MS;

	return age_ms < CACHE_AGE_MOST_MS ? age_ms : CACHE_AGE_MOST_MS;
}

/*
 * What a monitoring system is to see of a wrong word, option or configuration, and whether all that
 * was printed could be written; the exit status. stdio remembers an earlier failure without its
 * reason.
 */
static int
output_finish(const struct command *command, int status)
{
	bool check = command && command->run == cmd_check;
	int r;

	if (check && status == EXIT_USAGE && *error_kept())
		check_unknown(error_kept());
	errno = 0;
	r = fflush(stdout);
	if (r == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "vmctl: what it printed could not be written%s%s\n", r ? ": " : "",
		r ? strerror(errno) : "");
	return check ? EXIT_USAGE : EXIT_NONE;
}

int
main(int argc, char **argv)
{
	static char buffer[32768]; /* stdio's own is full after some 40 VMs */
	struct context context = {.options = {.since = -1, .last = -1, .retries = -1}};
	const struct command *command = NULL;
	int status;

	context.options.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
	status = arguments_read(&context, argc, argv, &command);
	if (status != 0)
		return output_finish(command, status < 0 ? EXIT_ALL : status);
	signal(SIGPIPE, SIG_DFL);
	/* net-snmp takes and gives back 64 KiB for each packet. */
	mallopt(M_TRIM_THRESHOLD, 1 << 20);
	mallopt(M_TOP_PAD, 1 << 16);
	if (!context.options.follow && !isatty(STDOUT_FILENO))
		setvbuf(stdout, buffer, _IOFBF, sizeof(buffer));
	raise_files();
	context.vmctl = vmctl_new(NULL);
	if (!vmctl_load(context.vmctl, context.options.file, print_error, NULL)) {
		vmctl_free(context.vmctl);
		return output_finish(command, EXIT_USAGE);
	}
	vmctl_set_timeout(context.vmctl, context.options.timeout_ms, context.options.retries);
	status = output_finish(command, command->run(&context));
	vmctl_cache_write(context.vmctl, cache_age_ms(context.vmctl));
	vmctl_free(context.vmctl);
	free(context.options.hosts);
	free(context.hosts);
	return status;
}
