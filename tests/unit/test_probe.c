/* TCP and UDP attempts against real sockets, and what the prober owes to all attempts. */
#include "probe_run.h"

#include <dirent.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <sys/resource.h>

#define TIMEOUT_MS 300
#define LONG_MS 10000

static struct probe_target
target(enum service_kind kind, const char *address, uint16_t port, uint32_t timeout_ms)
{
	return (struct probe_target){
	    .kind = kind, .address = address, .port = port, .timeout_ms = timeout_ms};
}

/* A port that was free a moment ago, and that the kernel gives to nobody so soon again. */
static uint16_t
closed_port(int type, const char *address)
{
	int fd = server_open(type, address, 0);
	uint16_t port = server_port(fd);

	close(fd);
	return port;
}

static void
check_tcp(const char *address)
{
	int fd = server_open(SOCK_STREAM, address, 0);
	struct probe_target open = target(SERVICE_TCP, address, server_port(fd), LONG_MS);
	struct probe_target closed =
	    target(SERVICE_TCP, address, closed_port(SOCK_STREAM, address), LONG_MS);

	listen(fd, 16);
	expect(&open, PROBE_UP, "");
	close(fd);
	expect(&closed, PROBE_DOWN, "Connection refused");
}

static void
test_tcp(void **state)
{
	(void)state;
	check_tcp("127.0.0.1");
}

static void
test_tcp_ipv6(void **state)
{
	(void)state;
	needs_alone();
	check_tcp("::1");
	check_tcp("::1%lo");
}

/* Lines of /proc/net/tcp of connections to port, in any state but LISTEN. */
static unsigned
connections_to(uint16_t port)
{
	FILE *file = fopen("/proc/net/tcp", "re");
	unsigned count = 0, local, remote, tcp_state;
	char line[256];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &local, &remote, &tcp_state) == 3)
			count += remote == port;
	fclose(file);
	return count;
}

static void
test_tcp_leaves_nothing(void **state)
{
	int fd = server_open(SOCK_STREAM, "127.0.0.1", 0), client, error = 0;
	struct probe_target open = target(SERVICE_TCP, "127.0.0.1", server_port(fd), LONG_MS);
	socklen_t size = sizeof(error);

	(void)state;
	listen(fd, 16);
	expect(&open, PROBE_UP, "");
	assert_int_equal(connections_to(open.port), 0);
	client = accept(fd, NULL, NULL);
	assert_true(client >= 0);
	getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &size);
	assert_int_equal(error, ECONNRESET); /* and no octet came before */
	close(client);
	close(fd);
}

/* A queue that is full: what more comes is dropped, as of a paused VM. */
static int
silent_open(const char *address, int fillers[2])
{
	int fd = server_open(SOCK_STREAM, address, 0);
	union probe_address at = address_own(fd);

	listen(fd, 1);
	for (int i = 0; i < 2; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
		connect(fillers[i], &at.any, address_size(&at));
	}
	return fd;
}

static void
silent_close(int fd, const int fillers[2])
{
	close(fillers[0]);
	close(fillers[1]);
	close(fd);
}

static void
test_tcp_silent(void **state)
{
	int fillers[2], fd = silent_open("127.0.0.1", fillers);
	struct probe_target silent = target(SERVICE_TCP, "127.0.0.1", server_port(fd), TIMEOUT_MS);

	(void)state;
	expect(&silent, PROBE_SILENT, "no answer in 300 ms");
	assert_in_range(run.results[0].latency_us, TIMEOUT_MS * 1000, 5 * TIMEOUT_MS * 1000);
	silent_close(fd, fillers);
}

/* Without this, one in some 28,000 attempts finds a closed port of this host open. */
static void
test_a_client_that_meets_itself(void **state)
{
	struct probe_target tcp = target(SERVICE_TCP, "127.0.0.1", 45678, LONG_MS);
	struct probe_target udp = target(SERVICE_UDP, "127.0.0.1", 45678, LONG_MS);

	(void)state;
	needs_alone();
	file_write("/proc/sys/net/ipv4/ip_local_port_range", "45678 45678");
	expect(&tcp, PROBE_DOWN, "Connection refused");
	expect(&udp, PROBE_DOWN, "Connection refused");
	file_write("/proc/sys/net/ipv4/ip_local_port_range", "32768 60999");
}

static void
test_no_route(void **state)
{
	struct probe_target to = target(SERVICE_TCP, "192.0.2.1", 80, LONG_MS);

	(void)state;
	needs_alone();
	expect(&to, PROBE_ERROR, "connect: Network is unreachable");
	to.kind = SERVICE_UDP;
	expect(&to, PROBE_ERROR, "connect: Network is unreachable");
	to.payload = PAYLOAD_TFTP;
	expect(&to, PROBE_ERROR, "send: Network is unreachable");
	to.kind = SERVICE_ICMP;
	expect(&to, PROBE_ERROR, "send: Network is unreachable");
	to.address = "2001:db8::1";
	expect(&to, PROBE_ERROR, "send: Network is unreachable");
}

static void
test_malformed_targets(void **state)
{
	struct probe_target to = target(SERVICE_TCP, "www.example.org", 80, 0);

	(void)state;
	expect(&to, PROBE_ERROR, "not an IPv4 or IPv6 address");
	to = target(SERVICE_UDP, "", 53, UINT32_MAX);
	expect(&to, PROBE_ERROR, "not an IPv4 or IPv6 address");
	to = target(SERVICE_TCP, "127.0.0.1", 0, 1);
	expect(&to, PROBE_ERROR, "no port");
}

/*
 * A gateway of hostile or honest mood: takes the IP packets of a protocol that go to one port of
 * this host, and sends an ICMP error about each to who sent it.
 */
static struct {
	int raw, out;
	uint16_t port;
	uint8_t code;
	uint16_t wrong; /* added to the client's port in what it quotes */
	bool elsewhere; /* it quotes a packet to another host */
} gateway;

static void
gateway_serve(evutil_socket_t fd, short what, void *arg)
{
	struct {
		struct icmphdr head;
		uint8_t quoted[28];
	} error = {.head = {.type = ICMP_DEST_UNREACH, .code = gateway.code}};
	struct sockaddr_in to = {.sin_family = AF_INET};
	uint8_t packet[512];
	uint16_t words[18], client;
	uint32_t sum = 0;

	(void)what, (void)arg;
	while (recv(fd, packet, sizeof(packet), MSG_DONTWAIT) >= 28) {
		if ((packet[22] << 8 | packet[23]) != gateway.port)
			continue;
		memcpy(error.quoted, packet, 28);
		memcpy(&client, packet + 20, 2);
		client = htons((uint16_t)(ntohs(client) + gateway.wrong));
		memcpy(error.quoted + 20, &client, 2);
		error.quoted[19] ^= gateway.elsewhere;
		error.head.checksum = 0;
		memcpy(words, &error, sizeof(error));
		for (size_t i = 0; i < 18; i++)
			sum += words[i];
		sum = (sum & 0xffff) + (sum >> 16);
		error.head.checksum = (uint16_t) ~(sum + (sum >> 16));
		memcpy(&to.sin_addr, packet + 12, 4);
		sendto(gateway.out, &error, sizeof(error), 0, (struct sockaddr *)&to, sizeof(to));
		sum = 0;
	}
}

static struct event *
gateway_start(int protocol, uint16_t port, uint8_t code, uint16_t wrong)
{
	gateway.raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, protocol);
	gateway.out = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
	gateway.port = port;
	gateway.code = code;
	gateway.wrong = wrong;
	assert_true(gateway.raw >= 0 && gateway.out >= 0);
	return server_start(gateway.raw, gateway_serve);
}

static void
gateway_stop(struct event *event)
{
	server_stop(event);
	close(gateway.out);
}

static void
test_icmp_says_unreachable(void **state)
{
	int fillers[2], tcp_fd, udp_fd;
	struct probe_target tcp, udp, tftp;
	struct event *event;

	(void)state;
	needs_alone();
	tcp_fd = silent_open("127.0.0.1", fillers);
	udp_fd = server_open(SOCK_DGRAM, "127.0.0.1", 0);
	tcp = target(SERVICE_TCP, "127.0.0.1", server_port(tcp_fd), TIMEOUT_MS);
	udp = target(SERVICE_UDP, "127.0.0.1", server_port(udp_fd), TIMEOUT_MS);
	tftp = udp;
	tftp.payload = PAYLOAD_TFTP;
	event = gateway_start(IPPROTO_TCP, tcp.port, ICMP_HOST_UNREACH, 0);
	expect(&tcp, PROBE_DOWN, "No route to host");
	gateway_stop(event);
	event = gateway_start(IPPROTO_UDP, udp.port, ICMP_HOST_UNREACH, 0);
	expect(&udp, PROBE_DOWN, "No route to host");
	expect(&tftp, PROBE_DOWN, "No route to host");
	gateway_stop(event);
	event = gateway_start(IPPROTO_UDP, udp.port, ICMP_NET_ANO, 0);
	expect(&udp, PROBE_DOWN, "Network is unreachable");
	gateway_stop(event);
	event = gateway_start(IPPROTO_UDP, udp.port, ICMP_HOST_UNREACH, 1);
	expect(&udp, PROBE_SILENT, "no answer in 300 ms");
	expect(&tftp, PROBE_SILENT, "no answer in 300 ms");
	gateway_stop(event);
	event = gateway_start(IPPROTO_UDP, udp.port, ICMP_HOST_UNREACH, 0);
	gateway.elsewhere = true;
	expect(&udp, PROBE_SILENT, "no answer in 300 ms");
	expect(&tftp, PROBE_SILENT, "no answer in 300 ms");
	gateway.elsewhere = false;
	gateway_stop(event);
	silent_close(tcp_fd, fillers);
	close(udp_fd);
}

/* A UDP server: what it does with datagrams, of which it counts all. */
static struct {
	unsigned count;
	unsigned deaf; /* so many first ones it does not answer */
	union probe_address from;
	int other; /* answers from this socket, where it is one */
	enum { ANSWER_PLAIN, ANSWER_DNS, ANSWER_FORGED, ANSWER_TFTP, ANSWER_FLOOD } mode;
} server;

static void
server_answer(int fd, uint8_t *octets, size_t length)
{
	int by = server.other >= 0 ? server.other : fd;

	if (server.mode == ANSWER_TFTP)
		length = (size_t)snprintf((char *)octets, 32, "%c%c%c%cnone", 0, 5, 0, 1) + 1;
	if (server.mode == ANSWER_DNS || server.mode == ANSWER_FORGED)
		octets[2] |= 0x80;
	if (server.mode == ANSWER_FORGED)
		octets[1] ^= 1;
	for (int i = 0; i < (server.mode == ANSWER_FLOOD ? 200 : 1); i++)
		sendto(by, octets, length, 0, &server.from.any, address_size(&server.from));
}

static void
server_serve(evutil_socket_t fd, short what, void *arg)
{
	uint8_t octets[2048];
	ssize_t length;
	socklen_t size = sizeof(server.from);

	(void)what, (void)arg;
	while ((length = recvfrom(fd, octets, sizeof(octets), 0, &server.from.any, &size)) >= 0)
		if (++server.count > server.deaf)
			server_answer(fd, octets, (size_t)length);
}

static struct event *
udp_start(const char *address, int mode, unsigned deaf)
{
	server.count = 0;
	server.deaf = deaf;
	server.other = -1;
	server.mode = mode;
	return server_start(server_open(SOCK_DGRAM, address, 0), server_serve);
}

static struct probe_target
udp_target(const struct event *event, enum probe_payload payload, uint32_t timeout_ms)
{
	return (struct probe_target){.kind = SERVICE_UDP,
				     .address = "127.0.0.1",
				     .port = server_port(event_get_fd(event)),
				     .payload = payload,
				     .timeout_ms = timeout_ms};
}

static void
test_udp(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_PLAIN, 0);
	struct probe_target up = udp_target(event, PAYLOAD_BY_PORT, LONG_MS);
	struct probe_target closed =
	    target(SERVICE_UDP, "127.0.0.1", closed_port(SOCK_DGRAM, "127.0.0.1"), LONG_MS);

	(void)state;
	expect(&up, PROBE_UP, "");
	assert_int_equal(server.count, 1);
	server_stop(event);
	expect(&closed, PROBE_DOWN, "Connection refused");
	closed.payload = PAYLOAD_TFTP;
	expect(&closed, PROBE_DOWN, "Connection refused");
}

static void
test_udp_ipv6(void **state)
{
	struct event *event;
	struct probe_target to;

	(void)state;
	needs_alone();
	event = udp_start("::1", ANSWER_PLAIN, 0);
	to = target(SERVICE_UDP, "::1", server_port(event_get_fd(event)), LONG_MS);
	expect(&to, PROBE_UP, "");
	server_stop(event);
	expect(&to, PROBE_DOWN, "Connection refused");
	to.payload = PAYLOAD_TFTP;
	expect(&to, PROBE_DOWN, "Connection refused");
}

static void
test_udp_silent_is_asked_twice(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_PLAIN, 99);
	struct probe_target to = udp_target(event, PAYLOAD_GENERIC, 1000);

	(void)state;
	expect(&to, PROBE_SILENT, "no answer in 1000 ms");
	assert_int_equal(server.count, 2);
	assert_in_range(run.results[0].latency_us, 1000000, 3000000);
	server_stop(event);
}

static void
test_udp_first_datagram_lost(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_DNS, 1);
	struct probe_target to = udp_target(event, PAYLOAD_DNS, 1000);

	(void)state;
	expect(&to, PROBE_UP, "");
	assert_int_equal(server.count, 2);
	assert_true(run.results[0].latency_us >= 500000);
	server_stop(event);
}

/* What is no answer neither counts nor gives more time. */
static void
test_udp_forged(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_FORGED, 0);
	struct probe_target to = udp_target(event, PAYLOAD_DNS, TIMEOUT_MS);

	(void)state;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	server.mode = ANSWER_PLAIN; /* the question itself */
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	server.mode = ANSWER_FLOOD;
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	server.mode = ANSWER_DNS;
	expect(&to, PROBE_UP, "");
	server.other = server_open(SOCK_DGRAM, "127.0.0.1", 0);
	expect(&to, PROBE_SILENT, "no answer in 300 ms"); /* from another port */
	close(server.other);
	server_stop(event);
}

static void
test_tftp_answers_from_another_port(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_TFTP, 0);
	struct probe_target to = udp_target(event, PAYLOAD_TFTP, TIMEOUT_MS);

	(void)state;
	server.other = server_open(SOCK_DGRAM, "127.0.0.1", 0);
	expect(&to, PROBE_UP, "");
	close(server.other);
	server.other = server_open(SOCK_DGRAM, "127.0.0.2", 0);
	expect(&to, PROBE_SILENT, "no answer in 300 ms"); /* from another host */
	close(server.other);
	server_stop(event);
}

static void
test_dhcp_asks_from_its_port(void **state)
{
	struct event *event;
	struct probe_target to;

	(void)state;
	needs_alone();
	event = udp_start("127.0.0.1", ANSWER_PLAIN, 99);
	to = udp_target(event, PAYLOAD_DHCP, TIMEOUT_MS);
	expect(&to, PROBE_SILENT, "no answer in 300 ms");
	assert_int_equal(ntohs(server.from.v4.sin_port), 68);
	server_stop(event);
}

/* What waits in a socket when the loop comes too late was in time all the same. */
static void
test_a_late_loop(void **state)
{
	int fd = server_open(SOCK_STREAM, "127.0.0.1", 0);
	int udp_fd = server_open(SOCK_DGRAM, "127.0.0.1", 0);
	struct probe_target tcp = target(SERVICE_TCP, "127.0.0.1", server_port(fd), 20);
	struct probe_target udp = target(SERVICE_UDP, "127.0.0.1", server_port(udp_fd), 20);
	struct event *event;

	(void)state;
	listen(fd, 16);
	run_start(&tcp, 0);
	run_start(&udp, 1);
	run_turn();
	event = udp_start("127.0.0.1", ANSWER_PLAIN, 0);
	server_serve(udp_fd, 0, NULL);
	assert_int_equal(server.count, 1);
	run_not(60);
	run_until(2);
	assert_int_equal(run.results[0].outcome, PROBE_UP);
	assert_int_equal(run.results[1].outcome, PROBE_UP);
	server_stop(event);
	close(fd);
	close(udp_fd);
}

static unsigned
open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

#define CROWD 200

static unsigned most_descriptors;

static void
count_descriptors(const struct probe_result *result)
{
	unsigned count = open_descriptors();

	(void)result;
	most_descriptors = count > most_descriptors ? count : most_descriptors;
}

/* All at once would need more descriptors than there are. */
static void
test_a_crowd_waits(void **state)
{
	struct rlimit before, low = {.rlim_cur = 64};
	struct event *event = udp_start("127.0.0.1", ANSWER_PLAIN, 100000);
	struct probe_target to = udp_target(event, PAYLOAD_GENERIC, 50);
	unsigned at_first;

	getrlimit(RLIMIT_NOFILE, &before);
	low.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &low);
	prober_free(run.prober);
	run.prober = prober_new(run.base, -1, -1, run_done, &run);
	at_first = open_descriptors();
	for (size_t i = 0; i < CROWD; i++)
		run_start(&to, i);
	run.hook = count_descriptors;
	run_until(CROWD);
	setrlimit(RLIMIT_NOFILE, &before);
	assert_int_equal(most_descriptors, at_first + 31); /* half of 64, but the one that ended */
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(run.results[i].outcome, PROBE_SILENT);
	assert_in_range(server.count, CROWD, 2 * CROWD);
	server_stop(event);
	(void)state;
}

static void
test_no_descriptor(void **state)
{
	struct rlimit before, none;
	struct probe_target to = target(SERVICE_TCP, "127.0.0.1", 1, LONG_MS);

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = before.rlim_max};
	setrlimit(RLIMIT_NOFILE, &none);
	expect(&to, PROBE_ERROR, "socket: Too many open files");
	setrlimit(RLIMIT_NOFILE, &before);
}

static void
test_cancel(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_PLAIN, 100000);
	struct probe_target to = udp_target(event, PAYLOAD_GENERIC, 100);
	unsigned before = open_descriptors();

	(void)state;
	run_start(&to, 1); /* it waits yet */
	prober_cancel(run.prober, 1);
	prober_cancel(run.prober, 1);
	prober_cancel(run.prober, 77);
	run_start(&to, 2);
	run_start(&to, 3);
	run_start(&to, 2 + TAG_BUCKETS);
	while (server.count < 3) /* they have begun */
		event_base_loop(run.base, EVLOOP_ONCE);
	prober_cancel(run.prober, 2);
	run_until(2);
	run_for(150);
	assert_int_equal(run.count, 2);
	assert_int_equal(run.results[1].outcome, 0);
	assert_int_equal(run.results[2].outcome, 0);
	assert_int_equal(open_descriptors(), before);
	server_stop(event);
}

static struct probe_target again;

/* One result starts another attempt and cancels all the others. */
static void
cancel_others(const struct probe_result *result)
{
	run.hook = NULL;
	for (uint64_t tag = 0; tag < 100; tag++)
		prober_cancel(run.prober, tag);
	run_start(&again, 200 + result->tag);
}

static void
test_cancel_in_a_result(void **state)
{
	(void)state;
	again = target(SERVICE_TCP, "127.0.0.1", closed_port(SOCK_STREAM, "127.0.0.1"), LONG_MS);
	run.hook = cancel_others;
	for (uint64_t tag = 0; tag < 100; tag++)
		run_start(&again, tag);
	run_until(2);
	run_for(50);
	assert_int_equal(run.count, 2);
}

/* With attempts waiting and under way. */
static void
test_free_in_the_middle(void **state)
{
	struct event *event = udp_start("127.0.0.1", ANSWER_PLAIN, 100000);
	struct probe_target to = udp_target(event, PAYLOAD_GENERIC, 1000);
	unsigned before = open_descriptors();

	(void)state;
	for (uint64_t tag = 0; tag < 200; tag++)
		run_start(&to, tag);
	run_turn();
	assert_true(open_descriptors() > before);
	prober_free(run.prober);
	assert_int_equal(open_descriptors(), before);
	run.prober = prober_new(run.base, -1, -1, run_done, &run);
	run_for(50);
	assert_int_equal(run.count, 0);
	server_stop(event);
}

/* One that waits long does not hold up what answers. */
static void
test_a_thousand(void **state)
{
	int fillers[2], silent_fd = silent_open("127.0.0.1", fillers);
	int fd = server_open(SOCK_STREAM, "127.0.0.1", 0);
	struct probe_target silent =
	    target(SERVICE_TCP, "127.0.0.1", server_port(silent_fd), LONG_MS);
	struct probe_target up = target(SERVICE_TCP, "127.0.0.1", server_port(fd), LONG_MS);

	(void)state;
	listen(fd, 4096);
	run_start(&silent, 4000);
	for (uint64_t tag = 0; tag < 1000; tag++)
		run_start(&up, tag);
	run_until(1000);
	for (uint64_t tag = 0; tag < 1000; tag++)
		assert_int_equal(run.results[tag].outcome, PROBE_UP);
	assert_int_equal(run.results[4000].outcome, 0);
	silent_close(silent_fd, fillers);
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, run_setup, run_teardown)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    TEST(test_tcp),
	    TEST(test_tcp_ipv6),
	    TEST(test_tcp_leaves_nothing),
	    TEST(test_tcp_silent),
	    TEST(test_a_client_that_meets_itself),
	    TEST(test_no_route),
	    TEST(test_malformed_targets),
	    TEST(test_icmp_says_unreachable),
	    TEST(test_udp),
	    TEST(test_udp_ipv6),
	    TEST(test_udp_silent_is_asked_twice),
	    TEST(test_udp_first_datagram_lost),
	    TEST(test_udp_forged),
	    TEST(test_tftp_answers_from_another_port),
	    TEST(test_dhcp_asks_from_its_port),
	    TEST(test_a_late_loop),
	    TEST(test_a_crowd_waits),
	    TEST(test_no_descriptor),
	    TEST(test_cancel),
	    TEST(test_cancel_in_a_result),
	    TEST(test_free_in_the_middle),
	    TEST(test_a_thousand),
	};

	run_alone();
	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
