/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interfaces of captures by name. Interfaces of one name are one, in whatever file or section they are described: a
 * capture that goes on in another file has the same ones.
 */
#ifndef TCPFIN_INTERFACE_NAMES_H
#define TCPFIN_INTERFACE_NAMES_H

#include <stdint.h>

#include "user/capture/captured_packet.h"

struct interface_names;

#define INTERFACE_NOT_KNOWN UINT16_MAX

struct interface_names *interface_names_new(void); /* NULL: out of memory */
void interface_names_free(struct interface_names *names);
/*
 * The number of the interface of a packet, from 1; 0 where its file does not name it; INTERFACE_NOT_KNOWN: it is to be
 * added first. Quick.
 */
uint16_t interface_names_known(const struct interface_names *names, const struct captured_packet *p);
/*
 * Takes note of the packet's interface and returns its number. It is named "#" and its index where the packet has one
 * (link type SLL2), else as `name` says; NULL or "": not at all. Of more than 1,023 names the others have none.
 */
uint16_t interface_names_add(struct interface_names *names, const struct captured_packet *p, const char *name);
unsigned interface_names_count(const struct interface_names *names);
/* The name with that number, from 1: any bytes. Owned by `names`, for as long as it lives. */
const char *interface_names_get(const struct interface_names *names, uint16_t number);

#endif
