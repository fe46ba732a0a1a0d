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

struct config_vm {
	char name[VM_NAME_SIZE];
	int line;		 /* of its section in the file */
	char *file;		 /* the xl file, absolute */
	uint8_t uuid[UUID_SIZE]; /* of the configuration or the xl file; zero: neither says one */
	char address[48];	 /* "" where none is given */
	char group[32];		 /* "" likewise */
	uint32_t memory_mib;	 /* to set after the start; 0: as the xl file says */
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
	uint32_t interval_ms;	/* between two samples */
	uint32_t silence_ms;	/* a worker that is silent for longer is killed: unknown figures */
	uint32_t action_ms;	/* deadline of an action's helper */
	uint32_t shutdown_ms;	/* what a guest gets to shut down */
	bool shutdown_destroys; /* then it is destroyed; else the request fails */
	char **pools;		/* storage paths of the host to watch */
	size_t pools_count;

	struct config_vm *vms; /* in the order of the file */
	size_t vms_count;
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

/* The file's absolute path; to be freed. */
char *config_path(const char *file);

/* Prints it back, with all defaults, absolute paths and the UUIDs that were found, in a form that
 * both loaders read to the same. */
void config_print(const struct config *config, FILE *to);

/* By name or by UUID (text); NULL: no such VM. */
const struct config_vm *config_find_vm(const struct config *config, const char *name_or_uuid);
const struct config_vm *config_find_uuid(const struct config *config,
					 const uint8_t uuid[UUID_SIZE]);

#endif
