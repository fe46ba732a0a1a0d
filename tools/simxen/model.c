#include "tools/simxen/model.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "tools/simxen/guest.h"

#define DYING_MS 60	   /* from destroy until the domain is gone */
#define MONITOR_MS 1200	   /* xl's monitor acts so long after the end, and up to */
#define MONITOR_JITTER 900 /* so much later */

const struct model_config model_defaults = {
    .seed = 1,
    .cpus = 8,
    .memory_mib = 65536,
    .dom0_mib = 2048,
    .boot_ms = 3000,
    .shutdown_ms = 1500,
};

/* splitmix64's finalizer (Steele, Lea and Flood, 2014): each bit of the result depends on all. */
uint64_t
model_hash(uint64_t a, uint64_t b)
{
	uint64_t z = a + b * UINT64_C(0x9e3779b97f4a7c15) + UINT64_C(0x632be59bd9b4e019);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

bool
model_fail(struct model *m, const char *format, ...)
{
	char text[MODEL_ERROR];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	TEXT_SET(m->error, text);
	return false;
}

static void
tell(struct domain *d, enum model_change change)
{
	if (d->model->changed)
		d->model->changed(d->model->arg, d, change);
}

static uint64_t
text_hash(const char *text)
{
	uint64_t hash = 0;

	while (*text)
		hash = model_hash(hash, (unsigned char)*text++);
	return hash;
}

static void
make_uuid(struct model *m, char uuid[static VMDEF_UUID])
{
	uint64_t high = model_hash(m->random, 1), low = model_hash(m->random, 2);

	m->random = model_hash(m->random, 3);
	snprintf(uuid, VMDEF_UUID, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)(high >> 32),
		 (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff), (unsigned)(low >> 52),
		 (unsigned long long)(low & 0xffffffffffff));
}

static struct domain *
add_domain(struct model *m, const struct vmdef *def)
{
	struct domain *d = mem_alloc(sizeof(*d));

	if (m->domain_count == m->domain_room) {
		m->domain_room = m->domain_room ? m->domain_room * 2 : 64;
		m->domains = mem_resize(m->domains, m->domain_room, sizeof(*m->domains));
	}
	m->domains[m->domain_count++] = d;
	*d = (struct domain){
	    .domid = m->next_domid++,
	    .def = *def,
	    .model = m,
	    .reason = REASON_UNKNOWN,
	    .control = REASON_UNKNOWN,
	    .born_ms = m->now_ms,
	    .since_ms = m->now_ms,
	    .guest_left_ms = -1,
	    .up_ms = -1,
	    .load_percent = def->load_percent,
	};
	if (!*d->def.uuid)
		make_uuid(m, d->def.uuid);
	d->key = model_hash(m->config.seed ^ text_hash(d->def.uuid), d->domid);
	d->from_kib = d->to_kib = d->target_kib = (uint64_t)def->memory_mib * 1024;
	return d;
}

static void
add_dom0(struct model *m)
{
	struct vmdef def;
	struct domain *d;

	vmdef_init(&def);
	TEXT_SET(def.name, "Domain-0");
	TEXT_SET(def.uuid, "00000000-0000-0000-0000-000000000000");
	def.memory_mib = def.maxmem_mib = (uint32_t)m->config.dom0_mib;
	def.vcpus = m->config.cpus;
	d = add_domain(m, &def);
	d->phase = PHASE_LIVE;
	d->guest = GUEST_UP;
	d->up_ms = 0;
}

struct model *
model_new(const struct model_config *config,
	  void (*changed)(void *arg, struct domain *d, enum model_change change), void *arg)
{
	struct model *m = mem_alloc(sizeof(*m));

	m->config = *config;
	m->random = model_hash(config->seed, 0);
	uuid_random(m->boot_id);
	add_dom0(m);
	m->changed = changed;
	m->arg = arg;
	return m;
}

void
model_free(struct model *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->domain_count; i++)
		free(m->domains[i]);
	free(m->domains);
	free(m->lasting);
	timers_dispose(&m->timers);
	free(m);
}

void
model_advance(struct model *m, int64_t now_ms)
{
	struct timer *t;

	while ((t = timers_take(&m->timers, now_ms))) {
		if (t->due_ms > m->now_ms)
			m->now_ms = t->due_ms;
		t->fire(t->arg);
	}
	if (now_ms > m->now_ms)
		m->now_ms = now_ms;
}

int64_t
model_deadline(const struct model *m)
{
	return timers_deadline(&m->timers);
}

static int
compare_domid(const void *key, const void *member)
{
	uint32_t a = *(const uint32_t *)key, b = (*(struct domain *const *)member)->domid;

	return a < b ? -1 : a > b;
}

struct domain *
model_by_domid(const struct model *m, uint32_t domid)
{
	struct domain **found =
	    bsearch(&domid, m->domains, m->domain_count, sizeof(*m->domains), compare_domid);

	return found ? *found : NULL;
}

struct domain *
model_find(const struct model *m, const char *text)
{
	struct domain *best = NULL;
	char *end;
	unsigned long domid;

	for (size_t i = 0; i < m->domain_count; i++) {
		struct domain *d = m->domains[i];

		if ((strcmp(d->def.name, text) == 0 || strcasecmp(d->def.uuid, text) == 0) &&
		    (!best || best->phase > d->phase))
			best = d;
	}
	domid = strtoul(text, &end, 10);
	if (best || end == text || *end || domid > UINT32_MAX)
		return best;
	return model_by_domid(m, (uint32_t)domid);
}

uint64_t
model_free_kib(const struct model *m)
{
	uint64_t used = 0, total = m->config.memory_mib * 1024;

	for (size_t i = 0; i < m->domain_count; i++) {
		uint64_t now = domain_memory_kib(m->domains[i]), to = m->domains[i]->to_kib;

		used += now > to ? now : to;
	}
	return m->memory_full || used > total ? 0 : total - used;
}

static void
take_lasting_faults(struct domain *d)
{
	for (size_t i = 0; i < d->model->lasting_count; i++) {
		const struct model_fault *f = &d->model->lasting[i];

		if (strcmp(f->name, d->def.name) == 0)
			guest_set_fault(d, &f->service, f->fault);
	}
}

struct domain *
model_build(struct model *m, const struct vmdef *def, bool monitor, bool restored)
{
	uint64_t free_kib = model_free_kib(m);
	struct domain *d;

	for (size_t i = 0; i < m->domain_count; i++)
		if (strcmp(m->domains[i]->def.name, def->name) == 0) {
			model_fail(m, "%s: the name is in use by domain %u", def->name,
				   m->domains[i]->domid);
			return NULL;
		}
	if ((uint64_t)def->memory_mib * 1024 > free_kib) {
		model_fail(m, "%s: not enough memory: %u MiB needed, the host has %llu MiB free",
			   def->name, def->memory_mib, (unsigned long long)free_kib / 1024);
		return NULL;
	}
	d = add_domain(m, def);
	d->phase = PHASE_BUILDING;
	d->pauses = 1;
	d->monitor = monitor;
	d->restored = restored;
	take_lasting_faults(d);
	tell(d, CHANGE_BORN);
	return d;
}

/* All changes of phase and pauses come through here, so that the guest's clock follows. */
static void
set_state(struct domain *d, enum domain_phase phase, unsigned pauses, enum model_change change)
{
	bool was = domain_active(d);

	if (was)
		guest_freeze(d);
	d->phase = phase;
	d->pauses = pauses;
	if (domain_active(d))
		guest_thaw(d);
	tell(d, change);
}

void
model_start(struct domain *d)
{
	if (d->phase != PHASE_BUILDING)
		return;
	guest_begin(d);
	set_state(d, PHASE_LIVE, d->pauses - 1, CHANGE_STATE);
}

/* What no operation is for: Domain-0 and domains that are being torn down. */
static bool
check_usable(struct domain *d)
{
	if (d->domid == 0)
		return model_fail(d->model, "Domain-0: not for the domain that runs the toolstack");
	if (d->phase == PHASE_DYING)
		return model_fail(d->model, "%s: the domain is dying", d->def.name);
	return true;
}

static bool
check_live(struct domain *d)
{
	if (!check_usable(d))
		return false;
	if (d->phase == PHASE_SHUTDOWN)
		return model_fail(d->model, "%s: the domain has shut down (%s)", d->def.name,
				  name_of(shutdown_reason_names, (int)d->reason));
	if (d->phase == PHASE_BUILDING)
		return model_fail(d->model, "%s: the domain is being built", d->def.name);
	return true;
}

bool
model_pause(struct domain *d)
{
	if (!check_usable(d))
		return false;
	set_state(d, d->phase, d->pauses + 1, CHANGE_STATE);
	return true;
}

bool
model_unpause(struct domain *d)
{
	if (!check_usable(d))
		return false;
	if (d->pauses == 0)
		return model_fail(d->model, "%s: the domain is not paused", d->def.name);
	if (d->phase == PHASE_BUILDING && d->pauses == 1)
		model_start(d); /* half-built and left so: a person's unpause lets it run */
	else
		set_state(d, d->phase, d->pauses - 1, CHANGE_STATE);
	return true;
}

static void
rebuild(struct model *m, const struct vmdef *def)
{
	struct domain *d = model_build(m, def, true, false);

	if (d)
		model_start(d);
}

static void
bury(void *arg)
{
	struct domain *d = arg;
	struct model *m = d->model;
	size_t i = 0;

	while (m->domains[i] != d)
		i++;
	m->domain_count--;
	memmove(&m->domains[i], &m->domains[i + 1], (m->domain_count - i) * sizeof(*m->domains));
	tell(d, CHANGE_GONE);
	if (d->reborn)
		rebuild(m, &d->def);
	free(d);
}

bool
model_destroy(struct domain *d)
{
	if (!check_usable(d))
		return false;
	set_state(d, PHASE_DYING, d->pauses, CHANGE_DYING);
	timers_set(&d->model->timers, &d->tool_timer, d->model->now_ms + DYING_MS, bury, d);
	return true;
}

bool
model_set_aside(struct domain *d)
{
	char name[VMDEF_TEXT];

	if (d->phase != PHASE_SHUTDOWN)
		return model_fail(d->model, "%s: the domain has not ended", d->def.name);
	TEXT_SET(name, d->def.name);
	TEXT_FORMAT(d->def.name, "%.50s-%u", name, d->domid);
	make_uuid(d->model, d->def.uuid);
	tell(d, CHANGE_SHUTDOWN);
	return true;
}

/* What xl's monitor does when its domain has ended. */
static void
monitor_act(void *arg)
{
	struct domain *d = arg;
	struct vmdef def = d->def;
	enum on_action action = d->reason == REASON_POWEROFF ? d->def.on_poweroff
				: d->reason == REASON_REBOOT ? d->def.on_reboot
							     : d->def.on_crash;
	bool restart =
	    action == ON_RESTART || action == ON_COREDUMP_RESTART || action == ON_SOFT_RESET;

	d->monitor = false;
	if (action == ON_PRESERVE)
		return;
	if (action == ON_RENAME_RESTART) {
		model_set_aside(d);
		rebuild(d->model, &def);
	} else {
		d->reborn = restart;
		model_destroy(d);
	}
}

void
model_end(struct domain *d, enum shutdown_reason reason)
{
	d->reason = reason;
	if (reason == REASON_SUSPEND)
		d->monitor = false; /* xl's monitor exits on suspend */
	set_state(d, PHASE_SHUTDOWN, d->pauses, CHANGE_SHUTDOWN);
	if (d->monitor)
		timers_set(&d->model->timers, &d->tool_timer,
			   d->model->now_ms + MONITOR_MS +
			       (int64_t)(model_hash(d->key, 7) % MONITOR_JITTER),
			   monitor_act, d);
}

bool
model_set_memory(struct domain *d, uint64_t mib)
{
	uint64_t kib = mib * 1024, now, room;

	if (!check_live(d))
		return false;
	if (mib == 0 || mib > d->def.maxmem_mib)
		return model_fail(d->model, "%s: %llu MiB is over the maximum of %u MiB (maxmem)",
				  d->def.name, (unsigned long long)mib, d->def.maxmem_mib);
	now = domain_memory_kib(d);
	room = now + model_free_kib(d->model) + (d->to_kib > now ? d->to_kib - now : 0);
	d->target_kib = kib;
	d->from_kib = now;
	d->to_kib = kib < room ? kib : room;
	d->moved_ms = domain_active_ms(d);
	if (mib < GUEST_LEAST_MIB)
		guest_starve(d);
	return true;
}

bool
model_request(struct domain *d, enum shutdown_reason reason)
{
	if (!check_live(d))
		return false;
	d->control = reason;
	d->control_seen = false;
	guest_see_control(d);
	return true;
}

void
model_cancel_request(struct domain *d)
{
	if (!d->control_seen)
		d->control = REASON_UNKNOWN;
}

bool
model_can_suspend(const struct domain *d)
{
	return d->domid != 0 && domain_active(d) && d->guest != GUEST_HUNG;
}

void
model_suspend(struct domain *d)
{
	model_end(d, REASON_SUSPEND);
}

void
model_resume(struct domain *d)
{
	if (d->phase != PHASE_SHUTDOWN || d->reason != REASON_SUSPEND)
		return;
	d->reason = REASON_UNKNOWN;
	set_state(d, PHASE_LIVE, d->pauses, CHANGE_STATE);
}

static bool
check_guest(struct domain *d)
{
	if (!check_live(d))
		return false;
	if (!domain_active(d))
		return model_fail(d->model, "%s: the domain is paused", d->def.name);
	return true;
}

bool
model_guest_end(struct domain *d, enum shutdown_reason reason)
{
	if (!check_guest(d))
		return false;
	if (d->guest == GUEST_HUNG)
		return model_fail(d->model, "%s: the guest hangs", d->def.name);
	guest_stop(d, reason);
	return true;
}

bool
model_crash(struct domain *d)
{
	if (!check_live(d))
		return false;
	model_end(d, REASON_CRASH);
	return true;
}

bool
model_panic(struct domain *d, int64_t after_ms)
{
	if (!check_guest(d))
		return false;
	guest_hang(d, after_ms);
	tell(d, CHANGE_GUEST);
	return true;
}

static void
set_lasting(struct model *m, const char *name, const struct vmdef_service *service,
	    enum service_fault fault)
{
	struct model_fault *f = NULL;

	for (size_t i = 0; i < m->lasting_count && !f; i++)
		if (strcmp(m->lasting[i].name, name) == 0 &&
		    m->lasting[i].service.udp == service->udp &&
		    m->lasting[i].service.port == service->port)
			f = &m->lasting[i];
	if (!f) {
		m->lasting = mem_resize(m->lasting, m->lasting_count + 1, sizeof(*m->lasting));
		f = &m->lasting[m->lasting_count++];
	}
	*f = (struct model_fault){.service = *service, .fault = fault};
	TEXT_SET(f->name, name);
}

bool
model_set_fault(struct domain *d, const struct vmdef_service *service, enum service_fault fault,
		bool lasting)
{
	if (!check_usable(d))
		return false;
	if (!guest_set_fault(d, service, fault))
		return model_fail(d->model, "%s: has no service %s:%u", d->def.name,
				  service->udp ? "udp" : "tcp", service->port);
	if (lasting || fault == FAULT_NONE)
		set_lasting(d->model, d->def.name, service, fault);
	tell(d, CHANGE_GUEST);
	return true;
}
