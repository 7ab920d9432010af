// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kafka_cluster BROKERS TOPIC PARTITIONS: librdkafka's mock cluster. Prints the brokers' addresses in a line, then
 * answers each line of standard input with "done" until its end:
 *
 *	down N, up N        broker N (from 1) goes, or comes back
 *	errors CODE COUNT   the next COUNT requests to produce fail with that error of the protocol
 */
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define PRODUCE 0 /* ApiKey */

static void fail_next(rd_kafka_mock_cluster_t *cluster, int error, int count)
{
	while (count-- > 0)
		rd_kafka_mock_push_request_errors(cluster, PRODUCE, 1, (rd_kafka_resp_err_t)error);
}

static void obey(rd_kafka_mock_cluster_t *cluster, const char *line)
{
	int n, count;

	if (sscanf(line, "down %d", &n) == 1)
		rd_kafka_mock_broker_set_down(cluster, n);
	else if (sscanf(line, "up %d", &n) == 1)
		rd_kafka_mock_broker_set_up(cluster, n);
	else if (sscanf(line, "errors %d %d", &n, &count) == 2)
		fail_next(cluster, n, count);
	else
		exit(2);
	puts("done");
}

int main(int argc, char **argv)
{
	rd_kafka_mock_cluster_t *cluster;
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[200];
	rd_kafka_t *handle;
	int brokers;

	if (argc != 4)
		return 2;
	brokers = (int)strtol(argv[1], NULL, 10);
	rd_kafka_conf_set(conf, "log_level", "0", text, sizeof(text));
	handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	cluster = handle ? rd_kafka_mock_cluster_new(handle, brokers) : NULL;
	if (!cluster)
		return 1;
	rd_kafka_mock_topic_create(cluster, argv[2], (int)strtol(argv[3], NULL, 10), brokers);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts(rd_kafka_mock_cluster_bootstraps(cluster));
	while (fgets(text, sizeof(text), stdin))
		obey(cluster, text);
	return 0;
}
