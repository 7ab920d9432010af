// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The families of metrics, one function each. A series of a closed set is there from the start, at 0, so that its first
 * increase is seen; what no record should have is printed only if one had it.
 */
#include "user/monitoring/metrics.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- connections ---- */

static const char *detail_label(unsigned detail)
{
	if (detail == DETAIL_NONE)
		return "none";
	if (detail < DETAIL_PHASE)
		return pattern_name((enum pattern)(detail - DETAIL_PATTERN + 1));
	if (detail < DETAIL_MISSING)
		return phase_name((enum phase)(detail - DETAIL_PHASE + 1));
	return missing_name((enum missing)(detail - DETAIL_MISSING + 1));
}

/* Is it what connections of that outcome have? */
static bool is_usual(enum outcome outcome, unsigned detail)
{
	switch (outcome) {
	case OUTCOME_GRACEFUL:
		return detail >= DETAIL_PATTERN && detail < DETAIL_PHASE;
	case OUTCOME_RESET:
		return detail > DETAIL_PHASE && detail < DETAIL_MISSING; /* not in the handshake */
	case OUTCOME_REFUSED:
	case OUTCOME_HANDSHAKE_RESET:
		return detail == DETAIL_PHASE;
	case OUTCOME_UNFINISHED:
		return detail >= DETAIL_MISSING;
	default:
		return detail == DETAIL_NONE;
	}
}

static void print_outcome(struct exposition *e, const struct metrics *m, enum outcome outcome, unsigned detail)
{
	for (unsigned closer = 0; closer < METRICS_ROLES; closer++) {
		struct metric_label labels[] = {{"outcome", outcome_name(outcome)},
						{"detail", detail_label(detail)},
						{"closer", role_or_unknown((enum role)closer)}};
		uint64_t n = m->connections[outcome][detail][closer];

		if (n || is_usual(outcome, detail))
			exposition_number(e, labels, COUNT(labels), n);
	}
}

static void print_connections(struct exposition *e, const struct metrics *m)
{
	exposition_family(
		e, METRIC_COUNTER, "tcpfin_connections",
		"Connections in their final records, by outcome, what there is to say of it (pattern, phase of "
		"the reset, missing step) and who closed first.");
	for (unsigned outcome = 0; outcome < OUTCOMES; outcome++)
		for (unsigned detail = 0; detail < DETAILS; detail++)
			print_outcome(e, m, (enum outcome)outcome, detail);
}

/* ---- resets ---- */

static const char *answer_label(enum answer answer)
{
	return answer == YES ? "true" : answer == NO ? "false" : "unknown";
}

static void print_resets_of(struct exposition *e, const struct metrics *m, enum role by, enum phase phase)
{
	for (unsigned validity = 0; validity <= RESET_OUT_OF_WINDOW; validity++)
		for (unsigned forged = 0; forged <= YES; forged++) {
			struct metric_label labels[] = {{"by", role_or_unknown(by)},
							{"phase", phase_name(phase) ? phase_name(phase) : "none"},
							{"validity", validity_name((enum reset_validity)validity)},
							{"forged", answer_label((enum answer)forged)}};
			uint64_t n = m->resets[by][phase][validity][forged];

			if (n || (by <= DESTINATION && phase != PHASE_NONE))
				exposition_number(e, labels, COUNT(labels), n);
		}
}

static void print_resets(struct exposition *e, const struct metrics *m)
{
	exposition_family(
		e, METRIC_COUNTER, "tcpfin_resets",
		"Connections whose record names an RST, by its alleged sender, when it came, how its number fits, and "
		"whether somebody else sent it.");
	for (unsigned by = 0; by < METRICS_ROLES; by++)
		for (unsigned phase = 0; phase <= PHASE_CLOSED; phase++)
			print_resets_of(e, m, (enum role)by, (enum phase)phase);
}

static void print_reasons(struct exposition *e, const struct metrics *m)
{
	exposition_family(
		e, METRIC_COUNTER, "tcpfin_reset_reasons",
		"The same connections by the reason that this host's kernel had to send the RST; unknown where "
		"another host sent it.");
	for (unsigned i = 0; i < m->reason_count; i++)
		exposition_number(e, &(struct metric_label){"reason", m->reasons[i].name}, 1, m->reasons[i].resets);
	if (m->reasons_other)
		exposition_number(e, &(struct metric_label){"reason", SHOWN_OTHER}, 1, m->reasons_other);
}

/* ---- times and copies ---- */

static void print_steps(struct exposition *e, const struct metrics *m)
{
	exposition_family(e, METRIC_HISTOGRAM, "tcpfin_close_step_seconds",
			  "How long the steps of closes took, where they were seen.");
	for (unsigned i = 0; i < METRICS_STEPS; i++)
		duration_histogram_print(e, &m->steps[i],
					 &(struct metric_label){"step", timing_name(metrics_steps[i])});
	exposition_family(e, METRIC_HISTOGRAM, "tcpfin_handshake_seconds",
			  "From the SYN to the ACK that completes the handshake.");
	duration_histogram_print(e, &m->handshake, NULL);
	exposition_family(e, METRIC_HISTOGRAM, "tcpfin_connection_duration_seconds",
			  "From the first segment to the last step of the verdict, where the handshake was seen.");
	duration_histogram_print(e, &m->lifetime, NULL);
}

static void print_retransmits(struct exposition *e, const struct metrics *m)
{
	const struct {
		const char *segment, *by;
		uint64_t n;
	} rows[] = {
		{"syn", role_name(SOURCE), m->retransmits_syn},
		{"syn_ack", role_name(DESTINATION), m->retransmits_syn_ack},
		{"fin", role_name(SOURCE), m->retransmits_fin[SOURCE]},
		{"fin", role_name(DESTINATION), m->retransmits_fin[DESTINATION]},
	};

	exposition_family(e, METRIC_COUNTER, "tcpfin_retransmits", "Segments that were sent again, by their sender.");
	for (unsigned i = 0; i < COUNT(rows); i++) {
		struct metric_label labels[] = {{"segment", rows[i].segment}, {"by", rows[i].by}};

		exposition_number(e, labels, COUNT(labels), rows[i].n);
	}
}

/* ---- groups ---- */

static void print_groups(struct exposition *e, const struct shown_groups *g)
{
	static const char *const families[GROUP_FIELDS] = {
		[GROUP_PROCESS] = "tcpfin_process_connections",
		[GROUP_PEER] = "tcpfin_peer_connections",
		[GROUP_UNIT] = "tcpfin_unit_connections",
		[GROUP_CONTAINER] = "tcpfin_container_connections",
	};

	exposition_family(
		e, METRIC_COUNTER, families[g->by.field[0]],
		"Connections in their final records by group and outcome; the groups that do not stand out are "
		"other.");
	shown_groups_print(e, g);
}

/* ---- closes that go on, and ports ---- */

static const char *state_label(enum tcp_state state)
{
	return state_name(state) ? state_name(state) : "unknown";
}

static void print_stuck(struct exposition *e, const struct metrics_now *now)
{
	if (!now->watches_closes)
		return;
	exposition_family(
		e, METRIC_GAUGE, "tcpfin_stuck_closes",
		"Closes that have stood still for --close-timeout, by whose turn it is and the state of this end.");
	for (unsigned state = 0; state < TCP_STATES; state++)
		for (unsigned turn = SOURCE; turn <= DESTINATION; turn++) {
			struct metric_label labels[] = {{"state", state_label((enum tcp_state)state)},
							{"turn", role_name((enum role)turn)}};

			if (now->stuck[state][turn] || (state >= STATE_ESTABLISHED && state <= STATE_LAST_ACK))
				exposition_number(e, labels, COUNT(labels), now->stuck[state][turn]);
		}
}

static void print_ports(struct exposition *e, const struct metrics_ports *p)
{
	if (!p->known)
		return;
	exposition_family(e, METRIC_GAUGE, "tcpfin_time_wait_sockets", "Sockets of this host in TIME-WAIT.");
	exposition_number(e, NULL, 0, p->time_wait);
	exposition_family(e, METRIC_GAUGE, "tcpfin_local_ports_usable",
			  "Local ports that connect() may choose, for each pair of source and destination.");
	exposition_number(e, NULL, 0, p->usable);
	exposition_family(
		e, METRIC_GAUGE, "tcpfin_local_ports_used",
		"How many of them are in use towards a destination with sockets in TIME-WAIT; the fullest ones.");
	for (unsigned i = 0; i < p->count; i++) {
		struct metric_label labels[] = {{"source", p->pairs[i].source},
						{"destination", p->pairs[i].destination}};

		exposition_number(e, labels, COUNT(labels), p->pairs[i].used);
	}
}

/* ---- the program itself ---- */

static void print_losses(struct exposition *e, const struct metrics *m)
{
	exposition_family(
		e, METRIC_COUNTER, "tcpfin_lost",
		"What was lost, by the counter that tcpfin-trace(8) explains. All of them are 0 where nothing was.");
	for (unsigned i = 0; i < COUNTERS; i++)
		if (counter_is_loss(i))
			exposition_number(e, &(struct metric_label){"where", counter_names[i]}, 1, m->now.counters[i]);
	exposition_family(e, METRIC_COUNTER, "tcpfin_events",
			  "What else was counted, by the counter that tcpfin-trace(8) explains.");
	for (unsigned i = 0; i < COUNTERS; i++)
		if (!counter_is_loss(i) && !counter_is_internal(i))
			exposition_number(e, &(struct metric_label){"event", counter_names[i]}, 1, m->now.counters[i]);
}

static void print_tables(struct exposition *e, const struct metrics_now *now)
{
	const struct metric_label established = {"table", "established"}, closing = {"table", "closing"};

	if (!now->established.capacity)
		return;
	exposition_family(e, METRIC_GAUGE, "tcpfin_table_entries", "Connections in the kernel's tables.");
	exposition_number(e, &established, 1, now->established.entries);
	exposition_number(e, &closing, 1, now->closing.entries);
	exposition_family(e, METRIC_GAUGE, "tcpfin_table_capacity_entries", "How many there is room for.");
	exposition_number(e, &established, 1, now->established.capacity);
	exposition_number(e, &closing, 1, now->closing.capacity);
}

/* Without the kernel's statistics (sysctl kernel.bpf_stats_enabled) nothing is known, which is not 0. */
static void print_programs(struct exposition *e, const struct metrics_now *now)
{
	uint64_t runs = 0;

	for (unsigned i = 0; i < now->program_count; i++)
		runs += now->programs[i].runs;
	if (!runs)
		return;
	exposition_family(e, METRIC_COUNTER, "tcpfin_bpf_run_seconds",
			  "Time that the BPF programs took while kernel.bpf_stats_enabled was 1.");
	for (unsigned i = 0; i < now->program_count; i++)
		exposition_seconds(e, &(struct metric_label){"program", now->programs[i].name}, 1, now->programs[i].ns);
	exposition_family(e, METRIC_COUNTER, "tcpfin_bpf_runs", "How often they ran in that time.");
	for (unsigned i = 0; i < now->program_count; i++)
		exposition_number(e, &(struct metric_label){"program", now->programs[i].name}, 1,
				  now->programs[i].runs);
}

/* Not process_cpu_seconds_total: node_exporter has that name for itself, beside what it reads from a file. */
static void print_own(struct exposition *e, const struct metrics_now *now)
{
	exposition_family(e, METRIC_COUNTER, "tcpfin_cpu_seconds",
			  "Time that tcpfin-trace has computed in user space and kernel.");
	exposition_seconds(e, NULL, 0, now->cpu);
	exposition_family(e, METRIC_GAUGE, "tcpfin_start_time_seconds", "When it began, since 1970.");
	exposition_seconds(e, NULL, 0, now->start);
	exposition_family(e, METRIC_INFO, "tcpfin_build", "The version of tcpfin-trace; always 1.");
	exposition_number(e, &(struct metric_label){"version", TCPFIN_VERSION}, 1, 1);
}

void metrics_print(struct buffer *out, struct metrics *m, enum exposition_format format)
{
	struct exposition e = {.out = out, .format = format};

	print_connections(&e, m);
	print_resets(&e, m);
	print_reasons(&e, m);
	print_steps(&e, m);
	print_retransmits(&e, m);
	for (unsigned i = 0; i < METRICS_GROUPS; i++) {
		shown_groups_admit(&m->groups[i], m->now.time);
		print_groups(&e, &m->groups[i]);
	}
	print_stuck(&e, &m->now);
	print_ports(&e, &m->now.ports);
	print_losses(&e, m);
	print_tables(&e, &m->now);
	print_programs(&e, &m->now);
	print_own(&e, &m->now);
	exposition_end(&e);
}
