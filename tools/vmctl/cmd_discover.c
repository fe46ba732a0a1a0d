/*
 * discover: hosts with our agent. First every address is asked for its SNMPv3 engine, which needs
 * no credentials and which every snmpd answers; then those that did, with each profile, for
 * lxHostName.
 */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "tools/vmctl/vmctl.h"

#define ADDRESSES_MAX 65536
#define PACE 50		/* probes at a time ... */
#define PACE_MS 10	/* ... and the time between */
#define ROUNDS 2	/* a probe may be lost */
#define LISTEN_MS 1000	/* after the last one */
#define FOUND_MAX 65536 /* that answer */
#define PORT 161

/* RFC 3414, section 4: a GET without engine, user or variables. */
static const uint8_t probe[] = {
    0x30, 0x3a, 0x02, 0x01, 0x03, 0x30, 0x0f, 0x02, 0x03, 0x4c, 0x58, 0x44, 0x02, 0x02, 0x05,
    0xdc, 0x04, 0x01, 0x04, 0x02, 0x01, 0x03, 0x04, 0x10, 0x30, 0x0e, 0x04, 0x00, 0x02, 0x01,
    0x00, 0x02, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00, 0x04, 0x00, 0x30, 0x12, 0x04, 0x00, 0x04,
    0x00, 0xa0, 0x0c, 0x02, 0x02, 0x4c, 0x58, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x00};

/* An address that is asked, or that answered. */
struct found {
	char address[64]; /* with its port where that is not 161 */
	char profile[VMCTL_NAME_SIZE];
	char name[VM_NAME_SIZE], version[24], error[VMCTL_ERROR_SIZE];
	const char *known; /* the host of the configuration that it is */
	uint32_t vms;
	bool ours;
	size_t tried; /* profiles */
};

struct discovery {
	struct context *context;
	uint32_t *addresses; /* host order */
	size_t count, sent;
	unsigned round;
	uint16_t port;
	int fd;
	bool broadcast;
	struct event *readable, *timer;
	bool listening; /* all was sent */
	struct found *found;
	size_t found_count;
};

/* ---- ranges ---- */

static bool
addresses_add(struct discovery *discovery, uint32_t first, uint32_t last)
{
	size_t more = (size_t)last - first + 1;

	if (last < first || discovery->count + more > ADDRESSES_MAX) {
		usage_error(discovery->context,
			    "more than %d addresses, or none; take smaller ranges", ADDRESSES_MAX);
		return false;
	}
	discovery->addresses = mem_resize(discovery->addresses, discovery->count + more,
					  sizeof(*discovery->addresses));
	for (size_t i = 0; i < more; i++)
		discovery->addresses[discovery->count++] = first + (uint32_t)i;
	return true;
}

/* 10.0.0.0/24, 10.0.0.10-99, 10.0.0.10-10.0.1.20, 10.0.0.5 */
static bool
range_read(struct discovery *discovery, const char *word)
{
	char text[64], *dash, *slash, *end;
	struct in_addr first, last;
	uint32_t from, to;

	snprintf(text, sizeof(text), "%s", word);
	dash = strchr(text, '-');
	slash = strchr(text, '/');
	if (dash)
		*dash++ = 0;
	if (slash)
		*slash++ = 0;
	if (inet_pton(AF_INET, text, &first) != 1)
		return usage_error(discovery->context,
				   "\"%s\" is no range: write 10.0.0.0/24 or "
				   "10.0.0.10-99",
				   word),
		       false;
	from = to = ntohl(first.s_addr);
	if (slash) {
		unsigned long bits = strtoul(slash, &end, 10);

		if (end == slash || *end || bits < 8 || bits > 32)
			return usage_error(discovery->context, "\"%s\": /8 to /32", word), false;
		from &= bits == 0 ? 0 : ~UINT32_C(0) << (32 - bits);
		to = from | (bits == 32 ? 0 : ~UINT32_C(0) >> bits);
		if (bits < 31) { /* not the network, nor its broadcast address */
			from++;
			to--;
		}
	} else if (dash && inet_pton(AF_INET, dash, &last) == 1) {
		to = ntohl(last.s_addr);
	} else if (dash) {
		unsigned long octet = strtoul(dash, &end, 10);

		if (end == dash || *end || octet > 255)
			return usage_error(discovery->context, "\"%s\" is no range", word), false;
		to = (from & ~UINT32_C(255)) | (uint32_t)octet;
	}
	return addresses_add(discovery, from, to);
}

/* ---- the sweep ---- */

static struct found *
found_add(struct discovery *discovery, const char *address)
{
	struct found *found;

	for (size_t i = 0; i < discovery->found_count; i++)
		if (strcmp(discovery->found[i].address, address) == 0)
			return NULL;
	if (discovery->found_count == FOUND_MAX)
		return NULL;
	if ((discovery->found_count & (discovery->found_count - 1)) == 0)
		discovery->found = mem_resize(discovery->found, discovery->found_count * 2 + 1,
					      sizeof(*discovery->found));
	found = &discovery->found[discovery->found_count++];
	*found = (struct found){.ours = false};
	snprintf(found->address, sizeof(found->address), "%s", address);
	return found;
}

static void
sweep_heard(int fd, short what, void *arg)
{
	struct discovery *discovery = arg;
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t data[2048];
	char text[64], address[80];

	(void)what;
	while (recvfrom(fd, data, sizeof(data), MSG_DONTWAIT, (struct sockaddr *)&from, &size) >
	       0) {
		inet_ntop(AF_INET, &from.sin_addr, text, sizeof(text));
		snprintf(address, sizeof(address), "%s:%u", text, ntohs(from.sin_port));
		if (ntohs(from.sin_port) == PORT)
			*strrchr(address, ':') = 0;
		if (data[0] == 0x30) /* a message of BER */
			found_add(discovery, address);
		size = sizeof(from);
	}
}

static void
sweep_step(int fd, short what, void *arg)
{
	static const struct timeval pace = {0, PACE_MS * 1000},
				    listen = {LISTEN_MS / 1000, LISTEN_MS % 1000 * 1000};
	struct discovery *discovery = arg;
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(discovery->port)};

	(void)fd, (void)what;
	if (discovery->listening) {
		event_base_loopbreak(vmctl_base(discovery->context->vmctl));
		return;
	}
	for (int i = 0; i < PACE && discovery->sent < discovery->count; i++) {
		to.sin_addr.s_addr = htonl(discovery->addresses[discovery->sent++]);
		sendto(discovery->fd, probe, sizeof(probe), MSG_DONTWAIT, (struct sockaddr *)&to,
		       sizeof(to));
	}
	if (discovery->sent == discovery->count && ++discovery->round < ROUNDS)
		discovery->sent = 0;
	discovery->listening = discovery->sent == discovery->count;
	event_add(discovery->timer, discovery->listening ? &listen : &pace);
}

static bool
sweep(struct discovery *discovery)
{
	struct event_base *base = vmctl_base(discovery->context->vmctl);
	const struct timeval now = {0, 0};
	int on = 1;

	discovery->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (discovery->fd < 0) {
		fprintf(stderr, "vmctl discover: no socket: %s\n", strerror(errno));
		return false;
	}
	if (discovery->broadcast)
		setsockopt(discovery->fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	discovery->readable =
	    event_new(base, discovery->fd, EV_READ | EV_PERSIST, sweep_heard, discovery);
	discovery->timer = evtimer_new(base, sweep_step, discovery);
	event_add(discovery->readable, NULL);
	event_add(discovery->timer, &now);
	event_base_dispatch(base);
	event_free(discovery->readable);
	event_free(discovery->timer);
	close(discovery->fd);
	return true;
}

/* ---- DNS ---- */

static bool
srv_read(struct discovery *discovery, const char *domain)
{
	struct __res_state state = {0};
	uint8_t answer[8192];
	char name[300], target[256], address[300];
	ns_msg message;
	ns_rr record;
	int size;

	snprintf(name, sizeof(name), "_snmp._udp.%s", domain);
	if (res_ninit(&state) != 0)
		return false;
	state.retrans = 2; /* seconds */
	state.retry = 2;
	size = res_nquery(&state, name, ns_c_in, ns_t_srv, answer, sizeof(answer));
	res_nclose(&state);
	if (size < 0 || ns_initparse(answer, size, &message) != 0) {
		fprintf(stderr, "vmctl discover: the DNS has no SRV records of %s\n", name);
		return false;
	}
	for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
		const uint8_t *data;

		if (ns_parserr(&message, ns_s_an, i, &record) != 0 ||
		    ns_rr_type(record) != ns_t_srv || ns_rr_rdlen(record) < 7)
			continue;
		data = ns_rr_rdata(record);
		if (dn_expand(ns_msg_base(message), ns_msg_end(message), data + 6, target,
			      sizeof(target)) < 0)
			continue;
		snprintf(address, sizeof(address), ns_get16(data + 4) == PORT ? "%s" : "%s:%u",
			 target, ns_get16(data + 4));
		if (strlen(address) < sizeof(discovery->found->address))
			found_add(discovery, address);
	}
	return true;
}

/* ---- who they are ---- */

static const struct vmctl_want wants[] = {
    {KIND_HOST, VMCTL_FIELD(mib_host, name) | VMCTL_FIELD(mib_host, vms), NULL},
    {KIND_AGENT, VMCTL_FIELD(mib_agent, version), NULL}};

/* A host for each try, under a name that no host of the configuration has. */
struct
try {
	struct discovery *discovery;
	struct found *found;
};

static void try_next(struct try *try);

static void
try_done(void *arg, struct vmctl_host *host)
{
	struct try *try = arg;
	struct found *found = try->found;
	struct mib_host row;
	struct mib_agent agent;

	if (!host_answers(host)) {
		TEXT_SET(found->error, vmctl_host_error(host));
		vmctl_host_remove(host);
		try_next(try);
		return;
	}
	if (vmctl_row(host, KIND_HOST, 0, &row)) {
		found->ours = true;
		TEXT_SET(found->name, row.name);
		found->vms = row.vms;
		if (vmctl_row(host, KIND_AGENT, 0, &agent))
			TEXT_SET(found->version, agent.version);
	} else {
		TEXT_SET(found->error, "it has no lauxend");
	}
	vmctl_host_remove(host);
	free(try);
}

static void
try_next(struct try *try)
{
	struct vmctl *vmctl = try->discovery->context->vmctl;
	const char *profile =
	    try->found->tried == 0 ? "default" : vmctl_profile_at(vmctl, try->found->tried - 1);
	char name[80], error[VMCTL_ERROR_SIZE];
	struct vmctl_host *host = NULL;

	try->found->tried++;
	if (profile && try->found->tried > 1 && strcmp(profile, "default") == 0) {
		try_next(try);
		return;
	}
	if (profile) {
		snprintf(name, sizeof(name), "?%s", try->found->address);
		host = vmctl_host_add(vmctl, name, try->found->address, profile, error);
	}
	if (!host) {
		free(try);
		return;
	}
	TEXT_SET(try->found->profile, profile);
	vmctl_fetch(host, wants, 2, try_done, try);
}

static void
find_known(struct discovery *discovery)
{
	for (struct vmctl_host *host = vmctl_host_at(discovery->context->vmctl, 0); host;
	     host = vmctl_host_next(host))
		for (size_t i = 0; i < discovery->found_count; i++)
			if (strcmp(discovery->found[i].address, vmctl_host_address(host)) == 0)
				discovery->found[i].known = vmctl_host_name(host);
}

static void
identify(struct discovery *discovery)
{
	for (size_t i = 0; i < discovery->found_count; i++) {
		struct try *try = mem_alloc(sizeof(*try));

		*try = (struct try){discovery, &discovery->found[i]};
		try_next(try);
	}
	vmctl_run(discovery->context->vmctl, 0);
}

/* ---- output ---- */

#define PLAIN_OCTETS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

/*
 * Why a host's line would be no good to the configuration, or would alter what it has; NULL: it is
 * fine, and its name is taken from now on. What it calls itself is its own affair, and stands
 * between quotes there.
 */
static const char *
line_fault(const struct discovery *discovery, const struct found *found, const char *name)
{
	struct vmctl *vmctl = discovery->context->vmctl;
	const char *group;
	char error[VMCTL_ERROR_SIZE];

	if (found->name[strspn(found->name, PLAIN_OCTETS)])
		return "a name has letters, digits and . _ - only";
	if (found->address[strspn(found->address, PLAIN_OCTETS ":[]")])
		return "its address has other characters than letters, digits and . _ - : [ ]";
	for (const struct vmctl_host *host = vmctl_host_at(vmctl, 0); host;
	     host = vmctl_host_next(host))
		for (size_t i = 0; (group = vmctl_host_group(host, i)); i++)
			if (strcmp(group, name) == 0)
				return "a group has that name";
	if (vmctl_host_find(vmctl, name))
		return "the configuration, or a line above, has that name";
	return vmctl_host_add(vmctl, name, found->address, found->profile, error)
		   ? NULL
		   : "it is no name or address of a host";
}

static void
print_line(const struct discovery *discovery, const struct found *found)
{
	const char *name = *found->name ? found->name : found->address;
	const char *fault = line_fault(discovery, found, name);

	if (fault)
		printf("# %s has lauxend %s and calls itself %s: %s; write its line under another "
		       "name\n",
		       found->address, found->version, name, fault);
	else
		printf("host \"%s\" { address = \"%s\" profile = \"%s\" } # lauxend %s, %" PRIu32
		       " VMs\n",
		       name, found->address, found->profile, found->version, found->vms);
}

static void
print_conf(const struct discovery *discovery)
{
	for (size_t i = 0; i < discovery->found_count; i++) {
		const struct found *found = &discovery->found[i];

		if (!found->ours)
			printf("# %s answers SNMP: %s\n", found->address, found->error);
		else if (found->known)
			printf("# %s is known as %s\n", found->address, found->known);
		else
			print_line(discovery, found);
	}
}

static void
print_json(const struct discovery *discovery)
{
	printf("{\"found\": [");
	for (size_t i = 0; i < discovery->found_count; i++) {
		const struct found *found = &discovery->found[i];

		printf("%s\n  {\"address\": ", i ? "," : "");
		json_string(stdout, found->address);
		printf(", \"lauxend\": %s, \"name\": ", found->ours ? "true" : "false");
		json_string(stdout, found->name);
		printf(", \"known\": ");
		if (found->known)
			json_string(stdout, found->known);
		else
			printf("null");
		printf(", \"profile\": ");
		json_string(stdout, found->ours ? found->profile : "");
		printf(", \"version\": ");
		json_string(stdout, found->version);
		printf(", \"vms\": %" PRIu32 ", \"error\": ", found->vms);
		json_string(stdout, found->ours ? "" : found->error);
		printf("}");
	}
	printf("]}\n");
}

/*
 * An interface's broadcast address: it is asked, and then all of the interface's network one by
 * one, as net-snmp's snmpd hears a broadcast and cannot answer it (it answers from the address that
 * it was asked at, which the kernel refuses; seen with 5.9.3).
 */
static bool
broadcast_read(struct discovery *discovery, const char *text)
{
	struct ifaddrs *all, *one;
	struct in_addr wanted;
	bool ok = range_read(discovery, text);

	discovery->broadcast = true;
	if (!ok || inet_pton(AF_INET, text, &wanted) != 1 || getifaddrs(&all) != 0)
		return ok;
	for (one = all; one && ok; one = one->ifa_next) {
		const struct sockaddr_in *address = (const struct sockaddr_in *)one->ifa_addr;
		const struct sockaddr_in *mask = (const struct sockaddr_in *)one->ifa_netmask;
		const struct sockaddr_in *broadcast =
		    (const struct sockaddr_in *)one->ifa_broadaddr;
		uint32_t net;

		if (!address || address->sin_family != AF_INET ||
		    !(one->ifa_flags & IFF_BROADCAST) || !broadcast ||
		    broadcast->sin_addr.s_addr != wanted.s_addr)
			continue;
		net = ntohl(address->sin_addr.s_addr & mask->sin_addr.s_addr);
		if (ntohl(wanted.s_addr) - net >= 2)
			ok = addresses_add(discovery, net + 1, ntohl(wanted.s_addr) - 1);
	}
	freeifaddrs(all);
	return ok;
}

/* All ranges are of one port: ":PORT" behind any of them. */
static bool
word_read(struct discovery *discovery, char *word, bool broadcast)
{
	char *colon = strchr(word, ':');

	if (colon) {
		unsigned long port = strtoul(colon + 1, NULL, 10);

		if (port < 1 || port > UINT16_MAX)
			return usage_error(discovery->context, "\"%s\": no such port", word), false;
		discovery->port = (uint16_t)port;
		*colon = 0;
	}
	return broadcast ? broadcast_read(discovery, word) : range_read(discovery, word);
}

int
cmd_discover(struct context *context)
{
	struct discovery discovery = {.context = context, .port = PORT};
	const struct options *options = &context->options;
	char *broadcast = options->broadcast ? mem_string(options->broadcast) : NULL;
	size_t ours = 0;
	bool ok = only_json(context);

	if (ok && context->words_count == 0 && !broadcast && !options->srv)
		return usage_error(context, "where? Give a range, --broadcast or --srv");
	for (int i = 0; i < context->words_count && ok; i++)
		ok = word_read(&discovery, context->words[i], false);
	if (ok && broadcast)
		ok = word_read(&discovery, broadcast, true);
	free(broadcast);
	if (!ok)
		return EXIT_USAGE;
	if (discovery.count > 0 && !sweep(&discovery))
		return EXIT_NONE;
	if (options->srv && !srv_read(&discovery, options->srv) && discovery.count == 0)
		return EXIT_NONE;
	find_known(&discovery);
	identify(&discovery);
	(options->format == OUTPUT_JSON ? print_json : print_conf)(&discovery);
	for (size_t i = 0; i < discovery.found_count; i++)
		ours += discovery.found[i].ours;
	free(discovery.addresses);
	free(discovery.found);
	return ours > 0 ? EXIT_ALL : EXIT_NONE;
}
