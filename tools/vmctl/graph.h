/*
 * What depends on what, over all hosts: the VMs of all of them, and what their agents say that they
 * need. A provider that an agent declares external with a host is the VM of that name there; the
 * host is found by its name in vmctl.conf, or by the name that its agent has, where no other host
 * with that name has such a VM.
 */
#ifndef VMCTL_GRAPH_H
#define VMCTL_GRAPH_H

#include "tools/vmctl/vmctl.h"

struct node {
	char name[VM_NAME_SIZE];
	struct vmctl_host *host;  /* NULL: no VM of ours */
	char where[VM_NAME_SIZE]; /* of a VM that should be on a host: its name; else "" */
	uint32_t index;		  /* lxVmIndex */
	uint32_t position;	  /* of its row, for vmctl_row() */
	int32_t state;		  /* enum vm_state; of a VM */
	bool configured;
	uint8_t uuid[UUID_SIZE];
	size_t needs, needed_by; /* the first of its edges, or GRAPH_NONE */
	uint32_t wave;		 /* longest way to what needs nothing; from 1 */
	bool in_cycle, stale;
	bool marked; /* the caller's */
};

#define GRAPH_NONE SIZE_MAX

struct edge {
	size_t dependent, provider;	   /* nodes */
	size_t next_needs, next_needed_by; /* edges of the same dependent, of the same provider */
	char service[SERVICE_NAME_SIZE];
	int32_t state; /* enum dependency_state */
};

struct graph {
	struct node *nodes;
	size_t nodes_count;
	struct edge *edges;
	size_t edges_count;
};

/* What it is made of: to be fetched from all hosts before. */
extern const struct vmctl_want graph_wants[];
extern const size_t graph_wants_count;

void graph_build(const struct context *context, struct graph *graph);
void graph_free(struct graph *graph);
/* "www@dom0-a", "ntp". */
void node_text(const struct node *node, char *text, size_t size);
/* Says cycles, with their members in order; their number. */
size_t graph_say_cycles(const struct graph *graph, FILE *to);
/* Says VMs that are on several hosts; their number. */
size_t graph_say_twice(const struct graph *graph, FILE *to);

/* The numbers of all nodes that are VMs, by their names; to be freed. */
size_t *graph_by_name(const struct graph *graph, size_t *count);
/* The first place among these that is not before name; count: none. */
size_t graph_first_named(const struct graph *graph, const size_t *by_name, size_t count,
			 const char *name);

/* ---- draw.c ---- */

/* Only marked nodes, and the edges between them. */
void draw_dot(const struct graph *graph, FILE *to);
void draw_svg(const struct graph *graph, FILE *to);
void draw_json(const struct context *context, const struct graph *graph, FILE *to);

#endif
