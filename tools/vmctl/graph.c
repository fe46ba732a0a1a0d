#include "tools/vmctl/graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"

const struct vmctl_want graph_wants[] = {
    {KIND_VM,
     VM_BASIC | VMCTL_FIELD(mib_vm, configured) | VMCTL_FIELD(mib_vm, memory_mib) |
	 VMCTL_FIELD(mib_vm, memory_max_mib),
     NULL},
    {KIND_HOST, VMCTL_FIELD(mib_host, name), NULL},
    {KIND_SERVICE,
     VMCTL_FIELD(mib_service, provider) | VMCTL_FIELD(mib_service, name) |
	 VMCTL_FIELD(mib_service, vm) | VMCTL_FIELD(mib_service, host) |
	 VMCTL_FIELD(mib_service, state),
     NULL},
    {KIND_DEPENDENCY, 0, NULL},
};
const size_t graph_wants_count = sizeof(graph_wants) / sizeof(graph_wants[0]);

/* ---- nodes ---- */

static size_t
node_add(struct graph *graph, const struct node *node)
{
	if ((graph->nodes_count & (graph->nodes_count - 1)) == 0)
		graph->nodes =
		    mem_resize(graph->nodes, graph->nodes_count * 2 + 1, sizeof(*graph->nodes));
	graph->nodes[graph->nodes_count] = *node;
	graph->nodes[graph->nodes_count].needs = GRAPH_NONE;
	graph->nodes[graph->nodes_count].needed_by = GRAPH_NONE;
	return graph->nodes_count++;
}

/* VMs come first, host by host, each host's by their index: so they are found by halves. */
struct span {
	const struct vmctl_host *host;
	size_t first, count;
};

struct builder {
	const struct context *context;
	struct graph *graph;
	struct span *spans; /* by the number of the host */
	size_t vms;	    /* nodes that are VMs */
};

static size_t
span_find(const struct graph *graph, const struct span *span, uint32_t index)
{
	size_t low = span->first, high = span->first + span->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (graph->nodes[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low < span->first + span->count && graph->nodes[low].index == index ? low
										   : GRAPH_NONE;
}

static void
add_vms(struct builder *builder, size_t number)
{
	struct vmctl_host *host = builder->context->hosts[number];
	struct span *span = &builder->spans[number];
	struct node node = {.host = host, .stale = vmctl_rows_stale(host, KIND_VM)};

	struct mib_vm vm;

	*span = (struct span){host, builder->graph->nodes_count, 0};
	for (; vmctl_row(host, KIND_VM, span->count, &vm); span->count++) {
		memcpy(node.name, vm.name, sizeof(node.name));
		memcpy(node.uuid, vm.uuid, sizeof(node.uuid));
		node.index = vm.index;
		node.position = (uint32_t)span->count;
		node.state = vm.state;
		node.configured = vm.configured;
		node_add(builder->graph, &node);
	}
}

static size_t
span_named(const struct graph *graph, const struct span *span, const char *name)
{
	for (size_t i = span->first; i < span->first + span->count; i++)
		if (strcmp(graph->nodes[i].name, name) == 0)
			return i;
	return GRAPH_NONE;
}

/* The VM of a name on the host of a name: its name in vmctl.conf, else the one that its agent has.
 * Where two hosts have the same one, and that VM, neither is guessed. */
static size_t
vm_named(const struct builder *builder, const char *where, const char *name)
{
	const struct context *context = builder->context;
	size_t found = GRAPH_NONE;
	char own[VM_NAME_SIZE];

	for (size_t i = 0; i < context->hosts_count; i++)
		if (strcmp(vmctl_host_name(context->hosts[i]), where) == 0)
			return span_named(builder->graph, &builder->spans[i], name);
	for (size_t i = 0; i < context->hosts_count; i++) {
		size_t at;

		host_own_name(context->hosts[i], own);
		at = strcmp(own, where) == 0 ? span_named(builder->graph, &builder->spans[i], name)
					     : GRAPH_NONE;
		if (at != GRAPH_NONE && found != GRAPH_NONE)
			return GRAPH_NONE;
		if (at != GRAPH_NONE)
			found = at;
	}
	return found;
}

/* A provider that is no VM of ours, or one that its host does not have. */
static size_t
external(struct builder *builder, const char *name, const char *where)
{
	struct graph *graph = builder->graph;
	struct node node = {.host = NULL};

	for (size_t i = builder->vms; i < graph->nodes_count; i++)
		if (strcmp(graph->nodes[i].name, name) == 0 &&
		    strcmp(graph->nodes[i].where, where) == 0)
			return i;
	TEXT_SET(node.name, name);
	TEXT_SET(node.where, where);
	return node_add(graph, &node);
}

static size_t
provider_of(struct builder *builder, size_t number, const struct mib_service *service)
{
	struct graph *graph = builder->graph;
	size_t at;

	if (service->vm != 0) {
		at = span_find(graph, &builder->spans[number], service->vm);
		return at != GRAPH_NONE ? at : external(builder, service->provider, "");
	}
	if (!*service->host)
		return external(builder, service->provider, "");
	at = vm_named(builder, service->host, service->provider);
	return at != GRAPH_NONE ? at : external(builder, service->provider, service->host);
}

/* ---- edges ---- */

static void
edge_add(struct graph *graph, size_t dependent, size_t provider, const char *service, int32_t state)
{
	struct edge *edge;

	if ((graph->edges_count & (graph->edges_count - 1)) == 0)
		graph->edges =
		    mem_resize(graph->edges, graph->edges_count * 2 + 1, sizeof(*graph->edges));
	edge = &graph->edges[graph->edges_count];
	*edge = (struct edge){.dependent = dependent,
			      .provider = provider,
			      .next_needs = graph->nodes[dependent].needs,
			      .next_needed_by = graph->nodes[provider].needed_by,
			      .state = state};
	TEXT_SET(edge->service, service);
	graph->nodes[dependent].needs = graph->nodes[provider].needed_by = graph->edges_count++;
}

static bool
service_find(const struct vmctl_host *host, uint32_t index, struct mib_service *service)
{
	size_t low = 0, high = vmctl_rows_count(host, KIND_SERVICE);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		vmctl_row(host, KIND_SERVICE, middle, service);
		if (service->index == index)
			return true;
		if (service->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void
add_edges(struct builder *builder, size_t number)
{
	struct vmctl_host *host = builder->context->hosts[number];
	struct mib_dependency dependency;

	for (size_t i = 0; vmctl_row(host, KIND_DEPENDENCY, i, &dependency); i++) {
		size_t dependent =
		    span_find(builder->graph, &builder->spans[number], dependency.vm);
		struct mib_service service = {.vm = 0};
		size_t provider;

		if (dependent == GRAPH_NONE)
			continue;
		if (!service_find(host, dependency.service, &service))
			memcpy(service.provider, dependency.provider, sizeof(service.provider));
		provider = provider_of(builder, number, &service);
		edge_add(builder->graph, dependent, provider, dependency.service_name,
			 dependency.state);
	}
}

/* ---- waves and cycles ---- */

/* Nodes in an order in which providers come first, by taking away those that wait for nobody; what
 * is left is in a cycle, or depends on one. */
static void
graph_order(struct graph *graph)
{
	size_t *waits = mem_array(graph->nodes_count, sizeof(*waits));
	size_t *queue = mem_array(graph->nodes_count, sizeof(*queue));
	size_t count = 0;

	for (size_t i = 0; i < graph->edges_count; i++)
		waits[graph->edges[i].dependent]++;
	for (size_t i = 0; i < graph->nodes_count; i++) {
		graph->nodes[i].wave = 1;
		if (waits[i] == 0)
			queue[count++] = i;
	}
	for (size_t i = 0; i < count; i++)
		for (size_t e = graph->nodes[queue[i]].needed_by; e != GRAPH_NONE;
		     e = graph->edges[e].next_needed_by) {
			size_t dependent = graph->edges[e].dependent;

			if (graph->nodes[dependent].wave <= graph->nodes[queue[i]].wave)
				graph->nodes[dependent].wave = graph->nodes[queue[i]].wave + 1;
			if (--waits[dependent] == 0)
				queue[count++] = dependent;
		}
	for (size_t i = 0; i < graph->nodes_count; i++)
		graph->nodes[i].in_cycle = waits[i] > 0;
	free(waits);
	free(queue);
}

void
graph_build(const struct context *context, struct graph *graph)
{
	struct builder builder = {.context = context, .graph = graph};

	*graph = (struct graph){0};
	builder.spans = mem_array(context->hosts_count, sizeof(*builder.spans));
	for (size_t i = 0; i < context->hosts_count; i++)
		add_vms(&builder, i);
	builder.vms = graph->nodes_count;
	for (size_t i = 0; i < context->hosts_count; i++)
		add_edges(&builder, i);
	graph_order(graph);
	free(builder.spans);
}

void
graph_free(struct graph *graph)
{
	free(graph->nodes);
	free(graph->edges);
	*graph = (struct graph){0};
}

void
node_text(const struct node *node, char *text, size_t size)
{
	if (node->host)
		snprintf(text, size, "%s@%s", node->name, vmctl_host_name(node->host));
	else
		snprintf(text, size, "%s%s%s", node->name, *node->where ? "@" : "", node->where);
}

/* The way along what is needed, within what is in a cycle or behind one: it ends in a circle. */
static size_t
cycle_next(const struct graph *graph, size_t at)
{
	for (size_t e = graph->nodes[at].needs; e != GRAPH_NONE; e = graph->edges[e].next_needs)
		if (graph->nodes[graph->edges[e].provider].in_cycle)
			return graph->edges[e].provider;
	return GRAPH_NONE;
}

/* A member of the circle that the way from a node ends in; GRAPH_NONE: that was said. */
static size_t
cycle_member(const struct graph *graph, size_t at, const bool *said)
{
	bool *seen = mem_array(graph->nodes_count, sizeof(*seen));

	for (; at != GRAPH_NONE && !seen[at] && !said[at]; at = cycle_next(graph, at))
		seen[at] = true;
	free(seen);
	return at != GRAPH_NONE && said[at] ? GRAPH_NONE : at;
}

static void
cycle_say(const struct graph *graph, size_t first, bool *said, FILE *to)
{
	char text[2 * VM_NAME_SIZE];
	size_t at = first;

	fprintf(to, "vmctl: these need each other, in a circle:");
	do {
		said[at] = true;
		node_text(&graph->nodes[at], text, sizeof(text));
		fprintf(to, " %s ->", text);
		at = cycle_next(graph, at);
	} while (at != first);
	node_text(&graph->nodes[at], text, sizeof(text));
	fprintf(to, " %s; take one of these needs out of a host's lauxen.conf\n", text);
}

size_t
graph_say_cycles(const struct graph *graph, FILE *to)
{
	bool *said = mem_array(graph->nodes_count, sizeof(*said));
	size_t cycles = 0;

	for (size_t i = 0; i < graph->nodes_count; i++) {
		size_t member;

		if (!graph->nodes[i].in_cycle || said[i])
			continue;
		member = cycle_member(graph, i, said);
		if (member == GRAPH_NONE) {
			said[i] = true;
			continue;
		}
		cycle_say(graph, member, said, to);
		cycles++;
	}
	free(said);
	return cycles;
}

/* ---- VMs on several hosts ---- */

static const struct graph *sorting; /* qsort() hands nothing of ours on */

static int
name_compare(const void *a, const void *b)
{
	return strcmp(sorting->nodes[*(const size_t *)a].name,
		      sorting->nodes[*(const size_t *)b].name);
}

static int
uuid_compare(const void *a, const void *b)
{
	return memcmp(sorting->nodes[*(const size_t *)a].uuid,
		      sorting->nodes[*(const size_t *)b].uuid, UUID_SIZE);
}

/* The numbers of all nodes that are VMs. */
static size_t *
vms_of(const struct graph *graph, size_t *count)
{
	size_t *order = mem_array(graph->nodes_count, sizeof(*order));

	for (*count = 0; *count < graph->nodes_count && graph->nodes[*count].host; ++*count)
		order[*count] = *count;
	return order;
}

size_t *
graph_by_name(const struct graph *graph, size_t *count)
{
	size_t *order = vms_of(graph, count);

	sorting = graph;
	if (*count > 0)
		qsort(order, *count, sizeof(*order), name_compare);
	return order;
}

size_t
graph_first_named(const struct graph *graph, const size_t *by_name, size_t count, const char *name)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(graph->nodes[by_name[middle]].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static size_t
say_equal(const struct graph *graph, size_t *order, size_t count,
	  int (*compare)(const void *, const void *), const char *what, FILE *to)
{
	size_t twice = 0;

	sorting = graph;
	if (count > 0)
		qsort(order, count, sizeof(*order), compare);
	for (size_t i = 1; i < count; i++) {
		const struct node *one = &graph->nodes[order[i - 1]],
				  *other = &graph->nodes[order[i]];

		if (compare(&order[i - 1], &order[i]) != 0 || one->host == other->host)
			continue;
		if (compare == uuid_compare &&
		    (uuid_is_zero(one->uuid) || strcmp(one->name, other->name) == 0))
			continue;
		fprintf(to, "vmctl: %s: %s is on %s (%s), and %s on %s (%s)\n", what, one->name,
			vmctl_host_name(one->host), name_of(vm_state_names, one->state),
			other->name, vmctl_host_name(other->host),
			name_of(vm_state_names, other->state));
		twice++;
	}
	return twice;
}

size_t
graph_say_twice(const struct graph *graph, FILE *to)
{
	size_t count, *order = vms_of(graph, &count), twice;

	twice = say_equal(graph, order, count, name_compare, "a name on two hosts", to);
	twice += say_equal(graph, order, count, uuid_compare, "a UUID on two hosts", to);
	free(order);
	return twice;
}
