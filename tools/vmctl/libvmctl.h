/*
 * libvmctl: many Xen hosts, each with lauxend behind a snmpd, as one. For management programs;
 * vmctl(1) is made of it. tools/vmctl/example.c is a whole program; `pkg-config --cflags --libs
 * libvmctl` has what it is built with.
 *
 *   hosts     from vmctl.conf(5), or one by one; each with a profile of credentials
 *   fetch     rows of the MIB's tables from a host, as the structs of mib/objects.h
 *   request   something to be done to a VM, and what became of it
 *
 * Everything is asynchronous, on a libevent loop, and made for one thread. No call blocks but
 * vmctl_run(). Each host has its own session, with its timeout and retries, so one that does not
 * answer delays no other. Names of hosts are resolved without blocking, SNMPv3 engines discovered
 * likewise, and keys are derived once for each profile.
 *
 * The last rows of a host stay: in memory, and on disk where there is a cache directory. A host
 * that does not answer has these; vmctl_rows_age_ms() tells how old they are.
 *
 * Memory that cannot be had ends the process. Texts of errors say what, where, and what to do.
 */
#ifndef LIBVMCTL_H
#define LIBVMCTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mib/objects.h"

#define VMCTL_API __attribute__((visibility("default")))

#define VMCTL_ROW_MAX 2016   /* octets of the largest row of any kind */
#define VMCTL_ERROR_SIZE 256 /* of an error's text */
#define VMCTL_NAME_SIZE 64   /* of a host, a group, a profile; with the NUL */

struct event_base;
struct vmctl;
struct vmctl_host;

/* Takes the lines of what is wrong, each with its file and line where it has one. */
typedef void vmctl_report(void *arg, const char *error);

/* ---- the whole ---- */

/* base: the caller's loop, or NULL for one of its own (vmctl_base()). */
VMCTL_API struct vmctl *vmctl_new(struct event_base *base);
VMCTL_API void vmctl_free(struct vmctl *vmctl);
VMCTL_API struct event_base *vmctl_base(const struct vmctl *vmctl);

/*
 * Reads a vmctl.conf(5): hosts, groups, profiles, cache directory. file NULL:
 * /etc/lauxen/vmctl.conf where it is there. The profile "default", where the file has none, is what
 * the snmp.conf files of net-snmp say (defVersion, defCommunity, defSecurityName, ...; see
 * snmp.conf(5)), and it is read when the first host needs it. A file with secrets that others may
 * read is refused. False: errors were reported, and nothing was taken from the file.
 */
VMCTL_API bool vmctl_load(struct vmctl *vmctl, const char *file, vmctl_report *report, void *arg);

/* For hosts that have no own: each try's timeout, further tries (1000 ms, 2); 0 and -1: unchanged.
 */
VMCTL_API void vmctl_set_timeout(struct vmctl *vmctl, int timeout_ms, int retries);
/* Where last rows are kept ("" or NULL: nowhere); made where it is missing. */
VMCTL_API void vmctl_set_cache(struct vmctl *vmctl, const char *directory);

/* Runs the loop until nothing that was asked for is open, or until deadline_ms (clock_mono_ms(), 0:
 * none) has passed, or vmctl_stop(). False: something is still open. */
VMCTL_API bool vmctl_run(struct vmctl *vmctl, int64_t deadline_ms);
VMCTL_API void vmctl_stop(struct vmctl *vmctl);

/* Milliseconds on the clock of MIB_UPTIME and MIB_AGE fields, and since 1970. */
VMCTL_API int64_t vmctl_mono_ms(void);
VMCTL_API int64_t vmctl_wall_ms(void);

/* ---- hosts ---- */

enum vmctl_status {
	VMCTL_UNASKED, /* nobody asked it anything yet */
	VMCTL_ASKING,  /* on its way; nothing came yet */
	VMCTL_ANSWERS, /* its last answer was in time */
	VMCTL_SILENT,  /* no answer to any try */
	VMCTL_REFUSED, /* it answers, and refuses our credentials */
	VMCTL_FAILED,  /* no address for its name, no way there, answers of no use, or no lauxend */
};
VMCTL_API extern const struct name vmctl_status_names[];

/*
 * Adds a host. address: a name or numeric address, with ":PORT" where it is not 161 (IPv6 with a
 * port: "[ADDRESS]:PORT"). profile NULL: "default". NULL: error says why.
 */
VMCTL_API struct vmctl_host *vmctl_host_add(struct vmctl *vmctl, const char *name,
					    const char *address, const char *profile,
					    char error[VMCTL_ERROR_SIZE]);
/* What was asked of it is dropped, its callbacks are not called. */
VMCTL_API void vmctl_host_remove(struct vmctl_host *host);

/* In the order in which they were added. */
VMCTL_API size_t vmctl_hosts_count(const struct vmctl *vmctl);
VMCTL_API struct vmctl_host *vmctl_host_at(const struct vmctl *vmctl, size_t position);
/* The one after it; NULL: it is the last. vmctl_host_at() of a large fleet is slow. */
VMCTL_API struct vmctl_host *vmctl_host_next(const struct vmctl_host *host);
VMCTL_API struct vmctl_host *vmctl_host_find(const struct vmctl *vmctl, const char *name);

VMCTL_API const char *vmctl_host_name(const struct vmctl_host *host);
VMCTL_API const char *vmctl_host_address(const struct vmctl_host *host);
VMCTL_API const char *vmctl_host_profile(const struct vmctl_host *host);
/* Groups of hosts, of vmctl.conf; position from 0; NULL: there are no more. */
VMCTL_API const char *vmctl_host_group(const struct vmctl_host *host, size_t position);
VMCTL_API enum vmctl_status vmctl_host_status(const struct vmctl_host *host);
/* Why it does not answer; "" where it does. */
VMCTL_API const char *vmctl_host_error(const struct vmctl_host *host);
/* A place for the caller's own pointer. */
VMCTL_API void *vmctl_host_data(const struct vmctl_host *host);
VMCTL_API void vmctl_host_set_data(struct vmctl_host *host, void *data);

/* Profiles of the configuration, position from 0; NULL: there are no more. */
VMCTL_API const char *vmctl_profile_at(const struct vmctl *vmctl, size_t position);

/* ---- rows ---- */

/*
 * What is wanted of a host: rows of a kind, with the fields whose bits (mib_vm_BIT_name ...) are
 * set; 0: all that the kind's tables have. Few fields are faster: a row is asked for in one PDU, as
 * many rows to a PDU as snmpd answers (100 values). after: only rows behind this one (its key
 * fields count; it must live until done is called); NULL: all.
 */
struct vmctl_want {
	enum mib_kind kind;
	uint64_t fields;
	const void *after;
};
#define VMCTL_FIELD(s, field) (UINT64_C(1) << s##_BIT_##field)

/* The host answered, or vmctl_host_status() says why not. */
typedef void vmctl_fetched(void *arg, struct vmctl_host *host);

/*
 * Fetches rows from a host; done is called once, never from within this call. When the host has
 * answered they replace its rows of these kinds; else the rows that were there stay, or those of
 * the cache come. A host whose snmpd answers without lauxend has not answered. All wants of a call
 * go out at once. At most `window` hosts (vmctl.conf) are asked at the same time; others wait for
 * their turn.
 */
VMCTL_API void vmctl_fetch(struct vmctl_host *host, const struct vmctl_want *wants, size_t count,
			   vmctl_fetched *done, void *arg);

/* The rows of a host, ascending by their key; they stay until the next fetch of their kind. */
VMCTL_API size_t vmctl_rows_count(const struct vmctl_host *host, enum mib_kind kind);
/* Copies a row out; row is the struct of the kind (VMCTL_ROW_MAX octets fit any). False: no such.
 */
VMCTL_API bool vmctl_row(const struct vmctl_host *host, enum mib_kind kind, size_t position,
			 void *row);
/* Milliseconds since these rows were true; -1: there never were any. */
VMCTL_API int64_t vmctl_rows_age_ms(const struct vmctl_host *host, enum mib_kind kind);
/* The host was asked and did not answer: these are the last known rows. */
VMCTL_API bool vmctl_rows_stale(const struct vmctl_host *host, enum mib_kind kind);
/* Takes the host's rows of a kind from the cache, without asking the host: for completion. False:
 * there are none. */
VMCTL_API bool vmctl_rows_recall(struct vmctl_host *host, enum mib_kind kind);
/* Writes what hosts answered to the cache; rows that are there and younger than max_age_ms stay. */
VMCTL_API void vmctl_cache_write(struct vmctl *vmctl, int64_t max_age_ms);

/* ---- requests ---- */

struct vmctl_request {
	char id[REQUEST_ID_SIZE]; /* vmctl_request_id(); the same id again is the same request */
	char vm[VM_NAME_SIZE];	  /* name or UUID; for some verbs "*" or "group:NAME" */
	enum verb verb;
	uint32_t number; /* of verbs that have one; else 0 */
};

struct vmctl_outcome {
	enum request_state state; /* REQUEST_HELD: not accepted; error says why */
	bool over;		  /* it will not change any more, or cannot be asked any more */
	bool unknown; /* no answer: whether it was accepted, or how it ended, is not known */
	char error[VMCTL_ERROR_SIZE];
};

typedef void vmctl_outcome_fn(void *arg, struct vmctl_host *host,
			      const struct vmctl_request *request,
			      const struct vmctl_outcome *outcome);

/* An id that nobody else has. */
VMCTL_API void vmctl_request_id(char id[REQUEST_ID_SIZE]);

/*
 * Asks a host's agent to do something, with the write-profile of the host's profile. Safe to
 * repeat: under the same id it is done once. With wait, changed is called whenever its state is
 * another and at last with over; without, once, when it was accepted or not. Never from within this
 * call.
 */
VMCTL_API void vmctl_request(struct vmctl_host *host, const struct vmctl_request *request,
			     bool wait, vmctl_outcome_fn *changed, void *arg);
/* Takes back a request that has not begun; changed is called once. */
VMCTL_API void vmctl_cancel(struct vmctl_host *host, const char *id, vmctl_outcome_fn *changed,
			    void *arg);

#endif
