#!/bin/bash
# figures: all that lauxend publishes of host, VMs, interfaces and disks, held against
# what Dom0 says before and after (dom0/lab/truth, figures.pl): at rest, under load, after
# a reboot, paused. Then amounts of known size, each way; memory inside, and rubbish there.
# limit: 900
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
web=10.99.0.11 db=10.99.0.12
compared=0 equal=0 between=0 wrong=0
late=0 # walks in which a QEMU had not told its figures in time

## Everything, against Dom0

# look: all figures once
look() {
	local before_time walk_time try rc=3 words
	echo "none" >"$work/figures"
	limit=90 dom0 /lab/truth >"$work/before" || return
	before_time=$EPOCHREALTIME
	for ((try = 0; try < 20 && rc != 0; try++)); do
		sleep 0.5
		walk_time=$EPOCHREALTIME
		snmp snmpbulkwalk -OnQUex "$(number lxStatus)" >"$work/walk" || return
		"$here/figures.pl" "$work/names" "$work/before" "$work/walk" "$before_time" "$walk_time"
		rc=$?
		((rc != 4)) || late=$((late + 1))
	done
	[ $rc = 0 ] || { echo "no walk of use: figures.pl ended with $rc; age $(value lxAgentFiguresAge 0) s"; return 1; }
	limit=90 dom0 /lab/truth >"$work/after" || return
	"$here/figures.pl" "$work/names" "$work/before" "$work/walk" "$before_time" "$walk_time" "$work/after" >"$work/figures"
	rc=$?
	cat "$work/figures"
	read -ra words < <(tail -n 1 "$work/figures")
	((compared += words[1], equal += words[3], between += words[5], wrong += words[7]))
	return $rc
}
# all WHEN: a round of them, and how many there were
all() {
	ok "$1: all figures are equal, or between those of before and after" look
	note "$1: $(tail -n 1 "$work/figures")"
}

## Amounts of known size

# moved OBJECT INSTANCE FROM LEAST MOST: it grew by so much since it was FROM
moved() {
	local now
	now=$(value "$1" "$2")
	[[ $now =~ ^[0-9]+$ ]] || { echo "$1.$2 is '$now'"; return 1; }
	between "the growth of $1.$2" $((now - $3)) "$4" "$5"
}

# net VM IP: 2,000,000 octets from the guest to Dom0, and as many back. With headers,
# acknowledgements and what else is on the bridge it is a little more.
net() {
	local i in out size=2000000 most=2300000 little=300000
	i=$(index_of "$1").1
	in=$(value lxNetInOctets "$i") out=$(value lxNetOutOctets "$i")
	dom0 'setsid timeout 60 nc -l -p 9000 </dev/null >/dev/null 2>&1 &'
	guest_does "$2" 'dd if=/dev/zero bs=1000 count=2000 | nc 10.99.0.1 9000' >/dev/null
	ok "$1: lxNetOutOctets has 2 MB that the guest sent" within 20 moved lxNetOutOctets "$i" "$out" $size $most
	ok "$1: lxNetInOctets has only their acknowledgements" moved lxNetInOctets "$i" "$in" 0 $little
	in=$(value lxNetInOctets "$i") out=$(value lxNetOutOctets "$i")
	guest_does "$2" 'setsid nc -l -p 99 </dev/null >/dev/null 2>&1 &' >/dev/null
	dom0 "dd if=/dev/zero bs=1000 count=2000 2>/dev/null | timeout 25 nc -N $2 99"
	ok "$1: lxNetInOctets has 2 MB that the guest got" within 20 moved lxNetInOctets "$i" "$in" $size $most
	ok "$1: lxNetOutOctets has only their acknowledgements" moved lxNetOutOctets "$i" "$out" 0 $little
}

# disk VM IP: 1 MiB written in 64 KiB, 2 MiB read in 32 KiB, past the guest's cache. The
# backend may be given one request in parts.
disk() {
	local d writes reads written read
	d=$(index_of "$1").51712
	writes=$(value lxDiskWrites "$d") written=$(value lxDiskWrittenOctets "$d")
	reads=$(value lxDiskReads "$d") read=$(value lxDiskReadOctets "$d")
	ok "$1: the guest writes and reads" grep -q all-done <(guest_does "$2" 'dd if=/dev/zero of=/dev/xvda bs=65536 count=16 oflag=direct; dd if=/dev/xvda of=/dev/null bs=32768 count=64 iflag=direct; echo all-do""ne')
	ok "$1: lxDiskWrittenOctets grew by 1 MiB" within 20 is lxDiskWrittenOctets "$d" $((written + 1048576))
	ok "$1: lxDiskReadOctets grew by 2 MiB" within 20 is lxDiskReadOctets "$d" $((read + 2097152))
	ok "$1: lxDiskWrites grew by 16 or more" moved lxDiskWrites "$d" "$writes" 16 64
	ok "$1: lxDiskReads grew by 64 or more" moved lxDiskReads "$d" "$reads" 64 256
}

# epoch NAME INDEX: of a DateAndTime, whole seconds since 1970
epoch() {
	local h
	read -ra h < <(snmp snmpget -OvQex "$(number "$1").$2" | tr -d '"')
	date -u +%s -d "$((16#${h[0]}${h[1]}))-$((16#${h[2]}))-$((16#${h[3]})) $((16#${h[4]})):$((16#${h[5]})):$((16#${h[6]}))"
}
began_since() { # TIME NAME INDEX: a discontinuity, and not long after
	between "$2.$3, seconds since the reboot," $(($(epoch "$2" "$3") - $1)) 0 120
}

reboot() {
	local since cpu i
	i=$(index_of web)
	cpu=$(value lxVmCpuTime "$i")
	# by Dom0's clock, which the times are of; it is this machine's, give or take a second
	since=$(dom0 date +%s)
	act web reboot running 120
	ok "after it web answers" within 120 port $web answers
	ok "lxVmCpuTime began anew" between lxVmCpuTime "$(value lxVmCpuTime "$i")" 1 "$((cpu + 20000000))"
	ok "lxVmDiscontinuityTime says when" began_since "$since" lxVmDiscontinuityTime "$i"
	ok "so does that of the interface" began_since "$since" lxNetDiscontinuityTime "$i.1"
	ok "and of the disk" began_since "$since" lxDiskDiscontinuityTime "$i.51712"
	ok "lxDiskWrittenOctets began anew" is lxDiskWrittenOctets "$i.51712" 0
}

# A QEMU that hangs takes its own figures along, and nothing else.
qemu_stops() {
	local disc
	disc=$(epoch lxDiskDiscontinuityTime "$d.51712")
	dom0 "pkill -STOP -f 'xen-domid $(listed db 2) '"
	ok "a QEMU is stopped: its disk has no counters" within 20 missing lxDiskReads "$d.51712"
	ok "the other disk has" between lxDiskReads "$(value lxDiskReads "$w.51712")" 1 999999
	ok "lxAgentFiguresAge is small" within 10 figures_young
	ok "lxAgentFiguresDuration is not over half a second" within 20 fast_figures
	dom0 "pkill -CONT -f 'xen-domid $(listed db 2) '"
	ok "it goes on: so do its counters" within 20 not missing lxDiskReads "$d.51712"
	ok "which did not begin anew" same time "$(epoch lxDiskDiscontinuityTime "$d.51712")" "$disc"
}
figures_young() { between age "$(value lxAgentFiguresAge 0)" 0 2; }
fast_figures() { between duration "$(value lxAgentFiguresDuration 0)" 0 500; }

## Memory inside

inside() { guest_does $web "xs-write data/meminfo_total $1; xs-write data/meminfo_free $2" >/dev/null; }
# Rubbish that a guest writes: no figure, never a wrong one, and all else goes on.
rubbish() { # WHAT TOTAL FREE
	inside 120000 20000
	ok "a good value is there again" within 20 is lxVmMemoryUsed "$w" 97
	inside "$2" "$3"
	ok "$1: no lxVmMemoryUsed" within 20 missing lxVmMemoryUsed "$w"
	ok "$1: nor its age" missing lxVmMemoryUsedAge "$w"
}

memory_inside() {
	ok "without a word of the guest there is no lxVmMemoryUsed" missing lxVmMemoryUsed "$w"
	inside 120000 50000
	ok "lxVmMemoryUsed is what the guest says" within 20 is lxVmMemoryUsed "$w" 68
	ok "its age is of seconds" between age "$(value lxVmMemoryUsedAge "$w")" 0 8
	ok "its age grows" within 20 age_over 8
	inside 120000 60000
	ok "a new value" within 20 is lxVmMemoryUsed "$w" 58
	ok "is young" between age "$(value lxVmMemoryUsedAge "$w")" 0 8
	rubbish "more than the VM can have" 999999999 5
	rubbish "more free than there is" 100000 100001
	rubbish "words" '"much memory"' 5
	rubbish "a negative number" 120000 -5
	rubbish "no number of what is free" 120000 '""'
	rubbish "a number of 40 digits" 1234567890123456789012345678901234567890 5
	rubbish "nothing" '""' '""'
	rubbish "2000 octets" '$(head -c 2000 /dev/zero | tr "\0" 9)' 5
	ok "lxAgentFiguresAge is small after all that" between age "$(value lxAgentFiguresAge 0)" 0 5
	ok "web is still running" is_label lxVmState "$w" running
}
age_over() {
	local age
	age=$(value lxVmMemoryUsedAge "$w")
	[[ $age =~ ^[0-9]+$ ]] && ((age > $1)) || { echo "the age is '$age'"; return 1; }
}

## What changes while a guest runs

by_hand() {
	local net mac=00:16:3e:00:00:77
	net=vif$(listed dyn 2).0
	dom0 "ip link set $net down && ip link set $net name dynlan && ip link set dynlan up"
	ok "its interface gets another name" within 20 is lxNetName "$y.1" dynlan
	dom0 xl mem-set dyn 112
	ok "xl mem-set" within 20 is lxVmMemoryGoal "$y" 112
	dom0 "xl network-detach dyn 0 && xl network-attach dyn mac=$mac,bridge=xenbr0,script=vif-lab"
	ok "its interface is exchanged" within 20 is_mac "$y.1" $mac
	all "changed by hand"
}
is_mac() {
	local mac
	mac=$(snmp snmpget -OvQx "$(number lxNetMac).$1" | tr -d '" \n' | sed 's/../&:/g')
	same "lxNetMac.$1" "${mac,,}" "$2:"
}

## The topic

no_row() { ! index_of "$1" >/dev/null; }
same_percent() {
	local top ours
	top=$(limit=60 dom0 xentop -b -d 2 -i 2 | awk '$1 == "web" { v = $4 } END { printf "%d", v * 100 }')
	ours=$(value lxVmCpuUsed "$w")
	same "lxVmCpuUsed, xentop's being other," "$ours" "$top" 3000
}

ok "web is described: PV, a disk of the kernel's" guest -d 16 -u new web $web 160
ok "db is described: PVH, two processors, a qcow2 of QEMU's" guest -t pvh -v 2 -d 16 -Q -u new db $db 160
with_agent < <(vm web $web; vm db $db)
for vm in web db; do
	act $vm start running 120
	ok "$vm: port 80 answers" within 120 port "${!vm}" answers
done
w=$(index_of web) d=$(index_of db)
ok "lxHostVmsRunning is 2" within 10 is lxHostVmsRunning 0 2
all "at rest"

ok "a third guest comes by hand, with an address by DHCP" start_guest -q -d 16 dyn dhcp 128
ok "it has a row" within 20 index_of dyn
y=$(index_of dyn)
ok "and one of its interface" within 20 is lxNetBridge "$y.1" xenbr0
ok "and of its disk, counted by QEMU" within 20 is lxDiskWrites "$y.51712" 0
all "with a third"
by_hand

# until there is a file /stop
guest_does $web 'setsid sh -c "while [ ! -e /stop ]; do dd if=/dev/xvda of=/dev/null bs=4096 count=50 iflag=direct; dd if=/dev/zero of=/dev/xvda bs=4096 count=50 oflag=direct; sleep 0.5; done" </dev/null >/dev/null 2>&1 & setsid sh -c "while [ ! -e /stop ]; do ping -c 5 -s 1000 10.99.0.1; done" </dev/null >/dev/null 2>&1 &' >/dev/null
guest_does $db 'setsid sh -c "while [ ! -e /stop ]; do dd if=/dev/xvda of=/dev/null bs=4096 count=50 iflag=direct; sleep 1; done" </dev/null >/dev/null 2>&1 &' >/dev/null
all "under load"
guest_does $web 'touch /stop; setsid yes </dev/null >/dev/null 2>&1 &' >/dev/null
guest_does $db 'touch /stop' >/dev/null
ok "lxVmCpuUsed of a busy guest is that of xentop, give or take 30 %" within 40 same_percent
guest_does $web 'killall yes' >/dev/null

dom0 xl destroy dyn
ok "destroyed by hand it has no row" within 20 no_row dyn
ok "nor have its interface" within 5 missing lxNetName "$y.1"
ok "and disk" missing lxDiskName "$y.51712"

net web $web
net db $db
disk web $web
disk db $db
ok "lxDiskErrors of a disk of QEMU's is 0" is lxDiskErrors "$d.51712" 0
ok "of the kernel's, which counts none, there is none" missing lxDiskErrors "$w.51712"

qemu_stops
memory_inside
reboot
act db pause paused
all "after a reboot of web, db paused"
act db unpause running
note "walks that were read again as a QEMU was late: $late"
echo "BENCH xen_figures ours=$((equal + between)) peer=$compared ratio=$(awk "BEGIN { printf \"%.3f\", ($equal + $between) / ($compared + !$compared) }") unit=figures equal=$equal between=$between wrong=$wrong"
topic_done
