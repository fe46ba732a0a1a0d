/*
 * How long calls into the engine take where many VMs need much of each other: layers of VMs, each
 * of which needs services of the layer before; the first VM is needed, through others, by all. Each
 * kind of event is measured with the effects that it has, taken as the process takes them. CPU
 * time.
 *
 * usage: engine [VMS [NEEDS]]      1000 10000
 * Prints a line "KIND ms=LONGEST count=N effects=N" for each kind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/engine.h"

#define LAYERS 10

static struct {
	struct instant now;
	struct config config;
	struct engine *engine;
	uint32_t vms, needs;
	uint64_t *attempts;	/* the last at each VM's service; 0: none */
	struct action *actions; /* of each VM, the last */
	size_t effects;
} bench;

static int64_t
cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- the configuration ---- */

static void
make_vm(struct config_vm *vm, uint32_t number)
{
	struct config_service *service = mem_alloc(sizeof(*service));

	TEXT_FORMAT(vm->provider.name, "vm%u", number);
	TEXT_FORMAT(vm->provider.address, "10.0.%u.%u", number / 250, number % 250 + 1);
	memcpy(vm->uuid, &(uint32_t){number + 1}, sizeof(uint32_t));
	TEXT_SET(service->name, "80/tcp");
	TEXT_SET(service->address, vm->provider.address);
	service->kind = SERVICE_TCP;
	service->port = 80;
	service->watch = bench.config.watch;
	vm->provider.services = service;
	vm->provider.services_count = 1;
	vm->standby = vm->standby_of = -1;
	vm->policy = bench.config.policy;
}

/* The needs of a VM: its share, spread over the layer before; the first of that always. */
static void
make_needs(struct config_vm *vm, uint32_t number, uint32_t count)
{
	uint32_t layer = bench.vms / LAYERS, first = (number / layer - 1) * layer;

	if (count > layer)
		count = layer;
	vm->needs = mem_array(count, sizeof(*vm->needs));
	vm->needs_count = count;
	for (uint32_t i = 0; i < count; i++)
		vm->needs[i].provider = i == 0 ? first : first + (number * 7 + i * 3) % layer;
	for (uint32_t i = 1; i < count; i++) /* none twice */
		for (uint32_t j = 0; j < i; j++)
			if (vm->needs[i].provider == vm->needs[j].provider) {
				vm->needs[i].provider =
				    first + (vm->needs[i].provider - first + 1) % layer;
				j = UINT32_MAX; /* from the begin again */
			}
}

static void
make_config(struct config *config)
{
	uint32_t layer = bench.vms / LAYERS, left = bench.needs;

	config->vms = mem_array(bench.vms, sizeof(*config->vms));
	config->vms_count = bench.vms;
	for (uint32_t i = 0; i < bench.vms; i++)
		make_vm(&config->vms[i], i);
	for (uint32_t i = layer; i < bench.vms; i++) {
		uint32_t share = left / (bench.vms - i);

		make_needs(&config->vms[i], i, share);
		left -= config->vms[i].needs_count;
	}
}

/* ---- calls, each with its effects ---- */

static void
take_effects(void)
{
	struct effect effect;

	while (engine_next_effect(bench.engine, &effect)) {
		bench.effects++;
		if (effect.type == EFFECT_PROBE)
			bench.attempts[effect.probe.service->line] = effect.probe.attempt;
		else if (effect.type == EFFECT_ACTION)
			bench.actions[effect.action.uuid[0] + effect.action.uuid[1] * 256 - 1] =
			    effect.action;
	}
}

static void
tell(int type, uint32_t detail, const void *body, size_t size)
{
	struct message message = {.type = (uint16_t)type, .size = (uint16_t)size, .detail = detail};

	memcpy(message.body, body, size);
	engine_message(bench.engine, bench.now, &message);
	take_effects();
}

static void
tell_domain(uint32_t vm, uint32_t flags)
{
	struct fact_domain fact = {.domid = vm + 1,
				   .flags = flags,
				   .read_mono_us = bench.now.mono_ms * 1000,
				   .cpu_ns = 1000 + (uint64_t)bench.now.mono_ms * 1000,
				   .memory_kib = 262144,
				   .vcpus = 1,
				   .vcpus_max = 1};

	memcpy(fact.uuid, bench.config.vms[vm].uuid, UUID_SIZE);
	tell(MSG_DOMAIN, 0, &fact, sizeof(fact));
}

static void
tell_figures(uint32_t vm)
{
	struct fact_figures fact = {.domid = vm + 1,
				    .on_crash = ON_RESTART,
				    .memory_max_kib = 524288,
				    .memory_target_kib = 262144,
				    .inside_total_kib = 262144,
				    .inside_free_kib = 131072 + (uint64_t)bench.now.mono_ms % 1000,
				    .inside_mono_ms = bench.now.mono_ms};

	memcpy(fact.uuid, bench.config.vms[vm].uuid, UUID_SIZE);
	TEXT_SET(fact.name, bench.config.vms[vm].provider.name);
	tell(MSG_FIGURES, 0, &fact, sizeof(fact));
}

static void
tell_sample(uint32_t kind, bool ok)
{
	struct fact_sample sample = {.kind = kind, .ok = ok, .mono_ms = bench.now.mono_ms};

	tell(MSG_SAMPLE, 0, &sample, sizeof(sample));
}

static void
tell_report(uint32_t vm, enum probe_outcome outcome)
{
	struct probe_report report = {
	    .attempt = bench.attempts[vm], .outcome = outcome, .latency_us = 150};

	engine_probed(bench.engine, bench.now, &report);
	take_effects();
}

static void
tell_tick(void)
{
	engine_tick(bench.engine, bench.now);
	take_effects();
}

static void
later(int64_t ms)
{
	bench.now.mono_ms += ms;
	bench.now.wall_ms += ms;
}

/* ---- measuring ---- */

static int64_t measure_ns;
static size_t measure_effects, measure_count;

static void
begin_measure(void)
{
	measure_ns = 0;
	measure_effects = measure_count = 0;
}

static void
end_measure(const char *kind)
{
	printf("%s ms=%.3f count=%zu effects=%zu\n", kind, (double)measure_ns / 1e6, measure_count,
	       measure_effects);
}

/* The longest call counts. */
#define MEASURE(call)                                                                              \
	do {                                                                                       \
		int64_t began_ns_ = cpu_ns(), took_ns_;                                            \
		bench.effects = 0;                                                                 \
		call;                                                                              \
		took_ns_ = cpu_ns() - began_ns_;                                                   \
		measure_count++;                                                                   \
		if (took_ns_ > measure_ns) {                                                       \
			measure_ns = took_ns_;                                                     \
			measure_effects = bench.effects;                                           \
		}                                                                                  \
	} while (0)

static void
load(const struct config *config)
{
	engine_load(bench.engine, config, bench.now);
	take_effects();
}

static void
all_run(void)
{
	struct fact_domain dom0 = {.read_mono_us = bench.now.mono_ms * 1000};
	struct fact_host host = {.boot_id = {1}, .memory_kib = 1 << 30, .memory_free_kib = 1 << 20};

	tell(MSG_DOMAIN, 0, &dom0, sizeof(dom0));
	for (uint32_t i = 0; i < bench.vms; i++)
		tell_domain(i, DOMAIN_BLOCKED);
	tell_sample(SAMPLE_STATES, true);
	tell(MSG_HOST, 0, &host, sizeof(host));
	for (uint32_t i = 0; i < bench.vms; i++)
		tell_figures(i);
	tell_sample(SAMPLE_FIGURES, true);
}

static void
all_answer(void)
{
	for (int i = 0; i < 12; i++) {
		later(1000);
		tell_tick();
		for (uint32_t vm = 0; vm < bench.vms; vm++)
			tell_report(vm, PROBE_UP);
	}
}

static void
begin_engine(void)
{
	struct store_content content = {.journal = 7, .next_sequence = 1, .next_request = 1};

	bench.now = (struct instant){1000000, 1700000000000};
	bench.engine = engine_new(&content, bench.now);
	begin_measure();
	MEASURE(load(&bench.config));
	end_measure("load_first");
	engine_peer(bench.engine, bench.now, ROLE_HYPERVISOR, true);
	engine_peer(bench.engine, bench.now, ROLE_AGENTX, true);
	take_effects();
}

static void
measure_facts(void)
{
	begin_measure();
	for (uint32_t i = 0; i < bench.vms; i++) {
		later(1);
		MEASURE(tell_domain(i, DOMAIN_BLOCKED));
	}
	end_measure("domain");
	begin_measure();
	MEASURE(tell_sample(SAMPLE_STATES, true));
	end_measure("sample");
	begin_measure();
	for (uint32_t i = 0; i < bench.vms; i++) {
		later(1);
		MEASURE(tell_figures(i));
	}
	end_measure("figures");
}

static void
measure_probes(void)
{
	begin_measure();
	for (int i = 0; i < 200; i++) {
		later(10);
		MEASURE(tell_tick());
		for (uint32_t vm = 0; vm < bench.vms; vm++)
			if (bench.attempts[vm])
				MEASURE(tell_report(vm, PROBE_UP));
	}
	end_measure("probe");
}

/* The first VM's service fails, and with it everything. */
static void
measure_collapse(void)
{
	begin_measure();
	for (int i = 0; i < 40; i++) {
		later(1000);
		MEASURE(tell_tick());
		MEASURE(tell_report(0, PROBE_DOWN));
		for (uint32_t vm = 1; vm < bench.vms; vm++)
			tell_report(vm, PROBE_UP);
		if (measure_effects > bench.vms)
			break;
	}
	end_measure("collapse");
}

static void
end_actions(void)
{
	begin_measure();
	for (uint32_t vm = 0; vm < bench.vms; vm++) {
		struct action *action = &bench.actions[vm];
		struct outcome outcome = {.id = action->id,
					  .journal = action->journal,
					  .state = REQUEST_SUCCEEDED,
					  .verb = action->verb,
					  .action_domid = action->domid};

		if (!action->id)
			continue;
		memcpy(outcome.uuid, action->uuid, UUID_SIZE);
		later(1);
		MEASURE(tell(MSG_OUTCOME, 0, &outcome, sizeof(outcome)));
		MEASURE(tell_domain(vm, DOMAIN_PAUSED));
	}
	MEASURE(tell_sample(SAMPLE_STATES, true));
	end_measure("paused");
}

static void
measure_silence(void)
{
	begin_measure();
	MEASURE(tell_sample(SAMPLE_STATES, false));
	MEASURE(tell_sample(SAMPLE_STATES, true));
	end_measure("silence");
}

static void
measure_shutdown(void)
{
	struct hold hold = {.id = "noc-1", .vm_text = "*", .verb = VERB_SHUTDOWN};

	tell(MSG_HOLD, 1, &hold, sizeof(hold));
	engine_stored(bench.engine, bench.now, 1, REQUEST_HELD, true);
	take_effects();
	begin_measure();
	MEASURE(tell(MSG_RELEASE, 1, &hold, 0));
	end_measure("shutdown_all");
}

int
main(int argc, char **argv)
{
	struct config again;

	bench.vms = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
	bench.needs = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
	bench.attempts = mem_array(bench.vms, sizeof(*bench.attempts));
	bench.actions = mem_array(bench.vms, sizeof(*bench.actions));
	bench.config = (struct config){.action_ms = 60000,
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
						  .shutdown_ms = 30000}};
	make_config(&bench.config);
	for (uint32_t i = 0; i < bench.vms; i++)
		bench.config.vms[i].provider.services[0].line = (int)i;
	begin_engine();
	all_run();
	all_answer();
	measure_facts();
	measure_probes();
	again = bench.config;
	begin_measure();
	for (int i = 0; i < 5; i++)
		MEASURE(load(i % 2 ? &bench.config : &again));
	end_measure("load_again");
	measure_silence();
	measure_collapse();
	end_actions();
	measure_shutdown();
	engine_free(bench.engine);
	return 0;
}
