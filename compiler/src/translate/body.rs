//! A function body on its way to the intermediate representation.

use cranelift_codegen::ir::{
    Block, BlockArg, Endianness, InstBuilder, InstructionData, MemFlagsData, Opcode, SourceLoc,
    Type, Value, ValueDef, types,
};
use cranelift_frontend::{FuncInstBuilder, FunctionBuilder, Variable};
use precast_artifact::description::Collector;
use precast_artifact::trap::Trap;
use precast_artifact::types as artifact;
use smallvec::SmallVec;
use wasmparser::{BlockType, RefType, ValType};

use crate::module::BranchHint;
use crate::signature::VECTOR;
use crate::trap::trap_code;

use super::computed::Expression;
use super::control::ControlStack;
use super::extent::Extent;
use super::inlined::{self, Inlined};
use super::instance::Instance;
use super::interrupts::Interrupts;
use super::references::{self, References};
use super::values::ValueStack;
use super::widening;

/// A function body that is being translated: what the families of operators work on.
pub(super) struct Body<'a> {
    /// Where the code goes.
    pub(super) builder: FunctionBuilder<'a>,
    /// The operands.
    pub(super) values: &'a mut ValueStack,
    /// The open blocks.
    pub(super) control: &'a mut ControlStack,
    /// What is known about the instance.
    pub(super) instance: Instance<'a>,
    /// What can stop the function from outside.
    pub(super) interrupts: Interrupts,
    /// How much the function has become.
    pub(super) extent: Extent,
    /// The collector that manages the references.
    pub(super) collector: Collector,
    /// What is known of the references that it handles.
    pub(super) references: References,
    /// The operand's type, as validation knows it, of the cast that is being translated.
    pub(super) cast_operand: Option<RefType>,
    /// The calls that are translated in place.
    pub(super) inlined: Inlined,
}

/// Values that a branch passes to its target.
pub(super) type BlockArgs = SmallVec<[BlockArg; 8]>;

impl<'a> Body<'a> {
    /// Where the next instruction goes.
    pub(super) fn ins<'short>(&'short mut self) -> FuncInstBuilder<'short, 'a> {
        self.builder.ins()
    }

    /// Notes where in the wasm file the code comes from that is generated next.
    ///
    /// Modules beyond 4 GiB have been refused, so that the offset fits.
    pub(super) fn set_offset(&mut self, offset: usize) {
        self.builder.set_srcloc(SourceLoc::new((offset as u32).wrapping_add(self.inlined.shift())));
    }

    /// Where in the wasm file the operator is that is being translated.
    pub(super) fn offset(&self) -> usize {
        self.builder.srcloc().bits().wrapping_sub(self.inlined.shift()) as usize
    }

    /// Declares the parameters of the function as its first locals.
    pub(super) fn define_params(&mut self, types: &[artifact::ValType]) {
        let entry = self.instance.entry();
        for (index, &ty) in (Instance::HIDDEN_PARAMS..).zip(types) {
            let value = self.builder.block_params(entry)[index];
            self.define_param(value, ty);
        }
    }

    /// Declares the next parameter of the function, or of the callee that is translated in place.
    pub(super) fn define_param(&mut self, value: Value, ty: artifact::ValType) {
        let is_reference = matches!(ty, artifact::ValType::Ref(ty) if !ty.is_func());
        let variable = self.declare_local(self.builder.func.dfg.value_type(value), is_reference);
        self.builder.def_var(variable, value);
    }

    /// Declares `count` more locals, zero or null at first.
    pub(super) fn define_locals(&mut self, count: u32, ty: ValType) {
        let is_reference = references::is_heap_reference(self, ty);
        let ty = self.instance.value_type(ty);
        let zero = self.zero(ty);
        for _ in 0..count {
            let variable = self.declare_local(ty, is_reference);
            self.builder.def_var(variable, zero);
        }
    }

    fn declare_local(&mut self, ty: Type, is_reference: bool) -> Variable {
        self.references.handled |= is_reference;
        let kind = (ty, is_reference);
        let free = inlined::free_variable(self, kind);
        let variable = free.unwrap_or_else(|| {
            self.extent.declare(1);
            let variable = self.builder.declare_var(ty);
            if is_reference && self.references.mapped {
                self.builder.declare_var_needs_stack_map(variable);
                self.extent.declare_references(1);
            }
            variable
        });
        inlined::declare_local(self, variable, kind);
        variable
    }

    /// A local. The function's own variables are declared in the order of locals, so they have
    /// their numbers.
    pub(super) fn local(&self, index: u32) -> Variable {
        self.inlined.local(index).unwrap_or_else(|| Variable::from_u32(index))
    }

    /// The default of a type: zero or null.
    pub(super) fn zero(&mut self, ty: Type) -> Value {
        match ty {
            types::F32 => self.ins().f32const(0.0),
            types::F64 => self.ins().f64const(0.0),
            _ if ty.is_vector() => {
                let bytes = vec![0; ty.bytes() as usize];
                let zero = self.builder.func.dfg.constants.insert(bytes.into());
                self.ins().vconst(ty, zero)
            }
            // Not one of the shared constants: it may be a null reference, which collectors are to find.
            _ => self.ins().iconst(ty, 0),
        }
    }

    /// Takes a condition: an `i32`, or the comparison that it was made from.
    ///
    /// Branching on the comparison itself spares the code generator to find out.
    pub(super) fn pop_condition(&mut self) -> Value {
        let value = self.values.pop();
        let dfg = &self.builder.func.dfg;
        if let ValueDef::Result(inst, _) = dfg.value_def(value)
            && let InstructionData::Unary { opcode: Opcode::Uextend, arg } = dfg.insts[inst]
            && dfg.value_type(arg) == types::I8
        {
            arg
        } else {
            value
        }
    }

    /// Pushes a comparison's result, which is a byte, as the `i32` it is in wasm.
    pub(super) fn push_bool(&mut self, value: Value) {
        let value = self.ins().uextend(types::I32, value);
        self.values.push(value);
    }

    /// Takes a vector, as one of lanes of the type `ty`.
    ///
    /// As an operand, every vector has the type [`VECTOR`]. What it was made as is behind
    /// a cast, which is looked through so that the code generator sees how operators combine.
    pub(super) fn pop_vector(&mut self, ty: Type) -> Value {
        let mut value = self.values.pop();
        let dfg = &self.builder.func.dfg;
        if let ValueDef::Result(inst, _) = dfg.value_def(value) {
            match dfg.insts[inst] {
                InstructionData::LoadNoOffset { opcode: Opcode::Bitcast, arg, .. } => value = arg,
                InstructionData::UnaryConst { opcode: Opcode::Vconst, constant_handle } => {
                    return self.ins().vconst(ty, constant_handle);
                }
                _ => {}
            }
        }
        self.cast_vector(value, ty)
    }

    /// Takes two vectors of lanes of the type `ty`, deeper one first.
    pub(super) fn pop_vectors(&mut self, ty: Type) -> (Value, Value) {
        let second = self.pop_vector(ty);
        (self.pop_vector(ty), second)
    }

    /// Pushes a vector of any lanes.
    pub(super) fn push_vector(&mut self, value: Value) {
        let value = self.cast_vector(value, VECTOR);
        self.values.push(value);
    }

    /// The same bits as lanes of the type `ty`, the first lane in the lowest bits.
    pub(super) fn cast_vector(&mut self, value: Value, ty: Type) -> Value {
        if self.builder.func.dfg.value_type(value) == ty {
            return value;
        }
        let order = MemFlagsData::new().with_endianness(Endianness::Little);
        self.ins().bitcast(ty, order, value)
    }

    /// Takes an index or a length of a memory or a table, as 64 bits.
    pub(super) fn pop_index(&mut self, width: Width) -> Value {
        let value = self.values.pop();
        self.extend_index(value, width)
    }

    /// An index or a length of a memory or a table, as 64 bits.
    pub(super) fn extend_index(&mut self, value: Value, width: Width) -> Value {
        match width {
            Width::Bits32 => self.computed(Expression::Widened(value), |body| {
                widening::widened(body.builder.func, value)
                    .unwrap_or_else(|| body.ins().uextend(types::I64, value))
            }),
            Width::Bits64 => value,
        }
    }

    /// An expression, which `compute` computes unless that has been done.
    pub(super) fn computed(
        &mut self,
        expression: Expression,
        compute: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        if let Some(value) = self.control.computed.get(expression) {
            return value;
        }
        let value = compute(self);
        self.control.computed.insert(expression, value);
        value
    }

    /// Pushes 64 bits as an index or a length of a memory or a table.
    pub(super) fn push_index(&mut self, value: Value, width: Width) {
        let value = match width {
            Width::Bits32 => self.ins().ireduce(types::I32, value),
            Width::Bits64 => value,
        };
        self.values.push(value);
    }

    /// The bits of a value that is a constant, with zeros above them.
    pub(super) fn constant(&self, value: Value) -> Option<u64> {
        let dfg = &self.builder.func.dfg;
        let inst = dfg.value_def(dfg.resolve_aliases(value)).inst()?;
        match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
                let bits = dfg.value_type(value).bits();
                Some(imm.bits().cast_unsigned() & (u64::MAX >> (64 - bits)))
            }
            _ => None,
        }
    }

    /// The constant `value` of 32 bits.
    pub(super) fn const32(&mut self, value: u32) -> Value {
        self.integer(types::I32, i64::from(value))
    }

    /// The constant `value` of 64 bits.
    pub(super) fn const64(&mut self, value: u64) -> Value {
        self.integer(types::I64, value.cast_signed())
    }

    /// An integer constant of the type `ty`, whose bits are the low ones of `value`.
    pub(super) fn integer(&mut self, ty: Type, value: i64) -> Value {
        self.instance.integer(&mut self.builder, ty, value)
    }

    /// Stops always: nothing up to the next label can be reached.
    pub(super) fn trap(&mut self, trap: Trap) {
        if !self.inlined.is_empty() {
            // Alone in its block it would become a part of the branch, which may be another function's.
            self.ins().sequence_point();
        }
        self.ins().trap(trap_code(trap));
        self.control.set_unreachable();
    }

    /// A new code block with the types `params` as parameters.
    pub(super) fn block_with_params(&mut self, params: &[Type]) -> Block {
        let block = self.builder.create_block();
        for &ty in params {
            self.builder.append_block_param(block, ty);
        }
        block
    }

    /// Goes on in `block`.
    pub(super) fn switch_to(&mut self, block: Block) {
        self.builder.switch_to_block(block);
        if self.control.is_cold() {
            self.builder.set_cold_block(block);
        }
    }

    /// Goes on in `block`, to which nothing more will branch.
    pub(super) fn continue_in(&mut self, block: Block) {
        self.switch_to(block);
        self.builder.seal_block(block);
    }

    /// What the module says about the branch that is being translated.
    pub(super) fn branch_hint(&self) -> Option<BranchHint> {
        self.instance.module.branch_hints.get(self.offset() as u32)
    }

    /// The top `count` operands, as what a branch passes to its target.
    pub(super) fn branch_args(&mut self, count: usize) -> BlockArgs {
        self.extent.pass(count);
        self.values.top(count).iter().map(|&value| BlockArg::Value(value)).collect()
    }

    /// How many parameters and results a block has.
    pub(super) fn arity(&self, ty: BlockType) -> (usize, usize) {
        match ty {
            BlockType::Empty => (0, 0),
            BlockType::Type(_) => (0, 1),
            BlockType::FuncType(index) => {
                let ty = self.instance.func_type(index);
                (ty.params.len(), ty.results.len())
            }
        }
    }
}

/// How wide the indices of a memory or a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    /// 32 bits.
    Bits32,
    /// 64 bits.
    Bits64,
}

impl Width {
    /// The largest index.
    pub(super) fn max(self) -> u64 {
        match self {
            Width::Bits32 => u32::MAX.into(),
            Width::Bits64 => u64::MAX,
        }
    }
}
