fn main() {
    precast_build::Builder::new("greet.wat").cpu("baseline").cpu("native").build();
}
