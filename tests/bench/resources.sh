# shellcheck shell=bash
# shellcheck disable=SC2034 # LX_AGENT_CONF and LX_HV_CONF are for lx_config
# Memory and CPU of lauxend's processes. Sourced by bench.sh.

# pss_kib: of all processes; PSS_KIB and, of each, PSS_EACH.
pss_kib() {
	local pid kib
	PSS_KIB=0 PSS_EACH=
	for pid in $(lauxend_pids); do
		kib=$(awk '$1 == "Pss:" { print $2 }' "/proc/$pid/smaps_rollup")
		[ -n "$kib" ] || give_up "process $pid tells no memory"
		PSS_KIB=$((PSS_KIB + kib))
		PSS_EACH+=" $(tr -d '\n' <"/proc/$pid/comm") $kib"
	done
}

# measure_pss VMS NAME
measure_pss() {
	start_host "$1"
	sleep 10
	pss_kib
	bench "$2" "$(awk -v kib=$PSS_KIB 'BEGIN { printf "%.1f", kib / 1024 }')" none MiB
	detail "$2: KiB of each:$PSS_EACH"
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

# cpu_share SECONDS: of one core, of lauxend's processes, which stay the same meanwhile.
cpu_share() {
	local pids before after begin end
	mapfile -t pids < <(lauxend_pids)
	begin=$(now_us) before=$(cpu_ns "${pids[@]}")
	sleep "$1"
	after=$(cpu_ns "${pids[@]}") end=$(now_us)
	[ "$(lauxend_pids | sort | tr '\n' ' ')" = "$(printf '%s\n' "${pids[@]}" | sort | tr '\n' ' ')" ] ||
		give_up "the processes are not those that were measured"
	awk -v ns=$((after - before)) -v us=$((end - begin)) 'BEGIN { printf "%.6f", ns / us / 1000 }'
}

measure_cpu_9() {
	local seconds=${1:-60} share
	LX_HV_CONF='interval = "1s"'
	start_host 9
	sleep 5
	share=$(cpu_share "$seconds") || exit
	bench cpu_9 "$(awk -v share="$share" 'BEGIN { printf "%.3f", share * 100 }')" 0.5 "%"
	detail "cpu_9: of one core, $(lauxend_pids | wc -l) processes over $seconds s, 9 VMs sampled each second"
}

# Three services each, which really listen, at an address of its own each; each VM but the first needs one
# of an earlier one, so that they stand in four waves.
SERVICES_EACH="tcp:80 tcp:22 udp:53"
services_files() { # VMS
	local words
	words=$(sed -E 's/(\S+)/"\1"/g; s/ /, /g' <<<"$SERVICES_EACH")
	mkdir "$LX_DIR/files" && "$LX_BUILD/simxen" --write-files "$LX_DIR/files" -n "$1" --services "${LX_NET%.*}" >/dev/null ||
		give_up "simxen writes no files"
	sed -i "s/^simxen_services.*/simxen_services = [ $words ]/" "$LX_DIR"/files/*.cfg
	awk -F'"' '/^simxen_address/ { print FILENAME, $2 }' "$LX_DIR"/files/*.cfg | awk '{
		printf "vm \"vm%04d\" {\n\tfile = \"%s\"\n\taddress = \"%s\"\n", NR, $1, $2
		printf "\tservice \"80/tcp\" { port = 20080 }\n\tservice \"22/tcp\" { port = 20022 }\n"
		printf "\tservice \"53/udp\" { port = 20053 protocol = udp payload = dns }\n"
		if (NR >= 10) printf "\tneeds = {\"vm%04d:80/tcp\"}\n", NR / 10
		print "}"
	}' >"$LX_DIR/sections"
}
services_up() { [ "$(lx_walk $LX_SERVICE_STATE | grep -c 'INTEGER: 2$')" = "$1" ]; }

measure_pss_services() {
	local vms=${1:-1000} files=() file
	services_files "$vms"
	for file in "$LX_DIR"/files/*.cfg; do files+=(-f "$file"); done
	lx_simxen --move-ports --boot-ms 200 --memory 1000000 "${files[@]}"
	lx_snmpd
	lx_config "$(cat "$LX_DIR/sections")"
	LX_START_SECONDS=60 lx_lauxend
	lx_wait 120 services_up $((3 * vms)) || give_up "not all services are up"
	sleep 30 # each has been probed again
	pss_kib
	bench pss_services "$(awk -v kib=$PSS_KIB 'BEGIN { printf "%.1f", kib * 1024 / 1e6 }')" 2.7 MB
	detail "pss_services: $vms VMs, $((3 * vms)) services, probed each 10 s; the first LauXen's with nine of each; KiB of each:$PSS_EACH"
	detail "pss_services: CPU $(cpu_share 20 | awk '{ printf "%.1f", $1 * 100 }') % of one core"
}
