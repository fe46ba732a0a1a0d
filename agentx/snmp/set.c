#include "snmp/set.h"

#include <stdlib.h>
#include <sys/random.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "snmp/check.h"

#define HELD_WAIT_MS 200 /* snmpd serves nobody meanwhile */

#define TOLD 64 /* holds whose end is told again to a new engine; a SET has no more */

struct told {
	uint32_t token; /* 0: none yet */
	enum message_type word;
};

struct set {
	const struct mib_rows *rows;
	struct channel *engine;
	long transaction; /* of the master's, for the steps of this SET */
	struct wishes wishes;
	uint32_t token; /* the last one given; they begin anywhere, so that no other process's are
			   taken for ours */
	size_t answers; /* that came from the engine */
	struct wish *refused; /* the first one that the engine would not hold */
	bool committed;	      /* all are held */
	struct told told[TOLD];
	size_t told_next; /* the oldest */
	bool answered;	  /* all, or one with a refusal */
};

struct set *
set_new(const struct mib_rows *rows, struct channel *engine)
{
	struct set *set = mem_alloc(sizeof(*set));

	set->rows = rows;
	set->engine = engine;
	if (getrandom(&set->token, sizeof(set->token), 0) < 0)
		fatal("the system has no random numbers");
	return set;
}

void
set_free(struct set *set)
{
	wishes_clear(&set->wishes);
	free(set);
}

static void
set_tell(struct set *set, uint32_t token, enum message_type word)
{
	channel_send(set->engine, word, token, NULL, 0);
	set->told[set->told_next] = (struct told){token, word};
	set->told_next = (set->told_next + 1) % TOLD;
}

void
set_tell_again(struct set *set)
{
	for (size_t i = 0; i < TOLD; i++) {
		const struct told *told = &set->told[(set->told_next + i) % TOLD];

		if (told->token != 0)
			channel_send(set->engine, told->word, told->token, NULL, 0);
	}
}

static uint32_t
set_token(struct set *set)
{
	if (++set->token == 0)
		set->token = 1;
	return set->token;
}

/* Ends the SET: tells the engine what becomes of that which was held. */
static void
set_end(struct set *set, enum message_type word)
{
	for (size_t i = 0; i < set->wishes.count; i++)
		if (set->wishes.list[i].token != 0)
			set_tell(set, set->wishes.list[i].token, word);
	wishes_clear(&set->wishes);
	set->committed = false;
}

/* A SET over both of our subtrees comes as two TestSets, then as two of each step. */
static int
set_test(struct set *set, netsnmp_pdu *pdu)
{
	struct wishes more;
	int rc;

	if (pdu->transid != set->transaction || set->committed)
		set_abandon(set);
	set->transaction = pdu->transid;
	rc = check_set(set->rows, pdu->variables, clock_wall_ms(), &more, &pdu->errindex);
	if (rc == SNMP_ERR_NOERROR && more.count > 0 &&
	    (!channel_attached(set->engine) || set->wishes.count + more.count > TOLD)) {
		rc = SNMP_ERR_RESOURCEUNAVAILABLE;
		pdu->errindex = more.list[0].at;
	} else {
		wishes_move(&set->wishes, &more);
	}
	wishes_clear(&more);
	return rc;
}

void
set_held(struct set *set, uint32_t token, const struct hold_answer *answer)
{
	for (size_t i = 0; i < set->wishes.count; i++) {
		struct wish *wish = &set->wishes.list[i];

		if (wish->token != token || set->answered)
			continue;
		set->answers++;
		if (!answer->ok) {
			set->refused = wish;
			log_warn("request %s of VM %u is refused: %.*s",
				 name_of(verb_names, (int)wish->hold.verb), wish->hold.vm,
				 TEXT_SIZE - 1, answer->error);
		}
		set->answered = set->refused || set->answers == set->wishes.count;
	}
}

/* Nothing of it stays where one is refused or late; the master need not say so. */
static int
set_commit(struct set *set, netsnmp_pdu *pdu)
{
	if (set->committed)
		return SNMP_ERR_NOERROR;
	set->answers = 0;
	set->refused = NULL;
	set->answered = set->wishes.count == 0;
	for (size_t i = 0; i < set->wishes.count; i++) {
		struct wish *wish = &set->wishes.list[i];

		wish->token = set_token(set);
		channel_send(set->engine, MSG_HOLD, wish->token, &wish->hold, sizeof(wish->hold));
	}
	set->committed =
	    channel_wait(set->engine, clock_mono_ms() + HELD_WAIT_MS, &set->answered) &&
	    !set->refused;
	if (set->committed || set->wishes.count == 0)
		return SNMP_ERR_NOERROR;
	if (!set->refused)
		log_warn("the engine does not answer a SET in %d ms", HELD_WAIT_MS);
	pdu->errindex = set->refused ? set->refused->at : set->wishes.list[0].at;
	set_end(set, MSG_DROP);
	return SNMP_ERR_COMMITFAILED;
}

static int
set_undo(struct set *set, netsnmp_pdu *pdu)
{
	(void)pdu;
	set_end(set, MSG_DROP);
	return SNMP_ERR_NOERROR;
}

/* After a CommitSet: carry it out. After a TestSet alone: another subtree refused, forget it. */
static int
set_cleanup(struct set *set, netsnmp_pdu *pdu)
{
	(void)pdu;
	set_end(set, MSG_RELEASE);
	return SNMP_ERR_NOERROR;
}

void
set_answer(struct set *set, netsnmp_pdu *pdu)
{
	int (*const steps[])(struct set *, netsnmp_pdu *) = {
	    [AGENTX_COMMITSET] = set_commit,
	    [AGENTX_UNDOSET] = set_undo,
	    [AGENTX_CLEANUPSET] = set_cleanup,
	};

	pdu->errindex = 0;
	if (pdu->command == AGENTX_TESTSET)
		pdu->errstat = set_test(set, pdu);
	else if (pdu->transid == set->transaction)
		pdu->errstat = steps[pdu->command](set, pdu);
	else
		pdu->errstat = SNMP_ERR_GENERR;
	snmp_free_varbind(pdu->variables);
	pdu->variables = NULL;
}

void
set_abandon(struct set *set)
{
	if (set->committed)
		log_warn(
		    "snmpd left a SET between its steps; what the engine holds is carried out");
	set_end(set, MSG_RELEASE);
}
