/*
 * For the tests of the prober: a prober with its loop, the results that came, servers that are
 * served by the same loop, and a network namespace of the test's own where the system gives one:
 * there it may do all with addresses, ports and ICMP.
 */
#ifndef TESTS_PROBE_RUN_H
#define TESTS_PROBE_RUN_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/internal.h"

#define RUN_LIMIT_MS 20000
#define RUN_RESULTS 4096

static struct {
	struct event_base *base;
	struct prober *prober;
	struct event *pulse; /* so that no turn of the loop lasts */
	bool alone;	     /* in a network namespace of its own */
	bool starting;	     /* no result may come now */
	void (*hook)(const struct probe_result *result);
	size_t count;
	struct probe_result results[RUN_RESULTS]; /* by tag */
} run;

static void
run_done(void *arg, const struct probe_result *result)
{
	assert_ptr_equal(arg, &run);
	assert_false(run.starting);
	assert_true(result->tag < RUN_RESULTS);
	assert_int_equal(run.results[result->tag].outcome, 0); /* one attempt, one result */
	run.results[result->tag] = *result;
	run.count++;
	if (run.hook)
		run.hook(result);
}

static void
run_pulse(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static int
run_setup(void **state)
{
	static const struct timeval pulse = {.tv_usec = 20000};

	(void)state;
	memset(run.results, 0, sizeof(run.results));
	run.count = 0;
	run.hook = NULL;
	run.base = event_base_new();
	run.prober = prober_new(run.base, -1, -1, run_done, &run);
	run.pulse = event_new(run.base, -1, EV_PERSIST, run_pulse, NULL);
	event_add(run.pulse, &pulse);
	return 0;
}

static int
run_teardown(void **state)
{
	(void)state;
	prober_free(run.prober);
	event_free(run.pulse);
	event_base_free(run.base);
	return 0;
}

static inline void
run_start(const struct probe_target *target, uint64_t tag)
{
	run.starting = true;
	prober_start(run.prober, target, tag);
	run.starting = false;
}

/* Runs the loop until so many results have come in all. */
static inline void
run_until(size_t count)
{
	int64_t limit_ms = clock_mono_ms() + RUN_LIMIT_MS;

	while (run.count < count) {
		if (clock_mono_ms() > limit_ms)
			fail_msg("%zu of %zu results in %d ms", run.count, count, RUN_LIMIT_MS);
		event_base_loop(run.base, EVLOOP_ONCE);
	}
}

/* One turn of the loop: what waits begins, and no answer to it is looked at yet. */
static inline void
run_turn(void)
{
	event_base_loop(run.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

/* Runs the loop for that long. */
static inline void
run_for(int64_t ms)
{
	int64_t until_ms = clock_mono_ms() + ms;

	while (clock_mono_ms() < until_ms)
		event_base_loop(run.base, EVLOOP_ONCE);
}

/* Lets time pass without the loop, as when its process is busy. */
static inline void
run_not(long ms)
{
	struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&pause, NULL);
}

/* One attempt, alone. */
static inline struct probe_result
run_probe(const struct probe_target *target)
{
	size_t tag = run.count;

	run_start(target, tag);
	run_until(tag + 1);
	return run.results[tag];
}

static inline void
expect(const struct probe_target *target, enum probe_outcome outcome, const char *text)
{
	struct probe_result result = run_probe(target);

	if (result.outcome != outcome || strcmp(result.text, text) != 0) {
		/* not by fail_msg(), whose text cmocka's TAP leaves out */
		printf("# %s: \"%s\", and not %s: \"%s\"\n",
		       name_of(probe_outcome_names, (int)result.outcome), result.text,
		       name_of(probe_outcome_names, outcome), text);
		fail();
	}
	assert_true(result.latency_us < RUN_LIMIT_MS * 1000);
}

static void
file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* At the begin of the program. Where it may not, run.alone stays false. */
static inline void
run_alone(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	unsigned uid = geteuid(), gid = getegid();
	char map[32];
	int fd;

	if (unshare(uid == 0 ? CLONE_NEWNET : CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		fprintf(stderr, "# no network namespace: %s\n", strerror(errno));
		return;
	}
	if (uid != 0) {
		file_write("/proc/self/setgroups", "deny");
		snprintf(map, sizeof(map), "0 %u 1", uid);
		file_write("/proc/self/uid_map", map);
		snprintf(map, sizeof(map), "0 %u 1", gid);
		file_write("/proc/self/gid_map", map);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	run.alone = ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
	close(fd);
}

/* Ends the test as skipped where it has no network of its own. */
static inline void
needs_alone(void)
{
	if (run.alone)
		return;
	print_message("# needs a network namespace of its own\n");
	skip();
}

/* A socket on that address and a port by the kernel, or at that port. */
static inline int
server_open(int type, const char *address, uint16_t port)
{
	union probe_address at;
	int fd, one = 1;

	assert_true(address_parse(&at, address, port));
	fd = socket(at.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &at.any, address_size(&at)) < 0)
		fail_msg("%s: %s", address, strerror(errno));
	return fd;
}

static inline uint16_t
server_port(int fd)
{
	return ntohs(address_own(fd).v4.sin_port);
}

/* Serves fd by handler, whose arg is NULL, until server_close(). */
static inline struct event *
server_start(int fd, event_callback_fn handler)
{
	struct event *event = event_new(run.base, fd, EV_READ | EV_PERSIST, handler, NULL);

	event_add(event, NULL);
	return event;
}

static inline void
server_stop(struct event *event)
{
	int fd = event_get_fd(event);

	event_free(event);
	close(fd);
}

#endif
