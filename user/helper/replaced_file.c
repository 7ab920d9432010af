// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The helper opens, renames and removes; the program writes.
 */
#include "user/helper/replaced_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/helper/directory.h"
#include "user/helper/helper.h"
#include "user/helper/output.h"

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

static int answer(void *context, const struct helper_question *question, struct helper_reply *reply)
{
	const struct place *p = context;
	int err;

	if (question->file >= REPLACED_FILES || !p[question->file].name)
		return -EINVAL;
	p += question->file;
	switch (question->request) {
	case HELPER_DRAFT:
		return helper_reply_descriptor(reply, open_draft(p));
	case HELPER_PUBLISH:
		err = renameat(p->directory, p->draft, p->directory, p->name);
		break;
	default:
		err = unlinkat(p->directory, p->draft, 0);
		break;
	}
	return err ? -errno : 0;
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

static bool is_same_place(const struct place *a, const struct place *b)
{
	struct stat x, y;

	return a->name && b->name && !strcmp(a->name, b->name) && !fstat(a->directory, &x) &&
	       !fstat(b->directory, &y) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* May what has that name be replaced? A device, or what somebody writes to, would be gone. 0 or a negative errno. */
static int may_replace(const struct place *p, const struct options *options)
{
	struct stat file;

	if (fstatat(p->directory, p->name, &file, AT_SYMLINK_NOFOLLOW))
		return 0;
	if (S_ISDIR(file.st_mode))
		return -EISDIR;
	if (!S_ISREG(file.st_mode) && !S_ISLNK(file.st_mode))
		return -ENOTSUP;
	return output_is_in_use(&file, options) ? -EBUSY : 0;
}

int replaced_file_start(enum replaced_file file, const char *path, const struct options *options)
{
	static struct place places[REPLACED_FILES];
	int err = find_place(&places[file], path);

	err = err ? err : may_replace(&places[file], options);
	for (unsigned i = 0; i < REPLACED_FILES && !err; i++)
		if (i != file && is_same_place(&places[file], &places[i]))
			err = -EBUSY;
	if (err) {
		places[file].name = NULL;
		return err;
	}
	for (enum helper_request request = HELPER_DRAFT; request <= HELPER_DISCARD; request++)
		helper_offer(request, answer, places);
	helper_give(places[file].directory);
	return 0;
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

/* A request that is answered by no descriptor. */
static int ask(enum helper_request request, enum replaced_file file)
{
	const struct helper_question question = {.request = request, .file = file};
	struct helper_reply reply;

	return helper_ask(&question, &reply);
}

static int open_new(enum replaced_file file)
{
	const struct helper_question question = {.request = HELPER_DRAFT, .file = file};

	return helper_ask_descriptor(&question);
}

int replaced_file_try(enum replaced_file file)
{
	int fd = open_new(file);

	if (fd < 0)
		return fd;
	close(fd);
	return ask(HELPER_DISCARD, file);
}

int replaced_file_write(enum replaced_file file, const struct buffer *content)
{
	int fd = open_new(file), err, done;

	if (fd < 0)
		return fd;
	err = write_all(fd, content);
	if (close(fd) && !err)
		err = -errno;
	done = ask(err ? HELPER_DISCARD : HELPER_PUBLISH, file);
	if (!err && done)
		ask(HELPER_DISCARD, file);
	return err ? err : done;
}
