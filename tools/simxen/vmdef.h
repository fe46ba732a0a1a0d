/*
 * The definition of a virtual machine, as its xl file gives it. A plain value: copied by
 * assignment, owns nothing. Text is cut to fit; lists that are too long are refused by the parser.
 */
#ifndef SIMXEN_VMDEF_H
#define SIMXEN_VMDEF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/names.h"
#include "base/uuid.h"

#define VMDEF_TEXT 64		  /* names, with the end */
#define VMDEF_UUID UUID_TEXT_SIZE /* text form, lower case, with the end */
#define VMDEF_DEVICES 16	  /* disks; the same for vifs */
#define VMDEF_SERVICES 32	  /* ports that the VM serves */
#define VMDEF_VCPUS 64
#define VMDEF_MEMORY 8388608 /* MiB: 8 TiB */

struct vmdef_disk {
	char vdev[16];	  /* "xvda" */
	char target[160]; /* "/dev/vg0/www" */
	bool read_only;
};

struct vmdef_vif {
	char mac[18];	 /* empty: made from the UUID */
	char bridge[16]; /* empty: the default one */
};

struct vmdef_service {
	bool udp;
	uint16_t port;
};

struct vmdef {
	char name[VMDEF_TEXT];
	char uuid[VMDEF_UUID]; /* empty: a new one each time the VM is created */
	uint32_t memory_mib;   /* at birth */
	uint32_t maxmem_mib;   /* no less than memory_mib */
	uint32_t vcpus;	       /* 1..VMDEF_VCPUS */
	enum on_action on_poweroff, on_reboot, on_crash;
	struct vmdef_disk disks[VMDEF_DEVICES];
	struct vmdef_vif vifs[VMDEF_DEVICES];
	uint32_t disk_count, vif_count;

	/* What real xl ignores: simxen_... */
	char address[16]; /* IPv4, of the loopback network; empty: no services */
	struct vmdef_service services[VMDEF_SERVICES];
	uint32_t service_count;
	int64_t boot_ms;      /* -1: simxen's own default */
	int64_t shutdown_ms;  /* -1: the same */
	int32_t load_percent; /* of each vCPU, 0..100; -1: made from the seed */
	int64_t used_mib;     /* memory used inside; -1: made from the seed */
	bool tools;	      /* the guest writes data/meminfo_* */
	int64_t crash_ms;     /* crashes so long after each boot; -1: does not */
	bool saved;	      /* this is a save file: restore takes it, create does not */
};

/* Fills in the defaults of xl.cfg(5) and simxen(8). */
void vmdef_init(struct vmdef *def);

/*
 * Synthetic VM number n (from 1): vm0001, 256 MiB, one disk, one vif. prefix: the first two
 * octets of its address ("127.7"), or NULL for none. A VM with an address serves TCP port 80, and
 * each tenth UDP port 53.
 */
void vmdef_make(struct vmdef *def, unsigned n, const char *prefix);

/* Writes def so that xlfile_read() gives the same definition. */
void vmdef_write(const struct vmdef *def, FILE *to);

/* "tcp:80" or "udp:53", ports 1..65535. */
bool vmdef_parse_service(const char *text, struct vmdef_service *service);

#endif
