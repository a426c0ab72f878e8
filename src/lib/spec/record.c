/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record of a handover: bytes to numbers. It was in a device tree that anybody with root could give to kexec. */
#include "spec/record.h"

#include <libfdt.h>
#include <stdlib.h>

static const char *const status_names[] = {
	[RIOMMU_RECORD_UNUSED] = "unused",
	[RIOMMU_RECORD_BLOCKED] = "blocked",
	[RIOMMU_RECORD_LEFT] = "left",
	[RIOMMU_RECORD_TRAP] = "trap",
	[RIOMMU_RECORD_NOT_IOMMU] = "not an IOMMU",
	[RIOMMU_RECORD_BUSY_BEFORE] = "busy before",
	[RIOMMU_RECORD_BUSY_AFTER] = "busy after",
	[RIOMMU_RECORD_MODE_KEPT] = "mode kept",
	[RIOMMU_RECORD_QUEUE_ON] = "queue still on",
};

static const char *const state_names[] = {
	[RIOMMU_RECORD_NEVER_RUN] = "never run",
	[RIOMMU_RECORD_ENTERED] = "entered",
	[RIOMMU_RECORD_FINISHED] = "finished",
};

static const char *const policy_names[] = {
	[RIOMMU_POLICY_BLOCK] = "block",
	[RIOMMU_POLICY_LEAVE] = "leave",
};

_Static_assert(RIOMMU_ARRAY_SIZE(status_names) == RIOMMU_RECORD_STATUS_COUNT,
	       "a status without a name");

const char *riommu_record_status_name(uint32_t status)
{
	return status < RIOMMU_ARRAY_SIZE(status_names) ? status_names[status] : NULL;
}

const char *riommu_record_state_name(uint32_t state)
{
	return state < RIOMMU_ARRAY_SIZE(state_names) ? state_names[state] : NULL;
}

const char *riommu_policy_name(uint32_t policy)
{
	return policy < RIOMMU_ARRAY_SIZE(policy_names) ? policy_names[policy] : NULL;
}

static uint32_t get32(const uint8_t *bytes, size_t at)
{
	return riommu_get32(bytes + at, false);
}

static uint64_t get64(const uint8_t *bytes, size_t at)
{
	return riommu_get64(bytes + at, false);
}

static struct riommu_record_entry get_entry(const uint8_t *e)
{
	return (struct riommu_record_entry){
		.base = get64(e, RIOMMU_RECORD_AT_BASE),
		.policy = get32(e, RIOMMU_RECORD_AT_POLICY),
		.status = get32(e, RIOMMU_RECORD_AT_STATUS),
		.capabilities = get64(e, RIOMMU_RECORD_AT_CAPABILITIES),
		.ddtp_old = get64(e, RIOMMU_RECORD_AT_DDTP_OLD),
		.ddtp_new = get64(e, RIOMMU_RECORD_AT_DDTP_NEW),
		.cqb = get64(e, RIOMMU_RECORD_AT_CQB),
		.fqb = get64(e, RIOMMU_RECORD_AT_FQB),
		.pqb = get64(e, RIOMMU_RECORD_AT_PQB),
		.fctl = get32(e, RIOMMU_RECORD_AT_FCTL),
		.cqh = get32(e, RIOMMU_RECORD_AT_CQH),
		.cqt = get32(e, RIOMMU_RECORD_AT_CQT),
		.fqh = get32(e, RIOMMU_RECORD_AT_FQH),
		.fqt = get32(e, RIOMMU_RECORD_AT_FQT),
		.pqh = get32(e, RIOMMU_RECORD_AT_PQH),
		.pqt = get32(e, RIOMMU_RECORD_AT_PQT),
		.cqcsr = get32(e, RIOMMU_RECORD_AT_CQCSR),
		.fqcsr = get32(e, RIOMMU_RECORD_AT_FQCSR),
		.pqcsr = get32(e, RIOMMU_RECORD_AT_PQCSR),
		.ipsr = get32(e, RIOMMU_RECORD_AT_IPSR),
		.ticks = get32(e, RIOMMU_RECORD_AT_TICKS),
	};
}

/* What the header has to be for the rest to be looked at; NULL, or what is wrong. */
static const char *wrong_head(const uint8_t *bytes, size_t len)
{
	uint32_t capacity;

	if (len < RIOMMU_RECORD_HEAD)
		return "shorter than its header";
	if (memcmp(bytes, RIOMMU_RECORD_MAGIC, RIOMMU_RECORD_MAGIC_SIZE))
		return "does not begin with " RIOMMU_RECORD_MAGIC;
	if (get32(bytes, RIOMMU_RECORD_AT_VERSION) != RIOMMU_RECORD_VERSION)
		return "of a version that is not known here";
	capacity = get32(bytes, RIOMMU_RECORD_AT_CAPACITY);
	if (!capacity || capacity > RIOMMU_RECORD_MAX)
		return "with a capacity that is not 1 to 64";
	if (get32(bytes, RIOMMU_RECORD_AT_SIZE) != RIOMMU_RECORD_SIZE(capacity))
		return "with a size that does not fit its capacity";
	if (len < RIOMMU_RECORD_SIZE(capacity))
		return "cut off";
	return NULL;
}

int riommu_record_parse(struct riommu_ctx *ctx, const void *bytes, size_t len,
			struct riommu_record *record)
{
	const char *wrong = wrong_head(bytes, len);

	memset(record, 0, sizeof(*record));
	if (wrong)
		return riommu_fail(ctx, -EBADMSG, "the handover record is damaged: %s", wrong);
	record->capacity = get32(bytes, RIOMMU_RECORD_AT_CAPACITY);
	record->state = get32(bytes, RIOMMU_RECORD_AT_STATE);
	if (!riommu_record_state_name(record->state))
		return riommu_fail(ctx, -EBADMSG, "the handover record is damaged: state %u",
				   record->state);
	for (uint32_t i = 0; i < record->capacity; i++) {
		struct riommu_record_entry *e = &record->entry[i];

		*e = get_entry((const uint8_t *)bytes + RIOMMU_RECORD_SIZE(i));
		if (!riommu_record_status_name(e->status) || !riommu_policy_name(e->policy))
			return riommu_fail(
				ctx, -EBADMSG,
				"the handover record is damaged: entry %u has status %u, policy %u",
				i, e->status, e->policy);
		if (e->status != RIOMMU_RECORD_UNUSED)
			record->used = i + 1;
	}
	return 0;
}

int riommu_record_from_fdt(struct riommu_ctx *ctx, const void *fdt, size_t len,
			   struct riommu_record *record)
{
	const void *property = NULL;
	int err, node, size = 0;
	void *copy;

	memset(record, 0, sizeof(*record));
	if (len > RIOMMU_FDT_MAX)
		return riommu_fail(ctx, -EBADMSG, "the device tree is larger than %zu bytes",
				   RIOMMU_FDT_MAX);
	copy = malloc(len + 1); /* libfdt wants it aligned */
	if (!copy)
		return riommu_fail(ctx, -ENOMEM, "out of memory");
	memcpy(copy, fdt, len);
	err = fdt_check_full(copy, len);
	node = err ? err : fdt_path_offset(copy, RIOMMU_RECORD_NODE);
	if (node >= 0)
		property = fdt_getprop(copy, node, RIOMMU_RECORD_PROPERTY, &size);
	if (err)
		err = riommu_fail(ctx, -EBADMSG, "the device tree is damaged: %s",
				  fdt_strerror(err));
	else if (!property)
		err = riommu_fail(ctx, -ENODATA,
				  "the device tree has no " RIOMMU_RECORD_NODE
				  "/" RIOMMU_RECORD_PROPERTY);
	else
		err = riommu_record_parse(ctx, property, (size_t)size, record);
	free(copy);
	return err;
}

bool riommu_record_search(const void *bytes, size_t len, size_t *at)
{
	const uint8_t *b = bytes;

	for (size_t i = (*at + 3) & ~(size_t)3;
	     i >= *at && riommu_inside(i, RIOMMU_RECORD_HEAD, len); i += 4) {
		if (!wrong_head(b + i, len - i)) {
			*at = i;
			return true;
		}
	}
	return false;
}

void riommu_record_init(void *bytes, uint32_t capacity)
{
	uint8_t *b = bytes;

	memset(b, 0, RIOMMU_RECORD_SIZE(capacity));
	memcpy(b, RIOMMU_RECORD_MAGIC, RIOMMU_RECORD_MAGIC_SIZE);
	riommu_put32(b + RIOMMU_RECORD_AT_VERSION, RIOMMU_RECORD_VERSION);
	riommu_put32(b + RIOMMU_RECORD_AT_SIZE, (uint32_t)RIOMMU_RECORD_SIZE(capacity));
	riommu_put32(b + RIOMMU_RECORD_AT_CAPACITY, capacity);
}
