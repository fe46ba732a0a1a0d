#!/bin/bash
# lauxend --import as a person types it; what it does to texts is in tests/unit/test_import.c.
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh
lx_begin
cases=tests/config/import

# import OPTION...: what it prints to stdout and stderr, and its status
import() {
	"$LX_BUILD/lauxend" --import "$@" >"$LX_DIR/out" 2>"$LX_DIR/err"
	status=$?
}
# Nothing was printed, and stderr has TEXT.
refused() { [ ! -s "$LX_DIR/out" ] && grep -qF -- "$1" "$LX_DIR/err"; }

import --help
check_is "--help ends with 0" $status 0
check "--help has the old syntax" grep -qF 'www(22T, 80T, 443T){300}: dns(53U)' "$LX_DIR/out"
sed -n "s|^  lauxend --import old.conf.*|&|p" "$LX_DIR/out" | sed "s|old.conf -e mail|$cases/launch.old -a $cases/hosts|; s|new.conf|$LX_DIR/&|g; s|lauxend|$LX_BUILD/&|g" >"$LX_DIR/example"
check "its example works" grep -q 'good, with 3 VMs' <(bash "$LX_DIR/example" 2>/dev/null)
check "lauxend --help names it" grep -q -- '--import' <("$LX_BUILD/lauxend" --help)

mkdir "$LX_DIR/xl"
for name in www dns nfs-server; do echo "name = \"$name\"" >"$LX_DIR/xl/$name"; done
import $cases/launch.old -a $cases/hosts --xl "$LX_DIR/xl/NAME"
check_is "a file is imported" "$status $(cat "$LX_DIR/err")" "0 "
check "lauxend -n takes it" "$LX_BUILD/lauxend" -n -f "$LX_DIR/out"

echo '127.0.0.1 localhost' >"$LX_DIR/hosts"
import $cases/launch.old -a "$LX_DIR/hosts" --xl "$LX_DIR/NAME"
check_is "no address, no xl file: it is printed" $status 0
check "addresses that are missing are told of" grep -q '^lauxend: 3 without an address' "$LX_DIR/err"
check "xl files that are missing are told of" grep -q '^lauxend: 3 VMs without an xl file' "$LX_DIR/err"

echo 'www(80T): db(5432T)' >"$LX_DIR/old"
import "$LX_DIR/old"
check_is "an unknown name: status" $status 1
check "an unknown name: file, line, advice" refused "$LX_DIR/old:1: vm \"www\" needs \"db\", which is no VM of this file"
import "$LX_DIR/old" -e db
check "it may be external" grep -q '^external "db" {' "$LX_DIR/out"

import
check_is "no file is bad use" $status 2
check "and says so" refused 'one file is needed; see lauxend --import --help'
import $cases/launch.old second
check_is "two files are bad use" $status 2
import $cases/launch.old -x relative/NAME
check_is "a relative path is bad use" $status 2
import $cases/launch.old -x /etc/xen/www.cfg
check "a path without NAME is bad use" refused 'this is no absolute path with NAME in it: /etc/xen/www.cfg'
import $cases/launch.old --nonsense
check_is "an unknown option is bad use" $status 2
"$LX_BUILD/lauxend" --import $cases/launch.old >/dev/full 2>"$LX_DIR/err"
check_is "a full disk: status" $? 1
check "a full disk is told of" grep -q 'it cannot be printed: No space left' "$LX_DIR/err"
lx_done
