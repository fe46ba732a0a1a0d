# LauXen: see README.md. The targets that matter: all, demo, check, check-san, check-xen,
# check-xen-all, lab, bench, soak, lint, install, clean.
VERSION = 0.1.0

PREFIX = /usr
SYSCONFDIR = /etc
DESTDIR =

CC = gcc
CFLAGS = -O2 -g
WARNINGS = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Werror
HARDENING = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
# SAN=1: AddressSanitizer and UndefinedBehaviourSanitizer, in a folder of its own.
ifdef SAN
BUILD = build/san
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
HARDENING = -fPIE
else
BUILD = build/out
endif

PKGS = libevent sqlite3 libconfuse jansson
PKGS_XEN = xenlight xencontrol xlutil xentoollog xenstore
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
XEN_LIBS := $(shell pkg-config --libs $(PKGS_XEN) 2>/dev/null)
SNMP_LIBS = -lnetsnmpagent -lnetsnmp

# Hidden, as a function of ours would else take the place of a library's: libxl calls libuuid's
# uuid_parse, and got ours.
ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(WARNINGS) $(CFLAGS) $(HARDENING) \
	-fvisibility=hidden $(SANITIZE) -I. -Iagentx $(PKG_CFLAGS) -MMD -MP $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LDFLAGS)

BASE = $(wildcard agentx/base/*.c)
# Of base, what knows no loop and no other process.
BASE_PLAIN = $(addprefix agentx/base/,clock.c log.c mem.c names.c rowset.c uuid.c)
MIB = $(wildcard mib/*.c)
LAUXEND = agentx/lauxend.c $(BASE) $(MIB) $(wildcard agentx/parent/*.c agentx/config/*.c agentx/control/*.c \
	agentx/engine/*.c agentx/hypervisor/*.c agentx/probe/*.c agentx/store/*.c agentx/snmp/*.c)
SIMXEN = $(wildcard tools/simxen/*.c) $(BASE)
LIBVMCTL = $(wildcard tools/vmctl/lib/*.c) $(MIB) $(BASE_PLAIN)
VMCTL = $(filter-out tools/vmctl/example.c,$(wildcard tools/vmctl/*.c))

OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(1))
# A program each: unit tests, and helpers of the system tests and measurements.
TESTS = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/test_*.c tests/system/*.c tests/bench/*.c))

all: $(BUILD)/lauxend $(BUILD)/simxen $(BUILD)/vmctl $(BUILD)/vmctl-example

$(BUILD)/lauxend: $(call OBJECTS,$(LAUXEND))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(SNMP_LIBS) $(XEN_LIBS) -lpthread

$(BUILD)/simxen: $(call OBJECTS,$(SIMXEN))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

# What a program that uses it includes: the header, and the tables that it speaks of.
LIBVMCTL_HEADERS = tools/vmctl/libvmctl.h mib/objects.h agentx/base/messages.h agentx/base/names.h

# One object, so that only what libvmctl.h declares, by itself and by mib/objects.h, is seen of it.
LIBVMCTL_GLOBAL = $(addprefix -G ,'vmctl_*' 'name_*' '*_names' 'mib_*')
$(BUILD)/libvmctl.a: $(call OBJECTS,$(LIBVMCTL))
	ld -r -o $(BUILD)/libvmctl.o $^
	objcopy -w $(LIBVMCTL_GLOBAL) $(BUILD)/libvmctl.o
	rm -f $@ && ar rcs $@ $(BUILD)/libvmctl.o

VMCTL_LIBS = -lnetsnmp $(PKG_LIBS)
$(BUILD)/vmctl: $(call OBJECTS,$(VMCTL) $(LIBVMCTL))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(VMCTL_LIBS) -lncursesw -ltinfo -lresolv

$(BUILD)/vmctl-example: $(BUILD)/tools/vmctl/example.o $(BUILD)/libvmctl.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(VMCTL_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# A unit test links everything of ours but the mains; the tests' own helpers likewise.
UNIT_OBJECTS = $(filter-out $(BUILD)/agentx/lauxend.o $(BUILD)/tools/simxen/main.o,\
	$(sort $(call OBJECTS,$(LAUXEND) $(SIMXEN))))
$(BUILD)/libtest.a: $(UNIT_OBJECTS)
	rm -f $@ && ar rcs $@ $^
# Those of vmctl link vmctl's objects: they share names with others of ours.
VMCTL_OBJECTS = $(filter-out $(BUILD)/tools/vmctl/main.o,$(call OBJECTS,$(VMCTL) $(LIBVMCTL)))
$(BUILD)/libvmctltest.a: $(VMCTL_OBJECTS)
	rm -f $@ && ar rcs $@ $^
$(BUILD)/tests/unit/test_vmctl%: $(BUILD)/tests/unit/test_vmctl%.o $(BUILD)/libvmctltest.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(VMCTL_LIBS) -lncursesw -ltinfo -lresolv -lcmocka
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libtest.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(SNMP_LIBS) $(XEN_LIBS) -lcmocka -lpthread

# The simulator is one program of many files.
SIM = $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/sim/*.c))
$(BUILD)/tests/sim/sim: $(SIM) $(BUILD)/libtest.a
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(SNMP_LIBS) -lpthread

# What [walk] is measured against: a module of snmpd with the same table.
INMASTER = tests/bench/inmaster/inmaster.c agentx/snmp/variable.c $(MIB) $(BASE)
$(BUILD)/tests/bench/inmaster.so: $(INMASTER) $(wildcard mib/*.h agentx/base/*.h tests/system/rows.h)
	@mkdir -p $(@D)
	$(CC) $(filter-out -fPIE -MMD -MP,$(ALL_CFLAGS)) -fPIC -shared -o $@ $(INMASTER) \
		$(PKG_LIBS) $(SNMP_LIBS)

tests: all $(TESTS) $(BUILD)/tests/sim/sim $(BUILD)/tests/bench/inmaster.so

# What a target needs is installed where it is missing.
deps-%:
	@tests/install-packages.sh build $(subst -, ,$*)

mibs:
	@mib/get-base-mibs.sh build/mibs

demo: deps-demo
	@$(MAKE) --no-print-directory -s -j2 all mibs
	@tests/demo.sh

check: deps-demo-check
	@$(MAKE) --no-print-directory -s -j2 tests mibs
	@$(MAKE) --no-print-directory -s check-xen-packages
	@tests/check.sh lint layers unit config sim system xen

# All but the real Xen.
check-quick: deps-demo-check
	@$(MAKE) --no-print-directory -s -j2 tests mibs
	@tests/check.sh lint layers unit config sim system

check-san: deps-demo-check
	@$(MAKE) --no-print-directory -s -j2 SAN=1 tests mibs
	@LX_BUILD=build/san LOGS=build/logs-san tests/check.sh unit sim system

check-xen-packages:
	@tests/install-packages.sh tests/xen/packages.host

check-xen: deps-demo check-xen-packages
	@$(MAKE) --no-print-directory -s -j2 all
	@tests/check.sh xen

check-xen-all: deps-demo check-xen-packages
	@$(MAKE) --no-print-directory -s -j2 all $(BUILD)/tests/xen/hold
	@tests/check.sh xen-all

# A Dom0 with lauxend and two guests, to play with: make lab, lab-shell, lab-down [NAME=lab] [HOSTS=2]
lab: deps-demo check-xen-packages
	@$(MAKE) --no-print-directory -s -j2 all mibs
	@tests/xen/lab-agent.sh $(or $(NAME),lab) $(HOSTS)

lab-shell:
	@tests/xen/lab ssh $(or $(NAME),lab)

lab-down:
	@tests/xen/lab down $(or $(NAME),lab)
	@! tests/xen/lab status | grep -q '^$(or $(NAME),lab)b:' || tests/xen/lab down $(or $(NAME),lab)b

lint: deps-demo-check
	@tests/check.sh lint layers

bench: deps-demo-check-bench
	@$(MAKE) --no-print-directory -s -j2 tests mibs
	@tests/bench/bench.sh

# On the emulated Xen; about 25 minutes.
bench-xen: deps-demo-check-bench check-xen-packages
	@$(MAKE) --no-print-directory -s -j2 tests $(BUILD)/tests/xen/ended
	@tests/bench/bench.sh $(addprefix xen_,event_poweroff event_panic event_destroy sample cpu figures)

# Random simulation for SOAK_S seconds, from a seed of its own or SOAK_SEED on; what fails is made
# small and written to build/soak.
SOAK_S = 600
SOAK_SEED = $(shell date +%s)000
soak: deps-demo-check
	@$(MAKE) --no-print-directory -s -j2 $(BUILD)/tests/sim/sim
	@mkdir -p build/soak
	@$(BUILD)/tests/sim/sim random -s $(SOAK_SEED) -t $(SOAK_S) -w build/soak

install: all
	install -D -m 755 $(BUILD)/lauxend $(DESTDIR)$(PREFIX)/sbin/lauxend
	install -D -m 755 $(BUILD)/simxen $(DESTDIR)$(PREFIX)/bin/simxen
	install -D -m 755 $(BUILD)/vmctl $(DESTDIR)$(PREFIX)/bin/vmctl
	install -D -m 644 $(BUILD)/libvmctl.a $(DESTDIR)$(PREFIX)/lib/libvmctl.a
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/bash-completion/completions
	sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' tools/vmctl/libvmctl.pc.in \
		>$(DESTDIR)$(PREFIX)/lib/pkgconfig/libvmctl.pc
	for header in $(LIBVMCTL_HEADERS); do to=$${header#agentx/}; \
		install -D -m 644 $$header $(DESTDIR)$(PREFIX)/include/lauxen/$${to#tools/vmctl/} || exit; done
	$(BUILD)/vmctl completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/vmctl
	install -D -m 644 mib/LAUXEN-MIB.txt $(DESTDIR)$(PREFIX)/share/snmp/mibs/LAUXEN-MIB.txt
	install -D -m 644 agentx/lauxend.8 $(DESTDIR)$(PREFIX)/share/man/man8/lauxend.8
	install -D -m 644 tools/simxen/simxen.8 $(DESTDIR)$(PREFIX)/share/man/man8/simxen.8
	install -D -m 644 tools/vmctl/vmctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/vmctl.1
	install -D -m 644 conf/vmctl.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/vmctl.conf.5
	install -D -m 644 conf/lauxen.conf.5 $(DESTDIR)$(PREFIX)/share/man/man5/lauxen.conf.5
	install -D -m 644 conf/lauxend.service $(DESTDIR)$(PREFIX)/lib/systemd/system/lauxend.service
	install -D -m 644 conf/lauxen-guests.service $(DESTDIR)$(PREFIX)/lib/systemd/system/lauxen-guests.service
	install -D -m 644 conf/lauxen.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/lauxen.conf
	install -D -m 644 conf/lauxen.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/lauxen.conf
	install -d $(DESTDIR)$(PREFIX)/share/doc/lauxen
	cp -R INSTALL README.md DESIGN.md NEWS mib/get-base-mibs.sh conf/snmpd.conf conf/snmpd-users.conf conf/snmptrapd.conf conf/examples \
		conf/vmctl.conf tools/vmctl/vmctl.schema.json \
		$(DESTDIR)$(PREFIX)/share/doc/lauxen
	sed 's|"tools/vmctl/libvmctl.h"|<libvmctl.h>|' tools/vmctl/example.c \
		>$(DESTDIR)$(PREFIX)/share/doc/lauxen/libvmctl-example.c
	[ -e $(DESTDIR)$(SYSCONFDIR)/lauxen/lauxen.conf ] || \
		install -D -m 640 conf/lauxen.conf $(DESTDIR)$(SYSCONFDIR)/lauxen/lauxen.conf

clean:
	rm -rf build

.PHONY: all tests mibs demo check check-quick check-san check-xen check-xen-all check-xen-packages bench-xen lab \
	lab-shell lab-down lint bench soak install clean
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
