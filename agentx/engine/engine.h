/*
 * The engine: all decisions, pure and deterministic. Messages of the other processes and the time
 * go in; rows of the MIB and effects come out. No clock, no I/O.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "base/clock.h"
#include "base/channel.h"
#include "config/config.h"
#include "mib/objects.h"
#include "mib/table.h"
#include "store/store.h"

struct engine;

enum effect_type {
	EFFECT_ACTION,	     /* .action: have it carried out */
	EFFECT_FORGET,	     /* .outcome: the hypervisor process may drop its record */
	EFFECT_CANCEL,	     /* .action: only if it has not started */
	EFFECT_EVENT,	     /* .event: journal and notify; the sequence number is set */
	EFFECT_PUT_VM,	     /* .vm: remember */
	EFFECT_DROP_VM,	     /* .vm.uuid: forget */
	EFFECT_PUT_REQUEST,  /* .request: remember, then call engine_stored() */
	EFFECT_DROP_REQUEST, /* .request.number: forget */
	EFFECT_HELD,	     /* .held: answer agentx, after the rows of the request and its VM */
	EFFECT_PROBE,	     /* .probe: try once to reach the service, then call engine_probed() */
	EFFECT_RELOAD,	     /* have the configuration read anew, then call engine_reloaded() */
	EFFECT_PUT_SERVICE,  /* .service: remember its index */
	EFFECT_DROP_SERVICE, /* .service.index: forget */
	EFFECT_COUNT
};

struct effect {
	enum effect_type type;
	union {
		struct action action;
		struct outcome outcome;
		struct mib_event event;
		struct store_vm vm;
		struct store_request request;
		struct {
			uint32_t token;
			struct hold_answer answer;
			uint32_t vm;
			char id[REQUEST_ID_SIZE];
		} held;
		/*
		 * service says what to try (kind, address, port, command, payload) and for how long
		 * (watch.timeout_ms); it is the configuration's, and valid until the next
		 * engine_load(). There is never a second attempt at what is tried before the first
		 * was answered, or its time and PROBE_PATIENCE_MS more are over, from when it was
		 * asked for: its answer is not taken then. An attempt need not be answered.
		 */
		struct {
			uint64_t attempt; /* ascends in an engine's life */
			const struct config_service *service;
		} probe;
		struct store_service service;
	};
};

/* What became of an attempt. */
struct probe_report {
	uint64_t attempt;
	uint32_t outcome;     /* enum probe_outcome */
	uint32_t latency_us;  /* of the answer; 0: there was none */
	char text[TEXT_SIZE]; /* why, for a person; "" where up says it all */
};

/* content: what the store remembers; all that is kept of it is copied. */
struct engine *engine_new(const struct store_content *content, struct instant now);
void engine_free(struct engine *engine);

/* Takes a (new) configuration, which must outlive its use here: until the next one was taken. What
 * is the same in both goes on undisturbed. */
void engine_load(struct engine *engine, const struct config *config, struct instant now);

/* The type of a message that is as MSG_HOLD, of a client of the control socket: agentx has no part
 * in it, and it is accepted where the store cannot be written. MSG_RELEASE and MSG_DROP end it. */
#define ENGINE_HOLD_BY_HAND 0x100

/* A message of the hypervisor or the agentx process, or one by hand. */
void engine_message(struct engine *engine, struct instant now, const struct message *message);

/* The hypervisor or the agentx process is there (anew), or gone. */
void engine_peer(struct engine *engine, struct instant now, enum role role, bool there);

/* A request's write, with its row in state (enum request_state), is settled. */
void engine_stored(struct engine *engine, struct instant now, uint64_t number, int state,
		   bool durable);

/* An attempt of EFFECT_PROBE has ended. One that is not awaited any more is dropped. */
void engine_probed(struct engine *engine, struct instant now, const struct probe_report *report);

/* The answer to EFFECT_RELOAD: NULL after a configuration was taken (by engine_load()), else the
 * first error, as "FILE:LINE: what, what to do". Whoever else had it read tells as well. */
void engine_reloaded(struct engine *engine, struct instant now, const char *error);

/* Something for the journal that the engine did not see itself: store, restarts, configuration. */
void engine_note(struct engine *engine, struct instant now, enum event_type type,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

void engine_tick(struct engine *engine, struct instant now);

/* When engine_tick() is due at the latest, mono_ms. */
int64_t engine_deadline(const struct engine *engine);

/* Takes the oldest effect. Call until false after every call above. */
bool engine_next_effect(struct engine *engine, struct effect *effect);

/* A call as it comes in, or an effect as it is taken: all that a recording needs. A configuration
 * and the store's content are known to who gives them. */
enum engine_call_type {
	CALL_LOAD = 1,
	CALL_MESSAGE,  /* .message */
	CALL_PEER,     /* .peer */
	CALL_STORED,   /* .stored */
	CALL_PROBED,   /* .report */
	CALL_RELOADED, /* .text, or NULL */
	CALL_NOTE,     /* .note */
	CALL_TICK,
	CALL_EFFECT, /* .effect */
};

struct engine_call {
	enum engine_call_type type;
	struct instant now;
	union {
		const struct message *message;
		struct {
			enum role role;
			bool there;
		} peer;
		struct {
			uint64_t number;
			int state;
			bool durable;
		} stored;
		const struct probe_report *report;
		const char *text;
		struct {
			enum event_type type;
			const char *text;
		} note;
		const struct effect *effect;
	};
};

/* observe is told of each from now on; NULL: nobody is. It must not call the engine. */
void engine_observe(struct engine *engine,
		    void (*observe)(void *arg, const struct engine_call *call), void *arg);

/* The rows, which track what changed. Those of lxAgent and lxEvent are the caller's to put. */
struct mib_rows *engine_rows(struct engine *engine);

/* A look at the hypervisor, states and figures, has succeeded or failed: the rows say all there is.
 */
bool engine_is_whole(const struct engine *engine);

/* The figures that go into lxAgent from here. */
void engine_fill_agent(const struct engine *engine, struct mib_agent *row);

#endif
