#include "tools/simxen/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"
#include "tools/simxen/protocol.h"
#include "tools/simxen/snapshot.h"

#define CLIENTS_MAX 2048
#define BACKLOG 128
#define NEWS_MAX (256 * 1024) /* octets of news that a subscriber may leave waiting */

struct client {
	LIST_ENTRY(client) entry;
	struct server *server;
	struct bufferevent *stream;
	bool greeted, subscribed, ending;
	struct op *op; /* its action, while that lasts */
	uint32_t op_id;
};

struct server {
	struct host *host;
	int fd, filler;
	struct event *readable;
	LIST_HEAD(client_list, client) clients;
	unsigned count;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
};

static bool
make_address(struct sockaddr_un *to, const char *path)
{
	*to = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(to->sun_path)) {
		log_error("%s: longer than a socket's path may be (%zu octets)", path,
			  sizeof(to->sun_path) - 1);
		return false;
	}
	memcpy(to->sun_path, path, strlen(path));
	return true;
}

/* What is at the path is no socket: connect() refuses that as it does a socket that nobody serves.
 */
static bool
is_other_file(const char *path)
{
	struct stat status;

	if (lstat(path, &status) < 0 || S_ISSOCK(status.st_mode))
		return false;
	log_error("%s: it is there, and no socket; remove it, or give another path", path);
	return true;
}

int
server_listen(const char *path)
{
	struct sockaddr_un to;
	int fd, probe, r;
	mode_t mask;

	if (!make_address(&to, path) || is_other_file(path))
		return -1;
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = connect(probe, (struct sockaddr *)&to, sizeof(to));
	if (r == 0 || errno == EAGAIN) {
		log_error("%s: another simxen serves this socket", path);
		close(probe);
		return -1;
	}
	if (errno == ECONNREFUSED)
		unlink(path);
	close(probe);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	mask = umask(077);
	r = bind(fd, (struct sockaddr *)&to, sizeof(to));
	umask(mask);
	if (r < 0 || listen(fd, BACKLOG) < 0) {
		log_error("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static void
client_close(struct client *client)
{
	if (client->op)
		ops_abandon(client->op);
	LIST_REMOVE(client, entry);
	client->server->count--;
	bufferevent_free(client->stream);
	free(client);
}

static void
send_message(struct client *client, uint16_t type, uint32_t id, const void *body, uint32_t length)
{
	snapshot_message(bufferevent_get_output(client->stream), type, id, body, length);
}

/* Says why, and ends once that is out. */
static void
refuse(struct client *client, uint32_t id, const char *why)
{
	send_message(client, SX_ERROR, id, why, (uint32_t)strlen(why) + 1);
	client->ending = true;
}

static void
action_done(void *arg, const struct op_result *result)
{
	struct client *client = arg;
	struct sx_done done = {.failed = result->failed, .domid = result->domid};

	client->op = NULL;
	TEXT_SET(done.text, result->text);
	send_message(client, SX_DONE, client->op_id, &done, sizeof(done));
}

static void
take_hello(struct client *client, uint32_t id, const void *body)
{
	const struct sx_hello *hello = body;

	if (hello->magic != SX_MAGIC || hello->version != SX_VERSION) {
		refuse(client, id, "this simxen speaks another version of the protocol");
		return;
	}
	client->greeted = true;
	send_message(client, SX_HELLO, id, hello, sizeof(*hello));
}

static void
take_list(struct client *client, uint32_t id, const void *body)
{
	const struct host *host = client->server->host;
	struct snapshot_options options = {.names = !host->xenstore_hangs,
					   .empty = host->empty_list};

	(void)body;
	snapshot_write(host->model, id, &options, bufferevent_get_output(client->stream));
}

static void
take_sample(struct client *client, uint32_t id, const void *body)
{
	const struct host *host = client->server->host;
	struct snapshot_options options = {
	    .names = true, .figures = true, .empty = host->empty_list};

	(void)body;
	snapshot_write(host->model, id, &options, bufferevent_get_output(client->stream));
}

static void
take_subscribe(struct client *client, uint32_t id, const void *body)
{
	(void)body;
	client->subscribed = true;
	send_message(client, SX_END, id, NULL, 0);
}

static void
take_act(struct client *client, uint32_t id, const void *body)
{
	const struct sx_act *act = body;
	struct op_request request = {
	    .verb = (enum verb)act->verb,
	    .domid = act->domid,
	    .path = act->path,
	    .overrides = act->overrides,
	    .mib = act->mib,
	    .monitor = act->monitor != 0,
	    .paused = act->paused != 0,
	};

	if (!memchr(act->path, 0, sizeof(act->path)) ||
	    !memchr(act->overrides, 0, sizeof(act->overrides))) {
		refuse(client, id, "a text has no end");
		return;
	}
	client->op_id = id;
	client->op = ops_start(&client->server->host->ops, &request, action_done, client);
}

static const struct take {
	uint16_t type;
	uint32_t length;
	void (*take)(struct client *client, uint32_t id, const void *body);
} takes[] = {
    {SX_HELLO, sizeof(struct sx_hello), take_hello},
    {SX_LIST, 0, take_list},
    {SX_SAMPLE, 0, take_sample},
    {SX_ACT, sizeof(struct sx_act), take_act},
    {SX_SUBSCRIBE, 0, take_subscribe},
};

static const struct take *
find_take(const struct client *client, const struct sx_header *header)
{
	for (size_t i = 0; i < sizeof(takes) / sizeof(*takes); i++)
		if (takes[i].type == header->type && takes[i].length == header->length &&
		    client->greeted == (header->type != SX_HELLO))
			return &takes[i];
	return NULL;
}

/* A request as it stands in the input; the body is aligned for what is in it. */
struct request {
	uint32_t alignment;
	struct sx_header header;
	_Alignas(8) uint8_t body[SX_REQUEST_MAX];
};
_Static_assert(offsetof(struct request, body) ==
		   offsetof(struct request, header) + sizeof(struct sx_header),
	       "header and body are copied as one");

/* Whether the request has to wait for xenstore. */
static bool
must_wait(const struct client *client, const struct request *request)
{
	const struct sx_act *act = (const struct sx_act *)request->body;

	if (!client->server->host->xenstore_hangs)
		return false;
	return request->header.type == SX_SAMPLE ||
	       (request->header.type == SX_ACT && act->verb != VERB_PAUSE &&
		act->verb != VERB_UNPAUSE);
}

/* Takes the next request, where it is complete and may be taken now. */
static bool
take_request(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->stream);
	struct request request = {0};
	const struct sx_header *header = &request.header;
	const struct take *take;
	size_t size;

	if (client->op || client->subscribed || client->ending ||
	    evbuffer_get_length(bufferevent_get_output(client->stream)) > 0 ||
	    evbuffer_copyout(in, &request.header, sizeof(*header)) < (ssize_t)sizeof(*header))
		return false;
	take = find_take(client, header);
	if (!take) {
		refuse(client, header->id, "no request of the protocol, or out of turn");
		return false;
	}
	size = sizeof(*header) + header->length; /* the length is take's */
	if (evbuffer_get_length(in) < size)
		return false;
	evbuffer_copyout(in, (uint8_t *)&request + offsetof(struct request, header), size);
	if (must_wait(client, &request))
		return false;
	evbuffer_drain(in, size);
	take->take(client, header->id, request.body);
	return true;
}

static void
client_readable(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(stream);

	host_catch_up(client->server->host);
	while (take_request(client))
		;
	if (client->subscribed || client->ending)
		evbuffer_drain(in, evbuffer_get_length(in));
	host_catch_up(client->server->host);
}

static void
client_written(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;

	if (client->ending)
		client_close(client);
	else
		client_readable(stream, arg); /* the next request may be there already */
}

static void
client_event(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_close(arg);
}

static void
client_enable(struct client *client)
{
	const struct host *host = client->server->host;

	if (host->silent || (client->subscribed && host->xenstore_hangs))
		bufferevent_disable(client->stream, EV_READ | EV_WRITE);
	else
		bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void
client_open(struct server *server, int fd)
{
	struct client *client = mem_alloc(sizeof(*client));

	client->server = server;
	client->stream = bufferevent_socket_new(server->host->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client->stream)
		fatal("libevent gives no bufferevent");
	LIST_INSERT_HEAD(&server->clients, client, entry);
	server->count++;
	bufferevent_setcb(client->stream, client_readable, client_written, client_event, client);
	bufferevent_setwatermark(client->stream, EV_READ, 0,
				 2 * (sizeof(struct sx_header) + SX_REQUEST_MAX));
	client_enable(client);
}

static void
accept_ready(evutil_socket_t listener, short what, void *arg)
{
	struct server *server = arg;
	int fd;

	(void)what;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		if (server->count < CLIENTS_MAX)
			client_open(server, fd);
		else
			close(fd);
	}
}

struct server *
server_new(struct host *host, const char *path)
{
	struct server *server;
	int fd = server_listen(path);

	if (fd < 0)
		return NULL;
	server = mem_alloc(sizeof(*server));
	*server = (struct server){.host = host, .fd = fd, .filler = -1};
	LIST_INIT(&server->clients);
	memcpy(server->path, path, strlen(path));
	server->readable = event_new(host->base, fd, EV_READ | EV_PERSIST, accept_ready, server);
	if (!server->readable || event_add(server->readable, NULL) < 0)
		fatal("libevent refuses the hypervisor's socket");
	return server;
}

void
server_free(struct server *server)
{
	struct client *client, *next;

	if (!server)
		return;
	for (client = LIST_FIRST(&server->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		client_close(client);
	}
	event_free(server->readable);
	close(server->fd);
	if (server->filler >= 0)
		close(server->filler);
	unlink(server->path);
	free(server);
}

static const enum sx_change changes[] = {
    [CHANGE_BORN] = SX_INTRODUCED, [CHANGE_STATE] = SX_STATE,	[CHANGE_SHUTDOWN] = SX_ENDED,
    [CHANGE_DYING] = SX_ENDED,	   [CHANGE_GONE] = SX_RELEASED,
};

void
server_tell(struct server *server, const struct domain *d, enum model_change change)
{
	struct sx_changed news = {.domid = d->domid, .change = changes[change]};
	struct client *client;

	for (client = LIST_FIRST(&server->clients); client; client = LIST_NEXT(client, entry)) {
		if (!client->subscribed || client->ending)
			continue;
		if (evbuffer_get_length(bufferevent_get_output(client->stream)) < NEWS_MAX) {
			send_message(client, SX_CHANGED, 0, &news, sizeof(news));
			continue;
		}
		log_warn("a subscriber that does not read is dropped");
		client->ending = true;
		bufferevent_trigger_event(client->stream, BEV_EVENT_ERROR,
					  BEV_TRIG_DEFER_CALLBACKS);
	}
}

/* With a backlog of 0 a unix socket holds one connection, ours; the next connect hangs. */
static void
fall_silent(struct server *server)
{
	struct sockaddr_un to;

	event_del(server->readable);
	listen(server->fd, 0);
	server->filler = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (make_address(&to, server->path))
		(void)!connect(server->filler, (struct sockaddr *)&to, sizeof(to));
}

static void
speak_again(struct server *server)
{
	close(server->filler);
	server->filler = -1;
	listen(server->fd, BACKLOG);
	event_add(server->readable, NULL);
}

void
server_mood(struct server *server)
{
	struct client *client;

	if (server->host->silent && server->filler < 0)
		fall_silent(server);
	else if (!server->host->silent && server->filler >= 0)
		speak_again(server);
	for (client = LIST_FIRST(&server->clients); client; client = LIST_NEXT(client, entry)) {
		client_enable(client);
		if (!server->host->silent)
			client_readable(client->stream, client);
	}
}
