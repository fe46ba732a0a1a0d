/*
 * Reads the text of an SMIv2 module as far as test_mib.c compares it: nodes, objects,
 * notifications, textual conventions and rows. No checker: smilint has read the text before.
 */
#ifndef UNIT_MIB_TEXT_H
#define UNIT_MIB_TEXT_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mib/objects.h"

#define TEXT_NAME 64
#define TEXT_LIST 32

enum def_kind {
	DEF_NODE, /* OBJECT IDENTIFIER, MODULE-IDENTITY */
	DEF_OBJECT,
	DEF_NOTIFICATION,
	DEF_CONVENTION,
	DEF_SEQUENCE, /* Xyz ::= SEQUENCE { ... } */
	DEF_OTHER,    /* groups, compliances */
};

struct def {
	enum def_kind kind;
	char name[TEXT_NAME];
	char type[TEXT_NAME];	    /* "Gauge32", "SEQUENCE OF LxVmEntry", ... */
	char constraint[TEXT_NAME]; /* "(SIZE(0..63))", "(1..2147483647)", "" */
	char enums[1024];	    /* "unknown(1),ok(2)" */
	char access[TEXT_NAME], units[TEXT_NAME];
	char description[4096];
	char list[TEXT_LIST][TEXT_NAME];       /* INDEX, OBJECTS, columns of a SEQUENCE */
	char list_types[TEXT_LIST][TEXT_NAME]; /* of a SEQUENCE */
	size_t list_count;
	bool implied; /* INDEX */
	char parent[TEXT_NAME];
	unsigned long arcs[MIB_ARCS_MAX]; /* below parent; after text_resolve() the whole OID */
	size_t arcs_count;
};

struct mib_text {
	const char *at; /* where the reading is */
	char token[4096];
	struct def *defs;
	size_t count, room;
};

static const char *
text_skip(const char *at)
{
	for (;;) {
		while (isspace((unsigned char)*at))
			at++;
		if (strncmp(at, "--", 2) != 0)
			return at;
		at += strcspn(at, "\n");
	}
}

static size_t
text_token_length(const char *at)
{
	size_t length = 0;

	if (*at == '"')
		return strcspn(at + 1, "\"") + 2;
	if (strncmp(at, "::=", 3) == 0)
		return 3;
	if (strncmp(at, "..", 2) == 0)
		return 2;
	while (isalnum((unsigned char)at[length]) || at[length] == '-')
		length++;
	return length ? length : *at != '\0';
}

/* Takes the next token; "" at the end of the text. */
static const char *
text_next(struct mib_text *text)
{
	size_t length;

	text->at = text_skip(text->at);
	length = text_token_length(text->at);
	snprintf(text->token, sizeof(text->token), "%.*s", (int)length, text->at);
	text->at += strnlen(text->at, length);
	return text->token;
}

static bool
text_is(struct mib_text *text, const char *token)
{
	const char *at = text_skip(text->at);
	size_t length = text_token_length(at);

	return strlen(token) == length && strncmp(at, token, length) == 0;
}

/* Takes the next token if it is this one. */
static bool
text_take(struct mib_text *text, const char *token)
{
	if (!text_is(text, token))
		return false;
	text_next(text);
	return true;
}

static void
text_name(char to[TEXT_NAME], const char *from)
{
	snprintf(to, TEXT_NAME, "%.*s", TEXT_NAME - 1, from);
}

/* Takes from an opening token to the closing one, and gives all of it without spaces. */
static void
text_nested(struct mib_text *text, const char *open, const char *close, char *to, size_t size)
{
	size_t depth = 0, used = 0;

	do {
		const char *token = text_next(text);
		int r = snprintf(to + used, size - used, "%s", token);

		used += r > 0 && (size_t)r < size - used ? (size_t)r : 0;
		depth += strcmp(token, open) == 0;
		depth -= strcmp(token, close) == 0;
	} while (depth > 0 && text->token[0]);
}

static void
text_syntax(struct mib_text *text, struct def *def)
{
	text_name(def->type, text_next(text));
	if (strcmp(def->type, "SEQUENCE") == 0 && text_take(text, "OF"))
		snprintf(def->type, sizeof(def->type), "SEQUENCE OF %.40s", text_next(text));
	if (strcmp(def->type, "OCTET") == 0 && text_take(text, "STRING"))
		text_name(def->type, "OCTET STRING");
	if (strcmp(def->type, "OBJECT") == 0 && text_take(text, "IDENTIFIER"))
		text_name(def->type, "OBJECT IDENTIFIER");
	if (text_is(text, "("))
		text_nested(text, "(", ")", def->constraint, sizeof(def->constraint));
	if (text_is(text, "{")) {
		char nested[sizeof(def->enums)] = "";

		text_nested(text, "{", "}", nested, sizeof(nested));
		nested[strlen(nested) - 1] = '\0';
		snprintf(def->enums, sizeof(def->enums), "%s", nested + 1);
	}
}

/* { a, b } or, of a SEQUENCE, { a Type, b Type } */
static void
text_list(struct mib_text *text, struct def *def, bool typed)
{
	text_take(text, "{");
	while (!text_take(text, "}") && def->list_count < TEXT_LIST && *text->at) {
		def->implied |= text_take(text, "IMPLIED");
		text_name(def->list[def->list_count], text_next(text));
		if (typed)
			text_name(def->list_types[def->list_count], text_next(text));
		def->list_count++;
		text_take(text, ",");
	}
}

/* { parent number name(number) ... } */
static void
text_place(struct mib_text *text, struct def *def)
{
	text_take(text, "{");
	text_name(def->parent, text_next(text));
	while (!text_take(text, "}") && def->arcs_count < MIB_ARCS_MAX && *text->at) {
		const char *token = text_next(text);

		if (text_take(text, "("))
			token = text_next(text);
		def->arcs[def->arcs_count++] = strtoul(token, NULL, 10);
		text_take(text, ")");
	}
}

/* The clauses of a macro up to its place. */
static void
text_clauses(struct mib_text *text, struct def *def)
{
	while (*text->at && !text_take(text, "::=")) {
		const char *token = text_next(text);

		if (def->kind == DEF_OTHER)
			continue;
		if (strcmp(token, "SYNTAX") == 0)
			text_syntax(text, def);
		else if (strcmp(token, "MAX-ACCESS") == 0)
			text_name(def->access, text_next(text));
		else if (strcmp(token, "UNITS") == 0)
			text_name(def->units, text_next(text));
		else if (strcmp(token, "DESCRIPTION") == 0)
			snprintf(def->description, sizeof(def->description), "%s", text_next(text));
		else if (strcmp(token, "INDEX") == 0 || strcmp(token, "OBJECTS") == 0)
			text_list(text, def, false);
	}
	text_place(text, def);
}

/* A textual convention has no place: it ends with its SYNTAX. */
static void
text_convention(struct mib_text *text, struct def *def)
{
	while (*text->at && !text_take(text, "SYNTAX"))
		text_next(text);
	text_syntax(text, def);
}

static void
text_definition(struct mib_text *text, struct def *def)
{
	static const struct name macros[] = {{DEF_NODE, "MODULE-IDENTITY"},
					     {DEF_NODE, "OBJECT"},
					     {DEF_OBJECT, "OBJECT-TYPE"},
					     {DEF_NOTIFICATION, "NOTIFICATION-TYPE"},
					     {0, NULL}};
	int kind;

	text_name(def->name, text_next(text));
	if (text_take(text, "::=")) {
		def->kind = text_take(text, "SEQUENCE") ? DEF_SEQUENCE : DEF_CONVENTION;
		if (def->kind == DEF_SEQUENCE)
			text_list(text, def, true);
		else
			text_convention(text, def);
		return;
	}
	kind = name_value(macros, text_next(text));
	def->kind = kind < 0 ? DEF_OTHER : (enum def_kind)kind;
	text_clauses(text, def);
}

static struct def *
text_find(const struct mib_text *text, const char *name)
{
	for (size_t i = 0; i < text->count; i++)
		if (strcmp(text->defs[i].name, name) == 0)
			return &text->defs[i];
	return NULL;
}

/* Puts the parent's OID before the arcs. Parents stand before their children; false: not here. */
static bool
text_resolve(struct mib_text *text, struct def *def)
{
	static const unsigned long enterprises[] = {1, 3, 6, 1, 4, 1};
	const struct def *parent = text_find(text, def->parent);
	const unsigned long *arcs = parent ? parent->arcs : enterprises;
	size_t count = parent ? parent->arcs_count : sizeof(enterprises) / sizeof(enterprises[0]);

	if (!parent && strcmp(def->parent, "enterprises") != 0)
		return false;
	if (count + def->arcs_count > MIB_ARCS_MAX)
		return false;
	memmove(def->arcs + count, def->arcs, def->arcs_count * sizeof(def->arcs[0]));
	memcpy(def->arcs, arcs, count * sizeof(arcs[0]));
	def->arcs_count += count;
	return true;
}

static struct def *
text_add(struct mib_text *text)
{
	if (text->count == text->room) {
		text->room = text->room ? text->room * 2 : 64;
		text->defs = realloc(text->defs, text->room * sizeof(text->defs[0]));
		if (!text->defs)
			abort();
	}
	return memset(&text->defs[text->count], 0, sizeof(text->defs[0]));
}

/* Reads a module; false: a definition has no place. text->defs is the caller's, to free(). */
static bool
text_read(struct mib_text *text, const char *module)
{
	const char *imports = strstr(module, "IMPORTS");

	memset(text, 0, sizeof(*text));
	text->at = imports ? imports + strcspn(imports, ";") + 1 : module;
	for (;;) {
		struct def *def;

		text->at = text_skip(text->at);
		if (!*text->at || text_take(text, "END"))
			return true;
		def = text_add(text);
		text_definition(text, def);
		if (def->kind != DEF_CONVENTION && def->kind != DEF_SEQUENCE &&
		    !text_resolve(text, def))
			return false;
		text->count++;
	}
}

#endif
