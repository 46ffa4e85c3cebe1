//! Structures, arrays and 31-bit integers, in wasm and in the hands of the host.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;

use instances::{instance, module, try_instance};
use precast::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, Caller, Collector, Config, Engine, Error, ErrorKind,
    Extern, ExternRef, FieldType, Finality, Func, FuncType, Global, GlobalType, HeapType, I31,
    Instance, Module, Mutability, Ref, RefType, StorageType, Store, StructRef, StructRefPre,
    StructType, Table, TableType, Trap, TypeError, Val, ValType,
};

const SHAPES: &str = r#"(module
    (type $shape (sub (struct (field $kind i8))))
    (type $circle (sub $shape (struct (field i8) (field $radius (mut f64)))))
    (type $shapes (array (mut (ref null $shape))))
    (func (export "circle") (param f64) (result (ref $circle))
        (struct.new $circle (i32.const 200) (local.get 0)))
    (func (export "pair") (param (ref null $shape) (ref null $shape)) (result (ref $shapes))
        (array.new_fixed $shapes 2 (local.get 0) (local.get 1)))
    (func (export "radius") (param anyref) (result f64)
        (struct.get $circle $radius (ref.cast (ref null $circle) (local.get 0))))
    (func (export "kind") (param (ref null $shape)) (result i32)
        (struct.get_s $shape $kind (local.get 0)))
    (func (export "is_shape") (param anyref) (result i32) (ref.test (ref $shape) (local.get 0))))"#;

/// Calls an exported function that has one result.
fn call(
    store: &mut Store<()>,
    instance: Instance,
    name: &str,
    params: &[Val],
) -> Result<Val, Error> {
    let func = instance.get_func(&mut *store, name).expect("the function is exported");
    let mut results = [Val::I32(0)];
    func.call(store, params, &mut results)?;
    Ok(results[0])
}

fn trap(result: Result<Val, Error>) -> Option<Trap> {
    result.unwrap_err().downcast_ref().copied()
}

fn type_error(error: Error) -> TypeError {
    assert_eq!(error.kind(), ErrorKind::Type);
    error.downcast_ref::<TypeError>().expect("a type error").clone()
}

#[test]
fn the_host_sees_what_wasm_made() {
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, SHAPES, &[]);
    let circle = call(&mut store, instance, "circle", &[2.5f64.into()]).unwrap();
    let circle = circle.unwrap_any_ref().unwrap();
    assert!(circle.is_struct(&store) && circle.is_eqref(&store));
    assert!(!circle.is_array(&store) && !circle.is_i31(&store));
    let structure = circle.as_struct(&store).unwrap();
    assert_eq!(structure.ty(&store).to_string(), "struct (field i8 (mut f64))");
    assert_eq!(structure.ty(&store).finality(), Finality::NonFinal);
    assert_eq!(structure.fields(&mut store).count(), 2);
    // A packed field is read without its sign.
    assert_eq!(structure.field(&mut store, 0).unwrap().unwrap_i32(), 200);
    assert_eq!(call(&mut store, instance, "kind", &[circle.into()]).unwrap().unwrap_i32(), -56);
    structure.set_field(&mut store, 1, Val::from(4.0f64)).unwrap();
    assert_eq!(call(&mut store, instance, "radius", &[circle.into()]).unwrap().unwrap_f64(), 4.0);

    let pair = call(&mut store, instance, "pair", &[circle.into(), Val::AnyRef(None)]).unwrap();
    let pair = pair.unwrap_any_ref().unwrap().as_array(&store).unwrap();
    assert_eq!(pair.len(&store), 2);
    let first = pair.get(&mut store, 0).unwrap().unwrap_any_ref().unwrap();
    assert!(AnyRef::ref_eq(&store, &first, &circle));
    assert!(pair.get(&mut store, 1).unwrap().unwrap_any_ref().is_none());
    pair.set(&mut store, 1, circle.into()).unwrap();
    assert_eq!(pair.elems(&mut store).filter(|value| value.unwrap_any_ref().is_some()).count(), 2);
}

#[test]
fn wasm_sees_what_the_host_made() {
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, SHAPES, &[]);
    let engine = store.engine().clone();
    let byte = FieldType::new(Mutability::Const, StorageType::I8);
    let radius = FieldType::new(Mutability::Var, ValType::F64.into());
    let subtype = |supertype: Option<&StructType>, fields: &[FieldType]| {
        let fields = fields.iter().cloned();
        StructType::with_finality_and_supertype(&engine, Finality::NonFinal, supertype, fields)
    };
    let shape = subtype(None, std::slice::from_ref(&byte)).unwrap();
    let circle = subtype(Some(&shape), &[byte.clone(), radius.clone()]).unwrap();
    let pre = StructRefPre::new(&mut store, circle.clone());
    let made = StructRef::new(&mut store, &pre, &[Val::I32(-1), 1.5f64.into()]).unwrap();
    assert!(made.matches_ty(&store, &shape));
    let radius_of = |store: &mut Store<()>, value: Val| call(store, instance, "radius", &[value]);
    assert_eq!(radius_of(&mut store, made.into()).unwrap().unwrap_f64(), 1.5);
    assert_eq!(call(&mut store, instance, "kind", &[made.into()]).unwrap().unwrap_i32(), -1);

    // The same fields, but no subtype.
    let other = StructType::new(&engine, [byte, radius]).unwrap();
    let pre = StructRefPre::new(&mut store, other);
    let other = StructRef::new(&mut store, &pre, &[Val::I32(0), 1.5f64.into()]).unwrap();
    assert_eq!(trap(radius_of(&mut store, other.into())), Some(Trap::CastFailure));
    assert!(matches!(
        type_error(call(&mut store, instance, "kind", &[other.into()]).unwrap_err()),
        TypeError::Mismatch { .. }
    ));
    let is_shape = |store: &mut Store<()>, value: Val| {
        call(store, instance, "is_shape", &[value]).unwrap().unwrap_i32()
    };
    assert_eq!(is_shape(&mut store, made.into()), 1);
    assert_eq!(is_shape(&mut store, other.into()), 0);
    assert_eq!(is_shape(&mut store, Val::AnyRef(None)), 0);
    let integer = AnyRef::from_i31(&mut store, I31::wrapping_u32(5));
    assert_eq!(is_shape(&mut store, integer.into()), 0);
    let host = ExternRef::new(&mut store, 5).unwrap();
    let host = AnyRef::convert_extern(&mut store, host);
    assert_eq!(is_shape(&mut store, host.into()), 0);
    assert_eq!(trap(radius_of(&mut store, host.into())), Some(Trap::CastFailure));
    assert_eq!(trap(radius_of(&mut store, Val::AnyRef(None))), Some(Trap::NullStructReference));
}

#[test]
fn the_host_may_be_the_first_to_make_an_object() {
    let mut store = Store::<()>::default();
    let ty = StructType::new(store.engine(), []).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let empty = StructRef::new(&mut store, &pre, &[]).unwrap();
    let instance = instance(&mut store, SHAPES, &[]);
    let is_shape = call(&mut store, instance, "is_shape", &[empty.into()]);
    assert_eq!(is_shape.unwrap().unwrap_i32(), 0);
}

#[test]
fn wrong_values_and_indices_are_errors() {
    let mut store = Store::<()>::default();
    let engine = store.engine().clone();
    let fields = [
        FieldType::new(Mutability::Const, ValType::I32.into()),
        FieldType::new(Mutability::Var, ValType::Ref(RefType::new(false, HeapType::I31)).into()),
    ];
    let ty = StructType::new(&engine, fields).unwrap();
    let pre = StructRefPre::new(&mut store, ty);
    let integer: Val = AnyRef::from_i31(&mut store, I31::wrapping_u32(1)).into();
    let mut new = |fields: &[Val]| StructRef::new(&mut store, &pre, fields);
    assert!(matches!(
        type_error(new(&[Val::I32(0)]).unwrap_err()),
        TypeError::Count { expected: 2, found: 1, .. }
    ));
    for fields in [[Val::I64(0), integer], [Val::I32(0), Val::AnyRef(None)], [Val::I32(0); 2]] {
        assert!(matches!(type_error(new(&fields).unwrap_err()), TypeError::Mismatch { .. }));
    }
    let made = new(&[Val::I32(3), integer]).unwrap();
    let mut set = |index, value| type_error(made.set_field(&mut store, index, value).unwrap_err());
    assert_eq!(set(0, Val::I32(1)), TypeError::ImmutableField);
    assert_eq!(set(2, Val::I32(1)), TypeError::Index { what: "field", index: 2, len: 2 });
    assert!(matches!(set(1, made.into()), TypeError::Mismatch { .. }));
    assert!(matches!(set(1, Val::ExternRef(None)), TypeError::Mismatch { .. }));
    assert!(made.field(&mut store, usize::MAX).is_err());

    let ty = ArrayType::new(&engine, FieldType::new(Mutability::Const, StorageType::I16));
    let pre = ArrayRefPre::new(&mut store, ty);
    let array = ArrayRef::new_fixed(&mut store, &pre, &[Val::I32(-1), Val::I32(7)]).unwrap();
    assert_eq!(array.get(&mut store, 0).unwrap().unwrap_i32(), 0xffff);
    let outside = type_error(array.get(&mut store, 2).unwrap_err());
    assert_eq!(outside, TypeError::Index { what: "element", index: 2, len: 2 });
    assert!(array.set(&mut store, 0, Val::I32(1)).is_err());
    assert!(ArrayRef::new(&mut store, &pre, &Val::I64(0), 1).is_err());
    let too_large = ArrayRef::new(&mut store, &pre, &Val::I32(0), u32::MAX).unwrap_err();
    assert_eq!(too_large.downcast_ref(), Some(&Trap::AllocationTooLarge));
}

#[test]
#[should_panic(expected = "wrong store")]
fn an_object_of_another_store_is_refused() {
    let engine = Engine::default();
    let (mut store, mut other) = (Store::new(&engine, ()), Store::new(&engine, ()));
    let pre = StructRefPre::new(&mut other, StructType::new(&engine, []).unwrap());
    let foreign = StructRef::new(&mut other, &pre, &[]).unwrap();
    let ty = GlobalType::new(ValType::Ref(RefType::new(true, HeapType::Any)), Mutability::Var);
    let _ = Global::new(&mut store, ty, foreign.into());
}

#[test]
#[should_panic(expected = "another engine")]
fn a_type_of_another_engine_is_refused() {
    let mut store = Store::<()>::default();
    StructRefPre::new(&mut store, StructType::new(&Engine::default(), []).unwrap());
}

#[test]
fn globals_and_tables_of_the_host_hold_objects() {
    let mut store = Store::<()>::default();
    let any = RefType::new(true, HeapType::Any);
    let i31 = RefType::new(true, HeapType::I31);
    let seven: AnyRef = AnyRef::from_i31(&mut store, I31::wrapping_u32(7));
    let ty = GlobalType::new(ValType::Ref(any), Mutability::Var);
    let global = Global::new(&mut store, ty, seven.into()).unwrap();
    let read = global.get(&mut store).unwrap_any_ref().unwrap();
    assert_eq!(read.as_i31(&store), I31::new_u32(7));
    let table = Table::new(&mut store, TableType::new(i31, 2, None), Ref::Any(None)).unwrap();
    table.set(&mut store, 1, seven.into()).unwrap();
    let host = ExternRef::new(&mut store, ()).unwrap();
    let host = AnyRef::convert_extern(&mut store, host);
    assert!(table.set(&mut store, 0, host.into()).is_err());
    assert!(matches!(table.get(&mut store, 1), Some(Ref::Any(Some(_)))));
}

#[test]
fn references_convert_both_ways() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (func (export "inside") (param externref) (result anyref)
                (any.convert_extern (local.get 0)))
            (func (export "outside") (param anyref) (result externref)
                (extern.convert_any (local.get 0))))"#,
        &[],
    );
    let inside =
        instance.get_typed_func::<Option<ExternRef>, Option<AnyRef>>(&mut store, "inside").unwrap();
    let outside = instance
        .get_typed_func::<Option<AnyRef>, Option<ExternRef>>(&mut store, "outside")
        .unwrap();
    let value = ExternRef::new(&mut store, "value").unwrap();
    let converted = inside.call(&mut store, Some(value)).unwrap().unwrap();
    assert!(converted.matches_ty(&store, &HeapType::Any));
    assert!(!converted.matches_ty(&store, &HeapType::Eq));
    let back = outside.call(&mut store, Some(converted)).unwrap().unwrap();
    assert_eq!(back.data(&store).unwrap().downcast_ref(), Some(&"value"));
    // What wasm can look into has no value of the host.
    let integer = AnyRef::from_i31(&mut store, I31::wrapping_i32(-3));
    let disguised = outside.call(&mut store, Some(integer)).unwrap().unwrap();
    assert!(disguised.data(&store).is_none());
    let back = inside.call(&mut store, Some(disguised)).unwrap().unwrap();
    assert_eq!(back.as_i31(&store).unwrap().get_i32(), -3);
    assert!(inside.call(&mut store, None).unwrap().is_none());
}

#[test]
fn host_functions_take_and_return_objects() {
    let mut store = Store::<()>::default();
    let swap = Func::wrap(&mut store, |a: Option<AnyRef>, b: Option<AnyRef>| (b, a));
    let instance = instance(
        &mut store,
        r#"(module
            (import "" "" (func $swap (param anyref anyref) (result anyref anyref)))
            (func (export "f") (result i32)
                (call $swap (ref.i31 (i32.const 1)) (ref.i31 (i32.const 2)))
                (drop) (i31.get_u (ref.cast i31ref))))"#,
        &[swap.into()],
    );
    assert_eq!(call(&mut store, instance, "f", &[]).unwrap().unwrap_i32(), 2);
}

#[test]
fn integers_are_passed_as_such() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module (func (export "f") (param i31ref) (result (ref i31))
            (ref.i31 (i32.add (i31.get_s (local.get 0)) (i32.const -9)))))"#,
        &[],
    );
    let f = instance.get_typed_func::<Option<I31>, I31>(&mut store, "f").unwrap();
    let sum = f.call(&mut store, I31::new_i32(7)).unwrap();
    assert_eq!(sum.get_i32(), -2);
    let null = f.call(&mut store, None).unwrap_err();
    assert_eq!(null.downcast_ref(), Some(&Trap::NullI31Reference));
}

#[test]
fn modules_share_types_by_structure() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    const LIST: &str = "(rec (type $list (sub (struct (field i32) (field (ref null $list))))))";
    let maker = instance(
        &mut store,
        &format!(
            r#"(module {LIST}
                (func (export "cons") (param i32 (ref null $list)) (result (ref $list))
                    (struct.new $list (local.get 0) (local.get 1))))"#
        ),
        &[],
    );
    let cons = maker.get_func(&mut store, "cons").unwrap();
    let user = |ty: &str| {
        format!(
            r#"(module (type (array i8)) {ty}
                (import "" "" (func $cons (param i32 (ref null $list)) (result (ref $list))))
                (func (export "f") (result i32)
                    (struct.get $list 0 (struct.get $list 1
                        (call $cons (i32.const 1) (call $cons (i32.const 7) (ref.null none)))))))"#
        )
    };
    let same = instance(&mut store, &user(LIST), &[cons.into()]);
    assert_eq!(call(&mut store, same, "f", &[]).unwrap().unwrap_i32(), 7);
    let is_final =
        LIST.replace("(sub (struct", "((struct").replace("((struct", "(sub final (struct");
    let error = try_instance(&mut store, &user(&is_final), &[cons.into()]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Link);
}

/// Types with more supertypes than are there without being asked for, and beside each a sibling.
#[test]
fn casts_are_exact_at_every_depth() {
    const DEPTH: usize = 12;
    let mut text = String::from("(module (type $t0 (sub (struct)))");
    for depth in 1..=DEPTH {
        let supertype = depth - 1;
        text += &format!("(type $t{depth} (sub $t{supertype} (struct)))");
        text += &format!("(type $s{depth} (sub $t{supertype} (struct (field i32))))");
    }
    for depth in 1..=DEPTH {
        for kind in ["t", "s"] {
            text += &format!(
                r#"(func (export "new_{kind}{depth}") (result anyref)
                    (struct.new_default ${kind}{depth}))
                (func (export "test_{kind}{depth}") (param anyref) (result i32)
                    (ref.test (ref ${kind}{depth}) (local.get 0)))"#
            );
        }
    }
    text += ")";
    let mut store = Store::<()>::default();
    let instance = instance(&mut store, &text, &[]);
    for made in 1..=DEPTH {
        for kind in ["t", "s"] {
            let object = call(&mut store, instance, &format!("new_{kind}{made}"), &[]).unwrap();
            for tested in 1..=DEPTH {
                let is = |store: &mut Store<()>, name: &str| {
                    let name = format!("test_{name}{tested}");
                    call(store, instance, &name, &[object]).unwrap().unwrap_i32() == 1
                };
                let above = tested < made || (tested == made && kind == "t");
                assert_eq!(is(&mut store, "t"), above, "{kind}{made} is t{tested}");
                assert_eq!(is(&mut store, "s"), tested == made && kind == "s");
            }
        }
    }
}

#[test]
fn indirect_calls_accept_subtypes() {
    let engine = Engine::default();
    let mut store = Store::new(&engine, ());
    const TYPES: &str = r#"
        (type $super (sub (func (result anyref))))
        (type $sub (sub final $super (func (result i31ref))))
        (type $plain (func (result anyref)))"#;
    let text = format!(
        r#"(module {TYPES}
            (import "" "" (func $host (type $super)))
            (table (export "table") 4 funcref)
            (elem (i32.const 0) func $own $host $plain)
            (func $own (type $sub) (ref.i31 (i32.const 5)))
            (func $plain (type $plain) (ref.null any))
            (func (export "call") (param i32) (result i32)
                (i31.get_u (ref.cast i31ref (call_indirect (type $super) (local.get 0)))))
            (func (export "call_sub") (param i32) (result i32)
                (i31.get_u (call_indirect (type $sub) (local.get 0)))))"#
    );
    let any = ValType::Ref(RefType::new(true, HeapType::Any));
    let i31 = ValType::Ref(RefType::new(true, HeapType::I31));
    let subtype = |supertype: Option<&FuncType>, result: &ValType| {
        let finality = if supertype.is_some() { Finality::Final } else { Finality::NonFinal };
        FuncType::with_finality_and_supertype(&engine, finality, supertype, [], [result.clone()])
    };
    let supertype = subtype(None, &any).unwrap();
    let sub = subtype(Some(&supertype), &i31).unwrap();
    let host = Func::new(&mut store, sub, |mut caller, _, results| {
        results[0] = AnyRef::from_i31(&mut caller, I31::wrapping_u32(6)).into();
        Ok(())
    });
    // The host's function is of a subtype of what is imported.
    let instance = instance(&mut store, &text, &[host.into()]);
    // Code does not have to know the type of what it calls.
    let unknown = subtype(Some(&supertype), &ValType::Ref(RefType::new(false, HeapType::I31)));
    let unknown = Func::new(&mut store, unknown.unwrap(), |mut caller, _, results| {
        results[0] = AnyRef::from_i31(&mut caller, I31::wrapping_u32(8)).into();
        Ok(())
    });
    let table = instance.get_table(&mut store, "table").unwrap();
    table.set(&mut store, 3, unknown.into()).unwrap();
    let result = call(&mut store, instance, "call", &[Val::I32(3)]);
    assert_eq!(result.unwrap().unwrap_i32(), 8);
    let mismatch = call(&mut store, instance, "call_sub", &[Val::I32(3)]);
    assert_eq!(trap(mismatch), Some(Trap::BadSignature));
    for name in ["call", "call_sub"] {
        for (index, expected) in [(0, 5), (1, 6)] {
            let result = call(&mut store, instance, name, &[Val::I32(index)]);
            assert_eq!(result.unwrap().unwrap_i32(), expected);
        }
        let mismatch = call(&mut store, instance, name, &[Val::I32(2)]);
        assert_eq!(trap(mismatch), Some(Trap::BadSignature));
    }
}

#[test]
fn wrong_accesses_trap() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $bytes (array (mut i8)))
            (type $words (array (mut i64)))
            (data $data "abcd")
            (func (export "get") (param i32) (result i32)
                (array.get_u $bytes (array.new $bytes (i32.const 9) (i32.const 3)) (local.get 0)))
            (func (export "len") (result i32) (array.len (ref.null array)))
            (func (export "i31") (result i32) (i31.get_s (ref.null i31)))
            (func (export "new") (param i32) (result i32)
                (array.len (array.new_default $words (local.get 0))))
            (func (export "from_data") (param i32) (result i32)
                (array.len (array.new_data $bytes $data (i32.const 1) (local.get 0))))
            (func (export "fill") (param i32) (result i32)
                (array.fill $bytes (array.new_default $bytes (i32.const 3)) (i32.const 1)
                    (i32.const 0) (local.get 0))
                (i32.const 0))
            (func (export "copy") (param i32) (result i32)
                (array.copy $bytes $bytes (array.new_default $bytes (i32.const 3)) (i32.const 0)
                    (array.new_default $bytes (i32.const 2)) (i32.const 0) (local.get 0))
                (i32.const 0)))"#,
        &[],
    );
    let mut run = |name: &str, param: Option<i32>| {
        let params: Vec<Val> = param.into_iter().map(Val::I32).collect();
        call(&mut store, instance, name, &params)
    };
    assert_eq!(run("get", Some(2)).unwrap().unwrap_i32(), 9);
    assert_eq!(run("new", Some(5)).unwrap().unwrap_i32(), 5);
    assert_eq!(run("from_data", Some(3)).unwrap().unwrap_i32(), 3);
    for (name, param, expected) in [
        ("get", Some(3), Trap::ArrayOutOfBounds),
        ("get", Some(-1), Trap::ArrayOutOfBounds),
        ("len", None, Trap::NullArrayReference),
        ("i31", None, Trap::NullI31Reference),
        ("new", Some(-1), Trap::AllocationTooLarge),
        ("from_data", Some(4), Trap::MemoryOutOfBounds),
        ("from_data", Some(-1), Trap::MemoryOutOfBounds),
        ("fill", Some(3), Trap::ArrayOutOfBounds),
        ("fill", Some(-1), Trap::ArrayOutOfBounds),
        ("copy", Some(3), Trap::ArrayOutOfBounds),
    ] {
        assert_eq!(trap(run(name, param)), Some(expected), "{name} {param:?}");
    }
}

#[test]
fn defaults_are_zero_wherever_an_object_is() {
    // What was in the place of an object before is not zero.
    let structure = format!(
        r#"(module
            (type $words (array i64))
            (type $t (struct {}))
            (func (export "f") (param $rounds i32) (result i32)
                (local $sum i32) (local $object (ref null $t))
                (loop $again
                    (drop (array.new $words (i64.const -1) (i32.const 50)))
                    (local.set $object (struct.new_default $t))
                    (local.set $sum (i32.or (local.get $sum) (i32.or
                        (i32.eqz (ref.is_null (struct.get $t 23 (local.get $object))))
                        (v128.any_true (struct.get $t 24 (local.get $object))))))
                    (br_if $again
                        (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
                (local.get $sum)))"#,
        "(field i8) (field i64) (field f32) (field anyref) (field v128)".repeat(5)
    );
    for &collector in Collector::ALL {
        let engine = Engine::new(Config::new().collector(collector)).unwrap();
        let mut store = Store::new(&engine, ());
        let made = instance(&mut store, &structure, &[]);
        let sum = call(&mut store, made, "f", &[Val::I32(10_000)]).unwrap();
        assert_eq!(sum.unwrap_i32(), 0, "{collector}");
        for (storage, len) in [("i8", 0), ("i8", 1), ("i8", 13), ("i16", 3), ("i32", 5), ("i64", 7)]
        {
            let suffix = if matches!(storage, "i8" | "i16") { "_u" } else { "" };
            let widen = if storage == "i64" { "i32.wrap_i64" } else { "i32.or (i32.const 0)" };
            let array = format!(
                r#"(module
                    (type $words (array i64))
                    (type $t (array {storage}))
                    (func (export "f") (param $rounds i32) (result i32)
                        (local $sum i32) (local $i i32) (local $array (ref null $t))
                        (loop $again
                            (drop (array.new $words (i64.const -1) (i32.const 50)))
                            (local.set $array (array.new_default $t (i32.const {len})))
                            (local.set $sum (i32.or (local.get $sum)
                                (i32.ne (array.len (local.get $array)) (i32.const {len}))))
                            (local.set $i (i32.const {len}))
                            (block $done (loop $next
                                (br_if $done (i32.eqz (local.get $i)))
                                (local.set $i (i32.sub (local.get $i) (i32.const 1)))
                                (local.set $sum (i32.or (local.get $sum)
                                    ({widen} (array.get{suffix} $t (local.get $array) (local.get $i)))))
                                (br $next)))
                            (br_if $again
                                (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
                        (local.get $sum)))"#
            );
            let made = instance(&mut store, &array, &[]);
            let sum = call(&mut store, made, "f", &[Val::I32(10_000)]).unwrap();
            assert_eq!(sum.unwrap_i32(), 0, "{collector} {storage} {len}");
        }
    }
}

#[test]
fn elements_are_evaluated_once() {
    let mut store = Store::<()>::default();
    let instance = instance(
        &mut store,
        r#"(module
            (type $cell (struct (field (mut i32))))
            (type $cells (array (ref $cell)))
            (global $first (ref $cell) (struct.new $cell (i32.const 1)))
            (elem $cells (ref $cell) (global.get $first) (struct.new $cell (i32.const 2)))
            (func $cell (param i32) (result (ref $cell))
                (array.get $cells (array.new_elem $cells $cells (i32.const 0) (i32.const 2))
                    (local.get 0)))
            (func (export "same") (param i32) (result i32)
                (ref.eq (call $cell (local.get 0)) (call $cell (local.get 0))))
            (func (export "is_first") (result i32)
                (ref.eq (call $cell (i32.const 0)) (global.get $first)))
            (func (export "dropped") (result i32)
                (elem.drop $cells) (struct.get $cell 0 (call $cell (i32.const 0)))))"#,
        &[],
    );
    for index in [0, 1] {
        let same = call(&mut store, instance, "same", &[Val::I32(index)]);
        assert_eq!(same.unwrap().unwrap_i32(), 1);
    }
    assert_eq!(call(&mut store, instance, "is_first", &[]).unwrap().unwrap_i32(), 1);
    let dropped = call(&mut store, instance, "dropped", &[]);
    assert_eq!(trap(dropped), Some(Trap::TableOutOfBounds));
}

#[test]
fn types_are_described() {
    let engine = Engine::default();
    let module = module(
        &engine,
        r#"(module
            (type $point (struct (field i32) (field (mut i64))))
            (type $points (array (mut (ref null $point))))
            (global (export "points") (ref null $points) (ref.null $points)))"#,
    );
    let export = module.get_export("points").unwrap();
    let ValType::Ref(ty) = export.global().unwrap().content().clone() else { panic!("{export:?}") };
    let HeapType::ConcreteArray(array) = ty.heap_type() else { panic!("{ty:?}") };
    assert_eq!(array.mutability(), Mutability::Var);
    let StorageType::ValType(ValType::Ref(element)) = array.element_type() else {
        panic!("{array:?}")
    };
    let HeapType::ConcreteStruct(point) = element.heap_type() else { panic!("{element:?}") };
    assert_eq!(point.field(1).unwrap().element_type(), &StorageType::ValType(ValType::I64));
    assert_eq!(point.field(2), None);
    assert!(ty.matches(&RefType::new(true, HeapType::Eq)));
}

/// Runs with every collector, and with each also so that it collects wherever it can.
fn with_every_collector(mut run: impl FnMut(&mut Store<()>)) {
    for &collector in Collector::ALL {
        for stress in [false, true] {
            let mut config = Config::new();
            config.collector(collector).collect_at_every_safe_point(stress);
            run(&mut Store::new(&Engine::new(&config).unwrap(), ()));
        }
    }
}

#[test]
fn what_is_read_stays_when_what_it_was_read_from_goes() {
    with_every_collector(|store| {
        let instance = instance(
            &mut *store,
            r#"(module
                (type $leaf (struct (field i32)))
                (type $node (struct (field (ref $leaf))))
                (type $nodes (array (ref $leaf)))
                (func $leaf (param i32) (result (ref $leaf)) (struct.new $leaf (local.get 0)))
                (func $churn
                    (drop (call $leaf (i32.const -1))) (drop (call $leaf (i32.const -2)))
                    (drop (call $leaf (i32.const -3))))
                (func $node (param i32) (result (ref $node))
                    (struct.new $node (call $leaf (local.get 0))))
                (func $nodes (param i32) (result (ref $nodes))
                    (array.new $nodes (call $leaf (local.get 0)) (i32.const 3)))
                (func (export "field") (param i32) (result i32)
                    (local $node (ref null $node)) (local $leaf (ref null $leaf))
                    (local.set $node (call $node (local.get 0)))
                    (call $churn)
                    (local.set $leaf (struct.get $node 0 (local.get $node)))
                    (call $churn)
                    (struct.get $leaf 0 (local.get $leaf)))
                (func (export "element") (param i32) (result i32)
                    (local $nodes (ref null $nodes)) (local $leaf (ref null $leaf))
                    (local.set $nodes (call $nodes (local.get 0)))
                    (call $churn)
                    (local.set $leaf (array.get $nodes (local.get $nodes) (i32.const 2)))
                    (call $churn)
                    (struct.get $leaf 0 (local.get $leaf))))"#,
            &[],
        );
        for name in ["field", "element"] {
            for number in 0..10 {
                let read = call(store, instance, name, &[Val::I32(number)]).unwrap();
                assert_eq!(read.unwrap_i32(), number);
            }
        }
    });
}

#[test]
fn a_real_program_prints_the_same_with_every_collector() {
    for &collector in Collector::ALL {
        let engine = Engine::new(Config::new().collector(collector)).unwrap();
        let wasm = include_bytes!("fixtures/moonbit/objects.wasm");
        let module = Module::new(&engine, wasm).unwrap();
        let mut store = Store::new(&engine, Vec::new());
        let write = |mut caller: Caller<'_, Vec<u8>>, _: i32, vector: u32, count: u32, _: i32| {
            assert_eq!(count, 1);
            let memory = caller.get_export("memory").and_then(Extern::into_memory).unwrap();
            let word = |at: u32| {
                let mut bytes = [0; 4];
                memory.read(&caller, at as usize, &mut bytes).unwrap();
                u32::from_le_bytes(bytes)
            };
            let mut line = vec![0; word(vector + 4) as usize];
            let start = word(vector) as usize;
            memory.read(&caller, start, &mut line).unwrap();
            caller.data_mut().extend(line);
            0
        };
        let write = Func::wrap(&mut store, write);
        let instance = Instance::new(&mut store, &module, &[write.into()]).unwrap();
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start").unwrap();
        start.call(&mut store, ()).unwrap();
        let expected = include_str!("programs/expected/moonbit-objects.stdout");
        assert_eq!(String::from_utf8_lossy(store.data()), expected, "{collector}");
    }
}
