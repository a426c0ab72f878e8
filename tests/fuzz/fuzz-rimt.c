/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The RIMT of ACPI. Length and checksum are put right, unless the first byte is odd: else nothing gets past them. */
#include "live.h"

#include <stdlib.h>

#define ACPI_LENGTH   4
#define ACPI_CHECKSUM 9
#define ACPI_HEAD     36

static void put_right(uint8_t *table, size_t len)
{
	uint8_t sum = 0;

	memcpy(table, "RIMT", 4);
	riommu_put32(table + ACPI_LENGTH, (uint32_t)len);
	table[ACPI_CHECKSUM] = 0;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + table[i]);
	table[ACPI_CHECKSUM] = (uint8_t)-sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct riommu_ctx *ctx;
	uint8_t *table;

	if (!len)
		return -1;
	live_begin();
	ctx = fuzz_ctx();
	table = malloc(len);
	MUST(table != NULL);
	memcpy(table, bytes + 1, len - 1);
	if (!(bytes[0] & 1) && len > ACPI_HEAD)
		put_right(table, len - 1);
	fuzz_file("acpi.path/RIMT", table, len - 1);
	live_look(ctx);
	free(table);
	riommu_ctx_free(ctx);
	return 0;
}
