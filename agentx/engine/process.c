/*
 * The engine's process: the pure engine on one side, the channels, the store and the clock on the
 * other. It owns the configuration, the decisions and the store.
 */
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/process.h"
#include "control/server.h"
#include "engine/engine.h"
#include "engine/journal.h"
#include "engine/record.h"
#include "probe/probe.h"

#define TICK_MS 1000
#define FLUSH_MS 3000 /* to write and send what waits, at the end */

static struct {
	struct event_base *base;
	struct event *timer;
	struct config *config;
	struct engine *engine;
	struct store *store;
	struct journal *journal;
	struct record *record; /* NULL: none is made */
	struct channel *hypervisor, *agentx;
	struct prober *prober;
	struct control_server *control;
	struct mib_agent agent;
	int64_t tick_ms;    /* mono: the timer is set to */
	int64_t offered_ms; /* mono: when rows were last sent to agentx */
	bool ending;	    /* the store is being closed, and takes nothing any more */
	bool rows_whole;    /* agentx has all rows of this engine */
	bool restarts_known;
	struct restarts restarts;
	int64_t sample_begin_ms[SAMPLE_FIGURES + 1]; /* not all passed on to agentx yet; 0: none */
} self;

/* ---- effects ---- */

/* Sends one row ahead of the others, where it waits. */
static void
send_row_ahead(enum mib_kind kind, const void *key)
{
	struct rowset *set = &engine_rows(self.engine)->sets[kind];
	const void *row = rowset_find(set, key);

	if (row && rowset_take_one(set, key))
		channel_send(self.agentx, MSG_ROW, kind, row, set->row_size);
}

static void
effect_held(const struct effect *effect)
{
	struct mib_request request = {0};
	struct mib_vm vm = {.index = effect->held.vm};

	if (control_server_held(self.control, effect->held.token, &effect->held.answer,
				effect->held.id))
		return;
	TEXT_SET(request.id, effect->held.id);
	send_row_ahead(KIND_REQUEST, &request);
	send_row_ahead(KIND_VM, &vm);
	channel_send(self.agentx, MSG_HELD, effect->held.token, &effect->held.answer,
		     sizeof(effect->held.answer));
}

static void carry_out(void);
static void follow(bool urgent);
static void arm_timer(void);

/* The tag of a request's write: its number and the state that was written. */
static void
request_written(void *arg, uint64_t tag, bool durable)
{
	(void)arg;
	if (self.ending)
		return;
	engine_stored(self.engine, clock_now(), tag >> 3, (int)(tag & 7), durable);
	carry_out();
}

static void
effect_action(const struct effect *effect)
{
	channel_send(self.hypervisor, MSG_ACTION, 0, &effect->action, sizeof(effect->action));
}

static void
effect_cancel(const struct effect *effect)
{
	channel_send(self.hypervisor, MSG_CANCEL, 0, &effect->action, sizeof(effect->action));
}

static void
forget_written(void *arg, uint64_t tag, bool durable)
{
	struct outcome *outcome = arg;

	(void)tag, (void)durable; /* without a disk there is memory alone */
	if (!self.ending)
		channel_send(self.hypervisor, MSG_FORGET, 0, outcome, sizeof(*outcome));
	free(outcome);
}

/* Not before what the engine made of it is on disk: an engine after this one hears it again. */
static void
effect_forget(const struct effect *effect)
{
	struct outcome *outcome = mem_alloc(sizeof(*outcome));

	*outcome = effect->outcome;
	store_mark(self.store, forget_written, outcome);
}

static void
effect_event(const struct effect *effect)
{
	journal_append(self.journal, &effect->event);
}

static void
effect_put_vm(const struct effect *effect)
{
	store_put_vm(self.store, &effect->vm);
}

static void
effect_drop_vm(const struct effect *effect)
{
	store_drop_vm(self.store, effect->vm.uuid);
}

static void
effect_put_request(const struct effect *effect)
{
	store_put_request(self.store, &effect->request, request_written, NULL,
			  effect->request.number << 3 | (uint64_t)effect->request.row.state);
}

static void
effect_drop_request(const struct effect *effect)
{
	store_drop_request(self.store, effect->request.number);
}

static void
effect_put_service(const struct effect *effect)
{
	store_put_service(self.store, &effect->service);
}

static void
effect_drop_service(const struct effect *effect)
{
	store_drop_service(self.store, effect->service.index);
}

static void
effect_probe(const struct effect *effect)
{
	const struct config_service *service = effect->probe.service;
	const struct probe_target target = {.kind = service->kind,
					    .address = service->address,
					    .port = service->port,
					    .payload = service->payload,
					    .command = service->command,
					    .timeout_ms = service->watch.timeout_ms};

	prober_start(self.prober, &target, effect->probe.attempt);
}

static void
service_probed(void *arg, const struct probe_result *result)
{
	struct probe_report report = {
	    .attempt = result->tag, .outcome = result->outcome, .latency_us = result->latency_us};

	(void)arg;
	TEXT_SET(report.text, result->text);
	engine_probed(self.engine, clock_now(), &report);
	follow(false);
}

static void
effect_reload(const struct effect *effect)
{
	(void)effect;
	process_ask_reload();
}

static void (*const effects[EFFECT_COUNT])(const struct effect *effect) = {
    [EFFECT_ACTION] = effect_action,
    [EFFECT_FORGET] = effect_forget,
    [EFFECT_CANCEL] = effect_cancel,
    [EFFECT_EVENT] = effect_event,
    [EFFECT_PUT_VM] = effect_put_vm,
    [EFFECT_DROP_VM] = effect_drop_vm,
    [EFFECT_PUT_REQUEST] = effect_put_request,
    [EFFECT_DROP_REQUEST] = effect_drop_request,
    [EFFECT_PUT_SERVICE] = effect_put_service,
    [EFFECT_DROP_SERVICE] = effect_drop_service,
    [EFFECT_HELD] = effect_held,
    [EFFECT_PROBE] = effect_probe,
    [EFFECT_RELOAD] = effect_reload,
};

static void
refresh_agent(void)
{
	struct mib_agent *row = &self.agent;

	engine_fill_agent(self.engine, row);
	journal_fill_agent(self.journal, row);
	row->restarts_hypervisor = self.restarts.count[ROLE_HYPERVISOR];
	row->restarts_engine = self.restarts.count[ROLE_ENGINE];
	row->restarts_agentx = self.restarts.count[ROLE_AGENTX];
	rowset_put(&engine_rows(self.engine)->sets[KIND_AGENT], row);
}

/* What follows each call into the engine. Where nothing came of it but probes, rows that changed
 * (when a service was asked last) wait for others, for two ticks at most: agentx need not be
 * woken for each. */
static void
follow(bool urgent)
{
	int64_t now_ms = clock_mono_ms();
	struct effect effect;
	uint32_t lost;

	store_begin(self.store);
	while (engine_next_effect(self.engine, &effect)) {
		effects[effect.type](&effect);
		urgent |= effect.type != EFFECT_PROBE;
	}
	store_end(self.store);
	lost = journal_take_lost(self.journal);
	if (lost > 0) {
		engine_note(self.engine, clock_now(), EVENT_EVENTS_LOST,
			    "%" PRIu32 " events fell out of the journal before snmpd had them",
			    lost);
		follow(true);
		return;
	}
	if (urgent || now_ms - self.offered_ms >= TICK_MS) {
		channel_offer(self.agentx);
		self.offered_ms = now_ms;
	}
	control_server_look(self.control);
	arm_timer();
}

static void
carry_out(void)
{
	follow(true);
}

/* ---- requests by hand ---- */

static void
control_hold(void *arg, uint32_t token, const struct hold *hold)
{
	struct message message = {
	    .type = ENGINE_HOLD_BY_HAND, .size = sizeof(*hold), .detail = token};

	(void)arg;
	memcpy(message.body, hold, sizeof(*hold));
	engine_message(self.engine, clock_now(), &message);
	carry_out();
}

/* From within the engine's effects, which are carried out to their end anyway. */
static void
control_release(void *arg, uint32_t token)
{
	const struct message message = {.type = MSG_RELEASE, .detail = token};

	(void)arg;
	engine_message(self.engine, clock_now(), &message);
}

static void
control_drop(void *arg, uint32_t token)
{
	const struct message message = {.type = MSG_DROP, .detail = token};

	(void)arg;
	engine_message(self.engine, clock_now(), &message);
	carry_out();
}

/* ---- peers ---- */

static void
sample_taken(const struct fact_sample *sample)
{
	if (sample->kind <= SAMPLE_FIGURES && sample->ok && !sample->urgent)
		self.sample_begin_ms[sample->kind] = sample->mono_ms - sample->duration_us / 1000;
}

/* For who measures what a sample costs those who ask meanwhile. */
static void
samples_passed_on(void)
{
	static const char *const names[] = {
	    [SAMPLE_STATES] = "states", [SAMPLE_FIGURES] = "figures"};
	struct instant now;

	for (int kind = SAMPLE_STATES; kind <= SAMPLE_FIGURES; kind++) {
		if (self.sample_begin_ms[kind] == 0)
			continue;
		now = clock_now();
		log_debug("sample of the %s: passed on by %" PRId64 " (ms of the clock), %" PRId64
			  " ms after its begin",
			  names[kind], now.wall_ms, now.mono_ms - self.sample_begin_ms[kind]);
		self.sample_begin_ms[kind] = 0;
	}
}

static void
hypervisor_received(void *arg, const struct message *message, int fd)
{
	(void)arg;
	if (fd >= 0)
		close(fd);
	engine_message(self.engine, clock_now(), message);
	if (message->type == MSG_SAMPLE && message->size == sizeof(struct fact_sample)) {
		refresh_agent();
		sample_taken((const struct fact_sample *)message->body);
	}
	carry_out();
}

static void
agentx_received(void *arg, const struct message *message, int fd)
{
	(void)arg;
	if (fd >= 0)
		close(fd);
	if (message->type == MSG_HANDED)
		journal_handed(self.journal, message->detail);
	else if (message->type != ENGINE_HOLD_BY_HAND) /* the control socket's alone */
		engine_message(self.engine, clock_now(), message);
	carry_out();
}

/* The next row for agentx; once all are there, the word that they are. */
static bool
agentx_pull(void *arg, struct message *message)
{
	struct mib_rows *rows = engine_rows(self.engine);
	bool gone;

	(void)arg;
	for (enum mib_kind kind = 1; kind < KIND_COUNT; kind++) {
		if (!rowset_take(&rows->sets[kind], message->body, &gone))
			continue;
		message->type = gone ? MSG_ROW_GONE : MSG_ROW;
		message->detail = kind;
		message->size = (uint16_t)rows->sets[kind].row_size;
		return true;
	}
	samples_passed_on();
	if (self.rows_whole || !engine_is_whole(self.engine))
		return false;
	self.rows_whole = true;
	message->type = MSG_ROWS_READY;
	message->detail = 0;
	message->size = 0;
	return true;
}

static void
hypervisor_closed(void *arg)
{
	(void)arg;
	engine_peer(self.engine, clock_now(), ROLE_HYPERVISOR, false);
	carry_out();
}

static void
agentx_closed(void *arg)
{
	(void)arg;
	engine_peer(self.engine, clock_now(), ROLE_AGENTX, false);
	carry_out();
}

static void
attach_hypervisor(int fd)
{
	engine_peer(self.engine, clock_now(), ROLE_HYPERVISOR, false);
	channel_attach(self.hypervisor, fd);
	engine_peer(self.engine, clock_now(), ROLE_HYPERVISOR, true);
	carry_out();
}

static void
attach_agentx(int fd)
{
	struct mib_rows *rows = engine_rows(self.engine);

	engine_peer(self.engine, clock_now(), ROLE_AGENTX, false);
	channel_attach(self.agentx, fd);
	channel_send(self.agentx, MSG_ROWS_CLEAR, 0, NULL, 0);
	self.rows_whole = false;
	for (enum mib_kind kind = 1; kind < KIND_COUNT; kind++)
		rowset_resend(&rows->sets[kind]);
	engine_peer(self.engine, clock_now(), ROLE_AGENTX, true);
	journal_restart(self.journal);
	carry_out();
}

static void
self_peer(void *arg, enum role role, int fd)
{
	(void)arg;
	if (role == ROLE_HYPERVISOR)
		attach_hypervisor(fd);
	else if (role == ROLE_AGENTX)
		attach_agentx(fd);
	else
		close(fd);
}

/* ---- the parent's messages ---- */

/* fd has the text of self.config. */
static void
load_config(int fd)
{
	if (self.record)
		record_config(self.record, fd, clock_now());
	engine_load(self.engine, self.config, clock_now());
}

static void
note_refused(const char *error)
{
	log_warn("the configuration is refused, the old one stays: %s", error);
	TEXT_SET(self.agent.config_error, error);
	engine_note(self.engine, clock_now(), EVENT_CONFIG_REFUSED,
		    "the configuration is refused: %.90s", error);
	engine_reloaded(self.engine, clock_now(), error);
	refresh_agent();
	carry_out();
}

static void
take_first_error(void *arg, const char *error)
{
	char *first = arg;

	if (first[0] == 0)
		text_set(first, TEXT_SIZE, error);
}

static bool
self_reload(void *arg, int fd)
{
	char error[TEXT_SIZE] = "";
	struct config *config = config_load_checked(fd, take_first_error, error);
	struct config *old = self.config;

	(void)arg;
	if (!config) {
		note_refused(error);
		return false;
	}
	self.config = config;
	load_config(fd);
	engine_reloaded(self.engine, clock_now(), NULL);
	config_free(old);
	TEXT_SET(self.agent.config_error, "");
	self.agent.config_time = clock_wall_ms();
	engine_note(self.engine, clock_now(), EVENT_CONFIG_LOADED,
		    "the configuration was read again: %zu VMs", config->vms_count);
	log_info("the configuration was read again: %zu VMs", config->vms_count);
	refresh_agent();
	carry_out();
	return true;
}

static void
self_reload_refused(void *arg, const char *error)
{
	(void)arg;
	note_refused(error);
}

/* The first word of the parent tells a start of the agent from one of this process alone. */
static void
self_restarts(void *arg, const struct restarts *restarts)
{
	bool started = !self.restarts_known && restarts->last == 0;

	(void)arg;
	self.restarts_known = true;
	self.restarts = *restarts;
	if (started)
		engine_note(self.engine, clock_now(), EVENT_AGENT_STARTED,
			    "lauxend %s started on %s", VERSION, self.config->name);
	else if (restarts->last != 0)
		engine_note(self.engine, clock_now(), EVENT_PROCESS_RESTARTED,
			    "the %s process was started again: %.60s",
			    name_of(role_names, (int)restarts->last), restarts->reason);
	refresh_agent();
	carry_out();
}

/* ---- store ---- */

static void
store_health(void *arg, bool ok, const char *error)
{
	bool known = self.agent.store_health != 0;

	(void)arg;
	if (self.ending)
		return;
	self.agent.store_health = ok ? STORE_OK : STORE_DEGRADED;
	TEXT_SET(self.agent.store_error, ok ? "" : error);
	if (self.store) /* another one where a broken store was replaced */
		TEXT_FORMAT(self.agent.journal, "%016" PRIx64, store_journal(self.store));
	if (!self.engine || (ok && !known))
		return;
	engine_note(self.engine, clock_now(), ok ? EVENT_STORE_RESTORED : EVENT_STORE_DEGRADED,
		    "%s%.80s",
		    ok ? "the store is well again" : "the store is degraded: ", ok ? "" : error);
	refresh_agent();
	carry_out();
}

static void
open_store(void)
{
	static const struct store_handlers handlers = {store_health};
	struct store_content content = {0};
	struct instant now;

	self.store = store_open(self.base, self.config->state_dir, self.config->journal_size,
				&handlers, NULL, &content);
	/* Two who decide for the same VMs undo each other's work. */
	if (content.taken)
		fatal("another lauxend runs with the state directory %s; end that one, or give "
		      "each its own",
		      self.config->state_dir);
	now = clock_now();
	self.engine = engine_new(&content, now);
	if (self.record)
		record_begin(self.record, self.engine, &content, now);
	self.journal = journal_new(&engine_rows(self.engine)->sets[KIND_EVENT], self.agentx,
				   self.config->journal_size, &content);
	journal_open(self.journal, self.store);
	TEXT_FORMAT(self.agent.journal, "%016" PRIx64, content.journal);
	if (content.rescued)
		engine_note(self.engine, clock_now(), EVENT_STORE_RESTORED,
			    "the store was broken and put aside; a new journal begins");
	else if (self.agent.store_health == STORE_DEGRADED)
		engine_note(self.engine, clock_now(), EVENT_STORE_DEGRADED,
			    "the store is degraded: %.80s", self.agent.store_error);
	free(content.vms);
	free(content.requests);
	free(content.events);
	free(content.services);
}

/* ---- loop ---- */

/* Never later than it is set to: events that follow each other closely do not put a tick off. */
static void
arm_timer(void)
{
	int64_t now_ms = clock_mono_ms(), wait_ms = engine_deadline(self.engine) - now_ms;
	struct timeval wait;

	wait_ms = wait_ms < 10 ? 10 : wait_ms > TICK_MS ? TICK_MS : wait_ms;
	if (now_ms + wait_ms >= self.tick_ms)
		return;
	self.tick_ms = now_ms + wait_ms;
	wait = (struct timeval){wait_ms / 1000, wait_ms % 1000 * 1000};
	evtimer_add(self.timer, &wait);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	self.tick_ms = INT64_MAX;
	engine_tick(self.engine, clock_now());
	follow(false);
}

static void
report_fatal(void *arg, const char *error)
{
	(void)arg;
	log_error("%s", error);
}

static void
self_stop(void *arg)
{
	(void)arg;
	/* While the store still takes what is dropped. */
	control_server_free(self.control);
	self.control = NULL;
	self.ending = true;
	store_close(self.store, clock_mono_ms() + FLUSH_MS);
	record_close(self.record, FLUSH_MS);
	prober_free(self.prober);
	channel_free(self.hypervisor);
	channel_free(self.agentx);
	journal_free(self.journal);
	engine_free(self.engine);
	config_free(self.config);
	event_free(self.timer);
}

int
engine_main(const struct options *options)
{
	static const struct process_handlers handlers = {.peer = self_peer,
							 .reload = self_reload,
							 .reload_refused = self_reload_refused,
							 .restarts = self_restarts,
							 .stop = self_stop};
	static const struct channel_handlers hypervisor = {.received = hypervisor_received,
							   .closed = hypervisor_closed};
	static const struct control_handlers control = {
	    .hold = control_hold, .release = control_release, .drop = control_drop};
	static const struct channel_handlers agentx = {
	    .received = agentx_received, .pull = agentx_pull, .closed = agentx_closed};

	self.base = process_init(ROLE_ENGINE, options, &handlers, NULL);
	self.config = config_load_checked(PROCESS_CONFIG_FD, report_fatal, NULL);
	if (!self.config)
		fatal("there is no configuration from the parent");
	self.hypervisor = channel_new(self.base, "hypervisor", &hypervisor, NULL);
	self.agentx = channel_new(self.base, "agentx", &agentx, NULL);
	self.prober =
	    prober_new(self.base, process_take_socket(PROCESS_ICMP_FD, IPPROTO_ICMP),
		       process_take_socket(PROCESS_ICMP6_FD, IPPROTO_ICMPV6), service_probed, NULL);
	self.timer = evtimer_new(self.base, tick, NULL);
	self.tick_ms = INT64_MAX;
	if (options->record)
		self.record = record_open(options->record, RECORD_SIZE_MAX);
	TEXT_SET(self.agent.version, VERSION);
	self.agent.start = clock_mono_ms();
	self.agent.config_time = clock_wall_ms();
	open_store();
	self.control = control_server_new(
	    self.base, self.config->state_dir, &engine_rows(self.engine)->sets[KIND_VM],
	    &engine_rows(self.engine)->sets[KIND_REQUEST], &control, NULL);
	load_config(PROCESS_CONFIG_FD);
	refresh_agent();
	carry_out();
	arm_timer();
	return process_run();
}
