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
