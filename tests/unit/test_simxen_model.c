/* simxen's model on a virtual clock: it does what Xen does towards a toolstack, and a run with the
 * same seed and the same commands is the same run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tools/simxen/figures.h"
#include "tools/simxen/history.h"
#include "tools/simxen/host.h"
#include "tools/simxen/xlfile.h"

static struct model *m;
static unsigned changes[CHANGE_GUEST + 1];
static struct ops ops;

static void
changed(void *arg, struct domain *d, enum model_change change)
{
	(void)arg;
	changes[change]++;
	ops_domain_changed(&ops, d, change);
}

static int
setup(void **state)
{
	struct model_config config = model_defaults;

	(void)state;
	config.memory_mib = 4096;
	config.dom0_mib = 1024;
	memset(changes, 0, sizeof(changes));
	m = model_new(&config, changed, NULL);
	ops = (struct ops){.model = m};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	ops_dispose(&ops);
	model_free(m);
	return 0;
}

/* Boots in 1 s, shuts down in 0.5 s, serves tcp:80. */
static struct vmdef
definition(const char *name)
{
	struct vmdef def;

	vmdef_make(&def, 1, "127.1");
	TEXT_SET(def.name, name);
	def.boot_ms = 1000;
	def.shutdown_ms = 500;
	return def;
}

static struct domain *
start_as(const struct vmdef *def, bool monitor)
{
	struct domain *d = model_build(m, def, monitor, false);

	assert_non_null(d);
	model_start(d);
	return d;
}

static struct domain *
start(const char *name, bool monitor)
{
	struct vmdef def = definition(name);

	return start_as(&def, monitor);
}

static void
pass(int64_t ms)
{
	model_advance(m, m->now_ms + ms);
}

static void
test_life_without_monitor(void **state)
{
	struct domain *d;

	(void)state;
	assert_int_equal(m->domains[0]->domid, 0);
	d = start("www", false);
	assert_int_equal(d->domid, 1);
	assert_int_equal(model_service(d, 0), PORT_CLOSED);
	pass(1000);
	assert_int_equal(d->guest, GUEST_UP);
	assert_int_equal(model_service(d, 0), PORT_SERVING);
	assert_true(model_request(d, REASON_POWEROFF));
	assert_true(d->control_seen);
	assert_int_equal(model_service(d, 0), PORT_CLOSED);
	pass(499);
	assert_int_equal(d->phase, PHASE_LIVE);
	pass(1);
	assert_int_equal(d->phase, PHASE_SHUTDOWN);
	assert_int_equal(d->reason, REASON_POWEROFF);
	pass(3600000); /* stays until somebody destroys it */
	assert_ptr_equal(model_find(m, "www"), d);
	assert_true(model_destroy(d));
	assert_false(model_destroy(d));
	assert_int_equal(d->phase, PHASE_DYING);
	pass(100);
	assert_null(model_find(m, "www"));
	assert_int_equal(m->domain_count, 1);
	assert_int_equal(changes[CHANGE_GONE], 1);
	assert_int_equal(start("www", false)->domid, 2); /* domids only rise */
}

/* What on_* says is done 1 to 2 s after the end, by the monitor. */
static void
test_monitor(void **state)
{
	static const struct {
		enum on_action action;
		unsigned left, live; /* domains of any name; of the VM's */
	} cases[] = {
	    {ON_DESTROY, 1, 0},		 {ON_RESTART, 2, 1},	{ON_PRESERVE, 2, 0},
	    {ON_RENAME_RESTART, 3, 1},	 {ON_SOFT_RESET, 2, 1}, {ON_COREDUMP_RESTART, 2, 1},
	    {ON_COREDUMP_DESTROY, 1, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct vmdef def = definition("www");
		struct domain *d;

		def.on_crash = cases[i].action;
		d = start_as(&def, true);
		pass(2000);
		assert_true(model_crash(d));
		pass(900);
		assert_int_equal(d->phase, PHASE_SHUTDOWN);
		pass(2000);
		assert_int_equal(m->domain_count, cases[i].left);
		d = model_find(m, "www");
		assert_int_equal(d && d->phase == PHASE_LIVE, cases[i].live);
		if (d && cases[i].live)
			assert_true(d->monitor && strcmp(d->def.uuid, def.uuid) == 0);
		teardown(state);
		setup(state);
	}
}

static void
test_pauses_nest(void **state)
{
	struct domain *d = start("www", false);

	(void)state;
	pass(400);
	assert_false(model_unpause(d));
	assert_string_equal(m->error, "www: the domain is not paused");
	assert_true(model_pause(d));
	assert_true(model_pause(d));
	assert_int_equal(model_service(d, 0), PORT_SILENT);
	pass(60000); /* the guest's clock stands */
	assert_true(model_unpause(d));
	assert_false(domain_active(d));
	assert_true(model_unpause(d));
	assert_true(domain_active(d));
	assert_int_equal(domain_active_ms(d), 400);
	pass(599);
	assert_int_equal(d->guest, GUEST_BOOTING);
	pass(1);
	assert_int_equal(d->guest, GUEST_UP);
}

static void
test_memory(void **state)
{
	struct domain *d = start("www", false);
	uint64_t before = model_free_kib(m);

	(void)state;
	assert_int_equal(before, (4096 - 1024 - 256) * 1024);
	assert_false(model_set_memory(d, 513)); /* over maxmem */
	assert_int_equal(d->target_kib, 256 * 1024);
	assert_true(model_set_memory(d, 512));
	pass(50);
	assert_in_range(domain_memory_kib(d), 257 * 1024, 511 * 1024);
	pass(500);
	assert_int_equal(domain_memory_kib(d), 512 * 1024);
	assert_int_equal(model_free_kib(m), before - 256 * 1024);
	m->memory_full = true;
	assert_int_equal(model_free_kib(m), 0);
	m->memory_full = false;
	assert_true(model_set_memory(d, 8)); /* accepted, and kills the guest */
	pass(2000);
	assert_int_equal(d->reason, REASON_CRASH);
}

static void
test_create_is_refused(void **state)
{
	struct vmdef def = definition("www");

	(void)state;
	start_as(&def, false);
	assert_null(model_build(m, &def, false, false));
	assert_string_equal(m->error, "www: the name is in use by domain 1");
	TEXT_SET(def.name, "other"); /* the same UUID is no reason */
	assert_non_null(model_build(m, &def, false, false));
	TEXT_SET(def.name, "large");
	def.memory_mib = def.maxmem_mib = 4000;
	assert_null(model_build(m, &def, false, false));
	assert_string_equal(m->error, "large: not enough memory: 4000 MiB needed, the host has "
				      "2560 MiB free");
	assert_int_equal(m->domain_count, 3);
	assert_false(model_destroy(m->domains[0]));
}

static void
test_faults_of_guests(void **state)
{
	struct vmdef_service web = {.port = 80}, dns = {.udp = true, .port = 53};
	struct domain *d = start("www", false);

	(void)state;
	pass(1000);
	assert_true(model_set_fault(d, &web, FAULT_HANG, false));
	assert_int_equal(model_service(d, 0), PORT_SILENT);
	assert_true(model_set_fault(d, &web, FAULT_STOP, true));
	assert_int_equal(model_service(d, 0), PORT_CLOSED);
	assert_false(model_set_fault(d, &dns, FAULT_STOP, false));
	assert_true(model_panic(d, 1000));
	assert_int_equal(model_service(d, 0), PORT_CLOSED);
	assert_false(model_guest_end(d, REASON_POWEROFF));
	assert_true(model_request(d, REASON_POWEROFF));
	assert_false(d->control_seen); /* nobody there to take it */
	pass(1000);
	assert_int_equal(d->reason, REASON_CRASH);
	model_destroy(d);
	pass(1000);
	d = start("www", false);
	pass(1000);
	assert_int_equal(model_service(d, 0), PORT_CLOSED); /* it lasts */
	assert_true(model_set_fault(d, &web, FAULT_NONE, false));
	assert_int_equal(model_service(d, 0), PORT_SERVING);
	assert_true(model_guest_end(d, REASON_REBOOT));
	pass(500);
	assert_int_equal(d->reason, REASON_REBOOT);
	assert_false(model_crash(d));
}

static void
test_figures(void **state)
{
	struct domain *d = start("www", false);
	struct figures_vif vif, old_vif = {0};
	struct figures_vbd vbd, old_vbd = {0};
	char total[32], left[32];
	uint64_t cpu_ns = 0;
	bool flipped[2] = {false, false};

	(void)state;
	assert_false(figures_meminfo(d, total, left));
	for (int i = 0; i < 3000; i++) {
		pass(100);
		figures_vif(d, 0, &vif);
		figures_vbd(d, 0, &vbd);
		assert_true(figures_vcpu_ns(d, 0) >= cpu_ns);
		assert_true(figures_vcpu_ns(d, 0) - cpu_ns <= 100000000);
		assert_true(vif.rx_octets >= old_vif.rx_octets);
		assert_true(vif.tx_packets >= old_vif.tx_packets);
		assert_true(vbd.read_octets >= old_vbd.read_octets);
		assert_true(vbd.write_requests >= old_vbd.write_requests);
		flipped[figures_vcpu_running(d, 0)] = true;
		cpu_ns = figures_vcpu_ns(d, 0);
		old_vif = vif;
		old_vbd = vbd;
	}
	assert_true(cpu_ns > 0 && vif.rx_octets > 0 && vif.tx_octets > 0 && vbd.read_requests > 0);
	assert_true(flipped[0] && flipped[1]);
	figures_set_load(d, 100);
	assert_int_equal(figures_vcpu_ns(d, 0), cpu_ns);
	pass(10000);
	assert_int_equal(figures_vcpu_ns(d, 0), cpu_ns + UINT64_C(10000000000));
	assert_true(figures_meminfo(d, total, left));
	assert_in_range(atoi(left), 1, atoi(total) - 1);
	model_pause(d);
	cpu_ns = figures_vcpu_ns(d, 0);
	pass(10000);
	assert_int_equal(figures_vcpu_ns(d, 0), cpu_ns);
}

static struct op_result last;
static unsigned ended;

static void
done(void *arg, const struct op_result *result)
{
	(void)arg;
	last = *result;
	ended++;
}

static struct op *
act(enum verb verb, uint32_t domid, const char *path)
{
	struct op_request request = {.verb = verb, .domid = domid, .path = path};

	ended = 0;
	return ops_start(&ops, &request, done, NULL);
}

static void
test_actions(void **state)
{
	char path[] = "/tmp/simxen-model.XXXXXX";
	int fd = mkstemp(path);
	struct domain *d = start("www", false);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	pass(2000);
	act(VERB_PAUSE, 1, NULL);
	assert_int_equal(ended, 0); /* never at once */
	pass(100);
	assert_int_equal(ended, 1);
	assert_int_equal(d->pauses, 1);
	act(VERB_SHUTDOWN, 1, NULL); /* waits for the guest */
	pass(59000);
	assert_int_equal(ended, 0);
	pass(1100);
	assert_int_equal(ended, 1);
	assert_int_equal(last.failed, 3);
	model_unpause(d);
	pass(5000);
	assert_int_equal(d->phase, PHASE_LIVE); /* the request was taken back */
	ops.disk_full = true;
	act(VERB_SAVE, 1, path);
	pass(1000);
	assert_int_equal(last.failed, 3);
	assert_int_equal(d->phase, PHASE_LIVE);
	ops.disk_full = false;
	act(VERB_SAVE, 1, path);
	pass(10);
	assert_int_equal(d->reason, REASON_SUSPEND);
	pass(1000);
	assert_int_equal(last.failed, 0);
	assert_int_equal(m->domain_count, 1);
	act(VERB_START, 0, path); /* no xl file */
	pass(1000);
	assert_int_equal(last.failed, 1);
	act(VERB_RESTORE, 0, path);
	pass(1000);
	assert_int_equal(last.failed, 0);
	assert_int_equal(last.domid, 2);
	assert_int_equal(model_find(m, "www")->guest, GUEST_UP);
	act(VERB_DESTROY, 7, NULL);
	pass(1000);
	assert_int_equal(last.failed, 1);
	unlink(path);
}

/* A killed toolstack leaves what a killed xl leaves. */
static void
test_abandoned_actions(void **state)
{
	char path[] = "/tmp/simxen-model.XXXXXX", error[XLFILE_ERROR];
	int fd = mkstemp(path);
	struct vmdef def;
	FILE *to = fdopen(fd, "w");
	struct domain *d;

	(void)state;
	fprintf(to, "name = 'half'\n");
	fclose(to);
	ops_abandon(act(VERB_START, 0, path));
	pass(60000);
	d = model_find(m, "half");
	assert_int_equal(d->phase, PHASE_BUILDING);
	assert_int_equal(d->pauses, 1);
	assert_int_equal(figures_vcpu_ns(d, 0), 0);
	assert_true(model_destroy(d));
	d = start("www", false);
	pass(2000);
	ops_abandon(act(VERB_SAVE, d->domid, path));
	pass(60000);
	assert_int_equal(d->reason, REASON_SUSPEND);
	assert_false(xlfile_read(&def, path, NULL, error));
	model_resume(d);
	assert_true(domain_active(d));
	unlink(path);
}

static void
test_injections(void **state)
{
	struct injection slow = {.kind = INJECT_SLOW, .delay_ms = 5000, .verb = VERB_PAUSE};
	struct injection fail = {
	    .kind = INJECT_FAIL, .verb = VERB_NONE, .left = 1, .text = "no luck", .vm = "www"};
	struct injection never = {.kind = INJECT_NEVER, .verb = VERB_DESTROY};
	struct domain *d = start("www", false);

	(void)state;
	inject_add(&ops.inject, &slow);
	act(VERB_PAUSE, 1, NULL);
	pass(5000);
	assert_int_equal(ended, 0);
	pass(100);
	assert_int_equal(ended, 1);
	inject_add(&ops.inject, &fail);
	act(VERB_UNPAUSE, 1, NULL);
	pass(100);
	assert_int_equal(last.failed, 3);
	assert_string_equal(last.text, "no luck");
	assert_int_equal(d->pauses, 1);
	act(VERB_UNPAUSE, 1, NULL); /* only once */
	pass(100);
	assert_int_equal(last.failed, 0);
	inject_add(&ops.inject, &never);
	act(VERB_DESTROY, 1, NULL);
	pass(86400000);
	assert_int_equal(ended, 0);
	assert_int_equal(d->phase, PHASE_LIVE);
	inject_remove(&ops.inject, INJECT_NEVER, VERB_NONE, "");
	inject_remove(&ops.inject, INJECT_SLOW, VERB_PAUSE, "");
	assert_int_equal(ops.inject.count, 0);
}

/* The history of three VMs and a script over two minutes, as text. */
static char *
history(uint64_t seed)
{
	static const char script[] = "1000 pause vm0001\n2500 crash vm0002 # a comment\n"
				     "4000 unpause vm0001\n5000 mem vm0003 400\n"
				     "9000 shutdown vm0003\n9100 nonsense\n60000 destroy vm0003\n";
	char path[] = "/tmp/simxen-script.XXXXXX", *text;
	struct model_config config = model_defaults;
	struct host host;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	int fd = mkstemp(path);

	assert_int_equal(write(fd, script, sizeof(script) - 1), sizeof(script) - 1);
	close(fd);
	config.seed = seed;
	host_init(&host, &config);
	for (unsigned n = 1; n <= 3; n++) {
		struct vmdef def;

		vmdef_make(&def, n, NULL);
		def.on_crash = ON_RESTART;
		assert_true(host_preset(&host, &def, true, n == 1));
	}
	assert_int_equal(history_run(&host, 120, path, out), 0);
	host_dispose(&host);
	fclose(out);
	unlink(path);
	return text;
}

static void
test_history_is_a_function_of_the_seed(void **state)
{
	char *one = history(1), *again = history(1), *two = history(2);

	(void)state;
	assert_true(strlen(one) > 10000);
	assert_string_equal(one, again);
	assert_string_not_equal(one, two);
	assert_non_null(strstr(one, "command ended 2 nonsense: no such command"));
	free(one);
	free(again);
	free(two);
}

/* Random commands: nothing breaks, the domains stay in order, the memory adds up. */
static void
test_random_commands(void **state)
{
	uint64_t random = 7;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct vmdef def;
		struct domain *d;

		random = model_hash(random, 1);
		d = m->domains[(random >> 8) % m->domain_count];
		vmdef_make(&def, 1 + (unsigned)(random >> 40) % 12, "127.1");
		def.on_crash = random & 64 ? ON_RESTART : ON_DESTROY;
		switch (random % 12) {
		case 0:
		case 1:
			if ((d = model_build(m, &def, random & 128, false)) && random & 256)
				model_start(d);
			break;
		case 2:
			model_pause(d);
			break;
		case 3:
		case 4:
			model_unpause(d);
			break;
		case 5:
			model_destroy(d);
			break;
		case 6:
			model_request(d, random & 512 ? REASON_REBOOT : REASON_POWEROFF);
			break;
		case 7:
			model_crash(d);
			break;
		case 8:
			model_panic(d, random & 512 ? 700 : -1);
			break;
		case 9:
			model_set_memory(d, random >> 50);
			break;
		case 10:
			if (model_can_suspend(d))
				model_suspend(d);
			break;
		default:
			model_resume(d);
		}
		pass((int64_t)(random >> 20) % 400);
		for (size_t k = 1; k < m->domain_count; k++)
			assert_true(m->domains[k - 1]->domid < m->domains[k]->domid);
		assert_int_equal(m->domains[0]->domid, 0);
		assert_true(domain_active(m->domains[0]));
		assert_true(model_free_kib(m) <= 3072 * 1024);
	}
	assert_true(changes[CHANGE_GONE] > 100);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_life_without_monitor, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_monitor, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_pauses_nest, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_memory, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_create_is_refused, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_faults_of_guests, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_figures, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_actions, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_abandoned_actions, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_injections, setup, teardown),
	    cmocka_unit_test(test_history_is_a_function_of_the_seed),
	    cmocka_unit_test_setup_teardown(test_random_commands, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
