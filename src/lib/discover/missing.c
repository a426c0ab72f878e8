/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What somebody has to give whose file holds no registers: which ones, the options to write, and where else they may be. */
#include "discover/discover-internal.h"

#include <stdio.h>

static void add(char *text, size_t size, const char *fmt, ...) RIOMMU_PRINTF(3, 4);

static void add(char *text, size_t size, const char *fmt, ...)
{
	size_t used = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + used, size - used, fmt, ap);
	va_end(ap);
}

static const char *register_name(uint32_t offset)
{
	return riommu_registers()[riommu_reg_by_offset(offset)].name;
}

size_t riommu_system_missing(const struct riommu_system *sys, size_t iommu, const uint32_t *offsets,
			     size_t count, char *text, size_t size)
{
	const struct riommu_iommu *unit = &sys->iommus[iommu];
	uint32_t missing[8];
	size_t n = 0;
	uint64_t value;

	text[0] = '\0';
	for (size_t i = 0; i < count && n < RIOMMU_ARRAY_SIZE(missing); i++) {
		if (riommu_iommu_reg(unit, offsets[i], &value) == -ENODATA)
			missing[n++] = offsets[i];
	}
	if (!n)
		return 0;
	add(text, size, "register%s ", n > 1 ? "s" : "");
	for (size_t i = 0; i < n; i++)
		add(text, size, "%s%s",
		    !i           ? ""
		    : i + 1 == n ? " and "
				 : ", ",
		    register_name(missing[i]));
	if (sys->live && unit->error && unit->error != -ENODATA) {
		add(text, size, " could not be read: %s", unit->reason);
		return n;
	}
	add(text, size, " %s not captured; give", n > 1 ? "were" : "was");
	for (size_t i = 0; i < n; i++) {
		add(text, size, " --reg ");
		if (sys->iommu_count > 1)
			add(text, size, "0x%llx:", (unsigned long long)unit->base);
		add(text, size, "%s=VALUE", register_name(missing[i]));
	}
	if (unit->found == RIOMMU_FOUND_OPTION && !sys->live)
		add(text, size, ", or the handover record with -O record=FILE");
	return n;
}
