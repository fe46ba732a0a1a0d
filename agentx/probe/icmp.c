#include "probe/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/icmp6.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/util.h>
#include <linux/icmp.h>

#include "base/log.h"
#include "base/mem.h"

#define SEQUENCE_BUCKETS 256
/*
 * Messages that are read before other events have their turn: more than the replies to all that may
 * be under way. The loop serves sockets before timers, so when it comes late, what came in time is
 * read before the first deadline is looked at.
 */
#define READS 2048
#define BUFFER_OCTETS (1 << 20) /* for these; the system may grant less */

/* RFC 792 and RFC 4443, section 4: an echo is the same in both but for the type. */
struct echo {
	uint8_t type, code;
	uint16_t checksum, id, sequence;
	uint64_t nonce;
};
#define ECHO_HEAD offsetof(struct echo, nonce)

static const struct family {
	int family, protocol;
	uint8_t request, reply;
} families[] = {
    {AF_INET, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHOREPLY},
    {AF_INET6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY},
};
#define FAMILIES (sizeof(families) / sizeof(*families))

struct icmp_socket {
	struct pinger *pinger;
	const struct family *family;
	int fd; /* -1: not open */
	bool raw;
	uint16_t id; /* network byte order, as all that is of an echo */
	struct event *readable;
};

struct pinger {
	struct event_base *base;
	struct icmp_socket sockets[FAMILIES];
	struct probe_list sequences[SEQUENCE_BUCKETS];
};

static struct icmp_socket *
socket_of(const struct probe *probe)
{
	return &probe->prober->pinger->sockets[probe->to.any.sa_family == AF_INET6];
}

static struct probe *
find(struct pinger *pinger, uint16_t sequence)
{
	struct probe *probe;

	LIST_FOREACH (probe, &pinger->sequences[sequence % SEQUENCE_BUCKETS], by_sequence)
		if (probe->sequence == sequence)
			return probe;
	return NULL;
}

/* The attempt that an echo, as it was sent to host or came from there, belongs to. */
static struct probe *
find_echo(const struct icmp_socket *shared, const struct echo *echo,
	  const union probe_address *host)
{
	struct probe *probe = find(shared->pinger, echo->sequence);

	return probe && echo->id == shared->id && address_same_host(host, &probe->to) ? probe
										      : NULL;
}

/* RFC 1071. The kernel does it for ping sockets and for ICMPv6. */
static uint16_t
checksum(const struct echo *echo)
{
	uint16_t words[sizeof(*echo) / 2];
	uint32_t sum = 0;

	memcpy(words, echo, sizeof(words));
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		sum += words[i];
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* An error that came for another attempt is the socket's first; in its queue it stays. */
static bool
icmp_send(const struct probe *probe)
{
	const struct icmp_socket *shared = socket_of(probe);
	struct echo echo = {.type = shared->family->request,
			    .id = shared->id,
			    .sequence = probe->sequence,
			    .nonce = probe->nonce};

	echo.checksum = checksum(&echo);
	for (int i = 0; i < 3; i++) {
		int error = 0;
		socklen_t size = sizeof(error);

		getsockopt(shared->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (sendto(shared->fd, &echo, sizeof(echo), 0, &probe->to.any,
			   address_size(&probe->to)) >= 0)
			return true;
	}
	return false;
}

static void
take_reply(struct icmp_socket *shared, const uint8_t *octets, size_t size,
	   const union probe_address *from)
{
	size_t head = shared->raw && shared->family->family == AF_INET
			  ? (size_t)(octets[0] & 0x0f) * 4 /* IP's header, RFC 791, section 3.1 */
			  : 0;
	struct echo echo;
	struct probe *probe;

	if (size < head + sizeof(echo))
		return;
	memcpy(&echo, octets + head, sizeof(echo));
	probe = find_echo(shared, &echo, from);
	if (probe && echo.type == shared->family->reply && echo.nonce == probe->nonce)
		probe_up(probe);
}

/* Of what could not be delivered, routers give at least the first 8 octets back. */
static bool
take_error(struct icmp_socket *shared)
{
	struct echo echo;
	size_t size = sizeof(echo);
	union probe_address to = {0};
	struct probe *probe;
	int error;

	if (!error_take(shared->fd, &error, &to, (uint8_t *)&echo, &size))
		return false;
	probe = size < ECHO_HEAD ? NULL : find_echo(shared, &echo, &to);
	if (probe && error && echo.type == shared->family->request)
		probe_refused(probe, error);
	return true;
}

static void
icmp_readable(evutil_socket_t fd, short what, void *arg)
{
	struct icmp_socket *shared = arg;

	(void)what;
	for (int i = 0; i < READS; i++) {
		uint8_t octets[256];
		union probe_address from = {0};
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, octets, sizeof(octets), 0, &from.any, &size);

		if (length > 0)
			take_reply(shared, octets, (size_t)length, &from);
		else if (length < 0 && errno == EAGAIN)
			break;
	}
	for (int i = 0; i < READS && take_error(shared); i++)
		;
}

/* Others' messages come to a raw socket too; only replies are let in. Errors have a queue. */
static void
filter(const struct icmp_socket *shared)
{
	struct icmp_filter v4 = {.data = ~(1u << ICMP_ECHOREPLY)};
	struct icmp6_filter v6;

	if (shared->family->family == AF_INET) {
		setsockopt(shared->fd, SOL_RAW, ICMP_FILTER, &v4, sizeof(v4));
		return;
	}
	ICMP6_FILTER_SETBLOCKALL(&v6);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &v6);
	setsockopt(shared->fd, IPPROTO_ICMPV6, ICMP6_FILTER, &v6, sizeof(v6));
}

/* A ping socket gets its id from the kernel: as its port, which binding it fixes. */
static void
choose_id(struct icmp_socket *shared)
{
	union probe_address own = {.any.sa_family = (sa_family_t)shared->family->family};
	socklen_t size = sizeof(own);

	if (shared->raw) {
		evutil_secure_rng_get_bytes(&shared->id, sizeof(shared->id));
		return;
	}
	bind(shared->fd, &own.any, address_size(&own));
	getsockname(shared->fd, &own.any, &size);
	shared->id = own.v4.sin_port;
}

static void
socket_use(struct icmp_socket *shared, int fd)
{
	int type = SOCK_DGRAM, buffer = BUFFER_OCTETS;
	socklen_t size = sizeof(type);

	shared->fd = fd;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	shared->raw = type == SOCK_RAW;
	if (shared->raw)
		filter(shared);
	choose_id(shared);
	error_ask(fd, shared->family->family);
	shared->readable =
	    event_new(shared->pinger->base, fd, EV_READ | EV_PERSIST, icmp_readable, shared);
	if (!shared->readable || event_add(shared->readable, NULL) < 0)
		fatal("libevent refuses the ICMP socket");
}

static bool
socket_open(struct icmp_socket *shared)
{
	int fd;

	if (shared->fd >= 0)
		return true;
	fd = socket(shared->family->family, SOCK_DGRAM, shared->family->protocol);
	if (fd < 0)
		fd = socket(shared->family->family, SOCK_RAW, shared->family->protocol);
	if (fd < 0)
		return false;
	socket_use(shared, fd);
	return true;
}

static void
icmp_due(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	(void)fd, (void)what;
	if (probe_left_us(probe, false) <= 0) {
		probe_silent(probe);
		return;
	}
	if (!probe->resent && probe_left_us(probe, true) <= 0) {
		probe->resent = true;
		icmp_send(probe); /* where this fails, the first may still be answered */
	}
	probe_wait(probe, probe_left_us(probe, !probe->resent));
}

static void
icmp_begin(struct probe *probe)
{
	struct pinger *pinger = probe->prober->pinger;
	struct icmp_socket *shared = socket_of(probe);

	event_assign(&probe->event, pinger->base, -1, 0, icmp_due, probe);
	evutil_secure_rng_get_bytes(&probe->nonce, sizeof(probe->nonce));
	do
		evutil_secure_rng_get_bytes(&probe->sequence, sizeof(probe->sequence));
	while (find(pinger, probe->sequence));
	LIST_INSERT_HEAD(&pinger->sequences[probe->sequence % SEQUENCE_BUCKETS], probe,
			 by_sequence);
	if (!socket_open(shared))
		probe_failed(probe, "no ICMP socket; let the user into net.ipv4.ping_group_range",
			     errno);
	else if (!icmp_send(probe))
		probe_failed(probe, "send", errno);
	else
		probe_wait(probe, probe_left_us(probe, true));
}

static void
icmp_stop(struct probe *probe)
{
	LIST_REMOVE(probe, by_sequence);
}

const struct probe_kind probe_icmp = {
    .pool = POOL_ICMP, .has_address = true, .begin = icmp_begin, .stop = icmp_stop};

struct pinger *
pinger_new(struct event_base *base, int fd, int fd6)
{
	const int given[FAMILIES] = {fd, fd6};
	struct pinger *pinger = mem_alloc(sizeof(*pinger));

	pinger->base = base;
	for (size_t i = 0; i < FAMILIES; i++) {
		pinger->sockets[i] =
		    (struct icmp_socket){.pinger = pinger, .family = &families[i], .fd = -1};
		if (given[i] >= 0)
			socket_use(&pinger->sockets[i], given[i]);
	}
	return pinger;
}

void
pinger_free(struct pinger *pinger)
{
	for (size_t i = 0; i < FAMILIES; i++) {
		if (pinger->sockets[i].fd < 0)
			continue;
		event_free(pinger->sockets[i].readable);
		close(pinger->sockets[i].fd);
	}
	free(pinger);
}
