# SPDX-License-Identifier: GPL-2.0-or-later
# tcpfin-trace. `make help` lists the targets.

CC      ?= gcc
CLANG   ?= clang
BPFTOOL ?= $(shell command -v bpftool || echo /usr/sbin/bpftool)
PYTHON  := /usr/bin/python3

PREFIX  ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
DESTDIR ?=

B := build
COMMA := ,
# The changelog's first line, "tcpfin-trace (VERSION) ...", is the only place of the version.
DEBIAN    := user/packaging/debian
CHANGELOG := $(DEBIAN)/changelog
VERSION   := $(patsubst (%),%,$(word 2,$(file <$(CHANGELOG))))
CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow
# Paths are mapped so that two builds from one tree give the same binary wherever the tree is.
override CFLAGS += -std=gnu11 $(WARNINGS) -MMD -MP -I. -I$(B) -DTCPFIN_VERSION='"$(VERSION)"' -ffile-prefix-map=$(CURDIR)=.
# static: libbpf and the like are in the binary, which then needs libc, libpcap and libmicrohttpd only; GLib's loading would
# cost each start a millisecond. dynamic: for a distribution's package.
LINK ?= static
LIBS_static  := -Wl,-Bstatic -lbpf -lelf -lz -lzstd -lcap-ng -lseccomp -lmd -lncursesw -ltinfo -lfixbuf -lglib-2.0 \
		-lpcre2-8 -Wl,-Bdynamic -lpcap -lmicrohttpd -lm
LIBS_dynamic := -Wl,--as-needed -lbpf -lz -lzstd -lcap-ng -lseccomp -lmd -lncursesw -ltinfo -lpcap -lmicrohttpd \
		-lfixbuf -lglib-2.0
LIBS := $(LIBS_$(LINK))

# Nothing shares its place on the stack: without CAP_PERFMON the verifier lets no half of a word be written over another.
BPF_STACK  := -mllvm -no-stack-slot-sharing -mllvm -no-stack-coloring
# Not expanded before it is used: `make deps` runs where there is no compiler.
BPF_CFLAGS = -O2 -g -target bpf -mcpu=v3 $(BPF_STACK) $(WARNINGS) -Wno-unused-parameter -fdebug-prefix-map=$(CURDIR)=. \
	      -I. -I/usr/include/$(shell $(CC) -print-multiarch)

# Where libfixbuf's headers find GLib's; not expanded before it is used, as above.
GLIB = $(shell pkg-config --cflags-only-I glib-2.0)

# KAFKA=0 builds without --kafka. With it the program loads librdkafka when asked, and links nothing more.
KAFKA    ?= 1
KAFKA_SRC := user/kafka/librdkafka.c user/kafka/producer.c
NOT_BUILT := $(if $(filter 0,$(KAFKA)),$(KAFKA_SRC),user/kafka/no_producer.c)

USER_SRC  := $(filter-out $(NOT_BUILT),$(wildcard user/*.c user/*/*.c))
USER_OBJ  := $(USER_SRC:user/%.c=$(B)/user/%.o)
# All but main(), for the tests: the linker takes what a test uses, and nothing that the test defines itself.
LIB       := $(B)/libtcpfin.a
UNIT_SRC  := $(wildcard tests/unit/test_*.c)
UNIT_BIN  := $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)

.PHONY: all tools deps deps-kernels deps-deb deps-lint deps-report deps-arm64 deps-ecs deps-fleet arm64-libraries \
	install uninstall deb format \
	man-fields screenshot clean help run test test-programs test-kernels check-vmlinux soak fuzz bench bench-programs

all: $(B)/tcpfin-trace

help:
	@echo 'make                build/tcpfin-trace and build/tcpfin_trace.bpf.o'
	@echo 'make KAFKA=0        the same without --kafka'
	@echo 'make deps           install missing Debian packages (root)'
	@echo 'make install        to $$(DESTDIR)$$(PREFIX), default $(PREFIX)'
	@echo 'make uninstall      remove what make install has put there'
	@echo 'make deb            a Debian package in build/deb; make deps-deb installs what that takes (root)'
	@echo 'make format         lay out every C file as .clang-format says'
	@echo 'make run            watch real connections close; IFACE=eth0 watches that interface (root)'
	@echo 'make test           every test that needs no other machine (root)'
	@echo 'make fuzz           libFuzzer with ASan and UBSan on every target, SECONDS=60 in all; then the suite many'
	@echo 'make soak           5,000,000 connections through one process, or SOAK=N (root; about 10 minutes);'
	@echo '                    SOAK_SECONDS=600: at the full rate of this machine for so long, without a pause'
	@echo 'make test-kernels   tests under Debian kernels 6.1 and 6.12, in qemu (root)'
	@echo 'make man-fields     the list of fields in tcpfin-trace-record(5) and for nfacctd, from the table in user/record'
	@echo 'make screenshot     the picture in README.md, from a run of --top (root)'
	@echo 'make check-vmlinux  the kernel types in vmlinux/ against the running kernel'
	@echo 'make bench          what it costs, as a table and as build/bench.json (root; at most 15 minutes)'
	@echo 'make clean          remove build/'

# ---- build ----

# Every compilation asks this first, so that who lacks a tool or a library reads what to do, not what failed.
TOOLS   := $(firstword $(CC)) $(firstword $(CLANG)) $(BPFTOOL)
HEADERS := bpf/libbpf.h cap-ng.h curses.h fixbuf/version.h libelf.h microhttpd.h pcap/pcap.h seccomp.h sha1.h sha2.h \
	   zlib.h zstd.h $(if $(filter-out 0,$(KAFKA)),librdkafka/rdkafka.h)

tools:
	@missing=; \
	for tool in $(TOOLS); do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	for header in $(if $(shell command -v $(firstword $(CC))),$(HEADERS)); do \
		echo "#include <$$header>" | $(CC) $(CPPFLAGS) -E - >/dev/null 2>&1 || missing="$$missing <$$header>"; \
	done; \
	[ -z "$$missing" ] || { \
		echo 'First install what the build needs: `sudo make deps` does so on Debian.' >&2; \
		echo "Missing:$$missing" >&2; \
		exit 1; \
	}

define compile_bpf
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -c $< -o $@.tmp
	$(BPFTOOL) gen object $@ $@.tmp
	@rm -f $@.tmp
endef

$(B)/%.skel.h: $(B)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf > $@.tmp
	@mv $@.tmp $@

$(B)/tcpfin_trace.bpf.o: bpf/tcpfin_trace.bpf.c $(wildcard bpf/*.h bpf/core/*.h) Makefile | tools
	$(compile_bpf)

# These read kernel structures, and so are objects of their own.
$(B)/sockets.bpf.o: bpf/sockets.bpf.c $(wildcard bpf/*.h bpf/core/*.h) vmlinux/vmlinux.h Makefile | tools
	$(compile_bpf)

$(B)/tcx_order.bpf.o: bpf/tcx_order.bpf.c bpf/tcx_order_record.h vmlinux/vmlinux.h Makefile | tools
	$(compile_bpf)

$(B)/user/%.o: user/%.c Makefile $(CHANGELOG) | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c $< -o $@

$(B)/user/live/live.o $(B)/user/live/loader.o $(B)/user/live/collector.o $(B)/user/live/probe.o: $(B)/tcpfin_trace.skel.h
$(B)/user/sockets/socket_events.o: $(B)/sockets.skel.h
$(B)/user/report/assets.o: $(wildcard user/report/page.*)
$(B)/user/attach/tcx_order.o: $(B)/tcx_order.skel.h
# GLib's headers are in no folder that compilers search.
$(B)/user/ipfix/messages.o: CPPFLAGS += $(GLIB)

$(B)/tcpfin-trace: $(USER_OBJ)
	$(CC) $(LDFLAGS) $^ $(LIBS) -o $@

$(LIB): $(filter-out $(B)/user/main.o,$(USER_OBJ))
	@rm -f $@
	$(AR) rcs $@ $^

# ---- kernel types ----

# The subset of kernel types against the running kernel's BTF.
check-vmlinux: $(B)/sockets.bpf.o $(B)/tcx_order.bpf.o
	@PATH=$$PATH:/usr/sbin $(PYTHON) vmlinux/check.py $(subst $() ,$(COMMA),$^) vmlinux/README.md

# ---- man pages ----

# The list of fields in tcpfin-trace-record(5) comes from the table in user/record/record_fields.h.
RECORD_PAGE := user/man/tcpfin-trace-record.5

$(B)/tests/field_list: tests/golden/field_list.c tests/unit/sample_record.h $(LIB) Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< $(LIB) $(LIBS) -o $@

$(B)/tests/primitive_list: tests/golden/primitive_list.c $(LIB) Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< $(LIB) $(LIBS) -o $@

# The same fields for nfacctd.
PRIMITIVES := user/ipfix/nfacctd.primitives

man-fields: $(B)/tests/field_list $(B)/tests/primitive_list
	$< > $(B)/tests/fields.mdoc
	sed -i -e '/^\.\\" fields begin/r $(B)/tests/fields.mdoc' \
		-e '/^\.\\" fields begin/,/^\.\\" fields end/{//!d}' $(RECORD_PAGE)
	sed -i '/^name=tcpfin/d' $(PRIMITIVES)
	$(B)/tests/primitive_list >> $(PRIMITIVES)

# ---- install ----

# Debian packages: to build, and to test.
BUILD_PACKAGES := build-essential clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libpcap0.8-dev libcap-ng-dev \
		  libseccomp-dev libmd-dev libmicrohttpd-dev libncurses-dev libzstd-dev libfixbuf-dev libglib2.0-dev \
		  libpcre2-dev librdkafka-dev
TEST_PACKAGES  := libcmocka-dev python3 python3-scapy tshark tcpdump iproute2 nftables ethtool strace procps jq tmux \
		  libclang-rt-dev valgrind clang-format groff-base kcat
DEB_PACKAGES   := debhelper dpkg-dev lintian debootstrap systemd-container
REPORT_PACKAGES := chromium chromium-driver python3-selenium
LINT_PACKAGES  := clang-tidy clang-tools
ARM64_PACKAGES := gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
ECS_PACKAGES   := npm
# npm comes with other builds of Node as well, which Debian's would replace.
FLEET_PACKAGES = maven openjdk-17-jre-headless openssl libssl-dev $(if $(shell command -v npm),,npm)
GUEST_PACKAGES := qemu-system-x86 busybox-static cpio kmod xz-utils

deps-kernels: TEST_PACKAGES += $(GUEST_PACKAGES)
deps-deb: TEST_PACKAGES := $(DEB_PACKAGES)
deps-lint: TEST_PACKAGES := $(LINT_PACKAGES)
deps-report: TEST_PACKAGES := $(REPORT_PACKAGES)
deps-arm64: TEST_PACKAGES := $(ARM64_PACKAGES)
deps-ecs: TEST_PACKAGES := $(ECS_PACKAGES)
deps-fleet: TEST_PACKAGES = $(FLEET_PACKAGES)

# What tests/arm64/run links, as packages of that architecture.
arm64-libraries:
	@echo $(filter lib%-dev zlib%-dev,$(BUILD_PACKAGES)) libcmocka-dev libc6-dev libgcc-12-dev

# Asks apt only for what is missing, so that it works offline once everything is there.
deps deps-kernels deps-deb deps-lint deps-report deps-arm64 deps-ecs deps-fleet:
	@missing=; for p in $(BUILD_PACKAGES) $(TEST_PACKAGES); do \
		dpkg-query -W -f '$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || missing="$$missing $$p"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	fi

MAN_PAGES  := $(wildcard user/man/*.[1-9])
MAN_DIR    := $(PREFIX)/share/man
PROGRAM    := $(PREFIX)/sbin/tcpfin-trace
COMPLETION := $(PREFIX)/share/bash-completion/completions/tcpfin-trace
UNIT       := $(UNITDIR)/tcpfin-trace@.service
# PAGE.N lies in man/manN.
INSTALLED  := $(PROGRAM) $(COMPLETION) $(UNIT) $(foreach p,$(MAN_PAGES),$(MAN_DIR)/man$(subst .,,$(suffix $p))/$(notdir $p))

install: all
	install -D -m 755 $(B)/tcpfin-trace $(DESTDIR)$(PROGRAM)
	for page in $(MAN_PAGES); do \
		install -D -m 644 -t $(DESTDIR)$(MAN_DIR)/man$${page##*.} $$page || exit; \
	done
	install -D -m 644 user/completions/tcpfin-trace.bash $(DESTDIR)$(COMPLETION)
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' user/systemd/tcpfin-trace@.service.in > $(DESTDIR)$(UNIT)
	chmod 644 $(DESTDIR)$(UNIT)

# Folders stay: others may have put something there, or be about to.
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED))

# ---- package ----

# Built from a copy of the tree, so that nothing appears beside the sources.
deb:
	@command -v dh >/dev/null || { echo 'First: `sudo make deps-deb`' >&2; exit 1; }
	@rm -rf $(B)/deb && mkdir -p $(B)/deb/tcpfin-trace
	@cp -a bpf user vmlinux Makefile README.md LICENSE $(B)/deb/tcpfin-trace
	@cp -a $(DEBIAN) $(B)/deb/tcpfin-trace/debian
	cd $(B)/deb/tcpfin-trace && MAKEFLAGS= dpkg-buildpackage -b -us -uc

# ---- run ----

# Set-up first, in a make of its own: what `deps` installs decides how the rest is built.
run: deps
	@$(MAKE) -s --no-print-directory all
ifdef IFACE
	$(B)/tcpfin-trace $(IFACE)
else
	@$(PYTHON) tests/live/demo.py $(B)/tcpfin-trace
endif

screenshot: deps
	@$(MAKE) -s --no-print-directory all
	@$(PYTHON) tests/live/screenshot.py user/top/screenshot.svg

# ---- test ----

# ALSO=SUITE,... runs more than the default suites: see tests/run.
test: deps
	@$(MAKE) --no-print-directory all test-programs
	@tests/run default $(subst $(COMMA), ,$(ALSO))

# Debian's kernels, whichever runs here; KERNELS=6.1 tests under that one alone. The replay shows that all say the same.
KERNELS ?= 6.1,6.12

test-kernels: deps-kernels
	@$(MAKE) --no-print-directory all test-programs
	@tests/run replay
	@tests/guests/run $(KERNELS)
	@GUEST_CPUS=2 tests/guests/run $(KERNELS) accounting:cpu_offline

# SOAK=N connections through one process.
soak: deps
	@$(MAKE) --no-print-directory all test-programs
	@$(if $(SOAK_SECONDS),RATE_SECONDS=$(SOAK_SECONDS) $(PYTHON) tests/live/scale.py $(B)/tcpfin-trace rate,\
		$(PYTHON) tests/live/accounting.py $(B)/tcpfin-trace soak)

test-programs: $(UNIT_BIN) $(B)/bench/conns \
	$(addprefix $(B)/tests/,field_list frames diff budget flood ipfix_reader many_packets many_histories) \
	$(addprefix $(B)/tests/,step_clock.so fail_realloc.so side_by_side) \
	$(if $(filter-out 0,$(KAFKA)),$(B)/tests/kafka_cluster) $(B)/bench/gencap

# The host's tables are compiled into the differential test, which looks inside them.
$(B)/tests/diff: $(wildcard tests/diff/*.[ch]) $(LIB) $(B)/tcpfin_trace.skel.h Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $(filter %.c %.a,$^) $(LIBS) -o $@

$(B)/tests/budget: tests/budget/budget.c $(B)/tcpfin_trace.skel.h $(B)/tcx_order.skel.h Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< $(LIBS) -o $@

# It includes user/helper/helper.c, whose inside it tests.
$(B)/tests/test_helper: tests/unit/test_helper.c user/helper/helper.c $(LIB) Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $< $(LIB) -lcmocka $(LIBS) -o $@

$(B)/tests/%: tests/unit/%.c $(LIB) Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $< $(LIB) -lcmocka $(LIBS) -o $@

$(B)/tests/frames: tests/golden/frames.c $(LIB) Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< $(LIB) $(LIBS) -o $@

$(B)/tests/many_packets: tests/fuzz/many_packets.c tests/fuzz/fuzz_packet.c $(B)/user/record/counters.o Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< $(filter %.o,$^) -o $@

$(B)/tests/many_histories: $(wildcard tests/histories/native/*.[ch]) tests/fuzz/check.c $(LIB) Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $(filter %.c %.a,$^) $(LIBS) -o $@

$(B)/tests/kafka_cluster: tests/live/kafka_cluster.c Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< -lrdkafka -o $@

$(B)/tests/flood: tests/live/flood.c Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< -o $@

$(B)/tests/ipfix_reader: tests/live/ipfix_reader.c Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(GLIB) $(filter-out -MMD -MP,$(CFLAGS)) $< -lfixbuf -lglib-2.0 -o $@

$(B)/tests/%.so: tests/live/%.c Makefile | tools
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) -fPIC -shared $< -o $@

$(B)/tests/%.bpf.o: tests/live/%.bpf.c vmlinux/vmlinux.h Makefile | tools
	@mkdir -p $(@D)
	$(compile_bpf)

$(B)/tests/side_by_side: tests/live/side_by_side.c $(B)/tests/side_by_side.skel.h Makefile
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) $< $(LIBS) -o $@

# ---- fuzz ----

SECONDS ?= 60

fuzz: deps
	@tests/fuzz/run $(SECONDS)
	@$(MAKE) --no-print-directory all test-programs
	@tests/fuzz/many $$(($(SECONDS) * 1000000)) $$(($(SECONDS) * 10000))

# ---- bench ----

BENCH_BIN := $(addprefix $(B)/bench/,packet_path reference conns frames gencap lean_pcap format_rate)
BENCH_BPF := $(patsubst tests/bench/%.bpf.c,$(B)/bench/%.bpf.o,$(wildcard tests/bench/*.bpf.c))

bench: deps
	@$(MAKE) --no-print-directory all bench-programs
	@tests/bench/run

bench-programs: $(BENCH_BIN) $(BENCH_BPF) $(B)/tests/budget

$(B)/bench/%.bpf.o: tests/bench/%.bpf.c tests/bench/plan.h $(wildcard bpf/core/*.h) Makefile | tools
	$(compile_bpf)

$(B)/bench/packet_path: $(B)/bench/driver.skel.h tests/bench/plan.h

$(B)/bench/packet_path $(B)/bench/reference: tests/bench/reference.h

$(B)/bench/%: tests/bench/%.c $(LIB) Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(filter-out -MMD -MP,$(CFLAGS)) -I$(B)/bench $< $(LIB) $(LIBS) -o $@

# ---- style ----

format:
	find bpf user tests vmlinux -name '*.[ch]' -exec clang-format -i {} +

clean:
	rm -rf $(B)

-include $(USER_OBJ:.o=.d) $(UNIT_BIN:=.d)
