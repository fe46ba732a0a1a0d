/* completion: a script for the shell, and what it asks for: `vmctl completion words`, names from
 * the configuration and the cache, without asking any host. */
#include <string.h>

#include "tools/vmctl/vmctl.h"

/* Names come from agents, and the shell must not evaluate them: no compgen -W, which expands each
 * word, and what is put on the command line is quoted. Of : = and @, at which bash cuts words, the
 * word is put together again from the line; bash takes the place of what is behind the last of
 * them, of an @ with itself. */
static const char script[] =
    "# bash completion for vmctl; `vmctl completion bash` prints it\n"
    "_vmctl() {\n"
    "	local line=${COMP_LINE-${COMP_WORDS[*]}} command='' breaks='' kept='' i word front term\n"
    "	local one quoted; local -a ask words\n"
    "	line=${line:0:${COMP_POINT-${#line}}} word=${line##*[[:space:]]}\n"
    "	for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "		case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac\n"
    "	done\n"
    "	front=${word%\"${word##*[,@]}\"}\n"
    "	if [[ $word == -* ]]; then\n"
    "		ask=(options ${command:+\"$command\"}) front=\n"
    "	elif [[ -z $command ]]; then\n"
    "		ask=(commands) front=\n"
    "	elif [[ $command == hosts || $command == storage || $command == rebuild ]]; then\n"
    "		ask=(hosts) front=\n"
    "	elif [[ $front == *@ ]]; then\n"
    "		ask=(hosts)\n"
    "	else\n"
    "		ask=(names)\n"
    "	fi\n"
    "	for one in @ : =; do\n"
    "		[[ $COMP_WORDBREAKS != *$one* ]] || breaks+=$one\n"
    "	done\n"
    "	[[ -z $breaks ]] || kept=${word%\"${word##*[$breaks]}\"}\n"
    "	kept=${kept%@}\n"
    "	term=${word#\"$front\"}\n"
    "	mapfile -t words < <(vmctl completion \"${ask[@]}\" 2>/dev/null)\n"
    "	COMPREPLY=()\n"
    "	for one in \"${words[@]}\"; do\n"
    "		[[ $one == \"$term\"* ]] || continue\n"
    "		one=$front$one\n"
    "		printf -v quoted %q \"${one#\"$kept\"}\"\n"
    "		COMPREPLY+=(\"$quoted\")\n"
    "	done\n"
    "}\n"
    "complete -F _vmctl vmctl\n";

static void
print_script(struct context *context)
{
	(void)context;
	fputs(script, stdout);
}

static void
print_commands(struct context *context)
{
	(void)context;
	for (const struct command *command = commands; command->name; command++)
		printf("%s\n", command->name);
}

static void
print_options(struct context *context)
{
	options_print(context->words_count > 1 ? command_find(context->words[1]) : NULL, stdout);
}

/* A name as a configuration may have it. Others, which an agent may send whatever stands there, are
 * nothing to offer to a shell. */
static bool
name_is_plain(const char *name)
{
	static const char octets[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789._:+@-";

	return *name && *name != '-' && !name[strspn(name, octets)];
}

static void
print_name(const char *prefix, const char *name)
{
	if (name_is_plain(name))
		printf("%s%s\n", prefix, name);
}

static void
print_hosts(struct context *context)
{
	for (struct vmctl_host *host = vmctl_host_at(context->vmctl, 0); host;
	     host = vmctl_host_next(host))
		print_name("", vmctl_host_name(host));
}

/* VMs that were seen last, their groups, hosts: each as a target. */
static void
print_names(struct context *context)
{
	struct mib_vm vm;

	for (struct vmctl_host *host = vmctl_host_at(context->vmctl, 0); host;
	     host = vmctl_host_next(host)) {
		print_name("host:", vmctl_host_name(host));
		vmctl_rows_recall(host, KIND_VM);
		for (size_t i = 0; vmctl_row(host, KIND_VM, i, &vm); i++) {
			print_name("", vm.name);
			print_name("group:", vm.group);
		}
	}
	for (const struct name *state = vm_state_names; state->name; state++)
		printf("state:%s\n", state->name);
}

int
cmd_completion(struct context *context)
{
	static const struct {
		const char *word;
		void (*print)(struct context *context);
	} words[] = {{"bash", print_script},
		     {"commands", print_commands},
		     {"options", print_options},
		     {"hosts", print_hosts},
		     {"names", print_names}};

	for (size_t i = 0; context->words_count > 0 && i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i].word, context->words[0]) == 0) {
			words[i].print(context);
			return EXIT_ALL;
		}
	return usage_error(context, "for which shell? There is: bash");
}
