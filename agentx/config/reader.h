/*
 * Inside of the configuration's reader; the rest of lauxend sees config.h alone.
 *
 *   text.c    the file's text, made such that libconfuse reads it right
 *   parse.c   libconfuse over that text, values into the struct
 *   keys.c    every section and key, one line each
 *   kinds.c   how a kind of value is read, checked and printed
 *   offers.c  the kinds of values that are of services and needs
 *   resolve.c what is inherited; names of needs and standbys into positions
 *   check.c   what only the whole file shows
 *   supervision.c  values of supervision that do not go together
 *   graph.c   what only the dependencies as a whole show: cycles, standbys
 *   xlfile.c  name and UUID in a VM's xl file
 *
 *   import_parse.c  the syntax of LauXen of 2008 into the struct
 *   import.c  what is missing there; checks
 *   import_print.c  the struct as a person would write it
 */
#ifndef CONFIG_READER_H
#define CONFIG_READER_H

#include "config/config.h"

#define VMS_MAX 4096	 /* a Dom0 holds fewer; as many externals */
#define COMMAND_MAX 1023 /* octets, of a plugin with its arguments */

/* Errors of one file, all of them: given to the caller at the end, in the order of the lines. */
struct error {
	int line; /* 0: of the file as a whole */
	char *text;
};

struct errors {
	struct error *list;
	size_t count;
};

void errors_add(struct errors *errors, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void errors_report(struct errors *errors, const char *file,
		   void (*report)(void *arg, const char *error), void *arg);
void errors_dispose(struct errors *errors);

/* The text, comments blanked out. */
struct text {
	char *data;
	size_t size;
	int *section_lines; /* where the sections of the file begin, in the order of their ends */
	size_t sections;
};

/* Reads file, or what fd is of where it is not -1, all of it as it is; false: errors say why not.
 * absent: what to do where there is no such file. */
bool text_load(struct text *text, const char *file, int fd, const char *absent,
	       struct errors *errors);

/* The same, and scans it; false: errors say why it is of no use to the parser. */
bool text_read(struct text *text, const char *file, int fd, struct errors *errors);
void text_dispose(struct text *text);

/* Blanks the statement or section that begins with word in this line; false: it is not there. */
bool text_mask(struct text *text, int line, const char *word);

/* What a key's value is read with: the file that it is in, where errors go. */
struct place {
	const char *file;
	int line;
	struct errors *errors;
};

struct key;

/* A kind of value. field is the key's member in struct config or struct config_vm. */
struct kind {
	/* Reads value into field; false: an error was added and field is as before. */
	bool (*parse)(const struct place *place, const struct key *key, const char *value,
		      void *field);
	void (*print)(const struct key *key, const void *field, FILE *to);
	bool (*given)(const void *field); /* NULL: always printed */
	void (*dispose)(void *field);	  /* NULL: owns nothing */
	bool list;			  /* parse is called for each value of { ... } */
};

extern const struct kind kind_path, kind_paths, kind_socket, kind_host, kind_text, kind_address,
    kind_uuid, kind_number, kind_count, kind_duration, kind_choice, kind_option, kind_flag,
    kind_port, kind_command, kind_vm_name, kind_services, kind_needs;

struct key {
	const char *name;
	const struct kind *kind;
	size_t offset;
	const char *fallback; /* the default, as one would write it; NULL: none */
	uint32_t min, max;    /* of a number; of a duration in ms; max octets of a text */
	const struct name *choices;
	bool required;
	/* A section that does not have it takes the value of the key of that name in the section
	 * around it, else in supervision, else in hypervisor. */
	bool inherited;
	bool fixed;	 /* cannot change while lauxend runs; only of sections without a title */
	const char *doc; /* printed beside it */
};

#define KEYS_MAX 40 /* of a section */

/* service stands within vm and external, the others at the outermost. */
enum section_id {
	SECTION_AGENT,
	SECTION_HYPERVISOR,
	SECTION_SUPERVISION,
	SECTION_VM,
	SECTION_EXTERNAL,
	SECTION_SERVICE,
	SECTION_COUNT
};

struct section {
	const char *name;
	const char *doc;
	const struct key *keys; /* the last has name NULL */
	bool titled;		/* may stand in the file any number of times */
	bool offers;		/* has service sections */
	bool nested;		/* is one */
};

extern const struct section sections[SECTION_COUNT];

/* The key of that name, or NULL. */
const struct key *section_key(const struct section *section, const char *name);

/* The value of a key of of, as it is printed; to be freed. */
char *key_text(enum section_id id, const char *name, const void *of);

/* The field of key within its struct. */
static inline void *
key_field(const struct key *key, const void *of)
{
	return (char *)of + key->offset;
}

/* Fills config from text; errors go to errors. False: what is behind some error was not read. */
bool parse_text(struct config *config, struct text *text, struct errors *errors);

/* Names that a VM may have; NULL, or what is wrong with this one. */
const char *vm_name_fault(const char *name);

/* Checks that need the whole of the file, and the VMs' xl files where they can be read. */
void check_config(struct config *config, struct errors *errors);

struct xl_file {
	char name[VM_NAME_SIZE]; /* "": it says none */
	uint8_t uuid[UUID_SIZE]; /* zero likewise */
	int name_line, uuid_line;
	bool uuid_bad; /* there is one, malformed */
};

/* Looks for both in an xl file; 0, or an errno with nothing found. */
int xl_file_read(const char *file, struct xl_file *found);

/* True where value may be printed back between double quotes; else an error was added. */
bool text_check(const struct place *place, const struct key *key, const char *value);

/* path as an absolute one, relative to the directory of the configuration file; to be freed. */
char *path_resolve(const char *config_file, const char *path);

void vm_dispose(struct config_vm *vm);
void external_dispose(struct config_external *external);
void service_dispose(struct config_service *service);

/* Adds a service to who offers it; NULL, or why that cannot be. */
const char *provider_add(struct config_provider *provider, const struct config_service *service);

/* That a key which is inherited has the value of what is around it: a VM or an external around a
 * service (else NULL), and the configuration. */
bool is_inherited(const struct config *config, const struct config_vm *vm,
		  const struct config_external *external, const struct key *key, const void *of);

/* What is inherited, and positions of what is named. Names that nobody has are errors. */
void resolve_config(struct config *config, struct errors *errors);

/* Whom a name is of. */
struct named {
	const char *name;
	const struct config_provider *provider;
	bool external; /* position is in config->externals; else in config->vms */
	uint32_t position;
};

/* All VMs and externals, by name. */
struct names {
	struct named *list; /* to be freed; names and providers are the configuration's */
	size_t count;
};

struct names names_of(const struct config *config);
const struct named *names_find(const struct names *names, const char *name); /* or NULL */

/* What no two VMs may have alike. */
void check_uniques(const struct config *config, struct errors *errors);

/* Values that do not go together. */
void check_supervision(const struct config *config, struct errors *errors);

/* Cycles, also through standbys, and standbys that are needed. */
void check_graph(const struct config *config, struct errors *errors);

/* A name that is no VM's: as vm_name_fault(), of a service. */
const char *service_name_fault(const char *name);

struct import;

/* Fills config from a file in the old syntax (config/import.h); needs stay texts. */
void import_parse(struct config *config, const struct import *import, struct errors *errors);

/* Prints config, which came from there, without what is as always. */
void import_print(const struct config *config, const struct import *import, FILE *to);

/* Forgets all that was read but the file's name. */
void config_empty(struct config *config);

#endif
