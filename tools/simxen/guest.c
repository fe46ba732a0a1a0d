#include "tools/simxen/guest.h"

#define BALLOON_MS 100	     /* how long any change of memory takes, and */
#define BALLOON_MIB_PER_MS 2 /* so fast beyond */

bool
domain_active(const struct domain *d)
{
	return d->phase == PHASE_LIVE && d->pauses == 0;
}

int64_t
domain_active_ms(const struct domain *d)
{
	return d->active_ms + (domain_active(d) ? d->model->now_ms - d->since_ms : 0);
}

/* When the balloon began plus this, it is where it was sent. */
static int64_t
balloon_ms(const struct domain *d)
{
	uint64_t way = d->from_kib > d->to_kib ? d->from_kib - d->to_kib : d->to_kib - d->from_kib;

	return BALLOON_MS + (int64_t)(way / 1024 / BALLOON_MIB_PER_MS);
}

uint64_t
domain_memory_kib(const struct domain *d)
{
	int64_t since = domain_active_ms(d) - d->moved_ms, whole = balloon_ms(d);
	int64_t way = (int64_t)(d->to_kib - d->from_kib);

	if (since >= whole || way == 0)
		return d->to_kib;
	return (uint64_t)((int64_t)d->from_kib + way / whole * since);
}

/* Arms the guest's timer, or, while the clock stands, notes for guest_thaw() what is left. */
static void
set_guest_timer(struct domain *d, int64_t after_ms, void (*fire)(void *domain))
{
	d->guest_fire = fire;
	d->guest_left_ms = after_ms;
	timers_cancel(&d->model->timers, &d->guest_timer);
	if (domain_active(d))
		timers_set(&d->model->timers, &d->guest_timer, d->model->now_ms + after_ms, fire,
			   d);
}

static void
cancel_guest_timer(struct domain *d)
{
	timers_cancel(&d->model->timers, &d->guest_timer);
	d->guest_left_ms = -1;
}

void
guest_freeze(struct domain *d)
{
	int64_t now_ms = d->model->now_ms;

	d->active_ms += now_ms - d->since_ms;
	d->guest_left_ms = d->guest_timer.place ? d->guest_timer.due_ms - now_ms : -1;
	timers_cancel(&d->model->timers, &d->guest_timer);
}

void
guest_thaw(struct domain *d)
{
	d->since_ms = d->model->now_ms;
	if (d->guest_left_ms >= 0)
		set_guest_timer(d, d->guest_left_ms, d->guest_fire);
	guest_see_control(d);
}

/* A time of the definition, or the host's default with a jitter of a fifth either way. */
static int64_t
jittered_ms(const struct domain *d, int64_t own_ms, int64_t default_ms, uint64_t salt)
{
	int64_t fifth = default_ms / 5;

	if (own_ms >= 0)
		return own_ms;
	return default_ms - fifth + (int64_t)(model_hash(d->key, salt) % (uint64_t)(2 * fifth + 1));
}

static void
crash(void *domain)
{
	model_end(domain, REASON_CRASH);
}

static void
halt(void *domain)
{
	struct domain *d = domain;

	model_end(d, d->guest_reason);
}

static void
come_up(void *domain)
{
	struct domain *d = domain;

	d->guest = GUEST_UP;
	d->up_ms = domain_active_ms(d);
	d->guest_left_ms = -1;
	if (d->control_seen)
		guest_stop(d, d->control);
	else if (d->def.crash_ms >= 0)
		set_guest_timer(d, d->def.crash_ms, crash);
	if (d->model->changed)
		d->model->changed(d->model->arg, d, CHANGE_GUEST);
}

void
guest_begin(struct domain *d)
{
	set_guest_timer(
	    d, d->restored ? 0 : jittered_ms(d, d->def.boot_ms, d->model->config.boot_ms, 1),
	    come_up);
}

void
guest_stop(struct domain *d, enum shutdown_reason reason)
{
	if (d->guest == GUEST_STOPPING || d->guest == GUEST_HUNG)
		return;
	d->control = reason;
	d->control_seen = true;
	if (d->guest == GUEST_BOOTING)
		return; /* come_up() goes on here */
	d->guest = GUEST_STOPPING;
	d->guest_reason = reason;
	set_guest_timer(d, jittered_ms(d, d->def.shutdown_ms, d->model->config.shutdown_ms, 2),
			halt);
	if (d->model->changed)
		d->model->changed(d->model->arg, d, CHANGE_GUEST);
}

void
guest_see_control(struct domain *d)
{
	if (d->control != REASON_UNKNOWN && !d->control_seen && domain_active(d) &&
	    d->guest != GUEST_HUNG)
		guest_stop(d, d->control);
}

void
guest_hang(struct domain *d, int64_t after_ms)
{
	d->guest = GUEST_HUNG;
	if (after_ms >= 0)
		set_guest_timer(d, after_ms, crash);
	else
		cancel_guest_timer(d);
}

void
guest_starve(struct domain *d)
{
	d->guest = GUEST_HUNG;
	set_guest_timer(d, balloon_ms(d), crash);
}

bool
guest_set_fault(struct domain *d, const struct vmdef_service *service, enum service_fault fault)
{
	for (uint32_t i = 0; i < d->def.service_count; i++)
		if (d->def.services[i].port == service->port &&
		    d->def.services[i].udp == service->udp) {
			d->faults[i] = fault;
			return true;
		}
	return false;
}

enum port_state
model_service(const struct domain *d, unsigned i)
{
	if (d->phase != PHASE_LIVE || d->faults[i] == FAULT_STOP)
		return PORT_CLOSED;
	if (d->pauses || d->guest == GUEST_HUNG)
		return PORT_SILENT;
	if (d->guest != GUEST_UP)
		return PORT_CLOSED;
	return d->faults[i] == FAULT_HANG ? PORT_SILENT : PORT_SERVING;
}
