/*
 * Name and UUID in a VM's xl file (xl.cfg(5)), as far as a plain `name = "..."` in a line of its
 * own says them. xl reads the file when the VM starts; whatever is strange in it is xl's to refuse.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "config/reader.h"

#define XL_LINES_MAX 10000

/* The text after `key =` in its quotes, or NULL. Ends it where the quotes end. */
static char *
assigned_text(char *line, const char *key)
{
	size_t length = strlen(key);
	char *end;

	line += strspn(line, " \t");
	if (strncmp(line, key, length) != 0)
		return NULL;
	line += length;
	line += strspn(line, " \t");
	if (*line++ != '=')
		return NULL;
	line += strspn(line, " \t");
	if (*line != '"' && *line != '\'')
		return NULL;
	end = strchr(line + 1, *line);
	if (!end)
		return NULL;
	*end = '\0';
	return line + 1;
}

/* The last one counts, as with xl. */
static void
take_line(struct xl_file *found, char *line, int number)
{
	char *text;

	if ((text = assigned_text(line, "name"))) {
		TEXT_SET(found->name, text);
		found->name_line = number;
	} else if ((text = assigned_text(line, "uuid"))) {
		found->uuid_bad = !uuid_parse(text, found->uuid);
		found->uuid_line = number;
	}
}

/* NULL with errno where it cannot be opened. */
static FILE *
xl_file_open(const char *file)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0)
		return NULL;
	errno = 0;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		return fdopen(fd, "r");
	close(fd);
	return NULL;
}

int
xl_file_read(const char *file, struct xl_file *found)
{
	FILE *from = xl_file_open(file);
	char line[1024];

	*found = (struct xl_file){0};
	if (!from)
		return errno;
	for (int number = 1; number <= XL_LINES_MAX && fgets(line, sizeof(line), from); number++)
		take_line(found, line, number);
	fclose(from);
	return 0;
}
