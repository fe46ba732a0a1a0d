/*
 * What libvmctl is used like: asks all hosts of vmctl.conf(5), and those given by their addresses,
 * for their VMs at the same time, and prints them as they come.
 *
 * cc libvmctl-example.c $(pkg-config --cflags --libs --static libvmctl)
 */
#include <stdio.h>

#include "tools/vmctl/libvmctl.h"

static void
print_error(void *arg, const char *error)
{
	(void)arg;
	fprintf(stderr, "%s\n", error);
}

static void
print_vms(void *arg, struct vmctl_host *host)
{
	struct mib_vm vm;

	(void)arg;
	if (vmctl_host_status(host) != VMCTL_ANSWERS)
		fprintf(stderr, "%s: %s\n", vmctl_host_name(host), vmctl_host_error(host));
	for (size_t i = 0; vmctl_row(host, KIND_VM, i, &vm); i++)
		printf("%s %s %s%s\n", vmctl_host_name(host), vm.name,
		       name_of(vm_state_names, vm.state),
		       vmctl_rows_stale(host, KIND_VM) ? " (last known)" : "");
}

int
main(int argc, char **argv)
{
	static const struct vmctl_want want = {
	    KIND_VM, VMCTL_FIELD(mib_vm, name) | VMCTL_FIELD(mib_vm, state), NULL};
	struct vmctl *vmctl = vmctl_new(NULL);
	char error[VMCTL_ERROR_SIZE];
	bool all;

	if (!vmctl_load(vmctl, NULL, print_error, NULL))
		return 2;
	for (int i = 1; i < argc; i++)
		if (!vmctl_host_add(vmctl, argv[i], argv[i], NULL, error))
			print_error(NULL, error);
	for (struct vmctl_host *host = vmctl_host_at(vmctl, 0); host; host = vmctl_host_next(host))
		vmctl_fetch(host, &want, 1, print_vms, NULL);
	all = vmctl_run(vmctl, vmctl_mono_ms() + 60000);
	vmctl_cache_write(vmctl, 0);
	vmctl_free(vmctl);
	return all ? 0 : 1;
}
