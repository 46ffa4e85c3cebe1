//! Answers HTTP requests with wasm: a fresh instance for each of them, whose memory comes from a
//! pool.
//!
//! `cargo run --example http_server 127.0.0.1:8080` serves until it is stopped. Without an address it
//! answers two requests of its own.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;

use precast::{
    Config, Engine, InstancePre, Linker, Module, PoolingAllocationConfig, Result, Store,
};
use tiny_http::{Response, Server};

/// Greets whoever the path names: gets a text at 1024, and returns its own at 0.
const GUEST: &str = r#"
    (module
        (memory (export "memory") 1)
        (data (i32.const 0) "Hello, ")
        (func (export "answer") (param $len i32) (result i32)
            (memory.copy (i32.const 7) (i32.const 1024) (local.get $len))
            (i32.add (local.get $len) (i32.const 7))))
"#;

const THREADS: usize = 4;

pub(crate) fn main() -> Result<()> {
    if let Some(Ok(address)) = std::env::args().nth(1).map(|address| address.parse()) {
        let running = serve(address)?;
        println!("http://{}/you", running.address());
        running.threads.into_iter().for_each(|thread| thread.join().expect("nothing panics"));
        return Ok(());
    }
    let running = serve(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    for name in ["you", "me"] {
        let response = get(running.address(), name)?;
        println!("{response}");
        assert!(response.starts_with("HTTP/1.1 200"), "{response}");
        assert!(response.ends_with(&format!("Hello, {name}")), "{response}");
    }
    Ok(())
}

struct Running {
    server: Arc<Server>,
    threads: Vec<thread::JoinHandle<()>>,
}

fn serve(address: SocketAddr) -> Result<Running> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_memories(THREADS as u32);
    let engine = Engine::new(Config::new().allocation_strategy(pool))?;
    let module = Module::new(&engine, GUEST)?;
    let guest = Linker::<()>::new(&engine).instantiate_pre(&module)?;
    let server = Arc::new(Server::http(address).map_err(precast::Error::msg)?);
    let threads = (0..THREADS).map(|_| {
        let (server, guest) = (Arc::clone(&server), guest.clone());
        thread::spawn(move || {
            while let Ok(request) = server.recv() {
                let name = request.url().trim_start_matches('/').to_owned();
                let response = match answer(&guest, &name) {
                    Ok(text) => Response::from_string(text),
                    Err(error) => Response::from_string(error.to_string()).with_status_code(500),
                };
                // Whoever asked may be gone.
                let _ = request.respond(response);
            }
        })
    });
    let threads = threads.collect();
    Ok(Running { server, threads })
}

/// The guest's answer, from an instance that nobody used before.
fn answer(guest: &InstancePre<()>, name: &str) -> Result<String> {
    let mut store = Store::new(guest.module().engine(), ());
    let instance = guest.instantiate(&mut store)?;
    let memory = instance.get_memory(&mut store, "memory").expect("the guest exports it");
    memory.write(&mut store, 1024, name.as_bytes())?;
    let answer = instance.get_typed_func::<u32, u32>(&mut store, "answer")?;
    let len = answer.call(&mut store, u32::try_from(name.len())?)?;
    let mut text = vec![0; len as usize];
    memory.read(&store, 0, &mut text)?;
    Ok(String::from_utf8(text)?)
}

impl Running {
    fn address(&self) -> SocketAddr {
        self.server.server_addr().to_ip().expect("it listens on an IP address")
    }
}

/// What the server answers, headers included.
fn get(server: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(server)?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
