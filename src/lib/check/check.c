/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Going over the rules, and what became of each. */
#include "check/check-internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SECOND_LOOK_NS 20000000 /* a command takes microseconds, a threaded handler a few ms */

void check_judge(struct check *c, enum check_rule rule)
{
	c->tally[rule].judged = true;
}

void check_report(struct check *c, enum check_rule rule, const struct check_object *about,
		  const char *fmt, ...)
{
	struct check_tally *tally = &c->tally[rule];
	struct riommu_finding finding = {.rule = &riommu_rules()[rule], .iommu = c->index};
	char message[512];
	va_list args;

	tally->judged = true;
	if (tally->found++ >= c->args->max_findings && c->args->max_findings)
		return;
	tally->told++;
	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	finding.message = message;
	finding.has_device = about->has_device;
	finding.has_process = about->has_process;
	finding.has_address = about->has_address;
	finding.device_id = about->device_id;
	finding.process_id = about->process_id;
	finding.address = about->address;
	finding.count = about->count ? about->count : 1;
	if (c->args->finding)
		c->args->finding(c->args->arg, &finding);
}

void check_cannot(struct check *c, enum check_rule first, enum check_rule last, int err,
		  const char *fmt, ...)
{
	char reason[sizeof(c->tally[0].reason)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	for (unsigned rule = first; rule <= (unsigned)last; rule++) {
		struct check_tally *tally = &c->tally[rule];

		if (tally->error)
			continue;
		tally->error = err;
		memcpy(tally->reason, reason, sizeof(reason));
	}
}

bool check_register(struct check *c, enum check_rule first, enum check_rule last, uint32_t offset,
		    uint64_t *value)
{
	int err = riommu_iommu_reg(c->iommu, offset, value);
	const char *name = riommu_registers()[riommu_reg_by_offset(offset)].name;

	if (!err)
		return true;
	check_cannot(c, first, last, err, "register %s %s", name,
		     err == -EACCES   ? "may not be read"
		     : err == -EFAULT ? "does not answer"
				      : "is not known");
	return false;
}

bool check_optional(struct check *c, enum check_rule rule, uint32_t offset, uint64_t *value)
{
	if (c->iommu->state[riommu_reg_by_offset(offset)] == RIOMMU_REG_UNREAD)
		return false;
	return check_register(c, rule, rule, offset, value);
}

bool check_later(const struct check *c, uint32_t offset, uint64_t *value)
{
	struct timespec left = {.tv_nsec = SECOND_LOOK_NS};
	const struct riommu_reg *reg = &riommu_registers()[riommu_reg_by_offset(offset)];
	uint64_t given;

	if (!c->sys->live || riommu_overlay_get(c->sys->registers, c->iommu->base, offset, &given))
		return false;
	while (nanosleep(&left, &left) && errno == EINTR)
		continue;
	return !riommu_source_reg_read(c->sys->registers, c->iommu->base, offset, reg->width,
				       value);
}

bool check_past_pas(const struct check *c, uint64_t address, uint64_t size)
{
	return !riommu_inside(address, size, (uint64_t)1 << c->pas);
}

void *check_grow(struct check *c, void *list, size_t count, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 64;
	void *more;

	if (count < *room)
		return list;
	more = realloc(list, wanted * size);
	if (more)
		*room = wanted;
	else
		c->error = -ENOMEM;
	return more;
}

const char *check_error_words(int err)
{
	switch (err) {
	case -ENODATA:
		return "not in this source";
	case -EACCES:
		return "access refused";
	case -EOVERFLOW:
		return "more table pages than -O max-pages= allows";
	default:
		return strerror(-err);
	}
}

/* -- all of them ------------------------------------------------------------------------------- */

/* The rules from the directory on need three registers and memory. */
static bool prepare_walk(struct check *c)
{
	const char *missing;
	uint64_t ignored;
	unsigned mode;

	if (riommu_walker_init(&c->w, c->sys, c->index, &missing)) {
		check_register(c, CHECK_DDT_ROOT_ZERO, CHECK_REACH_RESERVED,
			       riommu_registers()[riommu_reg_by_name(missing)].offset, &ignored);
		return false;
	}
	mode = (unsigned)riommu_bits(c->w.ddtp, 3, 0);
	if (mode > RIOMMU_DDTP_3LVL)
		check_cannot(c, CHECK_DDT_ROOT_ZERO, CHECK_REACH_RESERVED, -EBADMSG,
			     "ddtp.iommu_mode is 0x%x, which is not defined", mode);
	if (mode < RIOMMU_DDTP_1LVL || mode > RIOMMU_DDTP_3LVL)
		return false; /* no directory: nothing to judge */
	if (c->w.memory)
		return true;
	check_cannot(c, CHECK_DDT_ROOT_ZERO, CHECK_REACH_RESERVED,
		     c->w.memory_error ? c->w.memory_error : -ENODATA,
		     "memory cannot be read: %.150s", c->sys->memory_reason);
	return false;
}

static void tell_outcomes(const struct check *c)
{
	for (unsigned rule = 0; rule < CHECK_RULES && c->args->outcome; rule++) {
		const struct check_tally *tally = &c->tally[rule];
		struct riommu_rule_outcome outcome = {
			.rule = &riommu_rules()[rule],
			.iommu = c->index,
			.verdict = tally->found    ? RIOMMU_RULE_FOUND
				   : tally->error  ? RIOMMU_RULE_NOT_JUDGED
				   : tally->judged ? RIOMMU_RULE_PASSED
						   : RIOMMU_RULE_NOT_APPLICABLE,
			.found = tally->found,
			.omitted = tally->found - tally->told,
			.reason = tally->error ? tally->reason : NULL,
			.error = tally->error,
		};

		c->args->outcome(c->args->arg, &outcome);
	}
}

int riommu_check(const struct riommu_system *sys, size_t iommu,
		 const struct riommu_check_args *args)
{
	struct check c = {.sys = sys, .index = iommu, .iommu = &sys->iommus[iommu], .args = args};
	uint64_t capabilities;

	c.max_pages = riommu_option_number(sys->ctx, "max-pages");
	/* an address is compared where PAS is known: 64 bits hold any */
	c.pas = riommu_iommu_reg(c.iommu, RIOMMU_REG_CAPABILITIES, &capabilities)
			? 63
			: (unsigned)riommu_bits(capabilities, 37, 32);
	check_registers(&c);
	check_queues(&c);
	check_interrupts(&c);
	if (prepare_walk(&c)) {
		check_directory(&c);
		check_devices(&c);
		check_spaces(&c);
	}
	tell_outcomes(&c);
	return c.error ? riommu_fail(sys->ctx, c.error, "%s: out of memory", c.iommu->name) : 0;
}
