#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/vmctl.h"

#define TINT_SIZE 16	  /* octets, on and off */
#define MEASURED_MAX 1000 /* lines that the widths are made of; what is wider later sticks out */

struct cell {
	uint32_t at; /* in text */
	uint8_t tint;
};

struct output {
	const struct context *context;
	const struct fields *fields;
	FILE *to;
	void (*more)(const struct context *context, const struct item *item, FILE *to);
	size_t items;
	bool lines; /* JSON that goes on: a line for each item, and nothing around them */
	bool begun; /* the title line, or what JSON begins with, is out */
	/* of text: what waits for its widths */
	unsigned *widths;
	struct cell *cells;
	size_t cells_count, cells_room;
	char *text;
	size_t text_size, text_room;
	char *line; /* the one that is being made */
	size_t line_size, line_room;
};

static const char *const tints[] = {[TINT_NONE] = "",
				    [TINT_GOOD] = "\033[32m",
				    [TINT_BUSY] = "\033[33m",
				    [TINT_BAD] = "\033[1;31m",
				    [TINT_DIM] = "\033[2m"};

const char *
tint_on(const struct context *context, enum tint tint)
{
	return context->options.color ? tints[tint] : "";
}

const char *
tint_off(const struct context *context, enum tint tint)
{
	return context->options.color && tint != TINT_NONE ? "\033[0m" : "";
}

/* Columns that a text takes on a terminal (characters of UTF-8, each as one), and its octets. */
static unsigned
text_measure(const char *text, size_t *size)
{
	const char *at = text;
	unsigned width = 0;

	for (; *at; at++)
		width += ((unsigned char)*at & 0xc0) != 0x80;
	*size = (size_t)(at - text);
	return width;
}

/* ---- JSON ---- */

void
json_string(FILE *to, const char *text)
{
	putc_unlocked('"', to);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putc_unlocked('\\', to);
		if ((unsigned char)*text < ' ')
			fprintf(to, "\\u%04x", (unsigned char)*text);
		else
			putc_unlocked(*text, to);
	}
	putc_unlocked('"', to);
}

void
json_silent(const struct context *context, FILE *to)
{
	bool first = true;

	fprintf(to, "\"silent\": [");
	for (size_t i = 0; i < context->hosts_count; i++) {
		struct vmctl_host *host = context->hosts[i];
		enum vmctl_status status = vmctl_host_status(host);

		if (status == VMCTL_ANSWERS || status == VMCTL_UNASKED)
			continue;
		fprintf(to, "%s\n  {\"host\": ", first ? "" : ",");
		json_string(to, vmctl_host_name(host));
		fprintf(to, ", \"status\": ");
		json_string(to, name_of(vmctl_status_names, (int)status));
		fprintf(to, ", \"error\": ");
		json_string(to, vmctl_host_error(host));
		putc('}', to);
		first = false;
	}
	fprintf(to, "]");
}

static void
put_number(FILE *to, int64_t number)
{
	char text[24];

	number_text(number, text);
	fputs_unlocked(text, to);
}

static void
json_value(FILE *to, const struct value *value)
{
	switch (value->type) {
	case VALUE_UNKNOWN:
		fprintf(to, "null");
		break;
	case VALUE_TEXT:
		json_string(to, value->text);
		break;
	case VALUE_NUMBER:
		put_number(to, value->number);
		break;
	case VALUE_TRUTH:
		fprintf(to, value->number ? "true" : "false");
		break;
	}
}

void
json_fields(const struct context *context, const struct fields *fields, const struct item *item,
	    FILE *to)
{
	struct value value;

	for (size_t i = 0; i < fields->count; i++) {
		fputs_unlocked(i ? ", \"" : "\"", to);
		fputs_unlocked(fields->list[i].key, to);
		fputs_unlocked("\": ", to);
		field_value(context, &fields->list[i], item, &value);
		json_value(to, &value);
	}
}

static void
json_item(struct output *output, const struct item *item)
{
	fprintf(output->to, output->lines ? "{" : output->items ? ",\n  {" : "\n  {");
	json_fields(output->context, output->fields, item, output->to);
	if (output->more)
		output->more(output->context, item, output->to);
	fprintf(output->to, output->lines ? "}\n" : "}");
}

/* ---- CSV (RFC 4180) ---- */

static void
csv_text(FILE *to, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, to);
		return;
	}
	putc('"', to);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', to);
		putc(*text, to);
	}
	putc('"', to);
}

static void
csv_item(struct output *output, const struct item *item)
{
	struct value value;

	for (size_t i = 0; i < output->fields->count; i++) {
		if (i)
			putc(',', output->to);
		field_value(output->context, &output->fields->list[i], item, &value);
		if (value.type == VALUE_NUMBER)
			put_number(output->to, value.number);
		else if (value.type == VALUE_TRUTH)
			fputs(value.number ? "true" : "false", output->to);
		else if (value.type == VALUE_TEXT)
			csv_text(output->to, value.text);
	}
	putc('\n', output->to);
}

/* ---- text ---- */

const char *
value_human(struct value *value)
{
	if (value->human[0])
		return value->human;
	switch (value->type) {
	case VALUE_UNKNOWN:
		return "?";
	case VALUE_NUMBER:
		number_text(value->number, value->human);
		return value->human;
	case VALUE_TRUTH:
		return value->number ? "yes" : "no";
	default:
		return value->text[0] ? value->text : "-";
	}
}

/* The end of the line, with room for so much more. */
static char *
line_end(struct output *output, size_t more)
{
	if (output->line_size + more > output->line_room) {
		output->line_room = output->line_room * 2 + more + 128;
		output->line = mem_resize(output->line, output->line_room, 1);
	}
	return output->line + output->line_size;
}

static char *
put_spaces(char *at, size_t count)
{
	return (char *)memset(at, ' ', count) + count;
}

/* Of many rows this is most of the work: no format, and of stdio one call a line. */
static void
print_cell(struct output *output, size_t column, const char *text, enum tint tint)
{
	const struct field *field = &output->fields->list[column];
	bool tinted = tint != TINT_NONE && output->context->options.color;
	bool last = column + 1 == output->fields->count;
	size_t size, pad = output->widths[column];
	unsigned width = text_measure(text, &size);
	char *at;

	pad = pad > width ? pad - width : 0;
	at = line_end(output, pad + size + TINT_SIZE + 2);
	if (field->right)
		at = put_spaces(at, pad);
	if (tinted)
		at = stpcpy(at, tint_on(output->context, tint));
	at = mempcpy(at, text, size);
	if (tinted)
		at = stpcpy(at, tint_off(output->context, tint));
	if (last)
		*at++ = '\n';
	else
		at = put_spaces(at, (field->right ? 0 : pad) + 2);
	output->line_size = (size_t)(at - output->line);
	if (!last)
		return;
	fwrite_unlocked(output->line, 1, output->line_size, output->to);
	output->line_size = 0;
}

static void
text_flush(struct output *output)
{
	size_t columns = output->fields->count;

	for (size_t i = 0; !output->begun && !output->context->options.no_header && i < columns;
	     i++)
		print_cell(output, i, output->fields->list[i].title, TINT_NONE);
	output->begun = true;
	for (size_t i = 0; i < output->cells_count; i++)
		print_cell(output, i % columns, output->text + output->cells[i].at,
			   (enum tint)output->cells[i].tint);
	output->cells_count = output->text_size = 0;
}

static void
text_keep(struct output *output, size_t column, const char *text, enum tint tint)
{
	size_t size;
	unsigned width = text_measure(text, &size);

	if (width > output->widths[column])
		output->widths[column] = width;
	if (output->cells_count == output->cells_room) {
		output->cells_room = output->cells_room * 2 + 64;
		output->cells =
		    mem_resize(output->cells, output->cells_room, sizeof(*output->cells));
	}
	if (output->text_size + size + 1 > output->text_room) {
		output->text_room = output->text_room * 2 + size + 1024;
		output->text = mem_resize(output->text, output->text_room, 1);
	}
	memcpy(output->text + output->text_size, text, size + 1);
	output->cells[output->cells_count++] =
	    (struct cell){(uint32_t)output->text_size, (uint8_t)tint};
	output->text_size += size + 1;
}

static void
text_item(struct output *output, const struct item *item)
{
	struct value value;

	for (size_t i = 0; i < output->fields->count; i++) {
		field_value(output->context, &output->fields->list[i], item, &value);
		if (output->items >= MEASURED_MAX)
			print_cell(output, i, value_human(&value), value.tint);
		else
			text_keep(output, i, value_human(&value), value.tint);
	}
	if (output->items + 1 == MEASURED_MAX)
		text_flush(output);
}

/* ---- all of them ---- */

static void
begin_text(struct output *output, const char *name)
{
	(void)name;
	for (size_t i = 0; i < output->fields->count; i++)
		if (!output->context->options.no_header)
			output->widths[i] =
			    text_measure(output->fields->list[i].title, &(size_t){0});
}

static void
begin_json(struct output *output, const char *name)
{
	if (!output->lines)
		fprintf(output->to, "{\"%s\": [", name);
}

static void
begin_csv(struct output *output, const char *name)
{
	(void)name;
	for (size_t i = 0; !output->context->options.no_header && i < output->fields->count; i++)
		fprintf(output->to, "%s%s", i ? "," : "", output->fields->list[i].key);
	if (!output->context->options.no_header)
		putc('\n', output->to);
}

static void
end_text(struct output *output)
{
	text_flush(output);
}

static void
end_json(struct output *output)
{
	if (output->lines)
		return;
	fprintf(output->to, "],\n ");
	json_silent(output->context, output->to);
	fprintf(output->to, "}\n");
}

static void
end_csv(struct output *output)
{
	(void)output;
}

static void
flush_nothing(struct output *output)
{
	(void)output;
}

static const struct format {
	void (*begin)(struct output *output, const char *name);
	void (*item)(struct output *output, const struct item *item);
	void (*flush)(struct output *output);
	void (*end)(struct output *output);
} formats[] = {
    [OUTPUT_TEXT] = {begin_text, text_item, text_flush, end_text},
    [OUTPUT_JSON] = {begin_json, json_item, flush_nothing, end_json},
    [OUTPUT_CSV] = {begin_csv, csv_item, flush_nothing, end_csv},
};

struct output *
output_begin(const struct context *context, const char *name, const struct fields *fields)
{
	struct output *output = mem_alloc(sizeof(*output));

	output->context = context;
	output->fields = fields;
	output->to = stdout;
	output->lines = context->options.follow;
	output->widths = mem_array(fields->count, sizeof(*output->widths));
	formats[context->options.format].begin(output, name);
	return output;
}

void
output_more(struct output *output,
	    void (*more)(const struct context *context, const struct item *item, FILE *to))
{
	output->more = more;
}

void
output_item(struct output *output, const struct item *item)
{
	formats[output->context->options.format].item(output, item);
	output->items++;
}

bool
output_flush(struct output *output)
{
	formats[output->context->options.format].flush(output);
	return fflush(output->to) == 0 && !ferror(output->to);
}

bool
output_end(struct output *output)
{
	bool out;

	formats[output->context->options.format].end(output);
	out = fflush(output->to) == 0 && !ferror(output->to);
	free(output->widths);
	free(output->cells);
	free(output->text);
	free(output->line);
	free(output);
	return out;
}
