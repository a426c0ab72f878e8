/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public interface: opening, IOMMUs, devices, captures. */
#include "config.h"

#include "riscv-iommu.h"

#include "api/api-internal.h"
#include "capture/capture.h"
#include "discover/discover.h"

const char *riommu_version(void)
{
	return PACKAGE_VERSION;
}

int riommu_open(struct riommu_ctx *ctx, const char *input, const char *method,
		struct riommu_system **sys)
{
	struct riommu_open_args args = {.input = input, .access = method};

	return riommu_system_open(ctx, &args, sys);
}

void riommu_close(struct riommu_system *sys)
{
	riommu_system_close(sys);
}

void riommu_refresh(struct riommu_system *sys)
{
	if (!sys->live)
		return;
	riommu_source_forget(sys->memory);
	for (size_t i = 0; i < sys->iommu_count; i++)
		riommu_system_read_registers(sys, i);
}

/* -- what all begin with ------------------------------------------------------------------------- */

int api_iommu(const struct riommu_system *sys, size_t iommu)
{
	if (iommu < sys->iommu_count)
		return 0;
	return riommu_fail(sys->ctx, -EINVAL, "there is no IOMMU %zu", iommu);
}

int api_walker(const struct riommu_system *sys, size_t iommu, struct riommu_walker *walker)
{
	const char *missing;
	int err = api_iommu(sys, iommu);

	if (err)
		return err;
	err = riommu_walker_init(walker, sys, iommu, &missing);
	if (err)
		return riommu_fail(sys->ctx, err, "%s: register %s is not known",
				   sys->iommus[iommu].name, missing);
	return 0;
}

/* -- IOMMUs -------------------------------------------------------------------------------------- */

size_t riommu_iommu_count(const struct riommu_system *sys)
{
	return sys->iommu_count;
}

uint64_t riommu_iommu_base(const struct riommu_system *sys, size_t iommu)
{
	return iommu < sys->iommu_count ? sys->iommus[iommu].base : 0;
}

const char *riommu_iommu_name(const struct riommu_system *sys, size_t iommu)
{
	return iommu < sys->iommu_count ? sys->iommus[iommu].name : "";
}

int riommu_iommu_status(const struct riommu_system *sys, size_t iommu, const char **reason)
{
	const struct riommu_iommu *unit;

	if (iommu >= sys->iommu_count) {
		if (reason)
			*reason = "there is no such IOMMU";
		return api_iommu(sys, iommu);
	}
	unit = &sys->iommus[iommu];
	if (reason)
		*reason = unit->error ? unit->reason : "";
	return unit->error;
}

const char *riommu_iommu_where(const struct riommu_system *sys, size_t iommu)
{
	return iommu < sys->iommu_count ? sys->iommus[iommu].where : "";
}

int riommu_iommu_register(const struct riommu_system *sys, size_t iommu, const char *name,
			  uint64_t *value)
{
	int reg = riommu_reg_by_name(name), err;

	if (iommu >= sys->iommu_count)
		return api_iommu(sys, iommu);
	if (reg < 0)
		return riommu_fail(sys->ctx, -EINVAL, "'%s' is no register", name);
	err = riommu_iommu_reg(&sys->iommus[iommu], riommu_registers()[reg].offset, value);
	if (err)
		return riommu_fail(sys->ctx, err, "%s: register %s: %s", sys->iommus[iommu].name,
				   riommu_registers()[reg].name,
				   err == -ENODATA
					   ? "this IOMMU has none, or the source does not hold it"
				   : err == -EACCES ? "the system refuses to read it"
						    : "the bus did not answer");
	return 0;
}

const char *riommu_iommu_mode(const struct riommu_system *sys, size_t iommu)
{
	uint64_t ddtp;

	if (iommu >= sys->iommu_count ||
	    riommu_iommu_reg(&sys->iommus[iommu], RIOMMU_REG_DDTP, &ddtp))
		return NULL;
	return riommu_ddtp_mode_name(ddtp);
}

/* -- devices ------------------------------------------------------------------------------------- */

size_t riommu_device_count(const struct riommu_system *sys)
{
	return sys->device_count;
}

uint32_t riommu_device_id(const struct riommu_system *sys, size_t device)
{
	return device < sys->device_count ? sys->devices[device].device_id : 0;
}

size_t riommu_device_iommu(const struct riommu_system *sys, size_t device)
{
	return device < sys->device_count ? sys->devices[device].iommu : RIOMMU_NO_IOMMU;
}

const char *riommu_device_name(const struct riommu_system *sys, size_t device)
{
	return device < sys->device_count ? sys->devices[device].name : "";
}

const char *riommu_device_driver(const struct riommu_system *sys, size_t device)
{
	return device < sys->device_count ? sys->devices[device].driver : "";
}

int riommu_device_find(const struct riommu_system *sys, const char *text, size_t *iommu,
		       uint32_t *device_id)
{
	struct riommu_device_ref ref = {.iommu = RIOMMU_NO_IOMMU};
	size_t count = riommu_system_find_device(sys, text, &ref, 1);

	*iommu = ref.iommu;
	*device_id = ref.device_id;
	if (!count)
		return riommu_fail(sys->ctx, -ENODEV,
				   "%s: no such device (a device_id of 24 bits, or a name)", text);
	if (count > 1)
		return riommu_fail(sys->ctx, -ENOTUNIQ, "%s: %zu devices are called that", text,
				   count);
	return 0;
}

/* -- captures ------------------------------------------------------------------------------------ */

int riommu_save(struct riommu_system *sys, const char *path)
{
	struct riommu_capture_report report;
	bool guests = riommu_option_number(sys->ctx, "guest-tables");
	int err = riommu_capture_save(sys, path, guests, PACKAGE_VERSION, NULL, NULL, &report);

	if (!err && report.truncated)
		return riommu_fail(sys->ctx, -EOVERFLOW, "%s: stopped at -O max-pages=%s", path,
				   riommu_option(sys->ctx, "max-pages"));
	return err;
}
