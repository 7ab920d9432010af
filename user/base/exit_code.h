/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exit codes of the program, in every mode. Scripts rely on the numbers.
 */
#ifndef TCPFIN_EXIT_CODE_H
#define TCPFIN_EXIT_CODE_H

enum {
	EXIT_FINE = 0,
	EXIT_RUNTIME = 1,    /* a failure that stderr names */
	EXIT_USAGE = 2,      /* the command line asks for what cannot be had */
	EXIT_PERMISSION = 3, /* stderr names the capability that is missing */
	EXIT_LOSS = 4,       /* --strict, and data was lost */
	EXIT_FOUND = 5,      /* a --check holds */
};

#endif
