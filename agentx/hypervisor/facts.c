#include "hypervisor/facts.h"

#include <string.h>

#include "base/mem.h"

static int
order(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int
compare_domains(const void *a, const void *b)
{
	return order(((const struct fact_domain *)a)->domid,
		     ((const struct fact_domain *)b)->domid);
}

static int
compare_figures(const void *a, const void *b)
{
	return order(((const struct fact_figures *)a)->domid,
		     ((const struct fact_figures *)b)->domid);
}

static int
compare_hosts(const void *a, const void *b)
{
	(void)a, (void)b;
	return 0;
}

static int
compare_pools(const void *a, const void *b)
{
	return order(((const struct fact_pool *)a)->index, ((const struct fact_pool *)b)->index);
}

static int
compare_nets(const void *a, const void *b)
{
	const struct fact_net *x = a, *y = b;

	return x->domid != y->domid ? order(x->domid, y->domid) : order(x->device, y->device);
}

static int
compare_disks(const void *a, const void *b)
{
	const struct fact_disk *x = a, *y = b;

	return x->domid != y->domid ? order(x->domid, y->domid) : order(x->device, y->device);
}

/* In the order in which they are passed on. */
static const struct {
	enum message_type type;
	enum sample_kind kind;
	size_t size;
	int (*compare)(const void *a, const void *b);
} facts_types[FACTS_TYPES] = {
    {MSG_DOMAIN, SAMPLE_STATES, sizeof(struct fact_domain), compare_domains},
    {MSG_FIGURES, SAMPLE_FIGURES, sizeof(struct fact_figures), compare_figures},
    {MSG_HOST, SAMPLE_FIGURES, sizeof(struct fact_host), compare_hosts},
    {MSG_POOL, SAMPLE_FIGURES, sizeof(struct fact_pool), compare_pools},
    {MSG_NET, SAMPLE_FIGURES, sizeof(struct fact_net), compare_nets},
    {MSG_DISK, SAMPLE_FIGURES, sizeof(struct fact_disk), compare_disks},
};

void
facts_init(struct facts *facts)
{
	*facts = (struct facts){0};
	for (size_t i = 0; i < FACTS_TYPES; i++)
		rowset_init(&facts->sets[i], facts_types[i].size, facts_types[i].compare, true);
}

void
facts_dispose(struct facts *facts)
{
	for (size_t i = 0; i < FACTS_TYPES; i++)
		rowset_dispose(&facts->sets[i]);
}

void
facts_begin(struct facts *facts, enum sample_kind kind, bool urgent)
{
	for (size_t i = 0; i < FACTS_TYPES; i++)
		if (facts_types[i].kind == kind)
			rowset_begin(&facts->sets[i]);
	if (kind == SAMPLE_STATES) {
		facts->urgent = urgent;
		facts->domain0 = false;
	}
}

static bool
same_state(const struct fact_domain *a, const struct fact_domain *b)
{
	return (a->flags & DOMAIN_STATE_FLAGS) == (b->flags & DOMAIN_STATE_FLAGS) &&
	       a->reason == b->reason && memcmp(a->uuid, b->uuid, UUID_SIZE) == 0;
}

static void
put_domain(struct facts *facts, struct rowset *set, const struct fact_domain *domain)
{
	const struct fact_domain *known = facts->urgent ? rowset_find(set, domain) : NULL;

	facts->domain0 |= domain->domid == 0;
	/* Putting the known row again only says that the domain is still there. */
	rowset_put(set, known && same_state(known, domain) ? known : domain);
}

bool
facts_put(struct facts *facts, enum sample_kind kind, int type, const void *rows, size_t size)
{
	_Alignas(8) unsigned char row[MESSAGE_BODY_MAX];
	size_t i = 0;

	while (i < FACTS_TYPES && (int)facts_types[i].type != type)
		i++;
	if (i == FACTS_TYPES || facts_types[i].kind != kind || size == 0 ||
	    size % facts_types[i].size != 0)
		return false;
	for (size_t at = 0; at < size; at += facts_types[i].size) {
		memcpy(row, (const unsigned char *)rows + at, facts_types[i].size);
		if (type == MSG_DOMAIN)
			put_domain(facts, &facts->sets[i], (const struct fact_domain *)row);
		else
			rowset_put(&facts->sets[i], row);
	}
	return true;
}

static struct facts_sample *
sample_of(struct facts *facts, enum sample_kind kind)
{
	return &facts->samples[kind == SAMPLE_FIGURES];
}

/* An urgent pass that overtakes a regular one's sample answers for both. */
static void
keep_sample(struct facts_sample *kept, const struct fact_sample *sample)
{
	bool regular = kept->waits && !kept->sample.urgent;

	*kept = (struct facts_sample){.sample = *sample, .known = true, .waits = true};
	if (regular)
		kept->sample.urgent = 0;
}

bool
facts_end(struct facts *facts, struct fact_sample *sample)
{
	if (sample->kind == SAMPLE_STATES && sample->ok && !facts->domain0) {
		sample->ok = 0;
		TEXT_SET(sample->error, "the hypervisor's list has no Domain-0");
	}
	for (size_t i = 0; sample->ok && i < FACTS_TYPES; i++)
		if (facts_types[i].kind == sample->kind)
			rowset_end(&facts->sets[i]);
	keep_sample(sample_of(facts, (enum sample_kind)sample->kind), sample);
	return sample->ok;
}

static void
message_set(struct message *message, int type, const void *body, size_t size)
{
	message->type = (uint16_t)type;
	message->detail = 0;
	message->size = (uint16_t)size;
	if (body)
		memcpy(message->body, body, size);
}

static bool
pull_row(struct facts *facts, enum sample_kind kind, struct message *message)
{
	for (size_t i = 0; i < FACTS_TYPES; i++) {
		bool gone;

		if (facts_types[i].kind != kind ||
		    !rowset_take(&facts->sets[i], message->body, &gone))
			continue;
		message_set(message, facts_types[i].type, NULL, facts_types[i].size);
		message->detail = gone ? FACT_GONE : 0;
		return true;
	}
	return false;
}

static bool
pull_sample(struct facts *facts, enum sample_kind kind, struct message *message)
{
	struct facts_sample *kept = sample_of(facts, kind);

	if (!kept->waits)
		return false;
	kept->waits = false;
	message_set(message, MSG_SAMPLE, &kept->sample, sizeof(kept->sample));
	return true;
}

bool
facts_pull(struct facts *facts, struct message *message)
{
	return pull_row(facts, SAMPLE_STATES, message) ||
	       pull_sample(facts, SAMPLE_STATES, message) ||
	       pull_row(facts, SAMPLE_FIGURES, message) ||
	       pull_sample(facts, SAMPLE_FIGURES, message);
}

void
facts_resend(struct facts *facts)
{
	for (size_t i = 0; i < FACTS_TYPES; i++)
		rowset_resend(&facts->sets[i]);
	for (size_t i = 0; i < FACTS_SAMPLES; i++) {
		facts->samples[i].waits = facts->samples[i].known;
		facts->samples[i].sample.urgent = 0; /* every row goes with it */
	}
}
