#!/bin/bash
# The users, views and notifications of conf/, tried with a real snmpd and snmptrapd: what each user
# may, and what it may not. In the place of lauxend snmpd itself has an object that can be written in
# each subtree, so that every refusal is one of the views.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
root=.1.3.6.1.4.1.8072.9999.9999.2008
vm_mib=.1.3.6.1.2.1.236.1.1.1.0
status=$root.1.1.1.0 control=$root.2.1.1.2.3 policy=$root.3.1.0 guest=$root.4.1.0

for tool in snmpd snmptrapd; do
	if ! command -v $tool >/dev/null; then
		skip "conf/snmpd.conf and conf/snmptrapd.conf" "$tool is not installed"
		lx_done
	fi
done
lx_begin
dir=$LX_DIR
export SNMPCONFPATH=$dir/none

# The files of conf/ as INSTALL says, with passwords, and with what a test needs changed.
passwords='s/"\([A-Z]*\)-\([A-Z]*\)-PASSWORD"/"\1-\2-of-a-test"/g'
port=$(lx_port) trap_port=$(lx_port)
while [ "$trap_port" = "$port" ]; do trap_port=$(lx_port); done
mkdir "$dir/conf" "$dir/snmpd" "$dir/snmptrapd" "$dir/tools"
sed -e "s,^agentXSocket .*,agentXSocket unix:$dir/agentx/master," -e '/^agentXPerms/d' \
	-e '/^#trapsess/s/^#//' -e "s/noc.example.org:162/127.0.0.1:$trap_port/" \
	-e '/^trapsess/s/\(AUTH\|PRIV\)-PASSWORD/TRAP-\1-of-a-test/g' conf/snmpd.conf >"$dir/lauxen.conf"
cat >"$dir/conf/snmpd.conf" <<END
agentaddress udp:127.0.0.1:$port
includeFile $dir/lauxen.conf
override -rw $status octet_str "0.1.0"
override -rw $control uinteger 256
override -rw $policy integer 3
override -rw $guest integer 4
override -rw $vm_mib octet_str "simxen"
group lauxenOperators usm lauxen-low
END
sed "$passwords" conf/snmpd-users.conf >"$dir/snmpd/snmpd.conf"
echo 'createUser lauxen-low SHA-256 "LOW-AUTH-of-a-test"' >>"$dir/snmpd/snmpd.conf"
sed "$passwords" conf/snmptrapd.conf >"$dir/snmptrapd.conf"

SNMP_PERSISTENT_DIR=$dir/snmptrapd snmptrapd -f -Lf "$dir/traps" -C -c "$dir/snmptrapd.conf" \
	"udp:127.0.0.1:$trap_port" 2>"$dir/snmptrapd.err" &
LX_PIDS+=($!)
check_wait 10 "snmptrapd takes conf/snmptrapd.conf and listens" \
	grep -qi ":$(printf %04X "$trap_port") " /proc/net/udp
# Without -C, which would keep snmpd from its users as well.
SNMPCONFPATH=$dir/conf:$dir/snmpd SNMP_PERSISTENT_DIR=$dir/snmpd \
	snmpd -f -Lf "$dir/log" 2>"$dir/snmpd.err" &
LX_PIDS+=($!)

# as USER TOOL ARGUMENTS...: as that user, with authentication and privacy.
as() {
	local user=$1 tool=$2 name
	shift 2
	name=${user^^}
	SNMP_PERSISTENT_DIR=$dir/tools "$tool" -v3 -l authPriv -u "lauxen-$user" -a SHA-256 \
		-A "$name-AUTH-of-a-test" -x AES -X "$name-PRIV-of-a-test" -r 1 -t 2 -On \
		"127.0.0.1:$port" "$@" 2>&1
}

# expect TEXT WHAT COMMAND...: its output has TEXT (a regular expression).
expect() {
	local text=$1 what=$2 output
	shift 2
	output=$("$@")
	if grep -qE "$text" <<<"$output"; then
		ok "$what"
	else
		not_ok "$what" "$(head -c 1000 <<<"$output")"
	fi
}

if ! lx_wait 15 as read snmpget $status; then
	not_ok "snmpd takes conf/snmpd.conf and answers" "$(head -20 "$dir/log" "$dir/snmpd.err")"
	lx_done
fi
ok "snmpd takes conf/snmpd.conf and answers"
check_is "snmpd has nothing to say against it" \
	"$(grep -iE 'error|unknown|warning' "$dir/log" | head -3)" ""
check_is "snmpd took the passwords out of its file" "$(grep 'of-a-test' "$dir/snmpd/snmpd.conf")" ""

# may_read, refused_read USER NAME OID; may_write, refused_write USER NAME OID TYPE VALUE
may_read() {
	expect "^$3 = [A-Z]" "$1 reads $2" as "$1" snmpget "$3"
}
may_write() {
	expect "^$3 = [A-Z][^:]*: $5" "$1 writes $2" as "$1" snmpset "$3" "$4" "$5"
}
refused_read() {
	expect 'No Such Object' "$1 does not read $2" as "$1" snmpget "$3"
}
refused_write() {
	expect 'noAccess|authorizationError' "$1 does not write $2" as "$1" snmpset "$3" "$4" "$5"
}

declare -A oid=([lxStatus]=$status [lxControl]=$control [lxPolicy]=$policy [lxGuest]=$guest
	[VM-MIB]=$vm_mib)
declare -A value=([lxStatus]="s other" [lxControl]="u 512" [lxPolicy]="i 33" [lxGuest]="i 44"
	[VM-MIB]="s other")
declare -A reads=([read]="lxStatus VM-MIB" [operate]="lxStatus VM-MIB lxControl"
	[admin]="lxStatus VM-MIB lxPolicy" [guest]="lxStatus VM-MIB lxGuest")
declare -A writes=([read]="" [operate]=lxControl [admin]=lxPolicy [guest]=lxGuest)
for user in read operate admin guest; do
	for group in lxStatus VM-MIB lxControl lxPolicy lxGuest; do
		read -r type new <<<"${value[$group]}"
		if [[ " ${reads[$user]} " = *" $group "* ]]; then
			may_read $user $group "${oid[$group]}"
		else
			refused_read $user $group "${oid[$group]}"
		fi
		if [[ " ${writes[$user]} " = *" $group "* ]]; then
			may_write $user $group "${oid[$group]}" "$type" "$new"
		else
			refused_write $user $group "${oid[$group]}" "$type" "$new"
		fi
	done
	seen=$(as $user snmpwalk $root | sed -n "s/^$root\.\([0-9]*\)\..*/\1/p" | sort -u | tr '\n' ' ')
	case $user in
	read) should="1 " ;; operate) should="1 2 " ;; admin) should="1 3 " ;; guest) should="1 4 " ;;
	esac
	check_is "$user walks the subtrees $should" "$seen" "$should"
done
expect "^$status = STRING: \"0.1.0\"" "lxStatus has its value still" as read snmpget $status

# Less secured, or with wrong passwords. The same for GET and SET.
raw() {
	SNMP_PERSISTENT_DIR=$dir/tools "$1" -v3 -r 0 -t 1 -On "${@:2}" 2>&1
}
for target in "snmpget 127.0.0.1:$port $status" "snmpset 127.0.0.1:$port $control u 1024"; do
	read -r tool at <<<"$target"
	expect 'authorizationError' "noAuthNoPriv is refused ($tool)" \
		raw $tool -l noAuthNoPriv -u lauxen-operate $at
	expect 'authorizationError' "authNoPriv is refused ($tool)" \
		raw $tool -l authNoPriv -u lauxen-operate -a SHA-256 -A OPERATE-AUTH-of-a-test $at
	expect 'authorizationError' "a user without privacy is refused ($tool)" \
		raw $tool -l authNoPriv -u lauxen-low -a SHA-256 -A LOW-AUTH-of-a-test $at
	expect 'Authentication failure' "a wrong password is refused ($tool)" \
		raw $tool -l authPriv -u lauxen-operate -a SHA-256 -A WRONG-AUTH-of-a-test \
		-x AES -X OPERATE-PRIV-of-a-test $at
	expect 'Timeout|Decryption error' "a wrong privacy password is refused ($tool)" \
		raw $tool -l authPriv -u lauxen-operate -a SHA-256 -A OPERATE-AUTH-of-a-test \
		-x AES -X WRONG-PRIV-of-a-test $at
	expect 'Unknown user name' "an unknown user is refused ($tool)" \
		raw $tool -l authPriv -u lauxen-nobody -a SHA-256 -A OPERATE-AUTH-of-a-test \
		-x AES -X OPERATE-PRIV-of-a-test $at
	expect 'Timeout|authorizationError' "a community is refused ($tool)" \
		env SNMP_PERSISTENT_DIR="$dir/tools" bash -c "$tool -v2c -c public -r 0 -t 1 $at 2>&1"
done
expect "^$control = .*: 512" "lxControl was changed by nobody else" as operate snmpget $control

# Notifications: snmpd's own at its start, by the trapsess line of conf/.
check_wait 15 "an inform of the trapsess line is taken and printed by snmptrapd" \
	grep -q '3\.6\.1\.6\.3\.1\.1\.5\.1' "$dir/traps"
# notify PRIV-PASSWORD TEXT
notify() {
	SNMP_PERSISTENT_DIR=$dir/tools snmptrap -Ci -v3 -l authPriv -u lauxen-trap -a SHA-256 \
		-A TRAP-AUTH-of-a-test -x AES -X "$1" -r 0 -t 1 "127.0.0.1:$trap_port" '' \
		$root.0.6 $root.1.7.1.12.7 s "$2" >/dev/null 2>&1
}
notify TRAP-PRIV-of-a-test right-one
notify WRONG-PRIV-of-a-test wrong-one
SNMP_PERSISTENT_DIR=$dir/tools snmptrap -v2c -c public "127.0.0.1:$trap_port" '' $root.0.6 \
	$root.1.7.1.12.7 s community-one >/dev/null 2>&1
notify TRAP-PRIV-of-a-test last-one
check_wait 10 "snmptrapd takes what its user sends" grep -q right-one "$dir/traps"
check_wait 10 "snmptrapd takes it still after others were refused" grep -q last-one "$dir/traps"
check_is "snmptrapd refuses a wrong password and a community" \
	"$(grep -E 'wrong-one|community-one' "$dir/traps")" ""
lx_done
