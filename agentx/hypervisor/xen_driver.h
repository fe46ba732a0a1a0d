/*
 * Inside of the Xen driver: what its files share. The rest of lauxend sees hv.h alone.
 *
 *   hv_xen.c       opens and closes, lists the domains, watches, finds
 *   xen_store.c    reads xenstore
 *   xen_figures.c  a pass of figures: the host, and each domain
 *   xen_devices.c  its network interfaces and disks
 *   xen_qmp.c      asks QEMUs for the counters of the disks that they serve
 *   xen_monitor.c  which domains have an xl monitor of their own
 *   xen_act.c      the steps that libxl does
 *   xen_start.c    the steps that xl does: start, save, restore; what they leave half done
 *   xen_dead.c     what is done with a dead domain: core dump, setting aside
 *   xen_xl.c       runs xl
 *   xen_parse.c    reads text of others; pure
 */
#ifndef HYPERVISOR_XEN_DRIVER_H
#define HYPERVISOR_XEN_DRIVER_H

#define LIBXL_API_VERSION 0x041400

#include <libxl.h>
#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/hv.h"

struct xs_handle;
struct xen_followed;
struct xen_domains;
struct xen_devices;

/* libxl's log: into ours at debug level; the first error since xen_complaint_clear() is kept. */
struct xen_logger {
	xentoollog_logger vtable; /* must be first: libxl hands it back */
	char complaint[TEXT_SIZE];
};

struct hv {
	const struct config *config;
	struct xen_logger logger;
	libxl_ctx *ctx;
	struct xs_handle *xs; /* NULL until something needs xenstore, which may hang */
	bool xs_failed;	      /* xenstore did not answer; the handle is of no more use */
	bool watching;
	struct xen_followed *followed; /* by xen_store_follow_*() */
	size_t followed_count;
	uint8_t boot_id[UUID_SIZE];  /* of Dom0's kernel; zero until a pass of figures */
	struct xen_domains *domains; /* what passes of figures keep; NULL before the first */
	struct xen_devices *devices;
};

/* hv_xen.c */

/* Forgets what libxl complained of; before a call whose error is reported. */
void xen_complaint_clear(struct hv *hv);

/* Connects hv->ctx. 0, or libxl's error. */
int xen_open_libxl(struct hv *hv);

/* All domains, by hypercalls alone, to be freed by libxl_dominfo_list_free(); NULL, and error
 * (TEXT_SIZE octets): they are not known. A list without Domain-0 cannot be true. */
libxl_dominfo *xen_list(struct hv *hv, int *count, char *error);

/* Fills outcome: failed, with what (one sentence) and libxl's own words where it said something. */
void xen_fail(struct hv *hv, struct outcome *outcome, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The domain's state by a hypercall: 1, 0: no such domain, -1: not known. info is to be disposed
 * of by libxl_dominfo_dispose() in each case. */
int xen_info(struct hv *hv, uint32_t domid, libxl_dominfo *info);

/* The domain with this UUID, or with this name where the UUID is zero: 1 with its domid, 0: there
 * is none, -1: not known. */
int xen_find(struct hv *hv, const uint8_t uuid[UUID_SIZE], const char *name, uint32_t *domid);

/* Memory that a new domain can have. 0: not known. */
uint64_t xen_free_kib(struct hv *hv);

/* xen_store.c: all of these may block for as long as xenstored pleases. */

/* Connects, if that was not done. false: xenstore cannot be reached. */
bool xen_store_open(struct hv *hv);
void xen_store_close(struct hv *hv);

/* The value at a path of xenstore as text into to; false, and "": there is none. */
bool xen_store_text(struct hv *hv, char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for a number in decimal; 0: there is none, or it is none. */
uint64_t xen_store_number(struct hv *hv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * The same for what seldom changes and is asked for again and again: a watch tells when it is to be
 * read anew. Not for what a guest may write, as it could fill our memory with events.
 * xen_store_catch_up() comes first, each time: it asks xenstored something, so that the changes
 * before are known after, and a xenstored that hangs or is gone is noticed; and it ends the watches
 * of what was not asked for since its last call. True: domains came or went, or it is the first
 * call on this connection.
 */
bool xen_store_follow_text(struct hv *hv, char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
uint64_t xen_store_follow_number(struct hv *hv, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool xen_store_catch_up(struct hv *hv);

/*
 * xenstored fires @introduceDomain and @releaseDomain without saying which domain; a release comes
 * at a domain's shutdown and again when it is destroyed, and it may be listed a little longer. A
 * pause fires neither. False: they cannot be watched; errno.
 */
bool xen_store_watch_domains(struct hv *hv);

/* xen_figures.c, xen_devices.c, xen_monitor.c */

int xen_figures(struct hv *hv, const struct hv_sink *sink, char *error);
void xen_domains_free(struct xen_domains *domains);

/* Whether the last pass had this domain, which is not Domain-0. */
bool xen_domains_have(const struct xen_domains *domains, uint32_t domid);

/* Delivers the devices of those domains. 0, or -1 with error (TEXT_SIZE octets). */
int xen_devices_put(struct hv *hv, const struct hv_sink *sink, char *error);
void xen_devices_free(struct xen_devices *devices);

/* xen_qmp.c */

#define XEN_QMP_DIR "/var/run/xen"
#define XEN_QMP_MS 200 /* for all QEMUs together */

/* A disk as the QEMU that serves it counts, since that QEMU was started. */
struct xen_qmp_disk {
	char name[16]; /* in the guest: xvda */
	uint64_t reads, writes, read_octets, written_octets, errors;
};

/* What the QEMU of a domain said; no disks: nothing. */
struct xen_qmp {
	uint32_t domid;
	struct xen_qmp_disk *list;
	size_t count;
};

/* Asks the QEMUs of all these domains, whose sockets are in dir; late answers are left out. */
void xen_qmp_ask(const char *dir, struct xen_qmp *answers, size_t count);
const struct xen_qmp_disk *xen_qmp_disk(const struct xen_qmp *answer, const char *name);
void xen_qmp_dispose(struct xen_qmp *answers, size_t count);

/* One line of a QEMU: true where it answers our question; adds the disks that it tells of. */
bool xen_qmp_parse(const char *line, size_t length, struct xen_qmp *answer);

/* The xl monitors of this Dom0. */
struct xen_monitors {
	struct xen_monitor {
		uint32_t domid; /* 0: not known, the name is */
		char name[VM_NAME_SIZE];
	} * list;
	size_t count;
};

int xen_monitors_read(struct xen_monitors *monitors); /* 0, or -1: not known, and as it was */
bool xen_monitors_have(const struct xen_monitors *monitors, uint32_t domid, const char *name);
void xen_monitors_dispose(struct xen_monitors *monitors);

/* xen_act.c, xen_start.c */

void xen_act(struct hv *hv, const struct action *action, const struct config_vm *vm,
	     struct outcome *outcome);
void xen_mend(struct hv *hv, const struct action *action, const struct config_vm *vm,
	      struct outcome *outcome);

/* Destroys domid and waits until it is gone; false, and outcome filled: it is not. */
bool xen_destroy(struct hv *hv, uint32_t domid, struct outcome *outcome);

void xen_start(struct hv *hv, const struct action *action, const struct config_vm *vm,
	       struct outcome *outcome);
void xen_save(struct hv *hv, const struct action *action, const struct config_vm *vm,
	      struct outcome *outcome);
void xen_restore(struct hv *hv, const struct action *action, const struct config_vm *vm,
		 struct outcome *outcome);
/* False: a half-built domain could not be destroyed, or whether there is one is not known. */
bool xen_mend_new(struct hv *hv, const struct action *action, struct outcome *outcome);
void xen_mend_save(struct hv *hv, const struct action *action, struct outcome *outcome);

/* What is in save_dir of a VM: UUID and one of these. */
#define XEN_PATH_SIZE 512
#define XEN_STATE ".save"
#define XEN_CORE ".core"
void xen_path(struct hv *hv, const struct action *action, const char *suffix, char *path);

/* Whether save_dir has room for the domain's memory, and an empty file PATH.part that only root
 * reads; its end under PATH. False, and outcome filled: neither. -1 with errno. */
bool xen_file_begin(struct hv *hv, const struct action *action, const char *part,
		    struct outcome *outcome);
int xen_file_keep(struct hv *hv, const char *part, const char *path);

/* xen_dead.c */

void xen_dump(struct hv *hv, const struct action *action, const struct config_vm *vm,
	      struct outcome *outcome);
void xen_set_aside(struct hv *hv, const struct action *action, const struct config_vm *vm,
		   struct outcome *outcome);
void xen_mend_dump(struct hv *hv, const struct action *action);

void xen_sleep_ms(int ms);

/* xen_xl.c */

/*
 * Runs xl with these words (the first is "create", ...; ends with NULL) and waits for its end;
 * after limit_ms it is killed (0: the helper's deadline is the limit, as xl dies with the helper).
 * Returns its exit status (128 + the signal that ended it), or -1 where it could not be run; error
 * (TEXT_SIZE octets) is then, or where the status is not 0, the reason in xl's words.
 */
int xen_xl(const char *const *words, uint32_t limit_ms, char *error);

/* xen_parse.c */

/* Digits only, at most 15 of them, no more octets; false, and 0: something else. */
bool xen_parse_number(const char *text, uint64_t *number);

/* "1795342162.93", seconds since 1970, in milliseconds; 0: something else. */
int64_t xen_parse_time_ms(const char *text);

/* "00:16:3e:99:00:0b"; false, and zeros: something else. */
bool xen_parse_mac(const char *text, uint8_t mac[6]);

/* A device as sysfs names it, "vbd-2-51712": its kind (at most 15 octets), domid and number. */
struct xen_device_name {
	char kind[16];
	uint32_t domid, device;
};
bool xen_parse_device(const char *text, struct xen_device_name *name);

/* What is behind a disk, in its backend's params: "/dev/vg/web1", or "aio:/var/lib/web1.img", where
 * the format goes. Points into params. */
const char *xen_parse_params(const char *params);

/* Why xl failed: the line of its output that says so best, without file names, line numbers and
 * domids of libxl; "" where there is none. */
void xen_parse_complaint(const char *output, char *error);

/* The domid that xl's log (its end) says process pid waits for; 0: none. */
uint32_t xen_parse_waiting(const char *log, long pid);

/* The VM's name in the path of xl's log: ".../xl-web1.log", ".../xl-web1.log.2" once rotated,
 * ".../xl-web1.log (deleted)"; false: no such path. */
bool xen_parse_log_name(const char *path, char name[VM_NAME_SIZE]);

/* One line of /proc/net/dev; false: a heading, or no such line. */
struct xen_interface {
	char name[24];
	struct xen_traffic {
		uint64_t octets, packets, errors, drops;
	} received, sent; /* Dom0's view */
};
bool xen_parse_interface(const char *line, struct xen_interface *interface);

#endif
