/* vmctl's parts that ask nobody: targets, keys and values, tables, the graph. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "tests/system/rows.h"
#include "tools/vmctl/graph.h"
#include "tools/vmctl/lib/internal.h"
#include "tools/vmctl/vmctl.h"

static struct context context;
static char *text;
static size_t text_size;
static FILE *real_out, *real_err;

/* What is printed from here on. */
static void
listen_out(FILE **stream)
{
	fflush(*stream);
	*stream = open_memstream(&text, &text_size);
}

static const char *
heard(FILE **stream, FILE *real)
{
	static char kept[65536];

	fclose(*stream);
	*stream = real;
	snprintf(kept, sizeof(kept), "%s", text);
	free(text);
	return kept;
}

static struct vmctl_host *
add_host(const char *name, const char *own_name)
{
	char error[VMCTL_ERROR_SIZE];
	struct vmctl_host *host = vmctl_host_add(context.vmctl, name, "127.0.0.1:1", NULL, error);
	struct mib_host row = {.absent = 0};

	TEXT_SET(row.name, own_name);
	host->rows[KIND_HOST].fields = ~UINT64_C(0);
	rows_add(&host->rows[KIND_HOST], KIND_HOST, &row);
	host->status = VMCTL_ANSWERS;
	return host;
}

static void
add_vm(struct vmctl_host *host, uint32_t index, const char *name, const char *group, int state)
{
	struct rows *rows = &host->rows[KIND_VM];
	struct mib_vm vm;

	make_vm(index, state, INT64_C(1700000000000), &vm);
	TEXT_SET(vm.name, name);
	TEXT_SET(vm.group, group);
	vm.uuid[0] = (uint8_t)name[0];
	vm.uuid[1] = (uint8_t)name[1];
	rows->fields = ~UINT64_C(0);
	rows->wall_ms = clock_wall_ms();
	rows->mono_ms = clock_mono_ms();
	rows_add(rows, KIND_VM, &vm);
}

/* vm 0: external, on `where` where that is not "". */
static void
add_service(struct vmctl_host *host, uint32_t index, const char *provider, uint32_t vm,
	    const char *where)
{
	struct mib_service service = {.index = index, .vm = vm, .state = SERVICE_UP};

	TEXT_SET(service.provider, provider);
	TEXT_SET(service.name, "80/tcp");
	TEXT_SET(service.host, where);
	host->rows[KIND_SERVICE].fields = ~UINT64_C(0);
	rows_add(&host->rows[KIND_SERVICE], KIND_SERVICE, &service);
}

static void
add_need(struct vmctl_host *host, uint32_t vm, uint32_t service, const char *provider)
{
	struct mib_dependency need = {.vm = vm, .service = service, .state = DEPENDENCY_OK};

	TEXT_SET(need.provider, provider);
	TEXT_SET(need.service_name, "80/tcp");
	host->rows[KIND_DEPENDENCY].fields = ~UINT64_C(0);
	rows_add(&host->rows[KIND_DEPENDENCY], KIND_DEPENDENCY, &need);
}

static int
setup(void **state)
{
	struct vmctl_host *a, *b;

	(void)state;
	real_out = stdout;
	real_err = stderr;
	memset(&context, 0, sizeof(context));
	context.command = "test";
	context.vmctl = vmctl_new(NULL);
	a = add_host("a", "dom0-a");
	b = add_host("b", "dom0-b");
	a->groups = mem_array(1, sizeof(char *));
	a->groups[a->groups_count++] = mem_string("site");
	add_vm(a, 1, "www", "front", VM_RUNNING);
	add_vm(a, 2, "db", "back", VM_PAUSED);
	add_vm(b, 1, "mail", "front", VM_RUNNING);
	add_vm(b, 2, "www", "front", VM_SHUTDOWN);
	return fleet_choose(&context) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	vmctl_free(context.vmctl);
	free(context.hosts);
	return 0;
}

/* Names that match, as "name@host ...". */
static const char *
matches(const char *words)
{
	static char found[256];
	char *copy = mem_string(words), *save = NULL, *list[8];
	struct targets *targets;
	struct vm_list vms;
	int count = 0;

	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		list[count++] = word;
	targets = targets_new(&context, list, count, count == 0);
	found[0] = 0;
	if (targets) {
		vms_collect(&context, targets, &vms);
		for (size_t i = 0; i < vms.count; i++)
			snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s@%s",
				 i ? " " : "", vms_name(&vms, i),
				 vmctl_host_name(vms.list[i].host));
		vms_free(&vms);
	} else {
		snprintf(found, sizeof(found), "refused");
	}
	targets_free(targets);
	free(copy);
	return found;
}

static void
test_targets(void **state)
{
	static const struct {
		const char *words, *found;
	} cases[] = {
	    {"", "db@a mail@b www@a www@b"},
	    {"db", "db@a"},
	    {"www", "www@a www@b"},
	    {"www@b", "www@b"},
	    {"www@site", "www@a"},
	    {"@b", "mail@b www@b"},
	    {"w*", "www@a www@b"},
	    {"?b [m]ail", "db@a mail@b"},
	    {"group:front", "mail@b www@a www@b"},
	    {"group:f*,state:running", "mail@b www@a"},
	    {"host:b,www", "www@b"},
	    {"host:site", "db@a www@a"},
	    {"state:paused", "db@a"},
	    {"health:ok", "db@a mail@b www@a www@b"},
	    {"db mail", "db@a mail@b"},
	    {"6462222222222222-2222", ""},
	    {"64622222-2222-2222-2222-222222220002", "db@a"},
	    {"nix", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(matches(cases[i].words), cases[i].found);
	listen_out(&stderr);
	assert_string_equal(matches("state:frob"), "refused");
	assert_non_null(strstr(heard(&stderr, real_err), "\"frob\" is none of: unknown"));
	listen_out(&stderr);
	assert_string_equal(matches("group:"), "refused");
	assert_string_equal(matches(","), "refused");
	heard(&stderr, real_err);
}

static const char *
complaints(const char *word, bool missing, bool twice, size_t count)
{
	char *copy = mem_string(word);
	struct targets *targets = targets_new(&context, &copy, 1, false);
	struct vm_list vms;

	vms_collect(&context, targets, &vms);
	listen_out(&stderr);
	assert_int_equal(targets_complain(targets, missing, twice), count);
	targets_free(targets);
	vms_free(&vms);
	free(copy);
	return heard(&stderr, real_err);
}

/* A name is one VM: what is on two hosts is never guessed. */
static void
test_complaints(void **state)
{
	(void)state;
	assert_string_equal(complaints("db", false, true, 0), "");
	assert_non_null(strstr(complaints("www", false, true, 1), "is on a and on b"));
	assert_string_equal(complaints("www", false, false, 0), "");
	assert_string_equal(complaints("www@a", false, true, 0), "");
	assert_string_equal(complaints("w*", false, true, 0), "");
	assert_string_equal(complaints("nix", false, true, 1), "vmctl: nix: no such VM\n");
	assert_non_null(strstr(complaints("nix", true, true, 1), "may be on another"));
}

static void
test_keys(void **state)
{
	static const struct {
		const char *table, *column, *key;
	} keys[] = {{"lxVmTable", "lxVmMemoryUsed", "memoryUsed"},
		    {"lxVmTable", "lxVmName", "name"},
		    {"lxVmControlTable", "lxVmRequest", "request"},
		    {"lxHost", "lxHostVmsRunning", "vmsRunning"},
		    {"lxAgent", "lxAgentJournalId", "journalId"},
		    {"lxEventTable", "lxEventText", "text"},
		    {"lxEventTable", "lxEventType", "type"},
		    {"lxStorageTable", "lxStorageSize", "size"},
		    {"lxServiceTable", "lxServiceState", "state"},
		    {"lxRequiredByTable", "lxRequiredByVm", "vm"},
		    {"lxVmPolicyTable", "lxVmPolicyDesired", "desired"}};
	char key[40];

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		column_key(&(struct mib_table){.name = keys[i].table},
			   &(struct mib_column){.name = keys[i].column}, key);
		assert_string_equal(key, keys[i].key);
	}
}

static const char *
printed(const char *columns, enum output_format format, struct item *item)
{
	static const enum mib_kind kinds[] = {KIND_VM, 0};
	struct fields fields;
	struct output *output;

	context.options.format = format;
	assert_true(fields_choose(&context, columns, kinds, NULL, &fields));
	listen_out(&stdout);
	output = output_begin(&context, "vms", &fields);
	output_item(output, item);
	output_end(output);
	fields_free(&fields);
	context.options.format = OUTPUT_TEXT;
	return heard(&stdout, real_out);
}

static void
test_output(void **state)
{
	struct mib_vm vm;
	struct item item = {.host = context.hosts[0], .rows = {[KIND_VM] = &vm}};

	(void)state;
	make_vm(7, VM_RUNNING, INT64_C(1700000000100), &vm);
	vm.memory_used_time = clock_mono_ms() - 61000;
	MIB_ABSENT(mib_vm, &vm, memory_used_mib, true);
	TEXT_SET(vm.change_reason, "a \"word\", and\\");
	assert_string_equal(
	    printed("name,host,state,cpuUsed=CPU,memory,memoryUsed", OUTPUT_TEXT, &item),
	    "NAME  HOST  STATE      CPU  MEMORY  MEMORY USED\n"
	    "vm7   a     running  12.3%    512M            ?\n");
	assert_string_equal(
	    printed("name,cpuUsed,memoryUsed,configured,lastChange,uuid,lastChangeReason",
		    OUTPUT_JSON, &item),
	    "{\"vms\": [\n"
	    "  {\"name\": \"vm7\", \"cpuUsed\": 1234, \"memoryUsed\": null, \"configured\": true, "
	    "\"lastChange\": \"2023-11-14T22:13:20.1Z\", \"uuid\": "
	    "\"22222222-2222-2222-2222-222222220007\", \"lastChangeReason\": \"a \\\"word\\\", "
	    "and\\\\\"}],\n \"silent\": []}\n");
	assert_string_equal(
	    printed("name,memoryUsed,lastChangeReason,memoryUsedAge", OUTPUT_CSV, &item),
	    "name,memoryUsed,lastChangeReason,memoryUsedAge\n"
	    "vm7,,\"a \"\"word\"\", and\\\",61\n");
	context.options.no_header = true;
	assert_string_equal(printed("name", OUTPUT_TEXT, &item), "vm7\n");
	context.options.no_header = false;
	item.rows[KIND_VM] = NULL;
	assert_string_equal(printed("name,stale", OUTPUT_CSV, &item), "name,stale\n,false\n");
}

static void
test_unknown_column(void **state)
{
	static const enum mib_kind kinds[] = {KIND_VM, 0};
	struct fields fields;
	const char *said;

	(void)state;
	listen_out(&stderr);
	assert_false(fields_choose(&context, "name,frob", kinds, NULL, &fields));
	said = heard(&stderr, real_err);
	assert_non_null(strstr(said, "there is no column frob; there are: host, "));
	assert_non_null(strstr(said, "memoryUsed"));
}

/* All keys at once: each once, each with a value or null. */
static void
test_all_fields(void **state)
{
	static const enum mib_kind kinds[] = {KIND_HOST, KIND_AGENT, 0};
	struct fields fields;

	(void)state;
	assert_true(fields_choose(&context, "all", kinds, NULL, &fields));
	for (size_t i = 0; i < fields.count; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(fields.list[i].key, fields.list[j].key);
	assert_true(fields.count > 35);
	fields_free(&fields);
}

static void
test_durations(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} cases[] = {{-5, "0s"},	 {0, "0s"},	    {99999, "99s"},
		     {100000, "1m"},	 {5999000, "99m"},  {6000000, "1h"},
		     {172799000, "47h"}, {172800000, "2d"}, {8640000000, "100d"}};
	char duration[32];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		duration_text(cases[i].ms, duration, sizeof(duration));
		assert_string_equal(duration, cases[i].text);
	}
}

/* ---- the graph ---- */

static size_t
node_of(const struct graph *graph, const char *name)
{
	char found[2 * VM_NAME_SIZE];

	for (size_t i = 0; i < graph->nodes_count; i++) {
		node_text(&graph->nodes[i], found, sizeof(found));
		if (strcmp(found, name) == 0)
			return i;
	}
	fail_msg("no node %s", name);
	return 0;
}

static bool
needs(const struct graph *graph, const char *dependent, const char *provider)
{
	size_t from = node_of(graph, dependent), to = node_of(graph, provider);

	for (size_t e = graph->nodes[from].needs; e != GRAPH_NONE; e = graph->edges[e].next_needs)
		if (graph->edges[e].provider == to)
			return true;
	return false;
}

/* www@a needs db@a, mail on the host that calls itself dom0-b, an ntp of no host, and a VM that its
 * host does not have. */
static void
test_graph(void **state)
{
	struct vmctl_host *a = context.hosts[0];
	struct graph graph;

	(void)state;
	add_service(a, 1, "db", 2, "");
	add_service(a, 2, "mail", 0, "dom0-b");
	add_service(a, 3, "ntp", 0, "");
	add_service(a, 4, "gone", 0, "b");
	for (uint32_t service = 1; service <= 4; service++)
		add_need(a, 1, service, "?");
	graph_build(&context, &graph);
	assert_true(needs(&graph, "www@a", "db@a"));
	assert_true(needs(&graph, "www@a", "mail@b"));
	assert_true(needs(&graph, "www@a", "ntp"));
	assert_true(needs(&graph, "www@a", "gone@b"));
	assert_int_equal(graph.nodes[node_of(&graph, "www@a")].wave, 2);
	assert_int_equal(graph.nodes[node_of(&graph, "mail@b")].wave, 1);
	listen_out(&stderr);
	assert_int_equal(graph_say_cycles(&graph, stderr), 0);
	assert_int_equal(graph_say_twice(&graph, stderr), 1);
	assert_non_null(
	    strstr(heard(&stderr, real_err), "www is on a (running), and www on b (shutdown)"));
	graph_free(&graph);
}

/* The provider's host, where two hosts call themselves the same: the one that has the VM, if it is
 * only one. */
static void
test_graph_hosts_of_one_name(void **state)
{
	struct vmctl_host *a = context.hosts[0], *c = add_host("c", "dom0-b");
	struct graph graph;

	(void)state;
	free(context.hosts);
	context.hosts_count = 0;
	assert_true(fleet_choose(&context));
	add_vm(c, 1, "db", "back", VM_RUNNING);
	add_service(a, 1, "mail", 0, "dom0-b");
	add_service(a, 2, "db", 0, "dom0-b");
	add_need(a, 1, 1, "?");
	add_need(a, 1, 2, "?");
	graph_build(&context, &graph);
	assert_true(needs(&graph, "www@a", "mail@b"));
	assert_true(needs(&graph, "www@a", "db@c"));
	graph_free(&graph);
	add_vm(c, 2, "mail", "front", VM_SHUTDOWN);
	graph_build(&context, &graph);
	assert_true(needs(&graph, "www@a", "mail@dom0-b"));
	graph_free(&graph);
}

/* www@a -> mail@b -> db@a -> www@a, and one that only hangs on it. */
static void
test_graph_cycle(void **state)
{
	struct vmctl_host *a = context.hosts[0], *b = context.hosts[1];
	struct graph graph;
	const char *said;

	(void)state;
	add_service(a, 1, "www", 1, "");
	add_service(a, 2, "mail", 0, "b");
	add_need(a, 1, 2, "mail");
	add_need(a, 2, 1, "www");
	add_service(b, 1, "db", 0, "a");
	add_service(b, 2, "mail", 1, "");
	add_need(b, 1, 1, "db");
	add_need(b, 2, 2, "mail");
	graph_build(&context, &graph);
	listen_out(&stderr);
	assert_int_equal(graph_say_cycles(&graph, stderr), 1);
	said = heard(&stderr, real_err);
	assert_non_null(strstr(said, "www@a -> mail@b -> db@a -> www@a;"));
	assert_null(strstr(said, "www@b"));
	assert_true(graph.nodes[node_of(&graph, "www@b")].in_cycle);
	graph_free(&graph);
}

static void
test_draw(void **state)
{
	struct vmctl_host *a = context.hosts[0];
	struct graph graph;
	const char *said;

	(void)state;
	add_service(a, 1, "db", 2, "");
	add_service(a, 2, "a \"<&>\"", 0, "");
	add_need(a, 1, 1, "db");
	add_need(a, 1, 2, "x");
	graph_build(&context, &graph);
	for (size_t i = 0; i < graph.nodes_count; i++)
		graph.nodes[i].marked = graph.nodes[i].host != context.hosts[1];
	listen_out(&stdout);
	draw_dot(&graph, stdout);
	said = heard(&stdout, real_out);
	assert_non_null(strstr(said, "\"www@a\" -> \"db@a\" [label = \"80/tcp\"]"));
	assert_non_null(strstr(said, "\"a \\\"<&>\\\"\" ["));
	assert_null(strstr(said, "mail"));
	listen_out(&stdout);
	draw_svg(&graph, stdout);
	said = heard(&stdout, real_out);
	assert_non_null(strstr(said, "<svg xmlns="));
	assert_non_null(strstr(said, "a &quot;&lt;&amp;&gt;&quot;"));
	graph_free(&graph);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_targets),	       TEST(test_complaints),
	    TEST(test_keys),	       TEST(test_output),
	    TEST(test_unknown_column), TEST(test_all_fields),
	    TEST(test_durations),      TEST(test_graph),
	    TEST(test_graph_cycle),    TEST(test_graph_hosts_of_one_name),
	    TEST(test_draw),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
