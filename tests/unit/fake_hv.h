/*
 * A hypervisor for tests: its domains and its faults are in a file that every process maps, so that
 * a test sees what workers and helpers did, and steers them while they run. What happens in a while
 * (a guest's death after it was asked) has its time in the domain, and is true when somebody looks.
 */
#ifndef TESTS_FAKE_HV_H
#define TESTS_FAKE_HV_H

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "hypervisor/hv.h"

#define FAKE_DOMAINS 4096
#define FAKE_IDS 4096

enum fake_fault { FAKE_WELL, FAKE_FAILS, FAKE_HANGS, FAKE_DIES, FAKE_LACKS_DOMAIN0 };

struct fake_domain {
	atomic_uint there;
	struct fact_domain fact;
	char name[VM_NAME_SIZE];
	uint32_t monitored;
	_Atomic int64_t dies_at_ms; /* 0: not soon */
	uint32_t dies_of;
	atomic_uint busy; /* actions at work on it */
};

struct fake {
	struct fake_domain domains[FAKE_DOMAINS]; /* by domid */
	atomic_uint next_domid, changes;
	atomic_uint states_fault, figures_fault, watch_fault, act_fault;
	atomic_uint act_ms, guest_ms;	   /* a step's duration; a guest's, from asked to dead */
	atomic_bool guest_deaf;		   /* it never ends */
	atomic_uint acts[FAKE_IDS], mends; /* steps by the action's id */
	atomic_uint at_work, most_at_work; /* steps at a time */
	atomic_uint clashes;		   /* two at a time on one domain */
	atomic_uint watches, last_verb;
	atomic_uint dumps;
	atomic_bool dump_fails, save_fails; /* the domain goes all the same */
};

static inline struct fake *
fake_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct fake *fake = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*fake)) == 0)
		fake = mmap(NULL, sizeof(*fake), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0)
		close(fd);
	if (fake == MAP_FAILED) {
		perror(path);
		exit(2);
	}
	return fake;
}

static inline void
fake_sleep_ms(int64_t ms)
{
	struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&rest, NULL);
}

/* Makes a live domain; its domid. */
static inline uint32_t
fake_add(struct fake *fake, const char *name, const uint8_t uuid[UUID_SIZE])
{
	uint32_t domid = atomic_fetch_add(&fake->next_domid, 1);
	struct fake_domain *domain = &fake->domains[domid % FAKE_DOMAINS];

	memset(domain, 0, sizeof(*domain));
	domain->fact.domid = domid;
	domain->fact.vcpus = domain->fact.vcpus_max = 1;
	domain->fact.memory_kib = 65536;
	TEXT_SET(domain->name, name);
	if (uuid)
		memcpy(domain->fact.uuid, uuid, UUID_SIZE);
	if (domid != 0 && uuid_is_zero(domain->fact.uuid))
		uuid_random(domain->fact.uuid);
	atomic_store(&domain->there, 1);
	atomic_fetch_add(&fake->changes, 1);
	return domid;
}

/* Makes one that has crashed. */
static inline uint32_t
fake_dead(struct fake *fake, const char *name)
{
	uint32_t domid = fake_add(fake, name, NULL);

	fake->domains[domid].fact.flags |= DOMAIN_SHUTDOWN;
	fake->domains[domid].fact.reason = REASON_CRASH;
	return domid;
}

static inline void
fake_remove(struct fake *fake, uint32_t domid)
{
	atomic_store(&fake->domains[domid].there, 0);
	atomic_fetch_add(&fake->changes, 1);
}

static inline void
fake_begin(struct fake *fake)
{
	memset(fake, 0, sizeof(*fake));
	fake_add(fake, "Domain-0", NULL);
}

struct hv {
	struct fake *fake;
	unsigned seen;
	bool watches;
};

/* True where the call is to fail now. */
static inline bool
fake_fault(atomic_uint *fault, char *error)
{
	while (atomic_load(fault) == FAKE_HANGS)
		fake_sleep_ms(20);
	if (atomic_load(fault) == FAKE_DIES)
		raise(SIGKILL);
	text_set(error, TEXT_SIZE, "the fake was told to fail");
	return atomic_load(fault) == FAKE_FAILS;
}

static struct hv *
fake_open(const struct config *config, char *error)
{
	struct hv *hv = mem_alloc(sizeof(*hv));

	(void)error;
	hv->fake = fake_map(config->sim_socket);
	return hv;
}

static void
fake_close(struct hv *hv)
{
	munmap(hv->fake, sizeof(*hv->fake));
	free(hv);
}

/* Does what was to happen by now: a death, and what a monitor makes of it. */
static inline void
fake_catch_up(struct fake *fake, struct fake_domain *domain)
{
	int64_t dies_ms = atomic_load(&domain->dies_at_ms);

	if (dies_ms == 0 || clock_mono_ms() < dies_ms)
		return;
	domain->fact.flags |= DOMAIN_SHUTDOWN;
	domain->fact.reason = domain->dies_of;
	if (!domain->monitored || clock_mono_ms() < dies_ms + 200 ||
	    !atomic_compare_exchange_strong(&domain->dies_at_ms, &dies_ms, 0))
		return;
	if (domain->fact.reason == REASON_REBOOT)
		fake_add(fake, domain->name, domain->fact.uuid);
	fake_remove(fake, domain->fact.domid);
}

static int
fake_states(struct hv *hv, const struct hv_sink *sink, char *error)
{
	struct fake *fake = hv->fake;

	if (fake_fault(&fake->states_fault, error))
		return -1;
	for (uint32_t i = 0; i < atomic_load(&fake->next_domid) && i < FAKE_DOMAINS; i++) {
		struct fake_domain *domain = &fake->domains[i];
		struct fact_domain fact;

		fake_catch_up(fake, domain);
		if (!atomic_load(&domain->there) ||
		    (i == 0 && atomic_load(&fake->states_fault) == FAKE_LACKS_DOMAIN0))
			continue;
		fact = domain->fact;
		fact.read_mono_us = clock_mono_ms() * 1000;
		fact.cpu_ns = (uint64_t)fact.read_mono_us;
		fact.flags |= rand() % 2 ? DOMAIN_RUNNING : DOMAIN_BLOCKED;
		sink->put(sink->arg, MSG_DOMAIN, &fact, sizeof(fact));
	}
	return 0;
}

static inline void
fake_put_figures(const struct fake_domain *domain, const struct hv_sink *sink)
{
	uint64_t now = (uint64_t)clock_mono_ms();
	struct fact_figures figures = {.domid = domain->fact.domid, .inside_free_kib = now};
	struct fact_net net = {.domid = domain->fact.domid, .in_octets = now, .out_octets = now};
	struct fact_disk disk = {.domid = domain->fact.domid, .counted = 1, .reads = now};

	TEXT_SET(figures.name, domain->name);
	memcpy(figures.uuid, domain->fact.uuid, UUID_SIZE);
	TEXT_FORMAT(net.name, "vif%u.0", figures.domid);
	TEXT_SET(disk.name, "xvda");
	sink->put(sink->arg, MSG_FIGURES, &figures, sizeof(figures));
	sink->put(sink->arg, MSG_NET, &net, sizeof(net));
	sink->put(sink->arg, MSG_DISK, &disk, sizeof(disk));
}

static int
fake_figures(struct hv *hv, const struct hv_sink *sink, char *error)
{
	struct fact_host host = {.cpus = 2, .memory_kib = 1 << 20};

	if (fake_fault(&hv->fake->figures_fault, error))
		return -1;
	TEXT_SET(host.software, "fake");
	sink->put(sink->arg, MSG_HOST, &host, sizeof(host));
	for (uint32_t i = 1; i < atomic_load(&hv->fake->next_domid) && i < FAKE_DOMAINS; i++)
		if (atomic_load(&hv->fake->domains[i].there))
			fake_put_figures(&hv->fake->domains[i], sink);
	return 0;
}

static int
fake_watch(struct hv *hv, char *error)
{
	if (!hv->watches) {
		hv->watches = true;
		hv->seen = atomic_load(&hv->fake->changes);
		atomic_fetch_add(&hv->fake->watches, 1);
		return fake_fault(&hv->fake->watch_fault, error) ? -1 : 0;
	}
	while (atomic_load(&hv->fake->changes) == hv->seen) {
		fake_sleep_ms(2);
		if (fake_fault(&hv->fake->watch_fault, error))
			return -1;
	}
	hv->seen = atomic_load(&hv->fake->changes);
	return 0;
}

static int
fake_find(struct hv *hv, const char *name, uint32_t *domid, char *error)
{
	(void)error;
	for (uint32_t i = 0; i < atomic_load(&hv->fake->next_domid) && i < FAKE_DOMAINS; i++) {
		struct fake_domain *domain = &hv->fake->domains[i];

		*domid = i;
		if (atomic_load(&domain->there) && strcmp(domain->name, name) == 0)
			return 1;
	}
	return 0;
}

static int
fake_monitored(struct hv *hv, uint32_t domid)
{
	return hv->fake->domains[domid].monitored != 0;
}

static inline void
fake_ask(struct fake *fake, struct fake_domain *domain, uint32_t reason)
{
	if (atomic_load(&fake->guest_deaf))
		return;
	domain->dies_of = reason;
	atomic_store(&domain->dies_at_ms, clock_mono_ms() + atomic_load(&fake->guest_ms));
}

static inline void
fake_step(struct fake *fake, const struct action *action, const struct config_vm *vm,
	  struct outcome *outcome)
{
	struct fake_domain *domain = &fake->domains[action->domid];

	outcome->state = REQUEST_SUCCEEDED;
	atomic_store(&fake->last_verb, action->verb);
	switch (action->verb) {
	case VERB_START:
	case VERB_RESTORE:
		outcome->domid = fake_add(fake, vm->provider.name, action->uuid);
		return;
	case VERB_PAUSE:
		domain->fact.flags |= DOMAIN_PAUSED;
		break;
	case VERB_UNPAUSE:
		domain->fact.flags &= ~(uint32_t)DOMAIN_PAUSED;
		break;
	case VERB_SHUTDOWN:
		fake_ask(fake, domain, REASON_POWEROFF);
		break;
	case VERB_REBOOT:
		fake_ask(fake, domain, REASON_REBOOT);
		break;
	case STEP_DUMP:
		if (atomic_load(&fake->dump_fails)) {
			outcome->state = REQUEST_FAILED;
			TEXT_SET(outcome->error, "the disk is full");
			return;
		}
		atomic_fetch_add(&fake->dumps, 1);
		return;
	case VERB_SAVE:
		atomic_store(&domain->there, 0);
		if (atomic_load(&fake->save_fails)) {
			outcome->state = REQUEST_FAILED;
			TEXT_SET(outcome->error, "no state is left");
		}
		break;
	case STEP_SET_ASIDE:
		TEXT_FORMAT(domain->name, "%.40s-aside", vm->provider.name);
		uuid_random(domain->fact.uuid);
		break;
	case VERB_MEMORY:
		domain->fact.memory_kib = action->number * 1024ull;
		break;
	default:
		atomic_store(&domain->there, 0);
	}
	atomic_fetch_add(&fake->changes, 1);
}

static void
fake_act(struct hv *hv, const struct action *action, const struct config_vm *vm,
	 struct outcome *outcome)
{
	struct fake *fake = hv->fake;
	struct fake_domain *domain = &fake->domains[action->domid];
	unsigned now = atomic_fetch_add(&fake->at_work, 1) + 1;

	atomic_fetch_add(&fake->acts[action->id % FAKE_IDS], 1);
	if (now > atomic_load(&fake->most_at_work))
		atomic_store(&fake->most_at_work, now);
	if (action->domid && atomic_fetch_add(&domain->busy, 1) > 0)
		atomic_fetch_add(&fake->clashes, 1);
	fake_sleep_ms(atomic_load(&fake->act_ms));
	if (fake_fault(&fake->act_fault, outcome->error)) {
		outcome->state = REQUEST_FAILED;
	} else {
		memset(outcome->error, 0, sizeof(outcome->error));
		fake_step(fake, action, vm, outcome);
	}
	if (action->domid)
		atomic_fetch_sub(&domain->busy, 1);
	atomic_fetch_sub(&fake->at_work, 1);
}

static void
fake_mend(struct hv *hv, const struct action *action, const struct config_vm *vm,
	  struct outcome *outcome)
{
	(void)vm, (void)outcome;
	atomic_store(&hv->fake->domains[action->domid].busy, 0);
	atomic_fetch_add(&hv->fake->mends, 1);
}

static const struct hv_driver fake_driver = {.name = "fake",
					     .open = fake_open,
					     .close = fake_close,
					     .states = fake_states,
					     .figures = fake_figures,
					     .watch = fake_watch,
					     .find = fake_find,
					     .monitored = fake_monitored,
					     .act = fake_act,
					     .mend = fake_mend};

/* In the place of the C library's: a path that never answers. */
int
statvfs(const char *path, struct statvfs *to)
{
	struct statfs from;

	while (strcmp(path, "/hangs") == 0)
		pause();
	if (statfs(path, &from) < 0)
		return -1;
	*to = (struct statvfs){.f_blocks = from.f_blocks,
			       .f_bavail = from.f_bavail,
			       .f_frsize = (unsigned long)from.f_frsize};
	return 0;
}

/* In the place of hypervisor/hv.c: the test's own objects go before the library's. */
const struct hv_driver *
hv_driver(const struct config *config)
{
	(void)config;
	return &fake_driver;
}

#endif
