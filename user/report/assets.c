// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Embeds the page's files. The Makefile has them as prerequisites of this object; paths are from the top.
 */
#include "user/report/assets.h"

#define EMBED(name, path)                            \
	__asm__(".section .rodata,\"a\"\n"           \
		".global " name "\n" name ":\n"      \
		".incbin \"user/report/" path "\"\n" \
		".byte 0\n"                          \
		".previous\n")

EMBED("report_page_html", "page.html");
EMBED("report_page_css", "page.css");
EMBED("report_page_js", "page.js");
