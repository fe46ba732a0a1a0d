#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

struct resolving {
	struct vmctl_host *host; /* NULL: nobody waits any more */
	struct evdns_getaddrinfo_request *request;
	uint16_t port;
};

static bool
port_parse(const char *text, uint16_t *port)
{
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (!*text || *end || number == 0 || number > UINT16_MAX || *text < '0' || *text > '9')
		return false;
	*port = (uint16_t)number;
	return true;
}

bool
address_split(const char *text, char *name, size_t size, uint16_t *port)
{
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);

	*port = SNMP_PORT;
	if (*text == '[') {
		const char *close = strchr(text, ']');

		if (!close || (close[1] && (close[1] != ':' || !port_parse(close + 2, port))))
			return false;
		text++;
		end = close;
	} else if (colon && strchr(text, ':') == colon) { /* more of them: IPv6 */
		if (!port_parse(colon + 1, port))
			return false;
		end = colon;
	}
	if (end == text || (size_t)(end - text) >= size)
		return false;
	memcpy(name, text, (size_t)(end - text));
	name[end - text] = 0;
	return strpbrk(name, " \t,;/\"'") == NULL;
}

static void
address_format(const struct sockaddr *from, uint16_t port, char address[TRANSPORT_SIZE])
{
	char text[64] = "";

	if (from->sa_family == AF_INET6) {
		evutil_inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, text,
				 sizeof(text));
		snprintf(address, TRANSPORT_SIZE, "udp6:[%s]:%u", text, port);
	} else {
		evutil_inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, text,
				 sizeof(text));
		snprintf(address, TRANSPORT_SIZE, "udp:%s:%u", text, port);
	}
}

static void
resolved(int result, struct evutil_addrinfo *found, void *arg)
{
	struct resolving *resolving = arg;
	struct vmctl_host *host = resolving->host;
	char address[TRANSPORT_SIZE], error[VMCTL_ERROR_SIZE];
	uint16_t port = resolving->port;

	free(resolving);
	if (host)
		host->resolving = NULL;
	if (host && result == 0 && found) {
		address_format(found->ai_addr, port, address);
		host->resolved(host, address, NULL);
	} else if (host) {
		TEXT_FORMAT(error, "no address for %s: %s", host->text,
			    evutil_gai_strerror(result));
		host->resolved(host, NULL, error);
	}
	if (found)
		evutil_freeaddrinfo(found);
}

bool
resolve(struct vmctl_host *host, char address[TRANSPORT_SIZE], resolved_fn *done)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
	struct sockaddr_storage numeric;
	int size = sizeof(numeric);
	char name[256] = "";
	struct resolving *resolving;
	struct evdns_getaddrinfo_request *request;
	uint16_t port;

	address_split(host->text, name, sizeof(name), &port);
	if (evutil_parse_sockaddr_port(name, (struct sockaddr *)&numeric, &size) == 0) {
		address_format((struct sockaddr *)&numeric, port, address);
		return true;
	}
	if (!host->vmctl->dns)
		host->vmctl->dns =
		    evdns_base_new(host->vmctl->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
							  EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	resolving = mem_alloc(sizeof(*resolving));
	*resolving = (struct resolving){.host = host, .port = port};
	host->resolving = resolving;
	host->resolved = done;
	request = evdns_getaddrinfo(host->vmctl->dns, name, NULL, &hints, resolved, resolving);
	if (host->resolving && request)
		resolving->request = request;
	return false;
}

void
resolve_cancel(struct vmctl_host *host)
{
	struct resolving *resolving = host->resolving;

	host->resolving = NULL;
	if (!resolving)
		return;
	resolving->host = NULL;
	if (resolving->request)
		evdns_getaddrinfo_cancel(resolving->request);
}
