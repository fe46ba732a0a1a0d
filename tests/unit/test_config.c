/*
 * The configuration's reader. tests/config/NAME.conf with NAME.ok is read and printed back as that
 * says; with NAME.err it is refused with these errors, all of them. The directory of the files is
 * written DIR in both.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <glob.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "config/config.h"
#include "tests/unit/texts.h"

#define CASES "tests/config"

static char directory[4096]; /* of the cases, absolute */
static char scratch[64];

/* text with every directory written DIR; to be freed. */
static char *
without_directory(const char *text)
{
	char *result = mem_alloc(strlen(text) + 1), *to = result;

	while (*text) {
		if (strncmp(text, directory, strlen(directory)) == 0) {
			to = stpcpy(to, "DIR");
			text += strlen(directory);
		} else {
			*to++ = *text++;
		}
	}
	return result;
}

/* What becomes of file: as printed back, or its errors. */
static char *
outcome_of(const char *file, bool *good)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	struct config *config;

	assert_non_null(to);
	config = config_load(file, note_error, to);
	*good = config != NULL;
	if (config)
		config_print(config, to);
	config_free(config);
	fclose(to);
	return text;
}

/* The same of a text that was checked, read from wherever fd's offset is. */
static char *
outcome_of_checked(int fd)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);
	struct config *config;

	assert_non_null(to);
	config = config_load_checked(fd, note_error, to);
	if (config)
		config_print(config, to);
	config_free(config);
	fclose(to);
	return text;
}

/* As processes get it. */
static void
check_handover(const char *copy, const char *expected)
{
	int fd = open(copy, O_RDONLY | O_CLOEXEC);
	char *again;

	assert_true(fd >= 0);
	assert_true(lseek(fd, 0, SEEK_END) >= 0);
	again = outcome_of_checked(fd);
	assert_string_equal(again, expected);
	free(again);
	close(fd);
}

/* What was printed is read to the same, by both loaders. False: file is refused. */
static bool
check_round_trip(const char *file)
{
	bool good, again;
	char *first = outcome_of(file, &good), *second;
	char copy[128];

	snprintf(copy, sizeof(copy), "%s/copy.conf", scratch);
	if (good) {
		spill(copy, first, strlen(first));
		second = outcome_of(copy, &again);
		assert_string_equal(second, first);
		assert_true(again);
		free(second);
		check_handover(copy, first);
	}
	free(first);
	return good;
}

static void
check_case(const char *file)
{
	char *expected_file = mem_string(file), *expected, *found, *plain;
	bool good;

	found = outcome_of(file, &good);
	plain = without_directory(found);
	strcpy(expected_file + strlen(expected_file) - strlen("conf"), good ? "ok" : "err");
	expected = slurp(expected_file);
	if (!expected)
		fail_msg("%s was %s, but there is no %s:\n%s", file, good ? "read" : "refused",
			 expected_file, plain);
	if (strcmp(plain, expected) != 0)
		fail_msg("%s: found:\n%sexpected:\n%s", file, plain, expected);
	check_round_trip(file);
	free(expected);
	free(plain);
	free(found);
	free(expected_file);
}

static void
cases(void **state)
{
	glob_t files;

	(void)state;
	assert_int_equal(glob(CASES "/*.conf", 0, NULL, &files), 0);
	assert_true(files.gl_pathc > 10);
	for (size_t i = 0; i < files.gl_pathc; i++)
		check_case(files.gl_pathv[i]);
	globfree(&files);
}

static void
examples(void **state)
{
	static const char *const files[] = {"conf/lauxen.conf",
					    "conf/examples/minimal.conf",
					    "conf/examples/nine.conf",
					    "conf/examples/launch.conf",
					    "conf/examples/scenario-a.conf",
					    "conf/examples/scenario-b.conf"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct config *config = config_load(files[i], note_error, stderr);

		assert_non_null(config);
		config_free(config);
		check_round_trip(files[i]);
	}
}

static void
nine_have_xl_files(void **state)
{
	struct config *config = config_load("conf/examples/nine.conf", note_error, stderr);
	static const uint8_t none[UUID_SIZE];

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->vms_count, 9);
	for (size_t i = 0; i < config->vms_count; i++) {
		assert_int_equal(access(config->vms[i].file, R_OK), 0);
		assert_memory_not_equal(config->vms[i].uuid, none, UUID_SIZE);
	}
	config_free(config);
}

/* Takes the '#' from lines that begin with before it, a lower case letter (or '}') after it. */
static char *
uncomment(const char *text, const char *before)
{
	char *result = mem_alloc(strlen(text) + 1), *to = result;
	size_t length = strlen(before);

	while (*text) {
		size_t line = strcspn(text, "\n") + 1;

		if (strncmp(text, before, length) == 0 && text[length] == '#' &&
		    strchr("abcdefghijklmnopqrstuvwxyz}\t", text[length + 1]) &&
		    text[length + 2] != '#') {
			memcpy(to, text, length);
			memcpy(to + length, text + length + 1, line - length - 1);
			to += line - 1;
		} else {
			memcpy(to, text, line);
			to += line;
		}
		text += line;
	}
	return result;
}

/* The commented keys of the shipped file are the defaults, all of them. */
static void
shipped_file_shows_defaults(void **state)
{
	char *shipped = slurp("conf/lauxen.conf"), *open = uncomment(shipped, "\t");
	char file[128], *of_shipped, *of_open;
	bool good;

	(void)state;
	snprintf(file, sizeof(file), "%s/open.conf", scratch);
	spill(file, open, strlen(open));
	of_shipped = outcome_of("conf/lauxen.conf", &good);
	of_open = outcome_of(file, &good);
	assert_true(good);
	assert_non_null(strstr(of_open, "name = \"dom0-a\""));
	assert_string_equal(strstr(of_open, "\tstate-dir"), strstr(of_shipped, "\tstate-dir"));
	for (const char *p = of_shipped; (p = strstr(p, "\n\t")); p++) {
		char key[64];

		snprintf(key, sizeof(key), "\t#%.*s =", (int)strcspn(p + 2, " "), p + 2);
		if (!strstr(shipped, key))
			fail_msg("conf/lauxen.conf does not show%s", key + 1);
	}
	free(of_open);
	free(of_shipped);
	free(open);
	free(shipped);
}

static void
shipped_vm_is_valid(void **state)
{
	char *shipped = slurp("conf/lauxen.conf"), *open = uncomment(shipped, "");
	struct config *config;
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	spill(file, open, strlen(open));
	config = config_load(file, note_error, stderr);
	assert_non_null(config);
	assert_int_equal(config->vms_count, 2);
	assert_int_equal(config->vms[0].memory_mib, 512);
	assert_int_equal(config->vms[0].provider.services_count, 4);
	assert_int_equal(config->vms[0].standby, 1);
	assert_int_equal(config->externals_count, 1);
	config_free(config);
	free(open);
	free(shipped);
}

static void
values(void **state)
{
	struct config *config = config_load(CASES "/all-keys.conf", note_error, stderr);
	const struct config_vm *vm;

	(void)state;
	assert_non_null(config);
	assert_int_equal(config->hypervisor, CONFIG_SIM);
	assert_int_equal(config->interval_ms, 100);
	assert_int_equal(config->silence_ms, 90000);
	assert_int_equal(config->action_ms, 3600000);
	assert_int_equal(config->policy.shutdown_ms, 60000);
	assert_true(config->policy.shutdown_destroys);
	assert_int_equal(config->pools_count, 3);
	assert_string_equal(config->vms[0].provider.address, "2001:db8::5");
	assert_int_equal(config->vms[0].provider.line, 19);
	vm = config_find_vm(config, "7c1b8a52-6f0e-4a3d-9a0b-2f6c0f4f1e11");
	assert_ptr_equal(vm, &config->vms[0]);
	assert_ptr_equal(config_find_uuid(config, vm->uuid), vm);
	assert_ptr_equal(config_find_vm(config, "db_1.a:b+c@d-e"), &config->vms[1]);
	assert_null(config_find_vm(config, "db"));
	assert_null(config_find_uuid(config, config->vms[1].uuid));
	config_free(config);
}

static const struct config_service *
need_of(const struct config *config, const struct config_vm *vm, size_t i)
{
	const struct config_need *need = &vm->needs[i];
	const struct config_provider *provider = need->external
						     ? &config->externals[need->provider].provider
						     : &config->vms[need->provider].provider;

	return &provider->services[need->service];
}

static void
check_supervised(const struct config *config)
{
	const struct config_vm *www = config_find_vm(config, "www"), *dns = &config->vms[1];
	const struct config_service *services = www->provider.services;

	/* www: by itself, by the section supervision, by the default */
	assert_int_equal(www->policy.restart_limit, 0);
	assert_int_equal(www->policy.on_dependency, DEPENDENCY_ALERT);
	assert_int_equal(www->policy.boot_ms, 180000);
	assert_false(www->policy.autostart);
	assert_int_equal(www->policy.shutdown_ms, 60000);
	assert_int_equal(dns->policy.shutdown_ms, 5000);
	assert_true(dns->policy.shutdown_destroys);
	assert_int_equal(services[0].watch.interval_ms, 20000);
	assert_int_equal(services[2].watch.interval_ms, 1000);
	assert_int_equal(services[2].watch.fall, 2);
	assert_int_equal(services[2].watch.rise, 2);
	assert_int_equal(services[2].watch.grace_ms, 0);
	assert_int_equal(dns->provider.services[0].watch.interval_ms, 5000);
	assert_int_equal(services[0].kind, SERVICE_TCP);
	assert_int_equal(services[0].port, 80);
	assert_string_equal(services[1].name, "443/tcp");
	assert_string_equal(services[1].address, "10.0.0.5");
	assert_string_equal(services[3].address, "2001:db8::5");
	assert_int_equal(services[3].kind, SERVICE_ICMP);
	/* "a:b" is a name, and all its services */
	assert_int_equal(www->needs_count, 5);
	assert_ptr_equal(need_of(config, www, 0), &dns->provider.services[0]);
	assert_ptr_equal(need_of(config, www, 1), &config->externals[0].provider.services[0]);
	assert_ptr_equal(need_of(config, www, 3), &config->externals[0].provider.services[2]);
	assert_ptr_equal(need_of(config, www, 4), &config->externals[1].provider.services[0]);
	assert_string_equal(need_of(config, www, 3)->command,
			    "/usr/lib/nagios/plugins/check_x -H 10.0.0.1 -p 99 -w 10%");
	assert_int_equal(config->externals[1].provider.services[0].watch.interval_ms, 40000);
	assert_int_equal(www->standby, 2);
	assert_int_equal(config->vms[2].standby_of, 0);
	assert_int_equal(config->vms[2].standby, -1);
}

/* As it is read, and as processes get it. */
static void
supervised(void **state)
{
	struct config *config = config_load(CASES "/supervision.conf", note_error, stderr);
	FILE *copy = tmpfile();

	(void)state;
	assert_non_null(config);
	assert_non_null(copy);
	check_supervised(config);
	config_print(config, copy);
	config_free(config);
	assert_int_equal(fflush(copy), 0);
	config = config_load_checked(fileno(copy), note_error, stderr);
	fclose(copy);
	assert_non_null(config);
	check_supervised(config);
	config_free(config);
}

static void
check_refused(const char *file, const char *part)
{
	bool good;
	char *errors = outcome_of(file, &good);

	assert_false(good);
	if (!strstr(errors, part))
		fail_msg("%s: \"%s\" is not in: %s", file, part, errors);
	free(errors);
}

/* The text carries what was found when it was checked; VMs' files are not looked at again. */
static void
handed_over(void **state)
{
	static const char with[] = "uuid = \"7c1b8a52-6f0e-4a3d-9a0b-2f6c0f4f1e11\"\n";
	static const char text[] =
	    "vm \"a\" { file = \"secret.conf\" }\nvm \"b\" { file = \"b\" }\n";
	static const char other[] = "name = \"c\"\nuuid = \"nonsense\"\n";
	char file[128], of_vm[128], copy[128], *printed;
	bool good;

	(void)state;
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	snprintf(of_vm, sizeof(of_vm), "%s/secret.conf", scratch);
	snprintf(copy, sizeof(copy), "%s/copy.conf", scratch);
	spill(of_vm, with, strlen(with));
	spill(file, text, strlen(text));
	printed = outcome_of(file, &good);
	assert_true(good);
	assert_non_null(strstr(printed, "7c1b8a52-6f0e-4a3d-9a0b-2f6c0f4f1e11"));
	assert_non_null(strstr(printed, of_vm));
	spill(copy, printed, strlen(printed));
	spill(of_vm, other, strlen(other));
	check_handover(copy, printed);
	unlink(of_vm);
	check_handover(copy, printed);
	free(printed);
	assert_null(config_load_checked(-1, NULL, NULL));
}

/* A directory's name must not make a path that cannot be read back. */
static void
odd_directories(void **state)
{
	static const char *const names[] = {"a${B}", "a\nb", "a\x7f", "a\"b", "a\\b"};
	static const char text[] = "vm \"a\" { file = \"a.xl\" }\n", fine[] = "agent {}\n";
	char directory_of[128], file[160];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(directory_of, sizeof(directory_of), "%s/%s", scratch, names[i]);
		snprintf(file, sizeof(file), "%s/vm.conf", directory_of);
		assert_int_equal(mkdir(directory_of, 0700), 0);
		spill(file, text, strlen(text));
		check_refused(file, "vm.conf:1: file ");
		spill(file, fine, strlen(fine));
		assert_true(check_round_trip(file));
		unlink(file);
		rmdir(directory_of);
	}
}

static void
most_vms(void **state)
{
	char file[128], *text = NULL, path[1024];
	size_t size;
	FILE *to = open_memstream(&text, &size);

	(void)state;
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	memset(path, 'p', sizeof(path));
	path[1017] = '\0';
	for (int i = 0; i < 4096; i++)
		fprintf(to,
			"vm \"v%062d\" {\nfile=\"/%s%05d\"\nuuid=\"%08d-6f0e-4a3d-9a0b-"
			"2f6c0f4f1e11\"\naddress=\"2001:db8:1111:1111:1111:1111:1111:%x\"\n"
			"group=\"1234567890123456789012345678901\"\nmemory=16777216\n}\n",
			i, path, i, i + 1, i + 4096);
	fclose(to);
	spill(file, text, size);
	assert_true(check_round_trip(file));
	free(text);
}

/* count VMs with services, each of which needs up to `needs` before it; the first needs the last
 * where they are to go round. */
static void
spill_graph(const char *file, int count, int needs, bool round)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	for (int i = 0; i < count; i++) {
		fprintf(to, "vm \"v%d\" {\n\tfile = \"/%d\"\n\taddress = \"10.%d.%d.1\"\n", i, i,
			i / 256, i % 256);
		fprintf(to, "\tservices = {\"22/tcp\", \"80/tcp\"}\n\tneeds = {");
		if (i == 0 && round)
			fprintf(to, "\"v%d:22/tcp\"", count - 1);
		for (int j = 1; j <= needs && j <= i; j++)
			fprintf(to, "%s\"v%d:80/tcp\"", j > 1 ? ", " : "", i - j);
		fprintf(to, "}\n}\n");
	}
	fclose(to);
	spill(file, text, size);
	free(text);
}

static void
large_graphs(void **state)
{
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	spill_graph(file, 1000, 10, false);
	assert_true(check_round_trip(file));
	spill_graph(file, 4096, 10, false);
	assert_true(check_round_trip(file));
	/* The deepest there is; and all the way round, in the middle of which names are left out.
	 */
	spill_graph(file, 4096, 1, false);
	assert_true(check_round_trip(file));
	spill_graph(file, 4096, 1, true);
	check_refused(file, "vm.conf:5: cycle: v0 needs v4095 needs v4094 needs ");
	check_refused(file, " more) needs v1 needs v0; remove one of these needs");
	/* The shortest: from the last to the first in steps of 10. */
	spill_graph(file, 1000, 10, true);
	check_refused(file, "cycle: v0 needs v999 needs v990 needs v980 needs ");
}

static void
spill_list(const char *file, const char *before, const char *format, int count, const char *after)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	fputs(before, to);
	for (int i = 1; i <= count; i++)
		fprintf(to, "%s%d%s", i > 1 ? ", \"" : "\"", i, format);
	fputs(after, to);
	fclose(to);
	spill(file, text, size);
	free(text);
}

static void
most_services_and_needs(void **state)
{
	static const char offers[] = "vm \"a\" { file = \"/a\" address = \"::1\"\nservices = {";
	static const char needs[] = "vm \"a\" { file = \"/a\"\nneeds = {";
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	spill_list(file, offers, "/tcp\"", 64, "} }\n");
	assert_true(check_round_trip(file));
	spill_list(file, offers, "/tcp\"", 65, "} }\n");
	check_refused(file, "vm.conf:2: the service \"65/tcp\" is one more than the 64 that are");
	spill_list(file, offers, "/tcp\"", 64, "}\nservice \"more\" { port = 99 } }\n");
	check_refused(file, "vm.conf:3: the service \"more\" is one more than the 64 that are");
	spill_list(file, needs, "x\"", 257, "} }\n");
	check_refused(file, "vm.conf:2: needs has more than 256; remove some");
}

static void
empty_file(void **state)
{
	char file[128], host[VM_NAME_SIZE] = "";
	struct config *config;

	(void)state;
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	spill(file, "", 0);
	config = config_load(file, note_error, stderr);
	assert_non_null(config);
	gethostname(host, sizeof(host) - 1);
	assert_string_equal(config->name, host);
	assert_int_equal(config->vms_count, 0);
	config_free(config);
}

static void
files_that_are_none(void **state)
{
	char file[128];

	(void)state;
	snprintf(file, sizeof(file), "%s/absent.conf", scratch);
	assert_null(config_load(file, NULL, NULL));
	check_refused(file, "absent.conf: there is no such file");
	check_refused(scratch, "no regular file");
	check_refused("/dev/zero", "no regular file");
	spill(file, "agent {\n\0}\n", 12);
	check_refused(file, "absent.conf:2: there is a NUL octet");
	assert_int_equal(truncate(file, 9 << 20), 0);
	check_refused(file, "hardly a configuration");
	unlink(file);
}

/* What an ordinary user gets from file; the test's own process stays root. */
static void
check_refused_to_nobody(const char *file, const char *part)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		char *errors;
		bool good;

		if (setgroups(0, NULL) < 0 || setuid(65534) < 0)
			_exit(2);
		errors = outcome_of(file, &good);
		good = good || !strstr(errors, part);
		free(errors);
		_exit(good);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void
file_of_somebody_else(void **state)
{
	static const char text[] = "vm \"a\" { file = \"secret.conf\" }\n";
	char file[128], of_vm[128];

	(void)state;
	if (geteuid() != 0)
		skip();
	snprintf(file, sizeof(file), "%s/vm.conf", scratch);
	snprintf(of_vm, sizeof(of_vm), "%s/secret.conf", scratch);
	spill(of_vm, "", 0);
	spill(file, text, strlen(text));
	chmod(of_vm, 0600);
	chmod(scratch, 0755);
	check_refused_to_nobody(of_vm, "secret.conf: user");
	check_refused_to_nobody(of_vm, "(uid 65534) may not read it");
	check_refused_to_nobody(file, "vm.conf:1: vm \"a\": user");
}

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

/* Reads text, which may be anything; what is accepted must survive its way through print. */
static void
try_text(const char *text, size_t size)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/mutant.conf", scratch);
	spill(file, text, size);
	check_round_trip(file);
}

static void
all_cases(size_t sizes[], char *texts[], size_t *count, size_t most)
{
	glob_t files;

	assert_int_equal(glob(CASES "/*.conf", 0, NULL, &files), 0);
	assert_int_equal(glob("conf/examples/nine.conf", GLOB_APPEND, NULL, &files), 0);
	for (*count = 0; *count < files.gl_pathc && *count < most; ++*count) {
		texts[*count] = slurp(files.gl_pathv[*count]);
		sizes[*count] = strlen(texts[*count]);
	}
	globfree(&files);
}

/* Ends at every octet: no crash, and the next good file is read as ever. */
static void
truncated(void **state)
{
	char *text = slurp(CASES "/all-keys.conf");
	bool good;

	(void)state;
	for (size_t size = 0; size <= strlen(text); size++) {
		char *outcome;

		try_text(text, size);
		outcome = outcome_of(CASES "/no-storage.conf", &good);
		assert_true(good);
		free(outcome);
	}
	free(text);
}

static void
mutate(char *text, size_t *size)
{
	static const char *const splices[] = {
	    "{", "}",	       "\"",	"'",  "=", "+=", "${A}", "/*",	 "*/",
	    "#", "vm \"a\" {", "agent", "\n", "|", "\\", "(",	 "\xff", ","};
	const char *splice = splices[chance(sizeof(splices) / sizeof(splices[0]))];
	size_t at = *size ? chance((uint32_t)*size) : 0, gone;

	switch (chance(3)) {
	case 0:
		if (*size)
			text[at] = (char)chance(256);
		break;
	case 1:
		memmove(text + at + strlen(splice), text + at, *size - at);
		memcpy(text + at, splice, strlen(splice));
		*size += strlen(splice);
		break;
	default:
		gone = chance(40) % (*size - at + 1);
		memmove(text + at, text + at + gone, *size - at - gone);
		*size -= gone;
	}
}

static void
mutated(void **state)
{
	char *texts[64];
	size_t sizes[64], count;

	(void)state;
	all_cases(sizes, texts, &count, 64);
	for (int round = 0; round < 4000; round++) {
		size_t of = chance((uint32_t)count), size = sizes[of];
		char *text = mem_alloc(size + 1024);

		memcpy(text, texts[of], size);
		for (uint32_t left = 1 + chance(6); left > 0; left--)
			mutate(text, &size);
		try_text(text, size);
		free(text);
	}
	while (count-- > 0)
		free(texts[count]);
}

static int
set_up(void **state)
{
	(void)state;
	snprintf(scratch, sizeof(scratch), "/tmp/test_config.XXXXXX");
	return mkdtemp(scratch) && realpath(CASES, directory) ? 0 : -1;
}

static int
tear_down(void **state)
{
	static const char *const files[] = {"copy", "open", "vm", "secret", "mutant"};
	char file[128];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s/%s.conf", scratch, files[i]);
		unlink(file);
	}
	return rmdir(scratch);
}

/* Whatever is wrong with a file, what it says of state-dir is found. */
static void
state_dir_alone(void **state)
{
	static const struct {
		const char *text, *dir;
	} cases[] = {
	    {"agent { name = a state-dir = \"/one\" }\n", "/one"},
	    {"agent {\n\tstate-dir = /one\n", "/one"},
	    {"agent {\n\tstate-dir='/o ne'\n}\nvm \"www {\n}}", "/o ne"},
	    {"nonsense = 1 ${x}\nvm a { needs = {b:c}\nagent {state-dir = \"/one\n", "/one"},
	    {"agent {\n# state-dir = /one\nstate-dir = /two }\n", "/two"},
	    {"agent {\n/* state-dir = /one */ state-dir = /two }\n", "/two"},
	    {"vm a { command = \"x state-dir = /one\" }\nagent { state-dir = /two }\n", "/two"},
	    {"agent { state-dir-old = /one old-state-dir = /one\n state-dir = /two }", "/two"},
	    {"agent { state-dir = ./here }", "/tmp/here"},
	    {"agent { state-dir = }", "/var/lib/lauxen"},
	    {"agent { name = a }", "/var/lib/lauxen"},
	    {"", "/var/lib/lauxen"},
	};
	char file[] = "/tmp/test_config.XXXXXX", *errors = NULL;
	int fd = mkstemp(file);
	size_t size;
	FILE *to = open_memstream(&errors, &size);
	char *dir;

	(void)state;
	assert_true(fd >= 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, cases[i].text, strlen(cases[i].text), 0),
				 strlen(cases[i].text));
		dir = config_state_dir(file, note_error, to);
		assert_string_equal(dir, cases[i].dir);
		free(dir);
	}
	fflush(to);
	assert_string_equal(errors, "");
	close(fd);
	unlink(file);
	dir = config_state_dir(file, note_error, to);
	assert_string_equal(dir, "/var/lib/lauxen");
	fclose(to);
	assert_non_null(strstr(errors, "no such file"));
	free(dir);
	free(errors);
}

static void
state_dir_of_good_files(void **state)
{
	static const char *const files[] = {CASES "/all-keys.conf", CASES "/no-storage.conf",
					    "conf/examples/nine.conf", "conf/lauxen.conf"};

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct config *config = config_load(files[i], note_error, stderr);
		char *dir = config_state_dir(files[i], note_error, stderr);

		assert_non_null(config);
		assert_string_equal(dir, config->state_dir);
		free(dir);
		config_free(config);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(cases),
	    cmocka_unit_test(examples),
	    cmocka_unit_test(nine_have_xl_files),
	    cmocka_unit_test(shipped_file_shows_defaults),
	    cmocka_unit_test(shipped_vm_is_valid),
	    cmocka_unit_test(values),
	    cmocka_unit_test(supervised),
	    cmocka_unit_test(handed_over),
	    cmocka_unit_test(odd_directories),
	    cmocka_unit_test(most_vms),
	    cmocka_unit_test(large_graphs),
	    cmocka_unit_test(most_services_and_needs),
	    cmocka_unit_test(empty_file),
	    cmocka_unit_test(files_that_are_none),
	    cmocka_unit_test(file_of_somebody_else),
	    cmocka_unit_test(truncated),
	    cmocka_unit_test(mutated),
	    cmocka_unit_test(state_dir_alone),
	    cmocka_unit_test(state_dir_of_good_files),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
