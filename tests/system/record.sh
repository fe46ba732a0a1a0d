#!/bin/bash
# A real run is recorded, with requests, deaths, a reload and a killed engine; played, it comes to the
# same effects, and to what lauxend said in its log.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
replay=tests/sim/replay

lx_begin
sections=
for vm in www db mail; do
	cat >"$LX_DIR/$vm.cfg" <<-END
		name = "$vm"
		memory = 64
		vcpus = 1
		on_crash = "restart"
		simxen_boot_ms = 100
		simxen_shutdown_ms = 50
	END
	sections+="vm \"$vm\" { file = \"$LX_DIR/$vm.cfg\" }"$'\n'
done
LX_HV_CONF='interval = "500ms" silence = "2s"'
lx_simxen --seed 1
lx_snmpd
lx_config "$sections"
lx_lauxend -v --record "$LX_DIR/recording"

# ask VM VERB STATE
ask() {
	lx_set "$LX_CONTROL.1.$(lx_index "$1")" i "$2" >/dev/null
	check_wait 20 "$1: verb $2" lx_state_is "$1" "$3"
}
ask www 2 4
ask db 2 4
check_wait 10 "www is ours" eval "[ \"\$(lx_get $LX_VM.26.\$(lx_index www))\" = 3 ]"
ask db 5 8
check "www crashes" lx_sim crash www
check_wait 20 "www is started again" eval "[ \"\$(lx_get $LX_VM.23.\$(lx_index www))\" -ge 1 ]"
sed -i '/vm "mail"/d' "$LX_DIR/lauxen.conf"
kill -HUP "$LX_LAUXEND"
check_wait 10 "a reload takes mail away" eval '[ -z "$(lx_index mail)" ]'
engine=$(lx_child engine)
kill -KILL "$engine"
check_wait 15 "another engine begins another recording" test -s "$LX_DIR/recording.1"
check_wait 15 "it answers" lx_state_is db 8
ask db 6 4
lx_stop "$LX_LAUXEND"

check_is "recordings are for their owner alone" "$(stat -c %a "$LX_DIR/recording" "$LX_DIR/recording.1" | tr '\n' ' ')" "600 600 "

# changes FILE...: of VMs' states, as events have them; a line "VM: STATE, was STATE" each.
changes() { sed -nE 's/.*lxEventText="(\w+: \w+, was \w+): .*/\1/p' "$@"; }
logged() { sed -nE 's/.*engine: VM (\w+) is (\w+), was (\w+): .*/\1: \2, was \3/p' "$LX_DIR/lauxend.log"; }

for part in recording recording.1; do
	for time in 1 2; do
		check "$part is played, time $time: as it was recorded" \
			eval "$replay $LX_DIR/$part >$LX_DIR/played-$part-$time"
	done
	check "$part: both times the same" cmp "$LX_DIR/played-$part-1" "$LX_DIR/played-$part-2"
done
check "the first ends where its engine was killed" eval "! grep -q 'the recording ends' $LX_DIR/played-recording-1"
check "the second ends as its engine did" grep -q 'the recording ends: closed' "$LX_DIR/played-recording.1-1"
check_is "played, VMs change as lauxend's log has it" "$(changes "$LX_DIR/played-recording-1" "$LX_DIR/played-recording.1-1")" "$(logged)"
check "there were changes" test "$(logged | wc -l)" -ge 6

# What was told is another: so are the effects.
LC_ALL=C sed 's/www/wwx/g' "$LX_DIR/recording" >"$LX_DIR/other"
check "effects that are not those that were recorded are found" \
	eval "! $replay $LX_DIR/other >$LX_DIR/played-other && grep -q 'other effects than were recorded' $LX_DIR/played-other"
check "what is no recording is refused" eval "! $replay $LX_DIR/lauxen.conf 2>$LX_DIR/refused && grep -q 'is no recording' $LX_DIR/refused"
lx_done
