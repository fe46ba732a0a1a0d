/*
 * Walks lxVmTable with all its columns in each PDU, as vmctl does, from two agents in turn, and
 * compares them: varbinds a second (the median of the rounds), and the CPU time of the processes
 * that served them.
 *
 * usage: walk OURS PEER AGENT_PID SNMPD_PID [ROUNDS [REPETITIONS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "mib/objects.h"

#define COLUMNS_MAX 64
#define ROUNDS_MAX 1000

static const struct mib_table *table;
static size_t columns_count;
static struct {
	size_t count;
	oid arcs[MAX_OID_LEN];
} cursors[COLUMNS_MAX];

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* CPU time of a process of one thread. */
static int64_t
cpu_ns(const char *pid)
{
	char path[64];
	long long used = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/schedstat", pid);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%lld", &used) != 1) {
		fprintf(stderr, "%s tells no CPU time\n", path);
		exit(2);
	}
	fclose(file);
	return used;
}

static void
walk_begin(void)
{
	columns_count = 0;
	for (size_t i = 0; i < mib_tables_count; i++)
		if (strcmp(mib_tables[i].name, "lxVmTable") == 0)
			table = &mib_tables[i];
	for (size_t i = 0; i < table->columns_count; i++) {
		const struct mib_column *column = &table->columns[i];

		if (column->number == 0 || column->access == MIB_NA)
			continue;
		cursors[columns_count].count = table->arcs_count + 1u;
		memcpy(cursors[columns_count].arcs, table->arcs, table->arcs_count * sizeof(oid));
		cursors[columns_count].arcs[table->arcs_count] = column->number;
		columns_count++;
	}
}

/* Takes one answer in; false: the first column has ended. */
static bool
walk_take(const netsnmp_pdu *answer, long *varbinds)
{
	size_t at = 0;

	for (const netsnmp_variable_list *v = answer->variables; v; v = v->next_variable) {
		if (v->type == SNMP_ENDOFMIBVIEW || v->name_length < table->arcs_count + 2u ||
		    v->name[table->arcs_count] != cursors[at].arcs[table->arcs_count])
			return false;
		cursors[at].count = v->name_length;
		memcpy(cursors[at].arcs, v->name, v->name_length * sizeof(oid));
		at = (at + 1) % columns_count;
		(*varbinds)++;
	}
	return at == 0 && answer->variables;
}

static long
walk(netsnmp_session *session, long repetitions)
{
	long varbinds = 0;
	bool more = true;

	walk_begin();
	while (more) {
		netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GETBULK), *answer = NULL;

		pdu->non_repeaters = 0;
		pdu->max_repetitions = repetitions;
		for (size_t i = 0; i < columns_count; i++)
			snmp_add_null_var(pdu, cursors[i].arcs, cursors[i].count);
		if (snmp_synch_response(session, pdu, &answer) != STAT_SUCCESS ||
		    answer->errstat != SNMP_ERR_NOERROR) {
			snmp_sess_perror("walk", session);
			exit(2);
		}
		more = walk_take(answer, &varbinds);
		snmp_free_pdu(answer);
	}
	return varbinds;
}

static netsnmp_session *
agent_open(char *address)
{
	netsnmp_session template, *session;

	snmp_sess_init(&template);
	template.version = SNMP_VERSION_2c;
	template.peername = address;
	template.community = (u_char *)"public";
	template.community_len = 6;
	session = snmp_open(&template);
	if (!session) {
		fprintf(stderr, "%s cannot be reached\n", address);
		exit(2);
	}
	return session;
}

static int
order(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return (left > right) - (left < right);
}

static double
median(double *numbers, int count)
{
	qsort(numbers, (size_t)count, sizeof(*numbers), order);
	return numbers[count / 2];
}

int
main(int argc, char **argv)
{
	netsnmp_session *sessions[2];
	static double seconds[2][ROUNDS_MAX];
	double speed[2], cpu_us[2];
	long varbinds[2] = {0, 0};
	int64_t cpu[2];
	int rounds;
	long repetitions;

	if (argc < 5) {
		fprintf(stderr, "usage: %s OURS PEER AGENT_PID SNMPD_PID [ROUNDS [REPETITIONS]]\n",
			argv[0]);
		return 2;
	}
	rounds = argc > 5 ? atoi(argv[5]) : 5;
	if (rounds < 1 || rounds > ROUNDS_MAX)
		rounds = 5;
	repetitions = argc > 6 ? atol(argv[6]) : 3;
	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_snmp("walk");
	for (int i = 0; i < 2; i++) {
		sessions[i] = agent_open(argv[1 + i]);
		walk(sessions[i], repetitions); /* both are warm then */
	}
	for (int i = 0; i < 2; i++)
		cpu[i] = cpu_ns(argv[3 + i]);
	for (int round = 0; round < rounds; round++)
		for (int i = 0; i < 2; i++) {
			int64_t begin_ns = now_ns();

			varbinds[i] += walk(sessions[i], repetitions);
			seconds[i][round] = (double)(now_ns() - begin_ns) / 1e9;
		}
	if (varbinds[0] != varbinds[1] || varbinds[0] == 0) {
		fprintf(stderr, "the walks differ: %ld and %ld varbinds\n", varbinds[0],
			varbinds[1]);
		return 2;
	}
	for (int i = 0; i < 2; i++) {
		cpu_us[i] = (double)(cpu_ns(argv[3 + i]) - cpu[i]) / 1e3 / (double)varbinds[0];
		speed[i] = (double)varbinds[i] / rounds / median(seconds[i], rounds);
	}
	printf("BENCH walk ours=%.0f peer=%.0f ratio=%.2f unit=varbinds/s\n", speed[0], speed[1],
	       speed[0] / speed[1]);
	printf("BENCH walk_cpu ours=%.2f peer=%.2f ratio=%.2f unit=us\n", cpu_us[0], cpu_us[1],
	       cpu_us[0] / cpu_us[1]);
	return 0;
}
