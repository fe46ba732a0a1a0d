/*
 * The prober of the engine's process: one for all services of all VMs, on libevent, without
 * threads, names to resolve or waits. One attempt has one result, within its deadline. When to
 * probe, how many failures count and what follows is the engine's business: nothing here is
 * repeated by itself, but for one resend of a datagram, as UDP and ICMP lose some.
 *
 * tcp     A connect; nothing is sent. The connection ends by a reset, so that no TIME_WAIT is left.
 * udp     A datagram that the protocol answers (payload.h), sent again at half the time. What
 *         counts as an answer must be one: with our id in it where the protocol has one.
 * icmp    An echo request (RFC 792, RFC 4443), sent again at half the time; the reply must have our
 *         random octets. All share a socket for each family.
 * plugin  A Nagios plugin (Monitoring Plugins Development Guidelines): what it says by its exit
 *         status. See plugin.c for how it is run.
 *
 * Attempts wait in order where too many are under way: of TCP and UDP together half of the
 * descriptors that the process may open, 1,024 of ICMP, 16 plugins. What waits has not begun, so
 * its deadline does not run; what has waited for its timeout and PROBE_PATIENCE_MS more ends in an
 * error when its turn comes, without having begun, as nobody waits for its answer any more.
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdint.h>

#include "base/messages.h"

#define PROBE_TIMEOUT_MAX_MS 600000

struct event_base;
struct prober;

/* What is probed. The texts are read in prober_start() only. */
struct probe_target {
	uint32_t kind; /* enum service_kind */
	/* But for plugins: IPv4 or IPv6 as text; link-local with its scope, "fe80::1%xenbr0". */
	const char *address;
	uint16_t port;	     /* tcp, udp */
	uint32_t payload;    /* udp: enum probe_payload */
	const char *command; /* plugin: words as of plugin_words(), the first an absolute path */
	uint32_t timeout_ms; /* 1 to PROBE_TIMEOUT_MAX_MS; what is out of this is brought into it */
};

/*
 * What came of it.
 *   up      connected; answered; exit status 0 (OK) or 1 (WARNING)
 *   down    refused, or an ICMP message said that it cannot be reached; exit status 2 (CRITICAL)
 *   silent  no answer in time; a plugin that had not ended was killed
 *   error   trouble of our own, which says nothing of the service: no descriptor, permission, route
 *           or room to send; a malformed target; too many attempts before it; any other end of a
 *           plugin
 */
struct probe_result {
	uint64_t tag;	     /* as given to prober_start() */
	uint32_t outcome;    /* enum probe_outcome */
	uint32_t latency_us; /* from the begin of the attempt to its outcome */
	int status;	     /* a plugin's exit status; -1: there is none */
	/* The first line of a plugin's output, without its performance data; else what failed. */
	char text[TEXT_SIZE];
};

/*
 * done is called from base's loop only, once for each attempt that was not cancelled. It may start
 * and cancel attempts; it may not free the prober.
 *
 * icmp_fd, icmp6_fd: sockets for ICMP and ICMPv6, raw or datagram ("ping sockets", icmp(7)), which
 * the prober takes over; made non-blocking. -1: it opens one itself where the system permits that
 * to its user (net.ipv4.ping_group_range, or CAP_NET_RAW), else ICMP attempts end in an error.
 */
struct prober *prober_new(struct event_base *base, int icmp_fd, int icmp6_fd,
			  void (*done)(void *arg, const struct probe_result *result), void *arg);

/* Cancels all attempts; kills what plugins run and waits for their end, at most 100 ms. */
void prober_free(struct prober *prober);

/* Starts an attempt. tag is unique among those that have no result yet. */
void prober_start(struct prober *prober, const struct probe_target *target, uint64_t tag);

/* Ends the attempt of that tag without a result; nothing where there is none. */
void prober_cancel(struct prober *prober, uint64_t tag);

#endif
