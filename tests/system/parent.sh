#!/bin/bash
# The parent: options, the check before the start, children that are killed, peers that find each
# other again, reload, users, descriptors, the end.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
lx_begin
lauxend=$(realpath "$LX_BUILD/lauxend")
roles="hypervisor engine agentx"

# start TEXT OPTION...: lx_lauxend waits for an answer through snmpd; there is none here, so only the
# children are waited for.
start() {
	local text=$1
	shift
	: >"$LX_DIR/lauxend.log"
	"$lauxend" -d -v -f "$LX_DIR/lauxen.conf" "$@" </dev/null >>"$LX_DIR/lauxend.log" 2>&1 9<"$LX_DIR/marker" &
	LX_LAUXEND=$!
	LX_PIDS+=("$LX_LAUXEND")
	check_wait 20 "$text" all_joined
}
logged() { grep -q -- "$1" "$LX_DIR/lauxend.log"; }
logged_after() { tail -n "+$(($1 + 1))" "$LX_DIR/lauxend.log" | grep -q -- "$2"; }
log_lines() { wc -l <"$LX_DIR/lauxend.log"; }
pids() { for role in $roles; do lx_child "$role"; done | tr '\n' ' '; }
all_there() { [ "$(pids | wc -w)" = 3 ]; }
status_of() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$1/status"; }

# Local inode, peer's inode and pid of all connected SOCK_SEQPACKET sockets, a line for each owner.
sockets() {
	ss -xpHn | awk '$1 == "u_seq" {
		owners = $0
		while (match(owners, /pid=[0-9]+/)) {
			print $6, $8, substr(owners, RSTART + 4, RLENGTH - 4)
			owners = substr(owners, RSTART + RLENGTH)
		}
	}'
}
joined() {
	local a b
	a=$(lx_child "$1") b=$(lx_child "$2")
	sockets | awk -v a="$a" -v b="$b" '
		$3 == a { peer[$2] = $1 } $3 == b { mine[$1] = $2 }
		END { for (i in peer) if (mine[i] == peer[i]) found = 1; exit !found }'
}
all_joined() {
	all_there || return
	command -v ss >/dev/null || return 0
	joined hypervisor engine && joined engine agentx
}

# kill_child ROLE: by SIGKILL, and the others stay.
kill_child() {
	local role=$1 was others now line
	was=$(lx_child "$role") line=$(log_lines)
	others=$(for other in $roles; do [ "$other" = "$role" ] || lx_child "$other"; done)
	kill -KILL "$was"
	check_wait 15 "$role killed: there again, all joined" all_joined_but "$role" "$was"
	now=$(lx_child "$role")
	check_is "$role killed: the others stayed" \
		"$(for other in $roles; do [ "$other" = "$role" ] || lx_child "$other"; done)" "$others"
	check_wait 5 "$role killed: logged" logged_after "$line" "child $role (pid $was) was killed by signal 9"
	check_wait 5 "$role killed: its new pid logged" logged_after "$line" \
		"child $role.*started again as pid $now"
}
all_joined_but() { local now; now=$(lx_child "$1") && [ "$now" != "$2" ] && all_joined; }

# Ends lauxend by SIGNAL; its exit status, and how long it took at most.
ends_by() {
	local children since=$SECONDS rc
	children=$(pids)
	kill "-$1" "$LX_LAUXEND"
	lx_wait "$2" lx_gone "$LX_LAUXEND"
	wait "$LX_LAUXEND"
	rc=$?
	check_is "SIG$1: exit status" "$rc" 0
	check "SIG$1: within $2 s" [ $((SECONDS - since)) -le "$2" ]
	check "SIG$1: no child is left" gone_all "$children"
	[ "$2" -gt 10 ] || check_is "SIG$1: children that ended with status 0" "$(good_ends)" 3
}
good_ends() { grep -c 'parent: child .*: ended with status 0$' "$LX_DIR/lauxend.log"; }
gone_all() { local pid; for pid in $1; do lx_gone "$pid" || return; done; }

# The marker that this test holds open is in none of the processes.
marker_nowhere() {
	local pid
	for pid in $LX_LAUXEND $(pids); do
		! find "/proc/$pid/fd" -lname "$LX_DIR/marker" | grep . || return
	done
}
# Descriptors of a child that its own program did not open: 0 to 2, the control channel, the text of
# the configuration.
descriptors_given() {
	local pid
	for pid in $(pids); do
		[[ $(readlink "/proc/$pid/fd/0") == /dev/null && $(readlink "/proc/$pid/fd/3") == socket:* &&
			$(readlink "/proc/$pid/fd/4") == "/memfd:lauxend configuration"* ]] || return
	done
}
# all_work_with TEXT, WITHOUT: each child's configuration has the first and not the second.
all_work_with() {
	local role pid
	for role in $roles; do
		pid=$(lx_child "$role") && grep -q -- "$1" "/proc/$pid/fd/4" && ! grep -q -- "$2" "/proc/$pid/fd/4" || return
	done
}
# What was checked cannot be changed, even by root, by whoever has the descriptor.
sealed() {
	local before
	before=$(cksum <"/proc/$1/fd/4")
	! printf x 2>/dev/null >>"/proc/$1/fd/4" && ! truncate -s 0 "/proc/$1/fd/4" 2>/dev/null &&
		[ "$before" = "$(cksum <"/proc/$1/fd/4")" ]
}
serves() { [ "$(lx_walk "$LX_VM_NAME" 2>/dev/null | grep -c "STRING: \"$1\"")" = 1 ] && lx_agent_up; }
# kill_each TEXT NAME: each child by SIGKILL; it comes back and the VM NAME is served.
kill_each() {
	local role was
	for role in $roles; do
		was=$(lx_child "$role")
		kill -KILL "$was"
		check_wait 20 "$1: $role killed: there again" all_joined_but "$role" "$was"
		check_wait 20 "$1: $role killed: $2 is served" serves "$2"
	done
}

LX_SIM=$LX_DIR/simxen.sock
lx_config 'vm "www" { file = "www.cfg" }'
: >"$LX_DIR/marker"
echo 'agent { nme = "x" }' >"$LX_DIR/bad.conf"

# ---- options ----
rc_of() { "$@" >"$LX_DIR/out" 2>&1 </dev/null; echo $?; }
said() { grep -q -- "$1" "$LX_DIR/out"; }
check_is "--help" "$(rc_of "$lauxend" --help)" 0
check "--help has examples" said "lauxend --action pause www"
check_is "--version" "$(rc_of "$lauxend" --version)" 0
check_is "an unknown option" "$(rc_of "$lauxend" --nonsense)" 2
check_is "an argument too many" "$(rc_of "$lauxend" www)" 2
check_is "an unknown child" "$(rc_of "$lauxend" --child parent)" 2
check_is "-n, good" "$(rc_of "$lauxend" -n -f "$LX_DIR/lauxen.conf")" 0
check "-n, good: says so" said "lauxen.conf: good, with 1 VM"
check_is "-n, bad" "$(rc_of "$lauxend" -n -f "$LX_DIR/bad.conf")" 1
check "-n, bad: says where" said "^$LX_DIR/bad.conf:1: .*known are: name"
check_is "-nv" "$(rc_of "$lauxend" -nv -f "$LX_DIR/lauxen.conf")" 0
cp "$LX_DIR/out" "$LX_DIR/printed.conf"
check_is "-nv of what it printed" "$(rc_of "$lauxend" -nv -f "$LX_DIR/printed.conf")" 0
check "-nv of what it printed: the same" cmp "$LX_DIR/out" "$LX_DIR/printed.conf"
check_is "-f of a relative path" "$(cd "$LX_DIR" && rc_of "$lauxend" -n -f lauxen.conf)" 0
check "-f of a relative path: made absolute" said "^$LX_DIR/lauxen.conf: good"

# ---- the check before the start ----
me=$(id -un)
check_is "started with a bad file" "$(rc_of "$lauxend" -d -u "$me" -f "$LX_DIR/bad.conf")" 1
check "started with a bad file: says where" said "bad.conf:1: "
check_is "started without a file" "$(rc_of "$lauxend" -d -u "$me" -f "$LX_DIR/absent.conf")" 1
check "started without a file: says so" said "there is no such file"
# The check is stopped while it reads many VMs.
start_late() {
	local pid child=
	awk 'BEGIN { for (i = 0; i < 4000; i++) printf "vm \"v%d\" { file = \"/x/v%d.cfg\" }\n", i, i }' >"$LX_DIR/many.conf"
	"$lauxend" -d -u "$me" -f "$LX_DIR/many.conf" >"$LX_DIR/out" 2>&1 </dev/null &
	pid=$!
	while [ -z "$child" ] && kill -0 "$pid"; do read -r child <"/proc/$pid/task/$pid/children"; done
	kill -STOP "$child"
	wait "$pid"
	[ $? = 1 ]
}
check "started, and the check hangs: it is given up" start_late
check "started, and the check hangs: says so" said "many.conf: checking it took over 10 s"
if [ "$(id -u)" = 0 ]; then
	check_is "a user that is not there" "$(rc_of "$lauxend" -d -u nobody-of-that-name -f "$LX_DIR/lauxen.conf")" 1
	check "a user that is not there: what to do" said "create it"
else
	skip "a user that is not there" "only root changes users"
fi

# ---- children ----
start "three children, joined" -u "$me"
command -v ss >/dev/null || skip "who is joined to whom" "there is no ss(8)"
check "no descriptor of the caller is in any process" marker_nowhere
check "children have the control channel, the configuration, and no terminal" descriptors_given
check "nobody can change the configuration that they have" sealed "$(lx_child engine)"
check_is "the processes are called lauxend" "$(for pid in $(pids); do cat "/proc/$pid/comm"; done | sort -u)" lauxend
for role in $roles; do kill_child "$role"; done
kill_child engine
check "a second death is followed by a pause" logged "child engine .* killed by signal 9; starts again in 0.25 s"

# ---- reload ----
before=$(pids)
line=$(log_lines)
kill -HUP "$LX_LAUXEND"
check_wait 20 "SIGHUP, good: loaded again" logged_after "$line" "parent: configuration .* loaded again"
cp "$LX_DIR/lauxen.conf" "$LX_DIR/kept.conf"
cp "$LX_DIR/bad.conf" "$LX_DIR/lauxen.conf"
line=$(log_lines)
kill -HUP "$LX_LAUXEND"
check_wait 20 "SIGHUP, bad: refused with file and line" logged_after "$line" \
	"configuration refused, the old one stays: $LX_DIR/lauxen.conf:1: "
mv "$LX_DIR/kept.conf" "$LX_DIR/lauxen.conf"
line=$(log_lines)
for _ in 1 2 3 4 5; do kill -HUP "$LX_LAUXEND"; done
check_wait 20 "SIGHUP, five at once: loaded again" logged_after "$line" "configuration .* loaded again"
for change in "state-dir = \"$LX_DIR/elsewhere\"" "run-dir = \"$LX_DIR/elsewhere\"" "journal-size = 77"; do
	key=${change%% *}
	cp "$LX_DIR/lauxen.conf" "$LX_DIR/kept.conf"
	sed -i "/^ *$key *=/d; s|^[[:space:]]*agent {|&\n$change|" "$LX_DIR/lauxen.conf"
	line=$(log_lines)
	kill -HUP "$LX_LAUXEND"
	check_wait 20 "SIGHUP, another $key: refused with what to do" logged_after "$line" \
		"configuration refused, .*/lauxen.conf: $key is ${change##* } now, and was .*; restart lauxend, or put it back"
	mv "$LX_DIR/kept.conf" "$LX_DIR/lauxen.conf"
done
check_is "SIGHUP: no child was started anew" "$(pids)" "$before"
ends_by TERM 10

# ---- what a child that is started again works with ----
uuid_1=11111111-2222-4333-8444-555555555555
uuid_2=66666666-7777-4888-8999-aaaaaaaaaaaa
echo "uuid = \"$uuid_1\"" >"$LX_DIR/www.cfg"
lx_snmpd
lx_simxen
start "started again, with snmpd and a simulated host" -u "$me"
check_wait 20 "www is served" serves www
cp "$LX_DIR/bad.conf" "$LX_DIR/lauxen.conf"
echo "uuid = \"$uuid_2\"" >"$LX_DIR/www.cfg"
line=$(log_lines)
kill -HUP "$LX_LAUXEND"
check_wait 20 "a bad file, refused" logged_after "$line" "configuration refused, the old one stays"
kill_each "a bad file in place" www
check "a bad file in place: all work with the old text" all_work_with "vm \"www\"" nme
check "a bad file in place: the old UUID, of the VM's file as it was" all_work_with "$uuid_1" "$uuid_2"

lx_config 'vm "new" { file = "www.cfg" }'
line=$(log_lines)
kill -HUP "$LX_LAUXEND"
check_wait 20 "a good file: loaded again" logged_after "$line" "configuration .* loaded again"
check_wait 10 "a good file: all work with it" all_work_with 'vm "new"' 'vm "www"'
check_wait 10 "a good file: the new UUID" all_work_with "$uuid_2" "$uuid_1"
check "a good file: nobody can change it" sealed "$(lx_child engine)"
check_wait 20 "a good file: new is served" serves new
rm "$LX_DIR/lauxen.conf"
kill_each "the file removed" new
check "the file removed: all work with the last text" all_work_with 'vm "new"' 'vm "www"'
line=$(log_lines)
kill -HUP "$LX_LAUXEND"
check_wait 20 "the file removed: SIGHUP is refused" logged_after "$line" "configuration refused.*there is no such file"
lx_config 'vm "www" { file = "www.cfg" }'

# ---- the end ----
ends_by TERM 10
start "started again" -u "$me"
ends_by INT 10
start "started again" -u "$me"
kill -STOP "$(lx_child agentx)"
ends_by TERM 14
check "a child that does not end is killed" logged "child agentx .* does not end; killed"
start "started again" -u "$me"
children=$(pids)
kill -KILL "$LX_LAUXEND"
wait "$LX_LAUXEND" 2>/dev/null
check_wait 10 "the parent killed: the children end" gone_all "$children"

# ---- users ----
if [ "$(id -u)" = 0 ]; then
	user=nobody uid=$(id -u nobody)
	chmod 711 "$LX_DIR"
	chmod 600 "$LX_DIR/lauxen.conf" "$LX_DIR/www.cfg"
	chown root:root "$LX_DIR/lauxen.conf" "$LX_DIR/www.cfg"
	chown -R "$user" "$LX_DIR/state"
	start "started as root for $user, who may not read the file" -u "$user"
	check_is "hypervisor is root" "$(status_of "$(lx_child hypervisor)" Uid)" 0
	for role in engine agentx; do
		pid=$(lx_child $role)
		check_is "$role: all four uids are $user's" "$(sed -n 's/^Uid:\t//p' "/proc/$pid/status")" \
			"$(printf '%s\t%s\t%s\t%s' "$uid" "$uid" "$uid" "$uid")"
		check_is "$role: groups" "$(sed -n 's/^Groups:\t\(.*\)/\1/p' "/proc/$pid/status" | xargs)" "$(id -G "$user")"
		check_is "$role: no capabilities" "$(status_of "$pid" CapEff)$(status_of "$pid" CapPrm)" \
			00000000000000000000000000000000
		check_is "$role: no way to new rights" "$(status_of "$pid" NoNewPrivs)" 1
	done
	kill_child engine
	check_is "engine started again: still $user" "$(status_of "$(lx_child engine)" Uid)" "$uid"
	check "all have the VM's UUID, though its file is root's alone" all_work_with "$uuid_2" "$uuid_1"
	check "nobody can change the configuration that $user has" sealed "$(lx_child engine)"
	line=$(log_lines)
	kill -HUP "$LX_LAUXEND"
	check_wait 20 "SIGHUP, a file that $user may not read: loaded again" logged_after "$line" \
		"engine: the configuration was read again"
	ends_by TERM 10
else
	skip "engine and agentx as another user" "only root changes users"
fi

# ---- the background, and the service manager ----
if command -v python3 >/dev/null; then
	check "READY and STOPPING to the service manager" python3 - "$lauxend" "$LX_DIR" "$me" <<-'END'
		import os, socket, subprocess, sys
		lauxend, folder, user = sys.argv[1:]
		manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		manager.bind(folder + "/notify")
		manager.settimeout(20)
		agent = subprocess.Popen([lauxend, "-d", "-u", user, "-f", folder + "/lauxen.conf"],
		    stderr=subprocess.DEVNULL, env=dict(os.environ, NOTIFY_SOCKET=folder + "/notify"))
		ready = manager.recv(500).decode()
		agent.terminate()
		stopping = manager.recv(500).decode()
		assert "READY=1" in ready and "MAINPID=%d\n" % agent.pid in ready, ready
		assert "STOPPING=1" in stopping, stopping
		assert agent.wait(20) == 0
	END
else
	skip "READY and STOPPING to the service manager" "there is no python3 to listen"
fi
lx_done
