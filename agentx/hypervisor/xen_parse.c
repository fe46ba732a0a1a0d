#include "hypervisor/xen_driver.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define NUMBER_DIGITS 15 /* fits 64 bits, and 1,000 times it does too */

/* Takes the decimal number at *text; false where there is none, or one too long. */
static bool
take_number(const char **text, uint64_t *number)
{
	const char *p = *text;

	*number = 0;
	for (; isdigit((unsigned char)*p) && p - *text < NUMBER_DIGITS; p++)
		*number = *number * 10 + (uint64_t)(*p - '0');
	if (p == *text || isdigit((unsigned char)*p))
		return false;
	*text = p;
	return true;
}

bool
xen_parse_number(const char *text, uint64_t *number)
{
	if (take_number(&text, number) && !*text)
		return true;
	*number = 0;
	return false;
}

int64_t
xen_parse_time_ms(const char *text)
{
	uint64_t seconds, fraction = 0;

	if (!take_number(&text, &seconds) || seconds > INT64_MAX / 1000)
		return 0;
	if (*text == '.') {
		/* three digits of what follows, whatever their number */
		unsigned scale = 100;

		for (text++; isdigit((unsigned char)*text); text++, scale /= 10)
			fraction += (uint64_t)(*text - '0') * scale;
	}
	return *text ? 0 : (int64_t)(seconds * 1000 + fraction);
}

bool
xen_parse_mac(const char *text, uint8_t mac[6])
{
	unsigned part[6];
	int end = 0;

	memset(mac, 0, 6);
	if (strspn(text, "0123456789abcdefABCDEF:") != strlen(text) ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &part[0], &part[1], &part[2], &part[3],
		   &part[4], &part[5], &end) != 6 ||
	    text[end])
		return false;
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)part[i];
	return true;
}

bool
xen_parse_device(const char *text, struct xen_device_name *name)
{
	const char *dash = strchr(text, '-');
	uint64_t domid, device;

	if (!dash || dash == text || (size_t)(dash - text) >= sizeof(name->kind))
		return false;
	memset(name, 0, sizeof(*name));
	memcpy(name->kind, text, (size_t)(dash - text));
	text = dash + 1;
	if (!take_number(&text, &domid) || *text++ != '-' || !take_number(&text, &device) || *text)
		return false;
	name->domid = (uint32_t)domid;
	name->device = (uint32_t)device;
	return domid <= UINT32_MAX && device <= UINT32_MAX;
}

const char *
xen_parse_params(const char *params)
{
	size_t format = strspn(params, "abcdefghijklmnopqrstuvwxyz0123456789");

	return format && !strncmp(params + format, ":/", 2) ? params + format + 1 : params;
}

/* What libxl and libxc put before the words that matter. */
static const char *const complaint_heads[] = {"libxl: ", "xl: ", "xc: ", "error: ", "panic: "};

/* Lines that say that something failed, but another says why; or that mean nothing. */
static const char *const complaint_noise[] = {
    "xc_dom_do_gunzip",		     /* a kernel that is not compressed; no fault */
    "libxl_report_child_exitstatus", /* the next line has the script's own words */
    "warning:",
    "info:",
    "progress:",
    "Saving to ", /* what xl save and xl restore begin with */
    "Loading new save file ",
    "Savefile contains xl domain config",
    "Parsing config from ",
};

/* Past "libxl_dom.c:646:libxl__build_pv: ", "xg_dom_core.c:205: ". */
static const char *
skip_source(const char *text)
{
	size_t file = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	size_t digits, function;

	if (!file || strncmp(text + file, ".c:", 3))
		return text;
	file += 3;
	digits = strspn(text + file, "0123456789");
	if (!digits || text[file + digits] != ':')
		return text;
	text += file + digits + 1;
	function = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
	if (function && text[function] == ':')
		text += function + 1;
	return text + strspn(text, " ");
}

static const char *
skip_domain(const char *text)
{
	const char *p = text;
	uint64_t domid;

	if (strncmp(p, "Domain ", 7))
		return text;
	p += 7;
	return take_number(&p, &domid) && *p == ':' ? p + 1 : text;
}

static const char *
skip_heads(const char *text)
{
	const char *before;

	do {
		before = text;
		for (size_t i = 0; i < sizeof(complaint_heads) / sizeof(*complaint_heads); i++)
			if (!strncmp(text, complaint_heads[i], strlen(complaint_heads[i])))
				text += strlen(complaint_heads[i]);
	} while (text != before);
	return skip_domain(skip_source(text));
}

static bool
is_noise(const char *line)
{
	for (size_t i = 0; i < sizeof(complaint_noise) / sizeof(*complaint_noise); i++)
		if (strstr(line, complaint_noise[i]))
			return true;
	return false;
}

void
xen_parse_complaint(const char *output, char *error)
{
	char line[512];
	const char *tail;

	*error = '\0';
	for (; *output; output += strcspn(output, "\n"), output += *output == '\n') {
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(output, "\n"), output);
		if (!line[strspn(line, " \t\r")] || is_noise(line))
			continue;
		/* libxc ends each of its lines so */
		tail = ": Internal error";
		if (strlen(line) > strlen(tail) &&
		    !strcmp(line + strlen(line) - strlen(tail), tail))
			line[strlen(line) - strlen(tail)] = '\0';
		text_set(error, TEXT_SIZE, skip_heads(line));
		return;
	}
}

uint32_t
xen_parse_waiting(const char *log, long pid)
{
	uint32_t found = 0;

	/* "Waiting for domain web1 (domid 1) to die [pid 158]"; the last one holds */
	for (const char *p = log; (p = strstr(p, "(domid ")); p++) {
		uint64_t domid, process;
		const char *at = p + strlen("(domid ");
		const char *between = ") to die [pid ";

		if (!take_number(&at, &domid) || strncmp(at, between, strlen(between)))
			continue;
		at += strlen(between);
		if (take_number(&at, &process) && *at == ']' && process == (uint64_t)pid)
			found = (uint32_t)domid;
	}
	return found;
}

bool
xen_parse_log_name(const char *path, char name[VM_NAME_SIZE])
{
	const char *file = strrchr(path, '/');
	const char *end = file ? strstr(file, ".log") : NULL;
	char text[VM_NAME_SIZE];

	if (!end || strncmp(file, "/xl-", 4) || end - file - 4 < 1 ||
	    end - file - 4 >= VM_NAME_SIZE)
		return false;
	/* a name may hold ".log" itself: the last one ends it */
	for (const char *next = end; (next = strstr(next + 1, ".log"));)
		end = next;
	if (end - file - 4 >= VM_NAME_SIZE || !strchr(". ", end[4]))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)(end - file - 4), file + 4);
	text_set(name, VM_NAME_SIZE, text);
	return true;
}

bool
xen_parse_interface(const char *line, struct xen_interface *interface)
{
	struct xen_traffic *in = &interface->received, *out = &interface->sent;
	const char *colon = strrchr(line, ':');
	char name[sizeof(interface->name)];
	size_t length;

	line += strspn(line, " ");
	if (!colon || colon < line)
		return false;
	length = (size_t)(colon - line);
	if (!length || length >= sizeof(name))
		return false;
	memset(interface, 0, sizeof(*interface));
	memcpy(name, line, length);
	name[length] = '\0';
	TEXT_SET(interface->name, name);
	return sscanf(colon + 1,
		      "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %*u %*u %" SCNu64
		      " %" SCNu64 " %" SCNu64 " %" SCNu64,
		      &in->octets, &in->packets, &in->errors, &in->drops, &out->octets,
		      &out->packets, &out->errors, &out->drops) == 8;
}
