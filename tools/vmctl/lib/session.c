#include "tools/vmctl/lib/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>
#include <event2/util.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>

#include "base/clock.h"
#include "base/mem.h"
#include "tools/vmctl/lib/keys.h"

#define ENGINE_ID_MIN 5 /* octets, RFC 3411: SnmpEngineID */
#define ENGINE_ID_MAX 32
#define NO_PROTOCOL_ARCS 10 /* usmNoAuthProtocol, usmNoPrivProtocol */

enum session_state {
	SESSION_CLOSED,
	SESSION_DISCOVERING, /* SNMPv3: its engine's id is asked for */
	SESSION_OPEN
};

/*
 * An ask is in one list of its session's, and comes to one end, told from the loop and never within
 * session_send():
 *
 *   new --> waiting --> sent --> answered, refused, or silent at its last try
 *    |     (for the    |  ^ |
 *    |     engine's id)|  +-+ a try is left
 *    |                 v
 *    +------------> failed: nothing could be sent
 */
struct ask {
	TAILQ_ENTRY(ask) next;
	struct session *session;
	make_fn *make;
	int tries;    /* that are left */
	bool raw;     /* reads the variables by itself */
	long id;      /* the same for all tries, so that a late answer to the first counts */
	bool in_time; /* its engine's clock was learned once for it */
	int64_t expires_ms;
	enum answer answer; /* of one that could not be sent */
	answered_fn *answered;
	void *arg;
};

struct session {
	TAILQ_ENTRY(session) grave;
	struct vmctl *vmctl;
	const struct profile *profile;
	char address[TRANSPORT_SIZE];
	int timeout_ms, retries;
	enum session_state state;
	bool sending, armed, dead, refused; /* refused: by ICMP: nobody listens there */
	void *link;			    /* net-snmp's session */
	netsnmp_large_fd_set readable_set;
	struct event *readable, *timer;
	TAILQ_HEAD(asks, ask) waiting, sent, failed;
	struct ber_head head; /* of the SNMPv2c answer that is being read */
	bool has_head;
	char *error; /* why it is of no use; NULL: nothing is wrong */
};

/* Everything that net-snmp would read from files or write is ours to decide. */
void
session_init(void)
{
	static bool done;
	char *mibs = getenv("MIBS");

	if (done)
		return;
	done = true;
	mibs = mibs ? mem_string(mibs) : NULL;
	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	snmp_disable_log();
	init_snmp("vmctl");
	if (mibs)
		setenv("MIBS", mibs, 1);
	else
		unsetenv("MIBS");
	free(mibs);
}

static void __attribute__((format(printf, 2, 3)))
session_say(struct session *session, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	free(session->error);
	session->error = mem_string(text);
}

/* ---- the end of asks ---- */

static void
ask_end(struct ask *ask, struct asks *list, enum answer answer, netsnmp_pdu *pdu, const char *error)
{
	TAILQ_REMOVE(list, ask, next);
	if (ask->answered)
		ask->answered(ask->arg, answer, pdu, error);
	free(ask);
}

static void
asks_fail(struct asks *list, enum answer answer, const char *error)
{
	struct ask *ask;

	while ((ask = TAILQ_FIRST(list)))
		ask_end(ask, list, answer, NULL, error);
}

static void ask_send(struct session *session, struct ask *ask);

static void
session_arm(struct session *session, int64_t at_ms)
{
	int64_t wait_ms = at_ms - clock_mono_ms();
	struct timeval delay;

	if (wait_ms < 0)
		wait_ms = 0;
	delay = (struct timeval){wait_ms / 1000, wait_ms % 1000 * 1000};
	event_add(session->timer, &delay);
	session->armed = true;
}

/* ---- discovery of the engine ---- */

/* The user without a name that a probe is of (RFC 3414, 4). */
static void
probe_user(void)
{
	struct usmUser *user = usm_get_user(NULL, 0, "");

	if (user)
		return;
	user = mem_alloc(sizeof(*user));
	user->name = mem_string("");
	user->secName = mem_string("");
	user->authProtocolLen = NO_PROTOCOL_ARCS;
	user->authProtocol = snmp_duplicate_objid(usmNoAuthProtocol, NO_PROTOCOL_ARCS);
	user->privProtocolLen = NO_PROTOCOL_ARCS;
	user->privProtocol = snmp_duplicate_objid(usmNoPrivProtocol, NO_PROTOCOL_ARCS);
	usm_add_user(user);
}

static netsnmp_pdu *
probe_pdu(const void *arg)
{
	netsnmp_pdu *pdu = snmp_pdu_create(SNMP_MSG_GET);

	(void)arg;
	probe_user();
	pdu->version = SNMP_VERSION_3;
	pdu->securityName = mem_string("");
	pdu->securityNameLen = 0;
	pdu->securityLevel = SNMP_SEC_LEVEL_NOAUTH;
	pdu->securityModel = SNMP_SEC_MODEL_USM;
	return pdu;
}

static void
engine_set(u_char **id, size_t *size, const netsnmp_pdu *report)
{
	free(*id);
	*id = netsnmp_memdup(report->securityEngineID, report->securityEngineIDLen);
	*size = report->securityEngineIDLen;
}

/* The id is of whoever answered; whether it is the right one shows by its keys. */
static bool
engine_take(struct session *session, const netsnmp_pdu *report)
{
	netsnmp_session *link = snmp_sess_session(session->link);

	if (!report->securityEngineID || report->securityEngineIDLen < ENGINE_ID_MIN ||
	    report->securityEngineIDLen > ENGINE_ID_MAX)
		return false;
	engine_set(&link->securityEngineID, &link->securityEngineIDLen, report);
	engine_set(&link->contextEngineID, &link->contextEngineIDLen, report);
	link->flags &= ~SNMP_FLAGS_USER_CREATED;
	return usm_create_user_from_session(link) == SNMPERR_SUCCESS;
}

static void
session_ready(struct session *session)
{
	struct ask *ask;

	session->state = SESSION_OPEN;
	while ((ask = TAILQ_FIRST(&session->waiting))) {
		TAILQ_REMOVE(&session->waiting, ask, next);
		if (ask->answered)
			ask_send(session, ask);
		else
			free(ask);
	}
}

/* Only a Report tells an engine's id, and it comes as an error. */
static void
session_probed(void *arg, enum answer answer, netsnmp_pdu *report, const char *error)
{
	struct session *session = arg;

	if (session->state == SESSION_OPEN)
		return;
	session->state = SESSION_CLOSED;
	if (answer == ANSWER_OK && engine_take(session, report))
		session_ready(session);
	else if (answer == ANSWER_OK)
		asks_fail(&session->waiting, ANSWER_FAILED, "its SNMP engine has no valid id");
	else
		asks_fail(&session->waiting, answer, error);
}

static struct ask *ask_new(struct session *session, make_fn *make, answered_fn *answered,
			   void *arg);

static void
session_probe(struct session *session)
{
	struct ask *ask = ask_new(session, probe_pdu, session_probed, session);

	session->state = SESSION_DISCOVERING;
	ask_send(session, ask);
}

/* ---- answers ---- */

/* Reports of RFC 3414, section 3.2, in words. */
static const struct {
	int type;
	const char *text;
} reports[] = {
    {SNMPERR_UNKNOWN_USER_NAME, "it knows no such user"},
    {SNMPERR_AUTHENTICATION_FAILURE, "the password, or its protocol, is wrong"},
    {SNMPERR_UNSUPPORTED_SEC_LEVEL, "the user has no such security level there"},
    {SNMPERR_DECRYPTION_ERR, "the privacy password, or its protocol, is wrong"},
    {SNMPERR_USM_DECRYPTIONERROR, "the privacy password, or its protocol, is wrong"},
    {SNMPERR_NOT_IN_TIME_WINDOW, "its clock and ours do not agree, also after a second try"},
    {SNMPERR_UNKNOWN_ENG_ID, "its SNMP engine is another one now; try once more"},
};

static void
ask_again(struct ask *ask)
{
	TAILQ_REMOVE(&ask->session->sent, ask, next);
	ask_send(ask->session, ask);
}

static void
ask_reported(struct ask *ask, netsnmp_pdu *report)
{
	struct session *session = ask->session;
	int type = snmpv3_get_report_type(report);
	char error[VMCTL_ERROR_SIZE];
	const char *text = "for a reason that it does not tell";

	if (ask->make == probe_pdu) {
		ask_end(ask, &session->sent, ANSWER_OK, report, NULL);
		return;
	}
	for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (reports[i].type == type)
			text = reports[i].text;
	if (type == SNMPERR_NOT_IN_TIME_WINDOW && !ask->in_time && ask->answered) {
		ask->in_time = true; /* the report had the time, and net-snmp has taken it */
		ask->tries++;
		ask_again(ask);
		return;
	}
	if (type == SNMPERR_UNKNOWN_ENG_ID)
		session->state = SESSION_CLOSED;
	TEXT_FORMAT(error, "it refuses user %s (profile %s): %s", session->profile->user,
		    session->profile->name, text);
	ask_end(ask, &session->sent, ANSWER_REFUSED, NULL, error);
}

static void
ask_silent(struct ask *ask)
{
	struct session *session = ask->session;
	char error[VMCTL_ERROR_SIZE];
	int tries = session->retries + 1;

	if (ask->tries > 0 && ask->answered && !session->dead) {
		ask_again(ask);
		return;
	}
	/* Of another engine's Report, which has our user, net-snmp makes nothing: so it is looked
	 * for. */
	if (session->profile->version == PROFILE_V3 && session->state == SESSION_OPEN)
		session->state = SESSION_CLOSED;
	TEXT_FORMAT(error, "no answer to %d %s of %d ms%s", tries, tries == 1 ? "try" : "tries",
		    session->timeout_ms,
		    session->refused ? " (no SNMP agent listens there)"
		    : session->profile->version == PROFILE_V2C
			? " (or its community is not that of the profile)"
			: "");
	ask_end(ask, &session->sent, ANSWER_SILENT, NULL, error);
}

/* What cannot be sent fails from the timer, and not within session_send(). */
static void
ask_failed(struct ask *ask, int error)
{
	struct session *session = ask->session;

	TAILQ_REMOVE(&session->sent, ask, next);
	TAILQ_INSERT_TAIL(&session->failed, ask, next);
	ask->answer = error == SNMPERR_BAD_SENDTO || error == 0 ? ANSWER_FAILED : ANSWER_REFUSED;
	if (ask->answer == ANSWER_FAILED && errno == ECONNREFUSED) {
		ask->answer = ANSWER_SILENT;
		session_say(session, "no SNMP agent listens there");
	} else {
		session_say(session, "nothing can be sent to it: %s",
			    ask->answer == ANSWER_FAILED ? strerror(errno)
							 : snmp_api_errstring(error));
		/* An earlier try went out. */
		if (ask->answer == ANSWER_FAILED && ask->tries < session->retries)
			ask->answer = ANSWER_CUT;
	}
	session_arm(session, 0);
}

/* Who does not read the variables himself gets them as net-snmp makes them. */
static void
ask_answered(struct ask *ask, netsnmp_pdu *pdu)
{
	struct session *session = ask->session;
	size_t size = (size_t)(session->head.pdu.end - session->head.pdu.at);

	session->refused = false;
	if (session->has_head && !ask->raw) {
		session->has_head = false;
		if (snmp_pdu_parse(pdu, (u_char *)session->head.pdu.at, &size) != 0) {
			ask_end(ask, &session->sent, ANSWER_FAILED, NULL,
				"its answer is malformed");
			return;
		}
	}
	ask_end(ask, &session->sent, ANSWER_OK, pdu, NULL);
}

bool
session_binds(const struct session *session, struct ber *binds)
{
	if (session->has_head)
		*binds = session->head.binds;
	return session->has_head;
}

/* In the place of net-snmp's own reader, of SNMPv2c: the head, and where the rest is. */
static int
answer_parse(netsnmp_session *link, netsnmp_pdu *pdu, u_char *data, size_t size)
{
	struct session *session = link->myvoid;

	session->has_head = ber_answer(data, size, &session->head);
	if (!session->has_head)
		return SNMPERR_ASN_PARSE_ERR;
	pdu->version = SNMP_VERSION_2c;
	pdu->command = SNMP_MSG_RESPONSE;
	pdu->flags |= UCD_MSG_FLAG_RESPONSE_PDU;
	pdu->reqid = session->head.id;
	pdu->errstat = session->head.status;
	pdu->errindex = session->head.index;
	return SNMP_ERR_NOERROR;
}

/* net-snmp calls this twice for a Report: as a message, and as an error unless it tries again by
 * itself; whichever comes last, what was asked for may be gone by then. */
static int
session_answered(int operation, netsnmp_session *link, int reqid, netsnmp_pdu *pdu, void *arg)
{
	const struct session *session = link->myvoid;
	struct ask *ask = arg;

	(void)reqid;
	if (operation == NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE) {
		if (pdu->command != SNMP_MSG_REPORT)
			ask_answered(ask, pdu);
	} else if (operation == NETSNMP_CALLBACK_OP_TIMED_OUT) {
		ask_silent(ask);
	} else if (operation == NETSNMP_CALLBACK_OP_SEC_ERROR && !session->sending) {
		ask_reported(ask, pdu);
	} else if (!session->sending) {
		ask_failed(ask, link->s_snmp_errno);
	}
	return 1;
}

/*
 * net-snmp would keep the PDU for its own tries: 1 KiB for each variable, of each host that has not
 * answered yet. So it has one try only, its variables go as soon as they are sent, and another try
 * is another PDU.
 */
static void
ask_send(struct session *session, struct ask *ask)
{
	netsnmp_pdu *pdu = ask->make(ask->arg);
	int sent;

	if (ask->id)
		pdu->reqid = ask->id;
	ask->id = pdu->reqid;
	ask->tries--;
	ask->expires_ms = clock_mono_ms() + session->timeout_ms;
	TAILQ_INSERT_TAIL(&session->sent, ask, next);
	session->sending = true;
	errno = 0;
	sent = snmp_sess_async_send(session->link, pdu, session_answered, ask);
	if (sent == 0 && errno == ECONNREFUSED) /* ICMP's word on what was sent before */
		sent = snmp_sess_async_send(session->link, pdu, session_answered, ask);
	session->sending = false;
	if (sent == 0) {
		snmp_free_pdu(pdu);
		ask_failed(ask, snmp_sess_session(session->link)->s_snmp_errno);
		return;
	}
	snmp_free_varbind(pdu->variables);
	pdu->variables = NULL;
	if (!session->armed)
		session_arm(session, ask->expires_ms + 1);
}

/* net-snmp looks itself which requests are late. */
static void
session_turn(int fd, short what, void *arg)
{
	struct session *session = arg;
	struct ask *ask;
	int64_t next_ms = INT64_MAX;

	(void)fd, (void)what;
	session->armed = false;
	while (!session->dead && (ask = TAILQ_FIRST(&session->failed))) {
		char error[VMCTL_ERROR_SIZE];

		TEXT_SET(error, session->error ? session->error : "");
		ask_end(ask, &session->failed, ask->answer, NULL, error);
	}
	if (session->dead || !session->link)
		return;
	snmp_sess_timeout(session->link);
	TAILQ_FOREACH (ask, &session->sent, next)
		if (ask->expires_ms < next_ms)
			next_ms = ask->expires_ms;
	if (!TAILQ_EMPTY(&session->failed))
		next_ms = 0;
	if (next_ms != INT64_MAX && !session->dead)
		session_arm(session, next_ms + 1);
}

static void
session_readable(int fd, short what, void *arg)
{
	struct session *session = arg;

	(void)what;
	NETSNMP_LARGE_FD_SET(fd, &session->readable_set);
	errno = 0;
	session->has_head = false;
	if (snmp_sess_read2(session->link, &session->readable_set) != 0 && errno == ECONNREFUSED)
		session->refused = true;
}

/* ---- opening ---- */

static void
template_v3(const struct session *session, netsnmp_session *template)
{
	const struct profile *profile = session->profile;
	const struct profile_keys *keys = profile_keys_of(profile);

	template->version = SNMP_VERSION_3;
	template->securityModel = SNMP_SEC_MODEL_USM;
	template->securityName = profile->user;
	template->securityNameLen = strlen(profile->user);
	template->securityLevel = (int)profile->level;
	template->contextName = profile->context;
	template->contextNameLen = profile->context ? strlen(profile->context) : 0;
	template->securityAuthProto = (oid *)keys->auth;
	template->securityAuthProtoLen = keys->auth_count;
	template->securityPrivProto = (oid *)keys->priv;
	template->securityPrivProtoLen = keys->priv_count;
	if (keys->auth) {
		memcpy(template->securityAuthKey, keys->auth_key, keys->auth_key_size);
		template->securityAuthKeyLen = keys->auth_key_size;
	}
	if (keys->priv) {
		memcpy(template->securityPrivKey, keys->priv_key, keys->priv_key_size);
		template->securityPrivKeyLen = keys->priv_key_size;
	}
	template->flags |= SNMP_FLAGS_DONT_PROBE;
}

/* As the socket is connected, net-snmp need not know of whom a packet is, or from where: plain
 * send() and recv() save it three system calls of four. */
static int
transport_send(netsnmp_transport *transport, const void *data, int size, void **opaque,
	       int *opaque_size)
{
	(void)opaque, (void)opaque_size;
	return (int)send(transport->sock, data, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int
transport_recv(netsnmp_transport *transport, void *data, int size, void **opaque, int *opaque_size)
{
	*opaque = NULL;
	*opaque_size = 0;
	return (int)recv(transport->sock, data, (size_t)size, MSG_DONTWAIT);
}

/* The socket takes answers of this address alone, and learns of ICMP errors. */
static bool
session_connect(struct session *session, netsnmp_transport *transport)
{
	struct sockaddr_storage to;
	int size = sizeof(to);

	if (evutil_parse_sockaddr_port(strchr(session->address, ':') + 1, (struct sockaddr *)&to,
				       &size) != 0 ||
	    connect(transport->sock, (struct sockaddr *)&to, (socklen_t)size) != 0)
		return false;
	transport->f_send = transport_send;
	transport->f_recv = transport_recv;
	return true;
}

static void *
open_v2c(const struct session *session, netsnmp_session *template)
{
	netsnmp_transport *transport = netsnmp_tdomain_transport(session->address, 0, "udp");

	if (!transport)
		return NULL;
	return snmp_sess_add_ex(template, transport, NULL, answer_parse, NULL, NULL, NULL, NULL,
				NULL);
}

static bool
session_open(struct session *session)
{
	netsnmp_session template;
	netsnmp_transport *transport;
	int fd;

	snmp_sess_init(&template);
	template.peername = session->address;
	template.timeout = session->timeout_ms * 1000L;
	template.retries = 0;
	template.version = SNMP_VERSION_2c;
	if (session->profile->version == PROFILE_V2C) {
		template.community = (u_char *)session->profile->community;
		template.community_len = strlen(session->profile->community);
	} else {
		template_v3(session, &template);
		if (*session->profile->keys->error) {
			session_say(session, "%s", session->profile->keys->error);
			return false;
		}
	}
	template.myvoid = session;
	session->link = session->profile->version == PROFILE_V2C ? open_v2c(session, &template)
								 : snmp_sess_open(&template);
	explicit_bzero(&template, sizeof(template));
	if (!session->link) {
		session_say(session, "no session to %s: %s", session->address,
			    errno ? strerror(errno) : snmp_api_errstring(snmp_errno));
		return false;
	}
	/* Else it would look for the engine's id by itself, and wait for it. */
	snmp_sess_session(session->link)->flags |= SNMP_FLAGS_DONT_PROBE;
	/* Less than none: nor would it send what a Report of another time is of once more. */
	snmp_sess_session(session->link)->retries = -1;
	transport = snmp_sess_transport(session->link);
	fd = transport->sock;
	if (!session_connect(session, transport)) {
		session_say(session, "no way to %s: %s", session->address, strerror(errno));
		snmp_sess_close(session->link);
		session->link = NULL;
		return false;
	}
	netsnmp_large_fd_set_init(&session->readable_set, fd + 1);
	session->readable =
	    event_new(session->vmctl->base, fd, EV_READ | EV_PERSIST, session_readable, session);
	event_add(session->readable, NULL);
	if (session->profile->version == PROFILE_V2C)
		session->state = SESSION_OPEN;
	return true;
}

struct session *
session_new(struct vmctl_host *host, const struct profile *profile, const char *address)
{
	struct session *session = mem_alloc(sizeof(*session));

	session_init();
	session->vmctl = host->vmctl;
	session->profile = profile;
	TEXT_SET(session->address, address);
	session->timeout_ms = host->timeout_ms ? host->timeout_ms : host->vmctl->timeout_ms;
	session->retries = host->retries >= 0 ? host->retries : host->vmctl->retries;
	TAILQ_INIT(&session->waiting);
	TAILQ_INIT(&session->sent);
	TAILQ_INIT(&session->failed);
	session->timer = evtimer_new(host->vmctl->base, session_turn, session);
	return session;
}

static void
session_bury(struct session *session)
{
	struct ask *ask;

	if (session->link)
		snmp_sess_close(session->link);
	while ((ask = TAILQ_FIRST(&session->sent))) {
		TAILQ_REMOVE(&session->sent, ask, next);
		free(ask);
	}
	netsnmp_large_fd_set_cleanup(&session->readable_set);
	event_free(session->timer);
	free(session->error);
	free(session);
}

/* net-snmp may be in the middle of this session: it goes when the loop has its next turn. */
void
session_free(struct session *session)
{
	struct ask *ask;

	if (!session)
		return;
	session->dead = true;
	TAILQ_FOREACH (ask, &session->sent, next)
		ask->answered = NULL;
	TAILQ_FOREACH (ask, &session->waiting, next)
		ask->answered = NULL;
	TAILQ_FOREACH (ask, &session->failed, next)
		ask->answered = NULL;
	asks_fail(&session->waiting, ANSWER_FAILED, "");
	asks_fail(&session->failed, ANSWER_FAILED, "");
	if (session->readable)
		event_free(session->readable);
	session->readable = NULL;
	event_del(session->timer);
	TAILQ_INSERT_TAIL(&session->vmctl->graves, session, grave);
	event_active(session->vmctl->digger, EV_TIMEOUT, 0);
}

void
sessions_bury(struct vmctl *vmctl)
{
	struct session *session;

	while ((session = TAILQ_FIRST(&vmctl->graves))) {
		TAILQ_REMOVE(&vmctl->graves, session, grave);
		session_bury(session);
	}
}

static void
session_ask(struct session *session, struct ask *ask)
{
	if (!session->link && !session_open(session)) {
		ask->answer = ANSWER_FAILED;
		TAILQ_INSERT_TAIL(&session->failed, ask, next);
		session_arm(session, 0);
		return;
	}
	if (session->state == SESSION_OPEN) {
		ask_send(session, ask);
		return;
	}
	TAILQ_INSERT_TAIL(&session->waiting, ask, next);
	if (session->state == SESSION_CLOSED)
		session_probe(session);
}

static struct ask *
ask_new(struct session *session, make_fn *make, answered_fn *answered, void *arg)
{
	struct ask *ask = mem_alloc(sizeof(*ask));

	*ask = (struct ask){.session = session,
			    .make = make,
			    .tries = session->retries + 1,
			    .answered = answered,
			    .arg = arg};
	return ask;
}

void
session_send(struct session *session, make_fn *make, answered_fn *answered, void *arg)
{
	session_ask(session, ask_new(session, make, answered, arg));
}

void
session_send_raw(struct session *session, make_fn *make, answered_fn *answered, void *arg)
{
	struct ask *ask = ask_new(session, make, answered, arg);

	ask->raw = true;
	session_ask(session, ask);
}

int64_t
session_patience_ms(const struct session *session)
{
	return (int64_t)session->timeout_ms * (session->retries + 1);
}

void
session_forget(struct session *session, const void *arg)
{
	struct asks *lists[] = {&session->waiting, &session->sent, &session->failed};

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct ask *ask;

		TAILQ_FOREACH (ask, lists[i], next)
			if (ask->arg == arg)
				ask->answered = NULL;
	}
}
