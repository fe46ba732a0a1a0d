#!/bin/bash
# The store is killed, and loses power, at random moments: whatever it acknowledged is there
# afterwards, nothing is there twice, and the numbers go on.
# SEED=N repeats the delays and losses of a run, KILLS=N and LOSSES=N say how many; SAN=1 for the sanitized build.
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

acks_grew() { # BEFORE: waits for the next line, 10 s at most
	local until=$((SECONDS + 10))
	while [ "$(stat -c %s "$dir/acks")" -le "$1" ]; do
		[ "$SECONDS" -ge "$until" ] && return 1
		sleep 0.01
	done
}

# Keeps the writer's lines in acks, and counts in hits whether it had acknowledged anything. Every
# second kill comes at any moment after the start, the others after the first acknowledgement.
kill_once() {
	local before after reader
	before=$(stat -c %s "$dir/acks")
	# Both ends are opened here: a writer killed before it opened its own would leave the reader
	# waiting for ever.
	mkfifo "$dir/pipe"
	# shellcheck disable=SC2094
	exec 7<>"$dir/pipe" 8<"$dir/pipe" 9>"$dir/pipe" 7>&-
	cat <&8 >>"$dir/acks" 9>&- &
	reader=$!
	"$build/tests/system/store_writer" write "$dir/store" >&9 2>"$dir/errors" 8<&- 9>&- &
	writer=$!
	exec 8<&- 9>&-
	[ $((i % 2)) = 0 ] && acks_grew "$before"
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
# The same on a disk that only says that it synced: the check must see it. Few times, as nothing is
# ever sure there, and each loss plays all writes since the start.
said=$("$build/tests/system/store_power" "$dir/liar" "$seed" 10 liar 2>"$dir/errors")
rc=$?
if [ "$rc" = 1 ] && [[ $said == "10 losses"* ]]; then ok "a disk that does not sync is noticed"
else not_ok "a disk that does not sync was not noticed (status $rc)"; fi
echo "# ${said//$'\n'/$'\n'# }"

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
