/*
 * simxen: a Xen host for machines that have none. This file: options, and the order in which
 * things start and end.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"
#include "tools/simxen/control.h"
#include "tools/simxen/ctl.h"
#include "tools/simxen/history.h"
#include "tools/simxen/server.h"
#include "tools/simxen/services.h"
#include "tools/simxen/xlfile.h"

#define PORT_OFFSET 20000
#define FILES_MAX 1024
#define COUNT_MAX 50000

struct settings {
	const char *socket;
	const char *files[FILES_MAX];
	int64_t file_count, count, history, port_offset;
	int64_t seed, boot_ms, shutdown_ms, memory_mib, cpus;
	const char *prefix, *write_files, *script;
	bool background, verbose, move_ports, monitor;
};

enum { OPTION_NUMBER = 256 };

/* Long options that take a number: which of the settings, and its range. */
static const struct {
	const char *name;
	size_t offset;
	int64_t least, most;
} numbers[] = {
    {"count", offsetof(struct settings, count), 0, COUNT_MAX},
    {"seed", offsetof(struct settings, seed), 0, INT64_MAX},
    {"boot-ms", offsetof(struct settings, boot_ms), 0, 3600000},
    {"shutdown-ms", offsetof(struct settings, shutdown_ms), 0, 3600000},
    {"memory", offsetof(struct settings, memory_mib), 1, VMDEF_MEMORY *INT64_C(8)},
    {"cpus", offsetof(struct settings, cpus), 1, VMDEF_VCPUS},
    {"history", offsetof(struct settings, history), 0, 31536000},
    {"port-offset", offsetof(struct settings, port_offset), 1, 64511},
};

static const struct option options[] = {
    {"count", required_argument, NULL, OPTION_NUMBER},
    {"seed", required_argument, NULL, OPTION_NUMBER},
    {"boot-ms", required_argument, NULL, OPTION_NUMBER},
    {"shutdown-ms", required_argument, NULL, OPTION_NUMBER},
    {"memory", required_argument, NULL, OPTION_NUMBER},
    {"cpus", required_argument, NULL, OPTION_NUMBER},
    {"history", required_argument, NULL, OPTION_NUMBER},
    {"port-offset", required_argument, NULL, OPTION_NUMBER},
    {"socket", required_argument, NULL, 's'},
    {"file", required_argument, NULL, 'f'},
    {"services", required_argument, NULL, 'S'},
    {"write-files", required_argument, NULL, 'w'},
    {"script", required_argument, NULL, 'x'},
    {"move-ports", no_argument, NULL, 'm'},
    {"monitor", no_argument, NULL, 'M'},
    {"daemon", no_argument, NULL, 'd'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static void
usage(FILE *to)
{
	fputs("usage: simxen -s SOCKET [-f FILE ...] [-n COUNT] [OPTION ...]\n"
	      "       simxen ctl -s SOCKET COMMAND [WORD ...]\n"
	      "       simxen --history SECONDS [-f FILE ...] [-n COUNT] [--script FILE] [OPTION "
	      "...]\n"
	      "       simxen --write-files DIR -n COUNT [--services PREFIX]\n"
	      "  -s, --socket SOCKET   the hypervisor's socket; SOCKET.ctl is for simxen ctl\n"
	      "  -f, --file FILE       create the VM of this xl file at start; more than once\n"
	      "  -n, --count COUNT     so many VMs that run already: vm0001, vm0002, ...\n"
	      "      --services PREFIX those have services, at PREFIX.y.z (\"127.7\"); none: "
	      "without\n"
	      "      --monitor         the VMs of -f have a person's xl each, which restarts them\n"
	      "      --write-files DIR write the xl files of -n, print their names, end\n"
	      "      --seed N          of all that is random (1)\n"
	      "      --boot-ms N       from birth until the services answer, give or take 20 % "
	      "(3000)\n"
	      "      --shutdown-ms N   of a guest, the same (1500)\n"
	      "      --memory MIB      of the host (65536, or as much as -n needs)\n"
	      "      --cpus N          of the host (8)\n"
	      "      --port-offset N   added to ports under 1024 where they may not be bound "
	      "(20000)\n"
	      "      --move-ports      add it in any case\n"
	      "      --history SECONDS print what happens in that time, on a virtual clock\n"
	      "      --script FILE     with --history: commands and when, \"MS COMMAND WORD ...\"\n"
	      "  -d, --daemon          to the background once everything listens\n"
	      "  -v, --verbose         log each change\n"
	      "  -h, --help            this text\n",
	      to);
}

static bool
take_number(struct settings *settings, const char *name)
{
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		char *end;
		int64_t value;

		if (strcmp(numbers[i].name, name) != 0)
			continue;
		errno = 0;
		value = strtoll(optarg, &end, 10);
		if (errno || end == optarg || *end || value < numbers[i].least ||
		    value > numbers[i].most) {
			fprintf(stderr,
				"simxen: --%s: a number from %" PRId64 " to %" PRId64
				" is needed, not %s\n",
				name, numbers[i].least, numbers[i].most, optarg);
			return false;
		}
		*(int64_t *)((char *)settings + numbers[i].offset) = value;
		return true;
	}
	return false;
}

/* PREFIX of --services: two octets, the first 127. */
static bool
take_prefix(struct settings *settings)
{
	unsigned second;
	char end;

	if (strcmp(optarg, "none") == 0)
		return true;
	settings->prefix = optarg;
	if (sscanf(optarg, "127.%3u%c", &second, &end) == 1 && second < 256)
		return true;
	fprintf(stderr, "simxen: --services: 127.N is needed, or none, not %s\n", optarg);
	return false;
}

static bool
take_file(struct settings *settings)
{
	if (settings->file_count == FILES_MAX) {
		fprintf(stderr, "simxen: more than %d files\n", FILES_MAX);
		return false;
	}
	settings->files[settings->file_count++] = optarg;
	return true;
}

/* Takes one option; false where it is wrong. */
static bool
take_option(struct settings *settings, int c, int index)
{
	switch (c) {
	case OPTION_NUMBER:
		return take_number(settings, options[index].name);
	case 'n':
		return take_number(settings, "count");
	case 's':
		settings->socket = optarg;
		return true;
	case 'f':
		return take_file(settings);
	case 'S':
		return take_prefix(settings);
	case 'w':
		settings->write_files = optarg;
		return true;
	case 'x':
		settings->script = optarg;
		return true;
	case 'm':
		return settings->move_ports = true;
	case 'M':
		return settings->monitor = true;
	case 'd':
		return settings->background = true;
	case 'v':
		return settings->verbose = true;
	default:
		usage(stderr);
		return false;
	}
}

/* Writes the definition of synthetic VM n to DIR/NAME.cfg. */
static bool
write_file(const struct settings *settings, unsigned n)
{
	struct vmdef def;
	char path[4096];
	FILE *to;

	vmdef_make(&def, n, settings->prefix);
	if (settings->boot_ms != model_defaults.boot_ms)
		def.boot_ms = settings->boot_ms;
	snprintf(path, sizeof(path), "%s/%s.cfg", settings->write_files, def.name);
	to = fopen(path, "we");
	if (to)
		vmdef_write(&def, to);
	if (!to || fclose(to) != 0) {
		fprintf(stderr, "simxen: %s: %s\n", path, strerror(errno));
		return false;
	}
	printf("%s %s %s", def.name, def.uuid, path);
	for (uint32_t i = 0; i < def.service_count; i++)
		printf(" %s:%s:%u", def.address, def.services[i].udp ? "udp" : "tcp",
		       def.services[i].port);
	putchar('\n');
	return true;
}

static int
write_files(const struct settings *settings)
{
	if (mkdir(settings->write_files, 0777) < 0 && errno != EEXIST) {
		fprintf(stderr, "simxen: %s: %s\n", settings->write_files, strerror(errno));
		return 1;
	}
	for (unsigned n = 1; n <= settings->count; n++)
		if (!write_file(settings, n))
			return 1;
	return 0;
}

/* The VMs that are there from the start. */
static bool
preset(struct host *host, const struct settings *settings)
{
	struct vmdef def;
	char error[XLFILE_ERROR];

	for (unsigned n = 1; n <= settings->count; n++) {
		vmdef_make(&def, n, settings->prefix);
		if (!host_preset(host, &def, false, true))
			goto refused;
	}
	for (int64_t i = 0; i < settings->file_count; i++) {
		if (!xlfile_read(&def, settings->files[i], NULL, error)) {
			fprintf(stderr, "simxen: %s\n", error);
			return false;
		}
		if (!host_preset(host, &def, settings->monitor, false))
			goto refused;
	}
	return true;
refused:
	fprintf(stderr, "simxen: %s\n", host->model->error);
	return false;
}

static void
stop(evutil_socket_t signal, short what, void *base)
{
	(void)signal, (void)what;
	event_base_loopexit(base, NULL);
}

/* Each service is a descriptor, and each of its clients. */
static void
raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Listens, lives, and cleans up. */
static int
serve(struct host *host, const struct settings *settings)
{
	static const int ends[] = {SIGTERM, SIGINT};
	struct event *signals[sizeof(ends) / sizeof(*ends)];
	struct control *control = NULL;
	char *control_path = mem_alloc(strlen(settings->socket) + sizeof(CONTROL_SUFFIX));
	int status = 1;

	strcat(strcpy(control_path, settings->socket), CONTROL_SUFFIX);
	host->base = event_base_new();
	if (!host->base)
		fatal("libevent gives no loop");
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (!(signals[i] = evsignal_new(host->base, ends[i], stop, host->base)) ||
		    event_add(signals[i], NULL) < 0)
			fatal("libevent refuses signal %d", ends[i]);
	host->services =
	    services_new(host->base, (uint16_t)settings->port_offset, settings->move_ports);
	control = control_new(host, control_path);
	host->server = control ? server_new(host, settings->socket) : NULL;
	if (host->server && preset(host, settings)) {
		if (settings->background && daemon(0, 0) == 0)
			event_reinit(host->base);
		host_catch_up(host);
		event_base_dispatch(host->base);
		status = 0;
	}
	control_free(control);
	server_free(host->server);
	host->server = NULL;
	host_dispose(host);
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		event_free(signals[i]);
	event_base_free(host->base);
	free(control_path);
	return status;
}

static int
run_history(struct host *host, const struct settings *settings)
{
	int status = preset(host, settings)
			 ? history_run(host, settings->history, settings->script, stdout)
			 : 1;

	host_dispose(host);
	return status;
}

int
main(int argc, char **argv)
{
	static struct settings settings = {.history = -1, .port_offset = PORT_OFFSET};
	struct model_config config = model_defaults;
	struct host host;
	int c, index = 0;

	if (argc > 1 && strcmp(argv[1], "ctl") == 0)
		return ctl_main(argc - 1, argv + 1);
	settings.seed = (int64_t)config.seed;
	settings.boot_ms = config.boot_ms;
	settings.shutdown_ms = config.shutdown_ms;
	settings.cpus = config.cpus;
	while ((c = getopt_long(argc, argv, "s:f:n:dvh", options, &index)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		if (!take_option(&settings, c, index))
			return 2;
	}
	if (optind < argc || (!settings.socket && settings.history < 0 && !settings.write_files)) {
		usage(stderr);
		return 2;
	}
	if (settings.write_files)
		return write_files(&settings);
	if (settings.memory_mib == 0) /* twice what the synthetic VMs have */
		settings.memory_mib = (int64_t)config.memory_mib + settings.count * 512;
	config.seed = (uint64_t)settings.seed;
	config.boot_ms = settings.boot_ms;
	config.shutdown_ms = settings.shutdown_ms;
	config.memory_mib = (uint64_t)settings.memory_mib;
	config.cpus = (uint32_t)settings.cpus;
	log_open("simxen", true, settings.verbose);
	signal(SIGPIPE, SIG_IGN);
	raise_limit();
	host_init(&host, &config);
	return settings.history >= 0 ? run_history(&host, &settings) : serve(&host, &settings);
}
