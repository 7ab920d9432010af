// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper opens, renames and removes; the program writes.
 */
#include "user/helper/replaced_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "user/helper/directory.h"
#include "user/helper/helper.h"

struct place {
	int directory;
	const char *name;
	char draft[NAME_MAX + 1];
};

/* ---- the helper's side ---- */

/*
 * A draft that a killed program left is removed. What somebody else has put in its place is not followed: the directory
 * may be open to others.
 */
static int open_draft(const struct place *p)
{
	int fd;

	unlinkat(p->directory, p->draft, 0);
	fd = openat(p->directory, p->draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	return fd < 0 ? -errno : fd;
}

static int answer(void *context, enum helper_request request)
{
	const struct place *p = context;
	int err;

	switch (request) {
	case HELPER_DRAFT:
		return open_draft(p);
	case HELPER_PUBLISH:
		err = renameat(p->directory, p->draft, p->directory, p->name);
		break;
	case HELPER_DISCARD:
		err = unlinkat(p->directory, p->draft, 0);
		break;
	default:
		return -EINVAL;
	}
	return err ? -errno : HELPER_DONE;
}

/* ---- starting ---- */

static int find_place(struct place *p, const char *path)
{
	int n;

	p->directory = directory_of(path, &p->name);
	if (p->directory < 0)
		return p->directory;
	n = snprintf(p->draft, sizeof(p->draft), ".%s.tmp", p->name);
	if (!*p->name || n < (int)sizeof(p->draft))
		return *p->name ? 0 : -EISDIR;
	close(p->directory);
	return -ENAMETOOLONG;
}

int replaced_file_start(struct replaced_file *f, const char *path)
{
	struct place place;
	int err = find_place(&place, path);

	if (err)
		return err;
	f->helper = helper_start(answer, &place, place.directory);
	close(place.directory);
	return f->helper < 0 ? f->helper : 0;
}

/* ---- the program's side ---- */

static int write_all(int fd, const struct buffer *content)
{
	size_t done = 0;

	while (done < content->len) {
		ssize_t n = write(fd, content->data + done, content->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n < 0 ? 0 : (size_t)n;
	}
	return 0;
}

int replaced_file_write(const struct replaced_file *f, const struct buffer *content)
{
	int fd = helper_ask(f->helper, HELPER_DRAFT), err, done;

	if (fd < 0)
		return fd;
	err = write_all(fd, content);
	if (close(fd) && !err)
		err = -errno;
	done = helper_ask(f->helper, err ? HELPER_DISCARD : HELPER_PUBLISH);
	if (err || done == HELPER_DONE)
		return err;
	helper_ask(f->helper, HELPER_DISCARD);
	return done;
}
