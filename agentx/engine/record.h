/*
 * A recording: all that goes into an engine, so that it can be played later (tests/sim/replay),
 * with the digest of what came out. It holds the configuration's text and the store's content, so
 * the file is for its owner alone (0600).
 *
 * One file an engine: FILE, or FILE.1, FILE.2, ... where those are there, as after a restart of the
 * process; up to RECORD_FILES. A thread of its own writes; where the disk is slower than what
 * comes, or the file is full, the recording ends there, and says so.
 *
 * The file: struct record_header, then entries: struct record_entry and its size octets, filled up
 * to 8. Structs as the program has them: the reader must be of the same version and machine.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

#define RECORD_FILES 16
#define RECORD_SIZE_MAX (UINT64_C(256) << 20) /* octets of a file */
#define RECORD_MAGIC UINT64_C(0x3144524f4345524c)

struct record_header {
	uint64_t magic;
	uint64_t shape; /* record_shape() */
	char version[32];
};

enum record_type {
	/* 1 to 8 are enum engine_call_type. CALL_LOAD: none. CALL_MESSAGE: struct message, cut
	 * after its body. CALL_PEER, CALL_STORED: struct record_numbers. CALL_PROBED: struct
	 * probe_report. CALL_RELOADED, CALL_NOTE: struct record_numbers and a text with its NUL. */
	RECORD_CONTENT = 100, /* struct record_content and its rows: the engine begins */
	RECORD_CONFIG,	      /* text: of the next CALL_LOAD */
	RECORD_EFFECTS,	      /* struct record_effects: what came out since the last of these */
	RECORD_END,	      /* text: why */
};

struct record_entry {
	uint32_t type; /* enum record_type */
	uint32_t size; /* octets that follow, without what fills up */
	int64_t mono_ms, wall_ms;
};

struct record_numbers {
	uint64_t numbers[3]; /* role, there; number, state, durable; type of a note */
};

struct record_effects {
	uint64_t count, digest; /* effect_digest() of all from DIGEST_BEGIN on */
};

/* The content with its pointers of no meaning; then the arrays in the order of the struct. */
struct record_content {
	struct store_content content;
};

/* The sizes of what lies in the file. */
uint64_t record_shape(void);

struct record;

/* NULL: it cannot be written, and the log says why. */
struct record *record_open(const char *path, uint64_t size_max);

/* An engine begins with content: it is observed from here on. */
void record_begin(struct record *record, struct engine *engine, const struct store_content *content,
		  struct instant now);

/* fd: the text that the next engine_load() takes, from its begin and whatever its offset. */
void record_config(struct record *record, int fd, struct instant now);

/* Writes what waits, for as long as the disk takes it within wait_ms. NULL does nothing. */
void record_close(struct record *record, int64_t wait_ms);

#endif
