/*
 * The engine's process, as agentx/engine/process.c is: the engine, its journal, the store, the two
 * channels and the prober. It can be killed between any two calls.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/record.h"
#include "store/mirror.h"
#include "tests/sim/check.h"
#include "tests/sim/ops.h"
#include "tests/sim/say.h"
#include "tests/sim/world.h"

#define TICK_MS 1000
#define TICK_LEAST_MS 10

/* ---- the configuration ---- */

static void
take_first(void *arg, const char *error)
{
	char *first = arg;

	if (*first == '\0')
		text_set(first, TEXT_SIZE, error);
}

static int
config_fd(const char *text)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC);
	size_t length = strlen(text);

	if (fd < 0 || write(fd, text, length) != (ssize_t)length)
		fatal("there is no memory for a configuration");
	return fd;
}

struct config *
sim_config(const char *text, char *error, size_t size)
{
	int fd = config_fd(text);
	struct config *config;

	memset(error, 0, size);
	config = config_load_checked(fd, take_first, error);
	close(fd);
	return config;
}

/* ---- the recording ---- */

static void
record_text(struct world *world)
{
	int fd;

	if (!world->daemon.record)
		return;
	fd = config_fd(world->text);
	record_config(world->daemon.record, fd, world_instant(world));
	close(fd);
}

static void
record_life(struct world *world, const struct store_content *content)
{
	if (world->recording)
		world->daemon.record = record_open(world->recording, RECORD_SIZE_MAX);
	if (world->daemon.record)
		record_begin(world->daemon.record, world->daemon.engine, content,
			     world_instant(world));
}

/* ---- effects ---- */

static void
effect_action(struct world *world, const struct effect *effect)
{
	hypervisor_receive(world, MSG_ACTION, &effect->action);
	ops_action(world, &effect->action);
}

static void
effect_cancel(struct world *world, const struct effect *effect)
{
	hypervisor_receive(world, MSG_CANCEL, &effect->action);
}

struct forget {
	struct world *world;
	struct outcome outcome;
};

static void
forget_written(void *arg, uint64_t tag, bool durable)
{
	struct forget *forget = arg;

	(void)tag, (void)durable;
	hypervisor_receive(forget->world, MSG_FORGET, &forget->outcome);
}

static void
effect_forget(struct world *world, const struct effect *effect)
{
	struct forget forget = {world, effect->outcome};

	sim_store_mark(world->store, forget_written, &forget, sizeof(forget));
}

static void
effect_event(struct world *world, const struct effect *effect)
{
	journal_append(world->daemon.journal, &effect->event);
}

static void
effect_put_vm(struct world *world, const struct effect *effect)
{
	sim_store_put(world->store, TABLE_VM, &effect->vm, NULL, NULL, 0);
}

static void
effect_drop_vm(struct world *world, const struct effect *effect)
{
	struct store_vm key = {0};

	memcpy(key.uuid, effect->vm.uuid, UUID_SIZE);
	sim_store_drop(world->store, TABLE_VM, &key);
}

static void
request_written(void *arg, uint64_t tag, bool durable)
{
	struct world *world = arg;

	world->steps++;
	engine_stored(world->daemon.engine, world_instant(world), tag >> 3, (int)(tag & 7),
		      durable);
	daemon_carry_out(world);
}

static void
effect_put_request(struct world *world, const struct effect *effect)
{
	sim_store_put(world->store, TABLE_REQUEST, &effect->request, request_written, world,
		      effect->request.number << 3 | (uint64_t)effect->request.row.state);
}

static void
effect_drop_request(struct world *world, const struct effect *effect)
{
	struct store_request key = {.number = effect->request.number};

	sim_store_drop(world->store, TABLE_REQUEST, &key);
}

static void
effect_put_service(struct world *world, const struct effect *effect)
{
	sim_store_put(world->store, TABLE_SERVICE, &effect->service, NULL, NULL, 0);
}

static void
effect_drop_service(struct world *world, const struct effect *effect)
{
	struct store_service key = {.index = effect->service.index};

	sim_store_drop(world->store, TABLE_SERVICE, &key);
}

static void
effect_held(struct world *world, const struct effect *effect)
{
	agentx_receive(world, MSG_HELD, effect->held.token, &effect->held.answer,
		       sizeof(effect->held.answer));
}

static void
effect_probe(struct world *world, const struct effect *effect)
{
	prober_try(world, effect->probe.attempt, effect->probe.service);
}

static void
reload_again(void *arg)
{
	struct world *world = arg;

	ops_rebuild(world);
}

/* The parent reads the file. */
static void
effect_reload(struct world *world, const struct effect *effect)
{
	(void)effect;
	world_after(world, &world->daemon.reload, world_lag(world, LAG_SNMPD, 3), reload_again,
		    world);
}

static void (*const effects[EFFECT_COUNT])(struct world *world, const struct effect *effect) = {
    [EFFECT_ACTION] = effect_action,
    [EFFECT_FORGET] = effect_forget,
    [EFFECT_CANCEL] = effect_cancel,
    [EFFECT_EVENT] = effect_event,
    [EFFECT_PUT_VM] = effect_put_vm,
    [EFFECT_DROP_VM] = effect_drop_vm,
    [EFFECT_PUT_REQUEST] = effect_put_request,
    [EFFECT_DROP_REQUEST] = effect_drop_request,
    [EFFECT_HELD] = effect_held,
    [EFFECT_PROBE] = effect_probe,
    [EFFECT_RELOAD] = effect_reload,
    [EFFECT_PUT_SERVICE] = effect_put_service,
    [EFFECT_DROP_SERVICE] = effect_drop_service,
};

static void
wake(void *arg)
{
	struct world *world = arg;

	world->steps++;
	world->daemon.ticked_ms = world_instant(world).mono_ms;
	engine_tick(world->daemon.engine, world_instant(world));
	daemon_carry_out(world);
}

static void
arm(struct world *world)
{
	int64_t now_ms = world_instant(world).mono_ms;
	int64_t due_ms = engine_deadline(world->daemon.engine), ms;

	if (due_ms > world->daemon.ticked_ms + TICK_MS)
		due_ms = world->daemon.ticked_ms + TICK_MS;
	ms = due_ms - now_ms < TICK_LEAST_MS ? TICK_LEAST_MS : due_ms - now_ms;
	world_after(world, &world->daemon.wake, ms, wake, world);
}

/* What follows each call into the engine. */
void
daemon_carry_out(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	struct effect effect;
	uint32_t lost;

	sim_store_begin(world->store);
	while (engine_next_effect(daemon->engine, &effect)) {
		say_effect(world, &effect);
		if (check_effect(world, &effect))
			effects[effect.type](world, &effect);
	}
	sim_store_end(world->store);
	lost = journal_take_lost(daemon->journal);
	if (lost > 0) {
		engine_note(daemon->engine, world_instant(world), EVENT_EVENTS_LOST,
			    "%" PRIu32 " events fell out of the journal before snmpd had them",
			    lost);
		daemon_carry_out(world);
		return;
	}
	agentx_offer(world);
	arm(world);
	check_step(world);
}

/* ---- what it hears ---- */

void
daemon_message(struct world *world, const struct message *message)
{
	struct daemon *daemon = &world->daemon;

	if (!daemon->lives)
		return;
	world->steps++;
	say_message(world, message);
	if (message->type == MSG_HANDED)
		journal_handed(daemon->journal, message->detail);
	else
		engine_message(daemon->engine, world_instant(world), message);
	daemon_carry_out(world);
}

void
daemon_peer(struct world *world, enum role role, bool there)
{
	struct daemon *daemon = &world->daemon;

	if (!daemon->lives)
		return;
	world->steps++;
	engine_peer(daemon->engine, world_instant(world), role, there);
	if (role == ROLE_AGENTX && there)
		journal_restart(daemon->journal);
	daemon_carry_out(world);
}

static void note(struct world *world, enum event_type type, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void
note(struct world *world, enum event_type type, const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	world->steps++;
	engine_note(world->daemon.engine, world_instant(world), type, "%s", text);
	daemon_carry_out(world);
}

void
daemon_note_store(struct world *world, bool ok, const char *error)
{
	note(world, ok ? EVENT_STORE_RESTORED : EVENT_STORE_DEGRADED, "%s%.80s",
	     ok ? "the store is well again" : "the store is degraded: ", error);
}

void
daemon_reload(struct world *world, const char *text)
{
	struct daemon *daemon = &world->daemon;
	struct config *old = daemon->config;
	char error[TEXT_SIZE];

	world->text = text;
	hypervisor_configure(world);
	if (!daemon->lives)
		return;
	daemon->config = sim_config(text, error, sizeof(error));
	record_text(world);
	world->steps++;
	engine_load(daemon->engine, daemon->config, world_instant(world));
	config_free(old);
	check_loaded(world);
	note(world, EVENT_CONFIG_LOADED, "the configuration was read again: %zu VMs",
	     daemon->config->vms_count);
	engine_reloaded(daemon->engine, world_instant(world), NULL);
	daemon_carry_out(world);
}

void
daemon_reload_refused(struct world *world, const char *error)
{
	if (!world->daemon.lives)
		return;
	note(world, EVENT_CONFIG_REFUSED, "the configuration is refused: %.90s", error);
	engine_reloaded(world->daemon.engine, world_instant(world), error);
	daemon_carry_out(world);
}

/* ---- its life ---- */

void
daemon_start(struct world *world)
{
	struct daemon *daemon = &world->daemon;
	struct store_content content;
	char error[TEXT_SIZE];

	if (daemon->lives)
		return;
	daemon->lives = true;
	daemon->ticked_ms = world_instant(world).mono_ms;
	daemon->config = sim_config(world->text, error, sizeof(error));
	sim_store_read(world->store, &content);
	daemon->engine = engine_new(&content, world_instant(world));
	daemon->journal =
	    journal_new(&engine_rows(daemon->engine)->sets[KIND_EVENT], &world->agentx.channel,
			daemon->config->journal_size, &content);
	journal_open(daemon->journal, world->store);
	check_born(world, &content);
	record_life(world, &content);
	free(content.vms);
	free(content.requests);
	free(content.services);
	free(content.events);
	record_text(world);
	world->steps++;
	engine_load(daemon->engine, daemon->config, world_instant(world));
	check_loaded(world);
	daemon_carry_out(world);
	if (daemon->lives_count++ == 0)
		note(world, EVENT_AGENT_STARTED, "lauxend started on sim");
	else
		note(world, EVENT_PROCESS_RESTARTED, "the engine process was started again");
	hypervisor_attach(world);
	agentx_attach(world);
}

void
daemon_kill(struct world *world)
{
	struct daemon *daemon = &world->daemon;

	if (!daemon->lives)
		return;
	daemon->lives = false;
	world_cancel(world, &daemon->wake);
	world_cancel(world, &daemon->reload);
	prober_stop(world);
	check_died(world);
	sim_store_crash(world->store);
	record_close(daemon->record, 10000);
	daemon->record = NULL;
	journal_free(daemon->journal);
	engine_free(daemon->engine);
	config_free(daemon->config);
	daemon->config = NULL;
	daemon->engine = NULL;
	daemon->journal = NULL;
	world->agentx.channel.attached = false;
}
