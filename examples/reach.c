/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What does a device reach? An example of libriscv-iommu.
 *
 *   cc reach.c $(pkg-config --cflags --libs riscv-iommu) -o reach
 *   ./reach 0000:00:01.0              on this machine, as root
 *   ./reach 0000:00:01.0 demo.core    in a capture
 */
#include <inttypes.h>
#include <riscv-iommu.h>
#include <stdio.h>

static int print_range(void *arg, const struct riommu_range *range)
{
	unsigned permissions = riommu_range_permissions(range);

	(void)arg;
	switch (riommu_range_kind(range)) {
	case RIOMMU_RANGE_LEAVES:
	case RIOMMU_RANGE_MSI:
		printf("0x%" PRIx64 "-0x%" PRIx64 " -> 0x%" PRIx64 " %c%c%c\n",
		       riommu_range_iova(range), riommu_range_last(range), riommu_range_pa(range),
		       permissions & RIOMMU_PERM_R ? 'r' : '-',
		       permissions & RIOMMU_PERM_W ? 'w' : '-',
		       permissions & RIOMMU_PERM_X ? 'x' : '-');
		break;
	case RIOMMU_RANGE_IDENTITY:
		puts("everything: no table limits it");
		break;
	case RIOMMU_RANGE_FAULTS:
		break; /* it reaches nothing by these */
	case RIOMMU_RANGE_UNREADABLE:
		printf("0x%" PRIx64 "-0x%" PRIx64 " not known: the table at 0x%" PRIx64
		       " cannot be read\n",
		       riommu_range_iova(range), riommu_range_last(range),
		       riommu_range_address(range));
		break;
	}
	return 0;
}

static int reach(struct riommu_ctx *ctx, const char *device, const char *input)
{
	struct riommu_system *sys;
	uint32_t device_id;
	size_t iommu;
	int err = riommu_open(ctx, input, NULL, &sys);

	if (err) {
		fprintf(stderr, "reach: %s\n", riommu_error(ctx));
		return err;
	}
	err = riommu_device_find(sys, device, &iommu, &device_id);
	if (err) {
		fprintf(stderr, "reach: %s\n", riommu_error(ctx));
	} else {
		printf("%s (0x%" PRIx32 ") behind %s:\n", device, device_id,
		       riommu_iommu_name(sys, iommu));
		err = riommu_visit_device(sys, iommu, device_id, print_range, NULL);
		if (err)
			fprintf(stderr, "reach: %s\n", riommu_error(ctx));
	}
	riommu_close(sys);
	return err;
}

int main(int argc, char **argv)
{
	struct riommu_ctx *ctx;
	int err;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "Usage: reach DEVICE [CAPTURE]\n");
		return 2;
	}
	ctx = riommu_ctx_new();
	if (!ctx)
		return 1;
	err = reach(ctx, argv[1], argc == 3 ? argv[2] : NULL);
	riommu_ctx_free(ctx);
	return err ? 1 : 0;
}
