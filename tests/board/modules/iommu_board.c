// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test only.  Gives QEMU's edu device a paging domain with known mappings, and starts its DMA
 * engine.
 *
 * Linux on RISC-V gives every device an identity domain, so without something like this (or VFIO)
 * there is no page table to look at.  In debugfs:
 *
 *	iommu-board/map		what is mapped, a line each
 *	iommu-board/dma		write "read IOVA LEN" (the device reads memory into its buffer)
 *				or "write IOVA LEN" (its buffer to memory); returns when it is done;
 *				"arm IOVA LEN" is a write that is only told, and starts 100 ms later
 *
 * edu does not say whether its transfer got through.  To see that, read one mapping, write
 * another, and compare the data= of the two in map.
 *
 * With domain=0 nothing is mapped and the device stays in its identity domain: an address is then
 * a physical address, and a "write" lands there, whatever it holds.  map shows one page that is
 * safe.
 *
 * edu must have been created with dma_mask=0xffffffffffffffff; by default it cuts addresses to 28
 * bits.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>

#define EDU_VENDOR	0x1234
#define EDU_DEVICE	0x11e8
#define EDU_DMA_SRC	0x80
#define EDU_DMA_DST	0x88
#define EDU_DMA_COUNT	0x90
#define EDU_DMA_CMD	0x98
#define EDU_DMA_RUN	BIT(0)
#define EDU_DMA_TO_RAM	BIT(1)
#define EDU_BUFFER	0x40000		/* outside of it QEMU's own memory is hit */
#define EDU_BUFFER_SIZE	0x1000
#define MARK		0xb0a2d00000000000ULL	/* bits 43:32 range, 31:0 page */

static char *dev = "0000:00:01.0";
module_param(dev, charp, 0444);
MODULE_PARM_DESC(dev, "PCI name of the edu device");

static bool domain = true;
module_param(domain, bool, 0444);
MODULE_PARM_DESC(domain, "give the device a paging domain (default), or leave its identity domain");

/* Chosen for the leaves they lead to: two of 2 MiB, one of 64 KiB (Svnapot), and 4 KiB. */
static struct mapping {
	unsigned long iova;
	size_t size;
	int prot;
	struct page *pages;
} ranges[] = {
	{ 0x100000000, SZ_4M, IOMMU_READ | IOMMU_WRITE },
	{ 0x200000000, SZ_64K, IOMMU_READ },
	{ 0x300001000, SZ_4K, IOMMU_READ | IOMMU_WRITE },
	{ 0x300003000, SZ_4K, IOMMU_READ | IOMMU_WRITE | IOMMU_NOEXEC },
};

static struct pci_dev *edu;
static void __iomem *regs;
static struct iommu_group *group;
static struct iommu_domain *dom;
static struct dentry *root;
static DEFINE_MUTEX(dma_lock);

static int map_show(struct seq_file *m, void *unused)
{
	int i;

	seq_printf(m, "device %s id=0x%x domain=%s\n", pci_name(edu), pci_dev_id(edu),
		   dom ? "paging" : "identity");
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct mapping *r = &ranges[i];
		phys_addr_t pa;

		if (!r->pages)
			continue;
		pa = page_to_phys(r->pages);
		seq_printf(m, "map iova=0x%llx pa=0x%llx size=0x%zx prot=%c%c%c data=0x%llx\n",
			   dom ? (u64)r->iova : (u64)pa, (u64)pa, r->size,
			   r->prot & IOMMU_READ ? 'r' : '-',
			   r->prot & IOMMU_WRITE ? 'w' : '-',
			   r->prot & IOMMU_NOEXEC ? '-' : 'x',
			   READ_ONCE(*(u64 *)page_address(r->pages)));
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(map);

static void start_dma(u64 iova, u64 len, bool to_ram)
{
	writeq(to_ram ? EDU_BUFFER : iova, regs + EDU_DMA_SRC);
	writeq(to_ram ? iova : EDU_BUFFER, regs + EDU_DMA_DST);
	writeq(len, regs + EDU_DMA_COUNT);
	writel(EDU_DMA_RUN | (to_ram ? EDU_DMA_TO_RAM : 0), regs + EDU_DMA_CMD);
}

static int finish_dma(void)
{
	int i;

	/* The device starts 100 ms later. */
	for (i = 0; i < 300; i++) {
		msleep(10);
		if (!(readl(regs + EDU_DMA_CMD) & EDU_DMA_RUN))
			return 0;
	}
	return -ETIMEDOUT;
}

static ssize_t dma_write(struct file *file, const char __user *user, size_t count, loff_t *pos)
{
	char text[64], verb[8];
	u64 iova, len;
	int err = 0;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, user, count))
		return -EFAULT;
	text[count] = '\0';
	if (sscanf(text, "%7s %lli %lli", verb, &iova, &len) != 3)
		return -EINVAL;
	if (!len || len > EDU_BUFFER_SIZE ||
	    (strcmp(verb, "read") && strcmp(verb, "write") && strcmp(verb, "arm")))
		return -EINVAL;

	mutex_lock(&dma_lock);
	start_dma(iova, len, verb[0] != 'r');
	if (verb[0] != 'a')
		err = finish_dma();
	mutex_unlock(&dma_lock);
	return err ?: count;
}

static const struct file_operations dma_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = dma_write,
};

static int alloc_ranges(void)
{
	unsigned long page;
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct mapping *r = &ranges[i];

		if (!domain && r->size != SZ_4K)
			continue;
		/* One block each, aligned to its size, so that large leaves are possible. */
		r->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, get_order(r->size));
		if (!r->pages)
			return -ENOMEM;
		/* Each page knows which it is, so that data shows where a transfer really went. */
		for (page = 0; page < r->size / PAGE_SIZE; page++)
			*(u64 *)(page_address(r->pages) + page * PAGE_SIZE) =
				MARK | (u64)i << 32 | page;
		if (!domain)
			return 0;
	}
	return 0;
}

static void free_ranges(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (ranges[i].pages)
			__free_pages(ranges[i].pages, get_order(ranges[i].size));
		ranges[i].pages = NULL;
	}
}

/* All is mapped before the device is attached: the first translation sees the finished tables. */
static int attach_domain(void)
{
	int i, err;

	group = iommu_group_get(&edu->dev);
	if (!group) {
		pr_err("%s has no IOMMU\n", pci_name(edu));
		return -ENODEV;
	}
	dom = iommu_paging_domain_alloc(&edu->dev);
	if (IS_ERR(dom)) {
		err = PTR_ERR(dom);
		goto err_group;
	}
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		err = iommu_map(dom, ranges[i].iova, page_to_phys(ranges[i].pages), ranges[i].size,
				ranges[i].prot, GFP_KERNEL);
		if (err)
			goto err_map;
	}
	err = iommu_attach_group(dom, group);
	if (!err)
		return 0;
err_map:
	while (--i >= 0)
		iommu_unmap(dom, ranges[i].iova, ranges[i].size);
	iommu_domain_free(dom);
err_group:
	iommu_group_put(group);
	dom = NULL;
	return err;
}

static void detach_domain(void)
{
	int i;

	if (!dom)
		return;
	iommu_detach_group(dom, group);
	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		iommu_unmap(dom, ranges[i].iova, ranges[i].size);
	iommu_domain_free(dom);
	iommu_group_put(group);
}

static int __init iommu_board_init(void)
{
	unsigned int seg, bus, slot, fn;
	int err;

	if (sscanf(dev, "%x:%x:%x.%u", &seg, &bus, &slot, &fn) != 4)
		return -EINVAL;
	edu = pci_get_domain_bus_and_slot(seg, bus, PCI_DEVFN(slot, fn));
	if (!edu || edu->vendor != EDU_VENDOR || edu->device != EDU_DEVICE) {
		pr_err("%s is not an edu device\n", dev);
		pci_dev_put(edu);
		return -ENODEV;
	}
	err = pci_enable_device_mem(edu);
	if (err)
		goto err_put;
	regs = pci_iomap(edu, 0, 0);
	if (!regs) {
		err = -ENOMEM;
		goto err_disable;
	}
	err = alloc_ranges();
	if (!err && domain)
		err = attach_domain();
	if (err)
		goto err_ranges;

	pci_set_master(edu);
	root = debugfs_create_dir("iommu-board", NULL);
	debugfs_create_file("map", 0400, root, NULL, &map_fops);
	debugfs_create_file("dma", 0200, root, NULL, &dma_fops);
	return 0;

err_ranges:
	free_ranges();
	pci_iounmap(edu, regs);
err_disable:
	pci_disable_device(edu);
err_put:
	pci_dev_put(edu);
	return err;
}

static void __exit iommu_board_exit(void)
{
	debugfs_remove(root); /* waits for a transfer that somebody started */
	pci_clear_master(edu);
	detach_domain();
	free_ranges();
	pci_iounmap(edu, regs);
	pci_disable_device(edu);
	pci_dev_put(edu);
}

module_init(iommu_board_init);
module_exit(iommu_board_exit);

MODULE_DESCRIPTION("Test board: known IOMMU mappings and DMA for QEMU's edu device");
MODULE_LICENSE("GPL");
