/*
 * What is said to a UDP service, and what counts as its answer. Pure: octets in, octets out.
 *
 * Each question is one that a working server of that protocol answers whatever it is configured to
 * serve, and that changes nothing there. The answer must carry our nonce where the protocol gives
 * something back; else any datagram of the right kind from that address and port does.
 *
 *   dns      version.bind TXT CH, which needs no other server (RFC 4892); any answer, a refusal too
 *   ntp      a client's packet (RFC 5905)
 *   snmp     the discovery of an engine, SNMPv3 (RFC 3414, section 4): needs no community or user
 *   dhcp     DHCPINFORM (RFC 2131), which allots nothing. The answer goes to port 68, from where it
 *            is asked if this process may bind that; from another port only servers answer that
 *            believe it (dnsmasq does, ISC's and Kea do not)
 *   tftp     a file "lauxen-probe" (RFC 1350); that there is none is the answer, from
 *            another port
 *   rpc      the null procedure of the port mapper (RFC 1833)
 *   nfs      the null procedure of NFS version 3 (RFC 1813); version 4 is of TCP only
 *   sip      OPTIONS (RFC 3261, section 11)
 *   radius   Access-Request of a user "lauxen-probe" without a good password (RFC 2865): rejected,
 *            where this host is a client of the server and need not sign (Message-Authenticator);
 *            Status-Server (RFC 5997) must always be signed, and we have no secret. FreeRADIUS
 *            holds a rejection back for a second: give it a timeout of more
 *   openvpn  a client's hard reset; a server with tls-auth or tls-crypt is silent to it
 *   netbios  node status of "*" (RFC 1002, section 4.2.17)
 *   stun     Binding (RFC 8489)
 *   empty    no octet: for what never answers, as syslog, and would log each octet. Only that the
 *            port is closed can be learnt
 *   generic  one octet, a line feed; any datagram answers
 */
#ifndef PROBE_PAYLOAD_H
#define PROBE_PAYLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/names.h"

union probe_address;

#define PAYLOAD_MAX 512	  /* octets of a question */
#define PAYLOAD_LOOK 1500 /* octets of an answer that matter */
#define PAYLOAD_ANYWHERE (-1)

struct payload {
	uint16_t port;	      /* where the protocol is usual; 0: nowhere */
	uint16_t source_port; /* where its answer goes; 0: from where it was asked */
	bool other_port;      /* its answer comes from another port */

	/* The question: octets, with the nonce's first nonce_size octets at nonce_at; or write. */
	const char *octets;
	uint16_t size;
	uint16_t nonce_at;
	uint8_t nonce_size;
	size_t (*write)(uint64_t nonce, const union probe_address *from,
			const union probe_address *to, uint8_t out[static PAYLOAD_MAX]);

	/* An answer has at least so many octets, one with that mark, and echo_size of the nonce */
	uint16_t least;
	uint8_t mark_at, mark_mask, mark;
	uint8_t echo_size;
	int16_t echo_at; /* where, or PAYLOAD_ANYWHERE */
	bool echo_hex;	 /* the nonce stands there as 16 hexadecimal digits */
};

/* PAYLOAD_BY_PORT: what is usual on that port, else the generic one. Never NULL. */
const struct payload *payload_find(enum probe_payload payload, uint16_t port);

/* Writes the question of a client at from to a server at to; returns its size. */
size_t payload_write(const struct payload *payload, uint64_t nonce, const union probe_address *from,
		     const union probe_address *to, uint8_t out[static PAYLOAD_MAX]);

bool payload_answers(const struct payload *payload, uint64_t nonce, const uint8_t *answer,
		     size_t size);

#endif
