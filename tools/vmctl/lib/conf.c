/* vmctl.conf(5), by libconfuse. All of it is checked before anything of it is taken. */
#include <confuse.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

#define DEFAULT_FILE "/etc/lauxen/vmctl.conf"
#define WINDOW_MOST 20000
#define TIMEOUT_MOST_MS 60000
#define RETRIES_MOST 20

/* libconfuse hands nothing of ours to its error function. One file is read at a time. */
static struct reading {
	struct vmctl *vmctl;
	const char *file;
	vmctl_report *report;
	void *arg;
	unsigned errors;
	bool secret; /* the file has passwords or communities */
} * reading;

static void __attribute__((format(printf, 2, 3))) complain(int line, const char *format, ...)
{
	char text[1024], whole[1200 + 4096], where[16] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (line > 0)
		snprintf(where, sizeof(where), "%d:", line);
	snprintf(whole, sizeof(whole), "%s:%s %s", reading->file, where, text);
	reading->errors++;
	if (reading->report)
		reading->report(reading->arg, whole);
}

static void
parser_error(cfg_t *cfg, const char *format, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	complain(cfg->line, "%s; see vmctl.conf(5)", text);
}

/* "500ms", "2s", "1min"; a number alone is seconds. -1: none of these. */
static int
duration_ms(const char *text)
{
	static const struct {
		const char *unit;
		int ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"min", 60000}, {"", 1000}};
	char *end;
	unsigned long number = strtoul(text, &end, 10);

	if (end == text || *text == '-' || number > TIMEOUT_MOST_MS)
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].unit) == 0 &&
		    number * (unsigned long)units[i].ms <= TIMEOUT_MOST_MS)
			return (int)number * units[i].ms;
	return -1;
}

/* A section's timeout and retries; what it does not say stays as it is. */
static void
take_patience(cfg_t *section, int *timeout_ms, int *retries)
{
	const char *timeout = cfg_getstr(section, "timeout");
	long tries = cfg_getint(section, "retries");

	if (timeout && duration_ms(timeout) <= 0)
		complain(section->line, "timeout \"%s\" is none from 1ms to %ds", timeout,
			 TIMEOUT_MOST_MS / 1000);
	else if (timeout)
		*timeout_ms = duration_ms(timeout);
	if (cfg_size(section, "retries") == 0 || tries == -1)
		return;
	if (tries < 0 || tries > RETRIES_MOST)
		complain(section->line, "retries = %ld is not from 0 to %d", tries, RETRIES_MOST);
	else
		*retries = (int)tries;
}

/* ---- profiles ---- */

static const struct {
	const char *key;
	size_t offset;
	bool secret;
} texts[] = {
    {"community", offsetof(struct profile, community), true},
    {"user", offsetof(struct profile, user), false},
    {"context", offsetof(struct profile, context), false},
    {"auth-protocol", offsetof(struct profile, auth_protocol), false},
    {"auth-password", offsetof(struct profile, auth_password), true},
    {"priv-protocol", offsetof(struct profile, priv_protocol), false},
    {"priv-password", offsetof(struct profile, priv_password), true},
};

static void
take_level(cfg_t *section, struct profile *profile)
{
	static const struct name levels[] = {{LEVEL_NONE, "noAuthNoPriv"},
					     {LEVEL_AUTH, "authNoPriv"},
					     {LEVEL_PRIV, "authPriv"},
					     {0, NULL}};
	int level = name_value(levels, cfg_getstr(section, "level"));

	if (level < 0)
		complain(section->line, "level is noAuthNoPriv, authNoPriv or authPriv, and not %s",
			 cfg_getstr(section, "level"));
	else
		profile->level = (enum profile_level)level;
}

static void
take_profile(cfg_t *section)
{
	struct profile *profile = profile_new(cfg_title(section));
	const char *version = cfg_getstr(section, "version");
	char error[VMCTL_ERROR_SIZE];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *value = cfg_getstr(section, texts[i].key);

		secret_set((char **)((char *)profile + texts[i].offset), value);
		reading->secret |= texts[i].secret && value && strcmp(value, "public") != 0;
	}
	TEXT_SET(profile->write,
		 cfg_getstr(section, "write-profile") ? cfg_getstr(section, "write-profile") : "");
	take_level(section, profile);
	profile->version = strcmp(version, "3") == 0 ? PROFILE_V3 : PROFILE_V2C;
	if (strcmp(version, "3") != 0 && strcmp(version, "2c") != 0)
		complain(section->line, "version is \"3\" or \"2c\", and not \"%s\"", version);
	else if (!profile_check(profile, error))
		complain(section->line, "%s", error);
	TAILQ_INSERT_TAIL(&reading->vmctl->profiles, profile, next);
}

/* A profile that is named must be there. "default" can come from snmp.conf. */
static void
check_profile(const char *name, int line)
{
	struct profile *profile;

	if (strcmp(name, "default") == 0)
		return;
	TAILQ_FOREACH (profile, &reading->vmctl->profiles, next)
		if (strcmp(profile->name, name) == 0)
			return;
	complain(line, "there is no profile \"%s\"; write: profile \"%s\" { ... }", name, name);
}

/* ---- hosts and groups ---- */

static void
host_join(struct vmctl_host *host, const char *group)
{
	for (size_t i = 0; i < host->groups_count; i++)
		if (strcmp(host->groups[i], group) == 0)
			return;
	host->groups = mem_resize(host->groups, host->groups_count + 1, sizeof(*host->groups));
	host->groups[host->groups_count++] = mem_string(group);
}

static struct vmctl_host *
take_address(const char *name, const char *address, int line)
{
	char error[VMCTL_ERROR_SIZE];
	struct vmctl_host *host = vmctl_host_add(reading->vmctl, name, address, "", error);

	if (!host)
		complain(line, "%s", error);
	return host;
}

static void
take_host(cfg_t *section)
{
	const char *name = cfg_title(section), *address = cfg_getstr(section, "address");
	struct vmctl_host *host = take_address(name, address ? address : name, section->line);

	if (!host)
		return;
	take_patience(section, &host->timeout_ms, &host->retries);
	if (cfg_getstr(section, "profile")) {
		free(host->profile);
		host->profile = mem_string(cfg_getstr(section, "profile"));
		check_profile(host->profile, section->line);
	}
	for (unsigned i = 0; i < cfg_size(section, "groups"); i++)
		host_join(host, cfg_getnstr(section, "groups", i));
}

/* "NAME", or "NAME=ADDRESS". */
static struct vmctl_host *
take_member(const char *member, int line)
{
	char name[VMCTL_NAME_SIZE];
	size_t length = strcspn(member, "=");
	struct vmctl_host *host;

	if (length == 0 || length >= sizeof(name)) {
		complain(line, "\"%s\" is no host; write \"NAME\" or \"NAME=ADDRESS\"", member);
		return NULL;
	}
	memcpy(name, member, length);
	name[length] = 0;
	host = vmctl_host_find(reading->vmctl, name);
	if (!host)
		return take_address(name, member[length] ? member + length + 1 : name, line);
	if (member[length] && strcmp(host->text, member + length + 1) != 0)
		complain(line, "host %s has the address %s already; remove one", name, host->text);
	return host;
}

static void
take_group(cfg_t *section)
{
	const char *group = cfg_title(section), *profile = cfg_getstr(section, "profile");

	if (vmctl_host_find(reading->vmctl, group))
		complain(section->line, "a host has the name of the group \"%s\"; rename one",
			 group);
	if (profile)
		check_profile(profile, section->line);
	for (unsigned i = 0; i < cfg_size(section, "hosts"); i++) {
		struct vmctl_host *host =
		    take_member(cfg_getnstr(section, "hosts", i), section->line);
		int timeout_ms = 0, retries = -1;

		if (!host)
			continue;
		host_join(host, group);
		take_patience(section, &timeout_ms, &retries);
		if (!*host->profile && profile) {
			free(host->profile);
			host->profile = mem_string(profile);
		}
		if (host->timeout_ms == 0)
			host->timeout_ms = timeout_ms;
		if (host->retries < 0)
			host->retries = retries;
	}
}

static void
take_rest(cfg_t *cfg)
{
	struct vmctl *vmctl = reading->vmctl;
	long window = cfg_getint(cfg, "window");
	struct vmctl_host *host;
	struct profile *profile;

	take_patience(cfg, &vmctl->timeout_ms, &vmctl->retries);
	if (window < 1 || window > WINDOW_MOST)
		complain(0, "window = %ld is not from 1 to %d", window, WINDOW_MOST);
	else
		vmctl->window = (unsigned)window;
	if (cfg_getstr(cfg, "cache-dir"))
		vmctl_set_cache(vmctl, cfg_getstr(cfg, "cache-dir"));
	TAILQ_FOREACH (host, &vmctl->hosts, next)
		if (!*host->profile) {
			free(host->profile);
			host->profile = mem_string("default");
		}
	TAILQ_FOREACH (profile, &vmctl->profiles, next)
		if (*profile->write)
			check_profile(profile->write, 0);
}

#define PATIENCE CFG_STR("timeout", NULL, CFGF_NONE), CFG_INT("retries", -1, CFGF_NONE)

static cfg_opt_t profile_keys[] = {CFG_STR("version", "3", CFGF_NONE),
				   CFG_STR("level", "authPriv", CFGF_NONE),
				   CFG_STR("community", NULL, CFGF_NONE),
				   CFG_STR("user", NULL, CFGF_NONE),
				   CFG_STR("context", NULL, CFGF_NONE),
				   CFG_STR("auth-protocol", "SHA", CFGF_NONE),
				   CFG_STR("auth-password", NULL, CFGF_NONE),
				   CFG_STR("priv-protocol", "AES", CFGF_NONE),
				   CFG_STR("priv-password", NULL, CFGF_NONE),
				   CFG_STR("write-profile", NULL, CFGF_NONE),
				   CFG_END()};
static cfg_opt_t host_keys[] = {CFG_STR("address", NULL, CFGF_NONE),
				CFG_STR("profile", NULL, CFGF_NONE),
				CFG_STR_LIST("groups", NULL, CFGF_NONE), PATIENCE, CFG_END()};
static cfg_opt_t group_keys[] = {CFG_STR("profile", NULL, CFGF_NONE),
				 CFG_STR_LIST("hosts", NULL, CFGF_NONE), PATIENCE, CFG_END()};
static cfg_opt_t schema[] = {
    CFG_STR("cache-dir", NULL, CFGF_NONE),
    CFG_INT("window", WINDOW, CFGF_NONE),
    PATIENCE,
    CFG_SEC("profile", profile_keys, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("host", host_keys, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_SEC("group", group_keys, CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES),
    CFG_END()};

/* Profiles first, as hosts name them; groups last, as they name hosts. */
static void
take_all(cfg_t *cfg)
{
	static const struct {
		const char *name;
		void (*take)(cfg_t *section);
	} kinds[] = {{"profile", take_profile}, {"host", take_host}, {"group", take_group}};
	char error[VMCTL_ERROR_SIZE];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		for (unsigned j = 0; j < cfg_size(cfg, kinds[i].name); j++)
			kinds[i].take(cfg_getnsec(cfg, kinds[i].name, j));
	take_rest(cfg);
	if (reading->secret && !secret_file_check(reading->file, error))
		complain(0, "%s", error);
}

/* Where the directory of the rows is, if the file does not say: a user's own, or root's. */
static void
default_cache(struct vmctl *vmctl)
{
	const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char path[4096];

	if (base && *base)
		snprintf(path, sizeof(path), "%s/vmctl", base);
	else if (geteuid() == 0 || !home)
		snprintf(path, sizeof(path), "/var/cache/lauxen/vmctl");
	else
		snprintf(path, sizeof(path), "%s/.cache/vmctl", home);
	if (!vmctl->cache)
		vmctl_set_cache(vmctl, path);
}

/* A comment or a text that begins at c; the last character of it. */
static int
skip_text(FILE *file, int c)
{
	int quote = c, next;

	if (c == '#') {
		while ((c = getc(file)) != EOF && c != '\n')
			continue;
		return c;
	}
	if (c == '/') {
		next = getc(file);
		if (next == '/')
			return skip_text(file, '#');
		if (next != '*')
			return next;
		for (next = 0; (c = getc(file)) != EOF && !(next == '*' && c == '/'); next = c)
			continue;
		return c;
	}
	while ((c = getc(file)) != EOF && c != quote)
		if (c == '\\')
			getc(file);
	return c;
}

/* libconfuse takes a section that the end of the file cuts off for whole. */
static void
check_braces(const char *path)
{
	FILE *file = fopen(path, "re");
	int c, depth = 0;

	while (file && (c = getc(file)) != EOF) {
		if (strchr("#/\"'", c))
			skip_text(file, c);
		depth += (c == '{') - (c == '}');
	}
	if (file)
		fclose(file);
	if (depth > 0)
		complain(0, "a section is not closed; write a } at its end");
}

static void
forget_all(struct vmctl *vmctl)
{
	struct profile *profile;

	while (!TAILQ_EMPTY(&vmctl->hosts))
		vmctl_host_remove(TAILQ_FIRST(&vmctl->hosts));
	while ((profile = TAILQ_FIRST(&vmctl->profiles))) {
		TAILQ_REMOVE(&vmctl->profiles, profile, next);
		profile_free(profile);
	}
}

bool
vmctl_load(struct vmctl *vmctl, const char *file, vmctl_report *report, void *arg)
{
	struct reading now = {
	    .vmctl = vmctl, .file = file ? file : DEFAULT_FILE, .report = report, .arg = arg};
	cfg_t *cfg;
	int r;

	default_cache(vmctl);
	if (!file && access(DEFAULT_FILE, F_OK) != 0 && errno == ENOENT)
		return true;
	reading = &now;
	cfg = cfg_init(schema, CFGF_NONE);
	cfg_set_error_function(cfg, parser_error);
	r = cfg_parse(cfg, now.file);
	if (r == CFG_FILE_ERROR)
		complain(0, "it cannot be read: %s", strerror(errno));
	else if (r == CFG_SUCCESS)
		check_braces(now.file);
	if (r == CFG_SUCCESS && now.errors == 0)
		take_all(cfg);
	cfg_free(cfg);
	reading = NULL;
	if (now.errors > 0)
		forget_all(vmctl);
	return now.errors == 0;
}
