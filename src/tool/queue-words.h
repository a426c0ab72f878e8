/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A queue, a command and a page request in words. */
#ifndef QUEUE_WORDS_H
#define QUEUE_WORDS_H

#include "dump.h"
#include "queue/queue.h"
#include "spec/commands.h"

/* The "iommus" list of commands that show a queue: which they are, and their queues. */
void queue_iommus(struct dump *d);

/* A base of 0 while the queue is off was never set: there is no ring at address 0. */
bool queue_never_set_up(const struct riommu_queue *q);

/*
 * Opens queue KIND; in text also says where it is, how full, and what its csr says in words. False when there are no entries to
 * go over: it could not be opened (reported), or was never set up.
 */
bool queue_begin(struct dump *d, size_t iommu, enum riommu_queue_kind kind, struct riommu_queue *q);

/* Reports SKIPPED entries from INDEX on that could not be read. */
void queue_unreadable(struct dump *d, size_t iommu, const struct riommu_queue *q, uint32_t index,
		      uint32_t skipped, int error);

/* The error bits of cqcsr, fqcsr or pqcsr that are set, by name; COUNT of them, at most 4. */
size_t queue_error_bits(const struct riommu_queue *q, const char *names[4]);

/* What limits the commands of an IOMMU, as far as its registers are known; nothing for IOMMU RIOMMU_NO_IOMMU. */
struct riommu_command_limits command_limits(const struct dump *d, size_t iommu);

/*
 * What every JSON of a command has: name, words, illegal, values. IOMMU RIOMMU_NO_IOMMU: no names of devices. COUNT is how many of
 * its doublewords are known, 1 or 2; with 1 there are no words.
 */
void command_members(struct json_object *obj, const struct dump *d, size_t iommu,
		     const uint64_t dw[2], size_t count);

/* "IOTINVAL.VMA", "reserved command", "custom command". */
const char *command_label(uint64_t dw0);

/* What it asks for. */
void command_words(const struct dump *d, size_t iommu, const uint64_t dw[2], char *text,
		   size_t size);

/* The device that an ATS command is for: "0000:01:00.0 (0x100)". */
const char *ats_device(const struct dump *d, size_t iommu, uint64_t dw0, char *text, size_t size);

/* The same for page requests: device_id, device, process_id, privileged, read, write, execute, last, prgi, address, stop_marker. */
void request_members(struct json_object *obj, const struct dump *d, size_t iommu,
		     const uint64_t dw[2]);
void request_words(const uint64_t dw[2], char *text, size_t size);
uint32_t request_device(const uint64_t dw[2]);

#endif
