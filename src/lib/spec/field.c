/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reading values through field tables. */
#include "spec/field-internal.h"
#include "base/base.h"

const struct riommu_value_name riommu_pbmt_names[] = {
	{0, "PMA"},
	{1, "NC"},
	{2, "IO"},
	{0, NULL},
};

uint64_t riommu_field_get(const struct riommu_field *field, uint64_t v)
{
	return riommu_bits(v, field->hi, field->lo);
}

uint64_t riommu_field_value(const struct riommu_field *field, uint64_t v)
{
	uint64_t raw = riommu_field_get(field, v);

	switch ((enum riommu_field_kind)field->kind) {
	case RIOMMU_FIELD_PPN:
		return raw << RIOMMU_PAGE_SHIFT;
	case RIOMMU_FIELD_ADDR:
		return raw << field->shift;
	case RIOMMU_FIELD_LOG2SZ:
		return (uint64_t)2 << raw;
	case RIOMMU_FIELD_FLAG:
	case RIOMMU_FIELD_NUMBER:
	case RIOMMU_FIELD_HEX:
	case RIOMMU_FIELD_ENUM:
	case RIOMMU_FIELD_RESERVED:
	case RIOMMU_FIELD_CUSTOM:
		break;
	}
	return raw;
}

const char *riommu_field_value_name(const struct riommu_field *field, uint64_t v)
{
	uint64_t raw = riommu_field_get(field, v);

	for (const struct riommu_value_name *n = field->names; n && n->name; n++)
		if (n->value == raw)
			return n->name;
	return NULL;
}

const struct riommu_field *riommu_layout_field(const struct riommu_layout *layout, const char *name)
{
	for (size_t i = 0; i < layout->count; i++)
		if (strcmp(layout->fields[i].name, name) == 0)
			return &layout->fields[i];
	return NULL;
}

uint64_t riommu_layout_reserved(const struct riommu_layout *layout, uint64_t v)
{
	uint64_t reserved = 0;

	for (size_t i = 0; i < layout->count; i++)
		if (layout->fields[i].kind == RIOMMU_FIELD_RESERVED)
			reserved |= riommu_mask(layout->fields[i].hi, layout->fields[i].lo);
	return v & reserved;
}
