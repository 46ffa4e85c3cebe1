//! Structures, arrays and 31-bit integers in the hands of the host.
#![cfg(all(feature = "compiler", feature = "wat"))]

mod instances;
mod outcomes;

use instances::{instance, module};
use outcomes::{call, trap};
use precast::{
    AnyRef, ArrayRef, ArrayRefPre, ArrayType, Engine, Error, ErrorKind, ExternRef, FieldType,
    Finality, Func, Global, GlobalType, HeapType, I31, Mutability, Ref, RefType, StorageType,
    Store, StructRef, StructRefPre, StructType, Table, TableType, Trap, TypeError, Val, ValType,
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
