/* What the hypervisor process keeps and passes on of its workers' passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "hypervisor/facts.h"

static struct facts facts;

static int
setup(void **state)
{
	(void)state;
	facts_init(&facts);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	facts_dispose(&facts);
	return 0;
}

static void
put_domain(uint32_t domid, uint32_t flags, uint64_t cpu_ns)
{
	struct fact_domain domain = {.domid = domid, .flags = flags, .cpu_ns = cpu_ns};

	assert_true(facts_put(&facts, SAMPLE_STATES, MSG_DOMAIN, &domain, sizeof(domain)));
}

static bool
end(enum sample_kind kind, bool ok, bool urgent)
{
	struct fact_sample sample = {.kind = kind, .ok = ok, .urgent = urgent};

	return facts_end(&facts, &sample);
}

/* A letter a message, with the key of a domain or figures, "-" before a row that is gone; a sample
 * as its kind's letter, capital where urgent, "!" after a failed one. */
static void
expect(const char *wanted)
{
	char got[200] = "";
	struct message message;

	while (facts_pull(&facts, &message)) {
		size_t used = strlen(got);
		const struct fact_sample *sample = (const struct fact_sample *)message.body;
		const char *gone = message.detail == FACT_GONE ? "-" : "";
		uint32_t key = *(uint32_t *)message.body;

		if (message.type == MSG_SAMPLE)
			snprintf(got + used, sizeof(got) - used, "%c%s ",
				 sample->kind == SAMPLE_FIGURES ? 'f'
				 : sample->urgent		? 'S'
								: 's',
				 sample->ok ? "" : "!");
		else if (message.type == MSG_HOST)
			snprintf(got + used, sizeof(got) - used, "%sh ", gone);
		else
			snprintf(got + used, sizeof(got) - used, "%s%c%u ", gone,
				 "dFnkp"[message.type == MSG_FIGURES ? 1
					 : message.type == MSG_NET   ? 2
					 : message.type == MSG_DISK  ? 3
					 : message.type == MSG_POOL  ? 4
								     : 0],
				 key);
	}
	assert_string_equal(got, wanted);
}

/* A regular pass over domains 0, 1 and 2, passed on. */
static void
begin_with_three(void)
{
	facts_begin(&facts, SAMPLE_STATES, false);
	for (uint32_t domid = 0; domid < 3; domid++)
		put_domain(domid, 0, 0);
	assert_true(end(SAMPLE_STATES, true, false));
	expect("d0 d1 d2 s ");
}

static void
regular(void **state)
{
	(void)state;
	begin_with_three();
	facts_begin(&facts, SAMPLE_STATES, false);
	put_domain(0, 0, 0);
	put_domain(1, 0, 17);
	end(SAMPLE_STATES, true, false);
	expect("d1 -d2 s ");
}

static void
urgent(void **state)
{
	(void)state;
	begin_with_three();
	facts_begin(&facts, SAMPLE_STATES, true);
	put_domain(0, DOMAIN_RUNNING, 5);  /* flips and moves: no news */
	put_domain(1, DOMAIN_SHUTDOWN, 5); /* news */
	put_domain(3, 0, 5);		   /* new; 2 is gone */
	end(SAMPLE_STATES, true, true);
	expect("d1 d3 -d2 S ");
	facts_begin(&facts, SAMPLE_STATES, false);
	put_domain(0, DOMAIN_RUNNING, 5);
	put_domain(1, DOMAIN_SHUTDOWN, 5);
	put_domain(3, 0, 5);
	end(SAMPLE_STATES, true, false);
	expect("d0 s ");
}

static void
failed_removes_nothing(void **state)
{
	(void)state;
	begin_with_three();
	facts_begin(&facts, SAMPLE_STATES, false);
	put_domain(1, 0, 9);
	assert_false(end(SAMPLE_STATES, false, false));
	expect("d1 s! ");
	facts_begin(&facts, SAMPLE_STATES, false);
	put_domain(1, 0, 9);
	assert_false(end(SAMPLE_STATES, true, false)); /* without Domain-0 */
	expect("s! ");
	facts_begin(&facts, SAMPLE_STATES, false);
	for (uint32_t domid = 0; domid < 3; domid++)
		put_domain(domid, 0, 0);
	assert_true(end(SAMPLE_STATES, true, false));
	expect("d1 s ");
}

static void
order(void **state)
{
	struct fact_figures figures[2] = {{.domid = 1}, {.domid = 2}};
	struct fact_host host = {.cpus = 2};
	struct fact_pool pool = {.index = 4};
	struct fact_net net = {.domid = 1};
	struct fact_disk disk = {.domid = 1};

	(void)state;
	facts_begin(&facts, SAMPLE_FIGURES, false);
	facts_put(&facts, SAMPLE_FIGURES, MSG_DISK, &disk, sizeof(disk));
	facts_put(&facts, SAMPLE_FIGURES, MSG_NET, &net, sizeof(net));
	facts_put(&facts, SAMPLE_FIGURES, MSG_POOL, &pool, sizeof(pool));
	facts_put(&facts, SAMPLE_FIGURES, MSG_HOST, &host, sizeof(host));
	facts_put(&facts, SAMPLE_FIGURES, MSG_FIGURES, figures, sizeof(figures));
	end(SAMPLE_FIGURES, true, false);
	facts_begin(&facts, SAMPLE_STATES, false);
	put_domain(0, 0, 0);
	end(SAMPLE_STATES, true, false);
	expect("d0 s F1 F2 h p4 n1 k1 f ");
	facts_resend(&facts);
	expect("d0 s F1 F2 h p4 n1 k1 f ");
	facts_begin(&facts, SAMPLE_FIGURES, false);
	end(SAMPLE_FIGURES, true, false);
	expect("-F2 -F1 -h -p4 -n1 -k1 f ");
}

/* What is not whole rows, or another worker's, is refused. */
static void
refused(void **state)
{
	struct fact_domain domain = {.domid = 1};

	(void)state;
	facts_begin(&facts, SAMPLE_STATES, false);
	assert_false(facts_put(&facts, SAMPLE_STATES, MSG_DOMAIN, &domain, sizeof(domain) - 1));
	assert_false(facts_put(&facts, SAMPLE_STATES, MSG_DOMAIN, &domain, 0));
	assert_false(facts_put(&facts, SAMPLE_FIGURES, MSG_DOMAIN, &domain, sizeof(domain)));
	assert_false(facts_put(&facts, SAMPLE_STATES, MSG_ACTION, &domain, sizeof(domain)));
	expect("");
}

/* A sample that an urgent one overtakes answers for both; it goes only after all rows. */
static void
overtaken(void **state)
{
	struct message message;

	(void)state;
	facts_begin(&facts, SAMPLE_STATES, false);
	put_domain(0, 0, 0);
	put_domain(1, 0, 0);
	end(SAMPLE_STATES, true, false);
	assert_true(facts_pull(&facts, &message));
	facts_begin(&facts, SAMPLE_STATES, true);
	put_domain(0, 0, 0);
	put_domain(1, DOMAIN_PAUSED, 0);
	end(SAMPLE_STATES, true, true);
	expect("d1 s ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(regular), TEST(urgent),  TEST(failed_removes_nothing),
	    TEST(order),   TEST(refused), TEST(overtaken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
