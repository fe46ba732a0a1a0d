/* simxen's reading of xl files: what is taken, what is skipped, what is refused and how. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/simxen/xlfile.h"

static struct vmdef def;
static char error[XLFILE_ERROR];

/* Parses text as the whole of a file. */
static bool
parse(const char *text)
{
	vmdef_init(&def);
	error[0] = '\0';
	return xlfile_parse(&def, text, "www.cfg", error) && xlfile_finish(&def, "www.cfg", error);
}

static void
assert_refused(const char *text, const char *because)
{
	assert_false(parse(text));
	assert_string_equal(error, because);
}

static void
test_all_keys(void **state)
{
	(void)state;
	assert_true(parse("# a web server\n"
			  "name = \"www\"\n"
			  "uuid = '6F3C2D10-1111-4222-8333-00000000000A'\n"
			  "memory=256; maxmem=0x200\n"
			  "vcpus = \"2\"\n"
			  "on_poweroff = 'preserve'\non_reboot = \"rename-restart\"\n"
			  "on_crash=\"coredump-restart\"\n"
			  "simxen_address = \"127.1.2.3\"\n"
			  "simxen_services = [ \"tcp:80\", 'udp:53', ]  # both\n"
			  "simxen_boot_ms = 1200\nsimxen_shutdown_ms = 0\nsimxen_load = 70\n"
			  "simxen_used = 100\nsimxen_tools = 0\nsimxen_crash_ms = 5\n"));
	assert_string_equal(def.name, "www");
	assert_string_equal(def.uuid, "6f3c2d10-1111-4222-8333-00000000000a");
	assert_int_equal(def.memory_mib, 256);
	assert_int_equal(def.maxmem_mib, 512);
	assert_int_equal(def.vcpus, 2);
	assert_int_equal(def.on_poweroff, ON_PRESERVE);
	assert_int_equal(def.on_reboot, ON_RENAME_RESTART);
	assert_int_equal(def.on_crash, ON_COREDUMP_RESTART);
	assert_string_equal(def.address, "127.1.2.3");
	assert_int_equal(def.service_count, 2);
	assert_false(def.services[0].udp);
	assert_int_equal(def.services[0].port, 80);
	assert_true(def.services[1].udp);
	assert_int_equal(def.services[1].port, 53);
	assert_int_equal(def.boot_ms, 1200);
	assert_int_equal(def.shutdown_ms, 0);
	assert_int_equal(def.load_percent, 70);
	assert_int_equal(def.used_mib, 100);
	assert_int_equal(def.crash_ms, 5);
	assert_false(def.tools);
}

static void
test_defaults_are_xls(void **state)
{
	(void)state;
	assert_true(parse("name='a'"));
	assert_int_equal(def.memory_mib, 128);
	assert_int_equal(def.maxmem_mib, 128);
	assert_int_equal(def.vcpus, 1);
	assert_int_equal(def.on_poweroff, ON_DESTROY);
	assert_int_equal(def.on_reboot, ON_RESTART);
	assert_int_equal(def.on_crash, ON_DESTROY);
	assert_int_equal(def.boot_ms, -1);
	assert_true(def.tools);
}

/* As people write them: old and new spellings, over several lines. */
static void
test_devices(void **state)
{
	(void)state;
	assert_true(parse("name = 'a'\n"
			  "disk = [ 'phy:/dev/vg0/www,xvda,w',\n"
			  "         'tap:aio:/images/a.img,sda1,r',  # read only\n"
			  "         'format=raw, vdev=xvdb, access=ro, target=/dev/vg0/a,b=c',\n"
			  "         '/dev/vg0/d,raw,xvdc,rw' ]\n"
			  "vif = [ 'mac=00:16:3e:01:02:03, bridge=xenbr1', '' ]\n"));
	assert_int_equal(def.disk_count, 4);
	assert_string_equal(def.disks[0].vdev, "xvda");
	assert_string_equal(def.disks[0].target, "/dev/vg0/www");
	assert_false(def.disks[0].read_only);
	assert_string_equal(def.disks[1].vdev, "sda1");
	assert_string_equal(def.disks[1].target, "/images/a.img");
	assert_true(def.disks[1].read_only);
	assert_string_equal(def.disks[2].target, "/dev/vg0/a,b=c");
	assert_true(def.disks[2].read_only);
	assert_string_equal(def.disks[3].vdev, "xvdc");
	assert_string_equal(def.disks[3].target, "/dev/vg0/d");
	assert_int_equal(def.vif_count, 2);
	assert_string_equal(def.vifs[0].mac, "00:16:3e:01:02:03");
	assert_string_equal(def.vifs[0].bridge, "xenbr1");
	assert_string_equal(def.vifs[1].mac, "");
}

static void
test_unknown_keys_are_skipped(void **state)
{
	(void)state;
	assert_true(parse("type = \"pvh\"\nkernel = '/boot/vmlinuz'\nextra = 'root=/dev/xvda #1'\n"
			  "vfb = [ 'vnc=1', [ 'nested', 7 ], 3 ]\n"
			  "channel = [ \"connection=socket,path=/run/q\" ]\nserial='pty'\n"
			  "name = 'a'\r\nmemory = 64\r\n"));
	assert_int_equal(def.memory_mib, 64);
}

static void
test_overrides(void **state)
{
	(void)state;
	assert_true(parse("name = 'a'\nmemory = 64\nmaxmem = 128\n"
			  "simxen_services = [ 'tcp:1' ]\n"));
	assert_true(
	    xlfile_parse(&def, "memory=100;simxen_services += [ 'udp:2' ]", "override", error));
	assert_int_equal(def.memory_mib, 100);
	assert_int_equal(def.service_count, 2);
	assert_true(
	    xlfile_parse(&def, "simxen_services = [ 'udp:3' ]\nmaxmem=90", "override", error));
	assert_int_equal(def.service_count, 1);
	assert_false(xlfile_finish(&def, "a.cfg", error));
	assert_string_equal(error, "a.cfg: maxmem 90 is less than memory 100");
	assert_false(xlfile_parse(&def, "memory=", "override", error));
	assert_string_equal(error, "override:1: a value is missing");
}

static void
test_errors_say_where(void **state)
{
	(void)state;
	assert_refused("", "www.cfg: name = \"...\" is missing");
	assert_refused("name = \"a\"\n\nmemory = lots\n",
		       "www.cfg:3: memory: a number from 1 to 8388608 is needed, not \"lots\"");
	assert_refused("name = 'a'\nvcpus = 0",
		       "www.cfg:2: vcpus: a number from 1 to 64 is needed, not \"0\"");
	assert_refused("name = 'a\nb'", "www.cfg:1: a string does not end on its line");
	assert_refused("name = 'a'\ndisk = [ 'phy:/d,xvda,w',\n\n", "www.cfg:2: a list has no end");
	assert_refused("name = 'a' memory = 3",
		       "www.cfg:1: name: something follows the value: \"memory = 3\"");
	assert_refused("name 'a'", "www.cfg:1: name: = is missing");
	assert_refused("= 3", "www.cfg:1: KEY = VALUE is needed at \"= 3\"");
	assert_refused("name = [ 'a' ]", "www.cfg:1: name: one value is needed, not a list");
	assert_refused("name = ''", "www.cfg:1: name: must not be empty");
	assert_refused("uuid = '123'", "www.cfg:1: uuid: is no UUID");
	assert_refused("on_crash = 'explode'",
		       "www.cfg:1: on_crash: must be destroy, restart, rename-restart, preserve, "
		       "coredump-destroy, coredump-restart or soft-reset");
	assert_refused("simxen_address = '10.0.0.1'",
		       "www.cfg:1: simxen_address: must be an IPv4 address of the loopback "
		       "network, 127.x.y.z");
	assert_refused("simxen_services = [ 'tcp:70000' ]",
		       "www.cfg:1: simxen_services: must be a list of \"tcp:PORT\" and "
		       "\"udp:PORT\"");
	assert_refused("disk = [ 'phy:/dev/a,w' ]", "www.cfg:1: disk: a disk has no vdev");
	assert_refused("name = 'a'\nmemory = 9\nmaxmem = 8",
		       "www.cfg: maxmem 8 is less than memory 9");
}

static void
test_too_much_is_refused(void **state)
{
	char text[8192];

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "extra = '", 9);
	text[sizeof(text) - 1] = '\0';
	assert_refused(text, "www.cfg:1: a value is longer than 4095 octets");
	memcpy(text, "name =  '", 9);
	strcpy(text + 80, "'");
	assert_refused(text, "www.cfg:1: name: is too long or has control characters");
	strcpy(text, "vif = [ ");
	for (int i = 0; i < 17; i++)
		strcat(text, "'', ");
	strcat(text, "]");
	assert_refused(text, "www.cfg:1: vif: has too many interfaces");
}

/* Whatever the octets are, the parser ends and stays within its buffers (the sanitizers look). */
static void
test_garbage(void **state)
{
	static const char letters[] = "name=[]'\"#,;\n +-0 xvdatarget=memory\\\t\x80\xff";
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char text[64];
		size_t length = (size_t)round % sizeof(text);

		for (size_t i = 0; i < length; i++) {
			seed = seed * 1664525 + 1013904223;
			text[i] = letters[(seed >> 16) % (sizeof(letters) - 1)];
		}
		text[length < sizeof(text) ? length : sizeof(text) - 1] = '\0';
		if (!parse(text))
			assert_true(*error);
	}
}

/* What is written is read to the same: the way of a save file. */
static void
test_round_trip(void **state)
{
	static const char *const texts[] = {
	    "name = 'a'",
	    "name = 'with \"quotes\"'\nsimxen_tools = 0\nsimxen_load = 0",
	    "name='b'\nmemory=9\nmaxmem=10\nvcpus=3\non_crash='preserve'\nsimxen_saved=1\n"
	    "disk=['phy:/dev/x,hda,r','vdev=xvdb,target=a,b']\nvif=['','bridge=br0','mac=1:2']\n"
	    "simxen_address='127.9.9.9'\nsimxen_services=['tcp:1','udp:65535']\nsimxen_used=0",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct vmdef first;
		char *written;
		size_t length;
		FILE *to = open_memstream(&written, &length);

		assert_true(parse(texts[i]));
		first = def;
		vmdef_write(&def, to);
		fclose(to);
		if (!parse(written))
			fail_msg("%s\n%s", error, written);
		assert_memory_equal(&first, &def, sizeof(def));
		free(written);
	}
}

static void
test_synthetic(void **state)
{
	struct vmdef made;

	(void)state;
	vmdef_make(&made, 1000, "127.7");
	assert_string_equal(made.name, "vm1000");
	assert_string_equal(made.address, "127.7.4.1");
	assert_int_equal(made.service_count, 2);
	vmdef_make(&made, 7, NULL);
	assert_string_equal(made.address, "");
	assert_int_equal(made.service_count, 0);
}

static void
test_files(void **state)
{
	char path[] = "/tmp/simxen-xlfile.XXXXXX", wanted[128];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "name = 'f'\n", 11), 11);
	assert_true(xlfile_read(&def, path, NULL, error));
	assert_string_equal(def.name, "f");
	assert_true(xlfile_read(&def, path, "name='g'", error));
	assert_string_equal(def.name, "g");
	assert_int_equal(ftruncate(fd, XLFILE_SIZE + 1), 0);
	assert_false(xlfile_read(&def, path, NULL, error));
	snprintf(wanted, sizeof(wanted), "%s: cannot read: File too large", path);
	assert_string_equal(error, wanted);
	close(fd);
	unlink(path);
	assert_false(xlfile_read(&def, path, NULL, error));
	snprintf(wanted, sizeof(wanted), "%s: cannot read: No such file or directory", path);
	assert_string_equal(error, wanted);
	assert_false(xlfile_read(&def, "/dev/null", NULL, error));
	assert_string_equal(error, "/dev/null: cannot read: no regular file");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_keys),
	    cmocka_unit_test(test_defaults_are_xls),
	    cmocka_unit_test(test_devices),
	    cmocka_unit_test(test_unknown_keys_are_skipped),
	    cmocka_unit_test(test_overrides),
	    cmocka_unit_test(test_errors_say_where),
	    cmocka_unit_test(test_too_much_is_refused),
	    cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_synthetic),
	    cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
