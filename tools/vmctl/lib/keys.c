#include "tools/vmctl/lib/keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static bool
key_make(const oid *protocol, size_t count, const char *password, u_char *key, size_t *size)
{
	return generate_Ku(protocol, (u_int)count, (const u_char *)password, strlen(password), key,
			   size) == SNMPERR_SUCCESS;
}

static void
keys_make(const struct profile *profile, struct profile_keys *keys)
{
	const char *priv_password =
	    profile->priv_password ? profile->priv_password : profile->auth_password;

	keys->made = true;
	keys->auth_key_size = sizeof(keys->auth_key);
	keys->priv_key_size = sizeof(keys->priv_key);
	if (profile->level >= LEVEL_AUTH) {
		keys->auth = sc_get_auth_oid(usm_lookup_auth_type(profile->auth_protocol),
					     &keys->auth_count);
		if (!keys->auth || !key_make(keys->auth, keys->auth_count, profile->auth_password,
					     keys->auth_key, &keys->auth_key_size))
			TEXT_FORMAT(keys->error, "profile %s: no key can be made with %s",
				    profile->name, profile->auth_protocol);
	}
	if (profile->level >= LEVEL_PRIV && !*keys->error) {
		keys->priv = sc_get_priv_oid(usm_lookup_priv_type(profile->priv_protocol),
					     &keys->priv_count);
		if (!keys->priv || !key_make(keys->auth, keys->auth_count, priv_password,
					     keys->priv_key, &keys->priv_key_size))
			TEXT_FORMAT(keys->error, "profile %s: no key can be made with %s",
				    profile->name, profile->priv_protocol);
	}
}

const struct profile_keys *
profile_keys_of(const struct profile *profile)
{
	if (!profile->keys->made)
		keys_make(profile, profile->keys);
	return profile->keys;
}

void
profile_keys_free(struct profile_keys *keys)
{
	if (keys)
		explicit_bzero(keys, sizeof(*keys));
	free(keys);
}

struct profile *
profile_new(const char *name)
{
	struct profile *profile = mem_alloc(sizeof(*profile));

	TEXT_SET(profile->name, name);
	profile->keys = mem_alloc(sizeof(*profile->keys));
	return profile;
}

bool
profile_check(const struct profile *profile, char error[VMCTL_ERROR_SIZE])
{
	const char *name = profile->name;

	session_init();
	*error = 0;
	if (profile->version == PROFILE_V2C) {
		if (!profile->community || !*profile->community)
			text_format(
			    error, VMCTL_ERROR_SIZE,
			    "profile %s has no community; give one, or version = 3 and a user",
			    name);
		return !*error;
	}
	if (!profile->user || !*profile->user)
		text_format(error, VMCTL_ERROR_SIZE, "profile %s is of version 3 and has no user",
			    name);
	else if (profile->level >= LEVEL_AUTH &&
		 (!profile->auth_password || strlen(profile->auth_password) < USM_LENGTH_P_MIN))
		text_format(error, VMCTL_ERROR_SIZE,
			    "profile %s needs an auth-password of at least %d characters", name,
			    USM_LENGTH_P_MIN);
	else if (profile->priv_password && strlen(profile->priv_password) < USM_LENGTH_P_MIN)
		text_format(error, VMCTL_ERROR_SIZE,
			    "profile %s needs a priv-password of at least %d characters", name,
			    USM_LENGTH_P_MIN);
	else if (usm_lookup_auth_type(profile->auth_protocol) < 0)
		text_format(
		    error, VMCTL_ERROR_SIZE,
		    "profile %s: no auth-protocol %s; there are MD5, SHA, SHA-224, SHA-256, "
		    "SHA-384, SHA-512",
		    name, profile->auth_protocol);
	else if (usm_lookup_priv_type(profile->priv_protocol) < 0)
		text_format(error, VMCTL_ERROR_SIZE,
			    "profile %s: no priv-protocol %s; there are AES, AES-192, AES-256, DES",
			    name, profile->priv_protocol);
	return !*error;
}
