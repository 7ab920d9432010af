// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of fields as data: what can be asked about a field without a record.
 */
#include "user/record/record_fields.h"

#define FIELD_ROW(path, column, type, presence, value, meaning) {path, column, FIELD_##type, FIELD_##presence, meaning},
#define MEMBER_ROW(path, type, presence, meaning) {path, NULL, FIELD_##type, FIELD_##presence, meaning},

const struct record_field record_fields[] = {RECORD_FIELDS(FIELD_ROW, MEMBER_ROW)};
const unsigned record_field_count = sizeof(record_fields) / sizeof(record_fields[0]);
