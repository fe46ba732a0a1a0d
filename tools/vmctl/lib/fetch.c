#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

static void
line_move(struct vmctl *vmctl)
{
	struct fetch *fetch;

	while (vmctl->asked < vmctl->window && (fetch = TAILQ_FIRST(&vmctl->line))) {
		TAILQ_REMOVE(&vmctl->line, fetch, turn);
		fetch->waiting = false;
		fetch->begun = true;
		vmctl->asked++;
		if (host_resolve(fetch->host))
			fetch_begin(fetch);
	}
}

void
fetch_free(struct fetch *fetch)
{
	struct vmctl *vmctl = fetch->host->vmctl;

	if (fetch->waiting)
		TAILQ_REMOVE(&vmctl->line, fetch, turn);
	if (fetch->begun)
		vmctl->asked--;
	if (fetch->host->read)
		session_forget(fetch->host->read, fetch);
	TAILQ_REMOVE(&fetch->host->fetches, fetch, next);
	for (size_t i = 0; i < fetch->count; i++) {
		walk_free(fetch->parts[i].walk);
		rows_clear(&fetch->parts[i].rows);
	}
	free(fetch);
	vmctl_closed(vmctl);
}

/* The new rows take the place of the old ones; where there are none, those of the cache do. */
static void
fetch_take_rows(struct fetch *fetch, enum answer answer)
{
	struct vmctl_host *host = fetch->host;

	for (size_t i = 0; i < fetch->count; i++) {
		struct part *part = &fetch->parts[i];
		enum mib_kind kind = part->want.kind;
		struct rows *rows = &host->rows[kind];

		if (answer != ANSWER_OK) {
			if (rows->wall_ms == 0)
				vmctl_rows_recall(host, kind);
			rows->stale = true;
			continue;
		}
		rows_clear(rows);
		rows_settle(&part->rows);
		*rows = part->rows;
		part->rows = (struct rows){0};
		rows->mono_ms = clock_mono_ms();
		rows->wall_ms = clock_wall_ms();
		/* Part of a table is nothing to remember it by. */
		rows->changed = !part->want.after;
	}
}

static void
fetch_end(struct fetch *fetch, enum answer answer, const char *error)
{
	struct vmctl_host *host = fetch->host;
	struct vmctl *vmctl = host->vmctl;
	vmctl_fetched *done = fetch->done;
	void *arg = fetch->arg;

	host_set_status(host, answer, error);
	fetch_take_rows(fetch, answer);
	vmctl->open++; /* until done has been called */
	fetch_free(fetch);
	done(arg, host);
	line_move(vmctl);
	vmctl_closed(vmctl);
}

void
fetch_fail(struct fetch *fetch, enum answer answer, const char *error)
{
	fetch_end(fetch, answer, error);
}

/* ---- whether its agent was there ---- */

/* lxAgentVersion, which every lauxend has. */
static netsnmp_pdu *
agent_pdu(const void *arg)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

	(void)arg;
	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];
		oid name[MAX_OID_LEN];
		size_t count = table->arcs_count;

		if (table->kind != KIND_AGENT || table->standard)
			continue;
		memcpy(name, table->arcs, count * sizeof(oid));
		for (size_t j = 0; j < table->columns_count; j++)
			if (table->columns[j].bit == mib_agent_BIT_version)
				name[count] = table->columns[j].number;
		name[count + 1] = 0;
		snmp_add_null_var(pdu, name, count + 2);
	}
	return pdu;
}

/* A snmpd without our agent ends each walk at once, with other objects: that there is no VM is
 * believed of an agent alone. */
static void
agent_answered(void *arg, enum answer answer, netsnmp_pdu *pdu, const char *error)
{
	if (answer == ANSWER_OK && pdu->errstat != SNMP_ERR_NOERROR) {
		answer = ANSWER_FAILED;
		error = snmp_errstring((int)pdu->errstat);
	} else if (answer == ANSWER_OK &&
		   (!pdu->variables || pdu->variables->type != ASN_OCTET_STR)) {
		answer = ANSWER_FAILED;
		error = "its snmpd answers, and lauxend does not (it does not run, or the user may "
			"not see it)";
	}
	fetch_end(arg, answer, answer == ANSWER_OK ? "" : error);
}

/* The first walk that fails is the end of all: the others would wait for the same. The agent is
 * asked for last, so that one that went away in between is found out. */
static void
fetch_walked(void *arg, struct walk *walk, enum answer answer, const char *error)
{
	struct fetch *fetch = arg;

	(void)walk;
	fetch->open--;
	if (answer != ANSWER_OK)
		fetch_fail(fetch, answer, error);
	else if (fetch->open == 0)
		session_send(fetch->host->read, agent_pdu, agent_answered, fetch);
}

void
fetch_begin(struct fetch *fetch)
{
	char error[VMCTL_ERROR_SIZE];
	struct session *session = host_session(fetch->host, false, error);

	if (!session) {
		fetch_fail(fetch, ANSWER_FAILED, error);
		return;
	}
	if (fetch->host->status == VMCTL_UNASKED)
		fetch->host->status = VMCTL_ASKING;
	fetch->open = fetch->count;
	fetch->walking = true;
	for (size_t i = 0; i < fetch->count; i++)
		fetch->parts[i].walk = walk_start(session, &fetch->parts[i].want,
						  &fetch->parts[i].rows, fetch_walked, fetch);
}

void
vmctl_fetch(struct vmctl_host *host, const struct vmctl_want *wants, size_t count,
	    vmctl_fetched *done, void *arg)
{
	struct vmctl *vmctl = host->vmctl;
	struct fetch *fetch = mem_alloc(sizeof(*fetch) + count * sizeof(fetch->parts[0]));

	fetch->host = host;
	fetch->count = count; /* not none */
	for (size_t i = 0; i < count; i++)
		fetch->parts[i].want = wants[i];
	fetch->done = done;
	fetch->arg = arg;
	fetch->waiting = true;
	TAILQ_INSERT_TAIL(&host->fetches, fetch, next);
	TAILQ_INSERT_TAIL(&vmctl->line, fetch, turn);
	vmctl->open++;
	event_active(vmctl->digger, EV_TIMEOUT, 0); /* and not from within this call */
}

void
fetch_line(struct vmctl *vmctl)
{
	line_move(vmctl);
}
