/*
 * libconfuse 3.3 counts the lines of a comment more than once, replaces ${NAME} by the environment,
 * and keeps the state "inside a string" for the next file when one ends there. So it is given a
 * text without comments in which every string is closed, and nothing that it would expand.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/reader.h"

#define TEXT_MAX (8 * 1024 * 1024)
#define WORD_ENDS " \t\r\n#\"'={}()+,*"

#define DEPTH_MAX 8 /* of braces within braces */

struct scan {
	struct text *text;
	struct errors *errors;
	size_t at;
	int line, depth;
	int opened[DEPTH_MAX]; /* lines of the sections that are open; 0: a list */
	char before;	       /* the last octet that is no space */
	size_t faults;
};

/* absent: what to do where there is no such file. */
static void
report_unreadable(struct errors *errors, int error, const char *absent)
{
	const struct passwd *user = getpwuid(geteuid());

	if (error == ENOENT)
		errors_add(errors, 0, "there is no such file; %s", absent);
	else if (error == EACCES)
		errors_add(
		    errors, 0,
		    "user %s (uid %u) may not read it; give that user the right to read the file "
		    "and to enter its directories",
		    user ? user->pw_name : "?", (unsigned)geteuid());
	else
		errors_add(errors, 0, "it cannot be read: %s", strerror(error));
}

/* A new descriptor of a regular file of a size that is no mistake, or -1. What was checked has any
 * size: that of the file, and much that the file leaves unsaid. */
static int
text_open(const char *file, int of, size_t *size, const char *absent, struct errors *errors)
{
	int fd =
	    of < 0 ? open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : fcntl(of, F_DUPFD_CLOEXEC, 0);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0) {
		report_unreadable(errors, errno, absent);
	} else if (!S_ISREG(status.st_mode)) {
		errors_add(errors, 0, "it is no regular file; name one");
	} else if (of < 0 && status.st_size > TEXT_MAX) {
		errors_add(errors, 0, "it has %lld octets, over %d; it is hardly a configuration",
			   (long long)status.st_size, TEXT_MAX);
	} else {
		*size = (size_t)status.st_size;
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

bool
text_load(struct text *text, const char *file, int of, const char *absent, struct errors *errors)
{
	size_t size = 0;
	int fd = text_open(file, of, &size, absent, errors);
	ssize_t r = 1;

	if (fd < 0)
		return false;
	text->data = mem_alloc(size + 1);
	while (text->size < size && r > 0) {
		r = pread(fd, text->data + text->size, size - text->size, (off_t)text->size);
		if (r > 0)
			text->size += (size_t)r;
	}
	if (r < 0)
		report_unreadable(errors, errno, absent);
	close(fd);
	return r >= 0;
}

static char
scan_peek(const struct scan *scan, size_t ahead)
{
	size_t at = scan->at + ahead;

	return at < scan->text->size ? scan->text->data[at] : '\0';
}

static void
scan_fault(struct scan *scan, int line, const char *text)
{
	scan->faults++;
	errors_add(scan->errors, line, "%s", text);
}

/* Goes one octet on. */
static void
scan_step(struct scan *scan)
{
	if (scan_peek(scan, 0) == '\n')
		scan->line++;
	scan->at++;
}

static void
scan_blank(struct scan *scan)
{
	if (scan_peek(scan, 0) != '\n')
		scan->text->data[scan->at] = ' ';
	scan_step(scan);
}

static void
scan_line_comment(struct scan *scan)
{
	while (scan->at < scan->text->size && scan_peek(scan, 0) != '\n')
		scan_blank(scan);
}

static void
scan_block_comment(struct scan *scan)
{
	int line = scan->line;

	scan_blank(scan);
	scan_blank(scan);
	while (scan->at < scan->text->size) {
		bool last = scan_peek(scan, 0) == '*' && scan_peek(scan, 1) == '/';

		scan_blank(scan);
		if (last) {
			scan_blank(scan);
			return;
		}
	}
	scan_fault(scan, line, "this comment is never closed; end it with */");
}

/* What must stand neither in a string nor in a word. */
static void
scan_check_octet(struct scan *scan)
{
	unsigned char octet = (unsigned char)scan_peek(scan, 0);

	if (octet == '$' && scan_peek(scan, 1) == '{')
		scan_fault(scan, scan->line, "${...} is not expanded here; write the value itself");
	else if (octet == '\\')
		scan_fault(scan, scan->line, "a backslash has no use here; leave it out");
	else if ((octet < ' ' && octet != '\t') || octet == 0x7f)
		scan_fault(scan, scan->line, "there is a control character; remove it");
}

static void
scan_string(struct scan *scan)
{
	char quote = scan_peek(scan, 0);

	for (scan_step(scan); scan->at < scan->text->size; scan_step(scan)) {
		if (scan_peek(scan, 0) == '\n')
			break;
		if (scan_peek(scan, 0) == quote) {
			scan_step(scan);
			return;
		}
		scan_check_octet(scan);
	}
	scan_fault(scan, scan->line,
		   quote == '"' ? "a text in this line has no closing quote; end it with \""
				: "a text in this line has no closing quote; end it with '");
}

static void
scan_word(struct scan *scan)
{
	while (scan->at < scan->text->size && !strchr(WORD_ENDS, scan_peek(scan, 0))) {
		/* libconfuse takes a|b for option b of section a */
		if (scan_peek(scan, 0) == '|')
			scan_fault(scan, scan->line,
				   "'|' stands outside of quotes; put the text in quotes");
		scan_check_octet(scan);
		scan_step(scan);
	}
}

/* What a closing brace ends: a section, whose line is kept, or a list. */
static void
scan_close(struct scan *scan)
{
	struct text *text = scan->text;

	if (scan->depth == 0)
		return; /* one too many, which libconfuse reports */
	scan->depth--;
	if (scan->opened[scan->depth] == 0)
		return;
	text->section_lines =
	    mem_resize(text->section_lines, text->sections + 1, sizeof(*text->section_lines));
	text->section_lines[text->sections++] = scan->opened[scan->depth];
}

static void
scan_brace(struct scan *scan)
{
	if (scan_peek(scan, 0) == '}')
		scan_close(scan);
	else if (scan->depth < DEPTH_MAX)
		scan->opened[scan->depth++] = scan->before == '=' ? 0 : scan->line;
	else
		scan_fault(scan, scan->line, "there are too many braces within braces");
	scan_step(scan);
}

/* NAME(80T...: a file of LauXen of 2008, which was in the same place. */
static bool
is_old_form(const struct scan *scan)
{
	return scan->depth == 0 && scan_peek(scan, 0) == '(' && scan_peek(scan, 1) >= '0' &&
	       scan_peek(scan, 1) <= '9';
}

static void
scan_token(struct scan *scan)
{
	char c = scan_peek(scan, 0);

	if (c == '#' || (c == '/' && scan_peek(scan, 1) == '/'))
		scan_line_comment(scan);
	else if (c == '/' && scan_peek(scan, 1) == '*')
		scan_block_comment(scan);
	else if (c == '"' || c == '\'')
		scan_string(scan);
	else if (c == '{' || c == '}')
		scan_brace(scan);
	else if (is_old_form(scan)) {
		scan_fault(scan, scan->line,
			   "this line is one of LauXen of 2008; see lauxend --import --help");
		scan_line_comment(scan);
	} else if (c != '\0' && strchr("()+*", c)) {
		scan_fault(
		    scan, scan->line,
		    "one of the characters ()+* stands outside of quotes; put the text in quotes");
		scan_step(scan);
	} else if (c != '\0' && strchr(WORD_ENDS, c))
		scan_step(scan);
	else if (c == '\0') {
		scan_fault(scan, scan->line, "there is a NUL octet; this is no text file");
		scan->at = scan->text->size;
	} else
		scan_word(scan);
}

/* Sections are counted anew, as after something was masked. */
static bool
text_scan(struct text *text, struct errors *errors)
{
	struct scan scan = {.text = text, .errors = errors, .line = 1};

	text->sections = 0;
	while (scan.at < text->size) {
		size_t start = scan.at;

		scan_token(&scan); /* blanks a comment */
		if (!strchr(" \t\r\n", text->data[start]))
			scan.before = text->data[start];
	}
	/* To libconfuse the end of the file closes a section too. */
	if (scan.faults == 0 && scan.depth > 0)
		scan_fault(&scan, scan.opened[0],
			   "the section that begins in this line is never closed; end it with }");
	return scan.faults == 0;
}

bool
text_read(struct text *text, const char *file, int fd, struct errors *errors)
{
	*text = (struct text){0};
	return text_load(text, file, fd,
			 "name another with -f, or write one: lauxen.conf(5) has examples",
			 errors) &&
	       text_scan(text, errors);
}

void
text_dispose(struct text *text)
{
	free(text->data);
	free(text->section_lines);
	*text = (struct text){0};
}

/* A token of a text that was scanned; first '\0' at the end. */
struct token {
	size_t start, end;
	char first;
	int line;
};

static struct token
token_next(const struct text *text, struct token last)
{
	struct token token = {.start = last.end, .line = last.line};

	while (token.start < text->size && strchr(" \t\r\n", text->data[token.start]))
		token.line += text->data[token.start++] == '\n';
	token.end = token.start;
	token.first = text->data[token.start];
	if (token.first == '"' || token.first == '\'')
		token.end =
		    (size_t)(strchr(text->data + token.start + 1, token.first) - text->data) + 1;
	else if (token.first)
		token.end += strcspn(text->data + token.start, WORD_ENDS);
	if (token.first && token.end == token.start)
		token.end++;
	return token;
}

/* The end of the statement that begins with this word: KEY = VALUE, KEY = { ... } or a section. */
static size_t
statement_end(const struct text *text, struct token token)
{
	int depth = 0;

	do {
		struct token next = token_next(text, token);

		if (depth == 0 && next.first == '}')
			break; /* that of the section around it */
		depth += (next.first == '{') - (next.first == '}');
		if (depth == 0 && token.first == '=')
			return next.end;
		token = next;
	} while (token.first && !(depth == 0 && token.first == '}'));
	return token.end;
}

bool
text_mask(struct text *text, int line, const char *word)
{
	struct errors none = {0};
	struct token token = {.line = 1};
	char before;

	do {
		before = token.first;
		token = token_next(text, token);
		if (!token.first || token.line > line)
			return false;
	} while (token.line < line || before == '=' || before == ',' ||
		 token.end - token.start != strlen(word) ||
		 memcmp(text->data + token.start, word, strlen(word)) != 0);
	for (size_t end = statement_end(text, token), at = token.start; at < end; at++)
		if (text->data[at] != '\n')
			text->data[at] = ' ';
	text_scan(text, &none);
	return true;
}
