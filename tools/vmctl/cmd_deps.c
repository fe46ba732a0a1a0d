/* deps: what needs what, as a tree, or drawn. */
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/graph.h"

#define DEPTH_MAX 64

struct tree {
	const struct context *context;
	struct graph *graph;
	bool reverse;
	bool *shown;		/* nodes whose branches were printed: once is enough */
	size_t path[DEPTH_MAX]; /* to tell a circle from a tree */
};

static void
tree_line(const struct tree *tree, size_t at, size_t depth, const struct edge *edge)
{
	const struct node *node = &tree->graph->nodes[at];
	const char *state = node->host	   ? name_of(vm_state_names, node->state)
			    : *node->where ? "not found there"
					   : "external";
	enum tint tint = edge && edge->state == DEPENDENCY_FAILED  ? TINT_BAD
			 : node->host && node->state != VM_RUNNING ? TINT_BUSY
								   : TINT_NONE;
	char text[2 * VM_NAME_SIZE];

	node_text(node, text, sizeof(text));
	printf("%*s%s%s%s%s%s  %s%s%s\n", (int)depth * 4, "", tint_on(tree->context, tint),
	       edge && !tree->reverse ? edge->service : "", edge && !tree->reverse ? " of " : "",
	       text, tint_off(tree->context, tint), state,
	       edge && edge->state == DEPENDENCY_FAILED ? ", service down" : "",
	       node->stale ? ", last known" : "");
}

static void
tree_print(struct tree *tree, size_t at, size_t depth, const struct edge *edge)
{
	const struct node *node = &tree->graph->nodes[at];

	tree_line(tree, at, depth, edge);
	for (size_t i = 0; i < depth; i++)
		if (tree->path[i] == at || depth == DEPTH_MAX - 1) {
			printf("%*s(and so on, in a circle)\n", (int)depth * 4 + 4, "");
			return;
		}
	if (tree->shown[at] && (tree->reverse ? node->needed_by : node->needs) != GRAPH_NONE) {
		printf("%*s(as above)\n", (int)depth * 4 + 4, "");
		return;
	}
	tree->shown[at] = true;
	tree->path[depth] = at;
	for (size_t e = tree->reverse ? node->needed_by : node->needs; e != GRAPH_NONE;
	     e = tree->reverse ? tree->graph->edges[e].next_needed_by
			       : tree->graph->edges[e].next_needs) {
		const struct edge *next = &tree->graph->edges[e];

		tree_print(tree, tree->reverse ? next->dependent : next->provider, depth + 1, next);
	}
}

/* All that these nodes need, or that needs them. */
static void
mark_all(struct graph *graph, const size_t *roots, size_t roots_count, bool reverse)
{
	size_t *queue = mem_array(graph->nodes_count, sizeof(*queue)), count = 0;

	for (size_t i = 0; i < roots_count; i++) {
		graph->nodes[roots[i]].marked = true;
		queue[count++] = roots[i];
	}
	for (size_t i = 0; i < count; i++) {
		const struct node *node = &graph->nodes[queue[i]];

		for (size_t e = reverse ? node->needed_by : node->needs; e != GRAPH_NONE;
		     e = reverse ? graph->edges[e].next_needed_by : graph->edges[e].next_needs) {
			size_t next =
			    reverse ? graph->edges[e].dependent : graph->edges[e].provider;

			if (!graph->nodes[next].marked)
				queue[count++] = next;
			graph->nodes[next].marked = true;
		}
	}
	free(queue);
}

/* Without words, what has to do with any other; an external one that is named is meant as well. */
static size_t
roots_find(const struct context *context, struct targets *targets, const struct graph *graph,
	   size_t *roots)
{
	size_t count = 0;

	for (size_t i = 0; i < graph->nodes_count; i++) {
		const struct node *node = &graph->nodes[i];
		struct mib_vm vm = {.state = node->state};
		bool alone = node->needs == GRAPH_NONE && node->needed_by == GRAPH_NONE;

		if (node->host)
			vmctl_row(node->host, KIND_VM, node->position, &vm);
		memcpy(vm.name, node->name, sizeof(vm.name));
		if (context->words_count == 0 ? !alone : targets_match(targets, node->host, &vm))
			roots[count++] = i;
	}
	return count;
}

static void
print_trees(const struct context *context, struct graph *graph, const size_t *roots, size_t count)
{
	struct tree tree = {.context = context,
			    .graph = graph,
			    .reverse = context->options.required_by,
			    .shown = mem_array(graph->nodes_count, sizeof(bool))};

	for (size_t i = 0; i < count; i++) {
		const struct node *node = &graph->nodes[roots[i]];

		/* Of everything, trees begin where nothing leads to. */
		if (context->words_count == 0 && !node->in_cycle &&
		    (tree.reverse ? node->needs : node->needed_by) != GRAPH_NONE)
			continue;
		tree_print(&tree, roots[i], 0, NULL);
	}
	free(tree.shown);
}

int
cmd_deps(struct context *context)
{
	const struct options *options = &context->options;
	struct graph graph;
	struct targets *targets;
	size_t *roots, count;
	int status;

	if (!only_json(context))
		return EXIT_USAGE;
	targets = targets_new(context, context->words, context->words_count,
			      options->all || context->words_count == 0);
	if (!targets || !fleet_choose(context)) {
		targets_free(targets);
		return EXIT_USAGE;
	}
	fleet_fetch(context, graph_wants, graph_wants_count);
	graph_build(context, &graph);
	roots = mem_array(graph.nodes_count, sizeof(*roots));
	count = roots_find(context, targets, &graph, roots);
	mark_all(&graph, roots, count, options->required_by);
	if (options->dot)
		draw_dot(&graph, stdout);
	else if (options->svg)
		draw_svg(&graph, stdout);
	else if (options->format == OUTPUT_JSON)
		draw_json(context, &graph, stdout);
	else
		print_trees(context, &graph, roots, count);
	fflush(stdout);
	graph_say_cycles(&graph, stderr);
	graph_say_twice(&graph, stderr);
	status = fleet_report(context);
	if (targets_complain(targets, status != EXIT_ALL, false) > 0)
		status = count > 0 ? EXIT_SOME : EXIT_NONE;
	free(roots);
	graph_free(&graph);
	targets_free(targets);
	return status;
}
