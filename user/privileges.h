/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What live watching needs from the system.
 */
#ifndef TCPFIN_PRIVILEGES_H
#define TCPFIN_PRIVILEGES_H

/* 0, or EXIT_PERMISSION after naming the capability that is missing. */
int privileges_check(void);

#endif
