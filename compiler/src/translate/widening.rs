//! Loads whose value becomes an index of a memory or a table.
//!
//! What points from one object of a program to the next is loaded, compared, and used as an address. As an
//! address it has 64 bits, and the code generator does not know that a load of 32 bits leaves zeros above
//! them: it would move the value to another register just to be sure. So the load itself is made one of 64
//! bits, of which the lower half is what it was.

use std::iter;

use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Function, InstBuilder, InstructionData, Opcode, Value, types};

/// The 32 bits of `value` with zeros above them, where a load is enough for that.
pub(super) fn widened(func: &mut Function, value: Value) -> Option<Value> {
    let value = func.dfg.resolve_aliases(value);
    let inst = func.dfg.value_def(value).inst()?;
    let (opcode, arg, flags, offset) = match func.dfg.insts[inst] {
        InstructionData::Unary { opcode: Opcode::Ireduce, arg } => {
            let load = func.dfg.value_def(arg).inst()?;
            let is_zero_above = matches!(
                func.dfg.insts[load].opcode(),
                Opcode::Uload8 | Opcode::Uload16 | Opcode::Uload32
            );
            return is_zero_above.then_some(arg);
        }
        InstructionData::Load { opcode, arg, flags, offset } => (opcode, arg, flags, offset),
        _ => return None,
    };
    let opcode = match opcode {
        Opcode::Load => Opcode::Uload32,
        Opcode::Uload8 | Opcode::Uload16 => opcode,
        _ => return None,
    };
    if func.dfg.value_type(value) != types::I32 {
        return None;
    }
    func.dfg.detach_inst_results(inst);
    func.replace(inst).Load(opcode, types::I64, flags, offset, arg);
    let wide = func.dfg.first_result(inst);
    let narrow = func.dfg.make_inst(InstructionData::Unary { opcode: Opcode::Ireduce, arg: wide });
    func.dfg.make_inst_results_reusing(narrow, types::I32, iter::once(Some(value)));
    let place = func.srcloc(inst);
    let mut cursor = FuncCursor::new(func).after_inst(inst).with_srcloc(place);
    cursor.insert_inst(narrow);
    cursor.func.set_srcloc(narrow, place);
    Some(wide)
}
