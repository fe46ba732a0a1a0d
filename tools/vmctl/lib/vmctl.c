#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

#define DEFAULT_CACHE "/var/cache/lauxen/vmctl" /* root's; others': ~/.cache/vmctl */

const struct name vmctl_status_names[] = {{VMCTL_UNASKED, "unasked"},
					  {VMCTL_ASKING, "asking"},
					  {VMCTL_ANSWERS, "answers"},
					  {VMCTL_SILENT, "silent"},
					  {VMCTL_REFUSED, "refused"},
					  {VMCTL_FAILED, "failed"},
					  {0, NULL}};

int64_t
vmctl_mono_ms(void)
{
	return clock_mono_ms();
}

int64_t
vmctl_wall_ms(void)
{
	return clock_wall_ms();
}

static void
host_free(struct vmctl_host *host)
{
	for (int kind = 0; kind < KIND_COUNT; kind++)
		rows_clear(&host->rows[kind]);
	for (size_t i = 0; i < host->groups_count; i++)
		free(host->groups[i]);
	free(host->groups);
	free(host->profile);
	free(host->error);
	free(host->text);
	free(host);
}

/* What must not be done from within a call, or from within net-snmp. */
static void
vmctl_turn(int fd, short what, void *arg)
{
	struct vmctl *vmctl = arg;
	struct vmctl_host *host;

	(void)fd, (void)what;
	sessions_bury(vmctl);
	while ((host = TAILQ_FIRST(&vmctl->removed))) {
		TAILQ_REMOVE(&vmctl->removed, host, next);
		host_free(host);
	}
	fetch_line(vmctl);
	while ((host = TAILQ_FIRST(&vmctl->due))) {
		TAILQ_REMOVE(&vmctl->due, host, due_next);
		host->due = false;
		if (host_resolve(host))
			jobs_begin(host, NULL);
	}
}

void
host_make_due(struct vmctl_host *host)
{
	if (!host->due)
		TAILQ_INSERT_TAIL(&host->vmctl->due, host, due_next);
	host->due = true;
	event_active(host->vmctl->digger, EV_TIMEOUT, 0);
}

struct vmctl *
vmctl_new(struct event_base *base)
{
	struct vmctl *vmctl = mem_alloc(sizeof(*vmctl));

	vmctl->base = base ? base : event_base_new();
	if (!vmctl->base)
		abort();
	vmctl->base_ours = !base;
	vmctl->timeout_ms = TIMEOUT_MS;
	vmctl->retries = RETRIES;
	vmctl->window = WINDOW;
	TAILQ_INIT(&vmctl->hosts);
	TAILQ_INIT(&vmctl->removed);
	TAILQ_INIT(&vmctl->due);
	TAILQ_INIT(&vmctl->profiles);
	TAILQ_INIT(&vmctl->line);
	TAILQ_INIT(&vmctl->graves);
	vmctl->digger = evtimer_new(vmctl->base, vmctl_turn, vmctl);
	return vmctl;
}

void
vmctl_free(struct vmctl *vmctl)
{
	struct profile *profile;

	if (!vmctl)
		return;
	while (!TAILQ_EMPTY(&vmctl->hosts))
		vmctl_host_remove(TAILQ_FIRST(&vmctl->hosts));
	vmctl_turn(-1, 0, vmctl);
	if (vmctl->dns)
		evdns_base_free(vmctl->dns, 0);
	event_free(vmctl->digger);
	while ((profile = TAILQ_FIRST(&vmctl->profiles))) {
		TAILQ_REMOVE(&vmctl->profiles, profile, next);
		profile_free(profile);
	}
	free(vmctl->by_name);
	free(vmctl->cache);
	if (vmctl->base_ours)
		event_base_free(vmctl->base);
	free(vmctl);
}

struct event_base *
vmctl_base(const struct vmctl *vmctl)
{
	return vmctl->base;
}

void
vmctl_set_timeout(struct vmctl *vmctl, int timeout_ms, int retries)
{
	if (timeout_ms > 0)
		vmctl->timeout_ms = timeout_ms;
	if (retries >= 0)
		vmctl->retries = retries;
}

void
vmctl_set_cache(struct vmctl *vmctl, const char *directory)
{
	free(vmctl->cache);
	vmctl->cache = directory && *directory ? mem_string(directory) : NULL;
}

/* ---- the loop ---- */

static void
run_late(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	vmctl_stop(arg);
}

bool
vmctl_run(struct vmctl *vmctl, int64_t deadline_ms)
{
	int64_t wait_ms = deadline_ms - clock_mono_ms();
	struct timeval delay = {wait_ms > 0 ? wait_ms / 1000 : 0,
				wait_ms > 0 ? wait_ms % 1000 * 1000 : 0};
	struct event *late = evtimer_new(vmctl->base, run_late, vmctl);

	if (deadline_ms > 0)
		event_add(late, &delay);
	vmctl->stopped = false;
	vmctl->running = true;
	while (vmctl->open > 0 && !vmctl->stopped)
		if (event_base_loop(vmctl->base, EVLOOP_ONCE) != 0)
			break;
	vmctl->running = false;
	event_free(late);
	return vmctl->open == 0;
}

void
vmctl_stop(struct vmctl *vmctl)
{
	vmctl->stopped = true;
	event_base_loopbreak(vmctl->base);
}

void
vmctl_closed(struct vmctl *vmctl)
{
	if (--vmctl->open == 0 && vmctl->running)
		event_base_loopbreak(vmctl->base);
}

/* ---- hosts ---- */

/* Position of name among the sorted hosts, or where it would be. */
static size_t
name_seek(const struct vmctl *vmctl, const char *name)
{
	size_t low = 0, high = vmctl->hosts_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(vmctl->by_name[middle]->name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct vmctl_host *
vmctl_host_find(const struct vmctl *vmctl, const char *name)
{
	size_t at = name_seek(vmctl, name);

	if (at < vmctl->hosts_count && strcmp(vmctl->by_name[at]->name, name) == 0)
		return vmctl->by_name[at];
	return NULL;
}

struct vmctl_host *
vmctl_host_add(struct vmctl *vmctl, const char *name, const char *address, const char *profile,
	       char error[VMCTL_ERROR_SIZE])
{
	struct vmctl_host *host;
	size_t at = name_seek(vmctl, name);
	char host_name[256];
	uint16_t port;

	*error = 0;
	if (!*name || strlen(name) >= VMCTL_NAME_SIZE)
		text_format(error, VMCTL_ERROR_SIZE, "a host's name has 1 to %d characters: \"%s\"",
			    VMCTL_NAME_SIZE - 1, name);
	else if (vmctl_host_find(vmctl, name))
		text_format(error, VMCTL_ERROR_SIZE, "host %s is there twice", name);
	else if (!address_split(address, host_name, sizeof(host_name), &port))
		text_format(error, VMCTL_ERROR_SIZE,
			    "host %s: \"%s\" is no address; write NAME, NAME:PORT or [IPV6]:PORT",
			    name, address);
	if (*error)
		return NULL;
	host = mem_alloc(sizeof(*host));
	host->vmctl = vmctl;
	TEXT_SET(host->name, name);
	host->text = mem_string(address);
	host->profile = mem_string(profile ? profile : "default");
	host->retries = -1;
	TAILQ_INIT(&host->fetches);
	TAILQ_INIT(&host->jobs);
	TAILQ_INSERT_TAIL(&vmctl->hosts, host, next);
	vmctl->by_name =
	    mem_resize(vmctl->by_name, vmctl->hosts_count + 1, sizeof(*vmctl->by_name));
	memmove(&vmctl->by_name[at + 1], &vmctl->by_name[at],
		(vmctl->hosts_count - at) * sizeof(*vmctl->by_name));
	vmctl->by_name[at] = host;
	vmctl->hosts_count++;
	return host;
}

/* It may be one of its own callbacks that asks for it: the struct goes at the loop's next turn. */
void
vmctl_host_remove(struct vmctl_host *host)
{
	struct vmctl *vmctl = host->vmctl;
	size_t at = name_seek(vmctl, host->name);

	resolve_cancel(host);
	while (!TAILQ_EMPTY(&host->fetches))
		fetch_free(TAILQ_FIRST(&host->fetches));
	jobs_free(host);
	session_free(host->read);
	if (host->write != host->read)
		session_free(host->write);
	if (host->due)
		TAILQ_REMOVE(&vmctl->due, host, due_next);
	TAILQ_REMOVE(&vmctl->hosts, host, next);
	vmctl->hosts_count--;
	memmove(&vmctl->by_name[at], &vmctl->by_name[at + 1],
		(vmctl->hosts_count - at) * sizeof(*vmctl->by_name));
	TAILQ_INSERT_TAIL(&vmctl->removed, host, next);
	event_active(vmctl->digger, EV_TIMEOUT, 0);
}

size_t
vmctl_hosts_count(const struct vmctl *vmctl)
{
	return vmctl->hosts_count;
}

struct vmctl_host *
vmctl_host_at(const struct vmctl *vmctl, size_t position)
{
	struct vmctl_host *host;

	TAILQ_FOREACH (host, &vmctl->hosts, next)
		if (position-- == 0)
			return host;
	return NULL;
}

struct vmctl_host *
vmctl_host_next(const struct vmctl_host *host)
{
	return TAILQ_NEXT(host, next);
}

const char *
vmctl_host_name(const struct vmctl_host *host)
{
	return host->name;
}

const char *
vmctl_host_address(const struct vmctl_host *host)
{
	return host->text;
}

const char *
vmctl_host_profile(const struct vmctl_host *host)
{
	return host->profile;
}

const char *
vmctl_host_group(const struct vmctl_host *host, size_t position)
{
	return position < host->groups_count ? host->groups[position] : NULL;
}

enum vmctl_status
vmctl_host_status(const struct vmctl_host *host)
{
	return host->status;
}

const char *
vmctl_host_error(const struct vmctl_host *host)
{
	return host->error ? host->error : "";
}

void *
vmctl_host_data(const struct vmctl_host *host)
{
	return host->data;
}

void
vmctl_host_set_data(struct vmctl_host *host, void *data)
{
	host->data = data;
}

void
host_set_status(struct vmctl_host *host, enum answer answer, const char *error)
{
	static const enum vmctl_status statuses[] = {[ANSWER_OK] = VMCTL_ANSWERS,
						     [ANSWER_SILENT] = VMCTL_SILENT,
						     [ANSWER_REFUSED] = VMCTL_REFUSED,
						     [ANSWER_FAILED] = VMCTL_FAILED,
						     [ANSWER_CUT] = VMCTL_FAILED};

	host->status = statuses[answer];
	free(host->error);
	host->error = answer == ANSWER_OK ? NULL : mem_string(error);
}

/* A fetch that waits for the host's address. */
static struct fetch *
fetch_resolving(const struct vmctl_host *host)
{
	struct fetch *fetch;

	TAILQ_FOREACH (fetch, &host->fetches, next)
		if (fetch->begun && !fetch->walking)
			return fetch;
	return NULL;
}

/* The address is known now, or will not be: what waited for it goes on. */
static void
host_resolved(void *arg, const char *address, const char *error)
{
	struct vmctl_host *host = arg;
	struct fetch *fetch;

	if (address)
		TEXT_SET(host->address, address);
	while ((fetch = fetch_resolving(host)))
		if (address)
			fetch_begin(fetch);
		else
			fetch_fail(fetch, ANSWER_FAILED, error);
	jobs_begin(host, error);
}

bool
host_resolve(struct vmctl_host *host)
{
	if (*host->address)
		return true;
	return !host->resolving && resolve(host, host->address, host_resolved);
}

struct session *
host_session(struct vmctl_host *host, bool write, char error[VMCTL_ERROR_SIZE])
{
	struct session **session = write ? &host->write : &host->read;
	const struct profile *profile = profile_find(host->vmctl, host->profile, error);

	if (write && profile && *profile->write)
		profile = profile_find(host->vmctl, profile->write, error);
	else if (write) /* the same credentials, the same session */
		session = &host->read;
	if (!*session && profile)
		*session = session_new(host, profile, host->address);
	return *session;
}
