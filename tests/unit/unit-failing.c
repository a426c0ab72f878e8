/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a call of the library does when memory or the system fails it: each allocation, and each call that opens, reads, writes or
 * maps, fails in turn, one in a run. What holds then, whatever it was: the call says so (an error, a warning, an object that
 * could not be read), or what it gives is what it gives otherwise. Never a result that is another, in silence. No file stays
 * open. What is interrupted (EINTR) is done again.
 */
#include "images.h" /* before <elf.h>, which has an AT_FLAGS, too */

#include "capture/capture.h"
#include "capture/compare.h"
#include "check/check.h"
#include "control/quiesce.h"
#include "failing.h"
#include "files.h"
#include "queue/recording.h"
#include "queue/stats.h"
#include "runner.h"
#include "simulated.h"
#include "walk/mappings.h"

#include <dirent.h>
#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <unistd.h>

#define MS ((uint64_t)1000000)

static struct riommu_ctx *ctx;
static uint64_t digest; /* of all that a scenario gave */
static bool told;       /* something was said about what went wrong */
static char demo[512], path[512];

/* -- what a scenario gives ------------------------------------------------------------------------------------ */

static void take(uint64_t number)
{
	digest = (digest ^ number) * 0x100000001b3;
}

static void take_bytes(const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		take(((const uint8_t *)bytes)[i]);
}

static void take_text(const char *text)
{
	take_bytes(text, strlen(text));
}

/* ERR is what an object of the answer has to say of itself: only what was made to fail here is news. */
static void take_error(int err)
{
	take((uint64_t)err);
	told |= err == -EIO || err == -ENOMEM;
}

static void on_log(void *arg, enum riommu_log_level level, const char *message)
{
	(void)arg, (void)message;
	told |= level <= RIOMMU_LOG_WARNING;
}

/* -- each call in turn ---------------------------------------------------------------------------------------- */

struct scenario {
	void (*before)(void); /* what does not fail; NULL: nothing */
	int (*run)(void);
	void (*after)(int err); /* NULL: nothing */
	bool kept;              /* what one run leaves changes the next: it begins anew */
};

static unsigned open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned count = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Runs it with the N-th call failing. The name of the call, NULL when there is none any more. */
static const char *run_with(const struct scenario *s, enum failing_kind kind, unsigned n, int *err)
{
	unsigned files = open_files();
	const char *name;
	bool hit;

	digest = 0xcbf29ce484222325;
	told = false;
	if (s->before)
		s->before();
	failing_begin(kind, n);
	*err = s->run();
	hit = failing_end(&name);
	if (s->after)
		s->after(*err);
	ck_assert_msg(open_files() == files, "%s number %u: a file stays open", name, n);
	return hit ? name : NULL;
}

/* At least LEAST calls of this kind are made: else this shows nothing. */
static void each_fails(const struct scenario *s, enum failing_kind kind, unsigned least)
{
	const char *name;
	uint64_t wanted;
	unsigned n = 1;
	int err;

	run_with(s, kind, 0, &err);
	ck_assert_msg(!err, "undisturbed: %s", strerror(-err));
	wanted = digest;
	run_with(s, kind, 0, &err);
	ck_assert_msg(digest == wanted, "two undisturbed runs differ");
	for (; (name = run_with(s, kind, n, &err)); n++) {
		ck_assert_msg(err <= 0, "%s number %u: %d", name, n, err);
		if (kind == FAILING_INTERRUPTED)
			ck_assert_msg(!err && digest == wanted, "%s number %u, interrupted: %s",
				      name, n, strerror(-err));
		else
			ck_assert_msg(err || told || digest == wanted,
				      "%s number %u: another result, and no word of it", name, n);
	}
	ck_assert_msg(n > least, "only %u calls", n - 1);
}

static void each_call_fails(const struct scenario *s, unsigned allocations, unsigned calls)
{
	each_fails(s, FAILING_MEMORY, allocations);
	each_fails(s, FAILING_FILES, calls);
	each_fails(s, FAILING_INTERRUPTED, 0);
}

/* -- a system ------------------------------------------------------------------------------------------------- */

static int open_file(const char *file, struct riommu_system **sys)
{
	const struct riommu_open_args args = {.input = file};

	return riommu_system_open(ctx, &args, sys);
}

static void take_system(const struct riommu_system *sys)
{
	take_text(sys->model);
	take_text(sys->kernel);
	told |= (sys->memory_error && sys->memory_reason[0]) ||
		(sys->registers_error && sys->registers_reason[0]);
	for (size_t i = 0; i < sys->iommu_count; i++) {
		const struct riommu_iommu *u = &sys->iommus[i];

		take_text(u->name);
		take(u->base);
		take_error(u->error);
		take_bytes(u->value, sizeof(u->value));
		take_bytes(u->state, sizeof(u->state));
	}
	for (size_t i = 0; i < sys->device_count; i++) {
		take_text(sys->devices[i].name);
		take_text(sys->devices[i].driver);
		take_text(sys->devices[i].group);
		take(sys->devices[i].device_id);
	}
	for (size_t i = 0; i < sys->region_count; i++) {
		take(sys->regions[i].start);
		take_text(sys->regions[i].name);
	}
}

/* Opens FILE, or this machine, does WHAT with it, and closes it. */
static int with_system(const char *file, int (*what)(struct riommu_system *sys))
{
	struct riommu_system *sys = NULL;
	int err = open_file(file, &sys);

	if (err) {
		ck_assert_ptr_null(sys);
		ck_assert_str_ne(riommu_error(ctx), "");
		return err;
	}
	take_system(sys);
	err = what ? what(sys) : 0;
	riommu_system_close(sys);
	return err;
}

/* -- a capture: all that can be read from one ------------------------------------------------------------------- */

static int machine_json(struct riommu_system *sys)
{
	char *text = NULL;
	int err = riommu_machine_json(sys, "1", &text);

	if (!err)
		take_text(text);
	free(text);
	return err;
}

static int run_machine_json(void)
{
	return with_system(demo, machine_json);
}

START_TEST(what_is_in_a_capture)
{
	each_call_fails(&(struct scenario){.run = run_machine_json}, 10, 5);
}
END_TEST

static void on_finding(void *arg, const struct riommu_finding *f)
{
	(void)arg;
	take_text(f->rule->id);
	take_text(f->message);
}

static void on_outcome(void *arg, const struct riommu_rule_outcome *o)
{
	(void)arg;
	take(o->verdict);
	take_error(o->error);
}

static int check(struct riommu_system *sys)
{
	const struct riommu_check_args args = {.finding = on_finding, .outcome = on_outcome};

	return riommu_check(sys, 0, &args);
}

static int run_check(void)
{
	return with_system(demo, check);
}

START_TEST(the_rules_of_check)
{
	each_call_fails(&(struct scenario){.run = run_check}, 25, 5);
}
END_TEST

static int on_range(void *arg, const struct riommu_range *range)
{
	(void)arg;
	take(riommu_range_iova(range));
	take(riommu_range_pa(range));
	take_error(riommu_range_error(range));
	return 0;
}

static int on_record(void *arg, const struct riommu_fault_record *record)
{
	(void)arg;
	take(riommu_fault_record_iotval(record));
	return 0;
}

static int on_reached(void *arg, const struct riommu_reached *r)
{
	(void)arg;
	take(r->mapping->pa);
	take_error(r->mapping->error);
	return 0;
}

static int visits(struct riommu_system *sys)
{
	struct riommu_mapping_totals totals;
	struct riommu_walker w;
	const char *missing;
	int err = riommu_visit_who_maps(sys, 0, 0, UINT64_MAX, on_range, NULL);

	for (uint32_t id = 0; id < 16 && !err; id++)
		err = riommu_visit_device(sys, 0, id, on_range, NULL);
	if (!err)
		err = riommu_visit_fault_records(sys, 0, on_record, NULL);
	if (!err)
		err = riommu_walker_init(&w, sys, 0, &missing);
	if (!err)
		err = riommu_visit_reachable(&w, 0, UINT64_MAX, on_reached, NULL, &totals);
	return err;
}

static int run_visits(void)
{
	return with_system(demo, visits);
}

START_TEST(what_devices_reach_and_faults)
{
	each_call_fails(&(struct scenario){.run = run_visits}, 25, 5);
}
END_TEST

static int translate(struct riommu_system *sys)
{
	const struct riommu_request request = {.device_id = 8, .iova = 0x100000000};
	struct riommu_translator *t;
	int err = riommu_translator_new(sys, 0, &t);

	if (err)
		return err;
	take(riommu_translator_run(t, &request));
	take(riommu_translator_pa(t));
	riommu_translator_free(t);
	return 0;
}

static int run_translate(void)
{
	return with_system(demo, translate);
}

START_TEST(a_translation)
{
	each_call_fails(&(struct scenario){.run = run_translate}, 15, 5);
}
END_TEST

static void new_file(void)
{
	remove(path);
}

static int save(struct riommu_system *sys)
{
	struct riommu_capture_report report;
	int err = riommu_capture_save(sys, path, true, "1", NULL, NULL, &report);

	take(report.pages);
	take(report.missing);
	return err;
}

static int run_save(void)
{
	return with_system(demo, save);
}

/* The whole file or none: one that could not be written leaves nothing, neither it nor its beginnings. */
static void whole_or_not_there(int err)
{
	DIR *dir = opendir(below(""));
	unsigned files = 0;

	for (const struct dirent *e; (e = readdir(dir));)
		files += e->d_name[0] != '.';
	closedir(dir);
	ck_assert_uint_eq(files, err ? 0 : 1);
	if (!err)
		ck_assert_int_eq(with_system(path, NULL), 0);
}

START_TEST(a_capture_is_whole_or_not_there)
{
	each_call_fails(&(struct scenario){new_file, run_save, whole_or_not_there, false}, 20, 15);
}
END_TEST

/* -- two captures compared ----------------------------------------------------------------------------------------- */

static int on_device(void *arg, const struct riommu_device *const device[2])
{
	(void)arg;
	take(device[0] ? device[0]->device_id : 1);
	return 0;
}

static int on_region(void *arg, const struct riommu_region *const region[2])
{
	(void)arg;
	take(region[0] ? region[0]->start : 1);
	return 0;
}

static int on_register(void *arg, const struct riommu_reg_change *change)
{
	(void)arg;
	take(change->differing);
	return 0;
}

static int on_context(void *arg, const struct riommu_context_change *change)
{
	(void)arg;
	take(change->device_id);
	take_error(change->error);
	return 0;
}

static int on_mapping(void *arg, const struct riommu_mapping_change *change)
{
	(void)arg;
	take(change->iova);
	take_error(change->error);
	return 0;
}

static int compare_tables(const struct riommu_walker walkers[2])
{
	struct riommu_comparison *c = NULL;
	int err = riommu_comparison_open(walkers, &c);

	if (!err)
		err = riommu_compare_contexts(c, on_context, NULL);
	if (!err)
		err = riommu_compare_mappings(c, on_mapping, NULL);
	riommu_comparison_close(c);
	return err;
}

static int compare_pair(struct riommu_system *const sys[2], const struct riommu_iommu_pair *pair)
{
	const struct riommu_system *const both[2] = {sys[0], sys[1]};
	const struct riommu_iommu *const iommus[2] = {&sys[0]->iommus[0], &sys[1]->iommus[0]};
	struct riommu_walker w[2];
	const char *missing;
	int err = riommu_compare_devices(both, pair, on_device, NULL);

	if (!err)
		err = riommu_compare_regions(both, on_region, NULL);
	if (!err)
		err = riommu_compare_registers(iommus, on_register, NULL);
	for (unsigned i = 0; i < 2 && !err; i++)
		err = riommu_walker_init(&w[i], sys[i], 0, &missing);
	if (err)
		return err;
	/* where all is the same, little is gone over: one side has writable tables, the other has not */
	w[1].capabilities ^= RIOMMU_CAP_AMO_HWAD;
	return compare_tables(w);
}

static int run_compare(void)
{
	struct riommu_system *sys[2] = {NULL, NULL};
	struct riommu_iommu_pair *pairs = NULL;
	size_t count = 0;
	int err = open_file(demo, &sys[0]);

	if (!err)
		err = open_file(demo, &sys[1]);
	if (!err)
		err = riommu_pair_iommus((const struct riommu_system *const[2]){sys[0], sys[1]},
					 &pairs, &count);
	if (!err)
		err = compare_pair(sys, pairs);
	free(pairs);
	riommu_system_close(sys[0]);
	riommu_system_close(sys[1]);
	return err;
}

START_TEST(a_comparison)
{
	each_call_fails(&(struct scenario){.run = run_compare}, 40, 10);
}
END_TEST

/* -- a recording ------------------------------------------------------------------------------------------------- */

static void take_event(void *arg, const struct riommu_watch_event *event)
{
	struct riommu_recorder *recorder = arg;

	take(event->kind);
	take(event->dw[2]);
	take_error(event->error);
	if (recorder)
		riommu_recorder_add(recorder, event); /* its error comes again at the end */
}

static int record(struct riommu_system *sys)
{
	struct riommu_recorder *recorder;
	struct riommu_watch *watch;
	int err = riommu_watch_new(sys, 0, &watch), end;
	int64_t found;

	if (err)
		return err;
	err = riommu_recorder_new(ctx, path, sys, 0, &recorder);
	if (!err) {
		found = riommu_watch_poll(watch, MS, take_event, recorder);
		err = found < 0 ? (int)found : riommu_recorder_flush(recorder, true);
		end = riommu_recorder_end(recorder, 2 * MS);
		err = err ? err : end;
	}
	riommu_watch_free(watch);
	return err;
}

static int play(void)
{
	struct riommu_recording *recording;
	struct riommu_watch_event event;
	struct riommu_system *sys;
	int err = riommu_recording_open(ctx, path, &recording, &sys), item;

	if (err)
		return err;
	take(sys->iommu_count);
	take(sys->device_count);
	while ((item = riommu_recording_next(recording, &event)) == RIOMMU_RECORDING_EVENT)
		take_event(NULL, &event);
	riommu_recording_close(recording);
	riommu_system_close(sys);
	return item == RIOMMU_RECORDING_ENDED ? 0 : item;
}

static int run_recording(void)
{
	int err = with_system(demo, record);

	return err ? err : play();
}

START_TEST(a_recording)
{
	each_call_fails(&(struct scenario){.before = new_file, .run = run_recording}, 20, 10);
}
END_TEST

static int run_stats(void)
{
	struct riommu_watch_event e = {.kind = RIOMMU_WATCH_FAULT, .number = 1};
	struct riommu_stats *stats = riommu_stats_new(1), *copy = NULL;
	int err = stats ? 0 : -ENOMEM;

	for (uint64_t id = 0; id < 40 && !err; id++) {
		e.dw[0] = 13 | (uint64_t)2 << 34 | id << 40;
		err = riommu_stats_add(stats, &e);
	}
	if (!err)
		copy = riommu_stats_copy(stats);
	err = err ? err : copy ? 0 : -ENOMEM;
	riommu_stats_free(copy);
	riommu_stats_free(stats);
	return err;
}

START_TEST(sums_of_faults)
{
	each_fails(&(struct scenario){.run = run_stats}, FAILING_MEMORY, 4);
}
END_TEST

/* -- this machine --------------------------------------------------------------------------------------------------- */

static void set(const char *key, const char *name)
{
	ck_assert_int_eq(riommu_option_set(ctx, key, below(name)), 0);
}

static void cells(void *tree, const char *name, size_t count, const uint32_t *v)
{
	fdt32_t bytes[8];

	for (size_t i = 0; i < count; i++)
		bytes[i] = cpu_to_fdt32(v[i]);
	ck_assert_int_eq(fdt_property(tree, name, bytes, (int)(4 * count)), 0);
}

static void make_tree(void)
{
	static uint8_t tree[4096];
	static const uint32_t two[] = {2}, reg[] = {0, BASE, 0, PAGE}, five[] = {5}, one[] = {1},
			      map[] = {0, 5, 0, 0x10000}, ids[] = {5, 0x42, 5, 0x43};

	fdt_create(tree, sizeof(tree));
	fdt_finish_reservemap(tree);
	fdt_begin_node(tree, "");
	fdt_property_string(tree, "model", "made-up,board");
	cells(tree, "#address-cells", 1, two);
	cells(tree, "#size-cells", 1, two);
	fdt_begin_node(tree, "iommu@3010000");
	fdt_property_string(tree, "compatible", "riscv,iommu");
	cells(tree, "reg", 4, reg);
	cells(tree, "phandle", 1, five);
	cells(tree, "#iommu-cells", 1, one);
	fdt_end_node(tree);
	fdt_begin_node(tree, "pci@30000000");
	fdt_property_string(tree, "compatible", "pci-host-ecam-generic");
	cells(tree, "iommu-map", 4, map);
	fdt_end_node(tree);
	fdt_begin_node(tree, "dma@1000");
	cells(tree, "iommus", 4, ids);
	fdt_end_node(tree);
	fdt_end_node(tree);
	ck_assert_int_eq(fdt_finish(tree), 0);
	write_file("fdt", tree, fdt_totalsize(tree));
}

static void make_machine(void)
{
	static uint8_t mem[BASE + PAGE];

	riommu_put64(mem + BASE, 0x78e2cf4f10);
	riommu_put64(mem + BASE + RIOMMU_REG_DDTP, 0x20cbd404);
	write_file("mem", mem, sizeof(mem));
	make_tree();
	make_dir("sys/class/iommu/riscv-iommu@3010000.iommu");
	make_dir("sys/bus/pci/devices/0000:00:01.0");
	write_text("sys/bus/pci/devices/0000:00:01.0/class", "0x020000\n");
	write_text("sys/bus/pci/devices/0000:00:01.0/resource", "");
	make_dir("proc");
	make_dir("dbg/riscv-iommu/riscv-iommu@3010000.iommu");
	write_text("proc/iomem",
		   "80000000-87ffffff : System RAM\n90000000-97ffffff : System RAM\n");
	make_dir("sys/class/iommu/riscv-iommu@3020000.iommu"); /* two that the tree does not have */
	make_dir("sys/class/iommu/riscv-iommu@3030000.iommu");
	make_dir("sys/class/dmi/id");
	write_text("sys/class/dmi/id/product_name", "made-up\n");
	make_dir("proc/sys/kernel");
	write_text("proc/sys/kernel/osrelease", "7.2.12\n");
	make_dir("sys/bus/platform/devices/1000.dma");
	make_link("sys/bus/platform/devices/1000.dma/of_node",
		  "../../../firmware/devicetree/base/dma@1000");
	make_dir("sys/kernel/iommu_groups/7");
	write_text("sys/kernel/iommu_groups/7/type", "identity\n");
	make_link("sys/bus/platform/devices/1000.dma/iommu_group",
		  "../../../kernel/iommu_groups/7");
	write_text("proc/mounts", "none /sys/kernel/debug debugfs rw 0 0\n");
	write_text("dbg/riscv-iommu/riscv-iommu@3010000.iommu/registers",
		   "# riscv-iommu registers 1\nbase 0x3010000\n0x0 8 0x78e2cf4f10\n"
		   "0x10 8 0x20cbd404\n");
	core_begin();
	core_load(0x80000000, PAGE, 0);
	core_finish();
	write_file("kcore", core.bytes, core.len);
}

static void use_machine(void)
{
	static const char *const paths[][2] = {
		{"proc.path", "proc"},  {"sysfs.path", "sys"},   {"debugfs.path", "dbg"},
		{"devmem.path", "mem"}, {"kcore.path", "kcore"}, {"fdt.path", "fdt"},
		{"dt.path", "dt"},      {"acpi.path", "acpi"},
	};

	make_machine();
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(paths); i++)
		set(paths[i][0], paths[i][1]);
}

static int run_machine(void)
{
	return with_system(NULL, NULL);
}

START_TEST(a_live_machine)
{
	use_machine();
	each_call_fails(&(struct scenario){.run = run_machine}, 20, 20);
}
END_TEST

/* The tree as files, and what else the kernel shows of a device. */
static void use_more_of_a_machine(void)
{
	use_machine();
	remove(below("fdt"));
	make_dir("dt/iommu@3010000");
	write_file("dt/model", "made-up,board", 14);
	write_file("dt/#address-cells", "\0\0\0\2", 4);
	write_file("dt/#size-cells", "\0\0\0\2", 4);
	write_text("dt/iommu@3010000/compatible", "riscv,iommu");
	write_file("dt/iommu@3010000/reg", "\0\0\0\0\3\1\0\0\0\0\0\0\0\0\20\0", 16);
	make_dir("sys/bus/pci/devices/0000:00:02.0");
	write_text("sys/bus/pci/devices/0000:00:02.0/class", "0x080600\n");
	write_text("sys/bus/pci/devices/0000:00:02.0/resource",
		   "0x0000000400004000 0x0000000400004fff 0x0000000000140204\n");
	make_dir("sys/kernel/iommu_groups/3");
	write_text("sys/kernel/iommu_groups/3/type", "identity\n");
	make_link("sys/bus/pci/devices/0000:00:01.0/iommu_group", "../../../kernel/iommu_groups/3");
	make_link("sys/bus/pci/devices/0000:00:01.0/iommu",
		  "../../../class/iommu/riscv-iommu@3010000.iommu");
	make_dir("sys/bus/platform/devices/10000000.dma");
	make_link("sys/bus/platform/devices/10000000.dma/of_node",
		  "../../../../firmware/devicetree/base/dma@10000000");
}

START_TEST(a_live_machine_whose_tree_is_files)
{
	use_more_of_a_machine();
	each_call_fails(&(struct scenario){.run = run_machine}, 20, 30);
}
END_TEST

/* Nothing else says that this IOMMU is there. */
START_TEST(an_iommu_that_only_those_files_know)
{
	use_more_of_a_machine();
	remove(below("sys/class/iommu/riscv-iommu@3010000.iommu"));
	each_fails(&(struct scenario){.run = run_machine}, FAILING_FILES, 30);
}
END_TEST

/* Without a device tree and without ACPI: then all that is known of IOMMUs is what the kernel calls them. */
START_TEST(a_live_machine_that_only_the_kernel_knows)
{
	use_machine();
	remove(below("fdt"));
	each_call_fails(&(struct scenario){.run = run_machine}, 15, 20);
}
END_TEST

/* ACPI: a table with one IOMMU, and no device tree. */
static void use_acpi(void)
{
	static uint8_t t[48 + 40 + 24 + 2 * 20];
	uint8_t sum = 0;

	use_machine();
	remove(below("fdt"));
	memcpy(t, "RIMT", 4);
	riommu_put32(t + 4, sizeof(t));
	t[8] = 1; /* revision */
	riommu_put32(t + 36, 2);
	riommu_put32(t + 40, 48);
	t[48 + 1] = 1; /* a node: an IOMMU, revision 1 */
	t[48 + 2] = 40;
	memcpy(t + 48 + 8, "RSCV0004", 8);
	riommu_put64(t + 48 + 16, BASE);
	t[88] = 2; /* another: a platform device with two ids */
	t[88 + 1] = 1;
	t[88 + 2] = 24 + 2 * 20;
	t[88 + 6] = 1;
	t[88 + 8] = 24; /* where its maps are, behind its name */
	t[88 + 10] = 2;
	memcpy(t + 88 + 12, "\\_SB_.DMA0", 11);
	for (uint32_t i = 0; i < 2; i++) {
		riommu_put32(t + 112 + 20 * i, i);
		riommu_put32(t + 112 + 20 * i + 4, 1);
		riommu_put32(t + 112 + 20 * i + 8, 0x77 + i);
		riommu_put32(t + 112 + 20 * i + 12, 48);
	}
	for (size_t i = 0; i < sizeof(t); i++)
		sum = (uint8_t)(sum + t[i]);
	t[9] = (uint8_t)-sum;
	make_dir("acpi");
	write_file("acpi/RIMT", t, sizeof(t));
	make_dir("sys/bus/platform/devices/DMA0:00/firmware_node");
	write_text("sys/bus/platform/devices/DMA0:00/firmware_node/path", "\\_SB_.DMA0\n");
}

static int one_iommu(struct riommu_system *sys)
{
	take(sys->iommu_count);
	return 0;
}

static int run_acpi(void)
{
	return with_system(NULL, one_iommu);
}

START_TEST(a_live_machine_with_acpi)
{
	use_acpi();
	each_call_fails(&(struct scenario){.run = run_acpi}, 20, 20);
}
END_TEST

/* -- other files ----------------------------------------------------------------------------------------------------- */

static int run_raw(void)
{
	struct riommu_source *src;
	uint8_t byte = 0;
	int err = riommu_source_open(ctx, riommu_source_by_name("raw"), below("ram"), &src);

	if (err)
		return err;
	err = riommu_source_read(src, 0x80000fff, &byte, 1);
	take(byte);
	riommu_source_close(src);
	return err;
}

START_TEST(a_raw_image)
{
	static const uint8_t page[PAGE];

	write_file("ram", page, sizeof(page));
	ck_assert_int_eq(riommu_option_set(ctx, "base", "0x80000000"), 0);
	each_call_fails(&(struct scenario){.run = run_raw}, 3, 3);
}
END_TEST

static int run_dump_with_record(void)
{
	return with_system(demo, NULL);
}

/* The dump of a crash, whose registers are in the handover record. */
START_TEST(a_record_beside_a_dump)
{
	core_begin(); /* as it came: the example has got its registers meanwhile */
	core_load(0x80000000, PAGE, 0);
	core_finish();
	write_file("vmcore", core.bytes, core.len);
	snprintf(demo, sizeof(demo), "%s", below("vmcore"));
	source_file("examples/panic.record", path, sizeof(path));
	ck_assert_int_eq(riommu_option_set(ctx, "record", path), 0);
	each_call_fails(&(struct scenario){.run = run_dump_with_record}, 8, 5);
}
END_TEST

static int run_ways(void)
{
	struct riommu_way ways[3];
	size_t count = riommu_ways(ctx, BASE, ways, 3);

	for (size_t i = 0; i < count; i++) {
		take(ways[i].state);
		/* a way that is not open says why */
		told |= ways[i].state != RIOMMU_WAY_OPEN && ways[i].reason[0];
	}
	return 0;
}

START_TEST(the_ways_to_a_machine)
{
	use_machine();
	each_call_fails(&(struct scenario){.run = run_ways}, 8, 15);
}
END_TEST

/* What riommu_ways() says of the way METHOD while each call of WHAT fails with ERROR. */
static struct riommu_way way_without(const char *method, const char *what, int error)
{
	struct riommu_way ways[3];
	const char *name;
	size_t count, i;

	failing_always(what, error);
	count = riommu_ways(ctx, BASE, ways, 3);
	failing_end(&name);
	for (i = 0; i < count && strcmp(ways[i].method, method); i++)
		;
	ck_assert_uint_lt(i, count);
	return ways[i];
}

static void expect_way(const char *method, const char *what, int error, enum riommu_way_state state,
		       const char *reason, const char *remedy)
{
	struct riommu_way way = way_without(method, what, error);

	ck_assert_int_eq(way.state, state);
	ck_assert_msg(strstr(way.reason, reason), "\"%s\" and not \"%s\"", way.reason, reason);
	ck_assert_msg(strstr(way.remedy, remedy), "\"%s\" and not \"%s\"", way.remedy, remedy);
}

/* STRICT_DEVMEM lets nobody map RAM, IO_STRICT_DEVMEM what a driver has claimed; /proc/iomem has the innermost owner last. */
START_TEST(who_owns_the_page_that_cannot_be_mapped_is_told)
{
	use_machine();
	expect_way("devmem", "mmap", EPERM, RIOMMU_WAY_REFUSED, "STRICT_DEVMEM", "load the module");
	write_text("proc/iomem", "80000000-87ffffff : System RAM\n"
				 "03010000-03010fff : 3010000.iommu iommu@3010000\n");
	expect_way("devmem", "mmap", EPERM, RIOMMU_WAY_REFUSED, "belong to a driver (3010000.iommu",
		   "iomem=relaxed");
	write_text("proc/iomem",
		   "00000000-00000000 : hidden\n"
		   "03000000-03ffffff\n"
		   "03000000-03ffffff : bus\n  03000000-03ffffff : System RAM\nnonsense\n"
		   "01000000-02ffffff : below\n04000000-04ffffff : above\n");
	expect_way("devmem", "mmap", EACCES, RIOMMU_WAY_REFUSED, "System RAM", "base address");
	expect_way("devmem", "mmap", EIO, RIOMMU_WAY_REFUSED, "mapping 0x3010000", "base address");
	ck_assert_int_eq(remove(below("proc/iomem")), 0);
	expect_way("devmem", "mmap", EPERM, RIOMMU_WAY_REFUSED, "STRICT_DEVMEM", "load the module");
}
END_TEST

START_TEST(a_lockdown_is_told_apart_from_a_container)
{
	use_machine();
	if (geteuid() != 0) {
		expect_way("devmem", "/mem", EPERM, RIOMMU_WAY_REFUSED, "only root may", "root");
		return;
	}
	expect_way("devmem", "/mem", EPERM, RIOMMU_WAY_REFUSED, "even to this root",
		   "machine itself");
	make_dir("sys/kernel/security");
	write_text("sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	expect_way("kcore", "/kcore", EPERM, RIOMMU_WAY_REFUSED, "even to this root", "machine");
	write_text("sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	expect_way("devmem", "/mem", EPERM, RIOMMU_WAY_REFUSED, "lockdown=integrity", "module");
	write_text("sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	expect_way("kcore", "/kcore", EPERM, RIOMMU_WAY_REFUSED, "lockdown=confidentiality",
		   "boot without");
	expect_way("debugfs", "/dbg/riscv-iommu", EACCES, RIOMMU_WAY_REFUSED,
		   "lockdown=confidentiality", "boot without");
	expect_way("debugfs", "/registers", EPERM, RIOMMU_WAY_REFUSED, "lockdown=confidentiality",
		   "boot without");
}
END_TEST

START_TEST(as_many_ways_are_told_as_there_is_room_for)
{
	struct riommu_way ways[3];

	use_machine();
	for (size_t room = 0; room <= 3; room++)
		ck_assert_uint_eq(riommu_ways(ctx, BASE, ways, room), room);
}
END_TEST

START_TEST(what_is_not_there_is_told_apart_from_what_fails)
{
	use_machine();
	expect_way("devmem", "/mem", ENOENT, RIOMMU_WAY_ABSENT, "mem", "load the module");
	expect_way("kcore", "/kcore", ENOENT, RIOMMU_WAY_ABSENT, "CONFIG_PROC_KCORE", "vmcore");
	expect_way("kcore", "/kcore", EIO, RIOMMU_WAY_REFUSED, "kcore", "vmcore");
	expect_way("debugfs", "/dbg/riscv-iommu", ENOENT, RIOMMU_WAY_ABSENT, "is not loaded",
		   "contrib/kmod");
	expect_way("debugfs", "/dbg/riscv-iommu", EIO, RIOMMU_WAY_REFUSED, "riscv-iommu",
		   "kernel log");
	write_text("proc/mounts", "proc /proc proc rw 0 0\n");
	expect_way("debugfs", "/dbg/riscv-iommu", ENOENT, RIOMMU_WAY_ABSENT, "not mounted",
		   "mount -t debugfs");
}
END_TEST

/* -- handover ------------------------------------------------------------------------------------------------------- */

static uint8_t *image, *tree;
static size_t tree_len;

static int run_image(void)
{
	static const struct riommu_stub_table table = {1, {{BASE, 0, RIOMMU_POLICY_BLOCK}}};
	void *wrapped = NULL, *original = NULL;
	size_t len = 0, original_len = 0;
	struct riommu_image about;
	int err = riommu_image_wrap(ctx, image, 0x12345, &table, RIOMMU_LAYOUT_AUTO, &wrapped, &len,
				    &about);

	if (!err)
		err = riommu_image_unwrap(ctx, wrapped, len, &original, &original_len);
	if (!err)
		take_bytes(original, original_len);
	free(wrapped);
	free(original);
	return err;
}

START_TEST(an_image)
{
	image = image_make(0x12345, 0x20000);
	each_fails(&(struct scenario){.run = run_image}, FAILING_MEMORY, 2);
	free(image);
}
END_TEST

static int run_unpack(void)
{
	void *out = NULL;
	size_t len = 0;
	int err = riommu_image_unpack(ctx, image, 0x12345, &out, &len, NULL);

	if (!err)
		take_bytes(out, len);
	free(out);
	return err;
}

START_TEST(an_image_that_is_not_packed)
{
	image = image_make(0x12345, 0x20000);
	each_fails(&(struct scenario){.run = run_unpack}, FAILING_MEMORY, 1);
	ck_assert_str_eq(riommu_error(ctx), "out of memory");
	free(image);
}
END_TEST

static int run_tree(void)
{
	void *out = NULL;
	size_t len = 0;
	struct riommu_record record;
	int err = riommu_record_put(ctx, tree, tree_len, 4, &out, &len);

	if (!err)
		err = riommu_record_from_fdt(ctx, out, len, &record);
	if (!err)
		take_bytes(out, len);
	free(out);
	return err;
}

START_TEST(a_record_in_a_device_tree)
{
	tree = tree_make(&tree_len);
	each_fails(&(struct scenario){.run = run_tree}, FAILING_MEMORY, 2);
	free(tree);
}
END_TEST

/* -- control -------------------------------------------------------------------------------------------------------- */

static struct riommu_system *simulated;
static bool handover;

static void begin_simulation(void)
{
	sim_begin();
	simulated = sim_system(ctx);
	snprintf(sim->state_file, sizeof(sim->state_file), "%s/quiesce.state", below("run"));
	snprintf(path, sizeof(path), "%s", sim->state_file);
	remove(path);
}

static int all_stages(struct riommu_quiesce *q)
{
	int err = 0;

	for (int s = 0; s < RIOMMU_STAGE_COUNT; s++) {
		int this = riommu_quiesce_stage(q, (enum riommu_stage)s, NULL, NULL);

		err = err ? err : this;
	}
	for (size_t i = 0; i < q->iommu_count; i++)
		take(q->iommus[i].verdict);
	return err;
}

static int block(void)
{
	const struct riommu_quiesce_args args = {.timeout_ms = 10, .handover = handover};
	struct riommu_quiesce *q = NULL;
	int err = riommu_quiesce_plan(simulated, sim_hw(), &args, &q);

	if (!err)
		err = riommu_quiesce_prepare(q);
	if (!err)
		err = all_stages(q);
	else
		ck_assert_uint_eq(sim->writes, 0);
	riommu_quiesce_close(q);
	return err;
}

static int run_block(void)
{
	struct riommu_quiesce_args args = {.timeout_ms = 10};
	struct riommu_quiesce *q = NULL;
	int err = block();

	if (err || handover)
		return err;
	err = riommu_quiesce_open_undo(simulated, sim_hw(), &args, &q);
	if (!err)
		err = riommu_quiesce_revert(q, NULL, NULL);
	riommu_quiesce_close(q);
	return err;
}

/* Whatever failed: no write without its announcement (the simulation looks), and undo without failures restores all. */
static void can_be_undone(int err)
{
	const struct riommu_quiesce_args args = {.timeout_ms = 10};
	struct riommu_quiesce *q = NULL;

	(void)err;
	if (!handover && !riommu_quiesce_open_undo(simulated, sim_hw(), &args, &q))
		ck_assert_msg(!riommu_quiesce_revert(q, NULL, NULL), "%s", riommu_error(ctx));
	riommu_quiesce_close(q);
	if (!handover) {
		ck_assert_uint_eq(sim_reg(0, RIOMMU_REG_DDTP, 8), SIM_DDTP0);
		ck_assert_uint_eq(sim_reg(1, RIOMMU_REG_DDTP, 8), SIM_DDTP1);
		ck_assert(sim_masters(SIM_NVME) && sim_masters(SIM_EDU));
	}
	ck_assert_str_eq(sim->wrong, "");
	sim_end();
}

static void use_simulation(void)
{
	set("proc.path", "proc");
	set("state.path", "run");
	make_dir("proc/sys/kernel/random");
	write_text("proc/sys/kernel/random/boot_id", "0ac5b1a2-5f3c-4a8e-9d63-0123456789ab\n");
}

/* -- hardware that fails in the middle ------------------------------------------------------------------------------ */

static unsigned accesses, bad_access;
static int access_error; /* 0: it answers with all ones */

static bool is_bad(void)
{
	return ++accesses == bad_access;
}

static int hw_reg_read(void *arg, uint64_t base, uint32_t offset, unsigned width, uint64_t *value)
{
	if (!is_bad())
		return sim_hw()->ops->reg_read(arg, base, offset, width, value);
	*value = width == 8 ? UINT64_MAX : UINT32_MAX;
	return access_error;
}

static int hw_config_read(void *arg, const char *function, unsigned offset, unsigned width,
			  uint32_t *value)
{
	if (!is_bad())
		return sim_hw()->ops->config_read(arg, function, offset, width, value);
	*value = width == 4 ? UINT32_MAX : UINT16_MAX;
	return access_error;
}

/* A write that is refused is not made; without an error it is lost on its way. */
static int hw_reg_write(void *arg, uint64_t base, uint32_t offset, uint32_t value)
{
	return is_bad() ? access_error : sim_hw()->ops->reg_write(arg, base, offset, value);
}

static int hw_config_write(void *arg, const char *function, unsigned offset, unsigned width,
			   uint32_t value)
{
	return is_bad() ? access_error
			: sim_hw()->ops->config_write(arg, function, offset, width, value);
}

static struct riommu_hw *failing_hw(void)
{
	static struct riommu_hw_ops ops;
	static struct riommu_hw hw;

	ops = *sim_hw()->ops;
	ops.reg_read = hw_reg_read;
	ops.reg_write = hw_reg_write;
	ops.config_read = hw_config_read;
	ops.config_write = hw_config_write;
	hw = (struct riommu_hw){.ops = &ops, .arg = sim_hw()->arg};
	return &hw;
}

/* "Blocked" is said of no IOMMU that is not. */
static void verdicts_are_true(const struct riommu_quiesce *q)
{
	for (size_t i = 0; q && i < q->iommu_count; i++)
		if (q->iommus[i].verdict == RIOMMU_VERDICT_BLOCKED)
			ck_assert_uint_eq(sim_reg(i, RIOMMU_REG_DDTP, 8) & 0xf, 0);
}

static int block_with(struct riommu_hw *hw)
{
	const struct riommu_quiesce_args args = {.timeout_ms = 2, .handover = handover};
	struct riommu_quiesce *q = NULL;
	int err = riommu_quiesce_plan(simulated, hw, &args, &q);

	if (!err)
		err = riommu_quiesce_prepare(q);
	if (!err)
		err = all_stages(q);
	verdicts_are_true(q);
	riommu_quiesce_close(q);
	return err;
}

static int undo_with(struct riommu_hw *hw)
{
	const struct riommu_quiesce_args args = {.timeout_ms = 2};
	struct riommu_quiesce *q = NULL;
	int err = riommu_quiesce_open_undo(simulated, hw, &args, &q);

	if (!err)
		err = riommu_quiesce_revert(q, NULL, NULL);
	riommu_quiesce_close(q);
	return err;
}

/* One access fails, of the run or (UNDO) of the undo after it. True while there was such an access. */
static bool with_bad_access(unsigned n, bool undo)
{
	int err = 0;

	begin_simulation();
	accesses = bad_access = 0;
	if (undo)
		ck_assert_int_eq(block_with(failing_hw()), 0);
	accesses = 0;
	bad_access = n;
	err = undo ? undo_with(failing_hw()) : block_with(failing_hw());
	if (accesses < n)
		ck_assert_msg(!err, "undisturbed: %s", riommu_error(ctx));
	bad_access = 0;
	can_be_undone(err);
	return accesses >= n;
}

static const int access_errors[] = {0, -EACCES, -EFAULT, -ENODATA, -EIO};

START_TEST(each_access_of_a_block_fails)
{
	unsigned n = 1;

	use_simulation();
	for (access_error = access_errors[_i]; with_bad_access(n, false); n++)
		;
	ck_assert_uint_gt(n, 60);
}
END_TEST

START_TEST(each_access_of_a_handover_fails)
{
	unsigned n = 1;

	use_simulation();
	handover = true;
	for (access_error = access_errors[_i]; with_bad_access(n, false); n++)
		;
	ck_assert_uint_gt(n, 100);
}
END_TEST

START_TEST(each_access_of_an_undo_fails)
{
	unsigned n = 1;

	use_simulation();
	if (access_errors[_i] == -ENODATA)
		return; /* the function is gone, and there is nothing to restore */
	for (access_error = access_errors[_i]; with_bad_access(n, true); n++)
		;
	ck_assert_uint_gt(n, 10);
}
END_TEST

/* Config space of this machine: what stops a read or a write is told apart. */
START_TEST(config_space_that_is_refused_is_not_gone)
{
	static const uint8_t bytes[64];
	const char *name;
	struct riommu_hw *hw;
	uint32_t v;

	use_simulation();
	begin_simulation();
	simulated->live = true;
	set("sysfs.path", "sys");
	set("devmem.path", "mem");
	make_dir("sys/bus/pci/devices/0000:00:01.0");
	write_file("sys/bus/pci/devices/0000:00:01.0/config", bytes, sizeof(bytes));
	write_file("mem", bytes, sizeof(bytes));
	ck_assert_int_eq(riommu_hw_open(simulated, true, &hw), 0);
	failing_always("openat", EPERM);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 2, &v), -EACCES);
	ck_assert_int_eq(hw->ops->config_write(hw->arg, SIM_NVME, 4, 2, 0), -EACCES);
	failing_always("openat", EMFILE);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 2, &v), -EMFILE);
	failing_always("pread", EPERM);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 2, &v), -EACCES);
	failing_always("pread", EIO);
	ck_assert_int_eq(hw->ops->config_read(hw->arg, SIM_NVME, 4, 2, &v), -EIO);
	failing_always("pwrite", EPERM);
	ck_assert_int_eq(hw->ops->config_write(hw->arg, SIM_NVME, 4, 2, 0), -EACCES);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "lockdown?"));
	failing_end(&name);
	riommu_hw_close(hw);
	sim_end();
}
END_TEST

/* A file that was open and is gone, in a place where no other may be opened: that it is gone says more. */
START_TEST(a_file_that_may_not_be_opened_again_is_gone)
{
	const char *name;
	char *text;
	size_t len;
	int fd = -1;

	write_text("a", "one");
	ck_assert_int_eq(riommu_read_again(&fd, below("a"), 100, &text, &len), 0);
	free(text);
	ck_assert_int_eq(unlink(below("a")), 0);
	write_text("a", "two");
	failing_always("open", EPERM);
	ck_assert_int_eq(riommu_read_again(&fd, below("a"), 100, &text, &len), -ENOENT);
	ck_assert_int_eq(riommu_read_again(&fd, below("a"), 100, &text, &len), -EPERM);
	failing_end(&name);
	ck_assert_int_eq(fd, -1);
}
END_TEST

START_TEST(a_block_and_its_undo)
{
	use_simulation();
	each_call_fails(&(struct scenario){begin_simulation, run_block, can_be_undone, true}, 5,
			40);
}
END_TEST

START_TEST(a_handover)
{
	use_simulation();
	handover = true;
	each_call_fails(&(struct scenario){begin_simulation, run_block, can_be_undone, true}, 5,
			30);
}
END_TEST

/* -- all of them ---------------------------------------------------------------------------------------------------- */

static void setup(void)
{
	files_begin();
	source_file("examples/demo.core", demo, sizeof(demo));
	snprintf(path, sizeof(path), "%s", below("new"));
	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	riommu_ctx_set_log(ctx, on_log, NULL, RIOMMU_LOG_WARNING);
}

static void teardown(void)
{
	riommu_ctx_free(ctx);
	files_end();
}

int main(void)
{
	Suite *suite = suite_create("failing");
	TCase *tc = tcase_create("failing");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, what_is_in_a_capture);
	tcase_add_test(tc, the_rules_of_check);
	tcase_add_test(tc, what_devices_reach_and_faults);
	tcase_add_test(tc, a_translation);
	tcase_add_test(tc, a_capture_is_whole_or_not_there);
	tcase_add_test(tc, a_comparison);
	tcase_add_test(tc, a_recording);
	tcase_add_test(tc, sums_of_faults);
	tcase_add_test(tc, a_live_machine);
	tcase_add_test(tc, a_live_machine_whose_tree_is_files);
	tcase_add_test(tc, an_iommu_that_only_those_files_know);
	tcase_add_test(tc, a_live_machine_that_only_the_kernel_knows);
	tcase_add_test(tc, a_live_machine_with_acpi);
	tcase_add_test(tc, a_raw_image);
	tcase_add_test(tc, a_record_beside_a_dump);
	tcase_add_test(tc, an_image_that_is_not_packed);
	tcase_add_test(tc, the_ways_to_a_machine);
	tcase_add_test(tc, who_owns_the_page_that_cannot_be_mapped_is_told);
	tcase_add_test(tc, a_lockdown_is_told_apart_from_a_container);
	tcase_add_test(tc, as_many_ways_are_told_as_there_is_room_for);
	tcase_add_test(tc, what_is_not_there_is_told_apart_from_what_fails);
	tcase_add_test(tc, an_image);
	tcase_add_test(tc, a_record_in_a_device_tree);
	tcase_add_test(tc, a_block_and_its_undo);
	tcase_add_test(tc, a_handover);
	tcase_add_loop_test(tc, each_access_of_a_block_fails, 0, 5);
	tcase_add_loop_test(tc, each_access_of_a_handover_fails, 0, 5);
	tcase_add_loop_test(tc, each_access_of_an_undo_fails, 0, 5);
	tcase_add_test(tc, config_space_that_is_refused_is_not_gone);
	tcase_add_test(tc, a_file_that_may_not_be_opened_again_is_gone);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
