/* Requests and actions: accepted, joined, refused, cancelled, done, and over a restart of the
 * engine. */
#include "engine_facts.h"

static void
test_pause_by_request(void **state)
{
	struct world *world = *state;
	const struct effect *effect;

	tell_usual(world);
	hold(world, 77, "", VERB_PAUSE, "www");
	effect = the(world, EFFECT_HELD);
	assert_non_null(effect);
	assert_int_equal(effect->held.token, 77);
	assert_int_equal(effect->held.answer.ok, 1);
	assert_null(the(world, EFFECT_ACTION)); /* not before the release */
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_QUEUED);
	assert_int_equal(row_of(world, "www")->request, VERB_PAUSE);

	tell(world, MSG_RELEASE, 77, NULL, 0);
	effect = the(world, EFFECT_ACTION);
	assert_non_null(effect);
	assert_int_equal(effect->action.verb, VERB_PAUSE);
	assert_int_equal(effect->action.domid, 3);
	assert_int_equal(effect->action.id, 1);
	assert_non_null(event_of(world, EVENT_REQUEST_ACCEPTED));

	forget_effects(world);
	outcome(world, MSG_STARTED, 1, REQUEST_RUNNING, "");
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_RUNNING);
	tell_domain(world, 3, uuid_www, DOMAIN_PAUSED, 0);
	assert_int_equal(row_of(world, "www")->state, VM_PAUSED);
	assert_int_equal(event_of(world, EVENT_VM_STATE_CHANGED)->previous, VM_RUNNING);
	assert_string_equal(row_of(world, "www")->change_reason, "request pause");
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_SUCCEEDED);
	assert_int_equal(event_of(world, EVENT_REQUEST_FINISHED)->outcome, REQUEST_SUCCEEDED);
	assert_non_null(the(world, EFFECT_FORGET)); /* its outcome is stored */
	assert_int_equal(row_of(world, "www")->health, HEALTH_OK);
}

static void
test_equal_request_joins(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "", VERB_PAUSE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	assert_null(request_row(world, "auto-2"));
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 10001);
	hold(world, 3, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

/* Started, and dead again at once: a second start is no repetition of the first. */
static void
test_what_did_not_hold_is_not_joined(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 5, uuid_db, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 1000);
	hold(world, 2, "", VERB_START, "db");
	assert_null(request_row(world, "auto-2"));
	tell_gone(world, 5);
	later(world, 1000);
	hold(world, 3, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
	outcome(world, MSG_OUTCOME, 2, REQUEST_FAILED, "no memory");
	hold(world, 4, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 4, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 3);
}

static void
test_one_id_is_one_request(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 60000);
	hold(world, 2, "noc-1", VERB_PAUSE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	hold(world, 3, "noc-1", VERB_DESTROY, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	hold(world, 4, "noc-1", VERB_NONE, "www"); /* removed */
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 4, NULL, 0);
	assert_null(request_row(world, "noc-1"));
}

/* A SET that is refused or undone has changed nothing. */
static void
test_a_removal_that_is_undone_removes_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	hold(world, 2, "noc-1", VERB_NONE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	assert_non_null(request_row(world, "noc-1"));
	assert_null(the(world, EFFECT_DROP_REQUEST));
	tell(world, MSG_DROP, 2, NULL, 0);
	assert_int_equal(request_row(world, "noc-1")->state, REQUEST_SUCCEEDED);
	assert_null(the(world, EFFECT_DROP_REQUEST));
	forget_effects(world);
	hold(world, 3, "noc-1", VERB_NONE, "www");
	engine_peer(world->engine, world->now, ROLE_AGENTX, false); /* it may have said yes */
	collect(world);
	assert_null(request_row(world, "noc-1"));
	assert_int_equal(the(world, EFFECT_DROP_REQUEST)->request.number, 1);
	assert_null(event_of(world, EVENT_REQUEST_FINISHED)); /* that was told before */
}

/* The store of that journal may only be out of reach: there the request is not known to be done. */
static void
test_another_journals_outcome_is_kept(void **state)
{
	struct world *world = *state;
	struct outcome outcome = {.id = 77, .journal = 8, .state = REQUEST_SUCCEEDED};

	tell_usual(world);
	forget_effects(world);
	tell(world, MSG_OUTCOME, 0, &outcome, sizeof(outcome));
	assert_null(the(world, EFFECT_FORGET));
	outcome.journal = world->content.journal;
	tell(world, MSG_OUTCOME, 0, &outcome, sizeof(outcome));
	assert_non_null(the(world, EFFECT_FORGET));
}

static void
test_undone_leaves_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_DESTROY, "www");
	tell(world, MSG_DROP, 1, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	assert_non_null(the(world, EFFECT_DROP_REQUEST));
	assert_null(request_row(world, "auto-1"));
	assert_int_equal(row_of(world, "www")->request, VERB_NONE);
	assert_null(the(world, EFFECT_EVENT));
}

static void
test_refusals(void **state)
{
	struct world *world = *state;
	struct hold none = {.verb = VERB_PAUSE, .vm = 99};

	tell_usual(world);
	tell(world, MSG_HOLD, 1, &none, sizeof(none));
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	for (uint32_t i = 0; i < REQUESTS_PER_VM; i++) {
		char id[8];

		text_format(id, sizeof(id), "r%u", i);
		hold(world, 10 + i, id, VERB_PAUSE, "www");
		assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	}
	hold(world, 50, "more", VERB_PAUSE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	hold(world, 51, "other", VERB_START, "db"); /* its queue is its own */
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
}

static void
test_held_by_a_dead_agentx_is_done(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	engine_peer(world->engine, world->now, ROLE_AGENTX, false);
	collect(world);
	assert_non_null(the(world, EFFECT_ACTION));
}

/* The manager was not told yes, and the number would be given again by an engine after us. */
static void
test_held_by_a_dead_agentx_and_not_on_disk_is_dropped(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->slow = true;
	hold(world, 1, "", VERB_PAUSE, "www");
	engine_peer(world->engine, world->now, ROLE_AGENTX, false);
	collect(world);
	assert_null(the(world, EFFECT_ACTION));
	assert_int_equal(the(world, EFFECT_DROP_REQUEST)->request.number, 1);
	engine_stored(world->engine, world->now, 1, REQUEST_HELD, true);
	collect(world);
	assert_null(the(world, EFFECT_ACTION));
}

/* Whose client went away before it was answered: it never was, for nobody. */
static void
test_held_by_hand_and_dropped_leaves_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->slow = true;
	hold_by_hand(world, 1, VERB_DESTROY, "www");
	tell(world, MSG_DROP, 1, NULL, 0);
	assert_int_equal(the(world, EFFECT_DROP_REQUEST)->request.number, 1);
	stored(world, 1, REQUEST_HELD, true);
	assert_null(the(world, EFFECT_HELD));
	world->slow = false;
	hold(world, 2, "", VERB_DESTROY, "www"); /* an equal one is one of its own */
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

/* What token was answered, or NULL. */
static const struct hold_answer *
answer_to(const struct world *world, uint32_t token)
{
	for (size_t i = 0; i < world->effects_count; i++)
		if (world->effects[i].type == EFFECT_HELD && world->effects[i].held.token == token)
			return &world->effects[i].held.answer;
	return NULL;
}

/* Who joins what is being stored is answered when it is, with those before. */
static void
test_what_joins_a_held_one_waits_for_the_disk(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->slow = true;
	hold(world, 1, "", VERB_PAUSE, "www");
	hold(world, 2, "", VERB_PAUSE, "www");
	assert_null(answer_to(world, 2));
	stored(world, 1, REQUEST_HELD, false);
	assert_int_equal(answer_to(world, 1)->ok, 0);
	assert_int_equal(answer_to(world, 2)->ok, 0);
	hold_by_hand(world, 3, VERB_PAUSE, "www");
	hold(world, 4, "", VERB_PAUSE, "www");
	assert_null(answer_to(world, 4));
	stored(world, 2, REQUEST_HELD, true);
	assert_int_equal(answer_to(world, 3)->ok, 1);
	assert_int_equal(answer_to(world, 4)->ok, 1);
	world->slow = false;
	tell(world, MSG_RELEASE, 4, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

/* One of several that hold it goes: the others' word is kept. */
static void
test_one_that_holds_it_with_others_goes(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold_by_hand(world, 1, VERB_PAUSE, "www");
	hold(world, 2, "", VERB_PAUSE, "www");
	hold(world, 3, "", VERB_PAUSE, "www");
	assert_int_equal(answer_to(world, 3)->ok, 1);
	tell(world, MSG_DROP, 1, NULL, 0);
	tell(world, MSG_DROP, 2, NULL, 0);
	assert_null(the(world, EFFECT_DROP_REQUEST));
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 1);
	tell(world, MSG_DROP, 3, NULL, 0); /* too late */
	assert_int_equal(request_row(world, "hand-00000001")->state, REQUEST_QUEUED);
}

/* A request by hand that waits for the disk has nothing to do with agentx. */
static void
test_held_by_hand_outlives_agentx(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->slow = true;
	hold_by_hand(world, 1, VERB_PAUSE, "www");
	hold(world, 2, "", VERB_PAUSE, "www");
	engine_peer(world->engine, world->now, ROLE_AGENTX, false);
	collect(world);
	assert_null(the(world, EFFECT_DROP_REQUEST));
	assert_null(the(world, EFFECT_ACTION));
	stored(world, 1, REQUEST_HELD, true);
	assert_int_equal(the(world, EFFECT_HELD)->held.token, 1);
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 1);
}

/* It may be done, or not: that is said soon. */
static void
test_what_is_held_is_not_removed(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	hold(world, 2, "noc-1", VERB_NONE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	tell(world, MSG_DROP, 2, NULL, 0);
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_non_null(the(world, EFFECT_ACTION));
}

/* On a full disk the host must still be able to shut its VMs down. No manager is told yes of it. */
static void
test_by_hand_without_a_store(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	world->slow = true;
	hold_by_hand(world, 1, VERB_SHUTDOWN, "www");
	hold(world, 2, "", VERB_SHUTDOWN, "www");
	stored(world, 1, REQUEST_HELD, false);
	assert_int_equal(answer_to(world, 1)->ok, 1);
	assert_non_null(strstr(answer_to(world, 1)->error, "cannot be written"));
	assert_int_equal(answer_to(world, 2)->ok, 0);
	assert_null(the(world, EFFECT_DROP_REQUEST));
	tell(world, MSG_DROP, 2, NULL, 0);
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, VERB_SHUTDOWN);
	stored(world, 1, REQUEST_QUEUED, false);
	hold(world, 3, "", VERB_SHUTDOWN, "www");
	assert_int_equal(answer_to(world, 3)->ok, 0);
	tell(world, MSG_DROP, 3, NULL, 0);
	engine_note(world->engine, world->now, EVENT_STORE_RESTORED, "the store is well again");
	collect(world);
	hold(world, 4, "", VERB_SHUTDOWN, "www");
	assert_int_equal(answer_to(world, 4)->ok, 1);
	tell(world, MSG_RELEASE, 4, NULL, 0);
	assert_null(request_row(world, "auto-2"));
}

/* What an engine before held is on disk: who joins it is answered at once, and can have it done. */
static void
test_what_an_engine_before_held_is_joined(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	begin_again(world);
	tell_usual(world);
	hold(world, 2, "", VERB_PAUSE, "www");
	assert_int_equal(answer_to(world, 2)->ok, 1);
	tell(world, MSG_DROP, 1, NULL, 0);
	assert_non_null(request_row(world, "auto-1"));
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(request_row(world, "auto-1")->state, REQUEST_QUEUED);
	assert_non_null(event_of(world, EVENT_REQUEST_ACCEPTED));
}

static void
test_what_was_asked_for_waits_for_the_hypervisor_process(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, false);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	engine_peer(world->engine, world->now, ROLE_HYPERVISOR, true);
	collect(world);
	assert_int_equal(the(world, EFFECT_ACTION)->action.verb, VERB_PAUSE);
}

static void
test_saved_and_restored(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	tell_gone(world, 3); /* too quick to be seen suspended */
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	outcome(world, MSG_OUTCOME, 2, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
}

/* The outcome of an action comes before the list that shows what it did. */
static void
test_outcomes_before_their_facts(void **state)
{
	struct world *world = *state;
	struct outcome started = {.id = 2, .journal = 7, .state = REQUEST_SUCCEEDED, .domid = 5};

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	tell_domain(world, 3, uuid_www, DOMAIN_RUNNING, 0); /* a look that began before */
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDING);
	tell_gone(world, 3);
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);

	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	tell(world, MSG_OUTCOME, 0, &started, sizeof(started));
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	hold(world, 3, "", VERB_SHUTDOWN, "www"); /* waits for the domain that it is for */
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_null(the(world, EFFECT_ACTION));
	tell_domain(world, 5, uuid_www, DOMAIN_RUNNING, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.domid, 5);
	outcome(world, MSG_OUTCOME, 3, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SHUTTING_DOWN);
	tell_gone(world, 5);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

/* A domain that was started and is gone before it was ever listed is not waited for without end. */
static void
test_a_domain_that_never_shows(void **state)
{
	struct world *world = *state;
	struct outcome started = {.id = 1, .journal = 7, .state = REQUEST_SUCCEEDED, .domid = 5};

	tell_usual(world);
	hold(world, 1, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell(world, MSG_OUTCOME, 0, &started, sizeof(started));
	assert_int_equal(row_of(world, "db")->state, VM_PREPARING);
	assert_true(engine_deadline(world->engine) <= world->now.mono_ms + 5000);
	later(world, 5000);
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
}

/* Its outcome comes before the half-built domain is cleared away; is_seen: after that was seen. */
static void
mend_restore(struct world *world, bool is_seen)
{
	struct fact_domain half = {.domid = 4, .flags = DOMAIN_PAUSED};

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	memcpy(half.uuid, uuid_www, UUID_SIZE);
	if (is_seen)
		tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
	outcome(world, MSG_OUTCOME, 2, REQUEST_UNDECIDED, "killed");
	tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	half.flags |= DOMAIN_DYING;
	tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
	tell_gone(world, 4);
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
}

static void
test_a_restore_that_is_mended_leaves_it_suspended(void **state)
{
	mend_restore(*state, true);
}

static void
test_a_restore_that_is_mended_unseen_leaves_it_suspended(void **state)
{
	mend_restore(*state, false);
}

/* The hypervisor's toolstack pauses a domain before it destroys it. */
static void
test_what_is_destroyed_is_not_paused(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_DESTROY, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_PAUSED, 0);
	assert_int_equal(row_of(world, "www")->state, VM_SHUTTING_DOWN);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(row_of(world, "www")->state, VM_SHUTDOWN);
}

static void
test_another_uuid_is_the_same_vm(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 5, uuid_new, DOMAIN_RUNNING, 0);
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN); /* no name yet */
	tell_figures(world, 5, "db", uuid_new);
	assert_int_equal(row_of(world, "db")->state, VM_RUNNING);
	assert_int_equal(row_of(world, "db")->index, 2);
	assert_memory_equal(row_of(world, "db")->uuid, uuid_new, UUID_SIZE);
	assert_non_null(event_of(world, EVENT_VM_IDENTITY_CHANGED));
	assert_int_equal(engine_rows(world->engine)->sets[KIND_VM].count, 2);
}

/* Its file says one UUID, its domain has another, which is told once. */
static void
test_another_uuid_outlives_the_engine(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 5, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 5, "db", uuid_new);
	begin_again(world);
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 5, uuid_new, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	tell_figures(world, 5, "db", uuid_new);
	tell_sample(world, SAMPLE_FIGURES, true);
	assert_int_equal(row_of(world, "db")->domid, 5);
	assert_null(event_of(world, EVENT_VM_IDENTITY_CHANGED));
	begin_again(world); /* without that domain it is as its file says */
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	assert_memory_equal(row_of(world, "db")->uuid, uuid_db, UUID_SIZE);
	assert_int_equal(row_of(world, "db")->index, 2);
}

/* What the engine before it began is not begun again. */
static void
test_an_action_of_its_own_outlives_the_engine(void **state)
{
	struct world *world = *state;
	struct outcome told = {.journal = 7, .state = REQUEST_QUEUED};

	tell_usual(world);
	later(world, 61000);
	forget_effects(world);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	told.id = the(world, EFFECT_ACTION)->action.id;
	told.verb = ACTION_REPLACE;
	told.action_domid = 3;
	memcpy(told.uuid, uuid_www, UUID_SIZE);
	begin_again(world);
	tell(world, MSG_STARTED, 0, &told, sizeof(told));
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_CRASH);
	tell_figures(world, 3, "www", uuid_www);
	tell_sample(world, SAMPLE_STATES, true);
	assert_null(the(world, EFFECT_ACTION));
	tell_gone(world, 3);
	told.state = REQUEST_SUCCEEDED;
	told.domid = 4;
	tell(world, MSG_OUTCOME, 0, &told, sizeof(told));
	assert_int_equal(the(world, EFFECT_FORGET)->outcome.id, told.id);
	assert_int_equal(row_of(world, "www")->state, VM_PREPARING);
	tell_domain(world, 4, uuid_www, DOMAIN_RUNNING, 0);
	assert_int_equal(row_of(world, "www")->state, VM_RUNNING);
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_a_dropped_hold_stays_dropped_over_a_restart(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 5, "", VERB_DESTROY, "www");
	begin_again(world); /* before agentx heard; it answered commitFailed, and says so again */
	tell(world, MSG_DROP, 5, NULL, 0);
	tell_usual(world);
	later(world, 5000);
	assert_null(the(world, EFFECT_ACTION));
	assert_null(request_row(world, "auto-1"));
	assert_int_equal(row_of(world, "www")->request, VERB_NONE);
}

static void
test_undone_values_are_those_before(void **state)
{
	struct world *world = *state;
	struct hold hold_memory = {.verb = VERB_MEMORY, .vm = 1, .number = 300};
	struct hold hold_pause = {.verb = VERB_PAUSE, .vm = 1};
	struct message message = {.type = MSG_HOLD, .size = sizeof(struct hold), .detail = 9};

	tell_usual(world);
	hold(world, 1, "", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell(world, MSG_HOLD, 2, &hold_pause, sizeof(hold_pause)); /* both in one SET */
	tell(world, MSG_HOLD, 3, &hold_memory, sizeof(hold_memory));
	assert_int_equal(row_of(world, "www")->request, VERB_PAUSE);
	assert_int_equal(row_of(world, "www")->memory_target_mib, 300);
	tell(world, MSG_DROP, 2, NULL, 0);
	tell(world, MSG_DROP, 3, NULL, 0);
	assert_int_equal(row_of(world, "www")->request, VERB_SHUTDOWN);
	assert_int_equal(row_of(world, "www")->memory_target_mib, 256);
	/* Taken back before the disk answered. */
	memcpy(message.body, &hold_pause, sizeof(hold_pause));
	engine_message(world->engine, world->now, &message);
	tell(world, MSG_DROP, 9, NULL, 0);
	assert_int_equal(row_of(world, "www")->request, VERB_SHUTDOWN);
	assert_int_equal(row_of(world, "www")->memory_target_mib, 256);
}

/* www is being paused, and a shutdown waits for that. */
static void
tell_queued(struct world *world)
{
	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "noc-2", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
}

static void
test_a_queued_request_is_cancelled(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	hold(world, 3, "noc-2", VERB_NONE, "www");
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	tell(world, MSG_RELEASE, 3, NULL, 0);
	assert_null(request_row(world, "noc-2"));
	assert_int_equal(event_of(world, EVENT_REQUEST_FINISHED)->outcome, REQUEST_CANCELLED);
	forget_effects(world);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_null(the(world, EFFECT_ACTION));
}

static void
test_a_cancelling_that_is_undone_cancels_nothing(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	hold(world, 3, "noc-2", VERB_NONE, "www");
	tell(world, MSG_DROP, 3, NULL, 0);
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_QUEUED);
	assert_null(event_of(world, EVENT_REQUEST_FINISHED));
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

static void
test_a_cancelling_is_answered_once_it_is_stored(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	world->slow = true;
	hold(world, 3, "noc-2", VERB_NONE, "www");
	assert_null(the(world, EFFECT_HELD));
	world->slow = false;
	engine_stored(world->engine, world->now, 2, REQUEST_CANCELLED, true);
	collect(world);
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 1);
	assert_int_equal(the(world, EFFECT_HELD)->held.token, 3);
}

static void
test_no_cancelling_without_a_store(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	world->slow = true;
	hold(world, 3, "noc-2", VERB_NONE, "www");
	engine_stored(world->engine, world->now, 2, REQUEST_CANCELLED, false);
	collect(world);
	assert_int_equal(the(world, EFFECT_HELD)->held.answer.ok, 0);
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_QUEUED);
}

static void
test_a_cancelling_outlives_the_engine(void **state)
{
	struct world *world = *state;

	tell_queued(world);
	hold(world, 3, "noc-2", VERB_NONE, "www");
	begin_again(world);
	tell_usual(world);
	later(world, 5000);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_CANCELLED);
	for (size_t i = 0; i < world->effects_count; i++)
		assert_false(world->effects[i].type == EFFECT_ACTION &&
			     world->effects[i].action.id == 2);
}

static void
test_another_uuid_in_the_file_is_kept(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	memcpy(world->vms[1].uuid, uuid_new, UUID_SIZE);
	world->kept_vms_count = 0;
	engine_load(world->engine, &world->config, world->now);
	collect(world);
	assert_int_equal(world->kept_vms_count, 1);
	assert_memory_equal(world->kept_vms[0].uuid, uuid_new, UUID_SIZE);
	assert_int_equal(world->kept_vms[0].index, 2);
}

static void
test_a_clock_set_back_joins_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	later(world, 60000);
	world->now.wall_ms -= 3600 * 1000;
	hold(world, 2, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(the(world, EFFECT_ACTION)->action.id, 2);
}

static void
test_a_clock_set_forward_removes_nothing(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	tell_domain(world, 6, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 6, "guest", uuid_new);
	tell_gone(world, 6);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	world->now.wall_ms += INT64_C(3600) * 1000 * 24 * 365;
	later(world, 61000);
	assert_non_null(request_row(world, "noc-1"));
	tell_domain(world, 7, (const uint8_t[UUID_SIZE]){8}, DOMAIN_RUNNING, 0);
	tell_figures(world, 7, "next", (const uint8_t[UUID_SIZE]){8});
	assert_int_equal(row_of(world, "next")->index, 4);
	later(world, INT64_C(3600) * 1000 * 24);
	assert_null(request_row(world, "noc-1"));
}

static void
test_a_request_follows_its_vm_to_another_uuid(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	tell_gone(world, 3);
	tell_domain(world, 8, uuid_new, DOMAIN_RUNNING, 0);
	tell_figures(world, 8, "www", uuid_new);
	forget_effects(world);
	outcome(world, MSG_OUTCOME, 1, REQUEST_FAILED, "it is no more");
	assert_memory_equal(the(world, EFFECT_ACTION)->action.uuid, uuid_new, UUID_SIZE);
	assert_int_equal(the(world, EFFECT_ACTION)->action.domid, 8);
}

static void
test_a_request_whose_vm_is_no_more_ends(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "noc-1", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "noc-2", VERB_SHUTDOWN, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	world->kept_vms_count = 0; /* another lauxend's store */
	world->config.vms_count = 0;
	begin_again(world);
	later(world, 61000);
	assert_int_equal(request_row(world, "noc-2")->state, REQUEST_FAILED);
}

static void
test_an_id_that_the_agent_makes_is_free(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "auto-2", VERB_PAUSE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	hold(world, 2, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(request_row(world, "auto-2")->verb, VERB_PAUSE);
	assert_int_equal(engine_rows(world->engine)->sets[KIND_REQUEST].count, 2);
}

static void
test_the_same_domid_after_a_boot_of_the_host(void **state)
{
	struct world *world = *state;
	struct fact_figures fact = {.domid = 3, .on_crash = ON_RESTART};

	tell_usual(world);
	begin_again(world);
	world->now.wall_ms += 3600 * 1000;
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_BLOCKED, 0);
	tell_sample(world, SAMPLE_STATES, true);
	fact.start_wall_ms = world->now.wall_ms - 60000;
	memcpy(fact.uuid, uuid_www, UUID_SIZE);
	TEXT_SET(fact.name, "www");
	tell(world, MSG_FIGURES, 0, &fact, sizeof(fact));
	assert_int_equal(row_of(world, "www")->start_time, fact.start_wall_ms);
	assert_int_equal(row_of(world, "www")->discontinuity, fact.start_wall_ms);
}

static void
test_a_restore_that_fails_leaves_it_suspended(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_domain(world, 3, uuid_www, DOMAIN_SHUTDOWN, REASON_SUSPEND);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	hold(world, 2, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 2, NULL, 0);
	assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
	outcome(world, MSG_OUTCOME, 2, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
	assert_string_equal(row_of(world, "www")->change_reason, "request restore failed");
	later(world, 20000);
	hold(world, 3, "", VERB_RESTORE, "www");
	tell(world, MSG_RELEASE, 3, NULL, 0);
	begin_again(world); /* while it is tried */
	tell_domain(world, 0, NULL, DOMAIN_RUNNING, 0);
	tell_sample(world, SAMPLE_STATES, true);
	outcome(world, MSG_OUTCOME, 3, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
}

static void
test_a_start_that_fails_says_so(void **state)
{
	struct world *world = *state;

	tell_usual(world);
	hold(world, 1, "", VERB_START, "db");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	assert_int_equal(row_of(world, "db")->state, VM_PREPARING);
	outcome(world, MSG_OUTCOME, 1, REQUEST_FAILED, "no memory");
	assert_int_equal(row_of(world, "db")->state, VM_SHUTDOWN);
	assert_string_equal(row_of(world, "db")->change_reason, "request start failed");
}

/* The saved state is still there. */
static void
test_a_restore_that_failed_leaves_it_suspended(void **state)
{
	struct world *world = *state;
	struct fact_domain half = {.flags = DOMAIN_PAUSED};

	tell_usual(world);
	hold(world, 1, "", VERB_SAVE, "www");
	tell(world, MSG_RELEASE, 1, NULL, 0);
	tell_gone(world, 3);
	outcome(world, MSG_OUTCOME, 1, REQUEST_SUCCEEDED, "");
	memcpy(half.uuid, uuid_www, UUID_SIZE);
	for (uint32_t i = 0; i < 2; i++) {
		hold(world, 2 + i, "", VERB_RESTORE, "www");
		tell(world, MSG_RELEASE, 2 + i, NULL, 0);
		half.domid = 4 + i;
		tell(world, MSG_DOMAIN, 0, &half, sizeof(half));
		tell_gone(world, 4 + i);
		assert_int_equal(row_of(world, "www")->state, VM_RESUMING);
		outcome(world, MSG_OUTCOME, 2 + i, i ? REQUEST_FAILED : REQUEST_UNDECIDED, "no");
		assert_int_equal(row_of(world, "www")->state, VM_SUSPENDED);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_pause_by_request),
	    TEST(test_equal_request_joins),
	    TEST(test_what_did_not_hold_is_not_joined),
	    TEST(test_one_id_is_one_request),
	    TEST(test_another_journals_outcome_is_kept),
	    TEST(test_a_removal_that_is_undone_removes_nothing),
	    TEST(test_undone_leaves_nothing),
	    TEST(test_refusals),
	    TEST(test_held_by_a_dead_agentx_is_done),
	    TEST(test_held_by_a_dead_agentx_and_not_on_disk_is_dropped),
	    TEST(test_held_by_hand_and_dropped_leaves_nothing),
	    TEST(test_what_joins_a_held_one_waits_for_the_disk),
	    TEST(test_one_that_holds_it_with_others_goes),
	    TEST(test_held_by_hand_outlives_agentx),
	    TEST(test_what_is_held_is_not_removed),
	    TEST(test_by_hand_without_a_store),
	    TEST(test_what_an_engine_before_held_is_joined),
	    TEST(test_what_was_asked_for_waits_for_the_hypervisor_process),
	    TEST(test_saved_and_restored),
	    TEST(test_a_restore_that_failed_leaves_it_suspended),
	    TEST(test_outcomes_before_their_facts),
	    TEST(test_a_domain_that_never_shows),
	    TEST(test_a_restore_that_is_mended_leaves_it_suspended),
	    TEST(test_a_restore_that_is_mended_unseen_leaves_it_suspended),
	    TEST(test_what_is_destroyed_is_not_paused),
	    TEST(test_another_uuid_is_the_same_vm),
	    TEST(test_another_uuid_outlives_the_engine),
	    TEST(test_an_action_of_its_own_outlives_the_engine),
	    TEST(test_a_dropped_hold_stays_dropped_over_a_restart),
	    TEST(test_undone_values_are_those_before),
	    TEST(test_a_queued_request_is_cancelled),
	    TEST(test_a_cancelling_that_is_undone_cancels_nothing),
	    TEST(test_a_cancelling_is_answered_once_it_is_stored),
	    TEST(test_no_cancelling_without_a_store),
	    TEST(test_a_cancelling_outlives_the_engine),
	    TEST(test_another_uuid_in_the_file_is_kept),
	    TEST(test_a_clock_set_back_joins_nothing),
	    TEST(test_a_clock_set_forward_removes_nothing),
	    TEST(test_a_request_follows_its_vm_to_another_uuid),
	    TEST(test_a_request_whose_vm_is_no_more_ends),
	    TEST(test_an_id_that_the_agent_makes_is_free),
	    TEST(test_the_same_domid_after_a_boot_of_the_host),
	    TEST(test_a_restore_that_fails_leaves_it_suspended),
	    TEST(test_a_start_that_fails_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
