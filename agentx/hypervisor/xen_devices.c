/*
 * Devices whose backend is in Dom0, as the kernel lists them in sysfs. A driver domain's are not
 * seen: their counters are over there.
 */
#include "hypervisor/xen_driver.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DEVICES "/sys/bus/xen-backend/devices"
#define SECTOR 512 /* octets; blkback's unit, whatever the disk's own */

/* A device, and what does not change while it is there. */
struct device {
	struct xen_device_name id;
	ino_t inode;	/* in sysfs: another one after it was detached and attached again */
	bool listed;	/* in this pass */
	bool removable; /* its medium may change */
	struct fact_net net;
	struct fact_disk disk;
};

struct xen_devices {
	struct device *list;
	size_t count;
};

/* All interfaces of Dom0, sorted by name. */
struct interfaces {
	struct xen_interface *list;
	size_t count;
};

void
xen_devices_free(struct xen_devices *devices)
{
	if (devices)
		free(devices->list);
	free(devices);
}

static int
compare_interfaces(const void *a, const void *b)
{
	const struct xen_interface *one = a, *other = b;

	return strcmp(one->name, other->name);
}

static bool
interfaces_read(struct interfaces *all)
{
	FILE *file = fopen("/proc/net/dev", "re");
	char line[512];

	*all = (struct interfaces){0};
	if (!file)
		return false;
	while (fgets(line, sizeof(line), file)) {
		struct xen_interface one;

		if (!xen_parse_interface(line, &one))
			continue;
		all->list = mem_resize(all->list, all->count + 1, sizeof(*all->list));
		all->list[all->count++] = one;
	}
	fclose(file);
	if (all->count)
		qsort(all->list, all->count, sizeof(*all->list), compare_interfaces);
	return true;
}

static const struct xen_interface *
interfaces_find(const struct interfaces *all, const char *name)
{
	struct xen_interface key = {0};

	TEXT_SET(key.name, name);
	return all->count ? bsearch(&key, all->list, all->count, sizeof(key), compare_interfaces)
			  : NULL;
}

/* A number in a file of the device's directory in sysfs. */
static bool
sysfs_number(const struct xen_device_name *id, const char *file, uint64_t *number)
{
	char path[128], text[32] = "";
	FILE *from;

	snprintf(path, sizeof(path), DEVICES "/%s-%" PRIu32 "-%" PRIu32 "/statistics/%s", id->kind,
		 id->domid, id->device, file);
	*number = 0;
	from = fopen(path, "re");
	if (!from)
		return false;
	if (fgets(text, sizeof(text), from))
		text[strcspn(text, "\n")] = '\0';
	fclose(from);
	return xen_parse_number(text, number);
}

/* Dom0's name for a guest's interface: mostly vifD.N, but the VM's file may say another. */
static bool
interface_name(const struct xen_device_name *id, char *name, size_t size)
{
	char path[128];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), DEVICES "/vif-%" PRIu32 "-%" PRIu32 "/net", id->domid,
		 id->device);
	*name = '\0';
	dir = opendir(path);
	while (dir && !*name && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			text_set(name, size, entry->d_name);
	if (dir)
		closedir(dir);
	return *name;
}

static void
learn_net(struct hv *hv, struct device *device)
{
	struct fact_net *net = &device->net;
	unsigned domid = device->id.domid, number = device->id.device;
	char mac[32];

	net->domid = domid;
	net->device = number;
	xen_store_text(hv, mac, sizeof(mac), "backend/vif/%u/%u/mac", domid, number);
	xen_parse_mac(mac, net->mac);
	xen_store_text(hv, net->bridge, sizeof(net->bridge), "backend/vif/%u/%u/bridge", domid,
		       number);
}

static void
learn_disk(struct hv *hv, struct device *device)
{
	struct fact_disk *disk = &device->disk;
	const char *kind = device->id.kind;
	unsigned domid = device->id.domid, number = device->id.device;
	char mode[8], params[256];

	disk->domid = domid;
	disk->device = number;
	xen_store_text(hv, disk->name, sizeof(disk->name), "backend/%s/%u/%u/dev", kind, domid,
		       number);
	xen_store_text(hv, mode, sizeof(mode), "backend/%s/%u/%u/mode", kind, domid, number);
	disk->read_only = *mode == 'r';
	device->removable =
	    xen_store_number(hv, "backend/%s/%u/%u/removable", kind, domid, number) != 0;
	xen_store_text(hv, params, sizeof(params), "backend/%s/%u/%u/params", kind, domid, number);
	TEXT_SET(disk->target, xen_parse_params(params));
}

static void
learn_medium(struct hv *hv, struct device *device)
{
	char params[256];

	xen_store_follow_text(hv, params, sizeof(params), "backend/%s/%u/%u/params",
			      device->id.kind, device->id.domid, device->id.device);
	TEXT_SET(device->disk.target, xen_parse_params(params));
}

/* Its interface in all, or NULL. The name is looked for once, and again where it was changed. */
static const struct xen_interface *
find_interface(struct device *device, const struct interfaces *all)
{
	struct fact_net *net = &device->net;
	const struct xen_interface *found = interfaces_find(all, net->name);

	if (found)
		return found;
	if (!interface_name(&device->id, net->name, sizeof(net->name)))
		return NULL;
	net->if_index = if_nametoindex(net->name);
	return interfaces_find(all, net->name);
}

/* in is what the guest receives, which is what Dom0 sends. No row before the interface is there. */
static void
put_net(struct device *device, const struct interfaces *all, const struct hv_sink *sink)
{
	const struct xen_interface *found = find_interface(device, all);
	struct fact_net net = device->net;

	if (!found)
		return;
	net.in_octets = found->sent.octets;
	net.in_packets = found->sent.packets;
	net.in_errors = found->sent.errors;
	net.in_drops = found->sent.drops;
	net.out_octets = found->received.octets;
	net.out_packets = found->received.packets;
	net.out_errors = found->received.errors;
	net.out_drops = found->received.drops;
	sink->put(sink->arg, MSG_NET, &net, sizeof(net));
}

static bool
is_net(const struct xen_device_name *id)
{
	return !strcmp(id->kind, "vif");
}

static bool
is_qdisk(const struct xen_device_name *id)
{
	return !strcmp(id->kind, "qdisk");
}

static bool
is_disk(const struct xen_device_name *id)
{
	return is_qdisk(id) || !strcmp(id->kind, "vbd");
}

/* blkback counts no errors. */
static bool
count_blkback(const struct xen_device_name *id, struct fact_disk *disk)
{
	uint64_t read_sectors, written_sectors;

	if (!sysfs_number(id, "rd_req", &disk->reads) ||
	    !sysfs_number(id, "wr_req", &disk->writes) ||
	    !sysfs_number(id, "rd_sect", &read_sectors) ||
	    !sysfs_number(id, "wr_sect", &written_sectors))
		return false;
	disk->read_octets = read_sectors * SECTOR;
	disk->written_octets = written_sectors * SECTOR;
	return true;
}

static bool
count_qemu(const struct xen_qmp *answer, struct fact_disk *disk)
{
	const struct xen_qmp_disk *found = answer ? xen_qmp_disk(answer, disk->name) : NULL;

	if (!found)
		return false;
	disk->reads = found->reads;
	disk->writes = found->writes;
	disk->read_octets = found->read_octets;
	disk->written_octets = found->written_octets;
	disk->errors = found->errors;
	return true;
}

static void
put_disk(const struct device *device, const struct xen_qmp *answer, const struct hv_sink *sink)
{
	struct fact_disk disk = device->disk;

	if (is_qdisk(&device->id))
		disk.counted = disk.errors_counted = count_qemu(answer, &disk);
	else
		disk.counted = count_blkback(&device->id, &disk);
	sink->put(sink->arg, MSG_DISK, &disk, sizeof(disk));
}

static struct device *
keep(struct hv *hv, const struct xen_device_name *id, ino_t inode)
{
	struct xen_devices *devices = hv->devices;
	struct device *device;

	for (size_t i = 0; i < devices->count; i++)
		if (!memcmp(&devices->list[i].id, id, sizeof(*id)) &&
		    devices->list[i].inode == inode)
			return &devices->list[i];
	devices->list = mem_resize(devices->list, devices->count + 1, sizeof(*devices->list));
	device = &devices->list[devices->count++];
	*device = (struct device){.id = *id, .inode = inode};
	if (is_net(id))
		learn_net(hv, device);
	else
		learn_disk(hv, device);
	return device;
}

static void
forget_gone(struct xen_devices *devices)
{
	size_t used = 0;

	for (size_t i = 0; i < devices->count; i++)
		if (devices->list[i].listed) {
			devices->list[used] = devices->list[i];
			devices->list[used++].listed = false;
		}
	devices->count = used;
}

static void
put_device(struct hv *hv, const struct xen_device_name *id, ino_t inode,
	   const struct interfaces *all, const struct hv_sink *sink)
{
	struct device *device = keep(hv, id, inode);

	device->listed = true;
	if (device->removable)
		learn_medium(hv, device);
	if (hv->xs_failed)
		return;
	if (is_net(id))
		put_net(device, all, sink);
	else if (!is_qdisk(id))
		put_disk(device, NULL, sink);
}

static struct xen_qmp *
find_answer(struct xen_qmp *answers, size_t count, uint32_t domid)
{
	for (size_t i = 0; i < count; i++)
		if (answers[i].domid == domid)
			return &answers[i];
	return NULL;
}

/* Those of QEMUs, which are asked all at once. */
static void
put_qdisks(const struct xen_devices *devices, const struct hv_sink *sink)
{
	struct xen_qmp *answers = mem_array(devices->count + 1, sizeof(*answers));
	size_t count = 0;

	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->list[i];

		if (device->listed && is_qdisk(&device->id) &&
		    !find_answer(answers, count, device->id.domid))
			answers[count++].domid = device->id.domid;
	}
	xen_qmp_ask(XEN_QMP_DIR, answers, count);
	for (size_t i = 0; i < devices->count; i++) {
		const struct device *device = &devices->list[i];

		if (device->listed && is_qdisk(&device->id))
			put_disk(device, find_answer(answers, count, device->id.domid), sink);
	}
	xen_qmp_dispose(answers, count);
}

/* No such directory: a kernel without back ends, which has no devices. */
int
xen_devices_put(struct hv *hv, const struct hv_sink *sink, char *error)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	struct interfaces all;

	if ((!dir && errno != ENOENT) || !interfaces_read(&all)) {
		text_format(error, TEXT_SIZE, "%s cannot be read: %s",
			    dir ? "/proc/net/dev" : DEVICES, strerror(errno));
		if (dir)
			closedir(dir);
		return -1;
	}
	if (!hv->devices)
		hv->devices = mem_alloc(sizeof(*hv->devices));
	while (dir && !hv->xs_failed && (entry = readdir(dir))) {
		struct xen_device_name id;

		if (xen_parse_device(entry->d_name, &id) && (is_net(&id) || is_disk(&id)) &&
		    xen_domains_have(hv->domains, id.domid))
			put_device(hv, &id, entry->d_ino, &all, sink);
	}
	if (dir)
		closedir(dir);
	free(all.list);
	if (!hv->xs_failed)
		put_qdisks(hv->devices, sink);
	forget_gone(hv->devices);
	return 0;
}
