#include "snmp/check.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/uuid.h"
#include "snmp/verb.h"

#define REPEAT_MS 10000 /* a request that is equal to its VM's last one joins it so long */

/*
 * A row that the SET is about: its variables gathered, with the numbers of those that set them. Of
 * a VM: a verb, and numbers of verbs that have an object of their own (by_hand). Of a request: verb
 * and what follows the last of those.
 */
enum part {
	PART_VERB,
	PART_MEMORY,
	PART_MAINTENANCE,
	PART_DESIRE,
	PART_MEMORY_MIN,
	PART_MEMORY_MAX,
	PART_MEMORY_HIGH,
	PART_MEMORY_LOW,
	PART_VM,
	PART_NUMBER,
	PART_STATUS,
	PART_COUNT
};

struct draft {
	enum mib_kind kind;
	uint32_t vm;		  /* key of a VM's row */
	char id[REQUEST_ID_SIZE]; /* key of a request's */
	long at[PART_COUNT];	  /* the variable that set the part; 0: none did */
	uint32_t number[PART_COUNT];
	char target[VM_NAME_SIZE];
};

struct check {
	const struct mib_rows *rows;
	int64_t wall_ms;
	struct draft *drafts;
	size_t count;
	struct wishes *wishes;
	long at; /* to blame for the error */
};

/* The verbs that have an object of a VM's row, and number as their value. */
static const uint32_t by_hand[PART_VM] = {
    [PART_MEMORY] = VERB_MEMORY,	 [PART_MAINTENANCE] = VERB_MAINTENANCE,
    [PART_DESIRE] = VERB_DESIRE,	 [PART_MEMORY_MIN] = VERB_MEMORY_MIN,
    [PART_MEMORY_MAX] = VERB_MEMORY_MAX, [PART_MEMORY_HIGH] = VERB_MEMORY_HIGH,
    [PART_MEMORY_LOW] = VERB_MEMORY_LOW,
};

/* Values alone: what no VM and no moment could make right. */

struct writable {
	enum mib_kind kind;
	size_t bit; /* of the column */
	enum part part;
	u_char tag;
	bool (*fits)(const struct writable *writable, const netsnmp_variable_list *variable);
};

static bool
value_verb_by_hand(const struct writable *writable, const netsnmp_variable_list *variable)
{
	long verb = *variable->val.integer;

	(void)writable;
	return (verb >= VERB_START && verb <= VERB_RESTORE) || verb == VERB_LAUNCH;
}

/* Who may operate VMs need not be one who may change marks of memory: those are in lxPolicy. */
static bool
value_verb(const struct writable *writable, const netsnmp_variable_list *variable)
{
	(void)writable;
	return *variable->val.integer >= VERB_START && *variable->val.integer <= VERB_DESIRE;
}

static bool
value_by_hand(const struct writable *writable, const netsnmp_variable_list *variable)
{
	return verb_number_fits(by_hand[writable->part], (uint32_t)*variable->val.integer);
}

static bool
value_number(const struct writable *writable, const netsnmp_variable_list *variable)
{
	(void)writable, (void)variable;
	return true;
}

/* No createAndWait, no notInService: a request is made at once and whole. */
static bool
value_status(const struct writable *writable, const netsnmp_variable_list *variable)
{
	long status = *variable->val.integer;

	(void)writable;
	return status == ROW_ACTIVE || status == ROW_CREATE_AND_GO || status == ROW_DESTROY;
}

/* UTF-8 without control characters: text_set() would change anything else. */
static bool
value_text(const struct writable *writable, const netsnmp_variable_list *variable)
{
	char text[VM_NAME_SIZE] = "", clean[VM_NAME_SIZE];

	(void)writable;
	memcpy(text, variable->val.string, variable->val_len);
	TEXT_SET(clean, text);
	return strlen(text) == variable->val_len && strcmp(text, clean) == 0;
}

static const struct writable writables[] = {
    {KIND_VM, mib_vm_BIT_request, PART_VERB, ASN_INTEGER, value_verb_by_hand},
    {KIND_VM, mib_vm_BIT_memory_target_mib, PART_MEMORY, ASN_UNSIGNED, value_by_hand},
    {KIND_VM, mib_vm_BIT_maintenance_s, PART_MAINTENANCE, ASN_UNSIGNED, value_by_hand},
    {KIND_VM, mib_vm_BIT_desired, PART_DESIRE, ASN_INTEGER, value_by_hand},
    {KIND_VM, mib_vm_BIT_policy_memory_min_mib, PART_MEMORY_MIN, ASN_UNSIGNED, value_by_hand},
    {KIND_VM, mib_vm_BIT_policy_memory_max_mib, PART_MEMORY_MAX, ASN_UNSIGNED, value_by_hand},
    {KIND_VM, mib_vm_BIT_policy_memory_high, PART_MEMORY_HIGH, ASN_UNSIGNED, value_by_hand},
    {KIND_VM, mib_vm_BIT_policy_memory_low, PART_MEMORY_LOW, ASN_UNSIGNED, value_by_hand},
    {KIND_REQUEST, mib_request_BIT_vm, PART_VM, ASN_OCTET_STR, value_text},
    {KIND_REQUEST, mib_request_BIT_verb, PART_VERB, ASN_INTEGER, value_verb},
    {KIND_REQUEST, mib_request_BIT_number, PART_NUMBER, ASN_UNSIGNED, value_number},
    {KIND_REQUEST, mib_request_BIT_status, PART_STATUS, ASN_INTEGER, value_status},
};

static const struct writable *
writable_of(const struct mib_table *table, const struct mib_column *column)
{
	if (!table || (column->access != MIB_RW && column->access != MIB_RC))
		return NULL;
	for (size_t i = 0; i < sizeof(writables) / sizeof(writables[0]); i++)
		if (writables[i].kind == table->kind && writables[i].bit == column->bit)
			return &writables[i];
	return NULL;
}

static int
check_value(const struct writable *writable, const netsnmp_variable_list *variable)
{
	if (variable->type != writable->tag)
		return SNMP_ERR_WRONGTYPE;
	if (variable->type == ASN_OCTET_STR &&
	    (variable->val_len == 0 || variable->val_len >= VM_NAME_SIZE))
		return SNMP_ERR_WRONGLENGTH;
	return writable->fits(writable, variable) ? SNMP_ERR_NOERROR : SNMP_ERR_WRONGVALUE;
}

static struct draft *
draft_of(struct check *check, const struct draft *key)
{
	for (size_t i = 0; i < check->count; i++) {
		struct draft *draft = &check->drafts[i];

		if (draft->kind == key->kind && draft->vm == key->vm &&
		    strcmp(draft->id, key->id) == 0)
			return draft;
	}
	check->drafts = mem_resize(check->drafts, check->count + 1, sizeof(*check->drafts));
	check->drafts[check->count] = *key;
	return &check->drafts[check->count++];
}

/* The row that a variable names: an existing VM, or a request's id, new or not. */
static bool
draft_key(const struct check *check, enum mib_kind kind, const unsigned long *index, size_t count,
	  struct draft *key)
{
	struct mib_request request;
	struct mib_vm vm;
	char clean[REQUEST_ID_SIZE];

	*key = (struct draft){.kind = kind};
	if (kind == KIND_VM) {
		if (!mib_key(kind, index, count, &vm) ||
		    !rowset_find(&check->rows->sets[kind], &vm))
			return false;
		key->vm = vm.index;
		return true;
	}
	if (!mib_key(kind, index, count, &request))
		return false;
	TEXT_SET(clean, request.id);
	memcpy(key->id, request.id, sizeof(key->id));
	return strcmp(clean, request.id) == 0;
}

static int
check_variable(struct check *check, const netsnmp_variable_list *variable, long at)
{
	const struct mib_column *column;
	size_t index_at;
	const struct mib_table *table =
	    mib_locate(variable->name, variable->name_length, &column, &index_at);
	const struct writable *writable = writable_of(table, column);
	struct draft key, *draft;
	int rc;

	check->at = at;
	if (!writable)
		return SNMP_ERR_NOTWRITABLE;
	if ((rc = check_value(writable, variable)) != SNMP_ERR_NOERROR)
		return rc;
	if (!draft_key(check, writable->kind, variable->name + index_at,
		       variable->name_length - index_at, &key))
		return SNMP_ERR_NOCREATION;
	draft = draft_of(check, &key);
	if (draft->at[writable->part] != 0)
		return SNMP_ERR_INCONSISTENTVALUE; /* twice in one PDU */
	draft->at[writable->part] = at;
	if (writable->tag == ASN_OCTET_STR)
		memcpy(draft->target, variable->val.string, variable->val_len);
	else
		draft->number[writable->part] = (uint32_t)*variable->val.integer;
	return SNMP_ERR_NOERROR;
}

static bool
is_open(const struct mib_request *request)
{
	return request->state == REQUEST_QUEUED || request->state == REQUEST_RUNNING;
}

static const struct mib_vm *
vm_at(const struct check *check, uint32_t index)
{
	struct mib_vm key = {.index = index};

	return rowset_find(&check->rows->sets[KIND_VM], &key);
}

/* By name, or by UUID; NULL: there is none. */
static const struct mib_vm *
vm_named(const struct check *check, const char *target)
{
	const struct rowset *vms = &check->rows->sets[KIND_VM];
	uint8_t uuid[UUID_SIZE];
	bool is_uuid = uuid_parse(target, uuid);

	for (size_t i = 0; i < vms->count; i++) {
		const struct mib_vm *vm = rowset_at(vms, i);

		if (is_uuid ? uuid_equal(vm->uuid, uuid) : strcmp(vm->name, target) == 0)
			return vm;
	}
	return NULL;
}

static void
wish_add(struct wishes *wishes, const struct wish *wish)
{
	wishes->list = mem_resize(wishes->list, wishes->count + 1, sizeof(*wish));
	wishes->list[wishes->count++] = *wish;
}

/*
 * Whether the VM's last request was the same and is not over, or young: then the engine joins the
 * two, and the state that the first one made is no reason to refuse the second.
 */
static bool
is_repeat(const struct check *check, uint32_t vm, uint32_t verb, uint32_t number)
{
	const struct rowset *requests = &check->rows->sets[KIND_REQUEST];
	const struct mib_request *last = NULL;

	for (size_t i = 0; i < requests->count; i++) {
		const struct mib_request *request = rowset_at(requests, i);

		if (request->vm_index == vm && (!last || request->accepted >= last->accepted))
			last = request;
	}
	return last && (uint32_t)last->verb == verb && last->number == number &&
	       (is_open(last) ||
		(check->wall_ms >= last->accepted && check->wall_ms - last->accepted < REPEAT_MS));
}

/* Room for one more request of the VM. */
static bool
has_room(const struct check *check, uint32_t vm)
{
	const struct rowset *requests = &check->rows->sets[KIND_REQUEST];
	size_t added = 0, open = 0;

	for (size_t i = 0; i < check->wishes->count; i++) {
		added += check->wishes->list[i].hold.verb != VERB_NONE;
		open += check->wishes->list[i].hold.vm == vm;
	}
	for (size_t i = 0; i < requests->count; i++) {
		const struct mib_request *request = rowset_at(requests, i);

		open += request->vm_index == vm && is_open(request);
	}
	return requests->count + added < REQUESTS_MAX && open < REQUESTS_PER_VM;
}

/* A request of a verb to a VM; at_number: the variable with the number, where there is one. */
static int
check_verb(struct check *check, const struct draft *draft, const struct mib_vm *vm, uint32_t verb,
	   uint32_t number, long at, long at_number)
{
	bool repeat = draft->kind == KIND_VM && is_repeat(check, vm->index, verb, number);
	struct wish wish = {.hold = {.verb = verb, .vm = vm->index, .number = number}, .at = at};

	check->at = at_number;
	if (!verb_number_fits(verb, number) ||
	    (verb == VERB_MEMORY && !(vm->absent >> mib_vm_BIT_memory_max_mib & 1) &&
	     number > vm->memory_max_mib))
		return SNMP_ERR_INCONSISTENTVALUE;
	check->at = at;
	if (!repeat && !verb_makes_sense(vm, verb))
		return SNMP_ERR_INCONSISTENTVALUE;
	if (!repeat && !has_room(check, vm->index))
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	memcpy(wish.hold.id, draft->id, sizeof(wish.hold.id));
	memcpy(wish.hold.vm_text, draft->target, sizeof(wish.hold.vm_text));
	wish_add(check->wishes, &wish);
	return SNMP_ERR_NOERROR;
}

static int
check_by_hand(struct check *check, const struct draft *draft)
{
	const struct mib_vm *vm = vm_at(check, draft->vm);
	int rc = SNMP_ERR_NOERROR;

	for (enum part part = PART_VERB; part < PART_VM && rc == SNMP_ERR_NOERROR; part++) {
		long at = draft->at[part];

		if (at != 0 && part == PART_VERB)
			rc = check_verb(check, draft, vm, draft->number[part], 0, at, at);
		else if (at != 0)
			rc = check_verb(check, draft, vm, by_hand[part], draft->number[part], at,
					at);
	}
	return rc;
}

/* The first variable that set anything of the draft. */
static long
draft_first(const struct draft *draft)
{
	long first = 0;

	for (int part = 0; part < PART_COUNT; part++)
		if (draft->at[part] != 0 && (first == 0 || draft->at[part] < first))
			first = draft->at[part];
	return first;
}

/*
 * The whole row once more. The engine says whether it stands: ours may be of a SET that was undone
 * just now, of which the engine's word is still on its way.
 */
static void
wish_again(struct check *check, const struct draft *draft, const struct mib_request *row)
{
	struct wish wish = {
	    .hold = {.verb = (uint32_t)row->verb, .vm = row->vm_index, .number = row->number},
	    .at = draft->at[PART_STATUS]};

	memcpy(wish.hold.id, draft->id, sizeof(wish.hold.id));
	memcpy(wish.hold.vm_text, draft->target, sizeof(wish.hold.vm_text));
	wish_add(check->wishes, &wish);
}

/* A row that is there already is asked for once more: fine where it is the same, part by part. */
static int
check_same(struct check *check, const struct draft *draft, const struct mib_request *row)
{
	static const enum part parts[] = {PART_VM, PART_VERB, PART_NUMBER};
	bool create = draft->number[PART_STATUS] == ROW_CREATE_AND_GO;
	bool same[PART_COUNT] = {
	    [PART_VM] = strcmp(draft->target, row->vm) == 0,
	    [PART_VERB] = draft->number[PART_VERB] == (uint32_t)row->verb,
	    [PART_NUMBER] = draft->number[PART_NUMBER] == row->number,
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		long at = draft->at[parts[i]];

		if (same[parts[i]] || (at == 0 && !create))
			continue;
		check->at = at != 0 ? at : draft->at[PART_STATUS];
		return SNMP_ERR_INCONSISTENTVALUE;
	}
	if (create)
		wish_again(check, draft, row);
	return SNMP_ERR_NOERROR;
}

/* All VMs of the configuration, or those of a group: there must be one. */
static bool
names_many(const struct check *check, const char *target)
{
	const struct rowset *vms = &check->rows->sets[KIND_VM];
	static const char prefix[] = "group:";
	bool group = strncmp(target, prefix, strlen(prefix)) == 0;

	for (size_t i = 0; i < vms->count && group; i++) {
		const struct mib_vm *vm = rowset_at(vms, i);

		if (vm->configured && strcmp(vm->group, target + strlen(prefix)) == 0)
			return true;
	}
	return strcmp(target, "*") == 0;
}

/* A request to several VMs; the engine knows which. */
static int
check_many(struct check *check, const struct draft *draft, uint32_t verb)
{
	struct wish wish = {.hold = {.verb = verb}, .at = draft->at[PART_VERB]};

	check->at = wish.at;
	if (!verb_needs[verb].many || (verb == VERB_REBUILD && strcmp(draft->target, "*") != 0))
		return SNMP_ERR_INCONSISTENTVALUE;
	if (!has_room(check, 0))
		return SNMP_ERR_RESOURCEUNAVAILABLE;
	memcpy(wish.hold.id, draft->id, sizeof(wish.hold.id));
	memcpy(wish.hold.vm_text, draft->target, sizeof(wish.hold.vm_text));
	wish_add(check->wishes, &wish);
	return SNMP_ERR_NOERROR;
}

static int
check_create(struct check *check, const struct draft *draft)
{
	const struct mib_vm *vm = vm_named(check, draft->target);
	long at_status = draft->at[PART_STATUS], at_number = draft->at[PART_NUMBER];
	uint32_t verb = draft->number[PART_VERB], number = draft->number[PART_NUMBER];
	bool many = !vm && names_many(check, draft->target);

	check->at = at_status;
	if (draft->at[PART_VM] == 0 || draft->at[PART_VERB] == 0)
		return SNMP_ERR_INCONSISTENTVALUE;
	check->at = draft->at[PART_VM];
	if ((!vm && !many) || (vm && verb == VERB_REBUILD))
		return SNMP_ERR_INCONSISTENTVALUE;
	if (at_number == 0)
		at_number = draft->at[PART_VERB];
	check->at = at_number;
	if (!verb_needs[verb].number && number != 0)
		return SNMP_ERR_INCONSISTENTVALUE;
	if (many)
		return check_many(check, draft, verb);
	return check_verb(check, draft, vm, verb, number, draft->at[PART_VERB], at_number);
}

/* A row that is not there is as good as destroyed (RFC 2579, RowStatus). */
static int
check_destroy(struct check *check, const struct draft *draft, const struct mib_request *row)
{
	struct wish wish = {.hold = {.verb = VERB_NONE}, .at = draft->at[PART_STATUS]};

	check->at = wish.at;
	if (!row)
		return SNMP_ERR_NOERROR;
	if (row->state == REQUEST_RUNNING && !(row->absent >> mib_request_BIT_vm_index & 1))
		return SNMP_ERR_INCONSISTENTVALUE;
	memcpy(wish.hold.id, draft->id, sizeof(wish.hold.id));
	wish_add(check->wishes, &wish);
	return SNMP_ERR_NOERROR;
}

static int
check_row(struct check *check, const struct draft *draft)
{
	struct mib_request key = {0};
	const struct mib_request *row;

	memcpy(key.id, draft->id, sizeof(key.id));
	row = rowset_find(&check->rows->sets[KIND_REQUEST], &key);
	if (draft->number[PART_STATUS] == ROW_DESTROY)
		return check_destroy(check, draft, row);
	if (row)
		return check_same(check, draft, row);
	if (draft->number[PART_STATUS] == ROW_CREATE_AND_GO)
		return check_create(check, draft);
	check->at = draft_first(draft);
	return draft->at[PART_STATUS] != 0 ? SNMP_ERR_INCONSISTENTVALUE : SNMP_ERR_INCONSISTENTNAME;
}

int
check_set(const struct mib_rows *rows, const netsnmp_variable_list *variables, int64_t wall_ms,
	  struct wishes *wishes, long *at)
{
	struct check check = {.rows = rows, .wall_ms = wall_ms, .wishes = wishes};
	int rc = SNMP_ERR_NOERROR;
	long number = 0;

	*wishes = (struct wishes){0};
	for (; variables && rc == SNMP_ERR_NOERROR; variables = variables->next_variable)
		rc = check_variable(&check, variables, ++number);
	for (size_t i = 0; i < check.count && rc == SNMP_ERR_NOERROR; i++)
		rc = (check.drafts[i].kind == KIND_VM ? check_by_hand
						      : check_row)(&check, &check.drafts[i]);
	free(check.drafts);
	if (rc != SNMP_ERR_NOERROR)
		wishes_clear(wishes);
	*at = rc != SNMP_ERR_NOERROR ? check.at : 0;
	return rc;
}

void
wishes_clear(struct wishes *wishes)
{
	free(wishes->list);
	*wishes = (struct wishes){0};
}

static bool
wishes_have(const struct wishes *wishes, const struct hold *hold)
{
	for (size_t i = 0; i < wishes->count; i++)
		if (memcmp(&wishes->list[i].hold, hold, sizeof(*hold)) == 0)
			return true;
	return false;
}

void
wishes_move(struct wishes *to, struct wishes *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (!wishes_have(to, &from->list[i].hold))
			wish_add(to, &from->list[i]);
	wishes_clear(from);
}
