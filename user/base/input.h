/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens what is to be read: a file, a FIFO, or standard input.
 */
#ifndef TCPFIN_INPUT_H
#define TCPFIN_INPUT_H

/*
 * "-" is standard input. *name: how errors call it, the path or a constant; not copied. Returns the descriptor, the
 * caller's, or -1 with errno: EINTR when a signal has asked to stop.
 */
int input_open(const char *path, const char **name);

#endif
