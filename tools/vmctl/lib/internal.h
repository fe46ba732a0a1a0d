/*
 * Inside of libvmctl.
 *
 *   vmctl.c    the whole, its hosts, the loop
 *   conf.c     vmctl.conf
 *   snmpconf.c net-snmp's snmp.conf
 *   profile.c  credentials and their keys
 *   resolve.c  names to addresses
 *   session.c  net-snmp: a session to a host, PDUs and their answers
 *   ber.c      answers of SNMPv2c, as they come
 *   walk.c     a walk through the columns of a kind, and its values into rows
 *   fetch.c    walks of a host, the window over all hosts
 *   rows.c     the rows of a host, packed
 *   cache.c    the same on disk
 *   request.c  requests and what became of them
 */
#ifndef LIBVMCTL_INTERNAL_H
#define LIBVMCTL_INTERNAL_H

#include <sys/queue.h>

#include "mib/decode.h"
#include "tools/vmctl/libvmctl.h"

struct event;
struct evdns_base;
struct snmp_pdu; /* net-snmp's */

#define SNMP_PORT 161
#define TIMEOUT_MS 1000
#define RETRIES 2
#define WINDOW 1000 /* hosts asked at the same time */

/* ---- profiles ---- */

enum profile_version { PROFILE_V2C, PROFILE_V3 };
enum profile_level { LEVEL_NONE = 1, LEVEL_AUTH, LEVEL_PRIV }; /* RFC 3411: snmpSecurityLevel */

struct profile {
	TAILQ_ENTRY(profile) next;
	char name[VMCTL_NAME_SIZE];
	char write[VMCTL_NAME_SIZE]; /* the profile that requests are sent with; "": this one */
	enum profile_version version;
	char *community;
	char *user, *context;
	enum profile_level level;
	char *auth_protocol, *auth_password; /* as net-snmp names them: SHA-256; NULL: SHA */
	char *priv_protocol, *priv_password; /* NULL: AES; the auth-password */
	struct profile_keys *keys;	     /* session.c; made when first needed */
};

struct profile *profile_new(const char *name);
void profile_free(struct profile *profile);
/* What is missing or does not fit; false: error says what. */
bool profile_check(const struct profile *profile, char error[VMCTL_ERROR_SIZE]);
/* NULL: there is none. "default" comes from snmp.conf where the configuration has none. */
struct profile *profile_find(struct vmctl *vmctl, const char *name, char error[VMCTL_ERROR_SIZE]);
/* Replaces a text; the old one is wiped. */
void secret_set(char **text, const char *value);

/* What net-snmp's snmp.conf files say, into profile. False: error says why (a file with secrets
 * that others may read). */
bool snmpconf_read(struct profile *profile, char error[VMCTL_ERROR_SIZE]);
/* False: others may read the file, and error says what to do. */
bool secret_file_check(const char *file, char error[VMCTL_ERROR_SIZE]);

/* ---- addresses ---- */

/* As net-snmp takes it: "udp:10.0.0.1:161". */
#define TRANSPORT_SIZE 96

typedef void resolved_fn(void *arg, const char *address, const char *error);
/* True: address is set now (it was numeric); false: done is called later, with NULL and an error
 * where there is none, unless host is freed before (resolve_cancel()). */
bool resolve(struct vmctl_host *host, char address[TRANSPORT_SIZE], resolved_fn *done);
void resolve_cancel(struct vmctl_host *host);
/* False: text is no "HOST[:PORT]"; name has room for 256. */
bool address_split(const char *text, char *name, size_t size, uint16_t *port);

/* ---- answers as they come ---- */

/*
 * net-snmp makes a struct of 1 KiB of each variable of an answer, which is half of all work where
 * many hosts answer. So the variables of an SNMPv2c answer to a walk are read where they are.
 */
struct ber {
	const uint8_t *at, *end;
};

/* A variable: one of a list of net-snmp's, or one that was read. */
struct bind {
	unsigned long name[MIB_OID_MAX];
	size_t count; /* arcs of name */
	uint8_t tag;  /* BER's: of the value, or of what says that there is none */
	bool fits;    /* value is one that a column of ours can have */
	struct mib_value value;
};

struct ber_head {
	long id, status, index; /* of the PDU */
	struct ber pdu;		/* all of it, with its tag */
	struct ber binds;
};

/* The head of a response of SNMPv2c (RFC 3416, section 3); false: it is no such. */
bool ber_answer(const uint8_t *data, size_t size, struct ber_head *head);
/* The next variable; false: it is malformed, or there is none (at == end). */
bool ber_bind(struct ber *binds, struct bind *bind);

/* ---- sessions ---- */

enum answer {
	ANSWER_OK,
	ANSWER_SILENT,
	ANSWER_REFUSED,
	ANSWER_FAILED,
	ANSWER_CUT, /* it was sent, and then there was no way to the host any more */
};

/* pdu: the answer, session.c's again after the call; NULL where answer is not ANSWER_OK: then error
 * says why. */
typedef void answered_fn(void *arg, enum answer answer, struct snmp_pdu *pdu, const char *error);

struct session;
struct session *session_new(struct vmctl_host *host, const struct profile *profile,
			    const char *address);
/* Whoever waits for an answer is not called any more. Safe within an answer. */
void session_free(struct session *session);
/* Makes the PDU of arg; the same each time, as it is made anew for each try. */
typedef struct snmp_pdu *make_fn(const void *arg);
/* Sends what make makes; answered is called once, never from within. */
void session_send(struct session *session, make_fn *make, answered_fn *answered, void *arg);
/* The same for who reads the variables by himself, where session_binds() has them: the answer's
 * list of them may be empty then. */
void session_send_raw(struct session *session, make_fn *make, answered_fn *answered, void *arg);
/* The variables of the answer that is being told; false: they are in its list. */
bool session_binds(const struct session *session, struct ber *binds);
/* How long an answer may take, with all tries. */
int64_t session_patience_ms(const struct session *session);
/* Drops the answers that arg waits for. */
void session_forget(struct session *session, const void *arg);
void session_init(void);
void sessions_bury(struct vmctl *vmctl); /* those in vmctl->graves */
void profile_keys_free(struct profile_keys *keys);

/* ---- rows ---- */

struct rows {
	uint64_t fields; /* that were asked for */
	int64_t mono_ms; /* when; 0: never */
	int64_t wall_ms;
	int64_t shift_ms; /* of moments in rows of another boot */
	bool stale, changed;
	struct chunk *first, *last; /* of packed rows */
	uint8_t **at;		    /* each row */
	size_t count, room, size;   /* size: octets of all rows */
};

/* Rows come bit by bit for many hosts at the same time: what grew by moving would leave holes. */
#define CHUNK_SIZE 4000
struct chunk {
	struct chunk *next;
	size_t used;
	uint8_t data[CHUNK_SIZE];
};

void rows_clear(struct rows *rows);
void rows_add(struct rows *rows, enum mib_kind kind, const void *row);
/* Takes a packed row over as it is. */
void rows_add_packed(struct rows *rows, const uint8_t *packed, size_t size);
/* Gives back the room that was made in advance. */
void rows_settle(struct rows *rows);

/* ---- walks ---- */

struct walk;
typedef void walked_fn(void *arg, struct walk *walk, enum answer answer, const char *error);
struct walk *walk_start(struct session *session, const struct vmctl_want *want, struct rows *rows,
			walked_fn *done, void *arg);
void walk_free(struct walk *walk);
/* One answer's values into the walk's rows, as the network gave them: from binds, or where that is
 * NULL from the list of pdu. False: they make no sense,
 * and error says why. For the tests' fuzzer too. */
bool walk_take(struct walk *walk, const struct snmp_pdu *pdu, const struct ber *binds,
	       const char **error);
bool walk_over(const struct walk *walk);
/* It takes too long: an agent that gives a row at a time, each just in time, would hold up all. */
bool walk_is_late(const struct walk *walk, int64_t now_ms);
/* A walk that sends nothing: for tests. */
struct walk *walk_new(const struct vmctl_want *want, struct rows *rows);
struct snmp_pdu *walk_pdu(const void *walk);

/* ---- requests ---- */

/* What the error of an answer to a request's SET means, for people. True: whether it was accepted
 * is not known. */
bool request_explain(const struct vmctl_request *request, bool cancels, const struct snmp_pdu *pdu,
		     char error[VMCTL_ERROR_SIZE]);

/* ---- hosts ---- */

struct fetch {
	TAILQ_ENTRY(fetch) next; /* in the host's list */
	TAILQ_ENTRY(fetch) turn; /* in the line for the window */
	struct vmctl_host *host;
	size_t count, open;
	bool waiting, begun, walking;
	vmctl_fetched *done;
	void *arg;
	struct part {
		struct vmctl_want want;
		struct rows rows;
		struct walk *walk;
	} parts[]; /* count of them */
};

struct job; /* request.c */

struct vmctl_host {
	TAILQ_ENTRY(vmctl_host) next; /* or among those that are removed */
	TAILQ_ENTRY(vmctl_host) due_next;
	bool due; /* jobs are to begin */
	struct vmctl *vmctl;
	char name[VMCTL_NAME_SIZE];
	char *text; /* the address as given */
	char *profile;
	char **groups;
	size_t groups_count;
	int timeout_ms, retries; /* 0, -1: the configuration's */
	enum vmctl_status status;
	char *error; /* NULL: none */
	void *data;
	struct resolving *resolving;
	resolved_fn *resolved;
	char address[TRANSPORT_SIZE];
	struct session *read, *write;
	TAILQ_HEAD(, fetch) fetches;
	TAILQ_HEAD(jobs, job) jobs;
	struct event *poll; /* of jobs that go on */
	int poll_ms;
	bool polling;
	struct rows rows[KIND_COUNT];
	bool recalled[KIND_COUNT];
};

/* The host's jobs are to begin when the loop has its next turn. */
void host_make_due(struct vmctl_host *host);

struct vmctl {
	struct event_base *base;
	bool base_ours, stopped;
	bool running; /* vmctl_run() waits; else the loop is the caller's */
	TAILQ_HEAD(, vmctl_host) hosts, removed, due;
	struct vmctl_host **by_name; /* sorted */
	size_t hosts_count;
	TAILQ_HEAD(, profile) profiles;
	int timeout_ms, retries;
	unsigned window, asked; /* hosts that are asked now */
	TAILQ_HEAD(, fetch) line;
	size_t open; /* things that were asked for */
	char *cache;
	struct evdns_base *dns;
	TAILQ_HEAD(graves, session) graves; /* sessions that are to be freed outside of net-snmp */
	struct event *digger;
};

void host_set_status(struct vmctl_host *host, enum answer answer, const char *error);
/* The session for reading or for requests; NULL: error says why. The address must be known. */
struct session *host_session(struct vmctl_host *host, bool write, char error[VMCTL_ERROR_SIZE]);
/* Whose turn it is. */
void fetch_line(struct vmctl *vmctl);
void fetch_begin(struct fetch *fetch);
void fetch_free(struct fetch *fetch);
void fetch_fail(struct fetch *fetch, enum answer answer, const char *error);
/* Begins the jobs that are new, or fails them with error. */
void jobs_begin(struct vmctl_host *host, const char *error);
void jobs_free(struct vmctl_host *host);
/* One thing that was asked for is over. */
void vmctl_closed(struct vmctl *vmctl);
/* The host's address is known, or is being looked for: resolved() of vmctl.c goes on. */
bool host_resolve(struct vmctl_host *host);

#endif
