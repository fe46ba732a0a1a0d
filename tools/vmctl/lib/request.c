/* Requests: a row of lxRequestTable by SET, then looks at what becomes of it, all of a host in one
 * PDU. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/internal.h"

#define POLL_FIRST_MS 100
#define POLL_MOST_MS 1000
#define POLL_JOBS 24	 /* in a PDU, two values each */
#define SILENCE_MS 60000 /* a host that is silent for so long is not waited for */

enum job_state { JOB_NEW, JOB_SET, JOB_OPEN };

struct job {
	TAILQ_ENTRY(job) next;
	struct vmctl_host *host;
	struct vmctl_request request;
	bool cancels, wait, polled;
	enum job_state state;
	struct vmctl_outcome outcome; /* as it was told last */
	int64_t heard_ms;
	vmctl_outcome_fn *changed;
	void *arg;
};

void
vmctl_request_id(char id[REQUEST_ID_SIZE])
{
	uint64_t random[1] = {0};

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		abort();
	text_format(id, REQUEST_ID_SIZE, "vmctl-%08" PRIx64 "-%012" PRIx64,
		    (uint64_t)clock_wall_ms() / 1000, random[0] >> 16);
}

/* ---- the end of jobs ---- */

static void
job_free(struct job *job)
{
	struct vmctl *vmctl = job->host->vmctl;

	TAILQ_REMOVE(&job->host->jobs, job, next);
	explicit_bzero(&job->request, sizeof(job->request));
	free(job);
	vmctl_closed(vmctl);
}

/* Tells what became of it where that is news. */
static void
job_tell(struct job *job, const struct vmctl_outcome *outcome)
{
	struct vmctl_request request = job->request;
	vmctl_outcome_fn *changed = job->changed;
	struct vmctl_host *host = job->host;
	struct vmctl *vmctl = host->vmctl;
	void *arg = job->arg;

	if (!outcome->over && outcome->state == job->outcome.state &&
	    strcmp(outcome->error, job->outcome.error) == 0)
		return;
	job->outcome = *outcome;
	vmctl->open++;
	if (outcome->over)
		job_free(job);
	changed(arg, host, &request, outcome);
	vmctl_closed(vmctl);
}

static void
job_fail(struct job *job, bool unknown, const char *error)
{
	struct vmctl_outcome outcome = {.state = job->state == JOB_OPEN ? REQUEST_UNDECIDED
									: REQUEST_HELD,
					.over = true,
					.unknown = unknown};

	TEXT_SET(outcome.error, error);
	job_tell(job, &outcome);
}

void
jobs_free(struct vmctl_host *host)
{
	while (!TAILQ_EMPTY(&host->jobs)) {
		struct job *job = TAILQ_FIRST(&host->jobs);

		if (host->read)
			session_forget(host->read, job);
		if (host->write)
			session_forget(host->write, job);
		job_free(job);
	}
	if (host->read)
		session_forget(host->read, &host->jobs);
	if (host->poll)
		event_free(host->poll);
	host->poll = NULL;
}

/* ---- looking ---- */

static const struct mib_table *
request_table(void)
{
	for (size_t i = 0; i < mib_tables_count; i++)
		if (mib_tables[i].kind == KIND_REQUEST && !mib_tables[i].standard)
			return &mib_tables[i];
	abort();
}

static const struct mib_column *
request_column(size_t bit)
{
	const struct mib_table *table = request_table();

	for (size_t i = 0; i < table->columns_count; i++)
		if (table->columns[i].bit == bit)
			return &table->columns[i];
	abort();
}

static void
request_oid(const char *id, size_t bit, struct mib_oid *name)
{
	struct mib_request key = {0};

	memcpy(key.id, id, sizeof(key.id));
	mib_instance(request_table(), request_column(bit)->number, &key, name);
}

static void
poll_arm(struct vmctl_host *host)
{
	struct timeval delay = {host->poll_ms / 1000, host->poll_ms % 1000 * 1000};

	if (!host->polling)
		event_add(host->poll, &delay);
	if (host->poll_ms < POLL_MOST_MS)
		host->poll_ms = host->poll_ms * 3 / 2;
}

/* Nothing is known of it now, and after a while of that it is given up. */
static void
job_unheard(struct job *job, const char *error)
{
	struct vmctl_outcome outcome = job->outcome;

	if (clock_mono_ms() - job->heard_ms > SILENCE_MS) {
		job_fail(job, true, error);
		return;
	}
	TEXT_FORMAT(outcome.error, "still waiting: %s", error);
	job_tell(job, &outcome);
}

static void
job_heard(struct job *job, const netsnmp_variable_list *state, const netsnmp_variable_list *error)
{
	struct vmctl_outcome outcome = {.state = REQUEST_QUEUED};
	char text[TEXT_SIZE] = "";

	/* While lauxend is started anew its snmpd has no such object: the row comes back. */
	if (!state || state->type != ASN_INTEGER) {
		job_unheard(job, "its agent does not have the request");
		return;
	}
	job->heard_ms = clock_mono_ms();
	outcome.state = (enum request_state) * state->val.integer;
	outcome.over = outcome.state != REQUEST_QUEUED && outcome.state != REQUEST_RUNNING;
	outcome.unknown = outcome.state == REQUEST_UNDECIDED;
	if (error && error->type == ASN_OCTET_STR && error->val_len < sizeof(text))
		memcpy(text, error->val.string, error->val_len);
	TEXT_SET(outcome.error, text);
	job_tell(job, &outcome);
}

/* Callbacks may make and end jobs: who goes through them begins anew each time. */
static struct job *
job_polled(const struct vmctl_host *host)
{
	struct job *job;

	TAILQ_FOREACH (job, &host->jobs, next)
		if (job->polled)
			return job;
	return NULL;
}

static void
polled_none(struct vmctl_host *host, const char *error)
{
	struct job *job;

	while ((job = job_polled(host))) {
		job->polled = false;
		job_unheard(job, error);
	}
}

static void
polled(void *arg, enum answer answer, netsnmp_pdu *pdu, const char *error)
{
	struct jobs *jobs = arg;
	struct vmctl_host *host =
	    (struct vmctl_host *)((char *)jobs - offsetof(struct vmctl_host, jobs));
	const netsnmp_variable_list *v = pdu ? pdu->variables : NULL;
	struct job *job;

	host->polling = false;
	if (answer != ANSWER_OK || pdu->errstat != SNMP_ERR_NOERROR) {
		polled_none(host, answer == ANSWER_OK ? snmp_errstring((int)pdu->errstat) : error);
	} else {
		while ((job = job_polled(host))) {
			job->polled = false;
			job_heard(job, v, v ? v->next_variable : NULL);
			v = v && v->next_variable ? v->next_variable->next_variable : NULL;
		}
	}
	TAILQ_FOREACH (job, &host->jobs, next)
		if (job->state == JOB_OPEN) {
			poll_arm(host);
			return;
		}
}

/* State and error of each that is looked at. */
static netsnmp_pdu *
poll_pdu(const void *arg)
{
	const struct jobs *jobs = arg;
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);
	struct job *job;

	TAILQ_FOREACH (job, jobs, next) {
		struct mib_oid state, error;

		if (!job->polled)
			continue;
		request_oid(job->request.id, mib_request_BIT_state, &state);
		request_oid(job->request.id, mib_request_BIT_error, &error);
		snmp_add_null_var(pdu, state.arcs, state.count);
		snmp_add_null_var(pdu, error.arcs, error.count);
	}
	return pdu;
}

/* Those that were looked at go to the end, so that all have their turn. */
static void
poll_now(int fd, short what, void *arg)
{
	struct vmctl_host *host = arg;
	struct job *job, *following, *last = TAILQ_LAST(&host->jobs, jobs);
	size_t count = 0;
	bool end = false;

	(void)fd, (void)what;
	for (job = TAILQ_FIRST(&host->jobs); job && !end && count < POLL_JOBS; job = following) {
		following = TAILQ_NEXT(job, next);
		end = job == last;
		if (job->state != JOB_OPEN)
			continue;
		TAILQ_REMOVE(&host->jobs, job, next);
		TAILQ_INSERT_TAIL(&host->jobs, job, next);
		job->polled = true;
		count++;
	}
	if (count == 0 || !host->read)
		return;
	host->polling = true;
	session_send(host->read, poll_pdu, polled, &host->jobs);
}

/* The read session is there where a fetch was; else it is made. */
static void
poll_begin(struct vmctl_host *host)
{
	char error[VMCTL_ERROR_SIZE];

	host_session(host, false, error);
	if (!host->poll)
		host->poll = evtimer_new(host->vmctl->base, poll_now, host);
	host->poll_ms = POLL_FIRST_MS;
	poll_arm(host);
}

/* ---- asking ---- */

/* The variable that an error is of. */
enum blamed { BLAMED_ANY, BLAMED_VM, BLAMED_VERB, BLAMED_NUMBER, BLAMED_STATUS, BLAMED_CANCEL };
enum about { ABOUT_NOTHING, ABOUT_VM, ABOUT_VERB, ABOUT_NUMBER, ABOUT_ID };

static const char no_access[] =
    "its snmpd does not let us ask for it: give the profile a write-profile of a user with the "
    "view operate, or see whether lauxend runs";
/* snmpd says so as well when the agent went between CommitSet and CleanupSet, and what that holds
 * is carried out. */
static const char ended[] = "its agent ended meanwhile";

static const struct {
	enum blamed blamed;
	int status;
	enum about about;
	const char *text; /* with %s where it is about something */
	bool unknown;
} refusals[] = {
    {BLAMED_ANY, SNMP_ERR_NOACCESS, ABOUT_NOTHING, no_access, false},
    {BLAMED_ANY, SNMP_ERR_NOTWRITABLE, ABOUT_NOTHING, no_access, false},
    {BLAMED_ANY, SNMP_ERR_READONLY, ABOUT_NOTHING, no_access, false},
    {BLAMED_ANY, SNMP_ERR_NOSUCHNAME, ABOUT_NOTHING, no_access, false},
    {BLAMED_ANY, SNMP_ERR_NOCREATION, ABOUT_NOTHING, no_access, false},
    {BLAMED_ANY, SNMP_ERR_AUTHORIZATIONERROR, ABOUT_NOTHING, no_access, false},
    {BLAMED_ANY, SNMP_ERR_GENERR, ABOUT_NOTHING, ended, true},
    {BLAMED_ANY, SNMP_ERR_UNDOFAILED, ABOUT_NOTHING, ended, true},
    {BLAMED_ANY, SNMP_ERR_COMMITFAILED, ABOUT_NOTHING,
     "its agent could not store the request; try once more", false},
    {BLAMED_ANY, SNMP_ERR_RESOURCEUNAVAILABLE, ABOUT_VM,
     "too many requests of %s are open already, or its agent is not ready", false},
    {BLAMED_VM, SNMP_ERR_INCONSISTENTVALUE, ABOUT_VM, "there is no VM %s on it", false},
    {BLAMED_VERB, SNMP_ERR_WRONGVALUE, ABOUT_VERB, "its agent does not know %s; is it older?",
     false},
    {BLAMED_VERB, SNMP_ERR_INCONSISTENTVALUE, ABOUT_VERB, "%s is impossible in its state", false},
    {BLAMED_NUMBER, SNMP_ERR_WRONGVALUE, ABOUT_NUMBER, "%s is out of its range", false},
    {BLAMED_NUMBER, SNMP_ERR_INCONSISTENTVALUE, ABOUT_NUMBER, "%s is out of its range", false},
    {BLAMED_STATUS, SNMP_ERR_INCONSISTENTVALUE, ABOUT_ID,
     "a request with the id %s is there already, and is another one", false},
    {BLAMED_CANCEL, SNMP_ERR_INCONSISTENTVALUE, ABOUT_NOTHING,
     "it runs already, and cannot be taken back", false},
};

static void
about_text(const struct vmctl_request *request, enum about about, char text[VMCTL_ERROR_SIZE])
{
	const char *verb = name_of(verb_names, (int)request->verb);

	if (about == ABOUT_NUMBER)
		text_format(text, VMCTL_ERROR_SIZE, "%s with %" PRIu32, verb, request->number);
	else
		text_format(text, VMCTL_ERROR_SIZE, "%s",
			    about == ABOUT_VM	? request->vm
			    : about == ABOUT_ID ? request->id
						: verb);
}

/* The parts in the order of job_pdu(), which leaves out a number that is 0. */
static enum blamed
blamed_at(const struct vmctl_request *request, bool cancels, long index)
{
	if (cancels)
		return BLAMED_CANCEL;
	if (index < 1 || index > BLAMED_STATUS)
		return BLAMED_ANY;
	return index == BLAMED_NUMBER && request->number == 0 ? BLAMED_STATUS : (enum blamed)index;
}

bool
request_explain(const struct vmctl_request *request, bool cancels, const netsnmp_pdu *pdu,
		char error[VMCTL_ERROR_SIZE])
{
	enum blamed blamed = blamed_at(request, cancels, pdu->errindex);
	char about[VMCTL_ERROR_SIZE];

	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		if (refusals[i].status != pdu->errstat ||
		    (refusals[i].blamed != blamed && refusals[i].blamed != BLAMED_ANY))
			continue;
		about_text(request, refusals[i].about, about);
		text_format(error, VMCTL_ERROR_SIZE, refusals[i].text, about);
		return refusals[i].unknown;
	}
	text_format(error, VMCTL_ERROR_SIZE, "its agent refuses variable %ld of the request (%s)",
		    pdu->errindex, snmp_errstring((int)pdu->errstat));
	return false;
}

/* Whether it was accepted is not known, but its row will tell: it has the id. */
static void
job_look(struct job *job, const char *error)
{
	if (job->cancels || !job->wait) {
		job_fail(job, true, error);
		return;
	}
	job->state = JOB_OPEN;
	job->heard_ms = clock_mono_ms();
	job->outcome.state = REQUEST_QUEUED;
	poll_begin(job->host);
	job_unheard(job, error);
}

static void
job_answered(void *arg, enum answer answer, netsnmp_pdu *pdu, const char *error)
{
	struct job *job = arg;
	struct vmctl_outcome outcome = {.state = REQUEST_QUEUED, .over = !job->wait};
	char text[VMCTL_ERROR_SIZE];

	if (answer == ANSWER_CUT) {
		job_look(job, error);
		return;
	}
	if (answer != ANSWER_OK) {
		job_fail(job, answer == ANSWER_SILENT, error);
		return;
	}
	if (pdu->errstat != SNMP_ERR_NOERROR) {
		if (request_explain(&job->request, job->cancels, pdu, text))
			job_look(job, text);
		else
			job_fail(job, false, text);
		return;
	}
	job->state = JOB_OPEN;
	job->heard_ms = clock_mono_ms();
	if (job->cancels)
		outcome = (struct vmctl_outcome){.state = REQUEST_CANCELLED, .over = true};
	else if (job->wait)
		poll_begin(job->host);
	job_tell(job, &outcome);
}

static void
pdu_add_number(netsnmp_pdu *pdu, const char *id, size_t bit, u_char type, uint32_t number)
{
	struct mib_oid name;
	long value = (long)number;

	request_oid(id, bit, &name);
	snmp_pdu_add_variable(pdu, name.arcs, name.count, type, &value, sizeof(value));
}

static netsnmp_pdu *
job_pdu(const void *arg)
{
	const struct job *job = arg;
	const struct vmctl_request *request = &job->request;
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_SET);
	struct mib_oid name;

	if (!job->cancels) {
		request_oid(request->id, mib_request_BIT_vm, &name);
		snmp_pdu_add_variable(pdu, name.arcs, name.count, ASN_OCTET_STR, request->vm,
				      strlen(request->vm));
		pdu_add_number(pdu, request->id, mib_request_BIT_verb, ASN_INTEGER,
			       (uint32_t)request->verb);
		if (request->number != 0)
			pdu_add_number(pdu, request->id, mib_request_BIT_number, ASN_UNSIGNED,
				       request->number);
	}
	pdu_add_number(pdu, request->id, mib_request_BIT_status, ASN_INTEGER,
		       job->cancels ? ROW_DESTROY : ROW_CREATE_AND_GO);
	return pdu;
}

static struct job *
job_new_one(const struct vmctl_host *host)
{
	struct job *job;

	TAILQ_FOREACH (job, &host->jobs, next)
		if (job->state == JOB_NEW)
			return job;
	return NULL;
}

void
jobs_begin(struct vmctl_host *host, const char *error)
{
	char text[VMCTL_ERROR_SIZE];
	struct job *job;

	while ((job = job_new_one(host))) {
		struct session *session = error ? NULL : host_session(host, true, text);

		if (!session) {
			job_fail(job, false, error ? error : text);
			continue;
		}
		job->state = JOB_SET;
		session_send(session, job_pdu, job_answered, job);
	}
}

static struct job *
job_new(struct vmctl_host *host, vmctl_outcome_fn *changed, void *arg)
{
	struct job *job = mem_alloc(sizeof(*job));

	job->host = host;
	job->changed = changed;
	job->arg = arg;
	TAILQ_INSERT_TAIL(&host->jobs, job, next);
	host->vmctl->open++;
	host_make_due(host);
	return job;
}

void
vmctl_request(struct vmctl_host *host, const struct vmctl_request *request, bool wait,
	      vmctl_outcome_fn *changed, void *arg)
{
	struct job *job = job_new(host, changed, arg);

	job->wait = wait;
	TEXT_SET(job->request.id, request->id);
	TEXT_SET(job->request.vm, request->vm);
	job->request.verb = request->verb;
	job->request.number = request->number;
}

void
vmctl_cancel(struct vmctl_host *host, const char *id, vmctl_outcome_fn *changed, void *arg)
{
	struct job *job = job_new(host, changed, arg);

	job->cancels = true;
	TEXT_SET(job->request.id, id);
}
