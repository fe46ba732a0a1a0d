/* agentx/snmp without a master: PDUs made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "snmp/check.h"
#include "snmp/notify.h"
#include "snmp/read.h"

#define OID(...)                                                                                   \
	(unsigned long[]){__VA_ARGS__},                                                            \
	    sizeof((unsigned long[]){__VA_ARGS__}) / sizeof(unsigned long)
#define VM MIB_ROOT, 1, 4, 1
#define CONTROL MIB_ROOT, 2, 1, 1
#define REQUEST MIB_ROOT, 2, 2, 1

static struct mib_rows rows;

static int
setup(void **state)
{
	(void)state;
	mib_rows_init(&rows, false);
	for (uint32_t i = 1; i <= 4; i++) {
		struct mib_vm vm = {.index = i, .state = VM_RUNNING, .memory_max_mib = 512};

		TEXT_FORMAT(vm.name, "vm%u", i);
		rowset_put(&rows.sets[KIND_VM], &vm);
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	mib_rows_dispose(&rows);
	return 0;
}

static void
add_range(netsnmp_pdu *pdu, const unsigned long *from, size_t from_count, const unsigned long *to,
	  size_t to_count, bool inclusive)
{
	snmp_pdu_add_variable(pdu, from, from_count,
			      inclusive ? ASN_PRIV_INCL_RANGE : ASN_PRIV_EXCL_RANGE, to,
			      to_count * sizeof(oid));
}

static void
assert_variable(const netsnmp_variable_list *variable, int type, const unsigned long *name,
		size_t count)
{
	assert_non_null(variable);
	assert_int_equal(variable->type, type);
	assert_int_equal(variable->name_length, count);
	assert_memory_equal(variable->name, name, count * sizeof(oid));
}

static void
next_respects_its_range(void **state)
{
	netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_GETNEXT);
	const netsnmp_variable_list *v;

	(void)state;
	add_range(pdu, OID(VM, 2, 1), OID(VM, 2, 3), false);
	add_range(pdu, OID(VM, 2, 1), OID(VM, 2, 2), false);
	add_range(pdu, OID(VM, 2, 1), OID(VM, 2, 3), true);
	add_range(pdu, OID(VM, 2, 1), OID(0), false);
	add_range(pdu, OID(VM, 2, 1), OID(0, 0), false);
	add_range(pdu, OID(CONTROL, 3, 4), OID(MIB_ROOT, 3), false);
	add_range(pdu, OID(MIB_VM_MIB, 1), OID(MIB_VM_MIB, 2), true);
	add_range(pdu, OID(MIB_ROOT), OID(1, 3, 6, 1, 4, 2), true);
	read_answer(&rows, pdu);
	v = pdu->variables;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 2));
	v = v->next_variable;
	assert_variable(v, SNMP_ENDOFMIBVIEW, OID(VM, 2, 1));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 1));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 2));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 2));
	v = v->next_variable;
	assert_variable(v, SNMP_ENDOFMIBVIEW, OID(CONTROL, 3, 4));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(MIB_VM_MIB, 1, 4, 1, 2, 1));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 1));
	assert_null(v->next_variable);
	snmp_free_pdu(pdu);
}

static void
bulk_repeats_in_turn(void **state)
{
	netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_GETBULK);
	const netsnmp_variable_list *v;

	(void)state;
	pdu->non_repeaters = 1;
	pdu->max_repetitions = 3;
	add_range(pdu, OID(VM, 5, 1), OID(VM, 6), false);
	add_range(pdu, OID(VM, 2), OID(VM, 3), false);
	add_range(pdu, OID(VM, 2, 3), OID(VM, 3), true);
	read_answer(&rows, pdu);
	v = pdu->variables;
	assert_variable(v, ASN_INTEGER, OID(VM, 5, 2));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 1));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 3));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 2));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 4));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 3));
	v = v->next_variable;
	assert_variable(v, SNMP_ENDOFMIBVIEW, OID(VM, 2, 4));
	assert_null(v->next_variable);
	assert_int_equal(pdu->errstat, 0);
	assert_int_equal(pdu->errindex, 0);
	snmp_free_pdu(pdu);
}

static void
bulk_is_bounded(void **state)
{
	netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_GETBULK);
	size_t count = 0;

	(void)state;
	pdu->max_repetitions = 65535;
	for (int i = 0; i < 200; i++)
		add_range(pdu, OID(VM), OID(0), false);
	read_answer(&rows, pdu);
	for (const netsnmp_variable_list *v = pdu->variables; v; v = v->next_variable)
		count++;
	assert_true(count >= 128 && count <= 1128);
	snmp_free_pdu(pdu);
}

/* snmpTrapOID first, then the objects in the MIB's order, each with its place. */
/* What net-snmp's master would throw away without a word. */
static void
answer_is_bounded(void **state)
{
	netsnmp_pdu *pdu = snmp_pdu_create(AGENTX_GET);

	(void)state;
	for (int i = 0; i < 900; i++)
		snmp_pdu_add_variable(pdu, OID(VM, 2, 1), ASN_NULL, NULL, 0);
	read_answer(&rows, pdu);
	assert_int_equal(pdu->errstat, SNMP_ERR_TOOBIG);
	assert_int_equal(pdu->errindex, 1);
	assert_null(pdu->variables);
	for (int i = 0; i < 700; i++)
		snmp_pdu_add_variable(pdu, OID(VM, 2, 1), ASN_NULL, NULL, 0);
	read_answer(&rows, pdu);
	assert_int_equal(pdu->errstat, SNMP_ERR_NOERROR);
	assert_variable(pdu->variables, ASN_OCTET_STR, OID(VM, 2, 1));
	snmp_free_pdu(pdu);
}

static void
notification_keeps_its_objects(void **state)
{
	struct mib_event event = {.sequence = 7, .type = EVENT_REQUEST_FINISHED, .vm_index = 3};
	netsnmp_variable_list *variables, *v;

	(void)state;
	TEXT_SET(event.vm_name, "vm3");
	TEXT_SET(event.request, "ab");
	MIB_ABSENT(mib_event, &event, verb, true);
	MIB_ABSENT(mib_event, &event, outcome, true);
	variables = v = notify_variables(&event);
	assert_variable(v, ASN_OBJECT_ID, OID(1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0));
	assert_int_equal(v->val.objid[v->val_len / sizeof(oid) - 1], EVENT_REQUEST_FINISHED);
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 2, 3));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(VM, 3, 3));
	assert_int_equal(v->val_len, 0);
	v = v->next_variable;
	assert_variable(v, ASN_INTEGER, OID(REQUEST, 3, 'a', 'b'));
	v = v->next_variable;
	assert_variable(v, ASN_INTEGER, OID(REQUEST, 5, 'a', 'b'));
	assert_int_equal(*v->val.integer, REQUEST_UNDECIDED);
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(MIB_ROOT, 1, 7, 1, 2, 7));
	v = v->next_variable;
	assert_variable(v, ASN_OCTET_STR, OID(MIB_ROOT, 1, 7, 1, 12, 7));
	assert_null(v->next_variable);
	snmp_free_varbind(variables);
}

static void
journal_only_makes_no_notification(void **state)
{
	struct mib_event event = {.sequence = 7, .type = EVENT_REQUEST_ACCEPTED};

	(void)state;
	assert_null(notify_variables(&event));
	event.type = 99;
	assert_null(notify_variables(&event));
}

static void
every_event_makes_its_notification(void **state)
{
	(void)state;
	for (const struct mib_notification *n = mib_notifications; n->name; n++) {
		struct mib_event event = {.sequence = 1, .type = (int32_t)n->type, .absent = ~0ull};
		netsnmp_variable_list *variables = notify_variables(&event);
		size_t expected = 1, count = 0;

		for (const struct mib_notify_object *o = n->objects; o->name; o++)
			expected++;
		for (const netsnmp_variable_list *v = variables; v; v = v->next_variable)
			count++;
		assert_int_equal(count, expected);
		snmp_free_varbind(variables);
	}
}

static struct wishes wishes;
static long blamed;

static int
set_one(const unsigned long *name, size_t count, int type, const void *value, size_t size)
{
	netsnmp_variable_list *variables = NULL;
	int rc;

	snmp_varlist_add_variable(&variables, name, count, (u_char)type, value, size);
	rc = check_set(&rows, variables, clock_wall_ms(), &wishes, &blamed);
	snmp_free_varbind(variables);
	return rc;
}

static void
set_checks_each_verb_against_each_state(void **state)
{
	static const enum vm_state allowed[][10] = {
	    [VERB_START] = {VM_UNKNOWN, VM_SHUTDOWN, VM_CRASHED, VM_SUSPENDED},
	    [VERB_SHUTDOWN] = {VM_UNKNOWN, VM_RUNNING},
	    [VERB_REBOOT] = {VM_UNKNOWN, VM_RUNNING},
	    [VERB_PAUSE] = {VM_UNKNOWN, VM_RUNNING},
	    [VERB_UNPAUSE] = {VM_UNKNOWN, VM_PAUSED},
	    [VERB_DESTROY] = {VM_UNKNOWN, VM_OTHER, VM_PREPARING, VM_RUNNING, VM_SUSPENDING,
			      VM_RESUMING, VM_PAUSED, VM_MIGRATING, VM_SHUTTING_DOWN, VM_CRASHED},
	    [VERB_SAVE] = {VM_UNKNOWN, VM_RUNNING},
	    [VERB_RESTORE] = {VM_UNKNOWN, VM_SUSPENDED},
	};

	(void)state;
	for (int verb = VERB_START; verb <= VERB_RESTORE; verb++)
		for (int vm_state = VM_UNKNOWN; vm_state <= VM_CRASHED; vm_state++) {
			struct mib_vm vm = {.index = 1, .state = vm_state};
			int expected = SNMP_ERR_INCONSISTENTVALUE;

			for (int i = 0; i < 10; i++)
				if ((int)allowed[verb][i] == vm_state)
					expected = SNMP_ERR_NOERROR;
			rowset_put(&rows.sets[KIND_VM], &vm);
			assert_int_equal(
			    set_one(OID(CONTROL, 1, 1), ASN_INTEGER, &verb, sizeof(verb)),
			    expected);
			assert_int_equal(wishes.count, expected == SNMP_ERR_NOERROR);
			wishes_clear(&wishes);
		}
}

/* What has an object of its own: its values, the verb it becomes, and who may not be asked. */
static void
set_makes_verbs_of_policy(void **state)
{
	static const struct {
		const char *of;
		unsigned long arcs[3];
		u_char tag;
		unsigned long value;
		int rc;
		uint32_t verb;
	} cases[] = {
	    {"an hour", {2, 3, 1}, ASN_UNSIGNED, 3600, 0, VERB_MAINTENANCE},
	    {"its end", {2, 3, 1}, ASN_UNSIGNED, 0, 0, VERB_MAINTENANCE},
	    {"no end", {2, 3, 1}, ASN_UNSIGNED, UINT32_MAX, 0, VERB_MAINTENANCE},
	    {"no seconds", {2, 3, 1}, ASN_INTEGER, 1, SNMP_ERR_WRONGTYPE, 0},
	    {"not ours", {2, 3, 2}, ASN_UNSIGNED, 1, SNMP_ERR_INCONSISTENTVALUE, 0},
	    {"no VM", {2, 3, 99}, ASN_UNSIGNED, 1, SNMP_ERR_NOCREATION, 0},
	    {"running", {3, 1, 1}, ASN_INTEGER, DESIRED_RUNNING, 0, VERB_DESIRE},
	    {"shutdown", {3, 1, 1}, ASN_INTEGER, DESIRED_SHUTDOWN, 0, VERB_DESIRE},
	    {"paused", {3, 1, 1}, ASN_INTEGER, DESIRED_PAUSED, SNMP_ERR_WRONGVALUE, 0},
	    {"least", {3, 2, 1}, ASN_UNSIGNED, 64, 0, VERB_MEMORY_MIN},
	    {"as configured", {3, 2, 1}, ASN_UNSIGNED, 0, 0, VERB_MEMORY_MIN},
	    {"under the floor", {3, 2, 1}, ASN_UNSIGNED, 31, SNMP_ERR_WRONGVALUE, 0},
	    {"most", {3, 3, 1}, ASN_UNSIGNED, 4096, 0, VERB_MEMORY_MAX},
	    {"high", {3, 4, 1}, ASN_UNSIGNED, 100, 0, VERB_MEMORY_HIGH},
	    {"over all", {3, 4, 1}, ASN_UNSIGNED, 101, SNMP_ERR_WRONGVALUE, 0},
	    {"low", {3, 5, 1}, ASN_UNSIGNED, 0, 0, VERB_MEMORY_LOW},
	    {"launch by hand", {2, 1, 1}, ASN_INTEGER, VERB_LAUNCH, 0, VERB_LAUNCH},
	    {"rebuild by hand", {2, 1, 1}, ASN_INTEGER, VERB_REBUILD, SNMP_ERR_WRONGVALUE, 0},
	};
	struct mib_vm ours = {.index = 1, .state = VM_RUNNING, .configured = 1};
	struct mib_vm found = {.index = 2, .state = VM_RUNNING};

	(void)state;
	rowset_put(&rows.sets[KIND_VM], &ours);
	rowset_put(&rows.sets[KIND_VM], &found);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const unsigned long *arcs = cases[i].arcs;
		int rc = set_one(OID(MIB_ROOT, arcs[0], 1, 1, arcs[1], arcs[2]), cases[i].tag,
				 &cases[i].value, sizeof(cases[i].value));

		if (rc != cases[i].rc)
			fail_msg("%s: %d", cases[i].of, rc);
		assert_int_equal(wishes.count, rc == 0);
		if (rc == 0) {
			assert_int_equal(wishes.list[0].hold.verb, cases[i].verb);
			assert_int_equal(wishes.list[0].hold.vm, 1);
		}
		wishes_clear(&wishes);
	}
}

/* A row that is to be made, with its three parts. */
static int
set_row(const char *vm, long verb, unsigned long number)
{
	static const unsigned long columns[] = {2, 3, 4, 11};
	netsnmp_variable_list *variables = NULL;
	long status = ROW_CREATE_AND_GO, at;
	int rc;

	for (size_t i = 0; i < 4; i++) {
		const oid name[] = {MIB_ROOT, 2, 2, 1, columns[i], 'r'};
		const void *values[] = {vm, &verb, &number, &status};
		const size_t sizes[] = {strlen(vm), sizeof(verb), sizeof(number), sizeof(status)};
		const u_char tags[] = {ASN_OCTET_STR, ASN_INTEGER, ASN_UNSIGNED, ASN_INTEGER};

		snmp_varlist_add_variable(&variables, name, sizeof(name) / sizeof(name[0]), tags[i],
					  values[i], sizes[i]);
	}
	rc = check_set(&rows, variables, clock_wall_ms(), &wishes, &at);
	snmp_free_varbind(variables);
	return rc;
}

static void
set_takes_several_vms(void **state)
{
	static const struct {
		const char *vm;
		long verb;
		unsigned long number;
		int rc;
	} cases[] = {
	    {"*", VERB_LAUNCH, 0, 0},
	    {"*", VERB_SHUTDOWN, 0, 0},
	    {"group:front", VERB_LAUNCH, 0, 0},
	    {"group:back", VERB_LAUNCH, 0, SNMP_ERR_INCONSISTENTVALUE},
	    {"group:", VERB_LAUNCH, 0, SNMP_ERR_INCONSISTENTVALUE},
	    {"*", VERB_DESTROY, 0, SNMP_ERR_INCONSISTENTVALUE},
	    {"*", VERB_LAUNCH, 1, SNMP_ERR_INCONSISTENTVALUE},
	    {"*", VERB_REBUILD, 0, 0},
	    {"group:front", VERB_REBUILD, 0, SNMP_ERR_INCONSISTENTVALUE},
	    {"www", VERB_REBUILD, 0, SNMP_ERR_INCONSISTENTVALUE},
	    {"www", VERB_MAINTENANCE, 60, 0},
	    {"www", VERB_DESIRE, DESIRED_PAUSED, SNMP_ERR_INCONSISTENTVALUE},
	    {"www", VERB_LAUNCH, 0, 0},
	    {"*", VERB_LAST + 1, 0, SNMP_ERR_WRONGVALUE},
	    {"www", VERB_MEMORY_MIN, 64, SNMP_ERR_WRONGVALUE}, /* of who may change lxPolicy */
	    {"www", VERB_MEMORY_LOW, 50, SNMP_ERR_WRONGVALUE},
	};
	struct mib_vm vm = {.index = 1, .state = VM_SHUTDOWN, .configured = 1};
	struct mib_vm found = {.index = 2, .state = VM_RUNNING};

	(void)state;
	TEXT_SET(vm.name, "www");
	TEXT_SET(vm.group, "front");
	TEXT_SET(found.group, "back");
	rowset_put(&rows.sets[KIND_VM], &vm);
	rowset_put(&rows.sets[KIND_VM], &found);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = set_row(cases[i].vm, cases[i].verb, cases[i].number);

		if (rc != cases[i].rc)
			fail_msg("%s of %s: %d", name_of(verb_names, (int)cases[i].verb),
				 cases[i].vm, rc);
		if (rc == 0) {
			assert_int_equal(wishes.list[0].hold.vm,
					 strcmp(cases[i].vm, "www") == 0 ? 1 : 0);
			assert_string_equal(wishes.list[0].hold.vm_text, cases[i].vm);
		}
		wishes_clear(&wishes);
	}
}

/* snmpd sends a TestSet again, under the same transaction, if the answer takes a second. */
static void
set_sent_again_is_one(void **state)
{
	struct wishes all = {0};
	int verb = VERB_PAUSE;

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(set_one(OID(CONTROL, 1, 1), ASN_INTEGER, &verb, sizeof(verb)), 0);
		wishes_move(&all, &wishes);
		assert_int_equal(all.count, 1);
	}
	assert_int_equal(set_one(OID(CONTROL, 1, 2), ASN_INTEGER, &verb, sizeof(verb)), 0);
	wishes_move(&all, &wishes);
	assert_int_equal(all.count, 2);
	wishes_clear(&all);
}

static void
set_lets_a_repeat_join(void **state)
{
	struct mib_vm vm = {.index = 1, .state = VM_PAUSED};
	struct mib_request request = {.vm_index = 1,
				      .verb = VERB_PAUSE,
				      .state = REQUEST_SUCCEEDED,
				      .accepted = clock_wall_ms() - 9000};
	int verb = VERB_PAUSE;

	(void)state;
	TEXT_SET(request.id, "auto-1");
	rowset_put(&rows.sets[KIND_VM], &vm);
	rowset_put(&rows.sets[KIND_REQUEST], &request);
	assert_int_equal(set_one(OID(CONTROL, 1, 1), ASN_INTEGER, &verb, sizeof(verb)), 0);
	wishes_clear(&wishes);
	request.accepted -= 2000;
	rowset_put(&rows.sets[KIND_REQUEST], &request);
	assert_int_equal(set_one(OID(CONTROL, 1, 1), ASN_INTEGER, &verb, sizeof(verb)),
			 SNMP_ERR_INCONSISTENTVALUE);
	request.state = REQUEST_RUNNING;
	rowset_put(&rows.sets[KIND_REQUEST], &request);
	assert_int_equal(set_one(OID(CONTROL, 1, 1), ASN_INTEGER, &verb, sizeof(verb)), 0);
	wishes_clear(&wishes);
	TEXT_SET(request.id, "auto-2");
	request.verb = VERB_UNPAUSE;
	request.accepted += 100;
	rowset_put(&rows.sets[KIND_REQUEST], &request);
	assert_int_equal(set_one(OID(CONTROL, 1, 1), ASN_INTEGER, &verb, sizeof(verb)),
			 SNMP_ERR_INCONSISTENTVALUE);
}

/* The row may be of a SET that was undone just now: only the engine knows whether it stands. */
static void
set_asks_the_engine_about_a_row_that_is_there(void **state)
{
	struct mib_vm vm = {.index = 1, .state = VM_RUNNING};
	struct mib_request request = {.vm_index = 1, .verb = VERB_PAUSE, .state = REQUEST_QUEUED};
	netsnmp_variable_list *variables = NULL;
	int verb = VERB_PAUSE, status = ROW_CREATE_AND_GO;

	(void)state;
	TEXT_SET(vm.name, "www");
	TEXT_SET(request.id, "a");
	TEXT_SET(request.vm, "www");
	rowset_put(&rows.sets[KIND_VM], &vm);
	rowset_put(&rows.sets[KIND_REQUEST], &request);
	snmp_varlist_add_variable(&variables, OID(REQUEST, 2, 'a'), ASN_OCTET_STR, "www", 3);
	snmp_varlist_add_variable(&variables, OID(REQUEST, 3, 'a'), ASN_INTEGER, &verb,
				  sizeof(verb));
	snmp_varlist_add_variable(&variables, OID(REQUEST, 11, 'a'), ASN_INTEGER, &status,
				  sizeof(status));
	assert_int_equal(check_set(&rows, variables, clock_wall_ms(), &wishes, &blamed), 0);
	assert_int_equal(wishes.count, 1);
	assert_string_equal(wishes.list[0].hold.id, "a");
	assert_string_equal(wishes.list[0].hold.vm_text, "www");
	wishes_clear(&wishes);
	snmp_free_varbind(variables);
}

static void
set_gives_memory_where_the_most_is_unknown(void **state)
{
	struct mib_vm vm = {.index = 1, .state = VM_RUNNING};
	uint32_t mib = 513;

	(void)state;
	assert_int_equal(set_one(OID(CONTROL, 2, 2), ASN_UNSIGNED, &mib, sizeof(mib)),
			 SNMP_ERR_INCONSISTENTVALUE);
	MIB_ABSENT(mib_vm, &vm, memory_max_mib, true);
	rowset_put(&rows.sets[KIND_VM], &vm);
	assert_int_equal(set_one(OID(CONTROL, 2, 1), ASN_UNSIGNED, &mib, sizeof(mib)), 0);
	assert_int_equal(wishes.list[0].hold.verb, VERB_MEMORY);
	assert_int_equal(wishes.list[0].hold.number, 513);
	wishes_clear(&wishes);
	mib = UINT32_MAX;
	assert_int_equal(set_one(OID(CONTROL, 2, 2), ASN_UNSIGNED, &mib, sizeof(mib)),
			 SNMP_ERR_INCONSISTENTVALUE);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(next_respects_its_range),
	    TEST(bulk_repeats_in_turn),
	    TEST(bulk_is_bounded),
	    TEST(answer_is_bounded),
	    TEST(notification_keeps_its_objects),
	    TEST(journal_only_makes_no_notification),
	    TEST(every_event_makes_its_notification),
	    TEST(set_checks_each_verb_against_each_state),
	    TEST(set_makes_verbs_of_policy),
	    TEST(set_takes_several_vms),
	    TEST(set_sent_again_is_one),
	    TEST(set_lets_a_repeat_join),
	    TEST(set_asks_the_engine_about_a_row_that_is_there),
	    TEST(set_gives_memory_where_the_most_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
