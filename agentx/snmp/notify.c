#include "snmp/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "mib/table.h"
#include "snmp/variable.h"

#define WINDOW 32     /* sent and not yet acknowledged */
#define REMEMBERED 64 /* of those handed over: twice what the engine leaves unacknowledged */

struct waiting {
	TAILQ_ENTRY(waiting) next;
	uint32_t token; /* in flight under it; 0: not sent */
	struct mib_event event;
};

/* Sequence numbers begin anew with a new journal; with its time an event is told from another. */
struct handed {
	uint32_t sequence;
	int64_t time;
};

struct notify {
	const struct notify_handlers *handlers;
	void *arg;
	struct session *session;
	struct event *timer; /* until pace allows the next one */
	uint32_t rate;
	int64_t credit;	   /* thousandths of a notification that may go now */
	int64_t credit_ms; /* clock_mono_ms() up to which credit was given */
	uint32_t tokens;
	size_t in_flight;
	TAILQ_HEAD(, waiting) queue; /* in the order of the events; those in flight first */
	struct handed handed[REMEMBERED];
	size_t handed_next;
};

static void notify_pump(struct notify *notify);

static void
notify_due(int fd, short what, void *arg)
{
	(void)fd, (void)what;
	notify_pump(arg);
}

struct notify *
notify_new(struct event_base *base, uint32_t rate, const struct notify_handlers *handlers,
	   void *arg)
{
	struct notify *notify = mem_alloc(sizeof(*notify));

	notify->handlers = handlers;
	notify->arg = arg;
	TAILQ_INIT(&notify->queue);
	notify->timer = evtimer_new(base, notify_due, notify);
	if (!notify->timer)
		fatal("libevent refuses a timer");
	notify_pace(notify, rate);
	return notify;
}

void
notify_free(struct notify *notify)
{
	struct waiting *waiting;

	while ((waiting = TAILQ_FIRST(&notify->queue))) {
		TAILQ_REMOVE(&notify->queue, waiting, next);
		free(waiting);
	}
	event_free(notify->timer);
	free(notify);
}

void
notify_pace(struct notify *notify, uint32_t rate)
{
	notify->rate = rate > 0 ? rate : 1;
}

void
notify_attach(struct notify *notify, struct session *session)
{
	notify->session = session;
}

/* Credit grows with time, up to a window's worth. Milliseconds until one may go; 0: now. */
static int64_t
notify_wait_ms(struct notify *notify)
{
	int64_t now_ms = clock_mono_ms();

	notify->credit += (now_ms - notify->credit_ms) * notify->rate;
	notify->credit_ms = now_ms;
	if (notify->credit > WINDOW * 1000)
		notify->credit = WINDOW * 1000;
	return notify->credit >= 1000 ? 0 : (1000 - notify->credit) / notify->rate + 1;
}

/* The row that a notification's object is of: found by the event, as far as its index goes. */
static const void *
event_row(enum mib_kind kind, const struct mib_event *event, void *room)
{
	struct mib_vm *vm = room;
	struct mib_request *request = room;
	struct mib_service *service = room;

	memset(room, 0, mib_kinds[kind].row_size);
	if (kind == KIND_EVENT)
		return event;
	if (kind == KIND_VM)
		vm->index = event->vm_index;
	if (kind == KIND_REQUEST)
		memcpy(request->id, event->request, sizeof(request->id));
	if (kind == KIND_SERVICE)
		service->index = event->service_index;
	return room;
}

static const struct mib_table *
event_table(void)
{
	for (size_t i = 0; i < mib_tables_count; i++)
		if (mib_tables[i].kind == KIND_EVENT)
			return &mib_tables[i];
	fatal("no table of events");
}

static void
variable_add(netsnmp_variable_list **variables, const struct mib_oid *name,
	     const struct mib_value *value)
{
	netsnmp_variable_list *variable =
	    snmp_varlist_add_variable(variables, name->arcs, name->count, ASN_NULL, NULL, 0);

	if (!variable)
		fatal("out of memory");
	variable_set(variable, value);
}

/* Objects keep their places: what the event does not know goes as unknown, zero or empty. */
static void
object_add(netsnmp_variable_list **variables, const struct mib_notify_object *object,
	   const struct mib_event *event)
{
	_Alignas(8) char row[sizeof(struct mib_vm) + sizeof(struct mib_request)];
	const struct mib_column *column = &event_table()->columns[object->event_column];
	struct mib_event known = *event;
	struct mib_value value;
	struct mib_oid name;

	known.absent = 0;
	mib_value(column, &known, 0, &value);
	if (column->type == MIB_ENUM && event->absent >> column->bit & 1)
		value.integer = name_value(column->names, "unknown");
	mib_instance(object->table, object->column, event_row(object->table->kind, event, row),
		     &name);
	variable_add(variables, &name, &value);
}

netsnmp_variable_list *
notify_variables(const struct mib_event *event)
{
	static const struct mib_oid trap_name = {11, {1, 3, 6, 1, 6, 3, 1, 1, 4, 1, 0}};
	const struct mib_notification *notification = mib_notifications;
	netsnmp_variable_list *variables = NULL;
	struct mib_value trap = {.tag = ASN_OBJECT_ID, .size = mib_root_count + 2};

	while (notification->name && (int32_t)notification->type != event->type)
		notification++;
	if (!notification->name || event->type >= EVENT_JOURNAL_ONLY)
		return NULL;
	memcpy(trap.oid, mib_root, mib_root_count * sizeof(unsigned long));
	trap.oid[mib_root_count] = 0;
	trap.oid[mib_root_count + 1] = (unsigned long)event->type;
	variable_add(&variables, &trap_name, &trap);
	for (const struct mib_notify_object *o = notification->objects; o->name; o++)
		object_add(&variables, o, event);
	return variables;
}

static void
notify_remember(struct notify *notify, const struct mib_event *event)
{
	notify->handed[notify->handed_next] =
	    (struct handed){.sequence = event->sequence, .time = event->time};
	notify->handed_next = (notify->handed_next + 1) % REMEMBERED;
}

static bool
notify_remembers(const struct notify *notify, const struct mib_event *event)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		if (notify->handed[i].sequence == event->sequence &&
		    notify->handed[i].time == event->time && event->sequence != 0)
			return true;
	return false;
}

static bool
notify_has(const struct notify *notify, const struct mib_event *event)
{
	const struct waiting *waiting;

	TAILQ_FOREACH (waiting, &notify->queue, next)
		if (waiting->event.sequence == event->sequence &&
		    waiting->event.time == event->time)
			return true;
	return false;
}

void
notify_event(struct notify *notify, const struct mib_event *event)
{
	netsnmp_variable_list *variables;
	struct waiting *waiting;

	if (notify_has(notify, event))
		return;
	variables = notify_variables(event);
	if (!variables || notify_remembers(notify, event)) {
		snmp_free_varbind(variables);
		notify->handlers->handed(notify->arg, event->sequence);
		return;
	}
	snmp_free_varbind(variables);
	waiting = mem_alloc(sizeof(*waiting));
	waiting->event = *event;
	TAILQ_INSERT_TAIL(&notify->queue, waiting, next);
	notify_pump(notify);
}

static bool
notify_send(struct notify *notify, struct waiting *waiting)
{
	uint32_t token = ++notify->tokens;

	if (!session_notify(notify->session, notify_variables(&waiting->event), token))
		return false;
	waiting->token = token;
	notify->in_flight++;
	notify->credit -= 1000;
	return true;
}

/* Sends what may go now, the oldest first. */
static void
notify_pump(struct notify *notify)
{
	struct waiting *waiting;

	TAILQ_FOREACH (waiting, &notify->queue, next) {
		int64_t wait_ms;

		if (waiting->token != 0)
			continue;
		if (notify->in_flight == WINDOW || !session_is_open(notify->session))
			return;
		wait_ms = notify_wait_ms(notify);
		if (wait_ms > 0) {
			event_add(notify->timer,
				  &(struct timeval){wait_ms / 1000, wait_ms % 1000 * 1000});
			return;
		}
		if (!notify_send(notify, waiting))
			return;
	}
}

void
notify_opened(struct notify *notify)
{
	notify_pump(notify);
}

void
notify_closed(struct notify *notify)
{
	struct waiting *waiting;

	event_del(notify->timer);
	notify->in_flight = 0;
	TAILQ_FOREACH (waiting, &notify->queue, next)
		waiting->token = 0;
}

void
notify_acknowledged(struct notify *notify, uint32_t token)
{
	struct waiting *waiting;

	TAILQ_FOREACH (waiting, &notify->queue, next)
		if (waiting->token == token)
			break;
	if (!waiting)
		return;
	TAILQ_REMOVE(&notify->queue, waiting, next);
	notify->in_flight--;
	notify_remember(notify, &waiting->event);
	notify->handlers->handed(notify->arg, waiting->event.sequence);
	free(waiting);
	notify_pump(notify);
}
