// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reference OBJECT INTERFACE: attaches the object's tc program to both directions of the interface, prints "ready", and
 * reads its reports as a tracer would, until SIGINT or SIGTERM. Then it prints how many there were.
 *
 * The hook is tcx (Linux 6.6), which is where tcpfin-trace goes too.
 */
#include <net/if.h>
#include <signal.h>
#include <time.h>

#include "tests/bench/reference.h"

#ifndef BPF_TCX_INGRESS
enum { BPF_TCX_INGRESS = 46, BPF_TCX_EGRESS = 47 };
#endif

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

int main(int argc, char **argv)
{
	const struct timespec pause = {.tv_nsec = READ_EVERY_NS};
	static const int hooks[] = {BPF_TCX_INGRESS, BPF_TCX_EGRESS};
	struct sigaction action = {.sa_handler = stop};
	struct reference r;
	int interface = argc == 3 ? (int)if_nametoindex(argv[2]) : 0;

	if (!interface) {
		fputs("reference OBJECT INTERFACE\n", stderr);
		return 2;
	}
	reference_open(&r, argv[1]);
	for (int i = 0; i < 2; i++)
		if (bpf_link_create(r.tc, interface, (enum bpf_attach_type)hooks[i], NULL) < 0)
			reference_fail("attaching at tcx", errno);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		nanosleep(&pause, NULL);
		reference_read(&r);
	}
	printf("%llu\n", (unsigned long long)r.events);
	reference_close(&r);
	return 0;
}
