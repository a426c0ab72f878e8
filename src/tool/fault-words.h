/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fault or a cause in words: what it means, whom it is about, what to do next. */
#ifndef FAULT_WORDS_H
#define FAULT_WORDS_H

#include "tool.h"
#include "queue/queue.h"

/* A fault as far as its source tells: a log line has no transaction type, the first doubleword no address. */
struct known_fault {
	struct riommu_fault fault;
	char iommu[64];  /* "" when not told */
	bool has_header; /* TTYP, PV, PID, PRIV */
	bool has_iotval, has_iotval2;
	bool has_dw1; /* custom, reserved */
};

/* What every JSON of a fault has: cause, transaction, device, addresses; what is not known is null. */
void fault_members(struct json_object *obj, const struct known_fault *k);

/* {"kind":"fault", ...}: the members, the words about the cause, and how to walk it. */
struct json_object *fault_json(const struct known_fault *k);
void fault_print(FILE *f, const struct known_fault *k);

/* The same for a cause alone: {"kind":"cause", ...}. */
struct json_object *cause_json(unsigned code);
void cause_print(FILE *f, unsigned code);

/*
 * Words for tables. A guest page fault's GPA; NULL for other causes. The transaction type in one or two words (the JSON has the
 * specification's name). The process; NULL where there is none.
 */
const char *fault_gpa_text(const struct riommu_fault *f, char *text, size_t size);
const char *fault_type_word(const struct riommu_fault *f);
const char *fault_process_text(const struct riommu_fault *f, char *text, size_t size);

/* "  LABEL    TEXT", TEXT broken between words; nothing for NULL. */
void print_words(FILE *f, const char *label, const char *text);

#endif
