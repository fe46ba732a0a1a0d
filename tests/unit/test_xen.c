/* What the Xen driver reads of others' text: xenstore, sysfs, /proc, xl. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "hypervisor/xen_driver.h"

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t number;
	} cases[] = {
	    {"0", true, 0},
	    {"262144", true, 262144},
	    {"007", true, 7},
	    {"999999999999999", true, UINT64_C(999999999999999)},
	    {"1000000000000000", false, 0}, /* a digit too many */
	    {"18446744073709551616", false, 0},
	    {"", false, 0},
	    {"-1", false, 0},
	    {"+1", false, 0},
	    {" 1", false, 0},
	    {"1 ", false, 0},
	    {"1\n", false, 0},
	    {"0x10", false, 0},
	    {"12 kB", false, 0},
	    {"1e9", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t number = 4711;

		assert_int_equal(xen_parse_number(cases[i].text, &number), cases[i].ok);
		assert_int_equal(number, cases[i].number);
	}
}

static void
test_times(void **state)
{
	(void)state;
	assert_int_equal(xen_parse_time_ms("1795342162.93"), INT64_C(1795342162930));
	assert_int_equal(xen_parse_time_ms("1795342162.9"), INT64_C(1795342162900));
	assert_int_equal(xen_parse_time_ms("1795342162.123456789"), INT64_C(1795342162123));
	assert_int_equal(xen_parse_time_ms("1795342162"), INT64_C(1795342162000));
	assert_int_equal(xen_parse_time_ms("1795342162."), INT64_C(1795342162000));
	assert_int_equal(xen_parse_time_ms(""), 0);
	assert_int_equal(xen_parse_time_ms(".5"), 0);
	assert_int_equal(xen_parse_time_ms("-5"), 0);
	assert_int_equal(xen_parse_time_ms("5.5x"), 0);
	assert_int_equal(xen_parse_time_ms("yesterday"), 0);
}

static void
test_macs(void **state)
{
	static const uint8_t good[6] = {0x00, 0x16, 0x3e, 0x99, 0xab, 0x0b}, none[6];
	static const char *const bad[] = {"",
					  "00:16:3e:99:ab",
					  "00:16:3e:99:ab:0b:0c",
					  "00:16:3e:99:ab:0g",
					  "00:16:3e:99:ab:",
					  "001:6:3e:99:ab:0b",
					  "00-16-3e-99-ab-0b",
					  " 0:16:3e:99:ab:0b",
					  "00:16:3e:99:ab:-1",
					  "00:16:3e:99:ab:0b "};
	uint8_t mac[6];

	(void)state;
	assert_true(xen_parse_mac("00:16:3e:99:AB:0b", mac));
	assert_memory_equal(mac, good, 6);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memset(mac, 1, sizeof(mac));
		if (xen_parse_mac(bad[i], mac))
			fail_msg("taken for a MAC: '%s'", bad[i]);
		assert_memory_equal(mac, none, 6);
	}
}

static void
test_devices(void **state)
{
	static const char *const bad[] = {"",
					  "vbd",
					  "vbd-",
					  "vbd-1",
					  "vbd-1-",
					  "vbd-1-2-3",
					  "vbd-1-2x",
					  "vbd--2",
					  "-1-2",
					  "vbd-4294967296-1",
					  "vbd-1-4294967296",
					  "a-kind-1-2",
					  "averyveryverylongkind-1-2"};
	struct xen_device_name name;

	(void)state;
	assert_true(xen_parse_device("vbd-12-51712", &name));
	assert_string_equal(name.kind, "vbd");
	assert_int_equal(name.domid, 12);
	assert_int_equal(name.device, 51712);
	assert_true(xen_parse_device("qdisk-1-4294967295", &name));
	assert_int_equal(name.device, UINT32_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (xen_parse_device(bad[i], &name))
			fail_msg("taken for a device: '%s'", bad[i]);
}

static void
test_params(void **state)
{
	(void)state;
	assert_string_equal(xen_parse_params("/dev/vg/web1"), "/dev/vg/web1");
	assert_string_equal(xen_parse_params("aio:/var/lib/web1.img"), "/var/lib/web1.img");
	assert_string_equal(xen_parse_params("qcow2:/a:/b"), "/a:/b");
	assert_string_equal(xen_parse_params("nbd:unix:/run/x"), "nbd:unix:/run/x");
	assert_string_equal(xen_parse_params(":/x"), ":/x");
	assert_string_equal(xen_parse_params(""), "");
}

/* As xl 4.17 printed them. */
static void
test_complaints(void **state)
{
	static const struct {
		const char *output, *error;
	} cases[] = {
	    {"libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain 2:Domain with name "
	     "\"web1\" already exists.\n"
	     "libxl: error: libxl_create.c:1296:initiate_domain_create: Domain 2:cannot make "
	     "domain: -6\n",
	     "Domain with name \"web1\" already exists."},
	    {"xc: error: panic: xg_dom_core.c:374: xc_dom_do_gunzip: inflate failed (rc=-5): "
	     "Internal error\n"
	     "libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: "
	     "/etc/xen/scripts/vif-bridge online [266] exited with error status 1\n"
	     "libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: Could not "
	     "find bridge device nobr\n",
	     "script: Could not find bridge device nobr"},
	    {"xc: error: panic: xg_dom_core.c:205: failed to open file '/nokernel': No such file "
	     "or "
	     "directory: Internal error\n"
	     "libxl: error: libxl_dom.c:646:libxl__build_pv: xc_dom_kernel_file failed: No such "
	     "file or directory\n",
	     "failed to open file '/nokernel': No such file or directory"},
	    {"xc: error: panic: xg_dom_boot.c:119: xc_dom_boot_mem_init: can't allocate low memory "
	     "for domain: Out of memory\n",
	     "xc_dom_boot_mem_init: can't allocate low memory for domain: Out of memory"},
	    {"f.cfg:0: config parsing error near <newline>: syntax error, unexpected NEWLINE\n"
	     "Failed to parse config: Invalid argument\n",
	     "f.cfg:0: config parsing error near <newline>: syntax error, unexpected NEWLINE"},
	    {"\n  \nCan't open restore file: No such file or directory\n",
	     "Can't open restore file: No such file or directory"},
	    {"libxl: warning: libxl_x.c:1:f: Domain 3:odd\nlibxl: error: libxl_x.c:2:f: bad",
	     "bad"},
	    {"Saving to /save/x.part new xl format (info 0x3/0x0/1067)\n"
	     "xc: info: Saving domain 17, type x86 PV\n"
	     "xc: progress: Frames: 2048/32768    6%\n"
	     "xc: error: Failed to write page data to stream (28 = No space left on device): "
	     "Internal error\n"
	     "Failed to save domain, resuming domain\n",
	     "Failed to write page data to stream (28 = No space left on device)"},
	    {"Loading new save file /save/x (new xl fmt info 0x3/0x0/1067)\n"
	     " Savefile contains xl domain config in JSON format\n"
	     "Parsing config from <saved>\n"
	     "xc: error: Failed to read Record Header from stream (0 = Success): Internal error\n",
	     "Failed to read Record Header from stream (0 = Success)"},
	    {"a line\x1b[31m with \x01 controls", "a line?[31m with ? controls"},
	    {"libxl: error: ", ""},
	    {"", ""},
	    {"\n\n", ""},
	};
	char error[TEXT_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		xen_parse_complaint(cases[i].output, error);
		assert_string_equal(error, cases[i].error);
	}
}

static void
test_long_complaint(void **state)
{
	char output[4096], error[TEXT_SIZE];

	(void)state;
	memset(output, 'x', sizeof(output));
	output[sizeof(output) - 1] = '\0';
	xen_parse_complaint(output, error);
	assert_int_equal(strlen(error), TEXT_SIZE - 1);
}

static void
test_monitor_log(void **state)
{
	static const char log[] = "Waiting for domain web1 (domid 1) to die [pid 158]\n"
				  "Domain 1 has shut down, reason code 1 0x1\n"
				  "Action for shutdown reason code 1 is restart\n"
				  "Domain 1 needs to be cleaned up: destroying the domain\n"
				  "Done. Rebooting now\n"
				  "Waiting for domain web1 (domid 7) to die [pid 158]\n"
				  "Waiting for domain web1 (domid 9) to die [pid 999]\n";

	(void)state;
	assert_int_equal(xen_parse_waiting(log, 158), 7);
	assert_int_equal(xen_parse_waiting(log, 999), 9);
	assert_int_equal(xen_parse_waiting(log, 15), 0);
	assert_int_equal(xen_parse_waiting("", 158), 0);
	/* a VM with an odd name */
	assert_int_equal(xen_parse_waiting("Waiting for domain (domid 3) to die [pid 4] (domid 5) "
					   "to die [pid 158]\n",
					   158),
			 5);
	assert_int_equal(xen_parse_waiting("(domid 5) to die [pid 158", 158), 0);
}

static void
test_log_names(void **state)
{
	static const char *const bad[] = {"",
					  "/dev/null",
					  "/dev/pts/0",
					  "pipe:[11432]",
					  "xl-a.log",
					  "/var/log/xen/xl-.log",
					  "/var/log/xen/xl-web1",
					  "/var/log/xen/xl-web1.logs",
					  "/var/log/xen/qemu-dm-web1.log"};
	char name[VM_NAME_SIZE], path[256];

	(void)state;
	assert_true(xen_parse_log_name("/var/log/xen/xl-web1.log", name));
	assert_string_equal(name, "web1");
	assert_true(xen_parse_log_name("/var/log/xen/xl-web1.log.3", name));
	assert_string_equal(name, "web1");
	assert_true(xen_parse_log_name("/var/log/xen/xl-a.log.b.log.1", name));
	assert_string_equal(name, "a.log.b");
	assert_true(xen_parse_log_name("/var/log/xen/xl-web1.log (deleted)", name));
	assert_string_equal(name, "web1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (xen_parse_log_name(bad[i], name))
			fail_msg("taken for a log: '%s'", bad[i]);
	snprintf(path, sizeof(path), "/xl-%0*d.log", VM_NAME_SIZE, 1);
	assert_false(xen_parse_log_name(path, name));
}

static void
test_interfaces(void **state)
{
	struct xen_interface found;

	(void)state;
	assert_false(xen_parse_interface(
	    "Inter-|   Receive                                                |  Transmit\n",
	    &found));
	assert_false(xen_parse_interface(" face |bytes    packets errs drop fifo frame compressed "
					 "multicast|bytes    packets errs\n",
					 &found));
	assert_true(xen_parse_interface("vif1.0:    1364      24    1    2    0     0          0   "
					"      0     3258      51    3 "
					"   4    0     0       0          0\n",
					&found));
	assert_string_equal(found.name, "vif1.0");
	assert_int_equal(found.received.octets, 1364);
	assert_int_equal(found.received.packets, 24);
	assert_int_equal(found.received.errors, 1);
	assert_int_equal(found.received.drops, 2);
	assert_int_equal(found.sent.octets, 3258);
	assert_int_equal(found.sent.packets, 51);
	assert_int_equal(found.sent.errors, 3);
	assert_int_equal(found.sent.drops, 4);
	assert_true(xen_parse_interface("  eth0:18446744073709551615 1 0 0 0 0 0 0 5 6 7 8 0 0 0 0",
					&found));
	assert_string_equal(found.name, "eth0");
	assert_int_equal(found.received.octets, UINT64_MAX);
	assert_false(xen_parse_interface("eth0: 1 2 3", &found));
	assert_false(xen_parse_interface("", &found));
	assert_false(xen_parse_interface(":", &found));
	assert_false(xen_parse_interface(
	    "aninterfacewithanameofmanyoctets: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", &found));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),	cmocka_unit_test(test_times),
	    cmocka_unit_test(test_macs),	cmocka_unit_test(test_devices),
	    cmocka_unit_test(test_complaints),	cmocka_unit_test(test_long_complaint),
	    cmocka_unit_test(test_monitor_log), cmocka_unit_test(test_log_names),
	    cmocka_unit_test(test_interfaces),	cmocka_unit_test(test_params),
	};

	return cmocka_run_group_tests_name("xen", tests, NULL, NULL);
}
