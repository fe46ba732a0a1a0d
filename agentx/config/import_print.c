#include "config/import.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "config/reader.h"

#define COLUMNS 100
#define TAB 8

static void
print_list(const char *key, size_t count, const char *(*item)(const void *of, size_t i),
	   const void *of, FILE *to)
{
	size_t column = TAB + strlen(key) + strlen(" = {");

	if (count == 0)
		return;
	fprintf(to, "\t%s = {", key);
	for (size_t i = 0; i < count; i++) {
		const char *text = item(of, i);
		size_t width = strlen(text) + strlen("\"\", ");

		if (i > 0 && column + width > COLUMNS) {
			fputs(",\n\t\t", to);
			column = 2 * TAB;
		} else if (i > 0) {
			fputs(", ", to);
		}
		fprintf(to, "\"%s\"", text);
		column += width;
	}
	fputs("}\n", to);
}

static const char *
service_item(const void *of, size_t i)
{
	return ((const struct config_provider *)of)->services[i].name;
}

static const char *
need_item(const void *of, size_t i)
{
	return ((const struct config_vm *)of)->needs_text[i].text;
}

/* Left to be filled in where hosts(5) does not say it. */
static void
print_address(const struct config_provider *provider, FILE *to)
{
	if (provider->address[0])
		fprintf(to, "\taddress = \"%s\"\n", provider->address);
	else
		fputs("\t#address = \"\" # FILL IN: IPv4 or IPv6; its services are probed there\n",
		      to);
}

static void
print_services(const struct config_provider *provider, FILE *to)
{
	print_list("services", provider->services_count, service_item, provider, to);
}

static void
print_vm(const struct config_vm *vm, FILE *to)
{
	fprintf(to, "\nvm \"%s\" {\n\tfile = \"%s\"\n", vm->provider.name, vm->file);
	print_address(&vm->provider, to);
	if (vm->memory_mib)
		fprintf(to, "\tmemory = %" PRIu32 "\n", vm->memory_mib);
	print_services(&vm->provider, to);
	print_list("needs", vm->needs_text_count, need_item, vm, to);
	fputs("}\n", to);
}

static void
print_external(const struct config_external *external, FILE *to)
{
	fprintf(to, "\nexternal \"%s\" {\n", external->provider.name);
	print_address(&external->provider, to);
	print_services(&external->provider, to);
	fputs("\t#host = \"\" # the Dom0 that it is a VM of, if it is one\n}\n", to);
}

static bool
offers_udp(const struct config_provider *provider)
{
	for (size_t i = 0; i < provider->services_count; i++)
		if (provider->services[i].kind == SERVICE_UDP)
			return true;
	return false;
}

static bool
has_udp(const struct config *config)
{
	for (size_t i = 0; i < config->vms_count; i++)
		if (offers_udp(&config->vms[i].provider))
			return true;
	for (size_t i = 0; i < config->externals_count; i++)
		if (offers_udp(&config->externals[i].provider))
			return true;
	return false;
}

void
import_print(const struct config *config, const struct import *import, FILE *to)
{
	char file[1024]; /* no line may end in it */

	TEXT_SET(file, import->file);
	fprintf(to, "# From %s, a configuration of LauXen of 2008; see lauxen.conf(5).\n", file);
	if (has_udp(config))
		fputs("# A service over udp is up when it answers; one that never does, but\n"
		      "# for syslog's on port 514, needs a section service with silence = up.\n",
		      to);
	for (size_t i = 0; i < config->vms_count; i++)
		print_vm(&config->vms[i], to);
	for (size_t i = 0; i < config->externals_count; i++)
		print_external(&config->externals[i], to);
}
