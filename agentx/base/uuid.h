/* UUIDs (RFC 9562): 16 octets in network order, and their text. */
#ifndef BASE_UUID_H
#define BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/messages.h"

#define UUID_TEXT_SIZE 37 /* 36 characters and a NUL */

void uuid_text(const uint8_t uuid[UUID_SIZE], char text[UUID_TEXT_SIZE]); /* lower case */
bool uuid_parse(const char *text, uint8_t uuid[UUID_SIZE]);		  /* false: malformed */
bool uuid_is_zero(const uint8_t uuid[UUID_SIZE]);
bool uuid_equal(const uint8_t a[UUID_SIZE], const uint8_t b[UUID_SIZE]);
void uuid_random(uint8_t uuid[UUID_SIZE]); /* version 4 */

/* The same from the same numbers, and another from others. Version 8: of our own making. */
void uuid_derive(uint8_t uuid[UUID_SIZE], uint64_t a, uint64_t b);

#endif
