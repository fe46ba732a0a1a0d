/*
 * Ports that answer, for what probes them, at little cost of their own: connections to TCP ports
 * are left to the kernel's queue (4,096 a port), UDP gives back what it gets. Prints "ready" when
 * all are open; runs until it is killed.
 *
 * usage: ports tcp|udp ADDRESS FIRST COUNT     IPv4
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

static int
port_open(bool udp, const char *address, int port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	int fd = socket(AF_INET, (udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || (!udp && listen(fd, 4096) < 0)) {
		perror(address);
		exit(2);
	}
	return fd;
}

static void
port_answer(int fd)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	char octets[2048];
	ssize_t length;

	while ((length =
		    recvfrom(fd, octets, sizeof(octets), 0, (struct sockaddr *)&from, &size)) >= 0)
		sendto(fd, octets, (size_t)length, 0, (struct sockaddr *)&from, size);
}

int
main(int argc, char **argv)
{
	struct pollfd *ports;
	bool udp;
	nfds_t count;

	if (argc != 5) {
		fprintf(stderr, "usage: %s tcp|udp ADDRESS FIRST COUNT\n", argv[0]);
		return 2;
	}
	udp = strcmp(argv[1], "udp") == 0;
	count = (nfds_t)atoi(argv[4]);
	ports = mem_array(count, sizeof(*ports));
	for (nfds_t i = 0; i < count; i++)
		ports[i] = (struct pollfd){.fd = port_open(udp, argv[2], atoi(argv[3]) + (int)i),
					   .events = udp ? POLLIN : 0};
	puts("ready");
	fflush(stdout);
	while (poll(ports, count, -1) > 0)
		for (nfds_t i = 0; i < count; i++)
			if (ports[i].revents)
				port_answer(ports[i].fd);
	return 1;
}
