#!/bin/bash
# verbs: each verb on a PV and a PVH guest, where it can be done and where it cannot: the
# reason in the request's row, the state true, nothing half done left.
# limit: 1200
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
pv=10.99.0.11 pvh=10.99.0.12
save=/var/lib/lauxen-save uuid=6b6f2a5e-3f57-4a0e-9d0c-5c1d7e2a9b11

hypervisor_conf='shutdown-timeout = "8s"'

error_has() {
	local text
	text=$(error_said)
	[[ $text =~ $1 ]] && return
	echo "lxRequestError does not say '$1' but $text"
	return 1
}
# does VM VERB STATE [NUMBER]; fails VM VERB STATE PATTERN: what becomes of it
does() {
	ok "$1: $2: accepted" request "$1" "$2" ${4:+"$4"} || return
	ok "$1: $2: succeeded" within 120 ended succeeded || note "$(error_said)"
	ok "$1: $2: lxVmState is $3" within 20 is_label lxVmState "$(index_of "$1")" "$3"
}
fails() {
	ok "$1: $2: accepted" request "$1" "$2" || return
	ok "$1: $2: failed" within 120 ended failed
	ok "$1: $2: the reason has: $4" error_has "$4"
	ok "$1: $2: lxVmState is $3" within 20 is_label lxVmState "$(index_of "$1")" "$3"
}
# refuses VM VERB [NUMBER]: the SET itself
refuses() {
	local out
	out=$(request "$@" 2>&1) && { echo "accepted"; return 1; }
	[[ $out == *inconsistentValue* ]] || { echo "$out"; return 1; }
}

# What is there of guests in Dom0: nothing, where none is to be.
remains() {
	dom0 "xl list | awk 'NR > 1 && \$2 > 0 { print \"domain\", \$1 }'
		losetup -a; ls /sys/class/net | grep '^vif'; ls /sys/bus/xen-backend/devices
		xenstore-list /local/domain | grep -v '^0\$' | sed 's/^/xenstore \/local\/domain\//'
		xenstore-list /libxl | grep -v '^0\$' | sed 's/^/xenstore \/libxl\//'
		ls $save; ps ax -o args= | grep -E '^(xl|/usr/sbin/xl|.*qemu-system)' | grep -v grep"
}
nothing_left() { same "what is left" "$(remains)" "${1:-}"; }

## Where it can be done

check_right() { # VM IP
	local id
	does "$1" start running
	ok "$1 answers" within 120 port "$2" answers
	does "$1" pause paused
	ok "$1 is silent" port "$2" silent
	does "$1" unpause running
	ok "$1 answers" within 20 port "$2" answers
	does "$1" memory running 112
	ok "$1 has 112 MiB" within 30 memory_listed "$1" 112
	does "$1" memory running 128
	id=$(listed "$1" 2)
	does "$1" reboot running
	ok "$1 is another domain" domid_is_not "$1" "$id"
	ok "$1 answers" within 120 port "$2" answers
	does "$1" save suspended
	ok "$1: one domain less, one file" same files "$(dom0 ls $save | wc -l)" 1
	does "$1" restore running
	ok "$1 answers" within 120 port "$2" answers
	ok "$1: the file went" same files "$(dom0 ls $save)" ""
	does "$1" shutdown shutdown
	ok "$1: nothing is left" within 20 nothing_left
	does "$1" start running
	does "$1" destroy shutdown
	ok "$1: nothing is left" within 20 nothing_left
}

## Where it cannot

# bad_file PATTERN SED-COMMAND: a start of pv with its file changed
bad_file() {
	dom0 "cp /etc/xen/pv.cfg /tmp/pv.cfg; sed -i '$2' /etc/xen/pv.cfg"
	fails pv start shutdown "$1"
	ok "nothing is left of it" within 30 nothing_left
	dom0 "mv /tmp/pv.cfg /etc/xen/pv.cfg; xl list pv >/dev/null 2>&1 && xl destroy pv"
}
check_start() {
	bad_file 'vmlinux.*No such file|kernel' 's|^kernel.*|kernel = "/nope/vmlinux"|'
	bad_file 'bridge|nobr' 's|bridge=xenbr0|bridge=nobr|'
	bad_file 'nodisk|disk' '$adisk = [ "format=raw,vdev=xvda,access=rw,target=/var/lib/xen/nodisk.img" ]'
	bad_file 'needs 6000 MiB, the host has [0-9]+ MiB free' 's|^memory.*|memory = 6000|;s|^maxmem.*|maxmem = 6000|'
	bad_file 'pv.cfg' '$athis is = [ no file'
	dom0 mv /etc/xen/pv.cfg /tmp/pv.cfg
	fails pv start shutdown 'pv.cfg.*No such file'
	dom0 mv /tmp/pv.cfg /etc/xen/pv.cfg
	ok "nothing is left of it" nothing_left
	ok "the name is in use: by a domain of another file and UUID" dom0 \
		"sed 's/^uuid.*//; s/^vif.*//' /etc/xen/pv2.cfg >/tmp/other.cfg && xl create -q -e -p /tmp/other.cfg"
	ok "it is taken for the VM" within 20 is_label lxVmState "$(index_of pv2)" preparing
	ok "so a start is refused" refuses pv2 start
	ok "by hand, in Dom0, a start says why" hand_says 'lives already' start pv2
	ok "the other is untouched" state_listed pv2 '--p---'
	dom0 xl destroy pv2
}

check_running() {
	does pv start running
	ok "pv answers" within 120 port $pv answers
	ok "start of one that runs is refused" refuses pv start
	ok "unpause of one that runs is refused" refuses pv unpause
	ok "restore of one that runs is refused" refuses pv restore
	ok "memory over the most is refused" refuses pv memory 4096
	ok "memory under the floor is refused" refuses pv memory 8
	ok "by hand, in Dom0: a start says why" hand_says 'lives already' start pv
	ok "and so does memory over the most" hand_says 'at most 128 MiB' memory pv 1000
	ok "and under the floor" hand_says 'memory must be' memory pv 8
	does pv pause paused
	ok "pause of one that is paused is refused" refuses pv pause
	ok "shutdown of one that is paused is refused" refuses pv shutdown
	ok "so is save" refuses pv save
	ok "by hand, in Dom0: it says why" hand_says 'cannot hear: unpause it first' save pv
	dom0 'xl pause pv; xl pause pv'
	does pv unpause running
	ok "paused three times, one unpause: it answers" within 20 port $pv answers

	guest_says $pv 'rm -f /sbin/poweroff /sbin/reboot' >/dev/null
	fails pv shutdown running 'did not end within 8 s'
	ok "it was left running" port $pv answers
}
hand_says() { # PATTERN VERB VM [NUMBER]
	local pattern=$1 out
	shift
	out=$(dom0 lauxend --action "$@" -f /etc/lauxen/lauxen.conf 2>&1) && { echo "done: $out"; return 1; }
	grep -qE "$pattern" <<<"$out" || { echo "$out"; return 1; }
}

# The save directory as a small tmpfs: too small from the start, then filled meanwhile.
check_full() {
	local mib
	for mib in 64 230; do
		ok "the save directory has $mib MiB" dom0 "mount -t tmpfs -o size=${mib}m,mode=700 none $save"
		if [ $mib = 230 ]; then
			dom0 "setsid sh -c 'while [ ! -s $save/*.part ]; do sleep 0.02; done; fallocate -l 150M $save/filler' >/dev/null 2>&1 &"
			fails pv save running 'No space left on device'
		else
			fails pv save running 'takes [0-9]+ MiB, .* has [0-9]+ MiB free'
		fi
		ok "no part of the state is left" same files "$(dom0 "ls -A $save | grep -v filler")" ""
		ok "the guest runs on" within 30 port $pv answers
		ok "the small directory goes" dom0 "umount $save"
	done
}

check_restore() {
	local verb
	does pv save suspended
	ok "the state is lost" dom0 "mv $save/$uuid.save /tmp/pv.save"
	fails pv restore suspended 'no saved state'
	ok "the state is damaged" dom0 "head -c 3000000 /tmp/pv.save >$save/$uuid.save"
	fails pv restore suspended '.'
	ok "no domain is left of that" within 30 gone pv
	ok "the state was not thrown away" same files "$(dom0 ls $save)" "$uuid.save"
	ok "the state is back" dom0 "mv /tmp/pv.save $save/$uuid.save"
	does pv restore running
	ok "it answers" within 60 port $pv answers
	does pv save suspended
	does pv start running
	ok "started afresh, its state is put aside" same files "$(dom0 ls $save)" "$uuid.save.old"
	dom0 "rm $save/*"
	does pv destroy shutdown
	ok "destroy of one that is gone is refused" refuses pv destroy
	for verb in pause save reboot; do
		ok "so is $verb" refuses pv $verb
	done
	ok "nothing is left" within 20 nothing_left
}

# A domain whose memory something holds stays in the list, dying, when its save is over: its state is whole.
held() { # DOMID SECONDS
	dom0 "setsid /run/hold $1 \$(xenstore-read /local/domain/$1/store/ring-ref) $2 >/run/held 2>&1 </dev/null &"
	within 10 dom0 grep held /run/held
}
topic_cleanup() { dom0 'pkill -x hold; true'; }
check_held() {
	local domid
	does pv start running
	domid=$(listed pv 2)
	ok "a page of the guest's is held" held "$domid" 200
	ok "pv: save: accepted" request pv save
	ok "pv: save: succeeded" within 120 ended succeeded
	ok "though something holds its memory, as is said" error_has "something holds the memory of its domain $domid"
	ok "its state is there" same files "$(dom0 ls $save)" "$uuid.save"
	ok "that lets go" dom0 pkill -x hold
	ok "lxVmState is suspended" within 20 is_label lxVmState "$(index_of pv)" suspended
	does pv restore running
	ok "it answers" within 60 port $pv answers
	does pv destroy shutdown
	ok "nothing is left" within 20 nothing_left
}

ok "a PV guest is described" guest -u $uuid pv $pv 128
ok "a PVH guest is described" guest -u new -t pvh pvh $pvh 128
ok "a third one" guest -u new pv2 10.99.0.13 128
with_agent < <(vm pv $pv; vm pvh $pvh; vm pv2 10.99.0.13)
check_right pv $pv
check_right pvh $pvh
check_start
check_running
check_full
check_restore
ok "hold is put into Dom0" "$lab" put "$host" "$programs/xen/hold" /run
check_held
topic_done
