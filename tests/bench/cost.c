/*
 * Runs a command with no input and its output thrown away, and prints what it took.
 *
 * usage: cost COMMAND [ARGUMENT...]     prints "ms=WALL cpu_ms=USED rss_kib=PEAK"
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static void
become(char **command)
{
	int null = open("/dev/null", O_RDWR);

	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	execvp(command[0], command);
	_exit(127);
}

static double
ms(struct timeval time)
{
	return (double)time.tv_sec * 1e3 + (double)time.tv_usec / 1e3;
}

int
main(int argc, char **argv)
{
	int64_t begin_us = clock_mono_us();
	struct rusage used;
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: %s COMMAND [ARGUMENT...]\n", argv[0]);
		return 2;
	}
	pid = fork();
	if (pid == 0)
		become(argv + 1);
	if (pid < 0 || wait4(pid, &status, 0, &used) != pid || !WIFEXITED(status)) {
		perror(argv[1]);
		return 2;
	}
	printf("ms=%.2f cpu_ms=%.2f rss_kib=%ld\n", (double)(clock_mono_us() - begin_us) / 1e3,
	       ms(used.ru_utime) + ms(used.ru_stime), used.ru_maxrss);
	return WEXITSTATUS(status);
}
