/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzz targets share: the input cut into values, files that hold it, a system on it, output that is looked at. */
#ifndef FUZZ_H
#define FUZZ_H

#include "discover/discover.h"

#include <stdio.h>

/* What has to hold whatever the input is: else the fuzzer keeps the input. */
#define MUST(what)                                                    \
	do {                                                          \
		if (!(what))                                          \
			fuzz_broken(__FILE__, __LINE__, #what, NULL); \
	} while (0)
#define MUST_SAY(what, words)                                          \
	do {                                                           \
		if (!(what))                                           \
			fuzz_broken(__FILE__, __LINE__, #what, words); \
	} while (0)
_Noreturn void fuzz_broken(const char *file, int line, const char *what, const char *words);

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max);

/* -- the input as values: zeros when it is used up ------------------------------------------------------------- */

struct feed {
	const uint8_t *at;
	size_t left;
};
uint8_t feed8(struct feed *f);
uint16_t feed16(struct feed *f);
uint32_t feed32(struct feed *f);
uint64_t feed64(struct feed *f);
uint64_t feed_below(struct feed *f, uint64_t below);

/* What is left up to a byte of 0xff, or to its end, as a string; the caller's to free(). */
char *feed_text(struct feed *f);

/* -- files ------------------------------------------------------------------------------------------------------- */

/* A directory of this process, made when it is first asked for and removed at the end; NAME below it. Good for seven calls. */
const char *fuzz_path(const char *name);

/* BYTES as the file NAME in that directory. */
void fuzz_file(const char *name, const void *bytes, size_t len);
void fuzz_make_dir(const char *name);

/* -- contexts and systems ------------------------------------------------------------------------------------------ */

/* A context whose parameters lead nowhere outside that directory; -O max-pages=4096. It listens to all messages. */
struct riommu_ctx *fuzz_ctx(void);

/* Opens the file INPUT, or a machine below the directory when it is NULL. NULL: refused, and the words were good. */
struct riommu_system *fuzz_open(struct riommu_ctx *ctx, const char *input);

/* The words of the last error are one printable line, and there are some. */
void fuzz_good_words(const struct riommu_ctx *ctx);

/* Two systems say the same of IOMMUs, registers, devices and regions. */
void fuzz_same(const struct riommu_system *a, const struct riommu_system *b);

#endif
