/* SPDX-License-Identifier: GPL-2.0-or-later */
/* --enable-minimal: what a kdump initramfs needs, in one program. Called as iommu-kexec-prep it is that, else iommu-dump. */
#include "config.h"

#include "tool.h"

int main(int argc, char **argv)
{
	const char *slash = argc ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc ? argv[0] : "";

	return strcmp(name, "iommu-kexec-prep") ? dump_main(argc, argv)
						: kexec_prep_main(argc, argv);
}
