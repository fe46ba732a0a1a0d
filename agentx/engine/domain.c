#include "engine/internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"

#define CPU_SPAN_US 200000 /* a share of a CPU over less is noise */
#define START_NOISE_MS 100 /* starts that differ by less are the same */
#define START_OTHER_MS 10000

struct domain *
domain_find(const struct engine *engine, uint32_t domid)
{
	struct domain key = {.domid = domid};

	return rowset_find(&engine->domains, &key);
}

bool
domain_is_nameless(const struct engine *engine)
{
	for (size_t i = 0; i < engine->domains.count; i++) {
		const struct domain *domain = rowset_at(&engine->domains, i);

		if (domain->domid != 0 && !domain->vm && !domain->named)
			return true;
	}
	return false;
}

/* A VM's domain came: the first one seen, or one in the place of another. */
void
domain_attach(struct engine *engine, struct vm *vm, struct domain *domain)
{
	bool is_new = vm->kept.domid != domain->domid;

	if (vm->domain == domain)
		return;
	if (vm->domain)
		vm->domain->vm = NULL; /* two with one UUID */
	vm->domain = domain;
	domain->vm = vm;
	vm->born_ms = engine->now.mono_ms;
	vm->reaped = vm->owed = false;
	vm->bury_at_ms = 0;
	vm->await_until_ms = 0;
	if (vm->ended.domid != domain->domid)
		vm->ended.domid = vm->ended.verb = 0;
	vm->kept.gone_wall_ms = 0;
	if (is_new) {
		if (death_is_reboot(vm->died) || death_is_crash(vm->died))
			vm->kept.restarts++;
		vm->kept.domid = domain->domid;
		vm->kept.owner = OWNER_UNKNOWN;
		vm->policy.stop_failed = false;
		vm->kept.discontinuity_wall_ms = engine->now.wall_ms;
		vm->kept.start_wall_ms = engine->now.wall_ms;
		vm->unsaved = true;
	}
	vm->died = REASON_UNKNOWN;
	vm_touch_pair(engine, vm);
	rows_put_devices(engine, vm);
}

/* Of two with one UUID that one is the VM which lives, else the younger. */
static uint64_t
domain_rank(const struct domain *domain)
{
	bool lives = !(domain->state.flags & (DOMAIN_SHUTDOWN | DOMAIN_DYING));

	return (uint64_t)lives << 32 | domain->domid;
}

/* One that is dying can stay for as long as some page of it is in use, and one that is dead for as
 * long as xl's rename-restart preserves it, with its UUID: a VM that has had another domain since
 * does not go back to it. */
static bool
domain_is_past(const struct vm *vm, const struct domain *domain)
{
	if (domain->state.flags & DOMAIN_DYING && vm->kept.domid != 0 &&
	    vm->kept.domid != domain->domid)
		return true;
	if (domain->state.flags & DOMAIN_SHUTDOWN && vm->kept.domid > domain->domid)
		return true;
	return vm->domain && domain_rank(domain) < domain_rank(vm->domain);
}

/* The VM that domain is, by its UUID, else by its name, else a VM that is new to us. Without a name
 * only the UUID of a VM that is known already tells. */
static void
domain_identify(struct engine *engine, struct domain *domain)
{
	struct vm *vm;

	if (domain->domid == 0 || (domain->named && domain->figures.stubdom_for != 0))
		return;
	vm = vm_find_uuid(engine, domain->state.uuid);
	if (!vm && !domain->named)
		return;
	if (!vm) {
		vm = vm_find_name(engine, domain->figures.name);
		if (vm && vm->config) {
			struct mib_event *event;

			vm_set_uuid(engine, vm, domain->state.uuid);
			event = engine_event(engine, EVENT_VM_IDENTITY_CHANGED, vm);
			TEXT_FORMAT(
			    event->text,
			    "%s runs with another UUID than it was known by; taken as the same VM",
			    vm->kept.name);
			log_warn("VM %s runs with another UUID than it was known by; taken as the "
				 "same VM",
				 vm->kept.name);
		} else {
			vm = vm_new(engine, domain->state.uuid, domain->figures.name);
			/* What runs when we first look has not just been started; nor has one
			 * just died that was dead when we saw it first (it was set aside). */
			vm->kept.state = engine->looked && engine->figures.mono_ms &&
						 !(domain->state.flags & DOMAIN_SHUTDOWN)
					     ? VM_SHUTDOWN
					     : VM_UNKNOWN;
		}
	}
	if (!domain_is_past(vm, domain))
		domain_attach(engine, vm, domain);
}

static void
domain_cpu(struct domain *domain)
{
	const struct fact_domain *state = &domain->state;
	int64_t span_us = state->read_mono_us - domain->cpu_mono_us;

	if (domain->cpu_mono_us != 0 && span_us < CPU_SPAN_US)
		return;
	domain->cpu_known = domain->cpu_mono_us != 0 && state->cpu_ns >= domain->cpu_ns;
	if (domain->cpu_known)
		domain->cpu_used =
		    (uint32_t)((state->cpu_ns - domain->cpu_ns) * 10 / (uint64_t)span_us);
	domain->cpu_ns = state->cpu_ns;
	domain->cpu_mono_us = state->read_mono_us;
}

/* The domain is its VM's no more. */
static void
domain_leave(struct engine *engine, struct domain *domain)
{
	struct vm *vm = domain->vm;

	if (!vm)
		return;
	if (domain->state.flags & DOMAIN_SHUTDOWN)
		vm->died = domain->state.reason;
	vm->domain = NULL;
	domain->vm = NULL;
	vm_touch_pair(engine, vm);
	rows_drop_devices(engine, vm->kept.index);
}

void
domain_find_other(struct engine *engine, struct vm *vm)
{
	for (size_t i = 0; i < engine->domains.count; i++) {
		struct domain *domain = rowset_at(&engine->domains, i);

		if (!domain->vm && domain->domid != 0 &&
		    uuid_equal(domain->state.uuid, vm->kept.uuid))
			domain_identify(engine, domain);
	}
}

static void
domain_gone(struct engine *engine, uint32_t domid)
{
	struct domain *domain = domain_find(engine, domid);
	struct vm *vm = domain ? domain->vm : NULL;

	if (!domain)
		return;
	domain_leave(engine, domain);
	rowset_remove(&engine->domains, domain);
	if (vm)
		domain_find_other(engine, vm);
}

/* After a boot of the host a VM can have the domid that it had before: by its start it is known as
 * another domain, whose counters began with it. A driver may work the start out anew each time. */
static void
domain_start(struct engine *engine, struct vm *vm, int64_t start_wall_ms)
{
	int64_t difference_ms = llabs(vm->kept.start_wall_ms - start_wall_ms);

	if (start_wall_ms == 0 || difference_ms < START_NOISE_MS)
		return;
	if (difference_ms >= START_OTHER_MS)
		vm->kept.discontinuity_wall_ms = start_wall_ms;
	vm->kept.start_wall_ms = start_wall_ms;
	vm->unsaved = true;
	boot_recall(engine, vm);
}

static void
domain_name(struct engine *engine, struct domain *domain, const struct fact_figures *fact)
{
	struct vm *vm;

	domain->figures = *fact;
	domain->figures.name[VM_NAME_SIZE - 1] = 0;
	domain->named = true;
	/* What it is for can be written after it was seen first. */
	if (domain->vm && fact->stubdom_for != 0)
		domain_leave(engine, domain);
	if (!domain->vm)
		domain_identify(engine, domain);
	vm = domain->vm;
	if (!vm)
		return;
	if (!vm->config)
		vm_set_name(engine, vm, domain->figures.name);
	domain_start(engine, vm, fact->start_wall_ms);
	if (vm->kept.owner != vm_owner(engine, vm)) {
		vm->kept.owner = vm_owner(engine, vm);
		vm->unsaved = true;
	}
	vm_touch(engine, vm);
}

/* States and figures are of two workers: either may tell first of a new domain, or of another UUID.
 */
void
domain_figures(struct engine *engine, const struct message *message)
{
	const struct fact_figures *fact = (const struct fact_figures *)message->body;
	struct domain *domain = domain_find(engine, fact->domid);

	if (message->detail == FACT_GONE)
		rowset_remove(&engine->early, fact);
	else if (fact->name[0] == 0)
		return;
	else if (domain && uuid_equal(fact->uuid, domain->state.uuid))
		domain_name(engine, domain, fact);
	else
		rowset_put(&engine->early, fact);
}

static void
domain_take_early(struct engine *engine, struct domain *domain)
{
	struct fact_figures key = {.domid = domain->domid};
	struct fact_figures *fact = rowset_find(&engine->early, &key);

	if (!fact)
		return;
	if (uuid_equal(fact->uuid, domain->state.uuid))
		domain_name(engine, domain, fact);
	rowset_remove(&engine->early, &key);
}

void
domain_state(struct engine *engine, const struct message *message)
{
	const struct fact_domain *fact = (const struct fact_domain *)message->body;
	struct domain *domain;

	engine->partial = true;
	if (message->detail == FACT_GONE) {
		domain_gone(engine, fact->domid);
		return;
	}
	domain = domain_find(engine, fact->domid);
	if (!domain) {
		struct domain fresh = {.domid = fact->domid};

		rowset_put(&engine->domains, &fresh);
		domain = domain_find(engine, fact->domid);
	} else if (!uuid_equal(domain->state.uuid, fact->uuid)) {
		domain_leave(engine, domain); /* set aside, under another name */
		domain->named = false;
	}
	domain->state = *fact;
	domain->seen = true;
	domain_cpu(domain);
	if (!domain->named)
		domain_take_early(engine, domain);
	if (!domain->vm)
		domain_identify(engine, domain);
	if (domain->vm)
		vm_touch(engine, domain->vm);
}

void
domain_sweep(struct engine *engine)
{
	for (size_t i = 0; i < engine->domains.count; i++)
		((struct domain *)rowset_at(&engine->domains, i))->seen = false;
	rowset_clear(&engine->early);
	rowset_begin(&engine->nets);
	rowset_begin(&engine->disks);
	engine->sweep = engine->sweep_devices = true;
}

static void
domain_end_sweep(struct engine *engine)
{
	engine->sweep = false;
	for (size_t i = engine->domains.count; i-- > 0;) {
		struct domain *domain = rowset_at(&engine->domains, i);

		if (!domain->seen)
			domain_gone(engine, domain->domid);
	}
}

static void
domain_end_sweep_devices(struct engine *engine)
{
	struct vm *vm;

	engine->sweep_devices = false;
	rowset_end(&engine->nets);
	rowset_end(&engine->disks);
	TAILQ_FOREACH (vm, &engine->vms, next) {
		rows_drop_devices(engine, vm->kept.index);
		rows_put_devices(engine, vm);
	}
}

/* CPU of the whole host: that of all domains, Domain-0 among them. */
static void
domain_host_cpu(struct engine *engine)
{
	uint64_t cpu_ns = 0;
	int64_t read_us = 0;

	for (size_t i = 0; i < engine->domains.count; i++) {
		const struct domain *domain = rowset_at(&engine->domains, i);

		cpu_ns += domain->state.cpu_ns;
		if (domain->state.read_mono_us > read_us)
			read_us = domain->state.read_mono_us;
	}
	engine->host_cpu_known = engine->host_cpu_us != 0 && cpu_ns >= engine->host_cpu_ns &&
				 read_us > engine->host_cpu_us;
	if (engine->host_cpu_known)
		engine->host_cpu_used = (uint32_t)((cpu_ns - engine->host_cpu_ns) * 10 /
						   (uint64_t)(read_us - engine->host_cpu_us));
	engine->host_cpu_ns = cpu_ns;
	engine->host_cpu_us = read_us;
}

static void
domain_states_ok(struct engine *engine)
{
	bool first = !engine->looked, back = !engine->states_ok;

	engine->states_ok = true;
	engine->looked = true;
	if (engine->sweep)
		domain_end_sweep(engine);
	if (engine->lost) {
		engine->lost = false;
		TEXT_SET(engine_event(engine, EVENT_HYPERVISOR_RESTORED, NULL)->text,
			 "the hypervisor answers again");
		log_info("the hypervisor answers again");
	}
	if (first)
		vm_take_uuids(engine);
	if (first || back)
		vm_touch_all(engine);
	if (!engine->boot_known && engine->figures_ok)
		notice_host(engine); /* the figures came first */
	if (!engine->states.urgent)
		domain_host_cpu(engine);
}

static void
domain_states_lost(struct engine *engine, const char *error)
{
	bool was_ok = engine->states_ok;

	engine->states_ok = false;
	engine->host_cpu_known = false;
	if (!engine->lost) {
		engine->lost = true;
		TEXT_FORMAT(engine_event(engine, EVENT_HYPERVISOR_LOST, NULL)->text,
			    "the hypervisor does not answer: %.90s", error);
		log_warn("the hypervisor does not answer: %s; the state of all VMs is unknown",
			 error);
	}
	if (was_ok)
		vm_touch_all(engine);
}

static void
domain_figures_sample(struct engine *engine, const struct fact_sample *sample)
{
	bool was_ok = engine->figures_ok;

	engine->figures_ok = sample->ok;
	if (!sample->ok && !engine->figures_lost) {
		engine->figures_lost = true;
		TEXT_FORMAT(engine_event(engine, EVENT_FIGURES_LOST, NULL)->text,
			    "figures cannot be read: %.90s", sample->error);
		log_warn("figures cannot be read: %s; they are unknown, states stay true",
			 sample->error);
	} else if (sample->ok && engine->figures_lost) {
		engine->figures_lost = false;
		TEXT_SET(engine_event(engine, EVENT_FIGURES_RESTORED, NULL)->text,
			 "figures can be read again");
		log_info("figures can be read again");
	}
	if (was_ok == engine->figures_ok)
		return;
	vm_touch_all(engine);
	for (struct vm *vm = TAILQ_FIRST(&engine->vms); vm; vm = TAILQ_NEXT(vm, next))
		rows_put_devices(engine, vm);
}

/* A pass is complete: the rules of supervision decide by the whole of it. */
static void
domain_heard(struct engine *engine)
{
	engine->partial = false;
	request_resend_own(engine);
	for (size_t i = 0; engine->deferred && i < engine->order_count; i++)
		if (engine->order[i]->policy.deferred) {
			engine->order[i]->policy.deferred = false;
			vm_touch(engine, engine->order[i]);
		}
	engine->deferred = false;
	engine->states_told = true;
	engine->unheard_ms = 0;
}

void
domain_unheard(struct engine *engine)
{
	engine->host_changed = true;
	domain_states_lost(engine, "its process says nothing");
}

void
domain_sample(struct engine *engine, const struct message *message)
{
	struct fact_sample sample = *(const struct fact_sample *)message->body;

	sample.error[TEXT_SIZE - 1] = 0;
	engine->host_changed = true;
	if (sample.kind == SAMPLE_FIGURES)
		engine->figures_told = true;
	else
		domain_heard(engine);
	if (sample.kind == SAMPLE_FIGURES) {
		if (sample.ok)
			engine->figures = sample;
		if (sample.ok && engine->sweep_devices)
			domain_end_sweep_devices(engine);
		domain_figures_sample(engine, &sample);
		if (sample.ok)
			notice_host(engine);
	} else if (sample.ok) {
		if (!sample.urgent || engine->states.mono_ms == 0)
			engine->states = sample;
		domain_states_ok(engine);
	} else {
		domain_states_lost(engine, sample.error);
	}
}
