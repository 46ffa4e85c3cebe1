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
