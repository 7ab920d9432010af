// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A path is read from its root on, part by part. What lies further inside is closer to the process, and so replaces
 * what was found before: a unit inside of a container, a container inside of a pod or of another container.
 */
#define _GNU_SOURCE 1 /* memmem, memrchr */
#include "user/sockets/cgroup_identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define CONTAINER_ID 64 /* hexadecimal digits, of docker, podman, containerd, CRI-O */

/* A part of the path, not NUL-terminated. */
struct part {
	const char *text;
	size_t len;
};

/* ---- texts ---- */

static bool begins(struct part p, const char *prefix)
{
	return p.len > strlen(prefix) && !memcmp(p.text, prefix, strlen(prefix));
}

static bool ends(struct part p, const char *suffix)
{
	size_t len = strlen(suffix);

	return p.len > len && !memcmp(p.text + p.len - len, suffix, len);
}

static bool is(struct part p, const char *text)
{
	return p.len == strlen(text) && !memcmp(p.text, text, p.len);
}

static struct part without(struct part p, size_t before, size_t behind)
{
	return (struct part){p.text + before, p.len - before - behind};
}

static void store(char name[NAME_MAX + 1], struct part p)
{
	size_t len = p.len <= NAME_MAX ? p.len : 0;

	memcpy(name, p.text, len);
	name[len] = '\0';
}

static int hex_value(char c)
{
	const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool is_hex(struct part p)
{
	for (size_t i = 0; i < p.len; i++)
		if (hex_value(p.text[i]) < 0)
			return false;
	return true;
}

/* As store(), with systemd's escapes \xNN taken back (systemd.unit(5)). */
static void store_unescaped(char name[NAME_MAX + 1], struct part p)
{
	size_t len = 0;

	for (size_t i = 0; i < p.len && len < NAME_MAX; i++) {
		int high = -1, low = -1;

		if (p.text[i] == '\\' && i + 3 < p.len && p.text[i + 1] == 'x') {
			high = hex_value(p.text[i + 2]);
			low = hex_value(p.text[i + 3]);
		}
		if (high < 0 || low < 0 || !(high | low)) {
			name[len++] = p.text[i];
			continue;
		}
		name[len++] = (char)(high << 4 | low);
		i += 3;
	}
	name[len] = '\0';
}

/* ---- containers ---- */

/* The id behind "docker-", "cri-containerd-", "libpod-"; len 0 where there is none. A monitor is no container. */
static struct part id_of(struct part p)
{
	struct part id = {p.text + p.len, 0};

	if (p.len >= CONTAINER_ID)
		id = without(p, p.len - CONTAINER_ID, 0);
	if (!id.len || !is_hex(id) || (p.len > CONTAINER_ID && p.text[p.len - CONTAINER_ID - 1] != '-') ||
	    ends(without(p, 0, id.len), "conmon-"))
		id.len = 0;
	return id;
}

/* machined's scopes: containers of nspawn, but virtual machines of libvirt, too. */
static void read_machine(struct cgroup_identity *i, struct part p)
{
	if (begins(p, "machine-") && ends(p, ".scope") && !begins(p, "machine-qemu\\x2d"))
		store_unescaped(i->container, without(p, strlen("machine-"), strlen(".scope")));
	else if (begins(p, "systemd-nspawn@") && ends(p, ".service"))
		store_unescaped(i->container, without(p, strlen("systemd-nspawn@"), strlen(".service")));
}

static void read_container(struct cgroup_identity *i, struct part p, struct part parent)
{
	struct part name = ends(p, ".scope") ? without(p, 0, strlen(".scope")) : p, id = id_of(name);

	if (id.len)
		store(i->container, id);
	else if (begins(p, "lxc.payload."))
		store(i->container, without(p, strlen("lxc.payload."), 0));
	else if (is(parent, "lxc") || is(parent, "lxc.payload"))
		store(i->container, p);
	else
		read_machine(i, p);
}

/* ---- pods ---- */

/* A UUID, or the manifest's hash of a pod that the node itself starts. In a slice's name dashes are underscores. */
static void store_pod(char pod[CGROUP_POD], struct part p)
{
	char text[CGROUP_POD] = "";

	if (p.len != 36 && p.len != 32)
		return;
	for (size_t i = 0; i < p.len; i++) {
		bool dash = p.len == 36 && (i == 8 || i == 13 || i == 18 || i == 23);

		text[i] = dash && p.text[i] == '_' ? '-' : p.text[i];
		if (dash ? text[i] != '-' : hex_value(text[i]) < 0)
			return;
	}
	memcpy(pod, text, sizeof(text));
}

/* The kubelet's own root may come before it: "kubelet-kubepods.slice". */
static bool is_kubepods(struct part p)
{
	return memmem(p.text, p.len, "kubepods", strlen("kubepods"));
}

/* "pod<uid>" below "kubepods", or "kubepods-burstable-pod<uid>.slice". */
static void read_pod(struct cgroup_identity *i, struct part p, bool in_kubepods)
{
	struct part name = ends(p, ".slice") ? without(p, 0, strlen(".slice")) : p;

	if (in_kubepods && begins(name, "pod"))
		store_pod(i->pod, without(name, strlen("pod"), 0));
	for (size_t at = 0; is_kubepods(p) && at + 4 < name.len; at++)
		if (!memcmp(name.text + at, "-pod", 4))
			store_pod(i->pod, without(name, at + 4, 0));
}

/* ---- the path ---- */

static void read_unit(struct cgroup_identity *i, struct part p)
{
	static const char *const units[] = {".service", ".scope", ".socket", ".mount", ".swap"};

	if (ends(p, ".slice"))
		store(i->slice, p);
	for (size_t n = 0; n < sizeof(units) / sizeof(units[0]); n++)
		if (ends(p, units[n]))
			store(i->unit, p);
}

/* containerd with the wrong driver writes "SLICE:PREFIX:ID" as one part. */
static void read_part(struct cgroup_identity *i, struct part p, struct part parent, bool in_kubepods)
{
	const char *colon = memchr(p.text, ':', p.len), *last = memrchr(p.text, ':', p.len);

	if (p.len > 1 && *p.text == '_') /* systemd puts it before what could be the kernel's own file */
		p = without(p, 1, 0);
	if (colon && last) {
		struct part id = without(p, (size_t)(last + 1 - p.text), 0);

		if (id_of(id).len)
			store(i->container, id);
		p.len = (size_t)(colon - p.text);
	}
	read_unit(i, p);
	read_pod(i, p, in_kubepods);
	read_container(i, p, parent);
}

/* What `more` says replaces what was known. */
static void merge(struct cgroup_identity *i, const struct cgroup_identity *more)
{
	if (*more->unit)
		memcpy(i->unit, more->unit, sizeof(i->unit));
	if (*more->slice)
		memcpy(i->slice, more->slice, sizeof(i->slice));
	if (*more->container)
		memcpy(i->container, more->container, sizeof(i->container));
	if (*more->pod)
		memcpy(i->pod, more->pod, sizeof(i->pod));
}

/* "4:memory:/docker/ID": the path begins behind the second colon. The kernel adds a word where the cgroup is gone. */
static void read_line(struct cgroup_identity *i, struct part line)
{
	static const char gone[] = " (deleted)";
	const char *colon = memchr(line.text, ':', line.len);
	char path[PATH_MAX];

	colon = colon ? memchr(colon + 1, ':', line.len - (size_t)(colon + 1 - line.text)) : NULL;
	if (!colon)
		return;
	line = without(line, (size_t)(colon + 1 - line.text), 0);
	if (ends(line, gone))
		line = without(line, 0, sizeof(gone) - 1);
	if (line.len >= sizeof(path))
		return;
	memcpy(path, line.text, line.len);
	path[line.len] = '\0';
	cgroup_identity_read(i, path);
}

/* The kernel lists the youngest hierarchy first, and the unified one, which has the number 0, last. */
void cgroup_identity_of_process(struct cgroup_identity *identity, const char *text)
{
	struct cgroup_identity one = {0}, systemd = {0};

	*identity = one;
	while (*text) {
		struct part line = {text, strcspn(text, "\n")};

		one = (struct cgroup_identity){0};
		read_line(&one, line);
		if (line.len && *text == '0')
			merge(&systemd, &one);
		else if (memmem(line.text, line.len, ":name=systemd:", 14))
			systemd = one;
		else
			merge(identity, &one);
		text += line.len + (text[line.len] == '\n');
	}
	merge(identity, &systemd);
}

void cgroup_identity_read(struct cgroup_identity *identity, const char *path)
{
	struct part parent = {path, 0};
	bool in_kubepods = false;

	*identity = (struct cgroup_identity){0};
	while (*path) {
		struct part p = {path, strcspn(path, "/")};

		if (p.len) {
			read_part(identity, p, parent, in_kubepods);
			in_kubepods |= is_kubepods(p);
			parent = p;
		}
		path += p.len + (path[p.len] == '/');
	}
}
