/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One call of the system or of the heap fails: the N-th of those that the library makes while this is armed. Programs that use it
 * are linked with --wrap for each of the names in failing.c.
 */
#ifndef TEST_FAILING_H
#define TEST_FAILING_H

#include <stdbool.h>

enum failing_kind {
	FAILING_MEMORY,      /* allocations: ENOMEM */
	FAILING_FILES,       /* what opens, reads, writes, maps: EIO */
	FAILING_INTERRUPTED, /* read, pread, write, pwrite: EINTR */
};

/* From now on the N-th call of this kind fails (1: the first); 0: none does, and they are counted. */
void failing_begin(enum failing_kind kind, unsigned n);

/* From now on each call of WHAT (a name: "mmap", "calloc") fails with ERROR; "/..." is whatever opens a path that ends so. */
void failing_always(const char *what, int error);

/* Until here. True if one failed; its name is then in *NAME, "" otherwise. */
bool failing_end(const char **name);

#endif
