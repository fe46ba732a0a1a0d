#include "tools/simxen/talk.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define DNS_HEADER 12
#define DNS_ANSWER 16 /* one A record under a compressed name */
#define NTP_PACKET 48

bool
talk_waits(uint16_t port)
{
	return port == 80 || port == 8080;
}

size_t
talk_greet(const struct vmdef *def, uint16_t port, char out[static TALK_MAX])
{
	return (size_t)snprintf(out, TALK_MAX, "simxen %s %u\r\n", def->name, port);
}

size_t
talk_answer(const struct vmdef *def, const char *in, size_t length, char out[static TALK_MAX])
{
	char page[VMDEF_TEXT + 16];

	if (!memchr(in, '\n', length))
		return 0;
	snprintf(page, sizeof(page), "simxen %s\n", def->name);
	return (size_t)snprintf(out, TALK_MAX,
				"HTTP/1.0 200 OK\r\nServer: simxen\r\nContent-Type: text/plain\r\n"
				"Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
				strlen(page), page);
}

/* Length of the first question after the header, or 0 where it is broken (RFC 1035, 4.1.2). */
static size_t
question_length(const uint8_t *in, size_t length)
{
	size_t at = DNS_HEADER;

	while (at < length && in[at] != 0 && in[at] < 64)
		at += in[at] + 1U;
	return at + 5 <= length && in[at] == 0 ? at + 5 - DNS_HEADER : 0;
}

/* RFC 1035, 4.1.1: the question comes back; one A record, the VM's address, for an A question. */
static size_t
answer_dns(const struct vmdef *def, const uint8_t *in, size_t length, uint8_t *out)
{
	size_t question = length > DNS_HEADER ? question_length(in, length) : 0, size;
	bool fits = question > 0 && question < 300, wants_a;

	size = DNS_HEADER + (fits ? question : 0);
	memset(out, 0, DNS_HEADER);
	memcpy(out, in, length < 4 ? length : fits ? size : 4);
	out[2] = (out[2] & 0x79) | 0x80; /* QR; opcode and RD as asked */
	out[3] = 0x80 | (fits ? 0 : 1);	 /* RA; FORMERR where there is no question */
	memset(out + 4, 0, 8);
	out[5] = fits;
	wants_a = fits && memcmp(out + size - 4, "\0\1\0\1", 4) == 0;
	if (!wants_a)
		return size;
	out[7] = 1;
	memcpy(out + size, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4", 12);
	inet_pton(AF_INET, def->address, out + size + 12);
	return size + DNS_ANSWER;
}

/* RFC 5905, 7.3: a server's packet that gives the client's transmit time back as its origin. */
static size_t
answer_ntp(const struct vmdef *def, const uint8_t *in, size_t length, uint8_t *out)
{
	(void)def;
	memset(out, 0, NTP_PACKET);
	out[0] = 0x24; /* no leap, version 4, mode 4 (server) */
	out[1] = 1;    /* stratum */
	memcpy(out + 12, "SIMX", 4);
	if (length >= NTP_PACKET) {
		memcpy(out + 24, in + 40, 8);
		memcpy(out + 32, in + 40, 8);
		memcpy(out + 40, in + 40, 8);
	}
	return NTP_PACKET;
}

static const struct {
	uint16_t port;
	size_t (*answer)(const struct vmdef *def, const uint8_t *in, size_t length, uint8_t *out);
} udp_protocols[] = {
    {53, answer_dns},
    {123, answer_ntp},
};

size_t
talk_datagram(const struct vmdef *def, uint16_t port, const uint8_t *in, size_t length,
	      uint8_t out[static TALK_MAX])
{
	for (size_t i = 0; i < sizeof(udp_protocols) / sizeof(*udp_protocols); i++)
		if (udp_protocols[i].port == port)
			return udp_protocols[i].answer(def, in, length, out);
	return talk_greet(def, port, (char *)out);
}
