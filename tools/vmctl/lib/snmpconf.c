/*
 * The credentials of net-snmp's tools: what snmp.conf(5) calls the defaults. Read here and not by
 * net-snmp, so that a file with secrets that others may read is seen, and because it would read the
 * MIBs that these files name as well.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

#define DIRECTORIES "/etc/snmp:/usr/share/snmp:/usr/local/share/snmp" /* and ~/.snmp */

static void
set_version(struct profile *profile, const char *value)
{
	profile->version = strcmp(value, "3") == 0 ? PROFILE_V3 : PROFILE_V2C;
}

static void
set_level(struct profile *profile, const char *value)
{
	profile->level = strcasecmp(value, "authPriv") == 0 || strcmp(value, "ap") == 0 ? LEVEL_PRIV
			 : strcasecmp(value, "authNoPriv") == 0 || strcmp(value, "anp") == 0
			     ? LEVEL_AUTH
			     : LEVEL_NONE;
}

#define SETTER(name, field)                                                                        \
	static void set_##name(struct profile *profile, const char *value)                         \
	{                                                                                          \
		secret_set(&profile->field, value);                                                \
	}
SETTER(community, community)
SETTER(user, user)
SETTER(context, context)
SETTER(auth_type, auth_protocol)
SETTER(auth_password, auth_password)
SETTER(priv_type, priv_protocol)
SETTER(priv_password, priv_password)

static void
set_password(struct profile *profile, const char *value)
{
	secret_set(&profile->auth_password, value);
	secret_set(&profile->priv_password, value);
}

static const struct token {
	const char *name;
	bool secret;
	void (*set)(struct profile *profile, const char *value);
} tokens[] = {
    {"defVersion", false, set_version},	   {"defCommunity", true, set_community},
    {"defSecurityName", false, set_user},  {"defSecurityLevel", false, set_level},
    {"defContext", false, set_context},	   {"defPassphrase", true, set_password},
    {"defAuthType", false, set_auth_type}, {"defAuthPassphrase", true, set_auth_password},
    {"defPrivType", false, set_priv_type}, {"defPrivPassphrase", true, set_priv_password},
};

/* A line is a word and a value, which may be quoted. */
static bool
line_read(struct profile *profile, char *line, bool *secret)
{
	char *save = NULL, *word = strtok_r(line, " \t\r\n", &save);
	char *value = word ? strtok_r(NULL, "\r\n", &save) : NULL;
	size_t length;

	if (!word || *word == '#' || !value)
		return false;
	value += strspn(value, " \t");
	for (length = strlen(value); length > 0 && strchr(" \t", value[length - 1]); length--)
		value[length - 1] = 0;
	if (length > 1 && (*value == '"' || *value == '\'') && value[length - 1] == *value) {
		value[length - 1] = 0;
		value++;
	}
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
		if (strcasecmp(tokens[i].name, word) == 0) {
			tokens[i].set(profile, value);
			*secret |= tokens[i].secret && strcmp(value, "public") != 0;
			return true;
		}
	return false;
}

static bool
file_read(struct profile *profile, const char *path, char error[VMCTL_ERROR_SIZE])
{
	FILE *file = fopen(path, "re");
	char line[2048];
	bool secret = false;

	if (!file)
		return true; /* as net-snmp's tools have it: whatever is there */
	while (fgets(line, sizeof(line), file))
		line_read(profile, line, &secret);
	explicit_bzero(line, sizeof(line));
	fclose(file);
	return !secret || secret_file_check(path, error);
}

/* Later files have the last word; SNMPCONFPATH takes the place of all directories. */
bool
snmpconf_read(struct profile *profile, char error[VMCTL_ERROR_SIZE])
{
	static const char *const names[] = {"snmp.conf", "snmp.local.conf"};
	const char *given = getenv("SNMPCONFPATH"), *home = getenv("HOME");
	char directories[4096], path[4200], *save = NULL;
	bool ok = true;

	set_version(profile, "3");
	set_level(profile, "authPriv");
	if (given)
		snprintf(directories, sizeof(directories), "%s", given);
	else
		snprintf(directories, sizeof(directories), "%s%s%s", DIRECTORIES, home ? ":" : "",
			 home ? home : "");
	for (char *part = strtok_r(directories, ":", &save); part && ok;
	     part = strtok_r(NULL, ":", &save))
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && ok; i++) {
			bool at_home = !given && home && strcmp(part, home) == 0;

			snprintf(path, sizeof(path), "%s%s/%s", part, at_home ? "/.snmp" : "",
				 names[i]);
			ok = file_read(profile, path, error);
		}
	if (!ok)
		return false;
	if (profile->community && !profile->user)
		profile->version = PROFILE_V2C;
	if (!profile->community && !profile->user) {
		text_format(
		    error, VMCTL_ERROR_SIZE,
		    "no credentials: give a profile in vmctl.conf(5), or defSecurityName and "
		    "its passphrases in ~/.snmp/snmp.conf");
		return false;
	}
	if (!profile->auth_protocol)
		secret_set(&profile->auth_protocol, "SHA");
	if (!profile->priv_protocol)
		secret_set(&profile->priv_protocol, "AES");
	return true;
}
