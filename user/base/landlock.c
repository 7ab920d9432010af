// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A ruleset without rules refuses whatever it handles. What it may handle depends on the version of the kernel's
 * interface; the headers of Debian 12 end at version 2, so that the later ones are defined here.
 */
#include "user/base/landlock.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/landlock.h>

/* struct landlock_ruleset_attr of version 6. */
struct ruleset {
	uint64_t files, network, scoped;
};

#define FILES_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILES_OF_1 (LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1) /* all bits to the last of version 1 */
#define REFER (1ULL << 13)                               /* version 2: links and moves between directories */
#define TRUNCATE (1ULL << 14)                            /* version 3 */
#define BIND (1ULL << 0)                                 /* version 4: of TCP */
#define CONNECT (1ULL << 1)
#define SCOPES 3 /* version 6: abstract sockets, signals */

/* What the interface of that version can refuse. Its structure's bytes. */
static size_t refuse(struct ruleset *r, int version, bool connect)
{
	*r = (struct ruleset){.files = FILES_OF_1 & ~FILES_READ};
	if (version >= 2)
		r->files |= REFER;
	if (version >= 3)
		r->files |= TRUNCATE;
	if (version >= 4)
		r->network = connect ? BIND : BIND | CONNECT;
	if (version >= 6)
		r->scoped = SCOPES;
	return version >= 6 ? sizeof(*r) : version >= 4 ? offsetof(struct ruleset, scoped) : sizeof(r->files);
}

int landlock_enter(bool connect)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset ruleset;
	int fd, err = 0;

	if (version < 1)
		return -errno;
	fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, refuse(&ruleset, (int)version, connect), 0);
	if (fd < 0)
		return -errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
		err = -errno;
	close(fd);
	return err;
}
