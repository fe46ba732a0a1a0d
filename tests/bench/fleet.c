/*
 * Many agents played by one process, to measure those who ask them: each host has an address of its
 * own, the same VMs under names and UUIDs of its own, and answers after a delay. It serves the
 * columns of lxVmTable that it is told, and scalars of lxAgent and lxHost; SNMPv2c with any
 * community, SNMPv3 for the user "fleet" with the passwords "fleetpassword" (SHA, AES).
 *
 * usage: fleet [-n HOSTS] [-m VMS] [-d DELAY_MS] [-s EVERY] [-c COLUMNS] NET PORT
 *   NET       host I is NET.X.Y, as 127.30: 127.30.0.1 is the first, 127.30.3.232 the 1000th
 *   -s EVERY  each EVERYth host says nothing
 *   -c LIST   numbers of columns, as 2,3,5 (all)
 *   -v TEXT   the agent's version
 *   -1 ADDRESS  the only host's address, instead of NET's
 * Prints "ready" when all listen; at its end by SIGTERM, how many requests it had.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>

#include "base/clock.h"
#include "mib/table.h"
#include "tests/system/rows.h"

#define PACKET_MAX 9000
#define VARBINDS_MAX 100
#define NAMES_MAX 128 /* in a request */
#define DIGITS 4      /* of a host's number in a name and in a UUID */
#define ENGINE_SIZE 9
#define MAC_SIZE 12 /* HMAC-SHA-96 */
#define SALT_SIZE 8
#define USER "fleet"
#define PASSWORD "fleetpassword"

/* A variable as it goes over the network; digit: where the host's number stands, 0: nowhere. */
struct cell {
	uint8_t size, digit;
	uint8_t data[126];
};

struct host {
	int fd;
	bool silent, keyed;
	char digits[DIGITS + 1];
	uint8_t engine[ENGINE_SIZE];
	uint8_t auth[64], priv[64];
	size_t auth_size, priv_size;
};

/* An answer that waits for its time. */
struct late {
	struct late *next;
	int64_t due_ns;
	struct host *host;
	struct sockaddr_in to;
	size_t size;
	uint8_t data[];
};

static struct {
	unsigned hosts, vms, delay_ms, silent_every;
	size_t columns;
	uint32_t column[64];
	struct cell *cells; /* by column, then row */
	struct host *host;
	struct late *first, **last;
	uint8_t ku[64];
	size_t ku_size;
	struct mib_rows rows; /* of scalars */
	uint64_t requests;
	int64_t begin_ns;
	const char *version, *address;
} fleet = {.hosts = 1, .vms = 100, .delay_ms = 10, .last = &fleet.first, .version = VERSION};

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
	(void)number;
	ended = 1;
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* ---- BER ---- */

struct out {
	uint8_t data[PACKET_MAX];
	size_t size;
};

struct in {
	const uint8_t *at, *end;
};

static void
put(struct out *out, const void *data, size_t size)
{
	memcpy(out->data + out->size, data, size);
	out->size += size;
}

static void
put_octets(struct out *out, uint8_t tag, const void *data, size_t size)
{
	put(out, (uint8_t[]){tag, (uint8_t)size}, 2);
	put(out, data, size);
}

static void
put_integer(struct out *out, uint8_t tag, uint32_t number)
{
	put(out,
	    (uint8_t[]){tag, 4, (uint8_t)(number >> 24), (uint8_t)(number >> 16),
			(uint8_t)(number >> 8), (uint8_t)number},
	    6);
}

/* Begins something whose length is known later; end writes it in two octets. */
static size_t
begin(struct out *out, uint8_t tag)
{
	put(out, (uint8_t[]){tag, 0x82, 0, 0}, 4);
	return out->size;
}

static void
end(struct out *out, size_t from)
{
	size_t size = out->size - from;

	out->data[from - 2] = (uint8_t)(size >> 8);
	out->data[from - 1] = (uint8_t)size;
}

/* The next thing of a tag; false: there is none. */
static bool
take(struct in *in, uint8_t tag, struct in *inside)
{
	size_t size;

	if (in->end - in->at < 2 || in->at[0] != tag)
		return false;
	size = in->at[1];
	in->at += 2;
	if (size > 0x80) {
		size_t octets = size & 0x7f;

		for (size = 0; octets > 0 && in->at < in->end; octets--)
			size = size << 8 | *in->at++;
	}
	if (size > (size_t)(in->end - in->at))
		return false;
	*inside = (struct in){in->at, in->at + size};
	in->at += size;
	return true;
}

static bool
take_integer(struct in *in, uint32_t *number)
{
	struct in inside;

	if (!take(in, 0x02, &inside))
		return false;
	for (*number = 0; inside.at < inside.end; inside.at++)
		*number = *number << 8 | *inside.at;
	return true;
}

static size_t
oid_read(const struct in *in, unsigned long *arcs)
{
	size_t count = 0;
	unsigned long arc = 0;

	for (const uint8_t *at = in->at; at < in->end && count < MIB_OID_MAX; at++) {
		arc = arc << 7 | (*at & 0x7f);
		if (*at & 0x80)
			continue;
		if (count == 0) {
			arcs[count++] = arc / 40;
			arc %= 40;
		}
		arcs[count++] = arc;
		arc = 0;
	}
	return count;
}

static size_t
oid_write(uint8_t *to, const unsigned long *arcs, size_t count)
{
	size_t used = 0;

	to[used++] = (uint8_t)(arcs[0] * 40 + arcs[1]);
	for (size_t i = 2; i < count; i++) {
		int shift = 28;

		while (shift > 0 && arcs[i] >> shift == 0)
			shift -= 7;
		for (; shift >= 0; shift -= 7)
			to[used++] = (uint8_t)((arcs[i] >> shift & 0x7f) | (shift > 0 ? 0x80 : 0));
	}
	return used;
}

static size_t
value_write(uint8_t *to, const struct mib_value *value)
{
	uint64_t number = value->tag == 0x46   ? value->counter64
			  : value->tag == 0x02 ? (uint64_t)(int64_t)value->integer
					       : value->number;
	size_t size = value->size;

	to[0] = value->tag;
	if (value->tag == 0x04) {
		memcpy(to + 2, value->octets, size);
	} else {
		size = value->tag == 0x46 ? 9 : 5;
		for (size_t i = 0; i < size; i++)
			to[2 + i] =
			    i < size - 8 && size == 9 ? 0 : (uint8_t)(number >> 8 * (size - 1 - i));
		if (value->tag == 0x02 && value->integer >= 0)
			to[2] = 0;
	}
	to[1] = (uint8_t)size;
	return size + 2;
}

/* A whole varbind; octets used. */
static size_t
varbind_write(uint8_t *to, const struct mib_oid *name, const struct mib_value *value)
{
	size_t oid_size = oid_write(to + 4, name->arcs, name->count);
	size_t value_size = value_write(to + 4 + oid_size, value);

	to[0] = 0x30;
	to[1] = (uint8_t)(2 + oid_size + value_size);
	to[2] = 0x06;
	to[3] = (uint8_t)oid_size;
	return 4 + oid_size + value_size;
}

/* ---- what is served ---- */

static const struct mib_table *
vm_table(void)
{
	for (size_t i = 0; i < mib_tables_count; i++)
		if (mib_tables[i].kind == KIND_VM && !mib_tables[i].standard)
			return &mib_tables[i];
	abort();
}

static void
make_cell(const struct mib_column *column, const struct mib_vm *vm, struct cell *cell)
{
	uint8_t whole[256];
	struct mib_value value;
	struct mib_oid name;
	size_t size;
	uint8_t *digits;

	mib_instance(vm_table(), column->number, vm, &name);
	mib_value(column, vm, clock_mono_ms(), &value);
	size = varbind_write(whole, &name, &value);
	if (size > sizeof(cell->data)) {
		fprintf(stderr, "fleet: %s is too long\n", column->name);
		exit(2);
	}
	cell->size = (uint8_t)size;
	memcpy(cell->data, whole, size);
	digits = memmem(cell->data, size, "7777", DIGITS);
	cell->digit = digits ? (uint8_t)(digits - cell->data) : 0;
}

static void
make_cells(void)
{
	const struct mib_table *table = vm_table();

	fleet.cells = mem_array(fleet.columns * fleet.vms, sizeof(*fleet.cells));
	for (size_t i = 0; i < fleet.columns; i++)
		for (unsigned row = 0; row < fleet.vms; row++) {
			struct mib_vm vm;

			make_vm(row + 1, VM_RUNNING, INT64_C(1700000000000), &vm);
			TEXT_FORMAT(vm.name, "h7777-vm%03u", row + 1);
			vm.uuid[0] = vm.uuid[1] = 0x77;
			make_cell(mib_column(table, fleet.column[i]), &vm,
				  &fleet.cells[i * fleet.vms + row]);
		}
}

static void
make_scalars(void)
{
	struct mib_agent agent = {.journal_first = 1, .journal_last = 1};
	struct mib_host host = {.hv_state = HV_ANSWERING, .vms = fleet.vms};

	TEXT_SET(agent.version, fleet.version);
	TEXT_SET(agent.journal, "1");
	mib_rows_init(&fleet.rows, false);
	rowset_put(&fleet.rows.sets[KIND_AGENT], &agent);
	rowset_put(&fleet.rows.sets[KIND_HOST], &host);
}

static void
put_cell(struct out *out, const struct host *host, size_t column, size_t row)
{
	const struct cell *cell = &fleet.cells[column * fleet.vms + row];
	uint8_t *at = out->data + out->size;

	put(out, cell->data, cell->size);
	if (cell->digit)
		memcpy(at + cell->digit, host->digits, DIGITS);
}

/* A name of the request, and where the walk is that began there. */
struct name_at {
	struct in oid;
	bool over;
	size_t column, row; /* of the next cell */
};

/* Where the next cell after a name is. */
static void
seek(struct name_at *at)
{
	const struct mib_table *table = vm_table();
	unsigned long arcs[MIB_OID_MAX];
	size_t count = oid_read(&at->oid, arcs), base = table->arcs_count;

	at->over = true;
	if (count <= base || memcmp(arcs, table->arcs, base * sizeof(arcs[0])) != 0) {
		at->over = count > 0 && arcs[0] > 1;
		at->column = at->row = 0;
		return;
	}
	for (size_t i = 0; i < fleet.columns; i++) {
		if (fleet.column[i] < arcs[base])
			continue;
		at->column = i;
		at->row = fleet.column[i] == arcs[base] && count > base + 1 ? arcs[base + 1] : 0;
		at->over = false;
		if (at->row >= fleet.vms) {
			at->row = 0;
			at->column++;
			at->over = at->column == fleet.columns;
		}
		return;
	}
}

static void
put_none(struct out *out, const struct in *oid, uint8_t tag)
{
	size_t from = begin(out, 0x30);

	put_octets(out, 0x06, oid->at, (size_t)(oid->end - oid->at));
	put(out, (uint8_t[]){tag, 0}, 2);
	end(out, from);
}

static void
answer_bulk(struct out *out, const struct host *host, struct name_at *names, size_t count,
	    uint32_t repetitions)
{
	if (repetitions > VARBINDS_MAX / count)
		repetitions = VARBINDS_MAX / (uint32_t)count;
	for (size_t i = 0; i < count; i++)
		seek(&names[i]);
	for (uint32_t r = 0; r < repetitions; r++)
		for (size_t i = 0; i < count; i++) {
			if (names[i].over) {
				put_none(out, &names[i].oid, 0x82); /* endOfMibView */
				continue;
			}
			put_cell(out, host, names[i].column, names[i].row);
			if (++names[i].row == fleet.vms) {
				names[i].row = 0;
				names[i].over = ++names[i].column == fleet.columns;
			}
		}
}

static void
answer_get(struct out *out, struct name_at *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct mib_oid name;
		struct mib_value value;

		name.count = oid_read(&names[i].oid, name.arcs);
		if (mib_get(&fleet.rows, name.arcs, name.count, clock_mono_ms(), &value))
			out->size += varbind_write(out->data + out->size, &name, &value);
		else
			put_none(out, &names[i].oid, 0x81); /* noSuchInstance */
	}
}

/* The PDU that answers the one in pdu; false: it is none of ours. */
static bool
answer_pdu(struct in *pdu, const struct host *host, struct out *out)
{
	struct name_at names[NAMES_MAX];
	uint32_t id, non_repeaters, repetitions;
	uint8_t tag = *pdu->at;
	struct in inside, list, one;
	size_t count = 0, whole, binds;

	if (!take(pdu, tag, &inside) || !take_integer(&inside, &id) ||
	    !take_integer(&inside, &non_repeaters) || !take_integer(&inside, &repetitions) ||
	    !take(&inside, 0x30, &list))
		return false;
	while (count < NAMES_MAX && take(&list, 0x30, &one) && take(&one, 0x06, &names[count].oid))
		count++;
	whole = begin(out, 0xa2);
	put_integer(out, 0x02, id);
	put_integer(out, 0x02, 0);
	put_integer(out, 0x02, 0);
	binds = begin(out, 0x30);
	if (tag == 0xa5 && count > 0)
		answer_bulk(out, host, names, count, repetitions);
	else if (tag == 0xa1 && count > 0)
		answer_bulk(out, host, names, count, 1);
	else if (tag == 0xa0)
		answer_get(out, names, count);
	end(out, binds);
	end(out, whole);
	return true;
}

/* ---- SNMPv3 (RFC 3414) ---- */

struct v3 {
	uint32_t id, boots, time;
	uint8_t flags;
	struct in engine, user, salt, data;
};

static bool
v3_read(struct in *message, struct v3 *v3)
{
	struct in head, security, list, flags, mac;
	uint32_t size, model;

	if (!take(message, 0x30, &head) || !take_integer(&head, &v3->id) ||
	    !take_integer(&head, &size) || !take(&head, 0x04, &flags) || flags.at == flags.end ||
	    !take_integer(&head, &model) || !take(message, 0x04, &security) ||
	    !take(&security, 0x30, &list) || !take(&list, 0x04, &v3->engine) ||
	    !take_integer(&list, &v3->boots) || !take_integer(&list, &v3->time) ||
	    !take(&list, 0x04, &v3->user) || !take(&list, 0x04, &mac) ||
	    !take(&list, 0x04, &v3->salt))
		return false;
	v3->flags = *flags.at;
	v3->data = *message;
	return true;
}

static void
v3_keys(struct host *host)
{
	size_t count;
	const oid *sha = sc_get_auth_oid(usm_lookup_auth_type("SHA"), &count);

	host->auth_size = host->priv_size = sizeof(host->auth);
	generate_kul(sha, count, host->engine, ENGINE_SIZE, fleet.ku, fleet.ku_size, host->auth,
		     &host->auth_size);
	memcpy(host->priv, host->auth, sizeof(host->priv));
	host->priv_size = 16;
	host->keyed = true;
}

static void
aes_iv(uint8_t iv[16], uint32_t boots, uint32_t time, const uint8_t *salt)
{
	for (int i = 0; i < 4; i++) {
		iv[i] = (uint8_t)(boots >> (24 - 8 * i));
		iv[4 + i] = (uint8_t)(time >> (24 - 8 * i));
	}
	memcpy(iv + 8, salt, SALT_SIZE);
}

/* Header and security parameters; *mac is where the MAC goes. */
static void
v3_head(struct out *out, const struct host *host, const struct v3 *v3, uint8_t flags,
	const uint8_t *salt, size_t *mac)
{
	uint32_t uptime = (uint32_t)((now_ns() - fleet.begin_ns) / 1000000000) + 1;
	size_t from, octets, list;

	put(out, (uint8_t[]){0x02, 1, 3}, 3);
	from = begin(out, 0x30);
	put_integer(out, 0x02, v3->id);
	put_integer(out, 0x02, 65507);
	put(out, (uint8_t[]){0x04, 1, flags, 0x02, 1, 3}, 6);
	end(out, from);
	octets = begin(out, 0x04);
	list = begin(out, 0x30);
	put_octets(out, 0x04, host->engine, ENGINE_SIZE);
	put_integer(out, 0x02, 1);
	put_integer(out, 0x02, uptime);
	put_octets(out, 0x04, flags ? USER : "", flags ? strlen(USER) : 0);
	*mac = out->size + 2;
	put_octets(out, 0x04, "\0\0\0\0\0\0\0\0\0\0\0", flags ? MAC_SIZE : 0);
	put_octets(out, 0x04, salt, flags ? SALT_SIZE : 0);
	end(out, list);
	end(out, octets);
}

/* Who asks without an engine's id is told it (usmStatsUnknownEngineIDs, RFC 3414, 4). */
static bool
v3_report(struct out *out, const struct host *host, const struct v3 *v3)
{
	static const unsigned long unknown[] = {1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0};
	const struct mib_value value = {.tag = 0x41, .number = 1};
	struct mib_oid name = {.count = sizeof(unknown) / sizeof(unknown[0])};
	size_t mac, whole = begin(out, 0x30), scoped, pdu, binds;

	memcpy(name.arcs, unknown, sizeof(unknown));
	v3_head(out, host, v3, 0, NULL, &mac);
	scoped = begin(out, 0x30);
	put_octets(out, 0x04, host->engine, ENGINE_SIZE);
	put_octets(out, 0x04, "", 0);
	pdu = begin(out, 0xa8);
	put_integer(out, 0x02, 0);
	put_integer(out, 0x02, 0);
	put_integer(out, 0x02, 0);
	binds = begin(out, 0x30);
	out->size += varbind_write(out->data + out->size, &name, &value);
	end(out, binds);
	end(out, pdu);
	end(out, scoped);
	end(out, whole);
	return true;
}

static bool
v3_decrypt(const struct host *host, const struct v3 *v3, uint8_t *plain, size_t *size)
{
	struct in data = v3->data, inside;
	size_t count;
	const oid *aes = sc_get_priv_oid(usm_lookup_priv_type("AES"), &count);
	uint8_t iv[16];

	if (!take(&data, 0x04, &inside) || v3->salt.end - v3->salt.at != SALT_SIZE)
		return false;
	aes_iv(iv, v3->boots, v3->time, v3->salt.at);
	return sc_decrypt(aes, count, (u_char *)host->priv, (u_int)host->priv_size, iv, sizeof(iv),
			  (u_char *)inside.at, (u_int)(inside.end - inside.at), plain,
			  size) == SNMPERR_SUCCESS;
}

static bool
v3_encrypt(struct out *out, const struct host *host, const struct out *scoped, uint32_t uptime,
	   const uint8_t *salt)
{
	size_t count, size = sizeof(out->data) - out->size, from = begin(out, 0x04);
	const oid *aes = sc_get_priv_oid(usm_lookup_priv_type("AES"), &count);
	uint8_t iv[16];

	aes_iv(iv, 1, uptime, salt);
	if (sc_encrypt(aes, count, (u_char *)host->priv, (u_int)host->priv_size, iv, sizeof(iv),
		       (u_char *)scoped->data, (u_int)scoped->size, out->data + out->size,
		       &size) != SNMPERR_SUCCESS)
		return false;
	out->size += size;
	end(out, from);
	return true;
}

static bool
answer_v3(struct host *host, struct in *message, struct out *out)
{
	static uint64_t salts;
	struct v3 v3;
	uint8_t plain[PACKET_MAX], mac[64];
	size_t plain_size = sizeof(plain), mac_at, mac_size = MAC_SIZE, whole, scope, count;
	struct in in, inside, engine, context;
	struct out scoped = {.size = 0};
	const oid *sha = sc_get_auth_oid(usm_lookup_auth_type("SHA"), &count);
	uint32_t uptime;

	if (!v3_read(message, &v3))
		return false;
	if (v3.engine.at == v3.engine.end)
		return v3_report(out, host, &v3);
	if (!host->keyed)
		v3_keys(host);
	if (!v3_decrypt(host, &v3, plain, &plain_size))
		return false;
	in = (struct in){plain, plain + plain_size};
	if (!take(&in, 0x30, &inside) || !take(&inside, 0x04, &engine) ||
	    !take(&inside, 0x04, &context))
		return false;
	scope = begin(&scoped, 0x30);
	put_octets(&scoped, 0x04, host->engine, ENGINE_SIZE);
	put_octets(&scoped, 0x04, "", 0);
	if (inside.at == inside.end || !answer_pdu(&inside, host, &scoped))
		return false;
	end(&scoped, scope);
	salts++;
	uptime = (uint32_t)((now_ns() - fleet.begin_ns) / 1000000000) + 1;
	whole = begin(out, 0x30);
	v3_head(out, host, &v3, 3, (const uint8_t *)&salts, &mac_at);
	if (!v3_encrypt(out, host, &scoped, uptime, (const uint8_t *)&salts))
		return false;
	end(out, whole);
	sc_generate_keyed_hash(sha, count, host->auth, (u_int)host->auth_size, out->data,
			       (u_int)out->size, mac, &mac_size);
	memcpy(out->data + mac_at, mac, MAC_SIZE);
	return true;
}

/* ---- the hosts ---- */

static bool
answer(struct host *host, const uint8_t *data, size_t size, struct out *out)
{
	struct in in = {data, data + size}, message, community;
	uint32_t version;
	size_t whole;

	out->size = 0;
	if (!take(&in, 0x30, &message) || !take_integer(&message, &version))
		return false;
	if (version == 3)
		return answer_v3(host, &message, out);
	if (version != 1 || !take(&message, 0x04, &community) || message.at == message.end)
		return false;
	whole = begin(out, 0x30);
	put(out, (uint8_t[]){0x02, 1, 1}, 3);
	put_octets(out, 0x04, community.at, (size_t)(community.end - community.at));
	if (!answer_pdu(&message, host, out))
		return false;
	end(out, whole);
	return true;
}

static void
serve(struct host *host)
{
	uint8_t data[PACKET_MAX];
	struct sockaddr_in from;
	socklen_t from_size = sizeof(from);
	ssize_t size = recvfrom(host->fd, data, sizeof(data), MSG_DONTWAIT,
				(struct sockaddr *)&from, &from_size);
	static struct out out;
	struct late *late;

	if (size <= 0)
		return;
	fleet.requests++;
	if (host->silent || !answer(host, data, (size_t)size, &out))
		return;
	late = malloc(sizeof(*late) + out.size);
	if (!late)
		abort();
	*late = (struct late){.due_ns = now_ns() + fleet.delay_ms * INT64_C(1000000),
			      .host = host,
			      .to = from,
			      .size = out.size};
	memcpy(late->data, out.data, out.size);
	*fleet.last = late;
	fleet.last = &late->next;
}

/* All have the same delay, so the first is due first. Nanoseconds until the next one, or -1. */
static int64_t
send_due(void)
{
	int64_t now = now_ns();

	while (fleet.first && fleet.first->due_ns <= now) {
		struct late *late = fleet.first;

		sendto(late->host->fd, late->data, late->size, MSG_DONTWAIT,
		       (struct sockaddr *)&late->to, sizeof(late->to));
		fleet.first = late->next;
		if (!fleet.first)
			fleet.last = &fleet.first;
		free(late);
	}
	return fleet.first ? fleet.first->due_ns - now : -1;
}

static void
open_host(unsigned number, const char *net, uint16_t port, int poll)
{
	struct host *host = &fleet.host[number - 1];
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = host};
	char address[32];

	snprintf(address, sizeof(address), "%s.%u.%u", net, number / 256, number % 256);
	if (fleet.address)
		snprintf(address, sizeof(address), "%s", fleet.address);
	snprintf(host->digits, sizeof(host->digits), "%04u", number % 10000);
	host->silent = fleet.silent_every && number % fleet.silent_every == 0;
	memcpy(host->engine, "\x80\x00\x1f\x88\x04", 5);
	memcpy(host->engine + 5, host->digits, 4);
	host->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (host->fd < 0 || inet_pton(AF_INET, address, &at.sin_addr) != 1 ||
	    bind(host->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    epoll_ctl(poll, EPOLL_CTL_ADD, host->fd, &event) != 0) {
		fprintf(stderr, "fleet: cannot listen on %s:%u: %s\n", address, port,
			strerror(errno));
		exit(2);
	}
}

static void
run(int poll)
{
	while (!ended) {
		struct epoll_event events[64];
		int64_t wait_ns = send_due();
		struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
		int count = epoll_pwait2(poll, events, 64, wait_ns < 0 ? NULL : &wait, NULL);

		for (int i = 0; i < count; i++)
			serve(events[i].data.ptr);
	}
	printf("%" PRIu64 " requests\n", fleet.requests);
}

static void
choose_columns(char *list)
{
	const struct mib_table *table = vm_table();
	char *save = NULL;

	for (size_t i = 0; !list && i < table->columns_count; i++)
		if (table->columns[i].number > 0 && table->columns[i].access != MIB_NA)
			fleet.column[fleet.columns++] = table->columns[i].number;
	for (char *one = list ? strtok_r(list, ",", &save) : NULL; one;
	     one = strtok_r(NULL, ",", &save))
		fleet.column[fleet.columns++] = (uint32_t)strtoul(one, NULL, 10);
}

static void
make_password_key(void)
{
	size_t count;
	const oid *sha = sc_get_auth_oid(usm_lookup_auth_type("SHA"), &count);

	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_PERSIST_STATE, 1);
	init_snmp("fleet");
	fleet.ku_size = sizeof(fleet.ku);
	generate_Ku(sha, (u_int)count, (const u_char *)PASSWORD, strlen(PASSWORD), fleet.ku,
		    &fleet.ku_size);
}

int
main(int argc, char **argv)
{
	struct rlimit files;
	char *columns = NULL;
	int option, poll = epoll_create1(EPOLL_CLOEXEC);

	while ((option = getopt(argc, argv, "n:m:d:s:c:v:1:")) != -1) {
		unsigned number = (unsigned)strtoul(optarg ? optarg : "", NULL, 10);

		if (option == 'n')
			fleet.hosts = number;
		else if (option == 'm')
			fleet.vms = number;
		else if (option == 'd')
			fleet.delay_ms = number;
		else if (option == 's')
			fleet.silent_every = number;
		else if (option == 'c')
			columns = optarg;
		else if (option == 'v')
			fleet.version = optarg;
		else if (option == '1')
			fleet.address = optarg;
		else
			return 2;
	}
	if (argc - optind != 2 || fleet.hosts == 0 || fleet.vms == 0) {
		fprintf(stderr,
			"usage: %s [-n HOSTS] [-m VMS] [-d DELAY_MS] [-s EVERY] "
			"[-c COLUMNS] NET PORT\n",
			argv[0]);
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	fleet.begin_ns = now_ns();
	choose_columns(columns);
	make_cells();
	make_scalars();
	make_password_key();
	fleet.host = mem_array(fleet.hosts, sizeof(*fleet.host));
	for (unsigned i = 1; i <= fleet.hosts; i++)
		open_host(i, argv[optind], (uint16_t)strtoul(argv[optind + 1], NULL, 10), poll);
	printf("ready\n");
	fflush(stdout);
	run(poll);
	return 0;
}
