/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The entries of the command queue and of the page-request queue (specification, 4.1 and 4.3), their layouts, and which
 * commands an IOMMU refuses.
 */
#include "spec/commands.h"
#include "base/base.h"
#include "spec/field-internal.h"
#include "spec/registers.h"

/* -- page requests (4.3) ---------------------------------------------------------------------------------- */

static const struct riommu_field page_request_fields[] = {
	RESERVED(11, 0),
	HEX("PID", 31, 12, "PASID"),
	FLAG("PV", 32, "PID is valid"),
	FLAG("PRIV", 33, "supervisor privilege"),
	FLAG("EXEC", 34, "execute is requested"),
	RESERVED(39, 35),
	HEX("DID", 63, 40, "device_id"),
};

static const struct riommu_field page_request_payload_fields[] = {
	FLAG("R", 0, "read is requested"),
	FLAG("W", 1, "write is requested"),
	FLAG("L", 2, "last request of its group"),
	NUMBER("PRGI", 11, 3, "page request group index"),
	ADDR("ADDR", 63, 12, 12, "page address"),
};

static const struct riommu_layout page_request_layouts[] = {
	LAYOUT("page_request", 8, page_request_fields, "page-request record: header (4.3)"),
	LAYOUT("page_request_dw1", 8, page_request_payload_fields,
	       "page-request record: payload (4.3)"),
};

const struct riommu_layout *riommu_layout_page_request(unsigned dword)
{
	return dword < RIOMMU_ARRAY_SIZE(page_request_layouts) ? &page_request_layouts[dword]
							       : NULL;
}

/* -- commands (4.1) --------------------------------------------------------------------------------------- */

enum opcode { OP_IOTINVAL = 1, OP_IOFENCE = 2, OP_IODIR = 3, OP_ATS = 4, OP_CUSTOM_FIRST = 64 };

static const struct riommu_value_name opcode_names[] = {
	{OP_IOTINVAL, "IOTINVAL"},
	{OP_IOFENCE, "IOFENCE"},
	{OP_IODIR, "IODIR"},
	{OP_ATS, "ATS"},
	{0, NULL},
};

#define COMMAND_FIELDS                                           \
	ENUM("opcode", 6, 0, opcode_names, "group of commands"), \
		NUMBER("func3", 9, 7, "command of the group")

static const struct riommu_field iotinval_fields[] = {
	COMMAND_FIELDS,
	FLAG("AV", 10, "only the address in ADDR"),
	RESERVED(11, 11),
	HEX("PSCID", 31, 12, "address space"),
	FLAG("PSCV", 32, "only the address space PSCID (VMA only)"),
	FLAG("GV", 33, "only the guest GSCID"),
	FLAG("NL", 34, "non-leaf entries too"),
	RESERVED(43, 35),
	HEX("GSCID", 59, 44, "guest"),
	RESERVED(63, 60),
};

static const struct riommu_field iotinval_dw1_fields[] = {
	RESERVED(8, 0),
	FLAG("S", 9, "a range: the lowest 0 bit of ADDR encodes its size"),
	ADDR("ADDR", 61, 10, 12, "IOVA (VMA) or guest address (GVMA)"),
	RESERVED(63, 62),
};

static const struct riommu_field iofence_fields[] = {
	COMMAND_FIELDS,
	FLAG("AV", 10, "store DATA at ADDR when complete"),
	FLAG("WSI", 11, "raise a wired interrupt when complete"),
	FLAG("PR", 12, "earlier reads of devices are done"),
	FLAG("PW", 13, "earlier writes of devices are done"),
	RESERVED(31, 14),
	HEX("DATA", 63, 32, "what is stored"),
};

static const struct riommu_field iofence_dw1_fields[] = {
	ADDR("ADDR", 61, 0, 2, "where DATA is stored"),
	RESERVED(63, 62),
};

static const struct riommu_field inval_ddt_fields[] = {
	COMMAND_FIELDS,
	RESERVED(32, 10),
	FLAG("DV", 33, "only the device DID"),
	RESERVED(39, 34),
	HEX("DID", 63, 40, "device_id"),
};

static const struct riommu_field inval_pdt_fields[] = {
	COMMAND_FIELDS,
	RESERVED(11, 10),
	HEX("PID", 31, 12, "process_id"),
	RESERVED(32, 32),
	FLAG("DV", 33, "DID is valid: must be 1"),
	RESERVED(39, 34),
	HEX("DID", 63, 40, "device_id"),
};

static const struct riommu_field ats_fields[] = {
	COMMAND_FIELDS,
	RESERVED(11, 10),
	HEX("PID", 31, 12, "PASID"),
	FLAG("PV", 32, "PID is valid"),
	FLAG("DSV", 33, "DSEG is valid"),
	RESERVED(39, 34),
	HEX("RID", 55, 40, "PCIe routing id: bus, device, function"),
	HEX("DSEG", 63, 56, "PCIe segment"),
};

static const struct riommu_field ats_inval_dw1_fields[] = {
	FLAG("G", 0, "in every PASID"),
	RESERVED(10, 1),
	FLAG("S", 11, "a range: the lowest 0 bit of ADDR encodes its size"),
	ADDR("ADDR", 63, 12, 12, "untranslated address"),
};

static const struct riommu_value_name response_names[] = {
	{0x0, "Success"},
	{0x1, "Invalid Request"},
	{0xf, "Response Failure"},
	{0, NULL},
};

static const struct riommu_field ats_prgr_dw1_fields[] = {
	RESERVED(31, 0),
	NUMBER("PRGI", 40, 32, "page request group index"),
	RESERVED(43, 41),
	ENUM("response_code", 47, 44, response_names, "the answer to the page requests"),
	RESERVED(63, 48),
};

static const struct riommu_field unknown_command_fields[] = {
	COMMAND_FIELDS,
	RESERVED(63, 10),
};

static const struct riommu_field custom_command_fields[] = {
	COMMAND_FIELDS,
	CUSTOM(63, 10),
};

static const struct riommu_field custom_dw1_fields[] = {
	CUSTOM(63, 0),
};

static const struct riommu_field reserved_dw1_fields[] = {
	RESERVED(63, 0),
};

struct command {
	enum riommu_command which;
	const char *name;
	struct riommu_layout dw[2];
};

#define COMMAND(w, n, f0, f1)                                      \
	{                                                          \
		.which = RIOMMU_COMMAND_##w, .name = (n),          \
		.dw = { LAYOUT("command", 8, f0, n " (4.1)"),      \
			LAYOUT("command_dw1", 8, f1, n " (4.1)") } \
	}

static const struct command inval_vma =
	COMMAND(IOTINVAL_VMA, "IOTINVAL.VMA", iotinval_fields, iotinval_dw1_fields);
static const struct command inval_gvma =
	COMMAND(IOTINVAL_GVMA, "IOTINVAL.GVMA", iotinval_fields, iotinval_dw1_fields);
static const struct command iofence =
	COMMAND(IOFENCE_C, "IOFENCE.C", iofence_fields, iofence_dw1_fields);
static const struct command inval_ddt =
	COMMAND(INVAL_DDT, "IODIR.INVAL_DDT", inval_ddt_fields, reserved_dw1_fields);
static const struct command inval_pdt =
	COMMAND(INVAL_PDT, "IODIR.INVAL_PDT", inval_pdt_fields, reserved_dw1_fields);
static const struct command ats_inval =
	COMMAND(ATS_INVAL, "ATS.INVAL", ats_fields, ats_inval_dw1_fields);
static const struct command ats_prgr =
	COMMAND(ATS_PRGR, "ATS.PRGR", ats_fields, ats_prgr_dw1_fields);
static const struct command unknown_command =
	COMMAND(RESERVED, "reserved command", unknown_command_fields, reserved_dw1_fields);
static const struct command custom_command =
	COMMAND(CUSTOM, "custom command", custom_command_fields, custom_dw1_fields);

/* By opcode, then func3; NULL is reserved. */
static const struct command *const commands[][2] = {
	[OP_IOTINVAL] = {&inval_vma, &inval_gvma},
	[OP_IOFENCE] = {&iofence, NULL},
	[OP_IODIR] = {&inval_ddt, &inval_pdt},
	[OP_ATS] = {&ats_inval, &ats_prgr},
};

static const struct command *command_of(uint64_t dw0)
{
	uint64_t opcode = riommu_bits(dw0, 6, 0), func3 = riommu_bits(dw0, 9, 7);

	if (opcode >= OP_CUSTOM_FIRST)
		return &custom_command;
	if (opcode >= RIOMMU_ARRAY_SIZE(commands) || func3 > 1 || !commands[opcode][func3])
		return &unknown_command;
	return commands[opcode][func3];
}

const struct riommu_layout *riommu_layout_command(unsigned dword, uint64_t dw0)
{
	return dword < 2 ? &command_of(dw0)->dw[dword] : NULL;
}

enum riommu_command riommu_command(uint64_t dw0)
{
	return command_of(dw0)->which;
}

const char *riommu_command_name(uint64_t dw0)
{
	const struct command *command = command_of(dw0);

	return command == &unknown_command || command == &custom_command ? NULL : command->name;
}

uint64_t riommu_command_reserved(const uint64_t dw[2], uint64_t *reserved1)
{
	const struct command *command = command_of(dw[0]);
	/* the payload of ATS commands is a message: what PCIe has to be zero there no IOMMU needs to look at */
	bool message = command == &ats_inval || command == &ats_prgr;

	*reserved1 = message ? 0 : riommu_layout_reserved(&command->dw[1], dw[1]);
	return riommu_layout_reserved(&command->dw[0], dw[0]);
}

/* -- what an IOMMU refuses (4.1) ---------------------------------------------------------------------------- */

#define KNOWS(limits, what) ((limits)->known & RIOMMU_LIMIT_##what)

static bool is_iotinval(uint64_t dw0)
{
	return riommu_bits(dw0, 6, 0) == OP_IOTINVAL;
}

static bool is_unknown(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	(void)limits;
	return command_of(dw[0]) == &unknown_command;
}

static bool has_reserved(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	uint64_t dw1, dw0 = riommu_command_reserved(dw, &dw1);

	(void)limits;
	return command_of(dw[0]) != &unknown_command && (dw0 || dw1);
}

static bool gvma_with_pscv(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	(void)limits;
	return riommu_command(dw[0]) == RIOMMU_COMMAND_IOTINVAL_GVMA && riommu_bit(dw[0], 32);
}

static bool lacks_nl(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	return KNOWS(limits, CAPABILITIES) && is_iotinval(dw[0]) && riommu_bit(dw[0], 34) &&
	       !(limits->capabilities & RIOMMU_CAP_NL);
}

static bool lacks_s(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	return KNOWS(limits, CAPABILITIES) && is_iotinval(dw[0]) && riommu_bit(dw[1], 9) &&
	       !(limits->capabilities & RIOMMU_CAP_S);
}

static bool lacks_wires(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	return KNOWS(limits, FCTL) && riommu_command(dw[0]) == RIOMMU_COMMAND_IOFENCE_C &&
	       riommu_bit(dw[0], 11) && !(limits->fctl & RIOMMU_FCTL_WSI);
}

static bool pdt_without_dv(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	(void)limits;
	return riommu_command(dw[0]) == RIOMMU_COMMAND_INVAL_PDT && !riommu_bit(dw[0], 33);
}

/* Widths of a device_id by levels of the directory; base format, extended format (3.1). */
static bool did_too_wide(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	static const unsigned widths[][2] = {{7, 6}, {16, 15}, {24, 24}};
	enum riommu_command command = riommu_command(dw[0]);
	uint64_t mode = riommu_bits(limits->ddtp, 3, 0);
	bool extended = limits->capabilities & RIOMMU_CAP_MSI_FLAT;

	if (!KNOWS(limits, CAPABILITIES) || !KNOWS(limits, DDTP) || !riommu_bit(dw[0], 33) ||
	    (command != RIOMMU_COMMAND_INVAL_DDT && command != RIOMMU_COMMAND_INVAL_PDT))
		return false;
	/* Off and Bare have no directory: how wide a device_id is there is not written down */
	if (mode < RIOMMU_DDTP_1LVL || mode > RIOMMU_DDTP_3LVL)
		return false;
	return riommu_bits(dw[0], 63, 40) >> widths[mode - RIOMMU_DDTP_1LVL][extended];
}

static bool pid_too_wide(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	unsigned width = limits->capabilities & RIOMMU_CAP_PD20   ? 20
			 : limits->capabilities & RIOMMU_CAP_PD17 ? 17
								  : 8;

	return KNOWS(limits, CAPABILITIES) && riommu_command(dw[0]) == RIOMMU_COMMAND_INVAL_PDT &&
	       riommu_bits(dw[0], 31, 12) >> width;
}

static bool lacks_ats(const uint64_t dw[2], const struct riommu_command_limits *limits)
{
	return KNOWS(limits, CAPABILITIES) && riommu_bits(dw[0], 6, 0) == OP_ATS &&
	       !(limits->capabilities & RIOMMU_CAP_ATS);
}

static const struct {
	bool (*broken)(const uint64_t dw[2], const struct riommu_command_limits *limits);
	const char *words;
} rules[] = {
	{is_unknown, "opcode and func3 are reserved"},
	{has_reserved, "a reserved bit is set"},
	{gvma_with_pscv, "PSCV is set: IOTINVAL.GVMA knows no PSCID"},
	{lacks_nl, "NL is set: capabilities.NL is 0"},
	{lacks_s, "S is set: capabilities.S is 0"},
	{lacks_wires, "WSI is set: fctl.WSI is 0"},
	{pdt_without_dv, "DV is 0: IODIR.INVAL_PDT needs a device"},
	{did_too_wide, "DID is wider than ddtp.iommu_mode allows"},
	{pid_too_wide, "PID is wider than the process directories of this IOMMU"},
	{lacks_ats, "an ATS command: capabilities.ATS is 0"},
};

size_t riommu_command_wrong(const uint64_t dw[2], const struct riommu_command_limits *limits,
			    const char *words[RIOMMU_COMMAND_RULES])
{
	size_t n = 0;

	_Static_assert(RIOMMU_ARRAY_SIZE(rules) == RIOMMU_COMMAND_RULES, "");
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(rules); i++)
		if (rules[i].broken(dw, limits))
			words[n++] = rules[i].words;
	return n;
}

/* -- ranges of addresses ------------------------------------------------------------------------------------ */

bool riommu_napot_range(uint64_t address, uint64_t *start, uint64_t *last)
{
	uint64_t page = address >> RIOMMU_PAGE_SHIFT, size;
	unsigned x = (unsigned)__builtin_ctzll(~page);

	*start = address & ~RIOMMU_PAGE_MASK;
	*last = address | RIOMMU_PAGE_MASK;
	if (x >= 52) /* all ones: not specified */
		return false;
	size = (uint64_t)2 << x; /* pages; 2^52 are all there are */
	*start = (page & ~(size - 1)) << RIOMMU_PAGE_SHIFT;
	*last = *start + ((size << RIOMMU_PAGE_SHIFT) - 1);
	return true;
}
