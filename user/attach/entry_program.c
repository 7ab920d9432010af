// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A dozen instructions, written out: one for each interface is loaded in microseconds. The programs behind it take the
 * verifier a tenth of a second, and are loaded once. XDP and tc hand a program no place to keep a number otherwise:
 * links have no cookie there, and which namespace a packet is in can be asked for from Linux 6.15 on.
 */
#include "user/attach/entry_program.h"

#include <errno.h>
#include <stddef.h>

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "bpf/settings.h"

#define COPY(to, from)                                                                  \
	(struct bpf_insn)                                                               \
	{                                                                               \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from) \
	}
#define SET(to, value)                                                               \
	(struct bpf_insn)                                                            \
	{                                                                            \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value) \
	}
#define ADD(to, value)                                                               \
	(struct bpf_insn)                                                            \
	{                                                                            \
		.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (to), .imm = (value) \
	}
#define STORE(to, offset, value)                                                                        \
	(struct bpf_insn)                                                                               \
	{                                                                                               \
		.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = (to), .off = (offset), .imm = (int)(value) \
	}
#define LOAD_MAP(to, fd)                                                                                        \
	(struct bpf_insn){                                                                                      \
		.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (to), .src_reg = BPF_PSEUDO_MAP_FD, .imm = (fd)}, \
		(struct bpf_insn)                                                                               \
	{                                                                                                       \
	}
#define CALL(function)                                        \
	(struct bpf_insn)                                     \
	{                                                     \
		.code = BPF_JMP | BPF_CALL, .imm = (function) \
	}
#define SKIP_IF_0(of, count)                                                                 \
	(struct bpf_insn)                                                                    \
	{                                                                                    \
		.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = (of), .off = (count), .imm = 0 \
	}
#define EXIT                               \
	(struct bpf_insn)                  \
	{                                  \
		.code = BPF_JMP | BPF_EXIT \
	}

static enum jump jump_to(enum entry entry)
{
	return entry == ENTRY_TC_L3 ? JUMP_HOOK_L3 : entry == ENTRY_TC_CLOSE ? JUMP_HOOK_CLOSE : JUMP_HOOK;
}

int entry_program_load(const struct entry_maps *maps, enum entry entry, uint32_t number)
{
	bool xdp = entry == ENTRY_XDP;
	const struct bpf_insn program[] = {
		COPY(BPF_REG_6, BPF_REG_1),
		STORE(BPF_REG_10, -4, 0),
		COPY(BPF_REG_2, BPF_REG_10),
		ADD(BPF_REG_2, -4),
		LOAD_MAP(BPF_REG_1, maps->scratch),
		CALL(BPF_FUNC_map_lookup_elem),
		SKIP_IF_0(BPF_REG_0, 6),
		STORE(BPF_REG_0, 0, number),
		COPY(BPF_REG_1, BPF_REG_6),
		LOAD_MAP(BPF_REG_2, xdp ? maps->jumps_x : maps->jumps_t),
		SET(BPF_REG_3, jump_to(entry)),
		CALL(BPF_FUNC_tail_call),
		SET(BPF_REG_0, xdp ? XDP_PASS : TC_ACT_UNSPEC), /* there is no such program */
		EXIT,
	};
	/* A program jumps only to its like: the kernel compares these two with those of the programs behind it. */
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = xdp ? BPF_XDP : 0,
		    .prog_flags = xdp && maps->xdp_frags ? BPF_F_XDP_HAS_FRAGS : 0);
	int fd = bpf_prog_load(xdp ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS, "tcpfin_entry", "GPL", program,
			       sizeof(program) / sizeof(program[0]), &options);

	return fd < 0 ? -errno : fd;
}
