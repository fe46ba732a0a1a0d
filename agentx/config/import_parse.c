#include "config/import.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "config/reader.h"

#define NOTHING "nada"
#define BLANKS " \t\r"
#define WORD_ENDS BLANKS "(){}:,"
#define WORD_SIZE 128 /* more than a name may have */

#define FAULT(cursor, ...)                                                                         \
	(errors_add((cursor)->place.errors, (cursor)->place.line, __VA_ARGS__), false)

/* Where in a line. */
struct cursor {
	struct place place;
	const char *at;
	char name[WORD_SIZE]; /* of the VM of this line */
};

static char
cursor_peek(struct cursor *cursor)
{
	cursor->at += strspn(cursor->at, BLANKS);
	return *cursor->at;
}

static bool
cursor_take(struct cursor *cursor, char octet)
{
	if (cursor_peek(cursor) != octet)
		return false;
	cursor->at++;
	return true;
}

/* "" where there is none. */
static void
cursor_word(struct cursor *cursor, char word[WORD_SIZE])
{
	size_t length;

	cursor_peek(cursor);
	length = strcspn(cursor->at, WORD_ENDS);
	text_format(word, WORD_SIZE, "%.*s", (int)length, cursor->at);
	cursor->at += length;
}

/* What stands here, for a message. */
static const char *
cursor_rest(struct cursor *cursor, char rest[32])
{
	if (cursor_peek(cursor))
		text_format(rest, 32, "\"%.20s\"", cursor->at);
	else
		text_set(rest, 32, "the end of the line");
	return rest;
}

static bool
name_read(struct cursor *cursor, char name[WORD_SIZE])
{
	const char *fault;
	char rest[32];

	cursor_word(cursor, name);
	if (!*name)
		return FAULT(cursor, "where a name should stand is %s; write NAME(PORT, ...)",
			     cursor_rest(cursor, rest));
	fault = vm_name_fault(name);
	return fault ? FAULT(cursor, "\"%s\": %s", name, fault) : true;
}

static const struct {
	char letter;
	enum service_kind kind;
} letters[] = {{'T', SERVICE_TCP}, {'t', SERVICE_TCP}, {'U', SERVICE_UDP}, {'u', SERVICE_UDP}};

static bool
port_read(struct cursor *cursor, struct config_service *service)
{
	char word[WORD_SIZE], *end;
	unsigned long port;

	cursor_word(cursor, word);
	port = strtoul(word, &end, 10);
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]) && *end && !end[1]; i++)
		if (letters[i].letter == *end)
			service->kind = letters[i].kind;
	if (*word < '1' || *word > '9' || port > UINT16_MAX || !service->kind)
		return FAULT(cursor,
			     "\"%s\" is no port; write a number from 1 to 65535 and T for TCP or U "
			     "for UDP, such as 80T",
			     word);
	service->port = (uint16_t)port;
	TEXT_FORMAT(service->name, "%lu/%s", port, name_of(service_kind_names, (int)service->kind));
	return true;
}

/* A port of name is what a VM offers, or needs. */
typedef bool port_add(struct cursor *cursor, struct config_vm *vm, const char *name,
		      const struct config_service *service);

static bool
ports_read(struct cursor *cursor, struct config_vm *vm, const char *name, port_add *add)
{
	char rest[32];

	if (!cursor_take(cursor, '('))
		return FAULT(cursor, "\"%s\" has no ports; write %s(PORT, ...), such as %s(80T)",
			     name, name, name);
	do {
		struct config_service service = {.line = cursor->place.line};

		if (!port_read(cursor, &service) || !add(cursor, vm, name, &service))
			return false;
	} while (cursor_take(cursor, ','));
	if (cursor_take(cursor, ')'))
		return true;
	return FAULT(cursor,
		     "after a port of \"%s\" stands %s; write a comma before the next port, or a ) "
		     "after the last",
		     name, cursor_rest(cursor, rest));
}

static bool
offer_add(struct cursor *cursor, struct config_vm *vm, const char *name,
	  const struct config_service *service)
{
	const char *fault = provider_add(&vm->provider, service);

	return fault ? FAULT(cursor, "the service \"%s\" of \"%s\" %s", service->name, name, fault)
		     : true;
}

static bool
vm_key_take(const struct cursor *cursor, struct config_vm *vm, const char *name, const char *value)
{
	const struct key *key = section_key(&sections[SECTION_VM], name);

	return key->kind->parse(&cursor->place, key, value, key_field(key, vm));
}

static bool
need_add(struct cursor *cursor, struct config_vm *vm, const char *name,
	 const struct config_service *service)
{
	char text[WORD_SIZE + SERVICE_NAME_SIZE];

	TEXT_FORMAT(text, "%s:%s", name, service->name);
	return vm_key_take(cursor, vm, "needs", text);
}

static bool
memory_read(struct cursor *cursor, struct config_vm *vm)
{
	char word[WORD_SIZE];

	if (!cursor_take(cursor, '{'))
		return true;
	cursor_word(cursor, word);
	if (!cursor_take(cursor, '}'))
		return FAULT(cursor, "the memory of \"%s\" has no }; write {MIB}, such as {300}",
			     cursor->name);
	return vm_key_take(cursor, vm, "memory", word);
}

static bool
needs_read(struct cursor *cursor, struct config_vm *vm)
{
	char name[WORD_SIZE];

	if (!cursor_peek(cursor))
		return FAULT(cursor,
			     "after the colon stands nothing; write what \"%s\" needs, or " NOTHING,
			     cursor->name);
	while (cursor_peek(cursor)) {
		bool first = vm->needs_text_count == 0;

		if (!name_read(cursor, name))
			return false;
		if (strcmp(name, NOTHING) == 0 && cursor_peek(cursor) != '(') {
			if (first && !cursor_peek(cursor))
				return true;
			return FAULT(cursor, NOTHING " stands beside other needs; leave it out");
		}
		if (!ports_read(cursor, vm, name, need_add))
			return false;
	}
	return true;
}

/* The path of a VM's xl file; to be freed. */
static char *
xl_path(const char *pattern, const char *name)
{
	static const char word[] = "NAME";
	char *path = NULL;
	size_t size;
	FILE *to = open_memstream(&path, &size);

	if (!to)
		fatal("out of memory");
	while (*pattern) {
		if (strncmp(pattern, word, strlen(word)) == 0) {
			fputs(name, to);
			pattern += strlen(word);
		} else {
			fputc(*pattern++, to);
		}
	}
	fclose(to);
	return path;
}

static bool
vm_read(struct cursor *cursor, struct config_vm *vm, const struct import *import)
{
	char rest[32], *path;
	bool good;

	if (!name_read(cursor, cursor->name) || !ports_read(cursor, vm, cursor->name, offer_add) ||
	    !memory_read(cursor, vm))
		return false;
	if (!cursor_take(cursor, ':'))
		return FAULT(cursor,
			     "before the needs of \"%s\" stands %s; write a colon: NAME(PORT, "
			     "...){MIB}: NEEDS",
			     cursor->name, cursor_rest(cursor, rest));
	if (!needs_read(cursor, vm))
		return false;
	path = xl_path(import->xl, cursor->name);
	good = vm_key_take(cursor, vm, "file", path);
	free(path);
	return good;
}

static const char *
vm_fault(const struct config *config, const char *name, char text[64])
{
	const struct config_vm *before = config_find_vm(config, name);

	if (before)
		snprintf(text, 64, "stands here again, after line %d; remove one",
			 before->provider.line);
	else if (config->vms_count == VMS_MAX)
		snprintf(text, 64, "is one more than the %d that are possible", VMS_MAX);
	else
		return NULL;
	return text;
}

static void
line_read(struct config *config, const struct import *import, struct cursor *cursor)
{
	struct config_vm vm = {.provider.line = cursor->place.line};
	const char *fault;
	char text[64];

	if (!cursor_peek(cursor) || *cursor->at == '#')
		return;
	if (!vm_read(cursor, &vm, import)) {
		vm_dispose(&vm);
		return;
	}
	TEXT_SET(vm.provider.name, cursor->name);
	fault = vm_fault(config, cursor->name, text);
	if (fault) {
		errors_add(cursor->place.errors, cursor->place.line, "the VM \"%s\" %s",
			   cursor->name, fault);
		vm_dispose(&vm);
		return;
	}
	config->vms = mem_resize(config->vms, config->vms_count + 1, sizeof(*config->vms));
	config->vms[config->vms_count++] = vm;
}

void
import_parse(struct config *config, const struct import *import, struct errors *errors)
{
	struct cursor cursor = {.place = {config->file, 0, errors}};
	struct text text = {0};
	char *next;

	if (!text_load(&text, config->file, -1, "correct its name", errors)) {
		text_dispose(&text);
		return;
	}
	if (memchr(text.data, '\0', text.size))
		errors_add(errors, 0, "there is a NUL octet in it; this is no text file");
	for (next = text.data; next;) {
		cursor.at = strsep(&next, "\n");
		cursor.place.line++;
		line_read(config, import, &cursor);
	}
	if (config->vms_count == 0 && errors->count == 0)
		errors_add(errors, 0, "there is no VM in it; write NAME(PORT, ...){MIB}: NEEDS");
	text_dispose(&text);
}
