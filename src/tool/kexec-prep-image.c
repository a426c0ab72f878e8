/* SPDX-License-Identifier: GPL-2.0-or-later */
/* image, dtb: the two things that the next kernel is started with. */
#include "config.h"

#include "kexec-prep.h"

#include "base/file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

/* -- kernels ------------------------------------------------------------------------------------------------------ */

static int read_kernel(struct prep *p, struct prep_kernel *k)
{
	char *packed;
	struct stat st;
	size_t len;
	int err = stat(k->path, &st) ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;

	if (!err)
		err = riommu_read_file(k->path, RIOMMU_IMAGE_MAX, &packed, &len);
	if (err)
		return riommu_fail(p->ctx, err, "%s", riommu_read_reason(err));
	if (S_ISREG(st.st_mode) && len < (uint64_t)st.st_size) {
		free(packed); /* nothing else in an Image tells that its end is missing */
		return riommu_fail(p->ctx, -EBADMSG,
				   "became shorter while it was read; take a copy of it");
	}
	k->mode = st.st_mode & 0666;
	err = riommu_image_unpack(p->ctx, packed, len, &k->bytes, &k->len, &k->packing);
	free(packed);
	return err ? err : riommu_image_inspect(p->ctx, k->bytes, k->len, &k->image);
}

bool prep_kernel_open(struct prep *p, const char *path, struct prep_kernel *k)
{
	int err;

	*k = (struct prep_kernel){.path = path};
	err = read_kernel(p, k);
	if (!err) {
		kernel_learn(p, path, k->bytes, k->len, &k->known);
		return true;
	}
	out_error(&p->out, err, "%s: %s", path, riommu_error(p->ctx));
	prep_kernel_close(k);
	return false;
}

void prep_kernel_close(struct prep_kernel *k)
{
	free(k->bytes);
	k->bytes = NULL;
}

const char *prep_driver_problem(const struct prep_kernel *k, const struct riommu_iommu *iommu,
				const char *command_line, char *words, size_t size)
{
	enum driver driver = iommu_driver(iommu);
	const char *held = command_line ? kernel_driver_disabled(command_line, driver) : NULL;

	if (k->known.driver[driver] == ANSWER_NO)
		snprintf(words, size, "the next kernel has no driver for it (%s, by %s)",
			 driver == DRIVER_PCI ? "RISCV_IOMMU_PCI" : "RISCV_IOMMU",
			 k->known.evidence);
	else if (held)
		snprintf(words, size,
			 "initcall_blacklist=%s on its command line keeps the next kernel from "
			 "driving it",
			 held);
	else
		return NULL;
	return words;
}

/* -- the table of the stub ------------------------------------------------------------------------------------------ */

static bool add_iommu(struct prep *p, const struct riommu_iommu *iommu,
		      struct riommu_stub_table *table)
{
	struct riommu_stub_iommu *entry = &table->iommu[table->count];
	uint64_t capabilities;

	if (table->count == RIOMMU_RECORD_MAX) {
		out_error(&p->out, -EINVAL,
			  "more than %d IOMMUs do not fit into the stub's table; choose with -u",
			  RIOMMU_RECORD_MAX);
		return false;
	}
	if (riommu_iommu_reg(iommu, RIOMMU_REG_CAPABILITIES, &capabilities) ||
	    !riommu_capabilities_plausible(capabilities)) {
		capabilities = 0;
		fprintf(stderr,
			"%s: note: %s: capabilities are not known (%s): the stub will take any "
			"that are plausible\n",
			program, iommu->name, iommu->reason);
	}
	entry->base = iommu->base;
	entry->capabilities = capabilities;
	entry->policy = prep_policy(p, iommu);
	table->count++;
	return true;
}

static bool fill_table(struct prep *p, const struct prep_kernel *k, const char *command_line,
		       struct riommu_stub_table *table)
{
	char words[512];
	bool good = true;

	table->count = 0;
	for (size_t i = 0; prep_next_iommu(p, &i); i++) {
		const struct riommu_iommu *iommu = &p->sys->iommus[i];
		const char *problem =
			prep_policy(p, iommu) == RIOMMU_POLICY_LEAVE
				? NULL
				: prep_driver_problem(k, iommu, command_line, words, sizeof(words));

		if (problem && p->force) {
			fprintf(stderr, "%s: note: %s: %s: its devices stay cut off\n", program,
				iommu->name, problem);
		} else if (problem) {
			prep_refuse(p,
				    "%s: %s: with DMA blocked for good, its devices (disks) would "
				    "not work; --policy %s=leave, or --force",
				    iommu->name, problem, iommu->name);
			good = false;
		}
		if (!add_iommu(p, iommu, table))
			return false;
	}
	return good;
}

bool prep_wrap(struct prep *p, struct prep_kernel *k, const char *command_line)
{
	struct riommu_stub_table table;
	void *wrapped;
	size_t len;
	int err;

	if (!fill_table(p, k, command_line, &table))
		return false;
	err = riommu_image_wrap(p->ctx, k->bytes, k->len, &table, RIOMMU_LAYOUT_AUTO, &wrapped,
				&len, &k->image);
	if (err) {
		out_error(&p->out, err, "%s: %s", k->path, riommu_error(p->ctx));
		return false;
	}
	free(k->bytes);
	k->bytes = wrapped;
	k->len = len;
	return true;
}

/* -- showing ------------------------------------------------------------------------------------------------------ */

static struct json_object *entry_json(const struct prep *p, const struct riommu_stub_iommu *entry)
{
	struct json_object *obj = json_object_new_object();
	const char *name = prep_name(p, entry->base);

	json_add(obj, "base", json_hex(entry->base));
	json_add(obj, "name", json_text(name[0] ? name : NULL));
	json_add(obj, "policy", json_text(riommu_policy_name(entry->policy)));
	json_add(obj, "capabilities", entry->capabilities ? json_hex(entry->capabilities) : NULL);
	return obj;
}

void prep_show_table(struct prep *p, const struct riommu_image *image)
{
	out_list_begin(&p->out, "iommus");
	for (uint32_t i = 0; i < image->table.count; i++) {
		const struct riommu_stub_iommu *entry = &image->table.iommu[i];

		if (in_json(&p->out)) {
			out_item(&p->out, entry_json(p, entry));
			continue;
		}
		printf("  %-20s 0x%-12" PRIx64 " %-6s ", prep_name(p, entry->base), entry->base,
		       riommu_policy_name(entry->policy));
		if (entry->capabilities)
			printf("if capabilities are 0x%" PRIx64 "\n", entry->capabilities);
		else
			printf("if capabilities are plausible (not known now)\n");
	}
	out_list_end(&p->out);
}

static struct json_object *answer_json(enum answer answer)
{
	return answer == ANSWER_UNKNOWN ? NULL : json_object_new_boolean(answer == ANSWER_YES);
}

static struct json_object *kernel_json(const struct prep_kernel *k)
{
	struct json_object *obj = json_object_new_object();
	char layout[2] = {(char)k->image.layout, '\0'};

	json_add(obj, "path", prep_json_text(k->path));
	json_add(obj, "release", json_text(k->known.release[0] ? k->known.release : NULL));
	json_add(obj, "packing", json_text(riommu_packing_name(k->packing)));
	json_add(obj, "layout", k->image.wrapped ? json_text(layout) : NULL);
	json_add(obj, "size", json_object_new_int64((int64_t)k->image.size));
	json_add(obj, "image_size", json_object_new_int64((int64_t)k->image.image_size));
	json_add(obj, "driver_platform", answer_json(k->known.driver[DRIVER_PLATFORM]));
	json_add(obj, "driver_pci", answer_json(k->known.driver[DRIVER_PCI]));
	json_add(obj, "evidence", json_text(k->known.evidence));
	return obj;
}

static void show_image(struct prep *p, const struct prep_kernel *k)
{
	out_member(&p->out, "kernel", in_json(&p->out) ? kernel_json(k) : NULL);
	out_member(&p->out, "output", prep_json_text(p->output));
	if (!in_json(&p->out))
		printf("%s: kernel %s (%s), wrapped with layout %c (%s)\n", p->output,
		       k->known.release[0] ? k->known.release : "of unknown release",
		       riommu_packing_name(k->packing), (char)k->image.layout,
		       riommu_layout_name(k->image.layout));
	prep_show_table(p, &k->image);
}

/* -- commands ----------------------------------------------------------------------------------------------------- */

/* OUT is to be another file than what is read. */
static bool output_given(struct prep *p, const char *input)
{
	struct stat in, out;

	if (!p->output)
		out_error(&p->out, -EINVAL, "where to? -o OUT");
	else if (input && !stat(input, &in) && !stat(p->output, &out) && in.st_dev == out.st_dev &&
		 in.st_ino == out.st_ino)
		out_error(&p->out, -EINVAL,
			  "%s would be overwritten; it stays as it is: choose another -o", input);
	else
		return true;
	return false;
}

/* Writes the file, which is the last that is done; reported when it fails. */
static bool write_output(struct prep *p, const void *bytes, size_t len, unsigned mode)
{
	int err;

	hold_signals();
	err = riommu_write_file(p->ctx, p->output, bytes, len, mode);
	release_signals();
	sandbox(&p->options, SANDBOX_CLOSED, stderr);
	if (err)
		out_error(&p->out, err, "%s", riommu_error(p->ctx)); /* which names the file */
	return !err;
}

void prep_image(struct prep *p, int argc, char **argv)
{
	struct prep_kernel k;

	if (argc != 1) {
		out_error(&p->out, -EINVAL, "image takes one kernel: image IN -o OUT");
		return;
	}
	if (!output_given(p, argv[0]))
		return;
	sandbox(&p->options, SANDBOX_CREATING, stderr); /* the machine's files are open */
	out_begin(&p->out, PREP_SCHEMA, p->sys);
	if (!prep_kernel_open(p, argv[0], &k))
		return;
	if (prep_wrap(p, &k, p->append) && write_output(p, k.bytes, k.len, k.mode))
		show_image(p, &k);
	prep_kernel_close(&k);
}

void *prep_tree(struct prep *p, const char *path, size_t *len)
{
	void *tree = NULL;
	char *text;
	size_t text_len;
	int err;

	if (!path)
		path = riommu_option(p->ctx, "fdt.path");
	err = riommu_read_file(path, RIOMMU_FDT_MAX, &text, &text_len);
	if (err) {
		out_error(&p->out, err, "%s: no device tree to start from: %s", path,
			  riommu_read_reason(err));
		return NULL;
	}
	err = riommu_record_put(p->ctx, text, text_len, RIOMMU_RECORD_MAX, &tree, len);
	free(text);
	if (err) {
		out_error(&p->out, err, "%s: %s", path, riommu_error(p->ctx));
		return NULL;
	}
	return tree;
}

void prep_dtb(struct prep *p, int argc, char **argv)
{
	size_t len;
	void *tree;

	if (argc) {
		out_error(&p->out, -EINVAL, "dtb takes no argument '%s': dtb -o OUT", argv[0]);
		return;
	}
	if (!output_given(p, p->tree))
		return;
	sandbox(&p->options, SANDBOX_CREATING, stderr);
	out_begin(&p->out, PREP_SCHEMA, NULL);
	tree = prep_tree(p, p->tree, &len);
	if (tree && write_output(p, tree, len, 0600)) { /* it can hold seeds of random numbers */
		out_member(&p->out, "output", prep_json_text(p->output));
		out_member(&p->out, "capacity", json_object_new_int(RIOMMU_RECORD_MAX));
		if (!in_json(&p->out))
			printf("%s: a device tree with a record that no stub has seen yet\n",
			       p->output);
	}
	free(tree);
}
