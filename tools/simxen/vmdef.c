#include "tools/simxen/vmdef.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

void
vmdef_init(struct vmdef *def)
{
	*def = (struct vmdef){
	    .memory_mib = 128,
	    .vcpus = 1,
	    .on_poweroff = ON_DESTROY,
	    .on_reboot = ON_RESTART,
	    .on_crash = ON_DESTROY,
	    .boot_ms = -1,
	    .shutdown_ms = -1,
	    .load_percent = -1,
	    .used_mib = -1,
	    .tools = true,
	    .crash_ms = -1,
	};
}

void
vmdef_make(struct vmdef *def, unsigned n, const char *prefix)
{
	vmdef_init(def);
	TEXT_FORMAT(def->name, "vm%04u", n);
	TEXT_FORMAT(def->uuid, "51520000-0000-4000-8000-%012x", n);
	def->memory_mib = 256;
	def->maxmem_mib = 512;
	def->vcpus = 1 + n % 2;
	def->disk_count = def->vif_count = 1;
	TEXT_SET(def->disks[0].vdev, "xvda");
	TEXT_FORMAT(def->disks[0].target, "/dev/vg0/vm%04u", n);
	TEXT_FORMAT(def->vifs[0].mac, "00:16:3e:%02x:%02x:%02x", n >> 16 & 255, n >> 8 & 255,
		    n & 255);
	TEXT_SET(def->vifs[0].bridge, "xenbr0");
	if (!prefix)
		return;
	TEXT_FORMAT(def->address, "%s.%u.%u", prefix, n / 250 & 255, n % 250 + 1);
	def->services[def->service_count++] = (struct vmdef_service){.port = 80};
	if (n % 10 == 0)
		def->services[def->service_count++] =
		    (struct vmdef_service){.udp = true, .port = 53};
}

/* xl's strings know no escapes: a text with one kind of quote goes into the other. */
static void
write_text(FILE *to, const char *key, const char *value)
{
	char quote = strchr(value, '"') ? '\'' : '"';

	if (*value)
		fprintf(to, "%s = %c%s%c\n", key, quote, value, quote);
}

static void
write_number(FILE *to, const char *key, int64_t value)
{
	if (value >= 0)
		fprintf(to, "%s = %" PRId64 "\n", key, value);
}

static void
write_devices(FILE *to, const struct vmdef *def)
{
	fprintf(to, "disk = [");
	for (uint32_t i = 0; i < def->disk_count; i++)
		fprintf(to, "%s'format=raw,vdev=%s,access=%s,target=%s'", i ? ", " : " ",
			def->disks[i].vdev, def->disks[i].read_only ? "ro" : "rw",
			def->disks[i].target);
	fprintf(to, " ]\nvif = [");
	for (uint32_t i = 0; i < def->vif_count; i++)
		fprintf(to, "%s'%s%s%s%s'", i ? ", " : " ", *def->vifs[i].mac ? "mac=" : "",
			def->vifs[i].mac, *def->vifs[i].bridge ? ",bridge=" : "",
			def->vifs[i].bridge);
	fprintf(to, " ]\n");
}

void
vmdef_write(const struct vmdef *def, FILE *to)
{
	write_text(to, "name", def->name);
	write_text(to, "uuid", def->uuid);
	write_number(to, "memory", def->memory_mib);
	write_number(to, "maxmem", def->maxmem_mib);
	write_number(to, "vcpus", def->vcpus);
	write_text(to, "on_poweroff", name_of(on_action_names, (int)def->on_poweroff));
	write_text(to, "on_reboot", name_of(on_action_names, (int)def->on_reboot));
	write_text(to, "on_crash", name_of(on_action_names, (int)def->on_crash));
	write_devices(to, def);
	write_text(to, "simxen_address", def->address);
	if (def->service_count) {
		fprintf(to, "simxen_services = [");
		for (uint32_t i = 0; i < def->service_count; i++)
			fprintf(to, "%s\"%s:%u\"", i ? ", " : " ",
				def->services[i].udp ? "udp" : "tcp", def->services[i].port);
		fprintf(to, " ]\n");
	}
	write_number(to, "simxen_boot_ms", def->boot_ms);
	write_number(to, "simxen_shutdown_ms", def->shutdown_ms);
	write_number(to, "simxen_load", def->load_percent);
	write_number(to, "simxen_used", def->used_mib);
	write_number(to, "simxen_crash_ms", def->crash_ms);
	if (!def->tools)
		write_number(to, "simxen_tools", 0);
	if (def->saved)
		write_number(to, "simxen_saved", 1);
}

bool
vmdef_parse_service(const char *text, struct vmdef_service *service)
{
	unsigned port = 0;

	service->udp = strncmp(text, "udp:", 4) == 0;
	if (!service->udp && strncmp(text, "tcp:", 4) != 0)
		return false;
	for (text += 4; isdigit((unsigned char)*text) && port < 65536; text++)
		port = port * 10 + (unsigned)(*text - '0');
	service->port = (uint16_t)port;
	return *text == '\0' && port > 0 && port < 65536;
}
