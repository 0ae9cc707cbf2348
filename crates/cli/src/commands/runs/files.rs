//! `adjutant runs files`.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use adjutant::Adjutant;
use adjutant::tool::sandbox::{Artifact, Folder};
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::{Value, json};

use crate::exit::{Ended, Exit, Failure};
use crate::screen::{Output, Table, bytes, local_time};

/// Lists the files of a run, or of the session that it is a turn of, and gives them out.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The run, or the beginning of its id.
    run: String,
    /// The file to give out, as the list names it.
    path: Option<PathBuf>,
    /// Where to write the file; standard output without it.
    #[arg(long, short, value_name = "FILE", requires = "path")]
    output: Option<PathBuf>,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let run = adjutant.find(&arguments.run).await?;
    let folder = adjutant.files(run.id()).await?;
    match &arguments.path {
        Some(path) => {
            let file = folder.artifact(path).map_err(|error| {
                error.with_help(format!("`adjutant runs files {}` lists what there is", arguments.run))
            })?;
            give(&folder, &file, arguments.output.as_deref(), output)
        }
        None => list(&folder, output),
    }
}

fn list(folder: &Folder, output: Output) -> Ended {
    let files = folder.artifacts()?;
    if output.json {
        let told: Vec<_> = files.iter().map(|file| told(folder, file)).collect::<Result<_>>()?;
        output.json(&told)?;
    } else if files.is_empty() {
        output.talk("there are no files");
    } else {
        let mut table = Table::new(&["file", "size", "written", "type"]);
        for file in &files {
            table.row([
                &*file.path.to_string_lossy(),
                &bytes(usize::try_from(file.bytes).unwrap_or(usize::MAX)),
                &local_time(file.modified),
                file.media_type(),
            ]);
        }
        output.data(&table.render(output.data_colored))?;
    }
    Ok(Exit::Success)
}

/// A file as JSON.
fn told(folder: &Folder, file: &Artifact) -> Result<Value> {
    Ok(json!({
        "path": file.path.to_string_lossy(),
        "bytes": file.bytes,
        "modified": file.modified,
        "media_type": file.media_type(),
        "digest": folder.digest(&file.path)?,
    }))
}

fn give(folder: &Folder, file: &Artifact, to: Option<&Path>, output: Output) -> Ended {
    let mut content = folder.open(&file.path)?;
    match to {
        Some(to) => {
            let failed = |error: &io::Error| {
                Error::new(Code::FileUnreadable, format!("`{}` cannot be written", to.display()))
                    .caused_by(error)
            };
            let mut target = File::create(to).map_err(|error| failed(&error))?;
            io::copy(&mut content, &mut target).map_err(|error| failed(&error))?;
            if !output.json {
                output.talk(&format!(
                    "{} written to {}",
                    bytes(usize::try_from(file.bytes).unwrap_or(usize::MAX)),
                    to.display()
                ));
            }
        }
        None if output.json => {}
        None => print(&mut content, &file.path)?,
    }
    if output.json {
        output.json(&told(folder, file)?)?;
    }
    Ok(Exit::Success)
}

/// Writes a file to standard output as it is. What would not stay text on a terminal is refused.
fn print(content: &mut impl Read, path: &Path) -> Ended<()> {
    let unreadable = |error: &io::Error| {
        Error::new(Code::FileUnreadable, format!("`{}` cannot be read", path.display())).caused_by(error)
    };
    let mut stdout = io::stdout().lock();
    let careful = stdout.is_terminal();
    let mut chunk = vec![0; 64 << 10];
    loop {
        let count = content.read(&mut chunk).map_err(|error| unreadable(&error))?;
        let piece = chunk.get(..count).unwrap_or_default();
        if piece.is_empty() {
            break;
        }
        if careful
            && piece.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\r' | b'\t'))
        {
            let message = format!("`{}` is no text that a terminal should show", path.display());
            return Err(Error::new(Code::InputInvalid, message)
                .with_help("write it to a file with `--output FILE`")
                .into());
        }
        if let Err(error) = stdout.write_all(piece) {
            return Err(lost(&error));
        }
    }
    stdout.flush().map_err(|error| lost(&error))
}

fn lost(error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderGone,
        _ => Error::new(Code::FileUnreadable, "the output cannot be written").caused_by(error).into(),
    }
}
