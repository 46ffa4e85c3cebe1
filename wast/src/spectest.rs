//! The host module that every script can import from.

use std::io::Write;

use precast::{
    Caller, FuncType, Global, GlobalType, Linker, Memory, MemoryType, Mutability, Ref, RefType,
    Result, SharedMemory, Store, Table, TableType, Val, ValType,
};

/// What becomes of what scripts print with the functions of `spectest`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Print {
    /// It is discarded.
    #[default]
    Discard,
    /// It goes to the standard output, one line per call.
    Stdout,
}

const PRINT_FUNCTIONS: &[(&str, &[ValType])] = &[
    ("print", &[]),
    ("print_i32", &[ValType::I32]),
    ("print_i64", &[ValType::I64]),
    ("print_f32", &[ValType::F32]),
    ("print_f64", &[ValType::F64]),
    ("print_i32_f32", &[ValType::I32, ValType::F32]),
    ("print_f64_f64", &[ValType::F64, ValType::F64]),
];

/// Defines `spectest` with the contents that the specification's interpreter gives it.
pub(crate) fn define(linker: &mut Linker<()>, store: &mut Store<()>, print: Print) -> Result<()> {
    for &(name, params) in PRINT_FUNCTIONS {
        let ty = FuncType::new(store.engine(), params.iter().cloned(), []);
        linker.func_new(
            "spectest",
            name,
            ty,
            move |_: Caller<'_, ()>, arguments, _| match print {
                Print::Discard => Ok(()),
                Print::Stdout => Ok(write_call(name, arguments)?),
            },
        )?;
    }

    let globals = [
        ("global_i32", ValType::I32, Val::I32(666)),
        ("global_i64", ValType::I64, Val::I64(666)),
        ("global_f32", ValType::F32, Val::F32(666.6f32.to_bits())),
        ("global_f64", ValType::F64, Val::F64(666.6f64.to_bits())),
    ];
    for (name, content, value) in globals {
        let ty = GlobalType::new(content, Mutability::Const);
        let global = Global::new(&mut *store, ty, value)?;
        linker.define(&mut *store, "spectest", name, global)?;
    }

    let tables = [
        ("table", TableType::new(RefType::FUNCREF, 10, Some(20))),
        ("table64", TableType::new64(RefType::FUNCREF, 10, Some(20))),
    ];
    for (name, ty) in tables {
        let table = Table::new(&mut *store, ty, Ref::Func(None))?;
        linker.define(&mut *store, "spectest", name, table)?;
    }

    let memory = Memory::new(&mut *store, MemoryType::new(1, Some(2)))?;
    linker.define(&mut *store, "spectest", "memory", memory)?;
    let memory = SharedMemory::new(store.engine(), MemoryType::shared(1, 2))?;
    linker.define(&mut *store, "spectest", "shared_memory", memory)?;
    Ok(())
}

fn write_call(name: &str, arguments: &[Val]) -> std::io::Result<()> {
    let mut line = name.to_owned();
    for argument in arguments {
        let text = match argument {
            Val::I32(value) => format!(" {value}"),
            Val::I64(value) => format!(" {value}"),
            Val::F32(bits) => format!(" {}", f32::from_bits(*bits)),
            Val::F64(bits) => format!(" {}", f64::from_bits(*bits)),
            _ => " ?".to_owned(),
        };
        line.push_str(&text);
    }
    writeln!(std::io::stdout().lock(), "{line}")
}
