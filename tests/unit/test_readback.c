// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Records read back from JSON: what is written is read and written again, byte by byte, whatever the order of its
 * members; and each mistake gets its line.
 */
#include "tests/unit/assert.h"
#include "tests/unit/sample_record.h"

#include <errno.h>
#include <unistd.h>

#include "user/format/format.h"
#include "user/readback/json.h"
#include "user/readback/record_file.h"
#include "user/readback/record_reader.h"

static struct record_reader *reader;
static struct buffer line;
static char error[512];

/* ---- JSON ---- */

/* Writes each value down as PATH=VALUE. */
static void write_down(void *context, const char *path, const struct json_value *v)
{
	static const char *const words[] = {"null", "bool", "number", "", "{", "["};
	struct buffer *out = context;

	buffer_printf(out, "%s=%s", path, words[v->type]);
	if (v->type == JSON_STRING)
		buffer_text(out, v->text);
	else if (v->type == JSON_NUMBER && v->whole)
		buffer_printf(out, "%s%llu", v->negative ? "-" : "", (unsigned long long)v->number);
	else if (v->type == JSON_BOOL)
		buffer_text(out, v->truth ? " true" : " false");
	buffer_char(out, ' ');
}

static const char *read_text(const char *text, struct buffer *out, size_t *at)
{
	char copy[1024];

	snprintf(copy, sizeof(copy), "%s", text);
	return json_read(copy, strlen(copy), write_down, out, at);
}

TEST(test_json)
{
	static const struct {
		const char *name, *values;
	} rows[] = {
		{"{}", "={ "},
		{" [ 1 , -2,0 ] ", "=[ []=number1 []=number-2 []=number0 "},
		{"{\"a\":{\"b\":[{\"c\":null}]}}", "={ a={ a.b=[ a.b[]={ a.b[].c=null "},
		{"[18446744073709551615,18446744073709551616]", "=[ []=number18446744073709551615 []=number "},
		{"[1.5,1e3,-0,0.5E-7]", "=[ []=number []=number []=number-0 []=number "},
		{"[true,false,null,[[]]]", "=[ []=bool true []=bool false []=null []=[ [][]=[ "},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "=\"\\/\b\f\n\r\t "},
		{"\"\\u00e9\\u20AC\\ud83d\\ude00\"", "=\u00e9\u20ac\U0001f600 "},
		{"\"\u00e9\u20ac\U0001f600\"", "=\u00e9\u20ac\U0001f600 "},
		{"{\"a[]\":1,\"b.c\":2}", "={ a?]=number1 b.c=number2 "},
	};
	size_t at;

	FOR_EACH_ROW(rows, row) {
		struct buffer out = {0};

		assert_null(read_text(row->name, &out, &at));
		buffer_char(&out, '\0');
		assert_string_equal(out.data, row->values);
		buffer_free(&out);
	}
}

TEST(test_no_json)
{
	static const struct {
		const char *name, *fault;
		size_t at;
	} rows[] = {
		{"", "the line ends within a value", 0},
		{"{", "no string where one must be", 1},
		{"{\"a\"", "no colon behind a name", 4},
		{"{\"a\":", "the line ends within a value", 5},
		{"{\"a\":1", "the line ends within a record", 6},
		{"{\"a\":1,}", "no string where one must be", 7},
		{"{\"a\":1}}", "more behind the end of the value", 7},
		{"[1,]", "no value where one must be", 3},
		{"[1 2]", "no comma or closing bracket where one must be", 3},
		{"{'a':1}", "no string where one must be", 1},
		{"[01]", "a number that begins with 0", 1},
		{"[-]", "no digit where one must be", 2},
		{"[+1]", "no value where one must be", 1},
		{"[.5]", "no value where one must be", 1},
		{"[1.]", "no digit where one must be", 3},
		{"[1e]", "no digit where one must be", 3},
		{"[NaN]", "no value where one must be", 1},
		{"[nul]", "no value where one must be", 1},
		{"\"a", "an unfinished string", 2},
		{"\"a\tb\"", "a control character in a string", 2},
		{"\"\\x41\"", "an escape that JSON does not have", 2},
		{"\"\\u12g4\"", "an escape that JSON does not have", 5},
		{"\"\\u0000\"", "U+0000 in a string", 7},
		{"\"\\ud83d\"", "an escape that JSON does not have", 7},
		{"\"\\ud83d\\u0041\"", "an escape that JSON does not have", 13},
		{"\"\\ude00\"", "an escape that JSON does not have", 7},
		{"\"\xc0\x80\"", "text that is not UTF-8", 1},
		{"\"\xed\xa0\x80\"", "text that is not UTF-8", 1},
		{"\"\xf4\x90\x80\x80\"", "text that is not UTF-8", 1},
		{"\"\xff\"", "text that is not UTF-8", 1},
		{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "more than 16 objects or arrays within each other", 17},
	};
	size_t at;

	FOR_EACH_ROW(rows, row) {
		struct buffer out = {0};
		const char *fault = read_text(row->name, &out, &at);

		assert_non_null(fault);
		assert_string_equal(fault, row->fault);
		expect_int(at, row->at);
		buffer_free(&out);
	}
}

/* ---- records ---- */

static enum line_kind read_line(const struct record **r)
{
	buffer_char(&line, '\0');
	return record_reader_take(reader, line.data, line.len - 1, r, error, sizeof(error));
}

/* Writes what `make` makes into the line, without the newline. */
static void write_sample(void (*make)(struct record *r))
{
	struct record r;

	make(&r);
	line.len = 0;
	format_json(&line, &r);
	line.len--;
}

static void sample_odd(struct record *r)
{
	sample_sockets(r);
	r->interfaces[1] = "eth1";
	r->interfaces[0] = "a\"b\\c\x01\x7f\xe2\x80\xae";
	r->host = "h\xc3\xb6st";
	r->vlan[0] = 0;
	r->vlan[1] = 4095;
	r->tunnel = TUNNEL_VXLAN;
	r->tunnel_id = 0;
	r->icmp.known = true;
	r->icmp.type = 3;
	r->mtu_black_hole.sender = DESTINATION;
	r->mtu_black_hole.bytes = 1448;
	r->mtu_black_hole.retransmits = 65535;
	r->mtu_black_hole.passed = 512;
	r->related_count = RECORD_RELATED;
	for (unsigned i = 0; i < RECORD_RELATED; i++)
		memset(r->related[i].id, 'a' + (int)i, EVENT_ID_SIZE - 1);
	r->segments[1].mark = SEGMENT_JUMPED | SEGMENT_COPY;
	r->segments[1].t = 0;
	r->closer = NETWORK;
	r->reset.by = DESTINATION;
	r->reset.forged = YES;
	r->reset.mptcp = 8;
	r->segments[0].mark = SEGMENT_RECALLED;
	r->silence = INT64_MAX;
	r->silence_at_most = true;
	r->final = false;
}

TEST(test_round_trip)
{
	static const struct {
		const char *name;
		void (*make)(struct record *r);
	} rows[] = {
		{"graceful", sample_graceful}, {"reset", sample_reset},     {"unanswered", sample_unanswered},
		{"counted", sample_counted},   {"sockets", sample_sockets}, {"held", sample_held},
		{"lost", sample_lost},         {"odd", sample_odd},
	};
	const struct record *r;

	FOR_EACH_ROW(rows, row) {
		struct buffer again = {0}, before = {0};

		write_sample(row->make);
		buffer_bytes(&before, line.data, line.len);
		expect_int(read_line(&r), LINE_RECORD);
		format_json(&again, r);
		again.data[again.len - 1] = '\0';
		buffer_char(&before, '\0');
		assert_string_equal(again.data, before.data);
		buffer_free(&again);
		buffer_free(&before);
	}
}

/* A line of a record leaves nothing to the next one. */
TEST(test_lines_are_apart)
{
	const struct record *r;
	struct record blank;

	write_sample(sample_odd);
	expect_int(read_line(&r), LINE_RECORD);
	write_sample(sample_graceful);
	expect_int(read_line(&r), LINE_RECORD);
	sample_graceful(&blank);
	assert_null(r->host);
	expect_int(r->vlan[1], -1);
	expect_int(r->tunnel, TUNNEL_NONE);
	expect_int(r->related_count, 0);
	expect_int(r->icmp.known, false);
	expect_int(r->mtu_black_hole.bytes, 0);
	expect_int(r->mtu_black_hole.passed, 0);
	expect_int(r->reset.by, NOBODY);
	expect_int(r->reset.mptcp, SEGMENT_NO_MPTCP);
	expect_int(r->segment_count, blank.segment_count);
}

/* Replaces the first `from` in the line. */
static void change(const char *from, const char *to)
{
	struct buffer changed = {0};
	char *found;

	buffer_char(&line, '\0');
	found = strstr(line.data, from);
	assert_non_null(found);
	buffer_bytes(&changed, line.data, (size_t)(found - line.data));
	buffer_text(&changed, to);
	buffer_text(&changed, found + strlen(from));
	buffer_free(&line);
	line = changed;
}

/* In the line of sample_sockets, `from` becomes `to`. */
TEST(test_no_record)
{
	static const struct {
		const char *name, *from, *to, *fault;
	} rows[] = {
		{"a word", "\"graceful\"", "\"gracefull\"", "tcp.outcome is a word that this version does not know"},
		{"no word", "\"outcome\":\"graceful\"", "\"outcome\":1", "tcp.outcome is no word"},
		{"null", "\"outcome\":\"graceful\"", "\"outcome\":null", "tcp.outcome is null"},
		{"missing", "\"outcome\":", "\"outcom\":", "tcp.outcome is missing"},
		{"twice", "\"outcome\":", "\"midstream\":false,\"outcome\":", "tcp.midstream is there twice"},
		{"dotted twice", "\"tcp\":{", "\"tcp.outcome\":\"reset\",\"tcp\":{", "tcp.outcome is there twice"},
		{"2^64", "\"completeness\":31", "\"completeness\":18446744073709551616",
		 "tcp.completeness is no integer below 2^64"},
		{"2^31", "\"completeness\":31", "\"completeness\":2147483648", "tcp.completeness is too large"},
		{"a fraction", "\"completeness\":31", "\"completeness\":31.0",
		 "tcp.completeness is no integer below 2^64"},
		{"below 0", "\"completeness\":31", "\"completeness\":-31", "tcp.completeness is negative"},
		{"no number", "\"completeness\":31", "\"completeness\":\"31\"", "tcp.completeness is no number"},
		{"a port", "\"port\":63164", "\"port\":65536", "source.port is too large"},
		{"an address", "\"192.168.139.29\"", "\"192.168.139.256\"", "source.ip is no address"},
		{"families", "\"192.168.139.29\"", "\"::1\"",
		 "destination.ip is of another family than the other address"},
		{"a time", "\"@timestamp\":\"2026-11-22T", "\"@timestamp\":\"2026-11-31T",
		 "@timestamp is no time such as 2026-11-22T06:07:35.565665123Z"},
		{"an identifier", "\"id\":\"0000", "\"id\":\"00\\\"0", "event.id is no identifier of 32 digits"},
		{"a history", "\"ShADadFfA\"", "\"Sh\\u001b[A\"",
		 "tcp.conn_state, tcp.history have other characters than Zeek's"},
		{"a long history", "\"ShADadFfA\"", "\"ShADadFfAShADadFfAShADadFfA\"", "tcp.history is too long"},
		{"evidence", "\"peer_fin_ack\":6", "\"peer_fin_ack\":19",
		 "tcp.evidence names an entry that tcp.segments does not have"},
		{"a segment", "\"segments\":[{", "\"segments\":[1,{", "tcp.segments[] is no object"},
		{"its sender", "\"from\":\"source\"", "\"from\":\"both\"",
		 "tcp.segments[].from is a word that this version does not know"},
		{"its flags", "\"flags\":\"S\"", "\"flags\":\"X\"",
		 "tcp.segments[].flags has letters that are no TCP flags in tcpdump's order"},
		{"its number",
		 "\"raw_seq\":", "\"raw_seq\":4294967296,\"was\":", "tcp.segments[].raw_seq is too large"},
		{"the resetter", "\"reset\":{\"by\":\"source\"", "\"reset\":{\"by\":\"both\"",
		 "tcp.reset.by is neither source nor destination"},
		{"true", "\"midstream\":false", "\"midstream\":0", "tcp.midstream is neither true nor false"},
		{"no JSON", "{\"@timestamp\"", "{,", "byte 2: no string where one must be"},
	};
	const struct record *r;

	FOR_EACH_ROW(rows, row) {
		write_sample(sample_sockets);
		change(row->from, row->to);
		expect_int(read_line(&r), LINE_BROKEN);
		assert_string_equal(error, row->fault);
	}
}

TEST(test_too_many)
{
	const struct record *r;

	write_sample(sample_graceful);
	line.len -= strlen("],\"segments_lost\":0}}");
	for (int i = 0; i < RECORD_SEGMENTS; i++)
		buffer_text(&line, ",{}");
	buffer_text(&line, "],\"segments_lost\":0}}");
	expect_int(read_line(&r), LINE_BROKEN);
	assert_string_equal(error, "tcp.segments[] has more entries than a record can have");
}

TEST(test_other_lines)
{
	static const struct {
		const char *name;
		enum line_kind kind;
	} rows[] = {
		{"{\"event\":{\"dataset\":\"tcpfin.stuck\"},\"source\":{\"ip\":1}}", LINE_OTHER},
		{"{}", LINE_OTHER},
		{"{\"event\":{\"dataset\":7}}", LINE_OTHER},
		{"{\"event\":{\"dataset\":\"tcpfin.close\"}}", LINE_BROKEN},
		{"[]", LINE_BROKEN},
		{"7", LINE_BROKEN},
	};
	const struct record *r;

	FOR_EACH_ROW(rows, row) {
		line.len = 0;
		buffer_text(&line, row->name);
		expect_int(read_line(&r), row->kind);
	}
}

/* Other programs add members, and sort them. */
TEST(test_other_writers)
{
	const struct record *r;

	write_sample(sample_graceful);
	change("\"tcp\":{", "\"@metadata\":{\"a\":[1.5e400,{\"b\":[]}]},\"tcp\":{\"new\":99999999999999999999,");
	expect_int(read_line(&r), LINE_RECORD);
	expect_int(r->timing[T_CLOSE], 38053000);
	write_sample(sample_graceful);
	change("{\"@timestamp\"", "{\"tcp.timing.close\":5,\"@timestamp\"");
	change("\"close\":38053000", "\"shut\":1");
	expect_int(read_line(&r), LINE_RECORD);
	expect_int(r->timing[T_CLOSE], 5);
}

/* What an older version did not write is as if it had not been seen; what is never null is 0. */
TEST(test_older_writers)
{
	const struct record *r;

	write_sample(sample_graceful);
	change("\"completeness\"", "\"complete\"");
	change("\"isn\":{", "\"numbers\":{");
	expect_int(read_line(&r), LINE_RECORD);
	expect_int(r->completeness, 0);
	expect_int(r->isn[SOURCE], NUMBER_UNSEEN);
}

/* ---- files ---- */

static struct record_file *open_lines(const char *text, size_t len)
{
	struct record_file *file;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	assert_int_equal(write(ends[1], text, len), len);
	close(ends[1]);
	assert_int_equal(record_file_open(&file, "-", error, sizeof(error)), 0);
	return file;
}

/* Lines of other datasets and empty ones are passed over; the last line may lack its newline. */
TEST(test_file)
{
	const struct record *r;
	struct record_file *file;
	struct record last;

	sample_reset(&last);
	write_sample(sample_graceful);
	buffer_text(&line, "\n\n{\"event\":{\"dataset\":\"tcpfin.rate\"}}\r\n \n");
	format_json(&line, &last);
	line.len--;
	file = open_lines(line.data, line.len);
	expect_int(record_file_next(file, &r, error, sizeof(error)), 1);
	expect_int(r->outcome, OUTCOME_GRACEFUL);
	expect_int(record_file_next(file, &r, error, sizeof(error)), 1);
	expect_int(record_file_next(file, &r, error, sizeof(error)), 0);
	expect_int(record_file_others(file), 1);
	record_file_close(file);
}

TEST(test_broken_line)
{
	const struct record *r;
	struct record_file *file;

	write_sample(sample_graceful);
	buffer_text(&line, "\n\n{\"event\":");
	file = open_lines(line.data, line.len);
	expect_int(record_file_next(file, &r, error, sizeof(error)), 1);
	expect_int(record_file_next(file, &r, error, sizeof(error)), -EBADMSG);
	assert_string_equal(error, "standard input:3: no readable record: byte 10: the line ends within a value");
	record_file_close(file);
}

TEST(test_no_file)
{
	struct record_file *file;

	expect_int(record_file_open(&file, "/nonexistent/records", error, sizeof(error)), -ENOENT);
	assert_string_equal(error, "/nonexistent/records: No such file or directory");
}

int main(void)
{
	reader = record_reader_new();
	return run_unit_tests(NULL, NULL);
}
