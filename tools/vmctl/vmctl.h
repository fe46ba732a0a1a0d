/*
 * vmctl: what its commands share. It knows hosts by libvmctl.h alone, and no SNMP.
 *
 *   main.c      the program: configuration, command, cache
 *   options.c   the command line
 *   commands.c  all commands, one line each; their help; completion
 *   fleet.c     asks all hosts; who did not answer
 *   target.c    what VMs are meant
 *   field.c     values of rows, under their keys
 *   output.c    tables, JSON, CSV
 *   cmd_*.c     the commands; top.c, and graph.c and draw.c for what depends on what
 */
#ifndef VMCTL_H
#define VMCTL_H

#include <stdio.h>

#include "base/mem.h"
#include "tools/vmctl/libvmctl.h"

/* Exit statuses. check has its own: those of monitoring plugins. */
enum {
	EXIT_ALL = 0,	 /* all that was asked for is done; all hosts answered */
	EXIT_SOME = 1,	 /* some of it is, or some hosts did not answer */
	EXIT_NONE = 2,	 /* nothing is, or no host answered */
	EXIT_USAGE = 3,	 /* a word or an option is wrong, or the configuration; nothing was done */
	EXIT_LEFT = 130, /* Ctrl-C: the work goes on, nobody waits for it */
};

struct targets;

enum output_format { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

struct options {
	const char *file; /* -f */
	const char **hosts;
	size_t hosts_count; /* -H */
	enum output_format format;
	bool no_header, absolute, color, verbose;
	const char *columns, *sort; /* NULL: as the command has it */
	int timeout_ms, retries;
	bool all, yes, dry_run, no_wait;
	int wait_s; /* 0: until it is over */
	const char *id;
	bool follow;
	const char *state_file;
	long since, last; /* -1: not given */
	bool required_by, dot, svg;
	const char *duration;
	const char *warning, *critical;
	const char *broadcast, *srv, *interval;
	bool once;
	struct targets *targets; /* of events */
};

struct context {
	struct vmctl *vmctl;
	struct options options;
	int words_count; /* after the command's name */
	char **words;
	const char *command;
	struct vmctl_host **hosts; /* that the command is of, in order */
	size_t hosts_count;
};

/* An option's letter or number; a command has a list of those that it takes. */
enum option_id {
	OPT_FILE = 'f',
	OPT_HOST = 'H',
	OPT_ALL = 'a',
	OPT_YES = 'y',
	OPT_DRY_RUN = 'n',
	OPT_COLUMNS = 'o',
	OPT_SORT = 's',
	OPT_JSON = 256,
	OPT_CSV,
	OPT_NO_HEADER,
	OPT_ABSOLUTE,
	OPT_COLOR,
	OPT_TIMEOUT,
	OPT_RETRIES,
	OPT_NO_WAIT,
	OPT_WAIT,
	OPT_ID,
	OPT_FOLLOW,
	OPT_SINCE,
	OPT_LAST,
	OPT_STATE_FILE,
	OPT_REQUIRED_BY,
	OPT_DOT,
	OPT_SVG,
	OPT_WARNING,
	OPT_CRITICAL,
	OPT_BROADCAST,
	OPT_SRV,
	OPT_INTERVAL,
	OPT_ONCE,
	OPT_FOR,
	OPT_HELP,
	OPT_VERSION,
};

struct command {
	const char *name;
	const char *usage; /* of its words */
	const char *summary;
	const char *help; /* more of it; NULL: none */
	const char *examples;
	const int *options; /* beside those that all have; ends with 0 */
	int (*run)(struct context *context);
};

extern const struct command commands[]; /* ends with name NULL */
const struct command *command_find(const char *name);
void command_help(const struct command *command, FILE *to);
void commands_help(FILE *to);

/*
 * Reads the command line: options, wherever they stand, the command, its words. 0: run it; -1: all
 * was said (--help); else an exit status.
 */
int arguments_read(struct context *context, int argc, char **argv, const struct command **command);
/* Names of the options of a command (NULL: of all), a line each. */
void options_print(const struct command *command, FILE *to);
/* The same for a person, with what they are for. */
void options_help(const struct command *command, FILE *to);

/* Says what is wrong, and returns EXIT_USAGE. */
int usage_error(const struct context *context, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The first error that made the status EXIT_USAGE, for check, which says it on stdout as well; "":
 * none. usage_error() keeps its own. */
void error_keep(const char *text);
const char *error_kept(void);

/* What a command prints is no table: false, and said, where one is wanted. */
bool only_json(const struct context *context);

/* ---- fleet.c ---- */

/* Fetches rows from all hosts that the command is of, and waits for them. */
void fleet_fetch(struct context *context, const struct vmctl_want *wants, size_t count);
/* Says on stderr who did not answer (not in JSON, which has it itself); the exit status of a
 * command that reads. */
int fleet_report(const struct context *context);
bool host_answers(const struct vmctl_host *host);
/* The command's words are hosts, as those of -H are. */
void hosts_from_words(struct context *context);
/* Only those hosts that a target can be on are asked from now on. */
void fleet_narrow(struct context *context, const struct targets *targets);
/* Hosts are fixed by -H, or by the words; all of the configuration otherwise. False: usage error
 * was said. */
bool fleet_choose(struct context *context);
/* The host's own name, as its agent has it (lxHostName); "" where not known. */
void host_own_name(const struct vmctl_host *host, char name[VM_NAME_SIZE]);

/* ---- target.c ---- */

/*
 * Words that say what VMs are meant. A word is a name, a glob (*, ?, [..]) or a UUID; group:G (the
 * VM's group), host:H (a host, or a group of hosts), state:S, health:S; name@host is both; terms
 * joined by a comma hold together. Words add up.
 */
/* NULL: a word is wrong, and was said. all: --all. */
struct targets *targets_new(const struct context *context, char **words, int count, bool all);
void targets_free(struct targets *targets);
bool targets_match(struct targets *targets, const struct vmctl_host *host, const struct mib_vm *vm);
/* A host that no word can be about needs not be asked. */
bool targets_want_host(const struct targets *targets, const struct vmctl_host *host);
/* Fields of mib_vm that they look at. */
uint64_t targets_bits(const struct targets *targets);
/* They are one name or UUID, and no group or glob, whatever matches. */
bool targets_name_one(const struct targets *targets);
/* VMs that only that host knows may be meant as well: by all but names that were found. */
bool targets_may_miss(const struct targets *targets, const struct vmctl_host *host);
/*
 * Words that matched nothing, and plain names that matched on several hosts: said on stderr; the
 * number of them. hosts_missing: some hosts did not answer, so it may be there.
 */
size_t targets_complain(const struct targets *targets, bool hosts_missing, bool twice);

/* ---- field.c ---- */

#define VALUE_SIZE 256

enum value_type { VALUE_UNKNOWN, VALUE_TEXT, VALUE_NUMBER, VALUE_TRUTH };
enum tint { TINT_NONE, TINT_GOOD, TINT_BUSY, TINT_BAD, TINT_DIM };

/* A value as JSON has it, and as people read it. */
struct value {
	enum value_type type;
	int64_t number;
	enum tint tint;
	char text[VALUE_SIZE];	/* of a VALUE_TEXT: also in JSON */
	char human[VALUE_SIZE]; /* "": as text, or the number */
};

/* One line of output: a host, rows of it, and what the command adds. */
struct item {
	struct vmctl_host *host;
	const void *rows[KIND_COUNT]; /* NULL: none of this kind */
	const void *own;	      /* of the command's own fields */
	bool stale;
};

struct field {
	char key[40]; /* in JSON, in --columns, in CSV's first line */
	char title[24];
	enum mib_kind kind;
	const struct mib_column *column; /* NULL: own */
	void (*own)(const struct context *context, const struct item *item, struct value *value);
	void (*human)(struct value *value); /* of a number; NULL: as it is */
	bool right;			    /* numbers */
};

/* A command's own fields, beside the columns of its kinds. */
struct own_field {
	const char *key, *title;
	bool right;
	void (*value)(const struct context *context, const struct item *item, struct value *value);
};

struct fields {
	struct field *list;
	size_t count;
};

/*
 * The fields of a list of keys ("name,host,state"; "all": every one). kinds: whose columns are
 * known, in order, ended by 0: of keys that are there twice the first kind's is meant; a key of a
 * second kind may be written "host.name". False: a key is unknown, and was said.
 */
bool fields_choose(const struct context *context, const char *keys, const enum mib_kind *kinds,
		   const struct own_field *own, struct fields *fields);
void fields_free(struct fields *fields);
/* The bits of a kind that the fields need. */
uint64_t fields_bits(const struct fields *fields, enum mib_kind kind);
/* Key of a column: its object's name without what its table's name begins with: lxVmMemoryUsed is
 * memoryUsed. */
void column_key(const struct mib_table *table, const struct mib_column *column, char key[40]);
const struct mib_column *column_find(enum mib_kind kind, const char *key);
void field_value(const struct context *context, const struct field *field, const struct item *item,
		 struct value *value);
void value_text(struct value *value, const char *text);
void value_number(struct value *value, int64_t number);
/* As people read it. "?": not known; "-": there is none. */
const char *value_human(struct value *value);
/* Digits of number, and a NUL at what is returned; text has room for 24. */
char *number_text(int64_t number, char *text);
/* "5m"; negative: "0s". */
void duration_text(int64_t ms, char *text, size_t size);
/* ms since 1970, absolute or as an age. */
void date_text(const struct context *context, int64_t wall_ms, char *text, size_t size);
/* Fields that each command may have. */
extern const struct own_field own_host, own_age, own_stale;

/* ---- output.c ---- */

/*
 * Prints items under the fields. name: of the list in JSON. In JSON the hosts that did not answer
 * come with it.
 */
struct output;
struct output *output_begin(const struct context *context, const char *name,
			    const struct fields *fields);
/* What each item's object has after its fields, in JSON. */
void output_more(struct output *output,
		 void (*more)(const struct context *context, const struct item *item, FILE *to));
/* Text is printed at the end, when the widths are known. */
void output_item(struct output *output, const struct item *item);
/* Prints what waits, and goes on (events --follow). False, as of output_end(): not all of it could
 * be written; main() says so. */
bool output_flush(struct output *output);
bool output_end(struct output *output);
/* The fields of an item as members of a JSON object, without its braces. */
void json_fields(const struct context *context, const struct fields *fields,
		 const struct item *item, FILE *to);
/* A JSON string, quoted. */
void json_string(FILE *to, const char *text);
/* "silent": [...], the hosts that did not answer. */
void json_silent(const struct context *context, FILE *to);
const char *tint_on(const struct context *context, enum tint tint);
const char *tint_off(const struct context *context, enum tint tint);

/* ---- VMs of all hosts ---- */

/* What most commands know of a VM; a command may need more. */
#define VM_BASIC                                                                                   \
	(VMCTL_FIELD(mib_vm, name) | VMCTL_FIELD(mib_vm, uuid) | VMCTL_FIELD(mib_vm, state) |      \
	 VMCTL_FIELD(mib_vm, health) | VMCTL_FIELD(mib_vm, group))

#define IN(state) (1u << (state))
/* Its state, which came from a host and may be any number, is one of those: IN(..) | IN(..). */
static inline bool
vm_state_in(const struct mib_vm *vm, uint32_t states)
{
	return vm->state >= 0 && vm->state < 32 && (states >> vm->state & 1);
}

/* VMs that match, by name and then by host. */
struct vm_ref {
	struct vmctl_host *host;
	uint32_t position; /* for vmctl_row() */
	uint32_t name;	   /* offset in names */
};
struct vm_list {
	struct vm_ref *list;
	char *names;
	size_t count, names_size;
};
void vms_collect(const struct context *context, struct targets *targets, struct vm_list *vms);
void vms_free(struct vm_list *vms);
/* Says names that are on several hosts, with the state of the VM on each. */
void vms_say_twice(const struct vm_list *vms);
const char *vms_name(const struct vm_list *vms, size_t at);

/* ---- the commands ---- */
int cmd_hosts(struct context *context);
int cmd_list(struct context *context);
int cmd_show(struct context *context);
int cmd_locate(struct context *context);
int cmd_state(struct context *context);
int cmd_events(struct context *context);
int cmd_requests(struct context *context);
int cmd_services(struct context *context);
int cmd_vm_rows(struct context *context); /* plan, nets, disks */
int cmd_storage(struct context *context);
int cmd_deps(struct context *context);
int cmd_action(struct context *context);
int cmd_memory(struct context *context);
int cmd_maintenance(struct context *context);
int cmd_launch(struct context *context);
int cmd_rebuild(struct context *context);
int cmd_cancel(struct context *context);
int cmd_check(struct context *context);
/* The line of a check that nothing could be asked for. */
void check_unknown(const char *why);
int cmd_discover(struct context *context);
int cmd_top(struct context *context);
int cmd_completion(struct context *context);

#endif
