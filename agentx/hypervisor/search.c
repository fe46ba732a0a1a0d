#include "hypervisor/search.h"

#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"

#define LOOK_MIN_MS 20 /* between two looks; doubles */
#define LOOK_MAX_MS 200

bool
domain_is_dead(const struct fact_domain *domain)
{
	return domain->flags & (DOMAIN_SHUTDOWN | DOMAIN_DYING);
}

static bool
search_matches(const struct search *search, const struct fact_domain *domain)
{
	if (domain->domid == 0 || (search->domid != 0 && search->domid != domain->domid) ||
	    (search->not_domid != 0 && search->not_domid == domain->domid))
		return false;
	return !search->uuid || uuid_is_zero(search->uuid) ||
	       uuid_equal(search->uuid, domain->uuid);
}

static void
search_put(void *arg, enum message_type type, const void *fact, size_t size)
{
	struct search *search = arg;
	const struct fact_domain *domain = fact;

	if (type != MSG_DOMAIN || size != sizeof(*domain))
		return;
	search->domain0 |= domain->domid == 0;
	if (!search_matches(search, domain) || (search->is_there && domain_is_dead(domain)))
		return;
	search->found = *domain;
	search->is_there = true;
}

enum presence
search_look(const struct hv_driver *driver, struct hv *hv, struct search *search, char *error)
{
	struct hv_sink sink = {search_put, search};

	search->is_there = search->domain0 = false;
	if (driver->states(hv, &sink, error) != 0)
		return UNREADABLE;
	if (!search->domain0) {
		text_set(error, TEXT_SIZE, "the hypervisor's list has no Domain-0");
		return UNREADABLE;
	}
	*error = '\0';
	return search->is_there ? PRESENT : GONE;
}

bool
when_gone(enum presence presence, const struct fact_domain *domain)
{
	(void)domain;
	return presence == GONE;
}

bool
when_dead(enum presence presence, const struct fact_domain *domain)
{
	return presence == GONE || (presence == PRESENT && domain_is_dead(domain));
}

bool
when_paused(enum presence presence, const struct fact_domain *domain)
{
	return presence == PRESENT && domain->flags & DOMAIN_PAUSED;
}

bool
when_awake(enum presence presence, const struct fact_domain *domain)
{
	return presence == PRESENT && !domain_is_dead(domain) && !(domain->flags & DOMAIN_PAUSED);
}

bool
search_wait(const struct hv_driver *driver, struct hv *hv, struct search *search, condition *met,
	    int64_t until_ms)
{
	char error[TEXT_SIZE];
	int64_t rest_ms = LOOK_MIN_MS;

	while (!met(search_look(driver, hv, search, error), &search->found)) {
		struct timespec rest = {.tv_nsec = rest_ms * 1000000L};

		if (clock_mono_ms() + rest_ms > until_ms)
			return false;
		nanosleep(&rest, NULL);
		rest_ms = rest_ms * 2 < LOOK_MAX_MS ? rest_ms * 2 : LOOK_MAX_MS;
	}
	return true;
}
