#include "probe/internal.h"

#include <errno.h>
#include <string.h>

static void
tcp_connected(struct probe *probe)
{
	union probe_address own = address_own(probe->fd);

	if (probe_met_itself(probe, &own))
		probe_refused(probe, ECONNREFUSED);
	else
		probe_up(probe);
}

static void
tcp_ready(evutil_socket_t fd, short what, void *arg)
{
	struct probe *probe = arg;
	union probe_address peer;
	socklen_t peer_size = sizeof(peer), size = sizeof(int);
	int error = 0;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error)
		probe_refused(probe, error);
	else if (what & EV_WRITE || getpeername(fd, &peer.any, &peer_size) == 0)
		tcp_connected(probe); /* also where the loop came late, and the time was over */
	else if (probe_left_us(probe, false) > 0)
		probe_wait(probe, probe_left_us(probe, false));
	else
		probe_silent(probe);
}

static void
tcp_begin(struct probe *probe)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};

	if (!probe_open(probe, SOCK_STREAM, EV_WRITE, tcp_ready))
		return;
	setsockopt(probe->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (connect(probe->fd, &probe->to.any, address_size(&probe->to)) < 0 &&
	    errno != EINPROGRESS)
		probe_failed(probe, "connect", errno);
	else
		probe_wait(probe, probe_left_us(probe, false));
}

const struct probe_kind probe_tcp = {
    .pool = POOL_SOCKETS, .has_address = true, .has_port = true, .begin = tcp_begin};
