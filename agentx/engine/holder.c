/* Who waits for a held request: SETs and clients of the control socket. */
#include "engine/internal.h"

#include <stdlib.h>

#include "base/mem.h"

void
holder_add(struct request *request, uint32_t token, bool by_hand)
{
	struct holder *holder = mem_alloc(sizeof(*holder));

	*holder = (struct holder){.token = token, .by_hand = by_hand};
	TAILQ_INSERT_TAIL(&request->holders, holder, next);
}

void
holder_remove(struct request *request, struct holder *holder)
{
	TAILQ_REMOVE(&request->holders, holder, next);
	free(holder);
}

struct holder *
holder_find(const struct request *request, uint32_t token)
{
	struct holder *holder;

	TAILQ_FOREACH (holder, &request->holders, next)
		if (holder->token == token)
			break;
	return holder;
}

void
holders_init(struct request *request)
{
	TAILQ_INIT(&request->holders);
}

/* Only the first token is stored. Should it have come by hand nobody speaks of it any more, as of
 * one of an agentx process that is no more. */
void
holders_restore(struct request *request)
{
	holders_init(request);
	if (request->kept.row.state == REQUEST_HELD)
		holder_add(request, request->kept.token, false);
}

void
holders_dispose(struct request *request)
{
	struct holder *holder;

	while ((holder = TAILQ_FIRST(&request->holders)))
		holder_remove(request, holder);
}

void
holders_remove(struct request *request, bool by_hand)
{
	struct holder *holder, *next;

	for (holder = TAILQ_FIRST(&request->holders); holder; holder = next) {
		next = TAILQ_NEXT(holder, next);
		if (holder->by_hand == by_hand)
			holder_remove(request, holder);
	}
}

bool
holders_have(const struct request *request, bool by_hand)
{
	const struct holder *holder;

	TAILQ_FOREACH (holder, &request->holders, next)
		if (holder->by_hand == by_hand)
			return true;
	return false;
}
