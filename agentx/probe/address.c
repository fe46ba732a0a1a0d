#include "probe/internal.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <string.h>

#include "base/mem.h"

bool
address_parse(union probe_address *address, const char *text, uint16_t port)
{
	char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	char *scope;

	*address = (union probe_address){.v4 = {.sin_family = AF_INET, .sin_port = htons(port)}};
	if (inet_pton(AF_INET, text, &address->v4.sin_addr) == 1)
		return true;
	*address = (union probe_address){.v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
	TEXT_SET(host, text);
	scope = strchr(host, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, host, &address->v6.sin6_addr) == 1 &&
	    (!scope || (address->v6.sin6_scope_id = if_nametoindex(scope)) != 0))
		return true;
	*address = (union probe_address){.any.sa_family = AF_UNSPEC};
	return false;
}

socklen_t
address_size(const union probe_address *address)
{
	return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

bool
address_same_host(const union probe_address *a, const union probe_address *b)
{
	if (a->any.sa_family != b->any.sa_family)
		return false;
	if (a->any.sa_family == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr);
}

union probe_address
address_own(int fd)
{
	union probe_address own = {0};
	socklen_t size = sizeof(own);

	getsockname(fd, &own.any, &size);
	return own;
}

bool
probe_met_itself(const struct probe *probe, const union probe_address *own)
{
	return own->v4.sin_port == probe->to.v4.sin_port && address_same_host(own, &probe->to);
}

void
error_ask(int fd, int family)
{
	int one = 1;

	if (family == AF_INET)
		setsockopt(fd, SOL_IP, IP_RECVERR, &one, sizeof(one));
	else
		setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &one, sizeof(one));
}

bool
error_take(int fd, int *error, union probe_address *to, uint8_t *octets, size_t *size)
{
	char control[512];
	struct iovec data = {.iov_base = octets, .iov_len = *size};
	struct msghdr message = {.msg_name = to,
				 .msg_namelen = sizeof(*to),
				 .msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT);

	if (length < 0)
		return false;
	*size = (size_t)length;
	*error = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
		struct sock_extended_err what;

		if ((c->cmsg_level != SOL_IP || c->cmsg_type != IP_RECVERR) &&
		    (c->cmsg_level != SOL_IPV6 || c->cmsg_type != IPV6_RECVERR))
			continue;
		memcpy(&what, CMSG_DATA(c), sizeof(what));
		*error = (int)what.ee_errno;
	}
	return true;
}
