/* The agentx process: rows from the engine, answers to snmpd; requests and events between them. */
#include <unistd.h>

#include <event2/event.h>

#include "base/channel.h"
#include "base/log.h"
#include "base/process.h"
#include "config/config.h"
#include "mib/table.h"
#include "snmp/notify.h"
#include "snmp/read.h"
#include "snmp/session.h"
#include "snmp/set.h"

static struct agent {
	struct mib_rows rows;
	struct channel *engine;
	struct session *session;
	struct set *set;
	struct notify *notify;
} agent;

static struct rowset *
agent_rows(uint32_t kind, size_t size)
{
	if (kind == 0 || kind >= KIND_COUNT || size != mib_kinds[kind].row_size)
		return NULL;
	return &agent.rows.sets[kind];
}

static void
agent_row(const struct message *message)
{
	struct rowset *set = agent_rows(message->detail, message->size);

	if (set)
		rowset_put(set, message->body);
}

static void
agent_row_gone(const struct message *message)
{
	struct rowset *set = agent_rows(message->detail, message->size);

	if (set)
		rowset_remove(set, message->body);
}

/* A new engine: its rows take the place of the old one's, which are shown until it has sent all. */
static void
agent_rows_clear(const struct message *message)
{
	(void)message;
	for (int kind = 1; kind < KIND_COUNT; kind++)
		rowset_begin(&agent.rows.sets[kind]);
}

static void
agent_rows_ready(const struct message *message)
{
	(void)message;
	for (int kind = 1; kind < KIND_COUNT; kind++)
		rowset_end(&agent.rows.sets[kind]);
}

static void
agent_notify(const struct message *message)
{
	if (message->size == sizeof(struct mib_event))
		notify_event(agent.notify, (const struct mib_event *)message->body);
}

static void
agent_held(const struct message *message)
{
	if (message->size == sizeof(struct hold_answer))
		set_held(agent.set, message->detail, (const struct hold_answer *)message->body);
}

static void
engine_received(void *arg, const struct message *message, int fd)
{
	static const struct {
		int type;
		void (*handle)(const struct message *message);
	} messages[] = {
	    {MSG_ROW, agent_row},
	    {MSG_ROW_GONE, agent_row_gone},
	    {MSG_ROWS_CLEAR, agent_rows_clear},
	    {MSG_ROWS_READY, agent_rows_ready},
	    {MSG_NOTIFY, agent_notify},
	    {MSG_HELD, agent_held},
	};

	(void)arg;
	if (fd >= 0)
		close(fd);
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		if (messages[i].type == message->type)
			messages[i].handle(message);
}

static void
engine_closed(void *arg)
{
	(void)arg;
	log_warn("the engine is gone; what is served stays as it was last");
}

static void
agent_handed(void *arg, uint32_t sequence)
{
	(void)arg;
	channel_send(agent.engine, MSG_HANDED, sequence, NULL, 0);
}

static void
master_answer(void *arg, netsnmp_pdu *pdu)
{
	(void)arg;
	switch (pdu->command) {
	case AGENTX_GET:
	case AGENTX_GETNEXT:
	case AGENTX_GETBULK:
		read_answer(&agent.rows, pdu);
		break;
	case AGENTX_TESTSET:
	case AGENTX_COMMITSET:
	case AGENTX_UNDOSET:
	case AGENTX_CLEANUPSET:
		set_answer(agent.set, pdu);
		break;
	default:
		pdu->errstat = SNMP_ERR_GENERR;
	}
}

static void
master_opened(void *arg)
{
	(void)arg;
	notify_opened(agent.notify);
}

static void
master_closed(void *arg)
{
	(void)arg;
	notify_closed(agent.notify);
	set_abandon(agent.set);
}

static void
master_notified(void *arg, uint32_t token)
{
	(void)arg;
	notify_acknowledged(agent.notify, token);
}

static void
agent_peer(void *arg, enum role role, int fd)
{
	(void)arg;
	if (role != ROLE_ENGINE)
		fatal("%s is no peer of this process", name_of(role_names, role));
	channel_attach(agent.engine, fd);
	set_tell_again(agent.set);
}

static void
agent_report(void *arg, const char *error)
{
	(void)arg;
	log_error("%s", error);
}

static bool
agent_reload(void *arg, int fd)
{
	struct config *config = config_load_checked(fd, agent_report, NULL);

	(void)arg;
	if (!config)
		return false;
	session_move(agent.session, config->agentx_socket);
	notify_pace(agent.notify, config->notify_rate);
	config_free(config);
	return true;
}

static void
agent_stop(void *arg)
{
	(void)arg;
	session_free(agent.session);
	notify_free(agent.notify);
	set_free(agent.set);
	channel_free(agent.engine);
	mib_rows_dispose(&agent.rows);
}

int
agentx_main(const struct options *options)
{
	static const struct process_handlers process = {
	    .peer = agent_peer, .reload = agent_reload, .stop = agent_stop};
	static const struct channel_handlers engine = {.received = engine_received,
						       .closed = engine_closed};
	static const struct session_handlers master = {.answer = master_answer,
						       .opened = master_opened,
						       .closed = master_closed,
						       .notified = master_notified};
	static const struct notify_handlers notify = {.handed = agent_handed};
	struct event_base *base = process_init(ROLE_AGENTX, options, &process, NULL);
	struct config *config = config_load_checked(PROCESS_CONFIG_FD, agent_report, NULL);

	if (!config)
		fatal("there is no configuration from the parent");
	mib_rows_init(&agent.rows, false);
	agent.engine = channel_new(base, "engine", &engine, NULL);
	agent.set = set_new(&agent.rows, agent.engine);
	agent.notify = notify_new(base, config->notify_rate, &notify, NULL);
	agent.session = session_new(base, config->agentx_socket, &master, NULL);
	notify_attach(agent.notify, agent.session);
	config_free(config);
	return process_run();
}
