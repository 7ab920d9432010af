/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is recorded of one connection: a slot from its first segment to its report, and a block of log entries once
 * there is more to keep than the handshake. User space maps both and judges a connection where it lies.
 *
 * A set finds the slot of a tuple. A way of a set names its slot instead of standing for it: slots are handed out in
 * order, so connections of one time are neighbours in memory.
 */
#ifndef TCPFIN_FLOW_LOG_H
#define TCPFIN_FLOW_LOG_H

#include "bpf/core/flow_hash.h"
#include "bpf/core/numbers.h"

/* ---- the slot ---- */

/*
 * What the slot's word holds beside the number of log entries given out and the slot's generation. All three change
 * by compare-and-swap of the whole word, and nowhere else: a place in the log is given out once, and each transition
 * happens once. A phase is a hint about what to record, never a verdict; user space corrects it by the same
 * operation.
 */
enum flow_phase {
	PHASE_OPENING = 1 << 0,   /* a SYN or SYN-ACK, or a stray FIN: nothing proves the connection yet */
	PHASE_OPEN = 1 << 1,      /* both sides took part */
	PHASE_MIDSTREAM = 1 << 2, /* no part of the handshake was seen */
	PHASE_FIN = 1 << 3,       /* side 0 has sent a FIN; shifted by one: side 1 */
	PHASE_FIN_ACKED = 1 << 5, /* the other side acknowledged the FIN of side 0; shifted by one: that of side 1 */
	PHASE_FIN_NEXT = 1 << 7,  /* the FIN of side 0 followed its highest byte; shifted by one: that of side 1 */
	PHASE_RESET = 1 << 9,     /* an RST that is not plainly foreign */
	PHASE_REPEATED = 1 << 10, /* a FIN came again after the end: its acknowledgment belongs to the record */
	PHASE_REPLACED = 1 << 11, /* another connection has taken the tuple: no segment belongs to this one any more */
	PHASE_REPORTED = 1 << 12, /* judged and reported, or lost: stays to recognise copies */
	PHASE_WATCHED = 1 << 13,  /* counted by the watch filter */
	PHASE_PROBE = 1 << 14,    /* watched until its next segment, which shows that it is not idle */
	PHASE_INSIDE = 1 << 15, /* opens inside an older connection of the tuple, which goes on until this is proven */
	PHASE_FINS = 3 * PHASE_FIN,
	PHASE_FINS_ACKED = 3 * PHASE_FIN_ACKED,
	PHASE_BEGUN = PHASE_FINS | PHASE_RESET, /* the close has begun */
	/* The recorder has given the connection up, and user space has not taken note of it yet. */
	PHASE_LOST = PHASE_REPORTED | PHASE_PROBE,
};

#define WORD_PHASE 0xffffULL
#define WORD_ENTRY (1ULL << 16)      /* one entry more */
#define WORD_GENERATION (1ULL << 32) /* the slot's next use */

static __always_inline __u32 word_phase(__u64 word)
{
	return word & WORD_PHASE;
}

static __always_inline __u32 word_entries(__u64 word)
{
	return word >> 16 & 0xffff;
}

/* Has the connection ended, as far as the recorder can tell? */
static __always_inline flag_t phase_done(__u32 phase)
{
	return phase & PHASE_RESET || (phase & PHASE_FINS_ACKED) == PHASE_FINS_ACKED;
}

/* Is the connection open, and its close has not begun? */
static __always_inline flag_t is_established(__u64 word)
{
	return (word & (PHASE_OPEN | PHASE_BEGUN | PHASE_REPORTED)) == PHASE_OPEN;
}

static __always_inline flag_t is_lost(__u64 word)
{
	return (word & PHASE_LOST) == PHASE_LOST;
}

struct flow_slot {
	struct ip_address addr[2]; /* in ascending order */
	__u16 port[2];
	__u32 ifindex;
	__u64 word;  /* see enum flow_phase */
	__u32 block; /* index + 1; 0: none */
	__u32 hash;  /* bits 32 to 63 of flow_hash */
	/*
	 * By side: number behind the FIN, with PHASE_FIN; of reported ones without, the highest end. Of open ones
	 * without, what the last segment that changed nothing was [0], and when it came, in units of 1024 ns [1].
	 */
	__u32 fin_end[2];
	struct flow_open open;
	__u16 ip_id[2]; /* of SYN and SYN-ACK */
	__u16 check;    /* bits 16 to 31 of flow_hash */
	__u8 family;    /* 4 or 6 */
	union {
		struct {
			__u8 second : 1; /* its way is in the second of its two sets */
			__u8 tunnel : 7; /* enum packet_tunnel, with TUNNEL_HAS_ID */
		};
		__u8 second_tunnel; /* both */
	};
};
CORE_ASSERT_SIZE(struct flow_slot, 128);

/* ---- the log ---- */

enum {
	ENTRY_SIDE = 1,    /* the sender is side 1 */
	ENTRY_PARTIAL = 2, /* a first fragment: len is a lower bound */
	ENTRY_SOCKET = 4,  /* a socket of this host was asked when it came, or this host's TCP has sent it */
	ENTRY_FILTER = 8,  /* an RST that this host has sent by no socket: see sent_by_filter */
	ENTRY_ICMP = 16, /* no segment: an ICMP error about one of this side, type and code in win, its sender in by */
	ENTRY_SURVIVED = 32, /* by user space: the socket of this host that the RST was sent to has not taken it */
	ENTRY_WHOLE = 128,   /* written last: before that another CPU is writing the entry */
};

struct log_entry {
	__u64 time; /* ns */
	union {
		struct {
			__u32 seq, ack, len;
			__u32 pad;
		};
		struct ip_address by; /* with ENTRY_ICMP */
	};
	__u16 win; /* as in the header */
	__u16 ip_id;
	__u8 flags;
	__u8 ttl;
	__u8 option; /* window scale of a SYN, MPTCP subtype of an RST; 0xff: none */
	__u8 bits;   /* ENTRY_ */
};
CORE_ASSERT_SIZE(struct log_entry, 32);

/*
 * Places in a block's log. The reserved ones are for what decides: the first FIN of each side, or the one that
 * follows its data, their acknowledgments, and the first RST.
 */
#define BLOCK_ENTRIES 28
#define BLOCK_RESERVED 8
#define BLOCK_COMMON (BLOCK_ENTRIES - BLOCK_RESERVED)

/*
 * Of the reserved ones the first, where no step has taken them, are also for an RST behind others that has the number
 * its receiver expects: those may have been ignored, and this one not. Two, as a mirror port shows each packet twice.
 * The six steps that may follow an RST find room all the same.
 */
#define BLOCK_EXACT_RESETS 2

/* Segments of a side that found no place in the log. They are counted without a lock. */
struct block_rest {
	__u64 plain; /* data and ACKs: their number above REST_SHIFT, below it their bytes */
	__u32 fins, resets, others;
	__u32 acked; /* when the side's acknowledgment number last rose, listed or not: ns >> REST_TIME_SHIFT */
};
#define REST_TIME_SHIFT 8
#define REST_SHIFT 40
#define REST_BYTES ((1ULL << REST_SHIFT) - 1)

struct flow_block {
	__u64 progress; /* ns: when anything new was sent or acknowledged */
	__u32 slot;     /* index + 1; 0: free */
	__u32 partial;  /* PHASE_FIN bits: FINs that came in a first fragment, so that their end is a lower bound */
	struct block_side side[2];
	struct block_rest rest[2];
	__u32 before_synack, before_ack; /* entries that came before these two of the handshake */
	__u32 no_socket; /* this host had none when the close began: none can come, so that nobody is asked again */
	__u32 pad;
	struct log_entry entry[BLOCK_ENTRIES];
};
CORE_ASSERT_SIZE(struct flow_block, 1024);

/* ---- the sets ---- */

/*
 * A way: tag (20 bits), slot + 1 (28), kind (3), coarse time (13). A tuple's slot is in the first of its two sets, or
 * in the second where the first was full; `spilled` counts those, so that the second one is looked at only if there
 * are any.
 */
#define SET_WAYS 7

enum way_kind { WAY_FREE, WAY_REPORTED, WAY_OPENING, WAY_HELD, WAY_BUSY };

struct flow_set {
	__u64 way[SET_WAYS];
	__u64 spilled;
};
CORE_ASSERT_SIZE(struct flow_set, 64);

#define WAY_TIME_BITS 13
#define WAY_TIME_SHIFT 27 /* ns to its unit, 134 ms */
#define WAY_KIND_SHIFT WAY_TIME_BITS
#define WAY_SLOT_SHIFT 16
#define WAY_SLOT_MASK ((1ULL << 28) - 1)
#define WAY_TAG_SHIFT 44

/*
 * place: of the tuple, see struct work. Its high half alone counts: bits 32 and up choose the set, the highest 20 are
 * the tag.
 */
static __always_inline __u64 way_tag(__u64 place)
{
	return place >> WAY_TAG_SHIFT << WAY_TAG_SHIFT;
}

/* Unmasked numbers of a tuple's two sets. */
static __always_inline __u32 first_set(__u64 place)
{
	return place >> 32;
}

static __always_inline __u32 second_set(__u64 place)
{
	return (__u32)(place >> 32) ^ ((__u32)(place >> WAY_TAG_SHIFT | 1) * 0x5bd1e995u);
}

static __always_inline __u32 way_slot(__u64 way)
{
	return way >> WAY_SLOT_SHIFT & WAY_SLOT_MASK;
}

static __always_inline __u32 way_kind(__u64 way)
{
	return way >> WAY_KIND_SHIFT & 7;
}

static __always_inline __u64 way_make(__u64 tag, __u32 slot, __u64 kind, __u64 time)
{
	return tag | (__u64)slot << WAY_SLOT_SHIFT | kind << WAY_KIND_SHIFT |
	       (time >> WAY_TIME_SHIFT & ((1 << WAY_TIME_BITS) - 1));
}

/* ---- what is free ---- */

/*
 * Slots, or blocks, that are free: numbers + 1 in a ring whose length is a power of two. User space puts them in at the
 * tail, in order; the recorder takes them from the head.
 */
struct spares {
	__u32 head;
	__u32 pad[15];
	__u32 tail;
	__u32 pad2[15];
};

enum block_pool { POOL_CLOSING, POOL_OPENING };

/* ---- a segment on its way ---- */

/* May the sockets of this host be asked about a segment that is no FIN or RST? Those are always asked about. */
enum ask { ASK_NOT, ASK_MAY, ASK_NOW };

/* The segment at hand: where it belongs. */
struct work {
	__u64 hash;        /* flow_hash: cells of the filter and of the last numbers seen */
	__u64 place;       /* a hash of the tuple that chooses its sets; in the kernel the same one */
	__u64 side;        /* sender */
	__u64 reported_at; /* ns: the last step of the handshake of `reported` */
	__u32 ifindex;
	__u32 current;  /* slot + 1 of the tuple's connection, 0: none */
	__u32 inside;   /* slot + 1 of one that opens inside it */
	__u32 reported; /* slot + 1 of one that was reported */
	__u32 again;    /* another CPU changed the slot: the segment is to be recorded anew */
	__u32 taken;    /* slot + 1 that insert has made */
	__u32 proving;  /* slot + 1 whose handshake is being completed */
	__u32 way;      /* chosen by insert */
	__u32 ask;      /* enum ask; with ASK_NOW the segment is to be recorded anew, once the sockets were asked */
	__u32 stray;    /* an RST that belongs to nothing */
	__u32 append;   /* slot + 1 to whose log the segment is to be appended; 0: none */
	__u32 step;     /* PHASE_ bits that it sets */
	__u32 lies;     /* how its numbers lie to the block's: NUMBER_ bits */
	struct block_side numbers[2];
	struct socket_numbers socket; /* at a FIN or RST, where an end of this host could be asked */
};

#endif
