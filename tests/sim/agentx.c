/*
 * The agentx process with its snmpd and the managers: SETs on their way (hold, release, drop), the
 * copy of all rows, notifications that snmpd acknowledges in time, late, or not at all.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/check.h"
#include "tests/sim/say.h"
#include "tests/sim/world.h"

#define HELD_WAIT_MS 200
#define TOLD (sizeof(((struct agentx *)NULL)->told) / sizeof(((struct agentx *)NULL)->told[0]))
#define NOTICES_MAX 64

struct hold_wait {
	TAILQ_ENTRY(hold_wait) next;
	struct world *world;
	uint32_t token;
	struct hold hold;
	char whom[VM_NAME_SIZE]; /* as the manager meant it */
	bool undo, begun, held;
	struct timer timer;
};

static void set_begin(struct world *world);

/* ---- letters ---- */

static void
agentx_pump(void *arg)
{
	struct world *world = arg;
	struct agentx *agentx = &world->agentx;
	struct letter *letter;

	while (agentx->channel.attached && (letter = STAILQ_FIRST(&agentx->letters))) {
		STAILQ_REMOVE_HEAD(&agentx->letters, next);
		daemon_message(world, &letter->message);
		free(letter);
	}
}

static void
agentx_post(struct world *world, enum message_type type, uint32_t detail, const void *body,
	    size_t size)
{
	struct agentx *agentx = &world->agentx;
	struct letter *letter;

	if (!agentx->channel.attached)
		return;
	letter = mem_alloc(sizeof(*letter));
	letter->message =
	    (struct message){.type = (uint16_t)type, .size = (uint16_t)size, .detail = detail};
	if (size > 0)
		memcpy(letter->message.body, body, size);
	STAILQ_INSERT_TAIL(&agentx->letters, letter, next);
	if (agentx->pump.place == 0)
		world_after(world, &agentx->pump, world_lag(world, LAG_LINK, 3), agentx_pump,
			    world);
}

static void
agentx_drop_letters(struct world *world)
{
	struct agentx *agentx = &world->agentx;
	struct letter *letter;

	while ((letter = STAILQ_FIRST(&agentx->letters))) {
		STAILQ_REMOVE_HEAD(&agentx->letters, next);
		free(letter);
	}
	world_cancel(world, &agentx->pump);
}

/* ---- SETs ---- */

static void
wait_free(struct hold_wait *wait)
{
	world_cancel(wait->world, &wait->timer);
	TAILQ_REMOVE(&wait->world->agentx.holds, wait, next);
	free(wait);
}

static void
tell(struct world *world, uint32_t token, enum message_type word)
{
	struct agentx *agentx = &world->agentx;

	agentx_post(world, word, token, NULL, 0);
	agentx->told[agentx->told_next].token = token;
	agentx->told[agentx->told_next].word = word;
	agentx->told_next = (agentx->told_next + 1) % TOLD;
}

/* COMMIT or UNDO of a SET that was held; or the engine did not answer in time. */
static void
set_end(void *arg)
{
	struct hold_wait *wait = arg;
	struct world *world = wait->world;

	if (!wait->held)
		say_set(world, wait->hold.id, wait->hold.verb, wait->whom,
			"commitFailed: the engine does not answer");
	tell(world, wait->token, wait->held && !wait->undo ? MSG_RELEASE : MSG_DROP);
	wait_free(wait);
	set_begin(world);
}

static void
set_held(struct world *world, uint32_t token, const struct hold_answer *answer)
{
	struct hold_wait *wait;

	TAILQ_FOREACH (wait, &world->agentx.holds, next)
		if (wait->begun && wait->token == token && !wait->held)
			break;
	if (!wait)
		return;
	wait->held = answer->ok;
	if (!answer->ok) {
		char text[TEXT_SIZE + 32];

		snprintf(text, sizeof(text), "commitFailed: %.100s", answer->error);
		say_set(world, wait->hold.id, wait->hold.verb, wait->whom, text);
		tell(world, token, MSG_DROP);
		wait_free(wait);
		set_begin(world);
		return;
	}
	say_set(world, wait->hold.id, wait->hold.verb, wait->whom,
		wait->undo ? "undone" : "noError");
	if (!wait->undo)
		check_accepted(world, &wait->hold, wait->whom, token);
	world_after(world, &wait->timer, world_lag(world, LAG_SNMPD, token), set_end, wait);
}

/* One SET at a time, as agentx has it: it waits in each for the engine. */
static void
set_begin(struct world *world)
{
	struct agentx *agentx = &world->agentx;
	struct hold_wait *wait = TAILQ_FIRST(&agentx->holds);

	if (!wait || wait->begun)
		return;
	wait->begun = true;
	if (++agentx->token == 0)
		agentx->token = 1;
	wait->token = agentx->token;
	agentx_post(world, MSG_HOLD, wait->token, &wait->hold, sizeof(wait->hold));
	world_after(world, &wait->timer, HELD_WAIT_MS, set_end, wait);
}

void
agentx_set(struct world *world, const struct hold *hold, const char *whom, bool undo)
{
	struct hold_wait *wait = mem_alloc(sizeof(*wait));

	*wait = (struct hold_wait){.world = world, .hold = *hold, .undo = undo};
	TEXT_SET(wait->whom, whom);
	TAILQ_INSERT_TAIL(&world->agentx.holds, wait, next);
	set_begin(world);
}

/* ---- notifications ---- */

static void
snmpd_acknowledges(void *arg)
{
	struct world *world = arg;
	struct agentx *agentx = &world->agentx;
	uint32_t sequence;

	if (agentx->snmpd_deaf || agentx->notices_count == 0)
		return;
	sequence = agentx->notices[0].sequence;
	check_handed(world, &agentx->notices[0]);
	agentx->notices_count--;
	memmove(agentx->notices, agentx->notices + 1,
		agentx->notices_count * sizeof(agentx->notices[0]));
	agentx_post(world, MSG_HANDED, sequence, NULL, 0);
	if (agentx->notices_count > 0)
		world_after(world, &agentx->snmpd, world_lag(world, LAG_SNMPD, 1),
			    snmpd_acknowledges, world);
}

static void
notify(struct world *world, const struct mib_event *event)
{
	struct agentx *agentx = &world->agentx;

	if (agentx->notices_count == NOTICES_MAX) {
		check_fail(world, "journal", "more than %d notifications are unacknowledged",
			   NOTICES_MAX);
		return;
	}
	agentx->notices[agentx->notices_count++] = *event;
	if (agentx->snmpd.place == 0 && !agentx->snmpd_deaf)
		world_after(world, &agentx->snmpd, world_lag(world, LAG_SNMPD, 1),
			    snmpd_acknowledges, world);
}

void
agentx_deaf(struct world *world, bool deaf)
{
	struct agentx *agentx = &world->agentx;

	agentx->snmpd_deaf = deaf;
	if (!deaf && agentx->snmpd.place == 0)
		world_after(world, &agentx->snmpd, world_lag(world, LAG_SNMPD, 1),
			    snmpd_acknowledges, world);
}

void
agentx_receive(struct world *world, int type, uint32_t detail, const void *body, size_t size)
{
	(void)size;
	if (!world->agentx.lives)
		return;
	if (type == MSG_HELD)
		set_held(world, detail, body);
	else if (type == MSG_NOTIFY)
		notify(world, body);
}

/* ---- rows ---- */

void
agentx_offer(struct world *world)
{
	struct agentx *agentx = &world->agentx;
	struct mib_rows *rows = engine_rows(world->daemon.engine);
	_Alignas(8) unsigned char row[MESSAGE_BODY_MAX];
	bool gone;

	if (!agentx->channel.attached)
		return;
	for (int kind = 1; kind < KIND_COUNT; kind++)
		while (rowset_take(&rows->sets[kind], row, &gone)) {
			const void *old = rowset_find(&agentx->rows.sets[kind], row);

			say_row(world, kind, old, gone ? NULL : row);
			check_row(world, kind, old, gone ? NULL : row);
			if (gone)
				rowset_remove(&agentx->rows.sets[kind], row);
			else
				rowset_put(&agentx->rows.sets[kind], row);
		}
}

/* ---- its life ---- */

void
agentx_attach(struct world *world)
{
	struct agentx *agentx = &world->agentx;

	agentx_drop_letters(world);
	agentx->channel.world = world;
	if (!agentx->lives || !world->daemon.lives)
		return;
	agentx->channel.attached = true;
	for (int kind = 1; kind < KIND_COUNT; kind++) {
		rowset_clear(&agentx->rows.sets[kind]);
		rowset_resend(&engine_rows(world->daemon.engine)->sets[kind]);
	}
	for (size_t i = 0; i < TOLD; i++) {
		size_t at = (agentx->told_next + i) % TOLD;

		if (agentx->told[at].token != 0)
			agentx_post(world, agentx->told[at].word, agentx->told[at].token, NULL, 0);
	}
	agentx->notices_count = 0; /* the engine gives them again */
	check_agentx(world);
	daemon_peer(world, ROLE_AGENTX, true);
}

void
agentx_start(struct world *world)
{
	struct agentx *agentx = &world->agentx;

	if (agentx->lives)
		return;
	agentx->lives = true;
	agentx->token = (uint32_t)model_hash(7, (uint64_t)world_now(world));
	memset(agentx->told, 0, sizeof(agentx->told));
	mib_rows_init(&agentx->rows, false);
	agentx_attach(world);
}

void
agentx_kill(struct world *world)
{
	struct agentx *agentx = &world->agentx;

	if (!agentx->lives)
		return;
	agentx->lives = agentx->channel.attached = false;
	agentx_drop_letters(world);
	world_cancel(world, &agentx->snmpd);
	world_cancel(world, &agentx->birth);
	while (!TAILQ_EMPTY(&agentx->holds))
		wait_free(TAILQ_FIRST(&agentx->holds));
	agentx->notices_count = 0;
	mib_rows_dispose(&agentx->rows);
	daemon_peer(world, ROLE_AGENTX, false);
}

void
agentx_dispose(struct world *world)
{
	agentx_drop_letters(world);
}

/* ---- what the journal and the store's users call ---- */

bool
channel_attached(const struct channel *channel)
{
	return channel->attached;
}

void
channel_send(struct channel *channel, int type, uint32_t detail, const void *body, size_t size)
{
	if (channel->attached)
		agentx_receive(channel->world, type, detail, body, size);
}

void
channel_offer(struct channel *channel)
{
	(void)channel; /* the rows are pulled after each call anyway */
}
