/*
 * Reads a VM's xl file (xl.cfg(5)): KEY = VALUE lines, comments after #, values numbers, strings in
 * either quote or lists of strings. Lenient as to what simxen does not need: keys that it does not
 * know are skipped, whatever their value. What it uses is checked, and an error says where:
 * "www.cfg:3: memory: a number from 1 to 8388608 is needed, not \"lots\"".
 */
#ifndef SIMXEN_XLFILE_H
#define SIMXEN_XLFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/simxen/vmdef.h"

#define XLFILE_SIZE (256 * 1024) /* octets; a longer file is refused */
#define XLFILE_ERROR 320

/*
 * Reads the file at path into *def, which it fills with defaults first, and then overrides (may be
 * NULL) over it. Returns false with a text in error, *def undefined.
 */
bool xlfile_read(struct vmdef *def, const char *path, const char *overrides,
		 char error[static XLFILE_ERROR]);

/*
 * Takes text in the same syntax over what *def has already, as `xl create FILE 'uuid="..."'` does.
 * origin names it in errors. Does not check for what is missing.
 */
bool xlfile_parse(struct vmdef *def, const char *text, const char *origin,
		  char error[static XLFILE_ERROR]);

/* Last checks: name there, maxmem not below memory. The same errors. */
bool xlfile_finish(struct vmdef *def, const char *origin, char error[static XLFILE_ERROR]);

#endif
