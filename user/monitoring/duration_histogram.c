// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bound's text is spelled as OpenMetrics wants it, in both formats: to Prometheus "1" and "1.0" are two series.
 */
#include "user/monitoring/duration_histogram.h"

static const struct {
	uint64_t ns; /* inclusive */
	const char *text;
} bounds[DURATION_BOUNDS] = {
	{10000, "1e-05"},          {20000, "2e-05"},          {50000, "5e-05"},          {100000, "0.0001"},
	{200000, "0.0002"},        {500000, "0.0005"},        {1000000, "0.001"},        {2000000, "0.002"},
	{5000000, "0.005"},        {10000000, "0.01"},        {20000000, "0.02"},        {50000000, "0.05"},
	{100000000, "0.1"},        {200000000, "0.2"},        {500000000, "0.5"},        {1000000000, "1.0"},
	{2000000000, "2.0"},       {5000000000, "5.0"},       {10000000000, "10.0"},     {20000000000, "20.0"},
	{50000000000, "50.0"},     {100000000000, "100.0"},   {200000000000, "200.0"},   {500000000000, "500.0"},
	{1000000000000, "1000.0"}, {2000000000000, "2000.0"}, {5000000000000, "5000.0"},
};

/* The first bucket whose bound is not below ns. Counting has no branches, which nobody could predict. */
static unsigned bucket_of(uint64_t ns)
{
	unsigned below = 0;

	for (unsigned i = 0; i < DURATION_BOUNDS; i++)
		below += bounds[i].ns < ns;
	return below;
}

void duration_histogram_add(struct duration_histogram *h, uint64_t ns)
{
	h->bucket[bucket_of(ns)]++;
	h->sum += ns;
}

void duration_histogram_print(struct exposition *e, const struct duration_histogram *h,
			      const struct metric_label *label)
{
	struct metric_label labels[2] = {label ? *label : (struct metric_label){0}};
	unsigned common = label ? 1 : 0;
	uint64_t values = 0;

	for (unsigned i = 0; i <= DURATION_BOUNDS; i++) {
		values += h->bucket[i];
		labels[common] = (struct metric_label){"le", i < DURATION_BOUNDS ? bounds[i].text : "+Inf"};
		exposition_part(e, "_bucket", labels, common + 1, values);
	}
	exposition_part_seconds(e, "_sum", labels, common, h->sum);
	exposition_part(e, "_count", labels, common, values);
}
