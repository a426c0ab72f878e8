/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The stub: runs in the next kernel's place before it does, on one hart, MMU off, interrupts off, a0 = hartid, a1 = device tree.
 * It blocks every IOMMU of its table, stops their queues, writes what it saw into the record in the device tree, and jumps to the
 * kernel. Whatever happens, the kernel boots.
 *
 * Position independent: no absolute address, no relocation, no GOT. One page: this code, then the data of handover-internal.h,
 * which riommu_image_wrap() writes. It stores to registers and to the record, nowhere else. It has no stack. The six bytes of the
 * Image's header that lead here are not put back: nothing runs or reads them again (other harts enter the kernel elsewhere,
 * by SBI HSM), and what is not stored cannot go wrong.
 *
 * Registers are accessed 32 bits at a time: whether an access of 8 bytes is atomic is unspecified.
 *
 * stub-code.h is what tests/stub/assemble makes of this file; a test compares the two.
 *
 *	s0  the stub's page		s6  the IOMMU's registers
 *	s1  its entry in the record,	s7  its status
 *	    if that is below a3		s9  its entry in the table
 *	s3  its capabilities		s10 entries left in the table
 *	s5  its ddtp before		s11 where a trap goes on
 *	a6  its ddtp after		a2  the record
 *	a4  time at its beginning	a3  the record's end, 0 if there is none
 *	ra, a5 return addresses		t0-t6 whoever needs them
 *	a0, a1 are the kernel's and stay as they are
 */
#include "stub-constants.h" /* tests/stub/constants.c: REG_ registers, AT_ in the record, STATUS_, STUB_ */

	.set	TRAP, 32		/* offsets; .org holds them to what is there */
	.set	CONSTANTS, 48
	.set	REGISTERS, 16
	.set	REGISTERS_ATS, REGISTERS + 2 * 12
	.set	REGISTERS_END, REGISTERS_ATS + 2 * 5

	.option	norelax
	.option	norvc
	.text
	.balign	8
stub:
	.2byte	0x0001			/* the header's auipc and jump lead to offset 2 */
	.2byte	0x0001			/* c.nop: what follows is aligned to 4 */

	lla	t0, trap
	csrw	stvec, t0		/* was this Image's beginning, or memory that is gone */
	addi	s0, t0, -TRAP
	lui	t1, STUB_SSTATUS_SDT >> 12
	csrc	sstatus, t1		/* a crash enters by a trap: with SDT set, the next one would be the hart's last */
	j	begin

	.org	stub + TRAP
	/* Every trap. stvec.MODE is in the low bits, so this is aligned, too */
trap:
	lui	t0, STUB_SSTATUS_SDT >> 12
	csrc	sstatus, t0
	li	s7, STATUS_TRAP
	jr	s11

	/* What is not code */
	.org	stub + CONSTANTS
constants:
	.8byte	STUB_CAPABILITIES_MASK
	.8byte	STUB_DDTP_RESERVED
	.org	constants + REGISTERS	/* register, and where it goes in the entry */
	.byte	REG_CQB, AT_CQB, REG_CQB + 4, AT_CQB + 4
	.byte	REG_FQB, AT_FQB, REG_FQB + 4, AT_FQB + 4
	.byte	REG_FCTL, AT_FCTL
	.byte	REG_CQH, AT_CQH, REG_CQT, AT_CQT
	.byte	REG_FQH, AT_FQH, REG_FQT, AT_FQT
	.byte	REG_CQCSR, AT_CQCSR, REG_FQCSR, AT_FQCSR
	.byte	REG_IPSR, AT_IPSR
	.org	constants + REGISTERS_ATS
	.byte	REG_PQB, AT_PQB, REG_PQB + 4, AT_PQB + 4
	.byte	REG_PQH, AT_PQH, REG_PQT, AT_PQT
	.byte	REG_PQCSR, AT_PQCSR
	.org	constants + REGISTERS_END
	.2byte	0

/* -- where is the record? Nothing in the tree is believed ------------------------------------------------------------- */
begin:
	jal	s11, find		/* a trap on the way comes back here, too */
no_record:
	li	a3, 0			/* no entry is below it */
	j	table

find:
	andi	t0, a1, 3
	bnez	t0, no_record
	lw	t0, 0(a1)
	li	t1, FDT_MAGIC
	bne	t0, t1, no_record
	lw	t0, 20(a1)
	li	t1, FDT_VERSION
	bne	t0, t1, no_record
	addi	t1, a1, 4
	jal	be32			/* totalsize */
	mv	t5, t0
	lui	t4, FDT_MAX >> 12
	bgtu	t5, t4, no_record
	jal	be32			/* off_dt_struct */
	mv	t6, t0
	andi	t0, t0, 3
	bnez	t0, no_record
	addi	t1, a1, 36
	jal	be32			/* size_dt_struct */
	add	t0, t0, t6
	bgtu	t0, t5, no_record

	/* A property's data is at the earliest 12 bytes (token, length, name) into the struct block */
	add	a3, a1, t0
	add	a2, a1, t6
	addi	a2, a2, 12 - 4
	addi	t6, a3, -(RECORD_HEAD + RECORD_ENTRY)
	li	a4, MAGIC_0
	li	a5, MAGIC_1
	li	a6, MAGIC_2
	li	a7, MAGIC_3
scan:
	addi	a2, a2, 4
	bgtu	a2, t6, no_record
	lw	t0, 0(a2)
	bne	t0, a4, scan
	lw	t0, 4(a2)
	bne	t0, a5, scan
	lw	t0, 8(a2)
	bne	t0, a6, scan
	lw	t0, 12(a2)
	bne	t0, a7, scan
	lw	t0, AT_VERSION(a2)
	addi	t0, t0, -RECORD_VERSION
	bnez	t0, scan
	lw	s1, AT_CAPACITY(a2)
	addi	t0, s1, -1
	li	t1, RECORD_MAX
	bgeu	t0, t1, scan
	slli	s1, s1, RECORD_ENTRY_SHIFT
	addi	s1, s1, RECORD_HEAD
	lw	t0, AT_SIZE(a2)
	bne	t0, s1, scan
	lw	t0, -12(a2)
	li	t1, FDT_PROP
	bne	t0, t1, scan
	addi	t1, a2, -8
	jal	be32			/* the property's length: the record and nothing else */
	bne	t0, s1, scan
	sub	t0, a3, a2
	bgtu	s1, t0, scan

	add	a3, a2, s1
	li	t0, STATUS_ENTERED
	sw	t0, AT_STATE(a2)
	addi	s1, a2, RECORD_HEAD
	mv	t0, s1
clear:
	sw	zero, 0(t0)
	addi	t0, t0, 4
	bltu	t0, a3, clear

/* -- one IOMMU after the other ---------------------------------------------------------------------------------------- */
table:
	lw	s10, STUB_AT_COUNT(s0)
	addi	s9, s0, STUB_AT_TABLE
next:
	beqz	s10, finish
	addi	s10, s10, -1

	lla	s11, started		/* M-mode may keep the time CSR to itself: then ticks stay 0 */
	csrr	a4, time
started:
	li	s3, 0
	li	s5, 0
	li	a6, 0
	lla	s11, settle		/* an access that traps: on with the next IOMMU */
	ld	s6, STUB_ENTRY_BASE(s9)
	li	t1, REG_CAPABILITIES
	jal	read64
	mv	s3, t0
	li	s7, STATUS_NOT_IOMMU

	/* riommu_capabilities_plausible(), and what was read when the table was made */
	addi	t3, s0, CONSTANTS
	ld	t1, 0(t3)
	and	t1, t1, t0
	addi	t1, t1, -STUB_CAPABILITIES_WANT
	bnez	t1, settle
	srli	t1, t0, 28
	andi	t1, t1, 3
	addi	t1, t1, -3
	beqz	t1, settle		/* IGS 3 is reserved */
	ld	t1, STUB_ENTRY_CAPABILITIES(s9)
	beqz	t1, 1f
	bne	t1, t0, settle
1:
	li	t1, REG_DDTP
	jal	read64
	mv	s5, t0
	mv	a6, t0
	ld	t1, 8(t3)
	and	t1, t1, t0
	bnez	t1, settle
	andi	t1, t0, 15
	addi	t1, t1, -5
	li	t2, 14 - 5
	bltu	t1, t2, settle		/* modes 5 to 13 are reserved */

	/* The other registers, before anything is written */
	bgeu	s1, a3, copied
	addi	t1, t3, REGISTERS
	addi	t2, t3, REGISTERS_ATS
	slli	t0, s3, 63 - 25
	bgez	t0, copy
	addi	t2, t3, REGISTERS_END
copy:
	lbu	t0, 0(t1)
	add	t0, t0, s6
	lw	t0, 0(t0)
	lbu	t4, 1(t1)
	add	t4, t4, s1
	sw	t0, 0(t4)
	addi	t1, t1, 2
	bltu	t1, t2, copy
copied:
	lw	t0, STUB_ENTRY_POLICY(s9)
	addi	s7, t0, STATUS_BLOCKED	/* or LEFT: the next number, as the policy is */
	bnez	t0, settle

	jal	a5, off
	li	t1, REG_DDTP
	jal	read64
	mv	a6, t0
	/* The command queue first, the fault queue last: what happens on the way is still recorded. Off or not, a queue that is
	   left on would be written into memory that belongs to the next kernel. */
	li	t1, REG_CQCSR
	jal	a5, queue
	slli	t0, s3, 63 - 25
	bgez	t0, 1f			/* no ATS, no page requests */
	li	t1, REG_PQCSR
	jal	a5, queue
1:
	li	t1, REG_FQCSR
	jal	a5, queue
	li	t0, 15
	sw	t0, REG_IPSR(s6)	/* write 1 to clear */

settle:					/* with s7 = TRAP also from any trap in the above */
	bgeu	s1, a3, advance
	lla	s11, advance
	sw	s7, AT_STATUS(s1)
	sw	s6, AT_BASE(s1)
	srli	s6, s6, 32
	sw	s6, AT_BASE + 4(s1)
	lw	t0, STUB_ENTRY_POLICY(s9)
	sw	t0, AT_POLICY(s1)
	sw	s3, AT_CAPABILITIES(s1)
	srli	s3, s3, 32
	sw	s3, AT_CAPABILITIES + 4(s1)
	sw	s5, AT_DDTP_OLD(s1)
	srli	s5, s5, 32
	sw	s5, AT_DDTP_OLD + 4(s1)
	sw	a6, AT_DDTP_NEW(s1)
	srli	a6, a6, 32
	sw	a6, AT_DDTP_NEW + 4(s1)
	csrr	t0, time		/* traps if it did above */
	sub	t0, t0, a4
	sw	t0, AT_TICKS(s1)
advance:
	addi	s1, s1, RECORD_ENTRY
	addi	s9, s9, STUB_ENTRY
	j	next

/* -- on with the kernel -------------------------------------------------------------------------------------------------- */
finish:
	beqz	a3, leave
	li	a3, 0			/* if this traps, it comes here once more */
	li	t0, STATUS_FINISHED
	sw	t0, AT_STATE(a2)
leave:
	fence	iorw, iorw
	fence.i
	ld	t0, STUB_AT_TARGET(s0)
	add	t0, t0, s0
	csrw	stvec, t0		/* as kexec left it: the kernel's entry */
	jr	t0

/* -- subroutines --------------------------------------------------------------------------------------------------------- */

be32:					/* t0 = big-endian word at t1; t1 += 4; t2, t3 */
	li	t0, 0
	addi	t2, t1, 4
1:
	lbu	t3, 0(t1)
	addi	t1, t1, 1
	slli	t0, t0, 8
	or	t0, t0, t3
	bne	t1, t2, 1b
	ret

read64:					/* t0 = register t1; t1, t2 */
	add	t1, t1, s6
	lwu	t0, 0(t1)
	lwu	t2, 4(t1)
	slli	t2, t2, 32
	or	t0, t0, t2
	ret

off:					/* ddtp.iommu_mode = Off, all else kept; returns to a5 */
	li	t5, STATUS_BUSY_BEFORE
	slli	t0, s3, 63 - 31
	bgez	t0, 1f			/* no DBG, no debug translation under way */
	li	t1, REG_TR_REQ_CTL
	li	t2, STUB_TR_REQ_GO
	jal	poll
1:
	jal	poll_ddtp
	andi	t6, t6, -16
	sw	t6, REG_DDTP(s6)	/* mode and half the PPN; the other half must not change, so is not written */
	li	t5, STATUS_BUSY_AFTER
	jal	poll_ddtp
	andi	t0, t6, 15
	li	t5, STATUS_MODE_KEPT
	bnez	t0, fail
	jr	a5

queue:					/* the queue of csr t1 off; returns to a5 */
	li	t5, STATUS_QUEUE_ON
	lui	t2, STUB_QUEUE_BUSY >> 12
	jal	poll
	sw	zero, 0(t3)
	lui	t2, (STUB_QUEUE_BUSY | STUB_QUEUE_ON) >> 12
	jal	poll
	jr	a5

poll_ddtp:
	li	t1, REG_DDTP
	li	t2, DDTP_BUSY
poll:					/* until register t1 has none of t2; else fails. t3 = its address, t6 = its value; t0, t4 */
	add	t3, t1, s6
	lui	t4, STUB_POLLS >> 12
1:
	lw	t6, 0(t3)
	and	t0, t6, t2
	beqz	t0, 2f
	addi	t4, t4, -1
	bnez	t4, 1b
fail:					/* t5 is the status, if nothing went wrong before; returns to a5 */
	addi	t0, s7, -STATUS_BLOCKED
	bnez	t0, 1f
	mv	s7, t5
1:
	jr	a5
2:
	ret
