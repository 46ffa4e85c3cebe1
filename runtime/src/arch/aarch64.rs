//! AArch64.
#![allow(unsafe_code)] // Assembly, and the registers of a signal's context.

use std::arch::asm;

use libc::ucontext_t;

use super::Target;

/// Lets this thread continue in generated code.
///
/// # Safety
///
/// An entry trampoline must have stored the target's three values, or the code of the frame say
/// that it is where the exception continues; the frame must still be there.
pub(crate) unsafe fn resume(Target { pc, sp, fp, payload }: Target) -> ! {
    // SAFETY: the caller promises a live frame; its code reloads every other register.
    unsafe {
        asm!(
            "mov sp, x2",
            "mov x29, x3",
            "br x4",
            in("x0") payload[0],
            in("x1") payload[1],
            in("x2") sp,
            in("x3") fp,
            in("x4") pc,
            options(noreturn),
        )
    }
}

/// Calls `use_it` with an address below which nothing is stored that the callers of this function
/// hold, registers that calls preserve included.
#[inline(never)]
pub(crate) fn with_saved_registers<R>(use_it: impl FnOnce(usize) -> R) -> R {
    let mut saved = [0u64; 10];
    // SAFETY: stores to the array.
    unsafe {
        asm!(
            "stp x19, x20, [{saved}]",
            "stp x21, x22, [{saved}, #16]",
            "stp x23, x24, [{saved}, #32]",
            "stp x25, x26, [{saved}, #48]",
            "stp x27, x28, [{saved}, #64]",
            saved = in(reg) saved.as_mut_ptr(),
            options(nostack, preserves_flags),
        );
    }
    let result = use_it(saved.as_ptr().expose_provenance());
    std::hint::black_box(&saved);
    result
}

/// The program counter and the frame pointer at which a signal arrived.
pub(crate) fn fault_registers(context: &ucontext_t) -> (usize, usize) {
    (context.uc_mcontext.pc as usize, context.uc_mcontext.regs[29] as usize)
}

/// Lets the thread continue in `function` as if the instruction at which the signal arrived
/// had called it with these arguments.
pub(crate) fn redirect(context: &mut ucontext_t, function: usize, arguments: [usize; 3]) {
    let registers = &mut context.uc_mcontext;
    registers.sp = (registers.sp - 128) & !15;
    registers.pc = function as u64;
    registers.regs[30] = 0;
    registers.regs[0] = arguments[0] as u64;
    registers.regs[1] = arguments[1] as u64;
    registers.regs[2] = arguments[2] as u64;
}
