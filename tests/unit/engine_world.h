/*
 * A small world around the engine, for tests of its rules: VMs that do at once, or a little later,
 * what actions ask for; services that answer or do not; a hypervisor process, an agentx process and
 * a store. All on a virtual clock that stands still but in run(). What was done to VMs is written
 * down, a line each: "start dns".
 */
#ifndef TESTS_UNIT_ENGINE_WORLD_H
#define TESTS_UNIT_ENGINE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "engine/engine.h"

#define VMS_MAX 16
#define SERVICES_MAX 4 /* of a VM or an external */
#define NEEDS_MAX 8
#define EXTERNALS_MAX 4
#define EVENTS_MAX 512
#define PENDING_MAX 64
#define LOOK_MS 1000  /* between two looks at the hypervisor */
#define ACTION_MS 100 /* that an action takes */
#define LATENCY_MS 1  /* that an answer takes */

/* What a VM is for real. */
struct fake_vm {
	uint32_t domid; /* 0: there is none */
	bool paused, dead;
	uint32_t reason;   /* of its death */
	uint32_t on_crash; /* as its file says */
	uint64_t cpu_ns;   /* 0: it never ran */
	uint32_t fails;	   /* verb that fails for it; 0: none */
	uint32_t refuses;  /* a guest that does not end by itself: shutdowns fail */
	int64_t start_wall_ms;
	uint32_t memory_mib, used_percent, static_max_mib;
	int64_t inside_mono_ms; /* 0: now, always */
	bool no_target;		/* nobody says what memory it is to have */
};

/* Whether a service answers, where its VM runs. */
struct fake_service {
	enum probe_outcome outcome;
	uint32_t probes; /* attempts so far */
	int64_t last_ms; /* when the last was */
};

struct pending_action {
	struct action action;
	int64_t due_ms;
};

struct pending_probe {
	uint64_t attempt;
	const struct config_service *service;
	int64_t due_ms;
};

struct world {
	struct instant now;
	struct config config;
	struct config_vm vms[VMS_MAX];
	struct config_service vm_services[VMS_MAX][SERVICES_MAX];
	struct config_need vm_needs[VMS_MAX][NEEDS_MAX];
	struct config_external externals[EXTERNALS_MAX];
	struct config_service external_services[EXTERNALS_MAX][SERVICES_MAX];
	struct fake_vm fakes[VMS_MAX];
	struct fake_service answers[VMS_MAX + EXTERNALS_MAX][SERVICES_MAX];

	struct engine *engine;
	struct store_content content;
	struct store_vm kept_vms[VMS_MAX];
	struct store_request kept_requests[64];
	struct store_service kept_services[64];
	struct mib_event events[EVENTS_MAX];
	size_t events_seen; /* those before were asked for already */

	struct pending_action actions[PENDING_MAX];
	size_t actions_count;
	struct pending_probe probes[PENDING_MAX];
	size_t probes_count;
	uint64_t last_attempt;
	uint32_t next_domid, next_token;
	int64_t look_ms, free_mib;
	uint8_t boots;		 /* of the host */
	int64_t booted_ms;	 /* so long ago, by the mono clock */
	bool silent;		 /* the hypervisor does not answer */
	bool stuck;		 /* actions do not end */
	bool deaf;		 /* probes are not answered */
	bool cut;		 /* actions end half done: a VM that was to run does not */
	bool vanishes;		 /* what is made is gone before it is listed */
	uint32_t reloads;	 /* that were asked for */
	char refused[TEXT_SIZE]; /* why the last hold was; else "" */
	char log[8192];
	bool started; /* the engine runs */
};

static struct world *w; /* of the test that runs */

/* ---- the configuration ---- */

static inline size_t
place_of(const char *name)
{
	for (size_t i = 0; i < w->config.vms_count; i++)
		if (strcmp(w->vms[i].provider.name, name) == 0)
			return i;
	fail_msg("there is no VM %s", name);
	return 0;
}

static inline struct config_vm *
add_vm(const char *name)
{
	size_t i = w->config.vms_count++;
	struct config_vm *vm = &w->vms[i];

	assert_true(i < VMS_MAX);
	TEXT_SET(vm->provider.name, name);
	TEXT_FORMAT(vm->provider.address, "10.0.0.%zu", i + 1);
	vm->provider.services = w->vm_services[i];
	vm->needs = w->vm_needs[i];
	vm->uuid[0] = (uint8_t)(i + 1);
	vm->standby = vm->standby_of = -1;
	vm->policy = w->config.policy;
	w->fakes[i].on_crash = ON_RESTART;
	w->fakes[i].memory_mib = 256;
	w->fakes[i].static_max_mib = 1024;
	w->fakes[i].used_percent = 70;
	return vm;
}

static inline struct config_service *
put_service(struct config_provider *provider, const char *name)
{
	struct config_service *service = &provider->services[provider->services_count++];

	assert_true(provider->services_count <= SERVICES_MAX);
	TEXT_SET(service->name, name);
	TEXT_SET(service->address, provider->address);
	service->kind = strstr(name, "udp") ? SERVICE_UDP : SERVICE_TCP;
	service->port = (uint16_t)atoi(name);
	service->watch = w->config.watch;
	return service;
}

static inline struct config_service *
add_service(const char *vm, const char *name)
{
	size_t i = place_of(vm);

	w->answers[i][w->vms[i].provider.services_count].outcome = PROBE_UP;
	return put_service(&w->vms[i].provider, name);
}

/* An external host with one service. */
static inline struct config_external *
add_external(const char *name, const char *service)
{
	size_t i = w->config.externals_count++;
	struct config_external *external = &w->externals[i];

	assert_true(i < EXTERNALS_MAX);
	TEXT_SET(external->provider.name, name);
	TEXT_FORMAT(external->provider.address, "10.0.1.%zu", i + 1);
	external->provider.services = w->external_services[i];
	put_service(&external->provider, service);
	w->answers[VMS_MAX + i][0].outcome = PROBE_UP;
	return external;
}

static inline uint32_t
service_place(const struct config_provider *provider, const char *name)
{
	for (uint32_t i = 0; i < provider->services_count; i++)
		if (strcmp(provider->services[i].name, name) == 0)
			return i;
	fail_msg("%s has no service %s", provider->name, name);
	return 0;
}

static inline void
add_need(const char *vm, const char *provider, const char *service)
{
	struct config_vm *config = &w->vms[place_of(vm)];
	struct config_need *need = &config->needs[config->needs_count++];

	assert_true(config->needs_count <= NEEDS_MAX);
	for (uint32_t i = 0; i < w->config.externals_count; i++)
		if (strcmp(w->externals[i].provider.name, provider) == 0) {
			*need = (struct config_need){
			    .external = true,
			    .provider = i,
			    .service = service_place(&w->externals[i].provider, service)};
			return;
		}
	need->provider = (uint32_t)place_of(provider);
	need->service = service_place(&w->vms[need->provider].provider, service);
}

static inline void
set_standby(const char *primary, const char *standby)
{
	w->vms[place_of(primary)].standby = (int32_t)place_of(standby);
	w->vms[place_of(standby)].standby_of = (int32_t)place_of(primary);
}

/* dns offers 53/udp; nfs 2049/tcp and needs dns; www 80/tcp and needs both; as figure 4.7 has it.
 */
static inline void
use_three(void)
{
	add_vm("www"); /* a file need not be in the order */
	add_vm("dns");
	add_vm("nfs");
	add_service("www", "80/tcp");
	add_service("dns", "53/udp");
	add_service("nfs", "2049/tcp");
	add_need("www", "dns", "53/udp");
	add_need("www", "nfs", "2049/tcp");
	add_need("nfs", "dns", "53/udp");
}

/* ---- messages ---- */

static inline void take_effects(void);

static inline void
tell(int type, uint32_t detail, const void *body, size_t size)
{
	struct message message = {.type = (uint16_t)type, .size = (uint16_t)size, .detail = detail};

	if (size > 0)
		memcpy(message.body, body, size);
	engine_message(w->engine, w->now, &message);
	take_effects();
}

static inline void
tell_domain(size_t i)
{
	struct fake_vm *fake = &w->fakes[i];
	struct fact_domain fact = {.domid = fake->domid,
				   .flags = (fake->paused ? DOMAIN_PAUSED : 0) |
					    (fake->dead ? DOMAIN_SHUTDOWN : 0),
				   .reason = fake->reason,
				   .read_mono_us = w->now.mono_ms * 1000,
				   .cpu_ns = fake->cpu_ns,
				   .memory_kib = (uint64_t)fake->memory_mib * 1024,
				   .vcpus = 1,
				   .vcpus_max = 1};

	memcpy(fact.uuid, w->vms[i].uuid, UUID_SIZE);
	tell(MSG_DOMAIN, 0, &fact, sizeof(fact));
}

static inline void
tell_figures(size_t i)
{
	struct fake_vm *fake = &w->fakes[i];
	struct fact_figures fact = {.domid = fake->domid,
				    .on_poweroff = ON_DESTROY,
				    .on_reboot = ON_RESTART,
				    .on_crash = fake->on_crash,
				    .memory_max_kib = (uint64_t)fake->static_max_mib * 1024,
				    .memory_target_kib =
					fake->no_target ? 0 : (uint64_t)fake->memory_mib * 1024,
				    .inside_total_kib = (uint64_t)fake->memory_mib * 1024,
				    .start_wall_ms = fake->start_wall_ms};

	fact.inside_free_kib = fact.inside_total_kib * (100 - fake->used_percent) / 100;
	fact.inside_mono_ms = fake->inside_mono_ms ? fake->inside_mono_ms : w->now.mono_ms;
	memcpy(fact.uuid, w->vms[i].uuid, UUID_SIZE);
	TEXT_SET(fact.name, w->vms[i].provider.name);
	tell(MSG_FIGURES, 0, &fact, sizeof(fact));
}

static inline void
tell_sample(uint32_t kind, bool ok)
{
	struct fact_sample sample = {.kind = kind, .ok = ok, .mono_ms = w->now.mono_ms};

	TEXT_SET(sample.error, ok ? "" : "no answer");
	tell(MSG_SAMPLE, 0, &sample, sizeof(sample));
}

/* Both workers look. */
static inline void
look(void)
{
	struct fact_domain dom0 = {.read_mono_us = w->now.mono_ms * 1000};
	struct fact_host host = {.boot_id = {w->boots},
				 .boot_mono_ms = w->now.mono_ms - w->booted_ms,
				 .memory_kib = 8 * 1024 * 1024,
				 .memory_free_kib = (uint64_t)w->free_mib * 1024};

	if (w->silent) {
		tell_sample(SAMPLE_STATES, false);
		return;
	}
	tell(MSG_DOMAIN, 0, &dom0, sizeof(dom0));
	for (size_t i = 0; i < w->config.vms_count; i++)
		if (w->fakes[i].domid)
			tell_domain(i);
	tell_sample(SAMPLE_STATES, true);
	tell(MSG_HOST, 0, &host, sizeof(host));
	for (size_t i = 0; i < w->config.vms_count; i++)
		if (w->fakes[i].domid)
			tell_figures(i);
	tell_sample(SAMPLE_FIGURES, true);
}

/* ---- what happens to VMs for real; a person does it, or an action ---- */

static inline void
vm_create(size_t i)
{
	w->fakes[i].domid = ++w->next_domid;
	w->fakes[i].paused = w->fakes[i].dead = false;
	w->fakes[i].cpu_ns = 1000;
	w->fakes[i].start_wall_ms = w->now.wall_ms;
}

static inline void
vm_vanish(size_t i)
{
	struct fact_domain fact = {.domid = w->fakes[i].domid};

	w->fakes[i].domid = 0;
	w->fakes[i].paused = w->fakes[i].dead = false;
	if (w->started && !w->silent && fact.domid)
		tell(MSG_DOMAIN, FACT_GONE, &fact, sizeof(fact));
}

/* What was told since the last look is all of a look. */
static inline void
tell_urgent(void)
{
	struct fact_sample sample = {
	    .kind = SAMPLE_STATES, .ok = true, .urgent = true, .mono_ms = w->now.mono_ms};

	if (w->started && !w->silent)
		tell(MSG_SAMPLE, 0, &sample, sizeof(sample));
}

static inline void
vm_gone(size_t i)
{
	vm_vanish(i);
	tell_urgent();
}

static inline void
xl_create(const char *name)
{
	vm_create(place_of(name));
}

static inline void
xl_pause(const char *name, bool paused)
{
	w->fakes[place_of(name)].paused = paused;
}

static inline void
xl_destroy(const char *name)
{
	vm_gone(place_of(name));
}

/* The guest ends: REASON_POWEROFF, REASON_REBOOT, REASON_CRASH. */
static inline void
guest_ends(const char *name, uint32_t reason)
{
	size_t i = place_of(name);

	w->fakes[i].dead = true;
	w->fakes[i].reason = reason;
	if (!w->silent)
		tell_domain(i);
	tell_urgent();
}

/* ---- actions ---- */

static inline const char *
verb_name(uint32_t verb)
{
	return verb == ACTION_REAP	? "reap"
	       : verb == ACTION_REPLACE ? "replace"
	       : verb == ACTION_RESTART ? "restart"
					: name_of(verb_names, (int)verb);
}

static inline void
log_line(const char *verb, const char *name)
{
	size_t length = strlen(w->log);

	snprintf(w->log + length, sizeof(w->log) - length, "%s %s\n", verb, name);
}

static inline bool
vm_lives(const struct fake_vm *fake)
{
	return fake->domid && !fake->dead;
}

/* Whether it can be done; then it is. */
static inline bool
act(const struct action *action, size_t i)
{
	struct fake_vm *fake = &w->fakes[i];

	if (fake->fails == action->verb)
		return false;
	switch (action->verb) {
	case VERB_START:
	case VERB_RESTORE:
		if (fake->domid)
			return false;
		vm_create(i);
		return true;
	case VERB_SHUTDOWN:
		if (!fake->domid || fake->paused || fake->refuses)
			return false;
		vm_gone(i);
		return true;
	case VERB_DESTROY:
		if (!fake->domid)
			return false;
		vm_gone(i);
		return true;
	case VERB_PAUSE:
	case VERB_UNPAUSE:
		if (!vm_lives(fake))
			return false;
		fake->paused = action->verb == VERB_PAUSE;
		return true;
	case VERB_REBOOT:
	case ACTION_RESTART:
		if (!fake->domid)
			return false;
		vm_gone(i);
		vm_create(i);
		return true;
	case VERB_SAVE:
		vm_gone(i);
		return true;
	case VERB_MEMORY:
		fake->memory_mib = action->number;
		return vm_lives(fake);
	case ACTION_REAP:
		if (vm_lives(fake))
			return false;
		vm_gone(i);
		return true;
	case ACTION_REPLACE:
		if (vm_lives(fake))
			return false;
		vm_gone(i);
		vm_create(i);
		return true;
	default:
		return false;
	}
}

static inline void
end_action(const struct action *action)
{
	size_t i = place_of(action->name);
	bool makes = action->verb == VERB_START || action->verb == VERB_RESTORE ||
		     action->verb == VERB_REBOOT || action->verb == ACTION_RESTART ||
		     action->verb == ACTION_REPLACE;
	struct outcome outcome = {.id = action->id,
				  .journal = action->journal,
				  .verb = action->verb,
				  .action_domid = action->domid};

	memcpy(outcome.uuid, action->uuid, UUID_SIZE);
	if (w->cut)
		vm_vanish(i);
	outcome.state = w->cut		 ? REQUEST_UNDECIDED
			: act(action, i) ? REQUEST_SUCCEEDED
					 : REQUEST_FAILED;
	if (outcome.state == REQUEST_FAILED)
		TEXT_SET(outcome.error, "it cannot be done");
	else if (makes && !w->cut)
		outcome.domid = w->fakes[i].domid;
	if (w->vanishes)
		w->fakes[i].domid = 0;
	tell(MSG_OUTCOME, 0, &outcome, sizeof(outcome));
	if (w->fakes[i].domid && !w->silent)
		tell_domain(i);
	tell_urgent();
}

static inline void
tell_started(const struct action *action)
{
	struct outcome told = {.id = action->id,
			       .journal = action->journal,
			       .state = REQUEST_RUNNING,
			       .verb = action->verb,
			       .action_domid = action->domid};

	memcpy(told.uuid, action->uuid, UUID_SIZE);
	tell(MSG_STARTED, 0, &told, sizeof(told));
}

static inline void
begin_action(const struct action *action)
{
	/* One at a time: nothing is to be done to a VM that something is done to. */
	for (size_t i = 0; i < w->actions_count; i++) {
		if (w->actions[i].action.id == action->id)
			return; /* again, after a restart */
		if (strcmp(w->actions[i].action.name, action->name) == 0)
			fail_msg("%s %s while another action runs", verb_name(action->verb),
				 action->name);
	}
	if (action->verb == VERB_MEMORY) {
		char text[32];

		snprintf(text, sizeof(text), "memory %u", action->number);
		log_line(text, action->name);
	} else {
		log_line(verb_name(action->verb), action->name);
	}
	assert_true(w->actions_count < PENDING_MAX);
	w->actions[w->actions_count++] =
	    (struct pending_action){*action, w->now.mono_ms + ACTION_MS};
	tell_started(action);
}

/* ---- probes ---- */

static inline struct fake_service *
answer_of(const struct config_service *service)
{
	for (size_t i = 0; i < w->config.vms_count; i++)
		for (size_t j = 0; j < w->vms[i].provider.services_count; j++)
			if (service == &w->vm_services[i][j])
				return &w->answers[i][j];
	for (size_t i = 0; i < w->config.externals_count; i++)
		if (service == &w->external_services[i][0])
			return &w->answers[VMS_MAX + i][0];
	fail_msg("a service of another configuration is to be probed");
	return NULL;
}

static inline struct fake_service *
service_of(const char *provider, const char *name)
{
	for (size_t i = 0; i < w->config.externals_count; i++)
		if (strcmp(w->externals[i].provider.name, provider) == 0)
			return &w->answers[VMS_MAX + i][0];
	return &w->answers[place_of(provider)]
			  [service_place(&w->vms[place_of(provider)].provider, name)];
}

/* A VM that does not run answers nobody; who has its address does. */
static inline bool
address_lives(const char *address)
{
	for (size_t i = 0; i < w->config.vms_count; i++)
		if (strcmp(w->vms[i].provider.address, address) == 0 && vm_lives(&w->fakes[i]) &&
		    !w->fakes[i].paused)
			return true;
	return strncmp(address, "10.0.1.", 7) == 0;
}

static inline void
end_probe(const struct pending_probe *probe)
{
	struct fake_service *answer = answer_of(probe->service);
	struct probe_report report = {.attempt = probe->attempt, .latency_us = 150};

	report.outcome = address_lives(probe->service->address) ? answer->outcome : PROBE_SILENT;
	TEXT_SET(report.text, report.outcome == PROBE_UP ? "" : "no answer");
	engine_probed(w->engine, w->now, &report);
	take_effects();
}

static inline void
begin_probe(const struct effect *effect)
{
	struct fake_service *answer = answer_of(effect->probe.service);

	for (size_t i = 0; i < w->probes_count; i++)
		if (w->probes[i].service == effect->probe.service && !w->deaf)
			fail_msg("a second attempt at %s before the first ended",
				 effect->probe.service->name);
	answer->probes++;
	answer->last_ms = w->now.mono_ms;
	w->last_attempt = effect->probe.attempt;
	if (w->deaf)
		return;
	assert_true(w->probes_count < PENDING_MAX);
	w->probes[w->probes_count++] = (struct pending_probe){
	    effect->probe.attempt, effect->probe.service, w->now.mono_ms + LATENCY_MS};
}

/* ---- effects ---- */

#define KEEP(array, count, value, same)                                                            \
	do {                                                                                       \
		size_t at_ = 0;                                                                    \
		while (at_ < (count) && !(same))                                                   \
			at_++;                                                                     \
		assert_true(at_ < sizeof(array) / sizeof((array)[0]));                             \
		(count) += at_ == (count);                                                         \
		(array)[at_] = (value);                                                            \
	} while (0)

static inline void
keep_request(const struct store_request *request)
{
	KEEP(w->kept_requests, w->content.requests_count, *request,
	     w->kept_requests[at_].number == request->number);
	if (request->number >= w->content.next_request)
		w->content.next_request = request->number + 1;
	engine_stored(w->engine, w->now, request->number, request->row.state, true);
}

static inline void
take_effects(void)
{
	struct effect effect;

	while (engine_next_effect(w->engine, &effect)) {
		if (effect.type == EFFECT_ACTION)
			begin_action(&effect.action);
		else if (effect.type == EFFECT_PROBE)
			begin_probe(&effect);
		else if (effect.type == EFFECT_RELOAD)
			w->reloads++;
		else if (effect.type == EFFECT_PUT_VM)
			KEEP(w->kept_vms, w->content.vms_count, effect.vm,
			     memcmp(w->kept_vms[at_].uuid, effect.vm.uuid, UUID_SIZE) == 0);
		else if (effect.type == EFFECT_PUT_SERVICE)
			KEEP(w->kept_services, w->content.services_count, effect.service,
			     w->kept_services[at_].index == effect.service.index);
		else if (effect.type == EFFECT_PUT_REQUEST)
			keep_request(&effect.request);
		else if (effect.type == EFFECT_HELD)
			TEXT_SET(w->refused, effect.held.answer.error);
		else if (effect.type == EFFECT_EVENT)
			w->events[w->content.events_count++ % EVENTS_MAX] = effect.event;
	}
}

/* ---- time ---- */

/* The first action or answer that is due, if any. */
static inline bool
serve(void)
{
	for (size_t i = 0; i < w->actions_count && !w->stuck; i++)
		if (w->actions[i].due_ms <= w->now.mono_ms) {
			struct pending_action first = w->actions[i];

			memmove(&w->actions[i], &w->actions[i + 1],
				(--w->actions_count - i) * sizeof(first));
			end_action(&first.action);
			return true;
		}
	for (size_t i = 0; i < w->probes_count; i++)
		if (w->probes[i].due_ms <= w->now.mono_ms) {
			struct pending_probe first = w->probes[i];

			memmove(&w->probes[i], &w->probes[i + 1],
				(--w->probes_count - i) * sizeof(first));
			end_probe(&first);
			return true;
		}
	return false;
}

static inline int64_t
next_moment(int64_t end_ms)
{
	int64_t next_ms = engine_deadline(w->engine);

	if (w->look_ms < next_ms)
		next_ms = w->look_ms;
	for (size_t i = 0; i < w->actions_count && !w->stuck; i++)
		if (w->actions[i].due_ms < next_ms)
			next_ms = w->actions[i].due_ms;
	for (size_t i = 0; i < w->probes_count; i++)
		if (w->probes[i].due_ms < next_ms)
			next_ms = w->probes[i].due_ms;
	if (next_ms <= w->now.mono_ms)
		next_ms = w->now.mono_ms + 1;
	return next_ms < end_ms ? next_ms : end_ms;
}

static inline void
run(int64_t ms)
{
	int64_t end_ms = w->now.mono_ms + ms;

	while (w->now.mono_ms < end_ms) {
		int64_t step_ms = next_moment(end_ms) - w->now.mono_ms;

		w->now.mono_ms += step_ms;
		w->now.wall_ms += step_ms;
		while (serve())
			;
		if (w->look_ms <= w->now.mono_ms) {
			w->look_ms = w->now.mono_ms + LOOK_MS;
			look();
		}
		engine_tick(w->engine, w->now);
		take_effects();
	}
}

/* ---- begin and end ---- */

static inline void
start_engine(void)
{
	w->content.vms = w->kept_vms;
	w->content.requests = w->kept_requests;
	w->content.services = w->kept_services;
	w->content.events = w->events;
	w->content.next_sequence = (uint32_t)w->content.events_count + 1;
	w->engine = engine_new(&w->content, w->now);
	w->started = true;
	engine_load(w->engine, &w->config, w->now);
	take_effects();
	engine_peer(w->engine, w->now, ROLE_AGENTX, true);
	engine_peer(w->engine, w->now, ROLE_HYPERVISOR, true);
	take_effects();
}

/* The configuration is ready: the engine begins. */
static inline void
begin(void)
{
	w->config.vms = w->vms;
	w->config.externals = w->externals;
	start_engine();
	w->look_ms = w->now.mono_ms + 10;
	run(50);
}

/* It is killed, and another begins with what was stored; the hypervisor process tells of actions.
 */
static inline void
restart_engine(void)
{
	engine_free(w->engine);
	w->probes_count = 0;
	start_engine();
	for (size_t i = 0; i < w->actions_count; i++)
		tell_started(&w->actions[i].action);
	w->look_ms = w->now.mono_ms + 10;
}

/* The configuration was changed in place. */
static inline void
reload(void)
{
	engine_load(w->engine, &w->config, w->now);
	take_effects();
}

static inline int
setup(void **state)
{
	w = mem_alloc(sizeof(*w));
	*state = w;
	w->now = (struct instant){1000000, 1700000000000};
	w->boots = 1;
	w->free_mib = 4096;
	w->content = (struct store_content){.journal = 7, .next_request = 1};
	w->config = (struct config){.action_ms = 60000,
				    .interval_ms = 1000,
				    .silence_ms = 3000,
				    .watch = {.interval_ms = 10000,
					      .timeout_ms = 2000,
					      .rise = 1,
					      .fall = 3,
					      .grace_ms = 20000},
				    .policy = {.autostart = true,
					       .on_start_timeout = START_WAIT,
					       .boot_ms = 180000,
					       .restart_limit = 3,
					       .restart_window_ms = 3600000,
					       .restart_backoff_ms = 10000,
					       .on_dependency = DEPENDENCY_PAUSE,
					       .shutdown_ms = 30000,
					       .memory_high_percent = 90,
					       .memory_low_percent = 60,
					       .memory_step_mib = 64,
					       .memory_interval_ms = 30000}};
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	if (w->started)
		engine_free(w->engine);
	free(w);
	return 0;
}

/* ---- what the rows say ---- */

static inline const struct mib_vm *
vm_row(const char *name)
{
	const struct rowset *set = &engine_rows(w->engine)->sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++)
		if (strcmp(((struct mib_vm *)rowset_at(set, i))->name, name) == 0)
			return rowset_at(set, i);
	fail_msg("no row of %s", name);
	return NULL;
}

static inline const struct mib_service *
service_row(const char *provider, const char *name)
{
	const struct rowset *set = &engine_rows(w->engine)->sets[KIND_SERVICE];

	for (size_t i = 0; i < set->count; i++) {
		const struct mib_service *row = rowset_at(set, i);

		if (strcmp(row->provider, provider) == 0 && strcmp(row->name, name) == 0)
			return row;
	}
	fail_msg("no row of %s:%s", provider, name);
	return NULL;
}

static inline void
assert_service(const char *provider, const char *name, enum service_state state)
{
	const struct mib_service *row = service_row(provider, name);

	if (row->state != (int32_t)state)
		fail_msg("%s:%s is %s, not %s", provider, name,
			 name_of(service_state_names, row->state),
			 name_of(service_state_names, (int)state));
}

static inline void
assert_vm(const char *name, enum vm_state state)
{
	if (vm_row(name)->state != (int32_t)state)
		fail_msg("%s is %s, not %s", name, name_of(vm_state_names, vm_row(name)->state),
			 name_of(vm_state_names, (int)state));
}

/* All that was done since this was last asked. */
static inline void
expect_log(const char *wanted)
{
	if (strcmp(w->log, wanted) != 0)
		fail_msg("done:\n%swanted:\n%s", w->log, wanted);
	w->log[0] = '\0';
}

static inline void
assert_monitor(const char *name, enum monitor_state monitor)
{
	if (vm_row(name)->monitor != (int32_t)monitor)
		fail_msg("the monitor of %s is %s, not %s", name,
			 name_of(monitor_state_names, vm_row(name)->monitor),
			 name_of(monitor_state_names, (int)monitor));
}

static inline const struct mib_plan *
plan_row(const char *name)
{
	struct mib_plan key = {.vm = vm_row(name)->index};
	const struct mib_plan *row = rowset_find(&engine_rows(w->engine)->sets[KIND_PLAN], &key);

	assert_non_null(row);
	return row;
}

/* ---- a manager ---- */

/* Asks for something under an id: of a VM by its name, or of many. */
static inline void
ask(const char *id, uint32_t verb, const char *target, uint32_t number)
{
	struct hold hold = {.verb = verb, .number = number};
	uint32_t token = ++w->next_token;

	TEXT_SET(hold.id, id);
	TEXT_SET(hold.vm_text, target);
	if (strcmp(target, "*") != 0 && strncmp(target, "group:", 6) != 0)
		hold.vm = vm_row(target)->index;
	w->refused[0] = '\0';
	tell(MSG_HOLD, token, &hold, sizeof(hold));
	if (w->refused[0] == '\0')
		tell(MSG_RELEASE, token, NULL, 0);
}

static inline const struct mib_request *
request_row(const char *id)
{
	struct mib_request key = {0};

	TEXT_SET(key.id, id);
	return rowset_find(&engine_rows(w->engine)->sets[KIND_REQUEST], &key);
}

static inline void
assert_request(const char *id, enum request_state state, const char *error)
{
	const struct mib_request *row = request_row(id);

	assert_non_null(row);
	if (row->state != (int32_t)state || strcmp(row->error, error) != 0)
		fail_msg("request %s is %s: %s", id, name_of(request_state_names, row->state),
			 row->error);
}

/* How many events of a type there were since expect_events() was last called; about a VM or a
 * provider, or anything (NULL). */
static inline size_t
count_events(enum event_type type, const char *about)
{
	size_t count = 0;

	for (size_t i = w->events_seen; i < w->content.events_count; i++) {
		const struct mib_event *event = &w->events[i];

		count +=
		    event->type == (int32_t)type && (!about || strcmp(event->vm_name, about) == 0 ||
						     strcmp(event->provider, about) == 0);
	}
	return count;
}

static inline const struct mib_event *
last_event(enum event_type type)
{
	for (size_t i = w->content.events_count; i-- > 0;)
		if (w->events[i].type == (int32_t)type)
			return &w->events[i];
	fail_msg("no %s", name_of(event_type_names, (int)type));
	return NULL;
}

static inline void
forget_events(void)
{
	w->events_seen = w->content.events_count;
}

#endif
