// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who comes before us in a tcx chain. The kernel answers that question to CAP_NET_ADMIN only, which is given up after
 * the start; an iterator over all links that was attached before may be read without any capability.
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/tcx_order_record.h"

char LICENSE[] SEC("license") = "GPL";

/* The link has its own place (until 6.17) or the one that links of all kinds have. */
static __always_inline bool is_ingress(const struct bpf_link *link)
{
	const struct tcx_link___location *old = (const void *)link;
	const struct bpf_link___attach_type *new = (const void *)link;

	if (bpf_core_field_exists(new->attach_type))
		return BPF_CORE_READ(new, attach_type) == BPF_TCX_INGRESS;
	return BPF_CORE_READ(old, location) == BPF_TCX_INGRESS;
}

/* The chain's first program; NULL: the link is off. Iterators run under RCU, so what is read stays meanwhile. */
static __always_inline const struct bpf_prog *first_of_chain(const struct bpf_link *link)
{
	const struct tcx_link___tcx *tcx = (const void *)link;
	const struct net_device___tcx *dev = BPF_CORE_READ(tcx, dev);

	if (is_ingress(link))
		return BPF_CORE_READ(dev, tcx_ingress, fp_items[0].prog);
	return BPF_CORE_READ(dev, tcx_egress, fp_items[0].prog);
}

/*
 * Names of programs of any tcpfin-trace begin with "tcpfin_". One of another instance that comes before ours passes
 * every packet on.
 */
static __always_inline bool is_ours(const char name[16])
{
	return name[0] == 't' && name[1] == 'c' && name[2] == 'p' && name[3] == 'f' && name[4] == 'i' &&
	       name[5] == 'n' && name[6] == '_';
}

SEC("iter/bpf_link")
int tcpfin_tcx_order(struct bpf_iter__bpf_link *context)
{
	const struct bpf_link *link = context->link;
	const struct bpf_prog *first;
	struct tcx_order_record record = {};

	if (!link || BPF_CORE_READ(link, type) != BPF_LINK_TYPE_TCX)
		return 0;
	BPF_CORE_READ_STR_INTO(&record.name, link, prog, aux, name);
	if (!is_ours(record.name))
		return 0;
	first = first_of_chain(link);
	record.program = BPF_CORE_READ(first, aux, id);
	BPF_CORE_READ_STR_INTO(&record.name, first, aux, name);
	if (!record.program || is_ours(record.name))
		return 0;
	record.link = BPF_CORE_READ(link, id);
	bpf_seq_write(context->meta->seq, &record, sizeof(record));
	return 0;
}
