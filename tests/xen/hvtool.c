/*
 * The Xen driver by hand, without the rest of lauxend: prints its facts, runs its steps. In a Dom0:
 *
 *   hvtool [-v] states
 *   hvtool [-v] figures [PASSES]
 *   hvtool [-v] watch TIMES
 *   hvtool [-v] find NAME
 *   hvtool [-v] monitored DOMID
 *   hvtool [-v] [OPTION...] act VERB NAME [NUMBER]
 *   hvtool [-v] [OPTION...] mend VERB NAME
 *
 * -d DOMID (spares act the look for the name), -f XLFILE, -u UUID, -s SAVE_DIR
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/hv.h"

static struct config config = {.save_dir = (char *)"/var/lib/lauxen/save"};
static struct config_vm vm;
static uint32_t domid;

static void __attribute__((noreturn)) die(const char *text)
{
	fprintf(stderr, "hvtool: %s\n", text);
	exit(2);
}

static void
print_domain(const struct fact_domain *fact)
{
	char uuid[UUID_TEXT_SIZE];

	uuid_text(fact->uuid, uuid);
	printf("domain %" PRIu32 " %s %c%c%c%c%c reason=%s cpu=%.1fs memory=%" PRIu64
	       " vcpus=%" PRIu32 "/%" PRIu32 "\n",
	       fact->domid, uuid, fact->flags & DOMAIN_RUNNING ? 'r' : '-',
	       fact->flags & DOMAIN_BLOCKED ? 'b' : '-', fact->flags & DOMAIN_PAUSED ? 'p' : '-',
	       fact->flags & DOMAIN_SHUTDOWN ? 's' : '-', fact->flags & DOMAIN_DYING ? 'd' : '-',
	       name_of(shutdown_reason_names, (int)fact->reason), (double)fact->cpu_ns / 1e9,
	       fact->memory_kib / 1024, fact->vcpus, fact->vcpus_max);
}

static void
print_host(const struct fact_host *fact)
{
	printf("host %s %s cpus=%" PRIu32 " mhz=%" PRIu32 " memory=%" PRIu64 " free=%" PRIu64 "\n",
	       fact->software, fact->version, fact->cpus, fact->cpu_mhz, fact->memory_kib / 1024,
	       fact->memory_free_kib / 1024);
}

static void
print_figures(const struct fact_figures *fact)
{
	printf("figures %" PRIu32 " %s stubdom_for=%" PRIu32 " monitored=%" PRIu32
	       " on_poweroff=%s on_reboot=%s on_crash=%s max=%" PRIu64 " target=%" PRIu64
	       " inside=%" PRIu64 "/%" PRIu64 " age=%" PRId64 " started=%" PRId64 "\n",
	       fact->domid, fact->name, fact->stubdom_for, fact->monitored,
	       name_of(on_action_names, (int)fact->on_poweroff),
	       name_of(on_action_names, (int)fact->on_reboot),
	       name_of(on_action_names, (int)fact->on_crash), fact->memory_max_kib,
	       fact->memory_target_kib, fact->inside_free_kib, fact->inside_total_kib,
	       fact->inside_mono_ms ? clock_mono_ms() - fact->inside_mono_ms : -1,
	       fact->start_wall_ms);
}

static void
print_net(const struct fact_net *fact)
{
	const uint8_t *mac = fact->mac;

	printf("net %" PRIu32 ".%" PRIu32 " %s index=%" PRIu32
	       " bridge=%s mac=%02x:%02x:%02x:%02x:%02x:%02x in=%" PRIu64 "/%" PRIu64 "/%" PRIu64
	       "/%" PRIu64 " out=%" PRIu64 "/%" PRIu64 "/%" PRIu64 "/%" PRIu64 "\n",
	       fact->domid, fact->device, fact->name, fact->if_index, fact->bridge, mac[0], mac[1],
	       mac[2], mac[3], mac[4], mac[5], fact->in_octets, fact->in_packets, fact->in_errors,
	       fact->in_drops, fact->out_octets, fact->out_packets, fact->out_errors,
	       fact->out_drops);
}

static void
print_disk(const struct fact_disk *fact)
{
	printf("disk %" PRIu32 ".%" PRIu32 " %s %s%s counted=%" PRIu32 " reads=%" PRIu64 "/%" PRIu64
	       " writes=%" PRIu64 "/%" PRIu64 "\n",
	       fact->domid, fact->device, fact->name, fact->target,
	       fact->read_only ? " read-only" : "", fact->counted, fact->reads, fact->read_octets,
	       fact->writes, fact->written_octets);
}

static void
put(void *arg, enum message_type type, const void *fact, size_t size)
{
	(void)arg, (void)size;
	if (type == MSG_DOMAIN)
		print_domain(fact);
	else if (type == MSG_HOST)
		print_host(fact);
	else if (type == MSG_FIGURES)
		print_figures(fact);
	else if (type == MSG_NET)
		print_net(fact);
	else if (type == MSG_DISK)
		print_disk(fact);
}

static const struct hv_sink sink = {.put = put};

/* Keeps the domain whose name is asked for. */
static void
put_uuid(void *arg, enum message_type type, const void *fact, size_t size)
{
	const struct fact_domain *domain = fact;
	struct action *action = arg;

	(void)size;
	if (type == MSG_DOMAIN && domain->domid && domain->domid == action->domid)
		memcpy(action->uuid, domain->uuid, UUID_SIZE);
}

static int
do_act(struct hv *hv, int argc, char **argv, bool mend)
{
	struct action action = {.domid = domid};
	struct outcome outcome = {0};
	struct hv_sink look = {.put = put_uuid, .arg = &action};
	char error[TEXT_SIZE] = "";
	int64_t begun_ms = clock_mono_ms();

	if (argc < 2)
		die("a verb and a VM, please");
	action.verb = (uint32_t)name_value(verb_names, argv[0]);
	TEXT_SET(action.name, argv[1]);
	TEXT_SET(vm.provider.name, argv[1]);
	action.number = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 0;
	memcpy(action.uuid, vm.uuid, UUID_SIZE);
	if (!mend && action.verb != VERB_START && action.verb != VERB_RESTORE) {
		if ((!domid && hv_xen.find(hv, action.name, &action.domid, error) != 1) ||
		    hv_xen.states(hv, &look, error))
			die(*error ? error : "no such domain");
	}
	(mend ? hv_xen.mend : hv_xen.act)(hv, &action, &vm, &outcome);
	printf("%s %s: %s domid=%" PRIu32 " %s(%" PRId64 " ms)\n", argv[0], argv[1],
	       name_of(request_state_names, (int)outcome.state), outcome.domid, outcome.error,
	       clock_mono_ms() - begun_ms);
	return outcome.state == REQUEST_SUCCEEDED ? 0 : 1;
}

static int
do_pass(struct hv *hv, int (*pass)(struct hv *, const struct hv_sink *, char *))
{
	char error[TEXT_SIZE] = "";
	int64_t begun_ms = clock_mono_ms();
	int rc = pass(hv, &sink, error);

	printf("rc %d %s(%" PRId64 " ms)\n", rc, error, clock_mono_ms() - begun_ms);
	return rc ? 1 : 0;
}

static int
do_watch(struct hv *hv, int times)
{
	char error[TEXT_SIZE] = "";
	int rc = 0;

	while (!rc && times--) {
		if (hv_xen.watch(hv, error))
			die(error);
		printf("%" PRId64 " ", clock_mono_ms());
		rc = do_pass(hv, hv_xen.states);
		fflush(stdout);
	}
	return rc;
}

static int
do_find(struct hv *hv, const char *name)
{
	char error[TEXT_SIZE] = "";
	uint32_t found = 0;
	int rc = hv_xen.find(hv, name, &found, error);

	printf("find %s: %d domid=%" PRIu32 " %s\n", name, rc, found, error);
	return rc == 1 ? 0 : 1;
}

static int
run(struct hv *hv, int argc, char **argv)
{
	const char *what = argv[0];
	int number = argc > 1 ? atoi(argv[1]) : 1, rc = 0;

	if (!strcmp(what, "states"))
		return do_pass(hv, hv_xen.states);
	if (!strcmp(what, "watch"))
		return do_watch(hv, number);
	if (!strcmp(what, "act") || !strcmp(what, "mend"))
		return do_act(hv, argc - 1, argv + 1, *what == 'm');
	if (!strcmp(what, "find") && argc > 1)
		return do_find(hv, argv[1]);
	if (!strcmp(what, "monitored"))
		return printf("monitored %d: %d\n", number,
			      hv_xen.monitored(hv, (uint32_t)number)) < 0;
	if (strcmp(what, "figures"))
		die("unknown command");
	while (!rc && number--)
		rc = do_pass(hv, hv_xen.figures);
	return rc;
}

int
main(int argc, char **argv)
{
	char error[TEXT_SIZE] = "";
	struct hv *hv;
	int option, verbose = 0, rc;

	while ((option = getopt(argc, argv, "+vf:u:s:d:")) != -1)
		switch (option) {
		case 'v':
			verbose = 1;
			break;
		case 'f':
			vm.file = optarg;
			break;
		case 'u':
			if (!uuid_parse(optarg, vm.uuid))
				die("no UUID");
			break;
		case 's':
			config.save_dir = optarg;
			break;
		case 'd':
			domid = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		default:
			die("unknown option");
		}
	if (optind == argc)
		die("states, figures, watch, find, monitored, act or mend");
	log_open("hvtool", true, verbose);
	hv = hv_xen.open(&config, error);
	if (!hv)
		die(error);
	rc = run(hv, argc - optind, argv + optind);
	hv_xen.close(hv);
	return rc;
}
