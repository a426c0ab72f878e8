/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A translation and its steps, as JSON and in words. */
#ifndef TRANSLATION_H
#define TRANSLATION_H

#include "tool.h"
#include "walk/walk.h"

/* Walks REQUEST; on a live machine until the tables hold still (riommu_translate_live()). TRACE may be NULL. */
void translation_walk(const struct riommu_system *sys, const struct riommu_walker *walker,
		      const struct riommu_request *request, struct riommu_translation *t,
		      struct riommu_trace *trace);

/*
 * The JSON of one translation (design 3.3). TRACE NULL: no steps. MISSING_REGISTER not NULL: the result is `unknown` for
 * want of it, and T is not looked at.
 */
struct json_object *translation_json(size_t line, uint64_t base,
				     const struct riommu_request *request,
				     const struct riommu_translation *t,
				     const struct riommu_trace *trace,
				     const char *missing_register);

/* The same to standard output, a line of its own, without steps. It is fast: a batch has millions. */
void translation_print_json(size_t line, uint64_t base, const struct riommu_request *request,
			    const struct riommu_translation *t);

/* The same for a person: the steps (TRACE may be NULL) and the outcome, each line indented by INDENT. */
void translation_print(FILE *f, int indent, uint32_t fctl, const struct riommu_request *request,
		       const struct riommu_translation *t, const struct riommu_trace *trace);

/* Like it, for want of a register. */
void translation_print_missing(FILE *f, int indent, const char *missing_register);

/* tc of the device context that the walk went through: it decides formats (SXL, PDTV). 0 before there is one. */
uint64_t trace_tc(const struct riommu_trace *trace);

/* What an entry says, in a few words: "V R W U A D -> 0x80200000". */
void step_words(const struct riommu_step *step, uint64_t tc, uint32_t fctl, char *buf, size_t size);

/* "4 KiB", "2 MiB"; "any size" for 0. */
const char *size_words(uint64_t size, char *buf, size_t n);

#endif
