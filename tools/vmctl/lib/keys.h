/* What SNMPv3 makes of a profile's passwords. */
#ifndef VMCTL_KEYS_H
#define VMCTL_KEYS_H

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "tools/vmctl/lib/internal.h"

/* Keys that a password makes (RFC 3414, A.2): 10 ms of work, so once a profile. Those of an engine
 * are made of them, which is quick. */
struct profile_keys {
	bool made;
	char error[VMCTL_ERROR_SIZE];
	const oid *auth, *priv; /* protocols */
	size_t auth_count, priv_count;
	u_char auth_key[USM_AUTH_KU_LEN], priv_key[USM_PRIV_KU_LEN];
	size_t auth_key_size, priv_key_size;
};

/* Made at the first call; error says why there are none. They are the profile's. */
const struct profile_keys *profile_keys_of(const struct profile *profile);

#endif
