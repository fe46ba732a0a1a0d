# shellcheck shell=bash
# shellcheck disable=SC2034 # LX_AGENT_CONF and LX_HV_CONF are for lx_config
# Memory and CPU of lauxend's processes. Sourced by bench.sh.

# measure_pss VMS NAME
measure_pss() {
	local pid kib total=0 each=
	start_host "$1"
	sleep 10
	for pid in $(lauxend_pids); do
		kib=$(awk '$1 == "Pss:" { print $2 }' "/proc/$pid/smaps_rollup")
		[ -n "$kib" ] || give_up "process $pid tells no memory"
		total=$((total + kib))
		each+=" $(tr -d '\n' <"/proc/$pid/comm") $kib"
	done
	bench "$2" "$(awk -v kib=$total 'BEGIN { printf "%.1f", kib / 1024 }')" none MiB
	detail "$2: KiB of each:$each"
}
measure_pss_9() { measure_pss 9 pss_9; }
measure_pss_1000() {
	measure_pss 1000 pss_1000
	detail "pss_1000: libvirt-snmp, the nearest of its kind, was seen with 16 MB at 1,000 VMs; not measured in this run"
}

# Nanoseconds on a CPU, all threads.
cpu_ns() {
	local pid total=0 task
	for pid in "$@"; do
		for task in /proc/"$pid"/task/*/schedstat; do
			total=$((total + $(cut -d' ' -f1 "$task")))
		done
	done
	echo $total
}

measure_cpu_9() {
	local seconds=${1:-60} pids before after begin end
	LX_HV_CONF='interval = "1s"'
	start_host 9
	sleep 5
	mapfile -t pids < <(lauxend_pids)
	begin=$(now_us) before=$(cpu_ns "${pids[@]}")
	sleep "$seconds"
	after=$(cpu_ns "${pids[@]}") end=$(now_us)
	[ "$(lauxend_pids | sort | tr '\n' ' ')" = "$(printf '%s\n' "${pids[@]}" | sort | tr '\n' ' ')" ] ||
		give_up "the processes are not those that were measured"
	bench cpu_9 "$(awk -v ns=$((after - before)) -v us=$((end - begin)) 'BEGIN { printf "%.3f", ns / us / 10 }')" 0.5 "%"
	detail "cpu_9: of one core, ${#pids[@]} processes over $seconds s, 9 VMs sampled each second"
}
