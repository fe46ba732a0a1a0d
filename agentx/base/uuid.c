#include "base/uuid.h"

#include <ctype.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

void
uuid_text(const uint8_t uuid[UUID_SIZE], char text[UUID_TEXT_SIZE])
{
	char *to = text;

	for (int i = 0; i < UUID_SIZE; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*to++ = '-';
		*to++ = "0123456789abcdef"[uuid[i] >> 4];
		*to++ = "0123456789abcdef"[uuid[i] & 15];
	}
	*to = 0;
}

static int
hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

bool
uuid_parse(const char *text, uint8_t uuid[UUID_SIZE])
{
	uint8_t parsed[UUID_SIZE];

	if (strlen(text) != UUID_TEXT_SIZE - 1)
		return false;
	for (int i = 0; i < UUID_SIZE; i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-')
			return false;
		if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
			return false;
		parsed[i] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text += 2;
	}
	memcpy(uuid, parsed, UUID_SIZE);
	return true;
}

bool
uuid_is_zero(const uint8_t uuid[UUID_SIZE])
{
	static const uint8_t zero[UUID_SIZE];

	return uuid_equal(uuid, zero);
}

bool
uuid_equal(const uint8_t a[UUID_SIZE], const uint8_t b[UUID_SIZE])
{
	return memcmp(a, b, UUID_SIZE) == 0;
}

static void
uuid_mark(uint8_t uuid[UUID_SIZE], int version)
{
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | version << 4);
	uuid[8] = (uuid[8] & 0x3f) | 0x80;
}

void
uuid_random(uint8_t uuid[UUID_SIZE])
{
	if (getrandom(uuid, UUID_SIZE, 0) != UUID_SIZE)
		fatal("the kernel gives no random octets");
	uuid_mark(uuid, 4);
}

/* splitmix64's finalizer (Steele, Lea and Flood, 2014). */
static uint64_t
mix(uint64_t z)
{
	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

void
uuid_derive(uint8_t uuid[UUID_SIZE], uint64_t a, uint64_t b)
{
	uint64_t halves[2] = {mix(a + mix(b + 1)), mix(b + mix(a + 2))};

	for (int i = 0; i < UUID_SIZE; i++)
		uuid[i] = (uint8_t)(halves[i / 8] >> 8 * (i % 8));
	uuid_mark(uuid, 8);
}
