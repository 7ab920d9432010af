/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The directory of a path, held open: what is opened relative to it later stays there, wherever the process goes.
 */
#ifndef TCPFIN_DIRECTORY_H
#define TCPFIN_DIRECTORY_H

/*
 * Opens the directory that the path's last part lies in, which may have been left out. *name: that last part, within
 * path; "" where path ends in a slash. Returns the descriptor, the caller's, or a negative errno.
 */
int directory_of(const char *path, const char **name);

#endif
