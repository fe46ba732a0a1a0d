#!/bin/bash
# The store is killed, and loses power, at random moments: whatever it acknowledged is there
# afterwards, nothing is there twice, and the numbers go on.
# SEED=N repeats a run, KILLS=N and LOSSES=N say how many; SAN=1 for the sanitized build.
cd "$(dirname "$0")/../.." || exit 2
seed=${SEED:-$((RANDOM * 32768 + RANDOM))} kills=${KILLS:-60} losses=${LOSSES:-200}
build=build/out
[ -n "${SAN:-}" ] && build=build/san
passed=0 failed=0 skipped=0 writer='' dir=''

ok() { echo "ok - $1"; passed=$((passed + 1)); }
not_ok() { echo "not ok - $1"; failed=$((failed + 1)); }
end() {
	[ -n "$writer" ] && kill -9 "$writer" 2>/dev/null
	[ -n "$dir" ] && rm -rf "$dir"
}
trap end EXIT
trap 'exit 1' INT TERM

make -s ${SAN:+SAN=1} "$build/tests/system/store_writer" "$build/tests/system/store_power" || exit 2
dir=$(mktemp -d /tmp/store-kill.XXXXXX) || exit 2
echo "# seed $seed"
RANDOM=$((seed % 32768))

kill_once() { # KEEPS the writer's lines in acks; says in hits whether it had acknowledged anything
	local before after reader
	before=$(stat -c %s "$dir/acks")
	mkfifo "$dir/pipe"
	cat "$dir/pipe" >>"$dir/acks" &
	reader=$!
	"$build/tests/system/store_writer" write "$dir/store" >"$dir/pipe" 2>"$dir/errors" &
	writer=$!
	sleep "0.$(printf %03d $((RANDOM % 300)))"
	kill -9 "$writer"
	wait "$writer" 2>/dev/null
	writer=''
	wait "$reader"
	rm "$dir/pipe"
	after=$(stat -c %s "$dir/acks")
	[ "$after" -gt "$before" ] && hits=$((hits + 1))
}

mkdir "$dir/store"
: >"$dir/acks"
hits=0 bad=0
for ((i = 1; i <= kills; i++)); do
	kill_once
	if [ -s "$dir/errors" ] ||
	    ! said=$("$build/tests/system/store_writer" check "$dir/store" "$dir/acks" 2>&1); then
		echo "# kill $i: $said $(head -n 3 "$dir/errors")"
		bad=$((bad + 1))
	fi
done
echo "# $kills kills, $hits of them after acknowledgements; at the end: $said"
if [ "$bad" = 0 ]; then ok "after each kill -9 all that was acknowledged is there, once"
else not_ok "after $bad of $kills kills something was lost"; fi
if [ "$hits" -ge $((kills / 2)) ]; then ok "most kills hit a writer at work"
else not_ok "only $hits of $kills kills hit a writer at work"; fi

if said=$("$build/tests/system/store_power" "$dir/power" "$seed" "$losses" 2>&1); then
	ok "after each loss of power all that was acknowledged is there"
else not_ok "something was lost with the power"; fi
echo "# ${said//$'\n'/$'\n'# }"
# The same on a disk that only says that it synced: the check must see it.
if said=$("$build/tests/system/store_power" "$dir/liar" "$seed" "$losses" liar 2>"$dir/errors"); then
	not_ok "a disk that does not sync was not noticed"
else ok "a disk that does not sync is noticed"; fi
echo "# ${said//$'\n'/$'\n'# }"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
