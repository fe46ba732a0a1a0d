/* completion: a script for the shell, and what it asks for: `vmctl completion words`, names from
 * the configuration and the cache, without asking any host. */
#include <string.h>

#include "tools/vmctl/vmctl.h"

static const char script[] =
    "# bash completion for vmctl; `vmctl completion bash` prints it\n"
    "_vmctl() {\n"
    "	local word=${COMP_WORDS[COMP_CWORD]} command= i\n"
    "	for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "		case ${COMP_WORDS[i]} in -*) ;; *) command=${COMP_WORDS[i]}; break ;; esac\n"
    "	done\n"
    "	if [[ $word == -* ]]; then\n"
    "		COMPREPLY=($(compgen -W \"$(vmctl completion options $command 2>/dev/null)\" -- "
    "\"$word\"))\n"
    "	elif [[ -z $command ]]; then\n"
    "		COMPREPLY=($(compgen -W \"$(vmctl completion commands 2>/dev/null)\" -- "
    "\"$word\"))\n"
    "	elif [[ $command == hosts || $command == storage || $command == rebuild ]]; then\n"
    "		COMPREPLY=($(compgen -W \"$(vmctl completion hosts 2>/dev/null)\" -- \"$word\"))\n"
    "	else\n"
    "		COMPREPLY=($(compgen -W \"$(vmctl completion names 2>/dev/null)\" -- \"$word\"))\n"
    "		__ltrim_colon_completions \"$word\" 2>/dev/null\n"
    "	fi\n"
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

static void
print_hosts(struct context *context)
{
	for (struct vmctl_host *host = vmctl_host_at(context->vmctl, 0); host;
	     host = vmctl_host_next(host))
		printf("%s\n", vmctl_host_name(host));
}

/* VMs that were seen last, their groups, hosts: each as a target. */
static void
print_names(struct context *context)
{
	struct mib_vm vm;

	for (struct vmctl_host *host = vmctl_host_at(context->vmctl, 0); host;
	     host = vmctl_host_next(host)) {
		printf("host:%s\n", vmctl_host_name(host));
		vmctl_rows_recall(host, KIND_VM);
		for (size_t i = 0; vmctl_row(host, KIND_VM, i, &vm); i++) {
			printf("%s\n", vm.name);
			if (*vm.group)
				printf("group:%s\n", vm.group);
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
