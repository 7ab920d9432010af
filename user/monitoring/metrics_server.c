// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * HTTP is libmicrohttpd's; this file opens the listening socket, bounds connections, and hands over the text.
 */
#include "user/monitoring/metrics_server.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>

#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/sandbox.h"
#include "user/monitoring/accept_header.h"

#define BACKLOG 16
#define SILENT_SECONDS 5       /* a connection on which nothing moves */
#define CONNECTION_BYTES 16384 /* for its request; the answer has memory of its own */

struct metrics_server {
	struct MHD_Daemon *daemon;
	void (*print)(void *context, struct buffer *out, enum exposition_format format);
	void *context;
	struct {
		struct MHD_Connection *connection; /* NULL: free */
		uint64_t end;                      /* ns of CLOCK_MONOTONIC: when it is cut off */
	} open[METRICS_CONNECTIONS];
};

/* ---- answers ---- */

/* Hands the response over; the connection is closed behind it. */
static enum MHD_Result send_response(struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
				     const char *type)
{
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status)
{
	static char text[] = "Metrics are at /metrics.\n";

	return send_response(connection, status,
			     MHD_create_response_from_buffer(sizeof(text) - 1, text, MHD_RESPMEM_PERSISTENT),
			     "text/plain");
}

static enum MHD_Result send_metrics(struct metrics_server *s, struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
	enum exposition_format format = accept_header_format(accept);
	struct buffer text = {0};
	struct MHD_Response *response;

	s->print(s->context, &text, format);
	response = MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_FREE);
	if (!response)
		buffer_free(&text);
	return send_response(connection, MHD_HTTP_OK, response, exposition_content_type(format));
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *body, size_t *body_len, void **state)
{
	(void)version;
	(void)body;
	(void)body_len;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED);
	if (strcmp(url, "/metrics") != 0)
		return refuse(connection, MHD_HTTP_NOT_FOUND);
	return send_metrics(context, connection);
}

/* ---- connections ---- */

static void note_connection(void *context, struct MHD_Connection *connection, void **state,
			    enum MHD_ConnectionNotificationCode what)
{
	bool started = what == MHD_CONNECTION_NOTIFY_STARTED;
	struct metrics_server *s = context;

	(void)state;
	for (unsigned i = 0; i < METRICS_CONNECTIONS; i++) {
		if (s->open[i].connection != (started ? NULL : connection))
			continue;
		s->open[i].connection = started ? connection : NULL;
		s->open[i].end = clock_ns(CLOCK_MONOTONIC) + METRICS_CONNECTION_NS;
		return;
	}
}

/* A scraper that reads a byte now and then is never silent: its connection ends all the same. */
static void cut_off(struct metrics_server *s)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);

	for (unsigned i = 0; i < METRICS_CONNECTIONS; i++) {
		struct MHD_Connection *connection = s->open[i].connection;
		const union MHD_ConnectionInfo *info;

		if (!connection || now < s->open[i].end)
			continue;
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
		if (info)
			shutdown(info->connect_fd, SHUT_RDWR);
	}
}

void metrics_server_poll(struct metrics_server *s)
{
	if (!s)
		return;
	cut_off(s);
	MHD_run(s->daemon);
}

/* ---- beginning and end ---- */

static int bind_to(int fd, const struct option_listen *where)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(where->port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(where->port)};

	if (where->family == 6) {
		memcpy(&v6.sin6_addr, where->address, sizeof(v6.sin6_addr));
		return bind(fd, (struct sockaddr *)&v6, sizeof(v6));
	}
	memcpy(&v4.sin_addr, where->address, sizeof(v4.sin_addr));
	return bind(fd, (struct sockaddr *)&v4, sizeof(v4));
}

/* The listening socket, or a negative errno. */
static int listen_at(const struct option_listen *where)
{
	int fd = socket(where->family == 6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
		   sizeof(on)); /* connections of an earlier run may be in TIME-WAIT */
	if (!bind_to(fd, where) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* The daemon takes the socket over. */
static struct MHD_Daemon *start_daemon(struct metrics_server *s, int fd)
{
	return MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, s, MHD_OPTION_LISTEN_SOCKET, fd,
				MHD_OPTION_CONNECTION_LIMIT, (unsigned)METRICS_CONNECTIONS,
				MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SILENT_SECONDS,
				MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
				MHD_OPTION_NOTIFY_CONNECTION, note_connection, s, MHD_OPTION_END);
}

int metrics_server_open(struct metrics_server **place, const struct option_listen *where,
			void (*print)(void *context, struct buffer *out, enum exposition_format format), void *context)
{
	struct metrics_server *s = calloc(1, sizeof(*s));
	int fd = s ? listen_at(where) : -ENOMEM;

	*place = s;
	if (fd < 0) {
		log_error("--metrics %s: %s", where->text,
			  fd == -EACCES ? "a port below 1024 takes CAP_NET_BIND_SERVICE" : strerror(-fd));
		return privileges_exit_code(fd);
	}
	s->print = print;
	s->context = context;
	s->daemon = start_daemon(s, fd);
	if (!s->daemon) {
		close(fd);
		log_error("--metrics %s: the HTTP server cannot be started", where->text);
		return EXIT_RUNTIME;
	}
	sandbox_allow_accept(fd);
	return EXIT_FINE;
}

void metrics_server_close(struct metrics_server *s)
{
	if (s && s->daemon)
		MHD_stop_daemon(s->daemon);
	free(s);
}
