// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Figures a second, not totals: what stands in the summary at the end is not repeated here.
 */
#include <string.h>

#include <bpf/bpf.h>

#include "user/live/live_stats.h"
#include "user/record/counters.h"

void live_stats_read_program(struct live_stats *s, int program)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (program < 0 || bpf_obj_get_info_by_fd(program, &info, &size))
		return;
	memcpy(s->programs[s->program_count].name, info.name, sizeof(info.name));
	s->programs[s->program_count].runs = info.run_cnt;
	s->programs[s->program_count].ns = info.run_time_ns;
	s->program_count++;
}

static void print_rate(struct buffer *out, const char *name, uint64_t now, uint64_t before, double seconds)
{
	if (seconds > 0)
		buffer_printf(out, " %s %.0f/s", name, (double)(now - before) / seconds);
	else
		buffer_printf(out, " %s %llu", name, (unsigned long long)now);
}

/* Cells whose segments are looked up, of all: the share of innocent traffic that pays for a look-up. */
static double filter_fill(const struct watch *watch)
{
	unsigned live = 0;

	for (unsigned i = 0; i < WATCH_CELLS; i++)
		live += watch->live[i] != 0;
	return 100.0 * live / WATCH_CELLS;
}

static void print_programs(struct buffer *out, const struct live_stats *now, const struct live_stats *before)
{
	for (unsigned i = 0; i < now->program_count; i++) {
		uint64_t runs = now->programs[i].runs - before->programs[i].runs;

		if (runs)
			buffer_printf(out, " %s %.0f ns", now->programs[i].name,
				      (double)(now->programs[i].ns - before->programs[i].ns) / (double)runs);
	}
}

void live_stats_print(struct buffer *out, const struct live_stats *now, const struct live_stats *before, double seconds,
		      const struct watch *watch)
{
	const uint64_t *n = now->counters, *b = before->counters;

	buffer_text(out, "stats:");
	if (n[COUNT_PACKETS]) { /* counted with --stats only */
		print_rate(out, "packets", n[COUNT_PACKETS], b[COUNT_PACKETS], seconds);
		print_rate(out, "filtered", n[COUNT_VERDICT + PACKET_TCP] - n[COUNT_LOOKED_UP],
			   b[COUNT_VERDICT + PACKET_TCP] - b[COUNT_LOOKED_UP], seconds);
	}
	print_rate(out, "looked-up", n[COUNT_LOOKED_UP], b[COUNT_LOOKED_UP], seconds);
	print_rate(out, "records", now->records, before->records, seconds);
	buffer_printf(out, "; established %llu/%llu closing %llu/%llu settling %llu; filter %.1f%%",
		      (unsigned long long)now->established, (unsigned long long)now->established_max,
		      (unsigned long long)now->closing, (unsigned long long)now->closing_max,
		      (unsigned long long)now->settling, filter_fill(watch));
	buffer_printf(out, "; ring-full %llu evicted %llu lost %llu", (unsigned long long)n[COUNT_RING_FULL],
		      (unsigned long long)n[COUNT_UNPROVEN_EVICTED], (unsigned long long)counters_lost(n));
	print_programs(out, now, before);
	buffer_char(out, '\n');
}

void live_stats_observe(const struct live_stats *s, struct metrics_now *now)
{
	memcpy(now->counters, s->counters, sizeof(now->counters));
	now->established.entries = s->established;
	now->established.capacity = s->established_max;
	now->closing.entries = s->closing;
	now->closing.capacity = s->closing_max;
	now->program_count = s->program_count;
	memcpy(now->programs, s->programs, sizeof(now->programs));
}
