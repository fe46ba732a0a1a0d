#!/bin/bash
# vmctl as the shell, monitoring and other programs take it: completion, state files, lines for a
# configuration, exit statuses. What hosts send is made to be of harm.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
# shellcheck source=tests/fleet.sh
. tests/fleet.sh
fleet_enter "$@" || { skip "vmctl and programs" "no network namespace can be made here"; lx_done; }

lx_begin
fleet_net || { not_ok "a network of our own"; lx_done; }

# A VM that no configuration has, and whose name a shell would run.
HOSTILE="\$(touch\${IFS}$LX_DIR/ran)"
mkdir -p "$LX_DIR/alpha/xl"
printf 'name = "%s"\nmemory = 128\n' "$HOSTILE" >"$LX_DIR/alpha/xl/hostile.cfg"
fleet_dom0 alpha 1 www web:1 && fleet_dom0 beta 2 db || { not_ok "two Dom0s"; lx_done; }
fleet_conf
check_wait 15 "all VMs of all hosts" fleet_running 4

# ---- completion ----
rm -rf "$LX_DIR/cache"
vmctl list -o name,group,state >/dev/null
check "a VM of a hostile name is there" grep -qF "$HOSTILE" <<<"$(vmctl list -o name --no-header)"
check_is "names that a configuration could not have are not offered" \
	"$(vmctl completion names | grep -vcE '^[A-Za-z0-9._:+@-]+$')" 0
# tab LINE: the words that an interactive bash has after TAB at its end. `vmctl` is the real one, echo
# is completed as it.
tab() {
	cat >"$LX_DIR/rc" <<-END
		PS1= HISTFILE=
		vmctl() { if [ -n "\$OFFER" ]; then printf '%s\n' "\$OFFER"; else "$LX_BUILD/vmctl" -f "$FLEET_CONF" "\$@"; fi; }
		$("$LX_BUILD/vmctl" completion bash)
		complete -F _vmctl echo
	END
	printf 'echo %s\t\nexit\n' "$1" | INPUTRC=/dev/null bash --rcfile "$LX_DIR/rc" -i 2>/dev/null | sed -n '1{s/ *$//;p}'
}
check_is "TAB completes a VM's name" "$(tab 'list ww')" "list www"
check_is "a command" "$(tab loca)" locate
check_is "an option" "$(tab 'list --no-h')" "list --no-header"
check_is "a host" "$(tab 'hosts al')" "hosts alpha"
check_is "a group behind its colon" "$(tab 'list group:g-a')" "list group:g-alpha"
check_is "a name with a colon" "$(tab 'list web:')" "list web:1"
check_is "a word with a colon of its own: no VM's name is taken for a group" "$(tab 'list group:we')" "list group:we"
check_is "a host behind an @" "$(tab 'list www@be')" "list www@beta"
check_is "a second term" "$(tab 'list group:g-alpha,state:runn')" "list group:g-alpha,state:running"
tab 'list $' >/dev/null
tab 'list ' >/dev/null
check_is "what is not there stays as it is" "$(tab 'list nix')" "list nix"
check_is "what vmctl offers is quoted, whatever it is" "$(OFFER="a;touch \$(touch $LX_DIR/ran)" tab 'list a')" \
	"list a;touch \$(touch $LX_DIR/ran)"
check "and nothing of it was run" test ! -e "$LX_DIR/ran"

# ---- what could not be written ----
into_full() { timeout 20 "$LX_BUILD/vmctl" -f "$FLEET_CONF" "$@" >/dev/full; }
for format in '' --csv --json; do
	# shellcheck disable=SC2086 # none is no word
	status_is "a table that could not be written${format:+ ($format)}" 2 into_full list $format
done
check "and it is said" grep -q '^vmctl: what it printed could not be written' <<<"$(into_full list 2>&1)"
status_is "help that could not be written" 2 into_full list --help
status_is "for check that is unknown" 3 into_full check www

# ---- what a monitoring system sees of check ----
# says_unknown TEXT PATTERN WORD...: one line on stdout, and status 3.
says_unknown() {
	local text=$1 pattern=$2 output rc
	shift 2
	output=$("$LX_BUILD/vmctl" "$@" 2>/dev/null </dev/null)
	rc=$?
	if [ "$rc" = 3 ] && [[ $output == "UNKNOWN - "$pattern ]] && [ "$(wc -l <<<"$output")" = 1 ]; then
		ok "check says on stdout: $text"
	else
		not_ok "check says on stdout: $text" "status $rc, $output"
	fi
}
says_unknown "a configuration that cannot be read" "*nix.conf: it cannot be read: No such file*" -f "$LX_DIR/nix.conf" check www
echo 'host "a" { adress = "::1" }' >"$LX_DIR/bad.conf"
says_unknown "one that is wrong" "*bad.conf:1: *" -f "$LX_DIR/bad.conf" check www
says_unknown "a wrong option" "--frob: *" -f "$FLEET_CONF" --frob check www
says_unknown "a wrong letter" "-x: *" -f "$FLEET_CONF" check www -x
says_unknown "an option of another command" "it takes no --dot*" -f "$FLEET_CONF" check www --dot
says_unknown "a wrong value" "--timeout x: *" -f "$FLEET_CONF" check www --timeout x
says_unknown "a wrong limit" "*write cpu=PERCENT*" -f "$FLEET_CONF" check www --warning disk=3
says_unknown "one that is too much" "*write cpu=PERCENT*" -f "$FLEET_CONF" check www --critical cpu=99999999999999999999
says_unknown "no words" "of what*" -f "$FLEET_CONF" check
says_unknown "a wrong word" '"frob" is none of: *' -f "$FLEET_CONF" check state:frob
says_unknown "a host that is none" "*" -f "$FLEET_CONF" -H "a b:c:d]" check www
check_is "other commands say nothing there" "$(vmctl list --frob 2>/dev/null)" ""
# A limit that is the figure without its digits behind the point, in one and the same answer.
part_over() {
	local limit
	limit=$(vmctl check www | sed -n 's/.* cpu=\([0-9]*\)\..*/\1/p')
	answer=$(vmctl check www --warning "cpu=$limit")
	[[ $answer == *" cpu=$limit."* && $answer != *" cpu=$limit.00%"* ]]
}
check_wait 20 "a VM uses a part of a percent more than the limit" part_over
check "which is over it, as it is shown" grep -q '^VM WARNING' <<<"$answer"
status_is "a limit that is not passed" 0 vmctl check www --warning cpu=100

# ---- places of events ----
places=$LX_DIR/places
vmctl events --state-file "$places" >/dev/null
check_is "a line for each host" "$(cut -d' ' -f1 "$places" | sort | tr '\n' ' ')" "alpha beta "
cp "$places" "$LX_DIR/places.old"
vmctl pause www db </dev/null >/dev/null
for format in '' --csv --json --follow; do
	# shellcheck disable=SC2086
	status_is "events that could not be written${format:+ ($format)}" 2 into_full events --state-file "$places" $format
	check "they come the next time" cmp "$places" "$LX_DIR/places.old"
done
echo 'far away 0011223344556677 17' >>"$places"
vmctl events -H alpha --state-file "$places" --csv --no-header -o vmName >"$LX_DIR/events"
check "they do" grep -qx www "$LX_DIR/events"
check_is "places of other hosts stay" "$(grep -v '^alpha ' "$places")" "$(grep '^beta ' "$LX_DIR/places.old")
far away 0011223344556677 17"
check "those of this one move on" test "$(grep '^alpha ' "$places")" != "$(grep '^alpha ' "$LX_DIR/places.old")"
vmctl events -H beta --state-file "$places" --csv --no-header -o vmName >"$LX_DIR/events"
check "and events of the others are not missed" grep -qx db "$LX_DIR/events"
vmctl unpause www db </dev/null >/dev/null
echo "root:x:0:0" >"$LX_DIR/foreign"
status_is "a file of something else is refused" 3 vmctl events --state-file "$LX_DIR/foreign"
check_is "and stays" "$(cat "$LX_DIR/foreign")" "root:x:0:0"

# ---- events of some VMs ----
events_of() { vmctl events "$@" --csv --no-header -o vmName 2>/dev/null | sort -u | tr '\n' ' '; }
vmctl pause www web:1 db </dev/null >/dev/null
vmctl unpause web:1 </dev/null >/dev/null
check_is "events of a VM" "$(events_of www)" "www "
check_is "of a group" "$(events_of group:g-beta)" "db "
check_is "of VMs in a state" "$(events_of state:paused)" "db www "
check_is "of both together" "$(events_of state:paused,group:g-alpha)" "www "
check_is "of VMs of a health" "$(events_of health:ok,group:g-alpha)" "web:1 www "
check_is "of a host, with those of no VM" "$(events_of host:beta)" " db "
status_is "events of a VM that is nowhere" 2 vmctl events nix
check "which is said" grep -qx 'vmctl: nix: no such VM' <<<"$(vmctl events nix 2>&1)"
status_is "nobody waits for them" 2 timeout 20 "$LX_BUILD/vmctl" -f "$FLEET_CONF" events nix --follow
status_is "events of one that is, and of one that is not" 1 vmctl events www nix
vmctl events --state-file "$places" >/dev/null
cp "$places" "$LX_DIR/places.old"
vmctl unpause www db </dev/null >/dev/null
vmctl events nix --state-file "$places" >/dev/null 2>&1
check "a wrong name moves no place on" cmp "$places" "$LX_DIR/places.old"
"$LX_BUILD/vmctl" -f "$FLEET_CONF" events group:g-beta --follow --json -o vmName,state >"$LX_DIR/follow" </dev/null &
LX_PIDS+=($!)
lx_wait 10 test -s "$LX_DIR/follow"
vmctl pause www db </dev/null >/dev/null
check_wait 10 "a group is followed" sh -c "tail -n 3 '$LX_DIR/follow' | grep -q paused"
check "and no other" sh -c "! grep -q www '$LX_DIR/follow'"
vmctl unpause www db </dev/null >/dev/null

# ---- lines for a configuration ----
# pretender NUMBER NAME: a host without lauxend, whose snmpd has an lxAgentVersion and that lxHostName.
pretender() {
	local lines="override $LX_ROOT.1.1.1.0 octet_str 1"$'\n'"override $LX_ROOT.1.2.1.0 octet_str '$2'"
	fleet_host "p$1" "$1" && FLEET_SNMPD_CONF=$lines fleet_snmpd "p$1"
}
pretender 11 'a" { } host "evil' && pretender 12 beta && pretender 13 twin && pretender 14 twin &&
	pretender 15 '$HOME' && pretender 16 group || not_ok "hosts that pretend"
grep -v '^host "alpha"' "$FLEET_CONF" | sed 's/"v3"/"default"/' >"$LX_DIR/some.conf"
echo 'group "group" { hosts = {"beta"} }' >>"$LX_DIR/some.conf"
chmod 600 "$LX_DIR/some.conf"
"$LX_BUILD/vmctl" -f "$LX_DIR/some.conf" discover "$FLEET_NET.0/27" >"$LX_DIR/found"
check_is "discover has lines for the hosts that a configuration can take, each name once" \
	"$(sed -n 's/^host "\([^"]*\)" .*/\1/p' "$LX_DIR/found" | sort | tr '\n' ' ')" "alpha twin "
check_is "and comments for all others" "$(grep -c '^#' "$LX_DIR/found") $(grep -vcE '^(#|host)' "$LX_DIR/found")" "6 0"
check "of a name that the configuration has" grep -q "^# $FLEET_NET.12 .*beta.* has that name" "$LX_DIR/found"
check "of one that it has for a group" grep -q "^# $FLEET_NET.16 .*group.* has that name" "$LX_DIR/found"
check "of one with other characters" grep -qF "# $FLEET_NET.11 " "$LX_DIR/found"
cat "$LX_DIR/found" >>"$LX_DIR/some.conf"
check_is "put behind the configuration they make one that is taken" \
	"$("$LX_BUILD/vmctl" -f "$LX_DIR/some.conf" hosts -H group -H alpha --csv --no-header -o host,status | tr '\n' ' ')" \
	"beta,answers alpha,answers "

check "the JSON of each command fits its schema, where there are requests" \
	tests/system/vmctl_schema.py "$LX_BUILD/vmctl" "$FLEET_CONF"

lx_done
