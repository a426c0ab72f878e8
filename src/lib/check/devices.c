/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices that the machine has behind this IOMMU against contexts that it has for them. */
#include "check/check-internal.h"

#include <inttypes.h>

static bool is_blocked(const struct riommu_device *device)
{
	return !strcmp(device->domain_type, "blocked");
}

/* Why requests of DEVICE are refused; NULL when a valid context is there, or nothing can be told. */
static const char *without_context(struct check *c, const struct riommu_device *device,
				   struct check_object *about)
{
	struct riommu_translation t;
	struct riommu_dc dc;

	switch (riommu_locate_dc(&c->w, device->device_id, &dc, &t, NULL)) {
	case RIOMMU_OK:
		about->has_address = true;
		about->address = dc.address;
		return dc.dw[RIOMMU_DC_TC] & RIOMMU_TC_V ? NULL
							 : "its context is not valid (tc.V is 0)";
	case RIOMMU_FAULT:
		return t.reason;
	case RIOMMU_UNKNOWN:
	default:
		check_cannot(c, CHECK_DEVICE_NO_CONTEXT, CHECK_DEVICE_NO_CONTEXT, t.error,
			     "the device directory at 0x%" PRIx64 ": %s", t.missing,
			     check_error_words(t.error));
		return NULL;
	}
}

/* Contexts come by ascending device_id, and so are devices sorted. */
struct cursor {
	struct check *c;
	size_t next;
};

static int visit_dc(void *arg, const struct riommu_dc_visit *v)
{
	struct cursor *in = arg;
	struct check *c = in->c;
	const struct riommu_device *devices = c->sys->devices;
	struct check_object about;

	if (!v->dc || !(v->dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_V))
		return 0;
	check_judge(c, CHECK_CONTEXT_NO_DEVICE);
	while (in->next < c->sys->device_count &&
	       (devices[in->next].iommu < c->index ||
		(devices[in->next].iommu == c->index &&
		 devices[in->next].device_id < v->dc->device_id)))
		in->next++;
	if (in->next < c->sys->device_count && devices[in->next].iommu == c->index &&
	    devices[in->next].device_id == v->dc->device_id)
		return 0;
	about = check_device(v->dc);
	check_report(c, CHECK_CONTEXT_NO_DEVICE, &about, "tc.V is 1");
	return 0;
}

void check_devices(struct check *c)
{
	struct cursor cursor = {.c = c};
	int err;

	if (!c->sys->device_count) {
		check_cannot(c, CHECK_DEVICE_NO_CONTEXT, CHECK_CONTEXT_NO_DEVICE, -ENODATA,
			     "the source does not say which devices there are");
		return;
	}
	for (size_t i = 0; i < c->sys->device_count; i++) {
		const struct riommu_device *device = &c->sys->devices[i];
		struct check_object about = {.has_device = true, .device_id = device->device_id};
		const char *why;

		if (device->iommu != c->index)
			continue;
		check_judge(c, CHECK_DEVICE_NO_CONTEXT);
		why = is_blocked(device) ? NULL : without_context(c, device, &about);
		if (why)
			check_report(c, CHECK_DEVICE_NO_CONTEXT, &about, "%s%s%s", why,
				     device->driver[0] ? "; its driver is " : "; it has no driver",
				     device->driver);
	}
	err = riommu_visit_dcs(&c->w, visit_dc, &cursor);
	if (err)
		check_cannot(c, CHECK_CONTEXT_NO_DEVICE, CHECK_CONTEXT_NO_DEVICE, err,
			     "the device directory: %s", check_error_words(err));
}
