#!/bin/bash
# Runs tests and adds them up: each prints TAP lines (ok, not ok, # SKIP). The last line counts all.
#
# usage: tests/check.sh GROUP...     lint layers unit config sim system bench-quick xen xen-all
#   LX_BUILD   the programs' folder (build/out); LOGS: where the tests' output goes (build/logs)
#   ONLY=TEXT  only tests whose name has TEXT
cd "$(dirname "$0")/.." || exit 2
export LX_BUILD=${LX_BUILD:-build/out}
LOGS=${LOGS:-build/logs}
mkdir -p "$LOGS"
passed=0 failed=0 skipped=0
failures= # a line each, said again at the end

# run SECONDS NAME COMMAND...: told to end after so long; killed END_S later, if it does not
END_S=20
run() {
	local limit=$1 name=$2 log started=$SECONDS p f s rc
	shift 2
	[[ $name == *"${ONLY:-}"* ]] || return 0
	log=$LOGS/${name//\//-}.log
	CMOCKA_MESSAGE_OUTPUT=tap timeout -k $END_S "$limit" "$@" </dev/null >"$log" 2>&1
	rc=$?
	p=$(grep -cE '^ok\b' "$log") f=$(grep -cE '^not ok\b' "$log") s=$(grep -cE '^ok\b.*# SKIP' "$log")
	p=$((p - s))
	if ((rc != 0 && f == 0)); then
		f=1
		echo "not ok - $name ended with status $rc$( ((rc == 124)) && echo ": over its limit of $limit s")" >>"$log"
	fi
	if ((rc == 0 && p + f + s == 0)); then
		f=1
		echo "not ok - $name ran no test" >>"$log"
	fi
	printf '%-28s %4d passed %3d failed %3d skipped  %4d s\n' "$name" "$p" "$f" "$s" $((SECONDS - started))
	grep -E '^ok\b.*# SKIP' "$log" | sed 's/^/    /'
	if ((f > 0)); then
		grep -nE -A 12 '^not ok\b|ERROR: AddressSanitizer|runtime error:' "$log" | tail -n 80 | sed 's/^/    /'
		echo "    (all of it: $log)"
		failures+="$(grep -E '^not ok\b' "$log" | head -n 20 | sed "s|^|$name: |")"$'\n'
	fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# Scripts of a folder, in the order of their names; helpers in C beside them are built by make.
run_scripts() {
	local limit=$1 script
	shift
	for script in "$@"; do
		[ -x "$script" ] && run "$limit" "${script#tests/}" "$script"
	done
}

for group in "$@"; do
	case $group in
	lint) run 600 lint tests/lint.sh ;;
	layers) run 60 layers sh -c 'tests/layers.sh && echo "ok - layers"' ;;
	unit)
		for program in "$LX_BUILD"/tests/unit/test_*; do
			[[ -x $program && $program != *.* ]] && run 300 "unit/${program##*/}" "$program"
		done
		;;
	sim)
		run 300 sim/scenarios tests/sim/run
		run_scripts 600 tests/sim/*.sh
		;;
	config | system) run_scripts 600 tests/"$group"/*.sh ;;
	xen) END_S=300 run 1500 xen tests/xen/check-xen.sh ;;
	xen-all) END_S=300 run 21600 xen-all tests/xen/check-xen.sh --all ;;
	*) echo "$0: there is no group $group" >&2 && exit 2 ;;
	esac
done
printf '%s' "$failures"
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))
