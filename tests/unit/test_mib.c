/*
 * Holds LAUXEN-MIB.txt and mib/objects.c together: every difference in name, OID, syntax, access,
 * enumeration, size, index or notification, either way, is a failure. What objects.c serves of
 * VM-MIB is held against the facts of RFC 7666, written down here. LAUXEN_MIB names another file of
 * the module.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "mib_text.h"

static size_t differences;
static bool quiet;

static void __attribute__((format(printf, 1, 2))) differ(const char *format, ...)
{
	va_list args;

	differences++;
	if (quiet)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static const struct name access_names[] = {{MIB_NA, "not-accessible"},
					   {MIB_RO, "read-only"},
					   {MIB_RW, "read-write"},
					   {MIB_RC, "read-create"},
					   {0, NULL}};
static const struct name syntax_names[] = {
    {MIB_INTEGER, "Integer32"},	   {MIB_ENUM, "INTEGER"},	   {MIB_TRUTH, "TruthValue"},
    {MIB_ROWSTATUS, "RowStatus"},  {MIB_GAUGE, "Gauge32"},	   {MIB_UNSIGNED, "Unsigned32"},
    {MIB_COUNTER, "Counter32"},	   {MIB_COUNTER64, "Counter64"},   {MIB_TICKS, "TimeTicks"},
    {MIB_UPTIME, "TimeTicks"},	   {MIB_AGE, "Gauge32"},	   {MIB_TEXT, "SnmpAdminString"},
    {MIB_UUID, "SnmpAdminString"}, {MIB_UUIDRAW, "UUIDorZero"},	   {MIB_MAC, "PhysAddress"},
    {MIB_DATE, "DateAndTime"},	   {MIB_OID, "OBJECT IDENTIFIER"}, {0, NULL}};

static bool
same_oid(const struct def *def, const struct mib_table *table, uint32_t number)
{
	size_t count = table->arcs_count + (number != 0);

	return def->arcs_count == count &&
	       memcmp(def->arcs, table->arcs, table->arcs_count * sizeof(def->arcs[0])) == 0 &&
	       (number == 0 || def->arcs[count - 1] == number);
}

/* "unknown(1),ok(2)" */
static void
enum_text(const struct name *names, char *to, size_t size)
{
	size_t used = 0;

	to[0] = '\0';
	for (; names && names->name && used < size; names++)
		used += (size_t)snprintf(to + used, size - used, "%s%s(%d)", used ? "," : "",
					 names->name, names->value);
}

static void
size_text(const struct mib_column *column, char to[TEXT_NAME])
{
	bool never_empty = column->access == MIB_NA || column->access == MIB_RC;

	to[0] = '\0';
	if (column->type == MIB_TEXT)
		snprintf(to, TEXT_NAME, "(SIZE(%d..%u))", never_empty, column->size - 1u);
	if (column->type == MIB_UUID)
		text_name(to, "(SIZE(0|36))");
}

static void
compare_syntax(const struct mib_text *text, const struct def *def, const struct mib_column *column)
{
	const struct def *convention = text_find(text, def->type);
	const struct def *syntax = convention ? convention : def;
	const char *type = name_of(syntax_names, (int)column->type);
	char enums[sizeof(syntax->enums)], size[TEXT_NAME];

	if (strcmp(syntax->type, type) != 0)
		differ("%s is %s in the text, %s in objects.c", def->name, syntax->type, type);
	enum_text(column->type == MIB_ENUM ? column->names : NULL, enums, sizeof(enums));
	if (strcmp(syntax->enums, enums) != 0)
		differ("%s: { %s } in the text, { %s } in objects.c", def->name, syntax->enums,
		       enums);
	size_text(column, size);
	if (size[0] ? strcmp(syntax->constraint, size) != 0 : !!strstr(syntax->constraint, "SIZE"))
		differ("%s: size %s in the text, %s in objects.c", def->name, syntax->constraint,
		       size);
}

/* A person must see what a number counts. */
static void
compare_units(const struct def *def, const struct mib_column *column)
{
	enum mib_type type = column->type;

	if (type == MIB_AGE && strcmp(def->units, "\"seconds\"") != 0)
		differ("%s: an age is in UNITS \"seconds\"", def->name);
	if ((type == MIB_GAUGE || type == MIB_COUNTER || type == MIB_COUNTER64) && !def->units[0])
		differ("%s has no UNITS", def->name);
}

static void
compare_column(const struct mib_text *text, const struct mib_table *table,
	       const struct mib_column *column)
{
	const struct def *def = text_find(text, column->name);
	const char *access = name_of(access_names, (int)column->access);

	if (!def || def->kind != DEF_OBJECT) {
		differ("%s (%s) is not in the text", column->name, table->name);
		return;
	}
	if (!same_oid(def, table, column->number))
		differ("%s has another OID in the text than %s and %u", def->name, table->name,
		       column->number);
	if (strcmp(def->access, access) != 0)
		differ("%s is %s in the text, %s in objects.c", def->name, def->access, access);
	compare_syntax(text, def, column);
	compare_units(def, column);
}

/* The index of rows of a kind: the not-accessible columns of the first table that has them. */
static const struct mib_table *
index_table(enum mib_kind kind)
{
	for (size_t i = 0; i < mib_tables_count; i++)
		if (!mib_tables[i].standard && mib_tables[i].kind == kind)
			return &mib_tables[i];
	return NULL;
}

static void
compare_index(const struct def *entry, const struct mib_table *table)
{
	static const size_t counts[] = {[INDEX_NUMBER] = 1, [INDEX_NUMBERS] = 2, [INDEX_TEXT] = 1};
	const struct mib_table *from = index_table(table->kind);
	enum mib_index index = mib_kinds[table->kind].index;
	size_t found = 0;

	for (size_t i = 0; i < from->columns_count; i++) {
		if (from->columns[i].access != MIB_NA)
			continue;
		if (found >= entry->list_count ||
		    strcmp(entry->list[found], from->columns[i].name) != 0)
			differ("%s: INDEX lacks %s", entry->name, from->columns[i].name);
		found++;
	}
	if (found != entry->list_count || found != counts[index])
		differ("%s: INDEX has %zu objects in the text, %zu in objects.c", entry->name,
		       entry->list_count, found);
	if (entry->implied != (index == INDEX_TEXT))
		differ("%s: IMPLIED of INDEX is wrong", entry->name);
}

static void
compare_sequence(const struct mib_text *text, const struct def *entry,
		 const struct mib_table *table)
{
	const struct def *sequence = text_find(text, entry->type);
	size_t at = 0;

	for (size_t i = 0; sequence && i < table->columns_count; i++) {
		const struct mib_column *column = &table->columns[i];
		const struct def *def = text_find(text, column->name);

		if (column->number == 0 || !def)
			continue;
		if (at >= sequence->list_count || strcmp(sequence->list[at], column->name) != 0 ||
		    strcmp(sequence->list_types[at], def->type) != 0)
			differ("%s: %s is not as its SEQUENCE says", table->name, column->name);
		at++;
	}
	if (!sequence || at != sequence->list_count)
		differ("%s: its SEQUENCE has other columns", table->name);
}

static void
compare_table(const struct mib_text *text, const struct mib_table *table)
{
	const struct def *def = text_find(text, table->name);
	const struct def *entry = def;

	if (def && mib_kinds[table->kind].index != INDEX_NONE) {
		char name[TEXT_NAME];

		snprintf(name, sizeof(name), "%.*sEntry", (int)strlen(table->name) - 5,
			 table->name);
		entry = text_find(text, name);
	}
	if (!def || !entry || !same_oid(entry, table, 0)) {
		differ("%s is not in the text, or has another OID", table->name);
		return;
	}
	for (size_t i = 0; i < table->columns_count; i++)
		if (table->columns[i].number)
			compare_column(text, table, &table->columns[i]);
	if (entry == def)
		return;
	if (entry->arcs_count != def->arcs_count + 1 ||
	    memcmp(entry->arcs, def->arcs, def->arcs_count * sizeof(def->arcs[0])) != 0)
		differ("%s does not stand in %s", entry->name, def->name);
	if (strcmp(def->access, "not-accessible") != 0 || strcmp(entry->access, def->access) != 0)
		differ("%s or its entry is accessible", def->name);
	compare_index(entry, table);
	compare_sequence(text, entry, table);
}

/* An object of the text that objects.c does not serve. Tables and entries are those of others. */
static void
compare_object_back(const struct def *def)
{
	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];
		bool is_table = strcmp(def->name, table->name) == 0;

		if (table->standard)
			continue;
		if (is_table || same_oid(def, table, 0))
			return;
		for (size_t j = 0; j < table->columns_count; j++)
			if (table->columns[j].number &&
			    same_oid(def, table, table->columns[j].number) &&
			    strcmp(def->name, table->columns[j].name) == 0)
				return;
	}
	differ("%s is in the text, not in objects.c", def->name);
}

static void
compare_notification(const struct mib_text *text, const struct mib_notification *notification)
{
	const struct def *def = text_find(text, notification->name);
	size_t at = 0;

	if (!def || def->kind != DEF_NOTIFICATION || def->arcs_count != mib_root_count + 2 ||
	    memcmp(def->arcs, mib_root, mib_root_count * sizeof(mib_root[0])) != 0 ||
	    def->arcs[mib_root_count] != 0 ||
	    def->arcs[mib_root_count + 1] != (unsigned long)notification->type) {
		differ("%s is not in the text, or has another OID", notification->name);
		return;
	}
	for (const struct mib_notify_object *o = notification->objects; o->name; o++, at++)
		if (at >= def->list_count || strcmp(def->list[at], o->name) != 0)
			differ("%s: object %zu is not %s in the text", def->name, at + 1, o->name);
	if (at != def->list_count)
		differ("%s: %zu objects in the text, %zu in objects.c", def->name, def->list_count,
		       at);
}

/* snmptt takes the first line of the description: one sentence, then an empty line or nothing. */
static void
compare_summary(const struct def *def)
{
	const char *line = def->description + 1 + strspn(def->description + 1, " \t\n");
	size_t length = strcspn(line, "\n\"");

	if (length < 10 || length > 72 || line[length - 1] != '.' ||
	    (line[length] == '\n' && line[length + 1] != '\n'))
		differ("%s: the first line of its description is no summary", def->name);
}

static void
compare_notification_back(const struct def *def)
{
	for (const struct mib_notification *n = mib_notifications; n->name; n++)
		if (strcmp(n->name, def->name) == 0) {
			compare_summary(def);
			return;
		}
	differ("%s is in the text, not in objects.c", def->name);
}

/* How many differences the text has; all are printed unless quiet. */
static size_t
compare(const char *module)
{
	struct mib_text text;

	differences = 0;
	if (!text_read(&text, module))
		differ("%s has a parent that is not known", text.defs[text.count].name);
	for (size_t i = 0; i < mib_tables_count; i++)
		if (!mib_tables[i].standard)
			compare_table(&text, &mib_tables[i]);
	for (const struct mib_notification *n = mib_notifications; n->name; n++)
		compare_notification(&text, n);
	for (size_t i = 0; i < text.count; i++) {
		if (text.defs[i].kind == DEF_OBJECT)
			compare_object_back(&text.defs[i]);
		if (text.defs[i].kind == DEF_NOTIFICATION)
			compare_notification_back(&text.defs[i]);
	}
	free(text.defs);
	return differences;
}

/* The file's text, to free(). */
static char *
module_text(void)
{
	const char *file = getenv("LAUXEN_MIB") ? getenv("LAUXEN_MIB") : "mib/LAUXEN-MIB.txt";
	FILE *from = fopen(file, "r");
	char *text = NULL;
	size_t size = 0;
	ssize_t r;

	if (!from)
		fail_msg("cannot open %s: run from the root of the sources, or set LAUXEN_MIB",
			 file);
	r = getdelim(&text, &size, '\0', from);
	fclose(from);
	assert_true(r > 1000);
	return text;
}

static void
test_text_is_objects(void **state)
{
	char *text = module_text();
	size_t count;

	(void)state;
	quiet = false;
	count = compare(text);
	free(text);
	assert_int_equal(count, 0);
}

/* A copy of text with the first from after the first place replaced by to; to free(). */
static char *
mutated(const char *text, const char *place, const char *from, const char *to)
{
	const char *at = strstr(text, place);
	char *result = NULL;

	at = at ? strstr(at, from) : NULL;
	if (!at)
		fail_msg("'%s' after '%s' is not in the text: renew the mutations", from, place);
	assert_true(asprintf(&result, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from)) >
		    0);
	return result;
}

/* A comparison that cannot fail proves nothing: each kind of difference must be seen. */
static void
test_differences_are_seen(void **state)
{
	static const struct {
		const char *what, *place, *from, *to;
	} mutations[] = {
	    {"root", "\n    ::= {", "2008", "2009"},
	    {"group", "lxHost OBJECT IDENTIFIER", "lxStatus 2", "lxStatus 3"},
	    {"name", "lxVmCpuTime OBJECT-TYPE", "lxVmCpuTime", "lxVmCpuTimes"},
	    {"number", "lxVmCpuTime OBJECT-TYPE", "lxVmEntry 13", "lxVmEntry 14"},
	    {"number of a scalar", "lxHostCpus OBJECT-TYPE", "lxHost 6", "lxHost 66"},
	    {"table", "lxVmTable OBJECT-TYPE", "lxStatus 4", "lxStatus 8"},
	    {"entry", "lxVmEntry OBJECT-TYPE", "lxVmTable 1", "lxVmTable 2"},
	    {"type", "lxHostCpus OBJECT-TYPE", "Gauge32", "Counter32"},
	    {"type of a convention", "LauxenCpuUse ::=", "Gauge32", "Unsigned32"},
	    {"access", "lxVmRequest OBJECT-TYPE", "read-write", "read-only"},
	    {"access of a column", "lxVmCpuTime OBJECT-TYPE", "read-only", "read-write"},
	    {"access of an entry", "lxVmEntry OBJECT-TYPE", "not-accessible", "read-only"},
	    {"enum name", "lxAgentStoreHealth OBJECT-TYPE", "degraded(3)", "broken(3)"},
	    {"enum number", "lxAgentStoreHealth OBJECT-TYPE", "degraded(3)", "degraded(4)"},
	    {"enum lacking", "LauxenVerb ::=", "                     none(1),\n", ""},
	    {"enum more", "LauxenVerb ::=", "memoryLow(18)\n                 }",
	     "memoryLow(18), x(19) }"},
	    {"size", "lxVmName OBJECT-TYPE", "0..63", "0..64"},
	    {"size of an id", "lxRequestId OBJECT-TYPE", "1..32", "0..32"},
	    {"size of a UUID", "lxVmUuid OBJECT-TYPE", "0 | 36", "0..36"},
	    {"index", "lxNetEntry OBJECT-TYPE", "{ lxVmIndex, lxNetIndex }", "{ lxNetIndex }"},
	    {"order of an index", "lxNetEntry OBJECT-TYPE", "{ lxVmIndex, lxNetIndex }",
	     "{ lxNetIndex, lxVmIndex }"},
	    {"implied", "lxRequestEntry OBJECT-TYPE", "IMPLIED ", ""},
	    {"sequence", "LxDiskEntry ::= SEQUENCE", "lxDiskReads             Counter64,", ""},
	    {"units", "lxVmMemory OBJECT-TYPE", "    UNITS       \"MiB\"\n", ""},
	    {"age", "lxVmMemoryUsedAge OBJECT-TYPE", "\"seconds\"", "\"minutes\""},
	    {"notification's name", "lxVmCrashed NOTIFICATION-TYPE", "lxVmCrashed", "lxVmCrash"},
	    {"notification's number", "lxVmCrashed NOTIFICATION-TYPE", "lxNotifications 2",
	     "lxNotifications 20"},
	    {"notification's parent", "lxVmCrashed NOTIFICATION-TYPE", "lxNotifications 2",
	     "lxStatus 2"},
	    {"notification's objects", "lxVmCrashed NOTIFICATION-TYPE", "lxVmUuid, ", ""},
	    {"their order", "lxVmCrashed NOTIFICATION-TYPE", "lxVmName, lxVmUuid",
	     "lxVmUuid, lxVmName"},
	    {"an object more", "lxAgentStarted NOTIFICATION-TYPE", "{ lxEventTime",
	     "{ lxVmName, lxEventTime"},
	    {"summary", "lxVmCrashed NOTIFICATION-TYPE", "A VM crashed.", "A VM crashed,"},
	    {"object of the text alone", "lxAgentUpTime OBJECT-TYPE", "lxAgentUpTime",
	     "lxAgentOther OBJECT-TYPE SYNTAX Gauge32 MAX-ACCESS read-only STATUS current\n"
	     "DESCRIPTION \"\" ::= { lxAgent 99 }\nlxAgentUpTime"},
	    {"notification of the text alone", "lxVmCrashed NOTIFICATION-TYPE", "lxVmCrashed",
	     "lxOther NOTIFICATION-TYPE STATUS current\n"
	     "DESCRIPTION \"\" ::= { lxNotifications 99 }\nlxVmCrashed"},
	};
	char *text = module_text();

	(void)state;
	quiet = true;
	for (size_t i = 0; i < sizeof(mutations) / sizeof(mutations[0]); i++) {
		char *other = mutated(text, mutations[i].place, mutations[i].from, mutations[i].to);
		size_t count = compare(other);

		free(other);
		if (count == 0)
			fail_msg("not seen: another %s", mutations[i].what);
	}
	free(text);
}

/* What objects.c serves of VM-MIB, as RFC 7666 (section 6) has it. */
#define OPER_STATES                                                                                \
	"unknown(1),other(2),preparing(3),running(4),suspending(5),suspended(6),resuming(7),"      \
	"paused(8),migrating(9),shuttingdown(10),shutdown(11),crashed(12)"
static const struct fact {
	const char *name;
	unsigned long arcs[5]; /* below 1.3.6.1.2.1.236, ending with 0 */
	const char *syntax, *enums;
	enum mib_access access;
} vm_mib_facts[] = {
    {"vmHvSoftware", {1, 1, 1}, "SnmpAdminString", "", MIB_RO},
    {"vmHvVersion", {1, 1, 2}, "SnmpAdminString", "", MIB_RO},
    {"vmHvObjectID", {1, 1, 3}, "OBJECT IDENTIFIER", "", MIB_RO},
    {"vmHvUpTime", {1, 1, 4}, "TimeTicks", "", MIB_RO},
    {"vmNumber", {1, 2}, "Integer32", "", MIB_RO},
    {"vmTableLastChange", {1, 3}, "TimeTicks", "", MIB_RO},
    {"vmIndex", {1, 4, 1, 1}, "Integer32", "", MIB_NA},
    {"vmName", {1, 4, 1, 2}, "SnmpAdminString", "", MIB_RO},
    {"vmUUID", {1, 4, 1, 3}, "UUIDorZero", "", MIB_RO},
    {"vmOSType", {1, 4, 1, 4}, "SnmpAdminString", "", MIB_RO},
    {"vmAdminState",
     {1, 4, 1, 5},
     "INTEGER",
     "running(1),suspended(2),paused(3),shutdown(4)",
     MIB_RO},
    {"vmOperState", {1, 4, 1, 6}, "INTEGER", OPER_STATES, MIB_RO},
    {"vmAutoStart", {1, 4, 1, 7}, "INTEGER", "unknown(1),enabled(2),disabled(3)", MIB_RO},
    {"vmPersistent", {1, 4, 1, 8}, "INTEGER", "unknown(1),persistent(2),transient(3)", MIB_RO},
    {"vmCurCpuNumber", {1, 4, 1, 9}, "Integer32", "", MIB_RO},
    {"vmMinCpuNumber", {1, 4, 1, 10}, "Integer32", "", MIB_RO},
    {"vmMaxCpuNumber", {1, 4, 1, 11}, "Integer32", "", MIB_RO},
    {"vmMemUnit", {1, 4, 1, 12}, "Integer32", "", MIB_RO},
    {"vmCurMem", {1, 4, 1, 13}, "Integer32", "", MIB_RO},
    {"vmMinMem", {1, 4, 1, 14}, "Integer32", "", MIB_RO},
    {"vmMaxMem", {1, 4, 1, 15}, "Integer32", "", MIB_RO},
    {"vmUpTime", {1, 4, 1, 16}, "TimeTicks", "", MIB_RO},
    {"vmCpuTime", {1, 4, 1, 17}, "Counter64", "", MIB_RO},
};
static const size_t vm_mib_facts_count = sizeof(vm_mib_facts) / sizeof(vm_mib_facts[0]);

static bool
is_fact(const struct fact *fact, const struct mib_table *table, const struct mib_column *column)
{
	static const unsigned long vm_mib[] = {1, 3, 6, 1, 2, 1, 236};
	unsigned long arcs[16] = {0}, served[MIB_ARCS_MAX + 1] = {0};
	char enums[1024];

	memcpy(arcs, vm_mib, sizeof(vm_mib));
	memcpy(arcs + 7, fact->arcs, sizeof(fact->arcs));
	memcpy(served, table->arcs, table->arcs_count * sizeof(served[0]));
	served[table->arcs_count] = column->number;
	enum_text(column->type == MIB_ENUM ? column->names : NULL, enums, sizeof(enums));
	return strcmp(fact->name, column->name) == 0 && memcmp(arcs, served, sizeof(arcs)) == 0 &&
	       strcmp(fact->syntax, name_of(syntax_names, (int)column->type)) == 0 &&
	       strcmp(fact->enums, enums) == 0 && fact->access == column->access;
}

static void
test_standard_is_rfc7666(void **state)
{
	size_t served = 0;

	(void)state;
	for (size_t i = 0; i < mib_tables_count; i++) {
		const struct mib_table *table = &mib_tables[i];

		for (size_t j = 0; table->standard && j < table->columns_count; j++, served++) {
			if (served >= vm_mib_facts_count ||
			    !is_fact(&vm_mib_facts[served], table, &table->columns[j]))
				fail_msg("%s is not as RFC 7666 has it", table->columns[j].name);
		}
	}
	assert_int_equal(served, vm_mib_facts_count);
}

/* Whether table's columns stand in its rows and ascend. */
static void
check_columns(const struct mib_table *table)
{
	const struct mib_kind_info *kind = &mib_kinds[table->kind];
	uint32_t last = 0;

	for (size_t i = 0; i < table->columns_count; i++) {
		const struct mib_column *column = &table->columns[i];

		if (column->number && column->number <= last)
			fail_msg("%s does not ascend", column->name);
		last = column->number ? column->number : last;
		if (column->type != MIB_OID && column->offset + column->size > kind->row_size)
			fail_msg("%s is not in its row", column->name);
		if ((column->type == MIB_ENUM) != (column->names != NULL))
			fail_msg("%s: names are of an enumeration alone", column->name);
		assert_true(column->bit < 64);
	}
}

static int
compare_oids(const struct mib_table *a, const struct mib_table *b)
{
	size_t i = 0;

	while (i < a->arcs_count && i < b->arcs_count && a->arcs[i] == b->arcs[i])
		i++;
	if (i == a->arcs_count || i == b->arcs_count)
		return (int)a->arcs_count - (int)b->arcs_count;
	return a->arcs[i] < b->arcs[i] ? -1 : 1;
}

/* vmObjects (scalars 2 and 3 of 1.1) stands round vmHypervisor (1.1.1): by its first column. */
static void
first_column(const struct mib_table *table, struct mib_table *to)
{
	*to = *table;
	for (size_t i = 0; i < table->columns_count; i++)
		if (table->columns[i].number) {
			to->arcs[to->arcs_count++] = table->columns[i].number;
			return;
		}
}

static void
test_tables_ascend(void **state)
{
	(void)state;
	for (size_t i = 0; i < mib_tables_count; i++) {
		struct mib_table a, b;

		check_columns(&mib_tables[i]);
		if (i == 0)
			continue;
		first_column(&mib_tables[i - 1], &a);
		first_column(&mib_tables[i], &b);
		if (compare_oids(&a, &b) >= 0)
			fail_msg("%s does not ascend", mib_tables[i].name);
	}
}

static const struct mib_column *
find_column(const struct mib_table *table, uint32_t number)
{
	for (size_t i = 0; i < table->columns_count; i++)
		if (table->columns[i].number == number)
			return &table->columns[i];
	return NULL;
}

/* What a notification shows of an object and what the event keeps of it must be of one type. */
static void
check_object(const struct mib_notification *notification, const struct mib_notify_object *object)
{
	const struct mib_column *column = find_column(object->table, object->column);
	const struct mib_column *value = index_table(KIND_EVENT)->columns + object->event_column;

	if (!column || strcmp(column->name, object->name) != 0)
		fail_msg("%s: %s is not column %u of %s", notification->name, object->name,
			 object->column, object->table->name);
	if (column->access == MIB_NA)
		fail_msg("%s: %s is not accessible", notification->name, object->name);
	assert_true(object->event_column < index_table(KIND_EVENT)->columns_count);
	if (value->type != column->type || value->names != column->names ||
	    value->size != column->size)
		fail_msg("%s: %s is taken from %s, which is of another type", notification->name,
			 object->name, value->name);
}

static void
test_notifications(void **state)
{
	int last = 0;

	(void)state;
	for (const struct mib_notification *n = mib_notifications; n->name; n++) {
		assert_true((int)n->type > last && n->type < EVENT_JOURNAL_ONLY);
		last = (int)n->type;
		for (const struct mib_notify_object *o = n->objects; o->name; o++)
			check_object(n, o);
	}
	for (const struct name *type = event_type_names; type->name; type++) {
		const struct mib_notification *n = mib_notifications;

		while (n->name && (int)n->type != type->value)
			n++;
		if (!n->name != (type->value >= EVENT_JOURNAL_ONLY))
			fail_msg("event %s has no notification, or needs none", type->name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_is_objects),	cmocka_unit_test(test_differences_are_seen),
	    cmocka_unit_test(test_standard_is_rfc7666), cmocka_unit_test(test_tables_ascend),
	    cmocka_unit_test(test_notifications),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
