#include "tools/simxen/xlfile.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"

#define VALUE_SIZE 4096

struct parser {
	struct vmdef *def;
	const char *at;
	unsigned line;
	const char *origin;
	char *error;
	char value[VALUE_SIZE];
};

/* A key that simxen uses. set takes one value, or one item of a list; returns what is wrong. */
struct key {
	const char *name;
	const char *(*set)(struct vmdef *def, const struct key *key, const char *text);
	size_t offset;
	int64_t least, most;
};

static const char *
set_text(struct vmdef *def, const struct key *key, const char *text)
{
	if (!*text)
		return "must not be empty";
	text_set((char *)def + key->offset, (size_t)key->most, text);
	return strcmp((char *)def + key->offset, text) == 0
		   ? NULL
		   : "is too long or has control characters";
}

static const char *
parse_number(const struct key *key, const char *text, int64_t *number)
{
	static char wrong[120];
	char *end;

	errno = 0;
	*number = strtoll(text, &end, 0);
	if (errno == 0 && end != text && !*end && *number >= key->least && *number <= key->most)
		return NULL;
	snprintf(wrong, sizeof(wrong), "a number from %lld to %lld is needed, not \"%.40s\"",
		 (long long)key->least, (long long)key->most, text);
	return wrong;
}

static const char *
set_u32(struct vmdef *def, const struct key *key, const char *text)
{
	int64_t number;
	const char *wrong = parse_number(key, text, &number);

	if (!wrong)
		*(uint32_t *)((char *)def + key->offset) = (uint32_t)number;
	return wrong;
}

static const char *
set_i64(struct vmdef *def, const struct key *key, const char *text)
{
	return parse_number(key, text, (int64_t *)((char *)def + key->offset));
}

static const char *
set_bool(struct vmdef *def, const struct key *key, const char *text)
{
	int64_t number = 0;
	const char *wrong = parse_number(key, text, &number);

	*(bool *)((char *)def + key->offset) = number != 0;
	return wrong;
}

static const char *
set_uuid(struct vmdef *def, const struct key *key, const char *text)
{
	uint8_t uuid[UUID_SIZE];

	(void)key;
	if (!uuid_parse(text, uuid))
		return "is no UUID";
	uuid_text(uuid, def->uuid);
	return NULL;
}

static const char *
set_action(struct vmdef *def, const struct key *key, const char *text)
{
	int action = name_value(on_action_names, text);

	if (action <= ON_UNKNOWN)
		return "must be destroy, restart, rename-restart, preserve, coredump-destroy, "
		       "coredump-restart or soft-reset";
	*(enum on_action *)((char *)def + key->offset) = (enum on_action)action;
	return NULL;
}

static const char *
set_address(struct vmdef *def, const struct key *key, const char *text)
{
	struct in_addr address;

	(void)key;
	if (inet_pton(AF_INET, text, &address) != 1 || ntohl(address.s_addr) >> 24 != 127)
		return "must be an IPv4 address of the loopback network, 127.x.y.z";
	TEXT_SET(def->address, text);
	return NULL;
}

static const char *
add_service(struct vmdef *def, const struct key *key, const char *text)
{
	(void)key;
	if (def->service_count == VMDEF_SERVICES)
		return "has too many services";
	if (!vmdef_parse_service(text, &def->services[def->service_count]))
		return "must be a list of \"tcp:PORT\" and \"udp:PORT\"";
	def->service_count++;
	return NULL;
}

/* The value of name= in one part of a device's text, or NULL. */
static const char *
part_value(const char *part, const char *name)
{
	size_t length = strlen(name);

	return strncmp(part, name, length) == 0 && part[length] == '=' ? part + length + 1 : NULL;
}

/* Old spellings have a bare device name ("phy:/dev/vg0/www,xvda,w"). */
static bool
is_vdev(const char *part)
{
	return (strncmp(part, "xvd", 3) == 0 || strncmp(part, "hd", 2) == 0 ||
		strncmp(part, "sd", 2) == 0) &&
	       !strpbrk(part, "/=:");
}

/* One part of a disk's text, but target=. A bare word is the target, a device or the access. */
static void
take_disk_part(struct vmdef_disk *disk, const char *part)
{
	const char *value = part_value(part, "vdev");
	const char *access = part_value(part, "access");

	if (value || is_vdev(part))
		TEXT_SET(disk->vdev, value ? value : part);
	else if (access || strcmp(part, "r") == 0 || strcmp(part, "ro") == 0)
		disk->read_only = !access || access[strcspn(access, "w")] == '\0';
	else if (!strchr(part, '=') && !*disk->target)
		TEXT_SET(disk->target, strchr(part, ':') ? strrchr(part, ':') + 1 : part);
}

/* xl-disk-configuration(5): target= comes last and takes the rest of the text. */
static const char *
add_disk(struct vmdef *def, const struct key *key, const char *text)
{
	struct vmdef_disk disk = {0};
	char copy[VALUE_SIZE], *rest = copy, *part;

	(void)key;
	if (def->disk_count == VMDEF_DEVICES)
		return "has too many disks";
	snprintf(copy, sizeof(copy), "%s", text);
	while ((part = rest)) {
		part += strspn(part, " \t");
		if (part_value(part, "target")) {
			TEXT_SET(disk.target, part_value(part, "target"));
			break;
		}
		strsep(&rest, ",");
		take_disk_part(&disk, part);
	}
	if (!*disk.vdev)
		return "a disk has no vdev";
	def->disks[def->disk_count++] = disk;
	return NULL;
}

static const char *
add_vif(struct vmdef *def, const struct key *key, const char *text)
{
	struct vmdef_vif vif = {"", ""};
	char copy[VALUE_SIZE], *rest = copy, *part;
	const char *value;

	(void)key;
	if (def->vif_count == VMDEF_DEVICES)
		return "has too many interfaces";
	snprintf(copy, sizeof(copy), "%s", text);
	while ((part = strsep(&rest, ","))) {
		part += strspn(part, " \t");
		if ((value = part_value(part, "mac")))
			TEXT_SET(vif.mac, value);
		else if ((value = part_value(part, "bridge")))
			TEXT_SET(vif.bridge, value);
	}
	def->vifs[def->vif_count++] = vif;
	return NULL;
}

#define AT(field) offsetof(struct vmdef, field)
#define HOUR_MS 3600000

static const struct key keys[] = {
    {"name", set_text, AT(name), 0, VMDEF_TEXT},
    {"uuid", set_uuid, 0, 0, 0},
    {"memory", set_u32, AT(memory_mib), 1, VMDEF_MEMORY},
    {"maxmem", set_u32, AT(maxmem_mib), 1, VMDEF_MEMORY},
    {"vcpus", set_u32, AT(vcpus), 1, VMDEF_VCPUS},
    {"on_poweroff", set_action, AT(on_poweroff), 0, 0},
    {"on_reboot", set_action, AT(on_reboot), 0, 0},
    {"on_crash", set_action, AT(on_crash), 0, 0},
    {"disk", add_disk, AT(disk_count), 0, 0},
    {"vif", add_vif, AT(vif_count), 0, 0},
    {"simxen_address", set_address, 0, 0, 0},
    {"simxen_services", add_service, AT(service_count), 0, 0},
    {"simxen_boot_ms", set_i64, AT(boot_ms), 0, HOUR_MS},
    {"simxen_shutdown_ms", set_i64, AT(shutdown_ms), 0, HOUR_MS},
    {"simxen_load", set_u32, AT(load_percent), 0, 100},
    {"simxen_used", set_i64, AT(used_mib), 0, VMDEF_MEMORY},
    {"simxen_crash_ms", set_i64, AT(crash_ms), 0, HOUR_MS},
    {"simxen_tools", set_bool, AT(tools), 0, 1},
    {"simxen_saved", set_bool, AT(saved), 0, 1},
};

static const struct key *
find_key(const char *name)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

static bool
is_list(const struct key *key)
{
	return key && (key->set == add_disk || key->set == add_vif || key->set == add_service);
}

static bool __attribute__((format(printf, 2, 3)))
complain(struct parser *p, const char *format, ...)
{
	char text[200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	text_format(p->error, XLFILE_ERROR, "%s:%u: %s", p->origin, p->line, text);
	return false;
}

/* Skips blanks and comments; lines too where a value may go on. */
static void
skip_blank(struct parser *p, bool lines)
{
	for (; *p->at; p->at++) {
		if (*p->at == '#')
			while (p->at[1] && p->at[1] != '\n')
				p->at++;
		else if (*p->at == '\n' && lines)
			p->line++;
		else if (*p->at == '\n' || !isspace((unsigned char)*p->at))
			return;
	}
}

/* A string, or a bare word such as a number, into p->value. */
static bool
read_scalar(struct parser *p)
{
	char quote = *p->at == '"' || *p->at == '\'' ? *p->at++ : '\0';
	size_t length = 0;

	for (;; p->at++) {
		if (quote ? *p->at == quote : !*p->at || strchr(" \t\r\n,;]#", *p->at))
			break;
		if (!*p->at || *p->at == '\n')
			return complain(p, "a string does not end on its line");
		if (length == sizeof(p->value) - 1)
			return complain(p, "a value is longer than %d octets", VALUE_SIZE - 1);
		p->value[length++] = *p->at;
	}
	p->value[length] = '\0';
	if (quote)
		p->at++;
	else if (length == 0)
		return complain(p, "a value is missing");
	return true;
}

static bool
take_scalar(struct parser *p, const struct key *key)
{
	const char *wrong;

	if (!read_scalar(p))
		return false;
	wrong = key ? key->set(p->def, key, p->value) : NULL;
	return wrong ? complain(p, "%s: %s", key->name, wrong) : true;
}

/* Lists within lists (some keys of xl have them) are read and skipped by depth. */
static bool
take_list(struct parser *p, const struct key *key)
{
	unsigned depth = 0, opened = p->line;

	do {
		skip_blank(p, true);
		if (*p->at == '[' || *p->at == ']') {
			depth += *p->at == '[' ? 1 : -1;
			p->at++;
		} else if (*p->at == ',') {
			p->at++;
		} else if (!*p->at) {
			p->line = opened;
			return complain(p, "a list has no end");
		} else if (!take_scalar(p, depth == 1 ? key : NULL)) {
			return false;
		}
	} while (depth);
	return true;
}

static bool
take_value(struct parser *p, const struct key *key, bool append)
{
	if (is_list(key) && !append)
		*(uint32_t *)((char *)p->def + key->offset) = 0;
	if (*p->at != '[')
		return take_scalar(p, key);
	if (key && !is_list(key))
		return complain(p, "%s: one value is needed, not a list", key->name);
	return take_list(p, key);
}

static bool
take_setting(struct parser *p)
{
	char name[64];
	size_t length =
	    strspn(p->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	bool append;

	if (length == 0 || length >= sizeof(name))
		return complain(p, "KEY = VALUE is needed at \"%.20s\"", p->at);
	memcpy(name, p->at, length);
	name[length] = '\0';
	p->at += length;
	skip_blank(p, false);
	append = *p->at == '+';
	p->at += append;
	if (*p->at != '=')
		return complain(p, "%s: = is missing", name);
	p->at++;
	skip_blank(p, false);
	if (!take_value(p, find_key(name), append))
		return false;
	skip_blank(p, false);
	if (*p->at && *p->at != '\n' && *p->at != ';')
		return complain(p, "%s: something follows the value: \"%.20s\"", name, p->at);
	return true;
}

bool
xlfile_parse(struct vmdef *def, const char *text, const char *origin,
	     char error[static XLFILE_ERROR])
{
	struct parser p = {.def = def, .at = text, .line = 1, .origin = origin, .error = error};

	for (;;) {
		skip_blank(&p, true);
		if (*p.at == ';')
			p.at++;
		else if (!*p.at)
			return true;
		else if (!take_setting(&p))
			return false;
	}
}

bool
xlfile_finish(struct vmdef *def, const char *origin, char error[static XLFILE_ERROR])
{
	if (!*def->name) {
		text_format(error, XLFILE_ERROR, "%s: name = \"...\" is missing", origin);
		return false;
	}
	if (def->maxmem_mib == 0)
		def->maxmem_mib = def->memory_mib;
	if (def->maxmem_mib < def->memory_mib) {
		text_format(error, XLFILE_ERROR, "%s: maxmem %u is less than memory %u", origin,
			    def->maxmem_mib, def->memory_mib);
		return false;
	}
	return true;
}

/* The whole of a regular file, ended by a NUL; NULL with errno or, where errno is 0, too long. */
static char *
read_whole(const char *path)
{
	struct stat st;
	char *text = NULL;
	ssize_t length = -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), saved;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		text = mem_alloc(XLFILE_SIZE + 1);
		length = read(fd, text, XLFILE_SIZE + 1);
	} else {
		errno = EINVAL;
	}
	saved = errno;
	close(fd);
	if (length < 0 || length > XLFILE_SIZE) {
		free(text);
		errno = length < 0 ? saved : EFBIG;
		return NULL;
	}
	text[length] = '\0';
	return text;
}

bool
xlfile_read(struct vmdef *def, const char *path, const char *overrides,
	    char error[static XLFILE_ERROR])
{
	char *text = read_whole(path);
	bool ok;

	if (!text) {
		text_format(error, XLFILE_ERROR, "%s: cannot read: %s", path,
			    errno == EINVAL ? "no regular file" : strerror(errno));
		return false;
	}
	vmdef_init(def);
	ok = xlfile_parse(def, text, path, error) &&
	     (!overrides || xlfile_parse(def, overrides, "override", error)) &&
	     xlfile_finish(def, path, error);
	free(text);
	return ok;
}
