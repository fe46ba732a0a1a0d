#include "probe/internal.h"

#include <errno.h>
#include <string.h>

#include <event2/util.h>

#include "probe/payload.h"

#define READS 16 /* datagrams of one socket before it is another's turn */

static const struct payload *
payload_of(const struct probe *probe)
{
	return payload_find((enum probe_payload)probe->payload, ntohs(probe->to.v4.sin_port));
}

/* False: an error came, in errno. */
static bool
udp_send(const struct probe *probe, const union probe_address *own)
{
	const struct payload *payload = payload_of(probe);
	uint8_t octets[PAYLOAD_MAX];
	size_t length;

	length = payload_write(payload, probe->nonce, own, &probe->to, octets);
	if (payload->other_port)
		return sendto(probe->fd, octets, length, 0, &probe->to.any,
			      address_size(&probe->to)) >= 0;
	return send(probe->fd, octets, length, 0) >= 0;
}

/* Whether an error is about what was sent: the kernel knows where the socket is connected. */
static bool
error_is_ours(const struct probe *probe)
{
	union probe_address to = {0};
	int error;

	if (!payload_of(probe)->other_port)
		return true;
	while (error_take(probe->fd, &error, &to, NULL, &(size_t){0}))
		if (address_same_host(&to, &probe->to) && to.v4.sin_port == probe->to.v4.sin_port)
			return true;
	return false;
}

/* Reads what is there; true: the attempt has ended. */
static bool
udp_read(struct probe *probe)
{
	for (int i = 0; i < READS; i++) {
		uint8_t octets[PAYLOAD_LOOK];
		union probe_address from = {0};
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(probe->fd, octets, sizeof(octets), 0, &from.any, &size);
		int error = errno;

		if (length < 0 && error == EAGAIN)
			return false;
		if (length < 0 && error_is_ours(probe)) {
			probe_refused(probe, error);
			return true;
		}
		if (length >= 0 && address_same_host(&from, &probe->to) &&
		    payload_answers(payload_of(probe), probe->nonce, octets, (size_t)length)) {
			probe_up(probe);
			return true;
		}
	}
	return false;
}

static void
udp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;

	(void)fd, (void)what;
	if (udp_read(probe))
		return;
	if (probe_left_us(probe, false) <= 0) {
		probe_silent(probe);
		return;
	}
	if (!probe->resent && probe_left_us(probe, true) <= 0) {
		union probe_address own = address_own(probe->fd);

		probe->resent = true;
		if (!udp_send(probe, &own)) {
			probe_refused(probe, errno);
			return;
		}
	}
	probe_wait(probe, probe_left_us(probe, !probe->resent));
}

/* Where that port may not be bound the answer may not come; see payload.h. */
static void
bind_source(const struct probe *probe, uint16_t port)
{
	union probe_address own = {.any.sa_family = probe->to.any.sa_family};
	int one = 1;

	own.v4.sin_port = htons(port);
	setsockopt(probe->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(probe->fd, &own.any, address_size(&own)) < 0)
		setsockopt(probe->fd, SOL_SOCKET, SO_REUSEADDR, &(int){0}, sizeof(int));
}

static void
udp_begin(struct probe *probe)
{
	const struct payload *payload = payload_of(probe);
	bool connects = !payload->other_port;
	union probe_address own;

	if (!probe_open(probe, SOCK_DGRAM, EV_READ, udp_ready))
		return;
	evutil_secure_rng_get_bytes(&probe->nonce, sizeof(probe->nonce));
	error_ask(probe->fd, probe->to.any.sa_family);
	if (payload->source_port)
		bind_source(probe, payload->source_port);
	if (connects && connect(probe->fd, &probe->to.any, address_size(&probe->to)) < 0) {
		probe_failed(probe, "connect", errno);
		return;
	}
	own = address_own(probe->fd);
	if (connects && probe_met_itself(probe, &own))
		probe_refused(probe, ECONNREFUSED);
	else if (!udp_send(probe, &own))
		probe_failed(probe, "send", errno);
	else
		probe_wait(probe, probe_left_us(probe, true));
}

const struct probe_kind probe_udp = {
    .pool = POOL_SOCKETS, .has_address = true, .has_port = true, .begin = udp_begin};
