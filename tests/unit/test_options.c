// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The command line as a user meets it: what each option stores, and the one line that each mistake gets. Also the
 * record filter and the log.
 */
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/assert.h"
#include "tests/unit/sample_record.h"
#include "user/base/log.h"
#include "user/cli/options.h"
#include "user/record/record.h"

#define MAX_ARGUMENTS 100
#define GO_ON (-1)

/* ---- running the parser with its output caught ---- */

/* In place of the C library's: there is every interface but those called "no-...", and no word of tcpdump's. */
unsigned if_nametoindex(const char *name)
{
	static const char *const absent[] = {"port", "host", "443", "22", "prot", "tcp", "and", "vlan"};

	for (size_t i = 0; i < COUNT(absent); i++)
		if (!strcmp(name, absent[i]))
			return 0;
	return strncmp(name, "no-", 3) && *name && strlen(name) < IFNAMSIZ && !strpbrk(name, " :/\n\x1b\x7f");
}

static struct options o;
static char out[16384], err[8192]; /* what the last run printed */

struct caught {
	int fd, saved;
	FILE *file;
};

static struct caught catch_fd(int fd)
{
	struct caught c = {.fd = fd, .saved = dup(fd), .file = tmpfile()};

	assert_non_null(c.file);
	assert_true(c.saved >= 0 && dup2(fileno(c.file), fd) == fd);
	return c;
}

static void release_fd(struct caught *c, char *text, size_t size)
{
	size_t len;

	dup2(c->saved, c->fd);
	close(c->saved);
	rewind(c->file);
	len = fread(text, 1, size - 1, c->file);
	text[len] = '\0';
	fclose(c->file);
}

static int parse_list(const char *const *arguments)
{
	char *argv[MAX_ARGUMENTS + 1] = {"tcpfin-trace"};
	struct caught caught_out, caught_err;
	int argc = 1, code;

	for (; *arguments && argc < MAX_ARGUMENTS; arguments++)
		argv[argc++] = (char *)*arguments;
	fflush(stdout);
	caught_out = catch_fd(STDOUT_FILENO);
	caught_err = catch_fd(STDERR_FILENO);
	options_free(&o);
	code = options_parse(&o, argc, argv);
	fflush(stdout);
	release_fd(&caught_err, err, sizeof(err));
	release_fd(&caught_out, out, sizeof(out));
	return code;
}

#define PARSE(...) parse_list((const char *const[]){__VA_ARGS__, NULL})

static void assert_goes_on(int code)
{
	assert_string_equal(err, "");
	assert_string_equal(out, "");
	expect_int(code, GO_ON);
}

/* stderr is that line alone, and the exit code that of usage errors. */
static void assert_refused(int code, const char *line)
{
	char expected[512];

	snprintf(expected, sizeof(expected), "tcpfin-trace: %s\n", line);
	assert_string_equal(err, expected);
	assert_string_equal(out, "");
	expect_int(code, EXIT_USAGE);
}

/* ---- what is stored ---- */

/* Tables that grow may hold more than the kernel's. */
TEST(test_limit_of_files)
{
	assert_goes_on(PARSE("-r", "file"));
	expect_int(o.max_flows, 4194304);
	assert_goes_on(PARSE("-r", "file", "--max-flows=65536"));
	expect_int(o.max_flows, 65536);
}

TEST(test_defaults)
{
	assert_goes_on(PARSE("eth0", "wlan0"));
	expect_int(o.interfaces.count, 2);
	assert_string_equal(o.interfaces.names[0], "eth0");
	assert_string_equal(o.interfaces.names[1], "wlan0");
	expect_int(o.files.count, 0);
	expect_int(o.hook, HOOK_AUTO);
	expect_int(o.format, FORMAT_TEXT);
	assert_false(o.quiet || o.verbose || o.stats || o.strict || o.show_open || o.follow || o.cleanup);
	expect_int(o.count, 0);
	expect_int(o.duration, 0);
	expect_int(o.settle, 500000000);
	expect_int(o.syn_timeout, 10000000000);
	expect_int(o.close_timeout, 60000000000);
	expect_int(o.idle_timeout, 8100000000000);
	expect_int(o.max_flows, 65536);
	expect_int(o.max_closing, 16384);
	expect_int(o.max_unproven, 32768);
	expect_int(o.evidence, 8192);
	expect_int(o.ring_bytes, 4194304);
	expect_int(o.filter.family, 0);
	expect_int(o.filter.port_count, 0);
	expect_int(o.filter.host_count, 0);
	expect_int(o.record_filter.outcomes.wanted, 0);
	assert_null(o.record_filter.expression);
}

TEST(test_nothing_stays_from_the_last_run)
{
	assert_goes_on(PARSE("-q", "-6", "--port=1", "--host=::1", "--outcome=reset", "-c", "5", "-r", "x"));
	test_defaults();
}

TEST(test_flags)
{
	static const struct {
		const char *name;
		size_t where;
	} flags[] = {
		{"-q", offsetof(struct options, quiet)},
		{"--quiet", offsetof(struct options, quiet)},
		{"-v", offsetof(struct options, verbose)},
		{"--verbose", offsetof(struct options, verbose)},
		{"--stats", offsetof(struct options, stats)},
		{"--strict", offsetof(struct options, strict)},
		{"--show-open", offsetof(struct options, show_open)},
		{"--follow", offsetof(struct options, follow)},
		{"--cleanup", offsetof(struct options, cleanup)},
		{"--probe", offsetof(struct options, probe)},
		{"--join", offsetof(struct options, join)},
		{"--all-segments", offsetof(struct options, all_segments)},
		{"--no-sockets", offsetof(struct options, no_sockets)},
		{"--strays", offsetof(struct options, strays)},
	};

	FOR_EACH_ROW(flags, flag) {
		assert_goes_on(PARSE(flag->name, "eth0"));
		expect_int(*(bool *)((char *)&o + flag->where), true);
		expect_int(o.quiet + o.verbose + o.stats + o.strict + o.show_open + o.follow + o.cleanup + o.probe +
				   o.join + o.all_segments + o.no_sockets + o.strays,
			   1);
	}
	assert_goes_on(PARSE("--cleanup")); /* all interfaces */
	expect_int(o.interfaces.count, 0);
	assert_goes_on(PARSE("-n", "--numeric", "eth0"));
	assert_goes_on(PARSE("-nqv4", "eth0"));
	assert_true(o.quiet && o.verbose);
	expect_int(o.filter.family, 4);
}

TEST(test_sockets_of_this_host)
{
	assert_goes_on(PARSE("eth0"));
	assert_true(!o.stuck && !o.time_wait);
	assert_goes_on(PARSE("--stuck"));
	expect_int(o.stuck, 1000000000);
	assert_goes_on(PARSE("--stuck=2.5", "-c", "1", "--format=json", "-4", "--port=80"));
	expect_int(o.stuck, 2500000000);
	assert_goes_on(PARSE("--stuck=31536000"));
	assert_goes_on(PARSE("--time-wait", "-q"));
	assert_true(o.time_wait && !o.stuck);
	for (const char *const *value = (const char *const[]){"0", "", "x", "31536000.1", "-1", NULL}; *value;
	     value++) {
		char option[32], line[128];

		snprintf(option, sizeof(option), "--stuck=%s", *value);
		snprintf(line, sizeof(line), "--stuck %s: a time is 0.001 to 31536000 seconds",
			 **value ? *value : "\"\"");
		assert_refused(PARSE(option), line);
	}
	assert_refused(PARSE("--stuck", "--time-wait"), "give --stuck or --time-wait, not both");
	/* An optional value follows "=", never a blank. */
	assert_refused(PARSE("--stuck", "5"),
		       "--stuck and --time-wait are about this host's sockets, not interfaces or files");
	assert_refused(PARSE("--time-wait", "-r", "x"),
		       "--stuck and --time-wait are about this host's sockets, not interfaces or files");
	assert_refused(PARSE("--time-wait", "--cleanup"),
		       "--stuck and --time-wait are about this host's sockets, not interfaces or files");
	assert_goes_on(PARSE("--stuck", "--unit=a", "--container=b", "--process=c", "--pid=1"));
	for (const char **value =
		     (const char *[]){"--where=close > 1s", "--reason=x", "--outcome=reset", "--closer=!source", NULL};
	     *value; value++)
		assert_refused(
			PARSE("--stuck", *value),
			"--stuck has the filters -4, -6, --port, --host, --process, --pid, --unit and --container");
	for (const char **value =
		     (const char *[]){"--unit=a", "--container=a", "--process=!a", "--pid=1", "--outcome=reset", NULL};
	     *value; value++)
		assert_refused(PARSE("--time-wait", *value), "--time-wait has the filters -4, -6, --port and --host");
	assert_refused(PARSE("--stuck", "--format=csv"), "--stuck and --time-wait have the formats text and json");
	assert_refused(PARSE("--time-wait=1"), "--time-wait takes no value");
	assert_true(!o.netns);
	assert_goes_on(PARSE("--time-wait", "--netns=web"));
	assert_string_equal(o.netns, "web");
	assert_goes_on(PARSE("--stuck", "--netns", "all", "--netns=all"));
	assert_refused(PARSE("--netns=web", "-r", "x"),
		       "--netns is about interfaces that are watched, and the sockets of --stuck and --time-wait");
	assert_refused(PARSE("--netns=web", "--cleanup"),
		       "--netns is about interfaces that are watched, and the sockets of --stuck and --time-wait");
	assert_refused(PARSE("--stuck", "--netns=../web"),
		       "--netns ../web: a network namespace is a name of ip-netns(8), a process number or all");
	assert_refused(PARSE("--stuck", "--netns="),
		       "--netns \"\": a network namespace is a name of ip-netns(8), a process number or all");
}

TEST(test_join)
{
	assert_goes_on(PARSE("--join", "/nonexistent", "-", "eth0"));
	assert_true(o.join && o.files.count == 3 && !o.interfaces.count);
	assert_string_equal(o.files.paths[1], "-");
	assert_goes_on(PARSE("a.json", "--join", "--format=json", "-c", "5", "-q"));
	expect_int(o.files.count, 1);
	assert_refused(PARSE("--join"), "--join is about files of records: name them; see tcpfin-trace --help");
	assert_refused(PARSE("--join", "a", "--format=csv"), "--join has the formats text and json");
	assert_refused(PARSE("--join", "a", "--metrics-file=b"),
		       "metrics are about connections as they close, which this mode does not see");
	assert_refused(PARSE("--join", "a", "-i", "eth0"), "--join does nothing else: it reads files of records");
	assert_refused(PARSE("--join", "a", "--stuck"), "--join does nothing else: it reads files of records");
	assert_refused(PARSE("--join", "a", "--probe"), "--join does nothing else: it reads files of records");
	assert_goes_on(PARSE("--join", "a", "--port=1", "--where=closer = source"));
	assert_refused(PARSE("--join", "a", "--check=resets > 1%"),
		       "--check resets > 1%: --join has other counts; see CHECKS in the man page");
}

TEST(test_probe)
{
	assert_goes_on(PARSE("--probe"));
	assert_true(o.probe && !o.interfaces.count);
	assert_goes_on(PARSE("--probe", "eth0", "eth7", "-q"));
	expect_int(o.interfaces.count, 2);
	assert_refused(PARSE("--probe", "-r", "x"),
		       "--probe is about this host and interfaces, not files or connections");
	assert_refused(PARSE("--probe", "--follow"),
		       "--probe is about this host and interfaces, not files or connections");
	assert_refused(PARSE("--probe", "--cleanup"),
		       "--probe does nothing else: give --stuck, --time-wait or --cleanup alone");
	assert_refused(PARSE("--probe", "--stuck"),
		       "--probe does nothing else: give --stuck, --time-wait or --cleanup alone");
	assert_refused(PARSE("--probe", "--format=json"), "--probe has the format text");
	assert_refused(PARSE("--probe", "--check=resets > 1%"),
		       "--check resets > 1%: --probe has other counts; see CHECKS in the man page");
}

TEST(test_options_after_interfaces)
{
	assert_goes_on(PARSE("eth0", "-q", "eth1", "--count", "7"));
	expect_int(o.interfaces.count, 2);
	expect_int(o.count, 7);
	assert_goes_on(PARSE("--", "-q"));
	assert_string_equal(o.interfaces.names[0], "-q");
	assert_false(o.quiet);
}

TEST(test_read_file)
{
	assert_goes_on(PARSE("-r", "a b.pcap"));
	assert_string_equal(o.files.paths[0], "a b.pcap");
	assert_goes_on(PARSE("-r-"));
	assert_string_equal(o.files.paths[0], "-");
	assert_goes_on(PARSE("--read=x"));
	assert_string_equal(o.files.paths[0], "x");
	expect_int(o.interfaces.count, 0);
}

/* ---- numbers ---- */

/* The options that are numbers: how the least and the most are typed and stored, and what is just outside. */
static const struct number {
	const char *name;
	size_t where, size;
	const char *least, *most;
	uint64_t stored_least, stored_most;
	const char *below, *above; /* NULL: nothing is */
	const char *sentence;
} numbers[] = {
#define NUMBER(member) offsetof(struct options, member), sizeof(o.member)
	{"count", NUMBER(count), "1", "1000000000000", 1, 1000000000000, "0", "1000000000001",
	 "a count is 1 to 1000000000000"},
	{"duration", NUMBER(duration), "0.001", "31536000", 1000000, 31536000000000000, "0.000999999", "31536000.1",
	 "a duration is 0.001 to 31536000 seconds"},
	{"settle", NUMBER(settle), "0", "60000", 0, 60000000000, NULL, "60001",
	 "a settling time is 0 to 60000 milliseconds"},
	{"syn-timeout", NUMBER(syn_timeout), "0.001", "31536000", 1000000, 31536000000000000, "0", "31536001",
	 "a timeout is 0.001 to 31536000 seconds"},
	{"close-timeout", NUMBER(close_timeout), ".001", "31536000", 1000000, 31536000000000000, "0", "31536001",
	 "a timeout is 0.001 to 31536000 seconds"},
	{"idle-timeout", NUMBER(idle_timeout), "0.0010", "31536000.0", 1000000, 31536000000000000, "0.0009", "31536001",
	 "a timeout is 0.001 to 31536000 seconds"},
	{"max-flows", NUMBER(max_flows), "1024", "16777216", 1024, 16777216, "1023", "16777217",
	 "a table size is 1024 to 16777216"},
	{"max-closing", NUMBER(max_closing), "1024", "1048576", 1024, 1048576, "1023", "1048577",
	 "a table size is 1024 to 1048576"},
	{"max-unproven", NUMBER(max_unproven), "1024", "524288", 1024, 524288, "1023", "524289",
	 "a table size is 1024 to 524288"},
	{"evidence", NUMBER(evidence), "1024", "16777216", 1024, 16777216, "1023", "16777217",
	 "a table size is 1024 to 16777216"},
	{"ring", NUMBER(ring_bytes), "4096", "1G", 4096, 1073741824, "2048", "2G",
	 "a ring buffer is 4K to 1G bytes, a power of two"},
	{"port", offsetof(struct options, filter.ports[0].first), sizeof(uint16_t), "1", "65535", 1, 65535, "0",
	 "65536", "a port is 1 to 65535, or FIRST-LAST, with or without !"},
#undef NUMBER
};

static uint64_t stored(const struct number *n)
{
	const void *where = (const char *)&o + n->where;

	if (n->size == sizeof(uint16_t))
		return *(const uint16_t *)where;
	return n->size == sizeof(uint32_t) ? *(const uint32_t *)where : *(const uint64_t *)where;
}

static int parse_value(const char *option, const char *value)
{
	char text[64];

	snprintf(text, sizeof(text), "--%s", option);
	return PARSE(text, value, "eth0");
}

TEST(test_numbers)
{
	FOR_EACH_ROW(numbers, n) {
		assert_goes_on(parse_value(n->name, n->least));
		expect_int(stored(n), n->stored_least);
		assert_goes_on(parse_value(n->name, n->most));
		expect_int(stored(n), n->stored_most);
	}
}

static void refuse_number(const struct number *n, const char *value)
{
	char line[256];

	snprintf(line, sizeof(line), "--%s %s: %s", n->name, *value ? value : "\"\"", n->sentence);
	assert_refused(parse_value(n->name, value), line);
}

TEST(test_numbers_refused)
{
	static const char *const never[] = {
		"",
		"x",
		"-1",
		"+1",
		" 2048",
		"2048 ",
		"2048x",
		"0x1000",
		"1e4",
		"1,5",
		".",
		"1.",
		"1..5",
		"--",
		"²",
		"18446744073709551616",
		"18446744073709551615",
		"99999999999999999999999999",
		"1844674407370955162K",
		"18446744073710",
		"18446744073.709551616",
		"4K0",
		"4KK",
		"0.0000000001",
		"inf",
		"nan",
	};

	FOR_EACH_ROW(numbers, n) {
		if (n->below)
			refuse_number(n, n->below);
		refuse_number(n, n->above);
		for (size_t i = 0; i < COUNT(never); i++)
			refuse_number(n, never[i]);
	}
}

TEST(test_fractions)
{
	assert_goes_on(PARSE("-d", "2.5", "--syn-timeout=0.25", "--settle", "1.5", "eth0"));
	expect_int(o.duration, 2500000000);
	expect_int(o.syn_timeout, 250000000);
	expect_int(o.settle, 1500000);
	assert_goes_on(PARSE("-d", "1.123456789", "eth0"));
	expect_int(o.duration, 1123456789);
	assert_refused(PARSE("-c", "2.5", "eth0"), "--count 2.5: a count is 1 to 1000000000000");
	assert_refused(PARSE("--port", "2.5", "eth0"),
		       "--port 2.5: a port is 1 to 65535, or FIRST-LAST, with or without !");
}

TEST(test_ring)
{
	static const struct {
		const char *name;
		uint32_t bytes;
	} good[] = {
		{"4K", 4096}, {"8192", 8192}, {"64K", 65536}, {"1M", 1048576}, {"1024M", 1u << 30}, {"1G", 1u << 30},
	};
	static const char *const bad[] = {"4097", "5K", "3M", "1025M", "4294967296K", "4k", "4KB", "K", "0", "0K"};
	char line[128];

	FOR_EACH_ROW(good, size) {
		assert_goes_on(PARSE("--ring", size->name, "eth0"));
		expect_int(o.ring_bytes, size->bytes);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(line, sizeof(line), "--ring %s: a ring buffer is 4K to 1G bytes, a power of two", bad[i]);
		assert_refused(PARSE("--ring", bad[i], "eth0"), line);
	}
}

/* ---- names and lists ---- */

TEST(test_formats)
{
	static const struct {
		const char *name;
		enum format format;
	} formats[] = {{"text", FORMAT_TEXT}, {"json", FORMAT_JSON}, {"csv", FORMAT_CSV}, {"ladder", FORMAT_LADDER}};
	static const char *const bad[] = {"xml", "JSON", "jso", "json,csv", "text "};
	char line[128];

	FOR_EACH_ROW(formats, row) {
		assert_goes_on(PARSE("--format", row->name, "--format", row->name, "eth0"));
		expect_int(o.format, row->format);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(line, sizeof(line), "--format %s: a format is text, json, csv or ladder", bad[i]);
		assert_refused(PARSE("--format", bad[i], "eth0"), line);
	}
	assert_refused(PARSE("--format=", "eth0"), "--format \"\": a format is text, json, csv or ladder");
}

TEST(test_hooks)
{
	static const struct {
		const char *name;
		enum hook hook;
	} hooks[] = {{"auto", HOOK_AUTO}, {"xdp", HOOK_XDP}, {"xdp-generic", HOOK_XDP_GENERIC}, {"tc", HOOK_TC}};

	FOR_EACH_ROW(hooks, row) {
		assert_goes_on(PARSE("--hook", row->name, "eth0"));
		expect_int(o.hook, row->hook);
	}
	assert_refused(PARSE("--hook=tcx", "eth0"), "--hook tcx: a hook is auto, xdp, xdp-generic or tc");
}

TEST(test_contradictions)
{
	assert_refused(PARSE("--format=text", "--format=json", "eth0"), "--format json: two formats given; choose one");
	assert_refused(PARSE("--hook=tc", "-v", "--hook=xdp", "eth0"), "--hook xdp: two hooks given; choose one");
	assert_refused(PARSE("-4", "-6", "eth0"), "--ipv6: two IP versions given; choose one");
	assert_refused(PARSE("-64", "eth0"), "--ipv4: two IP versions given; choose one");
	assert_goes_on(PARSE("-4", "--ipv4", "eth0"));
	assert_goes_on(PARSE("-c1", "-c2", "eth0")); /* numbers: the last one holds, so aliases can be overridden */
	expect_int(o.count, 2);
}

TEST(test_packets)
{
	assert_goes_on(PARSE("-w", "kept.pcapng", "-r", "file", "-C", "2"));
	assert_string_equal(o.packets, "kept.pcapng");
	assert_refused(PARSE("-w", "-", "-r", "file"),
		       "-w - would mix packets with records on standard output; give a file");
	assert_refused(PARSE("-C2", "-r", "file"), "-C and -G are about the files of -o and -w; give -o FILE, too");
	assert_refused(PARSE("-w", "kept.pcapng", "--stuck"),
		       "-w is about packets of connections as they close, which this mode does not see");
	assert_goes_on(PARSE("-w", "kept.pcapng", "--anonymize", "-r", "file"));
}

TEST(test_ports)
{
	const char *arguments[2 * FILTER_MAX + 4];
	size_t n = 0;

	assert_goes_on(PARSE("--port", "443", "--port=80", "eth0"));
	expect_int(o.filter.port_count, 2);
	expect_int(o.filter.ports[0].first, 443);
	expect_int(o.filter.ports[1].first, 80);
	while (n < 2 * FILTER_MAX) {
		arguments[n++] = "--port";
		arguments[n++] = "22";
	}
	arguments[n] = "eth0";
	arguments[n + 1] = NULL;
	assert_goes_on(parse_list(arguments));
	expect_int(o.filter.port_count, FILTER_MAX);
	arguments[n] = "--port=23";
	arguments[n + 1] = "eth0";
	arguments[n + 2] = NULL;
	assert_refused(parse_list(arguments), "--port 23: more than 16 ports given; give fewer");
}

TEST(test_hosts)
{
	static const uint8_t v4[4] = {10, 1, 2, 3}, v6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

	assert_goes_on(
		PARSE("--host=10.1.2.3", "--host", "2001:db8::1/32", "--host=0.0.0.0/0", "--host=::/128", "eth0"));
	expect_int(o.filter.host_count, 4);
	expect_int(o.filter.hosts[0].family, 4);
	expect_int(o.filter.hosts[0].prefix, 32);
	assert_memory_equal(o.filter.hosts[0].ip, v4, 4);
	expect_int(o.filter.hosts[1].family, 6);
	expect_int(o.filter.hosts[1].prefix, 32);
	assert_memory_equal(o.filter.hosts[1].ip, v6, 16);
	expect_int(o.filter.hosts[2].prefix, 0);
	expect_int(o.filter.hosts[3].prefix, 128);
}

TEST(test_hosts_refused)
{
	static const char *const bad[] = {
		"10.0.0.0/33", "::/129",
		"10.0.0.0/",   "10.0.0.0/-1",
		"10.0.0.0/8x", "10.0.0.0/4294967297",
		"/8",          "10.0.0",
		"10.0.0.256",  "010.0.0.1",
		"example.org", "fe80::1%eth0",
		"::1/1/1",     "1:2:3:4:5:6:7:8:9",
		"10.0.0.1 ",   "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555",
	};
	const char *arguments[FILTER_MAX + 3];
	size_t n = 0;
	char line[256];

	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(line, sizeof(line), "--host %s: a host is an IPv4 or IPv6 address, with or without /PREFIX",
			 bad[i]);
		assert_refused(PARSE("--host", bad[i], "eth0"), line);
	}
	while (n <= FILTER_MAX)
		arguments[n++] = "--host=::1";
	arguments[n++] = "eth0";
	arguments[n] = NULL;
	assert_refused(parse_list(arguments), "--host ::1: more than 16 hosts given; give fewer");
}

TEST(test_outcomes)
{
	static const char sentence[] =
		"an outcome is graceful, reset, refused, handshake_reset, unanswered, unfinished, open or unknown";
	static const char *const bad[] = {"foo", "reset,", ",reset", "reset,,refused", "Reset", "reset refused", ","};
	char line[256];

	for (unsigned i = 0; i < OUTCOMES; i++) {
		assert_goes_on(PARSE("--show-open", "--outcome", outcome_name(i), "eth0"));
		expect_int(o.record_filter.outcomes.wanted, 1u << i);
	}
	assert_goes_on(PARSE("--outcome=reset,unknown", "--outcome=refused", "--outcome=reset", "eth0"));
	expect_int(o.record_filter.outcomes.wanted,
		   1u << OUTCOME_RESET | 1u << OUTCOME_UNKNOWN | 1u << OUTCOME_REFUSED);
	for (size_t i = 0; i < COUNT(bad); i++) {
		snprintf(line, sizeof(line), "--outcome %s: %s", bad[i], sentence);
		assert_refused(PARSE("--outcome", bad[i], "eth0"), line);
	}
	assert_refused(PARSE("--outcome=reset,open", "eth0"),
		       "--outcome open: open connections are reported only with --show-open; add it");
}

/* ---- help and version ---- */

/* ---- tables of groups ---- */

TEST(test_top)
{
	assert_goes_on(PARSE("eth0"));
	expect_int(o.top, 0);
	expect_int(o.by.count, 0);
	expect_int(o.rows, 10);
	assert_goes_on(PARSE("--top", "eth0"));
	expect_int(o.top, 1000000000);
	assert_goes_on(PARSE("--top=0.25", "--by=process,peer,reason", "--rows=500", "--format=json", "eth0"));
	expect_int(o.top, 250000000);
	expect_int(o.rows, 500);
	expect_int(o.by.count, 3);
	expect_int(o.by.field[0], GROUP_PROCESS);
	expect_int(o.by.field[2], GROUP_REASON);
	assert_goes_on(PARSE("--top", "-r", "file", "-c", "3"));
}

TEST(test_top_with_others)
{
	assert_refused(
		PARSE("--top", "--by=peers", "eth0"),
		"--by peers: a group is process, peer, port, interface, outcome, reason, unit or container, each once");
	assert_refused(PARSE("--by=peer", "eth0"), "--by is about the tables of --top; add it");
	assert_refused(PARSE("--top", "--format=csv", "eth0"), "--top has the formats text and json");
	assert_refused(PARSE("--top", "--stuck"),
		       "--top is about connections as they close: give --stuck, --time-wait, "
		       "--probe or --cleanup alone");
	assert_refused(PARSE("--top", "--rows=0", "eth0"), "--rows 0: a number of rows is 1 to 500");
	assert_refused(PARSE("--top"), "name an interface, or a capture with -r FILE; see tcpfin-trace --help");
}

TEST(test_help)
{
	static const char *const words[] = {
		"Usage: tcpfin-trace [OPTIONS] INTERFACE... [EXPRESSION]",
		"tcpfin-trace [OPTIONS] -r FILE... [EXPRESSION]",
		"-r, --read=FILE",
		"--hook=HOOK",
		"-c, --count=N",
		"-d, --duration=SECONDS",
		"-4, --ipv4",
		"-6, --ipv6",
		"--port=PORT[-PORT]",
		"--host=ADDRESS[/PREFIX]",
		"--outcome=NAME[,NAME]",
		"--show-open",
		"--format=FORMAT",
		"-n, --numeric",
		"-v, --verbose",
		"-q, --quiet",
		"--stats",
		"--strict",
		"--follow",
		"--cleanup",
		"--probe",
		"--join",
		"--stuck[=SECONDS]",
		"--time-wait",
		"--netns=NAME|PID|all",
		"--settle=MS",
		"--syn-timeout=SECONDS",
		"--close-timeout=SECONDS",
		"--idle-timeout=SECONDS",
		"--max-flows=N",
		"--max-closing=N",
		"--max-unproven=N",
		"--evidence=FLOWS",
		"--ring=BYTES",
		"--help",
		"--version",
		"(default auto)",
		"(default text)",
		"(default 500)",
		"(default 10)",
		"(default 60)",
		"(default 65536)",
		"(default 16384)",
		"(default 4M)",
		"Examples:",
	};

	expect_int(PARSE("--help"), EXIT_FINE);
	assert_string_equal(err, "");
	for (size_t i = 0; i < COUNT(words); i++)
		if (!strstr(out, words[i]))
			fail_msg("--help lacks \"%s\"", words[i]);
	for (const char *line = out; *line; line += strcspn(line, "\n") + 1) {
		size_t len = strcspn(line, "\n");

		expect_int(line[len], '\n');
		assert_true(len <= 80);
		assert_true(!len || line[len - 1] != ' ');
		for (size_t i = 0; i < len; i++)
			assert_true(line[i] >= ' ' && line[i] <= '~');
	}
}

TEST(test_version)
{
	int major, minor, patch;

	expect_int(PARSE("--version", "--nonsense"), EXIT_FINE);
	assert_string_equal(err, "");
	expect_int(sscanf(out, "tcpfin-trace %d.%d.%d", &major, &minor, &patch), 3);
	assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
}

TEST(test_help_to_full_disk)
{
	char *argv[] = {"tcpfin-trace", "--help", NULL};
	int saved, full = open("/dev/full", O_WRONLY), code;
	struct caught caught;

	assert_true(full >= 0);
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	dup2(full, STDOUT_FILENO);
	caught = catch_fd(STDERR_FILENO);
	code = options_parse(&o, 2, argv);
	release_fd(&caught, err, sizeof(err));
	dup2(saved, STDOUT_FILENO);
	clearerr(stdout);
	close(saved);
	close(full);
	expect_int(code, EXIT_RUNTIME);
	assert_string_equal(err, "tcpfin-trace: --help: cannot write to standard output\n");
}

/* ---- filter ---- */

static const struct record v4_record = {
	.family = 4,
	.vlan = {-1, -1},
	.outcome = OUTCOME_RESET,
	.closer = SOURCE,
	.timing = {[T_HALF_CLOSED] = 2000000000},
	.reset = {.by = SOURCE, .reason = "TCP_ABORT_ON_CLOSE"},
	.socket = {{.how = HOW_CLOSE,
		    .process = {.pid = 77, .name = "nginx"},
		    .names = {"nginx.service", SAMPLE_CONTAINER, SAMPLE_POD}}},
	.end = {{.ip = {10, 0, 0, 1}, .port = 40001}, {.ip = {192, 168, 7, 9}, .port = 443}},
};

static const struct record v6_record = {
	/* ::ffff:10.0.0.1 -> 2001:db8::9 */
	.family = 6,
	.vlan = {-1, -1},
	.outcome = OUTCOME_GRACEFUL,
	.closer = NOBODY,
	.timing = {[T_HALF_CLOSED] = TIMING_UNSEEN},
	.socket = {[DESTINATION] = {.known = true, .names = {"session-4.scope", "deb12", NULL}}},
	.end = {{.ip = {[10] = 0xff, 0xff, 10, 0, 0, 1}, .port = 443},
		{.ip = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, .port = 22}},
};

static bool record_passes(const struct record *r)
{
	return record_filter_passes(&o.record_filter, &o.filter, r);
}

static bool passes(const char *option, const struct record *r)
{
	assert_goes_on(PARSE(option, "eth0"));
	return record_passes(r);
}

TEST(test_filter)
{
	static const struct {
		const char *name;
		bool v4, v6;
	} cases[] = {
		{"-q", true, true},
		{"-4", true, false},
		{"-6", false, true},
		{"--port=443", true, true},
		{"--port=40001", true, false},
		{"--port=22", false, true},
		{"--port=80", false, false},
		{"--outcome=reset", true, false},
		{"--outcome=graceful,unknown", false, true},
		{"--outcome=unanswered", false, false},
		{"--outcome=!reset", false, true},
		{"--outcome=!reset,!graceful", false, false},
		{"--port=!443", false, false},
		{"--port=!80", true, true},
		{"--port=40000-50000", true, false},
		{"--port=!1-100", true, false},
		{"--host=!10.0.0.0/8", false, true},
		{"--closer=source", true, false},
		{"--closer=!source", false, true},
		{"--closer=unknown", false, true},
		{"--process=nginx", true, false},
		{"--process=ng*", true, false},
		{"--process=!nginx", false, true},
		{"--process=curl", false, false},
		{"--pid=77", true, false},
		{"--pid=!77", false, true},
		{"--unit=nginx.service", true, false},
		{"--unit=nginx", true, false},
		{"--unit=ngin", false, false},
		{"--unit=ng*", true, false},
		{"--unit=nginx.socket", false, false},
		{"--unit=!nginx", false, true},
		{"--unit=session-4", false, false}, /* no service */
		{"--unit=session-*", false, true},
		{"--container=" SAMPLE_CONTAINER, true, false},
		{"--container=0123456789ab", true, false},
		{"--container=0123456789a", false, false}, /* too short */
		{"--container=0123456789a*", true, false},
		{"--container=0123456789ac", false, false},
		{"--container=!0123456789abcdef", false, true},
		{"--container=deb12", false, true},
		{"--container=deb", false, false},
		{"--where=unit = nginx.service", true, false},
		{"--where=unit = session-4.scope", false, true},
		{"--where=container = deb12", false, true},
		{"--where=pod = " SAMPLE_POD, true, false},
		{"--reason=TCP_ABORT_ON_CLOSE", true, false},
		{"--reason=tcp_abort*", true, false},
		{"--reason=!TCP_ABORT*", false, true},
		{"--where=port = 443", true, true},
		{"--where=half_closed > 1s", true, false},
		{"--where=outcome = graceful", false, true},
		{"--host=10.0.0.1", true, false}, /* not the 4-in-6 address */
		{"--host=::ffff:10.0.0.1", false, true},
		{"--host=192.168.7.9", true, false},
		{"--host=192.168.7.8", false, false},
		{"--host=192.168.7.8/31", true, false},
		{"--host=192.168.7.255/24", true, false},
		{"--host=192.168.6.9/23", true, false},
		{"--host=192.168.5.9/23", false, false},
		{"--host=0.0.0.0/0", true, false},
		{"--host=128.0.0.0/1", true, false},
		{"--host=::/0", false, true},
		{"--host=2001:db8::8/127", false, true},
		{"--host=2001:db8::8", false, false},
		{"--host=2001:db9::/31", false, true},
		{"--host=2001:db9::/32", false, false},
	};

	FOR_EACH_ROW(cases, row) {
		expect_int(passes(row->name, &v4_record), row->v4);
		expect_int(passes(row->name, &v6_record), row->v6);
	}
}

TEST(test_filter_combines)
{
	assert_goes_on(PARSE("--port=80", "--port=443", "--host=::1", "--host=10.0.0.0/8", "eth0"));
	assert_true(record_passes(&v4_record));  /* any of a kind */
	assert_false(record_passes(&v6_record)); /* ... but all kinds */
	assert_goes_on(PARSE("--port=443", "--host=10.0.0.1", "--outcome=refused", "eth0"));
	assert_false(record_passes(&v4_record));
}

/* ---- words ---- */

TEST(test_words_refused)
{
	static const struct {
		const char *arguments[3];
		const char *line;
	} cases[] = {
		{{"--foo", "eth0"}, "unknown option --foo; see tcpfin-trace --help"},
		{{"--foo=bar", "eth0"}, "unknown option --foo; see tcpfin-trace --help"},
		{{"--=x", "eth0"}, "option -- is ambiguous; see tcpfin-trace --help"},
		{{"-x", "eth0"}, "unknown option -x; see tcpfin-trace --help"},
		{{"-qx", "eth0"}, "unknown option -x; see tcpfin-trace --help"},
		{{"-j", "eth0"}, "unknown option -j; see tcpfin-trace --help"},
		{{"-:", "eth0"}, "unknown option -:; see tcpfin-trace --help"},
		{{"-\x1b", "eth0"}, "unknown option -\\x1b; see tcpfin-trace --help"},
		{{"-\xc3\xa9", "eth0"}, "unknown option -\\xc3; see tcpfin-trace --help"},
		{{"--foo\nbar", "eth0"}, "unknown option --foo\\x0abar; see tcpfin-trace --help"},
		{{"--s", "eth0"}, "option --s is ambiguous; see tcpfin-trace --help"},
		{{"--stats=1", "eth0"}, "--stats takes no value"},
		{{"--quiet=", "eth0"}, "--quiet takes no value"},
		{{"eth0", "--port"}, "--port needs a value: --port=PORT[-PORT]"},
		{{"eth0", "-c"}, "--count needs a value: --count=N"},
		{{"eth0", "-r"}, "--read needs a value: --read=FILE"},
		{{"--format=a\x1b[31mb", "eth0"}, "--format a\\x1b[31mb: a format is text, json, csv or ladder"},
		{{"-r", ""}, "--read \"\": a file is a path, or - for standard input"},
		{{"-r", "x", "-ieth0"}, "give interfaces or -r FILE, not both"},
		{{"-r", "x", "eth0"}, "eth0: no file \"eth0\", and no filter expression: syntax error"},
		{{"-r", "x", "--follow"}, "--follow and --cleanup are about interfaces, not files"},
		{{"-r", "x", "--cleanup"}, "--follow and --cleanup are about interfaces, not files"},
		{{"-q"}, "name an interface, or a capture with -r FILE; see tcpfin-trace --help"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *const list[] = {cases[i].arguments[0], cases[i].arguments[1], cases[i].arguments[2], NULL};

		assert_refused(parse_list(list), cases[i].line);
	}
}

/* "any" and patterns are interfaces, whether such are there or not. */
TEST(test_interface_patterns)
{
	assert_goes_on(PARSE("any", "none*", "port 80"));
	expect_int(o.interfaces.count, 2);
	assert_non_null(o.record_filter.expression);
}

TEST(test_interface_names)
{
	static const struct {
		const char *name, *line;
	} bad[] = {
		{"", "interface \"\": an interface name has 1 to 15 bytes; ip link shows them"},
		{"sixteen-bytes-xx",
		 "interface sixteen-bytes-xx: an interface name has 1 to 15 bytes; ip link shows them"},
#define NO_SUCH ": no interface has such a name; ip link shows them, -r reads a file"
		{"./x.pcap", "interface ./x.pcap" NO_SUCH},
		{"eth0:1", "interface eth0:1" NO_SUCH},
		{"eth0\n", "interface eth0\\x0a" NO_SUCH},
		{"\x1b[2J", "interface \\x1b[2J" NO_SUCH},
		{"eth\x7f", "interface eth\\x7f" NO_SUCH},
#undef NO_SUCH
		{"lo", "interface lo: named twice"},
	};

	for (size_t i = 0; i < COUNT(bad); i++)
		assert_refused(PARSE("lo", bad[i].name), bad[i].line);
	assert_goes_on(PARSE("fifteen-bytes-x", "a\"b", "münchen0", "anyway"));
	expect_int(o.interfaces.count, 4);
}

TEST(test_many_interfaces)
{
	char names[OPTIONS_MAX_INTERFACES + 1][8];
	const char *arguments[OPTIONS_MAX_INTERFACES + 2] = {0};

	for (unsigned i = 0; i <= OPTIONS_MAX_INTERFACES; i++) {
		snprintf(names[i], sizeof(names[i]), "e%u", i);
		arguments[i] = names[i];
	}
	assert_refused(parse_list(arguments), "interface e64: more than 64 interfaces; name fewer");
	arguments[OPTIONS_MAX_INTERFACES] = NULL;
	assert_goes_on(parse_list(arguments));
	expect_int(o.interfaces.count, OPTIONS_MAX_INTERFACES);
	assert_string_equal(o.interfaces.names[63], "e63");
}

/* ---- words ---- */

static const char here[] = "Makefile", here_too[] = "README.md"; /* files of the folder in which the tests run */

TEST(test_expression)
{
	assert_goes_on(PARSE("eth0", "port", "443", "and", "host", "10.0.0.1"));
	expect_int(o.interfaces.count, 1);
	assert_true(record_passes(&v4_record) && !record_passes(&v6_record));
	assert_goes_on(PARSE("eth0", "-q", "port 22"));
	assert_true(!record_passes(&v4_record) && record_passes(&v6_record));
	assert_goes_on(PARSE("eth0", "tcp", "--", "port 22"));
	expect_int(o.interfaces.count, 2); /* "--" ends the interfaces, and nothing before it is anything else */
	assert_goes_on(PARSE("-r", here, here_too, "port", "22"));
	expect_int(o.files.count, 2);
	assert_true(!record_passes(&v4_record) && record_passes(&v6_record));
	assert_goes_on(PARSE("-r", here, "--", "port", "443"));
	expect_int(o.files.count, 1);
	assert_goes_on(PARSE("-i", "eth0", "tcp"));
	expect_int(o.interfaces.count, 1);
	assert_non_null(o.record_filter.expression);
	assert_goes_on(PARSE("no-such")); /* attaching says so */
	assert_string_equal(o.interfaces.names[0], "no-such");
}

TEST(test_no_expression)
{
	assert_refused(PARSE("eth0", "prot", "443"),
		       "prot 443: no interface \"prot\", and no filter expression: syntax error");
	assert_refused(PARSE("eth0", "eth 0"), "eth 0: no interface \"eth 0\", and no filter expression: syntax error");
	assert_refused(PARSE("eth0", "tcp[13] & 4 != 0"),
		       "tcp[13] & 4 != 0: no interface \"tcp[13] & 4 != 0\", and no filter expression: \"tcp[13]\" "
		       "reads what a connection's record does not have");
	assert_refused(PARSE("-r", here, "no-such"),
		       "no-such: no file \"no-such\", and no filter expression: syntax error");
	assert_refused(PARSE("tcp"), "name an interface, or a capture with -r FILE; see tcpfin-trace --help");
	assert_refused(PARSE("--stuck", "tcp"),
		       "--stuck and --time-wait are about this host's sockets, not interfaces or files");
}

TEST(test_where_refused)
{
	assert_refused(PARSE("--where=half_clsed > 1s", "eth0"),
		       "--where half_clsed > 1s: at 1, \"half_clsed\": no such field; near: half_closed");
}

/* ---- log ---- */

TEST(test_log)
{
	struct caught caught = catch_fd(STDERR_FILENO);

	log_error("%s: %d", "a\nb\x1b", 7);
	log_note("shown");
	log_init("tcpfin-trace", true);
	log_note("hidden");
	log_warn("ü \xff");
	log_init("other", false);
	log_note("%s", "shown again");
	log_init("tcpfin-trace", false);
	release_fd(&caught, err, sizeof(err));
	assert_string_equal(err, "tcpfin-trace: a\\x0ab\\x1b: 7\n"
				 "tcpfin-trace: shown\n"
				 "tcpfin-trace: ü \\xff\n"
				 "other: shown again\n");
}

TEST(test_metrics)
{
	assert_goes_on(PARSE("eth0"));
	assert_null(o.metrics_file);
	assert_goes_on(PARSE("--metrics-file=/run/tcpfin.prom", "--top", "eth0"));
	assert_string_equal(o.metrics_file, "/run/tcpfin.prom");
	assert_goes_on(PARSE("--metrics-file", "a", "-r", "file"));
	assert_refused(PARSE("--metrics-file=", "eth0"), "--metrics-file \"\": a file is a path");
	assert_refused(PARSE("--metrics-file=a", "--stuck"),
		       "metrics are about connections as they close, which this mode does not see");
	assert_goes_on(PARSE("--metrics=9435", "eth0"));
	expect_int(o.metrics.family, 4);
	assert_memory_equal(o.metrics.address, "\x7f\0\0\1", 4);
	expect_int(o.metrics.port, 9435);
	assert_goes_on(PARSE("--metrics=0.0.0.0:65535", "eth0"));
	assert_memory_equal(o.metrics.address, "\0\0\0\0", 4);
	assert_goes_on(PARSE("--metrics=[fe80::1]:1", "eth0"));
	expect_int(o.metrics.family, 6);
	assert_memory_equal(o.metrics.address, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	expect_int(o.metrics.port, 1);
	assert_refused(PARSE("--metrics=9435", "-r", "file"),
		       "--metrics answers while interfaces are watched; for captures there is --metrics-file");
	assert_refused(PARSE("--metrics=9435", "--time-wait"),
		       "metrics are about connections as they close, which this mode does not see");
	assert_refused(PARSE("--metrics-file=a", "--cleanup"),
		       "metrics are about connections as they close, which this mode does not see");
}

TEST(test_metrics_places)
{
	static const char *const wrong[] = {"0",       "65536",  "-1",
					    "x",       ":80",    "[]:80",
					    "[::1]",   "::1:80", "[127.1.1.1]:80",
					    "1.2:80",  "[::1]:", "127.0.0.1:",
					    "[::1:80", "]:80",   "localhost:80",
					    "80 "};
	char message[128];

	for (size_t i = 0; i < COUNT(wrong); i++) {
		enter_row("%s", wrong[i]);
		snprintf(message, sizeof(message),
			 "--metrics %s: a place to listen at is PORT, ADDRESS:PORT or [ADDRESS]:PORT, with a port from "
			 "1 to "
			 "65535",
			 wrong[i]);
		assert_refused(PARSE("--metrics", wrong[i], "eth0"), message);
	}
}

TEST(test_ipfix)
{
	assert_goes_on(PARSE("eth0"));
	assert_null(o.ipfix.text);
	assert_goes_on(PARSE("--ipfix=collector.example:4739", "--top", "eth0"));
	assert_string_equal(o.ipfix.host, "collector.example");
	assert_string_equal(o.ipfix.port, "4739");
	expect_int(o.ipfix_transport, IPFIX_UDP);
	expect_int(o.ipfix_enterprise, 32473);
	expect_int(o.ipfix_domain, 1);
	assert_goes_on(PARSE("--ipfix=[fe80::1%eth0]:065535", "-r", "file", "--ipfix-transport=tcp"));
	assert_string_equal(o.ipfix.host, "fe80::1%eth0");
	assert_string_equal(o.ipfix.port, "65535");
	expect_int(o.ipfix_transport, IPFIX_TCP);
	assert_goes_on(PARSE("--ipfix=a:1", "eth0", "--ipfix-enterprise=4294967295", "--ipfix-domain=0"));
	assert_true(o.ipfix_enterprise == UINT32_MAX && !o.ipfix_domain);
	assert_refused(PARSE("--ipfix-domain=2", "eth0"),
		       "--ipfix-transport, --ipfix-enterprise and --ipfix-domain are about --ipfix; add it");
	assert_refused(PARSE("--ipfix=a:1", "--stuck"),
		       "--ipfix is about connections as they close, which this mode does not see");
	assert_refused(PARSE("--ipfix=a:1", "eth0", "--ipfix-enterprise=29305"),
		       "--ipfix-enterprise 29305: that number stands for the reverse direction (RFC 5103)");
	assert_refused(PARSE("--ipfix=a:1", "eth0", "--ipfix-enterprise=0"),
		       "--ipfix-enterprise 0: an enterprise number is 1 to 4294967295");
}

TEST(test_ipfix_places)
{
	static const char *const wrong[] = {"",       "4739",    ":4739",    "host:",       "host:0", "host:65536",
					    "host:x", "::1:80",  "[::1]",    "[::1]:",      "[]:80",  "[1.2.3.4]:80",
					    "[h]:80", "[::1:80", "h[::1]:1", "fe80::1%e:1", "a b:80", "h:80 "};
	char message[160];

	for (size_t i = 0; i < COUNT(wrong); i++) {
		enter_row("%s", wrong[i]);
		snprintf(message, sizeof(message),
			 *wrong[i]
				 ? "--ipfix %s: a collector is HOST:PORT or [ADDRESS]:PORT, with a port from 1 to 65535"
				 : "--ipfix \"%s\": a collector is HOST:PORT or [ADDRESS]:PORT, with a port from 1 to "
				   "65535",
			 wrong[i]);
		assert_refused(PARSE("--ipfix", wrong[i], "eth0"), message);
	}
}

/* getopt_long would end the options at the first interface. */
static int unset_posixly_correct(void **state)
{
	(void)state;
	return unsetenv("POSIXLY_CORRECT");
}

int main(void)
{
	return run_unit_tests(unset_posixly_correct, NULL);
}
