/*
 * The configuration: lauxen.conf(5), read by libconfuse. One process checks the file and prints it
 * back; all others read that text, so that they all have the same. A file with any error changes
 * nothing.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/messages.h"

enum config_hypervisor { CONFIG_XEN, CONFIG_SIM };

/* How often a service is probed and when it counts as up or down. */
struct config_watch {
	uint32_t interval_ms, timeout_ms;
	uint32_t rise, fall; /* answers, or failures, in a row */
	uint32_t grace_ms;   /* from down to the repair */
};

/* What no answer over UDP means. As usual: down, but up where what is said asks for none. */
enum config_silence { SILENCE_AS_USUAL, SILENCE_DOWN, SILENCE_UP };

/* A service that a VM or an external host offers. */
struct config_service {
	char name[SERVICE_NAME_SIZE]; /* "80/tcp", "icmp" where none is given */
	int line;
	uint32_t kind;		     /* enum service_kind */
	uint16_t port;		     /* 0: has none */
	char address[ADDRESS_SIZE];  /* where it is probed: its own, else its provider's */
	char *command;		     /* of a plugin */
	uint32_t payload;	     /* over UDP: enum probe_payload */
	enum config_silence silence; /* as the section has it */
	bool silence_is_up;	     /* of UDP: no answer, and no word that there is none */
	struct config_watch watch;
	uint64_t given; /* the reader's: a bit for each key that the file has */
};

/* Who offers services: a VM of this file, or what an external section declares. */
struct config_provider {
	char name[VM_NAME_SIZE];
	int line;		    /* of its section in the file */
	char address[ADDRESS_SIZE]; /* "" where none is given */
	struct config_service *services;
	size_t services_count;
};

/* A host, or a VM of another Dom0. */
struct config_external {
	struct config_provider provider;
	struct config_watch watch; /* of its services */
	uint64_t given;
	char host[VM_NAME_SIZE]; /* the Dom0 that it is a VM of; "": it is no VM */
};

/* A need as it is written: PROVIDER or PROVIDER:SERVICE. */
struct config_need_text {
	char text[VM_NAME_SIZE + SERVICE_NAME_SIZE];
	int line;
};

/* One service that a VM needs; a need of all services of a provider is one for each. */
struct config_need {
	int line;
	bool external;	   /* provider counts externals; else VMs */
	uint32_t provider; /* position in config->vms or config->externals */
	uint32_t service;  /* position in its services */
};

/* What supervision does about a VM. */
struct config_policy {
	bool autostart;		   /* launched when the host has booted */
	uint32_t start_delay_ms;   /* after all that it needs is up */
	uint32_t start_timeout_ms; /* of waiting for that; 0: none */
	uint32_t on_start_timeout; /* enum start_policy */
	uint32_t boot_ms;	   /* allowance from its start until its services answer */
	uint32_t restart_limit;	   /* in restart_window_ms; 0: it is never restarted */
	uint32_t restart_window_ms;
	uint32_t restart_backoff_ms;  /* before the second restart in a row; doubles */
	uint32_t on_dependency;	      /* enum dependency_policy */
	uint32_t shutdown_ms;	      /* what the guest gets to shut down */
	bool shutdown_destroys;	      /* then it is destroyed; else the shutdown fails */
	uint32_t memory_high_percent; /* used inside the guest: more is given */
	uint32_t memory_low_percent;  /* some is taken */
	uint32_t memory_step_mib;
	uint32_t memory_interval_ms; /* between two changes */
};

struct config_vm {
	struct config_provider provider;
	char *file;		 /* the xl file, absolute */
	uint8_t uuid[UUID_SIZE]; /* of the configuration or the xl file; zero: neither says one */
	char group[32];		 /* "" where none is given */
	uint32_t memory_mib;	 /* to set after the start; 0: as the xl file says */
	uint32_t memory_min_mib, memory_max_mib; /* of automatic memory; both 0: there is none */
	struct config_need_text *needs_text;
	size_t needs_text_count;
	struct config_need *needs; /* in the order of the file, none twice */
	size_t needs_count;
	char standby_name[VM_NAME_SIZE]; /* "": none */
	int32_t standby;		 /* position of the VM that stands in for it; -1: none */
	int32_t standby_of;		 /* the reverse */
	struct config_watch watch;	 /* of its services */
	struct config_policy policy;
	uint64_t given; /* the reader's: a bit for each key that the file has */
};

struct config {
	char *file; /* absolute path that it was read from, or words in its place */

	/* agent */
	char name[VM_NAME_SIZE]; /* of this host: as configured, else the system's host name */
	char *state_dir;	 /* /var/lib/lauxen: the store */
	char *run_dir;		 /* /run/lauxen: records of actions */
	char *save_dir;		 /* states of saved VMs; only the hypervisor process writes there */
	char *agentx_socket;	 /* "unix:/var/agentx/master" or "tcp:127.0.0.1:705" */
	uint32_t journal_size;	 /* events kept */
	uint32_t notify_rate;	 /* notifications a second, at most */

	/* hypervisor */
	enum config_hypervisor hypervisor;
	char *sim_socket;
	uint32_t interval_ms; /* between two samples */
	uint32_t silence_ms;  /* a worker that is silent for longer is killed: unknown figures */
	uint32_t action_ms;   /* deadline of an action's helper */
	char **pools;	      /* storage paths of the host to watch */
	size_t pools_count;

	/* hypervisor, supervision: what a VM or a service does not say itself */
	struct config_watch watch;
	struct config_policy policy;
	int supervision_line; /* of that section; 0: there is none */

	struct config_vm *vms; /* in the order of the file */
	size_t vms_count;
	struct config_external *externals; /* likewise */
	size_t externals_count;
};

/*
 * Reads file. Every error is given to report (may be NULL) as "FILE:LINE: what, what to do", then
 * NULL is returned. The result is the caller's, to config_free().
 */
struct config *config_load(const char *file, void (*report)(void *arg, const char *error),
			   void *arg);

/*
 * Reads what config_print() wrote from fd, from its beginning and whatever its offset. Nothing but
 * that is looked at: no VM's file, no host name; that they were good is the checker's word. Errors
 * as above.
 */
struct config *config_load_checked(int fd, void (*report)(void *arg, const char *error), void *arg);
void config_free(struct config *config);

/*
 * Can a lauxend that runs go over from old to new? Not where a key differs that it looks at only as
 * it starts: each of those is reported as above.
 */
bool config_may_follow(const struct config *new, const struct config *old,
		       void (*report)(void *arg, const char *error), void *arg);

/*
 * The state-dir that file says, or its default, whatever else is wrong with the file; where it
 * cannot be read that is reported as above, and it is the default. To be freed.
 */
char *config_state_dir(const char *file, void (*report)(void *arg, const char *error), void *arg);

/* The file's absolute path; to be freed. */
char *config_path(const char *file);

/* Prints it back, with all defaults, absolute paths and the UUIDs that were found, in a form that
 * both loaders read to the same. */
void config_print(const struct config *config, FILE *to);

/* What is done about vm. NULL: a VM of no configuration, for which what all have holds. */
const struct config_policy *config_policy(const struct config *config, const struct config_vm *vm);

/* By name or by UUID (text); NULL: no such VM. */
const struct config_vm *config_find_vm(const struct config *config, const char *name_or_uuid);
const struct config_vm *config_find_uuid(const struct config *config,
					 const uint8_t uuid[UUID_SIZE]);

#endif
