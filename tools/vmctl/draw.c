/* The graph as Graphviz's dot, as SVG, as JSON. */
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/graph.h"

static bool
edge_drawn(const struct graph *graph, const struct edge *edge)
{
	return graph->nodes[edge->dependent].marked && graph->nodes[edge->provider].marked;
}

static const char *
node_color(const struct node *node)
{
	if (!node->host)
		return "#e8e8e8";
	if (node->stale || node->state == VM_UNKNOWN)
		return "#d0d0d0";
	return node->state == VM_RUNNING   ? "#c8e6c9"
	       : node->state == VM_CRASHED ? "#ef9a9a"
					   : "#ffe0b2";
}

/* ---- dot ---- */

static void
dot_string(const char *text, FILE *to)
{
	putc('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc('\\', to);
		putc(*text, to);
	}
	putc('"', to);
}

static void
dot_node(const struct node *node, FILE *to)
{
	char text[2 * VM_NAME_SIZE];

	node_text(node, text, sizeof(text));
	dot_string(text, to);
}

void
draw_dot(const struct graph *graph, FILE *to)
{
	fprintf(to, "digraph vms {\n\trankdir = LR\n\tnode [shape = box, style = filled]\n");
	for (size_t i = 0; i < graph->nodes_count; i++) {
		const struct node *node = &graph->nodes[i];

		if (!node->marked)
			continue;
		putc('\t', to);
		dot_node(node, to);
		fprintf(to, " [fillcolor = \"%s\"%s]\n", node_color(node),
			node->host ? "" : ", shape = ellipse");
	}
	for (size_t i = 0; i < graph->edges_count; i++) {
		const struct edge *edge = &graph->edges[i];

		if (!edge_drawn(graph, edge))
			continue;
		putc('\t', to);
		dot_node(&graph->nodes[edge->dependent], to);
		fprintf(to, " -> ");
		dot_node(&graph->nodes[edge->provider], to);
		fprintf(to, " [label = ");
		dot_string(edge->service, to);
		fprintf(to, "%s]\n", edge->state == DEPENDENCY_FAILED ? ", color = red" : "");
	}
	fprintf(to, "}\n");
}

/* ---- SVG: a column for each wave, providers on the left ---- */

enum { BOX_WIDTH = 170, BOX_HEIGHT = 34, GAP_X = 110, GAP_Y = 16, MARGIN = 20 };

struct place {
	unsigned column, row;
};

static void
xml_text(const char *text, FILE *to)
{
	for (; *text; text++)
		switch (*text) {
		case '<':
			fputs("&lt;", to);
			break;
		case '>':
			fputs("&gt;", to);
			break;
		case '&':
			fputs("&amp;", to);
			break;
		case '"':
			fputs("&quot;", to);
			break;
		default:
			putc(*text, to);
		}
}

static unsigned
place_x(const struct place *place)
{
	return MARGIN + place->column * (BOX_WIDTH + GAP_X);
}

static unsigned
place_y(const struct place *place)
{
	return MARGIN + place->row * (BOX_HEIGHT + GAP_Y);
}

/* Each column is filled in the order of the nodes; *width and *height are the picture's. */
static struct place *
places_make(const struct graph *graph, unsigned *width, unsigned *height)
{
	struct place *places = mem_array(graph->nodes_count, sizeof(*places));
	unsigned *filled = mem_array(graph->nodes_count + 2, sizeof(*filled));
	unsigned columns = 0, rows = 0;

	for (size_t i = 0; i < graph->nodes_count; i++) {
		unsigned column = graph->nodes[i].wave - 1;

		if (!graph->nodes[i].marked)
			continue;
		places[i] = (struct place){column, filled[column]++};
		if (column + 1 > columns)
			columns = column + 1;
		if (filled[column] > rows)
			rows = filled[column];
	}
	*width = 2 * MARGIN + columns * (BOX_WIDTH + GAP_X) - GAP_X;
	*height = 2 * MARGIN + rows * (BOX_HEIGHT + GAP_Y) - GAP_Y;
	free(filled);
	return places;
}

static void
svg_edge(const struct graph *graph, const struct place *places, const struct edge *edge, FILE *to)
{
	const struct place *from = &places[edge->dependent], *at = &places[edge->provider];
	unsigned x1 = place_x(from), y1 = place_y(from) + BOX_HEIGHT / 2;
	unsigned x2 = place_x(at) + BOX_WIDTH, y2 = place_y(at) + BOX_HEIGHT / 2;
	const char *color = edge->state == DEPENDENCY_FAILED ? "#c62828" : "#607d8b";

	(void)graph;
	fprintf(to,
		"<path d=\"M%u %u C%u %u %u %u %u %u\" fill=\"none\" stroke=\"%s\" "
		"marker-end=\"url(#arrow)\"><title>",
		x1, y1, x1 - GAP_X / 2, y1, x2 + GAP_X / 2, y2, x2 + 4, y2, color);
	xml_text(edge->service, to);
	fprintf(to, "</title></path>\n<text x=\"%u\" y=\"%u\" class=\"s\">", (x1 + x2) / 2,
		(y1 + y2) / 2 - 3);
	xml_text(edge->service, to);
	fprintf(to, "</text>\n");
}

static void
svg_node(const struct node *node, const struct place *place, FILE *to)
{
	unsigned x = place_x(place), y = place_y(place);

	fprintf(to,
		"<rect x=\"%u\" y=\"%u\" width=\"%d\" height=\"%d\" rx=\"%d\" fill=\"%s\" "
		"stroke=\"#455a64\"/>\n<text x=\"%u\" y=\"%u\">",
		x, y, BOX_WIDTH, BOX_HEIGHT, node->host ? 3 : 16, node_color(node),
		x + BOX_WIDTH / 2, y + 15);
	xml_text(node->name, to);
	fprintf(to, "</text>\n<text x=\"%u\" y=\"%u\" class=\"s\">", x + BOX_WIDTH / 2, y + 28);
	xml_text(node->host	? vmctl_host_name(node->host)
		 : *node->where ? node->where
				: "external",
		 to);
	if (node->host)
		fprintf(to, ", %s", name_of(vm_state_names, node->state));
	fprintf(to, "</text>\n");
}

void
draw_svg(const struct graph *graph, FILE *to)
{
	unsigned width, height;
	struct place *places = places_make(graph, &width, &height);

	fprintf(
	    to,
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
	    "viewBox=\"0 0 %u %u\">\n"
	    "<style>text{font:12px sans-serif;text-anchor:middle}.s{font-size:9px;"
	    "fill:#546e7a}</style>\n"
	    "<defs><marker id=\"arrow\" markerWidth=\"8\" markerHeight=\"8\" refX=\"6\" refY=\"3\" "
	    "orient=\"auto\"><path d=\"M0 0L6 3L0 6z\" fill=\"#607d8b\"/></marker></defs>\n",
	    width, height, width, height);
	for (size_t i = 0; i < graph->edges_count; i++)
		if (edge_drawn(graph, &graph->edges[i]))
			svg_edge(graph, places, &graph->edges[i], to);
	for (size_t i = 0; i < graph->nodes_count; i++)
		if (graph->nodes[i].marked)
			svg_node(&graph->nodes[i], &places[i], to);
	fprintf(to, "</svg>\n");
	free(places);
}

/* ---- JSON ---- */

static void
json_node(const struct node *node, FILE *to)
{
	char text[2 * VM_NAME_SIZE];

	node_text(node, text, sizeof(text));
	fprintf(to, "{\"id\": ");
	json_string(to, text);
	fprintf(to, ", \"name\": ");
	json_string(to, node->name);
	fprintf(to, ", \"host\": ");
	if (node->host || *node->where)
		json_string(to, node->host ? vmctl_host_name(node->host) : node->where);
	else
		fprintf(to, "null");
	fprintf(to, ", \"external\": %s, \"state\": ", node->host ? "false" : "true");
	if (node->host)
		json_string(to, name_of(vm_state_names, node->state));
	else
		fprintf(to, "null");
	fprintf(to, ", \"wave\": %u, \"cycle\": %s, \"stale\": %s}", node->wave,
		node->in_cycle ? "true" : "false", node->stale ? "true" : "false");
}

void
draw_json(const struct context *context, const struct graph *graph, FILE *to)
{
	char text[2 * VM_NAME_SIZE];
	bool first = true;

	fprintf(to, "{\"nodes\": [");
	for (size_t i = 0; i < graph->nodes_count; i++) {
		if (!graph->nodes[i].marked)
			continue;
		fprintf(to, first ? "\n  " : ",\n  ");
		json_node(&graph->nodes[i], to);
		first = false;
	}
	fprintf(to, "],\n \"edges\": [");
	first = true;
	for (size_t i = 0; i < graph->edges_count; i++) {
		const struct edge *edge = &graph->edges[i];

		if (!edge_drawn(graph, edge))
			continue;
		node_text(&graph->nodes[edge->dependent], text, sizeof(text));
		fprintf(to, first ? "\n  {\"dependent\": " : ",\n  {\"dependent\": ");
		json_string(to, text);
		node_text(&graph->nodes[edge->provider], text, sizeof(text));
		fprintf(to, ", \"provider\": ");
		json_string(to, text);
		fprintf(to, ", \"service\": ");
		json_string(to, edge->service);
		fprintf(to, ", \"state\": ");
		json_string(to, name_of(dependency_state_names, edge->state));
		putc('}', to);
		first = false;
	}
	fprintf(to, "],\n ");
	json_silent(context, to);
	fprintf(to, "}\n");
}
