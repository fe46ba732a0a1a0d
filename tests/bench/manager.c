/*
 * A manager that keeps one request open for each of some VMs, by rows of lxRequest under ids of
 * its own, whatever becomes of snmpd and the agent meanwhile: a SET without a clear answer is sent
 * again under the same id; a row is followed to its end and removed. By the VM's number: reboots;
 * pause and unpause in turn; destroy and start in turn.
 *
 * usage: manager ADDRESS FIRST LAST     VMs vmFIRST..vmLAST, four digits; their rows likewise
 *
 * SIGTERM: what is open is followed to its end, nothing new is begun. Prints a line for each:
 *   END ID VM VERB STATE ACCEPTED_US OPEN_US ENDED_US SEEN_US ERROR
 *       OPEN_US: when it was last seen unfinished; ENDED_US: the row's word, to 0.1 s; SEEN_US:
 *       when the row was read; the next request of the VM follows after that
 *   LOST ID VM VERB      it was accepted, and its row is not there any more, or never ended
 *   UNSURE ID VM VERB    no answer said that it was accepted, and it has got no row since
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "tests/bench/client.h"

#define ANSWER_MS 3000
#define ROUND_MS 5	    /* rest between two rounds */
#define MISSING_US 10000000 /* a row that is not there so long, while others are, is lost */
#define DRAIN_US 90000000   /* for all that is open at the end */

enum phase { IDLE, SENT, OPEN, FINISHED };

struct vm {
	oid index;
	char name[VM_NAME_SIZE];
	char id[REQUEST_ID_SIZE];
	unsigned number; /* of requests so far */
	enum phase phase;
	long verb;
	bool unsure; /* a SET of this id had no clear answer */
	int64_t accepted_us, open_us, missing_us;
};

static netsnmp_session *reader, *writer;
static volatile sig_atomic_t ending;

static void
end(int signal)
{
	(void)signal;
	ending = 1;
}

static struct client_oid
row_oid(const struct vm *vm, oid column)
{
	struct client_oid name = CLIENT_OID(2, 2, 1, column);

	for (const char *p = vm->id; *p; p++)
		name.arcs[name.count++] = (unsigned char)*p;
	return name;
}

static void
add_integer(netsnmp_pdu *pdu, const struct vm *vm, oid column, long value)
{
	struct client_oid name = row_oid(vm, column);

	snmp_pdu_add_variable(pdu, name.arcs, name.count, ASN_INTEGER, &value, sizeof(value));
}

/* The error of a SET; -1: no answer. */
static long
send_set(netsnmp_pdu *pdu)
{
	netsnmp_pdu *answer = client_ask(writer, pdu);
	long error = answer ? answer->errstat : -1;

	snmp_free_pdu(answer);
	return error;
}

static long
send_row(const struct vm *vm)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_SET);
	struct client_oid name = row_oid(vm, 2);

	snmp_pdu_add_variable(pdu, name.arcs, name.count, ASN_OCTET_STR, vm->name,
			      strlen(vm->name));
	add_integer(pdu, vm, 3, vm->verb);
	add_integer(pdu, vm, 11, ROW_CREATE_AND_GO);
	return send_set(pdu);
}

static long
row_state(const struct vm *vm)
{
	struct client_oid name = row_oid(vm, 5);

	return client_get_integer(reader, &name);
}

/* What can be asked of the VM as it is now; 0: nothing yet. */
static long
next_verb(const struct vm *vm)
{
	struct client_oid name = CLIENT_OID(1, 4, 1, 5, vm->index);
	long state = client_get_integer(reader, &name);

	if (state == VM_SHUTDOWN || state == VM_CRASHED)
		return VERB_START;
	if (state == VM_PAUSED)
		return VERB_UNPAUSE;
	if (state != VM_RUNNING)
		return 0;
	return (const long[]){VERB_REBOOT, VERB_PAUSE, VERB_DESTROY}[vm->index % 3];
}

static void
step_idle(struct vm *vm)
{
	if (ending || (vm->verb = next_verb(vm)) == 0)
		return;
	snprintf(vm->id, sizeof(vm->id), "r%lu-%u", vm->index, ++vm->number);
	vm->unsure = false;
	vm->missing_us = 0;
	vm->phase = SENT;
}

static void
accepted(struct vm *vm)
{
	vm->accepted_us = vm->open_us = client_now_us();
	vm->missing_us = 0;
	vm->phase = OPEN;
}

/* Refused is only what was refused at the first try; else the row has the last word. */
static void
step_sent(struct vm *vm)
{
	long error = send_row(vm);

	if (error == SNMP_ERR_NOERROR) {
		accepted(vm);
	} else if (error != SNMP_ERR_INCONSISTENTVALUE) {
		vm->unsure = true;
	} else if (!vm->unsure) {
		vm->phase = IDLE;
	} else if (row_state(vm) > 0) {
		accepted(vm);
	} else if (vm->missing_us == 0) {
		vm->missing_us = client_now_us();
	} else if (client_now_us() - vm->missing_us > MISSING_US) {
		printf("UNSURE %s %s %s\n", vm->id, vm->name, name_of(verb_names, (int)vm->verb));
		vm->phase = IDLE;
	}
}

/* Microseconds of a DateAndTime in UTC; 0: none. */
static int64_t
date_us(const netsnmp_variable_list *v)
{
	const u_char *d = v->val.string;
	struct tm tm = {0};

	if (v->type != ASN_OCTET_STR || v->val_len != 11)
		return 0;
	tm.tm_year = d[0] * 256 + d[1] - 1900;
	tm.tm_mon = d[2] - 1;
	tm.tm_mday = d[3];
	tm.tm_hour = d[4];
	tm.tm_min = d[5];
	tm.tm_sec = d[6];
	return (timegm(&tm) - (d[8] == '-' ? -1 : 1) * (d[9] * 3600 + d[10] * 60)) *
		   INT64_C(1000000) +
	       d[7] * INT64_C(100000);
}

static void
print_end(const struct vm *vm, long state)
{
	struct client_oid ended = row_oid(vm, 10), error = row_oid(vm, 6);
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET), *answer;
	const netsnmp_variable_list *v;

	snmp_add_null_var(pdu, ended.arcs, ended.count);
	snmp_add_null_var(pdu, error.arcs, error.count);
	answer = client_ask(reader, pdu);
	v = answer && answer->errstat == SNMP_ERR_NOERROR ? answer->variables : NULL;
	printf("END %s %s %s %s %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %.*s\n", vm->id,
	       vm->name, name_of(verb_names, (int)vm->verb),
	       name_of(request_state_names, (int)state), vm->accepted_us, vm->open_us,
	       v ? date_us(v) : 0, client_now_us(),
	       v && v->next_variable->type == ASN_OCTET_STR ? (int)v->next_variable->val_len : 0,
	       v ? (const char *)v->next_variable->val.string : "");
	snmp_free_pdu(answer);
}

static void
lost(struct vm *vm)
{
	printf("LOST %s %s %s\n", vm->id, vm->name, name_of(verb_names, (int)vm->verb));
	vm->phase = IDLE;
}

static void
step_open(struct vm *vm)
{
	struct client_oid host = CLIENT_OID(1, 2, 4, 0);
	long state = row_state(vm);

	if (state > REQUEST_RUNNING) {
		print_end(vm, state);
		vm->phase = FINISHED;
	} else if (state > 0) {
		vm->open_us = client_now_us();
		vm->missing_us = 0;
	} else if (client_get_integer(reader, &host) < 0) {
		vm->missing_us = 0; /* the agent is away */
	} else if (vm->missing_us == 0) {
		vm->missing_us = client_now_us();
	} else if (client_now_us() - vm->missing_us > MISSING_US) {
		lost(vm);
	}
}

static void
step_finished(struct vm *vm)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_SET);

	add_integer(pdu, vm, 11, ROW_DESTROY);
	if (send_set(pdu) == SNMP_ERR_NOERROR)
		vm->phase = IDLE;
}

static bool
round_all(struct vm *vms, size_t count)
{
	static void (*const steps[])(struct vm * vm) = {
	    [IDLE] = step_idle, [SENT] = step_sent, [OPEN] = step_open, [FINISHED] = step_finished};
	bool open = false;

	for (size_t i = 0; i < count; i++) {
		steps[vms[i].phase](&vms[i]);
		open |= vms[i].phase != IDLE;
	}
	return open;
}

int
main(int argc, char **argv)
{
	struct vm *vms;
	size_t count;
	int64_t deadline_us = 0;

	if (argc != 4 || atol(argv[3]) < atol(argv[2])) {
		fprintf(stderr, "usage: %s ADDRESS FIRST LAST\n", argv[0]);
		return 2;
	}
	client_init("manager");
	signal(SIGTERM, end);
	reader = client_open(argv[1], "public", ANSWER_MS);
	writer = client_open(argv[1], "private", ANSWER_MS);
	count = (size_t)(atol(argv[3]) - atol(argv[2]) + 1);
	vms = calloc(count, sizeof(*vms));
	for (size_t i = 0; vms && i < count; i++) {
		vms[i].index = (oid)atol(argv[2]) + i;
		snprintf(vms[i].name, sizeof(vms[i].name), "vm%04lu", vms[i].index);
	}
	while (vms && (round_all(vms, count) || !ending)) {
		if (ending && deadline_us == 0)
			deadline_us = client_now_us() + DRAIN_US;
		if (ending && client_now_us() > deadline_us)
			break;
		poll(NULL, 0, ROUND_MS);
	}
	for (size_t i = 0; vms && i < count; i++)
		if (vms[i].phase == OPEN)
			lost(&vms[i]);
	free(vms);
	return 0;
}
