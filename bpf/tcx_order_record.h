/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told of a tcx link of ours that is not the first of its chain. Without other headers: both worlds read it. */
#ifndef TCPFIN_TCX_ORDER_RECORD_H
#define TCPFIN_TCX_ORDER_RECORD_H

struct tcx_order_record {
	__u32 link;    /* ours */
	__u32 program; /* the first of the chain */
	char name[16]; /* its name: letters, digits, dots and underscores, 0-terminated; may be empty */
};

#endif
