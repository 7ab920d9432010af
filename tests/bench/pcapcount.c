// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pcapcount FILE: the least that a reader of captures can do. Prints how many packets the file has.
 */
#include <pcap/pcap.h>
#include <stdio.h>

static void count(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
	(void)header;
	(void)bytes;
	++*(unsigned long *)user;
}

int main(int argc, char **argv)
{
	char error[PCAP_ERRBUF_SIZE] = "give a file";
	pcap_t *pcap = argc == 2 ? pcap_open_offline(argv[1], error) : NULL;
	unsigned long packets = 0;

	if (!pcap) {
		fprintf(stderr, "pcapcount: %s\n", error);
		return 1;
	}
	if (pcap_loop(pcap, -1, count, (u_char *)&packets) < 0) {
		fprintf(stderr, "pcapcount: %s\n", pcap_geterr(pcap));
		return 1;
	}
	printf("%lu\n", packets);
	pcap_close(pcap);
	return 0;
}
