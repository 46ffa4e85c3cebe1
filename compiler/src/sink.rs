//! Code sinking: moves comparisons back into the loops that the optimiser took them out of.
//!
//! Cranelift hoists whatever a loop does not change, however many values that keeps alive throughout the loop. Functions
//! that were made to be unwound and entered again compare one variable with hundreds of constants; hoisted, these results
//! are hundreds of values alive in each of thousands of blocks, and the register allocator's time and memory
//! go with the product. A comparison costs no more than loading its result from the stack.

use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, Opcode, Value};

/// Functions with fewer blocks are not looked at: the product stays small.
const BLOCKS: usize = 256;
/// Fewer results than this can stay hoisted.
const MANY: usize = 32;

/// How often a value is used.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Uses {
    #[default]
    None,
    Once(Inst),
    Often,
}

/// Moves comparisons with constants to their only use, out of blocks that have very many whose uses are in other blocks.
pub(crate) fn sink(func: &mut Function) {
    if func.dfg.num_blocks() < BLOCKS {
        return;
    }
    let uses = uses(func);
    let mut block = func.layout.entry_block();
    while let Some(current) = block {
        block = func.layout.next_block(current);
        let leaving = func.layout.block_insts(current);
        let leaving = leaving.filter(|&inst| target(func, &uses, current, inst).is_some());
        if leaving.count() >= MANY {
            empty(func, &uses, current);
        }
    }
}

/// Moves all of a block that can be moved. From the end to the begin, so that what is moved takes its operands along.
fn empty(func: &mut Function, uses: &SecondaryMap<Value, Uses>, block: Block) {
    let mut inst = func.layout.last_inst(block);
    while let Some(current) = inst {
        inst = func.layout.prev_inst(current);
        if let Some(user) = target(func, uses, block, current) {
            func.layout.remove_inst(current);
            func.layout.insert_inst(current, user);
        }
    }
}

/// The instruction in another block to which one of `block` can be moved.
fn target(
    func: &Function,
    uses: &SecondaryMap<Value, Uses>,
    block: Block,
    inst: Inst,
) -> Option<Inst> {
    let is_cheap = match func.dfg.insts[inst].opcode() {
        Opcode::Uextend => true,
        // With a constant, no more is alive at the new place than at the old one.
        Opcode::Icmp => func.dfg.inst_args(inst).iter().any(|&arg| is_constant(func, arg)),
        _ => false,
    };
    let &[result] = func.dfg.inst_results(inst) else { return None };
    match uses[result] {
        Uses::Once(user) if is_cheap && func.layout.inst_block(user) != Some(block) => Some(user),
        _ => None,
    }
}

fn is_constant(func: &Function, value: Value) -> bool {
    let inst = func.dfg.value_def(value).inst();
    inst.is_some_and(|inst| func.dfg.insts[inst].opcode() == Opcode::Iconst)
}

fn uses(func: &Function) -> SecondaryMap<Value, Uses> {
    let mut uses = SecondaryMap::with_capacity(func.dfg.num_values());
    for block in func.layout.blocks() {
        for inst in func.layout.block_insts(block) {
            for value in func.dfg.inst_values(inst) {
                let value = func.dfg.resolve_aliases(value);
                uses[value] = match uses[value] {
                    Uses::None => Uses::Once(inst),
                    Uses::Once(_) | Uses::Often => Uses::Often,
                };
            }
        }
    }
    uses
}

#[cfg(test)]
mod tests {
    use cranelift_codegen::cursor::{Cursor, FuncCursor};
    use cranelift_codegen::ir::condcodes::IntCC;
    use cranelift_codegen::ir::{AbiParam, InstBuilder, types};
    use cranelift_codegen::{settings, verify_function};

    use super::*;

    /// Compares its parameter with `results` constants in its first block; one result after the other is used in
    /// the `blocks` blocks behind it.
    fn function(results: usize, blocks: usize) -> Function {
        let mut func = Function::new();
        func.signature.params.push(AbiParam::new(types::I32));
        let all: Vec<Block> = (0..=blocks).map(|_| func.dfg.make_block()).collect();
        let variable = func.dfg.append_block_param(all[0], types::I32);
        let mut pos = FuncCursor::new(&mut func);
        pos.insert_block(all[0]);
        let results: Vec<Value> = (0..results)
            .map(|number| {
                let constant = pos.ins().iconst(types::I32, number as i64);
                let equal = pos.ins().icmp(IntCC::Equal, variable, constant);
                pos.ins().uextend(types::I32, equal)
            })
            .collect();
        pos.ins().jump(all[1], &[]);
        for (number, pair) in all[1..].windows(2).enumerate() {
            pos.insert_block(pair[0]);
            match results.get(number) {
                Some(&result) => pos.ins().brif(result, pair[1], &[], all[blocks], &[]),
                None => pos.ins().jump(pair[1], &[]),
            };
        }
        pos.insert_block(all[blocks]);
        pos.ins().return_(&[]);
        func
    }

    /// How many instructions of each opcode are in the first block, and how many elsewhere.
    fn count(func: &Function, opcode: Opcode) -> (usize, usize) {
        let mut count = (0, 0);
        for block in func.layout.blocks() {
            let of_opcode = |inst: &Inst| func.dfg.insts[*inst].opcode() == opcode;
            let found = func.layout.block_insts(block).filter(of_opcode).count();
            match Some(block) == func.layout.entry_block() {
                true => count.0 += found,
                false => count.1 += found,
            }
        }
        count
    }

    fn sunk(mut func: Function) -> Function {
        sink(&mut func);
        verify_function(&func, &settings::Flags::new(settings::builder())).unwrap();
        func
    }

    #[test]
    fn many_results_go_to_their_uses() {
        let func = sunk(function(MANY, BLOCKS));
        assert_eq!(count(&func, Opcode::Uextend), (0, MANY));
        assert_eq!(count(&func, Opcode::Icmp), (0, MANY));
    }

    #[test]
    fn few_results_stay() {
        let func = sunk(function(MANY - 1, BLOCKS));
        assert_eq!(count(&func, Opcode::Icmp), (MANY - 1, 0));
    }

    #[test]
    fn small_functions_stay_as_they_are() {
        let func = sunk(function(MANY, MANY + 1));
        assert_eq!(count(&func, Opcode::Icmp), (MANY, 0));
    }
}
