/* The kinds of values that are of services and needs. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define SERVICES_MAX 64 /* of one provider */
#define NEEDS_MAX 256	/* of one VM, as written */

#define FAULT(...) (errors_add(place->errors, place->line, __VA_ARGS__), false)

const char *
service_name_fault(const char *name)
{
	if (!*name)
		return "its name is empty; give it one, such as \"80/tcp\"";
	if (strlen(name) >= SERVICE_NAME_SIZE)
		return "its name is too long; at most 31 octets are allowed";
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~' || strchr(":,\"\\", *c))
			return "its name may have no space, colon, comma, quote or backslash, and "
			       "ASCII only; rename it";
	return NULL;
}

bool
provider_add(struct config_provider *provider, const struct config_service *service)
{
	for (size_t i = 0; i < provider->services_count; i++)
		if (strcmp(provider->services[i].name, service->name) == 0)
			return false;
	provider->services = mem_resize(provider->services, provider->services_count + 1,
					sizeof(*provider->services));
	provider->services[provider->services_count++] = *service;
	return true;
}

void
service_dispose(struct config_service *service)
{
	free(service->command);
	*service = (struct config_service){0};
}

/* PORT/tcp, PORT/udp or icmp. */
static bool
short_form_read(const char *value, struct config_service *service)
{
	char *end;
	unsigned long port;

	if (strcmp(value, "icmp") == 0) {
		service->kind = SERVICE_ICMP;
		return true;
	}
	if (*value < '1' || *value > '9')
		return false;
	port = strtoul(value, &end, 10);
	service->port = (uint16_t)port;
	service->kind = strcmp(end, "/tcp") == 0   ? SERVICE_TCP
			: strcmp(end, "/udp") == 0 ? SERVICE_UDP
						   : 0;
	return port <= 65535 && service->kind != 0;
}

static bool
services_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	struct config_provider *provider = field;
	struct config_service service = {.line = place->line};

	if (!short_form_read(value, &service))
		return FAULT(
		    "%s has \"%s\"; write PORT/tcp, PORT/udp or icmp, or a section service",
		    key->name, value);
	if (provider->services_count == SERVICES_MAX)
		return FAULT("%s has more than %d services; remove some", key->name, SERVICES_MAX);
	TEXT_SET(service.name, value);
	if (!provider_add(provider, &service))
		return FAULT("the service \"%s\" stands here again; remove one", value);
	return true;
}

/* They are printed as sections. */
static void
services_print(const struct key *key, const void *field, FILE *to)
{
	(void)key, (void)field, (void)to;
}

static bool
services_given(const void *field)
{
	(void)field;
	return false;
}

static void
services_dispose(void *field)
{
	struct config_provider *provider = field;

	for (size_t i = 0; i < provider->services_count; i++)
		service_dispose(&provider->services[i]);
	free(provider->services);
	provider->services = NULL;
	provider->services_count = 0;
}

const struct kind kind_services = {services_parse, services_print, services_given, services_dispose,
				   true};

/* A list: its count is right behind it in struct config_vm. */
struct need_list {
	struct config_need_text *texts;
	size_t count;
};

_Static_assert(offsetof(struct config_vm, needs_text_count) -
		       offsetof(struct config_vm, needs_text) ==
		   offsetof(struct need_list, count),
	       "kind_needs takes the list and its count for neighbours");

static bool
needs_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	struct need_list *list = field;
	struct config_need_text *need;

	if (!text_check(place, key, value))
		return false;
	if (strlen(value) >= sizeof(need->text))
		return FAULT("%s has \"%s\", which is no name; write PROVIDER:SERVICE", key->name,
			     value);
	if (list->count == NEEDS_MAX)
		return FAULT("%s has more than %d; remove some", key->name, NEEDS_MAX);
	list->texts = mem_resize(list->texts, list->count + 1, sizeof(*list->texts));
	need = &list->texts[list->count++];
	TEXT_SET(need->text, value);
	need->line = place->line;
	return true;
}

static void
needs_print(const struct key *key, const void *field, FILE *to)
{
	const struct need_list *list = field;

	(void)key;
	fputc('{', to);
	for (size_t i = 0; i < list->count; i++)
		fprintf(to, "%s\"%s\"", i ? ", " : "", list->texts[i].text);
	fputc('}', to);
}

static bool
needs_given(const void *field)
{
	return ((const struct need_list *)field)->count > 0;
}

static void
needs_dispose(void *field)
{
	struct need_list *list = field;

	free(list->texts);
	*list = (struct need_list){0};
}

const struct kind kind_needs = {needs_parse, needs_print, needs_given, needs_dispose, true};

static bool
vm_name_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	const char *fault = vm_name_fault(value);

	if (fault)
		return FAULT("%s is \"%s\": %s", key->name, value, fault);
	text_set(field, VM_NAME_SIZE, value);
	return true;
}

static void
vm_name_print(const struct key *key, const void *field, FILE *to)
{
	(void)key;
	fprintf(to, "\"%s\"", (const char *)field);
}

static bool
vm_name_given(const void *field)
{
	return *(const char *)field != '\0';
}

const struct kind kind_vm_name = {vm_name_parse, vm_name_print, vm_name_given, NULL, false};

static bool
port_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	uint32_t port = 0;

	if (!kind_number.parse(place, key, value, &port))
		return false;
	*(uint16_t *)field = (uint16_t)port;
	return true;
}

static void
port_print(const struct key *key, const void *field, FILE *to)
{
	(void)key;
	fprintf(to, "%" PRIu16, *(const uint16_t *)field);
}

static bool
port_given(const void *field)
{
	return *(const uint16_t *)field != 0;
}

const struct kind kind_port = {port_parse, port_print, port_given, NULL, false};

static bool
command_parse(const struct place *place, const struct key *key, const char *value, void *field)
{
	char **command = field;

	if (!text_check(place, key, value))
		return false;
	if (*value != '/')
		return FAULT("%s is \"%s\"; begin it with the plugin's absolute path", key->name,
			     value);
	for (const char *c = strchr(value, '%'); c; c = strchr(c + 2, '%'))
		if (!c[1] || !strchr("ap%", c[1]))
			return FAULT(
			    "%s has %%%.1s; write %%a for the address, %%p for the port, %%%% "
			    "for a percent sign",
			    key->name, c + 1);
	free(*command);
	*command = mem_string(value);
	return true;
}

/* What was put in place of %a and %p is there by now. */
static void
command_print(const struct key *key, const void *field, FILE *to)
{
	(void)key;
	fputc('"', to);
	for (const char *c = *(char *const *)field; *c; c++)
		fprintf(to, "%s%c", *c == '%' ? "%" : "", *c);
	fputc('"', to);
}

static bool
command_given(const void *field)
{
	return *(char *const *)field != NULL;
}

static void
command_dispose(void *field)
{
	free(*(char **)field);
	*(char **)field = NULL;
}

const struct kind kind_command = {command_parse, command_print, command_given, command_dispose,
				  false};
