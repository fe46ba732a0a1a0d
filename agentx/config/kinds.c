/* The kinds of values: how each is read, checked and printed back. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "config/reader.h"

#define NAME_OCTETS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

static const struct {
	const char *name;
	uint32_t ms;
} units[] = {{"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}};

#define UNITS_COUNT (sizeof(units) / sizeof(units[0]))

#define FAULT(...) (errors_add(place->errors, place->line, __VA_ARGS__), false)

char *
path_resolve(const char *config_file, const char *path)
{
	const char *slash = strrchr(config_file, '/');
	char *resolved;
	size_t size;

	while (strncmp(path, "./", 2) == 0)
		path += 2;
	if (*path == '/' || !slash)
		return mem_string(path);
	size = (size_t)(slash - config_file) + 1 + strlen(path) + 1;
	resolved = mem_alloc(size);
	snprintf(resolved, size, "%.*s/%s", (int)(slash - config_file), config_file, path);
	return resolved;
}

static bool
has_control(const char *text)
{
	while (*text && ((unsigned char)*text >= ' ' || *text == '\t') && *text != 0x7f)
		text++;
	return *text != '\0';
}

/* Texts are printed back as they are, in double quotes. What may not stand in the file's own text
 * comes into a path by the names of directories. */
bool
text_check(const struct place *place, const struct key *key, const char *value)
{
	if (!*value)
		return FAULT("%s is empty; give it a value or leave the line out", key->name);
	if (strpbrk(value, "\"\\"))
		return FAULT("%s has a quote in it; leave it out", key->name);
	if (strstr(value, "${") || has_control(value))
		return FAULT("%s is in a directory with ${ or a control character in its name; "
			     "use another",
			     key->name);
	if (strlen(value) > key->max)
		return FAULT("%s has %zu octets; at most %" PRIu32 " are allowed", key->name,
			     strlen(value), key->max);
	return true;
}

/* An absolute path, or NULL; prefix is kept in front of it. */
static char *
path_read(const struct place *place, const struct key *key, const char *prefix, const char *value)
{
	char *path = path_resolve(place->file, value), *whole = NULL;

	if (!*value || *path != '/') {
		errors_add(place->errors, place->line, "%s is \"%s\"; give it an absolute path",
			   key->name, value);
	} else if (text_check(place, key, path)) {
		size_t size = strlen(prefix) + strlen(path) + 1;

		whole = mem_alloc(size);
		snprintf(whole, size, "%s%s", prefix, path);
	}
	free(path);
	return whole;
}

static bool
string_take(char **field, char *value)
{
	if (!value)
		return false;
	free(*field);
	*field = value;
	return true;
}

static bool
path_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	return string_take(field, path_read(place, key, "", value));
}

static void
string_print(const struct key *key, const void *field, FILE *to)
{
	(void)key;
	fprintf(to, "\"%s\"", *(char *const *)field);
}

static bool
string_given(const void *field)
{
	return *(char *const *)field != NULL;
}

static void
string_dispose(void *field)
{
	free(*(char **)field);
	*(char **)field = NULL;
}

const struct kind kind_path = {path_parse, string_print, string_given, string_dispose, false};

/* tcp:HOST:PORT, as snmpd's agentXSocket has it. */
static bool
tcp_check(const char *value)
{
	const char *colon = strrchr(value, ':');
	char *end;
	long port;

	if (!colon || colon == value)
		return false;
	port = strtol(colon + 1, &end, 10);
	return end != colon + 1 && !*end && port > 0 && port < 65536;
}

static bool
socket_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	if (strncmp(value, "tcp:", 4) == 0) {
		if (!text_check(place, key, value))
			return false;
		if (!tcp_check(value + 4))
			return FAULT("%s is \"%s\"; write tcp:ADDRESS:PORT", key->name, value);
		return string_take(field, mem_string(value));
	}
	if (strncmp(value, "unix:", 5) == 0)
		value += 5;
	else if (*value != '/')
		return FAULT("%s is \"%s\"; write unix:PATH or tcp:ADDRESS:PORT", key->name, value);
	return string_take(field, path_read(place, key, "unix:", value));
}

const struct kind kind_socket = {socket_parse, string_print, string_given, string_dispose, false};

/* A list: char **, its count right behind it in struct config. */
struct path_list {
	char **paths;
	size_t count;
};

_Static_assert(offsetof(struct config, pools_count) - offsetof(struct config, pools) ==
		   offsetof(struct path_list, count),
	       "kind_paths takes the list and its count for neighbours");

static bool
paths_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	struct path_list *list = field;
	char *path = path_read(place, key, "", value);

	if (!path)
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->paths[i], path) == 0) {
			free(path);
			return FAULT("%s names %s twice; remove one", key->name, list->paths[i]);
		}
	if (list->count == key->min) {
		free(path);
		return FAULT("%s has more than %" PRIu32 " paths; remove some", key->name,
			     key->min);
	}
	list->paths = mem_resize(list->paths, list->count + 1, sizeof(char *));
	list->paths[list->count++] = path;
	return true;
}

static void
paths_print(const struct key *key, const void *field, FILE *to)
{
	const struct path_list *list = field;

	(void)key;
	fputc('{', to);
	for (size_t i = 0; i < list->count; i++)
		fprintf(to, "%s\"%s\"", i ? ", " : "", list->paths[i]);
	fputc('}', to);
}

static void
paths_dispose(void *field)
{
	struct path_list *list = field;

	for (size_t i = 0; i < list->count; i++)
		free(list->paths[i]);
	free(list->paths);
	*list = (struct path_list){0};
}

const struct kind kind_paths = {paths_parse, paths_print, NULL, paths_dispose, true};

static bool
host_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	if (!text_check(place, key, value))
		return false;
	if (value[strspn(value, NAME_OCTETS)])
		return FAULT("%s is \"%s\"; only letters, digits, '.', '_' and '-' are allowed",
			     key->name, value);
	text_set(field, key->max + 1, value);
	return true;
}

static void
text_print(const struct key *key, const void *field, FILE *to)
{
	(void)key;
	fprintf(to, "\"%s\"", (const char *)field);
}

static bool
text_given(const void *field)
{
	return *(const char *)field != '\0';
}

const struct kind kind_host = {host_parse, text_print, text_given, NULL, false};

static bool
text_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	if (!text_check(place, key, value))
		return false;
	text_set(field, key->max + 1, value);
	if (strcmp(field, value) == 0)
		return true;
	memset(field, 0, key->max + 1);
	return FAULT("%s is no UTF-8 text; write it as such", key->name);
}

const struct kind kind_text = {text_parse, text_print, text_given, NULL, false};

/* Stored as inet_ntop(3) writes it, so that one address has one text. */
static bool
address_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	struct in6_addr binary; /* either's */
	char text[INET6_ADDRSTRLEN];
	int family = strchr(value, ':') ? AF_INET6 : AF_INET;

	if (inet_pton(family, value, &binary) != 1)
		return FAULT("%s is \"%s\"; write an IPv4 or IPv6 address, not a name", key->name,
			     value);
	if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&binary))
		return FAULT(
		    "%s is \"%s\", which is good on one link only; write another one of it",
		    key->name, value);
	text_set(field, key->max + 1, inet_ntop(family, &binary, text, sizeof(text)));
	return true;
}

const struct kind kind_address = {address_parse, text_print, text_given, NULL, false};

static bool
uuid_kind_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	uint8_t uuid[UUID_SIZE];

	if (!uuid_parse(value, uuid) || uuid_is_zero(uuid))
		return FAULT(
		    "%s is \"%s\"; write one as uuidgen(1) prints it, or leave the line out",
		    key->name, value);
	memcpy(field, uuid, sizeof(uuid));
	return true;
}

static void
uuid_print(const struct key *key, const void *field, FILE *to)
{
	char text[UUID_TEXT_SIZE];

	(void)key;
	uuid_text(field, text);
	fprintf(to, "\"%s\"", text);
}

static bool
uuid_given(const void *field)
{
	return !uuid_is_zero(field);
}

const struct kind kind_uuid = {uuid_kind_parse, uuid_print, uuid_given, NULL, false};

/* Digits and what follows them; false: none, or too many. */
static bool
digits_read(const char *value, uint64_t *number, const char **rest)
{
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	*number = strtoull(value, &end, 10);
	*rest = end;
	return errno == 0;
}

static bool
number_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	const char *rest;
	uint64_t number;

	if (!digits_read(value, &number, &rest) || *rest || number < key->min || number > key->max)
		return FAULT("%s is \"%s\"; write a number from %" PRIu32 " to %" PRIu32, key->name,
			     value, key->min, key->max);
	*(uint32_t *)field = (uint32_t)number;
	return true;
}

static void
number_print(const struct key *key, const void *field, FILE *to)
{
	(void)key;
	fprintf(to, "%" PRIu32, *(const uint32_t *)field);
}

static bool
number_given(const void *field)
{
	return *(const uint32_t *)field != 0;
}

/* 0: not given. Of a count 0 is a value like any other. */
const struct kind kind_number = {number_parse, number_print, number_given, NULL, false};
const struct kind kind_count = {number_parse, number_print, NULL, NULL, false};

/* The largest unit that goes into ms without a rest. */
static void
duration_text(uint32_t ms, char text[24])
{
	size_t i = 0;

	while (units[i].ms > (ms ? ms : 1000) || ms % units[i].ms)
		i++;
	snprintf(text, 24, "%" PRIu32 "%s", ms / units[i].ms, units[i].name);
}

static bool
duration_read(const char *value, uint64_t *ms)
{
	const char *unit;
	uint64_t number;

	if (!digits_read(value, &number, &unit) || number > UINT32_MAX)
		return false;
	for (size_t i = 0; i < UNITS_COUNT; i++)
		if (strcmp(unit, units[i].name) == 0) {
			*ms = number * units[i].ms;
			return true;
		}
	return false;
}

static bool
duration_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	char min[24], max[24];
	uint64_t ms;

	if (!duration_read(value, &ms))
		return FAULT("%s is \"%s\"; write a number and its unit: 500ms, 2s, 1min or 1h",
			     key->name, value);
	duration_text(key->min, min);
	duration_text(key->max, max);
	if (ms < key->min || ms > key->max)
		return FAULT("%s is \"%s\"; it may be from %s to %s", key->name, value, min, max);
	*(uint32_t *)field = (uint32_t)ms;
	return true;
}

static void
duration_print(const struct key *key, const void *field, FILE *to)
{
	char text[24];

	(void)key;
	duration_text(*(const uint32_t *)field, text);
	fprintf(to, "\"%s\"", text);
}

const struct kind kind_duration = {duration_parse, duration_print, NULL, NULL, false};

static bool
choice_read(const struct place *place, const struct key *key, const char *value, int *chosen)
{
	char choices[256] = "";

	*chosen = name_value(key->choices, value);
	if (*chosen >= 0)
		return true;
	for (const struct name *name = key->choices; name->name; name++) {
		size_t used = strlen(choices);

		snprintf(choices + used, sizeof(choices) - used, "%s\"%s\"", used ? " or " : "",
			 name->name);
	}
	return FAULT("%s is \"%s\"; write %s", key->name, value, choices);
}

static bool
choice_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	int chosen;

	if (!choice_read(place, key, value, &chosen))
		return false;
	*(unsigned *)field = (unsigned)chosen;
	return true;
}

static void
choice_print(const struct key *key, const void *field, FILE *to)
{
	fprintf(to, "\"%s\"", name_of(key->choices, (int)*(const unsigned *)field));
}

/* Of an option 0 is what is nothing out of the ordinary, and not printed. */
const struct kind kind_choice = {choice_parse, choice_print, NULL, NULL, false};
const struct kind kind_option = {choice_parse, choice_print, number_given, NULL, false};

static bool
flag_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	int chosen;

	if (!choice_read(place, key, value, &chosen))
		return false;
	*(bool *)field = chosen != 0;
	return true;
}

static void
flag_print(const struct key *key, const void *field, FILE *to)
{
	fprintf(to, "\"%s\"", name_of(key->choices, *(const bool *)field));
}

const struct kind kind_flag = {flag_parse, flag_print, NULL, NULL, false};
