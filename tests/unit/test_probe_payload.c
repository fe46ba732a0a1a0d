/* What is said to UDP services and what is taken for an answer; the words and lines of plugins. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/mem.h"
#include "probe/internal.h"
#include "probe/payload.h"
#include "probe/plugin.h"

#define NONCE UINT64_C(0x1122334455667788)
#define OTHER UINT64_C(0x99aabbccddeeff00)

static union probe_address
address(const char *text, uint16_t port)
{
	union probe_address address;

	assert_true(address_parse(&address, text, port));
	return address;
}

static size_t
ask(enum probe_payload payload, uint64_t nonce, uint8_t out[static PAYLOAD_MAX])
{
	union probe_address from = address("192.0.2.1", 4000), to = address("192.0.2.2", 5060);

	memset(out, 0xaa, PAYLOAD_MAX);
	return payload_write(payload_find(payload, 0), nonce, &from, &to, out);
}

/* What a proper server says to question, in answer; returns its size. */

static size_t
with_octet(const uint8_t *question, size_t size, uint8_t *answer, size_t at, uint8_t octet)
{
	memcpy(answer, question, size);
	answer[at] = octet;
	return size;
}

static size_t
answer_dns(const uint8_t *question, size_t size, uint8_t *answer)
{
	return with_octet(question, size, answer, 2, 0x84);
}

static size_t
answer_ntp(const uint8_t *question, size_t size, uint8_t *answer)
{
	(void)size;
	memset(answer, 0, 48);
	answer[0] = 0x24;
	memcpy(answer + 24, question + 40, 8);
	return 48;
}

/* As net-snmp 5.9 sent it: a Report, with lengths in long form. */
static size_t
answer_snmp(const uint8_t *question, size_t size, uint8_t *answer)
{
	static const uint8_t report[] =
	    "\x30\x82\x00\x6b\x02\x01\x03\x30\x82\x00\x11\x02\x04????\x02\x03\x00\xff\xe3\x04\x01"
	    "\x00\x02\x01\x03\x04\x82\x00\x20\x30\x1e\x04\x11\x80\x00\x1f\x88\x80";

	(void)size;
	memcpy(answer, report, sizeof(report));
	memcpy(answer + 13, question + 9, 4);
	return sizeof(report) - 1;
}

static size_t
answer_dhcp(const uint8_t *question, size_t size, uint8_t *answer)
{
	return with_octet(question, size, answer, 0, 2);
}

static size_t
answer_tftp(const uint8_t *question, size_t size, uint8_t *answer)
{
	static const char none[] = "\0\5\0\1File not found";

	(void)question, (void)size;
	memcpy(answer, none, sizeof(none));
	return sizeof(none);
}

static size_t
answer_rpc(const uint8_t *question, size_t size, uint8_t *answer)
{
	(void)size;
	memset(answer, 0, 24);
	memcpy(answer, question, 4);
	answer[7] = 1;
	return 24;
}

static size_t
answer_sip(const uint8_t *question, size_t size, uint8_t *answer)
{
	const char *via = memmem(question, size, "Via:", 4);
	const char *end = memmem(question, size, "Max-Forwards", 12);

	return (size_t)snprintf((char *)answer, PAYLOAD_MAX,
				"SIP/2.0 200 OK\r\n%.*sContent-Length: 0\r\n\r\n", (int)(end - via),
				via);
}

static size_t
answer_radius(const uint8_t *question, size_t size, uint8_t *answer)
{
	(void)size;
	memset(answer, 7, 20);
	answer[0] = 3;
	answer[1] = question[1];
	return 20;
}

static size_t
answer_openvpn(const uint8_t *question, size_t size, uint8_t *answer)
{
	(void)size;
	memset(answer, 0, 26);
	memcpy(answer, "\x40SERVERID\1\0\0\0\0", 14);
	memcpy(answer + 14, question + 1, 8);
	return 26;
}

static size_t
answer_stun(const uint8_t *question, size_t size, uint8_t *answer)
{
	return with_octet(question, size, answer, 0, 1);
}

static size_t
answer_any(const uint8_t *question, size_t size, uint8_t *answer)
{
	(void)question, (void)size;
	*answer = 'x';
	return 1;
}

static const struct {
	enum probe_payload payload;
	uint16_t port;
	size_t size; /* of the question */
	size_t (*answer)(const uint8_t *question, size_t size, uint8_t *answer);
	bool matched; /* has an id */
} protocols[] = {
    {PAYLOAD_DNS, 53, 30, answer_dns, true},
    {PAYLOAD_NTP, 123, 48, answer_ntp, true},
    {PAYLOAD_SNMP, 161, 61, answer_snmp, true},
    {PAYLOAD_DHCP, 67, 300, answer_dhcp, true},
    {PAYLOAD_TFTP, 69, 21, answer_tftp, false},
    {PAYLOAD_RPC, 111, 40, answer_rpc, true},
    {PAYLOAD_NFS, 2049, 40, answer_rpc, true},
    {PAYLOAD_SIP, 5060, 252, answer_sip, true},
    {PAYLOAD_RADIUS, 1812, 60, answer_radius, true},
    {PAYLOAD_OPENVPN, 1194, 14, answer_openvpn, true},
    {PAYLOAD_NETBIOS, 137, 50, answer_dns, true},
    {PAYLOAD_STUN, 3478, 20, answer_stun, true},
    {PAYLOAD_EMPTY, 514, 0, answer_any, false},
    {PAYLOAD_GENERIC, 9999, 1, answer_any, false},
};
#define PROTOCOLS (sizeof(protocols) / sizeof(*protocols))

static void
test_every_name_has_its_payload(void **state)
{
	(void)state;
	for (const struct name *name = probe_payload_names + 1; name->name; name++) {
		bool found = false;

		for (size_t i = 0; i < PROTOCOLS; i++)
			found = found || (int)protocols[i].payload == name->value;
		if (!found)
			fail_msg("%s", name->name);
	}
	assert_int_equal(name_value(probe_payload_names, ""), PAYLOAD_BY_PORT);
}

static void
test_by_port(void **state)
{
	(void)state;
	for (size_t i = 0; i < PROTOCOLS; i++)
		assert_ptr_equal(payload_find(PAYLOAD_BY_PORT, protocols[i].port),
				 payload_find(protocols[i].payload, 7));
	assert_ptr_equal(payload_find(PAYLOAD_BY_PORT, 0), payload_find(PAYLOAD_GENERIC, 0));
	assert_ptr_equal(payload_find((enum probe_payload)99, 53),
			 payload_find(PAYLOAD_GENERIC, 0));
}

static void
test_answers(void **state)
{
	uint8_t question[PAYLOAD_MAX], answer[PAYLOAD_MAX];

	(void)state;
	for (size_t i = 0; i < PROTOCOLS; i++) {
		const struct payload *payload = payload_find(protocols[i].payload, 0);
		const char *name = name_of(probe_payload_names, protocols[i].payload);
		size_t size = ask(protocols[i].payload, NONCE, question), answer_size;

		if (size != protocols[i].size)
			fail_msg("%s: a question of %zu octets", name, size);
		answer_size = protocols[i].answer(question, size, answer);
		if (!payload_answers(payload, NONCE, answer, answer_size))
			fail_msg("%s: its answer is not taken", name);
		if (protocols[i].matched == payload_answers(payload, OTHER, answer, answer_size))
			fail_msg("%s: another's answer", name);
		/* SNMP's own differs deep inside only; who echoes on that port is there too. */
		if (payload->mark_mask && protocols[i].payload != PAYLOAD_SNMP &&
		    payload_answers(payload, NONCE, question, size))
			fail_msg("%s: the question is taken for its answer", name);
		if (payload->least && payload_answers(payload, NONCE, answer, payload->least - 1u))
			fail_msg("%s: half an answer is taken", name);
	}
}

/* What an attacker who sees no question may send: it is not taken, and nothing is read beyond it
 * (the sanitizer sees that, as each has its memory). */
static void
test_random_answers(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t size = (size_t)rand_r(&seed) % 300;
		uint8_t *octets = malloc(size ? size : 1);
		const struct payload *payload =
		    payload_find(protocols[round % PROTOCOLS].payload, 0);

		assert_non_null(octets);
		for (size_t i = 0; i < size; i++)
			octets[i] = (uint8_t)rand_r(&seed);
		if (size > payload->mark_at && rand_r(&seed) % 2)
			octets[payload->mark_at] = payload->mark;
		if (payload_answers(payload, NONCE, octets, size) && payload->echo_size > 2)
			fail_msg("seed 1, round %d", round);
		free(octets);
	}
}

/* An INTEGER of BER in four octets is positive and has no needless one (X.690, 8.3.2). */
static void
test_the_id_of_snmp(void **state)
{
	uint8_t question[PAYLOAD_MAX];

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		ask(PAYLOAD_SNMP, i * UINT64_C(0x0101010101010101), question);
		assert_in_range(question[9], 1, 127);
	}
}

static void
test_sip_in_ipv6(void **state)
{
	union probe_address from = address("2001:db8::1", 4000), to = address("fe80::2%lo", 5060);
	uint8_t question[PAYLOAD_MAX];
	size_t size = payload_write(payload_find(PAYLOAD_SIP, 0), NONCE, &from, &to, question);

	(void)state;
	assert_non_null(memmem(question, size, "sip:[fe80::2]:5060 ", 19));
	assert_non_null(memmem(question, size, "UDP [2001:db8::1]:4000;", 23));
}

static void
test_addresses(void **state)
{
	static const char *const bad[] = {
	    "",	   "localhost", "192.0.2",	   "192.0.2.1.1",  "192.0.2.256",
	    ":::", "fe80::1%",	"fe80::1%nothing", "192.0.2.1%lo", "fe80::1%lo%lo"};
	union probe_address got;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (address_parse(&got, bad[i], 1) || got.any.sa_family != AF_UNSPEC)
			fail_msg("\"%s\"", bad[i]);
	got = address("fe80::1%lo", 443);
	assert_int_equal(got.v6.sin6_scope_id, 1);
	assert_int_equal(got.v6.sin6_port, htons(443));
}

static void
test_words(void **state)
{
	static const struct {
		const char *line, *words, *wrong;
	} cases[] = {
	    {"/bin/a", "/bin/a|", NULL},
	    {"  /bin/a\t-H  192.0.2.1 ", "/bin/a|-H|192.0.2.1|", NULL},
	    {"/a 'b  c' \"d e\" f\\ g", "/a|b  c|d e|f g|", NULL},
	    {"/a '' \"\"", "/a|||", NULL},
	    {"/a b'c'd\"e\"f", "/a|bcdef|", NULL},
	    {"/a '\\' \"\\\"\" \"it's\" \\'", "/a|\\|\"|it's|'|", NULL},
	    {"/a $HOME `b` *.c > f | g; h & #", "/a|$HOME|`b`|*.c|>|f|||g;|h|&|#|", NULL},
	    {"", NULL, "the command does not begin with an absolute path"},
	    {" \t", NULL, "the command does not begin with an absolute path"},
	    {"check_http -H x", NULL, "the command does not begin with an absolute path"},
	    {"'' /a", NULL, "the command does not begin with an absolute path"},
	    {"/a 'b", NULL, "a quote that does not end in the command"},
	    {"/a \"b\\\"", NULL, "a quote that does not end in the command"},
	    {"/a b\\", NULL, "a backslash at the end of the command"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *words[PLUGIN_WORDS_MAX + 1], *line = mem_string(cases[i].line), got[256] = "";
		const char *wrong = plugin_words(line, words);

		for (size_t w = 0; !wrong && words[w]; w++) {
			strcat(got, words[w]);
			strcat(got, "|");
		}
		if (!wrong != !cases[i].wrong || (wrong && strcmp(wrong, cases[i].wrong) != 0) ||
		    (!wrong && strcmp(got, cases[i].words) != 0))
			fail_msg("\"%s\": %s, %s", cases[i].line, got, wrong ? wrong : "well");
		free(line);
	}
}

static void
test_too_many_words(void **state)
{
	char line[2 * PLUGIN_WORDS_MAX + 3], *words[PLUGIN_WORDS_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(line) - 1; i++)
		line[i] = i % 2 ? ' ' : '/';
	line[sizeof(line) - 1] = '\0';
	assert_string_equal(plugin_words(line, words), "too many words in the command");
	for (size_t i = 0; i < sizeof(line) - 1; i++)
		line[i] = i % 2 ? ' ' : '/';
	line[2 * PLUGIN_WORDS_MAX] = '\0';
	assert_null(plugin_words(line, words));
	assert_string_equal(words[PLUGIN_WORDS_MAX - 1], "/");
	assert_null(words[PLUGIN_WORDS_MAX]);
}

static void
test_first_line(void **state)
{
	static const struct {
		const char *octets;
		size_t size;
		const char *text;
	} cases[] = {
#define OF(octets) octets, sizeof(octets) - 1
	    {OF(""), ""},
	    {OF("\n \r\n"), ""},
	    {OF("HTTP OK"), "HTTP OK"},
	    {OF("\n\n  HTTP OK \r\nmore\n"), "HTTP OK"},
	    {OF("OK - load 0.1 | load=0.1;1;2\nmore | x=1"), "OK - load 0.1"},
	    {OF("first\nsecond | x=1"), "first"},
	    {OF("| x=1"), ""},
	    {OF("\0a\0b\tc\n"), "?a?b c"},
	    {OF("0123456789abcdefghij"), "0123456789abcde"},
#undef OF
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		plugin_first_line(cases[i].octets, cases[i].size, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
	}
}

static void
test_outcomes(void **state)
{
	(void)state;
	assert_int_equal(plugin_outcome(0), PROBE_UP);
	assert_int_equal(plugin_outcome(1), PROBE_UP);
	assert_int_equal(plugin_outcome(2), PROBE_DOWN);
	assert_int_equal(plugin_outcome(3), PROBE_ERROR);
	assert_int_equal(plugin_outcome(127), PROBE_ERROR);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_name_has_its_payload),
	    cmocka_unit_test(test_by_port),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_random_answers),
	    cmocka_unit_test(test_the_id_of_snmp),
	    cmocka_unit_test(test_sip_in_ipv6),
	    cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_too_many_words),
	    cmocka_unit_test(test_first_line),
	    cmocka_unit_test(test_outcomes),
	};

	return cmocka_run_group_tests_name("probe_payload", tests, NULL, NULL);
}
