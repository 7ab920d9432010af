/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a socket of this host tells when its state changes, and what is kept of it until its connection is reported.
 * Both worlds.
 */
#ifndef TCPFIN_SOCKET_EVENT_H
#define TCPFIN_SOCKET_EVENT_H

#include "bpf/core/core.h"

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
};

enum {
	SOCKET_OWN_ISN = 1,     /* isn is this end's, since the other's is not known yet */
	SOCKET_PROCESS = 2,     /* the process at hand did it: pid, uid, cgroup and name are valid */
	SOCKET_LAST_HOLDER = 4, /* nobody holds the file any more: close(), or the end of the process */
	SOCKET_EXITING = 8,     /* the process is ending */
	SOCKET_LINGER_0 = 16,   /* SO_LINGER with no time */
	SOCKET_UNACCEPTED = 32, /* sent a reset as the process at hand closed its listener, which had not accepted it */
	SOCKET_SENT_UNACKED = 64,      /* the other end has not acknowledged all payload that was sent */
	SOCKET_RECEIVED_UNACKED = 128, /* payload was received that has not been acknowledged yet */
};

/* No payload, in place of a time. */
#define SOCKET_NO_PAYLOAD 0xffffffffU

#define SOCKET_NAME 16 /* TASK_COMM_LEN */

/* Who called listen(), by the inode number of the socket. */
struct socket_listen_call {
	__u64 cgroup; /* version 2, of the process; an inode number */
	__u32 pid, uid;
	__u32 legacy_cgroup; /* version 1, as in struct socket_close */
	__u32 pad;
	char name[SOCKET_NAME];
};

/* Which end of which connection, seen from the socket. Compared by words of 64 bits. */
struct socket_id {
	__u8 local[16], remote[16];    /* network byte order; IPv4 uses the first four */
	__u16 local_port, remote_port; /* host byte order */
	__u32 family;                  /* 4 or 6; IPv4-mapped is 4 */
} __attribute__((aligned(8)));
CORE_ASSERT_SIZE(struct socket_id, 40);

/* One event, as the tracepoint saw it. */
struct socket_event {
	struct socket_id id;
	__u64 time;   /* ns, CLOCK_MONOTONIC, as the packets' */
	__u32 netns;  /* inode number */
	__u32 isn;    /* the other end's initial sequence number: it tells connections of one tuple apart */
	__u32 unread; /* bytes received that the application has not read */
	__u32 unsent; /* bytes written that have not been sent once */
	__u32 srtt;   /* us, 0 unknown */
	__u32 retransmits;
	__u32 reason; /* enum sk_rst_reason of the running kernel */
	__u32 flags;  /* SOCKET_ bits */
	__u32 kind, from, to;
	/* Before the close only. Jiffies since payload was sent, or sent again, and received: or SOCKET_NO_PAYLOAD. */
	__u32 sent_ago, received_ago;
	__u32 sent_end; /* number behind all that was sent */
	/* What the other end waits for: payload, number, and how many time-outs in a row sent it again. */
	__u32 awaited, awaited_seq, awaited_copies;
	__u64 cgroup; /* version 2: of the process that made the socket, or its listener; 0: not known */
	__u64 socket; /* its address, only ever compared */
};

/* The change of state by which a socket was closed, with the process that was running. */
struct socket_close {
	__u64 time;   /* ns, CLOCK_MONOTONIC */
	__u64 cgroup; /* version 2: the process's with SOCKET_PROCESS, else the socket's; an inode number */
	__u32 pid, uid;
	__u32 unread, unsent;
	char name[SOCKET_NAME];
	__u8 from, to; /* SOCKET_ states; to: 0 while the socket is not closed, or where it is not known who did it */
	__u8 flags;
	__u8 pad;
	__u32 legacy_cgroup; /* version 1, of the process: its inode number in the hierarchy of "pids"; 0: none */
};

/* What bpf/socket_sets.h keeps of each place in an array. */
struct socket_place {
	__u64 word; /* version (8 bits), SOCKET_ place bits (8), coarse time (24) */
	__u32 hash; /* of the tuple: its set and tag */
	__u32 turn; /* of the ring, when it was taken or last passed over */
};

#define SOCKET_STEPS 4 /* states kept: a close enters so many at most (RFC 9293, figure 5); more are dropped */

/* One socket's close. */
struct closing_socket {
	struct socket_place place;
	struct socket_id id;
	__u32 netns, isn;
	__u32 srtt, retransmits; /* at the latest event */
	__u16 reset_reason;      /* why it sent an RST: enum sk_rst_reason; 0: it sent none, or for no stated reason */
	__u16 awaited;           /* see socket_note_awaited: payload, low bits of the number, copies */
	__u16 awaited_seq;
	__u8 awaited_copies;
	__u8 own_isn : 1;      /* isn is this end's own, not the peer's */
	__u8 lost : 1;         /* it had left the states before its close already: earlier events are missing */
	__u8 swallowed : 1;    /* the awaited segment never came through, though the other end is there */
	__u8 sent_unacked : 1; /* SOCKET_SENT_UNACKED, SOCKET_RECEIVED_UNACKED: at the first event */
	__u8 received_unacked : 1;
	__u8 step_count : 3;
	__u8 states[SOCKET_STEPS];    /* entered, in this order */
	__u32 sent_ago, received_ago; /* jiffies before the first event, or SOCKET_NO_PAYLOAD */
	__u32 sent_end;               /* at the first event */
	__u64 entered[SOCKET_STEPS];  /* ns, when each was entered */
	__u64 reset_received;         /* ns, 0: none */
	struct socket_close close;
};
CORE_ASSERT_SIZE(struct closing_socket, 192); /* three cache lines */

#define CGROUP_NEWS_PATH 1024 /* bytes of the longest path that the kernel's tracepoints tell, its NUL included */

enum cgroup_change { CGROUP_MADE, CGROUP_RENAMED, CGROUP_REMOVED };

/* A cgroup has come, has another path or is gone. Of version 2, or of the hierarchy of "pids" of version 1. */
struct cgroup_news {
	__u64 id;     /* the inode number of its directory */
	__u32 legacy; /* 1: of version 1 */
	__u32 change;
	char path[CGROUP_NEWS_PATH]; /* from the hierarchy's root on; one that fills it may be cut */
};

/* An RST that answered a segment which fits no socket, or not its socket's state. */
struct socket_answer {
	struct socket_place place;
	struct socket_id id; /* local: the end that answered */
	__u64 time;
	__u32 number; /* of the RST: seq, or ack with by_ack (RFC 9293, section 3.10.7.1) */
	__u16 reason;
	__u8 by_ack;
	__u8 pad;
};
CORE_ASSERT_SIZE(struct socket_answer, 72);

#endif
