//! What the program is, for people.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use precast_artifact::container::Container;
use precast_artifact::image::Image;
use precast_artifact::program::{Authority, Manifest, Program};
use precast_runtime::Result;

/// Prints what the program is made of and what its guest may use.
pub(crate) fn print(program: &Program<'_>) -> Result<ExitCode> {
    let text = describe(program)?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn describe(program: &Program<'_>) -> Result<String> {
    let Program { manifest, artifact } = program;
    let Manifest { name, authority, directories, environment } = manifest;
    let mut text = format!("{name}: a WebAssembly program, compiled by precast\n");
    if Container::looks_like_container(artifact) {
        for image in Container::parse(artifact, artifact.len() as u64)?.images() {
            let bytes = &artifact[image.offset as usize..][..image.len as usize];
            write_image(&mut text, bytes, &image.to_string())?;
        }
    } else {
        let triple = Image::parse(artifact)?.description.target.triple;
        write_image(&mut text, artifact, &triple)?;
    }
    writeln!(text, "it may use:")?;
    match authority {
        Authority::Ambient => writeln!(
            text,
            "  your environment, the current directory, and the directories of what its arguments name"
        )?,
        Authority::Listed if directories.is_empty() => writeln!(text, "  no files")?,
        Authority::Listed => {}
    }
    for directory in directories {
        writeln!(text, "  the directory {} as {}", directory.host, directory.guest)?;
    }
    for variable in environment {
        match &variable.value {
            Some(value) => writeln!(text, "  the variable {}={value}", variable.name)?,
            None => writeln!(text, "  your variable {}", variable.name)?,
        }
    }
    writeln!(text, "  standard input, output and error, clocks, random numbers")?;
    Ok(text)
}

fn write_image(text: &mut String, bytes: &[u8], name: &str) -> Result<()> {
    let description = Image::parse(bytes)?.description;
    let fits = match description.check_host() {
        Ok(()) => "runs here".to_owned(),
        Err(reason) => reason.to_string(),
    };
    writeln!(
        text,
        "  for {name}: {} bytes by precast {}; {fits}",
        bytes.len(),
        description.compiler
    )?;
    write!(text, "    made from WebAssembly with SHA-256 ")?;
    for byte in description.wasm_sha256 {
        write!(text, "{byte:02x}")?;
    }
    text.push('\n');
    Ok(())
}
