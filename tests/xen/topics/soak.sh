#!/bin/bash
# soak: four guests, requests at random, a look each second; then what must hold of all that was
# seen. soak/judge.pl has the checks, soak/requests.pl the manager.
# limit: 4500
#   SOAK_S   seconds of requests (1800); SOAK_SEED=N what is random (printed)
# shellcheck source=tests/xen/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
seconds=${SOAK_S:-1800} seed=${SOAK_SEED:-$RANDOM}
vms=(one two three four)
agent=127.0.0.1:$snmp_port
kept=$work/soak
looker=''

topic_cleanup() { [ -z "$looker" ] || kill "$looker" 2>/dev/null; }

requests() { # SECONDS SEED PREFIX
	timeout $(($1 + 1200)) "$here/soak/requests.pl" "$work/names" "$agent" "$@" "${vms[@]}" >>"$kept/requests"
}
# What holds where nothing is in flight: a median over some looks is taken from here on.
mark() {
	echo "$1 $EPOCHREALTIME" >>"$kept/marks"
	sleep 25
}
look() {
	LAUXEN_LAB_LIMIT=7200 "$here/soak/look.pl" "$work/names" "$agent" "$kept" \
		"$lab ssh $host /lab/sample" "${vms[@]}" 2>"$kept/look.err" &
	looker=$!
}
end_look() {
	: >"$kept/end"
	wait "$looker"
	local rc=$?
	looker=''
	cat "$kept/look.err"
	return $rc
}
judged() { "$here/soak/judge.pl" "$1" "$kept" "$work/names" "${vms[@]}" >"$kept/said" || { cat "$kept/said"; return 1; }; }

# The journal is full before the first mark. Of requests each stays for a day: some 200 KiB.
# shellcheck disable=SC2034 # conf_head has it
agent_conf='journal-size = 100'
mkdir -p "$kept"
for i in "${!vms[@]}"; do
	ok "${vms[i]} is described" guest -u new "${vms[i]}" "10.99.0.1$i" 128
done
begin=$(traps)
with_agent < <(for i in "${!vms[@]}"; do vm "${vms[i]}" "10.99.0.1$i"; done)
for i in "${!vms[@]}"; do
	act "${vms[i]}" start running 120
	ok "${vms[i]} answers" within 120 port "10.99.0.1$i" answers
done

note "seed $seed, $seconds s"
look
ok "requests at random, to warm up" requests 120 "$seed" w-
mark first
ok "requests at random for $seconds s, after which all VMs run" requests "$seconds" $((seed + 1)) r-
mark last
ok "Dom0 was looked at all the while" end_look
tail -n +$((begin + 1)) "$work/traps.log" >"$kept/traps"
for check in requests single agree sequence notified rows growth answers; do
	ok "soak: $check" judged $check
	sed 's/^/# /' "$kept/said"
done
topic_done
