#include "tools/simxen/control.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"
#include "tools/simxen/command.h"
#include "tools/simxen/server.h"

struct client {
	LIST_ENTRY(client) entry;
	struct control *control;
	struct bufferevent *stream;
	char *words; /* the request, while its command runs */
	struct command_run *run;
	bool answered;
};

struct control {
	struct host *host;
	int fd;
	struct event *readable;
	LIST_HEAD(client_list, client) clients;
	char *path;
};

static void
client_close(struct client *client)
{
	if (client->run)
		command_abandon(client->run);
	LIST_REMOVE(client, entry);
	bufferevent_free(client->stream);
	free(client->words);
	free(client);
}

static void
client_event(struct bufferevent *stream, short what, void *arg)
{
	(void)stream;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR))
		client_close(arg);
}

static void
client_sent(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct host *host = client->control->host;

	(void)stream;
	if (!client->answered)
		return;
	client_close(client);
	if (host->quit)
		event_base_loopexit(host->base, NULL);
}

static void
command_done(void *arg, int status, const char *text)
{
	struct client *client = arg;
	char digit = (char)('0' + status);

	client->run = NULL;
	client->answered = true;
	bufferevent_write(client->stream, &digit, 1);
	bufferevent_write(client->stream, text, strlen(text));
}

/* Splits what a client sent into words; the last octet is a NUL. */
static int
split_words(char *text, size_t length, char *words[static COMMAND_WORDS])
{
	int count = 0;

	for (size_t at = 0; at < length && count < COMMAND_WORDS; at += strlen(text + at) + 1)
		words[count++] = text + at;
	return count;
}

static void
client_readable(struct bufferevent *stream, void *arg)
{
	struct client *client = arg;
	struct evbuffer *in = bufferevent_get_input(stream);
	char *words[COMMAND_WORDS];
	uint32_t length;

	if (client->words ||
	    evbuffer_copyout(in, &length, sizeof(length)) < (ssize_t)sizeof(length))
		return;
	if (length == 0 || length > CONTROL_REQUEST_MAX) {
		client_close(client);
		return;
	}
	if (evbuffer_get_length(in) < sizeof(length) + length)
		return;
	client->words = mem_alloc(length + 1);
	evbuffer_drain(in, sizeof(length));
	evbuffer_remove(in, client->words, length);
	host_catch_up(client->control->host);
	client->run =
	    command_start(client->control->host, split_words(client->words, length, words), words,
			  command_done, client);
	host_catch_up(client->control->host);
}

static void
accept_ready(evutil_socket_t listener, short what, void *arg)
{
	struct control *control = arg;
	int fd;

	(void)what;
	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct client *client = mem_alloc(sizeof(*client));

		client->control = control;
		client->stream =
		    bufferevent_socket_new(control->host->base, fd, BEV_OPT_CLOSE_ON_FREE);
		if (!client->stream)
			fatal("libevent gives no bufferevent");
		LIST_INSERT_HEAD(&control->clients, client, entry);
		bufferevent_setcb(client->stream, client_readable, client_sent, client_event,
				  client);
		bufferevent_setwatermark(client->stream, EV_READ, 0, 2 * CONTROL_REQUEST_MAX);
		bufferevent_enable(client->stream, EV_READ | EV_WRITE);
	}
}

struct control *
control_new(struct host *host, const char *path)
{
	struct control *control;
	int fd = server_listen(path);

	if (fd < 0)
		return NULL;
	control = mem_alloc(sizeof(*control));
	*control = (struct control){.host = host, .fd = fd, .path = mem_string(path)};
	LIST_INIT(&control->clients);
	control->readable = event_new(host->base, fd, EV_READ | EV_PERSIST, accept_ready, control);
	if (!control->readable || event_add(control->readable, NULL) < 0)
		fatal("libevent refuses the control socket");
	return control;
}

void
control_free(struct control *control)
{
	struct client *client, *next;

	if (!control)
		return;
	for (client = LIST_FIRST(&control->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		client_close(client);
	}
	event_free(control->readable);
	close(control->fd);
	unlink(control->path);
	free(control->path);
	free(control);
}
