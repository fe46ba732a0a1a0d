/* Looking for a domain in the hypervisor's own list, and waiting for what becomes of it. Blocks:
 * for helpers only. */
#ifndef HYPERVISOR_SEARCH_H
#define HYPERVISOR_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/hv.h"

struct search {
	uint32_t domid;		  /* 0: any but Domain-0, which is never found */
	uint32_t not_domid;	  /* 0: none is left out */
	const uint8_t *uuid;	  /* NULL or zero: any */
	struct fact_domain found; /* of several a live one */
	bool is_there, domain0;
};

enum presence { GONE, PRESENT, UNREADABLE };

bool domain_is_dead(const struct fact_domain *domain);

/* One look; error (TEXT_SIZE octets) where the list is unreadable, else "". */
enum presence search_look(const struct hv_driver *driver, struct hv *hv, struct search *search,
			  char *error);

/* What a wait waits for. */
typedef bool condition(enum presence presence, const struct fact_domain *domain);
condition when_gone, when_dead, when_paused, when_awake;

/* Looks at least once, and again until the condition is met or until_ms (clock_mono_ms()) passed;
 * whether it is met. A list that is unreadable is looked at again. */
bool search_wait(const struct hv_driver *driver, struct hv *hv, struct search *search,
		 condition *met, int64_t until_ms);

#endif
