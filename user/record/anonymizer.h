/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records that can be handed on: addresses and names of hosts become others, the same ones under the same key.
 *
 * Addresses: two that have the first n bits in common still have exactly the first n bits in common (prefix-preserving,
 * as Crypto-PAn: Xu, Fan, Ammar, Moon, 2002). So networks stay networks, and both ends' records still join. As any such
 * scheme, it tells who knows a few addresses something about their neighbours; the same key for more data tells more.
 *
 *	replaced: addresses of both ends, of ICMP senders and of related connections, and what follows from them
 *		(Community ID); event.id and tcp.related; names of the host and of network namespaces; ids of
 *		containers and pods
 *	kept: ports, times, numbers of the headers, VLANs and tunnels; names of interfaces, processes, units; process,
 *		user, cgroup and namespace numbers; the kernel's reasons
 */
#ifndef TCPFIN_ANONYMIZER_H
#define TCPFIN_ANONYMIZER_H

#include "user/record/record.h"

#define ANONYMIZER_KEY_LEAST 16 /* bytes of a key */

struct anonymizer;

/* key: len bytes, at least ANONYMIZER_KEY_LEAST, which are not kept. NULL where memory is short. */
struct anonymizer *anonymizer_new(const void *key, size_t len);
void anonymizer_free(struct anonymizer *a); /* NULL is nothing */
/* Replaces in place. The new texts are the anonymizer's, and last until the next call. */
void anonymize_record(struct anonymizer *a, struct record *r);
/* Replaces an address of that family, 4 or 6, in network byte order. */
void anonymize_address(struct anonymizer *a, int family, uint8_t *ip);

#endif
