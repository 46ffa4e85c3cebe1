//! x86-64.
#![allow(unsafe_code)] // Assembly, and the registers of a signal's context.

use std::arch::asm;

use libc::ucontext_t;

/// Continues at `handler` with these stack and frame pointers, and 0 in the registers that
/// carry an exception's payload.
///
/// # Safety
///
/// An entry trampoline must have stored the three values, and its frame still be there.
pub(crate) unsafe fn resume(sp: usize, fp: usize, handler: usize) -> ! {
    // SAFETY: the caller promises a live entry frame; it reloads every other register.
    unsafe {
        asm!(
            "mov rsp, rdi",
            "mov rbp, rsi",
            "xor eax, eax",
            "xor edx, edx",
            "jmp rcx",
            in("rdi") sp,
            in("rsi") fp,
            in("rcx") handler,
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
    // Below the red zone; at entry the stack is aligned to 16 bytes after the return address.
    let sp = ((registers[libc::REG_RSP as usize] as usize - 128) & !15) - 8;
    registers[libc::REG_RSP as usize] = sp as i64;
    registers[libc::REG_RIP as usize] = function as i64;
    registers[libc::REG_RDI as usize] = arguments[0] as i64;
    registers[libc::REG_RSI as usize] = arguments[1] as i64;
    registers[libc::REG_RDX as usize] = arguments[2] as i64;
}
