/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that the program forks and that serve it until it ends: the helper, and Kafka's.
 */
#ifndef TCPFIN_SIDE_PROCESS_H
#define TCPFIN_SIDE_PROCESS_H

/*
 * What such a process does first: it takes the name (at most 15 bytes) and ignores the signals that a terminal or a
 * supervisor means for the program.
 */
void side_process_begin(const char *name);
/*
 * Closes all descriptors but `kept`, which is put in order. Readers of our output then see its end when the program
 * ends.
 */
void side_process_close_others(int *kept, unsigned count);

#endif
