/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a socket of this host tells when its state changes: one event of the sockets' rings. Both worlds; the includer
 * brings the __u types.
 */
#ifndef TCPFIN_SOCKET_EVENT_H
#define TCPFIN_SOCKET_EVENT_H

/* The kernel's numbers of states (include/net/tcp_states.h). */
enum {
	SOCKET_ESTABLISHED = 1,
	SOCKET_SYN_SENT,
	SOCKET_SYN_RECV,
	SOCKET_FIN_WAIT1,
	SOCKET_FIN_WAIT2,
	SOCKET_TIME_WAIT,
	SOCKET_CLOSE,
	SOCKET_CLOSE_WAIT,
	SOCKET_LAST_ACK,
	SOCKET_LISTEN,
	SOCKET_CLOSING,
	SOCKET_STATES
};

enum socket_event_kind {
	SOCKET_STATE,          /* from, to */
	SOCKET_RESET_SENT,     /* by the socket itself: reason */
	SOCKET_RESET_RECEIVED, /* and acted upon */
	SOCKET_RESET_ANSWER,   /* to a segment that fits no socket or not its state: reason, number; no facts of one */
};

enum {
	SOCKET_OWN_ISN = 1,     /* isn is this end's, since the other's is not known yet */
	SOCKET_PROCESS = 2,     /* the process at hand did it: pid, uid, cgroup and name are valid */
	SOCKET_LAST_HOLDER = 4, /* nobody holds the file any more: close(), or the end of the process */
	SOCKET_EXITING = 8,     /* the process is ending */
	SOCKET_LINGER_0 = 16,   /* SO_LINGER with no time */
	SOCKET_BY_ACK = 32,     /* of SOCKET_RESET_ANSWER: number is the RST's ack, not its seq */
};

#define SOCKET_NAME 16 /* TASK_COMM_LEN */

/* Which end of which connection, seen from the socket. */
struct socket_id {
	__u8 local[16], remote[16];    /* network byte order; IPv4 uses the first four */
	__u16 local_port, remote_port; /* host byte order */
	__u32 family;                  /* 4 or 6; IPv4-mapped is 4 */
};

struct socket_event {
	__u64 time; /* ns, CLOCK_MONOTONIC, as the packets' */
	__u64 cgroup;
	struct socket_id id;
	__u32 netns; /* inode number; 0 for SOCKET_RESET_ANSWER */
	__u32 isn;   /* the other end's initial sequence number: it tells connections of one tuple apart */
	__u32 pid, uid;
	__u32 unread; /* bytes received that the application has not read */
	__u32 unsent; /* bytes written that have not been sent once */
	__u32 srtt;   /* us, 0 unknown */
	__u32 retransmits;
	__u32 reason; /* enum sk_rst_reason of the running kernel */
	__u32 number; /* of SOCKET_RESET_ANSWER: seq or ack of the RST */
	__u8 kind, from, to;
	__u8 flags; /* SOCKET_ bits */
	char name[SOCKET_NAME];
	__u32 pad;
};

#endif
