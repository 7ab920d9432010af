/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Several captures as one: their packets in order of time.
 */
#ifndef TCPFIN_CAPTURE_FILES_H
#define TCPFIN_CAPTURE_FILES_H

#include <stdbool.h>

#include "user/capture/pcap_file.h"

struct capture_files;

/* Opens all paths, reads nothing of them yet. Errors as pcap_file_open. */
int capture_files_open(struct capture_files **files, const char *const *paths, unsigned count, char *error,
		       size_t size);
void capture_files_close(struct capture_files *files);
/* The file that was named as number n < capture_files_count. */
struct pcap_file *capture_files_get(const struct capture_files *files, unsigned n);
/*
 * The next packet of all files by time, of equal times that of the file named first. 1, 0 at the end of all, or a
 * negative errno with a line in error: as pcap_file_start and pcap_file_next. That file is then at its end, and the
 * next call goes on with the others. p is valid until the next call.
 */
int capture_files_next(struct capture_files *files, struct captured_packet *p, char *error, size_t size);
/* As pcap_file_interface_name, of the packet's file. */
const char *capture_files_interface_name(const struct capture_files *files, const struct captured_packet *p);
/* As pcap_file_end: the last one's. */
uint64_t capture_files_end(const struct capture_files *files);
/* As if they had just been opened: see input_file_begin_again. 0 or a negative errno. */
int capture_files_begin_again(struct capture_files *files);
/* Sets what is called before a read that has to wait, such as of a pipe that is empty. */
void capture_files_on_wait(struct capture_files *files, void (*wait)(void *context), void *context);
/* As pcap_file_unread, for the n-th file; 0 as well where there is no such file. */
uint64_t capture_files_unread(const struct capture_files *files, unsigned n, char *text, size_t size);
/* Bytes that were read of all files, and how many they have; false where one has no end that is known, as a pipe. */
bool capture_files_progress(const struct capture_files *files, uint64_t *done, uint64_t *all);
unsigned capture_files_count(const struct capture_files *files);

#endif
