/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What our own files hold besides memory: the notes of a capture (design 3.1). All little-endian. */
#ifndef RIOMMU_SPEC_NOTES_H
#define RIOMMU_SPEC_NOTES_H

#define RIOMMU_NOTE_NAME      "RISCV-IOMMU" /* n_namesz counts the NUL: 12 */
#define RIOMMU_NOTE_REGISTERS 1             /* one per IOMMU */
#define RIOMMU_NOTE_MACHINE   2             /* UTF-8 JSON */

/* Type 1: u32 version; u32 count; u64 base; char name[64]; then COUNT times u32 offset; u32 width; u64 value. */
#define RIOMMU_NOTE_REGISTERS_VERSION 1
#define RIOMMU_NOTE_REGISTERS_HEAD    (4 + 4 + 8 + 64)
#define RIOMMU_NOTE_REGISTERS_ENTRY   (4 + 4 + 8)
#define RIOMMU_NOTE_NAME_SIZE         64

/* The debugfs module's `registers` file (contrib/kmod): this line first, then "base 0x..", then
 * lines of "offset width value"; '#' begins a comment. */
#define RIOMMU_DEBUGFS_HEAD "# riscv-iommu registers 1"

#endif
