// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test only.  Gives QEMU's edu device a paging domain with known mappings, and starts its DMA
 * engine.
 *
 * Linux on RISC-V gives every device an identity domain, so without something like this (or VFIO)
 * there is no page table to look at.  In debugfs:
 *
 *	iommu-board/map		what is mapped, a line each
 *	iommu-board/change	write "map IOVA PA SIZE rwx" (any memory at all, "-" for what is not
 *				granted) or "unmap IOVA" (one line of map)
 *	iommu-board/dma		write "read IOVA LEN" (the device reads memory into its buffer)
 *				or "write IOVA LEN" (its buffer to memory); returns when it is done;
 *				"arm IOVA LEN" is a write that is only told, and starts 100 ms later
 *	iommu-board/storm	write "read|write FIRST STEP LEN SECONDS": transfers of LEN bytes at
 *				FIRST, FIRST + STEP, ..., each as soon as the one before is done, for
 *				so long, or until a signal comes; "held FIRST STEP LEN COUNT": COUNT
 *				writes while all harts stand still, so that no driver sees their
 *				faults in time.  Reading tells how many transfers the last one made,
 *				and where the next would begin
 *
 * edu does not say whether its transfer got through.  To see that, read one mapping, write
 * another, and compare the data= of the two in map.
 *
 * With domain=0 nothing is mapped and the device stays in its identity domain: an address is then
 * a physical address, and a "write" lands there, whatever it holds.  map shows one page that is
 * safe.
 *
 * dev= may name more edu devices: they share the domain and take their turns in a storm.
 *
 * edu must have been created with dma_mask=0xffffffffffffffff; by default it cuts addresses to 28
 * bits.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/jiffies.h>
#include <linux/gfp.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/iommu.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/stop_machine.h>

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

#define MAX_EDUS	4

static char *dev[MAX_EDUS] = { "0000:00:01.0" };
static unsigned int dev_count = 1;
module_param_array(dev, charp, &dev_count, 0444);
MODULE_PARM_DESC(dev, "PCI names of edu devices; all but storms are the first one's");

static bool domain = true;
module_param(domain, bool, 0444);
MODULE_PARM_DESC(domain, "give the device a paging domain (default), or leave its identity domain");

/*
 * Chosen for the leaves they lead to: two of 2 MiB, one of 64 KiB (Svnapot), and 4 KiB; all three kinds
 * in one range; and neighbours of that which go on in IOVA, but not in permissions, or not in PA; two
 * that go on in both, so that nobody can see the seam; the last page of the lower half of Sv57.
 */
static struct mapping {
	unsigned long iova;
	size_t size;
	int prot;
	size_t offset;		/* not 0: no memory of its own, but this far into the last one's */
	struct page *pages;
	phys_addr_t pa;
	bool mapped, foreign;
} ranges[24] = {
	{ 0x100000000, SZ_4M, IOMMU_READ | IOMMU_WRITE },
	{ 0x200000000, SZ_64K, IOMMU_READ },
	{ 0x300001000, SZ_4K, IOMMU_READ | IOMMU_WRITE },
	{ 0x300003000, SZ_4K, IOMMU_READ | IOMMU_WRITE | IOMMU_NOEXEC },
	{ 0x400000000, SZ_2M + SZ_64K + 3 * SZ_4K, IOMMU_READ | IOMMU_WRITE },
	{ 0x400213000, SZ_4K, IOMMU_READ, 0x213000 },
	{ 0x400214000, SZ_4K, IOMMU_READ, 0x300000 },
	{ 0x400215000, SZ_8K, IOMMU_READ, 0x301000 },
	{ 0xfffffffffff000, SZ_4K, IOMMU_READ | IOMMU_WRITE },
};

static struct edu {
	struct pci_dev *pdev;
	void __iomem *regs;
	struct iommu_group *group;
} edus[MAX_EDUS];
static struct iommu_domain *dom;
static struct dentry *root;
static DEFINE_MUTEX(dma_lock);
static DEFINE_MUTEX(map_lock);	/* ranges[] */
static u64 storm_count, storm_next;

static int map_show(struct seq_file *m, void *unused)
{
	int i;

	seq_printf(m, "device %s id=0x%x domain=%s\n", pci_name(edus[0].pdev),
		   pci_dev_id(edus[0].pdev), dom ? "paging" : "identity");
	mutex_lock(&map_lock);
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		struct mapping *r = &ranges[i];

		if (!r->mapped)
			continue;
		seq_printf(m, "map iova=0x%llx pa=0x%llx size=0x%zx prot=%c%c%c",
			   dom ? (u64)r->iova : (u64)r->pa, (u64)r->pa, r->size,
			   r->prot & IOMMU_READ ? 'r' : '-',
			   r->prot & IOMMU_WRITE ? 'w' : '-',
			   r->prot & IOMMU_NOEXEC ? '-' : 'x');
		if (r->foreign)
			seq_puts(m, " foreign\n");
		else
			seq_printf(m, " data=0x%llx\n", READ_ONCE(*(u64 *)phys_to_virt(r->pa)));
	}
	mutex_unlock(&map_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(map);

/* What one writes to a file here: a line of words. */
static int get_line(char *text, size_t size, const char __user *user, size_t count)
{
	if (count >= size)
		return -EINVAL;
	if (copy_from_user(text, user, count))
		return -EFAULT;
	text[count] = '\0';
	return 0;
}

static int map_range(struct mapping *r)
{
	int err = iommu_map(dom, r->iova, r->pa, r->size, r->prot, GFP_KERNEL);

	if (err)
		pr_err("cannot map 0x%lx: %d\n", r->iova, err);
	r->mapped = !err;
	return err;
}

static void unmap_range(struct mapping *r)
{
	if (r->mapped)
		iommu_unmap(dom, r->iova, r->size);
	r->mapped = false;
}

static int change_map(u64 iova, u64 pa, u64 size, const char *prot)
{
	struct mapping *r;
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		r = &ranges[i];
		if (r->mapped || r->pages || (r->size && !r->foreign))
			continue;
		*r = (struct mapping){ .iova = iova, .size = size, .pa = pa, .foreign = true };
		r->prot = (strchr(prot, 'r') ? IOMMU_READ : 0) |
			  (strchr(prot, 'w') ? IOMMU_WRITE : 0) |
			  (strchr(prot, 'x') ? 0 : IOMMU_NOEXEC);
		return map_range(r);
	}
	return -ENOSPC;
}

static int change_unmap(u64 iova)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		if (!ranges[i].mapped || ranges[i].iova != iova)
			continue;
		unmap_range(&ranges[i]);
		return 0;
	}
	return -ENOENT;
}

static ssize_t change_write(struct file *file, const char __user *user, size_t count, loff_t *pos)
{
	char text[96], prot[8];
	u64 iova, pa, size;
	int err = get_line(text, sizeof(text), user, count);

	if (err)
		return err;
	if (!dom)
		return -ENODEV;
	mutex_lock(&map_lock);
	if (sscanf(text, "map %lli %lli %lli %7s", &iova, &pa, &size, prot) == 4)
		err = change_map(iova, pa, size, prot);
	else if (sscanf(text, "unmap %lli", &iova) == 1)
		err = change_unmap(iova);
	else
		err = -EINVAL;
	mutex_unlock(&map_lock);
	return err ?: count;
}

static const struct file_operations change_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = change_write,
};

static void start_dma(struct edu *edu, u64 iova, u64 len, bool to_ram)
{
	void __iomem *regs = edu->regs;

	writeq(to_ram ? EDU_BUFFER : iova, regs + EDU_DMA_SRC);
	writeq(to_ram ? iova : EDU_BUFFER, regs + EDU_DMA_DST);
	writeq(len, regs + EDU_DMA_COUNT);
	writel(EDU_DMA_RUN | (to_ram ? EDU_DMA_TO_RAM : 0), regs + EDU_DMA_CMD);
}

static bool busy_dma(struct edu *edu)
{
	return readl(edu->regs + EDU_DMA_CMD) & EDU_DMA_RUN;
}

static int finish_dma(struct edu *edu)
{
	int i;

	/* The device starts 100 ms later. */
	for (i = 0; i < 300; i++) {
		msleep(10);
		if (!busy_dma(edu))
			return 0;
	}
	return -ETIMEDOUT;
}

/* A storm: whoever is idle gets the next address. */
static int storm(u64 first, u64 step, u64 len, u64 seconds, bool to_ram)
{
	unsigned long end = jiffies + seconds * HZ;
	int i, err = 0;

	storm_next = first;
	storm_count = 0;
	while (!err && time_before(jiffies, end)) {
		for (i = 0; i < dev_count; i++) {
			if (busy_dma(&edus[i]))
				continue;
			start_dma(&edus[i], storm_next, len, to_ram);
			storm_next += step;
			storm_count++;
		}
		usleep_range(200, 400);
		if (signal_pending(current))
			err = -EINTR;
	}
	for (i = 0; i < dev_count; i++)
		finish_dma(&edus[i]);
	return err;
}

struct held {
	u64 first, step, len, count;
};

/* Runs with interrupts off, while every other hart waits. */
static int held_storm(void *data)
{
	struct held *held = data;
	int i;

	storm_next = held->first;
	for (storm_count = 0; storm_count < held->count; storm_count++) {
		start_dma(&edus[0], storm_next, held->len, true);
		storm_next += held->step;
		for (i = 0; i < 1000 && busy_dma(&edus[0]); i++)
			mdelay(1);
	}
	return 0;
}

static ssize_t storm_write(struct file *file, const char __user *user, size_t count, loff_t *pos)
{
	struct held held;
	char text[96], verb[8];
	int err = get_line(text, sizeof(text), user, count);

	if (err)
		return err;
	if (sscanf(text, "%7s %lli %lli %lli %lli", verb, &held.first, &held.step, &held.len,
		   &held.count) != 5)
		return -EINVAL;
	if (!held.len || held.len > EDU_BUFFER_SIZE || held.count > 3600)
		return -EINVAL;
	/* In the identity domain this would be the end of everything. */
	if (!dom)
		return -ENODEV;

	mutex_lock(&dma_lock);
	if (!strcmp(verb, "held"))
		err = held.count > 20 ? -EINVAL : stop_machine(held_storm, &held, NULL);
	else if (!strcmp(verb, "read") || !strcmp(verb, "write"))
		err = storm(held.first, held.step, held.len, held.count, verb[0] == 'w');
	else
		err = -EINVAL;
	mutex_unlock(&dma_lock);
	return err ?: count;
}

static int storm_show(struct seq_file *m, void *unused)
{
	seq_printf(m, "transfers=%llu next=0x%llx devices=%d\n", storm_count, storm_next, dev_count);
	return 0;
}

static int storm_open(struct inode *inode, struct file *file)
{
	return single_open(file, storm_show, NULL);
}

static const struct file_operations storm_fops = {
	.owner = THIS_MODULE,
	.open = storm_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
	.write = storm_write,
};

static ssize_t dma_write(struct file *file, const char __user *user, size_t count, loff_t *pos)
{
	char text[64], verb[8];
	u64 iova, len;
	int err = get_line(text, sizeof(text), user, count);

	if (err)
		return err;
	if (sscanf(text, "%7s %lli %lli", verb, &iova, &len) != 3)
		return -EINVAL;
	if (!len || len > EDU_BUFFER_SIZE ||
	    (strcmp(verb, "read") && strcmp(verb, "write") && strcmp(verb, "arm")))
		return -EINVAL;

	mutex_lock(&dma_lock);
	start_dma(&edus[0], iova, len, verb[0] != 'r');
	if (verb[0] != 'a')
		err = finish_dma(&edus[0]);
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
	phys_addr_t block = 0;
	unsigned long page;
	int i;

	for (i = 0; i < ARRAY_SIZE(ranges) && ranges[i].size; i++) {
		struct mapping *r = &ranges[i];

		if (!domain && r->size != SZ_4K)
			continue;
		r->pa = block + r->offset;
		if (r->offset)
			continue;
		/* One block each, aligned to its size, so that large leaves are possible. */
		r->pages = alloc_pages(GFP_KERNEL | __GFP_ZERO, get_order(r->size));
		if (!r->pages)
			return -ENOMEM;
		/* Each page knows which it is, so that data shows where a transfer really went. */
		for (page = 0; page < 1UL << get_order(r->size); page++)
			*(u64 *)(page_address(r->pages) + page * PAGE_SIZE) =
				MARK | (u64)i << 32 | page;
		r->pa = block = page_to_phys(r->pages);
		if (!domain) {
			r->mapped = true;
			return 0;
		}
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

static void detach_domain(void)
{
	int i;

	if (!dom)
		return;
	for (i = 0; i < dev_count; i++) {
		if (edus[i].group) {
			iommu_detach_group(dom, edus[i].group);
			iommu_group_put(edus[i].group);
		}
	}
	for (i = 0; i < ARRAY_SIZE(ranges); i++)
		unmap_range(&ranges[i]);
	iommu_domain_free(dom);
	dom = NULL;
}

static int attach_edu(struct edu *edu)
{
	struct iommu_group *group = iommu_group_get(&edu->pdev->dev);
	int err;

	if (!group) {
		pr_err("%s has no IOMMU\n", pci_name(edu->pdev));
		return -ENODEV;
	}
	err = iommu_attach_group(dom, group);
	if (err)
		iommu_group_put(group);
	else
		edu->group = group;
	return err;
}

/* All is mapped before a device is attached: the first translation sees the finished tables. */
static int attach_domain(void)
{
	int i, err = 0;

	dom = iommu_paging_domain_alloc(&edus[0].pdev->dev);
	if (IS_ERR(dom)) {
		err = PTR_ERR(dom);
		dom = NULL;
		return err;
	}
	for (i = 0; !err && i < ARRAY_SIZE(ranges) && ranges[i].size; i++)
		err = map_range(&ranges[i]);
	for (i = 0; !err && i < dev_count; i++)
		err = attach_edu(&edus[i]);
	if (err)
		detach_domain();
	return err;
}

static int open_edu(struct edu *edu, const char *name)
{
	unsigned int seg, bus, slot, fn;
	struct pci_dev *pdev;
	int err;

	if (sscanf(name, "%x:%x:%x.%u", &seg, &bus, &slot, &fn) != 4)
		return -EINVAL;
	pdev = pci_get_domain_bus_and_slot(seg, bus, PCI_DEVFN(slot, fn));
	if (!pdev || pdev->vendor != EDU_VENDOR || pdev->device != EDU_DEVICE) {
		pr_err("%s is not an edu device\n", name);
		pci_dev_put(pdev);
		return -ENODEV;
	}
	err = pci_enable_device_mem(pdev);
	if (err) {
		pci_dev_put(pdev);
		return err;
	}
	edu->pdev = pdev;
	edu->regs = pci_iomap(pdev, 0, 0);
	return edu->regs ? 0 : -ENOMEM;
}

static void close_edus(void)
{
	int i;

	for (i = 0; i < dev_count; i++) {
		if (!edus[i].pdev)
			continue;
		if (edus[i].regs)
			pci_iounmap(edus[i].pdev, edus[i].regs);
		pci_disable_device(edus[i].pdev);
		pci_dev_put(edus[i].pdev);
	}
}

static int __init iommu_board_init(void)
{
	int i, err = 0;

	for (i = 0; !err && i < dev_count; i++)
		err = open_edu(&edus[i], dev[i]);
	if (!err)
		err = alloc_ranges();
	if (!err && domain)
		err = attach_domain();
	if (err) {
		free_ranges();
		close_edus();
		return err;
	}

	for (i = 0; i < dev_count; i++)
		pci_set_master(edus[i].pdev);
	root = debugfs_create_dir("iommu-board", NULL);
	debugfs_create_file("map", 0400, root, NULL, &map_fops);
	debugfs_create_file("dma", 0200, root, NULL, &dma_fops);
	if (domain) {
		debugfs_create_file("change", 0200, root, NULL, &change_fops);
		debugfs_create_file("storm", 0600, root, NULL, &storm_fops);
	}
	return 0;
}

static void __exit iommu_board_exit(void)
{
	int i;

	debugfs_remove(root); /* waits for a transfer that somebody started */
	for (i = 0; i < dev_count; i++)
		pci_clear_master(edus[i].pdev);
	detach_domain();
	free_ranges();
	close_edus();
}

module_init(iommu_board_init);
module_exit(iommu_board_exit);

MODULE_DESCRIPTION("Test board: known IOMMU mappings and DMA for QEMU's edu device");
MODULE_LICENSE("GPL");
