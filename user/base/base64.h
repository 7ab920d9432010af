/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base64 (RFC 4648 section 4).
 */
#ifndef TCPFIN_BASE64_H
#define TCPFIN_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* Characters of len bytes, and a NUL. */
#define BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)

/* Writes BASE64_SIZE(len) bytes, padding and a NUL included. */
void base64(char *text, const uint8_t *bytes, size_t len);

#endif
