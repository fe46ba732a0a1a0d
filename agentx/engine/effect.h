/*
 * An effect as a line for people and programs, every field of it, and as a number: what a recording
 * is compared by. Pure.
 */
#ifndef ENGINE_EFFECT_H
#define ENGINE_EFFECT_H

#include <stdint.h>
#include <stdio.h>

#include "engine/engine.h"

#define DIGEST_BEGIN UINT64_C(0xcbf29ce484222325)

/* digest, gone on with more octets; with all fields of an effect. */
uint64_t digest_add(uint64_t digest, const void *data, size_t size);
uint64_t effect_digest(uint64_t digest, const struct effect *effect);

/* "action id=1 verb=2 ...", without an end of line; fields that are 0 or empty are left out. */
void effect_print(const struct effect *effect, FILE *to);

/* "action", "put-vm". */
const char *effect_name(enum effect_type type);

#endif
