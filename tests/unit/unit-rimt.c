/* SPDX-License-Identifier: GPL-2.0-or-later */
/* discover: ACPI's RIMT, right and wrong, built here by the tables of the specification (RISC-V IO Mapping Table 1.0). */
#include "discover/discover-internal.h"
#include "files.h"
#include "runner.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static struct riommu_ctx *ctx;
static struct riommu_system *sys;

static uint8_t table[64 << 10];
static uint32_t length, nodes;

static void setup(void)
{
	static const char *const paths[][2] = {
		{"proc.path", "proc"},  {"sysfs.path", "sys"},   {"debugfs.path", "dbg"},
		{"devmem.path", "mem"}, {"kcore.path", "kcore"}, {"fdt.path", "fdt"},
		{"dt.path", "dt"},      {"acpi.path", "acpi"},
	};

	ctx = riommu_ctx_new();
	ck_assert_ptr_nonnull(ctx);
	sys = NULL;
	files_begin();
	for (size_t i = 0; i < RIOMMU_ARRAY_SIZE(paths); i++)
		ck_assert_int_eq(riommu_option_set(ctx, paths[i][0], below(paths[i][1])), 0);
	make_dir("acpi");
	make_dir("proc");
}

static void teardown(void)
{
	riommu_system_close(sys);
	riommu_ctx_free(ctx);
	files_end();
}

/* -- building --------------------------------------------------------------------------------------------------- */

static void put(uint32_t at, uint64_t value, unsigned width)
{
	for (unsigned i = 0; i < width; i++)
		table[at + i] = (uint8_t)(value >> (8 * i));
}

static void append(uint64_t value, unsigned width)
{
	put(length, value, width);
	length += width;
}

static void append_text(const char *text, size_t len)
{
	memcpy(table + length, text, len);
	length += (uint32_t)len;
}

static void table_begin(void)
{
	memset(table, 0, sizeof(table));
	length = 0;
	nodes = 0;
	append_text("RIMT", 4);
	append(0, 4); /* length */
	append(1, 1);
	append(0, 1); /* checksum */
	append_text("TESTS TESTTABL", 14);
	append(1, 4);
	append_text("TEST", 4);
	append(1, 4);
	append(0, 4);  /* number of nodes */
	append(48, 4); /* where they begin */
	append(0, 4);
}

/* Makes the sum of all bytes zero. */
static void sign(void)
{
	uint8_t sum = 0;

	table[9] = 0;
	for (uint32_t i = 0; i < length; i++)
		sum = (uint8_t)(sum + table[i]);
	table[9] = (uint8_t)-sum;
}

static void table_end(void)
{
	put(4, length, 4);
	put(36, nodes, 4);
	sign();
}

static uint32_t node_begin(uint8_t type)
{
	append(type, 1);
	append(1, 1);
	append(0, 2); /* length */
	append(0, 2);
	append(nodes++, 2);
	return length - 8;
}

static void node_end(uint32_t node)
{
	put(node + 2, length - node, 2);
}

/* Returns the offset of the node, by which maps name it. */
static uint32_t iommu(uint64_t base, bool pci, uint16_t segment, uint16_t rid)
{
	uint32_t node = node_begin(0);

	append_text("RSCV0004", 8);
	append(base, 8);
	append(pci, 4);
	append(0, 4); /* proximity domain */
	append(segment, 2);
	append(rid, 2);
	append(1, 2);  /* an interrupt wire */
	append(40, 2); /* and where it is */
	append(33, 4);
	append(3, 4);
	node_end(node);
	return node;
}

static void map(uint32_t source, uint32_t count, uint32_t device_id, uint32_t unit)
{
	append(source, 4);
	append(count, 4);
	append(device_id, 4);
	append(unit, 4);
	append(0, 4);
}

/* The MAPS follow by map(), then node_end(). */
static uint32_t root_complex(uint16_t segment, uint16_t maps)
{
	uint32_t node = node_begin(1);

	append(0, 4);
	append(0, 2);
	append(segment, 2);
	append(20, 2);
	append(maps, 2);
	return node;
}

static uint32_t platform(const char *path, uint16_t maps)
{
	size_t len = (strlen(path) + 4) / 4 * 4;
	uint32_t node = node_begin(2);

	append(12 + len, 2);
	append(maps, 2);
	append_text(path, strlen(path));
	length += (uint32_t)(len - strlen(path));
	return node;
}

#define SECOND 0x40000000

/* Two platform IOMMUs, one on PCI; two segments and a device with ids on both platform IOMMUs. */
static void make_table(void)
{
	uint32_t first, second, pci, node;

	table_begin();
	first = iommu(BASE, false, 0, 0);
	second = iommu(SECOND, false, 0, 0);
	pci = iommu(0, true, 1, 0x10);
	node = root_complex(0, 2);
	map(0, 0x100, 0x1000, first);
	map(0x100, 0x100, 0x42, second);
	node_end(node);
	node = root_complex(1, 1);
	map(0, 0x10000, 0, pci);
	node_end(node);
	node = platform("\\_SB_.DMA0", 2);
	map(0, 2, 0x77, first);
	map(0, 1, 0x99, second);
	node_end(node);
	table_end();
}

static void write_table(uint32_t len)
{
	write_file("acpi/RIMT", table, len);
}

static int open_live(void)
{
	riommu_system_close(sys);
	return riommu_system_open(ctx, &(struct riommu_open_args){0}, &sys);
}

static void make_device(const char *bus, const char *name, const char *file, const char *content)
{
	char path[160];

	snprintf(path, sizeof(path), "sys/bus/%s/devices/%s", bus, name);
	make_dir(path);
	snprintf(path, sizeof(path), "sys/bus/%s/devices/%s/%s", bus, name, file);
	if (file)
		write_text(path, content);
}

static const struct riommu_device *device(const char *name)
{
	for (size_t i = 0; i < sys->device_count; i++) {
		if (!strcmp(sys->devices[i].name, name))
			return &sys->devices[i];
	}
	ck_abort_msg("there is no device %s", name);
	return NULL;
}

static void expect_device(const char *name, uint64_t base, uint32_t device_id)
{
	const struct riommu_device *d = device(name);

	ck_assert_uint_eq(d->device_id, device_id);
	ck_assert_uint_ne(d->iommu, RIOMMU_NO_IOMMU);
	ck_assert_uint_eq(sys->iommus[d->iommu].base, base);
}

/* -- right ------------------------------------------------------------------------------------------------------ */

START_TEST(platform_iommus_are_found)
{
	make_table();
	write_table(length);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
	ck_assert_uint_eq(sys->iommus[0].base, BASE);
	ck_assert_uint_eq(sys->iommus[1].base, SECOND);
	ck_assert_int_eq(sys->iommus[0].found, RIOMMU_FOUND_ACPI);
	ck_assert_str_eq(sys->iommus[0].name, "0x3010000");
	ck_assert_str_eq(sys->iommus[0].where, "RIMT, node at 0x30, RSCV0004");
}
END_TEST

START_TEST(iomem_tells_the_name_that_the_kernel_gives)
{
	make_table();
	write_table(length);
	make_dir("sys/class/iommu/riscv-iommu@RSCV0004:00");
	make_dir("sys/class/iommu/riscv-iommu@RSCV0004:01");
	write_text("proc/iomem", "no range\n"
				 "03010000-03010fff\n"
				 "03010000-03010fff : OTHER004:00\n"
				 "03010000-03010fff : RSCV0004\n"
				 "03010000-03010fff : RSCV0004:01\n"
				 "  03010000-03010fff : RSCV0004:01 RSCV0004:01\n"
				 "40000000-40000fff : RSCV0004:00\n"
				 "80000000-bfffffff : System RAM\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
	ck_assert_str_eq(sys->iommus[0].name, "RSCV0004:01");
	ck_assert_str_eq(sys->iommus[1].name, "RSCV0004:00");
	ck_assert_uint_eq(riommu_system_find_iommu(sys, "riscv-iommu@RSCV0004:00"), 1);
	ck_assert(riommu_system_driven(sys, 0));
}
END_TEST

/* Each node is one that maps may name; more than 1,024 there are not. */
START_TEST(nodes_beyond_those_that_are_remembered_are_left_out)
{
	uint32_t first = 0, last = 0, node;

	table_begin();
	for (int i = 0; i < 1026; i++) {
		last = iommu(BASE, false, 0, 0);
		first = i ? first : last;
	}
	node = root_complex(0, 2);
	map(0, 0x8, 0x1000, first);
	map(0x8, 0x8, 0x2000, last);
	node_end(node);
	table_end();
	write_table(length);
	make_device("pci", "0000:00:00.0", "class", "0x00ff00\n");
	make_device("pci", "0000:00:01.0", "class", "0x00ff00\n");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 1);
	ck_assert_uint_eq(sys->device_count, 1);
	expect_device("0000:00:00.0", BASE, 0x1000);
}
END_TEST

START_TEST(functions_have_the_ids_of_their_segment)
{
	make_table();
	write_table(length);
	make_device("pci", "0000:00:01.0", "class", "0x00ff00\n");
	make_device("pci", "0000:01:00.1", "class", "0x00ff00\n");
	make_device("pci", "0000:02:00.0", "class", "0x00ff00\n"); /* in no map */
	make_device("pci", "0001:00:02.0", "class", "0x080600\n");
	make_device("pci", "0001:00:02.0", "resource",
		    "0x0000000400004000 0x0000000400004fff 0x0000000000140204\n");
	make_device("pci", "0001:00:03.0", "class", "0x00ff00\n");
	make_device("pci", "0002:00:03.0", "class", "0x00ff00\n"); /* of no segment */
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 3);
	ck_assert_uint_eq(sys->device_count, 3);
	expect_device("0000:00:01.0", BASE, 0x1008);
	expect_device("0000:01:00.1", SECOND, 0x43);
	expect_device("0001:00:03.0", 0x400004000, 0x18);
}
END_TEST

START_TEST(a_platform_device_has_the_ids_of_its_object)
{
	make_table();
	write_table(length);
	make_dir("sys/acpi/DMA0");
	write_text("sys/acpi/DMA0/path", "\\_SB_.DMA0\n");
	make_dir("sys/acpi/DMA1");
	write_text("sys/acpi/DMA1/path", "\\_SB_.DMA1\n");
	make_dir("sys/bus/platform/devices/TEST0001:00");
	make_link("sys/bus/platform/devices/TEST0001:00/firmware_node", "../../../../acpi/DMA0");
	make_dir("sys/bus/platform/devices/TEST0001:01");
	make_link("sys/bus/platform/devices/TEST0001:01/firmware_node", "../../../../acpi/DMA1");
	make_dir("sys/bus/platform/devices/none");
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->device_count, 3);
	ck_assert_str_eq(sys->devices[0].name, "TEST0001:00");
	ck_assert_uint_eq(sys->devices[0].device_id, 0x77);
	ck_assert_uint_eq(sys->devices[1].device_id, 0x78);
	ck_assert_uint_eq(sys->devices[1].iommu, 0);
	ck_assert_uint_eq(sys->devices[2].device_id, 0x99);
	ck_assert_uint_eq(sys->devices[2].iommu, 1);
}
END_TEST

START_TEST(a_machine_without_the_table_has_none)
{
	make_dir("sys/class");
	ck_assert_int_eq(open_live(), -ENODEV);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "ACPI"));
}
END_TEST

/* That nothing was found means nothing where nothing could be looked at. */
START_TEST(a_machine_without_sysfs_is_not_said_to_have_none)
{
	ck_assert_int_eq(open_live(), -ENODEV);
	ck_assert_ptr_nonnull(strstr(riommu_error(ctx), "nothing can be seen"));
}
END_TEST

/* -- wrong ------------------------------------------------------------------------------------------------------ */

/* What the table says of everything that can be asked. */
static void ask(struct riommu_rimt *rimt, struct riommu_system *fake)
{
	uint32_t device_id;
	size_t unit;

	riommu_rimt_iommus(rimt, fake);
	for (uint32_t segment = 0; segment < 3; segment++) {
		for (uint32_t rid = 0; rid < 0x300; rid += 8)
			riommu_rimt_pci_device(rimt, segment, (uint16_t)rid, &unit, &device_id);
	}
	for (size_t i = 0; !riommu_rimt_platform_device(rimt, "\\_SB_.DMA0", i, &unit, &device_id);
	     i++)
		ck_assert_uint_lt(i, 300);
}

/* Parsed from a block of exactly LEN bytes, so that a sanitizer sees each read past them. */
static int parse(uint32_t len)
{
	struct riommu_system fake = {.ctx = ctx};
	struct riommu_rimt *rimt;
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, table, len);
	err = riommu_rimt_parse(ctx, copy, len, &rimt);
	free(copy);
	if (err) {
		ck_assert_int_eq(err, -EBADMSG);
		ck_assert_ptr_null(rimt);
		return err;
	}
	ask(rimt, &fake);
	riommu_rimt_free(rimt);
	free(fake.iommus);
	return 0;
}

START_TEST(every_truncation_is_damage)
{
	make_table();
	ck_assert_int_eq(parse(length), 0);
	for (uint32_t len = 0; len < length; len++)
		ck_assert_int_eq(parse(len), -EBADMSG);
}
END_TEST

/* A table that says itself that it is shorter: nodes are cut, and what is left is used. */
START_TEST(every_shorter_length_is_survived)
{
	uint32_t whole;

	make_table();
	whole = length;
	for (length = 0; length < whole; length++) {
		put(4, length, 4);
		sign();
		parse(whole);
	}
}
END_TEST

START_TEST(no_changed_byte_does_harm)
{
	static const uint8_t values[] = {0, 1, 2, 0x14, 0x28, 0x7f, 0x80, 0xfe, 0xff};

	make_table();
	for (uint32_t i = 0; i < length; i++) {
		uint8_t kept = table[i];

		for (size_t v = 0; v < sizeof(values); v++) {
			table[i] = values[v];
			parse(length); /* with a wrong checksum */
			if (i != 9)
				sign();
			parse(length);
			table[i] = kept;
		}
		sign();
	}
}
END_TEST

/* Linux uses a table whose checksum is wrong: so that one is what the machine runs by. */
START_TEST(a_wrong_checksum_is_told_and_the_table_used)
{
	make_table();
	table[9]++;
	write_table(length);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
}
END_TEST

static const struct {
	uint32_t at;
	unsigned width;
	uint64_t value;
	const char *word;
} heads[] = {
	{0, 1, 'X', "no such table"}, {4, 4, 47, "47 bytes"},  {4, 4, 5000, "5000 bytes"},
	{4, 4, UINT32_MAX, "bytes"},  {8, 1, 2, "revision 2"},
};

START_TEST(a_head_that_lies_is_damage)
{
	make_table();
	put(heads[_i].at, heads[_i].value, heads[_i].width);
	ck_assert_int_eq(parse(length), -EBADMSG);
	ck_assert_msg(strstr(riommu_error(ctx), heads[_i].word), "%s", riommu_error(ctx));
}
END_TEST

/* Where node number N begins, as make_table() has them. */
static uint32_t node_offset(unsigned n)
{
	uint32_t at = 48;

	while (n--)
		at += (uint32_t)(table[at + 2] | table[at + 3] << 8);
	return at;
}

static const struct {
	unsigned node;
	uint32_t at;
	unsigned width;
	uint64_t value;
	size_t iommus;  /* that are left of 2 */
	size_t devices; /* ids that are left of 4: one of a function, three of a platform device */
} lies[] = {
	{0, 16, 8, 0, 1, 1},        /* base 0 */
	{0, 16, 8, BASE + 8, 1, 1}, /* not aligned */
	{0, 2, 2, 0, 0, 0},         /* length 0: nothing can be found */
	{0, 2, 2, 7, 0, 0},         /* shorter than its own head */
	{1, 2, 2, 0xffff, 1, 0},    /* longer than the table: what follows is lost */
	{3, 18, 2, 3, 2, 3},        /* more maps than the node has */
	{3, 16, 2, 21, 2, 3},       /* maps that begin too far behind */
	{3, 16, 2, 0xffff, 2, 3},   /* or outside */
	{3, 18, 2, 0, 2, 3},        /* no maps */
	{3, 24, 4, 0, 2, 3},        /* a map of no ids */
	{3, 20, 4, 9, 2, 3},        /* a map that begins behind the function */
	{3, 28, 4, 0xfffff8, 2, 3}, /* an id of more than 24 bits */
	{3, 28, 4, UINT32_MAX, 2, 3}, {3, 32, 4, 49, 2, 3}, /* an IOMMU where no node begins */
	{3, 32, 4, UINT32_MAX, 2, 3}, {3, 0, 1, 9, 2, 3},   /* a type that is not known */
	{5, 8, 2, 0xfff0, 2, 1},                            /* the same of the platform device */
	{5, 10, 2, 0xffff, 2, 1},
};

START_TEST(a_node_that_lies_is_left_out_and_the_others_are_not)
{
	make_table();
	put(node_offset(lies[_i].node) + lies[_i].at, lies[_i].value, lies[_i].width);
	sign();
	write_table(length);
	make_device("pci", "0000:00:01.0", "class", "0x00ff00\n");
	make_dir("sys/bus/platform/devices/TEST0001:00/firmware_node");
	write_text("sys/bus/platform/devices/TEST0001:00/firmware_node/path", "\\_SB_.DMA0\n");
	if (!lies[_i].iommus) {
		ck_assert_int_eq(open_live(), -ENODEV);
		return;
	}
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, lies[_i].iommus);
	ck_assert_uint_eq(sys->device_count, lies[_i].devices);
}
END_TEST

START_TEST(a_path_that_does_not_end_is_left_out)
{
	static const char endless[] = "\\_SB_.DMA0.CH00.CH01";
	struct riommu_rimt *rimt;
	uint32_t node, device_id;
	uint8_t *copy;
	size_t unit;

	table_begin();
	iommu(BASE, false, 0, 0);
	node = node_begin(2);
	append(12, 2);
	append(0, 2);
	append_text("\\_SB", 4);
	node_end(node);
	node = node_begin(2); /* not even room for one */
	append(0, 4);
	node_end(node);
	node = node_begin(
		2); /* its map lies over the path, which goes on to the end of the table */
	append(12, 2);
	append(1, 2);
	append_text(endless, 20);
	node_end(node);
	table_end();
	ck_assert_int_eq(parse(length), 0);
	copy = malloc(length);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, table, length);
	ck_assert_int_eq(riommu_rimt_parse(ctx, copy, length, &rimt), 0);
	ck_assert_int_eq(riommu_rimt_platform_device(rimt, endless, 0, &unit, &device_id), -ENOENT);
	ck_assert_int_eq(riommu_rimt_platform_device(rimt, "\\_SB", 0, &unit, &device_id), -ENOENT);
	riommu_rimt_free(rimt);
	free(copy);
}
END_TEST

START_TEST(a_platform_device_of_four_thousand_million_ids_is_bounded)
{
	uint32_t unit, node;

	table_begin();
	unit = iommu(BASE, false, 0, 0);
	node = platform("\\_SB_.DMA0", 1);
	map(0, UINT32_MAX, 0, unit);
	node_end(node);
	table_end();
	ck_assert_int_eq(parse(length), 0);
}
END_TEST

/* -- with a device tree ------------------------------------------------------------------------------------------ */

START_TEST(a_device_tree_without_iommus_does_not_hide_the_table)
{
	static const uint8_t two[] = {0, 0, 0, 2};

	make_table();
	write_table(length);
	make_dir("dt/chosen");
	write_file("dt/#address-cells", two, 4);
	ck_assert_int_eq(open_live(), 0);
	ck_assert_uint_eq(sys->iommu_count, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rimt");
	TCase *tc = tcase_create("rimt");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, platform_iommus_are_found);
	tcase_add_test(tc, iomem_tells_the_name_that_the_kernel_gives);
	tcase_add_test(tc, nodes_beyond_those_that_are_remembered_are_left_out);
	tcase_add_test(tc, functions_have_the_ids_of_their_segment);
	tcase_add_test(tc, a_platform_device_has_the_ids_of_its_object);
	tcase_add_test(tc, a_machine_without_the_table_has_none);
	tcase_add_test(tc, a_machine_without_sysfs_is_not_said_to_have_none);
	tcase_add_test(tc, every_truncation_is_damage);
	tcase_add_test(tc, every_shorter_length_is_survived);
	tcase_add_test(tc, no_changed_byte_does_harm);
	tcase_add_test(tc, a_wrong_checksum_is_told_and_the_table_used);
	tcase_add_loop_test(tc, a_head_that_lies_is_damage, 0, (int)RIOMMU_ARRAY_SIZE(heads));
	tcase_add_loop_test(tc, a_node_that_lies_is_left_out_and_the_others_are_not, 0,
			    (int)RIOMMU_ARRAY_SIZE(lies));
	tcase_add_test(tc, a_path_that_does_not_end_is_left_out);
	tcase_add_test(tc, a_platform_device_of_four_thousand_million_ids_is_bounded);
	tcase_add_test(tc, a_device_tree_without_iommus_does_not_hide_the_table);
	suite_add_tcase(suite, tc);
	return run_suite(suite);
}
