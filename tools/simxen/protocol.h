/*
 * What simxen and its clients say to each other over the hypervisor's socket, a unix stream socket.
 * Both run on one host: native byte order, fixed-size structs, no pointers, every text ended by
 * a NUL and the rest zero.
 *
 * Each message is a struct sx_header and `length` octets. A client sends SX_HELLO first and gets
 * SX_HELLO back, or SX_ERROR and the end of the connection where the versions differ. Then either
 * it asks (SX_LIST, SX_SAMPLE, SX_ACT), one request at a time, and gets the answer under the
 * request's id; or it sends SX_SUBSCRIBE and from then on gets SX_CHANGED, and nothing else.
 *
 * Answer to SX_LIST: SX_HOST, SX_DOMAINS as often as need be, SX_END. Answer to SX_SAMPLE: the
 * same, with SX_VCPUS, SX_VIFS and SX_VBDS before the end: all of one moment. Each of these is
 * an array of as many structs as its length has room for; domains rise by domid, the others by
 * domid and number. Answer to SX_ACT: SX_DONE, when the action has ended. A client that goes away
 * before leaves undone what a killed `xl` leaves undone.
 *
 * There is no time limit in simxen: where it is told to be silent, or to never end an action, no
 * answer comes. Clients bring their own.
 */
#ifndef SIMXEN_PROTOCOL_H
#define SIMXEN_PROTOCOL_H

#include <stdint.h>

#define SX_MAGIC UINT32_C(0x6d697873) /* "sxim" */
#define SX_VERSION 2
#define SX_MESSAGE_MAX 65536 /* octets that follow a header, at most */
#define SX_REQUEST_MAX 4096  /* the same, towards simxen */

enum sx_type {
	SX_HELLO = 1, /* struct sx_hello, both ways */
	SX_LIST,      /* nothing follows */
	SX_SAMPLE,    /* nothing follows */
	SX_ACT,	      /* struct sx_act */
	SX_SUBSCRIBE, /* nothing follows; SX_END is the answer */
	SX_HOST = 16, /* struct sx_host */
	SX_DOMAINS,   /* struct sx_domain[] */
	SX_VCPUS,     /* struct sx_vcpu[] */
	SX_VIFS,      /* struct sx_vif[] */
	SX_VBDS,      /* struct sx_vbd[] */
	SX_END,	      /* nothing follows */
	SX_DONE,      /* struct sx_done */
	SX_CHANGED,   /* struct sx_changed */
	SX_ERROR,     /* text; the connection ends */
};

struct sx_header {
	uint32_t length;
	uint16_t type;
	uint16_t reserved;
	uint32_t id; /* the client's; answers repeat it */
};

struct sx_hello {
	uint32_t magic, version;
};

struct sx_host {
	char version[64]; /* of the hypervisor: "4.17.4-simxen" */
	char cpu_model[64];
	uint64_t memory_kib, free_kib;
	uint64_t uptime_ms;
	uint64_t time_ms; /* moment of the sample on simxen's clock, which never goes back */
	uint32_t cpus;
	uint32_t cpu_mhz;
	uint8_t boot_id[16]; /* of this simxen: none before or after it has the same */
};

/* Flags of a domain, as xl shows them. At most one of running and blocked is set. */
enum sx_flags {
	SX_RUNNING = 1,
	SX_BLOCKED = 2,
	SX_PAUSED = 4,
	SX_SHUTDOWN = 8,
	SX_DYING = 16,
	SX_MONITORED = 32, /* a person's xl waits to act on its end */
};

struct sx_domain {
	uint32_t domid; /* 0 is Domain-0 */
	uint32_t flags;
	uint32_t reason; /* as Xen numbers them; 255 while it has not shut down */
	uint32_t vcpus;
	char name[64]; /* empty where xenstore does not answer */
	char uuid[40];
	uint64_t memory_kib; /* held now */
	uint64_t target_kib; /* where the balloon is to go */
	uint64_t max_kib;    /* memory/static-max */
	uint64_t cpu_ns;     /* of all vCPUs */
	uint64_t born_ms;    /* on the clock of time_ms */
	/*
	 * Of the files: enum on_action. 0 where unknown. Then what the guest wrote to
	 * data/meminfo_total and _free: any text at all; empty where it wrote none.
	 */
	uint32_t on_poweroff, on_reboot, on_crash;
	uint32_t reserved;
	char meminfo_total[32], meminfo_free[32];
};

struct sx_vcpu {
	uint32_t domid, number;
	uint32_t running; /* 0 or 1 */
	uint32_t reserved;
	uint64_t cpu_ns;
};

/* As the guest sees it: rx is what it received. All 0 at the domain's birth. */
struct sx_vif {
	uint32_t domid, number;
	char mac[24];
	char bridge[16];
	uint64_t rx_octets, rx_packets, rx_errors, rx_drops;
	uint64_t tx_octets, tx_packets, tx_errors, tx_drops;
};

struct sx_vbd {
	uint32_t domid, number; /* number: 51712 is xvda, as in xen-vbd-interface(7) */
	char name[16];		/* "xvda" */
	char target[128];	/* in Domain-0: "/dev/vg0/www" */
	uint32_t read_only, reserved;
	uint64_t read_requests, read_octets, write_requests, write_octets, errors;
};

/*
 * An action: verb is one of enum verb in base/names.h. VERB_START creates a domain from the xl
 * file at path, with the texts of overrides taken over it ("uuid=\"...\"\nmemory=256"); monitor 0
 * is `xl create -e`. VERB_SAVE and VERB_RESTORE write and read path. VERB_MEMORY: mib. The others
 * have a domid only, and so has SX_VERB_RESUME: a suspended domain goes on, as
 * libxl_domain_resume(), and SX_VERB_SET_ASIDE: one that has ended gets another name and UUID, as
 * libxl_domain_preserve().
 */
enum sx_verb { SX_VERB_RESUME = 200, SX_VERB_SET_ASIDE = 201 };

struct sx_act {
	uint32_t verb;
	uint32_t domid;
	uint32_t monitor;
	uint32_t paused; /* VERB_START, VERB_RESTORE: leave it paused */
	uint64_t mib;
	char path[512]; /* absolute */
	char overrides[512];
};

struct sx_done {
	uint32_t failed; /* 0: succeeded; else as xl exits: 1 (file, arguments), 2, 3 */
	uint32_t domid;	 /* VERB_START, VERB_RESTORE: the new domain */
	char text[320];	 /* what failed, for people; empty where it succeeded */
};

enum sx_change { SX_INTRODUCED = 1, SX_STATE, SX_ENDED, SX_RELEASED };

/* Something changed: as xenstore's @introduceDomain and @releaseDomain, but with the domid. */
struct sx_changed {
	uint32_t domid;
	uint32_t change; /* enum sx_change */
};

#endif
