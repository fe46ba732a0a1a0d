/* ICMP attempts: over raw and ping sockets, with replies and errors that are forged. */
#include "probe_run.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

#define TIMEOUT_MS 300
#define LONG_MS 10000

static struct probe_target
to_host(const char *address, uint32_t timeout_ms)
{
	return (struct probe_target){
	    .kind = SERVICE_ICMP, .address = address, .timeout_ms = timeout_ms};
}

static void
check_both(void)
{
	struct probe_target v4 = to_host("127.0.0.1", LONG_MS), v6 = to_host("::1", LONG_MS);

	expect(&v4, PROBE_UP, "");
	expect(&v6, PROBE_UP, "");
	v4.address = "127.1.2.3";
	expect(&v4, PROBE_UP, "");
}

/* Gives the prober sockets of that type, blocking, as another process would hand them over. */
static void
use_sockets(int type)
{
	prober_free(run.prober);
	file_write("/proc/sys/net/ipv4/ping_group_range", "0 0");
	run.prober = prober_new(run.base, socket(AF_INET, type, IPPROTO_ICMP),
				socket(AF_INET6, type, IPPROTO_ICMPV6), run_done, &run);
}

/* Sockets in a table of /proc/net. */
static unsigned
sockets_in(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned lines = 0;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		lines++;
	fclose(file);
	return lines - 1;
}

/* A new namespace permits no ping socket; so these two come first. */
static void
test_raw(void **state)
{
	(void)state;
	needs_alone();
	check_both();
	assert_int_equal(sockets_in("/proc/net/icmp"), 0);
	assert_int_equal(sockets_in("/proc/net/raw"), 1);
}

static void
test_no_right(void **state)
{
	struct probe_target to = to_host("127.0.0.1", LONG_MS);

	(void)state;
	needs_alone();
	if (seteuid(65534) < 0) { /* takes the capabilities along, until it is 0 again */
		print_message("# needs another user to become\n");
		skip();
	}
	run_probe(&to);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(run.results[0].outcome, PROBE_ERROR);
	assert_string_equal(run.results[0].text,
			    "no ICMP socket; let the user into "
			    "net.ipv4.ping_group_range: Operation not permitted");
	expect(&to, PROBE_UP, ""); /* tried anew each time */
}

static void
test_ping_sockets(void **state)
{
	(void)state;
	needs_alone();
	file_write("/proc/sys/net/ipv4/ping_group_range", "0 0");
	check_both();
	assert_int_equal(sockets_in("/proc/net/icmp"), 1);
	assert_int_equal(sockets_in("/proc/net/raw"), 0);
}

static void
test_given_sockets(void **state)
{
	(void)state;
	needs_alone();
	use_sockets(SOCK_RAW);
	check_both();
	use_sockets(SOCK_DGRAM);
	check_both();
}

static void
test_two_thousand(void **state)
{
	struct probe_target to = to_host("127.0.0.1", LONG_MS);

	(void)state;
	needs_alone();
	for (uint64_t tag = 0; tag < 2000; tag++)
		run_start(&to, tag);
	run_until(2000);
	for (uint64_t tag = 0; tag < 2000; tag++)
		assert_int_equal(run.results[tag].outcome, PROBE_UP);
}

/* The host that does not answer, and whom the test answers for. */
#define QUIET "127.0.0.9"

struct packet {
	struct icmphdr head;
	uint64_t nonce;
};

struct error_packet {
	struct icmphdr head;
	struct iphdr ip;
	struct icmphdr quoted; /* and no octet of its data, as of old routers */
};

static struct {
	int fd;
	unsigned count; /* of requests seen */
	const char *from;
	uint8_t type;
	uint16_t wrong_id, wrong_sequence;
	uint64_t wrong_nonce;
	const char *error_about; /* an error is sent, about a packet to there */
	bool twice;
	bool holds; /* its answers back */
	size_t held;
	struct packet requests[512];
} impostor;

static uint16_t
checksum(const void *octets, size_t size)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i += 2) {
		uint16_t word;

		memcpy(&word, (const uint8_t *)octets + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t) ~(sum + (sum >> 16));
}

/* From an address of this host. */
static void
send_from(const char *from, const void *octets, size_t size, struct in_addr to)
{
	union probe_address at;
	struct sockaddr_in at_to = {.sin_family = AF_INET, .sin_addr = to};
	int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);

	address_parse(&at, from, 0);
	bind(fd, &at.any, address_size(&at));
	sendto(fd, octets, size, 0, (struct sockaddr *)&at_to, sizeof(at_to));
	close(fd);
}

static void
impostor_answers(const struct packet *request, struct in_addr client)
{
	struct packet reply = *request;
	struct error_packet error = {
	    .head = {.type = ICMP_DEST_UNREACH, .code = ICMP_HOST_UNREACH},
	    .ip = {.version = 4, .ihl = 5, .tot_len = htons(36), .ttl = 1, .protocol = 1},
	    .quoted = request->head};

	if (impostor.error_about) {
		error.quoted.un.echo.id ^= impostor.wrong_id;
		error.quoted.un.echo.sequence ^= impostor.wrong_sequence;
		error.ip.saddr = client.s_addr;
		inet_pton(AF_INET, impostor.error_about, &error.ip.daddr);
		error.head.checksum = checksum(&error, sizeof(error));
		send_from(impostor.from, &error, sizeof(error), client);
		return;
	}
	reply.head.type = impostor.type;
	reply.head.un.echo.id ^= impostor.wrong_id;
	reply.head.un.echo.sequence ^= impostor.wrong_sequence;
	reply.nonce ^= impostor.wrong_nonce;
	reply.head.checksum = 0;
	reply.head.checksum = checksum(&reply, sizeof(reply));
	for (int i = 0; i < (impostor.twice ? 2 : 1); i++)
		send_from(impostor.from, &reply, sizeof(reply), client);
}

static void
impostor_serve(evutil_socket_t fd, short what, void *arg)
{
	struct packet request;
	uint8_t octets[512];
	struct iphdr ip;
	struct in_addr quiet;

	(void)what, (void)arg;
	inet_pton(AF_INET, QUIET, &quiet);
	while (recv(fd, octets, sizeof(octets), MSG_DONTWAIT) >=
	       (ssize_t)(sizeof(ip) + sizeof(request))) {
		memcpy(&ip, octets, sizeof(ip));
		memcpy(&request, octets + sizeof(ip), sizeof(request));
		if (request.head.type != ICMP_ECHO || ip.daddr != quiet.s_addr)
			continue;
		impostor.count++;
		if (impostor.holds && impostor.held < 512)
			impostor.requests[impostor.held++] = request;
		else if (impostor.from)
			impostor_answers(&request, (struct in_addr){ip.saddr});
	}
}

/* Hosts of this namespace then answer no echo by themselves. */
static struct event *
impostor_start(void)
{
	file_write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1");
	memset(&impostor, 0, sizeof(impostor));
	impostor.fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	return server_start(impostor.fd, impostor_serve);
}

static void
impostor_stop(struct event *event)
{
	server_stop(event);
	file_write("/proc/sys/net/ipv4/icmp_echo_ignore_all", "0");
}

static void
test_silent_is_asked_twice(void **state)
{
	struct probe_target to = to_host(QUIET, 1000);
	struct event *event;

	(void)state;
	needs_alone();
	event = impostor_start();
	expect(&to, PROBE_SILENT, "no answer in 1000 ms");
	assert_int_equal(impostor.count, 2);
	assert_in_range(run.results[0].latency_us, 1000000, 3000000);
	impostor_stop(event);
}

static void
check_forged(int type)
{
	struct probe_target to = to_host(QUIET, TIMEOUT_MS);
	struct event *event = impostor_start();

	use_sockets(type);
	impostor.type = ICMP_ECHOREPLY;
	impostor.from = "127.0.0.8";
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.from = QUIET;
	impostor.wrong_id = 1;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.wrong_id = 0;
	impostor.wrong_sequence = 1;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.wrong_sequence = 0;
	impostor.wrong_nonce = 1;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.wrong_nonce = 0;
	impostor.type = ICMP_TIMESTAMPREPLY;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.type = ICMP_ECHOREPLY;
	impostor.twice = true;
	to.timeout_ms = LONG_MS;
	expect(&to, PROBE_UP, "");
	impostor_stop(event);
}

static void
test_forged_replies(void **state)
{
	(void)state;
	needs_alone();
	check_forged(SOCK_RAW);
}

static void
test_forged_replies_to_ping_sockets(void **state)
{
	(void)state;
	needs_alone();
	check_forged(SOCK_DGRAM);
}

static void
check_errors(int type)
{
	struct probe_target to = to_host(QUIET, TIMEOUT_MS), well = to_host("127.0.0.1", LONG_MS);
	struct event *event = impostor_start();

	use_sockets(type);
	impostor.from = "127.0.0.1";
	impostor.error_about = "127.0.0.8";
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.error_about = QUIET;
	impostor.wrong_id = 1;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.wrong_id = 0;
	impostor.wrong_sequence = 1;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	impostor.wrong_sequence = 0;
	to.timeout_ms = LONG_MS;
	expect(&to, PROBE_DOWN, "No route to host");
	impostor_stop(event);
	/* Errors that nobody took disturb nobody. */
	expect(&well, PROBE_UP, "");
}

static void
test_errors(void **state)
{
	(void)state;
	needs_alone();
	check_errors(SOCK_RAW);
}

static void
test_errors_at_ping_sockets(void **state)
{
	(void)state;
	needs_alone();
	check_errors(SOCK_DGRAM);
}

#define MANY 200

static void
check_late_loop(int type)
{
	struct probe_target to = to_host(QUIET, 1000);
	struct event *event = impostor_start();
	struct in_addr client;

	inet_pton(AF_INET, "127.0.0.1", &client);
	use_sockets(type);
	impostor.holds = true;
	impostor.from = QUIET;
	impostor.type = ICMP_ECHOREPLY;
	for (uint64_t tag = 0; tag < MANY; tag++)
		run_start(&to, tag);
	while (impostor.held < MANY)
		event_base_loop(run.base, EVLOOP_ONCE);
	for (size_t i = 0; i < MANY; i++)
		impostor_answers(&impostor.requests[i], client);
	run_not(1100);
	run_until(MANY);
	for (uint64_t tag = 0; tag < MANY; tag++)
		assert_int_equal(run.results[tag].outcome, PROBE_UP);
	impostor_stop(event);
}

/* What waits in the socket when the loop comes too late was in time all the same. */
static void
test_a_late_loop(void **state)
{
	(void)state;
	needs_alone();
	check_late_loop(SOCK_RAW);
	run_teardown(NULL);
	run_setup(NULL);
	check_late_loop(SOCK_DGRAM);
}

static void
test_cancel(void **state)
{
	struct probe_target to = to_host(QUIET, 100);
	struct event *event;

	(void)state;
	needs_alone();
	event = impostor_start();
	run_start(&to, 0);
	run_start(&to, 1);
	while (impostor.count < 2)
		event_base_loop(run.base, EVLOOP_ONCE);
	prober_cancel(run.prober, 0);
	run_until(1);
	run_for(150);
	assert_int_equal(run.count, 1);
	assert_int_equal(run.results[0].outcome, 0);
	impostor_stop(event);
}

/* Packets of no form, from the host that is asked, while it is asked. */
static void
check_rubbish(int type)
{
	struct probe_target to = to_host(QUIET, TIMEOUT_MS);
	struct event *event = impostor_start();
	struct in_addr client;
	unsigned seed = 1;

	inet_pton(AF_INET, "127.0.0.1", &client);
	use_sockets(type);
	run_start(&to, run.count);
	for (size_t i = 0, before = run.count; run.count == before; i++) {
		uint8_t octets[64];
		size_t size = (size_t)rand_r(&seed) % sizeof(octets) & ~1u;

		for (size_t at = 0; at < size; at++)
			octets[at] = (uint8_t)rand_r(&seed);
		if (size >= 8) {
			octets[0] = i % 2 ? ICMP_ECHOREPLY : ICMP_DEST_UNREACH;
			octets[1] = 1;
			memset(octets + 2, 0, 2);
			memcpy(octets + 2, &(uint16_t){checksum(octets, size)}, 2);
		}
		send_from(QUIET, octets, size, client);
		event_base_loop(run.base, EVLOOP_NONBLOCK);
	}
	assert_int_equal(run.results[run.count - 1].outcome, PROBE_SILENT);
	impostor_stop(event);
}

static void
test_rubbish(void **state)
{
	(void)state;
	needs_alone();
	check_rubbish(SOCK_RAW);
	check_rubbish(SOCK_DGRAM);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(test_raw),
	    TEST(test_no_right),
	    TEST(test_ping_sockets),
	    TEST(test_given_sockets),
	    TEST(test_two_thousand),
	    TEST(test_silent_is_asked_twice),
	    TEST(test_forged_replies),
	    TEST(test_forged_replies_to_ping_sockets),
	    TEST(test_errors),
	    TEST(test_errors_at_ping_sockets),
	    TEST(test_a_late_loop),
	    TEST(test_cancel),
	    TEST(test_rubbish),
	};

	run_alone();
	return cmocka_run_group_tests_name("probe_icmp", tests, NULL, NULL);
}
