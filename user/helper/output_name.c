// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One rule for -C and -G: the time names a file, and a number tells files of one name apart. So a run never overwrites
 * the file that it wrote before, however short its period is.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/helper/output_name.h"

static int plain_name(const struct output_name *n, time_t now, char plain[NAME_MAX + 1])
{
	struct tm tm;

	if (!n->dated) {
		if (strlen(n->form) > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(plain, n->form, strlen(n->form) + 1);
	} else if (!localtime_r(&now, &tm) || !strftime(plain, NAME_MAX + 1, n->form, &tm)) {
		return -ENAMETOOLONG;
	}
	return *plain && !strchr(plain, '/') ? 0 : -EINVAL;
}

int output_name_next(struct output_name *n, time_t now)
{
	char plain[NAME_MAX + 1] = "", text[NAME_MAX + 12];
	int err = plain_name(n, now, plain);
	unsigned number = !err && !strcmp(plain, n->plain) ? n->number + 1 : 0;

	if (err)
		return err;
	snprintf(text, sizeof(text), number ? "%s%u" : "%s", plain, number);
	if (strlen(text) > NAME_MAX)
		return -ENAMETOOLONG;
	n->number = number;
	memcpy(n->plain, plain, sizeof(n->plain));
	memcpy(n->text, text, sizeof(n->text));
	return 0;
}
