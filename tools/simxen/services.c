#include "tools/simxen/services.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"
#include "tools/simxen/talk.h"

#define LOW_PORTS 1024
#define BACKLOG 128
#define BACKLOG_SILENT                                                                             \
	1		/* with 0, Linux takes the first SYN for a flood and says so in its log    \
			 */
#define FILLERS 2	/* fill a queue of that length: one more than it says */
#define CLIENTS_MAX 256 /* connections of one service */
#define IDLE_SECONDS 60
#define DATAGRAMS 64 /* read at a time */

/* A connection that a service has accepted. */
struct client {
	LIST_ENTRY(client) entry;
	struct endpoint *endpoint;
	struct bufferevent *stream;
};

struct endpoint {
	struct services *services;
	struct domain *domain;
	unsigned number; /* of the service */
	enum port_state state;
	int fd; /* -1: closed */
	struct event *readable;
	int fillers[FILLERS];
	LIST_HEAD(client_list, client) clients;
	unsigned client_count;
	char error[64];
};

struct services {
	struct event_base *base;
	uint16_t offset;
	bool moved; /* ports under LOW_PORTS are */
};

/* Whether this process may bind a low port, tried on an address that nobody uses. */
static bool
may_bind_low(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(1)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool denied;

	inet_pton(AF_INET, "127.255.255.253", &to.sin_addr);
	denied = bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno == EACCES;
	close(fd);
	return !denied;
}

struct services *
services_new(struct event_base *base, uint16_t offset, bool always)
{
	struct services *services = mem_alloc(sizeof(*services));

	*services =
	    (struct services){.base = base, .offset = offset, .moved = always || !may_bind_low()};
	return services;
}

void
services_free(struct services *services)
{
	free(services);
}

uint16_t
services_port(const struct services *services, const struct vmdef_service *service)
{
	bool moved = services->moved && service->port < LOW_PORTS;

	return (uint16_t)(service->port + (moved ? services->offset : 0));
}

const char *
services_error(const struct domain *d, unsigned i)
{
	const struct endpoint *e = d->endpoints;

	return e && *e[i].error ? e[i].error : NULL;
}

static const struct vmdef_service *
definition(const struct endpoint *e)
{
	return &e->domain->def.services[e->number];
}

static struct sockaddr_in
address(const struct endpoint *e)
{
	struct sockaddr_in to = {
	    .sin_family = AF_INET,
	    .sin_port = htons(services_port(e->services, definition(e))),
	};

	inet_pton(AF_INET, e->domain->def.address, &to.sin_addr);
	return to;
}

static void
client_close(struct client *client)
{
	LIST_REMOVE(client, entry);
	client->endpoint->client_count--;
	bufferevent_free(client->stream);
	free(client);
}

static void
client_event(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		client_close(arg);
}

static void
client_sent(struct bufferevent *stream, void *arg)
{
	(void)stream;
	client_close(arg);
}

static void
client_readable(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct endpoint *e = client->endpoint;
	struct evbuffer *in = bufferevent_get_input(stream);
	char out[TALK_MAX];
	size_t length = evbuffer_get_length(in);

	if (talk_waits(definition(e)->port)) {
		length = talk_answer(&e->domain->def, (char *)evbuffer_pullup(in, -1), length, out);
		if (length == 0 && evbuffer_get_length(in) < sizeof(out))
			return;
		bufferevent_write(stream, out, length);
		bufferevent_setcb(stream, NULL, client_sent, client_event, client);
	}
	evbuffer_drain(in, evbuffer_get_length(in));
}

static void
client_open(struct endpoint *e, int fd)
{
	static const struct timeval idle = {.tv_sec = IDLE_SECONDS};
	struct client *client = mem_alloc(sizeof(*client));
	uint16_t port = definition(e)->port;
	char out[TALK_MAX];

	client->endpoint = e;
	client->stream = bufferevent_socket_new(e->services->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream)
		fatal("libevent gives no bufferevent");
	LIST_INSERT_HEAD(&e->clients, client, entry);
	e->client_count++;
	bufferevent_setcb(client->stream, client_readable, NULL, client_event, client);
	bufferevent_set_timeouts(client->stream, &idle, &idle);
	bufferevent_setwatermark(client->stream, EV_READ, 0, TALK_MAX);
	if (!talk_waits(port))
		bufferevent_write(client->stream, out, talk_greet(&e->domain->def, port, out));
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void
accept_ready(evutil_socket_t listener, short what, void *arg)
{
	struct endpoint *e = arg;
	int fd;

	(void)what;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (e->client_count < CLIENTS_MAX)
			client_open(e, fd);
		else
			close(fd);
	}
}

static void
datagram_ready(evutil_socket_t fd, short what, void *arg)
{
	struct endpoint *e = arg;
	uint8_t in[2048], out[TALK_MAX];

	(void)what;
	for (int i = 0; i < DATAGRAMS; i++) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, in, sizeof(in), 0, (struct sockaddr *)&from, &size);

		if (length < 0)
			return;
		sendto(fd, out,
		       talk_datagram(&e->domain->def, definition(e)->port, in, (size_t)length, out),
		       0, (struct sockaddr *)&from, size);
	}
}

/* Notes and logs what failed; the service stays closed. */
static void
fail(struct endpoint *e, const char *call)
{
	TEXT_FORMAT(e->error, "%s: %s", call, strerror(errno));
	log_warn("%s: %s:%u: %s", e->domain->def.name, e->domain->def.address,
		 services_port(e->services, definition(e)), e->error);
	close(e->fd);
	e->fd = -1;
}

static bool
open_socket(struct endpoint *e)
{
	bool udp = definition(e)->udp;
	struct sockaddr_in to = address(e);
	int one = 1;

	e->error[0] = '\0';
	e->fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (e->fd < 0) {
		fail(e, "socket");
		return false;
	}
	if (!udp)
		setsockopt(e->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(e->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		fail(e, "bind");
		return false;
	}
	if (!udp && listen(e->fd, BACKLOG) < 0) {
		fail(e, "listen");
		return false;
	}
	e->readable = event_new(e->services->base, e->fd, EV_READ | EV_PERSIST,
				udp ? datagram_ready : accept_ready, e);
	if (!e->readable)
		fatal("libevent gives no event");
	return true;
}

static void
close_fillers(struct endpoint *e)
{
	for (int i = 0; i < FILLERS; i++) {
		if (e->fillers[i] >= 0)
			close(e->fillers[i]);
		e->fillers[i] = -1;
	}
}

static void
close_socket(struct endpoint *e)
{
	struct client *client, *next;

	for (client = LIST_FIRST(&e->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		client_close(client);
	}
	close_fillers(e);
	if (e->fd < 0)
		return;
	event_free(e->readable);
	close(e->fd);
	e->fd = -1;
}

static void
serve(struct endpoint *e)
{
	struct client *client;

	if (!definition(e)->udp)
		listen(e->fd, BACKLOG);
	close_fillers(e);
	event_add(e->readable, NULL);
	for (client = LIST_FIRST(&e->clients); client; client = LIST_NEXT(client, entry))
		bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* A connect on loopback is through, or in the queue's way, when the call returns. */
static void
fall_silent(struct endpoint *e)
{
	struct sockaddr_in to = address(e);
	struct client *client;

	event_del(e->readable);
	for (client = LIST_FIRST(&e->clients); client; client = LIST_NEXT(client, entry))
		bufferevent_disable(client->stream, EV_READ | EV_WRITE);
	if (definition(e)->udp)
		return;
	listen(e->fd, BACKLOG_SILENT);
	for (int i = 0; i < FILLERS; i++) {
		e->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		if (e->fillers[i] < 0 ||
		    (connect(e->fillers[i], (struct sockaddr *)&to, sizeof(to)) < 0 &&
		     errno != EINPROGRESS))
			log_warn("%s: port %u cannot be silenced: %s", e->domain->def.name,
				 definition(e)->port, strerror(errno));
	}
}

static void
endpoint_set(struct endpoint *e, enum port_state state)
{
	if (state == e->state)
		return;
	if (state == PORT_CLOSED)
		close_socket(e);
	else if (e->fd < 0 && !open_socket(e))
		return; /* tried again at the next change */
	if (state == PORT_SERVING)
		serve(e);
	else if (state == PORT_SILENT)
		fall_silent(e);
	e->state = state;
}

static struct endpoint *
endpoints_new(struct services *services, struct domain *d)
{
	struct endpoint *list = mem_array(d->def.service_count, sizeof(*list));

	for (unsigned i = 0; i < d->def.service_count; i++) {
		list[i] =
		    (struct endpoint){.services = services, .domain = d, .number = i, .fd = -1};
		memset(list[i].fillers, -1, sizeof(list[i].fillers));
		LIST_INIT(&list[i].clients);
	}
	return list;
}

void
services_follow(struct services *services, struct domain *d, enum model_change change)
{
	if (!*d->def.address || d->def.service_count == 0)
		return;
	if (!d->endpoints)
		d->endpoints = endpoints_new(services, d);
	for (unsigned i = 0; i < d->def.service_count; i++)
		endpoint_set(&d->endpoints[i],
			     change == CHANGE_GONE ? PORT_CLOSED : model_service(d, i));
	if (change == CHANGE_GONE) {
		free(d->endpoints);
		d->endpoints = NULL;
	}
}
