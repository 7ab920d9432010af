/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Settings of librdkafka: ours, and the lines of --kafka-config.
 */
#ifndef TCPFIN_SETTINGS_H
#define TCPFIN_SETTINGS_H

#include <stdbool.h>

#include "user/cli/options.h"

struct kafka_setting {
	const char *name, *value;
	unsigned line; /* of the file; 0: ours */
};

struct kafka_settings {
	struct kafka_setting *list;
	unsigned count;
	char *text; /* the file's, which names and values point into */
};

/*
 * Reads them; a later one replaces an earlier one of the same name. A line is NAME=VALUE, empty, or begins with '#'.
 * An exit code; errors have been logged. kafka_settings_free in every case.
 */
int kafka_settings_read(struct kafka_settings *s, const struct options *options);
void kafka_settings_free(struct kafka_settings *s);

#endif
