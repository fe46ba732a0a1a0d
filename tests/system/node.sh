#!/bin/bash
# A manager that is not net-snmp: the npm package of that name, which shares nothing with the library,
# reads, walks, steers and hears through the real snmpd (tests/system/node/manager.js).
cd "$(dirname "$0")/../.." || exit 2
# shellcheck source=tests/lib.sh
. tests/lib.sh

lx_begin
npm ci --prefix tests/system/node --no-audit --no-fund --loglevel=error >"$LX_DIR/npm.log" 2>&1 || {
	not_ok "npm ci --prefix tests/system/node" "$(cat "$LX_DIR/npm.log")"
	lx_done
}
LX_TRAP_PORT=$(lx_port)
LX_SNMPD_CONF='createUser tester SHA "an-auth-password" AES "a-priv-password"
rwuser tester authpriv'
lx_simxen -n 9 --services none
lx_snmpd
lx_config
lx_lauxend -v
figures_known() { [ "$(lx_walk "$LX_VM.14" | grep -c Gauge32)" = 9 ]; } # CPU used, by the second sample
check_wait 20 "nine VMs are seen with their figures" figures_known

# What has no value is not in a walk; later ones have more, such as the time of a last change.
values=$(lx_walk "$LX_VM" | wc -l)
timeout 120 node tests/system/node/manager.js "$LX_SNMP_PORT" "$LX_TRAP_PORT" "$values" >"$LX_DIR/node.tap" 2>&1
rc=$?
cat "$LX_DIR/node.tap"
LX_PASSED=$((LX_PASSED + $(grep -c '^ok' "$LX_DIR/node.tap")))
LX_FAILED=$((LX_FAILED + $(grep -c '^not ok' "$LX_DIR/node.tap")))
check_is "the manager ended well" $rc 0
lx_done
