// SPDX-License-Identifier: GPL-2.0-only
/*
 * Registers of RISC-V IOMMUs, to read, in debugfs.
 *
 *	/sys/kernel/debug/riscv-iommu/riscv-iommu@<device>/registers
 *
 * The driver in the kernel has no debugfs, and a kernel with IO_STRICT_DEVMEM refuses /dev/mem
 * for registers that a driver has claimed.  This module shows them, and can do nothing else: one
 * file an IOMMU, mode 0400, with no write, mmap or ioctl, which is what debugfs asks for to keep
 * a file readable under lockdown=integrity.
 *
 * It claims no region, binds to no device, and enables nothing: it looks at hardware that the
 * IOMMU driver owns.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
#include <linux/bits.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/io.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/pm_runtime.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#define PCI_CLASS_SYSTEM_IOMMU_RISCV 0x080600 /* class, subclass, interface */

#define REG_SPACE	0x1000		/* the specification's register page */

#define REG_CAP		0x000
#define REG_ICVEC	0x2f8
#define REG_MSI_TBL	0x300
#define MSI_TBL_STRIDE	16

#define CAP_MAJOR(cap)	(((cap) >> 4) & 0xf)
#define CAP_ATS		BIT_ULL(25)
#define CAP_IGS(cap)	(((cap) >> 28) & 3)
#define IGS_WSI		1
#define CAP_HPM		BIT_ULL(30)
#define CAP_DBG		BIT_ULL(31)
#define CAP_QOSID	BIT_ULL(41)

/*
 * Registers by their order in the page, with the capability that says that they exist.  Nothing
 * outside this table is read: a hole in the page answers with an access fault on some
 * implementations.
 */
static const struct {
	u16 offset;
	u8 width;
	u8 count;	/* so many, one after the other */
	u64 needs;	/* 0: always there */
} registers[] = {
	{ 0x000, 8, 1, 0 },		/* capabilities */
	{ 0x008, 4, 1, 0 },		/* fctl */
	{ 0x010, 8, 1, 0 },		/* ddtp */
	{ 0x018, 8, 1, 0 },		/* cqb */
	{ 0x020, 4, 2, 0 },		/* cqh, cqt */
	{ 0x028, 8, 1, 0 },		/* fqb */
	{ 0x030, 4, 2, 0 },		/* fqh, fqt */
	{ 0x038, 8, 1, CAP_ATS },	/* pqb */
	{ 0x040, 4, 2, CAP_ATS },	/* pqh, pqt */
	{ 0x048, 4, 2, 0 },		/* cqcsr, fqcsr */
	{ 0x050, 4, 1, CAP_ATS },	/* pqcsr */
	{ 0x054, 4, 1, 0 },		/* ipsr */
	{ 0x058, 4, 2, CAP_HPM },	/* iocountovf, iocountinh */
	{ 0x060, 8, 1, CAP_HPM },	/* iohpmcycles */
	{ 0x068, 8, 31, CAP_HPM },	/* iohpmctr1..31 */
	{ 0x160, 8, 31, CAP_HPM },	/* iohpmevt1..31 */
	{ 0x258, 8, 3, CAP_DBG },	/* tr_req_iova, tr_req_ctl, tr_response */
	{ 0x270, 4, 1, CAP_QOSID },	/* iommu_qosid */
	{ REG_ICVEC, 8, 1, 0 },
};

/* One IOMMU that has a directory. */
struct entry {
	struct list_head list;
	struct device *dev;
	struct dentry *dir;
};

static struct dentry *root;
static LIST_HEAD(entries);
static DEFINE_MUTEX(entries_lock);

/*
 * 32-bit accesses only: the specification does not promise that 64-bit ones are atomic, or even
 * work.  Should there be nothing behind the address after all, the fixup of the nofault read turns
 * an oops into an error.
 */
static int read32(void __iomem *base, unsigned int offset, u32 *value)
{
	__le32 raw;

	__get_kernel_nofault(&raw, (const void __force *)(base + offset), __le32, fault);
	mb(); /* device reads stay in order, as with readl() */
	*value = le32_to_cpu(raw);
	return 0;
fault:
	return -EFAULT;
}

/* High, low, high again: a counter may carry from one half into the other in between. */
static int read64(void __iomem *base, unsigned int offset, u64 *value)
{
	u32 hi, lo, again;
	int tries = 4;
	int err;

	err = read32(base, offset + 4, &again);
	do {
		hi = again;
		err = err ?: read32(base, offset, &lo);
		err = err ?: read32(base, offset + 4, &again);
	} while (!err && hi != again && --tries);
	if (err)
		return err;
	*value = (u64)again << 32 | lo;
	return 0;
}

static int show_one(struct seq_file *m, void __iomem *base, unsigned int offset,
		    unsigned int width, u64 *value)
{
	u32 low;
	int err;

	if (width == 8) {
		err = read64(base, offset, value);
	} else {
		err = read32(base, offset, &low);
		*value = low;
	}
	if (err) {
		seq_printf(m, "# error: access fault at offset 0x%x\n", offset);
		return err;
	}
	seq_printf(m, "0x%x %u 0x%llx\n", offset, width, *value);
	return 0;
}

/* As many entries as icvec can name: an implementation may have fewer than the 16 of the map. */
static void show_msi_table(struct seq_file *m, void __iomem *base, u64 icvec)
{
	unsigned int last = 0;
	unsigned int i, offset;
	u64 value;

	for (i = 0; i < 16; i += 4)
		last = max_t(unsigned int, last, (icvec >> i) & 0xf);

	for (i = 0; i <= last; i++) {
		offset = REG_MSI_TBL + i * MSI_TBL_STRIDE;
		if (show_one(m, base, offset, 8, &value) ||
		    show_one(m, base, offset + 8, 4, &value) ||
		    show_one(m, base, offset + 12, 4, &value))
			return;
	}
}

static void show_registers(struct seq_file *m, void __iomem *base)
{
	u64 cap, value;
	int i, n;

	if (read64(base, REG_CAP, &cap)) {
		seq_puts(m, "# error: access fault: nothing answers at this address\n");
		return;
	}
	if (cap == ~0ULL) {
		seq_puts(m, "# error: capabilities reads as all ones: the device does not answer\n");
		return;
	}
	if (CAP_MAJOR(cap) != 1) {
		seq_printf(m, "# error: capabilities 0x%llx is not that of a version 1 RISC-V IOMMU\n", cap);
		return;
	}

	value = 0;
	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		if ((cap & registers[i].needs) != registers[i].needs)
			continue;
		for (n = 0; n < registers[i].count; n++) {
			if (show_one(m, base, registers[i].offset + n * registers[i].width,
				     registers[i].width, &value))
				return;
		}
	}
	/* icvec is the last of the table, so value holds it. */
	if (CAP_IGS(cap) != IGS_WSI)
		show_msi_table(m, base, value);
}

/* Where the registers are now, or why they cannot be read.  Changes nothing: no wake-up. */
static const char *find_base(struct device *dev, resource_size_t *base)
{
	struct resource *res;

	if (dev_is_pci(dev)) {
		struct pci_dev *pdev = to_pci_dev(dev);
		u16 command;

		if (!pci_device_is_present(pdev))
			return "the device is not there";
		if (pdev->current_state != PCI_D0 && pdev->current_state != PCI_UNKNOWN)
			return "the device is in a low-power state";
		pci_read_config_word(pdev, PCI_COMMAND, &command);
		if (!(command & PCI_COMMAND_MEMORY))
			return "memory decoding is off";
		res = &pdev->resource[0];
	} else {
		if (pm_runtime_suspended(dev))
			return "the device is suspended";
		res = platform_get_resource(to_platform_device(dev), IORESOURCE_MEM, 0);
	}
	if (!res || !(res->flags & IORESOURCE_MEM) || (res->flags & IORESOURCE_UNSET) || !res->start)
		return "no register region";
	if (resource_size(res) < REG_SPACE)
		return "the register region is smaller than 4 KiB";
	*base = res->start;
	return NULL;
}

/*
 * The mapping lives only as long as the read.  debugfs waits for readers before a file is gone,
 * and entry_del() removes the file before the device lets go of its registers: so a mapping never
 * outlives them.
 */
static int registers_show(struct seq_file *m, void *unused)
{
	struct device *dev = m->private;
	resource_size_t base;
	const char *why;
	void __iomem *regs;

	seq_puts(m, "# riscv-iommu registers 1\n");
	why = find_base(dev, &base);
	if (why) {
		seq_printf(m, "# error: %s\n", why);
		return 0;
	}
	seq_printf(m, "base 0x%llx\n", (unsigned long long)base);

	regs = ioremap(base, REG_SPACE);
	if (!regs)
		return -ENOMEM;
	show_registers(m, regs);
	iounmap(regs);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(registers);

static const struct acpi_device_id acpi_ids[] = {
	{ "RSCV0004" },
	{ }
};

static bool is_iommu(struct device *dev)
{
	if (dev_is_pci(dev))
		return to_pci_dev(dev)->class == PCI_CLASS_SYSTEM_IOMMU_RISCV;
	return of_device_is_compatible(dev->of_node, "riscv,iommu") ||
	       acpi_match_device(acpi_ids, dev);
}

static struct entry *entry_find(struct device *dev)
{
	struct entry *e;

	list_for_each_entry(e, &entries, list) {
		if (e->dev == dev)
			return e;
	}
	return NULL;
}

/* For bus_for_each_dev(): goes on after a failure, since one IOMMU less is better than none. */
static int entry_add(struct device *dev, void *unused)
{
	struct entry *e;
	char *name;

	if (!is_iommu(dev))
		return 0;

	mutex_lock(&entries_lock);
	if (entry_find(dev))
		goto out;
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	name = kasprintf(GFP_KERNEL, "riscv-iommu@%s", dev_name(dev)); /* as in sysfs */
	if (e && name) {
		e->dev = get_device(dev);
		e->dir = debugfs_create_dir(name, root);
		debugfs_create_file("registers", 0400, e->dir, dev, &registers_fops);
		list_add(&e->list, &entries);
		e = NULL;
	}
	kfree(name);
	kfree(e);
out:
	mutex_unlock(&entries_lock);
	return 0;
}

static void entry_free(struct entry *e)
{
	debugfs_remove(e->dir); /* waits for readers */
	list_del(&e->list);
	put_device(e->dev);
	kfree(e);
}

static void entry_del(struct device *dev)
{
	struct entry *e;

	mutex_lock(&entries_lock);
	e = entry_find(dev);
	if (e)
		entry_free(e);
	mutex_unlock(&entries_lock);
}

static int bus_event(struct notifier_block *nb, unsigned long action, void *data)
{
	switch (action) {
	case BUS_NOTIFY_ADD_DEVICE:
		entry_add(data, NULL);
		break;
	/*
	 * The first comes before the device's resources go.  The second catches a device that the
	 * walk in module init saw between the two.
	 */
	case BUS_NOTIFY_DEL_DEVICE:
	case BUS_NOTIFY_REMOVED_DEVICE:
		entry_del(data);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block platform_nb = { .notifier_call = bus_event };
static struct notifier_block pci_nb = { .notifier_call = bus_event };

static int __init riscv_iommu_debugfs_init(void)
{
	int err;

	root = debugfs_create_dir("riscv-iommu", NULL);
	if (IS_ERR(root))
		return PTR_ERR(root);

	/* Notifiers first, walk second: what arrives in between is seen twice, added once. */
	err = bus_register_notifier(&platform_bus_type, &platform_nb);
	if (err)
		goto err_root;
	err = bus_register_notifier(&pci_bus_type, &pci_nb);
	if (err)
		goto err_platform;
	bus_for_each_dev(&platform_bus_type, NULL, NULL, entry_add);
	bus_for_each_dev(&pci_bus_type, NULL, NULL, entry_add);
	return 0;

err_platform:
	bus_unregister_notifier(&platform_bus_type, &platform_nb);
err_root:
	debugfs_remove(root);
	return err;
}

static void __exit riscv_iommu_debugfs_exit(void)
{
	struct entry *e, *next;

	/* No event comes after these return, so nothing is added behind our back. */
	bus_unregister_notifier(&pci_bus_type, &pci_nb);
	bus_unregister_notifier(&platform_bus_type, &platform_nb);

	mutex_lock(&entries_lock);
	list_for_each_entry_safe(e, next, &entries, list)
		entry_free(e);
	mutex_unlock(&entries_lock);
	debugfs_remove(root);
}

module_init(riscv_iommu_debugfs_init);
module_exit(riscv_iommu_debugfs_exit);

MODULE_DESCRIPTION("Registers of RISC-V IOMMUs in debugfs, read only");
MODULE_LICENSE("GPL");
