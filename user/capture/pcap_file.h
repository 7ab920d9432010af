/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets from a capture file (pcap, pcapng), a FIFO or stdin, with their link headers understood.
 */
#ifndef TCPFIN_PCAP_FILE_H
#define TCPFIN_PCAP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/capture/captured_packet.h"

struct input_file;
struct pcap_file;
struct record_file;

/*
 * Opens path ("-": stdin; not copied), and reads nothing of it yet; waits for a FIFO's writer. 0, or a negative errno
 * with one line in error that says what to do: no such file, a directory, a terminal. -EINTR: a signal has asked to
 * stop.
 */
int pcap_file_open(struct pcap_file **file, const char *path, char *error, size_t error_size);
/*
 * Does the file hold records as JSON lines, and no packets? Reads its first bytes, also unpacked ones. False where they
 * cannot be read, which pcap_file_start then says.
 */
bool pcap_file_is_records(struct pcap_file *file);
/* Their reader, to be closed before the file. 0, or a negative errno with one line in error. */
int pcap_file_records(struct pcap_file *file, struct record_file **records, char *error, size_t error_size);
/*
 * Reads the file's head, once. 0, or a negative errno with a line in error: no capture, compressed (says how to
 * unpack), unsupported link type (with its number and name).
 */
int pcap_file_start(struct pcap_file *file, char *error, size_t error_size);
/*
 * The next packet: 1, 0 at the end of the file, or a negative errno with a line in error: the file is cut within a
 * packet, a packet or block is broken, no interface of a pcapng file has a supported link type. -EINTR: a signal has
 * asked to stop. A packet whose link header is cut is returned without bytes.
 */
int pcap_file_next(struct pcap_file *file, struct captured_packet *p, char *error, size_t error_size);
/* As pcap_file_next, with the link header still on: p->bytes is the frame, and p->meta has its wire_len only. */
int pcap_file_next_frame(struct pcap_file *file, struct captured_packet *p, char *error, size_t error_size);
/*
 * The name that a pcapng file gives to the interface of a packet (struct captured_packet); NULL where it has none. Its
 * bytes are the file's, at most 255: escape them before they are printed. Owned by the file.
 */
const char *pcap_file_interface_name(const struct pcap_file *file, uint32_t interface);
/*
 * Packets so far that were returned but not looked at, because their interface's link type is not supported while
 * another interface's is. If there are any, text is a line about them without the file's name.
 */
uint64_t pcap_file_unread(const struct pcap_file *file, char *text, size_t size);
/* Bytes of the file, 0 where that is not known; and how many of them were read. */
uint64_t pcap_file_size(const struct pcap_file *file);
uint64_t pcap_file_taken(const struct pcap_file *file);
/* Sets what is called before a read that has to wait. */
void pcap_file_on_wait(struct pcap_file *file, void (*wait)(void *context), void *context);
/* ns: when the capture ended, as far as the file has been read and tells; else 0. */
uint64_t pcap_file_end(const struct pcap_file *file);
/* How many interfaces packets may have come from so far: their numbers are below. */
uint32_t pcap_file_interfaces(const struct pcap_file *file);
/* LINKTYPE_ number and snap length (0: none is told) of a packet's interface. */
void pcap_file_describe(const struct pcap_file *file, uint32_t interface, uint32_t *link, uint32_t *snaplen);
/* The file's bytes, for input_file_spool. */
struct input_file *pcap_file_input(struct pcap_file *file);
/* As if it had just been opened: see input_file_begin_again. */
int pcap_file_begin_again(struct pcap_file *file);
void pcap_file_close(struct pcap_file *file);

#endif
