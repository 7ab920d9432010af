// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Names by a cgroup's number: cgroups that come, get other names and go, more of them than are kept, and trees that lie
 * where a line of mountinfo says.
 */
#include "tests/unit/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/sockets/cgroup_paths.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct cgroup_paths *paths;

static void tell(enum cgroup_change change, uint64_t id, bool legacy, const char *path)
{
	struct cgroup_news news = {.id = id, .legacy = legacy, .change = change};

	snprintf(news.path, sizeof(news.path), "%s", path);
	cgroup_paths_change(paths, &news);
}

/* The unit of a process with these cgroups, "-" for none. */
static const char *unit(uint64_t unified, uint32_t legacy)
{
	const char *name = cgroup_paths_find(paths, unified, legacy).unit;

	return name ? name : "-";
}

static const char *container(uint64_t unified, uint32_t legacy)
{
	const char *name = cgroup_paths_find(paths, unified, legacy).container;

	return name ? name : "-";
}

static void begin(void)
{
	cgroup_paths_free(paths);
	paths = cgroup_paths_new();
	assert_non_null(paths);
}

/* Both hierarchies count their numbers from 1 on; what both know is said by version 2. */
TEST(test_two_hierarchies)
{
	begin();
	tell(CGROUP_MADE, 7, false, "/system.slice/a.service");
	tell(CGROUP_MADE, 7, true, "/docker/" ID);
	tell(CGROUP_MADE, 8, true, "/system.slice/b.service");
	assert_string_equal(unit(7, 0), "a.service");
	assert_string_equal(unit(0, 7), "-");
	assert_string_equal(container(0, 7), ID);
	assert_string_equal(container(7, 0), "-");
	assert_string_equal(unit(7, 8), "a.service");
	assert_string_equal(unit(1, 8), "b.service");
	assert_string_equal(unit(7, 7), "a.service");
	assert_string_equal(container(7, 7), ID);
	assert_string_equal(unit(0, 0), "-");
	assert_string_equal(unit(9, 9), "-");
	assert_string_equal(unit(7ULL << 32, 0), "-");
}

/* What is gone has its names until many others went. */
TEST(test_gone)
{
	begin();
	tell(CGROUP_MADE, 1, false, "/a.service");
	tell(CGROUP_REMOVED, 1, false, "/a.service");
	tell(CGROUP_REMOVED, 1, false, "/a.service");
	tell(CGROUP_REMOVED, 2, false, "/never-seen.service");
	tell(CGROUP_MADE, 3, false, "/stays.service");
	for (uint64_t i = 0; i < CGROUPS_GONE - 1; i++) {
		tell(CGROUP_MADE, 10 + i, false, "/b.service");
		tell(CGROUP_REMOVED, 10 + i, false, "/b.service");
		assert_string_equal(unit(10 + i, 0), "b.service");
	}
	assert_string_equal(unit(1, 0), "a.service");
	tell(CGROUP_REMOVED, 3, true, "/");
	tell(CGROUP_MADE, 4, false, "/c.service");
	tell(CGROUP_REMOVED, 4, false, "/c.service");
	assert_string_equal(unit(1, 0), "-");
	assert_string_equal(unit(10, 0), "b.service");
	for (uint64_t i = 0; i < 5 * CGROUPS_GONE; i++) {
		tell(CGROUP_MADE, 1000000 + i, false, "/d.service");
		tell(CGROUP_REMOVED, 1000000 + i, false, "/d.service");
	}
	assert_string_equal(unit(10, 0), "-");
	assert_string_equal(unit(1000000 + 4 * CGROUPS_GONE - 1, 0), "-");
	assert_string_equal(unit(1000000 + 4 * CGROUPS_GONE, 0), "d.service");
	assert_string_equal(unit(3, 0), "stays.service");
}

/* More than there is room for: those that are known stay, and one that goes makes room in the end. */
TEST(test_too_many)
{
	begin();
	for (uint64_t i = 0; i < CGROUPS_MAX + 10; i++)
		tell(CGROUP_MADE, 1 + i, i & 1, "/a.service");
	assert_string_equal(unit(1, 0), "a.service");
	assert_string_equal(unit(CGROUPS_MAX - 1, 0), "a.service");
	assert_string_equal(unit(0, CGROUPS_MAX), "a.service");
	assert_string_equal(unit(CGROUPS_MAX + 1, 0), "-");
	for (uint64_t i = 0; i <= CGROUPS_GONE; i++)
		tell(CGROUP_REMOVED, 1 + 2 * i, false, "");
	tell(CGROUP_MADE, 1 << 20, false, "/new.service");
	assert_string_equal(unit(1 << 20, 0), "new.service");
}

/* Version 1: what lies below a cgroup that is renamed has another path as well; its neighbours have not. */
TEST(test_renamed)
{
	begin();
	tell(CGROUP_MADE, 1, true, "/lxc/web");
	tell(CGROUP_MADE, 2, true, "/lxc/web/a.service");
	tell(CGROUP_MADE, 3, true, "/lxc/web2/a.service");
	tell(CGROUP_MADE, 2, false, "/lxc/web/a.service");
	tell(CGROUP_RENAMED, 1, true, "/lxc/shop");
	assert_string_equal(container(0, 1), "shop");
	assert_string_equal(container(0, 2), "shop");
	assert_string_equal(unit(0, 2), "a.service");
	assert_string_equal(container(0, 3), "web2");
	assert_string_equal(container(2, 0), "web");
	tell(CGROUP_RENAMED, 9, true, "/lxc/late"); /* made before the watch, where no file system told it */
	assert_string_equal(container(0, 9), "late");
}

/* A path that the kernel had to cut names nothing, rather than what is further outside. */
TEST(test_cut_path)
{
	char path[CGROUP_NEWS_PATH] = "/outer.service/";

	begin();
	memset(path + 15, 'a', sizeof(path) - 16);
	tell(CGROUP_MADE, 1, false, path);
	assert_string_equal(unit(1, 0), "-");
	path[sizeof(path) - 2] = '\0';
	tell(CGROUP_MADE, 2, false, path);
	assert_string_equal(unit(2, 0), "outer.service");
}

/* ---- what is there at the start ---- */

#define TREE "build/tests/cgroup tree"

static uint64_t make(const char *name)
{
	char path[4096];
	struct stat s;

	snprintf(path, sizeof(path), TREE "%s", name);
	mkdir(path, 0755);
	assert_int_equal(stat(path, &s), 0);
	return s.st_ino;
}

static unsigned read_mounts(const char *lines)
{
	FILE *file = fopen(TREE ".mountinfo", "w");
	unsigned refused;

	assert_non_null(file);
	fputs(lines, file);
	fclose(file);
	refused = cgroup_paths_read(paths, TREE ".mountinfo");
	unlink(TREE ".mountinfo");
	return refused;
}

#define ESCAPED "build/tests/cgroup\\040tree"

/* Which file systems are read, with which part of the hierarchy; nothing is read of the others. */
TEST(test_mounts)
{
	uint64_t top = make(""), slice = make("/system.slice"), web = make("/system.slice/w\n \xff.service"), deep;

	begin();
	make("/docker");
	deep = make("/docker/" ID);
	expect_int(read_mounts("1 2 0:1 / /proc rw - proc proc rw\n"
			       "nonsense\n"
			       " - cgroup2\n"
			       "1 2 0:1 / " ESCAPED " rw - cgroup cgroup rw,cpu,pid\n"
			       "1 2 0:1 / /not/there rw - cgroup2 cgroup rw\n"),
		   0);
	assert_string_equal(unit(web, 0), "-");
	expect_int(read_mounts("30 23 0:26 /lxc/web " ESCAPED " rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
			       "31 23 0:26 / " ESCAPED " rw - cgroup cgroup rw,cpu,pids,rdma\n"),
		   0);
	assert_string_equal(unit(web, 0), "w\n \xff.service");
	assert_string_equal(container(web, 0), "web");
	assert_string_equal(container(slice, 0), "web");
	assert_string_equal(container(top, 0), "web");
	assert_string_equal(container(deep, 0), ID);
	assert_string_equal(container(0, (uint32_t)deep), ID);
	assert_string_equal(container(0, (uint32_t)web), "-");
	assert_string_equal(unit(0, (uint32_t)web), "w\n \xff.service");
	expect_int(cgroup_paths_read(paths, "/not/there"), 0);
	assert_int_equal(system("rm -r '" TREE "'"), 0);
}

TEST(test_legacy)
{
	assert_true(cgroup_paths_has_legacy("9:name=systemd:/\n8:pids:/\n0::/\n"));
	assert_true(cgroup_paths_has_legacy("3:cpu,pids,memory:/a\n"));
	assert_false(cgroup_paths_has_legacy("0::/pids\n"));
	assert_false(cgroup_paths_has_legacy("3:cpu:/x,pids,y\n1:name=pids:/\n4:pids2:/\n0::/"));
	assert_false(cgroup_paths_has_legacy(""));
	assert_false(cgroup_paths_has_legacy("pids"));
}

static int tear_down(void **state)
{
	(void)state;
	cgroup_paths_free(paths);
	return 0;
}

int main(void)
{
	return run_unit_tests(NULL, tear_down);
}
