/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How wide a line of standard output, or of another terminal, may be.
 */
#ifndef TCPFIN_TERMINAL_WIDTH_H
#define TCPFIN_TERMINAL_WIDTH_H

/* The columns of standard output's terminal, else what COLUMNS says, else 0. */
unsigned terminal_width(void);
/* The columns of the terminal that the descriptor is; 0: it is none. */
unsigned terminal_width_of(int fd);

#endif
