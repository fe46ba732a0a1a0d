#include "tools/simxen/figures.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

__extension__ typedef unsigned __int128 wide;

#define PERIOD_MS 41000 /* of a figure's ups and downs, at least */

/* Salts: each figure of a domain has its own random course. */
enum { SALT_CPU = 0x100, SALT_VIF = 0x200, SALT_VBD = 0x300, SALT_MEMORY = 0x400 };

/* A number from least to most, by key and salt. */
static uint64_t
pick(uint64_t key, uint64_t salt, uint64_t least, uint64_t most)
{
	return least + model_hash(key, salt) % (most - least + 1);
}

/*
 * Integral over time of a triangle wave between -1 and 1 that begins at -1, in us, at t_ms. Over
 * a whole period it is 0; each half is a parabola.
 */
static int64_t
triangle_us(int64_t t_ms, int64_t period_ms)
{
	int64_t x = t_ms % period_ms, half = period_ms / 2, y = x - half;

	return x < half ? -1000 * x + 2000 * x * x / period_ms
			: 1000 * y - 2000 * y * y / period_ms;
}

/*
 * What has come together after t_ms at per_second on average, swinging by swing thousandths
 * (0..900) with a period and a phase of its own.
 */
static uint64_t
course(uint64_t key, uint64_t salt, int64_t t_ms, uint64_t per_second, int64_t swing)
{
	uint64_t own = model_hash(key, salt ^ 0x5a);
	int64_t period = PERIOD_MS + 2 * (int64_t)(own % 30000);
	int64_t phase = (int64_t)(own >> 20 & 0xffffff) % period;
	int64_t weighted = 1000000 * t_ms +
			   swing * (triangle_us(t_ms + phase, period) - triangle_us(phase, period));

	return weighted <= 0 ? 0 : (uint64_t)((wide)per_second * (uint64_t)weighted / 1000000000);
}

/* Thousandths of one CPU. */
static uint64_t
load_thousandths(const struct domain *d, unsigned i)
{
	if (d->load_percent >= 0)
		return (uint64_t)d->load_percent * 10;
	return pick(d->key, SALT_CPU + i, 5, 400);
}

uint64_t
figures_vcpu_ns(const struct domain *d, unsigned i)
{
	uint64_t load = load_thousandths(d, i);
	/* No swing may need more than a whole CPU; a load that was asked for hardly swings. */
	int64_t swing = load > 900 ? 0 : d->load_percent >= 0 ? 50 : 700;

	return d->cpu_ns[i] + course(d->key, SALT_CPU + i, domain_active_ms(d) - d->load_ms,
				     load * 1000000, swing);
}

void
figures_set_load(struct domain *d, int32_t percent)
{
	for (unsigned i = 0; i < d->def.vcpus; i++)
		d->cpu_ns[i] = figures_vcpu_ns(d, i);
	d->load_ms = domain_active_ms(d);
	d->load_percent = percent;
}

bool
figures_vcpu_running(const struct domain *d, unsigned i)
{
	if (!domain_active(d))
		return false;
	return model_hash(d->key ^ (uint64_t)(domain_active_ms(d) / 100), SALT_CPU + i) % 1000 <
	       load_thousandths(d, i);
}

/* The network and the disks are in use from when the guest is up. */
static int64_t
up_ms(const struct domain *d)
{
	return d->up_ms < 0 ? 0 : domain_active_ms(d) - d->up_ms;
}

void
figures_vif(const struct domain *d, unsigned i, struct figures_vif *vif)
{
	uint64_t salt = SALT_VIF + 16 * i;
	uint64_t rx = pick(d->key, salt, 5, 400), tx = pick(d->key, salt + 1, 5, 400);
	int64_t t = up_ms(d);

	*vif = (struct figures_vif){
	    .rx_packets = course(d->key, salt, t, rx, 800),
	    .rx_octets = course(d->key, salt, t, rx * pick(d->key, salt + 2, 90, 900), 800),
	    .tx_packets = course(d->key, salt + 1, t, tx, 800),
	    .tx_octets = course(d->key, salt + 1, t, tx * pick(d->key, salt + 3, 90, 900), 800),
	    .rx_errors = (uint64_t)t / pick(d->key, salt + 4, 600000, 9000000),
	    .rx_drops = (uint64_t)t / pick(d->key, salt + 5, 60000, 900000),
	    .tx_errors = (uint64_t)t / pick(d->key, salt + 6, 900000, 9000000),
	    .tx_drops = (uint64_t)t / pick(d->key, salt + 7, 90000, 900000),
	};
}

void
figures_vbd(const struct domain *d, unsigned i, struct figures_vbd *vbd)
{
	uint64_t salt = SALT_VBD + 16 * i;
	uint64_t reads = pick(d->key, salt, 1, 40), writes = pick(d->key, salt + 1, 1, 60);
	int64_t t = domain_active_ms(d); /* booting reads, too */

	*vbd = (struct figures_vbd){
	    .read_requests = course(d->key, salt, t, reads, 800),
	    .write_requests = course(d->key, salt + 1, t, writes, 800),
	    .errors = (uint64_t)t / pick(d->key, salt + 4, 3000000, 90000000),
	};
	vbd->read_octets = vbd->read_requests * 512 * pick(d->key, salt + 2, 8, 128);
	vbd->write_octets = vbd->write_requests * 512 * pick(d->key, salt + 3, 8, 64);
}

uint64_t
figures_used_kib(const struct domain *d)
{
	uint64_t total = domain_memory_kib(d), used;
	int64_t t = domain_active_ms(d) + (int64_t)pick(d->key, SALT_MEMORY, 0, 100000);
	int64_t wave = triangle_us(t, 60000) / 1000; /* within 7500 either way */

	if (d->def.used_mib >= 0)
		used = (uint64_t)d->def.used_mib * 1024;
	else /* of what it was born with, so that more memory makes room */
		used = (uint64_t)d->def.memory_mib * 1024 *
		       (pick(d->key, SALT_MEMORY + 1, 300000, 650000) +
			(uint64_t)(10 * wave + 75000)) /
		       1000000;
	return used < total ? used : total;
}

bool
figures_meminfo(const struct domain *d, char total[static 32], char free[static 32])
{
	uint64_t kib = domain_memory_kib(d), kernel = kib / 50; /* not in the guest's own total */
	uint64_t used = figures_used_kib(d);

	memset(total, 0, 32);
	memset(free, 0, 32);
	if (!d->def.tools || d->up_ms < 0)
		return false;
	kib -= kernel;
	snprintf(total, 32, "%" PRIu64, kib);
	snprintf(free, 32, "%" PRIu64, used < kib ? kib - used : 0);
	if (*d->meminfo[0])
		memcpy(total, d->meminfo[0], 32);
	if (*d->meminfo[1])
		memcpy(free, d->meminfo[1], 32);
	return true;
}

void
figures_mac(const struct domain *d, unsigned i, char mac[static 18])
{
	uint64_t own = 0;

	for (const char *p = d->def.uuid; *p; p++)
		own = model_hash(own, (unsigned char)*p);
	own = model_hash(own, i);
	if (*d->def.vifs[i].mac)
		text_set(mac, 18, d->def.vifs[i].mac);
	else
		text_format(mac, 18, "00:16:3e:%02x:%02x:%02x", (unsigned)(own >> 16 & 127),
			    (unsigned)(own >> 8 & 255), (unsigned)(own & 255));
}

uint32_t
figures_vbd_number(const struct domain *d, unsigned i)
{
	const char *vdev = d->def.disks[i].vdev;
	bool xvd = strncmp(vdev, "xvd", 3) == 0;
	uint32_t disk = (uint32_t)(vdev[xvd ? 3 : 2] - 'a') & 15;

	if (xvd)
		return 202 << 8 | disk << 4;
	return *vdev == 's' ? 8 << 8 | disk << 4
			    : (disk < 2 ? 3U << 8 : 22U << 8) | (disk & 1) << 6;
}
