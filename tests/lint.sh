#!/bin/bash
# Formatting, warnings of a second compiler, static analysis, the MIB, shell scripts, manual pages.
cd "$(dirname "$0")/.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

mapfile -t sources < <(git ls-files 'agentx/*.c' 'mib/*.c' 'tools/*.c' 'tests/*.c')
mapfile -t headers < <(git ls-files 'agentx/*.h' 'mib/*.h' 'tools/*.h' 'tests/*.h')
mapfile -t scripts < <(git ls-files -z | xargs -0 awk 'FNR == 1 && /^#!.*\/(env )?(ba)?sh/ { print FILENAME } FNR > 1 { nextfile }' | grep -v '^debian/')
mapfile -t manuals < <(git ls-files '*.[158]')

flags=(-std=gnu17 -D_GNU_SOURCE '-DVERSION="lint"' -I. -Iagentx)
read -ra packaged < <(pkg-config --cflags libevent sqlite3 libconfuse jansson)

clang_all() {
	printf '%s\n' "${sources[@]}" | xargs -P 2 -n 8 clang "${flags[@]}" "${packaged[@]}" -fsyntax-only \
		-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
}
cppcheck_all() {
	# sys/queue.h is named, as cppcheck does not read system headers by itself.
	cppcheck -q -j 2 --include="$(find /usr/include -path "*/sys/queue.h" | head -n 1)" --std=c11 --error-exitcode=1 --inline-suppr --enable=warning,performance,portability \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		-D_GNU_SOURCE -DVERSION='"lint"' -I. -Iagentx agentx mib tools
}
smilint_mib() {
	local found
	mib/get-base-mibs.sh build/mibs || return
	# smilint ends with 0 whatever it finds; its words count.
	found=$(smilint -c /dev/null -s -l 6 -p build/mibs/SNMPv2-SMI.mib -p build/mibs/SNMPv2-TC.mib \
		-p build/mibs/SNMPv2-CONF.mib -p build/mibs/SNMP-FRAMEWORK-MIB.mib mib/LAUXEN-MIB.txt 2>&1 |
		grep 'LAUXEN-MIB')
	[ -z "$found" ] || { echo "$found"; return 1; }
}
manuals_all() {
	local found
	found=$(mandoc -Tlint -Wwarning "${manuals[@]}" 2>&1)
	[ -z "$found" ] || { echo "$found"; return 1; }
}

check "formatting: ${#sources[@]} sources, ${#headers[@]} headers (clang-format)" \
	clang-format --dry-run -Werror "${sources[@]}" "${headers[@]}"
check "no warning of clang" clang_all
check "no finding of cppcheck" cppcheck_all
check "smilint, level 6: LAUXEN-MIB" smilint_mib
check "shellcheck: ${#scripts[@]} scripts" shellcheck -x -S warning "${scripts[@]}"
[ ${#manuals[@]} = 0 ] || check "mandoc -Tlint: ${#manuals[@]} manual pages" manuals_all
lx_done
