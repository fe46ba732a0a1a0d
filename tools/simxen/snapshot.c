#include "tools/simxen/snapshot.h"

#include <stdio.h>
#include <string.h>

#include <event2/buffer.h>

#include "base/mem.h"
#include "tools/simxen/figures.h"
#include "tools/simxen/protocol.h"

#define XEN_VERSION "4.17.4-simxen"
#define CPU_MODEL "simxen virtual CPU"
#define CPU_MHZ 2400

/* Structs of one type that wait to become a message. */
struct chunk {
	struct evbuffer *to;
	uint32_t id;
	uint16_t type;
	uint32_t used;
	_Alignas(8) uint8_t data[SX_MESSAGE_MAX];
};

void
snapshot_message(struct evbuffer *to, uint16_t type, uint32_t id, const void *body, uint32_t length)
{
	struct sx_header header = {.length = length, .type = type, .id = id};

	evbuffer_add(to, &header, sizeof(header));
	evbuffer_add(to, body, length);
}

static void
chunk_flush(struct chunk *chunk)
{
	if (chunk->used)
		snapshot_message(chunk->to, chunk->type, chunk->id, chunk->data, chunk->used);
	chunk->used = 0;
}

/* Room for one more struct, zeroed. */
static void *
chunk_add(struct chunk *chunk, size_t size)
{
	void *room;

	if (chunk->used + size > sizeof(chunk->data))
		chunk_flush(chunk);
	room = chunk->data + chunk->used;
	chunk->used += (uint32_t)size;
	return memset(room, 0, size);
}

uint32_t
snapshot_flags(const struct domain *d)
{
	uint32_t flags = d->monitor ? SX_MONITORED : 0;
	bool running = false;

	for (unsigned i = 0; i < d->def.vcpus && !running; i++)
		running = figures_vcpu_running(d, i);
	if (d->pauses)
		flags |= SX_PAUSED;
	if (d->phase == PHASE_SHUTDOWN)
		flags |= SX_SHUTDOWN;
	if (d->phase == PHASE_DYING)
		flags |= SX_DYING;
	if (domain_active(d))
		flags |= running || d->domid == 0 ? SX_RUNNING : SX_BLOCKED;
	return flags;
}

uint64_t
snapshot_cpu_ns(const struct domain *d)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < d->def.vcpus; i++)
		sum += figures_vcpu_ns(d, i);
	return sum;
}

static void
put_host(struct chunk *chunk, const struct model *m)
{
	struct sx_host *host = chunk_add(chunk, sizeof(*host));

	TEXT_SET(host->version, XEN_VERSION);
	TEXT_SET(host->cpu_model, CPU_MODEL);
	host->memory_kib = m->config.memory_mib * 1024;
	host->free_kib = model_free_kib(m);
	host->uptime_ms = host->time_ms = (uint64_t)m->now_ms;
	host->cpus = m->config.cpus;
	host->cpu_mhz = CPU_MHZ;
	memcpy(host->boot_id, m->boot_id, UUID_SIZE);
}

static void
put_domain(struct chunk *chunk, const struct domain *d, bool names)
{
	struct sx_domain *row = chunk_add(chunk, sizeof(*row));

	row->domid = d->domid;
	row->flags = snapshot_flags(d);
	row->reason = d->reason;
	row->vcpus = d->def.vcpus;
	memcpy(row->uuid, d->def.uuid, sizeof(d->def.uuid));
	row->memory_kib = domain_memory_kib(d);
	row->target_kib = d->target_kib;
	row->max_kib = (uint64_t)d->def.maxmem_mib * 1024;
	row->cpu_ns = snapshot_cpu_ns(d);
	row->born_ms = (uint64_t)d->born_ms;
	if (!names)
		return;
	memcpy(row->name, d->def.name, sizeof(d->def.name));
	if (d->domid != 0) {
		row->on_poweroff = d->def.on_poweroff;
		row->on_reboot = d->def.on_reboot;
		row->on_crash = d->def.on_crash;
		figures_meminfo(d, row->meminfo_total, row->meminfo_free);
	}
}

static void
put_vcpus(struct chunk *chunk, const struct domain *d)
{
	for (unsigned i = 0; i < d->def.vcpus; i++) {
		struct sx_vcpu *row = chunk_add(chunk, sizeof(*row));

		row->domid = d->domid;
		row->number = i;
		row->running = figures_vcpu_running(d, i);
		row->cpu_ns = figures_vcpu_ns(d, i);
	}
}

static void
put_vifs(struct chunk *chunk, const struct domain *d)
{
	for (unsigned i = 0; i < d->def.vif_count; i++) {
		struct sx_vif *row = chunk_add(chunk, sizeof(*row));
		struct figures_vif f;

		figures_vif(d, i, &f);
		*row = (struct sx_vif){.domid = d->domid,
				       .number = i,
				       .rx_octets = f.rx_octets,
				       .rx_packets = f.rx_packets,
				       .rx_errors = f.rx_errors,
				       .rx_drops = f.rx_drops,
				       .tx_octets = f.tx_octets,
				       .tx_packets = f.tx_packets,
				       .tx_errors = f.tx_errors,
				       .tx_drops = f.tx_drops};
		figures_mac(d, i, row->mac);
		memcpy(row->bridge, d->def.vifs[i].bridge, sizeof(d->def.vifs[i].bridge));
	}
}

static void
put_vbds(struct chunk *chunk, const struct domain *d)
{
	for (unsigned i = 0; i < d->def.disk_count; i++) {
		struct sx_vbd *row = chunk_add(chunk, sizeof(*row));
		struct figures_vbd f;

		figures_vbd(d, i, &f);
		*row = (struct sx_vbd){.domid = d->domid,
				       .number = figures_vbd_number(d, i),
				       .read_requests = f.read_requests,
				       .read_octets = f.read_octets,
				       .write_requests = f.write_requests,
				       .write_octets = f.write_octets,
				       .errors = f.errors};
		memcpy(row->name, d->def.disks[i].vdev, sizeof(row->name));
		TEXT_SET(row->target, d->def.disks[i].target);
		row->read_only = d->def.disks[i].read_only;
	}
}

static const struct {
	uint16_t type;
	void (*put)(struct chunk *chunk, const struct domain *d);
} devices[] = {
    {SX_VCPUS, put_vcpus},
    {SX_VIFS, put_vifs},
    {SX_VBDS, put_vbds},
};

void
snapshot_write(const struct model *m, uint32_t id, const struct snapshot_options *options,
	       struct evbuffer *to)
{
	static struct chunk chunk; /* too large for the stack of a small process */
	size_t count = options->empty ? 0 : m->domain_count;
	size_t kinds = options->figures ? sizeof(devices) / sizeof(*devices) : 0;

	chunk.to = to;
	chunk.id = id;
	chunk.used = 0;
	chunk.type = SX_HOST;
	put_host(&chunk, m);
	chunk_flush(&chunk);
	chunk.type = SX_DOMAINS;
	for (size_t i = 0; i < count; i++)
		put_domain(&chunk, m->domains[i], options->names);
	chunk_flush(&chunk);
	for (size_t kind = 0; kind < kinds; kind++) {
		chunk.type = devices[kind].type;
		for (size_t i = 0; i < count; i++)
			devices[kind].put(&chunk, m->domains[i]);
		chunk_flush(&chunk);
	}
	snapshot_message(to, SX_END, id, "", 0);
}
