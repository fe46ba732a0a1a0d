/*
 * The prober as a tool: probes what the command line names, all at once, and prints what came of
 * each, then a line of sums.
 *
 * usage: prober [-q] [-t TIMEOUT_MS] TARGET...
 *   -q   the sums only
 *   TARGET   tcp/ADDRESS/PORT[-LAST]  udp/ADDRESS/PORT[-LAST][/PAYLOAD]  icmp/ADDRESS
 *            plugin/COMMAND   (e.g. "plugin//usr/lib/nagios/plugins/check_http -H 192.0.2.1")
 * Ends with 0 where all are up.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/mem.h"
#include "probe/probe.h"

static struct {
	struct event_base *base;
	struct prober *prober;
	uint32_t timeout_ms;
	bool quiet;
	struct {
		const char *target;
		uint16_t port;
	} * attempts;
	size_t started, finished;
	unsigned outcomes[PROBE_ERROR + 1];
	int64_t end_us;
} run = {.timeout_ms = 1000};

static void
done(void *arg, const struct probe_result *result)
{
	(void)arg;
	run.outcomes[result->outcome]++;
	if (!run.quiet)
		printf("%s %u: %s, %u us%s%s\n", run.attempts[result->tag].target,
		       run.attempts[result->tag].port,
		       name_of(probe_outcome_names, (int)result->outcome), result->latency_us,
		       *result->text ? ": " : "", result->text);
	if (++run.finished == run.started) {
		run.end_us = clock_mono_us();
		event_base_loopbreak(run.base);
	}
}

static void __attribute__((noreturn)) usage(const char *wrong)
{
	fprintf(stderr,
		"%s\nusage: prober [-q] [-t TIMEOUT_MS] tcp/ADDRESS/PORT[-LAST] "
		"udp/ADDRESS/PORT[-LAST][/PAYLOAD] icmp/ADDRESS plugin/COMMAND ...\n",
		wrong);
	exit(2);
}

static void
start(struct probe_target *target, const char *text)
{
	run.attempts = mem_resize(run.attempts, run.started + 1, sizeof(*run.attempts));
	run.attempts[run.started].target = text;
	run.attempts[run.started].port = target->port;
	prober_start(run.prober, target, run.started++);
}

/* The rest of tcp/ and udp/, at the ports. */
static void
start_ports(struct probe_target *target, const char *text, char *ports)
{
	char *payload = ports ? strchr(ports, '/') : NULL;
	int first, last, payload_number;

	if (payload)
		*payload++ = '\0';
	switch (ports ? sscanf(ports, "%d-%d", &first, &last) : 0) {
	case 0:
		usage(text);
	case 1:
		last = first;
	}
	payload_number = name_value(probe_payload_names, payload ? payload : "");
	if (payload_number < 0 || first < 0 || last > 65535)
		usage(text);
	target->payload = (uint32_t)payload_number;
	for (; first <= last; first++) {
		target->port = (uint16_t)first;
		start(target, text);
	}
}

static void
start_text(const char *text)
{
	char *copy = mem_string(text), *rest = strchr(copy, '/'), *ports;
	struct probe_target target = {.timeout_ms = run.timeout_ms};
	int kind;

	if (!rest)
		usage(text);
	*rest++ = '\0';
	kind = name_value(service_kind_names, copy);
	if (kind < 0)
		usage(text);
	target.kind = (uint32_t)kind;
	target.address = target.command = rest;
	ports = kind == SERVICE_TCP || kind == SERVICE_UDP ? strchr(rest, '/') : NULL;
	if (ports)
		*ports++ = '\0';
	if (kind == SERVICE_TCP || kind == SERVICE_UDP)
		start_ports(&target, text, ports);
	else
		start(&target, text);
	free(copy);
}

static void
print_sums(int64_t begin_us)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("attempts=%zu up=%u down=%u silent=%u error=%u ms=%.2f cpu_ms=%.2f rss_kib=%ld\n",
	       run.started, run.outcomes[PROBE_UP], run.outcomes[PROBE_DOWN],
	       run.outcomes[PROBE_SILENT], run.outcomes[PROBE_ERROR],
	       (double)(run.end_us - begin_us) / 1e3,
	       (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
		   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3,
	       used.ru_maxrss);
}

int
main(int argc, char **argv)
{
	int64_t begin_us;
	int option;

	while ((option = getopt(argc, argv, "qt:")) != -1) {
		if (option == 'q')
			run.quiet = true;
		else if (option == 't')
			run.timeout_ms = (uint32_t)strtoul(optarg, NULL, 10);
		else
			usage("");
	}
	if (optind == argc)
		usage("nothing to probe");
	run.base = event_base_new();
	run.prober = prober_new(run.base, -1, -1, done, NULL);
	begin_us = clock_mono_us();
	for (int i = optind; i < argc; i++)
		start_text(argv[i]);
	event_base_dispatch(run.base);
	print_sums(begin_us);
	prober_free(run.prober);
	event_base_free(run.base);
	free(run.attempts);
	return run.outcomes[PROBE_UP] == run.started ? 0 : 1;
}
