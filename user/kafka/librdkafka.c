// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Loads librdkafka by the name of its binary interface, which has been 1 since its first release.
 */
#include "user/kafka/librdkafka.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

const char *librdkafka_load(struct librdkafka *lib)
{
	void *library = dlopen("librdkafka.so.1", RTLD_NOW), *symbol;

	if (!library)
		return dlerror();
#define LOAD(name)                                  \
	symbol = dlsym(library, "rd_kafka_" #name); \
	if (!symbol)                                \
		return dlerror();                   \
	memcpy(&lib->name, &symbol, sizeof(symbol));
	LIBRDKAFKA_FUNCTIONS(LOAD)
#undef LOAD
	return NULL;
}
