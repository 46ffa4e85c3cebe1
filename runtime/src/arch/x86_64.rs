//! x86-64.
#![allow(unsafe_code)] // Assembly, and the registers of a signal's context.

use std::arch::{asm, naked_asm};

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
            "mov rsp, rdi",
            "mov rbp, rsi",
            "jmp rcx",
            in("rdi") sp,
            in("rsi") fp,
            in("rcx") pc,
            in("rax") payload[0],
            in("rdx") payload[1],
            options(noreturn),
        )
    }
}

/// Calls `use_it` with an address below which nothing is stored that the callers of this function
/// hold, registers that calls preserve included.
#[inline(never)]
pub(crate) fn with_saved_registers<R>(use_it: impl FnOnce(usize) -> R) -> R {
    let mut saved = [0u64; 5];
    // SAFETY: stores to the array.
    unsafe {
        asm!(
            "mov [{saved}], rbx",
            "mov [{saved} + 8], r12",
            "mov [{saved} + 16], r13",
            "mov [{saved} + 24], r14",
            "mov [{saved} + 32], r15",
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
    let registers = &context.uc_mcontext.gregs;
    (registers[libc::REG_RIP as usize] as usize, registers[libc::REG_RBP as usize] as usize)
}

/// Lets the thread continue in `function` as if the instruction at which the signal arrived
/// had called it with these arguments.
pub(crate) fn redirect(context: &mut ucontext_t, function: usize, arguments: [usize; 3]) {
    let registers = &mut context.uc_mcontext.gregs;
    registers[libc::REG_RIP as usize] = step_down as *const () as i64;
    registers[libc::REG_RCX as usize] = function as i64;
    registers[libc::REG_RDI as usize] = arguments[0] as i64;
    registers[libc::REG_RSI as usize] = arguments[1] as i64;
    registers[libc::REG_RDX as usize] = arguments[2] as i64;
}

/// Calls the function in `rcx` below the red zone of whoever was interrupted. The stack
/// pointer moves by instructions and not in the signal's context, because tools that
/// watch the stack see only those.
#[unsafe(naked)]
unsafe extern "C" fn step_down() -> ! {
    naked_asm!("sub rsp, 128", "and rsp, -16", "call rcx", "ud2")
}
