# shellcheck shell=bash
# Several Dom0s on one machine: each a network namespace of its own with simxen, snmpd and lauxend in
# it, all on one bridge of a namespace that is the operator's. Nothing of it is seen outside. Source
# it after tests/lib.sh, and call fleet_enter first.
#
#   FLEET_NET     the bridge's network: Dom0 number N is FLEET_NET.N, the operator FLEET_NET.254
#   FLEET_CONF    a vmctl.conf for all Dom0s
# shellcheck disable=SC2034 # what is set here is used by those who source it

FLEET_NET=10.77.0
declare -A FLEET_NS FLEET_NUMBER FLEET_SNMPD FLEET_LAUXEND

# fleet_enter ARGUMENT...: runs the script once more in a namespace of its own; false where that is
# not possible.
fleet_enter() {
	[ -z "${FLEET_INSIDE:-}" ] || return 0
	local unshare=(unshare -n)
	[ "$(id -u)" = 0 ] || unshare=(unshare -U -r -n)
	"${unshare[@]}" true 2>/dev/null || return 1
	FLEET_INSIDE=1 exec "${unshare[@]}" "$0" "$@"
}

# fleet_net: the operator's side. ip(8) names it `name`, so that short names are taken for names.
fleet_net() {
	ip link set lo up &&
		ip link add name br0 type bridge &&
		ip addr add "$FLEET_NET.254/24" broadcast + dev br0 &&
		ip link set br0 up
}

# fleet_in NAME COMMAND...: in the namespace of a Dom0. Not for the background: $! would be a shell.
fleet_in() {
	local ns=${FLEET_NS[$1]}
	shift
	nsenter -t "$ns" -n -- "$@"
}

fleet_ns_ready() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/$$/ns/net)" ]; }

# fleet_host NAME NUMBER: a namespace with an address on the bridge.
fleet_host() {
	unshare -n sleep 86400 </dev/null >/dev/null 2>&1 &
	FLEET_NS[$1]=$! FLEET_NUMBER[$1]=$2
	LX_PIDS+=($!)
	lx_wait 10 fleet_ns_ready "${FLEET_NS[$1]}" || return 1
	ip link add name "v-$1" type veth peer name eth0 netns "${FLEET_NS[$1]}" &&
		ip link set "v-$1" master br0 up &&
		fleet_in "$1" ip link set lo up &&
		fleet_in "$1" ip addr add "$FLEET_NET.$2/24" broadcast + dev eth0 &&
		fleet_in "$1" ip link set eth0 up
}

fleet_cut() { ip link set "v-$1" down; }
fleet_mend() { ip link set "v-$1" up; }

# fleet_snmpd NAME: its snmpd; users: "ops" may all, "noc" may read, passwords "USERpassword".
fleet_snmpd() {
	local dir=$LX_DIR/$1
	mkdir -p "$dir/snmp"
	cat >"$dir/snmpd.conf" <<-END
		rocommunity public
		rwcommunity private
		createUser ops SHA-256 opspassword AES opspassword
		createUser noc SHA nocpassword AES nocpassword
		rwuser ops authpriv
		rouser noc authpriv
		master agentx
		agentXSocket unix:$dir/agentx
		agentXTimeout 2
		agentXRetries 1
		${FLEET_SNMPD_CONF:-}
	END
	SNMP_PERSISTENT_DIR=$dir/snmp nsenter -t "${FLEET_NS[$1]}" -n -- \
		snmpd -f -LF w "$dir/snmpd.log" -C -c "$dir/snmpd.conf" -I -smux \
		udp:161 </dev/null >"$dir/snmpd.out" 2>&1 &
	FLEET_SNMPD[$1]=$!
	LX_PIDS+=($!)
	lx_wait 10 fleet_in "$1" snmpget -v2c -c public -r0 -t0.3 \
		"$FLEET_NET.${FLEET_NUMBER[$1]}" 1.3.6.1.2.1.1.3.0
}

# fleet_vm NAME ADDRESS GROUP [XL LINES [KEYS]]: an xl file, and the section for lauxen.conf, with those
# keys as well, on stdout.
fleet_vm() {
	local file=$FLEET_DIR/xl/$1.cfg
	mkdir -p "$FLEET_DIR/xl"
	cat >"$file" <<-END
		name = "$1"
		uuid = "$(printf '%s' "$FLEET_DIR$1" | sha1sum | sed -E 's/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*/\1-\2-5\3-8\4-\5/')"
		memory = 256
		maxmem = 512
		simxen_address = "$2"
		simxen_boot_ms = 300
		simxen_shutdown_ms = 300
		${4:-}
	END
	printf 'vm "%s" { file = "%s" address = "%s" group = "%s" %s }\n' "$1" "$file" "$2" "$3" "${5:-}"
}

# fleet_dom0 NAME NUMBER VM...: a Dom0 with those VMs, in the group of its name; FLEET_XL[VM]: lines of its
# xl file. Files that are in its xl directory already are VMs that lauxen.conf does not have.
declare -A FLEET_XL=()
fleet_dom0() {
	local name=$1 number=$2 vm i=1 sections=''
	shift 2
	fleet_host "$name" "$number" || return 1
	FLEET_DIR=$LX_DIR/$name
	for vm in "$@"; do
		sections+=$(fleet_vm "$vm" "127.$number.0.$i" "g-$name" "${FLEET_XL[$vm]:-}")$'\n'
		i=$((i + 1))
	done
	fleet_simxen "$name" && fleet_snmpd "$name" && fleet_lauxend "$name" "$sections"
}
# So many VMs run, on all hosts together.
fleet_running() { [ "$(vmctl list state:running -o name --no-header 2>/dev/null | wc -l)" = "$1" ]; }

# said STATUS COMMAND...: its output, all of it, to the file; false where it has another exit status.
said() {
	local wanted=$1 rc
	shift
	"$@" </dev/null >"$LX_DIR/said" 2>&1
	rc=$?
	[ "$rc" = "$wanted" ] || { echo "status $rc, not $wanted:"; cat "$LX_DIR/said"; return 1; }
}
says() { grep -q -- "$1" "$LX_DIR/said" || { echo "'$1' is not in:"; cat "$LX_DIR/said"; return 1; }; }

# Six VMs on four Dom0s that need each other over the hosts. Each line: Dom0, VM, its address (of a simulated
# host they are loopback's: 127.N.x.x is Dom0 number N's), group, service, what it needs (VM:SERVICE, with
# @DOM0 that of another; - nothing).
FLEET_SHOP="dom0-a proxy   127.1.0.1 front 443/tcp  www:80/tcp
dom0-a www     127.1.0.2 front 80/tcp   shop:8080/tcp@dom0-d
dom0-b db      127.2.0.1 base  5432/tcp storage:2049/tcp@dom0-c
dom0-c dns     127.3.0.1 base  53/udp   -
dom0-c storage 127.3.0.2 base  2049/tcp dns:53/udp
dom0-d shop    127.4.0.1 front 8080/tcp db:5432/tcp@dom0-b,dns:53/udp@dom0-c"

# The loopback's network is shared out among the Dom0s: 127.N.0.0/16 is at number N.
fleet_shop_net() {
	local number
	fleet_in "$1" ip addr del 127.0.0.1/8 dev lo
	fleet_in "$1" ip addr add 127.0.0.1/16 dev lo
	fleet_in "$1" ip addr add "127.$2.0.0/16" dev lo
	for number in 1 2 3 4; do
		[ "$number" = "$2" ] || fleet_in "$1" ip route add "127.$number.0.0/16" via "$FLEET_NET.$number"
	done
	# /proc/sys/net is that of the network of whoever reads it.
	fleet_in "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet'
}

# What a VM needs of other Dom0s: sections `external`.
fleet_shop_externals() {
	local need vm service
	for need in ${1//,/ }; do
		[[ $need == *@* ]] || continue
		vm=${need%%:*} service=${need#*:}
		printf 'external "%s" { address = "%s" services = {"%s"} host = "%s" }\n' "$vm" \
			"$(awk -v vm="$vm" '$2 == vm { print $3 }' <<<"$FLEET_SHOP")" "${service%@*}" "${need#*@}"
	done
}

# fleet_shop_vms DOM0: their sections for lauxen.conf, and their xl files.
fleet_shop_vms() {
	local dom0 vm address group service needs words
	FLEET_DIR=$LX_DIR/$1
	while read -r dom0 vm address group service needs; do
		[ "$dom0" = "$1" ] || continue
		words=$(sed -E 's/@[^,]*//g; s/[^,]+/"&"/g' <<<"${needs#-}")
		fleet_vm "$vm" "$address" "$group" "simxen_services = [ \"${service#*/}:${service%/*}\" ]" \
			"services = {\"$service\"} needs = {$words}"
		fleet_shop_externals "$needs"
	done <<<"$FLEET_SHOP"
}

# fleet_shop: the four Dom0s, with all VMs off; false where that is not possible.
fleet_shop() {
	local dom0 number=0
	for dom0 in dom0-a dom0-b dom0-c dom0-d; do
		number=$((number + 1))
		fleet_host $dom0 $number && fleet_shop_net $dom0 $number || return 1
		fleet_shop_vms $dom0 >"$LX_DIR/sections"
		fleet_simxen $dom0 off && fleet_snmpd $dom0 && fleet_lauxend $dom0 \
			"supervision { autostart = no interval = \"1s\" timeout = \"500ms\" fall = 2 }
			$(cat "$LX_DIR/sections")" || return 1
	done
	fleet_conf
}

# fleet_simxen NAME [off]: its hypervisor; runs the VMs of its xl files, or none.
fleet_simxen() {
	local dir=$LX_DIR/$1 file files=()
	for file in "$dir"/xl/*.cfg; do [ ! -e "$file" ] || [ "${2:-}" = off ] || files+=(-f "$file"); done
	nsenter -t "${FLEET_NS[$1]}" -n -- "$LX_BUILD/simxen" -s "$dir/sim" --boot-ms 300 --shutdown-ms 300 "${files[@]}" \
		</dev/null >"$dir/simxen.log" 2>&1 &
	LX_PIDS+=($!)
	lx_wait 10 "$LX_BUILD/simxen" ctl -s "$dir/sim" list
}
fleet_sim() {
	local name=$1
	shift
	"$LX_BUILD/simxen" ctl -s "$LX_DIR/$name/sim" "$@"
}

# fleet_lauxend NAME [SECTIONS]: its agent; the sections stay for the next start.
fleet_lauxend() {
	local dir=$LX_DIR/$1
	mkdir -p "$dir/state" "$dir/run" "$dir/save"
	if [ $# -gt 1 ]; then
		cat >"$dir/lauxen.conf" <<-END
			agent {
				name = "$1"
				state-dir = "$dir/state"
				run-dir = "$dir/run"
				save-dir = "$dir/save"
				agentx-socket = "unix:$dir/agentx"
			}
			hypervisor { driver = "sim" sim-socket = "$dir/sim" storage = {"/"} }
			$2
		END
	fi
	nsenter -t "${FLEET_NS[$1]}" -n -- "$LX_BUILD/lauxend" -d -f "$dir/lauxen.conf" -u "$(id -un)" \
		</dev/null >>"$LX_DIR/$1/lauxend.log" 2>&1 &
	FLEET_LAUXEND[$1]=$!
	LX_PIDS+=($!)
	lx_wait 15 fleet_up "$1" || { tail -n 20 "$dir/lauxend.log" >&2; return 1; }
}
fleet_up() {
	[ "$(snmpget -v2c -c public -Oqv -r0 -t0.3 "$FLEET_NET.${FLEET_NUMBER[$1]}" $LX_ROOT.1.2.4.0 2>/dev/null)" = 2 ]
}

# fleet_conf: FLEET_CONF, of all hosts there are.
fleet_conf() {
	local name
	FLEET_CONF=$LX_DIR/vmctl.conf
	{
		echo "timeout = \"300ms\" retries = 2 cache-dir = \"$LX_DIR/cache\""
		echo 'profile "v3" { user = "ops" auth-protocol = SHA-256 auth-password = "opspassword" }'
		for name in $(printf '%s\n' "${!FLEET_NUMBER[@]}" | sort); do
			echo "host \"$name\" { address = \"$FLEET_NET.${FLEET_NUMBER[$name]}\" profile = \"v3\" }"
		done
	} >"$FLEET_CONF"
	chmod 600 "$FLEET_CONF"
}

# Not for the background either.
vmctl() { "$LX_BUILD/vmctl" -f "$FLEET_CONF" "$@"; }
