#include "tests/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/uuid.h"
#include "tests/sim/check.h"
#include "tests/sim/ops.h"

#define STEPS_MAX 5000000
#define PLUGIN_PORT 50000 /* what a plugin asks for stands here in the VM's definition */

/* Milliseconds: the least, and the most; by seed. */
static const struct {
	int64_t least, most;
} lags[LAG_COUNT] = {
    [LAG_STATES] = {10, 60}, [LAG_FIGURES] = {100, 600}, [LAG_WATCH] = {10, 80},
    [LAG_LINK] = {1, 8},     [LAG_COMMIT] = {5, 90},	 [LAG_STEP] = {100, 900},
    [LAG_PROBE] = {1, 150},  [LAG_SNMPD] = {2, 60},	 [LAG_PARENT] = {200, 2500},
};

struct instant
world_instant(const struct world *world)
{
	int64_t now_ms = world_now(world);

	return (struct instant){.mono_ms = now_ms - world->booted_ms,
				.wall_ms = WALL_BEGIN_MS + now_ms + world->wall_skew_ms};
}

void
world_after(struct world *world, struct timer *timer, int64_t ms, void (*fire)(void *arg),
	    void *arg)
{
	timers_set(&world->model->timers, timer, world_now(world) + ms, fire, arg);
}

void
world_cancel(struct world *world, struct timer *timer)
{
	timers_cancel(&world->model->timers, timer);
}

uint64_t
world_dice(const struct world *world, uint64_t what, uint64_t of)
{
	return model_hash(model_hash(world->seed ^ what << 40, of), (uint64_t)world_now(world));
}

int64_t
world_lag(const struct world *world, enum lag lag, uint64_t of)
{
	int64_t span = lags[lag].most - lags[lag].least + 1;
	uint64_t dice;

	if (world->seed == 0)
		return lags[lag].least;
	/* Mostly short: the square of a number below 1. */
	dice = world_dice(world, lag, of) & 0xffff;
	return lags[lag].least + span * (int64_t)(dice * dice >> 16) / 65536;
}

/* ---- the log ---- */

void
world_hash(struct world *world, const void *data, size_t size)
{
	const unsigned char *octets = data;

	for (size_t i = 0; i < size; i++)
		world->hash = (world->hash ^ octets[i]) * UINT64_C(0x100000001b3); /* FNV-1a */
}

static void
world_print(const struct world *world, FILE *to, const char *format, va_list args)
{
	int64_t now_ms = world_now(world);

	fprintf(to, "%5" PRId64 ".%03d ", now_ms / 1000, (int)(now_ms % 1000));
	vfprintf(to, format, args);
	fputc('\n', to);
}

void
world_say(struct world *world, const char *format, ...)
{
	va_list args;

	for (int i = 0; i < 2; i++) {
		FILE *to = i ? world->detail : world->log;

		if (!to)
			continue;
		va_start(args, format);
		world_print(world, to, format, args);
		va_end(args);
	}
}

void
world_detail(struct world *world, const char *format, ...)
{
	va_list args;

	if (!world->detail)
		return;
	va_start(args, format);
	world_print(world, world->detail, format, args);
	va_end(args);
}

/* ---- VMs and services ---- */

struct vm_truth *
world_vm(const struct world *world, const char *name)
{
	for (size_t i = 0; i < world->vms_count; i++)
		if (strcmp(world->vms[i].def.name, name) == 0)
			return &world->vms[i];
	return NULL;
}

struct vm_truth *
world_vm_of_domain(const struct world *world, uint32_t domid)
{
	for (size_t i = 0; i < world->vms_count; i++)
		if (world->vms[i].domain && world->vms[i].domain->domid == domid)
			return &world->vms[i];
	return NULL;
}

struct truth *
world_truth(const struct world *world, const char *provider, const char *service)
{
	for (size_t i = 0; i < world->truths_count; i++)
		if (strcmp(world->truths[i].provider, provider) == 0 &&
		    strcmp(world->truths[i].name, service) == 0)
			return &world->truths[i];
	return NULL;
}

static void refresh_truths(struct world *world, const struct vm_truth *vm);

static void
give_fault(const struct truth *truth, enum service_fault fault)
{
	struct domain *domain = truth->vm->domain;

	if (domain && domain->phase != PHASE_DYING && truth->kind != SERVICE_ICMP)
		model_set_fault(domain, &truth->vm->def.services[truth->place], fault, false);
}

void
world_fault(struct world *world, struct truth *truth, enum service_fault fault, bool lasting)
{
	static const enum port_state external[] = {
	    [FAULT_NONE] = PORT_SERVING, [FAULT_STOP] = PORT_CLOSED, [FAULT_HANG] = PORT_SILENT};

	if (lasting)
		truth->lasting = fault;
	if (truth->vm)
		give_fault(truth, fault);
	else
		truth->external = external[fault];
	refresh_truths(world, truth->vm);
}

enum port_state
world_serves(const struct truth *truth)
{
	const struct domain *domain = truth->vm ? truth->vm->domain : NULL;

	if (!truth->vm)
		return truth->external;
	if (!domain || domain->phase != PHASE_LIVE)
		return PORT_SILENT; /* nobody is there to refuse */
	if (truth->kind != SERVICE_ICMP)
		return model_service(domain, truth->place);
	return domain_active(domain) && domain->guest == GUEST_UP ? PORT_SERVING : PORT_SILENT;
}

static bool
is_of(const struct truth *truth, const struct config_service *service)
{
	if (truth->kind != service->kind)
		return false;
	if (service->kind == SERVICE_PLUGIN)
		return strncmp(truth->command, service->command ? service->command : "",
			       sizeof(truth->command) - 1) == 0;
	return truth->port == service->port && strcmp(truth->address, service->address) == 0;
}

/* Who has the address answers: a VM, or the standby in its place. */
enum probe_outcome
world_probe(const struct world *world, const struct config_service *service)
{
	enum port_state best = PORT_SILENT;

	for (size_t i = 0; i < world->truths_count; i++) {
		enum port_state state;

		if (!is_of(&world->truths[i], service))
			continue;
		state = world_serves(&world->truths[i]);
		if (state == PORT_SERVING || best == PORT_SILENT)
			best = state;
	}
	return best == PORT_SERVING ? PROBE_UP : best == PORT_CLOSED ? PROBE_DOWN : PROBE_SILENT;
}

bool
world_served_lately(const struct world *world, const struct config_service *service, int64_t ms)
{
	for (size_t i = 0; i < world->truths_count; i++) {
		const struct truth *truth = &world->truths[i];

		if (is_of(truth, service) &&
		    (truth->serves || world_now(world) - truth->since_ms <= ms))
			return true;
	}
	return false;
}

bool
world_served_long(const struct world *world, const struct config_service *service, int64_t ms)
{
	for (size_t i = 0; i < world->truths_count; i++) {
		const struct truth *truth = &world->truths[i];

		if (is_of(truth, service) && truth->serves &&
		    world_now(world) - truth->since_ms > ms)
			return true;
	}
	return false;
}

/* Of a VM; NULL: of external ones. */
static void
refresh_truths(struct world *world, const struct vm_truth *vm)
{
	for (size_t i = 0; i < world->truths_count; i++) {
		struct truth *truth = &world->truths[i];
		bool serves = truth->vm == vm && world_serves(truth) == PORT_SERVING;

		if (truth->vm != vm || serves == truth->serves)
			continue;
		truth->serves = serves;
		truth->since_ms = world_now(world);
	}
}

static void
add_truth(struct world *world, struct vm_truth *vm, const char *provider,
	  const struct config_service *service)
{
	struct truth truth = {.kind = service->kind, .port = service->port, .vm = vm};

	TEXT_SET(truth.provider, provider);
	TEXT_SET(truth.name, service->name);
	TEXT_SET(truth.address, service->address);
	TEXT_SET(truth.command, service->command ? service->command : "");
	for (size_t i = 0; i < world->truths_count; i++)
		if (world->truths[i].vm == vm && is_of(&world->truths[i], service) &&
		    strcmp(world->truths[i].provider, provider) == 0)
			return;
	if (vm && truth.kind != SERVICE_ICMP && vm->def.service_count < VMDEF_SERVICES) {
		truth.place = vm->def.service_count++;
		vm->def.services[truth.place] = (struct vmdef_service){
		    .udp = truth.kind == SERVICE_UDP,
		    .port = truth.kind == SERVICE_PLUGIN ? (uint16_t)(PLUGIN_PORT + truth.place)
							 : truth.port};
	}
	truth.external = PORT_SERVING;
	world->truths = mem_resize(world->truths, world->truths_count + 1, sizeof(truth));
	world->truths[world->truths_count++] = truth;
}

/* Those of one configuration, unless they are known from another. */
static void
learn_vms(struct world *world, const struct config *config)
{
	for (size_t i = 0; i < config->vms_count; i++) {
		const struct config_vm *vm = &config->vms[i];
		struct vmdef *def;

		if (world_vm(world, vm->provider.name))
			continue;
		def = &world->vms[world->vms_count++].def;
		vmdef_init(def);
		TEXT_SET(def->name, vm->provider.name);
		def->memory_mib = def->maxmem_mib = 256;
		def->boot_ms = 3000;
		def->shutdown_ms = 1500;
		if (!uuid_is_zero(vm->uuid))
			uuid_text(vm->uuid, def->uuid);
	}
}

static void
learn_services(struct world *world, const struct config *config)
{
	for (size_t i = 0; i < config->vms_count; i++) {
		const struct config_provider *provider = &config->vms[i].provider;

		for (size_t j = 0; j < provider->services_count; j++)
			add_truth(world, world_vm(world, provider->name), provider->name,
				  &provider->services[j]);
	}
	for (size_t i = 0; i < config->externals_count; i++) {
		const struct config_provider *provider = &config->externals[i].provider;

		for (size_t j = 0; j < provider->services_count; j++)
			add_truth(world, NULL, provider->name, &provider->services[j]);
	}
}

static void
learn_guest(struct world *world, struct scenario_line *line)
{
	struct vm_truth *vm = world_vm(world, line->words[0]);

	if (!vm) {
		vm = &world->vms[world->vms_count++];
		vmdef_init(&vm->def);
		TEXT_SET(vm->def.name, line->words[0]);
	}
	for (int i = 1; i < line->count; i++)
		if (!ops_guest_key(vm, line->words[i]))
			fatal("line %d: guest %s: %s makes no sense", line->line, vm->def.name,
			      line->words[i]);
	if (vm->def.maxmem_mib < vm->def.memory_mib)
		vm->def.maxmem_mib = vm->def.memory_mib;
}

/* Every configuration's VMs, as one may come by a reload and a person may start it before. */
static void
learn(struct world *world)
{
	const struct scenario *scenario = world->scenario;
	struct config *configs[scenario->configs_count];
	size_t most = scenario->guests_count;
	char error[TEXT_SIZE];

	for (size_t i = 0; i < scenario->configs_count; i++) {
		configs[i] = sim_config(scenario->configs[i].text, error, sizeof(error));
		if (!configs[i])
			fatal("%s: configuration %s: %s", scenario->name, scenario->configs[i].name,
			      error);
		most += configs[i]->vms_count;
	}
	world->vms = mem_array(most, sizeof(*world->vms));
	for (size_t i = 0; i < scenario->configs_count; i++)
		learn_vms(world, configs[i]);
	for (size_t i = 0; i < scenario->configs_count; i++)
		learn_services(world, configs[i]);
	for (size_t i = 0; i < scenario->guests_count; i++)
		learn_guest(world, &scenario->guests[i]);
	for (size_t i = 0; i < scenario->configs_count; i++)
		config_free(configs[i]);
}

/* ---- changes of domains ---- */

static void
say_change(struct world *world, const struct domain *d, enum model_change change)
{
	switch (change) {
	case CHANGE_BORN:
		world_say(world, "xen     %s is made: domain %u", d->def.name, d->domid);
		break;
	case CHANGE_STATE:
		world_say(world, "xen     %s %s", d->def.name,
			  d->phase == PHASE_BUILDING ? "is built"
			  : d->pauses		     ? "is paused"
						     : "runs");
		break;
	case CHANGE_SHUTDOWN:
		world_say(world, "xen     %s has ended: %s", d->def.name,
			  name_of(shutdown_reason_names, (int)d->reason));
		break;
	case CHANGE_DYING:
		break;
	case CHANGE_GONE:
		world_say(world, "xen     %s is gone: domain %u", d->def.name, d->domid);
		break;
	case CHANGE_GUEST:
		world_say(world, "guest   %s %s", d->def.name,
			  d->guest == GUEST_UP	       ? "is up"
			  : d->guest == GUEST_STOPPING ? "ends"
			  : d->guest == GUEST_HUNG     ? "hangs"
						       : "boots");
		break;
	}
}

static void
take_lasting(const struct world *world, const struct vm_truth *vm)
{
	for (size_t i = 0; i < world->truths_count; i++)
		if (world->truths[i].vm == vm && world->truths[i].lasting != FAULT_NONE)
			give_fault(&world->truths[i], world->truths[i].lasting);
}

static void
domain_changed(void *arg, struct domain *d, enum model_change change)
{
	struct world *world = arg;
	struct vm_truth *vm;

	for (size_t i = 0; i < world->vms_count; i++) {
		vm = &world->vms[i];
		if (vm->domain == d &&
		    (change == CHANGE_GONE || strcmp(vm->def.name, d->def.name) != 0)) {
			vm->domain = NULL; /* or it was set aside */
			vm->changed_ms = world_now(world);
			refresh_truths(world, vm);
		}
	}
	vm = world_vm(world, d->def.name);
	if (vm && change == CHANGE_BORN) {
		vm->domain = d;
		take_lasting(world, vm);
	}
	if (vm) {
		vm->changed_ms = world_now(world);
		refresh_truths(world, vm);
	}
	say_change(world, d, change);
	/* The watch does not speak of a pause, nor of what is inside. */
	if (change != CHANGE_STATE && change != CHANGE_GUEST)
		hypervisor_changed(world);
	check_domain(world, d, change);
}

/* No process is told: there is none. */
void
world_reboot(struct world *world)
{
	struct model *m = world->model;

	agentx_kill(world);
	daemon_kill(world);
	hypervisor_kill(world);
	action_host_down(world);
	for (size_t i = 0; i < world->vms_count; i++)
		world_cancel(world, &world->vms[i].person);
	for (size_t i = 1; i < m->domain_count; i++) {
		m->domains[i]->monitor = m->domains[i]->reborn = false;
		if (m->domains[i]->phase != PHASE_DYING)
			model_destroy(m->domains[i]);
	}
	world->booted_ms = world_now(world) + 500;
	m->next_domid = 1;
	check_booted(world);
	world_say(world, "xen     the host boots");
}

/* ---- the run ---- */

struct world *
world_new(const struct scenario *scenario, FILE *log, FILE *detail)
{
	struct model_config config = model_defaults;
	struct world *world = mem_alloc(sizeof(*world));

	world->scenario = scenario;
	world->log = log;
	world->detail = detail;
	world->hash = UINT64_C(0xcbf29ce484222325);
	world->seed = scenario->seed;
	world->booted_ms = -BOOTED_MS;
	world->text = world->file = scenario->configs[0].text;
	config.seed = scenario->seed;
	config.memory_mib = 16384;
	config.dom0_mib = 1024;
	config.cpus = 4;
	world->model = model_new(&config, domain_changed, world);
	world->store = sim_store_new(world);
	TAILQ_INIT(&world->hypervisor.entries);
	STAILQ_INIT(&world->hypervisor.letters);
	TAILQ_INIT(&world->agentx.holds);
	STAILQ_INIT(&world->agentx.letters);
	TAILQ_INIT(&world->prober.list);
	learn(world);
	refresh_truths(world, NULL);
	world->check = check_new(world);
	ops_arm(world);
	if (!scenario->agent_off)
		ops_agent_on(world);
	return world;
}

void
world_run(struct world *world)
{
	struct timers *timers = &world->model->timers;
	struct timer *t;

	while (!world->ended && !check_failed(world->check) &&
	       (t = timers_take(timers, INT64_MAX))) {
		if (t->due_ms > world->model->now_ms)
			world->model->now_ms = t->due_ms;
		t->fire(t->arg);
		if (world->steps > STEPS_MAX)
			check_fail(world, "endless", "%d steps and no end", STEPS_MAX);
	}
}

void
world_free(struct world *world)
{
	daemon_kill(world);
	agentx_kill(world);
	hypervisor_kill(world);
	agentx_dispose(world);
	hypervisor_dispose(world);
	ops_dispose(world);
	check_free(world->check);
	sim_store_free(world->store);
	inject_clear(&world->inject);
	model_free(world->model);
	free(world->vms);
	free(world->truths);
	free(world);
}
