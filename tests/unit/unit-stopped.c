/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is gone through ends where it was told to, and no page that fails is passed over. Of a machine that has something of
 * everything, each operation of the library is made again and again:
 *   - the N-th thing that it tells makes its caller say "enough", for each N: that is what it returns, and it tells no more;
 *   - each page of memory that it read fails, at once or when it is read again: that is told, or the result is the same;
 *   - each of them can be read, but not lent: the result is the same;
 *   - each allocation fails: that is what it returns or tells, or only words were to be kept and the result is the same.
 */
#include "api/api-internal.h"
#include "capture/capture.h"
#include "capture/compare.h"
#include "check/check.h"
#include "failing.h"
#include "files.h"
#include "queue/queue.h"
#include "runner.h"
#include "tables.h"
#include "walk/mappings.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#define ENOUGH (-ECANCELED) /* nothing here has this by itself */

#define DATA   0x100000000u
#define ABSENT 0x8f000000u
#define CQ     0x81000000u
#define FQ     0x81010000u
#define ON     0x10001u /* on, en */

static struct side {
	struct machine machine;
	struct riommu_iommu iommus[2]; /* both have the same directory */
	struct riommu_device devices[4];
	struct riommu_region regions[3];
	struct riommu_system sys;
	const struct riommu_source_ops *ops; /* of its memory, which hooked_ops stand before */
} side[2];

static struct riommu_source_ops hooked_ops;

/* -- a page that fails -------------------------------------------------------------------------------------------- */

static struct {
	uint64_t page;
	unsigned from; /* which of its readings is the first that fails; 0: none does */
	int error;
	unsigned seen;
	bool lent; /* only map() fails */
} bad;

static uint64_t pages[256]; /* that were read */
static size_t page_count;

static void see_page(uint64_t page)
{
	for (size_t i = 0; i < page_count; i++)
		if (pages[i] == page)
			return;
	ck_assert_uint_lt(page_count, RIOMMU_ARRAY_SIZE(pages));
	pages[page_count++] = page;
}

static bool is_bad(uint64_t pa)
{
	return bad.from && (pa & ~RIOMMU_PAGE_MASK) == bad.page && bad.seen >= bad.from;
}

static int hooked_map(struct riommu_source *src, uint64_t pa, const uint8_t **data)
{
	see_page(pa & ~RIOMMU_PAGE_MASK);
	bad.seen += (pa & ~RIOMMU_PAGE_MASK) == bad.page;
	return is_bad(pa) ? bad.error : side[0].ops->map(src, pa, data);
}

static int hooked_read(struct riommu_source *src, uint64_t pa, void *buf, size_t len)
{
	return is_bad(pa) && !bad.lent ? bad.error : side[0].ops->read(src, pa, buf, len);
}

/* -- the machine -------------------------------------------------------------------------------------------------- */

static void put_dc(uint32_t device_id)
{
	for (unsigned i = 0; i < RIOMMU_DC_DWORDS; i++)
		memory_put64(m.memory, ROOT + 64 * (uint64_t)device_id + 8 * (uint64_t)i, m.dw[i],
			     false);
	memset(m.dw, 0, sizeof(m.dw));
	m.dw[RIOMMU_DC_TC] = RIOMMU_TC_V;
}

/*
 * What differs in the new machine is a bit of what its leaves permit. It also has pages of tables that are not there, which the
 * old one has not.
 */
static uint64_t leaf(uint64_t pa, bool new)
{
	return new ? LEAF(pa) & ~(uint64_t)RIOMMU_PTE_W : LEAF(pa);
}

static void make_host(bool new)
{
	struct stage s = first_stage(RIOMMU_FSC_SV39);

	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_EN_ATS;
	map(&s, 0x1000, 0, leaf(DATA, new));
	map(&s, 0x3000, 0, leaf(DATA + 0x1000, new));
	map(&s, 0x400000, 1, leaf(DATA + 0x200000, new));
	map(&s, 0x600000, 1, LEAF(DATA + 0x1000)); /* misaligned */
	if (new) {
		map(&s, 0x40000000, 2, POINTER(ABSENT));
		map(&s, 0x80000000, 2, POINTER(s.root));
	}
	put_dc(5);
}

static void make_guest(bool new)
{
	struct stage second = second_stage(RIOMMU_HGATP_SV39X4), first;
	uint64_t msi, fsc, pc;

	guest_memory(&second);
	map(&second, 0x200000000, 1, leaf(DATA + 0x400000, new));
	msi = msi_table(0x28000000);
	if (new)
		m.dw[RIOMMU_DC_MSI_ADDR_MASK] = 0x3ff; /* four pages, of which one is there */
	put_msi_pte(msi, PTE(0x24000000) | 7, 0);
	put_msi_pte(msi + 32, DATA >> 2 | 3, PTE(0x24001000) | (new ? 5 : 6));
	put_msi_pte(msi + 64, 2, 0);                             /* V=0 */
	put_msi_pte(msi + 80, PTE(0x24000000) | 7 | BIT(60), 0); /* reserved */
	first = process_stage(RIOMMU_FSC_SV39, &fsc);
	map(&first, 0x1000, 0, LEAF(0x200000000) & ~(uint64_t)(new ? RIOMMU_PTE_X : 0));
	map(&first, 0x3000, 0, LEAF(0x300000000)); /* no second-stage leaf */
	pc = process_context(RIOMMU_PDTP_PD17, 3, RIOMMU_PC_V, fsc);
	put_sbe(pc + 16, RIOMMU_PC_V | BIT(20) * new);
	put_sbe(pc + 24, fsc);
	put_dc(6);
}

static void make_processes(bool new)
{
	uint64_t fsc, pc;
	struct stage s = process_stage(RIOMMU_FSC_SV48, &fsc);

	map(&s, 0x1000, 0, leaf(DATA + 0x10000, new));
	pc = process_context(RIOMMU_PDTP_PD17, 0, RIOMMU_PC_V | 2 << 12, fsc);
	put_sbe(pc + 32, RIOMMU_PC_V);
	put_sbe(pc + 40, MODE(15));
	m.dw[RIOMMU_DC_TC] |= RIOMMU_TC_DPE;
	if (new) {
		put_sbe((m.dw[RIOMMU_DC_FSC] << RIOMMU_PAGE_SHIFT) + 8, POINTER(ABSENT));
		put_sbe((m.dw[RIOMMU_DC_FSC] << RIOMMU_PAGE_SHIFT) + 16, POINTER(ABSENT) | BIT(5));
	}
	put_dc(7);
}

/* A directory of two levels: contexts, a page that is not there, an entry with a reserved bit. */
static void make_contexts(bool new)
{
	uint64_t root = new_pages(1);

	memory_put64(m.memory, root, POINTER(ROOT), false);
	if (new) {
		memory_put64(m.memory, root + 8, POINTER(ABSENT), false);
		memory_put64(m.memory, root + 16, POINTER(ABSENT) | BIT(5), false);
	}
	m.w.ddtp = PTE(root) | RIOMMU_DDTP_2LVL;
	make_host(new);
	make_guest(new);
	make_processes(new);
	m.dw[RIOMMU_DC_TC] |= BIT(40); /* reserved */
	put_dc(8);
	if (new)
		put_dc(9); /* nothing translates its requests */
}

static void set(struct riommu_iommu *iommu, uint32_t offset, uint64_t value)
{
	int i = riommu_reg_by_offset(offset);

	ck_assert_int_ge(i, 0);
	iommu->value[i] = value;
	iommu->state[i] = RIOMMU_REG_KNOWN;
}

static void make_registers(struct riommu_iommu *iommu, bool new)
{
	iommu->base = 0x3010000;
	strcpy(iommu->name, "test");
	set(iommu, RIOMMU_REG_CAPABILITIES, m.w.capabilities);
	set(iommu, RIOMMU_REG_FCTL, 0);
	set(iommu, RIOMMU_REG_DDTP, m.w.ddtp);
	set(iommu, RIOMMU_REG_CQB, PTE(CQ) | 7); /* 256 commands, one page */
	set(iommu, RIOMMU_REG_CQH, 2);
	set(iommu, RIOMMU_REG_CQT, 3);
	set(iommu, RIOMMU_REG_CQCSR, ON);
	set(iommu, RIOMMU_REG_FQB, PTE(FQ) | 7); /* 256 records, two pages */
	set(iommu, RIOMMU_REG_FQH, 0);
	set(iommu, RIOMMU_REG_FQT, new ? 3 : 1);
	set(iommu, RIOMMU_REG_FQCSR, ON);
}

static void make_queues(bool new)
{
	memory_page(m.memory, FQ + PAGE);
	for (unsigned i = 0; i < 3; i++)
		memory_put64(m.memory, CQ + 16 * i, 3 | i << 7, false);
	for (unsigned i = 0; i < (new ? 3 : 1); i++)
		memory_put64(m.memory, FQ + 32 * i, 13 | (uint64_t)2 << 34 | (uint64_t)5 << 40,
			     false);
	memory_put64(m.memory, FQ + PAGE + 32, 13 | (uint64_t)2 << 34 | (uint64_t)6 << 40, false);
}

static void make_system(struct side *s, bool new)
{
	static const char *const names[] = {"System RAM", "Kernel code", "System RAM"};

	for (uint32_t i = 0; i < 4; i++) {
		s->devices[i].device_id = 5 + i + (new &&i == 3);
		snprintf(s->devices[i].name, sizeof(s->devices[i].name), "0000:00:%02x.0", 5 + i);
		snprintf(s->devices[i].driver, sizeof(s->devices[i].driver), "%s",
			 new ? "vfio-pci" : "edu");
	}
	for (unsigned i = 0; i < 3; i++) {
		s->regions[i].start = 0x80000000u + i * 0x10000000u;
		s->regions[i].end = s->regions[i].start + 0xffffff + (new &&i == 1);
		snprintf(s->regions[i].name, sizeof(s->regions[i].name), "%s", names[i]);
	}
	s->sys = (struct riommu_system){.ctx = m.ctx,
					.memory = m.w.memory,
					.iommus = s->iommus,
					.iommu_count = 2,
					.devices = s->devices,
					.device_count = 4,
					.regions = s->regions,
					.region_count = 3};
}

static void make_side(bool new)
{
	struct side *s = &side[new];

	memset(s, 0, sizeof(*s));
	machine_setup();
	make_contexts(new);
	make_queues(new);
	for (unsigned i = 0; i < 2; i++)
		make_registers(&s->iommus[i], new);
	s->iommus[1].base += 0x1000;
	make_system(s, new);
	s->ops = m.w.memory->ops;
	hooked_ops = *s->ops;
	hooked_ops.map = hooked_map;
	hooked_ops.read = hooked_read;
	m.w.memory->ops = &hooked_ops;
	s->machine = m;
}

static void setup(void)
{
	files_begin();
	make_side(false);
	make_side(true);
}

static void teardown(void)
{
	for (unsigned i = 0; i < 2; i++) {
		m = side[i].machine;
		m.w.memory->ops = side[i].ops;
		machine_teardown();
	}
	files_end();
}

/* -- what is told ------------------------------------------------------------------------------------------------- */

static unsigned calls, last_call; /* the LAST_CALL-th says "enough"; 0: none does */
static uint64_t digest;
static bool told; /* of the page that failed */

static void take(uint64_t number)
{
	digest = (digest ^ number) * 0x100000001b3;
}

static int called(int error, uint64_t what, uint64_t more)
{
	take(what);
	take(more);
	take((uint64_t)error);
	told |= bad.from && error == bad.error && !bad.lent;
	return ++calls == last_call ? ENOUGH : 0;
}

static int on_dc(void *arg, const struct riommu_dc_visit *v)
{
	(void)arg;
	return called(v->error, v->first_id, v->dc ? v->dc->dw[RIOMMU_DC_FSC] : 0);
}

static int on_pc(void *arg, const struct riommu_pc_visit *v)
{
	(void)arg;
	return called(v->error, v->first_id, v->pc ? v->pc->fsc : 0);
}

static int on_space(void *arg, const struct riommu_space_visit *v)
{
	(void)arg;
	return called(v->error, v->first_id, v->space ? v->space->kind : 99);
}

static int on_mappings(void *arg, const struct riommu_mapping *ranges, size_t count)
{
	int err = 0;

	(void)arg;
	for (size_t i = 0; i < count && !err; i++) {
		take(ranges[i].kind);
		err = called(ranges[i].error, ranges[i].iova, ranges[i].pa);
	}
	return err;
}

static int on_reached(void *arg, const struct riommu_reached *r)
{
	(void)arg;
	take(r->ref_count);
	return called(r->mapping->error, r->mapping->iova, r->mapping->pa);
}

static int on_msi(void *arg, const struct riommu_msi_entry *e)
{
	(void)arg;
	return called(e->error, e->index, e->pa);
}

static int on_page(void *arg, const struct riommu_page_visit *v)
{
	(void)arg;
	return called(v->error, v->page, v->level);
}

static int on_entry(void *arg, const struct riommu_entry_visit *v)
{
	(void)arg;
	return called(v->error, v->index, v->dw[0]);
}

static int on_fault(void *arg, const struct riommu_fault_visit *v)
{
	(void)arg;
	return called(v->error, v->index, v->dw[0]);
}

static int on_range(void *arg, const struct riommu_range *range)
{
	(void)arg;
	return called(riommu_range_error(range), riommu_range_iova(range), riommu_range_pa(range));
}

static int on_record(void *arg, const struct riommu_fault_record *record)
{
	(void)arg;
	return called(0, riommu_fault_record_cause(record), 0);
}

static int on_devices(void *arg, const struct riommu_device *const device[2])
{
	(void)arg;
	return called(0, device[0] ? device[0]->device_id : 99, !device[1]);
}

static int on_regions(void *arg, const struct riommu_region *const region[2])
{
	(void)arg;
	return called(0, region[0] ? region[0]->start : 99, !region[1]);
}

static int on_register(void *arg, const struct riommu_reg_change *change)
{
	(void)arg;
	return called(0, change->index, change->differing);
}

static int on_context(void *arg, const struct riommu_context_change *change)
{
	(void)arg;
	return called(change->error, change->device_id, change->process_id);
}

static int on_change(void *arg, const struct riommu_mapping_change *change)
{
	(void)arg;
	return called(change->error, change->iova, change->last);
}

/* -- operations ----------------------------------------------------------------------------------------------------- */

#define DEVICES 5 /* 5 to 9 */

/* Does WHAT for the context of each device of the new machine. */
static int each_device(int (*what)(const struct riommu_walker *w, const struct riommu_dc *dc))
{
	const struct riommu_walker *w = &side[1].machine.w;
	struct riommu_translation t;
	struct riommu_dc dc;
	int err = 0;

	for (uint32_t id = 5; id < 5 + DEVICES && !err; id++) {
		if (riommu_locate_dc(w, id, &dc, &t, NULL) == RIOMMU_OK)
			err = what(w, &dc);
		else
			err = t.error ? t.error : -EFAULT;
	}
	return err;
}

static int contexts(void)
{
	return riommu_visit_dcs(&side[1].machine.w, on_dc, NULL);
}

static int processes_of(const struct riommu_walker *w, const struct riommu_dc *dc)
{
	return dc->dw[RIOMMU_DC_TC] & RIOMMU_TC_PDTV ? riommu_visit_pcs(w, dc, on_pc, NULL) : 0;
}

static int processes(void)
{
	return each_device(processes_of);
}

static int spaces_of(const struct riommu_walker *w, const struct riommu_dc *dc)
{
	return riommu_visit_spaces(w, dc, on_space, NULL);
}

static int spaces(void)
{
	return each_device(spaces_of);
}

static struct riommu_space kept[32];
static size_t kept_count;

static int keep_space(void *arg, const struct riommu_space_visit *v)
{
	(void)arg;
	told |= bad.from && v->error == bad.error;
	if (v->space)
		kept[kept_count++] = *v->space;
	return 0;
}

static int list(bool second_stage_only)
{
	const struct riommu_mapping_args args = {.second_stage_only = second_stage_only,
						 .last = UINT64_MAX};
	const struct riommu_walker *w = &side[1].machine.w;
	int err = 0;

	for (size_t i = 0; i < kept_count && !err; i++) {
		err = riommu_visit_mappings(w, &kept[i], &args, on_mappings, NULL, NULL);
		if (err == -EINVAL && second_stage_only)
			err = 0; /* it has none */
	}
	return err;
}

static int mappings_of(const struct riommu_walker *w, const struct riommu_dc *dc)
{
	int err;

	kept_count = 0;
	err = riommu_visit_spaces(w, dc, keep_space, NULL);
	if (!err)
		err = list(false);
	return err ? err : list(true);
}

static int mappings(void)
{
	return each_device(mappings_of);
}

static int reached(void)
{
	return riommu_visit_reached(&side[1].machine.w, 0, UINT64_MAX, on_reached, NULL, NULL);
}

static int reachable(void)
{
	return riommu_visit_reachable(&side[1].machine.w, 0, UINT64_MAX, on_reached, NULL, NULL);
}

/* With another value of a parameter; what it was by itself is set again. */
static int reached_with(const char *key, const char *value, const char *otherwise)
{
	struct riommu_ctx *ctx = side[1].machine.ctx;
	int err = riommu_option_set(ctx, key, value), again;

	if (err)
		return err;
	err = reached();
	again = riommu_option_set(ctx, key, otherwise);
	return err ? err : again;
}

/* One after the other: what is gathered is looked at before there is more. */
static int reached_by_turns(void)
{
	return reached_with("spaces", "1", "262144");
}

/* Past the bound the next device is looked at; the end says that not all was. */
static int reached_past_the_bound(void)
{
	int err = reached_with("max-pages", "2", "1048576");

	return err == -EOVERFLOW ? 0 : err;
}

static int msi_of(const struct riommu_walker *w, const struct riommu_dc *dc)
{
	int err = riommu_visit_msi(w, dc, on_msi, NULL);

	return err == -ENODATA ? 0 : err; /* it has none */
}

static int msi_tables(void)
{
	return each_device(msi_of);
}

static int table_pages(void)
{
	int err = riommu_visit_pages(&side[1].machine.w, RIOMMU_PAGES_OF_GUESTS, on_page, NULL);

	return err ? err : riommu_visit_pages(&side[1].machine.w, 0, on_page, NULL);
}

/* Within an operation Check is not called: it needs memory, which may be what fails. */
static void must(bool holds)
{
	if (!holds)
		abort();
}

static void open_queue(enum riommu_queue_kind kind, unsigned of, struct riommu_queue *queue)
{
	must(!riommu_queue_open(&side[of].sys, 0, kind, queue));
}

static int entries(void)
{
	struct riommu_queue queue;
	int err;

	open_queue(RIOMMU_CQ, 1, &queue);
	err = riommu_visit_entries(&queue, on_entry, NULL);
	open_queue(RIOMMU_FQ, 1, &queue);
	return err ? err : riommu_visit_entries(&queue, on_entry, NULL);
}

static int faults(void)
{
	struct riommu_queue queue;

	open_queue(RIOMMU_FQ, 1, &queue);
	return riommu_visit_faults(&queue, on_fault, NULL);
}

static int api_devices(void)
{
	int err = 0;

	for (uint32_t id = 5; id < 5 + DEVICES && !err; id++)
		err = riommu_visit_device(&side[1].sys, 0, id, on_range, NULL);
	return err;
}

static int who_maps(void)
{
	return riommu_visit_who_maps(&side[1].sys, 0, 0, UINT64_MAX, on_range, NULL);
}

static int fault_records(void)
{
	return riommu_visit_fault_records(&side[1].sys, 0, on_record, NULL);
}

static const struct riommu_system *const both[2] = {&side[0].sys, &side[1].sys};

static int compared_devices(void)
{
	return riommu_compare_devices(both, &(struct riommu_iommu_pair){{0, 0}}, on_devices, NULL);
}

static int compared_regions(void)
{
	return riommu_compare_regions(both, on_regions, NULL);
}

static int compared_registers(void)
{
	const struct riommu_iommu *const iommus[2] = {&side[0].iommus[0], &side[1].iommus[0]};

	return riommu_compare_registers(iommus, on_register, NULL);
}

static int with_comparison(int (*what)(const struct riommu_comparison *c))
{
	const struct riommu_walker w[2] = {side[0].machine.w, side[1].machine.w};
	struct riommu_comparison *c = NULL;
	int err = riommu_comparison_open(w, &c);

	if (!err)
		err = what(c);
	riommu_comparison_close(c);
	return err;
}

static int contexts_of(const struct riommu_comparison *c)
{
	return riommu_compare_contexts(c, on_context, NULL);
}

/* What is behind a context that cannot be read is no change of mappings: it was told of the contexts. */
static int changes_of(const struct riommu_comparison *c)
{
	int err = contexts_of(c);

	return err ? err : riommu_compare_mappings(c, on_change, NULL);
}

static int compared_contexts(void)
{
	return with_comparison(contexts_of);
}

static int compared_mappings(void)
{
	return with_comparison(changes_of);
}

static int compared_faults(void)
{
	struct riommu_queue queue[2];
	struct riommu_ring_change ring;
	int err;

	for (unsigned i = 0; i < 2; i++)
		open_queue(RIOMMU_FQ, i, &queue[i]);
	err = riommu_compare_faults(queue, on_fault, NULL, &ring);
	take(ring.added);
	told |= ring.state == RIOMMU_RING_UNKNOWN;
	return err;
}

/* -- what ends by its own: nothing that it tells can stop it ----------------------------------------------------------- */

static void on_finding(void *arg, const struct riommu_finding *finding)
{
	(void)arg;
	take((uint64_t)finding->rule->severity);
	take(finding->address);
	take(finding->count);
	told |= bad.error == -EHWPOISON && !strcmp(finding->rule->id, "memory-corrupt");
}

static void on_outcome(void *arg, const struct riommu_rule_outcome *outcome)
{
	(void)arg;
	take((uint64_t)outcome->verdict);
	told |= outcome->error == (bad.from ? bad.error : -ENOMEM) && outcome->reason;
}

static int checked(void)
{
	const struct riommu_check_args args = {.finding = on_finding, .outcome = on_outcome};

	return riommu_check(&side[0].sys, 0, &args); /* all can be read: what cannot is news */
}

static bool on_progress(void *arg, uint64_t found, uint64_t written)
{
	(void)arg, (void)found, (void)written;
	return true;
}

/* True if the capture has the page that failed. */
static bool has_bad_page(void)
{
	struct riommu_source *capture;
	uint64_t first;
	int err = riommu_source_open(m.ctx, riommu_source_by_name("core"), below("new"), &capture);

	must(!err);
	err = riommu_source_read(capture, bad.page, &first, sizeof(first));
	riommu_source_close(capture);
	return !err;
}

static unsigned files_below(void)
{
	DIR *dir = opendir(below(""));
	unsigned files = 0;

	must(dir);
	for (const struct dirent *e; (e = readdir(dir));)
		files += e->d_name[0] != '.';
	closedir(dir);
	return files;
}

/* A page that could not be read, then or any more, is counted, and is none of zeros. */
static int saved(void)
{
	struct riommu_capture_report report;
	int err = riommu_capture_save(&side[1].sys, below("new"), true, "1", on_progress, NULL,
				      &report);

	take(report.pages);
	take(report.missing);
	must(files_below() == (err ? 0 : 1));
	if (!err && bad.from)
		told |= report.missing && !has_bad_page();
	unlink(below("new"));
	return err;
}

static const struct operation {
	const char *name;
	int (*run)(void);
	unsigned least; /* so many things it tells: else this shows nothing */
} operations[] = {
	{"contexts", contexts, 6},
	{"processes", processes, 4},
	{"spaces", spaces, 6},
	{"mappings", mappings, 15},
	{"reached", reached, 8},
	{"reachable", reachable, 8},
	{"reached, by turns", reached_by_turns, 8},
	{"reached, past the bound", reached_past_the_bound, 4},
	{"MSI tables", msi_tables, 5},
	{"pages of tables", table_pages, 20},
	{"entries", entries, 6},
	{"faults", faults, 4},
	{"devices, by the public interface", api_devices, 15},
	{"who maps", who_maps, 8},
	{"fault records", fault_records, 4},
	{"devices compared", compared_devices, 4},
	{"regions compared", compared_regions, 2},
	{"registers compared", compared_registers, 1},
	{"contexts compared", compared_contexts, 4},
	{"mappings compared", compared_mappings, 8},
	{"faults compared", compared_faults, 2},
	{"check", checked, 0},
	{"a capture", saved, 0},
};

/* What it returns; CALLS, DIGEST and TOLD are as it left them. */
static int run(const struct operation *o)
{
	calls = 0;
	digest = 0xcbf29ce484222325;
	told = false;
	bad.seen = 0;
	for (unsigned i = 0; i < 2; i++)
		riommu_source_forget(side[i].machine.w.memory);
	return o->run();
}

START_TEST(what_was_told_to_end_ends_there)
{
	const struct operation *o = &operations[_i];
	unsigned all;

	last_call = 0;
	ck_assert_msg(!run(o), "%s: undisturbed", o->name);
	all = calls;
	ck_assert_msg(all >= o->least, "%s: it tells only %u things", o->name, all);
	for (last_call = 1; last_call <= all; last_call++) {
		int err = run(o);

		ck_assert_msg(err == ENOUGH, "%s: the end at number %u becomes %d", o->name,
			      last_call, err);
		ck_assert_msg(calls == last_call, "%s: after number %u it tells %u more", o->name,
			      last_call, calls - last_call);
	}
	last_call = 0;
}
END_TEST

static void page_fails(const struct operation *o, uint64_t wanted)
{
	int err = run(o);

	/* no error of the call: a fault of the requests that are asked for */
	if (o->run == api_devices && bad.error == -EHWPOISON)
		return;
	if (bad.seen >= bad.from)
		ck_assert_msg(err || told || digest == wanted,
			      "%s: the page at 0x%llx fails with %d (reading %u), no word of it",
			      o->name, (unsigned long long)bad.page, bad.error, bad.from);
	else
		ck_assert_msg(!err && digest == wanted, "%s: another result", o->name);
}

static const int errors[] = {-EIO, -ENOMEM, -ENODATA, -EACCES, -EHWPOISON, -EOVERFLOW, -EINTR};

START_TEST(no_page_that_fails_is_passed_over)
{
	const struct operation *o = &operations[_i];
	uint64_t wanted;

	page_count = 0;
	ck_assert_int_eq(run(o), 0);
	wanted = digest;
	for (size_t page = 0; page < page_count; page++)
		for (size_t e = 0; e < RIOMMU_ARRAY_SIZE(errors); e++)
			for (unsigned from = 1; from <= 2; from++) {
				bad.page = pages[page];
				bad.error = errors[e];
				bad.from = from;
				page_fails(o, wanted);
				bad.from = 0;
			}
}
END_TEST

START_TEST(a_page_that_is_held_in_part_is_read_all_the_same)
{
	const struct operation *o = &operations[_i];
	uint64_t wanted;

	page_count = 0;
	ck_assert_int_eq(run(o), 0);
	wanted = digest;
	bad.lent = true;
	bad.error = -ENODATA;
	bad.from = 1;
	for (size_t page = 0; page < page_count; page++) {
		bad.page = pages[page];
		ck_assert_int_eq(run(o), 0);
		ck_assert_msg(digest == wanted, "%s: another result by the page at 0x%llx", o->name,
			      (unsigned long long)bad.page);
	}
}
END_TEST

START_TEST(no_allocation_that_fails_is_passed_over)
{
	const struct operation *o = &operations[_i];
	const char *name = "-";
	uint64_t wanted;

	ck_assert_int_eq(run(o), 0);
	wanted = digest;
	for (unsigned n = 1; *name; n++) {
		int err;

		failing_begin(FAILING_MEMORY, n);
		err = run(o);
		if (failing_end(&name))
			ck_assert_msg(err == -ENOMEM || (!err && (told || digest == wanted)),
				      "%s: %s number %u fails, and it returns %d", o->name, name, n,
				      err);
		else
			ck_assert_msg(!err && digest == wanted, "%s: another result", o->name);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stopped");
	TCase *tc = tcase_create("stopped");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, what_was_told_to_end_ends_there, 0, RIOMMU_ARRAY_SIZE(operations));
	tcase_add_loop_test(tc, no_page_that_fails_is_passed_over, 0,
			    RIOMMU_ARRAY_SIZE(operations));
	tcase_add_loop_test(tc, a_page_that_is_held_in_part_is_read_all_the_same, 0,
			    RIOMMU_ARRAY_SIZE(operations));
	tcase_add_loop_test(tc, no_allocation_that_fails_is_passed_over, 0,
			    RIOMMU_ARRAY_SIZE(operations));
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
