#!/bin/bash
# lauxen.conf(5) against the program: every key with its default; the examples are good files.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
lx_begin
manual=conf/lauxen.conf.5

# All keys of all sections, as the errors about unknown ones name them.
keys_known() {
	echo 'agent { x = 1 } hypervisor { x = 1 } supervision { x = 1 }
	vm "a" { x = 1 service "b" { x = 1 } } external "c" { x = 1 }' >"$LX_DIR/unknown.conf"
	"$LX_BUILD/lauxend" -n -f "$LX_DIR/unknown.conf" 2>&1 | sed -n 's/.*: the key .*; known are: //p' |
		tr -d ' ' | tr ',' '\n' | sort -u | grep -vx service
}
manual_keys() { sed -n 's/^\.It Ic \([a-z-]*\) No = .*/\1/p' $manual | sort -u; }

# What the manual says of KEY; keys may share a text.
text_of() {
	awk -v key="$1" '/^\.It Ic / { on = $3 == key || (on && item) } /^\.El/ { on = 0 }
		on { print } { item = /^\.It Ic / }' $manual
}

# KEY VALUE: the value stands there as the default, whatever macro marks it.
has_default() { text_of "$1" | tr -s '\n ' '  ' | grep -qE "Default: (\.(Pa|Li|Dq) )?\{?\"?$2\"?\}?"; }

wrong_defaults() {
	local key value
	: >"$LX_DIR/empty.conf"
	"$LX_BUILD/lauxend" -nv -f "$LX_DIR/empty.conf" |
		sed -n 's/^\t\([a-z-]*\) = {*"*\([^"}]*\)"*}* #.*/\1 \2/p' |
		while read -r key value; do
			[ "$key" = name ] || has_default "$key" "$value" || echo "$key = $value"
		done
}

# SECTION KEY MIN MAX of all numbers and durations, as the errors about values out of range name them.
ranges_known() {
	local section key value keys
	keys=$(keys_known)
	for section in agent hypervisor supervision vm external service; do
		for value in 9999999999 999999h; do
			{
				case $section in
				agent | hypervisor | supervision) echo "$section {" ;;
				service) echo 'vm "a" { service "a" {' ;;
				*) echo "$section \"a\" {" ;;
				esac
				for key in $keys; do echo "$key = $value"; done
				[ $section = service ] && echo '}'
				echo '}'
			} >"$LX_DIR/range.conf"
			"$LX_BUILD/lauxend" -n -f "$LX_DIR/range.conf" 2>&1 |
				sed -nE "s/.*: ([a-z-]+) is \"$value\"; (write a number|it may be) from (\S+) to (\S+)$/$section \1 \3 \4/p"
		done
	done | sort -u
}
wrong_ranges() {
	local section key min max
	while read -r section key min max; do
		text_of "$key" | tr '\n' ' ' | tr A-Z a-z | grep -qE "from $min to $max\\b" || echo "$section: $key from $min to $max"
	done <<<"$ranges"
}

ranges=$(ranges_known)
check_is "all numbers and durations have a range" "$(cut -d' ' -f2 <<<"$ranges" | sort -u)" \
	"$(sed -nE 's/.*\{"([a-z-]+)", &kind_(number|count|duration|port),.*/\1/p' agentx/config/keys.c | sort -u)"
check_is "ranges that the manual has otherwise" "$(wrong_ranges)" ""
check_is "the manual's keys are those that there are" "$(manual_keys)" "$(keys_known)"
check_is "defaults that the manual has otherwise" "$(wrong_defaults)" ""

awk -v dir="$LX_DIR" '/^\.Bd/ { on = 1; n++; next } /^\.Ed/ { on = 0 } on { print > dir "/example" n ".conf" }' $manual
for example in "$LX_DIR"/example*.conf; do
	check "$(basename "$example" .conf) in the manual is a good file" "$LX_BUILD/lauxend" -n -f "$example"
done
lx_done
