/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mapping as JSON and as text, for `mappings` and `whomaps`. There can be millions: a line is put together in a buffer, without
 * json-c and libsmartcols, which allocate for each value and collect a table before they print it.
 */
#ifndef MAPPING_WORDS_H
#define MAPPING_WORDS_H

#include "dump.h"

/* Whose requests see a mapping: what all mappings of an address space have in common. */
struct mapping_space {
	size_t iommu;
	bool has_device; /* false: every device, or it is not known which */
	uint32_t device_id;
	bool has_process; /* requests with process_id */
	uint32_t process_id;
	const char *space;         /* "device", "process", "translated", "second_stage"; NULL */
	const char *stages;        /* "none", "first", "second", "both"; NULL: not known */
	bool has_gpa;              /* there is a second stage */
	bool guest;                /* the addresses that are asked for are guest physical */
	char mark;                 /* text: what a line begins with; '\0': a space */
	const char *json;          /* the members above, as every mapping has them */
	struct json_object *owner; /* of `json` */
};

/* "device", "process", "translated"; and "none", "first", "second", "both". */
const char *mapping_space_name(enum riommu_space_kind kind);
const char *mapping_stages_name(bool first, bool second);

/* The members that say whose a mapping is, of the JSON of a mapping and of totals. */
struct json_object *mapping_space_json(const struct dump *d, const struct mapping_space *s);

/* Fills `json`; and frees it. */
void mapping_space_begin(const struct dump *d, struct mapping_space *s);
void mapping_space_end(struct mapping_space *s);

/* The item of the list "mappings" that is open; and only the object, where it is part of another. */
void mapping_item(struct out *out, const struct mapping_space *s, const struct riommu_mapping *m);
void mapping_print_json(const struct mapping_space *s, const struct riommu_mapping *m);

/* An identity mapping of all addresses: in text it is a sentence and needs no columns. */
bool mapping_is_everything(const struct riommu_mapping *m);

/* The columns and a row of them. */
void mapping_print_columns(FILE *f, const struct mapping_space *s);
void mapping_print(FILE *f, const struct mapping_space *s, const struct riommu_mapping *m);

/* "4 KiB", "16.0 GiB": at most ten characters, with a decimal where it is rounded. */
const char *amount_words(uint64_t bytes, char *buf, size_t n);

/* What was seen besides mappings, and the totals of one space or of all. */
struct mapping_count {
	struct riommu_mapping_totals totals;
	uint64_t ranges;    /* of kind LEAVES */
	bool any, identity; /* there was a range of any kind; one of this kind */
	uint64_t malformed, guest_only, unreadable; /* ranges */
	uint8_t blocked;                            /* RIOMMU_BLOCKED_* of any */
	uint64_t address;                           /* of the first that cannot be read, and why */
	int error;
	bool refused; /* one may not be read */
};
void mapping_count(struct mapping_count *c, const struct riommu_mapping *m);
void mapping_count_add(struct mapping_count *sum, const struct mapping_count *c);
void mapping_count_json(struct json_object *obj, const struct mapping_count *c);

/* "3 ranges, 515 leaves, 4 MiB; 6 table pages", and what deserves a warning, each from column INDENT on. */
void mapping_print_count(FILE *f, const struct mapping_count *c, int indent);
void mapping_print_warnings(FILE *f, const struct mapping_count *c, int indent);

/* Reports what of WHOSE could not be read, and where it ended early. */
void mapping_report(struct out *out, const struct mapping_count *c, const char *whose);

#endif
