#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

void
secret_set(char **text, const char *value)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = value ? mem_string(value) : NULL;
}

void
profile_free(struct profile *profile)
{
	char **texts[] = {&profile->community,	   &profile->user,	    &profile->context,
			  &profile->auth_protocol, &profile->auth_password, &profile->priv_protocol,
			  &profile->priv_password};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		secret_set(texts[i], NULL);
	profile_keys_free(profile->keys);
	free(profile);
}

struct profile *
profile_find(struct vmctl *vmctl, const char *name, char error[VMCTL_ERROR_SIZE])
{
	struct profile *profile;

	TAILQ_FOREACH (profile, &vmctl->profiles, next)
		if (strcmp(profile->name, name) == 0)
			return profile;
	if (strcmp(name, "default") != 0) {
		text_format(error, VMCTL_ERROR_SIZE, "there is no profile %s", name);
		return NULL;
	}
	profile = profile_new(name);
	if (!snmpconf_read(profile, error) || !profile_check(profile, error)) {
		profile_free(profile);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&vmctl->profiles, profile, next);
	return profile;
}

const char *
vmctl_profile_at(const struct vmctl *vmctl, size_t position)
{
	const struct profile *profile;

	TAILQ_FOREACH (profile, &vmctl->profiles, next)
		if (position-- == 0)
			return profile->name;
	return NULL;
}

bool
secret_file_check(const char *file, char error[VMCTL_ERROR_SIZE])
{
	struct stat status;

	if (stat(file, &status) != 0 || !S_ISREG(status.st_mode) || !(status.st_mode & S_IRWXO))
		return true;
	text_format(error, VMCTL_ERROR_SIZE,
		    "it has passwords or communities, and others may read it; chmod o= %s", file);
	return false;
}
