/* vmctl.conf, snmp.conf, addresses, and the rows on disk. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/system/rows.h"
#include "tools/vmctl/lib/internal.h"

static char directory[64], file[128], errors[4096];

static int
setup(void **state)
{
	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/vmctl-test.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(file, sizeof(file), "%s/vmctl.conf", directory);
	setenv("SNMPCONFPATH", directory, 1);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command) == 0 ? 0 : -1;
}

static void
report(void *arg, const char *error)
{
	size_t used = strlen(errors);

	(void)arg;
	snprintf(errors + used, sizeof(errors) - used, "%s\n", error);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	FILE *to = fopen(path, "w");

	assert_non_null(to);
	fputs(text, to);
	fclose(to);
	assert_int_equal(chmod(path, mode), 0);
}

static struct vmctl *
load(const char *text, mode_t mode)
{
	struct vmctl *vmctl = vmctl_new(NULL);

	errors[0] = 0;
	write_file(file, text, mode);
	if (vmctl_load(vmctl, file, report, NULL))
		return vmctl;
	assert_int_equal(vmctl_hosts_count(vmctl), 0);
	vmctl_free(vmctl);
	return NULL;
}

static void
test_all_keys(void **state)
{
	struct vmctl *vmctl = load("timeout = \"500ms\" retries = 1 window = 77\n"
				   "cache-dir = \"/nowhere\"\n"
				   "profile \"a\" { version = \"2c\" community = \"x\"\n"
				   "  write-profile = \"b\" }\n"
				   "profile \"b\" { user = \"u\" level = authPriv\n"
				   "  auth-protocol = SHA-256 auth-password = \"12345678\"\n"
				   "  priv-protocol = AES-256 priv-password = \"87654321\"\n"
				   "  context = \"c\" }\n"
				   "host \"h1\" { address = \"10.0.0.1:1161\" profile = \"b\"\n"
				   "  groups = {\"x\", \"y\"} timeout = \"2s\" retries = 0 }\n"
				   "group \"g\" { profile = \"a\" hosts = {\"h1\", \"h2\",\n"
				   "  \"h3=[::1]:99\"} timeout = \"3s\" }\n",
				   0600);
	struct vmctl_host *h1, *h3;
	char error[VMCTL_ERROR_SIZE];
	struct profile *b;

	(void)state;
	assert_non_null(vmctl);
	assert_int_equal(vmctl->timeout_ms, 500);
	assert_int_equal(vmctl->retries, 1);
	assert_int_equal(vmctl->window, 77);
	assert_string_equal(vmctl->cache, "/nowhere");
	assert_int_equal(vmctl_hosts_count(vmctl), 3);
	h1 = vmctl_host_find(vmctl, "h1");
	assert_string_equal(vmctl_host_profile(h1), "b");
	assert_string_equal(vmctl_host_group(h1, 0), "x");
	assert_string_equal(vmctl_host_group(h1, 2), "g");
	assert_null(vmctl_host_group(h1, 3));
	assert_int_equal(h1->timeout_ms, 2000);
	assert_int_equal(h1->retries, 0);
	h3 = vmctl_host_find(vmctl, "h3");
	assert_string_equal(vmctl_host_address(h3), "[::1]:99");
	assert_string_equal(vmctl_host_profile(h3), "a");
	assert_int_equal(h3->timeout_ms, 3000);
	b = profile_find(vmctl, "b", error);
	assert_int_equal(b->level, LEVEL_PRIV);
	assert_string_equal(b->priv_password, "87654321");
	vmctl_free(vmctl);
}

/* Each: what is said of it. Nothing is taken from a file with an error. */
static void
test_errors(void **state)
{
	static const struct {
		const char *text, *said;
	} bad[] = {
	    {"frob = 1\n", ":1: no such option 'frob'"},
	    {"# a } in a comment\nhost \"a\" {", "is not closed"},
	    {"host \"a\" { address = \"x y\" }", "\"x y\" is no address"},
	    {"host \"a\" { address = \"x:0\" }", "is no address"},
	    {"host \"a\" { address = \"x:70000\" }", "is no address"},
	    {"host \"a\" { }\nhost \"a\" { }", "a"},
	    {"host \"a\" { profile = \"p\" }", "there is no profile \"p\""},
	    {"host \"a\" { timeout = \"soon\" }", "timeout \"soon\""},
	    {"host \"a\" { timeout = \"0s\" }", "timeout"},
	    {"retries = 99", "retries = 99"},
	    {"window = 0", "window = 0"},
	    {"profile \"p\" { version = \"2c\" }", "has no community"},
	    {"profile \"p\" { version = \"1\" community = \"x\" }", "version is"},
	    {"profile \"p\" { user = \"u\" auth-password = \"short\" }", "at least 8"},
	    {"profile \"p\" { user = \"u\" auth-password = \"12345678\" auth-protocol = ROT13 }",
	     "no auth-protocol ROT13"},
	    {"profile \"p\" { user = \"u\" auth-password = \"12345678\" priv-protocol = ROT13 }",
	     "no priv-protocol ROT13"},
	    {"profile \"p\" { auth-password = \"12345678\" }", "no user"},
	    {"profile \"p\" { level = much }", "level is"},
	    {"profile \"p\" { version = \"2c\" community = \"x\" write-profile = \"q\" }",
	     "there is no profile \"q\""},
	    {"host \"g\" { }\ngroup \"g\" { }", "a host has the name of the group"},
	    {"group \"g\" { hosts = {\"=x\"} }", "is no host"},
	    {"group \"g\" { hosts = {\"a=x\"} }\ngroup \"h\" { hosts = {\"a=y\"} }",
	     "has the address x already"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (load(bad[i].text, 0600))
			fail_msg("%s: was taken", bad[i].text);
		if (!strstr(errors, bad[i].said) || strncmp(errors, file, strlen(file)) != 0)
			fail_msg("%s: said \"%s\", not \"%s\"", bad[i].text, errors, bad[i].said);
	}
}

static void
test_secrets(void **state)
{
	static const char secret[] = "profile \"p\" { version = \"2c\" community = \"x\" }";
	static const char open[] = "profile \"p\" { version = \"2c\" community = \"public\" }";
	struct vmctl *vmctl;

	(void)state;
	assert_null(load(secret, 0644));
	assert_non_null(strstr(errors, "others may read it; chmod o= "));
	assert_non_null(vmctl = load(secret, 0640));
	vmctl_free(vmctl);
	assert_non_null(vmctl = load(open, 0644));
	vmctl_free(vmctl);
}

static void
test_missing_file(void **state)
{
	struct vmctl *vmctl = vmctl_new(NULL);

	(void)state;
	errors[0] = 0;
	assert_false(vmctl_load(vmctl, "/nowhere/vmctl.conf", report, NULL));
	assert_non_null(strstr(errors, "cannot be read: No such file"));
	vmctl_free(vmctl);
}

static void
snmp_conf(const char *text, mode_t mode)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/snmp.conf", directory);
	write_file(path, text, mode);
}

static void
test_snmp_conf(void **state)
{
	struct vmctl *vmctl = vmctl_new(NULL);
	char error[VMCTL_ERROR_SIZE] = "";
	struct profile *profile;

	(void)state;
	snmp_conf("# nothing\nmibs +ALL\n", 0644);
	assert_null(profile_find(vmctl, "default", error));
	assert_non_null(strstr(error, "no credentials"));
	snmp_conf("defSecurityName ops\ndefPassphrase \"secret words\"\n", 0644);
	assert_null(profile_find(vmctl, "default", error));
	assert_non_null(strstr(error, "others may read it"));
	snmp_conf("defSecurityName ops\ndefPassphrase \"secret words\"\ndefAuthType SHA-256\n",
		  0600);
	profile = profile_find(vmctl, "default", error);
	assert_non_null(profile);
	assert_int_equal(profile->version, PROFILE_V3);
	assert_int_equal(profile->level, LEVEL_PRIV);
	assert_string_equal(profile->auth_password, "secret words");
	assert_string_equal(profile->priv_password, "secret words");
	assert_string_equal(profile->auth_protocol, "SHA-256");
	assert_string_equal(profile->priv_protocol, "AES");
	vmctl_free(vmctl);
	vmctl = vmctl_new(NULL);
	snmp_conf("defVersion 2c\ndefCommunity public\n", 0644);
	profile = profile_find(vmctl, "default", error);
	assert_non_null(profile);
	assert_int_equal(profile->version, PROFILE_V2C);
	assert_string_equal(profile->community, "public");
	vmctl_free(vmctl);
}

static void
test_addresses(void **state)
{
	static const struct {
		const char *text, *name;
		uint16_t port;
	} good[] = {{"dom0-a", "dom0-a", 161},		 {"10.0.0.1", "10.0.0.1", 161},
		    {"10.0.0.1:1161", "10.0.0.1", 1161}, {"[fe80::1]:5", "fe80::1", 5},
		    {"fe80::1", "fe80::1", 161},	 {"[::1]", "::1", 161}};
	static const char *const bad[] = {"",	  ":",	    ":161", "a:", "a:b",
					  "[::1", "[::1]x", "a b",  "a/b"};
	char name[256];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(address_split(good[i].text, name, sizeof(name), &port));
		assert_string_equal(name, good[i].name);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_split(bad[i], name, sizeof(name), &port))
			fail_msg("\"%s\" was taken for %s", bad[i], name);
}

/* ---- the cache ---- */

static struct vmctl *
cached(struct vmctl_host **host)
{
	struct vmctl *vmctl = vmctl_new(NULL);
	char path[128], error[VMCTL_ERROR_SIZE];

	snprintf(path, sizeof(path), "%s/a/b/cache", directory);
	vmctl_set_cache(vmctl, path);
	*host = vmctl_host_add(vmctl, "odd/name..", "10.0.0.1", NULL, error);
	return vmctl;
}

static void
fill(struct vmctl_host *host, uint64_t fields, uint32_t count)
{
	struct rows *rows = &host->rows[KIND_VM];
	struct mib_vm vm;

	rows_clear(rows);
	rows->fields = fields;
	for (uint32_t i = 1; i <= count; i++) {
		make_vm(i, VM_RUNNING, INT64_C(1700000000000), &vm);
		rows_add(rows, KIND_VM, &vm);
	}
	rows_settle(rows);
	rows->mono_ms = clock_mono_ms();
	rows->wall_ms = clock_wall_ms();
	rows->changed = true;
}

static void
test_cache(void **state)
{
	struct vmctl_host *host;
	struct vmctl *vmctl = cached(&host);
	struct mib_vm vm;

	(void)state;
	fill(host, ~UINT64_C(0), 300);
	vmctl_cache_write(vmctl, 0);
	vmctl_free(vmctl);
	vmctl = cached(&host);
	assert_int_equal(vmctl_rows_age_ms(host, KIND_VM), -1);
	assert_true(vmctl_rows_recall(host, KIND_VM));
	assert_int_equal(vmctl_rows_count(host, KIND_VM), 300);
	assert_true(vmctl_rows_stale(host, KIND_VM));
	assert_true(vmctl_rows_age_ms(host, KIND_VM) >= 0);
	assert_true(vmctl_rows_age_ms(host, KIND_VM) < 10000);
	assert_true(vmctl_row(host, KIND_VM, 299, &vm));
	assert_string_equal(vm.name, "vm300");
	assert_false(vmctl_row(host, KIND_VM, 300, &vm));
	assert_false(vmctl_rows_recall(host, KIND_NET));
	vmctl_free(vmctl);
}

/* Fewer fields do not push out more of them that are young; older rows stay where they may. */
static void
test_cache_keeps_more(void **state)
{
	struct vmctl_host *host;
	struct vmctl *vmctl = cached(&host);
	struct mib_vm vm;

	(void)state;
	fill(host, ~UINT64_C(0), 3);
	vmctl_cache_write(vmctl, 0);
	fill(host, VMCTL_FIELD(mib_vm, name), 2);
	vmctl_cache_write(vmctl, 0);
	vmctl_free(vmctl);
	vmctl = cached(&host);
	assert_true(vmctl_rows_recall(host, KIND_VM));
	assert_int_equal(vmctl_rows_count(host, KIND_VM), 3);
	assert_true(vmctl_row(host, KIND_VM, 0, &vm));
	assert_int_equal(vm.memory_mib, 512);
	fill(host, ~UINT64_C(0), 4);
	vmctl_cache_write(vmctl, 60000); /* too young to be replaced */
	vmctl_free(vmctl);
	vmctl = cached(&host);
	assert_true(vmctl_rows_recall(host, KIND_VM));
	assert_int_equal(vmctl_rows_count(host, KIND_VM), 3);
	vmctl_free(vmctl);
}

/* A file that is cut, changed or another host's is as if it were not there. */
static void
test_cache_broken(void **state)
{
	struct vmctl_host *host;
	struct vmctl *vmctl = cached(&host);
	char path[256];

	(void)state;
	fill(host, ~UINT64_C(0), 20);
	vmctl_cache_write(vmctl, 0);
	vmctl_free(vmctl);
	snprintf(path, sizeof(path), "%s/a/b/cache/odd%%2fname%%2e%%2e.vm", directory);
	assert_int_equal(access(path, R_OK), 0);
	for (int round = 0; round < 3; round++) {
		int fd = open(path, O_RDWR);
		struct stat status;

		assert_int_equal(fstat(fd, &status), 0);
		if (round == 0)
			assert_int_equal(ftruncate(fd, status.st_size - 1), 0);
		else
			assert_int_equal(pwrite(fd, "\xff\xff", 2, round == 1 ? 8 : 0), 2);
		close(fd);
		vmctl = cached(&host);
		assert_false(vmctl_rows_recall(host, KIND_VM));
		vmctl_free(vmctl);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_keys),	 cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_secrets),	 cmocka_unit_test(test_missing_file),
	    cmocka_unit_test(test_snmp_conf),	 cmocka_unit_test(test_addresses),
	    cmocka_unit_test(test_cache),	 cmocka_unit_test(test_cache_keeps_more),
	    cmocka_unit_test(test_cache_broken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
