/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The formats that records are printed in.
 */
#ifndef TCPFIN_FORMATS_H
#define TCPFIN_FORMATS_H

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV, FORMAT_LADDER };

#endif
