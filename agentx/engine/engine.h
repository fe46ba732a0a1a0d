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
	};
};

/* content: what the store remembers; its VMs and requests are copied. */
struct engine *engine_new(const struct store_content *content, struct instant now);
void engine_free(struct engine *engine);

/* Takes a (new) configuration, which must outlive its use here. */
void engine_load(struct engine *engine, const struct config *config, struct instant now);

/* A message of the hypervisor or the agentx process. */
void engine_message(struct engine *engine, struct instant now, const struct message *message);

/* The hypervisor or the agentx process is there (anew), or gone. */
void engine_peer(struct engine *engine, struct instant now, enum role role, bool there);

/* A request's write, with its row in state (enum request_state), is settled. */
void engine_stored(struct engine *engine, struct instant now, uint64_t number, int state,
		   bool durable);

/* Something for the journal that the engine did not see itself: store, restarts, configuration. */
void engine_note(struct engine *engine, struct instant now, enum event_type type,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

void engine_tick(struct engine *engine, struct instant now);

/* When engine_tick() is due at the latest, mono_ms. */
int64_t engine_deadline(const struct engine *engine);

/* Takes the oldest effect. Call until false after every call above. */
bool engine_next_effect(struct engine *engine, struct effect *effect);

/* The rows, which track what changed. Those of lxAgent and lxEvent are the caller's to put. */
struct mib_rows *engine_rows(struct engine *engine);

/* A look at the hypervisor, states and figures, has succeeded or failed: the rows say all there is.
 */
bool engine_is_whole(const struct engine *engine);

/* The figures that go into lxAgent from here. */
void engine_fill_agent(const struct engine *engine, struct mib_agent *row);

#endif
