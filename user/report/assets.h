/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files beside this one that make the page, as they are at build time. Each ends with a NUL.
 */
#ifndef TCPFIN_REPORT_ASSETS_H
#define TCPFIN_REPORT_ASSETS_H

extern const char report_page_html[], report_page_css[], report_page_js[];

#endif
