// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The program's side: records wait in a buffer as entries (exchange.h) until the process has taken them.
 */
#define _GNU_SOURCE 1 /* pipe2 */
#include "user/kafka/kafka.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/log.h"
#include "user/base/stop.h"
#include "user/format/format.h"
#include "user/kafka/exchange.h"
#include "user/kafka/producer.h"
#include "user/kafka/settings.h"
#include "user/record/community_id.h"

#define SEND_BYTES (EXCHANGE_MESSAGE / 2) /* that wait before they are sent between two polls */
#define END_SECONDS (PRODUCER_LAST_SECONDS + 5)
#define QUIET_NS (60 * SECOND_NS) /* between two lines about troubles */
#define TROUBLE sizeof(((struct exchange_state *)NULL)->trouble)

struct kafka {
	bool patient; /* of a capture, which can wait */
	int records, alive;
	struct exchange_state *state;
	struct buffer waiting;
	size_t begun;       /* bytes of it that have been sent */
	uint64_t waits;     /* records in `waiting` */
	uint64_t made;      /* records */
	uint64_t not_taken; /* records that found KAFKA_WAITING bytes waiting */
	uint64_t too_large; /* records that no message to the process can hold */
	size_t most;        /* bytes of a message; less than EXCHANGE_MESSAGE where the socket takes no more */
	uint32_t troubles_said;
	uint64_t next_said; /* ns of CLOCK_MONOTONIC */
	bool gone;          /* the process has ended */
};

/* ---- starting ---- */

/* Of memory that the process may still write: what was checked there could change. */
static void copy_trouble(char *text, const struct kafka *k)
{
	memcpy(text, k->state->trouble, TROUBLE);
	text[TROUBLE - 1] = '\0';
}

static void init_start(const struct kafka *k, struct producer_start *start, const struct options *options,
		       const struct kafka_settings *settings)
{
	*start = (struct producer_start){
		.state = k->state, .settings = settings, .topic = options->kafka.topic, .patient = k->patient};
}

/* Forks the process. 0 or a negative errno. */
static int fork_producer(struct kafka *k, struct producer_start *start)
{
	int records[2] = {-1, -1}, alive[2] = {-1, -1}, err = 0;
	pid_t child = -1;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, records) || pipe2(alive, O_CLOEXEC))
		err = -errno;
	start->records = records[1];
	start->alive = alive[1];
	if (!err)
		child = fork();
	if (!child)
		producer_run(start);
	if (!err && child < 0)
		err = -errno;
	k->records = records[0];
	k->alive = alive[0];
	close(records[1]);
	close(alive[1]);
	return err;
}

/* Waits until it is ready. False: it has ended instead. */
static bool is_ready(const struct kafka *k)
{
	char byte;
	ssize_t n;

	do
		n = read(k->alive, &byte, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

static int start_producer(struct kafka *k, const struct options *options, const struct kafka_settings *settings)
{
	struct producer_start start;
	char trouble[TROUBLE];
	int err;

	init_start(k, &start, options, settings);
	err = fork_producer(k, &start);
	if (!err)
		err = fcntl(k->records, F_SETFL, O_NONBLOCK) ? -errno : 0;
	if (!err && is_ready(k))
		return EXIT_FINE;
	copy_trouble(trouble, k);
	log_error("--kafka: %s", err ? strerror(-err) : trouble);
	return EXIT_RUNTIME;
}

static int start(struct kafka *k, const struct options *options)
{
	struct kafka_settings settings = {0};
	int code;

	k->state = mmap(NULL, sizeof(*k->state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (k->state == MAP_FAILED) {
		k->state = NULL;
		log_error("--kafka: %s", strerror(errno));
		return EXIT_RUNTIME;
	}
	code = kafka_settings_read(&settings, options);
	if (code == EXIT_FINE)
		code = start_producer(k, options, &settings);
	kafka_settings_free(&settings);
	return code;
}

int kafka_start(struct kafka **k, const struct options *options)
{
	struct kafka *new;
	int code;

	*k = NULL;
	if (!options->kafka.topic)
		return EXIT_FINE;
	new = calloc(1, sizeof(*new));
	if (!new) {
		log_error("out of memory");
		return EXIT_RUNTIME;
	}
	new->records = new->alive = -1;
	new->most = EXCHANGE_MESSAGE;
	new->patient = options->files.count;
	code = start(new, options);
	if (code == EXIT_FINE)
		*k = new;
	else
		kafka_free(new);
	return code;
}

void kafka_free(struct kafka *k)
{
	if (!k)
		return;
	if (k->records >= 0)
		close(k->records);
	if (k->alive >= 0)
		close(k->alive);
	if (k->state)
		munmap(k->state, sizeof(*k->state));
	buffer_free(&k->waiting);
	free(k);
}

/* ---- what the process says ---- */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* A count of the process: no more than were made is believed. */
static uint64_t believed(const struct kafka *k, const uint64_t *counter)
{
	return least(__atomic_load_n(counter, __ATOMIC_ACQUIRE), k->made);
}

/* The last trouble, at most one line each QUIET_NS. */
static void say_trouble(struct kafka *k)
{
	uint32_t troubles = __atomic_load_n(&k->state->troubles, __ATOMIC_ACQUIRE);
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	char text[TROUBLE];

	if (troubles == k->troubles_said || now < k->next_said)
		return;
	copy_trouble(text, k);
	log_warn("Kafka: %s", text);
	k->troubles_said = troubles;
	k->next_said = now + QUIET_NS;
}

/* ---- handing over ---- */

/* Bytes of the entries, as many as make one message, but one at least; *count: of entries. */
static size_t next_message(const struct kafka *k, unsigned *count)
{
	const char *from = k->waiting.data + k->begun;
	size_t left = k->waiting.len - k->begun, size = 0, whole;
	struct exchange_entry entry;

	*count = 0;
	while (size < left) {
		memcpy(&entry, from + size, sizeof(entry));
		whole = sizeof(entry) + entry.key_size + entry.value_size;
		if (*count && size + whole > k->most)
			break;
		size += whole;
		++*count;
	}
	return size;
}

/* The process has ended, killed by somebody or for want of memory: it cannot be started again without rights. */
static void note_gone(struct kafka *k)
{
	if (!k->gone)
		log_error("Kafka's process has ended: no more records reach Kafka; restart the watch");
	k->gone = true;
	k->waits = 0;
	k->waiting.len = k->begun = 0;
}

static void note_too_large(struct kafka *k, size_t size)
{
	if (!k->too_large++)
		log_warn("Kafka: a record of %zu bytes is not handed over: larger than messages to Kafka's process",
			 size);
}

/* The socket's buffer (net.core.wmem_default) is smaller than the message: fewer entries go into the next one. */
static void shrink_messages(struct kafka *k, size_t size, unsigned count)
{
	if (count > 1) {
		k->most = size - 1;
		return;
	}
	note_too_large(k, size);
	k->begun += size;
	k->waits--;
}

/* Sends one message. False: the process does not take it now, or is gone. */
static bool send_message(struct kafka *k)
{
	unsigned count;
	size_t size = next_message(k, &count);
	ssize_t n = write(k->records, k->waiting.data + k->begun, size);

	if (n < 0 && errno == EMSGSIZE) {
		shrink_messages(k, size, count);
		return true;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		note_gone(k);
	if (n != (ssize_t)size)
		return false;
	k->begun += size;
	k->waits -= count;
	return true;
}

static void send_waiting(struct kafka *k)
{
	while (k->waits && send_message(k))
		;
	memmove(k->waiting.data, k->waiting.data + k->begun, k->waiting.len - k->begun);
	k->waiting.len -= k->begun;
	k->begun = 0;
}

/* Waits a while for the process to take more. False: a signal has asked to stop, or a live watch has waited. */
static bool wait_for_room(struct kafka *k)
{
	struct pollfd fd = {.fd = k->records, .events = POLLOUT};
	int n = poll(&fd, 1, k->patient ? 1000 : END_SECONDS * 1000);

	say_trouble(k);
	return k->patient ? stop_go_on() : n > 0;
}

static void send_all(struct kafka *k)
{
	send_waiting(k);
	while (k->waits && wait_for_room(k))
		send_waiting(k);
}

/* Appends an entry. Its bytes, of which more than EXCHANGE_MESSAGE are left out. */
static size_t append(struct buffer *b, const struct record *r)
{
	size_t head = b->len, value, size;
	struct exchange_entry entry;
	char id[COMMUNITY_ID_SIZE];

	community_id(id, r->family, r->end);
	entry.key_size = (uint32_t)strlen(id);
	buffer_bytes(b, &entry, sizeof(entry));
	buffer_bytes(b, id, entry.key_size);
	value = b->len;
	format_json(b, r);
	b->len--; /* the line's end */
	entry.value_size = (uint32_t)(b->len - value);
	memcpy(b->data + head, &entry, sizeof(entry));
	size = b->len - head;
	if (size > EXCHANGE_MESSAGE)
		b->len = head;
	return size;
}

void kafka_add(struct kafka *k, const struct record *r)
{
	size_t size;

	if (!k)
		return;
	k->made++;
	if (k->gone)
		return;
	if (k->waiting.len > KAFKA_WAITING) {
		k->not_taken++;
		return;
	}
	size = append(&k->waiting, r);
	if (size > EXCHANGE_MESSAGE) {
		note_too_large(k, size);
		return;
	}
	k->waits++;
	if (k->waiting.len < SEND_BYTES)
		return;
	if (k->patient && !stop_asked())
		send_all(k);
	else
		send_waiting(k);
}

void kafka_poll(struct kafka *k)
{
	if (!k)
		return;
	send_waiting(k);
	say_trouble(k);
}

static uint64_t delivered(const struct kafka *k)
{
	return believed(k, &k->state->delivered);
}

/* Losses of a kind that the process has counted, and the program's own. */
static uint64_t losses(const struct kafka *k, enum exchange_loss kind)
{
	uint64_t own = 0;

	if (kind == EXCHANGE_QUEUE_FULL)
		own = k->not_taken;
	else if (kind == EXCHANGE_REFUSED)
		own = k->too_large;
	return believed(k, &k->state->lost[kind]) + own;
}

uint64_t kafka_lost(const struct kafka *k)
{
	uint64_t lost = 0;

	if (!k)
		return 0;
	if (k->gone)
		return k->made - delivered(k);
	for (int i = 0; i < EXCHANGE_LOSSES; i++)
		lost += losses(k, i);
	return least(lost, k->made);
}

/* ---- the end ---- */

/* Its end of the pipe is closed once it has ended. False: it has not. */
static bool has_ended(const struct kafka *k)
{
	struct pollfd fd = {.fd = k->alive};

	return poll(&fd, 1, 100) > 0;
}

/* Waits while it delivers, and a little longer than it waits itself. */
static void wait_for_end(const struct kafka *k)
{
	uint64_t since = clock_ns(CLOCK_MONOTONIC), most = delivered(k), now;

	while (!has_ended(k) && clock_ns(CLOCK_MONOTONIC) - since < END_SECONDS * SECOND_NS) {
		stop_interrupted();
		now = delivered(k);
		if (now > most) {
			since = clock_ns(CLOCK_MONOTONIC);
			most = now;
		}
	}
}

static void append_losses(struct buffer *line, const struct kafka *k, uint64_t lost)
{
	static const char *const why[EXCHANGE_LOSSES] = {
		[EXCHANGE_QUEUE_FULL] = "beyond the memory for what waits",
		[EXCHANGE_TIMED_OUT] = "not taken in time",
		[EXCHANGE_REFUSED] = "refused",
	};
	uint64_t left = lost, n;

	buffer_printf(line, ", %llu lost:", (unsigned long long)lost);
	for (int i = 0; i < EXCHANGE_LOSSES; i++) {
		n = least(losses(k, i), left);
		left -= n;
		if (n)
			buffer_printf(line, " %llu %s,", (unsigned long long)n, why[i]);
	}
	if (left)
		buffer_printf(line, " %llu not taken when the run ended,", (unsigned long long)left);
	line->len--;
}

static void say_end(const struct kafka *k)
{
	uint64_t lost = k->made - delivered(k);
	struct buffer line = {0};

	buffer_printf(&line, "Kafka: %llu record%s delivered", (unsigned long long)delivered(k),
		      delivered(k) == 1 ? "" : "s");
	if (lost)
		append_losses(&line, k, lost);
	buffer_char(&line, '\0');
	if (lost)
		log_warn("%s", line.data);
	else
		log_note("%s", line.data);
	buffer_free(&line);
}

void kafka_end(struct kafka *k)
{
	if (!k)
		return;
	if (k->patient && stop_asked())
		send_waiting(k);
	else
		send_all(k);
	shutdown(k->records, SHUT_RDWR); /* close() is not enough: the helper may have a copy of it */
	wait_for_end(k);
	k->gone = true;
	k->next_said = 0;
	say_trouble(k);
	say_end(k);
}
