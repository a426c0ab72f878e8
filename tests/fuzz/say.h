/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands of iommu-dump without its main(): what they print is kept and looked at. */
#ifndef FUZZ_SAY_H
#define FUZZ_SAY_H

#include "fuzz.h"
#include "dump.h"

enum say_form {
	SAY_TEXT,  /* printable lines */
	SAY_JSON,  /* one object */
	SAY_LINES, /* an object a line: --batch */
};

struct say {
	void (*command)(struct dump *d, int argc, char **argv);
	void (*open)(struct dump *d, int argc,
		     char **argv); /* what the command has for that; NULL */
	struct riommu_ctx *ctx;
	struct riommu_system *sys; /* NULL: the command needs none */
	enum say_form form;
	bool gpa, walk, steps;
	const char *batch, *range;
	const char *input; /* standard input */
};

/*
 * Runs a command with the ARGC texts of ARGV; returns its exit status. What it printed has to be of the form that was wanted; TEXT,
 * unless it is NULL, gets it, and is the caller's to free().
 */
int say(const struct say *what, int argc, char **argv, char **text);

/* A tool that ends the program comes back here: CALL(ARG) did so, with this status; -1 when it returned. */
int say_exits(void (*call)(void *arg), void *arg);

#endif
