/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * librdkafka, loaded when it is asked for: whoever does not use --kafka needs neither the library nor what it links.
 */
#ifndef TCPFIN_LIBRDKAFKA_H
#define TCPFIN_LIBRDKAFKA_H

#include <librdkafka/rdkafka.h>

/* The functions that are used, without their prefix rd_kafka_. */
#define LIBRDKAFKA_FUNCTIONS(use)                                                                               \
	use(conf_new) use(conf_set) use(conf_set_dr_msg_cb) use(conf_set_error_cb) use(conf_set_log_cb)         \
		use(conf_set_opaque) use(err2str) use(last_error) use(new) use(outq_len) use(poll) use(produce) \
			use(topic_new)

struct librdkafka {
#define MEMBER(name) __typeof__(rd_kafka_##name) *(name);
	LIBRDKAFKA_FUNCTIONS(MEMBER)
#undef MEMBER
};

/* NULL, or why the library cannot be used: text of dlerror(3). */
const char *librdkafka_load(struct librdkafka *lib);

#endif
