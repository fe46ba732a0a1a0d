#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "config/config.h"
#include "hypervisor/action.h"
#include "hypervisor/facts.h"
#include "hypervisor/worker.h"

static struct {
	struct config *config;
	struct channel *engine;
	struct facts facts;
	struct workers *workers;
	struct actions *actions;
	struct event *children; /* SIGCHLD */
} hypervisor;

static void
report_config(void *arg, const char *error)
{
	(void)arg;
	log_error("%s", error);
}

static void
news(void *arg)
{
	(void)arg;
	channel_offer(hypervisor.engine);
}

/* Not every change makes the watch speak (a pause does not, on Xen): what was done is looked at. */
static void
tell(void *arg, enum message_type type, const struct outcome *outcome)
{
	(void)arg;
	channel_send(hypervisor.engine, type, 0, outcome, sizeof(*outcome));
	if (type == MSG_OUTCOME && hypervisor.workers)
		workers_look(hypervisor.workers);
}

static void
engine_received(void *arg, const struct message *message, int fd)
{
	struct action action;
	struct outcome outcome;

	(void)arg;
	if (fd >= 0)
		close(fd);
	if (message->type == MSG_ACTION && message->size == sizeof(action)) {
		memcpy(&action, message->body, sizeof(action));
		actions_take(hypervisor.actions, &action);
	} else if (message->type == MSG_CANCEL && message->size == sizeof(action)) {
		memcpy(&action, message->body, sizeof(action));
		actions_cancel(hypervisor.actions, &action);
	} else if (message->type == MSG_FORGET && message->size == sizeof(outcome)) {
		memcpy(&outcome, message->body, sizeof(outcome));
		actions_forget(hypervisor.actions, &outcome);
	} else {
		log_warn("message %d of %d octets from the engine is none that it may send",
			 message->type, message->size);
	}
}

static bool
engine_pull(void *arg, struct message *message)
{
	(void)arg;
	return facts_pull(&hypervisor.facts, message);
}

static void
peer(void *arg, enum role role, int fd)
{
	(void)arg;
	if (role != ROLE_ENGINE) {
		log_warn("%s is no peer of the hypervisor process", name_of(role_names, role));
		close(fd);
		return;
	}
	channel_attach(hypervisor.engine, fd);
	/* First: a VM's state means something else while an action is at work on it. */
	actions_resend(hypervisor.actions);
	facts_resend(&hypervisor.facts);
	channel_offer(hypervisor.engine);
}

static bool
reload(void *arg, int fd)
{
	struct config *old = hypervisor.config;
	struct config *config = config_load_checked(fd, report_config, NULL);

	(void)arg;
	if (!config)
		return false;
	hypervisor.config = config;
	workers_configure(hypervisor.workers, config);
	actions_configure(hypervisor.actions, config);
	config_free(old);
	log_info("configuration read again: %zu VMs", config->vms_count);
	return true;
}

static void
children(evutil_socket_t signal, short what, void *arg)
{
	(void)signal, (void)what, (void)arg;
	workers_reap(hypervisor.workers);
	actions_reap(hypervisor.actions);
}

/* Workers go with the process; helpers do not. */
static void
stop(void *arg)
{
	(void)arg;
	workers_free(hypervisor.workers);
	actions_free(hypervisor.actions);
	channel_free(hypervisor.engine);
	event_free(hypervisor.children);
	facts_dispose(&hypervisor.facts);
	config_free(hypervisor.config);
}

int
hypervisor_main(const struct options *options)
{
	static const struct process_handlers handlers = {
	    .peer = peer, .reload = reload, .stop = stop};
	static const struct channel_handlers engine = {.received = engine_received,
						       .pull = engine_pull};
	static const struct workers_handlers workers = {.news = news};
	static const struct actions_handlers actions = {.tell = tell};
	struct event_base *base = process_init(ROLE_HYPERVISOR, options, &handlers, NULL);

	hypervisor.config = config_load_checked(PROCESS_CONFIG_FD, report_config, NULL);
	if (!hypervisor.config)
		fatal("there is no configuration from the parent");
	hypervisor.engine = channel_new(base, "engine", &engine, NULL);
	facts_init(&hypervisor.facts);
	hypervisor.children = evsignal_new(base, SIGCHLD, children, NULL);
	if (!hypervisor.children || event_add(hypervisor.children, NULL) < 0)
		fatal("libevent refuses SIGCHLD");
	hypervisor.actions = actions_new(base, options, hypervisor.config, &actions);
	hypervisor.workers =
	    workers_new(base, options, hypervisor.config, &hypervisor.facts, &workers);
	return process_run();
}
