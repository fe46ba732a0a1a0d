#include "control/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "mib/objects.h"

#define CLIENTS_MAX 16 /* at a time; more are let go at once */

struct client {
	struct control_server *server;
	struct event *readable; /* NULL: the place is free */
	int fd;
	uint32_t token; /* while its request is held */
	uint32_t told;	/* state that it was told last */
	char id[REQUEST_ID_SIZE];
	char note[TEXT_SIZE]; /* that goes with the word that it is accepted */
};

struct control_server {
	const struct control_handlers *handlers;
	void *arg;
	const struct rowset *vms, *requests;
	struct event_base *base;
	struct event *acceptable;
	int fd;
	uint32_t tokens;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct client clients[CLIENTS_MAX];
};

/* A request that is still held has nobody any more who would be told of it. */
static void
client_close(struct client *client)
{
	struct control_server *server = client->server;
	uint32_t token = client->token;

	event_free(client->readable);
	close(client->fd);
	*client = (struct client){.server = server};
	if (token)
		server->handlers->drop(server->arg, token);
}

/* False: it does not read, or went; it is let go. */
static bool
client_tell(struct client *client, uint32_t state, const char *error)
{
	struct control_report report = {.version = CONTROL_VERSION, .state = state};

	TEXT_SET(report.id, client->id);
	TEXT_SET(report.error, error);
	client->told = state;
	if (send(client->fd, &report, sizeof(report), MSG_NOSIGNAL | MSG_DONTWAIT) ==
		sizeof(report) &&
	    state != REQUEST_HELD && state <= REQUEST_RUNNING)
		return true;
	client_close(client);
	return false;
}

static uint32_t
vm_index(const struct rowset *vms, const char *target)
{
	uint8_t uuid[UUID_SIZE];
	bool is_uuid = uuid_parse(target, uuid);

	for (size_t i = 0; i < vms->count; i++) {
		const struct mib_vm *vm = rowset_at(vms, i);

		if (is_uuid ? uuid_equal(vm->uuid, uuid) : strcmp(vm->name, target) == 0)
			return vm->index;
	}
	return 0;
}

static bool
means_many(const char *target)
{
	return strcmp(target, "*") == 0 || strncmp(target, "group:", 6) == 0;
}

/* A request is known by its id in lxRequestTable, where no other of that id may be. */
static void
client_ask(struct client *client, struct control_ask *ask)
{
	struct control_server *server = client->server;
	struct hold hold = {.verb = ask->verb, .number = ask->number};

	ask->target[sizeof(ask->target) - 1] = 0;
	hold.vm = vm_index(server->vms, ask->target);
	if (ask->version != CONTROL_VERSION) {
		client_tell(client, REQUEST_HELD, "lauxend is of another version than the agent");
	} else if (hold.vm == 0 && !means_many(ask->target)) {
		client_tell(client, REQUEST_HELD, "there is no such VM");
	} else {
		client->token = ++server->tokens ? server->tokens : ++server->tokens;
		TEXT_FORMAT(client->id, "hand-%08x", (unsigned)client->token);
		TEXT_SET(hold.id, client->id);
		TEXT_SET(hold.vm_text, ask->target);
		server->handlers->hold(server->arg, client->token, &hold);
	}
}

static void
client_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *client = arg;
	struct control_ask ask;
	ssize_t size = recv(fd, &ask, sizeof(ask), MSG_DONTWAIT | MSG_TRUNC);

	(void)what;
	if (size < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (size == sizeof(ask) && client->id[0] == 0)
		client_ask(client, &ask);
	else
		client_close(client); /* it went; or says what it should not */
}

static bool
is_trusted(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

static void
server_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct control_server *server = arg;
	int client_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (client_fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX && is_trusted(client_fd); i++) {
		struct client *client = &server->clients[i];

		if (client->readable)
			continue;
		client->fd = client_fd;
		client->readable = event_new(server->base, client_fd, EV_READ | EV_PERSIST,
					     client_readable, client);
		if (!client->readable || event_add(client->readable, NULL) < 0)
			fatal("libevent refuses a client");
		return;
	}
	close(client_fd);
}

bool
control_server_held(struct control_server *server, uint32_t token, const struct hold_answer *answer,
		    const char *id)
{
	for (size_t i = 0; server && i < CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];

		if (!client->readable || client->token != token || token == 0)
			continue;
		client->token = 0;
		if (!answer->ok) {
			client_tell(client, REQUEST_HELD, answer->error);
			return true;
		}
		TEXT_SET(client->id, id);
		TEXT_SET(client->note, answer->error);
		server->handlers->release(server->arg, token);
		return true;
	}
	return false;
}

void
control_server_look(struct control_server *server)
{
	for (size_t i = 0; server && i < CLIENTS_MAX; i++) {
		struct client *client = &server->clients[i];
		struct mib_request key = {0};
		const struct mib_request *row;

		if (!client->readable || !client->id[0] || client->token)
			continue;
		TEXT_SET(key.id, client->id);
		row = rowset_find(server->requests, &key);
		if (row && (uint32_t)row->state != client->told && row->state != REQUEST_HELD)
			client_tell(client, (uint32_t)row->state,
				    row->state <= REQUEST_RUNNING ? client->note : row->error);
	}
}

static bool
server_listen(struct control_server *server, const char *directory)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (snprintf(server->path, sizeof(server->path), "%s/" CONTROL_NAME, directory) >=
	    (int)sizeof(server->path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(address.sun_path, server->path, sizeof(server->path));
	unlink(server->path);
	server->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return server->fd >= 0 &&
	       bind(server->fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       chmod(server->path, 0600) == 0 && listen(server->fd, CLIENTS_MAX) == 0;
}

struct control_server *
control_server_new(struct event_base *base, const char *directory, const struct rowset *vms,
		   const struct rowset *requests, const struct control_handlers *handlers,
		   void *arg)
{
	struct control_server *server = mem_alloc(sizeof(*server));

	*server = (struct control_server){.handlers = handlers,
					  .arg = arg,
					  .vms = vms,
					  .requests = requests,
					  .base = base,
					  .fd = -1};
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		server->clients[i].server = server;
	/* Unlike those of agentx, and of an engine before us. */
	if (getrandom(&server->tokens, sizeof(server->tokens), 0) != sizeof(server->tokens))
		server->tokens = (uint32_t)getpid();
	if (!server_listen(server, directory)) {
		log_error("lauxend --request will find nobody: cannot listen at %s: %s",
			  server->path, strerror(errno));
		control_server_free(server);
		return NULL;
	}
	server->acceptable =
	    event_new(base, server->fd, EV_READ | EV_PERSIST, server_acceptable, server);
	if (!server->acceptable || event_add(server->acceptable, NULL) < 0)
		fatal("libevent refuses the control socket");
	return server;
}

void
control_server_free(struct control_server *server)
{
	if (!server)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (server->clients[i].readable)
			client_close(&server->clients[i]);
	if (server->acceptable)
		event_free(server->acceptable);
	if (server->fd >= 0) {
		close(server->fd);
		unlink(server->path);
	}
	free(server);
}
