# LauXen: see README.md. The targets that matter: all, demo, check, check-san, check-xen, bench,
# lint, install, clean.
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

PKGS = libevent sqlite3 libconfuse
PKGS_XEN = xenlight xentoollog xenstat xenstore
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
PKG_LIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
XEN_LIBS := $(shell pkg-config --libs $(PKGS_XEN) 2>/dev/null)
SNMP_LIBS = -lnetsnmpagent -lnetsnmp

ALL_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DVERSION='"$(VERSION)"' $(WARNINGS) $(CFLAGS) $(HARDENING) \
	$(SANITIZE) -I. -Iagentx $(PKG_CFLAGS) -MMD -MP $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LDFLAGS)

BASE = $(wildcard agentx/base/*.c)
MIB = $(wildcard mib/*.c)
LAUXEND = agentx/lauxend.c $(BASE) $(MIB) $(wildcard agentx/parent/*.c agentx/config/*.c \
	agentx/engine/*.c agentx/hypervisor/*.c agentx/store/*.c agentx/snmp/*.c)
SIMXEN = $(wildcard tools/simxen/*.c) $(BASE)

OBJECTS = $(patsubst %.c,$(BUILD)/%.o,$(1))
UNIT = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))

all: $(BUILD)/lauxend $(BUILD)/simxen

$(BUILD)/lauxend: $(call OBJECTS,$(LAUXEND))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(SNMP_LIBS) $(XEN_LIBS) -lpthread

$(BUILD)/simxen: $(call OBJECTS,$(SIMXEN))
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c -o $@ $<

# A unit test links everything of ours but the mains.
UNIT_OBJECTS = $(filter-out $(BUILD)/agentx/lauxend.o $(BUILD)/tools/simxen/main.o,\
	$(sort $(call OBJECTS,$(LAUXEND) $(SIMXEN))))
$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(UNIT_OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(PKG_LIBS) $(SNMP_LIBS) $(XEN_LIBS) -lcmocka -lpthread

unit: $(UNIT)

clean:
	rm -rf build

.PHONY: all unit clean
.SECONDARY:
-include $(shell find build -name '*.d' 2>/dev/null)
