#include "probe/payload.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "probe/internal.h"

#define HEX_SIZE 17 /* 16 digits and the NUL */

/* The nonce's octets as they travel. The first is 0x40 to 0x7f, so that four of them are a positive
 * INTEGER of BER in four octets. */
static void
nonce_octets(uint64_t nonce, uint8_t octets[static 8])
{
	memcpy(octets, &nonce, 8);
	octets[0] = (octets[0] & 0x3f) | 0x40;
}

static void
nonce_hex(uint64_t nonce, char hex[static HEX_SIZE])
{
	snprintf(hex, HEX_SIZE, "%016" PRIx64, nonce);
}

/* As a URI has it (RFC 3986, section 3.2.2). */
static void
uri_host(const union probe_address *address, char *host, size_t size)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (address->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &address->v6.sin6_addr, text, sizeof(text));
		snprintf(host, size, "[%s]", text);
	} else {
		inet_ntop(AF_INET, &address->v4.sin_addr, host, (socklen_t)size);
	}
}

/* Max-Forwards 0: who gets it answers it. */
static size_t
write_sip(uint64_t nonce, const union probe_address *from, const union probe_address *to,
	  uint8_t out[static PAYLOAD_MAX])
{
	char own[INET6_ADDRSTRLEN + 2], peer[INET6_ADDRSTRLEN + 2], hex[HEX_SIZE];
	int size;

	uri_host(from, own, sizeof(own));
	uri_host(to, peer, sizeof(peer));
	nonce_hex(nonce, hex);
	size = snprintf((char *)out, PAYLOAD_MAX,
			"OPTIONS sip:%s:%u SIP/2.0\r\n"
			"Via: SIP/2.0/UDP %s:%u;branch=z9hG4bK%s;rport\r\n"
			"Max-Forwards: 0\r\n"
			"From: <sip:lauxen@%s>;tag=%.8s\r\n"
			"To: <sip:%s>\r\n"
			"Call-ID: %s\r\n"
			"CSeq: 1 OPTIONS\r\n"
			"Content-Length: 0\r\n\r\n",
			peer, ntohs(to->v4.sin_port), own, ntohs(from->v4.sin_port), hex, own, hex,
			peer, hex);
	return size < PAYLOAD_MAX ? (size_t)size : PAYLOAD_MAX;
}

/* The client's address is where the answer goes. */
static size_t
write_dhcp(uint64_t nonce, const union probe_address *from, const union probe_address *to,
	   uint8_t out[static PAYLOAD_MAX])
{
	static const char head[] = "\x01\x01\x06\x00";	 /* a request; an Ethernet address */
	static const char hardware[] = "\x02LauXe";	 /* made up, locally administered */
	static const char options[] = "\x63\x82\x53\x63" /* the magic cookie */
				      "\x35\x01\x08"	 /* DHCPINFORM */
				      "\x37\x03\x01\x03\x06\xff"; /* mask, router, DNS; the end */
	uint8_t octets[8];

	(void)to;
	memset(out, 0, 300); /* what old servers take at least (RFC 1542, section 2.1) */
	nonce_octets(nonce, octets);
	memcpy(out, head, 4);
	memcpy(out + 4, octets, 4);
	if (from->any.sa_family == AF_INET)
		memcpy(out + 12, &from->v4.sin_addr, 4);
	memcpy(out + 28, hardware, 6);
	memcpy(out + 236, options, sizeof(options) - 1);
	return 300;
}

static size_t
write_radius(uint64_t nonce, const union probe_address *from, const union probe_address *to,
	     uint8_t out[static PAYLOAD_MAX])
{
	static const char attributes[] = "\x01\x0elauxen-probe"	    /* User-Name */
					 "\x02\x12----------------" /* User-Password */
					 "\x20\x08lauxen";	    /* NAS-Identifier */
	size_t size = 20 + sizeof(attributes) - 1;

	(void)from, (void)to;
	out[0] = 1; /* Access-Request */
	nonce_octets(nonce, out + 4);
	nonce_octets(~nonce, out + 12);
	out[1] = out[4];
	out[2] = 0;
	out[3] = (uint8_t)size;
	memcpy(out + 20, attributes, sizeof(attributes) - 1);
	return size;
}

#define OCTETS(text) .octets = (text), .size = sizeof(text) - 1
#define NONCE(at, count) .nonce_at = (at), .nonce_size = (count)
#define LEAST(count) .least = (count)
#define MARK(at, mask, value) .mark_at = (at), .mark_mask = (mask), .mark = (value)
#define ECHO(at, count) .echo_at = (at), .echo_size = (count)

/* A call without credentials (RFC 5531, section 9); of a reply, the kind is 1. */
#define RPC_CALL(program, version)                                                                 \
	OCTETS("\0\0\0\0"                                                                          \
	       "\0\0\0\0\0\0\0\2" program version "\0\0\0\0"                                       \
	       "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),                                                \
	    NONCE(0, 4), LEAST(12), MARK(7, 0xff, 1), ECHO(0, 4)

static const struct payload payloads[] = {
    [PAYLOAD_GENERIC] = {OCTETS("\n")},
    [PAYLOAD_EMPTY] = {.port = 514, OCTETS("")},
    [PAYLOAD_DNS] = {.port = 53,
		     OCTETS("\0\0\0\0\0\1\0\0\0\0\0\0\7version\4bind\0\0\x10\0\3"),
		     NONCE(0, 2),
		     LEAST(12),
		     MARK(2, 0x80, 0x80),
		     ECHO(0, 2)},
    /* Our transmit time comes back as its origin. */
    [PAYLOAD_NTP] = {.port = 123,
		     OCTETS("\x23\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
		     NONCE(40, 8),
		     LEAST(48),
		     MARK(0, 7, 4),
		     ECHO(24, 8)},
    /* msgID is given back; how long the lengths before it are is the agent's choice. */
    [PAYLOAD_SNMP] = {.port = 161,
		      OCTETS("\x30\x3b\x02\x01\x03"
			     "\x30\x11\x02\x04\0\0\0\0\x02\x03\x00\xff\xe3\x04\x01\x04\x02\x01\x03"
			     "\x04\x10\x30\x0e\x04\0\x02\x01\0\x02\x01\0\x04\0\x04\0\x04\0"
			     "\x30\x11\x04\0\x04\0\xa0\x0b\x02\x01\0\x02\x01\0\x02\x01\0\x30\0"),
		      NONCE(9, 4),
		      LEAST(20),
		      MARK(0, 0xff, 0x30),
		      ECHO(PAYLOAD_ANYWHERE, 4)},
    [PAYLOAD_DHCP] = {.port = 67,
		      .source_port = 68,
		      .write = write_dhcp,
		      LEAST(236),
		      MARK(0, 0xff, 2),
		      ECHO(4, 4)},
    [PAYLOAD_TFTP] = {.port = 69,
		      .other_port = true,
		      OCTETS("\0\1lauxen-probe\0octet\0"),
		      LEAST(4),
		      MARK(1, 0xff, 5)}, /* an error */
    [PAYLOAD_RPC] = {.port = 111, RPC_CALL("\0\1\x86\xa0", "\0\0\0\2")},
    [PAYLOAD_NFS] = {.port = 2049, RPC_CALL("\0\1\x86\xa3", "\0\0\0\3")},
    [PAYLOAD_SIP] = {.port = 5060,
		     .write = write_sip,
		     LEAST(12),
		     MARK(0, 0xff, 'S'),
		     ECHO(PAYLOAD_ANYWHERE, 16),
		     .echo_hex = true},
    /* Accept 2, reject 3, challenge 11. */
    [PAYLOAD_RADIUS] =
	{.port = 1812, .write = write_radius, LEAST(20), MARK(0, 0xf6, 2), ECHO(1, 1)},
    /* P_CONTROL_HARD_RESET_CLIENT_V2 (7), our session, nothing acknowledged, packet 0; what comes
     * back is P_CONTROL_HARD_RESET_SERVER_V2 (8) and names our session. */
    [PAYLOAD_OPENVPN] = {.port = 1194,
			 OCTETS("\x38\0\0\0\0\0\0\0\0\0\0\0\0\0"),
			 NONCE(1, 8),
			 LEAST(14),
			 MARK(0, 0xf8, 0x40),
			 ECHO(PAYLOAD_ANYWHERE, 8)},
    [PAYLOAD_NETBIOS] = {.port = 137,
			 OCTETS("\0\0\0\0\0\1\0\0\0\0\0\0"
				"\x20"
				"CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x21\0\1"),
			 NONCE(0, 2),
			 LEAST(12),
			 MARK(2, 0x80, 0x80),
			 ECHO(0, 2)},
    [PAYLOAD_STUN] = {.port = 3478,
		      OCTETS("\0\1\0\0\x21\x12\xa4\x42\0\0\0\0\0\0\0\0\0\0\0\0"),
		      NONCE(8, 8),
		      LEAST(20),
		      MARK(0, 0xff, 1),
		      ECHO(8, 8)},
};

const struct payload *
payload_find(enum probe_payload payload, uint16_t port)
{
	const size_t count = sizeof(payloads) / sizeof(*payloads);

	if (payload != PAYLOAD_BY_PORT)
		return &payloads[payload < count ? payload : PAYLOAD_GENERIC];
	for (size_t i = 0; i < count; i++)
		if (port != 0 && payloads[i].port == port)
			return &payloads[i];
	return &payloads[PAYLOAD_GENERIC];
}

size_t
payload_write(const struct payload *payload, uint64_t nonce, const union probe_address *from,
	      const union probe_address *to, uint8_t out[static PAYLOAD_MAX])
{
	uint8_t octets[8];

	if (payload->write)
		return payload->write(nonce, from, to, out);
	nonce_octets(nonce, octets);
	memcpy(out, payload->octets, payload->size);
	memcpy(out + payload->nonce_at, octets, payload->nonce_size);
	return payload->size;
}

static bool
echoes(const struct payload *payload, uint64_t nonce, const uint8_t *answer, size_t size)
{
	uint8_t octets[HEX_SIZE];

	if (payload->echo_hex)
		nonce_hex(nonce, (char *)octets);
	else
		nonce_octets(nonce, octets);
	if (payload->echo_at == PAYLOAD_ANYWHERE)
		return memmem(answer, size, octets, payload->echo_size);
	return (size_t)payload->echo_at + payload->echo_size <= size &&
	       memcmp(answer + payload->echo_at, octets, payload->echo_size) == 0;
}

bool
payload_answers(const struct payload *payload, uint64_t nonce, const uint8_t *answer, size_t size)
{
	if (size < payload->least)
		return false;
	if (payload->mark_mask &&
	    (payload->mark_at >= size ||
	     (answer[payload->mark_at] & payload->mark_mask) != payload->mark))
		return false;
	return echoes(payload, nonce, answer, size);
}
