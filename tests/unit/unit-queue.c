/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue: rings as registers describe them, rightly and wrongly; fault records taken apart and turned into requests. */
#include "memory.h"
#include "queue/queue.h"
#include "runner.h"

#include <check.h>
#include <stdlib.h>

#define RING 0x80300000u

static struct riommu_ctx *ctx;
static struct memory *mem;
static struct riommu_iommu *iommu;
static struct riommu_system sys;

static void set_register(uint32_t offset, uint64_t value)
{
	int i = riommu_reg_by_offset(offset);

	ck_assert_int_ge(i, 0);
	iommu->value[i] = value;
	iommu->state[i] = RIOMMU_REG_KNOWN;
}

static void forget_register(uint32_t offset, enum riommu_reg_state state)
{
	iommu->state[riommu_reg_by_offset(offset)] = (uint8_t)state;
}

/* An IOMMU of 46 address bits with a fault queue of 2 << LOG2SZ entries at RING. */
static void setup(void)
{
	ctx = riommu_ctx_new();
	mem = memory_new();
	iommu = calloc(1, sizeof(*iommu));
	ck_assert(ctx && iommu);
	strcpy(iommu->name, "test");
	sys = (struct riommu_system){
		.ctx = ctx, .memory = memory_source(mem, ctx), .iommus = iommu, .iommu_count = 1};
	set_register(RIOMMU_REG_CAPABILITIES, (uint64_t)46 << 32 | 0x10);
	set_register(RIOMMU_REG_FCTL, 0);
	set_register(RIOMMU_REG_FQB, (RING >> 2) | 7);
	set_register(RIOMMU_REG_FQH, 0);
	set_register(RIOMMU_REG_FQT, 0);
	set_register(RIOMMU_REG_FQCSR, 0x10001);
}

static void teardown(void)
{
	riommu_source_close(sys.memory);
	memory_free(mem);
	free(iommu);
	riommu_ctx_free(ctx);
}

/* A record that says which index it was written to. */
static void put_record(uint32_t index, uint64_t dw0, bool big)
{
	memory_put64(mem, RING + 32 * (uint64_t)index, dw0, big);
	memory_put64(mem, RING + 32 * (uint64_t)index + 16, 0x1000 + index, big);
}

struct seen {
	uint32_t index[64];
	bool pending[64];
	size_t count;
	uint32_t skipped;
	unsigned gaps;
	int error;
	int stop_with;
};

static int see(void *arg, const struct riommu_fault_visit *v)
{
	struct seen *s = arg;

	if (v->error) {
		s->gaps++;
		s->skipped += v->skipped;
		s->error = v->error;
		return s->stop_with;
	}
	ck_assert_uint_lt(s->count, RIOMMU_ARRAY_SIZE(s->index));
	ck_assert_uint_eq(v->fault.iotval, 0x1000 + v->index);
	s->index[s->count] = v->index;
	s->pending[s->count++] = v->pending;
	return s->stop_with;
}

/* -- registers --------------------------------------------------------------------------------- */

START_TEST(a_queue_is_what_its_registers_say)
{
	struct riommu_queue q;

	set_register(RIOMMU_REG_FQH, 250);
	set_register(RIOMMU_REG_FQT, 3);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_uint_eq(q.base, RING);
	ck_assert_uint_eq(q.entries, 256);
	ck_assert_uint_eq(q.entry_size, 32);
	ck_assert(q.indexes_known);
	ck_assert_uint_eq(riommu_queue_pending(&q), 9);
	ck_assert(riommu_queue_is_pending(&q, 250) && riommu_queue_is_pending(&q, 2));
	ck_assert(!riommu_queue_is_pending(&q, 3) && !riommu_queue_is_pending(&q, 249));
	ck_assert(!riommu_queue_is_pending(&q, 256 + 250));
}
END_TEST

START_TEST(a_missing_register_is_missing_and_a_refused_one_refused)
{
	struct riommu_queue q;

	forget_register(RIOMMU_REG_FQB, RIOMMU_REG_MISSING);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), -ENODATA);
	forget_register(RIOMMU_REG_FQB, RIOMMU_REG_REFUSED);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), -EACCES);
	ck_assert_int_eq(riommu_queue_open(&sys, 1, RIOMMU_FQ, &q), -EINVAL);
}
END_TEST

START_TEST(there_is_no_page_request_queue_without_ats)
{
	struct riommu_queue q;

	set_register(RIOMMU_REG_PQB, RING >> 2);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_PQ, &q), -ENODATA);
	set_register(RIOMMU_REG_CAPABILITIES, (uint64_t)46 << 32 | RIOMMU_CAP_ATS | 0x10);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_PQ, &q), 0);
	ck_assert_uint_eq(q.entry_size, 16);
	ck_assert_uint_eq(q.entries, 2);
}
END_TEST

START_TEST(an_unknown_index_leaves_the_ring)
{
	struct riommu_queue q;

	forget_register(RIOMMU_REG_FQT, RIOMMU_REG_MISSING);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert(!q.indexes_known);
	ck_assert_uint_eq(riommu_queue_pending(&q), 0);
}
END_TEST

START_TEST(an_index_past_the_end_is_masked_and_told)
{
	struct riommu_queue q;

	set_register(RIOMMU_REG_FQT, 256 + 5);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), -EBADMSG);
	ck_assert_uint_eq(q.tail, 5);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "index"));
}
END_TEST

START_TEST(a_lying_size_is_cut_to_four_gibibytes)
{
	struct riommu_queue q;
	struct seen s = {0};

	set_register(RIOMMU_REG_FQB, 31);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), -EBADMSG);
	ck_assert_uint_eq((uint64_t)q.entries * q.entry_size, (uint64_t)1 << 32);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.gaps, 1); /* a million pages that are nowhere are one gap */
	ck_assert_uint_eq(s.skipped, q.entries);
	ck_assert_int_eq(s.error, -ENODATA);
}
END_TEST

START_TEST(a_base_past_the_address_space_is_told)
{
	struct riommu_queue q;

	set_register(RIOMMU_REG_FQB, riommu_mask(53, 10) & ~(uint64_t)0xfff);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), -EBADMSG);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "46 bits"));
}
END_TEST

START_TEST(a_queue_that_no_iommu_has_is_refused)
{
	struct riommu_queue q;

	ck_assert_int_eq(riommu_queue_open(&sys, 0, (enum riommu_queue_kind)3, &q), -EINVAL);
	ck_assert_int_eq(riommu_queue_open(&sys, 1, RIOMMU_FQ, &q), -EINVAL);
}
END_TEST

START_TEST(a_misaligned_base_is_told)
{
	struct riommu_queue q;

	set_register(RIOMMU_REG_FQB, ((RING + 0x1000) >> 2) | 7); /* 8 KiB on 4 KiB */
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), -EBADMSG);
	set_register(RIOMMU_REG_FQB, ((RING + 0x1000) >> 2) | 6);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
}
END_TEST

/* -- records ----------------------------------------------------------------------------------- */

START_TEST(entries_are_read_in_the_order_of_fctl_be)
{
	struct riommu_queue q;
	uint64_t dw[4];

	set_register(RIOMMU_REG_FCTL, (uint64_t)_i);
	put_record(3, 0x000108080000000d, _i);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_queue_read(&q, 3, dw), 0);
	ck_assert_uint_eq(dw[0], 0x000108080000000d);
	ck_assert_uint_eq(dw[2], 0x1003);
	ck_assert_int_eq(riommu_queue_read(&q, 256, dw), -EINVAL);
	ck_assert_int_eq(riommu_queue_read(&q, 255, dw), -ENODATA);
}
END_TEST

START_TEST(records_come_oldest_first)
{
	static const uint32_t order[] = {4, 5, 0, 1, 2};
	struct riommu_queue q;
	struct seen s = {0};

	set_register(RIOMMU_REG_FQB, (RING >> 2) | 2); /* 8 entries */
	set_register(RIOMMU_REG_FQH, 1);
	set_register(RIOMMU_REG_FQT, 3);
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(order); i++)
		put_record(order[i], 13, false);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.count, RIOMMU_ARRAY_SIZE(order));
	for (size_t i = 0; i < s.count; i++) {
		ck_assert_uint_eq(s.index[i], order[i]);
		ck_assert(s.pending[i] == (order[i] == 1 || order[i] == 2));
	}
}
END_TEST

START_TEST(without_indexes_the_ring_is_shown_as_it_lies)
{
	struct riommu_queue q;
	struct seen s = {0};

	forget_register(RIOMMU_REG_FQH, RIOMMU_REG_MISSING);
	put_record(9, 13, false);
	put_record(200, 13, false);
	memory_page(mem, RING + 0x1000);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_uint_eq(s.index[0], 9);
	ck_assert(!s.pending[0] && !s.pending[1]);
}
END_TEST

START_TEST(each_page_of_the_ring_is_fetched_once)
{
	struct riommu_queue q;
	struct seen s = {0};

	set_register(RIOMMU_REG_FQH, 10);
	set_register(RIOMMU_REG_FQT, 200);
	put_record(10, 13, false);
	put_record(255, 13, false);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_uint_eq(memory_reads(mem, RING), 1);
	ck_assert_uint_eq(memory_reads(mem, RING + 0x1000), 1);
}
END_TEST

START_TEST(a_page_that_cannot_be_read_hides_only_its_own_records)
{
	struct riommu_queue q;
	struct seen s = {0};

	put_record(1, 13, false);
	memory_poison(mem, RING + 0x1000);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.skipped, 128);
	ck_assert_int_eq(s.error, -EHWPOISON);
}
END_TEST

START_TEST(a_visitor_can_end_the_visit)
{
	struct riommu_queue q;
	struct seen s = {.stop_with = 42};

	put_record(1, 13, false);
	put_record(2, 13, false);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 42);
	ck_assert_uint_eq(s.count, 1);
}
END_TEST

START_TEST(without_memory_the_ring_is_missing)
{
	struct riommu_queue q;
	struct riommu_source *memory = sys.memory;
	struct seen s = {0};

	sys.memory = NULL;
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	sys.memory = memory;
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.skipped, 256);
}
END_TEST

/* -- entries of any queue ---------------------------------------------------------------------- */

struct entries_seen {
	struct riommu_entry_visit v[16];
	size_t count;
};

static int see_entry(void *arg, const struct riommu_entry_visit *v)
{
	struct entries_seen *s = arg;

	ck_assert_uint_lt(s->count, RIOMMU_ARRAY_SIZE(s->v));
	s->v[s->count++] = *v;
	return 0;
}

/* A command queue of 8 entries at RING, between two indexes. */
static void command_queue(uint32_t head, uint32_t tail)
{
	set_register(RIOMMU_REG_CQB, (RING >> 2) | 2);
	set_register(RIOMMU_REG_CQH, head);
	set_register(RIOMMU_REG_CQT, tail);
	set_register(RIOMMU_REG_CQCSR, 0x10001);
}

START_TEST(commands_are_entries_of_two_doublewords)
{
	struct riommu_queue q;
	struct entries_seen s = {0};

	command_queue(7, 1);
	memory_put64(mem, RING + 16 * 6, 0x2, false);
	memory_put64(mem, RING + 16 * 7, 0x1, false);
	memory_put64(mem, RING + 16 * 7 + 8, 0x1234, false);
	memory_put64(mem, RING, 0x3, false);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_CQ, &q), 0);
	ck_assert_int_eq(riommu_visit_entries(&q, see_entry, &s), 0);
	ck_assert_uint_eq(s.count, 3);
	ck_assert(s.v[0].index == 6 && !s.v[0].pending && s.v[0].dw[0] == 2);
	ck_assert(s.v[1].index == 7 && s.v[1].pending && s.v[1].dw[1] == 0x1234);
	ck_assert(s.v[2].index == 0 && s.v[2].pending && s.v[2].dw[0] == 3);
	ck_assert(!s.v[1].dw[2] && !s.v[1].dw[3]);
}
END_TEST

/* Opcode 0 is reserved: the IOMMU stops at such a command, so it must be seen (4.1). */
START_TEST(a_pending_entry_that_is_zero_is_shown_and_an_unused_one_not)
{
	struct riommu_queue q;
	struct entries_seen s = {0};

	command_queue(2, 4);
	memory_page(mem, RING);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_CQ, &q), 0);
	ck_assert_int_eq(riommu_visit_entries(&q, see_entry, &s), 0);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_uint_eq(s.v[0].index, 2);
	ck_assert_uint_eq(s.v[1].index, 3);
	ck_assert(s.v[0].pending && s.v[1].pending);
}
END_TEST

START_TEST(a_pending_record_that_is_zero_is_no_fault)
{
	struct riommu_queue q;
	struct seen s = {0};

	set_register(RIOMMU_REG_FQT, 3);
	put_record(1, 13, false);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.count, 1);
	ck_assert_uint_eq(s.index[0], 1);
}
END_TEST

/* Neighbours that cannot be read are one gap where they say the same, and two where they do not. */
START_TEST(pages_of_a_ring_that_fail_differently_are_two_gaps)
{
	struct riommu_queue q;
	struct seen s = {0};

	put_record(5, 13, false);
	memory_poison(mem, RING); /* and the page behind it is not there */
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_FQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), 0);
	ck_assert_uint_eq(s.gaps, 2);
	ck_assert_uint_eq(s.skipped, 256);
	ck_assert_int_eq(s.error, -ENODATA);
}
END_TEST

START_TEST(faults_are_those_of_the_fault_queue)
{
	struct riommu_queue q;
	struct seen s = {0};

	command_queue(0, 1);
	ck_assert_int_eq(riommu_queue_open(&sys, 0, RIOMMU_CQ, &q), 0);
	ck_assert_int_eq(riommu_visit_faults(&q, see, &s), -EINVAL);
}
END_TEST

/* -- golden records (facts 12.4) --------------------------------------------------------------- */

START_TEST(golden_record_read_page_fault)
{
	static const uint64_t dw[4] = {0x000108080000000d, 0, 0x777000, 0};
	struct riommu_request q;
	struct riommu_fault f;

	riommu_fault_decode(dw, &f);
	ck_assert_uint_eq(f.cause, 13);
	ck_assert_uint_eq(f.ttyp, 2);
	ck_assert_uint_eq(f.did, 0x108);
	ck_assert(!f.pv && !f.priv);
	ck_assert(riommu_fault_present(dw));
	ck_assert(riommu_fault_request(&f, &q));
	ck_assert_uint_eq(q.device_id, 0x108);
	ck_assert(!q.has_process_id);
	ck_assert_int_eq(q.type, RIOMMU_UNTRANSLATED);
	ck_assert_int_eq(q.access, RIOMMU_READ);
	ck_assert_uint_eq(q.iova, 0x777000);
}
END_TEST

START_TEST(golden_record_of_a_process)
{
	static const uint64_t dw[4] = {0x0001080d00005102, 0x89abcdef01234567, 1, 2};
	struct riommu_request q;
	struct riommu_fault f;

	riommu_fault_decode(dw, &f);
	ck_assert_uint_eq(f.cause, 258);
	ck_assert_uint_eq(f.ttyp, 3);
	ck_assert(f.pv && !f.priv);
	ck_assert_uint_eq(f.pid, 5);
	ck_assert_uint_eq(f.custom, 0x01234567);
	ck_assert_uint_eq(f.reserved, 0x89abcdef);
	ck_assert_uint_eq(f.iotval2, 2);
	ck_assert(riommu_fault_request(&f, &q));
	ck_assert(q.has_process_id && !q.privileged);
	ck_assert_uint_eq(q.process_id, 5);
	ck_assert_int_eq(q.access, RIOMMU_WRITE);
	f.priv = true;
	ck_assert(riommu_fault_request(&f, &q));
	ck_assert(q.has_process_id && q.privileged);
	f.pv = false; /* then PRIV means nothing */
	ck_assert(riommu_fault_request(&f, &q));
	ck_assert(!q.has_process_id && !q.privileged);
}
END_TEST

START_TEST(records_that_are_no_requests_give_none)
{
	static const uint8_t ttyps[] = {0, 4, 9, 10, 31, 63};
	struct riommu_request q;

	for (size_t i = 0; i < sizeof(ttyps); i++) {
		struct riommu_fault f = {.cause = 260, .ttyp = ttyps[i]};

		ck_assert(!riommu_fault_request(&f, &q));
	}
}
END_TEST

START_TEST(the_cause_of_an_ats_record_says_the_access)
{
	static const struct {
		uint16_t cause;
		enum riommu_access access;
	} cases[] = {{1, RIOMMU_EXEC}, {7, RIOMMU_WRITE}, {5, RIOMMU_READ}, {258, RIOMMU_READ}};
	struct riommu_request q;

	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(cases); i++) {
		struct riommu_fault f = {.cause = cases[i].cause, .ttyp = RIOMMU_TTYP_ATS};

		ck_assert(riommu_fault_request(&f, &q));
		ck_assert_int_eq(q.type, RIOMMU_ATS);
		ck_assert_int_eq(q.access, cases[i].access);
	}
}
END_TEST

START_TEST(a_cause_that_tells_the_access_says_it)
{
	for (unsigned cause = 0; cause < 4096; cause++) {
		enum riommu_access said = riommu_cause_access(cause, RIOMMU_READ);
		bool write = cause == 6 || cause == 7 || cause == 15 || cause == 23;
		bool exec = cause == 1 || cause == 12 || cause == 20;

		ck_assert_int_eq(said, write ? RIOMMU_WRITE : exec ? RIOMMU_EXEC : RIOMMU_READ);
		ck_assert_int_eq(riommu_cause_has_gpa(cause),
				 cause >= 20 && cause <= 23 && cause != 22);
	}
}
END_TEST

START_TEST(process_and_privilege_mean_nothing_without_pv)
{
	struct riommu_fault f = {
		.cause = 13, .ttyp = RIOMMU_TTYP_UNTRANSLATED_READ, .pid = 7, .priv = true};
	struct riommu_request q;

	ck_assert(riommu_fault_request(&f, &q));
	ck_assert(!q.has_process_id && !q.privileged);
	ck_assert_uint_eq(q.process_id, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue");
	TCase *tc = tcase_create("queue");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_queue_is_what_its_registers_say);
	tcase_add_test(tc, a_missing_register_is_missing_and_a_refused_one_refused);
	tcase_add_test(tc, there_is_no_page_request_queue_without_ats);
	tcase_add_test(tc, an_unknown_index_leaves_the_ring);
	tcase_add_test(tc, an_index_past_the_end_is_masked_and_told);
	tcase_add_test(tc, a_lying_size_is_cut_to_four_gibibytes);
	tcase_add_test(tc, a_base_past_the_address_space_is_told);
	tcase_add_test(tc, a_queue_that_no_iommu_has_is_refused);
	tcase_add_test(tc, a_misaligned_base_is_told);
	tcase_add_loop_test(tc, entries_are_read_in_the_order_of_fctl_be, 0, 2);
	tcase_add_test(tc, records_come_oldest_first);
	tcase_add_test(tc, without_indexes_the_ring_is_shown_as_it_lies);
	tcase_add_test(tc, each_page_of_the_ring_is_fetched_once);
	tcase_add_test(tc, a_page_that_cannot_be_read_hides_only_its_own_records);
	tcase_add_test(tc, a_visitor_can_end_the_visit);
	tcase_add_test(tc, without_memory_the_ring_is_missing);
	tcase_add_test(tc, commands_are_entries_of_two_doublewords);
	tcase_add_test(tc, a_pending_entry_that_is_zero_is_shown_and_an_unused_one_not);
	tcase_add_test(tc, a_pending_record_that_is_zero_is_no_fault);
	tcase_add_test(tc, pages_of_a_ring_that_fail_differently_are_two_gaps);
	tcase_add_test(tc, faults_are_those_of_the_fault_queue);
	tcase_add_test(tc, golden_record_read_page_fault);
	tcase_add_test(tc, golden_record_of_a_process);
	tcase_add_test(tc, records_that_are_no_requests_give_none);
	tcase_add_test(tc, the_cause_of_an_ats_record_says_the_access);
	tcase_add_test(tc, a_cause_that_tells_the_access_says_it);
	tcase_add_test(tc, process_and_privilege_mean_nothing_without_pv);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
