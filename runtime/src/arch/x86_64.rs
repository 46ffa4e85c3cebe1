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
