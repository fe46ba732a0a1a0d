// A manager on the npm package net-snmp: reads, walks, steers and hears LAUXEN-MIB through snmpd, by
// SNMPv2c and by SNMPv3 with SHA and AES. Prints TAP lines; ends with 0 where all went well.
//
// usage: node manager.js PORT TRAP_PORT VALUES-OF-LXVMTABLE
//   The VMs with lxVmIndex 1 (vm0001) and 2 run. SNMPv3: user tester, passwords as below.
"use strict";
const snmp = require("net-snmp");

const [port, trapPort, values] = process.argv.slice(2).map(Number);
const root = "1.3.6.1.4.1.8072.9999.9999.2008";
const vmTable = `${root}.1.4.1`;
const vmName = `${vmTable}.2`, vmState = `${vmTable}.5`, vmRequest = `${root}.2.1.1.1`;
const verbs = { pause: 5, unpause: 6 }, states = { running: 4, paused: 8 };
const wrongType = 7, inconsistentValue = 12; // RFC 3416

let failed = 0;
function check(text, good, seen) {
	console.log(`${good ? "ok" : "not ok"} - ${text}`);
	if (!good) {
		failed++;
		console.log(`#   ${seen instanceof Error ? seen.stack : JSON.stringify(seen)}`);
	}
}

const options = { port, retries: 1, timeout: 5000 };
const user = {
	name: "tester",
	level: snmp.SecurityLevel.authPriv,
	authProtocol: snmp.AuthProtocols.sha,
	authKey: "an-auth-password",
	privProtocol: snmp.PrivProtocols.aes,
	privKey: "a-priv-password",
};
const sessions = {
	v2c: snmp.createSession("127.0.0.1", "private", { ...options, version: snmp.Version2c }),
	v3: snmp.createV3Session("127.0.0.1", user, options),
};

// The library's callbacks as promises; a refusal becomes a value, for it is to be looked at.
const ask = (session, kind, varbinds) => new Promise((resolve) =>
	session[kind](varbinds, (error, answer) => resolve(error || answer)));
const walk = (session, oid) => new Promise((resolve, reject) => {
	const seen = [];
	const feed = (varbinds) => { seen.push(...varbinds); }; // what is true would end the walk
	session.subtree(oid, 10, feed, (error) => (error ? reject(error) : resolve(seen)));
});
const integer = (oid, value) => ({ oid, type: snmp.ObjectType.Integer, value });
const text = (oid, value) => ({ oid, type: snmp.ObjectType.OctetString, value });
const pauseMs = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function stateBecomes(session, vm, state) {
	for (const until = Date.now() + 15000; Date.now() < until; await pauseMs(100)) {
		const answer = await ask(session, "get", [`${vmState}.${vm}`]);
		if (Array.isArray(answer) && answer[0].value === state)
			return true;
	}
	return false;
}

async function readAndSteer(version) {
	const session = sessions[version];
	let answer = await ask(session, "get", [`${vmName}.1`, `${vmState}.1`]);
	check(`${version}: get`, Array.isArray(answer) && String(answer[0].value) === "vm0001" && answer[1].value === states.running, answer);
	const seen = await walk(session, vmTable);
	check(`${version}: walk of lxVmTable`, seen.length >= values, `${seen.length} values, net-snmp saw ${values}`);

	answer = await ask(session, "set", [integer(`${vmRequest}.1`, verbs.pause)]);
	check(`${version}: a SET that works`, Array.isArray(answer) && answer[0].value === verbs.pause, answer);
	check(`${version}: and the VM is paused`, await stateBecomes(session, 1, states.paused));

	answer = await ask(session, "set", [integer(`${vmRequest}.1`, verbs.unpause), text(`${vmRequest}.2`, "pause")]);
	check(`${version}: a wrong type is refused as such, at the second variable`,
		answer instanceof snmp.RequestFailedError && answer.status === wrongType && answer.message.endsWith(`${vmRequest}.2`), answer);
	answer = await ask(session, "set", [integer(`${vmRequest}.2`, verbs.unpause)]);
	check(`${version}: what the VM's state forbids is refused as such`,
		answer instanceof snmp.RequestFailedError && answer.status === inconsistentValue && answer.message.endsWith(`${vmRequest}.2`), answer);
	answer = await ask(session, "get", [`${vmState}.1`]);
	check(`${version}: and nothing was done`, Array.isArray(answer) && answer[0].value === states.paused, answer);

	answer = await ask(session, "set", [integer(`${vmRequest}.1`, verbs.unpause)]);
	check(`${version}: back to where it was`, Array.isArray(answer) && await stateBecomes(session, 1, states.running), answer);
}

// Notifications, each as an object of OID and value.
const heard = [];
const receiver = snmp.createReceiver({ port: trapPort, address: "127.0.0.1", disableAuthorization: true },
	(error, notification) => {
		if (!error)
			heard.push(Object.fromEntries(notification.pdu.varbinds.map((v) => [v.oid, v.value])));
	});
async function hears() {
	const changed = (n) => n["1.3.6.1.6.3.1.1.4.1.0"] === `${root}.0.1` && String(n[`${vmName}.1`]) === "vm0001" &&
		n[`${vmState}.1`] === states.paused;
	for (const until = Date.now() + 10000; Date.now() < until && !heard.some(changed); await pauseMs(100));
	check("its receiver hears that the VM was paused", heard.some(changed), heard);
}

(async () => {
	await pauseMs(200); // for the receiver's socket
	await readAndSteer("v2c");
	await readAndSteer("v3");
	await hears();
	receiver.close();
	sessions.v2c.close();
	sessions.v3.close();
	process.exitCode = failed > 0 ? 1 : 0;
})().catch((error) => {
	check("no error of the client", false, error);
	process.exit(1);
});
