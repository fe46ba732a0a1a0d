/*
 * The hypervisor process: its passes over the states and the figures, the facts for the engine by
 * the real facts.c, and the channel to the engine. Its actions are in action.c.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "tests/sim/check.h"
#include "tests/sim/world.h"
#include "tools/simxen/figures.h"
#include "tools/simxen/snapshot.h"

#define TURN 8 /* messages that go to the engine at once */

static void look_serve(struct world *world);

/* ---- what a pass finds ---- */

/* It has run, ever. */
static bool
has_run(const struct domain *d)
{
	return d->phase != PHASE_BUILDING && (d->phase != PHASE_DYING || domain_active_ms(d) > 0);
}

static void
put_state(struct world *world, const struct domain *d)
{
	struct fact_domain fact = {
	    .domid = d->domid,
	    .flags = snapshot_flags(d) & (DOMAIN_RUNNING | DOMAIN_BLOCKED | DOMAIN_STATE_FLAGS),
	    .reason = d->phase == PHASE_SHUTDOWN ? d->reason : REASON_UNKNOWN,
	    .read_mono_us = world_instant(world).mono_ms * 1000,
	    .cpu_ns = has_run(d) ? snapshot_cpu_ns(d) + 1 : 0,
	    .memory_kib = domain_memory_kib(d),
	    .vcpus = d->def.vcpus,
	    .vcpus_max = d->def.vcpus,
	};

	uuid_parse(d->def.uuid, fact.uuid);
	facts_put(&world->hypervisor.facts, SAMPLE_STATES, MSG_DOMAIN, &fact, sizeof(fact));
}

static void
put_figures(struct world *world, const struct domain *d)
{
	struct instant now = world_instant(world);
	char total[32], rest[32];
	struct fact_figures fact = {
	    .domid = d->domid,
	    .monitored = d->monitor,
	    .on_poweroff = d->def.on_poweroff,
	    .on_reboot = d->def.on_reboot,
	    .on_crash = d->def.on_crash,
	    .memory_max_kib = (uint64_t)d->def.maxmem_mib * 1024,
	    .memory_target_kib = d->target_kib,
	    .start_wall_ms = now.wall_ms - (world_now(world) - d->born_ms),
	};

	if (figures_meminfo(d, total, rest)) {
		fact.inside_total_kib = strtoull(total, NULL, 10);
		fact.inside_free_kib = strtoull(rest, NULL, 10);
		/* The guest writes every 10 s while its clock runs. */
		fact.inside_mono_ms = now.mono_ms - domain_active_ms(d) % 10000 -
				      (domain_active(d) ? 0 : world_now(world) - d->since_ms);
	}
	uuid_parse(d->def.uuid, fact.uuid);
	TEXT_SET(fact.name, d->def.name);
	facts_put(&world->hypervisor.facts, SAMPLE_FIGURES, MSG_FIGURES, &fact, sizeof(fact));
}

static void
put_devices(struct world *world, const struct domain *d)
{
	struct facts *facts = &world->hypervisor.facts;

	for (uint32_t i = 0; i < d->def.vif_count; i++) {
		struct fact_net fact = {.domid = d->domid, .device = i};
		struct figures_vif vif;

		figures_vif(d, i, &vif);
		fact.in_octets = vif.rx_octets;
		fact.out_octets = vif.tx_octets;
		TEXT_FORMAT(fact.name, "vif%u.%u", d->domid, i);
		facts_put(facts, SAMPLE_FIGURES, MSG_NET, &fact, sizeof(fact));
	}
	for (uint32_t i = 0; i < d->def.disk_count; i++) {
		struct fact_disk fact = {
		    .domid = d->domid, .device = figures_vbd_number(d, i), .counted = 1};
		struct figures_vbd vbd;

		figures_vbd(d, i, &vbd);
		fact.reads = vbd.read_requests;
		fact.writes = vbd.write_requests;
		TEXT_SET(fact.name, d->def.disks[i].vdev);
		facts_put(facts, SAMPLE_FIGURES, MSG_DISK, &fact, sizeof(fact));
	}
}

static void
put_host(struct world *world)
{
	const struct model *m = world->model;
	struct fact_host fact = {
	    .software = "Xen",
	    .version = "sim",
	    .boot_mono_ms = 0, /* as Xen's driver says */
	    .cpus = m->config.cpus,
	    .cpu_mhz = 2000,
	    .memory_kib = m->config.memory_mib * 1024,
	    .memory_free_kib = model_free_kib(m),
	};

	uuid_derive(fact.boot_id, 1, (uint64_t)world->booted_ms);
	facts_put(&world->hypervisor.facts, SAMPLE_FIGURES, MSG_HOST, &fact, sizeof(fact));
}

/* ---- passes ---- */

static void pump(void *arg);

static void
offer(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	if (hypervisor->lives && world->daemon.lives && hypervisor->pump.place == 0)
		world_after(world, &hypervisor->pump, world_lag(world, LAG_LINK, 1), pump, world);
}

static void
end_pass(struct world *world, enum sample_kind kind, int64_t begun_ms, const char *error)
{
	struct hypervisor *hypervisor = &world->hypervisor;
	struct fact_sample sample = {
	    .kind = kind,
	    .ok = error == NULL,
	    .urgent = kind == SAMPLE_STATES && hypervisor->urgent,
	    .duration_us = (uint32_t)(world_now(world) - begun_ms) * 1000,
	    .mono_ms = world_instant(world).mono_ms,
	};

	TEXT_SET(sample.error, error ? error : "");
	facts_end(&hypervisor->facts, &sample);
	offer(world);
}

static void
states_ended(void *arg)
{
	struct world *world = arg;
	struct hypervisor *hypervisor = &world->hypervisor;

	hypervisor->states_run = false;
	end_pass(world, SAMPLE_STATES, hypervisor->states_begun_ms,
		 hypervisor->states_failed ? "the hypervisor did not answer (states)" : NULL);
	look_serve(world);
}

static void
figures_ended(void *arg)
{
	struct world *world = arg;
	struct hypervisor *hypervisor = &world->hypervisor;

	hypervisor->figures_run = false;
	end_pass(world, SAMPLE_FIGURES, hypervisor->figures_begun_ms,
		 hypervisor->figures_failed ? "the hypervisor did not answer (figures)" : NULL);
	look_serve(world);
}

/* What it finds is as it was at its begin. */
static void
states_begin(struct world *world, bool urgent)
{
	struct hypervisor *hypervisor = &world->hypervisor;
	struct model *m = world->model;

	hypervisor->states_run = true;
	hypervisor->states_failed = hypervisor->states_silent;
	hypervisor->urgent = urgent;
	hypervisor->states_begun_ms = world_now(world);
	facts_begin(&hypervisor->facts, SAMPLE_STATES, urgent);
	for (size_t i = 0; i < m->domain_count && !hypervisor->states_silent; i++)
		put_state(world, m->domains[i]);
	world_after(world, &hypervisor->states,
		    hypervisor->states_silent ? hypervisor->config->silence_ms
					      : world_lag(world, LAG_STATES, 0),
		    states_ended, world);
}

static void
figures_begin(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;
	struct model *m = world->model;

	hypervisor->figures_run = true;
	hypervisor->figures_failed = hypervisor->figures_silent;
	hypervisor->figures_begun_ms = world_now(world);
	facts_begin(&hypervisor->facts, SAMPLE_FIGURES, false);
	for (size_t i = 1; i < m->domain_count && !hypervisor->figures_silent; i++) {
		put_figures(world, m->domains[i]);
		put_devices(world, m->domains[i]);
	}
	if (!hypervisor->figures_silent)
		put_host(world);
	world_after(world, &hypervisor->figures,
		    hypervisor->figures_silent ? hypervisor->config->silence_ms
					       : world_lag(world, LAG_FIGURES, 0),
		    figures_ended, world);
}

static void
look_serve(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	if (!hypervisor->states_run && hypervisor->wants_urgent) {
		hypervisor->wants_urgent = false;
		states_begin(world, true);
	} else if (!hypervisor->states_run && hypervisor->wants_states) {
		hypervisor->wants_states = false;
		states_begin(world, false);
	}
	if (!hypervisor->figures_run && hypervisor->wants_figures) {
		hypervisor->wants_figures = false;
		figures_begin(world);
	}
}

static void
tick(void *arg)
{
	struct world *world = arg;
	struct hypervisor *hypervisor = &world->hypervisor;

	hypervisor->wants_states = hypervisor->wants_figures = true;
	look_serve(world);
	world_after(world, &hypervisor->tick, hypervisor->config->interval_ms, tick, world);
}

static void
look(void *arg)
{
	struct world *world = arg;

	world->hypervisor.wants_urgent = true;
	look_serve(world);
}

void
hypervisor_changed(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	if (hypervisor->lives && !hypervisor->watch_dead && hypervisor->look.place == 0)
		world_after(world, &hypervisor->look, world_lag(world, LAG_WATCH, 0), look, world);
}

/* ---- to the engine ---- */

/* Letters go before facts, as they wait in the channel; facts are pulled. */
static bool
next_message(struct hypervisor *hypervisor, struct message *message)
{
	struct letter *letter = STAILQ_FIRST(&hypervisor->letters);

	if (!letter)
		return facts_pull(&hypervisor->facts, message);
	*message = letter->message;
	STAILQ_REMOVE_HEAD(&hypervisor->letters, next);
	free(letter);
	return true;
}

static void
pump(void *arg)
{
	struct world *world = arg;
	struct hypervisor *hypervisor = &world->hypervisor;
	struct message message;

	for (int i = 0; i < TURN; i++) {
		if (!world->daemon.lives || !next_message(hypervisor, &message))
			return;
		check_told(world, &message);
		daemon_message(world, &message);
	}
	offer(world);
}

static void
drop_letters(struct hypervisor *hypervisor)
{
	struct letter *letter;

	while ((letter = STAILQ_FIRST(&hypervisor->letters))) {
		STAILQ_REMOVE_HEAD(&hypervisor->letters, next);
		free(letter);
	}
}

static void
post(struct world *world, enum message_type type, const struct outcome *outcome)
{
	struct letter *letter = mem_alloc(sizeof(*letter));

	letter->message = (struct message){.type = (uint16_t)type, .size = sizeof(*outcome)};
	memcpy(letter->message.body, outcome, sizeof(*outcome));
	STAILQ_INSERT_TAIL(&world->hypervisor.letters, letter, next);
}

void
hypervisor_tell(struct world *world, enum message_type type, const struct outcome *outcome)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	if (!hypervisor->lives || !world->daemon.lives)
		return;
	post(world, type, outcome);
	if (hypervisor->repeats && ++hypervisor->told % hypervisor->repeats == 0)
		post(world, type, outcome);
	/* Not every change makes the watch speak: what was done is looked at. */
	if (type == MSG_OUTCOME) {
		hypervisor->wants_urgent = true;
		look_serve(world);
	}
	offer(world);
}

void
hypervisor_receive(struct world *world, enum message_type type, const void *body)
{
	if (!world->hypervisor.lives)
		return;
	if (type == MSG_ACTION)
		action_take(world, body);
	else if (type == MSG_CANCEL)
		action_cancel(world, body);
	else
		action_forget(world, body);
}

void
hypervisor_attach(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	drop_letters(hypervisor);
	if (!hypervisor->lives || !world->daemon.lives)
		return;
	daemon_peer(world, ROLE_HYPERVISOR, true);
	facts_resend(&hypervisor->facts);
	action_resend(world);
	offer(world);
}

/* ---- its life ---- */

void
hypervisor_configure(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;
	char error[TEXT_SIZE];

	if (!hypervisor->lives)
		return;
	config_free(hypervisor->config);
	hypervisor->config = sim_config(world->text, error, sizeof(error));
}

void
hypervisor_start(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	if (hypervisor->lives)
		return;
	hypervisor->lives = true;
	hypervisor_configure(world);
	facts_init(&hypervisor->facts);
	hypervisor->states_run = hypervisor->figures_run = hypervisor->wants_urgent = false;
	hypervisor_attach(world);
	action_serve(world);
	tick(world);
}

void
hypervisor_kill(struct world *world)
{
	struct hypervisor *hypervisor = &world->hypervisor;
	struct timer *timers[] = {&hypervisor->tick, &hypervisor->states, &hypervisor->figures,
				  &hypervisor->look, &hypervisor->pump,	  &hypervisor->birth};

	if (!hypervisor->lives)
		return;
	hypervisor->lives = false;
	for (size_t i = 0; i < sizeof(timers) / sizeof(timers[0]); i++)
		world_cancel(world, timers[i]);
	drop_letters(hypervisor);
	facts_dispose(&hypervisor->facts);
	config_free(hypervisor->config);
	hypervisor->config = NULL;
	action_orphan(world);
	daemon_peer(world, ROLE_HYPERVISOR, false);
}

void
hypervisor_silence(struct world *world, bool figures, bool on)
{
	struct hypervisor *hypervisor = &world->hypervisor;

	if (figures)
		hypervisor->figures_silent = on;
	else
		hypervisor->states_silent = on;
}

void
hypervisor_dispose(struct world *world)
{
	action_host_down(world);
	drop_letters(&world->hypervisor);
}
