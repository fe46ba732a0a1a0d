#include "tests/sim/manager.h"

#include <string.h>

#include "base/mem.h"
#include "mib/table.h"
#include "snmp/check.h"
#include "tests/sim/say.h"

struct set {
	netsnmp_variable_list *variables;
};

static const struct name errors[] = {
    {SNMP_ERR_WRONGVALUE, "wrongValue"},
    {SNMP_ERR_INCONSISTENTVALUE, "inconsistentValue"},
    {SNMP_ERR_INCONSISTENTNAME, "inconsistentName"},
    {SNMP_ERR_RESOURCEUNAVAILABLE, "resourceUnavailable"},
    {SNMP_ERR_NOCREATION, "noCreation"},
    {SNMP_ERR_NOTWRITABLE, "notWritable"},
    {0, NULL},
};

/* The writable column of a row's field. */
static const struct mib_table *
writable(enum mib_kind kind, size_t bit, uint32_t *number)
{
	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];

		for (size_t j = 0; table->kind == kind && j < table->columns_count; j++) {
			const struct mib_column *column = &table->columns[j];

			if (column->bit != bit || column->number == 0 ||
			    (column->access != MIB_RW && column->access != MIB_RC))
				continue;
			*number = column->number;
			return table;
		}
	}
	return NULL;
}

static void
add(struct set *set, enum mib_kind kind, size_t bit, const void *row, u_char tag, const void *value,
    size_t size)
{
	struct mib_oid oid;
	uint32_t number = 0;
	const struct mib_table *table = writable(kind, bit, &number);

	mib_instance(table, number, row, &oid);
	snmp_varlist_add_variable(&set->variables, oid.arcs, oid.count, tag, value, size);
}

static void
add_number(struct set *set, enum mib_kind kind, size_t bit, const void *row, u_char tag,
	   uint32_t number)
{
	long value = (long)number;

	add(set, kind, bit, row, tag, &value, sizeof(value));
}

/* The object of a verb that is a value of its own. */
static const struct {
	uint32_t verb;
	size_t bit;
	u_char tag;
} objects[] = {
    {VERB_MEMORY, mib_vm_BIT_memory_target_mib, ASN_UNSIGNED},
    {VERB_MAINTENANCE, mib_vm_BIT_maintenance_s, ASN_UNSIGNED},
    {VERB_DESIRE, mib_vm_BIT_desired, ASN_INTEGER},
    {VERB_MEMORY_MIN, mib_vm_BIT_policy_memory_min_mib, ASN_UNSIGNED},
    {VERB_MEMORY_MAX, mib_vm_BIT_policy_memory_max_mib, ASN_UNSIGNED},
    {VERB_MEMORY_HIGH, mib_vm_BIT_policy_memory_high, ASN_UNSIGNED},
    {VERB_MEMORY_LOW, mib_vm_BIT_policy_memory_low, ASN_UNSIGNED},
};

static void
by_hand(struct set *set, uint32_t index, uint32_t verb, uint32_t number)
{
	const struct mib_vm row = {.index = index};

	for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++)
		if (objects[i].verb == verb) {
			add_number(set, KIND_VM, objects[i].bit, &row, objects[i].tag, number);
			return;
		}
	add_number(set, KIND_VM, mib_vm_BIT_request, &row, ASN_INTEGER, verb);
}

static void
by_row(struct set *set, const char *id, uint32_t verb, const char *whom, uint32_t number)
{
	struct mib_request row = {0};

	TEXT_SET(row.id, id);
	if (verb == VERB_NONE) {
		add_number(set, KIND_REQUEST, mib_request_BIT_status, &row, ASN_INTEGER,
			   ROW_DESTROY);
		return;
	}
	add(set, KIND_REQUEST, mib_request_BIT_vm, &row, ASN_OCTET_STR, whom, strlen(whom));
	add_number(set, KIND_REQUEST, mib_request_BIT_verb, &row, ASN_INTEGER, verb);
	if (number != 0)
		add_number(set, KIND_REQUEST, mib_request_BIT_number, &row, ASN_UNSIGNED, number);
	add_number(set, KIND_REQUEST, mib_request_BIT_status, &row, ASN_INTEGER, ROW_CREATE_AND_GO);
}

static uint32_t
index_of(const struct world *world, const char *name)
{
	const struct rowset *set = &world->agentx.rows.sets[KIND_VM];

	for (size_t i = 0; i < set->count; i++) {
		const struct mib_vm *row = rowset_at(set, i);

		if (strcmp(row->name, name) == 0)
			return row->index;
	}
	return 0;
}

static void
hold_wishes(struct world *world, const struct wishes *wishes, const char *whom, bool undo)
{
	for (size_t i = 0; i < wishes->count; i++) {
		struct hold hold = wishes->list[i].hold;

		agentx_set(world, &hold, whom, undo);
	}
}

void
manager_set(struct world *world, const char *id, uint32_t verb, const char *whom, uint32_t number,
	    bool undo)
{
	struct agentx *agentx = &world->agentx;
	struct wishes wishes;
	struct set set = {0};
	long at;
	int rc;

	if (!agentx->lives || !agentx->channel.attached) {
		say_set(world, id, verb, whom, "resourceUnavailable");
		return;
	}
	if (*id)
		by_row(&set, id, verb, whom, number);
	else
		by_hand(&set, index_of(world, whom), verb, number);
	rc = check_set(&agentx->rows, set.variables, world_instant(world).wall_ms, &wishes, &at);
	snmp_free_varbind(set.variables);
	if (rc != SNMP_ERR_NOERROR)
		say_set(world, id, verb, whom, name_of(errors, rc));
	else
		hold_wishes(world, &wishes, whom, undo);
	wishes_clear(&wishes);
}
