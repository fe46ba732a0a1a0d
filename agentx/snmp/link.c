#include "snmp/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/util.h>

#include "base/mem.h"

#define CONNECT_MS 100 /* TCP; a unix socket connects at once or not at all */
#define SEND_MS 1000   /* what waits is little: an snmpd that takes none of it hangs */

static int
link_receive(netsnmp_transport *link, void *to, int size, void **peer, int *peer_size)
{
	ssize_t length;

	*peer = NULL;
	*peer_size = 0;
	do
		length = recv(link->sock, to, (size_t)size, 0);
	while (length < 0 && errno == EINTR);
	return (int)length;
}

static int
link_send(netsnmp_transport *link, const void *from, int size, void **peer, int *peer_size)
{
	int sent = 0;

	(void)peer, (void)peer_size;
	while (sent < size) {
		ssize_t length = send(link->sock, (const char *)from + sent, (size_t)(size - sent),
				      MSG_NOSIGNAL);

		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0)
			return -1;
		sent += (int)length;
	}
	return size;
}

static int
link_close(netsnmp_transport *link)
{
	if (link->sock >= 0)
		close(link->sock);
	link->sock = -1;
	return 0;
}

static char *
link_peer(netsnmp_transport *link, const void *peer, int peer_size)
{
	(void)link, (void)peer, (void)peer_size;
	return strdup("snmpd");
}

static bool
path_address(const char *path, struct sockaddr_storage *address, socklen_t *size)
{
	struct sockaddr_un *unix_address = (struct sockaddr_un *)address;

	*size = sizeof(*unix_address);
	if (strlen(path) >= sizeof(unix_address->sun_path))
		return false;
	unix_address->sun_family = AF_UNIX;
	strcpy(unix_address->sun_path, path);
	return true;
}

/* No name but localhost: nothing here may wait for a name server. */
static bool
tcp_address(const char *text, struct sockaddr_storage *address, socklen_t *size)
{
	static const char local[] = "localhost:";
	char number[64];
	int length = sizeof(*address);

	TEXT_SET(number, text);
	if (strncmp(text, local, strlen(local)) == 0)
		TEXT_FORMAT(number, "127.0.0.1:%s", text + strlen(local));
	if (evutil_parse_sockaddr_port(number, (struct sockaddr *)address, &length) != 0)
		return false;
	*size = (socklen_t)length;
	return true;
}

static bool
link_address(const char *socket, struct sockaddr_storage *address, socklen_t *size)
{
	memset(address, 0, sizeof(*address));
	if (strncmp(socket, "unix:", 5) == 0)
		return path_address(socket + 5, address, size);
	if (strncmp(socket, "tcp:", 4) == 0)
		return tcp_address(socket + 4, address, size);
	return false;
}

/* A descriptor that is connected and waits from now on, a second at most; -1: nobody takes it. */
static int
link_open(const char *socket_text)
{
	struct timeval limit = {SEND_MS / 1000, SEND_MS % 1000 * 1000};
	struct sockaddr_storage address;
	socklen_t size, error_size = sizeof(int);
	int error = 0, fd;

	errno = EINVAL;
	if (!link_address(socket_text, &address, &size))
		return -1;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, size) < 0) {
		struct pollfd wait = {.fd = fd, .events = POLLOUT};

		error = errno;
		if (error == EINPROGRESS &&
		    (poll(&wait, 1, CONNECT_MS) != 1 ||
		     getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_size) < 0))
			error = ETIMEDOUT;
	}
	if (error == 0 && fcntl(fd, F_SETFL, 0) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

netsnmp_transport *
link_connect(const char *socket)
{
	int fd = link_open(socket);
	netsnmp_transport *link;

	if (fd < 0)
		return NULL;
	link = mem_alloc(sizeof(*link));
	link->sock = fd;
	link->flags = NETSNMP_TRANSPORT_FLAG_STREAM | NETSNMP_TRANSPORT_FLAG_OPENED;
	link->msgMaxSize = SNMP_MAX_PACKET_LEN;
	link->f_recv = link_receive;
	link->f_send = link_send;
	link->f_close = link_close;
	link->f_fmtaddr = link_peer;
	return link;
}
