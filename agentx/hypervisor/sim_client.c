#include "hypervisor/sim_client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/messages.h"

static bool
say_hello(struct sim_client *client, char *error)
{
	static const struct sx_hello hello = {.magic = SX_MAGIC, .version = SX_VERSION};

	if (!sim_client_send(client, SX_HELLO, &hello, sizeof(hello), error) ||
	    !sim_client_next(client, error))
		return false;
	if (client->header.type == SX_HELLO)
		return true;
	text_set(error, TEXT_SIZE, "what listens there is no simxen");
	return false;
}

struct sim_client *
sim_client_open(const char *path, char *error)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	struct sim_client *client;

	if (strlen(path) >= sizeof(to.sun_path)) {
		text_format(error, TEXT_SIZE, "%s: too long for a socket's path", path);
		return NULL;
	}
	strcpy(to.sun_path, path);
	client = mem_alloc(sizeof(*client));
	client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (client->fd < 0 || connect(client->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		text_format(error, TEXT_SIZE, "simxen does not answer at %s: %s", path,
			    strerror(errno));
	else if (say_hello(client, error))
		return client;
	sim_client_close(client);
	return NULL;
}

void
sim_client_close(struct sim_client *client)
{
	if (client && client->fd >= 0)
		close(client->fd);
	free(client);
}

/* A short count is an error: the peer is gone. */
static bool
send_all(int fd, const void *data, size_t size)
{
	const char *from = data;

	while (size > 0) {
		ssize_t r = send(fd, from, size, MSG_NOSIGNAL);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0)
			return false;
		from += r;
		size -= (size_t)r;
	}
	return true;
}

static bool
receive_all(int fd, void *data, size_t size)
{
	char *to = data;

	while (size > 0) {
		ssize_t r = recv(fd, to, size, 0);

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			errno = ECONNRESET;
		if (r <= 0)
			return false;
		to += r;
		size -= (size_t)r;
	}
	return true;
}

bool
sim_client_send(struct sim_client *client, uint16_t type, const void *body, uint32_t length,
		char *error)
{
	struct sx_header header = {.length = length, .type = type, .id = ++client->id};

	if (send_all(client->fd, &header, sizeof(header)) && send_all(client->fd, body, length))
		return true;
	text_format(error, TEXT_SIZE, "simxen is gone: %s", strerror(errno));
	return false;
}

bool
sim_client_next(struct sim_client *client, char *error)
{
	struct sx_header *header = &client->header;

	if (!receive_all(client->fd, header, sizeof(*header)) ||
	    header->length > sizeof(client->body) ||
	    !receive_all(client->fd, client->body, header->length)) {
		text_format(error, TEXT_SIZE, "simxen is gone: %s", strerror(errno));
		return false;
	}
	if (header->type != SX_ERROR)
		return true;
	sim_text(error, TEXT_SIZE, (char *)client->body, header->length);
	return false;
}

size_t
sim_client_count(const struct sim_client *client, size_t size)
{
	return client->header.length / size;
}

bool
sim_client_ready(const struct sim_client *client)
{
	struct pollfd ready = {.fd = client->fd, .events = POLLIN};

	return poll(&ready, 1, 0) > 0;
}

void
sim_text(char *to, size_t size, const char *from, size_t room)
{
	char text[SX_REQUEST_MAX];
	size_t length = strnlen(from, room < sizeof(text) ? room : sizeof(text) - 1);

	memcpy(text, from, length);
	text[length] = '\0';
	text_set(to, size, text);
}
