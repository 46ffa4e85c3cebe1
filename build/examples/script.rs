//! A build script: compiles the module that is named.

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut builder = precast_build::Builder::new(arguments.next().expect("a module"));
    arguments.for_each(|cpu| {
        builder.cpu(&cpu);
    });
    builder.name("my plug-in").build();
}
