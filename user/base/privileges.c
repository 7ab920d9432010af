// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CAP_BPF and CAP_NET_ADMIN load and attach what sees packets. CAP_PERFMON is for programs that read the kernel's
 * structures: those at the socket tracepoints, and the one that lists tcx chains. CAP_SYS_ADMIN implies CAP_BPF and
 * CAP_PERFMON. Reading maps and detaching links need no capability.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cap-ng.h>

#include "user/base/buffer.h"
#include "user/base/exit_code.h"
#include "user/base/landlock.h"
#include "user/base/log.h"
#include "user/base/privileges.h"
#include "user/base/sandbox.h"

#define OVERFLOW_ID 65534 /* "nobody", user and group, who owns nothing: the kernel's overflowuid and overflowgid */

static bool capable(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability);
}

/* CAP_SYS_ADMIN implies the capabilities that were split from it. */
static bool capable_or_admin(unsigned capability)
{
	bool implied = capability == CAP_BPF || capability == CAP_PERFMON;

	return capable(capability) || (implied && capable(CAP_SYS_ADMIN));
}

bool privileges_have(unsigned capability)
{
	capng_get_caps_process();
	return capable_or_admin(capability);
}

int privileges_check(void)
{
	static const struct {
		unsigned capability;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_NET_ADMIN, "CAP_NET_ADMIN"}};
	struct buffer missing = {};

	capng_get_caps_process();
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (capable_or_admin(needed[i].capability))
			continue;
		buffer_text(&missing, missing.len ? ", " : "");
		buffer_text(&missing, needed[i].name);
	}
	if (!missing.len)
		return EXIT_FINE;
	buffer_char(&missing, 0);
	log_error("live watching needs %s: run it with sudo, or read a capture with -r", missing.data);
	buffer_free(&missing);
	return EXIT_PERMISSION;
}

const char *privileges_tracing_error(int err)
{
	return err == -EPERM || err == -EACCES ? "that takes CAP_PERFMON" : strerror(-err);
}

bool privileges_want_perfmon(int err)
{
	return err == -EACCES && !capable_or_admin(CAP_PERFMON);
}

int privileges_exit_code(int err)
{
	return err == -EPERM || err == -EACCES ? EXIT_PERMISSION : EXIT_RUNTIME;
}

static void select_capabilities(bool net_admin)
{
	capng_clear(CAPNG_SELECT_CAPS);
	if (net_admin)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN);
}

/* 0, or an error of libcap-ng; *refused: the kernel refused to change the ids. */
static int become_nobody(bool *refused)
{
	capng_flags_t flags = CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_AMBIENT;
	int err;

	if (capable(CAP_SETPCAP))
		flags |= CAPNG_CLEAR_BOUNDING;
	err = capng_change_id(OVERFLOW_ID, OVERFLOW_ID, flags);
	*refused = err <= -4 && err >= -6; /* of capng_change_id: group, supplementary groups, user */
	return err;
}

static bool may_become_nobody(void)
{
	return geteuid() == 0 && capable(CAP_SETUID) && capable(CAP_SETGID);
}

/*
 * Root becomes nobody where the kernel allows it: some containers do not, and a user namespace may not have that id.
 * 0, or an error of libcap-ng.
 */
static int drop_capabilities(bool net_admin)
{
	bool refused = true;
	int err;

	if (may_become_nobody()) {
		select_capabilities(net_admin);
		err = become_nobody(&refused);
		if (!refused)
			return err;
	}
	select_capabilities(net_admin);
	return capng_apply(CAPNG_SELECT_CAPS);
}

static int drop(bool live, bool net_admin)
{
	int parent_death = 0, err;

	prctl(PR_GET_PDEATHSIG, &parent_death);
	capng_get_caps_process();
	err = drop_capabilities(net_admin);
	if (err) {
		log_error("cannot give up privileges (libcap-ng: %d): %s", err, strerror(errno));
		return EXIT_RUNTIME;
	}
	/* A change of ids clears the signal that a supervisor has asked for. */
	prctl(PR_SET_PDEATHSIG, parent_death);
	err = sandbox_enter(live);
	if (err)
		log_warn("runs without a system call filter: %s", strerror(-err));
	return EXIT_FINE;
}

int privileges_drop(bool net_admin)
{
	return drop(true, net_admin);
}

int privileges_drop_all(void)
{
	return drop(false, false);
}

/* Marks the capability as one to keep, if the process has it. */
static void keep(bool has, unsigned capability)
{
	if (has)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, capability);
}

int privileges_keep_for_helper(const struct helper_work *work)
{
	static const unsigned capabilities[] = {CAP_DAC_OVERRIDE, CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_NET_ADMIN};
	const bool wanted[] = {work->files, work->namespaces, work->namespaces, work->namespaces};
	bool has[4];
	int err;

	capng_get_caps_process();
	for (int i = 0; i < 4; i++)
		has[i] = wanted[i] && capng_have_capability(CAPNG_PERMITTED, capabilities[i]);
	capng_clear(CAPNG_SELECT_CAPS);
	for (int i = 0; i < 4; i++)
		keep(has[i], capabilities[i]);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return -EPERM;
	err = sandbox_enter_helper(work);
	return err == -EINVAL ? 0 : err; /* a kernel without filters; privileges_drop warns of it */
}

int privileges_keep_for_keys(void)
{
	static const unsigned capabilities[] = {CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_DAC_READ_SEARCH};
	bool nobody;

	landlock_enter(true); /* where the kernel has it */
	capng_get_caps_process();
	nobody = may_become_nobody();
	capng_clear(CAPNG_SELECT_CAPS);
	for (int i = 0; i < 4; i++)
		keep(nobody, capabilities[i]);
	return capng_apply(CAPNG_SELECT_CAPS) ? -EPERM : 0;
}

int privileges_drop_to_connect(void)
{
	bool refused = false;
	int err;

	capng_get_caps_process();
	if (may_become_nobody()) {
		select_capabilities(false);
		if (become_nobody(&refused))
			return -EPERM;
	}
	err = sandbox_enter_connector();
	return err == -EINVAL ? 0 : err; /* a kernel without filters; privileges_drop warns of it */
}
