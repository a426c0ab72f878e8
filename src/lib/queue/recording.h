/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * queue: a recording of what a watch saw, for playing it back. All numbers are little-endian. The file begins with
 *
 *   char magic[16]     "RVIOMMU-TOP\n" and zeros
 *   u32 version        1; a reader refuses others
 *   u32 zero
 *   u64 started        wall-clock time of time 0, in ns since 1970
 *
 * and goes on with blocks: u32 type, u32 length of what follows, a multiple of 8 and at most 64 KiB.
 *
 *   1 source   char model[128], kernel[128], time[40]
 *   2 iommu    u32 index, u32 zero, u64 base, char name[64]; in order, index 0 first
 *   3 device   u32 iommu, u32 device_id, char name[64]; in ascending order
 *   4 event    u32 kind, u32 iommu, u64 time in ns since the start, then by kind
 *       fault      u64 number; u32 index, flags (1 pending, 2 before, 4 ordered); u64 record[4]
 *       state      u32 flags (1 ddtp, 2 ring, 4 indexes known), entries; u64 ddtp, base; u32 head, tail, csr, zero
 *       mode, csr  u64 from, to
 *       lost,reset u32 why; s32 error; u64 count
 *   5 end      u64 time: the recording was ended, not broken off
 *
 * Sources, IOMMUs and devices come before the first event. A block of an unknown type, and an event of an unknown kind, are
 * passed over. It is only ever appended to, so a recorder that was killed leaves a file that can be read up to there.
 */
#ifndef RIOMMU_QUEUE_RECORDING_H
#define RIOMMU_QUEUE_RECORDING_H

#include "queue/watch.h"

#define RIOMMU_RECORDING_MAGIC   "RVIOMMU-TOP\n\0\0\0" /* and the NUL of the string: 16 bytes */
#define RIOMMU_RECORDING_VERSION 1

/* -- writing ----------------------------------------------------------------------------------------------- */

struct riommu_recorder;

/*
 * Begins a recording in the new file PATH, mode 0600. START is time 0 by the clock of the events. -EEXIST when there is such a
 * file: a recording writes over nothing.
 */
int riommu_recorder_new(struct riommu_ctx *ctx, const char *path, const struct riommu_system *sys,
			uint64_t start, struct riommu_recorder **recorder);

/* Appends an event; it is in a buffer then. An error (-ENOSPC, ...) ends the recording: later calls give it again. */
int riommu_recorder_add(struct riommu_recorder *recorder, const struct riommu_watch_event *event);

/* Gives what is in the buffer to the system: it then outlives this program. SYNC also starts it on its way to the disk. */
int riommu_recorder_flush(struct riommu_recorder *recorder, bool sync);

/* Writes the end, waits for the disk, and closes. RECORDER is gone after it. */
int riommu_recorder_end(struct riommu_recorder *recorder, uint64_t time);

/* -- reading ------------------------------------------------------------------------------------------------ */

struct riommu_recording;

/* 1 if the file at PATH begins like a recording, 0 if not, -errno if it cannot be read. */
int riommu_is_recording(struct riommu_ctx *ctx, const char *path);

/*
 * Opens a recording. *SYS then has its IOMMUs and devices by name, and neither registers nor memory; it is the caller's to
 * riommu_system_close(). -EBADMSG for what is damaged.
 */
int riommu_recording_open(struct riommu_ctx *ctx, const char *path,
			  struct riommu_recording **recording, struct riommu_system **sys);
void riommu_recording_close(struct riommu_recording *recording);

enum riommu_recording_item {
	RIOMMU_RECORDING_EVENT = 1,
	RIOMMU_RECORDING_ENDED,      /* *EVENT has its time */
	RIOMMU_RECORDING_BROKEN_OFF, /* the recorder did not end it: killed, or still at work */
};

/* The next event. -EBADMSG when it is damaged from here on, or cut within a block. */
int riommu_recording_next(struct riommu_recording *recording, struct riommu_watch_event *event);

#endif
