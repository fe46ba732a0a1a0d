#include "tools/simxen/host.h"

#include <inttypes.h>
#include <stdio.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "tools/simxen/server.h"
#include "tools/simxen/services.h"

static const char *const change_names[] = {
    [CHANGE_BORN] = "born",   [CHANGE_STATE] = "state", [CHANGE_SHUTDOWN] = "shutdown",
    [CHANGE_DYING] = "dying", [CHANGE_GONE] = "gone",	[CHANGE_GUEST] = "guest",
};

static void
host_changed(void *arg, struct domain *d, enum model_change change)
{
	struct host *host = arg;

	log_debug("%" PRId64 " ms: domain %u %s: %s", d->model->now_ms, d->domid, d->def.name,
		  change_names[change]);
	if (host->history)
		fprintf(host->history,
			"%" PRId64 " %u %s %s phase=%d guest=%d pauses=%u reason=%s\n",
			d->model->now_ms, d->domid, d->def.name, change_names[change], d->phase,
			d->guest, d->pauses, name_of(shutdown_reason_names, (int)d->reason));
	if (host->services)
		services_follow(host->services, d, change);
	ops_domain_changed(&host->ops, d, change);
	if (host->server && change != CHANGE_GUEST)
		server_tell(host->server, d, change);
}

void
host_init(struct host *host, const struct model_config *config)
{
	*host = (struct host){.started_ms = clock_mono_ms()};
	host->model = model_new(config, host_changed, host);
	host->ops.model = host->model;
}

void
host_dispose(struct host *host)
{
	ops_dispose(&host->ops);
	for (size_t i = 0; host->services && i < host->model->domain_count; i++)
		services_follow(host->services, host->model->domains[i], CHANGE_GONE);
	services_free(host->services);
	model_free(host->model);
	if (host->wakeup)
		event_free(host->wakeup);
}

static void
wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	host_catch_up(arg);
}

void
host_catch_up(struct host *host)
{
	int64_t now_ms = clock_mono_ms() - host->started_ms, deadline_ms, wait_ms;
	struct timeval wait;

	model_advance(host->model, now_ms);
	if (!host->wakeup && !(host->wakeup = evtimer_new(host->base, wake, host)))
		fatal("libevent gives no timer");
	deadline_ms = model_deadline(host->model);
	if (deadline_ms == TIMERS_NEVER) {
		evtimer_del(host->wakeup);
		return;
	}
	wait_ms = deadline_ms - now_ms;
	wait = (struct timeval){.tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000};
	evtimer_add(host->wakeup, &wait);
}

bool
host_preset(struct host *host, const struct vmdef *def, bool monitor, bool up)
{
	struct domain *d = model_build(host->model, def, monitor, up);

	if (d)
		model_start(d);
	return d != NULL;
}
