/*
 * Configurations of LauXen of 2008, made into new ones. tests/config/import/NAME.old becomes what
 * NAME.ok says; three of them are figures of its thesis, and mean what conf/examples has of these.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/import.h"
#include "tests/unit/texts.h"

#define CASES "tests/config/import/"
#define XL "/etc/xen/NAME.cfg"
#define HOSTS CASES "hosts"

static char scratch[64]; /* a directory */
static char old_file[128], new_file[128];

/* What becomes of it: the new form, or the errors; to be freed. */
static char *
outcome_of(const struct import *import, bool *good, struct import_rest *rest)
{
	char *printed = NULL, *errors = NULL;
	size_t printed_size, errors_size;
	FILE *to = open_memstream(&printed, &printed_size);
	FILE *of_errors = open_memstream(&errors, &errors_size);

	assert_non_null(to);
	assert_non_null(of_errors);
	*good = config_import(import, to, rest, note_error, of_errors);
	fclose(to);
	fclose(of_errors);
	assert_true(*good ? errors_size == 0 : printed_size == 0 && errors_size > 0);
	free(*good ? errors : printed);
	return *good ? printed : errors;
}

/* Of an old text, with hosts where it is not NULL. */
static char *
outcome_of_text(const char *old, const char *hosts, bool *good)
{
	const struct import import = {.file = old_file, .xl = XL, .hosts = hosts};

	spill(old_file, old, strlen(old));
	return outcome_of(&import, good, NULL);
}

/* ---- the figures ---- */

static void
check_same_provider(const struct config_provider *one, const struct config_provider *other)
{
	assert_string_equal(one->name, other->name);
	assert_int_equal(one->services_count, other->services_count);
	for (size_t i = 0; i < one->services_count; i++) {
		/* examples for simxen have other ports, under the names of the right ones */
		assert_string_equal(one->services[i].name, other->services[i].name);
		assert_int_equal(one->services[i].kind, other->services[i].kind);
	}
}

static void
check_same(const struct config *one, const struct config *other)
{
	assert_int_equal(one->vms_count, other->vms_count);
	assert_int_equal(one->externals_count, other->externals_count);
	for (size_t i = 0; i < one->vms_count; i++) {
		const struct config_vm *left = &one->vms[i], *right = &other->vms[i];

		check_same_provider(&left->provider, &right->provider);
		assert_int_equal(left->memory_mib, right->memory_mib);
		assert_int_equal(left->needs_count, right->needs_count);
		for (size_t need = 0; need < left->needs_count; need++) {
			assert_false(left->needs[need].external);
			assert_false(right->needs[need].external);
			assert_int_equal(left->needs[need].provider, right->needs[need].provider);
			assert_int_equal(left->needs[need].service, right->needs[need].service);
		}
	}
}

static void
check_figure(const char *name, const char *example)
{
	char old[128], ok[128], *found, *expected;
	const struct import import = {.file = old, .xl = XL, .hosts = HOSTS};
	struct import_rest rest;
	struct config *imported, *shipped;
	bool good;

	snprintf(old, sizeof(old), CASES "%s.old", name);
	snprintf(ok, sizeof(ok), CASES "%s.ok", name);
	found = outcome_of(&import, &good, &rest);
	expected = slurp(ok);
	assert_non_null(expected);
	assert_string_equal(found, expected);
	assert_int_equal(rest.unaddressed, 0);
	imported = config_load(ok, note_error, stderr);
	shipped = config_load(example, note_error, stderr);
	assert_non_null(imported);
	assert_non_null(shipped);
	check_same(imported, shipped);
	config_free(imported);
	config_free(shipped);
	free(expected);
	free(found);
}

static void
figures(void **state)
{
	(void)state;
	check_figure("launch", "conf/examples/launch.conf");
	check_figure("scenario-a", "conf/examples/scenario-a.conf");
	check_figure("scenario-b", "conf/examples/scenario-b.conf");
}

/* The same as of the new form, and as figure 4.15 has it from below. */
static void
cycle(void **state)
{
	const struct import import = {.file = CASES "cycle.old", .xl = XL};
	char *of_new = slurp("tests/config/bad-cycle.err"), *of_old, *at;
	bool good;

	(void)state;
	of_old = outcome_of(&import, &good, NULL);
	assert_false(good);
	at = strstr(of_old, CASES "cycle.old:3: cycle: servidor2 needs servidor6 needs ");
	assert_non_null(at);
	assert_string_equal(strstr(at, "cycle: "), strstr(of_new, "cycle: "));
	free(of_new);
	free(of_old);
}

/* ---- forms ---- */

static void
forms(void **state)
{
	static const char *const same[] = {
	    "a(1T,2U){16}:nada\nb(3T):a(1T)a(2U)",
	    "a(1t, 2u){16}: nada\n\nb(3t): a(1t, 2u)\n",
	    "# two\r\n a (1T , 2U) {16} : nada \r\n\t#c(1T): nada\r\nb( 3T ):\ta(1T) a( 2U )\r\n",
	};
	bool good;

	(void)state;
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		char *found = outcome_of_text(same[i], NULL, &good);

		assert_true(good);
		assert_non_null(strstr(found, "\nvm \"a\" {\n\tfile = \"/etc/xen/a.cfg\"\n"));
		assert_non_null(
		    strstr(found, "\tmemory = 16\n\tservices = {\"1/tcp\", \"2/udp\"}\n}\n"));
		assert_non_null(strstr(found, "\tservices = {\"3/tcp\"}\n"
					      "\tneeds = {\"a:1/tcp\", \"a:2/udp\"}\n}\n"));
		free(found);
	}
}

/* A VM may have the name of the word. */
static void
named_nada(void **state)
{
	bool good;
	char *found = outcome_of_text("nada(1T): nada\nb(2T): nada(1T)\n", NULL, &good);

	(void)state;
	assert_true(good);
	assert_non_null(strstr(found, "needs = {\"nada:1/tcp\"}"));
	free(found);
}

static const struct {
	const char *old;
	const char *error; /* the first, without the file */
} refused[] = {
    {"", " there is no VM in it; write NAME(PORT, ...){MIB}: NEEDS"},
    {"\n# a(1T): nada\n", " there is no VM in it; write NAME(PORT, ...){MIB}: NEEDS"},
    {"a(1T: nada",
     "1: after a port of \"a\" stands \": nada\"; write a comma before the next port, or "
     "a ) after the last"},
    {"a(1T 2T): nada", "1: after a port of \"a\" stands \"2T): nada\"; write a comma"},
    {"a(1T", "1: after a port of \"a\" stands the end of the line; write a comma"},
    {"a: nada", "1: \"a\" has no ports; write a(PORT, ...), such as a(80T)"},
    {"a{16}: nada", "1: \"a\" has no ports"},
    {"a(): nada", "1: \"\" is no port; write a number from 1 to 65535 and T for TCP or U for UDP"},
    {"a(1T,): nada", "1: \"\" is no port"},
    {"a(80): nada", "1: \"80\" is no port"},
    {"a(80X): nada", "1: \"80X\" is no port"},
    {"a(80TT): nada", "1: \"80TT\" is no port"},
    {"a(T): nada", "1: \"T\" is no port"},
    {"a(0T): nada", "1: \"0T\" is no port"},
    {"a(-1T): nada", "1: \"-1T\" is no port"},
    {"a(65536T): nada", "1: \"65536T\" is no port"},
    {"a(18446744073709551617T): nada", "1: \"18446744073709551617T\" is no port"},
    {"a(1T, 1t): nada", "1: the service \"1/tcp\" of \"a\" stands here again; remove one"},
    {"a(1T){16: nada", "1: the memory of \"a\" has no }; write {MIB}, such as {300}"},
    {"a(1T){}: nada", "1: memory is \"\"; write a number from 16 to 16777216"},
    {"a(1T){4}: nada", "1: memory is \"4\"; write a number from 16 to 16777216"},
    {"a(1T){16M}: nada", "1: memory is \"16M\"; write a number from 16 to 16777216"},
    {"a(1T)", "1: before the needs of \"a\" stands the end of the line; write a colon"},
    {"a(1T) nada", "1: before the needs of \"a\" stands \"nada\"; write a colon"},
    {"a(1T)(2T): nada", "1: before the needs of \"a\" stands \"(2T): nada\"; write a colon"},
    {"a(1T):", "1: after the colon stands nothing; write what \"a\" needs, or nada"},
    {"a(1T): nada b(2T)", "1: nada stands beside other needs; leave it out"},
    {"a(1T): b(2T) nada", "1: nada stands beside other needs; leave it out"},
    {"a(1T): nada nada", "1: nada stands beside other needs; leave it out"},
    {"a(1T): Nada", "1: \"Nada\" has no ports; write Nada(PORT, ...)"},
    {"a(1T): b", "1: \"b\" has no ports; write b(PORT, ...)"},
    {"a(1T): b(2T), c(3T)", "1: where a name should stand is \", c(3T)\"; write NAME(PORT, ...)"},
    {"a(1T): b(2T){16}", "1: where a name should stand is \"{16}\"; write NAME(PORT, ...)"},
    {": nada", "1: where a name should stand is \": nada\"; write NAME(PORT, ...)"},
    {"a(1T): nada\n17(1T): nada",
     "2: \"17\": its name is a number, which xl takes for a domid; rename"},
    {"a;b(1T): nada",
     "1: \"a;b\": its name may have letters, digits and . _ : + @ - only; rename it"},
    {"a(1T): b$(1T)",
     "1: \"b$\": its name may have letters, digits and . _ : + @ - only; rename it"},
    {"a(1T): nada\n\na(2T): nada", "3: the VM \"a\" stands here again, after line 1; remove one"},
    /* the file of figure 4.8, which LauXen made for itself */
    {"www:  \ndns: www nfs-server\n", "1: \"www\" has no ports"},
    {"a(1T): b(2T)",
     "1: vm \"a\" needs \"b\", which is no VM of this file; correct the name, or if it is "
     "another host or a VM of one, add: --external b"},
    {"a(1T): a(1T)", "1: vm \"a\" needs itself; remove \"a:1/tcp\""},
    {"b(2T): nada\na(1T): b(3T)",
     "2: vm \"a\" needs \"b:3/tcp\", but \"b\" has only: 2/tcp; correct the "
     "name, or add the service there"},
    {"b(2T): nada\na(1T): b(2T) b(2t)", "2: vm \"a\" needs \"b:2/tcp\" twice; remove one"},
    {"a(1T): b(2T)\nb(2T): a(1T)", "1: cycle: a needs b needs a; remove one of these needs"},
    {"dns(1T): nada\nwww(1T): nada\nDNS(1T): nada\nmail(1T): nada",
     "4: vm \"mail\" has the address of \"dns\" (line 1), \"10.0.0.2\"; correct one of them"},
};

static void
check_error(const char *old, const char *expected)
{
	char start[160];
	bool good;
	char *errors = outcome_of_text(old, HOSTS, &good);

	snprintf(start, sizeof(start), "%s:", old_file);
	assert_false(good);
	assert_memory_equal(errors, start, strlen(start));
	if (strncmp(errors + strlen(start), expected, strlen(expected)) != 0)
		fail_msg("%s: expected %s, found: %s", old, expected, errors);
	free(errors);
}

static void
errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		check_error(refused[i].old, refused[i].error);
}

/* All lines that are wrong in their form are told of at once; what the whole means, after that. */
static void
all_errors(void **state)
{
	bool good;
	char *errors = outcome_of_text("a(1): nada\nb(1T): ghost(1T)\nc(1T)\n", NULL, &good);
	const char *second;

	(void)state;
	assert_false(good);
	assert_non_null(strstr(errors, ":1: \"1\" is no port"));
	second = strstr(errors, ":3: before the needs of \"c\"");
	assert_non_null(second);
	assert_null(strstr(errors, "ghost"));
	assert_ptr_equal(strchr(second, '\n') + 1, errors + strlen(errors));
	free(errors);
}

static void
files_that_are_none(void **state)
{
	struct import import = {.file = "/nowhere/lauxen.conf", .xl = XL};
	bool good;
	char *errors = outcome_of(&import, &good, NULL);

	(void)state;
	assert_string_equal(errors,
			    "/nowhere/lauxen.conf: there is no such file; correct its name\n");
	free(errors);
	import.file = scratch;
	errors = outcome_of(&import, &good, NULL);
	assert_non_null(strstr(errors, ": it is no regular file"));
	free(errors);
	import.file = CASES "launch.old";
	import.hosts = "/nowhere/hosts";
	errors = outcome_of(&import, &good, NULL);
	assert_string_equal(errors, "/nowhere/hosts: there is no such file; correct its name\n");
	free(errors);
	spill(old_file, "a(1T): nada\n\0\n", 14);
	import = (struct import){.file = old_file, .xl = XL};
	errors = outcome_of(&import, &good, NULL);
	assert_non_null(strstr(errors, "old: there is a NUL octet in it"));
	free(errors);
}

/* ---- what the old syntax has no word for ---- */

static void
externals(void **state)
{
	static const char old[] = "a(1T): www(80T) dns(53U)\nb(1T): dns(53U, 22T) a(1T)\n";
	char *names[] = {(char *)"dns", (char *)"www", (char *)"a"};
	struct import import = {
	    .file = old_file, .xl = XL, .hosts = HOSTS, .externals = names, .externals_count = 2};
	bool good;
	char *found;

	(void)state;
	spill(old_file, old, strlen(old));
	found = outcome_of(&import, &good, NULL);
	assert_true(good);
	assert_non_null(strstr(found, "external \"www\" {\n\taddress = \"10.0.0.5\"\n"
				      "\tservices = {\"80/tcp\"}\n"));
	assert_non_null(strstr(found, "external \"dns\" {\n\taddress = \"10.0.0.2\"\n"
				      "\tservices = {\"53/udp\", \"22/tcp\"}\n"));
	free(found);
	import.externals_count = 3;
	found = outcome_of(&import, &good, NULL);
	assert_false(good);
	assert_non_null(strstr(found, ":1: \"a\" is a VM of this file; leave out --external a"));
	free(found);
	names[2] = (char *)"nobody";
	found = outcome_of(&import, &good, NULL);
	assert_false(good);
	assert_non_null(strstr(found, "old: no VM needs \"nobody\"; leave out --external nobody"));
	free(found);
}

/* Without them a place is left for each; -n asks for them, and for nothing else. */
static void
no_addresses(void **state)
{
	const struct import import = {.file = CASES "launch.old", .xl = XL};
	struct import_rest rest;
	char *found, *refusal = NULL;
	size_t size;
	FILE *to = open_memstream(&refusal, &size);
	bool good;

	(void)state;
	found = outcome_of(&import, &good, &rest);
	assert_true(good);
	assert_int_equal(rest.unaddressed, 3);
	assert_non_null(strstr(found, "\t#address = \"\" # FILL IN"));
	spill(new_file, found, strlen(found));
	assert_null(config_load(new_file, note_error, to));
	fclose(to);
	for (char *line = strtok(refusal, "\n"); line; line = strtok(NULL, "\n"))
		assert_non_null(
		    strstr(line, " has no address, nor has who offers it; add: address"));
	free(refusal);
	free(found);
}

static void
xl_files(void **state)
{
	char pattern[128], there[128], part[256];
	const struct import import = {.file = CASES "launch.old", .xl = pattern};
	struct import_rest rest;
	char *found;
	bool good;

	(void)state;
	snprintf(pattern, sizeof(pattern), "%s/NAME/NAME.xl", scratch);
	snprintf(there, sizeof(there), "%s/dns", scratch);
	snprintf(part, sizeof(part), "file = \"%s/dns/dns.xl\"\n", scratch);
	assert_int_equal(mkdir(there, 0700), 0);
	snprintf(there, sizeof(there), "%s/dns/dns.xl", scratch);
	spill(there, "", 0);
	found = outcome_of(&import, &good, &rest);
	assert_true(good);
	assert_int_equal(rest.fileless, 2);
	assert_non_null(strstr(found, part));
	free(found);
	unlink(there);
	*strrchr(there, '/') = '\0';
	rmdir(there);
}

/* As many of everything as there may be: read, and no line longer than a screen. */
static void
most(void **state)
{
	char *old = NULL, *found;
	size_t size;
	FILE *to = open_memstream(&old, &size);
	struct config *config;
	FILE *copy;
	bool good;

	(void)state;
	for (int vm = 0; vm < 4096; vm++) {
		fprintf(to, "v%04d(", vm);
		for (int port = 1; port <= (vm < 4 ? 64 : 1); port++)
			fprintf(to, "%s%dT", port > 1 ? ", " : "", port);
		fputs("):", to);
		for (int need = 0; vm == 4 && need < 256; need++)
			fprintf(to, " v%04d(%dT)", need / 64, need % 64 + 1);
		fputs(vm == 4 ? "\n" : " nada\n", to);
	}
	fclose(to);
	found = outcome_of_text(old, NULL, &good);
	assert_true(good);
	for (const char *line = found; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 100);
	spill(new_file, found, strlen(found));
	copy = fopen(new_file, "r");
	config = config_load_checked(fileno(copy), note_error, stderr);
	fclose(copy);
	assert_non_null(config);
	assert_int_equal(config->vms_count, 4096);
	assert_int_equal(config->vms[3].provider.services_count, 64);
	assert_int_equal(config->vms[4].needs_count, 256);
	config_free(config);
	free(found);
	old = mem_resize(old, size + 64, 1);
	strcpy(old + size, "one-more(1T): nada\n");
	check_error(old, "4097: the VM \"one-more\" is one more than the 4096 that are possible");
	free(old);
}

/* ---- whatever stands there ---- */

/* xorshift: the same mutations each time. */
static uint32_t
chance(uint32_t below)
{
	static uint32_t now = 20080401;

	now ^= now << 13;
	now ^= now >> 17;
	now ^= now << 5;
	return now % below;
}

static void
mutate(char *text, size_t *size)
{
	static const char *const splices[] = {
	    "(",  ")",	  "{",	"}",  ":", ",", " ",  "\n",	  "nada", "(22T)",    "#",
	    "\"", "${A}", "\\", "*/", "0", "T", "\t", "\xc3\xa4", "\xff", "servidor9"};
	static const char usual[] = "0123456789TUtu \tasdn";
	const char *splice = splices[chance(sizeof(splices) / sizeof(splices[0]))];
	size_t at = *size ? chance((uint32_t)*size) : 0, gone;

	switch (chance(3)) {
	case 0:
		if (*size)
			text[at] = chance(4) ? usual[chance(sizeof(usual) - 1)] : (char)chance(256);
		break;
	case 1:
		memmove(text + at + strlen(splice), text + at, *size - at);
		memcpy(text + at, splice, strlen(splice));
		*size += strlen(splice);
		break;
	default:
		gone = chance(chance(4) ? 3 : 30) % (*size - at + 1);
		memmove(text + at, text + at + gone, *size - at - gone);
		*size -= gone;
	}
}

/* What is accepted is a good new file, but for addresses. */
static bool
try_old(const char *old, size_t size)
{
	const struct import import = {.file = old_file, .xl = XL, .hosts = HOSTS};
	struct config *config;
	char *found, *refusal = NULL;
	size_t refusal_size;
	FILE *to;
	bool good;

	spill(old_file, old, size);
	found = outcome_of(&import, &good, NULL);
	if (good) {
		to = open_memstream(&refusal, &refusal_size);
		spill(new_file, found, strlen(found));
		config = config_load(new_file, note_error, to);
		fclose(to);
		assert_true((config != NULL) == (refusal_size == 0));
		for (char *line = strtok(refusal, "\n"); line; line = strtok(NULL, "\n"))
			if (!strstr(line, " has no address, nor has who offers it; add: address"))
				fail_msg("of:\n%.*s\ncame:\n%s\nrefused: %s", (int)size, old, found,
					 line);
		config_free(config);
		free(refusal);
	}
	free(found);
	return good;
}

static void
mutated(void **state)
{
	static const char *const names[] = {"launch", "scenario-a", "scenario-b", "cycle"};
	int good = 0;

	(void)state;
	for (int round = 0; round < 4000; round++) {
		char file[128], *text;
		size_t size;

		snprintf(file, sizeof(file), CASES "%s.old", names[chance(4)]);
		text = slurp(file);
		assert_non_null(text);
		size = strlen(text);
		for (uint32_t left = 1 + chance(3); left > 0; left--)
			mutate(text, &size);
		good += try_old(text, size);
		free(text);
	}
	/* both ways are gone */
	assert_in_range(good, 100, 3900);
}

static void
truncated(void **state)
{
	char *text = slurp(CASES "launch.old");

	(void)state;
	for (size_t size = 0; size <= strlen(text); size++)
		try_old(text, size);
	free(text);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(scratch, sizeof(scratch), "/tmp/test_import.XXXXXX");
	if (!mkdtemp(scratch))
		return -1;
	snprintf(old_file, sizeof(old_file), "%s/old", scratch);
	snprintf(new_file, sizeof(new_file), "%s/new.conf", scratch);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	unlink(old_file);
	unlink(new_file);
	return rmdir(scratch);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(figures),
	    cmocka_unit_test(cycle),
	    cmocka_unit_test(forms),
	    cmocka_unit_test(named_nada),
	    cmocka_unit_test(errors),
	    cmocka_unit_test(all_errors),
	    cmocka_unit_test(files_that_are_none),
	    cmocka_unit_test(externals),
	    cmocka_unit_test(no_addresses),
	    cmocka_unit_test(xl_files),
	    cmocka_unit_test(most),
	    cmocka_unit_test(mutated),
	    cmocka_unit_test(truncated),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
