/* The driver for simxen(8), a Dom0's hypervisor simulated as a process of its own. */
#include "hypervisor/sim_driver.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"

static struct hv *
hv_sim_open(const struct config *config, char *error)
{
	struct sim_client *client = sim_client_open(config->sim_socket, error);
	struct hv *hv;

	if (!client)
		return NULL;
	hv = mem_alloc(sizeof(*hv));
	*hv = (struct hv){.config = config, .client = client};
	return hv;
}

static void
hv_sim_close(struct hv *hv)
{
	sim_client_close(hv->client);
	free(hv->inside);
	free(hv);
}

/* Asks for a list or a sample and gives every message of the answer to take. */
static int
ask(struct hv *hv, enum sx_type type, void (*take)(struct hv *hv, void *arg), void *arg,
    char *error)
{
	struct sim_client *client = hv->client;

	if (!sim_client_send(client, (uint16_t)type, "", 0, error))
		return -1;
	for (;;) {
		if (!sim_client_next(client, error))
			return -1;
		if (client->header.type == SX_END)
			return 0;
		take(hv, arg);
	}
}

struct states {
	const struct hv_sink *sink;
	int64_t now_us;
	bool dom0;
};

static void
put_state(const struct sx_domain *row, struct states *states)
{
	struct fact_domain fact = {
	    .domid = row->domid,
	    .flags = row->flags & (DOMAIN_RUNNING | DOMAIN_BLOCKED | DOMAIN_STATE_FLAGS),
	    .reason = row->flags & SX_SHUTDOWN ? row->reason : REASON_UNKNOWN,
	    .read_mono_us = states->now_us,
	    .cpu_ns = row->cpu_ns,
	    .memory_kib = row->memory_kib,
	    .vcpus = row->vcpus,
	    .vcpus_max = row->vcpus,
	};
	char uuid[sizeof(row->uuid)];

	SIM_TEXT(uuid, row->uuid);
	uuid_parse(uuid, fact.uuid);
	states->dom0 |= row->domid == 0;
	states->sink->put(states->sink->arg, MSG_DOMAIN, &fact, sizeof(fact));
}

static void
take_states(struct hv *hv, void *arg)
{
	const struct sx_domain *rows = (const struct sx_domain *)hv->client->body;
	struct states *states = arg;

	if (hv->client->header.type != SX_DOMAINS)
		return;
	if (!states->now_us)
		states->now_us = clock_mono_us();
	for (size_t i = 0; i < sim_client_count(hv->client, sizeof(*rows)); i++)
		put_state(&rows[i], states);
}

static int
hv_sim_states(struct hv *hv, const struct hv_sink *sink, char *error)
{
	struct states states = {.sink = sink};
	int rc = ask(hv, SX_LIST, take_states, &states, error);

	if (rc == 0 && !states.dom0) {
		text_set(error, TEXT_SIZE, "the hypervisor's list of domains lacks Domain-0");
		rc = -1;
	}
	return rc;
}

static void
put_host(struct hv *hv, const struct hv_sink *sink)
{
	const struct sx_host *row = (const struct sx_host *)hv->client->body;
	struct fact_host fact = {
	    .software = "simxen",
	    .boot_mono_ms = clock_mono_ms() - (int64_t)row->uptime_ms,
	    .cpus = row->cpus,
	    .cpu_mhz = row->cpu_mhz,
	    .memory_kib = row->memory_kib,
	    .memory_free_kib = row->free_kib,
	};

	SIM_TEXT(fact.version, row->version);
	memcpy(fact.boot_id, row->boot_id, UUID_SIZE);
	hv->time_ms = row->time_ms;
	sink->put(sink->arg, MSG_HOST, &fact, sizeof(fact));
}

/* A guest may write anything: a number of kB that can be true, or 0. */
static uint64_t
guest_number(const char *text, size_t room)
{
	uint64_t number = 0;
	size_t i = 0;

	for (; i < room && isdigit((unsigned char)text[i]) && number < UINT32_MAX * UINT64_C(1024);
	     i++)
		number = number * 10 + (unsigned)(text[i] - '0');
	return i > 0 && i < room && text[i] == '\0' ? number : 0;
}

static int
compare_inside(const void *a, const void *b)
{
	uint32_t left = ((const struct inside *)a)->domid,
		 right = ((const struct inside *)b)->domid;

	return left < right ? -1 : left > right;
}

/* xenstore has no times: the age is counted from when the values were first seen. */
static void
learn_inside(const struct hv *hv, const struct sx_domain *row, struct inside *inside)
{
	const struct inside *before;

	*inside = (struct inside){
	    .domid = row->domid,
	    .total_kib = guest_number(row->meminfo_total, sizeof(row->meminfo_total)),
	    .free_kib = guest_number(row->meminfo_free, sizeof(row->meminfo_free)),
	    .mono_ms = clock_mono_ms(),
	};
	if (inside->free_kib > inside->total_kib || inside->total_kib > row->max_kib)
		inside->total_kib = inside->free_kib = 0;
	before = hv->inside_count == 0 ? NULL
				       : bsearch(inside, hv->inside, hv->inside_count,
						 sizeof(*inside), compare_inside);
	if (before && before->total_kib == inside->total_kib &&
	    before->free_kib == inside->free_kib)
		inside->mono_ms = before->mono_ms;
}

struct figures {
	const struct hv_sink *sink;
	struct inside *inside; /* of this pass */
	size_t inside_count;
};

static void
put_figures(struct hv *hv, const struct sx_domain *row, struct figures *figures)
{
	struct inside *inside = &figures->inside[figures->inside_count++];
	struct fact_figures fact = {
	    .domid = row->domid,
	    .monitored = (row->flags & SX_MONITORED) != 0,
	    .on_poweroff = row->on_poweroff,
	    .on_reboot = row->on_reboot,
	    .on_crash = row->on_crash,
	    .memory_max_kib = row->max_kib,
	    .memory_target_kib = row->target_kib,
	    .start_wall_ms = clock_wall_ms() - (int64_t)(hv->time_ms - row->born_ms),
	};
	char uuid[sizeof(row->uuid)];

	learn_inside(hv, row, inside);
	fact.inside_total_kib = inside->total_kib;
	fact.inside_free_kib = inside->free_kib;
	fact.inside_mono_ms = inside->mono_ms;
	SIM_TEXT(uuid, row->uuid);
	uuid_parse(uuid, fact.uuid);
	SIM_TEXT(fact.name, row->name);
	figures->sink->put(figures->sink->arg, MSG_FIGURES, &fact, sizeof(fact));
}

static void
put_domains(struct hv *hv, struct figures *figures)
{
	const struct sx_domain *rows = (const struct sx_domain *)hv->client->body;
	size_t count = sim_client_count(hv->client, sizeof(*rows));

	figures->inside =
	    mem_resize(figures->inside, figures->inside_count + count, sizeof(*figures->inside));
	for (size_t i = 0; i < count; i++)
		if (rows[i].domid != 0)
			put_figures(hv, &rows[i], figures);
}

static void
put_nets(struct hv *hv, const struct hv_sink *sink)
{
	const struct sx_vif *rows = (const struct sx_vif *)hv->client->body;

	for (size_t i = 0; i < sim_client_count(hv->client, sizeof(*rows)); i++) {
		const struct sx_vif *row = &rows[i];
		struct fact_net fact = {
		    .domid = row->domid,
		    .device = row->number,
		    .in_octets = row->rx_octets,
		    .in_packets = row->rx_packets,
		    .in_errors = row->rx_errors,
		    .in_drops = row->rx_drops,
		    .out_octets = row->tx_octets,
		    .out_packets = row->tx_packets,
		    .out_errors = row->tx_errors,
		    .out_drops = row->tx_drops,
		};
		char mac[sizeof(row->mac)];

		SIM_TEXT(mac, row->mac);
		sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &fact.mac[0], &fact.mac[1],
		       &fact.mac[2], &fact.mac[3], &fact.mac[4], &fact.mac[5]);
		TEXT_FORMAT(fact.name, "vif%" PRIu32 ".%" PRIu32, row->domid, row->number);
		SIM_TEXT(fact.bridge, row->bridge);
		sink->put(sink->arg, MSG_NET, &fact, sizeof(fact));
	}
}

static void
put_disks(struct hv *hv, const struct hv_sink *sink)
{
	const struct sx_vbd *rows = (const struct sx_vbd *)hv->client->body;

	for (size_t i = 0; i < sim_client_count(hv->client, sizeof(*rows)); i++) {
		const struct sx_vbd *row = &rows[i];
		struct fact_disk fact = {
		    .domid = row->domid,
		    .device = row->number,
		    .read_only = row->read_only,
		    .counted = 1,
		    .errors_counted = 1,
		    .reads = row->read_requests,
		    .writes = row->write_requests,
		    .read_octets = row->read_octets,
		    .written_octets = row->write_octets,
		    .errors = row->errors,
		};

		SIM_TEXT(fact.name, row->name);
		SIM_TEXT(fact.target, row->target);
		sink->put(sink->arg, MSG_DISK, &fact, sizeof(fact));
	}
}

static void
take_figures(struct hv *hv, void *arg)
{
	struct figures *figures = arg;

	switch (hv->client->header.type) {
	case SX_HOST:
		if (sim_client_count(hv->client, sizeof(struct sx_host)) == 1)
			put_host(hv, figures->sink);
		return;
	case SX_DOMAINS:
		put_domains(hv, figures);
		return;
	case SX_VIFS:
		put_nets(hv, figures->sink);
		return;
	case SX_VBDS:
		put_disks(hv, figures->sink);
		return;
	}
}

static int
hv_sim_figures(struct hv *hv, const struct hv_sink *sink, char *error)
{
	struct figures figures = {.sink = sink};
	int rc = ask(hv, SX_SAMPLE, take_figures, &figures, error);

	free(hv->inside);
	hv->inside = figures.inside;
	hv->inside_count = figures.inside_count;
	return rc;
}

/* The subscription says what changed; the caller looks for itself, so the news only wakes it. */
static int
hv_sim_watch(struct hv *hv, char *error)
{
	if (!hv->watching) {
		hv->watching = sim_client_send(hv->client, SX_SUBSCRIBE, "", 0, error) &&
			       sim_client_next(hv->client, error);
		return hv->watching ? 0 : -1;
	}
	do
		if (!sim_client_next(hv->client, error))
			return -1;
	while (sim_client_ready(hv->client));
	return 0;
}

/* The domain that is looked for in a list. */
struct search {
	const char *name; /* NULL: by domid */
	uint32_t domid;
	bool found;
	struct sx_domain row;
};

static void
take_search(struct hv *hv, void *arg)
{
	const struct sx_domain *rows = (const struct sx_domain *)hv->client->body;
	struct search *search = arg;

	if (hv->client->header.type != SX_DOMAINS)
		return;
	for (size_t i = 0; i < sim_client_count(hv->client, sizeof(*rows)); i++) {
		char name[sizeof(rows->name)];

		SIM_TEXT(name, rows[i].name);
		if (search->name ? strcmp(name, search->name) == 0
				 : rows[i].domid == search->domid) {
			search->found = true;
			search->row = rows[i];
		}
	}
}

/* Names are xenstore's in Xen: asked for by a sample, which waits for that. */
int
sim_find(struct hv *hv, const char *name, uint32_t *domid, char *error)
{
	struct search search = {.name = name};

	if (ask(hv, SX_SAMPLE, take_search, &search, error) != 0)
		return -1;
	*domid = search.found ? search.row.domid : 0;
	return search.found;
}

bool
sim_look(struct hv *hv, uint32_t domid, struct sx_domain *row)
{
	struct search search = {.domid = domid};
	char error[TEXT_SIZE];

	if (ask(hv, SX_LIST, take_search, &search, error) != 0 || !search.found)
		return false;
	*row = search.row;
	return true;
}

static int
hv_sim_monitored(struct hv *hv, uint32_t domid)
{
	struct search search = {.domid = domid};
	char error[TEXT_SIZE];

	if (ask(hv, SX_LIST, take_search, &search, error) != 0)
		return -1;
	return search.found && search.row.flags & SX_MONITORED;
}

const struct hv_driver hv_sim = {
    .name = "sim",
    .open = hv_sim_open,
    .close = hv_sim_close,
    .states = hv_sim_states,
    .figures = hv_sim_figures,
    .watch = hv_sim_watch,
    .find = sim_find,
    .monitored = hv_sim_monitored,
    .act = sim_act,
    .mend = sim_mend,
};
