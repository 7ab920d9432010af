/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which exposition format a scraper wants, by its header Accept (RFC 9110, section 12.5.1).
 */
#ifndef TCPFIN_ACCEPT_HEADER_H
#define TCPFIN_ACCEPT_HEADER_H

#include "user/monitoring/exposition.h"

/*
 * OpenMetrics where the header names it, and names text/plain with no greater weight; else the older format, which
 * every scraper reads. accept: the header's value; NULL where there is none.
 */
enum exposition_format accept_header_format(const char *accept);

#endif
