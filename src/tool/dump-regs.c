/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iommu-dump regs: the register snapshot, decoded field by field. */
#include "dump.h"
#include "line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <strings.h>

#define NAMES_LISTED 8 /* in one message */
#define NAME_QUOTED  100
#define INDENT       4 /* of fields */

const char *dump_nearest_register(const char *name)
{
	struct nearest n = {.word = name};

	for (size_t i = 0; i < RIOMMU_REG_COUNT; i++)
		nearest_try(&n, riommu_registers()[i].name);
	return n.best;
}

/* A name is a register's or that of a family: "iohpmctr" is all of them. */
static bool is_named(const struct riommu_reg *reg, const char *name)
{
	return strcasecmp(reg->name, name) == 0 || strcasecmp(reg->layout->name, name) == 0;
}

static bool is_wanted(const struct riommu_reg *reg, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (is_named(reg, argv[i]))
			return true;
	return argc == 0;
}

static void report_name(struct dump *d, const char *name)
{
	const char *near = dump_nearest_register(name);
	char quote[NAME_QUOTED];

	riommu_copy_name(quote, sizeof(quote), name, strlen(name));
	out_error(&d->out, -EINVAL, "'%s' is no register%s%s%s; '%s regs' without names shows all",
		  quote, near ? "; did you mean '" : "", near ? near : "", near ? "'" : "",
		  program);
}

static bool names_exist(struct dump *d, int argc, char **argv)
{
	const struct riommu_reg *regs = riommu_registers();
	bool good = true;

	for (int i = 0; i < argc; i++) {
		size_t r = 0;

		while (r < RIOMMU_REG_COUNT && !is_named(&regs[r], argv[i]))
			r++;
		if (r < RIOMMU_REG_COUNT)
			continue;
		report_name(d, argv[i]);
		good = false;
	}
	return good;
}

/* Which registers could not be shown, for one message a reason. */
struct withheld {
	char names[NAMES_LISTED * 26 + 1];
	unsigned count;
};

static void withhold(struct withheld *w, const char *name)
{
	size_t used = strlen(w->names);

	if (w->count++ < NAMES_LISTED)
		snprintf(w->names + used, sizeof(w->names) - used, "%s%s", used ? ", " : "", name);
}

static void report_withheld(struct dump *d, const struct riommu_iommu *iommu,
			    const struct withheld *w, int err, const char *why)
{
	bool explained = iommu->error == err && iommu->reason[0];
	char more[32] = "";

	if (w->count > NAMES_LISTED)
		snprintf(more, sizeof(more), " and %u more", w->count - NAMES_LISTED);
	out_error(&d->out, err, "%s: %s%s: %s%s%s", iommu->name, w->names, more, why,
		  explained ? ": " : "", explained ? iommu->reason : "");
}

static const char *const presence_bits[] = {
	[RIOMMU_PRESENT_ALWAYS] = "",          [RIOMMU_PRESENT_ATS] = "ATS is 0",
	[RIOMMU_PRESENT_HPM] = "HPM is 0",     [RIOMMU_PRESENT_DBG] = "DBG is 0",
	[RIOMMU_PRESENT_QOSID] = "QOSID is 0", [RIOMMU_PRESENT_MSI] = "IGS is WSI",
};

/* STATE: why there is no VALUE. */
static struct json_object *register_json(const struct riommu_reg *reg, uint64_t value,
					 const char *state)
{
	struct line l;
	size_t begin;

	line_begin(&l);
	begin = line_object_begin(&l);
	line_hex_member(&l, "offset", true, reg->offset);
	line_number_member(&l, "width", reg->width);
	if (state) {
		line_word_member(&l, "raw", NULL);
		line_word_member(&l, "state", state);
	} else {
		line_layout(&l, reg->layout, value);
	}
	line_object_end(&l, begin);
	return line_json(&l);
}

static void show_known(const struct riommu_reg *reg, uint64_t value, struct json_object *registers)
{
	int n;

	if (registers) {
		json_add(registers, reg->name, register_json(reg, value, NULL));
		return;
	}
	n = printf("  0x%03x  %s = 0x%" PRIx64, reg->offset, reg->name, value);
	print_wrapped(stdout, reg->layout->doc, (size_t)n, (size_t)n + 2);
	print_layout(stdout, reg->layout, value, INDENT, true);
}

static void show_unknown(const struct riommu_reg *reg, const char *state, const char *detail,
			 struct json_object *registers)
{
	if (registers)
		json_add(registers, reg->name, register_json(reg, 0, state));
	else
		printf("  0x%03x  %s: %s%s\n", reg->offset, reg->name, state, detail);
}

/* Why a register that exists has no value. */
static const struct {
	const char *state;
	const char *why;
	int err;
} states[] = {
	[RIOMMU_REG_UNREAD] = {"unread", "not read", 0},
	[RIOMMU_REG_KNOWN] = {"known", "", 0},
	[RIOMMU_REG_MISSING] = {"missing", "the source does not hold it", -ENODATA},
	[RIOMMU_REG_REFUSED] = {"refused", "the system refuses the access", -EACCES},
	[RIOMMU_REG_DEAD] = {"dead", "the bus did not answer", -EFAULT},
};

/*
 * A register without a value. One that does not exist, or that was left alone on purpose (message vectors that icvec
 * cannot name), is shown only to those who ask for it.
 */
static void show_without_value(const struct riommu_iommu *iommu, size_t r, bool named,
			       struct withheld *withheld, struct json_object *registers)
{
	const struct riommu_reg *reg = &riommu_registers()[r];
	unsigned state = iommu->state[r];
	char detail[64];
	uint64_t caps;

	if (riommu_iommu_reg(iommu, RIOMMU_REG_CAPABILITIES, &caps) == 0 &&
	    !riommu_reg_present(reg, caps)) {
		snprintf(detail, sizeof(detail), ": capabilities.%s", presence_bits[reg->presence]);
		if (named)
			show_unknown(reg, "absent", detail, registers);
		return;
	}
	if (named || (registers && state != RIOMMU_REG_UNREAD))
		show_unknown(reg, states[state].state, "", registers);
	withhold(&withheld[state], reg->name);
}

struct json_object *dump_register_json(const struct riommu_iommu *iommu, size_t r)
{
	const struct riommu_reg *reg = &riommu_registers()[r];

	if (iommu->state[r] == RIOMMU_REG_KNOWN)
		return register_json(reg, iommu->value[r], NULL);
	return register_json(reg, 0, states[iommu->state[r]].state);
}

/* Nobody refused the registers or said that there are none: reading them failed. */
static bool failed_itself(const struct riommu_iommu *iommu)
{
	return iommu->error && iommu->error != -EFAULT && status_of(iommu->error) == STATUS_ERROR;
}

static void report_all_withheld(struct dump *d, const struct riommu_iommu *iommu,
				const struct withheld *withheld)
{
	bool reported = false;

	for (size_t s = 0; s < RIOMMU_ARRAY_SIZE(states); s++) {
		if (!withheld[s].count || s == RIOMMU_REG_UNREAD)
			continue;
		if (s == RIOMMU_REG_MISSING && failed_itself(iommu))
			report_withheld(d, iommu, &withheld[s], iommu->error, "not read");
		else
			report_withheld(d, iommu, &withheld[s], states[s].err, states[s].why);
		reported = true;
	}
	if (iommu->error && !reported && withheld[RIOMMU_REG_UNREAD].count)
		out_error(&d->out, iommu->error, "%s: %s", iommu->name, iommu->reason);
}

static void show_iommu(struct dump *d, const struct riommu_iommu *iommu, int argc, char **argv)
{
	struct json_object *registers = in_json(&d->out) ? json_object_new_object() : NULL;
	struct withheld withheld[RIOMMU_ARRAY_SIZE(states)] = {0};

	if (!registers)
		printf("%s at 0x%" PRIx64 "%s%s\n", iommu->name, iommu->base,
		       iommu->method ? ", registers through " : "",
		       iommu->method ? iommu->method : "");
	for (size_t r = 0; r < RIOMMU_REG_COUNT; r++) {
		if (!is_wanted(&riommu_registers()[r], argc, argv))
			continue;
		if (iommu->state[r] == RIOMMU_REG_KNOWN)
			show_known(&riommu_registers()[r], iommu->value[r], registers);
		else
			show_without_value(iommu, r, argc > 0, withheld, registers);
	}
	if (registers) {
		struct json_object *item = json_object_new_object();

		json_add(item, "base", json_hex(iommu->base));
		json_add(item, "name", json_text(iommu->name));
		json_add(item, "registers", registers);
		out_item(&d->out, item);
	}
	report_all_withheld(d, iommu, withheld);
}

void dump_regs(struct dump *d, int argc, char **argv)
{
	size_t index = 0;

	out_begin(&d->out, DUMP_SCHEMA, d->sys);
	if (!names_exist(d, argc, argv))
		return;
	out_list_begin(&d->out, "iommus");
	for (bool first = true; dump_next_iommu(d, &index); index++, first = false) {
		if (!first && !in_json(&d->out))
			putchar('\n');
		show_iommu(d, &d->sys->iommus[index], argc, argv);
	}
	out_list_end(&d->out);
}
