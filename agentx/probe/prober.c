#include "probe/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define SOCKETS_MIN 8
#define SOCKETS_MAX 8192

/* How many attempts may be under way, and how many begin before the loop looks for answers, and
 * does what else it has to do: a fork takes milliseconds. */
static const struct {
	unsigned limit, turn;
} pools[POOL_COUNT] = {
    [POOL_SOCKETS] = {SOCKETS_MAX, 64},
    [POOL_ICMP] = {1024, 64},
    [POOL_PLUGINS] = {16, 1},
};

static const struct probe_kind *const kinds[] = {
    [SERVICE_TCP] = &probe_tcp,
    [SERVICE_UDP] = &probe_udp,
    [SERVICE_ICMP] = &probe_icmp,
    [SERVICE_PLUGIN] = &probe_plugin,
};

static struct probe_list *
bucket(struct prober *prober, uint64_t tag)
{
	/* Fibonacci hashing: the high bits of the product are well mixed. */
	return &prober->tags[(tag * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
}
_Static_assert(TAG_BUCKETS == 1 << (64 - 54), "bucket() gives that many");

static unsigned
sockets_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 2 < SOCKETS_MIN)
		return SOCKETS_MIN;
	return limit.rlim_cur / 2 > SOCKETS_MAX ? SOCKETS_MAX : (unsigned)limit.rlim_cur / 2;
}

/* Begins what waits, in the loop's next turn. */
static void
prober_wake(struct prober *prober)
{
	static const struct timeval now;

	/* A timer, as what is activated by hand is served before the loop looks at any socket. */
	if (!event_pending(prober->turn, EV_TIMEOUT, NULL))
		event_add(prober->turn, &now);
}

/* Out of all lists; what it took is given back. */
static void
probe_drop(struct probe *probe)
{
	struct prober *prober = probe->prober;
	enum pool_kind pool = probe->kind->pool;

	LIST_REMOVE(probe, by_tag);
	if (!probe->begun) {
		TAILQ_REMOVE(&prober->pools[pool].queue, probe, next);
	} else {
		if (probe->kind->stop)
			probe->kind->stop(probe);
		if (event_initialized(&probe->event))
			event_del(&probe->event);
		if (probe->fd >= 0)
			close(probe->fd);
		prober->pools[pool].begun--;
		if (!TAILQ_EMPTY(&prober->pools[pool].queue))
			prober_wake(prober);
	}
	free(probe->command);
	free(probe);
}

void
probe_finish(struct probe *probe, enum probe_outcome outcome, int status, const char *text)
{
	struct prober *prober = probe->prober;
	struct probe_result result = {
	    .tag = probe->tag,
	    .outcome = outcome,
	    .latency_us = (uint32_t)(clock_mono_us() - probe->begun_us),
	    .status = status,
	};

	TEXT_SET(result.text, text);
	probe_drop(probe);
	prober->done(prober->arg, &result);
}

void
probe_up(struct probe *probe)
{
	probe_finish(probe, PROBE_UP, -1, "");
}

void
probe_silent(struct probe *probe)
{
	char text[TEXT_SIZE];

	TEXT_FORMAT(text, "no answer in %u ms", probe->timeout_ms);
	probe_finish(probe, PROBE_SILENT, -1, text);
}

void
probe_failed(struct probe *probe, const char *call, int error)
{
	char text[TEXT_SIZE];

	if (error == ECONNREFUSED) {
		probe_refused(probe, error);
		return;
	}
	TEXT_FORMAT(text, "%s: %s", call, strerror(error));
	probe_finish(probe, PROBE_ERROR, -1, text);
}

void
probe_refused(struct probe *probe, int error)
{
	/* What an ICMP message becomes (icmp_err_convert in Linux' net/ipv4/icmp.c, and
	 * icmpv6_err_convert in net/ipv6/icmp.c), and a TCP reset. */
	static const int words[] = {ECONNREFUSED, ECONNRESET,  EHOSTUNREACH, ENETUNREACH, EHOSTDOWN,
				    ENONET,	  ENOPROTOOPT, EOPNOTSUPP,   EACCES,	  EPROTO};
	enum probe_outcome outcome = error == ETIMEDOUT ? PROBE_SILENT : PROBE_ERROR;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (words[i] == error)
			outcome = PROBE_DOWN;
	probe_finish(probe, outcome, -1, strerror(error));
}

int64_t
probe_left_us(const struct probe *probe, bool half)
{
	return probe->begun_us + (int64_t)probe->timeout_ms * (half ? 500 : 1000) - clock_mono_us();
}

void
probe_wait(struct probe *probe, int64_t left_us)
{
	struct timeval left = {0};

	if (left_us > 0)
		left = (struct timeval){.tv_sec = left_us / 1000000, .tv_usec = left_us % 1000000};
	if (event_add(&probe->event, &left) < 0)
		fatal("libevent refuses an attempt's event");
}

bool
probe_open(struct probe *probe, int type, short what, event_callback_fn handler)
{
	probe->fd = socket(probe->to.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (probe->fd < 0) {
		probe_failed(probe, "socket", errno);
		return false;
	}
	event_assign(&probe->event, probe->prober->base, probe->fd, what, handler, probe);
	return true;
}

static void
probe_begin(struct probe *probe)
{
	const struct probe_kind *kind = probe->kind;

	probe->begun = true;
	probe->begun_us = clock_mono_us();
	if (kind->has_address && probe->to.any.sa_family == AF_UNSPEC)
		probe_finish(probe, PROBE_ERROR, -1, "not an IPv4 or IPv6 address");
	else if (kind->has_port && probe->to.v4.sin_port == 0)
		probe_finish(probe, PROBE_ERROR, -1, "no port");
	else
		kind->begin(probe);
}

/* Who asked has given it up, and may have asked anew: what it would say is of no use. */
static bool
probe_is_stale(const struct probe *probe)
{
	return clock_mono_us() - probe->begun_us >
	       (probe->timeout_ms + PROBE_PATIENCE_MS) * INT64_C(1000);
}

/* Of a pool's queue the first that is worth its while; those before it end. NULL: there is none. */
static struct probe *
prober_next(struct prober *prober, size_t pool)
{
	struct probe *probe;

	while ((probe = TAILQ_FIRST(&prober->pools[pool].queue)) && probe_is_stale(probe))
		probe_finish(probe, PROBE_ERROR, -1, "too many attempts are under way");
	return probe;
}

static void
prober_turn(evutil_socket_t fd, short what, void *arg)
{
	struct prober *prober = arg;
	struct probe *probe;

	(void)fd, (void)what;
	event_base_update_cache_time(prober->base); /* deadlines count from now */
	for (size_t i = 0; i < POOL_COUNT; i++) {
		unsigned left = pools[i].turn;

		while ((probe = prober_next(prober, i)) &&
		       prober->pools[i].begun < prober->pools[i].limit) {
			if (left-- == 0) {
				prober_wake(prober);
				break;
			}
			TAILQ_REMOVE(&prober->pools[i].queue, probe, next);
			prober->pools[i].begun++;
			probe_begin(probe);
		}
	}
}

struct prober *
prober_new(struct event_base *base, int icmp_fd, int icmp6_fd,
	   void (*done)(void *arg, const struct probe_result *result), void *arg)
{
	struct prober *prober = mem_alloc(sizeof(*prober));

	*prober = (struct prober){.base = base,
				  .done = done,
				  .arg = arg,
				  .turn = event_new(base, -1, 0, prober_turn, prober),
				  .pinger = pinger_new(base, icmp_fd, icmp6_fd),
				  .children = children_new(base)};
	if (!prober->turn)
		fatal("libevent refuses a timer");
	for (size_t i = 0; i < POOL_COUNT; i++) {
		TAILQ_INIT(&prober->pools[i].queue);
		prober->pools[i].limit = pools[i].limit;
	}
	prober->pools[POOL_SOCKETS].limit = sockets_limit();
	return prober;
}

void
prober_free(struct prober *prober)
{
	struct probe *probe;

	for (size_t i = 0; i < TAG_BUCKETS; i++)
		while ((probe = LIST_FIRST(&prober->tags[i])))
			probe_drop(probe);
	children_free(prober->children);
	pinger_free(prober->pinger);
	event_free(prober->turn);
	free(prober);
}

static uint32_t
timeout_within(uint32_t ms)
{
	return ms < 1 ? 1 : ms > PROBE_TIMEOUT_MAX_MS ? PROBE_TIMEOUT_MAX_MS : ms;
}

void
prober_start(struct prober *prober, const struct probe_target *target, uint64_t tag)
{
	struct probe *probe = mem_alloc(sizeof(*probe));

	if (target->kind >= sizeof(kinds) / sizeof(*kinds) || !kinds[target->kind])
		fatal("a service of kind %u cannot be probed", target->kind);
	probe->prober = prober;
	probe->kind = kinds[target->kind];
	probe->tag = tag;
	probe->fd = -1;
	probe->begun_us = clock_mono_us();
	probe->payload = (uint8_t)target->payload;
	probe->timeout_ms = timeout_within(target->timeout_ms);
	if (probe->kind->has_address)
		address_parse(&probe->to, target->address,
			      probe->kind->has_port ? target->port : 0);
	else
		probe->command = mem_string(target->command);
	LIST_INSERT_HEAD(bucket(prober, tag), probe, by_tag);
	TAILQ_INSERT_TAIL(&prober->pools[probe->kind->pool].queue, probe, next);
	prober_wake(prober);
}

void
prober_cancel(struct prober *prober, uint64_t tag)
{
	struct probe *probe, *after;

	for (probe = LIST_FIRST(bucket(prober, tag)); probe; probe = after) {
		after = LIST_NEXT(probe, by_tag);
		if (probe->tag == tag)
			probe_drop(probe);
	}
}
