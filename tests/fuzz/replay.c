/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of libFuzzer, where the compiler has none: gives each of the files to the target, once. */
#include "fuzz.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max)
{
	(void)bytes, (void)max;
	return len;
}

static void replay(const char *path)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *bytes;
	long len;

	MUST_SAY(f && !fseek(f, 0, SEEK_END) && (len = ftell(f)) >= 0 && !fseek(f, 0, SEEK_SET),
		 path);
	bytes = malloc((size_t)len + 1);
	MUST(bytes && fread(bytes, 1, (size_t)len, f) == (size_t)len);
	fclose(f);
	LLVMFuzzerTestOneInput(bytes, (size_t)len);
	free(bytes);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		printf("%s\n", argv[i]);
		fflush(stdout);
		replay(argv[i]);
	}
	return 0;
}
