/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Link types of capture files (LINKTYPE_ numbers, https://www.tcpdump.org/linktypes.html): which ones are read, and
 * their headers.
 */
#ifndef TCPFIN_LINK_HEADER_H
#define TCPFIN_LINK_HEADER_H

#include <stddef.h>

#include "user/base/input_file.h"
#include "user/capture/captured_packet.h"

/* NULL where packets of that link type cannot be read. */
const struct link_type *link_type_find(uint32_t number);
/* The link type of packets that cannot be read, among others that can: the parser finds no IP in them. */
const struct link_type *link_type_unread(void);
uint32_t link_type_number(const struct link_type *type);
/* "link type 105 (IEEE802_11, 802.11)". */
void link_type_describe(uint32_t number, char *text, size_t size);
/* -EPROTONOSUPPORT, with a reason that says what to do. */
int link_type_refuse(struct input_file *in, uint32_t number);
/*
 * Moves p->bytes from the frame's first byte over the link header, and completes p->meta, whose wire_len holds the
 * frame's length. A header that is cut leaves no byte, which the parser calls truncated.
 */
void link_header_take(struct captured_packet *p);

#endif
