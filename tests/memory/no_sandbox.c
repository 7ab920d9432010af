// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linked into a program that a checker of memory runs, with --wrap=sandbox_enter: the checker itself makes calls that
 * the sandbox refuses, such as for memory that can be run.
 */
#include "user/base/sandbox.h"

int __wrap_sandbox_enter(bool live);

int __wrap_sandbox_enter(bool live)
{
	(void)live;
	return 0;
}
