/* Plays a recording (agentx/engine/record.h): the same calls into an engine, and what comes out
 * held against what came out then. */
#include "tests/sim/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "engine/effect.h"
#include "engine/record.h"
#include "tests/sim/world.h"

struct play {
	const char *path;
	FILE *from;
	bool quiet;
	struct engine *engine;
	struct config *config; /* that the engine has */
	struct config *next;   /* that it loads next */
	struct record_entry entry;
	unsigned char *body; /* of the entry, with a NUL behind */
	struct record_effects effects;
	uint64_t calls;
	bool differs;
};

static void
unreadable(const struct play *play, const char *why)
{
	fatal("%s: entry %" PRIu64 ": %s", play->path, play->calls, why);
}

/* ---- entries ---- */

static void
drain(struct play *play, struct instant now)
{
	struct effect effect;

	while (play->engine && engine_next_effect(play->engine, &effect)) {
		play->effects.count++;
		play->effects.digest = effect_digest(play->effects.digest, &effect);
		if (play->quiet)
			continue;
		printf("%" PRId64 ".%03d ", now.mono_ms / 1000, (int)(now.mono_ms % 1000));
		effect_print(&effect, stdout);
		putchar('\n');
	}
}

static void *
take_rows(const unsigned char **at, size_t *left, size_t count, size_t size)
{
	void *rows = mem_array(count + 1, size);

	if (count > *left / size)
		return NULL;
	memcpy(rows, *at, count * size);
	*at += count * size;
	*left -= count * size;
	return rows;
}

static void
play_content(struct play *play, struct instant now)
{
	const unsigned char *at = play->body + sizeof(struct record_content);
	size_t left = play->entry.size - sizeof(struct record_content);
	struct store_content content;

	memcpy(&content, play->body, sizeof(content));
	content.vms = take_rows(&at, &left, content.vms_count, sizeof(*content.vms));
	content.requests = take_rows(&at, &left, content.requests_count, sizeof(*content.requests));
	content.services = take_rows(&at, &left, content.services_count, sizeof(*content.services));
	content.events = take_rows(&at, &left, content.events_count, sizeof(*content.events));
	if (!content.events || left > 0)
		unreadable(play, "the store's content is not whole");
	if (play->engine)
		engine_free(play->engine);
	play->engine = engine_new(&content, now);
	play->effects = (struct record_effects){.digest = DIGEST_BEGIN};
	free(content.vms);
	free(content.requests);
	free(content.services);
	free(content.events);
}

static void
play_config(struct play *play, struct instant now)
{
	char error[TEXT_SIZE];

	(void)now;
	config_free(play->next);
	play->next = sim_config((const char *)play->body, error, sizeof(error));
	if (!play->next)
		unreadable(play, error);
}

static void
play_load(struct play *play, struct instant now)
{
	if (!play->next)
		unreadable(play, "there is no configuration to load");
	engine_load(play->engine, play->next, now);
	config_free(play->config);
	play->config = play->next;
	play->next = NULL;
}

static void
play_message(struct play *play, struct instant now)
{
	struct message message = {0};

	memcpy(&message, play->body,
	       play->entry.size < sizeof(message) ? play->entry.size : sizeof(message));
	engine_message(play->engine, now, &message);
}

static const uint64_t *
numbers_of(const struct play *play)
{
	return ((const struct record_numbers *)play->body)->numbers;
}

static void
play_peer(struct play *play, struct instant now)
{
	engine_peer(play->engine, now, (enum role)numbers_of(play)[0], numbers_of(play)[1] != 0);
}

static void
play_stored(struct play *play, struct instant now)
{
	const uint64_t *numbers = numbers_of(play);

	engine_stored(play->engine, now, numbers[0], (int)numbers[1], numbers[2] != 0);
}

static void
play_probed(struct play *play, struct instant now)
{
	engine_probed(play->engine, now, (const struct probe_report *)play->body);
}

static const char *
text_of(const struct play *play)
{
	return play->entry.size > sizeof(struct record_numbers)
		   ? (const char *)play->body + sizeof(struct record_numbers)
		   : NULL;
}

static void
play_reloaded(struct play *play, struct instant now)
{
	engine_reloaded(play->engine, now, text_of(play));
}

static void
play_note(struct play *play, struct instant now)
{
	engine_note(play->engine, now, (enum event_type)numbers_of(play)[0], "%s",
		    text_of(play) ? text_of(play) : "");
}

static void
play_tick(struct play *play, struct instant now)
{
	engine_tick(play->engine, now);
}

static void
compare_effects(struct play *play, struct instant now)
{
	struct record_effects then;

	(void)now;
	memcpy(&then, play->body, sizeof(then));
	if (play->differs ||
	    (then.count == play->effects.count && then.digest == play->effects.digest))
		return;
	play->differs = true;
	printf("# other effects than were recorded, before entry %" PRIu64 ": %" PRIu64
	       " of them with digest %016" PRIx64 ", then %" PRIu64 " with %016" PRIx64 "\n",
	       play->calls, play->effects.count, play->effects.digest, then.count, then.digest);
}

static void
play_end(struct play *play, struct instant now)
{
	(void)now;
	printf("# the recording ends: %s\n", (const char *)play->body);
}

static const struct {
	uint32_t type;
	size_t least; /* octets */
	bool needs_engine;
	void (*play)(struct play *play, struct instant now);
} entries[] = {
    {RECORD_CONTENT, sizeof(struct record_content), false, play_content},
    {RECORD_CONFIG, 1, false, play_config},
    {RECORD_EFFECTS, sizeof(struct record_effects), true, compare_effects},
    {RECORD_END, 1, false, play_end},
    {CALL_LOAD, 0, true, play_load},
    {CALL_MESSAGE, MESSAGE_HEAD, true, play_message},
    {CALL_PEER, sizeof(struct record_numbers), true, play_peer},
    {CALL_STORED, sizeof(struct record_numbers), true, play_stored},
    {CALL_PROBED, sizeof(struct probe_report), true, play_probed},
    {CALL_RELOADED, sizeof(struct record_numbers), true, play_reloaded},
    {CALL_NOTE, sizeof(struct record_numbers), true, play_note},
    {CALL_TICK, 0, true, play_tick},
};

/* ---- the file ---- */

static void
read_header(struct play *play)
{
	struct record_header header;

	if (fread(&header, sizeof(header), 1, play->from) != 1 || header.magic != RECORD_MAGIC)
		fatal("%s is no recording", play->path);
	header.version[sizeof(header.version) - 1] = '\0';
	if (header.shape != record_shape() || strcmp(header.version, VERSION) != 0)
		fatal("%s is a recording of lauxend %s, built otherwise than this one (%s): play "
		      "it with the same",
		      play->path, header.version, VERSION);
}

/* False: the file ends. What stands half at its end was not written any more. */
static bool
read_entry(struct play *play)
{
	size_t size;

	if (fread(&play->entry, sizeof(play->entry), 1, play->from) != 1)
		return false;
	size = play->entry.size + (-play->entry.size & 7);
	play->body = mem_resize(play->body, size + 1, 1);
	play->body[size] = '\0';
	return fread(play->body, 1, size, play->from) == size;
}

static void
play_entry(struct play *play)
{
	struct instant now = {play->entry.mono_ms, play->entry.wall_ms};

	play->calls++;
	for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
		if (entries[i].type != play->entry.type)
			continue;
		if (play->entry.size < entries[i].least)
			unreadable(play, "it is too short");
		if (entries[i].needs_engine && !play->engine)
			unreadable(play, "there is no engine yet");
		entries[i].play(play, now);
		drain(play, now);
		return;
	}
	unreadable(play, "its type is unknown");
}

int
replay_main(int count, char **words)
{
	struct play play = {0};

	if (count > 1 && strcmp(words[0], "-q") == 0) {
		play.quiet = true;
		count--, words++;
	}
	if (count != 1)
		fatal("which recording?");
	play.path = words[0];
	play.from = fopen(play.path, "re");
	if (!play.from)
		fatal("%s cannot be read", play.path);
	read_header(&play);
	while (read_entry(&play))
		play_entry(&play);
	printf("# %s: %" PRIu64 " entries, %" PRIu64 " effects: %016" PRIx64 ", %s\n", play.path,
	       play.calls, play.effects.count, play.effects.digest,
	       play.differs ? "other than were recorded" : "as they were recorded");
	if (play.engine)
		engine_free(play.engine);
	config_free(play.config);
	config_free(play.next);
	free(play.body);
	fclose(play.from);
	return play.differs;
}
