/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interrupts of a fault queue, as /proc/interrupts counts them: a witness for records that nobody saw. */
#include "discover/paths.h"
#include "queue/watch-internal.h"

#include <ctype.h>
#include <stdlib.h>

#define TEXT_MAX ((size_t)16 << 20) /* a line for each interrupt, a column for each CPU */

/* True if NAME is one of the words of LINE: actions are separated by commas and spaces. */
static bool has_word(const char *line, size_t len, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; size && i + size <= len; i++) {
		bool begins = !i || strchr(" \t,", line[i - 1]);
		bool ends = i + size == len || strchr(" \t,", line[i + size]);

		if (begins && ends && !memcmp(line + i, name, size))
			return true;
	}
	return false;
}

/* "  12:   3   4   APLIC-MSI-3010000.iommu  0 Edge  3010000.iommu": 7. The text behind it ends with a NUL or a newline. */
static uint64_t sum_of(const char *line)
{
	uint64_t sum = 0;

	while (*line != ':' && *line != '\n' && *line)
		line++;
	while (*line == ':' || *line == ' ') {
		const char *end = ++line;
		uint64_t value = 0;

		while (*line == ' ')
			line++;
		for (end = line; isdigit((unsigned char)*end); end++)
			value = value * 10 + (uint64_t)(*end - '0');
		if (end == line || (*end != ' ' && *end != '\n'))
			break;
		sum += value;
		line = end;
	}
	return sum;
}

int queue_interrupts(const struct riommu_system *sys, size_t iommu, int *fd, uint64_t *count)
{
	const struct riommu_iommu *unit = &sys->iommus[iommu];
	uint64_t icvec, all = 0, of_vector = 0;
	unsigned lines = 0, vector = 0;
	char path[RIOMMU_PATH_MAX], *text;
	size_t len;
	int err;

	if (!sys->live)
		return -ENODATA;
	riommu_path(sys->ctx, path, "proc.path", "/interrupts");
	err = riommu_read_again(fd, path, TEXT_MAX, &text, &len);
	if (err)
		return err;
	if (!riommu_iommu_reg(unit, RIOMMU_REG_ICVEC, &icvec))
		vector = (unsigned)riommu_bits(icvec, 7, 4);
	for (const char *line = text, *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		if (!has_word(line, (size_t)(end - line), unit->name))
			continue;
		if (lines++ == vector)
			of_vector = sum_of(line);
		all += sum_of(line);
	}
	free(text);
	*count = lines > vector ? of_vector : all;
	return lines ? 0 : -ENODATA;
}
