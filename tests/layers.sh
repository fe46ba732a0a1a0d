#!/bin/sh
# Who may include whom. Fails on every include of ours that is no edge of this list.
cd "$(dirname "$0")/.." || exit 2

allowed() { # FROM TO
	case "$1>$2" in
	base\>base | mib\>mib | mib\>base) ;;
	config\>config | config\>base) ;;
	engine\>engine | engine\>base | engine\>config | engine\>mib | engine\>store) ;;
	hypervisor\>hypervisor | hypervisor\>base | hypervisor\>config) ;;
	probe\>probe | probe\>base) ;;
	store\>store | store\>base | store\>mib) ;;
	snmp\>snmp | snmp\>base | snmp\>mib | snmp\>config) ;;
	engine-process\>*) [ "$2" != snmp ] && [ "$2" != hypervisor ] ;;
	control\>control | control\>base | control\>config | control\>mib) ;;
	lauxend\>control | lauxend\>base | lauxend\>config | lauxend\>hypervisor | lauxend\>parent) ;;
	parent\>parent | parent\>base) ;;
	libvmctl\>libvmctl | libvmctl\>base | libvmctl\>mib) ;;
	vmctl\>vmctl | vmctl\>libvmctl | vmctl\>base | vmctl\>mib) ;;
	simxen\>simxen | simxen\>base | hypervisor\>simxen) ;;
	*) return 1 ;;
	esac
}

bad=0
count=0
for file in $(find agentx mib tools -name '*.[ch]' | sort); do
	case $file in
	agentx/lauxend.c) from=lauxend ;;
	agentx/engine/process.c | agentx/engine/journal.[ch] | agentx/engine/record.[ch]) from=engine-process ;;
	agentx/*/*) from=${file#agentx/} from=${from%%/*} ;;
	tools/vmctl/lib/* | tools/vmctl/libvmctl.h) from=libvmctl ;;
	tools/*) from=${file#tools/} from=${from%%/*} ;;
	*) from=${file%%/*} ;;
	esac
	for include in $(sed -n 's/^#include "\(.*\)"$/\1/p' "$file"); do
		case $include in
		tools/vmctl/lib/*) to=libvmctl-inside ;;
		tools/vmctl/libvmctl.h) to=libvmctl ;;
		tools/*) to=${include#tools/} to=${to%%/*} ;;
		*/*) to=${include%%/*} ;;
		*) to=$from ;;
		esac
		# What is inside of the library is for the library alone.
		[ "$from>$to" != "libvmctl>libvmctl-inside" ] || to=libvmctl
		count=$((count + 1))
		if ! allowed "$from" "$to"; then
			echo "$file includes $include: $from may not know $to"
			bad=1
		fi
	done
	if [ "$from" = engine ] && grep -nE 'clock_(now|mono|wall)|store_(open|close|put|drop|append)|channel_|<unistd' "$file"; then
		echo "$file: the engine is pure: no clock, no store, no channel"
		bad=1
	fi
	if grep -q '#include <net-snmp' "$file" && [ "$from" != snmp ] && [ "$from" != libvmctl ]; then
		echo "$file includes net-snmp: only agentx/snmp and tools/vmctl/lib may"
		bad=1
	fi
	if grep -qE '#include <(libxl|xenstat|xenstore|xenctrl)' "$file" && [ "$file" != agentx/hypervisor/hv_xen.c ]; then
		case $file in agentx/hypervisor/xen_*) continue ;; esac
		echo "$file includes Xen's headers: only the Xen driver may"
		bad=1
	fi
done
[ "$bad" = 0 ] && echo "layers: $count includes, all allowed"
exit "$bad"
