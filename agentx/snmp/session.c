#include "snmp/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <net-snmp/library/large_fd_set.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mib/objects.h"
#include "snmp/link.h"

#define RETRY_MS 200	/* between two attempts to reach snmpd */
#define REFUSED_MS 5000 /* after snmpd refused us, which a person has to mend */
#define PING_MS 1000	/* a session that snmpd has forgotten is found by then */
#define ANSWER_MS 30000 /* an snmpd that is silent so long is given up, and reached anew */

enum session_state { SESSION_DOWN, SESSION_OPENING, SESSION_REGISTERING, SESSION_OPEN };

struct session {
	struct event_base *base;
	const struct session_handlers *handlers;
	void *arg;
	char *socket;
	enum session_state state;
	void *link; /* net-snmp's session; NULL: none */
	struct event *readable, *timer;
	netsnmp_large_fd_set readable_set; /* the link's descriptor, for snmp_sess_read2() */
	int registrations;		   /* whose answers are awaited */
	bool pinging;
	bool lost;		   /* to be closed as soon as we are out of net-snmp's functions */
	int retry_ms;		   /* after this loss */
	char complaint[TEXT_SIZE]; /* what was logged last: only another one is logged again */
};

static void session_turn(int fd, short what, void *arg);

static void
session_complain(struct session *session, const char *complaint)
{
	if (strcmp(session->complaint, complaint) == 0)
		return;
	TEXT_SET(session->complaint, complaint);
	log_warn("snmpd at %s %s", session->socket, complaint);
}

static void
session_lose(struct session *session, const char *why, int retry_ms)
{
	if (session->lost)
		return;
	session_complain(session, why);
	session->lost = true;
	session->retry_ms = retry_ms;
	/* net-snmp closes the socket by itself, and the next one to be opened may get its number.
	 */
	if (session->readable)
		event_del(session->readable);
	event_active(session->timer, EV_TIMEOUT, 0);
}

static void
session_schedule(struct session *session, int ms)
{
	struct timeval delay = {ms / 1000, ms % 1000 * 1000};

	event_add(session->timer, &delay);
}

static void
session_close(struct session *session)
{
	bool was_open = session->state == SESSION_OPEN;
	void *link = session->link;

	session->state = SESSION_DOWN;
	session->link = NULL;
	session->lost = false;
	session->pinging = false;
	if (session->readable)
		event_free(session->readable);
	session->readable = NULL;
	if (link)
		snmp_sess_close(link);
	if (was_open)
		session->handlers->closed(session->arg);
}

/* False: could not be sent, and the session is lost. */
static bool
session_send(struct session *session, netsnmp_pdu *pdu, snmp_callback answered, void *data)
{
	pdu->version = AGENTX_VERSION;
	pdu->sessid = snmp_sess_session(session->link)->sessid;
	if (snmp_sess_async_send(session->link, pdu, answered, data) != 0)
		return true;
	snmp_free_pdu(pdu);
	session_lose(session, "takes nothing any more", RETRY_MS);
	return false;
}

/* What every answer to a request of ours is: true where snmpd did it. */
static bool
session_agreed(struct session *session, int operation, const netsnmp_pdu *pdu, const char *refusal)
{
	if (session->lost || !session->link)
		return false;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE && pdu->errstat == SNMP_ERR_NOERROR)
		return true;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE)
		session_lose(session, refusal, REFUSED_MS);
	else if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT)
		session_lose(session, "does not answer", RETRY_MS);
	return false;
}

static int
session_registered(int operation, netsnmp_session *link, int reqid, netsnmp_pdu *pdu, void *arg)
{
	struct session *session = arg;

	(void)link, (void)reqid;
	if (!session_agreed(session, operation, pdu,
			    "refuses our subtrees (has another agent registered them?)"))
		return 1;
	if (--session->registrations > 0)
		return 1;
	log_info("serves snmpd at %s", session->socket);
	session->complaint[0] = 0;
	session->state = SESSION_OPEN;
	session->handlers->opened(session->arg);
	return 1;
}

static void
session_register(struct session *session, const unsigned long *root, size_t count, const char *text)
{
	netsnmp_pdu *subtree = snmp_pdu_create(AGENTX_REGISTER);
	netsnmp_pdu *capability = snmp_pdu_create(AGENTX_ADD_CAPS);

	subtree->priority = AGENTX_PRIORITY;
	snmp_add_null_var(subtree, root, count);
	snmp_pdu_add_variable(capability, root, count, ASN_OCTET_STR, text, strlen(text));
	session->registrations += 2;
	if (session_send(session, subtree, session_registered, session))
		session_send(session, capability, session_registered, session);
	else
		snmp_free_pdu(capability);
}

/* VM-MIB: its objects; its notifications need no registration. */
static int
session_opened(int operation, netsnmp_session *link, int reqid, netsnmp_pdu *pdu, void *arg)
{
	static const unsigned long vm_objects[] = {MIB_VM_MIB, 1};
	struct session *session = arg;

	(void)reqid;
	if (!session_agreed(session, operation, pdu, "refuses the AgentX session"))
		return 1;
	link->sessid = pdu->sessid;
	session->state = SESSION_REGISTERING;
	session->registrations = 0;
	session_register(session, mib_root, mib_root_count, "LAUXEN-MIB, Xen hosts and their VMs");
	session_register(session, vm_objects, mib_vm_mib_count + 1, "VM-MIB (RFC 7666)");
	return 1;
}

static int
session_pinged(int operation, netsnmp_session *link, int reqid, netsnmp_pdu *pdu, void *arg)
{
	struct session *session = arg;

	(void)link, (void)reqid;
	session->pinging = false;
	session_agreed(session, operation, pdu, "has forgotten us");
	return 1;
}

static int
session_notified(int operation, netsnmp_session *link, int reqid, netsnmp_pdu *pdu, void *arg)
{
	struct session *session = link->callback_magic;

	(void)reqid;
	if (session_agreed(session, operation, pdu, "refuses notifications"))
		session->handlers->notified(session->arg, (uint32_t)(uintptr_t)arg);
	return 1;
}

bool
session_notify(struct session *session, netsnmp_variable_list *variables, uint32_t token)
{
	netsnmp_pdu *pdu;

	if (session->state != SESSION_OPEN || session->lost) {
		snmp_free_varbind(variables);
		return false;
	}
	pdu = snmp_pdu_create(AGENTX_NOTIFY);
	pdu->variables = variables;
	return session_send(session, pdu, session_notified, (void *)(uintptr_t)token);
}

/* The answer takes the variables of the request over, as the handler left them. */
static void
session_answer(struct session *session, netsnmp_pdu *pdu)
{
	netsnmp_pdu *answer;

	session->handlers->answer(session->arg, pdu);
	if (pdu->command == AGENTX_CLEANUPSET) /* the one that has no answer: RFC 2741, 7.2.4.4 */
		return;
	answer = snmp_pdu_create(AGENTX_RESPONSE);
	answer->version = AGENTX_VERSION;
	answer->flags = pdu->flags & AGENTX_NETWORK_BYTE_ORDER;
	answer->sessid = pdu->sessid;
	answer->transid = pdu->transid;
	answer->reqid = pdu->reqid;
	answer->errstat = pdu->errstat;
	answer->errindex = pdu->errindex;
	answer->variables = pdu->variables;
	pdu->variables = NULL;
	if (snmp_sess_send(session->link, answer) != 0)
		return;
	snmp_free_pdu(answer);
	session_lose(session, "takes nothing any more", RETRY_MS);
}

/* Whatever snmpd sends that answers nothing of ours. */
static int
session_received(int operation, netsnmp_session *link, int reqid, netsnmp_pdu *pdu, void *arg)
{
	struct session *session = arg;

	(void)link, (void)reqid;
	if (operation == NETSNMP_CALLBACK_OP_DISCONNECT)
		session_lose(session, "closed the session", RETRY_MS);
	if (operation != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || session->lost)
		return 1;
	if (pdu->command == AGENTX_CLOSE)
		session_lose(session, "closed the session", RETRY_MS);
	else if (pdu->command != AGENTX_RESPONSE)
		session_answer(session, pdu);
	return 1;
}

static void
session_readable(int fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd, (void)what;
	if (!session->lost)
		snmp_sess_read2(session->link, &session->readable_set);
}

static void
session_watch(struct session *session, int fd)
{
	netsnmp_large_fd_set_cleanup(&session->readable_set);
	netsnmp_large_fd_set_init(&session->readable_set, fd + 1);
	netsnmp_large_fd_setfd(fd, &session->readable_set);
	session->readable =
	    event_new(session->base, fd, EV_READ | EV_PERSIST, session_readable, session);
	if (!session->readable || event_add(session->readable, NULL) < 0)
		fatal("libevent refuses snmpd's socket");
}

static bool
session_connect(struct session *session)
{
	netsnmp_transport *transport = link_connect(session->socket);
	netsnmp_session template;

	if (!transport)
		return false;
	snmp_sess_init(&template);
	template.version = AGENTX_VERSION;
	template.retries = 0;
	template.timeout = ANSWER_MS * 1000L;
	template.flags |= SNMP_FLAGS_STREAM_SOCKET;
	template.callback = session_received;
	template.callback_magic = session;
	session->link = snmp_sess_add_ex(&template, transport, NULL, agentx_parse, NULL, NULL,
					 agentx_realloc_build, agentx_check_packet, NULL);
	if (!session->link)
		return false;
	session_watch(session, transport->sock);
	return true;
}

static void
session_unreachable(struct session *session, int error)
{
	char complaint[TEXT_SIZE];

	TEXT_FORMAT(complaint, "cannot be reached: %s; waiting for it%s", strerror(error),
		    error == EACCES ? " (see agentXPerms in snmpd.conf(5))" : "");
	session_complain(session, complaint);
}

static void
session_open(struct session *session)
{
	static const char name[] = "lauxend " VERSION;
	netsnmp_pdu *pdu;

	if (!session_connect(session)) {
		session_unreachable(session, errno);
		session_schedule(session, RETRY_MS);
		return;
	}
	session->state = SESSION_OPENING;
	pdu = snmp_pdu_create(AGENTX_OPEN);
	snmp_pdu_add_variable(pdu, mib_root, mib_root_count, ASN_OCTET_STR, name, strlen(name));
	session_send(session, pdu, session_opened, session);
	if (!session->lost)
		session_schedule(session, PING_MS);
}

static void
session_ping(struct session *session)
{
	if (session->state == SESSION_OPEN && !session->pinging) {
		session->pinging = true;
		session_send(session, snmp_pdu_create(AGENTX_PING), session_pinged, session);
	}
	if (!session->lost)
		session_schedule(session, PING_MS);
}

/* The timer: whatever is due in this state. */
static void
session_turn(int fd, short what, void *arg)
{
	struct session *session = arg;

	(void)fd, (void)what;
	if (session->link && !session->lost)
		snmp_sess_timeout(session->link);
	if (session->lost) {
		int retry_ms = session->retry_ms;

		session_close(session);
		session_schedule(session, retry_ms);
	} else if (session->link) {
		session_ping(session);
	} else {
		session_open(session);
	}
}

static int
session_log(int major, int minor, void *message, void *arg)
{
	const struct snmp_log_message *log = message;

	(void)major, (void)minor, (void)arg;
	log_debug("net-snmp: %.*s", (int)strcspn(log->msg, "\n"), log->msg);
	return 0;
}

/* net-snmp without files: no configuration, no MIBs, no state, no signal for its timers. */
static void
library_init(void)
{
	static const int settings[] = {
	    NETSNMP_DS_LIB_DONT_READ_CONFIGS, NETSNMP_DS_LIB_DONT_PERSIST_STATE,
	    NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE,
	    NETSNMP_DS_LIB_ALARM_DONT_USE_SIG};

	setenv("MIBS", "", 1);
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, settings[i], 1);
	snmp_disable_log();
	netsnmp_register_loghandler(NETSNMP_LOGHANDLER_CALLBACK, LOG_DEBUG);
	snmp_register_callback(SNMP_CALLBACK_LIBRARY, SNMP_CALLBACK_LOGGING, session_log, NULL);
	init_snmp("lauxend");
}

struct session *
session_new(struct event_base *base, const char *socket, const struct session_handlers *handlers,
	    void *arg)
{
	struct session *session = mem_alloc(sizeof(*session));

	library_init();
	session->base = base;
	session->handlers = handlers;
	session->arg = arg;
	session->socket = mem_string(socket);
	session->timer = evtimer_new(base, session_turn, session);
	if (!session->timer)
		fatal("libevent refuses a timer");
	session_schedule(session, 0);
	return session;
}

void
session_free(struct session *session)
{
	session_close(session);
	netsnmp_large_fd_set_cleanup(&session->readable_set);
	event_free(session->timer);
	free(session->socket);
	free(session);
}

void
session_move(struct session *session, const char *socket)
{
	if (strcmp(session->socket, socket) == 0)
		return;
	log_info("leaves snmpd at %s for %s", session->socket, socket);
	free(session->socket);
	session->socket = mem_string(socket);
	session->complaint[0] = 0;
	session_close(session);
	session_schedule(session, 0);
}

bool
session_is_open(const struct session *session)
{
	return session->state == SESSION_OPEN && !session->lost;
}
