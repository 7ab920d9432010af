// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The first line comes after a second, so a short capture shows none.
 */
#include "user/capture/progress.h"

#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/sink.h"
#include "user/format/duration.h"

#define CLEAR "\r\033[K"
#define MEGA 1000000.0

void progress_begin(struct progress *p, bool quiet)
{
	*p = (struct progress){.shown = !quiet && isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO)};
	p->begun = clock_ns(CLOCK_MONOTONIC);
	p->next = p->begun + SECOND_NS;
}

void progress_line(struct buffer *out, uint64_t done, uint64_t all, uint64_t elapsed)
{
	double rate = elapsed ? (double)done / (double)elapsed : 0; /* bytes a ns */

	buffer_printf(out, "%.0f%% of %.0f MB, %.0f MB/s", 100.0 * (double)done / (double)all, (double)all / MEGA,
		      rate * SECOND_NS / MEGA);
	if (rate > 0 && done < all) {
		buffer_text(out, ", ");
		buffer_duration(out, (int64_t)((double)(all - done) / rate));
		buffer_text(out, " left");
	}
}

void progress_show(struct progress *p, const struct capture_files *files)
{
	uint64_t now, done, all;
	struct buffer line = {0};

	if (!p->shown)
		return;
	now = clock_ns(CLOCK_MONOTONIC);
	if (now < p->next || !capture_files_progress(files, &done, &all))
		return;
	p->next = now + SECOND_NS;
	p->written = true;
	buffer_text(&line, CLEAR);
	progress_line(&line, done, all, now - p->begun);
	sink_write(STDERR_FILENO, &line);
	buffer_free(&line);
}

void progress_end(struct progress *p)
{
	struct buffer line = {0};

	if (!p->written)
		return;
	buffer_text(&line, CLEAR);
	sink_write(STDERR_FILENO, &line);
	buffer_free(&line);
}
