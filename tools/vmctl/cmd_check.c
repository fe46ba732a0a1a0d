/*
 * check: one line and an exit status, as monitoring plugins have them (Monitoring Plugins
 * Development Guidelines): STATUS - text | label=value[unit];warn;crit;min;max
 */
#include <ctype.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tools/vmctl/vmctl.h"

enum check_status { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN, CHECK_COUNT };
static const char *const status_names[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

/* What is worse: critical, warning, unknown, ok. */
static const int severity[] = {
    [CHECK_OK] = 0, [CHECK_UNKNOWN] = 1, [CHECK_WARNING] = 2, [CHECK_CRITICAL] = 3};

#define LIMIT_MOST 1000000 /* percent */

/* Percent; -1: no limit. */
struct limits {
	int64_t cpu, memory;
};

struct check {
	struct context *context;
	struct limits warning, critical;
	enum check_status worst;
	size_t counts[CHECK_COUNT], count;
	char text[1024];     /* of all that are not OK; of the only one in any case */
	char perfdata[1024]; /* of the only one */
	const char *what;    /* "VM", "HOST", "SERVICE", "LAUXEN" */
};

static void __attribute__((format(printf, 3, 4)))
check_add(struct check *check, enum check_status status, const char *format, ...)
{
	size_t used = strlen(check->text);
	va_list args;

	check->counts[status]++;
	check->count++;
	if (severity[status] > severity[check->worst])
		check->worst = status;
	if (status == CHECK_OK && check->count > 1)
		return;
	/* The first that was fine makes way for those that are not. */
	if (check->count > 1 && check->counts[CHECK_OK] == check->count - 1)
		used = 0;
	if (used > 0 && used + 2 < sizeof(check->text)) {
		memcpy(check->text + used, "; ", 3);
		used += 2;
	}
	va_start(args, format);
	vsnprintf(check->text + used, sizeof(check->text) - used, format, args);
	va_end(args);
}

/* "cpu=150,memory=80" */
static bool
limits_read(const struct context *context, const char *text, struct limits *limits)
{
	char *copy = mem_string(text ? text : ""), *save = NULL, *end;
	bool ok = true;

	*limits = (struct limits){-1, -1};
	for (char *part = strtok_r(copy, ",", &save); part && ok;
	     part = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(part, '=');
		int64_t *limit = strncmp(part, "cpu=", 4) == 0	    ? &limits->cpu
				 : strncmp(part, "memory=", 7) == 0 ? &limits->memory
								    : NULL;

		ok = limit && equals && isdigit((unsigned char)equals[1]);
		if (ok)
			*limit = strtol(equals + 1, &end, 10);
		ok = ok && !*end && *limit <= LIMIT_MOST;
	}
	if (!ok)
		usage_error(context, "\"%s\": write cpu=PERCENT,memory=PERCENT", text);
	free(copy);
	return ok;
}

/* ---- VMs ---- */

static bool
has(const struct mib_vm *vm, size_t bit)
{
	return !(vm->absent >> bit & 1);
}

static int64_t
memory_percent(const struct mib_vm *vm)
{
	if (!has(vm, mib_vm_BIT_memory_used_mib) || !has(vm, mib_vm_BIT_memory_mib) ||
	    vm->memory_mib == 0)
		return -1;
	return (int64_t)vm->memory_used_mib * 100 / vm->memory_mib;
}

/* As they are shown: cpu with hundredths of a percent, memory without. */
static bool
over(const struct limits *limits, int64_t cpu, int64_t memory)
{
	return (limits->cpu >= 0 && cpu > limits->cpu * 100) ||
	       (limits->memory >= 0 && memory > limits->memory);
}

static enum check_status
vm_status(const struct check *check, const struct mib_vm *vm)
{
	static const enum check_status of_health[] = {[HEALTH_UNKNOWN] = CHECK_UNKNOWN,
						      [HEALTH_OK] = CHECK_OK,
						      [HEALTH_ATTENTION] = CHECK_WARNING,
						      [HEALTH_FAILED] = CHECK_CRITICAL};
	enum check_status status = vm->health >= HEALTH_UNKNOWN && vm->health <= HEALTH_FAILED
				       ? of_health[vm->health]
				       : CHECK_UNKNOWN;
	int64_t cpu = has(vm, mib_vm_BIT_cpu_used) ? (int64_t)vm->cpu_used : -1;
	int64_t memory = memory_percent(vm);

	if (vm->state == VM_CRASHED || over(&check->critical, cpu, memory))
		return CHECK_CRITICAL;
	if (status != CHECK_CRITICAL && over(&check->warning, cpu, memory))
		return CHECK_WARNING;
	return status;
}

static void
limit_text(int64_t limit, char *text, size_t size)
{
	text[0] = 0;
	if (limit >= 0)
		snprintf(text, size, "%" PRId64, limit);
}

static void
vm_perfdata(struct check *check, const struct mib_vm *vm)
{
	char cpu_w[24], cpu_c[24], memory_w[24], memory_c[24];
	char *to = check->perfdata, *end = to + sizeof(check->perfdata);

	limit_text(check->warning.cpu, cpu_w, sizeof(cpu_w));
	limit_text(check->critical.cpu, cpu_c, sizeof(cpu_c));
	limit_text(check->warning.memory, memory_w, sizeof(memory_w));
	limit_text(check->critical.memory, memory_c, sizeof(memory_c));
	if (has(vm, mib_vm_BIT_cpu_used))
		to += snprintf(to, (size_t)(end - to), " cpu=%u.%02u%%;%s;%s;0", vm->cpu_used / 100,
			       vm->cpu_used % 100, cpu_w, cpu_c);
	if (memory_percent(vm) >= 0)
		to += snprintf(to, (size_t)(end - to), " memory=%" PRId64 "%%;%s;%s;0;100",
			       memory_percent(vm), memory_w, memory_c);
	if (has(vm, mib_vm_BIT_memory_used_mib))
		to += snprintf(to, (size_t)(end - to), " used=%uMB;;;0", vm->memory_used_mib);
	if (has(vm, mib_vm_BIT_memory_mib))
		snprintf(to, (size_t)(end - to), " given=%uMB;;;0", vm->memory_mib);
}

static void
check_vm(struct check *check, const struct vmctl_host *host, const struct mib_vm *vm)
{
	char age[32];

	if (vmctl_rows_stale(host, KIND_VM)) {
		duration_text(vmctl_rows_age_ms(host, KIND_VM), age, sizeof(age));
		check_add(check, CHECK_UNKNOWN, "%s: %s does not answer; %s ago it was %s",
			  vm->name, vmctl_host_name(host), age, name_of(vm_state_names, vm->state));
		return;
	}
	vm_perfdata(check, vm);
	check_add(check, vm_status(check, vm), "%s on %s is %s, health %s%s%s", vm->name,
		  vmctl_host_name(host), name_of(vm_state_names, vm->state),
		  name_of(vm_health_names, vm->health), *vm->change_reason ? ": " : "",
		  vm->change_reason);
}

/* ---- hosts ---- */

static enum check_status
host_status(const struct mib_host *host, const struct mib_agent *agent, const char **why)
{
	*why = "";
	if (host->hv_state == HV_SILENT) {
		*why = "its hypervisor is silent";
		return CHECK_CRITICAL;
	}
	if (host->hv_state != HV_ANSWERING) {
		*why = "its hypervisor is not known yet";
		return CHECK_UNKNOWN;
	}
	if (agent->store_health == STORE_DEGRADED)
		*why = agent->store_error;
	else if (*agent->config_error)
		*why = agent->config_error;
	return **why || agent->store_health == STORE_DEGRADED ? CHECK_WARNING : CHECK_OK;
}

static void
check_host(struct check *check, const struct vmctl_host *host)
{
	struct mib_host row;
	struct mib_agent agent;
	enum check_status status;
	const char *why;

	if (!host_answers(host)) {
		check_add(check, CHECK_CRITICAL, "%s: %s", vmctl_host_name(host),
			  vmctl_host_error(host));
		return;
	}
	if (!vmctl_row(host, KIND_HOST, 0, &row) || !vmctl_row(host, KIND_AGENT, 0, &agent)) {
		check_add(check, CHECK_CRITICAL, "%s: its snmpd answers, and lauxend does not",
			  vmctl_host_name(host));
		return;
	}
	snprintf(check->perfdata, sizeof(check->perfdata),
		 " vms=%u running=%u memory_free=%uMB;;;0;%u cpu=%u.%02u%%;;;0", row.vms,
		 row.vms_running, row.memory_free_mib, row.memory_mib, row.cpu_used / 100,
		 row.cpu_used % 100);
	status = host_status(&row, &agent, &why);
	check_add(check, status, "%s has %u VMs, %u of them running%s%s", vmctl_host_name(host),
		  row.vms, row.vms_running, *why ? ": " : "", why);
}

/* ---- services ---- */

static void
check_service(struct check *check, const struct vmctl_host *host, const struct mib_service *service)
{
	static const enum check_status of_state[] = {
	    [SERVICE_UNKNOWN] = CHECK_UNKNOWN,	 [SERVICE_UP] = CHECK_OK,
	    [SERVICE_DOWN] = CHECK_CRITICAL,	 [SERVICE_STARTING] = CHECK_WARNING,
	    [SERVICE_SUSPENDED] = CHECK_WARNING, [SERVICE_OFF] = CHECK_WARNING};
	enum check_status status =
	    service->state >= SERVICE_UNKNOWN && service->state <= SERVICE_OFF
		? of_state[service->state]
		: CHECK_UNKNOWN;

	if (vmctl_rows_stale(host, KIND_SERVICE))
		status = CHECK_UNKNOWN;
	if (!(service->absent >> mib_service_BIT_latency_us & 1))
		snprintf(check->perfdata, sizeof(check->perfdata), " latency=%uus;;;0",
			 service->latency_us);
	check_add(check, status, "%s:%s is %s for %s%s%s", service->provider, service->name,
		  name_of(service_state_names, service->state), vmctl_host_name(host),
		  *service->text ? ": " : "", service->text);
}

/* ---- words ---- */

/* A word with a prefix of check's own; NULL: it is a target. */
static const char *
word_after(const char *word, const char *prefix)
{
	return strncmp(word, prefix, strlen(prefix)) == 0 ? word + strlen(prefix) : NULL;
}

static size_t
check_services(struct check *check, const char *pattern)
{
	struct mib_service service;
	size_t found = 0;

	for (size_t i = 0; i < check->context->hosts_count; i++) {
		struct vmctl_host *host = check->context->hosts[i];

		for (size_t j = 0; vmctl_row(host, KIND_SERVICE, j, &service); j++) {
			char whole[VM_NAME_SIZE + SERVICE_NAME_SIZE + 1];

			snprintf(whole, sizeof(whole), "%s:%s", service.provider, service.name);
			if (fnmatch(pattern, whole, 0) != 0 &&
			    fnmatch(pattern, service.provider, 0) != 0)
				continue;
			check_service(check, host, &service);
			found++;
		}
	}
	return found;
}

static size_t
check_hosts(struct check *check, const char *pattern)
{
	size_t found = 0;

	for (size_t i = 0; i < check->context->hosts_count; i++)
		if (fnmatch(pattern, vmctl_host_name(check->context->hosts[i]), 0) == 0) {
			check_host(check, check->context->hosts[i]);
			found++;
		}
	return found;
}

/* The same VM on two hosts: nobody is to guess which is it, and if both are up its disks are lost.
 */
static void
check_twice(struct check *check, const struct vm_list *vms, size_t at)
{
	const struct vm_ref *one = &vms->list[at - 1], *other = &vms->list[at];
	const uint32_t down = IN(VM_SHUTDOWN) | IN(VM_CRASHED) | IN(VM_SUSPENDED);
	struct mib_vm here, there;

	if (strcmp(vms_name(vms, at - 1), vms_name(vms, at)) != 0)
		return;
	vmctl_row(one->host, KIND_VM, one->position, &here);
	vmctl_row(other->host, KIND_VM, other->position, &there);
	check_add(check,
		  vm_state_in(&here, down) || vm_state_in(&there, down) ? CHECK_WARNING
									: CHECK_CRITICAL,
		  "%s is on %s and on %s", here.name, vmctl_host_name(one->host),
		  vmctl_host_name(other->host));
}

static size_t
check_vms(struct check *check, struct targets *targets)
{
	struct vm_list vms;
	size_t found;

	vms_collect(check->context, targets, &vms);
	for (size_t i = 0; i < vms.count; i++) {
		struct mib_vm vm;

		vmctl_row(vms.list[i].host, KIND_VM, vms.list[i].position, &vm);
		check_vm(check, vms.list[i].host, &vm);
		if (i > 0)
			check_twice(check, &vms, i);
	}
	found = vms.count;
	vms_free(&vms);
	return found;
}

/* What is not there is gone, unless a host that does not answer may have it. */
static void
check_missing(struct check *check, const char *word)
{
	bool silent = false;

	for (size_t i = 0; i < check->context->hosts_count; i++)
		silent |= !host_answers(check->context->hosts[i]);
	check_add(check, silent ? CHECK_UNKNOWN : CHECK_CRITICAL, "%s is nowhere%s", word,
		  silent ? " on the hosts that answer" : "");
}

static bool
check_word(struct check *check, char *word)
{
	const char *services = word_after(word, "service:"), *of_hosts = word_after(word, "hosts:");
	struct targets *targets;
	size_t found;

	if (services) {
		found = check_services(check, services);
	} else if (of_hosts) {
		found = check_hosts(check, of_hosts);
	} else {
		targets = targets_new(check->context, &word, 1, false);
		if (!targets)
			return false;
		found = check_vms(check, targets);
		targets_free(targets);
	}
	if (found == 0)
		check_missing(check, word);
	return true;
}

static bool
check_all(struct check *check)
{
	struct targets *targets = targets_new(check->context, NULL, 0, true);

	check_hosts(check, "*");
	check_vms(check, targets);
	check_services(check, "*");
	targets_free(targets);
	return true;
}

static const char *
what_of(const struct context *context)
{
	const char *word = context->words_count == 1 ? context->words[0] : "";

	if (context->words_count != 1)
		return "LAUXEN";
	return word_after(word, "service:") ? "SERVICE"
	       : word_after(word, "hosts:") ? "HOST"
					    : "VM";
}

/* Texts come from hosts: one line, and no | but ours. */
static void
text_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == '|')
			*text = ' ';
}

static void
check_print(struct check *check)
{
	text_clean(check->text);
	printf("%s %s - ", check->what, status_names[check->worst]);
	if (check->count == 1)
		printf("%s%s%s\n", check->text, *check->perfdata ? " |" : "", check->perfdata);
	else
		printf("%zu of %zu are fine%s%s | all=%zu ok=%zu warning=%zu critical=%zu "
		       "unknown=%zu\n",
		       check->counts[CHECK_OK], check->count, check->worst == CHECK_OK ? "" : ": ",
		       check->worst == CHECK_OK ? "" : check->text, check->count,
		       check->counts[CHECK_OK], check->counts[CHECK_WARNING],
		       check->counts[CHECK_CRITICAL], check->counts[CHECK_UNKNOWN]);
}

void
check_unknown(const char *why)
{
	char text[1024];

	snprintf(text, sizeof(text), "%s", why);
	text_clean(text);
	printf("UNKNOWN - %s\n", text);
}

int
cmd_check(struct context *context)
{
	static const struct vmctl_want wants[] = {
	    {KIND_VM,
	     VM_BASIC | VMCTL_FIELD(mib_vm, cpu_used) | VMCTL_FIELD(mib_vm, memory_mib) |
		 VMCTL_FIELD(mib_vm, memory_used_mib) | VMCTL_FIELD(mib_vm, change_reason),
	     NULL},
	    {KIND_HOST, 0, NULL},
	    {KIND_AGENT, 0, NULL},
	    {KIND_SERVICE, 0, NULL}};
	struct check check = {.context = context, .what = what_of(context)};
	bool ok = true;

	if (context->words_count == 0 && !context->options.all)
		return usage_error(context, "of what? Give TARGET ... or --all");
	if (!limits_read(context, context->options.warning, &check.warning) ||
	    !limits_read(context, context->options.critical, &check.critical) ||
	    !fleet_choose(context))
		return CHECK_UNKNOWN;
	fleet_fetch(context, wants, sizeof(wants) / sizeof(wants[0]));
	if (context->options.all)
		ok = check_all(&check);
	for (int i = 0; i < context->words_count && ok; i++)
		ok = check_word(&check, context->words[i]);
	if (!ok)
		return CHECK_UNKNOWN;
	check_print(&check);
	return (int)check.worst;
}
