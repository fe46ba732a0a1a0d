/* The order of acts, over all hosts: that of what their VMs need. */
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/act.h"
#include "tools/vmctl/graph.h"

static const struct vm_list *sorting; /* qsort() hands nothing of ours on */

static int
place_compare(const struct vmctl_host *host, uint32_t position, const struct vm_ref *ref)
{
	if (host != ref->host)
		return (uintptr_t)host > (uintptr_t)ref->host ? 1 : -1;
	return (position > ref->position) - (position < ref->position);
}

static int
act_compare(const void *a, const void *b)
{
	const struct vm_ref *left = &sorting->list[*(const size_t *)a];

	return place_compare(left->host, left->position, &sorting->list[*(const size_t *)b]);
}

static int
node_compare(const void *key, const void *act)
{
	const struct node *node = key;

	return place_compare(node->host, node->position, &sorting->list[*(const size_t *)act]);
}

/* The act of each node, or GRAPH_NONE; acts are of the list of VMs, in its order. */
static size_t *
acts_of_nodes(const struct acts *acts, const struct graph *graph)
{
	size_t *act_of = mem_array(graph->nodes_count, sizeof(*act_of));
	size_t *order = mem_array(acts->count, sizeof(*order));

	sorting = &acts->vms;
	for (size_t i = 0; i < acts->count; i++)
		order[i] = i;
	if (acts->count > 0)
		qsort(order, acts->count, sizeof(*order), act_compare);
	for (size_t i = 0; i < graph->nodes_count; i++) {
		const size_t *found = graph->nodes[i].host && acts->count > 0
					  ? bsearch(&graph->nodes[i], order, acts->count,
						    sizeof(*order), node_compare)
					  : NULL;

		act_of[i] = found ? *found : GRAPH_NONE;
	}
	free(order);
	return act_of;
}

static void
say_unreached(const struct graph *graph, const struct edge *edge)
{
	char dependent[2 * VM_NAME_SIZE], provider[2 * VM_NAME_SIZE];

	node_text(&graph->nodes[edge->dependent], dependent, sizeof(dependent));
	node_text(&graph->nodes[edge->provider], provider, sizeof(provider));
	fprintf(stderr, "vmctl: %s needs %s of %s, whose host does not answer\n", dependent,
		edge->service, provider);
}

/* Where a VM of the same name is up, as far as is known, or is to be launched: another host than
 * that of the node. NULL: nowhere. */
static const struct vmctl_host *
other_host(const struct graph *graph, const size_t *by_name, size_t count, const size_t *act_of,
	   const struct node *node)
{
	const uint32_t off = IN(VM_SHUTDOWN) | IN(VM_CRASHED) | IN(VM_SUSPENDED);

	for (size_t i = graph_first_named(graph, by_name, count, node->name); i < count; i++) {
		const struct node *other = &graph->nodes[by_name[i]];
		bool is_off = other->state >= 0 && other->state < 32 && (off >> other->state & 1);

		if (strcmp(other->name, node->name) != 0)
			break;
		if (other->host != node->host && (!is_off || act_of[by_name[i]] != GRAPH_NONE))
			return other->host;
	}
	return NULL;
}

static void
add_provider(struct acts *acts, const struct node *node, const struct vmctl_host *other)
{
	struct act *act = acts_add(acts, node->host, node->name, VERB_LAUNCH, 0);

	act->needed = true;
	if (other)
		act_end_twice(acts, act, other);
}

/* What the targets need and what does not run is launched as well, from host to host. */
static void
add_needed(struct acts *acts, const struct graph *graph, size_t *act_of)
{
	size_t *queue = mem_array(graph->nodes_count, sizeof(*queue)), count = 0;
	size_t vms, *by_name = graph_by_name(graph, &vms);

	for (size_t i = 0; i < graph->nodes_count; i++)
		if (act_of[i] != GRAPH_NONE)
			queue[count++] = i;
	for (size_t i = 0; i < count; i++)
		for (size_t e = graph->nodes[queue[i]].needs; e != GRAPH_NONE;
		     e = graph->edges[e].next_needs) {
			size_t provider = graph->edges[e].provider;
			const struct node *node = &graph->nodes[provider];
			const struct vmctl_host *other;

			if (!node->host || act_of[provider] != GRAPH_NONE)
				continue;
			if (!host_answers(node->host)) {
				say_unreached(graph, &graph->edges[e]);
			} else if (node->state != VM_RUNNING) {
				other = other_host(graph, by_name, vms, act_of, node);
				act_of[provider] = acts->count;
				add_provider(acts, node, other);
				if (!other) /* else nothing is launched for it */
					queue[count++] = provider;
			}
		}
	free(by_name);
	free(queue);
}

static void
acts_connect(struct acts *acts, const struct graph *graph, const size_t *act_of, enum order order)
{
	for (size_t i = 0; i < graph->edges_count; i++) {
		size_t dependent = act_of[graph->edges[i].dependent];
		size_t provider = act_of[graph->edges[i].provider];

		if (dependent == GRAPH_NONE || provider == GRAPH_NONE || dependent == provider)
			continue;
		if (order == ORDER_PROVIDERS_FIRST)
			acts_order(acts, provider, dependent);
		else
			acts_order(acts, dependent, provider);
	}
}

/* VMs that run on and need one that is to be shut down: they will be paused until it is back. */
static void
say_dependents(const struct graph *graph, const size_t *act_of)
{
	for (size_t i = 0; i < graph->edges_count; i++) {
		const struct edge *edge = &graph->edges[i];
		char dependent[2 * VM_NAME_SIZE], provider[2 * VM_NAME_SIZE];

		if (act_of[edge->provider] == GRAPH_NONE || act_of[edge->dependent] != GRAPH_NONE ||
		    graph->nodes[edge->dependent].state != VM_RUNNING)
			continue;
		node_text(&graph->nodes[edge->dependent], dependent, sizeof(dependent));
		node_text(&graph->nodes[edge->provider], provider, sizeof(provider));
		fprintf(stderr, "vmctl: %s runs, and needs %s of %s\n", dependent, edge->service,
			provider);
	}
}

bool
acts_sort(struct acts *acts, enum order order)
{
	struct graph graph;
	size_t *act_of;
	bool circle;

	graph_build(acts->context, &graph);
	act_of = acts_of_nodes(acts, &graph);
	if (order == ORDER_PROVIDERS_FIRST)
		add_needed(acts, &graph, act_of);
	acts_connect(acts, &graph, act_of, order);
	circle = !acts_waves(acts);
	if (circle)
		graph_say_cycles(&graph, stderr);
	if (order == ORDER_DEPENDENTS_FIRST && !circle)
		say_dependents(&graph, act_of);
	graph_say_twice(&graph, stderr);
	free(act_of);
	graph_free(&graph);
	return !circle;
}
