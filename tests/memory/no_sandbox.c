// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replaces sandbox_enter() by nothing (--wrap=sandbox_enter) in programs that ASan or valgrind runs: the checkers
 * themselves make system calls that the sandbox refuses, such as mmap with PROT_EXEC.
 */
#include "user/base/sandbox.h"

int __wrap_sandbox_enter(bool live);

int __wrap_sandbox_enter(bool live)
{
	(void)live;
	return 0;
}
