/* SPDX-License-Identifier: GPL-2.0-or-later */
/* walk: modes of ddtp, the device directory, what a context forbids (specification 3.3, steps 1 to 8). */
#include "walk-cases.h"

static void set_mode(enum riommu_ddtp_mode mode)
{
	m.w.ddtp = (m.w.ddtp & ~(uint64_t)0xf) | mode;
}

static void base_format(void)
{
	m.w.capabilities &= ~RIOMMU_CAP_MSI_FLAT;
}

static uint64_t get_entry(uint64_t at)
{
	return riommu_get64(memory_bytes(m.memory, at) + (at & RIOMMU_PAGE_MASK),
			    m.w.fctl & RIOMMU_FCTL_BE);
}

static void put_entry(uint64_t at, uint64_t value)
{
	memory_put64(m.memory, at, value, m.w.fctl & RIOMMU_FCTL_BE);
}

/* A directory of LEVELS for DEVICE_ID; AT[level] gets where its entries stand, m.dc the context. */
static void directory(unsigned levels, uint32_t device_id, uint64_t at[3])
{
	bool extended = m.w.capabilities & RIOMMU_CAP_MSI_FLAT;
	unsigned bits0 = extended ? 6 : 7;
	uint64_t table = ROOT;

	set_mode(RIOMMU_DDTP_1LVL + levels - 1);
	m.q.device_id = device_id;
	for (unsigned level = levels - 1; level > 0; level--) {
		at[level] = table + (device_id >> (bits0 + 9 * (level - 1)) & 0x1ff) * 8;
		if (get_entry(at[level])) {
			table = riommu_ppn_upper(get_entry(at[level]));
			continue;
		}
		table = new_pages(1);
		put_entry(at[level], POINTER(table));
	}
	at[0] = m.dc = table + (device_id & ((1u << bits0) - 1)) * (extended ? 64u : 32u);
}

/* -- ddtp ---------------------------------------------------------------------------------------- */

START_TEST(off_refuses_every_type_of_request)
{
	set_mode(RIOMMU_DDTP_OFF);
	m.q.type = (enum riommu_request_type)_i;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(256);
	ck_assert(m.t.reported);
	ck_assert_int_eq(m.t.response, RIOMMU_RESPONSE_UR);
	ck_assert_uint_eq(m.trace.step_count, 0);
}
END_TEST

START_TEST(bare_lets_untranslated_requests_pass_unchanged)
{
	set_mode(RIOMMU_DDTP_BARE);
	m.q.has_process_id = _i;
	ask(RIOMMU_WRITE, 0xfedcba9876543210);
	expect_ok(0xfedcba9876543210);
	ck_assert(!m.t.has_permissions);
	ck_assert_uint_eq(m.t.page_size, 0);
	ck_assert_uint_eq(m.trace.step_count, 0);
}
END_TEST

START_TEST(bare_disallows_translated_and_ats_requests)
{
	set_mode(RIOMMU_DDTP_BARE);
	m.q.type = _i ? RIOMMU_ATS : RIOMMU_TRANSLATED;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(260);
	ck_assert(m.t.reported);
	ck_assert_int_eq(m.t.response, RIOMMU_RESPONSE_UR);
}
END_TEST

START_TEST(busy_is_no_part_of_the_mode)
{
	struct riommu_dc dc;

	m.w.ddtp |= RIOMMU_DDTP_BUSY;
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, NULL), RIOMMU_OK);
}
END_TEST

START_TEST(reserved_and_custom_modes_have_no_answer)
{
	struct riommu_dc dc;

	set_mode((enum riommu_ddtp_mode)_i);
	ask(RIOMMU_READ, 0x1000);
	ck_assert_int_eq(m.t.result, RIOMMU_UNKNOWN);
	ck_assert_int_eq(m.t.error, -EBADMSG);
	ck_assert_ptr_nonnull(strstr(m.t.reason, "ddtp.iommu_mode"));
	ck_assert_uint_eq(m.trace.step_count, 0);
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, NULL), RIOMMU_UNKNOWN);
	ck_assert_int_eq(m.t.error, -EBADMSG);
	ck_assert_ptr_nonnull(strstr(m.t.reason, "ddtp.iommu_mode"));
}
END_TEST

START_TEST(without_memory_the_walk_says_what_it_lacks)
{
	struct riommu_source *memory = m.w.memory;

	m.w.memory = NULL;
	m.w.memory_error = -EACCES;
	m.q.iova = 0x1000;
	riommu_translate(&m.w, &m.q, &m.t, &m.trace);
	m.w.memory = memory;
	ck_assert_int_eq(m.t.result, RIOMMU_UNKNOWN);
	ck_assert_int_eq(m.t.error, -EACCES);
	ck_assert_uint_eq(m.t.missing, ROOT + DEVICE * 64);
}
END_TEST

START_TEST(without_memory_and_without_a_reason_it_is_missing)
{
	struct riommu_source *memory = m.w.memory;

	m.w.memory = NULL;
	riommu_translate(&m.w, &m.q, &m.t, &m.trace);
	m.w.memory = memory;
	expect_unknown(ROOT + DEVICE * 64);
}
END_TEST

/* -- what a walk starts from --------------------------------------------------------------------- */

static struct riommu_iommu unit;

static void know(uint32_t offset, uint64_t value)
{
	int reg = riommu_reg_by_offset(offset);

	ck_assert_int_ge(reg, 0);
	unit.value[reg] = value;
	unit.state[reg] = RIOMMU_REG_KNOWN;
}

/* A snapshot of the three registers without the one at SKIPPED. */
static int init(struct riommu_walker *w, uint64_t capabilities, uint32_t skipped,
		const char **missing)
{
	struct riommu_system sys = {.ctx = m.ctx, .iommus = &unit, .iommu_count = 1};

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(unit.state); i++)
		unit.state[i] = RIOMMU_REG_MISSING;
	if (skipped != RIOMMU_REG_CAPABILITIES)
		know(RIOMMU_REG_CAPABILITIES, capabilities);
	if (skipped != RIOMMU_REG_FCTL)
		know(RIOMMU_REG_FCTL, RIOMMU_FCTL_BE);
	if (skipped != RIOMMU_REG_DDTP)
		know(RIOMMU_REG_DDTP, RIOMMU_DDTP_BARE);
	return riommu_walker_init(w, &sys, 0, missing);
}

START_TEST(walker_has_the_registers_and_defaults)
{
	struct riommu_walker w;
	const char *missing;

	ck_assert_int_eq(init(&w, 0x10, UINT32_MAX, &missing), 0);
	ck_assert_ptr_null(missing);
	ck_assert_uint_eq(w.capabilities, 0x10);
	ck_assert_uint_eq(w.fctl, RIOMMU_FCTL_BE);
	ck_assert_uint_eq(w.ddtp, RIOMMU_DDTP_BARE);
	ck_assert(w.gxl_writable && !w.be_writable && !w.absent_is_fault);
	ck_assert_int_eq(init(&w, 0x10 | RIOMMU_CAP_END, UINT32_MAX, &missing), 0);
	ck_assert(w.be_writable);
}
END_TEST

START_TEST(walker_takes_what_no_register_shows_from_options)
{
	struct riommu_walker w;
	const char *missing;

	ck_assert_int_eq(riommu_option_set(m.ctx, "gxl_writable", "0"), 0);
	ck_assert_int_eq(riommu_option_set(m.ctx, "be_writable", _i ? "1" : "0"), 0);
	ck_assert_int_eq(riommu_option_set(m.ctx, "absent", "fault"), 0);
	ck_assert_int_eq(init(&w, _i ? 0 : RIOMMU_CAP_END, UINT32_MAX, &missing), 0);
	ck_assert(!w.gxl_writable && w.absent_is_fault);
	ck_assert_int_eq(w.be_writable, _i);
}
END_TEST

START_TEST(walker_names_the_register_that_is_missing)
{
	static const struct {
		uint32_t offset;
		const char *name;
	} needed[] = {{RIOMMU_REG_CAPABILITIES, "capabilities"},
		      {RIOMMU_REG_FCTL, "fctl"},
		      {RIOMMU_REG_DDTP, "ddtp"}};
	struct riommu_walker w;
	const char *missing;

	ck_assert_int_eq(init(&w, 0x10, needed[_i].offset, &missing), -ENODATA);
	ck_assert_str_eq(missing, needed[_i].name);
}
END_TEST

/* -- width --------------------------------------------------------------------------------------- */

static const struct {
	bool extended;
	unsigned levels;
	uint32_t widest, index[3];
} widths[] = {
	{false, 1, 0x7f, {0x7f, 0, 0}},
	{false, 2, 0xffff, {0x7f, 0x1ff, 0}},
	{false, 3, 0xffffff, {0x7f, 0x1ff, 0xff}},
	{true, 1, 0x3f, {0x3f, 0, 0}},
	{true, 2, 0x7fff, {0x3f, 0x1ff, 0}},
	{true, 3, 0xffffff, {0x3f, 0x1ff, 0x1ff}},
};

START_TEST(widest_device_id_reaches_the_last_entries)
{
	unsigned size = widths[_i].extended ? 64 : 32;
	uint64_t at[3] = {0};

	if (!widths[_i].extended)
		base_format();
	directory(widths[_i].levels, widths[_i].widest, at);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
	ck_assert_uint_eq(m.trace.step_count, widths[_i].levels);
	for (unsigned i = 0; i < widths[_i].levels; i++) {
		const struct riommu_step *step = &m.trace.step[i];
		unsigned level = widths[_i].levels - 1 - i;

		ck_assert_int_eq(step->structure, level ? RIOMMU_S_DDTE : RIOMMU_S_DC);
		ck_assert_uint_eq(step->level, level);
		ck_assert(!step->implicit);
		ck_assert_uint_eq(step->address, at[level]);
		ck_assert_uint_eq(step->guest, at[level]);
		ck_assert_uint_eq(step->address & RIOMMU_PAGE_MASK,
				  widths[_i].index[level] * (level ? 8 : size));
		ck_assert_uint_eq(step->size, level ? 8 : size);
		ck_assert_uint_eq(step->count, level ? 1 : size / 8);
	}
}
END_TEST

START_TEST(every_bit_beyond_the_width_is_disallowed)
{
	uint64_t at[3];

	if (!widths[_i].extended)
		base_format();
	for (unsigned bit = 0; bit < 24; bit++) {
		if (widths[_i].widest >> bit & 1)
			continue;
		directory(widths[_i].levels, DEVICE, at);
		m.dw[RIOMMU_DC_TC] = RIOMMU_TC_V | RIOMMU_TC_DTF;
		m.q.device_id = 1u << bit | DEVICE;
		ask(RIOMMU_READ, 0x1000);
		expect_fault(260);
		ck_assert_uint_eq(m.trace.step_count, 0);
		/* no context was located, so DTF counts as 0 */
		ck_assert(m.t.reported);
	}
}
END_TEST

START_TEST(every_bit_of_the_device_id_selects_another_context)
{
	unsigned extended = (unsigned)_i;
	uint64_t at[3];

	if (!extended)
		base_format();
	for (unsigned bit = 0; bit < 24; bit++) {
		directory(3, 1u << bit, at);
		m.dw[RIOMMU_DC_TC] = RIOMMU_TC_V | (uint64_t)bit << 24; /* custom bits mark it */
		ask(RIOMMU_READ, 0x1000);
		expect_ok(0x1000);
	}
	for (unsigned bit = 0; bit < 24; bit++) {
		struct riommu_dc dc;

		ck_assert_int_eq(riommu_locate_dc(&m.w, 1u << bit, &dc, &m.t, NULL), RIOMMU_OK);
		ck_assert_uint_eq(dc.dw[RIOMMU_DC_TC] >> 24, bit);
		ck_assert_uint_eq(dc.device_id, 1u << bit);
		ck_assert_uint_eq(dc.dwords, extended ? 8 : 4);
	}
}
END_TEST

/* -- entries ------------------------------------------------------------------------------------- */

/* Loop over levels 0 (the context), 1, 2 of a directory of three. */
START_TEST(directory_entry_that_is_not_valid_is_258)
{
	uint64_t at[3];

	directory(3, 0x123456, at);
	if (_i)
		put_entry(at[_i], ~(uint64_t)1);
	else
		m.dw[RIOMMU_DC_TC] = ~(uint64_t)1;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(258);
	ck_assert(m.t.reported);
	ck_assert_uint_eq(last_step()->address, at[_i]);
}
END_TEST

START_TEST(reserved_bit_in_a_directory_entry_is_259)
{
	uint64_t at[3];

	directory(3, 0x123456, at);
	for (unsigned bit = 1; bit < 64; bit++) {
		uint64_t good = get_entry(at[_i]);

		if (bit > 9 && bit < 54)
			continue;
		put_entry(at[_i], good | BIT(bit));
		ask(RIOMMU_READ, 0x1000);
		expect_fault(259);
		ck_assert_uint_eq(last_step()->address, at[_i]);
		put_entry(at[_i], good);
	}
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
}
END_TEST

/* Sends the walk to PA at level I of a directory of three. */
static void redirect(int i, uint64_t pa, uint64_t at[3])
{
	directory(3, 0x123456, at);
	if (i == 2)
		m.w.ddtp = PTE(pa) | RIOMMU_DDTP_3LVL;
	else
		put_entry(at[i + 1], POINTER(pa));
	m.q.iova = 0x1000;
	riommu_translate(&m.w, &m.q, &m.t, &m.trace);
}

START_TEST(directory_that_is_not_held_is_unknown_and_named)
{
	uint64_t at[3];

	redirect(_i, 0x90000000, at);
	expect_unknown(0x90000000 + (at[_i] & RIOMMU_PAGE_MASK));
	ck_assert_uint_eq(last_step()->address, m.t.missing);
	ck_assert_uint_eq(last_step()->count, 0);
}
END_TEST

START_TEST(directory_in_memory_that_does_not_exist_is_257)
{
	uint64_t at[3];

	m.w.absent_is_fault = true;
	redirect(_i, 0x90000000, at);
	expect_fault(257);
	ck_assert(m.t.reported);
	ck_assert_uint_eq(last_step()->address, 0x90000000 + (at[_i] & RIOMMU_PAGE_MASK));
}
END_TEST

START_TEST(directory_beyond_pas_is_257_and_nothing_is_read)
{
	uint64_t at[3];

	redirect(_i, BIT(PAS), at);
	expect_fault(257);
	ck_assert_uint_eq(m.trace.step_count, 2u - (unsigned)_i);
	redirect(_i, BIT(PAS) - RIOMMU_PAGE_SIZE, at);
	expect_unknown(BIT(PAS) - RIOMMU_PAGE_SIZE + (at[_i] & RIOMMU_PAGE_MASK));
}
END_TEST

START_TEST(directory_with_data_corruption_is_268)
{
	uint64_t at[3];

	memory_poison(m.memory, 0x90000000);
	redirect(_i, 0x90000000, at);
	expect_fault(268);
	ck_assert(m.t.reported);
	ck_assert_uint_eq(last_step()->count, 0);
}
END_TEST

START_TEST(big_endian_iommu_has_a_big_endian_directory)
{
	uint64_t at[3];

	m.w.fctl = RIOMMU_FCTL_BE;
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS | (_i ? RIOMMU_TC_SBE : 0);
	directory(3, 0x123456, at);
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
	ck_assert_uint_eq(m.trace.step[2].value[RIOMMU_DC_TC], m.dw[RIOMMU_DC_TC]);
	ck_assert_uint_eq(memory_bytes(m.memory, at[0])[(at[0] & RIOMMU_PAGE_MASK) + 7],
			  RIOMMU_TC_V | RIOMMU_TC_EN_ATS);
}
END_TEST

/* -- step 7: what a device may not ask ----------------------------------------------------------- */

START_TEST(without_en_ats_only_untranslated_requests_are_allowed)
{
	m.q.type = (enum riommu_request_type)_i;
	ask(RIOMMU_READ, 0x1000);
	if (m.q.type == RIOMMU_UNTRANSLATED)
		expect_ok(0x1000);
	else
		expect_fault(260);
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	ask(RIOMMU_READ, 0x1000);
	expect_ok(0x1000);
}
END_TEST

START_TEST(process_id_without_a_process_directory_is_disallowed)
{
	m.q.has_process_id = true;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(260);
}
END_TEST

START_TEST(translated_request_with_a_process_id_needs_the_directory_too)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	m.q.type = RIOMMU_TRANSLATED;
	m.q.has_process_id = true;
	ask(RIOMMU_READ, 0x1000);
	expect_fault(260);
}
END_TEST

START_TEST(translated_request_without_t2gpa_is_a_system_address)
{
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	second_stage(RIOMMU_HGATP_SV39X4); /* maps nothing: it must not be looked at */
	m.q.type = RIOMMU_TRANSLATED;
	ask(by_access[_i].access, 0xff00000000001234);
	expect_ok(0xff00000000001234);
	ck_assert(!m.t.has_permissions);
	ck_assert_uint_eq(m.t.page_size, 0);
	ck_assert_uint_eq(m.trace.step_count, 1);
}
END_TEST

/* -- riommu_locate_dc ---------------------------------------------------------------------------- */

START_TEST(context_is_located_whatever_it_says)
{
	struct riommu_dc dc;

	m.dw[RIOMMU_DC_TC] = 0xfffffffffffffffe;
	ask(RIOMMU_READ, 0);
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, &m.trace), RIOMMU_OK);
	ck_assert_uint_eq(dc.dw[RIOMMU_DC_TC], 0xfffffffffffffffe);
	ck_assert_uint_eq(dc.address, ROOT + DEVICE * 64);
	ck_assert_uint_eq(m.trace.step_count, 1);
}
END_TEST

START_TEST(no_context_is_located_without_a_directory)
{
	struct riommu_dc dc;

	set_mode(RIOMMU_DDTP_OFF);
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, NULL), RIOMMU_FAULT);
	ck_assert_uint_eq(m.t.cause, 256);
	set_mode(RIOMMU_DDTP_BARE);
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, NULL), RIOMMU_FAULT);
	ck_assert_uint_eq(m.t.cause, 260);
	set_mode(RIOMMU_DDTP_2LVL);
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, NULL), RIOMMU_FAULT);
	ck_assert_uint_eq(m.t.cause, 258);
}
END_TEST

START_TEST(missing_directory_page_is_named_when_locating)
{
	struct riommu_dc dc;

	m.w.ddtp = PTE(0x90000000) | RIOMMU_DDTP_1LVL;
	ck_assert_int_eq(riommu_locate_dc(&m.w, DEVICE, &dc, &m.t, NULL), RIOMMU_UNKNOWN);
	ck_assert_uint_eq(m.t.missing, 0x90000000 + DEVICE * 64);
	ck_assert_int_eq(m.t.error, -ENODATA);
}
END_TEST

TCase *walk_directory_case(void)
{
	TCase *tc = tcase_create("directory");
	int count = (int)RIOMMU_ARRAY_SIZE(widths);

	tcase_add_checked_fixture(tc, machine_setup, machine_teardown);
	tcase_add_loop_test(tc, off_refuses_every_type_of_request, 0, 3);
	tcase_add_loop_test(tc, bare_lets_untranslated_requests_pass_unchanged, 0, 2);
	tcase_add_loop_test(tc, bare_disallows_translated_and_ats_requests, 0, 2);
	tcase_add_test(tc, busy_is_no_part_of_the_mode);
	tcase_add_loop_test(tc, reserved_and_custom_modes_have_no_answer, 5, 16);
	tcase_add_test(tc, without_memory_the_walk_says_what_it_lacks);
	tcase_add_test(tc, without_memory_and_without_a_reason_it_is_missing);
	tcase_add_test(tc, walker_has_the_registers_and_defaults);
	tcase_add_loop_test(tc, walker_takes_what_no_register_shows_from_options, 0, 2);
	tcase_add_loop_test(tc, walker_names_the_register_that_is_missing, 0, 3);
	tcase_add_loop_test(tc, widest_device_id_reaches_the_last_entries, 0, count);
	tcase_add_loop_test(tc, every_bit_beyond_the_width_is_disallowed, 0, count);
	tcase_add_loop_test(tc, every_bit_of_the_device_id_selects_another_context, 0, 2);
	tcase_add_loop_test(tc, directory_entry_that_is_not_valid_is_258, 0, 3);
	tcase_add_loop_test(tc, reserved_bit_in_a_directory_entry_is_259, 1, 3);
	tcase_add_loop_test(tc, directory_that_is_not_held_is_unknown_and_named, 0, 3);
	tcase_add_loop_test(tc, directory_in_memory_that_does_not_exist_is_257, 0, 3);
	tcase_add_loop_test(tc, directory_beyond_pas_is_257_and_nothing_is_read, 0, 3);
	tcase_add_loop_test(tc, directory_with_data_corruption_is_268, 0, 3);
	tcase_add_loop_test(tc, big_endian_iommu_has_a_big_endian_directory, 0, 2);
	tcase_add_loop_test(tc, without_en_ats_only_untranslated_requests_are_allowed, 0, 3);
	tcase_add_test(tc, process_id_without_a_process_directory_is_disallowed);
	tcase_add_test(tc, translated_request_with_a_process_id_needs_the_directory_too);
	tcase_add_loop_test(tc, translated_request_without_t2gpa_is_a_system_address, 0, 3);
	tcase_add_test(tc, context_is_located_whatever_it_says);
	tcase_add_test(tc, no_context_is_located_without_a_directory);
	tcase_add_test(tc, missing_directory_page_is_named_when_locating);
	return tc;
}
